//! The gateway itself, killed at random moments while it reads; and two of them on one mailbox.
//!
//! `LEADGATE_SEED` repeats a run.

use anyhow::Context as _;
use leadgate_tests::client::{World, until};
use leadgate_tests::dovecot::{Dovecot, USER};
use leadgate_tests::gateway::{Gateway, Setup};
use leadgate_tests::mail::letter;
use leadgate_tests::people;
use leadgate_tests::postgres::Database;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::watched::{Deliveries, LONG_AGO, SOURCE, append, each_once, keeps, kept, on, section, setup, watching};

/// Mails of a run, half of which are there at its beginning.
const MAILS: u64 = 1_000;
const MOMENTS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_and_double_no_mail_on_sqlite() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    kills(&server, &setup(&section(&server, LONG_AGO))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_and_double_no_mail_on_postgres() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    let database = Database::fresh(false).await?;
    kills(&server, &on(&database, &section(&server, LONG_AGO))).await
}

async fn kills(server: &Dovecot, setup: &Setup) -> anyhow::Result<()> {
    let seed = match std::env::var("LEADGATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => rand::random::<u64>(),
    };
    println!("LEADGATE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    append(server, "INBOX", 0..MAILS / 2).await?;
    let mut folder = tempfile::tempdir()?;
    let mut there = MAILS / 2;
    for _ in 0..MOMENTS {
        let mut lmtp = server.lmtp().await?;
        for n in there..there + MAILS / 2 / MOMENTS {
            lmtp.deliver(&people::email(n), USER, letter(n).as_bytes()).await?;
        }
        there += MAILS / 2 / MOMENTS;
        // Some die while they open the database or connect, some with the first mails, some in the middle.
        let more = match random.random_range(0..5) {
            0 => {
                Gateway::start(folder.path(), setup).await?.kill().await?;
                continue;
            }
            1 => random.random_range(0..3),
            _ => random.random_range(3..80),
        };
        let world = World::in_folder(folder, setup).await?;
        keeps(&world, (kept(&world).await? + more).min(there)).await?;
        world.gateway.kill().await?;
        folder = world.folder;
    }
    let world = World::in_folder(folder, setup).await?;
    keeps(&world, MAILS).await?;
    watching(&world, SOURCE).await?;
    each_once(&world, 0..MAILS).await
}

/// The address of the gateway that reads the mailbox.
async fn reader(world: &World) -> anyhow::Result<Option<String>> {
    let holds = |node: &&Value| {
        let leases = node["leases"].as_array();
        leases.is_some_and(|all| all.iter().any(|lease| lease["name"] == format!("source:{SOURCE}") && lease["expired"] == false))
    };
    let nodes = world.get("/nodes").await?;
    let node = nodes.as_array().context("a list")?.iter().find(holds);
    Ok(node.and_then(|node| node["address"].as_str()).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_mailbox_read_each_mail_once_whoever_dies_or_sleeps() -> anyhow::Result<()> {
    let server = Dovecot::start().await?;
    append(&server, "INBOX", 0..100).await?;
    let database = Database::empty().await?;
    let setup = on(&database, &section(&server, LONG_AGO));
    let (one, two) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    let deliveries = Deliveries::begin(&server, 100, 5_000);

    let first = until("somebody reads", async || reader(&one).await).await?;
    let is_one = first.ends_with(&format!(":{}", one.gateway.address.port()));
    let (asleep, awake) = if is_one { (one, two) } else { (two, one) };
    keeps(&awake, 20).await?;
    asleep.gateway.signal("STOP").await?;
    until("the other takes over", async || Ok(reader(&awake).await?.filter(|address| *address != first))).await?;
    keeps(&awake, kept(&awake).await? + 50).await?;
    // Who wakes up must not go on where it was.
    asleep.gateway.signal("CONT").await?;
    until("it notices", async || Ok(asleep.gateway.log()?.contains("lease").then_some(()))).await?;
    keeps(&awake, kept(&awake).await? + 50).await?;

    // Now the other dies, and the one that slept takes over.
    let second = reader(&asleep).await?.context("somebody reads")?;
    awake.gateway.kill().await?;
    until("the first reads again", async || Ok(reader(&asleep).await?.filter(|address| *address != second))).await?;
    let all = deliveries.end().await?;
    println!("{all} mails");
    keeps(&asleep, all).await?;
    watching(&asleep, SOURCE).await?;
    each_once(&asleep, 0..all).await
}
