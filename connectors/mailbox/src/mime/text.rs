//! Which parts are the text of a mail, and what a person reads in them.

use std::borrow::Cow;
use std::collections::HashMap;

use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::charset::{self, Charsets};
use super::files;
use super::html;
use super::parts::{Part, Transfer, Tree};
use super::words::base64;

/// Text beyond this many bytes is not kept.
pub(super) const LONGEST: usize = 1024 * 1024;
/// Encoded text beyond this many bytes is not decoded: no encoding takes more than three bytes for one, and HTML is longer than its text.
const LONGEST_ENCODED: usize = 4 * 1024 * 1024;
/// A plain text shorter than this may be a stub that says "your program shows no HTML".
const STUB: usize = 400;

/// The parts that are text, decoded.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Of each part that is text, by its number: whether it is HTML, and the text.
    bodies: HashMap<usize, (bool, String)>,
}

/// What is made of them.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub text: String,
    pub plain: Option<String>,
    pub html: Option<String>,
    pub was_cut: bool,
}

/// A body as it was before it was encoded for the way. Total: what is no base64 or quoted-printable is read as far as it goes.
pub(super) fn decoded(transfer: Transfer, raw: &[u8]) -> Cow<'_, [u8]> {
    match transfer {
        Transfer::Plain => Cow::Borrowed(raw),
        Transfer::Base64 => Cow::Owned(base64(raw)),
        Transfer::QuotedPrintable => Cow::Owned(quoted_printable_decode(raw).unwrap_or_else(|| {
            // An equals sign that begins nothing stands for itself.
            let mut repaired = Vec::with_capacity(raw.len() + 64);
            for (at, &byte) in raw.iter().enumerate() {
                repaired.push(byte);
                let begins = match &raw[at + 1..] {
                    [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
                    rest => rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).is_none_or(|byte| *byte == b'\n'),
                };
                if byte == b'=' && !begins {
                    repaired.extend_from_slice(b"3D");
                }
            }
            quoted_printable_decode(&repaired).unwrap_or(repaired)
        })),
    }
}

/// Text that was never encoded, whatever its part says: a base64 of words and punctuation.
fn is_misdeclared(part: &Part, raw: &[u8]) -> bool {
    let odd = |byte: &&u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n' | b'\t');
    let start = &raw[..raw.len().min(4_096)];
    part.transfer == Transfer::Base64 && start.iter().filter(odd).count() * 20 > start.len()
}

impl Texts {
    /// Decodes the parts that are text. What is raw 8-bit in them and in `evidence` (the heads) decides together what it is.
    pub(super) fn read(bytes: &[u8], tree: &Tree, charsets: &mut Charsets, mut evidence: Vec<u8>) -> Self {
        let mut found = Vec::new();
        let (mut seen_text, mut room) = (false, LONGEST_ENCODED);
        for number in tree.in_order() {
            let part = &tree.parts[number];
            let Some(is_html) = files::body_kind(tree, number, seen_text) else { continue };
            seen_text = true;
            let raw = &bytes[part.body.start..part.body.end.min(part.body.start + room)];
            room -= raw.len();
            let transfer = if is_misdeclared(part, raw) { Transfer::Plain } else { part.transfer };
            let text = decoded(transfer, raw);
            let label = part
                .kind
                .plain("charset")
                .or_else(|| if is_html { html::declared_charset(&text) } else { None })
                .unwrap_or_default();
            charsets.hear(&label);
            if Charsets::is_evidence(&text) {
                charset::gather(&mut evidence, &text);
            }
            found.push((number, is_html, label, text));
        }
        charsets.look(&evidence);
        let decode = |(number, is_html, label, text): (usize, bool, String, Cow<'_, [u8]>)| {
            let text = charset::clean(&charsets.declared(&label, &text));
            // HTML sent as plain text by a form that was never tested.
            let is_html = is_html || looks_like_html(&text);
            (number, (is_html, text))
        };
        Self { bodies: found.into_iter().map(decode).collect() }
    }

    /// Everything together.
    pub(super) fn body(&self, tree: &Tree) -> Body {
        let (mut plain, mut html) = (String::new(), String::new());
        let mut was_cut = false;
        for (is_html, text) in tree.in_order().into_iter().filter_map(|number| self.bodies.get(&number)) {
            let (joined, most) = if *is_html { (&mut html, html::LONGEST) } else { (&mut plain, LONGEST) };
            join(joined, text);
            was_cut |= charset::cut(joined, most);
        }
        let mut text = self.read_by_people(tree, 0).text;
        was_cut |= charset::cut(&mut text, LONGEST);
        let has = |wanted: bool| self.bodies.values().any(|(is_html, _)| *is_html == wanted);
        Body { text, plain: has(false).then_some(plain), html: has(true).then_some(html), was_cut }
    }

    /// The text of a part and of all in it: of alternatives the plain one, unless it says less.
    fn read_by_people(&self, tree: &Tree, number: usize) -> Rendered {
        if let Some((is_html, text)) = self.bodies.get(&number) {
            let text = if *is_html { html::text(text, LONGEST) } else { text.trim_end().trim_start_matches('\n').to_owned() };
            return Rendered { text, is_html: *is_html };
        }
        let part = &tree.parts[number];
        if part.kind.value != "multipart/alternative" {
            let mut joined = Rendered::default();
            for child in &part.children {
                let child = self.read_by_people(tree, *child);
                joined.is_html |= child.is_html;
                if joined.text.len() < LONGEST {
                    join(&mut joined.text, &child.text);
                }
            }
            return joined;
        }
        let mut best: Option<Rendered> = None;
        for child in &part.children {
            // What is long enough needs no comparison, and no rendering of the rest.
            if best.as_ref().is_some_and(|best| best.text.len() >= STUB && !best.is_html) {
                break;
            }
            let child = self.read_by_people(tree, *child);
            let is_better = match &best {
                None => true,
                Some(best) if best.is_html == child.is_html => best.text.is_empty(),
                Some(best) if best.is_html => !child.text.is_empty() && !is_stub(&child.text, &best.text),
                Some(best) => is_stub(&best.text, &child.text),
            };
            if is_better {
                best = Some(child);
            }
        }
        best.unwrap_or_default()
    }
}

/// A text and whether HTML was read for it.
#[derive(Debug, Default)]
struct Rendered {
    text: String,
    is_html: bool,
}

/// Puts a text below another.
fn join(joined: &mut String, text: &str) {
    if !joined.is_empty() && !text.is_empty() && !joined.ends_with('\n') {
        joined.push('\n');
    }
    joined.push_str(text);
}

/// Whether the plain text stands there only because something must.
fn is_stub(plain: &str, html: &str) -> bool {
    let plain = plain.trim();
    if plain.is_empty() {
        return !html.is_empty();
    }
    if plain.len() >= STUB {
        return false;
    }
    let lower = plain.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let says_so = has(&["html", "browser", "браузер", "navegador"])
        && has(&[
            "view",
            "show",
            "display",
            "support",
            "see ",
            "просмотр",
            "поддерж",
            "отображ",
            "открыть",
            "откройте",
            "anzeig",
            "unterstütz",
            "ver ",
            "mostrar",
        ]);
    (says_so && !html.is_empty()) || html.len() > plain.len() * 5
}

/// A page or the beginning of one.
fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start();
    let start = start.get(..start.floor_char_boundary(16)).unwrap_or_default().to_ascii_lowercase();
    ["<!doctype html", "<html", "<body", "<table", "<div>", "<div ", "<p>", "<head>"].iter().any(|tag| start.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_decoded_as_far_as_they_go() {
        for (raw, expected) in [
            ("a=20b=\r\nc=D0=9F", "a bcП"),
            ("100% = 5=ZZ =\n==41", "100% = 5=ZZ =A"),
            ("end=", "end"),
            ("caf=C3=A9 = \nx", "café x"),
        ] {
            assert_eq!(String::from_utf8_lossy(&decoded(Transfer::QuotedPrintable, raw.as_bytes())), expected, "{raw}");
        }
        for (raw, expected) in [("aGk=", "hi"), ("aG\r\nk", "hi"), ("a-G.k=", "hi"), ("aGk=aGk=", "hihi"), ("!", "")] {
            assert_eq!(decoded(Transfer::Base64, raw.as_bytes()).as_ref(), expected.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn stubs_are_told_from_short_texts() {
        let page = "Заявка с сайта\nИмя\tИван\nТелефон\t+7 916 123-45-67\nСообщение\tСколько стоит доставка?";
        assert!(is_stub("", page));
        assert!(is_stub("Your client does not support HTML.", page));
        assert!(is_stub("Заявка", page));
        assert!(!is_stub("Добрый день! Сколько стоит доставка?", "Добрый день! Сколько стоит доставка?"));
        assert!(!is_stub("Ok", "Ok"));
        assert!(!is_stub("", ""));
    }
}
