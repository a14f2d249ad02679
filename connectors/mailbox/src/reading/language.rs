//! The language a mail is written in, as far as that is easy to say.

use crate::mime::Mail;

/// The most characters that are looked at.
const MOST: usize = 2000;

/// By Content-Language, else by letters that only one of the likely languages has.
pub(super) fn of(mail: &Mail, text: &str) -> Option<String> {
    let declared = mail.header("content-language").and_then(|tag| tag.trim().get(..2)).map(str::to_ascii_lowercase);
    if let Some(declared) = declared.filter(|tag| tag.bytes().all(|b| b.is_ascii_lowercase())) {
        return Some(declared);
    }
    let (mut cyrillic, mut latin, mut russian, mut ukrainian, mut german, mut spanish) = (0, 0, 0, 0, 0, 0);
    // Addresses are in Latin letters everywhere.
    let words = text.split_whitespace().filter(|word| !word.contains(['@', '/']));
    for c in words.flat_map(str::chars).take(MOST).flat_map(char::to_lowercase) {
        cyrillic += usize::from(matches!(c, 'а'..='я' | 'ё' | 'і' | 'ї' | 'є' | 'ґ'));
        latin += usize::from(c.is_alphabetic() && c < '\u{250}');
        russian += usize::from(matches!(c, 'ы' | 'э' | 'ъ' | 'ё'));
        ukrainian += usize::from(matches!(c, 'і' | 'ї' | 'є' | 'ґ'));
        german += usize::from(matches!(c, 'ä' | 'ö' | 'ü' | 'ß'));
        spanish += usize::from(matches!(c, 'ñ' | '¿' | '¡' | 'á' | 'ó' | 'í'));
    }
    if cyrillic > latin && cyrillic >= 4 {
        return Some(if ukrainian > russian { "uk" } else { "ru" }.to_owned());
    }
    match (german, spanish) {
        (2.., 0) => Some("de".to_owned()),
        (0, 2..) => Some("es".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_letters_say() {
        for (text, language) in [
            ("Сколько стоит окно?", Some("ru")),
            ("Скільки коштує вікно?", Some("uk")),
            ("Können Sie mir für zwei Türen ein Angebot machen?", Some("de")),
            ("¿Cuánto cuesta una ventana?", Some("es")),
            ("How much is it?", None),
            ("", None),
        ] {
            assert_eq!(of(&Mail::default(), text).as_deref(), language, "{text}");
        }
        let mut mail = Mail::default();
        mail.headers.push(("content-language".to_owned(), "en-US".to_owned()));
        assert_eq!(of(&mail, "Сколько").as_deref(), Some("en"));
    }
}
