//! Records a batch: move cursors, look up, plan, write; the commit is the writer's.

use std::sync::Arc;

use leadgate_core::plan::rows::Gathered;
use leadgate_core::plan::{self, Ids, Lookup, Plan, Replan};
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::replay::{Again, Recorded};
use leadgate_core::rules::Rules;
use leadgate_core::submission::Batch;
use sqlx::SqliteConnection;

use crate::bulk::LARGE;
use crate::writer::Writing;
use crate::{apply, facts, sources};

/// Whether a batch is better recorded in as few trips to the connection's thread as can be: its transaction begins with its
/// questions and ends with its rows. A lead that comes alone waits for little else; for a large batch that would only be a second
/// text of each size.
pub(crate) fn in_few_trips(batch: &Batch) -> bool {
    batch.items.len() < LARGE && batch.cursors.is_empty()
}

pub(crate) async fn record(writing: &mut Writing, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
    // First: what may not be written need not be looked up.
    sources::move_cursors(&mut writing.conn, &batch).await?;
    let items = &batch.items;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let lookup = Lookup::of(items);
    let opening = writing.unopened.take();
    let mut facts = facts::load(&mut writing.conn, lookup, writing.sequence.ids(), opening).await?;
    let plans: Vec<Plan> = items.iter().map(|item| plan::plan(item, &mut facts, &rules)).collect();
    writing.sequence.drawn(facts.ids);
    {
        let gathered = Gathered::of(items, &plans, &rules, &mut writing.sequence.submission)?;
        apply::write(writing, &gathered, in_few_trips(&batch)).await?;
    }
    Ok(plans.into_iter().map(|plan| plan.receipt).collect())
}

/// Records submissions that are kept once more.
pub(crate) async fn again(writing: &mut Writing, items: &[Arc<Again>], rules: &Rules) -> Result<Vec<Recorded>, StoreError> {
    let lookup = Lookup::of(items.iter().map(|again| &again.item));
    let mut facts = facts::load_again(&mut writing.conn, lookup, writing.sequence.ids()).await?;
    let kept = facts.kept.clone();
    let plans: Vec<Replan> = items.iter().map(|again| plan::again(again, &mut facts, rules)).collect();
    writing.sequence.drawn(facts.ids);
    {
        let gathered = Gathered::again(items, &plans, &kept, rules)?;
        apply::write(writing, &gathered, false).await?;
    }
    Ok(plan::recorded(plans))
}

/// What recording kept submissions once more would do now.
pub(crate) async fn preview_again(
    conn: &mut SqliteConnection,
    items: &[Arc<Again>],
    rules: &Rules,
) -> Result<Vec<Recorded>, StoreError> {
    let lookup = Lookup::of(items.iter().map(|again| &again.item));
    let facts = facts::load_again(conn, lookup, Ids::UNDRAWN).await?;
    Ok(plan::preview_again(items, facts, rules))
}

/// What would become of deliveries now.
pub(crate) async fn preview(
    conn: &mut SqliteConnection,
    items: &[Arc<Prepared>],
    rules: &Rules,
) -> Result<Vec<Receipt>, StoreError> {
    let facts = facts::load(conn, Lookup::of(items), Ids::UNDRAWN, None).await?;
    Ok(plan::preview(items, facts, rules))
}
