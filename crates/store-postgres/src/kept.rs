//! Kept submissions with everything it takes to read them again.

use bytes::Bytes;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::Outcome;
use leadgate_core::replay::{Kept, KeptFilter};
use sqlx::{Postgres, QueryBuilder};

use crate::conn::Conn;
use crate::facts::speaker;
use crate::rows::Columns;
use crate::submissions::codec;

/// Those that fit, the oldest first.
pub(crate) async fn list(conn: &mut Conn, filter: &KeptFilter, after: Option<i64>, limit: u32) -> Result<Vec<Kept>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("WITH found AS MATERIALIZED (SELECT s.seq AS seq FROM submission s ");
    condition(&mut query, filter, after);
    query.push(" ORDER BY s.seq LIMIT ").push_bind(i64::from(limit));
    query.push(concat!(
        ") SELECT s.seq, s.id, s.source, s.received_at, s.outcome, s.receipt,
                  (s.outcome = 'noted' AND s.decided_at IS NOT NULL)::int::smallint AS dropped,
                  s.authenticated, s.historic, s.content_type, s.query, s.peer, s.head, s.emptied_at, s.codec, s.raw,
                  CASE WHEN s.seq = ",
        speaker!(),
        " THEN a.content END AS content, a.touch, f.reasons
           FROM found JOIN submission s ON s.seq = found.seq
           JOIN receipt f ON f.submission = s.seq AND f.n = 1
           JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt LEFT JOIN activity a ON a.id = r.activity ORDER BY s.seq"
    ));
    let rows = conn.all(query.build()).await?;
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
pub(crate) async fn count(conn: &mut Conn, filter: &KeptFilter) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) AS n FROM submission s ");
    condition(&mut query, filter, None);
    let row = conn.one(query.build()).await?;
    Columns::of(&row, "submission").count("n")
}

fn condition(query: &mut QueryBuilder<Postgres>, filter: &KeptFilter, after: Option<i64>) {
    // What is no everyday outcome is rare, and has an index of its own.
    let rare = !filter.outcomes.is_empty() && !filter.outcomes.iter().any(|o| matches!(o, Outcome::Created | Outcome::Attached));
    query.push("WHERE TRUE");
    if !filter.ids.is_empty() {
        let ids: Vec<Vec<u8>> = filter.ids.iter().map(|id| id.0.as_bytes().to_vec()).collect();
        query.push(" AND s.id = ANY (").push_bind(ids).push(")");
    }
    if let Some(sources) = &filter.sources {
        let names: Vec<String> = sources.iter().map(|source| source.as_str().to_owned()).collect();
        query.push(" AND s.source = ANY (").push_bind(names).push(")");
    }
    if !filter.outcomes.is_empty() {
        let names: Vec<&'static str> = filter.outcomes.iter().map(|outcome| outcome.as_str()).collect();
        query.push(" AND s.outcome = ANY (").push_bind(names).push(")");
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
}
