//! A PostgreSQL server of a test's own: started, stopped and promoted as the test likes.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::gateway::free_port;

/// A server. Stopped when dropped.
pub struct Cluster {
    bin: PathBuf,
    folder: TempDir,
    port: u16,
    running: bool,
    options: String,
}

impl Cluster {
    /// A new server that runs.
    pub async fn start() -> anyhow::Result<Self> {
        let mut cluster = Self::prepare().await?;
        let data = cluster.data();
        let arguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"];
        cluster.server("initdb", arguments.iter().map(AsRef::as_ref).chain([data.as_os_str()])).await?;
        cluster.up().await?;
        Ok(cluster)
    }

    /// A standby that every commit of `primary` waits for.
    pub async fn standby_of(primary: &Self) -> anyhow::Result<Self> {
        let mut standby = Self::prepare().await?;
        let (data, source) =
            (standby.data(), format!("host=127.0.0.1 port={} user=postgres application_name=standby", primary.port));
        let arguments = ["-R", "-X", "stream", "-c", "fast", "-d", source.as_str(), "-D"];
        standby.server("pg_basebackup", arguments.iter().map(AsRef::as_ref).chain([data.as_os_str()])).await?;
        // Once promoted it is alone: it must not wait for a standby of its own.
        "-c synchronous_standby_names=''".clone_into(&mut standby.options);
        standby.up().await?;
        primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'").await?;
        primary.sql("postgres", "SELECT pg_reload_conf()").await?;
        for _ in 0..600 {
            if primary.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").await?.trim() == "1"
            {
                return Ok(standby);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        bail!("the standby does not follow")
    }

    async fn prepare() -> anyhow::Result<Self> {
        let bin = programs().context(
            "PostgreSQL's programs are not there: tests/run installs them. Run tests/run, or set TEST_POSTGRES_BIN to their folder",
        )?;
        let folder = tempfile::Builder::new().prefix("leadgate-postgres").tempdir()?;
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(folder.path()).status().await?;
            ensure!(owned.success(), "there is no user postgres to run the server");
        }
        Ok(Self { bin, folder, port: free_port()?, running: false, options: String::new() })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder the server may write to.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one of the server's programs as the user it must be.
    async fn server<'a>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>,
    ) -> anyhow::Result<Output> {
        let program = self.program(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let out = command.current_dir(self.folder.path()).args(arguments).output().await?;
        ensure!(out.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&out.stderr));
        Ok(out)
    }

    /// Starts it, and waits until it answers.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let socket = self.folder.path().display();
        let options = format!("-p {} -k {socket} -c listen_addresses=127.0.0.1 {}", self.port, self.options);
        let arguments = [
            "-D".as_ref(),
            data.as_os_str(),
            "-l".as_ref(),
            log.as_os_str(),
            "-w".as_ref(),
            "-o".as_ref(),
            options.as_ref(),
            "start".as_ref(),
        ];
        // It writes to what it is given; its own output would never end.
        self.server("pg_ctl", arguments).await.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        self.running = true;
        Ok(())
    }

    /// Stops it without a farewell.
    pub async fn stop_immediately(&mut self) -> anyhow::Result<()> {
        let data = self.data();
        self.server(
            "pg_ctl",
            ["-D".as_ref(), data.as_os_str(), "-m".as_ref(), "immediate".as_ref(), "-w".as_ref(), "stop".as_ref()],
        )
        .await?;
        self.running = false;
        Ok(())
    }

    /// Makes a standby the server that is written to.
    pub async fn promote(&self) -> anyhow::Result<()> {
        let data = self.data();
        self.server("pg_ctl", ["-D".as_ref(), data.as_os_str(), "-w".as_ref(), "promote".as_ref()]).await.map(|_| ())
    }

    /// Runs SQL, and gives back what it says, columns divided by `|`.
    pub async fn sql(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let port = self.port.to_string();
        let mut command = Command::new(self.program("psql"));
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtXc", sql]);
        let out = command.output().await?;
        ensure!(out.status.success(), "{sql}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?)
    }

    /// One of the server's programs, such as `pgbench`; some systems keep the clients' elsewhere.
    pub fn program(&self, name: &str) -> PathBuf {
        let beside = self.bin.join(name);
        if beside.exists() { beside } else { name.into() }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its first process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        text.lines().next().context("postmaster.pid is empty")?.trim().parse().context("postmaster.pid")
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a database, as a gateway is given it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address())
    }

    /// Makes a database. Its URL.
    pub async fn database(&self, name: &str) -> anyhow::Result<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await?;
        Ok(self.url(name))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.running {
            return;
        }
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            // QUIT: an immediate stop. Nobody is left to hear of a failure.
            drop(std::process::Command::new("kill").args(["-QUIT", pid]).status());
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where the server's programs are.
fn programs() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("TEST_POSTGRES_BIN") {
        return Some(given.into());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin"));
    let installed = versions.filter(|bin| bin.join("initdb").exists());
    installed.max_by_key(|bin| bin.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok()))
}
