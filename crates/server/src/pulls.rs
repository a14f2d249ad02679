//! Sources the gateway asks: each is read by the one gateway that holds its lease, begun anew with backoff when it stops.

mod desk;
mod feed;

use std::sync::Arc;
use std::time::Duration;

use leadgate_core::ports::{Feed as _, PullError, source_lease};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::desk::{Desk, Told};
use self::feed::Bound;
use crate::app::{Gateway, LivePull};
use crate::nodes::Node;

/// The longest first pause after trouble; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after trouble that may pass.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A source that was read for so long was well: the next trouble is a new one.
const WELL_AFTER: Duration = Duration::from_mins(2);
/// The pause after the account was refused, or the source cannot work as configured: who tries often is locked out.
const REFUSED_PAUSE: Duration = Duration::from_mins(15);

/// Reads every source that is to be asked, as configured now and after each reload, until told to stop.
pub async fn run(gateway: Arc<Gateway>, node: Node, stop: CancellationToken) {
    loop {
        let reloaded = gateway.reloaded();
        let live = gateway.live();
        let generation = stop.child_token();
        let tasks = TaskTracker::new();
        for pull in live.pulls.iter().filter(|pull| pull.enabled) {
            let (gateway, node, generation, pull) = (Arc::clone(&gateway), node.clone(), generation.clone(), Arc::clone(pull));
            tasks.spawn(async move {
                let lease = source_lease(&pull.id);
                node.while_held(&lease, &generation, |fence| read(&gateway, &pull, fence)).await;
            });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = reloaded => {}
        }
        generation.cancel();
        tasks.close();
        tasks.wait().await;
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Reads one source for as long as it is ours.
async fn read(gateway: &Gateway, pull: &LivePull, fence: i64) {
    let feed = Bound::new(gateway, pull, fence);
    tokio::select! {
        () = again_and_again(pull, &feed) => {}
        () = feed.keep_books() => {}
    }
}

async fn again_and_again(pull: &LivePull, feed: &Bound<'_>) {
    let mut longest = FIRST_PAUSE;
    loop {
        let begun = tokio::time::Instant::now();
        let error = match pull.pull.run(feed).await {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(source = %pull.id, error = &error as &dyn std::error::Error, "reading a source stopped; it is tried again");
        if begun.elapsed() > WELL_AFTER {
            longest = FIRST_PAUSE;
        }
        tokio::time::sleep(pause(&error, longest, feed.random())).await;
        longest = (longest * 2).min(LONGEST_PAUSE);
    }
}

/// How long to wait after trouble. Any part of the longest pause, so that sources that failed together do not come back together.
fn pause(error: &PullError, longest: Duration, random: u64) -> Duration {
    match error {
        PullError::Transient(_) => {
            longest.mul_f64(f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX))
        }
        PullError::Auth(_) | PullError::Fatal(_) => REFUSED_PAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_any_part_of_the_longest_but_after_a_refusal() {
        let trouble = || PullError::Transient("no line".into());
        assert_eq!(pause(&trouble(), LONGEST_PAUSE, 0), Duration::ZERO);
        assert_eq!(pause(&trouble(), LONGEST_PAUSE, u64::MAX), LONGEST_PAUSE);
        let half = pause(&trouble(), LONGEST_PAUSE, u64::MAX / 2);
        assert!(half > Duration::from_secs(149) && half < Duration::from_secs(151), "{half:?}");
        for error in [PullError::Auth("no".into()), PullError::Fatal("no".into())] {
            assert_eq!(pause(&error, FIRST_PAUSE, 0), REFUSED_PAUSE);
        }
    }
}
