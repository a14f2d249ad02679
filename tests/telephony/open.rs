//! Who signs nothing: the PBX of `ITooLabs`, which has a key, Sipuni and `OnlinePBX`.

use serde_json::json;

use crate::played::{Body, Call, LINE, Plot, Provider, Sent};

pub(crate) const PROVIDERS: &[&Provider] = &[&ITOOLABS, &SIPUNI, &ONLINEPBX];

pub(crate) static ITOOLABS: Provider = Provider {
    name: "itoolabs",
    kind: "itoolabs",
    signer: "plain",
    secret: "key-of-the-crm",
    keys: "crm_token = \"key-of-the-crm\"",
    tells: itoolabs,
    unknown: || Sent::form(&[("cmd", "dream"), ("crm_token", "key-of-the-crm"), ("dream", "лес + &")]),
    thanks: (200, "application/json", "{}"),
    refuses: (401, "{\"error\":\"Invalid token\"}"),
    agent: "anna",
};

pub(crate) static SIPUNI: Provider = Provider {
    name: "sipuni",
    kind: "sipuni",
    signer: "plain",
    secret: "",
    keys: "",
    tells: sipuni,
    unknown: || Sent::form(&[("event", "77"), ("call_id", "dream"), ("dream", "лес + &")]),
    thanks: (200, "application/json", "{\"success\": true}"),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

pub(crate) static ONLINEPBX: Provider = Provider {
    name: "onlinepbx",
    kind: "onlinepbx",
    signer: "plain",
    secret: "",
    keys: "",
    tells: onlinepbx,
    unknown: || Sent::form(&[("event", "call_dreamt"), ("uuid", "dream"), ("dream", "лес + &")]),
    thanks: (200, "text/plain; charset=utf-8", ""),
    refuses: (403, "forbidden\n"),
    agent: "101",
};

/// That it rings, and the question who calls.
pub(crate) fn contact(call: &Call) -> Sent {
    Sent::form(&[
        ("cmd", "contact"),
        ("crm_token", "key-of-the-crm"),
        ("callid", &call.id),
        ("phone", &call.number),
        ("diversion", LINE),
    ])
}

fn itoolabs(call: &Call, plot: Plot) -> Vec<Sent> {
    let client = match plot {
        Plot::Internal => "702",
        Plot::Hidden => "",
        _ => call.number.as_str(),
    };
    let direction = if plot == Plot::Out { "out" } else { "in" };
    let command = |cmd: &str, kind: &str, more: &[(&str, &str)]| {
        Sent::form(&[
            ("cmd", cmd),
            ("crm_token", "key-of-the-crm"),
            ("type", kind),
            ("callid", &call.id),
            ("phone", client),
            ("diversion", LINE),
            ("user", "anna"),
            ("ext", "701"),
            ("groupRealName", "Продажи"),
        ])
        .with(more)
    };
    let leg = |kind: &str, user: &str| command("event", kind, &[("direction", direction), ("user", user)]);
    let history = |status: &str, lasted: &str, more: &[(&str, &str)]| {
        let start = call.written(0, "%Y%m%dT%H%M%SZ");
        command("history", direction, &[("status", status), ("start", &start), ("duration", lasted)]).with(more)
    };
    match plot {
        // A recording's link is in the history, or in another one later.
        Plot::Answered => vec![
            leg("INCOMING", "anna"),
            leg("INCOMING", "oleg"),
            leg("ACCEPTED", "anna"),
            leg("CANCELLED", "oleg"),
            leg("COMPLETED", "anna"),
            history("Success", "42", &[]),
            history("Success", "42", &[("link", "https://records.megapbx.ru/record/okna.megapbx.ru/a.mp3")]),
        ],
        Plot::Missed | Plot::Hidden => vec![leg("INCOMING", "anna"), leg("CANCELLED", "anna"), history("missed", "0", &[])],
        Plot::Out => {
            vec![leg("OUTGOING", "anna"), leg("ACCEPTED", "anna"), leg("COMPLETED", "anna"), history("Success", "42", &[])]
        }
        Plot::Internal => vec![leg("INCOMING", "anna"), history("Success", "42", &[])],
    }
}

fn sipuni(call: &Call, plot: Plot) -> Vec<Sent> {
    let outside = |number: &'static str| [("src_num", number), ("short_src_num", number), ("src_type", "1")];
    let inside = [("dst_num", "012345101"), ("short_dst_num", "101"), ("dst_type", "2")];
    let event = |kind: &str, second: i64, more: &[(&str, &str)]| {
        let (at, start) = (call.epoch(second), call.epoch(0));
        let sent = Sent::form(&[
            ("event", kind),
            ("call_id", &call.id),
            ("timestamp", &at),
            ("call_start_timestamp", &start),
            ("pbxdstnum", LINE),
            ("treeName", "Реклама"),
            ("user_id", "012345"),
        ]);
        let sent = match plot {
            Plot::Out => sent.with(&[
                ("src_num", "012345101"),
                ("short_src_num", "101"),
                ("src_type", "2"),
                ("dst_num", &call.number),
                ("short_dst_num", &call.number),
                ("dst_type", "1"),
            ]),
            Plot::Internal => sent.with(&[("src_num", "012345102"), ("short_src_num", "102"), ("src_type", "2")]).with(&inside),
            Plot::Hidden => sent.with(&outside("anonymous")).with(&inside),
            Plot::Answered | Plot::Missed => {
                sent.with(&[("src_num", &call.number), ("short_src_num", &call.number), ("src_type", "1")]).with(&inside)
            }
        };
        sent.with(more)
    };
    let answer = call.epoch(8);
    let answered = [("status", "ANSWER"), ("call_answer_timestamp", answer.as_str()), ("last_called", "012345102&012345101")];
    let missed = [("status", "NOANSWER"), ("call_answer_timestamp", "0"), ("last_called", "102,101")];
    match plot {
        Plot::Answered => vec![
            event("1", 0, &[]).got(),
            event("1", 1, &[("dst_num", "012345102"), ("short_dst_num", "102")]),
            event("4", 4, &[("dst_num", "012345102"), ("short_dst_num", "102"), ("status", "NOANSWER")]),
            event("3", 8, &answered).got(),
            event("2", 50, &answered).with(&[("call_record_link", "https://sipuni.com/api/crm/record?id=1&hash=abc")]),
        ],
        Plot::Missed | Plot::Hidden => vec![event("1", 0, &[]), event("2", 30, &missed).got()],
        Plot::Out | Plot::Internal => vec![event("1", 0, &[]), event("3", 8, &answered), event("2", 50, &answered)],
    }
}

fn onlinepbx(call: &Call, plot: Plot) -> Vec<Sent> {
    let (direction, caller, callee) = match plot {
        Plot::Answered | Plot::Missed => ("inbound", call.number.as_str(), "101"),
        Plot::Out => ("outbound", "101", call.number.as_str()),
        Plot::Internal => ("local", "102", "101"),
        Plot::Hidden => ("inbound", "anonymous", "101"),
    };
    let event = |kind: &str, second: i64, more: &[(&str, &str)]| {
        Sent::form(&[
            ("domain", "okna.onpbx.ru"),
            ("event", kind),
            ("direction", direction),
            ("uuid", &call.id),
            ("caller", caller),
            ("callee", callee),
            ("from_domain", "okna.onpbx.ru"),
            ("to_domain", "okna.onpbx.ru"),
            ("gateway", LINE),
            ("date", &call.epoch(second)),
        ])
        .with(more)
    };
    let lasted = |all: &'static str, talked: &'static str, cause: &'static str| {
        [("call_duration", all), ("dialog_duration", talked), ("hangup_cause", cause)]
    };
    match plot {
        Plot::Answered => vec![
            as_json(event("call_start", 0, &[])),
            event("call_start", 1, &[("callee", "102")]),
            as_json(event("call_answered", 8, &[])),
            event("call_end", 50, &lasted("50", "42", "NORMAL_CLEARING"))
                .with(&[("download_url", "http://api.onlinepbx.ru/calls-records/download/abc/rec.mp3")]),
        ],
        Plot::Missed | Plot::Hidden => vec![
            event("call_start", 0, &[]),
            as_json(event("call_missed", 30, &[])),
            event("call_end", 30, &lasted("30", "0", "NO_ANSWER")),
        ],
        Plot::Out | Plot::Internal => {
            vec![event("call_start", 0, &[]), event("call_end", 50, &lasted("50", "42", "NORMAL_CLEARING"))]
        }
    }
}

/// The same fields as JSON.
fn as_json(sent: Sent) -> Sent {
    match sent.body {
        Body::Form(fields) => Sent::json(fields.into_iter().map(|(name, value)| (name, json!(value))).collect()),
        Body::Json(_) => sent,
    }
}
