use proptest::prelude::*;

use super::*;
use crate::language::Language;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn outcomes() -> impl Strategy<Value = Option<CallOutcome>> {
    use CallOutcome as O;
    let all = [
        O::Failed,
        O::BadNumber,
        O::NoFunds,
        O::Blocked,
        O::Unreachable,
        O::Cancelled,
        O::Declined,
        O::Busy,
        O::NoAnswer,
        O::Voicemail,
        O::Answered,
    ];
    prop_oneof![Just(None), prop::sample::select(all.to_vec()).prop_map(Some)]
}

prop_compose! {
    fn tellings()(
        direction in prop::sample::select(vec![None, Some(Direction::In), Some(Direction::Out), Some(Direction::Internal)]),
        number in prop::option::of("\\+?[0-9]{0,12}"),
        flags in any::<[bool; 2]>(),
        names in prop::collection::btree_set("[a-c]{1,2}", 0..3),
        agent in prop::option::of("[a-c]"),
        times in any::<[Option<u8>; 3]>(),
        seconds in any::<[Option<u8>; 3]>(),
        outcome in outcomes(),
        status in prop::option::of("[A-C]"),
    ) -> CallTelling {
        let time = |at_second: Option<u8>| at_second.map(|second| at(i64::from(second)));
        CallTelling {
            direction,
            number: number.as_deref().and_then(CallNumber::international),
            hidden: flags[0],
            line: None,
            agent: agent.clone(),
            rang: names,
            scheme: agent,
            started: time(times[0]),
            answered: time(times[1]),
            ended: time(times[2]),
            wait_s: seconds[0].map(u32::from),
            talk_s: seconds[1].map(u32::from),
            total_s: seconds[2].map(u32::from),
            picked_up: flags[1],
            outcome,
            status,
        }
    }
}

prop_compose! {
    fn facts()(id in "[a-b]", legs in tellings(), summary in prop::option::of(tellings()), flags in any::<[bool; 3]>()) -> CallFacts {
        CallFacts { id, legs, summary, silent: flags[0], clock_wrong: flags[1], partly_signed: flags[2] }
    }
}

fn joined(all: &[CallFacts]) -> CallFacts {
    let mut out = CallFacts::default();
    for facts in all {
        out.join(facts);
    }
    out
}

proptest! {
    #[test]
    fn a_call_tells_the_same_in_any_order_and_however_often(
        (events, mixed) in prop::collection::vec(facts(), 1..6)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        again in any::<prop::sample::Index>(),
    ) {
        let once = joined(&events);
        prop_assert_eq!(&joined(&mixed), &once);
        let mut more = once.clone();
        more.join(again.get(&events));
        prop_assert_eq!(&more, &once);
        let (left, right) = events.split_at(again.index(events.len()));
        let mut halves = joined(left);
        halves.join(&joined(right));
        prop_assert_eq!(halves, once);
    }

    #[test]
    fn an_answered_call_is_never_missed_afterwards(call in facts(), late in facts()) {
        // What the summary said in so many words stays, whatever else comes.
        let answered = call.summary.as_ref().is_some_and(|summary| summary.outcome == Some(CallOutcome::Answered));
        let mut after = call.clone();
        after.join(&late);
        if answered {
            prop_assert_eq!(after.view().outcome, Some(CallOutcome::Answered));
        }
        // And what single events say later takes nothing away that was over.
        if call.is_over() && call.view().outcome == Some(CallOutcome::Answered) && late.summary.is_none() {
            prop_assert_eq!(after.view().outcome, Some(CallOutcome::Answered));
        }
    }

    #[test]
    fn what_is_kept_reads_back(call in facts()) {
        let json = serde_json::to_string(&call).unwrap();
        prop_assert_eq!(serde_json::from_str::<CallFacts>(&json).unwrap(), call);
    }
}

fn rings(agent: &str) -> CallFacts {
    let telling = CallTelling {
        direction: Some(Direction::In),
        number: CallNumber::international("79161234567"),
        line: CallNumber::international("74951234567"),
        rang: [agent.to_owned()].into(),
        started: Some(at(0)),
        ..CallTelling::default()
    };
    CallFacts::event("c1", telling)
}

#[test]
fn what_the_summary_says_counts_before_what_a_leg_says() {
    let picked_up = CallFacts::event("c1", CallTelling { picked_up: true, answered: Some(at(5)), ..CallTelling::default() });
    let talking = joined(&[rings("101"), picked_up.clone()]);
    assert_eq!((talking.view().state, talking.view().outcome), (CallState::Talking, None));
    let missed = CallTelling { outcome: Some(CallOutcome::NoAnswer), wait_s: Some(35), ..CallTelling::default() };
    let over = joined(&[rings("101"), picked_up.clone(), CallFacts::summary("c1", missed)]);
    assert!(over.view().is_missed() && over.view().conflict);
    // A summary without a word for it leaves it to the legs.
    let bare = joined(&[
        rings("101"),
        picked_up,
        CallFacts::summary("c1", CallTelling { ended: Some(at(65)), ..CallTelling::default() }),
    ]);
    assert!(bare.view().is_answered());
    assert_eq!((bare.view().wait_s, bare.view().talk_s), (Some(5), Some(60)));
}

#[test]
fn silence_ends_a_call_and_a_leg_that_was_given_up_does_not() {
    let given_up = CallFacts::event("c1", CallTelling { outcome: Some(CallOutcome::Cancelled), ..CallTelling::default() });
    let going_on = joined(&[rings("101"), rings("102"), given_up.clone()]);
    assert_eq!((going_on.view().state, going_on.view().is_missed()), (CallState::Ringing, false));
    assert_eq!(going_on.legs.rang.len(), 2);
    let over = joined(&[going_on, CallFacts::silence("c1")]);
    assert_eq!(over.view().outcome, Some(CallOutcome::Cancelled));
    assert!(over.view().is_missed());
    assert!(joined(&[rings("101"), CallFacts::silence("c1")]).view().is_missed());
}

#[test]
fn in_words() {
    let answered = CallTelling {
        outcome: Some(CallOutcome::Answered),
        talk_s: Some(125),
        agent: Some("101".to_owned()),
        ..CallTelling::default()
    };
    let call = joined(&[rings("101"), CallFacts::summary("c1", answered)]).view();
    assert_eq!(call.words(Language::En), "incoming call, answered to 74951234567, answered by 101, talked 2:05");
    assert_eq!(call.words(Language::Ru), "входящий звонок, отвечен на линию 74951234567, ответил 101, разговор 2:05");
    let missed = CallTelling { outcome: Some(CallOutcome::NoAnswer), wait_s: Some(35), ..CallTelling::default() };
    let call = joined(&[rings("101"), CallFacts::summary("c1", missed)]).view();
    assert_eq!(call.words(Language::En), "missed call to 74951234567, waited 0:35");
    assert_eq!(call.words(Language::Ru), "пропущенный звонок на линию 74951234567, ожидание 0:35");
    assert_eq!(call.sentence(Language::Ru), "Пропущенный звонок на линию 74951234567, ожидание 0:35");
}

#[test]
fn hostile_values_are_cut() {
    let long = "9".repeat(10_000);
    let telling = CallTelling {
        number: CallNumber::international(&long),
        agent: Some(long.clone()),
        status: Some("\0 \t".to_owned()),
        rang: (0..1000).map(|n| format!("{n:04}")).collect(),
        ..CallTelling::default()
    };
    let kept = CallFacts::event(&long, telling).bounded();
    assert!(kept.id.len() <= SHORT && kept.legs.number.unwrap().typed.len() <= SHORT);
    assert_eq!((kept.legs.rang.len(), kept.legs.status), (MOST_AGENTS, None));
}
