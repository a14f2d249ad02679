//! Leads: lists and one with everything on it.

use leadgate_core::change::Stage;
use leadgate_core::ids::{ContactId, LeadId, SourceId};
use leadgate_core::page;
use leadgate_core::ports::StoreError;
use leadgate_core::views::{HistoryEntry, LeadDetail, LeadFilter, LeadSummary, Page, PageAt};
use sqlx::QueryBuilder;
use sqlx::postgres::{PgRow, Postgres};

use crate::bulk::text;
use crate::conn::Conn;
use crate::rows::Columns;
use crate::{activities, contacts};

/// Sources that are looked through one by one, each in order; more are filtered.
const MOST_ARMS: usize = 16;

/// A lead as lists show it, from `lead l` and its contact `c`.
macro_rules! summary {
    () => {
        "SELECT l.id, l.uuid, l.version, l.title, l.stage, l.contact, l.source, l.responsible, l.created_at, l.touched_at, l.closed_at,
                l.suspect, l.test, l.return_customer, l.first_touch, coalesce(l.last_touch, l.first_touch) AS last_touch,
                coalesce(nullif(c.name, ''), l.name) AS name,
                (SELECT count(*) FROM activity a WHERE a.lead = l.id) AS activities,
                CASE WHEN l.contact IS NULL THEN
                    (SELECT v.value ->> 'typed' FROM activity a, json_array_elements(a.content::json -> 'values') WITH ORDINALITY v (value, n)
                     WHERE a.lead = l.id AND v.value ->> 'kind' = 'phone' ORDER BY a.id, v.n LIMIT 1)
                ELSE (SELECT i.display FROM identity i WHERE i.contact = l.contact AND i.kind = 'phone'
                      ORDER BY i.state = 'historic', i.first_seen, i.value LIMIT 1) END AS phone,
                CASE WHEN l.contact IS NULL THEN
                    (SELECT v.value ->> 'typed' FROM activity a, json_array_elements(a.content::json -> 'values') WITH ORDINALITY v (value, n)
                     WHERE a.lead = l.id AND v.value ->> 'kind' = 'email' AND v.value ->> 'value' IS NOT NULL ORDER BY a.id, v.n LIMIT 1)
                ELSE (SELECT i.display FROM identity i WHERE i.contact = l.contact AND i.kind = 'email'
                      ORDER BY i.state = 'historic', i.first_seen, i.value LIMIT 1) END AS email "
    };
}

fn summary(row: &Columns<'_>) -> Result<LeadSummary, StoreError> {
    let first_touch = row.touch("first_touch")?;
    Ok(LeadSummary {
        id: LeadId(row.int("id")?),
        title: row.text("title")?,
        stage: row.parse("stage", Stage::parse)?,
        contact: row.get::<Option<i64>>("contact")?.map(ContactId),
        name: row.text("name")?,
        phone: row.get("phone")?,
        email: row.get("email")?,
        source: row.source("source")?,
        responsible: row.get("responsible")?,
        created_at: row.time("created_at")?,
        touched_at: row.time("touched_at")?,
        closed_at: row.maybe_time("closed_at")?,
        activities: row.count("activities")?,
        suspect: row.flag("suspect")?,
        test: row.flag("test")?,
        return_customer: row.flag("return_customer")?,
        utm_source: first_touch.get("utm_source").map(ToOwned::to_owned),
    })
}

// ---------------------------------------------------------------------------------------------------------------- lists

/// Leads, newest first. Every index a list may go through ends with the number, so that whichever is chosen, the newest of
/// what is asked for come first and a page ends the search.
pub(crate) async fn list(conn: &mut Conn, filter: &LeadFilter, at: &PageAt) -> Result<Page<LeadSummary>, StoreError> {
    let after = page::after::<1>(at)?.map(|[id]| id);
    let mut query = QueryBuilder::<Postgres>::new("WITH found AS MATERIALIZED (SELECT id FROM (");
    match filter.sources.as_deref() {
        Some(sources) if sources.len() <= MOST_ARMS && !sources.is_empty() => {
            for (n, source) in sources.iter().enumerate() {
                query.push(if n == 0 { "SELECT id FROM (" } else { " UNION ALL SELECT id FROM (" });
                arm(&mut query, filter, Arm::Source(source), after, at);
                query.push(format!(") AS arm{n}"));
            }
        }
        Some(sources) => arm(&mut query, filter, Arm::Sources(sources), after, at),
        None => arm(&mut query, filter, Arm::Any, after, at),
    }
    query.push(") AS arms ORDER BY id DESC LIMIT ").push_bind(page::fetch(at)).push(") ");
    query.push(concat!(
        summary!(),
        "FROM found JOIN lead l ON l.id = found.id LEFT JOIN contact c ON c.id = l.contact ORDER BY l.id DESC"
    ));
    let rows = conn.all(query.build()).await?;
    let leads: Result<Vec<_>, _> =
        rows.iter().map(|row| summary(&Columns::of(row, "lead")).map(|lead| ([lead.id.0], lead))).collect();
    Ok(page::page(leads?, at))
}

#[derive(Clone, Copy)]
enum Arm<'a> {
    Source(&'a SourceId),
    Sources(&'a [SourceId]),
    Any,
}

/// One ordered walk over the leads.
fn arm(query: &mut QueryBuilder<Postgres>, filter: &LeadFilter, arm: Arm<'_>, after: Option<i64>, at: &PageAt) {
    let responsible = filter.responsible.as_deref().filter(|name| !name.is_empty());
    query.push("SELECT l.id FROM lead l ");
    query.push("WHERE TRUE");
    match arm {
        Arm::Source(source) => query.push(" AND l.source = ").push_bind(source.as_str().to_owned()),
        Arm::Sources(sources) => {
            let names: Vec<String> = sources.iter().map(|source| source.as_str().to_owned()).collect();
            query.push(" AND l.source = ANY (").push_bind(names).push(")")
        }
        Arm::Any => query,
    };
    if let Some(stage) = filter.stage {
        query.push(" AND l.stage = ").push_bind(stage.as_str());
    }
    match filter.open.or(filter.stage.is_some_and(Stage::is_open).then_some(true)) {
        Some(true) => query.push(" AND l.closed_at IS NULL"),
        Some(false) => query.push(" AND l.closed_at IS NOT NULL"),
        None => query,
    };
    if !filter.tests {
        query.push(" AND l.test = 0");
    }
    match (responsible, &filter.responsible) {
        (Some(name), _) => query.push(" AND l.responsible = ").push_bind(text(name)).push(" AND l.responsible IS NOT NULL"),
        (None, Some(_)) => query.push(" AND l.responsible IS NULL"),
        (None, None) => query,
    };
    of_contacts(query, filter);
    if let Some(since) = filter.since {
        query.push(" AND l.created_at >= ").push_bind(since.as_microsecond());
    }
    if let Some(after) = after {
        query.push(" AND l.id < ").push_bind(after);
    }
    query.push(" ORDER BY l.id DESC LIMIT ").push_bind(page::fetch(at));
}

fn of_contacts(query: &mut QueryBuilder<Postgres>, filter: &LeadFilter) {
    if let Some(contact) = filter.contact {
        query.push(" AND l.id IN (SELECT x.id FROM lead x WHERE x.contact = ").push_bind(contact.0).push(" AND x.takes = 1");
        query.push(" UNION ALL SELECT x.id FROM lead x WHERE x.contact = ").push_bind(contact.0);
        query.push(" AND x.takes = 0 AND x.contact IS NOT NULL)");
    }
    if let Some(value) = &filter.identity {
        query.push(" AND l.id IN (WITH held AS MATERIALIZED (").push(contacts::HOLDERS_OF);
        query.push_bind(text(value)).push(contacts::AND_OTHER_HOLDERS_OF).push_bind(text(value));
        query.push(") SELECT x.id FROM held JOIN lead x ON x.contact = held.contact AND x.takes = 1 UNION ALL ");
        query.push("SELECT x.id FROM held JOIN lead x ON x.contact = held.contact AND x.takes = 0 AND x.contact IS NOT NULL)");
    }
}

// ----------------------------------------------------------------------------------------------------------------- one

pub(crate) async fn one(conn: &mut Conn, id: LeadId) -> Result<Option<LeadDetail>, StoreError> {
    let sql = concat!(summary!(), "FROM lead l LEFT JOIN contact c ON c.id = l.contact WHERE l.id = $1");
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(None) };
    let row = Columns::of(&row, "lead");
    let lead = summary(&row)?;
    let person = match lead.contact {
        Some(contact) => contacts::one(conn, contact).await?,
        None => None,
    };
    Ok(Some(LeadDetail {
        uuid: row.uuid("uuid")?,
        version: row.int("version")?,
        first_touch: row.touch("first_touch")?,
        last_touch: row.touch("last_touch")?,
        person,
        timeline: activities::of_lead(conn, id).await?,
        history: history(conn, id).await?,
        lead,
    }))
}

async fn history(conn: &mut Conn, id: LeadId) -> Result<Vec<HistoryEntry>, StoreError> {
    let sql = "SELECT at, actor, field, old, new FROM lead_history WHERE lead = $1 ORDER BY n";
    let rows = conn.all(sqlx::query(sql).bind(id.0)).await?;
    rows.iter().map(history_entry).collect()
}

fn history_entry(row: &PgRow) -> Result<HistoryEntry, StoreError> {
    let row = Columns::of(row, "lead_history");
    Ok(HistoryEntry {
        at: row.time("at")?,
        actor: row.text("actor")?,
        field: row.text("field")?,
        from: row.get("old")?,
        to: row.get("new")?,
    })
}
