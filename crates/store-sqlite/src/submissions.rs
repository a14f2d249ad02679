//! Submissions: lists, and one with its bytes.

use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use leadgate_core::page;
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::{Outcome, Reason, Receipt};
use leadgate_core::submission::Codec;
use leadgate_core::views::{Page, PageAt, SubmissionDetail, SubmissionFilter, SubmissionSummary};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::{store, to_json};
use crate::rows::Columns;

/// Sources that are looked through one by one, each in order; more are filtered.
const MOST_ARMS: usize = 16;

/// A submission as lists show it, from `submission s` and its newest receipt `r`.
macro_rules! summary {
    () => {
        "SELECT s.seq, s.id, s.source, s.received_at, s.outcome, s.repeats, s.size, s.content_type, r.lead, r.contact, r.reasons "
    };
}

fn summary(row: &Columns<'_>) -> Result<SubmissionSummary, StoreError> {
    let reasons: Vec<Reason> = row.json("reasons")?;
    Ok(SubmissionSummary {
        id: SubmissionId(row.uuid("id")?),
        source: row.source("source")?,
        received_at: row.time("received_at")?,
        outcome: row.parse("outcome", Outcome::parse)?,
        lead: row.get::<Option<i64>>("lead")?.map(LeadId),
        contact: row.get::<Option<i64>>("contact")?.map(ContactId),
        repeats: row.count("repeats")?,
        size: row.count("size")?,
        content_type: row.text("content_type")?,
        reasons: reasons.iter().map(Reason::words).collect(),
    })
}

/// Submissions, newest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &SubmissionFilter,
    at: &PageAt,
) -> Result<Page<SubmissionSummary>, StoreError> {
    let after = page::after::<1>(at)?.map(|[seq]| seq);
    let mut query = QueryBuilder::<Sqlite>::new("WITH found AS MATERIALIZED (SELECT seq FROM (");
    match filter.sources.as_deref() {
        Some(sources) if sources.len() <= MOST_ARMS && !sources.is_empty() => {
            for (n, source) in sources.iter().enumerate() {
                query.push(if n == 0 { "SELECT seq FROM (" } else { " UNION ALL SELECT seq FROM (" });
                arm(&mut query, filter, Some(source), after, at)?;
                query.push(")");
            }
        }
        _ => arm(&mut query, filter, None, after, at)?,
    }
    query.push(") ORDER BY seq DESC LIMIT ").push_bind(page::fetch(at)).push(") ");
    query.push(concat!(
        summary!(),
        "FROM found CROSS JOIN submission s ON s.seq = found.seq JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt
         ORDER BY s.seq DESC"
    ));
    let rows = query.build().fetch_all(conn).await.map_err(store)?;
    let mut submissions = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of(row, "submission");
        submissions.push(([row.int("seq")?], summary(&row)?));
    }
    Ok(page::page(submissions, at))
}

/// One ordered walk over the submissions.
fn arm(
    query: &mut QueryBuilder<Sqlite>,
    filter: &SubmissionFilter,
    source: Option<&SourceId>,
    after: Option<i64>,
    at: &PageAt,
) -> Result<(), StoreError> {
    // What is no everyday outcome is rare, and has an index of its own.
    let rare = !filter.outcomes.is_empty() && !filter.outcomes.iter().any(|o| matches!(o, Outcome::Created | Outcome::Attached));
    query.push("SELECT s.seq FROM submission s ");
    query.push(match source {
        _ if rare => "INDEXED BY submission_outcome ",
        Some(_) => "INDEXED BY submission_source ",
        None => "NOT INDEXED ",
    });
    query.push("WHERE TRUE");
    if let Some(source) = source {
        query.push(" AND s.source = ").push_bind(source.as_str().to_owned());
    } else if let Some(sources) = &filter.sources {
        query.push(" AND s.source IN (SELECT value FROM json_each(").push_bind(to_json(sources)?).push("))");
    }
    if !filter.outcomes.is_empty() {
        query.push(" AND s.outcome IN (SELECT value FROM json_each(").push_bind(to_json(&filter.outcomes)?).push("))");
    }
    if rare {
        query.push(" AND s.outcome NOT IN ('created', 'attached')");
    }
    if let Some(since) = filter.since {
        let since = since.as_microsecond();
        query.push(" AND s.seq >= (SELECT min(x.seq) FROM submission x WHERE x.received_at >= ").push_bind(since);
        query.push(") AND s.received_at >= ").push_bind(since);
    }
    if let Some(after) = after {
        query.push(" AND s.seq < ").push_bind(after);
    }
    query.push(" ORDER BY s.seq DESC LIMIT ").push_bind(page::fetch(at));
    Ok(())
}

// ----------------------------------------------------------------------------------------------------------------- one

pub(crate) async fn one(conn: &mut SqliteConnection, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
    let sql = concat!(
        summary!(),
        ", lower(hex(s.sha256)) AS sha256_hex, s.query, s.peer, s.authenticated, s.emptied_at, s.codec, s.raw
         FROM submission s JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt
         WHERE s.seq = coalesce((SELECT x.seq FROM submission x WHERE x.id = ?1),
                                (SELECT q.submission FROM submission_repeat q WHERE q.id = ?1))"
    );
    let row = sqlx::query(sql).bind(&id.0.as_bytes()[..]).fetch_optional(&mut *conn).await.map_err(store)?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::of(&row, "submission");
    Ok(Some(SubmissionDetail {
        submission: summary(&row)?,
        receipts: receipts(conn, id, row.int("seq")?).await?,
        sha256: row.text("sha256_hex")?,
        query: row.text("query")?,
        peer: row.get("peer")?,
        authenticated: row.flag("authenticated")?,
        emptied_at: row.maybe_time("emptied_at")?,
        raw: row.get("raw")?,
        codec: row.parse("codec", codec)?,
    }))
}

pub(crate) fn codec(text: &str) -> Option<Codec> {
    [Codec::Plain, Codec::Zstd].into_iter().find(|codec| codec.as_str() == text)
}

/// Every receipt, oldest first.
async fn receipts(conn: &mut SqliteConnection, submission: SubmissionId, seq: i64) -> Result<Vec<Receipt>, StoreError> {
    let sql = "SELECT outcome, lead, contact, activity, reasons FROM receipt WHERE submission = ?1 ORDER BY n";
    let rows = sqlx::query(sql).bind(seq).fetch_all(conn).await.map_err(store)?;
    let receipt = |row| {
        let row = Columns::of(row, "receipt");
        Ok(Receipt {
            submission,
            outcome: row.parse("outcome", Outcome::parse)?,
            lead: row.get::<Option<i64>>("lead")?.map(LeadId),
            contact: row.get::<Option<i64>>("contact")?.map(ContactId),
            activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
            reasons: row.json("reasons")?,
        })
    };
    rows.iter().map(receipt).collect()
}
