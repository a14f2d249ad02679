//! A letter, and the bytes it is sent as. No text can become a header or leave its own.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use leadgate_core::onward::JobId;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Message, MultiPart, SinglePart};

use super::clean;
use super::mailbox::Mailbox;

/// The header that marks what the gateway sends itself.
pub const CANARY: &str = "X-Leadgate-Canary";
/// The longest mark.
const MARK: usize = 200;
/// The longest name of a file, in characters.
const FILE_NAME: usize = 120;
/// The longest subject, in characters. Lists show about 70.
const SUBJECT: usize = 200;
/// Bytes of a message id that is repeated: longer ones do not fit a line (RFC 5322, section 2.1.1).
const MESSAGE_ID: usize = 250;
/// Message ids in References: the beginning and the newest.
const REFERENCES: usize = 20;

/// Who wrote it, for those who answer automatically (RFC 3834).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// The gateway, of its own accord.
    Notice,
    /// The gateway, because of what somebody sent.
    AutoReply,
    /// A person, by the gateway.
    Written,
}

/// A file of a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its name, as somebody gave it.
    pub name: String,
    /// Its type, as somebody said it is.
    pub content_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// From whom.
    pub from: Mailbox,
    /// To whom.
    pub to: Mailbox,
    /// Whom an answer goes to, if not to `from`.
    pub reply_to: Option<Mailbox>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same in HTML.
    pub html: Option<String>,
    /// Files that go with it.
    pub files: Vec<Attached>,
    /// The Message-ID without its brackets.
    pub message_id: String,
    /// The Message-ID it answers.
    pub in_reply_to: Option<String>,
    /// The Message-IDs before it, oldest first.
    pub references: Vec<String>,
    /// Where it is told that it could not be delivered (MAIL FROM); `None`: nowhere, as automatic answers must (RFC 3834,
    /// section 3.3).
    pub envelope_from: Option<Mailbox>,
    /// Who wrote it.
    pub kind: LetterKind,
    /// When.
    pub date: Timestamp,
    /// The gateway sends it to itself, with this mark in [`CANARY`].
    pub canary: Option<String>,
}

/// Everything of a letter but what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// From whom.
    pub from: Mailbox,
    /// To whom.
    pub to: Mailbox,
    /// Whom an answer goes to, if not to `from`.
    pub reply_to: Option<Mailbox>,
    /// See [`message_id`].
    pub message_id: String,
    /// The Message-ID it answers.
    pub in_reply_to: Option<String>,
    /// The Message-IDs before it, oldest first.
    pub references: Vec<String>,
    /// Where it is told that it could not be delivered.
    pub envelope_from: Option<Mailbox>,
    /// When.
    pub date: Timestamp,
}

impl Heading {
    pub(super) fn letter(self, kind: LetterKind, said: super::templates::Said) -> Letter {
        Letter {
            from: self.from,
            to: self.to,
            reply_to: self.reply_to,
            subject: said.subject,
            text: said.text,
            html: said.html,
            files: Vec::new(),
            message_id: self.message_id,
            in_reply_to: self.in_reply_to,
            references: self.references,
            envelope_from: self.envelope_from,
            kind,
            date: self.date,
            canary: None,
        }
    }
}

/// Why a letter cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// Its own Message-ID is none.
    #[error("the mail's own id cannot be used")]
    MessageId,
    /// A template cannot be filled in. Says which and where.
    #[error("{0}")]
    Template(String),
    /// It cannot be written as a mail.
    #[error("the mail cannot be written: {0}")]
    Unwritable(&'static str),
}

/// The Message-ID of what is owed: the same at every attempt, so that a mail that came twice is known by it.
pub fn message_id(job: JobId, from: &Mailbox) -> String {
    format!("{job}@{}", from.domain())
}

impl Letter {
    /// The mail as it is sent (RFC 5322): headers in ASCII, lines short.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LetterError> {
        let id = bracketed(&self.message_id).ok_or(LetterError::MessageId)?;
        let date = self.date.max(Timestamp::UNIX_EPOCH);
        let mut mail = Message::builder()
            .date(SystemTime::from(date))
            .from(self.from.to_lettre())
            .to(self.to.to_lettre())
            .subject(clean::line(&self.subject, SUBJECT))
            .message_id(Some(id));
        if let Some(reply_to) = &self.reply_to {
            mail = mail.reply_to(reply_to.to_lettre());
        }
        if let Some(answered) = self.in_reply_to.as_deref().and_then(bracketed) {
            mail = mail.in_reply_to(answered);
        }
        let references = references(&self.references);
        if !references.is_empty() {
            mail = mail.references(references.join(" "));
        }
        let marks: &[(&'static str, &str)] = match self.kind {
            LetterKind::Notice => &[("Auto-Submitted", "auto-generated")],
            LetterKind::AutoReply => {
                &[("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All"), ("Precedence", "bulk")]
            }
            LetterKind::Written => &[],
        };
        for (name, value) in marks {
            mail = mail.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), (*value).to_owned()));
        }
        if let Some(mark) = self.canary.as_deref().filter(|mark| is_mark(mark)) {
            mail = mail.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(CANARY), mark.to_owned()));
        }
        let written = match (&self.html, self.files.as_slice()) {
            (None, []) => mail.singlepart(part(ContentType::TEXT_PLAIN, &self.text)?),
            (Some(html), []) => mail.multipart(self.both(html)?),
            (html, files) => {
                let mixed = MultiPart::mixed().boundary(self.boundary("f"));
                let mut parts = match html {
                    None => mixed.singlepart(part(ContentType::TEXT_PLAIN, &self.text)?),
                    Some(html) => mixed.multipart(self.both(html)?),
                };
                for file in files {
                    parts = parts.singlepart(file.part()?);
                }
                mail.multipart(parts)
            }
        };
        written.map(|mail| mail.formatted()).map_err(|_| LetterError::Unwritable("its envelope is not complete"))
    }
}

impl Letter {
    /// The text, and the same in HTML.
    fn both(&self, html: &str) -> Result<MultiPart, LetterError> {
        let parts = MultiPart::alternative().boundary(self.boundary(""));
        Ok(parts.singlepart(part(ContentType::TEXT_PLAIN, &self.text)?).singlepart(part(ContentType::TEXT_HTML, html)?))
    }

    /// Neither quoted-printable nor base64 has `=_` in it, so no text ends its part.
    fn boundary(&self, of: &str) -> String {
        format!("=_{of}{}", self.message_id.split('@').next().unwrap_or_default())
    }
}

impl Attached {
    fn part(&self) -> Result<SinglePart, LetterError> {
        let body = Body::new_with_encoding(self.bytes.clone(), ContentTransferEncoding::Base64);
        let body = body.map_err(|_| LetterError::Unwritable("a file has no encoding"))?;
        // A mail in a mail may not be in base64 (RFC 2046, section 5.2.1).
        let composite = ["message/", "multipart/"].iter().any(|kind| self.content_type.starts_with(kind));
        let is_token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/.+-_".contains(&byte);
        let known = Some(self.content_type.as_str()).filter(|text| !composite && text.bytes().all(is_token));
        let unknown = || ContentType::parse("application/octet-stream");
        let content_type = known.and_then(|text| ContentType::parse(text).ok()).map_or_else(unknown, Ok);
        let content_type = content_type.map_err(|_| LetterError::Unwritable("a file has no type"))?;
        let name = clean::line(&self.name, FILE_NAME).replace(['/', '\\', '"'], "_");
        Ok(Attachment::new(if name.is_empty() { "file".to_owned() } else { name }).body(body, content_type))
    }
}

/// Whether a text can be one word of a header.
fn is_mark(text: &str) -> bool {
    !text.is_empty() && text.len() <= MARK && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Base64 for what is mostly Cyrillic: half as long as quoted-printable, which is for the rest.
fn part(content_type: ContentType, text: &str) -> Result<SinglePart, LetterError> {
    let foreign = text.bytes().filter(|byte| !byte.is_ascii()).count();
    let encoding =
        if foreign > text.len() / 6 { ContentTransferEncoding::Base64 } else { ContentTransferEncoding::QuotedPrintable };
    let body =
        Body::new_with_encoding(text.to_owned(), encoding).map_err(|_| LetterError::Unwritable("a text has no encoding"))?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

/// `<id>`, if it is one: what else stands in it could be another header.
fn bracketed(id: &str) -> Option<String> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>');
    let halves = id.split_once('@').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty());
    (id.len() <= MESSAGE_ID && halves && id.bytes().all(fits)).then(|| format!("<{id}>"))
}

fn references(ids: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for id in ids.iter().filter_map(|id| bracketed(id)) {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    if all.len() > REFERENCES {
        let newest = all.split_off(all.len() - (REFERENCES - 1));
        all.truncate(1);
        all.extend(newest);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter() -> Letter {
        Letter {
            from: Mailbox::read("Завод <leads@zavod.ru>").unwrap(),
            to: Mailbox::read("anna@zavod.ru").unwrap(),
            reply_to: Mailbox::new("Пётр", "petr@mail.ru"),
            subject: "Новая заявка: Пётр".to_owned(),
            text: "Здравствуйте\n.\nи всё".to_owned(),
            html: Some("<p>Здравствуйте</p>".to_owned()),
            files: Vec::new(),
            message_id: "018f3f3e-0000-7000-8000-000000000001@zavod.ru".to_owned(),
            in_reply_to: None,
            references: Vec::new(),
            envelope_from: None,
            kind: LetterKind::Notice,
            canary: None,
            date: "2026-11-21T19:42:45Z".parse().unwrap(),
        }
    }

    fn headers(bytes: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        headers(bytes).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_letter_is_the_same_bytes_at_every_attempt() {
        let letter = letter();
        let bytes = letter.to_bytes().unwrap();
        assert_eq!(bytes, letter.to_bytes().unwrap());
        let head = headers(&bytes);
        assert!(head.contains(&"Message-ID: <018f3f3e-0000-7000-8000-000000000001@zavod.ru>".to_owned()), "{head:?}");
        assert!(head.contains(&"Date: Sat, 21 Nov 2026 19:42:45 +0000".to_owned()), "{head:?}");
        assert!(head.contains(&"Auto-Submitted: auto-generated".to_owned()), "{head:?}");
        assert!(bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
    }

    #[test]
    fn an_automatic_answer_says_so_and_is_answered_by_nobody() {
        let head = headers(&Letter { kind: LetterKind::AutoReply, ..letter() }.to_bytes().unwrap());
        for mark in ["Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "Precedence: bulk"] {
            assert!(head.contains(&mark.to_owned()), "{head:?}");
        }
        let head = headers(&Letter { kind: LetterKind::Written, ..letter() }.to_bytes().unwrap());
        assert!(!head.iter().any(|line| line.starts_with("Auto-")), "{head:?}");
    }

    #[test]
    fn files_go_along_as_they_are() {
        let file = |name: &str, content_type: &str, bytes: &[u8]| Attached {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.to_vec(),
        };
        let all: Vec<u8> = (0..=255).collect();
        let files = vec![
            file("смета.pdf", "application/pdf", &all),
            file("../a\r\nBcc: \"x\"", "text/plain\r\nBcc: x@y.ru", b""),
            file("", "message/rfc822", b"From: a\r\n\r\n--=_f018f3f3e-0000-7000-8000-000000000001\r\n"),
        ];
        for html in [None, Some("<p>x</p>".to_owned())] {
            let bytes = Letter { html, files: files.clone(), ..letter() }.to_bytes().unwrap();
            let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
            use mail_parser::MimeHeaders as _;
            let found: Vec<_> = mail.attachments().collect();
            assert_eq!(found.iter().map(|part| part.contents()).collect::<Vec<_>>(), [&all[..], b"", &files[2].bytes[..]]);
            let names: Vec<_> = found.iter().map(|part| part.attachment_name().unwrap()).collect();
            assert_eq!(names, ["смета.pdf", ".._a Bcc: _x_", "file"]);
            let kinds: Vec<_> = found.iter().map(|part| part.content_type().unwrap().subtype().unwrap()).collect();
            assert_eq!(kinds, ["pdf", "octet-stream", "octet-stream"]);
            assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), letter().text);
            assert!(!String::from_utf8(bytes).unwrap().contains("\nBcc"));
        }
    }

    #[test]
    fn what_the_gateway_sends_itself_is_marked() {
        let marked = |mark: &str| headers(&Letter { canary: Some(mark.to_owned()), ..letter() }.to_bytes().unwrap());
        let long = format!("{}.1795290165.{}", "s".repeat(64), "0".repeat(32));
        for mark in ["info.1795290165.00", &long] {
            assert!(marked(mark).contains(&format!("X-Leadgate-Canary: {mark}")), "{:?}", marked(mark));
        }
        for bad in ["", "a b", "a\r\nBcc: x@y.ru", "ключ", &"a".repeat(201)] {
            assert_eq!(marked(bad), headers(&letter().to_bytes().unwrap()), "{bad}");
        }
    }

    #[test]
    fn ids_that_are_none_are_left_out_and_references_are_bounded() {
        let ids: Vec<String> = (0..50).map(|n| format!("<{n}@mail.ru>")).chain(["a b@c".to_owned(), "x".to_owned()]).collect();
        let letter = Letter { in_reply_to: Some("a@b>\r\nBcc: x@y.ru".to_owned()), references: ids, ..letter() };
        let head = headers(&letter.to_bytes().unwrap());
        assert!(!head.iter().any(|line| line.starts_with("In-Reply-To") || line.starts_with("Bcc")), "{head:?}");
        let line = head.iter().find(|line| line.starts_with("References: ")).unwrap();
        assert!(line.starts_with("References: <0@mail.ru> <31@mail.ru>") && line.ends_with("<49@mail.ru>"), "{line}");
        assert_eq!(Letter { message_id: "no id".to_owned(), ..letter }.to_bytes(), Err(LetterError::MessageId));
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_header(subject in ".*\r\nBcc: .*|\\PC*|(?s).*", name in "(?s).*", id in "(?s).*", text in "(?s).*") {
            let plain = names(&Letter { references: vec!["a@b".to_owned()], in_reply_to: Some("a@b".to_owned()), ..letter() }.to_bytes().unwrap());
            let hostile = Letter {
                from: Mailbox::new(&name, "leads@zavod.ru").unwrap(),
                reply_to: Mailbox::new(&name, "petr@mail.ru"),
                subject,
                html: Some(text.clone()),
                files: vec![Attached { name: name.clone(), content_type: id.clone(), bytes: text.clone().into_bytes() }],
                text,
                references: vec![id.clone(), "a@b".to_owned()],
                in_reply_to: Some(id),
                ..letter()
            };
            let bytes = hostile.to_bytes().unwrap();
            let names = names(&bytes);
            prop_assert!(names.iter().all(|name| plain.contains(name)), "{names:?}");
            prop_assert!(bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        }
    }
}
