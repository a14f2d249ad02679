//! What is due at a time, what is wrong until it is not any more, and who was answered.

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{
    Alarm, AlarmView, CALL_UNRETURNED, CONTACT_WAITING, JobId, LEAD_WAITING, NewTimer, News, Timer, TimerEnd, call_of,
};
use leadgate_core::plan::rows::{Gathered, Waiting};
use leadgate_core::ports::StoreError;
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::bulk::{self, Kind, Part, Rows, Together, storable_json, text};
use crate::conn::Conn;
use crate::error::{corrupt, to_json};
use crate::news;
use crate::rows::Columns;

// --------------------------------------------------------------------------------------------------------------- timers

static TIMER: Part = Part {
    head: "INSERT INTO timer (kind, key, due_at, source) SELECT v.* FROM",
    columns: &[("kind", Kind::Text), ("key", Kind::Text), ("due_at", Kind::Int), ("source", Kind::Text)],
    tail: "ON CONFLICT (kind, key) DO NOTHING",
};

static STOP: Part = Part {
    head: "DELETE FROM timer AS t USING",
    columns: &[("kind", Kind::Text), ("key", Kind::Text)],
    tail: "WHERE t.kind = v.kind AND t.key = v.key",
};

fn timers<'r>(timers: impl IntoIterator<Item = &'r NewTimer>) -> Rows<'r> {
    let mut rows = Rows::of(&TIMER);
    for timer in timers {
        let source = timer.source.as_ref().map(SourceId::as_str);
        rows.text(timer.kind).text(timer.key.as_str()).int(micros(timer.due_at)).maybe_text(source);
    }
    rows
}

/// Adds what a batch says of timers: contacts that do not wait any more have none.
pub(crate) fn write<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let ended = |waiting: Waiting| waiting == Waiting::Anew(None);
    let is_void = |timer: &NewTimer| {
        let Ok(id) = timer.key.parse() else { return false };
        let change = rows.contacts.get(&id).map(|row| &row.change).or_else(|| rows.contact_changes.get(&id));
        timer.kind == CONTACT_WAITING && change.is_some_and(|change| ended(change.waiting))
    };
    together.add(timers(rows.timers.iter().filter(|timer| !is_void(timer))));
    let mut taken = Rows::of(&STOP);
    for (id, _) in rows.contact_changes.iter().filter(|(_, change)| ended(change.waiting)) {
        taken.text(CONTACT_WAITING).text(id.to_string());
    }
    together.add(taken);
}

/// Sets timers that are not set.
pub(crate) async fn set(conn: &mut Conn, new: &[NewTimer]) -> Result<(), StoreError> {
    bulk::run(conn, timers(new)).await
}

/// Takes timers away.
pub(crate) async fn stop(conn: &mut Conn, timers: &[(String, String)]) -> Result<(), StoreError> {
    let mut rows = Rows::of(&STOP);
    for (kind, key) in timers {
        rows.text(kind.as_str()).text(key.as_str());
    }
    bulk::run(conn, rows).await
}

/// Nobody has to take these any more.
pub(crate) async fn taken(conn: &mut Conn, leads: &[i64], contact: Option<i64>) -> Result<(), StoreError> {
    let mut rows = Rows::of(&STOP);
    for lead in leads {
        rows.text(LEAD_WAITING).text(lead.to_string());
    }
    if let Some(contact) = contact {
        rows.text(CONTACT_WAITING).text(contact.to_string());
    }
    bulk::run(conn, rows).await
}

/// What is due.
pub(crate) async fn due(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError> {
    let sql = "SELECT kind, key, due_at, source FROM timer WHERE due_at <= $1 ORDER BY due_at, kind, key LIMIT $2";
    let rows = conn.all(sqlx::query(sql).bind(micros(now)).bind(i64::from(limit))).await?;
    rows.iter().map(timer).collect()
}

fn timer(row: &PgRow) -> Result<Timer, StoreError> {
    let row = Columns::of(row, "timer");
    Ok(Timer { kind: row.text("kind")?, key: row.text("key")?, due_at: row.time("due_at")?, source: row.maybe_source("source")? })
}

/// Ends or moves timers that still stand, and tells what follows. Whoever holds a row is at work on it and sees to it, or it
/// stays due: nobody waits.
pub(crate) async fn settle(conn: &mut Conn, ends: &[TimerEnd]) -> Result<u64, StoreError> {
    let (mut kinds, mut keys, mut dues) = (Vec::new(), Vec::new(), Vec::new());
    for Timer { kind, key, due_at, .. } in ends.iter().map(|end| &end.timer) {
        kinds.push(kind.as_str());
        keys.push(key.as_str());
        dues.push(micros(*due_at));
    }
    let sql = "SELECT v.n
               FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS v (kind, key, due_at, n)
               JOIN timer t ON t.kind = v.kind AND t.key = v.key AND t.due_at = v.due_at
               ORDER BY v.n FOR UPDATE OF t SKIP LOCKED";
    let rows = conn.all(sqlx::query(sql).bind(kinds).bind(keys).bind(dues)).await?;
    let mut stood = Vec::with_capacity(rows.len());
    for row in &rows {
        let n: usize = Columns::of(row, "timer").count("n")?;
        stood.extend(n.checked_sub(1).and_then(|n| ends.get(n)));
    }
    let (mut over, mut moved) = (Rows::of(&STOP), Rows::of(&MOVE));
    for end in &stood {
        let Timer { kind, key, .. } = &end.timer;
        match end.again {
            None => over.text(kind.as_str()).text(key.as_str()),
            Some(again) => moved.text(kind.as_str()).text(key.as_str()).int(micros(again)),
        };
    }
    let mut together = Together::default();
    together.add(over);
    together.add(moved);
    together.run(conn).await?;
    let waiting = waiting(conn, &stood).await?;
    let told = stood.iter().filter(|end| waits(&end.timer, &waiting)).filter_map(|end| end.news.as_ref());
    news::tell(conn, told).await?;
    Ok(stood.len() as u64)
}

static MOVE: Part = Part {
    head: "UPDATE timer AS t SET due_at = v.due_at FROM",
    columns: &[("kind", Kind::Text), ("key", Kind::Text), ("due_at", Kind::Int)],
    tail: "WHERE t.kind = v.kind AND t.key = v.key",
};

/// Whether what a timer was set for still holds. Of other kinds whoever settles it knows.
fn waits(timer: &Timer, waiting: &[(String, String)]) -> bool {
    ![LEAD_WAITING, CONTACT_WAITING, CALL_UNRETURNED].contains(&timer.kind.as_str())
        || waiting.iter().any(|(kind, key)| *kind == timer.kind && *key == timer.key)
}

/// Of which leads, contacts and missed calls that have a timer somebody still waits, as `(kind, key)`.
async fn waiting(conn: &mut Conn, ends: &[&TimerEnd]) -> Result<Vec<(String, String)>, StoreError> {
    let of = |kind: &str| -> Vec<i64> {
        ends.iter().filter(|end| end.timer.kind == kind).filter_map(|end| end.timer.key.parse().ok()).collect()
    };
    let (leads, contacts) = (of(LEAD_WAITING), of(CONTACT_WAITING));
    let calls: Vec<(String, String)> = ends
        .iter()
        .filter(|end| end.timer.kind == CALL_UNRETURNED)
        .filter_map(|end| call_of(&end.timer.key).map(|(source, key)| (source.to_string(), key.to_owned())))
        .collect();
    if leads.is_empty() && contacts.is_empty() && calls.is_empty() {
        return Ok(Vec::new());
    }
    let (sources, keys): (Vec<String>, Vec<String>) = calls.into_iter().unzip();
    let sql = "SELECT $3 AS kind, id::text AS key FROM lead WHERE id = ANY ($1) AND stage = 'NEW'
               UNION ALL SELECT $4, id::text FROM contact WHERE id = ANY ($2) AND waiting_since IS NOT NULL
               UNION ALL SELECT $5, c.source || ' ' || c.key FROM unnest($6::text[], $7::text[]) AS v (source, key)
                         JOIN call c ON c.source = v.source AND c.key = v.key WHERE c.back = 'waits'";
    let statement = sqlx::query(sql).bind(leads).bind(contacts).bind(LEAD_WAITING).bind(CONTACT_WAITING);
    let rows = conn.all(statement.bind(CALL_UNRETURNED).bind(sources).bind(keys)).await?;
    let pair = |row: &PgRow| {
        let row = Columns::of(row, "timer");
        Ok((row.text("kind")?, row.text("key")?))
    };
    rows.iter().map(pair).collect()
}

// --------------------------------------------------------------------------------------------------------------- alarms

/// Raises an alarm.
pub(crate) async fn raise(conn: &mut Conn, alarm: &Alarm, told: &News) -> Result<bool, StoreError> {
    let detail = storable_json(to_json(&alarm.detail)?.into()).into_owned();
    let sql = "INSERT INTO alarm (name, key, since, detail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let new = sqlx::query(sql).bind(alarm.name).bind(text(&alarm.key)).bind(micros(alarm.since)).bind(&detail);
    if conn.run(new).await? > 0 {
        return news::tell(conn, [told]).await.map(|()| true);
    }
    let sql = "UPDATE alarm SET detail = $3 WHERE name = $1 AND key = $2 AND detail <> $3";
    conn.run(sqlx::query(sql).bind(alarm.name).bind(text(&alarm.key)).bind(detail)).await.map(|_| false)
}

/// Takes an alarm back.
pub(crate) async fn clear(conn: &mut Conn, name: &str, key: &str, told: Option<&News>) -> Result<bool, StoreError> {
    let sql = "DELETE FROM alarm WHERE name = $1 AND key = $2";
    let stood = conn.run(sqlx::query(sql).bind(text(name)).bind(text(key))).await? > 0;
    if let (true, Some(told)) = (stood, told) {
        news::tell(conn, [told]).await?;
    }
    Ok(stood)
}

/// The alarms that stand.
pub(crate) async fn alarms(conn: &mut Conn) -> Result<Vec<AlarmView>, StoreError> {
    let rows = conn.all(sqlx::query("SELECT name, key, since, detail FROM alarm ORDER BY since, name, key")).await?;
    let alarm = |row| {
        let row = Columns::of(row, "alarm");
        Ok(AlarmView { name: row.text("name")?, key: row.text("key")?, since: row.time("since")?, detail: row.json("detail")? })
    };
    rows.iter().map(alarm).collect()
}

// -------------------------------------------------------------------------------------------------------------- answers

/// That addresses were answered is forgotten.
pub(crate) async fn unanswered(conn: &mut Conn, addresses: &[[u8; 32]]) -> Result<(), StoreError> {
    if addresses.is_empty() {
        return Ok(());
    }
    let addresses: Vec<&[u8]> = addresses.iter().map(|address| &address[..]).collect();
    conn.run(sqlx::query("DELETE FROM answered WHERE address = ANY ($1)").bind(addresses)).await.map(|_| ())
}

/// The key that signs links: the one that was there first.
pub(crate) async fn link_key(conn: &mut Conn, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
    let sql = "INSERT INTO link_key (only_row, key) VALUES (1, $1) ON CONFLICT DO NOTHING";
    conn.run(sqlx::query(sql).bind(&fresh[..])).await?;
    let row = conn.one(sqlx::query("SELECT key FROM link_key")).await?;
    let key: Vec<u8> = Columns::of(&row, "link_key").get("key")?;
    key.try_into().map_err(|_| corrupt("link_key", "it is no key".to_owned()))
}

/// An address is answered at most once in this time.
const ANSWERED_FOR: i64 = 24 * HOUR;
const HOUR: i64 = 3_600_000_000;

/// Notes that an address is answered, if it may be. The lock of the source is taken: who counts sees what was noted before.
pub(crate) async fn may_answer(
    conn: &mut Conn,
    job: JobId,
    address: [u8; 32],
    source: &SourceId,
    most_an_hour: u32,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO answered AS a (address, source, job, at)
               SELECT $1, $2, $3, $4
               WHERE (SELECT count(*) FROM answered WHERE source = $2 AND at > $4 - $6 AND job <> $3) < $5
               ON CONFLICT (address) DO UPDATE SET source = excluded.source, job = excluded.job, at = excluded.at
               WHERE a.at <= excluded.at - $7 OR a.job = excluded.job";
    let statement = sqlx::query(sql).bind(&address[..]).bind(source.as_str()).bind(&job.0.as_bytes()[..]).bind(micros(now));
    let statement = statement.bind(i64::from(most_an_hour)).bind(HOUR).bind(ANSWERED_FOR);
    Ok(conn.run(statement).await? > 0)
}
