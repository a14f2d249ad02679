//! What managers and groups of the company are told by a bot.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use leadgate_core::change::Stage;
use leadgate_core::ids::{LeadId, ManagerId, SourceId};
use leadgate_core::onward::{Brief, EVENTS, Recipient, Subject, alarm_words};
use leadgate_core::ports::{Account, DeliverError, Delivered, Parcel};
use leadgate_core::views::HistoryEntry;
use leadgate_telegram::api::{ApiError, Keyboard, Message, text};
use leadgate_telegram::notice::{self, Stand, Telling, Told};

use super::{Desk, KIND, done, trouble, unsaid};
use crate::config::Language;

/// Characters of what a customer wrote that a notice shows.
const SHOWN: usize = 1_500;
/// Where the bot could not write it is tried again after this time: that it may again is not always told.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// Whether a group has topics is asked again after this time.
const FORUM_ASKED_EVERY: Duration = Duration::from_mins(10);

/// One who is told.
struct To {
    chat: i64,
    language: Language,
    /// A group of the company's, which may have topics.
    group: bool,
    /// By what they are known when they open a lead.
    by: String,
}

impl Desk {
    /// Tells somebody of ours.
    pub(super) async fn notice(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let to = match self.to(parcel).await? {
            Ok(to) => to,
            Err(moot) => return Ok(moot),
        };
        let closed_at = self.chat(to.chat).await?.closed_at;
        if closed_at.is_some_and(|at| parcel.now.duration_since(at) < TRIED_AGAIN) {
            return Err(DeliverError::Refused {
                words: "the bot may not write there: it was blocked, or put out of the group".to_owned(),
            });
        }
        let url = match parcel.job.data.lead {
            Some(lead) => self.open_url(lead, &to.by).await,
            None => None,
        };
        let Some((html, keyboard)) = self.written(parcel, to.language, url.as_deref()) else {
            return Ok(done("it does not exist any more"));
        };
        let mut message = Message { keyboard, ..Message::new(to.chat, html) };
        let lead = parcel.job.data.lead.filter(|_| to.group && self.settings.topics && parcel.brief.lead.is_some());
        let (chat, id) = match lead {
            Some(lead) => self.say_in_topic(&mut message, lead, &parcel.brief).await?,
            None => self.say(&message).await?,
        };
        if closed_at.is_some() {
            self.opened(to.chat, None).await?;
        }
        let mut refs = vec![(self.scope(chat), id.to_string())];
        // A long text is told whole below the notice.
        for html in whole(&parcel.brief) {
            let part = Message { topic: message.topic, reply_to: Some(id), silent: true, ..Message::new(chat, html) };
            let (chat, id) = self.say(&part).await?;
            refs.push((self.scope(chat), id.to_string()));
        }
        Ok(Delivered { refs, words: String::new() })
    }

    /// What it says.
    fn written(&self, parcel: &Parcel, language: Language, url: Option<&str>) -> Option<(String, Keyboard)> {
        let kind = EVENTS.iter().find(|kind| kind.name == parcel.job.name);
        if kind.is_some_and(|kind| kind.subject == Subject::Operation) {
            let detail = parcel.job.data.detail.clone().unwrap_or_default();
            let words = alarm_words(&parcel.job.name, &detail, language)?;
            let (what, advice) = (text::block(&words.what, 1_000), text::block(&words.advice, 2_000));
            return Some((format!("<b>{what}</b>\n{advice}"), Keyboard::Nothing));
        }
        let brief = &parcel.brief;
        if brief.lead.is_none() && brief.contact.is_none() {
            // A delivery that waits, say.
            let (about, id) = (kind?.words, brief.submission.as_ref()?.id);
            return Some((format!("{}\n<code>{id}</code>", text::line(about, 400)), Keyboard::Nothing));
        }
        let stand = Stands::of(brief, &[], |manager| self.name_of(manager));
        let Told { html, buttons } = notice::tell(brief, &Self::telling(&parcel.job.name, language, brief, &stand, url));
        Some((html, Keyboard::Inline(buttons)))
    }

    /// Where whoever is told may read the lead. The service takes no address for a button whose host is a single word, and then does not
    /// take the message either.
    pub(super) async fn open_url(&self, lead: LeadId, by: &str) -> Option<String> {
        let url = self.gateway.open_url(lead, by, self.gateway.clock.now()).await?;
        let host = url::Url::parse(&url).ok()?.host_str()?.to_owned();
        host.contains('.').then_some(url)
    }

    /// How a lead is told.
    pub(super) fn telling<'a>(
        event: &'a str,
        language: Language,
        brief: &'a Brief,
        stand: &'a Stands,
        url: Option<&'a str>,
    ) -> Telling<'a> {
        let activity = brief.activity.as_ref().and_then(|activity| activity.source.as_ref());
        let source = activity.or(brief.lead.as_ref().map(|lead| &lead.source)).map_or("", SourceId::as_str);
        Telling { language, event, source, stand: stand.borrowed(), url }
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
                let by = self.scope(chat.parse().map_err(|_| refused())?);
                let chat = self.now_at(chat.parse().map_err(|_| refused())?).await?;
                return Ok(Ok(To { chat, language: self.live.language, group: true, by }));
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
        Ok(Ok(To { chat, language: manager.language.unwrap_or(self.live.language), group: false, by: id.0.clone() }))
    }

    /// Says it in the topic of a lead, which is made where there is none. A group without topics is told as it is.
    async fn say_in_topic(&self, message: &mut Message, lead: LeadId, brief: &Brief) -> Result<(i64, i64), DeliverError> {
        let mut made_anew = false;
        loop {
            message.topic = self.topic(message.chat, lead, brief).await?;
            match self.try_to_say(message).await? {
                Ok(said) => return Ok(said),
                Err(ApiError::TopicDeleted) if !made_anew => {
                    made_anew = true;
                    self.keep_topic(message.chat, lead, None).await?;
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
    async fn topic(&self, chat: i64, lead: LeadId, brief: &Brief) -> Result<Option<i64>, DeliverError> {
        let mut forums = self.forums.lock().await;
        let asked = forums.get(&chat).filter(|(_, at)| at.elapsed() < FORUM_ASKED_EVERY).map(|(forum, _)| *forum);
        let has_topics = if let Some(forum) = asked {
            forum
        } else {
            let forum = self.api.get_chat(chat).await.is_ok_and(|chat| chat.is_forum);
            forums.insert(chat, (forum, Instant::now()));
            forum
        };
        if !has_topics {
            return Ok(None);
        }
        let known = self.store().await?.topic(&self.source, &chat.to_string(), lead).await;
        if let Some(topic) = known.map_err(|error| trouble(&error))? {
            return Ok(topic.parse().ok());
        }
        match self.api.create_topic(chat, &notice::topic(brief)).await {
            Ok(topic) => {
                self.keep_topic(chat, lead, Some(topic)).await?;
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

/// What the customer wrote, as messages of their own, if it is longer than what the notice shows of it.
fn whole(brief: &Brief) -> Vec<String> {
    let message = brief.activity.as_ref().and_then(|activity| activity.content.message.as_deref());
    let long = message.filter(|message| message.trim().chars().count() > SHOWN);
    long.map(text::messages).unwrap_or_default()
}

/// How a lead stands, with names.
pub(super) enum Stands {
    Free,
    Taken(String),
    Junk(String),
    Closed,
}

impl Stands {
    /// `history`: what people changed, where that is at hand.
    pub fn of(brief: &Brief, history: &[HistoryEntry], name: impl Fn(&ManagerId) -> String) -> Self {
        let Some(lead) = &brief.lead else { return Self::Free };
        let named = |id: &str| name(&ManagerId(id.to_owned()));
        let closed = || history.iter().rev().find(|entry| entry.field == "closed");
        match (lead.stage, &lead.responsible) {
            (Stage::Junk, _) => {
                let by = closed().map(|entry| entry.actor.rsplit_once(':').map_or(entry.actor.as_str(), |(_, by)| by));
                Self::Junk(by.map(named).unwrap_or_default())
            }
            (Stage::Converted, _) => Self::Closed,
            (_, Some(manager)) => Self::Taken(named(manager)),
            (_, None) => Self::Free,
        }
    }

    fn borrowed(&self) -> Stand<'_> {
        match self {
            Self::Free => Stand::Free,
            Self::Taken(by) => Stand::Taken(by),
            Self::Junk(by) => Stand::Junk(by),
            Self::Closed => Stand::Closed,
        }
    }
}

fn newest(account: &Account) -> jiff::Timestamp {
    account.linked_at
}
