//! The real process, killed at random moments under load.

use leadgate_tests::client::World;
use leadgate_tests::gateway::{Gateway, Setup};
use leadgate_tests::postgres::Database;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::senders::{Order, Senders, check};

/// Kills of a run; `LEADGATE_LONG` makes it long.
const MOMENTS: u32 = 30;
const LONG: u32 = 500;
const CONNECTIONS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_and_double_nothing_on_sqlite() -> anyhow::Result<()> {
    kills(&Setup::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_and_double_nothing_on_postgres() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    kills(&Setup { database: database.url.clone(), ..Setup::default() }).await
}

async fn kills(setup: &Setup) -> anyhow::Result<()> {
    let moments = if std::env::var_os("LEADGATE_LONG").is_some() { LONG } else { MOMENTS };
    let seed = match std::env::var("LEADGATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => rand::random::<u64>(),
    };
    println!("LEADGATE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let mut senders = Senders::new(CONNECTIONS);
    for _ in 0..moments {
        let gateway = Gateway::start(folder.path(), setup).await?;
        senders.tell(Order::Send(gateway.address));
        // Some die while they open the database, some in the first commits, some in the middle.
        let moment = match random.random_range(0..6) {
            0 => 0,
            1 => random.random_range(1..10),
            _ => random.random_range(10..300),
        };
        senders.acknowledge(moment).await?;
        gateway.kill().await?;
        senders.tell(Order::Wait);
    }
    let world = World::in_folder(folder, setup).await?;
    senders.tell(Order::Finish(world.gateway.address));
    let sent = senders.done().await?;
    println!("{} acknowledged, {} sendings again", sent.acknowledged.len(), sent.retried);
    assert!(sent.unanswered.is_empty(), "the last gateway was not killed");
    assert!(sent.retried >= u64::from(moments), "a killed gateway leaves forms unanswered");
    check(&world, &sent).await?;
    world.gateway.stop().await?;
    Ok(())
}
