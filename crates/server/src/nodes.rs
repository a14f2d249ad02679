//! This gateway among those that serve its database: it tells that it lives, and holds the leases of what only one may do
//! at a time. Leases run on the database's clock; ours only decides when to stop early.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use leadgate_core::ids::NodeId;
use leadgate_core::ports::{Beat, Store};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// The lease of what is done now and then for the whole database.
pub const HOUSEKEEPING: &str = "housekeeping";
/// A gateway that was silent for longer is taken for dead by whoever looks; one that stops says so.
pub const SILENT_AFTER: Duration = Duration::from_secs(20);
/// A gateway tells so often that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// One that was silent for longer is forgotten.
const FORGET_AFTER: Duration = Duration::from_hours(24);
/// A lease is renewed this often within its time.
const RENEWALS: u32 = 3;

/// This gateway.
#[derive(Clone)]
pub struct Node {
    id: NodeId,
    beat: Beat,
    store: Arc<dyn Store>,
    lasts: Duration,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Node {
    /// A gateway that just started. `lasts`: how long a lease of it lasts without being renewed.
    pub fn new(clock: &Clock, address: String, store: Arc<dyn Store>, lasts: Duration) -> Self {
        let (started_at, uuid) = clock.stamped();
        let id = NodeId(uuid);
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { id, beat: Beat { node: id, name, version, address, started_at }, store, lasts }
    }

    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Tells that it lives until told to stop; then gives back everything it holds.
    pub async fn live(self, stop: CancellationToken) {
        let mut beats = tokio::time::interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = beats.tick() => {}
            }
            if let Err(error) = self.store.beat(self.beat.clone(), FORGET_AFTER).await {
                tracing::debug!(%error, "the other gateways cannot be told that this one lives");
            }
        }
        if let Err(error) = self.store.leave(self.id).await {
            tracing::warn!(%error, "what this gateway held is free only when its leases have run out");
        }
    }

    /// Does `work` whenever this gateway holds the lease `name`, and drops it as soon as the lease may be another's. `work`
    /// is given the fencing token; when it ends by itself it is begun anew, with a pause.
    pub async fn while_held<F, W>(&self, name: &str, stop: &CancellationToken, work: F)
    where
        F: Fn(i64) -> W + Send,
        W: Future<Output = ()> + Send,
    {
        let every = self.lasts / RENEWALS;
        loop {
            let asked = Instant::now();
            match self.store.lease(name, self.id, self.lasts).await {
                Ok(Some(fence)) => {
                    tracing::debug!(name, fence, "holding");
                    let held = Held { node: self, name, fence, until: asked + self.lasts, every };
                    if held.during(work(fence), stop).await {
                        self.give_back(name).await;
                        if stop.is_cancelled() {
                            return;
                        }
                    } else {
                        tracing::warn!(name, "the lease was lost: another gateway may do it by now");
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(name, %error, "the lease cannot be asked for"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    async fn give_back(&self, name: &str) {
        if let Err(error) = self.store.release(name, self.id).await {
            tracing::debug!(name, %error, "the lease was not given back: it runs out");
        }
    }
}

/// A lease while it lasts.
struct Held<'a> {
    node: &'a Node,
    name: &'a str,
    fence: i64,
    /// By our own clock, counted from before the database was asked: never later than by the database's.
    until: Instant,
    every: Duration,
}

impl Held<'_> {
    /// Works while the lease is renewed. `false`: it was lost.
    async fn during(mut self, work: impl Future<Output = ()>, stop: &CancellationToken) -> bool {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return true,
                () = tokio::time::sleep(self.every) => {}
                () = &mut work => return true,
            }
            // The work goes on while the database is asked.
            let asked = Instant::now();
            let renewing = self.node.store.lease(self.name, self.node.id, self.node.lasts);
            let renewed = tokio::select! {
                biased;
                renewed = renewing => renewed,
                () = tokio::time::sleep_until(self.until) => return false,
                () = &mut work => return true,
            };
            match renewed {
                Ok(Some(fence)) if fence == self.fence => self.until = asked + self.node.lasts,
                Err(error) if Instant::now() < self.until => tracing::debug!(self.name, %error, "the lease was not renewed"),
                Ok(_) | Err(_) => return false,
            }
        }
    }
}
