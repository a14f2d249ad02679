//! A way in that remembers what it took, with the rules of keys and of cursors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{Ask, Feed, IntakeError, Part, PullReport};
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::submission::{Cursor, FileRef, Submission};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use uuid::Uuid;

use super::fake::Mailbox;

/// What was committed.
#[derive(Default)]
pub struct Ledger {
    pub cursor: Option<Cursor>,
    /// What was taken, with what became of it.
    pub taken: Vec<(Submission, Outcome)>,
    pub keys: HashMap<(String, String), Vec<u8>>,
    pub reports: Vec<PullReport>,
    pub ask: Option<Ask>,
    pub files: usize,
    pub commits: usize,
    /// The lease under which the source is read now.
    pub fence: u32,
    pub busy: bool,
    pub no_files: bool,
}

/// The database; clones are the same.
#[derive(Clone, Default)]
pub struct Database {
    pub ledger: Arc<Mutex<Ledger>>,
    pub asked: Arc<Notify>,
}

impl Database {
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    pub fn ask(&self, ask: Ask) {
        self.ledger().ask = Some(ask);
        self.asked.notify_waiters();
    }

    /// Titles of what was taken as something new, in order.
    pub fn titles(&self) -> Vec<String> {
        let ledger = self.ledger();
        let new = ledger.taken.iter().filter(|(_, outcome)| *outcome == Outcome::Created);
        new.map(|(item, _)| item.draft.title.clone().unwrap_or_default()).collect()
    }

    pub fn count(&self, outcome: Outcome) -> usize {
        self.ledger().taken.iter().filter(|(_, known)| *known == outcome).count()
    }

    pub fn last_report(&self) -> PullReport {
        self.ledger().reports.last().cloned().unwrap_or_default()
    }
}

/// One reader's way in.
pub struct MemoryFeed {
    pub database: Database,
    pub mailbox: Mailbox,
    pub fence: u32,
}

impl Ledger {
    fn take(&mut self, item: Submission) -> Outcome {
        let outcome = if item.hold.is_some() {
            Outcome::Quarantined
        } else {
            let known = |key: &leadgate_core::submission::Key| self.keys.get(&(key.scope.to_owned(), key.value.clone()));
            match item.keys.iter().find_map(known) {
                Some(content) if *content == item.content.0 => Outcome::Repeat,
                // The same key with another content: on the activity of the first.
                Some(_) => Outcome::Attached,
                None => Outcome::Created,
            }
        };
        if !matches!(outcome, Outcome::Quarantined | Outcome::Repeat) {
            for key in &item.keys {
                self.keys.insert((key.scope.to_owned(), key.value.clone()), item.content.0.to_vec());
            }
        }
        self.taken.push((item, outcome));
        outcome
    }
}

#[async_trait]
impl Feed for MemoryFeed {
    async fn place(&self) -> Result<Option<Cursor>, IntakeError> {
        Ok(self.database.ledger().cursor.clone())
    }

    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError> {
        self.mailbox.moment().await;
        let receipts = {
            let mut ledger = self.database.ledger();
            if ledger.busy {
                return Err(IntakeError::Busy("the disk is full".to_owned()));
            }
            if ledger.fence != self.fence {
                return Err(IntakeError::LeaseLost);
            }
            ledger.commits += 1;
            ledger.cursor = Some(to);
            let mut receipts = Vec::new();
            for item in items {
                let submission = item.id;
                let outcome = ledger.take(item);
                receipts.push(Receipt { submission, outcome, lead: None, contact: None, activity: None, reasons: Vec::new() });
            }
            receipts
        };
        // The commit may be done and its answer lost.
        self.mailbox.moment().await;
        Ok(receipts)
    }

    fn arrival(&self) -> (Timestamp, SubmissionId) {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (self.mailbox.now(), SubmissionId(Uuid::from_u128(u128::from(next))))
    }

    async fn keep(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<Part, IntakeError> {
        self.mailbox.moment().await;
        let mut ledger = self.database.ledger();
        if ledger.no_files {
            let why = "the disk is nearly full".to_owned();
            return Ok(Part::Refused { field: String::new(), name: name.to_owned(), why });
        }
        ledger.files += 1;
        Ok(Part::File(FileRef {
            sha256: leadgate_core::submission::hex(&Sha256::digest(&bytes)),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size: bytes.len() as u64,
            field: String::new(),
        }))
    }

    fn report(&self, report: PullReport) {
        self.database.ledger().reports.push(report);
    }

    async fn asked(&self) -> Ask {
        loop {
            let told = self.database.asked.notified();
            if let Some(ask) = self.database.ledger().ask {
                return ask;
            }
            told.await;
        }
    }

    async fn answered(&self) -> Result<(), IntakeError> {
        self.mailbox.moment().await;
        self.database.ledger().ask = None;
        Ok(())
    }

    fn random(&self) -> u64 {
        4
    }
}
