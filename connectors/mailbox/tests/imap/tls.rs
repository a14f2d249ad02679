//! TLS: who is believed, and what people are told about who is not.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use leadgate_mailbox::imap::{ImapError, Session};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::{Server, Talk, with};

const USER: &str = "user = \"u\"\npassword = \"p\"";

struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.der))
    }

    /// As people see it.
    fn shown(&self) -> String {
        Sha256::digest(&self.der).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    params
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let (mut params, key) = (params("authority"), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// The key `ca` of a section.
    fn section(&self) -> String {
        format!("{USER}\nca = '{}'", self.folder.path().join("ca.pem").display())
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        Certificate { der: params.signed_by(&key, &self.issuer).unwrap().der().clone(), key }
    }
}

fn self_signed(params: &CertificateParams) -> Certificate {
    let key = KeyPair::generate().unwrap();
    Certificate { der: params.self_signed(&key).unwrap().der().clone(), key }
}

/// Shows one certificate and signs with whatever key it was given.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = ring::default_provider().key_provider.load_private_key(key).unwrap();
    let shown = CertifiedKey::new(vec![certificate.clone()], key);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(shown))));
    TlsAcceptor::from(Arc::new(config))
}

/// Opens a session to a server with this certificate, which need not take part to the end.
async fn opened(acceptor: TlsAcceptor, section: &str) -> Result<(), ImapError> {
    let server = Server::once(async move |talk: Talk<TcpStream>| {
        if let Ok(stream) = acceptor.accept(talk.into_inner()).await {
            let mut talk = Talk::new(stream);
            talk.login("IDLE").await;
            talk.leave().await;
        }
    })
    .await;
    let opened = Session::open(&with(server.port, section)).await;
    if let Ok(session) = opened {
        assert_eq!(session.certificate().map(|text| text.len()), Some(95));
        drop(session);
        server.end().await;
        return Ok(());
    }
    opened.map(drop)
}

async fn refusal(certificate: &Certificate, section: &str) -> String {
    match opened(acceptor(&certificate.der, &certificate.key), section).await {
        Err(ImapError::Tls(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_authority_from_a_file_is_believed() {
    let authority = Authority::new();
    let certificate = authority.sign(&params("localhost"));
    opened(acceptor(&certificate.der, &certificate.key), &authority.section()).await.unwrap();
}

#[tokio::test]
async fn an_unknown_authority_is_not_and_the_fingerprint_is_told() {
    let certificate = Authority::new().sign(&params("localhost"));
    for section in [USER.to_owned(), Authority::new().section()] {
        let words = refusal(&certificate, &section).await;
        assert!(words.contains("is signed by nobody this machine knows"), "{words}");
        assert!(words.contains(&format!("write fingerprint = \"{}\"", certificate.shown())), "{words}");
    }
}

#[tokio::test]
async fn another_name_is_not_believed() {
    let authority = Authority::new();
    let certificate = authority.sign(&params("mail.example.com"));
    let words = refusal(&certificate, &authority.section()).await;
    assert!(words.contains("is for another name") && words.contains("mail.example.com"), "{words}");
}

#[tokio::test]
async fn one_that_ran_out_is_not_believed() {
    let authority = Authority::new();
    let mut old = params("localhost");
    old.not_after = rcgen::date_time_ymd(2021, 1, 1);
    assert!(refusal(&authority.sign(&old), &authority.section()).await.contains("has run out"));
    let mut early = params("localhost");
    early.not_before = rcgen::date_time_ymd(2080, 1, 1);
    assert!(refusal(&authority.sign(&early), &authority.section()).await.contains("is not valid yet"));
}

#[tokio::test]
async fn a_pinned_certificate_is_believed_whatever_it_says() {
    // Another name, run out, that of an authority: what self-signed ones are like.
    let mut params = params("mail.example.com");
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = self_signed(&params);
    let section = format!("{USER}\nfingerprint = \"{}\"", certificate.fingerprint());
    opened(acceptor(&certificate.der, &certificate.key), &section).await.unwrap();
    // As the error shows it.
    let section = format!("{USER}\nfingerprint = \"{}\"", certificate.shown());
    opened(acceptor(&certificate.der, &certificate.key), &section).await.unwrap();
}

#[tokio::test]
async fn an_authority_s_own_certificate_is_explained() {
    let mut params = params("localhost");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = self_signed(&params);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.pem");
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        data_encoding::BASE64_MIME.encode(&certificate.der).trim_end()
    );
    std::fs::write(&path, pem).unwrap();
    let words = refusal(&certificate, &format!("{USER}\nca = '{}'", path.display())).await;
    assert!(words.contains("CA:TRUE") && words.contains(&certificate.shown()), "{words}");
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_told() {
    let (pinned, shown) = (self_signed(&params("localhost")), self_signed(&params("localhost")));
    let words = refusal(&shown, &format!("{USER}\nfingerprint = \"{}\"", pinned.fingerprint())).await;
    let expected = format!("SHA-256 {} instead of {}", shown.shown(), pinned.shown());
    assert!(words.contains(&expected) && words.contains("write fingerprint = "), "{words}");
}

#[tokio::test]
async fn a_pinned_certificate_without_its_key_is_not_believed() {
    let certificate = self_signed(&params("localhost"));
    let thief = acceptor(&certificate.der, &KeyPair::generate().unwrap());
    let section = format!("{USER}\nfingerprint = \"{}\"", certificate.fingerprint());
    let error = opened(thief, &section).await.unwrap_err();
    assert!(matches!(&error, ImapError::Tls(words) if words.contains("does not have the key")), "{error:?}");
}

#[tokio::test]
async fn a_port_without_tls_is_explained() {
    let server = Server::once(async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n").await;
        talk.leave().await;
    })
    .await;
    let error = Session::open(&with(server.port, USER)).await.err().unwrap();
    assert!(matches!(&error, ImapError::Tls(words) if words.contains("does not speak TLS")), "{error:?}");
    server.end().await;
}

#[tokio::test]
async fn a_silent_port_is_noticed() {
    let server = Server::once(async |mut talk: Talk<TcpStream>| talk.leave().await).await;
    let connection = with(server.port, &format!("{USER}\nfingerprint = \"{}\"", "00".repeat(32)));
    tokio::time::pause();
    assert!(matches!(Session::open(&connection).await, Err(ImapError::Network(_))));
    server.end().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_while_waiting_is_no_waking() {
    let certificate = self_signed(&params("localhost"));
    let acceptor = acceptor(&certificate.der, &certificate.key);
    let server = Server::once(async move |talk: Talk<TcpStream>| {
        let mut talk = Talk::new(acceptor.accept(talk.into_inner()).await.unwrap());
        talk.login("IDLE").await;
        talk.expect("IDLE").await;
        talk.say("+ idling\r\n").await;
        // Without saying goodbye in TLS.
        drop(talk.into_inner().into_inner().0);
    })
    .await;
    let section = format!("{USER}\nfingerprint = \"{}\"", certificate.fingerprint());
    let mut session = Session::open(&with(server.port, &section)).await.unwrap();
    assert_eq!(session.certificate(), Some(certificate.shown()));
    assert!(matches!(session.idle(Duration::from_mins(9)).await, Err(ImapError::Network(_))));
    server.end().await;
}

/// A server that begins in plain text; `early` is what it says there after its OK.
async fn starttls(early: &'static str, capabilities: &'static str) -> Result<Session, ImapError> {
    let authority = Authority::new();
    let certificate = authority.sign(&params("localhost"));
    let acceptor = acceptor(&certificate.der, &certificate.key);
    let server = Server::once(async move |mut talk: Talk<TcpStream>| {
        talk.say(format!("* OK [CAPABILITY IMAP4rev1 {capabilities}] hello\r\n")).await;
        if !capabilities.contains("STARTTLS") {
            return talk.leave().await;
        }
        talk.expect("STARTTLS").await;
        talk.say(format!("{} OK begin\r\n{early}", talk.tag)).await;
        if let Ok(stream) = acceptor.accept(talk.into_inner()).await {
            let mut talk = Talk::new(stream);
            // Nothing that was said in plain text counts.
            talk.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n").await;
            talk.answer("LOGIN \"u\" \"p\"", "* CAPABILITY IMAP4rev1 MOVE\r\n").await;
            talk.leave().await;
        }
    })
    .await;
    let opened = Session::open(&with(server.port, &format!("{}\nsecurity = \"starttls\"", authority.section()))).await;
    // The server ends when the session does.
    opened
}

#[tokio::test]
async fn starttls_encrypts() {
    let session = starttls("", "STARTTLS LOGINDISABLED IDLE").await.unwrap();
    assert!(session.offers("MOVE") && !session.offers("IDLE") && !session.offers("STARTTLS"));
}

#[tokio::test]
async fn nothing_of_plain_text_is_taken_along() {
    let error = starttls("* CAPABILITY IMAP4rev1 LOGIN-ANYWHERE\r\nL2 OK in\r\n", "STARTTLS").await.err().unwrap();
    assert!(matches!(&error, ImapError::Tls(words) if words.contains("somebody may be in the way")), "{error:?}");
}

#[tokio::test]
async fn a_server_without_starttls_is_explained() {
    let error = starttls("", "IDLE").await.err().unwrap();
    assert!(matches!(&error, ImapError::Tls(words) if words.contains("offers no STARTTLS")), "{error:?}");
}

#[tokio::test]
async fn a_login_that_is_skipped_does_not_skip_encryption() {
    let server = Server::once(async |mut talk: Talk<TcpStream>| {
        talk.say("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n").await;
        talk.gone().await;
    })
    .await;
    let error = Session::open(&with(server.port, &format!("{USER}\nsecurity = \"starttls\""))).await.err().unwrap();
    assert!(matches!(&error, ImapError::Tls(_)), "{error:?}");
    server.end().await;
}
