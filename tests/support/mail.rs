//! What a mail server is spoken to with, beside the gateway: deliveries over LMTP, and another mail program over IMAP. Written by
//! hand, so that the tests see a mailbox with other eyes than the gateway does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::TcpStream;

use crate::people;

/// A conversation in lines.
struct Lines {
    stream: BufReader<BufWriter<TcpStream>>,
}

impl Lines {
    async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(BufWriter::new(stream)) })
    }

    /// A line with its end.
    async fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        ensure!(line.ends_with(b"\n"), "the mail server hung up");
        Ok(line)
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.flush().await?)
    }
}

/// Delivers mail (RFC 2033).
pub struct Lmtp {
    lines: Lines,
}

impl Lmtp {
    /// Connects.
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let mut lmtp = Self { lines: Lines::open(port).await? };
        lmtp.expect("220").await?;
        lmtp.say("LHLO tests.zavod.ru", "250").await?;
        Ok(lmtp)
    }

    async fn expect(&mut self, status: &str) -> anyhow::Result<()> {
        loop {
            let line = String::from_utf8_lossy(&self.lines.line().await?).into_owned();
            ensure!(line.starts_with(status), "{status} was expected: {line}");
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(());
            }
        }
    }

    async fn say(&mut self, line: &str, status: &str) -> anyhow::Result<()> {
        self.lines.write(format!("{line}\r\n").as_bytes()).await?;
        self.lines.flush().await?;
        self.expect(status).await
    }

    /// Delivers a mail to an account, from an envelope sender (empty: the null sender of bounces).
    pub async fn deliver(&mut self, from: &str, to: &str, mail: &[u8]) -> anyhow::Result<()> {
        self.say(&format!("MAIL FROM:<{from}> BODY=8BITMIME"), "250").await?;
        self.say(&format!("RCPT TO:<{to}>"), "250").await?;
        self.say("DATA", "354").await?;
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                self.lines.write(b".").await?;
            }
            self.lines.write(line).await?;
        }
        let end: &[u8] = if mail.ends_with(b"\n") { b".\r\n" } else { b"\r\n.\r\n" };
        self.lines.write(end).await?;
        self.lines.flush().await?;
        self.expect("250").await
    }
}

/// Another mail program on an account (RFC 3501).
pub struct Imap {
    lines: Lines,
    commands: u32,
}

/// A folder, as STATUS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folder {
    /// How many mails there are.
    pub mails: u32,
    /// The UID the next one gets.
    pub uid_next: u32,
    /// Changes when UIDs are dealt anew.
    pub uid_validity: u32,
}

impl Imap {
    /// Connects and logs in.
    pub async fn open(port: u16, user: &str, password: &str) -> anyhow::Result<Self> {
        let mut imap = Self { lines: Lines::open(port).await?, commands: 0 };
        imap.lines.line().await?;
        imap.command(&format!("LOGIN \"{user}\" \"{password}\"")).await?;
        Ok(imap)
    }

    /// An untagged or tagged answer, with the literals in it.
    async fn answer(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let line = self.lines.line().await?;
            whole.extend_from_slice(&line);
            let Some(length) = literal(&line) else { return Ok(whole) };
            let begun = whole.len();
            whole.resize(begun + length, 0);
            self.lines.stream.read_exact(&mut whole[begun..]).await?;
        }
    }

    /// Sends a command and reads its answers; an error if the last is not OK.
    pub async fn command(&mut self, command: &str) -> anyhow::Result<Vec<Vec<u8>>> {
        self.send(&[command.as_bytes()]).await.with_context(|| command.split(' ').next().unwrap_or_default().to_owned())
    }

    async fn send(&mut self, pieces: &[&[u8]]) -> anyhow::Result<Vec<Vec<u8>>> {
        self.commands += 1;
        let tag = format!("T{} ", self.commands);
        self.lines.write(tag.as_bytes()).await?;
        for piece in pieces {
            self.lines.write(piece).await?;
        }
        self.lines.write(b"\r\n").await?;
        self.lines.flush().await?;
        let mut answers = Vec::new();
        loop {
            let answer = self.answer().await?;
            if let Some(last) = answer.strip_prefix(tag.as_bytes()) {
                ensure!(last.starts_with(b"OK"), "{}", String::from_utf8_lossy(last));
                return Ok(answers);
            }
            answers.push(answer);
        }
    }

    /// Puts mails into a folder, all of them or none (RFC 3502), without waiting for each (RFC 7888).
    pub async fn append<M: AsRef<[u8]>>(&mut self, folder: &str, mails: &[M]) -> anyhow::Result<()> {
        let begin = format!("APPEND {}", quoted(folder));
        let lengths: Vec<_> = mails.iter().map(|mail| format!(" {{{}+}}\r\n", mail.as_ref().len())).collect();
        let mut pieces = vec![begin.as_bytes()];
        for (length, mail) in lengths.iter().zip(mails) {
            pieces.extend([length.as_bytes(), mail.as_ref()]);
        }
        self.send(&pieces).await.context("APPEND").map(|_| ())
    }

    /// Makes a folder; its name in modified UTF-7.
    pub async fn create(&mut self, folder: &str) -> anyhow::Result<()> {
        self.command(&format!("CREATE {}", quoted(folder))).await.map(|_| ())
    }

    /// What STATUS tells of a folder.
    pub async fn folder(&mut self, folder: &str) -> anyhow::Result<Folder> {
        let answers = self.command(&format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", quoted(folder))).await?;
        let text = answers.iter().map(|answer| String::from_utf8_lossy(answer)).find(|text| text.starts_with("* STATUS "));
        let text = text.context("STATUS is answered")?;
        let number = |name: &str| -> anyhow::Result<u32> {
            let (_, rest) = text.split_once(name).with_context(|| format!("{name} in {text}"))?;
            Ok(rest.trim_start().split([' ', ')']).next().unwrap_or_default().parse()?)
        };
        Ok(Folder { mails: number("MESSAGES")?, uid_next: number("UIDNEXT")?, uid_validity: number("UIDVALIDITY")? })
    }

    /// Opens a folder for changes.
    pub async fn select(&mut self, folder: &str) -> anyhow::Result<()> {
        self.command(&format!("SELECT {}", quoted(folder))).await.map(|_| ())
    }

    /// The flags of every mail in a folder, by UID, without `\Recent`, which looking takes away. Opens it for reading only.
    pub async fn flags(&mut self, folder: &str) -> anyhow::Result<BTreeMap<u32, BTreeSet<String>>> {
        self.command(&format!("EXAMINE {}", quoted(folder))).await?;
        let mut all = BTreeMap::new();
        for answer in self.command("UID FETCH 1:* (FLAGS)").await? {
            let text = String::from_utf8_lossy(&answer);
            if !text.contains(" FETCH (") {
                continue;
            }
            let after = |name: &str| text.split_once(name).map(|(_, rest)| rest);
            let uid = after("UID ").and_then(|rest| rest.split([' ', ')']).next()).context("a UID")?.parse()?;
            let flags = after("FLAGS (").and_then(|rest| rest.split(')').next()).context("flags")?;
            let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent").map(str::to_owned).collect();
            all.insert(uid, flags);
        }
        Ok(all)
    }

    /// A mail of the open folder; `None` if it is gone.
    pub async fn mail(&mut self, uid: u32) -> anyhow::Result<Option<Vec<u8>>> {
        for answer in self.command(&format!("UID FETCH {uid} (BODY.PEEK[])")).await? {
            let Some(end) = answer.iter().position(|byte| *byte == b'\n') else { continue };
            if let Some(length) = literal(&answer[..=end]) {
                return Ok(Some(answer[end + 1..end + 1 + length].to_vec()));
            }
        }
        Ok(None)
    }

    /// Removes mails of the open folder for good (RFC 4315). `uids` as IMAP writes sets: `3,5:9`.
    pub async fn expunge(&mut self, uids: &str) -> anyhow::Result<()> {
        self.command(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)")).await?;
        self.command(&format!("UID EXPUNGE {uids}")).await.map(|_| ())
    }

    /// Moves mails of the open folder to another (RFC 6851).
    pub async fn move_to(&mut self, uids: &str, folder: &str) -> anyhow::Result<()> {
        self.command(&format!("UID MOVE {uids} {}", quoted(folder))).await.map(|_| ())
    }

    /// Waits in IDLE (RFC 2177) until the server tells of something.
    pub async fn idle(&mut self) -> anyhow::Result<()> {
        self.commands += 1;
        let tag = format!("T{} ", self.commands);
        self.lines.write(format!("{tag}IDLE\r\n").as_bytes()).await?;
        self.lines.flush().await?;
        ensure!(self.lines.line().await?.starts_with(b"+"), "IDLE is not taken");
        // Signs of life tell nothing.
        while self.lines.line().await?.starts_with(b"* OK") {}
        self.lines.write(b"DONE\r\n").await?;
        self.lines.flush().await?;
        loop {
            let line = self.lines.line().await?;
            if let Some(last) = line.strip_prefix(tag.as_bytes()) {
                if !last.starts_with(b"OK") {
                    bail!("IDLE: {}", String::from_utf8_lossy(last));
                }
                return Ok(());
            }
        }
    }
}

/// The length of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let begin = line.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&line[begin + 1..]).ok()?.parse().ok()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A mail of the `n`-th of [`people`], about something of their own, with a Message-ID that tells `n`.
pub fn letter(n: u64) -> String {
    sized_letter(n, 0)
}

/// A mail of the `n`-th of [`people`], of at least `bytes` bytes.
pub fn sized_letter(n: u64, bytes: usize) -> String {
    let (name, email) = (people::name(n), people::email(n));
    let mut text = format!(
        "Return-Path: <{email}>\r\nFrom: {name} <{email}>\r\nTo: info@zavod.ru\r\nSubject: Question {n}\r\n\
         Date: Mon, 2 Nov 2026 10:00:00 +0300\r\nMessage-ID: <letter-{n}@{}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Good day! Do you have number {n} in stock?\r\n",
        email.rsplit_once('@').map_or("", |(_, host)| host)
    );
    let mut line = 0;
    while text.len() < bytes {
        line += 1;
        let _infallible = write!(text, "{n}.{line}: we would need it by the end of the month, and two more of them later.\r\n");
    }
    text
}
