//! What is done now and then: old rows and orphaned files go, counts are written, quiet addresses are forgotten, the disk
//! is looked at. One driver; each task at its own pace, the first time right after the start.

mod owed;
mod thinning;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use leadgate_core::ports::{Store, StoreError, Sweep};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::owed::Owed;
use self::thinning::Marks;
use crate::app::Gateway;
use crate::metrics;
use crate::nodes::{HOUSEKEEPING, Node};
use crate::onward;

/// Less free space than this is too little to take leads with an easy mind.
pub const DISK_FLOOR: u64 = 100 << 20;

/// How often the driver looks whether something is due.
const TICK: Duration = Duration::from_secs(5);
/// What is kept no longer.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Sources beyond their quota.
const QUOTAS_EVERY: Duration = Duration::from_mins(10);
/// Orphaned attachments.
const ATTACHMENTS_EVERY: Duration = Duration::from_hours(1);
/// Counts of refused calls.
const REFUSALS_EVERY: Duration = Duration::from_secs(10);
/// Silence and missed deliveries.
const SOURCES_EVERY: Duration = Duration::from_mins(1);
/// Quiet addresses.
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// Disk, gauges and the upkeep of histograms.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Whether the files of the certificate have changed.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);

/// What is told when it is wrong.
const ALARMS_EVERY: Duration = Duration::from_mins(1);

/// How much is owed to whom.
const OWED_EVERY: Duration = Duration::from_secs(15);

/// Content keys live as long as the longest repeat window, and this much longer.
const CONTENT_KEY_MARGIN: SignedDuration = SignedDuration::from_hours(1);
/// Calls of a sweep in one go, so that neighbours get their turn.
const SWEEP_CALLS: u32 = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Measure,
    Refusals,
    Sources,
    Sweep,
    Quotas,
    Prune,
    Attachments,
    Certificate,
    Alarms,
    Owed,
}

impl Task {
    const ALL: [(Self, Duration); 10] = [
        (Self::Measure, MEASURE_EVERY),
        (Self::Refusals, REFUSALS_EVERY),
        (Self::Sources, SOURCES_EVERY),
        (Self::Sweep, SWEEP_EVERY),
        (Self::Quotas, QUOTAS_EVERY),
        (Self::Prune, PRUNE_EVERY),
        (Self::Attachments, ATTACHMENTS_EVERY),
        (Self::Certificate, CERTIFICATE_EVERY),
        (Self::Alarms, ALARMS_EVERY),
        (Self::Owed, OWED_EVERY),
    ];

    fn is_shared(self) -> bool {
        matches!(self, Self::Sweep | Self::Quotas | Self::Attachments)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Measure => "measure",
            Self::Refusals => "refusals",
            Self::Sources => "sources",
            Self::Sweep => "sweep",
            Self::Quotas => "quotas",
            Self::Prune => "prune",
            Self::Attachments => "attachments",
            Self::Certificate => "certificate",
            Self::Alarms => "alarms",
            Self::Owed => "owed",
        }
    }
}

/// Holds the lease of what one gateway does for all, until told to stop.
pub async fn hold(gateway: Arc<Gateway>, node: Node, stop: CancellationToken) {
    struct Keeps<'a>(&'a Gateway);
    impl Drop for Keeps<'_> {
        fn drop(&mut self) {
            self.0.keeps_house.store(false, Ordering::Relaxed);
        }
    }
    let keep = |_fence| async {
        gateway.keeps_house.store(true, Ordering::Relaxed);
        let _until_it_is_lost = Keeps(&gateway);
        std::future::pending::<()>().await;
    };
    node.while_held(HOUSEKEEPING, &stop, keep).await;
}

/// What tasks know from one time to the next.
#[derive(Default)]
struct Remembered {
    marks: Marks,
    owed: Owed,
}

/// Runs until told to stop; then writes the last counts.
pub async fn run(gateway: Arc<Gateway>, store: Arc<dyn Store>, stop: CancellationToken) {
    let mut remembered = Remembered::default();
    let mut due = Task::ALL.map(|(task, every)| (task, every, Instant::now()));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        // While the database cannot be written the sweep is the trial write that finds out when it can be again.
        let failing = gateway.intake.writes().failing();
        for (task, every, at) in &mut due {
            let now = Instant::now();
            let trial = failing && *task == Task::Sweep;
            if now < *at && !trial {
                continue;
            }
            // What concerns the whole database is done by one gateway.
            if task.is_shared() && !trial && !gateway.keeps_house.load(Ordering::Relaxed) {
                continue;
            }
            *at = now + *every;
            report(*task, one(*task, &gateway, &*store, &mut remembered).await);
        }
    }
    report(Task::Refusals, write_refusals(&gateway, &*store).await);
}

fn report(task: Task, outcome: anyhow::Result<()>) {
    if let Err(error) = outcome {
        metrics::housekeeping_failed(task.as_str());
        tracing::warn!(task = task.as_str(), error = format!("{error:#}"), "housekeeping failed; it is tried again");
    }
}

async fn one(task: Task, gateway: &Arc<Gateway>, store: &dyn Store, remembered: &mut Remembered) -> anyhow::Result<()> {
    let marks = &mut remembered.marks;
    match task {
        Task::Measure => measure(gateway).await,
        Task::Refusals => write_refusals(gateway, store).await,
        Task::Sources => {
            let (health, live) = (store.health(gateway.clock.now()).await?, gateway.live());
            for health in &health {
                metrics::health(health, live.expects(&health.source));
            }
            Ok(())
        }
        Task::Sweep => {
            sweep(gateway, store).await?;
            let thinned = thinning::by_age(store, &gateway.live().keeping, gateway.clock.now(), marks).await?;
            metrics::thinned(thinned);
            Ok(())
        }
        Task::Quotas => {
            let thinned = thinning::by_quota(store, &gateway.live().keeping, gateway.clock.now(), marks).await?;
            metrics::thinned(thinned);
            Ok(())
        }
        Task::Prune => {
            gateway.live().sources.iter().filter_map(|source| source.limit.as_ref()).for_each(crate::app::AddressLimit::prune);
            Ok(())
        }
        Task::Attachments => {
            let swept = gateway.attachments.sweep(store, &gateway.clock).await?;
            metrics::attachments_swept(swept);
            Ok(())
        }
        Task::Certificate => {
            let gateway = Arc::clone(gateway);
            tokio::task::spawn_blocking(move || gateway.look_at_certificate()).await?
        }
        Task::Alarms => Ok(onward::look(gateway, store, gateway.keeps_house.load(Ordering::Relaxed)).await?),
        Task::Owed => {
            let targets = gateway.onward.targets().into_iter().map(|view| view.target);
            Ok(remembered.owed.tell(store, targets).await?)
        }
    }
}

async fn measure(gateway: &Gateway) -> anyhow::Result<()> {
    let folder = gateway.data_dir.clone();
    let free = tokio::task::spawn_blocking(move || disk_free(&folder)).await??;
    let before = gateway.disk_free.swap(free, Ordering::Relaxed);
    if free < DISK_FLOOR && before >= DISK_FLOOR {
        tracing::error!(free, "the disk is nearly full: leads will be refused when it is");
    }
    gateway.measure();
    if let Some(prometheus) = &gateway.prometheus {
        prometheus.run_upkeep();
    }
    look_for_space(gateway).await
}

/// Asks the disks; a line in the log whenever there is too little space, or enough again.
async fn look_for_space(gateway: &Gateway) -> anyhow::Result<()> {
    let (floor, space) = (gateway.live().keeping.free_space, Arc::clone(&gateway.space));
    let look = tokio::task::spawn_blocking(move || space.look(floor)).await??;
    metrics::space(look.low);
    match (look.turned, look.low) {
        (true, true) => tracing::error!(
            free = look.free,
            floor,
            "too little space is free: files are refused until there is more, leads are taken ([keeping] free_space)"
        ),
        (true, false) => tracing::info!(free = look.free, floor, "there is enough space again: files are taken"),
        (false, _) => {}
    }
    Ok(())
}

/// Free bytes on a folder's disk.
pub fn disk_free(folder: &Path) -> std::io::Result<u64> {
    fs4::available_space(folder)
}

async fn write_refusals(gateway: &Gateway, store: &dyn Store) -> anyhow::Result<()> {
    let refusals = gateway.refusals.take();
    if refusals.is_empty() {
        return Ok(());
    }
    if let Err(error) = store.refused(refusals.clone()).await {
        gateway.refusals.put_back(refusals);
        return Err(error.into());
    }
    Ok(())
}

async fn sweep(gateway: &Gateway, store: &dyn Store) -> anyhow::Result<()> {
    let now = gateway.clock.now();
    let rules = gateway.live().rules.clone();
    let longest = rules.sources.values().map(|source| source.repeat_window).max().unwrap_or(rules.fallback.repeat_window);
    let keeping = &gateway.live().keeping;
    let sweep = Sweep {
        now,
        content_keys_before: now.saturating_sub(longest + CONTENT_KEY_MARGIN)?,
        ring_before: keeping.rejected.before(now),
        spam_before: keeping.spam.before(now),
        quarantine_before: keeping.quarantine.before(now),
        files_before: keeping.files.before(now),
        events_before: keeping.events.before(now),
        jobs_before: keeping.outbox.before(now),
    };
    for _ in 0..SWEEP_CALLS {
        match store.sweep(sweep).await {
            Ok(0) => {
                // Nothing to delete proves nothing on a full disk.
                if gateway.disk_free.load(Ordering::Relaxed) >= DISK_FLOOR {
                    gateway.intake.writes().succeeded();
                }
                break;
            }
            Ok(_) => gateway.intake.writes().succeeded(),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Full)) => {
                gateway.intake.writes().failed(&error.to_string());
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
