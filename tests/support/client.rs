//! A gateway with everything around it that a test needs: its folder, a browser-like client, its API.

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{Gateway, Setup};

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} with no JSON: {}", self.status, self.text()))
    }

    /// A header's first value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// This answer, if it has the status.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "{} where {status} was expected: {}", self.status, self.text());
        Ok(self)
    }

    /// What every repetition must have in common: the status, the body and the headers, without the date and the ids.
    pub fn comparable(&self) -> String {
        let mut text = format!("{}\n", self.status);
        let mut headers: Vec<_> =
            self.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id")).collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            let _infallible = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        text.push_str(&self.text());
        without_ids(&text)
    }
}

/// A text with every UUID in it replaced.
pub fn without_ids(text: &str) -> String {
    let is_id = |candidate: &[u8]| {
        candidate.len() == 36
            && candidate.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let bytes = text.as_bytes();
    let (mut out, mut at, mut copied) = (String::with_capacity(text.len()), 0, 0);
    while at + 36 <= bytes.len() {
        if is_id(&bytes[at..at + 36]) {
            out.push_str(&text[copied..at]);
            out.push_str("<id>");
            at += 36;
            copied = at;
        } else {
            at += 1;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Sends a request and reads the answer to its end.
pub async fn send(request: RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
}

/// A client that follows no redirect.
pub fn web() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build()?)
}

/// How long another process may take: far more than it needs, since a busy machine is no failure.
pub const PATIENCE: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_millis(20);

/// Asks again until there is an answer: for what another process does in its own time.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let mut again = tokio::time::interval(AGAIN);
    for _ in 0..PATIENCE.as_millis() / AGAIN.as_millis() {
        again.tick().await;
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
    }
    bail!("{what}: not within {PATIENCE:?}")
}

/// A gateway with its folder and a client.
pub struct World {
    /// Its folder, deleted with it.
    pub folder: TempDir,
    /// The process.
    pub gateway: Gateway,
    /// Follows no redirects.
    pub web: reqwest::Client,
    /// The API token made on the first run.
    pub token: String,
}

impl World {
    /// Starts a gateway in a new folder.
    pub async fn new(setup: &Setup) -> anyhow::Result<Self> {
        Self::in_folder(tempfile::tempdir()?, setup).await
    }

    /// Starts a gateway in a folder that may have served one before.
    pub async fn in_folder(folder: TempDir, setup: &Setup) -> anyhow::Result<Self> {
        let gateway = Gateway::start(folder.path(), setup).await?;
        let token = until("the API token", async || Ok(gateway.api_token().ok().filter(|token| !token.is_empty()))).await?;
        let web = web()?;
        // It listens before its database is open.
        until("the database is open", async || {
            let asked = web.get(gateway.url("/readyz")).send().await?.json::<Value>().await?;
            Ok((asked["checks"]["database_readable"] == true).then_some(()))
        })
        .await?;
        Ok(Self { folder, gateway, web, token })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A request with this test's API token.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.web.request(method, self.gateway.url(&format!("/api/v1{path}"))).bearer_auth(&self.token)
    }

    /// Reads from the API.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        send(self.api(Method::GET, path)).await?.expect(200).with_context(|| format!("GET {path}"))?.json()
    }

    /// Posts JSON to the API.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        send(self.api(Method::POST, path).json(body)).await
    }

    /// Changes through the API.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        send(self.api(Method::PATCH, path).json(body)).await
    }

    /// Every item of a list of the API, page by page.
    pub async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit=200{after}")).await?;
            items.extend(page["items"].as_array().context("a list has items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Every lead, tests too, newest first.
    pub async fn leads(&self) -> anyhow::Result<Vec<Value>> {
        self.all("/leads?tests=true").await
    }

    /// The one lead there is, in full.
    pub async fn only_lead(&self) -> anyhow::Result<Value> {
        let leads = self.leads().await?;
        ensure!(leads.len() == 1, "{} leads where one was expected: {leads:?}", leads.len());
        self.get(&format!("/leads/{}", leads[0]["id"])).await
    }

    /// Every submission with an outcome.
    pub async fn submissions(&self, outcome: &str) -> anyhow::Result<Vec<Value>> {
        self.all(&format!("/submissions?outcome={outcome}")).await
    }

    /// The kept bytes of a submission.
    pub async fn raw(&self, submission: &Value) -> anyhow::Result<String> {
        let id = submission.as_str().context("a submission's id is a text")?;
        Ok(send(self.api(Method::GET, &format!("/submissions/{id}/raw"))).await?.expect(200)?.text())
    }

    /// Posts the form of the source `site`.
    pub async fn form(&self, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        send(self.web.post(self.gateway.action()).form(fields)).await
    }

    /// The CLI's answer as JSON.
    pub async fn cli_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.gateway.cli(&[arguments, &["--json"]].concat()).await?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} --json said: {text}"))
    }
}
