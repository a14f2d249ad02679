//! Contacts: lists, one with everything on it, and the pairs that wait for a look.

use std::borrow::Cow;

use leadgate_core::ids::{ActivityId, ContactId, LeadId, ReviewId, SourceId};
use leadgate_core::mail::Unreachable;
use leadgate_core::page;
use leadgate_core::plan::KeptName;
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::IdentityKind;
use leadgate_core::receipt::{IdentityState, Reason};
use leadgate_core::rules::Strength;
use leadgate_core::views::{ContactDetail, ContactFilter, ContactSummary, IdentityView, Page, PageAt, ReviewView};
use sqlx::QueryBuilder;
use sqlx::postgres::{PgRow, Postgres};

use crate::activities;
use crate::bulk::text;
use crate::conn::Conn;
use crate::rows::Columns;

/// The contacts that hold a value, in any state: two indexes, each holding one part. A value follows each.
pub(crate) const HOLDERS_OF: &str = "SELECT contact FROM identity WHERE state = 'active' AND value = ";
/// The other part.
pub(crate) const AND_OTHER_HOLDERS_OF: &str = " UNION SELECT contact FROM identity WHERE state <> 'active' AND value = ";

/// A contact as lists show it, from `contact c`.
macro_rules! summary {
    () => {
        "SELECT c.id, c.uuid, c.name, c.names, c.created_at, c.last_active, c.waiting_since, c.responsible, c.merged_into, c.erased_at,
                (SELECT i.display FROM identity i WHERE i.contact = c.id AND i.kind = 'phone'
                 ORDER BY i.state = 'historic', i.first_seen, i.value LIMIT 1) AS phone,
                (SELECT i.display FROM identity i WHERE i.contact = c.id AND i.kind = 'email'
                 ORDER BY i.state = 'historic', i.first_seen, i.value LIMIT 1) AS email,
                (SELECT count(*) FROM lead l WHERE l.contact = c.id AND l.takes = 1)
                + (SELECT count(*) FROM lead l WHERE l.contact = c.id AND l.takes = 0 AND l.contact IS NOT NULL) AS leads "
    };
}

fn summary(row: &Columns<'_>) -> Result<ContactSummary, StoreError> {
    let name = row.text("name")?;
    let names: Vec<KeptName> = row.json("names")?;
    Ok(ContactSummary {
        id: ContactId(row.int("id")?),
        other_names: names.into_iter().map(|known| known.typed).filter(|typed| *typed != name).collect(),
        name,
        created_at: row.time("created_at")?,
        last_active: row.time("last_active")?,
        waiting_since: row.maybe_time("waiting_since")?,
        responsible: row.get("responsible")?,
        merged_into: row.get::<Option<i64>>("merged_into")?.map(ContactId),
        phone: row.get("phone")?,
        email: row.get("email")?,
        leads: row.count("leads")?,
    })
}

// ---------------------------------------------------------------------------------------------------------------- lists

/// Contacts, the newest active first.
pub(crate) async fn list(conn: &mut Conn, filter: &ContactFilter, at: &PageAt) -> Result<Page<ContactSummary>, StoreError> {
    let name = filter.name.as_deref().filter(|name| !name.is_empty());
    let mut query = QueryBuilder::<Postgres>::new("WITH found AS MATERIALIZED (SELECT c.id FROM contact c ");
    query.push("WHERE TRUE");
    if filter.waiting {
        query.push(" AND c.waiting_since IS NOT NULL");
    }
    if let Some(value) = &filter.identity {
        query.push(" AND c.id IN (").push(HOLDERS_OF).push_bind(text(value));
        query.push(AND_OTHER_HOLDERS_OF).push_bind(text(value)).push(")");
    }
    if let Some(name) = name {
        query.push(" AND strpos(c.words, ").push_bind(format!(" {}", text(name))).push(") > 0");
    }
    if let Some(sources) = &filter.sources {
        from_sources(&mut query, sources);
    }
    if let Some([last_active, id]) = page::after::<2>(at)? {
        query.push(" AND (c.last_active, c.id) < (").push_bind(last_active).push(", ").push_bind(id).push(")");
    }
    query.push(" ORDER BY c.last_active DESC, c.id DESC LIMIT ").push_bind(page::fetch(at)).push(") ");
    query.push(concat!(summary!(), "FROM found JOIN contact c ON c.id = found.id ORDER BY c.last_active DESC, c.id DESC"));
    let rows = conn.all(query.build()).await?;
    let mut contacts = Vec::with_capacity(rows.len());
    for row in &rows {
        let contact = summary(&Columns::of(row, "contact"))?;
        contacts.push(([contact.last_active.as_microsecond(), contact.id.0], contact));
    }
    Ok(page::page(contacts, at))
}

/// Contacts with something from one of some sources, on themselves or on a lead.
fn from_sources(query: &mut QueryBuilder<Postgres>, sources: &[SourceId]) {
    let names = || sources.iter().map(|source| source.as_str().to_owned()).collect::<Vec<_>>();
    query.push(" AND (EXISTS (SELECT 1 FROM activity a WHERE a.contact = c.id AND a.lead IS NULL AND a.source = ANY (");
    query.push_bind(names());
    query.push(")) OR EXISTS (SELECT 1 FROM lead l JOIN activity a ON a.lead = l.id WHERE l.contact = c.id AND a.source = ANY (");
    query.push_bind(names()).push(")))");
}

// ----------------------------------------------------------------------------------------------------------------- one

pub(crate) async fn one(conn: &mut Conn, id: ContactId) -> Result<Option<ContactDetail>, StoreError> {
    let sql = concat!(summary!(), "FROM contact c WHERE c.id = $1");
    let Some(row) = conn.optional(sqlx::query(sql).bind(id.0)).await? else { return Ok(None) };
    let row = Columns::of(&row, "contact");
    let sql = "SELECT id FROM lead WHERE contact = $1 AND takes = 1
               UNION ALL SELECT id FROM lead WHERE contact = $1 AND takes = 0 AND contact IS NOT NULL ORDER BY 1 DESC";
    let leads = conn.all(sqlx::query(sql).bind(id.0)).await?;
    let lead_ids = leads.iter().map(|row| Columns::of(row, "lead").int("id").map(LeadId)).collect::<Result<_, _>>()?;
    Ok(Some(ContactDetail {
        contact: summary(&row)?,
        uuid: row.uuid("uuid")?,
        erased_at: row.maybe_time("erased_at")?,
        identities: identities(conn, id).await?,
        lead_ids,
        reviews: reviews_of(conn, id).await?,
        timeline: activities::of_contact(conn, id).await?,
    }))
}

async fn identities(conn: &mut Conn, id: ContactId) -> Result<Vec<IdentityView>, StoreError> {
    let sql =
        "SELECT kind, value, display, strength, state, first_seen, last_seen, activity, failed_since, failed_status, failed_words
               FROM identity WHERE contact = $1 ORDER BY first_seen, kind DESC, value";
    let rows = conn.all(sqlx::query(sql).bind(id.0)).await?;
    rows.iter().map(identity).collect()
}

fn identity(row: &PgRow) -> Result<IdentityView, StoreError> {
    let row = Columns::of(row, "identity");
    Ok(IdentityView {
        kind: IdentityKind(Cow::Owned(row.text("kind")?)),
        value: row.text("value")?,
        display: row.text("display")?,
        strength: row.parse("strength", Strength::parse)?,
        state: row.parse("state", IdentityState::parse)?,
        first_seen: row.time("first_seen")?,
        last_seen: row.time("last_seen")?,
        activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
        unreachable: match row.maybe_time("failed_since")? {
            None => None,
            Some(since) => Some(Unreachable {
                since,
                status: row.get::<Option<String>>("failed_status")?.unwrap_or_default(),
                words: row.get::<Option<String>>("failed_words")?.unwrap_or_default(),
            }),
        },
    })
}

// -------------------------------------------------------------------------------------------------------------- reviews

async fn reviews_of(conn: &mut Conn, id: ContactId) -> Result<Vec<ReviewView>, StoreError> {
    let sql = "SELECT id, a, b, reasons, created_at FROM review WHERE a = $1 AND closed_at IS NULL
               UNION ALL SELECT id, a, b, reasons, created_at FROM review WHERE b = $1 AND closed_at IS NULL ORDER BY 1 DESC";
    let rows = conn.all(sqlx::query(sql).bind(id.0)).await?;
    rows.iter().map(review).collect()
}

fn review(row: &PgRow) -> Result<ReviewView, StoreError> {
    let row = Columns::of(row, "review");
    let reasons: Vec<Reason> = row.json("reasons")?;
    Ok(ReviewView {
        id: ReviewId(row.int("id")?),
        a: ContactId(row.int("a")?),
        b: ContactId(row.int("b")?),
        reasons: reasons.iter().map(Reason::words).collect(),
        created_at: row.time("created_at")?,
    })
}

/// Pairs that wait for a look, newest first.
pub(crate) async fn reviews(conn: &mut Conn, at: &PageAt) -> Result<Page<ReviewView>, StoreError> {
    let after = page::after::<1>(at)?.map_or(i64::MAX, |[id]| id);
    let sql = "SELECT id, a, b, reasons, created_at FROM review WHERE closed_at IS NULL AND id < $1 ORDER BY id DESC LIMIT $2";
    let rows = conn.all(sqlx::query(sql).bind(after).bind(page::fetch(at))).await?;
    let reviews: Result<Vec<_>, _> = rows.iter().map(|row| review(row).map(|review| ([review.id.0], review))).collect();
    Ok(page::page(reviews?, at))
}
