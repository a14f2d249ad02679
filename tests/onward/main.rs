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

/// A user every system has.
const USER: &str = "nobody";

/// `OpenSMTPD`, begun by root. There is one at a time: its spool and its socket are the system's.
struct OpenSmtpd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl OpenSmtpd {
    async fn start() -> Self {
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
        let mut server = Self { child, folder, port };
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

    fn mailer(&self) -> Mailer {
        let text = format!(
            "host = \"127.0.0.1\"
port = {}
security = \"plain\"
from = \"Завод <leads@zavod.ru>\"\ntimeout = \"20 s\"",
            self.port
        );
        let mut keys = Keys::new(text.parse().unwrap());
        let settings = read(&mut keys, &Plain);
        let problems = keys.finish();
        Mailer::new(Arc::new(settings.unwrap_or_else(|| panic!("{problems:?}"))))
    }
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
    let mailer = server.mailer();
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
        matches!(&error, DeliverError::Refused { words } if words.contains("550") && !words.contains("stranger")),
        "{error:?}"
    );
}
