//! What is read of a mailbox, and what is done with what was read.

use std::time::Duration;

use jiff::civil::Date;
use leadgate_core::ports::{BuildContext, BuildProblem};

/// Where the first reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    #[default]
    Now,
    /// With mails the server got on this day (its own calendar) or later: `backfill = "2026-01-01"`. They are historic.
    Since(Date),
}

/// What is done on the server with a mail after it was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// `\Seen`.
    Seen,
    /// A keyword.
    Keyword(String),
    /// It is moved to this folder, made if it is missing.
    Move(String),
}

/// What is read of a mailbox.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Folders, by the names people see (not modified UTF-7). The first is watched by IDLE.
    pub folders: Vec<String>,
    /// Folders of what managers sent, by the names people see.
    pub sent: Vec<String>,
    /// Where the first reading begins.
    pub start: Start,
    /// What is done with what was read.
    pub after: After,
    /// Between two looks, where the server does not tell; also for the folders that IDLE does not watch.
    pub poll: Duration,
    /// IDLE is asked for again after this time (RFC 2177: under 29 minutes).
    pub idle: Duration,
    /// Bytes; larger mails are read by their head and flagged truncated.
    pub largest: u64,
}

impl Watching {
    /// Takes its keys from a section.
    pub fn take(config: &mut toml::Table, context: &BuildContext, problems: &mut Vec<BuildProblem>) -> Self {
        let _ = (config, context, problems);
        todo!()
    }
}
