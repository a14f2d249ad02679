//! A mail server (RFC 5321) that keeps what it is given, and refuses what a test says.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::client::until;

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The mail, as it was sent.
    pub text: String,
}

impl Mail {
    /// A header of the mail, unfolded; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ").replace("\r\n\t", " ");
        let found = head.lines().filter_map(|line| line.split_once(':')).find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    /// Its text with quoted-printable undone.
    pub fn words(&self) -> String {
        let joined = self.text.replace("=\r\n", "");
        let (mut out, mut rest) = (Vec::with_capacity(joined.len()), joined.as_bytes());
        while let Some((first, after)) = rest.split_first() {
            let code =
                after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            match code {
                Some(byte) if *first == b'=' => {
                    out.push(byte);
                    rest = &after[2..];
                }
                _ => {
                    out.push(*first);
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A mail server. It stops when dropped.
pub struct Smtp {
    /// Where it listens on loopback.
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Smtp {
    /// Takes everything.
    pub async fn willing() -> anyhow::Result<Self> {
        Self::start(|_, _| None).await
    }

    /// Listens. `instead` is asked of every command, and of the end of a mail (as `.`), with how many mails were taken before: its
    /// answer, a whole line without its end, stands in place of the usual one.
    pub async fn start(instead: impl Fn(usize, &str) -> Option<String> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let (kept, instead) = (Arc::clone(&mails), Arc::new(instead));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, instead) = (Arc::clone(&kept), Arc::clone(&instead));
                connections.spawn(async move { drop(converse(stream, &kept, &*instead).await) });
            }
        });
        Ok(Self { port, mails, task })
    }

    /// What has come so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many have come.
    pub async fn expect(&self, count: usize) -> anyhow::Result<Vec<Mail>> {
        let what = format!("{count} mails at port {}", self.port);
        until(&what, async || Ok(Some(self.mails()).filter(|mails| mails.len() >= count))).await
    }

    /// The section `[mail]` that leads here.
    pub fn section(&self) -> String {
        format!("[mail]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"plain\"\nfrom = \"Leads <leads@zavod.ru>\"\n", self.port)
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(
    stream: TcpStream,
    kept: &Mutex<Vec<Mail>>,
    instead: &(impl Fn(usize, &str) -> Option<String> + Send + Sync),
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mx.zavod.ru ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), Vec::new());
    let count = || kept.lock().unwrap_or_else(PoisonError::into_inner).len();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if let Some(answer) = instead(count(), line) {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            continue;
        }
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let answer = match verb.as_str() {
            "EHLO" => "250-mx.zavod.ru\r\n250-8BITMIME\r\n250 SIZE 10000000",
            "MAIL" => {
                (from, to) = (address(), Vec::new());
                "250 ok"
            }
            "RCPT" => {
                to.push(address());
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let text = data(&mut stream).await?;
                let answer = instead(count(), ".");
                if answer.is_none() {
                    let mail = Mail { from: std::mem::take(&mut from), to: std::mem::take(&mut to), text };
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                }
                stream.write_all(format!("{}\r\n", answer.as_deref().unwrap_or("250 kept")).as_bytes()).await?;
                continue;
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// A mail up to its end, without the dots that hide dots.
async fn data(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut text = Vec::new();
    loop {
        let mut line = Vec::new();
        anyhow::ensure!(stream.read_until(b'\n', &mut line).await? > 0, "the connection was closed in a mail");
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
