//! Kept submissions, read again: a person releases or drops what waited, or a range goes through the current rules.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{SourceId, SubmissionId};
use crate::prepare::Prepared;
use crate::receipt::{Outcome, Reason, Receipt};
use crate::submission::Codec;

/// What of a call's head is kept beside its body (JSON), as far as its connector reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The method, if it was not POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path below the token.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rest: String,
    /// The headers that the connector reads, by their lower-case names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Which kept submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptFilter {
    /// These; none: all that fit the rest.
    pub ids: Vec<SubmissionId>,
    /// With one of these outcomes of the newest receipt; none: whatever it is.
    pub outcomes: Vec<Outcome>,
    /// From one of these sources.
    pub sources: Option<Vec<SourceId>>,
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// Those a person dropped, too.
    pub dropped: bool,
}

/// A kept submission with everything its connector needs to read it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub seq: i64,
    /// Its id.
    pub id: SubmissionId,
    /// From where.
    pub source: SourceId,
    /// When.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The number of its newest receipt.
    pub receipt: i64,
    /// A person dropped it.
    pub dropped: bool,
    /// Somebody vouches for its sender.
    pub authenticated: bool,
    /// It was recorded without outward effects.
    pub historic: bool,
    /// The content type as sent.
    pub content_type: String,
    /// The query of the URL.
    pub query: String,
    /// The other end's address, where it was kept.
    pub peer: Option<IpAddr>,
    /// [`Head`] as JSON; empty if nothing of it was kept.
    pub head: String,
    /// When its bytes were let go; then there is nothing to read again.
    pub emptied_at: Option<Timestamp>,
    /// How `raw` is packed.
    pub codec: Codec,
    /// The bytes.
    pub raw: Bytes,
    /// Why its first receipt was what it was.
    pub reasons: Vec<Reason>,
    /// What the activity it made tells today (JSON), unless a later delivery has amended that.
    pub content: Option<String>,
    /// Its attribution (JSON).
    pub touch: Option<String>,
}

/// Who decided, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `cli`, `api:<token name>`.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Why a kept submission is recorded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The rules may have changed: what made no lead is decided again. What did is left alone.
    Replay,
    /// As [`How::Replay`]; and an activity it made tells from now on what is read today.
    Reattach,
    /// A person vouches for it: it is held no more, and no spam.
    Release(Decision),
    /// A person looked at it: it is no lead.
    Drop(Decision),
}

/// A kept submission on its way to the store.
#[derive(Clone, Debug)]
pub struct Again {
    /// As it is read today. It has the id of the kept one; of a drop nothing else counts.
    pub item: Arc<Prepared>,
    /// The number of its newest receipt when it was read: if there is a newer one by now, somebody was faster.
    pub seen: i64,
    /// Why.
    pub how: How,
}

/// What became of recording a kept submission again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A further receipt.
    Changed(Receipt),
    /// As before: nothing was written.
    Same(Receipt),
    /// Somebody else recorded it again meanwhile.
    Meanwhile,
    /// It is not kept any more.
    Gone,
}

/// Whether replaying an outcome may make something of it: what made no lead.
pub fn is_open(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Quarantined | Outcome::Spam | Outcome::Noted)
}
