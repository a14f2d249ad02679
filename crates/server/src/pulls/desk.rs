//! What the sources that this gateway reads tell of themselves, and word that something is asked of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::PullReport;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::metrics;

/// A report, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How reading goes.
    pub report: PullReport,
    /// When that was.
    pub at: Timestamp,
}

/// What is told of the sources this gateway reads.
#[derive(Debug, Default)]
pub struct Desk {
    told: Mutex<HashMap<SourceId, Told>>,
    asked: Notify,
}

impl Desk {
    /// A source tells how it is.
    pub fn tell(&self, source: &SourceId, report: PullReport, at: Timestamp) {
        metrics::reading(source, &report);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(source.clone(), Told { report, at });
    }

    /// What a source that this gateway reads told last.
    pub fn told(&self, source: &SourceId) -> Option<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// This gateway does not read it any more: another may.
    pub fn leave(&self, source: &SourceId) {
        metrics::reading(source, &PullReport::default());
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// Something was asked of a source through this gateway.
    pub fn ask(&self) {
        self.asked.notify_waiters();
    }

    /// Waits for [`Desk::ask`], from now on.
    pub fn asked(&self) -> Notified<'_> {
        self.asked.notified()
    }
}
