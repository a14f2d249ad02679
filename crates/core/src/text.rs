//! What happens to every text when it enters: NUL goes, the rest becomes NFC, and nothing is longer than its column.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text as it may enter: without NUL (no database column holds it portably) and in Unicode normal form C.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) };
    }
    let without = if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) };
    if without.chars().all(is_plain) || is_nfc_quick(without.chars()) == IsNormalized::Yes {
        return without;
    }
    Cow::Owned(without.nfc().collect())
}

/// Characters that are in normal form C wherever they stand: Latin letters, and Russian and Ukrainian ones, as they come
/// from keyboards. Cheaper to see than to look up.
fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='\u{2ff}' | '\u{400}'..='\u{482}' | '\u{2010}'..='\u{2027}' | '\u{2116}')
}

/// `str::to_lowercase`, without its tables for ASCII and Russian letters.
pub(crate) fn lower(text: &str) -> String {
    if !text.chars().all(|c| c.is_ascii() || is_russian(c)) {
        return text.to_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        out.push(if c.is_ascii() { c.to_ascii_lowercase() } else { lower_russian(c) });
    }
    out
}

/// `char::is_alphanumeric`, without its tables for Russian letters.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    is_russian(c) || c.is_alphanumeric()
}

/// `char::is_alphabetic`, without its tables for Russian letters.
pub(crate) fn is_alphabetic(c: char) -> bool {
    is_russian(c) || c.is_alphabetic()
}

pub(crate) fn is_russian(c: char) -> bool {
    matches!(c, 'А'..='я' | 'Ё' | 'ё')
}

/// The lower case of a Russian letter.
pub(crate) fn lower_russian(c: char) -> char {
    match c {
        // A capital and its small letter are 32 apart.
        'А'..='Я' => char::from_u32(u32::from(c) + 32).unwrap_or(c),
        'Ё' => 'ё',
        _ => c,
    }
}

/// [`clean`], trimmed, and `None` when nothing is left.
pub fn present(text: &str) -> Option<String> {
    let cleaned = clean(text);
    let trimmed = cleaned.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// The first `max` bytes of a text, cut at a character's border.
pub fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A text that is safe on a terminal: control characters and the marks that turn the direction of writing are left out.
/// Line breaks and tabs become spaces when `one_line`.
pub fn printable(text: &str, one_line: bool) -> Cow<'_, str> {
    let bad = |c: char| {
        (c.is_control() && (one_line || !matches!(c, '\n' | '\t')))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    // Printed ASCII is harmless, and most of what there is.
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter_map(|c| match c {
                '\n' | '\r' | '\t' if one_line => Some(' '),
                c if bad(c) => None,
                c => Some(c),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enters_as_nfc_without_nul() {
        assert_eq!(clean("a\0b"), "ab");
        assert_eq!(clean("и\u{306}"), "й");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
        assert!(matches!(clean("Анна"), Cow::Borrowed(_)));
        assert_eq!(present(" \0 "), None);
    }

    #[test]
    fn plain_characters_are_in_normal_form_wherever_they_stand() {
        use unicode_normalization::char::canonical_combining_class;
        for c in ('\0'..=char::MAX).filter(|c| is_plain(*c)) {
            assert_eq!(is_nfc_quick([c].into_iter()), IsNormalized::Yes, "{c:?}");
            assert_eq!(canonical_combining_class(c), 0, "{c:?}");
        }
    }

    #[test]
    fn russian_letters_are_as_the_tables_say() {
        for c in ('\0'..=char::MAX).filter(|c| is_russian(*c)) {
            assert!(c.is_alphabetic() && c.is_alphanumeric(), "{c}");
            assert_eq!(c.to_lowercase().collect::<Vec<_>>(), [lower_russian(c)], "{c}");
        }
        for text in ["Анна-Мария ЁЛКИНА", "Müller", "ΑΣ", "İ", ""] {
            assert_eq!(lower(text), text.to_lowercase());
        }
    }

    #[test]
    fn cuts_at_characters() {
        assert_eq!(cut("Анна", 3), "А");
        assert_eq!(cut("Anna", 10), "Anna");
    }

    #[test]
    fn terminals_get_no_control_or_direction_marks() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\nc", true), "a[31mb c");
        assert_eq!(printable("a\nb", false), "a\nb");
    }
}
