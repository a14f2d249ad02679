//! Where the fields of an urlencoded body stand in its bytes: one reading for decoding and for overwriting.

use std::borrow::Cow;
use std::ops::Range;

/// A field's place in the body.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// Its name, still encoded.
    pub name: Range<usize>,
    /// Its value, still encoded; empty behind the name where there is no `=`.
    pub value: Range<usize>,
    /// Whether there was a `=`.
    pub assigned: bool,
}

/// A body cut into fields.
pub(crate) struct Pairs {
    /// In order; at most one more than asked for.
    pub list: Vec<Pair>,
    /// The body was decoded by somebody before: a plus is a plus.
    pub literal: bool,
}

/// Cuts a body at its `&`s; stops behind `most` fields.
///
/// Encoders write neither spaces nor anything beyond ASCII. A body that has some was decoded before it was sent on, so a
/// `&` in it may belong to a text: what follows no name belongs to the value before, as does the rest of an open JSON text.
pub(crate) fn cut(body: &[u8], most: usize) -> Pairs {
    let literal = !body.is_ascii() || body.contains(&b' ');
    let mut list: Vec<Pair> = Vec::new();
    let mut open = Balance::default();
    let mut at = 0;
    for piece in body.split(|b| *b == b'&') {
        let range = at..at + piece.len();
        at = range.end + 1;
        if literal
            && let Some(last) = list.last_mut()
            && last.assigned
            && (open.is_open() || !piece.contains(&b'='))
        {
            open.feed(&body[last.value.end..range.end]);
            last.value.end = range.end;
            continue;
        }
        if piece.is_empty() {
            continue;
        }
        if list.len() > most {
            break;
        }
        let pair = pair(piece, range);
        if literal {
            open = Balance::of(&body[pair.value.clone()]);
        }
        list.push(pair);
    }
    Pairs { list, literal }
}

fn pair(piece: &[u8], range: Range<usize>) -> Pair {
    // `&amp;` is what a page makes of `&`.
    let start = if piece.starts_with(b"amp;") { range.start + 4 } else { range.start };
    match piece.iter().position(|b| *b == b'=') {
        Some(equals) => {
            let equals = (range.start + equals).max(start);
            Pair { name: start..equals, value: equals + 1..range.end, assigned: true }
        }
        None => Pair { name: start..range.end, value: range.end..range.end, assigned: false },
    }
}

/// Whether a JSON text is still open.
#[derive(Default)]
struct Balance {
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl Balance {
    fn of(value: &[u8]) -> Self {
        let mut balance = Self::default();
        if matches!(value.trim_ascii_start().first(), Some(b'{' | b'[')) {
            balance.feed(value);
        }
        balance
    }

    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn feed(&mut self, more: &[u8]) {
        if more.is_empty() || (self.depth == 0 && !matches!(more.trim_ascii_start().first(), Some(b'{' | b'['))) {
            return;
        }
        for byte in more {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// What an escape's digit is worth, by its byte; `NO_DIGIT` for any other byte.
const HEX: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        table[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

const NO_DIGIT: u8 = 0xff;

/// The byte an escape at the beginning of `rest` stands for: `%41` is `A`.
pub fn escaped(rest: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = rest else { return None };
    let (high, low) = (HEX[usize::from(*high)], HEX[usize::from(*low)]);
    (high != NO_DIGIT && low != NO_DIGIT).then_some(high << 4 | low)
}

/// The byte that `rest` begins with, decoded, and how many bytes it is written in.
fn first(rest: &[u8], literal: bool) -> (u8, usize) {
    match (rest[0], escaped(rest)) {
        (_, Some(byte)) => (byte, 3),
        (b'+', None) if !literal => (b' ', 1),
        (byte, None) => (byte, 1),
    }
}

/// Decodes escapes. Most names, and many values, have none.
pub(crate) fn unescape(bytes: &[u8], literal: bool) -> Cow<'_, [u8]> {
    let Some(plain) = bytes.iter().position(|b| *b == b'%' || (*b == b'+' && !literal)) else { return Cow::Borrowed(bytes) };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..plain]);
    let mut at = plain;
    while at < bytes.len() {
        let (byte, length) = first(&bytes[at..], literal);
        out.push(byte);
        at += length;
    }
    Cow::Owned(out)
}

/// Where each byte of [`unescape`]'s answer stands in the bytes it was made of.
pub(crate) fn places(bytes: &[u8], literal: bool) -> Vec<Range<usize>> {
    let mut places = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (_, length) = first(&bytes[at..], literal);
        places.push(at..at + length);
        at += length;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<(String, String)> {
        let pairs = cut(body.as_bytes(), 100);
        let text = |range: &Range<usize>| {
            String::from_utf8(unescape(&body.as_bytes()[range.clone()], pairs.literal).into_owned()).unwrap()
        };
        pairs.list.iter().map(|p| (text(&p.name), text(&p.value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn encoded_bodies() {
        assert_eq!(names("a=1+2&&b=%2B&amp;c=x=y&d"), [pair("a", "1 2"), pair("b", "+"), pair("c", "x=y"), pair("d", "")]);
    }

    #[test]
    fn bodies_decoded_before() {
        assert_eq!(
            names("Name=Анна & Ко&Phone=+7 916&p={\"a\":[\"x & y=1\",\"&\"]}&z=1"),
            [pair("Name", "Анна & Ко"), pair("Phone", "+7 916"), pair("p", "{\"a\":[\"x & y=1\",\"&\"]}"), pair("z", "1")]
        );
    }

    #[test]
    fn amp_without_a_name_is_harmless() {
        assert_eq!(names("amp;=1"), [pair("", "1")]);
        assert_eq!(names("amp=1"), [pair("amp", "1")]);
    }

    #[test]
    fn escapes() {
        for (text, plain) in
            [("a+b", "a b"), ("%41%6a%6A", "Ajj"), ("%4", "%4"), ("%", "%"), ("%g1%1g", "%g1%1g"), ("%%41", "%A")]
        {
            assert_eq!(unescape(text.as_bytes(), false), plain.as_bytes(), "{text}");
        }
        assert_eq!(unescape(b"a+%2b", true), b"a++".as_slice());
    }

    proptest::proptest! {
        #[test]
        fn every_byte_has_its_place(bytes in "[%0-9a-fA-Fgz+ ]{0,40}", literal: bool) {
            let bytes = bytes.as_bytes();
            let (plain, places) = (unescape(bytes, literal), places(bytes, literal));
            proptest::prop_assert_eq!(plain.len(), places.len());
            for (byte, place) in plain.iter().zip(&places) {
                proptest::prop_assert_eq!(&*unescape(&bytes[place.clone()], literal), &[*byte]);
            }
            proptest::prop_assert_eq!(places.last().map_or(0, |place| place.end), bytes.len());
        }
    }
}
