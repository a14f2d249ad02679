//! A receiver of webhooks: answers as a test says, and keeps what it was sent. Written by hand, so that it can misbehave.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::until;

/// A delivery as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub path: String,
    /// Its headers, named in small letters.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// When all of it was here.
    pub at: Timestamp,
}

impl Call {
    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Its id, which is that of the job.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Its body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The event's name.
    pub fn event(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// The number of the lead it tells of.
    pub fn lead(&self) -> Option<i64> {
        self.json()["data"]["lead"]["number"].as_i64()
    }
}

/// What a receiver answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, and headers, each with its line end.
    Status(u16, String),
    /// A status of success, and a body that never ends.
    Endless,
    /// Nothing, ever.
    Silence,
}

impl Reply {
    /// A status alone.
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }
}

/// A receiver. It stops when dropped.
pub struct Receiver {
    /// Where it listens on loopback.
    pub port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Listens, and answers what `answer` says of each call; the number counts them from 0. Every call is kept.
    pub async fn start(answer: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> anyhow::Result<Self> {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&calls);
        let keep = move |call: Call| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = answer(kept.len(), &call);
            kept.push(call);
            reply
        };
        let (port, task) = serve(keep).await?;
        Ok(Self { port, calls, task })
    }

    /// Listens, hands every call to `take`, keeps none and answers 204.
    pub async fn counting(take: impl Fn(Call) + Send + Sync + 'static) -> anyhow::Result<Self> {
        let (port, task) = serve(move |call| {
            take(call);
            Reply::status(204)
        })
        .await?;
        Ok(Self { port, calls: Arc::default(), task })
    }

    /// Takes everything.
    pub async fn willing() -> anyhow::Result<Self> {
        Self::start(|_, _| Reply::status(204)).await
    }

    /// What has come so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many have come.
    pub async fn expect(&self, count: usize) -> anyhow::Result<Vec<Call>> {
        let what = format!("{count} deliveries at port {}", self.port);
        until(&what, async || Ok(Some(self.calls()).filter(|calls| calls.len() >= count))).await
    }

    /// The keys of `[webhooks.<id>]` that lead here, and what `[server]` needs for it.
    pub fn section(&self, id: &str, more: &str) -> String {
        format!("[webhooks.{id}]\nurl = \"http://127.0.0.1:{}/{id}\"\n{more}\n", self.port)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(answer: impl Fn(Call) -> Reply + Send + Sync + 'static) -> anyhow::Result<(u16, tokio::task::JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            // Whoever hangs up has nothing to say any more.
            connections.spawn(async move { drop(converse(stream, &*answer).await) });
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((port, task))
}

async fn converse(mut stream: TcpStream, answer: &(impl Fn(Call) -> Reply + Send + Sync)) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 << 10);
    while let Some(call) = read(&mut stream, &mut buffer).await? {
        match answer(call) {
            Reply::Status(status, headers) => {
                let length = if status == 204 { "" } else { "content-length: 0\r\n" };
                stream.write_all(format!("HTTP/1.1 {status} x\r\n{length}{headers}\r\n").as_bytes()).await?;
            }
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n").await?;
                let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
            Reply::Silence => std::future::pending().await,
        }
    }
    Ok(())
}

/// The next request; `None`: the connection was closed.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<Call>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let path = lines.next().and_then(|line| line.split(' ').nth(1)).context("a request has a path")?.to_owned();
            let headers = lines.filter_map(|line| line.split_once(':'));
            let headers: BTreeMap<String, String> =
                headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
            let length: usize = headers.get("content-length").context("a delivery tells its length")?.parse()?;
            let whole = end + 4 + length;
            while buffer.len() < whole {
                ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed in a body");
            }
            let rest = buffer.split_off(whole);
            let mut body = std::mem::replace(buffer, rest);
            body.drain(..end + 4);
            return Ok(Some(Call { path, headers, body, at: arrived() }));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// When something arrived, by the clock of the gateway that sent it.
#[expect(clippy::disallowed_methods, reason = "the time on the way is what is measured")]
fn arrived() -> Timestamp {
    Timestamp::now()
}
