//! Words that templates are given: what an event is called, why a delivery became what it became. What events of the gateway itself
//! say is the same everywhere: [`leadgate_core::onward::alarm_words`].

use leadgate_core::change::Stage;
use leadgate_core::language::Language;
use leadgate_core::onward::event;
use leadgate_core::receipt::Reason;
use leadgate_core::rules::KnownContact;
use leadgate_core::submission::{ActivityKind, Signal};

/// What happened, as a heading.
pub(super) fn headline(name: &str, language: Language) -> &'static str {
    let (ru, en) = match name {
        event::LEAD_CREATED => ("Новая заявка", "New lead"),
        event::LEAD_ATTACHED => ("Клиент обратился снова", "The customer wrote again"),
        event::LEAD_UPDATED => ("Заявка изменена", "Lead changed"),
        event::LEAD_CLOSED => ("Заявка закрыта", "Lead closed"),
        event::LEAD_REOPENED => ("Заявка снова открыта", "Lead open again"),
        event::LEAD_WAITING => ("Заявку никто не взял", "Nobody has taken this lead"),
        event::CONTACT_CREATED => ("Новый клиент", "New contact"),
        event::CONTACT_RETURNED => ("Клиент вернулся", "A known customer is back"),
        event::CONTACT_WAITING => ("Клиента никто не взял", "Nobody has taken this customer"),
        event::CONTACT_TAKEN => ("Клиента взяли", "The customer was taken"),
        event::CONTACT_REACHABLE => ("Адрес снова доступен", "An address can be reached again"),
        event::CONTACT_ERASED => ("Данные клиента удалены", "A person's data was removed"),
        event::MAIL_SENT => ("Клиенту написали", "The customer was written to"),
        event::MESSAGE_SENT => ("Клиенту ответили", "The customer was answered"),
        event::MESSAGE_FAILED => ("Сообщение не дошло до клиента", "A message did not reach the customer"),
        event::CALL_MISSED => ("Пропущенный звонок", "Missed call"),
        event::CALL_UNRETURNED => ("Клиенту не перезвонили", "Nobody has called back"),
        event::CALL_MADE => ("Клиенту звонили", "The customer was called"),
        event::MAIL_REFUSED => ("Ответ не передан клиенту", "An answer did not reach the customer"),
        event::ACTIVITY_DETACHED => ("Обращение отделено", "An activity was detached"),
        event::ACTIVITY_RESTORED => ("Обращение возвращено", "An activity was put back"),
        event::SUBMISSION_QUARANTINED => ("Обращение ждёт проверки", "A delivery waits for a look"),
        event::SUBMISSION_SPAM => ("Обращение принято за спам", "A delivery was kept as spam"),
        _ => ("Событие", "Event"),
    };
    pick(language, ru, en)
}

/// A stage.
pub fn stage(stage: Stage, language: Language) -> &'static str {
    let (ru, en) = match stage {
        Stage::New => ("новая", "new"),
        Stage::InProcess => ("в работе", "in work"),
        Stage::Processed => ("обработана", "processed"),
        Stage::Converted => ("сделка", "converted"),
        Stage::Junk => ("брак", "junk"),
    };
    pick(language, ru, en)
}

/// A kind of activity.
pub fn activity(kind: ActivityKind, outgoing: bool, language: Language) -> &'static str {
    let (ru, en) = match (kind, outgoing) {
        (ActivityKind::Email, true) => ("письмо клиенту", "mail to the customer"),
        (ActivityKind::Email, false) => ("письмо", "mail"),
        (ActivityKind::Form, _) => ("форма", "form"),
        (ActivityKind::Message, _) => ("сообщение", "message"),
        (ActivityKind::Call, _) => ("звонок", "call"),
        (ActivityKind::Note, _) => ("заметка", "note"),
    };
    pick(language, ru, en)
}

/// What a campaign tag or a click id tells.
pub fn tag(key: &str, language: Language) -> &str {
    let (ru, en) = match key {
        "utm_source" => ("Откуда", "Campaign source"),
        "utm_medium" => ("Тип трафика", "Medium"),
        "utm_campaign" => ("Кампания", "Campaign"),
        "utm_content" => ("Объявление", "Ad"),
        "utm_term" => ("Запрос", "Search term"),
        "utm_referrer" => ("Переход с", "Referred by"),
        "gclid" | "gbraid" | "wbraid" => ("Клик Google Ads", "Google Ads click"),
        "yclid" | "ysclid" => ("Клик Яндекса", "Yandex click"),
        "fbclid" => ("Клик Facebook", "Facebook click"),
        "msclkid" => ("Клик Microsoft Ads", "Microsoft Ads click"),
        "ttclid" => ("Клик TikTok", "TikTok click"),
        "vk_click_id" | "rb_clickid" => ("Клик VK", "VK click"),
        "roistat" | "roistat_visit" => ("Визит Roistat", "Roistat visit"),
        "dynamic_number" => ("Динамический номер", "Dynamic number"),
        _ => return key,
    };
    pick(language, ru, en)
}

/// Why a delivery went where it went; `None`: it explains nothing to a manager.
pub(super) fn reason(reason: &Reason, language: Language) -> Option<String> {
    if matches!(
        reason,
        Reason::Unknown { .. }
            | Reason::NotLookedUp { .. }
            | Reason::Added { .. }
            | Reason::ClaimLimit { .. }
            | Reason::NewContact { shared: false, .. }
            | Reason::NoIdentity
            | Reason::Awaits { .. }
            | Reason::SentTo { .. }
    ) {
        return None;
    }
    match language {
        Language::En => Some(reason.words()),
        Language::Ru => Some(in_russian(reason).unwrap_or_else(|| reason.words())),
    }
}

fn in_russian(reason: &Reason) -> Option<String> {
    let kind = |kind: &leadgate_core::prepare::IdentityKind| match kind.as_str() {
        "phone" => "телефон".to_owned(),
        "email" => "адрес".to_owned(),
        other => other.to_owned(),
    };
    Some(match reason {
        Reason::Matched { kind: what, value, contact, .. } => format!("{} {value} есть у контакта {contact}", kind(what)),
        Reason::NamesAgree { contact, score, .. } => format!("имя совпадает с именем контакта {contact} ({score} из 100)"),
        Reason::NamesContradict { contact, score } => format!("имя не похоже на имя контакта {contact} ({score} из 100)"),
        Reason::OnlyClaimed { kind: what, value, contact } => {
            format!("контакт {contact} лишь указывал {} {value}: это не совпадение", kind(what))
        }
        Reason::ClaimConfirmed { kind: what, value } => format!("{} {value} подтверждён", kind(what)),
        Reason::Generic { kind: what, value } => format!("{} {value} указывает слишком много людей", kind(what)),
        Reason::Ambiguous { kind: what, holders } => {
            format!("{} указывали {holders} разных людей, имени нет: взята самая новая открытая заявка", kind(what))
        }
        Reason::WeakPassedOver { kind: what, contact, .. } => {
            format!("{} есть у контакта {contact}, но одного этого мало", kind(what))
        }
        Reason::PassedOver { contact } => format!("подходил и контакт {contact}, но хуже"),
        Reason::NewContact { contact, .. } => {
            format!("контакт {contact} новый: телефон или адрес уже есть у человека с другим именем")
        }
        Reason::OpenLead { lead } => format!("заявка {lead} открыта"),
        Reason::LeadStale { lead, .. } => format!("заявка {lead} открыта, но по ней давно ничего не было"),
        Reason::LastLeadJunk { lead } => format!("прошлая заявка {lead} закрыта как брак: создана новая"),
        Reason::Returned { policy: KnownContact::Attach } => "известный клиент без открытой заявки вернулся и ждёт".to_owned(),
        Reason::Returned { policy: KnownContact::RepeatLead } => "известный клиент вернулся: новая повторная заявка".to_owned(),
        Reason::Returned { policy: KnownContact::Reopen } => "известный клиент вернулся: прошлая заявка снова открыта".to_owned(),
        Reason::Refers { .. } => "продолжает известную переписку".to_owned(),
        Reason::Amends { .. } => "дополняет прежнее обращение".to_owned(),
        Reason::KeyOtherContent { .. } => "то же обращение с изменённым содержанием".to_owned(),
        Reason::OwnLead => "каждое такое обращение становится отдельной заявкой".to_owned(),
        Reason::Twin { .. } => "форма и письмо о ней говорят об одном и том же".to_owned(),
        Reason::SeemsFrom { contact } => format!("похоже, что это контакт {contact}; ничего не перенесено"),
        Reason::Review { a, b } => format!("контакты {a} и {b} могут быть одним человеком: посмотрите"),
        Reason::Released { by, .. } => format!("выпущено из карантина: {by}"),
        Reason::ReadAgain => "прочитано заново".to_owned(),
        Reason::MarkedTest => "отправитель пометил как проверку".to_owned(),
        Reason::CallGoesOn => "звонок ещё не закончен".to_owned(),
        Reason::CallAnswered => {
            "на звонок ответили, а заявками здесь становятся только пропущенные (lead_on = \"missed\")".to_owned()
        }
        Reason::CallMissed => "никто не ответил: нужно перезвонить".to_owned(),
        Reason::HiddenCaller => "номер скрыт".to_owned(),
        Reason::InternalCall => "звонок между коллегами: заявки нет".to_owned(),
        Reason::Called => "звонили мы: заявки нет".to_owned(),
        Reason::Reachable { .. } => "адрес клиента снова доступен".to_owned(),
        Reason::Signal { signal } => signal_in_russian(signal),
        Reason::Unusable { kind: what, typed, .. } => format!("{} {typed:?} записан как есть: с ошибкой", kind(what)),
        _ => return None,
    })
}

fn signal_in_russian(signal: &Signal) -> String {
    match signal {
        Signal::Honeypot { .. } => "заполнено поле, которого люди не видят".to_owned(),
        Signal::TooFast { .. } => "отправлено быстрее, чем человек печатает".to_owned(),
        Signal::Rate => "с одного адреса больше заявок, чем бывает из офиса".to_owned(),
        Signal::Links { count } => format!("ссылок в тексте: {count}"),
        Signal::Captcha { .. } => "капча не решена".to_owned(),
        Signal::Unverified { .. } => "капчу не удалось проверить".to_owned(),
        Signal::Spoof { .. } => "адрес отправителя подделан".to_owned(),
        Signal::Filter { .. } => "почтовый сервер принял письмо за спам".to_owned(),
    }
}

fn pick(language: Language, ru: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Ru => ru,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use leadgate_core::onward::{EVENTS, Subject};

    use super::*;

    #[test]
    fn every_event_of_a_lead_or_a_delivery_has_its_heading() {
        for kind in EVENTS.iter().filter(|kind| kind.subject != Subject::Operation && !kind.is_private()) {
            for language in Language::ALL {
                assert!(!matches!(headline(kind.name, language), "Событие" | "Event"), "{}", kind.name);
            }
        }
    }
}
