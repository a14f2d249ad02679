//! Detaching an activity, and putting it back. What a detach changes is kept as it was, so that undoing restores the rows
//! themselves and not something like them.

use std::borrow::Cow;

use leadgate_core::change::ChangeError;
use leadgate_core::ids::{ActivityId, ContactId, EventId, LeadId, MoveId, SubmissionId};
use leadgate_core::name;
use leadgate_core::onward::{EventData, event};
use leadgate_core::plan::{KeptIdentity, KeptMove, KeptName};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::Content;
use leadgate_core::views::MoveView;
use sqlx::SqliteConnection;

use crate::error::{store, to_json};
use crate::news;
use crate::rows::Columns;
use crate::sequence::draw;
use crate::writer::Writing;

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
pub(crate) async fn detach(
    writing: &mut Writing,
    id: ActivityId,
    act: &Act,
) -> Result<Result<MoveView, ChangeError>, StoreError> {
    let Some(moving) = moving(&mut writing.conn, id).await? else { return Ok(Err(ChangeError::Missing("activity"))) };
    let Some(source) = moving.source.clone() else { return Ok(not_possible("a note stays where it was written")) };
    if moving.neighbours == 0 {
        let place = if moving.lead.is_some() { "lead" } else { "contact" };
        return Ok(not_possible(format!("activity {id} is the only one of its {place}: there is nothing to take it off")));
    }
    let identities = match moving.contact {
        Some(contact) => brought(&mut writing.conn, contact, moving.id).await?,
        None => Vec::new(),
    };
    let contact = draw(&mut writing.sequence.contact);
    let lead = draw(&mut writing.sequence.lead);
    let number = draw(&mut writing.sequence.moved);
    let conn = &mut writing.conn;
    new_contact(conn, contact, &moving, act).await?;
    new_lead(conn, lead, contact, &source, &moving, act).await?;
    move_identities(conn, moving.contact, contact, &moving).await?;
    place(conn, moving.id, Some(lead), Some(contact)).await?;
    let before = KeptMove { identities };
    let sql = "INSERT INTO activity_move (id, activity, from_lead, from_contact, to_lead, to_contact, actor, at, before)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    sqlx::query(sql)
        .bind(number)
        .bind(moving.id)
        .bind(moving.lead)
        .bind(moving.contact)
        .bind(lead)
        .bind(contact)
        .bind(&act.actor)
        .bind(act.at.as_microsecond())
        .bind(to_json(&before)?)
        .execute(&mut *conn)
        .await
        .map_err(store)?;
    let data =
        EventData { lead: Some(LeadId(lead)), contact: Some(ContactId(contact)), activity: Some(id), ..EventData::default() };
    news::act(conn, event::ACTIVITY_DETACHED, act, data).await?;
    Ok(Ok(MoveView {
        id: MoveId(number),
        activity: id,
        from_lead: moving.lead.map(LeadId),
        from_contact: moving.contact.map(ContactId),
        to_lead: Some(LeadId(lead)),
        to_contact: Some(ContactId(contact)),
        actor: Cow::Owned(act.actor.clone()),
        at: act.at,
        undone_at: None,
    }))
}

async fn moving(conn: &mut SqliteConnection, id: ActivityId) -> Result<Option<Moving>, StoreError> {
    let sql = "SELECT a.lead, a.contact, a.source, a.occurred_at, a.touch, a.content,
                      iif(a.lead IS NULL,
                          (SELECT count(*) FROM activity x WHERE x.contact = a.contact AND x.lead IS NULL AND x.id <> a.id)
                          + (SELECT count(*) FROM lead l WHERE l.contact = a.contact AND l.takes = 1)
                          + (SELECT count(*) FROM lead l WHERE l.contact = a.contact AND l.takes = 0 AND l.contact IS NOT NULL),
                          (SELECT count(*) FROM activity x WHERE x.lead = a.lead AND x.id <> a.id AND x.kind <> 'note')) AS neighbours
               FROM activity a WHERE a.id = ?1";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(conn).await.map_err(store)? else { return Ok(None) };
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
async fn brought(conn: &mut SqliteConnection, contact: i64, activity: i64) -> Result<Vec<KeptIdentity>, StoreError> {
    let sql = "SELECT kind, value, state, strength, display, first_seen, last_seen, sender, activity,
                      failed_since, failed_status, failed_words
               FROM identity WHERE contact = ?1 AND activity = ?2 ORDER BY kind, value";
    let rows = sqlx::query(sql).bind(contact).bind(activity).fetch_all(conn).await.map_err(store)?;
    let kept = |row| {
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
    };
    rows.iter().map(kept).collect()
}

async fn new_contact(conn: &mut SqliteConnection, id: i64, moving: &Moving, act: &Act) -> Result<(), StoreError> {
    let name = moving.content.name.as_deref().map(name::read);
    let names: Vec<KeptName> =
        name.iter().map(|name| KeptName { typed: name.typed.clone(), key: name.key().as_str().to_owned() }).collect();
    let words: String = name.iter().flat_map(|name| &name.tokens).flat_map(|token| [" ", token.fold.as_str()]).collect();
    let sql = "INSERT INTO contact (id, uuid, name, names, words, created_at, last_active, claims) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
    sqlx::query(sql)
        .bind(id)
        .bind(&derived(act, CONTACT_UUID)[..])
        .bind(names.first().map_or("", |name| name.typed.as_str()))
        .bind(to_json(&names)?)
        .bind(words)
        .bind(act.at.as_microsecond())
        .bind(moving.occurred_at)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(store)
}

fn derived(act: &Act, n: u8) -> [u8; 16] {
    *EventId::of(SubmissionId(act.event.0), n).0.as_bytes()
}

async fn new_lead(
    conn: &mut SqliteConnection,
    id: i64,
    contact: i64,
    source: &str,
    moving: &Moving,
    act: &Act,
) -> Result<(), StoreError> {
    let form = moving.content.form.as_ref().and_then(|form| form.name.as_deref());
    let sql =
        "INSERT INTO lead (id, uuid, contact, takes, stage, title, name, source, origin, version, suspect, test, return_customer,
                                 created_at, touched_at, first_touch)
               VALUES (?1, ?2, ?3, 1, 'NEW', ?4, ?5, ?6, 'detach', 1, 0, 0, 0, ?7, ?7, ?8)";
    sqlx::query(sql)
        .bind(id)
        .bind(&derived(act, LEAD_UUID)[..])
        .bind(contact)
        .bind(form.unwrap_or(source))
        .bind(moving.content.name.as_deref().unwrap_or_default())
        .bind(source)
        .bind(act.at.as_microsecond())
        .bind(moving.touch.as_deref())
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(store)
}

/// The values an activity brought go with it. What was only claimed is active there, unless somebody else holds it.
async fn move_identities(conn: &mut SqliteConnection, from: Option<i64>, to: i64, moving: &Moving) -> Result<(), StoreError> {
    let Some(from) = from else { return Ok(()) };
    sqlx::query("UPDATE identity SET contact = ?2 WHERE contact = ?1 AND activity = ?3")
        .bind(from)
        .bind(to)
        .bind(moving.id)
        .execute(&mut *conn)
        .await
        .map_err(store)?;
    let sql = "UPDATE identity SET state = 'active'
               WHERE contact = ?1 AND state = 'claimed' AND strength <> 'none'
                     AND NOT EXISTS (SELECT 1 FROM identity o
                                     WHERE o.value = identity.value AND o.kind = identity.kind AND o.state = 'active')
                     AND NOT EXISTS (SELECT 1 FROM identity o
                                     WHERE o.value = identity.value AND o.kind = identity.kind AND o.state IN ('shared', 'generic')
                                           AND o.state <> 'active')";
    sqlx::query(sql).bind(to).execute(conn).await.map(|_| ()).map_err(store)
}

async fn place(conn: &mut SqliteConnection, activity: i64, lead: Option<i64>, contact: Option<i64>) -> Result<(), StoreError> {
    let sql = "UPDATE activity SET lead = ?2, contact = ?3 WHERE id = ?1";
    sqlx::query(sql).bind(activity).bind(lead).bind(contact).execute(conn).await.map(|_| ()).map_err(store)
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
pub(crate) async fn undo(writing: &mut Writing, id: MoveId, act: &Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
    let conn = &mut writing.conn;
    let Some(moved) = moved(conn, id).await? else { return Ok(Err(ChangeError::Missing("move"))) };
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
    let sql = "UPDATE activity_move SET undone_at = ?2, undone_by = ?3 WHERE id = ?1";
    sqlx::query(sql).bind(id.0).bind(act.at.as_microsecond()).bind(&act.actor).execute(&mut *conn).await.map_err(store)?;
    let data =
        EventData { lead: view.from_lead, contact: view.from_contact, activity: Some(view.activity), ..EventData::default() };
    news::act(conn, event::ACTIVITY_RESTORED, act, data).await?;
    view.undone_at = Some(act.at);
    Ok(Ok(view))
}

async fn moved(conn: &mut SqliteConnection, id: MoveId) -> Result<Option<Moved>, StoreError> {
    let sql = "SELECT m.*,
                      (SELECT count(*) FROM activity x WHERE x.lead = m.to_lead AND x.id <> m.activity)
                      + (SELECT count(*) FROM activity x WHERE x.contact = m.to_contact AND x.lead IS NULL)
                      + (SELECT count(*) FROM lead l WHERE l.contact = m.to_contact AND l.takes = 1 AND l.id <> m.to_lead)
                      + (SELECT count(*) FROM lead l WHERE l.contact = m.to_contact AND l.takes = 0 AND l.contact IS NOT NULL
                                                           AND l.id <> m.to_lead)
                      + (SELECT count(*) FROM activity x WHERE x.id = m.activity AND x.lead IS NOT m.to_lead) AS later
               FROM activity_move m WHERE m.id = ?1";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(conn).await.map_err(store)? else { return Ok(None) };
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
async fn remove(conn: &mut SqliteConnection, lead: LeadId, contact: ContactId) -> Result<(), StoreError> {
    for (sql, id) in [
        ("DELETE FROM identity WHERE contact = ?1", contact.0),
        ("DELETE FROM review WHERE a = ?1", contact.0),
        ("DELETE FROM review WHERE b = ?1", contact.0),
        ("DELETE FROM topic WHERE lead = ?1", lead.0),
        ("DELETE FROM lead WHERE id = ?1", lead.0),
        ("DELETE FROM contact WHERE id = ?1", contact.0),
    ] {
        sqlx::query(sql).bind(id).execute(&mut *conn).await.map_err(store)?;
    }
    Ok(())
}

/// Puts identities back as they were. If somebody else has become the active holder meanwhile, theirs stays.
async fn restore(conn: &mut SqliteConnection, contact: i64, before: &KeptMove) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity (contact, kind, value, state, strength, display, first_seen, last_seen, sender, activity,
                                     failed_since, failed_status, failed_words)
               SELECT ?1, v.value ->> 'kind', v.value ->> 'value',
                      iif(v.value ->> 'state' = 'active' AND EXISTS (
                              SELECT 1 FROM identity o WHERE o.value = v.value ->> 'value' AND o.kind = v.value ->> 'kind'
                                                             AND o.state = 'active' AND o.contact <> ?1),
                          'claimed', v.value ->> 'state'),
                      v.value ->> 'strength', v.value ->> 'display', v.value ->> 'first_seen', v.value ->> 'last_seen',
                      v.value ->> 'sender', v.value ->> 'activity',
                      v.value ->> 'failed_since', v.value ->> 'failed_status', v.value ->> 'failed_words'
               FROM json_each(?2) v WHERE TRUE
               ON CONFLICT (contact, kind, value) DO UPDATE SET
                   state = excluded.state, strength = excluded.strength, display = excluded.display, first_seen = excluded.first_seen,
                   last_seen = max(last_seen, excluded.last_seen), sender = excluded.sender, activity = excluded.activity";
    sqlx::query(sql).bind(contact).bind(to_json(&before.identities)?).execute(conn).await.map(|_| ()).map_err(store)
}
