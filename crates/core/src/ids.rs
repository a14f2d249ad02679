//! Identifiers. Each is a type of its own, so that a contact can never be passed where a lead is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

row_id! {
    /// A lead: one enquiry being worked on. The number people say to each other.
    LeadId,
    /// A contact: a person.
    ContactId,
    /// An activity: something that happened on a lead or a contact.
    ActivityId,
    /// A review pair: two contacts that may be one person, or one that may be two.
    ReviewId,
    /// A recorded move of an activity, kept so that it can be undone.
    MoveId,
}

/// One delivery from a source: a `UUIDv7` given when the delivery arrives. A known one is always a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubmissionId(pub Uuid);

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SubmissionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A running gateway: a UUID drawn at its start, so that one that was started again is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happened in the domain: a `UUIDv7`, so that events sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// The `n`-th event of a submission. Derived, not drawn: planning the same submission again gives the same id, so
    /// that a replayed transaction cannot tell one thing twice.
    pub fn of(submission: SubmissionId, n: u8) -> Self {
        Self::derived(submission, Sha256::new().chain_update(submission.0.as_bytes()).chain_update([n]))
    }

    /// The `n`-th event of a further receipt of a submission, whose first is number 1.
    pub fn of_receipt(submission: SubmissionId, receipt: i64, n: u8) -> Self {
        let hash = Sha256::new().chain_update(submission.0.as_bytes()).chain_update([n]);
        Self::derived(submission, hash.chain_update(receipt.to_le_bytes()))
    }

    fn derived(submission: SubmissionId, hash: Sha256) -> Self {
        let digest = hash.finalize();
        let mut bytes = *submission.0.as_bytes();
        // The first eight bytes carry the time and the version; the rest is random in a UUIDv7, bar the two variant bits.
        bytes[8..].copy_from_slice(&digest[..8]);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a source in config and URLs: 1 to 40 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SourceId(Arc<str>);

/// Why a text is no [`SourceId`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no source id: use 1 to 40 of a-z, 0-9, '-' and '_', beginning with a letter or digit")]
pub struct BadSourceId(pub String);

impl SourceId {
    /// Checks and makes an id.
    pub fn parse(text: &str) -> Result<Self, BadSourceId> {
        let bytes = text.as_bytes();
        let fits = (1..=40).contains(&bytes.len())
            && bytes[0].is_ascii_alphanumeric()
            && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if fits { Ok(Self(text.into())) } else { Err(BadSourceId(text.chars().take(60).collect())) }
    }

    /// The id as it stands in config and URLs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SourceId {
    type Err = BadSourceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A manager's name in config (`[[managers]] id`). Text, because people write it there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ManagerId(pub String);

impl fmt::Display for ManagerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_ids_are_narrow() {
        for good in ["site", "a", "tilda-2", "0_x"] {
            assert_eq!(SourceId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "Site", "a/b", "сайт", &"x".repeat(41)] {
            assert!(SourceId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn events_of_a_submission_are_stable_distinct_version_seven() {
        let submission = SubmissionId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));
        let (a, b) = (EventId::of(submission, 0), EventId::of(submission, 1));
        assert_eq!(a, EventId::of(submission, 0));
        assert_ne!(a, b);
        assert!(EventId::of_receipt(submission, 2, 0) != a && EventId::of_receipt(submission, 3, 0) != a);
        assert_eq!(a.0.get_version_num(), 7);
        assert_eq!(a.0.as_bytes()[..8], submission.0.as_bytes()[..8]);
    }
}
