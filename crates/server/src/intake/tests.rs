//! The intake against a store that fails on purpose. Nothing sleeps; time is paused.

mod calls;
mod outbox;
mod talks;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, MoveId, NodeId, SubmissionId};
use leadgate_core::keeping::{Body, Erased, ErasedView, Erasure, Footprint, Keeping, Person, Quota, Thinned, Thinning};
use leadgate_core::ports::{Act, Ask, Beat, NewToken, PullReport, Refusals, StoreError, Sweep};
use leadgate_core::receipt::{Outcome, Reason};
use leadgate_core::replay::{Again, Kept, KeptFilter, Recorded};
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::submission::{Batch, ContentHash, Draft};
use leadgate_core::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;

/// When a call fails: before anything was written, or after everything was and only the answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Before,
    After,
    Conflict,
    Full,
}

/// A store that keeps submissions in memory and fails as told; a message `poison` is refused, `panic` panics. What is asked
/// beside recording is not its affair.
#[derive(Default)]
struct Fake {
    kept: Mutex<HashMap<SubmissionId, Outcome>>,
    /// Rows written for an id that had some.
    doubled: AtomicUsize,
    calls: AtomicUsize,
    faults: HashMap<usize, Fault>,
    /// The sizes of the batches, in order.
    batches: Mutex<Vec<usize>>,
    /// Where the cursors went, in order.
    moved: Mutex<Vec<serde_json::Value>>,
    /// If there is one, each call waits for it.
    gate: Option<Notify>,
    /// Batches at once; nothing means one.
    at_once: usize,
}

impl Fake {
    fn write(&self, batch: &Batch) -> Vec<Receipt> {
        self.moved.lock().unwrap().extend(batch.cursors.iter().map(|to| to.to.0.clone()));
        let mut kept = self.kept.lock().unwrap();
        let write = |item: &Arc<Prepared>| {
            let id = item.submission.id;
            let fresh = if item.submission.hold.is_some() { Outcome::Quarantined } else { Outcome::Created };
            let outcome = if kept.contains_key(&id) { Outcome::Repeat } else { fresh };
            if outcome != Outcome::Repeat && kept.insert(id, outcome).is_some() {
                self.doubled.fetch_add(1, Ordering::Relaxed);
            }
            Receipt { submission: id, outcome, lead: None, contact: None, activity: None, reasons: Vec::<Reason>::new() }
        };
        batch.items.iter().map(write).collect()
    }
}

/// The token of a lease that another holds by now.
const STALE: i64 = 1;

fn place(source: &str, at: i64, fence: i64) -> CursorMove {
    CursorMove { source: SourceId::parse(source).unwrap(), to: Cursor(at.into()), fence: Some(fence) }
}

fn says(item: &Prepared, word: &str) -> bool {
    item.content.message.as_deref() == Some(word)
}

fn never<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt { table: "fake", detail: "the intake asked for something else".to_owned() })
}

#[async_trait]
impl Keeping for Fake {
    async fn thin(&self, _: Thinning) -> Result<Thinned, StoreError> {
        never()
    }
    async fn beyond(&self, _: &SourceId, _: Quota) -> Result<Option<i64>, StoreError> {
        never()
    }
    async fn footprint(&self, _: ContactId) -> Result<Option<Footprint>, StoreError> {
        never()
    }
    async fn person(&self, _: ContactId) -> Result<Option<Person>, StoreError> {
        never()
    }
    async fn erase(&self, _: Erasure, _: Act) -> Result<Result<Erased, ChangeError>, StoreError> {
        never()
    }
    async fn erased(&self, _: Option<Vec<[u8; 32]>>) -> Result<Vec<ErasedView>, StoreError> {
        never()
    }
    async fn note_erased(&self, _: Vec<ErasedView>) -> Result<Vec<ContactId>, StoreError> {
        never()
    }
    async fn bodies(&self, _: i64) -> Result<Vec<Body>, StoreError> {
        never()
    }
    async fn scrub(&self, _: bool) -> Result<(), StoreError> {
        never()
    }
}

#[async_trait]
impl Store for Fake {
    fn batches_at_once(&self) -> usize {
        self.at_once
    }

    async fn record(&self, batch: Batch, _rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.batches.lock().unwrap().push(batch.items.len());
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        assert!(!batch.items.iter().any(|item| says(item, "panic")), "as told");
        let lost: Vec<SourceId> = batch.cursors.iter().filter(|to| to.fence == Some(STALE)).map(|to| to.source.clone()).collect();
        if !lost.is_empty() {
            return Err(StoreError::LeaseLost(lost));
        }
        if batch.items.iter().any(|item| says(item, "poison")) {
            return Err(StoreError::Rejected("a check failed".into()));
        }
        match self.faults.get(&call) {
            None => Ok(self.write(&batch)),
            Some(Fault::Before) => Err(StoreError::Unavailable("no connection".into())),
            Some(Fault::Conflict) => Err(StoreError::Conflict),
            Some(Fault::Full) => Err(StoreError::Full),
            Some(Fault::After) => {
                self.write(&batch);
                Err(StoreError::Unavailable("the answer was lost".into()))
            }
        }
    }

    async fn cursor(&self, _source: &SourceId) -> Result<Option<Cursor>, StoreError> {
        Ok(None)
    }
    async fn kept(&self, _: KeptFilter, _: Option<i64>, _: u32) -> Result<Vec<Kept>, StoreError> {
        never()
    }
    async fn kept_count(&self, _: KeptFilter) -> Result<u64, StoreError> {
        never()
    }
    async fn record_again(&self, _: Vec<Arc<Again>>, _: Arc<Rules>, _: bool) -> Result<Vec<Recorded>, StoreError> {
        never()
    }
    async fn ignore_sender(&self, _: Sender, _: Act) -> Result<bool, StoreError> {
        never()
    }
    async fn ignored_senders(&self) -> Result<Vec<IgnoredSender>, StoreError> {
        never()
    }
    async fn forget_sender(&self, _: Sender) -> Result<bool, StoreError> {
        never()
    }
    async fn leads(&self, _: LeadFilter, _: PageAt) -> Result<Page<LeadSummary>, StoreError> {
        never()
    }
    async fn lead(&self, _: LeadId) -> Result<Option<LeadDetail>, StoreError> {
        never()
    }
    async fn contacts(&self, _: ContactFilter, _: PageAt) -> Result<Page<ContactSummary>, StoreError> {
        never()
    }
    async fn contact(&self, _: ContactId) -> Result<Option<ContactDetail>, StoreError> {
        never()
    }
    async fn submissions(&self, _: SubmissionFilter, _: PageAt) -> Result<Page<SubmissionSummary>, StoreError> {
        never()
    }
    async fn submission(&self, _: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        never()
    }
    async fn reviews(&self, _: PageAt) -> Result<Page<ReviewView>, StoreError> {
        never()
    }
    async fn activity_source(&self, _: ActivityId) -> Result<Option<Option<SourceId>>, StoreError> {
        never()
    }
    async fn health(&self, _: Timestamp) -> Result<Vec<SourceHealth>, StoreError> {
        never()
    }
    async fn note_source(&self, _: &SourceId, _: PullReport, _: Timestamp) -> Result<(), StoreError> {
        never()
    }
    async fn ask_source(&self, _: &SourceId, _: Option<Ask>, _: Timestamp) -> Result<(), StoreError> {
        never()
    }
    async fn source_notes(&self) -> Result<Vec<SourceNote>, StoreError> {
        never()
    }
    async fn reachable(&self, _: ContactId, _: String, _: Act) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        never()
    }
    async fn totals(&self) -> Result<Totals, StoreError> {
        never()
    }
    async fn installation(&self) -> Result<Uuid, StoreError> {
        never()
    }
    async fn change_lead(
        &self,
        _: LeadId,
        _: Vec<LeadChange>,
        _: Option<i64>,
        _: Act,
    ) -> Result<Result<LeadDetail, ChangeError>, StoreError> {
        never()
    }
    async fn take_contact(&self, _: ContactId, _: String, _: Act) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        never()
    }
    async fn detach(&self, _: ActivityId, _: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        never()
    }
    async fn undo_move(&self, _: MoveId, _: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        never()
    }
    async fn add_token(&self, _: NewToken, _: Timestamp) -> Result<bool, StoreError> {
        never()
    }
    async fn tokens(&self) -> Result<Vec<TokenView>, StoreError> {
        never()
    }
    async fn token(&self, _: [u8; 32]) -> Result<Option<TokenView>, StoreError> {
        never()
    }
    async fn revoke_token(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        never()
    }
    async fn preview(&self, _: Vec<Arc<Prepared>>, _: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        never()
    }
    async fn lease(&self, _: &str, _: NodeId, _: Duration) -> Result<Option<i64>, StoreError> {
        never()
    }
    async fn release(&self, _: &str, _: NodeId) -> Result<(), StoreError> {
        never()
    }
    async fn beat(&self, _: Beat, _: Duration) -> Result<(), StoreError> {
        never()
    }
    async fn leave(&self, _: NodeId) -> Result<(), StoreError> {
        never()
    }
    async fn nodes(&self) -> Result<Vec<NodeView>, StoreError> {
        never()
    }
    async fn refused(&self, _: Vec<Refusals>) -> Result<(), StoreError> {
        never()
    }
    async fn attachments_known(&self, _: Vec<String>) -> Result<Vec<String>, StoreError> {
        never()
    }
    async fn sweep(&self, _: Sweep) -> Result<u64, StoreError> {
        never()
    }
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn close(&self) {}
}

static NEXT: AtomicU64 = AtomicU64::new(1);

fn item(message: &str) -> Submission {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    Submission {
        id: SubmissionId(Uuid::from_u128(u128::from(n))),
        source: SourceId::parse("site").unwrap(),
        keys: Vec::new(),
        content: ContentHash([0; 32]),
        received_at: Timestamp::UNIX_EPOCH,
        occurred_at: None,
        historic: false,
        raw: Raw {
            content_type: String::new(),
            codec: Codec::Plain,
            body: Bytes::from_static(b"a=b"),
            sha256: [0; 32],
            query: String::new(),
            peer: None,
            head: String::new(),
        },
        draft: Draft { message: Some(message.to_owned()), ..Draft::default() },
        signals: Vec::new(),
        hold: None,
        purpose: Purpose::Lead,
    }
}

struct Rig {
    intake: Arc<GroupIntake>,
    store: Arc<Fake>,
    closing: CancellationToken,
    loop_: tokio::task::JoinHandle<()>,
}

fn rig(store: Fake, limits: Limits) -> Rig {
    let (intake, committer) = intake(limits, RulesCell::default(), Arc::new(SetOnce::new()));
    let (store, closing) = (Arc::new(store), CancellationToken::new());
    let loop_ = tokio::spawn(committer.run(Arc::clone(&store) as Arc<dyn Store>, closing.clone()));
    Rig { intake: Arc::new(intake), store, closing, loop_ }
}

impl Rig {
    fn submit(&self, items: Vec<Submission>) -> tokio::task::JoinHandle<Result<Vec<Receipt>, IntakeError>> {
        let intake = Arc::clone(&self.intake);
        tokio::spawn(async move { intake.submit(items).await })
    }

    /// Submits each group at once and gives back the answers in order.
    async fn submit_all(&self, groups: Vec<Vec<Submission>>) -> Vec<Result<Vec<Receipt>, IntakeError>> {
        let tasks: Vec<_> = groups.into_iter().map(|group| self.submit(group)).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }
}

fn outcomes(answer: &Result<Vec<Receipt>, IntakeError>) -> Vec<Outcome> {
    answer.as_ref().unwrap().iter().map(|receipt| receipt.outcome).collect()
}

#[tokio::test]
async fn a_failing_call_loses_nothing_acknowledged_and_doubles_nothing() {
    for fault in [Fault::Before, Fault::After, Fault::Conflict, Fault::Full] {
        for n in 0..8 {
            for again in [false, true] {
                let mut faults = HashMap::from([(n, fault)]);
                if again {
                    faults.insert(n + 1, fault);
                }
                let rig =
                    rig(Fake { faults, at_once: 1 + n % 2, ..Fake::default() }, Limits { batch_items: 4, ..Limits::default() });
                let groups: Vec<Vec<Submission>> = (0..12).map(|i| (0..=i % 3).map(|_| item("hello")).collect()).collect();
                let ids: Vec<Vec<SubmissionId>> = groups.iter().map(|group| group.iter().map(|item| item.id).collect()).collect();
                let again_groups = groups.clone();
                let answers = rig.submit_all(groups).await;
                for ((answer, ids), group) in answers.iter().zip(&ids).zip(again_groups) {
                    match answer {
                        Ok(receipts) => {
                            let kept = rig.store.kept.lock().unwrap();
                            assert!(receipts.iter().map(|r| r.submission).eq(ids.iter().copied()), "{fault:?} at {n}");
                            assert!(ids.iter().all(|id| kept.contains_key(id)), "{fault:?} at {n}");
                        }
                        // The sender tries again, with the same ids, and is heard.
                        Err(IntakeError::Busy(_)) => {
                            let mut tries = 0;
                            while rig.intake.submit(group.clone()).await.is_err() {
                                tries += 1;
                                assert!(tries < 3, "{fault:?} at {n}");
                            }
                        }
                        Err(IntakeError::Closing | IntakeError::LeaseLost) => panic!("nobody closed it, nobody leased it"),
                    }
                }
                assert_eq!(rig.store.kept.lock().unwrap().len(), ids.iter().map(Vec::len).sum::<usize>());
                assert_eq!(rig.store.doubled.load(Ordering::Relaxed), 0);
                assert_eq!(rig.intake.writes().waiting(), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_poisoned_item_is_found_and_hides_nobody() {
    for word in ["poison", "panic"] {
        for bad in 0..7 {
            let rig = rig(Fake::default(), Limits::default());
            let mut groups: Vec<Vec<Submission>> =
                vec![vec![item("a")], vec![item("b"), item("c"), item("d"), item("e")], vec![item("f")], vec![item("g")]];
            let flat: Vec<(usize, usize)> =
                groups.iter().enumerate().flat_map(|(g, items)| (0..items.len()).map(move |i| (g, i))).collect();
            let (group, at) = flat[bad];
            groups[group][at].draft.message = Some(word.to_owned());
            let answers = rig.submit_all(groups).await;
            for (g, answer) in answers.iter().enumerate() {
                for (i, outcome) in outcomes(answer).into_iter().enumerate() {
                    let expected = if (g, i) == (group, at) { Outcome::Quarantined } else { Outcome::Created };
                    assert_eq!(outcome, expected, "{word} at {bad}: {g} {i}");
                }
            }
            assert_eq!(rig.store.doubled.load(Ordering::Relaxed), 0);
        }
    }
}

#[tokio::test]
async fn what_waits_is_committed_together_and_no_more() {
    let rig = rig(Fake { gate: Some(Notify::new()), ..Fake::default() }, Limits { batch_items: 10, ..Limits::default() });
    let first = rig.submit(vec![item("first")]);
    while rig.store.calls.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let rest: Vec<_> = (0..25).map(|_| rig.submit(vec![item("more")])).collect();
    while rig.intake.writes().waiting() < 26 {
        tokio::task::yield_now().await;
    }
    let store = Arc::clone(&rig.store);
    let opener = tokio::spawn(async move {
        loop {
            store.gate.as_ref().unwrap().notify_one();
            tokio::task::yield_now().await;
        }
    });
    assert!(first.await.unwrap().is_ok());
    for answer in rest {
        assert!(answer.await.unwrap().is_ok());
    }
    opener.abort();
    assert_eq!(*rig.store.batches.lock().unwrap(), [1, 10, 10, 5]);
}

#[tokio::test]
async fn as_many_batches_run_as_the_store_takes_and_all_end_before_it_closes() {
    let store = Fake { gate: Some(Notify::new()), at_once: 2, ..Fake::default() };
    let rig = rig(store, Limits { batch_items: 3, ..Limits::default() });
    let mut answers = Vec::new();
    for running in 1..=2 {
        answers.push(rig.submit(vec![item("first")]));
        while rig.store.calls.load(Ordering::Relaxed) < running {
            tokio::task::yield_now().await;
        }
    }
    answers.extend((0..4).map(|_| rig.submit(vec![item("more")])));
    while rig.intake.writes().waiting() < 6 {
        tokio::task::yield_now().await;
    }
    // Two run and nothing else was begun, though more waits.
    assert_eq!(*rig.store.batches.lock().unwrap(), [1, 1]);
    rig.closing.cancel();
    let store = Arc::clone(&rig.store);
    let opener = tokio::spawn(async move {
        loop {
            store.gate.as_ref().unwrap().notify_one();
            tokio::task::yield_now().await;
        }
    });
    rig.loop_.await.unwrap();
    opener.abort();
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    assert_eq!(*rig.store.batches.lock().unwrap(), [1, 1, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_room_waits_four_seconds() {
    let rig = rig(Fake { gate: Some(Notify::new()), ..Fake::default() }, Limits { items: 2, ..Limits::default() });
    let (one, two) = (rig.submit(vec![item("one")]), rig.submit(vec![item("two")]));
    while rig.intake.writes().waiting() < 2 {
        tokio::task::yield_now().await;
    }
    let before = tokio::time::Instant::now();
    assert!(matches!(rig.intake.submit(vec![item("three")]).await, Err(IntakeError::Busy(_))));
    assert_eq!(before.elapsed().as_secs(), 4);
    rig.store.gate.as_ref().unwrap().notify_one();
    assert!(one.await.unwrap().is_ok());
    rig.store.gate.as_ref().unwrap().notify_one();
    assert!(two.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let rig = rig(Fake { gate: Some(Notify::new()), ..Fake::default() }, Limits { bytes: 8 << 10, ..Limits::default() });
    let mut large = item("large");
    large.raw.body = Bytes::from(
        (0..6000_u32).flat_map(|n| Uuid::from_u128(u128::from(n) * 0x9e37_79b9_7f4a_7c15).into_bytes()).collect::<Vec<u8>>(),
    );
    let first = rig.submit(vec![large]);
    while rig.intake.writes().waiting() < 1 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(rig.intake.submit(vec![item("small")]).await, Err(IntakeError::Busy(_))));
    rig.store.gate.as_ref().unwrap().notify_one();
    assert!(first.await.unwrap().is_ok());
}

#[tokio::test]
async fn closing_finishes_what_waits_and_takes_no_more() {
    let rig = rig(Fake { gate: Some(Notify::new()), ..Fake::default() }, Limits { batch_items: 1, ..Limits::default() });
    let waiting: Vec<_> = (0..5).map(|_| rig.submit(vec![item("x")])).collect();
    while rig.intake.writes().waiting() < 5 {
        tokio::task::yield_now().await;
    }
    rig.closing.cancel();
    let store = Arc::clone(&rig.store);
    let opener = tokio::spawn(async move {
        loop {
            store.gate.as_ref().unwrap().notify_one();
            tokio::task::yield_now().await;
        }
    });
    for answer in waiting {
        assert!(answer.await.unwrap().is_ok());
    }
    rig.loop_.await.unwrap();
    opener.abort();
    assert!(matches!(rig.intake.submit(vec![item("late")]).await, Err(IntakeError::Closing)));
}

#[test]
fn large_bodies_are_packed_and_small_ones_are_not() {
    let mut raw = item("x").raw;
    pack(&mut raw);
    assert_eq!(raw.codec, Codec::Plain);
    raw.body = Bytes::from(vec![b'a'; 5000]);
    pack(&mut raw);
    assert_eq!(raw.codec, Codec::Zstd);
    assert!(raw.body.len() < 200);
    assert_eq!(zstd::bulk::decompress(&raw.body, 10_000).unwrap(), vec![b'a'; 5000]);
    let packed = raw.body.clone();
    pack(&mut raw);
    assert_eq!(raw.body, packed);
}

#[tokio::test]
async fn a_lost_lease_costs_its_own_items_and_nobody_elses() {
    let store = Fake { gate: Some(Notify::new()), ..Fake::default() };
    let rig = rig(store, Limits::default());
    // The first waits in the store; what follows meanwhile shares the next commit.
    let first = rig.submit(vec![item("first")]);
    while rig.store.calls.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let pulled = |items: Vec<Submission>, to: CursorMove| {
        let intake = Arc::clone(&rig.intake);
        tokio::spawn(async move { intake.advance(items, to).await })
    };
    let stale = pulled(vec![item("stale"), item("stale")], place("mail", 7, STALE));
    let fresh = pulled(vec![item("fresh")], place("chat", 8, 2));
    let empty = pulled(Vec::new(), place("calls", 9, 2));
    let pushed = rig.submit(vec![item("pushed")]);
    while rig.intake.writes().waiting() < 5 {
        tokio::task::yield_now().await;
    }
    let opening = {
        let store = Arc::clone(&rig.store);
        tokio::spawn(async move {
            loop {
                store.gate.as_ref().unwrap().notify_one();
                tokio::task::yield_now().await;
            }
        })
    };
    assert_eq!(outcomes(&first.await.unwrap()), [Outcome::Created]);
    assert!(matches!(stale.await.unwrap(), Err(IntakeError::LeaseLost)));
    assert_eq!(outcomes(&fresh.await.unwrap()), [Outcome::Created]);
    assert_eq!(outcomes(&empty.await.unwrap()), []);
    assert_eq!(outcomes(&pushed.await.unwrap()), [Outcome::Created]);
    opening.abort();
    assert_eq!(*rig.store.moved.lock().unwrap(), [8, 9]);
    assert_eq!(rig.store.kept.lock().unwrap().len(), 3, "nothing of the lost source was kept");
}

#[tokio::test]
async fn a_place_moves_once_with_the_last_item_whatever_is_poisoned() {
    for bad in 0..4 {
        let rig = rig(Fake::default(), Limits::default());
        let mut items: Vec<Submission> = ["a", "b", "c", "d"].map(item).into();
        items[bad].draft.message = Some("poison".to_owned());
        let answer = rig.intake.advance(items, place("mail", 4, 2)).await;
        let expected: Vec<Outcome> = (0..4).map(|at| if at == bad { Outcome::Quarantined } else { Outcome::Created }).collect();
        assert_eq!(outcomes(&answer), expected);
        assert_eq!(*rig.store.moved.lock().unwrap(), [4], "poison at {bad}");
    }
}
