//! What others are told of leads and people: read for many at once, a handful of statements for all of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SubmissionId};
use leadgate_core::mail::Unreachable;
use leadgate_core::onward::{ActivityBrief, Brief, BriefOf, ContactBrief, IdentityBrief, LeadBrief, SubmissionBrief};
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::IdentityKind;
use leadgate_core::receipt::{IdentityState, Reason};
use leadgate_core::submission::ActivityKind;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::{store, to_json};
use crate::rows::Columns;

/// What is told of each, in order.
pub(crate) async fn briefs(conn: &mut SqliteConnection, of: &[BriefOf]) -> Result<Vec<Brief>, StoreError> {
    let leads = leads(conn, &distinct(of.iter().filter_map(|one| Some(one.lead?.0)))).await?;
    let contact_of = |one: &BriefOf| {
        let of_lead = || leads.get(&one.lead?.0).and_then(|(_, contact)| *contact);
        one.contact.map(|id| id.0).or_else(of_lead)
    };
    let contacts = contacts(conn, &distinct(of.iter().filter_map(contact_of))).await?;
    let activities = activities(conn, &distinct(of.iter().filter_map(|one| Some(one.activity?.0)))).await?;
    let submissions = submissions(conn, &distinct(of.iter().filter_map(|one| one.submission))).await?;
    let brief = |one: &BriefOf| Brief {
        lead: one.lead.and_then(|id| leads.get(&id.0)).map(|(lead, _)| lead.clone()),
        contact: contact_of(one).and_then(|id| contacts.get(&id)).cloned(),
        activity: one.activity.and_then(|id| activities.get(&id.0)).cloned(),
        submission: one.submission.and_then(|id| submissions.get(&id)).cloned(),
    };
    Ok(of.iter().map(brief).collect())
}

fn distinct<T: Ord + Hash>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

async fn over(conn: &mut SqliteConnection, sql: &'static str, ids: String) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(sql).bind(ids).fetch_all(conn).await.map_err(store)
}

/// By number: what is told, and whose it is.
async fn leads(conn: &mut SqliteConnection, ids: &[i64]) -> Result<HashMap<i64, (LeadBrief, Option<i64>)>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql =
        "SELECT l.id, l.uuid, l.contact, l.title, l.stage, l.name, l.source, l.responsible, l.created_at, l.closed_at, l.suspect,
                      l.return_customer, l.first_touch, coalesce(l.last_touch, l.first_touch) AS last_touch
               FROM json_each(?1) v CROSS JOIN lead l ON l.id = v.value";
    let rows = over(conn, sql, to_json(ids)?).await?;
    let lead = |row| {
        let row = Columns::of(row, "lead");
        let number = row.int("id")?;
        let lead = LeadBrief {
            id: row.uuid("uuid")?,
            number: LeadId(number),
            title: row.text("title")?,
            stage: row.parse("stage", Stage::parse)?,
            name: row.text("name")?,
            source: row.source("source")?,
            responsible: row.get("responsible")?,
            created_at: row.time("created_at")?,
            closed_at: row.maybe_time("closed_at")?,
            suspect: row.flag("suspect")?,
            return_customer: row.flag("return_customer")?,
            first_touch: row.touch("first_touch")?,
            last_touch: row.touch("last_touch")?,
        };
        Ok((number, (lead, row.get("contact")?)))
    };
    rows.iter().map(lead).collect()
}

/// By the number asked for: one that was merged into another is the other.
async fn contacts(conn: &mut SqliteConnection, ids: &[i64]) -> Result<HashMap<i64, ContactBrief>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT v.value AS asked, c.id, c.uuid, c.name, c.responsible, c.waiting_since
               FROM json_each(?1) v CROSS JOIN contact a ON a.id = v.value CROSS JOIN contact c ON c.id = coalesce(a.merged_into, a.id)";
    let mut contacts = HashMap::new();
    for row in &over(conn, sql, to_json(ids)?).await? {
        let row = Columns::of(row, "contact");
        let contact = ContactBrief {
            id: row.uuid("uuid")?,
            number: ContactId(row.int("id")?),
            name: row.text("name")?,
            responsible: row.get("responsible")?,
            waiting_since: row.maybe_time("waiting_since")?,
            identities: Vec::new(),
        };
        contacts.insert(row.int("asked")?, contact);
    }
    let held = identities(conn, &distinct(contacts.values().map(|contact| contact.number.0))).await?;
    for contact in contacts.values_mut() {
        if let Some(identities) = held.get(&contact.number.0) {
            contact.identities.clone_from(identities);
        }
    }
    Ok(contacts)
}

async fn identities(conn: &mut SqliteConnection, contacts: &[i64]) -> Result<HashMap<i64, Vec<IdentityBrief>>, StoreError> {
    let sql = "SELECT i.contact, i.kind, i.value, i.display, i.state, i.failed_since, i.failed_status, i.failed_words
               FROM json_each(?1) v CROSS JOIN identity i ON i.contact = v.value
               ORDER BY i.contact, i.first_seen, i.kind DESC, i.value";
    let mut held: HashMap<i64, Vec<IdentityBrief>> = HashMap::new();
    for row in &over(conn, sql, to_json(contacts)?).await? {
        let row = Columns::of(row, "identity");
        let unreachable = match row.maybe_time("failed_since")? {
            None => None,
            Some(since) => Some(Unreachable {
                since,
                status: row.get::<Option<String>>("failed_status")?.unwrap_or_default(),
                words: row.get::<Option<String>>("failed_words")?.unwrap_or_default(),
            }),
        };
        held.entry(row.int("contact")?).or_default().push(IdentityBrief {
            kind: IdentityKind(Cow::Owned(row.text("kind")?)),
            value: row.text("value")?,
            display: row.text("display")?,
            state: row.parse("state", IdentityState::parse)?,
            unreachable,
        });
    }
    Ok(held)
}

async fn activities(conn: &mut SqliteConnection, ids: &[i64]) -> Result<HashMap<i64, ActivityBrief>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT a.id, a.kind, a.source, a.occurred_at, a.content, a.touch
               FROM json_each(?1) v CROSS JOIN activity a ON a.id = v.value";
    let rows = over(conn, sql, to_json(ids)?).await?;
    let activity = |row| {
        let row = Columns::of(row, "activity");
        let number = row.int("id")?;
        let activity = ActivityBrief {
            number: ActivityId(number),
            kind: row.parse("kind", ActivityKind::parse)?,
            source: row.maybe_source("source")?,
            occurred_at: row.time("occurred_at")?,
            content: row.json("content")?,
            touch: row.touch("touch")?,
        };
        Ok((number, activity))
    };
    rows.iter().map(activity).collect()
}

async fn submissions(
    conn: &mut SqliteConnection,
    ids: &[SubmissionId],
) -> Result<HashMap<SubmissionId, SubmissionBrief>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
    let sql = "SELECT s.id, s.source, s.received_at, r.reasons
               FROM json_each(?1) v CROSS JOIN submission s ON s.id = unhex(v.value)
               CROSS JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt";
    let rows = over(conn, sql, to_json(&ids)?).await?;
    let submission = |row| {
        let row = Columns::of(row, "submission");
        let id = SubmissionId(row.uuid("id")?);
        let reasons: Vec<Reason> = row.json("reasons")?;
        let submission = SubmissionBrief {
            id,
            source: row.source("source")?,
            received_at: row.time("received_at")?,
            reasons: reasons.iter().map(Reason::words).collect(),
        };
        Ok((id, submission))
    };
    rows.iter().map(submission).collect()
}
