//! Delivers what is owed: claims what is due, hands it to its target, and writes what became of it.
//!
//! One loop decides; deliveries, one claim and one writing of ends run beside it, so that a delivery begins as soon as another has
//! ended, and whatever ends during a commit shares the next. Each target has its own room and its own breaker, so that one that is
//! dead or slow delays no other. No transaction is held across a delivery.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::NodeId;
use leadgate_core::onward::{
    Alarm, Brief, BriefOf, Claim, Detail, EventData, Job, JobEnd, News, Recipient, Settled, Want, event,
};
use leadgate_core::ports::{Deliver, DeliverError, Delivered, Parcel, Store, StoreError};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, pause_after};
use super::mailing::not_passed_on;
use super::{Target, TargetView, target};
use crate::app::Gateway;
use crate::metrics;
use crate::nodes::SILENT_AFTER;

/// What was committed elsewhere, or by a person, is seen after this time at the latest.
const POLL: Duration = Duration::from_secs(1);
/// Claims of gateways that are no more are looked for so often.
const LOOK_ROUND: Duration = Duration::from_secs(10);
/// A claim lasts for two deliveries, one after the other, and so much longer.
const MARGIN: Duration = Duration::from_secs(20);
/// What was given up is told of so often at most, for each target.
const DEAD_TOLD_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Deliveries whose time is over are looked for so often.
const BURY_EVERY: Duration = Duration::from_mins(1);
/// What is owed to a target that is not in the configuration any more waits this long for it to come back.
const ORPHANS_WAIT: SignedDuration = SignedDuration::from_hours(24 * 7);
/// After a stop, what is under way gets this long.
const LAST_DELIVERIES: Duration = Duration::from_secs(4);
/// After trouble with the database.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// Delivers until told to stop, as configured now and after each reload.
pub async fn run(gateway: Arc<Gateway>, node: NodeId, store: Arc<dyn Store>, stop: CancellationToken) {
    let installation = loop {
        match store.installation().await {
            Ok(installation) => break installation,
            Err(error) => tracing::warn!(%error, "what is owed waits for the database"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TROUBLE_PAUSE) => {}
        }
    };
    let mut worker = Worker {
        gateway,
        node,
        store,
        installation,
        targets: BTreeMap::new(),
        under_way: JoinSet::new(),
        claiming: JoinSet::new(),
        writing: JoinSet::new(),
        ends: Ends::default(),
        last: Looked::default(),
    };
    worker.configure();
    worker.work(&stop).await;
    worker.finish().await;
}

/// When something was last looked for.
#[derive(Default)]
struct Looked {
    round: Option<Instant>,
    freed: Option<Instant>,
    buried: Option<Instant>,
}

struct Worker {
    gateway: Arc<Gateway>,
    node: NodeId,
    store: Arc<dyn Store>,
    installation: uuid::Uuid,
    targets: BTreeMap<String, Running>,
    under_way: JoinSet<Ended>,
    /// One at most.
    claiming: JoinSet<Claimed>,
    /// One at most; whether another job may have waited for what is written.
    writing: JoinSet<bool>,
    /// Not yet written.
    ends: Ends,
    last: Looked,
}

/// A job, and how its delivery ended.
type Ended = (Job, Result<Delivered, DeliverError>);

/// What was claimed, and what is to be told of it.
#[derive(Default)]
struct Claimed {
    jobs: Vec<Job>,
    briefs: Vec<Brief>,
    /// There may be more.
    more: bool,
}

/// How deliveries ended.
#[derive(Default)]
struct Ends {
    settled: Vec<Settled>,
    /// What follows from them.
    news: Vec<News>,
    /// Another job may wait for one of them.
    frees: bool,
}

/// A target at work.
struct Running {
    target: Target,
    breaker: Breaker,
    /// Claimed, and not begun.
    waiting: VecDeque<Parcel>,
    under_way: usize,
    /// Whether the alarm stands; not known after a start.
    alarm: Option<bool>,
    /// It has taken something since then.
    answers: bool,
    /// Given up and not told, and when that was told last.
    dead: u64,
    dead_told: Option<Timestamp>,
}

impl Running {
    fn new(target: Target) -> Self {
        let (breaker, waiting) = (Breaker::default(), VecDeque::new());
        Self { target, breaker, waiting, under_way: 0, alarm: None, answers: false, dead: 0, dead_told: None }
    }

    /// How many more may be claimed: as many as may be under way, and as many again, so that nobody waits for a claim. Not a few
    /// at a time.
    fn room(&self, now: Timestamp) -> usize {
        let most = self.breaker.allows(self.target.at_once, now);
        let taken = self.waiting.len() + self.under_way;
        let room = if most > 1 { (2 * most).saturating_sub(taken) } else { most.saturating_sub(taken) };
        if room * 2 >= most { room } else { 0 }
    }
}

impl Worker {
    /// Takes the targets of the configuration; those that stay keep what is known of them.
    fn configure(&mut self) {
        let mut before = std::mem::take(&mut self.targets);
        for target in target::all(&self.gateway) {
            let running = match before.remove(&target.name) {
                // A person has been at the configuration: perhaps it works now.
                Some(running) => Running { target, breaker: Breaker::default(), ..running },
                None => Running::new(target),
            };
            self.targets.insert(running.target.name.clone(), running);
        }
        self.gateway.onward.keep(|name| self.targets.contains_key(name));
        let now = self.gateway.clock.now();
        for running in self.targets.values() {
            self.gateway.onward.tell(view(running, now));
        }
    }

    async fn work(&mut self, stop: &CancellationToken) {
        // Whether something may be due, and whether the last claim left something behind.
        let (mut due, mut more) = (true, true);
        let mut looked = Instant::now();
        let gateway = Arc::clone(&self.gateway);
        let mut reloaded = std::pin::pin!(gateway.reloaded());
        loop {
            if due && self.claiming.is_empty() {
                due = false;
                // Where there is no room now, there may be more when there is.
                more |= !self.claim();
            }
            self.begin();
            self.write_ends();
            let look_at = looked + self.wait();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // However much there is to do.
                () = tokio::time::sleep_until(look_at) => {
                    due |= self.look().await;
                    looked = Instant::now();
                }
                Some(written) = self.writing.join_next() => {
                    due |= written.unwrap_or_default();
                    self.tell_alarms(gateway.clock.now()).await;
                }
                Some(claimed) = self.claiming.join_next() => {
                    let claimed = claimed.unwrap_or_default();
                    more = claimed.more;
                    self.take_on(claimed);
                }
                Some(ended) = self.under_way.join_next() => {
                    self.settle(ended);
                    due |= more;
                }
                () = gateway.intake.writes().committed() => due = true,
                () = gateway.onward.asked() => {
                    for target in gateway.onward.to_ask() {
                        if let Some(running) = self.targets.get_mut(&target) {
                            running.breaker = Breaker::default();
                        }
                    }
                    due = true;
                }
                () = &mut reloaded => {
                    reloaded.set(gateway.reloaded());
                    self.configure();
                    due = true;
                }
            }
        }
    }

    /// How long after the last look to look again.
    fn wait(&self) -> Duration {
        let now = self.gateway.clock.now();
        let opens = self.targets.values().filter_map(|running| running.breaker.opens_at(now)).min();
        let opens = opens.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        opens.unwrap_or(POLL).clamp(Duration::from_millis(10), POLL)
    }

    /// Whether something is due. What takes longer is done now and then.
    async fn look(&mut self) -> bool {
        let (now, begun) = (self.gateway.clock.now(), Instant::now());
        if is_time(&mut self.last.buried, BURY_EVERY, begun) {
            self.bury(now).await;
        }
        self.tell_alarms(now).await;
        if is_time(&mut self.last.round, LOOK_ROUND, begun) {
            return true;
        }
        let open = self.targets.values().filter(|running| running.room(now) > 0);
        let names: Vec<String> = open.map(|running| running.target.name.clone()).collect();
        if names.is_empty() {
            return false;
        }
        match self.store.next_job(names).await {
            Ok(next) => next.is_some_and(|next| next <= now),
            Err(error) => {
                tracing::debug!(%error, "whether something is owed cannot be seen");
                false
            }
        }
    }

    /// Begins to claim what there is room for. `false`: there is none.
    fn claim(&mut self) -> bool {
        let now = self.gateway.clock.now();
        let mut wants = Vec::new();
        for running in self.targets.values() {
            let most = u32::try_from(running.room(now)).unwrap_or(u32::MAX);
            if most > 0 {
                wants.push(Want { target: running.target.name.clone(), most });
            }
        }
        if wants.is_empty() {
            return false;
        }
        let longest = self.targets.values().map(|running| running.target.longest).max().unwrap_or_default();
        let frees = is_time(&mut self.last.freed, LOOK_ROUND, Instant::now());
        let claim = Claim { node: self.node, now, lasts: longest * 2 + MARGIN, silence: SILENT_AFTER, frees };
        let store = Arc::clone(&self.store);
        self.claiming.spawn(async move {
            match claimed(&*store, wants, claim).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "what is owed waits for the database");
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                    Claimed::default()
                }
            }
        });
        true
    }

    /// Puts what was claimed in line.
    fn take_on(&mut self, claimed: Claimed) {
        let now = self.gateway.clock.now();
        for (job, brief) in claimed.jobs.into_iter().zip(claimed.briefs) {
            if let Some(running) = self.targets.get_mut(&job.target) {
                running.waiting.push_back(Parcel { job, installation: self.installation, brief, now });
            }
        }
    }

    /// Begins what there is room for.
    fn begin(&mut self) {
        let now = self.gateway.clock.now();
        for running in self.targets.values_mut() {
            while running.under_way < running.breaker.allows(running.target.at_once, now)
                && let Some(parcel) = running.waiting.pop_front()
            {
                running.under_way += 1;
                let (deliver, longest) = (Arc::clone(&running.target.deliver), running.target.longest);
                let parcel = Parcel { now, ..parcel };
                self.under_way.spawn(async move {
                    let begun = Instant::now();
                    let outcome = attempt(&*deliver, &parcel, longest).await;
                    metrics::delivered(&parcel.job.target, outcome_name(&outcome), begun.elapsed());
                    (parcel.job, outcome)
                });
            }
        }
    }

    /// Takes note of how deliveries ended: this one and whatever else has ended meanwhile.
    fn settle(&mut self, first: Result<Ended, tokio::task::JoinError>) {
        let now = self.gateway.clock.now();
        let mut ended = Some(first);
        while let Some(one) = ended {
            match one {
                Ok((job, outcome)) => {
                    self.ends.frees |= self.targets.get(&job.target).is_some_and(|running| running.target.ordered);
                    let settled = self.ended(&job, outcome, now);
                    self.ends.settled.extend(settled);
                }
                // Only at the end of the process; its claim runs out, and it is tried again.
                Err(error) => tracing::error!(%error, "a delivery was stopped"),
            }
            ended = self.under_way.try_join_next();
        }
        let back = self.put_back(now);
        self.ends.settled.extend(back);
    }

    /// Begins to write what has ended, unless something is being written: then it goes with the next.
    fn write_ends(&mut self) {
        if self.ends.settled.is_empty() || !self.writing.is_empty() {
            return;
        }
        let Ends { settled, mut news, frees } = std::mem::take(&mut self.ends);
        news.extend(self.dead_news(self.gateway.clock.now()));
        let store = Arc::clone(&self.store);
        self.writing.spawn(async move {
            write(&*store, settled, news).await;
            frees
        });
    }

    /// What is to be written of one delivery.
    fn ended(&mut self, job: &Job, outcome: Result<Delivered, DeliverError>, now: Timestamp) -> Option<Settled> {
        let running = self.targets.get_mut(&job.target)?;
        running.under_way = running.under_way.saturating_sub(1);
        let random = self.gateway.clock.uuid().as_u64_pair().1;
        let later = |after| now.saturating_add(pause_after(job.attempt, after, random)).unwrap_or(Timestamp::MAX);
        let late = running.target.dead_before(now) > job.since;
        let (end, words) = match outcome {
            Ok(delivered) => {
                running.breaker.succeeded();
                running.answers = true;
                (JobEnd::Done(delivered.refs), delivered.words)
            }
            Err(DeliverError::Quiet { until }) => (JobEnd::Postponed(until), "quiet hours".to_owned()),
            Err(DeliverError::Refused { words } | DeliverError::NoRecipient { words }) => {
                // It answers: nothing is wrong with it.
                running.breaker.succeeded();
                (JobEnd::Dead, words)
            }
            Err(DeliverError::Later { words, after }) => (JobEnd::Retry(later(after)), words),
            Err(DeliverError::Unavailable { words, after }) => {
                running.breaker.failed(now, after, &words, random);
                (JobEnd::Retry(later(after)), words)
            }
            Err(DeliverError::Gone { words }) => {
                running.breaker.gone(now, &words);
                (JobEnd::Retry(later(None)), words)
            }
        };
        // A reply is given up where that is kept with it, see [`leadgate_core::onward::Outbox::bury_jobs`].
        let dies = late && matches!(end, JobEnd::Retry(_)) && job.recipient != Recipient::Reply;
        let end = if dies { JobEnd::Dead } else { end };
        // What tells of trouble with deliveries makes no more of it; of a canary its absence tells.
        let tells = [event::DELIVERY_DEAD, event::WEBHOOK_BROKEN, event::CANARY_DUE];
        if end == JobEnd::Dead && !tells.contains(&job.name.as_str()) {
            running.dead += 1;
        }
        if end == JobEnd::Dead && job.recipient == Recipient::Relay {
            self.ends.news.push(not_passed_on(&self.gateway, job, &words, now));
        }
        tracing::debug!(target = job.target, job = %job.id, attempt = job.attempt, words, "a delivery ended");
        self.gateway.onward.tell(view(running, now));
        Some(Settled { seq: job.seq, attempt: job.attempt, at: now, end, words })
    }

    /// Claimed jobs of targets that are left alone now are others' to claim.
    fn put_back(&mut self, now: Timestamp) -> Vec<Settled> {
        let mut back = Vec::new();
        for running in self.targets.values_mut().filter(|running| running.breaker.allows(1, now) == 0) {
            for Parcel { job, .. } in running.waiting.drain(..) {
                let words = String::new();
                back.push(Settled { seq: job.seq, attempt: job.attempt, at: now, end: JobEnd::Postponed(now), words });
            }
        }
        back
    }

    /// What was given up, target by target, unless that was told a moment ago.
    fn dead_news(&mut self, now: Timestamp) -> Vec<News> {
        let routes = Arc::clone(&self.gateway.live().rules.routes);
        let mut news = Vec::new();
        for running in self.targets.values_mut().filter(|running| running.dead > 0) {
            if running.dead_told.is_some_and(|told| now.duration_since(told) < DEAD_TOLD_EVERY) {
                continue;
            }
            let detail = Detail {
                target: Some(running.target.name.clone()),
                count: Some(std::mem::take(&mut running.dead)),
                ..Detail::default()
            };
            running.dead_told = Some(now);
            news.push(self.gateway.news(event::DELIVERY_DEAD, None, detail, now, &routes));
        }
        news
    }

    async fn bury(&mut self, now: Timestamp) {
        let targets = self.targets.values().map(|running| running.target.for_store(now)).collect();
        let orphans_before = now.saturating_sub(ORPHANS_WAIT).unwrap_or(Timestamp::MIN);
        let routes = Arc::clone(&self.gateway.live().rules.routes);
        match self.store.bury_jobs(targets, orphans_before, now, routes).await {
            Ok(late) => {
                for one in late {
                    tracing::warn!(target = one.target, count = one.count, "deliveries were given up: their time was over");
                    if let Some(running) = self.targets.get_mut(&one.target) {
                        running.dead += one.count;
                    }
                }
                let news = self.dead_news(now);
                if !news.is_empty() {
                    write(&*self.store, Vec::new(), news).await;
                }
            }
            Err(error) => tracing::warn!(%error, "deliveries whose time is over cannot be given up"),
        }
    }

    /// Tells of targets that take nothing, and of those that do again.
    async fn tell_alarms(&mut self, now: Timestamp) {
        let gateway = Arc::clone(&self.gateway);
        let routes = Arc::clone(&gateway.live().rules.routes);
        for running in self.targets.values_mut() {
            let name = running.target.name.clone();
            let broken = running.breaker.broken(now).map(|(since, words)| (since, words.to_owned()));
            let outcome = match broken {
                Some((since, words)) if running.alarm != Some(true) => {
                    let detail = Detail { target: Some(name.clone()), since: Some(since), words, ..Detail::default() };
                    let news = gateway.news(event::WEBHOOK_BROKEN, None, detail.clone(), now, &routes);
                    tracing::warn!(target = name, words = detail.words, "a target takes nothing: deliveries to it wait");
                    let raised = self.store.raise(Alarm { name: event::WEBHOOK_BROKEN, key: name, since, detail }, news).await;
                    raised.map(|_| true)
                }
                None if running.alarm != Some(false) && running.answers && running.breaker.is_well() => {
                    let detail = Detail { target: Some(name.clone()), ..Detail::default() };
                    let news = gateway.news(event::WEBHOOK_RECOVERED, None, detail, now, &routes);
                    self.store.clear(event::WEBHOOK_BROKEN, &name, Some(news)).await.map(|_| false)
                }
                _ => continue,
            };
            match outcome {
                Ok(stands) => running.alarm = Some(stands),
                Err(error) => tracing::warn!(%error, "an alarm cannot be written"),
            }
        }
    }

    /// What is under way may end; what is not begun is others'.
    async fn finish(&mut self) {
        let until = Instant::now() + LAST_DELIVERIES;
        while let Ok(Some(ended)) = tokio::time::timeout_at(until, self.under_way.join_next()).await {
            self.settle(ended);
            self.write_ends();
            while self.writing.try_join_next().is_some() {}
        }
        while self.writing.join_next().await.is_some() {
            self.write_ends();
        }
        // It is written or not, but not later than that the gateway leaves.
        while let Ok(Some(_)) = tokio::time::timeout_at(until, self.claiming.join_next()).await {}
        if !self.under_way.is_empty() {
            tracing::warn!(count = self.under_way.len(), "some deliveries did not end in time: they are made again");
        }
        // What was claimed is free when the gateway leaves.
    }
}

async fn claimed(store: &dyn Store, wants: Vec<Want>, claim: Claim) -> Result<Claimed, StoreError> {
    let wanted: usize = wants.iter().map(|want| want.most as usize).sum();
    let jobs = store.claim_jobs(wants, claim).await?;
    let of = jobs.iter().map(|job| BriefOf {
        lead: job.data.lead,
        contact: job.data.contact,
        activity: job.data.activity,
        submission: job.data.submission,
    });
    let briefs = if jobs.is_empty() { Vec::new() } else { store.briefs(of.collect()).await? };
    Ok(Claimed { more: jobs.len() == wanted, jobs, briefs })
}

async fn write(store: &dyn Store, settled: Vec<Settled>, news: Vec<News>) {
    // If it is not written, it is delivered again when the claim has run out: at least once.
    while let Err(error) = store.settle_jobs(settled.clone(), news.clone()).await {
        tracing::warn!(%error, "what became of deliveries cannot be written");
        if !matches!(error, StoreError::Conflict) {
            return;
        }
    }
}

/// One attempt, which ends whatever happens in it: what never ended would keep its room for ever.
async fn attempt(deliver: &dyn Deliver, parcel: &Parcel, longest: Duration) -> Result<Delivered, DeliverError> {
    match timeout(longest, AssertUnwindSafe(deliver.deliver(parcel)).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => {
            tracing::error!(job = %parcel.job.id, target = parcel.job.target, "a delivery panicked; it is tried again");
            Err(DeliverError::Later {
                words: "delivering it panicked: tell its developers, with the log".to_owned(),
                after: None,
            })
        }
        Err(_elapsed) => Err(DeliverError::Unavailable { words: "it took too long".to_owned(), after: None }),
    }
}

fn is_time(last: &mut Option<Instant>, every: Duration, now: Instant) -> bool {
    let is_time = last.is_none_or(|last| now.duration_since(last) >= every);
    if is_time {
        *last = Some(now);
    }
    is_time
}

fn view(running: &Running, now: Timestamp) -> TargetView {
    let (failing_since, words) = running.breaker.trouble().map_or((None, String::new()), |(since, words)| (Some(since), words));
    TargetView { target: running.target.name.clone(), failing_since, asked_again_at: running.breaker.opens_at(now), words }
}

fn outcome_name(outcome: &Result<Delivered, DeliverError>) -> &'static str {
    match outcome {
        Ok(_) => "delivered",
        Err(DeliverError::Unavailable { .. } | DeliverError::Gone { .. }) => "unavailable",
        Err(DeliverError::Later { .. }) => "later",
        Err(DeliverError::Refused { .. } | DeliverError::NoRecipient { .. }) => "refused",
        Err(DeliverError::Quiet { .. }) => "quiet",
    }
}

impl Gateway {
    /// An event of the gateway itself.
    pub fn news(
        &self,
        name: &'static str,
        source: Option<leadgate_core::ids::SourceId>,
        detail: Detail,
        at: Timestamp,
        routes: &Arc<leadgate_core::onward::Routes>,
    ) -> News {
        let data = EventData { detail: Some(detail), ..EventData::default() };
        News { id: self.clock.event(), name, at, source, data, routes: Arc::clone(routes) }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use leadgate_outbound::webhook::sample;
    use uuid::Uuid;

    use super::*;

    struct Broken;

    #[async_trait]
    impl Deliver for Broken {
        async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
            assert!(parcel.job.target.is_empty(), "a mistake of ours");
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn an_attempt_ends_whatever_happens_in_it() {
        let parcel = |target| sample(event::LEAD_CREATED, target, Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH).unwrap();
        let panics = attempt(&Broken, &parcel("webhook:a"), Duration::from_secs(5)).await;
        assert!(matches!(&panics, Err(DeliverError::Later { words, .. }) if words.contains("panicked")), "{panics:?}");
        let hangs = attempt(&Broken, &parcel(""), Duration::ZERO).await;
        assert!(matches!(&hangs, Err(DeliverError::Unavailable { .. })), "{hangs:?}");
    }
}
