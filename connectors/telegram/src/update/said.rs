//! An update, taken apart: who did what where. Read from the raw JSON (<https://core.telegram.org/bots/api#update>), so that what is new
//! there, or odd, costs that part alone.

use jiff::Timestamp;
use leadgate_core::submission::Reference;
use leadgate_core::text;
use serde_json::Value;

use super::look::{at, id, line, list, object, one_line, time, yes};

/// Bytes of a text that are read. Telegram sends 4,096 characters at most.
const TEXT: usize = 64 << 10;
/// Bytes of a name, a title.
const SHORT: usize = 300;
/// Bytes of what a button carries (the Bot API's own limit is 64).
const DATA: usize = 200;
/// Deleted messages that one update names.
const MOST_DELETED: usize = 1_000;

/// What is known of the bot that got an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bot {
    /// Its user id, which its token begins with.
    pub id: i64,
    /// Its name without the `@`, in small letters, once it is known.
    pub username: Option<String>,
    /// The group of the company's own.
    pub staff_chat: Option<i64>,
}

/// Which kind of update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    /// Somebody wrote.
    Message,
    /// What somebody wrote was edited.
    EditedMessage,
    /// A channel's post, new or edited.
    ChannelPost,
    /// The bot was connected to a business account, or that changed.
    BusinessConnection,
    /// Somebody wrote in a chat of a business account; or its owner did.
    BusinessMessage,
    /// That was edited.
    EditedBusinessMessage,
    /// That was deleted.
    DeletedBusinessMessages,
    /// A button was pressed.
    CallbackQuery,
    /// The bot was blocked, let in, put out.
    MyChatMember,
    /// Anything else, by its name.
    Other(String),
}

/// What sort of chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// With one person.
    Private,
    /// A group or a supergroup.
    Group,
    /// A channel.
    Channel,
    /// Something else.
    Other,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Its id; of a private one the person's.
    pub id: i64,
    /// What sort.
    pub kind: ChatKind,
    /// Its title; of a private one the person's name. One line, maybe empty.
    pub title: String,
    /// Its name without the `@`.
    pub username: Option<String>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: i64,
    /// It is a program.
    pub is_bot: bool,
    /// First and last name, one line, maybe empty.
    pub name: String,
    /// The first name, one line, maybe empty.
    pub first_name: String,
    /// The name without the `@`.
    pub username: Option<String>,
    /// The language of the person's program, an IETF tag.
    pub language: Option<String>,
}

/// A command at the beginning of a text: `/take 12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name in small letters, without `/` and without `@` and what follows.
    pub name: String,
    /// The bot it is meant for, in small letters, if one is named.
    pub of: Option<String>,
    /// What follows, trimmed.
    pub argument: String,
}

/// The message that another answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Its id within the chat.
    pub message: i64,
    /// This bot wrote it.
    pub ours: bool,
    /// What it says.
    pub text: String,
}

/// A button that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// By which it is answered.
    pub id: String,
    /// What it carries; empty if nothing.
    pub data: String,
}

/// How somebody stands in a chat (`ChatMember.status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// May read and write: `creator`, `administrator`, `member`.
    In,
    /// Is there and may not write: `restricted`.
    Restricted,
    /// Left, and may come back: `left`.
    Left,
    /// Was put out; in a private chat: the bot is blocked: `kicked`.
    Out,
}

/// The bot's own standing in a chat changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// As it was.
    pub from: Option<Standing>,
    /// As it is.
    pub to: Standing,
}

/// A group became a supergroup, which has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The id before.
    pub from: i64,
    /// The id from now on.
    pub to: i64,
}

/// The bot's connection to a business account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessConnection {
    /// Its id, which messages of it name.
    pub id: String,
    /// The account's user.
    pub user: i64,
    /// The chat with that user.
    pub user_chat: Option<i64>,
    /// It stands.
    pub is_enabled: bool,
    /// The bot may answer for the account.
    pub can_reply: bool,
}

/// A contact card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedContact {
    /// The phone, as sent: with or without `+`.
    pub phone: String,
    /// The name on it.
    pub name: String,
    /// It is the sender's own, and was not passed on.
    pub own: bool,
    /// The message with the button by which it was shared, if it was this bot's: what the person read before.
    pub asked: Option<String>,
}

/// An update, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub update: Option<i64>,
    /// Which kind.
    pub kind: UpdateKind,
    /// Where.
    pub chat: Option<Chat>,
    /// Who: wrote it, pressed it, changed it.
    pub from: Option<Person>,
    /// A chat speaks (an anonymous administrator, a linked channel), nobody is named.
    pub anonymous: bool,
    /// The message within the chat; of a button the one it is on.
    pub message: Option<i64>,
    /// When; of an edit when it was first written.
    pub at: Option<Timestamp>,
    /// When it was edited.
    pub edited_at: Option<Timestamp>,
    /// The text or the caption, as sent.
    pub text: String,
    /// The command it begins with.
    pub command: Option<Command>,
    /// What it answers.
    pub reply_to: Option<ReplyTo>,
    /// The topic of a forum.
    pub topic: Option<i64>,
    /// The album it is a part of.
    pub album: Option<String>,
    /// Whose message it passes on, as shown.
    pub forwarded: Option<String>,
    /// The business connection it came by.
    pub connection: Option<String>,
    /// A bot wrote it for the business account: this one, another.
    pub by_business_bot: bool,
    /// The button that was pressed.
    pub callback: Option<Callback>,
    /// The change of the bot's own standing.
    pub member: Option<MemberChange>,
    /// The group has another id.
    pub migration: Option<Migration>,
    /// The connection to a business account.
    pub business: Option<BusinessConnection>,
    /// The messages that were deleted.
    pub deleted: Vec<i64>,
    /// The contact card in it.
    pub contact: Option<SharedContact>,
    /// It happened in a chat with one person.
    pub is_private: bool,
    /// It happened in the company's own group.
    pub is_staff: bool,
}

impl Said {
    /// Takes an update's JSON apart; an error is for people.
    pub fn read(raw: &[u8], bot: &Bot) -> Result<Self, String> {
        let update: Value = serde_json::from_slice(raw).map_err(|error| format!("the update is no JSON: {error}"))?;
        Ok(Self::of(&update, bot))
    }

    /// Takes an update apart. Total.
    pub fn of(update: &Value, bot: &Bot) -> Self {
        let (kind, body) = kind_of(update);
        let mut said = Self { update: id(update, "update_id"), ..Self::nothing(kind) };
        match &said.kind {
            UpdateKind::CallbackQuery => said.pressed(body, bot),
            UpdateKind::BusinessConnection => {
                said.from = object(body, "user").and_then(person);
                said.at = time(body, "date");
                said.business = business(body);
                said.connection = said.business.as_ref().map(|business| business.id.clone());
            }
            UpdateKind::MyChatMember => {
                said.chat = object(body, "chat").and_then(chat);
                said.from = object(body, "from").and_then(person);
                said.at = time(body, "date");
                said.member = standing(at(body, "new_chat_member"))
                    .map(|to| MemberChange { from: standing(at(body, "old_chat_member")), to });
            }
            UpdateKind::DeletedBusinessMessages => {
                said.chat = object(body, "chat").and_then(chat);
                said.connection = line(body, "business_connection_id", SHORT);
                said.deleted = list(body, "message_ids").iter().take(MOST_DELETED).filter_map(Value::as_i64).collect();
            }
            UpdateKind::Other(_) => {}
            _ => said.wrote(body, bot),
        }
        said.is_private = said.chat.as_ref().is_some_and(|chat| chat.kind == ChatKind::Private);
        said.is_staff = bot.staff_chat.is_some() && said.chat.as_ref().map(|chat| chat.id) == bot.staff_chat;
        said
    }

    fn nothing(kind: UpdateKind) -> Self {
        Self {
            update: None,
            kind,
            chat: None,
            from: None,
            anonymous: false,
            message: None,
            at: None,
            edited_at: None,
            text: String::new(),
            command: None,
            reply_to: None,
            topic: None,
            album: None,
            forwarded: None,
            connection: None,
            by_business_bot: false,
            callback: None,
            member: None,
            migration: None,
            business: None,
            deleted: Vec::new(),
            contact: None,
            is_private: false,
            is_staff: false,
        }
    }

    fn wrote(&mut self, message: &Value, bot: &Bot) {
        self.chat = object(message, "chat").and_then(chat);
        self.from = object(message, "from").and_then(person);
        self.anonymous = at(message, "sender_chat").is_object();
        self.message = id(message, "message_id");
        self.at = time(message, "date");
        self.edited_at = time(message, "edit_date");
        self.text = text_of(message);
        self.command = command(&self.text);
        self.reply_to = object(message, "reply_to_message").and_then(|answered| reply_to(answered, bot));
        self.topic = topic(message);
        self.album = line(message, "media_group_id", SHORT);
        self.forwarded = forwarded(message);
        self.connection = line(message, "business_connection_id", SHORT);
        self.by_business_bot = at(message, "sender_business_bot").is_object();
        self.contact = self.card(message);
        let here = self.chat.as_ref().map(|chat| chat.id);
        let moved = |from: Option<i64>, to: Option<i64>| Some(Migration { from: from?, to: to? });
        self.migration =
            moved(here, id(message, "migrate_to_chat_id")).or_else(|| moved(id(message, "migrate_from_chat_id"), here));
    }

    fn pressed(&mut self, query: &Value, bot: &Bot) {
        self.from = object(query, "from").and_then(person);
        let on = at(query, "message");
        self.chat = object(on, "chat").and_then(chat);
        self.message = id(on, "message_id");
        self.topic = topic(on);
        self.connection = line(on, "business_connection_id", SHORT);
        self.reply_to = object(on, "reply_to_message").and_then(|answered| reply_to(answered, bot));
        let data = line(query, "data", DATA).unwrap_or_default();
        self.callback = line(query, "id", SHORT).map(|id| Callback { id, data });
    }

    fn card(&self, message: &Value) -> Option<SharedContact> {
        let card = object(message, "contact")?;
        let phone = line(card, "phone_number", SHORT)?;
        let sender = self.from.as_ref().filter(|from| !from.is_bot).map(|from| from.id);
        // A card that is passed on proves nothing of whoever passes it on.
        let own = self.forwarded.is_none() && sender.is_some() && id(card, "user_id") == sender;
        let asked = self.reply_to.as_ref().filter(|answered| own && answered.ours).map(|answered| answered.text.clone());
        Some(SharedContact { phone, name: full_name(card), own, asked })
    }

    /// Whether the business account's owner wrote it, not the customer.
    pub fn is_outgoing(&self) -> bool {
        let owner = || Some(self.from.as_ref()?.id != self.chat.as_ref()?.id);
        matches!(self.kind, UpdateKind::BusinessMessage | UpdateKind::EditedBusinessMessage) && owner().unwrap_or(false)
    }

    /// The payload of `/start <payload>` in a private chat; empty for a bare `/start`.
    pub fn start(&self) -> Option<&str> {
        let command = self.command.as_ref().filter(|command| command.name == "start")?;
        self.is_private.then_some(command.argument.as_str())
    }

    /// The code of `/start m_<code>`, by which a manager links an account.
    pub fn link_code(&self) -> Option<&str> {
        self.start()?.strip_prefix(LINK).filter(|code| !code.is_empty())
    }

    /// The key under which the message's activity is amended, see [`external_key`].
    pub fn external_key(&self) -> Option<String> {
        Some(external_key(self.connection.as_deref(), self.chat.as_ref()?.id, self.message?))
    }

    /// The keys of the messages that were deleted.
    pub fn deleted_keys(&self) -> Vec<String> {
        let Some(chat) = &self.chat else { return Vec::new() };
        self.deleted.iter().map(|message| external_key(self.connection.as_deref(), chat.id, *message)).collect()
    }
}

/// What the payload of a link begins with by which managers link their accounts.
pub const LINK: &str = "m_";
/// The scope of references to messages.
pub const MESSAGE: &str = "telegram";

/// The key of a message's activity within its source. Message ids count within a chat with the bot; a business account's chat with the same
/// person counts by itself, so its connection is a part of the key.
pub fn external_key(connection: Option<&str>, chat: i64, message: i64) -> String {
    match connection {
        Some(connection) => format!("business:{connection}:{chat}:{message}"),
        None => format!("{chat}:{message}"),
    }
}

/// What an activity of a message is known by, and what an answer to it refers to. Chats of different bots have the same ids, so the bot is a
/// part of it.
pub fn reference(bot: i64, connection: Option<&str>, chat: i64, message: i64) -> Option<Reference> {
    Reference::new(MESSAGE, &format!("{bot}/{}", external_key(connection, chat, message)))
}

/// Which kind it is, and what it holds: the first member beside its id that is an object.
fn kind_of(update: &Value) -> (UpdateKind, &Value) {
    let members = update.as_object().map(|members| members.iter()).into_iter().flatten();
    let held = members.filter(|(key, _)| *key != "update_id");
    let mut other = None;
    for (key, body) in held {
        let kind = match key.as_str() {
            "message" => UpdateKind::Message,
            "edited_message" => UpdateKind::EditedMessage,
            "channel_post" | "edited_channel_post" => UpdateKind::ChannelPost,
            "business_connection" => UpdateKind::BusinessConnection,
            "business_message" => UpdateKind::BusinessMessage,
            "edited_business_message" => UpdateKind::EditedBusinessMessage,
            "deleted_business_messages" => UpdateKind::DeletedBusinessMessages,
            "callback_query" => UpdateKind::CallbackQuery,
            "my_chat_member" => UpdateKind::MyChatMember,
            _ => {
                other = other.or_else(|| one_line(key, SHORT));
                continue;
            }
        };
        if body.is_object() {
            return (kind, body);
        }
        other = other.or_else(|| one_line(key, SHORT));
    }
    (UpdateKind::Other(other.unwrap_or_default()), update)
}

fn chat(value: &Value) -> Option<Chat> {
    let kind = match at(value, "type").as_str() {
        Some("private") => ChatKind::Private,
        Some("group" | "supergroup") => ChatKind::Group,
        Some("channel") => ChatKind::Channel,
        _ => ChatKind::Other,
    };
    let title = line(value, "title", SHORT).unwrap_or_else(|| full_name(value));
    Some(Chat { id: id(value, "id")?, kind, title, username: line(value, "username", SHORT) })
}

pub(super) fn person(value: &Value) -> Option<Person> {
    Some(Person {
        id: id(value, "id")?,
        is_bot: yes(value, "is_bot"),
        name: full_name(value),
        first_name: line(value, "first_name", SHORT).unwrap_or_default(),
        username: line(value, "username", SHORT),
        language: line(value, "language_code", 40),
    })
}

fn full_name(value: &Value) -> String {
    let names = ["first_name", "last_name"].map(|key| line(value, key, SHORT));
    names.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The text or the caption, at most [`TEXT`] bytes of it.
fn text_of(message: &Value) -> String {
    let typed = ["text", "caption"].into_iter().find_map(|key| super::look::text(message, key)).unwrap_or_default();
    text::clean(text::cut(typed, TEXT)).into_owned()
}

/// A command is 1 to 32 letters of `a-z0-9_` (<https://core.telegram.org/bots/features#commands>).
fn command(text: &str) -> Option<Command> {
    let rest = text.strip_prefix('/')?;
    let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (name, of) = word.split_once('@').map_or((word, None), |(name, of)| (name, Some(of.to_ascii_lowercase())));
    let fits = (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| Command { name: name.to_ascii_lowercase(), of, argument: argument.trim().to_owned() })
}

fn reply_to(answered: &Value, bot: &Bot) -> Option<ReplyTo> {
    let ours = object(answered, "from").and_then(|from| id(from, "id")) == Some(bot.id);
    // A topic's first message stands for the topic in whatever is written there.
    let opens_topic = at(answered, "forum_topic_created").is_object();
    (!opens_topic).then_some(())?;
    Some(ReplyTo { message: id(answered, "message_id")?, ours, text: text_of(answered) })
}

fn topic(message: &Value) -> Option<i64> {
    // Of answers in ordinary groups the thread is no topic.
    id(message, "message_thread_id").filter(|_| yes(message, "is_topic_message"))
}

/// `forward_origin`, and what stood for it before Bot API 7.0.
fn forwarded(message: &Value) -> Option<String> {
    let name = |value: &Value| {
        let name = line(value, "title", SHORT).unwrap_or_else(|| full_name(value));
        let username = line(value, "username", SHORT).map(|username| format!("@{username}"));
        Some(name).filter(|name| !name.is_empty()).or(username)
    };
    let of = |value: &Value, key: &str| object(value, key).and_then(name);
    if let Some(origin) = object(message, "forward_origin") {
        let shown = of(origin, "sender_user")
            .or_else(|| line(origin, "sender_user_name", SHORT))
            .or_else(|| of(origin, "sender_chat"))
            .or_else(|| of(origin, "chat"));
        return Some(shown.unwrap_or_else(|| "?".to_owned()));
    }
    of(message, "forward_from")
        .or_else(|| line(message, "forward_sender_name", SHORT))
        .or_else(|| of(message, "forward_from_chat"))
}

fn standing(member: &Value) -> Option<Standing> {
    match at(member, "status").as_str()? {
        "creator" | "administrator" | "member" => Some(Standing::In),
        "restricted" => {
            Some(if at(member, "is_member").as_bool() == Some(false) { Standing::Left } else { Standing::Restricted })
        }
        "left" => Some(Standing::Left),
        "kicked" => Some(Standing::Out),
        _ => None,
    }
}

fn business(body: &Value) -> Option<BusinessConnection> {
    Some(BusinessConnection {
        id: line(body, "id", SHORT)?,
        user: object(body, "user").and_then(|user| id(user, "id"))?,
        user_chat: id(body, "user_chat_id"),
        is_enabled: yes(body, "is_enabled"),
        // Bot API 9.0 put it among the rights.
        can_reply: yes(body, "can_reply") || yes(at(body, "rights"), "can_reply"),
    })
}
