//! What managers and groups of the company are told by a bot.

use std::time::{Duration, Instant};

use leadgate_core::ids::{LeadId, ManagerId};
use leadgate_core::onward::{EVENTS, Recipient, Subject, alarm_words};
use leadgate_core::ports::{Account, DeliverError, Delivered, Parcel};
use leadgate_core::views::{ActivityView, LeadDetail};
use leadgate_telegram::api::{ApiError, Keyboard, Message, text};

use super::sheet::{self, Sheet};
use super::words::Words;
use super::{Desk, KIND, done, trouble, unsaid};
use crate::config::Language;

/// Whether a group has topics is asked again after this time.
const FORUM_ASKED_EVERY: Duration = Duration::from_mins(10);

/// One who is told.
struct To {
    chat: i64,
    language: Language,
    /// A group of the company's, which may have topics.
    group: bool,
}

impl Desk {
    /// Tells somebody of ours.
    pub(super) async fn notice(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let to = match self.to(parcel).await? {
            Ok(to) => to,
            Err(moot) => return Ok(moot),
        };
        if self.chat(to.chat).await?.closed_at.is_some() {
            return Err(DeliverError::Refused { words: "the bot may not write there: it was blocked, or put out of the group".to_owned() });
        }
        let store = self.store().await?;
        let lead = match parcel.job.data.lead {
            Some(id) => store.lead(id).await.map_err(|error| trouble(&error))?,
            None => None,
        };
        let Some((html, keyboard)) = self.written(parcel, lead.as_ref(), to.language) else {
            return Ok(done("it does not exist any more"));
        };
        let mut message = Message { keyboard, ..Message::new(to.chat, html) };
        let (chat, id) = match lead.as_ref().filter(|_| to.group && self.settings.topics) {
            Some(lead) => self.say_in_topic(&mut message, lead).await?,
            None => self.say(&message).await?,
        };
        let mut refs = vec![(self.scope(chat), id.to_string())];
        // A long text is told whole below the notice.
        for html in lead.as_ref().map(|lead| sheet::whole(activity(lead, parcel))).unwrap_or_default() {
            let part = Message { topic: message.topic, reply_to: Some(id), silent: true, ..Message::new(chat, html) };
            let (chat, id) = self.say(&part).await?;
            refs.push((self.scope(chat), id.to_string()));
        }
        Ok(Delivered { refs, words: String::new() })
    }

    /// What it says.
    fn written(&self, parcel: &Parcel, lead: Option<&LeadDetail>, language: Language) -> Option<(String, Keyboard)> {
        let kind = EVENTS.iter().find(|kind| kind.name == parcel.job.name);
        if kind.is_some_and(|kind| kind.subject == Subject::Operation) {
            let detail = parcel.job.data.detail.clone().unwrap_or_default();
            let words = alarm_words(&parcel.job.name, &detail, language)?;
            let (what, advice) = (text::block(&words.what, 1_000), text::block(&words.advice, 2_000));
            return Some((format!("<b>{what}</b>\n{advice}"), Keyboard::Nothing));
        }
        let words = Words::of(language);
        let Some(lead) = lead else {
            // Of a delivery that waits, or of a person without an open lead.
            let contact = parcel.brief.contact.as_ref().map(|contact| contact.name.clone());
            let of = parcel.job.data.submission.map(|id| id.to_string()).or(contact)?;
            return Some((format!("<b>{}</b>\n{}", sheet::heading(&parcel.job.name, words), text::line(&of, 200)), Keyboard::Nothing));
        };
        let sheet = Sheet { event: &parcel.job.name, lead, activity: activity(lead, parcel), words };
        let name = |id: &str| self.name_of(&ManagerId(id.to_owned()));
        Some((sheet.html(), Keyboard::Inline(sheet::buttons(lead, words, name))))
    }

    /// Whom it goes to now; nobody: why.
    async fn to(&self, parcel: &Parcel) -> Result<Result<To, Delivered>, DeliverError> {
        let responsible = || {
            let lead = parcel.brief.lead.as_ref().and_then(|lead| lead.responsible.clone());
            lead.or_else(|| parcel.brief.contact.as_ref().and_then(|contact| contact.responsible.clone()))
        };
        let manager = match &parcel.job.recipient {
            Recipient::Chat(chat) => {
                let refused = || DeliverError::Refused { words: "the chat's id is none of this messenger".to_owned() };
                let chat = self.now_at(chat.parse().map_err(|_| refused())?).await?;
                return Ok(Ok(To { chat, language: self.live.language, group: true }));
            }
            Recipient::Manager(id) => id.clone(),
            _ => match responsible() {
                Some(id) => id,
                None => return Ok(Err(done("nobody works on it"))),
            },
        };
        self.to_manager(&ManagerId(manager), parcel).await
    }

    async fn to_manager(&self, id: &ManagerId, parcel: &Parcel) -> Result<Result<To, Delivered>, DeliverError> {
        let Some(manager) = self.live.people.iter().find(|manager| manager.id == *id) else {
            return Ok(Err(done("there is no such manager any more")));
        };
        if !manager.by.telegram {
            return Ok(Err(done("the manager is not told by Telegram")));
        }
        let accounts = self.store().await?.accounts().await.map_err(|error| trouble(&error))?;
        let own = accounts.into_iter().filter(|account| account.manager == *id && account.kind == KIND);
        // Of several bots the one tells that they linked last.
        let Some(account) = own.filter(|account| self.live.onward.bots.contains_key(&account.source)).max_by_key(newest) else {
            return Ok(Err(done("the manager has linked no account")));
        };
        if account.source != self.source {
            return Ok(Err(done("another bot tells them")));
        }
        let until = manager.quiet.as_ref().map_or(parcel.now, |quiet| quiet.free_at(parcel.now));
        if until > parcel.now {
            return Err(DeliverError::Quiet { until });
        }
        let chat = account.chat.parse().map_err(|_| DeliverError::Refused { words: "the account has no chat".to_owned() })?;
        Ok(Ok(To { chat, language: manager.language.unwrap_or(self.live.language), group: false }))
    }

    /// Says it in the topic of a lead, which is made where there is none. A group without topics is told as it is.
    async fn say_in_topic(&self, message: &mut Message, lead: &LeadDetail) -> Result<(i64, i64), DeliverError> {
        let mut made_anew = false;
        loop {
            message.topic = self.topic(message.chat, lead).await?;
            match self.try_to_say(message).await? {
                Ok(said) => return Ok(said),
                Err(ApiError::TopicDeleted) if !made_anew => {
                    made_anew = true;
                    self.keep_topic(message.chat, lead.lead.id, None).await?;
                }
                Err(ApiError::TopicClosed) if !made_anew => {
                    made_anew = true;
                    if let Some(topic) = message.topic {
                        self.api.reopen_topic(message.chat, topic).await.map_err(|error| unsaid(&error))?;
                    }
                }
                Err(error) => return Err(unsaid(&error)),
            }
        }
    }

    /// The topic of a lead in a group; `None`: the group has none.
    async fn topic(&self, chat: i64, lead: &LeadDetail) -> Result<Option<i64>, DeliverError> {
        let mut forums = self.forums.lock().await;
        let asked = forums.get(&chat).filter(|(_, at)| at.elapsed() < FORUM_ASKED_EVERY).map(|(forum, _)| *forum);
        let has_topics = match asked {
            Some(forum) => forum,
            None => {
                let forum = self.api.get_chat(chat).await.is_ok_and(|chat| chat.is_forum);
                forums.insert(chat, (forum, Instant::now()));
                forum
            }
        };
        if !has_topics {
            return Ok(None);
        }
        let known = self.store().await?.topic(&self.source, &chat.to_string(), lead.lead.id).await;
        if let Some(topic) = known.map_err(|error| trouble(&error))? {
            return Ok(topic.parse().ok());
        }
        match self.api.create_topic(chat, &sheet::topic_name(lead)).await {
            Ok(topic) => {
                self.keep_topic(chat, lead.lead.id, Some(topic)).await?;
                Ok(Some(topic))
            }
            Err(error) if error.may_pass() || matches!(error, ApiError::Unauthorized(_)) => Err(unsaid(&error)),
            Err(error) => {
                tracing::warn!(%error, source = %self.source, chat, "topics cannot be made there: let the bot manage topics");
                forums.insert(chat, (false, Instant::now()));
                Ok(None)
            }
        }
    }

    async fn keep_topic(&self, chat: i64, lead: LeadId, topic: Option<i64>) -> Result<(), DeliverError> {
        let topic = topic.map(|topic| topic.to_string());
        let kept = self.store().await?.keep_topic(&self.source, &chat.to_string(), lead, topic).await;
        kept.map_err(|error| trouble(&error))
    }
}

/// What happened, as it stands now.
fn activity<'a>(lead: &'a LeadDetail, parcel: &Parcel) -> Option<&'a ActivityView> {
    match parcel.job.data.activity {
        Some(id) => lead.timeline.iter().find(|activity| activity.id == id),
        None => lead.timeline.iter().rev().find(|activity| !activity.content.outgoing),
    }
}

fn newest(account: &Account) -> jiff::Timestamp {
    account.linked_at
}
