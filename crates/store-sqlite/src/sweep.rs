//! What is no longer needed goes: old content keys, and what nobody vouched for.

use leadgate_core::ports::{StoreError, Sweep};
use sqlx::SqliteConnection;

use crate::error::{store, to_json};

/// Rows that one call deletes at most, so that no lead waits long behind it.
const MOST: i64 = 256;
/// Unauthenticated submissions kept of a source.
const RING_ENTRIES: i64 = 1000;
/// Their bytes.
const RING_BYTES: i64 = 50 << 20;

/// Deletes what is old; says how many rows went.
pub(crate) async fn sweep(conn: &mut SqliteConnection, sweep: Sweep) -> Result<u64, StoreError> {
    let sql = "DELETE FROM submission_key WHERE (source, scope, value) IN (
                   SELECT source, scope, value FROM submission_key WHERE scope = 'content' AND at < ?1 ORDER BY at LIMIT ?2)";
    let keys = sqlx::query(sql)
        .bind(sweep.content_keys_before.as_microsecond())
        .bind(MOST)
        .execute(&mut *conn)
        .await
        .map_err(store)?
        .rows_affected();
    let left = MOST.saturating_sub_unsigned(keys);
    let sql = "DELETE FROM submission WHERE seq IN (
                   SELECT seq FROM submission INDEXED BY submission_ring WHERE authenticated = 0 AND received_at < ?1 LIMIT ?2)";
    let ring =
        sqlx::query(sql).bind(sweep.ring_before.as_microsecond()).bind(left).execute(conn).await.map_err(store)?.rows_affected();
    Ok(keys + ring)
}

/// Keeps the newest of a source's unauthenticated submissions, by number and by bytes.
pub(crate) async fn trim_ring(conn: &mut SqliteConnection, source: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM submission WHERE seq IN (
                   SELECT seq FROM (
                       SELECT seq, row_number() OVER newest AS n, sum(size) OVER newest AS bytes
                       FROM submission INDEXED BY submission_ring WHERE authenticated = 0 AND source = ?1
                       WINDOW newest AS (ORDER BY seq DESC ROWS UNBOUNDED PRECEDING))
                   WHERE n > ?2 OR (bytes > ?3 AND n > 1))";
    sqlx::query(sql).bind(source).bind(RING_ENTRIES).bind(RING_BYTES).execute(conn).await.map(|_| ()).map_err(store)
}

/// Which of these attachments some kept submission names.
pub(crate) async fn attachments_known(conn: &mut SqliteConnection, sha256: &[String]) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT v.value FROM json_each(?1) v WHERE EXISTS (SELECT 1 FROM attachment a WHERE a.sha256 = v.value)";
    sqlx::query_scalar(sql).bind(to_json(sha256)?).fetch_all(conn).await.map_err(store)
}
