//! A store in a few maps, for the fold's tests: it loads facts and applies plans as a database would, one batch a call.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use leadgate_core::mail::Unreachable;
use leadgate_core::name::NameKey;
use leadgate_core::plan::{
    About, CallBack, ContactFact, Facts, Holder, Ids, KeptCall, KeyFact, KeyId, LeadFact, Lookup, Place, Plan, RecentFact, plan,
};
use leadgate_core::prepare::{Content, IdentityKind, Prepared};
use leadgate_core::receipt::{IdentityState, Receipt};
use leadgate_core::rules::Rules;
use leadgate_core::submission::{Codec, ContentHash, Draft, Key, Purpose, Raw, Reference, Submission, Typed};
use uuid::Uuid;

/// A contact's row.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactRow {
    pub name: String,
    pub names: Vec<NameKey>,
    pub last_active: Timestamp,
    pub claims: Option<(jiff::civil::Date, u32)>,
    pub waits: bool,
}

/// A lead's row.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadRow {
    pub contact: Option<ContactId>,
    pub takes: bool,
    pub stage: Stage,
    pub touched_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub test: bool,
    pub suspect: bool,
    pub return_customer: bool,
}

/// The rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub ids: (i64, i64, i64),
    pub contacts: BTreeMap<ContactId, ContactRow>,
    pub leads: BTreeMap<LeadId, LeadRow>,
    pub activities: BTreeMap<ActivityId, (Option<LeadId>, Option<ContactId>)>,
    pub identities: BTreeMap<(String, String, ContactId), (IdentityState, Timestamp, String)>,
    pub keys: HashMap<KeyId, KeyFact>,
    pub submissions: BTreeMap<SubmissionId, Place>,
    pub external: BTreeMap<(String, String), Place>,
    pub references: BTreeMap<(String, String), Place>,
    pub receipts: Vec<Receipt>,
    pub reviews: std::collections::BTreeSet<(ContactId, ContactId)>,
    pub events: Vec<(Uuid, &'static str)>,
    /// By address and contact.
    pub failed: BTreeMap<(String, ContactId), Unreachable>,
    /// Calls by source and its own id.
    pub calls: BTreeMap<(String, String), KeptCall>,
    /// What activities tell.
    pub told: BTreeMap<ActivityId, Told>,
    /// Deliveries that tell of something without being an activity.
    pub about: BTreeMap<SubmissionId, Vec<About>>,
    /// What is awaited, by form.
    pub awaited: BTreeMap<String, Vec<SubmissionId>>,
}

/// What an activity tells, and by which delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub submission: SubmissionId,
    pub source: SourceId,
    pub at: Timestamp,
    pub content: Content,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ids: (1, 1, 1),
            contacts: BTreeMap::new(),
            leads: BTreeMap::new(),
            activities: BTreeMap::new(),
            identities: BTreeMap::new(),
            keys: HashMap::new(),
            submissions: BTreeMap::new(),
            external: BTreeMap::new(),
            references: BTreeMap::new(),
            receipts: Vec::new(),
            reviews: std::collections::BTreeSet::new(),
            events: Vec::new(),
            failed: BTreeMap::new(),
            calls: BTreeMap::new(),
            told: BTreeMap::new(),
            about: BTreeMap::new(),
            awaited: BTreeMap::new(),
        }
    }
}

impl Memory {
    /// Loads, folds, applies.
    pub fn record(&mut self, items: &[Arc<Prepared>], rules: &Rules) -> Vec<Receipt> {
        let mut facts = self.facts(items);
        let plans: Vec<Plan> = items.iter().map(|item| plan(item, &mut facts, rules)).collect();
        self.ids = (facts.ids.contact, facts.ids.lead, facts.ids.activity);
        for (plan, item) in plans.iter().zip(items) {
            self.apply(plan, plan.joined.as_ref().map_or(item, |joined| &joined.0));
        }
        self.check();
        plans.into_iter().map(|plan| plan.receipt).collect()
    }

    fn facts(&self, items: &[Arc<Prepared>]) -> Facts {
        let mut lookup = Lookup::of(items);
        let (contact, lead, activity) = self.ids;
        let mut facts = Facts::new(Ids { contact, lead, activity });
        for key in &lookup.calls {
            facts.calls.extend(self.calls.get(key).map(|call| (key.clone(), call.clone())));
        }
        lookup.add_calls(facts.calls.values());
        for id in &lookup.submissions {
            if let Some(place) = self.submissions.get(id) {
                facts.submissions.insert(*id, *place);
            }
        }
        let mut contacts: Vec<ContactId> = Vec::new();
        let mut orphans: Vec<LeadId> = Vec::new();
        let mut visit = |place: &Place| {
            contacts.extend(place.contact);
            if place.contact.is_none() {
                orphans.extend(place.lead);
            }
        };
        for key in &lookup.keys {
            if let Some(fact) = self.keys.get(key) {
                visit(&fact.place);
                facts.keys.insert(key.clone(), fact.clone());
            }
        }
        for pair in &lookup.references {
            if let Some(place) = self.references.get(pair) {
                visit(place);
                facts.references.insert(pair.clone(), *place);
            }
        }
        for pair in &lookup.external {
            if let Some(place) = self.external.get(pair) {
                visit(place);
                facts.external.insert(pair.clone(), *place);
            }
        }
        for activity in lookup.gathering.iter().filter_map(|pair| self.external.get(pair)?.activity) {
            facts.told.insert(activity, self.told[&activity].content.clone());
        }
        for (kind, value) in &lookup.identities {
            let held: Vec<Holder> = self
                .identities
                .iter()
                .filter(|((k, v, _), _)| k == kind.as_str() && v == value)
                .map(|((_, _, contact), (state, first_seen, sender))| Holder {
                    contact: *contact,
                    state: *state,
                    first_seen: *first_seen,
                    sender: sender.clone(),
                    failed: self.failed.get(&(value.clone(), *contact)).map(|mark| mark.since),
                })
                .collect();
            contacts.extend(held.iter().map(|holder| holder.contact));
            if !held.is_empty() {
                facts.holders.insert((kind.clone(), value.clone()), held);
            }
        }
        for id in contacts {
            facts.contacts.insert(id, self.contact_fact(id));
        }
        for id in orphans {
            if let Some(fact) = self.lead_fact(id) {
                facts.orphans.insert(id, fact);
            }
        }
        if let Some((from, to)) = lookup.window {
            facts.remembers = true;
            let of = facts.holders_of(&lookup.twins);
            facts.recent.extend(self.recent().filter(|fact| {
                fact.place.contact.is_some_and(|contact| of.contains(&contact)) && (from..=to).contains(&fact.at)
            }));
        }
        facts
    }

    fn recent(&self) -> impl Iterator<Item = RecentFact> {
        self.told.iter().map(|(id, told)| {
            let (lead, contact) = self.activities[id];
            let contact = lead.and_then(|lead| self.leads[&lead].contact).or(contact);
            let place = Place { lead, contact, activity: Some(*id) };
            RecentFact::of(place, told.submission, told.source.clone(), told.at, &told.content)
        })
    }

    fn lead_fact(&self, id: LeadId) -> Option<LeadFact> {
        let row = self.leads.get(&id)?;
        Some(LeadFact { id, stage: row.stage, touched_at: row.touched_at, closed_at: row.closed_at })
    }

    fn contact_fact(&self, id: ContactId) -> ContactFact {
        let row = &self.contacts[&id];
        let of = |takes: bool| {
            self.leads.iter().filter(move |(_, lead)| lead.contact == Some(id) && lead.takes == takes).map(|(id, _)| *id).max()
        };
        ContactFact {
            names: row.names.clone(),
            last_active: row.last_active,
            merged_into: None,
            claims_day: row.claims.map(|(day, _)| day),
            claims: row.claims.map_or(0, |(_, n)| n),
            responsible: None,
            open: of(true).and_then(|id| self.lead_fact(id)),
            last: of(false).and_then(|id| self.lead_fact(id)),
        }
    }

    fn apply(&mut self, plan: &Plan, item: &Prepared) {
        let receipt = plan.receipt.clone();
        let place = Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity };
        self.submissions.entry(item.submission.id).or_insert(place);
        if let Some(new) = &plan.contact {
            let names = if new.name_key.is_empty() { vec![] } else { vec![new.name_key.clone()] };
            let row = ContactRow { name: new.name.clone(), names, last_active: new.at, claims: None, waits: false };
            assert!(self.contacts.insert(new.id, row).is_none(), "contact {} made twice", new.id);
        }
        if let Some(id) = plan.released {
            self.leads.get_mut(&id).unwrap().takes = false;
        }
        if let Some(new) = &plan.lead {
            let row = LeadRow {
                contact: new.contact,
                takes: new.takes,
                stage: Stage::New,
                touched_at: new.at,
                closed_at: None,
                test: new.test,
                suspect: new.suspect,
                return_customer: new.return_customer,
            };
            assert!(self.leads.insert(new.id, row).is_none(), "lead {} made twice", new.id);
        }
        if let Some(new) = &plan.activity {
            self.activities.insert(new.id, (new.lead, new.contact));
        }
        if let Some(id) = plan.activity.map(|new| new.id).or(plan.amends) {
            let submission = &item.submission;
            let (source, at) = (submission.source.clone(), submission.received_at);
            let gathered = plan.gathered.as_deref().map(|json| serde_json::from_str(json).unwrap());
            let content = gathered.unwrap_or_else(|| item.content.clone());
            self.told.insert(id, Told { submission: submission.id, source, at, content });
        }
        for write in &plan.identities {
            let key = (write.kind.as_str().to_owned(), write.value.clone(), write.contact);
            match (&write.new, self.identities.get_mut(&key)) {
                (_, Some(row)) => row.0 = write.state,
                (Some(new), None) => {
                    self.identities.insert(key, (write.state, write.at, new.sender.clone()));
                }
                (None, None) => panic!("a state change of a row that does not exist: {key:?}"),
            }
        }
        if let Some(seen) = &plan.seen {
            let row = self.contacts.get_mut(&seen.id).unwrap();
            row.last_active = row.last_active.max(seen.at);
            row.waits |= seen.waits;
            row.claims = seen.claims.or(row.claims);
            if let Some((typed, key)) = &seen.name {
                if row.name.is_empty() {
                    row.name.clone_from(typed);
                }
                row.names.push(key.clone());
            }
        }
        if let Some(touched) = &plan.touched {
            let row = self.leads.get_mut(&touched.id).unwrap();
            row.touched_at = row.touched_at.max(touched.at);
            if let Some(stage) = touched.reopened {
                row.stage = stage;
                row.closed_at = None;
                row.takes = true;
            }
            if let Some(contact) = touched.adopted_by {
                row.contact = Some(contact);
                row.takes = true;
                let places = self.submissions.values_mut().chain(self.references.values_mut()).chain(self.external.values_mut());
                for place in places.chain(self.keys.values_mut().map(|fact| &mut fact.place)) {
                    if place.lead == Some(touched.id) && place.contact.is_none() {
                        place.contact = Some(contact);
                    }
                }
            }
        }
        self.reviews.extend(&plan.reviews);
        for key in &plan.keys {
            let id = KeyId { source: item.submission.source.to_string(), scope: key.scope.clone(), value: key.value.clone() };
            let fact =
                KeyFact { submission: item.submission.id, content: key.content, earlier: key.earlier.clone(), at: key.at, place };
            self.keys.insert(id, fact);
        }
        if let (Some(key), Some(_)) = (&item.submission.draft.external_key, place.activity.filter(|_| plan.keep)) {
            self.external.insert((item.submission.source.to_string(), key.clone()), place);
        }
        for pair in &plan.references {
            let known = self.references.entry(pair.clone()).or_insert(place);
            if pair.0 != Reference::MESSAGE_ID {
                *known = place;
            }
        }
        for call in self.calls.values_mut().filter(|call| Some(&call.phone) == plan.called_back.as_ref()) {
            if call.back == CallBack::Waits {
                call.back = CallBack::Done;
            }
        }
        if let Some(write) = &plan.call {
            self.calls.insert((item.submission.source.to_string(), write.key.clone()), write.call.clone());
        }
        for mark in &plan.marks {
            let key = (mark.email.clone(), mark.contact);
            match &mark.unreachable {
                Some(unreachable) => self.failed.insert(key, unreachable.clone()),
                None => self.failed.remove(&key),
            };
        }
        if !plan.about.is_empty() {
            self.about.insert(item.submission.id, plan.about.clone());
        }
        if let Some(form) = &plan.heard {
            self.awaited.remove(form.as_str());
        }
        if let Some(form) = &plan.awaits {
            self.awaited.entry(form.to_string()).or_default().push(item.submission.id);
        }
        self.events.extend(plan.events.iter().map(|event| (event.id.0, event.name)));
        self.receipts.push(receipt);
    }

    /// What a database's constraints would refuse.
    fn check(&self) {
        let mut active = HashMap::new();
        for ((kind, value, contact), (state, ..)) in &self.identities {
            if *state == IdentityState::Active {
                assert!(active.insert((kind, value), contact).is_none(), "two contacts have {kind} {value} active");
            }
        }
        let mut takes = HashMap::new();
        for (id, lead) in &self.leads {
            if let (Some(contact), true) = (lead.contact, lead.takes) {
                assert!(lead.stage.is_open(), "lead {id} is closed and takes activities");
                assert!(takes.insert(contact, id).is_none(), "contact {contact} has two open leads");
            }
        }
        let mut events: Vec<_> = self.events.iter().map(|(id, _)| id).collect();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), self.events.len(), "an event was told twice");
    }

    /// Closes a lead, as a person would.
    pub fn close(&mut self, id: LeadId, stage: Stage, at: Timestamp) {
        let row = self.leads.get_mut(&id).unwrap();
        row.stage = stage;
        row.takes = false;
        row.closed_at = Some(at);
    }

    /// The state in which a contact holds a value.
    pub fn state(&self, kind: &IdentityKind, value: &str, contact: i64) -> Option<IdentityState> {
        self.identities.get(&(kind.as_str().to_owned(), value.to_owned(), ContactId(contact))).map(|row| row.0)
    }
}

/// A delivery, described in one line.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub submission: Submission,
}

impl Delivery {
    /// The `n`-th delivery, `n` seconds into the test.
    pub fn new(n: u32) -> Self {
        let at = start() + SignedDuration::from_secs(i64::from(n));
        let id = SubmissionId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)));
        Self {
            submission: Submission {
                id,
                source: SourceId::parse("site").unwrap(),
                keys: Vec::new(),
                content: ContentHash::of([("n", n.to_string().as_str())]),
                received_at: at,
                occurred_at: None,
                historic: false,
                raw: Raw {
                    content_type: String::new(),
                    codec: Codec::Plain,
                    body: Bytes::new(),
                    sha256: [0; 32],
                    query: String::new(),
                    peer: None,
                    head: String::new(),
                },
                draft: Draft::default(),
                signals: Vec::new(),
                hold: None,
                purpose: Purpose::Lead,
            },
        }
    }

    pub fn name(mut self, name: &str) -> Self {
        self.submission.draft.name = Some(name.to_owned());
        self
    }

    pub fn phone(mut self, phone: &str) -> Self {
        self.submission.draft.phones.push(Typed::new("phone", phone));
        self
    }

    pub fn email(mut self, email: &str) -> Self {
        self.submission.draft.emails.push(Typed::new("email", email));
        self
    }

    pub fn mail_from(mut self, email: &str) -> Self {
        self.submission.draft.emails.push(Typed { proven: true, ..Typed::new("from", email) });
        self
    }

    pub fn key(mut self, key: &str) -> Self {
        self.submission.keys.extend(Key::new("form_id", key));
        self
    }

    pub fn at(mut self, at: Timestamp) -> Self {
        self.submission.received_at = at;
        self
    }

    pub fn sent_by(mut self, address: &str) -> Self {
        self.submission.draft.address = Some(address.parse().unwrap());
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Submission)) -> Self {
        change(&mut self.submission);
        self
    }

    pub fn ready(self, rules: &Rules) -> Arc<Prepared> {
        Arc::new(Prepared::new(self.submission, rules))
    }
}

/// When tests begin.
pub fn start() -> Timestamp {
    "2026-03-01T09:00:00Z".parse().unwrap()
}

/// Rules of a gateway in Russia.
pub fn rules() -> Rules {
    let country = leadgate_core::phone::Country::parse("RU");
    Rules { fallback: Arc::new(leadgate_core::rules::SourceRules { country, ..Default::default() }), ..Default::default() }
}
