use data_encoding::BASE64;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallState, Direction};
use leadgate_core::ports::Parsed;
use leadgate_core::submission::Submission;
use proptest::prelude::*;

use super::*;
use crate::signed::hmac_sha256;
use crate::testing::{BASE, Call, Source, source, text, try_source};

const TOKEN: &str = "my_auth_token";

fn plivo() -> Source {
    source(&KIND, "auth_token = \"my_auth_token\"")
}

fn with_keys(keys: &str) -> Source {
    source(&KIND, keys)
}

fn with_headers(call: Call, signature: &str, nonce: &str) -> Call {
    call.header("X-Plivo-Signature-V3", signature).header("X-Plivo-Signature-V3-Nonce", nonce)
}

/// A form without a query that is signed.
fn signed(behind: &str, fields: &[(&str, &str)]) -> Call {
    let mut pairs = fields.to_vec();
    pairs.sort_unstable();
    let mut message = format!("{BASE}{behind}");
    if !pairs.is_empty() {
        message.push('?');
    }
    for (name, value) in &pairs {
        message.extend([*name, *value]);
    }
    message.push_str(".n1");
    let made = BASE64.encode(&hmac_sha256(&Secret::new(TOKEN), message.as_bytes()).unwrap());
    with_headers(Call::form(behind, fields), &made, "n1")
}

fn is_taken(source: &Source, call: &Call) -> bool {
    matches!(source.parse(call), Ok(Parsed::Submissions(_)))
}

fn at(url: &str, call: Call) -> Call {
    Call { url: Some(url.to_owned()), ..call }
}

/// The same fields in the query.
fn got(url: &str, fields: &[(&str, &str)]) -> Call {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let and = if url.contains('?') { "&" } else { "?" };
    at(&format!("{url}{and}{query}"), Call::get(""))
}

#[test]
fn vectors_of_the_vendor() {
    let source = source(&KIND, "auth_token = \"Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4\"");
    let uuid = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36";
    let fields = [
        ("Direction", "outbound"),
        ("From", "19792014278"),
        ("ALegUUID", uuid),
        ("CallUUID", uuid),
        ("RequestUUID", uuid),
        ("ALegRequestUUID", uuid),
        ("CallStatus", "in-progress"),
        ("BillRate", "0.002"),
        ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
        ("To", "sip:PlivoSignature382029104058171078704104@phone-qa.voice.plivodev.com"),
        ("SIP-H-To", "<sip:PlivoSignature382029104058171078704104@52.9.11.55;transport=udp>;tag=1"),
        ("SessionStart", "2020-04-08 11:34:33.238707"),
        ("Event", "StartApp"),
    ];
    let bare = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml";
    let query = format!("{bare}/?a=b&c=d");
    for (call, signature) in [
        (at(&query, Call::form("", &fields)), "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
        (got(&query, &fields), "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
        (at(bare, Call::form("", &fields)), "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
        (got(bare, &fields), "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    ] {
        let nonce = "31627761595286130198";
        assert!(is_taken(&source, &with_headers(call.clone(), signature, nonce)), "{signature}");
        assert!(source.refused(&with_headers(call.clone(), signature, "31627761595286130199")).is_some());
        // A subaccount's call carries the main account's signature as well; a header may hold several.
        let main = call.clone().header("X-Plivo-Signature-Ma-V3", signature).header("X-Plivo-Signature-V3-Nonce", nonce);
        assert!(is_taken(&source, &main.header("X-Plivo-Signature-V3", "AAAA")));
        assert!(is_taken(&source, &with_headers(call.clone(), &format!("AAAA,{signature},BBBB"), nonce)));
        // http instead of https.
        let url = call.url.clone().unwrap().replace("https:", "http:");
        assert!(source.refused(&with_headers(at(&url, call), signature, nonce)).is_some());
    }
}

const SMALL: &[(&str, &str)] = &[
    ("CallUUID", "c1"),
    ("From", "79161234567"),
    ("To", "74951234567"),
    ("CallStatus", "completed"),
    ("Duration", "42"),
    ("Direction", "inbound"),
];

#[test]
fn small_vectors() {
    let source = plivo();
    let url = "https://gw.example.com/hooks/pl/abc";
    let query = format!("{url}?b=2&a=1");
    let vectors = [
        (at(url, Call::form("", SMALL)), "4i53rOkgkAqwm6XaZtEuRz5570C1xnBchkRsEVIgDBo="),
        (at(&query, Call::form("", SMALL)), "YPjd6MDNjekg15MmzrQXynZCsHSWK5g9hvFnRRFdpKQ="),
        (at(&query, Call::form("", &[])), "qT45EtdurRLu/alZXUum9ewlLmUAElo2q7Lwa4NCmT8="),
        (got(&query, SMALL), "OUggtdlflCbr1kQe1R/zqjZ2i01oVkb0tmmdbNMOWMg="),
    ];
    for (call, signature) in vectors {
        assert!(is_taken(&source, &with_headers(call.clone(), signature, "12345")), "{signature}");
        let changed = at(&call.url.clone().unwrap().replace("/abc", "/abd"), call);
        assert!(source.refused(&with_headers(changed, signature, "12345")).is_some());
    }
    // The version before covers no body: it is none.
    let old = at("https://answer.url", Call::form("", SMALL))
        .header("X-Plivo-Signature-V2", "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=")
        .header("X-Plivo-Signature-V2-Nonce", "12345");
    assert!(source.refused(&old).unwrap().contains("V3"));
}

#[test]
fn the_version_before_is_as_its_vendor_says() {
    let made = hmac_sha256(&Secret::new(TOKEN), b"https://answer.url12345").unwrap();
    assert_eq!(BASE64.encode(&made), "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=");
}

#[test]
fn what_is_changed_is_refused() {
    let source = plivo();
    let fields = [
        ("CallUUID", "c1"),
        ("CallStatus", "completed"),
        ("CallerName", "Иван +1"),
        ("Empty", ""),
        ("A", "2"),
        ("A", "1"),
        ("A", "1"),
    ];
    let call = signed("", &fields);
    assert!(is_taken(&source, &call));
    let other = |change: &dyn Fn(&mut Call)| {
        let mut call = call.clone();
        change(&mut call);
        source.refused(&call).unwrap()
    };
    other(&|call| call.behind = "?a=2".to_owned());
    other(&|call| call.behind = "/answer".to_owned());
    other(&|call| call.body.extend_from_slice(b"&From=79160000000"));
    other(&|call| call.body.extend_from_slice(b"&A=1"));
    other(&|call| call.body = String::from_utf8(call.body.clone()).unwrap().replace("completed", "busy").into());
    let why = other(&|call| call.headers.retain(|(name, _)| name != "x-plivo-signature-v3-nonce"));
    assert!(why.contains("Nonce"), "{why}");
    assert!(with_keys("auth_token = \"other\"").refused(&call).unwrap().contains("public_url"));
    assert!(is_taken(&with_keys("auth_token = [\"new\", \"my_auth_token\"]"), &call));
    let Err(Refusal::Unproven { signed, .. }) = with_keys("auth_token = \"other\"").parse(&call) else { panic!() };
    assert_eq!(signed, "https://gw.example.com/in/calls/… with CallUUID, CallStatus, CallerName, Empty, A, A, A");
    assert_eq!(try_source(&KIND, "").err().map(|problems| problems[0].key.clone()).as_deref(), Some("auth_token"));
}

fn facts(item: &Submission) -> &CallFacts {
    item.draft.call.as_ref().unwrap()
}

fn event(base: &[(&str, &str)], more: &[(&str, &str)]) -> Call {
    signed("", &[base, more].concat())
}

const IN: [(&str, &str); 5] =
    [("CallUUID", "a1"), ("ALegUUID", "a1"), ("Direction", "inbound"), ("From", "79161234567"), ("To", "74951234567")];
const B: [(&str, &str); 4] = [("CallUUID", "a1"), ("DialALegUUID", "a1"), ("DialBLegUUID", "b1"), ("DialBLegTo", "79031112233")];

#[test]
fn a_call_that_a_telephone_answered() {
    let source = plivo();
    let calls = [
        event(&IN, &[("CallStatus", "ringing"), ("Event", "StartApp"), ("SessionStart", "2026-11-21 09:59:00.238707")]),
        event(&IN, &[("CallStatus", "in-progress"), ("Event", "Redirect")]),
        event(&B, &[("DialAction", "answer"), ("DialBLegStatus", "answer"), ("Event", "DialAnswer")]),
        event(
            &B,
            &[
                ("DialAction", "hangup"),
                ("DialBLegStatus", "hangup"),
                ("DialBLegDuration", "31"),
                ("DialBLegHangupCause", "NORMAL_CLEARING"),
            ],
        ),
        event(
            &IN,
            &[
                ("CallStatus", "completed"),
                ("Event", "Hangup"),
                ("Duration", "42"),
                ("StartTime", "2026-11-21 09:59:00"),
                ("EndTime", "2026-11-21 09:59:42"),
                ("HangupCause", "NORMAL_CLEARING"),
            ],
        ),
    ];
    let view = source.joined(&calls).view();
    assert_eq!((view.direction, view.outcome, view.talk_s), (Some(Direction::In), Some(CallOutcome::Answered), Some(31)));
    assert_eq!(view.number, CallNumber::international("79161234567"));
    assert_eq!(view.line, CallNumber::international("74951234567"));
    assert_eq!(view.agent.as_deref(), Some("79031112233"));
    assert_eq!(view.started.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:00Z"));
    assert_eq!(source.joined(&calls[..2]).view().state, CallState::Ringing);
    assert_eq!(source.joined(&calls[..3]).view().state, CallState::Talking);
    assert!(source.joined(&calls[4..]).view().is_missed());
    let item = source.one(&calls[4]);
    assert_eq!(item.draft.external_key.as_deref(), Some("call:a1"));
    assert_eq!(item.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:42Z"));
    assert_eq!(item.keys, source.one(&calls[4]).keys);
    assert_ne!(item.keys, source.one(&calls[1]).keys);
    // Times without a zone are in UTC unless the configuration says otherwise.
    let moscow = with_keys("auth_token = \"my_auth_token\"\ntime_zone = \"Europe/Moscow\"");
    assert_eq!(moscow.one(&calls[4]).occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T06:59:42Z"));
}

#[test]
fn calls_that_nobody_answered() {
    let source = plivo();
    let over = event(&IN, &[("CallStatus", "completed"), ("Event", "Hangup"), ("Duration", "20")]);
    for (cause, outcome) in [
        ("USER_BUSY", CallOutcome::Busy),
        ("NO_ANSWER", CallOutcome::NoAnswer),
        ("CALL_REJECTED", CallOutcome::Declined),
        ("ORIGINATOR_CANCEL", CallOutcome::Cancelled),
        ("UNALLOCATED_NUMBER", CallOutcome::BadNumber),
        ("SUBSCRIBER_ABSENT", CallOutcome::Unreachable),
    ] {
        let leg = event(&B, &[("DialAction", "hangup"), ("DialBLegDuration", "0"), ("DialBLegHangupCause", cause)]);
        assert_eq!(source.joined(&[leg, over.clone()]).view().outcome, Some(outcome), "{cause}");
    }
    for (status, outcome) in [
        ("busy", CallOutcome::Busy),
        ("failed", CallOutcome::Failed),
        ("timeout", CallOutcome::NoAnswer),
        ("no-answer", CallOutcome::NoAnswer),
        ("cancel", CallOutcome::Cancelled),
    ] {
        let view = facts(&source.one(&event(&IN, &[("CallStatus", status), ("Event", "Hangup")]))).view();
        assert_eq!((view.outcome, view.is_missed()), (Some(outcome), true), "{status}");
        let dialled = event(&IN, &[("CallStatus", "in-progress"), ("DialStatus", status)]);
        assert_eq!(source.joined(&[dialled.clone(), over.clone()]).view().outcome, Some(outcome), "{status}");
        assert_eq!(text(&source.thanks(&dialled)), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    }
    let leg = event(
        &[("CallUUID", "b1"), ("ALegUUID", "a1"), ("To", "79031112233"), ("Direction", "outbound")],
        &[("CallStatus", "busy")],
    );
    assert_eq!(source.joined(&[leg, over.clone()]).view().outcome, Some(CallOutcome::Busy));
    let own = with_keys("auth_token = \"my_auth_token\"\ncompleted_is_answered = true");
    let view = facts(&own.one(&over)).view();
    assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(20)));
}

#[test]
fn hidden_callers_internal_and_outgoing_calls() {
    let source = plivo();
    let of = |from: &str, to: &str, direction: &str, status: &str| {
        let fields =
            [("CallUUID", "a1"), ("Direction", direction), ("From", from), ("To", to), ("CallStatus", status), ("Duration", "5")];
        facts(&source.one(&signed("", &fields))).view()
    };
    let view = of("anonymous", "74951234567", "inbound", "completed");
    assert!(view.hidden && view.number.is_none() && view.direction == Some(Direction::In));
    let view = of("", "74951234567", "inbound", "no-answer");
    assert!(!view.hidden && view.number.is_none() && view.is_missed());
    let view = of("74951234567", "79161234567", "outbound", "completed");
    assert_eq!((view.direction, view.outcome, view.talk_s), (Some(Direction::Out), Some(CallOutcome::Answered), Some(5)));
    assert_eq!(view.number, CallNumber::international("79161234567"));
    assert_eq!(of("74951234567", "79161234567", "outbound", "busy").outcome, Some(CallOutcome::Busy));
    let view = of("sip:ivanov@phone.plivo.com", "sip:petrov@phone.plivo.com", "inbound", "completed");
    assert_eq!((view.direction, view.agent.as_deref()), (Some(Direction::Internal), Some("ivanov")));
    let view = of("sip:ivanov@phone.plivo.com", "79161234567", "inbound", "completed");
    assert_eq!((view.direction, view.number), (Some(Direction::Out), CallNumber::international("79161234567")));
    // Our call to a telephone of ours is one to nobody else.
    let view = of("74951234567", "sip:ivanov@phone.plivo.com", "outbound", "completed");
    assert_eq!((view.number, view.agent.as_deref()), (None, Some("ivanov")));
}

#[test]
fn recordings_are_offered() {
    let source = plivo();
    let link = "https://media.plivo.com/v1/Account/MA1/Recording/r1.mp3";
    let recorded = event(
        &[("CallUUID", "a1"), ("RecordUrl", link), ("RecordingID", "r1"), ("RecordingDuration", "9")],
        &[("From", "79161234567")],
    );
    let item = source.one(&recorded);
    let file = &item.draft.offered[0];
    assert_eq!((file.id.as_str(), file.unique.as_str(), file.name.as_str()), (link, "r1", "r1.mp3"));
    assert_eq!(item.draft.external_key.as_deref(), Some("call:a1"));
    let fetch = source.push.fetch(file, None).unwrap();
    assert!(fetch.url == link && fetch.headers.is_empty() && fetch.hosts.contains(&".plivo.com".to_owned()));
    assert_eq!((source.thanks(&recorded).status, text(&source.thanks(&recorded))), (200, ""));
}

#[test]
fn calls_are_put_through() {
    let source = source(&KIND, "auth_token = \"my_auth_token\"\nforward = \"+79031112233\"");
    let ring = signed("/answer", &[&IN[..], &[("CallStatus", "ringing"), ("Event", "StartApp")]].concat());
    let (number, tells) = source.asked(&ring);
    assert_eq!((number, tells.len()), (CallNumber::international("79161234567"), 1));
    let dial = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial timeout=\"30\" \
                action=\"https://gw.example.com/in/calls/TOKEN/answer/dial\" method=\"POST\" \
                callbackUrl=\"https://gw.example.com/in/calls/TOKEN\" callbackMethod=\"POST\"><Number>79031112233</Number></Dial></Response>";
    assert_eq!(text(&source.known(&ring, None)), dial);
    assert_eq!(text(&source.thanks(&ring)), dial);
    let over = event(&IN, &[("CallStatus", "completed"), ("Event", "Hangup"), ("Duration", "20")]);
    for (status, outcome) in [
        ("completed", CallOutcome::Answered),
        ("busy", CallOutcome::Busy),
        ("timeout", CallOutcome::NoAnswer),
        ("cancel", CallOutcome::Cancelled),
    ] {
        let dialled = signed("/answer/dial", &[&IN[..], &[("DialStatus", status), ("DialALegUUID", "a1")]].concat());
        assert!(facts(&source.one(&dialled)).is_over());
        assert_eq!(source.joined(&[dialled.clone(), over.clone()]).view().outcome, Some(outcome), "{status}");
        assert!(text(&source.thanks(&dialled)).ends_with("<Response/>"));
    }
    let bare = plivo();
    assert!(bare.asked(&ring).0.is_some() && text(&bare.known(&ring, None)).contains("forward is not configured"));
}

#[test]
fn what_is_no_event_of_a_call() {
    let source = plivo();
    let reply = source.probe(&signed("", &[]));
    assert_eq!((reply.status, text(&reply)), (200, ""));
    assert!(source.one(&signed("", &[("MessageUUID", "m1"), ("Text", "hello")])).draft.call.is_none());
    assert!(source.one(&signed("", &[("CallUUID", "a1"), ("Machine", "true")])).draft.call.is_none());
    let Err(Refusal::Unreadable(why)) = source.parse(&signed("", &[("CallStatus", "completed")])) else { panic!() };
    assert!(why.contains("CallUUID"), "{why}");
}

#[test]
fn the_example_is_right() {
    crate::testing::example_is_right(&KIND);
}

#[test]
fn whoever_calls_does_not_wait_for_a_database() {
    let source = plivo();
    let ring = signed("/answer", &IN);
    assert_eq!(source.busy(&ring), source.known(&ring, None));
    assert_eq!(source.busy(&Call { token: PathToken::Absent, ..ring }).status, 503);
    assert_eq!(source.busy(&signed("", &IN)).status, 503);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_holds_and_nothing_else(
        fields in prop::collection::vec(("[A-Za-z]{1,8}", "\\PC{0,12}"), 1..8),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        prop_assume!(fields.iter().all(|(_, value)| !value.starts_with('\u{feff}')));
        let source = plivo();
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = signed("", &pairs);
        prop_assert!(source.refused(&call).is_none());
        let mut changed = fields.clone();
        let one = at.index(changed.len());
        changed[one].1.push(char::from(to % 26 + b'a'));
        let pairs: Vec<(&str, &str)> = changed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let changed = Call { headers: call.headers.clone(), ..Call::form("", &pairs) };
        prop_assert!(source.refused(&changed).is_some());
        let mut forged = call;
        let value = &mut forged.headers.iter_mut().find(|(name, _)| name == "x-plivo-signature-v3").unwrap().1;
        let place = at.index(value.len());
        let old = value.as_bytes()[place];
        value.replace_range(place..=place, if old == b'A' { "B" } else { "A" });
        prop_assert!(source.refused(&forged).is_some());
    }

    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..300), query in "\\PC{0,80}", rest in "(/answer|/answer/dial|)") {
        let source = plivo();
        let mut call = Call::post(&format!("{rest}?{query}"), "application/x-www-form-urlencoded", body);
        for token in [leadgate_core::ports::PathToken::Vouched, leadgate_core::ports::PathToken::Valid] {
            call.token = token;
            drop(source.parse(&call));
            drop(source.thanks(&call));
        }
    }
}
