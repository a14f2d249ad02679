//! Kept submissions recorded again, and senders that are ignored.

use std::sync::Arc;

use leadgate_core::phone::Country;
use leadgate_core::receipt::{IdentityState, Outcome, Reason, Receipt};
use leadgate_core::replay::{Again, Decision, How, Kept, KeptFilter, Recorded};
use leadgate_core::senders::Sender;
use leadgate_core::submission::{FileRef, Purpose};
use leadgate_core::views::SubmissionFilter;

use crate::support::{Db, Post, act, column, days, minutes, page, post, start};

const PHONE: &str = "+7 916 123-45-67";

fn by(actor: &str) -> Decision {
    Decision { actor: actor.to_owned(), at: start() + days(1) }
}

fn release() -> How {
    How::Release(by("api:anna"))
}

fn drop_it() -> How {
    How::Drop(by("cli"))
}

impl Db {
    async fn kept(&self, filter: KeptFilter) -> Vec<Kept> {
        self.store.kept(filter, None, 100).await.unwrap()
    }

    async fn of(&self, post: &Post) -> Kept {
        self.kept(KeptFilter { ids: vec![post.0.id], dropped: true, ..KeptFilter::default() }).await.remove(0)
    }

    /// Records kept submissions again as they are read now.
    async fn anew(&self, how: &How, posts: &[&Post]) -> Vec<Recorded> {
        let mut items = Vec::new();
        for post in posts {
            let seen = self.of(post).await.receipt;
            items.push(Arc::new(Again { item: self.prepare((*post).clone()), seen, how: how.clone() }));
        }
        let told = self.store.record_again(items.clone(), Arc::clone(&self.rules), true).await.unwrap();
        let done = self.store.record_again(items, Arc::clone(&self.rules), false).await.unwrap();
        let short = |all: &[Recorded]| -> Vec<String> { all.iter().map(outcome_of).collect() };
        assert_eq!(short(&told), short(&done), "what is told beforehand is what is done");
        done
    }

    async fn changed(&self, how: &How, post: &Post) -> Receipt {
        match self.anew(how, &[post]).await.remove(0) {
            Recorded::Changed(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }

    async fn same(&self, how: &How, post: &Post) {
        let before = self.dump().await;
        let answer = self.anew(how, &[post]).await.remove(0);
        assert!(matches!(answer, Recorded::Same(_)), "{answer:?}");
        assert_eq!(self.dump().await, before);
    }

    async fn counts(&self) -> Vec<(Outcome, u64)> {
        let health = self.store.health(start()).await.unwrap();
        health.into_iter().find(|health| health.source.as_str() == "site").unwrap().counts
    }
}

fn outcome_of(recorded: &Recorded) -> String {
    match recorded {
        Recorded::Changed(receipt) => format!("changed {}", receipt.outcome),
        Recorded::Same(receipt) => format!("same {}", receipt.outcome),
        other => format!("{other:?}"),
    }
}

/// As its connector reads it once nothing holds it.
fn let_in(post: &Post) -> Post {
    post.clone().edit(|submission| submission.hold = None)
}

pub(crate) async fn a_release_makes_the_lead_that_waited(db: Db) {
    let file = |submission: &mut leadgate_core::submission::Submission| {
        submission.draft.files.push(FileRef {
            sha256: "ab".repeat(32),
            name: "plan.pdf".into(),
            content_type: "application/pdf".into(),
            size: 3,
            field: "file".into(),
        });
    };
    let sent = post(minutes(0)).name("Анна").phone(PHONE).key("form_id", "7").content("a").held(true).edit(file);
    db.expect(Outcome::Quarantined, sent.clone()).await;
    let receipt = db.changed(&release(), &let_in(&sent)).await;
    assert_eq!(receipt.outcome, Outcome::Created);
    assert!(matches!(&receipt.reasons[0], Reason::Released { by, .. } if by == "api:anna"), "{:?}", receipt.reasons);
    let lead = db.lead_of(&receipt).await;
    assert_eq!((lead.lead.name.as_str(), lead.lead.created_at), ("Анна", start()));
    assert_eq!(lead.timeline[0].content.files[0].name, "plan.pdf");
    let detail = db.store.submission(sent.0.id).await.unwrap().unwrap();
    let outcomes: Vec<Outcome> = detail.receipts.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(
        (outcomes.as_slice(), detail.submission.outcome),
        (&[Outcome::Quarantined, Outcome::Created][..], Outcome::Created)
    );
    assert_eq!(detail.raw, b"a=b", "what was kept stays as it is");
    assert_eq!(db.counts().await, [(Outcome::Created, 1), (Outcome::Quarantined, 0)]);
    // It owns its key now, and is released once only.
    db.expect(Outcome::Repeat, post(days(2)).phone(PHONE).key("form_id", "7").content("a")).await;
    db.same(&release(), &let_in(&sent)).await;
    let ids: Vec<String> = db.rows("event").await.iter().map(|row| column(row, "id")).collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "no event has the id of another");
}

pub(crate) async fn a_released_retry_is_a_repeat(db: Db) {
    let waited = post(minutes(0)).phone(PHONE).key("form_id", "7").content("a").held(true);
    db.expect(Outcome::Quarantined, waited.clone()).await;
    let arrived = db.expect(Outcome::Created, post(minutes(9)).phone(PHONE).key("form_id", "7").content("a")).await;
    let receipt = db.changed(&release(), &let_in(&waited)).await;
    assert_eq!((receipt.outcome, receipt.lead, receipt.activity), (Outcome::Repeat, arrived.lead, arrived.activity));
    assert_eq!(db.lead_of(&receipt).await.timeline.len(), 1);
    let listed = db.store.submissions(SubmissionFilter::default(), page(10)).await.unwrap();
    let told: Vec<_> = listed.items.iter().map(|item| (item.outcome, item.repeats)).collect();
    assert_eq!(told, [(Outcome::Created, 1), (Outcome::Repeat, 0)]);
    db.same(&release(), &let_in(&waited)).await;
    // The key is still the newer one's.
    assert!(db.rows("submission_key").await[0].contains(&format!("submission={}", db.of(&post_of(&arrived)).await.seq)));
}

/// Something with the id of a receipt.
fn post_of(receipt: &Receipt) -> Post {
    post(minutes(0)).edit(|submission| submission.id = receipt.submission)
}

pub(crate) async fn released_twins_are_one_lead(db: Db) {
    let twins: Vec<Post> = (0..3).map(|n| post(minutes(n)).phone(PHONE).content("same").held(true)).collect();
    let other = post(minutes(20)).phone(PHONE).content("same").held(true);
    for sent in twins.iter().chain([&other]) {
        db.expect(Outcome::Quarantined, sent.clone()).await;
    }
    let free: Vec<Post> = twins.iter().chain([&other]).map(let_in).collect();
    let done = db.anew(&release(), &free.iter().collect::<Vec<_>>()).await;
    let told: Vec<String> = done.iter().map(outcome_of).collect();
    assert_eq!(told, ["changed created", "changed repeat", "changed repeat", "changed attached"]);
    assert_eq!(db.of(&twins[0]).await.outcome, Outcome::Created);
    let first = db.store.submission(twins[0].0.id).await.unwrap().unwrap();
    assert_eq!(first.submission.repeats, 2);
}

pub(crate) async fn a_drop_stands_until_it_is_released(db: Db) {
    let sent = post(minutes(0)).phone(PHONE).held(true);
    db.expect(Outcome::Quarantined, sent.clone()).await;
    let dropped = db.changed(&drop_it(), &sent).await;
    assert_eq!((dropped.outcome, dropped.lead), (Outcome::Noted, None));
    assert_eq!(dropped.reasons, [Reason::Dropped { by: "cli".into(), at: start() + days(1) }]);
    assert!(db.of(&sent).await.dropped);
    db.same(&drop_it(), &sent).await;
    db.same(&How::Replay, &let_in(&sent)).await;
    db.same(&How::Reattach, &let_in(&sent)).await;
    assert_eq!(db.kept(KeptFilter::default()).await, []);
    let receipt = db.changed(&release(), &let_in(&sent)).await;
    assert_eq!(receipt.outcome, Outcome::Created);
    assert!(!db.of(&sent).await.dropped);
    db.same(&drop_it(), &sent).await;
    assert_eq!(db.store.submission(sent.0.id).await.unwrap().unwrap().receipts.len(), 3);
}

pub(crate) async fn a_replay_changes_only_what_the_rules_change(db: Db) {
    let held = post(minutes(0)).phone(PHONE).held(true);
    let spam = post(minutes(1)).phone("+7 916 000-11-22").spam();
    let note = post(minutes(2)).email("auto@firma.ru").edit(|submission| submission.purpose = Purpose::Note);
    for sent in [&held, &spam, &note] {
        db.one(sent.clone()).await;
    }
    for sent in [&held, &spam, &note] {
        db.same(&How::Replay, sent).await;
    }
    let now = [
        let_in(&held).edit(|submission| submission.historic = true),
        spam.clone().edit(|submission| submission.signals.truncate(1)),
        note.clone().edit(|submission| submission.purpose = Purpose::Lead),
    ];
    let done = db.anew(&How::Replay, &now.iter().collect::<Vec<_>>()).await;
    assert!(done.iter().all(|one| outcome_of(one) == "changed created"), "{done:?}");
    let historic: Vec<String> = db.rows("event").await.iter().map(|row| column(row, "historic")).collect();
    assert!(historic.contains(&"1".to_owned()), "{historic:?}");
    for sent in &now {
        db.same(&How::Replay, sent).await;
    }
    // A person's word is stronger than signals.
    let spam = post(days(1)).phone("+7 916 000-33-44").spam();
    db.expect(Outcome::Spam, spam.clone()).await;
    assert_eq!(db.changed(&release(), &spam).await.outcome, Outcome::Created);
}

pub(crate) async fn what_is_settled_is_only_read_again(db: Db) {
    let sent = post(minutes(0)).name("Анна").phone(PHONE).field("f1", "anna@firma.ru").utm("ya");
    let first = db.expect(Outcome::Created, sent.clone()).await;
    let joined = db.expect(Outcome::Attached, post(minutes(5)).phone(PHONE).message("Алло?")).await;
    db.same(&How::Replay, &sent).await;
    db.same(&How::Reattach, &sent).await;
    db.same(&release(), &sent).await;
    db.same(&drop_it(), &sent).await;
    let now = post(minutes(0)).name("Анна").phone(PHONE).email("anna@firma.ru").utm("yandex").edit(|s| s.id = sent.0.id);
    let receipt = db.changed(&How::Reattach, &now).await;
    assert_eq!(
        (receipt.outcome, receipt.lead, receipt.contact, receipt.activity),
        (first.outcome, first.lead, first.contact, first.activity)
    );
    assert!(receipt.reasons.contains(&Reason::ReadAgain));
    let lead = db.lead_of(&receipt).await;
    assert_eq!((lead.timeline.len(), lead.lead.touched_at), (2, start() + minutes(5)));
    let activity = lead.timeline.iter().find(|activity| Some(activity.id) == first.activity).unwrap();
    assert!(activity.content.fields.is_empty() && activity.content.values.len() == 2);
    let person = db.contact_of(&receipt).await;
    let email = person.identities.iter().find(|identity| identity.value == "anna@firma.ru").unwrap();
    assert_eq!(email.state, IdentityState::Claimed, "a form proves nothing of a person who is known");
    assert_eq!(db.rows("activity_revision").await.len(), 1);
    assert_eq!(db.counts().await, [(Outcome::Created, 1), (Outcome::Attached, 1)]);
    db.same(&How::Reattach, &now).await;
    assert_eq!(db.lead_of(&joined).await.lead.activities, 2);
    // What a later delivery amended is not undone.
    let order = post(days(1)).phone(PHONE).external("order:1").field("paid", "no").content("x");
    db.one(order.clone()).await;
    db.expect(Outcome::Amended, post(days(2)).phone(PHONE).external("order:1").field("paid", "yes").content("y")).await;
    db.same(&How::Reattach, &order.field("more", "1")).await;
}

pub(crate) async fn a_lead_without_a_person_gets_one(db: Db) {
    let sent = post(minutes(0)).field("f1", PHONE);
    let first = db.expect(Outcome::Created, sent.clone()).await;
    assert_eq!(first.contact, None);
    let now = post(minutes(0)).phone(PHONE).edit(|s| s.id = sent.0.id);
    let receipt = db.changed(&How::Reattach, &now).await;
    assert_eq!(receipt.lead, first.lead);
    assert_eq!(db.lead_of(&receipt).await.lead.contact, receipt.contact);
    db.same(&How::Reattach, &now).await;
    db.expect(Outcome::Attached, post(minutes(9)).phone(PHONE)).await;
    // Somebody else's open lead stays where it is: a person is told.
    let nameless = post(minutes(30)).field("f1", PHONE);
    db.expect(Outcome::Created, nameless.clone()).await;
    let told = db.changed(&How::Reattach, &post(minutes(30)).phone(PHONE).edit(|s| s.id = nameless.0.id)).await;
    assert!(told.reasons.contains(&Reason::SeemsFrom { contact: receipt.contact.unwrap() }), "{:?}", told.reasons);
    assert_eq!(told.contact, None);
}

pub(crate) async fn whoever_was_slower_changes_nothing(db: Db) {
    let sent = post(minutes(0)).phone(PHONE).held(true);
    db.expect(Outcome::Quarantined, sent.clone()).await;
    let again = |id: &Post| Arc::new(Again { item: db.prepare(let_in(id)), seen: 1, how: release() });
    let mut many = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, rules, item) = (Arc::clone(&db.store), Arc::clone(&db.rules), again(&sent));
        many.spawn(async move { store.record_again(vec![item], rules, false).await.unwrap().remove(0) });
    }
    let done: Vec<String> = many.join_all().await.iter().map(outcome_of).collect();
    assert_eq!(done.iter().filter(|told| *told == "changed created").count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|told| *told == "Meanwhile").count(), 7, "{done:?}");
    let unknown = db.store.record_again(vec![again(&post(minutes(1)))], Arc::clone(&db.rules), false).await.unwrap();
    assert_eq!(unknown, [Recorded::Gone]);
    assert_eq!(db.rows("lead").await.len(), 1);
}

pub(crate) async fn the_ring_keeps_what_was_released(db: Db) {
    let (released, forgotten) = (post(minutes(0)).phone(PHONE).held(false), post(minutes(1)).held(false));
    for sent in [&released, &forgotten] {
        db.expect(Outcome::Quarantined, sent.clone()).await;
    }
    assert!(!db.of(&released).await.authenticated);
    db.changed(&release(), &let_in(&released)).await;
    db.changed(&drop_it(), &forgotten).await;
    let sweep = leadgate_core::ports::Sweep {
        now: start() + days(90),
        content_keys_before: start(),
        ring_before: Some(start() + days(80)),
        spam_before: None,
        quarantine_before: None,
        files_before: None,
        events_before: None,
        jobs_before: None,
    };
    db.store.sweep(sweep).await.unwrap();
    let left = db.kept(KeptFilter { dropped: true, ..KeptFilter::default() }).await;
    assert_eq!(left.iter().map(|kept| kept.id).collect::<Vec<_>>(), [released.0.id]);
}

pub(crate) async fn ranges_are_walked_in_order(db: Db) {
    let head = |submission: &mut leadgate_core::submission::Submission| {
        submission.raw.head = r#"{"headers":{"origin":"https://a.example"}}"#.into();
        submission.raw.query = "a=1".into();
        submission.raw.peer = Some("203.0.113.7".parse().unwrap());
    };
    let mut sent = Vec::new();
    for n in 0..12 {
        let one = post(minutes(n)).source(if n % 2 == 0 { "site" } else { "other" }).edit(head);
        sent.push(if n % 3 == 0 {
            one.held(true)
        } else if n % 3 == 1 {
            one.spam()
        } else {
            one
        });
    }
    db.record(sent.clone()).await;
    let waiting = KeptFilter { outcomes: vec![Outcome::Quarantined, Outcome::Spam], ..KeptFilter::default() };
    assert_eq!(db.store.kept_count(waiting.clone()).await.unwrap(), 8);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let some = db.store.kept(waiting.clone(), after, 3).await.unwrap();
        let Some(last) = some.last() else { break };
        after = Some(last.seq);
        seen.extend(some.into_iter().map(|kept| kept.id));
    }
    let expected: Vec<_> = sent.iter().enumerate().filter(|(n, _)| n % 3 != 2).map(|(_, post)| post.0.id).collect();
    assert_eq!(seen, expected);
    let narrow = KeptFilter {
        outcomes: Vec::new(),
        sources: Some(vec![leadgate_core::ids::SourceId::parse("site").unwrap()]),
        from: Some(start() + minutes(2)),
        to: Some(start() + minutes(8)),
        ..KeptFilter::default()
    };
    let found = db.kept(narrow.clone()).await;
    assert_eq!(found.iter().map(|kept| kept.id).collect::<Vec<_>>(), [sent[2].0.id, sent[4].0.id, sent[6].0.id]);
    assert_eq!(db.store.kept_count(narrow).await.unwrap(), 3);
    let one = &found[0];
    assert_eq!((one.query.as_str(), one.peer, &one.raw[..]), ("a=1", Some("203.0.113.7".parse().unwrap()), &b"a=b"[..]));
    assert!(one.head.contains("a.example") && one.content.as_deref().is_some_and(|content| content.starts_with('{')));
}

pub(crate) async fn an_ignored_sender_makes_no_lead(db: Db) {
    let sender = |typed: &str| Sender::read(typed, Country::parse("RU")).unwrap();
    for typed in [PHONE, "reklama.example.org", "one@firma.ru"] {
        assert!(db.store.ignore_sender(sender(typed), act(start())).await.unwrap());
        assert!(!db.store.ignore_sender(sender(typed), act(start() + minutes(1))).await.unwrap());
    }
    let all = db.store.ignored_senders().await.unwrap();
    assert_eq!((all.len(), all[0].actor.as_str(), all[0].at), (3, "api:test", start()));
    let posts = vec![
        post(minutes(1)).phone("8 (916) 123 45 67"),
        post(minutes(2)).email("promo@news.reklama.example.org").phone("+7 916 000-11-22"),
        post(minutes(3)).email("One@firma.ru"),
        post(minutes(4)).email("two@firma.ru"),
    ];
    let receipts = db.record(posts.clone()).await;
    let outcomes: Vec<Outcome> = receipts.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Noted, Outcome::Noted, Outcome::Noted, Outcome::Created]);
    assert_eq!(receipts[0].reasons, [Reason::Ignored { sender: sender(PHONE) }]);
    assert!(db.store.forget_sender(sender(PHONE)).await.unwrap());
    assert!(!db.store.forget_sender(sender(PHONE)).await.unwrap());
    assert_eq!(db.changed(&How::Replay, &posts[0]).await.outcome, Outcome::Created);
    db.same(&How::Replay, &posts[1]).await;
    assert_eq!(db.changed(&release(), &posts[1]).await.outcome, Outcome::Created);
}
