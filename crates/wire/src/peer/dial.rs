//! Connecting: all addresses of a name, one after the other, each with a small head start (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Io, Peer, PeerError, Security};

/// How long an address may take.
const ADDRESS: Duration = Duration::from_secs(10);
/// The head start of an address before the next one is tried as well.
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses that are tried.
const ADDRESSES: usize = 16;
/// Silence after which the system asks whether the other side is still there.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(15));

impl Peer {
    /// The server, for people.
    pub fn name(&self) -> String {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        format!("{open}{}{close}:{}", self.host, self.port)
    }

    /// A TCP peer.
    pub async fn connect(&self) -> Result<Box<dyn Io>, PeerError> {
        let server = self.name();
        let addresses = resolve(self).await?;
        let each = self.timeout.min(ADDRESS);
        let stream = race(addresses, each).await.map_err(|failed| {
            let failed: Vec<String> = failed.iter().map(|(address, why)| format!("{address}: {why}")).collect();
            PeerError::Network(format!("{server} cannot be reached ({})", failed.join("; ")))
        })?;
        let tuned = stream.set_nodelay(true).and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE));
        tuned.map_err(|error| PeerError::Network(format!("the connection to {server} broke: {error}")))?;
        Ok(Box::new(stream))
    }
}

async fn resolve(peer: &Peer) -> Result<Vec<SocketAddr>, PeerError> {
    let host = &peer.host;
    let found = timeout(peer.timeout, tokio::net::lookup_host((host.as_str(), peer.port))).await;
    let mut addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.take(ADDRESSES).collect(),
        Ok(Err(error)) => return Err(PeerError::Network(format!("the name {host} cannot be looked up: {error}"))),
        Err(_elapsed) => return Err(PeerError::Network(format!("the name {host} cannot be looked up: no answer in time"))),
    };
    // The name may mean another machine than it did when the configuration was read.
    if peer.security == Security::Plain {
        addresses.retain(|address| address.ip().to_canonical().is_loopback());
        if addresses.is_empty() {
            return Err(PeerError::Tls(format!(
                "{host} is another machine: the password would be readable on the way; write security = \"tls\" or \"starttls\""
            )));
        }
    }
    if addresses.is_empty() { Err(PeerError::Network(format!("the name {host} has no address"))) } else { Ok(addresses) }
}

/// The first address that answers.
async fn race(addresses: Vec<SocketAddr>, each: Duration) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let (mut waiting, mut trying, mut failed) = (addresses.into_iter(), FuturesUnordered::new(), Vec::new());
    loop {
        if let Some(address) = waiting.next() {
            trying.push(async move { (address, timeout(each, TcpStream::connect(address)).await) });
        }
        let next = if waiting.len() > 0 { timeout(HEAD_START, trying.next()).await } else { Ok(trying.next().await) };
        match next {
            Err(_elapsed) => {}
            Ok(None) => return Err(failed),
            Ok(Some((_, Ok(Ok(stream))))) => return Ok(stream),
            Ok(Some((address, Ok(Err(error))))) => failed.push((address, error)),
            Ok(Some((address, Err(_elapsed)))) => failed.push((address, io::Error::new(io::ErrorKind::TimedOut, "no answer"))),
        }
    }
}
