//! The talks of the fake store: the intake asks nothing of them.

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::ChangeError;
use leadgate_core::chat::{Sending, SentAs};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, SourceId};
use leadgate_core::name::PersonName;
use leadgate_core::onward::News;
use leadgate_core::ports::{Account, Act, Campaign, ChatState, Fetched, NewReply, Redeemed, StoreError, Talks};

use super::{Fake, never};

#[async_trait]
impl Talks for Fake {
    async fn keep_files(&self, _: ActivityId, _: Vec<Fetched>) -> Result<(), StoreError> {
        never()
    }
    async fn write_reply(&self, _: NewReply, _: Act) -> Result<Result<ActivityId, ChangeError>, StoreError> {
        never()
    }
    async fn sending(&self, _: ActivityId, _: Sending, _: Option<SentAs>, _: Option<News>) -> Result<(), StoreError> {
        never()
    }
    async fn name_contact(&self, _: ContactId, _: PersonName, _: &str) -> Result<bool, StoreError> {
        never()
    }
    async fn deleted(&self, _: &SourceId, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        never()
    }
    async fn add_campaign(&self, _: Campaign) -> Result<bool, StoreError> {
        never()
    }
    async fn campaigns_of(&self, _: &SourceId, _: Vec<String>) -> Result<Vec<Campaign>, StoreError> {
        never()
    }
    async fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        never()
    }
    async fn remove_campaign(&self, _: &str) -> Result<bool, StoreError> {
        never()
    }
    async fn add_code(&self, _: [u8; 32], _: ManagerId, _: Timestamp) -> Result<(), StoreError> {
        never()
    }
    async fn redeem_code(&self, _: [u8; 32], _: Account, _: Timestamp) -> Result<Redeemed, StoreError> {
        never()
    }
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        never()
    }
    async fn accounts_of(&self, _: Vec<(String, String)>) -> Result<Vec<Account>, StoreError> {
        never()
    }
    async fn unlink(&self, _: &ManagerId) -> Result<u64, StoreError> {
        never()
    }
    async fn chat(&self, _: &SourceId, _: &str) -> Result<ChatState, StoreError> {
        never()
    }
    async fn keep_chat(&self, _: &SourceId, _: &str, _: ChatState) -> Result<bool, StoreError> {
        never()
    }
    async fn topic(&self, _: &SourceId, _: &str, _: LeadId) -> Result<Option<String>, StoreError> {
        never()
    }
    async fn lead_of_topic(&self, _: &SourceId, _: &str, _: &str) -> Result<Option<LeadId>, StoreError> {
        never()
    }
    async fn keep_topic(&self, _: &SourceId, _: &str, _: LeadId, _: Option<String>) -> Result<(), StoreError> {
        never()
    }
}
