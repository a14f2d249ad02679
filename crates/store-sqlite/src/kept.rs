//! Kept submissions with everything it takes to read them again.

use bytes::Bytes;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::Outcome;
use leadgate_core::replay::{Kept, KeptFilter};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::{store, to_json};
use crate::facts::speaker;
use crate::rows::Columns;
use crate::submissions::codec;

/// Those that fit, the oldest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &KeptFilter,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Kept>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("WITH found AS MATERIALIZED (SELECT s.seq AS seq FROM submission s ");
    condition(&mut query, filter, after)?;
    query.push(" ORDER BY s.seq LIMIT ").push_bind(i64::from(limit));
    query.push(concat!(
        ") SELECT s.seq, s.id, s.source, s.received_at, s.outcome, s.receipt, s.outcome = 'noted' AND s.decided_at IS NOT NULL AS dropped,
                  s.authenticated, s.historic, s.content_type, s.query, s.peer, s.head, s.emptied_at, s.codec, s.raw,
                  iif(s.seq = ",
        speaker!(),
        ", a.content, NULL) AS content, a.touch, f.reasons
           FROM found CROSS JOIN submission s ON s.seq = found.seq
           JOIN receipt f ON f.submission = s.seq AND f.n = 1
           JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt LEFT JOIN activity a ON a.id = r.activity ORDER BY s.seq"
    ));
    let rows = query.build().fetch_all(conn).await.map_err(store)?;
    let kept = |row| {
        let row = Columns::of(row, "submission");
        Ok(Kept {
            seq: row.int("seq")?,
            id: SubmissionId(row.uuid("id")?),
            source: row.source("source")?,
            received_at: row.time("received_at")?,
            outcome: row.parse("outcome", Outcome::parse)?,
            receipt: row.int("receipt")?,
            dropped: row.flag("dropped")?,
            authenticated: row.flag("authenticated")?,
            historic: row.flag("historic")?,
            content_type: row.text("content_type")?,
            query: row.text("query")?,
            peer: row.get::<Option<&str>>("peer")?.and_then(|peer| peer.parse().ok()),
            head: row.text("head")?,
            emptied_at: row.maybe_time("emptied_at")?,
            codec: row.parse("codec", codec)?,
            raw: Bytes::copy_from_slice(row.get("raw")?),
            reasons: row.json("reasons")?,
            content: row.get("content")?,
            touch: row.get("touch")?,
        })
    };
    rows.iter().map(kept).collect()
}

/// How many fit.
pub(crate) async fn count(conn: &mut SqliteConnection, filter: &KeptFilter) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM submission s ");
    condition(&mut query, filter, None)?;
    let count: i64 = query.build_query_scalar().fetch_one(conn).await.map_err(store)?;
    Ok(count.unsigned_abs())
}

fn condition(query: &mut QueryBuilder<Sqlite>, filter: &KeptFilter, after: Option<i64>) -> Result<(), StoreError> {
    // What is no everyday outcome is rare, and has an index of its own.
    let rare = !filter.outcomes.is_empty() && !filter.outcomes.iter().any(|o| matches!(o, Outcome::Created | Outcome::Attached));
    query.push(match &filter.sources {
        _ if !filter.ids.is_empty() => "",
        _ if rare => "INDEXED BY submission_outcome ",
        Some(_) => "INDEXED BY submission_source ",
        None => "NOT INDEXED ",
    });
    query.push("WHERE TRUE");
    if !filter.ids.is_empty() {
        let ids: Vec<String> = filter.ids.iter().map(|id| id.0.simple().to_string()).collect();
        query.push(" AND s.id IN (SELECT unhex(value) FROM json_each(").push_bind(to_json(&ids)?).push("))");
    }
    if let Some(sources) = &filter.sources {
        query.push(" AND s.source IN (SELECT value FROM json_each(").push_bind(to_json(sources)?).push("))");
    }
    if !filter.outcomes.is_empty() {
        query.push(" AND s.outcome IN (SELECT value FROM json_each(").push_bind(to_json(&filter.outcomes)?).push("))");
    }
    if rare {
        query.push(" AND s.outcome NOT IN ('created', 'attached')");
    }
    if let Some(from) = filter.from {
        query.push(" AND s.received_at >= ").push_bind(from.as_microsecond());
    }
    if let Some(to) = filter.to {
        query.push(" AND s.received_at < ").push_bind(to.as_microsecond());
    }
    if !filter.dropped {
        query.push(" AND NOT (s.outcome = 'noted' AND s.decided_at IS NOT NULL)");
    }
    if let Some(after) = after {
        query.push(" AND s.seq > ").push_bind(after);
    }
    Ok(())
}
