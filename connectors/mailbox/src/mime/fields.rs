//! The head of a mail or of a part: which lines are fields, and where the body begins.

use std::ops::Range;

/// Fields of one head beyond this many are not looked at.
const MOST: usize = 2_000;
/// Bytes of one head beyond this many are not looked at.
const LONGEST_HEAD: usize = 1024 * 1024;
/// Bytes of one value beyond this many are not looked at.
const LONGEST_VALUE: usize = 256 * 1024;

/// A field: its name in lower case and where its value stands, folds and all.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    pub value: Range<usize>,
}

/// A head.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub fields: Vec<Field>,
    /// Where the body begins.
    pub body: usize,
    /// Some of it was left out, or was no field at all.
    pub problem: Option<&'static str>,
}

impl Head {
    /// Reads the head at the beginning of `range`. If no line there is a field, all of it is body.
    pub(super) fn read(bytes: &[u8], range: Range<usize>) -> Self {
        let mut head = Self { body: range.end, ..Self::default() };
        // Where the body begins if the empty line between head and body was forgotten, and how many fields stand before.
        let mut odd = None;
        let mut after_odd = false;
        let mut at = range.start;
        while at < range.end {
            let end = line_end(bytes, at, range.end);
            let line = &bytes[at..end];
            if is_empty(line) {
                // Odd lines that no field follows are the text.
                if odd.is_none_or(|(_, fields)| fields < head.fields.len()) {
                    head.body = end;
                    odd = None;
                }
                break;
            }
            match (line.first(), head.fields.last_mut()) {
                // A fold. White space alone goes on, too: some programs fold a long subject like that.
                (Some(b' ' | b'\t'), Some(field)) => {
                    if !after_odd {
                        field.value.end = end.min(field.value.start + LONGEST_VALUE);
                    }
                }
                _ => match name(line) {
                    Some((name, colon)) if head.fields.len() < MOST && at - range.start < LONGEST_HEAD => {
                        let value = at + colon + 1..end.min(at + colon + 1 + LONGEST_VALUE);
                        head.fields.push(Field { name, value });
                        after_odd = false;
                    }
                    Some(_) => head.problem = Some("its head is too long: the rest of it was not read"),
                    None if head.fields.is_empty() => {
                        head.body = at;
                        return head;
                    }
                    // A boundary: whatever the head was, the parts begin.
                    None if line.starts_with(b"--") => {
                        odd = Some((at, head.fields.len()));
                        break;
                    }
                    None => {
                        odd.get_or_insert((at, head.fields.len()));
                        after_odd = true;
                    }
                },
            }
            at = end;
        }
        if let Some((odd, fields)) = odd {
            head.body = odd;
            head.fields.truncate(fields);
            head.problem = Some("no empty line stands between its head and its text");
        }
        head
    }

    /// The first field of a name.
    pub(super) fn value<'b>(&self, bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.fields.iter().find(|field| field.name == name).map(|field| &bytes[field.value.clone()])
    }

    /// All fields of a name.
    pub(super) fn values<'b>(&self, bytes: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.fields.iter().filter(move |field| field.name == name).map(|field| &bytes[field.value.clone()])
    }
}

/// Whether a line is the one that ends a head.
pub(super) fn is_empty(line: &[u8]) -> bool {
    line.trim_ascii_end().is_empty() && !matches!(line.first(), Some(b' ' | b'\t'))
}

/// Where the line after this one begins.
pub(super) fn line_end(bytes: &[u8], at: usize, end: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..end]).map_or(end, |found| at + found + 1)
}

/// The name a line begins with, in lower case, and where its colon stands (RFC 5322, 3.6.8; white space before the colon is obsolete
/// and not rare).
fn name(line: &[u8]) -> Option<(String, usize)> {
    let colon = memchr::memchr(b':', &line[..line.len().min(256)])?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| (String::from_utf8_lossy(name).to_ascii_lowercase(), colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, String) {
        let head = Head::read(text.as_bytes(), 0..text.len());
        let value = |field: &Field| (field.name.clone(), text[field.value.clone()].trim().to_owned());
        (head.fields.iter().map(value).collect(), text[head.body..].to_owned())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_head_ends_at_the_empty_line() {
        for newline in ["\n", "\r\n"] {
            let (fields, body) =
                read(&["Subject: one", " two", "\tthree", "X-Empty:", "From : a@b", "", "text: x", ""].join(newline));
            let folded = ["one", " two", "\tthree"].join(newline);
            assert_eq!(fields, [pair("subject", &folded), pair("x-empty", ""), pair("from", "a@b")]);
            assert_eq!(body, format!("text: x{newline}"));
        }
    }

    #[test]
    fn odd_lines_do_not_end_it_unless_nothing_else_does() {
        let (fields, body) = read("From: a@b\nwhat is this\nSubject: s\n\ntext\n");
        assert_eq!(fields, [pair("from", "a@b"), pair("subject", "s")]);
        assert_eq!(body, "text\n");
        let (fields, body) = read("From: a@b\nHello there\n\nmore\n");
        assert_eq!(fields, [pair("from", "a@b")]);
        assert_eq!(body, "Hello there\n\nmore\n");
        let (fields, body) = read("From: a@b\nHello there\n more\nPhone: 1\n");
        assert_eq!(fields, [pair("from", "a@b")]);
        assert_eq!(body, "Hello there\n more\nPhone: 1\n");
    }

    #[test]
    fn a_text_without_a_head_is_all_body() {
        assert_eq!(read("Hello there\nFrom: me\n"), (Vec::new(), "Hello there\nFrom: me\n".to_owned()));
        assert_eq!(read(""), (Vec::new(), String::new()));
        assert_eq!(read("\ntext"), (Vec::new(), "text".to_owned()));
    }

    #[test]
    fn a_head_is_bounded() {
        let text = "A: b\n".repeat(5_000) + "\nbody";
        let head = Head::read(text.as_bytes(), 0..text.len());
        assert_eq!(head.fields.len(), MOST);
        assert!(head.problem.is_some());
        assert_eq!(&text[head.body..], "body");
        let text = format!("A: {}\n\nbody", "x".repeat(LONGEST_VALUE * 2));
        assert_eq!(Head::read(text.as_bytes(), 0..text.len()).fields[0].value.len(), LONGEST_VALUE);
    }
}
