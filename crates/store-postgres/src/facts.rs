//! Loads what a batch touches, in two questions at most, never one per lead, and holds the contacts it finds.
//!
//! The identities and keys are locked before this (see `locks`), so whatever holds them stays. The contacts behind them
//! may be at work elsewhere, by another of their values or by a person's hand: their rows are locked in the order of their
//! numbers, and only then is it asked where they stand.

use std::collections::{BTreeSet, HashMap};

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

use crate::apply::micros;
use crate::bulk::text;
use crate::conn::Conn;
use crate::error::corrupt;
use crate::rows::Columns;

/// Everything a lookup asks for, with the place of the question in `n`.
///
/// Where a submission stands today is asked, not where it stood: its activity may have been detached, its lead may have got
/// a contact. Everything is looked up from what is asked (`OFFSET 0` keeps it so): a plan that went through a whole table,
/// because there were few rows when it was made, would be kept while the table grows. Of an identity: who has it, and if anybody else holds it (nearly always nobody does), the newest of each state.
const LOOKUP: &str = "
    WITH asked AS MATERIALIZED (
        SELECT 'submission' AS what, 0::bigint AS n, s.id, s.seq, NULL::bytea AS content, NULL::bytea AS earlier, NULL::bigint AS at
        FROM unnest($1::bytea[]) AS v (id)
        CROSS JOIN LATERAL (SELECT s.id, s.seq FROM submission s WHERE s.id = v.id OFFSET 0) s
        UNION ALL
        SELECT 'submission', 0, q.id, q.submission, NULL, NULL, NULL
        FROM unnest($1::bytea[]) AS v (id)
        CROSS JOIN LATERAL (SELECT q.id, q.submission FROM submission_repeat q WHERE q.id = v.id OFFSET 0) q
        UNION ALL
        SELECT 'key', v.n, NULL, k.submission, k.content, k.earlier, k.at
        FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS v (source, scope, value, n)
        CROSS JOIN LATERAL (SELECT k.submission, k.content, k.earlier, k.at FROM submission_key k
                            WHERE k.source = v.source AND k.scope = v.scope AND k.value = v.value OFFSET 0) k)
    SELECT asked.what, asked.n, coalesce(asked.id, s.id) AS id, asked.content, asked.earlier, asked.at,
           CASE WHEN a.id IS NULL THEN r.lead ELSE a.lead END AS lead,
           coalesce(CASE WHEN a.id IS NULL THEN r.contact ELSE a.contact END, l.contact) AS contact, r.activity AS activity,
           NULL::text AS state, NULL::text AS sender, NULL::bigint AS failed_since
    FROM asked CROSS JOIN LATERAL (SELECT s.id, s.seq, s.receipt FROM submission s WHERE s.seq = asked.seq OFFSET 0) s
    CROSS JOIN LATERAL (SELECT r.lead, r.contact, r.activity FROM receipt r
                        WHERE r.submission = s.seq AND r.n = s.receipt OFFSET 0) r
    LEFT JOIN activity a ON a.id = r.activity
    LEFT JOIN lead l ON l.id = CASE WHEN a.id IS NULL THEN r.lead ELSE a.lead END
    UNION ALL
    SELECT 'reference', v.n, NULL, NULL, NULL, NULL, a.lead, coalesce(a.contact, l.contact), a.id, NULL, NULL, NULL
    FROM unnest($5::text[], $6::text[]) WITH ORDINALITY AS v (scope, value, n)
    CROSS JOIN LATERAL (SELECT f.activity FROM activity_ref f WHERE f.scope = v.scope AND f.value = v.value OFFSET 0) f
    CROSS JOIN LATERAL (SELECT a.id, a.lead, a.contact FROM activity a WHERE a.id = f.activity OFFSET 0) a
    LEFT JOIN lead l ON l.id = a.lead
    UNION ALL
    SELECT 'external', v.n, NULL, NULL, NULL, NULL, a.lead, coalesce(a.contact, l.contact), a.id, NULL, NULL, NULL
    FROM unnest($7::text[], $8::text[]) WITH ORDINALITY AS v (source, key, n)
    CROSS JOIN LATERAL (SELECT a.id, a.lead, a.contact FROM activity a
                        WHERE a.source = v.source AND a.external_key = v.key AND a.external_key IS NOT NULL OFFSET 0) a
    LEFT JOIN lead l ON l.id = a.lead
    UNION ALL
    SELECT 'holder', v.n, NULL, NULL, NULL, i.first_seen, NULL, i.contact, NULL, i.state, i.sender, i.failed_since
    FROM unnest($9::text[], $10::text[]) WITH ORDINALITY AS v (kind, value, n)
    CROSS JOIN LATERAL (SELECT i.contact, i.state, i.first_seen, i.sender, i.failed_since FROM identity i
                        WHERE i.value = v.value AND i.kind = v.kind AND i.state = 'active' OFFSET 0) i
    UNION ALL
    SELECT 'holder', v.n, NULL, NULL, NULL, h.first_seen, NULL, h.contact, NULL, h.state, h.sender, h.failed_since
    FROM unnest($9::text[], $10::text[]) WITH ORDINALITY AS v (kind, value, n)
    CROSS JOIN LATERAL (SELECT 1 FROM identity i
                        WHERE i.value = v.value AND i.kind = v.kind AND i.state <> 'active' LIMIT 1) held
    CROSS JOIN (VALUES ('shared' COLLATE \"C\"), ('generic'), ('claimed'), ('historic')) AS states (state)
    CROSS JOIN LATERAL (SELECT i.contact, i.state, i.first_seen, i.sender, i.failed_since FROM identity i
                        WHERE i.value = v.value AND i.kind = v.kind AND i.state = states.state AND i.state <> 'active'
                        ORDER BY i.first_seen DESC, i.contact DESC LIMIT $11) h
    UNION ALL
    SELECT 'ignored', v.n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM unnest($12::text[], $13::text[]) WITH ORDINALITY AS v (kind, value, n)
    CROSS JOIN LATERAL (SELECT 1 FROM ignored_sender i WHERE i.kind = v.kind AND i.value = v.value OFFSET 0) i";

/// What becomes of the rows that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// They are about to change: nobody else changes them before the transaction ends.
    Locked,
    /// Nothing.
    Free,
}

impl Hold {
    /// One statement or the other.
    fn choose(self, locked: &'static str, free: &'static str) -> &'static str {
        match self {
            Self::Locked => locked,
            Self::Free => free,
        }
    }
}

/// The submission whose content an activity `a` tells today.
macro_rules! speaker {
    () => {
        "CASE WHEN a.revisions = 0 THEN a.submission
              ELSE (SELECT x.submission FROM activity_revision x WHERE x.activity = a.id ORDER BY x.n DESC LIMIT 1) END"
    };
}
pub(crate) use speaker;

/// Loads the facts of a batch.
pub(crate) async fn load(conn: &mut Conn, lookup: &Lookup, ids: Ids, how: Hold) -> Result<Facts, StoreError> {
    loaded(conn, lookup, ids, how, &HashMap::new()).await
}

/// Loads the facts of submissions that are kept and recorded again.
pub(crate) async fn load_again(conn: &mut Conn, lookup: &Lookup, ids: Ids, how: Hold) -> Result<Facts, StoreError> {
    let kept = kept(conn, lookup).await?;
    loaded(conn, lookup, ids, how, &kept).await
}

type KeptFacts = HashMap<SubmissionId, KeptFact>;

async fn loaded(conn: &mut Conn, lookup: &Lookup, ids: Ids, how: Hold, kept: &KeptFacts) -> Result<Facts, StoreError> {
    let mut facts = looked_up(conn, lookup, ids, kept).await?;
    let mut held: BTreeSet<i64> = BTreeSet::new();
    // A contact that was taken away before its lock was ours is looked for again: something else has its values now.
    for _ in 0..2 {
        let found = contacts_of(&facts);
        if found.is_empty() {
            break;
        }
        held = hold(conn, &found, how).await?;
        if held.is_superset(&found) {
            break;
        }
        facts = looked_up(conn, lookup, ids, kept).await?;
    }
    told(conn, lookup, &mut facts).await?;
    contacts(conn, &held, &mut facts).await?;
    orphans(conn, &mut facts, how).await?;
    recent(conn, lookup, &mut facts).await?;
    Ok(facts)
}

/// Submissions that are kept, as they stand today.
async fn kept(conn: &mut Conn, lookup: &Lookup) -> Result<KeptFacts, StoreError> {
    let sql = concat!(
        "SELECT s.id, s.seq, s.source, s.receipt, s.outcome, s.dropped,
                CASE WHEN a.id IS NULL THEN r.lead ELSE a.lead END AS lead,
                coalesce(CASE WHEN a.id IS NULL THEN r.contact ELSE a.contact END, l.contact) AS contact, r.activity,
                CASE WHEN s.seq = ",
        speaker!(),
        " THEN a.content END AS content, a.touch
         FROM unnest($1::bytea[]) AS v (id)
         CROSS JOIN LATERAL (SELECT s.id, s.seq, s.source, s.receipt, s.outcome,
                                    (s.outcome = 'noted' AND s.decided_at IS NOT NULL)::int::smallint AS dropped
                             FROM submission s WHERE s.id = v.id OFFSET 0) s
         CROSS JOIN LATERAL (SELECT r.lead, r.contact, r.activity FROM receipt r
                             WHERE r.submission = s.seq AND r.n = s.receipt OFFSET 0) r
         LEFT JOIN activity a ON a.id = r.activity
         LEFT JOIN lead l ON l.id = CASE WHEN a.id IS NULL THEN r.lead ELSE a.lead END"
    );
    let ids: Vec<Vec<u8>> = lookup.submissions.iter().map(|id| id.0.as_bytes().to_vec()).collect();
    let mut kept = KeptFacts::new();
    for row in &conn.all(sqlx::query(sql).bind(ids)).await? {
        let row = Columns::of(row, "submission");
        let fact = KeptFact {
            seq: row.int("seq")?,
            source: row.source("source")?,
            receipt: row.int("receipt")?,
            outcome: row.parse("outcome", Outcome::parse)?,
            dropped: row.flag("dropped")?,
            place: place(&row)?,
            content: row.get("content")?,
            touch: row.get("touch")?,
        };
        kept.insert(SubmissionId(row.uuid("id")?), fact);
    }
    Ok(kept)
}

async fn looked_up(conn: &mut Conn, lookup: &Lookup, ids: Ids, kept: &KeptFacts) -> Result<Facts, StoreError> {
    let texts = |texts: Vec<&str>| texts.into_iter().map(text).collect::<Vec<_>>();
    let statement = sqlx::query(LOOKUP)
        .bind(lookup.submissions.iter().map(|id| id.0.as_bytes().to_vec()).collect::<Vec<_>>())
        .bind(texts(lookup.keys.iter().map(|key| key.source.as_str()).collect()))
        .bind(texts(lookup.keys.iter().map(|key| key.scope.as_str()).collect()))
        .bind(texts(lookup.keys.iter().map(|key| key.value.as_str()).collect()))
        .bind(texts(lookup.references.iter().map(|(scope, _)| scope.as_str()).collect()))
        .bind(texts(lookup.references.iter().map(|(_, value)| value.as_str()).collect()))
        .bind(texts(lookup.external.iter().map(|(source, _)| source.as_str()).collect()))
        .bind(texts(lookup.external.iter().map(|(_, key)| key.as_str()).collect()))
        .bind(texts(lookup.identities.iter().map(|(kind, _)| kind.as_str()).collect()))
        .bind(texts(lookup.identities.iter().map(|(_, value)| value.as_str()).collect()))
        .bind(i64::try_from(MOST_HOLDERS).unwrap_or(i64::MAX))
        .bind(texts(lookup.senders.iter().map(|sender| sender.kind.as_str()).collect()))
        .bind(texts(lookup.senders.iter().map(|sender| sender.value.as_str()).collect()));
    let mut facts = Facts { kept: kept.clone(), ..Facts::new(ids) };
    let mut held: HashMap<usize, Vec<Holder>> = HashMap::new();
    for row in &conn.all(statement).await? {
        let row = Columns::of(row, "a lookup");
        match row.get::<&str>("what")? {
            "submission" => {
                facts.submissions.insert(SubmissionId(row.uuid("id")?), place(&row)?);
            }
            "key" => {
                facts.keys.insert(asked_for::<KeyId>(&lookup.keys, &row)?.1.clone(), key(&row)?);
            }
            "reference" => {
                facts.references.insert(asked_for(&lookup.references, &row)?.1.clone(), place(&row)?);
            }
            "external" => {
                facts.external.insert(asked_for(&lookup.external, &row)?.1.clone(), place(&row)?);
            }
            "ignored" => {
                facts.ignored.insert(asked_for(&lookup.senders, &row)?.1.clone());
            }
            _ => held.entry(asked_for(&lookup.identities, &row)?.0).or_default().push(holder(&row)?),
        }
    }
    for (n, mut holders) in held {
        keep_newest(&mut holders);
        // In the order they came, as the fold itself adds them.
        holders.sort_by_key(|holder| (holder.first_seen, holder.contact));
        facts.holders.insert(lookup.identities[n].clone(), holders);
    }
    Ok(facts)
}

/// What the row answers: the statement gives the place of the question back, counted from one.
fn asked_for<'a, T>(asked: &'a [T], row: &Columns<'_>) -> Result<(usize, &'a T), StoreError> {
    let n: usize = row.count("n")?;
    let place = n.checked_sub(1).ok_or_else(|| corrupt("a result", "nobody asked number 0"))?;
    asked.get(place).map(|asked| (place, asked)).ok_or_else(|| corrupt("a result", format!("nobody asked number {n}")))
}

fn place(row: &Columns<'_>) -> Result<Place, StoreError> {
    Ok(Place {
        lead: row.get::<Option<i64>>("lead")?.map(LeadId),
        contact: row.get::<Option<i64>>("contact")?.map(ContactId),
        activity: row.get::<Option<i64>>("activity")?.map(ActivityId),
    })
}

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

fn holder(row: &Columns<'_>) -> Result<Holder, StoreError> {
    Ok(Holder {
        contact: ContactId(row.int("contact")?),
        state: row.parse("state", IdentityState::parse)?,
        first_seen: row.time("at")?,
        sender: row.text("sender")?,
        failed: row.maybe_time("failed_since")?,
    })
}

/// What activities tell that are known and to which the batch adds. What their source calls them is locked, so nobody else does.
async fn told(conn: &mut Conn, lookup: &Lookup, facts: &mut Facts) -> Result<(), StoreError> {
    let known = lookup.gathering.iter().filter_map(|key| facts.external.get(key)?.activity);
    let known: Vec<i64> = known.map(|activity| activity.0).collect();
    if known.is_empty() {
        return Ok(());
    }
    let sql = "SELECT a.id, a.content FROM unnest($1::bigint[]) AS v (id)
               CROSS JOIN LATERAL (SELECT a.id, a.content FROM activity a WHERE a.id = v.id OFFSET 0) a";
    for row in &conn.all(sqlx::query(sql).bind(known)).await? {
        let row = Columns::of(row, "activity");
        facts.told.insert(ActivityId(row.int("id")?), row.json("content")?);
    }
    Ok(())
}

// ------------------------------------------------------------------------------------------------- contacts and leads

/// The contacts that holders and places lead to.
pub(crate) fn contacts_of(facts: &Facts) -> BTreeSet<i64> {
    let holders = facts.holders.values().flatten().map(|holder| holder.contact.0);
    holders.chain(places(facts).filter_map(|place| place.contact).map(|contact| contact.0)).collect()
}

pub(crate) fn places(facts: &Facts) -> impl Iterator<Item = Place> {
    let known = facts.keys.values().map(|fact| fact.place);
    let others = facts.submissions.values().chain(facts.references.values()).chain(facts.external.values()).copied();
    known.chain(others).chain(facts.kept.values().map(|fact| fact.place))
}

/// Contacts through every merge, in the order of their numbers.
macro_rules! contacts_through_merges {
    () => {
        "WITH RECURSIVE closed (id) AS (
                   SELECT unnest($1::bigint[])
                   UNION
                   SELECT c.merged_into FROM closed CROSS JOIN LATERAL (
                       SELECT c.merged_into FROM contact c WHERE c.id = closed.id AND c.merged_into IS NOT NULL OFFSET 0) c)
               SELECT c.id FROM contact c WHERE c.id = ANY (ARRAY (SELECT id FROM closed)) ORDER BY c.id"
    };
}

/// Locks contacts, through every merge, in the order of their numbers. Says which there are.
pub(crate) async fn hold(conn: &mut Conn, contacts: &BTreeSet<i64>, how: Hold) -> Result<BTreeSet<i64>, StoreError> {
    let locked = concat!(contacts_through_merges!(), " FOR NO KEY UPDATE OF c");
    let sql = how.choose(locked, contacts_through_merges!());
    let rows = conn.all(sqlx::query(sql).bind(contacts.iter().copied().collect::<Vec<_>>())).await?;
    rows.iter().map(|row| Columns::of(row, "contact").int("id")).collect()
}

/// Contacts with their open and their last other lead.
async fn contacts(conn: &mut Conn, held: &BTreeSet<i64>, facts: &mut Facts) -> Result<(), StoreError> {
    if held.is_empty() {
        return Ok(());
    }
    let sql = "SELECT c.id, c.names, c.last_active, c.merged_into, c.claims_day, c.claims, c.responsible,
                      o.id AS open_id, o.stage AS open_stage, o.touched_at AS open_touched, o.closed_at AS open_closed,
                      p.id AS last_id, p.stage AS last_stage, p.touched_at AS last_touched, p.closed_at AS last_closed
               FROM unnest($1::bigint[]) AS v (id)
               CROSS JOIN LATERAL (SELECT c.* FROM contact c WHERE c.id = v.id OFFSET 0) c
               LEFT JOIN lead o ON o.contact = c.id AND o.takes = 1
               LEFT JOIN LATERAL (SELECT x.id, x.stage, x.touched_at, x.closed_at FROM lead x
                                  WHERE x.contact = c.id AND x.takes = 0 AND x.contact IS NOT NULL
                                  ORDER BY x.id DESC LIMIT 1) p ON TRUE";
    for row in &conn.all(sqlx::query(sql).bind(held.iter().copied().collect::<Vec<_>>())).await? {
        let row = Columns::of(row, "contact");
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

fn lead_fact(row: &Columns<'_>, [id, stage, touched, closed]: [&str; 4]) -> Result<Option<LeadFact>, StoreError> {
    let Some(id) = row.get::<Option<i64>>(id)? else { return Ok(None) };
    Ok(Some(LeadFact {
        id: LeadId(id),
        stage: row.parse(stage, Stage::parse)?,
        touched_at: row.time(touched)?,
        closed_at: row.maybe_time(closed)?,
    }))
}

/// Leads without a contact that a key or reference led to, locked: two deliveries may want to give one a contact. Test
/// leads stay out, as in the fold.
async fn orphans(conn: &mut Conn, facts: &mut Facts, how: Hold) -> Result<(), StoreError> {
    let nameless = places(facts).filter(|place| place.contact.is_none());
    let ids: BTreeSet<i64> = nameless.filter_map(|place| place.lead).map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = how.choose(
        "SELECT l.id, l.stage, l.touched_at, l.closed_at, l.contact FROM lead l
         WHERE l.id = ANY ($1) AND l.test = 0 ORDER BY l.id FOR NO KEY UPDATE",
        "SELECT l.id, l.stage, l.touched_at, l.closed_at, l.contact FROM lead l WHERE l.id = ANY ($1) AND l.test = 0",
    );
    for row in &conn.all(sqlx::query(sql).bind(ids.into_iter().collect::<Vec<_>>())).await? {
        let row = Columns::of(row, "lead");
        if row.get::<Option<i64>>("contact")?.is_some() {
            // It got one after it was looked up.
            return Err(StoreError::Conflict);
        }
        if let Some(fact) = lead_fact(&row, ["id", "stage", "touched_at", "closed_at"])? {
            facts.orphans.insert(fact.id, fact);
        }
    }
    Ok(())
}

/// What happened lately on the contacts of deliveries that may have a twin: of each the newest of what stands on itself, on its
/// open lead and on its newest others. Only for batches with such deliveries.
async fn recent(conn: &mut Conn, lookup: &Lookup, facts: &mut Facts) -> Result<(), StoreError> {
    let Some((from, to)) = lookup.window else { return Ok(()) };
    facts.remembers = true;
    let contacts: Vec<i64> = facts.holders_of(&lookup.twins).into_iter().map(|contact| contact.0).collect();
    if contacts.is_empty() {
        return Ok(());
    }
    let sql = concat!(
        "WITH asked AS MATERIALIZED (SELECT unnest($1::bigint[]) AS contact),
         led AS MATERIALIZED (
             SELECT asked.contact, l.id AS lead FROM asked JOIN lead l ON l.contact = asked.contact AND l.takes = 1
             UNION ALL
             SELECT asked.contact, l.id FROM asked CROSS JOIN LATERAL (
                 SELECT x.id FROM lead x WHERE x.contact = asked.contact AND x.takes = 0 AND x.contact IS NOT NULL
                 ORDER BY x.id DESC LIMIT 3) l),
         found AS MATERIALIZED (
             SELECT led.contact, a.id FROM led CROSS JOIN LATERAL (
                 SELECT x.id FROM activity x WHERE x.lead = led.lead ORDER BY x.id DESC LIMIT $4) a
             UNION ALL
             SELECT asked.contact, a.id FROM asked CROSS JOIN LATERAL (
                 SELECT x.id FROM activity x WHERE x.contact = asked.contact AND x.lead IS NULL ORDER BY x.id DESC LIMIT $4) a)
         SELECT found.contact, a.id AS activity, a.lead, a.content, s.id AS submission, s.source, s.received_at AS at
         FROM found CROSS JOIN LATERAL (SELECT a.id, a.lead, a.content, ",
        speaker!(),
        " AS speaker FROM activity a WHERE a.id = found.id OFFSET 0) a
         CROSS JOIN LATERAL (SELECT s.id, s.source, s.received_at FROM submission s
                             WHERE s.seq = a.speaker AND s.received_at BETWEEN $2 AND $3 OFFSET 0) s"
    );
    let statement = sqlx::query(sql).bind(contacts).bind(micros(from)).bind(micros(to));
    let statement = statement.bind(i64::try_from(MOST_RECENT).unwrap_or(i64::MAX));
    for row in &conn.all(statement).await? {
        let row = Columns::of(row, "activity");
        let content: Content = row.json("content")?;
        let submission = SubmissionId(row.uuid("submission")?);
        facts.recent.push(RecentFact::of(place(&row)?, submission, row.source("source")?, row.time("at")?, &content));
    }
    Ok(())
}
