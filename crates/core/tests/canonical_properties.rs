//! Properties of the canonical forms over any text: total, idempotent, and never a duplicate.

use leadgate_core::{
    email,
    name::{self, Agreement, NameKey},
    phone::{self, Country, Hints, Phone},
};
use proptest::prelude::*;

/// Text of the characters that fields are made of, dense enough to hit the rules.
fn fieldlike() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        any::<String>(),
        "[0-9+() ./,;x#_*доб-]{0,40}",
        "(\\+|00|8|7|tel:|wa.me/)?[0-9 ()-]{5,18}(;phone-context=|;ext=| доб |, | / |@c.us)?[0-9+tel:]{0,14}",
        "[a-zA-Z0-9._+@<>\",; %?&=-]{0,60}",
        "[А-ЯЁа-яёA-Za-z.'’ -]{0,40}",
        "[a-zčšžțäöüßхщёйьğıİŞ]{0,16}",
    ]
}

fn hints() -> impl Strategy<Value = Hints> {
    let country = || {
        prop::option::of(prop::sample::select(vec!["RU", "KZ", "US", "DE", "BY", "IT", "BR", "MX", "AR", "GB", "UA", "CN", "VN"]))
    };
    (country(), country(), any::<bool>(), any::<bool>()).prop_map(|(explicit, configured, provider_format, free_text)| Hints {
        explicit: explicit.and_then(Country::parse),
        configured: configured.and_then(Country::parse),
        provider_format,
        free_text,
    })
}

fn distinct(phones: &[Phone]) -> bool {
    let mut keys: Vec<String> = phones.iter().map(Phone::key).collect();
    keys.sort();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn phones_are_total_and_their_form_is_final(field in fieldlike(), hints in hints()) {
        let reading = phone::read(&field, &hints);
        prop_assert_eq!(reading.phones.is_empty(), reading.problem.is_some());
        prop_assert!(distinct(&reading.phones) && distinct(&reading.alternatives));
        for phone in reading.phones.iter().chain(&reading.alternatives) {
            prop_assert!((1..=3).contains(&phone.confidence));
            prop_assert!(!hints.free_text || phone.confidence < 3);
            prop_assert!(phone.e164.starts_with('+') && phone.e164[1..].bytes().all(|b| b.is_ascii_digit()));
            // Where the country is not in doubt, the form reads as itself.
            let again = phone::read(&phone.key().replace(";ext=", " ext. "), &Hints::default());
            prop_assert_eq!(&again.phones.iter().map(Phone::key).collect::<Vec<_>>(), &[phone.key()]);
            prop_assert_eq!(again.phones[0].kind, phone.kind);
            let shown = phone::read(&phone.international(), &Hints::default());
            prop_assert_eq!(&shown.phones.iter().map(|phone| phone.e164.clone()).collect::<Vec<_>>(), std::slice::from_ref(&phone.e164));
        }
        prop_assert_eq!(phone::panics(), 0);
    }

    #[test]
    fn what_stands_around_a_number_changes_nothing(subscriber in 1_000_000_u32..9_999_999, area in 0_usize..3, dressing in 0_usize..10) {
        let area = ["916", "903", "985"][area];
        let hints = Hints { configured: Country::parse("RU"), ..Hints::default() };
        let national = format!("{area}{subscriber}");
        let (a, b, c) = (&national[3..6], &national[6..8], &national[8..]);
        let typed = match dressing {
            0 => format!("+7 ({area}) {a}-{b}-{c}"),
            1 => format!("8 {area} {a} {b} {c}"),
            2 => format!("7{national}"),
            3 => national.clone(),
            4 => format!("8-{area}-{a}-{b}-{c}"),
            5 => format!("007 {area} {a} {b} {c}"),
            6 => format!("тел.: 8({area}){a}-{b}-{c} (моб), Иван"),
            7 => format!("https://wa.me/7{national}?text=1"),
            8 => format!("\u{202d}+7\u{a0}{area}\u{2011}{a}\u{2011}{b}\u{2011}{c}\u{202c}"),
            _ => format!("8 {area} {a}{b}{c}; 8 {area} {a}{b}{c}"),
        };
        let keys: Vec<String> = phone::read(&typed, &hints).phones.iter().map(Phone::key).collect();
        prop_assert_eq!(keys, [format!("+7{national}")], "{}", typed);
    }

    #[test]
    fn emails_are_total_and_their_key_is_final(field in fieldlike()) {
        let reading = email::read(&field);
        prop_assert_eq!(reading.emails.is_empty(), reading.problem.is_some());
        for email in &reading.emails {
            prop_assert!(!email.address.contains(char::is_whitespace) && !email.address.contains(char::is_control));
            prop_assert_eq!(email.address.matches('@').count(), 1);
            let again = email::read(&email.key);
            prop_assert_eq!(again.emails.iter().map(|email| &email.key).collect::<Vec<_>>(), [&email.key]);
            let written = email::read(&email.address);
            prop_assert_eq!(written.emails.iter().map(|email| &email.key).collect::<Vec<_>>(), [&email.key]);
            drop(email.suggestion());
        }
    }

    #[test]
    fn every_likely_address_is_read(local in "[a-z][a-z0-9_]{0,20}", domain in "[a-z]{2,12}\\.(ru|com|org|kz)") {
        let reading = email::read(&format!(" {}@{} ", local.to_uppercase(), domain));
        prop_assert_eq!(reading.emails.len(), 1);
        prop_assert_eq!(&reading.emails[0].domain, &domain);
    }

    #[test]
    fn names_are_total_and_folds_are_final(typed in fieldlike(), other in fieldlike()) {
        let once = name::fold(&typed);
        prop_assert_eq!(&name::fold(&once), &once);
        let name = name::read(&typed);
        prop_assert_eq!(&name::read(&name.typed), &name);
        let key = name.key();
        prop_assert_eq!(&NameKey::parse(key.as_str()), &key);
        prop_assert!(!name.is_real() || !key.is_empty());
        let parsed = NameKey::parse(&typed);
        prop_assert_eq!(&NameKey::parse(parsed.as_str()), &parsed);

        let others = name::read(&other).key();
        let same_sort = |a: Agreement, b: Agreement| std::mem::discriminant(&a) == std::mem::discriminant(&b);
        prop_assert!(same_sort(name::compare(&key, &others), name::compare(&others, &key)));
        if name.is_real() {
            let agrees = matches!(name::compare(&key, &key), Agreement::Agree { .. });
            prop_assert!(agrees);
        }
    }
}
