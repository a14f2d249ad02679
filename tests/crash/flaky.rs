//! A store that fails its n-th call, before or after its commit, for every n: once, so that the intake helps itself, and twice
//! in a row, so that the senders have to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::chat::{Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, MoveId, NodeId, SourceId, SubmissionId};
use leadgate_core::keeping::{Body, Erased, ErasedView, Erasure, Footprint, Keeping, Person, Quota, Thinned, Thinning};
use leadgate_core::name::PersonName;
use leadgate_core::onward::{
    Alarm, AlarmView, Brief, BriefOf, Claim, Job, JobDetail, JobFilter, JobId, JobState, JobView, Late, NewTimer, News, Outbox,
    Routes, Settled, Target, Timer, TimerEnd, Want,
};
use leadgate_core::ports::{
    Account, Act, Ask, Beat, CallState, Caller, Calls, Campaign, ChatState, Fetched, Intake, IntakeError, NewReply, NewToken,
    PullReport, Redeemed, Refusals, Restored, Store, StoreError, Sweep, Talks,
};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::replay::{Again, Kept, KeptFilter, Recorded};
use leadgate_core::rules::Rules;
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::submission::{ActivityKind, Batch, ContentHash, Cursor, Draft, Key, Submission};
use leadgate_core::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};
use leadgate_server::intake::{GroupIntake, Limits, RulesCell, StoreCell, intake};
use leadgate_store_sqlite::{Options, SqliteStore};
use leadgate_tests::people;
use leadgate_tests::postgres::Database;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SENDERS: u64 = 6;
const DELIVERIES: u64 = 5;
/// Numbered from 1: the number 0 is a phone that means nobody. Fewer people than deliveries, so that every failure meets leads that are made and leads that are joined.
const PEOPLE: u64 = 11;
/// Calls of these people, each told of by several events, one after the other.
const CALLS: u64 = 3;
const EVENTS: u64 = 3;

/// On which side of its commit a call fails.
#[derive(Clone, Copy, Debug)]
enum Side {
    Before,
    After,
}

/// A store, but for some calls.
struct Flaky {
    inner: Arc<dyn Store>,
    fails: Range<usize>,
    side: Side,
    calls: AtomicUsize,
    /// What the database itself would not do: nothing here gives it a reason.
    failed: Mutex<Vec<String>>,
}

impl Flaky {
    fn broken() -> StoreError {
        StoreError::Unavailable("the connection broke".into())
    }

    async fn real_record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let outcome = self.inner.record(batch, rules).await;
        if let Err(error) = &outcome {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:?}"));
        }
        outcome
    }

    async fn flaky_record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let fails = self.fails.contains(&self.calls.fetch_add(1, Ordering::SeqCst));
        match (fails, self.side) {
            (true, Side::Before) => Err(Self::broken()),
            (true, Side::After) => {
                self.real_record(batch, rules).await?;
                Err(Self::broken())
            }
            (false, _) => self.real_record(batch, rules).await,
        }
    }
}

macro_rules! a_store_that_only_fails_to_record {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $outcome:ty;)+) => {
        #[async_trait]
        impl Store for Flaky {
            fn batches_at_once(&self) -> usize {
                self.inner.batches_at_once()
            }

            async fn record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
                self.flaky_record(batch, rules).await
            }

            async fn close(&self) {
                self.inner.close().await;
            }

            $(async fn $name(&self, $($argument: $kind),*) -> Result<$outcome, StoreError> {
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

macro_rules! and_keeps_as_it_does {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $outcome:ty;)+) => {
        #[async_trait]
        impl Keeping for Flaky {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$outcome, StoreError> {
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

#[async_trait]
impl Calls for Flaky {
    async fn call(&self, source: &SourceId, key: &str) -> Result<Option<CallState>, StoreError> {
        self.inner.call(source, key).await
    }

    async fn caller(&self, phone: &str) -> Result<Option<Caller>, StoreError> {
        self.inner.caller(phone).await
    }
}

and_keeps_as_it_does! {
    thin(thinning: Thinning) -> Thinned;
    beyond(source: &SourceId, quota: Quota) -> Option<i64>;
    footprint(contact: ContactId) -> Option<Footprint>;
    person(contact: ContactId) -> Option<Person>;
    erase(erasure: Erasure, act: Act) -> Result<Erased, ChangeError>;
    erased(hashes: Option<Vec<[u8; 32]>>) -> Vec<ErasedView>;
    note_erased(erased: Vec<ErasedView>) -> Vec<ContactId>;
    bodies(after: i64) -> Vec<Body>;
    scrub(rebuild: bool) -> ();
}

macro_rules! and_owes_as_it_does {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $outcome:ty;)+) => {
        #[async_trait]
        impl Outbox for Flaky {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$outcome, StoreError> {
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

and_owes_as_it_does! {
    claim_jobs(wants: Vec<Want>, claim: Claim) -> Vec<Job>;
    settle_jobs(settled: Vec<Settled>, news: Vec<News>) -> ();
    next_job(targets: Vec<String>) -> Option<Timestamp>;
    bury_jobs(targets: Vec<Target>, orphans_before: Timestamp, at: Timestamp, routes: Arc<Routes>) -> Vec<Late>;
    jobs(filter: JobFilter, at: PageAt) -> Page<JobView>;
    job(id: JobId) -> Option<JobDetail>;
    job_counts() -> Vec<(String, JobState, u64)>;
    retry_jobs(filter: JobFilter, now: Timestamp) -> u64;
    drop_jobs(filter: JobFilter, now: Timestamp) -> u64;
    job_by_ref(scope: &str, value: &str) -> Option<JobDetail>;
    briefs(of: Vec<BriefOf>) -> Vec<Brief>;
    tell(news: News) -> ();
    raise(alarm: Alarm, news: News) -> bool;
    clear(name: &str, key: &str, news: Option<News>) -> bool;
    alarms() -> Vec<AlarmView>;
    set_timers(timers: Vec<NewTimer>) -> ();
    stop_timers(timers: Vec<(String, String)>) -> ();
    due_timers(now: Timestamp, limit: u32) -> Vec<Timer>;
    settle_timers(ends: Vec<TimerEnd>) -> u64;
    link_key(fresh: [u8; 32]) -> [u8; 32];
    may_answer(job: JobId, address: [u8; 32], source: SourceId, most_an_hour: u32, now: Timestamp) -> bool;
}

macro_rules! and_talks_as_it_does {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $outcome:ty;)+) => {
        #[async_trait]
        impl Talks for Flaky {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$outcome, StoreError> {
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

and_talks_as_it_does! {
    keep_files(activity: ActivityId, fetched: Vec<Fetched>) -> ();
    write_reply(reply: NewReply, act: Act) -> Result<ActivityId, ChangeError>;
    sending(activity: ActivityId, sending: Sending, sent_as: Option<SentAs>, news: Option<News>) -> ();
    name_contact(contact: ContactId, own: PersonName, messenger: &str) -> bool;
    deleted(source: &SourceId, external_key: &str, at: Timestamp) -> bool;
    add_campaign(campaign: Campaign) -> bool;
    campaigns_of(source: &SourceId, ids: Vec<String>) -> Vec<Campaign>;
    campaigns() -> Vec<Campaign>;
    remove_campaign(id: &str) -> bool;
    add_code(hash: [u8; 32], manager: ManagerId, until: Timestamp) -> ();
    redeem_code(hash: [u8; 32], account: Account, now: Timestamp) -> Redeemed;
    accounts() -> Vec<Account>;
    accounts_of(values: Vec<(String, String)>) -> Vec<Account>;
    unlink(manager: &ManagerId) -> u64;
    chat(source: &SourceId, chat: &str) -> ChatState;
    keep_chat(source: &SourceId, chat: &str, state: ChatState) -> bool;
    topic(source: &SourceId, chat: &str, lead: LeadId) -> Option<String>;
    lead_of_topic(source: &SourceId, chat: &str, topic: &str) -> Option<LeadId>;
    keep_topic(source: &SourceId, chat: &str, lead: LeadId, topic: Option<String>) -> ();
}

a_store_that_only_fails_to_record! {
    cursor(source: &SourceId) -> Option<Cursor>;
    preview(items: Vec<Arc<Prepared>>, rules: Arc<Rules>) -> Vec<Receipt>;
    lease(name: &str, node: NodeId, lasts: Duration) -> Option<i64>;
    release(name: &str, node: NodeId) -> ();
    beat(beat: Beat, forget: Duration) -> ();
    leave(node: NodeId) -> ();
    nodes() -> Vec<NodeView>;
    kept(filter: KeptFilter, after: Option<i64>, limit: u32) -> Vec<Kept>;
    kept_count(filter: KeptFilter) -> u64;
    record_again(items: Vec<Arc<Again>>, rules: Arc<Rules>, dry: bool) -> Vec<Recorded>;
    ignore_sender(sender: Sender, act: Act) -> bool;
    ignored_senders() -> Vec<IgnoredSender>;
    forget_sender(sender: Sender) -> bool;
    leads(filter: LeadFilter, at: PageAt) -> Page<LeadSummary>;
    lead(id: LeadId) -> Option<LeadDetail>;
    contacts(filter: ContactFilter, at: PageAt) -> Page<ContactSummary>;
    contact(id: ContactId) -> Option<ContactDetail>;
    submissions(filter: SubmissionFilter, at: PageAt) -> Page<SubmissionSummary>;
    submission(id: SubmissionId) -> Option<SubmissionDetail>;
    reviews(at: PageAt) -> Page<ReviewView>;
    activity_source(id: ActivityId) -> Option<Option<SourceId>>;
    health(now: Timestamp) -> Vec<SourceHealth>;
    note_source(source: &SourceId, report: PullReport, at: Timestamp) -> ();
    ask_source(source: &SourceId, ask: Option<Ask>, at: Timestamp) -> ();
    source_notes() -> Vec<SourceNote>;
    reachable(id: ContactId, email: String, act: Act) -> Result<ContactDetail, ChangeError>;
    totals() -> Totals;
    installation() -> uuid::Uuid;
    restored() -> Option<Restored>;
    change_lead(id: LeadId, changes: Vec<LeadChange>, version: Option<i64>, act: Act) -> Result<LeadDetail, ChangeError>;
    take_contact(id: ContactId, manager: String, act: Act) -> Result<ContactDetail, ChangeError>;
    detach(activity: ActivityId, act: Act) -> Result<MoveView, ChangeError>;
    undo_move(id: MoveId, act: Act) -> Result<MoveView, ChangeError>;
    add_token(token: NewToken, at: Timestamp) -> bool;
    tokens() -> Vec<TokenView>;
    token(hash: [u8; 32]) -> Option<TokenView>;
    revoke_token(name: &str, at: Timestamp) -> bool;
    refused(refusals: Vec<Refusals>) -> ();
    attachments_known(sha256: Vec<String>) -> Vec<String>;
    sweep(sweep: Sweep) -> u64;
    ready() -> ();
}

/// The `n`-th delivery. With a sender's id or without one: then its content is the key.
fn delivery(n: u64) -> anyhow::Result<Submission> {
    let begin: Timestamp = "2026-05-04T10:00:00Z".parse()?;
    let at = begin.checked_add(SignedDuration::from_secs(i64::try_from(n)?))?;
    let number = n.to_string();
    Ok(Submission {
        id: people::delivery(n, at).id,
        keys: if n.is_multiple_of(2) { Key::new("form_id", &number).into_iter().collect() } else { Vec::new() },
        content: ContentHash::of([("n", number.as_str())]),
        ..people::delivery(1 + n % PEOPLE, at)
    })
}

/// The events of a call: it rings, somebody takes it off, it is over.
fn event(call: u64, event: u64) -> anyhow::Result<Submission> {
    let at = Timestamp::from_second(1_777_890_000 + i64::try_from(call * 60 + event)?)?;
    let number = CallNumber::international(&format!("7{}", people::phone(1 + call)));
    let (id, key) = (format!("C{call}"), format!("{call}:{event}"));
    let told = CallTelling { direction: Some(Direction::In), number, ..CallTelling::default() };
    let facts = match event {
        0 => CallFacts::event(&id, told),
        1 => CallFacts::event(&id, CallTelling { picked_up: true, agent: Some("101".to_owned()), ..told }),
        _ => CallFacts::summary(&id, CallTelling { outcome: Some(CallOutcome::Answered), talk_s: Some(42), ..told }),
    };
    let draft = Draft {
        activity: ActivityKind::Call,
        external_key: Some(format!("call:{id}")),
        call: Some(Box::new(facts)),
        ..Draft::default()
    };
    let content = ContentHash::of([("event", key.as_str())]);
    let keys = Key::new("event", &key).into_iter().collect();
    let nth = SENDERS * DELIVERIES + call * EVENTS + event;
    Ok(Submission {
        id: people::delivery(nth, at).id,
        source: SourceId::parse("pbx")?,
        keys,
        content,
        draft,
        ..people::delivery(nth, at)
    })
}

/// Everything that is sent, by its senders.
fn everything() -> anyhow::Result<Vec<Vec<Submission>>> {
    let forms = (0..SENDERS).map(|number| (number * DELIVERIES..(number + 1) * DELIVERIES).map(delivery).collect());
    let calls = (0..CALLS).map(|call| (0..EVENTS).map(|nth| event(call, nth)).collect());
    forms.chain(calls).collect()
}

/// Sends deliveries one after another, each until it is taken. Says how often it was told to come again, too.
async fn sender(intake: Arc<GroupIntake>, deliveries: Vec<Submission>) -> anyhow::Result<(Vec<(SubmissionId, Receipt)>, usize)> {
    let (mut acknowledged, mut again) = (Vec::new(), 0);
    for delivery in deliveries {
        loop {
            match intake.submit(vec![delivery.clone()]).await {
                Ok(receipts) => {
                    anyhow::ensure!(receipts.len() == 1, "{} receipts for one delivery", receipts.len());
                    acknowledged.push((delivery.id, receipts[0].clone()));
                    break;
                }
                Err(IntakeError::Busy(_)) => again += 1,
                Err(closing) => return Err(closing.into()),
            }
        }
    }
    Ok((acknowledged, again))
}

/// One run on a new database, some of whose calls fail. Says whether there were such calls, and how often a sender was told to
/// come again.
async fn run(inner: Arc<dyn Store>, side: Side, fails: Range<usize>) -> anyhow::Result<(bool, usize)> {
    let store = Arc::new(Flaky { inner, fails: fails.clone(), side, calls: AtomicUsize::new(0), failed: Mutex::default() });
    let cell = StoreCell::default();
    let shared: Arc<dyn Store> = Arc::<Flaky>::clone(&store);
    anyhow::ensure!(cell.set(Arc::clone(&shared)).is_ok(), "a new cell is empty");
    let limits = Limits { batch_items: 3, wait: Duration::from_secs(30), ..Limits::default() };
    let (intake, committer) = intake(limits, RulesCell::new(Arc::new(people::rules())), cell);
    let closing = CancellationToken::new();
    let committing = tokio::spawn(committer.run(shared, closing.clone()));
    let intake = Arc::new(intake);
    let mut senders = JoinSet::new();
    for deliveries in everything()? {
        senders.spawn(sender(Arc::clone(&intake), deliveries));
    }
    let (mut acknowledged, mut again) = (Vec::new(), 0);
    while let Some(done) = senders.join_next().await {
        let (own, busy) = done??;
        acknowledged.extend(own);
        again += busy;
    }
    closing.cancel();
    committing.await?;
    check(&store, &acknowledged).await?;
    store.close().await;
    Ok((store.calls.load(Ordering::SeqCst) > fails.start, again))
}

async fn check(store: &Flaky, acknowledged: &[(SubmissionId, Receipt)]) -> anyhow::Result<()> {
    let failed = store.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(failed, Vec::<String>::new(), "the database itself has no reason to fail");
    let all = PageAt { after: None, limit: 500 };
    let expected: BTreeSet<SubmissionId> = everything()?.iter().flatten().map(|delivery| delivery.id).collect();
    let told: BTreeSet<SubmissionId> = acknowledged.iter().map(|(id, _)| *id).collect();
    assert_eq!(told, expected, "every delivery is acknowledged in the end");

    let kept = store.submissions(SubmissionFilter::default(), all.clone()).await?.items;
    assert_eq!(kept.iter().map(|one| one.id).collect::<BTreeSet<_>>(), expected, "kept is what was acknowledged");
    assert_eq!(kept.len(), expected.len(), "none is kept twice");
    for (id, receipt) in acknowledged {
        let row = kept.iter().find(|row| row.id == *id);
        assert_eq!(row.and_then(|row| row.lead), receipt.lead, "the receipt of {id} names the lead it is on");
        let of_call = receipt.outcome == Outcome::Noted && row.is_some_and(|row| row.source.as_str() == "pbx");
        assert!(of_call || matches!(receipt.outcome, Outcome::Created | Outcome::Attached | Outcome::Repeat), "{receipt:?}");
    }

    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for n in 0..SENDERS * DELIVERIES {
        *wanted.entry(format!("+7{}", people::phone(1 + n % PEOPLE))).or_default() += 1;
    }
    for call in 0..CALLS {
        *wanted.entry(format!("+7{}", people::phone(1 + call))).or_default() += 1;
    }
    let mut answered = 0;
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for lead in store.leads(LeadFilter::default(), all.clone()).await?.items {
        let detail = store.lead(lead.id).await?.ok_or_else(|| anyhow::anyhow!("lead {} is listed", lead.id))?;
        let ids: BTreeSet<_> = detail.timeline.iter().filter_map(|activity| activity.submission).collect();
        assert_eq!(ids.len(), detail.timeline.len(), "each delivery is one activity of lead {}", lead.id);
        for call in detail.timeline.iter().filter_map(|activity| activity.content.call.as_deref()) {
            let view = call.view();
            assert_eq!((view.outcome, view.talk_s, view.agent.as_deref()), (Some(CallOutcome::Answered), Some(42), Some("101")));
            answered += 1;
        }
        let person = detail.person.ok_or_else(|| anyhow::anyhow!("lead {} has a contact", lead.id))?;
        let phone =
            person.identities.iter().find(|identity| identity.kind.as_str() == "phone").map(|identity| identity.value.clone());
        let doubled = found.insert(phone.unwrap_or_default(), lead.activities);
        assert_eq!(doubled, None, "a person has one lead");
    }
    assert_eq!(found, wanted, "each person has one lead with every delivery on it, and every call, once");
    assert_eq!(answered, CALLS, "a call is one activity, and everything that was told of it");
    let contacts = store.contacts(ContactFilter::default(), all).await?.items;
    assert_eq!(contacts.len() as u64, PEOPLE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_loses_nothing_and_doubles_nothing_on_sqlite() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    every_failure(async |name| {
        let store = SqliteStore::open(&folder.path().join(format!("{name}.db")), Options::default()).await?;
        Ok((Arc::new(store) as Arc<dyn Store>, ()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_loses_nothing_and_doubles_nothing_on_postgres() -> anyhow::Result<()> {
    every_failure(async |_name| {
        let database = Database::fresh(false).await?;
        Ok((Arc::new(database.open().await?) as Arc<dyn Store>, database))
    })
    .await
}

/// Every call fails once, on either side of its commit, alone and with the next. `open` makes a store of its own for a run, with
/// what must stay there as long as it does.
async fn every_failure<K>(open: impl AsyncFn(String) -> anyhow::Result<(Arc<dyn Store>, K)>) -> anyhow::Result<()> {
    for (side, in_a_row) in [(Side::Before, 1), (Side::After, 1), (Side::Before, 2), (Side::After, 2)] {
        let (mut first, mut told) = (0, 0);
        loop {
            let (store, _kept) = open(format!("{side:?}-{in_a_row}-{first}")).await?;
            let (failed, again) = run(store, side, first..first + in_a_row).await?;
            if !failed {
                break;
            }
            (first, told) = (first + 1, told + again);
        }
        println!("{side:?} the commit, {in_a_row} in a row: {first} runs with a failure, {told} sendings again");
        // 30 deliveries in batches of 3, of senders that wait for each: ten commits at least.
        assert!(first >= 10, "only {first} calls were made to fail");
        assert_eq!(told == 0, in_a_row == 1, "the intake tries once more by itself");
    }
    Ok(())
}
