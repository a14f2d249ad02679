//! Senders' calls.

use reqwest::multipart::{Form, Part};

use super::*;

#[tokio::test]
async fn a_form_becomes_one_lead_of_one_person() {
    let rig = Rig::start().await;
    for (id, phone) in [("a", "+7 (916) 123-45-67"), ("b", "8 916 123 45 67"), ("c", "79161234567")] {
        let response = rig.post(&form_path(), &[("name", "Анна Петрова"), ("phone", phone), ("_id", id)]).await;
        assert!(response.status().is_success() || response.status().is_redirection());
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
    let leads = rig.get("/leads").await;
    assert_eq!(leads["items"].as_array().unwrap().len(), 1);
    assert_eq!(leads["items"][0]["activities"], 3);
    rig.stop().await;
}

#[tokio::test]
async fn an_unknown_source_and_a_wrong_token_look_the_same() {
    let rig =
        Rig::start_with("", "[sources.off]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0002\"\nenabled = false").await;
    let paths = ["/in/nobody/x", "/in/nobody", "/in/site", "/in/site/", "/in/site/wrong", "/in/site/wrong/a/b/", "/in/off/wrong"];
    let mut seen = Vec::new();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS] {
            let response = rig.client.request(method, rig.url(path)).body("phone=1").send().await.unwrap();
            assert_eq!(response.status(), 404, "{path}");
            let mut headers: Vec<_> =
                response.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
            headers.retain(|(name, _)| name != "x-request-id" && name != "date");
            seen.push((headers, response.bytes().await.unwrap()));
        }
    }
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
    // A trailing slash and a rest are no other address.
    for path in [format!("{}/", form_path()), format!("{}/rest/of/it/", form_path())] {
        assert_ne!(rig.post(&path, &[("name", "A"), ("phone", "+79161234567")]).await.status(), 404);
    }
    // What came with a wrong token is kept for a while, by nobody's word.
    let kept = rig.get("/quarantine").await;
    assert!(kept["items"].as_array().unwrap().iter().all(|item| item["source"] == "site" || item["source"] == "off"));
    assert!(!kept["items"].as_array().unwrap().is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn too_much_is_answered_and_remembered() {
    let rig = Rig::start().await;
    let response = rig
        .client
        .post(rig.url(&form_path()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(vec![b'a'; 2 << 20]);
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), 413);
    let kept = rig.get("/quarantine").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 1);
    let id = kept["items"][0]["id"].as_str().unwrap();
    let raw = rig.call(Method::GET, &format!("/submissions/{id}/raw"), &rig.key).send().await.unwrap();
    assert!(raw.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(raw.text().await.unwrap().contains("content-length: 2097152"));
    rig.stop().await;
}

#[tokio::test]
async fn a_sender_that_stops_is_let_go() {
    let rig = Rig::start_with("body_timeout = \"1 s\"", "").await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nname=A",
        form_path()
    );
    let answer = rig.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    rig.stop().await;
}

fn multipart(boundary: &str, parts: &[(&str, &str)]) -> String {
    let part =
        |(head, value): &(&str, &str)| format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    parts.iter().map(part).chain([format!("--{boundary}--\r\n")]).collect()
}

#[tokio::test]
async fn files_are_kept_or_refused_and_the_lead_goes_on() {
    let rig = Rig::start_with("", "").await;
    let form = Form::new()
        .text("name", "Иван")
        .text("phone", "+79161234567")
        .part("plan", Part::bytes(b"%PDF-1.4 hello".to_vec()).file_name("план.pdf"))
        .part("bad", Part::bytes(b"MZ".to_vec()).file_name("virus.exe"))
        .part("big", Part::bytes(vec![b'x'; (10 << 20) + 1]).file_name("big.pdf"))
        .part("empty", Part::bytes(Vec::new()).file_name(""));
    let response = rig.client.post(rig.url(&form_path())).multipart(form).send().await.unwrap();
    assert!(response.status().is_success() || response.status().is_redirection(), "{}", response.status());
    let lead = rig.get("/leads/1").await;
    let content = lead["timeline"][0]["content"].clone();
    let files = content["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{content}");
    assert_eq!((files[0]["name"].as_str(), files[0]["size"].as_u64()), (Some("план.pdf"), Some(14)));
    let path = format!("/attachments/{}?name=%D0%BF%D0%BB%D0%B0%D0%BD.pdf", files[0]["sha256"].as_str().unwrap());
    let file = rig.call(Method::GET, &path, &rig.key).send().await.unwrap();
    assert_eq!(
        file.headers()["content-disposition"],
        "attachment; filename=\"____.pdf\"; filename*=UTF-8''%D0%BF%D0%BB%D0%B0%D0%BD.pdf"
    );
    assert_eq!(file.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(file.bytes().await.unwrap(), "%PDF-1.4 hello");
    rig.stop().await;
}

#[tokio::test]
async fn a_multipart_form_is_bounded() {
    let rig = Rig::start().await;
    let long = "x".repeat(600 << 10);
    let body = multipart("B", &[("name=\"a\"", &long), ("name=\"b\"", &long)]);
    let post = |body: String| {
        rig.client.post(rig.url(&form_path())).header("content-type", "multipart/form-data; boundary=B").body(body)
    };
    assert_eq!(post(body).send().await.unwrap().status(), 413);
    // Cut off, or no form at all: kept, and to its sender a success.
    let whole = multipart("B", &[("name=\"name\"", "Anna"), ("name=\"phone\"", "+79161234567")]);
    let cut = whole[..whole.len() - 10].to_owned();
    for body in [cut, "no form at all".to_owned()] {
        let status = post(body).send().await.unwrap().status();
        assert!(status.is_success() || status.is_redirection(), "{status}");
    }
    assert_eq!(rig.get("/submissions").await["items"].as_array().unwrap().len(), 3);
    rig.stop().await;
}

#[tokio::test]
async fn strangers_files_are_not_kept() {
    let rig = Rig::start().await;
    let form = Form::new().text("name", "X").part("plan", Part::bytes(b"%PDF".to_vec()).file_name("a.pdf"));
    let response = rig.client.post(rig.url("/in/site/wrong")).multipart(form).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(!rig.gateway.data_dir.join("attachments/kept").exists());
    rig.stop().await;
}

#[tokio::test]
async fn an_address_that_floods_is_flagged_then_turned_away() {
    let site = "[sources.slow]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0003\"\nper_minute = 2\nrequire_origin = false\nmin_fill_ms = 0";
    let rig = Rig::start_with("trusted_proxies = [\"127.0.0.1\"]", site).await;
    let send = |n: usize, from: &'static str| {
        let fields = [("name", "A".to_owned()), ("message", format!("number {n}"))];
        rig.client.post(rig.url("/in/slow/token-of-the-site-0003")).header("x-forwarded-for", from).form(&fields).send()
    };
    let mut statuses = Vec::new();
    for n in 0..25 {
        statuses.push(send(n, "203.0.113.9").await.unwrap().status().as_u16());
    }
    assert!(statuses[..20].iter().all(|status| *status != 429), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    let turned = send(99, "203.0.113.9").await.unwrap();
    assert!(turned.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(turned.text().await.unwrap().contains("<html"));
    assert_ne!(send(100, "203.0.113.10").await.unwrap().status(), 429);
    let leads = rig.get("/leads?limit=500").await;
    assert_eq!(leads["items"].as_array().unwrap().iter().filter(|lead| lead["suspect"] == true).count(), 18);
    rig.stop().await;
}

#[tokio::test]
async fn an_undeclared_proxy_switches_the_limit_off() {
    let site = "[sources.slow]\nkind = \"html_form\"\ntoken = \"token-of-the-site-0003\"\nper_minute = 1\nrequire_origin = false\nmin_fill_ms = 0";
    let rig = Rig::start_with("", site).await;
    for n in 0..30 {
        let fields = [("name", "A".to_owned()), ("message", format!("number {n}"))];
        let call =
            rig.client.post(rig.url("/in/slow/token-of-the-site-0003")).header("x-forwarded-for", "203.0.113.9").form(&fields);
        assert_ne!(call.send().await.unwrap().status(), 429);
    }
    rig.stop().await;
}

#[tokio::test]
async fn senders_ids_and_ours_come_back() {
    let rig = Rig::start().await;
    let given =
        rig.client.post(rig.url(&form_path())).header("x-request-id", "abc-1").form(&[("name", "A")]).send().await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "abc-1");
    let made =
        rig.client.post(rig.url(&form_path())).header("x-request-id", "a b<c>").form(&[("name", "B")]).send().await.unwrap();
    assert_eq!(made.headers()["x-request-id"].len(), 36);
    rig.stop().await;
}
