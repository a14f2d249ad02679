//! Kept submissions, read again by their connectors and recorded again: `quarantine release`, `quarantine drop`, `replay`.
//!
//! One call is one batch, through the API of a gateway or by a command on a database that nobody serves. Nothing is
//! remembered between batches but how far they came: whatever stops in the middle is begun again.

mod changes;
mod reading;

use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{Act, Store, StoreError};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::replay::{Again, Decision, How, Kept, KeptFilter, Recorded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::reading::Readers;
use crate::intake;

/// Submissions of one batch.
const BATCH: u32 = 64;
/// How often a lost race is run again.
const MOST_CONFLICTS: u32 = 5;

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Through the current rules.
    #[default]
    Replay,
    /// As replay; and what is settled tells from now on what is read today.
    Reattach,
    /// A person lets it in.
    Release,
    /// A person drops it.
    Drop,
}

/// What is asked of one batch; also the body of the API's calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Replaying)]
pub struct Asked {
    /// These submissions; none: all that fit the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<SubmissionId>,
    /// With one of these outcomes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// From one of these sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceId>>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Read by this source instead of the one it came from: that was renamed, or is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#as: Option<SourceId>,
    /// Of a replay: activities that were made tell from now on what is read today.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reattach: bool,
    /// Only tell what would be done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry: bool,
    /// Go on after this mark of the batch before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Replayed)]
pub struct Batch {
    /// How many submissions fit in all; told with the first batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// One by one, the oldest first.
    pub items: Vec<Told>,
    /// The mark the next batch begins after; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// What became of one submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayedSubmission)]
pub struct Told {
    /// Which.
    pub id: SubmissionId,
    /// From where.
    pub source: SourceId,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it was before.
    pub before: Outcome,
    /// What was done.
    pub done: Done,
    /// Its newest receipt, if it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Why it was left as it was, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What is different from what its activity told, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// What was done with a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReplayDone)]
pub enum Done {
    /// It has a further receipt.
    Changed,
    /// It is as it was before: nothing to do.
    Same,
    /// It was left as it was: it cannot be done.
    Left,
}

/// Outcomes that are asked for if none are named, of what is not named one by one.
fn usual(deed: Deed) -> Vec<Outcome> {
    match deed {
        Deed::Release | Deed::Drop => vec![Outcome::Quarantined],
        Deed::Replay => vec![Outcome::Quarantined, Outcome::Spam, Outcome::Noted],
        Deed::Reattach => Vec::new(),
    }
}

fn filter(asked: &Asked, deed: Deed) -> KeptFilter {
    let named = !asked.ids.is_empty();
    KeptFilter {
        ids: asked.ids.clone(),
        outcomes: if asked.outcomes.is_empty() && !named { usual(deed) } else { asked.outcomes.clone() },
        sources: asked.sources.clone(),
        from: asked.from,
        to: asked.to,
        // By its id a person means even what a person dropped before.
        dropped: named,
    }
}

/// Does one batch.
pub async fn batch(store: &dyn Store, readers: &Readers<'_>, asked: &Asked, deed: Deed, act: &Act) -> Result<Batch, StoreError> {
    let filter = filter(asked, deed);
    let total = match asked.after {
        None => Some(store.kept_count(filter.clone()).await?),
        Some(_) => None,
    };
    let kept = store.kept(filter, asked.after, BATCH).await?;
    let full = u32::try_from(kept.len()).is_ok_and(|count| count == BATCH);
    let next = kept.last().map(|last| last.seq).filter(|_| full);
    let mut items: Vec<Told> = kept.iter().map(|one| told(one, Done::Same)).collect();
    let mut read = Vec::with_capacity(kept.len());
    for (at, prepared) in prepared(store, readers, asked, deed, &kept).await?.into_iter().enumerate() {
        match prepared {
            Ok(item) => read.push((at, Arc::new(again(deed, &kept[at], item, act)))),
            Err(why) => items[at] = Told { why: Some(why), ..told(&kept[at], Done::Left) },
        }
    }
    for ((at, again), recorded) in read.iter().zip(record(store, readers, &read, asked.dry).await?) {
        items[*at] = answered(&kept[*at], again, recorded);
    }
    Ok(Batch { total, items, next })
}

fn told(kept: &Kept, done: Done) -> Told {
    Told {
        id: kept.id,
        source: kept.source.clone(),
        received_at: kept.received_at,
        before: kept.outcome,
        done,
        receipt: None,
        why: None,
        changes: Vec::new(),
    }
}

/// What kept submissions say today, one by one; or why that cannot be told.
async fn prepared(
    store: &dyn Store,
    readers: &Readers<'_>,
    asked: &Asked,
    deed: Deed,
    kept: &[Kept],
) -> Result<Vec<Result<Prepared, String>>, StoreError> {
    if deed == Deed::Drop {
        return Ok(kept.iter().map(|one| Ok(readers.nothing_of(one))).collect());
    }
    let (mut items, mut whys) = (Vec::with_capacity(kept.len()), Vec::with_capacity(kept.len()));
    for one in kept {
        let read = readers.read(one, asked.r#as.as_ref(), deed);
        whys.push(read.map(|item| items.push(item)));
    }
    intake::complete(&mut items, store).await?;
    let mut items = items.into_iter();
    let prepare =
        |why: Result<(), String>| why.and_then(|()| readers.prepare(items.next().ok_or_else(|| "it was not read".to_owned())?));
    Ok(whys.into_iter().map(prepare).collect())
}

/// A kept submission as it is to be recorded.
fn again(deed: Deed, kept: &Kept, item: Prepared, act: &Act) -> Again {
    let decision = || Decision { actor: act.actor.clone(), at: act.at };
    let how = match deed {
        Deed::Replay => How::Replay,
        Deed::Reattach => How::Reattach,
        Deed::Release => How::Release(decision()),
        Deed::Drop => How::Drop(decision()),
    };
    Again { item: Arc::new(item), seen: kept.receipt, how }
}

/// Records, all at once; one that the database refuses is found by halves and left alone.
async fn record(
    store: &dyn Store,
    readers: &Readers<'_>,
    read: &[(usize, Arc<Again>)],
    dry: bool,
) -> Result<Vec<Result<Recorded, String>>, StoreError> {
    let mut answers = Vec::with_capacity(read.len());
    let mut pieces: Vec<&[(usize, Arc<Again>)]> = vec![read];
    let mut conflicts = 0;
    while let Some(piece) = pieces.pop() {
        if piece.is_empty() {
            continue;
        }
        let items = piece.iter().map(|(_, again)| Arc::clone(again)).collect();
        match store.record_again(items, Arc::clone(readers.rules()), dry).await {
            Ok(recorded) => answers.extend(recorded.into_iter().map(Ok)),
            Err(StoreError::Conflict) if conflicts < MOST_CONFLICTS => {
                conflicts += 1;
                pieces.push(piece);
            }
            Err(StoreError::Rejected(_) | StoreError::Corrupt { .. }) if piece.len() > 1 => {
                let (now, later) = piece.split_at(piece.len() / 2);
                pieces.extend([later, now]);
            }
            Err(error @ (StoreError::Rejected(_) | StoreError::Corrupt { .. })) => {
                answers.push(Err(format!("the database refused it: {error}")));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

fn answered(kept: &Kept, again: &Again, recorded: Result<Recorded, String>) -> Told {
    let left = |why: &str| Told { why: Some(why.to_owned()), ..told(kept, Done::Left) };
    match recorded {
        Ok(Recorded::Changed(receipt)) => {
            let changes = changes::of(kept, again, &receipt);
            Told { receipt: Some(receipt), changes, ..told(kept, Done::Changed) }
        }
        Ok(Recorded::Same(receipt)) => Told { receipt: Some(receipt), ..told(kept, Done::Same) },
        Ok(Recorded::Meanwhile) => left("somebody else did something with it this moment: look again"),
        Ok(Recorded::Gone) => left("it is not kept any more"),
        Err(why) => left(&why),
    }
}
