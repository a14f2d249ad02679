//! The methods of the fake Bot API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use serde_json::{Value, json};

use super::{BEGINNING, BOT, Books, Called, Hook, Shared, answer, bot, refusal};

/// Characters of a message.
const MOST_TEXT: usize = 4_096;
/// Bytes of what a button carries.
const MOST_DATA: usize = 64;
/// Tags of messages (<https://core.telegram.org/bots/api#html-style>).
const TAGS: &[&str] = &["b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler", "span"];

/// Does what a method does.
pub(super) async fn call(shared: &Arc<Shared>, method: &str, parameters: Value) -> Response {
    if method == "getupdates" {
        return updates(shared, parameters).await;
    }
    let mut books = shared.books();
    let done = done(&mut books, method, &parameters);
    let message = done.as_ref().ok().and_then(|result| result["message_id"].as_i64());
    books.calls.push(Called { method: method.to_owned(), parameters, message, at: Instant::now() });
    drop(books);
    if method == "setwebhook" {
        shared.told.notify_waiters();
    }
    match done {
        Ok(result) => answer(200, &json!({ "ok": true, "result": result })),
        Err(Refused(code, description, parameters)) => refusal(code, &description, parameters),
    }
}

struct Refused(u16, String, Value);

fn refused<T>(code: u16, description: &str) -> Result<T, Refused> {
    Err(Refused(code, description.to_owned(), Value::Null))
}

fn done(books: &mut Books, method: &str, parameters: &Value) -> Result<Value, Refused> {
    match method {
        "getme" => {
            let mut me = bot();
            let more = [
                "can_join_groups",
                "can_read_all_group_messages",
                "supports_inline_queries",
                "can_connect_to_business",
                "has_main_web_app",
            ];
            for key in more {
                me[key] = json!(key == "can_join_groups");
            }
            Ok(me)
        }
        "getwebhookinfo" => {
            let hook = books.hook.clone().unwrap_or_default();
            let mut info =
                json!({ "url": hook.url, "has_custom_certificate": false, "pending_update_count": books.waiting.len() });
            if let Some((at, words)) = &books.last_error {
                info["last_error_date"] = json!(at);
                info["last_error_message"] = json!(words);
            }
            Ok(info)
        }
        "setwebhook" => set_webhook(books, parameters),
        "deletewebhook" => {
            books.hook = None;
            drop_pending(books, parameters);
            Ok(json!(true))
        }
        "sendmessage" | "sendcontact" => sent(books, method, parameters),
        "editmessagetext" | "editmessagereplymarkup" => {
            refuses(books, parameters)?;
            if method == "editmessagetext" {
                text_fits(parameters)?;
            }
            markup_fits(parameters)?;
            Ok(
                json!({ "message_id": parameters["message_id"], "date": BEGINNING, "chat": { "id": parameters["chat_id"], "type": "private" } }),
            )
        }
        "answercallbackquery" => Ok(json!(true)),
        "getfile" => {
            let id = parameters["file_id"].as_str().unwrap_or_default();
            let Some(bytes) = books.files.get(id) else { return refused(400, "Bad Request: invalid file_id") };
            if bytes.len() > 20 << 20 {
                return refused(400, "Bad Request: file is too big");
            }
            Ok(json!({ "file_id": id, "file_unique_id": id, "file_size": bytes.len(), "file_path": format!("documents/{id}") }))
        }
        "getchat" => {
            refuses(books, parameters)?;
            let chat = number(parameters, "chat_id");
            Ok(json!({ "id": chat, "type": "supergroup", "title": "Managers", "is_forum": books.forums.contains(&chat) }))
        }
        "getchatmember" => {
            refuses(books, parameters)?;
            Ok(json!({ "user": bot(), "status": "administrator", "can_manage_topics": true, "user_id": BOT }))
        }
        "createforumtopic" => {
            refuses(books, parameters)?;
            if !books.forums.contains(&number(parameters, "chat_id")) {
                return refused(400, "Bad Request: the chat is not a forum");
            }
            let id = books.next_message;
            books.next_message += 1;
            Ok(json!({ "message_thread_id": id, "name": parameters["name"], "icon_color": 7_322_096 }))
        }
        "editforumtopic" | "closeforumtopic" | "reopenforumtopic" => {
            refuses(books, parameters)?;
            Ok(json!(true))
        }
        _ => refused(404, "Not Found"),
    }
}

fn number(parameters: &Value, key: &str) -> i64 {
    parameters[key].as_i64().unwrap_or_default()
}

/// What a chat, or the topic in it, has against it.
fn refuses(books: &Books, parameters: &Value) -> Result<(), Refused> {
    let chat = number(parameters, "chat_id");
    if let Some(to) = books.migrated.get(&chat) {
        let words = "Bad Request: group chat was upgraded to a supergroup chat".to_owned();
        return Err(Refused(400, words, json!({ "migrate_to_chat_id": to })));
    }
    if let Some((code, words)) = books.refusing.get(&chat) {
        return refused(*code, words);
    }
    let topic = number(parameters, "message_thread_id");
    if books.deleted_topics.contains(&(chat, topic)) {
        return refused(400, "Bad Request: message thread not found");
    }
    Ok(())
}

fn sent(books: &mut Books, method: &str, parameters: &Value) -> Result<Value, Refused> {
    refuses(books, parameters)?;
    if method == "sendmessage" {
        text_fits(parameters)?;
    }
    markup_fits(parameters)?;
    let id = books.next_message;
    books.next_message += 1;
    Ok(json!({
        "message_id": id, "date": BEGINNING + id, "from": bot(), "text": parameters["text"],
        "chat": { "id": parameters["chat_id"], "type": "private" },
    }))
}

/// A text is not empty, not too long, and its tags are closed in turn.
fn text_fits(parameters: &Value) -> Result<(), Refused> {
    let text = parameters["text"].as_str().unwrap_or_default();
    let plain = if parameters["parse_mode"] == json!("HTML") { plain(text)? } else { text.to_owned() };
    if plain.trim().is_empty() {
        return refused(400, "Bad Request: message text is empty");
    }
    if plain.encode_utf16().count() > MOST_TEXT {
        return refused(400, "Bad Request: message is too long");
    }
    Ok(())
}

fn plain(html: &str) -> Result<String, Refused> {
    let wrong = |what: &str| Refused(400, format!("Bad Request: can't parse entities: {what}"), Value::Null);
    let (mut out, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let ends = if rest.starts_with('<') { '>' } else { ';' };
        let Some(end) = rest.find(ends) else {
            return Err(wrong("what begins is not ended"));
        };
        let inner = &rest[1..end];
        if ends == ';' {
            let known = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"')];
            out.push(known.iter().find(|(name, _)| *name == inner).ok_or_else(|| wrong("an unknown entity"))?.1);
        } else if let Some(name) = inner.strip_prefix('/') {
            if open.pop() != Some(name.to_owned()) {
                return Err(wrong("a tag is closed that is not open"));
            }
        } else {
            let name = inner.split(' ').next().unwrap_or_default();
            if !TAGS.contains(&name) {
                return Err(wrong("an unsupported tag"));
            }
            open.push(name.to_owned());
        }
        rest = &rest[end + 1..];
    }
    if !open.is_empty() {
        return Err(wrong("a tag is not closed"));
    }
    out.push_str(rest);
    Ok(out)
}

fn markup_fits(parameters: &Value) -> Result<(), Refused> {
    let rows = parameters["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten();
    for button in rows.flat_map(|row| row.as_array().into_iter().flatten()) {
        if button["text"].as_str().is_none_or(str::is_empty) {
            return refused(400, "Bad Request: a button has no text");
        }
        if button["callback_data"].as_str().is_some_and(|data| data.is_empty() || data.len() > MOST_DATA) {
            return refused(400, "Bad Request: BUTTON_DATA_INVALID");
        }
    }
    Ok(())
}

fn set_webhook(books: &mut Books, parameters: &Value) -> Result<Value, Refused> {
    let text = |key: &str| parameters[key].as_str().unwrap_or_default().to_owned();
    let (url, secret) = (text("url"), text("secret_token"));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if secret.len() > 256 || !secret.chars().all(fits) {
        return refused(400, "Bad Request: secret token contains illegal characters");
    }
    if !url.starts_with("http") {
        return refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook");
    }
    drop_pending(books, parameters);
    books.hook = Some(Hook { url, secret });
    Ok(json!(true))
}

fn drop_pending(books: &mut Books, parameters: &Value) {
    if parameters["drop_pending_updates"] == json!(true) {
        books.waiting.clear();
    }
}

/// Hands out what waits from `offset` on, and forgets what is before it; waits for the first.
async fn updates(shared: &Arc<Shared>, parameters: Value) -> Response {
    let limit = usize::try_from(parameters["limit"].as_u64().unwrap_or(100).clamp(1, 100)).unwrap_or(100);
    let until = tokio::time::Instant::now() + Duration::from_secs(parameters["timeout"].as_u64().unwrap_or(0));
    let reader = {
        let mut books = shared.books();
        books.calls.push(Called {
            method: "getupdates".to_owned(),
            parameters: parameters.clone(),
            message: None,
            at: Instant::now(),
        });
        books.reader += 1;
        if let Some(offset) = parameters["offset"].as_i64() {
            books.waiting.retain(|(id, _)| *id >= offset);
        }
        books.reader
    };
    shared.told.notify_waiters();
    loop {
        let told = shared.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        {
            let books = shared.books();
            if books.hook.is_some() {
                let words = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
                return refusal(409, words, Value::Null);
            }
            if books.reader != reader {
                let words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                return refusal(409, words, Value::Null);
            }
            let found: Vec<&Value> = books.waiting.iter().take(limit).map(|(_, update)| update).collect();
            if !found.is_empty() || tokio::time::Instant::now() >= until {
                return answer(200, &json!({ "ok": true, "result": found }));
            }
        }
        tokio::select! {
            () = told => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}
