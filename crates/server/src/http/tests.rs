//! The gateway over real sockets: a temporary folder, port 0, the real store and connectors. Nothing sleeps.

mod api;
mod canary;
mod inbound;
mod openapi;
mod opened;
mod operation;
mod outbox;
mod pulls;
mod recordings;
mod replay;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{App, Gateway};
use crate::clock::Clock;
use crate::config::{Config, LoadOptions};
use crate::secrets;
use crate::shutdown::Shutdown;

const TOKEN: &str = "token-of-the-site-0001";
const BASIC: &str = r#"
[company]
name = "Test"
country = "RU"
language = "en"
time_zone = "Europe/Moscow"
"#;
const SITE: &str = r#"
[sources.site]
kind = "html_form"
token = "token-of-the-site-0001"
require_origin = false
min_fill_ms = 0
"#;

/// A running gateway.
struct Rig {
    folder: TempDir,
    address: SocketAddr,
    tls: Option<SocketAddr>,
    client: Client,
    shutdown: Shutdown,
    gateway: Arc<Gateway>,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
    key: String,
}

fn load(folder: &std::path::Path) -> anyhow::Result<Config> {
    let options = LoadOptions { config: Some(folder.join("config/leadgate.toml")), env: Vec::new().into_iter() };
    Config::load(options).map_err(anyhow::Error::from)
}

impl Rig {
    /// With `[server]` keys and further sections.
    async fn start_with(server: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rig = Self::in_folder(folder, server, more);
        // Waits for the store.
        assert!(rig.gateway.store().await.is_some());
        rig
    }

    async fn start() -> Self {
        Self::start_with("", "").await
    }

    /// Does not wait for the store. Must be called within the runtime.
    fn in_folder(folder: TempDir, server: &str, more: &str) -> Self {
        Self::in_folder_at(folder, server, more, Clock::system())
    }

    /// With a clock of one's own.
    fn in_folder_at(folder: TempDir, server: &str, more: &str, clock: Clock) -> Self {
        write_config(folder.path(), server, more);
        let path = folder.path().to_path_buf();
        let app = App::build(load(folder.path()).unwrap(), clock, Box::new(move || load(&path))).unwrap();
        let (address, tls) = (app.addresses()[0], app.tls_addresses().first().copied());
        let gateway = Arc::clone(app.gateway());
        let key = secrets::read_api_token(&gateway.data_dir).unwrap().unwrap().expose().to_owned();
        let shutdown = Shutdown::new();
        let running = tokio::spawn(app.run(shutdown.clone()));
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { folder, address, tls, client, shutdown, gateway, running, key }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.client.post(self.url(path)).form(fields).send().await.unwrap()
    }

    fn call(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, self.url(&format!("/api/v1{path}"))).bearer_auth(token)
    }

    /// With the key of this machine's commands.
    async fn get(&self, path: &str) -> Value {
        let response = self.call(Method::GET, path, &self.key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let response = self.call(Method::POST, path, &self.key).json(body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    async fn token(&self, body: Value) -> String {
        let response = self.call(Method::POST, "/tokens", &self.key).json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Bytes as they are; everything until the other end closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        for _ in 0..600 {
            if is().await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{what}: {}", self.get("/sources").await);
    }

    async fn metrics(&self) -> String {
        self.client.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Another one in the same folder.
    async fn restart(self, more: &str) -> Self {
        let Self { folder, shutdown, running, .. } = self;
        shutdown.stop();
        running.await.unwrap().unwrap();
        let rig = Self::in_folder(folder, "", more);
        // One that is told to stop before its database is open says so, which is no clean stop.
        assert!(rig.gateway.store().await.is_some());
        rig
    }

    async fn stop(self) {
        self.shutdown.stop();
        self.running.await.unwrap().unwrap();
    }
}

fn form_path() -> String {
    format!("/in/site/{TOKEN}")
}

fn write_config(folder: &std::path::Path, server: &str, more: &str) {
    let config = folder.join("config");
    std::fs::create_dir_all(&config).unwrap();
    let text = format!("{BASIC}\n[server]\nlisten = \"127.0.0.1:0\"\n{server}\n{SITE}\n{more}");
    std::fs::write(config.join("leadgate.toml"), text).unwrap();
}

async fn problem(response: Response, status: u16, code: &str) {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["type"], format!("urn:leadgate:problem:{code}"), "{body}");
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], id);
    assert!(!body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty());
}
