//! Mango Office and Zadarma.

use serde_json::{Value, json};

use crate::played::{Call, LINE, Plot, Provider, Sent};

pub(crate) const PROVIDERS: &[&Provider] = &[&MANGO, &ZADARMA];

pub(crate) static MANGO: Provider = Provider {
    name: "mango",
    kind: "mango",
    signer: "mango",
    secret: "salt-of-the-pbx",
    keys: "key = \"code-of-the-pbx\"\nsalt = \"salt-of-the-pbx\"",
    tells: mango,
    unknown: || event("/events/dream", json!({ "dream": "лес + &" })),
    thanks: (200, "text/plain; charset=utf-8", ""),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static ZADARMA: Provider = Provider {
    name: "zadarma",
    kind: "zadarma",
    signer: "zadarma",
    secret: "testsecret",
    keys: "secret = \"testsecret\"",
    tells: zadarma,
    unknown: || {
        Sent::form(&[("event", "NOTIFY_DREAM"), ("caller_id", "+79161234567"), ("called_did", LINE), ("dream", "лес + &")])
    },
    thanks: (200, "application/json", "{}"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

// -------------------------------------------------------------------------------------------------------------------- Mango

fn event(rest: &'static str, body: Value) -> Sent {
    Sent { rest, ..Sent::json(body) }
}

fn mango(call: &Call, plot: Plot) -> Vec<Sent> {
    let epoch = |second| call.epoch(second).parse::<i64>().unwrap_or_default();
    let leg = |seq: u32, second: i64, state: &str, location: &str, sides: &(Value, Value)| {
        event(
            "/events/call",
            json!({
                "entry_id": call.id, "call_id": format!("{}-{location}", call.id), "timestamp": epoch(second), "seq": seq,
                "call_state": state, "location": location, "from": sides.0, "to": sides.1, "dct": { "type": 0 },
            }),
        )
    };
    let summary = |direction: u32, sides: &(Value, Value), talked: Option<i64>, reason: u32| {
        event(
            "/events/summary",
            json!({
                "entry_id": call.id, "call_direction": direction, "from": sides.0, "to": sides.1, "line_number": LINE,
                "create_time": epoch(0), "forward_time": epoch(1), "talk_time": talked.map_or(0, epoch), "end_time": epoch(50),
                "entry_result": u8::from(talked.is_some()), "disconnect_reason": reason,
            }),
        )
    };
    let caller = json!({ "number": call.number });
    let incoming = (caller.clone(), json!({ "extension": "101", "number": "sip:anna@okna.mangosip.ru", "line_number": LINE }));
    match plot {
        Plot::Answered => vec![
            leg(1, 0, "Appeared", "ivr", &(caller.clone(), json!({ "number": LINE, "line_number": LINE }))),
            leg(2, 1, "Connected", "ivr", &(caller, json!({ "number": LINE, "line_number": LINE }))),
            leg(1, 2, "Appeared", "abonent", &incoming),
            leg(2, 8, "Connected", "abonent", &incoming),
            leg(3, 50, "Disconnected", "abonent", &incoming).with(&[("disconnect_reason", "1110")]),
            summary(1, &incoming, Some(8), 1110),
            event(
                "/events/recording",
                json!({
                    "recording_id": format!("R-{}", call.id), "recording_state": "Completed", "seq": 2, "entry_id": call.id,
                    "call_id": format!("{}-abonent", call.id), "extension": "101", "timestamp": epoch(52), "completion_code": 1000,
                    "recipient": "Cloud",
                }),
            ),
        ],
        Plot::Missed => vec![leg(1, 2, "Appeared", "abonent", &incoming), summary(1, &incoming, None, 1111)],
        Plot::Out => {
            let out = (json!({ "extension": "101", "number": "sip:anna@okna.mangosip.ru" }), json!({ "number": call.number }));
            vec![leg(1, 0, "Appeared", "abonent", &out), leg(2, 8, "Connected", "abonent", &out), summary(2, &out, Some(8), 1120)]
        }
        Plot::Internal => {
            let inner = (json!({ "extension": "101" }), json!({ "extension": "102" }));
            vec![leg(1, 0, "Appeared", "abonent", &inner), summary(0, &inner, Some(8), 1110)]
        }
        Plot::Hidden => {
            let hidden = (json!({}), json!({ "extension": "101", "line_number": LINE }));
            vec![leg(1, 0, "Appeared", "abonent", &hidden), summary(1, &hidden, None, 1110)]
        }
    }
}

// ------------------------------------------------------------------------------------------------------------------ Zadarma

fn zadarma(call: &Call, plot: Plot) -> Vec<Sent> {
    let start = call.written(0, "%Y-%m-%d %H:%M:%S");
    let caller = format!("+{}", call.number);
    let id = format!("{}_{}", if plot == Plot::Out { "out" } else { "in" }, call.id);
    let notify = |event: &str, fields: &[(&str, &str)]| {
        Sent::form(&[("event", event), ("call_start", &start), ("pbx_call_id", &id)]).with(fields)
    };
    let (from, did) = (("caller_id", caller.as_str()), ("called_did", LINE));
    let recorded = [("is_recorded", "1"), ("call_id_with_rec", &format!("{id}.rec")), ("status_code", "16")];
    let missed = [("disposition", "no answer"), ("duration", "0"), ("status_code", "19"), ("is_recorded", "0")];
    match plot {
        Plot::Answered => {
            let end = notify("NOTIFY_END", &[from, did, ("internal", "101"), ("duration", "42"), ("disposition", "answered")]);
            let record =
                Sent::form(&[("event", "NOTIFY_RECORD"), ("pbx_call_id", &id), ("call_id_with_rec", &format!("{id}.rec"))]);
            vec![
                notify("NOTIFY_START", &[from, did]),
                notify("NOTIFY_INTERNAL", &[from, did, ("internal", "101")]),
                notify("NOTIFY_ANSWER", &[from, ("destination", "101"), ("internal", "101")]),
                end.with(&recorded),
                record,
            ]
        }
        Plot::Missed => vec![
            notify("NOTIFY_START", &[from, did]),
            notify("NOTIFY_INTERNAL", &[from, did, ("internal", "101")]),
            notify("NOTIFY_END", &[from, did, ("internal", "101")]).with(&missed),
        ],
        Plot::Out => {
            let to = ("destination", call.number.as_str());
            vec![
                notify("NOTIFY_OUT_START", &[("internal", "101"), to]),
                notify("NOTIFY_OUT_END", &[("internal", "101"), to, ("caller_id", LINE)]).with(&[
                    ("duration", "42"),
                    ("disposition", "answered"),
                    ("is_recorded", "0"),
                ]),
            ]
        }
        Plot::Internal => {
            let inner = [("caller_id", "102"), ("called_did", "101"), ("internal", "101")];
            vec![notify("NOTIFY_START", &inner), notify("NOTIFY_END", &inner).with(&missed)]
        }
        Plot::Hidden => {
            let hidden = [("caller_id", "anonymous"), did];
            vec![notify("NOTIFY_START", &hidden), notify("NOTIFY_END", &hidden).with(&missed)]
        }
    }
}
