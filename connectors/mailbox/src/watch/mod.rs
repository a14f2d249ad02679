//! The watcher: reads folders from where they were left, submits what it read with the new place, and does on the server
//! what is to be done afterwards.
//!
//! What it holds to:
//! - The place moves in the transaction of the mails it covers (`place`). A mail that comes again all the same (its folder's
//!   numbering changed, it was moved, the mailbox was put back from a copy) is known by its keys (`mail`).
//! - No UID is passed without a trace: a mail is recorded, or is in quarantine, or was gone when it was asked for.
//! - A mail that breaks the connection is tried by itself, a counted number of times, then passed over (`careful`).
//! - After any error of the connection it is dropped and opened anew.

mod again;
mod careful;
mod fetch;
mod fingerprint;
mod folders;
mod mail;
mod marking;
mod place;
mod reading;
mod server;
mod session;
mod status;
mod trial;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Feed, Finding, Pull, PullError, PullState};
use leadgate_core::replay::Kept;
use leadgate_core::submission::Submission;

pub use self::mail::ATTACHMENT;
use crate::settings::Settings;

/// A mailbox that is watched.
#[derive(Debug)]
pub struct Watcher {
    source: SourceId,
    settings: Arc<Settings>,
    memory: Mutex<Memory>,
}

/// What is remembered when the reading of a mailbox is begun anew.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Why it stopped: it is told until it works again.
    down: Option<(PullState, String)>,
    /// How often in a row IDLE was not taken.
    idle_failures: u32,
    /// When it is tried again.
    idle_again_at: Option<tokio::time::Instant>,
}

/// A folder that is read.
#[derive(Clone, Debug)]
struct Folder {
    /// As people see it.
    name: Arc<str>,
    /// It holds what managers sent.
    sent: bool,
}

impl Watcher {
    /// A mailbox as configured.
    pub fn new(source: SourceId, settings: Settings) -> Self {
        Self { source, settings: Arc::new(settings), memory: Mutex::default() }
    }

    async fn watch<D: server::Door>(&self, door: &D, feed: &dyn Feed, read: mail::Read) -> Result<(), PullError> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut watch = session::Watch::begin(&self.source, &self.settings, memory, feed, read).await?;
        let error = watch.run(door).await;
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = watch.memory;
        Err(error)
    }
}

#[async_trait]
impl Pull for Watcher {
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError> {
        self.watch(&self.settings.connection, feed, mail::read).await
    }

    async fn try_out(&self, tell: &(dyn Fn(Finding) + Send + Sync)) {
        trial::try_out(&self.settings.connection, &self.settings, tell).await;
    }

    fn read_again(&self, kept: &Kept) -> Result<Submission, String> {
        again::read_again(kept, &self.settings.policy, mail::read)
    }
}
