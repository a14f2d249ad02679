//! Campaigns' links, how chats stand, and topics of leads.

use leadgate_core::ids::{LeadId, SourceId};
use leadgate_core::ports::{Campaign, ChatState, MOST_CAMPAIGNS, StoreError};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::{store, to_json};
use crate::rows::Columns;

// ------------------------------------------------------------------------------------------------------------ campaigns

/// `false`: the id is taken.
pub(crate) async fn add_campaign(conn: &mut SqliteConnection, campaign: &Campaign) -> Result<bool, StoreError> {
    let sql = "INSERT INTO campaign (id, source, touch, note, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO NOTHING";
    let done = sqlx::query(sql)
        .bind(&campaign.id)
        .bind(campaign.source.as_ref().map(SourceId::as_str))
        .bind(to_json(&campaign.touch)?)
        .bind(&campaign.note)
        .bind(campaign.created_at.as_microsecond())
        .bind(&campaign.created_by)
        .execute(conn)
        .await
        .map_err(store)?;
    Ok(done.rows_affected() == 1)
}

fn campaign(row: &SqliteRow) -> Result<Campaign, StoreError> {
    let row = Columns::of(row, "campaign");
    Ok(Campaign {
        id: row.text("id")?,
        source: row.maybe_source("source")?,
        touch: row.json("touch")?,
        note: row.text("note")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
    })
}

/// Those of these ids that are a source's.
pub(crate) async fn campaigns_of(conn: &mut SqliteConnection, source: &str, ids: &[String]) -> Result<Vec<Campaign>, StoreError> {
    let sql = "SELECT id, source, touch, note, created_at, created_by FROM campaign
               WHERE id IN (SELECT value FROM json_each(?1)) AND (source IS NULL OR source = ?2) ORDER BY id";
    let rows = sqlx::query(sql).bind(to_json(ids)?).bind(source).fetch_all(conn).await.map_err(store)?;
    rows.iter().map(campaign).collect()
}

/// The newest first.
pub(crate) async fn campaigns(conn: &mut SqliteConnection) -> Result<Vec<Campaign>, StoreError> {
    let sql = "SELECT id, source, touch, note, created_at, created_by FROM campaign ORDER BY created_at DESC, id LIMIT ?1";
    let rows = sqlx::query(sql).bind(MOST_CAMPAIGNS).fetch_all(conn).await.map_err(store)?;
    rows.iter().map(campaign).collect()
}

/// `false`: there is none of that id.
pub(crate) async fn remove_campaign(conn: &mut SqliteConnection, id: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM campaign WHERE id = ?1").bind(id).execute(conn).await.map_err(store)?;
    Ok(done.rows_affected() == 1)
}

// ---------------------------------------------------------------------------------------------------------------- chats

/// How a chat stands.
pub(crate) async fn chat(conn: &mut SqliteConnection, source: &str, chat: &str) -> Result<ChatState, StoreError> {
    let sql = "SELECT version, dialogue, closed_at, moved_to, changed_at FROM chat WHERE source = ?1 AND chat = ?2";
    let row = sqlx::query(sql).bind(source).bind(chat).fetch_optional(conn).await.map_err(store)?;
    let Some(row) = row else { return Ok(ChatState::default()) };
    let row = Columns::of(&row, "chat");
    Ok(ChatState {
        version: row.int("version")?,
        dialogue: row.json("dialogue")?,
        closed_at: row.maybe_time("closed_at")?,
        moved_to: row.get("moved_to")?,
        changed_at: row.maybe_time("changed_at")?,
    })
}

/// `false`: it is at another version.
pub(crate) async fn keep_chat(
    conn: &mut SqliteConnection,
    source: &str,
    chat: &str,
    state: &ChatState,
) -> Result<bool, StoreError> {
    let sql = match state.version {
        1 => {
            "INSERT INTO chat (source, chat, version, dialogue, closed_at, moved_to, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
        }
        _ => {
            "UPDATE chat SET version = ?3, dialogue = ?4, closed_at = ?5, moved_to = ?6, changed_at = ?7
             WHERE source = ?1 AND chat = ?2 AND version = ?3 - 1"
        }
    };
    let done = sqlx::query(sql)
        .bind(source)
        .bind(chat)
        .bind(state.version)
        .bind(to_json(&state.dialogue)?)
        .bind(state.closed_at.map(jiff::Timestamp::as_microsecond))
        .bind(&state.moved_to)
        .bind(state.changed_at.map(jiff::Timestamp::as_microsecond))
        .execute(conn)
        .await
        .map_err(store)?;
    Ok(done.rows_affected() == 1)
}

// --------------------------------------------------------------------------------------------------------------- topics

/// The topic of a lead.
pub(crate) async fn topic(
    conn: &mut SqliteConnection,
    source: &str,
    chat: &str,
    lead: LeadId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT topic FROM topic WHERE source = ?1 AND chat = ?2 AND lead = ?3";
    sqlx::query_scalar(sql).bind(source).bind(chat).bind(lead.0).fetch_optional(conn).await.map_err(store)
}

/// The lead of a topic.
pub(crate) async fn lead_of(
    conn: &mut SqliteConnection,
    source: &str,
    chat: &str,
    topic: &str,
) -> Result<Option<LeadId>, StoreError> {
    let sql = "SELECT lead FROM topic WHERE source = ?1 AND chat = ?2 AND topic = ?3";
    let lead = sqlx::query_scalar(sql).bind(source).bind(chat).bind(topic).fetch_optional(conn).await.map_err(store)?;
    Ok(lead.map(LeadId))
}

/// Keeps the topic of a lead, or that it has none.
pub(crate) async fn keep_topic(
    conn: &mut SqliteConnection,
    source: &str,
    chat: &str,
    lead: LeadId,
    topic: Option<&str>,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM topic WHERE source = ?1 AND chat = ?2 AND (lead = ?3 OR topic = ?4)";
    sqlx::query(sql).bind(source).bind(chat).bind(lead.0).bind(topic).execute(&mut *conn).await.map_err(store)?;
    let Some(topic) = topic else { return Ok(()) };
    let sql = "INSERT INTO topic (source, chat, lead, topic) VALUES (?1, ?2, ?3, ?4)";
    sqlx::query(sql).bind(source).bind(chat).bind(lead.0).bind(topic).execute(conn).await.map(|_| ()).map_err(store)
}
