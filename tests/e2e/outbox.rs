//! What is owed outward as people see it: a receiver that is down, one that comes up, and commands with and without a gateway.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::http::{HeaderMap, StatusCode};
use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::{Setup, free_port, run};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a receiver was sent: the delivery's id, and the event.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

async fn receive(port: u16) -> anyhow::Result<Heard> {
    let (listener, heard) = (TcpListener::bind(("127.0.0.1", port)).await?, Heard::default());
    let hears = Arc::clone(&heard);
    let app = axum::Router::new().fallback(async move |headers: HeaderMap, body: String| {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let event = serde_json::from_str(&body).unwrap_or_default();
        hears.lock().unwrap_or_else(PoisonError::into_inner).push((id, event));
        StatusCode::NO_CONTENT
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(heard)
}

fn heard(heard: &Heard) -> Vec<(String, Value)> {
    heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

async fn deliver(world: &World, n: u32) -> anyhow::Result<()> {
    let (phone, id) = (format!("+7 916 930-00-{n:02}"), n.to_string());
    world.form(&[("name", "Anna"), ("phone", &phone), ("_id", &id)]).await?.expect(200)?;
    Ok(())
}

/// Deliveries of a state, once there are so many.
async fn owed(world: &World, target: &str, state: &str, count: usize) -> anyhow::Result<Vec<Value>> {
    until(&format!("{count} {state} of {target}"), async || {
        let jobs = world.all(&format!("/outbox?target={target}&state={state}")).await?;
        // On their way they are neither.
        let tried = jobs.iter().all(|job| job["attempts"].as_u64() > Some(0));
        Ok((jobs.len() == count && tried).then_some(jobs))
    })
    .await
}

#[tokio::test]
async fn what_is_owed_is_seen_dropped_retried_and_delivered() -> anyhow::Result<()> {
    let (crm, gone) = (free_port()?, free_port()?);
    let hook = |id: &str, port: u16| {
        format!(
            "[webhooks.{id}]\nurl = \"http://127.0.0.1:{port}/\"\nevents = [\"lead.created\"]\nsecret = \"whsec_{}\"\n",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        )
    };
    let setup = Setup {
        server: "inner_services = [\"127.0.0.1\"]".to_owned(),
        more: format!("{}{}", hook("crm", crm), hook("gone", gone)),
        ..Setup::default()
    };
    let world = World::new(&setup).await?;
    let cli = async |command: &[&str]| world.gateway.cli(command).await;
    let failed = async |command: &[&str]| {
        let output = world.gateway.run(command).await?;
        anyhow::ensure!(output.status.code() == Some(1), "{command:?} did not fail: {output:?}");
        anyhow::Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    deliver(&world, 1).await?;
    deliver(&world, 2).await?;
    let waiting = owed(&world, "webhook:crm", "waiting", 2).await?;
    owed(&world, "webhook:gone", "waiting", 2).await?;

    let status = cli(&["status"]).await?;
    assert!(status.contains("webhook:crm: 2 waiting, fails since") && status.contains("webhook:gone: 2 waiting"), "{status}");
    let list = cli(&["outbox", "list", "--target", "webhook:crm"]).await?;
    assert!(list.contains("lead.created") && list.contains("refused") && !list.contains("webhook:gone"), "{list}");
    let id = waiting[0]["id"].as_str().context("an id")?;
    let shown = cli(&["outbox", "show", id]).await?;
    assert!(shown.contains("waiting") && shown.contains("webhook:crm"), "{shown}");
    let told = failed(&["webhook", "test", "crm"]).await?;
    assert!(told.contains("FAIL") && told.contains("refused") && told.contains("inner_services"), "{told}");
    assert!(failed(&["webhook", "test", "crn"]).await?.contains("did you mean crm?"));
    assert!(failed(&["outbox", "show", "0192f0c4-7d31-7a40-9c1e-5b7d9f1a3c5e"]).await?.contains("outbox list"));
    assert!(failed(&["outbox", "drop", "--target", "webhook:crm"]).await?.contains("--yes"), "several are asked for");
    assert_eq!(cli(&["outbox", "drop", id]).await?.trim(), "1 delivery dropped.");
    assert_eq!(cli(&["outbox", "retry", "--target", "webhook:nobody"]).await?.trim(), "Nothing is like that.");

    let came = receive(crm).await?;
    assert_eq!(cli(&["outbox", "retry", "--target", "webhook:crm"]).await?.trim(), "1 delivery due now.");
    assert_eq!(cli(&["outbox", "retry", id]).await?.trim(), "1 delivery due now.");
    owed(&world, "webhook:crm", "done", 2).await?;
    let mut ids: Vec<String> = heard(&came).into_iter().map(|(id, _)| id).collect();
    ids.sort();
    let mut expected: Vec<&str> = waiting.iter().filter_map(|job| job["id"].as_str()).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each once");
    let told = cli(&["webhook", "test", "crm", "--event", "contact.returned"]).await?;
    assert!(told.contains("answered 204"), "{told}");
    let (_, test) = heard(&came).pop().context("the test came")?;
    assert_eq!((&test["type"], &test["data"]["test"]), (&"contact.returned".into(), &true.into()), "{test}");
    let targets = world.cli_json(&["outbox", "targets"]).await?;
    let lines: Vec<_> = targets
        .as_array()
        .context("targets")?
        .iter()
        .map(|one| (one["target"].as_str(), one["waiting"].as_u64(), one["failing_since"].is_string()))
        .collect();
    assert_eq!(lines, [(Some("webhook:crm"), Some(0), false), (Some("webhook:gone"), Some(2), true)]);

    // The same without a gateway.
    let World { folder, gateway, .. } = world;
    let (config, nobody) = (gateway.config.clone(), Some(gateway.address));
    assert!(gateway.stop().await?.success());
    let alone = async |command: &[&str]| {
        let output = run(&config, nobody, command).await?;
        anyhow::ensure!(output.status.success(), "{command:?}: {output:?}");
        anyhow::Ok(String::from_utf8(output.stdout)?)
    };
    assert!(alone(&["status"]).await?.contains("webhook:gone: 2 waiting"));
    assert!(alone(&["outbox", "targets"]).await?.contains("webhook:crm"));
    assert!(alone(&["webhook", "list"]).await?.contains("lead.created"));
    assert!(!alone(&["alarms"]).await?.is_empty());
    assert_eq!(alone(&["outbox", "retry", "--lead", "1"]).await?.trim(), "1 delivery due as soon as the gateway runs.");
    assert_eq!(alone(&["outbox", "drop", "--target", "webhook:gone", "--yes"]).await?.trim(), "2 deliveries dropped.");
    let dropped = alone(&["outbox", "list", "--state", "dropped"]).await?;
    assert_eq!(dropped.matches("webhook:gone").count(), 2, "{dropped}");
    drop(folder);
    Ok(())
}
