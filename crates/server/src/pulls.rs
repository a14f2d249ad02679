//! Sources the gateway asks: each is read by the one gateway that holds its lease, begun anew with backoff when it stops.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{Ask, Feed, Intake as _, IntakeError, Part, PullError, PullReport, source_lease};
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Cursor, CursorMove, FileRef, Submission};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{Gateway, LivePull};
use crate::nodes::Node;

/// The first pause after trouble; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after trouble that may pass.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The pause after the account was refused, or the source cannot work as configured.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);

/// Reads every source that is to be asked, as configured now and after each reload, until told to stop.
pub async fn run(gateway: Arc<Gateway>, node: Node, stop: CancellationToken) {
    loop {
        let reloaded = gateway.reloaded();
        let live = gateway.live();
        let generation = stop.child_token();
        let tasks = TaskTracker::new();
        for pull in live.pulls.iter().filter(|pull| pull.enabled) {
            let (gateway, node, generation, pull) = (Arc::clone(&gateway), node.clone(), generation.clone(), Arc::clone(pull));
            tasks.spawn(async move {
                let lease = source_lease(&pull.id);
                node.while_held(&lease, &generation, |fence| read(&gateway, &pull, fence)).await;
            });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = reloaded => {}
        }
        generation.cancel();
        tasks.close();
        tasks.wait().await;
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Reads one source for as long as it is ours.
async fn read(gateway: &Gateway, pull: &LivePull, fence: i64) {
    let feed = Bound { gateway, source: &pull.id, fence };
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = tokio::time::Instant::now();
        let error = match pull.pull.run(&feed).await {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(source = %pull.id, error = &error as &dyn std::error::Error, "reading a source stopped; it is tried again");
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        let wait = match error {
            PullError::Transient(_) => pause,
            PullError::Auth(_) | PullError::Fatal(_) => REFUSED_PAUSE,
        };
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The way in for one source, under one lease.
struct Bound<'a> {
    gateway: &'a Gateway,
    source: &'a SourceId,
    fence: i64,
}

#[async_trait]
impl Feed for Bound<'_> {
    async fn place(&self) -> Result<Option<Cursor>, IntakeError> {
        self.gateway.intake.cursor(self.source).await
    }

    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError> {
        let to = CursorMove { source: self.source.clone(), to, fence: Some(self.fence) };
        self.gateway.intake.advance(items, to).await
    }

    fn arrival(&self) -> (Timestamp, SubmissionId) {
        self.gateway.clock.submission()
    }

    async fn keep(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<Part, IntakeError> {
        let kept = async {
            let mut upload = self.gateway.attachments.begin(&self.gateway.clock).await?;
            upload.write(bytes).await?;
            upload.finish().await
        };
        let kept = kept.await.map_err(|error| IntakeError::Busy(error.to_string()))?;
        let (name, content_type) = (name.to_owned(), content_type.to_owned());
        Ok(Part::File(FileRef { sha256: kept.sha256, name, content_type, size: kept.size, field: String::new() }))
    }

    fn report(&self, report: PullReport) {
        tracing::debug!(source = %self.source, ?report, "a source tells how it is");
    }

    async fn asked(&self) -> Ask {
        std::future::pending().await
    }

    async fn answered(&self) -> Result<(), IntakeError> {
        Ok(())
    }

    fn random(&self) -> u64 {
        self.gateway.clock.uuid().as_u64_pair().1
    }
}
