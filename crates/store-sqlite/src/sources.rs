//! Sources: their places, their counts and how they are doing; and everything on one screen.

use std::collections::BTreeMap;

use leadgate_core::ids::SourceId;
use leadgate_core::plan::rows::HealthRow;
use leadgate_core::ports::{Refusals, StoreError, source_lease};
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::{Batch, Cursor};
use leadgate_core::views::{SourceHealth, Totals};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::apply::over;
use crate::bulk::{Insert, Values};
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
pub(crate) async fn count(
    conn: &mut SqliteConnection,
    counts: &BTreeMap<(&str, &'static str), i64>,
    health: &BTreeMap<&str, HealthRow>,
) -> Result<(), StoreError> {
    static COUNT: Insert = Insert::new(
        "INSERT INTO source_count (source, outcome, n)",
        "(?, ?, ?)",
        "ON CONFLICT (source, outcome) DO UPDATE SET n = n + excluded.n",
    );
    static HEALTH: Insert = Insert::new(
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
    COUNT
        .run(conn, &counts, |((source, outcome), n), values| {
            values.text(source).text(outcome).add(**n);
        })
        .await?;
    let health: Vec<_> = health.iter().collect();
    HEALTH.run(conn, &health, bind_health).await
}

fn bind_health((source, row): &(&&str, &HealthRow), values: &mut Values) {
    values
        .text(source)
        .add(row.last_accepted.map(jiff::Timestamp::as_microsecond))
        .add(row.last_rejected.map(jiff::Timestamp::as_microsecond))
        .maybe_text(row.last_rejection.as_deref())
        .add(row.refused);
}

/// Adds counts of calls that were refused without being kept.
pub(crate) async fn refused(conn: &mut SqliteConnection, refusals: &[Refusals]) -> Result<(), StoreError> {
    let mut health: BTreeMap<&str, HealthRow> = BTreeMap::new();
    for refusal in refusals {
        let row = health.entry(refusal.source.as_str()).or_default();
        row.refused = row.refused.saturating_add(i64::try_from(refusal.count).unwrap_or(i64::MAX));
        row.rejected(refusal.last_at, || refusal.last_why.clone());
    }
    count(conn, &BTreeMap::new(), &health).await
}

pub(crate) async fn health(conn: &mut SqliteConnection) -> Result<Vec<SourceHealth>, StoreError> {
    let rows =
        sqlx::query("SELECT source, last_accepted, last_rejected, last_rejection, refused FROM source_health ORDER BY source")
            .fetch_all(&mut *conn)
            .await
            .map_err(store)?;
    let mut health = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of(row, "source_health");
        health.push(SourceHealth {
            source: row.source("source")?,
            last_accepted: row.maybe_time("last_accepted")?,
            last_rejected: row.maybe_time("last_rejected")?,
            last_rejection: row.get("last_rejection")?,
            counts: Vec::new(),
            refused: row.count("refused")?,
        });
    }
    let rows = sqlx::query("SELECT source, outcome, n FROM source_count").fetch_all(conn).await.map_err(store)?;
    for row in &rows {
        let row = Columns::of(row, "source_count");
        let source: SourceId = row.source("source")?;
        let count = (row.parse("outcome", Outcome::parse)?, row.count("n")?);
        if let Some(known) = health.iter_mut().find(|known| known.source == source) {
            known.counts.push(count);
        }
    }
    for source in &mut health {
        source.counts.sort_by_key(|(outcome, _)| Outcome::ALL.iter().position(|known| known == outcome));
    }
    Ok(health)
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
