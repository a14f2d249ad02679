//! What is kept no longer, and people who are to be forgotten.

use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::ids::{ContactId, SourceId};
use leadgate_core::keeping::{Erasure, ErasureKey, Footprint, Quota, Thinning};
use leadgate_core::ports::Sweep;
use leadgate_core::receipt::{IdentityState, Outcome};
use leadgate_core::submission::{FileRef, Purpose};
use leadgate_core::views::SubmissionFilter;

use crate::support::{Db, Post, act, column, days, minutes, page, post, start};

const PHONE: &str = "+7 916 123-45-67";

fn key() -> ErasureKey {
    ErasureKey::new([7; 32])
}

fn erasure(contact: Option<ContactId>) -> Erasure {
    Erasure { contact: contact.unwrap(), reason: "asked for it".to_owned(), key: key(), also: Vec::new() }
}

fn by_age(before: i64) -> Thinning {
    let at = start() + days(before);
    Thinning { now: start() + days(99), source: None, after: 0, through: i64::MAX, before: at, deletes: false, quarantine: false }
}

fn file(sha256: &str) -> FileRef {
    FileRef { sha256: sha256.to_owned(), name: "a.pdf".to_owned(), content_type: String::new(), size: 1, field: String::new() }
}

fn with_file(post: Post, sha256: &str) -> Post {
    post.edit(|submission| submission.draft.files.push(file(sha256)))
}

/// Bytes that are left of all deliveries with an outcome.
async fn bytes(db: &Db, outcome: Outcome) -> Vec<usize> {
    let filter = SubmissionFilter { outcomes: vec![outcome], ..SubmissionFilter::default() };
    let mut bytes = Vec::new();
    for item in db.store.submissions(filter, page(500)).await.unwrap().items {
        bytes.push(db.store.submission(item.id).await.unwrap().unwrap().raw.len());
    }
    bytes
}

pub(crate) async fn old_deliveries_lose_their_bytes_and_keep_their_receipts(db: Db) {
    let old = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).edit(|s| "a=b".clone_into(&mut s.raw.query))).await;
    db.expect(Outcome::Quarantined, post(minutes(1)).held(true)).await;
    db.expect(Outcome::Spam, post(minutes(2)).spam()).await;
    db.expect(Outcome::Attached, post(days(5)).phone(PHONE)).await;
    let thinned = db.store.thin(by_age(1)).await.unwrap();
    assert_eq!((thinned.rows, thinned.next), (1, None));
    assert_eq!(db.store.thin(by_age(1)).await.unwrap().rows, 0, "once is enough");
    let kept = db.store.submission(old.submission).await.unwrap().unwrap();
    assert_eq!((kept.raw.len(), kept.query.as_str(), kept.emptied_at), (0, "", Some(start() + days(99))));
    assert_eq!((kept.submission.size, kept.sha256.as_str()), (3, "01".repeat(32).as_str()), "what it was");
    assert!(!kept.receipts[0].reasons.is_empty());
    assert_eq!(bytes(&db, Outcome::Quarantined).await, [3]);
    assert_eq!(bytes(&db, Outcome::Spam).await, [3]);
    assert_eq!(bytes(&db, Outcome::Attached).await, [3]);
    // A late retry of what was emptied is known all the same.
    assert_eq!(db.lead_of(&old).await.lead.activities, 2);
}

pub(crate) async fn a_long_past_is_thinned_in_pieces(db: Db) {
    let posts = (0..600).map(|n| post(minutes(n)).edit(|s| s.purpose = Purpose::Note)).collect();
    db.record(posts).await;
    let (mut thinning, mut gone) = (by_age(1), Vec::new());
    loop {
        let thinned = db.store.thin(thinning.clone()).await.unwrap();
        gone.push(thinned.rows);
        let Some(next) = thinned.next else { break };
        thinning.after = next;
    }
    assert_eq!(gone, [256, 256, 88]);
}

pub(crate) async fn classes_go_in_their_time(db: Db) {
    db.record(vec![
        with_file(post(minutes(0)).phone(PHONE), "aa"),
        with_file(post(minutes(1)).held(true), "bb"),
        post(minutes(2)).held(false),
        post(minutes(3)).spam(),
        post(days(5)).spam(),
        with_file(post(days(5)).phone(PHONE), "cc"),
    ])
    .await;
    let old = Some(start() + days(1));
    let nothing = Sweep { now: start() + days(9), content_keys_before: start(), ..Sweep::default() };
    assert_eq!(db.store.sweep(nothing).await.unwrap(), 0);
    let events = db.rows("event").await.len();
    for (sweep, gone) in [
        (Sweep { spam_before: old, ..nothing }, 1),
        (Sweep { ring_before: old, ..nothing }, 1),
        (Sweep { files_before: old, ..nothing }, 1),
        (Sweep { quarantine_before: old, ..nothing }, 1),
    ] {
        assert_eq!(db.store.sweep(sweep).await.unwrap(), gone, "{sweep:?}");
        assert_eq!(db.store.sweep(sweep).await.unwrap(), 0, "{sweep:?}");
    }
    let asked = ["aa", "bb", "cc"].map(ToOwned::to_owned).to_vec();
    assert_eq!(db.store.attachments_known(asked).await.unwrap(), ["cc"]);
    assert_eq!(db.store.totals().await.unwrap().submissions, 3);
    let all = Sweep { events_before: Some(start() + days(99)), ..nothing };
    assert_eq!(db.store.sweep(all).await.unwrap(), events as u64 - 1, "the newest stays");
    assert_eq!(db.rows("event").await.len(), 1);
}

pub(crate) async fn a_source_keeps_within_its_quota(db: Db) {
    let site = SourceId::parse("site").unwrap();
    let quota = |bytes: Option<u64>, count: Option<u64>| db.store.beyond(&site, Quota { bytes, count });
    db.record(vec![
        post(minutes(0)).phone(PHONE),
        post(minutes(1)).held(true),
        post(minutes(2)).spam(),
        post(minutes(3)).held(false),
        post(minutes(4)).phone(PHONE),
        post(minutes(5)).phone(PHONE),
        post(minutes(6)).source("other").phone(PHONE),
    ])
    .await;
    assert_eq!(quota(None, Some(6)).await.unwrap(), None);
    assert_eq!(quota(Some(18), None).await.unwrap(), None);
    assert_eq!(quota(Some(17), None).await.unwrap(), Some(1));
    assert_eq!(quota(None, Some(2)).await.unwrap(), Some(4));
    let beyond = Thinning { source: Some(site.clone()), through: 4, before: jiff::Timestamp::MAX, deletes: true, ..by_age(0) };
    assert_eq!(db.store.thin(beyond.clone()).await.unwrap().rows, 3, "one settled, one spam, one of the ring");
    assert_eq!(bytes(&db, Outcome::Quarantined).await, [3], "what waits stays");
    assert_eq!(db.store.thin(Thinning { quarantine: true, ..beyond }).await.unwrap().rows, 1, "unless somebody says so");
    assert_eq!(quota(None, Some(2)).await.unwrap(), None);
    assert_eq!(db.store.totals().await.unwrap().submissions, 4);
}

// --------------------------------------------------------------------------------------------------------------- erasing

/// A person who left something everywhere.
async fn anna(db: &Db) -> leadgate_core::receipt::Receipt {
    let marked = |post: Post| post.name("Marker Марков").phone(PHONE).message("marker").utm("marker").field("marker", "marker");
    let first = marked(post(minutes(0))).email("marker@firma-mail.ru").key("k", "marker").external("marker-1");
    let first = with_file(first.known_as("message-id", "marker"), "aa").edit(|s| {
        s.raw.body = "phone=marker".into();
        "q=marker".clone_into(&mut s.raw.query);
        s.raw.peer = Some(std::net::IpAddr::from([203, 0, 113, 9]));
        s.draft.user_agent = Some("marker".to_owned());
        s.draft.title = Some("marker".to_owned());
    });
    let receipt = db.expect(Outcome::Created, first).await;
    // An amendment, a further activity, a repeat, a note, a change.
    db.expect(Outcome::Amended, marked(post(minutes(1))).external("marker-1")).await;
    db.expect(Outcome::Attached, with_file(marked(post(minutes(2))).email("marker2@firma-mail.ru"), "bb")).await;
    let lead = receipt.lead.unwrap();
    let changes = vec![LeadChange::Note("marker called".to_owned()), LeadChange::Stage(leadgate_core::change::Stage::Processed)];
    db.store.change_lead(lead, changes, None, act(start() + minutes(3))).await.unwrap().unwrap();
    receipt
}

async fn marker_stands_in(db: &Db) -> Vec<String> {
    let tell = |(table, rows): (String, Vec<String>)| {
        let found = rows.into_iter().filter(|row| {
            let row = row.to_lowercase();
            // Blobs are dumped in hex: 6D61726B6572.
            ["marker", "марков", "79161234567", "1234567", "203.0.113.9", "6d61726b6572"].iter().any(|mark| row.contains(mark))
        });
        found.map(|row| format!("{table}: {row}")).collect::<Vec<_>>()
    };
    db.dump().await.into_iter().flat_map(tell).collect()
}

pub(crate) async fn nothing_of_an_erased_person_is_left(db: Db) {
    let receipt = anna(&db).await;
    assert!(marker_stands_in(&db).await.len() > 10);
    let footprint = db.store.footprint(receipt.contact.unwrap()).await.unwrap().unwrap();
    assert_eq!(footprint, Footprint { identities: 3, leads: 1, activities: 3, submissions: 3, found: 0 });
    let person = db.store.person(receipt.contact.unwrap()).await.unwrap().unwrap();
    assert_eq!((person.leads.len(), person.activities.len(), person.submissions.len()), (1, 3, 3));
    assert_eq!((person.activities[0].earlier.len(), person.leads[0].history.len()), (1, 1));
    assert_eq!(person.submissions[0].raw, b"phone=marker");

    let done = db.store.erase(erasure(receipt.contact), act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!((done.at, done.gone), (start() + days(1), footprint));
    assert_eq!(done.files, ["aa", "bb"]);
    assert_eq!(marker_stands_in(&db).await, Vec::<String>::new());
    let contact = db.contact_of(&receipt).await;
    assert_eq!((contact.erased_at, contact.identities.len()), (Some(start() + days(1)), 0));
    let lead = db.lead_of(&receipt).await;
    assert_eq!((lead.lead.title.as_str(), lead.lead.closed_at), ("erased", Some(start() + days(1))));
    assert_eq!(lead.timeline.len(), 3, "that something happened is known, not what");
    assert_eq!(lead.history.last().map(|entry| entry.field.as_str()), Some("erased"));
    let person = db.store.person(receipt.contact.unwrap()).await.unwrap().unwrap();
    assert!(person.submissions.iter().all(|one| one.raw.is_empty() && one.emptied_at.is_some()));

    // It is known who it was, to whoever has the key.
    let who = |value: &str| db.store.erased(Some(vec![key().hash("phone", value)]));
    let found = who("+79161234567").await.unwrap();
    assert_eq!(
        found.iter().map(|one| (Some(one.contact), one.actor.as_str())).collect::<Vec<_>>(),
        [(receipt.contact, "api:test")]
    );
    assert_eq!((found[0].reason.as_str(), found[0].identities.len(), found[0].key.clone()), ("asked for it", 3, key().name()));
    assert!(who("+79160000000").await.unwrap().is_empty());

    // Once more: nothing is left, the first time counts, and nothing is told twice.
    let before = (db.rows("event").await, db.rows("erased").await);
    let again = db.store.erase(erasure(receipt.contact), act(start() + days(2))).await.unwrap().unwrap();
    assert_eq!((again.at, again.gone.identities, again.gone.submissions), (start() + days(1), 0, 0));
    assert_eq!((db.rows("event").await, db.rows("erased").await), before);
    // Who comes back is somebody new.
    let back = db.expect(Outcome::Created, post(days(3)).phone(PHONE).key("k", "marker")).await;
    assert_ne!(back.contact, receipt.contact);
    let missing = db.store.erase(erasure(Some(ContactId(99))), act(start())).await.unwrap();
    assert_eq!(missing, Err(ChangeError::Missing("contact")));
}

pub(crate) async fn what_belongs_to_another_stays(db: Db) {
    // A family phone, and an activity that was taken off.
    let anna = db.expect(Outcome::Created, with_file(post(minutes(0)).name("Анна").phone(PHONE), "aa")).await;
    let boris = db.expect(Outcome::Created, with_file(post(minutes(1)).name("Борис").phone(PHONE), "aa")).await;
    let wrong = db.expect(Outcome::Attached, post(minutes(2)).name("Анна").phone(PHONE).email("vera@firma-mail.ru")).await;
    let moved = db.store.detach(wrong.activity.unwrap(), act(start() + days(1))).await.unwrap().unwrap();
    let (of_boris, of_vera) = (db.contact_of(&boris).await, db.store.contact(moved.to_contact.unwrap()).await.unwrap());
    let done = db.store.erase(erasure(anna.contact), act(start() + days(2))).await.unwrap().unwrap();
    assert_eq!((done.gone.submissions, done.gone.activities), (1, 1));
    assert!(done.files.is_empty(), "another names the file");
    let boris_now = db.contact_of(&boris).await;
    assert_eq!(boris_now.identities, of_boris.identities);
    assert_eq!(boris_now.identities[0].state, IdentityState::Shared);
    assert_eq!(db.store.contact(moved.to_contact.unwrap()).await.unwrap(), of_vera);
    let kept = db.store.submission(wrong.submission).await.unwrap().unwrap();
    assert_eq!((kept.raw.len(), kept.emptied_at), (3, None));
    let undo = db.store.undo_move(moved.id, act(start() + days(3))).await.unwrap();
    assert_eq!(undo.unwrap_err(), ChangeError::Missing("move"), "nothing goes back to who is no more");
    db.expect(Outcome::Attached, post(days(3)).name("Борис").phone(PHONE)).await;
}

pub(crate) async fn what_made_no_lead_goes_when_it_is_found(db: Db) {
    let anna = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let held = db.expect(Outcome::Quarantined, with_file(post(minutes(1)).held(true), "bb")).await;
    let spam = db.expect(Outcome::Spam, post(minutes(2)).spam()).await;
    let ring = db.expect(Outcome::Quarantined, post(minutes(3)).held(false)).await;
    let bodies = db.store.bodies(0).await.unwrap();
    assert_eq!(bodies.iter().map(|body| body.id).collect::<Vec<_>>(), [held.submission, spam.submission, ring.submission]);
    assert_eq!(db.store.bodies(bodies[1].seq).await.unwrap().len(), 1);
    // One that made a lead is not taken along by mistake.
    let other = db.expect(Outcome::Created, post(minutes(4)).phone("+7 916 123-45-68")).await;
    let also = vec![held.submission, spam.submission, other.submission];
    let done = db.store.erase(Erasure { also, ..erasure(anna.contact) }, act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!((done.gone.found, done.files), (2, vec!["bb".to_owned()]));
    assert!(db.store.submission(held.submission).await.unwrap().is_none());
    assert!(db.store.submission(ring.submission).await.unwrap().is_some());
    assert_eq!(db.store.submission(other.submission).await.unwrap().unwrap().raw.len(), 3);
    assert!(db.store.health(start()).await.unwrap()[0].last_rejection.is_some(), "it tells of the one that is left");
}

pub(crate) async fn erasures_are_carried_over_a_restore(db: Db) {
    let anna = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    db.store.erase(erasure(anna.contact), act(start() + days(1))).await.unwrap().unwrap();
    let list = db.store.erased(None).await.unwrap();
    // A database from before: the same person, not erased, beside others.
    let before = db.another().await;
    let same = before.dump().await;
    assert!(same["erased"].is_empty());
    assert_eq!(before.store.note_erased(list.clone()).await.unwrap(), []);
    assert_eq!(before.store.erased(None).await.unwrap(), list);
    let uuid = list[0].uuid;
    let row = db.rows("contact").await.remove(0);
    assert_eq!(column(&row, "uuid").to_lowercase(), format!("x'{}'", uuid.simple()));
    db.execute("UPDATE contact SET erased_at = NULL").await;
    assert_eq!(db.store.note_erased(list).await.unwrap(), [anna.contact.unwrap()]);
}
