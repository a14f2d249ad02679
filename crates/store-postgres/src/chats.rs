//! Campaigns' links, how chats stand, and topics of leads.

use leadgate_core::ids::{LeadId, SourceId};
use leadgate_core::ports::{Campaign, ChatState, MOST_CAMPAIGNS, StoreError};
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::bulk::{storable_json, text};
use crate::conn::Conn;
use crate::error::to_json;
use crate::rows::Columns;

// ------------------------------------------------------------------------------------------------------------ campaigns

/// `false`: the id is taken.
pub(crate) async fn add_campaign(conn: &mut Conn, campaign: &Campaign) -> Result<bool, StoreError> {
    let sql = "INSERT INTO campaign (id, source, touch, note, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT DO NOTHING";
    let statement = sqlx::query(sql)
        .bind(text(&campaign.id))
        .bind(campaign.source.as_ref().map(SourceId::as_str))
        .bind(storable_json(to_json(&campaign.touch)?.into()).into_owned())
        .bind(text(&campaign.note))
        .bind(micros(campaign.created_at))
        .bind(text(&campaign.created_by));
    Ok(conn.run(statement).await? == 1)
}

fn campaign(row: &PgRow) -> Result<Campaign, StoreError> {
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
pub(crate) async fn campaigns_of(conn: &mut Conn, source: &str, ids: &[String]) -> Result<Vec<Campaign>, StoreError> {
    let sql = "SELECT id, source, touch, note, created_at, created_by FROM campaign
               WHERE id = ANY ($1) AND (source IS NULL OR source = $2) ORDER BY id";
    let ids: Vec<String> = ids.iter().map(|id| text(id)).collect();
    conn.all(sqlx::query(sql).bind(ids).bind(source)).await?.iter().map(campaign).collect()
}

/// The newest first.
pub(crate) async fn campaigns(conn: &mut Conn) -> Result<Vec<Campaign>, StoreError> {
    let sql = "SELECT id, source, touch, note, created_at, created_by FROM campaign ORDER BY created_at DESC, id LIMIT $1";
    conn.all(sqlx::query(sql).bind(MOST_CAMPAIGNS)).await?.iter().map(campaign).collect()
}

/// `false`: there is none of that id.
pub(crate) async fn remove_campaign(conn: &mut Conn, id: &str) -> Result<bool, StoreError> {
    Ok(conn.run(sqlx::query("DELETE FROM campaign WHERE id = $1").bind(text(id))).await? == 1)
}

// ---------------------------------------------------------------------------------------------------------------- chats

/// How a chat stands.
pub(crate) async fn chat(conn: &mut Conn, source: &str, chat: &str) -> Result<ChatState, StoreError> {
    let sql = "SELECT version, dialogue, closed_at, moved_to, changed_at FROM chat WHERE source = $1 AND chat = $2";
    let row = conn.optional(sqlx::query(sql).bind(source).bind(text(chat))).await?;
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
pub(crate) async fn keep_chat(conn: &mut Conn, source: &str, chat: &str, state: &ChatState) -> Result<bool, StoreError> {
    let sql = match state.version {
        1 => {
            "INSERT INTO chat (source, chat, version, dialogue, closed_at, moved_to, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
        }
        _ => {
            "UPDATE chat SET version = $3, dialogue = $4, closed_at = $5, moved_to = $6, changed_at = $7
             WHERE source = $1 AND chat = $2 AND version = $3 - 1"
        }
    };
    let statement = sqlx::query(sql)
        .bind(source)
        .bind(text(chat))
        .bind(state.version)
        .bind(storable_json(to_json(&state.dialogue)?.into()).into_owned())
        .bind(state.closed_at.map(micros))
        .bind(state.moved_to.as_deref().map(text))
        .bind(state.changed_at.map(micros));
    Ok(conn.run(statement).await? == 1)
}

// --------------------------------------------------------------------------------------------------------------- topics

/// The topic of a lead.
pub(crate) async fn topic(conn: &mut Conn, source: &str, chat: &str, lead: LeadId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT topic FROM topic WHERE source = $1 AND chat = $2 AND lead = $3";
    let row = conn.optional(sqlx::query(sql).bind(source).bind(text(chat)).bind(lead.0)).await?;
    row.map(|row| Columns::of(&row, "topic").text("topic")).transpose()
}

/// The lead of a topic.
pub(crate) async fn lead_of(conn: &mut Conn, source: &str, chat: &str, topic: &str) -> Result<Option<LeadId>, StoreError> {
    let sql = "SELECT lead FROM topic WHERE source = $1 AND chat = $2 AND topic = $3";
    let row = conn.optional(sqlx::query(sql).bind(source).bind(text(chat)).bind(text(topic))).await?;
    row.map(|row| Columns::of(&row, "topic").int("lead").map(LeadId)).transpose()
}

/// Keeps the topic of a lead, or that it has none.
pub(crate) async fn keep_topic(
    conn: &mut Conn,
    source: &str,
    chat: &str,
    lead: LeadId,
    topic: Option<&str>,
) -> Result<(), StoreError> {
    let (chat, topic) = (text(chat), topic.map(text));
    let sql = "DELETE FROM topic WHERE source = $1 AND chat = $2 AND (lead = $3 OR topic = $4)";
    conn.run(sqlx::query(sql).bind(source).bind(&chat).bind(lead.0).bind(&topic)).await?;
    let Some(topic) = topic else { return Ok(()) };
    let sql = "INSERT INTO topic (source, chat, lead, topic) VALUES ($1, $2, $3, $4)";
    conn.run(sqlx::query(sql).bind(source).bind(chat).bind(lead.0).bind(topic)).await.map(|_| ())
}
