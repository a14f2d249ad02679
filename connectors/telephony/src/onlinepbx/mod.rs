//! `OnlinePBX`: four webhooks of a call, as JSON or as a form.

#[cfg(test)]
mod tests;

use leadgate_core::call::{CallFacts, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Fetch, NoFetch, Refusal, Secrets, SourceKind};

use crate::common::{pairs, phone, rest, show, side};
use crate::party::Party;
use crate::provider::{Event, Heard, Incoming, Proof, Provider, Unproven, plain};
use crate::settings::{self, Usual, usual_keys};
use crate::times;

/// `kind = "onlinepbx"`.
pub const KIND: SourceKind =
    SourceKind { name: "onlinepbx", about: "OnlinePBX: calls by webhook", example: EXAMPLE, setup, build };

const EXAMPLE: &str = concat!(
    r#"[sources.{id}]
kind = "onlinepbx"
# Nothing is signed and there is no key: the address is the secret.
"#,
    usual_keys!()
);

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В панели OnlinePBX откройте: Профиль → Вебхуки (Webhooks).\n\
         2. Вставьте адрес {url} для событий call_start, call_answered, call_missed и call_end.\n\
         3. OnlinePBX отправляет вебхуки только на https с настоящим сертификатом.\n\
         4. Позвоните на номер и посмотрите на заявку: leadgate leads."
    } else {
        "1. In the panel of OnlinePBX open Profile → Webhooks.\n\
         2. Paste the address {url} for the events call_start, call_answered, call_missed and call_end.\n\
         3. OnlinePBX sends to https with a valid certificate only.\n\
         4. Call the number and look at the lead: leadgate leads."
    }
}

fn build(table: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    settings::build(table, secrets, context, &Usual::default(), |_keys, _secrets, _rules, _settings| Some(OnlinePbx))
}

/// Fields that are read, or are worth nothing to people.
const READ: &[&str] = &[
    "domain",
    "event",
    "direction",
    "uuid",
    "caller",
    "callee",
    "from_domain",
    "to_domain",
    "gateway",
    "date",
    "call_duration",
    "dialog_duration",
    "hangup_cause",
    "download_url",
];

/// The provider.
pub(crate) struct OnlinePbx;

impl Provider for OnlinePbx {
    fn verify(&self, _incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        Ok(Proof::Whole)
    }

    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal> {
        if incoming.first(&["event", "uuid"]).is_none() {
            return Ok(Heard::Probe(self.thanks(incoming.request)));
        }
        event(incoming).map(|event| Heard::Events(vec![event]))
    }

    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        // Links come without TLS, too.
        let url = file.id.strip_prefix("http://").map_or_else(|| file.id.clone(), |rest| format!("https://{rest}"));
        Ok(Fetch { hosts: vec![".onlinepbx.ru".to_owned(), ".onpbx.ru".to_owned()], ..plain(url) })
    }
}

fn event(incoming: &Incoming<'_>) -> Result<Event, Refusal> {
    let kind = incoming.text("event").unwrap_or_default().to_ascii_lowercase();
    let at = incoming.text("date").and_then(times::since_1970);
    if !matches!(kind.as_str(), "call_start" | "call_answered" | "call_missed" | "call_end") {
        let mut event = Event { at, ..Event::default() };
        rest(&mut event, pairs(incoming), &[]);
        return Ok(event);
    }
    let id = incoming.text("uuid").ok_or_else(|| Refusal::Unreadable(format!("the event {kind} has no uuid")))?;
    let (common, ours) = sides(incoming);
    let is_in = common.direction == Some(Direction::In);
    let facts = match kind.as_str() {
        "call_start" => {
            let rang = ours.clone().filter(|_| is_in).into_iter().collect();
            CallFacts::event(id, CallTelling { started: at, rang, agent: ours.filter(|_| !is_in), ..common })
        }
        "call_answered" => CallFacts::event(id, CallTelling { picked_up: true, answered: at, agent: ours, ..common }),
        // Whether of the whole call or of one telephone in a group is not said: the end says it.
        "call_missed" => {
            let rang = ours.filter(|_| is_in).into_iter().collect();
            CallFacts::event(id, CallTelling { outcome: Some(CallOutcome::NoAnswer), rang, ..common })
        }
        _ => CallFacts::summary(id, end(incoming, common, ours)),
    };
    let mut event = Event { at, ..Event::of(facts) }.with_link(incoming.text("download_url"));
    if let Some(gateway) = incoming.text("gateway").filter(|gateway| phone(Some(gateway)).is_none()) {
        show(&mut event, "gateway", gateway);
    }
    rest(&mut event, pairs(incoming), READ);
    Ok(event)
}

/// The customer, our line, and our telephone.
fn sides(incoming: &Incoming<'_>) -> (CallTelling, Option<String>) {
    let read = |name: &str| incoming.text(name).map_or(Party::Nobody, side);
    let (caller, callee) = (read("caller"), read("callee"));
    let direction = match incoming.text("direction").map(str::to_ascii_lowercase).as_deref() {
        Some("inbound" | "in") => Some(Direction::In),
        Some("outbound" | "out") => Some(Direction::Out),
        Some("local" | "internal") => Some(Direction::Internal),
        _ => None,
    };
    let (number, ours, called) = match direction {
        Some(Direction::In) => (caller.phone(), callee.clone().extension(), callee.phone()),
        Some(Direction::Out) => (callee.phone(), caller.extension(), None),
        Some(Direction::Internal) => (None, caller.extension(), None),
        None => (None, None, None),
    };
    let telling = CallTelling {
        direction,
        hidden: direction == Some(Direction::In) && number.is_none(),
        number,
        line: phone(incoming.text("gateway")).or(called),
        ..CallTelling::default()
    };
    (telling, ours)
}

fn end(incoming: &Incoming<'_>, common: CallTelling, ours: Option<String>) -> CallTelling {
    let (total, talked) = (incoming.seconds("call_duration"), incoming.seconds("dialog_duration"));
    let answered = talked.is_some_and(|seconds| seconds > 0);
    let cause = incoming.text("hangup_cause");
    let theirs = answered || common.direction != Some(Direction::In);
    CallTelling {
        agent: ours.clone().filter(|_| theirs),
        rang: ours.filter(|_| !theirs).into_iter().collect(),
        talk_s: talked.filter(|_| answered),
        wait_s: total.map(|total| total.saturating_sub(talked.unwrap_or(0))),
        total_s: total,
        outcome: Some(if answered { CallOutcome::Answered } else { cause.and_then(outcome).unwrap_or(CallOutcome::NoAnswer) }),
        status: cause.map(str::to_owned),
        ..common
    }
}

/// What a cause of `FreeSWITCH` comes to, of a call in which nobody talked.
fn outcome(cause: &str) -> Option<CallOutcome> {
    Some(match cause.to_ascii_uppercase().as_str() {
        "USER_BUSY" => CallOutcome::Busy,
        "NO_ANSWER" | "NO_USER_RESPONSE" | "ALLOTTED_TIMEOUT" => CallOutcome::NoAnswer,
        "ORIGINATOR_CANCEL" => CallOutcome::Cancelled,
        "CALL_REJECTED" => CallOutcome::Declined,
        "UNALLOCATED_NUMBER" | "INVALID_NUMBER_FORMAT" | "NUMBER_CHANGED" => CallOutcome::BadNumber,
        "SUBSCRIBER_ABSENT" | "USER_NOT_REGISTERED" | "NO_ROUTE_DESTINATION" | "DESTINATION_OUT_OF_ORDER" => {
            CallOutcome::Unreachable
        }
        "OUTGOING_CALL_BARRED" | "INCOMING_CALL_BARRED" => CallOutcome::Blocked,
        "NORMAL_TEMPORARY_FAILURE" | "NETWORK_OUT_OF_ORDER" | "RECOVERY_ON_TIMER_EXPIRE" | "NORMAL_CIRCUIT_CONGESTION" => {
            CallOutcome::Failed
        }
        _ => return None,
    })
}
