//! A kept mail, read again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadgate_core::replay::{Head, Kept};
use leadgate_core::submission::{Codec, ContentHash, Field, FileRef, Key, Raw, Submission};
use serde::{Deserialize, Serialize};

use super::mail::{ATTACHMENT, CONTENT_TYPE, COPY, MESSAGE_ID, Read, UID, name};
use crate::reading::{Reading, Where};
use crate::settings::Policy;

/// The most bytes a kept mail unpacks to; more than any limit of a mailbox.
const UNPACKED_MOST: usize = 256 << 20;
/// The entry of a kept head.
const ENTRY: &str = "mail";

/// What is kept beside a mail's bytes, because they do not tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beside {
    /// The folder it was read in.
    pub folder: String,
    /// It is a folder of what managers sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent: bool,
    /// Bytes of the whole mail, where only its beginning was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the server got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Its bytes are kept as they came, not as mails are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untouched: bool,
    /// Its keys, as scope and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<(String, String)>,
    /// The hash of what it says, hex; what was cut out of the kept bytes went into it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// For each attachment in order, its file in the attachment store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Option<FileRef>>,
    /// What was said of files that are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Beside {
    /// As it is kept.
    pub(super) fn head(&self) -> String {
        let told = serde_json::to_string(self).unwrap_or_default();
        let head = Head { headers: BTreeMap::from([(ENTRY.to_owned(), told)]), ..Head::default() };
        serde_json::to_string(&head).unwrap_or_default()
    }

    fn of(kept: &Kept) -> Result<Self, String> {
        if kept.head.is_empty() {
            return Ok(Self::default());
        }
        let nonsense = |error: serde_json::Error| format!("what was kept beside the mail makes no sense: {error}");
        let head: Head = serde_json::from_str(&kept.head).map_err(nonsense)?;
        head.headers.get(ENTRY).map_or_else(|| Ok(Self::default()), |told| serde_json::from_str(told).map_err(nonsense))
    }

    fn keys(&self) -> Vec<Key> {
        let scopes = [UID, MESSAGE_ID, COPY];
        let known = |(scope, value): &(String, String)| {
            let scope = scopes.into_iter().find(|known| known == scope)?;
            Some(Key { scope, value: value.clone() })
        };
        self.keys.iter().filter_map(known).collect()
    }

    fn content(&self) -> Option<ContentHash> {
        let bytes = data_encoding::HEXLOWER.decode(self.content.as_bytes()).ok()?;
        Some(ContentHash(bytes.try_into().ok()?))
    }
}

/// What a kept mail says today.
pub(super) fn read_again(kept: &Kept, policy: &Policy, read: Read) -> Result<Submission, String> {
    let beside = Beside::of(kept)?;
    let bytes = match kept.codec {
        Codec::Plain => kept.raw.to_vec(),
        Codec::Zstd => {
            zstd::bulk::decompress(&kept.raw, UNPACKED_MOST).map_err(|error| format!("its bytes cannot be unpacked: {error}"))?
        }
    };
    if bytes.is_empty() {
        return Err("nothing of the mail could be fetched: look at it in the mailbox".to_owned());
    }
    let at = Where { folder: &beside.folder, sent: beside.sent, truncated: beside.size };
    let (mail, Reading { mut draft, purpose, signals }) = read(&bytes, !beside.untouched, at, policy);
    draft.files = beside.files.iter().flatten().cloned().collect();
    draft.fields.extend(beside.notes.iter().map(|note| Field { name: ATTACHMENT.to_owned(), value: note.clone() }));
    let content = beside.content().unwrap_or_else(|| ContentHash(super::fingerprint::of_whole(&bytes)));
    name(&mut draft, &mail, &content);
    let raw = Raw {
        content_type: CONTENT_TYPE.to_owned(),
        codec: Codec::Plain,
        body: bytes::Bytes::new(),
        sha256: [0; 32],
        query: String::new(),
        peer: None,
        head: kept.head.clone(),
    };
    Ok(Submission {
        keys: beside.keys(),
        content,
        occurred_at: beside.at.or(mail.date).filter(|at| *at <= kept.received_at),
        historic: true,
        draft,
        signals,
        purpose,
        ..Submission::of_bytes(kept.id, kept.source.clone(), kept.received_at, raw)
    })
}
