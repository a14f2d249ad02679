//! The real binary on a data folder of its own, on a free port of loopback.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The token in the action URL of the source `site` that [`Setup`] writes.
pub const TOKEN: &str = "test-token-0123456789";

/// The gateway's program, see [`program`]; `LEADGATE_BIN` names another.
pub fn binary() -> PathBuf {
    match std::env::var_os("LEADGATE_BIN") {
        Some(path) => path.into(),
        None => program("leadgate"),
    }
}

/// A program of the workspace beside the running test: `cargo build --workspace --bins` makes it.
///
/// # Panics
/// When it is not there, with what to do.
#[expect(clippy::expect_used, reason = "without the program there is nothing to test")]
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows where it runs");
    let profile = exe.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let path = profile.join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` with the same profile first", path.display());
    path
}

/// Builds the release gateway, which benchmarks run, unless `LEADGATE_BIN` names another.
pub fn build_release() -> anyhow::Result<()> {
    if std::env::var_os("LEADGATE_BIN").is_some() {
        return Ok(());
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut build = std::process::Command::new(cargo);
    // What cargo tells this program of itself would make it build anew what others have built.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            build.env_remove(name);
        }
    }
    let status = build.args(["build", "--release", "-p", "leadgate"]).status()?;
    anyhow::ensure!(status.success(), "cargo build --release -p leadgate failed");
    Ok(())
}

/// What a test's gateway is configured with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// TOML that follows the sections written here.
    pub more: String,
    /// Keys of the `site` source beside `kind` and `token`.
    pub site: String,
    /// Keys of `[company]` beside name, country, time zone and language.
    pub company: String,
    /// Keys of `[server]` beside the data folder.
    pub server: String,
    /// The URL of the database.
    pub database: String,
    /// Which program it is.
    pub program: PathBuf,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            more: String::new(),
            company: String::new(),
            server: String::new(),
            database: "sqlite:data/leadgate.db".to_owned(),
            program: binary(),
            site: "allow_origins = [\"*\"]\nrequire_origin = false\nmin_fill_ms = 0\nper_minute = 1000000".to_owned(),
        }
    }
}

impl Setup {
    /// The configuration file.
    pub fn text(&self) -> String {
        format!(
            "[company]\nname = \"Test\"\ncountry = \"RU\"\ntime_zone = \"Europe/Moscow\"\nlanguage = \"en\"\n{}\n\
             [server]\ndata_dir = \"data\"\n{}\n\
             [database]\nurl = \"{}\"\n[log]\nlevel = \"warn\"\n{}\n\
             [sources.site]\nkind = \"html_form\"\ntoken = \"{TOKEN}\"\n{}\n",
            self.company, self.server, self.database, self.more, self.site
        )
    }
}

/// A port that was free a moment ago, and that no other test of this process was given.
pub fn free_port() -> anyhow::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
}

/// A running gateway. Killed when dropped.
pub struct Gateway {
    /// Its process.
    pub child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its config file.
    pub config: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    /// What it prints and logs.
    pub said: PathBuf,
}

impl Gateway {
    /// Writes a config into `folder` (kept if one is there) and starts.
    pub async fn start(folder: &Path, setup: &Setup) -> anyhow::Result<Self> {
        let config = folder.join("leadgate.toml");
        let data = folder.join("data");
        if !config.exists() {
            std::fs::write(&config, setup.text())?;
        }
        let arguments = [OsStr::new("--config"), config.as_os_str(), OsStr::new("serve")];
        Self::spawn(Command::new(&setup.program).args(arguments), folder, &config, &data).await
    }

    /// Starts it as a new user does: in a folder that holds the shipped configuration, without arguments.
    pub async fn start_shipped(folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join("config/leadgate.toml");
        std::fs::create_dir_all(folder.join("config"))?;
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/leadgate.toml"), &config)?;
        let mut command = Command::new(binary());
        command.current_dir(folder).env("TZ", "Europe/Moscow").env("LC_ALL", "C.UTF-8");
        Self::spawn(&mut command, folder, &config, &folder.join("data")).await
    }

    async fn spawn(command: &mut Command, folder: &Path, config: &Path, data: &Path) -> anyhow::Result<Self> {
        let said = folder.join("gateway.log");
        let mut attempts = 0;
        loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            let log = std::fs::File::options().create(true).append(true).open(&said)?;
            let begun = log.metadata()?.len();
            let child = command
                .env("LEADGATE__SERVER__LISTEN", address.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::from(log.try_clone()?))
                .stderr(Stdio::from(log))
                .kill_on_drop(true)
                .spawn()
                .context("the gateway does not start")?;
            let mut gateway = Self { child, address, config: config.to_path_buf(), data: data.to_path_buf(), said: said.clone() };
            let Err(error) = gateway.wait_until_it_listens().await else { return Ok(gateway) };
            let log = gateway.log().unwrap_or_default();
            let log = log.get(usize::try_from(begun)?..).unwrap_or_default();
            attempts += 1;
            // Somebody's outgoing connection was faster to take the port.
            if attempts == 5 || !log.contains("is taken") {
                bail!("{error:#}; it said:\n{log}");
            }
        }
    }

    async fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..2_000 {
            again.tick().await;
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended at once ({status})");
            }
        }
        bail!("nothing listens on {} after 20 s", self.address)
    }

    /// `http://127.0.0.1:port` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The action URL of the source `site`.
    pub fn action(&self) -> String {
        self.url(&format!("/in/site/{TOKEN}"))
    }

    /// The API token made on the first run.
    pub fn api_token(&self) -> anyhow::Result<String> {
        let path = self.data.join("api-token");
        Ok(std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?.trim().to_owned())
    }

    /// SIGKILL: no farewell.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// SIGTERM, and waits until it has stopped.
    pub async fn stop(mut self) -> anyhow::Result<std::process::ExitStatus> {
        self.signal("TERM").await?;
        Ok(self.child.wait().await?)
    }

    /// Sends it a signal, such as `HUP`.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.child.id().context("it runs")?;
        let done = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await?;
        anyhow::ensure!(done.success(), "kill -{name} failed");
        Ok(())
    }

    /// Its peak memory in MB, from the kernel (`VmHWM`).
    pub fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        let pid = self.child.id().context("it runs")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM in /proc/<pid>/status")?;
        let kb: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kb / 1024.0)
    }

    /// What it has said so far.
    pub fn log(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.said).with_context(|| format!("{} cannot be read", self.said.display()))
    }

    /// Runs the CLI on this gateway's config; its standard output.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let out = self.run(arguments).await?;
        anyhow::ensure!(
            out.status.success(),
            "leadgate {arguments:?}: {}\n{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(String::from_utf8(out.stdout)?)
    }

    /// Runs the CLI on this gateway's config, whatever comes of it.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        run(&self.config, Some(self.address), arguments).await
    }
}

/// Runs the CLI on a config, whatever comes of it.
pub async fn run(config: &Path, listen: Option<SocketAddr>, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary());
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(listen) = listen {
        command.env("LEADGATE__SERVER__LISTEN", listen.to_string());
    }
    Ok(command.output().await?)
}
