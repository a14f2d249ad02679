//! Each provider as it is documented to post.

use leadgate_core::call::{CallNumber, CallOutcome, CallState, Direction};
use leadgate_core::ports::{Known, Parsed, Who};

use super::*;
use crate::testing::{known, noon, try_source};

fn anna() -> Known {
    known("Анна \"А\"", Some("101"))
}

fn who(source: &Source, call: &Call) -> Who {
    match source.parse(call) {
        Ok(Parsed::Who(who)) => who,
        other => panic!("{other:?}"),
    }
}

/// The bodies that are handed to the owner, with values in the place of the variables.
fn uis(event: &str, more: &[(&str, &str)]) -> Call {
    let page = include_str!("../../../../../docs/sources/uis.md");
    let from = page.find(&format!("\"event\": \"{event}\"")).unwrap();
    let start = page[..from].rfind('{').unwrap();
    let end = from + page[from..].find("```").unwrap();
    let mut body = page[start..end].to_owned();
    let usual = [
        ("call_session_id", "\"987\""),
        ("notification_time", "\"2026-11-21 13:00:00\""),
        ("virtual_phone_number", "\"74951234567\""),
        ("contact_phone_number", "\"79161234567\""),
        ("scenario_name", "\"Продажи\""),
    ];
    for (name, value) in more.iter().chain(&usual) {
        body = body.replace(&format!("{{{{{name}}}}}"), value);
    }
    // What the notification does not know is null.
    while let (Some(open), Some(close)) = (body.find("{{"), body.find("}}")) {
        body.replace_range(open..close + 2, "null");
    }
    Call::json("", &body)
}

#[test]
fn uis_answered_call() {
    let source = preset("uis", "");
    let calls = [
        uis("call_started", &[]),
        uis(
            "call_answered",
            &[
                ("direction", "\"in\""),
                ("employee_full_name", "\"Иванов Иван\""),
                ("notification_time", "\"2026-11-21 13:00:07\""),
            ],
        ),
        uis(
            "call_ended",
            &[
                ("direction", "\"in\""),
                ("employee_full_name", "\"Иванов Иван\""),
                ("talk_time_duration", "65"),
                ("wait_time_duration", "7"),
                ("total_time_duration", "72"),
                ("notification_time", "\"2026-11-21 13:01:12\""),
                ("tag_names", "[\"Новый\",\"VIP\"]"),
            ],
        ),
        uis("call_recorded", &[("file_link", "\"https://app.uiscom.ru/system/media/talk/987/abc/\"")]),
    ];
    let call = view(&source, &calls);
    assert_eq!(number(&call), Some(("79161234567", true)));
    assert_eq!(call.line, CallNumber::international("74951234567"));
    assert_eq!((call.outcome, call.direction), (Some(CallOutcome::Answered), Some(Direction::In)));
    assert_eq!((call.talk_s, call.wait_s, call.agent.as_deref()), (Some(65), Some(7), Some("Иванов Иван")));
    assert_eq!(call.scheme.as_deref(), Some("Продажи"));
    assert_eq!(call.started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    let tagged = source.one(&calls[2]).draft;
    assert!(tagged.fields.iter().any(|field| field.name == "Tags" && field.value == "Новый, VIP"), "{:?}", tagged.fields);
    let recorded = source.one(&calls[3]).draft;
    assert_eq!(recorded.offered[0].id, "https://app.uiscom.ru/system/media/talk/987/abc/");
}

#[test]
fn uis_lost_outgoing_and_hidden_calls() {
    let source = preset("uis", "");
    let lost = view(
        &source,
        &[
            uis("call_started", &[]),
            uis("call_waiting", &[("direction", "\"in\"")]),
            uis("call_missed", &[("wait_time_duration", "35")]),
        ],
    );
    assert!(lost.is_missed());
    assert_eq!(lost.wait_s, Some(35));
    let out = view(&source, &[uis("call_out_started", &[("employee_full_name", "\"Пётр\"")])]);
    assert_eq!((out.direction, out.state, out.agent.as_deref()), (Some(Direction::Out), CallState::Ringing, Some("Пётр")));
    let hidden = view(&source, &[uis("call_started", &[("contact_phone_number", "\"anonymous\"")])]);
    assert!(hidden.hidden && hidden.number.is_none());
    let internal = facts(
        &source,
        &Call::json("", r#"{"event":"call_ended","call_session_id":5,"is_internal":true,"contact_phone_number":"101"}"#),
    );
    assert_eq!(internal.view().direction, Some(Direction::Internal));
    assert_eq!(internal.id, "5");
    note(&source, &Call::json("", r#"{"event":"chat_started","call_session_id":5}"#));
}

#[test]
fn uis_key_in_the_body() {
    let source = preset("uis", "secret = [\"new-key\", \"old-key\"]");
    let with = |key: &str| {
        Call::json(
            "",
            &format!(r#"{{"event":"call_started","key":"{key}","call_session_id":5,"contact_phone_number":"79161234567"}}"#),
        )
    };
    for key in ["new-key", "old-key"] {
        let one = source.one(&with(key));
        let kept = String::from_utf8(one.raw.body.to_vec()).unwrap();
        assert!(!kept.contains(key) && kept.contains("79161234567"), "{kept}");
        assert!(one.draft.fields.is_empty(), "{:?}", one.draft.fields);
    }
    for key in ["new-kez", "", "{{key}}"] {
        assert!(source.refused(&with(key)).is_some(), "{key}");
    }
    assert!(source.refused(&Call::json("", r#"{"event":"call_started","call_session_id":5}"#)).unwrap().contains("missing"));
}

fn binotel(fields: &[(&str, &str)]) -> Call {
    Call::form("", fields)
}

fn completed(disposition: &str, billsec: &str) -> Call {
    binotel(&[
        ("requestType", "apiCallCompleted"),
        ("callDetails[companyID]", "3041"),
        ("callDetails[generalCallID]", "2744830"),
        ("callDetails[callID]", "2744831"),
        ("callDetails[startTime]", "1795255200"),
        ("callDetails[callType]", "0"),
        ("callDetails[internalNumber]", "904"),
        ("callDetails[externalNumber]", "0670219424"),
        ("callDetails[waitsec]", "4"),
        ("callDetails[billsec]", billsec),
        ("callDetails[disposition]", disposition),
        ("callDetails[isNewCall]", "1"),
        ("callDetails[pbxNumberData][number]", "0443334000"),
        ("callDetails[pbxNumberData][name]", "Головний"),
        ("callDetails[customerData]", ""),
        ("callDetails[callTrackingData][utm_source]", "google"),
        ("callDetails[callTrackingData][gaClientId]", "11.22"),
    ])
}

#[test]
fn binotel_answered_and_missed_calls() {
    let source = preset("binotel", "");
    assert_eq!(source.rules.country.map(|country| country.as_str().to_owned()).as_deref(), Some("UA"));
    let during = |kind: &str| {
        binotel(&[
            ("requestType", kind),
            ("generalCallID", "2744830"),
            ("externalNumber", "0670219424"),
            ("internalNumber", "904"),
            ("didNumber", "0443334000"),
            ("callType", "0"),
            ("companyID", "3041"),
        ])
    };
    let hangup =
        binotel(&[("requestType", "hangupTheCall"), ("generalCallID", "2744830"), ("billsec", "35"), ("companyID", "3041")]);
    let call = view(&source, &[during("receivedTheCall"), during("answeredTheCall"), hangup.clone(), completed("ANSWER", "68")]);
    assert_eq!(number(&call), Some(("0670219424", false)));
    assert_eq!((call.outcome, call.talk_s, call.wait_s), (Some(CallOutcome::Answered), Some(68), Some(4)));
    assert_eq!((call.agent.as_deref(), call.line.as_ref().unwrap().typed.as_str()), (Some("904"), "0443334000"));
    assert_eq!(call.started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    // The end of a leg is not the call's.
    assert_eq!(view(&source, &[during("receivedTheCall"), hangup]).state, CallState::Ringing);
    for (disposition, outcome) in [
        ("NOANSWER", CallOutcome::NoAnswer),
        ("BUSY", CallOutcome::Busy),
        ("CANCEL", CallOutcome::Cancelled),
        ("CHANUNAVAIL", CallOutcome::Unreachable),
        ("VM-SUCCESS", CallOutcome::Voicemail),
        ("VM", CallOutcome::NoAnswer),
    ] {
        let missed = facts(&source, &completed(disposition, "0"));
        assert!(missed.view().is_missed(), "{disposition}");
        assert_eq!(missed.view().outcome, Some(outcome), "{disposition}");
        let summary = missed.summary.unwrap();
        assert_eq!((summary.status.as_deref(), summary.agent), (Some(disposition), None));
        assert!(summary.rang.contains("904"));
    }
    let draft = source.one(&completed("TRANSFER", "5")).draft;
    assert_eq!(draft.touch.get("utm_source"), Some("google"));
    assert_eq!((draft.handles[0].kind.as_str(), draft.handles[0].value.as_str()), ("ga_client_id", "11.22"));
    assert!(draft.fields.iter().any(|field| field.value == "2744831"), "the recording's id is shown");
}

#[test]
fn binotel_hears_exactly_what_it_waits_for() {
    let source = preset("binotel", "");
    let reply = source.thanks(&completed("ANSWER", "68"));
    assert_eq!((reply.status, &reply.body[..]), (200, &br#"{"status":"success"}"#[..]));
    assert_eq!(reply.headers[0], ("content-type", "application/json".to_owned()));
    // It is sent up to six times: the same key each time.
    let keys = |call: &Call| source.one(call).keys;
    assert_eq!(keys(&completed("ANSWER", "68")), keys(&completed("ANSWER", "68")));
    assert_ne!(keys(&completed("ANSWER", "68")), keys(&completed("ANSWER", "69")));
    // Tries of the line.
    for empty in [binotel(&[]), Call::json("", "{}"), Call::get("")] {
        assert_eq!(probe(&source, &empty).body, reply.body);
    }
    // Outgoing.
    let out = facts(
        &source,
        &binotel(&[
            ("requestType", "apiCallCompleted"),
            ("callDetails[generalCallID]", "9"),
            ("callDetails[callType]", "1"),
            ("callDetails[internalNumber]", "904"),
            ("callDetails[externalNumber]", "0670219424"),
            ("callDetails[disposition]", "BUSY"),
        ]),
    )
    .view();
    assert_eq!((out.direction, out.outcome, out.agent.as_deref()), (Some(Direction::Out), Some(CallOutcome::Busy), Some("904")));
}

#[test]
fn binotel_asks_who_calls() {
    let source = preset("binotel", "");
    let ask = binotel(&[
        ("requestType", "apiCallSettings"),
        ("companyID", "3041"),
        ("externalNumber", "0670219424"),
        ("pbxNumber", "0443334000"),
        ("callType", "0"),
    ]);
    let question = who(&source, &ask);
    assert_eq!(question.number, CallNumber::national("0670219424"));
    assert!(question.tells.is_empty(), "there is no call to tell of yet");
    let reply = source.known(&ask, Some(&anna()));
    assert_eq!(reply.body, r#"{"name":"Анна \"А\"","customerData":{"name":"Анна \"А\""}}"#);
    assert_eq!(source.known(&ask, None).body, "{}");
}

fn telphin(kind: &str, at: &str, more: &[(&str, &str)]) -> Call {
    let mut fields = vec![
        ("EventType", kind),
        ("CallID", "c1"),
        ("CallFlow", "in"),
        ("CallerIDNum", "79161234567"),
        ("CalledDID", "74951234567"),
        ("EventTime", at),
    ];
    fields.extend(more);
    Call::form("", &fields)
}

#[test]
fn telphin_groups_answered_wins_and_quiet_ends_it() {
    let source = preset("telphin", "");
    assert_eq!(source.rules.calls.quiet.as_secs(), 90);
    let calls = [
        telphin("dial-in", "1795255200000000", &[("CalledNumber", "101"), ("CalledExtension", "12345*101")]),
        telphin("dial-in", "1795255200000000", &[("CalledNumber", "102"), ("CalledExtension", "12345*102"), ("SubCallID", "2")]),
        telphin("answer", "1795255205000000", &[("CalledNumber", "102"), ("CalledExtension", "12345*102"), ("SubCallID", "2")]),
        telphin(
            "hangup",
            "1795255206000000",
            &[("CalledNumber", "101"), ("CalledExtension", "12345*101"), ("CallStatus", "NOANSWER")],
        ),
        telphin(
            "hangup",
            "1795255235000000",
            &[
                ("CalledNumber", "102"),
                ("CalledExtension", "12345*102"),
                ("SubCallID", "2"),
                ("CallStatus", "ANSWER"),
                ("RecID", "77-ab"),
            ],
        ),
    ];
    let going_on = view(&source, &calls);
    assert_eq!(going_on.state, CallState::Talking, "only quiet ends it");
    let call = quiet_view(&source, &calls);
    assert_eq!((call.outcome, call.agent.as_deref(), call.talk_s), (Some(CallOutcome::Answered), Some("12345*102"), Some(30)));
    assert_eq!(number(&call), Some(("79161234567", false)));
    let missed = quiet_view(&source, &calls[3..4]);
    assert!(missed.is_missed());
    assert_eq!(source.thanks(&calls[0]).body, "OK");
    // By GET, everything in the URL; a time in microseconds.
    let get = Call::get(
        "?EventType=dial-out&CallID=c2&CallFlow=out&CallerIDNum=101&CallerExtension=12345*101&CalledNumber=%2B79161234567&EventTime=1795255200000000",
    );
    let one = source.one(&get);
    assert_eq!(one.occurred_at, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    let out = one.draft.call.unwrap().view();
    assert_eq!(
        (out.direction, out.agent.as_deref(), number(&out)),
        (Some(Direction::Out), Some("12345*101"), Some(("+79161234567", false)))
    );
    let internal = facts(&source, &Call::get("?EventType=dial-in&CallID=c3&CallFlow=in&CallerIDNum=102&CalledNumber=101")).view();
    assert_eq!((internal.direction, internal.number), (Some(Direction::Internal), None));
    assert_eq!(probe(&source, &Call::get("")).body, "OK");
}

fn callrail(answered: bool, more: &str) -> String {
    format!(
        r#"{{"resource_id":"CAL8154748ae6bd4e278a7cddd38a662f4f","id":111,"company_id":"COM1","answered":{answered},"voicemail":false,
        "direction":"inbound","duration":126,"customer_phone_number":"+14045550123","customer_name":"Jimmy Pesto","tracking_phone_number":"+14045550188",
        "business_phone_number":"+14045550199","start_time":"2026-11-21T05:00:00.000-05:00","source_name":"Google Ads","utm_campaign":"spring",
        "gclid":"G1","landing_page_url":"https://a.example/?utm_source=google","referrer":null{more}}}"#
    )
}

fn signed(behind: &str, key: &str, body: &str) -> Call {
    Call::json(behind, body).header("Signature", &sha1_base64(key, body.as_bytes()))
}

#[test]
fn a_tag_that_comes_days_later_blames_no_clock() {
    let source = preset("callrail", "");
    let later = |behind: &str| Call::json(behind, &callrail(true, "")).at(noon() + jiff::SignedDuration::from_hours(72));
    let wrong = |behind: &str| source.one(&later(behind)).draft.call.unwrap().clock_wrong;
    assert!(!wrong("?event=call_modified"));
    assert!(wrong("?event=post_call"), "what tells of the call itself comes when it is over");
}

#[test]
fn recordings_are_fetched_from_hosts_that_are_named() {
    let kind = &KIND;
    let problems = try_source(kind, "recordings = \"fetch\"\n[map]\ncall_id = \"/id\"").err().unwrap();
    assert!(problems.iter().any(|problem| problem.key == "recording_hosts"), "{problems:?}");
    for more in ["recording_hosts = [\".example.com\"]", "recording_url = \"https://records.example.com/{recording_id}.mp3\""] {
        let named = source(kind, &format!("recordings = \"fetch\"\n{more}\n[map]\ncall_id = \"/id\""));
        assert!(!named.push.fetch(&leadgate_core::chat::OfferedFile::default(), None).unwrap().hosts.is_empty());
    }
}

#[test]
fn callrail_signs_the_raw_body() {
    let key = "072e77e426f92738a72fe23c4d1953b4";
    let source = preset("callrail", &format!("secret = [\"another\", \"{key}\"]"));
    let body = callrail(true, r#","tracker_id":"TRK8154748ae6bd4e278a7cddd38a662f4f""#);
    let good = signed("?event=post_call", key, &body);
    let one = source.one(&good);
    let call = one.draft.call.clone().unwrap().view();
    assert_eq!((call.outcome, call.talk_s), (Some(CallOutcome::Answered), Some(126)));
    assert_eq!((number(&call), call.line.as_ref().unwrap().typed.as_str()), (Some(("+14045550123", true)), "+14045550188"));
    assert_eq!(call.started, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert_eq!((one.draft.name.as_deref(), one.draft.touch.get("gclid")), (Some("Jimmy Pesto"), Some("G1")));
    assert_eq!(one.draft.touch.get("utm_source"), Some("google"));
    assert_eq!(one.draft.touch.get("dynamic_number"), Some("TRK8154748ae6bd4e278a7cddd38a662f4f"));
    assert_eq!(one.draft.touch.landing.as_deref(), Some("https://a.example/?utm_source=google"));
    // The other secret, while one is changed.
    assert!(source.refused(&signed("", "another", &body)).is_none());
    // One byte changed anywhere in the body; the wrong ways to sign that are about.
    for at in 0..body.len() {
        let mut changed = good.clone();
        changed.body[at] ^= 1;
        assert!(source.parse(&changed).is_err(), "{at}");
    }
    let mut changed = good.clone();
    changed.body.push(b' ');
    assert!(source.refused(&changed).unwrap().contains("signature"));
    let wrong = |name: &str, value: &str| Call::json("", &body).header(name, value);
    assert!(source.refused(&wrong("Signature", &sha256_hex(key, body.as_bytes()))).is_some());
    assert!(source.refused(&wrong("X-CallRail-Signature", &sha1_base64(key, body.as_bytes()))).is_some());
    assert!(source.refused(&Call::json("", &body)).is_some());
    assert!(source.refused(&signed("", "wrong", &body)).is_some());
    let refusal = source.refusal(&good);
    assert_eq!((refusal.status, &refusal.body[..]), (403, &b"forbidden\n"[..]));
}

#[test]
fn callrail_tells_of_a_call_once_and_again() {
    let source = preset("callrail", "");
    let ringing = Call::json(
        "?event=pre_call",
        r#"{"resource_id":"CAL8154748ae6bd4e278a7cddd38a662f4f","customer_phone_number":"+14045550123","tracking_phone_number":"+14045550188"}"#,
    );
    let after = Call::json("?event=post_call", &callrail(true, ""));
    let modified = Call::json(
        "?event=call_modified",
        &callrail(
            true,
            r#","recording":"https://app.callrail.com/calls/CAL8/recording/redirect?access_key=a1","tags":["Good"],"note":"wants two""#,
        ),
    );
    let call = joined(&source, &[ringing.clone(), after.clone(), modified.clone()]);
    assert_eq!(call.view().outcome, Some(CallOutcome::Answered));
    assert_eq!(facts(&source, &ringing).view().state, CallState::Ringing);
    let one = source.one(&modified);
    assert_ne!(one.keys, source.one(&after).keys, "a recording that comes later is news");
    assert_eq!((one.draft.message.as_deref(), one.draft.offered.len()), (Some("wants two"), 1));
    let missed = facts(&source, &Call::json("", &callrail(false, ""))).view();
    assert!(missed.is_missed(), "without a word in the address it is the summary");
    let voicemail =
        facts(&source, &Call::json("", &callrail(false, "").replace("\"voicemail\":false", "\"voicemail\":true"))).view();
    assert_eq!(voicemail.outcome, Some(CallOutcome::Voicemail));
    assert_eq!(source.thanks(&after).body, "ok");
}

#[test]
fn calltouch_by_get_and_post_in_any_spelling() {
    let source = preset("calltouch", "");
    let start = Call::get(
        "?id=55&callphase=callconnected&timestamp=1795255200&callerphone=79161234567&phonenumber=74951234567&siteId=1&utm_source=yandex&yaClientId=161&ctGlobalId=9",
    );
    let end = Call::form(
        "",
        &[
            ("callId", "55"),
            ("callPhase", "calldisconnected"),
            ("callerphone", "79161234567"),
            ("duration", "40"),
            ("waiting", "5"),
            ("status", "successful"),
            ("recLink", "https://my.calltouch.ru/rec/55"),
            ("utmSource", "yandex"),
            ("comment", "Перезвонить&+"),
            ("empty", ""),
        ],
    );
    let call = view(&source, &[start.clone(), end.clone()]);
    assert_eq!(
        (call.outcome, call.talk_s, call.wait_s, call.direction),
        (Some(CallOutcome::Answered), Some(40), Some(5), Some(Direction::In))
    );
    assert_eq!(number(&call), Some(("79161234567", false)));
    let draft = source.one(&start).draft;
    assert_eq!((draft.touch.get("utm_source"), draft.handles.len()), (Some("yandex"), 2));
    assert!(draft.fields.is_empty(), "{:?}", draft.fields);
    let draft = source.one(&end).draft;
    assert_eq!(
        (draft.message.as_deref(), draft.offered.len(), draft.touch.get("utm_source")),
        (Some("Перезвонить&+"), 1, Some("yandex"))
    );
    let lost = facts(&source, &Call::get("?event=call_lost&id=56&callerphone=79161234567")).view();
    assert!(lost.is_missed());
    // Requests of the same account are no calls.
    note(&source, &Call::get("?requestId=5&phone=79161234567"));
    let guarded = preset("calltouch", "auth = { path = true, addresses = [\"92.118.66.0/23\"] }");
    assert!(guarded.refused(&start).unwrap().contains("address"));
    assert_eq!(source.thanks(&start).body, "ok");
}

#[test]
fn ringostat_by_what_stands_in_the_address() {
    let source = preset("ringostat", "");
    let before = Call::json(
        "?event=before_call&direction=in",
        r#"{"uniqueid":"ua1_-1","caller":"380671234567","dst":"380443334000","n_alias":"380443334000","calldate":"2026-11-21 12:00:00","utm_source":"google"}"#,
    );
    let after = Call::json(
        "?event=after_call&direction=in",
        r#"{"uniqueid":"ua1_-1","caller":"380671234567","dst":"380443334000","disposition":"ANSWERED","billsec":31,"duration":40,"waittime":9,"calldate":"2026-11-21 12:00:00","recording":"https://app.ringostat.com/recordings/ua1.mp3?token=1","employee_number":"101","additional_call_data":{"userfield":"x"},"client_id":"1.2"}"#,
    );
    let call = view(&source, &[before, after.clone()]);
    assert_eq!(
        (call.outcome, call.talk_s, call.wait_s, call.agent.as_deref()),
        (Some(CallOutcome::Answered), Some(31), Some(9), Some("101"))
    );
    assert_eq!(call.started, Some("2026-11-21T10:00:00Z".parse().unwrap()), "in the zone of Kyiv");
    assert_eq!((number(&call), call.line.as_ref().unwrap().typed.as_str()), (Some(("380671234567", false)), "380443334000"));
    for (word, outcome) in [("NO ANSWER", CallOutcome::NoAnswer), ("BUSY", CallOutcome::Busy), ("FAILED", CallOutcome::Failed)] {
        let missed = Call::form(
            "?event=after_call&direction=in",
            &[("uniqueid", "u2"), ("caller", "380671234567"), ("disposition", word), ("billsec", "0")],
        );
        assert_eq!(facts(&source, &missed).view().outcome, Some(outcome));
    }
    let out = facts(
        &source,
        &Call::form(
            "?event=after_outgoing&direction=out",
            &[("uniqueid", "u3"), ("caller", "manager1"), ("dst", "380671234567"), ("disposition", "BUSY")],
        ),
    )
    .view();
    assert_eq!(
        (out.direction, number(&out), out.agent.as_deref()),
        (Some(Direction::Out), Some(("380671234567", false)), Some("manager1"))
    );
    let draft = source.one(&after).draft;
    assert_eq!(draft.offered[0].unique, "app.ringostat.com/recordings/ua1.mp3", "the link's token may change");
    assert!(draft.fields.iter().any(|field| field.name == "User field" && field.value == "x"));
}

#[test]
fn voximplant_posts_our_own_names() {
    let source = preset("voximplant", "secret = \"vox-key\"");
    let post = |body: &str| {
        Call::json("", body).header("X-Leadgate-Signature", &format!("sha256={}", sha256_hex("vox-key", body.as_bytes())))
    };
    let started = post(
        r#"{"event":"started","call_id":"v1","direction":"in","number":"79161234567","line":"74951234567","started_at":1795255200000}"#,
    );
    let finished = post(
        r#"{"event":"finished","call_id":"v1","direction":"in","number":"79161234567","line":"74951234567","agent":"ivanov","started_at":1795255200000,"answered_at":1795255206000,"ended_at":1795255266000,"talk":60,"outcome":"answered","recording":"https://storage.voximplant.com/r.mp3","name":"Анна","utm_source":"x"}"#,
    );
    let call = view(&source, &[started, finished.clone()]);
    assert_eq!((call.outcome, call.talk_s, call.wait_s), (Some(CallOutcome::Answered), Some(60), None));
    assert_eq!((call.agent.as_deref(), number(&call)), (Some("ivanov"), Some(("79161234567", true))));
    let draft = source.one(&finished).draft;
    assert_eq!((draft.name.as_deref(), draft.offered.len(), draft.touch.get("utm_source")), (Some("Анна"), 1, Some("x")));
    let mut changed = finished.clone();
    changed.body.push(b'\n');
    assert!(source.refused(&changed).is_some());
    assert_eq!(source.thanks(&finished).body, r#"{"status":"ok"}"#);
    // The scenario that is handed out names nothing that is not read.
    let scenario = include_str!("../../../templates/voximplant.js");
    for name in [
        "event",
        "call_id",
        "direction",
        "number",
        "line",
        "agent",
        "started_at",
        "answered_at",
        "ended_at",
        "outcome",
        "recording",
    ] {
        assert!(scenario.contains(name), "{name}");
    }
}

fn report(kind: &str, agent: &str, duration: &str) -> Call {
    Call::json(
        "/report",
        &format!(
            r#"{{"type":"{kind}","number":"89161234567","agent":"{agent}","duration":"{duration}","started_at":"2026-11-21T10:00:00Z","started_at_local":"[CallStartTimeLocal]","entity_id":"[EntityId]","name":"[Name]"}}"#
        ),
    )
}

#[test]
fn threecx_reports_each_leg() {
    let source = preset("3cx", "");
    let (missed, answered) = (report("Missed", "101", "00:00:00"), report("Inbound", "102", "00:01:05"));
    let call = view(&source, &[missed.clone(), answered.clone()]);
    assert_eq!((call.outcome, call.talk_s, call.agent.as_deref()), (Some(CallOutcome::Answered), Some(65), Some("102")));
    assert_eq!(facts(&source, &missed).view().state, CallState::Ringing, "another agent may have answered");
    assert!(quiet_view(&source, std::slice::from_ref(&missed)).is_missed());
    let draft = source.one(&answered).draft;
    assert_eq!((draft.name, draft.fields.len()), (None, 0), "what was not filled in is absent");
    assert!(!draft.call.as_ref().unwrap().id.contains("916"), "an id shows no number");
    let out = facts(&source, &report("Notanswered", "101", "[Duration]")).view();
    assert_eq!(
        (out.direction, out.outcome, out.agent.as_deref()),
        (Some(Direction::Out), Some(CallOutcome::NoAnswer), Some("101"))
    );
    assert_eq!(
        (source.thanks(&answered).body, source.thanks(&answered).headers[0].1.as_str()),
        ("{}".into(), "application/json")
    );
    // Nothing that would stand for it.
    let unclear = Call::json("/report", r#"{"type":"Inbound","number":"[Number]","agent":"101"}"#);
    assert!(matches!(source.parse(&unclear), Err(leadgate_core::ports::Refusal::Unreadable(_))));
}

#[test]
fn threecx_asks_who_calls() {
    let source = preset("3cx", "");
    for ask in [Call::get("/lookup?number=%2B79161234567"), Call::json("/lookup", r#"{"number":"+79161234567"}"#)] {
        assert_eq!(who(&source, &ask).number, CallNumber::national("+79161234567"));
        assert_eq!(source.known(&ask, Some(&anna())).body, r#"{"contacts":[{"id":"7","firstname":"Анна \"А\""}]}"#);
        assert_eq!(source.known(&ask, None).body, r#"{"contacts":[]}"#);
    }
    assert_eq!(who(&source, &Call::get("/lookup?number=[Number]")).number, None);
    let template = include_str!("../../../templates/3cx.xml");
    for piece in [
        "[LeadgateUrl]/lookup?number=[Number]",
        "[LeadgateUrl]/report",
        "contacts.id",
        "contacts.firstname",
        "\"type\"",
        "\"started_at\"",
    ] {
        assert!(template.contains(piece), "{piece}");
    }
}
