//! We ask a source, and the one way in for what is brought.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BoxError, Part};
use crate::ids::{SourceId, SubmissionId};
use crate::receipt::Receipt;
use crate::replay::Kept;
use crate::submission::{Cursor, CursorMove, Submission};

/// Why a pull source stopped.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// It will pass: the supervisor tries again with backoff.
    #[error("for the moment: {0}")]
    Transient(#[source] BoxError),
    /// The account was refused: tried again slowly, and told.
    #[error("refused: {0}")]
    Auth(#[source] BoxError),
    /// It will never work as configured.
    #[error("cannot work: {0}")]
    Fatal(#[source] BoxError),
}

impl From<IntakeError> for PullError {
    fn from(error: IntakeError) -> Self {
        Self::Transient(Box::new(error))
    }
}

/// A pull source's way in: bound to its place, and to the lease under which it is read.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Where the source was left; `None` if it was never read.
    async fn place(&self) -> Result<Option<Cursor>, IntakeError>;
    /// Records deliveries and moves the place in one transaction; returns after the commit. Both are refused with
    /// [`IntakeError::LeaseLost`] if another gateway reads the source by now.
    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError>;
    /// The time a delivery arrives at, and its id: for each delivery anew.
    fn arrival(&self) -> (Timestamp, SubmissionId);
    /// Keeps a file in the attachment store. A [`Part::Refused`] says why it was not kept.
    async fn keep(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<Part, IntakeError>;
    /// Tells how reading goes, for those who look after it. Cheap: it may be called often.
    fn report(&self, report: PullReport);
    /// Waits until somebody asks the source for something. What was asked is told again until it is [`Feed::answered`].
    async fn asked(&self) -> Ask;
    /// What was asked for is done, or under way and part of the place.
    async fn answered(&self) -> Result<(), IntakeError>;
    /// A random number, for pauses that do not meet.
    fn random(&self) -> u64;
    /// The address at which senders call this source; `None` if nobody does.
    fn url(&self) -> Option<String> {
        None
    }
}

/// What a person may ask of a source that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// To read what came on this day or later, as far as it was not read.
    Backfill {
        /// The day, by the server's calendar.
        #[schema(value_type = String, format = Date)]
        since: jiff::civil::Date,
    },
}

/// How reading a source goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullReport {
    /// How it is.
    pub state: PullState,
    /// What is wrong and what to do about it; empty if nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// When the other side last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// Its folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderReport>,
}

/// How a source that is read is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// On the way to it.
    #[default]
    Connecting,
    /// Reading what is there.
    Reading,
    /// Everything is read; it is watched.
    Watching,
    /// It cannot be reached.
    Down,
    /// The account is refused, or the section of the configuration cannot work.
    Refused,
}

/// How reading a folder goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderReport {
    /// The folder as people see it.
    pub name: String,
    /// How many items are there that were not read yet, at most.
    pub behind: u64,
    /// What was passed over into quarantine, since the gateway began to read it.
    pub quarantined: u64,
    /// A backfill under way: items read, and items in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<(u64, u64)>,
}

/// What a trial of a source found, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Whether the step went well.
    pub ok: bool,
    /// What was found, or what failed and what to do about it.
    pub words: String,
}

/// We ask a source. Runs until stopped.
#[async_trait]
pub trait Pull: Send + Sync {
    /// Reads until told to stop by dropping the future; submits through `feed` and moves its place there.
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError>;

    /// Tries the source without reading anything into the gateway, telling each finding as it is made.
    async fn try_out(&self, _tell: &(dyn Fn(Finding) + Send + Sync)) {}

    /// What a kept delivery says today; the error is for people.
    fn read_again(&self, _kept: &Kept) -> Result<Submission, String> {
        Err("what this kind of source brought is not read again".to_owned())
    }
}

/// Why intake took nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// Full, or the store cannot be written: nothing was stored, try again.
    #[error("nothing was stored, try again: {0}")]
    Busy(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Closing,
    /// Another gateway reads this source by now: nothing was stored, and nothing will be.
    #[error("another gateway reads this source by now")]
    LeaseLost,
}

/// The one way in.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Records deliveries; returns after the commit.
    async fn submit(&self, items: Vec<Submission>) -> Result<Vec<Receipt>, IntakeError>;
    /// Records deliveries of a pull source and moves its place in the same transaction; returns after the commit.
    async fn advance(&self, items: Vec<Submission>, to: CursorMove) -> Result<Vec<Receipt>, IntakeError>;
    /// A pull source's place.
    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, IntakeError>;
}
