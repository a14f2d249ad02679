//! What a source declares itself.

use leadgate_core::call::{CallOutcome, CallState, Direction};
use leadgate_core::ports::{PathToken, Refusal};

use super::*;
use crate::testing::try_source;

const OWN: &str = r#"
numbers = "international"
unit = "ms"
call_id_of = ["number", "at"]
recording_url = "https://records.example.com/{call_id}/{recording_id}.mp3"
hide = "/token"
fleeting = "/attempt"
only = { "/kind" = ["call", "ask"] }
[map]
call_id = "/call/id"
event_id = "/uid"
event = { from = "/call/state", values = { begin = "started", ring = "ringing", end = "finished", leg = "leg_ended", hello = "ping" } }
direction = { from = "/call/dir", values = { "1" = "in", "2" = "out" } }
caller = "/call/from"
callee = "/call/to"
at = "/time"
talk = "/call/talk"
outcome = { from = "/call/how", values = { ok = "answered", none = "no_answer" }, absent = "pending" }
recording_id = "/call/rec"
"field:Manager's note" = "/note"
message = { from = "/words", all = true }
"#;

#[test]
fn everything_that_can_be_declared() {
    let source = source(&KIND, OWN);
    let begin = Call::json(
        "",
        r#"{"kind":"call","uid":"e1","time":"2026-11-21T10:00:00Z","call":{"id":"c1","state":"begin","dir":1,"from":"79161234567","to":"74951234567","how":"pending"},"token":"hush"}"#,
    );
    let end = Call::json(
        "",
        r#"{"kind":"call","uid":"e2","time":"2026-11-21T10:01:00Z","note":"polite","words":["a","b"],"utm_source":"ya","extra":{"x":[1]},"call":{"id":"c1","state":"END","dir":1,"from":"79161234567","to":"101","talk":"54900","how":"OK","rec":"../r 1"}}"#,
    );
    let call = view(&source, &[begin.clone(), end.clone()]);
    assert_eq!((call.outcome, call.talk_s, call.direction), (Some(CallOutcome::Answered), Some(54), Some(Direction::In)));
    assert_eq!((number(&call), call.agent.as_deref()), (Some(("79161234567", true)), Some("101")));
    let one = source.one(&end);
    assert_eq!(one.keys[0].value, "Finished:e2");
    assert_eq!(one.draft.message.as_deref(), Some("a\nb"));
    assert_eq!(one.draft.offered[0].id, "https://records.example.com/c1/..%2Fr+1.mp3");
    let fields: Vec<_> = one.draft.fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert_eq!(fields, [("Manager's note", "polite"), ("kind", "call"), ("extra[x][0]", "1")]);
    assert!(!String::from_utf8_lossy(&source.one(&begin).raw.body).contains("hush"));
    // An event that changes only its count of tries is the same.
    let tried = |n: u8| {
        source.one(&Call::json("", &format!(r#"{{"kind":"call","attempt":{n},"call":{{"id":"c2","state":"ring"}}}}"#))).keys
    };
    assert_eq!(tried(1), tried(2));
    // Other types are answered and forgotten; pings, too.
    probe(&source, &Call::json("", r#"{"kind":"chat","call":{"id":"c1","state":"end"}}"#));
    probe(&source, &Call::json("", r#"{"kind":"call","call":{"state":"hello"}}"#));
    probe(&source, &Call::get("?kind=call&call[id]=c1&call[state]=end"));
    note(&source, &Call::json("", r#"{"kind":"call","call":{"id":"c1","state":"dtmf"}}"#));
    // Without an id two pieces together stand for it, one does not.
    let derived = |from: &str, time: &str| {
        Call::json("", &format!(r#"{{"kind":"call","time":"{time}","call":{{"state":"end","dir":1,"from":"{from}"}}}}"#))
    };
    assert!(matches!(source.parse(&derived("79161234567", "")), Err(Refusal::Unreadable(words)) if words.contains("call_id")));
}

#[test]
fn a_missing_number_and_hidden_callers() {
    let source = source(&KIND, "");
    let of = |number: &str| {
        facts(&source, &Call::json("", &format!(r#"{{"event":"finished","call_id":"1","direction":"in","number":{number}}}"#)))
            .view()
    };
    for nothing in ["null", "\"\"", "\"-\"", "\"[Number]\"", "\"{{number}}\""] {
        assert_eq!((of(nothing).number, of(nothing).hidden), (None, false), "{nothing}");
    }
    for hidden in ["\"anonymous\"", "\"Restricted\"", "\"+266696687\""] {
        assert_eq!((of(hidden).number, of(hidden).hidden), (None, true), "{hidden}");
    }
    assert_eq!(of("89161234567").number.unwrap().typed, "89161234567", "a number may be one");
    // The native names: no event means the summary.
    let bare = facts(
        &source,
        &Call::form("", &[("call_id", "2"), ("number", "89161234567"), ("direction", "in"), ("outcome", "no_answer")]),
    )
    .view();
    assert!(bare.is_missed());
    assert!(matches!(
        source.parse(&Call::form("", &[("event", "finished"), ("number", "89161234567")])),
        Err(Refusal::Unreadable(_))
    ));
}

#[test]
fn what_is_final_is_declared() {
    let end = Call::json("", r#"{"event":"finished","call_id":"1","direction":"in","outcome":"no_answer"}"#);
    let leg = Call::json("", r#"{"event":"leg_ended","call_id":"1","direction":"in","outcome":"cancelled","agent":"101"}"#);
    let usual = source(&KIND, "");
    assert_eq!(view(&usual, std::slice::from_ref(&leg)).state, CallState::Ringing);
    assert_eq!(view(&usual, &[leg.clone(), end.clone()]).outcome, Some(CallOutcome::NoAnswer));
    let never = source(&KIND, "final = []");
    assert_eq!(view(&never, std::slice::from_ref(&end)).state, CallState::Ringing);
    assert_eq!(quiet_view(&never, &[end, leg]).outcome, Some(CallOutcome::NoAnswer));
}

#[test]
fn templates_that_break_their_json() {
    let source = source(&KIND, "");
    let broken = Call::json("", "{\"event\":\"finished\",\"call_id\":\"1\",\"name\":\"ООО \"Окна\"\",\"direction\":\"in\"}");
    assert_eq!(source.one(&broken).draft.name.as_deref(), Some("ООО \"Окна\""));
}

#[test]
fn ways_in_without_a_token() {
    let basic = |pair: &str| {
        Call::json("", r#"{"event":"started","call_id":"1"}"#)
            .header("Authorization", &format!("Basic {}", BASE64.encode(pair.as_bytes())))
    };
    let source = source(
        &KIND,
        "auth = [{ basic = { user = \"pbx\", secret = \"pass\" } }, { path = true, header = { name = \"X-Key\", secret = \"k\" } }]",
    );
    let without = |mut call: Call| {
        call.token = PathToken::Absent;
        call
    };
    assert_eq!(source.refused(&without(basic("pbx:pass"))), None);
    assert!(source.refused(&without(basic("pbx:wrong"))).is_some());
    assert!(source.refused(&Call::json("", "{}")).is_some());
    let keyed = Call::json("", r#"{"event":"started","call_id":"1"}"#).header("X-Key", "k");
    assert_eq!(source.refused(&keyed), None);
    assert!(source.refused(&without(keyed)).is_some());
    let plain = crate::testing::source(&KIND, "");
    assert!(plain.refused(&without(Call::json("", r#"{"event":"started","call_id":"1"}"#))).is_some());
    assert!(source.refused(&without(Call::json("", "{broken"))).is_some(), "nothing of it is kept as if it were known");
    // What is read again was settled when it came.
    let mut again = Call::json("", r#"{"event":"started","call_id":"1"}"#);
    again.token = PathToken::Vouched;
    assert_eq!(source.submissions(&again).len(), 1);
}

#[test]
fn handshakes_are_plain_text() {
    let source = source(
        &KIND,
        "get = true\nprobe = [{ when = { \"/echo\" = \"*\" }, echo = \"/echo\" }, { when = { \"/check\" = \"1\" }, text = \"pong\" }]\nsecret = \"s\"\nauth = { path = true, field = { at = \"/key\" } }",
    );
    let reply = probe(&source, &Call::get("?echo=%3Cscript%3Eabc-1_2%22"));
    assert_eq!((reply.body, reply.headers[0].1.as_str()), ("scriptabc-1_2".into(), "text/plain; charset=utf-8"));
    assert_eq!(reply.headers[1], ("x-content-type-options", "nosniff".to_owned()));
    assert_eq!(probe(&source, &Call::get("?check=1")).body, "pong");
    assert!(source.refused(&Call::get("?call_id=1")).is_some());
}

#[test]
fn the_mapping_explains_itself() {
    let source = source(&KIND, OWN);
    let call =
        Call::json("", r#"{"kind":"call","uid":"e1","token":"hush","gclid":"G","other":"x","call":{"id":"c1","state":"begin"}}"#);
    let explained = source.explain(&call).unwrap();
    let read: Vec<_> = explained.read.iter().map(|one| (one.field.as_str(), one.value.as_str())).collect();
    assert_eq!(read, [("call_id", "c1"), ("event", "started"), ("event_id", "e1"), ("gclid", "G")]);
    let unmapped: Vec<_> = explained.unmapped.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(unmapped, ["kind", "other"]);
    let missing: Vec<_> = explained.missing.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(missing, ["caller", "direction"]);
}

#[test]
fn mistakes_in_the_config_are_told_together() {
    let problems = |text: &str| -> Vec<String> {
        try_source(&KIND, text).err().unwrap_or_default().into_iter().map(|problem| problem.key).collect()
    };
    assert_eq!(problems("preset = \"mangoo\""), ["preset"]);
    let keys = problems(
        "unit = \"min\"\nnumbers = \"x\"\nfinal = [\"ringing\"]\ncall_id_of = [\"phone\"]\nrecording_url = \"http://x/{recording_id}\"\n\
         lookup = { within = \"1 h\" }\nwhat = 1\n[map]\nphone = \"/a\"\nevent = { from = \"/e\", values = { a = \"over\" } }\n\
         outcome = { from = \"/o\", values = { a = \"great\" } }\ndirection = { from = \"/d\", constant = \"up\" }",
    );
    for key in [
        "unit",
        "numbers",
        "final",
        "call_id_of",
        "recording_url",
        "lookup.within",
        "what",
        "map.phone",
        "map.event",
        "map.outcome",
        "map.direction",
    ] {
        assert!(keys.iter().any(|known| known == key), "{key}: {keys:?}");
    }
    assert_eq!(problems("secret = \"x\""), ["secret"]);
    // A section's keys go before its preset's, and some are added to.
    let source = source(&KIND, "preset = \"calltouch\"\nget = false\nmap = { call_id = \"/own\" }");
    assert_eq!(
        facts(&source, &Call::form("", &[("own", "1"), ("callphase", "calllost"), ("callerphone", "79161234567")])).id,
        "1"
    );
}
