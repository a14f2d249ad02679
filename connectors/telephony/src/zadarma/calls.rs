//! What the notifications tell.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::Refusal;
use leadgate_core::text;
use leadgate_wire::json::Json;

use crate::common::{leaves, pairs, phone, rest, show, side, trace};
use crate::party::{Form, Party};
use crate::provider::{Event, Incoming, recording_by_id};
use crate::times;

/// What happened this far from its receipt is told in another time zone than we think.
const ZONE: SignedDuration = SignedDuration::from_mins(25);
/// Bytes of a text that was recognised.
const SPOKEN: usize = 20_000;
/// Calls that one notification of the call tracking tells.
const MOST_CALLS: usize = 50;

/// Fields of calls that are read, or are worth nothing to people.
const READ: &[&str] = &[
    "event",
    "call_start",
    "pbx_call_id",
    "caller_id",
    "called_did",
    "destination",
    "internal",
    "duration",
    "disposition",
    "status_code",
    "is_recorded",
    "call_id_with_rec",
];

/// Reads a notification.
pub(super) fn events(incoming: &Incoming<'_>, zone: &TimeZone) -> Result<Vec<Event>, Refusal> {
    let call = || Call::read(incoming, zone);
    Ok(match incoming.text("event").unwrap_or_default() {
        "NOTIFY_START" | "NOTIFY_IVR" => vec![call()?.begins(None)],
        "NOTIFY_INTERNAL" => vec![call()?.begins(incoming.text("internal"))],
        "NOTIFY_OUT_START" => vec![call()?.calls_out()],
        "NOTIFY_ANSWER" => vec![call()?.answers()],
        "NOTIFY_END" | "NOTIFY_OUT_END" => vec![call()?.ends()],
        "NOTIFY_RECORD" => vec![recorded(incoming)?],
        "CALL_TRACKING" => tracked(incoming, zone),
        "SPEECH_RECOGNITION" => vec![recognised(incoming)],
        _ => vec![unknown(incoming)],
    })
}

/// What a notification tells of a call, whatever its event.
struct Call<'a> {
    incoming: &'a Incoming<'a>,
    id: &'a str,
    direction: Direction,
    number: Option<CallNumber>,
    hidden: bool,
    line: Option<CallNumber>,
    started: Option<Timestamp>,
}

fn call_id<'a>(incoming: &'a Incoming<'_>) -> Result<&'a str, Refusal> {
    incoming.text("pbx_call_id").ok_or_else(|| Refusal::Unreadable("the notification has no pbx_call_id".to_owned()))
}

impl<'a> Call<'a> {
    fn read(incoming: &'a Incoming<'_>, zone: &TimeZone) -> Result<Self, Refusal> {
        let id = call_id(incoming)?;
        let event = incoming.text("event").unwrap_or_default();
        let out = id.starts_with("out_") || (!id.starts_with("in_") && event.starts_with("NOTIFY_OUT"));
        let caller = incoming.text("caller_id");
        let (client, line) = if out {
            (incoming.text("destination").map_or(Party::Nobody, side), caller)
        } else {
            (caller.map_or(Party::Nobody, |typed| Party::read(typed, Form::International)), incoming.text("called_did"))
        };
        let nought = |name: &str| name.bytes().all(|byte| byte == b'0');
        let inner = matches!(&client, Party::Extension(name) if !nought(name) && name.bytes().all(|byte| byte.is_ascii_digit()));
        let direction = match (inner, out) {
            (true, _) => Direction::Internal,
            (false, true) => Direction::Out,
            (false, false) => Direction::In,
        };
        // A caller without a number says nothing, zero, or a word.
        let hidden = direction == Direction::In && !matches!(client, Party::Phone(_));
        let line = line.and_then(|typed| Party::read(typed, Form::International).phone());
        let started = incoming.text("call_start").and_then(|typed| times::naive(typed, zone).or_else(|| times::any(typed, zone)));
        Ok(Self { incoming, id, direction, number: client.phone(), hidden, line, started })
    }

    fn telling(&self) -> CallTelling {
        CallTelling {
            direction: Some(self.direction),
            number: self.number.clone(),
            hidden: self.hidden,
            line: self.line.clone(),
            started: self.started,
            ..CallTelling::default()
        }
    }

    fn event(&self, facts: CallFacts, at: Option<Timestamp>) -> Event {
        let mut event = Event { at, ..Event::of(facts) };
        rest(&mut event, pairs(self.incoming), READ);
        event
    }

    /// It begins, or rings somewhere.
    fn begins(&self, rings: Option<&str>) -> Event {
        let rang = rings.map(str::to_owned).into_iter().collect();
        self.at_once(CallTelling { rang, ..self.telling() })
    }

    fn calls_out(&self) -> Event {
        self.at_once(CallTelling { agent: self.incoming.text("internal").map(str::to_owned), ..self.telling() })
    }

    /// Told when it begins.
    fn at_once(&self, telling: CallTelling) -> Event {
        self.timed(CallFacts::event(self.id, telling), self.started)
    }

    /// Told when it happens: what is far from that is a matter of the time zone, and not believed.
    fn timed(&self, mut facts: CallFacts, at: Option<Timestamp>) -> Event {
        let received = self.incoming.request.received_at;
        let far = at.is_some_and(|at| at.duration_since(received).abs() > ZONE);
        if far {
            facts.clock_wrong = true;
            facts.legs.started = None;
        }
        self.event(facts, at.filter(|_| !far))
    }

    /// Somebody answered; when, is not told.
    fn answers(&self) -> Event {
        let who = self.incoming.text("internal");
        let who = if self.direction == Direction::In { who.or_else(|| self.incoming.text("destination")) } else { who };
        let telling = CallTelling { picked_up: true, agent: who.map(str::to_owned), ..self.telling() };
        self.event(CallFacts::event(self.id, telling), None)
    }

    fn ends(&self) -> Event {
        let incoming = self.incoming;
        let (status, lasted) = (incoming.text("disposition"), incoming.seconds("duration"));
        let outcome = status.and_then(outcome);
        let answered = outcome == Some(CallOutcome::Answered);
        let internal = incoming.text("internal").map(str::to_owned);
        // Of a call that nobody answered, it is whose telephone rang.
        let agent = internal.clone().filter(|_| answered || self.direction != Direction::In);
        let telling = CallTelling {
            rang: internal.filter(|_| agent.is_none()).into_iter().collect(),
            agent,
            talk_s: lasted.filter(|_| answered),
            wait_s: lasted.filter(|seconds| !answered && *seconds > 0),
            outcome,
            status: status.map(str::to_owned),
            ..self.telling()
        };
        let at = self.started.and_then(|from| from.checked_add(SignedDuration::from_secs(lasted.unwrap_or(0).into())).ok());
        let mut event = self.timed(CallFacts::summary(self.id, telling), at);
        if incoming.text("is_recorded") != Some("0") {
            event.recordings.extend(incoming.text("call_id_with_rec").and_then(recording_by_id));
        }
        event
    }
}

fn outcome(disposition: &str) -> Option<CallOutcome> {
    Some(match disposition.to_ascii_lowercase().replace('_', " ").as_str() {
        "answered" => CallOutcome::Answered,
        "busy" => CallOutcome::Busy,
        "cancel" | "cancelled" | "canceled" => CallOutcome::Cancelled,
        "no answer" | "noanswer" => CallOutcome::NoAnswer,
        "failed" | "line limit" => CallOutcome::Failed,
        "no money" | "no money, no limit" | "no limit" | "no day limit" => CallOutcome::NoFunds,
        "unallocated number" => CallOutcome::BadNumber,
        _ => return None,
    })
}

/// A recording is there.
fn recorded(incoming: &Incoming<'_>) -> Result<Event, Refusal> {
    let mut event = Event::of(CallFacts::event(call_id(incoming)?, CallTelling::default()));
    event.recordings.extend(incoming.text("call_id_with_rec").and_then(recording_by_id));
    rest(&mut event, pairs(incoming), READ);
    Ok(event)
}

/// The JSON in `result`.
fn result(incoming: &Incoming<'_>) -> Option<Json> {
    incoming.text("result").and_then(|text| Json::parse(text).ok())
}

/// Where callers came from: one call, or several.
fn tracked(incoming: &Incoming<'_>, zone: &TimeZone) -> Vec<Event> {
    let Some(result) = result(incoming) else { return vec![unknown(incoming)] };
    let list = match (&result, result.get("calls")) {
        (Json::List(items), _) | (_, Some(Json::List(items))) => items.as_slice(),
        _ => std::slice::from_ref(&result),
    };
    let outer = incoming.text("pbx_call_id").filter(|_| list.len() == 1);
    let events: Vec<Event> = list.iter().take(MOST_CALLS).map(|call| visit(call, outer, zone)).collect();
    if events.is_empty() { vec![unknown(incoming)] } else { events }
}

fn visit(call: &Json, outer: Option<&str>, zone: &TimeZone) -> Event {
    let leaves = leaves(call);
    let find = |names: &[&str]| {
        let found = |name: &&str| leaves.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        names.iter().find_map(found).map(|(_, value)| value.as_str())
    };
    let mut event = Event::default();
    if let Some(id) = find(&["pbx_call_id"]).or(outer) {
        let line = phone(find(&["caller_did", "called_did"]));
        event =
            Event::of(CallFacts::event(id, CallTelling { number: phone(find(&["caller_id"])), line, ..CallTelling::default() }));
        event.at = find(&["start", "call_start"]).and_then(|typed| times::any(typed, zone));
    }
    let known: &[&str] = if event.call.is_some() { &["pbx_call_id", "caller_id", "start", "call_start"] } else { &[] };
    rest(&mut event, leaves.iter().map(|(name, value)| (name.as_str(), value.as_str())), known);
    event
}

/// What was said, in words.
fn recognised(incoming: &Incoming<'_>) -> Event {
    let mut event = Event::default();
    if let Some(id) = incoming.text("pbx_call_id") {
        event = Event::of(CallFacts::event(id, CallTelling::default()));
    }
    event.message = result(incoming).as_ref().and_then(phrases);
    for (name, value) in pairs(incoming).filter(|(name, _)| matches!(*name, "lang" | "voicemail")) {
        show(&mut event, name, value);
    }
    event
}

/// Phrases, each with the side that said it.
fn phrases(result: &Json) -> Option<String> {
    let list = result.get("phrases").unwrap_or(result);
    let items = if let Json::List(items) = list { items.as_slice() } else { std::slice::from_ref(list) };
    let mut out = String::new();
    for item in items {
        let said = ["result", "text", "phrase"].iter().find_map(|key| item.get(key).and_then(Json::text)).or_else(|| item.text());
        let Some(said) = said.filter(|said| !said.trim().is_empty()) else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        if let Some(channel) = item.get("channel").and_then(Json::text) {
            out.push_str(&channel);
            out.push_str(": ");
        }
        out.push_str(said.trim());
        if out.len() >= SPOKEN {
            break;
        }
    }
    (!out.is_empty()).then(|| text::cut(&out, SPOKEN).to_owned())
}

/// An event of no call, or one that nobody here knows: it is kept with all it says.
fn unknown(incoming: &Incoming<'_>) -> Event {
    let mut event = Event::default();
    match result(incoming) {
        Some(result) => {
            event.message = result.get("text").and_then(Json::text).map(|text| text::cut(&text, SPOKEN).to_owned());
            for (name, value) in leaves(&result).iter().filter(|(name, _)| name != "text") {
                if !trace(&mut event, name, value) {
                    show(&mut event, name, value);
                }
            }
            rest(&mut event, pairs(incoming), &["result"]);
        }
        None => rest(&mut event, pairs(incoming), &[]),
    }
    event
}
