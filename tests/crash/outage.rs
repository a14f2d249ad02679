//! A PostgreSQL server that goes away under load: for a while, for ever, or because its disk is full.

use std::process::Command;
use std::time::Duration;

use leadgate_tests::client::{World, send, until};
use leadgate_tests::cluster::Cluster;
use leadgate_tests::gateway::{Gateway, Setup};

use crate::senders::{Order, Senders, check};

const CONNECTIONS: usize = 6;
/// How long the server is away.
const AWAY: Duration = Duration::from_secs(10);

fn on(url: String) -> Setup {
    Setup { database: url, ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_has_everything_that_was_acknowledged() -> anyhow::Result<()> {
    let mut cluster = Cluster::start().await?;
    let setup = on(cluster.database("leads").await?);
    let world = World::new(&setup).await?;
    let mut senders = Senders::new(CONNECTIONS);
    senders.tell(Order::Send(world.gateway.address));
    senders.acknowledge(100).await?;
    cluster.stop_immediately().await?;
    // The point is that it is away for long: nothing here can be asked whether it is over.
    tokio::time::sleep(AWAY).await;
    let ready = send(world.web.get(world.gateway.url("/readyz"))).await?;
    assert_eq!(ready.status, 503, "a balancer is told: {}", ready.text());
    cluster.up().await?;
    senders.acknowledge(100).await?;
    senders.tell(Order::Finish(world.gateway.address));
    let sent = senders.done().await?;
    assert!(sent.unanswered.is_empty() && sent.retried > 0, "{} sendings again", sent.retried);
    check(&world, &sent).await?;
    world.gateway.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_takes_over_has_everything_that_was_acknowledged() -> anyhow::Result<()> {
    let mut primary = Cluster::start().await?;
    primary.database("leads").await?;
    let standby = Cluster::standby_of(&primary).await?;
    let setup = on(format!("postgres://postgres@{},{}/leads", primary.address(), standby.address()));
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &setup).await?;
    let mut senders = Senders::new(CONNECTIONS);
    senders.tell(Order::Send(gateway.address));
    senders.acknowledge(100).await?;
    primary.stop_immediately().await?;
    standby.promote().await?;
    // It goes on by itself.
    senders.acknowledge(100).await?;
    gateway.stop().await?;
    let world = World::in_folder(folder, &setup).await?;
    senders.tell(Order::Finish(world.gateway.address));
    let sent = senders.done().await?;
    assert!(sent.unanswered.is_empty(), "the last gateway was there to the end");
    check(&world, &sent).await?;
    world.gateway.stop().await?;
    Ok(())
}

/// A small disk, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`: this machine does not let us mount.
    fn new() -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("leadgate-disk").tempdir()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs"]).arg(folder.path()).output()?;
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
            anyhow::ensure!(!rustix::process::geteuid().is_root() || why.contains("permission denied"), "mount failed: {why}");
            println!("this user may not mount a file system, so a full disk was not tried: {why}");
            return Ok(None);
        }
        let owned = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
        anyhow::ensure!(owned.success(), "there is no user postgres");
        Ok(Some(Self(folder)))
    }

    fn fill(&self) -> anyhow::Result<std::path::PathBuf> {
        use std::io::Write as _;
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::create(&path)?;
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = Command::new("umount").arg("-l").arg(self.0.path()).status() {
            println!("{} stays mounted: {error}", self.0.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_database_loses_nothing_and_heals_by_space_alone() -> anyhow::Result<()> {
    let Some(disk) = Disk::new()? else { return Ok(()) };
    let cluster = Cluster::start().await?;
    let place = disk.0.path().display();
    cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{place}'")).await?;
    cluster.sql("postgres", "CREATE DATABASE leads TABLESPACE small").await?;
    let world = World::new(&on(cluster.url("leads"))).await?;
    let mut senders = Senders::new(CONNECTIONS);
    senders.tell(Order::Send(world.gateway.address));
    senders.acknowledge(50).await?;
    let filler = disk.fill()?;
    // Pages that are there may still have room: sooner or later there is none.
    until("somebody is told that there is no space", async || {
        let ready = send(world.web.get(world.gateway.url("/readyz"))).await?;
        Ok((ready.status == 503).then_some(()))
    })
    .await?;
    assert!(world.leads().await?.len() >= 50, "what is there can still be read");
    std::fs::remove_file(filler)?;
    senders.acknowledge(50).await?;
    senders.tell(Order::Finish(world.gateway.address));
    let sent = senders.done().await?;
    assert!(sent.retried > 0 && sent.unanswered.is_empty());
    check(&world, &sent).await?;
    world.gateway.stop().await?;
    Ok(())
}
