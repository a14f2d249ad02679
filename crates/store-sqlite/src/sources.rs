//! Sources: their places, their counts and how they are doing; and everything on one screen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::liveness;
use leadgate_core::plan::rows::{Gathered, HealthRow};
use leadgate_core::ports::{Ask, PullReport, Refusals, StoreError, source_lease};
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::{Batch, Cursor};
use leadgate_core::views::{Broken, SourceHealth, SourceNote, Totals};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::apply::over;
use crate::bulk::{Script, Statement, Values};
use crate::error::{store, to_json};
use crate::rows::Columns;

// ------------------------------------------------------------------------------------------------------------- cursors

/// Moves cursors. A lease that another holds by now takes its source's place with it: nothing of the batch is written.
pub(crate) async fn move_cursors(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    if batch.cursors.is_empty() {
        return Ok(());
    }
    let fenced: Vec<_> =
        batch.cursors.iter().filter_map(|to| to.fence.map(|fence| (&to.source, source_lease(&to.source), fence))).collect();
    if !fenced.is_empty() {
        let sql = "SELECT DISTINCT v.value ->> 0 AS source FROM json_each(?1) v LEFT JOIN lease l ON l.name = v.value ->> 1
                   WHERE l.fence IS NOT v.value ->> 2";
        let rows = sqlx::query(sql).bind(to_json(&fenced)?).fetch_all(&mut *conn).await.map_err(store)?;
        if !rows.is_empty() {
            let lost: Result<_, _> = rows.iter().map(|row| Columns::of(row, "lease").source("source")).collect();
            return Err(StoreError::LeaseLost(lost?));
        }
    }
    let mut moves = Vec::new();
    for to in batch.last_moves() {
        moves.push((&to.source, to_json(&to.to)?));
    }
    let sql = "INSERT INTO cursor (source, value) SELECT v.value ->> 0, v.value ->> 1 FROM json_each(?1) v WHERE true
               ON CONFLICT (source) DO UPDATE SET value = excluded.value";
    over(conn, sql, to_json(&moves)?).await
}

pub(crate) async fn cursor(conn: &mut SqliteConnection, source: &str) -> Result<Option<Cursor>, StoreError> {
    let row = sqlx::query("SELECT value FROM cursor WHERE source = ?1 AND value IS NOT NULL").bind(source);
    let Some(row) = row.fetch_optional(conn).await.map_err(store)? else { return Ok(None) };
    Columns::of(&row, "cursor").json("value").map(Some)
}

// -------------------------------------------------------------------------------------------------------------- counts

/// Adds a batch's counts: one statement each, whatever the number of sources.
pub(crate) fn add_counts(script: &mut Script, counts: &BTreeMap<(&str, &'static str), i64>, health: &BTreeMap<&str, HealthRow>) {
    static COUNT: Statement = Statement::insert(
        "INSERT INTO source_count (source, outcome, n)",
        "(?, ?, ?)",
        "ON CONFLICT (source, outcome) DO UPDATE SET n = n + excluded.n",
    );
    static HEALTH: Statement = Statement::insert(
        "INSERT INTO source_health (source, last_accepted, last_rejected, last_rejection, refused)",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (source) DO UPDATE SET
             last_accepted = max(coalesce(last_accepted, excluded.last_accepted), coalesce(excluded.last_accepted, last_accepted)),
             last_rejection = CASE WHEN excluded.last_rejected >= coalesce(last_rejected, excluded.last_rejected)
                                   THEN excluded.last_rejection ELSE last_rejection END,
             last_rejected = max(coalesce(last_rejected, excluded.last_rejected), coalesce(excluded.last_rejected, last_rejected)),
             refused = refused + excluded.refused",
    );
    let counts: Vec<_> = counts.iter().collect();
    script.add(&COUNT, &counts, |((source, outcome), n), values| {
        values.text(source).text(outcome).add(**n);
    });
    let health: Vec<_> = health.iter().collect();
    script.add(&HEALTH, &health, bind_health);
}

fn bind_health((source, row): &(&&str, &HealthRow), values: &mut Values) {
    values
        .text(source)
        .add(row.last_accepted.map(Timestamp::as_microsecond))
        .add(row.last_rejected.map(Timestamp::as_microsecond))
        .maybe_text(row.last_rejection.as_deref())
        .add(row.refused);
}

/// Adds what came in each hour.
pub(crate) fn count_hours(script: &mut Script, rows: &Gathered<'_>) {
    static HOUR: Statement = Statement::insert(
        "INSERT INTO source_hour (source, hour, n)",
        "(?, ?, ?)",
        "ON CONFLICT (source, hour) DO UPDATE SET n = n + excluded.n",
    );
    let hours: Vec<_> = rows.hours.iter().collect();
    script.add(&HOUR, &hours, |((source, hour), n), values| {
        values.text(source).add(*hour).add(**n);
    });
}

/// Adds counts of calls that were refused without being kept.
pub(crate) async fn refused(conn: &mut SqliteConnection, refusals: &[Refusals]) -> Result<(), StoreError> {
    let mut health: BTreeMap<&str, HealthRow> = BTreeMap::new();
    for refusal in refusals {
        let row = health.entry(refusal.source.as_str()).or_default();
        row.refused = row.refused.saturating_add(i64::try_from(refusal.count).unwrap_or(i64::MAX));
        row.rejected(refusal.last_at, || refusal.last_why.clone());
    }
    let mut script = Script::new(1);
    add_counts(&mut script, &BTreeMap::new(), &health);
    script.run(conn).await
}

/// Sources that ever sent anything, or that mails tell of.
pub(crate) async fn health(conn: &mut SqliteConnection, now: Timestamp) -> Result<Vec<SourceHealth>, StoreError> {
    let sql = "SELECT n.source, h.last_accepted, h.last_rejected, h.last_rejection, coalesce(h.refused, 0) AS refused,
                      m.since, coalesce(m.missed, 0) AS missed
               FROM (SELECT source FROM source_health UNION SELECT form FROM awaited_twin WHERE at < ?1) n
               LEFT JOIN source_health h ON h.source = n.source
               LEFT JOIN (SELECT form, min(at) AS since, count(*) AS missed FROM awaited_twin WHERE at < ?1 GROUP BY form) m
                   ON m.form = n.source
               ORDER BY n.source";
    let missed_before = liveness::missed_before(now).as_microsecond();
    let rows = sqlx::query(sql).bind(missed_before).fetch_all(&mut *conn).await.map_err(store)?;
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
async fn counts(conn: &mut SqliteConnection) -> Result<BTreeMap<SourceId, Vec<(Outcome, u64)>>, StoreError> {
    let rows = sqlx::query("SELECT source, outcome, n FROM source_count").fetch_all(conn).await.map_err(store)?;
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
async fn hours(conn: &mut SqliteConnection) -> Result<BTreeMap<SourceId, Vec<(i64, u64)>>, StoreError> {
    let sql = "SELECT source, hour, n FROM source_hour ORDER BY source, hour";
    let mut hours: BTreeMap<SourceId, Vec<(i64, u64)>> = BTreeMap::new();
    for row in &sqlx::query(sql).fetch_all(conn).await.map_err(store)? {
        let row = Columns::of(row, "source_hour");
        hours.entry(row.source("source")?).or_default().push((row.int("hour")?, row.count("n")?));
    }
    Ok(hours)
}

// --------------------------------------------------------------------------------------------------------------- notes

/// Keeps how reading a source goes.
pub(crate) async fn note(
    conn: &mut SqliteConnection,
    source: &SourceId,
    report: &PullReport,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO source_note (source, report, reported_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (source) DO UPDATE SET report = excluded.report, reported_at = excluded.reported_at";
    let statement = sqlx::query(sql).bind(source.as_str()).bind(to_json(report)?).bind(at.as_microsecond());
    statement.execute(conn).await.map(|_| ()).map_err(store)
}

/// Keeps what a person asks of a source, or takes it back.
pub(crate) async fn ask(
    conn: &mut SqliteConnection,
    source: &SourceId,
    ask: Option<&Ask>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO source_note (source, ask, asked_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (source) DO UPDATE SET ask = excluded.ask, asked_at = excluded.asked_at";
    let at = ask.map(|_| at.as_microsecond());
    let statement = sqlx::query(sql).bind(source.as_str()).bind(ask.map(to_json).transpose()?).bind(at);
    statement.execute(conn).await.map(|_| ()).map_err(store)
}

/// What is kept of both.
pub(crate) async fn notes(conn: &mut SqliteConnection) -> Result<Vec<SourceNote>, StoreError> {
    let sql = "SELECT source, coalesce(report, 'null') AS report, reported_at, coalesce(ask, 'null') AS ask, asked_at
               FROM source_note ORDER BY source";
    let rows = sqlx::query(sql).fetch_all(conn).await.map_err(store)?;
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

pub(crate) async fn totals(conn: &mut SqliteConnection) -> Result<Totals, StoreError> {
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
                      (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS database_bytes";
    let row = sqlx::query(sql).fetch_one(conn).await.map_err(store)?;
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

pub(crate) async fn installation(conn: &mut SqliteConnection) -> Result<Uuid, StoreError> {
    let row = sqlx::query("SELECT uuid FROM installation").fetch_one(conn).await.map_err(store)?;
    Columns::of(&row, "installation").uuid("uuid")
}
