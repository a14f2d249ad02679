//! What letters say, and that nothing anybody typed becomes more than text in them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod answering;
mod people;

use jiff::tz::TimeZone;
use leadgate_core::language::Language;
use leadgate_core::onward::{AlarmView, Detail, event};
use leadgate_core::views::{LeadDetail, SubmissionSummary};
use leadgate_outbound::mail::{
    AlarmNotice, AutoReply, Heading, Health, Kept, Letter, LetterKind, Link, Mailbox, ManagerDigest, Notice, OperatorDigest,
    Reader, Row, Silent, Templates,
};
use proptest::prelude::*;

use self::people::{activity, called, came, lead, person, source, summary, time};

fn templates() -> Templates {
    Templates::new(None, "Завод, Екатеринбург").0
}

fn reader(language: Language) -> Reader {
    let zone = if language == Language::Ru { "Asia/Yekaterinburg" } else { "Europe/London" };
    Reader { language, zone: TimeZone::get(zone).unwrap(), name: "Мария".to_owned() }
}

fn heading() -> Heading {
    Heading {
        from: Mailbox::read("Завод <leads@zavod.ru>").unwrap(),
        to: Mailbox::read("maria@zavod.ru").unwrap(),
        reply_to: None,
        message_id: "1@zavod.ru".to_owned(),
        in_reply_to: None,
        references: Vec::new(),
        envelope_from: Mailbox::new("", "leads@zavod.ru"),
        date: time("2026-11-21T19:43:00Z"),
    }
}

const LINKS: &[Link<'_>] =
    &[Link { label: "Взять", url: "https://leads.zavod.ru/a?t=1&s=2" }, Link { label: "Брак", url: "https://leads.zavod.ru/j" }];

fn notice(event: &str, lead: &LeadDetail, language: Language) -> Letter {
    let came = lead.timeline.last();
    let notice = Notice {
        event,
        now: time("2026-11-21T19:43:00Z"),
        lead: Some(lead),
        person: None,
        activity: came,
        source: "Сайт",
        links: LINKS,
        answers: true,
    };
    notice.letter(&reader(language), &templates(), heading()).unwrap()
}

/// All of them stand in a text, in this order.
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        match text[from..].find(part) {
            Some(at) => from += at + part.len(),
            None => panic!("{part:?} is not there, or not behind what is before it:\n{text}"),
        }
    }
}

#[test]
fn a_notice_tells_a_manager_everything() {
    let letter = notice(event::LEAD_ATTACHED, &lead(), Language::Ru);
    assert_eq!(letter.subject, "Клиент обратился снова: Пётр Иванов (Сайт)");
    assert_eq!(letter.kind, LetterKind::Notice);
    in_order(
        &letter.text,
        &[
            "Клиент обратился снова: Пётр Иванов\n",
            "Заявка №412: Расчёт забора\n",
            "Повторный клиент\n",
            "Телефон: +7 916 123-45-67\n",
            "Почта: petr.ivanov@mail.ru\n",
            "telegram: @petr\n",
            "Сообщение:\nДобрый день!\nНужен забор, 40 м & <калитка>.\nКогда можно приехать?\n",
            "Длина: 40 м\n",
            "участок.jpg (2.3 MB)\n",
            "Страница: https://zavod.ru/zabory/?utm_source=yandex\n",
            "Откуда: yandex\nКампания: Заборы — осень\nКлик Яндекса: 1234567890\n",
            "21.11.2026 22:12 · форма: Сколько стоит забор из профлиста?\n",
            "телефон +79161234567 есть у контакта 7\n",
            "заявка 412 открыта\n",
            "Взять: https://leads.zavod.ru/a?t=1&s=2\n",
            "Ответ на это письмо получит клиент.\n",
            "Завод, Екатеринбург\n",
        ],
    );
    assert_eq!(letter.text.matches("petr.ivanov@mail.ru").count(), 1, "an address is shown once:\n{}", letter.text);
    let html = letter.html.unwrap();
    in_order(
        &html,
        &[
            "22.11.2026 00:42",
            "Пётр Иванов</p>",
            "href=\"tel:+79161234567\"",
            "href=\"mailto:petr.ivanov@mail.ru\"",
            "Добрый день!<br>Нужен забор, 40 м &amp; &lt;калитка&gt;.<br>Когда",
            "href=\"https://leads.zavod.ru/a?t=1&amp;s=2\"",
            "Завод, Екатеринбург",
        ],
    );
    assert!(!html.contains("<img") && !html.contains("src="), "nothing is fetched");
}

#[test]
fn a_notice_in_english_and_of_a_person_without_a_lead() {
    let person = person();
    let came = activity(95, "2026-11-21T19:42:45Z", "Call me");
    let notice = Notice {
        event: event::CONTACT_WAITING,
        now: time("2026-11-21T19:43:00Z"),
        lead: None,
        person: Some(&person),
        activity: Some(&came),
        source: "",
        links: &[],
        answers: false,
    };
    let letter = notice.letter(&reader(Language::En), &templates(), heading()).unwrap();
    assert_eq!(letter.subject, "Nobody has taken this customer: Пётр Иванов (site)");
    in_order(&letter.text, &["Waiting for: 1 h\n", "Phone: +7 916 123-45-67\n", "Message:\nCall me\n"]);
    assert!(!letter.text.contains("An answer to this mail") && !letter.text.contains("Lead #"), "{}", letter.text);
}

#[test]
fn a_call_is_told_as_what_it_was() {
    let mut lead = lead();
    lead.timeline.push(called());
    let letter = notice(event::CALL_UNRETURNED, &lead, Language::Ru);
    assert_eq!(letter.subject, "Клиенту не перезвонили: Пётр Иванов (Сайт)");
    in_order(
        &letter.text,
        &[
            "Ждёт: 30 мин\n",
            "\nПропущенный звонок на линию +7 495 123-45-67, схема Продажи <b>, ожидание 0:35\n",
            "Город: Пермь\n",
            "Файлы:\n  fetched.mp3 (2.3 MB)\n  elsewhere.mp3 (в заявке)\n",
            "никто не ответил: нужно перезвонить\n",
        ],
    );
    let html = letter.html.unwrap();
    in_order(&html, &["Пропущенный звонок на линию +7 495 123-45-67, схема Продажи &lt;b&gt;, ожидание", "Подробности", "Пермь"]);
    assert!(!letter.text.contains("Сообщение:") && !letter.text.contains("gone.mp3"), "{}", letter.text);
    assert!(!letter.text.contains("records.pbx.ru") && !html.contains("records.pbx.ru"), "a recording is no open link");

    let letter = notice(event::CALL_MISSED, &lead, Language::En);
    assert_eq!(letter.subject, "Missed call: Пётр Иванов (Сайт)");
    in_order(
        &letter.text,
        &["\nMissed call to +7 495 123-45-67, by Продажи <b>, waited 0:35\n", "elsewhere.mp3 (in the lead)\n"],
    );
    assert_eq!(notice(event::LEAD_ATTACHED, &lead, Language::Ru).subject, "Клиент позвонил снова: Пётр Иванов (Сайт)");
    // What was before is told by its call, too.
    lead.timeline.push(came());
    let letter = notice(event::LEAD_ATTACHED, &lead, Language::En);
    assert!(letter.text.contains(" · missed call to +7 495 123-45-67, by Продажи <b>, waited 0:35\n"), "{}", letter.text);
}

#[test]
fn a_long_message_is_cut_and_says_so() {
    let mut lead = lead();
    lead.timeline[1].content.message = Some("слово ".repeat(10_000));
    let letter = notice(event::LEAD_CREATED, &lead, Language::Ru);
    assert!(letter.text.contains("Сообщение длиннее") && letter.text.chars().count() < 12_000);
    assert!(letter.html.unwrap().contains("Сообщение длиннее"));
}

#[test]
fn an_alarm_says_since_when_and_what_to_do() {
    let detail = Detail {
        source: Some(source("site")),
        since: Some(time("2026-11-20T19:43:00Z")),
        words: "пароль\r\n не подходит".to_owned(),
        ..Detail::default()
    };
    let at = time("2026-11-21T19:43:00Z");
    let alarm = |event, language| {
        let notice = AlarmNotice { event, at, detail: &detail, links: &[] };
        notice.letter(&reader(language), &templates(), heading()).unwrap()
    };
    let letter = alarm(event::SOURCE_FAILED, Language::Ru);
    assert_eq!(letter.subject, "Источник site не читается: пароль не подходит");
    in_order(
        &letter.text,
        &["С 21.11.2026 00:43 (длится 1 д)\n", "Что делать: Чего не хватает, скажет leadgate source test site"],
    );
    let letter = alarm(event::SOURCE_HEARD, Language::En);
    assert_eq!(letter.subject, "The source site brings something again");
    assert!(letter.text.contains("It lasted: 1 d\n") && !letter.text.contains("What to do"), "{}", letter.text);
}

#[test]
fn a_digest_of_a_quiet_day_says_so_and_one_of_a_bad_day_says_what() {
    let now = time("2026-11-21T05:00:00Z");
    let quiet = OperatorDigest {
        now,
        leads: 12,
        alarms: &[],
        quarantined: 0,
        quarantine: &[],
        spam: 0,
        spams: &[],
        dead: &[],
        silent: &[],
        health: Health {
            disk_free: Some(42_000_000_000),
            certificate_until: Some(time("2027-02-01T00:00:00Z")),
            ..Health::default()
        },
        links: &[],
    };
    let say = |digest: &OperatorDigest<'_>, language| digest.letter(&reader(language), &templates(), heading()).unwrap();
    let letter = say(&quiet, Language::Ru);
    assert_eq!(letter.subject, "Сводка за 21.11.2026: всё в порядке");
    in_order(&letter.text, &["Новых заявок за сутки: 12\n", "Свободно на диске: 42.0 GB\n", "Сертификат до: 01.02.2027\n"]);

    let spam = SubmissionSummary {
        id: leadgate_core::ids::SubmissionId(uuid::Uuid::from_u128(5)),
        source: source("site"),
        received_at: now,
        outcome: leadgate_core::receipt::Outcome::Spam,
        lead: None,
        contact: None,
        repeats: 0,
        size: 10,
        content_type: String::new(),
        reasons: vec!["5 links in the text".to_owned()],
    };
    let release = [Link { label: "Release", url: "https://leads.zavod.ru/release?s=1" }];
    let kept = [Kept { submission: &spam, who: "<b>Eve</b>", links: &release }];
    let silent = AlarmView {
        name: event::SOURCE_SILENT.to_owned(),
        key: "site".to_owned(),
        since: time("2026-11-20T05:00:00Z"),
        detail: Detail { source: Some(source("site")), ..Detail::default() },
    };
    let bad = OperatorDigest {
        alarms: std::slice::from_ref(&silent),
        spam: 3,
        spams: &kept,
        dead: &[("webhook:crm", 4)],
        silent: &[Silent { source: "site", since: Some(time("2026-11-20T05:00:00Z")) }],
        health: Health { disk_low: true, certificate_until: Some(time("2026-11-25T00:00:00Z")), ..quiet.health },
        ..quiet
    };
    let letter = say(&bad, Language::En);
    assert_eq!(letter.subject, "Digest of 21 Nov 2026: something needs you");
    in_order(
        &letter.text,
        &[
            "20 Nov 2026 05:00: The source site brings nothing, although it usually would have by now. Send its form",
            "Spam within a day: 3\n",
            "<b>Eve</b>: 5 links in the text\n    Release: https://leads.zavod.ru/release?s=1\n",
            "webhook:crm: 4\n",
            "site: 1 d, since",
            "42.0 GB (little!)\n",
            "(ends soon!)\n",
        ],
    );
    let html = letter.html.unwrap();
    assert!(html.contains("&lt;b&gt;Eve&lt;/b&gt;") && html.contains("href=\"https://leads.zavod.ru/release?s=1\""), "{html}");
}

#[test]
fn a_managers_digest_lists_what_waits_longest_first() {
    let (one, two) = (summary(), leadgate_core::views::LeadSummary { name: String::new(), phone: None, ..summary() });
    let rows = [Row { lead: &one, url: "https://leads.zavod.ru/412" }, Row { lead: &two, url: "" }];
    let digest = ManagerDigest { now: time("2026-11-21T20:42:45Z"), new: &[], waiting: &rows, open: &[], links: &[] };
    let letter = digest.letter(&reader(Language::Ru), &templates(), heading()).unwrap();
    assert_eq!(letter.subject, "Ваши заявки на 22.11.2026");
    in_order(
        &letter.text,
        &[
            "ждут дольше всех: 2\n",
            "412 · Пётр Иванов, +7 916 123-45-67 · Расчёт забора · новая · без движения 1 ч · повторный клиент\n    https://leads.zavod.ru/412\n",
            "412 · petr.ivanov@mail.ru · Расчёт забора",
        ],
    );
    assert!(ManagerDigest { waiting: &[], ..digest }.is_empty());
}

#[test]
fn an_automatic_answer_is_the_companys_words_alone() {
    let reply = AutoReply {
        language: Language::Ru, company: "«Завод»", expect: "в течение часа", subject: "", text: ""
    };
    let letter = reply.letter(&templates(), heading()).unwrap();
    assert_eq!((letter.kind, letter.envelope_from.is_none()), (LetterKind::AutoReply, true));
    assert_eq!(letter.subject, "Мы получили ваше обращение: «Завод»");
    assert!(letter.text.contains("Спасибо за обращение в «Завод». Мы его получили и ответим в течение часа."), "{}", letter.text);
    let own = AutoReply { subject: "Thanks", text: "We call.\nSoon <b>", language: Language::En, ..reply };
    let letter = own.letter(&templates(), heading()).unwrap();
    assert_eq!((letter.subject.as_str(), letter.text.lines().next()), ("Thanks", Some("We call.")));
    assert!(letter.html.unwrap().contains("We call.<br>Soon &lt;b&gt;"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_typed_becomes_more_than_text(typed in "(?s)[\\PC\r\n\t\u{202e}\0]{0,40}(<script>|\" onclick=\"x|\r\nBcc: a@b.ru|</table>|\\{\\{ x \\}\\}|<img src=x>)(?s).{0,40}") {
        let mut lead = lead();
        let person = lead.person.as_mut().unwrap();
        person.contact.name.clone_from(&typed);
        for identity in &mut person.identities {
            identity.display.clone_from(&typed);
            identity.value.clone_from(&typed);
        }
        lead.lead.title.clone_from(&typed);
        lead.lead.name.clone_from(&typed);
        lead.lead.phone = Some(typed.clone());
        for activity in &mut lead.timeline {
            activity.content.message = Some(typed.clone());
            activity.touch.page = Some(typed.clone());
            for value in &mut activity.touch.values {
                value.value.clone_from(&typed);
            }
            for field in &mut activity.content.fields {
                field.name.clone_from(&typed);
                field.value.clone_from(&typed);
            }
            for file in &mut activity.content.files {
                file.name.clone_from(&typed);
            }
        }
        let plain = notice(event::LEAD_CREATED, &people::lead(), Language::Ru);
        let hostile = notice(event::LEAD_CREATED, &lead, Language::Ru);
        let html = hostile.html.clone().unwrap();
        for tag in ["<script", "<img", " onclick=\"", "</table>\" "] {
            prop_assert!(!html.contains(tag), "{tag} in {html}");
        }
        let known = plain.html.unwrap();
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            prop_assert!(known.contains(&format!("href=\"{link}\"")), "{link}");
        }
        prop_assert!(!hostile.subject.contains(|c: char| c.is_control()));
        let marks = ['\u{202e}', '\0', '\r'];
        prop_assert!(!html.contains(marks) && !hostile.text.contains(marks));
        let bytes = hostile.to_bytes().unwrap();
        let head = bytes.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r").filter(|line| line.starts_with(b"Bcc")).count();
        prop_assert_eq!(head, 0);
    }
}

#[test]
fn every_event_makes_a_letter_in_both_languages() {
    for kind in leadgate_core::onward::EVENTS {
        for language in Language::ALL {
            let letter = notice(kind.name, &lead(), language);
            assert!(letter.subject.contains("Пётр Иванов") && letter.html.is_some(), "{}", kind.name);
        }
    }
}
