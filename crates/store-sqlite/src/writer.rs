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

use crate::checkpoint::Checkpointer;
use crate::error;
use crate::sequence::Sequence;

/// Jobs that wait; more wait outside.
const QUEUE: usize = 256;
/// Jobs that share a commit at most.
const MOST_JOBS: usize = 32;
/// Work that shares a commit at most, in submissions: what comes after waits for the next, so that nobody waits long.
const MOST_WEIGHT: usize = 1024;

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
    /// The connection; a transaction is open.
    pub(crate) conn: SqliteConnection,
    /// Numbers for new rows.
    pub(crate) sequence: Sequence,
}

/// A job of any type.
trait Job: Send {
    /// From when on it must outlast a failure of the machine.
    fn lasts(&self) -> Lasts;
    /// How much it writes, in submissions.
    fn weight(&self) -> usize;
    /// Writes its rows.
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> Pending<'w, Result<(), StoreError>>;
    /// Answers its caller, once it is known whether the rows stay.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A job, with what it makes and who waits for it.
struct Task<T, F> {
    lasts: Lasts,
    weight: usize,
    work: Option<F>,
    value: Option<T>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send + 'static,
    F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
{
    fn lasts(&self) -> Lasts {
        self.lasts
    }

    fn weight(&self) -> usize {
        self.weight
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

    /// Runs a job in a transaction and returns after its commit. `weight`: how much it writes, in submissions.
    pub(crate) async fn write<T, F>(&self, lasts: Lasts, weight: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Pending<'w, Result<T, StoreError>> + Send + 'static,
    {
        let (caller, answered) = oneshot::channel();
        let task = Task { lasts, weight, work: Some(work), value: None, caller };
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

    /// A job that waits and may share a commit that lasts like this one: what need not last may share any.
    fn sharing(&mut self, lasts: Lasts) -> Option<Box<dyn Job>> {
        let job = self.next.take().or_else(|| self.jobs.try_recv().ok())?;
        if lasts == Lasts::Always || job.lasts() == Lasts::Soon {
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
        match begin(writing, &mut self.lasts, first.lasts()).await {
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
        let weight = group.written.iter().map(|job| job.weight()).sum();
        for job in group.written {
            job.answer(outcome.as_ref().copied().map_err(again));
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
        let Some(mut writing) = self.open.take() else { return };
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
            self.open = Some(Writing { conn, sequence });
            self.lasts = Lasts::Always;
            tracing::info!("the database connection is open again");
        }
        Ok(())
    }
}

/// Begins a transaction that lasts as its jobs must: <https://sqlite.org/pragma.html#pragma_synchronous>, in WAL mode.
async fn begin(writing: &mut Writing, now: &mut Lasts, lasts: Lasts) -> Result<(), StoreError> {
    if *now != lasts {
        let sql = match lasts {
            Lasts::Always => "PRAGMA synchronous = FULL",
            Lasts::Soon => "PRAGMA synchronous = NORMAL",
        };
        execute(&mut writing.conn, sql).await?;
        *now = lasts;
    }
    execute(&mut writing.conn, "BEGIN IMMEDIATE").await
}

/// Runs the first job and those that wait, until enough share the commit.
async fn run_all(writing: &mut Writing, queue: &mut Queue, first: Box<dyn Job>, group: &mut Group) {
    let lasts = first.lasts();
    let mut weight = 0;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        weight += job.weight();
        run_one(writing, job, group).await;
        if group.lost.is_none() && group.written.len() < MOST_JOBS && weight < MOST_WEIGHT {
            next = queue.sharing(lasts);
        }
    }
}

/// Runs a job. If it fails, its rows are taken back and its neighbours stay.
async fn run_one(writing: &mut Writing, mut job: Box<dyn Job>, group: &mut Group) {
    // The first needs no savepoint: if it fails, there is nothing before it that must stay.
    let alone = group.written.is_empty();
    if !alone && let Err(error) = execute(&mut writing.conn, "SAVEPOINT job").await {
        job.answer(Err(again(&error)));
        group.lost = Some(error);
        return;
    }
    let before = writing.sequence;
    let settled = match job.run(writing).await {
        Ok(()) => {
            group.written.push(job);
            if alone { Ok(()) } else { execute(&mut writing.conn, "RELEASE job").await }
        }
        Err(error) => {
            writing.sequence = before;
            let settled = take_back(&mut writing.conn, alone, &error).await;
            job.answer(Err(error));
            settled
        }
    };
    group.lost = settled.err();
}

async fn take_back(conn: &mut SqliteConnection, alone: bool, error: &StoreError) -> Result<(), StoreError> {
    if !matches!(error, StoreError::Rejected(_) | StoreError::Conflict | StoreError::LeaseLost(_)) {
        // The disk or the file: nothing of this transaction can be trusted.
        return Err(again(error));
    }
    if alone {
        execute(conn, "ROLLBACK").await?;
        return execute(conn, "BEGIN IMMEDIATE").await;
    }
    execute(conn, "ROLLBACK TO job").await?;
    execute(conn, "RELEASE job").await
}

async fn commit(writing: &mut Writing, before: Sequence) -> Result<(), StoreError> {
    if writing.sequence == before {
        return execute(&mut writing.conn, "COMMIT").await;
    }
    writing.sequence.commit(&mut writing.conn).await.map_err(no_row)
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
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(no_row)
}

/// What was refused is no row.
fn no_row(error: sqlx::Error) -> StoreError {
    match error::store(error) {
        StoreError::Rejected(why) => StoreError::Unavailable(why),
        error => error,
    }
}
