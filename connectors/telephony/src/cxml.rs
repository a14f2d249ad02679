//! What Twilio tells of calls, and those who speak like it: `SignalWire`'s cXML, Telnyx' `TeXML`.
//!
//! A call has legs: the caller's own, and one for each telephone that was dialled for it (these name the first one as their parent).
//! The caller's leg is `completed` also where a menu or a machine was all that answered, so it says that a call is over, and the legs
//! that were dialled say whether anybody answered it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::{Known, PathToken, Refusal, Reply, Request};
use leadgate_core::submission::Field;
use url::form_urlencoded::Serializer;

use crate::forward::{self, Forward};
use crate::party::{Form, Party};
use crate::provider::{Event, Heard, Incoming};
use crate::{signed, times};

/// Below the source's address: the provider asks what to do with a call.
pub(crate) const VOICE: &str = "voice";
/// Below the source's address: how it went to put a call through to the manager who works with the caller.
pub(crate) const FIRST: &str = "voice/first";
/// The field of its query that says which telephone that was.
const RESPONSIBLE: &str = "responsible";
/// Below the source's address: how it went to put a call through.
pub(crate) const DIALLED: &str = "voice/dial";
/// How long a caller waits for the answer to the question who calls.
pub(crate) const WAIT: Duration = Duration::from_millis(1500);

/// What a source makes of what it is told.
pub(crate) struct Ways<'a> {
    /// A telephone of the company answers the number itself: a call that is completed was answered.
    pub completed_is_answered: bool,
    /// Where calls are put through to.
    pub forward: Option<&'a Forward>,
}

/// What the provider is told of something that is received.
pub(crate) fn thanks(request: &Request<'_>, forward: Option<&Forward>) -> Reply {
    if request.rest == VOICE {
        return forward::twiml(forward, &signed::below(request, DIALLED));
    }
    if request.rest == FIRST {
        let answered = answered_first(request);
        return if answered { forward::enough() } else { forward::twiml_next(forward, &signed::below(request, DIALLED)) };
    }
    if request.rest == DIALLED || wants_a_document(request) {
        return forward::enough();
    }
    forward::received()
}

/// The answer to who calls: where the call goes.
pub(crate) fn known(request: &Request<'_>, forward: Option<&Forward>, known: Option<&Known>) -> Reply {
    let Some((forward, telephone)) = forward.and_then(|forward| Some((forward, forward.responsible(known)?))) else {
        return thanks(request, forward);
    };
    let query = Serializer::new(String::new()).append_pair(RESPONSIBLE, &telephone.address).finish();
    forward::twiml_to(forward, &telephone, &format!("{}?{query}", signed::below(request, FIRST)))
}

/// Whether the provider waits for what to do with a call: that does not need a database.
pub(crate) fn waits(request: &Request<'_>) -> bool {
    let waits = request.rest == VOICE || (request.rest == FIRST && !answered_first(request));
    waits && request.path_token != PathToken::Absent
}

/// Whether the manager who works with the caller has spoken with them.
fn answered_first(request: &Request<'_>) -> bool {
    let asked = asked(request);
    let text = |name: &str| asked.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref());
    text("DialCallStatus").is_some_and(|status| was_answered(status, text("DialBridged")))
}

/// The fields of a request, as its answer needs them.
fn asked<'a>(request: &'a Request<'_>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let read = |text: &'a [u8]| url::form_urlencoded::parse(text);
    read(request.body).chain(read(request.query().as_bytes())).collect()
}

/// Whether a dial was answered by somebody.
fn was_answered(dialled: &str, bridged: Option<&str>) -> bool {
    let answered = ["completed", "answered"].iter().any(|status| dialled.eq_ignore_ascii_case(status));
    answered && bridged.is_none_or(|bridged| !bridged.eq_ignore_ascii_case("false"))
}

/// Whether the provider asks what to do next: after a dial and after a message was taken down. It takes no empty answer then.
fn wants_a_document(request: &Request<'_>) -> bool {
    let asks = |text: &[u8]| {
        let (mut ended, mut of_call, mut only_tells) = (false, false, false);
        for (name, _) in url::form_urlencoded::parse(text) {
            ended |= name == "DialCallStatus" || name == "RecordingUrl";
            of_call |= name == "CallStatus";
            only_tells |= name == "CallbackSource" || name == "RecordingStatus";
        }
        ended && of_call && !only_tells
    };
    // One after the other: what stands in the query may be another event's.
    asks(request.body) || asks(request.query().as_bytes())
}

/// What a call tells.
pub(crate) fn hear(incoming: &Incoming<'_>, ways: &Ways<'_>) -> Result<Heard, Refusal> {
    let request = incoming.request;
    if incoming.body.is_empty() && incoming.query.is_empty() {
        return Ok(Heard::Probe(thanks(request, ways.forward)));
    }
    let leg = incoming.first(&["CallSid", "CallSidLegacy"]);
    let Some(id) = incoming.first(&["ParentCallSid", "ParentCallSidLegacy"]).or(leg) else {
        let of_a_call = ["CallStatus", "DialCallStatus", "DialCallSid"].iter().any(|name| incoming.text(name).is_some());
        if of_a_call {
            return Err(Refusal::Unreadable("an event of a call that does not say of which (CallSid)".to_owned()));
        }
        return Ok(Heard::Events(vec![Event::default()]));
    };
    let told = Told { incoming, ways, id, leg: leg.unwrap_or(id) };
    if request.rest == VOICE {
        let sides = told.sides();
        let event = Event { id: Some(format!("{id}:voice")), ..told.event(CallFacts::event(id, sides.clone())) };
        return Ok(Heard::Who { number: sides.number, within: Some(WAIT), tells: vec![event] });
    }
    Ok(Heard::Events(vec![told.heard()]))
}

/// What one event tells.
struct Told<'a> {
    incoming: &'a Incoming<'a>,
    ways: &'a Ways<'a>,
    /// Of the call.
    id: &'a str,
    /// Of the leg.
    leg: &'a str,
}

impl Told<'_> {
    fn heard(&self) -> Event {
        let of_recording = self.incoming.text("RecordingStatus").or_else(|| self.incoming.text("TranscriptionStatus"));
        let status = self.incoming.text("CallStatus").map(str::to_ascii_lowercase);
        let dialled = self.incoming.text("DialCallStatus").map(str::to_ascii_lowercase);
        let facts = match (of_recording, dialled, status) {
            (Some(_), ..) => CallFacts::event(self.id, self.message_taken()),
            (None, Some(dialled), _) if self.incoming.request.rest == DIALLED => {
                CallFacts::summary(self.id, self.put_through(&dialled, self.forward()))
            }
            (None, Some(dialled), _) if self.incoming.request.rest == FIRST => {
                let told = self.put_through(&dialled, self.incoming.text(RESPONSIBLE).map(str::to_owned));
                // In vain, it rings elsewhere now.
                if self.was_answered(&dialled) { CallFacts::summary(self.id, told) } else { CallFacts::event(self.id, told) }
            }
            (None, dialled, Some(status)) if self.incoming.text("CallbackSource").is_some() || dialled.is_none() => {
                let mut facts = if self.is_child() { self.child(&status) } else { self.parent(&status) };
                if let Some(dialled) = dialled {
                    facts.join(&CallFacts::event(self.id, self.after_dial(&dialled)));
                }
                facts
            }
            (None, Some(dialled), _) => CallFacts::event(self.id, self.after_dial(&dialled)),
            (None, None, _) if self.incoming.text("RecordingUrl").is_some() => CallFacts::event(self.id, self.message_taken()),
            (None, None, _) => return Event::default(),
        };
        self.event(facts)
    }

    /// The event around what it tells of the call.
    fn event(&self, facts: CallFacts) -> Event {
        let done = self.incoming.text("RecordingStatus").is_none_or(|status| status.eq_ignore_ascii_case("completed"));
        let link = self.incoming.text("RecordingUrl").filter(|_| done).map(with_extension);
        let message = self.incoming.text("TranscriptionText").map(str::to_owned);
        let event =
            Event { id: self.event_id(), at: self.at(), fields: fields(self.incoming, SHOWN), message, ..Event::of(facts) };
        event.with_link(link.as_deref())
    }

    /// The same when the event is told again.
    fn event_id(&self) -> Option<String> {
        let text = |name| self.incoming.text(name);
        if let (Some(recording), Some(status)) = (text("RecordingSid"), text("RecordingStatus")) {
            return Some(format!("{recording}:{status}"));
        }
        let number = text("SequenceNumber")?;
        Some(format!("{}:{}:{number}", self.leg, text("CallStatus")?))
    }

    fn at(&self) -> Option<Timestamp> {
        let text = self.incoming.first(&["Timestamp", "OccurredAt"])?;
        times::rfc2822(text).or_else(|| times::iso(text))
    }

    fn is_child(&self) -> bool {
        self.incoming.first(&["ParentCallSid", "ParentCallSidLegacy"]).is_some()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.incoming.text(name)?;
        times::iso(text).or_else(|| times::rfc2822(text))
    }

    /// Who takes part, by the caller's leg.
    fn sides(&self) -> CallTelling {
        let from = self.incoming.first(&["From", "Caller"]).unwrap_or_default();
        let to = self.incoming.first(&["To", "Called"]).unwrap_or_default();
        let started = self.time("CallInitiatedAt").or_else(|| self.time("StartTime"));
        let line = |text: &str| bare(text).phone();
        let out = self.incoming.text("Direction").is_some_and(|direction| {
            let direction = direction.to_ascii_lowercase();
            direction.starts_with("outbound") || direction == "trunking-terminating"
        });
        if out {
            let (number, agent) = apart(bare(to));
            return CallTelling {
                direction: Some(Direction::Out),
                number,
                agent,
                line: line(from),
                started,
                ..CallTelling::default()
            };
        }
        if is_telephone(from) {
            // Somebody of ours calls, with a telephone that is registered at the provider.
            let (number, callee) = apart(bare(to));
            let direction = if number.is_none() && callee.is_some() { Direction::Internal } else { Direction::Out };
            let agent = bare(from).agent();
            let rang = callee.into_iter().collect();
            return CallTelling { direction: Some(direction), number, agent, rang, started, ..CallTelling::default() };
        }
        let caller = bare(from);
        let hidden = caller == Party::Hidden;
        let number = match caller {
            Party::Phone(number) => Some(number),
            // A service's short number.
            Party::Extension(number) => CallNumber::national(&number),
            Party::Hidden | Party::Nobody => None,
        };
        CallTelling { direction: Some(Direction::In), number, hidden, line: line(to), started, ..CallTelling::default() }
    }

    /// Whether the leg itself says that somebody answered: it was called, or nobody else is to answer.
    fn leg_answers(&self, sides: &CallTelling) -> bool {
        match sides.direction {
            Some(Direction::Out) => !is_telephone(self.incoming.first(&["From", "Caller"]).unwrap_or_default()),
            Some(Direction::In) => self.ways.completed_is_answered,
            Some(Direction::Internal) | None => false,
        }
    }

    /// The caller's own leg.
    fn parent(&self, status: &str) -> CallFacts {
        let at = self.at();
        let mut told = self.sides();
        let answers = self.leg_answers(&told);
        match status {
            "completed" | "busy" | "failed" | "no-answer" | "canceled" | "cancelled" => {
                let seconds = self.incoming.seconds("CallDuration");
                let completed = status == "completed";
                told.ended = self.time("EndTime").or(at);
                told.started = told.started.or_else(|| seconds_before(told.ended, seconds.filter(|_| completed)));
                told.total_s = seconds;
                told.status = Some(status.to_owned());
                told.outcome = outcome(status, self.incoming.text("SipResponseCode"));
                if completed && answers {
                    let machine = self.is_machine();
                    told.outcome = Some(if machine { CallOutcome::Voicemail } else { CallOutcome::Answered });
                    told.talk_s = seconds.filter(|_| !machine);
                    told.answered = self.time("AnsweredTime").or_else(|| seconds_before(told.ended, seconds));
                }
                let dials = self.ways.forward.is_some() && self.incoming.text("DialCallStatus").is_none();
                if completed && dials && told.direction == Some(Direction::In) {
                    // Whether anybody answered, the dial tells, and may tell it later.
                    told.outcome = None;
                    return CallFacts::event(self.id, told);
                }
                CallFacts::summary(self.id, told)
            }
            "in-progress" | "answered" => {
                told.picked_up = answers && !self.is_machine();
                told.answered = at.filter(|_| told.picked_up);
                CallFacts::event(self.id, told)
            }
            _ => {
                told.started = told.started.or(at);
                CallFacts::event(self.id, told)
            }
        }
    }

    /// The leg of a telephone that was dialled for a call.
    fn child(&self, status: &str) -> CallFacts {
        let at = self.at();
        let to = self.incoming.first(&["To", "Called"]).and_then(|to| bare(to).agent());
        let mut told = CallTelling { rang: to.iter().cloned().collect(), ..CallTelling::default() };
        let answered = matches!(status, "in-progress" | "answered" | "completed") && !self.is_machine();
        let seconds = self.incoming.seconds("CallDuration");
        if answered && !(status == "completed" && seconds == Some(0)) {
            told.picked_up = true;
            told.agent = to;
        }
        match status {
            "in-progress" | "answered" => told.answered = at.filter(|_| answered),
            "completed" if told.picked_up => {
                told.answered = self.time("AnsweredTime").or_else(|| seconds_before(at, seconds));
                told.talk_s = seconds;
            }
            "completed" | "busy" | "failed" | "no-answer" | "canceled" | "cancelled" => {
                told.status = Some(status.to_owned());
                told.outcome = if self.is_machine() {
                    Some(CallOutcome::Voicemail)
                } else {
                    outcome(status, self.incoming.text("SipResponseCode")).or(Some(CallOutcome::NoAnswer))
                };
            }
            _ => {}
        }
        CallFacts::event(self.id, told)
    }

    /// A dial by somebody else's plan is over: the call may go on.
    fn after_dial(&self, dialled: &str) -> CallTelling {
        let seconds = self.incoming.seconds("DialCallDuration");
        if self.was_answered(dialled) {
            return CallTelling { picked_up: true, talk_s: seconds, ..CallTelling::default() };
        }
        let outcome = outcome(dialled, None).or(Some(CallOutcome::NoAnswer));
        CallTelling { outcome, status: Some(dialled.to_owned()), ..CallTelling::default() }
    }

    fn forward(&self) -> Option<String> {
        self.ways.forward.map(|forward| forward.number().to_owned())
    }

    /// The call was put through by us.
    fn put_through(&self, dialled: &str, to: Option<String>) -> CallTelling {
        let answered = self.was_answered(dialled);
        CallTelling {
            agent: to.clone().filter(|_| answered),
            rang: to.into_iter().collect::<BTreeSet<_>>(),
            talk_s: self.incoming.seconds("DialCallDuration").filter(|_| answered),
            outcome: if answered { Some(CallOutcome::Answered) } else { outcome(dialled, None).or(Some(CallOutcome::NoAnswer)) },
            status: Some(dialled.to_owned()),
            ..self.sides()
        }
    }

    fn was_answered(&self, dialled: &str) -> bool {
        was_answered(dialled, self.incoming.text("DialBridged"))
    }

    fn is_machine(&self) -> bool {
        self.incoming.text("AnsweredBy").is_some_and(|by| by.starts_with("machine") || by == "fax")
    }

    /// A recording; one that the caller made alone is a message.
    fn message_taken(&self) -> CallTelling {
        let source = self.incoming.text("RecordingSource");
        let outcome = source.filter(|source| *source == "RecordVerb").map(|_| CallOutcome::Voicemail);
        CallTelling { outcome, status: outcome.map(|_| "voicemail".to_owned()), ..CallTelling::default() }
    }
}

/// Fields worth showing.
const SHOWN: &[&str] = &[
    "CallerName",
    "FromCity",
    "FromState",
    "FromCountry",
    "ForwardedFrom",
    "AnsweredBy",
    "RecordingDuration",
    "RecordingStatus",
    "ErrorCode",
    "ErrorMessage",
    "HangupCause",
    "HangupSource",
    "SipResponseCode",
    "StirVerstat",
];

/// Fields by their names, those that say something.
pub(crate) fn fields(incoming: &Incoming<'_>, names: &[&str]) -> Vec<Field> {
    let field = |name: &&str| Some(Field { name: (*name).to_owned(), value: incoming.text(name)?.to_owned() });
    names.iter().filter_map(field).collect()
}

fn seconds_before(at: Option<Timestamp>, seconds: Option<u32>) -> Option<Timestamp> {
    at?.checked_sub(SignedDuration::from_secs(i64::from(seconds?))).ok()
}

/// A side as these providers write it.
fn bare(text: &str) -> Party {
    let text = text.trim();
    match text.get(..7) {
        Some(prefix) if prefix.eq_ignore_ascii_case("client:") => Party::Extension(text[7..].to_owned()),
        _ => Party::read(text, Form::International),
    }
}

/// Whether a side is a telephone registered at the provider, as a browser or a SIP phone is.
fn is_telephone(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    (text.starts_with("client:") || text.starts_with("sip:")) && matches!(bare(&text), Party::Extension(_))
}

/// A side as a customer's number, or else as a telephone of ours.
fn apart(party: Party) -> (Option<CallNumber>, Option<String>) {
    match party {
        Party::Phone(number) => (Some(number), None),
        other => (None, other.extension()),
    }
}

/// How a leg ended that was not answered; nothing for one that was.
fn outcome(status: &str, sip: Option<&str>) -> Option<CallOutcome> {
    Some(match (status, sip) {
        ("busy", _) => CallOutcome::Busy,
        ("no-answer", _) => CallOutcome::NoAnswer,
        ("canceled" | "cancelled", _) => CallOutcome::Cancelled,
        ("failed", Some("404" | "484" | "604")) => CallOutcome::BadNumber,
        ("failed", Some("480" | "503")) => CallOutcome::Unreachable,
        ("failed", Some("603")) => CallOutcome::Declined,
        ("failed", _) => CallOutcome::Failed,
        _ => return None,
    })
}

/// The sound is behind the link with a format's extension; without one it describes the recording.
fn with_extension(link: &str) -> String {
    let link = link.trim();
    let path = signed::before_query(link);
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('.') || path.len() != link.len() { link.to_owned() } else { format!("{link}.mp3") }
}
