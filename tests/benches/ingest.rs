//! Durable leads a second over real HTTP, beside a route that decodes the same form and stores nothing.
//!
//! `cargo bench -p leadgate-tests --bench ingest` builds the release gateway, starts it on a data folder of its own
//! (`synchronous=FULL`), and posts distinct urlencoded leads from 256 keep-alive connections; the empty route runs as a
//! process of its own, with the same client, in turns. Then a million contacts are put in and the same is posted again.
//! Every line at the end is `figure <name> <value>`; ratios are of one run on one machine.
//!
//! `LEADGATE_BENCH_SECONDS` (default 8) and `LEADGATE_BENCH_CONTACTS` (default 1000000) make it shorter.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::Context;
use leadgate_tests::gateway::{Gateway, Setup, TOKEN, free_port};
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

fn build_release() -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = std::process::Command::new(cargo).args(["build", "--release", "-p", "leadgate"]).status()?;
    anyhow::ensure!(status.success(), "cargo build --release -p leadgate failed");
    Ok(())
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
    let contacts = number("LEADGATE_BENCH_CONTACTS", 1_000_000);
    let port = free_port()?;
    let mut empty = tokio::process::Command::new(std::env::current_exe()?)
        .args(["empty-route", &port.to_string()])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let empty_address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for(empty_address).await?;

    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &Setup::default()).await?;
    let mut ratios = Vec::new();
    let (mut rates, mut p99s) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let nothing = bench.load(empty_address, CONNECTIONS, &bench.fresh).await?;
        let leads = bench.load(gateway.address, CONNECTIONS, &bench.fresh).await?;
        println!(
            "round {round}: empty route {:.0}/s (p99 {:.1} ms); gateway {:.0} durable leads/s (p50 {:.1} ms, p99 {:.1} ms); ratio {:.3}",
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
    }
    let single = bench.load(gateway.address, 1, &bench.fresh).await?;
    println!("one connection: {:.0} leads/s, p50 {:.2} ms, p99 {:.2} ms", single.rate, single.p50_ms, single.p99_ms);
    let rss = gateway.peak_memory_mb()?;
    gateway.stop().await?;

    let base = at_size(&bench, 10_000.min(contacts)).await?;
    let large = at_size(&bench, contacts).await?;
    empty.kill().await?;
    println!("figure ingest.rate {:.0}", median(&mut rates));
    println!("figure ingest.ratio {:.3}", median(&mut ratios));
    println!("figure ingest.p99_ms {:.1}", median(&mut p99s));
    println!("figure ingest.c1_p50_ms {:.2}", single.p50_ms);
    println!("figure ingest.rss_mb {rss:.0}");
    println!("figure ingest.flat_1m_new {:.3}", large.0 / base.0);
    println!("figure ingest.flat_1m_known {:.3}", large.1 / base.1);
    Ok(())
}

/// Leads a second of new and of known people beside `contacts` contacts.
async fn at_size(bench: &Bench, contacts: u64) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    people::fill(&folder.path().join("data/leadgate.db"), contacts).await?;
    println!("{contacts} contacts put in within {:.0} s", begin.elapsed().as_secs_f64());
    let gateway = Gateway::start(folder.path(), &Setup::default()).await?;
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
