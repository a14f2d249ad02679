use leadgate_core::call::{CallState, Direction};
use leadgate_core::ports::{Parsed, PathToken};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call, Source, noon, source, try_source};
use crate::trials::{Told as _, in_all_orders, nonsense, survives, told};

/// 2026-11-21 10:00:00 UTC.
const NOON: i64 = 1_795_255_200;

fn pbx() -> Source {
    source(&KIND, "")
}

fn fields(event: &str, second: i64, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let date = (NOON + second).to_string();
    let mut out: Vec<(String, String)> = [
        ("domain", "okna.onpbx.ru"),
        ("event", event),
        ("direction", "inbound"),
        ("uuid", "U1"),
        ("caller", "79161234567"),
        ("callee", "101"),
        ("from_domain", "okna.onpbx.ru"),
        ("to_domain", "okna.onpbx.ru"),
        ("gateway", "74951234567"),
        ("date", &date),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    for (name, value) in more {
        out.retain(|(known, _)| known != name);
        out.push(((*name).to_owned(), (*value).to_owned()));
    }
    out
}

fn form(event: &str, second: i64, more: &[(&str, &str)]) -> Call {
    let fields = fields(event, second, more);
    let pairs: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Call::form("", &pairs)
}

fn json(event: &str, second: i64, more: &[(&str, &str)]) -> Call {
    let object: serde_json::Map<_, _> =
        fields(event, second, more).into_iter().map(|(name, value)| (name, value.into())).collect();
    Call::json("", &serde_json::to_string(&object).unwrap())
}

const ANSWERED: &[(&str, &str)] = &[
    ("call_duration", "75"),
    ("dialog_duration", "65"),
    ("hangup_cause", "NORMAL_CLEARING"),
    ("download_url", "http://api.onlinepbx.ru/calls-records/download/abc/rec.mp3"),
];

#[test]
fn an_answered_call_in_any_order() {
    let calls = [
        json("call_start", 0, &[]),
        form("call_start", 2, &[("callee", "102")]),
        json("call_answered", 10, &[]),
        form("call_end", 75, ANSWERED),
    ];
    let facts = in_all_orders(&pbx(), &calls);
    let view = facts.view();
    assert_eq!((view.state, view.outcome), (CallState::Over, Some(CallOutcome::Answered)));
    assert_eq!((view.wait_s, view.talk_s, view.agent.as_deref()), (Some(10), Some(65), Some("101")));
    assert_eq!((view.direction, view.started), (Some(Direction::In), Some(noon())));
    assert_eq!((facts.legs.rang.len(), view.line.unwrap().typed.as_str()), (2, "74951234567"));
    // A telephone that missed it is not the call.
    let one_missed =
        in_all_orders(&pbx(), &[calls[0].clone(), form("call_missed", 5, &[]), calls[2].clone(), calls[3].clone()]).view();
    assert!(one_missed.is_answered() && !one_missed.conflict);
    assert_eq!(in_all_orders(&pbx(), &[calls[0].clone(), form("call_missed", 5, &[])]).view().state, CallState::Ringing);
}

#[test]
fn json_and_form_are_the_same() {
    let numbers = r#"{"domain":"okna.onpbx.ru","event":"call_end","direction":"inbound","uuid":"U1","caller":79161234567,"callee":101,
        "gateway":"74951234567","date":1795255275,"call_duration":75,"dialog_duration":65,"hangup_cause":"NORMAL_CLEARING"}"#;
    let (json, form) = (told(&pbx().one(&Call::json("", numbers))), told(&pbx().one(&form("call_end", 75, ANSWERED))));
    assert_eq!(json, form);
    assert!(json.number_is("79161234567"));
}

#[test]
fn a_repeated_end_is_the_same_event() {
    assert_eq!(pbx().one(&form("call_end", 75, ANSWERED)).keys, pbx().one(&json("call_end", 75, ANSWERED)).keys);
    assert_ne!(pbx().one(&form("call_end", 75, ANSWERED)).keys, pbx().one(&form("call_end", 76, ANSWERED)).keys);
}

#[test]
fn calls_that_nobody_answers() {
    for (cause, outcome) in [
        ("NO_ANSWER", CallOutcome::NoAnswer),
        ("ORIGINATOR_CANCEL", CallOutcome::Cancelled),
        ("USER_BUSY", CallOutcome::Busy),
        ("call_rejected", CallOutcome::Declined),
        ("UNALLOCATED_NUMBER", CallOutcome::BadNumber),
        ("USER_NOT_REGISTERED", CallOutcome::Unreachable),
        ("NORMAL_TEMPORARY_FAILURE", CallOutcome::Failed),
        ("NORMAL_CLEARING", CallOutcome::NoAnswer),
        ("", CallOutcome::NoAnswer),
    ] {
        let end = form("call_end", 30, &[("call_duration", "30"), ("dialog_duration", "0"), ("hangup_cause", cause)]);
        let facts = in_all_orders(&pbx(), &[form("call_start", 0, &[]), form("call_missed", 29, &[]), end]);
        let view = facts.view();
        assert_eq!((view.outcome, view.is_missed(), view.agent, view.wait_s), (Some(outcome), true, None, Some(30)), "{cause}");
        assert_eq!(facts.summary.unwrap().rang.len(), 1);
    }
}

#[test]
fn calls_out_between_colleagues_and_hidden_ones() {
    let out = [("direction", "outbound"), ("caller", "101"), ("callee", "79161234567")];
    let end = [&out[..], &[("call_duration", "20"), ("dialog_duration", "0"), ("hangup_cause", "USER_BUSY")]].concat();
    let view = in_all_orders(&pbx(), &[form("call_start", 0, &out), form("call_end", 20, &end)]).view();
    assert_eq!(
        (view.direction, view.agent.as_deref(), view.outcome),
        (Some(Direction::Out), Some("101"), Some(CallOutcome::Busy))
    );
    assert_eq!((view.number.unwrap().typed.as_str(), view.line.unwrap().typed.as_str()), ("79161234567", "74951234567"));
    let local = told(&pbx().one(&form("call_start", 0, &[("direction", "local"), ("caller", "102")]))).view();
    assert_eq!((local.direction, local.number, local.hidden), (Some(Direction::Internal), None, false));
    for hidden in ["", "anonymous", "restricted"] {
        let view = told(&pbx().one(&form("call_start", 0, &[("caller", hidden)]))).view();
        assert!(view.hidden && view.number.is_none(), "{hidden:?}");
    }
    // A line with a name instead of a number is shown.
    let named = pbx().one(&form("call_start", 0, &[("gateway", "trunk-1"), ("callee", "74951234567")]));
    assert_eq!(
        (named.draft.fields[0].value.as_str(), told(&named).legs.line.unwrap().typed.as_str()),
        ("trunk-1", "74951234567")
    );
}

#[test]
fn recordings_are_fetched_by_tls() {
    let offered = pbx().one(&form("call_end", 75, ANSWERED)).draft.offered;
    assert_eq!((offered.len(), offered[0].name.as_str()), (1, "rec.mp3"));
    let fetch = pbx().push.fetch(&offered[0], None).unwrap();
    assert_eq!(fetch.url, "https://api.onlinepbx.ru/calls-records/download/abc/rec.mp3");
    assert_eq!(fetch.hosts, [".onlinepbx.ru", ".onpbx.ru"]);
    for odd in ["", "ftp://a.example/x", "javascript:1", "no link"] {
        assert!(pbx().one(&form("call_end", 75, &[("download_url", odd)])).draft.offered.is_empty(), "{odd}");
    }
}

#[test]
fn answers_pings_and_the_unknown() {
    let thanks = pbx().thanks(&form("call_start", 0, &[]));
    assert_eq!((thanks.status, thanks.body.len()), (200, 0));
    assert_eq!(pbx().refusal(&form("call_start", 0, &[])).status, 403);
    for ping in [Call::get(""), Call::post("", "", ""), Call::json("", r#"{"test":1}"#)] {
        assert!(matches!(pbx().parse(&ping), Ok(Parsed::Probe(reply)) if reply == thanks));
    }
    assert!(pbx().refused(&Call { token: PathToken::Absent, ..form("call_start", 0, &[]) }).is_some());
    let unknown = pbx().one(&form("call_transferred", 0, &[]));
    assert_eq!((unknown.purpose, unknown.draft.call.is_none()), (Purpose::Note, true));
    for event in ["call_start", "call_answered", "call_missed", "call_end"] {
        let call = form(event, 0, &[("uuid", " ")]);
        assert!(matches!(pbx().parse(&call), Err(Refusal::Unreadable(why)) if why.contains("uuid")));
    }
    let utf8 = pbx().one(&form("call_start", 0, &[("utm_campaign", "Окна + двери"), ("note", "é")]));
    assert_eq!((utf8.draft.touch.get("utm_campaign"), utf8.draft.fields.len()), (Some("Окна + двери"), 1));
    assert!(told(&pbx().one(&form("call_start", -100_000_000, &[]))).clock_wrong);
}

#[test]
fn keys_of_the_section() {
    for keys in ["domain = \"x\"", "hidden_callers = \"drop\"", "recording_after = \"2 days\""] {
        assert!(try_source(&KIND, keys).is_err(), "{keys}");
    }
    assert!(setup("ru").contains("{url}") && setup("en").contains("{url}"));
}

const WORDS: &[&str] = &[
    "event",
    "call_start",
    "call_answered",
    "call_missed",
    "call_end",
    "uuid",
    "direction",
    "inbound",
    "outbound",
    "local",
    "caller",
    "callee",
    "gateway",
    "date",
    "call_duration",
    "dialog_duration",
    "hangup_cause",
    "download_url",
    "-1",
    "4294967296",
    "http://[::1]/",
];

proptest! {
    #[test]
    fn nothing_breaks_it(call in nonsense(WORDS)) {
        survives(&pbx(), &call);
    }
}
