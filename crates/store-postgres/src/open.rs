//! Opening a database: its schema, brought up to date under a lock, so that several gateways may start at once.

use leadgate_core::version;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlSafeStr as _};

use crate::carry::UNFINISHED;
use crate::error::{OpenError, code};
use crate::locks::SCHEMA;
use crate::url::Target;

/// Every migration there is, in order. Append only: an applied one never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "leads", include_str!("../../../migrations/postgres/0001_leads.sql")),
    (2, "nodes", include_str!("../../../migrations/postgres/0002_nodes.sql")),
    (3, "cursor_leases", include_str!("../../../migrations/postgres/0003_cursor_leases.sql")),
    (4, "restore", include_str!("../../../migrations/postgres/0004_restore.sql")),
    (5, "replay", include_str!("../../../migrations/postgres/0005_replay.sql")),
    (6, "keeping", include_str!("../../../migrations/postgres/0006_keeping.sql")),
    (7, "mail", include_str!("../../../migrations/postgres/0007_mail.sql")),
    (8, "onward", include_str!("../../../migrations/postgres/0008_onward.sql")),
    (9, "talks", include_str!("../../../migrations/postgres/0009_talks.sql")),
    (10, "calls", include_str!("../../../migrations/postgres/0010_calls.sql")),
];

/// Where the migrations that were applied are noted; the driver's own table.
const NOTED: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version        bigint PRIMARY KEY,
    description    text NOT NULL,
    installed_on   timestamptz NOT NULL DEFAULT now(),
    success        boolean NOT NULL,
    checksum       bytea NOT NULL,
    execution_time bigint NOT NULL)";

fn migrations() -> impl Iterator<Item = Migration> {
    MIGRATIONS
        .iter()
        .map(|(version, name, sql)| Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false))
}

/// A statement that leaves nothing behind on a connection that may not be ours alone.
fn unnamed<'q>(sql: &'static str) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// Brings the schema up to date, all of it or nothing, and refuses one that this program cannot serve.
pub(crate) async fn migrate(conn: &mut PgConnection, target: &Target) -> Result<(), OpenError> {
    let begin =
        format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({SCHEMA})");
    // Safe: a number of this crate.
    conn.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await.map_err(|source| refusal(target, source))?;
    let done = match in_transaction(conn, target).await {
        Ok(()) => conn.execute("COMMIT").await.map(|_| ()).map_err(|source| refusal(target, source)),
        Err(error) => Err(error),
    };
    if done.is_err()
        && let Err(error) = conn.execute("ROLLBACK").await
    {
        tracing::debug!(%error, "the migration's connection is gone; so is what it did");
    }
    done
}

async fn in_transaction(conn: &mut PgConnection, target: &Target) -> Result<(), OpenError> {
    fits(conn, target).await?;
    let database_error = |source| refusal(target, source);
    let applied = applied(conn).await.map_err(database_error)?;
    for migration in migrations() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, checksum)) if *checksum == *migration.checksum => continue,
            Some((version, _)) => return Err(OpenError::Changed { database: target.to_string(), version: *version }),
            None => {}
        }
        if applied.is_empty() {
            conn.execute(NOTED).await.map_err(database_error)?;
        }
        tracing::info!(version = migration.version, name = %migration.description, "the database's schema is brought up to date");
        conn.execute(sqlx::raw_sql(migration.sql.clone())).await.map_err(database_error)?;
        let noted = unnamed(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES ($1, $2, true, $3, -1)",
        );
        let noted = noted.bind(migration.version).bind(migration.description.to_string()).bind(migration.checksum.to_vec());
        noted.execute(&mut *conn).await.map_err(database_error)?;
    }
    installation(conn).await.map_err(database_error)?;
    fits(conn, target).await.map(|_| ())
}

/// Refuses a schema that needs a newer program. Says whether there is one.
pub(crate) async fn fits(conn: &mut PgConnection, target: &Target) -> Result<bool, OpenError> {
    let database_error = |source| refusal(target, source);
    if !is_table(conn, "compatibility").await.map_err(database_error)? {
        return Ok(false);
    }
    let row = conn.fetch_one(sqlx::raw_sql("SELECT min_binary FROM compatibility")).await.map_err(database_error)?;
    let needs: String = row.try_get(0).map_err(database_error)?;
    let this = env!("CARGO_PKG_VERSION");
    if version::parts(&needs) > version::parts(this) {
        return Err(OpenError::TooNew { database: target.to_string(), needs, this });
    }
    Ok(true)
}

/// Refuses a schema that lacks something this program reads.
pub(crate) async fn up_to_date(conn: &mut PgConnection, target: &Target) -> Result<(), OpenError> {
    let applied = applied(conn).await.map_err(|source| refusal(target, source))?;
    if migrations().any(|migration| applied.iter().all(|(version, _)| *version != migration.version)) {
        return Err(OpenError::Behind(target.to_string()));
    }
    Ok(())
}

/// Refuses a database that rows are still being carried into.
pub(crate) async fn whole(conn: &mut PgConnection, target: &Target) -> Result<(), OpenError> {
    if is_table(conn, UNFINISHED).await.map_err(|source| refusal(target, source))? {
        return Err(OpenError::Unfinished(target.to_string()));
    }
    Ok(())
}

async fn is_table(conn: &mut PgConnection, name: &'static str) -> sqlx::Result<bool> {
    let row = unnamed("SELECT to_regclass($1) IS NOT NULL").bind(name).fetch_one(conn).await?;
    row.try_get(0)
}

async fn applied(conn: &mut PgConnection) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    if !is_table(conn, "_sqlx_migrations").await? {
        return Ok(Vec::new());
    }
    let rows = unnamed("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The installation's UUID, made with the database.
#[expect(clippy::disallowed_methods, reason = "made once in the life of a database, and of no use to a test")]
async fn installation(conn: &mut PgConnection) -> sqlx::Result<()> {
    let made = unnamed("INSERT INTO installation (only_row, uuid) VALUES (1, $1) ON CONFLICT DO NOTHING");
    made.bind(uuid::Uuid::new_v4().as_bytes().to_vec()).execute(conn).await.map(|_| ())
}

fn refusal(target: &Target, source: sqlx::Error) -> OpenError {
    let database = target.to_string();
    match code(&source).as_deref() {
        Some("42501") => OpenError::Rights { database, user: target.user.clone(), source: Box::new(source) },
        _ => OpenError::Database { database, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_of_the_folder_is_embedded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.split('.').next_back() == Some("sql"))
            .collect();
        files.sort();
        let embedded: Vec<String> = MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, embedded);
    }
}
