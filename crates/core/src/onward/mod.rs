//! What follows from a lead, outward: events, who is told of them, the deliveries that are owed, and what is due at a time.
//!
//! An event is a row in the transaction of what it tells. [`Routes`] say who is to hear of it; each that is gets a [`NewJob`]
//! in the same transaction. Only what is fresh is told: what is historic or a test owes nobody anything.

mod catalogue;
mod envelope;
mod hours;
mod job;
mod outbox;
mod quiet;
mod routes;
mod timer;
mod words;

pub use catalogue::{EVENTS, EventKind, Subject, event, version_of};
pub use envelope::{Envelope, Told};
pub use hours::Hours;
pub use job::{Detail, EventData, Job, JobEnd, JobId, JobState, NewJob, Settled};
pub use outbox::{
    ActivityBrief, Alarm, AlarmView, Brief, BriefOf, Claim, ContactBrief, IdentityBrief, JobDetail, JobFilter, JobView, Late,
    LeadBrief, News, Outbox, Overdue, SubmissionBrief, Target, Want, of_address,
};
pub use quiet::Quiet;
pub use routes::{Occurred, Pattern, Recipient, Route, Routes};
pub use timer::{CALL_QUIET, CALL_UNRETURNED, CONTACT_WAITING, LEAD_WAITING, NewTimer, Timer, TimerEnd, call_key, call_of};
pub use words::{AlarmWords, alarm_words};
