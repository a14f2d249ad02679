//! What the gateway notices of itself and of what it reads: told once, until it is over.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{Alarm, Detail, event};
use leadgate_core::ports::{PullReport, PullState, Store, StoreError};

use super::managers;
use crate::app::Gateway;
use crate::tls::FEW_DAYS;

/// A source that could not be read for so long is told of.
const DOWN_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Clocks that differ by more are told of.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(30);

/// That a source's clock is wrong stands for so long after it was seen.
const CLOCK_TOLD_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What the clock said, and how long ago that is by another that is never set.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<(Timestamp, Instant)>>);

impl Watch {
    /// By how much the clock was set since the last look.
    fn set_by(&self, now: Timestamp, passed: Instant) -> SignedDuration {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by = last.map_or(SignedDuration::ZERO, |(then, began)| {
            let really = SignedDuration::try_from(passed.duration_since(began)).unwrap_or(SignedDuration::MAX);
            now.duration_since(then).saturating_sub(really)
        });
        *last = Some((now, passed));
        by
    }
}

/// Looks at everything; done now and then by every gateway, for each has a disk and a clock of its own.
pub async fn look(gateway: &Gateway, store: &dyn Store, keeps_house: bool) -> Result<(), StoreError> {
    let (live, now) = (gateway.live(), gateway.clock.now());
    let looking = Looking { gateway, store, now };
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    looking.alarm(event::DISK_LOW, &machine, gateway.space.is_low().then_some(now), Detail::default(), None).await?;
    let certificate = gateway.certificate().filter(|certificate| certificate.days_left < FEW_DAYS);
    let days = certificate.map(|certificate| (now, certificate.days_left.max(0).unsigned_abs()));
    let detail = Detail { count: days.map(|(_, days)| days), ..Detail::default() };
    looking.alarm(event::CERTIFICATE_EXPIRING, &machine, days.map(|(since, _)| since), detail, None).await?;
    looking.clock(&machine).await?;
    if keeps_house {
        looking.clocks_of_sources().await?;
        managers::forget(gateway, store).await?;
        for note in store.source_notes().await? {
            let configured = live.pulls.iter().any(|pull| pull.id == note.source && pull.enabled);
            let report = note.report.filter(|_| configured).unwrap_or_default();
            looking.source(&note.source, &report, configured).await?;
        }
    }
    Ok(())
}

/// A source's calls are signed as they should be, at a time that is not now: its clock or ours is wrong.
pub async fn wrong_clock(gateway: &Gateway, source: &SourceId, words: &str) {
    let Some(store) = gateway.store().await else { return };
    let looking = Looking { gateway, store: &**store, now: gateway.clock.now() };
    let detail = Detail { source: Some(source.clone()), words: words.to_owned(), ..Detail::default() };
    if let Err(error) = looking.alarm(event::CLOCK_WRONG, source.as_str(), Some(looking.now), detail, None).await {
        tracing::warn!(%source, %error, "that a clock is wrong cannot be told");
    }
}

struct Looking<'a> {
    gateway: &'a Gateway,
    store: &'a dyn Store,
    now: Timestamp,
}

impl Looking<'_> {
    /// `since`: it is so; none: it is not. `over`: the event that tells of its end.
    async fn alarm(
        &self,
        name: &'static str,
        key: &str,
        since: Option<Timestamp>,
        detail: Detail,
        over: Option<&'static str>,
    ) -> Result<(), StoreError> {
        let routes = &self.gateway.live().rules.routes;
        let source = detail.source.clone();
        let Some(since) = since else {
            let news = over.map(|over| self.gateway.news(over, source, detail, self.now, routes));
            return self.store.clear(name, key, news).await.map(|_| ());
        };
        let detail = Detail { since: Some(since), ..detail };
        let news = self.gateway.news(name, source, detail.clone(), self.now, routes);
        let alarm = Alarm { name, key: key.to_owned(), since, detail };
        self.store.raise(alarm, news).await.map(|_| ())
    }

    /// Whether the clocks of sources are still wrong is told anew by what they send.
    async fn clocks_of_sources(&self) -> Result<(), StoreError> {
        for alarm in self.store.alarms().await? {
            let stale = self.now.duration_since(alarm.since) >= CLOCK_TOLD_FOR;
            if alarm.name == event::CLOCK_WRONG && alarm.detail.source.is_some() && stale {
                self.store.clear(event::CLOCK_WRONG, &alarm.key, None).await?;
            }
        }
        Ok(())
    }

    async fn clock(&self, machine: &str) -> Result<(), StoreError> {
        let set_by = self.gateway.watch.set_by(self.now, Instant::now());
        let differs = self.differs_by(machine).await?;
        let wrong = |by: SignedDuration| by.abs() > CLOCKS_DIFFER;
        if wrong(set_by) {
            // It is over at once; what is due may have come too early or too late.
            let detail =
                Detail { count: Some(set_by.abs().as_secs().unsigned_abs()), words: machine.to_owned(), ..Detail::default() };
            let routes = &self.gateway.live().rules.routes;
            self.store.tell(self.gateway.news(event::CLOCK_WRONG, None, detail, self.now, routes)).await?;
        }
        let differs = differs.filter(|by| wrong(*by));
        let detail =
            Detail { count: differs.map(|by| by.abs().as_secs().unsigned_abs()), words: machine.to_owned(), ..Detail::default() };
        self.alarm(event::CLOCK_WRONG, machine, differs.map(|_| self.now), detail, None).await
    }

    /// By how much this machine's clock is before the database's, as far as the last beat tells; within two seconds.
    async fn differs_by(&self, machine: &str) -> Result<Option<SignedDuration>, StoreError> {
        let nodes = self.store.nodes().await?;
        let own = nodes.iter().filter(|node| node.name == machine).max_by_key(|node| node.seen_at);
        Ok(own.map(|node| {
            let quiet = SignedDuration::from_secs(i64::try_from(node.quiet_s).unwrap_or(i64::MAX));
            self.now.duration_since(node.seen_at).saturating_sub(quiet)
        }))
    }

    /// A source that cannot be read.
    async fn source(&self, id: &SourceId, report: &PullReport, configured: bool) -> Result<(), StoreError> {
        let since = report.heard_at.unwrap_or(self.gateway.started_at);
        let failing = match report.state {
            PullState::Refused => true,
            PullState::Down => self.now.duration_since(since) >= DOWN_FOR,
            // On the way: whatever was said before still stands.
            PullState::Connecting if configured => return Ok(()),
            PullState::Connecting | PullState::Reading | PullState::Watching => false,
        };
        let detail = Detail { source: Some(id.clone()), words: report.words.clone(), ..Detail::default() };
        let over = configured.then_some(event::SOURCE_RECOVERED);
        self.alarm(event::SOURCE_FAILED, id.as_str(), failing.then_some(since), detail, over).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed() {
        let (watch, begin) = (Watch::default(), Instant::now());
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
        let look = |second, passed| watch.set_by(at(second), begin + Duration::from_secs(passed)).as_secs();
        assert_eq!(look(0, 0), 0);
        assert_eq!(look(60, 60), 0);
        assert_eq!(look(3720, 120), 3600, "forward");
        assert_eq!(look(180, 180), -3600, "back");
        assert_eq!(look(240, 240), 0);
    }
}
