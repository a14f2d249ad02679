//! The service calls: only with its secret, and it is seen to that it does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{Parsed, PathToken, Pull as _, PullError, PullState, Push as _, Refusal, Request};
use leadgate_core::submission::Submission;
use leadgate_telegram::settings::Settings;
use leadgate_telegram::update::Reader;
use leadgate_telegram::webhook::{Registered, SECRET_HEADER, Webhook, secret};
use leadgate_tests::client::until;
use leadgate_tests::telegram::Telegram;
use serde_json::json;
use uuid::Uuid;

use super::feed::Database;
use super::settings;

/// Where nobody listens.
const URL: &str = "http://127.0.0.1:1/in/bot/path-token";

fn reader(settings: &Arc<Settings>) -> Arc<Reader> {
    Arc::new(Reader::new("bot".parse().unwrap(), Arc::clone(settings)))
}

fn called(settings: &Arc<Settings>, header: Option<&str>, path_token: PathToken, body: &str) -> Result<Submission, Refusal> {
    let headers: Vec<(String, String)> = header.map(|value| (SECRET_HEADER.to_owned(), value.to_owned())).into_iter().collect();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let source = "bot".parse().unwrap();
    let request = Request {
        id: SubmissionId(Uuid::from_u128(1)),
        source: &source,
        method: "POST",
        url: URL,
        headers: &headers,
        body: &body,
        parts: None,
        peer: None,
        received_at: Timestamp::from_second(1_795_100_000).unwrap(),
        path_token,
        rest: "",
    };
    match Webhook::new(settings, reader(settings)).parse(&request)? {
        Parsed::Submissions(mut submissions) => Ok(submissions.remove(0)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_a_call_with_both_secrets_is_believed() {
    let telegram = Telegram::start().await.unwrap();
    let settings = settings(&telegram, "mode = \"webhook\"");
    let secret = secret(&settings);
    let right = Some(secret.expose());
    let update = json!({"update_id": 5, "message": {"message_id": 1, "text": "hi", "from": {"id": 5, "is_bot": false}, "chat": {"id": 5, "type": "private"}}});
    let taken = called(&settings, right, PathToken::Valid, &update.to_string()).unwrap();
    assert_eq!((taken.draft.message.as_deref(), taken.keys[0].value.as_str()), (Some("hi"), "123456/5"));
    for (header, path) in
        [(None, PathToken::Valid), (Some("wrong"), PathToken::Valid), (Some(""), PathToken::Valid), (right, PathToken::Absent)]
    {
        let refused = called(&settings, header, path, &update.to_string());
        assert!(matches!(refused, Err(Refusal::Unauthenticated(_))), "{header:?}: {refused:?}");
    }
    // What was kept was believed when it came.
    assert!(called(&settings, None, PathToken::Vouched, &update.to_string()).is_ok());
    let held = called(&settings, right, PathToken::Valid, "nonsense").unwrap();
    assert_eq!(held.hold.map(|hold| hold.code).as_deref(), Some("unreadable"));
    assert!(secret.expose().len() == 64 && !secret.expose().contains("AAEfake"));
}

#[tokio::test]
async fn the_webhook_is_registered_and_watched() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(1, "Anna", "waits");
    let settings = settings(&telegram, "mode = \"webhook\"");
    let database = Database { url: Some(URL.to_owned()), ..Database::default() };
    let registered = Registered::new(Arc::clone(&settings), reader(&settings)).paced(Duration::from_millis(20));
    let watching = async {
        database.expect_report(PullState::Watching, "").await;
        let set = telegram.calls("setwebhook");
        assert_eq!(set.len(), 1);
        assert_eq!(
            (set[0].parameters["url"].as_str(), set[0].parameters["drop_pending_updates"].as_bool()),
            (Some(URL), Some(false))
        );
        assert_eq!(set[0].parameters["secret_token"].as_str(), Some(secret(&settings).expose()));
        // Nobody answers at that address.
        database.expect_report(PullState::Down, "Telegram cannot call the gateway").await;
        telegram.take_webhook("http://127.0.0.1:1/elsewhere");
        database.expect_report(PullState::Down, "the webhook was taken").await;
        assert_eq!(telegram.calls("setwebhook").len(), 1, "it is not taken back unless that is wanted");
        telegram.take_webhook("");
        until("the webhook is set again", async || Ok((telegram.calls("setwebhook").len() == 2).then_some(()))).await.unwrap();
    };
    tokio::select! {
        ended = registered.run(&database) => panic!("{ended:?}"),
        () = watching => {}
    }
    assert_eq!(telegram.waiting(), 1, "what waits is kept");
}

#[tokio::test]
async fn another_programs_webhook_is_left_alone_and_taken_back_if_that_is_wanted() {
    let telegram = Telegram::start().await.unwrap();
    telegram.take_webhook("http://127.0.0.1:1/elsewhere");
    let database = Database { url: Some(URL.to_owned()), ..Database::default() };
    let modest = settings(&telegram, "mode = \"webhook\"");
    let error = Registered::new(Arc::clone(&modest), reader(&modest)).run(&database).await.unwrap_err();
    assert!(matches!(error, PullError::Fatal(_)) && telegram.calls("setwebhook").is_empty(), "{error}");
    let taking = settings(&telegram, "mode = \"webhook\"\ntake_over = true");
    let registered = Registered::new(Arc::clone(&taking), reader(&taking)).paced(Duration::from_millis(20));
    let taken_back = async {
        until("it is set", async || Ok((telegram.calls("setwebhook").len() == 1).then_some(()))).await.unwrap();
        telegram.take_webhook("http://127.0.0.1:1/elsewhere");
        until("it is set again", async || Ok((telegram.calls("setwebhook").len() == 2).then_some(()))).await.unwrap();
    };
    tokio::select! {
        ended = registered.run(&database) => panic!("{ended:?}"),
        () = taken_back => {}
    }
}

/// Both ways in read the same.
#[tokio::test]
async fn a_brought_update_is_what_an_asked_one_is() {
    let telegram = Telegram::start().await.unwrap();
    let settings = settings(&telegram, "mode = \"webhook\"");
    let body = json!({"update_id": 5, "message": {"message_id": 1, "date": 1_795_000_000, "text": "hi", "from": {"id": 5, "is_bot": false, "first_name": "A"}, "chat": {"id": 5, "type": "private"}}}).to_string();
    let brought = called(&settings, Some(secret(&settings).expose()), PathToken::Valid, &body).unwrap();
    let asked = reader(&settings).read(&Bytes::from(body), brought.received_at, brought.id).submission;
    assert_eq!(
        (brought.keys, brought.content, brought.draft.external_key),
        (asked.keys, asked.content, asked.draft.external_key)
    );
    assert_eq!((brought.raw.body, brought.occurred_at), (asked.raw.body, asked.occurred_at));
}
