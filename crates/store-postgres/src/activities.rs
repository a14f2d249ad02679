//! Activities: what happened on a lead or a contact.

use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId};
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::{Outcome, Reason, Receipt};
use leadgate_core::submission::ActivityKind;
use leadgate_core::views::ActivityView;
use sqlx::postgres::PgRow;

use crate::conn::Conn;
use crate::rows::Columns;

/// The newest 500 of `found`, with the newest receipt of the delivery that made each.
macro_rules! views {
    ($found:literal) => {
        concat!(
            "WITH found AS MATERIALIZED (",
            $found,
            " ORDER BY id DESC LIMIT 500)
             SELECT a.id, a.kind, a.lead, a.contact, a.source, a.author, a.occurred_at, a.ambiguous, a.suspect, a.revisions, a.touch,
                    a.content, s.id AS submission, r.outcome, r.lead AS receipt_lead, r.contact AS receipt_contact,
                    r.activity AS receipt_activity, r.reasons
             FROM found JOIN activity a ON a.id = found.id
             LEFT JOIN submission s ON s.seq = a.submission
             LEFT JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt
             ORDER BY a.occurred_at, a.id"
        )
    };
}

pub(crate) async fn of_lead(conn: &mut Conn, id: LeadId) -> Result<Vec<ActivityView>, StoreError> {
    let sql = views!("SELECT id FROM activity WHERE lead = $1");
    let rows = conn.all(sqlx::query(sql).bind(id.0)).await?;
    rows.iter().map(view).collect()
}

/// On the contact itself, not on a lead.
pub(crate) async fn of_contact(conn: &mut Conn, id: ContactId) -> Result<Vec<ActivityView>, StoreError> {
    let sql = views!("SELECT id FROM activity WHERE contact = $1 AND lead IS NULL");
    let rows = conn.all(sqlx::query(sql).bind(id.0)).await?;
    rows.iter().map(view).collect()
}

fn view(row: &PgRow) -> Result<ActivityView, StoreError> {
    let row = Columns::of(row, "activity");
    let receipt = receipt(&row)?;
    Ok(ActivityView {
        id: ActivityId(row.int("id")?),
        kind: row.parse("kind", ActivityKind::parse)?,
        lead: row.get::<Option<i64>>("lead")?.map(LeadId),
        contact: row.get::<Option<i64>>("contact")?.map(ContactId),
        source: row.maybe_source("source")?,
        occurred_at: row.time("occurred_at")?,
        submission: row.maybe_submission("submission")?,
        content: row.json("content")?,
        touch: row.touch("touch")?,
        ambiguous: row.flag("ambiguous")?,
        suspect: row.flag("suspect")?,
        revisions: row.count("revisions")?,
        author: row.get("author")?,
        reasons: receipt.iter().flat_map(|receipt| &receipt.reasons).map(Reason::words).collect(),
        receipt,
    })
}

fn receipt(row: &Columns<'_>) -> Result<Option<Receipt>, StoreError> {
    let Some(submission) = row.maybe_submission("submission")? else { return Ok(None) };
    if row.get::<Option<&str>>("outcome")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Receipt {
        submission,
        outcome: row.parse("outcome", Outcome::parse)?,
        lead: row.get::<Option<i64>>("receipt_lead")?.map(LeadId),
        contact: row.get::<Option<i64>>("receipt_contact")?.map(ContactId),
        activity: row.get::<Option<i64>>("receipt_activity")?.map(ActivityId),
        reasons: row.json("reasons")?,
    }))
}

/// Where an activity came from, if there is such an activity.
pub(crate) async fn source(conn: &mut Conn, id: ActivityId) -> Result<Option<Option<SourceId>>, StoreError> {
    let row = conn.optional(sqlx::query("SELECT source FROM activity WHERE id = $1").bind(id.0)).await?;
    row.map(|row| Columns::of(&row, "activity").maybe_source("source")).transpose()
}
