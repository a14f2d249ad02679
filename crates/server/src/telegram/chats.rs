//! How chats stand: where the bot may not write, and groups that have become others.

use jiff::Timestamp;
use leadgate_core::onward::{Alarm, Detail, event};
use leadgate_core::ports::{ChatState, DeliverError};
use leadgate_telegram::api::{ApiError, Message};

use super::words::Words;
use super::{Desk, trouble, unsaid};
use crate::config::bot_target;

/// How often a lost race is run again.
const MOST_RACES: u32 = 5;
/// A group that became another may become one again; no more often.
const MOST_MOVES: u32 = 4;

impl Desk {
    /// How a chat stands.
    pub(super) async fn chat(&self, chat: i64) -> Result<ChatState, DeliverError> {
        self.store().await?.chat(&self.source, &chat.to_string()).await.map_err(|error| trouble(&error))
    }

    /// What a chat is called now.
    pub(super) async fn now_at(&self, mut chat: i64) -> Result<i64, DeliverError> {
        for _ in 0..MOST_MOVES {
            let moved = self.chat(chat).await?.moved_to.and_then(|to| to.parse().ok());
            match moved {
                Some(to) => chat = to,
                None => break,
            }
        }
        Ok(chat)
    }

    /// Changes how a chat stands; nothing is written where nothing changes.
    pub(super) async fn keep(&self, chat: i64, change: impl Fn(&mut ChatState)) -> Result<(), DeliverError> {
        let (store, id) = (self.store().await?, chat.to_string());
        for _ in 0..MOST_RACES {
            let before = store.chat(&self.source, &id).await.map_err(|error| trouble(&error))?;
            let mut state = before.clone();
            change(&mut state);
            if state == before {
                return Ok(());
            }
            state.version += 1;
            state.changed_at = Some(self.gateway.clock.now());
            if store.keep_chat(&self.source, &id, state).await.map_err(|error| trouble(&error))? {
                return Ok(());
            }
        }
        Err(DeliverError::Later { words: "others change this chat all the time".to_owned(), after: None })
    }

    /// The bot may write there, or may not since then.
    pub(super) async fn opened(&self, chat: i64, closed_at: Option<Timestamp>) -> Result<(), DeliverError> {
        self.keep(chat, |state| state.closed_at = closed_at).await?;
        if self.is_ours(chat) { self.tell_of_group(chat, closed_at).await } else { Ok(()) }
    }

    /// A group has become another.
    pub(super) async fn moved(&self, from: i64, to: i64) -> Result<(), DeliverError> {
        if from == to {
            return Ok(());
        }
        tracing::warn!(source = %self.source, from, to, "a group became a supergroup: write its new id into the configuration");
        self.keep(from, |state| state.moved_to = Some(to.to_string())).await
    }

    /// Whether a group is the company's own.
    fn is_ours(&self, chat: i64) -> bool {
        self.live.onward.chats(&self.source).contains(&chat)
    }

    /// What the configuration calls a group of the company's, which may have become another since.
    pub(super) async fn configured(&self, chat: i64) -> Result<Option<i64>, DeliverError> {
        for ours in self.live.onward.chats(&self.source) {
            if ours == chat || self.now_at(ours).await? == chat {
                return Ok(Some(ours));
            }
        }
        Ok(None)
    }

    /// Managers hear nothing in a group the bot was put out of: that is an alarm.
    async fn tell_of_group(&self, chat: i64, closed_at: Option<Timestamp>) -> Result<(), DeliverError> {
        let (store, now, routes) = (self.store().await?, self.gateway.clock.now(), &self.live.rules.routes);
        let key = self.scope(chat);
        let detail = Detail { target: Some(bot_target(&self.source)), ..Detail::default() };
        let told = match closed_at {
            None => {
                let news = self.gateway.news(event::WEBHOOK_RECOVERED, None, detail, now, routes);
                store.clear(event::WEBHOOK_BROKEN, &key, Some(news)).await
            }
            Some(since) => {
                let words = Words::of(self.live.language).not_in_group(chat);
                let detail = Detail { since: Some(since), words, ..detail };
                let news = self.gateway.news(event::WEBHOOK_BROKEN, None, detail.clone(), now, routes);
                store.raise(Alarm { name: event::WEBHOOK_BROKEN, key, since, detail }, news).await
            }
        };
        told.map(|_| ()).map_err(|error| trouble(&error))
    }

    /// Sends a message; its id, and the chat it came to. A group that has become another is followed there, and what says that the
    /// bot may not write any more is kept.
    pub(super) async fn say(&self, message: &Message) -> Result<(i64, i64), DeliverError> {
        self.try_to_say(message).await?.map_err(|error| unsaid(&error))
    }

    /// The same, for whoever looks at why it was not said.
    pub(super) async fn try_to_say(&self, message: &Message) -> Result<Result<(i64, i64), ApiError>, DeliverError> {
        let mut message = message.clone();
        for _ in 0..MOST_MOVES {
            match self.api.send_message(&message).await {
                Ok(id) => return Ok(Ok((message.chat, id))),
                Err(ApiError::Migrated(to)) => {
                    self.moved(message.chat, to).await?;
                    message.chat = to;
                    // Topics and messages are counted anew there.
                    (message.topic, message.reply_to) = (None, None);
                }
                Err(error) => {
                    if error.closes_chat() {
                        self.opened(message.chat, Some(self.gateway.clock.now())).await?;
                    }
                    return Ok(Err(error));
                }
            }
        }
        Ok(Err(ApiError::Gone("the group moves on and on".to_owned())))
    }
}
