//! Bytes to text: by the charset that is declared where that can be true, by what the bytes look like where it cannot.
//!
//! Nothing is trusted blindly. Bytes declared as ASCII may be windows-1251, bytes declared as Latin 1 may be UTF-8, a charset may be
//! misspelt or invented. UTF-8 recognises itself; everything else is guessed by `chardetng` with the mailbox's language as its hint.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

/// How many bytes are looked at to guess a charset: enough to be sure, few enough to cost nothing.
const EVIDENCE: usize = 1_024;

/// What a declared charset turns out to be.
enum Declared {
    /// None, or one that says nothing: ASCII, unknown-8bit, an invention.
    Nothing,
    /// One that the Web knows.
    Known(&'static Encoding),
    /// One that only mail knows: UTF-7, code page 850 ...
    Old(fn(&[u8]) -> String),
}

/// What is known of a mail's charsets, for its undeclared bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charsets {
    /// The top-level domain that stands for the mailbox's language.
    tld: Option<&'static [u8]>,
    /// What undeclared bytes of this mail are most likely written in.
    likely: Option<&'static Encoding>,
}

impl Charsets {
    /// For a mailbox of this language (`ru`, `en-GB` ...; empty if unknown).
    pub(super) fn new(language: &str) -> Self {
        Self { tld: domain_of(language), likely: None }
    }

    /// Takes up what a text of the mail says of itself: a charset declared there is likely that of the raw headers. Latin 1 and UTF-8
    /// say nothing: they are what programs write that were never told.
    pub(super) fn hear(&mut self, label: &str) {
        if self.likely.is_none()
            && let Declared::Known(encoding) = declared(label)
            && encoding != UTF_8
            && encoding != WINDOWS_1252
        {
            self.likely = Some(encoding);
        }
    }

    /// Looks at all undeclared bytes of the mail together: many short texts tell more than each alone.
    pub(super) fn look(&mut self, evidence: &[u8]) {
        if self.likely.is_none() && !evidence.is_empty() && std::str::from_utf8(evidence).is_err() {
            self.likely = Some(self.guess(evidence));
        }
    }

    /// Whether these bytes are of use to [`Charsets::look`].
    pub(super) fn is_evidence(bytes: &[u8]) -> bool {
        !bytes.is_ascii() && std::str::from_utf8(bytes).is_err()
    }

    /// Bytes nobody declared.
    pub(super) fn undeclared<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        if let Some(text) = japanese(bytes) {
            return Cow::Owned(text);
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Cow::Borrowed(text);
        }
        if let Some(text) = self.likely.and_then(|likely| likely.decode_without_bom_handling_and_without_replacement(bytes)) {
            return text;
        }
        if is_nearly_utf8(bytes) {
            return String::from_utf8_lossy(bytes);
        }
        self.guess(bytes).decode_without_bom_handling(bytes).0
    }

    /// Bytes with what was declared of them; empty if nothing was.
    pub(super) fn declared<'b>(&self, label: &str, bytes: &'b [u8]) -> Cow<'b, str> {
        match declared(label) {
            Declared::Nothing => self.undeclared(bytes),
            Declared::Old(decode) => Cow::Owned(decode(bytes)),
            Declared::Known(encoding) if encoding == UTF_8 => {
                let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
                match std::str::from_utf8(bytes) {
                    Ok(text) => Cow::Borrowed(text),
                    Err(_) if is_nearly_utf8(bytes) => String::from_utf8_lossy(bytes),
                    Err(_) => self.undeclared(bytes),
                }
            }
            Declared::Known(encoding) => self.legacy(encoding, bytes),
        }
    }

    fn legacy<'b>(&self, encoding: &'static Encoding, bytes: &'b [u8]) -> Cow<'b, str> {
        // Only what shares ASCII can be mistaken for another.
        if !encoding.is_ascii_compatible() || bytes.is_ascii() {
            return encoding.decode(bytes).0;
        }
        let exact = encoding.decode_without_bom_handling_and_without_replacement(bytes);
        let trusted = !encoding.is_single_byte() && exact.is_some();
        if !trusted && let Some(text) = certainly_utf8(bytes) {
            return Cow::Borrowed(text);
        }
        // No language of Western Europe writes most of its letters outside ASCII.
        if encoding == WINDOWS_1252 && is_mostly_high(bytes) {
            let guess = self.guess(bytes);
            if guess != WINDOWS_1252 {
                return guess.decode_without_bom_handling(bytes).0;
            }
        }
        exact.unwrap_or_else(|| encoding.decode_without_bom_handling(bytes).0)
    }

    fn guess(&self, bytes: &[u8]) -> &'static Encoding {
        let bytes = &bytes[..bytes.len().min(EVIDENCE)];
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        detector.feed(bytes, true);
        detector.guess(self.tld, Utf8Detection::Deny)
    }
}

/// Adds the beginning of a text to the bytes that will be looked at, from its first letter outside ASCII on.
pub(super) fn gather(evidence: &mut Vec<u8>, bytes: &[u8]) {
    let start = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0).saturating_sub(16);
    let room = EVIDENCE.saturating_sub(evidence.len());
    evidence.extend(bytes[start..].iter().take(room));
    evidence.push(b'\n');
}

/// What a label means. Misspelt ones are searched for a name that is known.
fn declared(label: &str) -> Declared {
    let label = label.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '\\' | ';'));
    if label.is_empty() || label.len() > 64 {
        return Declared::Nothing;
    }
    let label = label.to_ascii_lowercase();
    let bare: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    if matches!(
        bare.as_str(),
        "usascii" | "ascii" | "ansix341968" | "iso646us" | "unknown8bit" | "8bit" | "binary" | "none" | "null"
    ) {
        return Declared::Nothing;
    }
    // `replacement` stands for charsets that are refused on the Web; ISO-2022-KR among them says nothing here either.
    if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
        return Declared::Known(encoding);
    }
    if let Some(known) = misspelt(&bare).and_then(|name| Encoding::for_label(name.as_bytes())) {
        return Declared::Known(known);
    }
    if Encoding::for_label(label.as_bytes()).is_some() {
        return Declared::Nothing;
    }
    charset_decoder(label.as_bytes()).map_or(Declared::Nothing, Declared::Old)
}

/// What a label without its punctuation was meant to be.
fn misspelt(bare: &str) -> Option<String> {
    if bare.contains("utf8") {
        return Some("utf-8".to_owned());
    }
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    for (start, name) in [("windows", "windows-"), ("win", "windows-"), ("cp", "windows-"), ("microsoftcp", "windows-")] {
        if let Some(page) = bare.strip_prefix(start).map(digits)
            && page.starts_with("125")
        {
            return Some(format!("{name}{page}"));
        }
    }
    if let Some(at) = bare.find("iso8859") {
        return Some(format!("iso-8859-{}", digits(&bare[at + 7..])));
    }
    let known = [
        ("1251", "windows-1251"),
        ("1252", "windows-1252"),
        ("1250", "windows-1250"),
        ("koi8u", "koi8-u"),
        ("koi8", "koi8-r"),
        ("iso2022jp", "iso-2022-jp"),
        ("gb18030", "gb18030"),
        ("gb2312", "gb18030"),
        ("gbk", "gb18030"),
        ("big5", "big5"),
        ("shiftjis", "shift_jis"),
        ("sjis", "shift_jis"),
        ("eucjp", "euc-jp"),
        ("euckr", "euc-kr"),
        ("ksc5601", "euc-kr"),
        ("cp866", "ibm866"),
        ("cp936", "gb18030"),
        ("cp949", "euc-kr"),
        ("cp932", "shift_jis"),
    ];
    known.into_iter().find(|(part, _)| bare.contains(part)).map(|(_, name)| name.to_owned())
}

/// ISO-2022-JP is written in ASCII: only its escapes show it.
fn japanese(bytes: &[u8]) -> Option<String> {
    let is_escaped = bytes.is_ascii() && bytes.windows(3).any(|three| matches!(three, b"\x1b$B" | b"\x1b$@" | b"\x1b(J"));
    is_escaped.then(|| encoding_rs::ISO_2022_JP.decode_without_bom_handling(bytes).0.into_owned())
}

/// The text, if it holds so many sequences of UTF-8 and nothing else that it can hardly be another charset.
fn certainly_utf8(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let wide = text.chars().filter(|letter| !letter.is_ascii()).count();
    // Two adjoining letters of a single-byte charset look like UTF-8 by chance once in some dozens of pairs.
    (wide >= 2 && !text.chars().any(|letter| ('\u{80}'..'\u{a0}').contains(&letter))).then_some(text)
}

/// UTF-8 with a few broken places: cut off at the end, or damaged underway.
fn is_nearly_utf8(bytes: &[u8]) -> bool {
    let (mut right, mut wrong) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    right >= 3 && wrong * 5 <= right
}

/// More letters outside ASCII than within.
fn is_mostly_high(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let low = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    high > 3 && high > low
}

/// The top-level domain that `chardetng` takes for a language.
fn domain_of(language: &str) -> Option<&'static [u8]> {
    let language = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let domain: &[u8] = match language.as_str() {
        "ru" => b"ru",
        "uk" => b"ua",
        "be" => b"by",
        "bg" => b"bg",
        "sr" => b"rs",
        "mk" => b"mk",
        "kk" => b"kz",
        "de" => b"de",
        "fr" => b"fr",
        "es" => b"es",
        "it" => b"it",
        "pt" => b"pt",
        "nl" => b"nl",
        "sv" => b"se",
        "da" => b"dk",
        "nb" | "no" => b"no",
        "fi" => b"fi",
        "pl" => b"pl",
        "cs" => b"cz",
        "sk" => b"sk",
        "hu" => b"hu",
        "ro" => b"ro",
        "hr" => b"hr",
        "sl" => b"si",
        "et" => b"ee",
        "lv" => b"lv",
        "lt" => b"lt",
        "el" => b"gr",
        "tr" => b"tr",
        "he" => b"il",
        "ar" => b"sa",
        "fa" => b"ir",
        "th" => b"th",
        "vi" => b"vn",
        "ja" => b"jp",
        "zh" => b"cn",
        "ko" => b"kr",
        _ => return None,
    };
    Some(domain)
}

/// Text as it is kept: no NUL and no other control character but tabs and line ends, which are `\n`.
pub(super) fn clean(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Lines are copied whole as long as nothing is wrong with them: most texts are long and clean.
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body.strip_suffix('\r').unwrap_or(body), "\n"),
            None => (line, ""),
        };
        if is_clean(body) {
            clean.push_str(body);
        } else {
            clean.extend(body.chars().filter_map(|letter| match letter {
                '\t' => Some(letter),
                '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
                letter => (!letter.is_control()).then_some(letter),
            }));
        }
        clean.push_str(end);
    }
    clean
}

/// Whether nothing in a line can be a control character or a line end: U+0000 to U+001F, U+007F, U+0080 to U+009F, U+2028, U+2029.
fn is_clean(line: &str) -> bool {
    let (mut last, mut clean) = (0u8, true);
    for &byte in line.as_bytes() {
        clean &=
            !((byte < 0x20 && byte != b'\t') || byte == 0x7f || (last == 0xc2 && byte < 0xa0) || (last == 0xe2 && byte == 0x80));
        last = byte;
    }
    clean
}

/// Text on one line: control characters and runs of white space become one space.
pub(super) fn one_line(text: &str) -> String {
    let bytes = text.trim_ascii().as_bytes();
    let is_plain = |two: &[u8]| two[0].is_ascii_graphic() || (two[0] == b' ' && two[1] != b' ');
    if bytes.windows(2).all(is_plain) && bytes.last().is_none_or(u8::is_ascii_graphic) {
        return text.trim_ascii().to_owned();
    }
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\0' || (letter.is_control() && !letter.is_whitespace()) {
            continue;
        }
        if letter.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(letter);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// The beginning of a text: at most so many bytes, whole characters.
pub(super) fn cut(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    text.truncate(text.floor_char_boundary(most));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_charset(label: &str, text: &str) -> Vec<u8> {
        Encoding::for_label(label.as_bytes()).unwrap().encode(text).0.into_owned()
    }

    #[test]
    fn declared_charsets_are_read_however_they_are_spelt() {
        let russian = "Здравствуйте, Иван! Цена 1000 рублей.";
        for (label, real) in [
            ("windows-1251", "windows-1251"),
            ("CP1251", "windows-1251"),
            ("cp-1251", "windows-1251"),
            ("win1251", "windows-1251"),
            ("\"windows-1251\"", "windows-1251"),
            ("\\\"koi8-r\\\"", "koi8-r"),
            ("koi8r", "koi8-r"),
            ("KOI8_R", "koi8-r"),
            ("iso_8859-5", "iso-8859-5"),
            ("ISO 8859 5", "iso-8859-5"),
            ("x-cp866", "ibm866"),
            ("utf8", "utf-8"),
            ("utf-8utf-8", "utf-8"),
            ("UTF-8;", "utf-8"),
        ] {
            assert_eq!(Charsets::new("").declared(label, &in_charset(real, russian)), russian, "{label}");
        }
        let chinese = "您好，我想了解一下价格";
        for label in ["gb18030", "GB2312", "x-gbk", "gbk"] {
            assert_eq!(Charsets::new("").declared(label, &in_charset("gb18030", chinese)), chinese, "{label}");
        }
        assert_eq!(Charsets::new("").declared("utf-7", b"+BB8EQAQ4BDIENQRC-!"), "Привет!");
    }

    #[test]
    fn a_wrong_declaration_is_not_believed() {
        let russian = "Добрый день, прошу прислать прайс-лист";
        let bytes = in_charset("windows-1251", russian);
        for label in ["us-ascii", "", "unknown-8bit", "x-ias-german", "utf-8", "iso-8859-1", "iso-2022-kr"] {
            assert_eq!(Charsets::new("ru").declared(label, &bytes), russian, "{label:?}");
        }
        let koi = in_charset("koi8-r", russian);
        assert_eq!(Charsets::new("ru").declared("us-ascii", &koi), russian);
        for label in ["windows-1251", "iso-8859-1", "koi8-r", "us-ascii"] {
            assert_eq!(Charsets::new("ru").declared(label, russian.as_bytes()), russian, "{label}");
        }
        let german = "Schöne Grüße aus Köln";
        assert_eq!(Charsets::new("de").declared("us-ascii", &in_charset("windows-1252", german)), german);
    }

    #[test]
    fn short_texts_take_the_charset_of_the_rest() {
        let mut charsets = Charsets::new("ru");
        charsets.look(&in_charset("koi8-r", "Здравствуйте, интересует стоимость доставки"));
        assert_eq!(charsets.undeclared(&in_charset("koi8-r", "Цена")), "Цена");
        let mut charsets = Charsets::new("");
        charsets.hear("iso-8859-1");
        charsets.hear("windows-1251");
        assert_eq!(charsets.undeclared(&in_charset("windows-1251", "Счёт")), "Счёт");
    }

    #[test]
    fn damaged_utf8_stays_utf8() {
        let mut bytes = "Заказ номер пять".as_bytes().to_vec();
        bytes.pop();
        assert_eq!(Charsets::new("ru").declared("utf-8", &bytes), "Заказ номер пят\u{fffd}");
        assert_eq!(Charsets::new("ru").undeclared(&bytes), "Заказ номер пят\u{fffd}");
    }

    #[test]
    fn text_loses_what_databases_refuse() {
        assert_eq!(clean("a\0b\r\nc\rd\u{7}\u{c}e\tf"), "ab\nc\nd\ne\tf");
        assert_eq!(one_line("  a\0b \r\n\t c\u{1}  "), "ab c");
        let mut text = "жжж".to_owned();
        assert!(cut(&mut text, 3));
        assert_eq!(text, "ж");
    }
}
