//! Calls: told by many events in any order, decided once, and called back.

use std::sync::Arc;

use jiff::SignedDuration;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::change::{Close, LeadChange};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ids::{LeadId, ManagerId, SourceId};
use leadgate_core::keeping::{Erasure, ErasureKey};
use leadgate_core::onward::{CALL_QUIET, CALL_UNRETURNED, EventData, Timer, TimerEnd, call_key, event};
use leadgate_core::plan::CallBack;
use leadgate_core::ports::{Fetched, Sweep};
use leadgate_core::receipt::{Outcome, Reason, Receipt};
use leadgate_core::replay::{Again, How, Recorded};
use leadgate_core::submission::{ActivityKind, FileRef};

use crate::outbox::all;
use crate::support::{Db, Post, act, column, days, minutes, post, start};

const ANNA: &str = "79161234567";
const OLEG: &str = "79031112233";

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn source() -> SourceId {
    SourceId::parse("pbx").unwrap()
}

/// An event of a call, so many seconds after the start.
fn event_at(second: i64, call: CallFacts) -> Post {
    let (key, external) = (format!("{second}"), format!("call:{}", call.id));
    let post = post(seconds(second)).source("pbx").external(&external).key("event", &key).content(&key);
    post.edit(|s| {
        s.draft.activity = ActivityKind::Call;
        s.draft.call = Some(Box::new(call));
    })
}

fn telling(direction: Direction, number: &str) -> CallTelling {
    CallTelling { direction: Some(direction), number: CallNumber::international(number), ..CallTelling::default() }
}

fn rings(second: i64, id: &str, number: &str) -> Post {
    event_at(second, CallFacts::event(id, telling(Direction::In, number)))
}

fn ends(second: i64, id: &str, outcome: CallOutcome) -> Post {
    event_at(second, CallFacts::summary(id, CallTelling { outcome: Some(outcome), ..CallTelling::default() }))
}

fn calls_out(second: i64, id: &str, number: &str) -> Post {
    let told = CallTelling { outcome: Some(CallOutcome::NoAnswer), ..telling(Direction::Out, number) };
    event_at(second, CallFacts::summary(id, told))
}

fn offering(post: Post, unique: &str) -> Post {
    post.edit(|s| s.draft.offered.push(OfferedFile { unique: unique.to_owned(), ..OfferedFile::default() }))
}

async fn back(db: &Db, id: &str) -> CallBack {
    db.store.call(&source(), &format!("call:{id}")).await.unwrap().unwrap().back
}

async fn told(db: &Db, receipt: &Receipt) -> leadgate_core::prepare::Content {
    let lead = db.lead_of(receipt).await;
    lead.timeline.into_iter().find(|activity| Some(activity.id) == receipt.activity).unwrap().content
}

pub(crate) async fn a_call_is_decided_once(db: Db) {
    let ring = db.expect(Outcome::Noted, rings(0, "c1", ANNA)).await;
    assert_eq!(ring.reasons, [Reason::CallGoesOn]);
    let state = db.store.call(&source(), "call:c1").await.unwrap().unwrap();
    assert_eq!((state.phone.as_str(), state.over, state.place.activity), ("+79161234567", false, None));
    assert_eq!(db.store.call(&source(), "call:c2").await.unwrap(), None);
    // The end names nobody: who called was told before.
    let end = db.expect(Outcome::Created, ends(40, "c1", CallOutcome::Answered)).await;
    let agent = CallTelling { agent: Some("101".to_owned()), picked_up: true, ..CallTelling::default() };
    let late = db.expect(Outcome::Amended, event_at(41, CallFacts::event("c1", agent))).await;
    assert_eq!((late.lead, late.contact, late.activity), (end.lead, end.contact, end.activity));
    db.expect(Outcome::Repeat, event_at(41, CallFacts::event("c1", CallTelling::default()))).await;
    let lead = db.lead_of(&end).await;
    assert_eq!((lead.timeline.len(), lead.timeline[0].kind, lead.timeline[0].revisions), (1, ActivityKind::Call, 1));
    let call = lead.timeline[0].content.call.as_ref().unwrap().view();
    assert_eq!((call.outcome, call.agent.as_deref()), (Some(CallOutcome::Answered), Some("101")));
    assert_eq!(db.rows("call").await.iter().map(|row| column(row, "told")).collect::<Vec<_>>(), ["NULL"]);
    // Whoever is known by that number has it on the open lead.
    db.expect(Outcome::Noted, rings(60, "c3", ANNA)).await;
    let second = db.expect(Outcome::Attached, ends(90, "c3", CallOutcome::Answered)).await;
    assert_eq!(second.lead, end.lead);
}

pub(crate) async fn splitting_calls_changes_no_row(db: Db) {
    let posts = vec![
        offering(rings(0, "c1", ANNA), "a"),
        rings(1, "c2", OLEG),
        ends(2, "c1", CallOutcome::NoAnswer),
        offering(ends(3, "c2", CallOutcome::Answered), "b"),
        calls_out(4, "c3", ANNA),
        event_at(5, CallFacts::event("c1", CallTelling { rang: ["101".to_owned()].into(), ..CallTelling::default() })),
        rings(6, "c4", OLEG),
        event_at(
            7,
            CallFacts::event("c5", CallTelling { hidden: true, direction: Some(Direction::In), ..CallTelling::default() }),
        ),
        ends(8, "c4", CallOutcome::Busy),
        ends(9, "c5", CallOutcome::NoAnswer),
        event_at(10, CallFacts::event("c6", telling(Direction::Internal, "79990000000"))),
        event_at(11, CallFacts::silence("c6")),
    ];
    let together = db.record(posts.clone()).await;
    let expected = db.dump().await;
    for at in 1..posts.len() {
        let split = db.another().await;
        let mut receipts = split.record(posts[..at].to_vec()).await;
        receipts.extend(split.record(posts[at..].to_vec()).await);
        assert_eq!(receipts, together, "split at {at}");
        let rows = split.dump().await;
        for (table, expected) in &expected {
            assert_eq!(&rows[table], expected, "{table}, split at {at}");
        }
    }
}

pub(crate) async fn a_missed_call_waits_to_be_called_back(db: Db) {
    let db = db.with_routes(all("webhook:a")).with_source("pbx", |rules| rules.calls.call_back_within = Some(minutes(15)));
    db.expect(Outcome::Noted, rings(0, "c1", ANNA)).await;
    let missed = db.expect(Outcome::Created, ends(20, "c1", CallOutcome::NoAnswer)).await;
    assert!(missed.reasons.contains(&Reason::CallMissed));
    assert_eq!(back(&db, "c1").await, CallBack::Waits);
    let names = async || db.told().await.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names().await, ["contact.created", "lead.created", "call.missed"]);
    let due = db.store.due_timers(start() + days(1), 10).await.unwrap();
    let timer = due.iter().find(|timer| timer.kind == CALL_UNRETURNED).unwrap().clone();
    assert_eq!((timer.due_at, timer.key.as_str()), (start() + seconds(20) + minutes(15), "pbx call:c1"));
    assert_eq!(timer.key, call_key(&source(), "call:c1"));
    let end = |timer: &Timer| TimerEnd {
        timer: timer.clone(),
        again: None,
        news: Some(db.news(event::CALL_UNRETURNED, EventData { lead: missed.lead, ..EventData::default() })),
    };
    // Another number does not count; theirs does, however it is written, and whether or not they answer.
    db.expect(Outcome::Noted, calls_out(60, "c2", OLEG)).await;
    assert_eq!(back(&db, "c1").await, CallBack::Waits);
    let out = db.expect(Outcome::Attached, calls_out(70, "c3", "+7 916 123-45-67")).await;
    assert_eq!((out.lead, back(&db, "c1").await), (missed.lead, CallBack::Done));
    assert_eq!(db.store.settle_timers(vec![end(&timer)]).await.unwrap(), 1);
    assert!(!names().await.contains(&"call.unreturned".to_owned()), "somebody called back");
    // Nobody does: it is told, once.
    db.expect(Outcome::Noted, rings(100, "c4", ANNA)).await;
    db.expect(Outcome::Attached, ends(110, "c4", CallOutcome::Busy)).await;
    let due = db.store.due_timers(start() + days(1), 10).await.unwrap();
    let timer = due.iter().find(|timer| timer.kind == CALL_UNRETURNED).unwrap();
    assert_eq!(db.store.settle_timers(vec![end(timer)]).await.unwrap(), 1);
    assert_eq!(db.store.settle_timers(vec![end(timer)]).await.unwrap(), 0);
    assert_eq!(names().await.iter().filter(|name| *name == "call.unreturned").count(), 1);
}

pub(crate) async fn silence_is_due_and_decides(db: Db) {
    let db = db.with_source("pbx", |rules| rules.calls.quiet = seconds(90));
    db.expect(Outcome::Noted, rings(0, "c1", ANNA)).await;
    db.expect(Outcome::Noted, rings(30, "c1", ANNA)).await;
    let due = db.store.due_timers(start() + days(1), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].kind.as_str(), due[0].due_at),
        (CALL_QUIET, start() + seconds(90)),
        "whoever sees it looks when it last was heard of"
    );
    assert_eq!(db.store.call(&source(), "call:c1").await.unwrap().unwrap().at, start() + seconds(30));
    let silence = db.expect(Outcome::Created, event_at(120, CallFacts::silence("c1"))).await;
    assert!(db.store.call(&source(), "call:c1").await.unwrap().unwrap().over);
    assert!(told(&db, &silence).await.call.unwrap().view().is_missed());
    db.expect(Outcome::Amended, ends(125, "c1", CallOutcome::Answered)).await;
    assert!(told(&db, &silence).await.call.unwrap().view().is_answered(), "the summary knows better");
    assert_eq!(back(&db, "c1").await, CallBack::Done);
}

pub(crate) async fn many_tell_of_one_call_at_once(db: Db) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24i64 {
        let (store, rules) = (Arc::clone(&db.store), Arc::clone(&db.rules));
        let post = match n % 3 {
            0 => rings(n, "c1", ANNA),
            1 => ends(n, "c1", CallOutcome::Answered),
            _ => rings(n, &format!("other{n}"), ANNA),
        };
        let item = db.prepare(post);
        tasks.spawn(async move {
            for _ in 0..20 {
                let batch = leadgate_core::submission::Batch { items: vec![Arc::clone(&item)], cursors: Vec::new() };
                match store.record(batch, Arc::clone(&rules)).await {
                    Err(leadgate_core::ports::StoreError::Conflict) => {}
                    recorded => return recorded.unwrap().remove(0).outcome,
                }
            }
            panic!("another writer was always faster")
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Created).count(), 1, "{outcomes:?}");
    assert_eq!((db.rows("lead").await.len(), db.rows("contact").await.len(), db.rows("activity").await.len()), (1, 1, 1));
    assert_eq!(db.rows("call").await.len(), 9);
}

pub(crate) async fn who_calls_is_whoever_has_the_number_alone(db: Db) {
    let caller = async |phone: &str| db.store.caller(phone).await.unwrap();
    assert_eq!(caller("+79161234567").await, None);
    let lead =
        db.expect(Outcome::Created, post(minutes(0)).name("Анна Петрова").phone("+7 916 123-45-67").email("anna@mail.ru")).await;
    db.store
        .change_lead(lead.lead.unwrap(), vec![LeadChange::Take(ManagerId("oleg".to_owned()))], None, act(start()))
        .await
        .unwrap()
        .unwrap();
    let found = caller("+79161234567").await.unwrap();
    assert_eq!((found.contact, found.name.as_str(), found.lead), (lead.contact.unwrap(), "Анна Петрова", lead.lead));
    assert_eq!(found.responsible.as_deref(), Some("oleg"));
    // Claimed is not enough, and of several nobody is meant.
    db.expect(Outcome::Attached, post(minutes(1)).name("Анна Петрова").email("anna@mail.ru").phone("+7 903 111-22-33")).await;
    assert_eq!(caller("+79031112233").await, None);
    db.expect(Outcome::Created, post(minutes(2)).name("Геннадий Крокодилов").phone("+7 916 123-45-67")).await;
    assert_eq!(caller("+79161234567").await, None);
    let closed = db.expect(Outcome::Created, post(minutes(3)).name("Вера").phone("+7 999 123-45-67")).await;
    db.store
        .change_lead(closed.lead.unwrap(), vec![LeadChange::Close(Close::Converted)], None, act(start()))
        .await
        .unwrap()
        .unwrap();
    let found = caller("+79991234567").await.unwrap();
    assert_eq!((found.name.as_str(), found.lead), ("Вера", None::<LeadId>));
}

pub(crate) async fn a_nameless_call_on_a_landline_is_ambiguous(db: Db) {
    db.expect(Outcome::Created, post(minutes(0)).name("Анна").phone("+7 495 123-45-67")).await;
    let call = |second, id: &str| {
        let told = CallTelling { outcome: Some(CallOutcome::Answered), ..telling(Direction::In, "74951234567") };
        event_at(second, CallFacts::summary(id, told))
    };
    let receipt = db.expect(Outcome::Attached, call(60, "c1")).await;
    let lead = db.lead_of(&receipt).await;
    let ambiguous: Vec<bool> = lead.timeline.iter().map(|activity| activity.ambiguous).collect();
    assert_eq!(ambiguous.iter().filter(|ambiguous| **ambiguous).count(), 1, "{ambiguous:?}");
}

pub(crate) async fn what_was_fetched_stays(db: Db) {
    db.expect(Outcome::Noted, offering(rings(0, "c1", ANNA), "a")).await;
    let end = db.expect(Outcome::Created, ends(20, "c1", CallOutcome::Answered)).await;
    let file = FileRef {
        sha256: "00".repeat(32),
        name: "a.mp3".to_owned(),
        content_type: "audio/mpeg".to_owned(),
        size: 3,
        field: "a".to_owned(),
    };
    let fetched = Fetched { unique: "a".to_owned(), end: Ok(file) };
    db.store.keep_files(end.activity.unwrap(), vec![fetched]).await.unwrap();
    db.expect(Outcome::Amended, offering(offering(ends(30, "c1", CallOutcome::Answered), "a"), "b")).await;
    let content = told(&db, &end).await;
    assert_eq!((content.files.len(), content.files[0].field.as_str()), (1, "a"));
    assert_eq!(content.offered.iter().map(|file| file.unique.as_str()).collect::<Vec<_>>(), ["b"]);
}

pub(crate) async fn a_replay_leaves_calls_alone(db: Db) {
    let ring = rings(0, "c1", ANNA);
    let first = db.one(ring.clone()).await;
    let end = db.expect(Outcome::Created, ends(20, "c1", CallOutcome::Answered)).await;
    let before = db.dump().await;
    let again = |post: &Post, receipt: &Receipt, how| {
        let mut post = post.clone();
        post.0.id = receipt.submission;
        Arc::new(Again { item: db.prepare(post), seen: 1, how })
    };
    let items = vec![again(&ring, &first, How::Replay), again(&ends(20, "c1", CallOutcome::Busy), &end, How::Reattach)];
    let recorded = db.store.record_again(items, Arc::clone(&db.rules), false).await.unwrap();
    assert!(recorded.iter().all(|recorded| matches!(recorded, Recorded::Same(_))), "{recorded:?}");
    assert_eq!(db.dump().await, before);
}

pub(crate) async fn calls_leave_nothing_of_an_erased_person(db: Db) {
    db.expect(Outcome::Noted, rings(0, "c1", ANNA)).await;
    let receipt = db.expect(Outcome::Created, ends(20, "c1", CallOutcome::NoAnswer)).await;
    // One that goes on, and one that is another's.
    let going_on = db.one(rings(30, "c2", ANNA)).await;
    db.one(rings(40, "c3", OLEG)).await;
    let ring = db.rows("submission").await.len();
    assert_eq!(ring, 4);
    let erasure = Erasure {
        contact: receipt.contact.unwrap(),
        reason: "asked".to_owned(),
        key: ErasureKey::new([7; 32]),
        also: vec![going_on.submission],
    };
    db.store.erase(erasure, act(start() + days(1))).await.unwrap().unwrap();
    let keys: Vec<String> = db.rows("call").await.iter().map(|row| column(row, "key")).collect();
    assert_eq!(keys, ["'call:c3'"]);
}

pub(crate) async fn old_calls_are_forgotten(db: Db) {
    db.one(rings(0, "c1", ANNA)).await;
    let sweep = |after| Sweep { now: start() + after, content_keys_before: start(), ..Sweep::default() };
    db.store.sweep(sweep(days(90))).await.unwrap();
    assert_eq!(db.rows("call").await.len(), 1);
    db.store.sweep(sweep(days(90) + minutes(1))).await.unwrap();
    assert!(db.rows("call").await.is_empty());
}
