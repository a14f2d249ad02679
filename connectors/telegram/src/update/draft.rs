//! An update as a draft: what it is worth is said here, nothing is decided.

use leadgate_core::chat::ChatFacts;
use leadgate_core::submission::{ActivityKind, Consent, Draft, Field, Handle, Purpose};
use serde_json::Value;

use super::content::Content;
use super::look::{at, id, list, object, one_line};
use super::said::{Bot, ChatKind, Person, Said, UpdateKind, reference};
use crate::settings::Groups;

/// What a draft is made by.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub bot: &'a Bot,
    pub groups: &'a Groups,
    /// The wording of the consent that the dialogue asks for.
    pub consent: Option<&'a str>,
    /// Bytes of a file that is fetched.
    pub largest: u64,
}

/// A draft, and what is to become of it.
pub(super) struct Drafted {
    pub draft: Draft,
    pub purpose: Purpose,
}

impl Drafted {
    fn note(follow_up: bool) -> Self {
        let draft = Draft { activity: ActivityKind::Message, follow_up, ..Draft::default() };
        Self { draft, purpose: Purpose::Note }
    }
}

/// Makes the draft of an update.
pub(super) fn draft(said: &Said, update: &Value, by: By<'_>) -> Drafted {
    let key = match said.kind {
        UpdateKind::Message => "message",
        UpdateKind::EditedMessage => "edited_message",
        UpdateKind::BusinessMessage => "business_message",
        UpdateKind::EditedBusinessMessage => "edited_business_message",
        UpdateKind::ChannelPost | UpdateKind::Other(_) => return Drafted::note(false),
        UpdateKind::BusinessConnection
        | UpdateKind::DeletedBusinessMessages
        | UpdateKind::CallbackQuery
        | UpdateKind::MyChatMember => return Drafted::note(true),
    };
    let Some(message) = object(update, key) else { return Drafted::note(false) };
    if said.migration.is_some() {
        return Drafted::note(true);
    }
    let (Some(chat), Some(_)) = (&said.chat, said.message) else { return Drafted::note(false) };
    if said.is_staff {
        return Drafted::note(true);
    }
    let Some(person) = said.from.as_ref().filter(|from| !from.is_bot && !said.anonymous) else { return Drafted::note(false) };
    match chat.kind {
        // Some other bot's words, or our own come back.
        ChatKind::Private if said.by_business_bot => Drafted::note(false),
        ChatKind::Private => private(said, message, person, by),
        ChatKind::Group if is_meant(said, message, chat.id, by) => spoken(said, message, person, by),
        // A staff group that has become a supergroup is known to the server alone, by what it was before.
        ChatKind::Group => Drafted::note(by.bot.staff_chat.is_some_and(is_basic_group)),
        ChatKind::Channel | ChatKind::Other => Drafted::note(false),
    }
}

/// Groups that may still become supergroups. Those of supergroups and channels begin with -100 (<https://core.telegram.org/api/bots/ids>).
fn is_basic_group(chat: i64) -> bool {
    (-999_999_999_999..0).contains(&chat)
}

fn private(said: &Said, message: &Value, person: &Person, by: By<'_>) -> Drafted {
    // Both are for the bot, and no enquiry: it greets, links an account, or says no more.
    let stops = || said.command.as_ref().is_some_and(|command| command.name == "stop");
    if said.connection.is_none() && (said.start() == Some("") || said.link_code().is_some() || stops()) {
        return Drafted::note(true);
    }
    spoken(said, message, person, by)
}

/// Somebody says something to the company; or (in a business account's chat) the company to somebody.
fn spoken(said: &Said, message: &Value, person: &Person, by: By<'_>) -> Drafted {
    let content = Content::of(message, said, by.largest);
    let outgoing = said.is_outgoing();
    let payload = said.start().filter(|_| said.connection.is_none() && !outgoing);
    let text = said.text.trim();
    if content.service && content.is_empty() && text.is_empty() {
        return Drafted::note(false);
    }
    let mut draft = Draft {
        activity: ActivityKind::Message,
        message: Some(text.to_owned()).filter(|text| !text.is_empty() && payload.is_none()),
        phones: if outgoing { Vec::new() } else { content.phones },
        emails: if outgoing { Vec::new() } else { content.emails },
        fields: content.fields,
        offered: content.files,
        external_key: said.external_key(),
        chat: Some(Box::new(facts(said))),
        outgoing,
        follow_up: !outgoing,
        ..Draft::default()
    };
    if let Some(album) = said.album.as_deref() {
        let chat = said.chat.as_ref().map_or(0, |chat| chat.id);
        let connection = said.connection.as_deref().map(|id| format!("{id}:")).unwrap_or_default();
        draft.external_key = Some(format!("album:{connection}{chat}:{album}"));
        draft.gathers = true;
    }
    if let Some(payload) = payload {
        if is_payload(payload) {
            draft.campaign = Some(payload.to_owned());
        } else if let Some(value) = one_line(payload, 200) {
            draft.fields.push(Field { name: "start".to_owned(), value });
        }
    }
    whose(&mut draft, message, person, outgoing);
    links(&mut draft, said, by.bot);
    consent(&mut draft, said, by);
    Drafted { draft, purpose: Purpose::Lead }
}

/// 1 to 64 of `A-Z a-z 0-9 _ -` (<https://core.telegram.org/bots/features#deep-linking>).
fn is_payload(payload: &str) -> bool {
    (1..=64).contains(&payload.len()) && payload.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Whom it is of: the customer who wrote it, or to whom it was written.
fn whose(draft: &mut Draft, message: &Value, person: &Person, outgoing: bool) {
    if outgoing {
        let chat = object(message, "chat").and_then(super::said::person);
        draft.handles.extend(chat.map(|customer| handle(&customer)));
        return;
    }
    draft.handles.push(handle(person));
    draft.name = Some(person.name.clone()).filter(|name| !name.is_empty());
    draft.language.clone_from(&person.language);
}

fn handle(person: &Person) -> Handle {
    let username = person.username.as_ref().map(|username| format!("@{username}"));
    let display = username.or_else(|| Some(person.name.clone()).filter(|name| !name.is_empty()));
    let value = person.id.to_string();
    Handle { kind: KIND.to_owned(), display: display.unwrap_or_else(|| value.clone()), value, proven: true }
}

/// The kind of identity that a user's id is.
pub(super) const KIND: &str = "telegram";

/// What it is known by, and what it answers: the latter only where every message is of the same customer.
fn links(draft: &mut Draft, said: &Said, bot: &Bot) {
    let (Some(chat), Some(message)) = (&said.chat, said.message) else { return };
    let connection = said.connection.as_deref();
    draft.known_as.extend(reference(bot.id, connection, chat.id, message));
    if let Some(answered) = said.reply_to.as_ref().filter(|_| said.is_private) {
        draft.refers_to.extend(reference(bot.id, connection, chat.id, answered.message));
    }
}

fn facts(said: &Said) -> ChatFacts {
    let chat = said.chat.as_ref();
    ChatFacts {
        chat: chat.map(|chat| chat.id.to_string()).unwrap_or_default(),
        message: said.message.map(|message| message.to_string()).unwrap_or_default(),
        connection: said.connection.clone(),
        reply_to: said.reply_to.as_ref().map(|answered| answered.message.to_string()),
        forwarded: said.forwarded.clone(),
        edited_at: said.edited_at,
        deleted_at: None,
        group: chat.filter(|chat| chat.kind == ChatKind::Group).map(|chat| chat.title.clone()),
    }
}

/// The phone shared by the button below the wording of the consent: what was read before is told by the message it answers.
fn consent(draft: &mut Draft, said: &Said, by: By<'_>) {
    let asked = said.contact.as_ref().and_then(|card| card.asked.as_deref());
    let (Some(asked), Some(wording), Some(at)) = (asked, by.consent, said.at) else { return };
    // How it is broken into lines may have changed on the way there and back.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words(asked).contains(&words(wording)) {
        draft.consents.push(Consent {
            field: format!("telegram update {}", said.update.unwrap_or_default()),
            text: asked.to_owned(),
            given: true,
            at,
            page: None,
            address: None,
        });
    }
}

/// Whether something said in a group is meant for the bot, or everything said there is.
fn is_meant(said: &Said, message: &Value, chat: i64, by: By<'_>) -> bool {
    match by.groups {
        Groups::Off => false,
        Groups::These(chats) => chats.contains(&chat),
        Groups::Addressed => is_addressed(said, message, by.bot),
    }
}

fn is_addressed(said: &Said, message: &Value, bot: &Bot) -> bool {
    let is_us = |name: &str| match &bot.username {
        Some(username) => name.eq_ignore_ascii_case(username),
        // Every bot's name ends so, and others' commands do not reach a bot.
        None => name.to_ascii_lowercase().ends_with("bot"),
    };
    if said.reply_to.as_ref().is_some_and(|answered| answered.ours) {
        return true;
    }
    if said.command.as_ref().and_then(|command| command.of.as_deref()).is_some_and(is_us) {
        return true;
    }
    let entities = list(message, "entities").iter().chain(list(message, "caption_entities")).take(100);
    let by_id = entities.filter_map(|entity| id(at(entity, "user"), "id")).any(|user| user == bot.id);
    let mention = |word: &str| {
        let name = word.trim_start_matches('@').trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        word.starts_with('@') && is_us(name)
    };
    by_id || said.text.split_whitespace().take(1_000).any(mention)
}
