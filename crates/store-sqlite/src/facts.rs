//! Loads what a batch touches: a handful of statements, each over many rows, never one per lead. What needs
//! no other answer is asked together.

use std::collections::{HashMap, HashSet};

use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SubmissionId};
use leadgate_core::name::NameKey;
use leadgate_core::plan::{
    ContactFact, Facts, Holder, Ids, KeptFact, KeptName, KeyFact, KeyId, LeadFact, Lookup, MOST_HOLDERS, MOST_RECENT, Place,
    RecentFact, date_of, keep_newest,
};
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::Content;
use leadgate_core::receipt::{IdentityState, Outcome};
use leadgate_core::submission::ContentHash;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::bulk::{Questions, Statement, Values};
use crate::calls;
use crate::error::{corrupt, store, to_json};
use crate::rows::Columns;
use crate::writer::execute;

/// Where a submission stands today: its activity may have been detached, its lead may have got a contact.
macro_rules! place_of_submission {
    () => {
        "iif(a.id IS NULL, r.lead, a.lead) AS lead,
         coalesce(iif(a.id IS NULL, r.contact, a.contact), l.contact) AS contact, r.activity AS activity
         FROM asked CROSS JOIN submission s ON s.seq = asked.seq
         JOIN receipt r ON r.submission = s.seq AND r.n = s.receipt
         LEFT JOIN activity a ON a.id = r.activity
         LEFT JOIN lead l ON l.id = iif(a.id IS NULL, r.lead, a.lead)"
    };
}

/// The submission whose content an activity `a` tells today.
macro_rules! speaker {
    () => {
        "iif(a.revisions = 0, a.submission, (SELECT x.submission FROM activity_revision x WHERE x.activity = a.id ORDER BY x.n DESC LIMIT 1))"
    };
}
pub(crate) use speaker;

/// Loads the facts of a batch. `opening`: what is to be said before the first question, such as `BEGIN`.
pub(crate) async fn load(
    conn: &mut SqliteConnection,
    lookup: Lookup,
    ids: Ids,
    opening: Option<&'static str>,
) -> Result<Facts, StoreError> {
    facts(conn, lookup, ids, false, opening).await
}

/// Loads the facts of submissions that are kept and recorded again.
pub(crate) async fn load_again(conn: &mut SqliteConnection, lookup: Lookup, ids: Ids) -> Result<Facts, StoreError> {
    facts(conn, lookup, ids, true, None).await
}

async fn facts(
    conn: &mut SqliteConnection,
    mut lookup: Lookup,
    ids: Ids,
    again: bool,
    mut opening: Option<&'static str>,
) -> Result<Facts, StoreError> {
    let mut facts = Facts::new(ids);
    if !lookup.calls.is_empty() {
        if let Some(sql) = opening.take() {
            execute(conn, sql).await?;
        }
        facts.calls = calls::load(conn, &lookup).await?;
        lookup.add_calls(facts.calls.values());
    }
    let held = first_questions(conn, &lookup, &mut facts, again, opening).await?;
    told(conn, &lookup, &mut facts).await?;
    holders(conn, &lookup, &mut facts, held).await?;
    contacts(conn, &mut facts).await?;
    orphans(conn, &mut facts).await?;
    recent(conn, &lookup, &mut facts).await?;
    Ok(facts)
}

/// All that can be asked at once: what the deliveries themselves name.
async fn first_questions(
    conn: &mut SqliteConnection,
    lookup: &Lookup,
    facts: &mut Facts,
    again: bool,
    opening: Option<&'static str>,
) -> Result<Held, StoreError> {
    let mut asking = Questions::new(lookup.submissions.len());
    if let Some(sql) = opening {
        asking.say(sql);
    }
    let submissions = asking.ask(if again { &KEPT } else { &SUBMISSIONS }, &lookup.submissions, |_, id, values| {
        values.add(&id.0.as_bytes()[..]);
    });
    let keys = asking.ask(&KEYS, &lookup.keys, |n, key, values| {
        values.number(n).text(&key.source).text(&key.scope).text(&key.value);
    });
    let references = asking.ask(&REFERENCES, &lookup.references, bind_pair);
    let external = asking.ask(&EXTERNAL, &lookup.external, bind_pair);
    let holders = asking.ask(&HOLDERS, &lookup.identities, |n, (kind, value), values| {
        values.number(n).text(kind.as_str()).text(value);
    });
    let ignored = asking.ask(&IGNORED, &lookup.senders, |n, sender, values| {
        values.number(n).text(sender.kind.as_str()).text(&sender.value);
    });
    let answers = asking.run(conn).await?;
    for row in answers.of(&submissions) {
        let row = Columns::of(row, "submission");
        let id = SubmissionId(row.uuid("id")?);
        if again {
            facts.kept.insert(id, kept(&row)?);
        } else {
            facts.submissions.insert(id, place(&row)?);
        }
    }
    for row in answers.of(&keys) {
        let row = Columns::of(row, "submission_key");
        facts.keys.insert(asked_for::<KeyId>(&lookup.keys, &row)?.clone(), key(&row)?);
    }
    for row in answers.of(&references) {
        let row = Columns::of(row, "activity_ref");
        facts.references.insert(asked_for(&lookup.references, &row)?.clone(), place(&row)?);
    }
    for row in answers.of(&external) {
        let row = Columns::of(row, "activity");
        facts.external.insert(asked_for(&lookup.external, &row)?.clone(), place(&row)?);
    }
    for row in answers.of(&ignored) {
        let row = Columns::of(row, "ignored_sender");
        facts.ignored.insert(asked_for(&lookup.senders, &row)?.clone());
    }
    Held::read(answers.of(&holders))
}

fn bind_pair(n: usize, (scope, value): &(String, String), values: &mut Values) {
    values.number(n).text(scope).text(value);
}

fn place(row: &Columns<'_>) -> Result<Place, StoreError> {
    Ok(Place {
        lead: row.get::<Option<i64>>("lead")?.map(LeadId),
        contact: row.get::<Option<i64>>("contact")?.map(ContactId),
        activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
    })
}

async fn ask(conn: &mut SqliteConnection, sql: &'static str, json: String) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(sql).bind(json).fetch_all(conn).await.map_err(store)
}

static SUBMISSIONS: Statement = Statement::with(
    "WITH v (id) AS",
    "(?)",
    concat!(
        ", asked AS MATERIALIZED (
             SELECT s.id AS id, s.seq AS seq FROM v CROSS JOIN submission s ON s.id = v.id
             UNION ALL
             SELECT q.id, q.submission FROM v CROSS JOIN submission_repeat q ON q.id = v.id)
         SELECT asked.id AS id, ",
        place_of_submission!()
    ),
);

static KEPT: Statement = Statement::with(
    "WITH v (id) AS",
    "(?)",
    concat!(
        ", asked AS MATERIALIZED (SELECT s.seq AS seq FROM v CROSS JOIN submission s ON s.id = v.id)
         SELECT s.id, s.seq, s.source, s.receipt, s.outcome, s.outcome = 'noted' AND s.decided_at IS NOT NULL AS dropped,
                iif(s.seq = ",
        speaker!(),
        ", a.content, NULL) AS content, a.touch AS touch, ",
        place_of_submission!()
    ),
);

fn kept(row: &Columns<'_>) -> Result<KeptFact, StoreError> {
    Ok(KeptFact {
        seq: row.int("seq")?,
        source: row.source("source")?,
        receipt: row.int("receipt")?,
        outcome: row.parse("outcome", Outcome::parse)?,
        dropped: row.flag("dropped")?,
        place: place(row)?,
        content: row.get("content")?,
        touch: row.get("touch")?,
    })
}

static IGNORED: Statement = Statement::with(
    "WITH v (n, kind, value) AS",
    "(?, ?, ?)",
    "SELECT v.n AS n FROM v CROSS JOIN ignored_sender i ON i.kind = v.kind AND i.value = v.value",
);

static KEYS: Statement = Statement::with(
    "WITH v (n, source, scope, value) AS",
    "(?, ?, ?, ?)",
    concat!(
        ", asked AS MATERIALIZED (
             SELECT v.n AS n, k.submission AS seq, k.content, k.earlier, k.at FROM v
             CROSS JOIN submission_key k ON k.source = v.source AND k.scope = v.scope AND k.value = v.value)
         SELECT asked.n AS n, asked.content AS content, asked.earlier AS earlier, asked.at AS at, s.id AS id, ",
        place_of_submission!()
    ),
);

fn key(row: &Columns<'_>) -> Result<KeyFact, StoreError> {
    let content: &[u8] = row.get("content")?;
    let content = content.try_into().map_err(|_| corrupt("submission_key", "content is no SHA-256"))?;
    Ok(KeyFact {
        submission: SubmissionId(row.uuid("id")?),
        content: ContentHash(content),
        earlier: ContentHash::unpack(row.get("earlier")?),
        at: row.time("at")?,
        place: place(row)?,
    })
}

/// What the row answers: the statement gives the number back.
fn asked_for<'a, T>(asked: &'a [T], row: &Columns<'_>) -> Result<&'a T, StoreError> {
    let n: usize = row.count("n")?;
    asked.get(n).ok_or_else(|| corrupt("a result", format!("nobody asked number {n}")))
}

static REFERENCES: Statement = Statement::with(
    "WITH v (n, scope, value) AS",
    "(?, ?, ?)",
    "SELECT v.n AS n, a.lead AS lead, coalesce(a.contact, l.contact) AS contact, a.id AS activity
     FROM v
     CROSS JOIN activity_ref f ON f.scope = v.scope AND f.value = v.value
     JOIN activity a ON a.id = f.activity
     LEFT JOIN lead l ON l.id = a.lead",
);

static EXTERNAL: Statement = Statement::with(
    "WITH v (n, source, key) AS",
    "(?, ?, ?)",
    "SELECT v.n AS n, a.lead AS lead, coalesce(a.contact, l.contact) AS contact, a.id AS activity
     FROM v
     CROSS JOIN activity a ON a.source = v.source AND a.external_key = v.key AND a.external_key IS NOT NULL
     LEFT JOIN lead l ON l.id = a.lead",
);

/// What activities tell that are known and to which the batch adds.
async fn told(conn: &mut SqliteConnection, lookup: &Lookup, facts: &mut Facts) -> Result<(), StoreError> {
    let known = lookup.gathering.iter().filter_map(|key| facts.external.get(key)?.activity);
    let known: Vec<i64> = known.map(|activity| activity.0).collect();
    if known.is_empty() {
        return Ok(());
    }
    let sql = "SELECT a.id, a.content FROM json_each(?1) v CROSS JOIN activity a ON a.id = v.value";
    for row in ask(conn, sql, to_json(&known)?).await? {
        let row = Columns::of(&row, "activity");
        facts.told.insert(ActivityId(row.int("id")?), row.json("content")?);
    }
    Ok(())
}

// ----------------------------------------------------------------------------------------------------------- identities

/// Who has it, and whether anybody else holds it: nearly always nobody does.
static HOLDERS: Statement = Statement::with(
    "WITH v (n, kind, value) AS",
    "(?, ?, ?)",
    "SELECT v.n AS n, i.contact AS contact, i.state AS state, i.first_seen AS first_seen, i.sender AS sender,
            i.failed_since AS failed_since
     FROM v CROSS JOIN identity i ON i.value = v.value AND i.kind = v.kind AND i.state = 'active'
     UNION ALL
     SELECT v.n, NULL, NULL, NULL, NULL, NULL FROM v
     WHERE EXISTS (SELECT 1 FROM identity i INDEXED BY identity_held
                   WHERE i.value = v.value AND i.kind = v.kind AND i.state <> 'active')",
);

/// Who holds which of the identities asked for, by its number.
#[derive(Default)]
struct Held {
    holders: HashMap<usize, Vec<Holder>>,
    /// Those that somebody else holds, too.
    others: Vec<usize>,
}

impl Held {
    fn read<'r>(rows: impl Iterator<Item = &'r SqliteRow>) -> Result<Self, StoreError> {
        let mut held = Self::default();
        for row in rows {
            let row = Columns::of(row, "identity");
            let n: usize = row.count("n")?;
            match row.get::<Option<i64>>("contact")? {
                Some(_) => held.holders.entry(n).or_default().push(holder(&row)?),
                None => held.others.push(n),
            }
        }
        Ok(held)
    }
}

async fn holders(conn: &mut SqliteConnection, lookup: &Lookup, facts: &mut Facts, held: Held) -> Result<(), StoreError> {
    let Held { mut holders, others } = held;
    if !others.is_empty() {
        other_holders(conn, lookup, &others, &mut holders).await?;
    }
    for (n, mut holders) in holders {
        // In the order they came, as the fold itself adds them.
        holders.sort_by_key(|holder| (holder.first_seen, holder.contact));
        facts.holders.insert(lookup.identities[n].clone(), holders);
    }
    Ok(())
}

fn holder(row: &Columns<'_>) -> Result<Holder, StoreError> {
    Ok(Holder {
        contact: ContactId(row.int("contact")?),
        state: row.parse("state", IdentityState::parse)?,
        first_seen: row.time("first_seen")?,
        sender: row.text("sender")?,
        failed: row.maybe_time("failed_since")?,
    })
}

/// The other holders of some values: the newest of each state, however many there are.
async fn other_holders(
    conn: &mut SqliteConnection,
    lookup: &Lookup,
    numbers: &[usize],
    held: &mut HashMap<usize, Vec<Holder>>,
) -> Result<(), StoreError> {
    let asked = |n: &usize| lookup.identities.get(*n).map(|(kind, value)| (*n, kind.as_str(), value.as_str()));
    let values: Vec<(usize, &str, &str)> = numbers.iter().filter_map(asked).collect();
    let sql = "WITH asked AS MATERIALIZED (
                   SELECT v.value ->> 0 AS n, v.value ->> 1 AS kind, v.value ->> 2 AS value FROM json_each(?1) v),
               states (state) AS (VALUES ('shared'), ('generic'), ('claimed'), ('historic'))
               SELECT asked.n AS n, i.contact AS contact, i.state AS state, i.first_seen AS first_seen, i.sender AS sender,
                      i.failed_since AS failed_since
               FROM asked CROSS JOIN states
               CROSS JOIN identity i ON i.kind = asked.kind AND i.value = asked.value AND i.state = states.state AND i.contact IN (
                   SELECT h.contact FROM identity h INDEXED BY identity_held
                   WHERE h.value = asked.value AND h.kind = asked.kind AND h.state = states.state AND h.state <> 'active'
                   ORDER BY h.first_seen DESC, h.contact DESC LIMIT ?2)";
    let rows = sqlx::query(sql)
        .bind(to_json(&values)?)
        .bind(i64::try_from(MOST_HOLDERS).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await
        .map_err(store)?;
    for row in &rows {
        let row = Columns::of(row, "identity");
        held.entry(row.count("n")?).or_default().push(holder(&row)?);
    }
    for n in numbers {
        if let Some(holders) = held.get_mut(n) {
            keep_newest(holders);
        }
    }
    Ok(())
}

// ------------------------------------------------------------------------------------------------- contacts and leads

/// The contacts that holders and places lead to, through every merge, with their open and their last other lead.
async fn contacts(conn: &mut SqliteConnection, facts: &mut Facts) -> Result<(), StoreError> {
    let mut ids: Vec<i64> = facts.holders.values().flatten().map(|holder| holder.contact.0).collect();
    ids.extend(places(facts).filter_map(|place| place.contact).map(|contact| contact.0));
    if ids.is_empty() {
        return Ok(());
    }
    ids.sort_unstable();
    ids.dedup();
    let sql = "WITH RECURSIVE closed (id) AS (
                   SELECT value FROM json_each(?1)
                   UNION
                   SELECT c.merged_into FROM closed JOIN contact c ON c.id = closed.id WHERE c.merged_into IS NOT NULL)
               SELECT c.id, c.names, c.last_active, c.merged_into, c.claims_day, c.claims, c.responsible,
                      o.id AS open_id, o.stage AS open_stage, o.touched_at AS open_touched, o.closed_at AS open_closed,
                      p.id AS last_id, p.stage AS last_stage, p.touched_at AS last_touched, p.closed_at AS last_closed
               FROM closed CROSS JOIN contact c ON c.id = closed.id
               LEFT JOIN lead o ON o.contact = c.id AND o.takes = 1
               LEFT JOIN lead p ON p.id = (
                   SELECT x.id FROM lead x INDEXED BY lead_other
                   WHERE x.contact = c.id AND x.takes = 0 AND x.contact IS NOT NULL ORDER BY x.id DESC LIMIT 1)";
    for row in ask(conn, sql, to_json(&ids)?).await? {
        let row = Columns::of(&row, "contact");
        let names: Vec<KeptName> = row.json("names")?;
        let fact = ContactFact {
            names: names.iter().map(|name| NameKey::parse(&name.key)).filter(|key| !key.is_empty()).collect(),
            last_active: row.time("last_active")?,
            merged_into: row.get::<Option<i64>>("merged_into")?.map(ContactId),
            claims_day: row.get::<Option<i64>>("claims_day")?.map(day).transpose()?,
            claims: row.count("claims")?,
            responsible: row.get("responsible")?,
            open: lead_fact(&row, ["open_id", "open_stage", "open_touched", "open_closed"])?,
            last: lead_fact(&row, ["last_id", "last_stage", "last_touched", "last_closed"])?,
        };
        facts.contacts.insert(ContactId(row.int("id")?), fact);
    }
    Ok(())
}

fn day(day: i64) -> Result<jiff::civil::Date, StoreError> {
    date_of(day).map_err(|error| corrupt("contact", error))
}

fn places(facts: &Facts) -> impl Iterator<Item = Place> {
    let known = facts.keys.values().map(|fact| fact.place);
    let again = facts.kept.values().map(|fact| fact.place);
    known.chain(facts.references.values().copied()).chain(facts.external.values().copied()).chain(again)
}

fn lead_fact(row: &Columns<'_>, [id, stage, touched, closed]: [&str; 4]) -> Result<Option<LeadFact>, StoreError> {
    let Some(id) = row.get::<Option<i64>>(id)? else { return Ok(None) };
    Ok(Some(LeadFact {
        id: LeadId(id),
        stage: row.parse(stage, Stage::parse)?,
        touched_at: row.time(touched)?,
        closed_at: row.maybe_time(closed)?,
    }))
}

/// Leads without a contact that a key or reference led to. Test leads stay out, as in the fold.
async fn orphans(conn: &mut SqliteConnection, facts: &mut Facts) -> Result<(), StoreError> {
    let ids: HashSet<i64> =
        places(facts).filter(|place| place.contact.is_none()).filter_map(|place| place.lead).map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT l.id, l.stage, l.touched_at, l.closed_at FROM json_each(?1) v CROSS JOIN lead l ON l.id = v.value
               WHERE l.contact IS NULL AND l.test = 0";
    for row in ask(conn, sql, to_json(&ids)?).await? {
        let row = Columns::of(&row, "lead");
        if let Some(fact) = lead_fact(&row, ["id", "stage", "touched_at", "closed_at"])? {
            facts.orphans.insert(fact.id, fact);
        }
    }
    Ok(())
}

/// What happened lately on the contacts of deliveries that may have a twin: of each the newest of what stands on itself, on its
/// open lead and on its newest others. Only for batches with such deliveries.
async fn recent(conn: &mut SqliteConnection, lookup: &Lookup, facts: &mut Facts) -> Result<(), StoreError> {
    let Some((from, to)) = lookup.window else { return Ok(()) };
    facts.remembers = true;
    let contacts: Vec<i64> = facts.holders_of(&lookup.twins).into_iter().map(|contact| contact.0).collect();
    if contacts.is_empty() {
        return Ok(());
    }
    let sql = concat!(
        "WITH asked AS MATERIALIZED (SELECT value AS contact FROM json_each(?1)),
         led AS MATERIALIZED (
             SELECT asked.contact AS contact, l.id AS lead FROM asked CROSS JOIN lead l ON l.contact = asked.contact AND l.takes = 1
             UNION ALL
             SELECT asked.contact, l.id FROM asked CROSS JOIN lead l ON l.id IN (
                 SELECT x.id FROM lead x INDEXED BY lead_other
                 WHERE x.contact = asked.contact AND x.takes = 0 AND x.contact IS NOT NULL ORDER BY x.id DESC LIMIT 3)),
         found AS MATERIALIZED (
             SELECT led.contact AS contact, a.id AS id FROM led CROSS JOIN activity a ON a.id IN (
                 SELECT x.id FROM activity x INDEXED BY activity_lead WHERE x.lead = led.lead ORDER BY x.id DESC LIMIT ?4)
             UNION ALL
             SELECT asked.contact, a.id FROM asked CROSS JOIN activity a ON a.id IN (
                 SELECT x.id FROM activity x INDEXED BY activity_contact
                 WHERE x.contact = asked.contact AND x.lead IS NULL ORDER BY x.id DESC LIMIT ?4))
         SELECT found.contact AS contact, a.id AS activity, a.lead AS lead, a.content AS content, s.id AS submission,
                s.source AS source, s.received_at AS at
         FROM found CROSS JOIN activity a ON a.id = found.id
         CROSS JOIN submission s ON s.seq = ",
        speaker!(),
        " WHERE s.received_at BETWEEN ?2 AND ?3"
    );
    let statement = sqlx::query(sql).bind(to_json(&contacts)?).bind(from.as_microsecond()).bind(to.as_microsecond());
    let statement = statement.bind(i64::try_from(MOST_RECENT).unwrap_or(i64::MAX));
    for row in &statement.fetch_all(conn).await.map_err(store)? {
        let row = Columns::of(row, "activity");
        let content: Content = row.json("content")?;
        let submission = SubmissionId(row.uuid("submission")?);
        facts.recent.push(RecentFact::of(place(&row)?, submission, row.source("source")?, row.time("at")?, &content));
    }
    Ok(())
}
