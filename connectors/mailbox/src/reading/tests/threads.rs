use super::mail;
use crate::mime::{Mail, Report};
use crate::reading::{known_as, refers_to};

fn ids(mail: &Mail) -> Vec<String> {
    refers_to(mail).into_iter().map(|reference| reference.value).collect()
}

#[test]
fn the_newest_first_and_each_once() {
    let reply = mail(
        &[
            ("message-id", "<4@example.org>"),
            ("in-reply-to", "<3@example.org>"),
            ("references", "<1@example.org> <2@example.org> <3@example.org> <4@example.org>"),
        ],
        "",
    );
    assert_eq!(ids(&reply), ["3@example.org", "2@example.org", "1@example.org"]);
    assert_eq!(
        known_as(&reply).into_iter().map(|id| (id.scope, id.value)).collect::<Vec<_>>(),
        [("message-id".to_owned(), "4@example.org".to_owned())]
    );
    assert_eq!(known_as(&mail(&[], "")), []);
}

#[test]
fn a_long_thread_is_looked_up_in_part() {
    let references: Vec<String> = (0..300).map(|n| format!("<{n}@example.org>")).collect();
    let ids = ids(&mail(&[("references", &references.join(" "))], ""));
    assert_eq!(ids.len(), 50);
    assert_eq!(ids[0], "299@example.org");
}

#[test]
fn a_bounce_answers_the_mail_that_came_back() {
    let reported =
        Report { kind: "delivery-status".to_owned(), original_id: Some("1@acme.example".to_owned()), ..Report::default() };
    let receipt = Report { kind: "disposition-notification".to_owned(), ..reported.clone() };
    let inside = mail(&[("message-id", "<1@acme.example>")], "");
    let headers = [("from", "MAILER-DAEMON@mx.example.net"), ("subject", "failure notice")];
    let text = "<jane@example.org>:\nno such user\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <info@acme.example>\n\
                Message-ID:\n <1@acme.example>\nTo: jane@example.org\n";
    let cases = [
        Mail { report: Some(reported), ..mail(&headers, "") },
        Mail { report: Some(receipt), ..mail(&[], "") },
        Mail { inside: vec![inside.clone()], ..mail(&headers, "<jane@example.org>: no such user") },
        mail(&headers, text),
    ];
    for case in cases {
        assert_eq!(ids(&case), ["1@acme.example"], "{}", case.text);
    }
    // Anybody may attach a mail.
    let attached = Mail { inside: vec![inside], ..mail(&[("from", "jane@example.org")], "See the mail attached.") };
    assert_eq!(ids(&attached), Vec::<String>::new());
}
