//! Tables of what people type, and of what providers document.

use super::*;

fn keys(field: &str) -> Vec<String> {
    read(field).emails.into_iter().map(|email| email.key).collect()
}

fn one(field: &str) -> Email {
    let mut reading = read(field);
    assert_eq!(reading.emails.len(), 1, "{field:?}: {reading:?}");
    reading.emails.remove(0)
}

#[test]
fn keys_follow_what_providers_document() {
    for (typed, key, loose) in [
        ("Anna.Petrova+shop@GoogleMail.com", "annapetrova@gmail.com", "annapetrova@gmail.com"),
        ("a.b+c@company.ru", "a.b+c@company.ru", "ab@company.ru"),
        ("A.B+c@Outlook.com", "a.b@outlook.com", "ab@outlook.com"),
        ("a.b+c@hotmail.co.uk", "a.b@hotmail.co.uk", "ab@hotmail.co.uk"),
        ("a.b+c@live.com.mx", "a.b@live.com.mx", "ab@live.com.mx"),
        ("a+c@live.company.com", "a+c@live.company.com", "a@live.company.com"),
        ("a.b+c@me.com", "a.b@icloud.com", "ab@icloud.com"),
        ("a.b+c@ya.ru", "a.b@yandex.ru", "ab@yandex.ru"),
        ("a-b@yandex.com.tr", "a-b@yandex.ru", "ab@yandex.ru"),
        ("a.b+c@bk.ru", "a.b@bk.ru", "ab@bk.ru"),
        ("a.b+c@mail.ru", "a.b@mail.ru", "ab@mail.ru"),
        ("a.b_c-d+e@pm.me", "abcd@pm.me", "abcd@proton.me"),
        ("a.b+c@fastmail.fm", "a.b@fastmail.fm", "ab@fastmail.fm"),
        ("shop@anna.fastmail.com", "anna@fastmail.com", "anna@fastmail.com"),
        ("a-b+c@yahoo.com", "a-b+c@yahoo.com", "ab@yahoo.com"),
        ("a+c@zoho.com", "a@zoho.com", "a@zoho.com"),
        ("+tag@gmail.com", "+tag@gmail.com", "+tag@gmail.com"),
        ("Иван@Почта.РФ", "иван@xn--80a1acny.xn--p1ai", "иван@xn--80a1acny.xn--p1ai"),
        ("ivan@bücher.example", "ivan@xn--bcher-kva.example", "ivan@xn--bcher-kva.example"),
    ] {
        let email = one(typed);
        assert_eq!((email.key.as_str(), email.loose.as_str()), (key, loose), "{typed:?}");
        assert_eq!(email.address, typed, "the address to write to is never changed");
    }
}

#[test]
fn addresses_are_found_in_what_surrounds_them() {
    for typed in [
        "ivan@mail.ru",
        " ivan@mail.ru ",
        "\"Иванов, Иван\" <ivan@mail.ru>",
        "Иван <ivan@mail.ru>",
        "<ivan@mail.ru>",
        "mailto:ivan@mail.ru?subject=Hi",
        "MAILTO:ivan@mail.ru",
        "email: ivan@mail.ru",
        "Почта:ivan@mail.ru",
        "ivan @ mail.ru",
        "ivan＠mail.ru",
        "ivan@mail.ru.",
        "(ivan@mail.ru)",
        "\u{feff}ivan@mail.ru\u{200b}",
        "ivan@mail.ru, ivan@mail.ru",
        "IVAN@MAIL.RU",
        "ivan@mail.ru\n",
    ] {
        assert_eq!(keys(typed), ["ivan@mail.ru"], "{typed:?}");
    }
    for typed in [
        "a@mail.ru, b@mail.ru",
        "a@mail.ru;b@mail.ru",
        "a@mail.ru b@mail.ru",
        "a@mail.ru\r\nb@mail.ru",
        "A <a@mail.ru>, B <b@mail.ru>",
    ] {
        assert_eq!(keys(typed), ["a@mail.ru", "b@mail.ru"], "{typed:?}");
    }
}

#[test]
fn what_is_no_address() {
    for (typed, problem) in [
        ("", EmailProblem::Empty),
        ("\u{200b}", EmailProblem::Empty),
        ("нет", EmailProblem::NoAt),
        ("ivan.mail.ru", EmailProblem::NoAt),
        ("ivan@mail", EmailProblem::Domain),
        ("ivan@", EmailProblem::Domain),
        ("ivan@-mail.ru", EmailProblem::Domain),
        ("ivan@mail..ru", EmailProblem::Domain),
        ("@mail.ru", EmailProblem::Local),
        ("ivan..petrov@mail.ru", EmailProblem::Local),
        ("ivan@petrov@mail.ru", EmailProblem::Local),
        ("ivan@[192.0.2.1]", EmailProblem::IpLiteral),
        ("ivan@192.0.2.1", EmailProblem::IpLiteral),
        ("ivan@mail.ru\nBcc: spy@example.net", EmailProblem::Control),
        ("ivan@mail.ru\0", EmailProblem::Control),
        ("?to=victim%40example.com&bcc=spy@example.net&x=@example.com", EmailProblem::Local),
        ("ivan@mail.ru, ?bcc=spy@example.net", EmailProblem::Local),
        ("a%0abcc:spy@example.net", EmailProblem::Local),
    ] {
        let reading = read(typed);
        assert_eq!((reading.emails.len(), reading.problem), (0, Some(problem)), "{typed:?}");
    }
    assert_eq!(read(&format!("{}@mail.ru", "a".repeat(65))).problem, Some(EmailProblem::TooLong));
    assert_eq!(read(&"a@mail.ru ".repeat(200)).problem, Some(EmailProblem::TooLong));
}

#[test]
fn flags_say_what_an_address_is() {
    let flags = |typed: &str| one(typed).flags;
    assert!(flags("info@romashka.ru").role && !flags("info@romashka.ru").free_mail);
    assert!(flags("Zakaz2@romashka.ru").role && flags("buh@romashka.ru").role);
    assert!(!flags("ivan@romashka.ru").role && flags("ivan@romashka.ru") == EmailFlags::default());
    assert!(flags("no-reply@shop.ru").no_reply && flags("noreply@shop.ru").role);
    for typed in [
        "test@test.com",
        "test@mail.ru",
        "a@example.com",
        "ivan@site.test",
        "qwe@qwe.ru",
        "email@email.com",
        "111@111.ru",
        "aaa@gmail.com",
    ] {
        assert!(flags(typed).placeholder, "{typed}");
    }
    for typed in ["ivan@mail.ru", "anna@test-drive.ru", "name@mail.ru", "ivan@gmail.com", "info@test.romashka.ru"] {
        assert!(!flags(typed).placeholder, "{typed}");
    }
    assert!(
        flags("a@mailinator.com").disposable && flags("a@sub.mailinator.com").disposable && flags("a@yopmail.com").disposable
    );
    for typed in [
        "anna@gmail.com",
        "anna@duck.com",
        "anna@privaterelay.appleid.com",
        "anna@mail.ru",
        "anna@passmail.net",
        "anna@romashka.ru",
    ] {
        assert!(!flags(typed).disposable, "{typed}");
    }
    assert!(flags("a@mail.qqqq").unknown_tld && !flags("a@mail.рф").unknown_tld);
}

#[test]
fn suggestions_name_the_domain_that_was_meant() {
    for (typed, meant) in [
        ("Ivan@gmial.com", Some("Ivan@gmail.com")),
        ("ivan@gmail.con", Some("ivan@gmail.com")),
        ("ivan@gmaol.com", Some("ivan@gmail.com")),
        ("ivan@yandx.ru", Some("ivan@yandex.ru")),
        ("ivan@yanddex.ru", Some("ivan@yandex.ru")),
        ("ivan@ramblr.ru", Some("ivan@rambler.ru")),
        ("ivan@mali.ru", Some("ivan@mail.ru")),
        ("ivan@hotmial.com", Some("ivan@hotmail.com")),
        ("ivan@gmail.ru", Some("ivan@gmail.com")),
        ("ivan@mail.ru", None),
        ("ivan@mail.ua", None),
        ("ivan@email.com", None),
        ("ivan@romashka.ru", None),
    ] {
        assert_eq!(one(typed).suggestion().as_deref(), meant, "{typed}");
    }
}

/// Every single-slip typo of the well-known domains: enough are recognised, and none as another domain than was meant.
#[test]
fn single_slips_are_recognised() {
    let (mut right, mut wrong, mut all) = (0_u32, Vec::new(), 0_u32);
    for top in lists::words(include_str!("../../data/email_top.txt")) {
        for typo in slips(top) {
            if lists::is_free(&typo) {
                continue;
            }
            all += 1;
            match suggest::domain(&typo) {
                Some(meant) if meant == top => right += 1,
                Some(meant) => wrong.push((typo, meant, top)),
                None => {}
            }
        }
    }
    assert!(f64::from(right) / f64::from(all) >= 0.92, "{right} of {all}");
    // Two domains a slip apart from each other share a few typos; a hand-made pair may then prefer the greater one.
    assert!(wrong.len() * 500 < all as usize, "{wrong:?}");
}

/// Swaps, losses, doublings and neighbours on the keyboard.
fn slips(domain: &str) -> Vec<String> {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let mut found = Vec::new();
    let chars: Vec<char> = domain.chars().collect();
    for at in 0..chars.len() {
        if chars[at] == '.' {
            continue;
        }
        let with =
            |middle: &[char], skip: usize| -> String { [&chars[..at], middle, &chars[at + skip..]].concat().iter().collect() };
        found.push(with(&[], 1));
        found.push(with(&[chars[at], chars[at]], 1));
        if let Some(next) = chars.get(at + 1).filter(|next| **next != '.' && **next != chars[at]) {
            found.push(with(&[*next, chars[at]], 2));
        }
        for row in ROWS {
            if let Some(place) = row.find(chars[at]) {
                found.extend(row.chars().nth(place + 1).map(|near| with(&[near], 1)));
                found.extend(place.checked_sub(1).and_then(|before| row.chars().nth(before)).map(|near| with(&[near], 1)));
            }
        }
    }
    found.sort();
    found.dedup();
    found.retain(|typo| typo != domain && typo.contains('.') && !typo.ends_with('.') && !typo.starts_with('.'));
    found
}
