//! A message that the bot sends.

use serde::Serialize;
use teloxide_core::payloads::{SendMessage, SendMessageSetters as _};
use teloxide_core::types::{
    BusinessConnectionId, ButtonRequest, ChatId, InlineKeyboardButton, InlineKeyboardMarkup, KeyboardButton, KeyboardMarkup,
    KeyboardRemove, LinkPreviewOptions, MessageId, ParseMode, ReplyMarkup, ReplyParameters, ThreadId,
};
use url::Url;

use super::ApiError;

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub chat: i64,
    /// What it says, in Telegram's HTML: see [`text`](super::text).
    pub html: String,
    /// The message it answers; if that is not there any more, it is sent all the same.
    pub reply_to: Option<i64>,
    /// The topic of a forum.
    pub topic: Option<i64>,
    /// The business connection it goes by.
    pub connection: Option<String>,
    /// What is below it.
    pub keyboard: Keyboard,
    /// It makes no sound.
    pub silent: bool,
}

/// What is below a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keyboard {
    /// Nothing.
    #[default]
    Nothing,
    /// Rows of buttons at the message.
    Inline(Vec<Vec<Button>>),
    /// A button in place of the keyboard that shares the person's phone, and others that say what is on them. Private chats only.
    Phone {
        /// What stands on the button.
        share: String,
        /// Further ones.
        others: Vec<String>,
    },
    /// Buttons in place of the keyboard that say what is on them.
    Answers(Vec<String>),
    /// The usual keyboard again.
    Remove,
}

/// A button at a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What it does.
    pub does: Does,
}

/// What a button does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Tells the bot this, at most 64 bytes.
    Says(String),
    /// Opens an address. The service takes `https`, `http` and `tg`.
    Opens(String),
}

/// Ids of messages and topics have 32 bits in the Bot API.
pub(super) fn message_id(id: i64) -> Result<MessageId, ApiError> {
    i32::try_from(id).map(MessageId).map_err(|_| ApiError::Bad(format!("{id} is no message's id")))
}

pub(super) fn thread_id(id: i64) -> Result<ThreadId, ApiError> {
    message_id(id).map(ThreadId)
}

/// A payload as JSON.
pub(super) fn json(payload: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(payload).map_err(|error| ApiError::Bad(format!("the request cannot be written: {error}")))
}

impl Message {
    /// A text to a chat.
    pub fn new(chat: i64, html: impl Into<String>) -> Self {
        Self { chat, html: html.into(), ..Self::default() }
    }

    pub(super) fn payload(&self) -> Result<SendMessage, ApiError> {
        let mut payload = SendMessage::new(ChatId(self.chat), self.html.as_str())
            .parse_mode(ParseMode::Html)
            // What a customer links to is nobody's business to fetch.
            .link_preview_options(LinkPreviewOptions {
                is_disabled: true,
                url: None,
                prefer_small_media: false,
                prefer_large_media: false,
                show_above_text: false,
            });
        if let Some(reply_to) = self.reply_to {
            let reply = ReplyParameters::new(message_id(reply_to)?).allow_sending_without_reply();
            payload = payload.reply_parameters(reply);
        }
        if let Some(topic) = self.topic {
            payload = payload.message_thread_id(thread_id(topic)?);
        }
        if let Some(connection) = &self.connection {
            payload = payload.business_connection_id(BusinessConnectionId(connection.clone()));
        }
        if self.silent {
            payload = payload.disable_notification(true);
        }
        if let Some(keyboard) = self.keyboard.markup() {
            payload = payload.reply_markup(keyboard);
        }
        Ok(payload)
    }
}

impl Keyboard {
    fn markup(&self) -> Option<ReplyMarkup> {
        match self {
            Self::Nothing => None,
            Self::Inline(rows) => inline(rows).map(ReplyMarkup::InlineKeyboard),
            Self::Phone { share, others } => {
                let share = KeyboardButton::new(share.as_str()).request(ButtonRequest::Contact);
                Some(answers(std::iter::once(share).chain(others.iter().map(|text| KeyboardButton::new(text.as_str())))))
            }
            Self::Answers(texts) => Some(answers(texts.iter().map(|text| KeyboardButton::new(text.as_str())))),
            Self::Remove => Some(ReplyMarkup::KeyboardRemove(KeyboardRemove::new())),
        }
    }
}

/// One button a row, for thumbs.
fn answers(buttons: impl Iterator<Item = KeyboardButton>) -> ReplyMarkup {
    let mut keyboard = KeyboardMarkup::new(buttons.map(|button| [button]));
    keyboard.resize_keyboard = true;
    keyboard.one_time_keyboard = true;
    ReplyMarkup::Keyboard(keyboard)
}

/// Rows of buttons; a button whose address is none is left out, for the service would refuse the whole message.
pub(super) fn inline(rows: &[Vec<Button>]) -> Option<InlineKeyboardMarkup> {
    let button = |button: &Button| match &button.does {
        Does::Says(data) => Some(InlineKeyboardButton::callback(button.text.as_str(), leadgate_core::text::cut(data, 64))),
        Does::Opens(url) => {
            let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http" | "tg"))?;
            Some(InlineKeyboardButton::url(button.text.as_str(), url))
        }
    };
    let rows = rows.iter().map(|row| row.iter().filter_map(button).collect::<Vec<_>>()).filter(|row| !row.is_empty());
    let rows: Vec<Vec<InlineKeyboardButton>> = rows.collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}
