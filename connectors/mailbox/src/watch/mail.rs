//! A mail as it came to a submission.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Feed, IntakeError, Part};
use leadgate_core::submission::{Codec, ContentHash, Draft, Field, FileRef, Hold, Key, Purpose, Raw, Reference, Submission, hex};
use sha2::{Digest as _, Sha256};

use super::again::Beside;
use super::fingerprint;
use crate::imap::Head;
use crate::mime::{self, Attachment, Hints, Mail};
use crate::reading::{self, Reading, Where};
use crate::settings::{Policy, Settings};

/// The scope of Message-IDs (RFC 5322, 3.6.4), each with the hash of the mail's body.
pub(super) const MESSAGE_ID: &str = "message-id";
/// The scope of UIDs.
pub(super) const UID: &str = "uid";
/// The scope of mails without a Message-ID.
pub(super) const COPY: &str = "mail";
/// What a file's field is called, and the field that says why one is not kept.
pub const ATTACHMENT: &str = "attachment";
/// Files of one mail that are kept apart; further ones stay in the kept bytes.
const MOST_FILES: usize = 20;
/// Smaller ones stay in the kept bytes as well: nothing would be saved.
const CUT_ABOVE: usize = 4 << 10;
/// What a mail is kept as.
pub(super) const CONTENT_TYPE: &str = "message/rfc822";

/// A mail as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub head: Head,
    pub bytes: Bytes,
    /// Only its beginning was fetched.
    pub cut: bool,
}

/// Reads bytes, as they came or (`true`) as they are kept: a seam, so that tests can read what no parser fails on.
pub(super) type Read = fn(&[u8], bool, Where<'_>, &Policy) -> (Mail, Reading);

/// As it is read in earnest.
pub(super) fn read(raw: &[u8], kept: bool, at: Where<'_>, policy: &Policy) -> (Mail, Reading) {
    let mail = mime::read(raw, &Hints { language: policy.language.clone(), kept });
    let reading = reading::read(&mail, at, policy);
    (mail, reading)
}

/// What mails of a folder are made into submissions with.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub source: SourceId,
    pub settings: Arc<Settings>,
    pub read: Read,
    /// The folder, as people see it.
    pub folder: Arc<str>,
    pub sent: bool,
    pub uid_validity: u32,
    pub dealt: u32,
    /// They are older mails: nothing outward follows from them.
    pub historic: bool,
}

/// A mail that was read, or that nothing can read.
pub(super) struct Made {
    got: Got,
    /// With the hash of what it says.
    read: Option<(Mail, Reading, ContentHash)>,
}

impl Maker {
    /// Reads a group, apart from the tasks that wait for the network. What panics is a mail nothing can read.
    pub(super) async fn make(&self, group: Vec<Got>) -> Vec<Made> {
        let (maker, kept) = (self.clone(), group.clone());
        let made = tokio::task::spawn_blocking(move || group.into_iter().map(|got| maker.one(got)).collect()).await;
        made.unwrap_or_else(|_panic| kept.into_iter().map(|got| Made { got, read: None }).collect())
    }

    fn one(&self, got: Got) -> Made {
        let truncated = got.cut.then_some(u64::from(got.head.size));
        let at = Where { folder: &self.folder, sent: self.sent, truncated };
        let read = || {
            let (mail, reading) = (self.read)(&got.bytes, false, at, &self.settings.policy);
            let hash = ContentHash(hash(&got, &mail));
            (mail, reading, hash)
        };
        let read = catch_unwind(AssertUnwindSafe(read)).ok();
        Made { got, read }
    }

    /// Keeps a mail's files and makes its submission.
    pub(super) async fn submission(&self, made: Made, feed: &dyn Feed) -> Result<Submission, IntakeError> {
        let Made { got, read } = made;
        let Some((mail, Reading { mut draft, purpose, signals }, hash)) = read else {
            tracing::error!(source = %self.source, folder = %self.folder, uid = got.head.uid, "reading a mail failed: it goes to quarantine");
            let words =
                format!("the gateway failed on what it says ({}); its bytes are kept and can be replayed", self.place(&got));
            return Ok(self.held(&got, got.bytes.clone(), "poisoned", words, feed.arrival()));
        };
        let files = self.keep(&got, &mail, &mut draft, feed).await?;
        name(&mut draft, &mail, &hash);
        let keys = self.keys(&got, &mail, &hash.0);
        let beside = Beside {
            untouched: false,
            folder: self.folder.to_string(),
            sent: self.sent,
            size: got.cut.then_some(u64::from(got.head.size)),
            at: got.head.at,
            keys: keys.iter().map(|key| (key.scope.to_owned(), key.value.clone())).collect(),
            content: hex(&hash.0),
            files: files.iter().map(|file| file.as_ref().ok().cloned()).collect(),
            notes: draft.fields.iter().filter(|field| field.name == ATTACHMENT).map(|field| field.value.clone()).collect(),
        };
        let raw = Raw { head: beside.head(), ..raw(&got, body(&got, &mail, &files)) };
        let (received_at, id) = feed.arrival();
        Ok(Submission {
            keys,
            content: hash,
            occurred_at: got.head.at.or(mail.date).filter(|at| *at <= received_at),
            historic: self.historic,
            draft,
            signals,
            purpose,
            ..Submission::of_bytes(id, self.source.clone(), received_at, raw)
        })
    }

    /// A mail that waits for a person: it is not read, or only in part.
    pub(super) fn held(
        &self,
        got: &Got,
        bytes: Bytes,
        code: &str,
        words: String,
        (received_at, id): (Timestamp, leadgate_core::ids::SubmissionId),
    ) -> Submission {
        let (folder, sent, at) = (self.folder.to_string(), self.sent, got.head.at);
        let size = got.cut.then_some(u64::from(got.head.size).max(bytes.len() as u64));
        let key = Key { scope: UID, value: self.uid(got) };
        let keys = vec![(key.scope.to_owned(), key.value.clone())];
        let beside = Beside { folder, sent, size, at, keys, untouched: true, ..Beside::default() };
        let raw = Raw { head: beside.head(), ..raw(got, bytes) };
        Submission {
            keys: vec![key],
            occurred_at: got.head.at.filter(|at| *at <= received_at),
            historic: self.historic,
            purpose: Purpose::Note,
            hold: Some(Hold { code: code.to_owned(), words, authenticated: true }),
            ..Submission::of_bytes(id, self.source.clone(), received_at, raw)
        }
    }

    /// Where it is, in words.
    pub(super) fn place(&self, got: &Got) -> String {
        format!("UID {} of the folder {:?}", got.head.uid, self.folder)
    }

    /// A mail's UID with the numbering it belongs to.
    fn uid(&self, got: &Got) -> String {
        let Self { folder, uid_validity, dealt, .. } = self;
        let uid = got.head.uid;
        if *dealt == 0 { format!("{folder}/{uid_validity}/{uid}") } else { format!("{folder}/{uid_validity}.{dealt}/{uid}") }
    }

    /// A UID is a mail's own for ever within its numbering; the Message-ID with its body finds it again elsewhere.
    fn keys(&self, got: &Got, mail: &Mail, hash: &[u8; 32]) -> Vec<Key> {
        let uid = Key::new(UID, &self.uid(got));
        let id = match &mail.message_id {
            Some(_) => Key::new(MESSAGE_ID, &copy_of(mail, hash)),
            // Two mails of one content with neither an id nor a date are two if they came at different times.
            None if mail.date.is_none() => {
                let at = got.head.at.map_or_else(String::new, |at| at.as_second().to_string());
                Key::new(COPY, &format!("{}/{at}", fingerprint::short(hash)))
            }
            None => Key::new(COPY, &copy_of(mail, hash)),
        };
        uid.into_iter().chain(id).collect()
    }

    /// Keeps the files; one entry for each attachment, in order: where it is, or why it is not kept apart.
    async fn keep(
        &self,
        got: &Got,
        mail: &Mail,
        draft: &mut Draft,
        feed: &dyn Feed,
    ) -> Result<Vec<Result<FileRef, NotKept>>, IntakeError> {
        let mut files = Vec::with_capacity(mail.attachments.len());
        let told = |draft: &mut Draft, attachment: &Attachment, why: &str| {
            let value = format!("{}: {why}", attachment.name);
            draft.fields.push(Field { name: ATTACHMENT.to_owned(), value });
        };
        for attachment in &mail.attachments {
            let kept = files.iter().filter(|file: &&Result<_, _>| file.is_ok()).count();
            let file = if attachment.inline {
                Err(NotKept::Stays)
            } else if got.cut {
                told(draft, attachment, "it stays in the mailbox, for the mail is over the limit");
                Err(NotKept::Stays)
            } else if kept >= MOST_FILES {
                told(draft, attachment, "it stays in the mail, for there are too many");
                Err(NotKept::Stays)
            } else {
                match feed.keep(&attachment.name, &attachment.content_type, attachment.bytes.clone()).await? {
                    Part::File(file) => Ok(FileRef { field: ATTACHMENT.to_owned(), ..file }),
                    Part::Refused { why, .. } => {
                        told(draft, attachment, &why);
                        Err(NotKept::Refused)
                    }
                    Part::Field { .. } => Err(NotKept::Stays),
                }
            };
            files.push(file);
        }
        draft.files = files.iter().filter_map(|file| file.as_ref().ok().cloned()).collect();
        Ok(files)
    }
}

/// The bytes of a submission.
fn raw(got: &Got, body: Bytes) -> Raw {
    Raw {
        content_type: CONTENT_TYPE.to_owned(),
        codec: Codec::Plain,
        body,
        sha256: Sha256::digest(&got.bytes).into(),
        query: String::new(),
        peer: None,
        head: String::new(),
    }
}

/// The hash of what a mail says, by its bytes: it is the same whichever version of the gateway reads it.
fn hash(got: &Got, mail: &Mail) -> [u8; 32] {
    if mail.message_id.is_some() { fingerprint::of_body(&got.bytes) } else { fingerprint::of_whole(&got.bytes) }
}

/// The bytes that are kept: without large files that are kept apart, or that may not be kept.
fn body(got: &Got, mail: &Mail, files: &[Result<FileRef, NotKept>]) -> Bytes {
    let cut: Vec<Option<String>> = mail
        .attachments
        .iter()
        .zip(files)
        .map(|(attachment, file)| match file {
            Ok(file) => is_cut(attachment).then(|| file.sha256.clone()),
            // Its bytes may not be kept here either.
            Err(NotKept::Refused) => is_cut(attachment).then(|| hex(&Sha256::digest(&attachment.bytes))),
            Err(NotKept::Stays) => None,
        })
        .collect();
    if cut.is_empty() {
        return got.bytes.clone();
    }
    let without = catch_unwind(AssertUnwindSafe(|| mime::without_files(&got.bytes, mail, &cut)));
    // The whole is as good, only larger.
    without.map_or_else(|_panic| got.bytes.clone(), Bytes::from)
}

/// Why a file is not kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotKept {
    /// It stays in the kept bytes.
    Stays,
    /// It may not be kept.
    Refused,
}

/// Whether a file is cut out of the kept bytes.
fn is_cut(attachment: &Attachment) -> bool {
    attachment.bytes.len() > CUT_ABOVE
}

/// Others refer to a mail by its Message-ID; a copy in another mailbox is known by what it says.
pub(super) fn name(draft: &mut Draft, mail: &Mail, hash: &ContentHash) {
    let id = mail.message_id.as_deref();
    let id = id.and_then(|id| Reference::new(Reference::MESSAGE_ID, id));
    let copy = Reference::new(Reference::COPY, &copy_of(mail, &hash.0));
    for reference in id.into_iter().chain(copy) {
        if !draft.known_as.contains(&reference) {
            draft.known_as.push(reference);
        }
    }
}

/// A mail by what it says, wherever it lies.
fn copy_of(mail: &Mail, hash: &[u8; 32]) -> String {
    let hash = fingerprint::short(hash);
    mail.message_id.as_ref().map_or_else(|| hash.clone(), |id| format!("{id}/{hash}"))
}
