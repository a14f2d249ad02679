//! What the bot says and fetches, and each way it can fail.

use std::time::Duration;

use leadgate_telegram::api::{Api, ApiError, Button, Does, Keyboard, Message, text};
use leadgate_tests::telegram::{Fault, Telegram};
use serde_json::json;

use super::settings;

#[tokio::test]
async fn everything_that_is_said_arrives() {
    let telegram = Telegram::start().await.unwrap();
    telegram.forum(-100);
    let api = Api::new(&settings(&telegram, "")).unwrap();
    let buttons = vec![vec![Button { text: "Take".to_owned(), does: Does::Says("t:1".to_owned()) }]];
    let topic = api.create_topic(-100, "№1 Anna").await.unwrap();
    let message = Message { topic: Some(topic), keyboard: Keyboard::Inline(buttons.clone()), ..Message::new(-100, "<b>Hi</b>") };
    let id = api.send_message(&message).await.unwrap();
    api.edit_message(-100, id, "<b>Taken</b>", &[]).await.unwrap();
    api.edit_message_reply_markup(-100, id, &buttons).await.unwrap();
    api.answer_callback("callback-1", "Yours now", false).await.unwrap();
    api.send_contact(&Message { reply_to: Some(id), ..Message::new(-100, "") }, "+79160001122", "Anna").await.unwrap();
    api.edit_topic(-100, topic, "№1 Anna, taken").await.unwrap();
    api.close_topic(-100, topic).await.unwrap();
    api.reopen_topic(-100, topic).await.unwrap();
    assert_eq!(api.get_chat(-100).await.unwrap().title, "Managers");
    assert_eq!(telegram.sent_to(-100), ["<b>Hi</b>"]);
    let edited = &telegram.calls("editmessagetext")[0].parameters;
    assert_eq!((&edited["message_id"], &edited["reply_markup"]), (&json!(id), &json!({"inline_keyboard": []})));
    assert_eq!(telegram.calls("answercallbackquery")[0].parameters["text"], json!("Yours now"));
    assert_eq!(telegram.calls("sendcontact")[0].parameters["first_name"], json!("Anna"));
}

#[tokio::test]
async fn long_and_hostile_texts_are_taken_by_the_service() {
    let telegram = Telegram::start().await.unwrap();
    let api = Api::new(&settings(&telegram, "")).unwrap();
    let hostile = "</b><script>alert(1)</script> & \"quotes\" \u{202e}😀\n".repeat(400);
    let parts = text::messages(&hostile);
    assert!(parts.len() > 3);
    for part in &parts {
        api.send_message(&Message::new(5, part)).await.unwrap();
    }
    assert_eq!(telegram.sent_to(5), parts);
}

#[tokio::test]
async fn each_failure_is_told_apart() {
    let telegram = Telegram::start().await.unwrap();
    telegram.refuse(1, 403, "Forbidden: bot was blocked by the user");
    telegram.refuse(2, 403, "Forbidden: bot was kicked from the supergroup chat");
    telegram.refuse(3, 400, "Bad Request: chat not found");
    telegram.migrate(-4, -1_004);
    telegram.delete_topic(-5, 9);
    let api = Api::new(&settings(&telegram, "")).unwrap();
    let failed = async |message: Message| api.send_message(&message).await.unwrap_err();
    let blocked = failed(Message::new(1, "x")).await;
    assert!(matches!(blocked, ApiError::Blocked(_)) && blocked.closes_chat() && !blocked.may_pass(), "{blocked:?}");
    assert!(matches!(failed(Message::new(2, "x")).await, ApiError::Kicked(_)));
    assert!(matches!(failed(Message::new(3, "x")).await, ApiError::Gone(_)));
    assert_eq!(failed(Message::new(-4, "x")).await, ApiError::Migrated(-1_004));
    assert_eq!(failed(Message { topic: Some(9), ..Message::new(-5, "x") }).await, ApiError::TopicDeleted);
    assert!(matches!(failed(Message::new(6, "<b>open")).await, ApiError::Bad(_)));
    for (fault, expected) in [
        (Fault::TooMany(3), ApiError::TooMany(Duration::from_secs(3))),
        (Fault::Error(401, "Unauthorized".to_owned()), ApiError::Unauthorized("Unauthorized".to_owned())),
    ] {
        telegram.fail("sendmessage", [fault]);
        assert_eq!(failed(Message::new(6, "x")).await, expected);
    }
    for fault in [Fault::Page(200), Fault::Page(403), Fault::Lost, Fault::Error(502, "Bad Gateway".to_owned())] {
        telegram.fail("sendmessage", [fault]);
        let error = failed(Message::new(6, "x")).await;
        assert!(matches!(error, ApiError::Unavailable(_)) && error.may_pass(), "{error:?}");
        assert!(!error.to_string().contains("AAEfake"), "{error}");
    }
}

#[tokio::test]
async fn files_are_fetched_in_pieces_and_no_more_than_agreed() {
    let telegram = Telegram::start().await.unwrap();
    telegram.keep_file("plan", vec![7; 300_000]);
    telegram.keep_file("film", vec![7; 2 << 20]);
    telegram.keep_file("large", vec![7; (20 << 20) + 1]);
    let api = Api::new(&settings(&telegram, "largest_mb = 1")).unwrap();
    let mut file = api.download("plan").await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = file.piece().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!((bytes, file.size), (300_000, Some(300_000)));
    assert!(matches!(api.download("film").await, Err(ApiError::FileTooBig(_))));
    assert!(matches!(api.download("large").await, Err(ApiError::FileTooBig(_))));
    assert!(matches!(api.download("gone").await, Err(ApiError::Gone(_))));
}
