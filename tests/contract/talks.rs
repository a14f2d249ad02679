//! Talks by messenger: messages that belong together, files that come later, and what managers answer.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::attribution::Touch;
use leadgate_core::change::{ChangeError, Close, LeadChange};
use leadgate_core::chat::{ChatFacts, OfferedFile, SendState, Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, SourceId};
use leadgate_core::keeping::{Erasure, ErasureKey};
use leadgate_core::name;
use leadgate_core::onward::{EventData, JobId, JobState, Late, Recipient, Routes, Target, event};
use leadgate_core::ports::{Act, Campaign, ChatState, Fetched, NewReply, Sweep};
use leadgate_core::prepare::Content;
use leadgate_core::receipt::{Outcome, Reason, Receipt};
use leadgate_core::replay::{Again, How, KeptFilter};
use leadgate_core::submission::{ActivityKind, FileRef, Handle, Purpose, Reference, Submission};
use leadgate_core::views::ContactFilter;

use crate::chats::account;
use crate::outbox::{all, route};
use crate::support::{Db, Post, act, column, days, minutes, page, post, start};

/// Long, so that no id has it by chance.
const ANNA: &str = "4242424242";
const ALBUM: &str = "album:4242424242:7";

fn bot() -> SourceId {
    SourceId::parse("bot").unwrap()
}

fn by(who: &str) -> Handle {
    Handle { kind: "telegram".to_owned(), value: who.to_owned(), display: "@anna".to_owned(), proven: true }
}

/// By what a message of that chat is known.
fn known(message: &str) -> Option<Reference> {
    Reference::new("telegram", &format!("1/{ANNA}:{message}"))
}

fn sent_as(message: &str) -> SentAs {
    SentAs { message: message.to_owned(), reference: known(message) }
}

/// A message in a private chat.
fn message(after: SignedDuration, n: u32) -> Post {
    let post = post(after).source("bot").external(&format!("{ANNA}:{n}")).edit(|s| {
        s.draft.activity = ActivityKind::Message;
        s.draft.handles.push(by(ANNA));
        s.draft.chat = Some(Box::new(ChatFacts { chat: ANNA.to_owned(), message: n.to_string(), ..ChatFacts::default() }));
        s.draft.known_as.extend(known(&n.to_string()));
    });
    post.key("update_id", &format!("{n}/{after}"))
}

fn offering(post: Post, unique: &str) -> Post {
    let file =
        OfferedFile { id: format!("id-{unique}"), unique: unique.to_owned(), kind: "photo".to_owned(), ..OfferedFile::default() };
    post.edit(|s| s.draft.offered.push(file))
}

fn gathering(post: Post, key: &str) -> Post {
    post.external(key).edit(|s| s.draft.gathers = true)
}

/// An album of ten pictures, the first with a caption.
fn album() -> Vec<Post> {
    let picture = |n: u32| gathering(offering(message(minutes(0), n), &format!("u{n}")), ALBUM);
    let mut album: Vec<Post> = (1..=10).map(picture).collect();
    album[0] = album[0].clone().message("Our kitchen");
    album
}

fn edited(post: Post, at: SignedDuration) -> Post {
    post.edit(|s| s.draft.chat.as_mut().unwrap().edited_at = Some(start() + at))
}

async fn told(db: &Db, receipt: &Receipt) -> Content {
    let lead = db.lead_of(receipt).await;
    lead.timeline.into_iter().find(|activity| Some(activity.id) == receipt.activity).unwrap().content
}

fn offered(content: &Content) -> Vec<&str> {
    content.offered.iter().map(|file| file.unique.as_str()).collect()
}

fn file(unique: &str, sha256: &str) -> Fetched {
    let file = FileRef {
        sha256: sha256.to_owned(),
        name: "a.jpg".to_owned(),
        content_type: "image/jpeg".to_owned(),
        size: 1,
        field: unique.to_owned(),
    };
    Fetched { unique: unique.to_owned(), end: Ok(file) }
}

// --------------------------------------------------------------------------------------------- what belongs together

pub(crate) async fn an_album_is_one_activity(db: Db) {
    let together = db.record(album()).await;
    let pieces = db.another().await;
    let mut one_by_one = Vec::new();
    for picture in album() {
        one_by_one.push(pieces.one(picture).await);
    }
    for (db, receipts) in [(&db, &together), (&pieces, &one_by_one)] {
        let outcomes: Vec<Outcome> = receipts.iter().map(|receipt| receipt.outcome).collect();
        assert_eq!((outcomes[0], &outcomes[1..]), (Outcome::Created, &[Outcome::Amended; 9][..]));
        let content = told(db, &receipts[0]).await;
        assert_eq!(content.message.as_deref(), Some("Our kitchen"));
        assert_eq!(offered(&content), ["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10"]);
        let lead = db.lead_of(&receipts[0]).await;
        assert_eq!((lead.timeline.len(), lead.timeline[0].revisions), (1, 9));
    }
    // A picture that comes twice stays one, and an edited caption takes the place of the old one.
    db.expect(Outcome::Repeat, album().remove(4).edit(same_as(&db, 4).await)).await;
    let caption = edited(album().remove(0), minutes(1)).message("Our new kitchen").key("update_id", "edit");
    let caption = caption.edit(|s| s.keys.drain(..1).for_each(drop));
    db.expect(Outcome::Amended, caption).await;
    let content = told(&db, &together[0]).await;
    assert_eq!((content.message.as_deref(), content.offered.len()), (Some("Our new kitchen"), 10));
    assert_eq!(content.chat.as_ref().unwrap().edited_at, Some(start() + minutes(1)));
}

/// Makes a delivery the one that was kept as the `n`-th.
async fn same_as(db: &Db, n: usize) -> impl FnOnce(&mut Submission) + use<> {
    let kept = db.store.kept(KeptFilter::default(), None, 20).await.unwrap();
    let id = kept[n].id;
    move |submission| submission.id = id
}

pub(crate) async fn a_flood_is_gathered(db: Db) {
    let flood = |n: u32, text: &str| gathering(message(minutes(0), n), "flood:4242424242:1").message(text);
    let first = db.expect(Outcome::Created, flood(1, "one")).await;
    let receipts = db.record(vec![flood(2, "two"), flood(3, "three"), flood(4, "three")]).await;
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Amended && receipt.activity == first.activity));
    db.expect(Outcome::Amended, flood(5, "five")).await;
    assert_eq!(told(&db, &first).await.message.as_deref(), Some("one\ntwo\nthree\nthree\nfive"));
    let person = db.store.person(first.contact.unwrap()).await.unwrap().unwrap();
    let earlier: Vec<_> = person.activities[0].earlier.iter().map(|one| one.content.message.clone().unwrap()).collect();
    assert_eq!(earlier, ["one", "one\ntwo", "one\ntwo\nthree", "one\ntwo\nthree\nthree"]);
    // Whoever answers any of them goes on there.
    let answer = message(minutes(5), 9).edit(|s| s.draft.refers_to.extend(known("3")));
    let refers = Reason::Refers { scope: "telegram".to_owned() };
    assert!(db.expect(Outcome::Attached, answer).await.reasons.contains(&refers));
}

pub(crate) async fn splitting_talks_changes_no_row(db: Db) {
    let text = |n: u32, text: &str| message(minutes(i64::from(n)), n).message(text);
    let mut posts = album();
    posts.truncate(3);
    posts.push(offering(text(20, "a picture"), "p"));
    posts.push(edited(offering(text(20, "the picture"), "p"), minutes(21)).key("update_id", "21"));
    posts.push(gathering(text(22, "more"), "4242424242:20"));
    posts.push(text(23, "hello").edit(|s| s.draft.external_key = Some(ALBUM.to_owned())));
    posts.push(gathering(text(24, "again"), ALBUM));
    posts.push(text(25, "from us").edit(|s| {
        s.draft.outgoing = true;
        s.draft.handles.clear();
        s.draft.refers_to.extend(known("20"));
    }));
    posts.push(text(26, "start").edit(|s| (s.purpose, s.draft.follow_up) = (Purpose::Note, true)));
    for (n, post) in posts.iter_mut().enumerate() {
        *post = post.clone().edit(|s| s.keys.drain(..).for_each(drop)).key("update_id", &n.to_string());
    }
    let together = db.record(posts.clone()).await;
    let expected = db.dump().await;
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

pub(crate) async fn staff_make_no_lead(db: Db) {
    let mut by_staff = message(minutes(0), 1).message("Is anybody there?");
    by_staff.0.draft.by_staff = Some(ManagerId("anna".to_owned()));
    let receipt = db.expect(Outcome::Noted, by_staff).await;
    assert_eq!((receipt.lead, receipt.contact, receipt.activity), (None, None, None));
    assert_eq!(receipt.reasons, [Reason::ByStaff { manager: ManagerId("anna".to_owned()) }]);
    assert!(db.rows("contact").await.is_empty());
}

pub(crate) async fn follow_ups_are_owed_for_what_is_fresh(db: Db) {
    let db = db.with_routes(Routes::new(vec![
        route("telegram:bot", Recipient::Target, "message.received", Some("bot")),
        route("files:bot", Recipient::Target, "file.offered", Some("bot")),
        route("webhook:crm", Recipient::Target, "message.* file.*", None),
    ]));
    let follow = |post: Post| post.edit(|s| s.draft.follow_up = true);
    let first = db.expect(Outcome::Created, follow(offering(message(minutes(0), 1), "a"))).await;
    let pair = |target: &str, event: &str| (target.to_owned(), event.to_owned());
    let both = [pair("telegram:bot", "message.received"), pair("files:bot", "file.offered")];
    assert_eq!(db.told().await, both);
    let job = &db.owed().await[1];
    assert_eq!((job.lead, job.contact, job.at), (first.lead, first.contact, start()));
    // A note is followed up, too; what offers a file and is no activity brings nothing.
    let note = follow(offering(message(minutes(1), 2), "b")).edit(|s| s.purpose = Purpose::Note);
    db.expect(Outcome::Noted, note).await;
    assert_eq!(db.told().await[2..], both[..1]);
    // A further picture asks again; what is old, repeated or only told asks for nothing.
    db.expect(
        Outcome::Amended,
        offering(message(minutes(0), 1), "c").key("update_id", "x").edit(|s| s.keys.drain(..1).for_each(drop)),
    )
    .await;
    assert_eq!(db.told().await[3..], both[1..]);
    db.one(follow(offering(message(minutes(3), 4), "d")).edit(|s| s.historic = true)).await;
    db.expect(Outcome::Repeat, follow(message(minutes(9), 5)).edit(|s| s.id = first.submission)).await;
    db.one(message(minutes(4), 6)).await;
    assert_eq!(db.owed().await.len(), 4);
}

// ------------------------------------------------------------------------------------------------ files that come later

pub(crate) async fn files_come_later(db: Db) {
    let first = db.expect(Outcome::Created, offering(offering(offering(message(minutes(0), 1), "a"), "b"), "c")).await;
    let activity = first.activity.unwrap();
    let too_large = Fetched { unique: "b".to_owned(), end: Err("it is larger than 20 MB".to_owned()) };
    db.store.keep_files(activity, vec![file("a", "aa"), too_large, file("nobody", "ff")]).await.unwrap();
    let content = told(&db, &first).await;
    assert_eq!(content.files.iter().map(|file| (file.field.as_str(), file.sha256.as_str())).collect::<Vec<_>>(), [("a", "aa")]);
    assert_eq!(offered(&content), ["b", "c"]);
    assert_eq!((content.offered[0].problem.as_str(), content.offered[1].problem.as_str()), ("it is larger than 20 MB", ""));
    assert_eq!(db.lead_of(&first).await.timeline[0].revisions, 0, "the person said nothing new");
    let asked = || vec!["aa".to_owned(), "ff".to_owned()];
    assert_eq!(db.store.attachments_known(asked()).await.unwrap(), ["aa"]);
    // Twice is once.
    let before = db.dump().await;
    db.store.keep_files(activity, vec![file("a", "aa")]).await.unwrap();
    db.store.keep_files(ActivityId(99), vec![file("a", "aa")]).await.unwrap();
    assert_eq!(db.dump().await, before);
    // A new caption offers the same files: the one that is here stays, the others may be asked for once more.
    let again = offering(offering(message(minutes(1), 1), "a"), "b").message("Look");
    db.expect(Outcome::Amended, edited(again, minutes(1))).await;
    let content = told(&db, &first).await;
    assert_eq!((content.message.as_deref(), content.files.len()), (Some("Look"), 1));
    assert_eq!(offered(&content), ["b"]);
    // So it is with a gathered one.
    let picture = |n: u32| gathering(offering(message(minutes(5), n), &format!("u{n}")), "album:4242424242:9");
    let album = db.one(picture(11)).await;
    db.store.keep_files(album.activity.unwrap(), vec![file("u11", "bb")]).await.unwrap();
    db.record(vec![picture(12), picture(11).edit(|s| s.keys.drain(..).for_each(drop)).key("update_id", "again")]).await;
    let content = told(&db, &album).await;
    assert_eq!((content.files.len(), offered(&content)), (1, vec!["u12"]));
    // The files of somebody who is erased are named.
    let erasure = erasure(first.contact);
    assert_eq!(db.store.erase(erasure, act(start() + days(1))).await.unwrap().unwrap().files, ["aa", "bb"]);
    db.store.keep_files(activity, vec![file("b", "cc")]).await.unwrap();
    assert!(db.rows("attachment").await.is_empty(), "nothing is put on what is erased");
}

pub(crate) async fn what_is_read_again_keeps_what_came_since(db: Db) {
    let single = offering(message(minutes(0), 1), "a").message("as it was read");
    let first = db.one(single.clone()).await;
    db.store.keep_files(first.activity.unwrap(), vec![file("a", "aa")]).await.unwrap();
    let pictures: Vec<Post> = album().into_iter().take(2).collect();
    let album = db.record(pictures.clone()).await;
    let again = async |post: Post| {
        let filter = KeptFilter { ids: vec![post.0.id], ..KeptFilter::default() };
        let seen = db.store.kept(filter, None, 1).await.unwrap().remove(0).receipt;
        let item = db.prepare(post);
        let again = vec![Arc::new(Again { item, seen, how: How::Reattach })];
        db.store.record_again(again, Arc::clone(&db.rules), false).await.unwrap();
    };
    again(single.clone()).await;
    assert_eq!(db.lead_of(&first).await.timeline[0].revisions, 0, "it is read as it was");
    again(single.message("as it is read now")).await;
    let content = told(&db, &first).await;
    assert_eq!((content.message.as_deref(), content.files.len(), content.offered.len()), (Some("as it is read now"), 1, 0));
    again(pictures[1].clone().message("a picture's own words")).await;
    let content = told(&db, &album[0]).await;
    assert_eq!((content.message.as_deref(), content.offered.len()), (Some("Our kitchen"), 2), "it is told by several");
}

// -------------------------------------------------------------------------------------------------------------- replies

fn reply(lead: Option<LeadId>, contact: Option<ContactId>) -> NewReply {
    NewReply {
        lead,
        contact,
        text: "Yes, from 9 to 18.\0".to_owned(),
        kind: ActivityKind::Message,
        source: Some(bot()),
        chat: Some(ChatFacts { chat: ANNA.to_owned(), ..ChatFacts::default() }),
        target: "telegram:bot".to_owned(),
    }
}

pub(crate) async fn a_reply_is_written_once(db: Db) {
    let db = db.with_routes(all("webhook:crm"));
    let first = db.expect(Outcome::Created, message(minutes(0), 1).message("Are you open?")).await;
    let before = db.lead_of(&first).await;
    let owed = db.owed().await.len();
    let at = db.act(start() + minutes(2));
    let written = db.store.write_reply(reply(first.lead, None), at.clone()).await.unwrap().unwrap();
    for _ in 0..2 {
        let again = db.store.write_reply(reply(first.lead, None), at.clone()).await.unwrap();
        assert_eq!(again, Ok(written));
    }
    let lead = db.lead_of(&first).await;
    assert_eq!((lead.timeline.len(), lead.version, lead.lead.touched_at), (2, before.version, before.lead.touched_at));
    let activity = &lead.timeline[1];
    assert_eq!((activity.id, activity.kind, activity.source.clone()), (written, ActivityKind::Message, Some(bot())));
    assert_eq!((activity.contact, activity.author.as_deref()), (first.contact, Some("api:test")));
    let content = &activity.content;
    assert_eq!((content.message.as_deref(), content.outgoing), (Some("Yes, from 9 to 18."), true));
    assert_eq!(content.chat.as_ref().map(|chat| (chat.chat.as_str(), chat.message.as_str())), Some((ANNA, "")));
    assert_eq!(content.sending, Some(Sending { state: SendState::Sending, at: at.at, words: String::new() }));
    assert_eq!(activity.occurred_at, at.at);
    let jobs = db.owed().await.split_off(owed);
    let told: Vec<_> = jobs.iter().map(|job| (job.target.as_str(), job.to.as_str(), job.event.as_str())).collect();
    assert_eq!(told, [("webhook:crm", "", "message.sent"), ("telegram:bot", "reply", "message.sent")]);
    assert_eq!(jobs[1].id, JobId::of(at.event, "telegram:bot", &Recipient::Reply));
    assert_eq!((jobs[1].lead, jobs[1].contact, jobs[1].state), (first.lead, first.contact, JobState::Waiting));
    let sent: Vec<String> = db.rows("event").await.into_iter().filter(|row| column(row, "name") == "'message.sent'").collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("api:test") && !sent[0].contains("open"), "{sent:?}");
}

pub(crate) async fn whom_a_reply_is_for(db: Db) {
    let first = db.expect(Outcome::Created, message(minutes(0), 1)).await;
    let (lead, contact) = (first.lead, first.contact);
    let write = async |reply: NewReply, at: Act| db.store.write_reply(reply, at).await.unwrap();
    let now = || act(start() + minutes(1));
    assert_eq!(write(reply(Some(LeadId(99)), contact), now()).await, Err(ChangeError::Missing("lead")));
    assert_eq!(write(reply(None, Some(ContactId(99))), now()).await, Err(ChangeError::Missing("contact")));
    assert_eq!(write(reply(None, None), now()).await, Err(ChangeError::Missing("contact")));
    assert!(db.owed().await.is_empty());
    // On the contact itself, and without a source.
    let unnamed =
        NewReply { source: None, chat: None, kind: ActivityKind::Email, target: "mail".to_owned(), ..reply(None, contact) };
    let at = now();
    let one = write(unnamed.clone(), at.clone()).await.unwrap();
    assert_eq!(write(unnamed.clone(), at).await, Ok(one), "the same once more");
    let two = write(unnamed.clone(), now()).await.unwrap();
    assert_ne!(one, two);
    let person = db.contact_of(&first).await;
    assert_eq!(person.timeline.iter().map(|activity| activity.id).collect::<Vec<_>>(), [one, two]);
    assert_eq!((person.contact.waiting_since, person.timeline[0].source.clone()), (None, None));
    // A closed lead is answered, and stays closed.
    let close = vec![LeadChange::Close(Close::Converted)];
    db.store.change_lead(lead.unwrap(), close, None, now()).await.unwrap().unwrap();
    write(reply(lead, None), now()).await.unwrap();
    assert!(db.lead_of(&first).await.lead.closed_at.is_some());
    // A test is answered, and nobody else hears of it.
    let db = db.another().await.with_routes(all("webhook:crm"));
    let test = db.expect(Outcome::Test, message(minutes(0), 1).edit(|s| s.purpose = Purpose::Test)).await;
    db.store.write_reply(reply(test.lead, None), db.act(start())).await.unwrap().unwrap();
    assert_eq!(db.told().await, [("telegram:bot".to_owned(), "message.sent".to_owned())]);
    // Somebody who was erased is not.
    let other = db.expect(Outcome::Created, message(minutes(5), 2)).await;
    db.store.erase(erasure(other.contact), act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!(db.store.write_reply(reply(other.lead, None), now()).await.unwrap(), Err(ChangeError::Missing("contact")));
    assert_eq!(db.store.write_reply(reply(None, other.contact), now()).await.unwrap(), Err(ChangeError::Missing("contact")));
}

pub(crate) async fn how_a_reply_fares_is_known(db: Db) {
    let db = db.with_routes(all("webhook:crm"));
    let first = db.expect(Outcome::Created, message(minutes(0), 1)).await;
    let written = db.store.write_reply(reply(first.lead, None), act(start())).await.unwrap().unwrap();
    let state = |state, words: &str| Sending { state, at: start() + minutes(3), words: words.to_owned() };
    let delivered = || state(SendState::Delivered, "");
    db.store.sending(written, delivered(), Some(sent_as("77")), None).await.unwrap();
    // A long text went as two messages.
    db.store.sending(written, delivered(), Some(sent_as("78")), None).await.unwrap();
    let lead = db.lead_of(&first).await;
    let content = &lead.timeline[1].content;
    assert_eq!((content.sending.clone(), content.chat.as_ref().unwrap().message.as_str()), (Some(delivered()), "78"));
    assert_eq!(lead.timeline[1].revisions, 0);
    // What answers it finds its lead, even from a stranger's account.
    for (n, of) in [(5, "77"), (6, "78")] {
        let answer = message(minutes(9), n).edit(|s| {
            s.draft.refers_to.extend(known(of));
            s.draft.handles = vec![by("777")];
        });
        let answer = db.expect(Outcome::Attached, answer).await;
        assert_eq!(answer.lead, first.lead);
    }
    // The same number in another chat, or at another bot, is another message.
    let others = ["1/9:77".to_owned(), format!("2/{ANNA}:77")];
    let elsewhere = message(minutes(10), 7).edit(|s| {
        s.draft.refers_to.extend(others.iter().filter_map(|other| Reference::new("telegram", other)));
        s.draft.handles = vec![by("9")];
    });
    db.expect(Outcome::Created, elsewhere).await;
    // What fails is told once.
    let failed = db.store.write_reply(reply(first.lead, None), act(start())).await.unwrap().unwrap();
    let data = EventData { lead: first.lead, activity: Some(failed), ..EventData::default() };
    let owed = db.owed().await.len();
    for _ in 0..2 {
        let news = db.news(event::MESSAGE_FAILED, data.clone());
        db.store.sending(failed, state(SendState::Failed, "the bot is blocked"), None, Some(news)).await.unwrap();
    }
    assert_eq!(db.told().await[owed..], [("webhook:crm".to_owned(), "message.failed".to_owned())]);
    let lead = db.lead_of(&first).await;
    let content = &lead.timeline.iter().find(|activity| activity.id == failed).unwrap().content;
    assert_eq!(content.sending, Some(state(SendState::Failed, "the bot is blocked")));
    // A mail is known by its Message-ID.
    let mail =
        NewReply { source: None, chat: None, kind: ActivityKind::Email, target: "mail".to_owned(), ..reply(first.lead, None) };
    let mail = db.store.write_reply(mail, act(start())).await.unwrap().unwrap();
    let reference = Reference::new(Reference::MESSAGE_ID, "out@firma.ru");
    let out = SentAs { message: "out@firma.ru".to_owned(), reference };
    db.store.sending(mail, delivered(), Some(out), None).await.unwrap();
    let answer = post(minutes(11)).source("mail").email("new@firma-mail.ru").refers("message-id", "out@firma.ru");
    assert_eq!(db.expect(Outcome::Attached, answer).await.lead, first.lead);
    // What the gateway does not send does not fare.
    let before = db.dump().await;
    for activity in [first.activity.unwrap(), ActivityId(99)] {
        let news = db.news(event::MESSAGE_FAILED, data.clone());
        db.store.sending(activity, delivered(), Some(sent_as("1")), Some(news)).await.unwrap();
    }
    assert_eq!(db.dump().await, before);
}

pub(crate) async fn a_reply_whose_time_is_over_fails(db: Db) {
    let db = db.with_routes(all("webhook:crm"));
    let first = db.expect(Outcome::Created, message(minutes(0), 1)).await;
    let write = async |after, target: &str| {
        let reply = NewReply { target: target.to_owned(), ..reply(first.lead, None) };
        db.store.write_reply(reply, db.act(start() + after)).await.unwrap().unwrap()
    };
    let (late, taken) = (write(minutes(1), "telegram:bot").await, write(minutes(2), "telegram:bot").await);
    let (fresh, orphan) = (write(days(2), "telegram:bot").await, write(minutes(3), "telegram:gone").await);
    let delivered = Sending { state: SendState::Delivered, at: start(), words: String::new() };
    db.store.sending(taken, delivered, Some(sent_as("7")), None).await.unwrap();
    let owed = db.owed().await.len();
    let at = start() + days(2);
    let target = |name: &str, dead_before| Target { name: name.to_owned(), dead_before };
    let target = || vec![target("telegram:bot", start() + days(1)), target("webhook:crm", start())];
    let gone = |target: &str, count| Late { target: target.to_owned(), count };
    assert_eq!(db.bury(target(), start(), at).await, [gone("telegram:bot", 2)]);
    assert_eq!(db.bury(target(), start(), at).await, []);
    assert_eq!(db.bury(target(), at, at).await, [gone("telegram:gone", 1)]);
    let lead = db.lead_of(&first).await;
    let fares = |id: ActivityId| {
        let activity = lead.timeline.iter().find(|activity| activity.id == id).unwrap();
        activity.content.sending.clone().unwrap()
    };
    assert_eq!((fares(late).state, fares(late).at), (SendState::Failed, at));
    assert!(fares(late).words.contains("its time was over"), "{:?}", fares(late));
    assert_eq!(fares(taken).state, SendState::Delivered, "what was taken has not failed");
    assert_eq!(fares(fresh).state, SendState::Sending);
    assert_eq!(fares(orphan).state, SendState::Failed);
    // Once each.
    let told = db.told().await.split_off(owed);
    assert_eq!(told, vec![("webhook:crm".to_owned(), "message.failed".to_owned()); 2]);
}

pub(crate) async fn a_contact_says_what_they_are_called(db: Db) {
    let first = db.expect(Outcome::Created, message(minutes(0), 1).name("annushka_88")).await;
    let contact = first.contact.unwrap();
    let says = async |own: &str| db.store.name_contact(contact, name::read(own), "annushka_88").await.unwrap();
    let shown = async || {
        let contact = db.store.contact(contact).await.unwrap().unwrap().contact;
        (contact.name, contact.other_names.join(", "))
    };
    let are = |name: &str, others: &str| (name.to_owned(), others.to_owned());
    assert!(!says("+7").await, "that is no name");
    assert!(says("Анна Петрова").await);
    assert_eq!(shown().await, are("Анна Петрова", "annushka_88"));
    assert!(!says("Анна Петрова").await, "once");
    // What is shown was not made by the messenger: it stays.
    assert!(says("Мария").await);
    assert_eq!(shown().await, are("Анна Петрова", "annushka_88, Мария"));
    let found = ContactFilter { name: Some(name::fold("Петрова")), ..ContactFilter::default() };
    assert_eq!(db.store.contacts(found, page(10)).await.unwrap().items.len(), 1);
    // A name from elsewhere is known by it.
    let lead = db.lead_of(&first).await;
    assert_eq!(lead.lead.name, "Анна Петрова");
    // Who has no name gets one; who is not there, none.
    let nameless = db.expect(Outcome::Created, post(minutes(1)).phone("+7 916 123-45-68")).await.contact.unwrap();
    assert!(db.store.name_contact(nameless, name::read("Пётр"), "").await.unwrap());
    assert_eq!(db.store.contact(nameless).await.unwrap().unwrap().contact.name, "Пётр");
    assert!(!db.store.name_contact(ContactId(99), name::read("Пётр"), "").await.unwrap());
}

pub(crate) async fn a_deleted_message_says_so(db: Db) {
    let first = db.expect(Outcome::Created, message(minutes(0), 1).message("never mind")).await;
    let key = format!("{ANNA}:1");
    assert!(db.store.deleted(&bot(), &key, start() + minutes(1)).await.unwrap());
    assert!(db.store.deleted(&bot(), &key, start() + minutes(2)).await.unwrap());
    let content = told(&db, &first).await;
    assert_eq!(content.chat.unwrap().deleted_at, Some(start() + minutes(1)));
    assert_eq!(content.message.as_deref(), Some("never mind"), "it was said");
    assert!(!db.store.deleted(&bot(), &format!("{ANNA}:2"), start()).await.unwrap());
    assert!(!db.store.deleted(&SourceId::parse("bot2").unwrap(), &key, start()).await.unwrap());
}

// --------------------------------------------------------------------------------------------------- keeping and erasing

fn erasure(contact: Option<ContactId>) -> Erasure {
    let reason = "asked for it".to_owned();
    Erasure { contact: contact.unwrap(), reason, key: ErasureKey::new([7; 32]), also: Vec::new() }
}

async fn keep_chat(db: &Db, source: &str, chat: &str, changed_at: Timestamp, moved_to: Option<&str>) {
    let state = ChatState {
        version: 1,
        dialogue: serde_json::json!({"name": "Marker"}),
        moved_to: moved_to.map(ToOwned::to_owned),
        changed_at: Some(changed_at),
        ..ChatState::default()
    };
    assert!(db.store.keep_chat(&SourceId::parse(source).unwrap(), chat, state).await.unwrap());
}

pub(crate) async fn old_chats_are_forgotten(db: Db) {
    keep_chat(&db, "bot", "1", start(), None).await;
    keep_chat(&db, "bot", "2", start() + days(1), None).await;
    keep_chat(&db, "bot", "-3", start(), Some("-100")).await;
    let sweep = |after| Sweep { now: start() + after, content_keys_before: start(), ..Sweep::default() };
    assert_eq!(db.store.sweep(sweep(days(400))).await.unwrap(), 0);
    assert_eq!(db.store.sweep(sweep(days(400) + minutes(1))).await.unwrap(), 1);
    let left: Vec<String> = db.rows("chat").await.iter().map(|row| column(row, "chat")).collect();
    assert_eq!(left, ["'-3'", "'2'"], "where a group went is known for ever");
}

pub(crate) async fn talks_leave_nothing_of_an_erased_person(db: Db) {
    let marked = offering(message(minutes(0), 1), "marker").name("Marker").message("marker").edit(|s| {
        s.raw.body = "marker 4242424242".into();
        s.draft.chat.as_mut().unwrap().group = Some("Marker".to_owned());
    });
    let first = db.expect(Outcome::Created, marked).await;
    db.expect(Outcome::Amended, edited(message(minutes(1), 1).message("marker"), minutes(1))).await;
    let mut answer = reply(first.lead, None);
    "Dear marker".clone_into(&mut answer.text);
    let written = db.store.write_reply(answer, act(start())).await.unwrap().unwrap();
    let delivered = Sending { state: SendState::Delivered, at: start(), words: String::new() };
    db.store.sending(written, delivered.clone(), Some(sent_as("2")), None).await.unwrap();
    for source in ["bot", "bot2"] {
        keep_chat(&db, source, ANNA, start(), None).await;
    }
    keep_chat(&db, "bot", "42", start(), None).await;
    db.store.redeem_code([1; 32], account(ANNA, "bot"), start()).await.unwrap();
    let campaign = Campaign {
        id: "post".to_owned(),
        source: None,
        touch: Touch::default(),
        note: String::new(),
        created_at: start(),
        created_by: "cli".to_owned(),
    };
    db.store.add_campaign(campaign).await.unwrap();
    db.store.erase(erasure(first.contact), act(start() + days(1))).await.unwrap().unwrap();
    // Nothing comes back afterwards.
    db.store.sending(written, delivered, Some(sent_as("3")), None).await.unwrap();
    assert!(!db.store.deleted(&bot(), &format!("{ANNA}:1"), start()).await.unwrap());
    assert_eq!(db.store.chat(&bot(), ANNA).await.unwrap(), ChatState::default());
    assert_eq!(db.store.chat(&bot(), "42").await.unwrap().version, 1, "another's stays");
    assert_eq!(db.store.campaigns().await.unwrap().len(), 1);
    db.store.keep_chat(&bot(), "42", ChatState { version: 2, ..ChatState::default() }).await.unwrap();
    let left: Vec<String> = db
        .dump()
        .await
        .into_iter()
        .flat_map(|(table, rows)| rows.into_iter().map(move |row| format!("{table}: {row}")))
        .filter(|row| {
            let row = row.to_lowercase();
            row.contains("marker") || row.contains("6d61726b6572") || row.contains(ANNA)
        })
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let job = db.owed().await.remove(0);
    assert_eq!(job.state, JobState::Dropped, "what was to be sent is not");
}
