//! What tests of the mailbox share: a server that does what a test says, and a connection to it.

use std::future::Future;
use std::path::Path;

use leadgate_core::ids::SourceId;
use leadgate_core::ports::{BuildContext, BuildProblem, Secrets};
use leadgate_core::secret::Secret;
use leadgate_mailbox::settings::Connection;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Secrets as they are written.
pub struct Literal;

impl Secrets for Literal {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

/// The surroundings of a source called `mail`.
pub fn context(data: &Path) -> BuildContext {
    BuildContext {
        source: SourceId::parse("mail").unwrap(),
        language: "en".to_owned(),
        company: "Roses".to_owned(),
        public_url: "https://gate.example".to_owned(),
        country: None,
        ours: std::sync::Arc::default(),
        data: data.to_owned(),
    }
}

/// What a section says of the connection, and what is wrong with it: `key: words`.
pub fn taken(config: &str, data: &Path) -> (Connection, Vec<String>) {
    let (mut table, mut problems): (toml::Table, Vec<BuildProblem>) = (config.parse().unwrap(), Vec::new());
    let connection = Connection::take(&mut table, &Literal, &context(data), &mut problems);
    (connection, problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
}

/// A connection without TLS to a port of this machine.
pub fn plain(port: u16) -> Connection {
    with(port, "security = \"plain\"\nuser = \"u\"\npassword = \"p\"")
}

/// A connection to a port of this machine.
pub fn with(port: u16, config: &str) -> Connection {
    let (connection, problems) = taken(&format!("host = \"localhost\"\nport = {port}\n{config}"), Path::new(""));
    assert_eq!(problems, Vec::<String>::new());
    connection
}

/// A server that does what a test says.
pub struct Server {
    pub port: u16,
    task: JoinHandle<()>,
}

impl Server {
    /// Takes one connection after the other; `serve` says what happens on each, the first having number 0. What it expects in vain
    /// fails the test in [`Server::end`].
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        connections: usize,
        serve: impl Fn(Talk<TcpStream>, usize) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            for number in 0..connections {
                let (stream, _) = listener.accept().await.unwrap();
                serve(Talk::new(stream), number).await;
            }
        });
        Self { port, task }
    }

    /// One connection.
    pub async fn once<F: Future<Output = ()> + Send + 'static>(
        serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
    ) -> Self {
        let serve = std::sync::Mutex::new(Some(serve));
        Self::start(1, move |talk, _| {
            let serve = serve.lock().unwrap().take().expect("one connection");
            serve(talk)
        })
        .await
    }

    /// Everything the server expected has come.
    pub async fn end(self) {
        self.task.await.unwrap();
    }
}

/// One connection, as a server sees it.
pub struct Talk<S> {
    stream: BufStream<S>,
    /// Of the command that came last.
    pub tag: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufStream::new(stream), tag: String::new() }
    }

    /// Sends these bytes.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line, without its end; empty if the other side is gone.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap_or_default();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next command must be this.
    pub async fn expect(&mut self, command: &str) {
        let line = self.line().await;
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        assert_eq!(rest, command);
        tag.clone_into(&mut self.tag);
    }

    /// Ends the command that came last: `OK done`.
    pub async fn done(&mut self, how: &str) {
        let line = format!("{} {how}\r\n", self.tag);
        self.say(line).await;
    }

    /// The next command must be this one; it is answered by these bytes and `OK`.
    pub async fn answer(&mut self, command: &str, bytes: impl AsRef<[u8]>) {
        self.expect(command).await;
        self.say(bytes).await;
        self.done("OK done").await;
    }

    /// Greets with these capabilities and lets `u` in.
    pub async fn login(&mut self, capabilities: &str) {
        self.say(format!("* OK [CAPABILITY IMAP4rev1 {capabilities}] ready\r\n")).await;
        self.expect("LOGIN \"u\" \"p\"").await;
        self.done(&format!("OK [CAPABILITY IMAP4rev1 {capabilities}] in")).await;
    }

    /// Opens the folder `INBOX` with so many mails.
    pub async fn examine(&mut self, exists: u32) {
        let next = exists + 1;
        let told = format!("* {exists} EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\n* OK [UIDNEXT {next}] ok\r\n");
        self.answer("EXAMINE \"INBOX\"", told).await;
    }

    /// Waits until the other side is gone; it says nothing more.
    pub async fn gone(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Waits until the other side is gone, whatever it says.
    pub async fn leave(&mut self) {
        self.stream.read_to_end(&mut Vec::new()).await.unwrap_or_default();
    }

    /// The bare connection.
    pub fn into_inner(self) -> S {
        self.stream.into_inner()
    }
}
