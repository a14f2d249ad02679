//! Making removed bytes vanish from the files of a database.
//!
//! What is removed is overwritten in its page (`secure_delete`), but it stands in the log until that begins anew. And where pages
//! were divided as they grew, the free space of a page may hold a copy of what was in it once: only writing the whole database
//! anew takes that away.

use std::path::Path;

use leadgate_core::ports::StoreError;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::error::{store, unavailable};
use crate::open::{self, Options};

/// How often the log is asked to begin anew while somebody reads in it. Each waits for readers and the writer.
const TRIES: u32 = 3;

/// Empties the log; `rebuild`: writes the database anew before, which keeps the writer waiting.
pub(crate) async fn scrub(path: &Path, rebuild: bool) -> Result<(), StoreError> {
    let options = open::writer_options(path, &Options { cache_kib: 8 << 10, ..Options::default() });
    let mut conn = options.connect().await.map_err(store)?;
    let outcome = with(&mut conn, rebuild).await;
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "the connection that cleaned up did not close");
    }
    outcome
}

async fn with(conn: &mut SqliteConnection, rebuild: bool) -> Result<(), StoreError> {
    if rebuild {
        sqlx::query("VACUUM").execute(&mut *conn).await.map_err(store)?;
    }
    for _ in 0..TRIES {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await.map_err(store)?;
        if row.try_get::<i64, _>(0).map_err(store)? == 0 {
            return Ok(());
        }
    }
    Err(unavailable("somebody has been reading for long, so the log of the database keeps what was removed a while longer"))
}
