//! The real process, killed while it tells others; and what is due at a time, with several gateways.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Gateway, Setup};
use leadgate_tests::postgres::{Database, execute};
use leadgate_tests::receiver::{Call, Receiver};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::senders::{Order, Senders, check};

/// Kills of a run; `LEADGATE_LONG` makes it long.
const MOMENTS: u32 = 12;
const LONG: u32 = 200;
const CONNECTIONS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_arrives_whenever_the_gateway_is_killed_on_sqlite() -> anyhow::Result<()> {
    kills(Setup::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_arrives_whenever_the_gateway_is_killed_on_postgres() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    kills(Setup { database: database.url.clone(), ..Setup::default() }).await
}

/// What is told at this receiver.
fn telling(setup: Setup, receiver: &Receiver, more: &str) -> Setup {
    Setup { server: format!("inner_services = [\"127.0.0.1:{}\"]", receiver.port), more: receiver.section("crm", more), ..setup }
}

async fn kills(setup: Setup) -> anyhow::Result<()> {
    let moments = if std::env::var_os("LEADGATE_LONG").is_some() { LONG } else { MOMENTS };
    let seed = match std::env::var("LEADGATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => rand::random::<u64>(),
    };
    println!("LEADGATE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let receiver = Receiver::willing().await?;
    let setup = telling(setup, &receiver, "events = [\"lead.created\"]\nin_flight = 16");
    let folder = tempfile::tempdir()?;
    let mut senders = Senders::new(CONNECTIONS);
    for _ in 0..moments {
        let gateway = Gateway::start(folder.path(), &setup).await?;
        senders.tell(Order::Send(gateway.address));
        senders.acknowledge(random.random_range(1..150)).await?;
        // Some die while they deliver, some before they have begun.
        let more = receiver.calls().len() + random.random_range(0..40);
        if random.random_bool(0.5) {
            receiver.expect(more).await?;
        }
        gateway.kill().await?;
        senders.tell(Order::Wait);
    }
    let world = World::in_folder(folder, &setup).await?;
    senders.tell(Order::Finish(world.gateway.address));
    let sent = senders.done().await?;
    check(&world, &sent).await?;
    let leads: BTreeSet<i64> = world.leads().await?.iter().filter_map(|lead| lead["id"].as_i64()).collect();
    assert!(leads.len() >= sent.acknowledged.len(), "every form is a lead");
    // What a killed gateway had claimed is free as soon as it was silent for long enough.
    until("nothing is owed any more", async || {
        let open = world.get("/outbox?state=waiting,sending&limit=1").await?;
        Ok(open["items"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    let calls = receiver.calls();
    let mut told: BTreeMap<String, i64> = BTreeMap::new();
    for call in &calls {
        let lead = call.lead().context("it tells of a lead")?;
        assert_eq!(call.event(), "lead.created");
        assert_eq!(*told.entry(call.id().to_owned()).or_insert(lead), lead, "{}: an id is one event", call.id());
    }
    println!("{} leads, {} deliveries of {} events", leads.len(), calls.len(), told.len());
    let heard: BTreeSet<i64> = told.values().copied().collect();
    assert_eq!(heard, leads, "every lead is told of, and none that is not there");
    assert_eq!(told.len(), leads.len(), "an event is one id");
    let dead = world.get("/outbox?state=dead,held,dropped&limit=1").await?;
    assert_eq!(dead["items"].as_array().map(Vec::len), Some(0), "{dead}");
    world.gateway.stop().await?;
    Ok(())
}

const PEOPLE: usize = 40;

/// Leads that nobody took are told of once, although the gateways that were there were killed and two others come; those that were
/// taken, never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_of_once_by_two_gateways_after_a_kill() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let receiver = Receiver::willing().await?;
    let usual = Setup { database: database.url.clone(), ..Setup::default() };
    let setup = telling(usual, &receiver, "events = [\"lead.waiting\", \"lead.closed\"]");
    let managers = "\n[[managers]]\nid = \"anna\"\nname = \"Anna\"\n";
    let setup =
        Setup { site: format!("{}\ntake_within = \"1 h\"", setup.site), more: format!("{}{managers}", setup.more), ..setup };
    let first = World::new(&setup).await?;
    for n in 0..PEOPLE {
        first.form(&[("name", "Anna"), ("phone", &format!("+7 916 123-45-{n:02}"))]).await?.expect(200)?;
    }
    let leads: Vec<i64> = first.leads().await?.iter().filter_map(|lead| lead["id"].as_i64()).collect();
    assert_eq!(leads.len(), PEOPLE);
    let (taken, waiting) = leads.split_at(PEOPLE / 2);
    for lead in taken {
        first.gateway.cli(&["leads", "take", &lead.to_string(), "--manager", "anna"]).await?;
    }
    first.gateway.kill().await?;
    // An hour passes.
    let mut server = database.connect().await?;
    execute(&mut server, "UPDATE timer SET due_at = due_at - 3600000000 WHERE kind = 'lead.waiting'").await?;
    let (one, two) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    receiver.expect(waiting.len()).await?;
    // What comes after it has arrived when everything before it has.
    two.gateway.cli(&["leads", "close", &waiting[0].to_string(), "--as", "junk"]).await?;
    let calls = receiver.expect(waiting.len() + 1).await?;
    let about = |event: &str| -> Vec<i64> {
        let mut about: Vec<i64> = calls.iter().filter(|call| call.event() == event).filter_map(Call::lead).collect();
        about.sort_unstable();
        about
    };
    let mut expected = waiting.to_vec();
    expected.sort_unstable();
    assert_eq!(about("lead.waiting"), expected, "each once");
    assert_eq!(about("lead.closed"), [waiting[0]]);
    let owed = one.all("/outbox").await?.into_iter().filter(|job| job["event"] == "lead.waiting").count();
    assert_eq!(owed, waiting.len(), "there is no more to come");
    Ok(())
}
