//! Sources the gateway asks, through the API: how they are, what is asked of them, and what they brought, read again.

use bytes::Bytes;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::Intake as _;
use leadgate_core::submission::{Codec, Hold, Purpose, Raw, Submission};
use serde_json::json;

use super::*;

/// A mailbox behind a door that nobody opens.
const MAILBOX: &str = "[sources.info]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nsecurity = \"plain\"\nuser = \"info@zavod.ru\"\n\
                       password = \"secret-of-the-mailbox\"\n";

impl Rig {
    async fn source(&self, id: &str) -> Value {
        let sources = self.get("/sources").await;
        sources.as_array().unwrap().iter().find(|source| source["id"] == id).unwrap().clone()
    }
}

#[tokio::test]
async fn a_mailbox_tells_how_it_is_and_keeps_what_is_asked_of_it() {
    let rig = Rig::start_with("", MAILBOX).await;
    rig.until("it is told to be down", async || rig.source("info").await["reading"]["state"] == "down").await;
    let told = rig.source("info").await;
    assert!(told["reading"]["words"].as_str().unwrap().contains("127.0.0.1"), "{told}");
    assert_eq!((told["is_asked"].clone(), told["url"].clone(), told["tokens"].clone()), (json!(true), Value::Null, json!(0)));
    assert!(!told.to_string().contains("secret-of-the-mailbox"));
    assert!(rig.source("site").await["reading"].is_null());
    let metrics = rig.metrics().await;
    assert!(metrics.contains("leadgate_source_up{source=\"info\"} 0"), "{metrics}");
    // What is asked waits until the mailbox can be read, also over a restart of its reader.
    let path = "/sources/info/backfill";
    let asked = rig.ask(path, &json!({ "since": "2026-01-01" })).await;
    assert_eq!(asked["ask"], json!({ "ask": "backfill", "since": "2026-01-01" }), "{asked}");
    rig.gateway.reload().await.unwrap();
    assert_eq!(rig.source("info").await["reading"]["ask"]["since"], "2026-01-01");
    for (path, body, status, code) in [
        ("/sources/site/backfill", json!({ "since": "2026-01-01" }), 404, "not-found"),
        ("/sources/nowhere/backfill", json!({ "since": "2026-01-01" }), 404, "not-found"),
        (path, json!({ "since": "yesterday" }), 422, "invalid-value"),
    ] {
        problem(rig.call(Method::POST, path, &rig.key).json(&body).send().await.unwrap(), status, code).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_mail_that_waited_is_read_again_when_it_is_released() {
    let rig = Rig::start_with("", MAILBOX).await;
    let source = SourceId::parse("info").unwrap();
    let text =
        "From: Anna Petrova <anna@firma-mail.ru>\r\nSubject: Prices\r\nMessage-ID: <m1@firma-mail.ru>\r\n\r\nPlease call me.\r\n";
    let raw = Raw {
        content_type: "message/rfc822".to_owned(),
        codec: Codec::Plain,
        body: Bytes::from_static(text.as_bytes()),
        sha256: [1; 32],
        query: String::new(),
        peer: None,
        head: String::new(),
    };
    let (at, id) = rig.gateway.clock.submission();
    let hold = Some(Hold { code: "poisoned".to_owned(), words: "the gateway failed on it".to_owned(), authenticated: true });
    let item = Submission { hold, purpose: Purpose::Note, ..Submission::of_bytes(id, source, at, raw) };
    rig.gateway.intake.submit(vec![item]).await.unwrap();
    let released = rig.ask("/quarantine/release", &json!({ "ids": [id] })).await;
    let receipt = &released["items"][0]["receipt"];
    assert_eq!(receipt["outcome"], "created", "{released}");
    let lead = rig.get(&format!("/leads/{}", receipt["lead"])).await;
    assert_eq!(lead["timeline"][0]["content"]["mail"]["subject"], "Prices", "{lead}");
    // Whether it is silent is told of mailboxes, too, unless they are switched off.
    let silent = "leadgate_source_silent{source=\"info\"} 0";
    let rig = rig.restart(MAILBOX).await;
    rig.until(silent, async || rig.metrics().await.contains(silent)).await;
    assert!(rig.gateway.live().expects(&"info".parse().unwrap()));
    write_config(rig.folder.path(), "", &format!("{MAILBOX}enabled = false\n"));
    rig.gateway.reload().await.unwrap();
    assert!(!rig.gateway.live().expects(&"info".parse().unwrap()));
    rig.stop().await;
}
