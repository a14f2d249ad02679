//! Markup and terminal commands in every field of every kind of form: nothing of it is ever obeyed, wherever it is shown.

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, send};
use leadgate_tests::gateway::{Setup, TOKEN};
use reqwest::Method;
use serde_json::json;

/// Markup for browsers, commands for terminals (colour, window title, cleared screen, the one-byte CSI), text that turns its
/// direction, and a header's end.
const EVIL: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\nSet-Cookie: a=b";

fn setup() -> Setup {
    let more = format!(
        "[sources.tilda]\nkind = \"tilda\"\ntoken = \"{TOKEN}\"\n[sources.blog]\nkind = \"wordpress\"\ntoken = \"{TOKEN}\"\n\
         [sources.hook]\nkind = \"webhook\"\ntoken = \"{TOKEN}\"\nmap = {{ name = \"/name\", phone = \"/phone\", email = \"/email\", \
         message = \"/message\", form_name = \"/form\" }}\n"
    );
    Setup { more, ..Setup::default() }
}

/// What a sender may choose, all of it hostile; the phone makes it a lead.
fn fields(phone: &str) -> Vec<(String, String)> {
    let named =
        ["name", "email", "message", "utm_source", "utm_campaign", "gclid", "form_name", "page", "referrer", "lang", "city"];
    let mut fields: Vec<_> = named.iter().map(|name| ((*name).to_owned(), EVIL.to_owned())).collect();
    fields.push((EVIL.to_owned(), "the name of a field".to_owned()));
    fields.push(("phone".to_owned(), phone.to_owned()));
    fields
}

/// No answer to a browser holds it as markup, in a header, or as something else than its type says.
fn is_harmless(what: &str, answer: &Answer) {
    let kind = answer.header("content-type").to_owned();
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(answer.headers.get("set-cookie").is_none(), "{what}: {:?}", answer.headers);
    if kind.starts_with("text/html") {
        let page = answer.text();
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{what}:\n{page}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{what}");
    } else {
        assert!(
            ["application/json", "application/problem+json", "text/plain", "application/octet-stream"]
                .iter()
                .any(|known| kind.starts_with(known)),
            "{what}: {kind}"
        );
    }
}

#[tokio::test]
async fn what_is_written_into_a_form_is_obeyed_nowhere() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let evil_url = reqwest::Url::parse_with_params("https://shop.example/", &[("utm_term", EVIL)])?.to_string();
    for (n, (source, as_json)) in
        [("site", false), ("site", true), ("tilda", false), ("blog", false), ("blog", true), ("hook", true)]
            .into_iter()
            .enumerate()
    {
        let fields = fields(&format!("+7 916 300-00-{n:02}"));
        let request = world.web.post(world.gateway.url(&format!("/in/{source}/{TOKEN}")));
        let request = if as_json {
            request.json(&fields.iter().cloned().collect::<std::collections::BTreeMap<_, _>>())
        } else {
            request.form(&fields)
        };
        let answer = send(request.header("referer", &evil_url).header("accept-language", "<script>")).await?.expect(200)?;
        is_harmless(source, &answer);
    }
    let file = reqwest::multipart::Part::bytes(EVIL.as_bytes().to_vec())
        .file_name(EVIL.replace(char::is_control, ""))
        .mime_str("image/png")?;
    let form = reqwest::multipart::Form::new().text("phone", "+7 916 300-00-20").part("photo", file);
    is_harmless("a file", &send(world.web.post(world.gateway.action()).multipart(form)).await?.expect(200)?);

    let leads = world.leads().await?;
    assert_eq!(leads.len(), 7, "each is a lead of its own: {:?}", world.all("/submissions").await?);
    for path in ["/leads", "/contacts", "/submissions", "/reviews", "/sources", "/status"] {
        is_harmless(path, &send(world.api(Method::GET, path)).await?.expect(200)?);
    }
    for lead in &leads {
        let id = lead["id"].to_string();
        let answer = send(world.api(Method::GET, &format!("/leads/{id}"))).await?.expect(200)?;
        is_harmless("a lead", &answer);
        let detail = answer.json()?;
        let submission = detail["timeline"][0]["submission"].as_str().context("a submission")?.to_owned();
        for part in ["", "/raw"] {
            let answer = send(world.api(Method::GET, &format!("/submissions/{submission}{part}"))).await?.expect(200)?;
            is_harmless("a submission", &answer);
        }
        for kept in detail["timeline"][0]["content"]["files"].as_array().into_iter().flatten() {
            let query = [("name", kept["name"].as_str().unwrap_or_default())];
            let hash = kept["sha256"].as_str().context("a hash")?;
            let answer = send(world.api(Method::GET, &format!("/attachments/{hash}")).query(&query)).await?.expect(200)?;
            is_harmless("a file", &answer);
            assert!(answer.header("content-disposition").starts_with("attachment"), "{:?}", answer.headers);
        }
        for told in
            [world.gateway.cli(&["leads", "show", &id]).await?, world.gateway.cli(&["submissions", "show", &submission]).await?]
        {
            is_tame(&told);
        }
    }
    for command in [
        &["leads", "list"][..],
        &["contacts", "list"],
        &["submissions", "list"],
        &["status"],
        &["sources"],
        &["source", "map", "hook"],
    ] {
        is_tame(&world.gateway.cli(command).await?);
    }
    is_tame(&world.gateway.log()?);
    Ok(())
}

/// A terminal obeys nothing in it.
fn is_tame(told: &str) {
    let obeyed = told.chars().find(|c| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(obeyed, None, "{told:?}");
}

#[tokio::test]
async fn a_quarantined_form_is_no_better() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let body = format!("{{\"name\": \"{}", EVIL.replace('"', "'"));
    let request = world.web.post(world.gateway.url(&format!("/in/hook/{TOKEN}"))).header("content-type", "application/json");
    is_harmless("broken JSON", &send(request.body(body)).await?);
    let kept = world.submissions("quarantined").await?;
    let id = kept.first().and_then(|kept| kept["id"].as_str()).context("it is in quarantine")?;
    for command in [&["quarantine", "list"][..], &["quarantine", "show", id], &["submissions", "show", id]] {
        is_tame(&world.gateway.cli(command).await?);
    }
    is_harmless("its raw bytes", &send(world.api(Method::GET, &format!("/submissions/{id}/raw"))).await?.expect(200)?);
    // What is asked for in the address of a page is no better.
    let asked = world.post("/replay", &json!({ "source": EVIL })).await?;
    is_harmless("an error", &asked);
    assert!(asked.status >= 400 && asked.status < 500, "{}", asked.status);
    Ok(())
}
