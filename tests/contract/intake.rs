//! What becomes of deliveries.

use leadgate_core::change::{Close, LeadChange, Stage};
use leadgate_core::receipt::{IdentityState, Outcome, Reason};
use leadgate_core::submission::{ActivityKind, Purpose};
use leadgate_core::views::{LeadFilter, SubmissionFilter};

use crate::support::{Db, act, column, days, id_at, minutes, page, post, start};

const PHONE: &str = "+7 916 123-45-67";

pub(crate) async fn a_first_lead_has_everything(db: Db) {
    let sent = post(minutes(0))
        .name("Анна Петрова")
        .phone(PHONE)
        .email("anna@example-mail.ru")
        .message("Перезвоните")
        .utm("ya")
        .field("tarif", "gold");
    let receipt = db.expect(Outcome::Created, sent.clone()).await;
    let lead = db.lead_of(&receipt).await;
    assert_eq!((lead.lead.name.as_str(), lead.lead.stage, lead.lead.activities), ("Анна Петрова", Stage::New, 1));
    assert_eq!(lead.lead.utm_source.as_deref(), Some("ya"));
    assert_eq!((lead.lead.created_at, lead.lead.touched_at, lead.lead.source.as_str()), (start(), start(), "site"));
    assert!(lead.lead.phone.as_deref().unwrap().contains("916"));
    assert_eq!((lead.version, lead.uuid.get_version_num()), (1, 7));
    let activity = &lead.timeline[0];
    assert_eq!(activity.content.message.as_deref(), Some("Перезвоните"));
    assert_eq!(activity.content.fields[0].value, "gold");
    assert_eq!(activity.receipt.as_ref(), Some(&receipt));
    assert_eq!(activity.touch, lead.first_touch);
    let person = lead.person.unwrap();
    assert!(
        person.identities.iter().all(|identity| identity.state == IdentityState::Active && identity.activity == receipt.activity)
    );
    assert_eq!((person.identities.len(), person.lead_ids.as_slice()), (2, &[receipt.lead.unwrap()][..]));
    let detail = db.store.submission(sent.0.id).await.unwrap().unwrap();
    assert_eq!((detail.raw.as_slice(), detail.receipts.as_slice()), (&b"a=b"[..], &[receipt][..]));
    assert_eq!(detail.sha256, "01".repeat(32));
    let events: Vec<String> = db.rows("event").await.iter().map(|row| column(row, "name")).collect();
    assert!(events.contains(&"'lead.created'".to_owned()) && events.contains(&"'contact.created'".to_owned()), "{events:?}");
}

pub(crate) async fn a_repeat_by_key_changes_nothing(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).key("tranid", "1:1").content("a")).await;
    let before = db.dump().await;
    let again = db.expect(Outcome::Repeat, post(days(40)).phone(PHONE).key("tranid", "1:1").content("a")).await;
    assert_eq!((again.lead, again.contact, again.activity), (first.lead, first.contact, first.activity));
    assert!(matches!(&again.reasons[..], [Reason::KeyKnown { first: known, .. }] if *known == first.submission));
    let after = db.dump().await;
    for table in ["lead", "contact", "identity", "activity", "receipt", "submission_key", "event"] {
        assert_eq!(before[table], after[table], "{table}");
    }
    let list = db.store.submissions(SubmissionFilter::default(), page(10)).await.unwrap();
    assert_eq!((list.items.len(), list.items[0].repeats), (1, 1));
    // The reference the second sender was shown leads to the delivery that was kept.
    let shown = db.store.submission(again.submission).await.unwrap().unwrap();
    assert_eq!(shown.submission.id, first.submission);
    let in_batch =
        db.record(vec![post(days(41)).key("tranid", "2").content("b"), post(days(41)).key("tranid", "2").content("b")]).await;
    assert_eq!(
        (in_batch[0].outcome, in_batch[1].outcome, in_batch[1].lead),
        (Outcome::Created, Outcome::Repeat, in_batch[0].lead)
    );
}

pub(crate) async fn a_repeat_by_id_gets_the_same_answer(db: Db) {
    for sent in [post(minutes(0)).phone(PHONE), post(minutes(1)).spam(), post(minutes(2)).held(true)] {
        let first = db.one(sent.clone()).await;
        let again = db.expect(Outcome::Repeat, sent).await;
        assert_eq!((again.submission, again.lead, again.contact), (first.submission, first.lead, first.contact));
        assert_eq!(again.reasons, [Reason::SameDelivery]);
    }
}

pub(crate) async fn equal_content_is_a_repeat_within_the_window_only(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).content("same")).await;
    let soon = db.expect(Outcome::Repeat, post(minutes(5)).phone(PHONE).content("same")).await;
    assert_eq!(soon.lead, first.lead);
    let elsewhere = db.expect(Outcome::Attached, post(minutes(5)).source("other").phone(PHONE).content("same")).await;
    assert_eq!(elsewhere.lead, first.lead);
    let later = db.expect(Outcome::Attached, post(minutes(6)).phone(PHONE).content("same")).await;
    assert_eq!(later.lead, first.lead);
    // The window counts from the newest that was kept.
    let repeat = db.expect(Outcome::Repeat, post(minutes(10)).phone(PHONE).content("same")).await;
    assert_eq!(repeat.activity, later.activity);
}

pub(crate) async fn the_same_key_with_other_content_is_kept_beside(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).key("form_id", "7").content("a")).await;
    let second = db.expect(Outcome::Attached, post(minutes(1)).phone("+7 916 123-45-68").key("form_id", "7").content("b")).await;
    assert_eq!((second.lead, second.contact), (first.lead, first.contact));
    let lead = db.lead_of(&first).await;
    assert_eq!(lead.lead.activities, 2);
    // A late retry of the first must not undo what came after it.
    db.expect(Outcome::Repeat, post(minutes(2)).phone(PHONE).key("form_id", "7").content("a")).await;
    db.expect(Outcome::Repeat, post(minutes(3)).phone(PHONE).key("form_id", "7").content("b")).await;
}

pub(crate) async fn a_delivery_without_identity_is_a_lead(db: Db) {
    let receipt =
        db.expect(Outcome::Created, post(minutes(0)).name("Кто-то").message("Позвоните").phone("звоните в дверь")).await;
    let lead = db.lead_of(&receipt).await;
    assert_eq!((lead.lead.contact, lead.lead.name.as_str()), (None, "Кто-то"));
    assert_eq!(lead.lead.phone.as_deref(), Some("звоните в дверь"), "what cannot be read is shown as typed");
    let listed = db.store.leads(LeadFilter::default(), page(5)).await.unwrap();
    assert_eq!(listed.items, [lead.lead]);
}

pub(crate) async fn an_order_is_amended_and_its_past_kept(db: Db) {
    let order = |after, message: &str| {
        post(minutes(after)).phone(PHONE).external("order-9").key("order", &format!("9:{after}")).message(message)
    };
    let first = db.expect(Outcome::Created, order(0, "new").utm("ya")).await;
    let second = db.expect(Outcome::Amended, order(1, "paid")).await;
    assert_eq!((second.lead, second.contact, second.activity), (first.lead, first.contact, first.activity));
    db.expect(Outcome::Amended, order(2, "sent").utm("vk")).await;
    let lead = db.lead_of(&first).await;
    let [activity] = &lead.timeline[..] else { panic!("one activity") };
    assert_eq!((activity.content.message.as_deref(), activity.revisions), (Some("sent"), 2));
    assert_eq!(activity.touch.get("utm_source"), Some("vk"));
    assert_eq!((lead.first_touch.get("utm_source"), lead.last_touch.get("utm_source")), (Some("ya"), Some("vk")));
    assert_eq!(lead.lead.touched_at, start() + minutes(2));
    let revisions = db.rows("activity_revision").await;
    assert!(revisions[0].contains("\"new\"") && revisions[1].contains("\"paid\""), "{revisions:?}");
    assert!(revisions.iter().all(|row| row.contains("ya")), "a touch stays until another comes: {revisions:?}");
}

pub(crate) async fn an_amendment_within_a_batch_keeps_every_revision(db: Db) {
    let order = |n: i64| post(minutes(n)).phone(PHONE).external("o").key("order", &n.to_string()).message(&format!("m{n}"));
    db.record(vec![order(0), order(1), order(2)]).await;
    db.record(vec![order(3), order(4)]).await;
    let revisions: Vec<String> = db.rows("activity_revision").await;
    assert_eq!(revisions.len(), 4);
    for (n, row) in revisions.iter().enumerate() {
        assert_eq!(column(row, "n"), (n + 1).to_string());
        assert!(row.contains(&format!("\"m{n}\"")), "{row}");
    }
    assert!(db.rows("activity").await[0].contains("\"m4\""));
}

pub(crate) async fn quarantine_and_spam_own_no_keys(db: Db) {
    let sent = |after| post(minutes(after)).phone(PHONE).key("tranid", "5").content("c");
    let held = db.expect(Outcome::Quarantined, sent(0).held(true)).await;
    let spam = db.expect(Outcome::Spam, sent(1).spam()).await;
    assert_eq!((held.lead, spam.lead), (None, None));
    assert!(db.rows("submission_key").await.is_empty());
    let retry = db.expect(Outcome::Created, sent(2)).await;
    assert!(retry.lead.is_some());
    let quarantined = SubmissionFilter { outcomes: vec![Outcome::Quarantined], ..SubmissionFilter::default() };
    let list = db.store.submissions(quarantined, page(5)).await.unwrap();
    assert_eq!(list.items.iter().map(|item| item.id).collect::<Vec<_>>(), [held.submission]);
    let events: Vec<String> = db.rows("event").await.iter().map(|row| column(row, "name")).collect();
    assert!(events.contains(&"'submission.quarantined'".to_owned()) && events.contains(&"'submission.spam'".to_owned()));
}

pub(crate) async fn a_note_is_kept_without_a_lead(db: Db) {
    let note = || post(minutes(0)).key("mid", "x").content("n").email("robot@firma-mail.ru").edit(|s| s.purpose = Purpose::Note);
    let receipt = db.expect(Outcome::Noted, note()).await;
    assert_eq!((receipt.lead, receipt.contact), (None, None));
    db.expect(Outcome::Repeat, note()).await;
}

pub(crate) async fn a_test_is_out_of_the_counts(db: Db) {
    let receipt = db.expect(Outcome::Test, post(minutes(0)).phone(PHONE).edit(|s| s.purpose = Purpose::Test)).await;
    assert!(db.lead_of(&receipt).await.lead.test);
    let totals = db.store.totals().await.unwrap();
    assert_eq!((totals.open_leads, totals.new_leads, totals.leads), (0, 0, 1));
    assert!(db.store.leads(LeadFilter::default(), page(5)).await.unwrap().items.is_empty());
    assert_eq!(db.store.leads(LeadFilter { tests: true, ..LeadFilter::default() }, page(5)).await.unwrap().items.len(), 1);
    assert!(db.rows("event").await.is_empty(), "a test tells nothing");
}

pub(crate) async fn references_lead_to_the_lead(db: Db) {
    let mail = |after| post(minutes(after)).source("mail").edit(|s| s.draft.activity = ActivityKind::Email);
    let first = db.expect(Outcome::Created, mail(0).email("a@firma-mail.ru").proven().known_as("message-id", "m1")).await;
    let reply = db
        .expect(
            Outcome::Attached,
            mail(1).email("b@firma-mail.ru").proven().refers("message-id", "m1").known_as("message-id", "m2"),
        )
        .await;
    assert_eq!((reply.lead, reply.contact), (first.lead, first.contact));
    let in_batch = db.record(vec![mail(2).known_as("message-id", "x1"), mail(3).refers("message-id", "x1")]).await;
    assert_eq!(in_batch[0].lead, in_batch[1].lead);
    let third = db.expect(Outcome::Attached, mail(4).refers("message-id", "x1").email("c@firma-mail.ru").name("Олег")).await;
    assert_eq!(third.lead, in_batch[0].lead);
    let lead = db.lead_of(&third).await;
    assert_eq!(lead.lead.contact, third.contact, "a lead without a contact was adopted");
    assert!(
        db.rows("lead")
            .await
            .iter()
            .any(|row| row.starts_with(&format!("id={} ", third.lead.unwrap())) && row.contains(" takes=1 "))
    );
}

pub(crate) async fn historic_deliveries_are_marked(db: Db) {
    db.record(vec![post(minutes(0)).phone(PHONE).edit(|s| s.historic = true), post(minutes(1)).phone("+7 916 000-11-22")]).await;
    let events = db.rows("event").await;
    assert_eq!(events.iter().filter(|row| row.contains(" historic=1 ")).count(), 2);
    assert_eq!(events.iter().filter(|row| row.contains(" historic=0 ")).count(), 2);
}

pub(crate) async fn touches_stay_first_and_last(db: Db) {
    let sent = |after: i64| post(minutes(after)).phone(PHONE);
    let first = db.expect(Outcome::Created, sent(0)).await;
    assert!(db.lead_of(&first).await.first_touch.is_empty());
    for (after, utm) in [(1, "ya"), (2, "vk")] {
        db.expect(Outcome::Attached, sent(after).utm(utm)).await;
        let lead = db.lead_of(&first).await;
        assert_eq!((lead.first_touch.get("utm_source"), lead.last_touch.get("utm_source")), (Some("ya"), Some(utm)));
    }
    db.expect(Outcome::Attached, sent(3)).await;
    assert_eq!(db.lead_of(&first).await.last_touch.get("utm_source"), Some("vk"));
    let change = db.store.change_lead(first.lead.unwrap(), vec![LeadChange::Close(Close::Junk)], None, act(start())).await;
    assert_eq!(change.unwrap().unwrap().last_touch.get("utm_source"), Some("vk"));
}

pub(crate) async fn the_ring_keeps_the_newest(db: Db) {
    let mut sent = Vec::new();
    for n in 0..1040 {
        sent.push(post(minutes(n)).held(false).edit(|s| s.id.0 = id_at(start() + minutes(n))));
    }
    let last = sent.last().unwrap().0.id;
    let first = sent[0].0.id;
    for part in sent.chunks(260) {
        db.record(part.to_vec()).await;
    }
    db.expect(Outcome::Quarantined, post(minutes(0)).held(true)).await;
    assert_eq!(db.store.totals().await.unwrap().quarantined, 1001);
    assert!(db.store.submission(first).await.unwrap().is_none());
    assert!(!db.store.submission(last).await.unwrap().unwrap().authenticated);
    let big = |n: i64| post(days(1) + minutes(n)).held(false).edit(|s| s.raw.body = vec![b'x'; 20 << 20].into());
    for n in 0..4 {
        db.expect(Outcome::Quarantined, big(n)).await;
    }
    assert_eq!(db.store.totals().await.unwrap().quarantined, 3, "two of 20 MB fit into 50 MB, and what proved itself stays");
    assert_eq!(db.rows("receipt").await.len(), 3);
}
