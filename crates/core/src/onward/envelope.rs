//! What others are sent of an event: the JSON of a webhook.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ActivityBrief, Brief, ContactBrief, Detail, Job, LeadBrief, SubmissionBrief, version_of};

/// An event, as others are sent it: the payload of Standard Webhooks (<https://www.standardwebhooks.com>).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Envelope<'a> {
    /// The event's name.
    #[serde(rename = "type")]
    pub name: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened, and to whom.
    pub data: Told<'a>,
}

/// What an event tells: things as they stand when it is sent, which may be later than it happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Told<'a> {
    /// The event's id: one event has one, whoever it is sent to.
    pub id: Uuid,
    /// The version of this JSON. It rises when something is taken away or changes its meaning, not when something is added.
    pub version: i64,
    /// Which gateway sends it.
    pub installation: Uuid,
    /// Somebody tries the way: nothing of it happened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// The lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<&'a LeadBrief>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<&'a ContactBrief>,
    /// What came, was written or was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<&'a ActivityBrief>,
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<&'a SubmissionBrief>,
    /// Who did it, where somebody did: `cli`, `api:<token name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'a str>,
    /// What the gateway tells of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a Detail>,
}

impl<'a> Envelope<'a> {
    /// What is owed, told as things stand now.
    pub fn of(job: &'a Job, brief: &'a Brief, installation: Uuid, test: bool) -> Self {
        let data = Told {
            id: job.event.0,
            version: version_of(&job.name),
            installation,
            test,
            lead: brief.lead.as_ref(),
            contact: brief.contact.as_ref(),
            activity: brief.activity.as_ref(),
            submission: brief.submission.as_ref(),
            by: job.data.by.as_deref(),
            detail: job.data.detail.as_ref(),
        };
        Self { name: &job.name, timestamp: job.at, data }
    }
}
