//! Header values: unfolded, encoded words (RFC 2047) decoded, in every broken form that is still readable.

use mail_parser::decoders::base64::base64_decode;

use super::charset::{Charsets, one_line};

/// A header's value on one line, decoded. Total.
pub(super) fn decode(raw: &[u8], charsets: &Charsets) -> String {
    if raw.is_ascii() && find(raw, b"=?").is_none() && !raw.contains(&b'\x1b') {
        // White space at a fold stays; its line end goes with the rest of the white space.
        return one_line(std::str::from_utf8(raw).unwrap_or_default());
    }
    let raw = unfold(raw);
    let mut out = Decoded { text: String::with_capacity(raw.len()), label: String::new(), bytes: Vec::new(), charsets };
    let mut rest = raw.as_slice();
    let mut after_word = false;
    while let Some(at) = find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        let Some((word, next)) = Word::read(from) else {
            out.plain(&rest[..at + 2]);
            after_word = false;
            rest = &rest[at + 2..];
            continue;
        };
        // White space between two words is no part of the text (RFC 2047, 6.2).
        if !(after_word && before.iter().all(u8::is_ascii_whitespace)) {
            out.plain(before);
        }
        out.word(word);
        after_word = true;
        rest = next;
    }
    out.plain(rest);
    one_line(&out.text)
}

/// Without line ends. A fold keeps its white space.
fn unfold(raw: &[u8]) -> Vec<u8> {
    raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(within, what)
}

/// An encoded word, its bytes decoded.
struct Word {
    label: String,
    bytes: Vec<u8>,
}

impl Word {
    /// The word at the beginning of `from`, and what follows it.
    fn read(from: &[u8]) -> Option<(Self, &[u8])> {
        let from = from.strip_prefix(b"=?")?;
        let end = from.iter().take(64).position(|&byte| byte == b'?')?;
        let (label, from) = from.split_at(end);
        if label.is_empty() || label.iter().any(|byte| byte.is_ascii_whitespace() || !byte.is_ascii()) {
            return None;
        }
        let [b'?', encoding, b'?', from @ ..] = from else { return None };
        // A word that is never closed reaches to the end: a subject cut off by somebody's limit.
        let (data, next) = match find(from, b"?=") {
            Some(end) => (&from[..end], &from[end + 2..]),
            None => (from, &from[from.len()..]),
        };
        let bytes = match encoding {
            b'b' | b'B' => base64(data),
            b'q' | b'Q' => quoted(data),
            _ => return None,
        };
        // RFC 2231, 5: the language after a star.
        let label = label.split(|&byte| byte == b'*').next().unwrap_or_default();
        Some((Self { label: String::from_utf8_lossy(label).into_owned(), bytes }, next))
    }
}

/// Base64 with whatever is in between left out.
pub(super) fn base64(data: &[u8]) -> Vec<u8> {
    base64_decode(data).unwrap_or_else(|| {
        let usable = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let data: Vec<u8> = data.iter().copied().filter(usable).collect();
        base64_decode(&data).unwrap_or_default()
    })
}

/// The Q encoding (RFC 2047, 4.2).
fn quoted(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&first, next)) = rest.split_first() {
        rest = next;
        match (first, next) {
            (b'_', _) => bytes.push(b' '),
            (b'=', [high, low, after @ ..]) if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                bytes.push(high << 4 | low);
                rest = after;
            }
            _ => bytes.push(first),
        }
    }
    bytes
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What was decoded so far. The bytes of adjoining words are joined before they become letters: a letter may be split between two.
struct Decoded<'c> {
    text: String,
    label: String,
    bytes: Vec<u8>,
    charsets: &'c Charsets,
}

impl Decoded<'_> {
    fn word(&mut self, word: Word) {
        if !self.bytes.is_empty() && !self.label.eq_ignore_ascii_case(&word.label) {
            self.flush();
        }
        self.label = word.label;
        self.bytes.extend(word.bytes);
    }

    fn plain(&mut self, raw: &[u8]) {
        self.flush();
        self.text.push_str(&self.charsets.undeclared(raw));
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.text.push_str(&self.charsets.declared(&self.label, &self.bytes));
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        decode(raw.as_bytes(), &Charsets::new("ru"))
    }

    #[test]
    fn encoded_words_are_decoded() {
        assert_eq!(decoded("=?utf-8?B?0J/RgNC40LLQtdGC?="), "Привет");
        assert_eq!(decoded("=?UTF-8?q?=D0=9F=D1=80=D0=B8=D0=B2=D0=B5=D1=82,_=D0=BC=D0=B8=D1=80?="), "Привет, мир");
        assert_eq!(decoded("=?windows-1251?B?z/Do4uXy?= and =?koi8-r?Q?=F0=D2=C9=D7=C5=D4?="), "Привет and Привет");
        assert_eq!(decoded("=?us-ascii*en?Q?hello?="), "hello");
        assert_eq!(decoded("Re: =?iso-8859-1?Q?Stra=DFe?= 5"), "Re: Straße 5");
    }

    #[test]
    fn a_letter_split_between_two_words_is_whole_again() {
        assert_eq!(decoded("=?utf-8?Q?=D0=9F=D1?=\r\n =?UTF-8?Q?=80=D0=B8?="), "При");
        assert_eq!(decoded("=?utf-8?B?0J/R?= =?utf-8?B?gNC4?="), "При");
        assert_eq!(decoded("=?utf-8?B?MSE=?=  =?utf-8?Q?_two?="), "1! two");
    }

    #[test]
    fn broken_words_stay_readable() {
        assert_eq!(decoded("=?utf-8?Q?not closed"), "not closed");
        assert_eq!(decoded("=?utf-8?Q?with spaces inside?= x"), "with spaces inside x");
        assert_eq!(decoded("=?utf-8?X?what?="), "=?utf-8?X?what?=");
        assert_eq!(decoded("=?utf-8?Q?100=ZZ?="), "100=ZZ");
        assert_eq!(decoded("a =? b"), "a =? b");
        assert_eq!(decoded("=?"), "=?");
        assert_eq!(decoded("=?no-such-charset?B?0J/RgNC40LLQtdGC?="), "Привет");
        assert_eq!(decoded("=?utf-8?B?0J/RgN\r\n C40LLQtdGC?="), "Привет");
    }

    #[test]
    fn raw_letters_are_guessed() {
        let raw = encoding_rs::WINDOWS_1251.encode("Заявка с сайта").0;
        assert_eq!(decode(&raw, &Charsets::new("ru")), "Заявка с сайта");
        assert_eq!(decode("Заявка = да".as_bytes(), &Charsets::new("")), "Заявка = да");
    }
}
