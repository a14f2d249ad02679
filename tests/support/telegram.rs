//! A Bot API of our own: what bots ask for and say is kept, updates are handed out as the real service does it (an offset forgets what is
//! before it, a second reader throws the first one out, a webhook is called until it takes the update), and it fails as a test says.
//!
//! Written from the service's documentation (<https://core.telegram.org/bots/api>).

mod methods;
mod webhook;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::client::until;

/// The bot's user id.
pub const BOT: i64 = 123_456;
/// Its token.
pub const TOKEN: &str = "123456:AAEfake-token_of-tests";
/// Its name.
pub const USERNAME: &str = "zavod_bot";
/// When the first message was written; later ones follow by the second.
const BEGINNING: i64 = 1_795_000_000;

/// A call of a method.
#[derive(Clone, Debug)]
pub struct Called {
    /// The method, in small letters.
    pub method: String,
    /// Its parameters.
    pub parameters: Value,
    /// The id of the message that was made of it, if one was.
    pub message: Option<i64>,
    /// When it came.
    pub at: Instant,
}

/// How a call fails.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error of the service: code and description.
    Error(u16, String),
    /// 429: too many calls, with the seconds to wait.
    TooMany(u64),
    /// A web page instead of an answer.
    Page(u16),
    /// It takes so long.
    Slow(Duration),
    /// What was asked is done, and the answer is lost.
    Lost,
}

/// Where the service calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// The address.
    pub url: String,
    /// What stands in the header.
    pub secret: String,
}

#[derive(Debug, Default)]
struct Books {
    waiting: VecDeque<(i64, Value)>,
    next_update: i64,
    next_message: i64,
    hook: Option<Hook>,
    last_error: Option<(i64, String)>,
    calls: Vec<Called>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    files: BTreeMap<String, Vec<u8>>,
    /// Chats that refuse: the code and the description.
    refusing: BTreeMap<i64, (u16, String)>,
    migrated: BTreeMap<i64, i64>,
    deleted_topics: BTreeSet<(i64, i64)>,
    forums: BTreeSet<i64>,
    /// Rises with each reader: the one before is thrown out.
    reader: u64,
    /// How often the service called, and was not taken.
    refused_calls: u64,
}

#[derive(Debug)]
struct Shared {
    books: Mutex<Books>,
    told: Notify,
    http: reqwest::Client,
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service. It stops when dropped.
pub struct Telegram {
    /// Where it listens on loopback.
    pub port: u16,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Telegram {
    /// Listens, with a bot that has no updates.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let books = Books { next_update: 70_001, next_message: 1, ..Books::default() };
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let shared = Arc::new(Shared { books: Mutex::new(books), told: Notify::new(), http });
        let app = Router::new()
            .route("/{bot}/{method}", post(called).get(called))
            .route("/file/{bot}/{*path}", get(file))
            .layer(DefaultBodyLimit::max(1 << 20))
            .with_state(Arc::clone(&shared));
        // It serves until it is stopped.
        let serving = tokio::spawn(async move { drop(axum::serve(listener, app).await) });
        let calling = tokio::spawn(webhook::call(Arc::clone(&shared)));
        Ok(Self { port, shared, tasks: vec![serving, calling] })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The keys of a source that reads this bot.
    pub fn section(&self, id: &str, more: &str) -> String {
        format!("[sources.{id}]\nkind = \"telegram\"\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\n{more}\n", self.url())
    }

    /// An update with this in it, such as `{"message": {..}}`; its id.
    pub fn push(&self, body: Value) -> i64 {
        let mut books = self.shared.books();
        let id = books.next_update;
        books.next_update += 1;
        let mut update = body;
        update["update_id"] = json!(id);
        books.waiting.push_back((id, update));
        drop(books);
        self.shared.told.notify_waiters();
        id
    }

    /// A person writes to the bot; the message's id.
    pub fn say(&self, person: i64, name: &str, text: &str) -> i64 {
        self.send(person, name, json!({ "text": text }))
    }

    /// A person sends the bot a message with this in it; its id.
    pub fn send(&self, person: i64, name: &str, content: Value) -> i64 {
        let mut message = self.message(person, name, &json!({ "id": person, "first_name": name, "type": "private" }));
        merge(&mut message, content);
        let id = message["message_id"].as_i64().unwrap_or_default();
        self.push(json!({ "message": message }));
        id
    }

    /// A person writes in a group; the message's id.
    pub fn say_in(&self, group: i64, person: i64, name: &str, content: Value) -> i64 {
        let mut message = self.message(person, name, &json!({ "id": group, "title": "Managers", "type": "supergroup" }));
        merge(&mut message, content);
        let id = message["message_id"].as_i64().unwrap_or_default();
        self.push(json!({ "message": message }));
        id
    }

    /// A person presses a button with this on a message of the bot; the callback's id.
    pub fn press(&self, chat: i64, message: i64, person: i64, name: &str, data: &str) -> String {
        let id = format!("callback-{}", self.shared.books().next_update);
        let kind = if chat < 0 { "supergroup" } else { "private" };
        self.push(json!({ "callback_query": {
            "id": id, "from": user(person, name), "chat_instance": "1", "data": data,
            "message": { "message_id": message, "date": BEGINNING, "chat": { "id": chat, "type": kind }, "from": bot() },
        } }));
        id
    }

    fn message(&self, person: i64, name: &str, chat: &Value) -> Value {
        let mut books = self.shared.books();
        let id = books.next_message;
        books.next_message += 1;
        json!({ "message_id": id, "date": BEGINNING + id, "from": user(person, name), "chat": chat })
    }

    /// The next calls of a method (in small letters) fail so, one after the other; `*` stands for any method.
    pub fn fail(&self, method: &str, faults: impl IntoIterator<Item = Fault>) {
        self.shared.books().faults.entry(method.to_owned()).or_default().extend(faults);
    }

    /// A chat refuses what is sent to it, as a person does who has blocked the bot.
    pub fn refuse(&self, chat: i64, code: u16, description: &str) {
        self.shared.books().refusing.insert(chat, (code, description.to_owned()));
    }

    /// A chat takes everything again.
    pub fn accept(&self, chat: i64) {
        self.shared.books().refusing.remove(&chat);
    }

    /// A group became a supergroup.
    pub fn migrate(&self, from: i64, to: i64) {
        self.shared.books().migrated.insert(from, to);
    }

    /// A group has topics.
    pub fn forum(&self, group: i64) {
        self.shared.books().forums.insert(group);
    }

    /// A topic is deleted.
    pub fn delete_topic(&self, group: i64, topic: i64) {
        self.shared.books().deleted_topics.insert((group, topic));
    }

    /// A file the bot can fetch by this id.
    pub fn keep_file(&self, id: &str, bytes: Vec<u8>) {
        self.shared.books().files.insert(id.to_owned(), bytes);
    }

    /// A week passes without updates: nothing of before is kept, and the service begins to count anew, here.
    pub fn count_from(&self, update: i64) {
        let mut books = self.shared.books();
        books.waiting.clear();
        books.next_update = update;
    }

    /// Somebody else sets the bot's webhook.
    pub fn take_webhook(&self, url: &str) {
        self.shared.books().hook =
            Some(Hook { url: url.to_owned(), secret: "another".to_owned() }).filter(|hook| !hook.url.is_empty());
        self.shared.told.notify_waiters();
    }

    /// Where the service calls.
    pub fn webhook(&self) -> Option<Hook> {
        self.shared.books().hook.clone()
    }

    /// What was called so far; of one method, in small letters.
    pub fn calls(&self, method: &str) -> Vec<Called> {
        self.shared.books().calls.iter().filter(|call| call.method == method).cloned().collect()
    }

    /// The texts that were sent to a chat.
    pub fn sent_to(&self, chat: i64) -> Vec<String> {
        let sent = self
            .calls("sendmessage")
            .into_iter()
            .filter(|call| call.message.is_some() && call.parameters["chat_id"] == json!(chat));
        sent.map(|call| call.parameters["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Updates that nobody has taken.
    pub fn waiting(&self) -> usize {
        self.shared.books().waiting.len()
    }

    /// How often the service called and was not taken.
    pub fn refused_calls(&self) -> u64 {
        self.shared.books().refused_calls
    }

    /// Waits until a method was called so often.
    pub async fn expect(&self, method: &str, count: usize) -> anyhow::Result<Vec<Called>> {
        let what = format!("{count} calls of {method}");
        until(&what, async || Ok(Some(self.calls(method)).filter(|calls| calls.len() >= count))).await
    }

    /// Waits until nothing waits any more.
    pub async fn expect_taken(&self) -> anyhow::Result<()> {
        until("every update to be taken", async || Ok((self.waiting() == 0).then_some(()))).await
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn merge(message: &mut Value, content: Value) {
    if let (Some(message), Value::Object(content)) = (message.as_object_mut(), content) {
        message.extend(content);
    }
}

fn user(id: i64, name: &str) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": name, "language_code": "ru" })
}

fn bot() -> Value {
    json!({ "id": BOT, "is_bot": true, "first_name": "Завод", "username": USERNAME })
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn refusal(code: u16, description: &str, parameters: Value) -> Response {
    let mut body = json!({ "ok": false, "error_code": code, "description": description });
    if !parameters.is_null() {
        body["parameters"] = parameters;
    }
    answer(code, &body)
}

async fn called(State(shared): State<Arc<Shared>>, Path((bot, method)): Path<(String, String)>, body: Bytes) -> Response {
    if bot.strip_prefix("bot") != Some(TOKEN) {
        return refusal(401, "Unauthorized", Value::Null);
    }
    let method = method.to_ascii_lowercase();
    let parameters: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(&body).unwrap_or_else(|_| json!({})) };
    let fault = {
        let mut books = shared.books();
        let own = books.faults.get_mut(&method).and_then(VecDeque::pop_front);
        own.or_else(|| books.faults.get_mut("*").and_then(VecDeque::pop_front))
    };
    match fault {
        None => methods::call(&shared, &method, parameters).await,
        Some(Fault::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            methods::call(&shared, &method, parameters).await
        }
        Some(Fault::Lost) => {
            let lost = methods::call(&shared, &method, parameters).await;
            drop(lost);
            // The connection ends in the middle of the answer.
            let broken = futures_util::stream::iter([Ok(Bytes::from_static(b"{\"ok\":tr")), Err(std::io::Error::other("lost"))]);
            Body::from_stream(broken).into_response()
        }
        Some(Fault::Error(code, description)) => refusal(code, &description, Value::Null),
        Some(Fault::TooMany(seconds)) => {
            refusal(429, &format!("Too Many Requests: retry after {seconds}"), json!({ "retry_after": seconds }))
        }
        Some(Fault::Page(code)) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
            (status, [("content-type", "text/html")], "<html><body>Access to this resource is blocked</body></html>")
                .into_response()
        }
    }
}

async fn file(State(shared): State<Arc<Shared>>, Path((bot, path)): Path<(String, String)>) -> Response {
    if bot.strip_prefix("bot") != Some(TOKEN) {
        return refusal(401, "Unauthorized", Value::Null);
    }
    let id = path.strip_prefix("documents/").unwrap_or_default();
    let found = shared.books().files.get(id).cloned();
    found.map_or_else(|| refusal(404, "Not Found", Value::Null), |bytes| Bytes::from(bytes).into_response())
}
