//! What is due at a time.
//!
//! A timer is a row, claimed by nobody: whoever sees it due says what follows, and the row is taken away or moved in that very
//! transaction, if it still stands as it was seen. So two gateways, a restart or a clock that was set cannot fire it twice.

use jiff::Timestamp;

use super::News;
use crate::ids::SourceId;

/// Nobody has taken a lead; the key is its number. Void as soon as somebody has.
pub const LEAD_WAITING: &str = "lead.waiting";
/// Nobody has taken a returned contact; the key is its number.
pub const CONTACT_WAITING: &str = "contact.waiting";

/// Nothing came of a call for a time; the key is [`call_key`]'s. It is over then, if its provider has not said so.
pub const CALL_QUIET: &str = "call.quiet";
/// Nobody has called back whoever was missed; the key is [`call_key`]'s. Void as soon as somebody has.
pub const CALL_UNRETURNED: &str = "call.unreturned";

/// A call as the key of a timer.
pub fn call_key(source: &SourceId, external_key: &str) -> String {
    format!("{source} {external_key}")
}

/// Reads [`call_key`] back: the source, and its own id of the call.
pub fn call_of(key: &str) -> Option<(SourceId, &str)> {
    let (source, external_key) = key.split_once(' ')?;
    Some((SourceId::parse(source).ok()?, external_key))
}

/// A timer to set. One that is there for the same thing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTimer {
    /// What for.
    pub kind: &'static str,
    /// Of what.
    pub key: String,
    /// When.
    pub due_at: Timestamp,
    /// Because of what came from there.
    pub source: Option<SourceId>,
}

/// A timer as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What for.
    pub kind: String,
    /// Of what.
    pub key: String,
    /// When.
    pub due_at: Timestamp,
    /// Because of what came from there.
    pub source: Option<SourceId>,
}

/// What follows from a timer that is due.
#[derive(Clone, Debug)]
pub struct TimerEnd {
    /// As it was seen.
    pub timer: Timer,
    /// When it is due next; `None`: never again.
    pub again: Option<Timestamp>,
    /// What is told. Of a lead or contact that does not wait any more, nothing is.
    pub news: Option<News>,
}
