//! Removing everything that is known of a person. What belongs to them is gathered first; then a fixed number of statements
//! removes it, however much there is.

use leadgate_core::change::ChangeError;
use leadgate_core::ids::{ContactId, SubmissionId};
use leadgate_core::keeping::{Erased, ErasedView, Erasure, Footprint};
use leadgate_core::onward::{EventData, event, of_address};
use leadgate_core::ports::{Act, StoreError};
use leadgate_core::prepare::IdentityKind;
use leadgate_core::submission::hex;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::error::{store, to_json};
use crate::rows::Columns;
use crate::writer::Writing;
use crate::{jobs, news, timers};

/// What belongs to a person, by numbers; as JSON, because that is what statements take.
pub(crate) struct Theirs {
    pub(crate) leads: Vec<i64>,
    pub(crate) activities: Vec<i64>,
    pub(crate) submissions: Vec<i64>,
    identities: Vec<(String, String)>,
}

impl Theirs {
    /// A delivery belongs to whom its activity belongs to today: one that was taken off them is another's. One that only tells of
    /// an activity or of them, too.
    pub(crate) async fn gather(conn: &mut SqliteConnection, contact: i64) -> Result<Self, StoreError> {
        let leads = "SELECT id FROM lead WHERE contact = ?1 AND takes = 1
                     UNION ALL SELECT id FROM lead WHERE contact = ?1 AND takes = 0 AND contact IS NOT NULL ORDER BY 1";
        let leads: Vec<i64> = sqlx::query_scalar(leads).bind(contact).fetch_all(&mut *conn).await.map_err(store)?;
        let activities = "SELECT a.id FROM json_each(?2) v CROSS JOIN activity a ON a.lead = v.value
                          UNION ALL SELECT id FROM activity WHERE contact = ?1 AND lead IS NULL ORDER BY 1";
        let activities = sqlx::query_scalar(activities).bind(contact).bind(to_json(&leads)?);
        let activities: Vec<i64> = activities.fetch_all(&mut *conn).await.map_err(store)?;
        let submissions = "SELECT a.submission FROM json_each(?1) v CROSS JOIN activity a ON a.id = v.value
                           WHERE a.submission IS NOT NULL
                           UNION SELECT r.submission FROM json_each(?1) v CROSS JOIN activity_revision r ON r.activity = v.value
                           UNION SELECT b.submission FROM json_each(?1) v CROSS JOIN submission_about b
                                                          INDEXED BY submission_about_activity ON b.activity = v.value
                           UNION SELECT submission FROM submission_about WHERE contact = ?2
                           ORDER BY 1";
        let submissions = sqlx::query_scalar(submissions).bind(to_json(&activities)?).bind(contact);
        let submissions: Vec<i64> = submissions.fetch_all(&mut *conn).await.map_err(store)?;
        let identities = sqlx::query_as("SELECT kind, value FROM identity WHERE contact = ?1 ORDER BY kind, value");
        let identities = identities.bind(contact).fetch_all(conn).await.map_err(store)?;
        Ok(Self { leads, activities, submissions, identities })
    }

    /// How much it is. Deliveries without bytes do not count: a second erasure finds nothing.
    async fn footprint(&self, conn: &mut SqliteConnection) -> Result<Footprint, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM json_each(?1) v CROSS JOIN activity a ON a.id = v.value WHERE a.content <> '{}') AS activities,
                          (SELECT count(*) FROM json_each(?2) v CROSS JOIN submission s ON s.seq = v.value
                           WHERE s.content_type <> '' OR s.emptied_at IS NULL) AS submissions";
        let row = sqlx::query(sql).bind(to_json(&self.activities)?).bind(to_json(&self.submissions)?);
        let row = row.fetch_one(conn).await.map_err(store)?;
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

/// How much is known of a person.
pub(crate) async fn footprint(conn: &mut SqliteConnection, contact: ContactId) -> Result<Option<Footprint>, StoreError> {
    if standing(conn, contact.0).await?.is_none() {
        return Ok(None);
    }
    let theirs = Theirs::gather(conn, contact.0).await?;
    theirs.footprint(conn).await.map(Some)
}

/// The UUID of a contact, and when it was erased.
async fn standing(conn: &mut SqliteConnection, contact: i64) -> Result<Option<(Vec<u8>, Option<i64>)>, StoreError> {
    let sql = "SELECT uuid, erased_at FROM contact WHERE id = ?1";
    sqlx::query_as(sql).bind(contact).fetch_optional(conn).await.map_err(store)
}

/// Removes everything.
pub(crate) async fn erase(
    writing: &mut Writing,
    erasure: &Erasure,
    act: &Act,
) -> Result<Result<Erased, ChangeError>, StoreError> {
    let conn = &mut writing.conn;
    let contact = erasure.contact.0;
    let Some((uuid, before)) = standing(conn, contact).await? else { return Ok(Err(ChangeError::Missing("contact"))) };
    let theirs = Theirs::gather(conn, contact).await?;
    let mut gone = theirs.footprint(conn).await?;
    let found = found(conn, &erasure.also).await?;
    gone.found = found.len() as u64;
    let all: Vec<i64> = theirs.submissions.iter().chain(&found).copied().collect();
    let (submissions, activities) = (to_json(&theirs.submissions)?, to_json(&theirs.activities)?);
    let files: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT a.sha256 FROM json_each(?1) v CROSS JOIN attachment a ON a.submission = v.value ORDER BY 1",
    )
    .bind(to_json(&all)?)
    .fetch_all(&mut *conn)
    .await
    .map_err(store)?;
    let at = act.at.as_microsecond();
    deliveries(conn, &submissions, &to_json(&all)?, &to_json(&found)?, at).await?;
    happenings(conn, &activities, contact).await?;
    leads(conn, &to_json(&theirs.leads)?, before.is_none(), act).await?;
    person(conn, contact, at).await?;
    jobs::forget(conn, &theirs.leads, contact, at).await?;
    let emails = theirs.identities.iter().filter(|(kind, _)| kind == IdentityKind::EMAIL.as_str());
    timers::unanswered(conn, &emails.map(|(_, value)| of_address(value)).collect::<Vec<_>>()).await?;
    timers::forget(conn, &theirs.leads, contact).await?;
    let sql = "INSERT INTO erased (uuid, contact, at, actor, reason, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let statement = sqlx::query(sql).bind(&uuid).bind(contact).bind(at).bind(&act.actor).bind(&erasure.reason);
    statement.bind(erasure.key.name()).execute(&mut *conn).await.map_err(store)?;
    let hashes: Vec<String> = theirs.identities.iter().map(|(kind, value)| hex(&erasure.key.hash(kind, value))).collect();
    remember(conn, &uuid, &hashes).await?;
    if before.is_none() {
        let data = EventData { contact: Some(erasure.contact), ..EventData::default() };
        news::act(conn, event::CONTACT_ERASED, act, data).await?;
    }
    let sql = "SELECT v.value FROM json_each(?1) v WHERE NOT EXISTS (SELECT 1 FROM attachment a WHERE a.sha256 = v.value)";
    let files = sqlx::query_scalar(sql).bind(to_json(&files)?).fetch_all(conn).await.map_err(store)?;
    let at = before.and_then(|at| jiff::Timestamp::from_microsecond(at).ok()).unwrap_or(act.at);
    Ok(Ok(Erased { contact: erasure.contact, at, gone, files }))
}

/// Deliveries that no lead was made of, of those asked for.
async fn found(conn: &mut SqliteConnection, also: &[SubmissionId]) -> Result<Vec<i64>, StoreError> {
    let ids: Vec<String> = also.iter().map(|id| id.0.simple().to_string()).collect();
    let sql = "SELECT s.seq FROM json_each(?1) v CROSS JOIN submission s ON s.id = unhex(v.value)
               WHERE s.outcome IN ('quarantined', 'spam', 'noted', 'probe')";
    sqlx::query_scalar(sql).bind(to_json(&ids)?).fetch_all(conn).await.map_err(store)
}

async fn run(conn: &mut SqliteConnection, sql: &'static str, value: &str) -> Result<(), StoreError> {
    sqlx::query(sql).bind(value).execute(conn).await.map(|_| ()).map_err(store)
}

/// `theirs` lose what they brought, `found` go with their rows; `all` are both.
async fn deliveries(conn: &mut SqliteConnection, theirs: &str, all: &str, found: &str, at: i64) -> Result<(), StoreError> {
    // The last refusal of a source may tell of this one.
    let sql = "UPDATE source_health SET last_rejection = NULL
               WHERE EXISTS (SELECT 1 FROM json_each(?1) v CROSS JOIN submission s ON s.seq = v.value
                             WHERE s.source = source_health.source AND s.received_at = source_health.last_rejected)";
    run(conn, sql, all).await?;
    // Not by an index: whoever is erased is few, and a lead should not pay for it. The keys of a source lie together.
    let sql = "DELETE FROM submission_key
               WHERE source IN (SELECT s.source FROM json_each(?1) v CROSS JOIN submission s ON s.seq = v.value)
                     AND submission IN (SELECT value FROM json_each(?1))";
    run(conn, sql, all).await?;
    run(conn, "DELETE FROM attachment WHERE submission IN (SELECT value FROM json_each(?1))", all).await?;
    run(conn, "DELETE FROM submission WHERE seq IN (SELECT value FROM json_each(?1))", found).await?;
    run(conn, "UPDATE receipt SET reasons = '[]' WHERE submission IN (SELECT value FROM json_each(?1))", theirs).await?;
    let sql =
        "UPDATE submission SET raw = x'', codec = 'plain', query = '', peer = NULL, head = '', content_type = '', sha256 = zeroblob(32),
                                     emptied_at = coalesce(emptied_at, ?2)
               WHERE seq IN (SELECT value FROM json_each(?1))";
    sqlx::query(sql).bind(theirs).bind(at).execute(conn).await.map(|_| ()).map_err(store)
}

async fn happenings(conn: &mut SqliteConnection, activities: &str, contact: i64) -> Result<(), StoreError> {
    run(conn, "DELETE FROM activity_revision WHERE activity IN (SELECT value FROM json_each(?1))", activities).await?;
    run(conn, "DELETE FROM activity_ref WHERE activity IN (SELECT value FROM json_each(?1))", activities).await?;
    let sql = "DELETE FROM call WHERE (source, key) IN (
                   SELECT a.source, a.external_key FROM json_each(?1) v CROSS JOIN activity a ON a.id = v.value
                   WHERE a.external_key IS NOT NULL)";
    run(conn, sql, activities).await?;
    let sql = "UPDATE activity SET content = '{}', touch = NULL, external_key = NULL
               WHERE id IN (SELECT value FROM json_each(?1))";
    run(conn, sql, activities).await?;
    // What was moved cannot be put back on somebody who is no more.
    let sql = "DELETE FROM activity_move
               WHERE from_contact = ?2 OR to_contact = ?2 OR activity IN (SELECT value FROM json_each(?1))";
    sqlx::query(sql).bind(activities).bind(contact).execute(conn).await.map(|_| ()).map_err(store)
}

/// Leads stay for the counts, without what they say; open ones are closed, because nobody can work them.
async fn leads(conn: &mut SqliteConnection, leads: &str, first: bool, act: &Act) -> Result<(), StoreError> {
    run(conn, "UPDATE lead_history SET old = NULL, new = NULL WHERE lead IN (SELECT value FROM json_each(?1))", leads).await?;
    if first {
        let sql = "INSERT INTO lead_history (lead, n, at, actor, field)
                   SELECT v.value, (SELECT coalesce(max(h.n), 0) FROM lead_history h WHERE h.lead = v.value) + 1, ?2, ?3, 'erased'
                   FROM json_each(?1) v";
        let statement = sqlx::query(sql).bind(leads).bind(act.at.as_microsecond()).bind(&act.actor);
        statement.execute(&mut *conn).await.map_err(store)?;
    }
    let sql = "UPDATE lead SET title = 'erased', name = '', first_touch = NULL, last_touch = NULL, takes = 0,
                               stage = iif(closed_at IS NULL, 'JUNK', stage), closed_at = coalesce(closed_at, ?2),
                               version = version + 1
               WHERE id IN (SELECT value FROM json_each(?1))";
    sqlx::query(sql).bind(leads).bind(act.at.as_microsecond()).execute(conn).await.map(|_| ()).map_err(store)
}

async fn person(conn: &mut SqliteConnection, contact: i64, at: i64) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM call WHERE phone <> '' AND phone IN (SELECT value FROM identity WHERE contact = ?1 AND kind = 'phone')",
        "DELETE FROM ignored_sender WHERE (kind, value) IN (SELECT kind, value FROM identity WHERE contact = ?1)",
        "DELETE FROM chat WHERE chat IN (SELECT value FROM identity WHERE contact = ?1 AND kind = 'telegram')",
        "DELETE FROM code_try WHERE (kind, value) IN (SELECT kind, value FROM identity WHERE contact = ?1)",
        "DELETE FROM identity WHERE contact = ?1",
        "DELETE FROM review WHERE a = ?1",
        "DELETE FROM review WHERE b = ?1",
    ] {
        sqlx::query(sql).bind(contact).execute(&mut *conn).await.map_err(store)?;
    }
    let sql = "UPDATE contact SET name = '', names = '[]', words = '', waiting_since = NULL, erased_at = coalesce(erased_at, ?2)
               WHERE id = ?1";
    sqlx::query(sql).bind(contact).bind(at).execute(conn).await.map(|_| ()).map_err(store)
}

async fn remember(conn: &mut SqliteConnection, uuid: &[u8], hashes: &[String]) -> Result<(), StoreError> {
    let sql = "INSERT INTO erased_identity (hash, erased) SELECT unhex(v.value), ?2 FROM json_each(?1) v WHERE true
               ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(to_json(hashes)?).bind(uuid).execute(conn).await.map(|_| ()).map_err(store)
}

// ----------------------------------------------------------------------------------------------------------- who it was

/// Who was erased, newest first.
pub(crate) async fn list(conn: &mut SqliteConnection, hashes: Option<&[[u8; 32]]>) -> Result<Vec<ErasedView>, StoreError> {
    let asked: Option<Vec<String>> = hashes.map(|hashes| hashes.iter().map(|hash| hex(hash)).collect());
    let sql = "SELECT e.uuid, e.contact, e.at, e.actor, e.reason, e.key,
                      (SELECT json_group_array(lower(hex(i.hash))) FROM erased_identity i WHERE i.erased = e.uuid) AS identities
               FROM erased e
               WHERE ?1 IS NULL OR e.uuid IN (SELECT i.erased FROM json_each(?1) v CROSS JOIN erased_identity i ON i.hash = unhex(v.value))
               ORDER BY e.at DESC, e.uuid";
    let asked = asked.as_ref().map(to_json).transpose()?;
    let rows = sqlx::query(sql).bind(asked).fetch_all(conn).await.map_err(store)?;
    rows.iter().map(view).collect()
}

fn view(row: &SqliteRow) -> Result<ErasedView, StoreError> {
    let row = Columns::of(row, "erased");
    Ok(ErasedView {
        uuid: row.uuid("uuid")?,
        contact: ContactId(row.int("contact")?),
        at: row.time("at")?,
        actor: row.text("actor")?,
        reason: row.text("reason")?,
        key: row.text("key")?,
        identities: row.json("identities")?,
    })
}

/// Notes erasures this database does not know; says who of them is in it, not erased.
pub(crate) async fn note(conn: &mut SqliteConnection, erased: &[ErasedView]) -> Result<Vec<ContactId>, StoreError> {
    for row in erased {
        let sql =
            "INSERT INTO erased (uuid, contact, at, actor, reason, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let uuid = &row.uuid.as_bytes()[..];
        let statement = sqlx::query(sql).bind(uuid).bind(row.contact.0).bind(row.at.as_microsecond());
        let statement = statement.bind(&row.actor).bind(&row.reason).bind(&row.key);
        statement.execute(&mut *conn).await.map_err(store)?;
        remember(conn, uuid, &row.identities).await?;
    }
    let sql = "SELECT c.id FROM contact c JOIN erased e ON e.uuid = c.uuid WHERE c.erased_at IS NULL ORDER BY c.id";
    let rows = sqlx::query(sql).fetch_all(conn).await.map_err(store)?;
    rows.iter().map(|row| row.try_get("id").map(ContactId).map_err(store)).collect()
}
