//! Plivo's callbacks of calls.

mod verify;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Fetch, Known, NoFetch, PathToken, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use toml::Table;

use crate::cxml::{WAIT, fields};
use crate::forward::{self, Forward, forward_keys};
use crate::party::{Form, Party};
use crate::provider::{Event, Heard, Incoming, Proof, Provider, Unproven, plain, recording};
use crate::settings::{self, Usual, usual_keys};
use crate::{signed, times, twilio};

/// `kind = "plivo"`.
pub const KIND: SourceKind = SourceKind { name: "plivo", about: "Plivo: calls by callbacks", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "plivo"
enabled = false                     # true once the token is yours
# What Plivo signs its calls with: the Auth Token of the account, or of its main account. A list while it is changed.
auth_token = "the-account-s-auth-token"   # better { env = "PLIVO_AUTH_TOKEN" } or { file = "..." }
# A telephone of yours answers the number itself, without a dial: then a call that is completed was answered.
# completed_is_answered = false
"#,
    forward_keys!(),
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В консоли Plivo скопируйте Auth Token (Overview → Account) в auth_token источника.\n\
         2. Откройте Voice → Applications → приложение номера и вставьте {url}#rc=5&rp=4xx,5xx,ct,rt в Hangup URL, метод POST. \
         Часть после # просит Plivo повторять неудачные вызовы.\n\
         3. У <Dial> укажите {url} как callbackUrl: так видно, кто ответил. У <Record> укажите {url} как callbackUrl.\n\
         4. Если номер некому обслуживать: задайте forward и вставьте {url}/answer в Answer URL приложения.\n\
         5. Позвоните на номер и посмотрите: leadgate leads."
    } else {
        "1. Copy the Auth Token from Plivo's console (Overview → Account) into the source's auth_token.\n\
         2. Open Voice → Applications → the number's application and paste {url}#rc=5&rp=4xx,5xx,ct,rt into Hangup URL, method POST. \
         What stands behind the # asks Plivo to repeat calls that failed.\n\
         3. Give {url} as the callbackUrl of <Dial>: it tells who answered. Give {url} as the callbackUrl of <Record>, too.\n\
         4. If nothing of yours serves the number: set forward, and paste {url}/answer into the application's Answer URL.\n\
         5. Call the number and look: leadgate leads."
    }
}

fn build(table: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, settings| {
        let tokens = settings::needed(keys, "auth_token", secrets, "the account's Auth Token");
        let (forward, completed_is_answered) = twilio::answered_by(keys, &context.language);
        Some(Plivo { tokens, forward, completed_is_answered, zone: settings.zone.clone() })
    })
}

/// Below the source's address: what is to be done with a call.
const ANSWER: &str = "answer";
/// Below the source's address: how it went to put a call through.
const DIALLED: &str = "answer/dial";

struct Plivo {
    tokens: Vec<Secret>,
    forward: Option<Forward>,
    completed_is_answered: bool,
    zone: TimeZone,
}

impl Provider for Plivo {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        verify::verify(incoming, &self.tokens)
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if incoming.body.is_empty() && incoming.query.is_empty() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        let leg = incoming.text("CallUUID");
        // Of the caller's leg, whichever leg it is about.
        let Some(id) = incoming.first(&["ALegUUID", "DialALegUUID"]).or(leg) else {
            let of_a_call = ["CallStatus", "DialAction", "DialStatus"].iter().any(|name| incoming.text(name).is_some());
            if of_a_call {
                return Err(Refusal::Unreadable("an event of a call that does not say of which (CallUUID)".to_owned()));
            }
            return Ok(Heard::Events(vec![Event::default()]));
        };
        let told = Told { incoming, source: self, id };
        if incoming.request.rest == ANSWER {
            let sides = told.sides();
            let event = Event { id: Some(format!("{id}:answer")), ..told.event(CallFacts::event(id, sides.clone())) };
            return Ok(Heard::Who { number: sides.number, within: Some(WAIT), tells: vec![event] });
        }
        Ok(Heard::Events(vec![told.heard(leg)]))
    }

    fn thanks(&self, request: &Request<'_>) -> Reply {
        if request.rest == ANSWER {
            let events = signed::base(request);
            return forward::plivo(self.forward.as_ref(), &signed::below(request, DIALLED), events);
        }
        let asks = |text: &[u8]| url::form_urlencoded::parse(text).any(|(name, _)| name == "DialStatus");
        if request.rest == DIALLED || asks(request.body) || asks(request.query().as_bytes()) {
            return forward::enough();
        }
        Reply::text(200, "")
    }

    fn busy(&self, request: &Request<'_>) -> Reply {
        // The call is put through all the same; what becomes of it is told later.
        let asks = request.rest == ANSWER && request.path_token != PathToken::Absent;
        if asks { self.thanks(request) } else { Reply::busy(5) }
    }

    fn known(&self, request: &Request<'_>, _known: Option<&Known>) -> Reply {
        self.thanks(request)
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let mut fetch = plain(file.id.clone());
        fetch.hosts = [".plivo.com", "s3.amazonaws.com", ".s3.amazonaws.com"].map(str::to_owned).to_vec();
        Ok(fetch)
    }
}

/// What one event tells.
struct Told<'a> {
    incoming: &'a Incoming<'a>,
    source: &'a Plivo,
    id: &'a str,
}

impl Told<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.incoming.text(name).map(str::to_ascii_lowercase)
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.incoming.text(name).and_then(|text| times::any(text, &self.source.zone))
    }

    fn heard(&self, leg: Option<&str>) -> Event {
        let status = self.text("CallStatus");
        let facts = if let Some(action) = self.text("DialAction") {
            CallFacts::event(self.id, self.dialled_leg(&action))
        } else if let Some(dialled) = self.text("DialStatus") {
            if self.incoming.request.rest == DIALLED {
                CallFacts::summary(self.id, self.put_through(&dialled))
            } else {
                CallFacts::event(self.id, self.after_dial(&dialled))
            }
        } else if self.link().is_some() {
            CallFacts::event(self.id, CallTelling::default())
        } else if let Some(status) = status {
            if leg.is_some_and(|leg| leg != self.id) { self.other_leg(&status) } else { self.caller(&status) }
        } else {
            return Event::default();
        };
        self.event(facts)
    }

    fn event(&self, facts: CallFacts) -> Event {
        // A dial and a recording tell the times of the caller's leg, not their own.
        let own = ["DialAction", "DialStatus"].iter().all(|name| self.incoming.text(name).is_none()) && self.link().is_none();
        let times = ["EndTime", "AnswerTime", "StartTime", "SessionStart"];
        let at = times.iter().filter(|_| own).find_map(|name| self.time(name));
        let mut event = Event { id: self.event_id(), at, fields: fields(self.incoming, SHOWN), ..Event::of(facts) };
        let file = self.link().and_then(recording).map(|file| match self.incoming.text("RecordingID") {
            Some(id) => OfferedFile { unique: id.to_owned(), ..file },
            None => file,
        });
        event.recordings.extend(file);
        event
    }

    fn link(&self) -> Option<&str> {
        self.incoming.first(&["RecordUrl", "RecordFile", "RecordingUrl"])
    }

    /// The same when the event is told again: of what it tells but times and prices, which may be corrected.
    fn event_id(&self) -> Option<String> {
        if self.link().is_some() {
            return self.incoming.text("RecordingID").map(|id| format!("{id}:recording"));
        }
        let names = ["CallUUID", "DialBLegUUID", "Event", "DialAction", "DialStatus", "CallStatus"];
        let parts: Vec<&str> = names.iter().map(|name| self.incoming.text(name).unwrap_or_default()).collect();
        let says_what = parts[2..].iter().any(|part| !part.is_empty());
        says_what.then(|| parts.join(":"))
    }

    /// Who takes part, by the caller's leg.
    fn sides(&self) -> CallTelling {
        let side = |name| Party::read(self.incoming.text(name).unwrap_or_default(), Form::International);
        let (from, to) = (side("From"), side("To"));
        let started = ["StartTime", "SessionStart"].iter().find_map(|name| self.time(name));
        let told = CallTelling { started, ..CallTelling::default() };
        if self.text("Direction").is_some_and(|direction| direction.starts_with("out")) {
            let (number, agent) = apart(to);
            return CallTelling { direction: Some(Direction::Out), number, agent, line: from.phone(), ..told };
        }
        let hidden = from == Party::Hidden;
        if let Party::Extension(name) = &from
            && !name.bytes().all(|byte| byte.is_ascii_digit())
        {
            // A telephone that is registered at Plivo.
            let (number, callee) = apart(to);
            let direction = if number.is_none() && callee.is_some() { Direction::Internal } else { Direction::Out };
            let rang = callee.into_iter().collect();
            return CallTelling { direction: Some(direction), number, agent: Some(name.clone()), rang, ..told };
        }
        let number = match from {
            Party::Phone(number) => Some(number),
            Party::Extension(number) => CallNumber::national(&number),
            Party::Hidden | Party::Nobody => None,
        };
        CallTelling { direction: Some(Direction::In), number, hidden, line: to.phone(), ..told }
    }

    /// The caller's own leg, or the one of an outgoing call.
    fn caller(&self, status: &str) -> CallFacts {
        let mut told = self.sides();
        let answers = match told.direction {
            Some(Direction::Out) => told.agent.is_none(),
            _ => self.source.completed_is_answered,
        };
        let hung_up = self.text("Event").is_some_and(|event| event == "hangup");
        let talked = self.incoming.seconds("Duration").filter(|seconds| *seconds > 0);
        match status {
            "completed" | "busy" | "failed" | "timeout" | "no-answer" | "cancel" | "canceled" | "cancelled" => {
                told.ended = self.time("EndTime");
                told.total_s = self.incoming.seconds("Duration");
                told.status = Some(status.to_owned());
                told.outcome = self.outcome(status);
                if status == "completed" && answers {
                    told.outcome = Some(if self.is_machine() { CallOutcome::Voicemail } else { CallOutcome::Answered });
                    told.answered = self.time("AnswerTime");
                    told.talk_s = talked;
                }
                CallFacts::summary(self.id, told)
            }
            _ if hung_up => {
                told.ended = self.time("EndTime");
                told.status = Some(status.to_owned());
                CallFacts::summary(self.id, told)
            }
            "in-progress" => {
                told.picked_up = answers && !self.is_machine();
                told.answered = self.time("AnswerTime").filter(|_| told.picked_up);
                CallFacts::event(self.id, told)
            }
            _ => CallFacts::event(self.id, told),
        }
    }

    /// A leg that was dialled for a call and tells of itself.
    fn other_leg(&self, status: &str) -> CallFacts {
        let to = Party::read(self.incoming.text("To").unwrap_or_default(), Form::International).agent();
        let answered = matches!(status, "in-progress" | "completed") && !self.is_machine();
        let mut told = CallTelling { rang: to.iter().cloned().collect(), ..CallTelling::default() };
        if answered && self.incoming.seconds("Duration") != Some(0) {
            told.picked_up = true;
            told.agent = to;
            told.answered = self.time("AnswerTime");
            told.talk_s = self.incoming.seconds("Duration").filter(|_| status == "completed");
        } else if let Some(outcome) = self.outcome(status) {
            told.outcome = Some(outcome);
            told.status = Some(status.to_owned());
        }
        CallFacts::event(self.id, told)
    }

    /// A telephone that was dialled for a call: it answered, or its leg ended.
    fn dialled_leg(&self, action: &str) -> CallTelling {
        let to = Party::read(self.incoming.text("DialBLegTo").unwrap_or_default(), Form::International).agent();
        let mut told = CallTelling { rang: to.iter().cloned().collect(), ..CallTelling::default() };
        let seconds = self.incoming.seconds("DialBLegDuration").filter(|seconds| *seconds > 0);
        match action {
            "answer" | "connected" => {
                told.picked_up = true;
                told.agent = to;
            }
            "hangup" => {
                let named = self.incoming.text("DialBLegHangupCause");
                told.outcome = named.and_then(cause);
                if told.outcome.is_some() {
                    told.status = named.map(str::to_owned);
                } else {
                    told.picked_up = seconds.is_some();
                    told.agent = to.filter(|_| told.picked_up);
                    told.talk_s = seconds;
                }
            }
            _ => {}
        }
        told
    }

    /// A dial by somebody else's plan is over: the call may go on.
    fn after_dial(&self, dialled: &str) -> CallTelling {
        if matches!(dialled, "completed" | "answer" | "answered") {
            return CallTelling { picked_up: true, ..CallTelling::default() };
        }
        let outcome = self.outcome(dialled).or(Some(CallOutcome::NoAnswer));
        CallTelling { outcome, status: Some(dialled.to_owned()), ..CallTelling::default() }
    }

    /// The call was put through by us, and is over with that.
    fn put_through(&self, dialled: &str) -> CallTelling {
        let answered = matches!(dialled, "completed" | "answer" | "answered");
        let forward = self.source.forward.as_ref().map(|forward| forward.number().to_owned());
        let outcome = if answered { Some(CallOutcome::Answered) } else { self.outcome(dialled).or(Some(CallOutcome::NoAnswer)) };
        CallTelling {
            agent: forward.clone().filter(|_| answered),
            rang: forward.into_iter().collect(),
            outcome,
            status: Some(dialled.to_owned()),
            ..self.sides()
        }
    }

    fn is_machine(&self) -> bool {
        self.text("Machine").is_some_and(|machine| machine == "true")
    }

    /// How a leg ended that was not answered; nothing for one that was.
    fn outcome(&self, status: &str) -> Option<CallOutcome> {
        let by_cause = || cause(self.incoming.first(&["HangupCause", "DialHangupCause"]).unwrap_or_default());
        Some(match status {
            "busy" => CallOutcome::Busy,
            "timeout" | "no-answer" => CallOutcome::NoAnswer,
            "cancel" | "canceled" | "cancelled" => CallOutcome::Cancelled,
            "failed" => by_cause().unwrap_or(CallOutcome::Failed),
            _ => return None,
        })
    }
}

/// How a leg ended by the cause that switches give; nothing where it does not tell that nobody answered.
fn cause(text: &str) -> Option<CallOutcome> {
    Some(match text.to_ascii_uppercase().as_str() {
        "USER_BUSY" => CallOutcome::Busy,
        "NO_ANSWER" | "NO_USER_RESPONSE" | "ALLOTTED_TIMEOUT" => CallOutcome::NoAnswer,
        "ORIGINATOR_CANCEL" | "LOSE_RACE" => CallOutcome::Cancelled,
        "CALL_REJECTED" => CallOutcome::Declined,
        "UNALLOCATED_NUMBER" | "INVALID_NUMBER_FORMAT" => CallOutcome::BadNumber,
        "SUBSCRIBER_ABSENT" | "USER_NOT_REGISTERED" | "NORMAL_TEMPORARY_FAILURE" | "NO_ROUTE_DESTINATION" => {
            CallOutcome::Unreachable
        }
        _ => return None,
    })
}

fn apart(party: Party) -> (Option<CallNumber>, Option<String>) {
    match party {
        Party::Phone(number) => (Some(number), None),
        other => (None, other.extension()),
    }
}

/// Fields worth showing.
const SHOWN: &[&str] = &[
    "CallerName",
    "ForwardedFrom",
    "HangupCause",
    "HangupCauseName",
    "HangupSource",
    "DialBLegHangupCause",
    "DialHangupCause",
    "RecordingDuration",
    "STIRVerification",
];
