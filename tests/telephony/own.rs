//! One's own PBX, and providers that come by a preset of the mapping.

use serde_json::{Value, json};

use crate::played::{Body, Call, LINE, Plot, Provider, Sent};

pub(crate) const PROVIDERS: &[&Provider] =
    &[&FREESWITCH, &ASTERISK, &UIS, &BINOTEL, &CALLRAIL, &CALLTOUCH, &RINGOSTAT, &VOXIMPLANT];

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

pub(crate) static FREESWITCH: Provider = Provider {
    name: "freeswitch",
    kind: "freeswitch",
    signer: "basic",
    secret: "freeswitch:pass-of-the-pbx",
    keys: "user = \"freeswitch\"\npassword = \"pass-of-the-pbx\"\nrecording_url = \"https://pbx.example.com/rec/\"",
    tells: freeswitch,
    unknown: || {
        Sent::json(json!({ "dream": "лес + &", "variables": { "uuid": "dream", "originator": "" , "loopback_leg": "B" } }))
    },
    thanks: (200, PLAIN, ""),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static ASTERISK: Provider = Provider {
    name: "asterisk",
    kind: "asterisk",
    signer: "basic",
    secret: "asterisk:pass-of-the-pbx",
    keys: "user = \"asterisk\"\npassword = \"pass-of-the-pbx\"\nrecording_url = \"https://pbx.example.com/monitor/\"",
    tells: asterisk,
    unknown: || Sent::form(&[("event", "dream"), ("linkedid", "dream"), ("dream", "лес + &")]),
    thanks: (200, PLAIN, ""),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static UIS: Provider = Provider {
    name: "uis",
    kind: "call_webhook",
    signer: "plain",
    secret: "key-in-every-body",
    keys: "preset = \"uis\"\nsecret = \"key-in-every-body\"",
    tells: uis,
    unknown: || Sent::json(json!({ "event": "dream", "key": "key-in-every-body", "dream": "лес + &" })),
    thanks: (200, PLAIN, "ok"),
    refuses: (403, "forbidden\n"),
    agent: "Анна Ким",
};

pub(crate) static BINOTEL: Provider = Provider {
    name: "binotel",
    kind: "call_webhook",
    signer: "plain",
    secret: "",
    keys: "preset = \"binotel\"\ncountry = \"RU\"",
    tells: binotel,
    unknown: || Sent::form(&[("requestType", "dream"), ("dream", "лес + &")]),
    thanks: (200, JSON, "{\"status\":\"success\"}"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static CALLRAIL: Provider = Provider {
    name: "callrail",
    kind: "call_webhook",
    signer: "callrail",
    secret: "072e77e426f92738a72fe23c4d1953b4",
    keys: "preset = \"callrail\"\nsecret = \"072e77e426f92738a72fe23c4d1953b4\"",
    tells: callrail,
    unknown: || Sent { query: "?event=dream".to_owned(), ..Sent::json(json!({ "dream": "лес + &" })) },
    thanks: (200, PLAIN, "ok"),
    refuses: (403, "forbidden\n"),
    agent: "anna@okna.ru",
};

pub(crate) static CALLTOUCH: Provider = Provider {
    name: "calltouch",
    kind: "call_webhook",
    signer: "plain",
    secret: "",
    keys: "preset = \"calltouch\"",
    tells: calltouch,
    unknown: || Sent::form(&[("callphase", "dream"), ("id", "dream"), ("dream", "лес + &")]),
    thanks: (200, PLAIN, "ok"),
    refuses: (403, "forbidden\n"),
    agent: "Анна Ким",
};

pub(crate) static RINGOSTAT: Provider = Provider {
    name: "ringostat",
    kind: "call_webhook",
    signer: "plain",
    secret: "",
    keys: "preset = \"ringostat\"\ntime_zone = \"UTC\"",
    tells: ringostat,
    unknown: || Sent { query: "?event=dream".to_owned(), ..Sent::json(json!({ "uniqueid": "dream", "dream": "лес + &" })) },
    thanks: (200, PLAIN, "ok"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static VOXIMPLANT: Provider = Provider {
    name: "voximplant",
    kind: "call_webhook",
    signer: "voximplant",
    secret: "key-of-the-scenario",
    keys: "preset = \"voximplant\"\nsecret = \"key-of-the-scenario\"",
    tells: voximplant,
    unknown: || Sent::json(json!({ "event": "dream", "call_id": "dream", "dream": "лес + &" })),
    thanks: (200, JSON, "{\"status\":\"ok\"}"),
    refuses: (403, "forbidden\n"),
    agent: "anna",
};

/// Tells of legs alone: that nothing more comes ends a call.
pub(crate) static TELPHIN: Provider = Provider {
    name: "telphin",
    kind: "call_webhook",
    signer: "plain",
    secret: "",
    keys: "preset = \"telphin\"\nquiet = \"5 s\"",
    tells: telphin,
    unknown: || Sent::form(&[("EventType", "dream"), ("CallID", "dream")]),
    thanks: (200, PLAIN, "OK"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

/// Asks who calls, and reports a call once it is over.
pub(crate) static THREE_CX: Provider = Provider {
    name: "3cx",
    kind: "call_webhook",
    signer: "plain",
    secret: "",
    keys: "preset = \"3cx\"",
    tells: |call, plot| vec![three_cx(call, if plot == Plot::Answered { "Inbound" } else { "Missed" })],
    unknown: || Sent::form(&[("type", "Dream")]),
    thanks: (200, JSON, "{}"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

// --------------------------------------------------------------------------------------------------------------- FreeSWITCH

/// What the module puts behind the address.
fn record(uuid: &str, body: Value) -> Sent {
    Sent { query: format!("?uuid={uuid}"), ..Sent::json(body) }
}

fn freeswitch(call: &Call, plot: Plot) -> Vec<Sent> {
    let micros = |second: i64| format!("{}000000", call.epoch(second));
    let dialled = format!("{}-dialled", call.id);
    let escaped = format!("%2B{}", call.number);
    let (talked, cause) = match plot {
        Plot::Answered => (true, "NORMAL_CLEARING"),
        _ => (false, "NO_ANSWER"),
    };
    let when = |second: i64| if talked { micros(second) } else { "0".to_owned() };
    let times =
        json!({ "created_time": micros(0), "answered_time": when(8), "bridged_time": when(8), "hangup_time": micros(50) });
    let caller = json!({
        "core-uuid": "60e127b7", "switchname": "pbx", "channel_data": { "state": "CS_REPORTING", "direction": "inbound" },
        "variables": {
            "direction": "inbound", "uuid": call.id, "call_uuid": call.id, "caller_id_number": escaped, "destination_number": LINE,
            "sip_network_ip": "10.0.0.1", "duration": "50", "billsec": if talked { "42" } else { "0" }, "hangup_cause": cause,
            "last_app": "bridge", "last_sent_callee_id_number": "101",
            "record_file_path": if talked { "%2Fvar%2Frec%2Fa.wav" } else { "" },
        },
        "callflow": [{
            "caller_profile": { "caller_id_number": format!("+{}", call.number), "destination_number": LINE, "uuid": call.id },
            "times": times,
        }],
    });
    let colleague = json!({
        "channel_data": { "direction": "outbound" },
        "variables": {
            "direction": "outbound", "uuid": dialled, "originator": call.id, "originating_leg_uuid": call.id, "dialed_user": "101",
            "duration": "49", "billsec": if talked { "42" } else { "0" }, "hangup_cause": cause,
        },
        "callflow": [{ "caller_profile": { "destination_number": "101", "uuid": dialled }, "times": times }],
    });
    match plot {
        Plot::Answered | Plot::Missed => vec![record(&dialled, colleague), record(&call.id, caller)],
        Plot::Out | Plot::Internal | Plot::Hidden => {
            let mut other = caller;
            let (from, to) = match plot {
                Plot::Out => ("101", call.number.as_str()),
                Plot::Internal => ("102", "101"),
                _ => ("anonymous", LINE),
            };
            other["variables"]["caller_id_number"] = from.into();
            other["variables"]["destination_number"] = to.into();
            other["callflow"][0]["caller_profile"] =
                json!({ "caller_id_number": from, "destination_number": to, "uuid": call.id });
            vec![record(&call.id, other)]
        }
    }
}

// ----------------------------------------------------------------------------------------------------------------- Asterisk

fn asterisk(call: &Call, plot: Plot) -> Vec<Sent> {
    let customer = format!("+{}", call.number);
    let (direction, caller, callee) = match plot {
        Plot::Answered | Plot::Missed => ("in", customer.as_str(), LINE),
        Plot::Out => ("out", "101", customer.as_str()),
        Plot::Internal => ("", "102", "101"),
        Plot::Hidden => ("in", "anonymous", LINE),
    };
    let told = |second: i64, more: &[(&str, &str)]| {
        let start = format!("{}.123456", call.epoch(0));
        Sent::form(&[
            ("linkedid", &call.id),
            ("uniqueid", &call.id),
            ("direction", direction),
            ("caller", caller),
            ("callee", callee),
            ("start", &start),
            ("at", &call.epoch(second)),
        ])
        .with(more)
    };
    let ends = [("final", "1"), ("duration", "50"), ("member", ""), ("queue", ""), ("queuestatus", "")];
    match plot {
        Plot::Answered | Plot::Out => vec![
            told(0, &[("event", "started")]),
            Sent::form(&[
                ("event", "answered"),
                ("linkedid", &call.id),
                ("uniqueid", &format!("{}-colleague", call.id)),
                ("channel", "PJSIP/101-0000001a"),
                ("at", &call.epoch(8)),
            ]),
            told(50, &ends).with(&[
                ("dialstatus", "ANSWER"),
                ("answeredtime", "42"),
                ("peer", "PJSIP/101"),
                ("disposition", "ANSWERED"),
                ("billsec", "50"),
                ("recording", "/var/spool/asterisk/monitor/a.wav"),
            ]),
        ],
        _ => vec![
            told(0, &[("event", "started")]),
            told(30, &ends).with(&[("dialstatus", "NOANSWER"), ("peer", "101"), ("disposition", "ANSWERED"), ("billsec", "29")]),
        ],
    }
}

// ------------------------------------------------------------------------------------------------------------------ presets

fn uis(call: &Call, plot: Plot) -> Vec<Sent> {
    let direction = if plot == Plot::Out { "out" } else { "in" };
    let client = if plot == Plot::Hidden { "anonymous" } else { call.number.as_str() };
    let event = |word: &str, second: i64, more: &[(&str, &str)]| {
        Sent::json(json!({
            "event": word, "key": "key-in-every-body", "call_session_id": call.id, "direction": direction,
            "is_internal": plot == Plot::Internal, "notification_timestamp": call.epoch(second), "virtual_phone_number": LINE,
            "contact_phone_number": client, "employee_full_name": null, "file_link": "{{file_link}}", "scenario_name": "Продажи",
        }))
        .with(more)
    };
    let agent = ("employee_full_name", "Анна Ким");
    let lasted = [("talk_time_duration", "42"), ("wait_time_duration", "8"), ("total_time_duration", "50")];
    match plot {
        Plot::Answered | Plot::Out | Plot::Internal => vec![
            event("call_started", 0, &[]),
            event("call_waiting", 1, &[]),
            event("call_answered", 8, &[agent]),
            event("talk_ended", 50, &[agent]),
            event("call_ended", 50, &lasted).with(&[agent]),
            event("call_recorded", 55, &[("file_link", "https://app.uiscom.ru/system/media/talk/987/abc/")]),
        ],
        Plot::Missed | Plot::Hidden => {
            vec![event("call_started", 0, &[]), event("call_missed", 30, &[("wait_time_duration", "30")])]
        }
    }
}

fn binotel(call: &Call, plot: Plot) -> Vec<Sent> {
    let client = if plot == Plot::Hidden { "anonymous" } else { call.number.as_str() };
    let way = if plot == Plot::Out { "1" } else { "0" };
    let during = |kind: &str| {
        Sent::form(&[
            ("requestType", kind),
            ("generalCallID", &call.id),
            ("externalNumber", client),
            ("internalNumber", "101"),
            ("didNumber", LINE),
            ("callType", way),
            ("companyID", "3041"),
        ])
    };
    let completed = |disposition: &str, talked: &str| {
        Sent::form(&[
            ("requestType", "apiCallCompleted"),
            ("attemptsCounter", "1"),
            ("callDetails[generalCallID]", &call.id),
            ("callDetails[callID]", &format!("{}-rec", call.id)),
            ("callDetails[startTime]", &call.epoch(0)),
            ("callDetails[callType]", way),
            ("callDetails[internalNumber]", "101"),
            ("callDetails[externalNumber]", client),
            ("callDetails[waitsec]", "8"),
            ("callDetails[billsec]", talked),
            ("callDetails[disposition]", disposition),
            ("callDetails[pbxNumberData][number]", LINE),
            ("callDetails[customerData]", ""),
            ("callDetails[linkToCallRecordInMyBusiness]", "https://my.binotel.ua/?module=history&id=1"),
        ])
    };
    match plot {
        Plot::Answered | Plot::Out => vec![
            during("receivedTheCall"),
            during("answeredTheCall"),
            during("hangupTheCall").with(&[("billsec", "42")]),
            completed("ANSWER", "42"),
        ],
        Plot::Internal => Vec::new(),
        Plot::Missed | Plot::Hidden => {
            let mut completed = completed("NOANSWER", "0");
            if let Body::Form(fields) = &mut completed.body {
                fields.retain(|(name, _)| !name.contains("Record"));
            }
            vec![during("receivedTheCall"), during("hangupTheCall"), completed]
        }
    }
}

fn callrail(call: &Call, plot: Plot) -> Vec<Sent> {
    let post = |event: &str, more: &Value| {
        let mut body = json!({
            "resource_id": call.id, "id": 7, "company_id": 3, "direction": if plot == Plot::Out { "outbound" } else { "inbound" },
            "customer_phone_number": format!("+{}", call.number), "tracking_phone_number": format!("+{LINE}"),
            "start_time": call.iso(0), "customer_name": null,
        });
        if plot == Plot::Hidden {
            body["customer_phone_number"] = "anonymous".into();
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        Sent { query: format!("?event={event}"), ..Sent::json(body) }
    };
    let answered = json!({ "answered": true, "duration": 42, "agent_email": "anna@okna.ru", "utm_source": "google" });
    let mut modified = answered.clone();
    modified["recording"] = "https://api.callrail.com/v3/a/1/calls/CAL1/recording.json".into();
    match plot {
        Plot::Internal => Vec::new(),
        Plot::Answered | Plot::Out => {
            vec![post("pre_call", &json!({})), post("post_call", &answered), post("call_modified", &modified)]
        }
        Plot::Missed | Plot::Hidden => {
            vec![post("pre_call", &json!({})), post("post_call", &json!({ "answered": false, "duration": 0 }))]
        }
    }
}

fn calltouch(call: &Call, plot: Plot) -> Vec<Sent> {
    let client = if plot == Plot::Hidden { "anonymous" } else { call.number.as_str() };
    let event = |phase: &str, more: &[(&str, &str)]| {
        Sent::form(&[
            ("id", &call.id),
            ("callphase", phase),
            ("timestamp", &call.epoch(0)),
            ("callerphone", client),
            ("phonenumber", LINE),
            ("siteId", "77"),
            ("utm_source", "yandex"),
            ("yaClientId", if plot == Plot::Hidden { "" } else { &call.number }),
        ])
        .with(more)
    };
    let answered = [("duration", "42"), ("waiting", "8"), ("status", "successful"), ("manager", "Анна Ким")];
    match plot {
        // A call of theirs comes in: there are no others.
        Plot::Out | Plot::Internal => Vec::new(),
        Plot::Answered => vec![
            event("callconnected", &[]),
            event("calldisconnected", &answered).with(&[("reclink", "https://records.calltouch.ru/a.mp3")]),
        ],
        Plot::Missed | Plot::Hidden => vec![event("callconnected", &[]), event("calllost", &[("waiting", "30")])],
    }
}

fn ringostat(call: &Call, plot: Plot) -> Vec<Sent> {
    let way = if plot == Plot::Out { "out" } else { "in" };
    let (caller, dst) = match plot {
        Plot::Out => ("101", call.number.as_str()),
        Plot::Hidden => ("anonymous", LINE),
        _ => (call.number.as_str(), LINE),
    };
    let post = |event: &str, more: &[(&str, &str)]| {
        let body = json!({
            "uniqueid": call.id, "calldate": call.written(0, "%Y-%m-%d %H:%M:%S"), "caller": caller, "dst": dst,
            "n_alias": LINE, "utm_source": "google",
        });
        Sent { query: format!("?event={event}&direction={way}"), ..Sent::json(body) }.with(more)
    };
    let agent = ("employee_number", "101");
    let answered = [("disposition", "ANSWERED"), ("billsec", "42"), ("duration", "50"), ("waittime", "8"), agent];
    match plot {
        Plot::Internal => Vec::new(),
        Plot::Answered => vec![
            post("before_call", &[]),
            post("take_call", &[agent]),
            post("after_call", &answered).with(&[("recording", "https://app.ringostat.com/recordings/a.mp3")]),
        ],
        Plot::Out => vec![post("after_outgoing", &answered)],
        Plot::Missed | Plot::Hidden => {
            vec![
                post("before_call", &[]),
                post("after_call", &[("disposition", "NO ANSWER"), ("billsec", "0"), ("waittime", "30")]),
            ]
        }
    }
}

fn voximplant(call: &Call, plot: Plot) -> Vec<Sent> {
    let number = if plot == Plot::Hidden { "anonymous" } else { call.number.as_str() };
    let millis = |second: i64| format!("{}123", call.epoch(second));
    let post = |event: &str, more: &[(&str, &str)]| {
        Sent::json(json!({
            "event": event, "call_id": call.id, "direction": if plot == Plot::Out { "out" } else { "in" }, "number": number,
            "line": LINE, "started_at": millis(0),
        }))
        .with(more)
    };
    let (answered, ended) = (millis(8), millis(50));
    let talked = [("agent", "anna"), ("answered_at", answered.as_str())];
    let end =
        [("ended_at", ended.as_str()), ("outcome", "answered"), ("recording", "https://storage-gw-ru-02.voximplant.com/a.mp3")];
    match plot {
        Plot::Internal => Vec::new(),
        Plot::Answered | Plot::Out => {
            vec![post("started", &[]), post("answered", &talked), post("finished", &talked).with(&end)]
        }
        Plot::Missed | Plot::Hidden => {
            vec![post("started", &[]), post("finished", &[("ended_at", &ended), ("outcome", "no_answer")])]
        }
    }
}

fn telphin(call: &Call, plot: Plot) -> Vec<Sent> {
    let event = |kind: &str, extension: &str, second: i64, more: &[(&str, &str)]| {
        Sent::form(&[
            ("EventType", kind),
            ("CallID", &call.id),
            ("SubCallID", &format!("{}-{extension}", call.id)),
            ("CallerIDNum", &call.number),
            ("CalledNumber", extension),
            ("CalledDID", LINE),
            ("CallFlow", "in"),
            ("CalledExtension", extension),
            ("EventTime", &format!("{}000000", call.epoch(second))),
        ])
        .with(more)
    };
    let missed = [("CallStatus", "NOANSWER")];
    match plot {
        Plot::Answered => vec![
            event("dial-in", "101", 0, &[]).got(),
            event("dial-in", "102", 0, &[]),
            event("hangup", "102", 8, &missed),
            event("answer", "101", 8, &[]),
            event("hangup", "101", 50, &[("CallStatus", "ANSWER"), ("RecID", "1-rec")]),
        ],
        _ => vec![event("dial-in", "101", 0, &[]), event("hangup", "101", 30, &missed)],
    }
}

/// What the template reports of a call.
fn three_cx(call: &Call, kind: &str) -> Sent {
    Sent::form(&[
        ("type", kind),
        ("number", &call.number),
        ("agent", "101"),
        ("duration", "00:00:42"),
        ("started_at", &call.written(0, "%Y-%m-%d %H:%M:%S")),
        ("entity_id", "[EntityId]"),
    ])
}
