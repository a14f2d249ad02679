use leadgate_core::submission::Failure;

use super::mail;
use crate::mime::Mail;
use crate::reading::bounce::{self, failures};

const DAEMON: (&str, &str) = ("from", "Mail Delivery System <MAILER-DAEMON@mx.example.net>");
const TO: (&str, &str) = ("to", "info@acme.example");

fn addresses(mail: &Mail) -> Vec<String> {
    failures(mail).into_iter().map(|failure| failure.address).collect()
}

/// Bounces of one mail to jane@example.org, in the words of many servers.
const TEXTS: &[(&str, &str)] = &[
    (
        "failure notice",
        "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<jane@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <info@acme.example>\nTo: other@example.org",
    ),
    (
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  jane@example.org\n    host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<jane@example.org>:\n    550 5.1.1 rejected, ask help@example.org",
    ),
    (
        "Undelivered Mail Returned to Sender",
        "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\nFor further assistance, please send mail to postmaster.\n\nIf you do so, please include this problem report. You can\ndelete your own text from the attached returned message.\n\n                   The mail system\n\n<jane@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1\n    <jane@example.org>: Recipient address rejected (in reply to RCPT TO\n    command)",
    ),
    (
        "Returned mail: see transcript for details",
        "The original message was received at Mon, 3 Mar 2025 12:00:00 GMT\nfrom acme.example [192.0.2.2]\n\n   ----- The following addresses had permanent fatal errors -----\n<jane@example.org>\n    (reason: 550 5.1.1 User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n>>> DATA\n<<< 550 5.1.1 User unknown",
    ),
    (
        "Undeliverable: Offer",
        "Your message\n\n  To:      Jane Doe\n  Subject: Offer\n  Sent:    Mon, 3 Mar 2025 12:00:00 +0300\n\ndid not reach the following recipient(s):\n\njane@example.org on Mon, 3 Mar 2025 12:00:02 +0300\n    The recipient name is not recognized",
    ),
    (
        "Undeliverable: Offer",
        "Delivery has failed to these recipients or groups:\n\nJane Doe (jane@example.org)<mailto:jane@example.org>\nThe email address you entered couldn't be found. Please check the address.\n\nDiagnostic information for administrators:\n\nGenerating server: mx.example.net",
    ),
    (
        "Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     jane@example.org\n\nTechnical details of permanent failure:\nThe email account that you tried to reach does not exist.\n\n----- Original message -----\n\nTo: someone@example.org",
    ),
    (
        "Delivery Status Notification (Failure)",
        "** Address not found **\n\nYour message wasn't delivered to jane@example.org because the address couldn't be found, or is unable to receive mail.",
    ),
    (
        "DELIVERY FAILURE: User jane (jane@example.org) not listed in Domino Directory",
        "Your message\n\n  Subject: Offer\n\nwas not delivered to:\n\n  jane@example.org\n\nbecause:\n\n  User jane (jane@example.org) not listed in Domino Directory",
    ),
    (
        "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tjane@example.org (user not found)",
    ),
    (
        "failure delivery",
        "Message from example.com.\nUnable to deliver message to the following address(es).\n\n<jane@example.org>:\nThis user doesn't have an account here.",
    ),
    (
        "Недоставленное сообщение",
        "Это письмо создано автоматически сервером.\n\nК сожалению, мы не смогли доставить ваше письмо одному или нескольким получателям:\n\njane@example.org\nПричина: такого адреса не существует.\n\n--- Исходное сообщение ---\nTo: other@example.org",
    ),
    ("Ошибка доставки", "Ваше письмо по адресу jane@example.org не доставлено: почтовый ящик переполнен."),
    ("Не вдалося доставити лист", "Не вдалося доставити лист на адресу jane@example.org: адреса не існує."),
    (
        "Unzustellbar: Angebot",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nJane Doe (jane@example.org)\nDie E-Mail-Adresse wurde nicht gefunden.",
    ),
    ("Mail delivery failed", "Ihre Nachricht konnte nicht zugestellt werden:\n\njane@example.org: Benutzer unbekannt"),
    (
        "Échec de la remise",
        "Votre message n'a pas pu être remis aux destinataires suivants :\n\n  jane@example.org\n    adresse inconnue",
    ),
    (
        "Mensaje no entregado",
        "No se pudo entregar el mensaje a los siguientes destinatarios:\n\n  jane@example.org\n    usuario desconocido",
    ),
    ("Mail failure", "--- Session Transcript ---\n RCPT To:<jane@example.org>\n 550 no such user\n QUIT"),
];

#[test]
fn words_of_many_servers() {
    for (subject, text) in TEXTS {
        let bounce = mail(&[DAEMON, TO, ("subject", subject)], text);
        assert!(bounce::sign(&bounce).is_some(), "{text}");
        assert_eq!(addresses(&bounce), ["jane@example.org"], "{text}");
        assert!(failures(&bounce)[0].permanent, "{text}");
        // Without the daemon's name, its words are enough where they name somebody.
        let other = mail(&[("from", "robot@example.net"), TO, ("subject", subject), ("return-path", "<>")], text);
        assert!(bounce::sign(&other).is_some(), "{text}");
        let answered = mail(&[("from", "jane@example.net"), TO, ("subject", &format!("Re: {subject}"))], text);
        assert_eq!(bounce::sign(&answered), None, "{text}");
    }
}

#[test]
fn several_addresses_with_what_was_said_of_each() {
    let text = "The following address(es) failed:\n\n  jane@example.org\n    550 5.1.1 no such user\n  joe@example.org\n    \
                452 4.2.2 mailbox full\n\n-- original message --\nTo: jim@example.org";
    let told = failures(&mail(&[DAEMON, TO], text));
    let expected = [
        ("jane@example.org", true, "5.1.1", "550 5.1.1 no such user"),
        ("joe@example.org", false, "4.2.2", "452 4.2.2 mailbox full"),
    ];
    let expected = expected.map(|(address, permanent, status, words)| Failure {
        address: address.to_owned(),
        permanent,
        status: status.to_owned(),
        words: words.to_owned(),
    });
    assert_eq!(told, expected);
}

#[test]
fn what_is_still_tried_is_temporary() {
    let texts = [
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to jane@example.org. Gmail will retry for 46 more hours.",
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\nThe address to which the message has not yet been delivered is:\n\n  jane@example.org\n\nNo action is required on your part. Delivery attempts will continue.",
        "WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\nDelivery to the following recipients has been delayed.\n\n  jane@example.org",
    ];
    for text in texts {
        let told = failures(&mail(&[DAEMON, TO, ("subject", "Delivery Status Notification (Delay)")], text));
        assert_eq!(
            told.iter().map(|f| (f.address.as_str(), f.permanent)).collect::<Vec<_>>(),
            [("jane@example.org", false)],
            "{text}"
        );
    }
}

#[test]
fn exim_and_gmail_name_them_in_a_header() {
    let told = failures(&mail(
        &[DAEMON, TO, ("x-failed-recipients", "jane@example.org, <joe@example.org>")],
        "These failed:\n  jane@example.org\n    550 5.1.1 no such user",
    ));
    let told: Vec<_> = told.iter().map(|f| (f.address.as_str(), f.status.as_str())).collect();
    assert_eq!(told, [("jane@example.org", "5.1.1"), ("joe@example.org", "")]);
}

#[test]
fn the_last_resort_is_the_mail_that_came_back() {
    let text = "Delivery failure.\n\n--- Original message follows ---\nReceived: from acme.example\nTo: Jane <jane@example.org>\nSubject: Offer";
    assert_eq!(addresses(&mail(&[DAEMON, TO], text)), ["jane@example.org"]);
    let inside = mail(&[("to", "jane@example.org")], "");
    assert_eq!(addresses(&Mail { inside: vec![inside], ..mail(&[DAEMON, TO], "Sorry.") }), ["jane@example.org"]);
    let two = mail(&[("to", "jane@example.org"), ("to", "joe@example.org")], "");
    assert_eq!(addresses(&Mail { inside: vec![two], ..mail(&[DAEMON, TO], "Sorry.") }), Vec::<String>::new());
}

#[test]
fn what_is_no_bounce() {
    let mails = [
        mail(&[("from", "postmaster@example.org"), TO, ("subject", "Прайс")], "Пришлите прайс на адрес ivan@example.org"),
        mail(&[("from", "jane@example.org"), TO, ("subject", "My parcel was not delivered")], "Where is it?"),
        mail(&[("from", "jane@example.org"), TO, ("subject", "Offer")], "<joe@example.org>: please copy him"),
        mail(&[DAEMON, TO, ("subject", "Hello")], "Good day"),
    ];
    for mail in mails {
        assert_eq!(bounce::sign(&mail), None, "{} {}", mail.subject, mail.text);
    }
}

#[test]
fn hostile_bounces_are_read_in_time() {
    let started = std::time::Instant::now();
    for piece in [
        "a@b.c ",
        "a@b.c:\n",
        "following address a@b.c\n",
        "@",
        "> <a@b",
        "rcpt to:<a@b.c>\n550\n",
        "\n\nfailed a@b.c b@b.c",
        "5.1.1.",
        "to: ",
    ] {
        let bounce = mail(&[DAEMON, TO, ("subject", "failure notice")], &piece.repeat(1_000_000 / piece.len()));
        assert!(failures(&bounce).len() <= 200);
        assert!(bounce::sign(&bounce).is_some());
    }
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
}
