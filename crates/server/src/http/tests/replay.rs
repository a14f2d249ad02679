//! What was kept, recorded again through the API; sources that are switched off or gone; ignored senders.

use serde_json::json;

use crate::secrets::SourceTokens;

use super::*;

/// A site of its own, whose pages must say where they stand.
const STRICT: &str = "[sources.strict]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0003\"\nmin_fill_ms = 0\n\
                      allow_origins = [\"https://shop.example\"]\n";
const STRICT_PATH: &str = "/in/strict/token-of-the-site-0003";

impl Rig {
    async fn form_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) {
        let request =
            self.client.post(self.url(path)).header("origin", origin).header("referer", format!("{origin}/prices?utm_source=ya"));
        assert!(request.form(fields).send().await.unwrap().status().as_u16() < 400);
    }

    /// Writes the configuration anew and makes the gateway read it.
    async fn configure(&self, more: &str) {
        write_config(self.folder.path(), "", more);
        self.gateway.reload().await.unwrap();
    }

    async fn waiting(&self) -> Vec<Value> {
        self.get("/quarantine").await["items"].as_array().unwrap().clone()
    }
}

fn results(batch: &Value) -> Vec<String> {
    let told = |item: &Value| {
        let outcome = item["receipt"]["outcome"].as_str().unwrap_or("-");
        format!("{} {} {outcome}", item["before"].as_str().unwrap(), item["done"].as_str().unwrap())
    };
    batch["items"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn what_was_held_is_released_once_and_read_as_it_came() {
    let rig = Rig::start_with("", STRICT).await;
    rig.form_from("https://other.example", STRICT_PATH, &[("name", "Anna"), ("phone", "+79161234567"), ("password", "hunter2")])
        .await;
    let id = rig.waiting().await[0]["id"].clone();
    let asked = json!({ "ids": [id] });
    let dry = rig.ask("/quarantine/release", &json!({ "ids": [id], "dry": true })).await;
    assert_eq!(results(&dry), ["quarantined changed created"]);
    assert_eq!(rig.get("/leads").await["items"], json!([]));
    let done = rig.ask("/quarantine/release", &asked).await;
    assert_eq!((results(&done), done["total"].as_u64()), (vec!["quarantined changed created".to_owned()], Some(1)));
    let lead = rig.get(&format!("/leads/{}", done["items"][0]["receipt"]["lead"])).await;
    let activity = &lead["timeline"][0];
    assert_eq!(activity["content"]["name"], "Anna");
    assert_eq!(lead["first_touch"]["page"], "https://other.example/prices?utm_source=ya", "{lead}");
    assert!(!lead.to_string().contains("hunter2"));
    assert_eq!(results(&rig.ask("/quarantine/release", &asked).await), ["created same created"]);
    // What nobody can read stays, and says why.
    let broken = rig.client.post(rig.url(&form_path())).header("content-type", "application/json").body("{\"a\": ");
    assert!(broken.send().await.unwrap().status().as_u16() < 400);
    let batch = rig.ask("/quarantine/release", &json!({ "sources": ["site"] })).await;
    assert_eq!(results(&batch), ["quarantined left -"]);
    assert!(batch["items"][0]["why"].as_str().unwrap().contains("cannot be read"), "{batch}");
    let dropped = rig.ask("/quarantine/drop", &json!({})).await;
    assert_eq!(results(&dropped), ["quarantined changed noted"]);
    assert!(rig.waiting().await.is_empty());
    let detail = rig.get(&format!("/submissions/{}", dropped["items"][0]["id"].as_str().unwrap())).await;
    assert_eq!(detail["receipts"][1]["reasons"][0]["by"], "api:local");
    rig.stop().await;
}

#[tokio::test]
async fn a_replay_goes_by_the_rules_of_today() {
    let rig = Rig::start_with("", &format!("{STRICT}fields = {{ f1 = \"ignore\" }}\n")).await;
    rig.form_from("https://new.example", STRICT_PATH, &[("name", "Anna"), ("phone", "+79161234567"), ("_id", "1")]).await;
    rig.form_from("https://shop.example", STRICT_PATH, &[("name", "Boris"), ("f1", "+79160001122"), ("_id", "2")]).await;
    // Nobody vouches for this one.
    rig.post("/in/strict/wrong", &[("name", "Eve"), ("phone", "+79160003344")]).await;
    let still = rig.ask("/replay", &json!({})).await;
    assert_eq!(results(&still), ["quarantined left -", "quarantined left -"]);
    assert!(still["items"][0]["why"].as_str().unwrap().contains("allow_origins"), "{still}");
    assert!(still["items"][1]["why"].as_str().unwrap().contains("vouches"), "{still}");
    rig.configure(
        &format!("{STRICT}fields = {{ f1 = \"phone\" }}\n").replace("https://shop.example", "shop.example\", \"new.example"),
    )
    .await;
    let done = rig.ask("/replay", &json!({})).await;
    assert_eq!(results(&done), ["quarantined changed created", "quarantined left -"]);
    assert_eq!(results(&rig.ask("/replay", &json!({})).await), ["quarantined left -"]);
    // What is settled is only touched when asked, and first told.
    let asked = json!({ "sources": ["strict"], "reattach": true, "outcomes": ["created"] });
    let told =
        rig.ask("/replay", &json!({ "sources": ["strict"], "reattach": true, "outcomes": ["created"], "dry": true })).await;
    assert_eq!(results(&told), ["created same created", "created changed created"]);
    let changes = told["items"][1]["changes"].to_string();
    assert!(changes.contains("+79160001122 (strong)") && changes.contains("is new"), "{changes}");
    assert_eq!(results(&rig.ask("/replay", &asked).await), ["created same created", "created changed created"]);
    assert_eq!(results(&rig.ask("/replay", &asked).await), ["created same created", "created same created"]);
    let boris = rig.get("/leads?q=%2B79160001122").await;
    assert_eq!(boris["items"][0]["name"], "Boris", "{boris}");
    // By a person's word even a stranger's.
    let batch = rig.ask("/quarantine/release", &json!({})).await;
    assert_eq!(results(&batch), ["quarantined changed created"]);
    rig.stop().await;
}

#[tokio::test]
async fn many_are_replayed_batch_by_batch() {
    let rig = Rig::start_with("", STRICT).await;
    for n in 0..70 {
        let phone = format!("+7916123{n:04}");
        rig.form_from("https://new.example", STRICT_PATH, &[("phone", &phone)]).await;
    }
    rig.configure(&STRICT.replace("https://shop.example", "*")).await;
    let first = rig.ask("/replay", &json!({})).await;
    assert_eq!((first["total"].as_u64(), first["items"].as_array().unwrap().len()), (Some(70), 64));
    let second = rig.ask("/replay", &json!({ "after": first["next"] })).await;
    assert_eq!((&second["total"], second["items"].as_array().unwrap().len(), &second["next"]), (&Value::Null, 6, &Value::Null));
    assert_eq!(rig.ask("/replay", &json!({})).await["total"], 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_source_keeps_its_url_until_it_is_forgotten() {
    let rig = Rig::start_with("", STRICT).await;
    let form = [("name", "Anna"), ("phone", "+79161234567")];
    rig.configure(&format!("{STRICT}enabled = false\n")).await;
    rig.form_from("https://shop.example", STRICT_PATH, &form).await;
    rig.configure("").await;
    let response = rig.post(STRICT_PATH, &[("name", "Boris"), ("phone", "+79160001122")]).await;
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, "ok"));
    assert_eq!(rig.post("/in/strict/wrong", &form).await.status(), 404);
    let probe = rig.client.get(rig.url(STRICT_PATH)).send().await.unwrap();
    assert_eq!(probe.status(), 200);
    let parts = reqwest::multipart::Form::new().text("phone", "+79160003344");
    let file = reqwest::multipart::Part::bytes(vec![1, 2, 3]).file_name("plan.pdf");
    let sent = rig.client.post(rig.url(STRICT_PATH)).multipart(parts.part("file", file)).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let reasons: Vec<String> = rig.waiting().await.iter().map(|item| item["reasons"][0].as_str().unwrap().to_owned()).collect();
    assert!(reasons[0].contains("forget strict") && reasons[3].contains("switched off"), "{reasons:?}");
    let listed = rig.get("/sources").await;
    let gone = listed.as_array().unwrap().iter().find(|source| source["id"] == "strict").unwrap().clone();
    assert_eq!((gone["kind"].as_str(), gone["enabled"].as_bool()), (Some("removed"), Some(false)));
    // Another source reads them: it was renamed.
    let left = rig.ask("/quarantine/release", &json!({ "sources": ["strict"] })).await;
    assert!(left["items"][0]["why"].as_str().unwrap().contains("--as"), "{left}");
    let batch = rig.ask("/quarantine/release", &json!({ "sources": ["strict"], "as": "site" })).await;
    // The third came with a wrong token, and says what the first says.
    let expected = ["created", "created", "repeat", "created"].map(|outcome| format!("quarantined changed {outcome}"));
    assert_eq!(results(&batch), expected);
    let lead = rig.get(&format!("/leads/{}", batch["items"][3]["receipt"]["lead"])).await;
    assert_eq!(lead["timeline"][0]["content"]["files"][0]["name"], "plan.pdf", "{lead}");
    assert!(SourceTokens::forget(&rig.gateway.data_dir, &leadgate_core::ids::SourceId::parse("strict").unwrap()).unwrap());
    rig.gateway.reload().await.unwrap();
    assert_eq!(rig.post(STRICT_PATH, &form).await.status(), 404);
    rig.stop().await;
}

#[tokio::test]
async fn what_comes_from_an_ignored_sender_makes_no_lead() {
    let rig = Rig::start().await;
    let ignore = |sender: &str| rig.call(Method::POST, "/senders", &rig.key).json(&json!({ "sender": sender })).send();
    assert_eq!(ignore("8 916 123-45-67").await.unwrap().status(), 201);
    assert_eq!(ignore("+79161234567").await.unwrap().status(), 200);
    problem(ignore("gmail.com").await.unwrap(), 422, "invalid-value").await;
    rig.post(&form_path(), &[("phone", "+7 (916) 123-45-67")]).await;
    assert_eq!(rig.get("/leads").await["items"], json!([]));
    let noted = rig.get("/submissions?outcome=noted").await;
    assert!(noted["items"][0]["reasons"][0].as_str().unwrap().contains("+79161234567"), "{noted}");
    assert_eq!(rig.get("/senders").await[0]["actor"], "api:local");
    let forget = rig.call(Method::DELETE, "/senders/%2B79161234567", &rig.key).send().await.unwrap();
    assert_eq!(forget.status(), 204);
    problem(rig.call(Method::DELETE, "/senders/%2B79161234567", &rig.key).send().await.unwrap(), 404, "not-found").await;
    assert_eq!(results(&rig.ask("/replay", &json!({})).await), ["noted changed created"]);
    rig.stop().await;
}

#[tokio::test]
async fn deciding_takes_the_scope_and_the_source() {
    let rig = Rig::start_with("", STRICT).await;
    rig.form_from("https://other.example", STRICT_PATH, &[("phone", "+79161234567")]).await;
    let writer = rig.token(json!({ "name": "w", "scopes": ["write"] })).await;
    for path in ["/quarantine/release", "/quarantine/drop", "/replay"] {
        let response = rig.call(Method::POST, path, &writer).json(&json!({})).send().await.unwrap();
        problem(response, 403, "forbidden").await;
    }
    let elsewhere = rig.token(json!({ "name": "e", "scopes": ["admin"], "sources": ["site"] })).await;
    let id = rig.waiting().await[0]["id"].clone();
    for body in [json!({ "ids": [id] }), json!({ "sources": ["strict"] })] {
        let response = rig.call(Method::POST, "/quarantine/release", &elsewhere).json(&body).send().await.unwrap();
        assert_eq!(response.json::<Value>().await.unwrap()["items"], json!([]));
    }
    let foreign = json!({ "sources": ["site"], "as": "strict" });
    problem(rig.call(Method::POST, "/replay", &elsewhere).json(&foreign).send().await.unwrap(), 422, "invalid-value").await;
    problem(
        rig.call(Method::POST, "/senders", &elsewhere).json(&json!({ "sender": "a@b.ru" })).send().await.unwrap(),
        403,
        "forbidden",
    )
    .await;
    problem(
        rig.call(Method::POST, "/replay", &rig.key).json(&json!({ "nonsense": 1 })).send().await.unwrap(),
        422,
        "invalid-value",
    )
    .await;
    rig.stop().await;
}
