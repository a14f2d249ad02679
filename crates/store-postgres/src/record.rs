//! Records a batch: lock, move cursors, look up, plan, draw numbers, write.

use std::sync::Arc;

use leadgate_core::plan::rows::Gathered;
use leadgate_core::plan::{self, Facts, Ids, Lookup, Plan, Replan};
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::replay::{Again, Recorded};
use leadgate_core::rules::Rules;
use leadgate_core::submission::Batch;

use crate::conn::Conn;
use crate::error::corrupt;
use crate::facts::Hold;
use crate::numbers::{self, Counts, Next, Numbers};
use crate::{apply, calls, facts, sources};

/// Records a batch whose locks are taken.
pub(crate) async fn record(
    conn: &mut Conn,
    batch: &Batch,
    (lookup, calls): (&Lookup, calls::Known),
    rules: &Rules,
    next: &Next,
) -> Result<Vec<Receipt>, StoreError> {
    // First: what may not be written need not be looked up.
    sources::move_cursors(conn, batch).await?;
    let mut plans = Vec::new();
    if !batch.items.is_empty() {
        let mut guess = next.guess();
        let mut facts = facts::load(conn, lookup, guess.ids, Hold::Locked).await?;
        facts.calls = calls;
        guess.ids = above(guess.ids, &facts);
        facts.ids = guess.ids;
        let fold = |facts: Facts| fold(batch, facts, rules);
        let (first, planned) = planned(conn, &fold, facts, guess, next).await?;
        plans = planned;
        let mut submission = first.submission;
        let gathered = Gathered::of(&batch.items, &plans, rules, &mut submission)?;
        apply::write(conn, &gathered).await?;
    }
    Ok(plans.into_iter().map(|plan| plan.receipt).collect())
}

/// Numbers that nothing in the facts has: other gateways draw, too.
fn above(ids: Ids, facts: &Facts) -> Ids {
    let leads = facts.contacts.values().flat_map(|fact| [fact.open, fact.last]).flatten().map(|lead| lead.id);
    let highest_contact = facts.contacts.keys().map(|id| id.0).chain(facts::contacts_of(facts)).max();
    let highest_lead = leads.chain(facts::places(facts).filter_map(|place| place.lead)).map(|id| id.0).max();
    let recent = facts.recent.iter().map(|fact| fact.place);
    let highest_activity = facts::places(facts).chain(recent).filter_map(|place| place.activity).map(|id| id.0).max();
    let beyond = |next: i64, highest: Option<i64>| next.max(highest.map_or(next, |highest| highest + 1));
    Ids {
        contact: beyond(ids.contact, highest_contact),
        lead: beyond(ids.lead, highest_lead),
        activity: beyond(ids.activity, highest_activity),
    }
}

/// Plans a batch and draws its numbers.
async fn planned<P>(
    conn: &mut Conn,
    fold: &(dyn Fn(Facts) -> (Vec<P>, Counts) + Sync),
    facts: Facts,
    guess: Numbers,
    next: &Next,
) -> Result<(Numbers, Vec<P>), StoreError> {
    let (plans, counts) = fold(facts.clone());
    let first = numbers::draw(conn, counts, guess).await?;
    next.drawn(after(first, counts));
    if first.ids == guess.ids {
        return Ok((first, plans));
    }
    let (plans, again) = fold(Facts { ids: first.ids, ..facts });
    if again != counts {
        return Err(corrupt("a plan", "the same facts led to another number of rows"));
    }
    Ok((first, plans))
}

/// Plans a batch. Says how many numbers that took.
fn fold(batch: &Batch, mut facts: Facts, rules: &Rules) -> (Vec<Plan>, Counts) {
    let before = facts.ids;
    let plans: Vec<Plan> = batch.items.iter().map(|item| plan::plan(item, &mut facts, rules)).collect();
    let kept = plans.iter().filter(|plan| plan.keep).count();
    (plans, drawn(before, facts.ids, kept))
}

fn drawn(before: Ids, after: Ids, submissions: usize) -> Counts {
    [
        after.contact - before.contact,
        after.lead - before.lead,
        after.activity - before.activity,
        i64::try_from(submissions).unwrap_or(i64::MAX),
    ]
}

fn after(first: Numbers, [contacts, leads, activities, submissions]: Counts) -> Numbers {
    let mut next = first;
    next.ids.contact += contacts;
    next.ids.lead += leads;
    next.ids.activity += activities;
    next.submission += submissions;
    next
}

/// Records submissions that are kept once more. Their locks are taken.
pub(crate) async fn again(
    conn: &mut Conn,
    items: &[Arc<Again>],
    (lookup, calls): (&Lookup, calls::Known),
    rules: &Rules,
    next: &Next,
) -> Result<Vec<Recorded>, StoreError> {
    let mut guess = next.guess();
    let mut facts = facts::load_again(conn, lookup, guess.ids, Hold::Locked).await?;
    facts.calls = calls;
    guess.ids = above(guess.ids, &facts);
    facts.ids = guess.ids;
    let kept = facts.kept.clone();
    let fold = |mut facts: Facts| {
        let before = facts.ids;
        let plans: Vec<Replan> = items.iter().map(|again| plan::again(again, &mut facts, rules)).collect();
        (plans, drawn(before, facts.ids, 0))
    };
    let (_, plans) = planned(conn, &fold, facts, guess, next).await?;
    let gathered = Gathered::again(items, &plans, &kept, rules)?;
    apply::write(conn, &gathered).await?;
    Ok(plan::recorded(plans))
}

/// What recording kept submissions once more would do now.
pub(crate) async fn preview_again(conn: &mut Conn, items: &[Arc<Again>], rules: &Rules) -> Result<Vec<Recorded>, StoreError> {
    let mut lookup = Lookup::of(items.iter().map(|again| &again.item));
    let calls = known(conn, &mut lookup).await?;
    let mut facts = facts::load_again(conn, &lookup, Ids::UNDRAWN, Hold::Free).await?;
    facts.calls = calls;
    Ok(plan::preview_again(items, facts, rules))
}

/// What would become of deliveries now.
pub(crate) async fn preview(conn: &mut Conn, items: &[Arc<Prepared>], rules: &Rules) -> Result<Vec<Receipt>, StoreError> {
    let mut lookup = Lookup::of(items);
    let calls = known(conn, &mut lookup).await?;
    let mut facts = facts::load(conn, &lookup, Ids::UNDRAWN, Hold::Free).await?;
    facts.calls = calls;
    Ok(plan::preview(items, facts, rules))
}

/// What is kept of calls, and whom else to look for because of it.
async fn known(conn: &mut Conn, lookup: &mut Lookup) -> Result<calls::Known, StoreError> {
    let known = calls::load(conn, lookup).await?;
    lookup.add_calls(known.values());
    Ok(known)
}
