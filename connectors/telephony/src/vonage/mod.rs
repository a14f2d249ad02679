//! Vonage's Voice webhooks: events of legs, and the question what to do with a call.
//!
//! A call is a conversation of several legs. The caller's leg is `completed` also where a menu or a machine was all that answered, so
//! it says that a call is over, and the legs that go out say whether anybody answered it.

mod token;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use leadgate_core::call::{CallFacts, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{
    BuildContext, BuildProblem, Connector, Fetch, Known, NoFetch, PathToken, Refusal, Reply, Request, Secrets, SourceKind,
};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use toml::Table;

use crate::cxml::{WAIT, fields};
use crate::forward::{self, Forward, forward_keys};
use crate::party::{Form, Party};
use crate::provider::{Event, Heard, Incoming, Proof, Provider, Unproven, plain, recording};
use crate::settings::{self, Usual, usual_keys};
use crate::telnyx::{Legs, covered, fresh};
use crate::{signed, times, twilio};
use token::{Application, Claims};

/// `kind = "vonage"`.
pub const KIND: SourceKind =
    SourceKind { name: "vonage", about: "Vonage (Nexmo): calls by Voice webhooks", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "vonage"
enabled = false                     # true once the secret is yours
# What Vonage signs its webhooks with: the account's signature secret (not the API secret). A list while it is changed.
signature_secret = "the-account-s-signature-secret"   # better { env = "VONAGE_SIGNATURE_SECRET" } or { file = "..." }
# Only webhooks of this account and of this application are taken.
# api_key = "abcd1234"
# application_id = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
# Fetching recordings takes the application's private key, and its application_id above.
# private_key = { file = "/etc/leadgate/vonage.key" }
# What a leg is that goes out: "agents" (a telephone of yours rings for a caller) or "customers" (you call).
# outgoing_legs = "agents"
# A telephone of yours answers the number itself: then a call that is completed was answered.
# completed_is_answered = false
"#,
    forward_keys!(),
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В панели Vonage откройте API Settings и скопируйте Signature secret в signature_secret источника.\n\
         2. Откройте Applications → приложение номера → Capabilities → Voice и вставьте {url} в Event URL, метод POST. \
         Опция Use signed webhooks должна быть включена.\n\
         3. Если номер некому обслуживать: задайте forward и вставьте {url}/answer в Answer URL, метод POST. Иначе Answer URL не трогайте.\n\
         4. Записи: укажите {url} как eventUrl действия record, а в источнике application_id и private_key приложения.\n\
         5. Позвоните на номер и посмотрите: leadgate leads."
    } else {
        "1. In Vonage's dashboard open API Settings and copy the signature secret into the source's signature_secret.\n\
         2. Open Applications → the number's application → Capabilities → Voice and paste {url} into Event URL, method POST. \
         Use signed webhooks has to be on.\n\
         3. If nothing of yours serves the number: set forward, and paste {url}/answer into Answer URL, method POST. \
         Otherwise leave Answer URL as it is.\n\
         4. Recordings: give {url} as the eventUrl of the action record, and set the source's application_id and private_key.\n\
         5. Call the number and look: leadgate leads."
    }
}

fn build(table: Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |keys, secrets, _rules, _settings| {
        let signatures = settings::needed(keys, "signature_secret", secrets, "the account's signature secret");
        let api_key = keys.text("api_key").as_deref().and_then(leadgate_core::text::present);
        let application_id = keys.text("application_id").as_deref().and_then(leadgate_core::text::present);
        let application = application(keys, secrets, application_id.as_deref());
        let legs = [("agents", Legs::Agents), ("customers", Legs::Customers)];
        let outgoing = keys.one_of("outgoing_legs", &legs).unwrap_or_default();
        let (forward, completed_is_answered) = twilio::answered_by(keys, &context.language);
        Some(Vonage { signatures, api_key, application_id, application, outgoing, forward, completed_is_answered })
    })
}

fn application(keys: &mut Keys, secrets: &dyn Secrets, id: Option<&str>) -> Option<Application> {
    let found = keys.secrets("private_key", secrets);
    let pem = found.first()?;
    let Some(id) = id else {
        keys.problem("application_id", "it is missing, and there is a private_key: a token names its application");
        return None;
    };
    Application::read(id.to_owned(), pem.expose()).map_err(|why| keys.problem("private_key", why)).ok()
}

/// Below the source's address: what is to be done with a call.
const ANSWER: &str = "answer";

struct Vonage {
    signatures: Vec<Secret>,
    api_key: Option<String>,
    application_id: Option<String>,
    application: Option<Application>,
    outgoing: Legs,
    forward: Option<Forward>,
    completed_is_answered: bool,
}

impl Provider for Vonage {
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let request = incoming.request;
        let bearer = |header: &str| {
            let (scheme, token) = header.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let Some(token) = request.header("authorization").and_then(bearer) else {
            return Err(Unproven::new(
                "there is no token (Authorization: Bearer): are webhooks signed in the application's settings?",
            ));
        };
        let claims = Claims::read(&token, &self.signatures).map_err(Unproven::new)?;
        for (name, wanted) in [("api_key", &self.api_key), ("application_id", &self.application_id)] {
            if wanted.is_some() && claims.text(name) != *wanted {
                return Err(Unproven::new(&format!("the webhook is of another {name} than the source's")));
            }
        }
        let covers = covers(incoming, &claims)?;
        let Some(issued) = claims.time("iat") else {
            return Err(Unproven::new("the token does not say when it was made (iat)"));
        };
        let proof = fresh(issued, request.received_at, covers);
        let ended = claims.time("exp").is_some_and(|until| until < request.received_at);
        Ok(if ended && !matches!(proof, Proof::Expired(_)) { Proof::Expired("the token has run out".to_owned()) } else { proof })
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if incoming.body.is_empty() && incoming.query.is_empty() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        let told = Told { incoming, source: self };
        let Some(call) = incoming.first(&["conversation_uuid", "call_uuid", "uuid"]) else {
            if incoming.text("status").is_some() || incoming.request.rest == ANSWER {
                let words = "an event of a call that does not say of which (conversation_uuid)";
                return Err(Refusal::Unreadable(words.to_owned()));
            }
            return Ok(Heard::Events(vec![Event::default()]));
        };
        if incoming.request.rest == ANSWER {
            let sides = told.caller_sides();
            let event = Event { id: Some(format!("{call}:answer")), ..Event::of(CallFacts::event(call, sides.clone())) };
            return Ok(Heard::Who { number: sides.number, within: Some(WAIT), tells: vec![event] });
        }
        Ok(Heard::Events(vec![told.heard(call)]))
    }

    fn thanks(&self, request: &Request<'_>) -> Reply {
        if request.rest == ANSWER {
            return forward::ncco(self.forward.as_ref(), line(request).as_deref(), signed::base(request));
        }
        forward::received()
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
        let Some(application) = &self.application else {
            let words = "Vonage gives recordings to the application alone: set application_id and private_key";
            return Err(NoFetch::Never(words.to_owned()));
        };
        let url = url::Url::parse(&file.id).ok().filter(|url| {
            let host = url.host_str().unwrap_or_default();
            url.scheme() == "https" && HOSTS.iter().any(|known| host.ends_with(known))
        });
        let Some(mut url) = url else {
            return Err(NoFetch::Never("the recording is not at Vonage, and gets no token of ours".to_owned()));
        };
        let at = url.fragment().and_then(|told| told.strip_prefix(HEARD)).and_then(times::seconds);
        url.set_fragment(None);
        let Some(token) = at.and_then(|at| application.token(at, url.path())) else {
            return Err(NoFetch::Never("it is not known when the recording was offered: no token is made for it".to_owned()));
        };
        let mut fetch = plain(url.to_string());
        fetch.headers.push(("authorization", token));
        fetch.hosts = HOSTS.iter().map(|host| (*host).to_owned()).collect();
        Ok(fetch)
    }
}

/// Where recordings lie.
const HOSTS: &[&str] = &[".nexmo.com", ".vonage.com"];
/// Behind a recording's link: when it was offered. The token it is fetched with is of that time, for nobody asks a clock here.
const HEARD: &str = "offered=";

/// Of what the token speaks: the body, where it holds its hash. A query it never covers.
fn covers(incoming: &Incoming<'_>, claims: &Claims) -> Result<Proof, Unproven> {
    let request = incoming.request;
    if request.parts.is_some() {
        return Err(Unproven::new("the body is a multipart form, which Vonage does not send"));
    }
    match claims.text("payload_hash") {
        Some(hash) if signed::same(&hash.to_ascii_lowercase(), &signed::sha256_hex(request.body)) => Ok(covered(incoming)),
        // A request without a body may hold no hash; that of another body was made for another request.
        None if request.body.is_empty() => Ok(covered(incoming)),
        Some(_) => Err(Unproven {
            why: "the body is another one than was signed (payload_hash)".to_owned(),
            signed: format!("{} bytes of the body", request.body.len()),
        }),
        None => Err(Unproven::new("the token does not cover the body (payload_hash)")),
    }
}

/// The number that was called, of a question what to do with a call.
fn line(request: &Request<'_>) -> Option<String> {
    let digits = |text: &str| {
        let text = text.trim_start_matches('+');
        (!text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    };
    let form =
        |text: &[u8]| url::form_urlencoded::parse(text).find(|(name, _)| name == "to").map(|(_, value)| value.into_owned());
    let json: Option<serde_json::Value> = serde_json::from_slice(request.body).ok();
    let told = json.and_then(|json| json.get("to")?.as_str().map(str::to_owned));
    told.or_else(|| form(request.query().as_bytes())).as_deref().and_then(digits)
}

/// What one event tells.
struct Told<'a> {
    incoming: &'a Incoming<'a>,
    source: &'a Vonage,
}

impl Told<'_> {
    fn heard(&self, call: &str) -> Event {
        let text = |name| self.incoming.text(name);
        let at = text("timestamp").and_then(times::iso);
        if let Some(link) = text("recording_url") {
            return self.recorded(call, link, at);
        }
        let Some(status) = text("status").map(str::to_ascii_lowercase) else {
            // Errors and digits of a call; transfers name two conversations.
            let of_it = text("reason").is_some() || self.incoming.text("dtmf[digits]").is_some();
            let event = Event { at, fields: fields(self.incoming, SHOWN), ..Event::default() };
            return if of_it { Event { call: Some(CallFacts::event(call, CallTelling::default())), ..event } } else { event };
        };
        let facts = match text("direction") {
            Some("outbound") => CallFacts::event(call, self.outgoing(&status, at)),
            Some(_) => self.caller(call, &status, at),
            // What is heard at the other end is of a leg that went out.
            None if matches!(status.as_str(), "human" | "machine") => CallFacts::event(call, other_end(&status)),
            None => CallFacts::event(call, CallTelling::default()),
        };
        let leg = self.incoming.first(&["uuid", "call_uuid"]);
        let id = leg.zip(text("timestamp")).map(|(leg, at)| format!("{leg}:{status}:{at}"));
        Event { id, at, fields: fields(self.incoming, SHOWN), ..Event::of(facts) }
    }

    fn recorded(&self, call: &str, link: &str, at: Option<Timestamp>) -> Event {
        let offered = self.incoming.request.received_at.as_second();
        let file = recording(link).map(|file| {
            let unique = self.incoming.text("recording_uuid").map_or_else(|| file.unique.clone(), str::to_owned);
            let id = if self.source.application.is_some() { format!("{}#{HEARD}{offered}", file.id) } else { file.id.clone() };
            let size = self.incoming.text("size").and_then(|size| size.parse().ok());
            OfferedFile { id, unique, size, ..file }
        });
        let id = self.incoming.text("recording_uuid").map(|id| format!("{id}:recording"));
        let recordings = file.into_iter().collect();
        Event { id, at, recordings, ..Event::of(CallFacts::event(call, CallTelling::default())) }
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.incoming.text(name).and_then(times::iso)
    }

    fn side(&self, name: &str) -> Party {
        Party::read(self.incoming.text(name).unwrap_or_default(), Form::International)
    }

    /// Who takes part, by the caller's leg.
    fn caller_sides(&self) -> CallTelling {
        let from = self.side("from");
        let hidden = from == Party::Hidden;
        let telling = CallTelling { direction: Some(Direction::In), line: self.side("to").phone(), ..CallTelling::default() };
        match from {
            // A user of the application's own, with its client.
            Party::Extension(name) if !name.bytes().all(|byte| byte.is_ascii_digit()) => {
                let to = self.side("to");
                let internal = matches!(to, Party::Extension(_));
                let direction = if internal { Direction::Internal } else { Direction::Out };
                CallTelling { direction: Some(direction), number: to.phone(), agent: Some(name), line: None, ..telling }
            }
            Party::Extension(number) => CallTelling { number: leadgate_core::call::CallNumber::national(&number), ..telling },
            from => CallTelling { number: from.phone(), hidden, ..telling },
        }
    }

    /// The leg of whoever calls: with it the call is over.
    fn caller(&self, call: &str, status: &str, at: Option<Timestamp>) -> CallFacts {
        let mut told = self.caller_sides();
        let answers = self.source.completed_is_answered && told.direction == Some(Direction::In);
        match status {
            "completed" | "busy" | "cancelled" | "unanswered" | "rejected" | "failed" | "timeout" => {
                let seconds = self.incoming.seconds("duration");
                told.started = self.time("start_time");
                told.ended = self.time("end_time").or(at);
                told.total_s = seconds;
                told.status = Some(status.to_owned());
                told.outcome = outcome(status);
                if status == "completed" && answers {
                    told.outcome = Some(CallOutcome::Answered);
                    told.talk_s = seconds.filter(|seconds| *seconds > 0);
                }
                CallFacts::summary(call, told)
            }
            "answered" if answers => CallFacts::event(call, CallTelling { picked_up: true, answered: at, ..told }),
            "started" | "ringing" => CallFacts::event(call, CallTelling { started: at, ..told }),
            _ => CallFacts::event(call, told),
        }
    }

    /// A leg that goes out.
    fn outgoing(&self, status: &str, at: Option<Timestamp>) -> CallTelling {
        let to = self.incoming.text("to").unwrap_or_default();
        let forwarded = self.source.forward.as_ref().is_some_and(|forward| forward.is_to(to));
        let mut told = CallTelling { direction: Some(Direction::Out), ..CallTelling::default() };
        let mut ours = None;
        match self.side("to") {
            Party::Phone(number) if self.source.outgoing == Legs::Customers && !forwarded => {
                told.number = Some(number);
                told.line = self.side("from").phone();
                told.started = at.filter(|_| status == "started");
            }
            party => ours = party.agent(),
        }
        told.rang = ours.iter().cloned().collect();
        match status {
            "answered" | "human" => {
                told.picked_up = true;
                told.answered = at.filter(|_| status == "answered");
                told.agent = ours;
            }
            "completed" => {
                told.ended = self.time("end_time").or(at);
                told.talk_s = self.incoming.seconds("duration").filter(|seconds| *seconds > 0);
                told.picked_up = told.talk_s.is_some();
                told.agent = ours.filter(|_| told.picked_up);
            }
            _ => {
                let other = other_end(status);
                (told.outcome, told.status) = (other.outcome, other.status);
            }
        }
        told
    }
}

/// What a leg that went out says of its end.
fn other_end(status: &str) -> CallTelling {
    let outcome = outcome(status);
    CallTelling { picked_up: status == "human", outcome, status: outcome.map(|_| status.to_owned()), ..CallTelling::default() }
}

/// How a leg ended that was not answered; nothing for one that was.
fn outcome(status: &str) -> Option<CallOutcome> {
    Some(match status {
        "busy" => CallOutcome::Busy,
        "cancelled" => CallOutcome::Cancelled,
        "unanswered" | "timeout" => CallOutcome::NoAnswer,
        "rejected" => CallOutcome::Declined,
        "failed" => CallOutcome::Failed,
        "machine" => CallOutcome::Voicemail,
        _ => return None,
    })
}

/// Fields worth showing.
const SHOWN: &[&str] = &["reason", "network", "detail", "disconnected_by", "dtmf[digits]"];
