//! Calls: told by many events, decided once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ids::{ActivityId, ContactId, LeadId};
use leadgate_core::plan::CallBack;
use leadgate_core::prepare::{IdentityKind, Prepared};
use leadgate_core::receipt::{IdentityState, Outcome, Reason};
use leadgate_core::rules::{CallRules, HiddenCallers, LeadOn, LineRules, Ours, Rules, SourceRules};
use leadgate_core::submission::ActivityKind;
use proptest::prelude::*;

use crate::memory::{Delivery, Memory, rules, start};
use crate::{KEY, PHONE, Story, ids};

const DIGITS: &str = "79161234567";

fn at(n: u32) -> Timestamp {
    start() + SignedDuration::from_secs(i64::from(n))
}

fn event(n: u32, call: CallFacts) -> Delivery {
    let key = format!("event {n}");
    Delivery::new(n).key(&key).with(|s| {
        s.draft.activity = ActivityKind::Call;
        s.draft.external_key = Some(format!("call:{}", call.id));
        s.draft.call = Some(Box::new(call));
    })
}

fn telling(direction: Direction, number: &str) -> CallTelling {
    CallTelling { direction: Some(direction), number: CallNumber::international(number), ..CallTelling::default() }
}

fn rings(n: u32, id: &str, number: &str) -> Delivery {
    event(n, CallFacts::event(id, CallTelling { started: Some(at(n)), ..telling(Direction::In, number) }))
}

fn ends(n: u32, id: &str, outcome: CallOutcome) -> Delivery {
    event(n, CallFacts::summary(id, CallTelling { outcome: Some(outcome), ..CallTelling::default() }))
}

fn calls_out(n: u32, id: &str, number: &str) -> Delivery {
    event(n, CallFacts::summary(id, CallTelling { outcome: Some(CallOutcome::NoAnswer), ..telling(Direction::Out, number) }))
}

fn story(calls: CallRules) -> Story {
    Story::with(SourceRules { calls, ..SourceRules::default() })
}

fn back(story: &Story, id: &str) -> CallBack {
    story.db.calls[&("site".to_owned(), format!("call:{id}"))].back
}

fn told(story: &Story) -> Vec<&'static str> {
    story.db.events.iter().map(|(_, name)| *name).collect()
}

#[test]
fn a_call_is_decided_when_it_is_over_and_is_one_activity() {
    let mut story = Story::new();
    let ring = story.send(rings(1, "c1", DIGITS));
    assert_eq!(ids(&ring), (Outcome::Noted, None, None));
    assert!(ring.reasons.contains(&Reason::CallGoesOn));
    let end = story.send(ends(40, "c1", CallOutcome::Answered));
    assert_eq!(ids(&end), (Outcome::Created, Some(1), Some(1)), "{:?}", end.reasons);
    let late =
        story.send(event(41, CallFacts::event("c1", CallTelling { agent: Some("101".to_owned()), ..CallTelling::default() })));
    assert_eq!(ids(&late), (Outcome::Amended, Some(1), Some(1)));
    assert_eq!((story.db.activities.len(), story.db.leads.len()), (1, 1));
    let call = story.db.told[&ActivityId(1)].content.call.as_ref().unwrap().view();
    assert_eq!((call.outcome, call.agent.as_deref()), (Some(CallOutcome::Answered), Some("101")));
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Active));
    assert_eq!(told(&story), ["contact.created", "lead.created"]);
    let again = story.send(rings(50, "c1", DIGITS));
    assert_eq!(ids(&again), (Outcome::Amended, Some(1), Some(1)), "whatever comes of it later");
}

#[test]
fn one_that_rings_becomes_a_lead_at_once_where_that_is_asked() {
    let mut story = story(CallRules { lead_on: LeadOn::Ring, ..CallRules::default() });
    assert_eq!(story.send(rings(1, "c1", DIGITS)).outcome, Outcome::Created);
    assert_eq!(story.send(ends(30, "c1", CallOutcome::NoAnswer)).outcome, Outcome::Amended);
    assert_eq!(told(&story), ["contact.created", "lead.created", "call.missed"]);
    // A first event that names nobody waits for one that does.
    let nobody = event(60, CallFacts::event("c2", CallTelling { direction: Some(Direction::In), ..CallTelling::default() }));
    assert_eq!(story.send(nobody).outcome, Outcome::Noted);
    assert_eq!(story.send(rings(61, "c2", "79031112233")).outcome, Outcome::Created);
}

#[test]
fn where_only_missed_ones_count_an_answered_one_is_noted() {
    let mut story = story(CallRules { lead_on: LeadOn::Missed, ..CallRules::default() });
    story.send(rings(1, "c1", DIGITS));
    let answered = story.send(ends(30, "c1", CallOutcome::Answered));
    assert_eq!(answered.outcome, Outcome::Noted);
    assert!(answered.reasons.contains(&Reason::CallAnswered));
    story.send(rings(60, "c2", DIGITS));
    assert_eq!(story.send(ends(90, "c2", CallOutcome::Busy)).outcome, Outcome::Created);
}

#[test]
fn silence_decides_where_no_summary_comes() {
    let mut story = Story::new();
    story.send(rings(1, "c1", DIGITS));
    let silence = story.send(event(200, CallFacts::silence("c1")));
    assert_eq!(ids(&silence), (Outcome::Created, Some(1), Some(1)), "{:?}", silence.reasons);
    assert!(silence.reasons.contains(&Reason::CallMissed));
    assert_eq!(told(&story), ["contact.created", "lead.created", "call.missed"]);
}

#[test]
fn a_missed_call_waits_until_somebody_calls_back() {
    let mut story = Story::new();
    story.send(rings(1, "c1", DIGITS));
    story.send(ends(20, "c1", CallOutcome::NoAnswer));
    assert_eq!(back(&story, "c1"), CallBack::Waits);
    // It is told once, however often its end is.
    story.send(ends(25, "c1", CallOutcome::Cancelled));
    assert_eq!(told(&story).iter().filter(|name| **name == "call.missed").count(), 1);
    story.send(calls_out(30, "other", "79035556677"));
    assert_eq!(back(&story, "c1"), CallBack::Waits, "somebody else was called");
    let out = story.send(calls_out(40, "c2", "+7 916 123 45 67"));
    assert_eq!(ids(&out), (Outcome::Attached, Some(1), Some(1)), "{:?}", out.reasons);
    assert_eq!(back(&story, "c1"), CallBack::Done);
    assert_eq!(told(&story).last(), Some(&"call.made"));
    // Who gets through by another call waits no more, either.
    story.send(rings(50, "c3", DIGITS));
    story.send(ends(60, "c3", CallOutcome::Busy));
    story.send(rings(70, "c4", DIGITS));
    assert_eq!(back(&story, "c3"), CallBack::Waits);
    story.send(ends(80, "c4", CallOutcome::Answered));
    assert_eq!(back(&story, "c3"), CallBack::Done);
}

#[test]
fn what_comes_later_of_an_old_call_calls_nobody_back() {
    let mut story = Story::new();
    story.send(Delivery::new(1).name("Анна").phone(PHONE));
    let added =
        |n, id: &str| event(n, CallFacts::event(id, CallTelling { scheme: Some("Sales".to_owned()), ..CallTelling::default() }));
    // We called, they spoke with us another time, and then they ring in vain.
    story.send(calls_out(2, "out", DIGITS));
    story.send(rings(3, "in", DIGITS));
    story.send(ends(4, "in", CallOutcome::Answered));
    story.send(rings(5, "missed", DIGITS));
    story.send(ends(6, "missed", CallOutcome::NoAnswer));
    assert_eq!(back(&story, "missed"), CallBack::Waits);
    for (n, id) in [(7, "out"), (8, "in"), (9, "missed")] {
        story.send(added(n, id));
        assert_eq!(back(&story, "missed"), CallBack::Waits, "{id}: a recording, a tag");
    }
    story.send(calls_out(10, "then", DIGITS));
    assert_eq!(back(&story, "missed"), CallBack::Done);
    let missed = || told(&story).iter().filter(|name| **name == "call.missed").count();
    assert_eq!(missed(), 1);
    // What was kept of it is swept after a time; its activity stays.
    story.db.calls.clear();
    story.send(added(11, "missed").with(|s| s.draft.message = Some("a note".to_owned())));
    assert_eq!(told(&story).iter().filter(|name| **name == "call.missed").count(), 1, "nobody is told twice");
    assert_eq!(back(&story, "missed"), CallBack::Done);
}

#[test]
fn a_recording_of_a_call_that_nobody_knows_is_no_missed_call() {
    let mut story = Story::new();
    let tagged = event(1, CallFacts::event("c1", CallTelling::default())).with(|s| {
        s.draft.offered.push(OfferedFile { unique: "a".to_owned(), ..OfferedFile::default() });
    });
    assert_eq!(ids(&story.send(tagged)), (Outcome::Noted, None, None));
    assert_eq!(ids(&story.send(event(200, CallFacts::silence("c1")))), (Outcome::Noted, None, None));
    assert!(story.db.leads.is_empty() && told(&story).is_empty(), "{:?}", told(&story));
    // If the call itself is told of after all, it is decided then.
    let end = story.send(event(201, CallFacts::summary("c1", telling(Direction::In, DIGITS))));
    assert_eq!(ids(&end), (Outcome::Created, Some(1), Some(1)), "{:?}", end.reasons);
}

#[test]
fn within_a_batch_order_counts() {
    let rules = rules();
    let batch = |deliveries: Vec<Delivery>| deliveries.into_iter().map(|d| d.ready(&rules)).collect::<Vec<Arc<Prepared>>>();
    let missed = || vec![rings(1, "c1", DIGITS), ends(2, "c1", CallOutcome::NoAnswer)];
    let mut db = Memory::default();
    db.record(&batch([missed(), vec![calls_out(3, "c2", DIGITS)]].concat()), &rules);
    assert_eq!(db.calls[&("site".to_owned(), "call:c1".to_owned())].back, CallBack::Done);
    let mut db = Memory::default();
    db.record(&batch([vec![calls_out(0, "c2", DIGITS)], missed()].concat()), &rules);
    assert_eq!(db.calls[&("site".to_owned(), "call:c1".to_owned())].back, CallBack::Waits);
}

#[test]
fn hidden_callers_go_by_the_sources_rule() {
    let hidden = |id: &str| CallTelling {
        direction: Some(Direction::In),
        hidden: true,
        status: Some(id.to_owned()),
        ..CallTelling::default()
    };
    let mut as_lead = Story::new();
    as_lead.send(event(1, CallFacts::event("c1", hidden("c1"))));
    let end = as_lead.send(ends(20, "c1", CallOutcome::NoAnswer));
    assert_eq!(ids(&end), (Outcome::Created, Some(1), None));
    assert!(end.reasons.contains(&Reason::HiddenCaller));
    assert_eq!(back(&as_lead, "c1"), CallBack::Done, "nobody can call back");
    assert!(told(&as_lead).contains(&"call.missed"));
    let mut noted = story(CallRules { hidden: HiddenCallers::Note, ..CallRules::default() });
    noted.send(event(1, CallFacts::event("c1", hidden("c1"))));
    assert_eq!(noted.send(ends(20, "c1", CallOutcome::NoAnswer)).outcome, Outcome::Noted);
    assert!(noted.db.leads.is_empty());
}

#[test]
fn internal_calls_and_our_own_numbers_make_nothing() {
    let ours = Ours { phones: [KEY.to_owned()].into(), ..Ours::default() };
    let mut story = Story { rules: Rules { ours: Arc::new(ours), ..rules() }, ..Story::new() };
    story.send(rings(1, "c1", DIGITS));
    let own = story.send(ends(10, "c1", CallOutcome::NoAnswer));
    assert_eq!(own.outcome, Outcome::Noted);
    assert!(own.reasons.contains(&Reason::OursAlone), "{:?}", own.reasons);
    story.send(event(20, CallFacts::event("c2", telling(Direction::Internal, "79030000001"))));
    assert_eq!(story.send(ends(30, "c2", CallOutcome::Answered)).outcome, Outcome::Noted);
    assert!(story.db.leads.is_empty() && story.db.contacts.is_empty());
    // A leg between colleagues of a call that came in is a leg.
    story.send(event(40, CallFacts::event("c3", telling(Direction::Internal, "79030000001"))));
    story.send(rings(41, "c3", "79030000001"));
    assert_eq!(story.send(ends(50, "c3", CallOutcome::Answered)).outcome, Outcome::Created);
}

#[test]
fn an_outgoing_call_makes_nobody_and_is_an_attempt_on_the_open_lead() {
    let mut story = Story::new();
    let stranger = story.send(calls_out(1, "c1", DIGITS));
    assert_eq!(ids(&stranger), (Outcome::Noted, None, None));
    story.send(Delivery::new(2).name("Анна").phone(PHONE));
    let known = story.send(calls_out(3, "c2", DIGITS));
    assert_eq!(ids(&known), (Outcome::Attached, Some(1), Some(1)));
    assert!(story.db.told[&ActivityId(2)].content.outgoing);
    assert_eq!(story.db.leads[&LeadId(1)].touched_at, at(2), "it is nothing the customer did");
}

#[test]
fn a_call_proves_a_claimed_number() {
    let mut story = Story::new();
    story.send(Delivery::new(1).name("Анна Петрова").email("anna@mail.ru"));
    story.send(Delivery::new(2).name("Анна Петрова").email("anna@mail.ru").phone(PHONE));
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Claimed));
    story.send(rings(3, "c1", DIGITS));
    let end = story.send(ends(9, "c1", CallOutcome::Answered));
    assert_eq!(ids(&end), (Outcome::Attached, Some(1), Some(1)), "{:?}", end.reasons);
    assert_eq!(story.db.state(&IdentityKind::PHONE, KEY, 1), Some(IdentityState::Active));
}

#[test]
fn a_nameless_call_on_a_landline_is_marked_ambiguous() {
    let mut story = Story::new();
    story.send(Delivery::new(1).name("Анна").phone("+7 495 123-45-67"));
    let item = |n, id: &str| {
        event(
            n,
            CallFacts::summary(id, CallTelling { outcome: Some(CallOutcome::Answered), ..telling(Direction::In, "74951234567") }),
        )
    };
    let call = item(2, "c1").ready(&story.rules);
    let mut facts_of = story.db.clone();
    assert_eq!(facts_of.record(&[call], &story.rules)[0].lead, Some(LeadId(1)));
    let receipt = story.send(item(3, "c2"));
    assert_eq!((receipt.outcome, receipt.contact), (Outcome::Attached, Some(ContactId(1))));
}

#[test]
fn the_line_tells_where_a_caller_comes_from() {
    let mut touch = leadgate_core::attribution::Touch::default();
    touch.offer("utm_source", "billboard", leadgate_core::attribution::Origin::SourceDefault);
    let line = LineRules { touch, language: Some("ru".to_owned()), title: Some("Billboard".to_owned()) };
    let lines = Arc::new([("+74951234567".to_owned(), line)].into());
    let story = story(CallRules { lines, ..CallRules::default() });
    let telling = CallTelling { line: CallNumber::international("74951234567"), ..telling(Direction::In, DIGITS) };
    let item = event(1, CallFacts::summary("c1", telling)).ready(&story.rules);
    assert_eq!((item.touch().get("utm_source"), item.title.as_str()), (Some("billboard"), "Billboard"));
    assert_eq!(item.content.language.as_deref(), Some("ru"));
}

#[test]
fn recordings_are_asked_for_once_there_is_an_activity() {
    let recording = |unique: &str| OfferedFile { unique: unique.to_owned(), ..OfferedFile::default() };
    let mut story = Story::new();
    story.send(rings(1, "c1", DIGITS).with(|s| s.draft.offered.push(recording("a"))));
    assert!(!told(&story).contains(&"file.offered"));
    story.send(ends(2, "c1", CallOutcome::Answered));
    assert_eq!(told(&story).last(), Some(&"file.offered"));
    story.send(ends(3, "c1", CallOutcome::Busy).with(|s| s.draft.offered.push(recording("a"))));
    assert_eq!(told(&story).iter().filter(|name| **name == "file.offered").count(), 1, "nothing new is offered");
    story.send(ends(4, "c1", CallOutcome::Busy).with(|s| s.draft.offered.push(recording("b"))));
    assert_eq!(told(&story).iter().filter(|name| **name == "file.offered").count(), 2);
    let offered: Vec<&str> = story.db.told[&ActivityId(1)].content.offered.iter().map(|file| file.unique.as_str()).collect();
    assert_eq!(offered, ["a", "b"]);
}

fn events_of_a_call() -> Vec<CallFacts> {
    let leg = |agent: &str| CallTelling { rang: [agent.to_owned()].into(), ..telling(Direction::In, DIGITS) };
    vec![
        CallFacts::event("c1", CallTelling { started: Some(at(1)), ..leg("101") }),
        CallFacts::event("c1", leg("102")),
        CallFacts::event("c1", CallTelling { outcome: Some(CallOutcome::Cancelled), ..CallTelling::default() }),
        CallFacts::event("c1", CallTelling { picked_up: true, agent: Some("101".to_owned()), ..CallTelling::default() }),
        CallFacts::summary(
            "c1",
            CallTelling { outcome: Some(CallOutcome::Answered), talk_s: Some(30), ..CallTelling::default() },
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_orders_and_all_batches_give_the_same_call(
        order in Just((0..events_of_a_call().len()).collect::<Vec<_>>()).prop_shuffle(),
        doubled in 0..5usize,
        cut in 0..6usize,
        moment in prop::sample::select(vec![LeadOn::Ring, LeadOn::Finish]),
    ) {
        let rules = Rules {
            fallback: Arc::new(SourceRules { calls: CallRules { lead_on: moment, ..CallRules::default() }, ..SourceRules::default() }),
            ..rules()
        };
        let events = events_of_a_call();
        let mut sent: Vec<usize> = order;
        sent.push(doubled);
        let items: Vec<_> = (1u32..).zip(&sent).map(|(n, which)| event(n, events[*which].clone()).ready(&rules)).collect();
        let mut db = Memory::default();
        let (first, second) = items.split_at(cut.min(items.len()));
        db.record(first, &rules);
        db.record(second, &rules);
        prop_assert_eq!((db.leads.len(), db.contacts.len(), db.activities.len()), (1, 1, 1));
        let call = db.told[&ActivityId(1)].content.call.clone().unwrap();
        let mut joined = CallFacts::default();
        for facts in &events {
            joined.join(facts);
        }
        prop_assert_eq!(*call, joined);
        let missed = db.events.iter().any(|(_, name)| *name == "call.missed");
        prop_assert!(!missed);
    }
}
