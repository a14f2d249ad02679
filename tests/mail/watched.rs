//! What the tests have in common: gateways that watch mailboxes, and what they must have read in the end.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::{Context as _, ensure};
use leadgate_tests::client::{World, until};
use leadgate_tests::dovecot::{Dovecot, PASSWORD, USER};
use leadgate_tests::gateway::Setup;
use leadgate_tests::mail::letter;
use leadgate_tests::people;
use leadgate_tests::postgres::Database;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The source of most tests.
pub const SOURCE: &str = "mail";
/// Before any mail of a test.
pub const LONG_AGO: &str = "backfill = \"2000-01-01\"\n";

/// The section of a source that watches the mailbox of [`USER`] over TLS.
pub fn section(server: &Dovecot, more: &str) -> String {
    section_of(server, SOURCE, USER, more)
}

/// The section of a source that watches an account's mailbox over TLS.
pub fn section_of(server: &Dovecot, source: &str, user: &str, more: &str) -> String {
    format!(
        "[sources.{source}]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\n\
         ca = \"{}\"\n{more}\n",
        server.imaps_port(),
        server.authority().display()
    )
}

/// A gateway of the company `zavod.ru`. What died comes back soon: leases are short.
pub fn setup(sections: &str) -> Setup {
    Setup {
        company: "domains = [\"zavod.ru\"]".to_owned(),
        server: "lease = \"1 s\"".to_owned(),
        more: sections.to_owned(),
        ..Setup::default()
    }
}

/// The same on a PostgreSQL database.
pub fn on(database: &Database, sections: &str) -> Setup {
    Setup { database: database.url.clone(), ..setup(sections) }
}

/// A server with an empty mailbox that a gateway watches.
pub async fn watched(more: &str) -> anyhow::Result<(Dovecot, World)> {
    let server = Dovecot::start().await?;
    // Opened once, its folders are there.
    server.imap(USER).await?.select("INBOX").await?;
    let world = World::new(&setup(&section(&server, more))).await?;
    watching(&world, SOURCE).await?;
    Ok((server, world))
}

/// What a gateway tells of reading a source.
pub async fn report(world: &World, source: &str) -> anyhow::Result<Value> {
    let sources = world.get("/sources").await?;
    let sources = sources.as_array().context("a list")?;
    let source = sources.iter().find(|known| known["id"] == source).context("there is such a source")?;
    Ok(source["reading"].clone())
}

/// Waits until everything that is there is read.
pub async fn watching(world: &World, source: &str) -> anyhow::Result<()> {
    until("the mailbox is watched", async || {
        let report = report(world, source).await?;
        let done = |folder: &Value| folder["behind"] == 0 && folder["backfill"].is_null();
        let folders = report["folders"].as_array().is_some_and(|folders| folders.iter().all(done));
        Ok((report["state"] == "watching" && report["ask"].is_null() && folders).then_some(()))
    })
    .await
    .with_context(|| said(world))
}

/// What a gateway said, without what is said of it while it starts.
fn said(world: &World) -> String {
    let log = world.gateway.log().unwrap_or_default();
    log.lines().filter(|line| !line.contains("route=\"/readyz\"")).collect::<Vec<_>>().join("\n")
}

/// How many deliveries are kept.
pub async fn kept(world: &World) -> anyhow::Result<u64> {
    world.get("/status").await?["submissions"].as_u64().context("a count")
}

/// Waits until so many deliveries are kept.
pub async fn keeps(world: &World, many: u64) -> anyhow::Result<()> {
    // In steps: on a busy machine all of them take a while.
    let mut begun = kept(world).await?;
    while begun < many {
        let next = (begun + 100).min(many);
        begun = until(&format!("{next} mails are read"), async || Ok(Some(kept(world).await?).filter(|kept| *kept >= next)))
            .await
            .with_context(|| said(world))?;
    }
    Ok(())
}

/// Exactly the letters of these numbers are read, each once: one lead each, with one activity.
pub async fn each_once(world: &World, numbers: impl IntoIterator<Item = u64>) -> anyhow::Result<()> {
    let expected: BTreeSet<_> = numbers.into_iter().map(people::email).collect();
    let leads = world.leads().await?;
    let found: BTreeSet<_> = leads.iter().filter_map(|lead| lead["email"].as_str().map(str::to_owned)).collect();
    let (missing, more): (Vec<_>, Vec<_>) = (expected.difference(&found).collect(), found.difference(&expected).collect());
    ensure!(missing.is_empty() && more.is_empty(), "missing: {missing:?}; not expected: {more:?}");
    ensure!(leads.len() == expected.len(), "{} leads of {} people", leads.len(), expected.len());
    let twice: Vec<_> = leads.iter().filter(|lead| lead["activities"] != 1).collect();
    ensure!(twice.is_empty(), "read twice: {twice:?}");
    ensure!(kept(world).await? == expected.len() as u64, "{} deliveries of {} mails", kept(world).await?, expected.len());
    let log = world.gateway.log()?;
    ensure!(!log.contains("panick"), "{log}");
    Ok(())
}

/// Puts letters into a folder of [`USER`].
pub async fn append(server: &Dovecot, folder: &str, numbers: Range<u64>) -> anyhow::Result<()> {
    let letters: Vec<_> = numbers.map(letter).collect();
    let mut imap = server.imap(USER).await?;
    for some in letters.chunks(500) {
        imap.append(folder, some).await?;
    }
    Ok(())
}

/// Letters that are delivered to [`USER`] one after another, until told to stop.
pub struct Deliveries {
    running: JoinHandle<anyhow::Result<u64>>,
    stop: watch::Sender<bool>,
}

impl Deliveries {
    /// Delivers letters from this number on, at most `most`.
    pub fn begin(server: &Dovecot, from: u64, most: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let port = server.lmtp_port();
        let running = tokio::spawn(async move {
            let mut lmtp = leadgate_tests::mail::Lmtp::open(port).await?;
            let mut next = from;
            while next < from + most && !*stopped.borrow() {
                lmtp.deliver(&people::email(next), USER, letter(next).as_bytes()).await?;
                next += 1;
            }
            Ok(next)
        });
        Self { running, stop }
    }

    /// Stops. The number after the last that was delivered.
    pub async fn end(self) -> anyhow::Result<u64> {
        self.stop.send_replace(true);
        self.running.await?
    }
}
