use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::form;
use super::*;
use crate::mime::{self, Address};

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    name: Option<String>,
    phones: Vec<String>,
    emails: Vec<String>,
    title: Option<String>,
    message: Option<String>,
    country: Option<String>,
    form: Option<String>,
    page: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    utm: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
    consents: BTreeMap<String, bool>,
}

fn told(notification: &Notification) -> Expected {
    let draft = form::draft(notification, Timestamp::UNIX_EPOCH);
    let texts = |typed: Vec<leadgate_core::submission::Typed>| typed.into_iter().map(|typed| typed.text).collect();
    Expected {
        name: draft.name,
        phones: texts(draft.phones),
        emails: texts(draft.emails),
        title: draft.title,
        message: draft.message,
        country: draft.country,
        form: draft.form.and_then(|form| form.name),
        page: draft.touch.page,
        address: draft.address.map(|address| address.to_string()),
        user_agent: draft.user_agent,
        utm: draft.touch.values.into_iter().map(|value| (value.key.into_owned(), value.value)).collect(),
        fields: draft.fields.into_iter().map(|field| (field.name, field.value)).collect(),
        consents: draft.consents.into_iter().map(|consent| (consent.field, consent.given)).collect(),
    }
}

#[test]
fn every_layout_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/notifications");
    let expected: BTreeMap<String, Expected> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let raw = std::fs::read(folder.join(format!("{name}.eml"))).unwrap();
        match notification(&mime::read(&raw, &mime::Hints::default()), &Policy::default()) {
            None => wrong.push(format!("{name}: not recognised")),
            Some(found) if told(&found) != *expected => {
                wrong.push(format!(
                    "{name} ({}):\n  is {:?}\n not {:?}\n  of {:?}",
                    found.by,
                    told(&found),
                    expected,
                    found.pairs
                ));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(expected.len() >= 15);
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, expected.len() + 1, "a fixture without what is expected of it");
}

fn letter(from: &str, subject: &str, text: &str) -> Mail {
    let from = vec![Address { name: "Иван Петров".to_owned(), address: from.to_owned() }];
    Mail { from, subject: subject.to_owned(), text: text.to_owned(), plain: Some(text.to_owned()), ..Mail::default() }
}

/// What people write has colons, phones and signatures, too.
#[test]
fn letters_are_no_notifications() {
    for (from, subject, text) in [
        (
            "ivan@petrov.example",
            "Прайс",
            "Здравствуйте!\nПришлите, пожалуйста, прайс.\n\nС уважением,\nИван Петров\nтел.: +7 916 000-11-22\ne-mail: ivan@petrov.example\nсайт: petrov.example",
        ),
        ("ivan@petrov.example", "Прайс", "Пришлите прайс\n\n--\nИван Петров\nТел: +7 916 000-11-22\nПочта: ivan@petrov.example"),
        ("ivan@petrov.example", "Прайс", "Пришлите прайс.\nИван\nТел: +7 916 000-11-22\nПочта: office@petrov.example"),
        ("office@petrov.example", "", "Тел: +7 916 000-11-22\nПочта: office@petrov.example"),
        ("ivan@petrov.example", "Вопрос", "Вопрос: сколько стоит окно?\n\nС уважением, Иван\nТелефон: +7 916 000-11-22"),
        ("ivan@petrov.example", "Встреча", "Добрый день.\nТема: ремонт.\nДата: завтра.\nВремя: 10:00.\nАдрес: Лесная, 5."),
        (
            "max@weber.example",
            "Anfrage",
            "Guten Tag,\n\nwir brauchen:\nFenster: 5\nTüren: 2\n\nMit freundlichen Grüßen\nMax Weber\nTelefon: 030 901820\nE-Mail: max@weber.example",
        ),
        (
            "anna@bell.example",
            "Windows",
            "Hello,\n\nmy questions:\nPrice: how much?\nTime: how long?\n\nKind regards\nAnna\nPhone: +1 202 555 0143\nEmail: anna@bell.example",
        ),
        (
            "eva@ruiz.example",
            "Consulta",
            "Hola:\nNecesito dos ventanas.\n\nSaludos,\nEva\nTeléfono: 612 34 56 78\nCorreo: eva@ruiz.example",
        ),
        (
            "hanna@bila.example",
            "Прайс",
            "Добрий день!\nНадішліть прайс.\n\nЗ повагою,\nГанна\nТелефон: 067 000 11 22\nПошта: hanna@bila.example",
        ),
        (
            "ivan@petrov.example",
            "Новая заявка на окна",
            "Здравствуйте!\nНужны окна.\n\nС уважением,\nИван\nТелефон: +7 916 000-11-22\nСайт: petrov.example\nE-mail: a@petrov.example",
        ),
        // What was asked for, answered.
        ("ivan@petrov.example", "Re: Ваш вопрос", "Имя: Иван\nТелефон: +7 916 000-11-22\nE-mail: ivan@petrov.example"),
        ("ivan.petrov@gmail.com", "Заказ", "Здравствуйте.\nИмя: Иван\nТелефон: +7 916 000-11-22\nХочу заказать окно."),
        // A mail below.
        (
            "ivan@petrov.example",
            "Fwd: Окна",
            "From: Anna Bell <anna@bell.example>\nSent: Monday\nTo: Ivan\nSubject: Окна\n\nHello",
        ),
        // A price list.
        ("ivan@petrov.example", "Прайс", "Наименование\tЦена\nОкно\t1000\nДверь\t2000"),
        ("ivan@petrov.example", "", ""),
        ("ivan@petrov.example", "x", "просто текст без ничего"),
    ] {
        let found = notification(&letter(from, subject, text), &Policy::default());
        assert_eq!(found, None, "{text}");
    }
}

#[test]
fn one_field_is_enough_where_everything_says_form() {
    let mail = letter("site@okna.example", "Обратный звонок", "Телефон: +7 916 000-11-22");
    assert!(notification(&mail, &Policy::default()).is_some_and(|found| found.pairs.len() == 1));
    let text = "Заявка с сайта okna.example\nТелефон: +7 916 000-11-22";
    assert!(notification(&letter("noreply@okna.example", "x", text), &Policy::default()).is_some());
    // A person's few words with a phone below.
    let mail = letter("ivan@petrov.example", "Новая заявка", "Пришлите прайс\nТелефон: +7 916 000-11-22");
    assert_eq!(notification(&mail, &Policy::default()), None);
}

#[test]
fn fields_in_one_line_and_tags_in_a_value() {
    let text = "Имя: Анна; Телефон: +7 916 000-11-22; E-mail: anna@belova.example\nИсточник: utm_source=ya&utm_medium=cpc";
    let found = notification(&letter("noreply@okna.example", "Заявка с сайта", text), &Policy::default()).unwrap();
    let told = told(&found);
    assert_eq!((told.name.as_deref(), told.phones.len(), told.emails.len()), (Some("Анна"), 1, 1));
    assert_eq!(told.utm["utm_medium"], "cpc");
}

#[test]
fn mails_about_ourselves_and_newsletters_are_none() {
    let ours = leadgate_core::rules::Ours { domains: ["okna.example".to_owned()].into(), ..Default::default() };
    let policy = Policy { ours: std::sync::Arc::new(ours), ..Policy::default() };
    let invoice = letter("noreply@vendor.example", "Invoice", "Customer name: Okna\nEmail: info@okna.example\nAmount: 100");
    assert_eq!(notification(&invoice, &policy), None);
    let text = "Скидки недели\nОкна от 1000\n\nТелефон: 8 800 000-11-22\nE-mail: info@shop.example\nАдрес: Лесная, 5";
    assert_eq!(notification(&letter("noreply@shop.example", "Скидки", text), &policy), None);
    let pasted = "Return-Path: <a@b.example>\nFrom: Anna <a@b.example>\nSubject: x\nMessage-ID: <1@b>\nMessage: x";
    assert_eq!(notification(&letter("noreply@shop.example", "contact form", pasted), &policy), None);
}

#[test]
fn a_quoted_notification_is_none() {
    let text = "Перезвоню завтра\n\n16.11.2026 10:00, Сайт пишет:\n> Имя: Анна\n> Телефон: +7 916 000-11-22\n> Сообщение: окна";
    assert_eq!(notification(&letter("ivan@petrov.example", "Заявка", text), &Policy::default()), None);
    let mut answer = letter("noreply@okna.example", "Заявка с сайта", "Имя: Анна\nТелефон: +7 916 000-11-22");
    assert!(notification(&answer, &Policy::default()).is_some());
    answer.in_reply_to.push("a@b".to_owned());
    assert_eq!(notification(&answer, &Policy::default()), None);
}

#[test]
fn a_configured_sender_needs_one_field() {
    let policy = Policy { form_senders: vec!["petrov.example".to_owned()], ..Policy::default() };
    let one = letter("ivan@petrov.example", "Re: x", "Здравствуйте!\nМного слов.\nТелефон: +7 916 000-11-22\nИ ещё слова.");
    assert!(
        notification(&one, &policy).is_some_and(|found| found.pairs == [("Телефон".to_owned(), "+7 916 000-11-22".to_owned())])
    );
    assert_eq!(notification(&one, &Policy::default()), None);
    assert_eq!(notification(&letter("ivan@petrov.example", "x", "Здравствуйте!"), &policy), None);
}

#[test]
fn of_two_parts_the_one_with_fields_is_read() {
    let mut mail = letter("noreply@okna.example", "Заявка с сайта", "ИмяАннаТелефон+7 916 000-11-22");
    mail.html =
        Some("<table><tr><td>Имя</td><td>Анна</td></tr><tr><td>Телефон</td><td>+7 916 000-11-22</td></tr></table>".to_owned());
    let found = notification(&mail, &Policy::default()).unwrap();
    assert_eq!(found.pairs, [("Имя".to_owned(), "Анна".to_owned()), ("Телефон".to_owned(), "+7 916 000-11-22".to_owned())]);
}

#[test]
fn bombs_end() {
    for piece in [
        "a:b\n",
        "Name: a\n",
        "Phone: 1234567\nMessage:\n",
        "Message: x\n\n-- \n",
        "a\tb\tc\td\n",
        "| a | b |\n",
        "-",
        "*a* ",
        ":",
        "Имя\n***\n",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let mut mail = letter("noreply@okna.example", "new submission", &text);
        let found = notification(&mail, &Policy::default());
        assert!(found.is_none_or(|found| found.pairs.len() <= 201), "{piece}");
        mail.html = Some(text.replace('\n', "<br>"));
        mail.plain = Some(String::new());
        assert!(notification(&mail, &Policy::default()).is_none_or(|found| found.pairs.len() <= 201), "{piece}");
    }
}

proptest::proptest! {
    #[test]
    fn reading_is_total(
        subject in ".{0,40}",
        lines in proptest::collection::vec("(Name|Телефон|E-mail|Message|--|\\*a\\*|<td>|<b>|&#|.){0,3}[:\t -]?.{0,30}", 0..20),
    ) {
        let text = lines.join("\n");
        let mut mail = letter("noreply@okna.example", &subject, &text);
        mail.html = Some(text);
        for found in [notification(&mail, &Policy::default())].into_iter().flatten() {
            proptest::prop_assert!(found.pairs.iter().all(|(label, value)| !label.is_empty() && !value.trim().is_empty()));
        }
    }
}
