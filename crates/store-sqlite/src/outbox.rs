//! The outbox on SQLite.

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

use crate::{SqliteStore, briefs, error, jobs, news, timers};

fn time(micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    let time = |micros| Timestamp::from_microsecond(micros).map_err(|_| error::corrupt("job", format!("no time: {micros}")));
    micros.map(time).transpose()
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim_jobs(&self, wants: Vec<Want>, claim: Claim) -> Result<Vec<Job>, StoreError> {
        self.write_soon(1, move |writing| Box::pin(async move { jobs::claim(&mut writing.conn, &wants, claim).await })).await
    }

    async fn settle_jobs(&self, settled: Vec<Settled>, told: Vec<News>) -> Result<(), StoreError> {
        self.write_soon(1, move |writing| Box::pin(async move { jobs::settle(&mut writing.conn, &settled, &told).await })).await
    }

    async fn next_job(&self, targets: Vec<String>) -> Result<Option<Timestamp>, StoreError> {
        time(jobs::next(&mut *self.read().await?, &targets).await?)
    }

    async fn bury_jobs(
        &self,
        targets: Vec<Target>,
        orphans_before: Timestamp,
        at: Timestamp,
        routes: Arc<Routes>,
    ) -> Result<Vec<Late>, StoreError> {
        let before = orphans_before.as_microsecond();
        self.write(256, move |writing| {
            Box::pin(async move { jobs::bury(&mut writing.conn, &targets, before, at, &routes).await })
        })
        .await
    }

    async fn jobs(&self, filter: JobFilter, at: PageAt) -> Result<Page<JobView>, StoreError> {
        jobs::list(&mut *self.read().await?, &filter, &at).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        jobs::one(&mut *self.read().await?, id).await
    }

    async fn job_counts(&self) -> Result<Vec<(String, JobState, u64)>, StoreError> {
        jobs::counts(&mut *self.read().await?).await
    }

    async fn retry_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError> {
        let now = now.as_microsecond();
        self.write(256, move |writing| Box::pin(async move { jobs::retry(&mut writing.conn, &filter, now).await })).await
    }

    async fn drop_jobs(&self, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError> {
        let now = now.as_microsecond();
        self.write(256, move |writing| Box::pin(async move { jobs::drop(&mut writing.conn, &filter, now).await })).await
    }

    async fn job_by_ref(&self, scope: &str, value: &str) -> Result<Option<JobDetail>, StoreError> {
        jobs::by_ref(&mut *self.read().await?, scope, value).await
    }

    async fn briefs(&self, of: Vec<BriefOf>) -> Result<Vec<Brief>, StoreError> {
        briefs::briefs(&mut *self.read().await?, &of).await
    }

    async fn tell(&self, told: News) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { news::news(&mut writing.conn, &told).await })).await
    }

    async fn raise(&self, alarm: Alarm, told: News) -> Result<bool, StoreError> {
        self.write(1, move |writing| Box::pin(async move { timers::raise(&mut writing.conn, &alarm, &told).await })).await
    }

    async fn clear(&self, name: &str, key: &str, told: Option<News>) -> Result<bool, StoreError> {
        let (name, key) = (name.to_owned(), key.to_owned());
        self.write(1, move |writing| Box::pin(async move { timers::clear(&mut writing.conn, &name, &key, told.as_ref()).await }))
            .await
    }

    async fn alarms(&self) -> Result<Vec<AlarmView>, StoreError> {
        timers::alarms(&mut *self.read().await?).await
    }

    async fn set_timers(&self, timers: Vec<NewTimer>) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { timers::set(&mut writing.conn, &timers).await })).await
    }

    async fn stop_timers(&self, timers: Vec<(String, String)>) -> Result<(), StoreError> {
        self.write(1, move |writing| Box::pin(async move { timers::stop(&mut writing.conn, &timers).await })).await
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError> {
        timers::due(&mut *self.read().await?, now.as_microsecond(), limit).await
    }

    async fn settle_timers(&self, ends: Vec<TimerEnd>) -> Result<u64, StoreError> {
        self.write(ends.len(), move |writing| Box::pin(async move { timers::settle(&mut writing.conn, &ends).await })).await
    }

    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.write(1, move |writing| Box::pin(timers::link_key(&mut writing.conn, fresh))).await
    }

    async fn may_answer(
        &self,
        job: JobId,
        address: [u8; 32],
        source: SourceId,
        most_an_hour: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = now.as_microsecond();
        self.write(1, move |writing| {
            Box::pin(async move { timers::may_answer(&mut writing.conn, job, address, source.as_str(), most_an_hour, now).await })
        })
        .await
    }
}
