//! A person with a browser: the demo page, a file, the thank-you page, in both languages.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use leadgate_tests::client::{self, until};
use leadgate_tests::gateway::{Gateway, free_port};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The key of an element's id in the `WebDriver` protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

fn program(names: &[&str]) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file());
    found.with_context(|| format!("{} is missing: install it (Debian: apt-get install chromium chromium-driver)", names[0]))
}

/// Chromium behind chromedriver.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    web: reqwest::Client,
    /// Its own folder, gone with it.
    profile: TempDir,
}

impl Browser {
    pub(crate) async fn open(languages: &str) -> anyhow::Result<Self> {
        let (driver, chromium) = (program(&["chromedriver"])?, program(&["chromium", "chromium-browser", "google-chrome"])?);
        let (port, profile, web) = (free_port()?, tempfile::tempdir()?, client::web()?);
        let child = Command::new(driver)
            .arg(format!("--port={port}"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut browser = Self { driver: child, session: format!("http://127.0.0.1:{port}"), web, profile };
        let ready = until("chromedriver", async || {
            Ok(browser.call("GET", "/status", None).await.ok().filter(|status| status["ready"] == true))
        });
        ready.await?;
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            format!("--user-data-dir={}", browser.profile.path().display()),
        ]);
        let options = json!({ "binary": chromium, "args": arguments, "prefs": { "intl.accept_languages": languages } });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let session = browser.call("POST", "/session", Some(wanted)).await?;
        let id = session["sessionId"].as_str().context("a session has an id")?;
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let request = self.web.request(method.parse()?, format!("{}{path}", self.session));
        let answer = client::send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await?;
        let value = answer.json()?["value"].take();
        if answer.status != 200 {
            bail!("{method} {path}: {} {}", value["error"], value["message"]);
        }
        Ok(value)
    }

    pub(crate) async fn go(&self, url: &str) -> anyhow::Result<()> {
        self.call("POST", "/url", Some(json!({ "url": url }))).await.map(|_| ())
    }

    pub(crate) async fn find(&self, css: &str) -> anyhow::Result<String> {
        let found = self.call("POST", "/element", Some(json!({ "using": "css selector", "value": css }))).await?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("no {css}"))?.to_owned())
    }

    pub(crate) async fn write(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let element = self.find(css).await?;
        self.call("POST", &format!("/element/{element}/value"), Some(json!({ "text": text }))).await.map(|_| ())
    }

    pub(crate) async fn click(&self, css: &str) -> anyhow::Result<()> {
        let element = self.find(css).await?;
        self.call("POST", &format!("/element/{element}/click"), Some(json!({}))).await.map(|_| ())
    }

    pub(crate) async fn text(&self, css: &str) -> anyhow::Result<String> {
        let element = self.find(css).await?;
        let text = self.call("GET", &format!("/element/{element}/text"), None).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn script(&self, script: &str) -> anyhow::Result<Value> {
        self.call("POST", "/execute/sync", Some(json!({ "script": script, "args": [] }))).await
    }

    /// Into a frame; `None`: back to the page.
    pub(crate) async fn frame(&self, css: Option<&str>) -> anyhow::Result<()> {
        let id = match css {
            Some(css) => json!({ ELEMENT: self.find(css).await? }),
            None => Value::Null,
        };
        self.call("POST", "/frame", Some(json!({ "id": id }))).await.map(|_| ())
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        self.call("POST", "/goog/cdp/execute", Some(json!({ "cmd": command, "params": parameters }))).await
    }

    /// Takes the network away, or gives it back.
    pub(crate) async fn offline(&self, offline: bool) -> anyhow::Result<()> {
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.emulateNetworkConditions", conditions).await?;
        let online = async || Ok((self.script("return navigator.onLine").await? != offline).then_some(()));
        until("the network's change", online).await
    }

    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.call("DELETE", "", None).await?;
        self.driver.kill().await?;
        Ok(())
    }
}

impl Drop for Browser {
    #[expect(clippy::print_stderr, reason = "nobody else can be told here")]
    fn drop(&mut self) {
        // A test that fails leaves no browser behind.
        if let Some(pid) = self.driver.id()
            && let Err(error) = std::process::Command::new("kill").arg("-KILL").arg("--").arg(format!("-{pid}")).status()
        {
            eprintln!("a browser goes on: {error}");
        }
    }
}

/// Fills in the demo form, sends it, and reads the page and the lead that follow.
async fn send_demo(languages: &str, title: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start_shipped(folder.path()).await?;
    let browser = Browser::open(languages).await?;
    browser.go(&gateway.url("/demo?utm_source=test&utm_campaign=spring")).await?;
    let file = folder.path().join("plan.txt");
    std::fs::write(&file, "a plan")?;
    browser.write("#name", "Анна Петрова").await?;
    browser.write("#phone", "8 916 123-45-67").await?;
    browser.write("#email", "anna.petrova@mail.ru").await?;
    browser.write("#message", "Здравствуйте!").await?;
    browser.write("#file", file.to_str().context("a path in UTF-8")?).await?;
    let trap = browser.script("const box = document.querySelector('#_gotcha').getBoundingClientRect(); return box.right <= 0 || box.width <= 1 || box.height <= 1;");
    assert_eq!(trap.await?, true, "people do not see the trap");
    browser.click("input[name=consent]").await?;
    let consent = browser.script("return document.querySelector('input[name=consent]').value").await?;
    browser.click("button[type=submit]").await?;
    let heading =
        until("the thank-you page", async || Ok(browser.text("h1").await.ok().filter(|text| text.contains(title)))).await;
    let page = browser.text("body").await?;
    heading.with_context(|| format!("what is shown:\n{page}"))?;
    let ground = browser.script("return getComputedStyle(document.querySelector('main')).borderRadius").await?;
    assert_ne!(ground, "0px", "the page is styled in spite of its policy");

    let lead: Value = serde_json::from_str(&gateway.cli(&["leads", "show", "1", "--json"]).await?)?;
    let content = &lead["timeline"][0]["content"];
    assert_eq!(lead["name"], "Анна Петрова");
    assert_eq!(lead["utm_source"], "test");
    assert!(lead["first_touch"].to_string().contains("spring"), "{lead}");
    assert_eq!(content["message"], "Здравствуйте!");
    assert_eq!(content["consents"][0]["text"], consent, "the wording that was agreed to is kept: {content}");
    assert_eq!((&content["files"][0]["name"], &content["files"][0]["size"]), (&json!("plan.txt"), &json!(6)), "{content}");
    assert_eq!(lead["activities"], 1);
    browser.close().await?;
    Ok(())
}

#[tokio::test]
async fn a_visitor_in_russian() -> anyhow::Result<()> {
    send_demo("ru-RU,ru", "Спасибо").await
}

#[tokio::test]
async fn a_visitor_in_english() -> anyhow::Result<()> {
    send_demo("en-GB,en", "Thank you").await
}
