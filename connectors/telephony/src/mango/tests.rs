use jiff::SignedDuration;
use leadgate_core::call::{CallOutcome, CallState, Direction};
use leadgate_core::ports::{Parsed, PathToken, Refusal};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call, Source, known, noon, source, try_source};
use crate::trials::{Told as _, in_all_orders, nonsense, survives, told};

const KEYS: &str = "key = \"code\"\nsalt = \"salt\"";
/// 2026-11-21 10:00:00 UTC.
const NOON: i64 = 1_795_255_200;

fn mango() -> Source {
    source(&KIND, KEYS)
}

fn signed(path: &str, json: &str, key: &str, salt: &str) -> Call {
    let sign = sign::of(key, json, &Secret::new(salt));
    Call::form(path, &[("vpbx_api_key", key), ("sign", &sign), ("json", json)])
}

fn event(path: &str, json: &str) -> Call {
    signed(path, json, "code", "salt")
}

/// A leg of an incoming call.
fn leg(state: &str, second: i64, more: &str) -> Call {
    let at = NOON + second;
    let json = format!(
        r#"{{"entry_id":"E1","call_id":"L{second}","timestamp":{at},"seq":"{second}","call_state":"{state}","location":"abonent",
            "from":{{"number":"79161234567"}},"to":{{"extension":"101","number":"sip:user@vpbx","line_number":"74951234567","acd_group":"Sales"}}{more}}}"#
    );
    event("/events/call", &json)
}

fn summary(direction: u8, sides: &str, talk: i64, result: u8, reason: u32) -> Call {
    let talk = if talk == 0 { 0 } else { NOON + talk };
    let json = format!(
        r#"{{"entry_id":"E1","call_direction":{direction},{sides},"line_number":"74951234567","create_time":{NOON},"forward_time":{NOON},
            "talk_time":{talk},"end_time":{},"entry_result":{result},"disconnect_reason":{reason}}}"#,
        NOON + 75
    );
    event("/events/summary", &json)
}

const IN: &str = r#""from":{"number":"79161234567"},"to":{"extension":"101","number":"sip:user@vpbx"}"#;
const OUT: &str = r#""from":{"extension":"101","number":"sip:user@vpbx"},"to":{"number":"79161234567"}"#;

#[test]
fn the_vendors_own_signatures() {
    for (json, sign) in [
        (
            r#"{"command_id":"your-command-id","from":{"extension":"<extension>","number":""},"to_number":"<to_number>"}"#,
            "afdeb462cd5e0e422a9c9220390124608df06a4472cb1add6ebd6e24184bd15a",
        ),
        (
            r#"{"command_id":"your-command-id","call_id":"<CALL_ID>"}"#,
            "2d1d01246f52cec1fdb44f2a4d7091dc54f67e318369c0628201d66b5d336ef0",
        ),
        (
            r#"{"date_from":"1445288400","date_to":"1445374859","from":{"extension":"","number":""},"to":{"extension":"","number":""}}"#,
            "94e263aa0aa65d77481b86e9224fa2230265faa387322e40716389406982c0fb",
        ),
        (r#"{"key":"<REQUEST_KEY>"}"#, "515069b8c079df62f408e36dd7933912b8e86d833c5927ee77eb4b68d766c4f5"),
    ] {
        assert_eq!(sign::of("<YOUR_API_KEY>", json, &Secret::new("<YOUR_API_SALT>")), sign);
        let source = source(&KIND, "key = \"<YOUR_API_KEY>\"\nsalt = \"<YOUR_API_SALT>\"");
        let fields = [("vpbx_api_key", "<YOUR_API_KEY>"), ("sign", sign), ("json", json)];
        assert!(source.refused(&Call::form("/result/callback", &fields)).is_none(), "{json}");
    }
}

#[test]
fn one_changed_byte_and_the_signature_is_wrong() {
    let source = mango();
    let call = leg("Appeared", 0, "");
    assert!(source.refused(&call).is_none());
    let json = r#"{"entry_id":"E1","call_state":"Appeared"}"#;
    let sign = sign::of("code", json, &Secret::new("salt"));
    let with = |key: &str, sign: &str, json: &str| Call::form("", &[("vpbx_api_key", key), ("sign", sign), ("json", json)]);
    assert!(source.refused(&with("code", &sign, json)).is_none());
    assert!(source.refused(&with("code", &sign.to_uppercase(), json)).is_none());
    for changed in [format!("{json} "), json.replace("E1", "E2"), json.replace('{', "{ ")] {
        assert!(source.refused(&with("code", &sign, &changed)).unwrap().contains("signature"), "{changed}");
    }
    assert!(source.refused(&with("other", &sign, json)).unwrap().contains("another PBX"));
    let of_other = sign::of("other", json, &Secret::new("salt"));
    assert!(source.refused(&with("other", &of_other, json)).is_some());
    for (key, sign) in [("", sign.as_str()), ("code", ""), ("code", "00")] {
        assert!(source.refused(&with(key, sign, json)).is_some());
    }
    // What stands there twice is read by one value and could be signed by the other.
    let twice = [("vpbx_api_key", "code"), ("sign", &sign), ("json", json), ("json", r#"{"entry_id":"E9"}"#)];
    assert!(source.refused(&Call::form("", &twice)).unwrap().contains("twice"));
    assert!(source.refused(&Call::form("?json=%7B%7D", &[("vpbx_api_key", "code"), ("sign", &sign), ("json", json)])).is_some());
    assert!(source.refused(&Call { token: PathToken::Absent, ..call.clone() }).is_some());
    assert_eq!(source.refusal(&call).status, 403);
    let Err(Refusal::Unproven { signed, .. }) = source.parse(&with("code", "00", json)) else { panic!("not refused") };
    assert_eq!(signed, "vpbx_api_key+json+salt");
}

#[test]
fn what_was_signed_is_the_text_as_it_was_sent() {
    // Spaces, Russian letters, pluses and escapes: nothing is written anew.
    let json = "{ \"entry_id\" : \"E1\",\"call_state\":\"Appeared\",\"from\":{\"number\":\"+79161234567\"},\"to\":{\"acd_group\":\"Отдел + \\u0441\"} }";
    let submission = mango().one(&event("/events/call/", json));
    assert!(told(&submission).number_is("+79161234567"));
    assert_eq!(told(&submission).legs.scheme.as_deref(), Some("Отдел + с"));
    let sign = sign::of("code", json, &Secret::new("salt"));
    let parts = Call::multipart("/events/call", &[("vpbx_api_key", "code"), ("sign", &sign), ("json", json)]);
    assert_eq!(told(&mango().one(&parts)), told(&submission));
}

#[test]
fn keys_are_changed_without_losing_a_call() {
    let source = source(&KIND, "key = [\"new\", \"code\"]\nsalt = [\"pepper\", \"salt\"]");
    let json = r#"{"entry_id":"E1","call_state":"Appeared"}"#;
    for (key, salt) in [("code", "salt"), ("new", "pepper"), ("code", "pepper")] {
        assert!(source.refused(&signed("/events/call", json, key, salt)).is_none());
    }
    assert!(source.refused(&signed("/events/call", json, "code", "sugar")).is_some());
}

#[test]
fn the_cabinets_check_is_answered_and_not_stored() {
    for call in [
        Call::form("", &[("vpbx_api_key", "code"), ("sign", "x")]),
        Call::form("/events/call", &[("vpbx_api_key", "code"), ("json", " ")]),
        Call::post("", "", ""),
        Call::get(""),
    ] {
        let Ok(Parsed::Probe(reply)) = mango().parse(&call) else { panic!("{call:?}") };
        assert_eq!((reply.status, reply.body.len()), (200, 0));
    }
    let reply = mango().thanks(&leg("Appeared", 0, ""));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn an_answered_call_in_any_order() {
    let source = mango();
    let queue = event(
        "/events/call",
        &format!(
            r#"{{"entry_id":"E1","call_id":"Q","timestamp":{NOON},"seq":1,"call_state":"Connected","location":"queue","from":{{"number":"79161234567"}},"to":{{"number":"74951234567"}}}}"#
        ),
    );
    let calls = [
        queue,
        leg("Appeared", 1, ""),
        leg("Connected", 10, ""),
        leg("Disconnected", 75, ",\"disconnect_reason\":1110"),
        summary(1, IN, 10, 1, 1110),
        event("/events/record/added", r#"{"entry_id":"E1","recording_id":"R1","product_id":1,"user_id":2}"#),
    ];
    let facts = in_all_orders(&source, &calls);
    let view = facts.view();
    assert_eq!((view.state, view.outcome), (CallState::Over, Some(CallOutcome::Answered)));
    assert_eq!((view.wait_s, view.talk_s, view.agent.as_deref()), (Some(10), Some(65), Some("101")));
    assert_eq!((view.direction, view.scheme.as_deref()), (Some(Direction::In), Some("Sales")));
    assert_eq!(view.line.unwrap().typed, "74951234567");
    assert!(!view.conflict && !facts.partly_signed && !facts.clock_wrong);
    // A queue that picks up is nobody who talks.
    let waits = in_all_orders(&source, &calls[..2]).view();
    assert_eq!(waits.state, CallState::Ringing);
    // A leg's end is not the call's.
    assert_eq!(in_all_orders(&source, &calls[1..4]).view().state, CallState::Talking);
}

#[test]
fn calls_that_nobody_answers() {
    let source = mango();
    for (talk, result, reason, outcome) in [
        (0, 0, 1110, CallOutcome::Cancelled),
        (0, 0, 1111, CallOutcome::NoAnswer),
        (0, 0, 1121, CallOutcome::Busy),
        (0, 0, 1122, CallOutcome::Declined),
        (0, 0, 1150, CallOutcome::Blocked),
        (0, 0, 1164, CallOutcome::NoAnswer),
        (0, 0, 2010, CallOutcome::NoFunds),
        (0, 0, 3210, CallOutcome::BadNumber),
        (0, 0, 4210, CallOutcome::Unreachable),
        (0, 0, 5001, CallOutcome::Failed),
        (0, 0, 9999, CallOutcome::NoAnswer),
        // The menu's own example: a result without a talk. And a talk without a result.
        (0, 1, 1170, CallOutcome::NoAnswer),
        (10, 0, 1100, CallOutcome::NoAnswer),
    ] {
        let facts = in_all_orders(&source, &[leg("Appeared", 1, ""), summary(1, IN, talk, result, reason)]);
        let view = facts.view();
        assert!(view.is_missed(), "{reason}");
        assert_eq!((view.outcome, view.agent, view.talk_s), (Some(outcome), None, None), "{reason}");
        let said = facts.summary.unwrap();
        assert_eq!((said.rang.len(), said.status), (1, Some(reason.to_string())));
    }
}

#[test]
fn calls_out_and_between_colleagues() {
    let source = mango();
    let appeared = event(
        "/events/call",
        &format!(r#"{{"entry_id":"E1","call_id":"L","timestamp":{NOON},"call_state":"Appeared","location":"abonent",{OUT}}}"#),
    );
    let view = in_all_orders(&source, &[appeared, summary(2, OUT, 5, 1, 1120)]).view();
    assert_eq!((view.direction, view.agent.as_deref(), view.talk_s), (Some(Direction::Out), Some("101"), Some(70)));
    assert_eq!((view.number.unwrap().typed.as_str(), view.hidden), ("79161234567", false));
    let sides = r#""from":{"extension":"101"},"to":{"extension":"102"}"#;
    let view = in_all_orders(&source, &[summary(0, sides, 5, 1, 1120)]).view();
    assert_eq!((view.direction, view.number), (Some(Direction::Internal), None));
    // A call by command rings us first: who is who, only the summary says.
    let ours =
        r#"{"entry_id":"E1","call_state":"Appeared","command_id":"c","location":"abonent","from":{},"to":{"extension":"101"}}"#;
    let facts = in_all_orders(&source, &[event("/events/call", ours)]);
    assert_eq!((facts.view().direction, facts.view().hidden), (None, false));
}

#[test]
fn hidden_callers() {
    for from in [r#""from":{}"#, r#""from":{"number":""}"#, r#""from":{"number":"anonymous"}"#, r#""x":1"#] {
        let sides = format!(r#"{from},"to":{{"extension":"101"}}"#);
        let view = in_all_orders(&mango(), &[summary(1, &sides, 0, 0, 1111)]).view();
        assert!(view.hidden && view.number.is_none() && view.is_missed(), "{from}");
    }
}

#[test]
fn a_summary_is_known_by_what_it_says() {
    let json = format!(
        r#"{{"entry_id":"E1","call_direction":"1",{IN},"create_time":"{NOON}","talk_time":"0","end_time":"{}","entry_result":"0"}}"#,
        NOON + 20
    );
    // The documentation's own examples have the path of the other event; numbers may be texts.
    for path in ["/events/summary", "/events/summary/", "/events/call", "", "/anything"] {
        let facts = told(&mango().one(&event(path, &json)));
        assert_eq!(facts.summary.unwrap().wait_s, Some(20), "{path}");
    }
}

#[test]
fn times_of_moscow_are_set_right() {
    let source = mango();
    let call = leg("Appeared", 10_800, "");
    let late = source.one(&call);
    assert_eq!(late.occurred_at, Some(noon()));
    assert!(!told(&late).clock_wrong);
    assert!(late.draft.fields.iter().any(|field| field.name == "time_corrected_s" && field.value == "-10800"));
    let early = source.one(&call.clone().at(noon() + SignedDuration::from_hours(6)));
    assert_eq!(early.occurred_at, Some(noon() + SignedDuration::from_hours(6)));
    for off in [0, 60, -400, 10_800 - 400, 10_800 + 400, 3600] {
        let at = noon() + SignedDuration::from_secs(10_800 - off);
        let plain = source.one(&call.clone().at(at));
        assert_eq!((plain.occurred_at, plain.draft.fields.len()), (Some(noon() + SignedDuration::from_hours(3)), 0), "{off}");
    }
    // A summary by its end, all its times alike.
    let moved = summary(1, IN, 10, 1, 1110).at(noon() - SignedDuration::from_hours(3) + SignedDuration::from_secs(76));
    let view = told(&source.one(&moved)).view();
    assert_eq!((view.started, view.talk_s), (Some(noon() - SignedDuration::from_hours(3)), Some(65)));
    // Years off, it is not believed.
    let old = told(&source.one(&leg("Appeared", -100_000_000, "")));
    assert!(old.clock_wrong && old.view().started.is_none());
}

#[test]
fn recordings() {
    let source = mango();
    let offered = |path: &str, json: &str| source.one(&event(path, json)).draft.offered;
    let added = offered(
        "/events/record/added",
        r#"{"entry_id":"E1","recording_id":"R1","product_id":1,"user_id":2,"timestamp":1795255200}"#,
    );
    assert_eq!((added.len(), added[0].id.as_str()), (1, "R1"));
    let state = |more: &str| format!(r#"{{"entry_id":"E1","recording_id":"R1","recording_state":{more}}}"#);
    assert_eq!(offered("/events/recording", &state(r#""Completed","completion_code":1000,"recipient":"Cloud""#)), added);
    for more in [
        r#""Started""#,
        r#""Continued""#,
        r#""Completed","completion_code":4002"#,
        r#""Completed","completion_code":"1000","recipient":"Mail""#,
    ] {
        assert!(offered("/events/recording", &state(more)).is_empty(), "{more}");
    }
    let tagged =
        source.one(&event("/events/record/tagged", r#"{"entry_id":"E1","recording_id":"R1","tags":[{"name":"Жалоба"}]}"#));
    assert!(tagged.draft.fields.iter().any(|field| field.value == "Жалоба"));
}

#[test]
fn a_recording_is_asked_for_by_a_signed_form() {
    let source = source(&KIND, &format!("{KEYS}\nrecordings = \"fetch\"\nrecording_hosts = [\".storage.example\"]"));
    let file = crate::provider::recording_by_id("R1").unwrap();
    let fetch = source.push.fetch(&file, None).unwrap();
    assert_eq!((fetch.url.as_str(), fetch.asks), ("https://app.mango-office.ru/vpbx/queries/recording/post", false));
    assert_eq!(fetch.hosts, ["app.mango-office.ru", ".mango-office.ru", ".storage.example"]);
    let json = r#"{"recording_id":"R1","action":"download"}"#;
    let sign = sign::of("code", json, &Secret::new("salt"));
    let form = Serializer::new(String::new()).extend_pairs([("vpbx_api_key", "code"), ("sign", &sign), ("json", json)]).finish();
    assert_eq!(fetch.form.unwrap().expose(), form);
}

/// A caller who comes into the menu.
fn in_the_menu(more: &str) -> Call {
    let json = format!(
        r#"{{"entry_id":"E1","call_id":"100:500:256","timestamp":"{NOON}","seq":"1","call_state":"Appeared","location":"ivr",
            "from":{{"number":"79161234567"}},"to":{{"number":"74951234567","line_number":"74951234567"}}{more}}}"#
    );
    event("/events/call", &json)
}

#[test]
fn whoever_is_known_is_put_through() {
    let source = source(&KIND, &format!("{KEYS}\nto_responsible = true"));
    let call = in_the_menu("");
    let (number, tells) = source.asked(&call);
    assert_eq!(number.unwrap().typed, "79161234567");
    assert_eq!(tells[0].draft.call, mango().one(&call).draft.call, "it tells what it tells without the key");
    let route = source.routes(&call, &known("Анна \"Аня\" Петрова", Some("101"))).unwrap();
    let json = "{\"command_id\":\"leadgate-01900000-0000-7000-8000-000000000001\",\"call_id\":\"100:500:256\",\"to_number\":\"101\",\
                \"sip_headers\":{\"From/display-name\":\"Анна \\\"Аня\\\" Петрова\"}}";
    let sign = sign::of("code", json, &Secret::new("salt"));
    let form = Serializer::new(String::new()).extend_pairs([("vpbx_api_key", "code"), ("sign", &sign), ("json", json)]).finish();
    assert_eq!((route.url.as_str(), route.form.expose()), ("https://app.mango-office.ru/vpbx/commands/route", form.as_str()));
    let nameless = source.routes(&call, &known("", Some("101"))).unwrap();
    assert!(!nameless.form.expose().contains("sip_headers"));
    let long = source.routes(&call, &known(&"ё".repeat(100), Some("101"))).unwrap();
    assert_eq!(long.form.expose().matches("%D1%91").count(), 32, "64 bytes");
    assert_eq!(source.routes(&call, &known("Анна", None)), None, "nobody works with them, or has no telephone");
    let reply = source.known(&call, Some(&known("Анна", Some("101"))));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn only_a_fresh_caller_in_a_menu_is_put_through() {
    let source = source(&KIND, &format!("{KEYS}\nto_responsible = true"));
    let anna = known("Анна", Some("101"));
    for json in [
        // Their telephone rings already; it was put through once; a command made it; a colleague calls; it is over.
        r#"{"entry_id":"E1","call_id":"L","call_state":"Appeared","location":"abonent","from":{"number":"79161234567"},"to":{"extension":"101"}}"#,
        r#"{"entry_id":"E1","call_id":"L","call_state":"Appeared","location":"queue","from":{"number":"79161234567","taken_from_call_id":"K"}}"#,
        r#"{"entry_id":"E1","call_id":"L","call_state":"Appeared","location":"ivr","command_id":"c","from":{"number":"79161234567"}}"#,
        r#"{"entry_id":"E1","call_id":"L","call_state":"Appeared","location":"ivr","from":{"extension":"102","number":"sip:a@vpbx"}}"#,
        r#"{"entry_id":"E1","call_id":"L","call_state":"Disconnected","location":"ivr","from":{"number":"79161234567"}}"#,
        r#"{"entry_id":"E1","call_state":"Appeared","location":"ivr","from":{"number":"79161234567"}}"#,
        r#"{"entry_id":"E1","call_id":"L","call_state":"Appeared","location":"ivr","from":{"number":""}}"#,
    ] {
        let call = event("/events/call", json);
        assert_eq!((source.submissions(&call).len(), source.routes(&call, &anna)), (1, None), "{json}");
    }
    assert_eq!(mango().submissions(&in_the_menu("")).len(), 1, "without the key nobody is looked up");
    // What came of our own command is not worth keeping, unless it failed.
    let came = |path: &str, json: &str| source.parse(&event(path, json));
    assert!(matches!(came("/result/route", r#"{"command_id":"leadgate-1","result":"1000"}"#), Ok(Parsed::Probe(_))));
    for json in [r#"{"command_id":"leadgate-1","result":4101}"#, r#"{"command_id":"c","result":1000}"#] {
        assert!(matches!(came("/result/route", json), Ok(Parsed::Submissions(_))), "{json}");
    }
}

#[test]
fn everything_else_is_kept() {
    let source = mango();
    let dtmf = source.one(&event("/events/dtmf", r#"{"entry_id":"E1","call_id":"L","dtmf":"42","seq":1}"#));
    assert_eq!((told(&dtmf).id.as_str(), dtmf.draft.fields[0].value.as_str()), ("E1", "42"));
    for (path, json) in [
        ("/events/sms", r#"{"message_id":"1","text":"Перезвоните","from_number":"79161234567"}"#),
        ("/result/callback", r#"{"command_id":"c","result":1000}"#),
        ("/events/new", r#"{"anything":{"nested":[1,2]}}"#),
        ("", "[]"),
    ] {
        let note = source.one(&event(path, json));
        assert_eq!((note.purpose, note.draft.call.is_none()), (Purpose::Note, true), "{path}");
    }
    let sms = source.one(&event("/events/sms", r#"{"text":"Перезвоните"}"#));
    assert_eq!(sms.draft.message.as_deref(), Some("Перезвоните"));
}

#[test]
fn what_cannot_be_read_is_said_so() {
    for (path, json) in [
        ("/events/call", "{"),
        ("/events/call", r#"{"call_state":"Appeared"}"#),
        ("/events/summary", "{}"),
        ("/events/record/added", r#"{"recording_id":"R1"}"#),
    ] {
        assert!(matches!(mango().parse(&event(path, json)), Err(Refusal::Unreadable(_))), "{path} {json}");
    }
}

#[test]
fn the_number_of_the_call_tracking_is_in_the_touch() {
    let dct = |kind: u8| mango().one(&leg("Appeared", 0, &format!(r#","dct":{{"number":"74957770001","type":{kind}}}"#)));
    let tracked = dct(1);
    assert_eq!(tracked.draft.touch.get("dynamic_number"), Some("74957770001"));
    assert_eq!((tracked.draft.fields[0].name.as_str(), tracked.draft.fields[0].value.as_str()), ("dct_type", "1"));
    assert!(dct(0).draft.touch.get("dynamic_number").is_none());
}

#[test]
fn a_card_that_is_pressed_is_not_kept() {
    let said = r#"{"entry_id":"E1","call_id":"L","dtmf":"4111111111111111","from_number":"79161234567","seq":1}"#;
    let pressed = mango().one(&event("/events/dtmf", said));
    assert_eq!(pressed.draft.fields[0].value, "*".repeat(16));
    let kept = String::from_utf8_lossy(&pressed.raw.body).into_owned();
    assert!(kept.contains("79161234567") && !kept.contains("4111111111111111"), "{kept}");
}

#[test]
fn nothing_secret_is_kept() {
    let kept = mango().one(&leg("Appeared", 0, ""));
    let kept = String::from_utf8_lossy(&kept.raw.body).into_owned();
    assert!(kept.contains("entry_id") && !kept.contains("vpbx_api_key=code"), "{kept}");
    assert!(!kept.contains(&sign::of("code", "x", &Secret::new("salt"))[..8]));
}

#[test]
fn keys_of_the_section() {
    for (keys, at) in [
        ("", "key"),
        ("key = \"a\"", "salt"),
        ("key = \"a\"\nsalt = \"\"", "salt"),
        ("key = \"a\"\nsalt = \"b\"\napi_url = \"a b\"", "api_url"),
    ] {
        let problems = try_source(&KIND, keys).err().unwrap_or_else(|| panic!("{keys}"));
        assert!(problems.iter().any(|problem| problem.key == at), "{keys}: {problems:?}");
    }
    assert!(setup("ru").contains("{url}") && setup("en").contains("{url}"));
}

const WORDS: &[&str] = &[
    "json",
    "sign",
    "vpbx_api_key",
    "code",
    "{\"entry_id\":1,\"call_state\":{}}",
    "[[],{\"create_time\":-1,\"call_direction\":99}]",
    "{",
    "null",
];

proptest! {
    #[test]
    fn what_is_signed_is_right_and_what_is_changed_is_not(
        id in "[a-zA-Z0-9+=/ ]{1,20}", key in "[!-~]{1,20}", salt in "[!-~]{1,20}", place in any::<prop::sample::Index>(),
    ) {
        let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
        let source = source(&KIND, &format!("key = {}\nsalt = {}", text(&key), text(&salt)));
        let json = format!(r#"{{"entry_id":"E{id}","call_state":"Appeared"}}"#);
        let sign = sign::of(&key, &json, &Secret::new(salt));
        let call = |json: &str, sign: &str| Call::form("", &[("vpbx_api_key", &key), ("sign", sign), ("json", json)]);
        prop_assert!(source.refused(&call(&json, &sign)).is_none());
        let change = |text: &str| {
            let at = place.index(text.len());
            let other = if text.as_bytes()[at] == b'1' { '2' } else { '1' };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        };
        prop_assert!(source.refused(&call(&change(&json), &sign)).is_some());
        prop_assert!(source.refused(&call(&json, &change(&sign))).is_some());
    }

    #[test]
    fn nothing_breaks_it(call in nonsense(WORDS), json in "[\\[\\]{}\":,0-9a-c]{0,60}", path in "[a-z/]{0,20}") {
        survives(&mango(), &call);
        survives(&mango(), &event(&format!("/{path}"), &json));
    }

    #[test]
    fn no_value_breaks_it(
        state in "(Appeared|Connected|Disconnected|x)", values in prop::collection::vec("(-?[0-9]{0,20}|null|\\{\\}|\\[1\\]|\"[a-z]{0,3}\")", 6),
    ) {
        let v = |at: usize| if values[at].is_empty() || values[at] == "-" { "0" } else { &values[at] };
        let json = format!(
            r#"{{"entry_id":{},"call_state":"{state}","timestamp":{},"create_time":{},"call_direction":{},"talk_time":{},"end_time":{}}}"#,
            v(0), v(1), v(2), v(3), v(4), v(5)
        );
        survives(&mango(), &event("/events/call", &json));
    }
}
