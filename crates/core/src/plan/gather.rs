//! The plans of a batch, gathered into rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::again::Replan;
use super::calls::{CallBack, CallWrite};
use super::facts::KeptFact;
use super::kept::day_of;
use super::rows::{
    AboutRow, ActivityRow, AgainRow, Amended, AwaitedRow, CallRow, ContactChange, ContactRow, EventRow, HealthRow, IdentityRow,
    KeyRow, LeadPatch, LeadRow, ReviewRow, RevisionRow, SubmissionRow,
};
use super::writes::{ContactSeen, LeadTouched, NewContact, NewLead, Plan};
use crate::ids::{EventId, SourceId, SubmissionId};
use crate::liveness;
use crate::mail::Unreachable;
use crate::onward::{
    CALL_QUIET, CALL_UNRETURNED, CONTACT_WAITING, EventData, LEAD_WAITING, NewJob, NewTimer, Occurred, call_key,
};
use crate::ports::StoreError;
use crate::prepare::Prepared;
use crate::receipt::{Outcome, Reason};
use crate::replay::{Again, How};
use crate::rules::Rules;

/// The `n` of ids that are derived from a submission but are no events.
const CONTACT_UUID: u8 = 254;
const LEAD_UUID: u8 = 255;

/// Everything a batch writes.
#[derive(Debug, Default)]
pub struct Gathered<'a> {
    /// Contacts to make.
    pub contacts: BTreeMap<i64, ContactRow>,
    /// Changes of contacts that exist.
    pub contact_changes: BTreeMap<i64, ContactChange>,
    /// Leads to make.
    pub leads: BTreeMap<i64, LeadRow<'a>>,
    /// Changes of leads that exist.
    pub lead_patches: BTreeMap<i64, LeadPatch<'a>>,
    /// `(contact, lead)`: the lead takes the contact's activities from now on, so no other does.
    pub takers: BTreeSet<(i64, i64)>,
    /// Activities to make.
    pub activities: BTreeMap<i64, ActivityRow<'a>>,
    /// What activities told before.
    pub revisions: Vec<RevisionRow<'a>>,
    /// What activities that exist tell from now on.
    pub amended: BTreeMap<i64, Amended<'a>>,
    /// By contact, kind and value.
    pub identities: BTreeMap<(i64, &'a str, &'a str), IdentityRow<'a>>,
    /// In order.
    pub submissions: Vec<SubmissionRow<'a>>,
    /// Further receipts of submissions that are kept, in order.
    pub again: Vec<AgainRow<'a>>,
    /// How often deliveries that were kept before are repeated.
    pub repeats: BTreeMap<SubmissionId, i64>,
    /// Deliveries with an id of their own that repeated another: `(theirs, the other's)`.
    pub repeated: Vec<(SubmissionId, SubmissionId)>,
    /// By source, scope and value.
    pub keys: BTreeMap<(&'a str, &'a str, &'a str), KeyRow<'a>>,
    /// By scope and value: the activity.
    pub references: BTreeMap<(&'a str, &'a str), i64>,
    /// In order; a pair may stand here twice.
    pub reviews: Vec<ReviewRow>,
    /// In order.
    pub events: Vec<EventRow<'a>>,
    /// What the events owe, in order.
    pub jobs: Vec<NewJob>,
    /// What is due if nothing happens.
    pub timers: Vec<NewTimer>,
    /// The hash of a file and the number of the submission that names it.
    pub attachments: BTreeSet<(&'a str, i64)>,
    /// By source and outcome.
    pub counts: BTreeMap<(&'a str, &'static str), i64>,
    /// By source.
    pub health: BTreeMap<&'a str, HealthRow>,
    /// Calls as they are kept from now on, by source and its own id.
    pub calls: BTreeMap<(&'a str, &'a str), CallRow<'a>>,
    /// Numbers at which nobody who was missed before the batch waits to be called back any more.
    pub called_back: BTreeSet<&'a str>,
    /// Whether addresses can be reached, by contact and canonical form.
    pub marks: BTreeMap<(i64, &'a str), Option<&'a Unreachable>>,
    /// In order.
    pub about: Vec<AboutRow>,
    /// Sources that bring what mails tell of: what was awaited of them before the batch is not any more.
    pub heard: BTreeSet<&'a str>,
    /// What is awaited, by the source that should bring it.
    pub awaited: BTreeMap<&'a str, Vec<AwaitedRow>>,
    /// What came of each source in each hour, see [`liveness::hour_of`].
    pub hours: BTreeMap<(&'a str, i64), i64>,
    /// Where the submissions of this batch stand in `submissions`.
    places: HashMap<SubmissionId, usize>,
}

impl<'a> Gathered<'a> {
    /// Gathers the plans of a batch, in order. `next_submission`: the number of the first submission that is kept.
    pub fn of(
        items: &'a [Arc<Prepared>],
        plans: &'a [Plan],
        rules: &Rules,
        next_submission: &mut i64,
    ) -> Result<Self, StoreError> {
        let mut gathered = Self::default();
        for (item, plan) in items.iter().zip(plans) {
            let item = plan.joined.as_ref().map_or(&**item, |joined| &joined.0);
            gathered.count(item, plan);
            if plan.keep {
                let seq = *next_submission;
                *next_submission += 1;
                gathered.keep(item, plan, seq)?;
                if !item.submission.historic {
                    gathered.owe(item, plan, rules);
                }
            } else if let Some(first) = plan.repeats {
                gathered.repeat(first);
                if first != item.submission.id {
                    gathered.repeated.push((item.submission.id, first));
                }
            }
        }
        Ok(gathered)
    }

    /// Gathers the plans of submissions that are kept and recorded again. `kept`: as they were before.
    pub fn again(
        items: &'a [Arc<Again>],
        plans: &'a [Replan],
        kept: &'a HashMap<SubmissionId, KeptFact>,
        rules: &Rules,
    ) -> Result<Self, StoreError> {
        let mut gathered = Self::default();
        for (again, plan) in items.iter().zip(plans) {
            let (item, Some(plan)) = (&*again.item, plan.plan()) else { continue };
            let item = plan.joined.as_ref().map_or(item, |joined| &joined.0);
            let Some(fact) = kept.get(&item.submission.id) else { continue };
            let outcome = plan.receipt.outcome;
            if outcome != fact.outcome {
                *gathered.counts.entry((fact.source.as_str(), fact.outcome.as_str())).or_default() -= 1;
                *gathered.counts.entry((fact.source.as_str(), outcome.as_str())).or_default() += 1;
            }
            let decision = match &again.how {
                How::Release(decision) | How::Drop(decision) => Some(decision),
                How::Replay | How::Reattach => None,
            };
            let vouched = !matches!(again.how, How::Drop(_));
            let reasons = json(&plan.receipt.reasons)?;
            gathered.follow(item, plan, fact.seq, &reasons)?;
            // Somebody looked at it and let it in: that is as good as fresh. What is only read again tells nobody.
            if matches!(again.how, How::Release(_)) {
                gathered.owe(item, plan, rules);
            }
            gathered.again.push(AgainRow { seq: fact.seq, n: fact.receipt + 1, plan, reasons, vouched, decision });
            if let Some(first) = plan.repeats {
                gathered.repeat(first);
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
        if !item.submission.historic {
            *self.hours.entry((source, liveness::hour_of(at))).or_default() += 1;
        }
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
        let reasons = json(&plan.receipt.reasons)?;
        self.follow(item, plan, seq, &reasons)?;
        self.submissions.push(SubmissionRow { seq, item, plan, reasons, repeats: 0 });
        Ok(())
    }

    /// What follows from a submission with a number.
    fn follow(&mut self, item: &'a Prepared, plan: &'a Plan, seq: i64, reasons: &str) -> Result<(), StoreError> {
        let submission = &item.submission;
        for (a, b) in &plan.reviews {
            self.reviews.push(ReviewRow { pair: (a.0, b.0), reasons: reasons.to_owned(), at: submission.received_at });
        }
        for write in &plan.keys {
            self.keys.insert((submission.source.as_str(), &write.scope, &write.value), KeyRow { submission: seq, write });
        }
        for event in &plan.events {
            self.events.push(EventRow { event, item, data: event_data(plan)? });
        }
        self.attachments.extend(item.content.files.iter().map(|file| (file.sha256.as_str(), seq)));
        self.people(item, plan);
        self.work(item, plan, seq);
        self.mail(item, plan, seq);
        self.call(item, plan);
        Ok(())
    }

    /// What the events just gathered owe, and what is due if nobody acts.
    fn owe(&mut self, item: &Prepared, plan: &Plan, rules: &Rules) {
        let (source, at) = (&item.submission.source, item.submission.received_at);
        let lead = plan.receipt.lead.map(|id| id.0);
        let told = self.events.len() - plan.events.len();
        for row in &self.events[told..] {
            let (id, name) = (row.event.id, row.event.name);
            rules.routes.jobs(&Occurred { id, name, at, source: Some(source), lead, data: &row.data }, &mut self.jobs);
        }
        if let Some(write) = &plan.call {
            self.owe_of_call(source, at, write, rules);
        }
        let Some(within) = rules.of(source).take_within else { return };
        let due_at = at.saturating_add(within).unwrap_or(Timestamp::MAX);
        let mut set = |kind, number: i64| {
            self.timers.push(NewTimer { kind, key: number.to_string(), due_at, source: Some(source.clone()) });
        };
        if let Some(new) = plan.lead.as_ref().filter(|new| !new.test) {
            set(LEAD_WAITING, new.id.0);
        }
        if let Some(seen) = plan.seen.as_ref().filter(|seen| seen.waits) {
            set(CONTACT_WAITING, seen.id.0);
        }
    }

    /// A call that is not over is, after a time of silence; and whoever was missed should be called back.
    fn owe_of_call(&mut self, source: &SourceId, at: Timestamp, write: &CallWrite, rules: &Rules) {
        let calls = &rules.of(source).calls;
        let key = call_key(source, &write.key);
        let mut set = |kind, within| {
            let due_at = at.saturating_add(within).unwrap_or(Timestamp::MAX);
            self.timers.push(NewTimer { kind, key: key.clone(), due_at, source: Some(source.clone()) });
        };
        if !write.call.over {
            set(CALL_QUIET, calls.quiet);
        }
        if let Some(within) = calls.call_back_within.filter(|_| write.missed) {
            set(CALL_UNRETURNED, within);
        }
    }

    fn call(&mut self, item: &'a Prepared, plan: &'a Plan) {
        if let Some(phone) = &plan.called_back {
            for row in self.calls.values_mut().filter(|row| row.call.phone == *phone && row.back == CallBack::Waits) {
                row.back = CallBack::Done;
            }
            self.called_back.insert(phone);
        }
        if let Some(CallWrite { key, call, .. }) = &plan.call {
            self.calls.insert((item.submission.source.as_str(), key), CallRow { call, told: call.told_json(), back: call.back });
        }
    }

    fn mail(&mut self, item: &'a Prepared, plan: &'a Plan, seq: i64) {
        for mark in &plan.marks {
            self.marks.insert((mark.contact.0, &mark.email), mark.unreachable.as_ref());
        }
        self.about.extend((0..).zip(&plan.about).map(|(n, about)| AboutRow { submission: seq, n, about: *about }));
        if let Some(form) = &plan.heard {
            self.heard.insert(form.as_str());
            self.awaited.remove(form.as_str());
        }
        if let Some(form) = &plan.awaits {
            let row = AwaitedRow { submission: seq, at: item.submission.received_at };
            self.awaited.entry(form.as_str()).or_default().push(row);
        }
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
            self.amend(activity.0, item, plan, seq);
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

    fn amend(&mut self, activity: i64, item: &'a Prepared, plan: &'a Plan, submission: i64) {
        let at = item.submission.received_at;
        let content = plan.gathered.as_deref().unwrap_or(item.content_json.as_str());
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

fn event_data(plan: &Plan) -> Result<String, StoreError> {
    let receipt = &plan.receipt;
    json(&EventData {
        submission: Some(receipt.submission),
        lead: receipt.lead,
        contact: receipt.contact,
        activity: receipt.activity,
        ..EventData::default()
    })
}

/// JSON of our own types.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Rejected(Box::new(error)))
}
