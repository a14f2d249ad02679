//! What the events tell.

use jiff::Timestamp;
use leadgate_core::call::{CallFacts, CallOutcome, CallTelling, Direction};
use leadgate_core::ports::Refusal;

use crate::common::{pairs, phone, rest, side};
use crate::party::Party;
use crate::provider::{Event, Incoming};
use crate::times;

/// Fields that are read, or are worth nothing to people.
const READ: &[&str] = &[
    "event",
    "call_id",
    "src_num",
    "src_type",
    "dst_num",
    "dst_type",
    "short_src_num",
    "short_dst_num",
    "timestamp",
    "call_start_timestamp",
    "call_answer_timestamp",
    "status",
    "call_record_link",
    "treename",
    "treenumber",
    "last_called",
    "pbxdstnum",
    "channel",
    "user_id",
    "is_inner_call",
];

/// Reads an event.
pub(super) fn event(incoming: &Incoming<'_>) -> Result<Event, Refusal> {
    let kind = incoming.text("event").unwrap_or_default();
    if !matches!(kind, "1" | "2" | "3" | "4") {
        let mut event = Event { at: incoming.text("timestamp").and_then(times::seconds), ..Event::default() };
        rest(&mut event, pairs(incoming), &[]);
        return Ok(event);
    }
    let call = Call::read(incoming)?;
    let mut event = match kind {
        "1" => call.begins(),
        "2" => call.ends(),
        "3" => call.answers(),
        // Passed on: one telephone hung up, the call goes on.
        _ => call.leg_ends(),
    };
    rest(&mut event, pairs(incoming), READ);
    Ok(event)
}

/// What an event tells of a call, whichever it is.
struct Call<'a> {
    incoming: &'a Incoming<'a>,
    id: &'a str,
    at: Option<Timestamp>,
    common: CallTelling,
    /// The employee on the way.
    ours: Option<String>,
}

impl<'a> Call<'a> {
    fn read(incoming: &'a Incoming<'_>) -> Result<Self, Refusal> {
        let id = incoming.text("call_id").ok_or_else(|| Refusal::Unreadable("the event has no call_id".to_owned()))?;
        let end = |number: &str, short: &str, kind: &str| End::read(incoming, number, short, kind);
        let (src, dst) = (end("src_num", "short_src_num", "src_type"), end("dst_num", "short_dst_num", "dst_type"));
        let direction = match (src.is_ours(), dst.is_ours()) {
            _ if incoming.text("is_inner_call") == Some("1") => Direction::Internal,
            (true, true) => Direction::Internal,
            (true, false) => Direction::Out,
            (false, _) => Direction::In,
        };
        let (client, ours) = if direction == Direction::In { (&src, &dst) } else { (&dst, &src) };
        let number = if direction == Direction::Internal { None } else { client.phone() };
        let line = match direction {
            Direction::In => phone(incoming.text("pbxdstnum")).or_else(|| dst.phone()),
            Direction::Out | Direction::Internal => None,
        };
        let common = CallTelling {
            direction: Some(direction),
            hidden: direction == Direction::In && number.is_none(),
            number,
            line,
            scheme: incoming.first(&["treeName", "treename", "treeNumber", "treenumber"]).map(str::to_owned),
            started: incoming.text("call_start_timestamp").and_then(times::seconds),
            ..CallTelling::default()
        };
        let at = incoming.text("timestamp").and_then(times::seconds);
        Ok(Self { incoming, id, at, common, ours: ours.ours() })
    }

    fn is_in(&self) -> bool {
        self.common.direction == Some(Direction::In)
    }

    fn leg(&self, telling: CallTelling) -> Event {
        Event { at: self.at, ..Event::of(CallFacts::event(self.id, telling)) }
    }

    fn begins(&self) -> Event {
        let rings = self.is_in();
        self.leg(CallTelling {
            started: self.common.started.or(self.at),
            rang: self.ours.clone().filter(|_| rings).into_iter().collect(),
            agent: self.ours.clone().filter(|_| !rings),
            ..self.common.clone()
        })
    }

    fn answers(&self) -> Event {
        self.leg(CallTelling {
            picked_up: true,
            answered: self.incoming.text("call_answer_timestamp").and_then(times::seconds).or(self.at),
            agent: self.ours.clone(),
            ..self.common.clone()
        })
    }

    fn leg_ends(&self) -> Event {
        self.leg(CallTelling { rang: self.rang(), ..self.common.clone() })
    }

    fn ends(&self) -> Event {
        let incoming = self.incoming;
        let status = incoming.text("status");
        let outcome = status.and_then(outcome);
        let answered = incoming.text("call_answer_timestamp").and_then(times::seconds);
        let talked = outcome == Some(CallOutcome::Answered);
        let between = |from: Option<Timestamp>, to: Option<Timestamp>| u32::try_from(to?.duration_since(from?).as_secs()).ok();
        let mut rang = self.rang();
        if self.is_in() && !talked {
            rang.extend(self.ours.clone());
        }
        let telling = CallTelling {
            agent: self.ours.clone().filter(|_| talked || !self.is_in()),
            rang,
            answered: answered.filter(|_| talked),
            ended: self.at,
            wait_s: between(self.common.started, if talked { answered } else { self.at }),
            talk_s: between(answered, self.at).filter(|_| talked),
            total_s: between(self.common.started, self.at),
            outcome,
            status: status.map(str::to_owned),
            ..self.common.clone()
        };
        let event = Event { at: self.at, ..Event::of(CallFacts::summary(self.id, telling)) };
        event.with_link(incoming.text("call_record_link"))
    }

    /// Who was called last: a list with commas, or with the signs of a dial plan.
    fn rang(&self) -> std::collections::BTreeSet<String> {
        let names = self.incoming.text("last_called").unwrap_or_default().split([',', '&', ' ', ';']);
        let account = self.incoming.text("user_id");
        names.map(str::trim).filter(|name| !name.is_empty()).take(50).map(|name| short(name, account).to_owned()).collect()
    }
}

/// An end of a call.
struct End {
    /// It is said to be outside or inside of the PBX.
    outside: Option<bool>,
    party: Party,
    /// The extension as people know it.
    short: Option<String>,
}

impl End {
    fn read(incoming: &Incoming<'_>, number: &str, short_number: &str, kind: &str) -> Self {
        let typed = incoming.text(number);
        let outside = match incoming.text(kind) {
            Some("1") => Some(true),
            Some("2") => Some(false),
            _ => None,
        };
        let own = incoming.text(short_number).or(typed).map(|typed| short(typed, incoming.text("user_id")).to_owned());
        Self { outside, party: typed.map_or(Party::Nobody, side), short: own }
    }

    fn is_ours(&self) -> bool {
        self.outside.map_or(matches!(self.party, Party::Extension(_)), |outside| !outside)
    }

    fn phone(&self) -> Option<leadgate_core::call::CallNumber> {
        self.party.clone().phone().filter(|_| !self.is_ours())
    }

    fn ours(&self) -> Option<String> {
        self.short.clone().filter(|_| self.is_ours())
    }
}

/// Digits of an account's number.
const ACCOUNT: usize = 6;

/// An extension without the account's number before it: `012345101` is `101`.
fn short<'a>(typed: &'a str, account: Option<&str>) -> &'a str {
    let digits = typed.bytes().all(|byte| byte.is_ascii_digit());
    let of_account = account.and_then(|account| typed.strip_prefix(account));
    let guessed = || typed.get(ACCOUNT..).filter(|_| digits && typed.starts_with('0') && typed.len() <= ACCOUNT + 4);
    of_account.or_else(guessed).filter(|rest| !rest.is_empty()).unwrap_or(typed)
}

fn outcome(status: &str) -> Option<CallOutcome> {
    Some(match status.to_ascii_uppercase().as_str() {
        "ANSWER" | "ANSWERED" => CallOutcome::Answered,
        "BUSY" => CallOutcome::Busy,
        "NOANSWER" | "NO ANSWER" => CallOutcome::NoAnswer,
        "CANCEL" => CallOutcome::Cancelled,
        "CONGESTION" => CallOutcome::Failed,
        "CHANUNAVAIL" => CallOutcome::Unreachable,
        _ => return None,
    })
}
