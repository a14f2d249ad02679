//! Asking for updates: nothing is lost, nothing comes twice, and each trouble is told in words.

use std::sync::Arc;
use std::time::Duration;

use leadgate_core::ports::{Pull as _, PullError, PullState};
use leadgate_telegram::polling::Polling;
use leadgate_telegram::settings::Settings;
use leadgate_telegram::update::Reader;
use leadgate_tests::telegram::{Fault, Telegram};
use serde_json::json;

use super::feed::Database;
use super::settings;

fn polling(settings: &Arc<Settings>) -> Polling {
    let reader = Arc::new(Reader::new("bot".parse().unwrap(), Arc::clone(settings)));
    Polling::new(Arc::clone(settings), reader).paced(Duration::from_secs(5), Duration::from_millis(50))
}

/// Reads, begun anew after trouble, until so many updates were taken.
async fn read_until(telegram: &Telegram, database: &Database, count: usize) {
    let settings = settings(telegram, "");
    let reading = async {
        loop {
            let reading = polling(&settings).run(database).await;
            assert!(matches!(reading, Err(PullError::Transient(_))), "{reading:?}");
        }
    };
    tokio::select! {
        () = reading => {}
        () = database.expect(count) => {}
    }
}

#[tokio::test]
async fn what_waits_and_what_comes_is_taken_once() {
    let telegram = Telegram::start().await.unwrap();
    for n in 0..250 {
        telegram.say(1_000 + n, "Anna", &format!("message {n}"));
    }
    let database = Database::default();
    read_until(&telegram, &database, 250).await;
    telegram.say(5, "Bob", "later");
    read_until(&telegram, &database, 251).await;
    assert_eq!((database.messages().len(), telegram.waiting() <= 100), (251, true));
    let report = database.expect_report(PullState::Watching, "").await;
    assert!(report.heard_at.is_some() && report.words.is_empty());
    let asked = telegram.calls("getupdates");
    assert!(asked.iter().all(|call| call.parameters["allowed_updates"].as_array().is_some_and(|kinds| kinds.len() == 9)));
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_comes_twice_whatever_fails() {
    let telegram = Telegram::start().await.unwrap();
    for n in 0..500 {
        telegram.say(1_000 + n, "Anna", &format!("message {n}"));
    }
    telegram.fail(
        "getupdates",
        [
            Fault::Error(502, "Bad Gateway".to_owned()),
            Fault::Lost,
            Fault::Page(200),
            Fault::Error(409, "Conflict: terminated by other getUpdates request".to_owned()),
            Fault::Lost,
            Fault::TooMany(1),
            Fault::Slow(Duration::from_millis(50)),
        ],
    );
    let database = Database::default();
    (database.ledger().fail_before, database.ledger().fail_after) = (2, 2);
    read_until(&telegram, &database, 500).await;
    assert_eq!(database.messages().len(), 500);
    let told: Vec<String> = database.ledger().reports.iter().map(|report| report.words.clone()).collect();
    for words in
        ["the status 502", "a web page came", "another program reads this bot's updates", "no more calls of this bot for 1 s"]
    {
        assert!(told.iter().any(|told| told.contains(words)), "{words}: {told:?}");
    }
    assert!(!told.iter().any(|told| told.contains("AAEfake")), "the token is never told: {told:?}");
}

#[tokio::test]
async fn an_odd_update_does_not_hide_its_neighbours() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(1, "Anna", "before");
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    telegram.push(json!({ "message": { "message_id": 9, "text": 7, "chat": "x", "deep": deep } }));
    telegram.push(json!({ "hologram": { "a": 1 } }));
    telegram.push(json!({}));
    telegram.say(1, "Anna", "after");
    let database = Database::default();
    read_until(&telegram, &database, 5).await;
    assert_eq!(database.messages(), ["before", "after"]);
}

#[tokio::test]
async fn ids_that_begin_anew_are_read_all_the_same() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(1, "Anna", "before");
    let database = Database::default();
    read_until(&telegram, &database, 1).await;
    // A week later.
    let mut cursor = database.ledger().cursor.clone().unwrap();
    cursor.0["at"] = json!(1_000_000_000);
    database.ledger().cursor = Some(cursor);
    telegram.count_from(5);
    telegram.say(1, "Anna", "after");
    read_until(&telegram, &database, 2).await;
    let mut messages = database.messages();
    messages.sort();
    assert_eq!(messages, ["after", "before"]);
    assert_eq!(database.ledger().cursor.as_ref().unwrap().0["last"], json!(5));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_told() {
    let telegram = Telegram::start().await.unwrap();
    let database = Database::default();
    telegram.fail("getme", [Fault::Error(401, "Unauthorized".to_owned())]);
    let error = polling(&settings(&telegram, "")).run(&database).await.unwrap_err();
    assert!(matches!(error, PullError::Auth(_)), "{error}");
    assert_eq!(database.last_report().state, PullState::Refused);
    assert!(database.last_report().words.contains("@BotFather"), "{:?}", database.last_report());
}

#[tokio::test]
async fn another_programs_webhook_is_left_alone_unless_it_is_to_be_taken_over() {
    let telegram = Telegram::start().await.unwrap();
    telegram.take_webhook("http://127.0.0.1:1/other-system/secret");
    telegram.say(1, "Anna", "waits");
    let database = Database::default();
    let error = polling(&settings(&telegram, "")).run(&database).await.unwrap_err();
    assert!(matches!(error, PullError::Fatal(_)), "{error}");
    let report = database.last_report();
    assert!(
        report.state == PullState::Refused && report.words.contains("127.0.0.1") && report.words.contains("take_over"),
        "{report:?}"
    );
    assert!(telegram.webhook().is_some() && !report.words.contains("secret"));
    let taking = settings(&telegram, "take_over = true");
    let reader = polling(&taking);
    tokio::select! {
        ended = reader.run(&database) => panic!("{ended:?}"),
        () = database.expect(1) => {}
    }
    assert_eq!((telegram.webhook(), database.messages()), (None, vec!["waits".to_owned()]));
    assert_eq!(telegram.calls("deletewebhook")[0].parameters["drop_pending_updates"], json!(false));
}

#[tokio::test]
async fn a_trial_takes_nothing_and_says_what_is_missing() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(1, "Anna", "waits");
    telegram.refuse(-100_500, 400, "Bad Request: chat not found");
    let found = std::sync::Mutex::new(Vec::new());
    let reader = polling(&settings(&telegram, "staff_chat = -100500\ngroups = [-7]"));
    reader.try_out(&|finding| found.lock().unwrap().push(finding)).await;
    let found = found.into_inner().unwrap();
    let words = |ok: bool| {
        found.iter().filter(|finding| finding.ok == ok).map(|finding| finding.words.as_str()).collect::<Vec<_>>().join("\n")
    };
    assert!(words(true).contains("@zavod_bot") && words(true).contains("1 updates wait"), "{found:?}");
    assert!(words(false).contains("privacy mode") && words(false).contains("staff_chat -100500 cannot be reached"), "{found:?}");
    assert_eq!((telegram.waiting(), telegram.calls("getupdates").len()), (1, 0));
}
