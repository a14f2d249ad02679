//! Reading a whole field.

use super::{
    Hints, Phone, PhoneKind, PhoneProblem, Reading, clean,
    digits::Digits,
    link::{self, Whole},
    resolve::{Resolved, resolve},
    scan::{Candidate, scan},
};

/// The longest field that is read. libphonenumber has the same limit; nobody writes numbers in longer ones.
const MAX_BYTES: usize = 250;

/// Reads the numbers of a field. Total: any text gives phones or a problem, and nothing panics.
///
/// Several numbers in one field give several phones, in order and without duplicates. Numbers that no plan knows give no
/// phone; the text itself is kept elsewhere, as typed.
///
/// ```
/// use leadgate_core::phone::{self, Country, Hints};
///
/// let hints = Hints { configured: Country::parse("RU"), ..Hints::default() };
/// let reading = phone::read("8 (916) 123-45-67 доб. 12", &hints);
/// assert_eq!(reading.phones[0].key(), "+79161234567;ext=12");
/// ```
pub fn read(field: &str, hints: &Hints) -> Reading {
    let field = field.trim();
    if field.is_empty() {
        return Reading { problem: Some(PhoneProblem::Empty), ..Reading::default() };
    }
    let hints = *hints;
    if let Some(reading) = clean_number(field, hints) {
        return reading;
    }
    if field.len() > MAX_BYTES {
        return Reading { problem: Some(PhoneProblem::TooLong), ..Reading::default() };
    }
    let text = clean::clean(field);
    match link::whole(text.trim()) {
        Whole::NotAPhone => Reading { problem: Some(PhoneProblem::NotAPhone), ..Reading::default() },
        Whole::Rounded => Reading { problem: Some(PhoneProblem::Masked), ..Reading::default() },
        Whole::International(number) => {
            let candidate = Candidate::of(Digits::of(&number), number.starts_with('+'), true);
            gather(&[candidate], "", Hints { provider_format: true, ..hints })
        }
        Whole::Text(text) => gather(&scan(&text), &text, hints),
    }
}

/// The way most numbers come: digits and plain punctuation, one number. The same resolution as for any candidate, without
/// the work of finding it; whatever is not a plain valid number goes the long way.
fn clean_number(field: &str, hints: Hints) -> Option<Reading> {
    let bytes = field.as_bytes();
    if bytes.len() > 32 || field.contains("(0)") {
        return None;
    }
    let plus = bytes[0] == b'+';
    let mut digits = Digits::new();
    let mut last_digit = 0;
    let mut gaps = 0;
    for (at, byte) in bytes.iter().enumerate().skip(usize::from(plus)) {
        match byte {
            b'0'..=b'9' => {
                if !digits.is_empty() && at != last_digit + 1 {
                    gaps += 1;
                }
                last_digit = at;
                digits.push(*byte);
            }
            b' ' | b'-' | b'(' | b')' => {}
            _ => return None,
        }
    }
    if !(8..=15).contains(&digits.len()) {
        return None;
    }
    let candidate = Candidate::of(digits, plus, gaps == 0);
    let resolved = resolve(&candidate, hints);
    (!resolved.phones.is_empty()).then_some(Reading {
        phones: resolved.phones,
        alternatives: resolved.alternatives,
        problem: None,
    })
}

/// Resolves candidates one after another; `text` is where they were found, for words instead of digits.
fn gather(candidates: &[Candidate], text: &str, hints: Hints) -> Reading {
    let mut reading = Reading::default();
    for candidate in candidates.iter().filter(|candidate| !candidate.broken) {
        let resolved = resolve_or_part(candidate, hints);
        add(&mut reading.phones, resolved.phones);
        add(&mut reading.alternatives, resolved.alternatives);
    }
    if reading.phones.is_empty() && candidates.is_empty() {
        reading.phones = vanity(text, hints).phones;
    }
    let Reading { phones, alternatives, .. } = &mut reading;
    alternatives.retain(|other| phones.iter().all(|phone| phone.key() != other.key()));
    if phones.is_empty() {
        reading.problem = Some(problem(candidates, text));
    }
    reading
}

fn add(phones: &mut Vec<Phone>, more: Vec<Phone>) {
    for phone in more {
        match phones.iter_mut().find(|known| known.e164 == phone.e164 && known.extension == phone.extension) {
            Some(known) => known.confidence = known.confidence.max(phone.confidence),
            None => phones.push(phone),
        }
    }
}

/// Reads a candidate; if no plan knows it, without a remark in a last bracket, or as two numbers set apart by a blank.
fn resolve_or_part(candidate: &Candidate, hints: Hints) -> Resolved {
    let whole = resolve(candidate, hints);
    if !whole.phones.is_empty() || candidate.digits.len() > candidate.digits.as_str().len() {
        return whole;
    }
    let digits = candidate.digits.as_str();
    let part = |digits: &str, plus: bool| {
        let candidate = Candidate::of(Digits::of(digits), plus, false);
        resolve(&candidate, hints)
    };
    if let Some(before) = candidate.before_bracket.filter(|before| *before < digits.len()) {
        let without = part(&digits[..before], candidate.plus);
        if !without.phones.is_empty() {
            return without;
        }
    }
    let halves = candidate.gaps.iter().filter(|gap| **gap >= 7 && digits.len() - **gap >= 7);
    for gap in halves {
        let mut first = part(&digits[..*gap], candidate.plus);
        let second = part(&digits[*gap..], false);
        if !first.phones.is_empty() && !second.phones.is_empty() {
            first.phones.extend(second.phones);
            return first;
        }
    }
    whole
}

/// `1-800-FLOWERS`: letters for keypad digits. Only service numbers are advertised so; a person's number in letters is
/// more likely a word.
fn vanity(text: &str, hints: Hints) -> Resolved {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b" -().+".contains(&b));
    let letters = text.bytes().filter(u8::is_ascii_lowercase).count();
    let first_letter = text.find(|c: char| c.is_ascii_lowercase()).unwrap_or_default();
    let before = text[..first_letter].bytes().filter(u8::is_ascii_digit).count();
    if !plain || letters < 3 || before < 3 {
        return Resolved::default();
    }
    let mut digits = Digits::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits.push(byte),
            b'a'..=b'z' => digits.push(b"22233344455566677778889999"[usize::from(byte - b'a')]),
            _ => {}
        }
    }
    if !(10..=15).contains(&digits.len()) {
        return Resolved::default();
    }
    let mut resolved = resolve(&Candidate::of(digits, text.starts_with('+'), true), hints);
    resolved
        .phones
        .retain(|phone| matches!(phone.kind, PhoneKind::TollFree | PhoneKind::SharedCost | PhoneKind::Premium | PhoneKind::Uan));
    resolved
}

fn problem(candidates: &[Candidate], text: &str) -> PhoneProblem {
    let Some(longest) = candidates.iter().max_by_key(|candidate| candidate.digits.len()) else {
        return PhoneProblem::NoNumber;
    };
    let len = longest.digits.len();
    // What an input mask leaves when nothing was typed into it.
    let is_prefix_only = longest.plus && len <= 4;
    if candidates.iter().any(|candidate| candidate.masked) || is_prefix_only {
        PhoneProblem::Masked
    } else if len == 0 {
        PhoneProblem::NoNumber
    } else if len < 7 && (longest.plus || text.chars().any(char::is_alphabetic)) {
        PhoneProblem::TooShort
    } else if len < 7 {
        PhoneProblem::NotAPhone
    } else if len == 7 {
        PhoneProblem::TooShort
    } else {
        PhoneProblem::Invalid
    }
}
