//! Calls as the dialplan posts them.

use data_encoding::BASE64;
use leadgate_core::call::{CallState, CallView};
use leadgate_core::ports::{Parsed, PathToken};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call as Post, Source, source, try_source};

const COMMON: &[(&str, &str)] =
    &[("linkedid", "1795255200.10"), ("direction", "in"), ("caller", "+79161234567"), ("callee", "74951234567")];

fn post(more: &[(&str, &str)]) -> Post {
    Post::form("", &[COMMON, more].concat())
}

/// The handler of the caller's channel.
fn end(more: &[(&str, &str)]) -> Post {
    let usual =
        [("uniqueid", "1795255200.10"), ("final", "1"), ("start", "1795255200.123456"), ("at", "1795255270"), ("duration", "70")];
    post(&[&usual[..], more].concat())
}

fn leg(channel: &str, more: &[(&str, &str)]) -> Post {
    post(&[&[("uniqueid", channel), ("channel", channel), ("at", "1795255270")][..], more].concat())
}

fn facts(source: &Source, call: &Post) -> CallFacts {
    *source.one(call).draft.call.unwrap()
}

fn joined(calls: &[Post], silent: bool) -> CallView {
    let source = source(&KIND, "");
    let told: Vec<CallFacts> = calls.iter().map(|call| facts(&source, call)).collect();
    let join = |order: &mut dyn Iterator<Item = &CallFacts>| {
        let mut out = CallFacts { id: told[0].id.clone(), silent, ..CallFacts::default() };
        order.for_each(|one| out.join(one));
        out
    };
    let forth = join(&mut told.iter());
    assert_eq!(forth, join(&mut told.iter().rev()), "the order plays no part");
    forth.view()
}

#[test]
fn the_handler_of_the_caller_sums_up() {
    let call = joined(
        &[end(&[
            ("dialstatus", "ANSWER"),
            ("answeredtime", "60"),
            ("peer", "PJSIP/101"),
            ("disposition", "ANSWERED"),
            ("billsec", "68"),
        ])],
        false,
    );
    assert_eq!((call.outcome, call.talk_s, call.agent.as_deref()), (Some(CallOutcome::Answered), Some(60), Some("101")));
    assert_eq!((call.number.unwrap().typed.as_str(), call.line.unwrap().typed.as_str()), ("+79161234567", "74951234567"));
    assert_eq!(call.started.unwrap().as_second(), 1_795_255_200);
    for (status, outcome) in [
        ("NOANSWER", CallOutcome::NoAnswer),
        ("BUSY", CallOutcome::Busy),
        ("CANCEL", CallOutcome::Cancelled),
        ("CONGESTION", CallOutcome::Unreachable),
        ("CHANUNAVAIL", CallOutcome::Unreachable),
        ("DONTCALL", CallOutcome::Declined),
    ] {
        // The menu before had answered.
        let call =
            joined(&[end(&[("dialstatus", status), ("disposition", "ANSWERED"), ("billsec", "69"), ("peer", "101")])], false);
        assert!(call.is_missed(), "{status}");
        assert_eq!((call.outcome, call.wait_s, call.agent), (Some(outcome), Some(70), None), "{status}");
    }
    for (disposition, outcome) in
        [("NO ANSWER", CallOutcome::NoAnswer), ("BUSY", CallOutcome::Busy), ("FAILED", CallOutcome::Failed)]
    {
        assert_eq!(joined(&[end(&[("disposition", disposition)])], false).outcome, Some(outcome));
    }
}

#[test]
fn an_answer_of_a_menu_is_nobodys() {
    let menu = end(&[("disposition", "ANSWERED"), ("billsec", "69")]);
    let call = joined(std::slice::from_ref(&menu), false);
    assert_eq!((call.outcome, call.talk_s), (Some(CallOutcome::NoAnswer), None));
    // Any colleague's answer wins, whichever comes first.
    let call = joined(
        &[
            menu.clone(),
            leg("PJSIP/101-0000001a", &[("disposition", "NO ANSWER")]),
            leg("PJSIP/102-0000001b", &[("event", "answered"), ("at", "1795255210")]),
        ],
        false,
    );
    assert_eq!((call.outcome, call.agent.as_deref(), call.conflict), (Some(CallOutcome::Answered), Some("102"), false));
    let queue = joined(
        &[end(&[
            ("disposition", "ANSWERED"),
            ("member", "Local/103@from-queue/n"),
            ("queue", "400"),
            ("answeredtime", "0"),
            ("billsec", "61"),
        ])],
        false,
    );
    assert_eq!(
        (queue.outcome, queue.agent.as_deref(), queue.scheme.as_deref(), queue.talk_s),
        (Some(CallOutcome::Answered), Some("103"), Some("400"), Some(61))
    );
    let left = joined(&[end(&[("disposition", "ANSWERED"), ("queuestatus", "TIMEOUT"), ("queue", "400")])], false);
    assert_eq!(left.outcome, Some(CallOutcome::NoAnswer));
}

#[test]
fn without_a_final_event_quiet_decides() {
    let legs = [
        leg("PJSIP/101-0000001a", &[("disposition", "NO ANSWER")]),
        leg("PJSIP/102-0000001b", &[("disposition", "ANSWERED"), ("billsec", "30")]),
        post(&[("event", "started"), ("uniqueid", "1795255200.10"), ("at", "1795255200")]),
    ];
    assert_eq!(joined(&legs, false).state, CallState::Talking);
    let call = joined(&legs, true);
    assert_eq!((call.outcome, call.talk_s, call.agent.as_deref()), (Some(CallOutcome::Answered), Some(30), Some("102")));
    let missed = joined(&legs[..1], true);
    assert!(missed.is_missed());
    assert_eq!(source(&KIND, "").rules.calls.quiet.as_secs(), 7200, "people talk without any news");
    assert_eq!(source(&KIND, "quiet = \"30 s\"").rules.calls.quiet.as_secs(), 30);
}

#[test]
fn names_of_channels() {
    let source = source(&KIND, "");
    for (said, expected) in [
        ("PJSIP/101-0000001a", "101"),
        ("SIP/ivanov-0000001a", "ivanov"),
        ("Local/103@from-queue/n", "103"),
        ("PJSIP/sales-desk", "sales-desk"),
        ("101", "101"),
    ] {
        let told = facts(&source, &leg("x", &[("agent", said), ("disposition", "ANSWERED")]));
        assert_eq!(told.legs.agent.as_deref(), Some(expected), "{said}");
    }
}

#[test]
fn outgoing_internal_and_hidden_calls() {
    let source = source(&KIND, "");
    let of = |fields: &[(&str, &str)]| {
        facts(&source, &Post::form("", &[&[("linkedid", "1.2"), ("final", "1")][..], fields].concat())).view()
    };
    let out = of(&[
        ("direction", "out"),
        ("caller", "101"),
        ("callee", "89161234567"),
        ("dialstatus", "ANSWER"),
        ("answeredtime", "9"),
    ]);
    assert_eq!(
        (out.direction, out.outcome, out.agent.as_deref()),
        (Some(Direction::Out), Some(CallOutcome::Answered), Some("101"))
    );
    assert_eq!(out.number.unwrap().typed, "89161234567");
    let busy = of(&[("direction", "out"), ("caller", "101"), ("callee", "89161234567"), ("dialstatus", "BUSY")]);
    assert_eq!((busy.outcome, busy.agent.as_deref()), (Some(CallOutcome::Busy), Some("101")));
    // Without a word the shapes of the numbers tell.
    assert_eq!(of(&[("caller", "101"), ("callee", "102")]).direction, Some(Direction::Internal));
    assert_eq!(of(&[("caller", "101"), ("callee", "89161234567")]).direction, Some(Direction::Out));
    assert_eq!(of(&[("caller", "89161234567"), ("callee", "101")]).direction, Some(Direction::In));
    for hidden in ["anonymous", "Unknown", "Restricted"] {
        let call = of(&[("direction", "in"), ("caller", hidden), ("did", "74951234567"), ("dialstatus", "NOANSWER")]);
        assert!(call.hidden && call.number.is_none(), "{hidden}");
    }
    let nobody = of(&[("direction", "in"), ("caller", ""), ("did", "74951234567")]);
    assert_eq!((nobody.number, nobody.hidden, nobody.line.unwrap().typed.as_str()), (None, false, "74951234567"));
}

#[test]
fn times_are_the_servers_own() {
    let moscow = source(&KIND, "time_zone = \"Europe/Moscow\"");
    let naive = end(&[("start", "2026-11-21 13:00:00")]);
    let naive = Post {
        body: String::from_utf8(naive.body.clone()).unwrap().replacen("start=1795255200.123456&", "", 1).into_bytes(),
        ..naive
    };
    assert_eq!(facts(&moscow, &naive).summary.unwrap().started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert_eq!(moscow.one(&naive).occurred_at.unwrap().as_second(), 1_795_255_270);
    // A zone that is forgotten is seen by the difference of a day only; a wrong day is.
    let wrong = source(&KIND, "").one(&post(&[("final", "1"), ("uniqueid", "1"), ("at", "2020-01-01 00:00:00")]));
    assert!(wrong.occurred_at.is_none() && wrong.draft.call.unwrap().clock_wrong);
}

#[test]
fn what_else_is_sent_is_kept() {
    let source = source(&KIND, "recording_url = \"https://pbx.example.com/monitor/\"");
    let call = end(&[
        ("recording", "/var/spool/asterisk/monitor/2026/11/21/in-1.wav"),
        ("utm_source", "ya"),
        ("region", "Тула+юг"),
        ("blank", ""),
    ]);
    let draft = source.one(&call).draft;
    assert_eq!(draft.offered[0].id, "https://pbx.example.com/monitor/in-1.wav");
    assert_eq!(draft.touch.get("utm_source"), Some("ya"));
    assert_eq!((draft.fields.len(), draft.fields[0].name.as_str(), draft.fields[0].value.as_str()), (1, "region", "Тула+юг"));
    let plain = crate::testing::source(&KIND, "").one(&call).draft;
    assert!(plain.offered.is_empty() && plain.fields.iter().any(|field| field.name == "recording"));
    let keys = |call: &Post| source.one(call).keys[0].value.clone();
    assert_eq!(keys(&call), keys(&end(&[])), "a channel hangs up once");
    assert_ne!(keys(&call), keys(&post(&[("uniqueid", "1795255200.10"), ("event", "started")])));
}

#[test]
fn tries_unknown_events_and_calls_without_an_id() {
    let source = source(&KIND, "");
    for empty in [
        Post::get(""),
        Post::form("", &[]),
        Post::json("", "{}"),
        Post::get("?region=x"),
        Post { method: "HEAD", ..Post::get("?linkedid=1") },
    ] {
        assert!(matches!(source.parse(&empty), Ok(Parsed::Probe(reply)) if reply.status == 200));
    }
    let parked = source.one(&post(&[("event", "parked"), ("lot", "70")]));
    assert!(parked.draft.call.is_none() && parked.purpose == Purpose::Note);
    assert!(
        matches!(source.parse(&Post::form("", &[("final", "1"), ("caller", "89161234567")])), Err(Refusal::Unreadable(words)) if words.contains("linkedid"))
    );
    // By GET and as JSON all the same.
    let get = facts(&source, &Post::get("?linkedid=5&final=1&caller=%2B79161234567&direction=in&dialstatus=NOANSWER"));
    assert!(get.view().is_missed());
    assert_eq!(
        facts(
            &source,
            &Post::json("", r#"{"linkedid":"5","final":1,"caller":"+79161234567","direction":"in","dialstatus":"NOANSWER"}"#)
        ),
        get
    );
    let reply = source.thanks(&post(&[]));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn credentials_beside_the_token() {
    let source = source(&KIND, "user = \"asterisk\"\npassword = [\"new\", \"old\"]");
    let with = |pair: &str| end(&[]).header("Authorization", &format!("Basic {}", BASE64.encode(pair.as_bytes())));
    assert_eq!(source.refused(&with("asterisk:new")), None);
    assert_eq!(source.refused(&with("asterisk:old")), None);
    for bad in ["asterisk:neW", "root:new"] {
        assert!(source.refused(&with(bad)).is_some(), "{bad}");
    }
    assert!(source.refused(&end(&[])).is_some());
    let mut without = with("asterisk:new");
    without.token = PathToken::Absent;
    assert!(source.refused(&without).is_some());
    assert_eq!((source.refusal(&without).status, source.refusal(&without).body), (403, "forbidden\n".into()));
    assert!(try_source(&KIND, "user = \"x\"").is_err());
}

/// The dialplan that is handed out sends what is read here.
#[test]
fn the_dialplan_names_what_is_read() {
    let dialplan = include_str!("../../templates/extensions_custom.conf");
    let posted = dialplan.lines().filter(|line| !line.starts_with(';') && line.contains("=${") && line.contains("Set(LEADGATE_"));
    let mut names = 0;
    for line in posted {
        let (_, value) = line.split_once("Set(LEADGATE_").unwrap().1.split_once('=').unwrap();
        for piece in value.split('&') {
            let name: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !name.is_empty() && piece[name.len()..].starts_with("=${") {
                assert!(KNOWN.contains(&name.as_str()), "{name}: {line}");
                names += 1;
            }
        }
    }
    assert!(names >= 15, "{names}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..300), query in "[ -~]{0,80}") {
        let source = source(&KIND, "recording_url = \"https://pbx.example.com/\"");
        let _outcome = source.parse(&Post::post(&format!("?{query}"), "application/x-www-form-urlencoded", body));
    }

    #[test]
    fn no_value_panics(value in "\\PC{0,40}", which in prop::sample::select(KNOWN), last in any::<bool>()) {
        let source = source(&KIND, "recording_url = \"https://pbx.example.com/\"");
        let call = Post::form("", &[("linkedid", "1"), ("final", if last { "1" } else { "" }), (which, &value), ("channel", &value)]);
        if let Ok(Parsed::Submissions(items)) = source.parse(&call) {
            for item in items {
                if let Some(call) = item.draft.call {
                    call.bounded().view();
                }
            }
        }
    }
}
