use super::*;
use crate::body::path;

fn kind(name: &str) -> Kind {
    classify(&path(name, 7)).kind
}

fn read_as(name: &str, value: &str) -> Kind {
    read(&Entry { name: name.to_owned(), path: path(name, 7), value: value.to_owned() }).kind
}

#[test]
fn names_of_people() {
    for name in [
        "name",
        "Name",
        "your-name",
        "Ваше имя *",
        "ИМЯ",
        "ФИО",
        "Ф.И.О.",
        "Как вас зовут?",
        "fields[name]",
        "form_fields[name]",
        "customer[name]",
        "fullName",
        "Full_Name",
        "Ім'я",
        "Nombre",
        "Name_2",
        "name 2",
        "contact_name",
        "No Label name",
        "data[Имя]",
        "fields[name][value]",
        "Vor- und Nachname",
        "имя:",
        "Nom et prénom",
    ] {
        assert!(matches!(kind(name), Kind::Name), "{name}: {:?} {:?}", kind(name), label(&path(name, 7)));
    }
    for (name, expected) in [
        ("first_name", Kind::GivenName),
        ("firstName", Kind::GivenName),
        ("Vorname", Kind::GivenName),
        ("lastname", Kind::FamilyName),
        ("Фамилия", Kind::FamilyName),
        ("Отчество", Kind::Patronymic),
        ("contact[first_name]", Kind::GivenName),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
}

#[test]
fn names_of_other_things() {
    for (name, expected) in [
        ("form_name", Kind::FormName),
        ("formname", Kind::FormName),
        ("form[name]", Kind::FormName),
        ("form-name", Kind::FormName),
        ("Form", Kind::FormName),
        ("formTitle", Kind::FormName),
        ("Form name", Kind::FormName),
        ("formid", Kind::FormId),
        ("form_id", Kind::FormId),
        ("form[id]", Kind::FormId),
        ("company name", Kind::Company),
        ("Название компании", Kind::Company),
        ("city_name", Kind::City),
        ("product name", Kind::Other),
        ("product[name]", Kind::Other),
        ("username", Kind::Other),
        ("login", Kind::Other),
        ("file name", Kind::Other),
        ("filename", Kind::Other),
        ("domain name", Kind::Other),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
    assert_eq!(read_as("user_name", "anna92"), Kind::Other);
    assert_eq!(read_as("user_name", "Анна Смирнова"), Kind::NameGuess);
}

#[test]
fn phones_and_emails() {
    for name in [
        "Phone",
        "tel-123",
        "phone2",
        "Телефон",
        "Ваш телефон *",
        "Контактный телефон",
        "Other phone",
        "mobile_phone",
        "Teléfono",
        "Handynummer",
    ] {
        assert_eq!(read_as(name, "+7 916 000-00-00"), Kind::Phone, "{name}");
    }
    for name in [
        "E-mail",
        "email",
        "Email ",
        "your-email",
        "Work email",
        "Эл. почта",
        "Электронная почта",
        "Correo electrónico",
        "_replyto",
    ] {
        assert_eq!(read_as(name, "a@b.ru"), Kind::Email, "{name}");
    }
    assert_eq!(read_as("Телефон или email", "a@b.ru"), Kind::Email);
    assert_eq!(read_as("Телефон или email", "8 916 000-00-00"), Kind::Phone);
    assert_eq!(read_as("Модель телефона", "89160000000"), Kind::Other);
    assert_eq!(read_as("WhatsApp", "да"), Kind::Other);
    assert_eq!(read_as("WhatsApp", "+79160000000"), Kind::Phone);
    assert_eq!(read_as("phone", "a@b.ru"), Kind::Email);
    assert_eq!(read_as("newsletter_email", "a@b.ru"), Kind::Email);
    assert_eq!(read_as("Удобное время для звонка на телефон", "10:00"), Kind::Other);
}

#[test]
fn consents_agree_or_are_none() {
    assert_eq!(read_as("Согласие на обработку персональных данных", "on"), Kind::Consent);
    assert_eq!(read_as("Checkbox", "yes"), Kind::Consent);
    assert_eq!(read_as("Checkbox_2", "Красный"), Kind::Other);
    assert_eq!(read_as("policy number", "4510 12"), Kind::Other);
    assert_eq!(read_as("agree", "I agree to the terms"), Kind::Consent);
    assert_eq!(agreement("нет"), Some(false));
}

#[test]
fn services_and_secrets() {
    for name in [
        "_wpcf7_unit_tag",
        "g-recaptcha-response",
        "cf-turnstile-response",
        "csrf_token",
        "__RequestVerificationToken",
        "_charset_",
    ] {
        assert_eq!(kind(name), Kind::Service, "{name}");
    }
    for name in [
        "password",
        "user[password]",
        "Пароль",
        "cardNumber",
        "card_number",
        "CVV",
        "cvc",
        "cvv2",
        "api_key",
        "X-API-Key",
        "client_secret",
        "fields[passwd]",
    ] {
        assert_eq!(kind(name), Kind::Secret, "{name}");
    }
    for name in ["passport", "pass type", "discard", "token_ring_size", "PIN code"] {
        assert_ne!(kind(name), Kind::Secret, "{name}");
    }
}

#[test]
fn pages_are_urls() {
    assert_eq!(read_as("page", "https://a.example/?x=1"), Kind::Page);
    assert_eq!(read_as("_page", "a.example/x"), Kind::Page);
    assert_eq!(read_as("page_url", "/path"), Kind::Page);
    assert_eq!(read_as("Страница", "Главная"), Kind::Other);
    assert_eq!(read_as("referrer", "https://ya.ru/"), Kind::Referrer);
    assert_eq!(read_as("landing_page", "https://a.example/"), Kind::Landing);
}

#[test]
fn values_by_look() {
    for phone in [
        "+7 (916) 123-45-67",
        "89161234567",
        "(916) 123-45-67",
        "352-555-0110",
        "+44 7700 900123",
        "8 800 100 20 30",
        "0049 151 12345678",
    ] {
        assert!(looks_like_phone(phone), "{phone}");
    }
    for other in [
        "1214681071",
        "21.11.2026",
        "2026-11-21",
        "7707083893",
        "123-456-789 01",
        "4510 123456",
        "12345",
        "10:00",
        "",
        "1000000",
        "4111 1111 1111 1111",
    ] {
        assert!(!looks_like_phone(other), "{other}");
    }
    for other in ["a@b", "a b@c.ru", "@c.ru", "?to=x%40y@example.com", "a@b..ru", "a@b.r1"] {
        assert!(!looks_like_email(other), "{other}");
    }
    assert!(looks_like_email("anna@почта.рф") && looks_like_email("a.b+c@mail.example.org"));
}

#[test]
fn shown_without_wrappers() {
    let shown = |name: &str| display(&Entry { name: name.to_owned(), path: path(name, 7), value: String::new() }).into_owned();
    assert_eq!(shown("Interested in[]"), "Interested in");
    assert_eq!(shown("fields[color]"), "color");
    assert_eq!(shown("a[b][c]"), "a[b][c]");
    assert_eq!(shown(" Email "), "Email");
}

proptest::proptest! {
    #[test]
    fn what_is_remembered_is_what_is_read(names in proptest::collection::vec("[a-z_\\[\\]0-9А-я -]{0,20}|(name|phone|user\\[password\\]|consent|form\\[id\\])[0-9]{0,2}", 1..40)) {
        for name in names.iter().chain(&names) {
            let path = path(name, 7);
            proptest::prop_assert_eq!(classify(&path), by_name(&path), "{}", name);
        }
    }
}

#[test]
fn a_flood_of_names_is_forgotten() {
    for n in 0..REMEMBERED * 3 {
        classify(&path(&format!("field{n}x"), 7));
        classify(&path(&format!("{n}{}", "x".repeat(REMEMBERED_BYTES)), 7));
        assert!(KNOWN.with_borrow(HashMap::len) <= REMEMBERED);
    }
    assert_eq!(kind("phone"), Kind::Phone);
}
