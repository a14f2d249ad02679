//! The API: who may, what it says when it cannot, and what it changes.

use serde_json::json;

use super::*;

/// Every endpoint, with the least scope that opens it.
const ENDPOINTS: [(&str, &str, &str); 24] = [
    ("GET", "/leads", "read"),
    ("GET", "/leads/1", "read"),
    ("GET", "/contacts", "read"),
    ("GET", "/contacts/1", "read"),
    ("GET", "/submissions", "read"),
    ("GET", "/submissions/01900000-0000-7000-8000-000000000000", "read"),
    ("GET", "/quarantine", "read"),
    ("GET", "/reviews", "read"),
    ("GET", "/sources", "read"),
    ("GET", "/status", "read"),
    ("GET", "/attachments/00", "read"),
    ("PATCH", "/leads/1", "write"),
    ("POST", "/leads/1/close", "write"),
    ("POST", "/leads/1/reopen", "write"),
    ("POST", "/leads/1/take", "write"),
    ("POST", "/leads/1/notes", "write"),
    ("POST", "/contacts/1/take", "write"),
    ("POST", "/activities/1/detach", "write"),
    ("POST", "/moves/1/undo", "write"),
    ("GET", "/submissions/01900000-0000-7000-8000-000000000000/raw", "admin"),
    ("GET", "/tokens", "admin"),
    ("POST", "/tokens", "admin"),
    ("DELETE", "/tokens/none", "admin"),
    ("POST", "/admin/reload", "admin"),
];

#[tokio::test]
async fn scopes_open_what_they_should_and_no_more() {
    let rig = Rig::start().await;
    let order = ["read", "write", "admin"];
    let mut tokens = Vec::new();
    for scope in order {
        tokens.push(rig.token(json!({ "name": scope, "scopes": [scope] })).await);
    }
    for (method, path, least) in ENDPOINTS {
        let method: Method = method.parse().unwrap();
        for (scope, token) in order.iter().zip(&tokens) {
            let status = rig.call(method.clone(), path, token).json(&json!({})).send().await.unwrap().status();
            let may = order.iter().position(|s| s == scope) >= order.iter().position(|s| *s == least);
            assert_eq!(status == StatusCode::FORBIDDEN, !may, "{method} {path} with {scope}: {status}");
            assert!(status != StatusCode::UNAUTHORIZED && !status.is_server_error(), "{method} {path} with {scope}: {status}");
        }
        problem(rig.call(method.clone(), path, "nonsense").json(&json!({})).send().await.unwrap(), 401, "unauthorized").await;
        let without = rig.client.request(method, rig.url(&format!("/api/v1{path}"))).json(&json!({})).send().await.unwrap();
        assert_eq!(without.headers()["www-authenticate"], "Bearer");
        problem(without, 401, "unauthorized").await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_token_taken_back_is_refused_at_once() {
    let rig = Rig::start().await;
    let token = rig.token(json!({ "name": "program", "scopes": ["read"] })).await;
    assert_eq!(rig.call(Method::GET, "/leads", &token).send().await.unwrap().status(), 200);
    assert_eq!(rig.call(Method::DELETE, "/tokens/program", &rig.key).send().await.unwrap().status(), 204);
    problem(rig.call(Method::GET, "/leads", &token).send().await.unwrap(), 401, "unauthorized").await;
    problem(rig.call(Method::DELETE, "/tokens/program", &rig.key).send().await.unwrap(), 404, "not-found").await;
    problem(rig.call(Method::DELETE, "/tokens/local", &rig.key).send().await.unwrap(), 409, "own-token").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_token_limited_to_sources_sees_no_other() {
    let rig = Rig::start_with(
        "",
        "[sources.other]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0004\"\nrequire_origin = false\nmin_fill_ms = 0",
    )
    .await;
    rig.post(&form_path(), &[("name", "Анна"), ("phone", "+79161234567")]).await;
    rig.post("/in/other/token-of-the-site-0004", &[("name", "Олег"), ("phone", "+79031112233")]).await;
    let token = rig.token(json!({ "name": "other", "scopes": ["write"], "sources": ["other"] })).await;
    let get = async |path: &str| rig.call(Method::GET, path, &token).send().await.unwrap();
    let leads: Value = get("/leads").await.json().await.unwrap();
    assert_eq!(leads["items"].as_array().unwrap().len(), 1);
    assert_eq!(leads["items"][0]["source"], "other");
    let asked: Value = get("/leads?source=site").await.json().await.unwrap();
    assert!(asked["items"].as_array().unwrap().is_empty());
    problem(get("/leads/1").await, 404, "not-found").await;
    problem(get("/contacts/1").await, 404, "not-found").await;
    assert_eq!(get("/leads/2").await.status(), 200);
    assert_eq!(get("/contacts/2").await.status(), 200);
    let submissions: Value = get("/submissions").await.json().await.unwrap();
    assert!(submissions["items"].as_array().unwrap().iter().all(|item| item["source"] == "other"));
    let sources: Value = get("/sources").await.json().await.unwrap();
    assert_eq!(sources.as_array().unwrap().len(), 1);
    assert!(sources[0].get("url").is_none(), "the URL holds the token");
    problem(get("/status").await, 403, "forbidden").await;
    let close = rig.call(Method::POST, "/leads/1/close", &token).json(&json!({ "as": "junk" })).send().await.unwrap();
    problem(close, 404, "not-found").await;
    let detach = rig.call(Method::POST, "/activities/1/detach", &token).send().await.unwrap();
    problem(detach, 404, "not-found").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_lead_is_worked() {
    let rig = Rig::start_with("", "[[managers]]\nid = \"anna\"\nname = \"Anna\"").await;
    rig.post(&form_path(), &[("name", "Иван"), ("phone", "8 916 123-45-67"), ("email", "ivan@firma.ru")]).await;
    for q in ["89161234567", "%2B7 916 123 45 67", "Ivan@Firma.RU"] {
        assert_eq!(rig.get(&format!("/leads?q={q}")).await["items"].as_array().unwrap().len(), 1, "{q}");
    }
    assert!(rig.get("/leads?q=%2B79990000000").await["items"].as_array().unwrap().is_empty());
    let shown = rig.call(Method::GET, "/leads/1", &rig.key).send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let patch = |body: Value, tag: &str| rig.call(Method::PATCH, "/leads/1", &rig.key).header("if-match", tag).json(&body).send();
    let changed = patch(json!({ "stage": "IN_PROCESS", "note": "called" }), &tag).await.unwrap();
    assert_eq!(changed.status(), 200);
    problem(patch(json!({ "stage": "PROCESSED" }), &tag).await.unwrap(), 412, "changed-meanwhile").await;
    problem(patch(json!({ "stage": "PROCESSED" }), "x").await.unwrap(), 400, "bad-request").await;
    let post = async |path: &str, body: Value| rig.call(Method::POST, path, &rig.key).json(&body).send().await.unwrap();
    problem(post("/leads/1/take", json!({ "manager": "nobody" })).await, 422, "invalid-value").await;
    let taken: Value = post("/leads/1/take", json!({ "manager": "anna" })).await.json().await.unwrap();
    assert_eq!(taken["responsible"], "anna");
    let freed = rig.call(Method::PATCH, "/leads/1", &rig.key).json(&json!({ "responsible": null })).send().await.unwrap();
    assert!(freed.json::<Value>().await.unwrap()["responsible"].is_null());
    problem(patch(json!({ "stage": "JUNK" }), "*").await.unwrap(), 409, "final-stage").await;
    let closed: Value = post("/leads/1/close", json!({ "as": "junk" })).await.json().await.unwrap();
    assert_eq!(closed["stage"], "JUNK");
    problem(post("/leads/1/close", json!({ "as": "junk" })).await, 409, "lead-closed").await;
    assert_eq!(post("/leads/1/reopen", json!({})).await.status(), 200);
    problem(post("/leads/77/reopen", json!({})).await, 404, "not-found").await;
    rig.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told_in_words() {
    let rig = Rig::start().await;
    rig.post(&form_path(), &[("name", "Иван"), ("phone", "8 916 123-45-67")]).await;
    let get = async |path: &str| rig.call(Method::GET, path, &rig.key).send().await.unwrap();
    problem(get("/nothing").await, 404, "not-found").await;
    problem(get("/leads/x").await, 404, "not-found").await;
    problem(get("/leads?stage=OPEN").await, 400, "bad-request").await;
    problem(get("/leads?colour=red").await, 400, "bad-request").await;
    problem(get("/leads?limit=501").await, 400, "bad-request").await;
    problem(rig.client.get(rig.url("/nothing")).send().await.unwrap(), 404, "not-found").await;
    let method = rig.call(Method::PUT, "/leads", &rig.key).send().await.unwrap();
    assert_eq!(method.headers()["allow"], "GET,HEAD");
    problem(method, 405, "method-not-allowed").await;
    let close = || rig.call(Method::POST, "/leads/1/close", &rig.key);
    problem(close().body("as=junk").send().await.unwrap(), 415, "unsupported-media-type").await;
    problem(close().header("content-type", "application/json").body("{").send().await.unwrap(), 400, "bad-request").await;
    problem(close().json(&json!({ "as": "won" })).send().await.unwrap(), 422, "invalid-value").await;
    let unknown = close().json(&json!({ "as": "junk", "because": "x" })).send().await.unwrap();
    assert!(unknown.text().await.unwrap().contains("because"));
    problem(close().json(&json!({ "as": "x".repeat(300 << 10) })).send().await.unwrap(), 413, "too-large").await;
    rig.stop().await;
}

#[tokio::test]
async fn the_api_answers_here_and_behind_declared_proxies_only() {
    let rig = Rig::start().await;
    let call = rig.call(Method::GET, "/leads", &rig.key).header("x-forwarded-for", "203.0.113.9");
    problem(call.send().await.unwrap(), 403, "not-from-there").await;
    let metrics = rig.client.get(rig.url("/metrics")).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    problem(metrics, 403, "not-from-there").await;
    rig.stop().await;
    let rig = Rig::start_with("trusted_proxies = [\"127.0.0.1\"]", "").await;
    let call = rig.call(Method::GET, "/leads", &rig.key).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(call.send().await.unwrap().status(), 200);
    rig.stop().await;
}

#[tokio::test]
async fn a_reload_takes_good_configurations_only() {
    let rig = Rig::start().await;
    write_config(rig.folder.path(), "", "[sources.more]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0005\"");
    let reload = async || rig.call(Method::POST, "/admin/reload", &rig.key).send().await.unwrap();
    let reloaded: Value = reload().await.json().await.unwrap();
    assert_eq!(reloaded, json!({ "sources": 2, "restart_needed": false }));
    assert_ne!(rig.post("/in/more/token-of-the-site-0005", &[("name", "A")]).await.status(), 404);
    write_config(rig.folder.path(), "", "[sources.more]\nkind = \"no_such_kind\"");
    problem(reload().await, 409, "bad-configuration").await;
    assert_ne!(rig.post("/in/more/token-of-the-site-0005", &[("name", "B")]).await.status(), 404);
    rig.stop().await;
}
