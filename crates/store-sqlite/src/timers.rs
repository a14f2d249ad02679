//! What is due at a time, and what is wrong until it is not any more.

use leadgate_core::onward::{
    Alarm, AlarmView, CALL_UNRETURNED, CONTACT_WAITING, JobId, LEAD_WAITING, NewTimer, News, Timer, TimerEnd, call_of,
};
use leadgate_core::ports::StoreError;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::bulk::{Script, Statement};
use crate::error::{corrupt, store, to_json};
use crate::news;
use crate::rows::Columns;

// --------------------------------------------------------------------------------------------------------------- timers

/// Sets timers that are not set.
pub(crate) async fn set(conn: &mut SqliteConnection, timers: &[NewTimer]) -> Result<(), StoreError> {
    let mut script = Script::new(timers.len());
    add(&mut script, timers);
    script.run(conn).await
}

/// As [`set`], among other writes.
pub(crate) fn add(script: &mut Script, timers: &[NewTimer]) {
    static TIMER: Statement =
        Statement::insert("INSERT INTO timer (kind, key, due_at, source)", "(?, ?, ?, ?)", "ON CONFLICT (kind, key) DO NOTHING");
    script.add(&TIMER, timers, |timer, values| {
        let source = timer.source.as_ref().map(leadgate_core::ids::SourceId::as_str);
        values.text(timer.kind).text(&timer.key).add(timer.due_at.as_microsecond()).maybe_text(source);
    });
}

/// Takes timers away, over kinds and keys.
pub(crate) const STOP: &str = "DELETE FROM timer WHERE (kind, key) IN (SELECT v.value ->> 0, v.value ->> 1 FROM json_each(?) v)";

/// Takes timers away.
pub(crate) async fn stop(conn: &mut SqliteConnection, timers: &[(String, String)]) -> Result<(), StoreError> {
    sqlx::query(STOP).bind(to_json(timers)?).execute(conn).await.map(|_| ()).map_err(store)
}

/// Nobody waits for a lead any more.
pub(crate) async fn lead_taken(conn: &mut SqliteConnection, lead: i64) -> Result<(), StoreError> {
    stop(conn, &[(LEAD_WAITING.to_owned(), lead.to_string())]).await
}

/// A contact does not wait any more.
pub(crate) async fn contact_taken(conn: &mut SqliteConnection, contact: i64) -> Result<(), StoreError> {
    stop(conn, &[(CONTACT_WAITING.to_owned(), contact.to_string())]).await
}

/// Nothing is due of a person who is erased.
pub(crate) async fn forget(conn: &mut SqliteConnection, leads: &[i64], contact: i64) -> Result<(), StoreError> {
    let leads = leads.iter().map(|lead| (LEAD_WAITING.to_owned(), lead.to_string()));
    let theirs: Vec<_> = leads.chain([(CONTACT_WAITING.to_owned(), contact.to_string())]).collect();
    stop(conn, &theirs).await
}

/// What is due.
pub(crate) async fn due(conn: &mut SqliteConnection, now: i64, limit: u32) -> Result<Vec<Timer>, StoreError> {
    let sql = "SELECT kind, key, due_at, source FROM timer WHERE due_at <= ?1 ORDER BY due_at, kind, key LIMIT ?2";
    let rows = sqlx::query(sql).bind(now).bind(limit).fetch_all(conn).await.map_err(store)?;
    rows.iter().map(timer).collect()
}

fn timer(row: &SqliteRow) -> Result<Timer, StoreError> {
    let row = Columns::of(row, "timer");
    Ok(Timer { kind: row.text("kind")?, key: row.text("key")?, due_at: row.time("due_at")?, source: row.maybe_source("source")? })
}

/// Ends or moves timers that still stand, and tells what follows.
pub(crate) async fn settle(conn: &mut SqliteConnection, ends: &[TimerEnd]) -> Result<u64, StoreError> {
    let mut stood = 0;
    for end in ends {
        let Timer { kind, key, due_at, .. } = &end.timer;
        let sql = match end.again {
            Some(_) => "UPDATE timer SET due_at = ?4 WHERE kind = ?1 AND key = ?2 AND due_at = ?3",
            None => "DELETE FROM timer WHERE kind = ?1 AND key = ?2 AND due_at = ?3",
        };
        let mut statement = sqlx::query(sql).bind(kind).bind(key).bind(due_at.as_microsecond());
        if let Some(again) = end.again {
            statement = statement.bind(again.as_microsecond());
        }
        if statement.execute(&mut *conn).await.map_err(store)?.rows_affected() == 0 {
            continue;
        }
        stood += 1;
        if let Some(told) = &end.news
            && waits(conn, kind, key).await?
        {
            news::news(conn, told).await?;
        }
    }
    Ok(stood)
}

/// Whether what a timer was set for still holds. Of other kinds whoever settles it knows.
async fn waits(conn: &mut SqliteConnection, kind: &str, key: &str) -> Result<bool, StoreError> {
    if kind == CALL_UNRETURNED {
        let Some((source, key)) = call_of(key) else { return Ok(false) };
        let sql = "SELECT EXISTS (SELECT 1 FROM call WHERE source = ?1 AND key = ?2 AND back = 'waits')";
        return sqlx::query_scalar(sql).bind(source.as_str()).bind(key).fetch_one(conn).await.map_err(store);
    }
    let sql = match kind {
        LEAD_WAITING => "SELECT EXISTS (SELECT 1 FROM lead WHERE id = CAST(?1 AS INTEGER) AND stage = 'NEW')",
        CONTACT_WAITING => "SELECT EXISTS (SELECT 1 FROM contact WHERE id = CAST(?1 AS INTEGER) AND waiting_since IS NOT NULL)",
        _ => return Ok(true),
    };
    sqlx::query_scalar(sql).bind(key).fetch_one(conn).await.map_err(store)
}

// --------------------------------------------------------------------------------------------------------------- alarms

/// Raises an alarm.
pub(crate) async fn raise(conn: &mut SqliteConnection, alarm: &Alarm, told: &News) -> Result<bool, StoreError> {
    let detail = to_json(&alarm.detail)?;
    let sql = "INSERT INTO alarm (name, key, since, detail) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let new = sqlx::query(sql).bind(alarm.name).bind(&alarm.key).bind(alarm.since.as_microsecond()).bind(&detail);
    if new.execute(&mut *conn).await.map_err(store)?.rows_affected() > 0 {
        return news::news(conn, told).await.map(|()| true);
    }
    let sql = "UPDATE alarm SET detail = ?3 WHERE name = ?1 AND key = ?2 AND detail <> ?3";
    sqlx::query(sql).bind(alarm.name).bind(&alarm.key).bind(&detail).execute(conn).await.map(|_| false).map_err(store)
}

/// Takes an alarm back.
pub(crate) async fn clear(conn: &mut SqliteConnection, name: &str, key: &str, told: Option<&News>) -> Result<bool, StoreError> {
    let sql = "DELETE FROM alarm WHERE name = ?1 AND key = ?2";
    let stood = sqlx::query(sql).bind(name).bind(key).execute(&mut *conn).await.map_err(store)?.rows_affected() > 0;
    if let (true, Some(told)) = (stood, told) {
        news::news(conn, told).await?;
    }
    Ok(stood)
}

/// The alarms that stand.
pub(crate) async fn alarms(conn: &mut SqliteConnection) -> Result<Vec<AlarmView>, StoreError> {
    let rows = sqlx::query("SELECT name, key, since, detail FROM alarm ORDER BY since, name, key");
    let rows = rows.fetch_all(conn).await.map_err(store)?;
    let alarm = |row| {
        let row = Columns::of(row, "alarm");
        Ok(AlarmView { name: row.text("name")?, key: row.text("key")?, since: row.time("since")?, detail: row.json("detail")? })
    };
    rows.iter().map(alarm).collect()
}

// -------------------------------------------------------------------------------------------------------------- answers

/// An address is answered at most once in this time.
const ANSWERED_FOR: i64 = 24 * HOUR;
const HOUR: i64 = 3_600_000_000;

/// That addresses were answered is forgotten.
pub(crate) async fn unanswered(conn: &mut SqliteConnection, addresses: &[[u8; 32]]) -> Result<(), StoreError> {
    for address in addresses {
        sqlx::query("DELETE FROM answered WHERE address = ?1").bind(&address[..]).execute(&mut *conn).await.map_err(store)?;
    }
    Ok(())
}

/// The key that signs links.
pub(crate) async fn link_key(conn: &mut SqliteConnection, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
    let sql = "INSERT INTO link_key (only_row, key) VALUES (1, ?1) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(&fresh[..]).execute(&mut *conn).await.map_err(store)?;
    let key: Vec<u8> = sqlx::query_scalar("SELECT key FROM link_key").fetch_one(conn).await.map_err(store)?;
    key.try_into().map_err(|_| corrupt("link_key", "it is no key".to_owned()))
}

/// Notes that an address is answered, if it may be.
pub(crate) async fn may_answer(
    conn: &mut SqliteConnection,
    job: JobId,
    address: [u8; 32],
    source: &str,
    most_an_hour: u32,
    now: i64,
) -> Result<bool, StoreError> {
    let id = &job.0.as_bytes()[..];
    let sql = "INSERT INTO answered (address, source, job, at)
               SELECT ?1, ?2, ?3, ?4
               WHERE (SELECT count(*) FROM answered WHERE source = ?2 AND at > ?4 - ?6 AND job <> ?3) < ?5
               ON CONFLICT (address) DO UPDATE SET source = excluded.source, job = excluded.job, at = excluded.at
               WHERE answered.at <= excluded.at - ?7 OR answered.job = excluded.job";
    let statement = sqlx::query(sql).bind(&address[..]).bind(source).bind(id).bind(now).bind(most_an_hour);
    let noted = statement.bind(HOUR).bind(ANSWERED_FOR).execute(conn).await.map_err(store)?;
    Ok(noted.rows_affected() > 0)
}
