use std::sync::Arc;

use leadgate_core::rules::Ours;
use leadgate_core::submission::MailClass;

use super::mail;
use crate::mime::{Mail, Report};
use crate::reading::verdict::decide;
use crate::settings::Policy;

const FROM: (&str, &str) = ("from", "Jane Doe <jane@example.org>");
const TO: (&str, &str) = ("to", "info@acme.example");

fn policy() -> Policy {
    let ours = Ours { domains: ["acme.example".to_owned()].into(), ..Ours::default() };
    Policy { ours: Arc::new(ours), own: vec!["info@acme.example".to_owned()], ..Policy::default() }
}

fn class(mail: &Mail) -> (MailClass, bool) {
    let verdict = decide(mail, &policy(), || None);
    assert!(!verdict.why.is_empty());
    (verdict.class, verdict.may_answer)
}

#[test]
fn what_only_forbids_an_answer_does_not_make_a_mail_automatic() {
    assert_eq!(class(&mail(&[FROM, TO], "Hello")), (MailClass::Human, true));
    let headers = [
        ("x-auto-response-suppress", "All"),
        ("x-auto-response-suppress", "DR, OOF, AutoReply"),
        ("precedence", "bulk"),
        ("precedence", "junk"),
        ("auto-submitted", "auto-generated"),
        ("x-loop", "yes"),
        ("return-path", "<>"),
        ("x-spam-flag", "YES"),
        ("feedback-id", "1:2:3"),
    ];
    for header in headers {
        assert_eq!(class(&mail(&[header, FROM, TO], "Hello")), (MailClass::Human, false), "{header:?}");
    }
    for from in ["noreply@example.org", "no-reply-42@example.org", "sales-bounces@example.org", "me@acme.example", ""] {
        assert_eq!(class(&mail(&[("from", from), TO], "Hello")), (MailClass::Human, false), "{from}");
    }
    assert_eq!(class(&mail(&[FROM, ("to", "somebody@example.net")], "Hello")), (MailClass::Human, false));
    assert_eq!(class(&mail(&[("auto-submitted", "no"), FROM, TO], "Hello")), (MailClass::Human, true));
    assert_eq!(class(&mail(&[("x-auto-response-suppress", "DR, NDR, RN"), FROM, TO], "Hello")), (MailClass::Human, true));
}

#[test]
fn automatic_replies() {
    let reply = ("in-reply-to", "<1@acme.example>");
    let cases: [(&[(&str, &str)], bool); 17] = [
        (&[("auto-submitted", "auto-replied")], true),
        (&[("auto-submitted", "Auto-Replied; vacation")], true),
        (&[("auto-submitted", "auto-replied (zimbra; vacation)")], true),
        (&[("x-autoreply", "yes")], true),
        (&[("x-autorespond", "")], true),
        (&[("precedence", "auto_reply")], true),
        (&[("x-auto-response-suppress", "All"), ("return-path", "<>")], true),
        (&[("subject", "Автоответ: Ваш заказ"), reply], true),
        (&[("subject", "Automatische Antwort: Angebot"), ("return-path", "<>")], true),
        (&[("subject", "Автоматична відповідь: Рахунок"), reply], true),
        (&[("subject", "Respuesta automática: Pedido"), ("references", "<1@acme.example>")], true),
        (&[("subject", "Out of Office: Re: Offer"), ("x-ms-exchange-inbox-rules-loop", "jane@example.org")], true),
        // Nothing but a subject: somebody wants a holiday.
        (&[("subject", "Vacation home in Spain")], false),
        (&[("subject", "Отпуск в Крыму")], false),
        (&[("x-autoreply", "no")], false),
        (&[("auto-submitted", "auto-generated")], false),
        (&[("subject", "Re: automatic reply of your machine"), reply], false),
    ];
    for (headers, is) in cases {
        let headers: Vec<_> = headers.iter().copied().chain([FROM, TO]).collect();
        let (class, may_answer) = class(&mail(&headers, "I am away."));
        assert_eq!(class == MailClass::AutoReply, is, "{headers:?}");
        assert!(!(is && may_answer), "{headers:?}");
    }
}

#[test]
fn reports_and_calendars() {
    let report = |kind: &str, action: &str| {
        let fields = [("final-recipient", "rfc822;jane@example.org"), ("action", action)];
        let group = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let report = Report { kind: kind.to_owned(), groups: vec![group], original_id: None };
        Mail { report: Some(report), ..mail(&[FROM, TO], "") }
    };
    let invitation = |method: &str| Mail { calendar: Some(method.to_owned()), ..mail(&[FROM, TO], "See you") };
    let cases = [
        (report("disposition-notification", ""), MailClass::Report),
        (report("feedback-report", ""), MailClass::Report),
        (report("delivery-status", "delivered"), MailClass::Report),
        (report("delivery-status", "relayed"), MailClass::Report),
        (report("delivery-status", "failed"), MailClass::Bounce),
        (report("delivery-status", "delayed"), MailClass::Bounce),
        (report("", "failed"), MailClass::Bounce),
        (invitation("REQUEST"), MailClass::Calendar),
        (invitation("REPLY"), MailClass::Calendar),
        (invitation("PUBLISH"), MailClass::Human),
        (invitation(""), MailClass::Human),
    ];
    for (mail, expected) in cases {
        let (class, may_answer) = class(&mail);
        assert_eq!(class, expected, "{:?} {:?}", mail.report, mail.calendar);
        assert_eq!(may_answer, expected == MailClass::Human);
    }
}

#[test]
fn lists() {
    let id = ("list-id", "News of all <news.example.org>");
    let leave = ("list-unsubscribe", "<https://example.org/u>");
    let cases: [(&[(&str, &str)], MailClass); 9] = [
        (&[FROM, TO, id], MailClass::List),
        (&[FROM, TO, leave], MailClass::List),
        (&[FROM, TO, ("precedence", "list"), ("list-post", "<mailto:news@example.org>")], MailClass::List),
        (&[FROM, TO, ("precedence", "bulk")], MailClass::Human),
        // A group of ours, which customers write to.
        (&[FROM, TO, ("list-id", "<sales.acme.example>"), leave], MailClass::Human),
        // A notice of our own site, sent through a service that sends newsletters as well.
        (&[("from", "site@acme.example"), TO, leave], MailClass::Human),
        (&[("from", "robot@forms.example"), TO, leave], MailClass::Human),
        // A marketplace that hands on what a customer wrote.
        (&[("from", "noreply@market.example"), ("reply-to", "jane@gmail.com"), TO, leave], MailClass::Human),
        (&[("from", "noreply@market.example"), ("reply-to", "help@market.example"), TO, leave], MailClass::List),
    ];
    for (headers, expected) in cases {
        let policy = Policy { form_senders: vec!["forms.example".to_owned()], ..policy() };
        assert_eq!(decide(&mail(headers, "Hello"), &policy, || None).class, expected, "{headers:?}");
    }
}

#[test]
fn a_form_is_asked_for_before_lists_and_after_bounces() {
    let form = || Some("fields".to_owned());
    let list = mail(&[FROM, TO, ("list-id", "<x.example.org>")], "Name: Jane");
    assert_eq!(decide(&list, &policy(), form).class, MailClass::FormNotification);
    let suppressed = mail(&[FROM, TO, ("return-path", "<>"), ("x-auto-response-suppress", "All")], "Name: Jane");
    assert_eq!(decide(&suppressed, &policy(), form).class, MailClass::FormNotification);
    let bounce = mail(&[("from", "MAILER-DAEMON@x.example"), ("subject", "failure notice")], "<jane@example.org>: no such user");
    assert_eq!(decide(&bounce, &policy(), form).class, MailClass::Bounce);
}
