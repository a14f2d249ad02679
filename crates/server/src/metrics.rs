//! Every metric, by name, in one place. Labels are bounded: configured sources, outcomes, route templates, status codes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leadgate_core::ids::SourceId;
use leadgate_core::ports::{PullReport, PullState};
use leadgate_core::receipt::Outcome;
use leadgate_core::views::SourceHealth;
use metrics::{Counter, Gauge, Histogram, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const SUBMISSIONS: &str = "leadgate_submissions_total";
const REFUSED: &str = "leadgate_refused_total";
const CALLERS: &str = "leadgate_callers_asked_total";
const ROUTED: &str = "leadgate_calls_routed_total";
const INTAKE_SECONDS: &str = "leadgate_intake_seconds";
const INTAKE_QUEUE: &str = "leadgate_intake_queue_items";
const HTTP_REQUESTS: &str = "leadgate_http_requests_total";
const SOURCE_LAST: &str = "leadgate_source_last_seconds";
const SOURCE_UP: &str = "leadgate_source_up";
const SOURCE_BEHIND: &str = "leadgate_source_behind";
const SOURCE_HEARD: &str = "leadgate_source_last_heard_seconds";
const SOURCE_QUARANTINED: &str = "leadgate_source_quarantined";
const SOURCE_SILENT: &str = "leadgate_source_silent";
const SOURCE_MISSED: &str = "leadgate_source_missed_deliveries";
const PHONE_PANICS: &str = "leadgate_phone_parser_panics_total";
const DISK_FREE: &str = "leadgate_disk_free_bytes";
const CONNECTIONS: &str = "leadgate_http_connections";
const DATABASE_WRITABLE: &str = "leadgate_database_writable";
const RELOADS: &str = "leadgate_reloads_total";
const ATTACHMENTS_SWEPT: &str = "leadgate_attachments_swept_total";
const THINNED: &str = "leadgate_submissions_emptied_total";
const SPACE_LOW: &str = "leadgate_space_low";
const DELIVERIES: &str = "leadgate_deliveries_total";
const DELIVERY_SECONDS: &str = "leadgate_delivery_seconds";
const JOBS: &str = "leadgate_outbox_jobs";
const HOUSEKEEPING_FAILURES: &str = "leadgate_housekeeping_failures_total";
const CERTIFICATE_DAYS: &str = "leadgate_certificate_days_left";

/// The route template of senders' calls.
pub const INBOUND: &str = "/in/{source}/{token}";

/// From half of a millisecond, where group commit begins, to the seconds of a full queue.
const INTAKE_BUCKETS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0];

/// The recorder of the process: made once, shared by every gateway in it (tests run several).
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, if none is there, and hands out what renders it. `None`: somebody else's recorder is installed.
pub fn install() -> Option<PrometheusHandle> {
    RECORDER.get_or_init(make).clone()
}

fn make() -> Option<PrometheusHandle> {
    let builder = match PrometheusBuilder::new().set_buckets(&INTAKE_BUCKETS) {
        Ok(builder) => builder,
        Err(error) => {
            tracing::error!(%error, "metrics are off");
            return None;
        }
    };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::error!(%error, "metrics are off");
        return None;
    }
    describe();
    Some(handle)
}

fn describe() {
    metrics::describe_counter!(SUBMISSIONS, "Submissions recorded, by source and outcome");
    metrics::describe_counter!(REFUSED, "Calls refused without being recorded, by source and reason");
    metrics::describe_counter!(CALLERS, "Questions of telephony who calls, by source and answer");
    metrics::describe_counter!(ROUTED, "Calls that a provider was told to put through, by source and result");
    metrics::describe_histogram!(INTAKE_SECONDS, Unit::Seconds, "From a call's arrival to its answer, commit included");
    metrics::describe_gauge!(INTAKE_QUEUE, "Submissions that wait for their commit");
    metrics::describe_counter!(HTTP_REQUESTS, "HTTP requests, by route and status");
    metrics::describe_gauge!(SOURCE_LAST, Unit::Seconds, "Unix time at which a source last sent something that was accepted");
    metrics::describe_gauge!(SOURCE_UP, "1 while this gateway reads a source and all is well");
    metrics::describe_gauge!(SOURCE_BEHIND, "What a source holds that was not read yet, at most");
    metrics::describe_gauge!(
        SOURCE_HEARD,
        Unit::Seconds,
        "Unix time at which the other side of a source that is read last answered"
    );
    metrics::describe_gauge!(SOURCE_QUARANTINED, "What a source passed over into quarantine because it could not be had");
    metrics::describe_gauge!(SOURCE_SILENT, "1 where so much usually comes at this hour that nothing is no accident");
    metrics::describe_gauge!(SOURCE_MISSED, "Deliveries of which mails told and that never came, in the last 30 days");
    metrics::describe_counter!(PHONE_PANICS, "Panics of the phone library that were caught");
    metrics::describe_gauge!(DISK_FREE, Unit::Bytes, "Free bytes on the disk of the database and the attachments");
    metrics::describe_gauge!(CONNECTIONS, "Open HTTP connections");
    metrics::describe_gauge!(DATABASE_WRITABLE, "1 if the last write was committed");
    metrics::describe_counter!(RELOADS, "Reloads of the configuration, by result");
    metrics::describe_counter!(ATTACHMENTS_SWEPT, "Attachments deleted because nothing names them");
    metrics::describe_counter!(THINNED, "Deliveries that lost their bytes or went, by age and quota");
    metrics::describe_counter!(DELIVERIES, "Attempts to deliver outward, by target and outcome");
    metrics::describe_histogram!(DELIVERY_SECONDS, Unit::Seconds, "How long one attempt to deliver took");
    metrics::describe_gauge!(JOBS, "Deliveries that are owed, by target and state");
    metrics::describe_gauge!(SPACE_LOW, "1 while too little space is free for files");
    metrics::describe_counter!(HOUSEKEEPING_FAILURES, "Housekeeping that failed, by task");
    metrics::describe_gauge!(CERTIFICATE_DAYS, "Whole days until the certificate of [server.tls] ends; below 0 when it has");
}

/// Why a call was refused without being recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No valid token or key.
    Unauthenticated,
    /// Far more from one address than people send.
    TooMany,
    /// The body did not come in time.
    Slow,
    /// The body broke off.
    BrokenOff,
    /// Nothing could be stored.
    Busy,
    /// The sender has to do something first, such as solving a captcha.
    Again,
}

impl Refused {
    const ALL: [Self; 6] = [Self::Unauthenticated, Self::TooMany, Self::Slow, Self::BrokenOff, Self::Busy, Self::Again];

    fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::TooMany => "too_many",
            Self::Slow => "slow",
            Self::BrokenOff => "broken_off",
            Self::Busy => "busy",
            Self::Again => "again",
        }
    }
}

/// What came of a question who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Somebody is known.
    Known,
    /// Nobody is.
    Unknown,
    /// The database did not answer in time.
    Late,
    /// More questions than telephones ring.
    TooMany,
}

impl Asked {
    fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::TooMany => "too_many",
        }
    }
}

/// The meters of one source, looked up once so that a call only counts.
pub struct SourceMeters {
    outcomes: Vec<Counter>,
    refused: Vec<Counter>,
    source: Arc<str>,
    last: Gauge,
}

impl std::fmt::Debug for SourceMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceMeters")
    }
}

impl SourceMeters {
    /// The meters of a configured source.
    pub fn new(source: &SourceId) -> Self {
        let source: Arc<str> = source.as_str().into();
        let outcome = |o: Outcome| metrics::counter!(SUBMISSIONS, "source" => Arc::clone(&source), "outcome" => o.as_str());
        let refused = |r: Refused| metrics::counter!(REFUSED, "source" => Arc::clone(&source), "reason" => r.as_str());
        Self {
            outcomes: Outcome::ALL.into_iter().map(outcome).collect(),
            refused: Refused::ALL.into_iter().map(refused).collect(),
            last: metrics::gauge!(SOURCE_LAST, "source" => Arc::clone(&source)),
            source,
        }
    }

    /// A submission was recorded.
    pub fn recorded(&self, outcome: Outcome, unix_seconds: i64) {
        if let Some(at) = Outcome::ALL.iter().position(|known| *known == outcome) {
            self.outcomes[at].increment(1);
        }
        if !matches!(outcome, Outcome::Quarantined | Outcome::Spam) {
            self.last.set(lossy(unix_seconds.unsigned_abs()));
        }
    }

    /// A call was refused without being recorded.
    pub fn refused(&self, why: Refused) {
        if let Some(at) = Refused::ALL.iter().position(|known| *known == why) {
            self.refused[at].increment(1);
        }
    }

    /// A provider asked who calls. Few sources ever do, so this is looked up when it happens.
    pub fn asked(&self, asked: Asked) {
        metrics::counter!(CALLERS, "source" => Arc::clone(&self.source), "answer" => asked.as_str()).increment(1);
    }
}

/// A provider was called to put a call through, and did as it was told or not.
pub fn routed(source: &SourceId, done: bool) {
    let result = if done { "done" } else { "failed" };
    metrics::counter!(ROUTED, "source" => source.as_str().to_owned(), "result" => result).increment(1);
}

/// The meters of the gateway that are used on every call.
pub struct Meters {
    intake: Histogram,
    inbound: [(u16, Counter); 4],
    connections: Gauge,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            intake: metrics::histogram!(INTAKE_SECONDS),
            inbound: [200, 204, 303, 404].map(|status| (status, http_counter(INBOUND, status))),
            connections: metrics::gauge!(CONNECTIONS),
        }
    }
}

impl Meters {
    /// A call was answered after its commit.
    pub fn intake(&self, took: Duration) {
        self.intake.record(took.as_secs_f64());
    }

    /// A sender's call was answered.
    pub fn inbound(&self, status: u16) {
        match self.inbound.iter().find(|(known, _)| *known == status) {
            Some((_, counter)) => counter.increment(1),
            None => http(INBOUND, status),
        }
    }

    /// A connection was opened.
    pub fn connected(&self) {
        self.connections.increment(1.0);
    }

    /// A connection was closed.
    pub fn disconnected(&self) {
        self.connections.decrement(1.0);
    }
}

/// An HTTP request was answered.
pub fn http(route: &str, status: u16) {
    http_counter(route, status).increment(1);
}

fn http_counter(route: &str, status: u16) -> Counter {
    metrics::counter!(HTTP_REQUESTS, "route" => route.to_owned(), "status" => status.to_string())
}

/// What is measured rather than counted, now.
pub fn gauges(queue: usize, disk_free: Option<u64>, writable: bool) {
    metrics::gauge!(INTAKE_QUEUE).set(lossy(queue as u64));
    if let Some(free) = disk_free {
        metrics::gauge!(DISK_FREE).set(lossy(free));
    }
    metrics::gauge!(DATABASE_WRITABLE).set(if writable { 1.0 } else { 0.0 });
    metrics::counter!(PHONE_PANICS).absolute(leadgate_core::phone::panics());
}

/// How reading a source goes, at the gateway that reads it.
pub fn reading(source: &SourceId, report: &PullReport) {
    let label = || source.as_str().to_owned();
    let well = matches!(report.state, PullState::Reading | PullState::Watching);
    metrics::gauge!(SOURCE_UP, "source" => label()).set(if well { 1.0 } else { 0.0 });
    let sum = |count: fn(&leadgate_core::ports::FolderReport) -> u64| lossy(report.folders.iter().map(count).sum());
    metrics::gauge!(SOURCE_BEHIND, "source" => label()).set(sum(|folder| folder.behind));
    metrics::gauge!(SOURCE_QUARANTINED, "source" => label()).set(sum(|folder| folder.quarantined));
    if let Some(at) = report.heard_at {
        metrics::gauge!(SOURCE_HEARD, "source" => label()).set(lossy(at.as_second().unsigned_abs()));
    }
}

/// What is known of a source without it saying anything. `expected`: whether anything should come from it; if not, all is well.
pub fn health(health: &SourceHealth, expected: bool) {
    let label = || health.source.as_str().to_owned();
    metrics::gauge!(SOURCE_SILENT, "source" => label()).set(if expected && health.silent { 1.0 } else { 0.0 });
    let missed = health.broken.filter(|_| expected).map_or(0, |broken| broken.missed);
    metrics::gauge!(SOURCE_MISSED, "source" => label()).set(lossy(missed));
}

/// The certificate has so many days left.
pub fn certificate(days: i64) {
    metrics::gauge!(CERTIFICATE_DAYS).set(f64::from(i32::try_from(days).unwrap_or(i32::MAX)));
}

/// The configuration was read again.
pub fn reloaded(taken: bool) {
    metrics::counter!(RELOADS, "result" => if taken { "taken" } else { "refused" }).increment(1);
}

/// Attachments were deleted.
pub fn attachments_swept(count: u64) {
    metrics::counter!(ATTACHMENTS_SWEPT).increment(count);
}

/// Deliveries lost their bytes.
pub fn thinned(count: u64) {
    metrics::counter!(THINNED).increment(count);
}

/// Whether too little space is free for files.
pub fn space(low: bool) {
    metrics::gauge!(SPACE_LOW).set(if low { 1.0 } else { 0.0 });
}

/// A housekeeping task failed.
pub fn housekeeping_failed(task: &'static str) {
    metrics::counter!(HOUSEKEEPING_FAILURES, "task" => task).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; bytes and seconds fit it well enough")]
fn lossy(value: u64) -> f64 {
    value as f64
}

/// An attempt to deliver ended.
pub fn delivered(target: &str, outcome: &'static str, took: Duration) {
    metrics::counter!(DELIVERIES, "target" => target.to_owned(), "outcome" => outcome).increment(1);
    metrics::histogram!(DELIVERY_SECONDS).record(took);
}

/// How many deliveries are owed.
pub fn owed(target: &str, state: &'static str, count: u64) {
    metrics::gauge!(JOBS, "target" => target.to_owned(), "state" => state).set(lossy(count));
}

#[cfg(test)]
mod tests {
    use leadgate_core::views::Broken;

    use super::*;

    #[test]
    fn silence_and_what_was_missed_are_gauges() {
        let handle = install().unwrap();
        let source = SourceId::parse("metrics-test").unwrap();
        let well = SourceHealth {
            source,
            last_accepted: None,
            last_rejected: None,
            last_rejection: None,
            counts: Vec::new(),
            refused: 0,
            usual: None,
            silent: false,
            broken: None,
        };
        let ill =
            SourceHealth { silent: true, broken: Some(Broken { since: jiff::Timestamp::UNIX_EPOCH, missed: 3 }), ..well.clone() };
        for (told, expected, silent, missed) in [(&ill, true, 1, 3), (&ill, false, 0, 0), (&ill, true, 1, 3), (&well, true, 0, 0)]
        {
            health(told, expected);
            let text = handle.render();
            assert!(text.contains(&format!("leadgate_source_silent{{source=\"metrics-test\"}} {silent}\n")), "{text}");
            assert!(text.contains(&format!("leadgate_source_missed_deliveries{{source=\"metrics-test\"}} {missed}\n")), "{text}");
        }
    }
}
