//! A farewell under load: what was acknowledged is there, what was not may be sent again.

use std::time::{Duration, Instant};

use leadgate_tests::client::{PATIENCE, World};
use leadgate_tests::gateway::{Gateway, Setup, TOKEN};
use leadgate_tests::load::Connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::senders::{Order, Senders, check};

/// How long the gateway waits for requests that are under way, in these tests.
const DRAIN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_sender_that_never_ends_does_not_hold_up_a_stop() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let setup = Setup { server: format!("drain = \"{} ms\"", DRAIN.as_millis()), ..Setup::default() };
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let mut idle = Connection::open(gateway.address).await?;
    assert_eq!(idle.post(&format!("/in/site/{TOKEN}"), "name=Anna&phone=%2B79161234567").await?, 200);
    let mut endless = TcpStream::connect(gateway.address).await?;
    let head = format!("POST /in/site/{TOKEN} HTTP/1.1\r\nhost: gateway\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n");
    endless.write_all(head.as_bytes()).await?;
    // The gateway asks for the body: the request is under way.
    let mut answer = [0; 12];
    endless.read_exact(&mut answer).await?;
    assert_eq!(answer, *b"HTTP/1.1 100");
    endless.write_all(b"name=Boris&").await?;
    let asked = Instant::now();
    let status = gateway.stop().await?;
    assert!(status.success(), "stopped with {status}");
    let took = asked.elapsed();
    assert!(took >= DRAIN && took < PATIENCE, "it took {took:?} to stop");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_before_a_stop_is_there_after_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &Setup::default()).await?;
    let mut senders = Senders::new(8);
    senders.tell(Order::Send(gateway.address));
    senders.acknowledge(200).await?;
    senders.tell(Order::LastCall(gateway.address));
    let asked = Instant::now();
    let status = gateway.stop().await?;
    assert!(status.success(), "stopped with {status}");
    assert!(asked.elapsed() < PATIENCE, "it took {:?} to stop", asked.elapsed());
    let sent = senders.done().await?;
    let world = World::in_folder(folder, &Setup::default()).await?;
    check(&world, &sent).await?;
    world.gateway.stop().await?;
    Ok(())
}
