//! A way in that remembers what it took, with the rules of keys and of cursors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{Ask, Feed, IntakeError, Part, PullReport, PullState};
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Cursor, Submission};
use leadgate_tests::client::until;
use uuid::Uuid;

/// What was committed.
#[derive(Default)]
pub struct Ledger {
    pub cursor: Option<Cursor>,
    /// By key: what comes again is known.
    pub taken: BTreeMap<String, Submission>,
    pub repeats: usize,
    pub commits: usize,
    pub reports: Vec<PullReport>,
    /// So many commits fail before anything is written, and so many after.
    pub fail_before: usize,
    pub fail_after: usize,
}

/// The database; clones are the same.
#[derive(Clone, Default)]
pub struct Database {
    pub ledger: Arc<Mutex<Ledger>>,
    pub url: Option<String>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Database {
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// The messages that were taken.
    pub fn messages(&self) -> Vec<String> {
        self.ledger().taken.values().filter_map(|item| item.draft.message.clone()).collect()
    }

    pub fn last_report(&self) -> PullReport {
        self.ledger().reports.last().cloned().unwrap_or_default()
    }

    /// Waits until a report says so.
    pub async fn expect_report(&self, state: PullState, words: &str) -> PullReport {
        let what = format!("a report of {state:?} that says {words:?}");
        let seen = until(&what, async || {
            let ledger = self.ledger();
            Ok(ledger.reports.iter().find(|report| report.state == state && report.words.contains(words)).cloned())
        });
        seen.await.unwrap()
    }

    /// Waits until so many were taken.
    pub async fn expect(&self, count: usize) {
        until(&format!("{count} updates"), async || Ok((self.ledger().taken.len() >= count).then_some(()))).await.unwrap();
    }
}

#[async_trait]
impl Feed for Database {
    async fn place(&self) -> Result<Option<Cursor>, IntakeError> {
        Ok(self.ledger().cursor.clone())
    }

    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError> {
        let mut ledger = self.ledger();
        if ledger.fail_before > 0 {
            ledger.fail_before -= 1;
            return Err(IntakeError::Busy("the disk is full".to_owned()));
        }
        ledger.commits += 1;
        ledger.cursor = Some(to);
        for item in items {
            let key = item.keys.first().map_or_else(|| item.content.as_key(), |key| key.value.clone());
            match ledger.taken.get(&key) {
                Some(known) if known.content == item.content => ledger.repeats += 1,
                Some(_) => {
                    ledger.taken.insert(format!("{key}/{}", item.content.as_key()), item);
                }
                None => {
                    ledger.taken.insert(key, item);
                }
            }
        }
        if ledger.fail_after > 0 {
            ledger.fail_after -= 1;
            return Err(IntakeError::Busy("the answer was lost".to_owned()));
        }
        Ok(Vec::new())
    }

    #[expect(clippy::disallowed_methods, reason = "the fake service has a clock of its own, and this is its")]
    fn arrival(&self) -> (Timestamp, SubmissionId) {
        (Timestamp::now(), SubmissionId(Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))))
    }

    async fn keep(&self, _name: &str, _content_type: &str, _bytes: Bytes) -> Result<Part, IntakeError> {
        Err(IntakeError::Closing)
    }

    fn report(&self, report: PullReport) {
        self.ledger().reports.push(report);
    }

    async fn asked(&self) -> Ask {
        std::future::pending().await
    }

    async fn answered(&self) -> Result<(), IntakeError> {
        Ok(())
    }

    fn random(&self) -> u64 {
        4
    }

    fn url(&self) -> Option<String> {
        self.url.clone()
    }
}
