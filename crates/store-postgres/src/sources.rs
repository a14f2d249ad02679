//! Sources: their places, their counts and how they are doing; and everything on one screen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::liveness;
use leadgate_core::plan::rows::{Gathered, HealthRow};
use leadgate_core::ports::{Ask, PullReport, Refusals, Restored, StoreError, source_lease};
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::{Batch, Cursor, CursorMove};
use leadgate_core::views::{Broken, SourceHealth, SourceNote, Totals};
use uuid::Uuid;

use crate::apply::micros;
use crate::bulk::{Kind, Part, Rows, Together, storable_json};
use crate::conn::Conn;
use crate::error::to_json;
use crate::rows::Columns;

// ------------------------------------------------------------------------------------------------------------- cursors

/// Moves cursors. A lease that another holds by now takes its source's place with it: nothing of the batch is written.
pub(crate) async fn move_cursors(conn: &mut Conn, batch: &Batch) -> Result<(), StoreError> {
    if batch.cursors.is_empty() {
        return Ok(());
    }
    fences(conn, batch).await?;
    let moves = batch.last_moves();
    let sources: Vec<&str> = moves.iter().map(|to| to.source.as_str()).collect();
    let values = moves.iter().map(|to| to_json(&to.to)).collect::<Result<Vec<_>, _>>()?;
    let sql =
        "INSERT INTO cursor (source, value) SELECT v.source, v.value FROM unnest($1::text[], $2::text[]) AS v (source, value)
               ORDER BY v.source ON CONFLICT (source) DO UPDATE SET value = excluded.value";
    conn.run(sqlx::query(sql).bind(sources).bind(values)).await.map(|_| ())
}

/// Makes sure the leases are still those the sources were read under, and that they stay so until the commit.
async fn fences(conn: &mut Conn, batch: &Batch) -> Result<(), StoreError> {
    let fenced: Vec<(String, &CursorMove)> =
        batch.cursors.iter().filter(|to| to.fence.is_some()).map(|to| (source_lease(&to.source), to)).collect();
    if fenced.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = fenced.iter().map(|(name, _)| name.as_str()).collect();
    let sql = "SELECT name, fence FROM lease WHERE name = ANY ($1) ORDER BY name FOR SHARE";
    let mut held: HashMap<String, i64> = HashMap::new();
    for row in &conn.all(sqlx::query(sql).bind(names)).await? {
        let row = Columns::of(row, "lease");
        held.insert(row.text("name")?, row.int("fence")?);
    }
    let lost = fenced.iter().filter(|(name, to)| held.get(name).copied() != to.fence);
    let lost: BTreeSet<&SourceId> = lost.map(|(_, to)| &to.source).collect();
    if lost.is_empty() { Ok(()) } else { Err(StoreError::LeaseLost(lost.into_iter().cloned().collect())) }
}

pub(crate) async fn cursor(conn: &mut Conn, source: &str) -> Result<Option<Cursor>, StoreError> {
    let statement = sqlx::query("SELECT value FROM cursor WHERE source = $1 AND value IS NOT NULL").bind(source);
    let Some(row) = conn.optional(statement).await? else { return Ok(None) };
    Columns::of(&row, "cursor").json("value").map(Some)
}

// -------------------------------------------------------------------------------------------------------------- counts

static HEALTH: Part = Part {
    head: "INSERT INTO source_health AS h (source, last_accepted, last_rejected, last_rejection, refused) SELECT v.* FROM",
    columns: &[
        ("source", Kind::Text),
        ("last_accepted", Kind::Int),
        ("last_rejected", Kind::Int),
        ("last_rejection", Kind::Text),
        ("refused", Kind::Int),
    ],
    tail: "ON CONFLICT (source) DO UPDATE SET
               last_accepted = greatest(h.last_accepted, excluded.last_accepted),
               last_rejection = CASE WHEN excluded.last_rejected >= coalesce(h.last_rejected, excluded.last_rejected)
                                     THEN excluded.last_rejection ELSE h.last_rejection END,
               last_rejected = greatest(h.last_rejected, excluded.last_rejected),
               refused = h.refused + excluded.refused",
};

static COUNT: Part = Part {
    head: "INSERT INTO source_count AS c (source, outcome, n) SELECT v.* FROM",
    columns: &[("source", Kind::Text), ("outcome", Kind::Text), ("n", Kind::Int)],
    tail: "ON CONFLICT (source, outcome) DO UPDATE SET n = c.n + excluded.n",
};

/// Adds a batch's counts. Every gateway writes these rows: in one order, and last.
pub(crate) fn count<'r>(
    together: &mut Together<'r>,
    counts: &BTreeMap<(&'r str, &'static str), i64>,
    health: &'r BTreeMap<&'r str, HealthRow>,
) {
    let mut sources = Rows::of(&HEALTH);
    for (source, row) in health {
        sources
            .text(*source)
            .int(row.last_accepted.map(micros))
            .int(row.last_rejected.map(micros))
            .maybe_text(row.last_rejection.as_deref())
            .int(row.refused);
    }
    together.add(sources);
    let mut outcomes = Rows::of(&COUNT);
    for ((source, outcome), n) in counts {
        outcomes.text(*source).text(*outcome).int(*n);
    }
    together.add(outcomes);
}

/// Adds what came in each hour, likewise.
pub(crate) fn count_hours<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    static HOUR: Part = Part {
        head: "INSERT INTO source_hour AS h (source, hour, n) SELECT v.* FROM",
        columns: &[("source", Kind::Text), ("hour", Kind::Int), ("n", Kind::Int)],
        tail: "ON CONFLICT (source, hour) DO UPDATE SET n = h.n + excluded.n",
    };
    let mut hours = Rows::of(&HOUR);
    for ((source, hour), n) in &rows.hours {
        hours.text(*source).int(*hour).int(*n);
    }
    together.add(hours);
}

/// Adds counts of calls that were refused without being kept.
pub(crate) async fn refused(conn: &mut Conn, refusals: &[Refusals]) -> Result<(), StoreError> {
    let mut health: BTreeMap<&str, HealthRow> = BTreeMap::new();
    for refusal in refusals {
        let row = health.entry(refusal.source.as_str()).or_default();
        row.refused = row.refused.saturating_add(i64::try_from(refusal.count).unwrap_or(i64::MAX));
        row.rejected(refusal.last_at, || refusal.last_why.clone());
    }
    let mut together = Together::default();
    count(&mut together, &BTreeMap::new(), &health);
    together.run(conn).await
}

/// Sources that ever sent anything, or that mails tell of.
pub(crate) async fn health(conn: &mut Conn, now: Timestamp) -> Result<Vec<SourceHealth>, StoreError> {
    let sql = "SELECT n.source, h.last_accepted, h.last_rejected, h.last_rejection, coalesce(h.refused, 0) AS refused,
                      m.since, coalesce(m.missed, 0) AS missed
               FROM (SELECT source FROM source_health UNION SELECT form FROM awaited_twin WHERE at < $1) n
               LEFT JOIN source_health h ON h.source = n.source
               LEFT JOIN (SELECT form, min(at) AS since, count(*) AS missed FROM awaited_twin WHERE at < $1 GROUP BY form) m
                   ON m.form = n.source
               ORDER BY n.source";
    let missed_before = micros(liveness::missed_before(now));
    let rows = conn.all(sqlx::query(sql).bind(missed_before)).await?;
    let mut counts = counts(conn).await?;
    let hours = hours(conn).await?;
    let mut health = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of(row, "source_health");
        let source: SourceId = row.source("source")?;
        let missed = row.count("missed")?;
        let broken = row.maybe_time("since")?.map(|since| Broken { since, missed });
        let hours = hours.get(&source).map_or(&[][..], Vec::as_slice);
        let of = SourceHealth {
            last_accepted: row.maybe_time("last_accepted")?,
            last_rejected: row.maybe_time("last_rejected")?,
            last_rejection: row.get("last_rejection")?,
            counts: counts.remove(&source).unwrap_or_default(),
            refused: row.count("refused")?,
            usual: None,
            silent: false,
            broken: None,
            source,
        };
        health.push(of.judged(hours, broken, now));
    }
    Ok(health)
}

/// How many of each outcome, in the order of the glossary.
async fn counts(conn: &mut Conn) -> Result<BTreeMap<SourceId, Vec<(Outcome, u64)>>, StoreError> {
    let rows = conn.all(sqlx::query("SELECT source, outcome, n FROM source_count")).await?;
    let mut counts: BTreeMap<SourceId, Vec<(Outcome, u64)>> = BTreeMap::new();
    for row in &rows {
        let row = Columns::of(row, "source_count");
        counts.entry(row.source("source")?).or_default().push((row.parse("outcome", Outcome::parse)?, row.count("n")?));
    }
    for counts in counts.values_mut() {
        counts.sort_by_key(|(outcome, _)| Outcome::ALL.iter().position(|known| known == outcome));
    }
    Ok(counts)
}

/// What came in each hour, in order.
async fn hours(conn: &mut Conn) -> Result<BTreeMap<SourceId, Vec<(i64, u64)>>, StoreError> {
    let sql = "SELECT source, hour, n FROM source_hour ORDER BY source, hour";
    let mut hours: BTreeMap<SourceId, Vec<(i64, u64)>> = BTreeMap::new();
    for row in &conn.all(sqlx::query(sql)).await? {
        let row = Columns::of(row, "source_hour");
        hours.entry(row.source("source")?).or_default().push((row.int("hour")?, row.count("n")?));
    }
    Ok(hours)
}

// --------------------------------------------------------------------------------------------------------------- notes

/// Keeps how reading a source goes.
pub(crate) async fn note(conn: &mut Conn, source: &SourceId, report: &PullReport, at: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO source_note (source, report, reported_at) VALUES ($1, $2, $3)
               ON CONFLICT (source) DO UPDATE SET report = excluded.report, reported_at = excluded.reported_at";
    let statement = sqlx::query(sql).bind(source.as_str()).bind(storable_json(to_json(report)?.into()).into_owned());
    conn.run(statement.bind(micros(at))).await.map(|_| ())
}

/// Keeps what a person asks of a source, or takes it back.
pub(crate) async fn ask(conn: &mut Conn, source: &SourceId, ask: Option<&Ask>, at: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO source_note (source, ask, asked_at) VALUES ($1, $2, $3)
               ON CONFLICT (source) DO UPDATE SET ask = excluded.ask, asked_at = excluded.asked_at";
    let at = ask.map(|_| micros(at));
    let statement = sqlx::query(sql).bind(source.as_str()).bind(ask.map(to_json).transpose()?).bind(at);
    conn.run(statement).await.map(|_| ())
}

/// What is kept of both.
pub(crate) async fn notes(conn: &mut Conn) -> Result<Vec<SourceNote>, StoreError> {
    let sql = "SELECT source, coalesce(report, 'null') AS report, reported_at, coalesce(ask, 'null') AS ask, asked_at
               FROM source_note ORDER BY source";
    let rows = conn.all(sqlx::query(sql)).await?;
    let note = |row| {
        let row = Columns::of(row, "source_note");
        Ok(SourceNote {
            source: row.source("source")?,
            report: row.json("report")?,
            reported_at: row.maybe_time("reported_at")?,
            ask: row.json("ask")?,
            asked_at: row.maybe_time("asked_at")?,
        })
    };
    rows.iter().map(note).collect()
}

// -------------------------------------------------------------------------------------------------------------- totals

pub(crate) async fn totals(conn: &mut Conn) -> Result<Totals, StoreError> {
    // Counts over small indexes; what may be large is counted over the narrowest index there is.
    let sql = "SELECT (SELECT count(*) FROM lead WHERE closed_at IS NULL AND test = 0) AS open_leads,
                      (SELECT count(*) FROM lead WHERE closed_at IS NULL AND test = 0 AND stage = 'NEW') AS new_leads,
                      (SELECT count(*) FROM lead) AS leads,
                      (SELECT count(*) FROM contact) AS contacts,
                      (SELECT count(*) FROM contact WHERE waiting_since IS NOT NULL) AS waiting_contacts,
                      (SELECT count(*) FROM submission) AS submissions,
                      (SELECT count(*) FROM submission WHERE outcome = 'quarantined' AND outcome NOT IN ('created', 'attached'))
                          AS quarantined,
                      (SELECT count(*) FROM review WHERE closed_at IS NULL) AS reviews,
                      pg_database_size(current_database()) AS database_bytes";
    let row = conn.one(sqlx::query(sql)).await?;
    let row = Columns::of(&row, "totals");
    Ok(Totals {
        open_leads: row.count("open_leads")?,
        new_leads: row.count("new_leads")?,
        leads: row.count("leads")?,
        contacts: row.count("contacts")?,
        waiting_contacts: row.count("waiting_contacts")?,
        submissions: row.count("submissions")?,
        quarantined: row.count("quarantined")?,
        reviews: row.count("reviews")?,
        database_bytes: row.count("database_bytes")?,
    })
}

pub(crate) async fn installation(conn: &mut Conn) -> Result<Uuid, StoreError> {
    let row = conn.one(sqlx::query("SELECT uuid FROM installation")).await?;
    Columns::of(&row, "installation").uuid("uuid")
}

pub(crate) async fn restored(conn: &mut Conn) -> Result<Option<Restored>, StoreError> {
    let sql = "SELECT at, backup_at, backup_version, last_event FROM restore ORDER BY id DESC LIMIT 1";
    let Some(row) = conn.optional(sqlx::query(sql)).await? else { return Ok(None) };
    let row = Columns::of(&row, "restore");
    Ok(Some(Restored {
        at: row.time("at")?,
        backup_at: row.time("backup_at")?,
        backup_version: row.text("backup_version")?,
        last_event: row.int("last_event")?,
    }))
}
