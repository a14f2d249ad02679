//! The loop that accepts connections, within a cap, and ends them softly or hard.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::respond::Responder;
use crate::shutdown::Shutdown;

/// The most bytes of a request's head.
const HEAD_LIMIT: usize = 64 << 10;
/// How long to wait when the system has no handles left.
const OUT_OF_HANDLES: Duration = Duration::from_millis(100);

/// How many connections, and how patient.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a sender may take for the head of a request, and be silent between two.
    pub header_timeout: Duration,
}

/// Accepts until told to stop; connections live on in `tasks`.
pub async fn serve(
    listener: TcpListener,
    responder: Responder,
    limits: Limits,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: Shutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(HEAD_LIMIT);
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
                let (http, responder, shutdown) = (http.clone(), responder.clone(), shutdown.clone());
                tasks.spawn(async move {
                    let _permit = permit;
                    connection(stream, address, &http, responder, &shutdown).await;
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

async fn connection(stream: TcpStream, address: SocketAddr, http: &http1::Builder, responder: Responder, shutdown: &Shutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let peer = canonical(address.ip());
    let meter = responder.connected();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let responder = responder.clone();
        async move { Ok::<_, std::convert::Infallible>(responder.respond(peer, request).await) }
    });
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
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
            () = shutdown.soft().cancelled(), if !told => {
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
