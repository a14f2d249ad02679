//! What is no longer needed goes: old content keys, and what nobody vouched for.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use leadgate_core::keeping::{THINNED, Thinnable, Thinned, Thinning};
use leadgate_core::liveness;
use leadgate_core::ports::{CALLS_KEPT, CHATS_KEPT, StoreError, Sweep, TRIES_COUNT_FOR};
use leadgate_core::receipt::Outcome;
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::conn::Conn;
use crate::rows::Columns;

/// Rows that one call deletes at most, so that no lead waits long behind it.
const MOST: i64 = 256;
/// Sizes read at once.
pub(crate) const SIZES: i64 = 4096;
/// Unauthenticated submissions kept of a source.
const RING_ENTRIES: i64 = 1000;
/// Their bytes.
const RING_BYTES: i64 = 50 << 20;

/// The number of the youngest submission that is old. Numbers are given about in the order of receipt: what is old and has a
/// greater one waits for the next.
macro_rules! edge {
    () => {
        "(SELECT x.seq FROM submission x WHERE x.received_at < $1 ORDER BY x.received_at DESC, x.seq DESC LIMIT 1)"
    };
}

/// The oldest submissions with a rare outcome.
macro_rules! waiting {
    ($which:literal) => {
        concat!(
            "SELECT seq FROM submission
             WHERE outcome NOT IN ('created', 'attached') AND received_at < $1 AND ",
            $which,
            " AND seq <= ",
            edge!(),
            " ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED"
        )
    };
}

/// Deletes what is old; says how many rows went. Rows that another gateway is at work on are left for the next time.
pub(crate) async fn sweep(conn: &mut Conn, sweep: Sweep) -> Result<u64, StoreError> {
    let content_keys = "DELETE FROM submission_key WHERE (source, scope, value) IN (
                   SELECT source, scope, value FROM submission_key WHERE scope = 'content' AND at < $1
                   ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let ring = "DELETE FROM submission WHERE seq IN (
                   SELECT seq FROM submission
                   WHERE authenticated = 0 AND received_at < $1 AND outcome IN ('quarantined', 'spam', 'noted')
                   LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let spam = concat!("DELETE FROM submission WHERE seq IN (", waiting!("outcome = 'spam'"), ")");
    let quarantine =
        concat!("DELETE FROM submission WHERE seq IN (", waiting!("outcome = 'quarantined' AND authenticated = 1"), ")");
    let files = concat!(
        "DELETE FROM attachment WHERE (sha256, submission) IN (
             SELECT a.sha256, a.submission FROM attachment a JOIN submission s ON s.seq = a.submission
             WHERE a.submission <= ",
        edge!(),
        " AND s.received_at < $1 AND s.outcome <> 'quarantined'
             ORDER BY a.submission LIMIT $2 FOR UPDATE OF a SKIP LOCKED)"
    );
    let events = "DELETE FROM event WHERE at < $1 AND seq IN (
                   SELECT seq FROM event WHERE seq < (SELECT max(seq) FROM event)
                   ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let jobs = "DELETE FROM job WHERE seq IN (
                   SELECT seq FROM job WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let answered = "DELETE FROM answered WHERE address IN (
                   SELECT address FROM answered WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let awaited = "DELETE FROM awaited_twin WHERE submission IN (
                   SELECT submission FROM awaited_twin WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let hours = "DELETE FROM source_hour WHERE (source, hour) IN (
                   SELECT source, hour FROM source_hour WHERE hour < $1 / 3600000000 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let codes = "DELETE FROM manager_code WHERE hash IN (
                   SELECT hash FROM manager_code WHERE until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let tries = "DELETE FROM code_try WHERE (kind, value) IN (
                   SELECT kind, value FROM code_try WHERE since < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let chats = "DELETE FROM chat WHERE (source, chat) IN (
                   SELECT source, chat FROM chat WHERE changed_at < $1 AND moved_to IS NULL
                   ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let calls = "DELETE FROM call WHERE (source, key) IN (
                   SELECT source, key FROM call WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let mut gone = 0;
    for (sql, before) in [
        (content_keys, Some(sweep.content_keys_before)),
        (ring, sweep.ring_before),
        (spam, sweep.spam_before),
        (quarantine, sweep.quarantine_before),
        (files, sweep.files_before),
        (events, sweep.events_before),
        (jobs, sweep.jobs_before),
        (answered, Some(liveness::forgotten_before(sweep.now, SignedDuration::from_hours(24)))),
        (awaited, Some(liveness::forgotten_before(sweep.now, liveness::MISSED_FOR))),
        (hours, Some(liveness::forgotten_before(sweep.now, liveness::HOURS_KEPT))),
        (codes, Some(sweep.now)),
        (tries, Some(liveness::forgotten_before(sweep.now, TRIES_COUNT_FOR))),
        (chats, Some(liveness::forgotten_before(sweep.now, CHATS_KEPT))),
        (calls, Some(liveness::forgotten_before(sweep.now, CALLS_KEPT))),
    ] {
        let left = MOST.saturating_sub_unsigned(gone);
        let Some(before) = before.filter(|_| left > 0) else { continue };
        gone += conn.run(sqlx::query(sql).bind(micros(before)).bind(left)).await?;
    }
    Ok(gone)
}

/// Takes the bytes of old deliveries, see [`Thinning`].
pub(crate) async fn thin(conn: &mut Conn, thinning: &Thinning) -> Result<Thinned, StoreError> {
    let sql = match thinning.source {
        Some(_) => {
            "SELECT seq, received_at, outcome, authenticated, emptied_at IS NULL AS whole
             FROM submission WHERE seq > $1 AND seq <= $2 AND source = $4 ORDER BY seq LIMIT $3"
        }
        None => {
            "SELECT seq, received_at, outcome, authenticated, emptied_at IS NULL AS whole
             FROM submission WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3"
        }
    };
    let mut query = sqlx::query(sql).bind(thinning.after).bind(thinning.through).bind(i64::from(THINNED));
    if let Some(source) = &thinning.source {
        query = query.bind(source.as_str());
    }
    let rows = conn.all(query).await?.iter().map(thinnable).collect::<Result<Vec<_>, _>>()?;
    let sorted = thinning.sort(&rows);
    let mut gone = 0;
    if !sorted.empty.is_empty() {
        let sql = "UPDATE submission SET raw = '', codec = 'plain', query = '', peer = NULL, head = '', emptied_at = $2
                   WHERE seq = ANY ($1) AND emptied_at IS NULL";
        gone += conn.run(sqlx::query(sql).bind(sorted.empty).bind(micros(thinning.now))).await?;
    }
    if !sorted.delete.is_empty() {
        let sql = "DELETE FROM submission WHERE seq = ANY ($1) AND outcome IN ('quarantined', 'spam')";
        gone += conn.run(sqlx::query(sql).bind(sorted.delete)).await?;
    }
    Ok(Thinned { rows: gone, next: sorted.next })
}

fn thinnable(row: &PgRow) -> Result<Thinnable, StoreError> {
    let row = Columns::of(row, "submission");
    Ok(Thinnable {
        seq: row.int("seq")?,
        received_at: row.time("received_at")?,
        outcome: row.parse("outcome", Outcome::parse)?,
        authenticated: row.flag("authenticated")?,
        full: row.get("whole")?,
    })
}

/// Numbers and sizes of a source's kept deliveries before one of them, newest first.
pub(crate) async fn sizes(conn: &mut Conn, source: &str, before: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "SELECT seq, size FROM submission WHERE source = $1 AND seq < $2 AND emptied_at IS NULL ORDER BY seq DESC LIMIT $3";
    let rows = conn.all(sqlx::query(sql).bind(source).bind(before).bind(SIZES)).await?;
    rows.iter()
        .map(|row| {
            let row = Columns::of(row, "submission");
            Ok((row.int("seq")?, row.int("size")?))
        })
        .collect()
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
