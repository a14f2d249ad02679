//! The outbox: what a store keeps of deliveries that are owed, of timers and of alarms.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Detail, EventData, Job, JobId, JobState, NewTimer, Routes, Settled, Timer, TimerEnd, event};
use crate::attribution::Touch;
use crate::change::Stage;
use crate::chat::{SendState, Sending};
use crate::ids::{ActivityId, ContactId, EventId, LeadId, NodeId, SourceId, SubmissionId};
use crate::mail::Unreachable;
use crate::ports::StoreError;
use crate::prepare::{Content, IdentityKind};
use crate::receipt::IdentityState;
use crate::submission::ActivityKind;
use crate::views::{Page, PageAt};

/// An event that no delivery and no person's act tells: what the gateway noticed itself, or what was due.
#[derive(Clone, Debug)]
pub struct News {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// The source it comes from, for routes.
    pub source: Option<SourceId>,
    /// What it is about.
    pub data: EventData,
    /// Who hears of it.
    pub routes: Arc<Routes>,
}

impl News {
    /// What a manager answered a customer will not arrive. `job`: its delivery; `source`: the activity's.
    pub fn reply_failed(job: JobId, source: Option<SourceId>, data: EventData, at: Timestamp, routes: &Arc<Routes>) -> Self {
        Self { id: job.event("failed"), name: event::MESSAGE_FAILED, at, source, data, routes: Arc::clone(routes) }
    }
}

/// How many jobs of a target a gateway can take on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which target.
    pub target: String,
    /// So many at most.
    pub most: u32,
}

/// Who claims, when, and for how long by the database's clock.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Which gateway.
    pub node: NodeId,
    /// What is due until now.
    pub now: Timestamp,
    /// After this time others may have what is not settled.
    pub lasts: Duration,
    /// What others claimed is free once they have not told for so long that they live.
    pub silence: Duration,
    /// Look for claims that have run out, and for those of gateways that fell silent. It takes longer, so not every claim does.
    pub frees: bool,
}

/// A target as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name: `mail`, `webhook:<id>`, `telegram:<source>`.
    pub name: String,
    /// Jobs of events before this are given up.
    pub dead_before: Timestamp,
}

/// Jobs of a target that were given up because their time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Which target.
    pub target: String,
    /// How many.
    pub count: u64,
}

/// A reply whose time was over.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// Its delivery.
    pub job: JobId,
    /// What that was about.
    pub data: EventData,
    /// Why it did not arrive, in words.
    pub words: String,
    /// When it was given up.
    pub at: Timestamp,
}

impl Overdue {
    /// How the reply fares from then on, and what is told of it. `source`: its activity's.
    pub fn ends(self, source: Option<SourceId>, routes: &Arc<Routes>) -> (Sending, News) {
        let sending = Sending { state: SendState::Failed, at: self.at, words: self.words };
        (sending, News::reply_failed(self.job, source, self.data, self.at, routes))
    }
}

/// Which jobs. Everything named must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In one of these states; empty: in any.
    pub states: Vec<JobState>,
    /// Of this target.
    pub target: Option<String>,
    /// This one.
    pub id: Option<JobId>,
    /// About this lead.
    pub lead: Option<LeadId>,
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its id, which the receiver gets too: `webhook-id`, and a part of the `Message-ID`.
    pub id: JobId,
    /// By what: `mail`, `webhook:<id>`, `telegram:<source>`.
    pub target: String,
    /// Whom for: empty for a webhook; `manager:<id>`, `responsible`, `customer`, `relay`, `author`, `canary:<source>`, or
    /// an address of the company.
    pub to: String,
    /// The event's name.
    pub event: String,
    /// The event's id.
    pub event_id: Uuid,
    /// The lead it concerns.
    pub lead: Option<LeadId>,
    /// The contact it concerns.
    pub contact: Option<ContactId>,
    /// How it stands.
    pub state: JobState,
    /// When the event happened.
    pub at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was done, given up or dropped.
    pub ended_at: Option<Timestamp>,
    /// What the other side said last, or why it could not be asked.
    pub words: String,
}

/// A job with the ids it has at the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: JobView,
    /// What the gateway itself tells, for events of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// What it is called where it was delivered: `(scope, value)`.
    pub refs: Vec<(String, String)>,
}

/// Something that is wrong, until it is not any more.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// What; the name of the event that tells of it.
    pub name: &'static str,
    /// Of what.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
    /// What it tells.
    pub detail: Detail,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlarmView {
    /// What; the name of the event that told of it.
    pub name: String,
    /// Of what.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
    /// What it tells.
    pub detail: Detail,
}

/// What is to be told of, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BriefOf {
    /// A lead.
    pub lead: Option<LeadId>,
    /// A contact.
    pub contact: Option<ContactId>,
    /// An activity.
    pub activity: Option<ActivityId>,
    /// A delivery, where there is no activity.
    pub submission: Option<SubmissionId>,
}

/// What others are told of a lead, as it stands now. What does not exist any more is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Brief {
    /// The lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadBrief>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactBrief>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityBrief>,
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<SubmissionBrief>,
}

/// A lead, for others.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadBrief {
    /// Its id outside the gateway.
    pub id: Uuid,
    /// The number people say; unique within the installation.
    pub number: LeadId,
    /// The line that names it.
    pub title: String,
    /// Where it stands.
    pub stage: Stage,
    /// The name as typed.
    pub name: String,
    /// Where it came from.
    pub source: SourceId,
    /// The manager who works on it.
    pub responsible: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// A signal spoke against it.
    pub suspect: bool,
    /// Of somebody who had a lead before.
    pub return_customer: bool,
    /// Where the first enquiry came from.
    pub first_touch: Touch,
    /// Where the newest came from, if it said anything.
    pub last_touch: Touch,
}

/// A person, for others.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ContactBrief {
    /// Its id outside the gateway.
    pub id: Uuid,
    /// The number people say; unique within the installation.
    pub number: ContactId,
    /// The name shown; empty if unknown.
    pub name: String,
    /// Who works with this person.
    pub responsible: Option<String>,
    /// Since when the person waits to be taken.
    pub waiting_since: Option<Timestamp>,
    /// Phones, e-mails and the like, the oldest first.
    pub identities: Vec<IdentityBrief>,
}

/// A phone, an e-mail or the like, for others.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct IdentityBrief {
    /// What it is.
    pub kind: IdentityKind,
    /// The canonical form: of a phone E.164, with `;ext=` and the extension.
    pub value: String,
    /// What to show, and to write to.
    pub display: String,
    /// How it is held.
    pub state: IdentityState,
    /// Mails to it come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Unreachable>,
}

/// What happened, for others.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ActivityBrief {
    /// Its number; unique within the installation.
    pub number: ActivityId,
    /// What.
    pub kind: ActivityKind,
    /// Where from; absent for notes.
    pub source: Option<SourceId>,
    /// When.
    pub occurred_at: Timestamp,
    /// What it tells.
    pub content: Content,
    /// Where the enquiry came from.
    pub touch: Touch,
}

/// A delivery, for others.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SubmissionBrief {
    /// Its id.
    pub id: SubmissionId,
    /// Where from.
    pub source: SourceId,
    /// When it came.
    pub received_at: Timestamp,
    /// Why it became what it became, in words.
    pub reasons: Vec<String>,
}

/// By what an address is remembered that was answered automatically: the SHA-256 of its canonical form.
pub fn of_address(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// What a store keeps of what is owed outward. One method is one transaction.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims due jobs: of each target so many at most, the longest due first. If it is to free, claims that have run out by the
    /// database's clock are free, and those of other gateways that have been silent for too long. A claim may be lost when the
    /// machine fails: then it is free, too. A job with a lane is not claimed while an earlier one of that lane and target has not ended.
    async fn claim_jobs(&self, wants: Vec<Want>, claim: Claim) -> Result<Vec<Job>, StoreError>;
    /// Writes what became of claimed jobs, and tells what follows; all of it or nothing. What was claimed again meanwhile is
    /// passed over.
    async fn settle_jobs(&self, settled: Vec<Settled>, news: Vec<News>) -> Result<(), StoreError>;
    /// When the next waiting job of these targets is due; `None`: none waits.
    async fn next_job(&self, targets: Vec<String>) -> Result<Option<Timestamp>, StoreError>;
    /// Gives up waiting jobs whose time is over, 256 at most in a call. A target that is not among these is not in the
    /// configuration: what it is owed waits for `orphans_before`. It tells of replies alone ([`super::Recipient::Reply`]): those that are
    /// still on their way fail, see [`News::reply_failed`]. An answer to a customer ([`super::Recipient::Relay`]) is given up by an
    /// attempt alone, which tells who wrote it.
    async fn bury_jobs(
        &self,
        targets: Vec<Target>,
        orphans_before: Timestamp,
        at: Timestamp,
        routes: Arc<Routes>,
    ) -> Result<Vec<Late>, StoreError>;
    /// Jobs, newest first.
    async fn jobs(&self, filter: JobFilter, at: PageAt) -> Result<Page<JobView>, StoreError>;
    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError>;
    /// How many jobs there are of each target in each state; those that are done are not counted.
    async fn job_counts(&self) -> Result<Vec<(String, JobState, u64)>, StoreError>;
    /// Makes jobs that wait, are held, were given up or dropped due now, and begins to count their time anew. How many.
    async fn retry_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError>;
    /// Gives up jobs that wait, are held or were given up, because a person says so. How many.
    async fn drop_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError>;
    /// The job whose delivery is called so by a target: by a message id, say.
    async fn job_by_ref(&self, scope: &str, value: &str) -> Result<Option<JobDetail>, StoreError>;
    /// What others are told, one for each, in order.
    async fn briefs(&self, of: Vec<BriefOf>) -> Result<Vec<Brief>, StoreError>;

    /// Tells what the gateway noticed.
    async fn tell(&self, news: News) -> Result<(), StoreError>;
    /// Raises an alarm and tells of it, unless it stands already: then only what it says is kept. Whether it is new.
    async fn raise(&self, alarm: Alarm, news: News) -> Result<bool, StoreError>;
    /// Takes an alarm back, and tells of it. `false`: there was none.
    async fn clear(&self, name: &str, key: &str, news: Option<News>) -> Result<bool, StoreError>;
    /// The alarms that stand, the oldest first.
    async fn alarms(&self) -> Result<Vec<AlarmView>, StoreError>;

    /// Sets timers; one that is there for the same thing stays as it is.
    async fn set_timers(&self, timers: Vec<NewTimer>) -> Result<(), StoreError>;
    /// Takes timers away: `(kind, key)`.
    async fn stop_timers(&self, timers: Vec<(String, String)>) -> Result<(), StoreError>;
    /// Timers that are due, the longest first.
    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError>;
    /// Ends or moves timers that still stand as they were seen, and tells what follows. How many stood.
    async fn settle_timers(&self, ends: Vec<TimerEnd>) -> Result<u64, StoreError>;

    /// The key that signs links in mails: the one that is kept, or this one, which is kept from now on.
    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError>;
    /// Notes that an address is answered automatically, if that may be: not within a day of the last time, and at most so many
    /// addresses of a source an hour. `address`: see [`of_address`]. A job that asks again for itself may.
    async fn may_answer(
        &self,
        job: JobId,
        address: [u8; 32],
        source: SourceId,
        most_an_hour: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
