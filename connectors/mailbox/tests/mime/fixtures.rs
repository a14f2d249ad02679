//! Mails of our own, each with what a person reads in it.

use leadgate_mailbox::mime::{Address, Mail};

use crate::support::{checked, fixtures};

fn mail(name: &str) -> Mail {
    let (_, raw) = fixtures().into_iter().find(|(known, _)| known == name).unwrap();
    checked(name, &raw, "ru")
}

fn address(name: &str, address: &str) -> Address {
    Address { name: name.to_owned(), address: address.to_owned() }
}

fn files(mail: &Mail) -> Vec<(&str, &str, bool)> {
    mail.attachments.iter().map(|file| (file.name.as_str(), file.content_type.as_str(), file.inline)).collect()
}

#[test]
fn an_ordinary_mail() {
    let mail = mail("plain");
    assert_eq!(mail.subject, "Цена on 5 doors");
    assert_eq!(mail.from, [address("Иван Петров", "ivan@customer.example")]);
    assert_eq!(mail.to, [address("Sales", "sales@company.example")]);
    assert_eq!(mail.message_id.as_deref(), Some("plain@customer.example"));
    assert_eq!(mail.in_reply_to, ["quote-1@company.example"]);
    assert_eq!(mail.references, ["first@company.example", "quote-1@company.example"]);
    assert_eq!(mail.date.unwrap().to_string(), "2026-03-03T07:15:00Z");
    assert_eq!(mail.text, "Добрый день!\n\nСколько стоят пять дверей?\n\n-- \nИван");
    assert_eq!(mail.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(mail.headers[0].0, "from");
    assert_eq!(mail.problems, [""; 0]);
    assert!(mail.html.is_none() && mail.attachments.is_empty() && mail.inside.is_empty() && mail.report.is_none());
}

#[test]
fn every_charset_declared_or_not() {
    let raw = mail("cp1251_raw");
    assert_eq!(raw.subject, "Заявка на расчёт стоимости");
    assert_eq!(raw.text, "Здравствуйте, меня интересует доставка в Тверь.\nТелефон 8 916 123-45-67, Мария.");
    let koi = mail("koi8_declared_ascii");
    assert_eq!(koi.subject, "Вопрос по заказу");
    assert_eq!(koi.text, "Добрый день, когда будет готов мой заказ? Спасибо.");
    let chinese = mail("gb18030");
    assert_eq!(chinese.subject, "询价：五扇门");
    assert_eq!(chinese.text, "您好，请问五扇门多少钱？\n谢谢。");
    let spanish = mail("latin1_names");
    assert_eq!(spanish.from, [address("José García", "jose@cliente.example")]);
    assert_eq!(spanish.subject, "Presupuesto para la reforma del baño");
    assert_eq!(spanish.text, "¿Cuánto cuesta la reforma? Gracias, José.");
    assert_eq!(files(&spanish), [("Plano del baño.pdf", "application/pdf", false)]);
}

#[test]
fn html_is_read_as_people_see_it() {
    let mail = mail("html_only");
    let expected = "Новая заявка\nИмя\tМария\nТелефон\t+7 916 123-45-67\n\
                    Страница\tДвери (https://shop.example/doors?utm_source=ya&utm_medium=cpc)\n\nС уважением,\nсайт";
    assert_eq!(mail.text, expected);
    assert!(mail.plain.is_none());
    assert!(mail.html.unwrap().contains("<table border=\"1\">"));
}

#[test]
fn of_alternatives_the_one_that_says_more() {
    let both = mail("alternative");
    assert_eq!(both.text, "The plain one, long enough to be what the sender wrote.");
    assert!(both.html.is_some() && both.plain.is_some());
    let stub = mail("stub");
    assert_eq!(stub.text, "Name\tMary\nPhone\t+44 20 7946 0123");
    assert_eq!(stub.plain.as_deref(), Some("Your mail program does not show HTML."));
    assert_eq!(mail("quotes").text, "I agree.\nOn Mon, Anna wrote:\n> Do you agree?\n>\n> Anna");
}

#[test]
fn files_have_names_and_places() {
    let mail = mail("files");
    assert_eq!(mail.text, "See the drawing.");
    let expected = [
        ("logo.png", "image/png", true),
        ("Чертёж.pdf", "application/pdf", false),
        ("notes.txt", "text/plain", false),
        ("winmail.dat", "application/ms-tnef", false),
        ("attachment.zip", "application/zip", false),
    ];
    assert_eq!(files(&mail), expected);
    assert!(mail.attachments[1].bytes.starts_with(b"%PDF-1.4\n\0\x01\x02"));
    assert_eq!(mail.attachments[1].bytes.len(), 9 + 8 * 256);
    assert_eq!(&mail.attachments[2].bytes[..], b"A note that is a file.");
}

#[test]
fn a_mail_inside_is_a_file_and_a_mail() {
    let mail = mail("forwarded");
    assert_eq!(files(&mail), [("Need two windows.eml", "message/rfc822", false), ("same.eml", "message/rfc822", false)]);
    assert_eq!(mail.inside.len(), 2);
    for inside in &mail.inside {
        assert_eq!(inside.from, [address("Anna", "anna@other.example")]);
        assert_eq!(inside.text, "Two windows, please.");
        assert_eq!(files(inside), [("plan.pdf", "application/pdf", false)]);
        assert_eq!(inside.attachments[0].bytes.len(), 9 + 8 * 256);
    }
}

#[test]
fn reports_are_told() {
    let bounce = mail("bounce");
    let report = bounce.report.unwrap();
    assert_eq!((report.kind.as_str(), report.groups.len()), ("delivery-status", 2));
    assert_eq!(report.original_id.as_deref(), Some("offer-7@company.example"));
    let field = |name: &str| report.groups[1].iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(field("final-recipient"), Some("rfc822; nobody@customer.example"));
    assert_eq!(field("status"), Some("5.1.1"));
    assert_eq!(field("diagnostic-code"), Some("smtp; 550 5.1.1 <nobody@customer.example>: user unknown"));
    assert_eq!(bounce.text, "Your message could not be delivered.");
    let wrong = mail("bounce_wrong_types").report.unwrap();
    assert_eq!((wrong.kind.as_str(), wrong.groups.len()), ("delivery-status", 2));
    assert_eq!(wrong.original_id.as_deref(), Some("offer-8@company.example"));
    let receipt = mail("receipt").report.unwrap();
    assert_eq!(receipt.kind, "disposition-notification");
    assert_eq!(receipt.original_id.as_deref(), Some("offer-9@company.example"));
}

#[test]
fn appointments_and_cards() {
    let meeting = mail("meeting");
    assert_eq!(meeting.calendar.as_deref(), Some("REQUEST"));
    assert_eq!(meeting.text, "Shall we meet?");
    assert_eq!(files(&meeting), [("invitation.ics", "text/calendar", false)]);
    let card = mail("card");
    assert_eq!(card.cards.len(), 1);
    assert_eq!(card.cards[0].name.as_deref(), Some("Иван Петров"));
    assert_eq!(card.cards[0].phones, ["+7 916 123-45-67"]);
    assert_eq!(card.cards[0].emails, ["ivan@customer.example"]);
}

#[test]
fn a_signature_hides_no_text() {
    let mail = mail("signed");
    assert_eq!(mail.text, "Signed text with an = sign.");
    assert_eq!(files(&mail), [("smime.p7s", "application/pkcs7-signature", false)]);
    let opaque = self::mail("signed_in_one_piece");
    assert_eq!((opaque.subject.as_str(), opaque.text.as_str()), ("Signed in one piece", "How much is a door?"));
    assert_eq!(files(&opaque), [("smime.p7m", "application/pkcs7-mime", false), ("plan.pdf", "application/pdf", false)]);
}

#[test]
fn broken_heads_are_read() {
    let mail = mail("addresses");
    assert_eq!(mail.from, [address("\"\"@broken.example", ""), address("Anna, sales", "anna@customer.example")]);
    assert_eq!(mail.reply_to, [address("Petrov, Ivan", "ivan@customer.example")]);
    assert_eq!(mail.to, []);
    assert_eq!(mail.cc, [address("", "a@x.example"), address("B", "b@x.example")]);
    assert_eq!(mail.subject, "Привет");
    assert_eq!(mail.message_id.as_deref(), Some("folded@customer.example"));
    assert_eq!(mail.in_reply_to, ["m1@company.example", "m2@company.example"]);
    assert_eq!(mail.date, None);
    assert_eq!(mail.problems, ["it has several fields from: the first was read"]);
}

#[test]
fn what_is_no_mail_becomes_one() {
    let no_head = mail("no_head");
    assert_eq!(no_head.text, "Hello, I want to buy two doors.\nCall me: 8 916 123-45-67");
    assert_eq!(no_head.problems, ["it has no head: all of it was read as text"]);
    let empty = checked("nothing", b"", "");
    assert_eq!((empty.text.as_str(), empty.problems.len()), ("", 1));
    let nul = mail("nul");
    assert_eq!((nul.subject.as_str(), nul.text.as_str(), nul.message_id.as_deref()), ("ab cd", "onetwo", Some("nul@x")));
    let lost = mail("lost_boundary");
    assert_eq!(lost.text, "Still readable.");
    assert_eq!(files(&lost), [("attachment.pdf", "application/pdf", false)]);
    assert_eq!(mail("bare_lf").attachments[0].bytes.as_ref(), b"two");
}
