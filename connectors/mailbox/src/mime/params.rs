//! Content-Type and Content-Disposition with their parameters (RFC 2045, 2183, 2231), as senders write them rather than as they should.

use super::charset::Charsets;
use super::words;

/// Parameters beyond this many are not looked at.
const MOST: usize = 64;

/// A value with parameters: `text/plain; charset=utf-8`.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    /// What stands before the parameters, lower case, without comments.
    pub value: String,
    /// Names in lower case as they stand there (`filename*0*`), values without quotes.
    pairs: Vec<(String, Vec<u8>)>,
}

impl Parameters {
    /// Reads a field's value. Total.
    pub(super) fn read(raw: &[u8]) -> Self {
        let mut rest = raw;
        let end = rest.iter().position(|&byte| matches!(byte, b';' | b'(')).unwrap_or(rest.len());
        // `multipart/mixed boundary="x"`: the semicolon is forgotten now and then.
        let words = rest[..end].trim_ascii();
        let length = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
        let value: String = words[..length]
            .iter()
            .filter(|byte| byte.is_ascii_graphic())
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
        let value = value.trim_matches(['"', '\'', ',']).to_owned();
        rest = if length < words.len() { &rest[rest.len() - rest.trim_ascii_start().len() + length..] } else { &rest[end..] };
        let mut pairs = Vec::new();
        while !rest.is_empty() && pairs.len() < MOST {
            let (pair, next) = pair(rest);
            rest = next;
            pairs.extend(pair);
        }
        Self { value, pairs }
    }

    /// A parameter that is plain ASCII: charset, boundary, report-type.
    pub(super) fn plain(&self, name: &str) -> Option<String> {
        let bytes = self.bytes(name).or_else(|| self.extended(name).map(|(_, bytes)| bytes))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\\'));
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A parameter's bytes as they stand there.
    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// A parameter that is text: a file's name. RFC 2231 first, then encoded words (which the standard forbids there and everybody
    /// writes), then raw letters.
    pub(super) fn text(&self, name: &str, charsets: &Charsets) -> Option<String> {
        let text = match self.extended(name) {
            Some((label, bytes)) if label.is_empty() && bytes.windows(2).any(|two| two == b"=?") => {
                words::decode(&bytes, charsets)
            }
            Some((label, bytes)) => charsets.declared(&label, &bytes).into_owned(),
            None => {
                let bytes = self.bytes(name)?;
                percent_encoded(&bytes).unwrap_or_else(|| words::decode(&bytes, charsets))
            }
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// RFC 2231: `name*=utf-8'en'..`, or continued as `name*0*=`, `name*1=` ...: the charset and the bytes.
    fn extended(&self, name: &str) -> Option<(String, Vec<u8>)> {
        let mut segments: Vec<(u32, bool, &[u8])> = Vec::new();
        for (known, value) in &self.pairs {
            let Some(tail) = known.strip_prefix(name).and_then(|tail| tail.strip_prefix('*')) else { continue };
            let (number, encoded) = match tail.strip_suffix('*') {
                Some(number) => (number, true),
                None => (tail, tail.is_empty()),
            };
            let number = if number.is_empty() { Some(0) } else { number.parse().ok() };
            segments.extend(number.map(|number| (number, encoded, value.as_slice())));
        }
        segments.sort_by_key(|(number, _, _)| *number);
        segments.dedup_by_key(|(number, _, _)| *number);
        let (_, first_encoded, first) = *segments.first()?;
        let mut label = String::new();
        let mut quotes = first.splitn(3, |&byte| byte == b'\'');
        let mut skip = 0;
        if first_encoded && let (Some(charset), Some(language), Some(_)) = (quotes.next(), quotes.next(), quotes.next()) {
            label = String::from_utf8_lossy(charset).into_owned();
            skip = charset.len() + language.len() + 2;
        }
        let mut bytes = Vec::new();
        for (index, (_, encoded, value)) in segments.into_iter().enumerate() {
            let value = if index == 0 { &value[skip..] } else { value };
            // Some percent-encode every piece and mark only the first.
            if encoded || (first_encoded && !label.is_empty()) {
                bytes.extend(unpercent(value));
            } else {
                bytes.extend_from_slice(value);
            }
        }
        Some((label, bytes))
    }
}

/// The next parameter and what follows it. Always takes at least a byte.
fn pair(raw: &[u8]) -> (Option<(String, Vec<u8>)>, &[u8]) {
    let start = raw.iter().position(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b';' | b',')).unwrap_or(raw.len());
    let raw = &raw[start..];
    if raw.first() == Some(&b'(') {
        return (None, after_comment(raw));
    }
    let stop = raw.iter().position(|&byte| matches!(byte, b'=' | b';')).unwrap_or(raw.len());
    let name = String::from_utf8_lossy(raw[..stop].trim_ascii()).to_ascii_lowercase();
    if raw.get(stop) != Some(&b'=') {
        return (None, raw.get(stop + 1..).unwrap_or_default());
    }
    let raw = raw[stop + 1..].trim_ascii_start();
    let is_file = name.starts_with("filename") || name.starts_with("name");
    let (value, rest) = if raw.first() == Some(&b'"') { quoted(&raw[1..]) } else { token(raw, is_file) };
    ((!name.is_empty()).then_some((name, value)), rest)
}

/// A quoted string after its opening quote. Backslashes stay before letters: in `C:\Users\x.pdf` they escape nothing.
fn quoted(raw: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        match byte {
            b'\\' if matches!(raw.get(at + 1), Some(b'"' | b'\\')) => {
                value.push(raw[at + 1]);
                at += 1;
            }
            b'"' => return (value, &raw[at + 1..]),
            b'\r' | b'\n' => {}
            _ => value.push(byte),
        }
        at += 1;
    }
    // Never closed: what follows the semicolon is rather another parameter than a part of the value.
    let end = value.windows(2).position(|two| two == b"; ").unwrap_or(value.len());
    value.truncate(end);
    (value, &raw[raw.len()..])
}

/// A value without quotes. Names of files are written with spaces in them all the same.
fn token(raw: &[u8], is_file: bool) -> (Vec<u8>, &[u8]) {
    let ends = |byte: &u8| *byte == b';' || (!is_file && (byte.is_ascii_whitespace() || *byte == b'('));
    let mut end = raw.iter().position(ends).unwrap_or(raw.len());
    // An encoded word without quotes may hold a semicolon.
    if raw.starts_with(b"=?")
        && let Some(close) = memchr::memmem::rfind(raw, b"?=")
    {
        end = end.max(close + 2);
    }
    let value = raw[..end].iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect::<Vec<u8>>();
    (value.trim_ascii().to_vec(), &raw[end..])
}

fn after_comment(raw: &[u8]) -> &[u8] {
    let mut depth = 0usize;
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &raw[at + 1..];
        }
    }
    &raw[raw.len()..]
}

fn unpercent(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, next)) = rest.split_first() {
        rest = next;
        match next {
            [high, low, after @ ..]
                if first == b'%'
                    && let (Some(high), Some(low)) = (words::hex(*high), words::hex(*low)) =>
            {
                bytes.push(high << 4 | low);
                rest = after;
            }
            _ => bytes.push(first),
        }
    }
    bytes
}

/// `filename="%D0%A1%D1%87%D1%91%D1%82.pdf"`: percent-encoded without a word about it. Only if letters come out.
fn percent_encoded(value: &[u8]) -> Option<String> {
    if !value.is_ascii() || !value.contains(&b'%') {
        return None;
    }
    String::from_utf8(unpercent(value)).ok().filter(|text| !text.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> Option<String> {
        Parameters::read(raw.as_bytes()).text("filename", &Charsets::new("ru"))
    }

    #[test]
    fn types_are_read_however_they_are_written() {
        for (raw, value, charset) in [
            ("text/plain; charset=utf-8", "text/plain", Some("utf-8")),
            ("Text/HTML;charset=\"UTF-8\"", "text/html", Some("UTF-8")),
            ("text/plain; charset=\\\"us-ascii\\\"", "text/plain", Some("us-ascii")),
            ("text/plain charset=koi8-r", "text/plain", Some("koi8-r")),
            ("text/plain;\r\n\tcharset = \"koi8-r\" (Russian); x", "text/plain", Some("koi8-r")),
            ("text/plain (plain); charset=koi8-r", "text/plain", Some("koi8-r")),
            ("text/plain; charset=", "text/plain", None),
            ("text/plain; charset=\"\"", "text/plain", None),
            ("text/plain; charset=\"utf-8; format=flowed", "text/plain", Some("utf-8")),
            ("", "", None),
            (";;;", "", None),
        ] {
            let read = Parameters::read(raw.as_bytes());
            assert_eq!(read.value, value, "{raw}");
            assert_eq!(read.plain("charset").as_deref(), charset, "{raw}");
        }
        assert_eq!(Parameters::read(b"multipart/mixed\n\tboundary=\"b b\"").plain("boundary").as_deref(), Some("b b"));
    }

    #[test]
    fn names_of_files_are_read_in_every_form() {
        for (raw, expected) in [
            ("attachment; filename=price.pdf", "price.pdf"),
            ("attachment; filename=my price list.pdf; size=3", "my price list.pdf"),
            ("attachment; filename=\"a;b.pdf\"", "a;b.pdf"),
            ("attachment; filename=\"say \\\"hi\\\".pdf\"", "say \"hi\".pdf"),
            ("attachment; filename=\"C:\\Users\\x.pdf\"", "C:\\Users\\x.pdf"),
            ("attachment; filename*=UTF-8''%D0%A1%D1%87%D1%91%D1%82.pdf", "Счёт.pdf"),
            ("attachment; filename*=\"UTF-8'ru'%D0%A1%D1%87%D1%91%D1%82.pdf\"", "Счёт.pdf"),
            ("attachment; filename*=windows-1251''%D1%F7%E5%F2.pdf", "Счет.pdf"),
            ("attachment; filename=x.pdf; filename*=UTF-8''%D0%A1%D1%87%D1%91%D1%82.pdf", "Счёт.pdf"),
            ("attachment; filename*0*=UTF-8''%D0%A1%D1; filename*1*=%87%D1%91%D1%82.pdf", "Счёт.pdf"),
            ("attachment; filename*1*=%87%D1%91%D1%82.pdf; filename*0*=UTF-8''%D0%A1%D1", "Счёт.pdf"),
            ("attachment; filename*0=long; filename*1=\" name.pdf\"", "long name.pdf"),
            ("attachment; filename*0=\"=?UTF-8?B?0KHRh9GR0YIucGRm\"; filename*1=\"?=\"", "Счёт.pdf"),
            ("attachment; filename=\"=?UTF-8?B?0KHRh9GR0YIucGRm?=\"", "Счёт.pdf"),
            ("attachment; filename==?UTF-8?B?0KHRh9GR0YIucGRm?=", "Счёт.pdf"),
            ("attachment; filename==?UTF-8?Q?a;b.pdf?=", "a;b.pdf"),
            ("attachment; filename=\"=?UTF-8?Q?=D0=A1=D1=87?=\r\n =?UTF-8?Q?=D1=91=D1=82.pdf?=\"", "Счёт.pdf"),
            ("attachment; filename=\"%D0%A1%D1%87%D1%91%D1%82.pdf\"", "Счёт.pdf"),
            ("attachment; filename=\"100%.pdf\"", "100%.pdf"),
            ("attachment; filename=\"Счёт.pdf\"", "Счёт.pdf"),
            ("attachment; filename*=plain.pdf", "plain.pdf"),
        ] {
            assert_eq!(name(raw).as_deref(), Some(expected), "{raw}");
        }
        assert_eq!(name("attachment"), None);
        assert_eq!(name("attachment; filename=\"\""), None);
        assert_eq!(name("attachment; filename*99999999999=x"), None);
    }
}
