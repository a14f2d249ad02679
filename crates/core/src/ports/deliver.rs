//! Delivering to others what they are to hear.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::onward::{Brief, Job};

/// What is delivered: an event as it is told now.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// What is owed. Its id is the same at every attempt.
    pub job: Job,
    /// The id of the installation.
    pub installation: Uuid,
    /// The lead, the person and what happened, as they stand now.
    pub brief: Brief,
    /// When this attempt is made.
    pub now: Timestamp,
}

/// It arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// What it is called there: `(scope, value)`, kept with the job.
    pub refs: Vec<(String, String)>,
    /// What was answered, for people: a status, say. Nobody's data.
    pub words: String,
}

/// Why it did not arrive. The words are for people; they hold nobody's data and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The target takes nothing now: it cannot be reached, is overloaded or broken. So with everything that goes there.
    #[error("{words}")]
    Unavailable {
        /// Why.
        words: String,
        /// When it may be asked again, if it said so.
        after: Option<Duration>,
    },
    /// It does not take this now; others it may take.
    #[error("{words}")]
    Later {
        /// Why.
        words: String,
        /// When it may be asked again, if it said so.
        after: Option<Duration>,
    },
    /// It will never take this.
    #[error("{words}")]
    Refused {
        /// Why.
        words: String,
    },
    /// Whom it is for is not known there, or takes nothing: so with everything for them.
    #[error("{words}")]
    NoRecipient {
        /// Why.
        words: String,
    },
    /// Whom it is for is not to be disturbed before then. Nothing was tried.
    #[error("quiet until {until}")]
    Quiet {
        /// When it may be.
        until: Timestamp,
    },
    /// It is not there any more, and said so: nothing goes there until a person looks at it.
    #[error("{words}")]
    Gone {
        /// Why.
        words: String,
    },
}

/// A target.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Makes one attempt. It ends in time by itself, whatever the other side does.
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError>;
}
