//! Twilio, Telnyx, Plivo and Vonage.

use serde_json::{Value, json};

use crate::played::{Call, LINE, Plot, Provider, Sent};

/// The telephone that the company's plan dials for a caller.
const AGENT: &str = "+74951110101";

pub(crate) const PROVIDERS: &[&Provider] = &[&TWILIO, &TELNYX, &PLIVO, &VONAGE];

pub(crate) static TWILIO: Provider = Provider {
    kind: "twilio",
    signer: "twilio",
    secret: "0123456789abcdef0123456789abcdef",
    keys: "auth_token = \"0123456789abcdef0123456789abcdef\"\nshared_key = \"a-key-for-signatures-alone\"",
    tells: twilio,
    unknown: || Sent::form(&[("AccountSid", "AC00112233445566778899aabbccddeeff"), ("NewsOfTomorrow", "Привет + &")]),
    thanks: (204, "", ""),
    refuses: (403, "forbidden\n"),
    agent: AGENT,
};

pub(crate) static TELNYX: Provider = Provider {
    kind: "telnyx",
    signer: "telnyx",
    secret: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    keys: "public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"",
    tells: telnyx,
    unknown: || control("call-of-tomorrow", "conference.dreamt", "2026-11-21T10:00:00Z", &json!({ "dream": "лес" })),
    thanks: (200, "text/plain; charset=utf-8", ""),
    refuses: (403, "forbidden\n"),
    agent: AGENT,
};

pub(crate) static PLIVO: Provider = Provider {
    kind: "plivo",
    signer: "plivo",
    secret: "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4",
    keys: "auth_token = \"Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4\"",
    tells: plivo,
    unknown: || Sent::form(&[("AuthID", "MA0123456789"), ("NewsOfTomorrow", "Привет + &")]),
    thanks: (200, "text/plain; charset=utf-8", ""),
    refuses: (403, "forbidden\n"),
    agent: "74951110101",
};

pub(crate) static VONAGE: Provider = Provider {
    kind: "vonage",
    signer: "vonage",
    secret: "qwertyuiopasdfghjklzxcvbnm123456",
    keys: "signature_secret = \"qwertyuiopasdfghjklzxcvbnm123456\"\napi_key = \"abcd1234\"",
    tells: vonage,
    unknown: || Sent::json(json!({ "news_of_tomorrow": "лес", "timestamp": "2026-11-21T10:00:00Z" })),
    thanks: (204, "", ""),
    refuses: (403, "forbidden\n"),
    agent: "74951110101",
};

// ------------------------------------------------------------------------------------------------------------------- Twilio

/// A status callback in Twilio's manner.
fn status(call: &Call, leg: &str, number: u32, second: i64, status: &str, sides: (&str, &str, &str)) -> Sent {
    let (from, to, direction) = sides;
    let (number, at) = (number.to_string(), call.written(second, "%a, %d %b %Y %H:%M:%S +0000"));
    Sent::form(&[
        ("AccountSid", "AC00112233445566778899aabbccddeeff"),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", leg),
        ("CallStatus", status),
        ("CallbackSource", "call-progress-events"),
        ("CallerName", ""),
        ("From", from),
        ("Caller", from),
        ("To", to),
        ("Called", to),
        ("Direction", direction),
        ("SequenceNumber", &number),
        ("Timestamp", &at),
    ])
}

fn twilio(call: &Call, plot: Plot) -> Vec<Sent> {
    let (id, child) = (call.id.as_str(), format!("{}-dialled", call.id));
    let (customer, line) = (format!("+{}", call.number), format!("+{LINE}"));
    let incoming = (customer.as_str(), line.as_str(), "inbound");
    let dialled = (customer.as_str(), AGENT, "outbound-dial");
    let of_child = |number, second, word| status(call, &child, number, second, word, dialled).with(&[("ParentCallSid", id)]);
    match plot {
        Plot::Answered => vec![
            status(call, id, 0, 0, "ringing", incoming),
            of_child(0, 1, "initiated"),
            of_child(1, 2, "ringing"),
            of_child(2, 8, "in-progress"),
            of_child(3, 50, "completed").with(&[("CallDuration", "42")]),
            status(call, id, 1, 51, "completed", incoming).with(&[("CallDuration", "50")]),
            Sent::form(&[
                ("AccountSid", "AC00112233445566778899aabbccddeeff"),
                ("CallSid", id),
                ("RecordingSid", &format!("RE-{id}")),
                ("RecordingStatus", "completed"),
                (
                    "RecordingUrl",
                    &format!("https://api.twilio.com/2010-04-01/Accounts/AC00112233445566778899aabbccddeeff/Recordings/RE-{id}"),
                ),
                ("RecordingDuration", "42"),
                ("RecordingSource", "DialVerb"),
            ]),
        ],
        Plot::Missed => vec![
            status(call, id, 0, 0, "ringing", incoming),
            of_child(0, 2, "ringing"),
            of_child(1, 30, "no-answer"),
            status(call, id, 1, 31, "completed", incoming),
        ],
        Plot::Out => {
            let out = (line.as_str(), customer.as_str(), "outbound-api");
            vec![
                status(call, id, 0, 0, "initiated", out),
                status(call, id, 1, 2, "ringing", out),
                status(call, id, 2, 8, "in-progress", out),
                status(call, id, 3, 50, "completed", out).with(&[("CallDuration", "42")]),
            ]
        }
        Plot::Internal => {
            let inner = ("sip:anna@okna.sip.twilio.com", "sip:oleg@okna.sip.twilio.com", "inbound");
            vec![status(call, id, 0, 0, "ringing", inner), status(call, id, 1, 50, "completed", inner)]
        }
        Plot::Hidden => {
            let hidden = ("+266696687", line.as_str(), "inbound");
            vec![status(call, id, 0, 0, "ringing", hidden), status(call, id, 1, 20, "no-answer", hidden)]
        }
    }
}

// ------------------------------------------------------------------------------------------------------------------- Telnyx

fn control(id: &str, kind: &str, at: &str, payload: &Value) -> Sent {
    let meta = json!({ "attempt": 1, "delivered_to": "https://leads.example.com" });
    Sent::json(json!({
        "data": { "record_type": "event", "event_type": kind, "id": id, "occurred_at": at, "payload": payload }, "meta": meta,
    }))
}

fn telnyx(call: &Call, plot: Plot) -> Vec<Sent> {
    let customer = format!("+{}", call.number);
    let caller = |second: i64, kind: &str, more: &Value| {
        let mut payload = json!({
            "call_session_id": call.id, "call_leg_id": "caller", "call_control_id": "v3:caller", "direction": "incoming",
            "from": customer, "to": format!("+{LINE}"), "start_time": call.iso(0),
        });
        merge(&mut payload, more);
        control(&format!("{}-caller-{kind}", call.id), kind, &call.iso(second), &payload)
    };
    let dialled = |second: i64, kind: &str, more: &Value| {
        let mut payload = json!({
            "call_session_id": call.id, "call_leg_id": "dialled", "call_control_id": "v3:dialled", "direction": "outgoing",
            "from": customer, "to": AGENT, "start_time": call.iso(1),
        });
        merge(&mut payload, more);
        control(&format!("{}-dialled-{kind}", call.id), kind, &call.iso(second), &payload)
    };
    match plot {
        Plot::Answered => vec![
            caller(0, "call.initiated", &json!({ "state": "parked" })),
            dialled(1, "call.initiated", &json!({})),
            dialled(8, "call.answered", &json!({})),
            caller(8, "call.bridged", &json!({})),
            dialled(50, "call.hangup", &json!({ "hangup_cause": "normal_clearing", "hangup_source": "callee" })),
            caller(50, "call.hangup", &json!({ "hangup_cause": "normal_clearing", "end_time": call.iso(50) })),
            control(
                &format!("{}-recorded", call.id),
                "call.recording.saved",
                &call.iso(55),
                &json!({
                    "call_session_id": call.id, "call_leg_id": "caller", "recording_id": format!("R-{}", call.id),
                    "recording_urls": { "mp3": "https://s3.amazonaws.com/telephony-recorder-prod/a/b.mp3?X-Amz-Expires=600" },
                }),
            ),
        ],
        Plot::Missed => vec![
            caller(0, "call.initiated", &json!({})),
            dialled(1, "call.initiated", &json!({})),
            dialled(30, "call.hangup", &json!({ "hangup_cause": "timeout" })),
            caller(31, "call.hangup", &json!({ "hangup_cause": "normal_clearing" })),
        ],
        // TeXML speaks as Twilio does.
        Plot::Out | Plot::Internal | Plot::Hidden => twilio(call, plot),
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

// -------------------------------------------------------------------------------------------------------------------- Plivo

fn plivo(call: &Call, plot: Plot) -> Vec<Sent> {
    let id = call.id.as_str();
    let at = |second| call.written(second, "%Y-%m-%d %H:%M:%S.000000");
    let leg = |event: &str, status: &str, sides: (&str, &str, &str)| {
        let (from, to, direction) = sides;
        Sent::form(&[
            ("CallUUID", id),
            ("ALegUUID", id),
            ("RequestUUID", id),
            ("ParentAuthID", "MA0123456789"),
            ("From", from),
            ("To", to),
            ("Direction", direction),
            ("CallStatus", status),
            ("Event", event),
            ("BillRate", "0.002"),
            ("SessionStart", &at(0)),
        ])
    };
    let hangup = |status: &str, sides, lasted: &str, cause: &str| {
        leg("Hangup", status, sides).with(&[
            ("Duration", lasted),
            ("HangupCause", cause),
            ("StartTime", &at(0)),
            ("EndTime", &at(50)),
        ])
    };
    let dial = |action: &str, more: &[(&str, &str)]| {
        Sent::form(&[
            ("CallUUID", id),
            ("DialAction", action),
            ("DialALegUUID", id),
            ("DialBLegUUID", "dialled"),
            ("DialBLegTo", "74951110101"),
            ("DialBLegFrom", &call.number),
        ])
        .with(more)
    };
    let incoming = (call.number.as_str(), LINE, "inbound");
    match plot {
        Plot::Answered => vec![
            leg("Ring", "ringing", incoming),
            dial("answer", &[("DialBLegStatus", "answer")]),
            leg("StartApp", "in-progress", incoming),
            dial("hangup", &[("DialBLegDuration", "42"), ("DialBLegHangupCause", "NORMAL_CLEARING")]),
            hangup("completed", incoming, "50", "NORMAL_CLEARING").with(&[("AnswerTime", &at(8))]),
            Sent::form(&[
                ("CallUUID", id),
                ("Event", "Record"),
                ("RecordUrl", "https://media.plivo.com/v1/Account/MA0123456789/Recording/abc.mp3"),
                ("RecordingID", &format!("R-{id}")),
                ("RecordingDuration", "42"),
            ]),
        ],
        Plot::Missed => vec![
            leg("Ring", "ringing", incoming),
            dial("hangup", &[("DialBLegDuration", "0"), ("DialBLegHangupCause", "NO_ANSWER")]),
            hangup("completed", incoming, "30", "NORMAL_CLEARING"),
        ],
        Plot::Out => {
            let out = (LINE, call.number.as_str(), "outbound");
            vec![
                leg("Ring", "ringing", out),
                leg("StartApp", "in-progress", out),
                hangup("completed", out, "42", "NORMAL_CLEARING").with(&[("AnswerTime", &at(8))]),
            ]
        }
        Plot::Internal => {
            let inner = ("sip:anna77@phone.plivo.com", "sip:oleg77@phone.plivo.com", "inbound");
            vec![leg("StartApp", "in-progress", inner), hangup("completed", inner, "42", "NORMAL_CLEARING")]
        }
        Plot::Hidden => {
            let hidden = ("anonymous", LINE, "inbound");
            vec![leg("Ring", "ringing", hidden), hangup("no-answer", hidden, "0", "NO_ANSWER")]
        }
    }
}

// ------------------------------------------------------------------------------------------------------------------- Vonage

fn vonage(call: &Call, plot: Plot) -> Vec<Sent> {
    let event = |leg: &str, second: i64, word: &str, sides: (&str, &str, &str)| {
        let (from, to, direction) = sides;
        Sent::json(json!({
            "conversation_uuid": call.id, "uuid": format!("{}-{leg}", call.id), "status": word, "direction": direction,
            "from": from, "to": to, "timestamp": call.iso(second),
        }))
    };
    let incoming = (call.number.as_str(), LINE, "inbound");
    let dialled = (LINE, "74951110101", "outbound");
    let ends = |leg: &str, sides, lasted: &str| {
        let more = [
            ("start_time", call.iso(8)),
            ("end_time", call.iso(50)),
            ("duration", lasted.to_owned()),
            ("network", "25001".to_owned()),
        ];
        let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        event(leg, 50, "completed", sides).with(&more)
    };
    match plot {
        Plot::Answered => vec![
            event("caller", 0, "started", incoming),
            event("caller", 1, "ringing", incoming),
            event("dialled", 1, "started", dialled),
            event("dialled", 2, "ringing", dialled),
            event("dialled", 8, "answered", dialled),
            event("caller", 8, "answered", incoming),
            ends("dialled", dialled, "42"),
            ends("caller", incoming, "50"),
            Sent::json(json!({
                "conversation_uuid": call.id, "recording_uuid": format!("R-{}", call.id), "size": 12345, "timestamp": call.iso(52),
                "recording_url": "https://api.nexmo.com/v1/files/aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
                "start_time": call.iso(8), "end_time": call.iso(50),
            })),
        ],
        Plot::Missed => vec![
            event("caller", 0, "started", incoming),
            event("dialled", 2, "ringing", dialled),
            event("dialled", 30, "timeout", dialled),
            event("caller", 31, "completed", incoming),
        ],
        // Whether a leg that goes out is to a customer, the configuration says of the whole source.
        Plot::Out => Vec::new(),
        Plot::Internal => {
            let inner = ("anna", "oleg", "inbound");
            vec![event("caller", 0, "started", inner), ends("caller", inner, "42")]
        }
        Plot::Hidden => {
            let hidden = ("anonymous", LINE, "inbound");
            vec![event("caller", 0, "ringing", hidden), event("caller", 20, "unanswered", hidden)]
        }
    }
}
