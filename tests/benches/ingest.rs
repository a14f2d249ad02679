//! Durable leads a second over real HTTP, beside a route that decodes the same form and stores nothing.
//!
//! `cargo bench -p leadgate-tests --bench ingest` builds the release gateway, starts it on a data folder of its own
//! (`synchronous=FULL`), and posts distinct urlencoded leads from 256 keep-alive connections; the empty route runs as a
//! process of its own, with the same client, in turns. Then a million contacts are put in and the same is posted again. First
//! on SQLite, then on a PostgreSQL of its own, beside `pgbench` with one durable single-row insert a transaction.
//! Every line at the end is `figure <name> <value>`; ratios are of one run on one machine.
//!
//! `LEADGATE_BENCH_SECONDS` (default 8) and `LEADGATE_BENCH_CONTACTS` (default 1000000) make it shorter;
//! `LEADGATE_BENCH_STORES` (default `sqlite,postgres`) leaves one out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use leadgate_core::ports::Store as _;
use leadgate_store_postgres::{Options, PostgresStore};
use leadgate_tests::cluster::Cluster;
use leadgate_tests::cpu;
use leadgate_tests::gateway::{Gateway, Setup, TOKEN, build_release, free_port};
use leadgate_tests::load::{Body, Figures, run};
use leadgate_tests::people;

const CONNECTIONS: usize = 256;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("empty-route") {
        let port: u16 = arguments.next().context("a port")?.parse()?;
        // As many threads as the gateway has.
        return tokio::runtime::Runtime::new()?.block_on(empty_route(port));
    }
    build_release()?;
    // One thread: the client should leave the machine to what is measured.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn empty_route(port: u16) -> anyhow::Result<()> {
    async fn decode(axum::extract::Form(fields): axum::extract::Form<HashMap<String, String>>) -> String {
        format!("{}", fields.len())
    }
    let app = axum::Router::new().route("/in/site/{token}", axum::routing::post(decode));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

struct Bench {
    path: String,
    time: Duration,
    counter: Arc<AtomicU64>,
    fresh: Body,
}

impl Bench {
    async fn load(&self, to: SocketAddr, connections: usize, body: &Body) -> anyhow::Result<Figures> {
        let figures = run(to, &self.path, connections, Duration::from_secs(1), self.time, &self.counter, body).await?;
        anyhow::ensure!(figures.bad == 0, "{} of {} answers were no success", figures.bad, figures.bad + figures.good);
        Ok(figures)
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn measure() -> anyhow::Result<()> {
    let bench = Bench {
        path: format!("/in/site/{TOKEN}"),
        time: Duration::from_secs(number("LEADGATE_BENCH_SECONDS", 8)),
        counter: Arc::new(AtomicU64::new(1 << 32)),
        fresh: Arc::new(people::form),
    };
    let stores = std::env::var("LEADGATE_BENCH_STORES").unwrap_or_else(|_| "sqlite,postgres".to_owned());
    let contacts = number("LEADGATE_BENCH_CONTACTS", 1_000_000);
    let port = free_port()?;
    let mut empty = tokio::process::Command::new(std::env::current_exe()?)
        .args(["empty-route", &port.to_string()])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let empty_address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for(empty_address).await?;
    let mut figures = Vec::new();
    if stores.contains("sqlite") {
        figures.extend(sqlite(&bench, empty_address, contacts).await?);
    }
    if stores.contains("postgres") {
        figures.extend(postgres(&bench, empty_address, contacts).await?);
    }
    empty.kill().await?;
    for (name, value) in figures {
        println!("figure ingest.{name} {value}");
    }
    Ok(())
}

type Named = Vec<(&'static str, String)>;

async fn sqlite(bench: &Bench, empty: SocketAddr, contacts: u64) -> anyhow::Result<Named> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &Setup::default()).await?;
    let beside = beside_the_empty_route(bench, empty, &gateway, None).await?;
    let single = bench.load(gateway.address, 1, &bench.fresh).await?;
    println!("one connection: {:.0} leads/s, p50 {:.2} ms, p99 {:.2} ms", single.rate, single.p50_ms, single.p99_ms);
    let rss = gateway.peak_memory_mb()?;
    gateway.stop().await?;
    let base = at_size(bench, 10_000.min(contacts), None).await?;
    let large = at_size(bench, contacts, None).await?;
    Ok(vec![
        ("rate", format!("{:.0}", beside.rate)),
        ("ratio", format!("{:.3}", beside.ratio)),
        ("p99_ms", format!("{:.1}", beside.p99_ms)),
        ("c1_p50_ms", format!("{:.2}", single.p50_ms)),
        ("rss_mb", format!("{rss:.0}")),
        ("sqlite_cpu_us", format!("{:.0}", beside.cpu_us)),
        ("flat_1m_new", format!("{:.3}", large.0 / base.0)),
        ("flat_1m_known", format!("{:.3}", large.1 / base.1)),
    ])
}

async fn postgres(bench: &Bench, empty: SocketAddr, contacts: u64) -> anyhow::Result<Named> {
    let cluster = Cluster::start().await?;
    let setup = Setup { database: cluster.database("leads").await?, ..Setup::default() };
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let beside = beside_the_empty_route(bench, empty, &gateway, Some(&cluster)).await?;
    gateway.stop().await?;
    let inserts = pgbench(&cluster, bench.time).await?;
    println!("pgbench, 32 clients, one durable insert a transaction: {inserts:.0}/s");
    let base = at_size(bench, 10_000.min(contacts), Some(&cluster)).await?;
    let large = at_size(bench, contacts, Some(&cluster)).await?;
    Ok(vec![
        ("postgres_rate", format!("{:.0}", beside.rate)),
        ("postgres_ratio", format!("{:.3}", beside.ratio)),
        ("postgres_p99_ms", format!("{:.1}", beside.p99_ms)),
        ("postgres_vs_pgbench", format!("{:.2}", beside.rate / inserts)),
        ("postgres_cpu_us", format!("{:.0}", beside.cpu_us)),
        ("postgres_flat_1m_new", format!("{:.3}", large.0 / base.0)),
        ("postgres_flat_1m_known", format!("{:.3}", large.1 / base.1)),
    ])
}

/// What a gateway does beside a route that does nothing: medians.
struct Beside {
    rate: f64,
    ratio: f64,
    p99_ms: f64,
    /// Processor time of the gateway, and of its database's server, for a lead.
    cpu_us: f64,
}

async fn beside_the_empty_route(
    bench: &Bench,
    empty: SocketAddr,
    gateway: &Gateway,
    cluster: Option<&Cluster>,
) -> anyhow::Result<Beside> {
    let pid = gateway.child.id().context("it runs")?;
    let used = || -> anyhow::Result<Duration> {
        let server = cluster.map(|cluster| cpu::of_family(cluster.pid()?)).transpose()?.unwrap_or_default();
        Ok(cpu::of(pid)? + server)
    };
    let (mut rates, mut ratios, mut p99s, mut cpus) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let nothing = bench.load(empty, CONNECTIONS, &bench.fresh).await?;
        let (before, from) = (used()?, bench.counter.load(Ordering::Relaxed));
        let leads = bench.load(gateway.address, CONNECTIONS, &bench.fresh).await?;
        // The warm-up's leads took time, too.
        let sent = bench.counter.load(Ordering::Relaxed) - from;
        let cpu = used()?.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(u32::try_from(sent)?);
        println!(
            "round {round}: empty route {:.0}/s (p99 {:.1} ms); gateway {:.0} durable leads/s (p50 {:.1} ms, p99 {:.1} ms, {cpu:.0} us CPU); ratio {:.3}",
            nothing.rate,
            nothing.p99_ms,
            leads.rate,
            leads.p50_ms,
            leads.p99_ms,
            leads.rate / nothing.rate
        );
        ratios.push(leads.rate / nothing.rate);
        rates.push(leads.rate);
        p99s.push(leads.p99_ms);
        cpus.push(cpu);
    }
    Ok(Beside { rate: median(&mut rates), ratio: median(&mut ratios), p99_ms: median(&mut p99s), cpu_us: median(&mut cpus) })
}

/// Durable single-row inserts a second, a transaction each, at 32 clients.
async fn pgbench(cluster: &Cluster, time: Duration) -> anyhow::Result<f64> {
    cluster
        .sql("leads", "CREATE TABLE IF NOT EXISTS yardstick (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)")
        .await?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("insert.sql");
    std::fs::write(&script, format!("INSERT INTO yardstick (body) VALUES ('{}');\n", "x".repeat(300)))?;
    let (port, seconds) = (cluster.port().to_string(), time.as_secs().max(1).to_string());
    let out = tokio::process::Command::new(cluster.program("pgbench"))
        .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-n", "-c", "32", "-j", "2", "-T", &seconds, "-f"])
        .arg(&script)
        .arg("leads")
        .output()
        .await?;
    let told = String::from_utf8_lossy(&out.stdout);
    let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next());
    rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("{told}{}", String::from_utf8_lossy(&out.stderr)))
}

/// Leads a second of new and of known people beside `contacts` contacts.
async fn at_size(bench: &Bench, contacts: u64, cluster: Option<&Cluster>) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    let mut setup = Setup::default();
    if let Some(cluster) = cluster {
        setup.database = cluster.database(&format!("people_{contacts}")).await?;
        let store = PostgresStore::open(&setup.database, Options::default()).await?;
        people::put(&store, 0..contacts).await?;
        store.close().await;
    } else {
        people::fill(&folder.path().join("data/leadgate.db"), contacts).await?;
    }
    println!("{contacts} contacts put in within {:.0} s", begin.elapsed().as_secs_f64());
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let known: Body = Arc::new(move |n, out| people::known_form(n, contacts, out));
    let (mut new, mut again) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        new.push(bench.load(gateway.address, CONNECTIONS, &bench.fresh).await?.rate);
        again.push(bench.load(gateway.address, CONNECTIONS, &known).await?.rate);
    }
    let rss = gateway.peak_memory_mb()?;
    gateway.stop().await?;
    let (new, again) = (median(&mut new), median(&mut again));
    println!("beside {contacts} contacts: {new:.0}/s of new people, {again:.0}/s of known people, peak memory {rss:.0} MB");
    Ok((new, again))
}

async fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    let mut again = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..1_000 {
        again.tick().await;
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
    }
    anyhow::bail!("nothing listens on {address}")
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
