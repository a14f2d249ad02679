//! Moves the log into the database file beside the writer, so that no lead waits for it.
//!
//! A second connection copies what is committed while the writer goes on; when it has caught up, the writer copies the
//! little that came meanwhile itself, and the log begins anew. Left to SQLite, every so many commits one caller would wait
//! for the whole copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::sync::Notify;

/// Pages in the log, by estimate, that are worth a copy. Many, because a page that is written often is copied once.
const ENOUGH: usize = 16_000;
/// Pages left in the log that the writer may copy itself.
const FEW: i64 = 400;
/// Tries to catch up with a writer under load.
const ROUNDS: usize = 4;

/// The writer's side.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
    pages: usize,
}

#[derive(Default)]
struct Shared {
    wake: Notify,
    busy: AtomicBool,
    caught_up: AtomicBool,
    stop: AtomicBool,
}

impl Checkpointer {
    pub(crate) fn start(options: SqliteConnectOptions) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(copy(options, Arc::clone(&shared)));
        Self { shared, task, pages: 0 }
    }

    /// After a commit that wrote about so many submissions.
    pub(crate) async fn committed(&mut self, conn: &mut SqliteConnection, weight: usize) {
        // Measured: a commit of its own writes some twenty pages, a submission among many about three.
        self.pages += 20 + 3 * weight;
        if self.shared.caught_up.swap(false, Ordering::AcqRel) {
            if let Err(error) = passive(conn).await {
                tracing::warn!(%error, "the log could not be copied into the database; it grows until it can");
            }
            self.pages = 0;
        } else if self.pages >= ENOUGH && !self.shared.busy.swap(true, Ordering::AcqRel) {
            self.shared.wake.notify_one();
        }
    }

    /// Ends the copier; the writer's close copies the rest.
    pub(crate) async fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the log's copier did not end well");
        }
    }
}

/// Copies what no reader needs any more. Says how many pages are left.
async fn passive(conn: &mut SqliteConnection) -> sqlx::Result<i64> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(conn).await?;
    Ok(row.try_get::<i64, _>(1)? - row.try_get::<i64, _>(2)?)
}

async fn copy(options: SqliteConnectOptions, shared: Arc<Shared>) {
    let mut conn = None;
    loop {
        shared.wake.notified().await;
        if shared.stop.load(Ordering::Acquire) {
            break;
        }
        if let Err(error) = catch_up(&mut conn, &options).await {
            tracing::warn!(%error, "the log could not be copied into the database; the writer does it");
            conn = None;
        }
        shared.caught_up.store(true, Ordering::Release);
        shared.busy.store(false, Ordering::Release);
    }
    if let Some(conn) = conn
        && let Err(error) = conn.close().await
    {
        tracing::warn!(%error, "the copier's connection did not close");
    }
}

async fn catch_up(conn: &mut Option<SqliteConnection>, options: &SqliteConnectOptions) -> sqlx::Result<()> {
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(options.connect().await?),
    };
    for _ in 0..ROUNDS {
        if passive(conn).await? <= FEW {
            break;
        }
    }
    Ok(())
}
