//! Records as the module posts them.

use leadgate_core::call::{CallFacts, CallOutcome, CallState, CallView, Direction};
use leadgate_core::ports::{Parsed, Refusal};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Source, source, try_source};

const A: &str = "51156b0b-f91b-4fd3-9c8f-15226f6098be";
const B: &str = "ab0aa08a-ead3-42c6-a365-99553a001fba";

/// 10:00:00, and so many seconds later, in microseconds.
fn at(seconds: u64) -> String {
    (1_795_255_200_000_000 + seconds * 1_000_000).to_string()
}

/// The caller's record of a call that came in from a trunk.
fn a_leg(cause: &str, answered: u64, bridged: u64, ended: u64, more: &[(&str, &str)]) -> Value {
    let never = |seconds: u64| if seconds == 0 { "0".to_owned() } else { at(seconds) };
    let mut variables = json!({
        "direction": "inbound",
        "uuid": A,
        "call_uuid": A,
        "caller_id_name": "%2B79161234567",
        "caller_id_number": "%2B79161234567",
        "destination_number": "101",
        "sip_from_uri": "%2B79161234567%4010.0.0.1",
        "sip_network_ip": "10.0.0.1",
        "bridge_uuid": B,
        "signal_bond": B,
        "duration": ended.to_string(),
        "billsec": (if answered == 0 { 0 } else { ended - answered }).to_string(),
        "hangup_cause": cause,
        "last_app": "bridge",
    });
    for (name, value) in more {
        variables[name] = json!(value);
    }
    json!({
        "core-uuid": "60e127b7-2c12-49ca-aacf-00bba4eea101",
        "switchname": "pbx",
        "channel_data": { "state": "CS_REPORTING", "direction": "inbound", "flags": "0=1;3=1" },
        "variables": variables,
        "callflow": [
            {
                "profile_index": "2",
                "caller_profile": {
                    "caller_id_number": "+79161234567",
                    "destination_number": "101",
                    "uuid": A,
                    "originatee": { "originatee_caller_profiles": [{ "uuid": B, "destination_number": "102" }] },
                },
                "times": { "created_time": at(0), "answered_time": never(answered), "bridged_time": never(bridged), "hangup_time": at(ended) },
            },
            {
                "profile_index": "1",
                "caller_profile": { "caller_id_number": "+79161234567", "destination_number": "74951234567", "uuid": A },
                "times": { "created_time": at(0), "answered_time": never(answered), "bridged_time": "0", "hangup_time": "0" },
            },
        ],
    })
}

/// The record of a colleague's telephone that was called.
fn b_leg(uuid: &str, user: &str, cause: &str, answered: u64, ended: u64) -> Value {
    let never = |seconds: u64| if seconds == 0 { "0".to_owned() } else { at(seconds) };
    json!({
        "channel_data": { "direction": "outbound" },
        "variables": {
            "direction": "outbound", "uuid": uuid, "originator": A, "originating_leg_uuid": A, "dialed_user": user, "bridge_uuid": A,
            "billsec": (if answered == 0 { 0 } else { ended - answered }).to_string(), "duration": ended.to_string(), "hangup_cause": cause,
        },
        "callflow": [{
            "caller_profile": {
                "caller_id_number": "+79161234567", "destination_number": user, "uuid": uuid,
                "originator": { "originator_caller_profiles": [{ "uuid": A, "caller_id_number": "+79161234567", "destination_number": "101" }] },
            },
            "times": { "created_time": at(1), "answered_time": never(answered), "bridged_time": never(answered), "hangup_time": at(ended) },
        }],
    })
}

fn post(record: &Value) -> crate::testing::Call {
    crate::testing::Call::json(
        &format!("?uuid={}", record["variables"]["uuid"].as_str().unwrap_or_default()),
        &record.to_string(),
    )
}

fn facts(source: &Source, record: &Value) -> CallFacts {
    *source.one(&post(record)).draft.call.unwrap()
}

fn view(records: &[Value]) -> CallView {
    let source = source(&KIND, "");
    let told: Vec<CallFacts> = records.iter().map(|record| facts(&source, record)).collect();
    let join = |order: &mut dyn Iterator<Item = &CallFacts>| {
        let mut out = CallFacts { id: told[0].id.clone(), ..CallFacts::default() };
        order.for_each(|one| out.join(one));
        out
    };
    let forth = join(&mut told.iter());
    assert_eq!(forth, join(&mut told.iter().rev()), "the order of records plays no part");
    assert_eq!(forth, join(&mut told.iter().chain(told.iter())), "and neither does hearing them twice");
    forth.view()
}

#[test]
fn an_answered_call_of_two_records() {
    let call = view(&[
        a_leg("NORMAL_CLEARING", 5, 9, 69, &[]),
        b_leg(B, "102", "NORMAL_CLEARING", 9, 69),
        b_leg("c", "103", "LOSE_RACE", 0, 9),
    ]);
    assert_eq!((call.state, call.outcome, call.direction), (CallState::Over, Some(CallOutcome::Answered), Some(Direction::In)));
    assert_eq!((call.number.unwrap().typed.as_str(), call.line.unwrap().typed.as_str()), ("+79161234567", "74951234567"));
    assert_eq!((call.talk_s, call.wait_s, call.agent.as_deref()), (Some(60), Some(9), Some("102")));
    assert_eq!(call.started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert!(!call.conflict);
}

#[test]
fn the_record_of_a_called_leg_is_evidence_only() {
    let source = source(&KIND, "");
    let told = facts(&source, &b_leg(B, "102", "NO_ANSWER", 0, 20));
    assert_eq!((told.id.as_str(), told.summary.is_none()), (A, true));
    assert!(told.legs.rang.contains("102"));
    assert_eq!(told.view().state, CallState::Ringing);
    // By any of the names, and never by what both legs have.
    let named = |variables: Value, profile: Value| json!({ "variables": variables, "callflow": [{ "caller_profile": profile, "times": {} }] });
    for record in [
        named(json!({ "uuid": B, "originator": A }), json!({})),
        named(json!({ "uuid": B, "originating_leg_uuid": A }), json!({})),
        named(json!({ "uuid": B, "loopback_leg": "B", "other_loopback_leg_uuid": A }), json!({})),
        named(json!({ "uuid": B }), json!({ "originator": { "originator_caller_profiles": [{ "uuid": A }] } })),
        named(json!({ "uuid": B, "bridge_uuid": A }), json!({ "originator": { "originator_caller_profiles": [{}] } })),
        named(json!({ "uuid": B, "originator": "x", "call_uuid": A }), json!({})),
        named(json!({ "uuid": B, "leadgate_call": A, "originator": "x" }), json!({})),
    ] {
        let told = facts(&source, &record);
        assert_eq!((told.id.as_str(), told.summary.is_none()), (A, true), "{record}");
    }
    for record in [
        named(json!({ "uuid": A, "bridge_uuid": B, "signal_bond": B }), json!({})),
        named(json!({ "uuid": A, "originator": A }), json!({})),
        named(
            json!({ "uuid": A, "leadgate_call": A }),
            json!({ "originator": { "originator_caller_profiles": [{ "uuid": B }] } }),
        ),
    ] {
        let told = facts(&source, &record);
        assert_eq!((told.id.as_str(), told.summary.is_some()), (A, true), "{record}");
    }
    // Called by another that it does not name: kept, and no call is made of it.
    let unclear = source.one(&post(&named(json!({ "uuid": B }), json!({ "originator": { "x": 1 } }))));
    assert!(unclear.draft.call.is_none() && unclear.purpose == Purpose::Note);
}

#[test]
fn causes_of_hanging_up() {
    for (cause, outcome) in [
        ("USER_BUSY", CallOutcome::Busy),
        ("NO_ANSWER", CallOutcome::NoAnswer),
        ("NO_USER_RESPONSE", CallOutcome::NoAnswer),
        ("ORIGINATOR_CANCEL", CallOutcome::Cancelled),
        ("CALL_REJECTED", CallOutcome::Declined),
        ("UNALLOCATED_NUMBER", CallOutcome::BadNumber),
        ("NORMAL_TEMPORARY_FAILURE", CallOutcome::Unreachable),
        ("SOMETHING_NEW", CallOutcome::Failed),
    ] {
        let call = view(&[a_leg(cause, 0, 0, 20, &[])]);
        assert!(call.is_missed(), "{cause}");
        assert_eq!((call.outcome, call.wait_s), (Some(outcome), Some(20)), "{cause}");
    }
    let dialled = view(&[a_leg("NORMAL_CLEARING", 0, 0, 20, &[("originate_disposition", "USER_BUSY")])]);
    assert_eq!(dialled.outcome, Some(CallOutcome::Busy));
}

#[test]
fn a_menu_that_answers_is_nobody() {
    let menu = view(&[a_leg("NORMAL_CLEARING", 1, 0, 30, &[("last_app", "ivr")])]);
    assert_eq!((menu.outcome, menu.conflict, menu.talk_s), (Some(CallOutcome::NoAnswer), true, None));
    let machine = view(&[a_leg("NORMAL_CLEARING", 20, 0, 30, &[("last_app", "voicemail")])]);
    assert_eq!(machine.outcome, Some(CallOutcome::Voicemail));
    let conference = view(&[a_leg("NORMAL_CLEARING", 2, 0, 30, &[("last_app", "conference")])]);
    assert_eq!(conference.outcome, Some(CallOutcome::Answered));
    // Without the times of a bridge the seconds that are billed say it.
    let bare = json!({ "variables": { "uuid": A, "direction": "inbound", "caller_id_number": "89161234567", "destination_number": "74951234567", "start_epoch": "1795255200", "answer_epoch": "1795255205", "end_epoch": "1795255265", "duration": "65", "billsec": "60", "hangup_cause": "NORMAL_CLEARING" } });
    let call = view(&[bare]);
    assert_eq!((call.outcome, call.talk_s, call.wait_s), (Some(CallOutcome::Answered), Some(60), Some(5)));
}

#[test]
fn outgoing_internal_and_hidden_calls() {
    let with = |variables: Value| json!({ "variables": variables });
    let out = view(&[with(
        json!({ "uuid": A, "direction": "inbound", "user_name": "1001", "caller_id_number": "1001", "destination_number": "%2B79161234567", "outbound_caller_id_number": "74951234567", "billsec": "12", "duration": "20", "hangup_cause": "NORMAL_CLEARING" }),
    )]);
    assert_eq!(
        (out.direction, out.outcome, out.agent.as_deref(), out.talk_s),
        (Some(Direction::Out), Some(CallOutcome::Answered), Some("1001"), Some(12))
    );
    assert_eq!((out.number.unwrap().typed.as_str(), out.line.unwrap().typed.as_str()), ("+79161234567", "74951234567"));
    let internal = view(&[with(
        json!({ "uuid": A, "direction": "inbound", "user_name": "1001", "caller_id_number": "1001", "destination_number": "1003" }),
    )]);
    assert_eq!((internal.direction, internal.number), (Some(Direction::Internal), None));
    let said =
        view(&[with(json!({ "uuid": A, "call_direction": "inbound", "caller_id_number": "101", "destination_number": "102" }))]);
    assert_eq!(said.direction, Some(Direction::In));
    for hidden in ["anonymous", "Anonymous", "Restricted", "unknown"] {
        let call = view(&[with(
            json!({ "uuid": A, "direction": "inbound", "caller_id_number": hidden, "destination_number": "74951234567" }),
        )]);
        assert!(call.hidden && call.number.is_none(), "{hidden}");
    }
    let nobody = view(&[with(json!({ "uuid": A }))]);
    assert_eq!((nobody.number, nobody.hidden), (None, false));
    // A busy customer.
    let busy = view(&[with(
        json!({ "uuid": A, "user_name": "1001", "caller_id_number": "1001", "destination_number": "89161234567", "hangup_cause": "USER_BUSY" }),
    )]);
    assert_eq!((busy.direction, busy.outcome), (Some(Direction::Out), Some(CallOutcome::Busy)));
}

#[test]
fn bodies_say_what_they_are_themselves() {
    let source = source(&KIND, "");
    let record = a_leg("NORMAL_CLEARING", 5, 9, 69, &[("note", "a%2Bb%20%D0%90 & ~ÿ?>")]);
    let text = record.to_string();
    let expected = facts(&source, &record);
    let behind = format!("?uuid={A}");
    let form = "application/x-www-form-urlencoded";
    let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let spaced = escaped.replace('+', "%20");
    let base64 = format!("cdr={}", BASE64.encode(text.as_bytes()));
    assert!(base64.contains('+') || base64.contains('/'), "it has what a form would change");
    for (content_type, body) in [
        ("application/json", text.clone()),
        (form, text.clone()),
        ("", text.clone()),
        (form, format!("cdr={spaced}")),
        (form, format!("cdr={escaped}")),
        ("application/x-www-form-base64-encoded", base64.clone()),
        (form, base64.clone()),
        ("application/json", format!("\u{feff}{text}\n")),
    ] {
        let one = source.one(&crate::testing::Call::post(&behind, content_type, body));
        assert_eq!(*one.draft.call.unwrap(), expected, "{content_type}");
        assert_eq!(one.keys[0].value, A);
    }
    // Values are escaped once more, or not, as the module is told.
    let raw = a_leg("NORMAL_CLEARING", 5, 9, 69, &[("caller_id_number", "+79161234567"), ("note", "a%2Bb%20%D0%90 & ~ÿ?>")]);
    assert_eq!(facts(&source, &raw), expected);
    assert_eq!(source.thanks(&post(&record)).status, 200);
}

#[test]
fn an_address_with_a_query_of_its_own() {
    let source = source(&KIND, "");
    let record = json!({ "variables": { "caller_id_number": "89161234567", "destination_number": "74951234567" } });
    let call = crate::testing::Call::json(&format!("?token=x?uuid={A}"), &record.to_string());
    let one = source.one(&call);
    assert_eq!((one.keys[0].value.as_str(), one.draft.call.unwrap().id.as_str()), (A, A));
    let nameless = crate::testing::Call::json("", &record.to_string());
    assert!(matches!(source.parse(&nameless), Err(Refusal::Unreadable(words)) if words.contains("uuid")));
    for broken in ["cdr=", "cdr=!!!", "{", "[]", "hello", "cdr=%7Bx"] {
        assert!(source.parse(&crate::testing::Call::post("", "", broken)).is_err(), "{broken}");
    }
    // Tries of the line.
    assert!(matches!(source.parse(&crate::testing::Call::get("")), Ok(Parsed::Probe(_))));
    assert!(matches!(source.parse(&crate::testing::Call::post("?uuid=x", "application/json", "")), Ok(Parsed::Probe(_))));
}

#[test]
fn credentials_beside_the_token() {
    let source = source(&KIND, "user = \"freeswitch\"\npassword = [\"new\", \"old\"]");
    let with = |pair: &str| {
        post(&a_leg("USER_BUSY", 0, 0, 9, &[])).header("Authorization", &format!("Basic {}", BASE64.encode(pair.as_bytes())))
    };
    for good in ["freeswitch:new", "freeswitch:old"] {
        assert_eq!(source.refused(&with(good)), None);
    }
    for bad in ["freeswitch:neW", "Freeswitch:new", "freeswitch:", ":new"] {
        let why = source.refused(&with(bad)).unwrap();
        assert!(!why.contains("neW"), "{why}");
    }
    assert!(source.refused(&post(&a_leg("USER_BUSY", 0, 0, 9, &[]))).is_some());
    let refusal = source.refusal(&with("x:y"));
    assert_eq!((refusal.status, &refusal.body[..]), (403, &b"forbidden\n"[..]));
    let mut without = with("freeswitch:new");
    without.token = leadgate_core::ports::PathToken::Absent;
    assert!(source.refused(&without).is_some(), "the token is needed all the same");
    let problems = |keys: &str| try_source(&KIND, keys).err().unwrap_or_default();
    assert_eq!(problems("user = \"x\"")[0].key, "password");
    assert_eq!(problems("recording_url = \"rec\"")[0].key, "recording_url");
}

#[test]
fn recordings_and_tags() {
    let more =
        [("record_file_path", "/var/lib/freeswitch/recordings/pbx/a%20b.wav"), ("utm_source", "yandex"), ("sip_h_X-gclid", "G1")];
    let record = a_leg("NORMAL_CLEARING", 5, 9, 69, &more);
    let plain = source(&KIND, "").one(&post(&record)).draft;
    assert_eq!((plain.offered.len(), plain.fields[0].value.as_str()), (0, "/var/lib/freeswitch/recordings/pbx/a b.wav"));
    assert_eq!((plain.touch.get("utm_source"), plain.touch.get("gclid")), (Some("yandex"), Some("G1")));
    let linked = source(&KIND, "recording_url = \"https://pbx.example.com/rec\"").one(&post(&record)).draft;
    assert_eq!(linked.offered[0].id, "https://pbx.example.com/rec/a%20b.wav");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..300), prefix in prop::sample::select(vec!["", "cdr=", "cdr=%7B", "cdr={", "{\"variables\":"]), query in "[ -~]{0,60}") {
        let source = source(&KIND, "");
        let _outcome = source.parse(&crate::testing::Call::post(&format!("?{query}"), "", [prefix.as_bytes(), &body].concat()));
    }

    #[test]
    fn no_value_panics(number in "\\PC{0,30}", time in "\\PC{0,20}", path in "\\PC{0,30}") {
        let source = source(&KIND, "recording_url = \"https://pbx.example.com/rec\"");
        let record = json!({
            "variables": { "uuid": "a", "caller_id_number": number, "destination_number": number, "billsec": time, "start_epoch": time, "record_name": path, "originator": number },
            "callflow": [{ "caller_profile": { "originator": { "originator_caller_profiles": number } }, "times": { "created_time": time, "hangup_time": time } }],
        });
        if let Ok(Parsed::Submissions(items)) = source.parse(&post(&record)) {
            for item in items {
                if let Some(call) = item.draft.call {
                    call.bounded().view();
                }
            }
        }
    }
}
