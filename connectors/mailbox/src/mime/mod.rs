//! Bytes to a mail. Total: whatever came becomes something, and no more of it than the limits allow.

mod addresses;
mod cards;
mod charset;
mod dates;
mod fields;
mod files;
mod html;
mod keep;
mod page;
mod params;
mod parts;
mod read;
mod report;
mod signed;
mod text;
mod words;

use bytes::Bytes;
use jiff::Timestamp;

/// What helps where the mail does not say.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The mailbox's language, for undeclared 8-bit text: `ru`, `en` ...
    pub language: String,
    /// It is a mail that [`without_files`] made: the lines that name files are believed. Never for what came from outside.
    pub kept: bool,
}

/// An address with the name beside it, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The name; empty if there is none.
    pub name: String,
    /// The address as written; empty if it was unreadable.
    pub address: String,
}

/// A mail.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// Decoded, one line, at most 998 characters.
    pub subject: String,
    /// From.
    pub from: Vec<Address>,
    /// Sender.
    pub sender: Option<Address>,
    /// Reply-To.
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// Date, as far as it can be read.
    pub date: Option<Timestamp>,
    /// Message-ID without the angle brackets, as it is compared.
    pub message_id: Option<String>,
    /// In-Reply-To, without the brackets.
    pub in_reply_to: Vec<String>,
    /// References, oldest first, without the brackets, at most 50 (the first 5 and the last 45).
    pub references: Vec<String>,
    /// Every header field in order: lower-case name, decoded value on one line. At most 2,000.
    pub headers: Vec<(String, String)>,
    /// The text people read: of the plain parts, or of the HTML ones with the cells of tables kept apart (each row a line, its
    /// cells divided by a tab). At most 1 MB.
    pub text: String,
    /// The plain parts, if there are any.
    pub plain: Option<String>,
    /// The HTML parts as sent, decoded, never shown to anybody as they are.
    pub html: Option<String>,
    /// Everything that is no text of the mail itself.
    pub attachments: Vec<Attachment>,
    /// Mails inside (message/rfc822) in the order they stand there; those within them are in their own `inside`.
    pub inside: Vec<Mail>,
    /// multipart/report (RFC 6522), if it is one.
    pub report: Option<Report>,
    /// The METHOD of a calendar part (RFC 5546), upper case; empty if it says none.
    pub calendar: Option<String>,
    /// People of vCards (RFC 6350).
    pub cards: Vec<Card>,
    /// What was odd about it, in words: for the receipt.
    pub problems: Vec<String>,
}

/// A part that is a file.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its name, decoded, for display only; made up from the type if it has none.
    pub name: String,
    /// Its type as declared, lower case.
    pub content_type: String,
    /// Its bytes, decoded; empty if [`Attachment::file`] says where they are.
    pub bytes: Bytes,
    /// The SHA-256 of the file in the attachment store, in hexadecimal, if the mail was kept without it. A file of a mail inside names the
    /// file of that mail.
    pub file: Option<String>,
    /// It is read, too (a mail, a report, a card, a calendar): what was read of it stays in a mail that is kept.
    pub stays: bool,
    /// Shown within the text (an image with a Content-ID that the HTML names): no file of the customer's.
    pub inline: bool,
    /// Where its encoded bytes stand in the mail: what is replaced when the mail is kept.
    pub place: std::ops::Range<usize>,
}

/// A multipart/report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `delivery-status`, `disposition-notification`, `feedback-report` ..., lower case.
    pub kind: String,
    /// The fields of its machine-readable part: groups (per message, then per recipient) of lower-case names and values.
    pub groups: Vec<Vec<(String, String)>>,
    /// Message-ID of the mail it speaks of, without the brackets.
    pub original_id: Option<String>,
}

/// A person of a vCard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// FN or N.
    pub name: Option<String>,
    /// TEL.
    pub phones: Vec<String>,
    /// EMAIL.
    pub emails: Vec<String>,
}

impl Mail {
    /// A header's first value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a mail. Never fails and never panics: bytes that are no mail become a mail with that text and a problem that says so.
pub fn read(raw: &[u8], hints: &Hints) -> Mail {
    read::mail(raw, hints)
}

/// The mail as it is kept: the encoded bytes of each attachment replaced by a line that names its file in the attachment store
/// (`leadgate-file: <sha256>`), `files` in the order of [`Mail::attachments`] (`None`: not kept there, its bytes stay). Of what is read,
/// too ([`Attachment::stays`]), that line stands before the bytes. What is read with [`Hints::kept`] equals what was read at first, but
/// for those bytes. A mail inside that is encoded stays whole.
pub fn without_files(raw: &[u8], mail: &Mail, files: &[Option<String>]) -> Vec<u8> {
    keep::without_files(raw, mail, files)
}
