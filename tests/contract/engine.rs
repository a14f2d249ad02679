//! What the machinery must hold: order, concurrency, pages, crashes.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use leadgate_core::change::{Close, LeadChange, Stage};
use leadgate_core::ids::SourceId;
use leadgate_core::ports::StoreError;
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::{Batch, Cursor, CursorMove, Purpose};
use leadgate_core::views::{ContactFilter, LeadFilter, PageAt, SubmissionFilter};
use leadgate_store_sqlite::{OpenError, Options, SqliteStore};

use crate::support::{Db, Place, Post, act, days, minutes, page, post, start};

/// A batch in which one thing leads to another.
fn tangled() -> Vec<Post> {
    let anna = || post(minutes(0)).name("Анна").phone("+7 916 123-45-67");
    vec![
        anna().utm("ya").key("k", "1").content("1"),
        post(minutes(1)).name("Борис").phone("+7 916 123-45-67").email("boris@firma-mail.ru"),
        anna().key("k", "1").content("1"),
        anna().key("k", "1").content("2").email("anna@firma-mail.ru"),
        post(minutes(2)).spam(),
        post(minutes(2)).held(true),
        post(minutes(2)).held(false),
        post(minutes(3)).phone("+7 916 123-45-67").utm("vk"),
        post(minutes(4)).external("o1").phone("+7 916 999-00-00").message("a"),
        post(minutes(5)).external("o1").phone("+7 916 999-00-00").message("b").utm("go"),
        post(minutes(6)).external("o1").email("new@firma-mail.ru").message("c"),
        post(minutes(7)).edit(|s| s.draft.own_lead = true).phone("+7 916 999-00-00"),
        post(minutes(8)).source("mail").known_as("message-id", "m1").message("no name"),
        post(minutes(9)).source("mail").refers("message-id", "m1").email("boris@firma-mail.ru").proven(),
        post(minutes(10)).source("mail").known_as("message-id", "m2"),
        post(minutes(11)).source("mail").refers("message-id", "m2").email("fresh@firma-mail.ru").name("Вера"),
        post(minutes(12)).name("Анна Петрова").email("anna@firma-mail.ru").proven().phone("+7 916 123-45-67"),
        post(minutes(13)).edit(|s| s.purpose = Purpose::Test).phone("+7 916 123-45-67"),
        post(days(100)).phone("+7 916 999-00-00"),
    ]
}

pub(crate) async fn splitting_a_batch_changes_no_row(db: Db) {
    let posts = tangled();
    let together = db.record(posts.clone()).await;
    assert!(together.iter().map(|receipt| receipt.outcome).collect::<HashSet<_>>().len() >= 7, "{together:?}");
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
    let single = db.another().await;
    for post in posts {
        single.one(post).await;
    }
    assert_eq!(single.dump().await, expected, "one by one");
}

pub(crate) async fn one_person_in_eight_spellings_at_once(db: Db) {
    let spellings = [
        "+7 916 123-45-67",
        "8 916 123 45 67",
        "89161234567",
        "+79161234567",
        "7 (916) 123-45-67",
        "8(916)1234567",
        "+7-916-123-45-67",
        "тел. 8 916 123-45-67",
    ];
    let db = Arc::new(db.with_source("site", |rules| rules.country = leadgate_core::phone::Country::parse("RU")));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..32 {
        let (db, phone) = (Arc::clone(&db), spellings[n % spellings.len()]);
        tasks.spawn(async move { db.try_record(vec![post(minutes(0)).name("Анна").phone(phone)]).await.unwrap() });
    }
    let receipts: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(receipts.iter().filter(|receipt| receipt.outcome == Outcome::Created).count(), 1, "{receipts:?}");
    for (table, rows) in [("contact", 1), ("lead", 1), ("activity", 32), ("submission", 32)] {
        assert_eq!(db.rows(table).await.len(), rows, "{table}");
    }
}

pub(crate) async fn a_poisoned_item_hurts_no_neighbour(db: Db) {
    let db = Arc::new(db);
    let poisoned = |db: &Db| {
        let mut item = Prepared::clone(&db.prepare(post(minutes(0)).phone("+7 916 111-11-12")));
        "no JSON".clone_into(&mut item.content_json);
        Arc::new(item)
    };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let db = Arc::clone(&db);
        tasks.spawn(async move {
            let good = db.prepare(post(minutes(n)).phone(&format!("+7 916 222-00-{n:02}")));
            let items = if n % 3 == 0 { vec![good, poisoned(&db)] } else { vec![good] };
            (n % 3 == 0, db.store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&db.rules)).await)
        });
    }
    for (bad, outcome) in tasks.join_all().await {
        if bad {
            assert!(matches!(outcome, Err(StoreError::Rejected(_))), "{outcome:?}");
        } else {
            outcome.unwrap();
        }
    }
    for table in ["submission", "lead", "contact", "activity", "receipt"] {
        assert_eq!(db.rows(table).await.len(), 16, "{table}");
    }
    // Alone in its commit, and in a batch that is written otherwise than a small one.
    for neighbours in [0, 1, 20] {
        let mut items = vec![poisoned(&db)];
        items.extend((0..neighbours).map(|n| db.prepare(post(minutes(50)).phone(&format!("+7 916 222-11-{n:02}")))));
        let outcome = db.store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&db.rules)).await;
        assert!(matches!(outcome, Err(StoreError::Rejected(_))), "{outcome:?}");
        assert_eq!(db.rows("submission").await.len(), 16, "beside {neighbours}");
    }
    db.expect(Outcome::Created, post(minutes(99)).phone("+7 916 333-44-55")).await;
    assert_eq!(db.rows("lead").await.len(), 17);
}

async fn all_leads(db: &Db, filter: &LeadFilter, limit: u32) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut at = page(limit);
    loop {
        let page = db.store.leads(filter.clone(), at).await.unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        ids.extend(page.items.iter().map(|lead| lead.id.0));
        let Some(next) = page.next else { return ids };
        at = PageAt { after: Some(next), limit };
    }
}

pub(crate) async fn pages_show_every_row_once(db: Db) {
    let posts = (0..23).map(|n| {
        post(minutes(n / 2)).source(["site", "shop"][usize::try_from(n % 2).unwrap()]).phone(&format!("+7 916 400-00-{n:02}"))
    });
    db.record(posts.collect()).await;
    let newest_first: Vec<i64> = (1..=23).rev().collect();
    for limit in [1, 4, 22, 23, 500] {
        assert_eq!(all_leads(&db, &LeadFilter::default(), limit).await, newest_first, "pages of {limit}");
        let both = Some(vec![SourceId::parse("site").unwrap(), SourceId::parse("shop").unwrap()]);
        assert_eq!(all_leads(&db, &LeadFilter { sources: both, ..LeadFilter::default() }, limit).await, newest_first);
        let (mut seen, mut at) = (Vec::new(), page(limit));
        loop {
            let page = db.store.contacts(ContactFilter::default(), at).await.unwrap();
            seen.extend(page.items.iter().map(|contact| contact.id.0));
            let Some(next) = page.next else { break };
            at = PageAt { after: Some(next), limit };
        }
        assert_eq!(seen, newest_first, "equal times, pages of {limit}");
        let (mut seen, mut at) = (HashSet::new(), page(limit));
        loop {
            let page = db.store.submissions(SubmissionFilter::default(), at).await.unwrap();
            assert!(page.items.iter().all(|item| seen.insert(item.id)));
            let Some(next) = page.next else { break };
            at = PageAt { after: Some(next), limit };
        }
        assert_eq!(seen.len(), 23);
    }
    let nonsense = PageAt { after: Some("page two".to_owned()), limit: 5 };
    assert!(db.store.leads(LeadFilter::default(), nonsense).await.is_err());
}

pub(crate) async fn filters_choose(db: Db) {
    let posts = (0..6).map(|n| {
        post(minutes(n)).source(["site", "shop", "mail"][usize::try_from(n % 3).unwrap()]).phone(&format!("+7 916 400-00-{n:02}"))
    });
    let receipts = db.record(posts.collect()).await;
    let manager = leadgate_core::ids::ManagerId("anna".into());
    db.store.change_lead(receipts[0].lead.unwrap(), vec![LeadChange::Take(manager)], None, act(start())).await.unwrap().unwrap();
    db.store
        .change_lead(receipts[5].lead.unwrap(), vec![LeadChange::Close(Close::Junk)], None, act(start()))
        .await
        .unwrap()
        .unwrap();
    let all = LeadFilter::default;
    let shop = || Some(vec![SourceId::parse("shop").unwrap()]);
    let many: Vec<_> = (0..20).map(|n| SourceId::parse(&format!("s{n}")).unwrap()).chain(shop().unwrap()).collect();
    let cases: Vec<(LeadFilter, Vec<i64>)> = vec![
        (LeadFilter { stage: Some(Stage::New), ..all() }, vec![5, 4, 3, 2]),
        (LeadFilter { stage: Some(Stage::Junk), ..all() }, vec![6]),
        (LeadFilter { open: Some(true), ..all() }, vec![5, 4, 3, 2, 1]),
        (LeadFilter { open: Some(false), ..all() }, vec![6]),
        (LeadFilter { sources: shop(), ..all() }, vec![5, 2]),
        (LeadFilter { sources: Some(many), ..all() }, vec![5, 2]),
        (LeadFilter { sources: Some(Vec::new()), ..all() }, vec![]),
        (LeadFilter { contact: receipts[3].contact, ..all() }, vec![4]),
        (LeadFilter { responsible: Some("anna".to_owned()), ..all() }, vec![1]),
        (LeadFilter { responsible: Some(String::new()), ..all() }, vec![6, 5, 4, 3, 2]),
        (LeadFilter { since: Some(start() + minutes(4)), ..all() }, vec![6, 5]),
        (LeadFilter { since: Some(start() + days(1)), ..all() }, vec![]),
        (LeadFilter { identity: Some("+79164000002".to_owned()), ..all() }, vec![3]),
        (LeadFilter { identity: Some("+79164000002".to_owned()), sources: shop(), ..all() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(all_leads(&db, &filter, 2).await, expected, "{filter:?}");
    }
    let since = SubmissionFilter { since: Some(start() + minutes(3)), sources: shop(), ..SubmissionFilter::default() };
    assert_eq!(db.store.submissions(since, page(9)).await.unwrap().items.len(), 1);
    let created = SubmissionFilter { outcomes: vec![Outcome::Created, Outcome::Spam], ..SubmissionFilter::default() };
    assert_eq!(db.store.submissions(created, page(9)).await.unwrap().items.len(), 6);
    let from_shop = ContactFilter { sources: shop(), ..ContactFilter::default() };
    assert_eq!(db.store.contacts(from_shop, page(9)).await.unwrap().items.len(), 2);
}

pub(crate) async fn reopened_as_it_was(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone("+7 916 123-45-67")).await;
    let before = db.dump().await;
    let installation = db.store.installation().await.unwrap();
    if let Place::Sqlite(path, _) = &db.place {
        let locked = SqliteStore::open(path, Options::default()).await;
        assert!(matches!(locked, Err(OpenError::Locked(_))), "one gateway a file");
    }
    // Dropped, not closed.
    let db = db.again().await;
    assert_eq!(db.dump().await, before);
    assert_eq!(db.store.installation().await.unwrap(), installation);
    let second = db.expect(Outcome::Attached, post(minutes(1)).phone("+7 916 123-45-67")).await;
    assert_eq!(second.lead, first.lead);
    db.store.close().await;
    assert!(matches!(db.try_record(vec![post(minutes(2))]).await, Err(StoreError::Unavailable(_))));
    let db = db.again().await;
    let third = db.expect(Outcome::Created, post(minutes(3)).phone("+7 916 123-45-00")).await;
    assert_eq!(third.lead.unwrap().0, 2, "numbers go on");
}

pub(crate) async fn readers_do_not_wait(db: Db) {
    let db = Arc::new(db);
    let writer = Arc::clone(&db);
    let writing = tokio::spawn(async move {
        for round in 0..20 {
            let posts = (0..50).map(|n| post(minutes(round)).phone(&format!("+7 916 5{round:02}-00-{n:02}"))).collect();
            writer.try_record(posts).await.unwrap();
        }
    });
    let mut last = 0;
    while !writing.is_finished() {
        let totals = db.store.totals().await.unwrap();
        assert!(totals.leads >= last && totals.leads.is_multiple_of(50), "half a batch was seen: {}", totals.leads);
        last = totals.leads;
    }
    writing.await.unwrap();
    assert_eq!(db.store.totals().await.unwrap().leads, 1000);
}

pub(crate) async fn read_only_reads(db: Db) {
    if let Place::Sqlite(path, _) = &db.place {
        let missing = SqliteStore::open_read_only(&path.with_extension("none")).await;
        assert!(matches!(missing, Err(OpenError::Missing(_))));
        let begun = path.with_extension("begun");
        std::fs::write(&begun, b"").unwrap();
        assert!(matches!(SqliteStore::open_read_only(&begun).await, Err(OpenError::Behind(_))));
    }
    let receipt = db.expect(Outcome::Created, post(minutes(0)).phone("+7 916 123-45-67")).await;
    let reader = db.reader().await;
    assert!(reader.lead(receipt.lead.unwrap()).await.unwrap().is_some());
    db.expect(Outcome::Created, post(minutes(1)).phone("+7 916 123-45-68")).await;
    assert_eq!(reader.totals().await.unwrap().leads, 2, "it sees what is written meanwhile");
    reader.ready().await.unwrap();
    let refused = reader.revoke_token("x", Timestamp::UNIX_EPOCH).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(why)) if why.to_string().contains("opened for reading")));
    reader.close().await;
    db.store.close().await;
    let reader = db.reader().await;
    assert_eq!(reader.totals().await.unwrap().leads, 2, "also when nobody serves");
}

pub(crate) async fn cursors_move_with_their_items(db: Db) {
    let mail = SourceId::parse("mail").unwrap();
    assert_eq!(db.store.cursor(&mail).await.unwrap(), None);
    let to = |uid: i64, fence| CursorMove { source: mail.clone(), to: Cursor(serde_json::json!({ "uid": uid })), fence };
    let record = |items: Vec<Arc<Prepared>>, cursors| db.store.record(Batch { items, cursors }, Arc::clone(&db.rules));
    record(vec![db.prepare(post(minutes(0)).source("mail"))], vec![to(7, None)]).await.unwrap();
    assert_eq!(db.store.cursor(&mail).await.unwrap(), Some(to(7, None).to));
    // Without items, too; of several moves the last counts.
    record(Vec::new(), vec![to(8, None), to(9, None)]).await.unwrap();
    assert_eq!(db.store.cursor(&mail).await.unwrap(), Some(to(9, None).to));
    // Under a lease nobody ever took there is nothing to be had.
    let lost = record(Vec::new(), vec![to(10, Some(1))]).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost(sources)) if sources == [mail.clone()]));
    assert_eq!(db.store.cursor(&mail).await.unwrap(), Some(to(9, None).to));
}

pub(crate) async fn a_preview_tells_and_writes_nothing(db: Db) {
    let phone = "+7 916 123-45-67";
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(phone)).await;
    let before = db.dump().await;
    let items = [
        post(minutes(1)).phone("+7 (916) 123-45-67"),
        post(minutes(2)).phone("+7 916 123-45-68"),
        post(minutes(3)).phone("+7 916 123-45-68"),
    ];
    let items: Vec<_> = items.into_iter().map(|post| db.prepare(post)).collect();
    let told = db.store.preview(items.clone(), Arc::clone(&db.rules)).await.unwrap();
    let outcomes: Vec<_> = told.iter().map(|receipt| (receipt.outcome, receipt.lead)).collect();
    assert_eq!(outcomes, [(Outcome::Attached, first.lead), (Outcome::Created, None), (Outcome::Attached, None)], "as one batch");
    assert!(told.iter().all(|receipt| receipt.activity.is_none()), "numbers are drawn when it is done");
    assert_eq!(db.dump().await, before);
    let done = db.store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&db.rules)).await.unwrap();
    assert!(done.iter().map(|receipt| receipt.outcome).eq(outcomes.iter().map(|(outcome, _)| *outcome)), "so it comes");
}
