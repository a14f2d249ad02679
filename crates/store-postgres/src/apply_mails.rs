//! The part of a batch's writing that concerns mails. Most batches have nothing of it, and no trip to the server for it.

use leadgate_core::plan::About;
use leadgate_core::plan::rows::Gathered;
use leadgate_core::ports::StoreError;

use crate::apply::micros;
use crate::bulk::{self, Kind, Part, Rows, Together};
use crate::conn::Conn;

/// What goes before anything else comes. Rows that another gateway deletes as well are left to it: nobody waits.
pub(crate) async fn before(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if !rows.heard.is_empty() {
        let forms: Vec<&str> = rows.heard.iter().copied().collect();
        let sql = "DELETE FROM awaited_twin WHERE submission IN (
                       SELECT submission FROM awaited_twin WHERE form = ANY ($1) ORDER BY submission FOR UPDATE SKIP LOCKED)";
        conn.run(sqlx::query(sql).bind(forms)).await?;
    }
    if !rows.again.is_empty() {
        // What is recorded again may tell of something else now, or be an activity itself.
        let again: Vec<i64> = rows.again.iter().map(|row| row.seq).collect();
        conn.run(sqlx::query("DELETE FROM submission_about WHERE submission = ANY ($1)").bind(again)).await?;
    }
    Ok(())
}

/// Adds what deliveries tell of without being activities, and what is awaited of forms.
pub(crate) fn write<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    static ABOUT: Part = Part {
        head: "INSERT INTO submission_about (submission, n, activity, contact) SELECT v.* FROM",
        columns: &[("submission", Kind::Int), ("n", Kind::Int), ("activity", Kind::Int), ("contact", Kind::Int)],
        tail: "",
    };
    static AWAITED: Part = Part {
        head: "INSERT INTO awaited_twin (submission, form, at) SELECT v.* FROM",
        columns: &[("submission", Kind::Int), ("form", Kind::Text), ("at", Kind::Int)],
        tail: "ON CONFLICT DO NOTHING",
    };
    let mut about = Rows::of(&ABOUT);
    for row in &rows.about {
        let (activity, contact) = match row.about {
            About::Activity(id) => (Some(id.0), None),
            About::Contact(id) => (None, Some(id.0)),
        };
        about.int(row.submission).int(row.n).int(activity).int(contact);
    }
    together.add(about);
    let mut awaited = Rows::of(&AWAITED);
    for (form, rows) in &rows.awaited {
        for row in rows {
            awaited.int(row.submission).text(*form).int(micros(row.at));
        }
    }
    together.add(awaited);
}

/// Addresses that cannot be reached, or can be again. After the identities, which may be of this batch.
pub(crate) async fn marks(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    static MARK: Part = Part {
        head: "UPDATE identity AS i SET failed_since = v.since, failed_status = v.status, failed_words = v.words FROM",
        columns: &[
            ("contact", Kind::Int),
            ("email", Kind::Text),
            ("since", Kind::Int),
            ("status", Kind::Text),
            ("words", Kind::Text),
        ],
        tail: "WHERE i.contact = v.contact AND i.kind = 'email' AND i.value = v.email AND i.contact = ANY ({0})",
    };
    let mut marks = Rows::of(&MARK);
    for ((contact, email), mark) in &rows.marks {
        marks
            .int(*contact)
            .text(*email)
            .int(mark.map(|mark| micros(mark.since)))
            .maybe_text(mark.map(|mark| mark.status.as_str()))
            .maybe_text(mark.map(|mark| mark.words.as_str()));
    }
    bulk::run(conn, marks).await
}
