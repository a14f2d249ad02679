//! Talks by messenger on SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::ChangeError;
use leadgate_core::chat::{Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, SourceId};
use leadgate_core::name::PersonName;
use leadgate_core::onward::News;
use leadgate_core::ports::{Account, Act, Campaign, ChatState, Fetched, NewReply, Redeemed, StoreError, Talks};

use crate::{SqliteStore, accounts, chats, messages};

#[async_trait]
impl Talks for SqliteStore {
    async fn keep_files(&self, activity: ActivityId, fetched: Vec<Fetched>) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { messages::keep_files(&mut writing.conn, activity, &fetched).await }))
            .await
    }

    async fn write_reply(&self, reply: NewReply, act: Act) -> Result<Result<ActivityId, ChangeError>, StoreError> {
        self.write(1, move |writing| Box::pin(async move { messages::write_reply(writing, &reply, &act).await })).await
    }

    async fn sending(
        &self,
        activity: ActivityId,
        sending: Sending,
        sent_as: Option<SentAs>,
        news: Option<News>,
    ) -> Result<(), StoreError> {
        self.write(1, move |writing| {
            let told =
                async move { messages::sending(&mut writing.conn, activity, &sending, sent_as.as_ref(), news.as_ref()).await };
            Box::pin(told)
        })
        .await
    }

    async fn name_contact(&self, contact: ContactId, own: PersonName, messenger: &str) -> Result<bool, StoreError> {
        let messenger = messenger.to_owned();
        self.write(1, move |writing| {
            Box::pin(async move { messages::name_contact(&mut writing.conn, contact, &own, &messenger).await })
        })
        .await
    }

    async fn deleted(&self, source: &SourceId, external_key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let (source, key) = (source.clone(), external_key.to_owned());
        self.write(1, move |writing| {
            Box::pin(async move { messages::deleted(&mut writing.conn, source.as_str(), &key, at).await })
        })
        .await
    }

    async fn add_campaign(&self, campaign: Campaign) -> Result<bool, StoreError> {
        self.write(1, move |writing| Box::pin(async move { chats::add_campaign(&mut writing.conn, &campaign).await })).await
    }

    async fn campaigns_of(&self, source: &SourceId, ids: Vec<String>) -> Result<Vec<Campaign>, StoreError> {
        chats::campaigns_of(&mut *self.read().await?, source.as_str(), &ids).await
    }

    async fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        chats::campaigns(&mut *self.read().await?).await
    }

    async fn remove_campaign(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(1, move |writing| Box::pin(async move { chats::remove_campaign(&mut writing.conn, &id).await })).await
    }

    async fn add_code(&self, hash: [u8; 32], manager: ManagerId, until: Timestamp) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { accounts::add_code(&mut writing.conn, &hash, &manager, until).await }))
            .await
    }

    async fn redeem_code(&self, hash: [u8; 32], account: Account, now: Timestamp) -> Result<Redeemed, StoreError> {
        self.write(1, move |writing| Box::pin(async move { accounts::redeem(&mut writing.conn, &hash, &account, now).await }))
            .await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        accounts::list(&mut *self.read().await?).await
    }

    async fn accounts_of(&self, values: Vec<(String, String)>) -> Result<Vec<Account>, StoreError> {
        accounts::of(&mut *self.read().await?, &values).await
    }

    async fn unlink(&self, manager: &ManagerId) -> Result<u64, StoreError> {
        let manager = manager.clone();
        self.write(1, move |writing| Box::pin(async move { accounts::unlink(&mut writing.conn, &manager).await })).await
    }

    async fn chat(&self, source: &SourceId, chat: &str) -> Result<ChatState, StoreError> {
        chats::chat(&mut *self.read().await?, source.as_str(), chat).await
    }

    async fn keep_chat(&self, source: &SourceId, chat: &str, state: ChatState) -> Result<bool, StoreError> {
        let (source, chat) = (source.clone(), chat.to_owned());
        self.write(1, move |writing| {
            Box::pin(async move { chats::keep_chat(&mut writing.conn, source.as_str(), &chat, &state).await })
        })
        .await
    }

    async fn topic(&self, source: &SourceId, chat: &str, lead: LeadId) -> Result<Option<String>, StoreError> {
        chats::topic(&mut *self.read().await?, source.as_str(), chat, lead).await
    }

    async fn lead_of_topic(&self, source: &SourceId, chat: &str, topic: &str) -> Result<Option<LeadId>, StoreError> {
        chats::lead_of(&mut *self.read().await?, source.as_str(), chat, topic).await
    }

    async fn keep_topic(&self, source: &SourceId, chat: &str, lead: LeadId, topic: Option<String>) -> Result<(), StoreError> {
        let (source, chat) = (source.clone(), chat.to_owned());
        self.write(1, move |writing| {
            let kept = async move { chats::keep_topic(&mut writing.conn, source.as_str(), &chat, lead, topic.as_deref()).await };
            Box::pin(kept)
        })
        .await
    }
}
