//! Who is it? Identities are looked up, strongest first, with names as the gate; and afterwards written where they belong.

use std::collections::HashSet;

use jiff::Timestamp;

use super::facts::{ContactFact, Facts, Holder, LeadFact};
use super::writes::{IdentityWrite, NewIdentity, Plan};
use crate::ids::{ActivityId, ContactId};
use crate::name::Agreement;
use crate::prepare::{Identity, IdentityKind, Prepared};
use crate::receipt::{IdentityState, Reason};
use crate::rules::{Rules, Strength};

/// The most pairs one delivery puts into the review.
const MOST_REVIEWS: usize = 5;

/// Who a delivery seems to be from.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The contact, if there is one.
    pub(super) contact: Option<ContactId>,
    /// Several people could be meant.
    pub(super) ambiguous: bool,
    /// Contacts to pair with the one that is chosen or made.
    pub(super) reviews: Vec<ContactId>,
    /// A strong value is held by somebody of another name.
    pub(super) contradicted: bool,
}

/// A contact that may be meant. Greater is better: proven or strong before weak, then the more recently active, then the
/// older record.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Candidate {
    rank: u8,
    last_active: Timestamp,
    older: std::cmp::Reverse<ContactId>,
    ambiguous: bool,
}

struct Search<'a> {
    item: &'a Prepared,
    facts: &'a Facts,
    rules: &'a Rules,
    reasons: &'a mut Vec<Reason>,
    candidates: Vec<Candidate>,
    found: Found,
}

/// Looks the identities of an item up.
pub(super) fn find(item: &Prepared, facts: &Facts, rules: &Rules, reasons: &mut Vec<Reason>) -> Found {
    let mut search = Search { item, facts, rules, reasons, candidates: Vec::new(), found: Found::default() };
    for identity in &item.identities {
        if identity.strength == Strength::None {
            search.reasons.push(Reason::NotLookedUp { kind: identity.kind.clone(), value: identity.value.clone() });
        } else {
            search.look_up(identity);
        }
    }
    search.choose()
}

impl Search<'_> {
    fn look_up(&mut self, identity: &Identity) {
        let held = self.facts.holders.get(&(identity.kind.clone(), identity.value.clone())).map_or(&[][..], Vec::as_slice);
        if held.iter().any(|holder| holder.state == IdentityState::Generic) {
            self.reasons.push(Reason::Generic { kind: identity.kind.clone(), value: identity.value.clone() });
            return;
        }
        let mut matchable = self.roots(held, &[IdentityState::Active, IdentityState::Shared]);
        if matchable.is_empty() {
            let claimants = self.roots(held, &[IdentityState::Claimed]);
            match claimants.as_slice() {
                // Its own channel proves the single claim.
                [single] if identity.proven => matchable.push(*single),
                [] => {
                    self.reasons.push(Reason::Unknown {
                        kind: identity.kind.clone(),
                        value: identity.value.clone(),
                        strength: identity.strength,
                    });
                    return;
                }
                [(contact, _), ..] => {
                    self.reasons.push(Reason::OnlyClaimed {
                        kind: identity.kind.clone(),
                        value: identity.value.clone(),
                        contact: *contact,
                    });
                    return;
                }
            }
        }
        for (contact, state) in &matchable {
            self.reasons.push(Reason::Matched {
                kind: identity.kind.clone(),
                value: identity.value.clone(),
                strength: identity.strength,
                state: *state,
                contact: *contact,
            });
        }
        let contacts: Vec<ContactId> = matchable.iter().map(|(contact, _)| *contact).collect();
        match (identity.strength, contacts.as_slice()) {
            (Strength::Strong, [single]) => self.strong_single(identity, *single),
            (Strength::Strong, several) => self.strong_shared(identity, several),
            (_, several) => self.weak(identity, several),
        }
    }

    /// The contacts behind rows in some states, merges followed, each once.
    fn roots(&self, held: &[Holder], states: &[IdentityState]) -> Vec<(ContactId, IdentityState)> {
        let mut roots: Vec<(ContactId, IdentityState)> = Vec::new();
        for holder in held.iter().filter(|holder| states.contains(&holder.state)) {
            let root = self.facts.root(holder.contact);
            if self.facts.contacts.contains_key(&root) && !roots.iter().any(|(known, _)| *known == root) {
                roots.push((root, holder.state));
            }
        }
        // Rows come in any order; a decision and its reasons must not depend on it.
        roots.sort_unstable();
        roots
    }

    fn contact(&self, id: ContactId) -> Option<&ContactFact> {
        self.facts.contacts.get(&id)
    }

    /// Compares names and writes the result down; a messenger's id needs no name.
    fn agreement(&mut self, identity: &Identity, contact: ContactId) -> Agreement {
        if !matches!(identity.kind.as_str(), "phone" | "email") {
            return Agreement::Missing;
        }
        let agreement = self.contact(contact).map_or(Agreement::Missing, |fact| fact.compare(&self.item.name_key));
        match agreement {
            Agreement::Missing => {}
            Agreement::Agree { score, nickname } => {
                self.reason_once(Reason::NamesAgree { contact, score: hundredths(score), nickname });
            }
            Agreement::Contradict { score } => self.reason_once(Reason::NamesContradict { contact, score: hundredths(score) }),
        }
        agreement
    }

    fn reason_once(&mut self, reason: Reason) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    fn strong_single(&mut self, identity: &Identity, contact: ContactId) {
        if matches!(self.agreement(identity, contact), Agreement::Contradict { .. }) {
            self.found.contradicted = true;
            self.review(contact);
        } else {
            self.candidate(identity, contact, false);
        }
    }

    fn strong_shared(&mut self, identity: &Identity, contacts: &[ContactId]) {
        if self.item.name_key.is_empty() {
            // Nothing to choose by: the newest open lead among the holders.
            let newest = contacts.iter().copied().max_by_key(|id| {
                let fact = self.contact(*id);
                let open = fact.and_then(|fact| fact.open).filter(|lead| self.fresh(lead));
                (open.map(|lead| lead.id), fact.map(|fact| fact.last_active), std::cmp::Reverse(*id))
            });
            if let Some(newest) = newest {
                self.reasons.push(Reason::Ambiguous { kind: identity.kind.clone(), holders: contacts.len() });
                self.candidate(identity, newest, true);
            }
            return;
        }
        let verdicts: Vec<(ContactId, Agreement)> = contacts.iter().map(|id| (*id, self.agreement(identity, *id))).collect();
        let agreeing: Vec<ContactId> =
            verdicts.iter().filter(|(_, verdict)| matches!(verdict, Agreement::Agree { .. })).map(|(id, _)| *id).collect();
        if !agreeing.is_empty() {
            for contact in agreeing {
                self.candidate(identity, contact, false);
            }
            return;
        }
        let nameless = verdicts.iter().filter(|(_, verdict)| *verdict == Agreement::Missing).map(|(id, _)| *id);
        let newest = nameless.max_by_key(|id| (self.contact(*id).map(|fact| fact.last_active), std::cmp::Reverse(*id)));
        if let Some(contact) = newest {
            self.candidate(identity, contact, false);
            return;
        }
        self.found.contradicted = true;
        for contact in contacts {
            self.review(*contact);
        }
    }

    fn weak(&mut self, identity: &Identity, contacts: &[ContactId]) {
        let single = match contacts {
            [single] => *single,
            several => {
                for contact in several {
                    self.reasons.push(Reason::WeakPassedOver { kind: identity.kind.clone(), contact: *contact, several: true });
                    self.review(*contact);
                }
                return;
            }
        };
        let contradicts = matches!(self.agreement(identity, single), Agreement::Contradict { .. });
        let busy = self.contact(single).is_some_and(|fact| {
            let open = fact.open.as_ref().is_some_and(|lead| self.fresh(lead));
            let at = self.item.submission.received_at;
            let recent = |lead: &LeadFact| at.duration_since(lead.touched_at) <= self.rules.landline_within;
            open || (identity.landline && (fact.open.as_ref().is_some_and(recent) || fact.last.as_ref().is_some_and(recent)))
        });
        if busy && !contradicts {
            // Anybody of the household or the office may be calling.
            let nameless_call = self.item.content.call.is_some() && self.item.name_key.is_empty();
            self.candidate(identity, single, nameless_call && identity.landline);
        } else {
            self.reasons.push(Reason::WeakPassedOver { kind: identity.kind.clone(), contact: single, several: false });
            self.review(single);
        }
    }

    fn fresh(&self, lead: &LeadFact) -> bool {
        lead.stage.is_open() && self.item.submission.received_at.duration_since(lead.touched_at) <= self.rules.open_for
    }

    fn candidate(&mut self, identity: &Identity, contact: ContactId, ambiguous: bool) {
        let rank = match (identity.strength, identity.proven) {
            (Strength::Strong, true) => 3,
            (Strength::Strong, false) => 2,
            _ => 1,
        };
        let last_active = self.contact(contact).map_or(Timestamp::MIN, |fact| fact.last_active);
        // A match without doubt beats one where several are meant.
        let rank = rank * 2 - u8::from(ambiguous);
        self.candidates.push(Candidate { rank, last_active, older: std::cmp::Reverse(contact), ambiguous });
    }

    fn review(&mut self, contact: ContactId) {
        if self.found.reviews.len() < MOST_REVIEWS && !self.found.reviews.contains(&contact) {
            self.found.reviews.push(contact);
        }
    }

    fn choose(mut self) -> Found {
        let Some(best) = self.candidates.iter().copied().max() else { return self.found };
        let chosen = best.older.0;
        for candidate in std::mem::take(&mut self.candidates) {
            let other = candidate.older.0;
            if other != chosen && !self.found.reviews.contains(&other) {
                self.reasons.push(Reason::PassedOver { contact: other });
                self.review(other);
            }
        }
        self.found.reviews.retain(|contact| *contact != chosen);
        self.found.contact = Some(chosen);
        self.found.ambiguous = best.ambiguous;
        self.found
    }
}

fn hundredths(score: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    let whole = (score * 100.0).clamp(0.0, 100.0) as u8;
    whole
}

/// Writes the identities of a delivery that made a new contact: what nobody holds becomes active, what others hold is
/// shared from now on.
pub(super) fn own(item: &Prepared, facts: &mut Facts, rules: &Rules, plan: &mut Plan, contact: ContactId, activity: ActivityId) {
    let at = item.submission.received_at;
    for identity in &item.identities {
        let key = (identity.kind.clone(), identity.value.clone());
        let held = facts.holders.entry(key.clone()).or_default();
        let generic = held.iter().any(|holder| holder.state == IdentityState::Generic);
        let taken = held.iter().any(|holder| matches!(holder.state, IdentityState::Active | IdentityState::Shared));
        let state = match identity.strength {
            Strength::None => IdentityState::Historic,
            _ if generic => IdentityState::Generic,
            _ if taken => IdentityState::Shared,
            _ => IdentityState::Active,
        };
        if state == IdentityState::Shared {
            for holder in held.iter_mut().filter(|holder| holder.state == IdentityState::Active) {
                holder.state = IdentityState::Shared;
                plan.identities.push(restate(&key, holder, at));
            }
        }
        held.push(Holder { contact, state, first_seen: at, sender: item.sender.clone(), failed: None });
        plan.identities.push(new_row(item, identity, contact, state, activity));
        if state == IdentityState::Shared && names_of(held) >= rules.generic_at {
            for holder in held.iter_mut().filter(|holder| holder.state == IdentityState::Shared) {
                holder.state = IdentityState::Generic;
                plan.identities.push(restate(&key, holder, at));
            }
            plan.receipt.reasons.push(Reason::Generic { kind: key.0, value: key.1 });
        }
    }
}

/// How many different names hold a shared value, counted over different days and senders: each holder of a shared value
/// came with a name that contradicted the others, but a flood from one address or within one day counts once.
fn names_of(held: &[Holder]) -> usize {
    let mut contacts = HashSet::new();
    let mut days = HashSet::new();
    let mut senders = HashSet::new();
    for holder in held.iter().filter(|holder| holder.state == IdentityState::Shared) {
        let day = holder.first_seen.as_second().div_euclid(86_400);
        contacts.insert(holder.contact);
        days.insert(day);
        // Where no address is known, the day stands for it.
        senders.insert(if holder.sender.is_empty() { day.to_string() } else { holder.sender.clone() });
    }
    contacts.len().min(days.len()).min(senders.len())
}

/// Writes the identities of a delivery that joined a known contact. Says how many values it newly claimed.
pub(super) fn join(
    item: &Prepared,
    facts: &mut Facts,
    rules: &Rules,
    plan: &mut Plan,
    contact: ContactId,
    activity: ActivityId,
) -> Option<(jiff::civil::Date, u32)> {
    let at = item.submission.received_at;
    let today = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let already = facts.contacts.get(&contact).filter(|fact| fact.claims_day == Some(today)).map_or(0, |fact| fact.claims);
    let mut claims = already;
    for identity in &item.identities {
        let key = (identity.kind.clone(), identity.value.clone());
        let held = facts.holders.get(&key).cloned().unwrap_or_default();
        let mine = held
            .iter()
            .enumerate()
            .filter(|(_, holder)| facts.root(holder.contact) == contact)
            .min_by_key(|(_, holder)| (holder.state, holder.contact))
            .map(|(index, _)| index);
        let others: Vec<IdentityState> =
            held.iter().filter(|holder| facts.root(holder.contact) != contact).map(|holder| holder.state).collect();
        let free = !others.iter().any(|state| !matches!(state, IdentityState::Historic));
        let state = match mine {
            Some(index) if held[index].state == IdentityState::Claimed && identity.proven && free => {
                plan.receipt.reasons.push(Reason::ClaimConfirmed { kind: key.0.clone(), value: key.1.clone() });
                IdentityState::Active
            }
            Some(index) => held[index].state,
            None if identity.strength == Strength::None => IdentityState::Historic,
            None if others.contains(&IdentityState::Generic) => IdentityState::Generic,
            None if identity.proven && !others.iter().any(|s| matches!(s, IdentityState::Active | IdentityState::Shared)) => {
                IdentityState::Active
            }
            None => IdentityState::Claimed,
        };
        let entry = facts.holders.entry(key.clone()).or_default();
        if let Some(index) = mine {
            entry[index].state = state;
            plan.identities.push(restate(&key, &entry[index], at));
            continue;
        }
        if state != IdentityState::Active {
            if claims >= rules.claims_per_day {
                plan.receipt.reasons.push(Reason::ClaimLimit { kind: key.0 });
                continue;
            }
            claims += 1;
        }
        entry.push(Holder { contact, state, first_seen: at, sender: item.sender.clone(), failed: None });
        plan.receipt.reasons.push(Reason::Added { kind: key.0.clone(), value: key.1.clone(), state });
        plan.identities.push(new_row(item, identity, contact, state, activity));
    }
    if claims == already {
        return None;
    }
    if let Some(fact) = facts.contacts.get_mut(&contact) {
        fact.claims_day = Some(today);
        fact.claims = claims;
    }
    Some((today, claims))
}

fn new_row(
    item: &Prepared,
    identity: &Identity,
    contact: ContactId,
    state: IdentityState,
    activity: ActivityId,
) -> IdentityWrite {
    IdentityWrite {
        kind: identity.kind.clone(),
        value: identity.value.clone(),
        contact,
        state,
        new: Some(NewIdentity {
            display: identity.display.clone(),
            strength: identity.strength,
            sender: item.sender.clone(),
            activity,
        }),
        at: item.submission.received_at,
    }
}

fn restate(key: &(IdentityKind, String), holder: &Holder, at: Timestamp) -> IdentityWrite {
    IdentityWrite { kind: key.0.clone(), value: key.1.clone(), contact: holder.contact, state: holder.state, new: None, at }
}
