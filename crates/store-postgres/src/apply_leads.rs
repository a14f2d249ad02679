//! The part of a batch's writing that concerns leads and activities.

use leadgate_core::plan::rows::Gathered;
use leadgate_core::ports::StoreError;

use crate::apply::micros;
use crate::bulk::{self, Kind, Part, Rows, Together};
use crate::conn::Conn;

/// Leads that take no more go first, so that those which do now find their place free.
pub(crate) fn release<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    static RELEASE: Part = Part {
        head: "UPDATE lead AS l SET takes = 0 FROM",
        columns: &[("id", Kind::Int)],
        tail: "WHERE l.id = v.id AND l.id = ANY ({0})",
    };
    let mut released = Rows::of(&RELEASE);
    for (id, _) in rows.lead_patches.iter().filter(|(_, patch)| patch.takes == Some(false)) {
        released.int(*id);
    }
    together.add(released);
}

/// A lead that is opened again or adopted takes from now on, whichever did before. Apart from [`release`], which may
/// concern the same rows.
pub(crate) async fn release_others(conn: &mut Conn, rows: &Gathered<'_>) -> Result<(), StoreError> {
    static OTHERS: Part = Part {
        head: "UPDATE lead AS l SET takes = 0, version = l.version + 1 FROM",
        columns: &[("contact", Kind::Int), ("lead", Kind::Int)],
        tail: "WHERE l.contact = v.contact AND l.takes = 1 AND l.id <> v.lead AND l.contact = ANY ({0})",
    };
    let mut takers = Rows::of(&OTHERS);
    for (contact, lead) in &rows.takers {
        takers.int(*contact).int(*lead);
    }
    bulk::run(conn, takers).await
}

/// Adds everything else.
pub(crate) fn write<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    leads(together, rows);
    history(together, rows);
    patches(together, rows);
    activities(together, rows);
    amendments(together, rows);
}

static LEAD: Part = Part {
    head: "INSERT INTO lead (id, uuid, contact, takes, stage, title, name, source, origin, responsible, version, suspect, test,
                             return_customer, created_at, touched_at, first_touch, last_touch)
           SELECT v.id, v.uuid, v.contact, v.takes, 'NEW', v.title, v.name, v.source, 'intake', v.responsible, v.version, v.suspect,
                  v.test, v.return_customer, v.created_at, v.touched_at, v.first_touch, v.last_touch FROM",
    columns: &[
        ("id", Kind::Int),
        ("uuid", Kind::Bytes),
        ("contact", Kind::Int),
        ("takes", Kind::Flag),
        ("title", Kind::Text),
        ("name", Kind::Text),
        ("source", Kind::Text),
        ("responsible", Kind::Text),
        ("version", Kind::Int),
        ("suspect", Kind::Flag),
        ("test", Kind::Flag),
        ("return_customer", Kind::Flag),
        ("created_at", Kind::Int),
        ("touched_at", Kind::Int),
        ("first_touch", Kind::Text),
        ("last_touch", Kind::Text),
    ],
    tail: "",
};

fn leads<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut new = Rows::of(&LEAD);
    for row in rows.leads.values() {
        let (first, last) = first_and_last(&row.touches);
        new.int(row.new.id.0)
            .bytes(&row.uuid.as_bytes()[..])
            .int(row.contact)
            .flag(row.takes)
            .text(row.item.title.as_str())
            .text(row.item.name.as_ref().map_or("", |name| name.typed.as_str()))
            .text(row.item.submission.source.as_str())
            .maybe_text(row.new.responsible.as_deref())
            .int(row.version)
            .flag(row.suspect)
            .flag(row.new.test)
            .flag(row.new.return_customer)
            .int(micros(row.new.at))
            .int(micros(row.touched_at))
            .maybe_json(first)
            .maybe_json(last);
    }
    together.add(new);
}

fn first_and_last<'t>(touches: &[&'t str]) -> (Option<&'t str>, Option<&'t str>) {
    match touches {
        [] => (None, None),
        [only] => (Some(only), None),
        [first, .., last] => (Some(first), Some(last)),
    }
}

/// The stage a lead leaves is read in the statement that changes it, which sees it as it was.
static HISTORY: Part = Part {
    head: "INSERT INTO lead_history (lead, n, at, actor, field, old, new)
           SELECT l.id, (SELECT coalesce(max(h.n), 0) + 1 FROM lead_history h WHERE h.lead = l.id),
                  v.at, 'intake', 'reopened', l.stage, v.stage FROM",
    columns: &[("id", Kind::Int), ("stage", Kind::Text), ("at", Kind::Int)],
    tail: "CROSS JOIN LATERAL (SELECT l.id, l.stage FROM lead l WHERE l.id = v.id OFFSET 0) l",
};

fn history<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut reopened = Rows::of(&HISTORY);
    for (id, patch) in &rows.lead_patches {
        if let Some((stage, at)) = patch.reopened {
            reopened.int(*id).text(stage.as_str()).int(micros(at));
        }
    }
    together.add(reopened);
}

static PATCH: Part = Part {
    head: "UPDATE lead AS l SET
               touched_at = greatest(l.touched_at, v.touched_at),
               takes = CASE WHEN v.takes = 1 THEN 1
                            WHEN v.adopted_by IS NOT NULL AND l.contact IS NULL AND l.closed_at IS NULL THEN 1
                            ELSE l.takes END,
               stage = coalesce(v.stage, l.stage),
               closed_at = CASE WHEN v.stage IS NULL THEN l.closed_at END,
               contact = coalesce(l.contact, v.adopted_by),
               suspect = greatest(l.suspect, v.suspect),
               first_touch = coalesce(l.first_touch, v.first_touch),
               last_touch = CASE WHEN v.touches = 0 OR (l.first_touch IS NULL AND v.touches = 1) THEN l.last_touch
                                 ELSE v.last_touch END,
               version = l.version + v.changes
           FROM",
    columns: &[
        ("id", Kind::Int),
        ("touched_at", Kind::Int),
        ("takes", Kind::Flag),
        ("stage", Kind::Text),
        ("adopted_by", Kind::Int),
        ("suspect", Kind::Flag),
        ("first_touch", Kind::Text),
        ("last_touch", Kind::Text),
        ("touches", Kind::Int),
        ("changes", Kind::Int),
    ],
    tail: "WHERE l.id = v.id AND l.id = ANY ({0})",
};

fn patches<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut patches = Rows::of(&PATCH);
    for (id, patch) in &rows.lead_patches {
        patches
            .int(*id)
            .int(patch.touched_at.map(micros))
            .flag(patch.takes == Some(true))
            .maybe_text(patch.reopened.map(|(stage, _)| stage.as_str()))
            .int(patch.adopted_by)
            .flag(patch.suspect)
            .maybe_json(patch.touches.first().copied())
            .maybe_json(patch.touches.last().copied())
            .int(i64::try_from(patch.touches.len()).unwrap_or(i64::MAX))
            .int(patch.changes);
    }
    together.add(patches);
}

// ----------------------------------------------------------------------------------------------------------- activities

static ACTIVITY: Part = Part {
    head: "INSERT INTO activity (id, kind, lead, contact, source, submission, external_key, occurred_at, ambiguous, suspect, revised,
                                 revisions, touch, content)
           SELECT v.* FROM",
    columns: &[
        ("id", Kind::Int),
        ("kind", Kind::Text),
        ("lead", Kind::Int),
        ("contact", Kind::Int),
        ("source", Kind::Text),
        ("submission", Kind::Int),
        ("external_key", Kind::Text),
        ("occurred_at", Kind::Int),
        ("ambiguous", Kind::Flag),
        ("suspect", Kind::Flag),
        ("revised", Kind::Flag),
        ("revisions", Kind::Int),
        ("touch", Kind::Text),
        ("content", Kind::Text),
    ],
    tail: "",
};

static REFERENCE: Part = Part {
    head: "INSERT INTO activity_ref (scope, value, activity) SELECT v.* FROM",
    columns: &[("scope", Kind::Text), ("value", Kind::Text), ("activity", Kind::Int)],
    // A Message-ID stays with the activity that had it first.
    tail: "ON CONFLICT (scope, value) DO UPDATE SET activity = excluded.activity WHERE excluded.scope <> 'message-id'",
};

fn activities<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut new = Rows::of(&ACTIVITY);
    for row in rows.activities.values() {
        let draft = &row.item.submission.draft;
        new.int(row.new.id.0)
            .text(draft.activity.as_str())
            .int(row.new.lead.map(|id| id.0))
            .int(row.new.contact.map(|id| id.0))
            .text(row.item.submission.source.as_str())
            .int(row.submission)
            .maybe_text(draft.external_key.as_deref())
            .int(micros(row.new.occurred_at))
            .flag(row.new.ambiguous)
            .flag(row.new.suspect)
            .flag(row.new.revised)
            .int(row.revisions)
            .maybe_json((!row.touch.is_empty()).then_some(row.touch))
            .json(row.content);
    }
    together.add(new);
    let mut references = Rows::of(&REFERENCE);
    for ((scope, value), activity) in &rows.references {
        references.text(*scope).text(*value).int(*activity);
    }
    together.add(references);
}

/// What a new activity of this batch told is told here, for the statement does not see the row itself; of one that exists
/// its first content is read, and its revisions are counted on.
static REVISION: Part = Part {
    head: "INSERT INTO activity_revision (activity, n, submission, at, content, touch)
           SELECT v.activity, coalesce(a.revisions, 0) + v.n, v.submission, v.at, coalesce(v.content, a.content),
                  coalesce(nullif(v.touch, ''), a.touch) FROM",
    columns: &[
        ("activity", Kind::Int),
        ("n", Kind::Int),
        ("submission", Kind::Int),
        ("at", Kind::Int),
        ("content", Kind::Text),
        ("touch", Kind::Text),
    ],
    tail: "LEFT JOIN activity a ON a.id = v.activity",
};

static AMENDED: Part = Part {
    head: "UPDATE activity AS a SET content = v.content, touch = coalesce(nullif(v.touch, ''), a.touch),
                                    revisions = a.revisions + v.revisions FROM",
    columns: &[("id", Kind::Int), ("content", Kind::Text), ("touch", Kind::Text), ("revisions", Kind::Int)],
    tail: "WHERE a.id = v.id AND a.id = ANY ({0})",
};

/// What an activity told goes to its revisions; then it tells what the amendment said.
fn amendments<'r>(together: &mut Together<'r>, rows: &'r Gathered<'_>) {
    let mut revisions = Rows::of(&REVISION);
    for row in &rows.revisions {
        let (content, touch) = row.before.unzip();
        revisions.int(row.activity).int(row.n).int(row.submission).int(micros(row.at)).maybe_json(content).maybe_json(touch);
    }
    together.add(revisions);
    let mut amended = Rows::of(&AMENDED);
    for (id, row) in &rows.amended {
        amended.int(*id).json(row.content).json(row.touch).int(row.revisions);
    }
    together.add(amended);
}
