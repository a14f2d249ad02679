//! Calls on SQLite.

use std::collections::HashMap;

use async_trait::async_trait;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId};
use leadgate_core::plan::rows::{CallRow, Gathered};
use leadgate_core::plan::{CallBack, KeptCall, Lookup, Place};
use leadgate_core::ports::{CallState, Caller, Calls, StoreError};
use sqlx::SqliteConnection;

use crate::SqliteStore;
use crate::bulk::{Script, Statement, Values};
use crate::error::{corrupt, store, to_json};
use crate::rows::Columns;

/// Calls by source and its own id of them.
pub(crate) type Known = HashMap<(String, String), KeptCall>;

/// What is kept of the calls of a batch.
pub(crate) async fn load(conn: &mut SqliteConnection, lookup: &Lookup) -> Result<Known, StoreError> {
    let sql = "SELECT c.source, c.key, c.told, c.phone, c.back, c.over, c.at FROM json_each(?1) v
               CROSS JOIN call c ON c.source = v.value ->> 0 AND c.key = v.value ->> 1";
    let rows = sqlx::query(sql).bind(to_json(&lookup.calls)?).fetch_all(conn).await.map_err(store)?;
    let mut known = Known::new();
    for row in &rows {
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

static CALL: Statement = Statement::insert(
    "INSERT INTO call (source, key, told, phone, back, over, at)",
    "(?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (source, key) DO UPDATE SET told = excluded.told, phone = excluded.phone, back = excluded.back,
                                             over = excluded.over, at = excluded.at",
);

type Row<'r> = (&'r (&'r str, &'r str), &'r CallRow<'r>);

fn bind(((source, key), row): &Row<'_>, values: &mut Values) {
    values
        .text(source)
        .text(key)
        .maybe_text(row.told.as_deref())
        .text(row.call.phone.as_str())
        .text(row.back.as_str())
        .add(i64::from(row.call.over))
        .add(row.call.at.as_microsecond());
}

/// Keeps the calls of a batch; whoever was called back waits no more.
pub(crate) fn write(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if !rows.called_back.is_empty() {
        let sql = "UPDATE call SET back = 'done'
                   WHERE phone IN (SELECT value FROM json_each(?)) AND phone <> '' AND back = 'waits'";
        script.over(sql, to_json(&rows.called_back)?);
    }
    let calls: Vec<Row<'_>> = rows.calls.iter().collect();
    script.add(&CALL, &calls, bind);
    Ok(())
}

#[async_trait]
impl Calls for SqliteStore {
    async fn call(&self, source: &SourceId, key: &str) -> Result<Option<CallState>, StoreError> {
        let sql =
            "SELECT c.phone, c.back, c.over, c.at, a.lead AS lead, coalesce(a.contact, l.contact) AS contact, a.id AS activity
                   FROM call c
                   LEFT JOIN activity a ON a.source = c.source AND a.external_key = c.key AND a.external_key IS NOT NULL
                   LEFT JOIN lead l ON l.id = a.lead
                   WHERE c.source = ?1 AND c.key = ?2";
        let mut conn = self.read().await?;
        let row = sqlx::query(sql).bind(source.as_str()).bind(key).fetch_optional(&mut *conn).await.map_err(store)?;
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
                   FROM identity i CROSS JOIN contact h ON h.id = i.contact
                   CROSS JOIN contact c ON c.id = coalesce(h.merged_into, h.id)
                   LEFT JOIN lead o ON o.contact = c.id AND o.takes = 1
                   WHERE i.value = ?1 AND i.kind = 'phone' AND i.state = 'active'";
        let mut conn = self.read().await?;
        let row = sqlx::query(sql).bind(phone).fetch_optional(&mut *conn).await.map_err(store)?;
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
