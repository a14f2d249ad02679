use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallState, Direction};
use leadgate_core::ports::{Parsed, PathToken};
use leadgate_core::submission::Submission;
use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;

use super::*;
use crate::testing::{Call, Source, noon, source, text, try_source};

const KEY: &str = "public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"";

fn telnyx() -> Source {
    source(&KIND, KEY)
}

fn with_keys(keys: &str) -> Source {
    source(&KIND, keys)
}

fn key(first: u8) -> Ed25519KeyPair {
    let seed: Vec<u8> = (first..first + 32).collect();
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

/// Signs a call at a time.
fn sign(call: Call, key: &Ed25519KeyPair, at: Timestamp) -> Call {
    let stamp = at.as_second().to_string();
    let made = key.sign(&[stamp.as_bytes(), b"|", call.body.as_slice()].concat());
    call.header("Telnyx-Signature-Ed25519", &BASE64.encode(made.as_ref())).header("Telnyx-Timestamp", &stamp)
}

fn signed(call: Call) -> Call {
    sign(call, &key(0), noon())
}

fn control(kind: &str, payload: &serde_json::Value) -> Call {
    event("0ccc7b54", kind, "2026-11-21T09:59:00.000000Z", payload)
}

fn event(id: &str, kind: &str, at: &str, payload: &serde_json::Value) -> Call {
    let body = serde_json::json!({
        "data": { "record_type": "event", "event_type": kind, "id": id, "occurred_at": at, "payload": payload },
        "meta": { "attempt": 1, "delivered_to": "https://gw.example.com" },
    });
    signed(Call::json("", &body.to_string()))
}

fn facts(item: &Submission) -> &CallFacts {
    item.draft.call.as_ref().unwrap()
}

#[test]
fn vector() {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let body = r#"{"data":{"record_type":"event","event_type":"call.hangup","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0"}}"#;
    let call = |body: &str| {
        let signature = "xdswk2Lfun0OP90TtcQ1+S0NLHlNDAASW+ACoM/cPTb4qck+iN+PRJ5eixCwrA4PexEjpO4v6B/PhnT2B34NDg==";
        Call::json("", body).at(at).header("Telnyx-Signature-Ed25519", signature).header("Telnyx-Timestamp", "1700000000")
    };
    let source = telnyx();
    // What it tells is of no call, and that is seen only because the signature holds.
    let Err(Refusal::Unreadable(why)) = source.parse(&call(body)) else { panic!() };
    assert!(why.contains("call_session_id"), "{why}");
    assert!(source.refused(&call(&format!("{body} "))).is_some());
    let refusal = source.parse(&call(&body.replace("hangup", "hangUp")));
    let Err(Refusal::Unproven { signed, .. }) = refusal else { panic!() };
    assert_eq!(signed, "1700000000|103 bytes of the body");
}

#[test]
fn only_what_is_signed_now_by_the_account() {
    let source = telnyx();
    let call = Call::json("", r#"{"data":{"event_type":"call.cost","id":"1","payload":{"call_session_id":"s"}}}"#);
    assert!(source.refused(&call).unwrap().contains("no signature"));
    assert!(source.refused(&sign(call.clone(), &key(1), noon())).unwrap().contains("public_key"));
    for (seconds, held) in [(0, false), (300, false), (-300, false), (301, true), (-301, true), (86_400 * 365, true)] {
        let at = noon() + SignedDuration::from_secs(seconds);
        let item = source.one(&sign(call.clone(), &key(0), at));
        assert_eq!(
            item.hold.as_ref().map(|hold| (hold.code.as_str(), hold.authenticated)),
            held.then_some(("clock", true)),
            "{seconds}"
        );
    }
    // A wrong signature is no expired one.
    assert!(source.refused(&sign(call.clone(), &key(1), noon() - SignedDuration::from_hours(1))).is_some());
    for (name, value) in [
        ("telnyx-timestamp", "+1795255200"),
        ("telnyx-timestamp", ""),
        ("telnyx-timestamp", "99999999999999999999"),
        ("telnyx-signature-ed25519", "xyz"),
        ("telnyx-signature-ed25519", "AAAA"),
    ] {
        let mut call = signed(call.clone());
        let header = call.headers.iter_mut().find(|(known, _)| known == name).unwrap();
        value.clone_into(&mut header.1);
        assert!(source.refused(&call).is_some(), "{name}: {value}");
    }
    // Two keys while one is changed.
    let other = BASE64.encode(ring::signature::KeyPair::public_key(&key(1)).as_ref());
    let both = with_keys(&format!("{}, {other:?}]", KEY.replace("= ", "= [")));
    for first in [0, 1] {
        assert!(both.refused(&sign(call.clone(), &key(first), noon())).is_none());
    }
    let wrong = |keys: &str| try_source(&KIND, keys).err().map(|problems| problems[0].key.clone());
    assert_eq!(wrong("").as_deref(), Some("public_key"));
    assert_eq!(wrong("public_key = \"A6EH\"").as_deref(), Some("public_key"));
    assert_eq!(wrong(&format!("{KEY}\noutgoing_legs = \"x\"")).as_deref(), Some("outgoing_legs"));
}

#[test]
fn the_query_is_not_signed() {
    let source = telnyx();
    let form =
        |behind: &str| signed(Call::form(behind, &[("CallSid", "v3:1"), ("CallStatus", "completed"), ("From", "+79161234567")]));
    assert!(!facts(&source.one(&form(""))).partly_signed);
    assert!(facts(&source.one(&form("?To=%2B74951234567"))).partly_signed);
    let item = source.one(&signed(Call::get("?CallSid=v3:1&CallStatus=busy")));
    assert!(facts(&item).partly_signed);
}

fn incoming() -> serde_json::Value {
    serde_json::json!({
        "call_session_id": "s1", "call_leg_id": "l1", "call_control_id": "c1", "direction": "incoming",
        "from": "+79161234567", "to": "+74951234567", "start_time": "2026-11-21T09:59:00.000000Z",
    })
}

fn outgoing() -> serde_json::Value {
    serde_json::json!({
        "call_session_id": "s1", "call_leg_id": "l2", "direction": "outgoing", "from": "+74951234567", "to": "+79031112233",
    })
}

fn with(mut value: serde_json::Value, more: &[(&str, &str)]) -> serde_json::Value {
    for (name, said) in more {
        value[*name] = (*said).into();
    }
    value
}

#[test]
fn a_call_with_two_legs() {
    let source = telnyx();
    let calls = [
        event("1", "call.initiated", "2026-11-21T09:59:00Z", &incoming()),
        event("2", "call.answered", "2026-11-21T09:59:01Z", &incoming()),
        event("3", "call.initiated", "2026-11-21T09:59:02Z", &outgoing()),
        event("4", "call.answered", "2026-11-21T09:59:10Z", &outgoing()),
        event("5", "call.bridged", "2026-11-21T09:59:11Z", &serde_json::json!({ "call_session_id": "s1" })),
        event("6", "call.hangup", "2026-11-21T09:59:40Z", &with(outgoing(), &[("hangup_cause", "normal_clearing")])),
        event("7", "call.hangup", "2026-11-21T09:59:40Z", &with(incoming(), &[("hangup_cause", "normal_clearing")])),
        event("8", "call.cost", "2026-11-21T09:59:59Z", &serde_json::json!({ "call_session_id": "s1" })),
    ];
    let view = source.joined(&calls).view();
    assert_eq!((view.direction, view.outcome), (Some(Direction::In), Some(CallOutcome::Answered)));
    assert_eq!(view.number, CallNumber::international("+79161234567"));
    assert_eq!(view.line, CallNumber::international("+74951234567"));
    assert_eq!((view.agent.as_deref(), view.talk_s, view.wait_s), (Some("+79031112233"), Some(30), Some(10)));
    // A menu that answered is nobody.
    assert_eq!(source.joined(&calls[..3]).view().state, CallState::Ringing);
    assert_eq!(source.joined(&calls[..4]).view().state, CallState::Talking);
    assert!(source.joined(&[calls[1].clone(), calls[6].clone()]).view().is_missed());
    let item = source.one(&calls[0]);
    assert_eq!(item.draft.external_key.as_deref(), Some("call:s1"));
    assert_eq!(item.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:00Z"));
    assert_eq!(item.keys, source.one(&calls[0]).keys);
    assert_ne!(item.keys, source.one(&calls[1]).keys);
}

#[test]
fn calls_that_nobody_answered() {
    let source = telnyx();
    let over = control("call.hangup", &with(incoming(), &[("hangup_cause", "normal_clearing")]));
    for (cause, outcome) in [
        ("timeout", CallOutcome::NoAnswer),
        ("no_answer", CallOutcome::NoAnswer),
        ("user_busy", CallOutcome::Busy),
        ("call_rejected", CallOutcome::Declined),
        ("not_found", CallOutcome::BadNumber),
    ] {
        let leg = control("call.hangup", &with(outgoing(), &[("hangup_cause", cause)]));
        assert_eq!(source.joined(&[leg, over.clone()]).view().outcome, Some(outcome), "{cause}");
    }
    let gone = control("call.hangup", &with(incoming(), &[("hangup_cause", "originator_cancel"), ("from", "anonymous")]));
    let view = facts(&source.one(&gone)).view();
    assert_eq!((view.outcome, view.hidden, view.number), (Some(CallOutcome::Cancelled), true, None));
    let nobody = control("call.hangup", &with(incoming(), &[("hangup_cause", "user_busy"), ("from", "")]));
    let view = facts(&source.one(&nobody)).view();
    assert_eq!((view.outcome, view.hidden, view.number), (Some(CallOutcome::Busy), false, None));
    // A telephone of ours answers the number.
    let own = with_keys(&format!("{KEY}\ncompleted_is_answered = true"));
    let view = own.joined(&[control("call.answered", &incoming()), over]).view();
    assert_eq!(view.outcome, Some(CallOutcome::Answered));
}

#[test]
fn calls_to_customers() {
    let source = source(&KIND, &format!("{KEY}\noutgoing_legs = \"customers\""));
    let calls = [
        event("1", "call.initiated", "2026-11-21T09:59:02Z", &outgoing()),
        event("2", "call.answered", "2026-11-21T09:59:10Z", &outgoing()),
        event("3", "call.hangup", "2026-11-21T09:59:40Z", &with(outgoing(), &[("hangup_cause", "normal_clearing")])),
    ];
    let mut facts = source.joined(&calls);
    facts.join(&CallFacts::silence("s1"));
    let view = facts.view();
    assert_eq!((view.direction, view.outcome, view.talk_s), (Some(Direction::Out), Some(CallOutcome::Answered), Some(30)));
    assert_eq!(view.number, CallNumber::international("+79031112233"));
    assert_eq!(view.line, CallNumber::international("+74951234567"));
    // By default nobody's number is taken for a customer's.
    assert_eq!(telnyx().joined(&calls).view().number, None);
    // A registered telephone is never a customer.
    let ours = control("call.answered", &with(outgoing(), &[("to", "sip:ivanov@sip.telnyx.com")]));
    assert_eq!(source.joined(&[ours]).view().agent.as_deref(), Some("ivanov"));
}

#[test]
fn recordings_are_offered_once() {
    let source = telnyx();
    let saved = |signature: &str| {
        let urls = serde_json::json!({ "mp3": format!("https://s3.amazonaws.com/telnyx/rec/1.mp3?sig={signature}") });
        let payload = serde_json::json!({ "call_session_id": "s1", "recording_id": "r1", "recording_urls": urls });
        source.one(&control("call.recording.saved", &payload))
    };
    let (one, two) = (saved("a"), saved("b"));
    assert_eq!(one.draft.external_key.as_deref(), Some("call:s1"));
    assert_eq!((one.draft.offered[0].unique.as_str(), one.draft.offered[0].name.as_str()), ("r1", "1.mp3"));
    assert_eq!(one.draft.offered[0].unique, two.draft.offered[0].unique);
    let fetch = source.push.fetch(&one.draft.offered[0], None).unwrap();
    assert!(fetch.url.ends_with("?sig=a") && fetch.headers.is_empty());
    for host in [".telnyx.com", "s3.amazonaws.com", ".s3.us-east-1.amazonaws.com"] {
        assert!(fetch.hosts.iter().any(|known| known == host), "{host}");
    }
}

#[test]
fn texml_speaks_like_twilio() {
    let source = source(&KIND, &format!("{KEY}\nforward = \"+79031112233\""));
    let over = [
        ("AccountSid", "f5586561"),
        ("CallSid", "v3:1"),
        ("CallStatus", "completed"),
        ("CallbackSource", "call-progress-events"),
        ("From", "+35319605860"),
        ("To", "+13129457420"),
        ("SequenceNumber", "3"),
        ("Timestamp", "2026-11-21 09:59:40.731479Z"),
        ("StartTime", "2026-11-21T09:59:00Z"),
        ("EndTime", "2026-11-21T09:59:40Z"),
        ("CallDuration", "40"),
        ("CallSessionId", "session-abc123"),
    ];
    let child = [
        ("CallSid", "v3:2"),
        ("ParentCallSid", "v3:1"),
        ("CallStatus", "completed"),
        ("CallDuration", "25"),
        ("To", "+79031112233"),
        ("CallbackSource", "call-progress-events"),
    ];
    let calls = [signed(Call::form("", &over)), signed(Call::form("", &child))];
    let own = self::source(&KIND, KEY);
    let view = own.joined(&calls).view();
    assert_eq!((view.outcome, view.talk_s, view.direction), (Some(CallOutcome::Answered), Some(25), Some(Direction::In)));
    assert_eq!(view.number, CallNumber::international("+35319605860"));
    assert_eq!(view.started.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:00Z"));
    assert!(facts(&own.one(&calls[0])).view().is_missed());
    // Where we put calls through, the dial decides, which may be told later.
    assert!(!facts(&source.one(&calls[0])).is_over());
    // The caller's own leg may say how the dial went.
    let dialled =
        [&over[..], &[("DialCallStatus", "completed"), ("DialCallDuration", "25"), ("HangupCause", "normal_clearing")]].concat();
    let item = source.one(&signed(Call::form("", &dialled)));
    assert_eq!(facts(&item).view().outcome, Some(CallOutcome::Answered));
    assert_eq!(item.draft.fields[0].value, "normal_clearing");
    let thanks = source.thanks(&signed(Call::form("", &dialled)));
    assert_eq!((thanks.status, text(&thanks)), (200, ""));
    // And calls are put through.
    let ring = signed(Call::form("/voice", &[("CallSid", "v3:1"), ("CallStatus", "ringing"), ("From", "+35319605860")]));
    assert_eq!(source.asked(&ring).0, CallNumber::international("+35319605860"));
    assert!(text(&source.known(&ring, None)).contains("<Number>+79031112233</Number>"));
    let dial = signed(Call::form("/voice/dial", &[("CallSid", "v3:1"), ("DialCallStatus", "no-answer")]));
    assert_eq!(facts(&source.one(&dial)).view().outcome, Some(CallOutcome::NoAnswer));
    assert!(text(&source.thanks(&dial)).ends_with("<Response/>"));
}

#[test]
fn what_is_no_event_of_a_call() {
    let source = telnyx();
    assert_eq!(source.probe(&signed(Call::json("", ""))).status, 200);
    let message = control("message.received", &serde_json::json!({ "text": "hello" }));
    let item = source.one(&message);
    assert!(item.draft.call.is_none());
    // How often it was tried to tell it makes it no other event.
    let again = |attempt: u8| {
        let body = format!(r#"{{"data":{{"event_type":"fax.sent","payload":{{"a":1}}}},"meta":{{"attempt":{attempt}}}}}"#);
        source.one(&signed(Call::json("", &body))).keys
    };
    assert_eq!(again(1), again(2));
}

#[test]
fn the_example_is_right() {
    crate::testing::example_is_right(&KIND);
    assert_eq!(with_keys(&format!("{KEY}\nquiet = \"30 s\"")).rules.calls.quiet, SignedDuration::from_secs(30));
}

#[test]
fn whoever_calls_does_not_wait_for_a_database() {
    let source = telnyx();
    let ring = signed(Call::form("/voice", &[("CallSid", "v3:1")]));
    assert_eq!(source.busy(&ring), source.known(&ring, None));
    assert_eq!(source.busy(&Call { token: PathToken::Absent, ..ring }).status, 503);
    assert_eq!(source.busy(&signed(Call::form("", &[("CallSid", "v3:1")]))).status, 503);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_holds_and_nothing_else(
        name in "[a-z]{1,8}", value in "[^\"\\\\\\p{C}]{0,20}", at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let source = telnyx();
        let call = signed(Call::json("", &format!("{{\"{name}\":\"{value}\"}}")));
        prop_assert!(matches!(source.parse(&call), Ok(Parsed::Submissions(_))));
        let mut changed = call.clone();
        let place = at.index(changed.body.len());
        changed.body[place] ^= 1 << bit;
        prop_assert!(source.parse(&changed).is_err());
        let mut late = call;
        let stamp = &mut late.headers.iter_mut().find(|(name, _)| name == "telnyx-timestamp").unwrap().1;
        stamp.push('0');
        prop_assert!(source.refused(&late).is_some());
    }

    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..300), query in "\\PC{0,80}", rest in "(/voice|/voice/dial|)") {
        let source = telnyx();
        let mut call = Call::post(&format!("{rest}?{query}"), "application/json", body);
        for token in [PathToken::Vouched, PathToken::Valid] {
            call.token = token;
            drop(source.parse(&call));
            drop(source.thanks(&call));
        }
    }

    #[test]
    fn no_payload_panics(kind in "call\\.(hangup|answered|initiated|bridged|recording\\.saved)", direction in "(incoming|outgoing|x)", from in "\\PC{0,12}", to in "\\PC{0,12}", cause in "\\PC{0,8}") {
        let payload = serde_json::json!({ "call_session_id": "s", "direction": direction, "from": from, "to": to, "hangup_cause": cause });
        drop(telnyx().parse(&control(&kind, &payload)));
    }
}
