//! Whether bytes hold one of a person's phones, e-mails or other ids, however they are written.

use leadgate_core::prepare::IdentityKind;
use leadgate_core::views::IdentityView;

/// The last digits of a number that are written in every form of it.
const DIGITS: usize = 9;
/// Fewer digits, and shorter ids, stand in too much.
const LEAST: usize = 6;

/// What is looked for.
#[derive(Debug, Default)]
pub(super) struct Needles {
    /// Digits.
    phones: Vec<String>,
    /// In lower case.
    texts: Vec<String>,
}

impl Needles {
    pub(super) fn of(identities: &[IdentityView]) -> Self {
        let mut needles = Self::default();
        for identity in identities {
            if identity.kind == IdentityKind::PHONE {
                let number = identity.value.split(';').next().unwrap_or_default();
                let digits: String = number.chars().filter(char::is_ascii_digit).collect();
                if digits.len() >= LEAST {
                    needles.phones.push(digits[digits.len().saturating_sub(DIGITS)..].to_owned());
                }
            } else {
                let texts = [&identity.value, &identity.display].map(|text| text.to_lowercase());
                needles.texts.extend(texts.into_iter().filter(|text| text.chars().count() >= LEAST));
            }
        }
        needles
    }

    /// Whether one of them stands in a query or a body, as it is or percent-encoded.
    pub(super) fn stand_in(&self, query: &str, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        [query, &body].into_iter().any(|text| self.in_text(text) || self.in_text(&decoded(text)))
    }

    fn in_text(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        if self.texts.iter().any(|needle| lower.contains(needle)) {
            return true;
        }
        let together: String = lower.chars().filter(|c| !is_between_digits(*c)).collect();
        self.phones.iter().any(|needle| together.contains(needle))
    }
}

/// What people put between the digits of a number.
fn is_between_digits(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '(' | ')' | '.' | '/' | '+' | '‑' | '–' | '—')
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let (bytes, mut out, mut at) = (spaced.as_bytes(), Vec::with_capacity(spaced.len()), 0);
    while at < bytes.len() {
        let escaped = spaced.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &'static str, value: &str, display: &str) -> IdentityView {
        let json = serde_json::json!({
            "kind": kind, "value": value, "display": display, "strength": "strong", "state": "active",
            "first_seen": "2026-11-21T10:00:00Z", "last_seen": "2026-11-21T10:00:00Z", "activity": null,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn values_are_found_however_they_are_written() {
        let needles = Needles::of(&[
            identity("phone", "+79161234567;ext=7", "+7 916 123-45-67"),
            identity("email", "annapetrova@gmail.com", "Anna.Petrova@gmail.com"),
            identity("telegram", "77", "@x"),
        ]);
        for (query, body) in [
            ("", "phone=%2B7+916+123-45-67&x=1"),
            ("", "{\"tel\":\"8 (916) 123 45 67\"}"),
            ("phone=89161234567", ""),
            ("", "mail=ANNA.PETROVA%40gmail.com"),
            ("", "write to annapetrova@gmail.com please"),
        ] {
            assert!(needles.stand_in(query, body.as_bytes()), "{query} {body}");
        }
        for (query, body) in [("", "phone=%2B7+916+123-45-68"), ("a=916123&b=4567", "77"), ("", "\u{fffd}%zz%")] {
            assert!(!needles.stand_in(query, body.as_bytes()), "{query} {body}");
        }
        assert!(!Needles::of(&[]).stand_in("", b"anything"), "nobody is looked for");
    }
}
