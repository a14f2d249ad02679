//! The methods that are called.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use teloxide_core::payloads::{
    AnswerCallbackQuery, AnswerCallbackQuerySetters as _, CloseForumTopic, CreateForumTopic, EditForumTopic,
    EditForumTopicSetters as _, EditMessageReplyMarkup, EditMessageReplyMarkupSetters as _, EditMessageText,
    EditMessageTextSetters as _, GetChat, GetFile, ReopenForumTopic, SendContact, SendContactSetters as _,
};
use teloxide_core::types::{BusinessConnectionId, CallbackQueryId, ChatId, FileId, InlineKeyboardMarkup, ParseMode};

use super::message::{Button, inline, json as written, message_id, thread_id};
use super::{Api, ApiError, Message, TIME};

/// Updates asked for at once: the most there are.
const LIMIT: u32 = 100;
/// How much longer than the service waits an answer may take.
const BEYOND_POLL: Duration = Duration::from_secs(15);
/// What is asked for. The service remembers it until it is told anew, so it is always told.
pub(crate) const ALLOWED: &[&str] = &[
    "message",
    "edited_message",
    "channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "callback_query",
    "my_chat_member",
];
/// Characters of a topic's name, and of what is said when a button was pressed.
const TOPIC_NAME: usize = 128;
const CALLBACK_TEXT: usize = 200;

/// The bot itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// Its user id.
    pub id: i64,
    /// Its name without the `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// What it is called.
    #[serde(default)]
    pub first_name: String,
    /// It sees everything said in groups, not only what is addressed to it.
    #[serde(default)]
    pub can_read_all_group_messages: bool,
    /// It may be added to groups.
    #[serde(default)]
    pub can_join_groups: bool,
    /// It may be connected to business accounts.
    #[serde(default)]
    pub can_connect_to_business: bool,
}

/// How the bot's webhook fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct WebhookInfo {
    /// Where the service calls; empty: it does not.
    #[serde(default)]
    pub url: String,
    /// Updates that wait.
    #[serde(default)]
    pub pending_update_count: u64,
    /// When it failed last, in seconds since 1970.
    #[serde(default)]
    pub last_error_date: Option<i64>,
    /// Why.
    #[serde(default)]
    pub last_error_message: Option<String>,
    /// What it tells of; absent: of what is usual.
    #[serde(default)]
    pub allowed_updates: Option<Vec<String>>,
}

/// A chat, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ChatInfo {
    /// Its id.
    pub id: i64,
    /// `private`, `group`, `supergroup`, `channel`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// It has topics.
    #[serde(default)]
    pub is_forum: bool,
}

/// Where a file can be had for an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FileInfo {
    /// Bytes, if that is known.
    #[serde(default, rename = "file_size")]
    pub size: Option<u64>,
    /// Its path at the service.
    #[serde(default, rename = "file_path")]
    pub path: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    message_id: i64,
}

#[derive(Deserialize)]
struct Topic {
    message_thread_id: i64,
}

#[derive(Deserialize)]
struct Member {
    status: String,
    #[serde(default)]
    can_manage_topics: bool,
}

impl Api {
    /// The bot itself.
    pub async fn get_me(&self) -> Result<Me, ApiError> {
        self.call("getMe", b"{}".to_vec()).await
    }

    /// Updates from this one on, as raw JSON; waits so long for the first. What is before `offset` is forgotten by the service.
    pub(crate) async fn get_updates(&self, offset: Option<i64>, wait: Duration) -> Result<Vec<Box<RawValue>>, ApiError> {
        let mut parameters = json!({ "limit": LIMIT, "timeout": wait.as_secs(), "allowed_updates": ALLOWED });
        if let Some(offset) = offset {
            parameters["offset"] = json!(offset);
        }
        let result = self.raw("getUpdates", parameters.to_string().into_bytes(), wait + BEYOND_POLL).await?;
        serde_json::from_str(result.get())
            .map_err(|error| ApiError::Unavailable(format!("getUpdates was answered oddly: {error}")))
    }

    /// How the webhook fares.
    pub async fn get_webhook_info(&self) -> Result<WebhookInfo, ApiError> {
        let mut info: WebhookInfo = self.call("getWebhookInfo", b"{}".to_vec()).await?;
        info.last_error_message = info.last_error_message.map(|words| self.clean(&words));
        Ok(info)
    }

    /// Has the service call this address, with this secret in a header. What waits is kept.
    pub(crate) async fn set_webhook(&self, url: &str, secret: &str) -> Result<(), ApiError> {
        let parameters = json!({
            "url": url, "secret_token": secret, "allowed_updates": ALLOWED, "drop_pending_updates": false, "max_connections": 40,
        });
        self.call::<Value>("setWebhook", parameters.to_string().into_bytes()).await.map(|_| ())
    }

    /// Has the service call nobody. What waits is kept.
    pub(crate) async fn delete_webhook(&self) -> Result<(), ApiError> {
        let parameters = json!({ "drop_pending_updates": false });
        self.call::<Value>("deleteWebhook", parameters.to_string().into_bytes()).await.map(|_| ())
    }

    /// Sends a message; its id.
    pub async fn send_message(&self, message: &Message) -> Result<i64, ApiError> {
        let sent: Sent = self.call("sendMessage", written(&message.payload()?)?).await?;
        Ok(sent.message_id)
    }

    /// Gives a message another text and other buttons; none: it has none any more.
    pub async fn edit_message(&self, chat: i64, message: i64, html: &str, buttons: &[Vec<Button>]) -> Result<(), ApiError> {
        let payload = EditMessageText::new(ChatId(chat), message_id(message)?, html)
            .parse_mode(ParseMode::Html)
            .reply_markup(inline(buttons).unwrap_or_default());
        self.call::<Value>("editMessageText", written(&payload)?).await.map(|_| ())
    }

    /// Gives a message other buttons; none: it has none any more.
    pub async fn edit_message_reply_markup(&self, chat: i64, message: i64, buttons: &[Vec<Button>]) -> Result<(), ApiError> {
        let markup: InlineKeyboardMarkup = inline(buttons).unwrap_or_default();
        let payload = EditMessageReplyMarkup::new(ChatId(chat), message_id(message)?).reply_markup(markup);
        self.call::<Value>("editMessageReplyMarkup", written(&payload)?).await.map(|_| ())
    }

    /// Answers a button's press: until then its program shows that it waits. `alert`: the words stand in a window of their own.
    pub async fn answer_callback(&self, callback: &str, words: &str, alert: bool) -> Result<(), ApiError> {
        let words: String = leadgate_core::text::printable(words, true).chars().take(CALLBACK_TEXT).collect();
        let mut payload = AnswerCallbackQuery::new(CallbackQueryId(callback.to_owned())).show_alert(alert);
        if !words.is_empty() {
            payload = payload.text(words);
        }
        self.call::<Value>("answerCallbackQuery", written(&payload)?).await.map(|_| ())
    }

    /// Sends a contact card; the message's id. Its phone can be called from there.
    pub async fn send_contact(&self, to: &Message, phone: &str, name: &str) -> Result<i64, ApiError> {
        let name: String = leadgate_core::text::printable(name, true).chars().take(64).collect();
        let name = if name.trim().is_empty() { phone.to_owned() } else { name };
        let mut payload = SendContact::new(ChatId(to.chat), phone, name);
        if let Some(topic) = to.topic {
            payload = payload.message_thread_id(thread_id(topic)?);
        }
        if let Some(connection) = &to.connection {
            payload = payload.business_connection_id(BusinessConnectionId(connection.clone()));
        }
        if let Some(reply_to) = to.reply_to {
            let reply = teloxide_core::types::ReplyParameters::new(message_id(reply_to)?).allow_sending_without_reply();
            payload = payload.reply_parameters(reply);
        }
        let sent: Sent = self.call("sendContact", written(&payload)?).await?;
        Ok(sent.message_id)
    }

    /// Where a file can be had.
    pub async fn get_file(&self, file_id: &str) -> Result<FileInfo, ApiError> {
        self.call("getFile", written(&GetFile::new(FileId(file_id.to_owned())))?).await
    }

    /// A chat the bot is in.
    pub async fn get_chat(&self, chat: i64) -> Result<ChatInfo, ApiError> {
        self.call("getChat", written(&GetChat::new(ChatId(chat)))?).await
    }

    /// How the bot itself stands in a chat (`ChatMember.status`), and whether it may make topics there.
    pub(crate) async fn standing(&self, chat: i64, bot: i64) -> Result<(String, bool), ApiError> {
        let parameters = json!({ "chat_id": chat, "user_id": bot });
        let member: Member = self.call("getChatMember", parameters.to_string().into_bytes()).await?;
        Ok((self.clean(&member.status), member.can_manage_topics))
    }

    /// Makes a topic in a forum; its id.
    pub async fn create_topic(&self, chat: i64, name: &str) -> Result<i64, ApiError> {
        let topic: Topic =
            self.call("createForumTopic", written(&CreateForumTopic::new(ChatId(chat), topic_name(name)))?).await?;
        Ok(topic.message_thread_id)
    }

    /// Gives a topic another name.
    pub async fn edit_topic(&self, chat: i64, topic: i64, name: &str) -> Result<(), ApiError> {
        let payload = EditForumTopic::new(ChatId(chat), thread_id(topic)?).name(topic_name(name));
        self.call::<Value>("editForumTopic", written(&payload)?).await.map(|_| ())
    }

    /// Closes a topic: its messages stay.
    pub async fn close_topic(&self, chat: i64, topic: i64) -> Result<(), ApiError> {
        self.call::<Value>("closeForumTopic", written(&CloseForumTopic::new(ChatId(chat), thread_id(topic)?))?).await.map(|_| ())
    }

    /// Opens a closed topic.
    pub async fn reopen_topic(&self, chat: i64, topic: i64) -> Result<(), ApiError> {
        self.call::<Value>("reopenForumTopic", written(&ReopenForumTopic::new(ChatId(chat), thread_id(topic)?))?)
            .await
            .map(|_| ())
    }

    /// How long a call may take at most, for whoever plans with it.
    pub fn longest() -> Duration {
        TIME
    }
}

/// One line of 1 to 128 characters.
fn topic_name(name: &str) -> String {
    let printable = leadgate_core::text::printable(name, true);
    let name: String = printable.trim().chars().take(TOPIC_NAME).collect();
    if name.is_empty() { "?".to_owned() } else { name }
}
