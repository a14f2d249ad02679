//! What is owed outward, through the API: seen, retried, dropped, and by whom.

use std::sync::Mutex;

use leadgate_core::onward::{Alarm, Detail, event};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const INNER: &str = "inner_services = [\"127.0.0.1\"]";

/// The ids of deliveries that came.
type Heard = Arc<Mutex<Vec<String>>>;

fn hook(port: u16) -> String {
    format!("[webhooks.crm]\nurl = \"http://127.0.0.1:{port}/hook\"\nevents = [\"lead.created\"]\n")
}

/// A port where nobody listens, until a test does.
async fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

async fn receive(port: u16) -> Heard {
    let (listener, heard) = (TcpListener::bind(("127.0.0.1", port)).await.unwrap(), Heard::default());
    let hears = Arc::clone(&heard);
    let app = axum::Router::new().fallback(async move |headers: http::HeaderMap| {
        hears.lock().unwrap().push(headers["webhook-id"].to_str().unwrap().to_owned());
        StatusCode::NO_CONTENT
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    heard
}

impl Rig {
    async fn owed(&self, query: &str) -> Vec<Value> {
        self.get(&format!("/outbox{query}")).await["items"].as_array().unwrap().clone()
    }

    async fn count(&self, deed: &str, body: &Value) -> u64 {
        self.ask(&format!("/outbox/{deed}"), body).await["count"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn what_is_owed_is_listed_dropped_retried_and_delivered_in_the_end() {
    let port = closed_port().await;
    let rig = Rig::start_with(INNER, &hook(port)).await;
    rig.post(&form_path(), &[("name", "Anna"), ("phone", "+79161234567")]).await;
    rig.until("it was tried", async || rig.owed("").await.first().is_some_and(|job| job["attempts"].as_u64() > Some(0))).await;
    rig.until("it waits", async || rig.owed("?state=waiting").await.len() == 1).await;
    let job = rig.owed("?state=dead,waiting&state=held&target=webhook:crm&lead=1").await[0].clone();
    assert_eq!((&job["event"], &job["target"], &job["to"]), (&json!("lead.created"), &json!("webhook:crm"), &json!("")), "{job}");
    assert!(job["words"].as_str().unwrap().contains("refused"), "{job}");
    for nothing in ["?state=done", "?target=mail", "?lead=2"] {
        assert_eq!(rig.owed(nothing).await, Vec::<Value>::new(), "{nothing}");
    }
    let id = job["id"].as_str().unwrap();
    assert_eq!(rig.get(&format!("/outbox/{id}")).await["refs"], json!([]));
    let target = rig.get("/outbox/targets").await[0].clone();
    assert_eq!((&target["target"], &target["configured"], &target["waiting"]), (&json!("webhook:crm"), &json!(true), &json!(1)));
    assert!(target["failing_since"].is_string(), "{target}");
    let status = rig.get("/status").await;
    assert_eq!((&status["outbox"][0]["waiting"], &status["alarms"]), (&json!(1), &json!([])), "{status}");

    assert_eq!(rig.count("drop", &json!({ "ids": [id] })).await, 1);
    assert_eq!(rig.count("drop", &json!({ "target": "webhook:crm" })).await, 0, "once is enough");
    assert_eq!(rig.owed("?state=dropped").await.len(), 1);
    assert_eq!(rig.count("retry", &json!({ "target": "webhook:crm" })).await, 0, "what was dropped stays so until it is named");
    let heard = receive(port).await;
    assert_eq!(rig.count("retry", &json!({ "states": ["dropped"], "lead": 1 })).await, 1);
    rig.until("it is delivered", async || rig.owed("?state=done").await.len() == 1).await;
    assert_eq!(*heard.lock().unwrap(), [id]);
    rig.stop().await;
}

#[tokio::test]
async fn nothing_is_done_to_everything_and_nothing_that_makes_no_sense() {
    let rig = Rig::start_with(INNER, &hook(closed_port().await)).await;
    let id = "0192f0c4-7d31-7a40-9c1e-5b7d9f1a3c5e";
    for (deed, body) in [
        ("retry", json!({})),
        ("drop", json!({ "ids": [] })),
        ("drop", json!({ "ids": [id], "lead": 1 })),
        ("drop", json!({ "states": ["dropped"] })),
        ("retry", json!({ "states": ["sending"] })),
        ("retry", json!({ "everything": true })),
    ] {
        let answer = rig.call(Method::POST, &format!("/outbox/{deed}"), &rig.key).json(&body).send().await.unwrap();
        problem(answer, 422, "invalid-value").await;
    }
    for query in ["?state=lost", "?lead=x", "?what=1", "?state="] {
        problem(rig.call(Method::GET, &format!("/outbox{query}"), &rig.key).send().await.unwrap(), 400, "bad-request").await;
    }
    for path in [format!("/outbox/{id}"), "/outbox/7".to_owned()] {
        problem(rig.call(Method::GET, &path, &rig.key).send().await.unwrap(), 404, "not-found").await;
    }
    assert_eq!(rig.count("retry", &json!({ "ids": [id] })).await, 0);
    rig.stop().await;
}

#[tokio::test]
async fn alarms_are_listed_and_a_token_of_some_sources_sees_none_of_it() {
    let rig = Rig::start_with(INNER, &hook(closed_port().await)).await;
    let (store, now) = (rig.gateway.store().await.unwrap(), rig.gateway.clock.now());
    let detail = Detail { since: Some(now), ..Detail::default() };
    let news = rig.gateway.news(event::DISK_LOW, None, detail.clone(), now, &Arc::default());
    let alarm = Alarm { name: event::DISK_LOW, key: "elsewhere".to_owned(), since: now, detail };
    assert!(store.raise(alarm, news).await.unwrap());
    let alarms = rig.get("/alarms").await;
    assert_eq!((&alarms[0]["name"], &alarms[0]["key"]), (&json!("disk.low"), &json!("elsewhere")), "{alarms}");
    assert_eq!(rig.get("/status").await["alarms"], alarms);

    let some = rig.token(json!({ "name": "some", "scopes": ["admin"], "sources": ["site"] })).await;
    let reads = rig.token(json!({ "name": "reads", "scopes": ["read"] })).await;
    for path in ["/outbox", "/outbox/targets", "/outbox/0192f0c4-7d31-7a40-9c1e-5b7d9f1a3c5e", "/alarms"] {
        problem(rig.call(Method::GET, path, &some).send().await.unwrap(), 403, "forbidden").await;
    }
    assert_eq!(rig.call(Method::GET, "/outbox", &reads).send().await.unwrap().status(), 200);
    for deed in ["/outbox/retry", "/outbox/drop"] {
        for token in [&some, &reads] {
            let request = rig.call(Method::POST, deed, token).json(&json!({ "target": "webhook:crm" }));
            problem(request.send().await.unwrap(), 403, "forbidden").await;
        }
    }
    rig.stop().await;
}
