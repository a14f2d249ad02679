//! The events of Call Control: one session is one call, its legs are the caller's and those that go out.

use jiff::Timestamp;
use leadgate_core::call::{CallFacts, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::Refusal;
use leadgate_core::submission::Field;

use super::{Legs, Telnyx};
use crate::party::{Form, Party};
use crate::provider::{Event, Incoming, recording};
use crate::times;

/// What an event tells.
pub(super) fn hear(incoming: &Incoming<'_>, source: &Telnyx) -> Result<Event, Refusal> {
    let told = Told { incoming, source };
    let id = incoming.text("data[id]").map(str::to_owned);
    let at = incoming.text("data[occurred_at]").and_then(times::iso);
    let kind = incoming.text("data[event_type]").unwrap_or_default();
    if !kind.starts_with("call.") {
        return Ok(Event { id, at, ..Event::default() });
    }
    let Some(call) = told.first(&["call_session_id", "call_leg_id", "call_control_id"]) else {
        return Err(Refusal::Unreadable("an event of a call that does not say of which (call_session_id)".to_owned()));
    };
    let facts = match told.payload("direction") {
        Some("incoming" | "inbound") => told.caller(call, kind, at),
        Some("outgoing" | "outbound") => CallFacts::event(call, told.outgoing(kind, at)),
        // What is bridged is answered, whichever leg says so.
        _ if kind == "call.bridged" => {
            CallFacts::event(call, CallTelling { picked_up: true, answered: at, ..CallTelling::default() })
        }
        _ => CallFacts::event(call, CallTelling::default()),
    };
    let recordings = told.recording().filter(|_| kind == "call.recording.saved").into_iter().collect();
    Ok(Event { id, at, recordings, fields: told.fields(kind), ..Event::of(facts) })
}

struct Told<'a> {
    incoming: &'a Incoming<'a>,
    source: &'a Telnyx,
}

impl<'a> Told<'a> {
    fn payload(&self, name: &str) -> Option<&'a str> {
        self.incoming.text(&format!("data[payload][{name}]"))
    }

    fn first(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.payload(name))
    }

    fn side(&self, name: &str) -> Party {
        Party::read(self.payload(name).unwrap_or_default(), Form::International)
    }

    fn started(&self, kind: &str, at: Option<Timestamp>) -> Option<Timestamp> {
        self.payload("start_time").and_then(times::iso).or(at.filter(|_| kind == "call.initiated"))
    }

    /// The leg of whoever calls: with it the call is over.
    fn caller(&self, call: &str, kind: &str, at: Option<Timestamp>) -> CallFacts {
        let from = self.side("from");
        let hidden = from == Party::Hidden;
        let started = self.started(kind, at);
        let mut told = CallTelling {
            direction: Some(Direction::In),
            number: from.phone(),
            hidden,
            line: self.side("to").phone(),
            started,
            ..CallTelling::default()
        };
        let answers = self.source.completed_is_answered;
        match kind {
            "call.hangup" => {
                let cause = self.payload("hangup_cause").unwrap_or_default();
                told.ended = self.payload("end_time").and_then(times::iso).or(at);
                told.status = Some(cause.to_owned());
                // A normal end says nothing of whether anybody answered: the other legs do.
                told.outcome = match cause {
                    "originator_cancel" => Some(CallOutcome::Cancelled),
                    "user_busy" => Some(CallOutcome::Busy),
                    "call_rejected" => Some(CallOutcome::Declined),
                    _ => None,
                };
                CallFacts::summary(call, told)
            }
            "call.bridged" => CallFacts::event(call, CallTelling { picked_up: true, answered: at, ..told }),
            "call.answered" if answers => CallFacts::event(call, CallTelling { picked_up: true, answered: at, ..told }),
            _ => CallFacts::event(call, told),
        }
    }

    /// A leg that goes out.
    fn outgoing(&self, kind: &str, at: Option<Timestamp>) -> CallTelling {
        let to = self.payload("to").unwrap_or_default();
        let forwarded = self.source.forward.as_ref().is_some_and(|forward| forward.is_to(to));
        let mut told = CallTelling { direction: Some(Direction::Out), ..CallTelling::default() };
        let mut ours = None;
        match self.side("to") {
            Party::Phone(number) if self.source.outgoing == Legs::Customers && !forwarded => {
                told.number = Some(number);
                told.line = self.side("from").phone();
            }
            party => ours = party.agent(),
        }
        told.rang = ours.iter().cloned().collect();
        match kind {
            "call.answered" | "call.bridged" => {
                told.picked_up = true;
                told.answered = at;
                told.agent = ours;
            }
            "call.hangup" => {
                let cause = self.payload("hangup_cause").unwrap_or_default();
                told.ended = at;
                told.outcome = outcome(cause);
                told.status = told.outcome.map(|_| cause.to_owned());
            }
            "call.initiated" if ours.is_none() => told.started = self.started(kind, at),
            _ => {}
        }
        told
    }

    fn recording(&self) -> Option<leadgate_core::chat::OfferedFile> {
        let places = ["recording_urls][mp3", "recording_urls][wav", "public_recording_urls][mp3", "public_recording_urls][wav"];
        let mut file = recording(self.first(&places)?)?;
        if let Some(id) = self.payload("recording_id") {
            id.clone_into(&mut file.unique);
        }
        Some(file)
    }

    fn fields(&self, kind: &str) -> Vec<Field> {
        let names: &[&str] = match kind {
            "call.hangup" => &["hangup_cause", "hangup_source", "sip_hangup_cause"],
            "call.machine.detection.ended" | "call.machine.premium.detection.ended" => &["result"],
            "call.initiated" => &["caller_id_name"],
            _ => &[],
        };
        let field = |name: &&str| Some(Field { name: (*name).to_owned(), value: self.payload(name)?.to_owned() });
        names.iter().filter_map(field).collect()
    }
}

/// How a leg that went out ended without an answer; nothing where the cause does not tell.
fn outcome(cause: &str) -> Option<CallOutcome> {
    Some(match cause {
        "call_rejected" => CallOutcome::Declined,
        "originator_cancel" => CallOutcome::Cancelled,
        "timeout" | "no_answer" => CallOutcome::NoAnswer,
        "user_busy" => CallOutcome::Busy,
        "not_found" | "unallocated_number" | "invalid_number_format" => CallOutcome::BadNumber,
        _ => return None,
    })
}
