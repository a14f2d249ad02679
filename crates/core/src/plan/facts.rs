//! What a plan may know: everything a batch touches, loaded once, and kept true while the fold goes on.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::calls::KeptCall;
use super::writes::Plan;
use crate::change::Stage;
use crate::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use crate::name::{Agreement, NameKey};
use crate::prepare::{Content, IdentityKind, Prepared, ReadValue};
use crate::receipt::{IdentityState, Outcome};
use crate::senders::Sender;
use crate::submission::ContentHash;

/// Ids for new rows. Drawn by the store before the fold; what is left over is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The next contact.
    pub contact: i64,
    /// The next lead.
    pub lead: i64,
    /// The next activity.
    pub activity: i64,
}

impl Ids {
    /// Far above every number a database draws: for plans that are not carried out.
    pub const UNDRAWN: Self = Self { contact: 1 << 62, lead: 1 << 62, activity: 1 << 62 };

    pub(crate) fn contact(&mut self) -> ContactId {
        self.contact += 1;
        ContactId(self.contact - 1)
    }

    pub(crate) fn lead(&mut self) -> LeadId {
        self.lead += 1;
        LeadId(self.lead - 1)
    }

    pub(crate) fn activity(&mut self) -> ActivityId {
        self.activity += 1;
        ActivityId(self.activity - 1)
    }
}

/// Where a key is looked up: within a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId {
    /// The source's id.
    pub source: String,
    /// The kind of id.
    pub scope: String,
    /// The id.
    pub value: String,
}

/// The most earlier contents remembered under a key.
pub const MOST_CONTENTS: usize = 8;

/// A known key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFact {
    /// The delivery that owns it.
    pub submission: SubmissionId,
    /// Its content, or that of the newest delivery under this key.
    pub content: ContentHash,
    /// Contents that came earlier under this key, newest first, at most [`MOST_CONTENTS`]: a late retry of one of them is a
    /// repeat, and must not undo what came after it.
    pub earlier: Vec<ContentHash>,
    /// When that was received.
    pub at: Timestamp,
    /// What became of it.
    pub place: Place,
}

/// Where an activity stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The lead.
    pub lead: Option<LeadId>,
    /// The contact.
    pub contact: Option<ContactId>,
    /// The activity.
    pub activity: Option<ActivityId>,
}

/// Who holds an identity, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The contact.
    pub contact: ContactId,
    /// How.
    pub state: IdentityState,
    /// Since when: counts different days.
    pub first_seen: Timestamp,
    /// The hash of the address it first came from; empty if unknown. Counts different senders.
    pub sender: String,
    /// Since when mails to it come back, if they do.
    pub failed: Option<Timestamp>,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactFact {
    /// The names it goes by, folded; the first is the one shown.
    pub names: Vec<NameKey>,
    /// When it last did anything.
    pub last_active: Timestamp,
    /// It was merged into another.
    pub merged_into: Option<ContactId>,
    /// The day of `claims` (UTC).
    pub claims_day: Option<Date>,
    /// How many values it claimed that day.
    pub claims: u32,
    /// Who works with this person.
    pub responsible: Option<String>,
    /// Its open intake lead, if it has one.
    pub open: Option<LeadFact>,
    /// Its newest lead that is not that one, open or closed.
    pub last: Option<LeadFact>,
}

impl ContactFact {
    /// How a name goes with the names of this contact: any agreement counts, a contradiction must be with all of them.
    pub fn compare(&self, name: &NameKey) -> Agreement {
        let mut best = Agreement::Missing;
        for known in &self.names {
            let agreement = crate::name::compare(name, known);
            best = match (best, agreement) {
                (Agreement::Missing, other) | (other, Agreement::Missing) => other,
                (Agreement::Contradict { score: a }, Agreement::Contradict { score: b }) => {
                    Agreement::Contradict { score: a.max(b) }
                }
                (Agreement::Contradict { .. }, agree @ Agreement::Agree { .. })
                | (agree @ Agreement::Agree { .. }, Agreement::Contradict { .. }) => agree,
                (Agreement::Agree { score: a, nickname: x }, Agreement::Agree { score: b, nickname: y }) => {
                    if a >= b {
                        Agreement::Agree { score: a, nickname: x }
                    } else {
                        Agreement::Agree { score: b, nickname: y }
                    }
                }
            };
        }
        best
    }
}

/// A lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadFact {
    /// Which.
    pub id: LeadId,
    /// Where it stands.
    pub stage: Stage,
    /// When an activity last came.
    pub touched_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// The newest activities of a place that are looked through for a twin.
pub const MOST_RECENT: usize = 32;

/// Something that happened lately on a contact or one of its leads, as it is told today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentFact {
    /// Where it stands. Its contact is one that was merged into no other.
    pub place: Place,
    /// The delivery that tells it.
    pub submission: SubmissionId,
    /// That delivery's source.
    pub source: SourceId,
    /// When that was received.
    pub at: Timestamp,
    /// It came by mail.
    pub mail: bool,
    /// It is a form's notification.
    pub notification: bool,
    /// Phones and e-mails it tells, canonical, without the company's own and without what only stood in a text.
    pub values: BTreeSet<String>,
    /// What they wrote, its white space folded.
    pub message: String,
}

impl RecentFact {
    /// Of an activity's content.
    pub fn of(place: Place, submission: SubmissionId, source: SourceId, at: Timestamp, content: &Content) -> Self {
        let told = |value: &ReadValue| !value.flags.iter().any(|flag| matches!(&**flag, "ours" | "found" | "spoofed"));
        Self {
            place,
            submission,
            source,
            at,
            mail: content.mail.is_some(),
            notification: content.notification,
            values: content.values.iter().filter(|value| told(value)).filter_map(|value| value.value.clone()).collect(),
            message: content.message.iter().flat_map(|text| text.split_whitespace()).collect::<Vec<_>>().join(" "),
        }
    }
}

/// A kept submission that is recorded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFact {
    /// Its number.
    pub seq: i64,
    /// The source it came from.
    pub source: SourceId,
    /// The number of its newest receipt.
    pub receipt: i64,
    /// The outcome its row shows.
    pub outcome: Outcome,
    /// A person dropped it.
    pub dropped: bool,
    /// Where it stands today.
    pub place: Place,
    /// What the activity it made tells (JSON), unless a later delivery has amended that.
    pub content: Option<String>,
    /// Its attribution (JSON).
    pub touch: Option<String>,
}

/// Everything a batch touches. A store fills it, the fold keeps it true.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Ids for new rows.
    pub ids: Ids,
    /// Deliveries known by their own id.
    pub submissions: HashMap<SubmissionId, Place>,
    /// Known keys.
    pub keys: HashMap<KeyId, KeyFact>,
    /// Known references.
    pub references: HashMap<(String, String), Place>,
    /// Activities by the source's own id.
    pub external: HashMap<(String, String), Place>,
    /// Calls that are kept, by the source's own id.
    pub calls: HashMap<(String, String), KeptCall>,
    /// What those of these activities tell to which a delivery of the batch adds, or of which it is a messenger's.
    pub told: HashMap<ActivityId, Content>,
    /// Holders of identities, at most the newest 16 of a value (the active one always).
    pub holders: HashMap<(IdentityKind, String), Vec<Holder>>,
    /// Contacts, closed over `merged_into`.
    pub contacts: HashMap<ContactId, ContactFact>,
    /// Leads without a contact that a key or reference led to, and whether they are open.
    pub orphans: HashMap<LeadId, LeadFact>,
    /// Those of the senders in the batch that are ignored.
    pub ignored: HashSet<Sender>,
    /// The submissions of the batch that are kept and recorded again.
    pub kept: HashMap<SubmissionId, KeptFact>,
    /// What happened lately on the contacts that twins may be of.
    pub recent: Vec<RecentFact>,
    /// Something in the batch may have a twin: what comes before it is remembered in `recent`.
    pub remembers: bool,
}

impl Facts {
    /// Nothing known.
    pub fn new(ids: Ids) -> Self {
        Self {
            ids,
            submissions: HashMap::new(),
            keys: HashMap::new(),
            references: HashMap::new(),
            external: HashMap::new(),
            calls: HashMap::new(),
            told: HashMap::new(),
            holders: HashMap::new(),
            contacts: HashMap::new(),
            orphans: HashMap::new(),
            ignored: HashSet::new(),
            kept: HashMap::new(),
            recent: Vec::new(),
            remembers: false,
        }
    }

    /// What happened lately on a contact, newest first, as far as a store would have loaded it.
    pub(crate) fn lately(&self, contact: ContactId) -> Vec<&RecentFact> {
        let mut lately: Vec<&RecentFact> = self.recent.iter().filter(|fact| fact.place.contact == Some(contact)).collect();
        lately.sort_by_key(|fact| Reverse(fact.place.activity));
        let mut counts: HashMap<Option<LeadId>, usize> = HashMap::new();
        lately.retain(|fact| {
            let count = counts.entry(fact.place.lead).or_default();
            *count += 1;
            *count <= MOST_RECENT
        });
        lately
    }

    /// Remembers what became of an item, for twins that follow in the batch.
    pub(crate) fn remember(&mut self, item: &Prepared, plan: &Plan) {
        if !self.remembers {
            return;
        }
        let receipt = &plan.receipt;
        let place = Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity };
        if plan.amends.is_some() {
            self.recent.retain(|fact| fact.place.activity != plan.amends);
        } else if plan.activity.is_none() {
            return;
        }
        let submission = &item.submission;
        let fact = RecentFact::of(place, submission.id, submission.source.clone(), submission.received_at, &item.content);
        self.recent.push(fact);
    }

    /// The contacts that hold one of some values.
    pub fn holders_of(&self, values: &[(IdentityKind, String)]) -> BTreeSet<ContactId> {
        let holders = values.iter().filter_map(|value| self.holders.get(value)).flatten();
        holders.map(|holder| self.root(holder.contact)).collect()
    }

    /// A lead without a contact got one: whatever led to the lead leads to the contact, too.
    pub(crate) fn adopt(&mut self, lead: LeadId, contact: ContactId) {
        let places = self.submissions.values_mut().chain(self.references.values_mut()).chain(self.external.values_mut());
        let further =
            self.keys.values_mut().map(|fact| &mut fact.place).chain(self.kept.values_mut().map(|fact| &mut fact.place));
        for place in places.chain(further) {
            if place.lead == Some(lead) && place.contact.is_none() {
                place.contact = Some(contact);
            }
        }
        for fact in self.recent.iter_mut().filter(|fact| fact.place.lead == Some(lead)) {
            fact.place.contact = Some(contact);
        }
    }

    /// The contact a contact was merged into, through any number of merges.
    pub fn root(&self, mut contact: ContactId) -> ContactId {
        // Bounded, so that a loop in the data (a defect) cannot hang the writer.
        for _ in 0..32 {
            match self.contacts.get(&contact).and_then(|fact| fact.merged_into) {
                Some(next) => contact = next,
                None => break,
            }
        }
        contact
    }
}
