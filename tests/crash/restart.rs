//! A restart behind a socket that the service manager holds open: nobody is refused, and nothing is lost.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use leadgate_tests::client::{send, until, web};
use leadgate_tests::gateway::{Gateway, Setup, TOKEN, binary};
use leadgate_tests::load::Connection;
use leadgate_tests::people;
use tokio::process::Command;
use tokio::task::JoinSet;

/// As systemd starts a service: the socket is descriptor 3, and what becomes ready tells so.
const LAUNCH: &str = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=plain; export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; exec \"$@\"";
/// How many senders post at once.
const SENDERS: u64 = 4;

/// What a service manager holds while its service comes and goes.
struct Manager {
    socket: TcpListener,
    notified: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let notified = UnixDatagram::bind(folder.join("notify"))?;
        notified.set_nonblocking(true)?;
        Ok(Self { address: socket.local_addr()?, socket, notified })
    }

    /// Starts the gateway and waits until it says that it takes leads.
    async fn start(&self, folder: &Path) -> anyhow::Result<Gateway> {
        let said = folder.join("gateway.log");
        let log = std::fs::File::options().create(true).append(true).open(&said)?;
        let config = folder.join("leadgate.toml");
        // Passed as the standard input: so no other child of this process inherits it.
        let socket = OwnedFd::from(self.socket.try_clone()?);
        let child = Command::new("sh")
            .args(["-c", LAUNCH, "sh"])
            .arg(binary())
            .arg("--config")
            .arg(&config)
            .arg("serve")
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .stdin(Stdio::from(socket))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()?;
        let gateway = Gateway { child, address: self.address, config, data: folder.join("data"), said };
        self.told("READY=1").await.with_context(|| gateway.log().unwrap_or_default())?;
        Ok(gateway)
    }

    async fn told(&self, what: &str) -> anyhow::Result<()> {
        until(what, async || {
            let mut message = [0; 512];
            match self.notified.recv(&mut message) {
                Ok(length) => Ok(String::from_utf8_lossy(&message[..length]).lines().any(|line| line == what).then_some(())),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

/// Posts forms of new people, each on a connection of its own, until told to stop. Whoever is refused ends the test.
async fn post(to: SocketAddr, first: u64, taken: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let (mut n, mut body) = (first, String::new());
    while !stop.load(Ordering::Relaxed) {
        body.clear();
        people::form(n, &mut body);
        let status = Connection::open(to).await?.post(&format!("/in/site/{TOKEN}"), &body).await?;
        anyhow::ensure!(matches!(status, 200 | 303), "form {n} was answered {status}");
        taken.fetch_add(1, Ordering::Relaxed);
        n += SENDERS;
    }
    Ok(())
}

async fn reach(taken: &AtomicU64, more: u64) -> anyhow::Result<()> {
    let goal = taken.load(Ordering::Relaxed) + more;
    until("forms are taken", async || Ok((taken.load(Ordering::Relaxed) >= goal).then_some(()))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_behind_a_passed_socket_refuses_nobody() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // Where it would listen if nothing were passed: a port that nobody may open.
    let setup = Setup { server: "listen = \"127.0.0.1:1\"".to_owned(), ..Setup::default() };
    std::fs::write(folder.path().join("leadgate.toml"), setup.text())?;
    let manager = Manager::new(folder.path())?;
    let mut gateway = manager.start(folder.path()).await?;
    let (taken, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut senders = JoinSet::new();
    for first in 1..=SENDERS {
        senders.spawn(post(manager.address, first, Arc::clone(&taken), Arc::clone(&stop)));
    }
    for _ in 0..5 {
        reach(&taken, 40).await?;
        assert!(gateway.stop().await?.success());
        manager.told("STOPPING=1").await?;
        gateway = manager.start(folder.path()).await?;
    }
    reach(&taken, 40).await?;
    stop.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender?.context("a sender was refused")?;
    }
    let token = gateway.api_token()?;
    let asked = web()?.get(gateway.url("/api/v1/status")).bearer_auth(token);
    let status = send(asked).await?.expect(200)?.json()?;
    assert_eq!(status["submissions"].as_u64(), Some(taken.load(Ordering::Relaxed)), "each that was taken is there once");
    assert!(!gateway.log()?.contains("given up"), "{}", gateway.log()?);
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_units_are_understood_by_systemd() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/systemd");
    let mut names = Vec::new();
    for unit in std::fs::read_dir(&units)? {
        let unit = unit?;
        let name = unit.file_name().into_string().ok().context("a unit's name is text")?;
        let text = std::fs::read_to_string(unit.path())?.replace("/usr/local/bin/leadgate", &binary().display().to_string());
        std::fs::write(folder.path().join(&name), text)?;
        names.push(name.replace('@', "@acme"));
    }
    assert_eq!(names.len(), 4, "{names:?}");
    // An instance is verified under its own name.
    std::fs::copy(folder.path().join("leadgate@.service"), folder.path().join("leadgate@acme.service"))?;
    let verified =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&names).current_dir(folder.path()).output().await;
    match verified {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("systemd-analyze is not here: the units were only read");
        }
        Err(error) => return Err(error.into()),
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr).into_owned();
            assert!(verified.status.success() && !said.contains("leadgate"), "{said}");
        }
    }
    Ok(())
}
