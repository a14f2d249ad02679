//! The description of the API, as browsers and programs fetch it.

use super::*;

/// Of a page, a style or a script of ours: every address it may ask must be this gateway's.
fn asks_nobody_else(text: &str, what: &str) {
    for attribute in ["src=\"", "href=\"", "url("] {
        for address in text.split(attribute).skip(1) {
            let address = address.trim_start_matches(['"', '\'']);
            assert!(!address.starts_with("http") && !address.starts_with("//"), "{what}: {}", &address[..address.len().min(80)]);
        }
    }
}

#[tokio::test]
async fn the_api_is_described_and_can_be_browsed_without_a_network() {
    let rig = Rig::start().await;
    let document: Value = rig.client.get(rig.url("/api/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let moved = rig.client.get(rig.url("/api")).send().await.unwrap();
    assert_eq!((moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()), (308, "/api/"));
    let mut seen = 0;
    for (name, zipped) in [
        ("", true),
        ("swagger-ui.css", true),
        ("index.css", true),
        ("swagger-initializer.js", false),
        ("swagger-ui-bundle.js", true),
    ] {
        let answer = rig.client.get(rig.url(&format!("/api/{name}"))).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.headers().get("content-encoding").is_some(), zipped, "{name}");
        if !zipped {
            let text = answer.text().await.unwrap();
            assert!(text.contains("/api/openapi.json") && text.contains("\"validatorUrl\": \"none\""), "{text}");
            asks_nobody_else(&text, name);
        }
        seen += 1;
    }
    assert_eq!(seen, 5);
    problem(rig.client.get(rig.url("/api/nothing.js")).send().await.unwrap(), 404, "not-found").await;
    // Who came over a network in the open is told nothing.
    for path in ["/api", "/api/", "/api/openapi.json", "/api/swagger-ui.css"] {
        let answer = rig.client.get(rig.url(path)).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
        problem(answer, 403, "not-from-there").await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_no_text_can_hold_is_refused_in_words() {
    let rig = Rig::start().await;
    for query in ["name=%00", "name=a%FFb", "identity=%ED%A0%80", "%00=1", "responsible=%00", "source=", "since=", "stage="] {
        let path = if query.starts_with("name") { "/contacts" } else { "/leads" };
        problem(rig.call(Method::GET, &format!("{path}?{query}"), &rig.key).send().await.unwrap(), 400, "bad-request").await;
    }
    problem(rig.call(Method::DELETE, "/tokens/a%00b", &rig.key).send().await.unwrap(), 404, "not-found").await;
    problem(rig.call(Method::DELETE, "/tokens/%FF", &rig.key).send().await.unwrap(), 400, "bad-request").await;
    problem(rig.call(Method::GET, "/leads/99999999999999999999", &rig.key).send().await.unwrap(), 404, "not-found").await;
    rig.stop().await;
}
