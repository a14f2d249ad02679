//! What is no longer needed goes: old content keys, and what nobody vouched for.

use std::collections::BTreeSet;

use leadgate_core::ports::{StoreError, Sweep};

use crate::apply::micros;
use crate::conn::Conn;
use crate::rows::Columns;

/// Rows that one call deletes at most, so that no lead waits long behind it.
const MOST: i64 = 256;
/// Unauthenticated submissions kept of a source.
const RING_ENTRIES: i64 = 1000;
/// Their bytes.
const RING_BYTES: i64 = 50 << 20;

/// Deletes what is old; says how many rows went. Rows that another gateway is at work on are left for the next time.
pub(crate) async fn sweep(conn: &mut Conn, sweep: Sweep) -> Result<u64, StoreError> {
    let sql = "DELETE FROM submission_key WHERE (source, scope, value) IN (
                   SELECT source, scope, value FROM submission_key WHERE scope = 'content' AND at < $1
                   ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let keys = conn.run(sqlx::query(sql).bind(micros(sweep.content_keys_before)).bind(MOST)).await?;
    let left = MOST.saturating_sub_unsigned(keys);
    let sql = "DELETE FROM submission WHERE seq IN (
                   SELECT seq FROM submission WHERE authenticated = 0 AND received_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let ring = conn.run(sqlx::query(sql).bind(micros(sweep.ring_before)).bind(left)).await?;
    Ok(keys + ring)
}

/// Keeps the newest of some sources' unauthenticated submissions, by number and by bytes.
pub(crate) async fn trim_rings(conn: &mut Conn, sources: &BTreeSet<&str>) -> Result<(), StoreError> {
    let sql = "DELETE FROM submission WHERE seq IN (
                   SELECT s.seq FROM submission s JOIN (
                       SELECT seq, row_number() OVER newest AS n, sum(size) OVER newest AS bytes
                       FROM submission WHERE authenticated = 0 AND source = ANY ($1)
                       WINDOW newest AS (PARTITION BY source ORDER BY seq DESC ROWS UNBOUNDED PRECEDING)) ring ON ring.seq = s.seq
                   WHERE ring.n > $2 OR (ring.bytes > $3 AND ring.n > 1)
                   ORDER BY s.seq FOR UPDATE OF s SKIP LOCKED)";
    let sources: Vec<&str> = sources.iter().copied().collect();
    conn.run(sqlx::query(sql).bind(sources).bind(RING_ENTRIES).bind(RING_BYTES)).await.map(|_| ())
}

/// Which of these attachments some kept submission names.
pub(crate) async fn attachments_known(conn: &mut Conn, sha256: &[String]) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT v.sha256 FROM unnest($1::text[]) WITH ORDINALITY AS v (sha256, n)
               WHERE EXISTS (SELECT 1 FROM attachment a WHERE a.sha256 = v.sha256) ORDER BY v.n";
    let rows = conn.all(sqlx::query(sql).bind(sha256)).await?;
    rows.iter().map(|row| Columns::of(row, "attachment").text("sha256")).collect()
}
