//! Tells events, and owes what they owe, in the transaction of what they tell.

use leadgate_core::ids::SourceId;
use leadgate_core::onward::{EventData, NewJob, News, Occurred, version_of};
use leadgate_core::ports::{Act, StoreError};
use sqlx::SqliteConnection;

use crate::bulk::{Script, Statement};
use crate::error::{store, to_json};
use crate::rows::Columns;

/// Owes what events owe. A delivery that is owed already is not owed twice.
pub(crate) async fn owe(conn: &mut SqliteConnection, jobs: &[NewJob]) -> Result<(), StoreError> {
    let mut script = Script::new(jobs.len());
    add_jobs(&mut script, jobs);
    script.run(conn).await
}

/// As [`owe`], among other writes.
pub(crate) fn add_jobs(script: &mut Script, jobs: &[NewJob]) {
    static JOB: Statement = Statement::insert(
        "INSERT INTO job (id, target, recipient, event, name, data, lead, lane, state, at, since, due_at, attempts, words)",
        "(?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, 0, '')",
        "ON CONFLICT (id) DO NOTHING",
    );
    script.add(&JOB, jobs, |job, values| {
        let at = job.at.as_microsecond();
        values
            .add(&job.id.0.as_bytes()[..])
            .text(&job.target)
            .text(&job.recipient)
            .add(&job.event.0.as_bytes()[..])
            .text(job.name)
            .text(&job.data)
            .add(job.lead)
            .add(job.lane)
            .add(at)
            .add(at)
            .add(at);
    });
}

/// Tells what a person did.
pub(crate) async fn act(
    conn: &mut SqliteConnection,
    name: &'static str,
    act: &Act,
    mut data: EventData,
) -> Result<(), StoreError> {
    data.by = Some(act.actor.clone());
    let source = if act.routes.is_empty() {
        None
    } else {
        match source(conn, &data).await? {
            From::Nowhere => None,
            From::Source(source) => Some(source),
            // Out of all pushes.
            From::Test => return event(conn, act.event.0, name, act.at, &to_json(&data)?).await,
        }
    };
    news(conn, &News { id: act.event, name, at: act.at, source, data, routes: act.routes.clone() }).await
}

/// Tells something, and owes what it owes.
pub(crate) async fn news(conn: &mut SqliteConnection, news: &News) -> Result<(), StoreError> {
    let data = to_json(&news.data)?;
    event(conn, news.id.0, news.name, news.at, &data).await?;
    let mut jobs = Vec::new();
    let occurred = Occurred {
        id: news.id,
        name: news.name,
        at: news.at,
        source: news.source.as_ref(),
        lead: news.data.lead.map(|id| id.0),
        data: &data,
    };
    news.routes.jobs(&occurred, &mut jobs);
    owe(conn, &jobs).await
}

async fn event(
    conn: &mut SqliteConnection,
    id: uuid::Uuid,
    name: &'static str,
    at: jiff::Timestamp,
    data: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO event (id, name, version, at, historic, data) VALUES (?1, ?2, ?3, ?4, 0, ?5)")
        .bind(&id.as_bytes()[..])
        .bind(name)
        .bind(version_of(name))
        .bind(at.as_microsecond())
        .bind(data)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(store)
}

/// Where what somebody changed came from.
enum From {
    Source(SourceId),
    Nowhere,
    Test,
}

async fn source(conn: &mut SqliteConnection, data: &EventData) -> Result<From, StoreError> {
    let (sql, id) = match (data.lead, data.contact) {
        (Some(lead), _) => ("SELECT source, test FROM lead WHERE id = ?1", lead.0),
        (None, Some(contact)) => (
            "SELECT source, 0 AS test FROM activity WHERE id = (
                 SELECT max(id) FROM (
                     SELECT max(id) AS id FROM activity WHERE contact = ?1 AND lead IS NULL AND source IS NOT NULL
                     UNION ALL SELECT a.id FROM (SELECT id FROM lead WHERE contact = ?1 AND takes = 1
                                                 UNION ALL SELECT id FROM lead WHERE contact = ?1 AND takes = 0 AND contact IS NOT NULL) l
                     CROSS JOIN activity a ON a.lead = l.id WHERE a.source IS NOT NULL))",
            contact.0,
        ),
        (None, None) => return Ok(From::Nowhere),
    };
    let Some(row) = sqlx::query(sql).bind(id).fetch_optional(conn).await.map_err(store)? else { return Ok(From::Nowhere) };
    let row = Columns::of(&row, "lead");
    if row.flag("test")? { Ok(From::Test) } else { row.source("source").map(From::Source) }
}
