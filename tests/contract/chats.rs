//! Campaigns' links, the accounts of managers, how chats stand, and the topics of leads.

use std::sync::Arc;

use leadgate_core::attribution::{Origin, Touch};
use leadgate_core::ids::{LeadId, ManagerId, SourceId};
use leadgate_core::ports::{Account, Campaign, ChatState, MOST_TRIES, Redeemed, Store, Sweep};
use tokio::task::JoinSet;

use crate::support::{Db, Place, days, minutes, start};

const CHAT: &str = "42";

fn bot() -> SourceId {
    SourceId::parse("bot").unwrap()
}

// ------------------------------------------------------------------------------------------------------------ campaigns

pub(crate) async fn campaigns_have_links(db: Db) {
    let campaign = |id: &str, source: Option<SourceId>, n: i64| {
        let mut touch = Touch::default();
        touch.offer("utm_source", "vk", Origin::Field);
        let created_at = start() + minutes(n);
        Campaign { id: id.to_owned(), source, touch, note: "A post\0".to_owned(), created_at, created_by: "cli".to_owned() }
    };
    let other = SourceId::parse("bot2").unwrap();
    assert!(db.store.add_campaign(campaign("post", None, 0)).await.unwrap());
    assert!(db.store.add_campaign(campaign("story", Some(bot()), 1)).await.unwrap());
    assert!(db.store.add_campaign(campaign("theirs", Some(other.clone()), 2)).await.unwrap());
    assert!(!db.store.add_campaign(campaign("post", Some(bot()), 3)).await.unwrap(), "the id is taken");
    assert!(db.store.add_campaign(campaign("Post", None, 3)).await.unwrap(), "letters are told apart");
    let ids = |found: Vec<Campaign>| found.into_iter().map(|campaign| campaign.id).collect::<Vec<_>>();
    assert_eq!(ids(db.store.campaigns().await.unwrap()), ["Post", "theirs", "story", "post"]);
    let asked = || ["post", "story", "theirs", "nothing"].map(ToOwned::to_owned).to_vec();
    let found = db.store.campaigns_of(&bot(), asked()).await.unwrap();
    assert_eq!(found[0].touch, campaign("post", None, 0).touch);
    assert_eq!((found[0].created_at, found[0].created_by.as_str()), (start(), "cli"));
    assert_eq!(ids(found), ["post", "story"]);
    assert_eq!(ids(db.store.campaigns_of(&other, asked()).await.unwrap()), ["post", "theirs"]);
    assert!(db.store.remove_campaign("post").await.unwrap());
    assert!(!db.store.remove_campaign("post").await.unwrap());
    assert_eq!(db.store.campaigns().await.unwrap().len(), 3);
}

// ------------------------------------------------------------------------------------------------------------- accounts

fn manager(id: &str) -> ManagerId {
    ManagerId(id.to_owned())
}

pub(crate) fn account(value: &str, source: &str) -> Account {
    Account {
        manager: manager(""),
        kind: "telegram".to_owned(),
        value: value.to_owned(),
        display: "@boss".to_owned(),
        source: SourceId::parse(source).unwrap(),
        chat: value.to_owned(),
        linked_at: start(),
    }
}

/// Managers with their accounts and bots.
async fn linked(db: &Db) -> Vec<(String, String, String)> {
    let accounts = db.store.accounts().await.unwrap();
    accounts.into_iter().map(|account| (account.manager.0, account.value, account.source.to_string())).collect()
}

fn link(manager: &str, value: &str, source: &str) -> (String, String, String) {
    (manager.to_owned(), value.to_owned(), source.to_owned())
}

pub(crate) async fn codes_link_accounts(db: Db) {
    let until = start() + minutes(15);
    let add = async |n: u8, who: &str| db.store.add_code([n; 32], manager(who), until).await.unwrap();
    let redeem = async |n: u8, value: &str, source: &str, after: i64| {
        db.store.redeem_code([n; 32], account(value, source), start() + minutes(after)).await.unwrap()
    };
    add(1, "anna").await;
    assert_eq!(redeem(1, "100", "bot", 15).await, Redeemed::Wrong(4), "its time is over");
    add(2, "anna").await;
    assert_eq!(redeem(1, "100", "bot", 1).await, Redeemed::Wrong(3), "there is a newer one");
    assert_eq!(redeem(2, "100", "bot", 2).await, Redeemed::Linked(manager("anna")));
    assert_eq!(redeem(2, "200", "bot", 3).await, Redeemed::Wrong(4), "once");
    assert_eq!(linked(&db).await, [link("anna", "100", "bot")]);
    let known = db.store.accounts().await.unwrap().remove(0);
    assert_eq!(known, Account { manager: manager("anna"), ..account("100", "bot") });
    // Another bot; another account at the same bot takes its place.
    add(3, "anna").await;
    redeem(3, "100", "bot2", 4).await;
    add(4, "anna").await;
    redeem(4, "101", "bot", 5).await;
    assert_eq!(linked(&db).await, [link("anna", "101", "bot"), link("anna", "100", "bot2")]);
    // An account is one manager's, whatever bot it was linked by.
    add(5, "boris").await;
    assert_eq!(redeem(5, "100", "bot", 6).await, Redeemed::Linked(manager("boris")));
    assert_eq!(linked(&db).await, [link("anna", "101", "bot"), link("boris", "100", "bot")]);
    let asked = ["100", "101", "102", "100"].map(|value| ("telegram".to_owned(), value.to_owned()));
    let found = db.store.accounts_of(asked.to_vec()).await.unwrap();
    assert_eq!(found.iter().map(|account| account.value.as_str()).collect::<Vec<_>>(), ["101", "100"]);
    assert!(db.store.accounts_of(vec![("viber".to_owned(), "100".to_owned())]).await.unwrap().is_empty());
    assert!(db.store.accounts_of(Vec::new()).await.unwrap().is_empty());
    // Unlinked, and with it the code that would bring it back.
    add(6, "anna").await;
    assert_eq!(db.store.unlink(&manager("anna")).await.unwrap(), 1);
    assert_eq!(db.store.unlink(&manager("anna")).await.unwrap(), 0);
    assert_eq!(redeem(6, "101", "bot", 7).await, Redeemed::Wrong(4));
    assert_eq!(linked(&db).await, [link("boris", "100", "bot")]);
}

pub(crate) async fn wrong_codes_are_counted(db: Db) {
    db.store.add_code([1; 32], manager("anna"), start() + days(1)).await.unwrap();
    let redeem = async |n: u8, value: &str, after: i64| {
        db.store.redeem_code([n; 32], account(value, "bot"), start() + minutes(after)).await.unwrap()
    };
    for n in 1..MOST_TRIES {
        assert_eq!(redeem(9, "100", i64::from(n)).await, Redeemed::Wrong(MOST_TRIES - n));
    }
    let over = start() + minutes(16);
    assert_eq!(redeem(9, "100", 5).await, Redeemed::TooMany(over));
    assert_eq!(redeem(1, "100", 15).await, Redeemed::TooMany(over), "not even the right one");
    assert_eq!(redeem(9, "200", 15).await, Redeemed::Wrong(4), "others have their own tries");
    assert_eq!(redeem(9, "100", 16).await, Redeemed::Wrong(4), "its time is over");
    assert_eq!(redeem(1, "100", 17).await, Redeemed::Linked(manager("anna")));
    let rows = db.rows("manager_code").await;
    assert!(rows.is_empty(), "{rows:?}");
    // Tries are forgotten when they do not count any more, codes when their time is over.
    db.store.add_code([2; 32], manager("anna"), start() + minutes(30)).await.unwrap();
    let sweep = |after: i64| Sweep { now: start() + minutes(after), content_keys_before: start(), ..Sweep::default() };
    assert_eq!(db.store.sweep(sweep(30)).await.unwrap(), 0);
    assert_eq!(db.store.sweep(sweep(31)).await.unwrap(), 2);
    assert!(db.rows("code_try").await.is_empty() && db.rows("manager_code").await.is_empty());
}

/// Another gateway on the same database; SQLite has one.
async fn second(db: &Db) -> Arc<dyn Store> {
    match &db.place {
        Place::Sqlite(..) => Arc::clone(&db.store),
        Place::Postgres(database) => Arc::new(database.open().await.unwrap()),
    }
}

pub(crate) async fn a_code_is_redeemed_by_one(db: Db) {
    let second = second(&db).await;
    for round in 0..8 {
        db.store.add_code([round; 32], manager("anna"), start() + days(1)).await.unwrap();
        let mut tasks = JoinSet::new();
        for (n, store) in [&db.store, &second].into_iter().cycle().take(4).enumerate() {
            let (store, account) = (Arc::clone(store), account(&format!("{round}{n}"), "bot"));
            tasks.spawn(async move { store.redeem_code([round; 32], account, start()).await.unwrap() });
        }
        let ends = tasks.join_all().await;
        assert_eq!(ends.iter().filter(|end| **end == Redeemed::Linked(manager("anna"))).count(), 1, "{ends:?}");
        assert_eq!(ends.iter().filter(|end| **end == Redeemed::Wrong(4)).count(), 3, "{ends:?}");
        assert_eq!(db.store.accounts().await.unwrap().len(), 1);
    }
    // One account that tries at all gateways at once has no more tries than any.
    let mut tasks = JoinSet::new();
    for store in [&db.store, &second].into_iter().cycle().take(12) {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.redeem_code([99; 32], account("thief", "bot"), start()).await.unwrap() });
    }
    let ends = tasks.join_all().await;
    assert_eq!(ends.iter().filter(|end| matches!(end, Redeemed::Wrong(_))).count(), 4, "{ends:?}");
}

// ------------------------------------------------------------------------------------------------------ chats and topics

pub(crate) async fn a_chat_is_compared_and_set(db: Db) {
    assert_eq!(db.store.chat(&bot(), CHAT).await.unwrap(), ChatState::default());
    let second = second(&db).await;
    let mut tasks = JoinSet::new();
    for (n, store) in [&db.store, &second].into_iter().cycle().take(8).enumerate() {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut lost = 0_u32;
            loop {
                let mut state = store.chat(&bot(), CHAT).await.unwrap();
                state.version += 1;
                let mut said: Vec<usize> = serde_json::from_value(state.dialogue).unwrap_or_default();
                said.push(n);
                state.dialogue = said.into();
                state.changed_at = Some(start());
                if store.keep_chat(&bot(), CHAT, state).await.unwrap() {
                    break lost;
                }
                lost += 1;
            }
        });
    }
    tasks.join_all().await;
    let state = db.store.chat(&bot(), CHAT).await.unwrap();
    let mut said: Vec<usize> = serde_json::from_value(state.dialogue.clone()).unwrap();
    said.sort_unstable();
    assert_eq!((state.version, said), (8, (0..8).collect::<Vec<_>>()), "nobody's word was lost");
    for version in [0, 1, 8, 10, -1] {
        assert!(!db.store.keep_chat(&bot(), CHAT, ChatState { version, ..state.clone() }).await.unwrap(), "{version}");
    }
    let moved = ChatState {
        version: 9,
        dialogue: serde_json::json!({"asked": "name\0"}),
        closed_at: Some(start() + minutes(1)),
        moved_to: Some("-100".to_owned()),
        changed_at: Some(start() + minutes(1)),
    };
    assert!(db.store.keep_chat(&bot(), CHAT, moved.clone()).await.unwrap());
    let kept = db.store.chat(&bot(), CHAT).await.unwrap();
    assert_eq!((kept.closed_at, kept.moved_to, kept.changed_at), (moved.closed_at, moved.moved_to, moved.changed_at));
    assert!(kept.dialogue["asked"].as_str().unwrap().starts_with("name"));
    assert_eq!(db.store.chat(&SourceId::parse("bot2").unwrap(), CHAT).await.unwrap().version, 0, "each bot has its own");
}

pub(crate) async fn a_topic_is_one_leads(db: Db) {
    let topic = async |lead: i64| db.store.topic(&bot(), "-100", LeadId(lead)).await.unwrap();
    let lead = async |topic: &str| db.store.lead_of_topic(&bot(), "-100", topic).await.unwrap().map(|lead| lead.0);
    let keep = async |lead: i64, topic: Option<&str>| {
        db.store.keep_topic(&bot(), "-100", LeadId(lead), topic.map(ToOwned::to_owned)).await.unwrap();
    };
    assert_eq!((topic(1).await, lead("5").await), (None, None));
    keep(1, Some("5")).await;
    keep(2, Some("6")).await;
    db.store.keep_topic(&bot(), "-200", LeadId(1), Some("5".to_owned())).await.unwrap();
    assert_eq!((topic(1).await.as_deref(), lead("5").await, lead("6").await), (Some("5"), Some(1), Some(2)));
    // The topic was deleted, and the lead got another.
    keep(1, Some("7")).await;
    assert_eq!((topic(1).await.as_deref(), lead("5").await, lead("7").await), (Some("7"), None, Some(1)));
    // A lead takes over the topic of another.
    keep(2, Some("7")).await;
    assert_eq!((topic(1).await, topic(2).await.as_deref(), lead("6").await), (None, Some("7"), None));
    keep(2, None).await;
    keep(2, None).await;
    assert_eq!((topic(2).await, lead("7").await), (None, None));
    assert_eq!(db.rows("topic").await.len(), 1, "another group's stays");
}
