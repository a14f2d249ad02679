//! Starting, stopping, and what operators watch.

use super::*;

#[tokio::test]
async fn the_demo_page_holds_a_form_that_works() {
    let rig = Rig::start().await;
    let front = rig.client.get(rig.url("/")).send().await.unwrap();
    assert_eq!((front.status().as_u16(), front.headers()["location"].to_str().unwrap()), (303, "/demo"));
    let page = rig.client.get(rig.url("/demo?utm_source=ya%22%3E&gclid=1")).send().await.unwrap().text().await.unwrap();
    let line = page.lines().find(|line| line.contains("action=\"")).unwrap();
    let action = line.split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(action, form_path());
    assert!(page.contains("name=\"utm_source\" value=\"ya&#34;&#62;\""), "{page}");
    assert!(page.contains("name=\"_id\"") && page.contains("name=\"_t\"") && page.contains("name=\"_gotcha\""));
    assert!(!page.contains("http://") || page.contains(&rig.url(&action)), "the snippet names this host");
    let sent = rig.post(&action, &[("name", "Анна"), ("phone", "+79161234567"), ("utm_source", "x"), ("_id", "1")]).await;
    assert!(sent.status().is_success() || sent.status().is_redirection());
    let elsewhere = rig.client.get(rig.url("/")).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!(elsewhere.status(), 200);
    rig.stop().await;
}

#[tokio::test]
async fn operators_see_how_it_is() {
    let rig = Rig::start().await;
    rig.post(&form_path(), &[("name", "Анна"), ("phone", "+79161234567")]).await;
    assert_eq!(rig.client.get(rig.url("/healthz")).send().await.unwrap().text().await.unwrap(), "ok\n");
    let ready = rig.client.get(rig.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let metrics = rig.metrics().await;
    for name in [
        "leadgate_submissions_total{source=\"site\",outcome=\"created\"}",
        "leadgate_intake_seconds_bucket",
        "leadgate_intake_queue_items",
        "leadgate_http_requests_total{route=\"/in/{source}/{token}\"",
        "leadgate_source_last_seconds{source=\"site\"}",
        "leadgate_phone_parser_panics_total",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    assert!(!metrics.contains(TOKEN));
    let status = rig.get("/status").await;
    assert_eq!((status["leads"].as_u64(), status["company"].as_str()), (Some(1), Some("Test")));
    rig.stop().await;
}

#[tokio::test]
async fn metrics_tell_which_source_is_silent_and_which_is_missed() {
    let rig =
        Rig::start_with("", "[sources.quiet]\nkind = \"html_form\"\ntoken = \"quiet-token-of-a-form\"\nrequire_origin = false\n")
            .await;
    rig.post("/in/quiet/quiet-token-of-a-form", &[("name", "Anna"), ("phone", "+79161234567")]).await;
    // It is told from the start, before anything comes.
    let rig = rig.restart("[sources.quiet]\nkind = \"html_form\"\ntoken = \"quiet-token-of-a-form\"\n").await;
    let silent = "leadgate_source_silent{source=\"quiet\"} 0";
    rig.until(silent, async || rig.metrics().await.contains(silent)).await;
    assert!(rig.metrics().await.contains("leadgate_source_missed_deliveries{source=\"quiet\"} 0"));
    rig.stop().await;
}

#[tokio::test]
async fn senders_that_come_before_the_database_is_open_wait_for_it() {
    let rig = Rig::in_folder(tempfile::tempdir().unwrap(), "", "");
    let response = rig.post(&form_path(), &[("name", "Анна"), ("phone", "+79161234567")]).await;
    assert!(response.status().is_success() || response.status().is_redirection());
    rig.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way() {
    let rig = Rig::start().await;
    let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let body = "name=Anna&phone=%2B79161234567";
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        form_path(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The gateway asks for the body: the request is under way.
    let mut buffer = [0; 25];
    stream.read_exact(&mut buffer).await.unwrap();
    assert!(buffer.starts_with(b"HTTP/1.1 100"));
    rig.shutdown.stop();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 303"), "{}", String::from_utf8_lossy(&answer));
    rig.running.await.unwrap().unwrap();
    // It was kept.
    let again = Rig::in_folder(rig.folder, "", "");
    assert!(again.gateway.store().await.is_some());
    assert_eq!(again.get("/leads").await["items"].as_array().unwrap().len(), 1);
    again.stop().await;
}

#[tokio::test]
async fn who_was_let_in_before_a_stop_may_still_speak() {
    let rig = Rig::start().await;
    let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    // Let in, as this other connection, which came later, was.
    assert!(rig.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("ok\n"));
    rig.shutdown.stop();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    rig.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_hard_stop_waits_for_nobody() {
    let rig = Rig::start().await;
    let mut idle = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    idle.write_all(b"POST /in/site/x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n").await.unwrap();
    rig.shutdown.stop_hard();
    rig.running.await.unwrap().unwrap();
}
