//! What activities tell of a messenger's messages after they were recorded: files that came, what managers answer, what was deleted.

use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::change::ChangeError;
use leadgate_core::chat;
use leadgate_core::chat::{Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId};
use leadgate_core::name::PersonName;
use leadgate_core::onward::{EventData, News, Overdue, Routes, event};
use leadgate_core::plan::{KeptName, named};
use leadgate_core::ports::{Act, Fetched, NewReply, StoreError};
use leadgate_core::prepare::Content;
use sqlx::SqliteConnection;

use crate::error::{store, to_json};
use crate::news;
use crate::rows::Columns;
use crate::sequence::draw;
use crate::writer::Writing;

async fn say(conn: &mut SqliteConnection, activity: i64, content: &Content) -> Result<(), StoreError> {
    let sql = "UPDATE activity SET content = ?2 WHERE id = ?1";
    sqlx::query(sql).bind(activity).bind(to_json(content)?).execute(conn).await.map(|_| ()).map_err(store)
}

/// Puts fetched files on an activity. Its delivery names them from now on, so that no sweep takes them.
pub(crate) async fn keep_files(conn: &mut SqliteConnection, activity: ActivityId, fetched: &[Fetched]) -> Result<(), StoreError> {
    let sql = "SELECT submission, content FROM activity WHERE id = ?1 AND submission IS NOT NULL";
    let Some(row) = sqlx::query(sql).bind(activity.0).fetch_optional(&mut *conn).await.map_err(store)? else { return Ok(()) };
    let row = Columns::of(&row, "activity");
    let mut content: Content = row.json("content")?;
    let Some(files) = chat::keep(&mut content, fetched) else { return Ok(()) };
    say(conn, activity.0, &content).await?;
    let sql =
        "INSERT INTO attachment (sha256, submission) SELECT v.value, ?2 FROM json_each(?1) v WHERE true ON CONFLICT DO NOTHING";
    let statement = sqlx::query(sql).bind(to_json(&files)?).bind(row.int("submission")?);
    statement.execute(conn).await.map(|_| ()).map_err(store)
}

// -------------------------------------------------------------------------------------------------------------- answers

/// Puts what a manager writes on the timeline, and owes it.
pub(crate) async fn write_reply(
    writing: &mut Writing,
    reply: &NewReply,
    act: &Act,
) -> Result<Result<ActivityId, ChangeError>, StoreError> {
    if let Some(known) = written(&mut writing.conn, reply, act).await? {
        return Ok(Ok(known));
    }
    let contact = match addressee(&mut writing.conn, reply).await? {
        Ok(contact) => contact,
        Err(missing) => return Ok(Err(missing)),
    };
    let id = draw(&mut writing.sequence.activity);
    let conn = &mut writing.conn;
    let sql = "INSERT INTO activity (id, kind, lead, contact, source, external_key, author, occurred_at, ambiguous, suspect,
                                     revised, revisions, content)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, ?9)";
    sqlx::query(sql)
        .bind(id)
        .bind(reply.kind.as_str())
        .bind(reply.lead.map(|lead| lead.0))
        .bind(contact)
        .bind(reply.source.as_ref().map(SourceId::as_str))
        .bind(reply.external_key(act.event))
        .bind(&act.actor)
        .bind(act.at.as_microsecond())
        .bind(to_json(&reply.content(act.at))?)
        .execute(&mut *conn)
        .await
        .map_err(store)?;
    let activity = ActivityId(id);
    let data = EventData {
        lead: reply.lead,
        contact: contact.map(ContactId),
        activity: Some(activity),
        by: Some(act.actor.clone()),
        ..EventData::default()
    };
    let job = reply.job(act, to_json(&data)?);
    news::act(conn, event::MESSAGE_SENT, act, data).await?;
    news::owe(conn, &[job]).await?;
    Ok(Ok(activity))
}

/// The same reply, if it was written before.
async fn written(conn: &mut SqliteConnection, reply: &NewReply, act: &Act) -> Result<Option<ActivityId>, StoreError> {
    let sql = "SELECT id FROM activity WHERE source = ?1 AND external_key = ?2 AND external_key IS NOT NULL
               UNION SELECT data ->> 'activity' FROM job WHERE id = ?3";
    let known = sqlx::query_scalar(sql)
        .bind(reply.source.as_ref().map(SourceId::as_str))
        .bind(reply.external_key(act.event))
        .bind(reply.job_id(act.event).0.as_bytes().to_vec());
    Ok(known.fetch_optional(conn).await.map_err(store)?.map(ActivityId))
}

/// Whom a reply is for: a lead's contact, or a contact.
async fn addressee(conn: &mut SqliteConnection, reply: &NewReply) -> Result<Result<Option<i64>, ChangeError>, StoreError> {
    let (sql, id, missing) = match (reply.lead, reply.contact) {
        (Some(LeadId(lead)), _) => {
            ("SELECT l.contact, c.erased_at FROM lead l LEFT JOIN contact c ON c.id = l.contact WHERE l.id = ?1", lead, "lead")
        }
        (None, Some(ContactId(contact))) => ("SELECT id AS contact, erased_at FROM contact WHERE id = ?1", contact, "contact"),
        (None, None) => return Ok(Err(ChangeError::Missing("contact"))),
    };
    let Some(row) = sqlx::query(sql).bind(id).fetch_optional(conn).await.map_err(store)? else {
        return Ok(Err(ChangeError::Missing(missing)));
    };
    let row = Columns::of(&row, "lead");
    if row.get::<Option<i64>>("erased_at")?.is_some() {
        return Ok(Err(ChangeError::Missing("contact")));
    }
    row.get("contact").map(Ok)
}

/// Keeps how something fares that we wrote, and what it is known by.
pub(crate) async fn sending(
    conn: &mut SqliteConnection,
    activity: ActivityId,
    sending: &Sending,
    sent_as: Option<&SentAs>,
    told: Option<&News>,
) -> Result<(), StoreError> {
    let sql = "SELECT content FROM activity WHERE id = ?1";
    let Some(row) = sqlx::query(sql).bind(activity.0).fetch_optional(&mut *conn).await.map_err(store)? else { return Ok(()) };
    let mut content: Content = Columns::of(&row, "activity").json("content")?;
    let Some(news) = chat::sent(&mut content, sending, sent_as) else { return Ok(()) };
    say(conn, activity.0, &content).await?;
    if let Some(known) = sent_as.and_then(|sent_as| sent_as.reference.as_ref()) {
        let sql = "INSERT INTO activity_ref (scope, value, activity) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let statement = sqlx::query(sql).bind(&known.scope).bind(&known.value).bind(activity.0);
        statement.execute(&mut *conn).await.map_err(store)?;
    }
    match told.filter(|_| news) {
        Some(told) => news::news(conn, told).await,
        None => Ok(()),
    }
}

/// The time of a reply is over. What was taken, in part perhaps, stays as it is.
pub(crate) async fn overdue(conn: &mut SqliteConnection, overdue: Overdue, routes: &Arc<Routes>) -> Result<(), StoreError> {
    let Some(activity) = overdue.data.activity else { return Ok(()) };
    let sql = "SELECT source FROM activity WHERE id = ?1 AND content ->> '$.sending.state' = 'sending'";
    let row = sqlx::query(sql).bind(activity.0).fetch_optional(&mut *conn).await.map_err(store)?;
    let Some(row) = row else { return Ok(()) };
    let source: Option<String> = Columns::of(&row, "activity").get("source")?;
    let (failed, told) = overdue.ends(source.and_then(|source| SourceId::parse(&source).ok()), routes);
    sending(conn, activity, &failed, None, Some(&told)).await
}

/// A contact says what they are called.
pub(crate) async fn name_contact(
    conn: &mut SqliteConnection,
    contact: ContactId,
    own: &PersonName,
    messenger: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT id, names FROM contact WHERE erased_at IS NULL
               AND id = (SELECT coalesce(merged_into, id) FROM contact WHERE id = ?1)";
    let Some(row) = sqlx::query(sql).bind(contact.0).fetch_optional(&mut *conn).await.map_err(store)? else { return Ok(false) };
    let row = Columns::of(&row, "contact");
    let before: Vec<KeptName> = row.json("names")?;
    let Some(names) = named(&before, own, messenger) else { return Ok(false) };
    // Its words are there if the name was known.
    let fresh = names.len() > before.len();
    let words: String = own.tokens.iter().filter(|_| fresh).flat_map(|token| [" ", token.fold.as_str()]).collect();
    let sql = "UPDATE contact SET name = ?2, names = ?3, words = words || ?4 WHERE id = ?1";
    let statement = sqlx::query(sql).bind(row.int("id")?).bind(names.first().map_or("", |name| name.typed.as_str()));
    statement.bind(to_json(&names)?).bind(words).execute(conn).await.map(|_| true).map_err(store)
}

/// A message was deleted by whoever wrote it. The first time counts.
pub(crate) async fn deleted(
    conn: &mut SqliteConnection,
    source: &str,
    external_key: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT id, content FROM activity WHERE source = ?1 AND external_key = ?2 AND external_key IS NOT NULL";
    let row = sqlx::query(sql).bind(source).bind(external_key).fetch_optional(&mut *conn).await.map_err(store)?;
    let Some(row) = row else { return Ok(false) };
    let row = Columns::of(&row, "activity");
    let mut content: Content = row.json("content")?;
    content.chat.get_or_insert_default().deleted_at.get_or_insert(at);
    say(conn, row.int("id")?, &content).await.map(|()| true)
}
