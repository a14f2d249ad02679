//! The JSON API: who may, what is listed, what a change leaves behind, and what it says when it cannot.

use std::collections::BTreeSet;

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, send};
use leadgate_tests::gateway::Setup;
use reqwest::Method;
use serde_json::{Value, json};

const OTHER: &str = "other-token-0123456789";

/// Two sources: `site` and `other`.
fn setup() -> Setup {
    let site = Setup::default().site;
    Setup {
        more: format!(
            "[sources.other]\nkind = \"html_form\"\ntoken = \"{OTHER}\"\n{site}\n[[managers]]\nid = \"anna\"\n[[managers]]\nid = \"oleg\"\n"
        ),
        ..Setup::default()
    }
}

async fn deliver(world: &World, n: u32, fields: &[(&str, &str)]) -> anyhow::Result<()> {
    let (name, phone) = (format!("Person{n}"), format!("+7 916 800-{:02}-{:02}", n / 100, n % 100));
    let url = if n.is_multiple_of(2) { world.gateway.action() } else { world.gateway.url(&format!("/in/other/{OTHER}")) };
    send(world.web.post(url).form(&[&[("name", name.as_str()), ("phone", phone.as_str())], fields].concat()))
        .await?
        .expect(200)?;
    Ok(())
}

async fn token(world: &World, body: Value) -> anyhow::Result<String> {
    let made = world.post("/tokens", &body).await?.expect(201)?.json()?;
    Ok(made["token"].as_str().context("a token is shown once")?.to_owned())
}

/// An answer that is a problem in the form of RFC 9457.
fn problem(answer: &Answer, status: u16) -> anyhow::Result<Value> {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json()?;
    assert_eq!(problem["status"], status);
    for key in ["type", "title", "detail", "request_id"] {
        assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {problem}");
    }
    assert_eq!(problem["request_id"], answer.header("x-request-id"), "the id is the one in the log");
    Ok(problem)
}

#[tokio::test]
async fn a_token_may_what_its_scopes_say() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 2, &[]).await?;
    let lead = world.only_lead().await?;
    let (submission, activity) = (lead["timeline"][0]["submission"].as_str().context("an id")?, &lead["timeline"][0]["id"]);
    let mut tokens = vec![(None, 0), (Some("lg_wrong".to_owned()), 0)];
    for (level, scopes) in [(1, json!(["read"])), (2, json!(["write"])), (3, json!(["admin"]))] {
        tokens.push((Some(token(&world, json!({ "name": format!("level{level}"), "scopes": scopes })).await?), level));
    }
    let raw = format!("/submissions/{submission}/raw");
    let one = format!("/submissions/{submission}");
    let calls: [(u8, Method, &str, Option<Value>); 14] = [
        (1, Method::GET, "/leads", None),
        (1, Method::GET, "/leads/1", None),
        (1, Method::GET, "/contacts", None),
        (1, Method::GET, "/contacts/1", None),
        (1, Method::GET, "/submissions", None),
        (1, Method::GET, &one, None),
        (1, Method::GET, "/sources", None),
        (1, Method::GET, "/status", None),
        (1, Method::GET, "/reviews", None),
        (2, Method::PATCH, "/leads/1", Some(json!({ "note": "x" }))),
        (2, Method::POST, "/leads/1/notes", Some(json!({ "text": "x" }))),
        (3, Method::GET, &raw, None),
        (3, Method::GET, "/tokens", None),
        (3, Method::POST, "/admin/reload", Some(json!({}))),
    ];
    for (token, level) in &tokens {
        for (needed, method, path, body) in &calls {
            let mut request = world.web.request(method.clone(), world.gateway.url(&format!("/api/v1{path}")));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = send(request).await?;
            let expected = if *level == 0 {
                401
            } else if level < needed {
                403
            } else {
                200
            };
            assert_eq!(answer.status, expected, "{method} {path} at level {level}: {}", answer.text());
            if expected != 200 {
                problem(&answer, expected)?;
            }
        }
    }
    let unauthorized = send(world.web.get(world.gateway.url("/api/v1/leads"))).await?;
    assert!(unauthorized.header("www-authenticate").starts_with("Bearer"), "{:?}", unauthorized.headers);
    let sources =
        send(world.web.get(world.gateway.url("/api/v1/sources")).bearer_auth(tokens[2].0.as_deref().unwrap_or_default())).await?;
    assert!(!sources.text().contains("test-token-0123456789"), "readers do not see the URLs' tokens: {}", sources.text());
    assert!(activity.is_i64());
    Ok(())
}

#[tokio::test]
async fn a_token_limited_to_sources_sees_no_others() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 1, &[]).await?;
    deliver(&world, 2, &[]).await?;
    let limited = token(&world, json!({ "name": "agency", "scopes": ["admin"], "sources": ["other"] })).await?;
    let ask = async |method: Method, path: &str| {
        let request = world.web.request(method, world.gateway.url(&format!("/api/v1{path}"))).bearer_auth(&limited);
        send(request.json(&json!({ "note": "x" }))).await
    };
    let leads = ask(Method::GET, "/leads").await?.expect(200)?.json()?;
    let sources: Vec<_> = leads["items"].as_array().context("items")?.iter().map(|lead| lead["source"].clone()).collect();
    assert_eq!(sources, [json!("other")]);
    assert_eq!(ask(Method::GET, "/leads?source=site").await?.expect(200)?.json()?["items"], json!([]));
    assert_eq!(ask(Method::GET, "/submissions").await?.expect(200)?.json()?["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(Method::GET, "/contacts").await?.expect(200)?.json()?["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(Method::GET, "/sources").await?.expect(200)?.json()?.as_array().map(Vec::len), Some(1));

    let all = world.leads().await?;
    let foreign = all.iter().find(|lead| lead["source"] == "site").context("the other lead")?;
    let lead = world.get(&format!("/leads/{}", foreign["id"])).await?;
    let submission = lead["timeline"][0]["submission"].as_str().context("an id")?.to_owned();
    for (method, path) in [
        (Method::GET, format!("/leads/{}", foreign["id"])),
        (Method::PATCH, format!("/leads/{}", foreign["id"])),
        (Method::GET, format!("/contacts/{}", foreign["contact"])),
        (Method::GET, format!("/submissions/{submission}")),
        (Method::GET, format!("/submissions/{submission}/raw")),
        (Method::POST, format!("/activities/{}/detach", lead["timeline"][0]["id"])),
    ] {
        let answer = ask(method.clone(), &path).await?;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
    for path in ["/status", "/tokens", "/reviews"] {
        problem(&ask(Method::GET, path).await?, 403)?;
    }
    assert_eq!(ask(Method::PATCH, &format!("/leads/{}", leads["items"][0]["id"])).await?.status, 200, "its own it may change");
    Ok(())
}

#[tokio::test]
async fn pages_cover_everything_once() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    for n in 1..=23 {
        deliver(&world, n, &[]).await?;
    }
    for (path, key) in [("/leads", "id"), ("/contacts", "id"), ("/submissions", "id")] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = world.get(&format!("{path}?limit=5{after}")).await?;
            let items = page["items"].as_array().context("items")?;
            assert!(items.len() <= 5);
            seen.extend(items.iter().map(|item| item[key].to_string()));
            pages += 1;
            // What comes meanwhile must not push anything over the edge of a page.
            deliver(&world, 100 + pages, &[]).await?;
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{path} shows something twice: {seen:?}");
        assert!(seen.len() >= 23, "{path} shows {} only", seen.len());
    }
    for bad in [
        "/leads?limit=0",
        "/leads?limit=501",
        "/leads?after=!",
        "/leads?after=1_2",
        "/contacts?after=1",
        "/submissions?after=!",
        "/reviews?after=!",
        "/leads?colour=red",
        "/leads?open=perhaps",
        "/leads?limit=1&limit=2",
    ] {
        problem(&send(world.api(Method::GET, bad)).await?, 400)?;
    }
    Ok(())
}

#[tokio::test]
async fn lists_are_filtered() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 1, &[("email", "first@mail.ru")]).await?;
    deliver(&world, 2, &[]).await?;
    deliver(&world, 3, &[("test", "1")]).await?;
    deliver(&world, 4, &[]).await?;
    let ids = async |query: &str| {
        let page = world.get(&format!("/leads{query}")).await?;
        anyhow::Ok(page["items"].as_array().context("items")?.iter().filter_map(|lead| lead["id"].as_i64()).collect::<Vec<_>>())
    };
    world.post("/leads/1/close", &json!({ "as": "junk" })).await?.expect(200)?;
    world.post("/leads/2/take", &json!({ "manager": "anna" })).await?.expect(200)?;
    let fourth = world.get("/leads/4").await?;
    let since = fourth["created_at"].as_str().context("a time")?;
    let first = world.get("/leads/1").await?;
    for (query, expected) in [
        ("", vec![4, 2, 1]),
        ("?tests=true", vec![4, 3, 2, 1]),
        ("?open=true", vec![4, 2]),
        ("?open=false", vec![1]),
        ("?stage=JUNK", vec![1]),
        ("?stage=in_process", vec![2]),
        ("?source=other", vec![1]),
        ("?responsible=anna", vec![2]),
        ("?responsible=", vec![4, 1]),
        (&format!("?since={since}"), vec![4]),
        ("?q=8(916)800-00-01", vec![1]),
        ("?q=%2B79168000002", vec![2]),
        ("?q=FIRST@mail.ru", vec![1]),
        ("?q=nobody@mail.ru", vec![]),
        (&format!("?contact={}", first["contact"]), vec![1]),
        ("?open=true&source=site&responsible=", vec![4]),
    ] {
        assert_eq!(ids(query).await?, expected, "{query}");
    }
    world.form(&[("name", "Ёлка Соловьёва"), ("phone", "+7 916 800-00-09")]).await?.expect(200)?;
    for (typed, expected) in [("%D0%A1%D0%9E%D0%9B%D0%9E%D0%92", 1), ("elka", 1), ("person", 3), ("nobody", 0)] {
        let contacts = world.get(&format!("/contacts?name={typed}")).await?;
        assert_eq!(contacts["items"].as_array().map(Vec::len), Some(expected), "{typed}: {contacts}");
    }
    let outcomes = world.get("/submissions?outcome=test").await?;
    assert_eq!(outcomes["items"].as_array().map(Vec::len), Some(1), "{outcomes}");
    Ok(())
}

#[tokio::test]
async fn a_lead_is_worked_with_history() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 2, &[]).await?;
    let first = send(world.api(Method::GET, "/leads/1")).await?.expect(200)?;
    let tag = first.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", first.json()?["version"]));
    let patch =
        async |tag: &str, body: Value| send(world.api(Method::PATCH, "/leads/1").header("if-match", tag).json(&body)).await;
    let changed =
        patch(&tag, json!({ "stage": "IN_PROCESS", "responsible": "anna", "note": "called" })).await?.expect(200)?.json()?;
    assert_eq!((&changed["stage"], &changed["responsible"]), (&json!("IN_PROCESS"), &json!("anna")));
    problem(&patch(&tag, json!({ "stage": "PROCESSED" })).await?, 412)?;
    problem(&patch("nonsense", json!({ "stage": "PROCESSED" })).await?, 400)?;
    assert_eq!(world.patch("/leads/1", &json!({ "responsible": null })).await?.expect(200)?.json()?["responsible"], Value::Null);

    for (body, status) in [
        (json!({ "stage": "JUNK" }), 409),
        (json!({ "stage": "LOST" }), 422),
        (json!({ "responsible": "nobody" }), 422),
        (json!({ "note": " " }), 422),
        (json!({ "note": 7 }), 422),
        (json!({ "colour": "red" }), 422),
        (json!({}), 422),
    ] {
        problem(&world.patch("/leads/1", &body).await?, status)?;
    }
    let text = world.api(Method::PATCH, "/leads/1").header("content-type", "text/plain").body("{}");
    problem(&send(text).await?, 415)?;
    let broken = world.api(Method::PATCH, "/leads/1").header("content-type", "application/json").body("{\"note\":");
    problem(&send(broken).await?, 400)?;

    let taken = world.post("/leads/1/take", &json!({ "manager": "oleg" })).await?.expect(200)?.json()?;
    assert_eq!(taken["responsible"], "oleg");
    problem(&world.post("/leads/1/take", &json!({ "manager": "anna" })).await?, 409)?;
    let closed = world.post("/leads/1/close", &json!({ "as": "converted" })).await?.expect(200)?.json()?;
    assert_eq!(closed["stage"], "CONVERTED");
    problem(&world.post("/leads/1/close", &json!({ "as": "junk" })).await?, 409)?;
    problem(&world.post("/leads/1/close", &json!({ "as": "lost" })).await?, 422)?;
    problem(&world.patch("/leads/1", &json!({ "stage": "NEW" })).await?, 409)?;
    let open = world.post("/leads/1/reopen", &json!({})).await?.expect(200)?.json()?;
    assert_eq!((&open["stage"], &open["closed_at"]), (&json!("IN_PROCESS"), &Value::Null));
    problem(&world.post("/leads/1/reopen", &json!({})).await?, 409)?;
    problem(&world.post("/leads/77/reopen", &json!({})).await?, 404)?;

    let lead = world.get("/leads/1").await?;
    let history: Vec<_> = lead["history"]
        .as_array()
        .context("history")?
        .iter()
        .map(|e| (e["field"].clone(), e["from"].clone(), e["to"].clone()))
        .collect();
    assert!(history.contains(&(json!("stage"), json!("NEW"), json!("IN_PROCESS"))), "{history:?}");
    assert!(history.contains(&(json!("responsible"), Value::Null, json!("anna"))), "{history:?}");
    assert!(history.contains(&(json!("responsible"), json!("anna"), Value::Null)), "{history:?}");
    assert!(
        lead["history"]
            .as_array()
            .context("history")?
            .iter()
            .all(|e| e["actor"].as_str().is_some_and(|who| who.starts_with("api:")))
    );
    let notes: Vec<_> =
        lead["timeline"].as_array().context("a timeline")?.iter().filter(|activity| activity["kind"] == "note").collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0]["content"]["message"], "called");
    Ok(())
}

#[tokio::test]
async fn a_known_contact_without_a_lead_waits_to_be_taken() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 2, &[]).await?;
    world.post("/leads/1/close", &json!({ "as": "converted" })).await?.expect(200)?;
    deliver(&world, 2, &[("message", "again")]).await?;
    assert_eq!(world.leads().await?.len(), 1);
    assert_eq!(world.submissions("returned").await?.len(), 1);
    let waiting = world.get("/contacts?waiting=true").await?;
    assert_eq!(waiting["items"].as_array().map(Vec::len), Some(1), "{waiting}");
    let taken = world.post("/contacts/1/take", &json!({ "manager": "anna" })).await?.expect(200)?.json()?;
    assert_eq!((&taken["waiting_since"], &taken["responsible"]), (&Value::Null, &json!("anna")), "{taken}");
    assert_eq!(world.get("/contacts?waiting=true").await?["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_was_put_together_can_be_taken_apart_and_put_back() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    deliver(&world, 2, &[]).await?;
    deliver(&world, 2, &[("message", "not her"), ("email", "other@mail.ru")]).await?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 2);
    let second = lead["timeline"][1]["id"].clone();
    let moved = world.post(&format!("/activities/{second}/detach"), &json!({})).await?.expect(200)?.json()?;
    assert_eq!((&moved["from_lead"], &moved["from_contact"]), (&json!(1), &json!(1)));
    let own = world.get(&format!("/leads/{}", moved["to_lead"])).await?;
    assert_eq!((&own["activities"], &own["timeline"][0]["id"]), (&json!(1), &second));
    assert_ne!(own["contact"], lead["contact"]);
    assert!(own["person"]["identities"].to_string().contains("other@mail.ru"), "it took what it brought: {own}");
    let before = world.get("/leads/1").await?;
    assert_eq!(before["activities"], 1);
    assert!(!before["person"]["identities"].to_string().contains("other@mail.ru"), "{before}");

    let undone = world.post(&format!("/moves/{}/undo", moved["id"]), &json!({})).await?.expect(200)?.json()?;
    assert!(undone["undone_at"].is_string(), "{undone}");
    let back = world.get("/leads/1").await?;
    assert_eq!(back["activities"], 2);
    assert!(back["person"]["identities"].to_string().contains("other@mail.ru"), "{back}");
    problem(&world.post(&format!("/moves/{}/undo", moved["id"]), &json!({})).await?, 409)?;
    problem(&world.post("/moves/999/undo", &json!({})).await?, 404)?;
    problem(&world.post("/activities/999/detach", &json!({})).await?, 404)?;
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_stops_working_at_once() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let made = token(&world, json!({ "name": "crm" })).await?;
    let ask = async || send(world.web.get(world.gateway.url("/api/v1/leads")).bearer_auth(&made)).await;
    ask().await?.expect(200)?;
    problem(&world.post("/tokens", &json!({ "name": "crm" })).await?, 409)?;
    let listed = world.get("/tokens").await?.to_string();
    assert!(listed.contains("crm") && !listed.contains(&made), "{listed}");
    send(world.api(Method::DELETE, "/tokens/crm")).await?.expect(204)?;
    problem(&ask().await?, 401)?;
    problem(&send(world.api(Method::DELETE, "/tokens/crm")).await?, 404)?;
    for bad in [
        json!({ "name": "" }),
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "x", "scopes": ["root"] }),
        json!({ "name": "x", "sources": ["none"] }),
    ] {
        problem(&world.post("/tokens", &bad).await?, 422)?;
    }
    Ok(())
}

#[tokio::test]
async fn operators_see_what_happens() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    for n in [2, 2, 4] {
        deliver(&world, n, &[("_id", &n.to_string())]).await?;
    }
    deliver(&world, 3, &[]).await?;
    let get = async |path: &str| send(world.web.get(world.gateway.url(path))).await;
    assert_eq!(get("/healthz").await?.expect(200)?.text(), "ok\n");
    let ready = get("/readyz").await?.expect(200)?.json()?;
    assert_eq!(ready["status"], "ready");
    let metrics = get("/metrics").await?.expect(200)?.text();
    for (source, outcome, count) in [("site", "created", 2), ("site", "repeat", 1), ("other", "created", 1), ("other", "spam", 0)]
    {
        let line = format!("leadgate_submissions_total{{source=\"{source}\",outcome=\"{outcome}\"}} {count}");
        assert!(metrics.lines().any(|known| known == line), "{line} in:\n{metrics}");
    }
    for name in [
        "leadgate_intake_seconds_count",
        "leadgate_database_writable 1",
        "leadgate_disk_free_bytes",
        "leadgate_http_requests_total",
    ] {
        assert!(metrics.contains(name), "{name} in:\n{metrics}");
    }
    assert!(!metrics.contains("test-token") && !metrics.contains("Person"), "no tokens and no people in metrics");
    let sources = world.get("/sources").await?;
    let site = sources.as_array().context("a list")?.iter().find(|source| source["id"] == "site").context("site")?.clone();
    assert_eq!(site["health"]["counts"], json!([["created", 2], ["repeat", 1]]), "{site}");
    assert!(
        site["health"]["last_accepted"].is_string()
            && site["url"].as_str().is_some_and(|url| url.ends_with("/in/site/test-token-0123456789")),
        "{site}"
    );
    let answer = send(world.api(Method::GET, "/leads").header("x-request-id", "mine-1")).await?;
    assert_eq!(answer.header("x-request-id"), "mine-1");
    problem(&send(world.api(Method::GET, "/nothing")).await?, 404)?;
    problem(&send(world.api(Method::DELETE, "/leads")).await?, 405)?;
    problem(&send(world.api(Method::GET, "/leads/x")).await?, 404)?;
    let large = world.api(Method::PATCH, "/leads/1").json(&json!({ "note": "x".repeat(300 << 10) }));
    problem(&send(large).await?, 413)?;
    Ok(())
}
