use std::time::Duration;

use serde_json::json;

use super::error::{odd, said};
use super::message::json as written;
use super::*;

fn meant(code: i64, words: &str, parameters: &Value) -> ApiError {
    said(code, words.to_owned(), parameters, None)
}

#[test]
fn what_the_service_says_is_told_apart() {
    let none = Value::Null;
    for (code, words, expected) in [
        (401, "Unauthorized", "Unauthorized"),
        (404, "Not Found", "Unauthorized"),
        (403, "Forbidden: bot was blocked by the user", "Blocked"),
        (403, "Forbidden: user is deactivated", "Blocked"),
        (403, "Forbidden: bot can't initiate conversation with a user", "Blocked"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "Kicked"),
        (403, "Forbidden: bot is not a member of the channel chat", "Kicked"),
        (403, "Forbidden: the group chat was deleted", "Gone"),
        (400, "Bad Request: chat not found", "Gone"),
        (400, "Bad Request: message thread not found", "TopicDeleted"),
        (400, "Bad Request: TOPIC_CLOSED", "TopicClosed"),
        (400, "Bad Request: message is not modified: specified new message content", "NotModified"),
        (400, "Bad Request: message to edit not found", "MessageGone"),
        (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", "TooLate"),
        (400, "Bad Request: file is too big", "FileTooBig"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "Bad"),
        (400, "", "Bad"),
        (409, "Conflict: terminated by other getUpdates request", "Conflict"),
        (500, "Internal Server Error", "Unavailable"),
        (502, "Bad Gateway", "Unavailable"),
    ] {
        let error = meant(code, words, &none);
        assert!(format!("{error:?}").starts_with(expected), "{code} {words}: {error:?}");
    }
    assert_eq!(
        meant(400, "Bad Request: group chat was upgraded", &json!({"migrate_to_chat_id": -1001})),
        ApiError::Migrated(-1001)
    );
    assert_eq!(meant(429, "Too Many Requests", &json!({"retry_after": 7})), ApiError::TooMany(Duration::from_secs(7)));
    assert_eq!(said(429, String::new(), &none, Some("9")), ApiError::TooMany(Duration::from_secs(9)));
    assert_eq!(meant(429, "", &json!({"retry_after": u64::MAX})), ApiError::TooMany(Duration::from_hours(24)));
    assert!(odd(200, "text/html").to_string().contains("web page"), "{}", odd(200, "text/html"));
}

fn api() -> Api {
    let service = Service::new("http://127.0.0.1:1", None).unwrap();
    Api { service, token: Secret::new("123:SECRET-token"), largest: 20 << 20 }
}

#[test]
fn the_token_is_never_repeated() {
    assert_eq!(api().clean("bad path /bot123:SECRET-token/x\n\u{202e}y"), "bad path /bot<token>/x y");
    assert!(!format!("{:?}", api()).contains("SECRET"));
}

#[tokio::test]
async fn an_unreachable_service_is_told_without_its_url() {
    let error = api().get_me().await.unwrap_err();
    assert!(matches!(&error, ApiError::Unavailable(words) if words.contains("refused")), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("SECRET"), "{error:?}");
}

#[test]
fn a_message_is_written_as_the_service_reads_it() {
    let message = Message {
        reply_to: Some(7),
        topic: Some(9),
        connection: Some("bc".to_owned()),
        silent: true,
        keyboard: Keyboard::Inline(vec![vec![
            Button { text: "Take".to_owned(), does: Does::Says("t:5".to_owned()) },
            Button { text: "Open".to_owned(), does: Does::Opens("https://x.example/5".to_owned()) },
            Button { text: "Odd".to_owned(), does: Does::Opens("javascript:alert(1)".to_owned()) },
        ]]),
        ..Message::new(-100, "<b>Hi</b>")
    };
    let payload: Value = serde_json::from_slice(&written(&message.payload().unwrap()).unwrap()).unwrap();
    assert_eq!(
        payload,
        json!({
            "chat_id": -100, "text": "<b>Hi</b>", "business_connection_id": "bc", "message_thread_id": 9, "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": true}, "disable_notification": true,
            "reply_parameters": {"message_id": 7, "allow_sending_without_reply": true},
            "reply_markup": {"inline_keyboard": [[{"text": "Take", "callback_data": "t:5"}, {"text": "Open", "url": "https://x.example/5"}]]},
        })
    );
    let phone = Message {
        keyboard: Keyboard::Phone { share: "My phone".to_owned(), others: vec!["Skip".to_owned()] },
        ..Message::new(1, "?")
    };
    let payload: Value = serde_json::from_slice(&written(&phone.payload().unwrap()).unwrap()).unwrap();
    assert_eq!(
        payload["reply_markup"],
        json!({"keyboard": [[{"text": "My phone", "request_contact": true}], [{"text": "Skip"}]], "resize_keyboard": true, "one_time_keyboard": true})
    );
    assert!(matches!(Message { reply_to: Some(i64::MAX), ..Message::new(1, "x") }.payload(), Err(ApiError::Bad(_))));
}
