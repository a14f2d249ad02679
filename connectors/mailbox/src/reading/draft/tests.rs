use std::sync::Arc;

use leadgate_core::phone::Country;
use leadgate_core::rules::Ours;

use super::*;
use crate::mime;

fn policy() -> Policy {
    let ours =
        Ours { domains: ["okna.example".to_owned()].into(), phones: ["+74950000001".to_owned()].into(), ..Ours::default() };
    Policy {
        ours: Arc::new(ours),
        own: vec!["info@okna.example".to_owned()],
        trusted_host: Some("mx.okna.example".to_owned()),
        language: "ru".to_owned(),
        country: Country::parse("RU"),
        ..Policy::default()
    }
}

const INBOX: Where<'_> = Where { folder: "INBOX", sent: false, truncated: None };

/// What our own server found out.
fn checked(result: &str) -> String {
    format!(
        "Authentication-Results: mx.okna.example; dmarc={result}\nReceived: from mail.other.example by mx.okna.example with ESMTPS; Mon, 16 \
         Nov 2026 10:00:00 +0300"
    )
}

fn raw(head: &str, body: &str) -> Vec<u8> {
    let kind = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0";
    let usual = "Date: Mon, 16 Nov 2026 10:00:00 +0300\r\nMessage-ID: <one@mail.example>";
    format!("{}\r\n{usual}\r\n{kind}\r\n\r\n{}", head.replace('\n', "\r\n"), body.replace('\n', "\r\n")).into_bytes()
}

fn read_at(at: Where<'_>, head: &str, body: &str) -> Reading {
    read(&mime::read(&raw(head, body), &mime::Hints::default()), at, &policy())
}

fn reading(head: &str, body: &str) -> Reading {
    read_at(INBOX, head, body)
}

fn texts(typed: &[Typed]) -> Vec<&str> {
    typed.iter().map(|typed| typed.text.as_str()).collect()
}

const ANNA: &str = "From: Анна Белова <anna@bell.example>\nTo: info@okna.example\nSubject: Re: Окна";

#[test]
fn what_a_person_wrote() {
    let body = "Добрый день!\n\nСколько стоит окно с https://okna.example/okna?utm_source=ya ?\n\nС уважением,\nАнна Белова\nтел. 8 (916) \
                123-45-67\n\n16.11.2026 09:00, Окна <info@okna.example> пишет:\n> Звоните +7 495 000-00-02\n> https://okna.example/?utm_source=old\n";
    let head = format!("{ANNA}\nIn-Reply-To: <zero@okna.example>");
    let Reading { draft, purpose, signals } = reading(&head, body);
    assert_eq!((purpose, signals), (Purpose::Lead, vec![]));
    assert_eq!((draft.activity, draft.outgoing, draft.notification), (ActivityKind::Email, false, false));
    assert_eq!((draft.name.as_deref(), draft.title.as_deref()), (Some("Анна Белова"), Some("Окна")));
    let from = Typed { proven: true, ..Typed::new("From", "anna@bell.example") };
    assert_eq!(draft.emails, [from]);
    assert_eq!(draft.phones, [weak("text", "8 (916) 123-45-67".to_owned())]);
    assert_eq!(draft.touch.get("utm_source"), Some("ya"));
    let message = draft.message.unwrap();
    assert!(message.starts_with("Добрый день!") && !message.contains("000-00-02"), "{message}");
    assert_eq!(draft.refers_to.iter().map(|reference| reference.value.as_str()).collect::<Vec<_>>(), ["zero@okna.example"]);
    assert_eq!(draft.known_as.iter().map(|reference| reference.value.as_str()).collect::<Vec<_>>(), ["one@mail.example"]);
    assert_eq!(draft.language.as_deref(), Some("ru"));
    let mail = draft.mail.unwrap();
    assert_eq!((mail.from.as_str(), mail.subject.as_str()), ("Анна Белова <anna@bell.example>", "Re: Окна"));
    assert_eq!((mail.class, mail.may_answer), (MailClass::Human, true));
    assert!(mail.whole.is_some_and(|whole| whole.contains("000-00-02")));
}

#[test]
fn a_whole_text_that_is_new_is_kept_once() {
    let Reading { draft, .. } = reading(ANNA, "Сколько стоит окно?");
    assert_eq!(draft.message.as_deref(), Some("Сколько стоит окно?"));
    assert_eq!(draft.mail.unwrap().whole, None);
}

#[test]
fn a_forged_sender_proves_nothing() {
    let head = format!("{}\n{ANNA}", checked("fail header.from=bell.example"));
    let Reading { draft, signals, .. } = reading(&head, "Сколько стоит окно?");
    assert!(matches!(signals.as_slice(), [Signal::Spoof { .. }]), "{signals:?}");
    assert!(draft.emails.iter().all(|email| !email.proven));
    assert_eq!(draft.message.as_deref(), Some("Сколько стоит окно?"));
    // One of ours, forged: neither a manager's mail nor one passed on.
    let fail = checked("fail header.from=okna.example");
    let head = format!("{fail}\nFrom: oleg@okna.example\nTo: anna@bell.example\nSubject: Fwd: x");
    let inside = "---------- Forwarded message ---------\nFrom: Victim <victim@bell.example>\nSubject: x\n\nHello";
    let Reading { draft, signals, .. } = reading(&head, inside);
    assert!(matches!(signals.as_slice(), [Signal::Spoof { .. }]), "{signals:?}");
    assert!(!draft.outgoing && !texts(&draft.emails).contains(&"victim@bell.example"));
}

#[test]
fn spam_is_a_signal_by_header_and_by_folder() {
    let flagged = format!("X-Spam-Flag: YES\n{}\n{ANNA}", checked("pass header.from=bell.example"));
    for (folder, head) in [("INBOX", flagged.as_str()), ("INBOX.Спам", ANNA), ("[Gmail]/Spam", ANNA), ("Junk", &flagged)] {
        let Reading { signals, purpose, .. } = read_at(Where { folder, ..INBOX }, head, "Сколько стоит окно?");
        assert!(matches!(signals.as_slice(), [Signal::Filter { .. }]), "{folder}: {signals:?}");
        assert_eq!(purpose, Purpose::Lead);
    }
}

#[test]
fn a_notification_is_as_if_the_form_had_called() {
    let head = "From: Окна <wordpress@okna.example>\nTo: info@okna.example\nReply-To: Анна Белова <anna@bell.example>\nSubject: Заявка с сайта";
    let Reading { draft, purpose, .. } =
        reading(head, "Телефон: 8 916 123-45-67\nСообщение: Окно\n\nОтправлено с сайта https://okna.example/?utm_source=ya");
    assert_eq!(purpose, Purpose::Lead);
    assert!(draft.notification && !draft.outgoing);
    assert_eq!((draft.name.as_deref(), draft.message.as_deref()), (Some("Анна Белова"), Some("Окно")));
    assert_eq!((texts(&draft.phones), texts(&draft.emails)), (vec!["8 916 123-45-67"], vec!["anna@bell.example"]));
    assert!(draft.emails.iter().chain(&draft.phones).all(|typed| !typed.proven && !typed.found));
    assert_eq!((draft.touch.get("utm_source"), draft.title.as_deref()), (Some("ya"), Some("Заявка с сайта")));
    assert_eq!(draft.mail.unwrap().class, MailClass::FormNotification);
    // Elementor answers to the site itself: nobody's address.
    let head = "From: Окна <info@okna.example>\nTo: info@okna.example\nReply-To: noreply@okna.example\nSubject: Заявка с сайта";
    let Reading { draft, .. } = reading(head, "Имя: Анна\nТелефон: 8 916 123-45-67");
    assert_eq!((draft.emails, draft.name.as_deref()), (vec![], Some("Анна")));
}

#[test]
fn a_web_server_that_may_not_send_is_no_forger() {
    let fail = checked("fail header.from=okna.example");
    let head = format!("{fail}\nFrom: Окна <wordpress@okna.example>\nTo: info@okna.example\nSubject: Заявка с сайта");
    let Reading { draft, signals, .. } = reading(&head, "Имя: Анна\nТелефон: 8 916 123-45-67");
    assert!(draft.notification);
    assert_eq!(signals, []);
    assert!(draft.mail.unwrap().why.iter().any(|why| why.contains("failed the check")));
}

#[test]
fn what_the_site_tells_the_visitor_is_outgoing() {
    let body = "Спасибо, ваша заявка принята.\n\nИмя: Анна\nТелефон: 8 916 123-45-67\nE-mail: anna@bell.example";
    let head = "From: Окна <info@okna.example>\nTo: anna@bell.example\nBcc: info@okna.example\nSubject: Новая заявка";
    let Reading { draft, .. } = reading(head, body);
    assert!(draft.outgoing && !draft.notification);
    assert_eq!((texts(&draft.emails), draft.phones), (vec!["anna@bell.example"], vec![]));
}

#[test]
fn what_a_manager_sent() {
    let body = "Анна, окно стоит 10 000.\n\nОлег\nтел. +7 495 123-45-67\nhttps://okna.example/?utm_source=sign";
    for (at, from) in [(INBOX, "Олег <oleg@okna.example>"), (Where { sent: true, ..INBOX }, "Олег <oleg.private@mail.example>")]
    {
        let head = format!(
            "From: {from}\nTo: Анна <anna@bell.example>, oleg@okna.example\nCc: boss@bell.example, info@okna.example\nSubject: Re: Окна"
        );
        let Reading { draft, .. } = read_at(at, &head, body);
        assert!(draft.outgoing, "{from}");
        assert_eq!(texts(&draft.emails), ["anna@bell.example", "boss@bell.example"]);
        assert!(draft.phones.is_empty() && draft.touch.is_empty() && draft.name.is_none());
        assert!(!draft.mail.unwrap().may_answer);
    }
}

#[test]
fn among_us_is_ours_alone() {
    let Reading { draft, .. } = reading("From: oleg@okna.example\nTo: info@okna.example\nSubject: x", "Позвони +7 916 123-45-67");
    assert!(!draft.outgoing);
    assert_eq!((texts(&draft.emails), draft.phones), (vec!["oleg@okna.example"], vec![]));
}

#[test]
fn what_one_of_us_passed_on_is_the_customers() {
    let body = "Олег, возьми\n\n---------- Forwarded message ---------\nОт: Анна Белова <anna@bell.example>\nDate: пн\nSubject: Окна в дом\nTo: \
                <oleg@okna.example>\n\nСколько стоит?\nтел. 8 916 123-45-67\n";
    let head = "From: Олег <oleg@okna.example>\nTo: info@okna.example\nSubject: Fwd: Окна в дом";
    let Reading { draft, .. } = reading(head, body);
    assert_eq!((draft.name.as_deref(), draft.title.as_deref()), (Some("Анна Белова"), Some("Окна в дом")));
    assert_eq!((texts(&draft.emails), texts(&draft.phones)), (vec!["anna@bell.example"], vec!["8 916 123-45-67"]));
    assert!(draft.emails.iter().all(|email| !email.proven));
    assert!(draft.message.as_deref().is_some_and(|message| message.starts_with("Сколько стоит?") && !message.contains("возьми")));
    assert_eq!(
        draft.fields,
        [Field { name: "passed on by Олег <oleg@okna.example>".to_owned(), value: "Олег, возьми".to_owned() }]
    );
    assert!(!draft.outgoing && !draft.mail.unwrap().may_answer);
    // Twice.
    let twice = format!(
        "И ты\n\n---------- Forwarded message ---------\nОт: Олег <oleg@okna.example>\nSubject: Fwd: Окна в дом\n\n{body}"
    );
    assert_eq!(texts(&reading(head, &twice).draft.emails), ["anna@bell.example"]);
    // By a stranger it is a mail of theirs.
    let stranger = head.replace("oleg@okna", "oleg@other");
    assert_eq!(texts(&reading(&stranger, body).draft.emails), ["oleg@other.example"]);
}

#[test]
fn a_notification_that_was_passed_on() {
    let body = "\n---------- Forwarded message ---------\nОт: Сайт <noreply@forms.example>\nDate: пн\nSubject: Заявка с сайта\nTo: <oleg@okna.example>\n\n\
                Имя: Анна\nТелефон: 8 916 123-45-67\n";
    let Reading { draft, .. } = reading("From: oleg@okna.example\nTo: info@okna.example\nSubject: Fwd: Заявка с сайта", body);
    assert!(draft.notification);
    assert_eq!((draft.name.as_deref(), texts(&draft.phones)), (Some("Анна"), vec!["8 916 123-45-67"]));
    assert!(draft.emails.is_empty());
}

#[test]
fn automatic_mail_is_noted_with_its_class() {
    for (extra, class) in [
        ("Auto-Submitted: auto-replied", MailClass::AutoReply),
        ("List-Unsubscribe: <https://news.example/u>\nList-Id: <news.news.example>", MailClass::List),
    ] {
        let Reading { draft, purpose, .. } = reading(&format!("{extra}\n{ANNA}"), "Звоните +7 916 123-45-67");
        assert_eq!((purpose, draft.mail.unwrap().class), (Purpose::Note, class));
        assert!(draft.phones.is_empty());
    }
}

#[test]
fn cards_are_weaker_evidence() {
    let mut mail = mime::read(&raw(ANNA, "Мой контакт"), &mime::Hints::default());
    mail.cards = vec![mime::Card {
        name: Some("Анна".to_owned()),
        phones: vec!["+7 916 123-45-67".to_owned()],
        emails: vec!["a@other.example".to_owned(), "info@okna.example".to_owned()],
    }];
    let draft = read(&mail, INBOX, &policy()).draft;
    assert_eq!(texts(&draft.emails), ["anna@bell.example", "a@other.example"]);
    assert!(draft.emails[1].found && draft.phones[0].found);
}

#[test]
fn a_beginning_says_how_much_is_missing() {
    let Reading { draft, .. } = read_at(Where { truncated: Some(40_000_000), ..INBOX }, ANNA, "Окно");
    assert_eq!(draft.mail.unwrap().truncated, Some(40_000_000));
}

#[test]
fn a_mail_of_nothing_is_one() {
    for bytes in [&b""[..], b"\r\n", b"From: \r\n\r\n", b"From: <>\r\nTo: <>\r\n\r\n", b"\xff\xfe\0"] {
        let Reading { draft, .. } = read(&mime::read(bytes, &mime::Hints::default()), INBOX, &policy());
        assert!(draft.emails.is_empty() && draft.mail.is_some());
    }
}

proptest::proptest! {
    #[test]
    fn reading_is_total(
        head in "((From|To|Cc|Reply-To|Subject|Sender|X-Original-From): .{0,40}\r\n){0,6}",
        body in "(Name: |От: |---------- Forwarded message ---------|> |<b>|\n|\t|.){0,60}",
        sent: bool,
    ) {
        let raw = format!("{head}Content-Type: text/html; charset=utf-8\r\n\r\n{body}");
        let at = Where { sent, ..INBOX };
        let found = read(&mime::read(raw.as_bytes(), &mime::Hints::default()), at, &policy());
        proptest::prop_assert!(found.draft.emails.len() <= MOST_ADDRESSEES + 2 * MOST_OF_CARDS);
        let again = read(&mime::read(raw.as_bytes(), &mime::Hints::default()), at, &policy());
        proptest::prop_assert_eq!(format!("{found:?}"), format!("{again:?}"));
    }

    #[test]
    fn bytes_are_read_too(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let found = read(&mime::read(&raw, &mime::Hints::default()), INBOX, &policy());
        proptest::prop_assert!(found.draft.mail.is_some());
    }
}
