//! What an answer says.

use std::borrow::Cow;

use bytes::Bytes;
use imap_proto::{AttributeValue, MailboxDatum, NameAttribute, Response, StatusAttribute};
use jiff::Timestamp;

use super::wire::Frame;

/// The most of a server's own words in a message.
const WORDS: usize = 300;

/// How a command ended, or what a server says by the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    No,
    Bad,
    Bye,
    PreAuth,
}

/// A status answer: `OK [CODE value] text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub verdict: Verdict,
    /// In upper case, as RFC 5530 names them; empty if there is none.
    pub code: String,
    /// What follows the code inside the brackets.
    pub value: String,
    /// For people; cleaned and cut. What the code says stands before it.
    pub text: String,
}

/// A mail, as a FETCH answer tells of it. What was not asked for is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub uid: Option<u32>,
    pub size: Option<u32>,
    pub at: Option<Timestamp>,
    /// `None` also if the server says NIL.
    pub body: Option<Bytes>,
}

/// An untagged answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Status(Status),
    Capabilities(Vec<String>),
    Exists(u32),
    /// One mail less, or several (VANISHED, RFC 7162).
    Expunge,
    Search(Vec<u32>),
    Fetch(Fetched),
    /// The name as the server writes it.
    List {
        marks: Vec<String>,
        name: String,
    },
    /// MESSAGES, UIDNEXT and UIDVALIDITY of a folder, its name as the server writes it.
    Folder {
        name: String,
        messages: Option<u32>,
        uid_next: Option<u32>,
        uid_validity: Option<u32>,
    },
    /// Something else.
    Other,
    /// It begins with this word, and cannot be read.
    Unreadable(String),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The command with this tag is done.
    Done(String, Status),
    /// The server waits for the rest of a command; what it says.
    More(Bytes),
    /// Anything else.
    Data(Data),
}

/// Reads an answer. Total: whatever came is something.
pub(super) fn read(frame: &Frame) -> Answer {
    let line = frame.bytes.strip_suffix(b"\r\n").unwrap_or(&frame.bytes);
    if let Some(more) = line.strip_prefix(b"+") {
        let more = more.strip_prefix(b" ").unwrap_or(more);
        return Answer::More(frame.bytes.slice_ref(more));
    }
    let (first, rest) = word(line);
    if first != b"*" {
        return match status(rest) {
            Some(status) => Answer::Done(lossy(first), status),
            None => Answer::Data(Data::Unreadable(String::new())),
        };
    }
    if let Some(status) = status(rest) {
        return Answer::Data(Data::Status(status));
    }
    Answer::Data(data(frame, rest))
}

fn data(frame: &Frame, rest: &[u8]) -> Data {
    let (first, after) = word(rest);
    let number = std::str::from_utf8(first).ok().and_then(|text| text.parse::<u32>().ok());
    let keyword = lossy(if number.is_some() { word(after).0 } else { first }).to_ascii_uppercase();
    match (keyword.as_str(), number) {
        ("EXISTS", Some(count)) => Data::Exists(count),
        ("EXPUNGE", Some(_)) | ("VANISHED", None) => Data::Expunge,
        ("CAPABILITY", None) => Data::Capabilities(capabilities(&lossy(after))),
        ("SEARCH", None) => search(after).map_or(Data::Unreadable(keyword), Data::Search),
        ("FETCH", Some(_)) | ("LIST" | "STATUS", None) => parsed(frame).unwrap_or(Data::Unreadable(keyword)),
        // A server of its own kind, or one that lost its place: words nobody asked for.
        ("FETCH", None) | ("LIST" | "STATUS" | "SEARCH", Some(_)) => Data::Unreadable(keyword),
        _ => Data::Other,
    }
}

/// Capabilities in upper case.
pub(super) fn capabilities(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_ascii_uppercase).collect()
}

/// `1 2 3`, also with a blank behind it, or what RFC 7162 adds in brackets.
fn search(rest: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(rest).ok()?;
    let numbers = text.split_once('(').map_or(text, |(numbers, _)| numbers);
    numbers.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}

fn parsed(frame: &Frame) -> Option<Data> {
    if frame.odd {
        return None;
    }
    let (left, response) = Response::parse(&frame.bytes).ok()?;
    if !left.is_empty() {
        return None;
    }
    match response {
        Response::Fetch(_, attributes) => Some(Data::Fetch(fetched(&frame.bytes, attributes))),
        Response::MailboxData(MailboxDatum::List(list)) => {
            Some(Data::List { marks: list.name_attributes.iter().map(mark).collect(), name: name(&frame.bytes, &list.name) })
        }
        Response::MailboxData(MailboxDatum::Status { mailbox, status }) => Some(folder(name(&frame.bytes, &mailbox), &status)),
        _ => None,
    }
}

fn fetched(whole: &Bytes, attributes: Vec<AttributeValue<'_>>) -> Fetched {
    let mut out = Fetched::default();
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(uid) => out.uid = Some(uid),
            AttributeValue::Rfc822Size(size) => out.size = Some(size),
            AttributeValue::InternalDate(date) => out.at = date_time(&date),
            AttributeValue::BodySection { data, .. } => out.body = data.map(|data| content(whole, data)),
            _ => {}
        }
    }
    out
}

/// A content without copying it, unless it stands in quotes with something escaped.
fn content(whole: &Bytes, data: Cow<'_, [u8]>) -> Bytes {
    let Cow::Borrowed(data) = data else { return Bytes::from(data.into_owned()) };
    let at = data.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    let quoted = at > 0 && whole.get(at - 1) == Some(&b'"');
    if quoted && data.contains(&b'\\') {
        return Bytes::from(unescaped(data));
    }
    whole.slice_ref(data)
}

/// A folder's name; the parser leaves a quoted one as it stands in its quotes.
fn name(whole: &[u8], name: &str) -> String {
    let literal = whole.windows(2).filter(|pair| pair == b"\r\n").count() > 1;
    if literal || !name.contains('\\') { name.to_owned() } else { lossy(&unescaped(name.as_bytes())) }
}

/// What stands in quotes, as it is meant.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    plain
}

fn folder(name: String, attributes: &[StatusAttribute]) -> Data {
    let (mut messages, mut uid_next, mut uid_validity) = (None, None, None);
    for attribute in attributes {
        match attribute {
            StatusAttribute::Messages(count) => messages = Some(*count),
            StatusAttribute::UidNext(uid) => uid_next = Some(*uid),
            StatusAttribute::UidValidity(number) => uid_validity = Some(*number),
            _ => {}
        }
    }
    Data::Folder { name, messages, uid_next, uid_validity }
}

/// A mark as the standards write it, whatever the server's case.
fn mark(attribute: &NameAttribute<'_>) -> String {
    match attribute {
        NameAttribute::NoInferiors => "\\Noinferiors",
        NameAttribute::NoSelect => "\\Noselect",
        NameAttribute::Marked => "\\Marked",
        NameAttribute::Unmarked => "\\Unmarked",
        NameAttribute::All => "\\All",
        NameAttribute::Archive => "\\Archive",
        NameAttribute::Drafts => "\\Drafts",
        NameAttribute::Flagged => "\\Flagged",
        NameAttribute::Junk => "\\Junk",
        NameAttribute::Sent => "\\Sent",
        NameAttribute::Trash => "\\Trash",
        NameAttribute::Extension(other) => other,
        _ => "",
    }
    .to_owned()
}

/// ` 1-Feb-2026 09:08:07 +0300`, the day with a zero, a blank or neither.
fn date_time(text: &str) -> Option<Timestamp> {
    jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?.to_timestamp().ok()
}

/// `OK [CODE value] text`; `None`: it is no status.
fn status(rest: &[u8]) -> Option<Status> {
    let (first, after) = word(rest);
    let verdict = match first.to_ascii_uppercase().as_slice() {
        b"OK" => Verdict::Ok,
        b"NO" => Verdict::No,
        b"BAD" => Verdict::Bad,
        b"BYE" => Verdict::Bye,
        b"PREAUTH" => Verdict::PreAuth,
        _ => return None,
    };
    let after = lossy(after);
    let code = after.strip_prefix('[').and_then(|inner| inner.split_once(']')).map_or("", |(code, _)| code);
    let (code, value) = code.split_once(' ').unwrap_or((code, ""));
    Some(Status { verdict, code: code.to_ascii_uppercase(), value: value.to_owned(), text: words(&after) })
}

/// A server's own words, without what would break a line.
pub(super) fn words(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    leadgate_core::text::cut(clean.trim(), WORDS).to_owned()
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &[u8]) -> Answer {
        read(&Frame { bytes: Bytes::copy_from_slice(text), odd: false })
    }

    fn said(text: &str) -> Data {
        match of(format!("{text}\r\n").as_bytes()) {
            Answer::Data(data) => data,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn statuses() {
        let Answer::Done(tag, status) = of(b"L7 no [trycreate] There is\tno such folder\r\n") else { panic!("no end") };
        assert_eq!((tag.as_str(), status.verdict, status.code.as_str()), ("L7", Verdict::No, "TRYCREATE"));
        assert_eq!(status.text, "[trycreate] There is no such folder");
        let Data::Status(status) = said("* OK [UIDVALIDITY 12] ok") else { panic!("no status") };
        assert_eq!((status.code.as_str(), status.value.as_str()), ("UIDVALIDITY", "12"));
        let Data::Status(status) = said("* BYE") else { panic!("no status") };
        assert_eq!((status.verdict, status.text.as_str()), (Verdict::Bye, ""));
        assert_eq!(of(b"+ idling\r\n"), Answer::More(Bytes::from_static(b"idling")));
        assert_eq!(of(b"+\r\n"), Answer::More(Bytes::new()));
        assert_eq!(of(b"L7 what\r\n"), Answer::Data(Data::Unreadable(String::new())));
        assert_eq!(of(b"\r\n"), Answer::Data(Data::Unreadable(String::new())));
    }

    #[test]
    fn numbers_and_lists() {
        assert_eq!(said("* 23 exists"), Data::Exists(23));
        assert_eq!(said("* 4 EXPUNGE"), Data::Expunge);
        assert_eq!(said("* VANISHED (EARLIER) 1:5"), Data::Expunge);
        assert_eq!(said("* SEARCH"), Data::Search(Vec::new()));
        assert_eq!(said("* SEARCH 3 1 2 (MODSEQ 917162500)"), Data::Search(vec![3, 1, 2]));
        assert_eq!(said("* SEARCH 3 x"), Data::Unreadable("SEARCH".to_owned()));
        assert_eq!(said("* ESEARCH (TAG \"L1\") UID ALL 1:3"), Data::Other);
        assert_eq!(said("* X-FOO bar"), Data::Other);
        assert_eq!(said("* FLAGS (\\Seen \\*)"), Data::Other);
        assert_eq!(said("* CAPABILITY imap4rev2 IDLE"), Data::Capabilities(vec!["IMAP4REV2".to_owned(), "IDLE".to_owned()]));
        assert_eq!(
            said("* LIST (\\HasNoChildren \\sent) \"/\" \"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-\""),
            Data::List {
                marks: vec!["\\HasNoChildren".to_owned(), "\\Sent".to_owned()],
                name: "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-".to_owned()
            }
        );
        assert_eq!(
            said("* STATUS INBOX (UIDNEXT 5 MESSAGES 3 UIDVALIDITY 9)"),
            Data::Folder { name: "INBOX".to_owned(), messages: Some(3), uid_next: Some(5), uid_validity: Some(9) }
        );
    }

    #[test]
    fn mails() {
        let Data::Fetch(mail) = said("* 2 FETCH (UID 7 RFC822.SIZE 100 INTERNALDATE \" 1-Feb-2026 09:08:07 +0300\" FLAGS () )")
        else {
            panic!("no mail")
        };
        assert_eq!((mail.uid, mail.size), (Some(7), Some(100)));
        assert_eq!(mail.at.map(|at| at.to_string()).as_deref(), Some("2026-02-01T06:08:07Z"));
        let body = |text: &str| match said(text) {
            Data::Fetch(mail) => mail.body,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(body("* 2 FETCH (UID 7 BODY[] {5}\r\na\r\nbc)"), Some(Bytes::from_static(b"a\r\nbc")));
        assert_eq!(body("* 2 FETCH (BODY[]<0> {2}\r\nab UID 7)"), Some(Bytes::from_static(b"ab")));
        assert_eq!(body("* 2 FETCH (UID 7 BODY[HEADER] \"a \\\"b\\\" \\\\c\")"), Some(Bytes::from_static(b"a \"b\" \\c")));
        assert_eq!(body("* 2 FETCH (UID 7 BODY[] \"\")"), Some(Bytes::new()));
        assert_eq!(body("* 2 FETCH (UID 7 BODY[] NIL)"), None);
        assert_eq!(body("* 2 FETCH (UID 7)"), None);
        assert_eq!(said("* 2 FETCH (UID 7 BODY[] {3}\r\nabc"), Data::Unreadable("FETCH".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(text in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            read(&Frame { bytes: Bytes::from(text), odd: false });
        }

        #[test]
        fn nothing_like_an_answer_breaks_it(
            head in "(\\* |L1 |\\+ )?([0-9]{1,11} )?(FETCH|LIST|STATUS|SEARCH|OK|NO|CAPABILITY|EXISTS) ",
            text in "[ -~\r\n\\\\\"(){}\\[\\]]{0,80}",
        ) {
            read(&Frame { bytes: Bytes::from(format!("{head}{text}\r\n")), odd: false });
        }
    }
}
