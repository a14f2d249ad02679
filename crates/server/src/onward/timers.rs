//! What is due at a time: nobody took a lead, a source fell silent, a digest.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use leadgate_core::ids::{ContactId, LeadId, SourceId};
use leadgate_core::liveness::SILENT_AT;
use leadgate_core::onward::{
    Alarm, CALL_QUIET, CALL_UNRETURNED, CONTACT_WAITING, Detail, EventData, LEAD_WAITING, NewTimer, News, Pattern, Recipient,
    Route, Routes, Timer, TimerEnd, event,
};
use leadgate_core::ports::{Store, StoreError};
use leadgate_core::views::SourceHealth;
use tokio_util::sync::CancellationToken;

use super::{calls, canary};
use crate::app::{Gateway, Live};

/// Whether a source is silent; the key is its id.
const SILENCE: &str = "source.silence";
/// A digest; the key is [`Recipient`]'s text.
const DIGEST: &str = "digest";
/// What is due is seen after this time at the latest.
const POLL: Duration = Duration::from_secs(1);
/// Timers settled at once.
const MOST: u32 = 256;
/// Timers that should be there are looked for so often.
const SET_EVERY: Duration = Duration::from_mins(1);
/// A source is looked at again after so long at the latest, and at the earliest.
const LOOK_AT_LATEST: SignedDuration = SignedDuration::from_mins(15);
const LOOK_AT_EARLIEST: SignedDuration = SignedDuration::from_mins(1);

/// Lets what is due happen, until told to stop. Any gateway of several may: a timer fires once.
pub async fn run(gateway: Arc<Gateway>, store: Arc<dyn Store>, stop: CancellationToken) {
    let mut set: Option<tokio::time::Instant> = None;
    loop {
        let now = tokio::time::Instant::now();
        if set.is_none_or(|set| now.duration_since(set) >= SET_EVERY) {
            set = Some(now);
            if let Err(error) = set_timers(&gateway, &*store).await {
                tracing::warn!(%error, "timers cannot be set");
            }
        }
        let fired = fire(&gateway, &*store).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is due waits for the database");
            0
        });
        let pause = if fired == MOST as usize { Duration::ZERO } else { POLL };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Sets the timers of sources, canaries and digests; those that are set stay.
async fn set_timers(gateway: &Gateway, store: &dyn Store) -> Result<(), StoreError> {
    let (live, now) = (gateway.live(), gateway.clock.now());
    let ids = live.sources.iter().map(|source| &source.id).chain(live.pulls.iter().map(|pull| &pull.id));
    let expected = ids.filter(|id| live.expects(id));
    let silence = |id: &SourceId| NewTimer { kind: SILENCE, key: id.to_string(), due_at: now, source: Some(id.clone()) };
    let mut timers: Vec<NewTimer> = expected.map(silence).collect();
    for source in live.onward.canaries.keys().filter(|source| live.expects(source)) {
        timers.push(NewTimer { kind: canary::DUE, key: source.to_string(), due_at: now, source: Some(source.clone()) });
    }
    for digest in &live.digests {
        timers.push(NewTimer { kind: DIGEST, key: digest.to.to_string(), due_at: digest.next_after(now), source: None });
    }
    store.set_timers(timers).await
}

/// Lets happen what is due. How much was.
async fn fire(gateway: &Gateway, store: &dyn Store) -> Result<usize, StoreError> {
    let now = gateway.clock.now();
    let due = store.due_timers(now, MOST).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let live = gateway.live();
    let health = if due.iter().any(|timer| timer.kind == SILENCE) { store.health(now).await? } else { Vec::new() };
    let count = due.len();
    let mut ends = Vec::with_capacity(count);
    for timer in due {
        ends.push(match timer.kind.as_str() {
            LEAD_WAITING | CONTACT_WAITING => waiting(gateway, &live, timer, now),
            CALL_QUIET => calls::quiet(gateway, &live, store, timer, now).await?,
            CALL_UNRETURNED => calls::unreturned(gateway, &live, store, timer, now).await?,
            SILENCE => silence(gateway, &live, store, &health, timer, now).await?,
            canary::DUE => canary::due(gateway, &live, store, timer, now).await?,
            canary::EXPECTED => canary::lost(gateway, &live, store, timer, now).await?,
            DIGEST => digest(gateway, &live, timer, now),
            // Of a newer gateway: it is not for this one to take away.
            _ => continue,
        });
    }
    store.settle_timers(ends).await?;
    Ok(count)
}

/// Nobody took it in time.
fn waiting(gateway: &Gateway, live: &Live, timer: Timer, now: Timestamp) -> TimerEnd {
    let number: Option<i64> = timer.key.parse().ok();
    let (name, data) = if timer.kind == LEAD_WAITING {
        (event::LEAD_WAITING, EventData { lead: number.map(LeadId), ..EventData::default() })
    } else {
        (event::CONTACT_WAITING, EventData { contact: number.map(ContactId), ..EventData::default() })
    };
    let routes = Arc::clone(&live.rules.routes);
    let news = News { id: gateway.clock.event(), name, at: now, source: timer.source.clone(), data, routes };
    TimerEnd { timer, again: None, news: Some(news) }
}

// --------------------------------------------------------------------------------------------------------------- silence

/// Looks whether a source is silent, or missed, and when to look again.
async fn silence(
    gateway: &Gateway,
    live: &Live,
    store: &dyn Store,
    health: &[SourceHealth],
    timer: Timer,
    now: Timestamp,
) -> Result<TimerEnd, StoreError> {
    let expected = SourceId::parse(&timer.key).ok().filter(|id| live.expects(id));
    let Some(source) = expected else {
        // It is switched off, or gone: nothing is wrong with it any more.
        for name in [event::SOURCE_SILENT, event::SOURCE_MISSED] {
            store.clear(name, &timer.key, None).await?;
        }
        return Ok(TimerEnd { timer, again: None, news: None });
    };
    let health = health.iter().find(|health| health.source == source);
    let tells = Tells { gateway, live, store, source: &source, now };
    let usual = health.and_then(|health| health.usual);
    let silent = usual.is_some_and(|usual| usual.is_silent());
    let heard = health.and_then(|health| health.last_accepted.max(health.last_rejected));
    tells.alarm(silent.then_some(heard.unwrap_or(now)), None, (event::SOURCE_SILENT, Some(event::SOURCE_HEARD))).await?;
    let broken = health.and_then(|health| health.broken);
    tells.alarm(broken.map(|broken| broken.since), broken.map(|broken| broken.missed), (event::SOURCE_MISSED, None)).await?;
    let again = match usual {
        // So much more has to be missing, and comes at this pace.
        Some(usual) if usual.this_hour > 0.0 && !silent => {
            SignedDuration::try_from_secs_f64((SILENT_AT - usual.since_heard).max(0.0) / usual.this_hour * 3600.0)
                .unwrap_or(LOOK_AT_LATEST)
        }
        _ => LOOK_AT_LATEST,
    };
    let again = now.saturating_add(again.clamp(LOOK_AT_EARLIEST, LOOK_AT_LATEST)).unwrap_or(Timestamp::MAX);
    Ok(TimerEnd { timer, again: Some(again), news: None })
}

/// Raises and clears alarms of one source.
struct Tells<'a> {
    gateway: &'a Gateway,
    live: &'a Live,
    store: &'a dyn Store,
    source: &'a SourceId,
    now: Timestamp,
}

impl Tells<'_> {
    /// `since`: it stands since then; none: it does not. `names`: of the events that tell of it, and of its end.
    async fn alarm(
        &self,
        since: Option<Timestamp>,
        count: Option<u64>,
        names: (&'static str, Option<&'static str>),
    ) -> Result<(), StoreError> {
        let (routes, key) = (&self.live.rules.routes, self.source.to_string());
        let source = Some(self.source.clone());
        let Some(since) = since else {
            let detail = Detail { source: source.clone(), ..Detail::default() };
            let news = names.1.map(|name| self.gateway.news(name, source, detail, self.now, routes));
            return self.store.clear(names.0, &key, news).await.map(|_| ());
        };
        let detail = Detail { source: source.clone(), since: Some(since), count, ..Detail::default() };
        let news = self.gateway.news(names.0, source, detail.clone(), self.now, routes);
        self.store.raise(Alarm { name: names.0, key, since, detail }, news).await.map(|_| ())
    }
}

// --------------------------------------------------------------------------------------------------------------- digests

/// A digest somebody gets every day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Who.
    pub to: Recipient,
    /// When, where they are.
    pub at: Time,
    /// Where they are.
    pub zone: TimeZone,
}

impl Digest {
    /// The next time after this moment. A time of day that a change of clocks skips is as much later; of one that comes twice it
    /// is the first.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        let today = now.to_zoned(self.zone.clone()).date();
        let on = |days: i64| {
            let day = today.checked_add(days.days()).ok()?;
            day.to_datetime(self.at).to_zoned(self.zone.clone()).ok().map(|at| at.timestamp())
        };
        // Only at the end of time is there no next day.
        on(0).filter(|at| *at > now).or_else(|| on(1)).unwrap_or(Timestamp::MAX)
    }
}

fn digest(gateway: &Gateway, live: &Live, timer: Timer, now: Timestamp) -> TimerEnd {
    let to = Recipient::parse(&timer.key);
    let Some(digest) = live.digests.iter().find(|digest| digest.to == to) else {
        return TimerEnd { timer, again: None, news: None };
    };
    let route = Route {
        target: "mail".into(),
        recipient: to,
        events: vec![Pattern::One(event::DIGEST_DUE.to_owned())],
        sources: None,
        ordered: false,
    };
    let routes = Arc::new(Routes::new(vec![route]));
    let news = gateway.news(event::DIGEST_DUE, None, Detail::default(), now, &routes);
    TimerEnd { timer, again: Some(digest.next_after(now)), news: Some(news) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_comes_once_a_day_whatever_the_clocks_do() {
        let digest = |at: &str| Digest {
            to: Recipient::Responsible,
            at: at.parse().unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        let next = |at: &str, now: &str| digest(at).next_after(now.parse().unwrap()).to_string();
        assert_eq!(next("08:00", "2026-11-21T06:59:59Z"), "2026-11-21T07:00:00Z");
        assert_eq!(next("08:00", "2026-11-21T07:00:00Z"), "2026-11-22T07:00:00Z");
        // 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
        assert_eq!(next("02:30", "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(next("02:30", "2026-03-29T01:30:00Z"), "2026-03-30T00:30:00Z");
        assert_eq!(next("02:30", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("02:30", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    }
}
