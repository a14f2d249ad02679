//! The outbox on PostgreSQL.

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

use crate::locks::Locks;
use crate::{LOOK, PostgresStore, WRITE, briefs, jobs, news, read, timers, write};

#[async_trait]
impl Outbox for PostgresStore {
    async fn claim_jobs(&self, wants: Vec<Want>, claim: Claim) -> Result<Vec<Job>, StoreError> {
        let mut conn = self.write_with(&[WRITE, &jobs::before_claim(claim)].concat()).await?;
        let claimed = jobs::claim(&mut conn, &wants, claim).await;
        conn.end(claimed).await
    }

    async fn settle_jobs(&self, settled: Vec<Settled>, told: Vec<News>) -> Result<(), StoreError> {
        write!(self, conn => jobs::settle(conn, &settled, &told))
    }

    async fn next_job(&self, targets: Vec<String>) -> Result<Option<Timestamp>, StoreError> {
        read!(self, conn => jobs::next(conn, &targets))
    }

    async fn bury_jobs(
        &self,
        targets: Vec<Target>,
        orphans_before: Timestamp,
        at: Timestamp,
        routes: Arc<Routes>,
    ) -> Result<Vec<Late>, StoreError> {
        write!(self, conn => jobs::bury(conn, &targets, orphans_before, at, &routes))
    }

    async fn jobs(&self, filter: JobFilter, at: PageAt) -> Result<Page<JobView>, StoreError> {
        read!(self, conn => jobs::list(conn, &filter, &at))
    }

    async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        read!(self, conn => jobs::one(conn, id))
    }

    async fn job_counts(&self) -> Result<Vec<(String, JobState, u64)>, StoreError> {
        read!(self, conn => jobs::counts(conn))
    }

    async fn retry_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError> {
        write!(self, conn => jobs::retry(conn, &filter, now))
    }

    async fn drop_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError> {
        write!(self, conn => jobs::drop(conn, &filter, now))
    }

    async fn job_by_ref(&self, scope: &str, value: &str) -> Result<Option<JobDetail>, StoreError> {
        read!(self, conn => jobs::by_ref(conn, scope, value))
    }

    async fn briefs(&self, of: Vec<BriefOf>) -> Result<Vec<Brief>, StoreError> {
        // By their keys, however few rows the statistics know of.
        let mut conn = self.servers.begin(LOOK).await?;
        let briefs = briefs::briefs(&mut conn, &of).await;
        conn.end(briefs).await
    }

    async fn tell(&self, told: News) -> Result<(), StoreError> {
        write!(self, conn => news::tell(conn, [&told]))
    }

    async fn raise(&self, alarm: Alarm, told: News) -> Result<bool, StoreError> {
        write!(self, conn => timers::raise(conn, &alarm, &told))
    }

    async fn clear(&self, name: &str, key: &str, told: Option<News>) -> Result<bool, StoreError> {
        write!(self, conn => timers::clear(conn, name, key, told.as_ref()))
    }

    async fn alarms(&self) -> Result<Vec<AlarmView>, StoreError> {
        read!(self, conn => timers::alarms(conn))
    }

    async fn set_timers(&self, timers: Vec<NewTimer>) -> Result<(), StoreError> {
        write!(self, conn => timers::set(conn, &timers))
    }

    async fn stop_timers(&self, timers: Vec<(String, String)>) -> Result<(), StoreError> {
        write!(self, conn => timers::stop(conn, &timers))
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError> {
        read!(self, conn => timers::due(conn, now, limit))
    }

    async fn settle_timers(&self, ends: Vec<TimerEnd>) -> Result<u64, StoreError> {
        write!(self, conn => timers::settle(conn, &ends))
    }

    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        write!(self, conn => timers::link_key(conn, fresh))
    }

    async fn may_answer(
        &self,
        job: JobId,
        address: [u8; 32],
        source: SourceId,
        most_an_hour: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.write_with(&[WRITE, "; ", &Locks::answers(source.as_str()).statement()].concat()).await?;
        let may = timers::may_answer(&mut conn, job, address, &source, most_an_hour, now).await;
        conn.end(may).await
    }
}
