//! Writes what a batch's plans want: new rows and changes by one statement each over many rows, together.
//!
//! The order matters in two places: a value is no longer active for one contact before it is for another, and a lead no
//! longer takes before another does.

use leadgate_core::ids::SubmissionId;
use leadgate_core::onward::{CONTACT_WAITING, version_of};
use leadgate_core::plan::rows::{ContactChange, ContactRow, Gathered, IdentityRow, ReviewRow, SubmissionRow, Waiting};
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::IdentityState;
use leadgate_core::submission::ContentHash;
use serde_json::json;
use sqlx::SqliteConnection;

use crate::apply_leads;
use crate::apply_mails;
use crate::bulk::{Script, Statement, Values};
use crate::calls;
use crate::error::{store, to_json};
use crate::news;
use crate::sequence::draw;
use crate::sources;
use crate::sweep;
use crate::timers;
use crate::writer::Writing;

/// Writes the rows; `later`: where nothing follows, they may be left to the commit.
pub(crate) async fn write(writing: &mut Writing, rows: &Gathered<'_>, later: bool) -> Result<(), StoreError> {
    let mut script = Script::new(rows.submissions.len().max(rows.again.len()));
    contacts(&mut script, rows)?;
    identities(&mut script, rows);
    apply_leads::write(&mut script, rows)?;
    submissions(&mut script, rows);
    again(&mut script, rows)?;
    repeats(&mut script, rows)?;
    keys(&mut script, rows);
    events(&mut script, rows);
    news::add_jobs(&mut script, &rows.jobs);
    timers::add(&mut script, &rows.timers);
    not_waiting(&mut script, rows)?;
    apply_mails::write(&mut script, rows)?;
    calls::write(&mut script, rows)?;
    sources::add_counts(&mut script, &rows.counts, &rows.health);
    sources::count_hours(&mut script, rows);
    if later && rows.reviews.is_empty() && rows.submissions.iter().all(SubmissionRow::authenticated) {
        writing.left = Some(script);
        return Ok(());
    }
    script.run(&mut writing.conn).await?;
    ring(&mut writing.conn, rows).await?;
    reviews(writing, rows).await
}

/// Runs a statement over one JSON parameter.
pub(crate) async fn over(conn: &mut SqliteConnection, sql: &'static str, json: String) -> Result<(), StoreError> {
    sqlx::query(sql).bind(json).execute(conn).await.map(|_| ()).map_err(store)
}

// --------------------------------------------------------------------------------------------------------------- people

static CONTACT: Statement = Statement::insert(
    "INSERT INTO contact (id, uuid, name, names, words, created_at, last_active, waiting_since, claims_day, claims)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
);

fn bind_contact((row, names): &(&ContactRow, String), values: &mut Values) {
    let change = &row.change;
    let waiting = match change.waiting {
        Waiting::Keep | Waiting::Anew(None) => None,
        Waiting::Since(at) | Waiting::Anew(Some(at)) => Some(at.as_microsecond()),
    };
    values
        .add(row.id)
        .add(&row.uuid.as_bytes()[..])
        .text(change.names.first().map_or("", |name| name.typed.as_str()))
        .text(names.as_str())
        .text(change.words.as_str())
        .add(row.created_at.as_microsecond())
        .add(change.last_active.unwrap_or(row.created_at).as_microsecond())
        .add(waiting)
        .add(change.claims.map(|(day, _)| day))
        .add(change.claims.map_or(0, |(_, count)| i64::from(count)));
}

fn contacts(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let mut new = Vec::with_capacity(rows.contacts.len());
    for row in rows.contacts.values() {
        new.push((row, to_json(&row.change.names)?));
    }
    script.usual(&CONTACT, 1, &new, bind_contact);
    let mut changes = Vec::with_capacity(rows.contact_changes.len());
    for (id, change) in &rows.contact_changes {
        changes.push((*id, change, to_json(&change.names)?));
    }
    script.usual(&CONTACT_CHANGE, 1, &changes, bind_contact_change);
    Ok(())
}

static CONTACT_CHANGE: Statement = Statement::with(
    "WITH v (id, last_active, name, names, words, claims_day, claims, mode, waiting) AS",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "UPDATE contact SET
         last_active = max(contact.last_active, coalesce(v.last_active, contact.last_active)),
         name = CASE WHEN contact.name = '' THEN coalesce(v.name, '') ELSE contact.name END,
         names = CASE WHEN v.names = '' THEN contact.names
                      WHEN contact.names = '[]' THEN '[' || v.names || ']'
                      ELSE substr(contact.names, 1, length(contact.names) - 1) || ',' || v.names || ']' END,
         words = contact.words || v.words,
         claims_day = coalesce(v.claims_day, contact.claims_day),
         claims = coalesce(v.claims, contact.claims),
         waiting_since = CASE v.mode WHEN 0 THEN contact.waiting_since
                                     WHEN 1 THEN coalesce(contact.waiting_since, v.waiting)
                                     ELSE v.waiting END
     FROM v WHERE contact.id = v.id",
);

fn bind_contact_change((id, change, names): &(i64, &ContactChange, String), values: &mut Values) {
    let (mode, waiting) = match change.waiting {
        Waiting::Keep => (0, None),
        Waiting::Since(at) => (1, Some(at.as_microsecond())),
        Waiting::Anew(at) => (2, at.map(jiff::Timestamp::as_microsecond)),
    };
    values
        .add(*id)
        .add(change.last_active.map(jiff::Timestamp::as_microsecond))
        .maybe_text(change.names.first().map(|name| name.typed.as_str()))
        // Without its brackets: it is put into the array that stands there.
        .text(names.trim_start_matches('[').trim_end_matches(']'))
        .text(&change.words)
        .add(change.claims.map(|(day, _)| day))
        .add(change.claims.map(|(_, count)| i64::from(count)))
        .add(mode)
        .add(waiting);
}

static IDENTITY: Statement = Statement::insert(
    "INSERT INTO identity (contact, kind, value, state, strength, display, first_seen, last_seen, sender, activity)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (contact, kind, value) DO UPDATE SET state = excluded.state, last_seen = max(last_seen, excluded.last_seen)",
);

type Held<'r> = (&'r (i64, &'r str, &'r str), &'r IdentityRow<'r>);

fn bind_identity((key, row): &Held<'_>, values: &mut Values) {
    let Some(new) = row.new else { return };
    values
        .add(key.0)
        .text(key.1)
        .text(key.2)
        .text(row.state.as_str())
        .text(new.strength.as_str())
        .text(new.display.as_str())
        .add(row.first_seen.as_microsecond())
        .add(row.last_seen.as_microsecond())
        .text(new.sender.as_str())
        .add(new.activity.0);
}

static IDENTITY_SEEN: Statement = Statement::with(
    "WITH v (contact, kind, value, last_seen) AS",
    "(?, ?, ?, ?)",
    "UPDATE identity SET last_seen = max(identity.last_seen, v.last_seen)
     FROM v WHERE identity.contact = v.contact AND identity.kind = v.kind AND identity.value = v.value",
);

/// By itself, because `SQLite` writes the entries of indexes anew whose columns are set, also to what they were.
static IDENTITY_STATE: Statement = Statement::with(
    "WITH v (contact, kind, value, state) AS",
    "(?, ?, ?, ?)",
    "UPDATE identity SET state = v.state
     FROM v WHERE identity.contact = v.contact AND identity.kind = v.kind AND identity.value = v.value AND identity.state <> v.state",
);

fn identities(script: &mut Script, rows: &Gathered<'_>) {
    let known: Vec<Held<'_>> = rows.identities.iter().filter(|(_, row)| row.new.is_none()).collect();
    script.usual(&IDENTITY_SEEN, 2, &known, |(key, row), values| {
        values.add(key.0).text(key.1).text(key.2).add(row.last_seen.as_microsecond());
    });
    let (active, others): (Vec<Held<'_>>, Vec<Held<'_>>) =
        rows.identities.iter().partition(|(_, row)| row.state == IdentityState::Active);
    for part in [others, active] {
        let (new, known): (Vec<Held<'_>>, Vec<Held<'_>>) = part.into_iter().partition(|(_, row)| row.new.is_some());
        script.usual(&IDENTITY_STATE, 2, &known, |(key, row), values| {
            values.add(key.0).text(key.1).text(key.2).text(row.state.as_str());
        });
        script.usual(&IDENTITY, 2, &new, bind_identity);
    }
}

static REVIEW: Statement = Statement::insert("INSERT INTO review (id, a, b, reasons, created_at)", "(?, ?, ?, ?, ?)", "");

/// New pairs get numbers; a pair that is known, open or closed, stays as it is.
async fn reviews(writing: &mut Writing, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if rows.reviews.is_empty() {
        return Ok(());
    }
    let asked: Vec<(i64, i64)> = rows.reviews.iter().map(|row| row.pair).collect();
    let sql = "SELECT r.a, r.b FROM json_each(?1) v CROSS JOIN review r ON r.a = v.value ->> 0 AND r.b = v.value ->> 1";
    let mut known: Vec<(i64, i64)> =
        sqlx::query_as(sql).bind(to_json(&asked)?).fetch_all(&mut writing.conn).await.map_err(store)?;
    let mut new: Vec<(i64, &ReviewRow)> = Vec::new();
    for row in &rows.reviews {
        if !known.contains(&row.pair) {
            known.push(row.pair);
            new.push((draw(&mut writing.sequence.review), row));
        }
    }
    let mut script = Script::new(new.len());
    script.add(&REVIEW, &new, |(id, row), values| {
        values.add(*id).add(row.pair.0).add(row.pair.1).text(row.reasons.as_str()).add(row.at.as_microsecond());
    });
    script.run(&mut writing.conn).await
}

// ---------------------------------------------------------------------------------------------------------- submissions

static SUBMISSION: Statement = Statement::insert(
    "INSERT INTO submission (seq, id, source, received_at, outcome, receipt, repeats, authenticated, historic, size,
                             content_type, query, peer, sha256, codec, raw, head)",
    "(?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
);

fn bind_submission(row: &SubmissionRow<'_>, values: &mut Values) {
    let submission = &row.item.submission;
    let raw = &submission.raw;
    values
        .add(row.seq)
        .add(&submission.id.0.as_bytes()[..])
        .text(submission.source.as_str())
        .add(submission.received_at.as_microsecond())
        .text(row.plan.receipt.outcome.as_str())
        .add(row.repeats)
        .add(i64::from(row.authenticated()))
        .add(i64::from(submission.historic))
        .add(size(raw.body.len()))
        .text(raw.content_type.as_str())
        .text(raw.query.as_str())
        .add(raw.peer.map(|peer| peer.to_string()))
        .add(&raw.sha256[..])
        .text(raw.codec.as_str())
        .add(&raw.body[..])
        .text(raw.head.as_str());
}

/// Lengths in memory fit into 63 bits.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

static RECEIPT: Statement = Statement::insert(
    "INSERT INTO receipt (submission, n, outcome, lead, contact, activity, reasons)",
    "(?, 1, ?, ?, ?, ?, ?)",
    "",
);

fn bind_receipt(row: &SubmissionRow<'_>, values: &mut Values) {
    let receipt = &row.plan.receipt;
    values
        .add(row.seq)
        .text(receipt.outcome.as_str())
        .add(receipt.lead.map(|id| id.0))
        .add(receipt.contact.map(|id| id.0))
        .add(receipt.activity.map(|id| id.0))
        .text(row.reasons.as_str());
}

// A submission that is recorded again names the files it has named before.
static ATTACHMENT: Statement =
    Statement::insert("INSERT INTO attachment (sha256, submission)", "(?, ?)", "ON CONFLICT DO NOTHING");

fn submissions(script: &mut Script, rows: &Gathered<'_>) {
    script.usual(&SUBMISSION, 1, &rows.submissions, bind_submission);
    script.usual(&RECEIPT, 1, &rows.submissions, bind_receipt);
    let attachments: Vec<_> = rows.attachments.iter().collect();
    script.add(&ATTACHMENT, &attachments, |(sha256, submission), values| {
        values.text(sha256).add(*submission);
    });
}

/// Further receipts of submissions that are kept.
fn again(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    static RECEIPT: Statement = Statement::insert(
        "INSERT INTO receipt (submission, n, outcome, lead, contact, activity, reasons)",
        "(?, ?, ?, ?, ?, ?, ?)",
        "",
    );
    if rows.again.is_empty() {
        return Ok(());
    }
    let changes: Vec<_> = rows
        .again
        .iter()
        .map(|row| {
            let outcome = row.plan.receipt.outcome.as_str();
            let decision = row.decision.map(|decision| (decision.actor.as_str(), decision.at.as_microsecond()));
            json!([row.seq, row.n, outcome, i64::from(row.vouched), decision.map(|d| d.0), decision.map(|d| d.1)])
        })
        .collect();
    let sql = "UPDATE submission SET receipt = v.value ->> 1, outcome = v.value ->> 2,
                   authenticated = max(authenticated, v.value ->> 3),
                   decided_by = coalesce(v.value ->> 4, decided_by), decided_at = coalesce(v.value ->> 5, decided_at)
               FROM json_each(?) v WHERE submission.seq = v.value ->> 0";
    script.over(sql, to_json(&changes)?);
    script.add(&RECEIPT, &rows.again, |row, values| {
        let receipt = &row.plan.receipt;
        values
            .add(row.seq)
            .add(row.n)
            .text(receipt.outcome.as_str())
            .add(receipt.lead.map(|id| id.0))
            .add(receipt.contact.map(|id| id.0))
            .add(receipt.activity.map(|id| id.0))
            .text(row.reasons.as_str());
    });
    Ok(())
}

fn repeats(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    if !rows.repeated.is_empty() {
        let ids = |(theirs, first): &(SubmissionId, SubmissionId)| [theirs.0.simple().to_string(), first.0.simple().to_string()];
        let repeated: Vec<_> = rows.repeated.iter().map(ids).collect();
        let sql = "INSERT INTO submission_repeat (id, submission)
                   SELECT unhex(v.value ->> 0), s.seq FROM json_each(?) v CROSS JOIN submission s ON s.id = unhex(v.value ->> 1)
                   WHERE true ON CONFLICT DO NOTHING";
        script.over(sql, to_json(&repeated)?);
    }
    if rows.repeats.is_empty() {
        return Ok(());
    }
    let repeats: Vec<_> = rows.repeats.iter().map(|(id, count)| (id.0.simple().to_string(), *count)).collect();
    let sql = "UPDATE submission SET repeats = repeats + (v.value ->> 1) FROM json_each(?) v
               WHERE submission.id = unhex(v.value ->> 0)";
    script.over(sql, to_json(&repeats)?);
    Ok(())
}

fn keys(script: &mut Script, rows: &Gathered<'_>) {
    static KEY: Statement = Statement::insert(
        "INSERT INTO submission_key (source, scope, value, submission, at, content, earlier)",
        "(?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (source, scope, value) DO UPDATE SET submission = excluded.submission, at = excluded.at,
                                                          content = excluded.content, earlier = excluded.earlier",
    );
    let keys: Vec<_> = rows.keys.iter().collect();
    script.usual(&KEY, 1, &keys, |((source, scope, value), row), values| {
        values
            .text(source)
            .text(scope)
            .text(value)
            .add(row.submission)
            .add(row.write.at.as_microsecond())
            .add(&row.write.content.0[..])
            .add(ContentHash::pack(&row.write.earlier));
    });
}

fn events(script: &mut Script, rows: &Gathered<'_>) {
    static EVENT: Statement =
        Statement::insert("INSERT INTO event (id, name, version, at, historic, data)", "(?, ?, ?, ?, ?, ?)", "");
    script.usual(&EVENT, 2, &rows.events, |row, values| {
        let submission = &row.item.submission;
        values
            .add(&row.event.id.0.as_bytes()[..])
            .text(row.event.name)
            .add(version_of(row.event.name))
            .add(submission.received_at.as_microsecond())
            .add(i64::from(submission.historic))
            .text(row.data.as_str());
    });
}

/// Contacts that waited to be taken and do not any more.
fn not_waiting(script: &mut Script, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let taken = rows.contact_changes.iter().filter(|(_, change)| matches!(change.waiting, Waiting::Anew(None)));
    let taken: Vec<_> = taken.map(|(id, _)| (CONTACT_WAITING.to_owned(), id.to_string())).collect();
    if !taken.is_empty() {
        script.over(timers::STOP, to_json(&taken)?);
    }
    Ok(())
}

/// Keeps what nobody vouches for within its bounds, in the transaction that adds to it.
async fn ring(conn: &mut SqliteConnection, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let mut sources: Vec<&str> =
        rows.submissions.iter().filter(|row| !row.authenticated()).map(|row| row.item.submission.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    for source in sources {
        sweep::trim_ring(conn, source).await?;
    }
    Ok(())
}
