//! Behind a proxy: believed if it is declared, and loudly not if it is not.

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, send};
use leadgate_tests::gateway::Setup;
use reqwest::Method;

fn setup(server: &str) -> Setup {
    Setup {
        server: server.to_owned(),
        site: "allow_origins = [\"*\"]\nrequire_origin = false\nmin_fill_ms = 0\nper_minute = 2".to_owned(),
        ..Setup::default()
    }
}

/// One person's form, as a proxy hands it on.
async fn forwarded(world: &World, n: u32, forwarded_for: Option<&str>) -> anyhow::Result<Answer> {
    let phone = format!("+7 916 700-00-{n:02}");
    let mut request = world.web.post(world.gateway.action()).form(&[("name", "Анна"), ("phone", &phone)]);
    if let Some(address) = forwarded_for {
        request = request.header("x-forwarded-for", address).header("x-forwarded-proto", "https");
    }
    send(request).await
}

/// How many leads are suspect, of how many.
async fn suspects(world: &World) -> anyhow::Result<(usize, usize)> {
    let leads = world.leads().await?;
    Ok((leads.iter().filter(|lead| lead["suspect"] == true).count(), leads.len()))
}

#[tokio::test]
async fn a_declared_proxy_is_believed() -> anyhow::Result<()> {
    let world = World::new(&setup("trusted_proxies = [\"127.0.0.1\"]")).await?;
    // What stands left of the last address, the visitor wrote himself.
    forwarded(&world, 1, Some("198.51.100.1, 203.0.113.9")).await?.expect(200)?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["timeline"][0]["content"]["address"], "203.0.113.9", "{lead}");
    for n in 2..5 {
        forwarded(&world, n, Some("203.0.113.9")).await?.expect(200)?;
    }
    forwarded(&world, 5, Some("203.0.113.10")).await?.expect(200)?;
    assert_eq!(suspects(&world).await?, (2, 5), "two a minute from an address, and each address by itself");
    let page =
        world.web.get(world.gateway.url("/demo")).header("x-forwarded-for", "203.0.113.9").header("x-forwarded-proto", "https");
    let page = send(page.header("host", "leads.example.org")).await?.expect(200)?.text();
    assert!(page.contains("https://leads.example.org/in/site/"), "the URL is as the visitor sees it: {page}");
    let api = world.api(Method::GET, "/leads").header("x-forwarded-for", "203.0.113.9").header("x-forwarded-proto", "https");
    send(api).await?.expect(200)?;
    assert!(!world.gateway.log()?.contains("no proxy is declared"));
    Ok(())
}

#[tokio::test]
async fn an_undeclared_one_is_told_once_and_limits_nobody() -> anyhow::Result<()> {
    let world = World::new(&setup("")).await?;
    for n in 1..30 {
        forwarded(&world, n, Some("203.0.113.9")).await?.expect(200)?;
    }
    assert_eq!(suspects(&world).await?, (0, 29), "all visitors look like one: the limit is off");
    let log = world.gateway.log()?;
    assert_eq!(log.matches("no proxy is declared").count(), 1, "{log}");
    assert!(log.contains("trusted_proxies = [\"127.0.0.1\"]"), "with the line that declares it: {log}");
    let leads = world.leads().await?;
    let lead = world.get(&format!("/leads/{}", leads[0]["id"])).await?;
    assert!(lead["timeline"][0]["content"]["address"].is_null(), "nobody's word is taken for it: {lead}");
    for path in ["/api/v1/leads", "/metrics"] {
        let request = world.web.get(world.gateway.url(path)).bearer_auth(&world.token).header("x-forwarded-for", "203.0.113.9");
        let refused = send(request).await?.expect(403)?.json()?;
        assert!(refused["detail"].as_str().context("words")?.contains("trusted_proxies"), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_flood_from_one_address_is_turned_away() -> anyhow::Result<()> {
    let world = World::new(&setup("")).await?;
    let mut statuses = Vec::new();
    for n in 1..40 {
        let answer = forwarded(&world, n, None).await?;
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", answer.headers);
        }
        statuses.push(answer.status);
    }
    let taken = statuses.iter().filter(|status| **status == 200).count();
    // On a slow machine a few more: the limits are by the minute.
    assert!(
        (20..=30).contains(&taken) && statuses[..20].iter().all(|status| *status == 200),
        "ten times the limit is taken: {statuses:?}"
    );
    let (suspect, all) = suspects(&world).await?;
    assert_eq!(all, taken);
    assert!((taken - 4..=taken - 2).contains(&suspect), "{suspect} of {taken} are suspect");
    let metrics = send(world.web.get(world.gateway.url("/metrics"))).await?.expect(200)?.text();
    let line = format!("leadgate_refused_total{{source=\"site\",reason=\"too_many\"}} {}", statuses.len() - taken);
    assert!(metrics.contains(&line), "{line} in:\n{metrics}");
    Ok(())
}
