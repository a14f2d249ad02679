//! Which characters bytes mean.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};

/// The encoding of a body: what it says of itself, else UTF-8, else windows-1251, which old Russian pages still use.
pub(crate) fn choose<'a>(label: Option<&str>, pieces: impl Iterator<Item = &'a [u8]>) -> &'static Encoding {
    let labelled = label.and_then(|label| Encoding::for_label(label.trim().trim_matches('"').as_bytes()));
    // UTF-16 inside of percent escapes or form fields does not exist; a page that says so means UTF-8.
    let labelled = labelled.map(|encoding| if encoding.is_ascii_compatible() { encoding } else { UTF_8 });
    match labelled {
        Some(encoding) if encoding != UTF_8 => encoding,
        _ => {
            let mut pieces = pieces;
            if pieces.all(|piece| std::str::from_utf8(piece).is_ok()) { UTF_8 } else { WINDOWS_1251 }
        }
    }
}

/// Decodes a piece; a byte order mark inside it is no text.
pub(crate) fn decode<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Cow<'a, str> {
    encoding.decode_with_bom_removal(bytes).0
}

/// [`decode`] that keeps the buffer of bytes that are a text already.
pub(crate) fn into_text(bytes: Cow<'_, [u8]>, encoding: &'static Encoding) -> String {
    match bytes {
        // Valid UTF-8 without a byte order mark decodes to itself.
        Cow::Owned(bytes) if encoding == UTF_8 && !bytes.starts_with(b"\xef\xbb\xbf") => {
            String::from_utf8(bytes).unwrap_or_else(|error| decode(error.as_bytes(), encoding).into_owned())
        }
        bytes => decode(&bytes, encoding).into_owned(),
    }
}

/// Decodes a whole text: a byte order mark says which encoding it is.
pub(crate) fn decode_whole<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    decode(bytes, choose(label, std::iter::once(bytes)))
}

/// Bytes as text, with the byte each byte of the text came from. Invalid UTF-8 is read as windows-1251.
pub(crate) fn with_offsets(bytes: &[u8]) -> (Cow<'_, str>, Option<Vec<usize>>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), None);
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    let mut offsets = Vec::with_capacity(bytes.len() * 2);
    for (at, byte) in bytes.iter().enumerate() {
        let before = text.len();
        text.push_str(&WINDOWS_1251.decode_without_bom_handling(std::slice::from_ref(byte)).0);
        offsets.extend(std::iter::repeat_n(at, text.len() - before));
    }
    (Cow::Owned(text), Some(offsets))
}

/// The type without its parameters, in lower case, and its charset.
pub(crate) fn content_type(header: &str) -> (String, Option<&str>) {
    let mut parts = header.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    (essence, charset)
}
