//! The one writer: a thread that owns one connection. Every writing method is a job on its queue; neighbours share a
//! commit, each under a savepoint of its own, and are answered after it.

use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use leadgate_core::ports::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::bulk::Script;
use crate::checkpoint::Checkpointer;
use crate::error;
use crate::sequence::Sequence;

/// Jobs that wait; more wait outside.
const QUEUE: usize = 256;
/// Jobs that share a commit at most.
const MOST_JOBS: usize = 32;
/// Work that shares a commit at most, in submissions: what comes after waits for the next, so that nobody waits long.
const MOST_WEIGHT: usize = 1024;

/// Opens a transaction.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// From when on what is written outlasts a failure of the machine itself. That of this process everything outlasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// When it is answered: the log is on the disk.
    Always,
    /// With the next commit that does, or when the log is put into the database: what is lost is only done again.
    Soon,
}

pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a job works with, inside the transaction.
pub(crate) struct Writing {
    /// The connection; a transaction is open, unless the job opens it.
    pub(crate) conn: SqliteConnection,
    /// Numbers for new rows.
    pub(crate) sequence: Sequence,
    /// What opens the transaction, until somebody has.
    pub(crate) unopened: Option<&'static str>,
    /// Rows that the job leaves to the commit: it has nothing more to look at.
    pub(crate) left: Option<Script>,
}

impl Writing {
    pub(crate) fn new(conn: SqliteConnection, sequence: Sequence) -> Self {
        Self { conn, sequence, unopened: None, left: None }
    }

    /// Opens the transaction, if nobody has.
    async fn open(&mut self) -> Result<(), StoreError> {
        match self.unopened.take() {
            Some(sql) => execute(&mut self.conn, sql).await,
            None => Ok(()),
        }
    }

    /// Writes what was left.
    async fn finish(&mut self) -> Result<(), StoreError> {
        match self.left.take() {
            Some(script) => script.run(&mut self.conn).await,
            None => Ok(()),
        }
    }
}

/// What a job asks of its commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// From when on it must outlast a failure of the machine.
    pub(crate) lasts: Lasts,
    /// How much it writes, in submissions.
    pub(crate) weight: usize,
    /// Whether it opens the transaction itself, by [`Writing::unopened`].
    pub(crate) opens: bool,
}

/// A job of any type.
trait Job: Send {
    /// What it asks of its commit.
    fn terms(&self) -> Terms;
    /// Writes its rows.
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> Pending<'w, Result<(), StoreError>>;
    /// Answers its caller, once it is known whether the rows stay.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A job, with what it makes and who waits for it.
struct Task<T, F> {
    terms: Terms,
    work: Option<F>,
    value: Option<T>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send + 'static,
    F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
{
    fn terms(&self) -> Terms {
        self.terms
    }

    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> Pending<'w, Result<(), StoreError>> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return Err(error::unavailable("a job ran twice")) };
            self.value = Some(work(writing).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let value = self.value.ok_or_else(|| error::unavailable("the job was not run"));
        if self.caller.send(outcome.and(value)).is_err() {
            tracing::debug!("a caller of the store went away before its answer");
        }
    }
}

/// The queue's near end.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the writer's thread; it ends when every [`Writer`] is gone and the queue is empty, and says so.
    ///
    /// A thread of its own, because a commit is a score of short waits for the connection: as a task among hundreds of busy
    /// connections each of them would end at the back of the runtime's queue, and the disk would idle meanwhile.
    pub(crate) fn start(
        writing: Writing,
        options: SqliteConnectOptions,
        folder: PathBuf,
        lock: File,
    ) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (ended, end) = oneshot::channel();
        // Neither sockets nor clocks: who waits for nothing but other threads is woken without them.
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        std::thread::Builder::new().name("leadgate-writer".to_owned()).spawn(move || {
            runtime.block_on(async {
                let checkpointer = Checkpointer::start(options.clone());
                let queue = Queue { jobs: queue, next: None };
                Desk { queue, open: Some(writing), lasts: Lasts::Always, options, folder, checkpointer, _lock: lock }
                    .serve()
                    .await;
            });
            if ended.send(()).is_err() {
                tracing::debug!("nobody waited for the writer's end");
            }
        })?;
        Ok((Self { jobs }, end))
    }

    /// Runs a job in a transaction and returns after its commit.
    pub(crate) async fn write<T, F>(&self, terms: Terms, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
    {
        let (caller, answered) = oneshot::channel();
        let task = Task { terms, work: Some(work), value: None, caller };
        self.jobs.send(Box::new(task)).await.map_err(|_| error::unavailable("the store is closed"))?;
        answered.await.unwrap_or_else(|_| Err(error::unavailable("the writer stopped before it could answer")))
    }
}

/// The jobs that wait.
struct Queue {
    jobs: mpsc::Receiver<Box<dyn Job>>,
    /// Looked at, and left for the next commit.
    next: Option<Box<dyn Job>>,
}

impl Queue {
    /// The next job; `None`: there will be none.
    async fn recv(&mut self) -> Option<Box<dyn Job>> {
        match self.next.take() {
            Some(job) => Some(job),
            None => self.jobs.recv().await,
        }
    }

    /// Leaves a job that was looked at for the next commit.
    fn put_back(&mut self, job: Option<Box<dyn Job>>) {
        if job.is_some() {
            self.next = job;
        }
    }

    /// A job that waits and may share a commit that lasts like this one: what need not last may share any.
    fn sharing(&mut self, lasts: Lasts) -> Option<Box<dyn Job>> {
        let job = self.next.take().or_else(|| self.jobs.try_recv().ok())?;
        if lasts == Lasts::Always || job.terms().lasts == Lasts::Soon {
            return Some(job);
        }
        self.next = Some(job);
        None
    }
}

/// The far end of the queue.
struct Desk {
    queue: Queue,
    /// `None` after the connection was lost.
    open: Option<Writing>,
    /// How the connection commits now.
    lasts: Lasts,
    options: SqliteConnectOptions,
    folder: PathBuf,
    checkpointer: Checkpointer,
    /// Held until the last row is written.
    _lock: File,
}

/// Jobs that share a commit.
#[derive(Default)]
struct Group {
    /// Their rows are written.
    written: Vec<Box<dyn Job>>,
    /// The transaction is lost, and why.
    lost: Option<StoreError>,
}

impl Desk {
    async fn serve(mut self) {
        while let Some(job) = self.queue.recv().await {
            match self.reopen().await {
                Ok(()) => self.group(job).await,
                Err(error) => job.answer(Err(error)),
            }
        }
        self.checkpointer.stop().await;
        if let Some(writing) = self.open.take()
            && let Err(error) = close(writing.conn).await
        {
            tracing::warn!(%error, "the database was not closed cleanly; the next start recovers it");
        }
    }

    /// One commit: the first job and what waits behind it.
    async fn group(&mut self, first: Box<dyn Job>) {
        let Some(writing) = &mut self.open else { return first.answer(Err(error::unavailable("the database is not open"))) };
        let before = writing.sequence;
        let mut group = Group::default();
        match begin(writing, &mut self.lasts, first.terms().lasts).await {
            Ok(()) => run_all(writing, &mut self.queue, first, &mut group).await,
            Err(error) => {
                first.answer(Err(again(&error)));
                group.lost = Some(error);
            }
        }
        let outcome = match group.lost {
            Some(error) => Err(error),
            None => commit(writing, before).await,
        };
        let outcome = outcome.map_err(|error| self.no_space(error));
        if outcome.is_err() {
            self.recover(before).await;
        }
        let weight = group.written.iter().map(|job| job.terms().weight).sum();
        match (outcome, <[Box<dyn Job>; 1]>::try_from(group.written)) {
            // Its own rows were refused, perhaps.
            (outcome, Ok([only])) => only.answer(outcome),
            (outcome, Err(several)) => several.into_iter().for_each(|job| job.answer(outcome.as_ref().copied().map_err(again))),
        }
        if let Some(writing) = &mut self.open {
            self.checkpointer.committed(&mut writing.conn, weight).await;
        }
    }

    /// An I/O error on a full disk is a full disk.
    fn no_space(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Unavailable(_)) && fs4::available_space(&self.folder).is_ok_and(|free| free < 1 << 16) {
            return StoreError::Full;
        }
        error
    }

    /// Takes everything back and makes the connection usable, or gives it up.
    async fn recover(&mut self, before: Sequence) {
        let Some(Writing { conn, .. }) = self.open.take() else { return };
        let mut writing = Writing::new(conn, before);
        // After some errors SQLite has taken the transaction back itself; then there is nothing to roll back.
        if let Err(error) = execute(&mut writing.conn, "ROLLBACK").await {
            tracing::debug!(%error, "nothing to roll back");
        }
        match Sequence::load(&mut writing.conn).await {
            Ok(sequence) => {
                if sequence != before {
                    tracing::warn!("a commit was made although it reported an error");
                }
                writing.sequence = sequence;
                self.open = Some(writing);
            }
            Err(error) => {
                tracing::error!(%error, "the database connection is given up and opened anew");
                if let Err(error) = writing.conn.close_hard().await {
                    tracing::warn!(%error, "the old database connection did not close");
                }
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        if self.open.is_none() {
            let mut conn = self.options.connect().await.map_err(error::store)?;
            let sequence = Sequence::load(&mut conn).await?;
            self.open = Some(Writing::new(conn, sequence));
            self.lasts = Lasts::Always;
            tracing::info!("the database connection is open again");
        }
        Ok(())
    }
}

/// Prepares a transaction that lasts as its jobs must: <https://sqlite.org/pragma.html#pragma_synchronous>, in WAL mode.
async fn begin(writing: &mut Writing, now: &mut Lasts, lasts: Lasts) -> Result<(), StoreError> {
    writing.unopened = Some(BEGIN);
    if *now != lasts {
        let sql = match lasts {
            Lasts::Always => "PRAGMA synchronous = FULL",
            Lasts::Soon => "PRAGMA synchronous = NORMAL",
        };
        execute(&mut writing.conn, sql).await?;
        *now = lasts;
    }
    Ok(())
}

/// Runs the first job and those that wait, until enough share the commit.
async fn run_all(writing: &mut Writing, queue: &mut Queue, first: Box<dyn Job>, group: &mut Group) {
    let lasts = first.terms().lasts;
    let mut weight = 0;
    let mut next = Some(first);
    while let Some(mut job) = next.take() {
        weight += job.terms().weight;
        // The first needs no savepoint: if it fails, there is nothing before it that must stay.
        let alone = group.written.is_empty();
        if let Err(error) = prepare(writing, alone, job.terms().opens).await {
            job.answer(Err(again(&error)));
            group.lost = Some(error);
            return;
        }
        let before = writing.sequence;
        let mut written = job.run(writing).await;
        if group.written.len() + 1 < MOST_JOBS && weight < MOST_WEIGHT {
            next = queue.sharing(lasts);
        }
        // Who has the commit for itself may leave its rows to it; who shares it must not fail its neighbours.
        if written.is_ok() && !(alone && next.is_none()) {
            written = writing.finish().await;
        }
        group.lost = settle(writing, before, written, job, &mut group.written).await.err();
        if group.lost.is_some() {
            queue.put_back(next);
            return;
        }
    }
}

/// What stands before a job's own statements.
async fn prepare(writing: &mut Writing, alone: bool, opens: bool) -> Result<(), StoreError> {
    if alone && opens {
        return Ok(());
    }
    writing.open().await?;
    if alone { Ok(()) } else { execute(&mut writing.conn, "SAVEPOINT job").await }
}

/// What stands behind a job's own statements. If it failed, its rows are taken back and its neighbours stay.
async fn settle(
    writing: &mut Writing,
    before: Sequence,
    written: Result<(), StoreError>,
    job: Box<dyn Job>,
    stay: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let alone = stay.is_empty();
    let Err(error) = written else {
        stay.push(job);
        return if alone { Ok(()) } else { execute(&mut writing.conn, "RELEASE job").await };
    };
    writing.sequence = before;
    let settled = take_back(writing, alone, &error).await;
    job.answer(Err(error));
    settled
}

async fn take_back(writing: &mut Writing, alone: bool, error: &StoreError) -> Result<(), StoreError> {
    if !matches!(error, StoreError::Rejected(_) | StoreError::Conflict | StoreError::LeaseLost(_)) {
        // The disk or the file: nothing of this transaction can be trusted.
        return Err(again(error));
    }
    if !alone {
        execute(&mut writing.conn, "ROLLBACK TO job").await?;
        return execute(&mut writing.conn, "RELEASE job").await;
    }
    if writing.unopened.replace(BEGIN).is_none() {
        execute(&mut writing.conn, "ROLLBACK").await?;
    }
    Ok(())
}

async fn commit(writing: &mut Writing, before: Sequence) -> Result<(), StoreError> {
    if writing.unopened.take().is_some() {
        return Ok(());
    }
    let (mut script, rows_left) = match writing.left.take() {
        Some(rows) => (rows, true),
        None => (Script::new(0), false),
    };
    if writing.sequence != before {
        writing.sequence.keep(&mut script);
    }
    script.say("COMMIT", |_none| {});
    script.run(&mut writing.conn).await.map_err(|error| if rows_left { error } else { no_row(error) })
}

/// The same failure for the next caller.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Conflict => StoreError::Conflict,
        StoreError::LeaseLost(sources) => StoreError::LeaseLost(sources.clone()),
        StoreError::Corrupt { table, detail } => StoreError::Corrupt { table, detail: detail.clone() },
        StoreError::Rejected(source) | StoreError::Unavailable(source) => error::unavailable(source.to_string()),
    }
}

async fn close(mut conn: SqliteConnection) -> Result<(), StoreError> {
    execute(&mut conn, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    conn.close().await.map_err(error::store)
}

/// Begins, ends or divides a transaction. If that is refused, no row is to blame: nothing of it is poisoned.
pub(crate) async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(|error| no_row(error::store(error)))
}

/// What was refused is no row.
fn no_row(error: StoreError) -> StoreError {
    match error {
        StoreError::Rejected(why) => StoreError::Unavailable(why),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SqliteStore};

    const ALWAYS: Terms = Terms { lasts: Lasts::Always, weight: 1, opens: false };
    const SOON: Terms = Terms { lasts: Lasts::Soon, weight: 1, opens: false };
    const OPENS: Terms = Terms { lasts: Lasts::Always, weight: 1, opens: true };

    /// A job that writes a row and leaves another to the commit.
    async fn leaves(writing: &mut Writing, n: Option<i64>) -> Result<(), StoreError> {
        writing.open().await?;
        execute(&mut writing.conn, "INSERT INTO source_count (source, outcome, n) VALUES ('first', '', 1)").await?;
        let mut script = Script::new(1);
        script.say("INSERT INTO source_count (source, outcome, n) VALUES ('left', '', ?)", |values| {
            values.add(n);
        });
        writing.left = Some(script);
        Ok(())
    }

    async fn writes(writing: &mut Writing) -> Result<(), StoreError> {
        execute(&mut writing.conn, "INSERT INTO source_count (source, outcome, n) VALUES ('neighbour', '', 1)").await
    }

    fn fails(_: &mut Writing) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async { Err(error::unavailable("no disk")) })
    }

    async fn rows(store: &SqliteStore) -> Vec<String> {
        sqlx::query_scalar("SELECT source FROM source_count ORDER BY source").fetch_all(&store.readers).await.unwrap()
    }

    /// What came of two jobs of which the second waits while the first runs.
    async fn both(
        store: &SqliteStore,
        (terms, first): (Terms, impl for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<(), StoreError>> + Send + 'static),
        second: Terms,
    ) -> (Result<(), StoreError>, Result<(), StoreError>) {
        let (waits, waiting) = oneshot::channel();
        let first = store.write_with(terms, move |writing| {
            Box::pin(async move {
                waiting.await.unwrap();
                first(writing).await
            })
        });
        let second = store.write_with(second, |writing| Box::pin(writes(writing)));
        // In the order they stand here: both wait before the first may go on.
        let (first, second, ()) = tokio::join!(first, second, async { waits.send(()).unwrap() });
        (first, second)
    }

    #[tokio::test]
    async fn what_a_job_leaves_is_in_its_commit_and_fails_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (n, alone, kept) in [
            (Some(1), true, vec!["first", "left"]),
            (Some(1), false, vec!["first", "left", "neighbour"]),
            (None, true, vec![]),
            (None, false, vec!["neighbour"]),
        ] {
            let path = folder.path().join(format!("{n:?}{alone}/leads.db"));
            let store = SqliteStore::open(&path, Options::default()).await.unwrap();
            let outcome = if alone {
                store.write_with(OPENS, move |writing| Box::pin(leaves(writing, n))).await
            } else {
                let (outcome, neighbour) = both(&store, (OPENS, move |writing| Box::pin(leaves(writing, n))), ALWAYS).await;
                neighbour.unwrap();
                outcome
            };
            match n {
                Some(_) => outcome.unwrap(),
                None => assert!(matches!(outcome, Err(StoreError::Rejected(_))), "{outcome:?}"),
            }
            assert_eq!(rows(&store).await, kept, "{n:?}, alone: {alone}");
            store
                .write_with(ALWAYS, |writing| {
                    Box::pin(async move {
                        execute(&mut writing.conn, "DELETE FROM source_count").await?;
                        writes(writing).await
                    })
                })
                .await
                .unwrap();
            assert_eq!(rows(&store).await, ["neighbour"], "it goes on");
        }
    }

    #[tokio::test]
    async fn who_waits_is_served_after_a_commit_that_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        for (n, first, second) in [(1, SOON, ALWAYS), (2, ALWAYS, ALWAYS), (3, OPENS, SOON)] {
            let path = folder.path().join(format!("{n}/leads.db"));
            let store = SqliteStore::open(&path, Options::default()).await.unwrap();
            let (outcome, neighbour) = both(&store, (first, fails), second).await;
            assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
            neighbour.unwrap();
            assert_eq!(rows(&store).await, ["neighbour"], "{n}");
        }
    }
}
