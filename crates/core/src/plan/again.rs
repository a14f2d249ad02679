//! The fold's step for a submission that is kept already: what waited is decided again, and what it made may tell something
//! else from now on.

use std::sync::Arc;

use super::facts::{Facts, Ids, KeptFact, Place};
use super::resolve::{Repeated, Step, empty};
use super::writes::{Joined, Plan};
use super::{calls, identities};
use crate::change::Stage;
use crate::chat;
use crate::ids::{ActivityId, ContactId, LeadId};
use crate::plan::facts::LeadFact;
use crate::prepare::{Content, Prepared};
use crate::receipt::{Outcome, Reason, Receipt};
use crate::replay::{Again, How, Recorded, is_open};
use crate::rules::Rules;

/// What is to be written of a submission that is recorded again.
#[derive(Clone, Debug)]
pub enum Replan {
    /// A further receipt, and what follows from it.
    Plan(Box<Plan>),
    /// Nothing: as before.
    Same(Receipt),
    /// Nothing: somebody else was faster.
    Meanwhile,
    /// Nothing: it is not kept any more.
    Gone,
}

impl Replan {
    /// What is to be written, if anything is.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::Same(_) | Self::Meanwhile | Self::Gone => None,
        }
    }
}

/// Decides about a submission that is kept, and makes the facts say so for the next one.
pub fn again(again: &Again, facts: &mut Facts, rules: &Rules) -> Replan {
    let joined = calls::joined(&again.item, facts, rules);
    let item = joined.as_ref().unwrap_or(&again.item);
    let Some(kept) = facts.kept.get(&item.submission.id).cloned() else { return Replan::Gone };
    if kept.receipt != again.seen {
        return Replan::Meanwhile;
    }
    let of_call = item.content.call.is_some();
    let planned = match &again.how {
        How::Drop(_) if !is_open(kept.outcome) || kept.dropped => None,
        How::Drop(by) => {
            let mut plan = empty(item);
            plan.receipt.reasons.push(Reason::Dropped { by: by.actor.clone(), at: by.at });
            Some(plan)
        }
        // A person's word stands until a person takes it back.
        How::Replay | How::Reattach if kept.dropped => None,
        // What an event told of a call was joined to it when it came.
        How::Replay | How::Reattach if of_call && kept.outcome == Outcome::Noted => None,
        How::Reattach if !is_open(kept.outcome) => reread(again, &kept, facts, rules),
        How::Replay | How::Reattach | How::Release(_) if is_open(kept.outcome) => decided(again, item, &kept, facts, rules),
        How::Replay | How::Reattach | How::Release(_) => None,
    };
    let Some(mut plan) = planned else { return Replan::Same(as_before(again, &kept)) };
    let receipt = &plan.receipt;
    if let Some(fact) = facts.kept.get_mut(&item.submission.id) {
        fact.receipt += 1;
        fact.outcome = receipt.outcome;
        fact.place = Place { lead: receipt.lead, contact: receipt.contact, activity: receipt.activity };
    }
    plan.joined = joined.map(|joined| Joined(Box::new(joined)));
    Replan::Plan(Box::new(plan))
}

fn as_before(again: &Again, kept: &KeptFact) -> Receipt {
    let Place { lead, contact, activity } = kept.place;
    let submission = again.item.submission.id;
    Receipt { submission, outcome: kept.outcome, lead, contact, activity, reasons: Vec::new() }
}

fn step<'a>(again: &Again, item: &'a Prepared, kept: &KeptFact, facts: &'a mut Facts, rules: &'a Rules) -> Step<'a> {
    let vouched = matches!(again.how, How::Release(_));
    Step {
        item,
        facts,
        rules,
        source: rules.of(&item.submission.source),
        at: item.submission.received_at,
        again: Some(Repeated { receipt: kept.receipt + 1, vouched }),
        plan: empty(item),
    }
}

/// What made no lead is decided again. Nothing, if it stays what it is.
fn decided(again: &Again, item: &Prepared, kept: &KeptFact, facts: &mut Facts, rules: &Rules) -> Option<Plan> {
    let mut step = step(again, item, kept, facts, rules);
    if let How::Release(by) = &again.how {
        step.reason(Reason::Released { by: by.actor.clone(), at: by.at });
    }
    step.decide();
    let plan = step.plan;
    (plan.receipt.outcome != kept.outcome).then_some(plan)
}

/// The activity a submission made tells from now on what is read today, and what it tells of the person is added. Nothing
/// is moved: people may have worked with it. Nothing is written if it is read as it was.
fn reread(again: &Again, kept: &KeptFact, facts: &mut Facts, rules: &Rules) -> Option<Plan> {
    let item = &*again.item;
    let (Place { lead, contact, activity: Some(activity) }, Some(content)) = (kept.place, &kept.content) else { return None };
    // What could not be read at all is no better than what is there; and what several events told of a call is not one's to tell.
    let of_call = || serde_json::from_str::<Content>(content).is_ok_and(|content| content.call.is_some());
    if item.submission.hold.is_some() || kept.outcome == Outcome::Test || of_call() {
        return None;
    }
    let contact = contact.map(|contact| facts.root(contact));
    let before = facts.clone();
    let mut step = step(again, item, kept, facts, rules);
    step.reason(Reason::ReadAgain);
    let mut place = Place { lead, contact, activity: Some(activity) };
    match (lead, contact) {
        // What we wrote tells nothing new of whom it was sent to.
        _ if item.content.outgoing => {}
        (_, Some(contact)) => step.person(contact, activity),
        (Some(lead), None) => place.contact = step.adopter(lead, activity),
        (None, None) => {}
    }
    // What came of a messenger's message since stays with it. What several deliveries tell is not told anew by one of them.
    let joined = joined(item, content);
    let says = joined.as_ref().map_or(item.content_json.as_str(), |(_, says)| says);
    let told = says != content.as_str() || (!item.touch_json.is_empty() && Some(&item.touch_json) != kept.touch.as_ref());
    let told = told && !item.submission.draft.gathers;
    step.plan.amends = told.then_some(activity);
    if let Some((content, says)) = joined.filter(|_| told) {
        step.facts.told.entry(activity).and_modify(|known| *known = content);
        step.plan.gathered = Some(says);
    }
    let plan = &step.plan;
    let added = plan.identities.iter().any(|write| write.new.is_some()) || plan.touched.is_some();
    if !told && !added {
        *step.facts = before;
        return None;
    }
    step.end(kept.outcome, place);
    step.own_keys();
    Some(step.plan)
}

/// What a messenger's message tells as it is read now, with what came of it since: also as JSON.
fn joined(item: &Prepared, before: &str) -> Option<(Content, String)> {
    item.content.chat.as_ref()?;
    let joined = chat::amend(&serde_json::from_str(before).ok()?, &item.content);
    let says = serde_json::to_string(&joined).ok()?;
    Some((joined, says))
}

impl Step<'_> {
    /// Adds what a submission tells to the contact it is known to be from; another it seems to be from goes to the review.
    fn person(&mut self, contact: ContactId, activity: ActivityId) {
        let found = self.find();
        if let Some(other) = found.contact.filter(|other| *other != contact) {
            self.reason(Reason::SeemsFrom { contact: other });
            let (a, b) = if other < contact { (other, contact) } else { (contact, other) };
            self.plan.reviews.push((a, b));
            self.reason(Reason::Review { a, b });
        }
        self.join(contact, activity, false);
    }

    /// Gives a lead without a contact the one its delivery tells of; one that has an open lead keeps it.
    pub(super) fn adopter(&mut self, lead: LeadId, activity: ActivityId) -> Option<ContactId> {
        if self.item.identities.is_empty() || !self.facts.orphans.get(&lead).is_some_and(|fact| fact.stage.is_open()) {
            return None;
        }
        let found = self.find();
        let contact = match found.contact {
            Some(contact) if self.facts.contacts.get(&contact).is_none_or(|fact| fact.open.is_some()) => {
                self.reason(Reason::SeemsFrom { contact });
                return None;
            }
            Some(contact) => {
                self.review(&found, contact);
                self.join(contact, activity, false);
                contact
            }
            None => {
                let contact = self.new_contact(&found);
                identities::own(self.item, self.facts, self.rules, &mut self.plan, contact, activity);
                contact
            }
        };
        let orphan = self.facts.orphans.remove(&lead);
        self.facts.adopt(lead, contact);
        if let Some(fact) = self.facts.contacts.get_mut(&contact) {
            fact.open = orphan.or(Some(LeadFact { id: lead, stage: Stage::New, touched_at: self.at, closed_at: None }));
        }
        self.touch_lead(lead, Some(contact), None, Some(contact));
        if let Some(touched) = &mut self.plan.touched {
            touched.touch = false;
        }
        Some(contact)
    }
}

/// Plans kept submissions without carrying anything out, from facts loaded with [`Ids::UNDRAWN`].
pub fn preview_again(items: &[Arc<Again>], mut facts: Facts, rules: &Rules) -> Vec<Recorded> {
    debug_assert_eq!(facts.ids, Ids::UNDRAWN, "new rows have no number yet");
    let plans = items.iter().map(|item| again(item, &mut facts, rules)).collect();
    let told = |recorded| match recorded {
        Recorded::Changed(receipt) => Recorded::Changed(super::drawn_only(receipt)),
        Recorded::Same(receipt) => Recorded::Same(super::drawn_only(receipt)),
        other => other,
    };
    recorded(plans).into_iter().map(told).collect()
}

/// The answers, once the plans are carried out.
pub fn recorded(plans: Vec<Replan>) -> Vec<Recorded> {
    let told = |replan| match replan {
        Replan::Plan(plan) => Recorded::Changed(plan.receipt),
        Replan::Same(receipt) => Recorded::Same(receipt),
        Replan::Meanwhile => Recorded::Meanwhile,
        Replan::Gone => Recorded::Gone,
    };
    plans.into_iter().map(told).collect()
}
