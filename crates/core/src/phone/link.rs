//! Links, messenger ids, spreadsheet floats and hidden callers: fields that hold a number in somebody's format.

use std::borrow::Cow;

/// What a whole field turns out to be before numbers are looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole<'t> {
    /// A number in a documented format, country code first; the plus may be missing.
    International(Cow<'t, str>),
    /// Nothing special: look for numbers in this text.
    Text(Cow<'t, str>),
    /// A float that has lost digits.
    Rounded,
    /// Something that is no phone.
    NotAPhone,
}

/// Looks at a cleaned, lower-case field.
pub(super) fn whole(text: &str) -> Whole<'_> {
    if is_hidden_caller(text) || text.starts_with("sip:") || text.starts_with("sips:") || text.ends_with("@g.us") {
        return Whole::NotAPhone;
    }
    if let Some(id) = messenger_id(text) {
        return Whole::International(Cow::Borrowed(id));
    }
    if let Some(number) = linked(text) {
        return Whole::International(decoded(number));
    }
    if let Some(rest) = ["tel:", "callto:", "sms:", "smsto:", "phone:"].iter().find_map(|scheme| text.strip_prefix(scheme)) {
        return Whole::Text(decoded(without_parameters(rest)));
    }
    if let Some(float) = float(text) {
        return float;
    }
    // Cut before anything else reads it: the library's fault needs this parameter, and a number has no use for it.
    let text = text.split(";phone-context=").next().unwrap_or_default();
    if text.starts_with("%2b") {
        return Whole::Text(decoded(text));
    }
    Whole::Text(without_addresses(text))
}

/// Caller ids of people who hide theirs, in words and as the digits that spell them on a keypad.
fn is_hidden_caller(text: &str) -> bool {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    matches!(
        word,
        "anonymous"
            | "anonym"
            | "unknown"
            | "private"
            | "private number"
            | "restricted"
            | "withheld"
            | "number withheld"
            | "unavailable"
            | "hidden"
            | "no number"
            | "blocked"
            | "скрыт"
            | "скрытый"
            | "скрытый номер"
            | "номер скрыт"
            | "аноним"
            | "анонимный"
            | "неизвестен"
            | "неизвестный"
            | "неизвестно"
            | "не определен"
            | "не определён"
            | "номер не определен"
            | "приховано"
            | "266696687"
            | "7378742883"
            | "86282452253"
            | "2562533"
            | "464669868"
    )
}

/// `79161234567@c.us`, `79161234567:12@s.whatsapp.net`.
fn messenger_id(text: &str) -> Option<&str> {
    let (id, host) = text.split_once('@')?;
    let id = id.split([':', '.']).next()?;
    let known = matches!(host, "c.us" | "s.whatsapp.net" | "whatsapp.net");
    (known && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit() || b == b'+')).then_some(id)
}

/// The number in a link to a messenger.
fn linked(text: &str) -> Option<&str> {
    const BEFORE: [&str; 9] = [
        "wa.me/",
        "whatsapp.com/send?phone=",
        "whatsapp.com/send/?phone=",
        "whatsapp://send?phone=",
        "viber://chat?number=",
        "viber://add?number=",
        "viber://contact?number=",
        "viber.click/",
        "t.me/+",
    ];
    let rest = BEFORE.iter().find_map(|before| Some(&text[text.find(before)? + before.len()..]))?;
    let number = rest.split(['?', '&', '/', '#', ' ', '\n']).next()?;
    // `t.me/+AbC` is an invitation and `wa.me/message/…` a short link: neither holds a number.
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (digits >= 7 && number.chars().all(|c| c.is_ascii_digit() || "+-%b ".contains(c))).then_some(number)
}

fn without_parameters(text: &str) -> &str {
    // `;ext=` is the one parameter of a tel URI that says who answers.
    match text.find([';', '?']) {
        Some(at) if !text[at..].starts_with(";ext=") => &text[..at],
        _ => text,
    }
}

/// Undoes the escapes that numbers have in links: `%2b` for the plus, `%20` for a blank.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') {
        let plain = text.replace("%2b", "+").replace("%20", " ").replace("%28", "(").replace("%29", ")").replace("%2d", "-");
        Cow::Owned(plain)
    } else {
        Cow::Borrowed(text)
    }
}

/// Blanks out e-mail addresses and links, whose digits are nobody's number.
fn without_addresses(text: &str) -> Cow<'_, str> {
    if !text.contains('@') && !text.contains("://") && !text.contains("www.") {
        return Cow::Borrowed(text);
    }
    let kept = text
        .split([' ', '\n'])
        .map(|word| if word.contains('@') || word.contains("://") || word.starts_with("www.") { "|" } else { word });
    Cow::Owned(kept.collect::<Vec<_>>().join(" "))
}

/// `7.9161234567e+10` and `79161234567.0`, as spreadsheets export numbers.
fn float(text: &str) -> Option<Whole<'_>> {
    let text = text.trim_start_matches('\'');
    if let Some((number, "0" | "00")) = text.split_once(['.', ',']) {
        let all_digits = number.len() >= 10 && number.bytes().all(|b| b.is_ascii_digit());
        return all_digits.then_some(Whole::Text(Cow::Borrowed(number)));
    }
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: usize = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (first, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let is_float = first.len() == 1 && first.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if !is_float || !(6..=15).contains(&exponent) {
        return None;
    }
    // Zeros at the end of the number are not written, so one or two missing digits are zeros; more were rounded away.
    if fraction.len() + 2 < exponent || fraction.len() > exponent {
        return Some(Whole::Rounded);
    }
    Some(Whole::Text(Cow::Owned(format!("{first}{fraction:0<exponent$}"))))
}
