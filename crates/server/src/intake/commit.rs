//! The loop that commits: while as many batches are written as the store takes at once, the next one gathers. No timers; a
//! batch is what waits.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{IntakeError, Store, StoreError};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Batch, CursorMove};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Group, Limits, RulesCell, Spare, Writes};

/// How often a lost race is run again before the senders are asked to.
const MOST_CONFLICTS: u32 = 5;

/// The committing loop of an intake.
#[derive(Debug)]
pub struct Committer {
    waiting: mpsc::Receiver<Group>,
    limits: Limits,
    batches: Batches,
}

/// Commits batches, each by itself.
#[derive(Debug)]
struct Batches {
    rules: RulesCell,
    writes: Arc<Writes>,
}

/// Why a batch was not committed.
enum Trouble {
    /// Something in it cannot be stored: splitting finds it.
    Poisoned(String),
    /// Nothing is wrong with it: splitting would only multiply the trouble.
    Later(String),
    /// Others read these sources by now: what was read here must not be stored, the rest may.
    LeaseLost(Vec<SourceId>),
}

impl Committer {
    pub(super) fn new(waiting: mpsc::Receiver<Group>, limits: Limits, rules: RulesCell, writes: Arc<Writes>) -> Self {
        Self { waiting, limits, batches: Batches { rules, writes } }
    }

    /// Commits until told to close, then what still waits; later submits are answered `Closing`.
    pub async fn run(self, store: Arc<dyn Store>, closing: CancellationToken) {
        let Self { mut waiting, limits, batches } = self;
        let most = store.batches_at_once().max(1);
        let mut running = FuturesUnordered::new();
        let mut open = true;
        loop {
            let first = tokio::select! {
                biased;
                group = waiting.recv(), if running.len() < most => group,
                Some(()) = running.next() => continue,
                () = closing.cancelled(), if open => {
                    open = false;
                    waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { break };
            running.push(batches.commit(&*store, gather(&mut waiting, limits, first)));
        }
        while running.next().await.is_some() {}
    }
}

/// The first group and whatever else waits, up to the batch's bounds. A group is never torn apart here.
fn gather(waiting: &mut mpsc::Receiver<Group>, limits: Limits, first: Group) -> Vec<Group> {
    let (mut items, mut bytes) = (first.items.len(), first.bytes);
    let mut groups = vec![first];
    while items < limits.batch_items && bytes < limits.batch_bytes {
        let Ok(group) = waiting.try_recv() else { break };
        items += group.items.len();
        bytes += group.bytes;
        groups.push(group);
    }
    groups
}

impl Batches {
    /// Commits groups and answers each of them once. What is poisoned is found along the borders of the submits first.
    async fn commit(&self, store: &dyn Store, groups: Vec<Group>) {
        let mut pieces = vec![groups];
        while let Some(mut groups) = pieces.pop() {
            let items = groups.iter().flat_map(|group| group.items.iter().cloned()).collect();
            let cursors = groups.iter().filter_map(|group| group.to.clone()).collect();
            match self.record(store, Batch { items, cursors }).await {
                Ok(receipts) => deal(groups, receipts),
                Err(Trouble::LeaseLost(sources)) => pieces.extend(without_stale(groups, &sources)),
                Err(Trouble::Poisoned(_)) if groups.len() > 1 => {
                    let later = groups.split_off(groups.len() / 2);
                    pieces.push(later);
                    pieces.push(groups);
                }
                Err(Trouble::Poisoned(why)) => {
                    for group in groups {
                        let answer = self.by_halves(store, &group, why.clone()).await;
                        group.answer(answer);
                    }
                }
                Err(Trouble::Later(why)) => {
                    for group in groups.into_iter().chain(pieces.drain(..).rev().flatten()) {
                        group.answer(Err(IntakeError::Busy(why.clone())));
                    }
                }
            }
        }
    }

    /// The items of one submit that holds a poisoned one: halves, until the lone bad item goes to quarantine.
    /// The cursor moves with the last of them.
    async fn by_halves(&self, store: &dyn Store, group: &Group, why: String) -> Result<Vec<Receipt>, IntakeError> {
        let items = &group.items;
        let cursors = |range: &Range<usize>| group.to.iter().filter(|_| range.end == items.len()).cloned().collect();
        let mut receipts = Vec::with_capacity(items.len());
        // The whole was tried already.
        let mut pieces: Vec<(Range<usize>, Option<String>)> = vec![(0..items.len(), Some(why))];
        while let Some((range, tried)) = pieces.pop() {
            let outcome = match tried {
                Some(why) => Err(Trouble::Poisoned(why)),
                None => self.record(store, Batch { items: items[range.clone()].to_vec(), cursors: cursors(&range) }).await,
            };
            match outcome {
                Ok(some) => receipts.extend(some),
                Err(Trouble::Later(why)) => return Err(IntakeError::Busy(why)),
                Err(Trouble::LeaseLost(_)) => return Err(IntakeError::LeaseLost),
                Err(Trouble::Poisoned(_)) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    pieces.push((middle..range.end, None));
                    pieces.push((range.start..middle, None));
                }
                Err(Trouble::Poisoned(why)) => {
                    let Some(item) = items.get(range.start) else { return Err(IntakeError::Busy(why)) };
                    receipts.extend(self.quarantine(store, item, cursors(&range), &why).await?);
                }
            }
        }
        Ok(receipts)
    }

    async fn quarantine(
        &self,
        store: &dyn Store,
        item: &Prepared,
        cursors: Vec<CursorMove>,
        why: &str,
    ) -> Result<Vec<Receipt>, IntakeError> {
        let submission = &item.submission;
        tracing::error!(submission = %submission.id, source = %submission.source, why, "a submission cannot be stored: it goes to quarantine");
        let spare = Spare::of(submission).poisoned("the database refused it");
        let opaque = Arc::new(Prepared::new(spare, &self.rules.get()));
        self.record(store, Batch { items: vec![opaque], cursors }).await.map_err(|trouble| match trouble {
            Trouble::LeaseLost(_) => IntakeError::LeaseLost,
            Trouble::Later(why) | Trouble::Poisoned(why) => IntakeError::Busy(why),
        })
    }

    /// One transaction, tried again where that is safe and likely to help.
    async fn record(&self, store: &dyn Store, batch: Batch) -> Result<Vec<Receipt>, Trouble> {
        let count = batch.items.len();
        let (mut conflicts, mut unavailable) = (0, false);
        loop {
            let recording = AssertUnwindSafe(store.record(batch.clone(), self.rules.get())).catch_unwind();
            let error = match recording.await {
                Ok(Ok(receipts)) if receipts.len() == count => {
                    self.writes.succeeded();
                    return Ok(receipts);
                }
                Ok(Ok(receipts)) => {
                    tracing::error!(count, receipts = receipts.len(), "the store answered for another number of items");
                    return Err(self.later("the store's answer does not fit the batch".to_owned()));
                }
                Ok(Err(error)) => error,
                Err(_panic) => return Err(Trouble::Poisoned("planning or writing it panicked".to_owned())),
            };
            match error {
                StoreError::Rejected(_) | StoreError::Corrupt { .. } => {
                    tracing::warn!(count, error = &error as &dyn std::error::Error, "a batch was refused");
                    return Err(Trouble::Poisoned(error.to_string()));
                }
                StoreError::LeaseLost(sources) => return Err(Trouble::LeaseLost(sources)),
                StoreError::Conflict if conflicts < MOST_CONFLICTS => conflicts += 1,
                // Perhaps it was committed and only the answer was lost: known ids make a second try safe.
                StoreError::Unavailable(_) if !unavailable => unavailable = true,
                StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Full => return Err(self.later(error.to_string())),
            }
        }
    }

    fn later(&self, why: String) -> Trouble {
        self.writes.failed(&why);
        Trouble::Later(why)
    }
}

/// Answers the groups that were read under a lost lease; gives back the others, if there are any.
fn without_stale(groups: Vec<Group>, lost: &[SourceId]) -> Option<Vec<Group>> {
    let is_stale = |group: &Group| group.to.as_ref().is_some_and(|to| to.fence.is_some() && lost.contains(&to.source));
    let (stale, rest): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(is_stale);
    // A store that names none of these would be asked for ever.
    let named = !stale.is_empty();
    for group in stale {
        group.answer(Err(IntakeError::LeaseLost));
    }
    if named {
        return (!rest.is_empty()).then_some(rest);
    }
    for group in rest {
        group.answer(Err(IntakeError::Busy("a lease was lost".to_owned())));
    }
    None
}

/// Gives every group its own receipts, in order.
fn deal(groups: Vec<Group>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for group in groups {
        let own = receipts.by_ref().take(group.items.len()).collect();
        group.answer(Ok(own));
    }
}
