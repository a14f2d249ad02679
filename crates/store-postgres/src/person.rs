//! Everything that is kept of a person, and what was kept without a lead.

use std::collections::BTreeMap;

use leadgate_core::ids::{ActivityId, ContactId, LeadId, SubmissionId};
use leadgate_core::keeping::{BODIES, Body, EarlierContent, Person, PersonActivity, PersonLead, PersonSubmission};
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::{Outcome, Receipt};
use leadgate_core::submission::Codec;
use leadgate_core::views::HistoryEntry;
use sqlx::postgres::PgRow;

use crate::conn::Conn;
use crate::contacts;
use crate::erase::Theirs;
use crate::rows::Columns;
use crate::submissions::codec;

/// Everything that is kept of a person.
pub(crate) async fn one(conn: &mut Conn, id: ContactId) -> Result<Option<Person>, StoreError> {
    let Some(mut contact) = contacts::one(conn, id).await? else { return Ok(None) };
    contact.timeline.clear();
    let theirs = Theirs::gather(conn, id.0).await?;
    Ok(Some(Person {
        contact,
        leads: leads(conn, &theirs.leads).await?,
        activities: activities(conn, &theirs.activities).await?,
        submissions: submissions(conn, &theirs.submissions).await?,
    }))
}

async fn ask(conn: &mut Conn, sql: &'static str, numbers: &[i64]) -> Result<Vec<PgRow>, StoreError> {
    conn.all(sqlx::query(sql).bind(numbers)).await
}

async fn leads(conn: &mut Conn, ids: &[i64]) -> Result<Vec<PersonLead>, StoreError> {
    let sql = "SELECT h.lead, h.at, h.actor, h.field, h.old, h.new
               FROM lead_history h WHERE h.lead = ANY ($1) ORDER BY h.lead, h.n";
    let mut history: BTreeMap<i64, Vec<HistoryEntry>> = BTreeMap::new();
    for row in &ask(conn, sql, ids).await? {
        let row = Columns::of(row, "lead_history");
        let entry = HistoryEntry {
            at: row.time("at")?,
            actor: row.text("actor")?,
            field: row.text("field")?,
            from: row.get("old")?,
            to: row.get("new")?,
        };
        history.entry(row.int("lead")?).or_default().push(entry);
    }
    let sql = "SELECT l.id, l.title, l.name, l.stage, l.source, l.responsible, l.created_at, l.touched_at, l.closed_at,
                      l.first_touch, l.last_touch
               FROM lead l WHERE l.id = ANY ($1) ORDER BY l.id";
    let lead = |row: &PgRow| {
        let row = Columns::of(row, "lead");
        let id = row.int("id")?;
        Ok(PersonLead {
            id: LeadId(id),
            title: row.text("title")?,
            name: row.text("name")?,
            stage: row.text("stage")?,
            source: row.text("source")?,
            responsible: row.get("responsible")?,
            created_at: row.time("created_at")?,
            touched_at: row.time("touched_at")?,
            closed_at: row.maybe_time("closed_at")?,
            first_touch: row.touch("first_touch")?,
            last_touch: row.touch("last_touch")?,
            history: history.remove(&id).unwrap_or_default(),
        })
    };
    ask(conn, sql, ids).await?.iter().map(lead).collect()
}

async fn activities(conn: &mut Conn, ids: &[i64]) -> Result<Vec<PersonActivity>, StoreError> {
    let sql = "SELECT r.activity, r.at, r.content, r.touch
               FROM activity_revision r WHERE r.activity = ANY ($1) ORDER BY r.activity, r.n";
    let mut earlier: BTreeMap<i64, Vec<EarlierContent>> = BTreeMap::new();
    for row in &ask(conn, sql, ids).await? {
        let row = Columns::of(row, "activity_revision");
        let before = EarlierContent { until: row.time("at")?, content: row.json("content")?, touch: row.touch("touch")? };
        earlier.entry(row.int("activity")?).or_default().push(before);
    }
    let sql = "SELECT a.id, a.kind, a.lead, a.source, a.occurred_at, a.external_key, a.author, a.content, a.touch
               FROM activity a WHERE a.id = ANY ($1) ORDER BY a.id";
    let activity = |row: &PgRow| {
        let row = Columns::of(row, "activity");
        let id = row.int("id")?;
        Ok(PersonActivity {
            id: ActivityId(id),
            kind: row.text("kind")?,
            lead: row.get::<Option<i64>>("lead")?.map(LeadId),
            source: row.get("source")?,
            occurred_at: row.time("occurred_at")?,
            external_key: row.get("external_key")?,
            author: row.get("author")?,
            content: row.json("content")?,
            touch: row.touch("touch")?,
            earlier: earlier.remove(&id).unwrap_or_default(),
        })
    };
    ask(conn, sql, ids).await?.iter().map(activity).collect()
}

async fn submissions(conn: &mut Conn, ids: &[i64]) -> Result<Vec<PersonSubmission>, StoreError> {
    let sql = "SELECT s.id, r.submission, r.outcome, r.lead, r.contact, r.activity, r.reasons
               FROM receipt r JOIN submission s ON s.seq = r.submission WHERE r.submission = ANY ($1)
               ORDER BY r.submission, r.n";
    let mut receipts: BTreeMap<i64, Vec<Receipt>> = BTreeMap::new();
    for row in &ask(conn, sql, ids).await? {
        let row = Columns::of(row, "receipt");
        let receipt = Receipt {
            submission: SubmissionId(row.uuid("id")?),
            outcome: row.parse("outcome", Outcome::parse)?,
            lead: row.get::<Option<i64>>("lead")?.map(LeadId),
            contact: row.get::<Option<i64>>("contact")?.map(ContactId),
            activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
            reasons: row.json("reasons")?,
        };
        receipts.entry(row.int("submission")?).or_default().push(receipt);
    }
    let sql =
        "SELECT s.seq, s.id, s.source, s.received_at, s.outcome, s.content_type, s.query, s.peer, s.emptied_at, s.codec, s.raw
               FROM submission s WHERE s.seq = ANY ($1) ORDER BY s.seq";
    let submission = |row: &PgRow| {
        let row = Columns::of(row, "submission");
        Ok(PersonSubmission {
            id: SubmissionId(row.uuid("id")?),
            source: row.source("source")?,
            received_at: row.time("received_at")?,
            outcome: row.parse("outcome", Outcome::parse)?,
            content_type: row.text("content_type")?,
            query: row.text("query")?,
            peer: row.get("peer")?,
            emptied_at: row.maybe_time("emptied_at")?,
            receipts: receipts.remove(&row.int("seq")?).unwrap_or_default(),
            codec: row.parse("codec", codec)?,
            raw: row.get("raw")?,
        })
    };
    ask(conn, sql, ids).await?.iter().map(submission).collect()
}

/// Deliveries that no lead was made of, with their bytes, in order after a number.
pub(crate) async fn bodies(conn: &mut Conn, after: i64) -> Result<Vec<Body>, StoreError> {
    let sql = "SELECT seq, id, query, codec, raw FROM submission
               WHERE outcome IN ('quarantined', 'spam', 'noted', 'probe') AND outcome NOT IN ('created', 'attached') AND seq > $1
               ORDER BY seq LIMIT $2";
    let rows = conn.all(sqlx::query(sql).bind(after).bind(i64::from(BODIES))).await?;
    let body = |row: &PgRow| {
        let row = Columns::of(row, "submission");
        Ok(Body {
            seq: row.int("seq")?,
            id: SubmissionId(row.uuid("id")?),
            query: row.text("query")?,
            codec: row.parse::<Codec>("codec", codec)?,
            raw: row.get("raw")?,
        })
    };
    rows.iter().map(body).collect()
}
