//! Removing everything that is known of a person. What belongs to them is locked as a batch would lock it, then gathered; then a
//! fixed number of statements removes it, however much there is.

use leadgate_core::change::ChangeError;
use leadgate_core::ids::{ContactId, SubmissionId};
use leadgate_core::keeping::{Erased, ErasedView, Erasure, Footprint};
use leadgate_core::onward::{EventData, event, of_address};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::IdentityKind;
use leadgate_core::submission::hex;
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::bulk::text;
use crate::conn::{Conn, Statement};
use crate::locks::Locks;
use crate::rows::Columns;
use crate::{facts, jobs, news, timers};

/// What belongs to a person, by numbers.
pub(crate) struct Theirs {
    pub(crate) leads: Vec<i64>,
    pub(crate) activities: Vec<i64>,
    pub(crate) submissions: Vec<i64>,
    identities: Vec<(String, String)>,
}

impl Theirs {
    /// A delivery belongs to whom its activity belongs to today: one that was taken off them is another's. One that only tells of
    /// an activity or of them, too.
    pub(crate) async fn gather(conn: &mut Conn, contact: i64) -> Result<Self, StoreError> {
        let leads = "SELECT id FROM lead WHERE contact = $1 AND takes = 1
                     UNION ALL SELECT id FROM lead WHERE contact = $1 AND takes = 0 AND contact IS NOT NULL ORDER BY 1";
        let leads = numbers(conn, sqlx::query(leads).bind(contact)).await?;
        let activities = "SELECT id FROM activity WHERE lead = ANY ($2)
                          UNION ALL SELECT id FROM activity WHERE contact = $1 AND lead IS NULL ORDER BY 1";
        let activities = numbers(conn, sqlx::query(activities).bind(contact).bind(&leads)).await?;
        let submissions = "SELECT submission AS id FROM activity WHERE id = ANY ($1) AND submission IS NOT NULL
                           UNION SELECT submission FROM activity_revision WHERE activity = ANY ($1)
                           UNION SELECT submission FROM submission_about WHERE activity = ANY ($1)
                           UNION SELECT submission FROM submission_about WHERE contact = $2 ORDER BY 1";
        let submissions = numbers(conn, sqlx::query(submissions).bind(&activities).bind(contact)).await?;
        let identities = identities(conn, contact).await?;
        Ok(Self { leads, activities, submissions, identities })
    }

    /// How much it is. Deliveries without bytes do not count: a second erasure finds nothing.
    async fn footprint(&self, conn: &mut Conn) -> Result<Footprint, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM activity WHERE id = ANY ($1) AND content <> '{}') AS activities,
                          (SELECT count(*) FROM submission WHERE seq = ANY ($2)
                           AND (content_type <> '' OR emptied_at IS NULL)) AS submissions";
        let row = conn.one(sqlx::query(sql).bind(&self.activities).bind(&self.submissions)).await?;
        let row = Columns::of(&row, "activity");
        Ok(Footprint {
            identities: self.identities.len() as u64,
            leads: self.leads.len() as u64,
            activities: row.count("activities")?,
            submissions: row.count("submissions")?,
            found: 0,
        })
    }
}

async fn numbers(conn: &mut Conn, statement: Statement<'_>) -> Result<Vec<i64>, StoreError> {
    conn.all(statement).await?.iter().map(|row| Columns::of(row, "a number").int("id")).collect()
}

async fn identities(conn: &mut Conn, contact: i64) -> Result<Vec<(String, String)>, StoreError> {
    let rows = conn.all(sqlx::query("SELECT kind, value FROM identity WHERE contact = $1 ORDER BY kind, value").bind(contact));
    let pair = |row: &PgRow| {
        let row = Columns::of(row, "identity");
        Ok((row.text("kind")?, row.text("value")?))
    };
    rows.await?.iter().map(pair).collect()
}

/// How much is known of a person.
pub(crate) async fn footprint(conn: &mut Conn, contact: ContactId) -> Result<Option<Footprint>, StoreError> {
    if standing(conn, contact.0).await?.is_none() {
        return Ok(None);
    }
    let theirs = Theirs::gather(conn, contact.0).await?;
    theirs.footprint(conn).await.map(Some)
}

/// The UUID of a contact, and when it was erased.
async fn standing(conn: &mut Conn, contact: i64) -> Result<Option<(Vec<u8>, Option<jiff::Timestamp>)>, StoreError> {
    let row = conn.optional(sqlx::query("SELECT uuid, erased_at FROM contact WHERE id = $1").bind(contact)).await?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::of(&row, "contact");
    Ok(Some((row.get("uuid")?, row.maybe_time("erased_at")?)))
}

/// Locks in the order of batches: identities, contact, leads. What came while it waited for a lock makes it begin anew.
async fn hold(conn: &mut Conn, contact: i64) -> Result<Theirs, StoreError> {
    let before = identities(conn, contact).await?;
    let mut locks = Locks::default();
    for (kind, value) in &before {
        locks.identity(kind, value);
    }
    conn.simple(locks.statement()).await?;
    facts::hold(conn, &[contact].into(), facts::Hold::Locked).await?;
    let theirs = Theirs::gather(conn, contact).await?;
    let sql = "SELECT id FROM lead WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";
    let held = numbers(conn, sqlx::query(sql).bind(&theirs.leads)).await?;
    if theirs.identities != before || held != theirs.leads {
        return Err(StoreError::Conflict);
    }
    Ok(theirs)
}

/// Removes everything.
pub(crate) async fn erase(conn: &mut Conn, erasure: &Erasure, act: &Act) -> Result<Result<Erased, ChangeError>, StoreError> {
    let contact = erasure.contact.0;
    if standing(conn, contact).await?.is_none() {
        return Ok(Err(ChangeError::Missing("contact")));
    }
    let theirs = hold(conn, contact).await?;
    let Some((uuid, before)) = standing(conn, contact).await? else { return Err(StoreError::Conflict) };
    let mut gone = theirs.footprint(conn).await?;
    let found = found(conn, &erasure.also).await?;
    gone.found = found.len() as u64;
    let all: Vec<i64> = theirs.submissions.iter().chain(&found).copied().collect();
    let sql = "SELECT DISTINCT sha256 FROM attachment WHERE submission = ANY ($1) ORDER BY 1";
    let files = conn.all(sqlx::query(sql).bind(&all)).await?;
    let files = files.iter().map(|row| Columns::of(row, "attachment").text("sha256")).collect::<Result<Vec<_>, _>>()?;
    deliveries(conn, &theirs.submissions, &all, &found, act).await?;
    happenings(conn, &theirs.activities, contact).await?;
    leads(conn, &theirs.leads, before.is_none(), act).await?;
    person(conn, contact, act).await?;
    jobs::forget(conn, &theirs.leads, contact, act.at).await?;
    let emails = theirs.identities.iter().filter(|(kind, _)| kind == IdentityKind::EMAIL.as_str());
    timers::unanswered(conn, &emails.map(|(_, value)| of_address(value)).collect::<Vec<_>>()).await?;
    timers::taken(conn, &theirs.leads, Some(contact)).await?;
    let sql = "INSERT INTO erased (uuid, contact, at, actor, reason, key) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let statement = sqlx::query(sql).bind(&uuid).bind(contact).bind(micros(act.at)).bind(text(&act.actor));
    conn.run(statement.bind(text(&erasure.reason)).bind(erasure.key.name())).await?;
    let hashes: Vec<String> = theirs.identities.iter().map(|(kind, value)| hex(&erasure.key.hash(kind, value))).collect();
    remember(conn, &uuid, &hashes).await?;
    if before.is_none() {
        let data = EventData { contact: Some(erasure.contact), ..EventData::default() };
        news::act(conn, event::CONTACT_ERASED, act, data).await?;
    }
    let sql = "SELECT v.sha256 FROM unnest($1::text[]) AS v (sha256)
               WHERE NOT EXISTS (SELECT 1 FROM attachment a WHERE a.sha256 = v.sha256) ORDER BY 1";
    let files = conn.all(sqlx::query(sql).bind(files)).await?;
    let files = files.iter().map(|row| Columns::of(row, "attachment").text("sha256")).collect::<Result<_, _>>()?;
    Ok(Ok(Erased { contact: erasure.contact, at: before.unwrap_or(act.at), gone, files }))
}

/// Deliveries that no lead was made of, of those asked for.
async fn found(conn: &mut Conn, also: &[SubmissionId]) -> Result<Vec<i64>, StoreError> {
    let ids: Vec<Vec<u8>> = also.iter().map(|id| id.0.as_bytes().to_vec()).collect();
    let sql = "SELECT seq AS id FROM submission WHERE id = ANY ($1) AND outcome IN ('quarantined', 'spam', 'noted', 'probe')
               ORDER BY seq FOR UPDATE";
    numbers(conn, sqlx::query(sql).bind(ids)).await
}

/// `theirs` lose what they brought, `found` go with their rows; `all` are both.
async fn deliveries(conn: &mut Conn, theirs: &[i64], all: &[i64], found: &[i64], act: &Act) -> Result<(), StoreError> {
    // The last refusal of a source may tell of this one.
    let sql = "UPDATE source_health h SET last_rejection = NULL
               WHERE EXISTS (SELECT 1 FROM submission s
                             WHERE s.seq = ANY ($1) AND s.source = h.source AND s.received_at = h.last_rejected)";
    conn.run(sqlx::query(sql).bind(all)).await?;
    // Not by an index: whoever is erased is few, and a lead should not pay for it. The keys of a source lie together.
    let sql = "DELETE FROM submission_key
               WHERE source = ANY (ARRAY (SELECT s.source FROM submission s WHERE s.seq = ANY ($1))) AND submission = ANY ($1)";
    conn.run(sqlx::query(sql).bind(all)).await?;
    conn.run(sqlx::query("DELETE FROM attachment WHERE submission = ANY ($1)").bind(all)).await?;
    conn.run(sqlx::query("DELETE FROM submission WHERE seq = ANY ($1)").bind(found)).await?;
    conn.run(sqlx::query("UPDATE receipt SET reasons = '[]' WHERE submission = ANY ($1)").bind(theirs)).await?;
    let sql = "UPDATE submission SET raw = '', codec = 'plain', query = '', peer = NULL, head = '', content_type = '',
                                     sha256 = decode(repeat('00', 32), 'hex'), emptied_at = coalesce(emptied_at, $2)
               WHERE seq = ANY ($1)";
    conn.run(sqlx::query(sql).bind(theirs).bind(micros(act.at))).await.map(|_| ())
}

async fn happenings(conn: &mut Conn, activities: &[i64], contact: i64) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM activity_revision WHERE activity = ANY ($1)",
        "DELETE FROM activity_ref WHERE activity = ANY ($1)",
        "DELETE FROM call c USING activity a WHERE a.id = ANY ($1) AND c.source = a.source AND c.key = a.external_key",
        "UPDATE activity SET content = '{}', touch = NULL, external_key = NULL WHERE id = ANY ($1)",
    ] {
        conn.run(sqlx::query(sql).bind(activities)).await?;
    }
    // What was moved cannot be put back on somebody who is no more.
    let sql = "DELETE FROM activity_move WHERE from_contact = $2 OR to_contact = $2 OR activity = ANY ($1)";
    conn.run(sqlx::query(sql).bind(activities).bind(contact)).await.map(|_| ())
}

/// Leads stay for the counts, without what they say; open ones are closed, because nobody can work them.
async fn leads(conn: &mut Conn, leads: &[i64], first: bool, act: &Act) -> Result<(), StoreError> {
    conn.run(sqlx::query("UPDATE lead_history SET old = NULL, new = NULL WHERE lead = ANY ($1)").bind(leads)).await?;
    if first {
        let sql = "INSERT INTO lead_history (lead, n, at, actor, field)
                   SELECT v.lead, (SELECT coalesce(max(h.n), 0) FROM lead_history h WHERE h.lead = v.lead) + 1, $2, $3, 'erased'
                   FROM unnest($1::bigint[]) AS v (lead)";
        conn.run(sqlx::query(sql).bind(leads).bind(micros(act.at)).bind(text(&act.actor))).await?;
    }
    let sql = "UPDATE lead SET title = 'erased', name = '', first_touch = NULL, last_touch = NULL, takes = 0,
                               stage = CASE WHEN closed_at IS NULL THEN 'JUNK' ELSE stage END,
                               closed_at = coalesce(closed_at, $2), version = version + 1
               WHERE id = ANY ($1)";
    conn.run(sqlx::query(sql).bind(leads).bind(micros(act.at))).await.map(|_| ())
}

async fn person(conn: &mut Conn, contact: i64, act: &Act) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM call WHERE phone <> '' AND phone IN (SELECT value FROM identity WHERE contact = $1 AND kind = 'phone')",
        "DELETE FROM ignored_sender WHERE (kind, value) IN (SELECT kind, value FROM identity WHERE contact = $1)",
        "DELETE FROM chat WHERE chat IN (SELECT value FROM identity WHERE contact = $1 AND kind = 'telegram')",
        "DELETE FROM code_try WHERE (kind, value) IN (SELECT kind, value FROM identity WHERE contact = $1)",
        "DELETE FROM identity WHERE contact = $1",
        "DELETE FROM review WHERE a = $1",
        "DELETE FROM review WHERE b = $1",
    ] {
        conn.run(sqlx::query(sql).bind(contact)).await?;
    }
    let sql = "UPDATE contact SET name = '', names = '[]', words = '', waiting_since = NULL, erased_at = coalesce(erased_at, $2)
               WHERE id = $1";
    conn.run(sqlx::query(sql).bind(contact).bind(micros(act.at))).await.map(|_| ())
}

async fn remember(conn: &mut Conn, uuid: &[u8], hashes: &[String]) -> Result<(), StoreError> {
    let sql = "INSERT INTO erased_identity (hash, erased) SELECT decode(v.hash, 'hex'), $2 FROM unnest($1::text[]) AS v (hash)
               ON CONFLICT DO NOTHING";
    conn.run(sqlx::query(sql).bind(hashes).bind(uuid)).await.map(|_| ())
}

// ----------------------------------------------------------------------------------------------------------- who it was

/// Who was erased, newest first.
pub(crate) async fn list(conn: &mut Conn, hashes: Option<&[[u8; 32]]>) -> Result<Vec<ErasedView>, StoreError> {
    let sql = "SELECT e.uuid, e.contact, e.at, e.actor, e.reason, e.key,
                      ARRAY (SELECT encode(i.hash, 'hex') FROM erased_identity i WHERE i.erased = e.uuid ORDER BY 1) AS identities
               FROM erased e
               WHERE $1::bytea[] IS NULL OR e.uuid IN (SELECT i.erased FROM erased_identity i WHERE i.hash = ANY ($1))
               ORDER BY e.at DESC, e.uuid";
    let asked: Option<Vec<Vec<u8>>> = hashes.map(|hashes| hashes.iter().map(|hash| hash.to_vec()).collect());
    conn.all(sqlx::query(sql).bind(asked)).await?.iter().map(view).collect()
}

fn view(row: &PgRow) -> Result<ErasedView, StoreError> {
    let row = Columns::of(row, "erased");
    Ok(ErasedView {
        uuid: row.uuid("uuid")?,
        contact: ContactId(row.int("contact")?),
        at: row.time("at")?,
        actor: row.text("actor")?,
        reason: row.text("reason")?,
        key: row.text("key")?,
        identities: row.get("identities")?,
    })
}

/// Notes erasures this database does not know; says who of them is in it, not erased.
pub(crate) async fn note(conn: &mut Conn, erased: &[ErasedView]) -> Result<Vec<ContactId>, StoreError> {
    for row in erased {
        let sql =
            "INSERT INTO erased (uuid, contact, at, actor, reason, key) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let uuid = row.uuid.as_bytes().to_vec();
        let statement = sqlx::query(sql).bind(&uuid).bind(row.contact.0).bind(micros(row.at));
        conn.run(statement.bind(text(&row.actor)).bind(text(&row.reason)).bind(text(&row.key))).await?;
        remember(conn, &uuid, &row.identities).await?;
    }
    let sql = "SELECT c.id FROM contact c JOIN erased e ON e.uuid = c.uuid WHERE c.erased_at IS NULL ORDER BY c.id";
    Ok(numbers(conn, sqlx::query(sql)).await?.into_iter().map(ContactId).collect())
}
