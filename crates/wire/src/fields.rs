//! What a form's field is, by its name and by the look of its value.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use crate::body::Entry;
use crate::words::{FILLERS, NOT_A_CONTACT, PERSONS, PHRASES, SERVICE, SERVICE_PREFIXES, TOKENS, WRAPPERS};

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person's name.
    Name,
    /// A name only if nothing else is, and only if it reads like one (`user_name`).
    NameGuess,
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The patronymic or middle name.
    Patronymic,
    /// A phone.
    Phone,
    /// A messenger: a phone if a number stands in it.
    Messenger,
    /// An e-mail.
    Email,
    /// "Phone or e-mail": the value tells.
    PhoneOrEmail,
    /// What they write.
    Message,
    /// The line that names the enquiry.
    Subject,
    /// A country.
    Country,
    /// A company.
    Company,
    /// A city.
    City,
    /// The page the form stands on.
    Page,
    /// The page the visit began with.
    Landing,
    /// Where the visitor came from.
    Referrer,
    /// The form's id.
    FormId,
    /// The form's name.
    FormName,
    /// An agreement.
    Consent,
    /// Of use to the form's software only.
    Service,
    /// Never kept.
    Secret,
    /// Anything else.
    Other,
}

impl Kind {
    /// The name in a config's `fields`.
    pub fn parse(text: &str) -> Option<Self> {
        NAMED.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    /// The name for people; where a config has one, it is that.
    pub fn name(self) -> &'static str {
        match self {
            Self::NameGuess => "name",
            Self::Messenger | Self::PhoneOrEmail => "phone",
            known => NAMED.iter().find(|(_, kind)| *kind == known).map_or("field", |(name, _)| name),
        }
    }

    /// The names [`Self::parse`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }
}

const NAMED: &[(&str, Kind)] = &[
    ("name", Kind::Name),
    ("given_name", Kind::GivenName),
    ("family_name", Kind::FamilyName),
    ("first_name", Kind::GivenName),
    ("last_name", Kind::FamilyName),
    ("patronymic", Kind::Patronymic),
    ("phone", Kind::Phone),
    ("email", Kind::Email),
    ("message", Kind::Message),
    ("title", Kind::Subject),
    ("country", Kind::Country),
    ("page", Kind::Page),
    ("landing", Kind::Landing),
    ("referrer", Kind::Referrer),
    ("form_id", Kind::FormId),
    ("form_name", Kind::FormName),
    ("consent", Kind::Consent),
    ("secret", Kind::Secret),
    ("ignore", Kind::Service),
    ("field", Kind::Other),
];

/// What a field is, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// The whole label says so, not just a word in it.
    pub exact: bool,
}

/// A field's label in the form in which labels are compared.
pub fn label(path: &[String]) -> String {
    let mut parts = path;
    while let [first, rest @ ..] = parts
        && rest.iter().any(|part| !is_index(part))
        && WRAPPERS.contains(&first.trim().to_ascii_lowercase().as_str())
    {
        parts = rest;
    }
    // `fields[name][value]`: the container of a value names it.
    while let [rest @ .., last] = parts
        && !rest.is_empty()
        && matches!(last.as_str(), "value" | "raw_value")
    {
        parts = rest;
    }
    let mut text = String::new();
    for part in parts.iter().enumerate().filter(|(at, part)| *at == 0 || !is_index(part)).map(|(_, part)| part) {
        text.push(' ');
        spaced(part, &mut text);
    }
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let meant: Vec<&str> = words.iter().copied().filter(|word| !FILLERS.contains(word)).collect();
    let mut kept = if meant.is_empty() { words } else { meant };
    // `Phone_2`, `tel-123`, `email 1`
    while kept.len() > 1 && kept.last().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit())) {
        kept.pop();
    }
    if let Some(last) = kept.last_mut() {
        // `phone2`; but a word of one letter is a name of its own.
        let stem = last.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.chars().count() > 2 && !matches!(*last, "cvv2" | "cvc2") {
            *last = stem;
        }
    }
    kept.join(" ").replace("whats app", "whatsapp")
}

fn is_index(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit())
}

/// Lower case, words apart: `firstName`, `first-name` and `First name:` are all `first name`.
fn spaced(part: &str, out: &mut String) {
    let mut after_lower = false;
    for c in part.chars().take(200) {
        if c.is_alphanumeric() {
            if c.is_uppercase() && after_lower {
                out.push(' ');
            }
            after_lower = c.is_lowercase();
            match c {
                'ё' | 'Ё' => out.push('е'),
                _ => out.extend(c.to_lowercase()),
            }
        } else if is_mark(c) {
            // A combining accent belongs to its letter.
            out.push(c);
        } else {
            after_lower = false;
            out.push(' ');
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// The most names remembered at a time by one thread.
const REMEMBERED: usize = 512;
/// The most bytes of a remembered name. Longer ones are nobody's form fields, and are read anew.
const REMEMBERED_BYTES: usize = 64;

thread_local! {
    /// Forms have the same few fields for ever. Full, it begins anew: a flood of invented names costs no memory.
    static KNOWN: RefCell<HashMap<Vec<String>, Found>> = RefCell::default();
}

/// What a field is by its name alone. Remembers names: the answer depends on nothing else.
pub fn classify(path: &[String]) -> Found {
    if path.iter().map(|part| part.len() + 1).sum::<usize>() > REMEMBERED_BYTES {
        return by_name(path);
    }
    if let Some(found) = KNOWN.with_borrow(|known| known.get(path).copied()) {
        return found;
    }
    let found = by_name(path);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_vec(), found);
    });
    found
}

/// [`classify`] without a memory.
fn by_name(path: &[String]) -> Found {
    let exact = |kind| Found { kind, exact: true };
    let Some(first) = path.first() else { return Found { kind: Kind::Other, exact: false } };
    let plain = last_part(path).trim().to_ascii_lowercase();
    let head = first.trim().to_ascii_lowercase();
    if SERVICE.contains(plain.as_str()) || SERVICE_PREFIXES.iter().any(|prefix| head.starts_with(prefix)) {
        return exact(Kind::Service);
    }
    // The plain names most forms use need no taking apart.
    if let ([_], Some(kind)) = (path, PHRASES.get(plain.as_str())) {
        return exact(*kind);
    }
    if let Some(kind) = form_itself(path, &head) {
        return exact(kind);
    }
    let found = by_label(&label(path));
    // A password is one in whatever container.
    if path.len() > 1
        && found.kind != Kind::Secret
        && by_label(&label(std::slice::from_ref(&path[path.len() - 1]))).kind == Kind::Secret
    {
        return exact(Kind::Secret);
    }
    found
}

/// `form_name`, `form[name]`, `form-id`, `Form`: the form, never a person.
fn form_itself(path: &[String], head: &str) -> Option<Kind> {
    let mut joined = String::new();
    for part in path.iter().filter(|part| !is_index(part)) {
        spaced(part, &mut joined);
        joined.push(' ');
    }
    let words: Vec<&str> = joined.split(' ').filter(|word| !word.is_empty()).collect();
    let tail = words.strip_suffix(&["value"]).unwrap_or(&words);
    match tail {
        ["form"] if head.trim_matches('_') == "form" => Some(Kind::FormName),
        [.., "form", "name" | "title" | "subject" | "label"] | [.., "formname" | "formtitle"] => Some(Kind::FormName),
        [.., "form", "id" | "uid" | "key"] | [.., "formid"] => Some(Kind::FormId),
        _ => None,
    }
}

fn by_label(label: &str) -> Found {
    if let Some(kind) = PHRASES.get(label) {
        return Found { kind: *kind, exact: true };
    }
    let words: Vec<&str> = label.split(' ').collect();
    if let Some(kind) = of_a_person(&words) {
        return Found { kind, exact: true };
    }
    let has = |kind: Kind| words.iter().any(|word| TOKENS.get(word) == Some(&kind));
    let alone = words.len() == 1;
    let kind = if has(Kind::Secret) {
        Kind::Secret
    } else if has(Kind::Consent) {
        Kind::Consent
    } else if words.iter().any(|word| NOT_A_CONTACT.contains(word)) || words.starts_with(&["i", "phone"]) {
        Kind::Other
    } else if has(Kind::Phone) && has(Kind::Email) {
        Kind::PhoneOrEmail
    } else if has(Kind::Email) {
        Kind::Email
    } else if has(Kind::Phone) {
        Kind::Phone
    } else if has(Kind::Messenger) {
        Kind::Messenger
    } else if has(Kind::Message) {
        Kind::Message
    } else {
        Kind::Other
    };
    Found { kind, exact: alone && kind != Kind::Other }
}

/// `customer first name`, `order[customer][name]`: a name behind a word for a person.
fn of_a_person(words: &[&str]) -> Option<Kind> {
    let person = words.iter().rposition(|word| PERSONS.contains(word))?;
    let kind = *PHRASES.get(words[person + 1..].join(" ").as_str())?;
    matches!(kind, Kind::Name | Kind::GivenName | Kind::FamilyName | Kind::Patronymic).then_some(kind)
}

/// What a field is by its name and value: an agreement agrees or refuses, a page is a URL.
pub fn read(entry: &Entry) -> Found {
    refine(classify(&entry.path), entry)
}

/// [`read`] for a name that was classified before.
pub fn refine(found: Found, entry: &Entry) -> Found {
    let value = entry.value.trim();
    let other = Found { kind: Kind::Other, exact: false };
    match found.kind {
        Kind::Consent if agreement(value).is_none() => {
            if looks_like_email(value) && label(&entry.path).split(' ').any(|word| TOKENS.get(word) == Some(&Kind::Email)) {
                return Found { kind: Kind::Email, exact: false };
            }
            other
        }
        Kind::PhoneOrEmail | Kind::Phone if looks_like_email(value) => Found { kind: Kind::Email, exact: false },
        Kind::PhoneOrEmail if digits(value) >= 5 => Found { kind: Kind::Phone, exact: false },
        Kind::Messenger if digits(value) >= 9 && looks_like_phone(value) => Found { kind: Kind::Phone, exact: false },
        Kind::PhoneOrEmail | Kind::Messenger => other,
        Kind::Email if !value.contains('@') && looks_like_phone(value) => Found { kind: Kind::Phone, exact: false },
        Kind::Page | Kind::Landing | Kind::Referrer if !looks_like_url(value) => other,
        Kind::NameGuess if !looks_like_name(value) => other,
        _ => found,
    }
}

/// Whether a value agrees (`on`, `yes`, the wording itself) or refuses; `None`: it does neither.
pub fn agreement(value: &str) -> Option<bool> {
    let lower = value.trim().to_lowercase();
    match lower.as_str() {
        "on" | "yes" | "y" | "1" | "true" | "checked" | "ok" | "agree" | "agreed" | "accept" | "accepted" | "i agree" | "да"
        | "согласен" | "согласна" | "принято" | "принимаю" | "так" | "ja" | "si" | "sí" | "sim" | "oui" | "consent" | "+" =>
        {
            return Some(true);
        }
        "off"
        | "no"
        | "n"
        | "0"
        | "false"
        | "unchecked"
        | "нет"
        | "не согласен"
        | "не согласна"
        | "ні"
        | "nein"
        | "não"
        | "non" => {
            return Some(false);
        }
        _ => {}
    }
    let words = [
        "agree",
        "accept",
        "consent",
        "соглас",
        "принима",
        "погоджу",
        "zustimm",
        "stimme",
        "einverstanden",
        "acepto",
        "aceito",
        "accepte",
    ];
    (lower.chars().count() >= 8 && words.iter().any(|word| lower.contains(word))).then_some(true)
}

/// The name to show: without containers around it and without a trailing `[]`.
pub fn display(entry: &Entry) -> Cow<'_, str> {
    let wrapped = |part: &str| WRAPPERS.contains(&part.trim().to_ascii_lowercase().as_str());
    match entry.path.as_slice() {
        [_] => Cow::Borrowed(entry.name.trim()),
        [first, second] if second.is_empty() => Cow::Borrowed(first.trim()),
        [first, second] if wrapped(first) && !is_index(second) => Cow::Borrowed(second.trim()),
        _ => Cow::Borrowed(entry.name.trim().strip_suffix("[]").unwrap_or(entry.name.trim())),
    }
}

/// The last part of a name that is neither empty nor a number.
pub fn last_part(path: &[String]) -> &str {
    path.iter().rev().find(|part| !is_index(part)).or(path.first()).map_or("", String::as_str)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether a value is one e-mail address and nothing else.
pub fn looks_like_email(value: &str) -> bool {
    let value = value.trim();
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let clean = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\"\\/?&=%".contains(c));
    let Some((host, tld)) = domain.rsplit_once('.') else { return false };
    value.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && clean(local)
        && clean(domain)
        && !host.is_empty()
        && !host.starts_with('.')
        && !domain.contains("..")
        && tld.chars().count() >= 2
        && tld.chars().all(char::is_alphabetic) | tld.starts_with("xn--")
}

/// Whether a value can only be a phone: orders, dates, tax numbers and snippets of text are not.
pub fn looks_like_phone(value: &str) -> bool {
    let value = value.trim();
    if value.len() > 30 || !value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'+' | b'(' | b')' | b'-' | b'.')) {
        return false;
    }
    let number: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
    let plus = value.bytes().filter(|b| *b == b'+').count();
    if plus > 0 {
        return plus == 1 && value.starts_with('+') && (9..=15).contains(&number.len());
    }
    let groups: Vec<usize> = value.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
    let russian = number.len() == 11 && matches!(number[0], b'7' | b'8') && matches!(number[1], b'3' | b'4' | b'8' | b'9');
    // 123-456-789 01 is a social insurance number.
    let insurance = groups == [3, 3, 3, 2];
    let bracketed = value.contains('(') && value.contains(')') && (10..=12).contains(&number.len());
    let grouped = matches!(groups.as_slice(), [3, 3, 4] | [3, 3, 2, 2] | [3, 2, 2, 3]);
    let abroad = value.starts_with("00") && (11..=15).contains(&number.len());
    (russian && !insurance) || bracketed || grouped || abroad
}

/// Whether a value is an absolute URL, a host with a path, or a path.
pub fn looks_like_url(value: &str) -> bool {
    let value = value.trim();
    if value.is_empty()
        || value.len() > 4000
        || value.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
    {
        return false;
    }
    let web = value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && value.contains("://");
    let path = value.starts_with('/') && !value.starts_with("//");
    let host = value.split(['/', '?']).next().unwrap_or_default();
    let hosted = host.len() < 254 && host.contains('.') && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.');
    web || path || (hosted && !value.contains(':'))
}

/// Whether a value reads like a person's name: a few words of letters, at least one capital or a script without Latin letters.
pub fn looks_like_name(value: &str) -> bool {
    let value = value.trim();
    let words = value.split_whitespace().count();
    (1..=5).contains(&words)
        && value.chars().count() <= 80
        && value.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || is_mark(c) || matches!(c, '-' | '\'' | '’' | '.'))
        && value.chars().next().is_some_and(|c| c.is_uppercase() || (c.is_alphabetic() && !c.is_ascii()))
}

#[cfg(test)]
mod tests;
