//! A submission: one delivery from a source, as a connector hands it over.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::attribution::Touch;
use crate::call::CallFacts;
use crate::chat::{ChatFacts, OfferedFile};
use crate::ids::{ManagerId, SourceId, SubmissionId};
pub use crate::mail::{Failure, MailClass, MailFacts};

/// One delivery, decoded but not judged. A connector decides nothing but this.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Given at receipt; a known one is always a repeat.
    pub id: SubmissionId,
    /// Where it came from.
    pub source: SourceId,
    /// The sender's own ids of this delivery. Empty: the content within the repeat window is the key.
    pub keys: Vec<Key>,
    /// The hash of what the sender meant, see [`ContentHash`].
    pub content: ContentHash,
    /// When the gateway had it. Orders submissions and opens windows.
    pub received_at: Timestamp,
    /// When it happened, if the sender says. Dates the activity.
    pub occurred_at: Option<Timestamp>,
    /// Backfill, replay, copy or restore: no outward effects.
    pub historic: bool,
    /// The bytes to keep, secrets already overwritten.
    pub raw: Raw,
    /// What the customer said.
    pub draft: Draft,
    /// What speaks against it: one flags the lead, two make spam.
    pub signals: Vec<Signal>,
    /// The source's rules want a person to look first.
    pub hold: Option<Hold>,
    /// What the sender wants done with it.
    pub purpose: Purpose,
}

impl Submission {
    /// A fresh one of nothing but its bytes: an enquiry that says nothing yet, its content the hash of the bytes.
    pub fn of_bytes(id: SubmissionId, source: SourceId, received_at: Timestamp, raw: Raw) -> Self {
        Self {
            id,
            source,
            keys: Vec::new(),
            content: ContentHash(raw.sha256),
            received_at,
            occurred_at: None,
            historic: false,
            raw,
            draft: Draft::default(),
            signals: Vec::new(),
            hold: None,
            purpose: Purpose::Lead,
        }
    }
}

/// What the sender wants done with a submission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An enquiry.
    #[default]
    Lead,
    /// Marked as a test by its sender: a visible test lead, out of all counts.
    Test,
    /// Kept without a lead: automatic mail, an ignored sender.
    Note,
}

/// A sender's id of a delivery: unique within its scope and source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What kind of id, e.g. `form_id`, `tranid`, `uid`.
    pub scope: &'static str,
    /// The id as sent, at most 200 bytes; longer ones are hashed by [`Key::new`].
    pub value: String,
}

impl Key {
    /// A key, or nothing for an empty text. Ids longer than 200 bytes stand as their SHA-256.
    pub fn new(scope: &'static str, value: &str) -> Option<Self> {
        bounded(value).map(|value| Self { scope, value })
    }
}

/// An id that fits into an index: trimmed and cleaned, or the SHA-256 of one longer than 200 bytes; `None` for an empty one.
fn bounded(value: &str) -> Option<String> {
    let value = value.trim();
    let value = if value.len() > 200 { hex(&Sha256::digest(value.as_bytes())) } else { crate::text::clean(value).into_owned() };
    (!value.is_empty()).then_some(value)
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// SHA-256 over the decoded field values as typed, in order. Canonical forms and per-request tokens (a rendering's id, a
/// captcha's answer, a clock) play no part: two postings of one form are one content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Hashes `(name, value)` pairs. Lengths go in, so that `("ab","c")` and `("a","bc")` differ.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in fields {
            for part in [name, value] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
        Self(hash.finalize().into())
    }

    /// Several hashes as one blob of 32 bytes each.
    pub fn pack(hashes: &[Self]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// Reads [`Self::pack`] back; a rest shorter than a hash is left out.
    pub fn unpack(blob: &[u8]) -> Vec<Self> {
        blob.as_chunks::<32>().0.iter().map(|chunk| Self(*chunk)).collect()
    }

    /// The content as a key of its own, for deliveries whose sender gives none.
    pub fn as_key(&self) -> String {
        hex(&self.0[..16])
    }
}

/// The bytes of a delivery as they are kept.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The content type as sent, cut to 200 bytes.
    pub content_type: String,
    /// How `body` is packed.
    pub codec: Codec,
    /// The body: secrets overwritten, files replaced by their attachment hashes.
    pub body: Bytes,
    /// SHA-256 of the original body as received.
    pub sha256: [u8; 32],
    /// The query of the URL, secrets overwritten; it may hold fields.
    pub query: String,
    /// The address of the other end, if it is known to be the sender's.
    pub peer: Option<IpAddr>,
    /// What of the call's head its connector reads ([`crate::replay::Head`] as JSON); empty if it reads nothing of it. The
    /// server fills it in.
    pub head: String,
}

/// How kept bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// As they are.
    Plain,
    /// A zstd frame.
    Zstd,
}

impl Codec {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Zstd => "zstd",
        }
    }
}

/// What the customer said, as typed. Everything may be missing.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// What happened.
    pub activity: ActivityKind,
    /// A line that names the enquiry ("Callback", an order's number); never the person's name.
    pub title: Option<String>,
    /// The person's name as typed; never a form's name, never an e-mail's local part.
    pub name: Option<String>,
    /// Phone fields as typed, each of which may hold several.
    pub phones: Vec<Typed>,
    /// E-mail fields as typed.
    pub emails: Vec<Typed>,
    /// Messenger and client ids.
    pub handles: Vec<Handle>,
    /// The text of an explicit country field, for national phone numbers.
    pub country: Option<String>,
    /// What they wrote.
    pub message: Option<String>,
    /// The form, if it has a name or an id.
    pub form: Option<FormRef>,
    /// Where the enquiry came from.
    pub touch: Touch,
    /// Everything else, in order.
    pub fields: Vec<Field>,
    /// What they agreed to.
    pub consents: Vec<Consent>,
    /// Files, already in the attachment store.
    pub files: Vec<FileRef>,
    /// An order, if this is one.
    pub order: Option<Order>,
    /// The source's own id of this activity, so that a later delivery amends it (an order, an edited message).
    pub external_key: Option<String>,
    /// Things this may answer or continue: looked up before any identity.
    pub refers_to: Vec<Reference>,
    /// What later deliveries may refer to.
    pub known_as: Vec<Reference>,
    /// Each such delivery is a lead of its own (an order with an id).
    pub own_lead: bool,
    /// The customer's own address, where the channel shows it.
    pub address: Option<IpAddr>,
    /// The customer's browser, where the channel shows it.
    pub user_agent: Option<String>,
    /// The language the page was in.
    pub language: Option<String>,
    /// We wrote it, not the customer: a manager's mail. It makes no lead.
    pub outgoing: bool,
    /// It tells what another channel may have brought already: a form's notification by mail.
    pub notification: bool,
    /// What a mail says of itself.
    pub mail: Option<Box<MailFacts>>,
    /// Addresses that could not be reached.
    pub failures: Vec<Failure>,
    /// What a messenger's message says of itself.
    pub chat: Option<Box<ChatFacts>>,
    /// What a call says of itself: joined to what is known of the call of the same external key. Its number is who calls, besides
    /// `phones`.
    pub call: Option<Box<CallFacts>>,
    /// Files that are only named: fetched afterwards, which the event `file.offered` asks for.
    pub offered: Vec<OfferedFile>,
    /// Under the same external key it adds to the activity instead of taking its place: an album's next picture.
    pub gathers: bool,
    /// The id of a campaign's link by which the person came: its touch is filled in before the delivery is planned. What is
    /// unknown stays as a field.
    pub campaign: Option<String>,
    /// The manager who wrote it, where the server knows their account: it makes no lead.
    pub by_staff: Option<ManagerId>,
    /// Something is to be done because of it, which the event `message.received` asks for: an answer, a button's deed.
    pub follow_up: bool,
}

/// A value as typed, with the field it stood in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// The field's name.
    pub field: String,
    /// The text.
    pub text: String,
    /// A documented provider's format, e.g. E.164 without the plus.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provider_format: bool,
    /// The channel itself proves it: a call from this number, a mail from this address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// Found in running text or a signature: weaker evidence, worth one step less.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

impl Typed {
    /// A value from a form's field.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into(), provider_format: false, proven: false, found: false }
    }
}

/// A messenger's or client's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Whose id: `telegram`, `ym_client_id` ...
    pub kind: String,
    /// The id.
    pub value: String,
    /// What to show.
    pub display: String,
    /// Given by an authenticated channel: strong.
    pub proven: bool,
}

/// A form's own id and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormRef {
    /// The id in the site builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name in the site builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A field that is neither name, phone, e-mail nor message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// Its name as sent.
    pub name: String,
    /// Its value as typed.
    pub value: String,
}

/// What a person agreed to, as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consent {
    /// The field.
    pub field: String,
    /// The wording they saw, or the value the form sent.
    pub text: String,
    /// Whether they agreed.
    pub given: bool,
    /// When.
    pub at: Timestamp,
    /// On which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
}

/// A file in the attachment store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileRef {
    /// SHA-256 of the content, hex: its name in the attachment store.
    pub sha256: String,
    /// The file's name as sent, for display only.
    pub name: String,
    /// The type as sent, for display only.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// The form's field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// An order: what was bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The shop's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Minor units (kopecks, cents) of `currency`, or of the company's if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether the payment system has taken the money.
    pub paid: bool,
    /// Its lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<OrderLine>,
    /// Promo code, delivery and the like, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Field>,
}

/// A line of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    /// The product and its chosen options.
    pub name: String,
    /// How many, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Minor units for the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The article number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

/// Something an activity is known by, or refers to: a message id, a chat, a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// What kind, e.g. `message-id`, `chat`.
    pub scope: String,
    /// The id.
    pub value: String,
}

impl Reference {
    /// The scope of Message-IDs. Such an id belongs to the activity that had it first: whoever repeats it later, by accident or to
    /// draw answers to themselves, does not get it.
    pub const MESSAGE_ID: &str = "message-id";
    /// The scope of what a message says, wherever it came: the same message in another mailbox is a copy.
    pub const COPY: &str = "copy";
    /// The same of a message that is forged. What is genuine is never taken for a copy of one.
    pub const FORGED_COPY: &str = "forged-copy";

    /// A reference; `None` for an empty id. Ids longer than 200 bytes stand as their SHA-256.
    pub fn new(scope: impl Into<String>, value: &str) -> Option<Self> {
        bounded(value).map(|value| Self { scope: scope.into(), value })
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A form was sent.
    #[default]
    Form,
    /// A mail.
    Email,
    /// A messenger's message.
    Message,
    /// A call.
    Call,
    /// A note by a manager.
    Note,
}

impl ActivityKind {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Email => "email",
            Self::Message => "message",
            Self::Call => "call",
            Self::Note => "note",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Form, Self::Email, Self::Message, Self::Call, Self::Note].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What speaks against a submission. One signal flags the lead as suspect, two that are evidence make spam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    /// A field people cannot see was filled in.
    Honeypot {
        /// Its name.
        field: String,
    },
    /// Sent sooner after the page was shown than a person can type.
    TooFast {
        /// How soon.
        millis: u64,
    },
    /// More from this address than an office sends.
    Rate,
    /// Many links in the text.
    Links {
        /// How many.
        count: u32,
    },
    /// The captcha's service says that nobody solved it.
    Captcha {
        /// What it said.
        detail: String,
    },
    /// The captcha could not be checked: flagged, and no evidence against anybody.
    Unverified {
        /// Why.
        detail: String,
    },
    /// The sender's address is not the sender's own: it identifies nobody, and what it answers is not believed.
    Spoof {
        /// What the receiving host said.
        detail: String,
    },
    /// The receiving host takes it for spam.
    Filter {
        /// What it said.
        detail: String,
    },
}

impl Signal {
    /// Whether it speaks against the sender, and not only for nothing.
    pub fn is_evidence(&self) -> bool {
        !matches!(self, Self::Unverified { .. })
    }

    /// In words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Honeypot { field } => format!("the hidden field {field:?} was filled in"),
            Self::TooFast { millis } => format!("sent {millis} ms after the page was shown"),
            Self::Rate => "more from one address than an office sends".to_owned(),
            Self::Links { count } => format!("{count} links in the text"),
            Self::Captcha { detail } => format!("the captcha was not solved: {detail}"),
            Self::Unverified { detail } => format!("the captcha could not be checked: {detail}"),
            Self::Spoof { detail } => format!("the sender's address is forged: {detail}"),
            Self::Filter { detail } => format!("the mail server takes it for spam: {detail}"),
        }
    }
}

/// Why a submission waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// A short code: `origin`, `unreadable`, `oversize`, `unauthenticated`, `poisoned`.
    pub code: String,
    /// What happened and what would let it in, in words.
    pub words: String,
    /// Whether the sender proved who they are. What did not goes into a bounded ring.
    pub authenticated: bool,
}

/// A batch on its way to the store. Items are shared, so that a batch can be split without copying.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What arrived, in order.
    pub items: Vec<Arc<crate::prepare::Prepared>>,
    /// Cursors that move with the last item, each fenced by its lease.
    pub cursors: Vec<CursorMove>,
}

impl Batch {
    /// Where each cursor goes in the end: of several moves of one source the last counts.
    pub fn last_moves(&self) -> Vec<&CursorMove> {
        let mut last: BTreeMap<&SourceId, &CursorMove> = BTreeMap::new();
        last.extend(self.cursors.iter().map(|to| (&to.source, to)));
        last.into_values().collect()
    }
}

/// A pull source's place, as that source writes it (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub serde_json::Value);

/// A cursor to move in the transaction of the items it covers.
#[derive(Clone, Debug)]
pub struct CursorMove {
    /// Whose.
    pub source: SourceId,
    /// Where to.
    pub to: Cursor,
    /// The fencing token of the lease under which the source was read, if it is leased.
    pub fence: Option<i64>,
}
