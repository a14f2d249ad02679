//! A source's way in, under one lease; and the books it keeps in the database: how it is, what it is asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{Ask, Feed, Intake as _, IntakeError, Part, PullReport, PullState, Store, StoreError};
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Cursor, CursorMove, FileRef, Reference, Submission};
use leadgate_outbound::mail::ReplyVia;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::app::{Gateway, LivePull};
use crate::metrics::SourceMeters;
use crate::onward::{canary, managers};

/// What is told goes to the database so often, and at once when the state changes.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// The database is looked at so often for what was asked through another gateway.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The way in for one source, under one lease.
pub(super) struct Bound<'a> {
    gateway: &'a Gateway,
    source: &'a SourceId,
    meters: &'a SourceMeters,
    fence: i64,
    ask: watch::Sender<Option<Ask>>,
    told: Notify,
    /// The report that is in the database.
    written: Mutex<Option<PullReport>>,
}

impl<'a> Bound<'a> {
    pub(super) fn new(gateway: &'a Gateway, pull: &'a LivePull, fence: i64) -> Self {
        let (ask, _) = watch::channel(None);
        Self { gateway, source: &pull.id, meters: &pull.meters, fence, ask, told: Notify::new(), written: Mutex::default() }
    }

    /// Writes what is told, and looks for what is asked, until dropped.
    pub(super) async fn keep_books(&self) {
        let mut look_at = Instant::now();
        let mut write_at = Instant::now();
        let mut failed = false;
        loop {
            let asked = self.gateway.desk.asked();
            if Instant::now() >= look_at {
                look_at = Instant::now() + LOOK_EVERY;
                if let Err(error) = self.look().await {
                    tracing::debug!(source = %self.source, %error, "what was asked for cannot be looked up");
                }
            }
            let news = self.news();
            let due = |report: &&PullReport| (!failed && self.is_urgent(report)) || Instant::now() >= write_at;
            if let Some(report) = news.as_ref().filter(due) {
                write_at = Instant::now() + WRITE_EVERY;
                let written = self.write(report).await;
                failed = written.is_err();
                if let Err(error) = written {
                    tracing::debug!(source = %self.source, %error, "how a source is cannot be kept");
                }
                continue;
            }
            let next = if news.is_some() { look_at.min(write_at) } else { look_at };
            tokio::select! {
                () = self.told.notified() => {}
                () = asked => look_at = Instant::now(),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// What is told and not yet written.
    fn news(&self) -> Option<PullReport> {
        let report = self.gateway.desk.told(self.source)?.report;
        (self.written.lock().unwrap_or_else(PoisonError::into_inner).as_ref() != Some(&report)).then_some(report)
    }

    /// Whether a report cannot wait: trouble began or ended. That it reads and waits in turn can.
    fn is_urgent(&self, report: &PullReport) -> bool {
        let well = |state: PullState| matches!(state, PullState::Reading | PullState::Watching);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.as_ref().is_none_or(|written| well(written.state) != well(report.state) || written.words != report.words)
    }

    async fn write(&self, report: &PullReport) -> Result<(), StoreError> {
        let Some(store) = self.gateway.store_now() else { return Ok(()) };
        store.note_source(self.source, report.clone(), self.gateway.clock.now()).await?;
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        Ok(())
    }

    async fn look(&self) -> Result<(), StoreError> {
        let Some(store) = self.gateway.store_now() else { return Ok(()) };
        let ask = self.kept_ask(&**store).await?;
        self.ask.send_if_modified(|known| std::mem::replace(known, ask) != ask);
        Ok(())
    }

    async fn kept_ask(&self, store: &dyn Store) -> Result<Option<Ask>, StoreError> {
        Ok(store.source_notes().await?.into_iter().find(|note| note.source == *self.source).and_then(|note| note.ask))
    }

    /// What the gateway sent itself is never recorded: that it came back is noted.
    async fn without_canaries(&self, items: Vec<Submission>) -> Result<Vec<Submission>, IntakeError> {
        if !items.iter().any(canary::is_marked) {
            return Ok(items);
        }
        let busy = || IntakeError::Busy("the database is not open".to_owned());
        let signer = self.gateway.signer().await.ok_or_else(busy)?;
        let store = self.gateway.store_now().ok_or_else(busy)?;
        let (items, returned) = canary::sift(items, signer, self.source);
        if let Some(sent) = returned {
            let noted = canary::returned(self.gateway, &**store, self.source, sent).await;
            noted.map_err(|error| IntakeError::Busy(error.to_string()))?;
        }
        Ok(items)
    }
}

impl Bound<'_> {
    /// What was sent to the address of a notice answers that notice, even if the mail program does not say so.
    async fn with_notices(&self, mut items: Vec<Submission>) -> Result<Vec<Submission>, IntakeError> {
        let live = self.gateway.live();
        let Some(mail) = live.onward.mail.as_ref().filter(|mail| mail.reply_via == ReplyVia::Gateway) else { return Ok(items) };
        let signer = self.gateway.signer().await;
        let signer = signer.ok_or_else(|| IntakeError::Busy("the database is not open".to_owned()))?;
        for draft in items.iter_mut().map(|item| &mut item.draft) {
            let Some(facts) = &draft.mail else { continue };
            let shown: Vec<String> = facts.to.iter().chain(&facts.cc).cloned().collect();
            let token = signer.read_reply(mail.from.email(), &shown);
            let token = token.and_then(|(lead, activity)| signer.reply_address(mail.from.email(), lead, activity));
            draft.refers_to.extend(token.and_then(|token| Reference::new(Reference::MESSAGE_ID, &token)));
        }
        Ok(items)
    }
}

#[async_trait]
impl Feed for Bound<'_> {
    async fn place(&self) -> Result<Option<Cursor>, IntakeError> {
        self.gateway.intake.cursor(self.source).await
    }

    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError> {
        let items = self.without_canaries(items).await?;
        let items = self.with_notices(items).await?;
        if items.iter().any(|item| !item.draft.failures.is_empty()) {
            let store = self.gateway.store_now().ok_or_else(|| IntakeError::Busy("the database is not open".to_owned()))?;
            let noted = managers::bounced(self.gateway, &**store, &items).await;
            noted.map_err(|error| IntakeError::Busy(error.to_string()))?;
        }
        let to = CursorMove { source: self.source.clone(), to, fence: Some(self.fence) };
        let receipts = self.gateway.intake.advance(items, to).await?;
        let now = self.gateway.clock.now().as_second();
        for receipt in &receipts {
            self.meters.recorded(receipt.outcome, now);
        }
        Ok(receipts)
    }

    fn arrival(&self) -> (Timestamp, SubmissionId) {
        self.gateway.clock.submission()
    }

    async fn keep(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<Part, IntakeError> {
        let name = name.to_owned();
        if let Some(why) = self.gateway.space.refusal() {
            return Ok(Part::Refused { field: String::new(), name, why });
        }
        let kept = async {
            let mut upload = self.gateway.attachments.begin(&self.gateway.clock).await?;
            upload.write(bytes).await?;
            upload.finish().await
        };
        let kept = kept.await.map_err(|error| IntakeError::Busy(format!("a file cannot be kept: {error}")))?;
        let content_type = content_type.to_owned();
        Ok(Part::File(FileRef { sha256: kept.sha256, name, content_type, size: kept.size, field: String::new() }))
    }

    fn report(&self, report: PullReport) {
        self.gateway.desk.tell(self.source, report, self.gateway.clock.now());
        self.told.notify_one();
    }

    async fn asked(&self) -> Ask {
        let mut asked = self.ask.subscribe();
        loop {
            if let Some(ask) = *asked.borrow_and_update() {
                return ask;
            }
            if asked.changed().await.is_err() {
                // Nobody asks any more.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn answered(&self) -> Result<(), IntakeError> {
        let Some(store) = self.gateway.store_now() else { return Ok(()) };
        let done = async {
            // Whoever sees that the question is gone finds the answer under way.
            if let Some(report) = self.news() {
                self.write(&report).await?;
            }
            // Another may have been asked for meanwhile.
            let now = self.kept_ask(&**store).await?;
            let answered = *self.ask.borrow();
            if now == answered {
                store.ask_source(self.source, None, self.gateway.clock.now()).await?;
            }
            self.ask.send_replace(now.filter(|_| now != answered));
            Ok::<(), StoreError>(())
        };
        done.await.map_err(|error| IntakeError::Busy(error.to_string()))
    }

    fn random(&self) -> u64 {
        self.gateway.clock.uuid().as_u64_pair().1
    }

    fn url(&self) -> Option<String> {
        let live = self.gateway.live();
        let source = live.sources.iter().find(|source| source.id == *self.source)?;
        Some(format!("{}{}", live.base_url, source.path()))
    }
}

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        self.gateway.desk.leave(self.source);
    }
}
