//! What senders are answered: the same to everybody whose form was kept, in their language, and never a way elsewhere.

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, send, without_ids};
use leadgate_tests::gateway::{Setup, TOKEN};
use reqwest::Method;

const SHOP: &str = "https://shop.example";

fn shop() -> Setup {
    Setup {
        site: format!("allow_origins = [\"{SHOP}\"]\nallow_next = [\"thanks.example\"]\nmin_fill_ms = 0\nper_minute = 1000000"),
        ..Setup::default()
    }
}

/// A form from a page, with headers and fields beside the usual ones.
async fn from(world: &World, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let mut request = world.web.post(world.gateway.action());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.form(&[&[("name", "Анна"), ("phone", "+7 916 300-00-01")], fields].concat())).await
}

fn page(answer: &Answer) -> String {
    format!("{} {}\n{}", answer.status, answer.header("content-type"), without_ids(&answer.text()))
}

#[tokio::test]
async fn origins_that_may_not_see_success_and_wait_in_quarantine() -> anyhow::Result<()> {
    let world = World::new(&shop()).await?;
    let allowed = from(&world, &[("origin", SHOP)], &[("_id", "0")]).await?.expect(200)?;
    assert_eq!(allowed.header("access-control-allow-origin"), SHOP);
    assert!(!allowed.headers.contains_key("access-control-allow-credentials"), "never with cookies");
    let referred = from(&world, &[("referer", "https://shop.example/contacts")], &[("_id", "1")]).await?.expect(200)?;
    assert!(referred.text().contains("https://shop.example/contacts"), "the way back is the page itself");
    assert_eq!(world.leads().await?.len(), 1);

    let evil = "https://evil.example";
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("origin", evil)], "allow_origins = [\"https://shop.example\", \"https://evil.example\"]"),
        (&[("origin", "null")], "allow_origins = [\"https://shop.example\", \"null\"]"),
        (&[], "require_origin = false"),
        (&[("referer", "https://evil.example/x")], "allow_origins = [\"https://shop.example\", \"https://evil.example\"]"),
        (&[("origin", "https://shop.example.evil.example")], "https://shop.example.evil.example"),
    ];
    for (at, (headers, line)) in cases.iter().enumerate() {
        let id = format!("held{at}");
        let answer = from(&world, headers, &[("_id", &id)]).await?;
        assert_eq!(page(&answer), page(&allowed), "{headers:?}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{headers:?}");
        let newest = &world.submissions("quarantined").await?[0];
        assert!(newest["reasons"].to_string().replace("\\\"", "\"").contains(line), "{headers:?}: {}", newest["reasons"]);
    }
    assert_eq!(world.submissions("quarantined").await?.len(), cases.len());
    assert_eq!(world.leads().await?[0]["activities"], 2, "none of them touched the lead");
    let listed = world.gateway.cli(&["quarantine", "list"]).await?;
    assert!(listed.contains("site") && listed.contains("may not use this form"), "{listed}");
    let newest = &world.submissions("quarantined").await?[2];
    let shown = world.gateway.cli(&["quarantine", "show", newest["id"].as_str().context("an id")?]).await?;
    assert!(shown.contains("require_origin = false under [sources.site]") && shown.contains("_id=held2"), "{shown}");

    // The page may be named by the referrer, but what the browser says of the origin decides.
    from(&world, &[("origin", evil), ("referer", "https://shop.example/")], &[("_id", "both")]).await?.expect(200)?;
    assert_eq!(world.submissions("quarantined").await?.len(), cases.len() + 1);

    // What waited owns no id: the same form from the right page is a lead.
    from(&world, &[("origin", SHOP)], &[("_id", "held0")]).await?.expect(200)?;
    assert_eq!(world.leads().await?[0]["activities"], 3);
    Ok(())
}

#[tokio::test]
async fn scripts_may_ask_first() -> anyhow::Result<()> {
    let world = World::new(&shop()).await?;
    let ask = async |origin: &str| {
        let request = world.web.request(Method::OPTIONS, world.gateway.action()).header("origin", origin);
        send(request.header("access-control-request-method", "POST").header("access-control-request-headers", "content-type"))
            .await
    };
    let yes = ask(SHOP).await?.expect(204)?;
    assert_eq!(yes.header("access-control-allow-origin"), SHOP);
    assert!(yes.header("access-control-allow-methods").contains("POST"));
    assert!(yes.header("access-control-allow-headers").to_ascii_lowercase().contains("content-type"));
    assert!(yes.header("vary").contains("Origin"));
    let no = ask("https://evil.example").await?.expect(204)?;
    assert!(!no.headers.contains_key("access-control-allow-origin"), "{:?}", no.headers);
    assert_eq!(world.all("/submissions").await?.len(), 0, "asking sends nothing");
    Ok(())
}

#[tokio::test]
async fn visitors_are_sent_only_where_the_owner_allows() -> anyhow::Result<()> {
    let world = World::new(&shop()).await?;
    let mut n = 0;
    let mut next = async |origin: &str, field: &str, wanted: &str| {
        n += 1;
        let headers = [("origin", origin), ("referer", &format!("{origin}/form"))];
        from(&world, &headers, &[(field, wanted), ("_id", &n.to_string())]).await
    };
    for (field, wanted, location) in [
        ("_next", "https://shop.example/thanks?a=1", "https://shop.example/thanks?a=1"),
        ("_redirect", "https://thanks.example/", "https://thanks.example/"),
        ("redirect", "/thanks", "https://shop.example/thanks"),
        ("_redirectTo", "thanks.html", "https://shop.example/thanks.html"),
    ] {
        let answer = next(SHOP, field, wanted).await?;
        assert_eq!((answer.status, answer.header("location")), (303, location), "{field}={wanted}");
    }
    for wanted in [
        "https://evil.example/",
        "//evil.example/",
        "\\\\evil.example",
        "https:\\\\evil.example",
        "/\\evil.example",
        "https://shop.example@evil.example/",
        "https://user@shop.example/",
        "https://shop.example.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://shop.example/\r\nset-cookie: a=b",
        "\thttps://evil.example",
        "ftp://shop.example/",
    ] {
        let answer = next(SHOP, "_next", wanted).await?;
        assert_eq!(answer.status, 200, "{wanted:?} leads to {}", answer.header("location"));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let foreign = next("https://evil.example", "_next", "https://evil.example/").await?;
    assert_eq!(foreign.status, 200, "a foreign page leads nowhere, not even home");
    Ok(())
}

#[tokio::test]
async fn scripts_get_json_and_people_pages_in_their_language() -> anyhow::Result<()> {
    let world = World::new(&shop()).await?;
    for headers in [
        &[("origin", SHOP), ("accept", "application/json")][..],
        &[("origin", SHOP), ("x-requested-with", "XMLHttpRequest")],
        &[("origin", SHOP), ("sec-fetch-mode", "cors"), ("accept", "*/*")],
    ] {
        let answer = from(&world, headers, &[("_next", "https://shop.example/thanks")]).await?.expect(200)?;
        assert_eq!(answer.header("content-type"), "application/json", "{headers:?}");
        let told = answer.json()?;
        assert_eq!(told["ok"], true);
        assert!(told["id"].as_str().is_some_and(|id| id.len() == 36), "{told}");
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    }
    for (language, field, words) in
        [("ru-RU,ru;q=0.9,en;q=0.5", "", "Спасибо"), ("en-GB", "", "Thank you"), ("de", "", "Thank you"), ("en", "ru", "Спасибо")]
    {
        let answer = from(&world, &[("origin", SHOP), ("accept-language", language)], &[("_lang", field)]).await?.expect(200)?;
        assert!(answer.text().contains(words), "{language} {field}: {}", answer.text());
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_sender_writes_is_never_markup() -> anyhow::Result<()> {
    let world = World::new(&shop()).await?;
    let hostile = "\"><script>alert(1)</script>";
    let referer = format!("https://shop.example/{hostile}?x='onload=alert(1)");
    let fields = [("name", hostile), ("_lang", hostile), ("_id", hostile)];
    let answer =
        from(&world, &[("origin", SHOP), ("referer", &referer), ("accept-language", hostile)], &fields).await?.expect(200)?;
    assert!(!answer.text().contains("<script"), "{}", answer.text());
    let demo = world.web.get(world.gateway.url("/demo")).query(&[("utm_source", hostile), (hostile, "x")]);
    let demo = send(demo.header("host", "a\"><script>alert(1)</script>")).await?.expect(200)?;
    let page = demo.text();
    assert!(!page.contains("<script>alert") && page.contains("alert(1)"), "{page}");
    assert!(demo.header("content-security-policy").contains("default-src 'none'"), "{:?}", demo.headers);
    assert_eq!(demo.header("x-content-type-options"), "nosniff");
    Ok(())
}

#[tokio::test]
async fn what_became_of_a_form_cannot_be_told_from_the_answer() -> anyhow::Result<()> {
    let setup = Setup {
        site: "allow_origins = [\"*\"]\nrequire_origin = false\nmin_fill_ms = 600000\nper_minute = 1000000".to_owned(),
        ..Setup::default()
    };
    let world = World::new(&setup).await?;
    for headers in [&[("origin", SHOP)][..], &[("origin", SHOP), ("accept", "application/json")]] {
        let id = format!("{}", headers.len());
        let created = from(&world, headers, &[("_id", &id)]).await?.expect(200)?;
        let shown: jiff::Timestamp = world.leads().await?[0]["created_at"].as_str().context("a time")?.parse()?;
        let shown = shown.as_millisecond().to_string();
        let attached = from(&world, headers, &[("message", "x"), ("_id", &format!("{id}b"))]).await?;
        let repeat = from(&world, headers, &[("_id", &id)]).await?;
        let spam = from(&world, headers, &[("_gotcha", "x"), ("_t", &shown), ("_id", &format!("{id}c"))]).await?;
        let mut bodies = vec![created.text()];
        for (what, other) in [("attached", &attached), ("repeat", &repeat), ("spam", &spam)] {
            assert_eq!(other.comparable(), created.comparable(), "{what}");
            bodies.push(other.text());
        }
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 4, "each answer has an id of its own, a repeat's too");
    }
    let outcomes: Vec<_> =
        world.all("/submissions").await?.iter().map(|one| one["outcome"].as_str().unwrap_or_default().to_owned()).collect();
    for outcome in ["created", "attached", "spam"] {
        assert!(outcomes.iter().any(|known| known == outcome), "{outcomes:?}");
    }
    assert_eq!(world.leads().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_unknown_source_and_a_wrong_token_look_the_same() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let fields = [("name", "Анна"), ("phone", "+7 916 300-00-01")];
    let mut answers = Vec::new();
    for path in [
        "/in/nobody/x",
        "/in/site/wrong",
        "/in/site",
        "/in/site/",
        "/in/site/test-token-012345678",
        "/in/",
        "/in/SITE/test-token-0123456789",
    ] {
        for request in [world.web.post(world.gateway.url(path)).form(&fields), world.web.get(world.gateway.url(path))] {
            answers.push((path, send(request).await?.expect(404)?.comparable()));
        }
    }
    for (path, answer) in &answers {
        assert_eq!(answer, &answers[0].1, "{path}");
    }
    assert_eq!(world.leads().await?.len(), 0);
    let ring = world.submissions("quarantined").await?;
    assert!(
        !ring.is_empty() && ring.iter().all(|one| one["source"] == "site"),
        "a mistyped token's bytes are kept for a while: {ring:?}"
    );
    let detail = world.get(&format!("/submissions/{}", ring[0]["id"].as_str().context("an id")?)).await?;
    assert_eq!(detail["authenticated"], false);
    // With and without the last slash, and a way of its own below: the same source.
    for path in ["", "/", "/callback"] {
        send(world.web.post(world.gateway.url(&format!("/in/site/{TOKEN}{path}"))).form(&fields)).await?.expect(200)?;
    }
    assert_eq!(world.leads().await?.len(), 1);
    Ok(())
}
