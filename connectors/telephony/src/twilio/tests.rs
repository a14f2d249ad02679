use data_encoding::{BASE64, HEXLOWER};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallState, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{NoFetch, Parsed, PathToken, Refusal};
use leadgate_core::secret::Secret;
use proptest::prelude::*;

use super::*;
use crate::signed::{hmac_sha1, hmac_sha256, sha256_hex};
use crate::testing::{BASE, Call, Source, known, source, text, try_source};

const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const P: &[(&str, &str)] = &[
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
];

fn twilio() -> Source {
    source(&KIND, "auth_token = \"12345\"")
}

/// A form that is signed.
fn signed(behind: &str, fields: &[(&str, &str)]) -> Call {
    by("12345", behind, fields)
}

fn by(token: &str, behind: &str, fields: &[(&str, &str)]) -> Call {
    let mut pairs = fields.to_vec();
    pairs.sort_unstable();
    pairs.dedup();
    let message = pairs.iter().fold(format!("{BASE}{behind}"), |all, (name, value)| all + name + value);
    let made = BASE64.encode(&hmac_sha1(&Secret::new(token), message.as_bytes()).unwrap());
    Call::form(behind, fields).header("X-Twilio-Signature", &made)
}

fn with_url(url: &str, fields: &[(&str, &str)], signature: &str) -> Call {
    Call { url: Some(url.to_owned()), ..Call::form("", fields) }.header("X-Twilio-Signature", signature)
}

fn is_taken(source: &Source, call: &Call) -> bool {
    matches!(source.parse(call), Ok(Parsed::Submissions(_)))
}

#[test]
fn vectors() {
    let source = twilio();
    let http = "http://mycompany.com/myapp.php?foo=1&bar=2";
    let with = |port: &str| U.replace("https://mycompany.com", &format!("https://mycompany.com{port}"));
    for (url, signature) in [
        (U.to_owned(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (with(":443"), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (http.replace(".com", ".com:80"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (http.replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (http.to_owned(), "OyGYPqTF6ztdbRNCvuQO/oPvqQ4="),
        // What is signed has a port where the address has none, and the other way round.
        (U.to_owned(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (with(":443"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (http.to_owned(), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (http.replace(".com", ".com:80"), "OyGYPqTF6ztdbRNCvuQO/oPvqQ4="),
    ] {
        assert!(is_taken(&source, &with_url(&url, P, signature)), "{url} {signature}");
    }
    // A proxy that ends TLS and says http to the gateway.
    assert!(source.refused(&with_url(U, P, "OyGYPqTF6ztdbRNCvuQO/oPvqQ4=")).is_some());
    assert!(source.refused(&with_url(http, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")).is_some());

    let twice = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
    assert!(is_taken(&source, &with_url(U, &twice, "IK+Dwps556ElfBT0I3Rgjkr1wJU=")));
    assert!(source.refused(&with_url(U, &twice[1..], "IK+Dwps556ElfBT0I3Rgjkr1wJU=")).is_some());
}

#[test]
fn a_body_of_another_type_is_held_by_its_hash() {
    let source = twilio();
    let url = format!("{U}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620");
    let json = |body: &str| {
        let call = Call { url: Some(url.clone()), ..Call::json("", body) };
        call.header("X-Twilio-Signature", "a9nBmqA0ju/hNViExpshrM61xv4=")
    };
    assert!(is_taken(&source, &json(r#"{"property": "value", "boolean": true}"#)));
    let why = source.refused(&json(r#"{"property": "value", "boolean": false}"#)).unwrap();
    assert!(why.contains("bodySHA256"), "{why}");
}

#[test]
fn shared_keys_sign_with_sha256() {
    let keys = "auth_token = \"other\"\nshared_key = [\"old\", \"12345\"]";
    let call = with_url(U, P, "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=");
    let settings = "X-Twilio-Webhooks-Signature-Settings";
    assert!(is_taken(&source(&KIND, keys), &call.clone().header(settings, "key=SK1,algorithm=HMAC_SHA256")));
    // Without the header it is SHA-1 by the account's token; another way to sign is none.
    assert!(source(&KIND, keys).refused(&call).is_some());
    for other in ["key=SK1,algorithm=HMAC_MD5", "key=SK1", "", "algorithm=HMAC_SHA256,algorithm=none"] {
        assert!(source(&KIND, keys).refused(&call.clone().header(settings, other)).unwrap().contains("not known"), "{other}");
    }
    let without = twilio().refused(&call.header(settings, "key=SK1, algorithm=HMAC_SHA256")).unwrap();
    assert!(without.contains("shared_key"), "{without}");
}

#[test]
fn what_is_changed_is_refused() {
    let source = twilio();
    let fields =
        [("CallSid", "CA1"), ("CallStatus", "completed"), ("CallerName", "Иван"), ("Empty", ""), ("From", "+79161234567")];
    let call = signed("?a=1", &fields);
    assert!(is_taken(&source, &call));
    let other = |change: &dyn Fn(&mut Call)| {
        let mut call = call.clone();
        change(&mut call);
        source.refused(&call).unwrap_or_else(|| panic!("{call:?}", call = String::from_utf8_lossy(&call.body)))
    };
    other(&|call| call.behind = "?a=2".to_owned());
    other(&|call| call.behind = "voice?a=1".to_owned());
    other(&|call| call.body.extend_from_slice(b"&From=%2B79160000000"));
    other(&|call| call.body = String::from_utf8(call.body.clone()).unwrap().replace("completed", "busy").into());
    other(&|call| call.headers.retain(|(name, _)| name != "x-twilio-signature"));
    assert!(source.refused(&by("12346", "?a=1", &fields)).unwrap().contains("public_url"));
    let Err(Refusal::Unproven { signed, .. }) = source.parse(&by("12346", "?a=1", &fields)) else { panic!() };
    assert_eq!(signed, "https://gw.example.com/in/calls/…?a=… with CallSid, CallStatus, CallerName, Empty, From");
    let refused = source.told_off(&call);
    assert_eq!((refused.status, text(&refused)), (403, "forbidden\n"));
}

#[test]
fn tokens_change_and_subaccounts_have_their_own() {
    let both = source(&KIND, "auth_token = [\"new\", \"old\"]\naccount_tokens = { AC2 = [\"shop\", \"shop2\"] }");
    let of = |account: &'static str| [("AccountSid", account), ("CallSid", "CA1"), ("CallStatus", "completed")];
    for (token, account, right) in [
        ("new", "AC1", true),
        ("old", "AC1", true),
        ("shop", "AC1", false),
        ("shop", "AC2", true),
        ("shop2", "AC2", true),
        ("new", "AC2", false),
    ] {
        assert_eq!(is_taken(&both, &by(token, "", &of(account))), right, "{token} {account}");
    }
    let wrong = |keys: &str| try_source(&KIND, keys).err().map(|problems| problems[0].key.clone());
    assert_eq!(wrong("").as_deref(), Some("auth_token"));
    assert_eq!(wrong("auth_token = \"\"").as_deref(), Some("auth_token"));
    assert_eq!(wrong("account_tokens = { AC1 = \" \" }").as_deref(), Some("account_tokens.AC1"));
    let both = "auth_token = \"x\"\nforward = \"+74951234567\"\ncompleted_is_answered = true";
    assert_eq!(wrong(both).as_deref(), Some("completed_is_answered"));
    assert_eq!(wrong("auth_token = \"x\"\nrecording_password = \"y\"").as_deref(), Some("recording_user"));
    assert_eq!(wrong("account_tokens = { AC1 = \"x\" }"), None);
}

#[test]
fn signalwire_has_a_header_of_its_own() {
    let source = twilio();
    let form = signed("", &[("CallSid", "CA1"), ("CallStatus", "completed")]);
    let renamed = |(name, value): (String, String)| (name.replace("twilio", "signalwire"), value);
    let form = Call { headers: form.headers.into_iter().map(renamed).collect(), ..form };
    assert!(is_taken(&source, &form));
    let body = r#"{"CallSid":"CA1","CallStatus":"completed"}"#;
    let made = HEXLOWER.encode(&hmac_sha1(&Secret::new("12345"), format!("{BASE}{body}").as_bytes()).unwrap());
    assert!(is_taken(&source, &Call::json("", body).header("X-SignalWire-Signature", &made)));
    assert!(source.refused(&Call::json("", &body.replace("CA1", "CA2")).header("X-SignalWire-Signature", &made)).is_some());
    // Twilio knows no such way.
    assert!(source.refused(&Call::json("", body).header("X-Twilio-Signature", &made)).is_some());
}

#[test]
fn events_come_by_get_too() {
    let source = twilio();
    let behind = "?CallSid=CA1&CallStatus=no-answer&Direction=inbound&From=%2B79161234567&To=%2B74951234567";
    let made = BASE64.encode(&hmac_sha1(&Secret::new("12345"), format!("{BASE}{behind}").as_bytes()).unwrap());
    let item = source.one(&Call::get(behind).header("X-Twilio-Signature", &made));
    let view = item.draft.call.unwrap().view();
    assert_eq!((view.outcome, view.number), (Some(CallOutcome::NoAnswer), CallNumber::international("+79161234567")));
    assert!(source.refused(&Call::get(&behind.replace("no-answer", "completed")).header("X-Twilio-Signature", &made)).is_some());
}

const IN: [(&str, &str); 4] = [("CallSid", "CA1"), ("Direction", "inbound"), ("From", "+79161234567"), ("To", "+74951234567")];

fn event<'a>(base: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Call {
    signed("", &[base, more].concat())
}

fn told(source: &Source, call: &Call) -> CallFacts {
    *source.one(call).draft.call.unwrap()
}

const CHILD: [(&str, &str); 5] = [
    ("CallSid", "CA2"),
    ("ParentCallSid", "CA1"),
    ("Direction", "outbound-dial"),
    ("From", "+79161234567"),
    ("To", "+79031112233"),
];

#[test]
fn a_call_that_a_telephone_answered() {
    let source = twilio();
    let calls = [
        event(&IN, &[("CallStatus", "ringing"), ("Timestamp", "Sat, 21 Nov 2026 09:59:00 +0000")]),
        event(&CHILD, &[("CallStatus", "ringing"), ("SequenceNumber", "1"), ("Timestamp", "Sat, 21 Nov 2026 09:59:05 +0000")]),
        event(
            &CHILD,
            &[("CallStatus", "in-progress"), ("SequenceNumber", "2"), ("Timestamp", "Sat, 21 Nov 2026 09:59:10 +0000")],
        ),
        event(
            &CHILD,
            &[
                ("CallStatus", "completed"),
                ("CallDuration", "42"),
                ("SequenceNumber", "3"),
                ("Timestamp", "Sat, 21 Nov 2026 09:59:52 +0000"),
            ],
        ),
        event(&IN, &[("CallStatus", "completed"), ("CallDuration", "52"), ("Timestamp", "Sat, 21 Nov 2026 09:59:52 +0000")]),
    ];
    let view = source.joined(&calls).view();
    assert_eq!(view.direction, Some(Direction::In));
    assert_eq!(view.number, CallNumber::international("+79161234567"));
    assert_eq!(view.line, CallNumber::international("+74951234567"));
    assert_eq!(view.agent.as_deref(), Some("+79031112233"));
    assert_eq!((view.outcome, view.talk_s, view.wait_s), (Some(CallOutcome::Answered), Some(42), Some(10)));
    assert_eq!(view.started.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:00Z"));
    // The caller's leg alone says that the call is over; before that it goes on.
    assert_eq!(source.joined(&calls[..3]).view().state, CallState::Talking);
    assert!(source.joined(&calls[4..]).view().is_missed());
    let item = source.one(&calls[3]);
    assert_eq!(item.draft.external_key.as_deref(), Some("call:CA1"));
    assert_eq!(item.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:52Z"));
    // The same event again is the same; another one is not.
    assert_eq!(item.keys, source.one(&calls[3]).keys);
    assert_ne!(item.keys, source.one(&calls[2]).keys);
}

#[test]
fn calls_that_nobody_answered() {
    let source = twilio();
    let over = event(&IN, &[("CallStatus", "completed"), ("CallDuration", "20")]);
    for (status, outcome) in [
        ("busy", CallOutcome::Busy),
        ("no-answer", CallOutcome::NoAnswer),
        ("canceled", CallOutcome::Cancelled),
        ("failed", CallOutcome::Failed),
    ] {
        let view = source.joined(&[event(&CHILD, &[("CallStatus", status)]), over.clone()]).view();
        assert_eq!((view.outcome, view.is_missed()), (Some(outcome), true), "{status}");
        let view = told(&source, &event(&IN, &[("CallStatus", status)])).view();
        assert_eq!((view.outcome, view.is_missed()), (Some(outcome), true), "{status}");
        // The same by the plan's own dial.
        let dialled = event(&IN, &[("CallStatus", "in-progress"), ("DialCallStatus", status), ("DialCallSid", "CA2")]);
        assert_eq!(text(&source.thanks(&dialled)), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
        assert_eq!(source.joined(&[dialled, over.clone()]).view().outcome, Some(outcome), "{status}");
    }
    // A machine answered.
    let machine = event(&CHILD, &[("CallStatus", "completed"), ("CallDuration", "9"), ("AnsweredBy", "machine_start")]);
    assert_eq!(source.joined(&[machine, over.clone()]).view().outcome, Some(CallOutcome::Voicemail));
    // One telephone did not answer, another did.
    let both = [
        event(&CHILD, &[("CallStatus", "no-answer")]),
        event(
            &[("CallSid", "CA3"), ("ParentCallSid", "CA1"), ("To", "client:ivanov")],
            &[("CallStatus", "completed"), ("CallDuration", "7")],
        ),
        over.clone(),
    ];
    let view = source.joined(&both).view();
    assert_eq!((view.outcome, view.agent.as_deref(), view.talk_s), (Some(CallOutcome::Answered), Some("ivanov"), Some(7)));
    // By the plan's own dial.
    let dialled = event(&IN, &[("CallStatus", "in-progress"), ("DialCallStatus", "completed"), ("DialCallDuration", "31")]);
    let view = source.joined(&[dialled, over]).view();
    assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(31)));
}

#[test]
fn a_number_with_a_telephone_of_its_own() {
    let source = source(&KIND, "auth_token = \"12345\"\ncompleted_is_answered = true");
    let over =
        event(&IN, &[("CallStatus", "completed"), ("CallDuration", "20"), ("Timestamp", "Sat, 21 Nov 2026 09:59:52 +0000")]);
    let view = told(&source, &over).view();
    assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(20)));
    assert_eq!(view.started.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:32Z"));
    assert_eq!(told(&source, &event(&IN, &[("CallStatus", "in-progress")])).view().state, CallState::Talking);
}

#[test]
fn hidden_callers_internal_and_outgoing_calls() {
    let source = twilio();
    let from = |from: &'static str, to: &'static str, direction: &'static str, status: &'static str| {
        let fields = [
            ("CallSid", "CA1"),
            ("Direction", direction),
            ("From", from),
            ("To", to),
            ("CallStatus", status),
            ("CallDuration", "5"),
        ];
        told(&twilio(), &signed("", &fields)).view()
    };
    for hidden in ["anonymous", "Restricted", "+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"] {
        let view = from(hidden, "+74951234567", "inbound", "completed");
        assert!(view.hidden && view.number.is_none() && view.direction == Some(Direction::In), "{hidden}");
    }
    let view = from("client:ivanov", "client:petrov", "inbound", "completed");
    assert_eq!((view.direction, view.agent.as_deref()), (Some(Direction::Internal), Some("ivanov")));
    let view = from("sip:ivanov@firm.sip.twilio.com", "+79161234567", "inbound", "completed");
    assert_eq!((view.direction, view.agent.as_deref()), (Some(Direction::Out), Some("ivanov")));
    assert_eq!((view.number, view.outcome), (CallNumber::international("+79161234567"), Some(CallOutcome::NoAnswer)));
    let view = from("+74951234567", "+79161234567", "outbound-api", "completed");
    assert_eq!((view.direction, view.outcome, view.talk_s), (Some(Direction::Out), Some(CallOutcome::Answered), Some(5)));
    assert_eq!(view.number, CallNumber::international("+79161234567"));
    assert_eq!(view.line, CallNumber::international("+74951234567"));
    assert_eq!(from("+74951234567", "+79161234567", "outbound-api", "busy").outcome, Some(CallOutcome::Busy));
    // Without a number there is nobody to call back, but the call is known.
    let view = told(&source, &signed("", &[("CallSid", "CA1"), ("CallStatus", "no-answer"), ("Direction", "inbound")])).view();
    assert!(view.number.is_none() && !view.hidden && view.is_missed());
    // Written without a plus it is international all the same.
    assert_eq!(from("79161234567", "+74951234567", "inbound", "busy").number, CallNumber::international("79161234567"));
}

#[test]
fn recordings_and_what_is_made_of_them() {
    let source = twilio();
    let link = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";
    let fields =
        [("AccountSid", "AC1"), ("CallSid", "CA1"), ("RecordingSid", "RE1"), ("RecordingUrl", link), ("RecordingDuration", "30")];
    let of = |more: &[(&'static str, &'static str)]| source.one(&event(&fields, more));
    let item = of(&[("RecordingStatus", "completed"), ("RecordingSource", "DialVerb")]);
    assert_eq!(item.draft.offered.len(), 1);
    let file = &item.draft.offered[0];
    assert_eq!((file.id.as_str(), file.name.as_str()), (format!("{link}.mp3").as_str(), "RE1.mp3"));
    assert_eq!(item.draft.external_key.as_deref(), Some("call:CA1"));
    assert_eq!(item.draft.call.unwrap().legs.outcome, None);
    for (status, offered) in [("in-progress", 0), ("absent", 0), ("failed", 0)] {
        assert_eq!(of(&[("RecordingStatus", status)]).draft.offered.len(), offered, "{status}");
    }
    // A message that the caller left alone.
    let message = of(&[("RecordingStatus", "completed"), ("RecordingSource", "RecordVerb")]);
    assert_eq!(message.draft.call.unwrap().legs.outcome, Some(CallOutcome::Voicemail));
    let text = event(&fields, &[("TranscriptionStatus", "completed"), ("TranscriptionText", "Call me back")]);
    assert_eq!(source.one(&text).draft.message.as_deref(), Some("Call me back"));
    assert_eq!(source.thanks(&text).status, 204);
    // A conference's recording belongs to no call.
    let conference = signed("", &[("ConferenceSid", "CF1"), ("RecordingSid", "RE1"), ("RecordingStatus", "completed")]);
    assert!(source.one(&conference).draft.call.is_none());
}

#[test]
fn recordings_are_fetched_by_the_account() {
    let file = |link: &str| OfferedFile { id: link.to_owned(), ..OfferedFile::default() };
    let headers = |source: &Source, link: &str| {
        let fetch = source.push.fetch(&file(link), None).unwrap();
        assert!(fetch.hosts.contains(&"api.twilio.com".to_owned()));
        fetch.headers.into_iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect::<Vec<_>>()
    };
    let link = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.mp3";
    let basic = |pair: &str| vec![format!("authorization: Basic {}", BASE64.encode(pair.as_bytes()))];
    let plain = source(&KIND, "auth_token = [\"12345\", \"old\"]\naccount_tokens = { AC2 = \"shop\" }");
    assert_eq!(headers(&plain, link), basic("AC1:12345"));
    assert_eq!(headers(&plain, &link.replace("AC1", "AC2")), basic("AC2:shop"));
    let keyed = source(&KIND, "auth_token = \"12345\"\nrecording_user = \"SK1\"\nrecording_password = \"pw\"");
    assert_eq!(headers(&keyed, link), basic("SK1:pw"));
    // Nobody else gets the token.
    for other in [
        "https://evil.example/2010-04-01/Accounts/AC1/Recordings/RE1.mp3",
        "http://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.mp3",
        "https://api.twilio.com.evil.example/Accounts/AC1/RE1.mp3",
        "https://eviltwilio.com/Accounts/AC1/RE1.mp3",
        "no link",
    ] {
        assert_eq!(headers(&plain, other), Vec::<String>::new(), "{other}");
    }
    assert!(!matches!(plain.push.fetch(&file(link), None), Err(NoFetch::Never(_))));
}

#[test]
fn calls_are_put_through() {
    let source = source(&KIND, "auth_token = \"12345\"\nforward = \"+7 903 111-22-33\"\nforward_timeout = \"20 s\"");
    let ring = signed("/voice", &[&IN[..], &[("CallStatus", "ringing")]].concat());
    let (number, tells) = source.asked(&ring);
    assert_eq!(number, CallNumber::international("+79161234567"));
    assert_eq!(tells.len(), 1);
    let view = tells[0].draft.call.as_ref().unwrap().view();
    assert_eq!((view.state, view.direction), (CallState::Ringing, Some(Direction::In)));
    let dial = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial timeout=\"20\" answerOnBridge=\"true\" \
                action=\"https://gw.example.com/in/calls/TOKEN/voice/dial\" method=\"POST\"><Number>+79031112233</Number></Dial></Response>";
    for reply in [source.known(&ring, None), source.thanks(&ring)] {
        assert_eq!((reply.status, text(&reply)), (200, dial));
        assert_eq!(reply.headers, [("content-type", "text/xml; charset=utf-8".to_owned())]);
    }
    let after = |status: &'static str, seconds: &'static str| {
        let more =
            [("CallStatus", "in-progress"), ("DialCallStatus", status), ("DialCallDuration", seconds), ("DialCallSid", "CA2")];
        signed("/voice/dial", &[&IN[..], &more].concat())
    };
    assert_eq!(text(&source.thanks(&after("completed", "9"))), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    let over = event(&IN, &[("CallStatus", "completed"), ("CallDuration", "20")]);
    for (status, seconds, outcome, talk, agent) in [
        ("completed", "9", CallOutcome::Answered, Some(9), Some("+79031112233")),
        ("no-answer", "0", CallOutcome::NoAnswer, None, None),
        ("busy", "0", CallOutcome::Busy, None, None),
        ("canceled", "0", CallOutcome::Cancelled, None, None),
        ("failed", "0", CallOutcome::Failed, None, None),
    ] {
        let facts = told(&source, &after(status, seconds));
        assert!(facts.is_over(), "{status}");
        for facts in [facts, source.joined(&[after(status, seconds), over.clone()])] {
            let view = facts.view();
            assert_eq!((view.outcome, view.talk_s, view.agent.as_deref()), (Some(outcome), talk, agent), "{status}");
        }
    }
    // The caller's own leg may be told of first, and says nothing of whether anybody answered.
    assert!(!told(&source, &over).is_over());
    // Without a number to put calls through to.
    let bare = twilio();
    assert!(bare.asked(&ring).0.is_some());
    assert_eq!(
        text(&bare.known(&ring, None)),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><!-- This source puts no calls through: forward is not configured -->\
         </Response>"
    );
}

#[test]
fn whoever_is_known_is_put_through_to_who_works_with_them() {
    let source = source(&KIND, "auth_token = \"12345\"\nforward = \"+79031112233\"\ngreeting = \"Hello\"\nto_responsible = true");
    let ring = signed("/voice", &IN);
    let to = |extension: Option<&str>| text(&source.known(&ring, Some(&known("Anna", extension)))).to_owned();
    let first = |query: &str, to: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"ru-RU\">Hello</Say><Dial timeout=\"30\" \
             action=\"https://gw.example.com/in/calls/TOKEN/voice/first?responsible={query}\" method=\"POST\">{to}</Dial></Response>"
        )
    };
    assert_eq!(to(Some("+7 (903) 444-55-66")), first("%2B79034445566", "<Number>+79034445566</Number>"));
    assert_eq!(
        to(Some("sip:anna@pbx.example.com")),
        first("sip%3Aanna%40pbx.example.com", "<Sip>sip:anna@pbx.example.com</Sip>")
    );
    assert_eq!(to(Some("client:anna&co")), first("anna%26co", "<Client>anna&amp;co</Client>"));
    let usual = text(&source.known(&ring, None)).to_owned();
    assert!(usual.contains("<Number>+79031112233</Number>") && usual.contains("voice/dial\""), "{usual}");
    // Nobody works with them, or at a PBX of which this provider knows nothing, or at that number anyway.
    for extension in [None, Some("101"), Some("+79031112233"), Some("sip:"), Some("tel:+79034445566")] {
        assert_eq!(to(extension), usual, "{extension:?}");
    }
    let after = |status: &'static str, seconds: &'static str| {
        let more = [("CallStatus", "in-progress"), ("DialCallStatus", status), ("DialCallDuration", seconds)];
        signed("/voice/first?responsible=%2B79034445566", &[&IN[..], &more].concat())
    };
    assert_eq!(text(&source.thanks(&after("completed", "9"))), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    let next = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial timeout=\"30\" \
                action=\"https://gw.example.com/in/calls/TOKEN/voice/dial\" method=\"POST\"><Number>+79031112233</Number></Dial></Response>";
    for reply in [source.thanks(&after("no-answer", "0")), source.busy(&after("busy", "0"))] {
        assert_eq!((reply.status, text(&reply)), (200, next), "the caller is not greeted twice");
    }
    assert_eq!(source.busy(&after("completed", "9")).status, 503, "they have spoken, and nobody waits for what to do");
    let view = told(&source, &after("completed", "9")).view();
    assert_eq!((view.outcome, view.agent.as_deref()), (Some(CallOutcome::Answered), Some("+79034445566")));
    assert!(!told(&source, &after("no-answer", "0")).is_over(), "it rings elsewhere");
    let dialled = [("CallStatus", "in-progress"), ("DialCallStatus", "completed"), ("DialCallDuration", "5")];
    let dialled = signed("/voice/dial", &[&IN[..], &dialled].concat());
    let view = source.joined(&[after("no-answer", "0"), dialled]).view();
    assert_eq!((view.outcome, view.agent.as_deref(), view.talk_s), (Some(CallOutcome::Answered), Some("+79031112233"), Some(5)));
    let problems = try_source(&KIND, "auth_token = \"12345\"\nto_responsible = true").err().unwrap();
    assert!(problems.iter().any(|problem| problem.key == "to_responsible"), "{problems:?}");
    let off = self::source(&KIND, "auth_token = \"12345\"\nforward = \"+79031112233\"");
    assert_eq!(text(&off.known(&ring, Some(&known("Anna", Some("+79034445566"))))), text(&off.known(&ring, None)));
}

#[test]
fn what_is_no_event_of_a_call() {
    let source = twilio();
    let received = source.thanks(&event(&IN, &[("CallStatus", "completed")]));
    assert_eq!((received.status, received.headers.len(), received.body.len()), (204, 0, 0));
    assert_eq!(source.probe(&signed("", &[])).status, 204);
    let item = source.one(&signed("", &[("MessageSid", "SM1"), ("Body", "hello")]));
    assert!(item.draft.call.is_none() && item.hold.is_none());
    assert!(source.one(&event(&IN, &[("StreamEvent", "x")])).draft.call.is_none());
    let Err(Refusal::Unreadable(why)) = source.parse(&signed("", &[("CallStatus", "completed")])) else { panic!() };
    assert!(why.contains("CallSid"), "{why}");
}

#[test]
fn the_example_is_right() {
    crate::testing::example_is_right(&KIND);
}

#[test]
fn whoever_calls_does_not_wait_for_a_database() {
    let source = twilio();
    let ring = signed("/voice", &IN);
    assert_eq!(source.busy(&ring), source.known(&ring, None));
    assert_eq!(source.busy(&Call { token: PathToken::Absent, ..ring }).status, 503);
    assert_eq!(source.busy(&signed("", &IN)).status, 503);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_holds_and_nothing_else(
        fields in prop::collection::vec(("[A-Za-z]{1,8}", "\\PC{0,12}"), 1..8),
        token in "[a-z0-9]{1,40}",
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        sha256 in any::<bool>(),
    ) {
        // Names that mean something to the reader of bodies, and values it cleans, are not what is tried here.
        prop_assume!(fields.iter().all(|(_, value)| !value.starts_with('\u{feff}')));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let source = source(&KIND, &format!("auth_token = \"{token}\"\nshared_key = \"{token}\""));
        let mut call = by(&token, "?a=1", &fields);
        if sha256 {
            let mut pairs = fields.clone();
            pairs.sort_unstable();
            pairs.dedup();
            let message = pairs.iter().fold(format!("{BASE}?a=1"), |all, (name, value)| all + name + value);
            let made = BASE64.encode(&hmac_sha256(&Secret::new(token.as_str()), message.as_bytes()).unwrap());
            call = Call::form("?a=1", &fields)
                .header("X-Twilio-Signature", &made)
                .header("X-Twilio-Webhooks-Signature-Settings", "key=K,algorithm=HMAC_SHA256");
        }
        prop_assert!(source.refused(&call).is_none());
        // One value changed by one byte.
        let mut values: Vec<(String, String)> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let one = at.index(values.len());
        values[one].1.push(char::from(to % 26 + b'a'));
        let changed: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let changed = Call { headers: call.headers.clone(), ..Call::form("?a=1", &changed) };
        prop_assert!(source.refused(&changed).is_some());
        // One byte of the signature.
        let mut forged = call.clone();
        let value = &mut forged.headers.iter_mut().find(|(name, _)| name == "x-twilio-signature").unwrap().1;
        let place = at.index(value.len());
        let old = value.as_bytes()[place];
        value.replace_range(place..=place, if old == b'A' { "B" } else { "A" });
        prop_assert!(source.refused(&forged).is_some());
    }

    #[test]
    fn hashed_bodies(body in "\\{\"[a-z]{1,5}\":\"[a-z]{1,9}\"\\}", at in any::<prop::sample::Index>()) {
        let source = twilio();
        let behind = format!("?bodySHA256={}", sha256_hex(body.as_bytes()));
        let made = BASE64.encode(&hmac_sha1(&Secret::new("12345"), format!("{BASE}{behind}").as_bytes()).unwrap());
        let call = Call::json(&behind, &body).header("X-Twilio-Signature", &made);
        prop_assert!(source.refused(&call).is_none());
        let mut changed = call.clone();
        let place = at.index(changed.body.len());
        changed.body[place] = changed.body[place].wrapping_add(1);
        prop_assert!(!is_taken(&source, &changed));
    }

    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..300), query in "\\PC{0,80}", rest in "(/voice|/voice/first|/voice/dial|/x|)") {
        let source = twilio();
        let mut call = Call::post(&format!("{rest}?{query}"), "application/x-www-form-urlencoded", body);
        call.token = PathToken::Vouched;
        drop(source.parse(&call));
        drop(source.thanks(&call));
        call.token = PathToken::Valid;
        drop(source.parse(&call));
    }
}
