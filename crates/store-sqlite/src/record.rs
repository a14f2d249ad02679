//! Records a batch: look up, plan, write, move cursors; the commit is the writer's.

use std::sync::Arc;

use leadgate_core::plan::rows::Gathered;
use leadgate_core::plan::{self, Lookup, Plan};
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::Receipt;
use leadgate_core::rules::Rules;
use leadgate_core::submission::Batch;

use crate::writer::Writing;
use crate::{apply, facts, sources};

pub(crate) async fn record(writing: &mut Writing, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
    let items = &batch.items;
    if !items.is_empty() {
        let lookup = Lookup::of(items);
        let mut facts = facts::load(&mut writing.conn, &lookup, writing.sequence.ids()).await?;
        let plans: Vec<Plan> = items.iter().map(|item| plan::plan(item, &mut facts, &rules)).collect();
        writing.sequence.drawn(facts.ids);
        {
            let gathered = Gathered::of(items, &plans, &mut writing.sequence.submission)?;
            apply::write(writing, &gathered).await?;
        }
        sources::move_cursors(&mut writing.conn, &batch.cursors).await?;
        return Ok(plans.into_iter().map(|plan| plan.receipt).collect());
    }
    sources::move_cursors(&mut writing.conn, &batch.cursors).await?;
    Ok(Vec::new())
}
