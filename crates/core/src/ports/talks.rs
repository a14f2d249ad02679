//! What a store keeps of talks with customers by messenger: files that are fetched, what managers answer, campaigns' links, the
//! accounts of managers, and how a chat stands.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Act, StoreError};
use crate::attribution::Touch;
use crate::change::ChangeError;
use crate::chat::{ChatFacts, SendState, Sending, SentAs};
use crate::ids::{ActivityId, ContactId, EventId, LeadId, ManagerId, SourceId};
use crate::name::PersonName;
use crate::onward::{JobId, NewJob, News, Recipient, event};
use crate::prepare::Content;
use crate::submission::{ActivityKind, FileRef};
use crate::text;

/// Tries of a code that one account has, see [`Talks::redeem_code`].
pub const MOST_TRIES: u32 = 5;
/// For how long a wrong try counts, from the first of them.
pub const TRIES_COUNT_FOR: SignedDuration = SignedDuration::from_mins(15);
/// For how long it is known how a chat stands that does not change; one that became another is known for ever.
pub const CHATS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);
/// The most campaigns' links that are listed.
pub const MOST_CAMPAIGNS: i64 = 1000;
/// Bytes of a manager's text.
const MOST_TEXT: usize = 64 << 10;

/// How fetching an offered file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Which: [`OfferedFile::unique`](crate::chat::OfferedFile::unique).
    pub unique: String,
    /// The file in the attachment store, whose `field` is `unique`; or why it was not fetched, in words.
    pub end: Result<FileRef, String>,
}

/// What a manager writes to a customer by the gateway.
#[derive(Clone, Debug)]
pub struct NewReply {
    /// About which lead.
    pub lead: Option<LeadId>,
    /// To whom.
    pub contact: Option<ContactId>,
    /// The text.
    pub text: String,
    /// As what it stands on the timeline: a message or a mail.
    pub kind: ActivityKind,
    /// By which source it goes, and is shown as coming from.
    pub source: Option<SourceId>,
    /// Where to, if by messenger.
    pub chat: Option<ChatFacts>,
    /// The target that delivers it, to [`Recipient::Reply`](crate::onward::Recipient::Reply).
    pub target: String,
}

impl NewReply {
    /// What it says on the timeline, on its way since then: clean and bounded.
    pub fn content(&self, at: Timestamp) -> Content {
        Content {
            message: Some(text::cut(&text::clean(&self.text), MOST_TEXT).to_owned()),
            chat: self.chat.clone().map(|chat| Box::new(chat.bounded())),
            outgoing: true,
            sending: Some(Sending { state: SendState::Sending, at, words: String::new() }),
            ..Content::default()
        }
    }

    /// What its source calls it, if there is a source: the id of the act's event.
    pub fn external_key(&self, event: EventId) -> Option<String> {
        self.source.as_ref().map(|_| format!("reply:{}", event.0))
    }

    /// The id of its own delivery: the same reply again has the same.
    pub fn job_id(&self, event: EventId) -> JobId {
        JobId::of(event, &self.target, &Recipient::Reply)
    }

    /// Its own delivery. Those about one lead go one after the other, as they were written. `data`: the event's, as JSON.
    pub fn job(&self, act: &Act, data: String) -> NewJob {
        let lead = self.lead.map(|lead| lead.0);
        NewJob {
            id: self.job_id(act.event),
            target: self.target.as_str().into(),
            recipient: Recipient::Reply.to_string(),
            event: act.event,
            name: event::MESSAGE_SENT,
            data,
            lead,
            lane: lead,
            at: act.at,
        }
    }
}

/// A campaign's link: whoever comes by it came from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Campaign {
    /// What the link carries: 1 to 64 of `A-Z a-z 0-9 _ -` (<https://core.telegram.org/bots/features#deep-linking>).
    pub id: String,
    /// Of which source only; absent: of every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// Where whoever follows it came from.
    pub touch: Touch,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: `cli`, `api:<token name>`.
    pub created_by: String,
}

/// A manager's account at a messenger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Whose.
    pub manager: ManagerId,
    /// Which messenger, as identities have it: `telegram`.
    pub kind: String,
    /// Their id there.
    pub value: String,
    /// What to show.
    pub display: String,
    /// The bot they linked it by.
    pub source: SourceId,
    /// The chat in which it reaches them.
    pub chat: String,
    /// When.
    pub linked_at: Timestamp,
}

/// What became of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The account is this manager's now, and nobody else's; any other they had at this bot is not any more.
    Linked(ManagerId),
    /// There is no such code, or its time is over. So many tries are left.
    Wrong(u32),
    /// Too many wrong ones, this the last of them: none counts from this account until then.
    TooMany(Timestamp),
}

/// How a chat stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatState {
    /// Rises with each change; 0: nothing is known of the chat.
    pub version: i64,
    /// The dialogue, as the connector writes it.
    pub dialogue: serde_json::Value,
    /// Since when the bot may not write there: blocked, or put out of the group.
    pub closed_at: Option<Timestamp>,
    /// The chat it became: a group that was made larger.
    pub moved_to: Option<String>,
    /// When it was changed last.
    pub changed_at: Option<Timestamp>,
}

/// What a store keeps of talks. One method is one transaction.
#[async_trait]
pub trait Talks: Send + Sync {
    /// Puts fetched files on an activity, or why they were not fetched. Those that are not offered (any more) are passed over. It is
    /// no revision.
    async fn keep_files(&self, activity: ActivityId, fetched: Vec<Fetched>) -> Result<(), StoreError>;

    /// Puts what a manager writes on the timeline as `sending`, tells `message.sent`, and owes it to the target besides whoever
    /// hears of that. A closed lead may be answered; somebody who was erased is missing. Of a lead's reply the contact is the lead's.
    /// The same [`Act::event`] again is the same reply: nothing is done twice.
    async fn write_reply(&self, reply: NewReply, act: Act) -> Result<Result<ActivityId, ChangeError>, StoreError>;
    /// Keeps how what was written fares, and as which message it went: its reference is the activity's from then on, so that the
    /// customer's answer finds it. (A text that goes as several messages is known by each: one call for one.) Tells what follows,
    /// unless it fared so before. What the gateway does not send, or who was erased, is passed over.
    async fn sending(
        &self,
        activity: ActivityId,
        sending: Sending,
        sent_as: Option<SentAs>,
        news: Option<News>,
    ) -> Result<(), StoreError>;
    /// A contact says what they are called, see [`crate::plan::named`]; of a merged one it is the other's. `false`: nothing changed.
    async fn name_contact(&self, contact: ContactId, own: PersonName, messenger: &str) -> Result<bool, StoreError>;
    /// A message of a chat was deleted by whoever wrote it: the activity says so from now on. `false`: there is none.
    async fn deleted(&self, source: &SourceId, external_key: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Makes a campaign's link. `false`: the id is taken.
    async fn add_campaign(&self, campaign: Campaign) -> Result<bool, StoreError>;
    /// Those of these ids that are links of a source.
    async fn campaigns_of(&self, source: &SourceId, ids: Vec<String>) -> Result<Vec<Campaign>, StoreError>;
    /// Campaigns' links, the newest first, at most 1,000.
    async fn campaigns(&self) -> Result<Vec<Campaign>, StoreError>;
    /// Takes a link away. `false`: there is none of that id.
    async fn remove_campaign(&self, id: &str) -> Result<bool, StoreError>;

    /// Keeps the SHA-256 of a one-time code for a manager; any code they had before is void, and whose else it was.
    async fn add_code(&self, hash: [u8; 32], manager: ManagerId, until: Timestamp) -> Result<(), StoreError>;
    /// An account says a code: it is the manager's from now on, whose the code is (`account.manager` is not looked at). After
    /// [`MOST_TRIES`] wrong ones within [`TRIES_COUNT_FOR`] no code counts from this account.
    async fn redeem_code(&self, hash: [u8; 32], account: Account, now: Timestamp) -> Result<Redeemed, StoreError>;
    /// The accounts of all managers.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// Those of these accounts `(kind, value)` that are managers', once for each bot they were linked by.
    async fn accounts_of(&self, values: Vec<(String, String)>) -> Result<Vec<Account>, StoreError>;
    /// Takes a manager's accounts away; how many.
    async fn unlink(&self, manager: &ManagerId) -> Result<u64, StoreError>;

    /// How a chat stands.
    async fn chat(&self, source: &SourceId, chat: &str) -> Result<ChatState, StoreError>;
    /// Keeps how a chat stands, if it is still at the version that is one less. `false`: somebody else was faster.
    async fn keep_chat(&self, source: &SourceId, chat: &str, state: ChatState) -> Result<bool, StoreError>;

    /// The topic of a lead in a group of the company.
    async fn topic(&self, source: &SourceId, chat: &str, lead: LeadId) -> Result<Option<String>, StoreError>;
    /// The lead of a topic.
    async fn lead_of_topic(&self, source: &SourceId, chat: &str, topic: &str) -> Result<Option<LeadId>, StoreError>;
    /// Keeps the topic of a lead, or that it has none any more. What is there of the topic's or the lead's before goes.
    async fn keep_topic(&self, source: &SourceId, chat: &str, lead: LeadId, topic: Option<String>) -> Result<(), StoreError>;
}
