//! Copies of a database that is being served, and the note that one was put back.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use leadgate_core::ports::{Restored, StoreError};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::error::{OpenError, store};
use crate::open;
use crate::rows::Columns;

/// Holds the lock of a database that nobody serves: as long as it lives, nobody does.
#[derive(Debug)]
pub struct Idle(#[expect(dead_code, reason = "held, not read")] std::fs::File);

impl Idle {
    /// Takes the lock, which lies beside the database; there need be no database yet. `OpenError::Locked`: somebody serves it.
    pub fn hold(database: &Path) -> Result<Self, OpenError> {
        open::prepare_folder(database)?;
        open::lock(database).map(Self)
    }
}

/// The files that make up a database, beside the one with its name: its log, the log's index and its lock.
pub fn files_beside(database: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", ".lock"].map(|suffix| open::with_suffix(database, suffix))
}

/// A database to copy from, also while a gateway serves it. Has a connection of its own.
#[derive(Debug)]
pub struct Original {
    conn: SqliteConnection,
    path: PathBuf,
}

impl Original {
    /// Opens it for reading.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.is_file() {
            return Err(OpenError::Missing(path.display().to_string()));
        }
        let mut conn = open::reader_options(path).connect().await.map_err(|source| open::database_error(path, source))?;
        open::fits(&mut conn, path).await?;
        Ok(Self { conn, path: path.to_path_buf() })
    }

    /// How large a copy becomes at most, in bytes.
    pub async fn size(&mut self) -> Result<u64, OpenError> {
        let sql = "SELECT (p.page_count - f.freelist_count) * s.page_size
                   FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s";
        let bytes: i64 =
            sqlx::query_scalar(sql).fetch_one(&mut self.conn).await.map_err(|source| open::database_error(&self.path, source))?;
        Ok(bytes.unsigned_abs())
    }

    /// Writes a copy of one moment to a file that does not exist yet, for this user only, and makes it durable. The writer is
    /// never kept waiting; its log grows until the copy is done.
    pub async fn copy_to(&mut self, target: &Path) -> Result<(), OpenError> {
        open::vacuum_into(&mut self.conn, target).await
    }

    /// Closes it.
    pub async fn close(self) -> Result<(), OpenError> {
        let Self { conn, path } = self;
        conn.close().await.map_err(|source| open::database_error(&path, source))
    }
}

/// Names of attachments that kept submissions name, in order, after the one given.
pub(crate) async fn attachment_names(conn: &mut SqliteConnection, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT DISTINCT sha256 FROM attachment WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?2")
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await
        .map_err(store)
}

pub(crate) async fn restored(conn: &mut SqliteConnection) -> Result<Option<Restored>, StoreError> {
    let row = sqlx::query("SELECT at, backup_at, backup_version, last_event FROM restore ORDER BY id DESC LIMIT 1");
    let Some(row) = row.fetch_optional(conn).await.map_err(store)? else { return Ok(None) };
    let row = Columns::of(&row, "restore");
    Ok(Some(Restored {
        at: row.time("at")?,
        backup_at: row.time("backup_at")?,
        backup_version: row.text("backup_version")?,
        last_event: row.int("last_event")?,
    }))
}

/// Notes that the database was put back.
pub(crate) async fn note_restore(
    conn: &mut SqliteConnection,
    at: Timestamp,
    backup_at: Timestamp,
    backup_version: &str,
) -> Result<Restored, StoreError> {
    let sql = "INSERT INTO restore (at, backup_at, backup_version, last_event)
               VALUES (?1, ?2, ?3, (SELECT coalesce(max(seq), 0) FROM event)) RETURNING last_event";
    let row = sqlx::query(sql)
        .bind(at.as_microsecond())
        .bind(backup_at.as_microsecond())
        .bind(backup_version)
        .fetch_one(&mut *conn)
        .await
        .map_err(store)?;
    // They may have been delivered after the backup was made: a person decides.
    let sql = "UPDATE job SET state = 'held', node = NULL, claimed_until = NULL WHERE state IN ('waiting', 'sending')";
    sqlx::query(sql).execute(conn).await.map_err(store)?;
    let last_event = row.try_get("last_event").map_err(store)?;
    Ok(Restored { at, backup_at, backup_version: backup_version.to_owned(), last_event })
}
