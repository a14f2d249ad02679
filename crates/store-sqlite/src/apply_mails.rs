//! The part of a batch's writing that concerns mails. Most batches have nothing of it.

use leadgate_core::plan::About;
use leadgate_core::plan::rows::Gathered;
use leadgate_core::ports::StoreError;
use serde_json::json;

use crate::bulk::Script;
use crate::error::to_json;

pub(crate) fn write(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    marks(script, rows)?;
    about(script, rows)?;
    twins(script, rows)
}

/// Addresses that cannot be reached, or can be again. After the identities, which may be of this batch.
fn marks(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if rows.marks.is_empty() {
        return Ok(());
    }
    let mut marks = Vec::with_capacity(rows.marks.len());
    for ((contact, email), mark) in &rows.marks {
        let since = mark.map(|mark| mark.since.as_microsecond());
        marks.push(json!([contact, email, since, mark.map(|mark| &mark.status), mark.map(|mark| &mark.words)]));
    }
    let sql = "UPDATE identity SET failed_since = v.value ->> 2, failed_status = v.value ->> 3, failed_words = v.value ->> 4
               FROM json_each(?) v
               WHERE identity.contact = v.value ->> 0 AND identity.kind = 'email' AND identity.value = v.value ->> 1";
    script.over(sql, to_json(&marks)?);
    Ok(())
}

fn about(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if !rows.again.is_empty() {
        // What is recorded again may tell of something else now, or be an activity itself.
        let again: Vec<i64> = rows.again.iter().map(|row| row.seq).collect();
        let sql = "DELETE FROM submission_about WHERE submission IN (SELECT value FROM json_each(?))";
        script.over(sql, to_json(&again)?);
    }
    if rows.about.is_empty() {
        return Ok(());
    }
    let about: Vec<_> = rows
        .about
        .iter()
        .map(|row| match row.about {
            About::Activity(id) => json!([row.submission, row.n, id, None::<i64>]),
            About::Contact(id) => json!([row.submission, row.n, None::<i64>, id]),
        })
        .collect();
    let sql = "INSERT INTO submission_about (submission, n, activity, contact)
               SELECT v.value ->> 0, v.value ->> 1, v.value ->> 2, v.value ->> 3 FROM json_each(?) v";
    script.over(sql, to_json(&about)?);
    Ok(())
}

/// What is awaited of forms: what came ends it, what came after that begins it.
fn twins(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if !rows.heard.is_empty() {
        let sql = "DELETE FROM awaited_twin WHERE form IN (SELECT value FROM json_each(?))";
        script.over(sql, to_json(&rows.heard)?);
    }
    let awaited = rows.awaited.iter().flat_map(|(form, awaited)| awaited.iter().map(move |row| (form, row)));
    let awaited: Vec<_> = awaited.map(|(form, row)| json!([row.submission, form, row.at.as_microsecond()])).collect();
    if awaited.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO awaited_twin (submission, form, at)
               SELECT v.value ->> 0, v.value ->> 1, v.value ->> 2 FROM json_each(?) v WHERE true ON CONFLICT DO NOTHING";
    script.over(sql, to_json(&awaited)?);
    Ok(())
}
