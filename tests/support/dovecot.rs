//! A mail server of a test's own: Dovecot on free ports of loopback, with accounts, a certificate, and children to kill.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::client::{PATIENCE, until};
use crate::gateway::free_port;
use crate::mail::{Imap, Lmtp};

/// The account every server has.
pub const USER: &str = "info@zavod.ru";
/// Its password, and that of every account made by [`Dovecot::account`].
pub const PASSWORD: &str = "mail-secret-1";

/// A server. Killed with all its children when dropped.
pub struct Dovecot {
    folder: TempDir,
    ports: Ports,
    certificate: Vec<u8>,
    accounts: BTreeMap<String, String>,
    settings: String,
    child: Option<Child>,
}

/// Where it listens.
#[derive(Clone, Copy, Debug)]
struct Ports {
    imap: u16,
    imaps: u16,
    lmtp: u16,
}

impl Ports {
    fn free() -> anyhow::Result<Self> {
        Ok(Self { imap: free_port()?, imaps: free_port()?, lmtp: free_port()? })
    }
}

impl Dovecot {
    /// A new server that runs, with the account [`USER`].
    pub async fn start() -> anyhow::Result<Self> {
        Self::with("").await
    }

    /// A new server with further settings.
    pub async fn with(settings: &str) -> anyhow::Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "Dovecot changes users, so tests with it run as root: run them in a container, or leave out those of the binary `mail`"
        );
        let folder = tempfile::Builder::new().prefix("leadgate-dovecot").tempdir()?;
        // Its helpers run as users of their own and must get through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let home = folder.path().join("home");
        std::fs::create_dir(&home)?;
        let owned = Command::new("chown").arg("mail:mail").arg(&home).status().await?;
        ensure!(owned.success(), "there is no user mail to own the mailboxes");
        let certificate = certificates(folder.path())?;
        let ports = Ports::free()?;
        let accounts = BTreeMap::from([(USER.to_owned(), PASSWORD.to_owned())]);
        let mut server = Self { folder, ports, certificate, accounts, settings: settings.to_owned(), child: None };
        server.write_accounts()?;
        for _ in 0..5 {
            match server.up().await {
                // Somebody's outgoing connection was faster to take a port.
                Err(_) if server.log().contains("Address already in use") => {
                    server.ports = Ports::free()?;
                    std::fs::remove_file(server.path("log"))?;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
        bail!("no three free ports were found: {}", server.log())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The port of IMAP without TLS, and with STARTTLS.
    pub fn imap_port(&self) -> u16 {
        self.ports.imap
    }

    /// The port of IMAP over TLS.
    pub fn imaps_port(&self) -> u16 {
        self.ports.imaps
    }

    /// The port of deliveries.
    pub fn lmtp_port(&self) -> u16 {
        self.ports.lmtp
    }

    /// The authority that signed its certificate, which is of `localhost` and `127.0.0.1`.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Its certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Makes an account with [`PASSWORD`].
    pub async fn account(&mut self, user: &str) -> anyhow::Result<()> {
        self.password(user, PASSWORD).await
    }

    /// Gives an account another password, and waits until it is asked for: the server looks at its list now and then.
    pub async fn password(&mut self, user: &str, password: &str) -> anyhow::Result<()> {
        self.accounts.insert(user.to_owned(), password.to_owned());
        self.write_accounts()?;
        if self.child.is_some() {
            until("the new password is known", async || Ok(self.imap(user).await.ok())).await?;
        }
        Ok(())
    }

    fn write_accounts(&self) -> anyhow::Result<()> {
        let mut text = String::new();
        for (user, password) in &self.accounts {
            writeln!(text, "{user}:{{PLAIN}}{password}")?;
        }
        // Whole at once: it may be read at this moment.
        std::fs::write(self.path("users.new"), text)?;
        Ok(std::fs::rename(self.path("users.new"), self.path("users"))?)
    }

    fn configuration(&self) -> String {
        let at = self.folder.path().display();
        let Ports { imap, imaps, lmtp } = self.ports;
        let settings = &self.settings;
        // A refused login is told at once, however often. Idle clients are looked at often, so that a stop is quick.
        format!(
            "base_dir = {at}/run\nstate_dir = {at}/state\ninstance_name = leadgate-tests\nlog_path = {at}/log\n\
             protocols = imap lmtp\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\ndisable_plaintext_auth = no\n\
             auth_mechanisms = plain login\nauth_failure_delay = 0\n\
             mail_location = maildir:~/Maildir\nmail_uid = mail\nmail_gid = mail\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
             mail_fsync = never\nmail_max_userip_connections = 100\nimap_idle_notify_interval = 2 s\n\
             passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {at}/users\n}}\n\
             userdb {{\n  driver = static\n  args = uid=mail gid=mail home={at}/home/%u\n}}\n\
             namespace inbox {{\n  inbox = yes\n  mailbox Sent {{\n    auto = create\n    special_use = \\Sent\n  }}\n}}\n\
             service imap-login {{\n\
               inet_listener imap {{\n    address = 127.0.0.1\n    port = {imap}\n  }}\n\
               inet_listener imaps {{\n    address = 127.0.0.1\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
             service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    port = {lmtp}\n  }}\n}}\n\
             service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n\
             protocol lmtp {{\n  postmaster_address = postmaster@zavod.ru\n}}\n{settings}\n"
        )
    }

    /// Starts it, and waits until it greets.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        let config = self.path("dovecot.conf");
        std::fs::write(&config, self.configuration())?;
        let program = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"].into_iter().find(|path| Path::new(path).exists());
        // Its children keep what they inherit: a pipe of ours would stay open.
        let child = Command::new(program.unwrap_or("dovecot"))
            .args(["-F", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("this test needs Dovecot: tests/run installs it (Debian: apt-get install dovecot-imapd dovecot-lmtpd)")?;
        self.child = Some(child);
        self.wait_until_it_greets().await.with_context(|| self.log())
    }

    async fn wait_until_it_greets(&mut self) -> anyhow::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.imap));
        let mut again = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..2_000 {
            again.tick().await;
            if let Some(status) = self.child.as_mut().context("it runs")?.try_wait()? {
                bail!("Dovecot ended at once ({status})");
            }
            let Ok(mut stream) = TcpStream::connect(address).await else { continue };
            let mut greeting = [0; 4];
            if stream.read_exact(&mut greeting).await.is_ok() && &greeting == b"* OK" {
                return Ok(());
            }
        }
        bail!("Dovecot does not greet at {address} after 20 s")
    }

    /// Stops it in order, and waits until it is gone.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it runs")?;
        let pid = child.id().context("it runs")?;
        kill_process(Pid::from_raw(pid.cast_signed()).context("a process id")?, Signal::TERM)?;
        tokio::time::timeout(PATIENCE, child.wait()).await.context("Dovecot does not stop")??;
        Ok(())
    }

    /// Ends it and all its children at once, as a machine that loses its power.
    pub async fn cut(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it runs")?;
        let children = child.id().map(children).unwrap_or_default();
        child.start_kill()?;
        for (pid, _) in &children {
            // It may be gone already.
            let _ended = kill_process(*pid, Signal::KILL);
        }
        child.wait().await?;
        until("its children are gone", async || Ok(children.iter().all(|(pid, _)| !is_there(*pid)).then_some(()))).await
    }

    /// Kills its children of a kind (`imap`: one for each session; `imap-login`: what speaks TLS for them). How many.
    pub fn kill(&self, kind: &str) -> anyhow::Result<usize> {
        let mut killed = 0;
        for (pid, name) in self.child.as_ref().and_then(Child::id).map(children).unwrap_or_default() {
            if name == kind && kill_process(pid, Signal::KILL).is_ok() {
                killed += 1;
            }
        }
        Ok(killed)
    }

    /// Stops it and its children where they are: connections stay open, and nobody answers.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::STOP)
    }

    /// Lets them go on.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::CONT)
    }

    fn signal_all(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).context("it runs")?;
        // The first one first: while it is stopped it starts no others.
        kill_process(Pid::from_raw(pid.cast_signed()).context("a process id")?, signal)?;
        for (pid, _) in children(pid) {
            // It may be gone already.
            let _sent = kill_process(pid, signal);
        }
        Ok(())
    }

    /// Makes it forget which mail has which UID, while it is stopped: the folders get another UIDVALIDITY.
    pub fn forget_uids(&self, user: &str) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "it still runs");
        let maildir = self.maildir(user, "INBOX");
        for entry in std::fs::read_dir(&maildir)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Puts a mail into a folder past every protocol, as a program on the server itself does: with NULs, bare line feeds and all.
    pub fn drop_in(&self, user: &str, folder: &str, mail: &[u8]) -> anyhow::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let maildir = self.maildir(user, folder);
        let name = format!("{}.dropped-{}.test", COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let (unfinished, finished) = (maildir.join("tmp").join(&name), maildir.join("new").join(&name));
        std::fs::write(&unfinished, mail)?;
        std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o666))?;
        Ok(std::fs::rename(unfinished, finished)?)
    }

    /// A folder's files; it is there once the account was used.
    fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let inbox = self.path("home").join(user).join("Maildir");
        if folder == "INBOX" { inbox } else { inbox.join(format!(".{folder}")) }
    }

    /// A connection that delivers mail.
    pub async fn lmtp(&self) -> anyhow::Result<Lmtp> {
        Lmtp::open(self.ports.lmtp).await
    }

    /// A connection of another mail program to an account.
    pub async fn imap(&self, user: &str) -> anyhow::Result<Imap> {
        let password = self.accounts.get(user).context("there is such an account")?;
        Imap::open(self.ports.imap, user, password).await
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let Some(pid) = self.child.as_ref().and_then(Child::id) else { return };
        let children = children(pid);
        if let Some(child) = &mut self.child {
            // Nobody is left to hear of a failure.
            drop(child.start_kill());
        }
        for (pid, _) in children {
            let _ended = kill_process(pid, Signal::KILL);
        }
    }
}

/// The children of a process, with the names of their programs.
fn children(parent: u32) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        // It may end at any moment.
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name may hold anything, also blanks and parentheses; what follows its last parenthesis does not.
        let (Some((_, name)), Some((_, rest))) = (stat.split_once('('), stat.rsplit_once(") ")) else { continue };
        if rest.split(' ').nth(1) == Some(parent.to_string().as_str()) {
            let name = name.rsplit_once(')').map_or(name, |(name, _)| name);
            found.push((pid, name.to_owned()));
        }
    }
    found
}

fn is_there(pid: Pid) -> bool {
    Path::new("/proc").join(pid.as_raw_nonzero().to_string()).exists()
}

/// Writes `ca.pem`, `cert.pem` and `key.pem`; the certificate, DER.
fn certificates(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Leadgate's tests");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.is_ca = IsCa::ExplicitNoCa;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;
    std::fs::write(folder.join("ca.pem"), authority.pem())?;
    std::fs::write(folder.join("cert.pem"), certificate.pem())?;
    std::fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(certificate.der().to_vec())
}
