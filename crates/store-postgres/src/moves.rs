//! Detaching an activity, and putting it back. What a detach changes is kept as it was, so that undoing restores the rows
//! themselves and not something like them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use leadgate_core::change::ChangeError;
use leadgate_core::ids::{ActivityId, ContactId, EventId, LeadId, MoveId, SubmissionId};
use leadgate_core::name;
use leadgate_core::onward::{EventData, event};
use leadgate_core::plan::{KeptIdentity, KeptMove, KeptName};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::Content;
use leadgate_core::views::MoveView;
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::conn::Conn;
use crate::error::to_json;
use crate::locks::Locks;
use crate::rows::Columns;
use crate::{facts, news, numbers};

/// The `n` of ids derived from the act's event.
const CONTACT_UUID: u8 = 254;
const LEAD_UUID: u8 = 255;

/// An activity to detach.
struct Moving {
    id: i64,
    lead: Option<i64>,
    contact: Option<i64>,
    source: Option<String>,
    occurred_at: i64,
    touch: Option<String>,
    content: Content,
    /// Other activities where it stands.
    neighbours: i64,
}

fn not_possible<T>(words: impl Into<String>) -> Result<T, ChangeError> {
    Err(ChangeError::NotPossible(words.into()))
}

/// Takes an activity off its lead and contact: it gets a contact and a lead of its own, with the values it brought.
pub(crate) async fn detach(conn: &mut Conn, id: ActivityId, act: &Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
    let Some((moving, identities)) = held(conn, id).await? else { return Ok(Err(ChangeError::Missing("activity"))) };
    let Some(source) = moving.source.clone() else { return Ok(not_possible("a note stays where it was written")) };
    if moving.neighbours == 0 {
        let place = if moving.lead.is_some() { "lead" } else { "contact" };
        return Ok(not_possible(format!("activity {id} is the only one of its {place}: there is nothing to take it off")));
    }
    let contact = numbers::one(conn, "number_contact").await?;
    let lead = numbers::one(conn, "number_lead").await?;
    let number = numbers::one(conn, "number_move").await?;
    new_contact(conn, contact, &moving, act).await?;
    new_lead(conn, lead, contact, &source, &moving, act).await?;
    move_identities(conn, moving.contact, contact, &moving).await?;
    place(conn, moving.id, Some(lead), Some(contact)).await?;
    let before = KeptMove { identities };
    let sql = "INSERT INTO activity_move (id, activity, from_lead, from_contact, to_lead, to_contact, actor, at, before)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let statement = sqlx::query(sql)
        .bind(number)
        .bind(moving.id)
        .bind(moving.lead)
        .bind(moving.contact)
        .bind(lead)
        .bind(contact)
        .bind(&act.actor)
        .bind(micros(act.at))
        .bind(to_json(&before)?);
    conn.run(statement).await?;
    let (to_lead, to_contact) = (Some(LeadId(lead)), Some(ContactId(contact)));
    let data = EventData { lead: to_lead, contact: to_contact, activity: Some(id), ..EventData::default() };
    news::act(conn, event::ACTIVITY_DETACHED, act, data).await?;
    Ok(Ok(MoveView {
        id: MoveId(number),
        activity: id,
        from_lead: moving.lead.map(LeadId),
        from_contact: moving.contact.map(ContactId),
        to_lead,
        to_contact,
        actor: Cow::Owned(act.actor.clone()),
        at: act.at,
        undone_at: None,
    }))
}

/// An activity and the values it brought, with everything about them locked in the order of batches: identities, contact,
/// lead.
async fn held(conn: &mut Conn, id: ActivityId) -> Result<Option<(Moving, Vec<KeptIdentity>)>, StoreError> {
    let Some(before) = moving(conn, id).await? else { return Ok(None) };
    let identities = brought(conn, &before).await?;
    lock(conn, &identities).await?;
    facts::hold(conn, &before.contact.into_iter().collect(), facts::Hold::Locked).await?;
    if let Some(lead) = before.lead {
        conn.run(sqlx::query("SELECT id FROM lead WHERE id = $1 FOR NO KEY UPDATE").bind(lead)).await?;
    }
    let Some(now) = moving(conn, id).await? else { return Ok(None) };
    if (now.lead, now.contact) != (before.lead, before.contact) {
        return Err(StoreError::Conflict);
    }
    let identities = brought(conn, &now).await?;
    Ok(Some((now, identities)))
}

/// Takes the locks of identities.
async fn lock(conn: &mut Conn, identities: &[KeptIdentity]) -> Result<(), StoreError> {
    let mut locks = Locks::default();
    for identity in identities {
        locks.identity(&identity.kind, &identity.value);
    }
    conn.simple(locks.statement()).await
}

async fn moving(conn: &mut Conn, id: ActivityId) -> Result<Option<Moving>, StoreError> {
    let sql = "SELECT a.lead, a.contact, a.source, a.occurred_at, a.touch, a.content,
                      CASE WHEN a.lead IS NULL THEN
                          (SELECT count(*) FROM activity x WHERE x.contact = a.contact AND x.lead IS NULL AND x.id <> a.id)
                          + (SELECT count(*) FROM lead l WHERE l.contact = a.contact AND l.takes = 1)
                          + (SELECT count(*) FROM lead l WHERE l.contact = a.contact AND l.takes = 0 AND l.contact IS NOT NULL)
                      ELSE (SELECT count(*) FROM activity x WHERE x.lead = a.lead AND x.id <> a.id AND x.kind <> 'note') END AS neighbours
               FROM activity a WHERE a.id = $1";
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(None) };
    let row = Columns::of(&row, "activity");
    Ok(Some(Moving {
        id: id.0,
        lead: row.get("lead")?,
        contact: row.get("contact")?,
        source: row.get("source")?,
        occurred_at: row.int("occurred_at")?,
        touch: row.get("touch")?,
        content: row.json("content")?,
        neighbours: row.int("neighbours")?,
    }))
}

/// The identities an activity brought to a contact.
async fn brought(conn: &mut Conn, moving: &Moving) -> Result<Vec<KeptIdentity>, StoreError> {
    let Some(contact) = moving.contact else { return Ok(Vec::new()) };
    let sql = "SELECT kind, value, state, strength, display, first_seen, last_seen, sender, activity,
                      failed_since, failed_status, failed_words
               FROM identity WHERE contact = $1 AND activity = $2 ORDER BY kind, value";
    let rows = conn.all(sqlx::query(sql).bind(contact).bind(moving.id)).await?;
    rows.iter().map(kept).collect()
}

/// The identities of a contact that a detach made.
async fn taken_along(conn: &mut Conn, contact: i64) -> Result<Vec<KeptIdentity>, StoreError> {
    let sql =
        "SELECT kind, value, state, strength, display, first_seen, last_seen, sender, activity, failed_since, failed_status, failed_words
         FROM identity WHERE contact = $1";
    let rows = conn.all(sqlx::query(sql).bind(contact)).await?;
    rows.iter().map(kept).collect()
}

fn kept(row: &PgRow) -> Result<KeptIdentity, StoreError> {
    let row = Columns::of(row, "identity");
    Ok(KeptIdentity {
        kind: row.text("kind")?,
        value: row.text("value")?,
        state: row.text("state")?,
        strength: row.text("strength")?,
        display: row.text("display")?,
        first_seen: row.int("first_seen")?,
        last_seen: row.int("last_seen")?,
        sender: row.text("sender")?,
        activity: row.get("activity")?,
        failed_since: row.get("failed_since")?,
        failed_status: row.get("failed_status")?,
        failed_words: row.get("failed_words")?,
    })
}

async fn new_contact(conn: &mut Conn, id: i64, moving: &Moving, act: &Act) -> Result<(), StoreError> {
    let name = moving.content.name.as_deref().map(name::read);
    let names: Vec<KeptName> =
        name.iter().map(|name| KeptName { typed: name.typed.clone(), key: name.key().as_str().to_owned() }).collect();
    let words: String = name.iter().flat_map(|name| &name.tokens).flat_map(|token| [" ", token.fold.as_str()]).collect();
    let sql = "INSERT INTO contact (id, uuid, name, names, words, created_at, last_active, claims) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)";
    let statement = sqlx::query(sql)
        .bind(id)
        .bind(derived(act, CONTACT_UUID))
        .bind(names.first().map_or("", |name| name.typed.as_str()))
        .bind(to_json(&names)?)
        .bind(words)
        .bind(micros(act.at))
        .bind(moving.occurred_at);
    conn.run(statement).await.map(|_| ())
}

fn derived(act: &Act, n: u8) -> Vec<u8> {
    EventId::of(SubmissionId(act.event.0), n).0.as_bytes().to_vec()
}

async fn new_lead(conn: &mut Conn, id: i64, contact: i64, source: &str, moving: &Moving, act: &Act) -> Result<(), StoreError> {
    let form = moving.content.form.as_ref().and_then(|form| form.name.as_deref());
    let sql =
        "INSERT INTO lead (id, uuid, contact, takes, stage, title, name, source, origin, version, suspect, test, return_customer,
                                 created_at, touched_at, first_touch)
               VALUES ($1, $2, $3, 1, 'NEW', $4, $5, $6, 'detach', 1, 0, 0, 0, $7, $7, $8)";
    let statement = sqlx::query(sql)
        .bind(id)
        .bind(derived(act, LEAD_UUID))
        .bind(contact)
        .bind(form.unwrap_or(source))
        .bind(moving.content.name.as_deref().unwrap_or_default())
        .bind(source)
        .bind(micros(act.at))
        .bind(moving.touch.as_deref());
    conn.run(statement).await.map(|_| ())
}

/// The values an activity brought go with it. What was only claimed is active there, unless somebody else holds it.
async fn move_identities(conn: &mut Conn, from: Option<i64>, to: i64, moving: &Moving) -> Result<(), StoreError> {
    let Some(from) = from else { return Ok(()) };
    let sql = "UPDATE identity SET contact = $2 WHERE contact = $1 AND activity = $3";
    conn.run(sqlx::query(sql).bind(from).bind(to).bind(moving.id)).await?;
    let sql = "UPDATE identity SET state = 'active'
               WHERE contact = $1 AND state = 'claimed' AND strength <> 'none'
                     AND NOT EXISTS (SELECT 1 FROM identity o
                                     WHERE o.value = identity.value AND o.kind = identity.kind AND o.state = 'active')
                     AND NOT EXISTS (SELECT 1 FROM identity o
                                     WHERE o.value = identity.value AND o.kind = identity.kind AND o.state IN ('shared', 'generic')
                                           AND o.state <> 'active')";
    conn.run(sqlx::query(sql).bind(to)).await.map(|_| ())
}

async fn place(conn: &mut Conn, activity: i64, lead: Option<i64>, contact: Option<i64>) -> Result<(), StoreError> {
    let sql = "UPDATE activity SET lead = $2, contact = $3 WHERE id = $1";
    conn.run(sqlx::query(sql).bind(activity).bind(lead).bind(contact)).await.map(|_| ())
}

// ---------------------------------------------------------------------------------------------------------------- undo

/// A recorded move.
struct Moved {
    view: MoveView,
    before: KeptMove,
    /// What came to the lead or the contact after the move.
    later: i64,
}

/// Puts a detached activity back.
pub(crate) async fn undo(conn: &mut Conn, id: MoveId, act: &Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
    let Some(moved) = moved_and_held(conn, id).await? else { return Ok(Err(ChangeError::Missing("move"))) };
    let mut view = moved.view;
    if view.undone_at.is_some() {
        return Ok(not_possible(format!("move {id} was undone already")));
    }
    let (Some(to_lead), Some(to_contact)) = (view.to_lead, view.to_contact) else {
        return Ok(not_possible(format!("move {id} did not make a lead and a contact")));
    };
    if moved.later > 0 {
        return Ok(not_possible(format!(
            "lead {to_lead} or contact {to_contact} got something else meanwhile: it cannot be taken away"
        )));
    }
    place(conn, view.activity.0, view.from_lead.map(|id| id.0), view.from_contact.map(|id| id.0)).await?;
    remove(conn, to_lead, to_contact).await?;
    if let Some(contact) = view.from_contact {
        restore(conn, contact.0, &moved.before).await?;
    }
    let sql = "UPDATE activity_move SET undone_at = $2, undone_by = $3 WHERE id = $1";
    conn.run(sqlx::query(sql).bind(id.0).bind(micros(act.at)).bind(&act.actor)).await?;
    let (lead, contact) = (view.from_lead, view.from_contact);
    let data = EventData { lead, contact, activity: Some(view.activity), ..EventData::default() };
    news::act(conn, event::ACTIVITY_RESTORED, act, data).await?;
    view.undone_at = Some(act.at);
    Ok(Ok(view))
}

/// A recorded move, with everything about it locked.
async fn moved_and_held(conn: &mut Conn, id: MoveId) -> Result<Option<Moved>, StoreError> {
    let Some(before) = moved(conn, id).await? else { return Ok(None) };
    let contacts: BTreeSet<i64> =
        [before.view.from_contact, before.view.to_contact].into_iter().flatten().map(|contact| contact.0).collect();
    let mut identities = before.before.identities;
    if let Some(contact) = before.view.to_contact {
        identities.extend(taken_along(conn, contact.0).await?);
    }
    lock(conn, &identities).await?;
    facts::hold(conn, &contacts, facts::Hold::Locked).await?;
    conn.run(sqlx::query("SELECT id FROM activity_move WHERE id = $1 FOR NO KEY UPDATE").bind(id.0)).await?;
    moved(conn, id).await
}

async fn moved(conn: &mut Conn, id: MoveId) -> Result<Option<Moved>, StoreError> {
    let sql = "SELECT m.*,
                      (SELECT count(*) FROM activity x WHERE x.lead = m.to_lead AND x.id <> m.activity)
                      + (SELECT count(*) FROM activity x WHERE x.contact = m.to_contact AND x.lead IS NULL)
                      + (SELECT count(*) FROM lead l WHERE l.contact = m.to_contact AND l.takes = 1 AND l.id <> m.to_lead)
                      + (SELECT count(*) FROM lead l WHERE l.contact = m.to_contact AND l.takes = 0 AND l.contact IS NOT NULL
                                                           AND l.id <> m.to_lead)
                      + (SELECT count(*) FROM activity x WHERE x.id = m.activity AND x.lead IS DISTINCT FROM m.to_lead) AS later
               FROM activity_move m WHERE m.id = $1";
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(None) };
    let row = Columns::of(&row, "activity_move");
    Ok(Some(Moved {
        view: MoveView {
            id,
            activity: ActivityId(row.int("activity")?),
            from_lead: row.get::<Option<i64>>("from_lead")?.map(LeadId),
            from_contact: row.get::<Option<i64>>("from_contact")?.map(ContactId),
            to_lead: row.get::<Option<i64>>("to_lead")?.map(LeadId),
            to_contact: row.get::<Option<i64>>("to_contact")?.map(ContactId),
            actor: Cow::Owned(row.text("actor")?),
            at: row.time("at")?,
            undone_at: row.maybe_time("undone_at")?,
        },
        before: row.json("before")?,
        later: row.int("later")?,
    }))
}

/// Removes the lead and the contact that a detach made.
async fn remove(conn: &mut Conn, lead: LeadId, contact: ContactId) -> Result<(), StoreError> {
    for (sql, id) in [
        ("DELETE FROM identity WHERE contact = $1", contact.0),
        ("DELETE FROM review WHERE a = $1", contact.0),
        ("DELETE FROM review WHERE b = $1", contact.0),
        ("DELETE FROM topic WHERE lead = $1", lead.0),
        ("DELETE FROM lead WHERE id = $1", lead.0),
        ("DELETE FROM contact WHERE id = $1", contact.0),
    ] {
        conn.run(sqlx::query(sql).bind(id)).await?;
    }
    Ok(())
}

/// Puts identities back as they were. If somebody else has become the active holder meanwhile, theirs stays.
async fn restore(conn: &mut Conn, contact: i64, before: &KeptMove) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity AS i (contact, kind, value, state, strength, display, first_seen, last_seen, sender, activity,
                                          failed_since, failed_status, failed_words)
               SELECT $1, v.kind, v.value,
                      CASE WHEN v.state = 'active' AND EXISTS (
                              SELECT 1 FROM identity o WHERE o.value = v.value AND o.kind = v.kind
                                                             AND o.state = 'active' AND o.contact <> $1)
                           THEN 'claimed' ELSE v.state END,
                      v.strength, v.display, v.first_seen, v.last_seen, v.sender, v.activity,
                      v.failed_since, v.failed_status, v.failed_words
               FROM json_to_recordset($2::json) AS v (kind text, value text, state text, strength text, display text,
                                                      first_seen bigint, last_seen bigint, sender text, activity bigint,
                                                      failed_since bigint, failed_status text, failed_words text)
               ON CONFLICT (contact, kind, value) DO UPDATE SET
                   state = excluded.state, strength = excluded.strength, display = excluded.display, first_seen = excluded.first_seen,
                   last_seen = greatest(i.last_seen, excluded.last_seen), sender = excluded.sender, activity = excluded.activity";
    conn.run(sqlx::query(sql).bind(contact).bind(to_json(&before.identities)?)).await.map(|_| ())
}
