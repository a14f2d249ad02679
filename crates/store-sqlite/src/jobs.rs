//! Deliveries that are owed: claimed, settled, looked at.

use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::ids::{EventId, LeadId, NodeId};
use leadgate_core::onward::{
    Claim, EventData, Job, JobDetail, JobEnd, JobFilter, JobId, JobState, JobView, Late, News, Overdue, Recipient, Routes,
    Settled, Target, Want,
};
use leadgate_core::page;
use leadgate_core::ports::StoreError;
use leadgate_core::submission::Reference;
use leadgate_core::views::{Page, PageAt};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::{store, to_json};
use crate::rows::Columns;
use crate::{messages, news};

/// Jobs that one call gives up at most, so that no lead waits long behind it.
const MOST: u32 = 256;

/// The database's clock in microseconds.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
}

// ------------------------------------------------------------------------------------------------------------ delivering

/// Claims that have run out, and those of others that fell silent, are free.
async fn free_lost(conn: &mut SqliteConnection, claim: Claim) -> Result<(), StoreError> {
    let sql = concat!(
        "UPDATE job SET state = 'waiting', node = NULL, claimed_until = NULL
         WHERE state = 'sending' AND (claimed_until <= ",
        now!(),
        " OR node IN (SELECT id FROM node WHERE id <> ?1 AND seen_at < ",
        now!(),
        " - ?2))"
    );
    let silence = i64::try_from(claim.silence.as_micros()).unwrap_or(i64::MAX / 2);
    sqlx::query(sql).bind(&claim.node.0.as_bytes()[..]).bind(silence).execute(conn).await.map_err(store)?;
    Ok(())
}

/// Claims what is due.
pub(crate) async fn claim(conn: &mut SqliteConnection, wants: &[Want], claim: Claim) -> Result<Vec<Job>, StoreError> {
    if claim.frees {
        free_lost(conn, claim).await?;
    }
    let sql = concat!(
        "UPDATE job SET state = 'sending', node = ?4, claimed_until = ",
        now!(),
        " + ?5, attempts = attempts + 1
         WHERE seq IN (
             SELECT j.seq FROM job j INDEXED BY job_due
             WHERE j.state = 'waiting' AND j.target = ?1 AND j.due_at <= ?2
                   AND (j.lane IS NULL OR NOT EXISTS (
                       SELECT 1 FROM job e INDEXED BY job_lane
                       WHERE e.lane = j.lane AND e.target = j.target AND e.seq < j.seq AND e.state IN ('waiting', 'sending', 'held')))
             ORDER BY j.due_at, j.seq LIMIT ?3)
         RETURNING seq, id, target, recipient, event, name, data, at, since, due_at, attempts"
    );
    let lasts = i64::try_from(claim.lasts.as_micros()).unwrap_or(i64::MAX / 2);
    let mut jobs = Vec::new();
    for want in wants.iter().filter(|want| want.most > 0) {
        let statement = sqlx::query(sql).bind(&want.target).bind(claim.now.as_microsecond()).bind(want.most);
        let statement = statement.bind(&claim.node.0.as_bytes()[..]).bind(lasts);
        for row in &statement.fetch_all(&mut *conn).await.map_err(store)? {
            jobs.push((Columns::of(row, "job").int("due_at")?, job(row)?));
        }
    }
    jobs.sort_by_key(|(due_at, job)| (*due_at, job.seq));
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}

fn job(row: &SqliteRow) -> Result<Job, StoreError> {
    let row = Columns::of(row, "job");
    let recipient: &str = row.get("recipient")?;
    Ok(Job {
        seq: row.int("seq")?,
        id: JobId(row.uuid("id")?),
        target: row.text("target")?,
        recipient: Recipient::parse(recipient),
        event: EventId(row.uuid("event")?),
        name: row.text("name")?,
        data: row.json("data")?,
        at: row.time("at")?,
        since: row.time("since")?,
        attempt: row.int("attempts")?,
    })
}

/// Writes how attempts ended.
pub(crate) async fn settle(conn: &mut SqliteConnection, settled: &[Settled], told: &[News]) -> Result<(), StoreError> {
    let mut refs = Vec::new();
    let mut rows = Vec::with_capacity(settled.len());
    for one in settled {
        let (state, due_at) = match &one.end {
            JobEnd::Done(known) => {
                refs.extend(known.iter().map(|(scope, value)| json!([one.seq, one.attempt, scope, value])));
                ("done", None)
            }
            JobEnd::Dead => ("dead", None),
            JobEnd::Retry(due_at) | JobEnd::Postponed(due_at) => ("waiting", Some(due_at.as_microsecond())),
        };
        let untried = i64::from(matches!(one.end, JobEnd::Postponed(_)));
        rows.push(json!([one.seq, one.attempt, state, due_at, one.at.as_microsecond(), one.words, untried]));
    }
    if !refs.is_empty() {
        let sql = "INSERT INTO job_ref (job, scope, value)
                   SELECT j.seq, v.value ->> 2, v.value ->> 3 FROM json_each(?1) v CROSS JOIN job j ON j.seq = v.value ->> 0
                   WHERE j.state = 'sending' AND j.attempts = v.value ->> 1
                   ON CONFLICT DO NOTHING";
        let refs = to_json(&refs)?;
        sqlx::query(sql).bind(&refs).execute(&mut *conn).await.map_err(store)?;
        // Whoever answers a mail of ours goes on with what that tells of.
        let sql = "INSERT INTO activity_ref (scope, value, activity)
                   SELECT v.value ->> 2, v.value ->> 3, a.id FROM json_each(?1) v CROSS JOIN job j ON j.seq = v.value ->> 0
                   CROSS JOIN activity a ON a.id = j.data ->> 'activity'
                   WHERE v.value ->> 2 = ?2 AND j.state = 'sending' AND j.attempts = v.value ->> 1
                   ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(&refs).bind(Reference::MESSAGE_ID).execute(&mut *conn).await.map_err(store)?;
    }
    let sql = "UPDATE job SET state = v.value ->> 2, due_at = coalesce(v.value ->> 3, due_at), words = v.value ->> 5,
                              ended_at = iif(v.value ->> 3 IS NULL, v.value ->> 4, NULL), attempts = attempts - (v.value ->> 6),
                              node = NULL, claimed_until = NULL
               FROM json_each(?1) v WHERE job.seq = v.value ->> 0 AND job.attempts = v.value ->> 1 AND job.state = 'sending'";
    sqlx::query(sql).bind(to_json(&rows)?).execute(&mut *conn).await.map_err(store)?;
    for one in told {
        news::news(conn, one).await?;
    }
    Ok(())
}

/// What a gateway had claimed is free.
pub(crate) async fn free(conn: &mut SqliteConnection, node: NodeId) -> Result<(), StoreError> {
    let sql = "UPDATE job SET state = 'waiting', node = NULL, claimed_until = NULL WHERE state = 'sending' AND node = ?1";
    sqlx::query(sql).bind(&node.0.as_bytes()[..]).execute(conn).await.map(|_| ()).map_err(store)
}

/// Nobody delivers: whoever opens the database is alone with it.
pub(crate) async fn free_all(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let sql = "UPDATE job SET state = 'waiting', node = NULL, claimed_until = NULL WHERE state = 'sending'";
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(store)
}

/// When the next is due. One that waits for another of its lane is not: whoever settles that one knows.
pub(crate) async fn next(conn: &mut SqliteConnection, targets: &[String]) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT min((SELECT j.due_at FROM job j INDEXED BY job_due
                           WHERE j.state = 'waiting' AND j.target = v.value
                                 AND (j.lane IS NULL OR NOT EXISTS (
                                     SELECT 1 FROM job e INDEXED BY job_lane
                                     WHERE e.lane = j.lane AND e.target = j.target AND e.seq < j.seq
                                           AND e.state IN ('waiting', 'sending', 'held')))
                           ORDER BY j.due_at LIMIT 1))
               FROM json_each(?1) v";
    sqlx::query_scalar(sql).bind(to_json(targets)?).fetch_one(conn).await.map_err(store)
}

/// Gives up what waited too long.
pub(crate) async fn bury(
    conn: &mut SqliteConnection,
    targets: &[Target],
    orphans_before: i64,
    at: Timestamp,
    routes: &Arc<Routes>,
) -> Result<Vec<Late>, StoreError> {
    let configured: Vec<_> = targets.iter().map(|target| (target.name.as_str(), target.dead_before.as_microsecond())).collect();
    let sql = "SELECT DISTINCT target FROM job INDEXED BY job_due WHERE state = 'waiting'
               EXCEPT SELECT v.value ->> 0 FROM json_each(?1) v";
    let orphans: Vec<String> = sqlx::query_scalar(sql).bind(to_json(&configured)?).fetch_all(&mut *conn).await.map_err(store)?;
    let gone = "the configuration has no such target any more";
    let orphans = orphans.iter().map(|target| (target.as_str(), orphans_before, gone, ""));
    let late = configured.iter().map(|(target, before)| (*target, *before, "its time was over", "relay"));
    let mut buried = Vec::new();
    let mut left = MOST;
    for (target, before, why, spared) in late.chain(orphans) {
        let sql = "UPDATE job SET state = 'dead', ended_at = ?3, words = iif(words = '', ?4, ?4 || ': ' || words)
                   WHERE seq IN (SELECT seq FROM job WHERE state = 'waiting' AND target = ?1 AND since < ?2
                                             AND (?6 = '' OR recipient <> ?6) LIMIT ?5)
                   RETURNING id, recipient, words, data";
        let statement = sqlx::query(sql).bind(target).bind(before).bind(at.as_microsecond()).bind(why).bind(left).bind(spared);
        let rows = statement.fetch_all(&mut *conn).await.map_err(store)?;
        for row in &rows {
            let row = Columns::of(row, "job");
            if Recipient::parse(row.get("recipient")?) == Recipient::Reply {
                let overdue = Overdue { job: JobId(row.uuid("id")?), data: row.json("data")?, words: row.text("words")?, at };
                messages::overdue(conn, overdue, routes).await?;
            }
        }
        let count = rows.len() as u64;
        left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        if count > 0 {
            buried.push(Late { target: target.to_owned(), count });
        }
    }
    Ok(buried)
}

// --------------------------------------------------------------------------------------------------------------- looking

const VIEW: &str = "SELECT j.seq, j.id, j.target, j.recipient, j.event, j.name, j.data, j.state, j.at, j.due_at, j.attempts,
                           j.ended_at, j.words FROM job j WHERE TRUE";

fn view(row: &SqliteRow) -> Result<(i64, JobDetail), StoreError> {
    let row = Columns::of(row, "job");
    let data: EventData = row.json("data")?;
    let job = JobView {
        id: JobId(row.uuid("id")?),
        target: row.text("target")?,
        to: row.text("recipient")?,
        event: row.text("name")?,
        event_id: row.uuid("event")?,
        lead: data.lead,
        contact: data.contact,
        state: row.parse("state", JobState::parse)?,
        at: row.time("at")?,
        due_at: row.time("due_at")?,
        attempts: row.count("attempts")?,
        ended_at: row.maybe_time("ended_at")?,
        words: row.text("words")?,
    };
    Ok((row.int("seq")?, JobDetail { job, detail: data.detail, refs: Vec::new() }))
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &JobFilter) -> Result<(), StoreError> {
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" AND j.state IN (SELECT value FROM json_each(").push_bind(to_json(&states)?).push("))");
    }
    if let Some(target) = &filter.target {
        query.push(" AND j.target = ").push_bind(target.clone());
    }
    if let Some(id) = filter.id {
        query.push(" AND j.id = ").push_bind(id.0.as_bytes().to_vec());
    }
    if let Some(LeadId(lead)) = filter.lead {
        query.push(" AND j.lead = ").push_bind(lead).push(" AND j.lead IS NOT NULL");
    }
    Ok(())
}

/// Jobs, newest first.
pub(crate) async fn list(conn: &mut SqliteConnection, filter: &JobFilter, at: &PageAt) -> Result<Page<JobView>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(VIEW);
    narrow(&mut query, filter)?;
    if let Some([seq]) = page::after::<1>(at)? {
        query.push(" AND j.seq < ").push_bind(seq);
    }
    query.push(" ORDER BY j.seq DESC LIMIT ").push_bind(page::fetch(at));
    let rows = query.build().fetch_all(conn).await.map_err(store)?;
    let jobs: Result<Vec<_>, _> = rows.iter().map(|row| view(row).map(|(seq, detail)| ([seq], detail.job))).collect();
    Ok(page::page(jobs?, at))
}

/// One job.
pub(crate) async fn one(conn: &mut SqliteConnection, id: JobId) -> Result<Option<JobDetail>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(VIEW);
    narrow(&mut query, &JobFilter { id: Some(id), ..JobFilter::default() })?;
    let Some(row) = query.build().fetch_optional(&mut *conn).await.map_err(store)? else { return Ok(None) };
    let (seq, mut detail) = view(&row)?;
    let sql = "SELECT scope, value FROM job_ref WHERE job = ?1 ORDER BY scope, value";
    detail.refs = sqlx::query_as(sql).bind(seq).fetch_all(conn).await.map_err(store)?;
    Ok(Some(detail))
}

/// The job that is called so where it went.
pub(crate) async fn by_ref(conn: &mut SqliteConnection, scope: &str, value: &str) -> Result<Option<JobDetail>, StoreError> {
    let sql =
        "SELECT j.id FROM job_ref r JOIN job j ON j.seq = r.job WHERE r.value = ?1 AND r.scope = ?2 ORDER BY j.seq DESC LIMIT 1";
    let Some(row) = sqlx::query(sql).bind(value).bind(scope).fetch_optional(&mut *conn).await.map_err(store)? else {
        return Ok(None);
    };
    one(conn, JobId(Columns::of(&row, "job").uuid("id")?)).await
}

/// How many there are.
pub(crate) async fn counts(conn: &mut SqliteConnection) -> Result<Vec<(String, JobState, u64)>, StoreError> {
    let sql = "SELECT target, state, count(*) AS n FROM job INDEXED BY job_due WHERE state = 'waiting' GROUP BY target
               UNION ALL SELECT target, state, count(*) FROM job INDEXED BY job_claimed WHERE state = 'sending' GROUP BY target
               UNION ALL SELECT target, state, count(*) FROM job INDEXED BY job_open
                         WHERE state IN ('dead', 'held', 'dropped') GROUP BY target, state
               ORDER BY 1, 2";
    let rows = sqlx::query(sql).fetch_all(conn).await.map_err(store)?;
    let count = |row| {
        let row = Columns::of(row, "job");
        Ok((row.text("target")?, row.parse("state", JobState::parse)?, row.count("n")?))
    };
    rows.iter().map(count).collect()
}

/// Makes jobs due now.
pub(crate) async fn retry(conn: &mut SqliteConnection, filter: &JobFilter, now: i64) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("UPDATE job AS j SET state = 'waiting', ended_at = NULL, due_at = ");
    query.push_bind(now).push(", since = ").push_bind(now);
    query.push(" WHERE j.state IN ('waiting', 'held', 'dead', 'dropped')");
    narrow(&mut query, filter)?;
    query.build().execute(conn).await.map(|done| done.rows_affected()).map_err(store)
}

/// Jobs are not to be delivered.
pub(crate) async fn drop(conn: &mut SqliteConnection, filter: &JobFilter, now: i64) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("UPDATE job AS j SET state = 'dropped', ended_at = ");
    query.push_bind(now).push(" WHERE j.state IN ('waiting', 'held', 'dead')");
    narrow(&mut query, filter)?;
    query.build().execute(conn).await.map(|done| done.rows_affected()).map_err(store)
}

/// What is owed of a person who is erased, and what it was called elsewhere. Others are still to hear that they were.
pub(crate) async fn forget(conn: &mut SqliteConnection, leads: &[i64], contact: i64, at: i64) -> Result<(), StoreError> {
    let leads = to_json(leads)?;
    for sql in [
        "DELETE FROM job_ref WHERE job IN (SELECT seq FROM job WHERE lead IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM job_ref WHERE job IN (SELECT seq FROM job WHERE lead IS NULL AND name <> 'contact.erased' AND data ->> 'contact' = ?2)",
    ] {
        sqlx::query(sql).bind(&leads).bind(contact).execute(&mut *conn).await.map_err(store)?;
    }
    for sql in [
        "UPDATE job SET state = 'dropped', ended_at = ?3, words = 'the person was erased'
         WHERE state IN ('waiting', 'sending', 'held') AND lead IN (SELECT value FROM json_each(?1))",
        "UPDATE job SET state = 'dropped', ended_at = ?3, words = 'the person was erased'
         WHERE state IN ('waiting', 'sending', 'held') AND lead IS NULL AND name <> 'contact.erased' AND data ->> 'contact' = ?2",
    ] {
        sqlx::query(sql).bind(&leads).bind(contact).bind(at).execute(&mut *conn).await.map_err(store)?;
    }
    Ok(())
}
