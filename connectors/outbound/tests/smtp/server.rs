//! A mail server that does what a test tells it to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use leadgate_wire::peer::Io;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does at a step.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Answers.
    Say(&'static str),
    /// Closes the connection.
    Close,
    /// Says nothing any more.
    Hang,
    /// Says one line that has no end.
    Endless,
    /// Answers line after line without a last one.
    Lines,
}

use Act::Say;

/// What the server does at each step.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub greeting: Act,
    pub login: Act,
    pub from: Act,
    pub to: Act,
    pub data: Act,
    pub end: Act,
    /// Closes the connection when a mail was taken.
    pub once: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: Say("220 mail.zavod.ru ESMTP"),
            login: Say("235 2.7.0 welcome"),
            from: Say("250 2.1.0 ok"),
            to: Say("250 2.1.5 ok"),
            data: Say("354 go on"),
            end: Say("250 2.0.0 taken as 4711"),
            once: false,
        }
    }
}

/// How it is encrypted.
#[derive(Clone)]
pub enum Door {
    Plain,
    StartTls(Arc<ServerConfig>),
    Tls(Arc<ServerConfig>),
    /// Goes on in plain text after it agreed to STARTTLS.
    Injecting,
}

/// What it took.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub login: String,
    pub from: String,
    pub to: String,
    pub bytes: Vec<u8>,
}

pub struct Server {
    pub port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Serves one script after the other; the last for every further connection.
    pub async fn start(door: Door, scripts: &'static [fn() -> Script]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, connections): (Arc<Mutex<Vec<Taken>>>, Arc<AtomicUsize>) = Default::default();
        let server = Self { port, taken: Arc::clone(&taken), connections: Arc::clone(&connections) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let script = scripts[number.min(scripts.len() - 1)]();
                let (door, taken) = (door.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    let stream: Option<Box<dyn Io>> = match &door {
                        Door::Tls(config) => {
                            let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
                            accepted.ok().map(|stream| Box::new(stream) as Box<dyn Io>)
                        }
                        _ => Some(Box::new(stream)),
                    };
                    let Some(stream) = stream else { return };
                    // A client that goes away is what many tests are about.
                    drop(serve(stream, door, script, &taken).await);
                });
            }
        });
        server
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

type Stream = BufReader<Box<dyn Io>>;

async fn serve(stream: Box<dyn Io>, door: Door, script: Script, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let mut stream: Stream = BufReader::new(stream);
    let mut encrypted = matches!(door, Door::Tls(_));
    act(&mut stream, script.greeting).await?;
    let mut now = Taken::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "EHLO" => {
                let offers = matches!(door, Door::StartTls(_) | Door::Injecting) && !encrypted;
                let more = if offers { "250-STARTTLS\r\n" } else { "250-AUTH PLAIN LOGIN\r\n" };
                stream.write_all(format!("250-mail.zavod.ru\r\n{more}250 8BITMIME\r\n").as_bytes()).await?;
            }
            "STARTTLS" => match &door {
                Door::StartTls(config) => {
                    stream.write_all(b"220 2.0.0 go ahead\r\n").await?;
                    stream.flush().await?;
                    let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream.into_inner()).await?;
                    stream = BufReader::new(Box::new(accepted));
                    encrypted = true;
                }
                _ => stream.write_all(b"220 2.0.0 go ahead\r\n250-mail.zavod.ru\r\n250 AUTH PLAIN\r\n").await?,
            },
            "AUTH" => {
                now.login = line.to_owned();
                act(&mut stream, script.login).await?;
            }
            "MAIL" => {
                now.from = line.to_owned();
                act(&mut stream, script.from).await?;
            }
            "RCPT" => {
                now.to = line.to_owned();
                act(&mut stream, script.to).await?;
            }
            "DATA" => {
                act(&mut stream, script.data).await?;
                now.bytes = body(&mut stream).await?;
                act(&mut stream, script.end).await?;
                taken.lock().unwrap().push(now.clone());
                if script.once {
                    return Ok(());
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return stream.flush().await;
            }
            _ => stream.write_all(b"250 ok\r\n").await?,
        }
        stream.flush().await?;
    }
}

async fn body(stream: &mut Stream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(bytes);
        }
        bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

async fn act(stream: &mut Stream, act: Act) -> std::io::Result<()> {
    match act {
        Say(text) => stream.write_all(format!("{text}\r\n").as_bytes()).await?,
        Act::Close => return Err(std::io::ErrorKind::ConnectionAborted.into()),
        Act::Hang => {
            // Until the client goes away.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Act::Endless => loop {
            stream.write_all(&[b'x'; 8192]).await?;
            stream.flush().await?;
        },
        Act::Lines => loop {
            stream.write_all(b"250-and so on\r\n").await?;
            stream.flush().await?;
        },
    }
    stream.flush().await
}

/// An authority, and a server's certificate by it.
pub struct Authority {
    pub pem: String,
    pub config: Arc<ServerConfig>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self { pem: authority.pem(), config: Arc::new(config) }
    }
}
