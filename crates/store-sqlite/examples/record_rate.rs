//! How many fresh leads a second `record` takes: `cargo run --release -p leadgate-store-sqlite --example record_rate -- <folder>
//! [batch] [leads] [prefilled]`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::Store;
use leadgate_core::prepare::Prepared;
use leadgate_core::rules::Rules;
use leadgate_core::submission::{Batch, Codec, ContentHash, Draft, Purpose, Raw, Submission, Typed};
use leadgate_store_sqlite::{Options, SqliteStore};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Numbers that look drawn, and come out the same every time.
fn scatter(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn lead(n: u64, source: &SourceId, rules: &Rules, start: Timestamp) -> Result<Arc<Prepared>, Failure> {
    let seed = scatter(n);
    let at = start + Duration::from_micros(n * 40);
    // Each number once, in no order.
    let phone = format!("+79{:09}", n * 618_033_989 % 1_000_000_000);
    let email = format!("u{seed:016x}@mail{}.ru", seed % 50);
    let name = format!("Имя{} Фамилия{}", seed % 700, seed % 5000);
    let body = format!(
        "Name={name}&Phone={phone}&Email={email}&comment=Перезвоните, пожалуйста, после обеда&tranid={n}&formid=form1234"
    );
    let millis = u64::try_from(at.as_millisecond())?;
    let id = Uuid::from_u128(
        (u128::from(millis) << 80) | (7 << 76) | (u128::from(n & 0xfff) << 64) | (2 << 62) | u128::from(seed >> 2),
    );
    let draft = Draft {
        name: Some(name.clone()),
        phones: vec![Typed::new("Phone", phone.clone())],
        emails: vec![Typed::new("Email", email.clone())],
        message: Some("Перезвоните, пожалуйста, после обеда".to_owned()),
        ..Draft::default()
    };
    let submission = Submission {
        id: SubmissionId(id),
        source: source.clone(),
        keys: Vec::new(),
        content: ContentHash::of([("name", name.as_str()), ("phone", phone.as_str()), ("email", email.as_str())]),
        received_at: at,
        occurred_at: None,
        historic: false,
        raw: Raw {
            content_type: "application/x-www-form-urlencoded".to_owned(),
            codec: Codec::Plain,
            body: body.into_bytes().into(),
            sha256: [7; 32],
            query: String::new(),
            peer: None,
            head: String::new(),
        },
        draft,
        signals: Vec::new(),
        hold: None,
        purpose: Purpose::Lead,
    };
    Ok(Arc::new(Prepared::new(submission, rules)))
}

async fn run(store: &SqliteStore, from: u64, count: u64, batch: u64, rules: &Arc<Rules>) -> Result<Vec<Duration>, Failure> {
    let source = SourceId::parse("site")?;
    let start: Timestamp = "2025-10-01T10:00:00Z".parse()?;
    let mut times = Vec::new();
    let mut next = from;
    while next < from + count {
        let items: Result<Vec<_>, _> = (next..next + batch).map(|n| lead(n, &source, rules, start)).collect();
        let batch_of = Batch { items: items?, cursors: Vec::new() };
        let began = Instant::now();
        store.record(batch_of, Arc::clone(rules)).await?;
        times.push(began.elapsed());
        next += batch;
    }
    Ok(times)
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "an example speaks, and rounds")]
fn report(what: &str, batch: u64, mut times: Vec<Duration>) {
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().unwrap_or_default();
    let rate = times.len() as f64 * batch as f64 / total.as_secs_f64();
    println!("{what}: batches of {batch}: {rate:.0} leads/s; a batch p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let folder = arguments.first().map_or(".", String::as_str);
    let (batch, count, prefilled) = (number(1, 256), number(2, 100_000), number(3, 0));
    let store = SqliteStore::open(&Path::new(folder).join("rate.db"), Options::default()).await?;
    let rules = Arc::new(Rules::default());
    let have = store.totals().await?.submissions;
    if prefilled > have {
        report("filling", 1024, run(&store, have, prefilled - have, 1024, &rules).await?);
    }
    let have = store.totals().await?.submissions;
    report("recording", batch, run(&store, have, count, batch, &rules).await?);
    store.close().await;
    Ok(())
}
