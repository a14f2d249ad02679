//! Mails a second from a mailbox to committed leads, beside a bare fetch of the same mails by Python's `imaplib`, one by one.
//!
//! `cargo bench -p leadgate-tests --bench mailbox` builds the release gateway and starts a Dovecot (as root: it changes users)
//! with mails of 5 KB from distinct people. In turns, the program of another fetches all of them and keeps nothing, and a gateway
//! on a new data folder (SQLite, `synchronous=FULL`) reads them as a backfill. Then a larger mailbox, with one mail of 40 MB in
//! its middle, is read for the peak of memory. Every line at the end is `figure <name> <value>`; ratios are of one run on one
//! machine.
//!
//! `LEADGATE_BENCH_MAILS` (default 5000) and `LEADGATE_BENCH_MAILS_MEMORY` (default 20000) make it shorter or longer.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use anyhow::Context;
use leadgate_tests::client::World;
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::gateway::{Setup, build_release};
use leadgate_tests::mail::sized_letter;

const ROUNDS: usize = 3;
const BYTES: usize = 5 << 10;
const HUGE: usize = 40 << 20;

/// Fetches every mail of the inbox by UID, one by one, and says how many, how many bytes, and in how many seconds.
const FETCH: &str = r#"
import imaplib, sys, time
port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
box = imaplib.IMAP4("127.0.0.1", port)
box.login(user, password)
box.select("INBOX", readonly=True)
uids = box.uid("SEARCH", "ALL")[1][0].split()
total, begun = 0, time.monotonic()
for uid in uids:
    status, data = box.uid("FETCH", uid, "(BODY.PEEK[])")
    assert status == "OK"
    total += len(data[0][1])
print(len(uids), total, time.monotonic() - begun)
box.logout()
"#;

fn main() -> anyhow::Result<()> {
    build_release()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn measure() -> anyhow::Result<()> {
    let mails = number("LEADGATE_BENCH_MAILS", 5_000);
    let memory = number("LEADGATE_BENCH_MAILS_MEMORY", 20_000);
    let server = Dovecot::start().await?;
    fill(&server, 0..mails).await?;
    // The server has looked at every mail once before anything is measured.
    let bare = fetch(&server, mails).await?;
    println!("first look: {bare:.0} mails/s");
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let bare = fetch(&server, mails).await?;
        let (leads, _) = read(&server, mails).await?;
        println!("round {round}: imaplib {bare:.0} mails/s; gateway {leads:.0} committed leads/s; ratio {:.3}", leads / bare);
        rates.push(leads);
        ratios.push(leads / bare);
    }
    let server = Dovecot::start().await?;
    fill(&server, 0..memory / 2).await?;
    server.imap(USER).await?.append("INBOX", &[sized_letter(memory, HUGE)]).await?;
    fill(&server, memory / 2..memory).await?;
    let (rate, peak) = read(&server, memory + 1).await?;
    println!("{memory} mails and one of 40 MB: {rate:.0} leads/s, peak memory {peak:.0} MB");
    println!("figure mailbox.ratio {:.3}", median(&mut ratios));
    println!("figure mailbox.rate {:.0}", median(&mut rates));
    println!("figure mailbox.rss_mb {peak:.0}");
    Ok(())
}

async fn fill(server: &Dovecot, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut imap = server.imap(USER).await?;
    let numbers: Vec<_> = numbers.collect();
    for some in numbers.chunks(500) {
        let letters: Vec<_> = some.iter().map(|n| sized_letter(*n, BYTES)).collect();
        imap.append("INBOX", &letters).await?;
    }
    Ok(())
}

/// Mails a second, fetched by another program.
async fn fetch(server: &Dovecot, mails: u64) -> anyhow::Result<f64> {
    let port = server.imap_port().to_string();
    let out = tokio::process::Command::new("python3").args(["-c", FETCH, &port, USER, PASSWORD]).output().await?;
    anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8(out.stdout)?;
    let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [fetched, _, seconds] = numbers[..] else { anyhow::bail!("it said: {said}") };
    anyhow::ensure!((fetched - count(mails)?).abs() < 0.5, "{fetched} of {mails} mails were fetched");
    Ok(fetched / seconds)
}

/// Mails a second that a new gateway makes leads of, and its peak memory in MB.
async fn read(server: &Dovecot, mails: u64) -> anyhow::Result<(f64, f64)> {
    let more = format!(
        "[sources.mail]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"plain\"\nuser = \"{USER}\"\n\
         password = \"{PASSWORD}\"\n",
        server.imap_port()
    );
    let setup = Setup { company: "domains = [\"zavod.ru\"]".to_owned(), more, ..Setup::default() };
    let world = World::new(&setup).await?;
    let mut again = tokio::time::interval(Duration::from_millis(20));
    while world.get("/sources").await?.as_array().is_none_or(|all| all.iter().all(|one| one["reading"]["state"] != "watching")) {
        again.tick().await;
    }
    let begun = Instant::now();
    world.gateway.cli(&["source", "backfill", "mail", "--since", "2000-01-01"]).await?;
    let mut kept = 0;
    let (mut moved, mut before) = (Instant::now(), 0);
    while kept < mails {
        again.tick().await;
        kept = world.get("/status").await?["leads"].as_u64().context("a count")?;
        if kept > before {
            (moved, before) = (Instant::now(), kept);
        }
        anyhow::ensure!(moved.elapsed() < Duration::from_mins(1), "{kept} of {mails} mails were read: {}", world.gateway.log()?);
    }
    let rate = count(mails)? / begun.elapsed().as_secs_f64();
    anyhow::ensure!(kept == mails, "{kept} leads of {mails} mails");
    let peak = world.gateway.peak_memory_mb()?;
    world.gateway.stop().await?;
    Ok((rate, peak))
}

fn count(mails: u64) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(mails)?))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
