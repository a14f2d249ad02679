//! What activities tell of a messenger's messages after they were recorded: files that came, what managers answer, what was deleted.
//!
//! A delivery may add to the same activity meanwhile. Batches lock the source's own id of it before they look at what it tells, so
//! that is what is locked here, too.

use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::change::ChangeError;
use leadgate_core::chat;
use leadgate_core::chat::{SendState, Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, SourceId};
use leadgate_core::name::PersonName;
use leadgate_core::onward::{EventData, News, Overdue, Routes, event};
use leadgate_core::plan::{KeptName, named};
use leadgate_core::ports::{Act, Fetched, NewReply, StoreError};
use leadgate_core::prepare::Content;

use crate::apply::micros;
use crate::bulk::{Together, storable_json, text};
use crate::conn::Conn;
use crate::error::to_json;
use crate::locks::Locks;
use crate::rows::Columns;
use crate::{facts, news, numbers};

/// An activity that is held.
struct Held {
    source: Option<String>,
    external_key: Option<String>,
    submission: Option<i64>,
    content: Content,
}

/// Holds an activity until the transaction ends.
async fn hold(conn: &mut Conn, activity: i64) -> Result<Option<Held>, StoreError> {
    let sql = "SELECT source, external_key, submission, content FROM activity WHERE id = $1 FOR NO KEY UPDATE";
    let Some(row) = conn.optional(sqlx::query(sql).bind(activity)).await? else { return Ok(None) };
    let row = Columns::of(&row, "activity");
    Ok(Some(Held {
        source: row.get("source")?,
        external_key: row.get("external_key")?,
        submission: row.get("submission")?,
        content: row.json("content")?,
    }))
}

/// The same, with what its source calls it: no batch adds to it meanwhile.
async fn hold_alone(conn: &mut Conn, activity: i64) -> Result<Option<Held>, StoreError> {
    let sql = "SELECT source, external_key FROM activity WHERE id = $1";
    let Some(row) = conn.optional(sqlx::query(sql).bind(activity)).await? else { return Ok(None) };
    let row = Columns::of(&row, "activity");
    let (source, key): (Option<String>, Option<String>) = (row.get("source")?, row.get("external_key")?);
    if let (Some(source), Some(key)) = (&source, &key) {
        conn.simple(Locks::external(source, key).statement()).await?;
    }
    let held = hold(conn, activity).await?;
    if held.as_ref().is_some_and(|held| held.external_key.is_some() && (&held.source, &held.external_key) != (&source, &key)) {
        return Err(StoreError::Conflict);
    }
    Ok(held)
}

async fn say(conn: &mut Conn, activity: i64, content: &Content) -> Result<(), StoreError> {
    let content = storable_json(to_json(content)?.into()).into_owned();
    conn.run(sqlx::query("UPDATE activity SET content = $2 WHERE id = $1").bind(activity).bind(content)).await.map(|_| ())
}

/// Puts fetched files on an activity. Its delivery names them from now on, so that no sweep takes them.
pub(crate) async fn keep_files(conn: &mut Conn, activity: ActivityId, fetched: &[Fetched]) -> Result<(), StoreError> {
    let Some(mut held) = hold_alone(conn, activity.0).await? else { return Ok(()) };
    let Some(submission) = held.submission else { return Ok(()) };
    let Some(files) = chat::keep(&mut held.content, fetched) else { return Ok(()) };
    say(conn, activity.0, &held.content).await?;
    let sql = "INSERT INTO attachment (sha256, submission) SELECT v.sha256, $2 FROM unnest($1::text[]) AS v (sha256)
               ON CONFLICT DO NOTHING";
    conn.run(sqlx::query(sql).bind(files).bind(submission)).await.map(|_| ())
}

// -------------------------------------------------------------------------------------------------------------- answers

/// Puts what a manager writes on the timeline, and owes it.
pub(crate) async fn write_reply(
    conn: &mut Conn,
    reply: &NewReply,
    act: &Act,
) -> Result<Result<ActivityId, ChangeError>, StoreError> {
    let contact = match addressee(conn, reply).await? {
        Ok(contact) => contact,
        // Somebody who was erased since may have been answered before.
        Err(missing) => return Ok(written(conn, reply, act).await?.ok_or(missing)),
    };
    if let Some(known) = written(conn, reply, act).await? {
        return Ok(Ok(known));
    }
    let id = numbers::one(conn, "number_activity").await?;
    let sql = "INSERT INTO activity (id, kind, lead, contact, source, external_key, author, occurred_at, ambiguous, suspect,
                                     revised, revisions, content)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0, $9)";
    let statement = sqlx::query(sql)
        .bind(id)
        .bind(reply.kind.as_str())
        .bind(reply.lead.map(|lead| lead.0))
        .bind(contact)
        .bind(reply.source.as_ref().map(SourceId::as_str))
        .bind(reply.external_key(act.event))
        .bind(text(&act.actor))
        .bind(micros(act.at))
        .bind(storable_json(to_json(&reply.content(act.at))?.into()).into_owned());
    conn.run(statement).await?;
    let activity = ActivityId(id);
    let data = EventData {
        lead: reply.lead,
        contact: contact.map(ContactId),
        activity: Some(activity),
        by: Some(act.actor.clone()),
        ..EventData::default()
    };
    let job = [reply.job(act, to_json(&data)?)];
    news::act(conn, event::MESSAGE_SENT, act, data).await?;
    let mut together = Together::default();
    news::owe(&mut together, &job);
    together.run(conn).await?;
    Ok(Ok(activity))
}

/// The same reply, if it was written before. Whom it is for is held: whoever writes it at the same moment is done.
async fn written(conn: &mut Conn, reply: &NewReply, act: &Act) -> Result<Option<ActivityId>, StoreError> {
    let sql = "SELECT id FROM activity WHERE source = $1 AND external_key = $2 AND external_key IS NOT NULL
               UNION SELECT (data::json ->> 'activity')::bigint FROM job WHERE id = $3";
    let statement = sqlx::query(sql)
        .bind(reply.source.as_ref().map(SourceId::as_str))
        .bind(reply.external_key(act.event))
        .bind(reply.job_id(act.event).0.as_bytes().to_vec());
    let row = conn.optional(statement).await?;
    row.map(|row| Columns::of(&row, "activity").int("id").map(ActivityId)).transpose()
}

/// Whom a reply is for, held as batches hold them: a lead's contact, or a contact.
async fn addressee(conn: &mut Conn, reply: &NewReply) -> Result<Result<Option<i64>, ChangeError>, StoreError> {
    let contact = match reply.lead {
        None => reply.contact.map(|contact| contact.0),
        Some(lead) => {
            let row = conn.optional(sqlx::query("SELECT contact FROM lead WHERE id = $1").bind(lead.0)).await?;
            let Some(row) = row else { return Ok(Err(ChangeError::Missing("lead"))) };
            Columns::of(&row, "lead").get("contact")?
        }
    };
    let missing = Ok(Err(ChangeError::Missing("contact")));
    if reply.lead.is_none() && contact.is_none() {
        return missing;
    }
    facts::hold(conn, &contact.into_iter().collect(), facts::Hold::Locked).await?;
    if let Some(lead) = reply.lead {
        let sql = "SELECT contact FROM lead WHERE id = $1 FOR NO KEY UPDATE";
        let Some(row) = conn.optional(sqlx::query(sql).bind(lead.0)).await? else {
            return Ok(Err(ChangeError::Missing("lead")));
        };
        if Columns::of(&row, "lead").get::<Option<i64>>("contact")? != contact {
            return Err(StoreError::Conflict);
        }
    }
    if let Some(contact) = contact {
        let row = conn.optional(sqlx::query("SELECT erased_at FROM contact WHERE id = $1").bind(contact)).await?;
        let Some(row) = row else { return missing };
        if Columns::of(&row, "contact").get::<Option<i64>>("erased_at")?.is_some() {
            return missing;
        }
    }
    Ok(Ok(contact))
}

/// Keeps how something fares that we wrote, and what it is known by.
pub(crate) async fn sending(
    conn: &mut Conn,
    activity: ActivityId,
    sending: &Sending,
    sent_as: Option<&SentAs>,
    told: Option<&News>,
) -> Result<(), StoreError> {
    let Some(mut held) = hold(conn, activity.0).await? else { return Ok(()) };
    let Some(news) = chat::sent(&mut held.content, sending, sent_as) else { return Ok(()) };
    say(conn, activity.0, &held.content).await?;
    if let Some(known) = sent_as.and_then(|sent_as| sent_as.reference.as_ref()) {
        let sql = "INSERT INTO activity_ref (scope, value, activity) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        conn.run(sqlx::query(sql).bind(text(&known.scope)).bind(text(&known.value)).bind(activity.0)).await?;
    }
    match told.filter(|_| news) {
        Some(told) => news::tell(conn, [told]).await,
        None => Ok(()),
    }
}

/// The time of a reply is over. What was taken, in part perhaps, stays as it is.
pub(crate) async fn overdue(conn: &mut Conn, overdue: Overdue, routes: &Arc<Routes>) -> Result<(), StoreError> {
    let Some(activity) = overdue.data.activity else { return Ok(()) };
    let held = hold(conn, activity.0).await?;
    let is_sending = |held: &Held| held.content.sending.as_ref().is_some_and(|sending| sending.state == SendState::Sending);
    let Some(held) = held.filter(is_sending) else { return Ok(()) };
    let (failed, told) = overdue.ends(held.source.and_then(|source| SourceId::parse(&source).ok()), routes);
    sending(conn, activity, &failed, None, Some(&told)).await
}

/// A contact says what they are called.
pub(crate) async fn name_contact(
    conn: &mut Conn,
    contact: ContactId,
    own: &PersonName,
    messenger: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT id, names FROM contact WHERE erased_at IS NULL
               AND id = (SELECT coalesce(merged_into, id) FROM contact WHERE id = $1) FOR NO KEY UPDATE";
    let Some(row) = conn.optional(sqlx::query(sql).bind(contact.0)).await? else { return Ok(false) };
    let row = Columns::of(&row, "contact");
    let before: Vec<KeptName> = row.json("names")?;
    let Some(names) = named(&before, own, messenger) else { return Ok(false) };
    // Its words are there if the name was known.
    let fresh = names.len() > before.len();
    let words: String = own.tokens.iter().filter(|_| fresh).flat_map(|token| [" ", token.fold.as_str()]).collect();
    let shown = names.first().map_or("", |name| name.typed.as_str());
    let sql = "UPDATE contact SET name = $2, names = $3, words = words || $4 WHERE id = $1";
    let names = storable_json(to_json(&names)?.into()).into_owned();
    let statement = sqlx::query(sql).bind(row.int("id")?).bind(text(shown)).bind(names).bind(text(&words));
    conn.run(statement).await.map(|_| true)
}

/// A message was deleted by whoever wrote it. The first time counts.
pub(crate) async fn deleted(conn: &mut Conn, source: &str, external_key: &str, at: Timestamp) -> Result<bool, StoreError> {
    conn.simple(Locks::external(source, external_key).statement()).await?;
    let sql = "SELECT id FROM activity WHERE source = $1 AND external_key = $2 AND external_key IS NOT NULL";
    let row = conn.optional(sqlx::query(sql).bind(source).bind(text(external_key))).await?;
    let Some(row) = row else { return Ok(false) };
    let id = Columns::of(&row, "activity").int("id")?;
    let Some(mut held) = hold(conn, id).await?.filter(|held| held.external_key.is_some()) else { return Ok(false) };
    held.content.chat.get_or_insert_default().deleted_at.get_or_insert(at);
    say(conn, id, &held.content).await.map(|()| true)
}
