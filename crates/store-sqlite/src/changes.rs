//! What people do to leads and contacts. Everything is decided before anything is written.

use leadgate_core::change::{self, ChangeError, Decided, LeadChange, LeadState, Stage};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId};
use leadgate_core::onward::{EventData, event};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::Content;
use leadgate_core::submission::ActivityKind;
use leadgate_core::views::{ContactDetail, LeadDetail};
use sqlx::SqliteConnection;

use crate::error::{corrupt, store, to_json};
use crate::rows::Columns;
use crate::sequence::draw;
use crate::writer::Writing;
use crate::{contacts, leads, news, timers};

/// A lead as it stands.
struct Standing {
    state: LeadState,
    version: i64,
    contact: Option<i64>,
    takes: bool,
}

/// A person's changes of a lead, in one transaction.
pub(crate) async fn lead(
    writing: &mut Writing,
    id: LeadId,
    changes: &[LeadChange],
    version: Option<i64>,
    act: &Act,
) -> Result<Result<LeadDetail, ChangeError>, StoreError> {
    let Some(standing) = standing(&mut writing.conn, id).await? else { return Ok(Err(ChangeError::Missing("lead"))) };
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
        && let Some(other) = other_open(&mut writing.conn, &standing, id).await?
    {
        return Ok(Err(ChangeError::OtherOpen(other)));
    }
    if !outcome.history.is_empty() || !outcome.notes.is_empty() {
        write(writing, id, &standing, &outcome, act).await?;
    }
    match leads::one(&mut writing.conn, id).await? {
        Some(detail) => Ok(Ok(detail)),
        None => Err(corrupt("lead", format!("lead {id} vanished while it was changed"))),
    }
}

async fn standing(conn: &mut SqliteConnection, id: LeadId) -> Result<Option<Standing>, StoreError> {
    let sql = "SELECT stage, responsible, closed_at, version, contact, takes FROM lead WHERE id = ?1";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(conn).await.map_err(store)? else { return Ok(None) };
    let row = Columns::of(&row, "lead");
    Ok(Some(Standing {
        state: LeadState {
            stage: row.parse("stage", Stage::parse)?,
            responsible: row.get::<Option<String>>("responsible")?.map(ManagerId),
            closed_at: row.maybe_time("closed_at")?,
        },
        version: row.int("version")?,
        contact: row.get("contact")?,
        takes: row.flag("takes")?,
    }))
}

async fn other_open(conn: &mut SqliteConnection, standing: &Standing, id: LeadId) -> Result<Option<LeadId>, StoreError> {
    let sql = "SELECT id FROM lead WHERE contact = ?1 AND takes = 1 AND id <> ?2";
    let other = sqlx::query_scalar(sql).bind(standing.contact).bind(id.0).fetch_optional(conn).await.map_err(store)?;
    Ok(other.map(LeadId))
}

async fn write(writing: &mut Writing, id: LeadId, standing: &Standing, outcome: &Decided, act: &Act) -> Result<(), StoreError> {
    let at = act.at.as_microsecond();
    // Opened again, it takes what comes, however long nothing came: so it was touched now.
    sqlx::query(
        "UPDATE lead SET stage = ?2, responsible = ?3, closed_at = ?4, takes = ?5, version = version + 1,
                         touched_at = iif(?6, max(touched_at, ?7), touched_at) WHERE id = ?1",
    )
    .bind(id.0)
    .bind(outcome.state.stage.as_str())
    .bind(outcome.state.responsible.as_ref().map(|manager| manager.0.as_str()))
    .bind(outcome.state.closed_at.map(jiff::Timestamp::as_microsecond))
    .bind(i64::from(outcome.takes))
    .bind(i64::from(outcome.reopened))
    .bind(at)
    .execute(&mut writing.conn)
    .await
    .map_err(store)?;
    history(&mut writing.conn, id, outcome, act).await?;
    if let (Some(contact), Some(manager)) = (standing.contact, &outcome.taken_by) {
        let sql = "UPDATE contact SET responsible = ?2 WHERE id = ?1 AND responsible IS NULL";
        sqlx::query(sql).bind(contact).bind(manager).execute(&mut writing.conn).await.map_err(store)?;
    }
    if let (Some(contact), true) = (standing.contact, outcome.takes) {
        let sql = "UPDATE contact SET waiting_since = NULL WHERE id = ?1 AND waiting_since IS NOT NULL";
        sqlx::query(sql).bind(contact).execute(&mut writing.conn).await.map_err(store)?;
        timers::contact_taken(&mut writing.conn, contact).await?;
    }
    let mut last_note = None;
    for note in &outcome.notes {
        last_note = Some(self::note(writing, id, standing.contact, note, act).await?);
    }
    let conn = &mut writing.conn;
    if outcome.state.stage != Stage::New || outcome.state.responsible.is_some() {
        timers::lead_taken(conn, id.0).await?;
    }
    let data = EventData {
        lead: Some(id),
        contact: standing.contact.map(ContactId),
        activity: last_note.map(ActivityId),
        ..EventData::default()
    };
    news::act(conn, outcome.event, act, data).await
}

async fn history(conn: &mut SqliteConnection, id: LeadId, outcome: &Decided, act: &Act) -> Result<(), StoreError> {
    let sql = "INSERT INTO lead_history (lead, n, at, actor, field, old, new)
               SELECT ?1, (SELECT coalesce(max(n), 0) FROM lead_history WHERE lead = ?1) + 1 + v.key, ?2, ?3,
                      v.value ->> 0, v.value ->> 1, v.value ->> 2
               FROM json_each(?4) v";
    sqlx::query(sql)
        .bind(id.0)
        .bind(act.at.as_microsecond())
        .bind(&act.actor)
        .bind(to_json(&outcome.history)?)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(store)
}

async fn note(writing: &mut Writing, lead: LeadId, contact: Option<i64>, text: &str, act: &Act) -> Result<i64, StoreError> {
    let id = draw(&mut writing.sequence.activity);
    let content = Content { message: Some(text.to_owned()), ..Content::default() };
    let sql =
        "INSERT INTO activity (id, kind, lead, contact, author, occurred_at, ambiguous, suspect, revised, revisions, content)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0, ?7)";
    sqlx::query(sql)
        .bind(id)
        .bind(ActivityKind::Note.as_str())
        .bind(lead.0)
        .bind(contact)
        .bind(&act.actor)
        .bind(act.at.as_microsecond())
        .bind(to_json(&content)?)
        .execute(&mut writing.conn)
        .await
        .map_err(store)?;
    Ok(id)
}

fn of_contact(id: ContactId) -> EventData {
    EventData { contact: Some(id), ..EventData::default() }
}

/// A waiting contact is taken by a manager.
pub(crate) async fn take_contact(
    writing: &mut Writing,
    id: ContactId,
    manager: &str,
    act: &Act,
) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
    let conn = &mut writing.conn;
    let waiting: Option<Option<i64>> = sqlx::query_scalar("SELECT waiting_since FROM contact WHERE id = ?1")
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(store)?;
    match waiting {
        None => return Ok(Err(ChangeError::Missing("contact"))),
        Some(None) => return Ok(Err(ChangeError::NotPossible(format!("contact {id} does not wait to be taken")))),
        Some(Some(_)) => {}
    }
    let sql = "UPDATE contact SET waiting_since = NULL, responsible = ?2 WHERE id = ?1";
    sqlx::query(sql).bind(id.0).bind(manager).execute(&mut *conn).await.map_err(store)?;
    timers::contact_taken(conn, id.0).await?;
    news::act(conn, event::CONTACT_TAKEN, act, of_contact(id)).await?;
    match contacts::one(conn, id).await? {
        Some(detail) => Ok(Ok(detail)),
        None => Err(corrupt("contact", format!("contact {id} vanished while it was taken"))),
    }
}

/// A person says that an address of a contact can be reached again.
pub(crate) async fn reachable(
    writing: &mut Writing,
    id: ContactId,
    email: &str,
    act: &Act,
) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
    let conn = &mut writing.conn;
    let sql = "UPDATE identity SET failed_since = NULL, failed_status = NULL, failed_words = NULL
               WHERE contact = ?1 AND kind = 'email' AND value = ?2 AND failed_since IS NOT NULL";
    let changed = sqlx::query(sql).bind(id.0).bind(email).execute(&mut *conn).await.map_err(store)?.rows_affected();
    let Some(detail) = contacts::one(&mut *conn, id).await? else { return Ok(Err(ChangeError::Missing("contact"))) };
    if changed == 0 {
        return Ok(Err(change::reachable_already(id, email)));
    }
    news::act(conn, event::CONTACT_REACHABLE, act, of_contact(id)).await?;
    Ok(Ok(detail))
}
