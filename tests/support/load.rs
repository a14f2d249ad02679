//! A load of keep-alive connections that costs little: one write and as few reads as the kernel needs for a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Makes the `n`-th request's body.
pub type Body = Arc<dyn Fn(u64, &mut String) + Send + Sync>;

/// A request with headers of its own.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Each with its line end.
    pub headers: String,
    /// What is posted.
    pub body: String,
}

/// Makes the `n`-th request.
pub type Messages = Arc<dyn Fn(u64, &mut Message) + Send + Sync>;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a load did.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Answers of 200, 204 or 303 a second.
    pub rate: f64,
    /// Answers of 200, 204 or 303.
    pub good: u64,
    /// Other answers.
    pub bad: u64,
    /// Half were faster, in ms.
    pub p50_ms: f64,
    /// All but a hundredth were faster, in ms.
    pub p99_ms: f64,
}

/// One connection: sends a request, reads its answer.
pub struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::with_capacity(2048), buffer: vec![0; 16 * 1024] })
    }

    /// Posts a urlencoded body; the answer's status.
    pub async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<u16> {
        self.post_as(path, FORM, body.as_bytes()).await
    }

    /// Posts a body of a type; the answer's status.
    pub async fn post_as(&mut self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<u16> {
        self.post_with(path, content_type, "", body).await
    }

    /// Posts a body of a type with further headers, each with its line end; the answer's status.
    pub async fn post_with(&mut self, path: &str, content_type: &str, headers: &str, body: &[u8]) -> anyhow::Result<u16> {
        use std::io::Write as _;
        self.out.clear();
        write!(
            self.out,
            "POST {path} HTTP/1.1\r\nHost: gateway\r\nOrigin: http://shop.example\r\nContent-Type: {content_type}\r\n\
             Accept: text/html\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<u16> {
        let mut have = 0;
        loop {
            let n = self.stream.read(&mut self.buffer[have..]).await?;
            if n == 0 {
                bail!("the connection was closed in an answer");
            }
            have += n;
            let Some(head) = find(&self.buffer[..have], b"\r\n\r\n") else { continue };
            let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
            let length = if status == 204 { 0 } else { content_length(&self.buffer[..head])? };
            let mut rest = (head + 4 + length).saturating_sub(have);
            while rest > 0 {
                let room = rest.min(self.buffer.len());
                let n = self.stream.read(&mut self.buffer[..room]).await?;
                if n == 0 {
                    bail!("the connection was closed in a body");
                }
                rest -= n;
            }
            return Ok(status);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    for line in std::str::from_utf8(head)?.split("\r\n") {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    bail!("an answer without content-length")
}

/// Posts from `connections` for `time`, after a warm-up that is not counted. Bodies are numbered by `counter`, which goes on
/// from run to run, so that no two are alike.
pub async fn run(
    to: SocketAddr,
    path: &str,
    connections: usize,
    warm_up: Duration,
    time: Duration,
    counter: &Arc<AtomicU64>,
    body: &Body,
) -> anyhow::Result<Figures> {
    let body = Arc::clone(body);
    let messages: Messages = Arc::new(move |n, message: &mut Message| body(n, &mut message.body));
    run_messages(to, path, connections, (warm_up, time), counter, &messages).await
}

/// As [`run`], with requests that have headers of their own; `times`: the warm-up and what is counted.
pub async fn run_messages(
    to: SocketAddr,
    path: &str,
    connections: usize,
    (warm_up, time): (Duration, Duration),
    counter: &Arc<AtomicU64>,
    messages: &Messages,
) -> anyhow::Result<Figures> {
    let counting = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let end = begin + warm_up + time;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (path, counter, messages) = (path.to_owned(), Arc::clone(counter), Arc::clone(messages));
        let counting = Arc::clone(&counting);
        tasks.spawn(async move {
            let mut connection = Connection::open(to).await?;
            let (mut latencies, mut bad, mut message) = (Vec::with_capacity(4096), 0_u64, Message::default());
            while Instant::now() < end {
                message.headers.clear();
                message.body.clear();
                messages(counter.fetch_add(1, Ordering::Relaxed), &mut message);
                let sent = Instant::now();
                let status = connection.post_with(&path, FORM, &message.headers, message.body.as_bytes()).await?;
                if !counting.load(Ordering::Relaxed) {
                    continue;
                }
                if matches!(status, 200 | 204 | 303) {
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                } else {
                    bad += 1;
                }
            }
            anyhow::Ok((latencies, bad))
        });
    }
    tokio::time::sleep_until((begin + warm_up).into()).await;
    counting.store(true, Ordering::Relaxed);
    let counted = Instant::now();
    let (mut all, mut bad) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (latencies, failed) = done??;
        all.extend(latencies);
        bad += failed;
    }
    let seconds = counted.elapsed().as_secs_f64();
    all.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into latencies"
        )]
        let index = (all.len() as f64 * share) as usize;
        all.get(index.min(all.len().saturating_sub(1))).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of answers")]
    let rate = all.len() as f64 / seconds;
    Ok(Figures { rate, good: all.len() as u64, bad, p50_ms: at(0.5), p99_ms: at(0.99) })
}
