//! Leadgate's store on SQLite: the embedded default.
//!
//! One writer, a thread that owns one connection and a queue of jobs; a few readers that never wait for it. `record` is
//! the one that must be fast: it loads what a batch touches (`facts`), lets the core decide and gather the plans
//! into rows, and writes those set-based (`apply`). Everything else is small. No row type leaves this crate.

mod accounts;
mod activities;
mod apply;
mod apply_leads;
mod apply_mails;
mod backup;
mod briefs;
mod bulk;
mod calls;
mod carry;
mod changes;
mod chats;
mod checkpoint;
mod contacts;
mod dump;
mod erase;
mod error;
mod facts;
mod jobs;
mod kept;
mod leads;
mod messages;
mod moves;
mod news;
mod nodes;
mod open;
mod outbox;
mod person;
mod record;
mod rows;
mod scrub;
mod senders;
mod sequence;
mod sources;
mod submissions;
mod sweep;
mod talks;
mod timers;
mod tokens;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, MoveId, NodeId, SourceId, SubmissionId};
use leadgate_core::keeping::{Body, Erased, ErasedView, Erasure, Footprint, Keeping, Person, Quota, Thinned, Thinning};
use leadgate_core::ports::{Act, Ask, Beat, NewToken, PullReport, Refusals, Restored, Store, StoreError, Sweep};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::replay::{Again, Kept, KeptFilter, Recorded};
use leadgate_core::rules::Rules;
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::submission::{Batch, Cursor};
use leadgate_core::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};
use tokio::sync::Mutex;

pub use crate::backup::{Idle, Original, files_beside};
pub use crate::error::OpenError;
pub use crate::open::Options;
use crate::sequence::Sequence;
use crate::writer::{Lasts, Pending, Terms, Writer, Writing};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// The store on one SQLite file.
pub struct SqliteStore {
    readers: SqlitePool,
    read_limit: Duration,
    path: PathBuf,
    /// `None`: opened for reading, or closed.
    serving: Mutex<Option<Serving>>,
    read_only: bool,
}

/// What serving a database takes.
struct Serving {
    writer: Writer,
    end: tokio::sync::oneshot::Receiver<()>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a database to serve it: makes it if there is none, brings its schema up to date, and takes its lock.
    pub async fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let folder = open::prepare_file(path)?;
        let lock = open::lock(path)?;
        let writer_options = open::writer_options(path, &options);
        let mut conn = open::connect(path, &writer_options).await?;
        open::installation(&mut conn, path).await?;
        let freed = jobs::free_all(&mut conn).await;
        freed.map_err(|error| OpenError::State(path.display().to_string(), Box::new(error)))?;
        let sequence =
            Sequence::load(&mut conn).await.map_err(|error| OpenError::State(path.display().to_string(), Box::new(error)))?;
        let readers = open::readers(path);
        open::try_reading(&readers, path).await?;
        let (writer, end) = Writer::start(Writing::new(conn, sequence), writer_options, folder, lock)
            .map_err(|source| OpenError::File { path: "the writer's thread".to_owned(), source })?;
        let serving = Mutex::new(Some(Serving { writer, end }));
        Ok(Self { readers, read_limit: options.read_limit, path: path.to_path_buf(), serving, read_only: false })
    }

    /// Opens a database for reading only, also while a gateway serves it.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        if !path.is_file() {
            return Err(OpenError::Missing(path.display().to_string()));
        }
        let readers = open::readers(path);
        open::try_reading(&readers, path).await?;
        let read_limit = Options::default().read_limit;
        Ok(Self { readers, read_limit, path: path.to_path_buf(), serving: Mutex::new(None), read_only: true })
    }

    /// Every row of every table as text, by table: for comparing databases. It takes as long as it takes.
    pub async fn dump(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(error::store)?;
        reader.lock_handle().await.map_err(error::store)?.remove_progress_handler();
        dump::dump(&mut reader).await
    }

    /// Names of attachments that kept submissions name, in order, after the one given; fewer than `limit`: there are no more.
    pub async fn attachment_names(&self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        backup::attachment_names(&mut *self.read().await?, after, limit).await
    }

    /// Notes that this database was put back from a backup.
    pub async fn note_restore(
        &self,
        at: Timestamp,
        backup_at: Timestamp,
        backup_version: String,
    ) -> Result<Restored, StoreError> {
        self.write(1, move |writing| {
            Box::pin(async move { backup::note_restore(&mut writing.conn, at, backup_at, &backup_version).await })
        })
        .await
    }

    async fn write<T, F>(&self, weight: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
    {
        self.write_with(Terms { lasts: Lasts::Always, weight, opens: false }, work).await
    }

    /// What may be lost if the machine itself fails, because it is done again then: nobody waits for the disk.
    async fn write_soon<T, F>(&self, weight: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
    {
        self.write_with(Terms { lasts: Lasts::Soon, weight, opens: false }, work).await
    }

    async fn write_with<T, F>(&self, terms: Terms, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
    {
        let writer = self.serving.lock().await.as_ref().map(|serving| serving.writer.clone());
        match writer {
            Some(writer) => writer.write(terms, work).await,
            None if self.read_only => Err(error::unavailable("the database was opened for reading")),
            None => Err(error::unavailable("the store is closed")),
        }
    }

    /// A snapshot to read from. It is interrupted after the limit, so that no question keeps the log from being reset.
    async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(error::store)?;
        let deadline = Instant::now() + self.read_limit;
        reader.lock_handle().await.map_err(error::store)?.set_progress_handler(STEPS, move || Instant::now() < deadline);
        Ok(reader)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let terms = Terms { lasts: Lasts::Always, weight: batch.items.len(), opens: record::in_few_trips(&batch) };
        self.write_with(terms, |writing| Box::pin(record::record(writing, batch, rules))).await
    }

    async fn preview(&self, items: Vec<Arc<Prepared>>, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        record::preview(&mut *self.read().await?, &items, &rules).await
    }

    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, StoreError> {
        sources::cursor(&mut *self.read().await?, source.as_str()).await
    }

    async fn kept(&self, filter: KeptFilter, after: Option<i64>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        kept::list(&mut *self.read().await?, &filter, after, limit).await
    }

    async fn kept_count(&self, filter: KeptFilter) -> Result<u64, StoreError> {
        kept::count(&mut *self.read().await?, &filter).await
    }

    async fn record_again(&self, items: Vec<Arc<Again>>, rules: Arc<Rules>, dry: bool) -> Result<Vec<Recorded>, StoreError> {
        if dry {
            return record::preview_again(&mut *self.read().await?, &items, &rules).await;
        }
        self.write(items.len(), move |writing| Box::pin(async move { record::again(writing, &items, &rules).await })).await
    }

    async fn ignore_sender(&self, sender: Sender, act: Act) -> Result<bool, StoreError> {
        self.write(1, move |writing| Box::pin(async move { senders::ignore(&mut writing.conn, &sender, &act).await })).await
    }

    async fn ignored_senders(&self) -> Result<Vec<IgnoredSender>, StoreError> {
        senders::list(&mut *self.read().await?).await
    }

    async fn forget_sender(&self, sender: Sender) -> Result<bool, StoreError> {
        self.write(1, move |writing| Box::pin(async move { senders::forget(&mut writing.conn, &sender).await })).await
    }

    async fn leads(&self, filter: LeadFilter, at: PageAt) -> Result<Page<LeadSummary>, StoreError> {
        leads::list(&mut *self.read().await?, &filter, &at).await
    }

    async fn lead(&self, id: LeadId) -> Result<Option<LeadDetail>, StoreError> {
        leads::one(&mut *self.read().await?, id).await
    }

    async fn contacts(&self, filter: ContactFilter, at: PageAt) -> Result<Page<ContactSummary>, StoreError> {
        contacts::list(&mut *self.read().await?, &filter, &at).await
    }

    async fn contact(&self, id: ContactId) -> Result<Option<ContactDetail>, StoreError> {
        contacts::one(&mut *self.read().await?, id).await
    }

    async fn submissions(&self, filter: SubmissionFilter, at: PageAt) -> Result<Page<SubmissionSummary>, StoreError> {
        submissions::list(&mut *self.read().await?, &filter, &at).await
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        submissions::one(&mut *self.read().await?, id).await
    }

    async fn reviews(&self, at: PageAt) -> Result<Page<ReviewView>, StoreError> {
        contacts::reviews(&mut *self.read().await?, &at).await
    }

    async fn activity_source(&self, id: ActivityId) -> Result<Option<Option<SourceId>>, StoreError> {
        activities::source(&mut *self.read().await?, id).await
    }

    async fn health(&self, now: Timestamp) -> Result<Vec<SourceHealth>, StoreError> {
        sources::health(&mut *self.read().await?, now).await
    }

    async fn note_source(&self, source: &SourceId, report: PullReport, at: Timestamp) -> Result<(), StoreError> {
        let source = source.clone();
        self.write(1, move |writing| Box::pin(async move { sources::note(&mut writing.conn, &source, &report, at).await })).await
    }

    async fn ask_source(&self, source: &SourceId, ask: Option<Ask>, at: Timestamp) -> Result<(), StoreError> {
        let source = source.clone();
        self.write(1, move |writing| Box::pin(async move { sources::ask(&mut writing.conn, &source, ask.as_ref(), at).await }))
            .await
    }

    async fn source_notes(&self) -> Result<Vec<SourceNote>, StoreError> {
        sources::notes(&mut *self.read().await?).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        sources::totals(&mut *self.read().await?).await
    }

    async fn installation(&self) -> Result<uuid::Uuid, StoreError> {
        sources::installation(&mut *self.read().await?).await
    }

    async fn change_lead(
        &self,
        id: LeadId,
        changes: Vec<LeadChange>,
        version: Option<i64>,
        act: Act,
    ) -> Result<Result<LeadDetail, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { changes::lead(writing, id, &changes, version, &act).await })).await
    }

    async fn take_contact(
        &self,
        id: ContactId,
        manager: String,
        act: Act,
    ) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { changes::take_contact(writing, id, &manager, &act).await })).await
    }

    async fn reachable(&self, id: ContactId, email: String, act: Act) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { changes::reachable(writing, id, &email, &act).await })).await
    }

    async fn detach(&self, activity: ActivityId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { moves::detach(writing, activity, &act).await })).await
    }

    async fn undo_move(&self, id: MoveId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { moves::undo(writing, id, &act).await })).await
    }

    async fn add_token(&self, token: NewToken, at: Timestamp) -> Result<bool, StoreError> {
        self.write(1, move |writing| Box::pin(async move { tokens::add(&mut writing.conn, &token, at).await })).await
    }

    async fn tokens(&self) -> Result<Vec<TokenView>, StoreError> {
        tokens::list(&mut *self.read().await?).await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<TokenView>, StoreError> {
        tokens::find(&mut *self.read().await?, &hash).await
    }

    async fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(1, move |writing| Box::pin(async move { tokens::revoke(&mut writing.conn, &name, at).await })).await
    }

    async fn lease(&self, name: &str, node: NodeId, lasts: Duration) -> Result<Option<i64>, StoreError> {
        let name = name.to_owned();
        self.write(1, move |writing| Box::pin(async move { nodes::lease(&mut writing.conn, &name, node, lasts).await })).await
    }

    async fn release(&self, name: &str, node: NodeId) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(1, move |writing| Box::pin(async move { nodes::release(&mut writing.conn, &name, node).await })).await
    }

    async fn beat(&self, beat: Beat, forget: Duration) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { nodes::beat(&mut writing.conn, &beat, forget).await })).await
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        self.write(1, move |writing| {
            Box::pin(async move {
                jobs::free(&mut writing.conn, node).await?;
                nodes::leave(&mut writing.conn, node).await
            })
        })
        .await
    }

    async fn nodes(&self) -> Result<Vec<NodeView>, StoreError> {
        nodes::list(&mut *self.read().await?).await
    }

    async fn refused(&self, refusals: Vec<Refusals>) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { sources::refused(&mut writing.conn, &refusals).await })).await
    }

    async fn attachments_known(&self, sha256: Vec<String>) -> Result<Vec<String>, StoreError> {
        sweep::attachments_known(&mut *self.read().await?, &sha256).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<u64, StoreError> {
        self.write(256, move |writing| Box::pin(sweep::sweep(&mut writing.conn, sweep))).await
    }

    async fn restored(&self) -> Result<Option<Restored>, StoreError> {
        backup::restored(&mut *self.read().await?).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        sources::installation(&mut *self.read().await?).await.map(|_| ())
    }

    async fn close(&self) {
        let serving = self.serving.lock().await.take();
        self.readers.close().await;
        if let Some(Serving { writer, end }) = serving {
            drop(writer);
            if end.await.is_err() {
                tracing::error!("the writer ended in a panic; the next start recovers the database");
            }
        }
    }
}

#[async_trait]
impl Keeping for SqliteStore {
    async fn thin(&self, thinning: Thinning) -> Result<Thinned, StoreError> {
        self.write(256, move |writing| Box::pin(async move { sweep::thin(&mut writing.conn, &thinning).await })).await
    }

    async fn beyond(&self, source: &SourceId, quota: Quota) -> Result<Option<i64>, StoreError> {
        let (mut so_far, mut before) = ((0, 0), i64::MAX);
        loop {
            let sizes = sweep::sizes(&mut *self.read().await?, source.as_str(), before).await?;
            if let Some(beyond) = quota.beyond(&mut so_far, &sizes) {
                return Ok(Some(beyond));
            }
            match sizes.last() {
                Some((seq, _)) => before = *seq,
                None => return Ok(None),
            }
        }
    }

    async fn footprint(&self, contact: ContactId) -> Result<Option<Footprint>, StoreError> {
        erase::footprint(&mut *self.read().await?, contact).await
    }

    async fn person(&self, contact: ContactId) -> Result<Option<Person>, StoreError> {
        person::one(&mut *self.read().await?, contact).await
    }

    async fn erase(&self, erasure: Erasure, act: Act) -> Result<Result<Erased, ChangeError>, StoreError> {
        self.write(256, move |writing| Box::pin(async move { erase::erase(writing, &erasure, &act).await })).await
    }

    async fn erased(&self, hashes: Option<Vec<[u8; 32]>>) -> Result<Vec<ErasedView>, StoreError> {
        erase::list(&mut *self.read().await?, hashes.as_deref()).await
    }

    async fn note_erased(&self, erased: Vec<ErasedView>) -> Result<Vec<ContactId>, StoreError> {
        self.write(256, move |writing| Box::pin(async move { erase::note(&mut writing.conn, &erased).await })).await
    }

    async fn bodies(&self, after: i64) -> Result<Vec<Body>, StoreError> {
        person::bodies(&mut *self.read().await?, after).await
    }

    async fn scrub(&self, rebuild: bool) -> Result<(), StoreError> {
        if self.serving.lock().await.is_none() {
            return Err(error::unavailable("the database is not open for writing"));
        }
        scrub::scrub(&self.path, rebuild).await
    }
}
