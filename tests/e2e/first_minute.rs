//! The first minute of a new user, with the configuration as it ships.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use leadgate_tests::client::{self, Answer, PATIENCE, send};
use leadgate_tests::gateway::Gateway;

/// The form's address on a page.
pub fn action(page: &str) -> anyhow::Result<String> {
    let (_, rest) = page.split_once("action=\"").context("the page has a form")?;
    let (action, _) = rest.split_once('"').context("the attribute ends")?;
    Ok(action.replace("&amp;", "&"))
}

/// Sends the form as the demo page does.
async fn post(gateway: &Gateway, action: &str, phone: &str, id: &str) -> anyhow::Result<Answer> {
    let origin = gateway.url("");
    let fields = [("name", "Анна Петрова"), ("phone", phone), ("utm_source", "newcomer"), ("_id", id), ("_gotcha", "")];
    let request = client::web()?.post(gateway.url(action)).header("referer", format!("{origin}/demo")).header("origin", &origin);
    send(request.form(&fields)).await
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(std::fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode() & 0o777)
}

#[tokio::test]
async fn from_the_first_start_to_the_second_lead() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start_shipped(folder.path()).await?;
    let web = client::web()?;
    let health =
        client::until("/healthz", async || Ok(send(web.get(gateway.url("/healthz"))).await.ok().filter(|a| a.status == 200)));
    health.await?;

    let page = send(web.get(gateway.url("/demo"))).await?.expect(200)?.text();
    let action = action(&page)?;
    let banner = gateway.log()?;
    for told in [action.as_str(), "/demo", "api-token", "RU", "Europe/Moscow", " ru", "leadgate leads"] {
        assert!(banner.contains(told), "the banner does not tell {told:?}:\n{banner}");
    }
    for field in ["name", "phone", "email", "message", "file", "utm_source", "_gotcha", "_id"] {
        assert!(page.contains(&format!("name=\"{field}\"")), "the demo form has no {field}");
    }
    assert_eq!(mode(&gateway.data)?, 0o700, "the data folder is for its owner alone");
    assert_eq!(mode(&gateway.data.join("api-token"))?, 0o600, "so is the token");

    let answer = post(&gateway, &action, "+7 (916) 123-45-67", "first").await?.expect(200)?;
    assert!(answer.text().contains("Спасибо"), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(mode(&gateway.data.join("leadgate.db"))?, 0o600, "the database is for its owner alone");
    post(&gateway, &action, "8 916 123 45 67", "second").await?.expect(200)?;
    let shown = gateway.cli(&["leads", "show", "1"]).await?;
    for told in [
        "Lead 1",
        "Анна Петрова",
        "+79161234567",
        "(2 activities)",
        "Result: created",
        "Result: attached",
        "contact 1 is new",
        "lead 1 is open",
    ] {
        assert!(shown.contains(told), "`leads show 1` does not tell {told:?}:\n{shown}");
    }
    assert_eq!(shown.matches("utm_source   newcomer").count(), 2, "two touches:\n{shown}");

    gateway.cli(&["leads", "close", "1", "--as", "junk"]).await?;
    post(&gateway, &action, "79161234567", "third").await?.expect(200)?;
    let shown = gateway.cli(&["leads", "show", "2"]).await?;
    assert!(
        shown.contains("Contact 1: Анна Петрова") && shown.contains("their last lead 1 was closed as junk: a new one"),
        "{shown}"
    );

    let log = gateway.log()?;
    for personal in ["Петров", "9161234567", "123-45-67", "916 123", "newcomer"] {
        assert!(!log.contains(personal), "{personal:?} is in the log:\n{log}");
    }
    let asked = Instant::now();
    let status = gateway.stop().await?;
    assert!(status.success(), "stopped with {status}");
    assert!(asked.elapsed() < PATIENCE, "it took {:?} to stop", asked.elapsed());
    Ok(())
}
