//! A real WordPress with a database of its own, on a free port of loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use leadgate_tests::client::{send, until, web};
use leadgate_tests::gateway::free_port;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

/// What `tests/run` takes from Debian: the folder that holds `wp-settings.php`.
fn tree() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("TEST_WORDPRESS").map(PathBuf::from);
    let exe = std::env::current_exe()?;
    let target = exe.ancestors().nth(3).context("tests lie in target/<profile>/deps")?;
    let places = [named, Some(target.join("wordpress/usr/share/wordpress")), Some("/usr/share/wordpress".into())];
    let found = places.into_iter().flatten().find(|place| place.join("wp-settings.php").exists());
    found.context(
        "there is no WordPress to test with: tests/run gets Debian's; or set TEST_WORDPRESS to the folder of wp-settings.php",
    )
}

fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wordpress").join(name)
}

/// A running WordPress. Gone when dropped.
pub struct Site {
    /// Its address, which it also tells everybody it calls.
    pub url: String,
    web: reqwest::Client,
    _processes: [Child; 2],
    _folder: TempDir,
}

impl Site {
    /// Starts a database and a WordPress with our plugin.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let tree = tree()?;
        let socket = folder.path().join("socket");
        let database = database(folder.path(), &socket).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let url = format!("http://{address}");
        let php = || {
            let mut php = Command::new("php");
            php.env("WORDPRESS", &tree).env("WORDPRESS_SOCKET", &socket).env("WORDPRESS_URL", &url);
            php.args(["-d", "memory_limit=256M"]).stdin(Stdio::null()).kill_on_drop(true);
            php
        };
        let installed = php().arg(ours("install.php")).output().await.context("php is missing: Debian's package is php-cli")?;
        ensure!(
            installed.status.success() && installed.stdout.is_empty(),
            "WordPress cannot be installed: {}{}",
            String::from_utf8_lossy(&installed.stdout),
            String::from_utf8_lossy(&installed.stderr)
        );
        let log = std::fs::File::create(folder.path().join("php.log"))?;
        let mut server = php();
        server.args(["-S", &address.to_string()]).arg(ours("router.php"));
        let server = server.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).spawn()?;
        until("WordPress", async || Ok(TcpStream::connect(address).await.ok())).await?;
        Ok(Self { url, web: web()?, _processes: [server, database], _folder: folder })
    }

    /// A visitor sends the form, and the plugin sends it on: what came of that.
    pub async fn submit(&self, form: &Value) -> anyhow::Result<Sent> {
        let route = format!("{}/?rest_route=/forms/v1/submit", self.url);
        let answer = send(self.web.post(route).json(form)).await?.expect(200)?.json()?;
        Ok(Sent {
            seconds: answer["seconds"].as_f64().context("it tells how long it took")?,
            error: answer["error"].as_str().map(str::to_owned),
            status: answer["status"].as_u64(),
            body: answer["body"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// What WordPress's client told the plugin.
#[derive(Clone, Debug)]
pub struct Sent {
    /// How long it took.
    pub seconds: f64,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The status of the answer.
    pub status: Option<u64>,
    /// Its body.
    pub body: String,
}

impl Sent {
    /// Whether every plugin takes it for success: Elementor wants exactly this status.
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.status == Some(200) && self.body == "ok"
    }
}

/// A `MariaDB` on a socket only, without users: it is gone in a minute.
async fn database(folder: &Path, socket: &Path) -> anyhow::Result<Child> {
    let data = folder.join("database");
    std::fs::create_dir(&data)?;
    let log = folder.join("database.log");
    let mut command = Command::new("mariadbd");
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", socket.display()))
        .args(["--skip-networking", "--skip-grant-tables", "--performance-schema=OFF", "--innodb-buffer-pool-size=16M"])
        .args(["--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]);
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    let said = std::fs::File::create(&log)?;
    command.stdin(Stdio::null()).stdout(Stdio::from(said.try_clone()?)).stderr(Stdio::from(said)).kill_on_drop(true);
    let mut database = command.spawn().context("mariadbd is missing: Debian's package is mariadb-server-core")?;
    let listens = until("MariaDB", async || Ok(UnixStream::connect(socket).await.ok())).await;
    if let (Err(error), said) = (listens, std::fs::read_to_string(&log)?) {
        let ended = database.try_wait()?;
        bail!("{error:#} ({ended:?}); it said:\n{said}");
    }
    Ok(database)
}
