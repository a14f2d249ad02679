//! Where the fields of an urlencoded body stand in its bytes: one reading for decoding and for overwriting.

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
    let literal = body.iter().any(|b| *b == b' ' || !b.is_ascii());
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
        open = Balance::of(&body[pair.value.clone()]);
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

/// Decodes escapes; with the place each byte came from if `places` is given.
pub(crate) fn unescape(bytes: &[u8], literal: bool, mut places: Option<&mut Vec<Range<usize>>>) -> Vec<u8> {
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, length) = match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => (high * 16 + low, 3),
            (b'+', ..) if !literal => (b' ', 1),
            (byte, ..) => (byte, 1),
        };
        out.push(byte);
        if let Some(places) = places.as_deref_mut() {
            places.push(at..at + length);
        }
        at += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<(String, String)> {
        let pairs = cut(body.as_bytes(), 100);
        let text =
            |range: &Range<usize>| String::from_utf8(unescape(&body.as_bytes()[range.clone()], pairs.literal, None)).unwrap();
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
}
