use leadgate_core::call::{CallOutcome, CallState};
use leadgate_core::ports::{Parsed, PathToken, Refusal};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call, Source, source, try_source};
use crate::trials::{Told as _, in_all_orders, nonsense, survives, told};

const SIGNED: &str = "secret = \"testsecret\"\nkey = \"apikey\"\nrecordings = \"fetch\"";
const START: &str = "2026-11-21 10:00:00";
const ID: &str = "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d";
const OUT_ID: &str = "out_5c0fbbd4b9e2f1a1f4b2d7d7d7d7d7d7d7d7d7d7";
const REC: &str = "1-1458313316.343456-100-2016-01-11-100155";

/// What the provider's own class makes with the secret `testsecret`.
const BY_CALL: &str = "Zjk1Mjk4ZTIyOTc0NGNiM2RhNTkxNTMyZWU3YWU1MWY0M2FmZWU0YQ==";
const BY_ANSWER: &str = "ZGY3ZmI1NWY1ODlhYjkxYTI3NDdhYmY4YWY0NjNkODFmNDM5YmY4MA==";
const BY_OUT: &str = "ZDk3M2YwYjBhYTI2MjkwYjY2OGFkODY1MjMyYTgxOWVjNGMwMDg4Nw==";
const BY_RECORD: &str = "NWRmOTVlN2U4MTY4OTZlZDk3NmJhMjQ1MzBhOWJkYzEzY2MzZmE1MA==";

fn signed() -> Source {
    source(&KIND, SIGNED)
}

fn open() -> Source {
    source(&KIND, "")
}

fn incoming<'a>(event: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("event", event),
        ("call_start", START),
        ("pbx_call_id", ID),
        ("caller_id", "+79161234567"),
        ("called_did", "74951234567"),
    ];
    fields.extend_from_slice(more);
    fields
}

fn start() -> Call {
    Call::form("", &incoming("NOTIFY_START", &[])).header("Signature", BY_CALL)
}

fn rings() -> Call {
    Call::form("", &incoming("NOTIFY_INTERNAL", &[("internal", "100")])).header("Signature", BY_CALL)
}

fn answer() -> Call {
    let fields = [
        ("event", "NOTIFY_ANSWER"),
        ("caller_id", "+79161234567"),
        ("destination", "100"),
        ("call_start", START),
        ("pbx_call_id", ID),
        ("internal", "100"),
    ];
    Call::form("", &fields).header("Signature", BY_ANSWER)
}

fn end(more: &[(&str, &str)]) -> Call {
    Call::form("", &incoming("NOTIFY_END", more)).header("Signature", BY_CALL)
}

fn answered_end() -> Call {
    end(&[
        ("internal", "100"),
        ("duration", "65"),
        ("disposition", "answered"),
        ("status_code", "16"),
        ("is_recorded", "1"),
        ("call_id_with_rec", REC),
    ])
}

fn recorded() -> Call {
    Call::form("", &[("event", "NOTIFY_RECORD"), ("call_id_with_rec", REC), ("pbx_call_id", ID)]).header("Signature", BY_RECORD)
}

fn out(event: &str, more: &[(&str, &str)]) -> Call {
    let mut fields = vec![
        ("event", event),
        ("internal", "100"),
        ("destination", "79161234567"),
        ("call_start", "2026-11-21 10:05:00"),
        ("pbx_call_id", OUT_ID),
    ];
    fields.extend_from_slice(more);
    Call::form("", &fields).header("Signature", BY_OUT)
}

#[test]
fn what_the_providers_class_signs_is_right() {
    let source = signed();
    for call in [start(), rings(), answer(), answered_end(), recorded(), out("NOTIFY_OUT_START", &[]), out("NOTIFY_OUT_END", &[])]
    {
        let submission = source.one(&call);
        assert!(told(&submission).partly_signed, "{call:?}");
        assert_eq!(submission.hold, None);
    }
    // The digest's bytes instead of its digits: a mistake of the documentation.
    let raw = Call { headers: Vec::new(), ..start() }.header("signature", "+VKY4il0TLPaWRUy7nrlH0Ov7ko=");
    assert!(source.refused(&raw).is_some());
}

#[test]
fn one_changed_field_and_the_signature_is_wrong() {
    let source = signed();
    let fields = incoming("NOTIFY_START", &[]);
    for at in [1, 3, 4] {
        let mut changed = fields.clone();
        let value = format!("{}1", changed[at].1);
        changed[at].1 = &value;
        let call = Call::form("", &changed).header("signature", BY_CALL);
        assert!(source.refused(&call).is_some(), "{changed:?}");
    }
    // A field that stands there twice, in the body or in the URL, is never read by another value than the signed one.
    for (behind, twice) in
        [("", Some(("caller_id", "+79990000000"))), ("?caller_id=%2B79990000000", None), ("?called_did=1", None)]
    {
        let mut doubled = fields.clone();
        doubled.extend(twice);
        let why = source.refused(&Call::form(behind, &doubled).header("signature", BY_CALL)).unwrap();
        assert!(why.contains("twice"), "{why}");
    }
    // What is not covered: the documentation says so, and so does the call.
    let other = source.one(&end(&[("disposition", "busy"), ("duration", "0")]));
    assert!(told(&other).partly_signed);
}

#[test]
fn without_the_signature_or_the_token_nothing_comes_in() {
    let source = signed();
    let bare = Call { headers: start().headers[..1].to_vec(), ..start() };
    assert!(source.refused(&bare).unwrap().contains("no signature"));
    assert!(source.refused(&bare.clone().header("signature", "")).is_some());
    assert!(source.refused(&Call { token: PathToken::Absent, ..start() }).is_some());
    // What is read again was checked when it came.
    assert!(told(&source.one(&Call { token: PathToken::Vouched, ..bare.clone() })).number_is("+79161234567"));
    // Without a secret the address alone counts.
    let facts = told(&open().one(&bare));
    assert!(!facts.partly_signed && facts.number_is("+79161234567"));
    assert!(matches!(source.parse(&bare), Err(Refusal::Unproven { signed, .. }) if signed == "caller_id+called_did+call_start"));
    // Whose secret it is that of nobody.
    assert!(self::source(&KIND, "secret = \"another\"").refused(&start()).is_some());
}

#[test]
fn a_secret_is_changed_without_losing_a_call() {
    let source = source(&KIND, "secret = [\"new\", \"testsecret\"]");
    assert!(source.refused(&start()).is_none());
    let by_new = sign::of(&Secret::new("new"), format!("+7916123456774951234567{START}").as_bytes()).unwrap();
    let call = Call::form("", &incoming("NOTIFY_START", &[])).header("signature", &by_new);
    assert!(source.refused(&call).is_none());
}

#[test]
fn the_echo_of_the_cabinet() {
    for source in [open(), signed()] {
        let Ok(Parsed::Probe(reply)) = source.parse(&Call::get("?zd_echo=aB3_-9")) else { panic!("no echo") };
        assert_eq!((reply.status, &reply.body[..]), (200, &b"aB3_-9"[..]));
        assert!(reply.headers.contains(&("content-type", "text/plain; charset=utf-8".to_owned())));
        let long = "a".repeat(129);
        for odd in ["%3Cscript%3E", "a%20b", "%D0%B6", long.as_str()] {
            let Ok(Parsed::Probe(reply)) = source.parse(&Call::get(&format!("?zd_echo={odd}"))) else { panic!("no echo") };
            assert_eq!(reply.status, 400, "{odd}");
        }
        for nothing in [Call::get(""), Call::post("", "", "")] {
            assert!(matches!(source.parse(&nothing), Ok(Parsed::Probe(reply)) if &reply.body[..] == b"{}"));
        }
    }
    // Posted, it is no way around the signature.
    let call = Call { headers: Vec::new(), ..Call::form("?zd_echo=a", &incoming("NOTIFY_START", &[])) };
    assert!(signed().refused(&call).is_some());
}

#[test]
fn answers_are_exact() {
    let source = signed();
    let reply = source.thanks(&start());
    assert_eq!((reply.status, &reply.body[..]), (200, &b"{}"[..]));
    assert_eq!(reply.headers, [("content-type", "application/json".to_owned())]);
    assert_eq!(source.refusal(&start()).status, 403);
}

#[test]
fn an_answered_call_in_any_order() {
    let facts = in_all_orders(&signed(), &[start(), rings(), answer(), answered_end(), recorded()]);
    let view = facts.view();
    assert_eq!((view.state, view.outcome, view.talk_s), (CallState::Over, Some(CallOutcome::Answered), Some(65)));
    assert_eq!((view.agent.as_deref(), facts.legs.rang.len()), (Some("100"), 1));
    assert_eq!(view.line.unwrap().typed, "74951234567");
    assert_eq!(view.started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert!(!facts.clock_wrong && !view.hidden);
}

#[test]
fn calls_that_nobody_answers() {
    for (disposition, outcome) in [
        ("no answer", CallOutcome::NoAnswer),
        ("cancel", CallOutcome::Cancelled),
        ("busy", CallOutcome::Busy),
        ("failed", CallOutcome::Failed),
        ("no money, no limit", CallOutcome::NoFunds),
        ("unallocated number", CallOutcome::BadNumber),
    ] {
        let end = end(&[("internal", "100"), ("duration", "12"), ("disposition", disposition), ("is_recorded", "0")]);
        let facts = in_all_orders(&signed(), &[start(), rings(), end]);
        let view = facts.view();
        assert!(view.is_missed(), "{disposition}");
        assert_eq!((view.outcome, view.agent, view.wait_s), (Some(outcome), None, Some(12)), "{disposition}");
        assert_eq!(facts.summary.unwrap().status.as_deref(), Some(disposition));
    }
}

#[test]
fn a_call_that_somebody_made() {
    let end = out("NOTIFY_OUT_END", &[("caller_id", "74951234567"), ("duration", "30"), ("disposition", "answered")]);
    let answer = Call::form(
        "",
        &[
            ("event", "NOTIFY_ANSWER"),
            ("caller_id", "74951234567"),
            ("destination", "79161234567"),
            ("call_start", "2026-11-21 10:05:00"),
            ("pbx_call_id", OUT_ID),
            ("internal", "100"),
        ],
    );
    let facts = in_all_orders(&open(), &[out("NOTIFY_OUT_START", &[]), answer, end]);
    let view = facts.view();
    assert_eq!((view.direction, view.talk_s), (Some(leadgate_core::call::Direction::Out), Some(30)));
    assert_eq!((view.number.unwrap().typed.as_str(), view.line.unwrap().typed.as_str()), ("79161234567", "74951234567"));
    assert_eq!(view.agent.as_deref(), Some("100"));
    assert!(!facts.legs.hidden);
    let busy = out("NOTIFY_OUT_END", &[("caller_id", "74951234567"), ("duration", "0"), ("disposition", "busy")]);
    let view = in_all_orders(&open(), &[out("NOTIFY_OUT_START", &[]), busy]).view();
    assert_eq!((view.outcome, view.is_missed()), (Some(CallOutcome::Busy), false));
}

#[test]
fn hidden_callers_and_calls_between_colleagues() {
    let source = open();
    for hidden in ["", "anonymous", "Unknown", "0"] {
        let mut fields = incoming("NOTIFY_START", &[]);
        fields[3].1 = hidden;
        let view = told(&source.one(&Call::form("", &fields))).view();
        assert!(view.hidden && view.number.is_none(), "{hidden:?}");
        assert_eq!(view.direction, Some(leadgate_core::call::Direction::In));
    }
    let mut fields = incoming("NOTIFY_START", &[]);
    fields[3].1 = "101";
    let view = told(&source.one(&Call::form("", &fields))).view();
    assert_eq!((view.direction, view.hidden), (Some(leadgate_core::call::Direction::Internal), false));
}

#[test]
fn recordings_are_offered_once() {
    let source = signed();
    let (first, second) = (source.one(&answered_end()).draft.offered, source.one(&recorded()).draft.offered);
    assert_eq!((first.len(), first[0].id.as_str()), (1, REC));
    assert_eq!(first, second);
    assert!(source.one(&end(&[("is_recorded", "0"), ("call_id_with_rec", REC)])).draft.offered.is_empty());
    assert_eq!(source.push.fetches(), Some(std::time::Duration::from_secs(40)));
    assert_eq!(open().push.fetches(), None);
}

#[test]
fn a_recording_is_asked_for_and_then_fetched() {
    let source = signed();
    let file = source.one(&recorded()).draft.offered.remove(0);
    let ask = source.push.fetch(&file, None).unwrap();
    let url = format!("https://api.zadarma.com/v1/pbx/record/request/?call_id={REC}&format=json&lifetime=1800");
    assert_eq!((ask.url, ask.asks, ask.form.is_none()), (url, true, true));
    assert_eq!(ask.hosts, ["api.zadarma.com"]);
    let signature = "NTRmNDNjNjJjM2JhZDc0N2JiNjgyNTQxYWEzNmJiZWYzZWE2MWQzNw==";
    assert_eq!(ask.headers.len(), 1);
    assert_eq!((ask.headers[0].0, ask.headers[0].1.expose()), ("authorization", format!("apikey:{signature}").as_str()));
    for answer in
        [r#"{"status":"success","link":"https://api.zadarma.com/r/a.mp3"}"#, r#"{"links":["https://api.zadarma.com/r/a.mp3"]}"#]
    {
        let fetch = source.push.fetch(&file, Some(answer.as_bytes())).unwrap();
        assert_eq!((fetch.url.as_str(), fetch.asks, fetch.headers.len()), ("https://api.zadarma.com/r/a.mp3", false, 0));
        assert_eq!(fetch.hosts, ["api.zadarma.com", ".zadarma.com"]);
    }
    for (answer, later) in [
        (r#"{"status":"error","message":"Not authorized"}"#, false),
        (r#"{"status":"error","message":"Record not found"}"#, true),
        (r#"{"link":"http://inner.lan/a.mp3"}"#, true),
        ("<html>", true),
        ("", true),
    ] {
        let problem = source.push.fetch(&file, Some(answer.as_bytes())).unwrap_err();
        assert_eq!(matches!(problem, NoFetch::Later(_)), later, "{answer}");
    }
    let novofon = self::source(&KIND, &format!("provider = \"novofon\"\n{SIGNED}"));
    let ask = novofon.push.fetch(&file, None).unwrap();
    assert!(ask.url.starts_with("https://api.novofon.com/v1/pbx/record/request/?"));
    let own = self::source(&KIND, &format!("api_url = \"https://api.example.com\"\n{SIGNED}"));
    assert!(own.push.fetch(&file, None).unwrap().url.starts_with("https://api.example.com/"));
}

#[test]
fn times_are_those_of_the_account() {
    let moscow = source(&KIND, "time_zone = \"Europe/Moscow\"");
    let mut fields = incoming("NOTIFY_START", &[]);
    fields[1].1 = "2026-11-21 13:00:00";
    let right = moscow.one(&Call::form("", &fields));
    assert_eq!(right.occurred_at, Some(crate::testing::noon()));
    assert!(!told(&right).clock_wrong);
    // Novofon is in Moscow.
    assert_eq!(source(&KIND, "provider = \"novofon\"").one(&Call::form("", &fields)).occurred_at, Some(crate::testing::noon()));
    // The zone was not said: the time is not believed, and all the rest is.
    let wrong = open().one(&Call::form("", &fields));
    assert_eq!((wrong.occurred_at, told(&wrong).clock_wrong, told(&wrong).legs.started), (None, true, None));
    for (event, more) in [("NOTIFY_END", ("disposition", "answered")), ("NOTIFY_ANSWER", ("destination", "100"))] {
        let mut fields = incoming(event, &[more]);
        fields[1].1 = "2026-11-21 13:00:00";
        let wrong = open().one(&Call::form("", &fields));
        assert_eq!((wrong.occurred_at, told(&wrong).clock_wrong, told(&wrong).view().started), (None, true, None), "{event}");
    }
    for odd in ["", "soon", "2026-99-99 99:99:99"] {
        fields[1].1 = odd;
        assert_eq!(open().one(&Call::form("", &fields)).occurred_at, None);
    }
}

#[test]
fn multipart_and_json_are_the_same() {
    let form = told(&signed().one(&start()));
    let parts = Call::multipart("", &incoming("NOTIFY_START", &[])).header("signature", BY_CALL);
    assert_eq!(told(&signed().one(&parts)), form);
    let json = r#"{"event":"NOTIFY_START","call_start":"2026-11-21 10:00:00","pbx_call_id":"ID","caller_id":"+79161234567","called_did":"74951234567"}"#;
    let json = Call::json("", &json.replace("ID", ID)).header("signature", BY_CALL);
    assert_eq!(told(&signed().one(&json)), form);
}

fn result(event: &str, result: &str) -> Call {
    let signature = sign::of(&Secret::new("testsecret"), result.as_bytes()).unwrap();
    Call::form("", &[("event", event), ("result", result)]).header("signature", &signature)
}

#[test]
fn where_the_caller_came_from() {
    let text = format!(
        r#"{{"tracker":"site","pbx_call_id":"{ID}","caller_id":"79161234567","caller_did":"74951234567","start":"{START}",
            "utm_source":"yandex","utm_campaign":"Окна + двери","url":"https://okna.example/?yclid=77","ga_id":"12.34","metrika_id":"567"}}"#
    );
    let submission = signed().one(&result("CALL_TRACKING", &text));
    let draft = &submission.draft;
    assert_eq!(draft.external_key.as_deref(), Some(format!("call:{ID}").as_str()));
    for (key, value) in [("utm_source", "yandex"), ("utm_campaign", "Окна + двери"), ("yclid", "77")] {
        assert_eq!(draft.touch.get(key), Some(value));
    }
    assert_eq!(draft.handles.len(), 2);
    assert_eq!(told(&submission).legs.line.unwrap().typed, "74951234567");
    // Told of no call, it is kept; several calls are several.
    let note = signed().one(&result("CALL_TRACKING", r#"{"caller_id":"79161234567","utm_source":"vk"}"#));
    assert_eq!((note.purpose, note.draft.touch.get("utm_source")), (Purpose::Note, Some("vk")));
    let two = r#"{"calls":[{"pbx_call_id":"in_1","utm_source":"a"},{"pbx_call_id":"in_2","utm_source":"b"}]}"#;
    let two = signed().submissions(&result("CALL_TRACKING", two));
    assert_eq!(two.iter().map(|one| told(one).id).collect::<Vec<_>>(), ["in_1", "in_2"]);
    assert_ne!(two[0].keys, two[1].keys);
}

#[test]
fn what_is_no_call_is_kept() {
    let sms = signed().one(&result("SMS", r#"{"caller_id":"79161234567","caller_did":"74951234567","text":"Перезвоните"}"#));
    assert_eq!((sms.purpose, sms.draft.message.as_deref()), (Purpose::Note, Some("Перезвоните")));
    let lookup = signed().one(&result("NUMBER_LOOKUP", r#"{"mcc":"250","operator":"MTS","ported":false}"#));
    assert_eq!((lookup.purpose, lookup.draft.fields.len()), (Purpose::Note, 4));
    let text = r#"{"words":[],"phrases":[{"result":"Добрый день","channel":1},{"result":"Здравствуйте","channel":2}]}"#;
    let signature = sign::of(&Secret::new("testsecret"), text.as_bytes()).unwrap();
    let fields = [("event", "SPEECH_RECOGNITION"), ("lang", "ru-RU"), ("call_id", REC), ("pbx_call_id", ID), ("result", text)];
    let speech = signed().one(&Call::form("", &fields).header("signature", &signature));
    assert_eq!((told(&speech).id.as_str(), speech.draft.message.as_deref()), (ID, Some("1: Добрый день\n2: Здравствуйте")));
    // An event that nobody documented, signed like one that is.
    let unknown =
        signed().one(&Call::form("", &incoming("NOTIFY_INTERNAL_END", &[("internal", "100")])).header("signature", BY_CALL));
    assert_eq!((unknown.purpose, unknown.draft.call.is_none()), (Purpose::Note, true));
    assert!(unknown.draft.fields.iter().any(|field| field.value == "NOTIFY_INTERNAL_END"));
    let open_to_all = open().one(&Call::form("", &[("event", "SOMETHING"), ("x", "é + %")]));
    assert_eq!(open_to_all.purpose, Purpose::Note);
}

#[test]
fn a_call_without_an_id_is_unreadable() {
    for event in ["NOTIFY_START", "NOTIFY_END", "NOTIFY_ANSWER", "NOTIFY_RECORD", "NOTIFY_OUT_END"] {
        let call = Call::form("", &[("event", event), ("caller_id", "+79161234567"), ("pbx_call_id", " ")]);
        assert!(matches!(open().parse(&call), Err(Refusal::Unreadable(why)) if why.contains("pbx_call_id")), "{event}");
    }
}

#[test]
fn the_same_event_again_has_the_same_key() {
    let source = signed();
    assert_eq!(source.one(&start()).keys, source.one(&start()).keys);
    assert_ne!(source.one(&start()).keys, source.one(&rings()).keys);
}

#[test]
fn keys_of_the_section() {
    for (keys, at) in [
        ("recordings = \"fetch\"", "recordings"),
        ("recordings = \"fetch\"\nsecret = \"x\"", "recordings"),
        ("provider = \"else\"", "provider"),
        ("api_url = \"api.example.com\"", "api_url"),
        ("api_url = \"https://api.example.com/v1\"", "api_url"),
        ("api_url = \"https://user:password@api.example.com\"", "api_url"),
        ("secret = \" \"", "secret"),
        ("nonsense = 1", "nonsense"),
        ("time_zone = \"Mars\"", "time_zone"),
    ] {
        let problems = try_source(&KIND, keys).err().unwrap_or_else(|| panic!("{keys}"));
        assert!(problems.iter().any(|problem| problem.key == at), "{keys}: {problems:?}");
    }
    assert_eq!(setup("ru").matches("{url}").count(), 1);
    assert_eq!(setup("en").matches("{url}").count(), 1);
}

const WORDS: &[&str] = &[
    "event",
    "NOTIFY_START",
    "NOTIFY_END",
    "NOTIFY_ANSWER",
    "NOTIFY_OUT_END",
    "NOTIFY_RECORD",
    "CALL_TRACKING",
    "SPEECH_RECOGNITION",
    "result",
    "pbx_call_id",
    "caller_id",
    "destination",
    "call_start",
    "disposition",
    "internal",
    "duration",
    "zd_echo",
    "{\"calls\":[1,{}]}",
    "[[{\"phrases\":3}]]",
    "answered",
    "in_1",
    "out_1",
    "2026-11-21 10:00:00",
];

proptest! {
    #[test]
    fn what_is_signed_is_right_and_what_is_changed_is_not(
        caller in "\\+?[0-9]{1,12}", did in "[0-9]{1,12}", secret in "[!-~]{1,30}", place in any::<prop::sample::Index>(), with in 1..=9_u8,
    ) {
        let source = source(&KIND, &format!("secret = {}", toml::Value::String(secret.clone())));
        let signature = sign::of(&Secret::new(secret), format!("{caller}{did}{START}").as_bytes()).unwrap();
        let mut fields = incoming("NOTIFY_START", &[]);
        (fields[3].1, fields[4].1) = (&caller, &did);
        prop_assert!(source.refused(&Call::form("", &fields).header("signature", &signature)).is_none());
        // Another digit in what is covered.
        let at = place.index(did.len());
        let digit = (did.as_bytes()[at] - b'0' + with) % 10 + b'0';
        let changed = format!("{}{}{}", &did[..at], char::from(digit), &did[at + 1..]);
        fields[4].1 = &changed;
        prop_assert!(source.refused(&Call::form("", &fields).header("signature", &signature)).is_some());
        // Another letter in the signature.
        let at = place.index(signature.len());
        let letter = if signature.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let other = format!("{}{letter}{}", &signature[..at], &signature[at + 1..]);
        fields[4].1 = &did;
        prop_assert!(source.refused(&Call::form("", &fields).header("signature", &other)).is_some());
    }

    #[test]
    fn nothing_breaks_it(call in nonsense(WORDS)) {
        survives(&open(), &call);
        survives(&signed(), &call);
    }
}
