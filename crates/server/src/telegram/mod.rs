//! What bots do beside bringing leads: they talk with customers, tell managers, and act on what managers say and press.
//!
//! An update is recorded like any delivery; whatever follows from it is owed to a target in the same transaction and done here. So
//! nothing is lost whatever stops in between, and all of it may be done once more: what is written has ids that follow from the
//! delivery, so that it is written once; what is said may be said twice, if a gateway dies between saying it and noting that.

mod buttons;
mod chats;
mod customers;
mod files;
mod links;
mod notices;
mod received;
mod replies;
mod staff;
mod words;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::SignedDuration;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{Recipient, event};
use leadgate_core::ports::{Act, Deliver, DeliverError, Delivered, Parcel, Store};
use leadgate_telegram::api::{Api, ApiError};
use leadgate_telegram::settings::Settings;
use leadgate_telegram::update::Bot;

pub use self::links::{CampaignLink, Code, Names, Wanted, code, make};
use crate::answers::event_of;
use crate::app::{Gateway, Live};
use crate::config::{bot_target, files_target};
use crate::onward::files::trouble;
use crate::onward::{self, Target};

/// The kind of identity that accounts are.
pub const KIND: &str = "telegram";
/// What is said may be that late, and no later.
const SAID_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Files are handed out for a long time; the service's trouble lasts shorter.
const FETCHED_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 7);
/// A delivery may take a text of many messages, each of which may take some time.
const LONGEST: Duration = Duration::from_mins(3);
/// A large file takes longer.
const LONGEST_FETCH: Duration = Duration::from_mins(6);
/// Deliveries under way at most; the service takes some 30 messages a second.
const AT_ONCE: usize = 16;
/// Files under way at most.
const FILES_AT_ONCE: usize = 4;

/// The targets of the bots. One that cannot be made is told of in the log, and what it is owed waits.
pub fn targets(gateway: &Arc<Gateway>, live: &Arc<Live>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (source, settings) in &live.onward.bots {
        let desk = match Desk::new(gateway, live, source, settings) {
            Ok(desk) => Arc::new(desk),
            Err(error) => {
                tracing::error!(%error, %source, "the bot cannot be asked for anything");
                continue;
            }
        };
        targets.push(Target {
            name: bot_target(source),
            deliver: Arc::new(Speaking(Arc::clone(&desk))),
            // What follows from updates is, see the routes.
            ordered: false,
            at_once: AT_ONCE,
            longest: LONGEST,
            give_up_after: SAID_WITHIN,
        });
        targets.push(Target {
            name: files_target(source),
            deliver: Arc::new(Fetching(desk)),
            ordered: false,
            at_once: FILES_AT_ONCE,
            longest: LONGEST_FETCH,
            give_up_after: FETCHED_WITHIN,
        });
    }
    targets
}

/// A bot's name without the `@`, asked for now.
async fn ask_name(settings: &Settings) -> Option<String> {
    let me = match Api::new(settings) {
        Ok(api) => api.get_me().await,
        Err(error) => Err(error),
    };
    match me {
        Ok(me) => me.username,
        Err(error) => {
            tracing::warn!(%error, "a bot's name cannot be asked for");
            None
        }
    }
}

/// A bot at work.
struct Desk {
    gateway: Arc<Gateway>,
    live: Arc<Live>,
    source: SourceId,
    settings: Arc<Settings>,
    api: Api,
    /// Which groups have topics, and when that was asked. Held while a topic is made, so that a lead gets one.
    forums: tokio::sync::Mutex<HashMap<i64, (bool, Instant)>>,
}

/// Delivers what is said by a bot, and does what its updates ask for.
struct Speaking(Arc<Desk>);

/// Fetches the files of a bot's messages.
struct Fetching(Arc<Desk>);

#[async_trait]
impl Deliver for Speaking {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        match &parcel.job.recipient {
            Recipient::Target if parcel.job.name == event::MESSAGE_RECEIVED => self.0.received(parcel).await,
            Recipient::Reply => self.0.reply(parcel).await,
            Recipient::Manager(_) | Recipient::Responsible | Recipient::Chat(_) => self.0.notice(parcel).await,
            _ => Ok(done("nothing is to be said")),
        }
    }
}

#[async_trait]
impl Deliver for Fetching {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        onward::files::fetch(&self.0.gateway, parcel, &*self.0).await
    }
}

impl Desk {
    fn new(gateway: &Arc<Gateway>, live: &Arc<Live>, source: &SourceId, settings: &Arc<Settings>) -> Result<Self, ApiError> {
        Ok(Self {
            gateway: Arc::clone(gateway),
            live: Arc::clone(live),
            source: source.clone(),
            settings: Arc::clone(settings),
            api: Api::new(settings)?,
            forums: tokio::sync::Mutex::default(),
        })
    }

    async fn store(&self) -> Result<&dyn Store, DeliverError> {
        onward::files::store(&self.gateway).await
    }

    /// The bot, with the company's group as it is called now.
    async fn bot(&self) -> Result<Bot, DeliverError> {
        let staff_chat = match self.settings.staff_chat {
            Some(chat) => Some(self.now_at(chat).await?),
            None => None,
        };
        Ok(Bot { id: self.settings.bot(), username: self.settings.username.clone(), staff_chat })
    }

    /// Somebody's deed that follows from a delivery: at every attempt the same.
    fn act(&self, parcel: &Parcel, what: &str, actor: String) -> Act {
        let routes = Arc::clone(&self.live.rules.routes);
        Act { actor, at: parcel.job.at, event: event_of(parcel, what), routes }
    }

    /// The scope of the ids that messages of a chat have, see [`Delivered::refs`].
    fn scope(&self, chat: i64) -> String {
        format!("{}:{chat}", bot_target(&self.source))
    }
}

/// It is done, or nothing is to be done.
fn done(words: &str) -> Delivered {
    Delivered { refs: Vec::new(), words: words.to_owned() }
}

/// Why something was not said. What holds for a chat, or for a while, is that delivery's trouble alone.
fn unsaid(error: &ApiError) -> DeliverError {
    let words = error.to_string();
    match error {
        ApiError::TooMany(after) => DeliverError::Later { words, after: Some(*after) },
        ApiError::Unavailable(_) | ApiError::Unauthorized(_) => DeliverError::Unavailable { words, after: None },
        _ if error.may_pass() => DeliverError::Later { words, after: None },
        _ => DeliverError::Refused { words },
    }
}
