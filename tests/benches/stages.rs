//! Where a lead's time goes: microseconds a lead of each stage on one core, without HTTP.
//!
//! `cargo bench -p leadgate-tests --bench stages`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::{BuildContext, Mode, Outcome, Parsed, PathToken, Push, Request, Secrets, Store as _};
use leadgate_core::prepare::Prepared;
use leadgate_core::secret::Secret;
use leadgate_core::submission::{Batch, Submission};
use leadgate_tests::people;
use uuid::Uuid;

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "a text".to_owned())
    }
}

fn connector(source: &SourceId) -> anyhow::Result<Box<dyn Push>> {
    let config: toml::Table = toml::from_str("allow_origins = [\"*\"]\nrequire_origin = false\nper_minute = 1000000\n")?;
    let context = BuildContext {
        source: source.clone(),
        language: "en".to_owned(),
        company: "Test".to_owned(),
        public_url: "http://127.0.0.1:8080".to_owned(),
        country: None,
        ours: Arc::default(),
        data: std::path::PathBuf::new(),
    };
    let kind =
        leadgate_web_forms::KINDS.iter().find(|kind| kind.name == "html_form").ok_or_else(|| anyhow::anyhow!("html_form"))?;
    match (kind.build)(config, &NoSecrets, &context).map_err(|problems| anyhow::anyhow!("{problems:?}"))?.mode {
        Mode::Push(push) => Ok(push),
        Mode::Pull(_) | Mode::Both(..) => anyhow::bail!("html_form is pushed"),
    }
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let source = SourceId::parse("site")?;
    let push = connector(&source)?;
    let rules = Arc::new(people::rules());
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let headers: Vec<(String, String)> = [
        ("host", "gateway"),
        ("origin", "http://shop.example"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("content-length", "300"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut spent = [Duration::ZERO; 4];
    let folder = tempfile::tempdir()?;
    let store =
        leadgate_store_sqlite::SqliteStore::open(&folder.path().join("stages.db"), leadgate_store_sqlite::Options::default())
            .await?;
    let (batches, size) = (150_u64, 256_u64);
    for batch in 0..batches {
        let bodies: Vec<Bytes> = (0..size)
            .map(|n| {
                let mut body = String::new();
                people::form(batch * size + n, &mut body);
                Bytes::from(body)
            })
            .collect();
        let request = |n: usize, body| Request {
            id: SubmissionId(Uuid::from_u128((0x0192_0000_0000_7000_8000 << 48) | u128::from(batch * size + n as u64))),
            source: &source,
            method: "POST",
            url: "http://127.0.0.1:8080/in/site/token",
            headers: &headers,
            body,
            parts: None,
            peer: "203.0.113.9".parse().ok(),
            received_at: begin + SignedDuration::from_millis(i64::try_from(batch * size).unwrap_or(0)),
            path_token: PathToken::Valid,
            rest: "",
        };
        let at = Instant::now();
        let parsed: Vec<Submission> = bodies
            .iter()
            .enumerate()
            .filter_map(|(n, body)| match push.parse(&request(n, body)) {
                Ok(Parsed::Submissions(submissions)) => submissions.into_iter().next(),
                _ => None,
            })
            .collect();
        spent[0] += at.elapsed();
        anyhow::ensure!(parsed.len() as u64 == size, "every form is a submission");
        let at = Instant::now();
        let items: Vec<Arc<Prepared>> =
            parsed.into_iter().map(|submission| Arc::new(Prepared::new(submission, &rules))).collect();
        spent[1] += at.elapsed();
        let at = Instant::now();
        let receipts = store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&rules)).await?;
        spent[2] += at.elapsed();
        anyhow::ensure!(receipts.len() as u64 == size, "one receipt an item");
        let at = Instant::now();
        for (n, body) in bodies.iter().enumerate() {
            black_box(push.reply(&request(n, body), Outcome::Recorded(&receipts[n..=n])));
        }
        spent[3] += at.elapsed();
    }
    store.close().await;
    for (name, spent) in ["parse", "prepare", "record", "reply"].iter().zip(spent) {
        #[expect(clippy::cast_precision_loss, reason = "a count of leads")]
        let micros = spent.as_secs_f64() * 1e6 / (batches * size) as f64;
        println!("figure stages.{name}_us {micros:.2}");
    }
    Ok(())
}
