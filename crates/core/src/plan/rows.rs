//! The rows a batch writes: one row per key, however often the batch changes it.

use jiff::Timestamp;
use uuid::Uuid;

use super::calls::{CallBack, KeptCall};
pub use super::gather::Gathered;
use super::kept::KeptName;
use super::writes::{About, KeyWrite, NewActivity, NewEvent, NewIdentity, NewLead, Plan};
use crate::change::Stage;
use crate::prepare::Prepared;
use crate::receipt::IdentityState;
use crate::replay::Decision;

/// A contact to make.
#[derive(Debug)]
pub struct ContactRow {
    /// Its number.
    pub id: i64,
    /// Its UUID, derived from the delivery that made it.
    pub uuid: Uuid,
    /// When.
    pub created_at: Timestamp,
    /// Everything else, as the batch leaves it.
    pub change: ContactChange,
}

/// What changes on a contact.
#[derive(Debug, Default)]
pub struct ContactChange {
    /// When it last did anything.
    pub last_active: Option<Timestamp>,
    /// Names it did not have.
    pub names: Vec<KeptName>,
    /// Their folded words, each with a space before it.
    pub words: String,
    /// Day and count.
    pub claims: Option<(i64, u32)>,
    /// Whether it waits to be taken.
    pub waiting: Waiting,
}

/// Whether a contact waits to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// As before.
    #[default]
    Keep,
    /// Since then, unless it has waited longer.
    Since(Timestamp),
    /// Not before the batch any more; since then, if at all.
    Anew(Option<Timestamp>),
}

impl Waiting {
    pub(super) fn begin(&mut self, at: Timestamp) {
        *self = match *self {
            Self::Keep => Self::Since(at),
            Self::Anew(None) => Self::Anew(Some(at)),
            already => already,
        };
    }

    pub(super) fn end(&mut self) {
        *self = Self::Anew(None);
    }
}

impl ContactChange {
    pub(super) fn add_name(&mut self, typed: &str, key: &str, item: &Prepared) {
        self.names.push(KeptName { typed: typed.to_owned(), key: key.to_owned() });
        for token in item.name.iter().flat_map(|name| &name.tokens).filter(|token| !token.fold.is_empty()) {
            self.words.push(' ');
            self.words.push_str(&token.fold);
        }
    }
}

/// A lead to make.
#[derive(Debug)]
pub struct LeadRow<'a> {
    /// What the plan said.
    pub new: &'a NewLead,
    /// The delivery that made it.
    pub item: &'a Prepared,
    /// Its UUID, derived from that delivery.
    pub uuid: Uuid,
    /// Whose, as the batch leaves it.
    pub contact: Option<i64>,
    /// Whether it takes activities.
    pub takes: bool,
    /// Whether a signal spoke against it.
    pub suspect: bool,
    /// Changes so far.
    pub version: i64,
    /// When an activity last came.
    pub touched_at: Timestamp,
    /// Attributions as JSON, in order.
    pub touches: Vec<&'a str>,
}

/// What changes on a lead that exists.
#[derive(Debug, Default)]
pub struct LeadPatch<'a> {
    /// When an activity last came.
    pub touched_at: Option<Timestamp>,
    /// Whether it takes activities from now on.
    pub takes: Option<bool>,
    /// The stage in which it is open again, and since when.
    pub reopened: Option<(Stage, Timestamp)>,
    /// The contact it now belongs to.
    pub adopted_by: Option<i64>,
    /// Whether a signal spoke against it.
    pub suspect: bool,
    /// Attributions as JSON, in order.
    pub touches: Vec<&'a str>,
    /// Changes a person may have to know of before changing it too.
    pub changes: i64,
}

/// An activity to make.
#[derive(Debug)]
pub struct ActivityRow<'a> {
    /// What the plan said.
    pub new: NewActivity,
    /// The delivery that made it.
    pub item: &'a Prepared,
    /// Its number.
    pub submission: i64,
    /// The content as JSON, as the batch leaves it.
    pub content: &'a str,
    /// The attribution as JSON; empty if there is none.
    pub touch: &'a str,
    /// Amendments within the batch.
    pub revisions: i64,
}

/// What an activity told before it was amended. The first of an activity that exists is in the database.
#[derive(Debug)]
pub struct RevisionRow<'a> {
    /// Which.
    pub activity: i64,
    /// Counted from the revisions the activity has in the database.
    pub n: i64,
    /// The delivery that amended it.
    pub submission: i64,
    /// When.
    pub at: Timestamp,
    /// Content and touch before, where this batch knows them.
    pub before: Option<(&'a str, &'a str)>,
}

/// The newest content of an activity that exists.
#[derive(Debug)]
pub struct Amended<'a> {
    /// As JSON.
    pub content: &'a str,
    /// As JSON; empty if there is none.
    pub touch: &'a str,
    /// Amendments within the batch.
    pub revisions: i64,
}

/// An identity to make or change.
#[derive(Debug)]
pub struct IdentityRow<'a> {
    /// What a new row remembers; `None` for a row that exists.
    pub new: Option<&'a NewIdentity>,
    /// How it is held, as the batch leaves it.
    pub state: IdentityState,
    /// When it came, if it is new.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// A submission to keep, with its receipt.
#[derive(Debug)]
pub struct SubmissionRow<'a> {
    /// Its number.
    pub seq: i64,
    /// The delivery.
    pub item: &'a Prepared,
    /// What became of it.
    pub plan: &'a Plan,
    /// Why, as JSON.
    pub reasons: String,
    /// How often the batch repeats it.
    pub repeats: i64,
}

impl SubmissionRow<'_> {
    /// Whether somebody vouches for it.
    pub fn authenticated(&self) -> bool {
        self.item.submission.hold.as_ref().is_none_or(|hold| hold.authenticated)
    }
}

/// A further receipt of a submission that is kept.
#[derive(Debug)]
pub struct AgainRow<'a> {
    /// Its number.
    pub seq: i64,
    /// The number of the receipt.
    pub n: i64,
    /// What became of it.
    pub plan: &'a Plan,
    /// Why, as JSON.
    pub reasons: String,
    /// A person vouches for it, or sees to it that it is processed: the ring of what nobody vouches for keeps it no more.
    pub vouched: bool,
    /// Who decided, and when.
    pub decision: Option<&'a Decision>,
}

/// A key to own.
#[derive(Debug)]
pub struct KeyRow<'a> {
    /// The number of the delivery that owns it.
    pub submission: i64,
    /// What the plan said.
    pub write: &'a KeyWrite,
}

/// An event to tell.
#[derive(Debug)]
pub struct EventRow<'a> {
    /// Which.
    pub event: &'a NewEvent,
    /// The delivery it tells of.
    pub item: &'a Prepared,
    /// Ids, as JSON.
    pub data: String,
}

/// How a source does.
#[derive(Debug, Default)]
pub struct HealthRow {
    /// When something was last taken.
    pub last_accepted: Option<Timestamp>,
    /// When something was last refused or set aside.
    pub last_rejected: Option<Timestamp>,
    /// Why.
    pub last_rejection: Option<String>,
    /// Calls refused without being kept.
    pub refused: i64,
}

impl HealthRow {
    /// Something was refused or set aside.
    pub fn rejected(&mut self, at: Timestamp, why: impl FnOnce() -> String) {
        if self.last_rejected.is_none_or(|last| last <= at) {
            self.last_rejected = Some(at);
            self.last_rejection = Some(why());
        }
    }
}

/// A pair for the review: ids, reasons, when.
#[derive(Debug)]
pub struct ReviewRow {
    /// The contacts, smaller number first.
    pub pair: (i64, i64),
    /// Why, as JSON.
    pub reasons: String,
    /// When.
    pub at: Timestamp,
}

/// What a delivery tells of without being an activity.
#[derive(Debug)]
pub struct AboutRow {
    /// The number of the delivery.
    pub submission: i64,
    /// Counted from nothing.
    pub n: i64,
    /// What.
    pub about: About,
}

/// A call as it is kept.
#[derive(Debug)]
pub struct CallRow<'a> {
    /// As its last delivery left it.
    pub call: &'a KeptCall,
    /// What it told, as JSON; `None`: its activity tells it.
    pub told: Option<String>,
    /// Whether somebody should call back, as the batch leaves it.
    pub back: CallBack,
}

/// A notification whose form has not brought it itself.
#[derive(Debug)]
pub struct AwaitedRow {
    /// The number of the delivery.
    pub submission: i64,
    /// When it came.
    pub at: Timestamp,
}
