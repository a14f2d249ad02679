use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallState, Direction};
use leadgate_core::ports::Parsed;
use leadgate_core::submission::Submission;
use proptest::prelude::*;

use super::*;
use crate::signed::{hmac_sha256, sha256_hex};
use crate::testing::{Call, Source, noon, source, text, try_source};

const SECRET: &str = "qwertyuiopasdfghjklzxcvbnm123456";
const KEYS: &str = "signature_secret = \"qwertyuiopasdfghjklzxcvbnm123456\"";
/// Made for these tests; it signs nothing else.
const RSA: &str = include_str!("tests_key.pem");

fn vonage() -> Source {
    source(&KIND, KEYS)
}

fn with_keys(keys: &str) -> Source {
    source(&KIND, &format!("{KEYS}\n{keys}"))
}

fn token(head: &str, claims: &serde_json::Value, secret: &str) -> String {
    let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let message = format!("{}.{}", encoded(head), encoded(&claims.to_string()));
    let made = hmac_sha256(&Secret::new(secret), message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64URL_NOPAD.encode(&made))
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn claims(body: &[u8], at: Timestamp) -> serde_json::Value {
    serde_json::json!({
        "iss": "Vonage", "iat": at.as_second(), "jti": "j1", "api_key": "abcd1234", "application_id": "app-1",
        "payload_hash": sha256_hex(body),
    })
}

fn bearing(call: Call, token: &str) -> Call {
    call.header("Authorization", &format!("Bearer {token}"))
}

fn signed(call: Call) -> Call {
    let token = token(HS256, &claims(&call.body, noon()), SECRET);
    bearing(call, &token)
}

fn is_taken(source: &Source, call: &Call) -> bool {
    matches!(source.parse(call), Ok(Parsed::Submissions(_)))
}

fn facts(item: &Submission) -> &CallFacts {
    item.draft.call.as_ref().unwrap()
}

#[test]
fn vectors() {
    let made = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.\
                eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.\
                88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM";
    let at = Timestamp::from_second(1_697_634_680).unwrap();
    let call = bearing(Call::get("?conversation_uuid=CON-1&status=ringing"), made).at(at);
    assert!(is_taken(&vonage(), &call) && vonage().one(&call).hold.is_none());
    assert!(source(&KIND, "signature_secret = \"asdf\"").refused(&call).unwrap().contains("signature_secret"));
    assert!(vonage().refused(&bearing(Call::get("?a=1"), "asdf")).unwrap().contains("the token is none"));
    // A body takes a token that covers it.
    let body = r#"{"uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"completed"}"#;
    assert_eq!(sha256_hex(body.as_bytes()), "1ce0f3cedcbb34d9f701c84da39731577cc3d6306b3bc2f608a4442ceef4d54b");
    assert!(vonage().refused(&bearing(Call::json("", body), made).at(at)).unwrap().contains("payload_hash"));
    assert!(is_taken(&vonage(), &signed(Call::json("", body))));
    let other = Call::json("", &body.replace("completed", "completeD"));
    let forged = bearing(other, &token(HS256, &claims(body.as_bytes(), noon()), SECRET));
    assert!(vonage().refused(&forged).unwrap().contains("payload_hash"));
}

#[test]
fn only_one_algorithm_is_taken() {
    let call = Call::json("", r#"{"conversation_uuid":"CON-1","status":"ringing"}"#);
    let with = |head: &str| bearing(call.clone(), &token(head, &claims(&call.body, noon()), SECRET));
    assert!(vonage().refused(&with(HS256)).is_none());
    for head in [r#"{"alg":"none"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"hs256"}"#, r#"{"alg":"HS512"}"#, "{}", "", "[]"] {
        assert!(vonage().refused(&with(head)).unwrap().contains("HS256"), "{head}");
    }
    let whole = token(HS256, &claims(&call.body, noon()), SECRET);
    let (unsigned, _) = whole.rsplit_once('.').unwrap();
    for cut in [unsigned.to_owned(), format!("{unsigned}."), format!("{whole}.x"), format!("{whole}="), String::new()] {
        assert!(vonage().refused(&bearing(call.clone(), &cut)).is_some(), "{cut}");
    }
    assert!(vonage().refused(&call.clone().header("Authorization", &format!("Basic {whole}"))).is_some());
    assert!(vonage().refused(&call).unwrap().contains("Authorization"));
}

#[test]
fn what_a_token_says_is_checked() {
    let call = Call::json("", r#"{"conversation_uuid":"CON-1","status":"ringing"}"#);
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = claims(&call.body, noon());
        change(&mut claims);
        bearing(call.clone(), &token(HS256, &claims, SECRET))
    };
    for (seconds, held) in [(0, false), (300, false), (-300, false), (301, true), (-301, true)] {
        let late = with(&|claims| claims["iat"] = (noon() + SignedDuration::from_secs(seconds)).as_second().into());
        let hold = vonage().one(&late).hold.map(|hold| (hold.code, hold.authenticated));
        assert_eq!(hold, held.then_some(("clock".to_owned(), true)), "{seconds}");
    }
    let ended = with(&|claims| claims["exp"] = (noon().as_second() - 1).into());
    assert!(vonage().one(&ended).hold.unwrap().words.contains("run out"));
    for name in ["iat", "payload_hash"] {
        let without = with(&|claims| claims[name] = serde_json::Value::Null);
        assert!(vonage().refused(&without).unwrap().contains(name), "{name}");
    }
    // A token that is old and of another body proves nothing.
    let both = with(&|claims| {
        claims["iat"] = 1.into();
        claims["payload_hash"] = "00".into();
    });
    assert!(vonage().refused(&both).is_some());
    let pinned = with_keys("api_key = \"abcd1234\"\napplication_id = \"app-1\"");
    assert!(is_taken(&pinned, &with(&|_| {})));
    for name in ["api_key", "application_id"] {
        for other in [serde_json::Value::Null, "other".into()] {
            let call = with(&|claims| claims[name] = other.clone());
            assert!(pinned.refused(&call).unwrap().contains(name), "{name}");
            assert!(vonage().refused(&call).is_none());
        }
    }
    // The old secret and the new one.
    let both = source(&KIND, &format!("signature_secret = [\"new\", {SECRET:?}]"));
    assert!(is_taken(&both, &signed(call.clone())));
    assert!(is_taken(&both, &bearing(call.clone(), &token(HS256, &claims(&call.body, noon()), "new"))));
    let wrong = |keys: &str| try_source(&KIND, keys).err().map(|problems| problems[0].key.clone());
    assert_eq!(wrong("").as_deref(), Some("signature_secret"));
    assert_eq!(wrong(&format!("{KEYS}\nprivate_key = \"x\"")).as_deref(), Some("application_id"));
    assert_eq!(wrong(&format!("{KEYS}\napplication_id = \"a\"\nprivate_key = \"x\"")).as_deref(), Some("private_key"));
}

#[test]
fn a_token_of_another_body_covers_no_empty_one() {
    let made = token(r#"{"alg":"HS256","typ":"JWT"}"#, &claims(b"{\"status\":\"ringing\"}", noon()), SECRET);
    let query = "?conversation_uuid=CON-1&uuid=u1&status=completed&direction=inbound&from=79161234567";
    for call in [Call::get(query), Call::json(query, "")] {
        assert!(vonage().refused(&bearing(call, &made)).unwrap().contains("payload_hash"));
    }
    let nothing = token(r#"{"alg":"HS256","typ":"JWT"}"#, &claims(b"", noon()), SECRET);
    assert!(vonage().refused(&bearing(Call::get(query), &nothing)).is_none());
}

#[test]
fn a_query_is_not_covered() {
    let item = vonage().one(&signed(Call::get("?conversation_uuid=CON-1&status=ringing&direction=inbound&from=79161234567")));
    assert!(facts(&item).partly_signed);
    let body = r#"{"conversation_uuid":"CON-1","status":"ringing"}"#;
    assert!(!facts(&vonage().one(&signed(Call::json("", body)))).partly_signed);
    assert!(facts(&vonage().one(&signed(Call::json("?from=79161234567", body)))).partly_signed);
}

fn event(leg: &str, direction: &str, status: &str, at: &str, more: &[(&str, &str)]) -> Call {
    let (from, to) = if direction == "inbound" { ("79161234567", "74951234567") } else { ("74951234567", "79031112233") };
    let mut body = serde_json::json!({
        "from": from, "to": to, "uuid": leg, "conversation_uuid": "CON-1", "status": status, "direction": direction,
        "timestamp": format!("2026-11-21T{at}.123Z"),
    });
    for (name, value) in more {
        body[*name] = (*value).into();
    }
    signed(Call::json("", &body.to_string()))
}

#[test]
fn a_call_with_two_legs() {
    let source = vonage();
    let calls = [
        event("l1", "inbound", "started", "09:59:00", &[]),
        event("l1", "inbound", "ringing", "09:59:00", &[]),
        event("l1", "inbound", "answered", "09:59:01", &[("start_time", "-")]),
        event("l2", "outbound", "started", "09:59:01", &[]),
        event("l2", "outbound", "ringing", "09:59:02", &[]),
        event("l2", "outbound", "answered", "09:59:10", &[]),
        event("l2", "outbound", "completed", "09:59:40", &[("duration", "30"), ("end_time", "2026-11-21T09:59:40.000Z")]),
        event(
            "l1",
            "inbound",
            "completed",
            "09:59:40",
            &[
                ("duration", "39"),
                ("start_time", "2026-11-21T09:59:01.000Z"),
                ("end_time", "2026-11-21T09:59:40.000Z"),
                ("price", "0.1"),
            ],
        ),
    ];
    let view = source.joined(&calls).view();
    assert_eq!((view.direction, view.outcome), (Some(Direction::In), Some(CallOutcome::Answered)));
    assert_eq!(view.number, CallNumber::international("79161234567"));
    assert_eq!(view.line, CallNumber::international("74951234567"));
    assert_eq!((view.agent.as_deref(), view.talk_s), (Some("79031112233"), Some(30)));
    assert_eq!(source.joined(&calls[..5]).view().state, CallState::Ringing);
    assert_eq!(source.joined(&calls[..6]).view().state, CallState::Talking);
    assert!(source.joined(&[calls[2].clone(), calls[7].clone()]).view().is_missed());
    let item = source.one(&calls[0]);
    assert_eq!(item.draft.external_key.as_deref(), Some("call:CON-1"));
    assert_eq!(item.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:00.123Z"));
    assert_eq!(item.keys, source.one(&calls[0]).keys);
    assert_ne!(item.keys, source.one(&calls[1]).keys);
    // A telephone of ours answers the number.
    let own = with_keys("completed_is_answered = true");
    let view = own.joined(&[calls[2].clone(), calls[7].clone()]).view();
    assert_eq!((view.outcome, view.talk_s), (Some(CallOutcome::Answered), Some(39)));
}

#[test]
fn calls_that_nobody_answered() {
    let source = vonage();
    let over = event("l1", "inbound", "completed", "09:59:40", &[("duration", "20")]);
    for (status, outcome) in [
        ("busy", CallOutcome::Busy),
        ("cancelled", CallOutcome::Cancelled),
        ("unanswered", CallOutcome::NoAnswer),
        ("timeout", CallOutcome::NoAnswer),
        ("rejected", CallOutcome::Declined),
        ("failed", CallOutcome::Failed),
        ("machine", CallOutcome::Voicemail),
    ] {
        let leg = event("l2", "outbound", status, "09:59:30", &[("reason", "why")]);
        assert_eq!(source.joined(&[leg.clone(), over.clone()]).view().outcome, Some(outcome), "{status}");
        assert_eq!(source.one(&leg).draft.fields[0].value, "why");
        if status != "machine" {
            let view = facts(&source.one(&event("l1", "inbound", status, "09:59:30", &[]))).view();
            assert_eq!((view.outcome, view.is_missed()), (Some(outcome), true), "{status}");
        }
    }
    for hidden in ["anonymous", "unknown", "Restricted"] {
        let view = facts(&source.one(&event("l1", "inbound", "completed", "09:59:40", &[("from", hidden)]))).view();
        assert!(view.hidden && view.number.is_none() && view.is_missed(), "{hidden}");
    }
    let view = facts(&source.one(&event("l1", "inbound", "completed", "09:59:40", &[("from", "-")]))).view();
    assert!(!view.hidden && view.number.is_none());
}

#[test]
fn internal_and_outgoing_calls() {
    let client = event("l1", "inbound", "started", "09:59:00", &[("from", "ivanov"), ("to", "petrov")]);
    let view = facts(&vonage().one(&client)).view();
    assert_eq!((view.direction, view.agent.as_deref()), (Some(Direction::Internal), Some("ivanov")));
    let client = event("l1", "inbound", "started", "09:59:00", &[("from", "ivanov"), ("to", "79161234567")]);
    let view = facts(&vonage().one(&client)).view();
    assert_eq!((view.direction, view.number), (Some(Direction::Out), CallNumber::international("79161234567")));

    let out = with_keys("outgoing_legs = \"customers\"");
    let calls = [
        event("l2", "outbound", "started", "09:59:01", &[]),
        event("l2", "outbound", "answered", "09:59:10", &[]),
        event("l2", "outbound", "completed", "09:59:40", &[("duration", "30")]),
    ];
    let mut facts = out.joined(&calls);
    facts.join(&CallFacts::silence("CON-1"));
    let view = facts.view();
    assert_eq!((view.direction, view.outcome, view.talk_s), (Some(Direction::Out), Some(CallOutcome::Answered), Some(30)));
    assert_eq!(view.number, CallNumber::international("79031112233"));
    assert_eq!(vonage().joined(&calls).view().number, None);
    let mut busy = out.joined(&[event("l2", "outbound", "busy", "09:59:01", &[])]);
    busy.join(&CallFacts::silence("CON-1"));
    assert_eq!(busy.view().outcome, Some(CallOutcome::Busy));
    // The number that calls are put through to is no customer's.
    let forwarding = with_keys("outgoing_legs = \"customers\"\nforward = \"+79031112233\"");
    assert_eq!(forwarding.joined(&calls).view().agent.as_deref(), Some("79031112233"));
}

#[test]
fn recordings_take_a_token_of_the_application() {
    let body = r#"{"conversation_uuid":"CON-1","recording_url":"https://api.nexmo.com/v1/files/f1","recording_uuid":"r1","size":12222,
        "start_time":"2026-11-21T09:59:01Z","end_time":"2026-11-21T09:59:40Z","timestamp":"2026-11-21T09:59:41Z"}"#;
    let plain = vonage();
    let item = plain.one(&signed(Call::json("", body)));
    let file = &item.draft.offered[0];
    assert_eq!((file.id.as_str(), file.unique.as_str(), file.size), ("https://api.nexmo.com/v1/files/f1", "r1", Some(12_222)));
    assert_eq!(item.draft.external_key.as_deref(), Some("call:CON-1"));
    let Err(NoFetch::Never(why)) = plain.push.fetch(file, None) else { panic!() };
    assert!(why.contains("private_key"), "{why}");

    let signing = with_keys(&format!("application_id = \"app-1\"\nprivate_key = {RSA:?}"));
    let item = signing.one(&signed(Call::json("", body)));
    let file = &item.draft.offered[0];
    assert_eq!(file.unique, "r1");
    let fetch = signing.push.fetch(file, None).unwrap();
    assert_eq!(fetch.url, "https://api.nexmo.com/v1/files/f1");
    assert!(fetch.hosts.contains(&".nexmo.com".to_owned()));
    let (name, header) = &fetch.headers[0];
    assert_eq!(*name, "authorization");
    check(header.expose().strip_prefix("Bearer ").unwrap());
    // Nobody else gets a token.
    for other in [
        "https://evil.example/v1/files/f1#offered=1795255200",
        "http://api.nexmo.com/v1/files/f1#offered=1795255200",
        "https://evilnexmo.com/v1/files/f1#offered=1795255200",
        "https://api.nexmo.com/v1/files/f1",
        "no link",
    ] {
        let file = OfferedFile { id: other.to_owned(), ..file.clone() };
        assert!(matches!(signing.push.fetch(&file, None), Err(NoFetch::Never(_))), "{other}");
    }
}

/// Checks a token by the public half of the key it has to be signed with.
fn check(token: &str) {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
    let body: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&data_encoding::BASE64.decode(body.as_bytes()).unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref()).verify(message.as_bytes(), &signature).unwrap();
    let (head, claims) = message.split_once('.').unwrap();
    let read =
        |part: &str| serde_json::from_slice::<serde_json::Value>(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap();
    assert_eq!(read(head), serde_json::json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = read(claims);
    assert_eq!(claims["application_id"], "app-1");
    assert_eq!(claims["iat"], noon().as_second());
    assert_eq!(claims["exp"], noon().as_second() + 86_400);
    assert_eq!(claims["jti"].as_str().map(str::len), Some(64));
}

#[test]
fn calls_are_put_through() {
    let source = with_keys("forward = \"+79031112233\"\nforward_timeout = \"20 s\"");
    let connect = serde_json::json!([{
        "action": "connect", "from": "74951234567", "timeout": 20, "eventUrl": ["https://gw.example.com/in/calls/TOKEN"],
        "endpoint": [{ "type": "phone", "number": "79031112233" }],
    }]);
    let got = signed(Call::get("/answer?from=79161234567&to=74951234567&uuid=l1&conversation_uuid=CON-1"));
    let body = r#"{"from":"79161234567","to":"74951234567","uuid":"l1","conversation_uuid":"CON-1"}"#;
    for ring in [got, signed(Call::json("/answer", body))] {
        let (number, tells) = source.asked(&ring);
        assert_eq!(number, CallNumber::international("79161234567"));
        let view = facts(&tells[0]).view();
        assert_eq!((view.state, view.direction), (CallState::Ringing, Some(Direction::In)));
        for reply in [source.known(&ring, None), source.thanks(&ring)] {
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap(), connect);
            assert_eq!(reply.headers, [("content-type", "application/json".to_owned())]);
        }
        assert_eq!(text(&vonage().known(&ring, None)), "[]");
    }
}

#[test]
fn what_is_no_event_of_a_call() {
    let source = vonage();
    let reply = source.probe(&signed(Call::json("", "")));
    assert_eq!((reply.status, reply.headers.len(), reply.body.len()), (204, 0, 0));
    let of = |body: &str| source.one(&signed(Call::json("", body)));
    assert!(of(r#"{"message_uuid":"m1","text":"hello"}"#).draft.call.is_none());
    assert!(of(r#"{"conversation_uuid_from":"a","conversation_uuid_to":"b","type":"transfer"}"#).draft.call.is_none());
    let error = of(r#"{"conversation_uuid":"CON-1","reason":"Syntax error in NCCO","timestamp":"2026-11-21T09:59:41Z"}"#);
    assert_eq!(
        (error.draft.external_key.as_deref(), error.draft.fields[0].value.as_str()),
        (Some("call:CON-1"), "Syntax error in NCCO")
    );
    assert!(facts(&of(r#"{"conversation_uuid":"CON-1","call_uuid":"l2","status":"human"}"#)).legs.picked_up);
    let Err(Refusal::Unreadable(why)) = source.parse(&signed(Call::json("", r#"{"status":"completed"}"#))) else { panic!() };
    assert!(why.contains("conversation_uuid"), "{why}");
}

#[test]
fn the_example_is_right() {
    crate::testing::example_is_right(&KIND);
}

#[test]
fn whoever_calls_does_not_wait_for_a_database() {
    let source = vonage();
    let ring = signed(Call::get("/answer?to=74951234567&conversation_uuid=CON-1"));
    assert_eq!(source.busy(&ring), source.known(&ring, None));
    assert_eq!(source.busy(&Call { token: PathToken::Absent, ..ring }).status, 503);
    assert_eq!(source.busy(&signed(Call::get("?conversation_uuid=CON-1"))).status, 503);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_holds_and_nothing_else(
        name in "[a-z]{1,8}", value in "[^\"\\\\\\p{C}]{0,20}", at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let source = vonage();
        let call = signed(Call::json("", &format!("{{\"{name}\":\"{value}\"}}")));
        prop_assert!(source.refused(&call).is_none());
        let mut changed = call.clone();
        let place = at.index(changed.body.len());
        changed.body[place] ^= 1 << bit;
        prop_assert!(source.parse(&changed).is_err());
        let mut forged = call;
        let header = &mut forged.headers.iter_mut().find(|(name, _)| name == "authorization").unwrap().1;
        let place = "Bearer ".len() + at.index(header.len() - "Bearer ".len());
        let old = header.as_bytes()[place];
        header.replace_range(place..=place, if old == b'A' { "B" } else { "A" });
        prop_assert!(source.refused(&forged).is_some());
    }

    #[test]
    fn nothing_panics(
        body in prop::collection::vec(any::<u8>(), 0..300), query in "\\PC{0,80}", rest in "(/answer|)", bearer in "\\PC{0,60}",
    ) {
        let source = vonage();
        let mut call = bearing(Call::post(&format!("{rest}?{query}"), "application/json", body), &bearer);
        for token in [PathToken::Vouched, PathToken::Valid] {
            call.token = token;
            drop(source.parse(&call));
            drop(source.thanks(&call));
        }
    }
}
