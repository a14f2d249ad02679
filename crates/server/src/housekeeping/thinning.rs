//! What lost its time: the bytes of old deliveries, and of those beyond a source's quota.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::keeping::Thinning;
use leadgate_core::ports::Store;
use tokio::time::Instant;

use super::SWEEP_CALLS;
use crate::config::Keeping;

/// How far it came is forgotten this often: what was settled since by a person is found then.
const ANEW_EVERY: Duration = Duration::from_hours(24);

/// How far it came, by the numbers of deliveries.
#[derive(Debug)]
pub(super) struct Marks {
    since: Instant,
    by_age: i64,
    by_source: HashMap<SourceId, i64>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { since: Instant::now(), by_age: 0, by_source: HashMap::new() }
    }
}

impl Marks {
    fn forget_in_time(&mut self) {
        if self.since.elapsed() >= ANEW_EVERY {
            *self = Self::default();
        }
    }
}

/// Takes the bytes of deliveries that are older than they are kept; says of how many.
pub(super) async fn by_age(store: &dyn Store, keeping: &Keeping, now: Timestamp, marks: &mut Marks) -> anyhow::Result<u64> {
    marks.forget_in_time();
    let Some(before) = keeping.raw.before(now) else { return Ok(0) };
    let all = Thinning { now, source: None, after: marks.by_age, through: i64::MAX, before, deletes: false, quarantine: false };
    walk(store, all, &mut marks.by_age).await
}

/// Brings every source back within its quota, the oldest first; says how many deliveries lost their bytes or went.
pub(super) async fn by_quota(store: &dyn Store, keeping: &Keeping, now: Timestamp, marks: &mut Marks) -> anyhow::Result<u64> {
    if !keeping.quota.is_limited() && keeping.quotas.is_empty() {
        return Ok(0);
    }
    let mut gone = 0;
    for source in store.health(now).await?.into_iter().map(|health| health.source) {
        let quota = keeping.quota_of(&source);
        if !quota.is_limited() {
            continue;
        }
        let Some(through) = store.beyond(&source, quota).await? else { continue };
        let mark = marks.by_source.entry(source.clone()).or_default();
        let beyond = Thinning {
            now,
            source: Some(source),
            after: *mark,
            through,
            before: Timestamp::MAX,
            deletes: true,
            // What waits for a person goes only where somebody said for how long it may wait.
            quarantine: keeping.quarantine.before(now).is_some(),
        };
        gone += walk(store, beyond, mark).await?;
    }
    Ok(gone)
}

async fn walk(store: &dyn Store, mut thinning: Thinning, mark: &mut i64) -> anyhow::Result<u64> {
    let mut gone = 0;
    for _ in 0..SWEEP_CALLS {
        let thinned = store.thin(thinning.clone()).await?;
        gone += thinned.rows;
        let Some(next) = thinned.next else { break };
        (thinning.after, *mark) = (next, next);
    }
    Ok(gone)
}
