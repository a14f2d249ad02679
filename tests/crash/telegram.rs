//! A bot's gateway, killed at random moments while people write, by polling and by webhook.

use std::collections::BTreeMap;

use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Gateway, Setup};
use leadgate_tests::postgres::Database;
use leadgate_tests::telegram::Telegram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Kills of a run; `LEADGATE_LONG` makes it long.
const MOMENTS: u32 = 20;
const LONG: u32 = 100;
/// Updates of a run.
const UPDATES: i64 = 500;
/// People who write them: each of them messages, whatever else.
const PEOPLE: i64 = 49;

/// What a person writes: messages, an edit now and then, a picture of an album, a button that means nothing.
fn write(telegram: &Telegram, n: i64) {
    let (person, name) = (9_000 + n % PEOPLE, format!("Person {}", n % PEOPLE));
    match n % 10 {
        3 => {
            let message = telegram.send(
                person,
                &name,
                json!({ "caption": format!("album {n}"), "media_group_id": format!("a{}", n % PEOPLE),
                "photo": [{ "file_id": format!("f{n}"), "file_unique_id": format!("f{n}"), "width": 9, "height": 9 }] }),
            );
            assert!(message > 0);
        }
        6 => {
            telegram.push(json!({ "poll_answer": { "poll_id": "1", "user": { "id": person } } }));
        }
        _ => {
            telegram.say(person, &name, &format!("message {n}"));
        }
    }
}

/// What is on the leads, by person: whatever the order in which people were met.
async fn told(world: &World) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for lead in world.leads().await? {
        let lead = world.get(&format!("/leads/{}", lead["id"])).await?;
        let name = lead["name"].as_str().unwrap_or_default().to_owned();
        let says = |activity: &Value| format!("{} {}", activity["kind"], activity["content"]["message"]);
        let mut lines: Vec<String> = lead["timeline"].as_array().into_iter().flatten().map(says).collect();
        lines.sort();
        told.entry(name).or_default().extend(lines);
    }
    Ok(told)
}

fn setup(telegram: &Telegram, mode: &str, database: Option<&Database>) -> Setup {
    let mut setup = Setup { more: telegram.section("bot", &format!("mode = \"{mode}\"")), ..Setup::default() };
    if let Some(database) = database {
        setup.database.clone_from(&database.url);
    }
    setup
}

async fn finished(telegram: &Telegram, world: &World) -> anyhow::Result<()> {
    telegram.expect_taken().await?;
    until("every update to be recorded", async || {
        let all = world.all("/submissions?source=bot").await?;
        Ok((i64::try_from(all.len())? >= UPDATES).then_some(()))
    })
    .await
}

/// Kills gateways while people write; what is told in the end.
async fn killed(mode: &str, database: Option<&Database>) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let moments = if std::env::var_os("LEADGATE_LONG").is_some() { LONG } else { MOMENTS };
    let seed = match std::env::var("LEADGATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => rand::random::<u64>(),
    };
    println!("LEADGATE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let telegram = Telegram::start().await?;
    let setup = setup(&telegram, mode, database);
    let folder = tempfile::tempdir()?;
    let (mut written, each) = (0, UPDATES / i64::from(moments));
    for moment in 0..moments {
        let gateway = Gateway::start(folder.path(), &setup).await?;
        let until_here = if moment + 1 == moments { UPDATES } else { written + each };
        let before = telegram.waiting();
        while written < until_here {
            write(&telegram, written);
            written += 1;
        }
        // Some die before they have asked, some in the middle.
        let taken = random.random_range(0..=before + usize::try_from(each)?);
        let patience = std::time::Duration::from_millis(random.random_range(0..400));
        let enough = async {
            until("some to be taken", async || Ok((telegram.waiting() + taken <= before + usize::try_from(each)?).then_some(())))
                .await
        };
        match tokio::time::timeout(patience, enough).await {
            Ok(done) => done?,
            Err(_late) => {}
        }
        gateway.kill().await?;
    }
    let world = World::in_folder(folder, &setup).await?;
    finished(&telegram, &world).await?;
    let all = world.all("/submissions?source=bot").await?;
    assert_eq!(i64::try_from(all.len())?, UPDATES, "none is lost, none is doubled");
    let told = told(&world).await?;
    world.gateway.stop().await?;
    Ok(told)
}

/// What is told when nothing happens.
async fn undisturbed(mode: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let telegram = Telegram::start().await?;
    let world = World::new(&setup(&telegram, mode, None)).await?;
    for n in 0..UPDATES {
        write(&telegram, n);
    }
    finished(&telegram, &world).await?;
    told(&world).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_and_double_no_update_on_sqlite() -> anyhow::Result<()> {
    let told = killed("polling", None).await?;
    assert_eq!(told, undisturbed("polling").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_and_double_no_update_on_postgres() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let told = killed("polling", Some(&database)).await?;
    assert_eq!(i64::try_from(told.len())?, PEOPLE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_updates_by_polling_and_by_webhook_tell_the_same() -> anyhow::Result<()> {
    assert_eq!(undisturbed("polling").await?, undisturbed("webhook").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_gateways_one_reads_and_the_other_goes_on() -> anyhow::Result<()> {
    let (telegram, database) = (Telegram::start().await?, Database::empty().await?);
    let setup = Setup { server: "lease = \"1 s\"".to_owned(), ..setup(&telegram, "polling", Some(&database)) };
    let (one, other) = tokio::try_join!(World::new(&setup), World::new(&setup))?;
    for n in 0..UPDATES / 2 {
        write(&telegram, n);
    }
    telegram.expect_taken().await?;
    one.gateway.kill().await?;
    for n in UPDATES / 2..UPDATES {
        write(&telegram, n);
    }
    finished(&telegram, &other).await?;
    assert_eq!(i64::try_from(other.all("/submissions?source=bot").await?.len())?, UPDATES);
    assert_eq!(i64::try_from(told(&other).await?.len())?, PEOPLE);
    Ok(())
}
