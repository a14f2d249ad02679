//! Mails by a mail server that people run: `OpenSMTPD` takes them, and puts them into a maildir.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::expect_used, reason = "a failed expectation is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadgate_core::ports::{DeliverError, Finding, Secrets};
use leadgate_core::secret::Secret;
use leadgate_outbound::mail::{Letter, LetterKind, Mailbox, Mailer, read};
use leadgate_wire::keys::Keys;
use mail_parser::MessageParser;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, MutexGuard};
use tokio_rustls::TlsAcceptor;

/// A user every system has.
const USER: &str = "nobody";

/// Its spool and its socket are the system's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// `OpenSMTPD`, begun by root.
struct OpenSmtpd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

impl OpenSmtpd {
    async fn start() -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("mails")).unwrap();
        for path in [folder.path().to_path_buf(), at("mails")] {
            open(&path, 0o755);
        }
        let chowned = Command::new("chown").arg(USER).arg(at("mails")).status().unwrap();
        assert!(chowned.success(), "the mail server's tests need root");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "listen on 127.0.0.1 port {port} hostname localhost\naction \"keep\" maildir \"{}/mails\"\n\
             match from any for domain \"zavod.ru\" rcpt-to \"{USER}@zavod.ru\" action \"keep\"\n",
            folder.path().display()
        );
        std::fs::write(at("smtpd.conf"), config).unwrap();
        open(&at("smtpd.conf"), 0o600);
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new("smtpd")
            .args(["-d", "-f"])
            .arg(at("smtpd.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("smtpd is missing: Debian's package opensmtpd has it");
        let mut server = Self { child, folder, port, _alone: alone };
        server.until("it listens", |server| std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok()).await;
        server
    }

    async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: not within 20 s\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn mails(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("mails/new")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// A door with TLS before it. (Debian's own build speaks none: it is older than the OpenSSL it is linked with.)
    async fn tls_door(&self) -> u16 {
        let acceptor = TlsAcceptor::from(Arc::new(certificates(self.folder.path())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (door, inner) = (listener.local_addr().unwrap().port(), self.port);
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // Whoever does not believe the certificate goes away.
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(outside).await?;
                    let mut inside = TcpStream::connect(("127.0.0.1", inner)).await?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        door
    }
}

fn mailer(port: u16, keys: &str) -> Mailer {
    let text = format!("host = \"127.0.0.1\"\nport = {port}\nfrom = \"Завод <leads@zavod.ru>\"\ntimeout = \"20 s\"\n{keys}\n");
    let mut keys = Keys::new(text.parse().unwrap());
    let settings = read(&mut keys, &Plain);
    let problems = keys.finish();
    Mailer::new(Arc::new(settings.unwrap_or_else(|| panic!("{problems:?}"))))
}

/// Writes an authority (`ca.pem`) and another (`other.pem`); a server with what the first has signed for 127.0.0.1.
fn certificates(folder: &Path) -> ServerConfig {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join(name), made.pem()).unwrap();
        made
    };
    let (own, _other) = (authority("ca.pem"), authority("other.pem"));
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    server.is_ca = IsCa::ExplicitNoCa;
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &own).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

impl Drop for OpenSmtpd {
    fn drop(&mut self) {
        // Its parent stops the processes it began; killed, it would leave them.
        let stopped = Command::new("kill").arg(self.child.id().to_string()).status();
        drop(stopped.and_then(|_| self.child.wait()));
    }
}

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, _value: &toml::Value) -> Result<Secret, String> {
        Err("there is none".to_owned())
    }
}

fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn letter(to: &str) -> Letter {
    Letter {
        canary: None,
        from: Mailbox::read("Завод <leads@zavod.ru>").unwrap(),
        to: Mailbox::new("Мария", to).unwrap(),
        reply_to: Mailbox::new("Пётр Иванов", "petr.ivanov@mail.ru"),
        subject: "Новая заявка: Пётр Иванов, забор из профлиста на сорок метров с калиткой (Сайт)".to_owned(),
        text: "Сообщение:\n.\nДобрый день!\n\nС уважением\n".to_owned(),
        html: Some("<p>Добрый <b>день</b>!</p>".to_owned()),
        files: Vec::new(),
        message_id: "018f3f3e-0000-7000-8000-000000000001@zavod.ru".to_owned(),
        in_reply_to: None,
        references: vec!["lead-1@zavod.ru".to_owned()],
        envelope_from: Mailbox::new("", "leads@zavod.ru"),
        kind: LetterKind::Notice,
        date: "2026-11-21T19:42:45Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_notice_lies_in_the_maildir_as_it_was_written_and_a_stranger_is_refused() {
    let mut server = OpenSmtpd::start().await;
    let mailer = mailer(server.port, "security = \"plain\"");
    let found = std::sync::Mutex::new(Vec::new());
    assert!(mailer.test(&|finding: Finding| found.lock().unwrap().push(finding)).await, "{found:?}");
    let sent = letter(&format!("{USER}@zavod.ru"));
    mailer.send(&sent).await.unwrap();
    // The same once more, as after a lost answer: the Message-ID tells that it is.
    mailer.send(&sent).await.unwrap();
    server.until("both are there", |server| server.mails().len() == 2).await;
    for bytes in server.mails() {
        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(mail.subject(), Some(sent.subject.as_str()));
        assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), sent.text.trim_end());
        assert_eq!(mail.body_html(0).as_deref().map(str::trim_end), sent.html.as_deref());
        assert_eq!(mail.message_id(), Some(sent.message_id.as_str()));
        let reply_to = mail.reply_to().and_then(|to| to.first()).unwrap();
        assert_eq!((reply_to.name(), reply_to.address()), (Some("Пётр Иванов"), Some("petr.ivanov@mail.ru")));
        let from = mail.from().and_then(|from| from.first()).unwrap();
        assert_eq!((from.name(), from.address()), (Some("Завод"), Some("leads@zavod.ru")));
        assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        assert_eq!(mail.references().as_text(), Some("lead-1@zavod.ru"));
    }
    let error = mailer.send(&letter("stranger@zavod.ru")).await.unwrap_err();
    assert!(
        matches!(&error, DeliverError::NoRecipient { words } if words.contains("550") && !words.contains("stranger")),
        "{error:?}"
    );
}

#[tokio::test]
async fn mails_go_over_tls_where_the_certificate_is_believed_and_nowhere_else() {
    let mut server = OpenSmtpd::start().await;
    let door = server.tls_door().await;
    let keys =
        |security: &str, ca: &str| format!("security = \"{security}\"\nca = \"{}\"", server.folder.path().join(ca).display());
    let sent = letter(&format!("{USER}@zavod.ru"));
    for (port, keys, why) in [
        (door, keys("tls", "other.pem"), "certificate"),
        (door, "security = \"tls\"".to_owned(), "certificate"),
        // Nothing is said in the clear to a server that goes on without.
        (server.port, keys("starttls", "ca.pem"), "offers no STARTTLS"),
    ] {
        let error = mailer(port, &keys).send(&sent).await.unwrap_err();
        assert!(matches!(&error, DeliverError::Unavailable { words, .. } if words.contains(why)), "{keys}: {error:?}");
    }
    mailer(door, &keys("tls", "ca.pem")).send(&sent).await.unwrap();
    server.until("it is there", |server| server.mails().len() == 1).await;
    let mail = server.mails().remove(0);
    assert_eq!(MessageParser::default().parse(&mail).unwrap().subject(), Some(sent.subject.as_str()));
}
