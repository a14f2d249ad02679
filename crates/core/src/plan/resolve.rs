//! The fold's step: one submission, in the order of the domain page's rules.

use jiff::Timestamp;

use super::facts::{ContactFact, Facts, KeyFact, LeadFact, Place};
use super::identities::{self, Found};
use super::kept::MOST_NAMES;
use super::writes::{ContactSeen, Joined, LeadTouched, NewActivity, NewContact, NewEvent, NewLead, Plan};
use super::{CONTENT_SCOPE, calls};
use crate::change::Stage;
use crate::chat;
use crate::ids::{ActivityId, ContactId, EventId, LeadId};
use crate::onward::event;
use crate::prepare::Prepared;
use crate::receipt::{Outcome, Reason, Receipt};
use crate::rules::{KnownContact, LeadPer, Rules, SourceRules, Strength};
use crate::senders::Sender;
use crate::submission::Purpose;

/// Signals that make spam; one fewer flags the lead as suspect.
const SPAM_SIGNALS: usize = 2;

/// Decides what becomes of a submission, and makes the facts say so for the next one.
pub fn plan(item: &Prepared, facts: &mut Facts, rules: &Rules) -> Plan {
    let joined = calls::joined(item, facts, rules);
    let item = joined.as_ref().unwrap_or(item);
    let source = rules.of(&item.submission.source);
    let mut step = Step { item, facts, rules, source, at: item.submission.received_at, again: None, plan: empty(item) };
    step.decide();
    let mut plan = step.plan;
    let receipt = &plan.receipt;
    let place = Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity };
    facts.submissions.entry(item.submission.id).or_insert(place);
    facts.remember(item, &plan);
    plan.joined = joined.map(|joined| Joined(Box::new(joined)));
    plan
}

pub(super) fn empty(item: &Prepared) -> Plan {
    let receipt = Receipt {
        submission: item.submission.id,
        outcome: Outcome::Noted,
        lead: None,
        contact: None,
        activity: None,
        reasons: Vec::new(),
    };
    Plan {
        receipt,
        keep: true,
        repeats: None,
        contact: None,
        lead: None,
        activity: None,
        amends: None,
        gathered: None,
        identities: Vec::new(),
        seen: None,
        touched: None,
        released: None,
        reviews: Vec::new(),
        keys: Vec::new(),
        references: Vec::new(),
        events: Vec::new(),
        call: None,
        called_back: None,
        joined: None,
        marks: Vec::new(),
        about: Vec::new(),
        awaits: None,
        heard: None,
    }
}

pub(super) struct Step<'a> {
    pub(super) item: &'a Prepared,
    pub(super) facts: &'a mut Facts,
    pub(super) rules: &'a Rules,
    pub(super) source: &'a SourceRules,
    pub(super) at: Timestamp,
    /// It is kept and recorded again.
    pub(super) again: Option<Repeated>,
    pub(super) plan: Plan,
}

/// What is particular about a submission that is recorded again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeated {
    /// The number of the receipt it gets.
    pub(super) receipt: i64,
    /// A person vouches for it.
    pub(super) vouched: bool,
}

impl Step<'_> {
    pub(super) fn decide(&mut self) {
        let submission = &self.item.submission;
        if self.again.is_none()
            && let Some(place) = self.facts.submissions.get(&submission.id).copied()
        {
            return self.repeat(submission.id, place, Reason::SameDelivery);
        }
        // Held before keys: what waits for a person neither owns a key nor learns of one.
        if let Some(hold) = &submission.hold {
            self.reason(Reason::Held { code: hold.code.clone(), words: hold.words.clone() });
            self.tell(event::SUBMISSION_QUARANTINED);
            return self.end(Outcome::Quarantined, Place::default());
        }
        let known = self.known_key();
        if let Some((scope, fact)) =
            known.as_ref().filter(|(_, fact)| fact.content == submission.content || fact.earlier.contains(&submission.content))
        {
            let first = fact.submission;
            let reason = if scope == CONTENT_SCOPE {
                Reason::ContentRepeated { first }
            } else {
                Reason::KeyKnown { scope: scope.clone(), first }
            };
            return self.repeat(first, fact.place, reason);
        }
        for signal in &submission.signals {
            self.reason(Reason::Signal { signal: signal.clone() });
        }
        let evidence = submission.signals.iter().filter(|signal| signal.is_evidence()).count();
        if evidence >= SPAM_SIGNALS && !self.vouched() {
            self.tell(event::SUBMISSION_SPAM);
            return self.end(Outcome::Spam, Place::default());
        }
        self.unusable();
        self.planned(known);
        self.after_mail();
        self.follow_up();
        self.own_keys();
    }

    /// What is to be done because of it, whatever became of it.
    fn follow_up(&mut self) {
        let draft = &self.item.submission.draft;
        if draft.follow_up {
            self.tell(event::MESSAGE_RECEIVED);
        }
        if self.item.content.call.is_none() && !self.item.content.offered.is_empty() && self.plan.receipt.activity.is_some() {
            self.tell(event::FILE_OFFERED);
        }
    }

    /// Everything that owns its keys.
    fn planned(&mut self, known: Option<(String, KeyFact)>) {
        let submission = &self.item.submission;
        if !self.item.failed.is_empty() && !self.vouched() {
            return self.bounced();
        }
        if self.item.content.call.is_some() && submission.draft.external_key.is_some() {
            return self.call();
        }
        if let Some(reason) = self.no_enquiry() {
            self.reason(reason);
            return self.end(Outcome::Noted, Place::default());
        }
        let amended = submission.draft.external_key.as_ref().and_then(|key| {
            self.facts.external.get(&(submission.source.to_string(), key.clone())).copied().map(|place| (key.clone(), place))
        });
        if let Some((scope, fact)) = &known {
            self.reason(Reason::KeyOtherContent { scope: scope.clone(), first: fact.submission });
        }
        if known.is_none() && self.is_copy() {
            return;
        }
        if submission.draft.outgoing && amended.is_none() {
            return self.sent();
        }
        if self.is_forged() {
            // Neither what it continues nor whom it is from is believed.
            return self.resolve();
        }
        if let Some((external_key, place)) = amended {
            self.reason(Reason::Amends { external_key });
            return self.amend(place);
        }
        if let Some((_, fact)) = known
            && (fact.place.lead.is_some() || fact.place.contact.is_some())
        {
            return self.go_on(fact.place, true);
        }
        if self.item.ours_alone && self.answered_by_us() {
            return;
        }
        if submission.purpose == Purpose::Test || self.item.ours_alone {
            self.reason(if self.item.ours_alone { Reason::OursAlone } else { Reason::MarkedTest });
            return self.test_lead();
        }
        if self.is_twin() {
            return;
        }
        if let Some((scope, place)) = self.referred() {
            self.reason(Reason::Refers { scope });
            return self.go_on(place, false);
        }
        self.resolve();
    }

    /// Why it makes no lead whoever it is from; a person who vouches for it knows better.
    pub(super) fn no_enquiry(&self) -> Option<Reason> {
        let submission = &self.item.submission;
        let reason = match self.ignored() {
            Some(sender) => Some(Reason::Ignored { sender }),
            None if submission.draft.by_staff.is_some() => {
                submission.draft.by_staff.clone().map(|manager| Reason::ByStaff { manager })
            }
            None => (submission.purpose == Purpose::Note).then_some(Reason::NotAnEnquiry),
        };
        reason.filter(|_| !self.vouched())
    }

    fn ignored(&self) -> Option<Sender> {
        // Nearly nobody is; and what we write to somebody does not come from them.
        if self.facts.ignored.is_empty() || self.item.content.outgoing {
            return None;
        }
        self.item.content.values.iter().flat_map(Sender::of).find(|sender| self.facts.ignored.contains(sender))
    }

    // --------------------------------------------------------------------------------------------- something is known

    /// A later delivery of an activity: its content is the activity's from now on.
    fn amend(&mut self, place: Place) {
        let contact = place.contact.map(|contact| self.facts.root(contact));
        let Some(activity) = place.activity else { return self.resolve() };
        self.plan.amends = Some(activity);
        self.gather(activity);
        // What we wrote is nothing the customer did.
        if let Some(contact) = contact.filter(|_| !self.item.content.outgoing) {
            self.join(contact, activity, false);
        }
        if let Some(lead) = place.lead.filter(|_| !self.item.content.outgoing) {
            self.touch_lead(lead, contact, None, None);
        }
        self.end(Outcome::Amended, Place { contact, ..place });
    }

    /// A part of what an activity tells is put to the rest of it; an edited message keeps what came of it since.
    fn gather(&mut self, activity: ActivityId) {
        let Some(told) = self.facts.told.get_mut(&activity) else { return };
        let join = if self.item.submission.draft.gathers { chat::gather } else { chat::amend };
        *told = join(told, &self.item.content);
        // What was read from JSON is written as JSON.
        self.plan.gathered = serde_json::to_string(told).ok();
    }

    /// A further activity where an earlier one stands: the same key with other content, or a reference.
    fn go_on(&mut self, place: Place, revised: bool) {
        let contact = place.contact.map(|contact| self.facts.root(contact));
        match (place.lead, contact) {
            // The enquiry it answers may be closed: then it is a known contact's return.
            (lead, Some(contact)) if !revised && !self.is_open(lead, contact) => self.on_contact(contact, false),
            (Some(lead), Some(contact)) => {
                let activity = self.activity(Some(lead), Some(contact), false, revised);
                self.join(contact, activity, false);
                self.touch_lead(lead, Some(contact), None, None);
                self.attached(lead, Some(contact), activity);
            }
            (None, Some(contact)) => {
                let activity = self.activity(None, Some(contact), false, revised);
                self.join(contact, activity, true);
                self.returned(contact, activity);
            }
            (Some(lead), None) => self.go_on_nameless(lead, revised),
            (None, None) => self.resolve(),
        }
    }

    /// On a lead without a contact: what this delivery tells may give it one.
    fn go_on_nameless(&mut self, lead: LeadId, revised: bool) {
        let found = self.find();
        let open = self.facts.orphans.get(&lead).is_none_or(|fact| fact.stage.is_open());
        if let Some(contact) = found.contact {
            let activity = self.activity(Some(lead), Some(contact), found.ambiguous, revised);
            self.join(contact, activity, false);
            self.touch_lead(lead, None, None, None);
            return self.attached(lead, Some(contact), activity);
        }
        let adopted = (open && !self.item.identities.is_empty()).then(|| self.new_contact(&found));
        let activity = self.activity(Some(lead), adopted, false, revised);
        if let Some(contact) = adopted {
            identities::own(self.item, self.facts, self.rules, &mut self.plan, contact, activity);
            let orphan = self.facts.orphans.remove(&lead);
            self.facts.adopt(lead, contact);
            if let Some(fact) = self.facts.contacts.get_mut(&contact) {
                fact.open = orphan.or(Some(LeadFact { id: lead, stage: Stage::New, touched_at: self.at, closed_at: None }));
            }
        }
        self.touch_lead(lead, adopted, None, adopted);
        self.attached(lead, adopted, activity);
    }

    fn is_open(&self, lead: Option<LeadId>, contact: ContactId) -> bool {
        let Some(fact) = self.facts.contacts.get(&contact) else { return false };
        [fact.open, fact.last].into_iter().flatten().any(|known| Some(known.id) == lead && known.stage.is_open())
    }

    // ----------------------------------------------------------------------------------------------------- who is it?

    pub(super) fn find(&mut self) -> Found {
        identities::find(self.item, self.facts, self.rules, &mut self.plan.receipt.reasons)
    }

    pub(super) fn resolve(&mut self) {
        if self.item.identities.is_empty() {
            self.reason(Reason::NoIdentity);
            let lead = self.new_lead(None, false, None);
            let activity = self.activity(Some(lead), None, false, false);
            self.tell(event::LEAD_CREATED);
            return self.end(Outcome::Created, Place { lead: Some(lead), contact: None, activity: Some(activity) });
        }
        let found = self.find();
        if let Some(contact) = found.contact {
            self.review(&found, contact);
            return self.on_contact(contact, found.ambiguous);
        }
        let contact = self.new_contact(&found);
        let lead = self.new_lead(Some(contact), true, None);
        let activity = self.activity(Some(lead), Some(contact), false, false);
        identities::own(self.item, self.facts, self.rules, &mut self.plan, contact, activity);
        self.tell(event::LEAD_CREATED);
        self.end(Outcome::Created, Place { lead: Some(lead), contact: Some(contact), activity: Some(activity) });
    }

    pub(super) fn new_contact(&mut self, found: &Found) -> ContactId {
        let id = self.facts.ids.contact();
        let names = if self.item.name_key.is_empty() { Vec::new() } else { vec![self.item.name_key.clone()] };
        self.facts.contacts.insert(
            id,
            ContactFact {
                names,
                last_active: self.at,
                merged_into: None,
                claims_day: None,
                claims: 0,
                responsible: None,
                open: None,
                last: None,
            },
        );
        let name = self.item.name.as_ref().map(|name| name.typed.clone()).unwrap_or_default();
        self.plan.contact = Some(NewContact { id, name, name_key: self.item.name_key.clone(), at: self.at });
        self.reason(Reason::NewContact { contact: id, shared: found.contradicted });
        self.tell(event::CONTACT_CREATED);
        self.review(found, id);
        id
    }

    pub(super) fn review(&mut self, found: &Found, contact: ContactId) {
        for other in found.reviews.iter().copied().filter(|other| *other != contact) {
            let (a, b) = if other < contact { (other, contact) } else { (contact, other) };
            self.plan.reviews.push((a, b));
            self.reason(Reason::Review { a, b });
        }
    }

    // ------------------------------------------------------------------------------------------------- a known contact

    /// Where an activity of a known contact goes.
    fn on_contact(&mut self, contact: ContactId, ambiguous: bool) {
        let Some(fact) = self.facts.contacts.get(&contact).cloned() else { return };
        if self.item.submission.draft.own_lead || self.source.lead_per == LeadPer::Delivery {
            self.reason(Reason::OwnLead);
            return self.another_lead(contact, &fact, fact.open.is_none(), None, ambiguous);
        }
        let open = fact.open.or(fact.last.filter(|lead| lead.stage.is_open()));
        if let Some(lead) = open.filter(|lead| self.fresh(lead)) {
            self.reason(Reason::OpenLead { lead: lead.id });
            return self.attach(contact, lead.id, None, ambiguous);
        }
        if let Some(stale) = open {
            self.reason(Reason::LeadStale { lead: stale.id, touched_at: stale.touched_at });
        }
        let last = match (open, fact.last) {
            (Some(a), Some(b)) => Some(if a.id > b.id { a } else { b }),
            (a, b) => a.or(b),
        };
        match last {
            // Known by its identities alone: its first enquiry.
            None => self.another_lead(contact, &fact, true, None, ambiguous),
            Some(lead) if lead.stage == Stage::Junk => {
                self.reason(Reason::LastLeadJunk { lead: lead.id });
                self.another_lead(contact, &fact, true, fact.open, ambiguous);
            }
            Some(last) => self.known_contact(contact, &fact, last, ambiguous),
        }
    }

    fn known_contact(&mut self, contact: ContactId, fact: &ContactFact, last: LeadFact, ambiguous: bool) {
        let policy = match self.source.known_contact {
            KnownContact::Reopen if !self.may_reopen(&last) => KnownContact::Attach,
            policy => policy,
        };
        self.reason(Reason::Returned { policy });
        match policy {
            KnownContact::Attach => {
                let activity = self.activity(None, Some(contact), ambiguous, false);
                self.join(contact, activity, true);
                self.returned(contact, activity);
            }
            KnownContact::RepeatLead => self.another_lead(contact, fact, true, fact.open, ambiguous),
            KnownContact::Reopen => {
                let reopened = (!last.stage.is_open()).then_some(Stage::InProcess);
                if reopened.is_some() {
                    self.tell(event::LEAD_REOPENED);
                    self.release(contact, fact.open);
                }
                self.attach(contact, last.id, reopened, ambiguous);
            }
        }
    }

    /// An open lead that lay too long goes on; a closed one is opened again within the source's time.
    fn may_reopen(&self, last: &LeadFact) -> bool {
        last.closed_at.is_none_or(|closed| self.at.duration_since(closed) <= self.source.reopen_within)
    }

    fn another_lead(&mut self, contact: ContactId, fact: &ContactFact, takes: bool, released: Option<LeadFact>, ambiguous: bool) {
        let before = fact.open.is_some() || fact.last.is_some();
        self.release(contact, released.filter(|_| takes));
        let lead = self.new_lead(Some(contact), takes, before.then_some(fact));
        let activity = self.activity(Some(lead), Some(contact), ambiguous, false);
        self.join(contact, activity, false);
        self.tell(event::LEAD_CREATED);
        self.end(Outcome::Created, Place { lead: Some(lead), contact: Some(contact), activity: Some(activity) });
    }

    /// A lead that lay too long takes no more activities: another one does from now on.
    fn release(&mut self, contact: ContactId, stale: Option<LeadFact>) {
        let Some(stale) = stale else { return };
        self.plan.released = Some(stale.id);
        if let Some(fact) = self.facts.contacts.get_mut(&contact) {
            fact.open = None;
            // The newest of the others stays the one that is known.
            fact.last = Some(newest(fact.last, stale));
        }
    }

    fn attach(&mut self, contact: ContactId, lead: LeadId, reopened: Option<Stage>, ambiguous: bool) {
        let activity = self.activity(Some(lead), Some(contact), ambiguous, false);
        self.join(contact, activity, false);
        self.touch_lead(lead, Some(contact), reopened, None);
        self.attached(lead, Some(contact), activity);
    }

    fn fresh(&self, lead: &LeadFact) -> bool {
        self.at.duration_since(lead.touched_at) <= self.rules.open_for
    }

    // --------------------------------------------------------------------------------------------------------- writing

    /// Adds what the delivery tells to a known contact; nothing is overwritten.
    pub(super) fn join(&mut self, contact: ContactId, activity: ActivityId, waits: bool) {
        let claims = identities::join(self.item, self.facts, self.rules, &mut self.plan, contact, activity);
        let key = &self.item.name_key;
        let mut name = None;
        if let Some(fact) = self.facts.contacts.get_mut(&contact) {
            fact.last_active = fact.last_active.max(self.at);
            if !key.is_empty() && !fact.names.contains(key) && fact.names.len() < MOST_NAMES {
                fact.names.push(key.clone());
                let typed = self.item.name.as_ref().map(|name| name.typed.clone()).unwrap_or_default();
                name = Some((typed, key.clone()));
            }
        }
        self.plan.seen = Some(ContactSeen { id: contact, at: self.at, name, claims, waits });
    }

    fn new_lead(&mut self, contact: Option<ContactId>, takes: bool, before: Option<&ContactFact>) -> LeadId {
        let id = self.facts.ids.lead();
        let lead = LeadFact { id, stage: Stage::New, touched_at: self.at, closed_at: None };
        match contact.and_then(|contact| self.facts.contacts.get_mut(&contact)) {
            Some(fact) if takes => fact.open = Some(lead),
            Some(fact) => fact.last = Some(newest(fact.last, lead)),
            None => {
                self.facts.orphans.insert(id, lead);
            }
        }
        self.plan.lead = Some(NewLead {
            id,
            contact,
            takes,
            return_customer: before.is_some(),
            suspect: self.suspect(),
            test: false,
            responsible: before.and_then(|fact| fact.responsible.clone()),
            at: self.at,
        });
        id
    }

    pub(super) fn activity(
        &mut self,
        lead: Option<LeadId>,
        contact: Option<ContactId>,
        ambiguous: bool,
        revised: bool,
    ) -> ActivityId {
        let id = self.facts.ids.activity();
        let draft = &self.item.submission.draft;
        let content = &self.item.content;
        if draft.external_key.is_some() && (draft.gathers || content.chat.is_some() || content.call.is_some()) {
            self.facts.told.insert(id, self.item.content.clone());
        }
        self.plan.activity = Some(NewActivity {
            id,
            lead,
            contact,
            occurred_at: self.item.submission.occurred_at.unwrap_or(self.at),
            ambiguous,
            suspect: self.suspect(),
            revised,
        });
        id
    }

    pub(super) fn touch_lead(
        &mut self,
        lead: LeadId,
        contact: Option<ContactId>,
        reopened: Option<Stage>,
        adopted_by: Option<ContactId>,
    ) {
        self.plan.touched = Some(LeadTouched {
            id: lead,
            at: self.at,
            reopened,
            adopted_by,
            suspect: self.suspect(),
            touch: !self.item.touch_json.is_empty(),
        });
        if let Some(fact) = self.facts.orphans.get_mut(&lead) {
            fact.touched_at = fact.touched_at.max(self.at);
        }
        let Some(fact) = contact.and_then(|contact| self.facts.contacts.get_mut(&contact)) else { return };
        for known in [&mut fact.open, &mut fact.last].into_iter().flatten().filter(|known| known.id == lead) {
            known.touched_at = known.touched_at.max(self.at);
        }
        if let Some(stage) = reopened
            && let Some(mut last) = fact.last.take_if(|last| last.id == lead)
        {
            last.stage = stage;
            last.closed_at = None;
            fact.open = Some(last);
        }
    }

    fn test_lead(&mut self) {
        let lead = self.new_lead(None, false, None);
        self.facts.orphans.remove(&lead);
        if let Some(new) = &mut self.plan.lead {
            new.test = true;
        }
        let activity = self.activity(Some(lead), None, false, false);
        self.end(Outcome::Test, Place { lead: Some(lead), contact: None, activity: Some(activity) });
    }

    fn attached(&mut self, lead: LeadId, contact: Option<ContactId>, activity: ActivityId) {
        self.tell(event::LEAD_ATTACHED);
        self.end(Outcome::Attached, Place { lead: Some(lead), contact, activity: Some(activity) });
    }

    fn returned(&mut self, contact: ContactId, activity: ActivityId) {
        self.tell(event::CONTACT_RETURNED);
        self.end(Outcome::Returned, Place { lead: None, contact: Some(contact), activity: Some(activity) });
    }

    pub(super) fn end(&mut self, outcome: Outcome, place: Place) {
        let receipt = &mut self.plan.receipt;
        receipt.outcome = outcome;
        receipt.lead = place.lead;
        receipt.contact = place.contact;
        receipt.activity = place.activity;
    }

    pub(super) fn vouched(&self) -> bool {
        self.again.is_some_and(|again| again.vouched)
    }

    fn suspect(&self) -> bool {
        !self.item.submission.signals.is_empty()
    }

    pub(super) fn reason(&mut self, reason: Reason) {
        self.plan.receipt.reasons.push(reason);
    }

    pub(super) fn tell(&mut self, name: &'static str) {
        // At most four events a submission, so the count fits.
        let n = u8::try_from(self.plan.events.len()).unwrap_or(u8::MAX);
        let submission = self.item.submission.id;
        let id = self.again.map_or_else(|| EventId::of(submission, n), |again| EventId::of_receipt(submission, again.receipt, n));
        self.plan.events.push(NewEvent { id, name });
    }

    /// Values that were typed but mean nothing stand in the receipt, so that a person sees why.
    fn unusable(&mut self) {
        let unusable = self.item.content.values.iter().filter(|value| value.value.is_none() && value.strength == Strength::None);
        let reasons: Vec<Reason> = unusable
            .map(|value| Reason::Unusable {
                kind: value.kind.clone(),
                typed: value.typed.clone(),
                note: value.note.clone().unwrap_or_else(|| "it is not valid".to_owned()),
            })
            .collect();
        self.plan.receipt.reasons.extend(reasons);
    }
}

fn newest(known: Option<LeadFact>, other: LeadFact) -> LeadFact {
    known.filter(|known| known.id > other.id).unwrap_or(other)
}
