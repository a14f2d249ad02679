//! What the notifications tell. What one is, its content says before its path does: the documentation's own examples mix the paths up.

use jiff::{SignedDuration, Timestamp};
use leadgate_core::attribution::Origin;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::Refusal;
use leadgate_wire::json::Json;

use crate::common::{leaves, rest, show, side};
use crate::party::Party;
use crate::provider::{Event, Incoming, is_said, recording_by_id};
use crate::times;

/// How many seconds times are off where they are written as Moscow's clock shows them.
const MOSCOW: i64 = 10_800;
/// How exact that is.
const ABOUT: i64 = 300;

/// Below that it is no time since 1970, but a length in seconds.
const NO_TIME: u32 = 1_000_000_000;

/// A notification.
struct Told {
    /// Its values by their places, `from[number]`.
    values: Vec<(String, String)>,
    /// What is to be added to its times.
    shift: SignedDuration,
}

impl Told {
    fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, value)| known == name && is_said(value.trim())).map(|(_, value)| value.trim())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(times::seconds).and_then(|at| at.checked_add(self.shift).ok())
    }

    fn seconds_between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u32> {
        u32::try_from(to?.duration_since(from?).as_secs()).ok()
    }

    fn side(&self, name: &str) -> Side {
        Side {
            extension: self.text(&format!("{name}[extension]")).map(str::to_owned),
            party: self.text(&format!("{name}[number]")).map_or(Party::Nobody, side),
        }
    }

    fn line(&self) -> Option<CallNumber> {
        ["to[line_number]", "line_number"].iter().find_map(|name| self.text(name)).map(side).and_then(Party::phone)
    }
}

/// A side of a call.
struct Side {
    /// The employee's.
    extension: Option<String>,
    party: Party,
}

impl Side {
    fn phone(&self) -> Option<CallNumber> {
        self.party.clone().phone().filter(|_| self.extension.is_none())
    }

    /// The employee, by the extension, else by the name of the telephone.
    fn agent(&self) -> Option<String> {
        self.extension.clone().or_else(|| self.party.clone().extension())
    }
}

/// Reads a notification.
pub(super) fn event(incoming: &Incoming<'_>, json: &str) -> Result<Event, Refusal> {
    let tree = Json::parse(json).map_err(|error| Refusal::Unreadable(format!("the field json is none: {error}")))?;
    let mut told = Told { values: leaves(&tree), shift: SignedDuration::ZERO };
    let shifted = correct(&mut told, incoming.request.received_at);
    let path = incoming.request.rest.trim_matches('/');
    let has = |name: &str| told.text(name).is_some();
    let mut event = if path.starts_with("result/") {
        other(&told)
    } else if has("create_time") && has("call_direction") {
        summary(&told)?
    } else if has("call_state") {
        leg(&told)?
    } else if has("recording_id") || path.starts_with("events/record") {
        recording(&told, path)?
    } else if path == "events/dtmf" || has("dtmf") {
        dtmf(&told)
    } else {
        match path {
            "events/summary" => summary(&told)?,
            "events/call" => leg(&told)?,
            _ => other(&told),
        }
    };
    if event.call.is_none() && !path.is_empty() {
        show(&mut event, "event", path);
    }
    if let Some(shifted) = shifted {
        show(&mut event, "time_corrected_s", &shifted.to_string());
    }
    Ok(event)
}

/// The id of the leg of a caller who waits in a menu or a queue, where nothing has been done with the call yet. Only such a leg may be put
/// through: one that somebody else put through, or that came back from a telephone nobody took off, would go round in circles.
pub(super) fn waiting(json: &str) -> Option<String> {
    let told = Told { values: leaves(&Json::parse(json).ok()?), shift: SignedDuration::ZERO };
    let is = |name: &str, values: &[&str]| {
        told.text(name).is_some_and(|told| values.iter().any(|value| told.eq_ignore_ascii_case(value)))
    };
    let untouched = ["command_id", "callback_initiator", "from[taken_from_call_id]", "from[extension]"];
    let fresh = untouched.iter().all(|name| told.text(name).is_none());
    let waits = is("call_state", &["appeared"]) && is("location", &["ivr", "queue"]) && told.side("from").phone().is_some();
    told.text("call_id").filter(|_| fresh && waits).map(str::to_owned)
}

/// The code of a command that was carried out.
const DONE: &str = "1000";

/// Whether it tells that a command of ours was carried out, which is not worth keeping.
pub(super) fn is_done(incoming: &Incoming<'_>, json: &str, ours: &str) -> bool {
    if incoming.request.rest.trim_matches('/') != "result/route" {
        return false;
    }
    let Ok(tree) = Json::parse(json) else { return false };
    let told = Told { values: leaves(&tree), shift: SignedDuration::ZERO };
    told.text("result") == Some(DONE) && told.text("command_id").is_some_and(|id| id.starts_with(ours))
}

/// Editions of the documentation differ on whether times are UTC or Moscow's: what is three hours from its receipt is Moscow's.
fn correct(told: &mut Told, received: Timestamp) -> Option<i64> {
    let at = ["timestamp", "end_time"].iter().find_map(|name| told.time(name))?;
    let off = at.duration_since(received).as_secs();
    ((off.abs() - MOSCOW).abs() <= ABOUT).then(|| {
        let shift = -MOSCOW * off.signum();
        told.shift = SignedDuration::from_secs(shift);
        shift
    })
}

fn entry(told: &Told) -> Result<&str, Refusal> {
    told.text("entry_id").ok_or_else(|| Refusal::Unreadable("the notification has no entry_id".to_owned()))
}

/// What of the two sides and the direction is told of a call. Without a direction the sides tell it: whoever has an extension is ours.
fn sides(told: &Told, direction: Option<Direction>) -> (CallTelling, Side, Side) {
    let (from, to) = (told.side("from"), told.side("to"));
    // A call that a command began first rings us: who is who, only the summary says.
    let by_command = told.text("command_id").is_some() || told.text("callback_initiator").is_some();
    let guessed = match (&from.extension, &to.extension) {
        (Some(_), Some(_)) => Some(Direction::Internal),
        (Some(_), None) => Some(Direction::Out),
        (None, _) if by_command => None,
        (None, _) => Some(Direction::In),
    };
    let direction = direction.or(guessed);
    let number = match direction {
        Some(Direction::In) => from.phone(),
        Some(Direction::Out) => to.phone(),
        Some(Direction::Internal) | None => None,
    };
    let hidden =
        direction == Some(Direction::In) && matches!(from.party, Party::Hidden | Party::Nobody) && from.extension.is_none();
    (CallTelling { direction, number, hidden, line: told.line(), ..CallTelling::default() }, from, to)
}

/// `events/call`: a leg.
fn leg(told: &Told) -> Result<Event, Refusal> {
    let id = entry(told)?;
    let at = told.time("timestamp");
    let (mut telling, from, to) = sides(told, None);
    let abonent = told.text("location").is_none_or(|location| location.eq_ignore_ascii_case("abonent"));
    let ours = if telling.direction == Some(Direction::In) { to.agent() } else { from.agent() };
    telling.scheme = told.text("to[acd_group]").map(str::to_owned);
    match told.text("call_state").unwrap_or_default().to_ascii_lowercase().as_str() {
        "appeared" => {
            telling.started = at;
            telling.rang = to.agent().filter(|_| abonent && telling.direction != Some(Direction::Out)).into_iter().collect();
            telling.agent = ours.filter(|_| telling.direction == Some(Direction::Out));
        }
        // A menu and a queue pick up, too, and nobody talks.
        "connected" if abonent => {
            telling.picked_up = true;
            telling.answered = at;
            telling.agent = ours;
        }
        "disconnected" => {
            telling.ended = at;
            (telling.outcome, telling.status) = reason(told);
        }
        _ => {}
    }
    let mut event = Event { at, ..Event::of(CallFacts::event(id, telling)) };
    shown(&mut event, told);
    Ok(event)
}

/// `events/summary`: the call is over.
fn summary(told: &Told) -> Result<Event, Refusal> {
    let id = entry(told)?;
    let direction = match told.text("call_direction") {
        Some("0") => Some(Direction::Internal),
        Some("1") => Some(Direction::In),
        Some("2") => Some(Direction::Out),
        _ => None,
    };
    let (telling, from, to) = sides(told, direction);
    let (created, ended) = (told.time("create_time"), told.time("end_time"));
    // When they began to talk; 0 if nobody did. The result alone is not to be trusted: a menu's is 1, too.
    let talked = told.number("talk_time").unwrap_or(0);
    let began = told.time("talk_time").filter(|began| created.is_none_or(|created| *began >= created));
    let answered = talked > 0 && told.number("entry_result") == Some(1);
    let length = u32::try_from(talked).ok().filter(|seconds| *seconds < NO_TIME);
    let talk = length.or_else(|| Told::seconds_between(began, ended));
    let (why, status) = reason(told);
    let who = if telling.direction == Some(Direction::In) { to.agent() } else { from.agent() };
    let missed_in = telling.direction == Some(Direction::In) && !answered;
    let waited = if answered { began } else { ended };
    let telling = CallTelling {
        agent: who.clone().filter(|_| !missed_in),
        rang: who.filter(|_| missed_in).into_iter().collect(),
        started: created,
        answered: began.filter(|_| answered),
        ended,
        wait_s: Told::seconds_between(created, waited),
        talk_s: talk.filter(|_| answered),
        total_s: Told::seconds_between(created, ended),
        outcome: Some(if answered { CallOutcome::Answered } else { why.unwrap_or(CallOutcome::NoAnswer) }),
        status,
        ..telling
    };
    let mut event = Event { at: ended.or(created), ..Event::of(CallFacts::summary(id, telling)) };
    shown(&mut event, told);
    Ok(event)
}

/// What the code of a disconnection comes to, and the code. Codes that tell who hung up tell nothing of whether anybody had answered.
fn reason(told: &Told) -> (Option<CallOutcome>, Option<String>) {
    let Some(code) = told.text("disconnect_reason") else { return (None, None) };
    let outcome = match code.parse().unwrap_or(0_u32) {
        1110 => CallOutcome::Cancelled,
        1111 | 1160..=1179 => CallOutcome::NoAnswer,
        1121 => CallOutcome::Busy,
        1122 | 1123 => CallOutcome::Declined,
        1130..=1139 | 4200..=4299 => CallOutcome::Unreachable,
        1150..=1159 => CallOutcome::Blocked,
        2000..=2999 => CallOutcome::NoFunds,
        3200..=3299 => CallOutcome::BadNumber,
        5000..=5999 => CallOutcome::Failed,
        _ => return (None, Some(code.to_owned())),
    };
    (Some(outcome), Some(code.to_owned()))
}

/// The code of a recording that is stored.
const STORED: &str = "1000";

/// `events/recording`, `events/record/added`, `events/record/tagged`.
fn recording(told: &Told, path: &str) -> Result<Event, Refusal> {
    let call = CallFacts::event(entry(told)?, CallTelling::default());
    let mut event = Event { at: told.time("timestamp"), ..Event::of(call) };
    let stored = match told.text("recording_state") {
        Some(state) => {
            let to_mail = told.text("recipient").is_some_and(|recipient| recipient.eq_ignore_ascii_case("mail"));
            state.eq_ignore_ascii_case("completed") && told.text("completion_code").is_none_or(|code| code == STORED) && !to_mail
        }
        None => true,
    };
    if stored {
        event.recordings.extend(told.text("recording_id").and_then(recording_by_id));
    }
    if path.ends_with("tagged") {
        let pairs = told.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        rest(&mut event, pairs, &["entry_id", "recording_id", "product_id", "user_id", "timestamp", "seq", "call_id"]);
    }
    Ok(event)
}

/// `events/dtmf`: what the caller pressed.
fn dtmf(told: &Told) -> Event {
    let Some(id) = told.text("entry_id") else { return other(told) };
    let mut event = Event { at: told.time("timestamp"), ..Event::of(CallFacts::event(id, CallTelling::default())) };
    show(&mut event, "dtmf", told.text("dtmf").unwrap_or_default());
    event
}

/// Which number of the call tracking was called: its type is 0 for a number that tracks nothing, 1 for one that changes with the visitor.
fn shown(event: &mut Event, told: &Told) {
    let Some(number) = told.text("dct[number]").filter(|_| told.text("dct[type]") != Some("0")) else { return };
    event.touch.offer("dynamic_number", number, Origin::Field);
    show(event, "dct_type", told.text("dct[type]").unwrap_or_default());
}

/// Anything that is no call: it is kept with all it says.
fn other(told: &Told) -> Event {
    let mut event = Event { at: told.time("timestamp"), ..Event::default() };
    event.message = told.text("text").map(str::to_owned);
    rest(&mut event, told.values.iter().map(|(name, value)| (name.as_str(), value.as_str())), &["text"]);
    event
}
