//! Opening a database: its folder, its lock, its schema.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leadgate_core::version;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::error::OpenError;

/// Readers that work at the same time.
const READERS: u32 = 4;
/// How long a writer waits for another process (a backup) that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// How a database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The writer's page cache in KiB. It has to hold what one commit touches: with 16 MiB a million contacts cost a fifth more time
    /// than with 40; 64 gave nothing more (`--bench ingest`).
    pub cache_kib: u32,
    /// How long a question to the database may take.
    pub read_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_kib: 40 << 10, read_limit: Duration::from_secs(2) }
    }
}

/// Every migration there is, in order. Append only: an applied one never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "leads", include_str!("../../../migrations/sqlite/0001_leads.sql")),
    (2, "nodes", include_str!("../../../migrations/sqlite/0002_nodes.sql")),
    (3, "cursor_leases", include_str!("../../../migrations/sqlite/0003_cursor_leases.sql")),
    (4, "restore", include_str!("../../../migrations/sqlite/0004_restore.sql")),
    (5, "replay", include_str!("../../../migrations/sqlite/0005_replay.sql")),
    (6, "keeping", include_str!("../../../migrations/sqlite/0006_keeping.sql")),
    (7, "mail", include_str!("../../../migrations/sqlite/0007_mail.sql")),
    (8, "onward", include_str!("../../../migrations/sqlite/0008_onward.sql")),
    (9, "talks", include_str!("../../../migrations/sqlite/0009_talks.sql")),
    (10, "calls", include_str!("../../../migrations/sqlite/0010_calls.sql")),
];

fn migrator() -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false))
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    // A newer gateway may have expanded the schema; `min_binary` says whether this one can still serve it.
    migrator.set_ignore_missing(true);
    migrator
}

/// Makes the folder and the file, readable by this user only.
pub(crate) fn prepare_file(path: &Path) -> Result<PathBuf, OpenError> {
    let folder = prepare_folder(path)?;
    private(path, false).map_err(|source| OpenError::File { path: path.display().to_string(), source })?;
    Ok(folder)
}

/// Makes the folder of a database, for this user only.
pub(crate) fn prepare_folder(path: &Path) -> Result<PathBuf, OpenError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    if !folder.exists() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|source| OpenError::File { path: folder.display().to_string(), source })?;
    }
    Ok(folder)
}

/// Opens a file for writing that only this user may read; its contents stay.
fn private(path: &Path, new: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).create_new(new).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The lock that says who serves a database. It lasts as long as the value, also over a crash.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = with_suffix(path, ".lock");
    let file_error = |source| OpenError::File { path: beside.display().to_string(), source };
    let file = private(&beside, false).map_err(file_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(file_error(source)),
    }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How the writer connects.
pub(crate) fn writer_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .page_size(4096)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("cache_size", format!("-{}", options.cache_kib))
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        // Where something was removed there are zeros.
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", (64 << 20).to_string())
        // The log is copied into the file beside the writer, see `checkpoint`.
        .pragma("wal_autocheckpoint", "0")
        .statement_cache_capacity(256)
        // What a batch asks for comes without waiting for who reads it.
        .row_buffer_size(1024)
        .optimize_on_close(false, None)
        .disable_statement_logging()
}

/// The readers' pool. A reader never waits for the writer nor keeps it waiting.
pub(crate) fn readers(path: &Path) -> SqlitePool {
    let options = reader_options(path);
    SqlitePoolOptions::new().max_connections(READERS).min_connections(0).acquire_timeout(BUSY).connect_lazy_with(options)
}

/// How a reader connects.
pub(crate) fn reader_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .pragma("cache_size", "-8192")
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .disable_statement_logging()
}

/// Connects as the writer and brings the schema up to date, keeping a copy of a database that has something in it.
pub(crate) async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, OpenError> {
    let database_error = |source| OpenError::Database { path: path.display().to_string(), source };
    let mut conn = options.connect().await.map_err(database_error)?;
    fits(&mut conn, path).await?;
    let migrator = migrator();
    let applied = applied(&mut conn).await.map_err(database_error)?;
    let pending = migrator.iter().map(|migration| migration.version).find(|version| !applied.contains(version));
    if let Some(version) = pending {
        if has_tables(&mut conn).await.map_err(database_error)? {
            copy(&mut conn, path, version).await?;
        }
        migrator.run(&mut conn).await.map_err(|source| OpenError::Migration { path: path.display().to_string(), source })?;
        fits(&mut conn, path).await?;
    }
    Ok(conn)
}

/// Refuses a schema that needs a newer program.
pub(crate) async fn fits(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let database_error = |source| OpenError::Database { path: path.display().to_string(), source };
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'compatibility'")
        .fetch_one(&mut *conn)
        .await
        .map_err(database_error)?;
    if known == 0 {
        return Ok(());
    }
    let needs: String =
        sqlx::query_scalar("SELECT min_binary FROM compatibility").fetch_one(conn).await.map_err(database_error)?;
    let this = env!("CARGO_PKG_VERSION");
    if version::parts(&needs) > version::parts(this) {
        return Err(OpenError::TooNew { path: path.display().to_string(), needs, this });
    }
    Ok(())
}

async fn applied(conn: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'")
        .fetch_one(&mut *conn)
        .await?;
    if known == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(conn).await
}

async fn has_tables(conn: &mut SqliteConnection) -> sqlx::Result<bool> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetch_one(conn).await?;
    Ok(tables > 0)
}

/// `<db>.before-0002`: the file as it was before migration 2.
async fn copy(conn: &mut SqliteConnection, path: &Path, version: i64) -> Result<(), OpenError> {
    let target = with_suffix(path, &format!(".before-{version:04}"));
    let file_error = |source| OpenError::File { path: target.display().to_string(), source };
    match std::fs::remove_file(&target) {
        Ok(()) => tracing::info!(copy = %target.display(), "an older copy of the same version is replaced"),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(error)),
    }
    vacuum_into(conn, &target).await?;
    tracing::info!(copy = %target.display(), "the database was copied before its schema changes");
    Ok(())
}

/// Writes a copy of one moment to a new file, for this user only, and makes it durable.
pub(crate) async fn vacuum_into(conn: &mut SqliteConnection, target: &Path) -> Result<(), OpenError> {
    let file_error = |source| OpenError::File { path: target.display().to_string(), source };
    // Made here, because SQLite would make it readable for everybody; it fills an empty file.
    let file = private(target, true).map_err(file_error)?;
    sqlx::query("VACUUM INTO ?1")
        .bind(target.display().to_string())
        .execute(conn)
        .await
        .map_err(|source| database_error(target, source))?;
    file.sync_all().map_err(file_error)
}

pub(crate) fn database_error(path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::Database { path: path.display().to_string(), source }
}

/// The installation's UUID, made with the database.
#[expect(clippy::disallowed_methods, reason = "made once in the life of a database, and of no use to a test")]
pub(crate) async fn installation(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    sqlx::query("INSERT INTO installation (only_row, uuid) VALUES (1, ?1) ON CONFLICT DO NOTHING")
        .bind(&uuid::Uuid::new_v4().as_bytes()[..])
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(|source| OpenError::Database { path: path.display().to_string(), source })
}

/// Connects once for reading, so that a database that cannot be read is refused at the start.
pub(crate) async fn try_reading(pool: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let database_error = |source| OpenError::Database { path: path.display().to_string(), source };
    let mut conn = pool.acquire().await.map_err(database_error)?;
    conn.ping().await.map_err(database_error)?;
    fits(&mut conn, path).await?;
    let applied = applied(&mut conn).await.map_err(database_error)?;
    if migrator().iter().any(|migration| !applied.contains(&migration.version)) {
        return Err(OpenError::Behind(path.display().to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_of_the_folder_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.split('.').next_back() == Some("sql"))
            .collect();
        files.sort();
        let embedded: Vec<String> = MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, embedded);
    }

    async fn with(path: &Path, sql: &'static str) {
        let mut conn = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_database_with_something_in_it_is_copied_before_its_schema_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/leads.db");
        prepare_file(&path).unwrap();
        with(&path, "CREATE TABLE kept (n INTEGER); INSERT INTO kept VALUES (7)").await;
        let options = writer_options(&path, &Options::default());
        let conn = connect(&path, &options).await.unwrap();
        conn.close().await.unwrap();
        let copy = with_suffix(&path, ".before-0001");
        let mut before = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT n FROM kept").fetch_one(&mut before).await.unwrap();
        assert_eq!(kept, 7);
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut before).await.unwrap();
        assert_eq!(tables, 1, "the copy is the file as it was");
        before.close().await.unwrap();
        // Up to date now: a further start copies nothing.
        std::fs::remove_file(&copy).unwrap();
        connect(&path, &options).await.unwrap().close().await.unwrap();
        assert!(!copy.exists());
    }

    #[tokio::test]
    async fn a_schema_that_needs_a_newer_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leads.db");
        let options = writer_options(&path, &Options::default()).create_if_missing(true);
        connect(&path, &options).await.unwrap().close().await.unwrap();
        with(&path, "UPDATE compatibility SET min_binary = '99.0.0'").await;
        let refused = connect(&path, &options).await.unwrap_err();
        assert!(refused.to_string().contains("needs leadgate 99.0.0"), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn only_this_user_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/leads.db");
        let data = prepare_file(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&path)), (0o700, 0o600));
        let held = lock(&path).unwrap();
        assert!(matches!(lock(&path), Err(OpenError::Locked(_))));
        drop(held);
        lock(&path).unwrap();
    }
}
