//! The outbox of the fake store: the intake asks nothing of it.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{
    Alarm, AlarmView, Brief, BriefOf, Claim, Job, JobDetail, JobFilter, JobId, JobState, JobView, Late, NewTimer, News, Outbox,
    Routes, Settled, Target, Timer, TimerEnd, Want,
};
use leadgate_core::ports::StoreError;
use leadgate_core::views::{Page, PageAt};

use super::{Fake, never};

#[async_trait]
impl Outbox for Fake {
    async fn claim_jobs(&self, _: Vec<Want>, _: Claim) -> Result<Vec<Job>, StoreError> {
        never()
    }
    async fn settle_jobs(&self, _: Vec<Settled>, _: Vec<News>) -> Result<(), StoreError> {
        never()
    }
    async fn next_job(&self, _: Vec<String>) -> Result<Option<Timestamp>, StoreError> {
        never()
    }
    async fn bury_jobs(&self, _: Vec<Target>, _: Timestamp, _: Timestamp, _: Arc<Routes>) -> Result<Vec<Late>, StoreError> {
        never()
    }
    async fn jobs(&self, _: JobFilter, _: PageAt) -> Result<Page<JobView>, StoreError> {
        never()
    }
    async fn job(&self, _: JobId) -> Result<Option<JobDetail>, StoreError> {
        never()
    }
    async fn job_counts(&self) -> Result<Vec<(String, JobState, u64)>, StoreError> {
        never()
    }
    async fn retry_jobs(&self, _: JobFilter, _: Timestamp) -> Result<u64, StoreError> {
        never()
    }
    async fn drop_jobs(&self, _: JobFilter, _: Timestamp) -> Result<u64, StoreError> {
        never()
    }
    async fn job_by_ref(&self, _: &str, _: &str) -> Result<Option<JobDetail>, StoreError> {
        never()
    }
    async fn briefs(&self, _: Vec<BriefOf>) -> Result<Vec<Brief>, StoreError> {
        never()
    }
    async fn tell(&self, _: News) -> Result<(), StoreError> {
        never()
    }
    async fn raise(&self, _: Alarm, _: News) -> Result<bool, StoreError> {
        never()
    }
    async fn clear(&self, _: &str, _: &str, _: Option<News>) -> Result<bool, StoreError> {
        never()
    }
    async fn alarms(&self) -> Result<Vec<AlarmView>, StoreError> {
        never()
    }
    async fn set_timers(&self, _: Vec<NewTimer>) -> Result<(), StoreError> {
        never()
    }
    async fn stop_timers(&self, _: Vec<(String, String)>) -> Result<(), StoreError> {
        never()
    }
    async fn due_timers(&self, _: Timestamp, _: u32) -> Result<Vec<Timer>, StoreError> {
        never()
    }
    async fn settle_timers(&self, _: Vec<TimerEnd>) -> Result<u64, StoreError> {
        never()
    }
    async fn link_key(&self, _: [u8; 32]) -> Result<[u8; 32], StoreError> {
        never()
    }
    async fn may_answer(&self, _: JobId, _: [u8; 32], _: SourceId, _: u32, _: Timestamp) -> Result<bool, StoreError> {
        never()
    }
}
