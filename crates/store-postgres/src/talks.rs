//! Talks by messenger on PostgreSQL.

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::ChangeError;
use leadgate_core::chat::{Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, SourceId};
use leadgate_core::name::PersonName;
use leadgate_core::onward::News;
use leadgate_core::ports::{Account, Act, Campaign, ChatState, Fetched, NewReply, Redeemed, StoreError, Talks};

use crate::locks::Locks;
use crate::{PostgresStore, WRITE, accounts, chats, messages, read, write};

#[async_trait]
impl Talks for PostgresStore {
    async fn keep_files(&self, activity: ActivityId, fetched: Vec<Fetched>) -> Result<(), StoreError> {
        write!(self, conn => messages::keep_files(conn, activity, &fetched))
    }

    async fn write_reply(&self, reply: NewReply, act: Act) -> Result<Result<ActivityId, ChangeError>, StoreError> {
        write!(self, conn => messages::write_reply(conn, &reply, &act))
    }

    async fn sending(
        &self,
        activity: ActivityId,
        sending: Sending,
        sent_as: Option<SentAs>,
        news: Option<News>,
    ) -> Result<(), StoreError> {
        write!(self, conn => messages::sending(conn, activity, &sending, sent_as.as_ref(), news.as_ref()))
    }

    async fn name_contact(&self, contact: ContactId, own: PersonName, messenger: &str) -> Result<bool, StoreError> {
        write!(self, conn => messages::name_contact(conn, contact, &own, messenger))
    }

    async fn deleted(&self, source: &SourceId, external_key: &str, at: Timestamp) -> Result<bool, StoreError> {
        write!(self, conn => messages::deleted(conn, source.as_str(), external_key, at))
    }

    async fn add_campaign(&self, campaign: Campaign) -> Result<bool, StoreError> {
        write!(self, conn => chats::add_campaign(conn, &campaign))
    }

    async fn campaigns_of(&self, source: &SourceId, ids: Vec<String>) -> Result<Vec<Campaign>, StoreError> {
        read!(self, conn => chats::campaigns_of(conn, source.as_str(), &ids))
    }

    async fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        read!(self, conn => chats::campaigns(conn))
    }

    async fn remove_campaign(&self, id: &str) -> Result<bool, StoreError> {
        write!(self, conn => chats::remove_campaign(conn, id))
    }

    async fn add_code(&self, hash: [u8; 32], manager: ManagerId, until: Timestamp) -> Result<(), StoreError> {
        write!(self, conn => accounts::add_code(conn, &hash, &manager, until))
    }

    async fn redeem_code(&self, hash: [u8; 32], account: Account, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut tries = 0;
        let head = [WRITE, "; ", &Locks::account(&account.kind, &account.value).statement()].concat();
        loop {
            let mut conn = self.write_with(&head).await?;
            let redeemed = accounts::redeem(&mut conn, &hash, &account, now).await;
            tries += 1;
            match conn.end(redeemed).await {
                Err(StoreError::Conflict) if tries < crate::MOST_TRIES => {}
                ended => break ended,
            }
        }
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        read!(self, conn => accounts::list(conn))
    }

    async fn accounts_of(&self, values: Vec<(String, String)>) -> Result<Vec<Account>, StoreError> {
        read!(self, conn => accounts::of(conn, &values))
    }

    async fn unlink(&self, manager: &ManagerId) -> Result<u64, StoreError> {
        write!(self, conn => accounts::unlink(conn, manager))
    }

    async fn chat(&self, source: &SourceId, chat: &str) -> Result<ChatState, StoreError> {
        read!(self, conn => chats::chat(conn, source.as_str(), chat))
    }

    async fn keep_chat(&self, source: &SourceId, chat: &str, state: ChatState) -> Result<bool, StoreError> {
        write!(self, conn => chats::keep_chat(conn, source.as_str(), chat, &state))
    }

    async fn topic(&self, source: &SourceId, chat: &str, lead: LeadId) -> Result<Option<String>, StoreError> {
        read!(self, conn => chats::topic(conn, source.as_str(), chat, lead))
    }

    async fn lead_of_topic(&self, source: &SourceId, chat: &str, topic: &str) -> Result<Option<LeadId>, StoreError> {
        read!(self, conn => chats::lead_of(conn, source.as_str(), chat, topic))
    }

    async fn keep_topic(&self, source: &SourceId, chat: &str, lead: LeadId, topic: Option<String>) -> Result<(), StoreError> {
        write!(self, conn => chats::keep_topic(conn, source.as_str(), chat, lead, topic.as_deref()))
    }
}
