//! What a call says of itself: told by any number of events, in any order, several times, from several legs, and joined into one.
//!
//! Joining is commutative, associative and idempotent, so that a call tells the same whatever order its events come in. Each value has
//! an order of its own: the earliest start, the latest end, the longest talk, the outcome that says most. What the provider's own
//! summary says counts before what single events say, whichever came first.

mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

pub use view::{CallState, CallView};

/// Bytes of a number, of a name, of a provider's word.
const SHORT: usize = 200;
/// Those who rang, of one call.
const MOST_AGENTS: usize = 50;

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Between colleagues.
    Internal,
    /// We called.
    Out,
    /// The customer called: a call with such a leg is one, wherever it was passed on to.
    In,
}

impl Direction {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// How a call ended, from what says least to what says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// Something did not work.
    Failed,
    /// There is no such number.
    BadNumber,
    /// There was no money for it.
    NoFunds,
    /// The number is blocked.
    Blocked,
    /// The other side cannot be reached.
    Unreachable,
    /// Whoever called hung up before anybody answered.
    Cancelled,
    /// Somebody refused it.
    Declined,
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// A machine took a message.
    Voicemail,
    /// People talked.
    Answered,
}

impl CallOutcome {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::BadNumber => "bad_number",
            Self::NoFunds => "no_funds",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Voicemail => "voicemail",
            Self::Answered => "answered",
        }
    }
}

/// A number as the provider writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct CallNumber {
    /// As sent.
    pub typed: String,
    /// The provider's documented form is E.164, perhaps without the plus.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provider_format: bool,
}

impl CallNumber {
    /// A number in a provider's documented international form; `None` for an empty text.
    pub fn international(typed: &str) -> Option<Self> {
        Self { typed: typed.to_owned(), provider_format: true }.kept()
    }

    /// A number in whatever form the country writes it; `None` for an empty text.
    pub fn national(typed: &str) -> Option<Self> {
        Self { typed: typed.to_owned(), provider_format: false }.kept()
    }

    fn kept(self) -> Option<Self> {
        let typed = cut(&self.typed);
        (!typed.is_empty()).then_some(Self { typed, ..self })
    }

    /// The one with more digits says more.
    fn weight(&self) -> (usize, bool, &str) {
        (self.typed.bytes().filter(u8::is_ascii_digit).count(), self.provider_format, &self.typed)
    }
}

impl PartialOrd for CallNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CallNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.weight().cmp(&other.weight())
    }
}

/// What is told of a call, by its events or by the provider's summary. Everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallTelling {
    /// Which way it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The customer's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<CallNumber>,
    /// The caller hides the number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Our line: the number that was called, or that we called from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<CallNumber>,
    /// Who answered, or who called: an extension, a login, a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whose telephones rang.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rang: BTreeSet<String>,
    /// The group, menu or call scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When somebody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Seconds until somebody answered, or the caller gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u32>,
    /// Seconds people talked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talk_s: Option<u32>,
    /// Seconds in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_s: Option<u32>,
    /// Somebody answered, which a leg says and the summary may deny (a menu, a machine).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub picked_up: bool,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<CallOutcome>,
    /// The provider's own word for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl CallTelling {
    fn join(&mut self, other: &Self) {
        let (mine, theirs) = ((self.outcome, self.status.take()), (other.outcome, other.status.clone()));
        (self.outcome, self.status) = mine.max(theirs);
        self.direction = self.direction.max(other.direction);
        self.number = self.number.take().max(other.number.clone());
        self.hidden |= other.hidden;
        self.line = self.line.take().max(other.line.clone());
        self.agent = self.agent.take().max(other.agent.clone());
        for name in &other.rang {
            self.rang.insert(name.clone());
        }
        self.rang = first(std::mem::take(&mut self.rang));
        self.scheme = self.scheme.take().max(other.scheme.clone());
        self.started = earliest(self.started, other.started);
        self.answered = earliest(self.answered, other.answered);
        self.ended = self.ended.max(other.ended);
        self.wait_s = self.wait_s.max(other.wait_s);
        self.talk_s = self.talk_s.max(other.talk_s);
        self.total_s = self.total_s.max(other.total_s);
        self.picked_up |= other.picked_up;
    }

    fn bounded(self) -> Self {
        Self {
            number: self.number.and_then(CallNumber::kept),
            line: self.line.and_then(CallNumber::kept),
            agent: short(self.agent),
            rang: first(self.rang.iter().map(|name| cut(name)).filter(|name| !name.is_empty()).collect()),
            scheme: short(self.scheme),
            status: short(self.status),
            ..self
        }
    }
}

/// A call, as far as it was told. Kept with the activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallFacts {
    /// The provider's id of the whole call.
    pub id: String,
    /// What single events and legs tell.
    #[serde(default)]
    pub legs: CallTelling,
    /// What the provider's final event or report tells: with it the call is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<CallTelling>,
    /// Nothing more came of it for the time of its source: it is taken for over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// The provider's clock or time zone is wrong: the times it tells are not believed, receipt counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_wrong: bool,
    /// The provider's signature covers a part of what it tells only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partly_signed: bool,
}

impl CallFacts {
    /// What an event or a leg of a call tells.
    pub fn event(id: &str, legs: CallTelling) -> Self {
        Self { id: id.to_owned(), legs, ..Self::default() }
    }

    /// What a provider's final event tells.
    pub fn summary(id: &str, summary: CallTelling) -> Self {
        Self { id: id.to_owned(), summary: Some(summary), ..Self::default() }
    }

    /// That nothing more came.
    pub fn silence(id: &str) -> Self {
        Self { id: id.to_owned(), silent: true, ..Self::default() }
    }

    /// Adds what another event told of the same call.
    pub fn join(&mut self, other: &Self) {
        if self.id < other.id {
            self.id.clone_from(&other.id);
        }
        self.legs.join(&other.legs);
        match (&mut self.summary, &other.summary) {
            (Some(mine), Some(theirs)) => mine.join(theirs),
            (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
            (_, None) => {}
        }
        self.silent |= other.silent;
        self.clock_wrong |= other.clock_wrong;
        self.partly_signed |= other.partly_signed;
    }

    /// As it may be kept: clean and bounded.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { id: cut(&self.id), legs: self.legs.bounded(), summary: self.summary.map(CallTelling::bounded), ..self }
    }

    /// Whether nothing more is expected of it.
    pub fn is_over(&self) -> bool {
        self.summary.is_some() || self.silent
    }

    /// Whether nothing is known of the call itself: all that came of it is what is added to a call that was told before, as a recording is.
    pub fn is_bare(&self) -> bool {
        self.summary.is_none() && self.legs == CallTelling::default()
    }

    /// What it comes to.
    pub fn view(&self) -> CallView {
        CallView::of(self)
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The first of them in their order: which ones does not depend on the order they came in.
fn first(names: BTreeSet<String>) -> BTreeSet<String> {
    if names.len() <= MOST_AGENTS { names } else { names.into_iter().take(MOST_AGENTS).collect() }
}

fn short(value: Option<String>) -> Option<String> {
    value.map(|value| cut(&value)).filter(|value| !value.is_empty())
}

fn cut(value: &str) -> String {
    text::cut(text::clean(value).trim(), SHORT).to_owned()
}
