//! The plans of a batch, gathered into rows: one row per key, however often the batch changes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use leadgate_core::change::Stage;
use leadgate_core::ids::{EventId, SubmissionId};
use leadgate_core::plan::{ContactSeen, LeadTouched, NewActivity, NewContact, NewEvent, NewLead, Plan};
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::{IdentityState, Outcome, Reason};
use uuid::Uuid;

use crate::error::to_json;
use crate::facts::{KeptName, day_of};
use crate::sequence::{Sequence, draw};

/// The `n` of ids that are derived from a submission but are no events.
const CONTACT_UUID: u8 = 254;
const LEAD_UUID: u8 = 255;

/// A contact to make.
pub(crate) struct ContactRow {
    pub(crate) id: i64,
    pub(crate) uuid: Uuid,
    pub(crate) created_at: Timestamp,
    pub(crate) change: ContactChange,
}

/// What changes on a contact.
#[derive(Default)]
pub(crate) struct ContactChange {
    pub(crate) last_active: Option<Timestamp>,
    /// Names it did not have.
    pub(crate) names: Vec<KeptName>,
    /// Their folded words, each with a space before it.
    pub(crate) words: String,
    /// Day and count.
    pub(crate) claims: Option<(i64, u32)>,
    pub(crate) waiting: Waiting,
}

/// Whether a contact waits to be taken.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// As before.
    #[default]
    Keep,
    /// Since then, unless it has waited longer.
    Since(Timestamp),
    /// Not before the batch any more; since then, if at all.
    Anew(Option<Timestamp>),
}

impl Waiting {
    fn begin(&mut self, at: Timestamp) {
        *self = match *self {
            Self::Keep => Self::Since(at),
            Self::Anew(None) => Self::Anew(Some(at)),
            already => already,
        };
    }

    fn end(&mut self) {
        *self = Self::Anew(None);
    }
}

impl ContactChange {
    fn add_name(&mut self, typed: &str, key: &str, item: &Prepared) {
        self.names.push(KeptName { typed: typed.to_owned(), key: key.to_owned() });
        for token in item.name.iter().flat_map(|name| &name.tokens).filter(|token| !token.fold.is_empty()) {
            self.words.push(' ');
            self.words.push_str(&token.fold);
        }
    }
}

/// A lead to make.
pub(crate) struct LeadRow<'a> {
    pub(crate) new: &'a NewLead,
    pub(crate) item: &'a Prepared,
    pub(crate) uuid: Uuid,
    pub(crate) contact: Option<i64>,
    pub(crate) takes: bool,
    pub(crate) suspect: bool,
    pub(crate) version: i64,
    pub(crate) touched_at: Timestamp,
    pub(crate) touches: Vec<&'a str>,
}

/// What changes on a lead that exists.
#[derive(Default)]
pub(crate) struct LeadPatch<'a> {
    pub(crate) touched_at: Option<Timestamp>,
    /// Whether it takes activities from now on.
    pub(crate) takes: Option<bool>,
    pub(crate) reopened: Option<(Stage, Timestamp)>,
    pub(crate) adopted_by: Option<i64>,
    pub(crate) suspect: bool,
    pub(crate) touches: Vec<&'a str>,
    /// Changes a person may have to know of before changing it too.
    pub(crate) changes: i64,
}

/// An activity to make.
pub(crate) struct ActivityRow<'a> {
    pub(crate) new: NewActivity,
    pub(crate) item: &'a Prepared,
    pub(crate) submission: i64,
    pub(crate) content: &'a str,
    pub(crate) touch: &'a str,
    pub(crate) revisions: i64,
}

/// What an activity told before it was amended. The first of an activity that exists is in the database.
pub(crate) struct RevisionRow<'a> {
    pub(crate) activity: i64,
    /// Counted from the revisions the activity has in the database.
    pub(crate) n: i64,
    pub(crate) submission: i64,
    pub(crate) at: Timestamp,
    pub(crate) before: Option<(&'a str, &'a str)>,
}

/// The newest content of an activity that exists.
pub(crate) struct Amended<'a> {
    pub(crate) content: &'a str,
    pub(crate) touch: &'a str,
    pub(crate) revisions: i64,
}

/// An identity to make or change.
pub(crate) struct IdentityRow<'a> {
    pub(crate) new: Option<&'a leadgate_core::plan::NewIdentity>,
    pub(crate) state: IdentityState,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

/// A submission to keep, with its receipt.
pub(crate) struct SubmissionRow<'a> {
    pub(crate) seq: i64,
    pub(crate) item: &'a Prepared,
    pub(crate) plan: &'a Plan,
    pub(crate) reasons: String,
    pub(crate) repeats: i64,
}

impl SubmissionRow<'_> {
    pub(crate) fn authenticated(&self) -> bool {
        self.item.submission.hold.as_ref().is_none_or(|hold| hold.authenticated)
    }
}

/// A key to own.
pub(crate) struct KeyRow<'a> {
    pub(crate) submission: i64,
    pub(crate) write: &'a leadgate_core::plan::KeyWrite,
}

/// An event to tell.
pub(crate) struct EventRow<'a> {
    pub(crate) event: &'a NewEvent,
    pub(crate) item: &'a Prepared,
    pub(crate) data: String,
}

/// How a source does.
#[derive(Default)]
pub(crate) struct HealthRow {
    pub(crate) last_accepted: Option<Timestamp>,
    pub(crate) last_rejected: Option<Timestamp>,
    pub(crate) last_rejection: Option<String>,
    pub(crate) refused: i64,
}

impl HealthRow {
    pub(crate) fn rejected(&mut self, at: Timestamp, why: impl FnOnce() -> String) {
        if self.last_rejected.is_none_or(|last| last <= at) {
            self.last_rejected = Some(at);
            self.last_rejection = Some(why());
        }
    }
}

/// A pair for the review: ids, reasons, when.
pub(crate) struct ReviewRow {
    pub(crate) pair: (i64, i64),
    pub(crate) reasons: String,
    pub(crate) at: Timestamp,
}

/// Everything a batch writes.
#[derive(Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) contacts: BTreeMap<i64, ContactRow>,
    pub(crate) contact_changes: BTreeMap<i64, ContactChange>,
    pub(crate) leads: BTreeMap<i64, LeadRow<'a>>,
    pub(crate) lead_patches: BTreeMap<i64, LeadPatch<'a>>,
    /// `(contact, lead)`: the lead takes the contact's activities from now on, so no other does.
    pub(crate) takers: BTreeSet<(i64, i64)>,
    pub(crate) activities: BTreeMap<i64, ActivityRow<'a>>,
    pub(crate) revisions: Vec<RevisionRow<'a>>,
    pub(crate) amended: BTreeMap<i64, Amended<'a>>,
    pub(crate) identities: BTreeMap<(i64, &'a str, &'a str), IdentityRow<'a>>,
    pub(crate) submissions: Vec<SubmissionRow<'a>>,
    pub(crate) repeats: BTreeMap<SubmissionId, i64>,
    /// Deliveries with an id of their own that repeated another: `(theirs, the other's)`.
    pub(crate) repeated: Vec<(SubmissionId, SubmissionId)>,
    pub(crate) keys: BTreeMap<(&'a str, &'a str, &'a str), KeyRow<'a>>,
    pub(crate) references: BTreeMap<(&'a str, &'a str), i64>,
    pub(crate) reviews: Vec<ReviewRow>,
    pub(crate) events: Vec<EventRow<'a>>,
    pub(crate) attachments: BTreeSet<(&'a str, i64)>,
    pub(crate) counts: BTreeMap<(&'a str, &'static str), i64>,
    pub(crate) health: BTreeMap<&'a str, HealthRow>,
    /// Where the submissions of this batch stand in `submissions`.
    places: std::collections::HashMap<SubmissionId, usize>,
}

impl<'a> Gathered<'a> {
    /// Gathers the plans of a batch, in order.
    pub(crate) fn of(
        items: &'a [std::sync::Arc<Prepared>],
        plans: &'a [Plan],
        sequence: &mut Sequence,
    ) -> Result<Self, StoreError> {
        let mut gathered = Self::default();
        for (item, plan) in items.iter().zip(plans) {
            gathered.count(item, plan);
            if plan.keep {
                let seq = draw(&mut sequence.submission);
                gathered.keep(item, plan, seq)?;
            } else if let Some(first) = plan.repeats {
                gathered.repeat(first);
                if first != item.submission.id {
                    gathered.repeated.push((item.submission.id, first));
                }
            }
        }
        Ok(gathered)
    }

    fn count(&mut self, item: &'a Prepared, plan: &Plan) {
        let source = item.submission.source.as_str();
        let receipt = &plan.receipt;
        *self.counts.entry((source, receipt.outcome.as_str())).or_default() += 1;
        let health = self.health.entry(source).or_default();
        let at = item.submission.received_at;
        if matches!(receipt.outcome, Outcome::Quarantined | Outcome::Spam) {
            health.rejected(at, || receipt.reasons.iter().map(Reason::words).collect::<Vec<_>>().join("; "));
        } else {
            health.last_accepted = health.last_accepted.max(Some(at));
        }
    }

    fn repeat(&mut self, first: SubmissionId) {
        match self.places.get(&first) {
            Some(place) => self.submissions[*place].repeats += 1,
            None => *self.repeats.entry(first).or_default() += 1,
        }
    }

    fn keep(&mut self, item: &'a Prepared, plan: &'a Plan, seq: i64) -> Result<(), StoreError> {
        let submission = &item.submission;
        self.places.insert(submission.id, self.submissions.len());
        let reasons = to_json(&plan.receipt.reasons)?;
        for (a, b) in &plan.reviews {
            self.reviews.push(ReviewRow { pair: (a.0, b.0), reasons: reasons.clone(), at: submission.received_at });
        }
        self.submissions.push(SubmissionRow { seq, item, plan, reasons, repeats: 0 });
        for write in &plan.keys {
            self.keys.insert((submission.source.as_str(), &write.scope, &write.value), KeyRow { submission: seq, write });
        }
        for event in &plan.events {
            self.events.push(EventRow { event, item, data: event_data(plan)? });
        }
        self.attachments.extend(item.content.files.iter().map(|file| (file.sha256.as_str(), seq)));
        self.people(item, plan);
        self.work(item, plan, seq);
        Ok(())
    }

    fn people(&mut self, item: &'a Prepared, plan: &'a Plan) {
        if let Some(new) = &plan.contact {
            self.new_contact(new, item);
        }
        if let Some(seen) = &plan.seen {
            self.seen(seen, item);
        }
        for write in &plan.identities {
            let row = self.identities.entry((write.contact.0, write.kind.as_str(), &write.value)).or_insert(IdentityRow {
                new: None,
                state: write.state,
                first_seen: write.at,
                last_seen: write.at,
            });
            row.state = write.state;
            row.last_seen = row.last_seen.max(write.at);
            row.new = row.new.or(write.new.as_ref());
        }
    }

    fn new_contact(&mut self, new: &NewContact, item: &Prepared) {
        let mut change = ContactChange { last_active: Some(new.at), ..ContactChange::default() };
        if !new.name.is_empty() {
            change.add_name(&new.name, new.name_key.as_str(), item);
        }
        let uuid = EventId::of(item.submission.id, CONTACT_UUID).0;
        self.contacts.insert(new.id.0, ContactRow { id: new.id.0, uuid, created_at: new.at, change });
    }

    fn contact(&mut self, id: i64) -> &mut ContactChange {
        match self.contacts.get_mut(&id) {
            Some(row) => &mut row.change,
            None => self.contact_changes.entry(id).or_default(),
        }
    }

    fn seen(&mut self, seen: &ContactSeen, item: &Prepared) {
        let change = self.contact(seen.id.0);
        change.last_active = change.last_active.max(Some(seen.at));
        if let Some((typed, key)) = &seen.name {
            change.add_name(typed, key.as_str(), item);
        }
        if let Some((day, count)) = seen.claims {
            change.claims = Some((day_of(day), count));
        }
        if seen.waits {
            change.waiting.begin(seen.at);
        }
    }

    fn work(&mut self, item: &'a Prepared, plan: &'a Plan, seq: i64) {
        if let Some(released) = plan.released {
            self.takes(released.0, false);
        }
        if let Some(new) = &plan.lead {
            self.new_lead(new, item);
        }
        if let Some(new) = plan.activity {
            let row =
                ActivityRow { new, item, submission: seq, content: &item.content_json, touch: &item.touch_json, revisions: 0 };
            self.activities.insert(new.id.0, row);
        }
        if let Some(activity) = plan.amends {
            self.amend(activity.0, item, seq);
        }
        if let Some(touched) = &plan.touched {
            self.touched(touched, item, plan);
        }
        if let Some(activity) = plan.receipt.activity {
            self.references.extend(plan.references.iter().map(|(scope, value)| ((scope.as_str(), value.as_str()), activity.0)));
        }
    }

    fn new_lead(&mut self, new: &'a NewLead, item: &'a Prepared) {
        if let Some(contact) = new.contact.filter(|_| new.takes) {
            self.contact(contact.0).waiting.end();
        }
        let touches = if item.touch_json.is_empty() { Vec::new() } else { vec![item.touch_json.as_str()] };
        let row = LeadRow {
            new,
            item,
            uuid: EventId::of(item.submission.id, LEAD_UUID).0,
            contact: new.contact.map(|contact| contact.0),
            takes: new.takes,
            suspect: new.suspect,
            version: 1,
            touched_at: new.at,
            touches,
        };
        self.leads.insert(new.id.0, row);
    }

    fn takes(&mut self, lead: i64, takes: bool) {
        if let Some(row) = self.leads.get_mut(&lead) {
            row.takes = takes;
            row.version += 1;
            return;
        }
        let patch = self.lead_patches.entry(lead).or_default();
        patch.takes = Some(takes);
        patch.changes += 1;
    }

    fn touched(&mut self, touched: &LeadTouched, item: &'a Prepared, plan: &Plan) {
        let touch = touched.touch.then_some(item.touch_json.as_str());
        if let Some(row) = self.leads.get_mut(&touched.id.0) {
            row.touched_at = row.touched_at.max(touched.at);
            row.suspect |= touched.suspect;
            row.touches.extend(touch);
            if let Some(contact) = touched.adopted_by.filter(|_| row.contact.is_none()) {
                row.contact = Some(contact.0);
                row.takes = true;
                row.version += 1;
            }
            return;
        }
        let patch = self.lead_patches.entry(touched.id.0).or_default();
        patch.touched_at = patch.touched_at.max(Some(touched.at));
        patch.suspect |= touched.suspect;
        patch.touches.extend(touch);
        if let Some(stage) = touched.reopened {
            patch.reopened = Some((stage, touched.at));
            patch.takes = Some(true);
            patch.changes += 1;
        }
        if let Some(contact) = touched.adopted_by {
            patch.adopted_by = patch.adopted_by.or(Some(contact.0));
            patch.changes += 1;
        }
        if let Some(contact) = touched.adopted_by.or(plan.receipt.contact.filter(|_| touched.reopened.is_some())) {
            self.takers.insert((contact.0, touched.id.0));
            self.contact(contact.0).waiting.end();
        }
    }

    fn amend(&mut self, activity: i64, item: &'a Prepared, submission: i64) {
        let at = item.submission.received_at;
        let content = item.content_json.as_str();
        let touch = item.touch_json.as_str();
        let keep = |old: &'a str| if touch.is_empty() { old } else { touch };
        if let Some(row) = self.activities.get_mut(&activity) {
            row.revisions += 1;
            let before = Some((row.content, row.touch));
            self.revisions.push(RevisionRow { activity, n: row.revisions, submission, at, before });
            row.content = content;
            row.touch = keep(row.touch);
            return;
        }
        if let Some(row) = self.amended.get_mut(&activity) {
            row.revisions += 1;
            self.revisions.push(RevisionRow {
                activity,
                n: row.revisions,
                submission,
                at,
                before: Some((row.content, row.touch)),
            });
            row.content = content;
            row.touch = keep(row.touch);
            return;
        }
        self.revisions.push(RevisionRow { activity, n: 1, submission, at, before: None });
        self.amended.insert(activity, Amended { content, touch, revisions: 1 });
    }
}

#[derive(serde::Serialize)]
struct EventData {
    submission: SubmissionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<i64>,
}

fn event_data(plan: &Plan) -> Result<String, StoreError> {
    let receipt = &plan.receipt;
    to_json(&EventData {
        submission: receipt.submission,
        lead: receipt.lead.map(|id| id.0),
        contact: receipt.contact.map(|id| id.0),
        activity: receipt.activity.map(|id| id.0),
    })
}
