//! What becomes of a delivery, whatever the other side does.

use std::net::Ipv4Addr;

use leadgate_core::ports::{Deliver as _, Delivered};
use serde_json::Value as Json;

use super::receiver::{Does, Receiver, says};
use super::{HASTE, PATIENCE, end, parcel, parcel_at, webhook};

#[tokio::test]
async fn everybody_is_sent_the_same_event() {
    let receiver = Receiver::start(vec![says("204 No Content", "", ""); 3]).await;
    let webhook = webhook(&receiver.url(), "headers = { X-Key = \"k\" }", PATIENCE);
    let mut parcel = parcel("lead.created");
    parcel.job.data.by = Some("api:site".to_owned());
    let told = webhook.deliver(&parcel).await.unwrap();
    assert_eq!(told, Delivered { refs: vec![], words: "answered 204".to_owned() });
    parcel.now = "2026-11-21T12:05:00Z".parse().unwrap();
    webhook.deliver(&parcel).await.unwrap();
    webhook.test(&super::parcel("disk.low")).await.unwrap();

    let heard = receiver.heard();
    assert!(heard[0].head.starts_with("POST /hook?key=hidden HTTP/1.1"), "{heard:?}");
    let header = |at: usize, name: &str| heard[at].header(name).map(str::to_owned).unwrap_or_default();
    assert_eq!((header(0, "content-type"), header(0, "x-key")), ("application/json".to_owned(), "k".to_owned()));
    assert_eq!(heard[0].header("webhook-signature"), None, "there is no secret");
    assert_eq!(header(0, "webhook-id"), parcel.job.id.to_string());
    assert_eq!((header(0, "webhook-id"), &heard[0].body), (header(1, "webhook-id"), &heard[1].body), "the same at every attempt");
    assert_eq!(
        (header(0, "webhook-timestamp"), header(1, "webhook-timestamp")),
        ("1795262400".to_owned(), "1795262700".to_owned())
    );

    let body: Json = serde_json::from_str(&heard[0].body).unwrap();
    let keys = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&body), ["type", "timestamp", "data"]);
    assert_eq!((&body["type"], &body["timestamp"]), (&"lead.created".into(), &"2026-11-21T12:00:00Z".into()));
    assert_eq!(keys(&body["data"]), ["id", "version", "installation", "lead", "contact", "activity", "by"]);
    assert_eq!((&body["data"]["version"], &body["data"]["by"]), (&1.into(), &"api:site".into()));
    assert_eq!(body["data"]["id"], parcel.job.event.to_string());
    assert_eq!(body["data"]["lead"]["number"], 1);
    let test: Json = serde_json::from_str(&heard[2].body).unwrap();
    assert_eq!(keys(&test["data"]), ["id", "version", "installation", "test", "detail"]);
}

#[tokio::test]
async fn every_answer_means_something() {
    let busy = |after: &str| says("429 Too Many Requests", &format!("retry-after: {after}\r\n"), "");
    let status = |status: &str| says(status, "", "{\"error\": \"what a customer wrote\"}");
    let redirect = "location: http://169.254.169.254/latest/meta-data\r\n";
    let cases = [
        (status("200 OK"), "done", "", None),
        (status("500 Internal Server Error"), "unavailable", "answered 500", None),
        (busy("17"), "unavailable", "answered 429", Some(17)),
        (busy("Sat, 21 Nov 2026 12:00:42 GMT"), "unavailable", "answered 429", Some(42)),
        (status("401 Unauthorized"), "unavailable", "answered 401: look at the URL", None),
        (status("409 Conflict"), "later", "answered 409", None),
        (status("422 Unprocessable"), "refused", "answered 422", None),
        (status("410 Gone"), "gone", "answered 410", None),
        (says("302 Found", redirect, ""), "unavailable", "it was redirected to another method", None),
        (says("307 Temporary Redirect", redirect, ""), "unavailable", "it was redirected to 169.254.169.254", None),
        (says("308 Permanent Redirect", "location: /there\r\n", ""), "unavailable", "it was redirected to 127.0.0.1", None),
        (says("304 Not Modified", "", ""), "unavailable", "answered 304", None),
        (Does::Says("what is this".to_owned()), "unavailable", "it cannot be reached", None),
        (Does::HangsUp, "unavailable", "it cannot be reached", None),
    ];
    let receiver = Receiver::start(cases.iter().map(|(does, ..)| does.clone()).collect()).await;
    let webhook = webhook(&receiver.url(), "", PATIENCE);
    for (does, wanted, start, after) in &cases {
        let (found, words, waits) = end(webhook.deliver(&parcel("lead.created")).await);
        assert_eq!((found, waits), (*wanted, *after), "{does:?}: {words}");
        assert!(words.starts_with(start) && !words.contains("customer"), "{does:?}: {words}");
    }
    assert_eq!(receiver.heard().len(), cases.len(), "nothing was sent twice, nothing went on to another place");
}

#[tokio::test]
async fn an_attempt_ends_in_time() {
    let chunked = |status: &str| format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n");
    let cases = [
        (Does::Stalls(String::new()), "unavailable", "there was no answer in time"),
        (Does::Stalls("HTTP/1.1 200 OK\r\nx-a: b".to_owned()), "unavailable", "there was no answer in time"),
        // What is answered is answered, however it goes on.
        (Does::Stalls("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_owned()), "done", ""),
        (Does::NeverEnds(chunked("202 Accepted")), "done", ""),
        (Does::NeverEnds(chunked("500 Oops")), "unavailable", "answered 500"),
        (Does::NeverEnds(chunked("410 Gone")), "gone", "answered 410"),
    ];
    let receiver = Receiver::start(cases.iter().map(|(does, ..)| does.clone()).collect()).await;
    let webhook = webhook(&receiver.url(), "", HASTE);
    for (does, wanted, start) in &cases {
        let (found, words, _) = end(webhook.deliver(&parcel("lead.created")).await);
        assert!(found == *wanted && words.starts_with(start), "{does:?}: {found} {words}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let free = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let tls = Receiver::untrusted().await;
    for (url, reason) in [
        (format!("http://127.0.0.1:{free}/hidden"), "it cannot be reached: the connection was refused"),
        (format!("https://127.0.0.1:{}/hidden", tls.port), "it cannot be reached: its certificate is not trusted"),
        ("https://nobody.example/hidden".to_owned(), "it cannot be reached: its name does not resolve"),
        ("https://inside.example/hidden".to_owned(), "this address is not the public internet's"),
    ] {
        let (found, words, after) = end(webhook(&url, "", PATIENCE).deliver(&parcel("lead.created")).await);
        assert_eq!((found, after), ("unavailable", None), "{url}: {words}");
        assert!(words.starts_with(reason), "{url}: {words}");
    }
    assert!(tls.heard().is_empty(), "nobody without a certificate is told anything");
}

#[tokio::test]
async fn ids_come_back() {
    let answers = ["[{\"id\": 77, \"contact_id\": \"x\"}]", "[]", "<html>"].map(|body| says("200 OK", "", body));
    let receiver = Receiver::start(answers.to_vec()).await;
    let webhook = webhook(&receiver.url(), "reference = { lead = \"/0/id\", contact = \"/0/contact_id\" }", PATIENCE);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(webhook.deliver(&parcel("lead.created")).await.unwrap());
    }
    let id = |scope: &str, value: &str| (scope.to_owned(), value.to_owned());
    assert_eq!(told[0].refs, [id("webhook:crm:contact", "x"), id("webhook:crm:lead", "77")]);
    assert_eq!(told[0].words, "answered 200");
    for without in &told[1..] {
        assert_eq!((without.refs.len(), without.words.as_str()), (0, "answered 200, without the id it was to tell"));
    }
}

#[tokio::test]
async fn a_template_says_it_in_its_own_way_or_not_at_all() {
    let receiver = Receiver::start(vec![says("200 OK", "", "ok")]).await;
    let keys = r#"
        events = "*"
        method = "PUT"
        content_type = "application/x-www-form-urlencoded"
        template = "{% if lead %}name={{ name }}&lead={{ lead.number }}{% endif %}"
        headers = { Authorization = "Bearer {token}" }
        token = "t"
    "#;
    let webhook = webhook(&receiver.url(), keys, PATIENCE);
    let told = webhook.deliver(&parcel("disk.low")).await.unwrap();
    assert_eq!(told.words, "the template says nothing of it: nothing was sent");
    assert!(receiver.heard().is_empty());
    webhook.deliver(&parcel("lead.created")).await.unwrap();
    let heard = receiver.heard().remove(0);
    assert!(heard.head.starts_with("PUT "), "{heard:?}");
    assert_eq!(heard.header("authorization"), Some("Bearer t"));
    assert_eq!(heard.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(heard.body, "name=Test+Leadgate&lead=1");
}

/// What the template cannot take is told without what somebody wrote.
#[tokio::test]
async fn a_template_that_fails_later_tells_nobodys_data() {
    let receiver = Receiver::start(vec![]).await;
    let webhook = webhook(
        &receiver.url(),
        "events = \"lead.*\"\ntemplate = '{\"at\": {{ (message | cut(4) ~ \"\") | unix if message != \"This is a test of the webhook. Nobody wrote it.\" }}}'",
        PATIENCE,
    );
    let mut parcel = parcel_at("lead.created", "2026-11-21T12:00:00Z".parse().unwrap());
    parcel.brief.activity.as_mut().unwrap().content.message = Some("a secret wish".to_owned());
    let (found, words, _) = end(webhook.deliver(&parcel).await);
    assert_eq!((found, words.as_str()), ("refused", "the template: line 1: invalid operation"));
    assert!(receiver.heard().is_empty());
}
