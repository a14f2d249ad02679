//! What stores answer to the API, the CLI and the pages: read-only pictures of rows, ready to serialise.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attribution::Touch;
use crate::change::Stage;
use crate::ids::{ActivityId, ContactId, LeadId, MoveId, NodeId, ReviewId, SourceId, SubmissionId};
use crate::liveness::Usual;
use crate::mail::Unreachable;
use crate::ports::{Ask, PullReport};
use crate::prepare::{Content, IdentityKind};
use crate::receipt::{IdentityState, Outcome, Receipt};
use crate::rules::Strength;
use crate::submission::{ActivityKind, Codec};

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where a page begins and how long it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAt {
    /// `next` of the page before; `None` begins at the newest.
    pub after: Option<String>,
    /// 1 to 500.
    pub limit: u32,
}

impl Default for PageAt {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

/// Which leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// In this stage.
    pub stage: Option<Stage>,
    /// Open (`true`) or closed (`false`).
    pub open: Option<bool>,
    /// From one of these sources.
    pub sources: Option<Vec<SourceId>>,
    /// Of this contact.
    pub contact: Option<ContactId>,
    /// Of this manager; an empty text means of nobody.
    pub responsible: Option<String>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// A canonical phone key, e-mail key or handle the contact holds (any state).
    pub identity: Option<String>,
    /// Tests too.
    pub tests: bool,
}

/// A lead in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeadSummary {
    /// Its number.
    pub id: LeadId,
    /// The line that names it.
    pub title: String,
    /// Where it stands.
    pub stage: Stage,
    /// Whose.
    pub contact: Option<ContactId>,
    /// The contact's name, or the name typed in the first delivery.
    pub name: String,
    /// The first phone, for people.
    pub phone: Option<String>,
    /// The first e-mail.
    pub email: Option<String>,
    /// Where it came from.
    pub source: SourceId,
    /// Who works on it.
    pub responsible: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something last came.
    pub touched_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How many activities it has.
    pub activities: u32,
    /// One signal spoke against it.
    pub suspect: bool,
    /// A test.
    pub test: bool,
    /// Of somebody who had a lead before.
    pub return_customer: bool,
    /// `utm_source` of the first touch.
    pub utm_source: Option<String>,
}

/// A lead with everything on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeadDetail {
    /// The lead.
    #[serde(flatten)]
    pub lead: LeadSummary,
    /// Its id outside this gateway.
    pub uuid: Uuid,
    /// Its version, for `If-Match`: grows with every change.
    pub version: i64,
    /// The first touch.
    pub first_touch: Touch,
    /// The newest touch that said anything.
    pub last_touch: Touch,
    /// The person.
    pub person: Option<ContactDetail>,
    /// What happened, oldest first; at most the newest 500.
    pub timeline: Vec<ActivityView>,
    /// What people changed, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// A change somebody made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// Who: `cli`, `api:<token name>`, `intake`.
    pub actor: String,
    /// What: `stage`, `responsible`, `closed`, `reopened`.
    pub field: String,
    /// From.
    pub from: Option<String>,
    /// To.
    pub to: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivityView {
    /// Its id.
    pub id: ActivityId,
    /// What.
    pub kind: ActivityKind,
    /// On which lead.
    pub lead: Option<LeadId>,
    /// Of which contact.
    pub contact: Option<ContactId>,
    /// Where from; absent for notes.
    pub source: Option<SourceId>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Which delivery; absent for notes.
    pub submission: Option<SubmissionId>,
    /// What it tells.
    pub content: Content,
    /// Where the enquiry came from.
    pub touch: Touch,
    /// Several people could be meant.
    pub ambiguous: bool,
    /// One signal spoke against it.
    pub suspect: bool,
    /// How often its content was updated.
    pub revisions: u32,
    /// Who wrote it, for notes.
    pub author: Option<String>,
    /// The newest receipt of its delivery.
    pub receipt: Option<Receipt>,
    /// The reasons of the receipt in words.
    pub reasons: Vec<String>,
}

/// Which contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// Came back without an open lead and nobody has taken them.
    pub waiting: bool,
    /// A canonical value they hold.
    pub identity: Option<String>,
    /// The beginning of a name word, as folded by `name::fold`.
    pub name: Option<String>,
    /// Only contacts with something from one of these sources.
    pub sources: Option<Vec<SourceId>>,
}

/// A contact in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactSummary {
    /// Its number.
    pub id: ContactId,
    /// The name shown; empty if unknown.
    pub name: String,
    /// Other names it came by.
    pub other_names: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last did anything.
    pub last_active: Timestamp,
    /// Since when it waits to be taken.
    pub waiting_since: Option<Timestamp>,
    /// Who works with this person.
    pub responsible: Option<String>,
    /// The contact it was merged into.
    pub merged_into: Option<ContactId>,
    /// The first phone, for people.
    pub phone: Option<String>,
    /// The first e-mail.
    pub email: Option<String>,
    /// How many leads it has.
    pub leads: u32,
}

/// A contact with everything on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactDetail {
    /// The contact.
    #[serde(flatten)]
    pub contact: ContactSummary,
    /// Its id outside this gateway.
    pub uuid: Uuid,
    /// When everything that was known of the person went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// What it is known by.
    pub identities: Vec<IdentityView>,
    /// Its leads, newest first.
    pub lead_ids: Vec<LeadId>,
    /// Pairs with other contacts that wait for a look.
    pub reviews: Vec<ReviewView>,
    /// What happened on the contact itself, not on a lead; oldest first, at most the newest 500.
    pub timeline: Vec<ActivityView>,
}

/// An identity of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityView {
    /// What it is.
    pub kind: IdentityKind,
    /// The canonical form.
    pub value: String,
    /// What to show.
    pub display: String,
    /// What it was worth.
    pub strength: Strength,
    /// How it is held.
    pub state: IdentityState,
    /// When it first came.
    pub first_seen: Timestamp,
    /// When it last came.
    pub last_seen: Timestamp,
    /// The activity that brought it.
    pub activity: Option<ActivityId>,
    /// Mails to it come back; absent while they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Unreachable>,
}

/// Two contacts that may be one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// Its number.
    pub id: ReviewId,
    /// One.
    pub a: ContactId,
    /// The other.
    pub b: ContactId,
    /// Why they were paired: the receipt's reasons in words.
    pub reasons: Vec<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Which submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubmissionFilter {
    /// With one of these outcomes (of the newest receipt).
    pub outcomes: Vec<Outcome>,
    /// From one of these sources.
    pub sources: Option<Vec<SourceId>>,
    /// Received at or after.
    pub since: Option<Timestamp>,
}

/// A submission in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmissionSummary {
    /// Its id.
    pub id: SubmissionId,
    /// From where.
    pub source: SourceId,
    /// When.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The lead.
    pub lead: Option<LeadId>,
    /// The contact.
    pub contact: Option<ContactId>,
    /// How often it came again.
    pub repeats: u32,
    /// Bytes kept.
    pub size: u64,
    /// The content type as sent.
    pub content_type: String,
    /// The newest receipt's reasons in words.
    pub reasons: Vec<String>,
}

/// A submission with what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmissionDetail {
    /// The submission.
    #[serde(flatten)]
    pub submission: SubmissionSummary,
    /// Every receipt, oldest first.
    pub receipts: Vec<Receipt>,
    /// SHA-256 of the original bytes, hex.
    pub sha256: String,
    /// The query of the URL.
    pub query: String,
    /// The other end's address, where it was kept.
    pub peer: Option<String>,
    /// Whether the sender proved who they are.
    pub authenticated: bool,
    /// When the bytes, the query and the address went; absent while they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptied_at: Option<Timestamp>,
    /// The kept bytes, not in JSON: ask for `raw`.
    #[serde(skip)]
    pub raw: Vec<u8>,
    /// How `raw` is packed.
    pub codec: Codec,
}

/// How a source is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceHealth {
    /// Which.
    pub source: SourceId,
    /// When it last sent anything that was accepted.
    pub last_accepted: Option<Timestamp>,
    /// When it last sent anything that was refused or quarantined.
    pub last_rejected: Option<Timestamp>,
    /// Why that was.
    pub last_rejection: Option<String>,
    /// How many of each outcome, ever.
    pub counts: Vec<(Outcome, u64)>,
    /// How many were refused without being kept.
    pub refused: u64,
    /// How much usually comes; absent while too little is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
    /// So much usually came in the time it has been quiet that this is no accident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Mails tell of deliveries of this source that never came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

impl SourceHealth {
    /// Of one source, from what is kept of it. `hours`: see [`crate::liveness::usual`].
    #[must_use]
    pub fn judged(self, hours: &[(i64, u64)], broken: Option<Broken>, now: Timestamp) -> Self {
        let usual = crate::liveness::usual(hours, self.last_accepted.max(self.last_rejected), now);
        Self { silent: usual.is_some_and(|usual| usual.is_silent()), usual, broken, ..self }
    }
}

/// A form whose notifications come by mail while its own deliveries do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Broken {
    /// When the first was missed.
    pub since: Timestamp,
    /// How many were missed, in the last 30 days at most.
    pub missed: u64,
}

/// What those who read a source and those who look after it tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceNote {
    /// Which.
    pub source: SourceId,
    /// How reading goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PullReport>,
    /// When that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// What a person asked for and is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// When that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

/// A gateway that serves the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Drawn at its start.
    pub id: NodeId,
    /// Its machine.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// Where it answers.
    pub address: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last said that it lives, by the database's clock.
    pub seen_at: Timestamp,
    /// Seconds since then, by the same clock.
    pub quiet_s: u64,
    /// What it holds.
    pub leases: Vec<LeaseView>,
}

/// A lease somebody holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    /// `source:<id>`, `housekeeping`.
    pub name: String,
    /// Until when, by the database's clock.
    pub until: Timestamp,
    /// Whether that is over: another may take it.
    pub expired: bool,
    /// Its fencing token.
    pub fence: i64,
}

/// Everything on one screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Open leads, tests not counted.
    pub open_leads: u64,
    /// Of these, in stage NEW.
    pub new_leads: u64,
    /// Leads ever.
    pub leads: u64,
    /// Contacts.
    pub contacts: u64,
    /// Contacts that wait to be taken.
    pub waiting_contacts: u64,
    /// Submissions kept.
    pub submissions: u64,
    /// In quarantine.
    pub quarantined: u64,
    /// Pairs in review.
    pub reviews: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
}

/// An API token as listed; the token itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only for these sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceId>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// What an API token may do. `Admin` includes `Write` includes `Read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read leads, contacts, submissions, sources.
    Read,
    /// Change leads, contacts and activities.
    Write,
    /// Tokens, raw bytes, quarantine.
    Admin,
}

impl Scope {
    /// The name in the database, the CLI and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A move of an activity that can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoveView {
    /// Its number: undo it by this.
    pub id: MoveId,
    /// What moved.
    pub activity: ActivityId,
    /// From which lead.
    pub from_lead: Option<LeadId>,
    /// From which contact.
    pub from_contact: Option<ContactId>,
    /// To which lead.
    pub to_lead: Option<LeadId>,
    /// To which contact.
    pub to_contact: Option<ContactId>,
    /// Who.
    pub actor: Cow<'static, str>,
    /// When.
    pub at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}
