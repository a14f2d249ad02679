use leadgate_core::call::{CallOutcome, CallState, Direction};
use leadgate_core::ports::{Parsed, PathToken};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call, Source, noon, source, try_source};
use crate::trials::{Told as _, in_all_orders, nonsense, survives, told};

/// 2026-11-21 10:00:00 UTC.
const NOON: i64 = 1_795_255_200;

fn sipuni() -> Source {
    source(&KIND, "")
}

fn fields(event: &str, second: i64, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = [
        ("event", event),
        ("call_id", "1795255200.4711"),
        ("src_num", "79161234567"),
        ("src_type", "1"),
        ("dst_num", "012345101"),
        ("dst_type", "2"),
        ("short_src_num", "79161234567"),
        ("short_dst_num", "101"),
        ("pbxdstnum", "74951234567"),
        ("treeName", "Реклама на Яндексе"),
        ("user_id", "012345"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    out.push(("timestamp".to_owned(), (NOON + second).to_string()));
    out.push(("call_start_timestamp".to_owned(), NOON.to_string()));
    for (name, value) in more {
        out.retain(|(known, _)| known != name);
        out.push(((*name).to_owned(), (*value).to_owned()));
    }
    out
}

fn pairs_of(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn post(event: &str, second: i64, more: &[(&str, &str)]) -> Call {
    Call::form("", &pairs_of(&fields(event, second, more)))
}

fn get(event: &str, second: i64, more: &[(&str, &str)]) -> Call {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields(event, second, more)).finish();
    Call::get(&format!("?{query}"))
}

fn answered(second: i64) -> [(&'static str, String); 2] {
    [("status", "ANSWER".to_owned()), ("call_answer_timestamp", (NOON + second).to_string())]
}

#[test]
fn an_answered_call_in_any_order() {
    let said = answered(10);
    let said: Vec<_> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let link = ("call_record_link", "https://sipuni.com/api/crm/record?id=1&hash=abc");
    let end = post("2", 75, &[said.clone(), vec![link, ("last_called", "101,102")]].concat());
    let calls = [
        post("1", 0, &[]),
        get("1", 2, &[("short_dst_num", "102")]),
        post("4", 8, &[("status", "NOANSWER")]),
        get("3", 10, &said),
        end,
    ];
    let facts = in_all_orders(&sipuni(), &calls);
    let view = facts.view();
    assert_eq!((view.state, view.outcome), (CallState::Over, Some(CallOutcome::Answered)));
    assert_eq!((view.wait_s, view.talk_s, view.agent.as_deref()), (Some(10), Some(65), Some("101")));
    assert_eq!((view.direction, view.started), (Some(Direction::In), Some(noon())));
    assert_eq!((view.scheme.as_deref(), view.line.unwrap().typed.as_str()), (Some("Реклама на Яндексе"), "74951234567"));
    assert_eq!(facts.legs.rang.len(), 2);
    // An intermediate end ends nothing.
    assert_eq!(in_all_orders(&sipuni(), &calls[..3]).view().state, CallState::Ringing);
    let offered = sipuni().one(&calls[4]).draft.offered;
    assert_eq!((offered.len(), offered[0].id.as_str()), (1, link.1));
    let fetch = sipuni().push.fetch(&offered[0], None).unwrap();
    assert_eq!((fetch.hosts[0].as_str(), fetch.asks), (".sipuni.com", false));
}

#[test]
fn get_and_post_are_the_same() {
    let get = sipuni().one(&get("1", 0, &[]));
    let post = sipuni().one(&post("1", 0, &[]));
    assert_eq!(told(&get), told(&post));
    assert_eq!((get.occurred_at, &get.keys), (Some(noon()), &post.keys));
}

#[test]
fn calls_that_nobody_answers() {
    for (status, outcome) in [
        ("NOANSWER", CallOutcome::NoAnswer),
        ("CANCEL", CallOutcome::Cancelled),
        ("BUSY", CallOutcome::Busy),
        ("CONGESTION", CallOutcome::Failed),
        ("CHANUNAVAIL", CallOutcome::Unreachable),
    ] {
        let more = [
            ("status", status),
            ("call_answer_timestamp", "0"),
            ("last_called", "012345102&012345103"),
            ("call_record_link", ""),
        ];
        let facts = in_all_orders(&sipuni(), &[post("1", 0, &[]), post("2", 30, &more)]);
        let view = facts.view();
        assert_eq!((view.outcome, view.is_missed(), view.agent, view.wait_s), (Some(outcome), true, None, Some(30)), "{status}");
        let rang: Vec<_> = facts.summary.unwrap().rang.into_iter().collect();
        assert_eq!(rang, ["101", "102", "103"]);
    }
}

#[test]
fn calls_out_between_colleagues_and_hidden_ones() {
    let out = [
        ("src_num", "012345101"),
        ("src_type", "2"),
        ("short_src_num", "101"),
        ("dst_num", "79161234567"),
        ("dst_type", "1"),
        ("short_dst_num", "79161234567"),
    ];
    let end = [&out[..], &[("status", "BUSY")]].concat();
    let facts = in_all_orders(&sipuni(), &[post("1", 0, &out), post("2", 20, &end)]);
    let view = facts.view();
    assert_eq!(
        (view.direction, view.agent.as_deref(), view.outcome),
        (Some(Direction::Out), Some("101"), Some(CallOutcome::Busy))
    );
    assert!(!view.is_missed() && facts.number_is("79161234567"));
    // Without the short number, by the account's number.
    let bare = [&out[..2], &[("short_src_num", ""), ("dst_type", "1"), ("dst_num", "79161234567")]].concat();
    assert_eq!(told(&sipuni().one(&post("1", 0, &bare))).legs.agent.as_deref(), Some("101"));
    let unknown_account = [&bare[..], &[("user_id", "")]].concat();
    assert_eq!(told(&sipuni().one(&post("1", 0, &unknown_account))).legs.agent.as_deref(), Some("101"));
    let inner = told(&sipuni().one(&post("1", 0, &[("src_num", "012345102"), ("src_type", "2")])));
    assert_eq!((inner.view().direction, inner.view().number), (Some(Direction::Internal), None));
    for hidden in ["", "anonymous", "Unknown"] {
        let view = told(&sipuni().one(&post("1", 0, &[("src_num", hidden), ("short_src_num", "")]))).view();
        assert!(view.hidden && view.direction == Some(Direction::In), "{hidden:?}");
    }
}

#[test]
fn the_answer_is_always_that_all_is_well() {
    let json = [("content-type", "application/json".to_owned())];
    let thanks = sipuni().thanks(&post("1", 0, &[]));
    assert_eq!((thanks.status, &thanks.body[..], &thanks.headers[..]), (200, &br#"{"success": true}"#[..], &json[..]));
    for ping in [Call::get(""), Call::post("", "", ""), Call::form("", &[("test", "1")]), Call::get("?user=1")] {
        assert!(matches!(sipuni().parse(&ping), Ok(Parsed::Probe(reply)) if reply == thanks), "{ping:?}");
    }
    let refusal = sipuni().refusal(&post("1", 0, &[]));
    assert_eq!((refusal.status, &refusal.body[..]), (403, &br#"{"success": false}"#[..]));
    assert!(sipuni().refused(&Call { token: PathToken::Absent, ..post("1", 0, &[]) }).is_some());
    assert_eq!(sipuni().refused(&Call { token: PathToken::Vouched, ..post("1", 0, &[]) }), None);
}

#[test]
fn what_nobody_knows_is_kept_and_what_has_no_id_is_unreadable() {
    let unknown = sipuni().one(&post("9", 0, &[]));
    assert_eq!((unknown.purpose, unknown.draft.call.is_none()), (Purpose::Note, true));
    for event in ["1", "2", "3", "4"] {
        let call = post(event, 0, &[("call_id", "")]);
        assert!(matches!(sipuni().parse(&call), Err(Refusal::Unreadable(why)) if why.contains("call_id")));
    }
    // Odd times are no times; years off, they are not believed.
    let odd = told(&sipuni().one(&post("1", 0, &[("timestamp", "soon"), ("call_start_timestamp", "")])));
    assert_eq!(odd.legs.started, None);
    let old = told(&sipuni().one(&post("1", -100_000_000, &[])));
    assert!(old.clock_wrong);
    // Repeated and UTF-8 fields, and what else is told.
    let more = sipuni().one(&post("1", 0, &[("transfer_from", "103"), ("utm_source", "яндекс"), ("treeName", "é + %")]));
    assert_eq!((more.draft.touch.get("utm_source"), more.draft.fields.len()), (Some("яндекс"), 1));
    assert_eq!(told(&more).legs.scheme.as_deref(), Some("é + %"));
}

#[test]
fn keys_of_the_section() {
    for keys in ["token_name = \"x\"", "quiet = \"1 s\"", "call_back = false\ncall_back_within = \"1 min\""] {
        assert!(try_source(&KIND, keys).is_err(), "{keys}");
    }
    assert_eq!(sipuni().rules.calls.quiet, jiff::SignedDuration::from_hours(2));
    assert!(setup("ru").contains("{url}") && setup("en").contains("{url}"));
}

const WORDS: &[&str] = &[
    "event",
    "call_id",
    "1",
    "2",
    "3",
    "4",
    "src_num",
    "src_type",
    "dst_num",
    "dst_type",
    "short_src_num",
    "timestamp",
    "call_start_timestamp",
    "call_answer_timestamp",
    "status",
    "ANSWER",
    "last_called",
    "user_id",
    "call_record_link",
    "000000",
    "0123456789",
    "9223372036854775807",
];

proptest! {
    #[test]
    fn nothing_breaks_it(call in nonsense(WORDS)) {
        survives(&sipuni(), &call);
    }
}
