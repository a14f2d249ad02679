//! The parts of a mail: where each stands, what it says of itself, which stands in which. Bounded in number and depth, whatever is sent.

use std::ops::Range;

use super::fields::{Head, line_end};
use super::params::Parameters;

/// Parts of a mail beyond this many are not looked at, those of the mails inside among them.
pub(super) const MOST_PARTS: usize = 1_000;
/// What is nested deeper is not opened.
const DEEPEST: usize = 20;

/// How a body is encoded for the way (RFC 2045, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// As it is.
    Plain,
    Base64,
    QuotedPrintable,
}

/// A part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub head: Head,
    /// Its body as encoded.
    pub body: Range<usize>,
    /// Content-Type; `text/plain` where nothing is said.
    pub kind: Parameters,
    /// Content-Disposition.
    pub disposition: Parameters,
    pub transfer: Transfer,
    /// The parts in it, if it is a multipart that could be divided.
    pub children: Vec<usize>,
    /// The part it stands in.
    pub parent: Option<usize>,
    depth: usize,
}

/// The parts of a mail; the first is the mail itself.
#[derive(Debug)]
pub(super) struct Tree {
    pub parts: Vec<Part>,
    pub problems: Vec<&'static str>,
}

impl Tree {
    /// Divides what stands in `range`. `left` says how many parts may still be made, and counts down.
    pub(super) fn read(bytes: &[u8], range: Range<usize>, left: &mut usize) -> Self {
        let mut tree = Self { parts: vec![Part::read(bytes, range, None, 0, "text/plain")], problems: Vec::new() };
        let mut at = 0;
        // Breadth first: a bomb of parts far within takes nothing from those further out.
        while at < tree.parts.len() {
            tree.divide(bytes, at, left);
            at += 1;
        }
        tree
    }

    /// All parts as they follow each other in the mail.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.parts.len());
        let mut open = vec![0];
        while let Some(number) = open.pop() {
            order.push(number);
            open.extend(self.parts[number].children.iter().rev());
        }
        order
    }

    /// The part in which this one stands.
    pub(super) fn parent(&self, part: &Part) -> Option<&Part> {
        part.parent.and_then(|parent| self.parts.get(parent))
    }

    fn divide(&mut self, bytes: &[u8], at: usize, left: &mut usize) {
        let part = &self.parts[at];
        if !part.kind.value.starts_with("multipart/") {
            return;
        }
        let depth = part.depth + 1;
        if depth > DEEPEST {
            self.problems.push("parts are nested too deeply: those far within were not opened");
            return;
        }
        let default = if part.kind.value == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        let ranges = divided(bytes, part, *left);
        if ranges.len() >= *left {
            self.problems.push("it has too many parts: the rest was not read");
        }
        *left -= ranges.len().min(*left);
        for range in ranges {
            let number = self.parts.len();
            self.parts[at].children.push(number);
            self.parts.push(Part::read(bytes, range, Some(at), depth, default));
        }
    }
}

impl Part {
    fn read(bytes: &[u8], range: Range<usize>, parent: Option<usize>, depth: usize, default: &str) -> Self {
        let head = Head::read(bytes, range.clone());
        let mut kind = head.value(bytes, "content-type").map(Parameters::read).unwrap_or_default();
        if !kind.value.contains('/') {
            // `Content-Type: text`, and no Content-Type at all.
            default.clone_into(&mut kind.value);
        }
        let disposition = head.value(bytes, "content-disposition").map(Parameters::read).unwrap_or_default();
        let transfer = transfer(head.value(bytes, "content-transfer-encoding").unwrap_or_default());
        Self { body: head.body.min(range.end)..range.end, head, kind, disposition, transfer, children: Vec::new(), parent, depth }
    }

    /// Whether it was meant to hold others and could not be divided.
    pub(super) fn is_broken_multipart(&self) -> bool {
        self.kind.value.starts_with("multipart/") && self.children.is_empty()
    }
}

fn transfer(raw: &[u8]) -> Transfer {
    let bare: String =
        raw.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    match bare.as_str() {
        "base64" => Transfer::Base64,
        "quotedprintable" => Transfer::QuotedPrintable,
        _ => Transfer::Plain,
    }
}

/// Where the parts of a multipart stand. None if its boundary is nowhere to be found.
fn divided(bytes: &[u8], part: &Part, most: usize) -> Vec<Range<usize>> {
    let body = part.body.clone();
    let declared = part.kind.plain("boundary");
    if let Some(boundary) = &declared {
        let ranges = between(bytes, body.clone(), boundary.as_bytes(), most);
        if !ranges.is_empty() {
            return ranges;
        }
    }
    // Lost or misspelt underway: the first line that looks like one, if a head follows.
    guessed(bytes, body.clone()).map_or_else(Vec::new, |boundary| between(bytes, body, boundary, most))
}

/// The parts between the lines of a boundary (RFC 2046, 5.1.1). The line end before a boundary belongs to it. What comes before the
/// first and after the last line is nobody's; a last line may be missing.
fn between(bytes: &[u8], body: Range<usize>, boundary: &[u8], most: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = None;
    let needle = [b"--", boundary].concat();
    for found in memchr::memmem::find_iter(&bytes[body.clone()], &needle) {
        let at = body.start + found;
        if at != body.start && bytes[at - 1] != b'\n' {
            continue;
        }
        let next = line_end(bytes, at, body.end);
        let tail = bytes[(at + needle.len()).min(next)..next].trim_ascii();
        if !(tail.is_empty() || tail == b"--") {
            continue;
        }
        if let Some(start) = start {
            ranges.push(start..before_line_end(bytes, at).max(start));
        }
        if tail == b"--" || ranges.len() >= most {
            return ranges;
        }
        start = Some(next);
    }
    ranges.extend(start.filter(|start| *start < body.end).map(|start| start..body.end));
    ranges
}

fn before_line_end(bytes: &[u8], at: usize) -> usize {
    let at = if at > 0 && bytes[at - 1] == b'\n' { at - 1 } else { at };
    if at > 0 && bytes[at - 1] == b'\r' { at - 1 } else { at }
}

/// A line of two dashes and more, followed by a field `Content-...`: within the first lines.
fn guessed(bytes: &[u8], body: Range<usize>) -> Option<&[u8]> {
    let mut at = body.start;
    for _ in 0..200 {
        if at >= body.end {
            return None;
        }
        let end = line_end(bytes, at, body.end);
        let line = bytes[at..end].trim_ascii_end();
        let next = &bytes[end..body.end.min(end + 8)];
        if line.len() > 3 && line.starts_with(b"--") && next.eq_ignore_ascii_case(b"content-") {
            return Some(&line[2..]);
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Vec<(String, String)> {
        let tree = Tree::read(text.as_bytes(), 0..text.len(), &mut MOST_PARTS.clone());
        let leaves = tree.parts.iter().filter(|part| part.children.is_empty());
        leaves.map(|part| (part.kind.value.clone(), text[part.body.clone()].to_owned())).collect()
    }

    fn leaf(kind: &str, body: &str) -> (String, String) {
        (kind.to_owned(), body.to_owned())
    }

    #[test]
    fn parts_are_divided() {
        for newline in ["\n", "\r\n"] {
            let text = "Content-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n--b\n\none\n--b  \nContent-Type: text/html\n\ntwo\n\n--bb\n\
                        --b--\nepilogue\n--b\nnot this\n"
                .replace('\n', newline);
            let second = "two\n\n--bb".replace('\n', newline);
            assert_eq!(bodies(&text), [leaf("text/plain", "one"), leaf("text/html", &second)]);
        }
    }

    #[test]
    fn broken_boundaries_are_found() {
        // Never closed; the one outside ends the one inside.
        let text = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n--a\n\n3";
        assert_eq!(bodies(text), [leaf("text/plain", "3"), leaf("text/plain", "1"), leaf("text/plain", "2")]);
        // Misspelt, or not there.
        for kind in ["multipart/mixed; boundary=other", "multipart/mixed"] {
            let text = format!("Content-Type: {kind}\n\n--lost=\nContent-Type: text/html\n\nhi\n--lost=--\n");
            assert_eq!(bodies(&text), [leaf("text/html", "hi")]);
        }
        // Nothing to divide.
        assert_eq!(bodies("Content-Type: multipart/mixed; boundary=a\n\nbody"), [leaf("multipart/mixed", "body")]);
        assert_eq!(bodies("Content-Type: multipart/mixed; boundary=a\n\n--a--"), [leaf("multipart/mixed", "--a--")]);
    }

    #[test]
    fn parts_are_bounded() {
        let text = "Content-Type: multipart/mixed; boundary=a\n\n".to_owned() + &"--a\n\nx\n".repeat(5_000);
        let mut left = MOST_PARTS;
        let tree = Tree::read(text.as_bytes(), 0..text.len(), &mut left);
        assert_eq!((tree.parts.len(), left, tree.problems.len()), (MOST_PARTS + 1, 0, 1));
        let level = |at: usize| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n");
        let text = (0..5_000).map(level).collect::<Vec<_>>().concat();
        let tree = Tree::read(text.as_bytes(), 0..text.len(), &mut MOST_PARTS.clone());
        assert!(tree.parts.len() < 50 && tree.problems.len() == 1);
    }

    #[test]
    fn a_digest_holds_mails() {
        let text = "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\nhi\n--a--";
        assert_eq!(bodies(text), [leaf("message/rfc822", "Subject: x\n\nhi")]);
    }
}
