//! The part of a batch's writing that concerns leads and activities.

use jiff::Timestamp;
use leadgate_core::plan::rows::{ActivityRow, Gathered, LeadPatch, LeadRow};
use leadgate_core::ports::StoreError;
use serde_json::json;

use crate::bulk::{Script, Statement, Values};
use crate::error::to_json;

pub(crate) fn write(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    release(script, rows)?;
    let leads: Vec<_> = rows.leads.values().collect();
    script.usual(&LEAD, 1, &leads, bind_lead);
    patch(script, rows)?;
    activities(script, rows)
}

/// Leads that take no more go first, so that those which do now find their place free.
fn release(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let released: Vec<i64> =
        rows.lead_patches.iter().filter(|(_, patch)| patch.takes == Some(false)).map(|(id, _)| *id).collect();
    if !released.is_empty() {
        script.over("UPDATE lead SET takes = 0 FROM json_each(?) v WHERE lead.id = v.value", to_json(&released)?);
    }
    if rows.takers.is_empty() {
        return Ok(());
    }
    // A lead that is opened again or adopted takes from now on, whichever did before.
    let sql = "UPDATE lead SET takes = 0, version = version + 1 FROM json_each(?) v
               WHERE lead.contact = v.value ->> 0 AND lead.takes = 1 AND lead.id <> v.value ->> 1";
    script.over(sql, to_json(&rows.takers)?);
    Ok(())
}

static LEAD: Statement = Statement::insert(
    "INSERT INTO lead (id, uuid, contact, takes, stage, title, name, source, origin, responsible, version, suspect, test,
                       return_customer, created_at, touched_at, first_touch, last_touch)",
    "(?, ?, ?, ?, 'NEW', ?, ?, ?, 'intake', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
);

fn bind_lead(row: &&LeadRow<'_>, values: &mut Values) {
    let (first, last) = first_and_last(&row.touches);
    values
        .add(row.new.id.0)
        .add(&row.uuid.as_bytes()[..])
        .add(row.contact)
        .add(i64::from(row.takes))
        .text(row.item.title.as_str())
        .text(row.item.name.as_ref().map_or("", |name| name.typed.as_str()))
        .text(row.item.submission.source.as_str())
        .maybe_text(row.new.responsible.as_deref())
        .add(row.version)
        .add(i64::from(row.suspect))
        .add(i64::from(row.new.test))
        .add(i64::from(row.new.return_customer))
        .add(row.new.at.as_microsecond())
        .add(row.touched_at.as_microsecond())
        .maybe_text(first)
        .maybe_text(last);
}

fn first_and_last<'t>(touches: &[&'t str]) -> (Option<&'t str>, Option<&'t str>) {
    match touches {
        [] => (None, None),
        [only] => (Some(only), None),
        [first, .., last] => (Some(first), Some(last)),
    }
}

/// What every patch sets: columns of no index.
macro_rules! touched {
    () => {
        "touched_at = max(lead.touched_at, coalesce(v.touched_at, lead.touched_at)),
         suspect = max(lead.suspect, v.suspect),
         first_touch = coalesce(lead.first_touch, v.first),
         last_touch = CASE WHEN v.touches = 0 OR (lead.first_touch IS NULL AND v.touches = 1) THEN lead.last_touch
                           ELSE v.last END,
         version = lead.version + v.changes"
    };
}

fn patch(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let reopened = rows.lead_patches.iter().filter_map(|(id, patch)| patch.reopened.map(|how| (id, how)));
    let reopened: Vec<_> = reopened.map(|(id, (stage, at))| json!([id, stage.as_str(), at.as_microsecond()])).collect();
    if !reopened.is_empty() {
        let sql = "INSERT INTO lead_history (lead, n, at, actor, field, old, new)
                   SELECT l.id, (SELECT coalesce(max(h.n), 0) + 1 FROM lead_history h WHERE h.lead = l.id),
                          v.value ->> 2, 'intake', 'reopened', l.stage, v.value ->> 1
                   FROM json_each(?) v CROSS JOIN lead l ON l.id = v.value ->> 0";
        script.over(sql, to_json(&reopened)?);
    }
    let (moved, touched): (Vec<_>, Vec<_>) = rows.lead_patches.iter().partition(|(_, patch)| moves(patch));
    script.usual(&TOUCH, 1, &touched, bind_touch);
    script.add(&PATCH, &moved, bind_patch);
    Ok(())
}

/// Whether an index may have to change with it.
fn moves(patch: &LeadPatch<'_>) -> bool {
    patch.takes == Some(true) || patch.reopened.is_some() || patch.adopted_by.is_some()
}

/// What an activity on an open lead does. `SQLite` writes the entry of every index anew that has a column which is set, also to what
/// it was: here two pages at random places, for nothing.
static TOUCH: Statement = Statement::with(
    "WITH v (id, touched_at, suspect, first, last, touches, changes) AS",
    "(?, ?, ?, ?, ?, ?, ?)",
    concat!("UPDATE lead SET ", touched!(), " FROM v WHERE lead.id = v.id"),
);

fn bind_touch((id, patch): &(&i64, &LeadPatch<'_>), values: &mut Values) {
    values.add(**id);
    bind_touched(patch, values);
}

fn bind_touched(patch: &LeadPatch<'_>, values: &mut Values) {
    values
        .add(patch.touched_at.map(Timestamp::as_microsecond))
        .add(i64::from(patch.suspect))
        .maybe_text(patch.touches.first().copied())
        .maybe_text(patch.touches.last().copied())
        .number(patch.touches.len())
        .add(patch.changes);
}

static PATCH: Statement = Statement::with(
    "WITH v (id, takes, stage, adopted_by, touched_at, suspect, first, last, touches, changes) AS",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    concat!(
        "UPDATE lead SET
         takes = CASE WHEN v.takes THEN 1
                      WHEN v.adopted_by IS NOT NULL AND lead.contact IS NULL AND lead.closed_at IS NULL THEN 1
                      ELSE lead.takes END,
         stage = coalesce(v.stage, lead.stage),
         closed_at = iif(v.stage IS NULL, lead.closed_at, NULL),
         contact = coalesce(lead.contact, v.adopted_by), ",
        touched!(),
        " FROM v WHERE lead.id = v.id"
    ),
);

fn bind_patch((id, patch): &(&i64, &LeadPatch<'_>), values: &mut Values) {
    values
        .add(**id)
        .add(i64::from(patch.takes == Some(true)))
        .maybe_text(patch.reopened.map(|(stage, _)| stage.as_str()))
        .add(patch.adopted_by);
    bind_touched(patch, values);
}

// ----------------------------------------------------------------------------------------------------------- activities

static ACTIVITY: Statement = Statement::insert(
    "INSERT INTO activity (id, kind, lead, contact, source, submission, external_key, occurred_at, ambiguous, suspect, revised,
                           revisions, touch, content)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
);

fn bind_activity(row: &&ActivityRow<'_>, values: &mut Values) {
    let draft = &row.item.submission.draft;
    values
        .add(row.new.id.0)
        .text(draft.activity.as_str())
        .add(row.new.lead.map(|id| id.0))
        .add(row.new.contact.map(|id| id.0))
        .text(row.item.submission.source.as_str())
        .add(row.submission)
        .maybe_text(draft.external_key.as_deref())
        .add(row.new.occurred_at.as_microsecond())
        .add(i64::from(row.new.ambiguous))
        .add(i64::from(row.new.suspect))
        .add(i64::from(row.new.revised))
        .add(row.revisions)
        .maybe_text((!row.touch.is_empty()).then_some(row.touch))
        .text(row.content);
}

static REFERENCE: Statement = Statement::insert(
    "INSERT INTO activity_ref (scope, value, activity)",
    "(?, ?, ?)",
    // A Message-ID stays with the activity that had it first.
    "ON CONFLICT (scope, value) DO UPDATE SET activity = excluded.activity WHERE scope <> 'message-id'",
);

fn activities(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let new: Vec<_> = rows.activities.values().collect();
    script.usual(&ACTIVITY, 1, &new, bind_activity);
    amendments(script, rows)?;
    let references: Vec<_> = rows.references.iter().collect();
    script.add(&REFERENCE, &references, |((scope, value), activity), values| {
        values.text(scope).text(value).add(**activity);
    });
    Ok(())
}

/// What an activity told goes to its revisions; then it tells what the amendment said.
fn amendments(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if rows.revisions.is_empty() {
        return Ok(());
    }
    let revisions: Vec<_> = rows
        .revisions
        .iter()
        .map(|row| {
            // New activities of this batch stand with their final count already; their revisions count from nothing.
            let new = rows.activities.contains_key(&row.activity);
            let (content, touch) = row.before.unzip();
            json!([row.activity, row.n, row.submission, row.at.as_microsecond(), content, touch, new])
        })
        .collect();
    let sql = "INSERT INTO activity_revision (activity, n, submission, at, content, touch)
               SELECT a.id, iif(v.value ->> 6, 0, a.revisions) + (v.value ->> 1), v.value ->> 2, v.value ->> 3,
                      coalesce(v.value ->> 4, a.content),
                      CASE WHEN v.value ->> 6 THEN nullif(v.value ->> 5, '') ELSE coalesce(nullif(v.value ->> 5, ''), a.touch) END
               FROM json_each(?) v CROSS JOIN activity a ON a.id = v.value ->> 0";
    script.over(sql, to_json(&revisions)?);
    if rows.amended.is_empty() {
        return Ok(());
    }
    let amended: Vec<_> = rows.amended.iter().map(|(id, row)| json!([id, row.content, row.touch, row.revisions])).collect();
    let sql = "UPDATE activity SET content = v.value ->> 1, touch = coalesce(nullif(v.value ->> 2, ''), touch),
                                   revisions = revisions + (v.value ->> 3)
               FROM json_each(?) v WHERE activity.id = v.value ->> 0";
    script.over(sql, to_json(&amended)?);
    Ok(())
}
