//! What a store keeps of calls beside their activities.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::StoreError;
use crate::ids::{ContactId, LeadId, SourceId};
use crate::plan::{CallBack, Place};

/// For how long it is known of a call what it told, and whether somebody should call back.
pub const CALLS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// How a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallState {
    /// The canonical number of the other side; empty if it is not known.
    pub phone: String,
    /// Whether somebody should call back.
    pub back: CallBack,
    /// Nothing more is expected of it.
    pub over: bool,
    /// When something last came of it.
    pub at: Timestamp,
    /// Where its activity stands today, if it has one.
    pub place: Place,
}

/// Somebody who is known by a number that nobody else holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub contact: ContactId,
    /// What they are called; empty if that is not known.
    pub name: String,
    /// Their open lead.
    pub lead: Option<LeadId>,
    /// Who works with them: with the open lead, else with the person.
    pub responsible: Option<String>,
}

/// What a store keeps of calls.
#[async_trait]
pub trait Calls: Send + Sync {
    /// How a call stands, by its source's own id of it.
    async fn call(&self, source: &SourceId, key: &str) -> Result<Option<CallState>, StoreError>;
    /// Who has a phone, by its canonical form: only whoever has it alone and is recognised by it.
    async fn caller(&self, phone: &str) -> Result<Option<Caller>, StoreError>;
}
