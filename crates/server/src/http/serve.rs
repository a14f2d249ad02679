//! The loop that accepts connections, within a cap, and ends them softly or hard.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::peer::Peer;
use super::respond::Responder;
use crate::shutdown::Shutdown;

/// The most bytes of a request's head.
const HEAD_LIMIT: usize = 64 << 10;
/// How long to wait when the system has no handles left.
const OUT_OF_HANDLES: Duration = Duration::from_millis(100);

/// After a stop was asked for, a connection that has said nothing yet may begin within this time: its sender was let in and knows
/// of no stop.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// A socket, and whether it speaks TLS.
pub struct Door {
    /// Where senders knock.
    pub listener: TcpListener,
    /// Shakes hands first, on the TLS door.
    pub tls: Option<TlsAcceptor>,
}

/// How many connections, and how patient.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a sender may take for the head of a request, and be silent between two; and for the handshake before.
    pub header_timeout: Duration,
}

/// Accepts until told to stop; connections live on in `tasks`.
pub async fn serve(
    Door { listener, tls }: Door,
    responder: Responder,
    limits: Limits,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: Shutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(HEAD_LIMIT);
    // A site that waits no longer for an answer (WordPress: 5 s) has said all it wanted: its delivery is taken nevertheless.
    http.half_close(true);
    let mut complained = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.soft().cancelled() => return,
            accepted = async {
                // Over the cap connections wait in the system's queue rather than in our memory.
                let permit = Arc::clone(&room).acquire_owned().await;
                listener.accept().await.map(|accepted| (accepted, permit))
            } => accepted,
        };
        match accepted {
            Ok(((stream, address), permit)) => {
                complained = false;
                let (http, responder, shutdown, tls) = (http.clone(), responder.clone(), shutdown.clone(), tls.clone());
                tasks.spawn(async move {
                    let _permit = permit;
                    let peer = Peer { address: canonical(address.ip()), tls: tls.is_some() };
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection keeps its delay");
                    }
                    match tls {
                        None => connection(stream, peer, &http, responder, &shutdown).await,
                        Some(tls) => {
                            if let Some(stream) = shake_hands(&tls, stream, limits.header_timeout, &shutdown).await {
                                connection(stream, peer, &http, responder, &shutdown).await;
                            }
                        }
                    }
                });
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                if !complained {
                    tracing::error!(%error, "no connection can be accepted: are there enough file handles (LimitNOFILE, ulimit -n)?");
                    complained = true;
                }
                tokio::time::sleep(OUT_OF_HANDLES).await;
            }
        }
    }
}

/// The other end gave up before we came: nothing is wrong here.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The encrypted stream; none if the sender wants no TLS of ours (a scanner, an old program, a certificate it does not trust).
async fn shake_hands(
    tls: &TlsAcceptor,
    stream: TcpStream,
    patience: Duration,
    shutdown: &Shutdown,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(patience, tls.accept(stream)) => shaken,
        () = shutdown.hard().cancelled() => return None,
    };
    match shaken {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a handshake failed");
            None
        }
        Err(_elapsed) => {
            tracing::debug!("a handshake took too long");
            None
        }
    }
}

/// Waits until a connection should end after the request under way.
async fn leaving(shutdown: &Shutdown, heard: &CancellationToken) {
    shutdown.soft().cancelled().await;
    // Nothing to hear is no failure: the connection ends without a request.
    tokio::select! {
        () = heard.cancelled() => {}
        () = tokio::time::sleep(FIRST_WORDS) => {}
    }
}

async fn connection<S>(stream: S, peer: Peer, http: &http1::Builder, responder: Responder, shutdown: &Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let meter = responder.connected();
    // Cancelled by the first request.
    let heard = CancellationToken::new();
    let first = heard.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let responder = responder.clone();
        first.cancel();
        async move { Ok::<_, std::convert::Infallible>(responder.respond(peer, request).await) }
    });
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut leaving = pin!(leaving(shutdown, &heard));
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    // Hung up, too slow, not HTTP: the sender's affair.
                    tracing::debug!(%error, "a connection ended");
                }
                break;
            }
            () = shutdown.hard().cancelled() => break,
            () = leaving.as_mut(), if !told => {
                serving.as_mut().graceful_shutdown();
                told = true;
            }
        }
    }
    drop(meter);
}

/// An IPv4 address is itself, also on a socket that takes both.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
