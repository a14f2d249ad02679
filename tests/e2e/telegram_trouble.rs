//! A bot when it is not that easy: accounts of businesses, a service that takes no more, managers who sleep.

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use leadgate_server::clock::Clock;
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::Setup;
use leadgate_tests::telegram::{Fault, Telegram};
use serde_json::{Value, json};

use crate::telegram::{link, said, talking};

const VERA: i64 = 7001;
const ANNA: i64 = 501;
const GROUP: i64 = -1001;
const CONNECTION: &str = "connection-1";

/// A customer writes to the account of a business that the bot is connected to.
fn write_to_business(telegram: &Telegram, message: i64, text: &str) {
    telegram.push(json!({ "business_message": {
        "business_connection_id": CONNECTION, "message_id": message, "date": 1_795_000_000 + message, "text": text,
        "from": { "id": VERA, "is_bot": false, "first_name": "Vera" },
        "chat": { "id": VERA, "type": "private", "first_name": "Vera" },
    } }));
}

#[tokio::test]
async fn what_is_written_to_a_business_is_answered_by_its_connection() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "dialogue = { language = \"en\", ask = [\"phone\"] }").await?;
    telegram.push(json!({ "business_connection": {
        "id": CONNECTION, "user": { "id": 900, "is_bot": false, "first_name": "Owner" }, "user_chat_id": 900,
        "date": 1_795_000_000, "is_enabled": true, "rights": { "can_reply": true },
    } }));
    write_to_business(&telegram, 1, "Do you deliver?");
    said(&telegram, GROUP, 1).await?;
    let lead = world.only_lead().await?;
    assert_eq!((&lead["name"], &lead["source"]), (&json!("Vera"), &json!("bot")));
    assert_eq!(lead["timeline"][0]["content"]["chat"]["connection"], json!(CONNECTION), "{lead}");
    world.post("/leads/1/reply", &json!({ "text": "We do" })).await?.expect(202)?;
    assert_eq!(said(&telegram, VERA, 1).await?, ["We do"], "and the bot says nothing there by itself");
    let sent = telegram.calls("sendmessage").into_iter().find(|call| call.parameters["chat_id"] == json!(VERA));
    assert_eq!(sent.context("the answer")?.parameters["business_connection_id"], json!(CONNECTION));
    // What the owner writes there is the company's, on the same lead.
    telegram.push(json!({ "business_message": {
        "business_connection_id": CONNECTION, "message_id": 3, "date": 1_795_000_009, "text": "Tomorrow already",
        "from": { "id": 900, "is_bot": false, "first_name": "Owner" },
        "chat": { "id": VERA, "type": "private", "first_name": "Vera" },
    } }));
    let written = |one: &Value| one["content"]["message"] == "Tomorrow already" && one["content"]["outgoing"] == true;
    until("what the owner wrote", async || {
        let lead = world.only_lead().await?;
        Ok(lead["timeline"].as_array().is_some_and(|all| all.iter().any(written)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_service_that_takes_no_more_is_asked_again_when_it_said() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    let world = talking(&telegram, "").await?;
    telegram.say(VERA, "Vera", "first");
    said(&telegram, GROUP, 1).await?;
    // The notice waits as long as it was told to, and is not lost.
    telegram.fail("sendmessage", [Fault::TooMany(2)]);
    telegram.say(VERA, "Vera", "second");
    let told = said(&telegram, GROUP, 2).await?;
    assert!(told[1].contains("second"), "{told:?}");
    let sent = telegram.calls("sendmessage");
    ensure!(sent.len() == 2, "what was refused is said once more, and nothing else: {sent:?}");
    let waited = sent[1].at.duration_since(sent[0].at);
    assert!(waited.as_millis() >= 2_000, "{waited:?}");
    // So it is with updates; meanwhile it is said in words why nothing comes.
    telegram.fail("getupdates", [Fault::TooMany(3)]);
    telegram.say(VERA, "Vera", "third");
    until("the state in words", async || {
        let shown = world.gateway.cli(&["sources"]).await?;
        Ok(shown.contains("takes no more calls of this bot for 3 s").then_some(()))
    })
    .await?;
    telegram.say(VERA, "Vera", "fourth");
    said(&telegram, GROUP, 4).await?;
    let lead = world.only_lead().await?;
    let said: Vec<&str> =
        lead["timeline"].as_array().into_iter().flatten().filter_map(|one| one["content"]["message"].as_str()).collect();
    assert_eq!(said, ["first", "second", "third", "fourth"]);
    let asked = telegram.calls("getupdates");
    let pauses = asked.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_millis());
    assert!(pauses.max() >= Some(3_000), "it waited as it was told");
    Ok(())
}

#[tokio::test]
async fn a_manager_who_sleeps_is_told_afterwards() -> anyhow::Result<()> {
    let telegram = Telegram::start().await?;
    // From an hour ago until in two hours, by the manager's clock.
    let now = Clock::system().now();
    let clock = |after| (now + SignedDuration::from_hours(after)).strftime("%H:%M").to_string();
    let managers = format!(
        "[[managers]]\nid = \"anna\"\nname = \"Anna\"\ntime_zone = \"UTC\"\nquiet_hours = \"{}-{}\"\n[[notify]]\nto = [\"anna\"]\n",
        clock(-1),
        clock(2)
    );
    let more = format!("{}{managers}", telegram.section("bot", ""));
    let world = World::new(&Setup { more, ..Setup::default() }).await?;
    link(&world, &telegram, "anna", ANNA).await?;
    let before = telegram.sent_to(ANNA).len();
    telegram.say(VERA, "Vera", "It is late, I know");
    let job = until("the notice to be put off", async || {
        let jobs = world.all("/outbox?target=telegram:bot&state=waiting").await?;
        Ok(jobs.into_iter().find(|job| job["event"] == "lead.created" && job["words"] == "quiet hours"))
    })
    .await?;
    let due: Timestamp = job["due_at"].as_str().context("when it is due")?.parse()?;
    let wait = due.duration_since(now);
    assert!(wait > SignedDuration::from_mins(118) && wait <= SignedDuration::from_hours(2), "{job}");
    assert_eq!(job["to"], json!("manager:anna"));
    // Another message disturbs nobody either.
    telegram.say(VERA, "Vera", "No hurry");
    until("both to be recorded", async || {
        let lead = world.only_lead().await?;
        Ok((lead["activities"] == 2).then_some(()))
    })
    .await?;
    until("nothing to be under way", async || {
        let jobs = world.all("/outbox?target=telegram:bot&state=waiting&state=sending").await?;
        Ok(jobs.iter().all(|job| job["words"] == "quiet hours").then_some(()))
    })
    .await?;
    assert_eq!(telegram.sent_to(ANNA).len(), before, "nobody is disturbed");
    Ok(())
}
