//! Mails: what we wrote, what came back, what a form told as well, and how their sources do.

use leadgate_core::change::{ChangeError, Close, LeadChange};
use leadgate_core::ids::SourceId;
use leadgate_core::keeping::{Erasure, ErasureKey};
use leadgate_core::ports::{Ask, FolderReport, PullReport, PullState, Sweep};
use leadgate_core::receipt::{Outcome, Reason, Receipt};
use leadgate_core::submission::{ActivityKind, Failure, MailClass, MailFacts, Purpose, Reference, Signal, Typed};
use leadgate_core::views::{Broken, IdentityView, SourceHealth};

use crate::support::{Db, Post, act, column, days, minutes, post, start};

const PHONE: &str = "+7 916 123-45-67";
const ANNA: &str = "anna@firma-mail.ru";

fn source(id: &str) -> SourceId {
    SourceId::parse(id).unwrap()
}

/// A mailbox that gets the notifications of the site's form.
fn mailbox(db: Db) -> Db {
    db.with_source("mail", |rules| rules.forms = vec![source("site")]).with_source("site", |rules| rules.notified = true)
}

fn mail(after: jiff::SignedDuration) -> Post {
    post(after).source("mail").edit(|s| {
        s.draft.activity = ActivityKind::Email;
        s.draft.mail = Some(Box::new(MailFacts { subject: "Hello".to_owned(), from: ANNA.to_owned(), ..MailFacts::default() }));
    })
}

fn from(email: &str, after: jiff::SignedDuration) -> Post {
    mail(after).email(email).proven()
}

fn sent(to: &str, after: jiff::SignedDuration) -> Post {
    mail(after).edit(|s| {
        s.draft.outgoing = true;
        s.draft.emails.push(Typed::new("to", to));
    })
}

fn forged(post: Post) -> Post {
    post.edit(|s| s.signals.push(Signal::Spoof { detail: "dmarc=fail".to_owned() }))
}

fn bounce(of: &str, after: jiff::SignedDuration) -> Post {
    mail(after).edit(|s| {
        s.purpose = Purpose::Note;
        s.draft.failures.push(Failure {
            address: of.to_owned(),
            permanent: true,
            status: "5.1.1".to_owned(),
            words: "no such user".to_owned(),
        });
    })
}

fn notification(after: jiff::SignedDuration) -> Post {
    mail(after).edit(|s| {
        s.draft.notification = true;
        s.draft.mail.as_mut().unwrap().class = MailClass::FormNotification;
    })
}

async fn address(db: &Db, receipt: &Receipt, email: &str) -> IdentityView {
    let contact = db.contact_of(receipt).await;
    contact.identities.into_iter().find(|identity| identity.value == email).unwrap()
}

async fn health(db: &Db, id: &str, now: jiff::SignedDuration) -> SourceHealth {
    let health = db.store.health(start() + now).await.unwrap();
    health.into_iter().find(|health| health.source.as_str() == id).unwrap()
}

pub(crate) async fn what_we_sent_stands_in_the_thread(db: Db) {
    let first = db.expect(Outcome::Created, from(ANNA, minutes(0)).known_as("message-id", "in1")).await;
    let before = db.contact_of(&first).await;
    let out = sent("other@firma-mail.ru", minutes(5)).refers("message-id", "in1").known_as("message-id", "out1");
    let out = db.expect(Outcome::Attached, out.message("our answer")).await;
    assert_eq!((out.lead, out.contact), (first.lead, first.contact));
    let lead = db.lead_of(&first).await;
    assert_eq!((lead.lead.activities, lead.lead.touched_at), (2, start()), "the customer did nothing");
    assert_eq!(db.contact_of(&first).await, before);
    let content = &lead.timeline[1].content;
    assert!(content.outgoing && content.mail.as_ref().unwrap().subject == "Hello");
    assert_eq!(column(db.rows("event").await.last().unwrap(), "name"), "'mail.sent'");
    // The answer of somebody else follows the thread; the next mail goes to whom it was sent to.
    let answer = db.expect(Outcome::Attached, from("new@firma-mail.ru", minutes(6)).refers("message-id", "out1")).await;
    assert_eq!(answer.lead, first.lead);
    assert_eq!(db.expect(Outcome::Attached, sent(ANNA, minutes(7))).await.lead, first.lead);
    db.store
        .change_lead(first.lead.unwrap(), vec![LeadChange::Close(Close::Converted)], None, act(start()))
        .await
        .unwrap()
        .unwrap();
    let late = db.expect(Outcome::Returned, sent(ANNA, minutes(8))).await;
    let contact = db.contact_of(&late).await;
    assert_eq!((contact.contact.waiting_since, contact.timeline.len()), (None, 1));
    let nobody = db.expect(Outcome::Noted, sent("nobody@firma-mail.ru", minutes(9)).known_as("message-id", "out9")).await;
    assert_eq!((nobody.lead, nobody.contact, nobody.activity), (None, None, None));
    assert_eq!((db.rows("contact").await.len(), db.rows("lead").await.len()), (1, 1));
    // A known Message-ID stays where it is.
    db.expect(Outcome::Created, from("thief@zlodey.ru", minutes(10)).known_as("message-id", "out1")).await;
    assert_eq!(db.one(from(ANNA, minutes(11)).refers("message-id", "out1")).await.contact, first.contact);
}

pub(crate) async fn the_same_mail_in_another_mailbox_is_noted(db: Db) {
    let db = db.with_source("sales", |_| ());
    let copy = |post: Post, id: &str, text: &str| post.known_as("message-id", id).known_as("copy", &format!("{id}/{text}"));
    let first = db.expect(Outcome::Created, copy(from(ANNA, minutes(0)), "m1", "text")).await;
    let other = db.expect(Outcome::Noted, copy(from(ANNA, minutes(1)).source("sales"), "m1", "text")).await;
    assert_eq!((other.lead, other.contact, other.activity), (first.lead, first.contact, None));
    assert!(other.reasons.contains(&Reason::Copy { activity: first.activity.unwrap() }), "{:?}", other.reasons);
    // Another text under the same id is another mail.
    let changed = db.expect(Outcome::Attached, copy(from(ANNA, minutes(2)).source("sales"), "m1", "other text")).await;
    assert_eq!(changed.lead, first.lead);
    // What we sent, with a copy to a mailbox of our own.
    db.expect(Outcome::Attached, copy(sent(ANNA, minutes(3)), "o1", "answer")).await;
    db.expect(Outcome::Noted, copy(sent(ANNA, minutes(4)).source("sales"), "o1", "answer")).await;
    assert_eq!(db.lead_of(&first).await.lead.activities, 3);
    assert_eq!(db.rows("lead").await.len(), 1);
}

pub(crate) async fn a_forged_mail_in_two_mailboxes_is_one_suspect(db: Db) {
    let db = db.with_source("sales", |_| ());
    let copy = |post: Post| post.known_as("message-id", "m1").known_as("copy", "m1/text");
    let first = db.expect(Outcome::Created, forged(copy(from(ANNA, minutes(0))))).await;
    let other = db.expect(Outcome::Noted, forged(copy(from(ANNA, minutes(1)).source("sales")))).await;
    assert_eq!((other.lead, other.activity), (first.lead, None));
    // The genuine one is not thrown after it, and then it is what the next forged one repeats.
    let genuine = db.expect(Outcome::Created, copy(from(ANNA, minutes(2)))).await;
    assert_ne!(genuine.lead, first.lead);
    let third = db.expect(Outcome::Noted, forged(copy(from(ANNA, minutes(3)).source("sales")))).await;
    assert_eq!(third.lead, genuine.lead);
    // Nothing finds its way by what a forged mail calls itself.
    let answer = db.expect(Outcome::Created, forged(from("thief@zlodey.ru", minutes(4)).known_as("message-id", "m2"))).await;
    let reply = db.expect(Outcome::Created, from("new@firma-mail.ru", minutes(5)).refers("message-id", "m2")).await;
    assert_ne!(reply.lead, answer.lead);
}

pub(crate) async fn a_bounce_marks_until_somebody_knows_better(db: Db) {
    let anna = db.expect(Outcome::Created, post(minutes(0)).email(ANNA)).await;
    let out = db.expect(Outcome::Attached, sent(ANNA, minutes(1)).known_as("message-id", "out1")).await;
    let back = db.expect(Outcome::Noted, bounce(ANNA, minutes(2)).refers("message-id", "out1")).await;
    assert_eq!((back.lead, back.contact, back.activity), (anna.lead, anna.contact, None));
    let mark = address(&db, &anna, ANNA).await.unreachable.unwrap();
    assert_eq!((mark.since, mark.status.as_str(), mark.words.as_str()), (start() + minutes(2), "5.1.1", "no such user"));
    let about: Vec<_> = db.rows("submission_about").await.iter().map(|row| column(row, "activity")).collect();
    assert!(about.contains(&out.activity.unwrap().to_string()), "{about:?}");
    // A person knows better, once.
    let reachable = |email: &str| db.store.reachable(anna.contact.unwrap(), email.to_owned(), act(start() + minutes(3)));
    let contact = reachable(ANNA).await.unwrap().unwrap();
    assert_eq!(contact.identities[0].unreachable, None);
    assert!(matches!(reachable(ANNA).await.unwrap(), Err(ChangeError::NotPossible(_))));
    let missing = db.store.reachable(leadgate_core::ids::ContactId(99), ANNA.to_owned(), act(start())).await.unwrap();
    assert_eq!(missing, Err(ChangeError::Missing("contact")));
    assert_eq!(column(db.rows("event").await.last().unwrap(), "name"), "'contact.reachable'");
    // A mail from there does. All of it in one batch, of somebody who is new in it, too.
    let boris = "boris@firma-mail.ru";
    let receipts = db
        .record(vec![
            bounce(ANNA, minutes(4)),
            post(minutes(4)).email(boris),
            bounce(boris, minutes(5)),
            from(ANNA, minutes(6)),
            bounce(boris, minutes(7)),
        ])
        .await;
    assert!(receipts[3].reasons.contains(&Reason::Reachable { email: ANNA.to_owned() }));
    assert_eq!(address(&db, &anna, ANNA).await.unreachable, None);
    assert_eq!(address(&db, &receipts[1], boris).await.unreachable.unwrap().since, start() + minutes(5));
    // The mark goes along with the address, and comes back with it.
    let with = db.expect(Outcome::Attached, post(minutes(8)).email(boris).email("second@firma-mail.ru")).await;
    db.one(bounce("second@firma-mail.ru", minutes(9))).await;
    let moved = db.store.detach(with.activity.unwrap(), act(start() + minutes(10))).await.unwrap().unwrap();
    let there = db.store.contact(moved.to_contact.unwrap()).await.unwrap().unwrap();
    assert!(there.identities[0].unreachable.is_some());
    db.store.undo_move(moved.id, act(start() + minutes(11))).await.unwrap().unwrap();
    assert!(address(&db, &with, "second@firma-mail.ru").await.unreachable.is_some());
}

pub(crate) async fn a_form_and_its_notification_are_one(db: Db) {
    let db = mailbox(db);
    let form = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).email(ANNA).message("Hello\n you").utm("ya")).await;
    let before = (db.rows("activity").await, db.rows("event").await, db.rows("lead").await, db.rows("identity").await);
    let note = notification(minutes(29)).phone(PHONE).message("Hello you").key("uid", "7-1").known_as("message-id", "n1");
    let twin = db.expect(Outcome::Noted, note.clone()).await;
    assert_eq!((twin.lead, twin.contact, twin.activity), (form.lead, form.contact, form.activity));
    assert_eq!(twin.reasons, [Reason::Twin { first: form.submission }]);
    let after = (db.rows("activity").await, db.rows("event").await, db.rows("lead").await, db.rows("identity").await);
    assert_eq!(after, before, "nothing but the note");
    assert_eq!(db.store.submission(twin.submission).await.unwrap().unwrap().raw, b"a=b", "it is kept");
    let again = note.edit(|s| s.id = leadgate_core::ids::SubmissionId(crate::support::id_at(start() + minutes(30))));
    db.expect(Outcome::Repeat, again).await;
    db.expect(Outcome::Attached, notification(minutes(31)).phone(PHONE)).await;
    // In one batch, and on a contact without an open lead.
    db.store
        .change_lead(form.lead.unwrap(), vec![LeadChange::Close(Close::Converted)], None, act(start()))
        .await
        .unwrap()
        .unwrap();
    let receipts =
        db.record(vec![post(minutes(100)).email(ANNA).message("x"), notification(minutes(101)).email(ANNA).message("x")]).await;
    assert_eq!((receipts[0].outcome, receipts[1].outcome), (Outcome::Returned, Outcome::Noted));
    assert_eq!(receipts[1].activity, receipts[0].activity);
    db.expect(Outcome::Noted, notification(minutes(102)).email(ANNA).message("x")).await;
    // A backfilled one is of its own time.
    let old = notification(days(30)).email(ANNA).edit(|s| (s.historic, s.occurred_at) = (true, Some(start() + minutes(2))));
    db.expect(Outcome::Noted, old).await;
}

pub(crate) async fn a_form_that_comes_second_is_told(db: Db) {
    let db = mailbox(db);
    let note = notification(minutes(0)).phone(PHONE).message("Hello").known_as("message-id", "n1");
    let first = db.expect(Outcome::Created, note).await;
    let events = db.rows("event").await;
    let form = post(minutes(20)).phone(PHONE).email(ANNA).name("Анна").message("Hello").utm("ya").key("k", "1");
    let form = db.expect(Outcome::Amended, form).await;
    assert_eq!((form.lead, form.activity), (first.lead, first.activity));
    assert_eq!(db.rows("event").await, events, "nobody is told twice");
    let lead = db.lead_of(&first).await;
    assert_eq!((lead.timeline.len(), lead.timeline[0].revisions), (1, 1));
    assert_eq!(lead.timeline[0].content.name.as_deref(), Some("Анна"));
    assert_eq!(lead.lead.utm_source.as_deref(), Some("ya"));
    let person = db.store.person(first.contact.unwrap()).await.unwrap().unwrap();
    assert!(person.activities[0].earlier[0].content.notification, "what it told before is kept");
    // From now on the form tells it, and its notification elsewhere is a twin of the form.
    let twin = db.expect(Outcome::Noted, notification(minutes(21)).phone(PHONE)).await;
    assert_eq!(twin.reasons, [Reason::Twin { first: form.submission }]);
    db.expect(Outcome::Attached, post(minutes(22)).phone(PHONE)).await;
}

pub(crate) async fn a_broken_webhook_is_told(db: Db) {
    let db = mailbox(db);
    for n in 0..3 {
        db.expect(Outcome::Created, notification(minutes(n)).phone(&format!("+7 916 222-33-0{n}"))).await;
    }
    let soon = db.store.health(start() + minutes(30)).await.unwrap();
    assert!(soon.iter().all(|health| health.broken.is_none()), "their time is not over: {soon:?}");
    assert_eq!(health(&db, "site", minutes(32)).await.broken, Some(Broken { since: start(), missed: 2 }));
    let late = health(&db, "site", minutes(60)).await;
    assert_eq!((late.broken, late.last_accepted), (Some(Broken { since: start(), missed: 3 }), None), "it never sent anything");
    assert_eq!(health(&db, "mail", minutes(60)).await.broken, None);
    let old = Sweep { now: start() + days(30) + minutes(1), content_keys_before: start(), ..Sweep::default() };
    db.store.sweep(old).await.unwrap();
    assert_eq!(health(&db, "site", days(30)).await.broken.map(|broken| broken.missed), Some(2), "counted for 30 days");
    // A pair ends it; what comes alone after that begins it.
    db.record(vec![
        notification(days(31)).phone("+7 916 222-33-07"),
        post(days(31)).phone(PHONE),
        notification(days(31) + minutes(1)).phone(PHONE),
        notification(days(31) + minutes(2)).phone("+7 916 222-33-08"),
    ])
    .await;
    let since = start() + days(31) + minutes(2);
    assert_eq!(health(&db, "site", days(32)).await.broken, Some(Broken { since, missed: 1 }));
    db.expect(Outcome::Amended, post(days(31) + minutes(3)).phone("+7 916 222-33-08")).await;
    assert_eq!(health(&db, "site", days(32)).await.broken, None);
}

pub(crate) async fn mails_leave_nothing_of_an_erased_person(db: Db) {
    let db = mailbox(db);
    let marked = |post: Post| {
        post.message("marker").edit(|s| {
            s.raw.body = "marker".into();
            if let Some(facts) = &mut s.draft.mail {
                "marker".clone_into(&mut facts.subject);
                facts.to = vec!["marker <marker@firma-mail.ru>".to_owned()];
                facts.whole = Some("marker".to_owned());
            }
        })
    };
    let marker = "marker@firma-mail.ru";
    let first = marked(from(marker, minutes(0)).name("Marker").known_as("message-id", "marker-1").key("uid", "marker-1"));
    let first = db.expect(Outcome::Created, first).await;
    db.expect(Outcome::Attached, marked(sent(marker, minutes(1)).known_as("message-id", "marker-2"))).await;
    let back = marked(bounce(marker, minutes(2)).refers("message-id", "marker-2").key("uid", "marker-2")).edit(|s| {
        "marker is unknown here".clone_into(&mut s.draft.failures[0].words);
    });
    db.expect(Outcome::Noted, back).await;
    db.expect(Outcome::Attached, marked(post(minutes(3)).email(marker))).await;
    db.expect(Outcome::Noted, marked(notification(minutes(4)).email(marker).key("uid", "marker-3"))).await;
    let person = db.store.person(first.contact.unwrap()).await.unwrap().unwrap();
    assert_eq!((person.activities.len(), person.submissions.len()), (3, 5), "what made no activity is given out, too");
    assert_eq!(person.contact.identities[0].unreachable.as_ref().unwrap().words, "marker is unknown here");
    let erasure =
        Erasure { contact: first.contact.unwrap(), reason: "asked".to_owned(), key: ErasureKey::new([7; 32]), also: Vec::new() };
    let done = db.store.erase(erasure, act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!((done.gone.submissions, done.gone.activities), (5, 3));
    let left: Vec<String> = db
        .dump()
        .await
        .into_iter()
        .flat_map(|(table, rows)| rows.into_iter().map(move |row| format!("{table}: {row}")))
        .filter(|row| row.to_lowercase().contains("marker") || row.contains("6D61726B6572") || row.contains("6d61726b6572"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// A batch in which one mail leads to another.
fn tangled() -> Vec<Post> {
    vec![
        notification(minutes(0)).phone(PHONE).known_as("message-id", "n1"),
        post(minutes(1)).phone(PHONE).email(ANNA).utm("ya"),
        notification(minutes(2)).email(ANNA),
        from(ANNA, minutes(3)).known_as("message-id", "in1").refers("message-id", "n1"),
        sent(ANNA, minutes(4)).refers("message-id", "in1").known_as("message-id", "out1"),
        bounce(ANNA, minutes(5)).refers("message-id", "out1"),
        bounce("nobody@firma-mail.ru", minutes(5)),
        from(ANNA, minutes(6)).known_as("message-id", "in1"),
        forged(from(ANNA, minutes(7)).known_as("message-id", "in1").refers("message-id", "in1")),
        bounce(ANNA, minutes(8)),
        notification(minutes(9)).phone("+7 916 222-33-01"),
        mail(minutes(10)).known_as("message-id", "nameless"),
        from("vera@firma-mail.ru", minutes(11)).refers("message-id", "nameless"),
        notification(minutes(12)).email("vera@firma-mail.ru"),
        sent("nobody@firma-mail.ru", minutes(13)),
        mail(minutes(14)).edit(|s| s.draft.phones.push(Typed { found: true, ..Typed::new("signature", PHONE) })),
    ]
}

pub(crate) async fn splitting_mails_changes_no_row(db: Db) {
    let db = mailbox(db);
    let posts = tangled();
    let together = db.record(posts.clone()).await;
    let expected = db.dump().await;
    assert!(!expected["submission_about"].is_empty() && !expected["awaited_twin"].is_empty());
    for at in 1..posts.len() {
        let split = db.another().await;
        let mut receipts = split.record(posts[..at].to_vec()).await;
        receipts.extend(split.record(posts[at..].to_vec()).await);
        assert_eq!(receipts, together, "split at {at}");
        let rows = split.dump().await;
        for (table, expected) in &expected {
            assert_eq!(&rows[table], expected, "{table}, split at {at}");
        }
    }
}

pub(crate) async fn a_mail_is_kept_whole_and_clean(db: Db) {
    let odd = from("an\0na@firma-mail.ru", minutes(0)).name("An\0na").known_as("message-id", "<m\0@x>").edit(|s| {
        let facts = s.draft.mail.as_mut().unwrap();
        facts.subject = "s\0".repeat(9999);
        facts.to = (0..500).map(|n| format!("c{n}\0@firma-mail.ru")).collect();
        facts.whole = Some("w\0".repeat(1 << 20));
        facts.why = vec!["y\0".to_owned(); 99];
        facts.truncated = Some(40 << 20);
        s.draft.known_as.push(Reference { scope: Reference::MESSAGE_ID.to_owned(), value: "x".repeat(100_000) });
        s.draft.refers_to = (0..500).map(|n| Reference { scope: "message-id".to_owned(), value: format!("{n}") }).collect();
    });
    let receipt = db.expect(Outcome::Created, odd).await;
    let lead = db.lead_of(&receipt).await;
    let facts = lead.timeline[0].content.mail.as_ref().unwrap();
    assert_eq!((facts.to.len(), facts.to[499.min(facts.to.len() - 1)].as_str()), (101, "and 400 more"));
    assert_eq!((facts.subject.len(), facts.why.len(), facts.truncated), (998, 21, Some(40 << 20)));
    assert_eq!(facts.whole.as_ref().unwrap().len(), 1 << 20);
    assert!(!serde_json::to_string(&lead).unwrap().contains("\\u0000"));
    assert_eq!(lead.lead.title.len(), 200, "the subject names it");
    let long = db.expect(Outcome::Attached, mail(minutes(1)).refers("message-id", &"x".repeat(100_000))).await;
    assert_eq!(long.lead, receipt.lead);
    // Sent to five hundred, come back from a thousand.
    let out = sent("c1@firma-mail.ru", minutes(2)).edit(|s| {
        s.draft.emails = (0..500).map(|n| Typed::new("to", format!("c{n}\0@firma-mail.ru"))).collect();
    });
    db.expect(Outcome::Noted, out).await;
    let many = bounce(ANNA, minutes(3)).edit(|s| {
        let failure = s.draft.failures[0].clone();
        let of = |n: u32| Failure { address: format!("c{n}\0@firma-mail.ru"), words: "\0".repeat(9999), ..failure.clone() };
        s.draft.failures.extend((0..1000).map(of));
    });
    let many = db.expect(Outcome::Noted, many).await;
    assert_eq!((many.reasons.len(), many.contact), (100, receipt.contact));
    assert!(address(&db, &receipt, ANNA).await.unreachable.is_some());
}

pub(crate) async fn storms_are_taken(db: Db) {
    let db = mailbox(db);
    // Sixty-four mails with fifty references each, all new but one.
    db.expect(Outcome::Created, from(ANNA, minutes(0)).known_as("message-id", "known")).await;
    let mails = (0..64).map(|n| {
        mail(minutes(1)).edit(|s| {
            let reference = |m: u32| Reference::new(Reference::MESSAGE_ID, &format!("<{n}.{m}@mail.example.org>"));
            s.draft.refers_to = (0..49).filter_map(reference).chain(Reference::new(Reference::MESSAGE_ID, "known")).collect();
        })
    });
    let receipts = db.record(mails.collect()).await;
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Attached && receipt.lead == receipts[0].lead));
    // A form that is posted on and on, with a notification each.
    let pairs = (0..60).flat_map(|n| {
        let text = format!("message {n}");
        [post(minutes(2)).phone(PHONE).message(&text), notification(minutes(2)).phone(PHONE).message(&text)]
    });
    let receipts = db.record(pairs.collect()).await;
    assert_eq!(receipts.iter().filter(|receipt| receipt.outcome == Outcome::Noted).count(), 60);
    assert_eq!(db.rows("activity").await.len(), 65 + 60);
}

pub(crate) async fn sources_are_noted_and_asked(db: Db) {
    assert!(db.store.source_notes().await.unwrap().is_empty());
    let (mail, at) = (source("mail"), start() + minutes(1));
    let ask = Ask::Backfill { since: jiff::civil::date(2026, 1, 1) };
    db.store.ask_source(&mail, Some(ask), start()).await.unwrap();
    let folder = FolderReport { name: "Заявки\0".to_owned(), behind: 7, quarantined: 1, backfill: Some((3, 9)) };
    let report = PullReport { state: PullState::Reading, words: String::new(), heard_at: Some(at), folders: vec![folder] };
    db.store.note_source(&mail, report.clone(), at).await.unwrap();
    db.store.note_source(&source("a"), PullReport::default(), at).await.unwrap();
    let notes = db.store.source_notes().await.unwrap();
    assert_eq!(notes.iter().map(|note| note.source.as_str()).collect::<Vec<_>>(), ["a", "mail"]);
    let of = &notes[1];
    assert_eq!((of.ask, of.asked_at, of.reported_at), (Some(ask), Some(start()), Some(at)));
    assert_eq!(of.report.as_ref().unwrap().folders[0].behind, 7);
    db.store.ask_source(&mail, None, at).await.unwrap();
    let of = db.store.source_notes().await.unwrap().remove(1);
    assert_eq!((of.ask, of.asked_at, of.report.map(|report| report.state)), (None, None, Some(PullState::Reading)));
}

pub(crate) async fn silence_is_judged_by_the_hour(db: Db) {
    // Six an hour from nine to eleven, each day of two weeks; what was backfilled tells nothing.
    for day in 0..14 {
        let posts = (0..12).map(|n| post(days(day) + minutes(10 * n)).email(ANNA));
        let old = (0..50).map(|_| post(days(day) + minutes(200)).edit(|s| s.historic = true));
        db.record(posts.chain(old).collect()).await;
    }
    let at = |minute| health(&db, "site", days(14) + minutes(minute));
    let young = health(&db, "site", days(6)).await;
    assert_eq!((young.usual, young.silent), (None, false));
    assert!(!at(-30).await.silent, "the night");
    assert!(!at(30).await.silent);
    let silent = at(55).await;
    assert!(silent.silent && silent.usual.unwrap().this_hour > 5.9, "{silent:?}");
    assert!(!at(240).await.usual.unwrap().this_hour.is_normal(), "nothing is usual in the afternoon");
    db.one(post(days(14) + minutes(54)).email(ANNA)).await;
    assert!(!at(55).await.silent);
    // What is too old to tell goes.
    let sweep = Sweep { now: start() + days(48), content_keys_before: start(), ..Sweep::default() };
    db.store.sweep(sweep).await.unwrap();
    let oldest = db.rows("source_hour").await.iter().map(|row| column(row, "hour").parse::<i64>().unwrap()).min().unwrap();
    assert_eq!(oldest, leadgate_core::liveness::hour_of(start() + days(13)));
}
