//! Asterisk and `FreePBX`: a hangup handler of the dialplan posts what became of a call, and the channels of colleagues may, too.
//!
//! Asterisk itself tells nobody of calls; `templates/extensions_custom.conf` is what makes it. All channels of a call share its
//! `linkedid`. What the channel of the caller says with `final=1` sums the call up; its being answered may be a menu's or a queue's,
//! so that alone is no answer.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::attribution::{Origin, Touch, attribution_key};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Refusal, Secrets, SourceKind};
use leadgate_core::submission::Field;
use leadgate_wire::auth::{Auth, Call};

use crate::basic;
use crate::call_webhook::words::{self, EventKind, Unit};
use crate::party::{Form, Party};
use crate::provider::{Event, Heard, Incoming, Proof, Provider, Unproven, is_said, recording};
use crate::settings::{self, Usual, usual_keys};
use crate::times;

/// `kind = "asterisk"`.
pub const KIND: SourceKind = SourceKind {
    name: "asterisk",
    about: "Asterisk and FreePBX: calls posted by a hangup handler of the dialplan",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "asterisk"
# The name and the password the dialplan sends (CURLOPT(userpwd)); with them every call must have them.
# user = "asterisk"
# password = { env = "ASTERISK_PASSWORD" }   # or { file = "..." }; a list while it is being changed
# Where recordings lie for Leadgate; the name of the file is put behind it. Without it its path is kept as a field.
# recording_url = "https://pbx.example.com/monitor/"
"#,
    usual_keys!()
);

/// What is read, so that it is no field besides.
const KNOWN: &[&str] = &[
    "linkedid",
    "call_id",
    "uniqueid",
    "event",
    "final",
    "direction",
    "caller",
    "callee",
    "number",
    "line",
    "did",
    "agent",
    "extension",
    "peer",
    "member",
    "channel",
    "queue",
    "scheme",
    "start",
    "answer",
    "end",
    "at",
    "dialstatus",
    "queuestatus",
    "disposition",
    "answeredtime",
    "billsec",
    "duration",
    "cause",
    "recording",
    "name",
    "email",
    "message",
    "landing",
    "referrer",
    "uuid",
];

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. Скопируйте connectors/telephony/templates/extensions_custom.conf в /etc/asterisk (во FreePBX — допишите его в конец своего\n\
         extensions_custom.conf) и укажите в нём LEADGATE_URL = {url}.\n\
         2. Направьте входящие транки в контекст from-trunk-leadgate; для исходящих добавьте вызов, как сказано в файле.\n\
         3. Перечитайте план набора (dialplan reload). Нужны модули func_curl и res_curl.\n\
         4. Если сервер пишет время без зоны, укажите её в time_zone. Сделайте звонок: leadgate leads list."
    } else {
        "1. Copy connectors/telephony/templates/extensions_custom.conf to /etc/asterisk (with FreePBX add it to the end of your own\n\
         extensions_custom.conf) and write {url} as its LEADGATE_URL.\n\
         2. Lead incoming trunks to the context from-trunk-leadgate; for outgoing calls add the line the file names.\n\
         3. Reload the dialplan (dialplan reload). The modules func_curl and res_curl are needed.\n\
         4. If the server writes times without a zone, name it in time_zone. Make a call: leadgate leads list."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, settings| {
        let auth = basic::read(keys, secrets);
        Some(Asterisk { auth, recording_url: basic::folder(keys, "recording_url"), zone: settings.zone.clone() })
    })
}

struct Asterisk {
    auth: Auth,
    recording_url: Option<String>,
    zone: TimeZone,
}

impl Provider for Asterisk {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let call = Call { request: incoming.request, body: None, now: incoming.request.received_at };
        self.auth.check(&call).map(|()| Proof::Whole).map_err(|unproven| Unproven::new(&unproven.0))
    }

    fn recordings_at(&self) -> Option<&str> {
        self.recording_url.as_deref()
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        let request = incoming.request;
        let says_something = KNOWN.iter().any(|name| incoming.text(name).is_some());
        if !matches!(request.method, "GET" | "POST") || !says_something {
            return Ok(Heard::Probe(self.thanks(request)));
        }
        let Some(kind) = kind(incoming) else {
            return Ok(Heard::Events(vec![Event { fields: fields(incoming), ..Event::default() }]));
        };
        let Some(id) = incoming.first(&["linkedid", "call_id", "uniqueid"]) else {
            return Err(Refusal::Unreadable("the call has no linkedid: is CHANNEL(linkedid) sent?".to_owned()));
        };
        Ok(Heard::Events(vec![self.event(incoming, id, kind)]))
    }
}

/// What happened; the handlers of the dialplan say nothing else than that a channel hung up.
fn kind(incoming: &Incoming<'_>) -> Option<EventKind> {
    match incoming.text("event").map(str::to_ascii_lowercase).as_deref() {
        None | Some("hangup" | "end" | "ended" | "finished" | "leg_ended") => Some(EventKind::LegEnded),
        Some("start" | "started" | "begin") => Some(EventKind::Started),
        Some("ring" | "ringing") => Some(EventKind::Ringing),
        Some("answer" | "answered") => Some(EventKind::Answered),
        Some(_) => None,
    }
}

impl Asterisk {
    fn event(&self, incoming: &Incoming<'_>, id: &str, kind: EventKind) -> Event {
        let is_final = incoming.text("final").is_some_and(words::is_yes);
        let mut told = self.telling(incoming, kind);
        if kind == EventKind::LegEnded && is_final {
            sum_up(incoming, &mut told);
        } else {
            leg(incoming, &mut told, kind);
        }
        let at = self.time(incoming, &["at"]).or(told.ended).or(told.answered).or(told.started);
        let call =
            if is_final && kind == EventKind::LegEnded { CallFacts::summary(id, told) } else { CallFacts::event(id, told) };
        let mut fields = fields(incoming);
        let mut recordings = Vec::new();
        if let Some(named) = incoming.text("recording") {
            let file = named.rsplit(['/', '\\']).next().unwrap_or_default();
            let link = if named.contains("://") { Some(named.to_owned()) } else { self.link(file) };
            match link.as_deref().and_then(recording) {
                Some(offered) => recordings.push(offered),
                None => fields.push(Field { name: "recording".to_owned(), value: named.to_owned() }),
            }
        }
        Event {
            at,
            id: incoming.text("uniqueid").map(|channel| format!("{kind:?}:{channel}:{is_final}")),
            name: incoming.text("name").map(str::to_owned),
            email: incoming.text("email").map(str::to_owned),
            message: incoming.text("message").map(str::to_owned),
            touch: touch(incoming),
            fields,
            recordings,
            ..Event::of(call)
        }
    }

    fn link(&self, file: &str) -> Option<String> {
        basic::link(self.recording_url.as_deref()?, file)
    }

    fn time(&self, incoming: &Incoming<'_>, names: &[&str]) -> Option<Timestamp> {
        incoming.first(names).and_then(|text| times::any(text, &self.zone))
    }

    /// What any channel tells.
    fn telling(&self, incoming: &Incoming<'_>, kind: EventKind) -> CallTelling {
        let party = |name: &str| incoming.text(name).map_or(Party::Nobody, |text| Party::read(text, Form::National));
        let (caller, callee) = (party("caller"), party("callee"));
        let way = incoming.text("direction").and_then(words::direction).or_else(|| way(&caller, &callee));
        let (them, us) = match way {
            Some(Direction::Out) => (callee, caller),
            Some(Direction::Internal) => (Party::Nobody, caller),
            Some(Direction::In) | None => (caller, callee),
        };
        let them = match party("number") {
            Party::Nobody => them,
            said => said,
        };
        let line = incoming.first(&["line", "did"]).and_then(CallNumber::national).or_else(|| us.clone().phone());
        let at = |wanted: EventKind| if kind == wanted { self.time(incoming, &["at"]) } else { None };
        CallTelling {
            direction: way,
            hidden: them == Party::Hidden,
            number: them.phone(),
            line,
            agent: agent(incoming).or_else(|| if way == Some(Direction::In) { None } else { us.extension() }),
            scheme: incoming.first(&["queue", "scheme"]).map(str::to_owned),
            started: self.time(incoming, &["start"]).or_else(|| at(EventKind::Started)),
            answered: at(EventKind::Answered),
            ended: self.time(incoming, &["end"]).or_else(|| at(EventKind::LegEnded)),
            status: incoming.first(&["dialstatus", "queuestatus", "disposition"]).map(str::to_owned),
            ..CallTelling::default()
        }
    }
}

/// Which way a call goes by the shape of its numbers.
fn way(caller: &Party, callee: &Party) -> Option<Direction> {
    match (caller, callee) {
        (Party::Extension(_), Party::Extension(_)) => Some(Direction::Internal),
        (Party::Extension(_), Party::Phone(_)) => Some(Direction::Out),
        (Party::Phone(_) | Party::Hidden, _) => Some(Direction::In),
        _ => None,
    }
}

/// The colleague, by an extension or the name of a channel: `PJSIP/101-0000001a`, `Local/101@from-queue/n`.
fn agent(incoming: &Incoming<'_>) -> Option<String> {
    let said = incoming.first(&["agent", "extension", "member", "peer", "channel"])?;
    let bare = said.split_once('/').map_or(said, |(_technology, rest)| rest);
    let bare = bare.split(['@', ';', '/']).next().unwrap_or_default();
    // The number of a channel, in hex.
    let is_mark = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bare = bare.rsplit_once('-').filter(|(_, mark)| is_mark(mark)).map_or(bare, |(name, _)| name);
    is_said(bare).then(|| bare.to_owned())
}

/// The caller's channel sums the call up. That it was answered may have been a menu or a queue; who dialled on knows.
fn sum_up(incoming: &Incoming<'_>, told: &mut CallTelling) {
    let word = |name: &str| incoming.text(name).and_then(words::outcome);
    let disposition = word("disposition");
    let outcome = if incoming.text("member").is_some() {
        Some(CallOutcome::Answered)
    } else {
        let queue = incoming.text("queuestatus").map(|_word| CallOutcome::NoAnswer);
        word("dialstatus").or(queue).or_else(|| disposition.filter(|outcome| *outcome != CallOutcome::Answered))
    };
    told.outcome = outcome;
    if outcome == Some(CallOutcome::Answered) {
        told.talk_s = seconds(incoming, "answeredtime").filter(|talk| *talk > 0).or_else(|| seconds(incoming, "billsec"));
        told.total_s = seconds(incoming, "duration");
    } else {
        told.wait_s = outcome.and(seconds(incoming, "duration"));
        if told.direction != Some(Direction::Out)
            && let Some(agent) = told.agent.take().filter(|_| outcome.is_some())
        {
            told.rang.insert(agent);
        }
    }
}

/// A colleague's channel is evidence: any that was answered wins.
fn leg(incoming: &Incoming<'_>, told: &mut CallTelling, kind: EventKind) {
    let said = incoming.first(&["disposition", "dialstatus"]).and_then(words::outcome);
    let talked = seconds(incoming, "billsec").or_else(|| seconds(incoming, "answeredtime"));
    let answered = kind == EventKind::Answered || (said.is_none() && talked > Some(0)) || said == Some(CallOutcome::Answered);
    if kind == EventKind::LegEnded {
        told.outcome = said;
    }
    // The caller's own channel names no colleague: its answer is nobody's.
    let colleague = told.direction == Some(Direction::Out) || told.agent.is_some();
    if answered && colleague {
        told.picked_up = true;
        told.outcome = (kind == EventKind::LegEnded).then_some(CallOutcome::Answered);
        told.talk_s = talked;
    } else {
        told.outcome = told.outcome.filter(|outcome| *outcome != CallOutcome::Answered);
        if told.direction != Some(Direction::Out)
            && let Some(agent) = told.agent.take()
        {
            told.rang.insert(agent);
        }
    }
}

fn seconds(incoming: &Incoming<'_>, name: &str) -> Option<u32> {
    incoming.text(name).and_then(|text| words::seconds(text, Unit::Seconds))
}

fn touch(incoming: &Incoming<'_>) -> Touch {
    let mut touch = Touch::default();
    for entry in &incoming.body {
        touch.offer(&entry.name, &entry.value, Origin::Field);
    }
    for entry in &incoming.query {
        touch.offer(&entry.name, &entry.value, Origin::ActionUrl);
    }
    touch.landing = incoming.text("landing").map(str::to_owned);
    touch.referrer = incoming.text("referrer").map(str::to_owned);
    touch
}

/// What the owner's dialplan sends besides.
fn fields(incoming: &Incoming<'_>) -> Vec<Field> {
    let all = incoming.body.iter().chain(&incoming.query);
    let known = |name: &str| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) || attribution_key(name).is_some();
    let rest = all.filter(|entry| !known(&entry.name) && is_said(entry.value.trim()));
    rest.take(50).map(|entry| Field { name: entry.name.clone(), value: entry.value.trim().to_owned() }).collect()
}
