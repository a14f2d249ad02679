//! Tells events, and owes what they owe, in the transaction of what they tell.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::ids::{EventId, SourceId};
use leadgate_core::onward::{EventData, NewJob, News, Occurred, Routes, version_of};
use leadgate_core::ports::{Act, StoreError};

use crate::apply::micros;
use crate::bulk::{Kind, Part, Rows, Together};
use crate::conn::Conn;
use crate::error::to_json;
use crate::rows::Columns;

/// Events, see [`add`].
pub(crate) static EVENT: Part = Part {
    head: "INSERT INTO event (id, name, version, at, historic, data) SELECT v.* FROM",
    columns: &[
        ("id", Kind::Bytes),
        ("name", Kind::Text),
        ("version", Kind::Int),
        ("at", Kind::Int),
        ("historic", Kind::Flag),
        ("data", Kind::Text),
    ],
    tail: "",
};

/// Adds an event to the rows of [`EVENT`].
pub(crate) fn add<'r>(
    events: &mut Rows<'r>,
    id: &'r EventId,
    name: &'static str,
    at: Timestamp,
    historic: bool,
    data: impl Into<Cow<'r, str>>,
) {
    events.bytes(&id.0.as_bytes()[..]).text(name).int(version_of(name)).int(micros(at)).flag(historic).json(data);
}

static JOB: Part = Part {
    head: "INSERT INTO job (id, target, recipient, event, name, data, lead, lane, state, at, since, due_at, attempts, words)
           SELECT v.id, v.target, v.recipient, v.event, v.name, v.data, v.lead, v.lane, 'waiting', v.at, v.at, v.at, 0, '' FROM",
    columns: &[
        ("id", Kind::Bytes),
        ("target", Kind::Text),
        ("recipient", Kind::Text),
        ("event", Kind::Bytes),
        ("name", Kind::Text),
        ("data", Kind::Text),
        ("lead", Kind::Int),
        ("lane", Kind::Int),
        ("at", Kind::Int),
    ],
    tail: "ON CONFLICT (id) DO NOTHING",
};

/// Owes what events owe. A delivery that is owed already is not owed twice.
pub(crate) fn owe<'r>(together: &mut Together<'r>, jobs: &'r [NewJob]) {
    let mut owed = Rows::of(&JOB);
    for job in jobs {
        owed.bytes(&job.id.0.as_bytes()[..])
            .text(&*job.target)
            .text(job.recipient.as_str())
            .bytes(&job.event.0.as_bytes()[..])
            .text(job.name)
            .json(job.data.as_str())
            .int(job.lead)
            .int(job.lane)
            .int(micros(job.at));
    }
    together.add(owed);
}

/// Tells what a person did.
pub(crate) async fn act(conn: &mut Conn, name: &'static str, act: &Act, data: EventData) -> Result<(), StoreError> {
    let (mut source, mut routes) = (None, Arc::clone(&act.routes));
    if !routes.is_empty() {
        match origin(conn, &data).await? {
            Origin::Nowhere => {}
            Origin::Source(found) => source = Some(found),
            Origin::Test => routes = Arc::new(Routes::default()),
        }
    }
    let data = EventData { by: Some(act.actor.clone()), ..data };
    tell(conn, [&News { id: act.event, name, at: act.at, source, data, routes }]).await
}

/// Tells what happened, in order, and owes what it owes.
pub(crate) async fn tell<'n>(conn: &mut Conn, told: impl IntoIterator<Item = &'n News>) -> Result<(), StoreError> {
    let (mut events, mut jobs) = (Rows::of(&EVENT), Vec::new());
    for news in told {
        let data = to_json(&news.data)?;
        let lead = news.data.lead.map(|id| id.0);
        let (id, name, at, source) = (news.id, news.name, news.at, news.source.as_ref());
        news.routes.jobs(&Occurred { id, name, at, source, lead, data: &data }, &mut jobs);
        add(&mut events, &news.id, name, at, false, data);
    }
    let mut together = Together::default();
    together.add(events);
    owe(&mut together, &jobs);
    together.run(conn).await
}

/// Where what somebody changed came from.
enum Origin {
    Source(SourceId),
    Nowhere,
    /// It is out of the counts, and nobody is told.
    Test,
}

/// A contact came from where it was last heard of.
async fn origin(conn: &mut Conn, data: &EventData) -> Result<Origin, StoreError> {
    let (sql, id) = match (data.lead, data.contact) {
        (Some(lead), _) => ("SELECT source, test FROM lead WHERE id = $1", lead.0),
        (None, Some(contact)) => (
            "SELECT source, 0::smallint AS test FROM (
                 (SELECT id, source FROM activity WHERE contact = $1 AND lead IS NULL AND source IS NOT NULL ORDER BY id DESC LIMIT 1)
                 UNION ALL
                 (SELECT a.id, a.source FROM (SELECT id FROM lead WHERE contact = $1 AND takes = 1
                                              UNION ALL SELECT id FROM lead WHERE contact = $1 AND takes = 0 AND contact IS NOT NULL) l
                  JOIN activity a ON a.lead = l.id WHERE a.source IS NOT NULL ORDER BY a.id DESC LIMIT 1)) newest
             ORDER BY id DESC LIMIT 1",
            contact.0,
        ),
        (None, None) => return Ok(Origin::Nowhere),
    };
    let Some(row) = conn.optional(sqlx::query(sql).bind(id)).await? else { return Ok(Origin::Nowhere) };
    let row = Columns::of(&row, "lead");
    if row.flag("test")? { Ok(Origin::Test) } else { row.source("source").map(Origin::Source) }
}
