//! Calls on PostgreSQL.

use std::collections::HashMap;

use async_trait::async_trait;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId};
use leadgate_core::plan::rows::Gathered;
use leadgate_core::plan::{CallBack, KeptCall, Lookup, Place};
use leadgate_core::ports::{CallState, Caller, Calls, StoreError};

use crate::apply::micros;
use crate::bulk::{Kind, Part, Rows, Together, text};
use crate::conn::Conn;
use crate::error::corrupt;
use crate::rows::Columns;
use crate::{PostgresStore, read};

/// Calls by source and its own id of them.
pub(crate) type Known = HashMap<(String, String), KeptCall>;

/// What is kept of the calls of a batch, whose locks are taken. Most batches have none.
pub(crate) async fn load(conn: &mut Conn, lookup: &Lookup) -> Result<Known, StoreError> {
    if lookup.calls.is_empty() {
        return Ok(Known::new());
    }
    let sql = "SELECT c.source, c.key, c.told, c.phone, c.back, c.over, c.at
               FROM unnest($1::text[], $2::text[]) AS v (source, key)
               CROSS JOIN LATERAL (SELECT * FROM call c WHERE c.source = v.source AND c.key = v.key OFFSET 0) c";
    let sources: Vec<_> = lookup.calls.iter().map(|(source, _)| text(source)).collect();
    let keys: Vec<_> = lookup.calls.iter().map(|(_, key)| text(key)).collect();
    let mut known = Known::new();
    for row in &conn.all(sqlx::query(sql).bind(sources).bind(keys)).await? {
        let row = Columns::of(row, "call");
        let told = row.get::<Option<&str>>("told")?;
        let told = told.map(serde_json::from_str).transpose().map_err(|error| corrupt("call", error.to_string()))?;
        let call = KeptCall {
            told,
            phone: row.text("phone")?,
            back: row.parse("back", CallBack::parse)?,
            over: row.flag("over")?,
            at: row.time("at")?,
        };
        known.insert((row.text("source")?, row.text("key")?), call);
    }
    Ok(known)
}

/// Whoever was called back waits no more. Before the calls of the batch, which may be missed after that. Their numbers are locked.
pub(crate) async fn before(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if rows.called_back.is_empty() {
        return Ok(());
    }
    let phones: Vec<&str> = rows.called_back.iter().copied().collect();
    let sql = "UPDATE call SET back = 'done' WHERE phone = ANY ($1) AND phone <> '' AND back = 'waits'";
    conn.run(sqlx::query(sql).bind(phones)).await.map(|_| ())
}

/// Keeps the calls of a batch.
pub(crate) fn write<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    static CALL: Part = Part {
        head: "INSERT INTO call (source, key, told, phone, back, over, at) SELECT v.* FROM",
        columns: &[
            ("source", Kind::Text),
            ("key", Kind::Text),
            ("told", Kind::Text),
            ("phone", Kind::Text),
            ("back", Kind::Text),
            ("over", Kind::Flag),
            ("at", Kind::Int),
        ],
        tail: "ON CONFLICT (source, key) DO UPDATE SET told = excluded.told, phone = excluded.phone, back = excluded.back,
                                                       over = excluded.over, at = excluded.at",
    };
    let mut calls = Rows::of(&CALL);
    for ((source, key), row) in &rows.calls {
        calls
            .text(*source)
            .text(*key)
            .maybe_json(row.told.as_deref())
            .text(row.call.phone.as_str())
            .text(row.back.as_str())
            .flag(row.call.over)
            .int(micros(row.call.at));
    }
    together.add(calls);
}

#[async_trait]
impl Calls for PostgresStore {
    async fn call(&self, source: &SourceId, key: &str) -> Result<Option<CallState>, StoreError> {
        let sql =
            "SELECT c.phone, c.back, c.over, c.at, a.lead AS lead, coalesce(a.contact, l.contact) AS contact, a.id AS activity
                   FROM call c
                   LEFT JOIN activity a ON a.source = c.source AND a.external_key = c.key AND a.external_key IS NOT NULL
                   LEFT JOIN lead l ON l.id = a.lead
                   WHERE c.source = $1 AND c.key = $2";
        let row = read!(self, conn => conn.optional(sqlx::query(sql).bind(source.as_str()).bind(key)))?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns::of(&row, "call");
        let place = Place {
            lead: row.get::<Option<i64>>("lead")?.map(LeadId),
            contact: row.get::<Option<i64>>("contact")?.map(ContactId),
            activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
        };
        let (phone, back) = (row.text("phone")?, row.parse("back", CallBack::parse)?);
        Ok(Some(CallState { phone, back, over: row.flag("over")?, at: row.time("at")?, place }))
    }

    async fn caller(&self, phone: &str) -> Result<Option<Caller>, StoreError> {
        let sql = "SELECT c.id AS contact, c.name AS name, o.id AS lead, coalesce(o.responsible, c.responsible) AS responsible
                   FROM identity i JOIN contact h ON h.id = i.contact
                   JOIN contact c ON c.id = coalesce(h.merged_into, h.id)
                   LEFT JOIN lead o ON o.contact = c.id AND o.takes = 1
                   WHERE i.value = $1 AND i.kind = 'phone' AND i.state = 'active'";
        let row = read!(self, conn => conn.optional(sqlx::query(sql).bind(phone)))?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns::of(&row, "contact");
        Ok(Some(Caller {
            contact: ContactId(row.int("contact")?),
            name: row.text("name")?,
            lead: row.get::<Option<i64>>("lead")?.map(LeadId),
            responsible: row.get("responsible")?,
        }))
    }
}
