//! What one of us answers a customer by the gateway: by which channel it goes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use leadgate_core::chat::{ChatFacts, SendState, Sending, SentAs};
use leadgate_core::ids::{ActivityId, EventId, LeadId, SourceId};
use leadgate_core::onward::{News, Routes};
use leadgate_core::ports::{Act, DeliverError, NewReply, Parcel, Store, StoreError};
use leadgate_core::rules::Ours;
use leadgate_core::submission::ActivityKind;
use leadgate_core::text;
use leadgate_core::views::{ActivityView, LeadDetail};
use leadgate_outbound::mail;
use leadgate_telegram::settings::Settings as Bot;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{MAIL, bot_target};

/// The longest answer, in bytes.
const LONGEST: usize = 64 << 10;

/// A channel by which customers can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReplyVia)]
pub enum Via {
    /// A message by the bot they wrote to.
    Telegram,
    /// A mail.
    Mail,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Telegram => "telegram",
            Self::Mail => "mail",
        })
    }
}

/// An answer that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplyOnItsWay)]
pub struct OnItsWay {
    /// As what it stands on the timeline, with how it fares.
    pub activity: ActivityId,
    /// By which channel it goes.
    pub via: Via,
}

/// Why an answer cannot be given. The messages are for people.
#[derive(Debug, thiserror::Error)]
pub enum Unanswerable {
    /// There is nothing to send, or too much.
    #[error("{0}")]
    Text(String),
    /// There is no such lead.
    #[error("there is no lead {0}")]
    Missing(LeadId),
    /// The person cannot be reached so.
    #[error("{0}")]
    NoWay(String),
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// By what customers are answered.
#[derive(Clone, Debug)]
pub struct Ways<'a> {
    /// The bots.
    pub bots: &'a BTreeMap<SourceId, Arc<Bot>>,
    /// There is a mail server.
    pub has_mail: bool,
    /// Addresses that are nobody's who writes to us.
    pub ours: &'a Ours,
}

impl Ways<'_> {
    /// Writes an answer on the timeline of a lead and owes it to the customer: by the channel that is asked for, else by the messenger they
    /// wrote by last, else by mail.
    pub async fn answer(
        &self,
        store: &dyn Store,
        id: LeadId,
        typed: &str,
        via: Option<Via>,
        act: Act,
    ) -> Result<OnItsWay, Unanswerable> {
        let text = text::present(typed).ok_or_else(|| Unanswerable::Text("the answer is empty".to_owned()))?;
        if text.len() > LONGEST {
            return Err(Unanswerable::Text(format!("the answer is longer than {LONGEST} bytes")));
        }
        let lead = store.lead(id).await?.ok_or(Unanswerable::Missing(id))?;
        let (via, reply) = self.reply(&lead, text, via)?;
        match store.write_reply(reply, act).await? {
            Ok(activity) => Ok(OnItsWay { activity, via }),
            Err(error) => Err(Unanswerable::NoWay(error.to_string())),
        }
    }

    /// Where an answer goes.
    fn reply(&self, lead: &LeadDetail, text: String, via: Option<Via>) -> Result<(Via, NewReply), Unanswerable> {
        let no_way = |words: &str| Err(Unanswerable::NoWay(format!("lead {}: {words}", lead.lead.id)));
        let reply = |kind, source, chat, target| NewReply {
            lead: Some(lead.lead.id),
            contact: lead.lead.contact,
            text,
            kind,
            source,
            chat,
            target,
        };
        if via != Some(Via::Mail)
            && let Some((source, chat)) = self.chat(lead)
        {
            let target = bot_target(&source);
            return Ok((Via::Telegram, reply(ActivityKind::Message, Some(source), Some(chat), target)));
        }
        if via == Some(Via::Telegram) {
            return no_way("the customer has not written to any of the bots that are configured; leave out via, or write a mail");
        }
        let address = mail::customer_address(lead.person.as_ref(), given(lead), self.ours);
        match (address, self.has_mail) {
            (Some(_), true) => Ok((Via::Mail, reply(ActivityKind::Email, None, None, MAIL.to_owned()))),
            (Some(_), false) => {
                no_way("the customer can only be reached by mail, and there is no [mail]: set it up, or write to them yourself")
            }
            (None, _) => {
                no_way("the customer has neither written to a bot nor left an e-mail address that can be written to: call them")
            }
        }
    }

    /// The chat in which the customer wrote last.
    fn chat(&self, lead: &LeadDetail) -> Option<(SourceId, ChatFacts)> {
        let mut said = lead.timeline.iter().rev().filter(|activity| !activity.content.outgoing);
        said.find_map(|activity| {
            let (source, chat) = (activity.source.as_ref()?, activity.content.chat.as_deref()?);
            self.bots.contains_key(source).then(|| (source.clone(), to(chat)))
        })
    }
}

/// An answer in the chat of a message; in a group it says to which.
pub fn to(said: &ChatFacts) -> ChatFacts {
    ChatFacts {
        chat: said.chat.clone(),
        connection: said.connection.clone(),
        reply_to: said.group.as_ref().map(|_| said.message.clone()),
        group: said.group.clone(),
        ..ChatFacts::default()
    }
}

/// What the customer brought last, which may hold an address of theirs.
fn given(lead: &LeadDetail) -> Option<&ActivityView> {
    lead.timeline.iter().rev().find(|activity| !activity.content.outgoing && activity.source.is_some())
}

/// Keeps that an answer arrived, and as which message.
pub async fn delivered(store: &dyn Store, parcel: &Parcel, sent_as: Option<SentAs>) -> Result<(), StoreError> {
    let Some(activity) = parcel.job.data.activity else { return Ok(()) };
    let sending = Sending { state: SendState::Delivered, at: parcel.now, words: String::new() };
    store.sending(activity, sending, sent_as, None).await
}

/// Keeps that an answer will never arrive, and tells of it. What may arrive yet is still on its way.
pub async fn refused(
    store: &dyn Store,
    parcel: &Parcel,
    source: Option<&SourceId>,
    error: &DeliverError,
    routes: &Arc<Routes>,
) -> Result<(), StoreError> {
    let (Some(activity), DeliverError::Refused { words } | DeliverError::NoRecipient { words }) =
        (parcel.job.data.activity, error)
    else {
        return Ok(());
    };
    let sending = Sending { state: SendState::Failed, at: parcel.now, words: words.clone() };
    let news = News::reply_failed(parcel.job.id, source.cloned(), parcel.job.data.clone(), parcel.now, routes);
    store.sending(activity, sending, None, Some(news)).await
}

/// The id of what follows from a delivery: the same at every attempt, so that nothing follows twice.
pub fn event_of(parcel: &Parcel, what: &str) -> EventId {
    parcel.job.id.event(what)
}
