//! Receivers of webhooks on loopback that behave, and that do not.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a receiver does with one delivery.
#[derive(Clone, Debug)]
pub enum Does {
    /// Answers this, and hangs up.
    Says(String),
    /// Says this, and then nothing, for ever.
    Stalls(String),
    /// Says this, and then goes on saying more as long as anybody listens.
    NeverEnds(String),
    /// Hangs up.
    HangsUp,
}

/// A status, headers that end with line breaks, and a body.
pub fn says(status: &str, headers: &str, body: &str) -> Does {
    Does::Says(format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

/// One delivery, as it came.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub head: String,
    pub body: String,
}

impl Heard {
    /// A header of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value)
    }
}

/// A receiver that does one thing after the other, and then hangs up on everybody.
pub struct Receiver {
    pub port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Receiver {
    pub async fn start(does: Vec<Does>) -> Self {
        Self::begin(does, None).await
    }

    /// With a certificate that nobody has signed.
    pub async fn untrusted() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        Self::begin(vec![says("200 OK", "", "")], Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn begin(does: Vec<Does>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut does = does.into_iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (does, kept) = (does.next().unwrap_or(Does::HangsUp), Arc::clone(&kept));
                match &tls {
                    None => drop(tokio::spawn(serve(stream, does, kept))),
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, does, kept).await;
                        }
                    }
                }
            }
        });
        Self { port, heard }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=hidden", self.port)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, does: Does, kept: Arc<Mutex<Vec<Heard>>>) {
    let Some(heard) = request(&mut stream).await else { return };
    kept.lock().unwrap().push(heard);
    match does {
        Does::HangsUp => {}
        // Whoever has read enough hangs up: that is no fault of theirs.
        Does::Says(text) => drop(stream.write_all(text.as_bytes()).await),
        Does::Stalls(text) => {
            drop(stream.write_all(text.as_bytes()).await);
            std::future::pending::<()>().await;
        }
        Does::NeverEnds(text) => {
            drop(stream.write_all(text.as_bytes()).await);
            while stream.write_all(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes()).await.is_ok() {}
        }
    }
}

/// A whole request; nothing, if somebody connects and says none.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 16 << 10];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let heard = Heard { head: head.to_owned(), body: body.to_owned() };
            let length: usize = heard.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(heard);
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}
