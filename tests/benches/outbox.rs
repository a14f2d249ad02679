//! Deliveries a second to a receiver on the same machine, how long an event is on its way, and what waiting jobs cost intake.
//!
//! `cargo bench -p leadgate-tests --bench outbox` builds the release gateway. First a database is filled with leads that are owed
//! to one webhook with 64 deliveries in flight, and the gateway delivers them; on SQLite, then on a PostgreSQL of its own. Then
//! 500 leads a second are posted for some seconds, and each is on its way from the moment it was received, which is before it is
//! committed, until all of its event is at the receiver. Last, two gateways with as many people and the same configuration are
//! posted to in turns: one of them owes 100,000 deliveries to a target where nobody listens, the other nothing.
//! The receiver and the sender are this process, with one thread. Every line at the end is `figure <name> <value>`.
//!
//! `LEADGATE_BENCH_SECONDS` (default 8), `LEADGATE_BENCH_DELIVERIES` (default 40000) and `LEADGATE_BENCH_WAITING` (default 100000)
//! make it shorter; `LEADGATE_BENCH_PARTS` (default `sqlite,postgres,latency,drag`) leaves something out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use leadgate_core::onward::{Pattern, Recipient, Route, event};
use leadgate_core::ports::Store as _;
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::SqliteStore;
use leadgate_tests::cluster::Cluster;
use leadgate_tests::cpu;
use leadgate_tests::gateway::{Gateway, Setup, TOKEN, build_release, free_port};
use leadgate_tests::load::{Body, Connection, run};
use leadgate_tests::people;
use leadgate_tests::receiver::{Call, Receiver};

const ROUNDS: usize = 3;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw4Nn0Qw2tYhY=";
/// Leads a second of which the time on the way is taken.
const PACE: u64 = 500;
const SENDERS: u64 = 20;
/// As the benchmark of intake has it.
const CONNECTIONS: usize = 256;

fn main() -> anyhow::Result<()> {
    build_release()?;
    // One thread: sender and receiver should leave the machine to what is measured.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn measure() -> anyhow::Result<()> {
    let parts = std::env::var("LEADGATE_BENCH_PARTS").unwrap_or_else(|_| "sqlite,postgres,latency,drag".to_owned());
    let time = Duration::from_secs(number("LEADGATE_BENCH_SECONDS", 8));
    let deliveries = number("LEADGATE_BENCH_DELIVERIES", 40_000);
    let mut figures = Vec::new();
    if parts.contains("sqlite") {
        figures.push(("rate", format!("{:.0}", rate(deliveries, None).await?)));
    }
    if parts.contains("postgres") {
        let cluster = Cluster::start().await?;
        figures.push(("postgres_rate", format!("{:.0}", rate(deliveries, Some(&cluster)).await?)));
    }
    if parts.contains("latency") {
        let (p50, p99) = on_the_way(time).await?;
        figures.extend([("p50_ms", format!("{p50:.1}")), ("p99_ms", format!("{p99:.1}"))]);
    }
    if parts.contains("drag") {
        figures.push(("drag", format!("{:.1}", drag(number("LEADGATE_BENCH_WAITING", 100_000), time).await?)));
    }
    for (name, value) in figures {
        println!("figure outbox.{name} {value}");
    }
    Ok(())
}

/// A webhook that hears of new leads.
fn route(id: &str) -> Route {
    Route {
        target: format!("webhook:{id}").into(),
        recipient: Recipient::Target,
        events: vec![Pattern::One(event::LEAD_CREATED.to_owned())],
        sources: None,
        ordered: false,
    }
}

/// A gateway that tells of new leads at this port. `sources`: only of what comes from these.
fn setup(id: &str, port: u16, sources: &str) -> Setup {
    let more = format!(
        "[webhooks.{id}]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret = \"{SECRET}\"\nevents = [\"{}\"]\nin_flight = 64\n\
         {sources}\n",
        event::LEAD_CREATED
    );
    Setup { server: format!("inner_services = [\"127.0.0.1:{port}\"]"), more, ..Setup::default() }
}

async fn sqlite(folder: &Path) -> anyhow::Result<SqliteStore> {
    std::fs::create_dir_all(folder.join("data"))?;
    Ok(SqliteStore::open(&folder.join("data/leadgate.db"), leadgate_store_sqlite::Options::default()).await?)
}

/// When deliveries arrived: the first that counts and the last.
#[derive(Default)]
struct Arrived {
    count: u64,
    first: Option<Instant>,
}

/// Deliveries a second. The first tenth is a warm-up.
async fn rate(deliveries: u64, cluster: Option<&Cluster>) -> anyhow::Result<f64> {
    let warm_up = deliveries / 10;
    let (arrived, all) = (Arc::new(Mutex::new(Arrived::default())), Arc::new(tokio::sync::Notify::new()));
    let (arrivals, done) = (Arc::clone(&arrived), Arc::clone(&all));
    let receiver = Receiver::counting(move |_| {
        let mut arrived = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.count += 1;
        if arrived.count == warm_up {
            arrived.first = Some(Instant::now());
        }
        if arrived.count == deliveries {
            done.notify_one();
        }
    })
    .await?;
    let mut setup = setup("crm", receiver.port, "");
    let folder = tempfile::tempdir()?;
    if let Some(cluster) = cluster {
        setup.database = cluster.database("leads").await?;
        let store = PostgresStore::open(&setup.database, leadgate_store_postgres::Options::default()).await?;
        people::put_fresh(&store, 0..deliveries, vec![route("crm")]).await?;
        store.close().await;
    } else {
        let store = sqlite(folder.path()).await?;
        people::put_fresh(&store, 0..deliveries, vec![route("crm")]).await?;
        store.close().await;
    }
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let waited = tokio::time::timeout(Duration::from_mins(5), all.notified()).await;
    let (count, first) = {
        let arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
        (arrived.count, arrived.first)
    };
    waited.with_context(|| format!("{count} of {deliveries} deliveries came: {}", gateway.log().unwrap_or_default()))?;
    let seconds = first.context("the first came")?.elapsed().as_secs_f64();
    let used = cpu::of(gateway.child.id().context("it runs")?)?.as_secs_f64();
    gateway.stop().await?;
    let rate = f64::from(u32::try_from(deliveries - warm_up)?) / seconds;
    let name = if cluster.is_some() { "PostgreSQL" } else { "SQLite" };
    println!(
        "{name}: {rate:.0} deliveries/s, {:.0} us CPU of the gateway each",
        used * 1e6 / f64::from(u32::try_from(deliveries)?)
    );
    Ok(rate)
}

/// How long events are on their way at a steady pace, in ms: half of them, and all but a hundredth.
async fn on_the_way(time: Duration) -> anyhow::Result<(f64, f64)> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&times);
    let receiver = Receiver::counting(move |call: Call| {
        let told = call.json()["timestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok()).unwrap_or(Timestamp::MIN);
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(call.at.duration_since(told).as_secs_f64() * 1000.0);
    })
    .await?;
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &setup("crm", receiver.port, "")).await?;
    // What comes in the first second does not count.
    let posts = PACE * (1 + time.as_secs());
    post_steadily(gateway.address, posts).await?;
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let arrived = || times.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
    for _ in 0..1200 {
        again.tick().await;
        if arrived() >= posts {
            break;
        }
    }
    anyhow::ensure!(arrived() >= posts, "{} of {posts} deliveries came: {}", arrived(), gateway.log()?);
    gateway.stop().await?;
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner).split_off(usize::try_from(PACE)?);
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{PACE} leads/s: on the way p50 {p50:.1} ms, p99 {p99:.1} ms, at most {:.1} ms", times[times.len() - 1]);
    Ok((p50, p99))
}

/// Posts forms at [`PACE`], evenly spread over some connections.
async fn post_steadily(to: SocketAddr, posts: u64) -> anyhow::Result<()> {
    let begin = tokio::time::Instant::now() + Duration::from_millis(100);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(async move {
            let mut connection = Connection::open(to).await?;
            let (path, mut text) = (format!("/in/site/{TOKEN}"), String::new());
            for n in (sender..posts).step_by(usize::try_from(SENDERS)?) {
                tokio::time::sleep_until(begin + Duration::from_micros(n * 1_000_000 / PACE)).await;
                text.clear();
                people::form(n, &mut text);
                let status = connection.post(&path, &text).await?;
                anyhow::ensure!(matches!(status, 200 | 303), "form {n} was answered {status}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(())
}

/// By how many percent what waits for a dead target slows intake.
async fn drag(waiting: u64, time: Duration) -> anyhow::Result<f64> {
    // What is posted comes from another source: of that the target hears nothing, so that only what waits makes a difference.
    let sources = "sources = [\"old\"]\n[sources.old]\nkind = \"html_form\"\ntoken = \"another-token-0123456789\"";
    let setup = setup("dead", free_port()?, sources);
    let begun = Instant::now();
    let (owing, free) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (folder, routes) in [(&owing, vec![route("dead")]), (&free, Vec::new())] {
        let store = sqlite(folder.path()).await?;
        people::put_fresh(&store, 0..waiting, routes).await?;
        store.close().await;
    }
    println!("{waiting} people put in twice within {:.0} s", begun.elapsed().as_secs_f64());
    let (owing, free) = (Gateway::start(owing.path(), &setup).await?, Gateway::start(free.path(), &setup).await?);
    let counter = Arc::new(AtomicU64::new(1 << 32));
    let body: Body = Arc::new(people::form);
    let load = async |gateway: &Gateway| -> anyhow::Result<f64> {
        let path = format!("/in/site/{TOKEN}");
        let figures = run(gateway.address, &path, CONNECTIONS, Duration::from_secs(1), time, &counter, &body).await?;
        anyhow::ensure!(figures.bad == 0, "{} answers were no success", figures.bad);
        Ok(figures.rate)
    };
    let mut losses = Vec::new();
    for round in 1..=ROUNDS {
        let (without, with) = if round % 2 == 1 {
            let without = load(&free).await?;
            (without, load(&owing).await?)
        } else {
            let with = load(&owing).await?;
            (load(&free).await?, with)
        };
        println!("round {round}: {without:.0} leads/s with nothing owed, {with:.0} leads/s with {waiting} waiting");
        losses.push((1.0 - with / without) * 100.0);
    }
    println!("{} leads posted", counter.load(Ordering::Relaxed) - (1 << 32));
    println!("{}", owing.cli(&["outbox", "targets"]).await?.trim_end());
    owing.stop().await?;
    free.stop().await?;
    losses.sort_by(f64::total_cmp);
    Ok(losses[losses.len() / 2])
}
