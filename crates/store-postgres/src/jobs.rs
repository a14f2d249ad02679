//! Deliveries that are owed: claimed, settled, looked at.
//!
//! Several gateways work on one table. Whoever claims passes over rows that another holds, and everybody else takes rows in
//! the order of their numbers, so that no two wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::ids::{EventId, LeadId, NodeId};
use leadgate_core::onward::{
    Claim, EventData, Job, JobDetail, JobEnd, JobFilter, JobId, JobState, JobView, Late, News, Overdue, Recipient, Routes,
    Settled, Target, Want, event,
};
use leadgate_core::page;
use leadgate_core::ports::StoreError;
use leadgate_core::submission::Reference;
use leadgate_core::views::{Page, PageAt};
use sqlx::QueryBuilder;
use sqlx::postgres::{PgRow, Postgres};

use crate::apply::micros;
use crate::bulk::{self, Kind, Part, Rows, text};
use crate::conn::Conn;
use crate::nodes::now;
use crate::rows::Columns;
use crate::{messages, news};

/// Jobs that one call gives up at most, so that no lead waits long behind it.
const MOST: i64 = 256;

/// No earlier job of the lane and target of `j` is yet to be delivered.
macro_rules! next_of_its_lane {
    () => {
        "(j.lane IS NULL OR NOT EXISTS (
              SELECT 1 FROM job e
              WHERE e.lane = j.lane AND e.target = j.target AND e.seq < j.seq AND e.state IN ('waiting', 'sending', 'held')))"
    };
}

// ------------------------------------------------------------------------------------------------------------ delivering

/// Follows the beginning of a transaction that claims. A claim that is lost with the machine is free, so nobody waits for the disk.
pub(crate) fn before_claim(claim: Claim) -> String {
    let lost = if claim.frees { free_lost(claim) } else { String::new() };
    format!("; SET LOCAL synchronous_commit = off{lost}")
}

/// Claims that have run out, and those of others that fell silent, are free.
fn free_lost(claim: Claim) -> String {
    format!(
        concat!(
            "; UPDATE job SET state = 'waiting', node = NULL, claimed_until = NULL
               WHERE seq = ANY (ARRAY (
                   SELECT seq FROM job WHERE state = 'sending' AND (claimed_until <= ",
            now!(),
            " OR node IN (SELECT id FROM node WHERE id <> '\\x{}' AND seen_at < ",
            now!(),
            " - {}))
                   ORDER BY seq FOR UPDATE SKIP LOCKED))"
        ),
        claim.node.0.simple(),
        lasting(claim.silence)
    )
}

/// Claims what is due.
pub(crate) async fn claim(conn: &mut Conn, wants: &[Want], claim: Claim) -> Result<Vec<Job>, StoreError> {
    // Of two jobs of a lane the later one sees the earlier one waiting, whoever claims that.
    let sql = concat!(
        "WITH picked AS MATERIALIZED (
             SELECT d.seq FROM unnest($1::text[], $2::bigint[]) AS w (target, most)
             CROSS JOIN LATERAL (
                 SELECT j.seq FROM job j
                 WHERE j.state = 'waiting' AND j.target = w.target AND j.due_at <= $3 AND ",
        next_of_its_lane!(),
        "        ORDER BY j.due_at, j.seq LIMIT w.most FOR UPDATE SKIP LOCKED) d),
         claimed AS (
             UPDATE job SET state = 'sending', attempts = attempts + 1, node = $4, claimed_until = ",
        now!(),
        " + $5
             WHERE seq = ANY (ARRAY (SELECT seq FROM picked))
             RETURNING seq, id, target, recipient, event, name, data, at, since, due_at, attempts)
         SELECT * FROM claimed ORDER BY due_at, seq"
    );
    let targets: Vec<&str> = wants.iter().map(|want| want.target.as_str()).collect();
    let most: Vec<i64> = wants.iter().map(|want| i64::from(want.most)).collect();
    let statement = sqlx::query(sql).bind(targets).bind(most).bind(micros(claim.now));
    let statement = statement.bind(&claim.node.0.as_bytes()[..]).bind(lasting(claim.lasts));
    conn.all(statement).await?.iter().map(job).collect()
}

/// Half of all times at most, so that it can be added to one.
fn lasting(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

fn job(row: &PgRow) -> Result<Job, StoreError> {
    let row = Columns::of(row, "job");
    Ok(Job {
        seq: row.int("seq")?,
        id: JobId(row.uuid("id")?),
        target: row.text("target")?,
        recipient: Recipient::parse(row.get("recipient")?),
        event: EventId(row.uuid("event")?),
        name: row.text("name")?,
        data: row.json("data")?,
        at: row.time("at")?,
        since: row.time("since")?,
        attempt: row.int("attempts")?,
    })
}

/// Writes how attempts ended, and tells what follows.
pub(crate) async fn settle(conn: &mut Conn, settled: &[Settled], told: &[News]) -> Result<(), StoreError> {
    let mut sorted: Vec<&Settled> = settled.iter().collect();
    sorted.sort_by_key(|one| one.seq);
    refs(conn, &sorted).await?;
    threads(conn, &sorted).await?;
    ends(conn, &sorted).await?;
    if told.is_empty() { Ok(()) } else { news::tell(conn, told).await }
}

/// What deliveries are called where they went. Before their ends are written: what is not claimed any more has none.
async fn refs(conn: &mut Conn, settled: &[&Settled]) -> Result<(), StoreError> {
    static REF: Part = Part {
        head: "INSERT INTO job_ref (job, scope, value) SELECT j.seq, v.scope, v.value FROM",
        columns: &[("seq", Kind::Int), ("attempt", Kind::Int), ("scope", Kind::Text), ("value", Kind::Text)],
        tail: "CROSS JOIN LATERAL (SELECT x.seq FROM job x
                                   WHERE x.seq = v.seq AND x.attempts = v.attempt AND x.state = 'sending' FOR UPDATE) j
               ON CONFLICT DO NOTHING",
    };
    let mut rows = Rows::of(&REF);
    for one in settled {
        if let JobEnd::Done(refs) = &one.end {
            for (scope, value) in refs {
                rows.int(one.seq).int(one.attempt).text(scope.as_str()).text(value.as_str());
            }
        }
    }
    bulk::run(conn, rows).await
}

/// Whoever answers a mail of ours goes on with what that tells of.
async fn threads(conn: &mut Conn, settled: &[&Settled]) -> Result<(), StoreError> {
    static REF: Part = Part {
        head: "INSERT INTO activity_ref (scope, value, activity) SELECT v.scope, v.value, a.id FROM",
        columns: &[("seq", Kind::Int), ("attempt", Kind::Int), ("scope", Kind::Text), ("value", Kind::Text)],
        tail: "JOIN job j ON j.seq = v.seq AND j.attempts = v.attempt AND j.state = 'sending'
               JOIN activity a ON a.id = (j.data::json ->> 'activity')::bigint
               ON CONFLICT DO NOTHING",
    };
    let mut rows = Rows::of(&REF);
    for one in settled {
        if let JobEnd::Done(refs) = &one.end {
            for (scope, value) in refs.iter().filter(|(scope, _)| scope == Reference::MESSAGE_ID) {
                rows.int(one.seq).int(one.attempt).text(scope.as_str()).text(value.as_str());
            }
        }
    }
    bulk::run(conn, rows).await
}

async fn ends(conn: &mut Conn, settled: &[&Settled]) -> Result<(), StoreError> {
    static END: Part = Part {
        head: "UPDATE job AS j SET state = v.state, due_at = coalesce(v.due_at, j.due_at), ended_at = v.ended_at,
                                   attempts = j.attempts - v.untried, words = v.words, node = NULL, claimed_until = NULL FROM",
        columns: &[
            ("seq", Kind::Int),
            ("attempt", Kind::Int),
            ("state", Kind::Text),
            ("due_at", Kind::Int),
            ("ended_at", Kind::Int),
            ("untried", Kind::Int),
            ("words", Kind::Text),
        ],
        // Not by its state, or the index of what is claimed would be read, in which whatever was claimed lately still stands.
        tail: "WHERE j.seq = v.seq AND j.attempts = v.attempt AND j.node IS NOT NULL",
    };
    let mut rows = Rows::of(&END);
    for one in settled {
        let (state, due_at) = match &one.end {
            JobEnd::Done(_) => (JobState::Done, None),
            JobEnd::Dead => (JobState::Dead, None),
            JobEnd::Retry(due_at) | JobEnd::Postponed(due_at) => (JobState::Waiting, Some(micros(*due_at))),
        };
        rows.int(one.seq)
            .int(one.attempt)
            .text(state.as_str())
            .int(due_at)
            .int(due_at.is_none().then_some(micros(one.at)))
            .int(i64::from(matches!(one.end, JobEnd::Postponed(_))))
            .text(one.words.as_str());
    }
    bulk::run(conn, rows).await
}

/// What a gateway had claimed is free.
pub(crate) async fn free(conn: &mut Conn, node: NodeId) -> Result<(), StoreError> {
    let sql = "UPDATE job SET state = 'waiting', node = NULL, claimed_until = NULL
               WHERE seq = ANY (ARRAY (SELECT seq FROM job WHERE state = 'sending' AND node = $1 ORDER BY seq FOR UPDATE))";
    conn.run(sqlx::query(sql).bind(&node.0.as_bytes()[..])).await.map(|_| ())
}

/// When the next is due. One that waits for another of its lane is not: whoever settles that one knows.
pub(crate) async fn next(conn: &mut Conn, targets: &[String]) -> Result<Option<Timestamp>, StoreError> {
    let sql = concat!(
        "SELECT min(d.due_at) AS due_at FROM unnest($1::text[]) AS w (target)
         CROSS JOIN LATERAL (
             SELECT j.due_at FROM job j WHERE j.state = 'waiting' AND j.target = w.target AND ",
        next_of_its_lane!(),
        " ORDER BY j.due_at, j.seq LIMIT 1) d"
    );
    let row = conn.one(sqlx::query(sql).bind(targets)).await?;
    Columns::of(&row, "job").maybe_time("due_at")
}

/// Gives up what waited too long.
pub(crate) async fn bury(
    conn: &mut Conn,
    targets: &[Target],
    orphans_before: Timestamp,
    at: Timestamp,
    routes: &Arc<Routes>,
) -> Result<Vec<Late>, StoreError> {
    let sql = "WITH late AS MATERIALIZED (
                   SELECT j.seq, CASE WHEN t.name IS NULL THEN 'the configuration has no such target any more'
                                      ELSE 'its time was over' END AS why
                   FROM job j LEFT JOIN unnest($1::text[], $2::bigint[]) AS t (name, before) ON t.name = j.target
                   WHERE j.state = 'waiting' AND j.since < coalesce(t.before, $3)
                         AND (t.name IS NULL OR j.recipient <> 'relay')
                   LIMIT $5 FOR UPDATE OF j SKIP LOCKED)
               UPDATE job SET state = 'dead', ended_at = $4,
                              words = late.why || CASE WHEN words = '' THEN '' ELSE ': ' || words END
               FROM late WHERE job.seq = late.seq AND job.seq = ANY (ARRAY (SELECT seq FROM late))
               RETURNING job.id, job.target, job.recipient, job.words, job.data";
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let before: Vec<i64> = targets.iter().map(|target| micros(target.dead_before)).collect();
    let statement = sqlx::query(sql).bind(names).bind(before).bind(micros(orphans_before)).bind(micros(at)).bind(MOST);
    let mut buried = BTreeMap::new();
    for row in &conn.all(statement).await? {
        let row = Columns::of(row, "job");
        *buried.entry(row.text("target")?).or_default() += 1;
        if Recipient::parse(row.get("recipient")?) == Recipient::Reply {
            let overdue = Overdue { job: JobId(row.uuid("id")?), data: row.json("data")?, words: row.text("words")?, at };
            messages::overdue(conn, overdue, routes).await?;
        }
    }
    Ok(buried.into_iter().map(|(target, count)| Late { target, count }).collect())
}

// --------------------------------------------------------------------------------------------------------------- looking

const VIEW: &str = "SELECT j.seq, j.id, j.target, j.recipient, j.event, j.name, j.data, j.state, j.at, j.due_at, j.attempts,
                           j.ended_at, j.words FROM job j WHERE TRUE";

/// The number of a job, and the job without what it is called elsewhere.
fn view(row: &PgRow) -> Result<(i64, JobDetail), StoreError> {
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

/// Leaves those jobs `j` that a filter names.
fn narrow(query: &mut QueryBuilder<Postgres>, filter: &JobFilter) {
    if !filter.states.is_empty() {
        let states: Vec<&'static str> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" AND j.state = ANY (").push_bind(states).push(")");
    }
    if let Some(target) = &filter.target {
        query.push(" AND j.target = ").push_bind(text(target));
    }
    if let Some(id) = filter.id {
        query.push(" AND j.id = ").push_bind(id.0.as_bytes().to_vec());
    }
    if let Some(LeadId(lead)) = filter.lead {
        query.push(" AND j.lead = ").push_bind(lead);
    }
}

/// Jobs, newest first.
pub(crate) async fn list(conn: &mut Conn, filter: &JobFilter, at: &PageAt) -> Result<Page<JobView>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new(VIEW);
    narrow(&mut query, filter);
    if let Some([after]) = page::after::<1>(at)? {
        query.push(" AND j.seq < ").push_bind(after);
    }
    query.push(" ORDER BY j.seq DESC LIMIT ").push_bind(page::fetch(at));
    let rows = conn.all(query.build()).await?;
    let jobs: Result<Vec<_>, _> = rows.iter().map(|row| view(row).map(|(seq, detail)| ([seq], detail.job))).collect();
    Ok(page::page(jobs?, at))
}

/// One, and what it is called where it went.
pub(crate) async fn one(conn: &mut Conn, id: JobId) -> Result<Option<JobDetail>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new(VIEW);
    narrow(&mut query, &JobFilter { id: Some(id), ..JobFilter::default() });
    let Some(row) = conn.optional(query.build()).await? else { return Ok(None) };
    let (seq, mut detail) = view(&row)?;
    let sql = "SELECT scope, value FROM job_ref WHERE job = $1 ORDER BY scope, value";
    let pair = |row| {
        let row = Columns::of(row, "job_ref");
        Ok((row.text("scope")?, row.text("value")?))
    };
    detail.refs = conn.all(sqlx::query(sql).bind(seq)).await?.iter().map(pair).collect::<Result<_, StoreError>>()?;
    Ok(Some(detail))
}

/// The job that is called so where it went; if several are, the newest.
pub(crate) async fn by_ref(conn: &mut Conn, scope: &str, value: &str) -> Result<Option<JobDetail>, StoreError> {
    let sql =
        "SELECT j.id FROM job_ref r JOIN job j ON j.seq = r.job WHERE r.value = $1 AND r.scope = $2 ORDER BY j.seq DESC LIMIT 1";
    let Some(row) = conn.optional(sqlx::query(sql).bind(text(value)).bind(text(scope))).await? else { return Ok(None) };
    one(conn, JobId(Columns::of(&row, "job").uuid("id")?)).await
}

/// How many there are, by the indexes of those that are not done, which may be many.
pub(crate) async fn counts(conn: &mut Conn) -> Result<Vec<(String, JobState, u64)>, StoreError> {
    let sql = "SELECT target, state, count(*) AS n
               FROM (SELECT target, state FROM job WHERE state = 'waiting'
                     UNION ALL SELECT target, state FROM job WHERE state = 'sending'
                     UNION ALL SELECT target, state FROM job WHERE state IN ('dead', 'held', 'dropped')) j
               GROUP BY target, state ORDER BY target, state";
    let count = |row| {
        let row = Columns::of(row, "job");
        Ok((row.text("target")?, row.parse("state", JobState::parse)?, row.count("n")?))
    };
    conn.all(sqlx::query(sql)).await?.iter().map(count).collect()
}

/// Makes jobs due now.
pub(crate) async fn retry(conn: &mut Conn, filter: &JobFilter, now: Timestamp) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("UPDATE job SET state = 'waiting', ended_at = NULL, due_at = ");
    query.push_bind(micros(now)).push(", since = ").push_bind(micros(now));
    chosen(&mut query, "('waiting', 'held', 'dead', 'dropped')", filter);
    conn.run(query.build()).await
}

/// Jobs are not to be delivered.
pub(crate) async fn drop(conn: &mut Conn, filter: &JobFilter, now: Timestamp) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("UPDATE job SET state = 'dropped', ended_at = ");
    query.push_bind(micros(now));
    chosen(&mut query, "('waiting', 'held', 'dead')", filter);
    conn.run(query.build()).await
}

/// Ends an update of jobs in some states.
fn chosen(query: &mut QueryBuilder<Postgres>, states: &'static str, filter: &JobFilter) {
    query.push(" WHERE seq = ANY (ARRAY (SELECT j.seq FROM job j WHERE j.state IN ").push(states);
    narrow(query, filter);
    query.push(" ORDER BY j.seq FOR UPDATE))");
}

/// What is owed of a person who is erased, and what it was called elsewhere. Others are still to hear that they were.
pub(crate) async fn forget(conn: &mut Conn, leads: &[i64], contact: i64, at: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT seq FROM job WHERE lead = ANY ($1)
               UNION ALL
               SELECT seq FROM job WHERE lead IS NULL AND name <> $3 AND (data::json ->> 'contact')::bigint = $2 ORDER BY 1";
    let rows = conn.all(sqlx::query(sql).bind(leads).bind(contact).bind(event::CONTACT_ERASED)).await?;
    let theirs = rows.iter().map(|row| Columns::of(row, "job").int("seq")).collect::<Result<Vec<_>, _>>()?;
    let sql =
        "UPDATE job SET state = 'dropped', ended_at = $2, words = 'the person was erased', node = NULL, claimed_until = NULL
               WHERE seq = ANY (ARRAY (SELECT seq FROM job WHERE seq = ANY ($1) AND state IN ('waiting', 'sending', 'held')
                                       ORDER BY seq FOR UPDATE))";
    conn.run(sqlx::query(sql).bind(&theirs).bind(micros(at))).await?;
    conn.run(sqlx::query("DELETE FROM job_ref WHERE job = ANY ($1)").bind(theirs)).await.map(|_| ())
}
