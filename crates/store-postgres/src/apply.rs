//! Writes what a batch's plans want, in one statement for what must be first, if there is such, and one for all the rest.
//!
//! What must be first: a value is no longer active for one contact before it is for another, and a lead no longer takes
//! before another does. What comes last are the rows that every batch writes, the counters.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::plan::rows::{Gathered, IdentityRow, Waiting};
use leadgate_core::ports::StoreError;
use leadgate_core::receipt::IdentityState;
use leadgate_core::submission::ContentHash;

use crate::bulk::{Kind, Part, Rows, Together};
use crate::conn::Conn;
use crate::error::to_json;
use crate::{apply_leads, apply_mails, calls, news, sources, sweep, timers};

pub(crate) async fn write(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let mut first = Together::default();
    known_identities(&mut first, rows, false);
    // A statement changes a row once: what follows may count repeats of these.
    decided(&mut first, rows);
    apply_leads::release(&mut first, rows);
    first.run(conn).await?;
    apply_leads::release_others(conn, rows).await?;

    apply_mails::before(conn, rows).await?;
    calls::before(conn, rows).await?;
    let mut rest = Together::default();
    contacts(&mut rest, rows)?;
    known_identities(&mut rest, rows, true);
    new_identities(&mut rest, rows);
    apply_leads::write(&mut rest, rows);
    submissions(&mut rest, rows);
    repeats(&mut rest, rows);
    keys(&mut rest, rows);
    reviews(&mut rest, rows);
    events(&mut rest, rows);
    news::owe(&mut rest, &rows.jobs);
    timers::write(&mut rest, rows);
    apply_mails::write(&mut rest, rows);
    calls::write(&mut rest, rows);
    sources::count(&mut rest, &rows.counts, &rows.health);
    sources::count_hours(&mut rest, rows);
    rest.run(conn).await?;
    apply_mails::marks(conn, rows).await?;
    ring(conn, rows).await
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

// --------------------------------------------------------------------------------------------------------------- people

static CONTACT: Part = Part {
    head: "INSERT INTO contact (id, uuid, name, names, words, created_at, last_active, waiting_since, claims_day, claims)
           SELECT v.* FROM",
    columns: &[
        ("id", Kind::Int),
        ("uuid", Kind::Bytes),
        ("name", Kind::Text),
        ("names", Kind::Text),
        ("words", Kind::Text),
        ("created_at", Kind::Int),
        ("last_active", Kind::Int),
        ("waiting_since", Kind::Int),
        ("claims_day", Kind::Int),
        ("claims", Kind::Int),
    ],
    tail: "",
};

static CONTACT_CHANGE: Part = Part {
    head: "UPDATE contact AS c SET
               last_active = greatest(c.last_active, v.last_active),
               name = CASE WHEN c.name = '' THEN coalesce(v.name, '') ELSE c.name END,
               names = CASE WHEN v.names = '' THEN c.names
                            WHEN c.names = '[]' THEN '[' || v.names || ']'
                            ELSE left(c.names, -1) || ',' || v.names || ']' END,
               words = c.words || v.words,
               claims_day = coalesce(v.claims_day, c.claims_day),
               claims = coalesce(v.claims, c.claims),
               waiting_since = CASE v.mode WHEN 0 THEN c.waiting_since
                                           WHEN 1 THEN coalesce(c.waiting_since, v.waiting)
                                           ELSE v.waiting END
           FROM",
    columns: &[
        ("id", Kind::Int),
        ("last_active", Kind::Int),
        ("name", Kind::Text),
        ("names", Kind::Text),
        ("words", Kind::Text),
        ("claims_day", Kind::Int),
        ("claims", Kind::Int),
        ("mode", Kind::Int),
        ("waiting", Kind::Int),
    ],
    tail: "WHERE c.id = v.id AND c.id = ANY ({0})",
};

fn contacts<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) -> Result<(), StoreError> {
    let mut new = Rows::of(&CONTACT);
    for row in rows.contacts.values() {
        let change = &row.change;
        let waiting = match change.waiting {
            Waiting::Keep | Waiting::Anew(None) => None,
            Waiting::Since(at) | Waiting::Anew(Some(at)) => Some(micros(at)),
        };
        new.int(row.id)
            .bytes(&row.uuid.as_bytes()[..])
            .text(change.names.first().map_or("", |name| name.typed.as_str()))
            .json(to_json(&change.names)?)
            .text(change.words.as_str())
            .int(micros(row.created_at))
            .int(micros(change.last_active.unwrap_or(row.created_at)))
            .int(waiting)
            .int(change.claims.map(|(day, _)| day))
            .int(change.claims.map_or(0, |(_, count)| i64::from(count)));
    }
    together.add(new);
    let mut changed = Rows::of(&CONTACT_CHANGE);
    for (id, change) in &rows.contact_changes {
        let (mode, waiting) = match change.waiting {
            Waiting::Keep => (0, None),
            Waiting::Since(at) => (1, Some(micros(at))),
            Waiting::Anew(at) => (2, at.map(micros)),
        };
        // Without its brackets: it is put into the array that stands there.
        let names = to_json(&change.names)?;
        changed
            .int(*id)
            .int(change.last_active.map(micros))
            .maybe_text(change.names.first().map(|name| name.typed.as_str()))
            .json(names.trim_start_matches('[').trim_end_matches(']').to_owned())
            .text(change.words.as_str())
            .int(change.claims.map(|(day, _)| day))
            .int(change.claims.map(|(_, count)| i64::from(count)))
            .int(mode)
            .int(waiting);
    }
    together.add(changed);
    Ok(())
}

static IDENTITY: Part = Part {
    head: "INSERT INTO identity (contact, kind, value, state, strength, display, first_seen, last_seen, sender, activity)
           SELECT v.* FROM",
    columns: &[
        ("contact", Kind::Int),
        ("kind", Kind::Text),
        ("value", Kind::Text),
        ("state", Kind::Text),
        ("strength", Kind::Text),
        ("display", Kind::Text),
        ("first_seen", Kind::Int),
        ("last_seen", Kind::Int),
        ("sender", Kind::Text),
        ("activity", Kind::Int),
    ],
    tail: "ON CONFLICT (contact, kind, value)
           DO UPDATE SET state = excluded.state, last_seen = greatest(identity.last_seen, excluded.last_seen)",
};

static IDENTITY_STATE: Part = Part {
    head: "UPDATE identity AS i SET state = v.state, last_seen = greatest(i.last_seen, v.last_seen) FROM",
    columns: &[
        ("contact", Kind::Int),
        ("kind", Kind::Text),
        ("value", Kind::Text),
        ("state", Kind::Text),
        ("last_seen", Kind::Int),
    ],
    tail: "WHERE i.contact = v.contact AND i.kind = v.kind AND i.value = v.value AND i.contact = ANY ({0})",
};

fn is_active(row: &IdentityRow<'_>) -> bool {
    row.state == IdentityState::Active
}

/// Identities that exist: those that are active afterwards, or the others.
fn known_identities<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>, active: bool) {
    let mut known = Rows::of(&IDENTITY_STATE);
    for ((contact, kind, value), row) in &rows.identities {
        if row.new.is_none() && is_active(row) == active {
            known.int(*contact).text(*kind).text(*value).text(row.state.as_str()).int(micros(row.last_seen));
        }
    }
    together.add(known);
}

fn new_identities<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut new = Rows::of(&IDENTITY);
    for ((contact, kind, value), row) in &rows.identities {
        if let Some(made) = row.new {
            new.int(*contact)
                .text(*kind)
                .text(*value)
                .text(row.state.as_str())
                .text(made.strength.as_str())
                .text(made.display.as_str())
                .int(micros(row.first_seen))
                .int(micros(row.last_seen))
                .text(made.sender.as_str())
                .int(made.activity.0);
        }
    }
    together.add(new);
}

/// New pairs get numbers; a pair that is known, open or closed, stays as it is.
static REVIEW: Part = Part {
    head: "INSERT INTO review (id, a, b, reasons, created_at)
           SELECT nextval('number_review'), v.a, v.b, v.reasons, v.at FROM",
    columns: &[("a", Kind::Int), ("b", Kind::Int), ("reasons", Kind::Text), ("at", Kind::Int)],
    tail: "WHERE NOT EXISTS (SELECT 1 FROM review r WHERE r.a = v.a AND r.b = v.b) ON CONFLICT (a, b) DO NOTHING",
};

fn reviews<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut new = Rows::of(&REVIEW);
    let mut pairs = BTreeSet::new();
    for row in rows.reviews.iter().filter(|row| pairs.insert(row.pair)) {
        new.int(row.pair.0).int(row.pair.1).json(row.reasons.as_str()).int(micros(row.at));
    }
    together.add(new);
}

// ---------------------------------------------------------------------------------------------------------- submissions

static SUBMISSION: Part = Part {
    head: "INSERT INTO submission (seq, id, source, received_at, outcome, receipt, repeats, authenticated, historic, size,
                                   content_type, query, peer, sha256, codec, raw, head)
           SELECT v.seq, v.id, v.source, v.received_at, v.outcome, 1, v.repeats, v.authenticated, v.historic, v.size,
                  v.content_type, v.query, v.peer, v.sha256, v.codec, v.raw, v.head FROM",
    columns: &[
        ("seq", Kind::Int),
        ("id", Kind::Bytes),
        ("source", Kind::Text),
        ("received_at", Kind::Int),
        ("outcome", Kind::Text),
        ("repeats", Kind::Int),
        ("authenticated", Kind::Flag),
        ("historic", Kind::Flag),
        ("size", Kind::Int),
        ("content_type", Kind::Text),
        ("query", Kind::Text),
        ("peer", Kind::Text),
        ("sha256", Kind::Bytes),
        ("codec", Kind::Text),
        ("raw", Kind::Bytes),
        ("head", Kind::Text),
    ],
    tail: "",
};

static RECEIPT: Part = Part {
    head: "INSERT INTO receipt (submission, n, outcome, lead, contact, activity, reasons)
           SELECT v.submission, v.n, v.outcome, v.lead, v.contact, v.activity, v.reasons FROM",
    columns: &[
        ("submission", Kind::Int),
        ("n", Kind::Int),
        ("outcome", Kind::Text),
        ("lead", Kind::Int),
        ("contact", Kind::Int),
        ("activity", Kind::Int),
        ("reasons", Kind::Text),
    ],
    tail: "",
};

static ATTACHMENT: Part = Part {
    head: "INSERT INTO attachment (sha256, submission) SELECT v.* FROM",
    columns: &[("sha256", Kind::Text), ("submission", Kind::Int)],
    // A submission that is recorded again names the files it has named before.
    tail: "ON CONFLICT DO NOTHING",
};

/// Lengths in memory fit into 63 bits.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn submissions<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let (mut kept, mut receipts, mut attachments) = (Rows::of(&SUBMISSION), Rows::of(&RECEIPT), Rows::of(&ATTACHMENT));
    for row in &rows.submissions {
        let (submission, receipt) = (&row.item.submission, &row.plan.receipt);
        let raw = &submission.raw;
        kept.int(row.seq)
            .bytes(&submission.id.0.as_bytes()[..])
            .text(submission.source.as_str())
            .int(micros(submission.received_at))
            .text(receipt.outcome.as_str())
            .int(row.repeats)
            .flag(row.authenticated())
            .flag(submission.historic)
            .int(size(raw.body.len()))
            .text(raw.content_type.as_str())
            .text(raw.query.as_str())
            .maybe_text(raw.peer.map(|peer| peer.to_string()))
            .bytes(&raw.sha256[..])
            .text(raw.codec.as_str())
            .bytes(&raw.body[..])
            .text(raw.head.as_str());
        receipts
            .int(row.seq)
            .int(1)
            .text(receipt.outcome.as_str())
            .int(receipt.lead.map(|id| id.0))
            .int(receipt.contact.map(|id| id.0))
            .int(receipt.activity.map(|id| id.0))
            .json(row.reasons.as_str());
    }
    for row in &rows.again {
        let receipt = &row.plan.receipt;
        receipts
            .int(row.seq)
            .int(row.n)
            .text(receipt.outcome.as_str())
            .int(receipt.lead.map(|id| id.0))
            .int(receipt.contact.map(|id| id.0))
            .int(receipt.activity.map(|id| id.0))
            .json(row.reasons.as_str());
    }
    for (sha256, submission) in &rows.attachments {
        attachments.text(*sha256).int(*submission);
    }
    together.add(kept);
    together.add(receipts);
    together.add(attachments);
}

static DECIDED: Part = Part {
    head: "UPDATE submission AS s SET receipt = v.receipt, outcome = v.outcome, authenticated = greatest(s.authenticated, v.vouched),
               decided_by = coalesce(v.decided_by, s.decided_by), decided_at = coalesce(v.decided_at, s.decided_at) FROM",
    columns: &[
        ("seq", Kind::Int),
        ("receipt", Kind::Int),
        ("outcome", Kind::Text),
        ("vouched", Kind::Flag),
        ("decided_by", Kind::Text),
        ("decided_at", Kind::Int),
    ],
    tail: "WHERE s.seq = v.seq AND s.seq = ANY ({0})",
};

/// What became of submissions that are kept and recorded again.
fn decided<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut decided = Rows::of(&DECIDED);
    for row in &rows.again {
        decided
            .int(row.seq)
            .int(row.n)
            .text(row.plan.receipt.outcome.as_str())
            .flag(row.vouched)
            .maybe_text(row.decision.map(|decision| decision.actor.as_str()))
            .int(row.decision.map(|decision| micros(decision.at)));
    }
    together.add(decided);
}

/// The number of the delivery that is repeated is known if it is of this batch.
static REPEATED: Part = Part {
    head: "INSERT INTO submission_repeat (id, submission)
           SELECT v.id, coalesce(v.seq, s.seq) FROM",
    columns: &[("id", Kind::Bytes), ("first", Kind::Bytes), ("seq", Kind::Int)],
    tail: "LEFT JOIN submission s ON s.id = v.first WHERE coalesce(v.seq, s.seq) IS NOT NULL ON CONFLICT (id) DO NOTHING",
};

static REPEATS: Part = Part {
    head: "UPDATE submission AS s SET repeats = s.repeats + v.repeats FROM",
    columns: &[("id", Kind::Bytes), ("repeats", Kind::Int)],
    tail: "WHERE s.id = v.id AND s.id = ANY ({0})",
};

fn repeats<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let here: HashMap<SubmissionId, i64> = rows.submissions.iter().map(|row| (row.item.submission.id, row.seq)).collect();
    let mut repeated = Rows::of(&REPEATED);
    for (theirs, first) in &rows.repeated {
        repeated.bytes(&theirs.0.as_bytes()[..]).bytes(&first.0.as_bytes()[..]).int(here.get(first).copied());
    }
    together.add(repeated);
    let mut repeats = Rows::of(&REPEATS);
    for (id, count) in &rows.repeats {
        repeats.bytes(&id.0.as_bytes()[..]).int(*count);
    }
    together.add(repeats);
}

static KEY: Part = Part {
    head: "INSERT INTO submission_key (source, scope, value, submission, at, content, earlier) SELECT v.* FROM",
    columns: &[
        ("source", Kind::Text),
        ("scope", Kind::Text),
        ("value", Kind::Text),
        ("submission", Kind::Int),
        ("at", Kind::Int),
        ("content", Kind::Bytes),
        ("earlier", Kind::Bytes),
    ],
    tail: "ON CONFLICT (source, scope, value) DO UPDATE SET submission = excluded.submission, at = excluded.at,
                                                            content = excluded.content, earlier = excluded.earlier",
};

fn keys<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut keys = Rows::of(&KEY);
    for ((source, scope, value), row) in &rows.keys {
        keys.text(*source)
            .text(*scope)
            .text(*value)
            .int(row.submission)
            .int(micros(row.write.at))
            .bytes(&row.write.content.0[..])
            .bytes(ContentHash::pack(&row.write.earlier));
    }
    together.add(keys);
}

fn events<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut events = Rows::of(&news::EVENT);
    for row in &rows.events {
        let submission = &row.item.submission;
        let (at, historic) = (submission.received_at, submission.historic);
        news::add(&mut events, &row.event.id, row.event.name, at, historic, row.data.as_str());
    }
    together.add(events);
}

/// Keeps what nobody vouches for within its bounds, in the transaction that adds to it.
async fn ring(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    let unvouched = rows.submissions.iter().filter(|row| !row.authenticated());
    let sources: BTreeSet<&str> = unvouched.map(|row| row.item.submission.source.as_str()).collect();
    if sources.is_empty() {
        return Ok(());
    }
    sweep::trim_rings(conn, &sources).await
}
