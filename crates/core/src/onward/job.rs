//! One delivery that is owed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Recipient;
use crate::ids::{ActivityId, ContactId, EventId, LeadId, SourceId, SubmissionId};

/// One delivery that is owed: a `UUIDv7` derived from the event and whom it goes to. The same at every attempt, so that a
/// receiver can tell a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// What an event owes a recipient by a target.
    pub fn of(event: EventId, target: &str, recipient: &Recipient) -> Self {
        let hash = Sha256::new().chain_update(event.0.as_bytes()).chain_update(target).chain_update([0]);
        let digest = hash.chain_update(recipient.to_string()).finalize();
        let mut bytes = *event.0.as_bytes();
        // The time and the version stay the event's, as those of an event are its delivery's.
        bytes[8..].copy_from_slice(&digest[..8]);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// The id of what follows from a delivery: the same at every attempt, so that nothing follows twice.
    pub fn event(self, what: &str) -> EventId {
        EventId(Self::of(EventId(self.0), what, &Recipient::Target).0)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What an event is about, as it is kept: numbers and names of the gateway, never what a customer wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventData {
    /// The delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<SubmissionId>,
    /// The lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadId>,
    /// The contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityId>,
    /// Who did it, where somebody did: `cli`, `api:<token name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of the gateway itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// What an event of the gateway itself tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// Which source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// Which target: `mail`, `webhook:<id>`, `telegram:<source>`; of mails to a manager `mail:manager:<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What a person should know, in the company's language.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

/// A delivery to owe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// By what.
    pub target: Arc<str>,
    /// Whom for, see [`Recipient`].
    pub recipient: String,
    /// Because of which event.
    pub event: EventId,
    /// Its name.
    pub name: &'static str,
    /// [`EventData`] as JSON.
    pub data: String,
    /// The lead it concerns.
    pub lead: Option<i64>,
    /// The lead before whose earlier deliveries to this target it does not go.
    pub lane: Option<i64>,
    /// When the event happened; due at once.
    pub at: Timestamp,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It is due, now or later.
    Waiting,
    /// A gateway is delivering it.
    Sending,
    /// Delivered, or nothing is to be delivered any more.
    Done,
    /// Given up.
    Dead,
    /// Not to be delivered before a person says so: it may have been, before a backup was put back.
    Held,
    /// A person said that it is not to be delivered.
    Dropped,
}

impl JobState {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Sending, Self::Done, Self::Dead, Self::Held, Self::Dropped];

    /// The name in database, API and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Held => "held",
            Self::Dropped => "dropped",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub seq: i64,
    /// Its id.
    pub id: JobId,
    /// By what.
    pub target: String,
    /// Whom for.
    pub recipient: Recipient,
    /// Because of which event.
    pub event: EventId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub data: EventData,
    /// When the event happened.
    pub at: Timestamp,
    /// From when the time it has is counted: the event, or when a person asked for it again.
    pub since: Timestamp,
    /// The number of this attempt, from 1. With it a claim is told from a later one.
    pub attempt: i64,
}

/// What became of a claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its number.
    pub seq: i64,
    /// The attempt it was claimed for: if it was claimed again meanwhile, nothing is written.
    pub attempt: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub end: JobEnd,
    /// What the other side answered, or why there was no answer; without anybody's data.
    pub words: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// Delivered, with the ids it has there now: `(scope, value)`.
    Done(Vec<(String, String)>),
    /// To be tried again then.
    Retry(Timestamp),
    /// It was not tried: to be tried then, and counts for nothing.
    Postponed(Timestamp),
    /// Given up.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_distinct_version_seven() {
        let event = EventId("018f3f3e-0000-7000-8000-000000000001".parse().unwrap());
        let one = JobId::of(event, "webhook:a", &Recipient::Target);
        assert_eq!(one, JobId::of(event, "webhook:a", &Recipient::Target));
        assert_ne!(one, JobId::of(event, "webhook:b", &Recipient::Target));
        assert_ne!(one, JobId::of(event, "webhook:a", &Recipient::Responsible));
        assert_eq!(one.0.get_version_num(), 7);
        assert_eq!(one.0.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(one.0.as_bytes()[..8], event.0.as_bytes()[..8]);
    }

    #[test]
    fn states_have_names() {
        assert!(JobState::ALL.into_iter().all(|state| JobState::parse(state.as_str()) == Some(state)));
    }
}
