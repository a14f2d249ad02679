//! What an event of the gateway itself says to people: what is wrong, and what to do. The commands, the digest and the mails
//! say the same.

use super::{Detail, event};
use crate::language::Language;

/// What is wrong, and what to do about it. Never markup; what others said (`Detail::words`) is in it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmWords {
    /// What is wrong, or well again: one sentence.
    pub what: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

/// What an event of the gateway itself says; `None`: it says nothing, or is none of those.
pub fn alarm_words(name: &str, detail: &Detail, language: Language) -> Option<AlarmWords> {
    let told = Told::of(detail, language);
    let (what, advice) = match language {
        Language::Ru => russian(name, &told)?,
        Language::En => english(name, &told)?,
    };
    Some(AlarmWords { what, advice })
}

/// A detail as sentences need it.
struct Told {
    /// The source; its place in a command, if it is not known.
    source: String,
    target: String,
    /// The command that tries the target.
    trial: String,
    /// Absent: nothing.
    count: String,
    /// Ends a sentence: `: why`, or nothing.
    why: String,
    /// Names a machine: ` on x`, or nothing.
    machine: String,
}

impl Told {
    fn of(detail: &Detail, language: Language) -> Self {
        let (unknown, on) = match language {
            Language::Ru => ("ID", " на машине "),
            Language::En => ("ID", " on "),
        };
        let target = detail.target.clone().unwrap_or_else(|| unknown.to_owned());
        let trial = match target.split_once(':') {
            Some(("webhook", id)) => format!("leadgate webhook test {id}"),
            Some(("telegram" | "files", source)) => format!("leadgate source test {source}"),
            _ => "leadgate mail test".to_owned(),
        };
        let words = detail.words.trim().trim_end_matches('.');
        let after = |before: &str| if words.is_empty() { String::new() } else { format!("{before}{words}") };
        Self {
            source: detail.source.as_ref().map_or_else(|| unknown.to_owned(), ToString::to_string),
            target,
            trial,
            count: detail.count.map(|count| count.to_string()).unwrap_or_default(),
            why: after(": "),
            machine: after(on),
        }
    }

    /// A clause with the count, if there is one.
    fn counted(&self, before: &str, after: &str) -> String {
        if self.count.is_empty() { String::new() } else { format!("{before}{}{after}", self.count) }
    }
}

fn english(name: &str, told: &Told) -> Option<(String, String)> {
    let Told { source, target, trial, why, machine, .. } = told;
    let well = |what: String| (what, String::new());
    Some(match name {
        event::SOURCE_SILENT => (
            format!("The source {source} brings nothing, although it usually would have by now."),
            format!(
                "Send its form or a mail yourself, and look whether the site, the webhook's address or the forwarding was changed: leadgate sources, and for a mailbox leadgate source test {source}."
            ),
        ),
        event::SOURCE_HEARD => well(format!("The source {source} brings something again.")),
        event::SOURCE_MISSED => (
            format!("Mails tell of deliveries of {source} that never came by themselves{}.", told.counted(": ", " of them")),
            "Look in the form's settings at the webhook's address, and at the answer it gets: leadgate sources.".to_owned(),
        ),
        event::SOURCE_FAILED => (
            format!("The source {source} cannot be read{why}."),
            format!("leadgate source test {source} says what is missing. Nothing is lost: what comes meanwhile is read later."),
        ),
        event::SOURCE_RECOVERED => well(format!("The source {source} is read again.")),
        event::WEBHOOK_BROKEN => (
            format!("{target} takes nothing, and deliveries to it wait{why}."),
            format!(
                "Look at the receiver; {trial} tries it. What waits goes out when it answers, at once with leadgate outbox retry --target {target}."
            ),
        ),
        event::WEBHOOK_RECOVERED => well(format!("{target} takes deliveries again.")),
        event::DELIVERY_DEAD => (
            format!("Deliveries to {target} were given up{}.", told.counted(": ", "")),
            format!(
                "leadgate outbox list --state dead --target {target} says why; leadgate outbox retry or drop them, in the same words."
            ),
        ),
        event::MANAGER_UNREACHABLE => (
            format!("Mails to a manager do not arrive, and their notices go to the operator{why}."),
            format!(
                "Correct the address in [[managers]]. If it was right and works again: leadgate alarms clear {target}; a mail that is taken says so, too."
            ),
        ),
        event::CANARY_DUE => well(format!("It is time for the gateway to send itself something by {source}.")),
        event::CANARY_LOST => (
            format!("What the gateway sent itself by {source} did not come back{why}."),
            "Real leads take the same road: send the form or a mail yourself, and look at each step on the way to the gateway."
                .to_owned(),
        ),
        event::CANARY_RETURNED => well(format!("What the gateway sends itself by {source} comes back again.")),
        event::DIGEST_DUE => well("It is time for the daily digest.".to_owned()),
        event::CLOCK_WRONG => (
            format!(
                "The clock{machine} was set, or is not that of the database{}.",
                told.counted(": the difference is ", " s")
            ),
            "Switch on time synchronisation (timedatectl set-ntp true) on this machine and on the database's.".to_owned(),
        ),
        event::DISK_LOW => (
            format!("There is little space left on the disk{machine}: files are refused."),
            "Make space, or take a larger disk; [keeping] says what is kept for how long. Leads are taken as long as there is space."
                .to_owned(),
        ),
        event::CERTIFICATE_EXPIRING => (
            format!("The certificate of the TLS door ends soon{}.", told.counted(": whole days that are left: ", "")),
            "Renew it. If a program does that, read its log: it has not done so yet. leadgate status tells when it ends."
                .to_owned(),
        ),
        _ => return None,
    })
}

fn russian(name: &str, told: &Told) -> Option<(String, String)> {
    let Told { source, target, trial, why, machine, .. } = told;
    let well = |what: String| (what, String::new());
    Some(match name {
        event::SOURCE_SILENT => (
            format!("Источник {source} молчит, хотя обычно к этому часу от него что-то приходит."),
            format!(
                "Отправьте его форму или письмо сами и проверьте, не менялись ли сайт, адрес вебхука или пересылка почты: leadgate sources, для почтового ящика leadgate source test {source}."
            ),
        ),
        event::SOURCE_HEARD => well(format!("От источника {source} снова что-то приходит.")),
        event::SOURCE_MISSED => (
            format!("О заявках источника {source} известно только из писем: сам он их не доставил{}.", told.counted(" (", ")")),
            "Проверьте в настройках формы адрес вебхука и ответ, который она получает: leadgate sources.".to_owned(),
        ),
        event::SOURCE_FAILED => (
            format!("Источник {source} не читается{why}."),
            format!(
                "Чего не хватает, скажет leadgate source test {source}. Ничего не потеряно: что придёт за это время, будет прочитано позже."
            ),
        ),
        event::SOURCE_RECOVERED => well(format!("Источник {source} снова читается.")),
        event::WEBHOOK_BROKEN => (
            format!("{target} ничего не принимает, доставки ждут{why}."),
            format!(
                "Проверьте получателя; попробовать его: {trial}. Что ждёт, уйдёт, когда он ответит, а сразу — по команде leadgate outbox retry --target {target}."
            ),
        ),
        event::WEBHOOK_RECOVERED => well(format!("{target} снова принимает доставки.")),
        event::DELIVERY_DEAD => (
            format!("Доставки в {target} больше не повторяются{}.", told.counted(": ", "")),
            format!(
                "Почему, скажет leadgate outbox list --state dead --target {target}; отправить снова или отказаться: leadgate outbox retry или drop с теми же словами."
            ),
        ),
        event::MANAGER_UNREACHABLE => (
            format!("Письма менеджеру не доходят, его уведомления получает оператор{why}."),
            format!(
                "Исправьте адрес в [[managers]]. Если он верный и снова работает: leadgate alarms clear {target}; то же скажет и принятое письмо."
            ),
        ),
        event::CANARY_DUE => well(format!("Шлюзу пора отправить самому себе проверку через {source}.")),
        event::CANARY_LOST => (
            format!("Проверка, которую шлюз отправил сам себе через {source}, не вернулась{why}."),
            "Настоящие заявки идут тем же путём: отправьте форму или письмо сами и проверьте каждый шаг до шлюза.".to_owned(),
        ),
        event::CANARY_RETURNED => well(format!("Проверки, которые шлюз отправляет сам себе через {source}, снова возвращаются.")),
        event::DIGEST_DUE => well("Пора отправить ежедневную сводку.".to_owned()),
        event::CLOCK_WRONG => (
            format!("Часы{machine} перевели, или они расходятся с часами базы данных{}.", told.counted(": разница ", " с")),
            "Включите синхронизацию времени (timedatectl set-ntp true) на этой машине и на машине базы данных.".to_owned(),
        ),
        event::DISK_LOW => (
            format!("На диске{machine} мало места: файлы не принимаются."),
            "Освободите место или увеличьте диск; что сколько хранится, сказано в [keeping]. Заявки принимаются, пока есть место."
                .to_owned(),
        ),
        event::CERTIFICATE_EXPIRING => (
            format!("Сертификат входа по TLS скоро закончится{}.", told.counted(": полных дней осталось ", "")),
            "Обновите его. Если его обновляет программа, посмотрите её журнал: она этого ещё не сделала. Когда он закончится, говорит leadgate status."
                .to_owned(),
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{EVENTS, Subject};
    use super::*;
    use crate::ids::SourceId;

    /// What tells that all is well, or nothing at all.
    const WELL: [&str; 6] = [
        event::SOURCE_HEARD,
        event::SOURCE_RECOVERED,
        event::WEBHOOK_RECOVERED,
        event::CANARY_RETURNED,
        event::CANARY_DUE,
        event::DIGEST_DUE,
    ];

    fn full() -> Detail {
        Detail {
            source: Some(SourceId::parse("site").unwrap()),
            target: Some("webhook:crm".to_owned()),
            since: None,
            count: Some(41),
            words: "the server said no.".to_owned(),
        }
    }

    #[test]
    fn every_event_of_the_gateway_has_words_in_every_language() {
        for kind in EVENTS {
            for language in Language::ALL {
                for detail in [full(), Detail::default()] {
                    let words = alarm_words(kind.name, &detail, language);
                    assert_eq!(words.is_some(), kind.subject == Subject::Operation, "{} {language}", kind.name);
                    let Some(AlarmWords { what, advice }) = words else { continue };
                    assert!(what.ends_with('.') && !what.contains(".."), "{what}");
                    assert_eq!(advice.is_empty(), WELL.contains(&kind.name), "{}: {advice}", kind.name);
                    assert!(!what.contains("  ") && !advice.contains("  "), "{what} {advice}");
                    let cyrillic = what.chars().any(|c| ('а'..='я').contains(&c));
                    assert_eq!(cyrillic, language == Language::Ru, "{what}");
                }
            }
        }
        assert_eq!(alarm_words("nothing.known", &full(), Language::En), None);
    }

    #[test]
    fn words_name_what_they_are_about() {
        let english = |name| alarm_words(name, &full(), Language::En).unwrap();
        assert_eq!(
            english(event::WEBHOOK_BROKEN).what,
            "webhook:crm takes nothing, and deliveries to it wait: the server said no."
        );
        assert!(english(event::WEBHOOK_BROKEN).advice.contains("leadgate webhook test crm"));
        assert!(english(event::SOURCE_FAILED).advice.contains("leadgate source test site"));
        let mail = Detail { target: Some("mail".to_owned()), ..Detail::default() };
        let bot = Detail { target: Some("telegram:bot".to_owned()), ..Detail::default() };
        let bot = alarm_words(event::WEBHOOK_BROKEN, &bot, Language::En).unwrap();
        assert!(bot.advice.contains("leadgate source test bot"), "{}", bot.advice);
        let mail = alarm_words(event::WEBHOOK_BROKEN, &mail, Language::Ru).unwrap();
        assert!(mail.advice.contains("leadgate mail test"), "{}", mail.advice);
        assert_eq!(mail.what, "mail ничего не принимает, доставки ждут.");
        for name in [event::DELIVERY_DEAD, event::SOURCE_MISSED, event::CERTIFICATE_EXPIRING, event::CLOCK_WRONG] {
            assert!(english(name).what.contains("41"), "{name}");
        }
    }
}
