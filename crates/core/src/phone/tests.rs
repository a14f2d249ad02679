//! Tables of what people type.

use super::*;

fn hints(country: &str) -> Hints {
    Hints { configured: Country::parse(country), ..Hints::default() }
}

fn keys(field: &str, hints: Hints) -> Vec<String> {
    read(field, &hints).phones.iter().map(Phone::key).collect()
}

/// The one number of a field with its confidence, such as `+79161234567 2`.
fn one(field: &str, hints: Hints) -> String {
    let reading = read(field, &hints);
    match (&reading.phones[..], reading.problem) {
        ([phone], None) => format!("{} {}", phone.key(), phone.confidence),
        (_, Some(problem)) => problem.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

fn table(country: &str, rows: &[(&str, &str)]) {
    for (typed, expected) in rows {
        assert_eq!(one(typed, hints(country)), *expected, "{typed:?} in {country:?}");
    }
}

#[test]
fn every_spelling_of_a_russian_mobile_agrees() {
    table(
        "RU",
        &[
            ("+7 (916) 123-45-67", "+79161234567 3"),
            ("+79161234567", "+79161234567 3"),
            ("8 916 123 45 67", "+79161234567 2"),
            ("79161234567", "+79161234567 2"),
            ("9161234567", "+79161234567 2"),
            ("8-916-123-45-67", "+79161234567 2"),
            ("8.916.123.45.67", "+79161234567 2"),
            ("8/916/123-45-67", "+79161234567 2"),
            ("8,916,1234567", "+79161234567 2"),
            ("+7 916 1234567 доб. 12", "+79161234567;ext=12 3"),
            ("007 916 123 45 67", "+79161234567 3"),
            ("+007 916 123 45 67", "+79161234567 3"),
            ("７９１６１２３４５６７", "+79161234567 2"),
            ("＋７（９１６）１２３－４５－６７", "+79161234567 3"),
            ("٧٩١٦١٢٣٤٥٦٧", "+79161234567 2"),
            ("+7\u{202f}916\u{2007}123\u{2009}45\u{a0}67", "+79161234567 3"),
            ("\u{202a}+7 916 123\u{2011}45\u{2013}67\u{202c}", "+79161234567 3"),
            ("8\u{fe0f}\u{20e3}9161234567", "+79161234567 2"),
            ("'+79161234567", "+79161234567 3"),
            ("тел. 8 916 123 45 67 (моб.)", "+79161234567 2"),
            ("8 916 123 45 67 Иван, после 18:00", "+79161234567 2"),
            ("дом 5 кв 12, т.89161234567", "+79161234567 2"),
            ("+7 8 916 123 45 67", "+79161234567 3"),
            ("+7 (+7 916 123 45 67", "+79161234567 3"),
            ("+7 (0) 916 123-45-67", "+79161234567 3"),
            ("+7 (916) 123-45-67_", "+79161234567 3"),
            ("📞 8 916 123 45 67 ❤", "+79161234567 2"),
            ("%2B79161234567", "+79161234567 3"),
            ("8 916 123 45 67 (2)", "+79161234567 2"),
            ("8 10 49 30 12345678", "+493012345678 3"),
        ],
    );
}

#[test]
fn trunk_eight_and_service_numbers() {
    table(
        "RU",
        &[
            ("+78005553535", "+78005553535 3"),
            ("88005553535", "+78005553535 2"),
            ("8005553535", "+78005553535 2"),
            ("8121234567", "+78121234567 2"),
            ("8 (843) 212-34-56", "+78432123456 2"),
            ("87011234567", "+77011234567 2"),
            ("+8 916 123-45-67", "+79161234567 1"),
            ("+9161234567", "+79161234567 1"),
        ],
    );
    assert_eq!(read("88005553535", &hints("RU")).phones[0].kind, PhoneKind::TollFree);
    table("KZ", &[("79161234567", "+79161234567 2"), ("87011234567", "+77011234567 2"), ("77011234567", "+77011234567 2")]);
    table("BY", &[("79161234567", "+79161234567 2"), ("89161234567", "+79161234567 1"), ("80291234567", "+375291234567 2")]);
}

#[test]
fn plus_eight_keeps_both_readings() {
    let reading = read("+84912345678", &hints("RU"));
    assert_eq!(reading.phones.iter().map(|p| (p.e164.as_str(), p.confidence)).collect::<Vec<_>>(), [("+84912345678", 1)]);
    assert_eq!(reading.alternatives.iter().map(|p| (p.e164.as_str(), p.confidence)).collect::<Vec<_>>(), [("+74912345678", 1)]);
    assert_eq!(one("+84912345678", hints("VN")), "+84912345678 3");
}

#[test]
fn without_a_country() {
    table(
        "",
        &[
            ("+7 916 123-45-67", "+79161234567 3"),
            ("79161234567", "+79161234567 2"),
            ("7 916 123 45 67", "+79161234567 2"),
            ("89161234567", "+79161234567 1"),
            ("9161234567", "invalid"),
            ("352-555-0110", "invalid"),
            ("4915123456789", "+4915123456789 2"),
            ("0049 151 23456789", "+4915123456789 3"),
            ("1-800-FLOWERS", "+18003569377 2"),
            ("4791234567", "+4791234567 2"),
        ],
    );
}

#[test]
fn other_countries() {
    table(
        "DE",
        &[
            ("4915123456789", "+4915123456789 2"),
            ("0151 23456789", "+4915123456789 2"),
            ("+49 (0) 30 123456", "+4930123456 3"),
            ("+49 30 123456 (mobile)", "+4930123456 3"),
            ("030/123456", "+4930123456 2"),
            ("0049 (0)30 123456", "+4930123456 3"),
        ],
    );
    table("IT", &[("+39 (0)6 698 12345", "+390669812345 3"), ("06 698 12345", "+390669812345 2")]);
    table(
        "US",
        &[
            ("(212) 555-2368", "+12125552368 2"),
            ("011 7 916 123 45 67", "+79161234567 3"),
            ("212-555-2368 x12", "+12125552368;ext=12 2"),
        ],
    );
    table("MX", &[("+5215512345678", "+525512345678 3"), ("5215512345678@c.us", "+525512345678 2")]);
    table("BR", &[("+55 11 8765-4321", "+5511987654321 3"), ("551187654321@s.whatsapp.net", "+5511987654321 2")]);
    table("BJ", &[("+229 97 12 34 56", "+2290197123456 3")]);
}

#[test]
fn several_numbers_in_one_field() {
    for typed in [
        "8 916 123 45 67 / 8 495 123 45 67",
        "8 916 123 45 67, 8 495 123 45 67",
        "8 916 123 45 67; 84951234567",
        "8 916 123 45 67 или 8 495 123 45 67",
        "8 916 123 45 67\n8 495 123 45 67",
        "8 916 123 45 67 8 495 123 45 67",
        "+79161234567+74951234567",
        "моб 89161234567 раб 84951234567 моб 89161234567",
    ] {
        assert_eq!(keys(typed, hints("RU")), ["+79161234567", "+74951234567"], "{typed:?}");
    }
    assert_eq!(keys("8 495 123-45-67/68", hints("RU")), ["+74951234567"]);
}

#[test]
fn extensions() {
    for typed in [
        "84951234567 доб. 12",
        "84951234567 (доб. 12)",
        "84951234567, доб.12",
        "84951234567 вн. 12",
        "84951234567 внутр. 12",
        "84951234567 ext. 12",
        "84951234567 x12",
        "84951234567 х 12",
        "84951234567#12",
        "84951234567,12",
        "84951234567;12",
        "tel:+74951234567;ext=12",
        "8 (495) 123-45-67 доб № 12",
    ] {
        assert_eq!(keys(typed, hints("RU")), ["+74951234567;ext=12"], "{typed:?}");
    }
    assert_eq!(keys("84951234567, 2 человека", hints("RU")), ["+74951234567"]);
}

#[test]
fn links_ids_and_floats() {
    table(
        "RU",
        &[
            ("https://wa.me/79161234567?text=hi", "+79161234567 2"),
            ("https://api.whatsapp.com/send?phone=%2B79161234567&text=1234567890", "+79161234567 3"),
            ("79161234567@c.us", "+79161234567 2"),
            ("79161234567:12@s.whatsapp.net", "+79161234567 2"),
            ("viber://chat?number=%2B79161234567", "+79161234567 3"),
            ("tel:+7-916-123-45-67", "+79161234567 3"),
            ("TEL:8-916-123-45-67;phone-context=+7", "+79161234567 2"),
            ("7.9161234567E+10", "+79161234567 2"),
            ("7,9161234567E+10", "+79161234567 2"),
            ("79161234567.0", "+79161234567 2"),
            ("7.92E+10", "masked"),
        ],
    );
}

#[test]
fn what_is_no_phone() {
    table(
        "RU",
        &[
            ("", "empty"),
            (" \u{a0} ", "empty"),
            ("нет", "no_number"),
            ("-", "no_number"),
            ("sip:79161234567@host", "not_a_phone"),
            ("Anonymous", "not_a_phone"),
            ("+266696687", "not_a_phone"),
            ("900", "not_a_phone"),
            ("120363041234567890@g.us", "not_a_phone"),
            ("123-45-67", "too_short"),
            ("+7916", "masked"),
            ("+7 91612", "too_short"),
            ("+7 (___) ___-__-__", "masked"),
            ("+7 (916) ___-45-67", "masked"),
            ("+7 (XXX) XXX-XX-XX", "masked"),
            ("+7 916 *** ** 67", "masked"),
            ("+7", "masked"),
            ("+7 916 123 45 6", "invalid"),
            ("user79161234567@mail.ru", "no_number"),
            ("ИНН 7707083893", "no_number"),
        ],
    );
    assert_eq!(read(&"7".repeat(251), &Hints::default()).problem, Some(PhoneProblem::TooLong));
}

#[test]
fn the_input_that_makes_the_library_panic_is_harmless() {
    for typed in [
        "5;phone-context=+1;tel:0",
        "tel:5;phone-context=+1;tel:0",
        ";phone-context=+7tel:",
        "89161234567;phone-context=+1;tel:0",
    ] {
        drop(read(typed, &hints("RU")));
    }
    assert_eq!(panics(), 0);
}

#[test]
fn odd_patterns_are_flagged_and_still_read() {
    let flags = |typed: &str| {
        let phone = read(typed, &hints("RU")).phones.remove(0);
        (phone.looks_test, phone.unusable)
    };
    assert_eq!(flags("+7 916 123-45-67"), (true, false));
    assert_eq!(flags("+7 916 765-43-21"), (true, false));
    assert_eq!(flags("+7 916 555-35-35"), (true, false));
    assert_eq!(flags("+7 916 000-00-00"), (true, true));
    assert_eq!(flags("+7 999 999-99-99"), (true, true));
    assert_eq!(flags("+1 212 555 0123"), (true, false));
    assert_eq!(flags("+44 20 7946 0958"), (true, false));
    assert_eq!(flags("+7 916 248-13-57"), (false, false));
}

#[test]
fn hints_set_the_confidence() {
    let explicit = Hints { explicit: Country::parse("ru"), configured: Country::parse("DE"), ..Hints::default() };
    assert_eq!(one("89161234567", explicit), "+79161234567 3");
    assert_eq!(one("+79161234567", Hints { free_text: true, ..Hints::default() }), "+79161234567 2");
    assert_eq!(one("4791234567", Hints { provider_format: true, ..hints("RU") }), "+4791234567 2");
}

#[test]
fn writing_and_countries() {
    let phone = read("84951234567 доб 12", &hints("RU")).phones.remove(0);
    assert_eq!(phone.international(), "+7 495 123-45-67 ext. 12");
    assert_eq!(phone.country, Country::parse("ru"));
    assert_eq!(phone.kind, PhoneKind::FixedLine);
    assert_eq!(read("+54 9 11 2345-6789", &Hints::default()).phones[0].loose_key(), "+541123456789");
    assert_eq!(Country::parse("UK"), None);
    assert_eq!(Country::parse("001"), None);
    assert!("Russia".parse::<Country>().is_err());
    let json = serde_json::to_string(&phone).unwrap();
    assert_eq!(serde_json::from_str::<Phone>(&json).unwrap(), phone);
    let error = serde_json::from_str::<Country>("\"UK\"").unwrap_err().to_string();
    assert!(error.contains("two-letter"), "{error}");
}
