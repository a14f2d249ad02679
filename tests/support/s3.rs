//! The S3 service of the tests, and a way to it that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A bucket with a prefix nobody else uses.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `http://127.0.0.1:port`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The prefix in it.
    pub prefix: String,
    /// The keys of its user.
    pub keys: (String, String),
}

impl S3 {
    /// The service `tests/run` starts, named by `TEST_S3_URL`, `TEST_S3_BUCKET`, `TEST_S3_ACCESS_KEY` and `TEST_S3_SECRET_KEY`.
    pub fn new() -> anyhow::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let of = |name: &str| {
            std::env::var(name).with_context(|| {
                format!(
                    "this test needs an S3 service and {name} is not set: run tests/run, or start tests/s3_server.py (it needs \
                     pip install 'moto[server]') and set the variables that it prints"
                )
            })
        };
        let prefix = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Ok(Self {
            endpoint: of("TEST_S3_URL")?,
            bucket: of("TEST_S3_BUCKET")?,
            prefix,
            keys: (of("TEST_S3_ACCESS_KEY")?, of("TEST_S3_SECRET_KEY")?),
        })
    }

    /// The section of the configuration.
    pub fn section(&self) -> String {
        format!(
            "[attachments]\nurl = \"s3://{}/{}\"\nendpoint = \"{}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n",
            self.bucket, self.prefix, self.endpoint, self.keys.0, self.keys.1
        )
    }

    /// The same through a line that can be cut.
    pub async fn over_a_line(&self) -> anyhow::Result<(Self, Line)> {
        let to = self.endpoint.strip_prefix("http://").context("TEST_S3_URL begins with http://")?.parse()?;
        let line = Line::new(to).await?;
        Ok((Self { endpoint: format!("http://{}", line.address), ..self.clone() }, line))
    }
}

/// Carries connections to another address until it is cut.
#[derive(Debug)]
pub struct Line {
    /// Where it begins.
    pub address: SocketAddr,
    carrying: JoinHandle<()>,
}

impl Line {
    /// A line to an address.
    pub async fn new(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let carrying = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut here, _)) = listener.accept().await {
                connections.spawn(async move {
                    let Ok(mut there) = TcpStream::connect(to).await else { return };
                    // Either end closing it is the usual end.
                    drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
                });
            }
        });
        Ok(Self { address, carrying })
    }

    /// Cuts it: what is connected breaks off, and nobody listens any more.
    pub async fn cut(self) {
        self.carrying.abort();
        drop(self.carrying.await);
    }
}
