//! Updates of a bot to committed leads a second, and how long a message is on its way to the managers' group.
//!
//! `cargo bench -p leadgate-tests --bench telegram` builds the release gateway. The Bot API is this process, with one thread. First many
//! people have written, one message each, and the gateway polls: an update is counted when the service may forget it, which is after its lead
//! was committed. Then people write at a steady pace, and each message is on its way until its notice is at the service. Every line at
//! the end is `figure <name> <value>`.
//!
//! `LEADGATE_BENCH_UPDATES` (default 30000) and `LEADGATE_BENCH_SECONDS` (default 8) make it shorter.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use leadgate_tests::gateway::{Gateway, Setup, build_release};
use leadgate_tests::telegram::Telegram;

/// Messages a second of which the time on the way is taken.
const PACE: u64 = 20;
const STAFF: i64 = -1_001_234_567_890;
const FIRST: i64 = 10_000_000;

fn main() -> anyhow::Result<()> {
    build_release()?;
    // One thread: the service should leave the machine to what is measured.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn measure() -> anyhow::Result<()> {
    let rate = rate(number("LEADGATE_BENCH_UPDATES", 30_000)).await?;
    let (p50, p99) = on_the_way(Duration::from_secs(number("LEADGATE_BENCH_SECONDS", 8))).await?;
    println!("figure telegram.rate {rate:.0}");
    println!("figure telegram.notice_p50_ms {p50:.1}");
    println!("figure telegram.notice_p99_ms {p99:.1}");
    Ok(())
}

fn setup(service: &Telegram, more: &str, notify: &str) -> Setup {
    let usual = Setup::default();
    Setup { more: notify.to_owned(), site: format!("{}\n{}", usual.site, service.section("bot", more)), ..usual }
}

fn person(n: u64) -> anyhow::Result<i64> {
    Ok(FIRST + i64::try_from(n)?)
}

/// Updates a second. The first tenth is a warm-up.
async fn rate(updates: u64) -> anyhow::Result<f64> {
    let service = Telegram::start().await?;
    for n in 0..updates {
        service.say(person(n)?, "Вера", &format!("Сколько стоит доставка в город {n}?"));
    }
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &setup(&service, "", "")).await?;
    let mut again = tokio::time::interval(Duration::from_millis(5));
    let left_at_first = usize::try_from(updates - updates / 10)?;
    let mut first: Option<(Instant, usize)> = None;
    let begun = Instant::now();
    let seconds = loop {
        again.tick().await;
        let left = service.waiting();
        if left <= left_at_first && first.is_none() {
            first = Some((Instant::now(), left));
        }
        if left == 0 {
            let (at, counted) = first.context("it began")?;
            break at.elapsed().as_secs_f64() / f64::from(u32::try_from(counted)?);
        }
        anyhow::ensure!(begun.elapsed() < Duration::from_mins(3), "{left} updates wait: {}", gateway.log()?);
    };
    gateway.stop().await?;
    println!("{updates} updates: {:.0} a second", 1.0 / seconds);
    Ok(1.0 / seconds)
}

/// How long a message is on its way to the managers' group, in ms: half of them, and all but a hundredth.
async fn on_the_way(time: Duration) -> anyhow::Result<(f64, f64)> {
    let service = Telegram::start().await?;
    let notify = "[[notify]]\nto = [\"telegram:bot\"]\nevents = [\"lead.created\"]\n";
    let folder = tempfile::tempdir()?;
    let more = format!("staff_chat = {STAFF}\ntopics = false");
    let gateway = Gateway::start(folder.path(), &setup(&service, &more, notify)).await?;
    // It polls.
    service.expect("getupdates", 2).await?;
    let count = PACE * time.as_secs();
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / PACE));
    let mut said = HashMap::new();
    for n in 0..count {
        pace.tick().await;
        let marker = format!("enquiry-{n}-");
        service.say(person(n)?, "Вера", &marker);
        said.insert(marker, Instant::now());
    }
    let notices = service.expect("sendmessage", usize::try_from(count)?).await?;
    let mut times = Vec::new();
    for notice in notices {
        let text = notice.parameters["text"].as_str().unwrap_or_default();
        let begun = said.iter().find(|(marker, _)| text.contains(marker.as_str())).map(|(_, at)| *at);
        times.push(notice.at.duration_since(begun.context("a notice of a message")?).as_secs_f64() * 1000.0);
    }
    gateway.stop().await?;
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{PACE} messages/s: on the way p50 {p50:.1} ms, p99 {p99:.1} ms, at most {:.1} ms", times[times.len() - 1]);
    Ok((p50, p99))
}
