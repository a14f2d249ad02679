//! What the bot says by itself: a greeting, a few questions, thanks. A pure function of how the talk stands and what was said.
//!
//! It only asks. What the customer says is an activity before the dialogue hears of it, so nothing is lost whenever they leave it; and whatever
//! they write is taken for an answer.
//!
//! How a talk stands is JSON that only this module reads.

mod words;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::language::Language;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Keyboard, Message, text};
use crate::settings::{Dialogue, Question, Settings};
use crate::update::{Said, UpdateKind};

/// After so long an unfinished dialogue is over.
const LASTS: SignedDuration = SignedDuration::from_hours(24);
/// Outside working hours that is said so often.
const AWAY_AGAIN: SignedDuration = SignedDuration::from_hours(12);
/// What was written before a question could be read is no answer to it.
const TO_READ: SignedDuration = SignedDuration::from_secs(2);

/// Something to say, to the chat in which it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// In Telegram's HTML.
    pub html: String,
    /// What is below it.
    pub keyboard: Keyboard,
}

impl Say {
    /// As a message to a chat.
    pub fn message(self, chat: i64) -> Message {
        Message { keyboard: self.keyboard, ..Message::new(chat, self.html) }
    }
}

/// How a talk stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Talk {
    /// What was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Question>,
    /// What is not asked any more, for it was said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    known: Vec<Question>,
    /// The customer was greeted.
    greeted: bool,
    /// The customer wants to hear nothing.
    stopped: bool,
    /// When the bot spoke last, in seconds since 1970.
    spoke_at: i64,
    /// When it said last that nobody is there.
    away_at: i64,
    /// What was heard last: an update that comes again is not answered again.
    update: i64,
    /// The album that was heard last.
    #[serde(skip_serializing_if = "Option::is_none")]
    album: Option<String>,
    /// What the customer agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<Given>,
}

/// The evidence of a consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    /// Which wording.
    version: String,
    /// When, in seconds since 1970.
    at: i64,
    /// By which update.
    update: i64,
}

/// What follows from something that was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Next {
    /// How the talk stands then.
    pub state: Value,
    /// What is said.
    pub says: Vec<Say>,
    /// What the customer says they are called, as typed.
    pub name: Option<String>,
}

/// What is said next, and how the talk stands then. `state` is that of the last [`Next`], or null; anything else is taken for null.
///
/// Only a person's own new messages in a private chat are answered: in business chats and groups the bot does not speak by itself. Above what a
/// person reads, and after `/stop`, it says nothing.
pub fn next(state: Value, said: &Said, settings: &Settings, now: Timestamp, is_open: bool) -> Next {
    let Some(dialogue) = settings.dialogue.as_ref().filter(|_| is_heard(said)) else { return Next { state, ..Next::default() } };
    let before: Talk = serde_json::from_value(state).unwrap_or_default();
    let mut turn =
        Turn { talk: before, said, dialogue, language: language(said, settings), now, is_open, says: Vec::new(), name: None };
    if said.update.is_none_or(|update| update != turn.talk.update) {
        turn.talk.update = said.update.unwrap_or_default();
        turn.take();
    }
    let state = serde_json::to_value(&turn.talk).unwrap_or_default();
    Next { state, says: turn.says, name: turn.name }
}

fn is_heard(said: &Said) -> bool {
    let by_person = said.from.as_ref().is_some_and(|from| !from.is_bot) && !said.anonymous;
    said.kind == UpdateKind::Message && said.is_private && said.connection.is_none() && by_person && said.link_code().is_none()
}

fn language(said: &Said, settings: &Settings) -> Language {
    let set = settings.dialogue.as_ref().and_then(|dialogue| dialogue.language);
    let theirs = said.from.as_ref().and_then(|from| from.language.as_deref()).and_then(|tag| match tag.get(..2) {
        Some("ru" | "be" | "kk" | "uk") => Some(Language::Ru),
        Some("en") => Some(Language::En),
        _ => None,
    });
    set.or(theirs).unwrap_or(settings.language)
}

struct Turn<'a> {
    talk: Talk,
    said: &'a Said,
    dialogue: &'a Dialogue,
    language: Language,
    now: Timestamp,
    is_open: bool,
    says: Vec<Say>,
    name: Option<String>,
}

impl Turn<'_> {
    fn take(&mut self) {
        let command = self.said.command.as_ref().map(|command| command.name.as_str());
        if command == Some("stop") {
            return self.stop();
        }
        if command == Some("start") {
            let soon = self.talk.greeted && !self.talk.stopped && self.since(self.talk.spoke_at) < TO_READ;
            if !soon {
                let kept = (self.talk.consent.take(), self.talk.update);
                self.talk = Talk { consent: kept.0, update: kept.1, ..Talk::default() };
                self.greet();
            }
            return;
        }
        if self.talk.stopped || self.is_of_same_album() {
            return;
        }
        self.consent();
        if self.talk.asked.is_some() && self.since(self.talk.spoke_at) > LASTS {
            // Nobody is reminded of a question of yesterday.
            self.talk.asked = None;
        }
        match self.talk.asked {
            _ if !self.talk.greeted => {
                self.heard();
                self.greet();
            }
            Some(asked) if self.could_be_read() => {
                self.heard();
                if asked == Question::Name && self.said.command.is_none() && self.said.forwarded.is_none() {
                    self.name = words::own_name(&self.said.text);
                }
                self.know(asked);
                self.ask();
            }
            // What comes in one breath is heard, and changes nothing of what is asked.
            Some(_) => self.heard(),
            None => self.away(),
        }
    }

    /// The bot speaks no more; that is said once.
    fn stop(&mut self) {
        if !self.talk.stopped {
            self.talk.stopped = true;
            self.talk.asked = None;
            self.say(text::escape(words::stopped(self.language)), Keyboard::Remove);
        }
    }

    fn greet(&mut self) {
        self.talk.greeted = true;
        let greeting = self.dialogue.greeting.as_deref().unwrap_or_else(|| words::greeting(self.language));
        let mut first = text::escape(greeting);
        if !self.is_open {
            self.talk.away_at = self.now.as_second();
            let away = self.dialogue.away.as_deref().unwrap_or_else(|| words::away(self.language));
            first = format!("{first}\n\n{}", text::escape(away));
        }
        self.say(first, Keyboard::Nothing);
        self.ask();
    }

    /// Asks what is not known yet; if nothing is, thanks.
    fn ask(&mut self) {
        let next = self.dialogue.ask.iter().find(|question| !self.talk.known.contains(question)).copied();
        let asked_before = self.talk.asked.is_some();
        self.talk.asked = next;
        match next {
            Some(Question::Phone) => {
                let wording = self.dialogue.consent.as_ref().map(|consent| format!("\n\n{}", text::escape(consent.text.trim())));
                let html = format!("{}{}", text::escape(words::phone(self.language)), wording.unwrap_or_default());
                let others = vec![words::skip(self.language).to_owned()];
                self.say(html, Keyboard::Phone { share: words::share(self.language).to_owned(), others });
            }
            Some(Question::Name) => self.say(text::escape(words::name(self.language)), Keyboard::Remove),
            Some(Question::About) => self.say(text::escape(words::about(self.language)), Keyboard::Remove),
            None if asked_before => {
                let thanks = self.dialogue.thanks.as_deref().unwrap_or_else(|| words::thanks(self.language));
                self.say(text::escape(thanks), Keyboard::Remove);
            }
            None => {}
        }
    }

    /// What was said tells more than what was asked.
    fn heard(&mut self) {
        let has_text = !self.said.text.trim().is_empty() && self.said.command.is_none();
        let shared = self.said.contact.as_ref().is_some_and(|card| card.own);
        if shared || (has_text && words::is_phone(&self.said.text)) {
            self.know(Question::Phone);
        } else if has_text && !words::is_skip(&self.said.text) && self.talk.asked != Some(Question::Name) {
            self.know(Question::About);
        }
    }

    fn know(&mut self, question: Question) {
        if !self.talk.known.contains(&question) {
            self.talk.known.push(question);
        }
    }

    /// The phone was shared by the button below the wording.
    fn consent(&mut self) {
        let shared = self.said.contact.as_ref().is_some_and(|card| card.own);
        let Some(consent) = self.dialogue.consent.as_ref().filter(|_| shared && self.talk.asked == Some(Question::Phone)) else {
            return;
        };
        let at = self.said.at.unwrap_or(self.now).as_second();
        self.talk.consent = Some(Given { version: consent.version.clone(), at, update: self.talk.update });
    }

    /// Nobody is there: it is said now and then, to whoever writes later.
    fn away(&mut self) {
        if !self.is_open && self.since(self.talk.away_at) > AWAY_AGAIN {
            self.talk.away_at = self.now.as_second();
            let away = self.dialogue.away.as_deref().unwrap_or_else(|| words::away(self.language));
            self.say(text::escape(away), Keyboard::Nothing);
        }
    }

    fn is_of_same_album(&mut self) -> bool {
        let same = self.said.album.is_some() && self.said.album == self.talk.album;
        self.talk.album.clone_from(&self.said.album);
        same
    }

    /// Whether it was written when the last question could have been read. A shared contact, or a button's text, always was.
    fn could_be_read(&self) -> bool {
        let pressed = self.said.contact.is_some() || words::is_skip(&self.said.text);
        let written = self.said.at.unwrap_or(self.now).as_second();
        pressed || written >= self.talk.spoke_at.saturating_add(TO_READ.as_secs())
    }

    fn since(&self, second: i64) -> SignedDuration {
        SignedDuration::from_secs(self.now.as_second().saturating_sub(second))
    }

    fn say(&mut self, html: String, keyboard: Keyboard) {
        self.talk.spoke_at = self.now.as_second();
        self.says.push(Say { html, keyboard });
    }
}

#[cfg(test)]
mod tests;
