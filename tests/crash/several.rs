//! Several gateways on one database: a crowd at all doors, and one that falls asleep holding a lease.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Setup, TOKEN, program};
use leadgate_tests::load::Connection;
use leadgate_tests::people;
use leadgate_tests::postgres::Database;
use tokio::task::JoinSet;

const SUBMISSIONS: usize = 10_000;
const PEOPLE: u64 = 500;
const CONNECTIONS: usize = 32;

/// The `n`-th delivery: of one of the people, by phone and mail in turns and together, with an id of its own.
fn form(n: u64) -> String {
    let person = 1 + n % PEOPLE;
    let (name, phone) = (people::urlencode(&people::name(person)), format!("916{:07}", 1_000_000 + person));
    let mail = people::email(person).replace('@', "%40");
    let who = match (n / PEOPLE) % 3 {
        0 => format!("phone=%2B7{phone}&email={mail}"),
        1 => format!("phone=8{phone}"),
        _ => format!("email={mail}&phone=7{phone}"),
    };
    format!("name={name}&{who}&_id=c{n}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_submissions_of_five_hundred_people_at_two_gateways() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let setup = Setup { database: database.url.clone(), ..Setup::default() };
    let (one, two) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..CONNECTIONS {
        let (next, address) = (Arc::clone(&next), if task % 2 == 0 { one.gateway.address } else { two.gateway.address });
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= SUBMISSIONS {
                    return anyhow::Ok(());
                }
                // Busy is an answer, too: the sender comes again.
                while connection.post(&format!("/in/site/{TOKEN}"), &form(n as u64)).await? == 503 {}
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let status = two.get("/status").await?;
    assert_eq!(status["contacts"], PEOPLE, "{status}");
    assert_eq!((&status["leads"], &status["open_leads"]), (&PEOPLE.into(), &PEOPLE.into()), "{status}");
    assert_eq!(status["submissions"], SUBMISSIONS, "{status}");
    let activities: u64 = one.leads().await?.iter().filter_map(|lead| lead["activities"].as_u64()).sum();
    assert_eq!(activities, SUBMISSIONS as u64);
    Ok(())
}

const LINES: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_slept_past_its_lease_reads_nothing_twice() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let scripts = tempfile::tempdir()?;
    let script = scripts.path().join("numbers");
    let mut text = String::new();
    for n in 0..LINES {
        writeln!(text, "+7 916 {:03}-{:02}-{:02}", 500 + n / 100, n / 10 % 10 * 10 + n % 10, n % 97)?;
    }
    std::fs::write(&script, text)?;
    let setup = Setup {
        database: database.url.clone(),
        program: program("scripted-gateway"),
        server: "lease = \"3 s\"".to_owned(),
        more: format!("[sources.feed]\nkind = \"scripted\"\nscript = \"{}\"\n", script.display()),
        ..Setup::default()
    };
    let (one, two) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    let holder = |nodes: &serde_json::Value| -> Option<String> {
        let holds = |node: &&serde_json::Value| {
            node["leases"]
                .as_array()
                .is_some_and(|leases| leases.iter().any(|lease| lease["name"] == "source:feed" && lease["expired"] == false))
        };
        Some(nodes.as_array()?.iter().find(holds)?["address"].as_str()?.to_owned())
    };
    let first = until("somebody reads", async || Ok(holder(&one.get("/nodes").await?))).await?;
    let (asleep, awake) = if first.ends_with(&one.gateway.address.port().to_string()) { (&one, &two) } else { (&two, &one) };
    let read = async |world: &World, more: usize| -> anyhow::Result<()> {
        let enough = async || Ok(world.get("/status").await?["leads"].as_u64().filter(|leads| *leads >= more as u64));
        until("lines become leads", enough).await.map(|_| ())
    };
    read(awake, 30).await?;
    asleep.gateway.signal("STOP").await?;
    let taken = async || Ok(holder(&awake.get("/nodes").await?).filter(|address| *address != first));
    until("another takes over", taken).await?;
    let before = awake.get("/status").await?["leads"].as_u64().context("a count")?;
    read(awake, usize::try_from(before)? + 30).await?;
    asleep.gateway.signal("CONT").await?;
    // What arrives at its door is as good as ever.
    asleep.form(&[("name", "Anna"), ("phone", "+7 926 123-45-67")]).await?.expect(200)?;
    // In steps: on a busy machine all of them take a while.
    for some in (100..LINES).step_by(50) {
        read(awake, some).await?;
    }
    read(awake, LINES + 1).await?;
    let said = asleep.gateway.log()?;
    assert!(said.contains("the lease was lost"), "it is told: {said}");
    let leads = awake.leads().await?;
    assert_eq!(leads.len(), LINES + 1, "every line once");
    assert!(leads.iter().all(|lead| lead["activities"] == 1), "none twice");
    let ids: BTreeSet<_> = leads.iter().filter_map(|lead| lead["id"].as_i64()).collect();
    assert_eq!(ids.len(), leads.len());
    assert_eq!(awake.get("/status").await?["submissions"], LINES + 1);
    Ok(())
}
