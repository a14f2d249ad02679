//! What people do to leads and contacts. Everything is decided before anything is written.

use leadgate_core::change::{self, ChangeError, Decided, LeadChange, LeadState, Stage};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId};
use leadgate_core::onward::{EventData, event};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::Content;
use leadgate_core::submission::ActivityKind;
use leadgate_core::views::{ContactDetail, LeadDetail};

use crate::apply::micros;
use crate::bulk::text;
use crate::conn::Conn;
use crate::error::{corrupt, to_json};
use crate::rows::Columns;
use crate::{contacts, facts, leads, news, numbers, timers};

/// A lead as it stands.
struct Standing {
    state: LeadState,
    version: i64,
    contact: Option<i64>,
    takes: bool,
}

/// A person's changes of a lead, in one transaction.
pub(crate) async fn lead(
    conn: &mut Conn,
    id: LeadId,
    changes: &[LeadChange],
    version: Option<i64>,
    act: &Act,
) -> Result<Result<LeadDetail, ChangeError>, StoreError> {
    let Some(standing) = standing(conn, id).await? else { return Ok(Err(ChangeError::Missing("lead"))) };
    if version.is_some_and(|version| version != standing.version) {
        let words = format!("the lead changed meanwhile (version {} now)", standing.version);
        return Ok(Err(ChangeError::NotPossible(words)));
    }
    let outcome = match change::decide(&standing.state, standing.takes, standing.contact.is_some(), changes, act.at) {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Err(error)),
    };
    if outcome.takes
        && !standing.takes
        && let Some(other) = other_open(conn, &standing, id).await?
    {
        return Ok(Err(ChangeError::OtherOpen(other)));
    }
    if !outcome.history.is_empty() || !outcome.notes.is_empty() {
        write(conn, id, &standing, &outcome, act).await?;
    }
    match leads::one(conn, id).await? {
        Some(detail) => Ok(Ok(detail)),
        None => Err(corrupt("lead", format!("lead {id} vanished while it was changed"))),
    }
}

/// The lead as it stands, held until the transaction ends: its contact first, as batches do.
async fn standing(conn: &mut Conn, id: LeadId) -> Result<Option<Standing>, StoreError> {
    let before = conn.optional(sqlx::query("SELECT contact FROM lead WHERE id = $1").bind(id.0)).await?;
    let Some(before) = before else { return Ok(None) };
    let contact: Option<i64> = Columns::of(&before, "lead").get("contact")?;
    facts::hold(conn, &contact.into_iter().collect(), facts::Hold::Locked).await?;
    let sql = "SELECT stage, responsible, closed_at, version, contact, takes FROM lead WHERE id = $1 FOR NO KEY UPDATE";
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(None) };
    let row = Columns::of(&row, "lead");
    if row.get::<Option<i64>>("contact")? != contact {
        return Err(StoreError::Conflict);
    }
    Ok(Some(Standing {
        state: LeadState {
            stage: row.parse("stage", Stage::parse)?,
            responsible: row.get::<Option<String>>("responsible")?.map(ManagerId),
            closed_at: row.maybe_time("closed_at")?,
        },
        version: row.int("version")?,
        contact,
        takes: row.flag("takes")?,
    }))
}

async fn other_open(conn: &mut Conn, standing: &Standing, id: LeadId) -> Result<Option<LeadId>, StoreError> {
    let sql = "SELECT id FROM lead WHERE contact = $1 AND takes = 1 AND id <> $2";
    let other = conn.optional(sqlx::query(sql).bind(standing.contact).bind(id.0)).await?;
    other.map(|row| Columns::of(&row, "lead").int("id").map(LeadId)).transpose()
}

async fn write(conn: &mut Conn, id: LeadId, standing: &Standing, outcome: &Decided, act: &Act) -> Result<(), StoreError> {
    let at = micros(act.at);
    // Opened again, it takes what comes, however long nothing came: so it was touched now.
    let sql = "UPDATE lead SET stage = $2, responsible = $3, closed_at = $4, takes = $5, version = version + 1,
                               touched_at = CASE WHEN $6 THEN greatest(touched_at, $7) ELSE touched_at END WHERE id = $1";
    let statement = sqlx::query(sql)
        .bind(id.0)
        .bind(outcome.state.stage.as_str())
        .bind(outcome.state.responsible.as_ref().map(|manager| text(&manager.0)))
        .bind(outcome.state.closed_at.map(micros))
        .bind(i16::from(outcome.takes))
        .bind(outcome.reopened)
        .bind(at);
    conn.run(statement).await?;
    history(conn, id, outcome, act).await?;
    let mut waited = false;
    if let Some(contact) = standing.contact {
        let sql = "UPDATE contact SET responsible = coalesce(responsible, $2),
                                      waiting_since = CASE WHEN $3 THEN NULL ELSE waiting_since END
                   WHERE id = $1 AND ((responsible IS NULL AND $2 IS NOT NULL) OR ($3 AND waiting_since IS NOT NULL))";
        let statement = sqlx::query(sql).bind(contact).bind(outcome.taken_by.as_deref().map(text)).bind(outcome.takes);
        waited = conn.run(statement).await? > 0 && outcome.takes;
    }
    let after = &outcome.state;
    let taken = standing.state.stage == Stage::New && (after.stage != Stage::New || after.responsible.is_some());
    timers::taken(conn, &taken.then_some(id.0).into_iter().collect::<Vec<_>>(), standing.contact.filter(|_| waited)).await?;
    let mut last_note = None;
    for note in &outcome.notes {
        last_note = Some(self::note(conn, id, standing.contact, note, act).await?);
    }
    let data = EventData {
        lead: Some(id),
        contact: standing.contact.map(ContactId),
        activity: last_note.map(ActivityId),
        ..EventData::default()
    };
    news::act(conn, outcome.event, act, data).await
}

async fn history(conn: &mut Conn, id: LeadId, outcome: &Decided, act: &Act) -> Result<(), StoreError> {
    let sql = "INSERT INTO lead_history (lead, n, at, actor, field, old, new)
               SELECT $1, (SELECT coalesce(max(n), 0) FROM lead_history WHERE lead = $1) + v.n, $2, $3, v.field, v.old, v.new
               FROM unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS v (field, old, new, n)";
    let (mut fields, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for (field, from, to) in &outcome.history {
        fields.push(*field);
        old.push(from.as_deref());
        new.push(to.as_deref().map(text));
    }
    let statement = sqlx::query(sql).bind(id.0).bind(micros(act.at)).bind(&act.actor).bind(fields).bind(old).bind(new);
    conn.run(statement).await.map(|_| ())
}

async fn note(conn: &mut Conn, lead: LeadId, contact: Option<i64>, words: &str, act: &Act) -> Result<i64, StoreError> {
    let id = numbers::one(conn, "number_activity").await?;
    let content = Content { message: Some(text(words)), ..Content::default() };
    let sql =
        "INSERT INTO activity (id, kind, lead, contact, author, occurred_at, ambiguous, suspect, revised, revisions, content)
               VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, $7)";
    let statement = sqlx::query(sql)
        .bind(id)
        .bind(ActivityKind::Note.as_str())
        .bind(lead.0)
        .bind(contact)
        .bind(&act.actor)
        .bind(micros(act.at))
        .bind(to_json(&content)?);
    conn.run(statement).await?;
    Ok(id)
}

fn of_contact(id: ContactId) -> EventData {
    EventData { contact: Some(id), ..EventData::default() }
}

/// A waiting contact is taken by a manager.
pub(crate) async fn take_contact(
    conn: &mut Conn,
    id: ContactId,
    manager: &str,
    act: &Act,
) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
    let sql = "SELECT waiting_since FROM contact WHERE id = $1 FOR NO KEY UPDATE";
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(Err(ChangeError::Missing("contact"))) };
    if Columns::of(&row, "contact").get::<Option<i64>>("waiting_since")?.is_none() {
        return Ok(Err(ChangeError::NotPossible(format!("contact {id} does not wait to be taken"))));
    }
    let sql = "UPDATE contact SET waiting_since = NULL, responsible = $2 WHERE id = $1";
    conn.run(sqlx::query(sql).bind(id.0).bind(text(manager))).await?;
    timers::taken(conn, &[], Some(id.0)).await?;
    news::act(conn, event::CONTACT_TAKEN, act, of_contact(id)).await?;
    match contacts::one(conn, id).await? {
        Some(detail) => Ok(Ok(detail)),
        None => Err(corrupt("contact", format!("contact {id} vanished while it was taken"))),
    }
}

/// A person says that an address of a contact can be reached again.
pub(crate) async fn reachable(
    conn: &mut Conn,
    id: ContactId,
    email: &str,
    act: &Act,
) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
    let sql = "UPDATE identity SET failed_since = NULL, failed_status = NULL, failed_words = NULL
               WHERE contact = $1 AND kind = 'email' AND value = $2 AND failed_since IS NOT NULL";
    let changed = conn.run(sqlx::query(sql).bind(id.0).bind(text(email))).await?;
    let Some(detail) = contacts::one(conn, id).await? else { return Ok(Err(ChangeError::Missing("contact"))) };
    if changed == 0 {
        return Ok(Err(change::reachable_already(id, email)));
    }
    news::act(conn, event::CONTACT_REACHABLE, act, of_contact(id)).await?;
    Ok(Ok(detail))
}
