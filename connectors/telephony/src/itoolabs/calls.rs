//! What the commands tell.

use jiff::SignedDuration;
use leadgate_core::call::{CallFacts, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::Refusal;
use leadgate_core::submission::ContentHash;

use crate::common::{pairs, phone, rest, side};
use crate::party::Party;
use crate::provider::{Event, Incoming, is_said};
use crate::times;

/// Fields that are read, and the secret.
const READ: &[&str] = &[
    "cmd",
    "type",
    "status",
    "phone",
    "diversion",
    "user",
    "ext",
    "telnum",
    "grouprealname",
    "direction",
    "callid",
    "start",
    "duration",
    "wait",
    "link",
    "crm_token",
];

/// The fields of a command. Names and words differ in their capitals from one brand to another.
pub(super) struct Fields {
    all: Vec<(String, String)>,
}

impl Fields {
    pub(super) fn of(incoming: &Incoming<'_>) -> Self {
        let all = pairs(incoming).map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Self { all: all.collect() }
    }

    /// Whether it says nothing but its token.
    pub(super) fn is_empty(&self) -> bool {
        self.all.iter().all(|(name, value)| name == "crm_token" || !is_said(value))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(known, value)| known == name && is_said(value)).map(|(_, value)| value.as_str())
    }

    /// A value in lower case.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_ascii_lowercase)
    }

    fn seconds(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }

    /// The customer's side.
    pub(super) fn client(&self) -> Party {
        self.text("phone").map_or(Party::Nobody, side)
    }

    /// The employee: a login, else an extension.
    fn employee(&self) -> Option<String> {
        ["user", "ext", "telnum"].iter().find_map(|name| self.text(name)).map(str::to_owned)
    }

    fn telling(&self, direction: Option<Direction>) -> CallTelling {
        let client = self.client();
        let inner = matches!(&client, Party::Extension(name) if name.bytes().all(|byte| byte.is_ascii_digit()));
        let direction = if inner { Some(Direction::Internal) } else { direction };
        CallTelling {
            direction,
            hidden: direction == Some(Direction::In) && !matches!(client, Party::Phone(_)),
            number: client.phone(),
            line: phone(self.text("diversion")),
            scheme: self.text("grouprealname").map(str::to_owned),
            ..CallTelling::default()
        }
    }

    fn call_id(&self, command: &str) -> Result<&str, Refusal> {
        self.text("callid").ok_or_else(|| Refusal::Unreadable(format!("the command {command} has no callid")))
    }

    /// Reads a command.
    pub(super) fn event(&self, command: &str) -> Result<Event, Refusal> {
        let mut event = match command {
            "event" => Event::of(CallFacts::event(self.call_id(command)?, self.leg())),
            "history" => self.history(self.call_id(command)?),
            "rating" => Event::of(CallFacts::event(self.call_id(command)?, CallTelling::default())),
            _ => Event::default(),
        };
        let read = if event.call.is_some() { READ } else { &["crm_token"] };
        rest(&mut event, self.all.iter().map(|(name, value)| (name.as_str(), value.as_str())), read);
        Ok(event)
    }

    /// `event`: what happens at one telephone. It has no time.
    fn leg(&self) -> CallTelling {
        let kind = self.word("type").unwrap_or_default();
        let direction = match (self.word("direction").as_deref(), kind.as_str()) {
            (Some("in"), _) | (None, "incoming") => Some(Direction::In),
            (Some("out"), _) | (None, "outgoing") => Some(Direction::Out),
            _ => None,
        };
        let mut telling = self.telling(direction);
        match kind.as_str() {
            "incoming" => telling.rang = self.employee().into_iter().collect(),
            "outgoing" => telling.agent = self.employee(),
            "accepted" => {
                telling.picked_up = true;
                telling.agent = self.employee();
            }
            // The caller gave up, or a colleague was faster: only the history says which.
            "cancelled" | "canceled" => telling.outcome = Some(CallOutcome::Cancelled),
            _ => {}
        }
        telling
    }

    /// `history`: the call is over.
    fn history(&self, id: &str) -> Event {
        let direction = match self.word("type").as_deref() {
            Some("in") => Some(Direction::In),
            Some("out") => Some(Direction::Out),
            _ => None,
        };
        let (status, lasted) = (self.text("status"), self.seconds("duration"));
        let outcome = status.and_then(outcome);
        let answered = outcome == Some(CallOutcome::Answered);
        let who = self.employee();
        let theirs = answered || direction != Some(Direction::In);
        let started =
            self.text("start").and_then(|typed| times::compact(typed).or_else(|| times::any(typed, &jiff::tz::TimeZone::UTC)));
        let telling = CallTelling {
            agent: who.clone().filter(|_| theirs),
            rang: who.filter(|_| !theirs).into_iter().collect(),
            started,
            talk_s: lasted.filter(|_| answered),
            wait_s: self.seconds("wait").or(lasted.filter(|seconds| !answered && *seconds > 0)),
            outcome,
            status: status.map(str::to_owned),
            ..self.telling(direction)
        };
        let at = started.and_then(|from| from.checked_add(SignedDuration::from_secs(lasted.unwrap_or(0).into())).ok());
        let link = self.text("link");
        Event { at, id: Some(self.history_id(link.is_some())), ..Event::of(CallFacts::summary(id, telling)) }.with_link(link)
    }

    /// What stays the same when a history is sent again: all but its link, which may be another, or come later.
    fn history_id(&self, recorded: bool) -> String {
        let said = self.all.iter().filter(|(name, _)| name != "link" && name != "crm_token");
        let hash = ContentHash::of(said.map(|(name, value)| (name.as_str(), value.as_str())));
        format!("history:{}{}", hash.as_key(), if recorded { ":recorded" } else { "" })
    }

    /// `contact`: that it rings, as far as the question tells.
    pub(super) fn asked(&self) -> Option<Event> {
        let id = self.text("callid")?;
        Some(Event::of(CallFacts::event(id, self.telling(Some(Direction::In)))))
    }
}

fn outcome(status: &str) -> Option<CallOutcome> {
    let plain: String = status.chars().filter(char::is_ascii_alphanumeric).collect();
    Some(match plain.to_ascii_lowercase().as_str() {
        "success" | "answered" => CallOutcome::Answered,
        "missed" | "noanswer" => CallOutcome::NoAnswer,
        "cancel" | "cancelled" | "canceled" => CallOutcome::Cancelled,
        "busy" => CallOutcome::Busy,
        "notavailable" => CallOutcome::Unreachable,
        "notallowed" => CallOutcome::Blocked,
        "notfound" => CallOutcome::BadNumber,
        _ => return None,
    })
}
