//! What a plan wants written. Rows carry final ids; a store writes them as they are.

use jiff::Timestamp;

use super::calls::CallWrite;
use crate::change::Stage;
use crate::ids::{ActivityId, ContactId, EventId, LeadId, SourceId, SubmissionId};
use crate::mail::Unreachable;
use crate::name::NameKey;
use crate::prepare::{IdentityKind, Prepared};
use crate::receipt::{IdentityState, Receipt};
use crate::rules::Strength;
use crate::submission::ContentHash;

/// What becomes of one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The answer, kept as history.
    pub receipt: Receipt,
    /// Keep the submission's raw bytes (everything but a repeat).
    pub keep: bool,
    /// With a repeat: the delivery that is repeated.
    pub repeats: Option<SubmissionId>,
    /// A new contact.
    pub contact: Option<NewContact>,
    /// A new lead.
    pub lead: Option<NewLead>,
    /// A new activity.
    pub activity: Option<NewActivity>,
    /// An activity to update with this delivery's content; the earlier content is kept as a revision.
    pub amends: Option<ActivityId>,
    /// What the activity tells from now on, as JSON, where that is not what the delivery says alone.
    pub gathered: Option<String>,
    /// Identities to write: `(kind, value, contact)` names a row, made or updated.
    pub identities: Vec<IdentityWrite>,
    /// A known contact that did something.
    pub seen: Option<ContactSeen>,
    /// A known lead that was touched.
    pub touched: Option<LeadTouched>,
    /// An open lead that no longer takes activities because a newer one does.
    pub released: Option<LeadId>,
    /// Pairs for the duplicate review, smaller id first.
    pub reviews: Vec<(ContactId, ContactId)>,
    /// Keys this submission owns from now on. A key that exists gets the new content and time.
    pub keys: Vec<KeyWrite>,
    /// References by which the activity is known.
    pub references: Vec<(String, String)>,
    /// Events to tell.
    pub events: Vec<NewEvent>,
    /// The call it tells of, as it is kept from now on.
    pub call: Option<CallWrite>,
    /// Nobody who was missed at this number waits to be called back any more.
    pub called_back: Option<String>,
    /// The delivery with everything that was told of its call before; what is written is this.
    pub joined: Option<Joined>,
    /// Addresses that cannot be reached from now on, or can be again.
    pub marks: Vec<MarkWrite>,
    /// What it tells of without being an activity.
    pub about: Vec<About>,
    /// It tells what this source has not brought yet.
    pub awaits: Option<SourceId>,
    /// This source brings what mails tell of: nothing of it is missed any more.
    pub heard: Option<SourceId>,
}

/// A delivery that tells more than it says itself.
#[derive(Clone, Debug)]
pub struct Joined(pub Box<Prepared>);

impl PartialEq for Joined {
    fn eq(&self, other: &Self) -> bool {
        self.0.submission.id == other.0.submission.id && self.0.content_json == other.0.content_json
    }
}

impl Eq for Joined {}

/// A contact to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContact {
    /// Its id.
    pub id: ContactId,
    /// The name as typed; empty if none was given.
    pub name: String,
    /// The name, folded.
    pub name_key: NameKey,
    /// When.
    pub at: Timestamp,
}

/// A lead to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLead {
    /// Its id.
    pub id: LeadId,
    /// Whose.
    pub contact: Option<ContactId>,
    /// It is the contact's one open lead that takes activities.
    pub takes: bool,
    /// Of somebody who had a lead before.
    pub return_customer: bool,
    /// One signal spoke against it.
    pub suspect: bool,
    /// A test: out of all counts, pushes and answers.
    pub test: bool,
    /// The manager of the person's last lead.
    pub responsible: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// An activity to make. Its content is the submission's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewActivity {
    /// Its id.
    pub id: ActivityId,
    /// On which lead.
    pub lead: Option<LeadId>,
    /// Of which contact.
    pub contact: Option<ContactId>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Several people could be meant.
    pub ambiguous: bool,
    /// One signal spoke against it.
    pub suspect: bool,
    /// It came under a known key with other content.
    pub revised: bool,
}

/// An identity row to make or update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityWrite {
    /// What it is.
    pub kind: IdentityKind,
    /// The canonical form.
    pub value: String,
    /// Who holds it.
    pub contact: ContactId,
    /// How, from now on.
    pub state: IdentityState,
    /// What a new row remembers; `None` only changes the state of a row that exists.
    pub new: Option<NewIdentity>,
    /// When it was seen.
    pub at: Timestamp,
}

/// Whether an address of a contact can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkWrite {
    /// Who holds it.
    pub contact: ContactId,
    /// The address's canonical form.
    pub email: String,
    /// Why not; `None`: it can.
    pub unreachable: Option<Unreachable>,
}

/// What a delivery tells of without being an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The activity that another delivery made.
    Activity(ActivityId),
    /// A contact.
    Contact(ContactId),
}

/// What a new identity row remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// What to show and to write to.
    pub display: String,
    /// What it was worth.
    pub strength: Strength,
    /// The hash of the address it came from.
    pub sender: String,
    /// The activity that brought it.
    pub activity: ActivityId,
}

/// A known contact did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSeen {
    /// Which.
    pub id: ContactId,
    /// When.
    pub at: Timestamp,
    /// A name it did not have: shown if it had none, listed otherwise. As typed, and folded.
    pub name: Option<(String, NameKey)>,
    /// The day and number of values it has claimed; `None` leaves them.
    pub claims: Option<(jiff::civil::Date, u32)>,
    /// It came back without an open lead and waits to be taken.
    pub waits: bool,
}

/// A known lead was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadTouched {
    /// Which.
    pub id: LeadId,
    /// When.
    pub at: Timestamp,
    /// It was closed and is open again in this stage, and takes activities.
    pub reopened: Option<Stage>,
    /// It had no contact and now belongs to this one, and takes activities.
    pub adopted_by: Option<ContactId>,
    /// One signal spoke against the delivery.
    pub suspect: bool,
    /// The delivery carries attribution: it becomes the lead's last touch.
    pub touch: bool,
}

/// A key to own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWrite {
    /// The kind of id.
    pub scope: String,
    /// The id.
    pub value: String,
    /// The content under it.
    pub content: ContentHash,
    /// Contents that came earlier under it, newest first; kept as one blob ([`ContentHash::pack`]), empty for most.
    pub earlier: Vec<ContentHash>,
    /// When.
    pub at: Timestamp,
}

/// An event to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// A stable dotted name.
    pub name: &'static str,
}
