//! Sending, against a server that does what it should not.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leadgate_core::ports::{DeliverError, Finding, Secrets};
use leadgate_core::secret::Secret;
use leadgate_outbound::mail::{Letter, LetterKind, Mailbox, Mailer, read};
use leadgate_wire::keys::Keys;
use mail_parser::MessageParser;

use self::server::Act::{Close, Endless, Hang, Lines, Say};
use self::server::{Authority, Door, Script, Server};

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "no text".to_owned())
    }
}

/// A mailer for a server on this machine.
fn mailer(port: u16, more: &str) -> Mailer {
    let text = format!("host = \"localhost\"\nport = {port}\nfrom = \"Завод <leads@zavod.ru>\"\n{more}");
    let mut keys = Keys::new(text.parse().unwrap());
    let settings = read(&mut keys, &Plain);
    let problems = keys.finish();
    Mailer::new(Arc::new(settings.unwrap_or_else(|| panic!("{problems:?}"))))
}

const PLAIN: &str = "security = \"plain\"\ntimeout = \"1 s\"";

fn letter(number: u32) -> Letter {
    Letter {
        canary: None,
        from: Mailbox::read("Завод <leads@zavod.ru>").unwrap(),
        to: Mailbox::read("anna@zavod.ru").unwrap(),
        reply_to: Mailbox::new("Пётр", "petr@mail.ru"),
        subject: format!("Новая заявка: Пётр {number}"),
        text: "Здравствуйте\n.\n..и всё\n".to_owned(),
        html: Some("<p>Здравствуйте</p>".to_owned()),
        files: Vec::new(),
        message_id: format!("{number}.018f3f3e-0000-7000-8000-000000000001@zavod.ru"),
        in_reply_to: None,
        references: Vec::new(),
        envelope_from: Mailbox::new("", "bounces@zavod.ru"),
        kind: LetterKind::Notice,
        date: "2026-11-21T19:42:45Z".parse().unwrap(),
    }
}

async fn refusal(scripts: &'static [fn() -> Script]) -> DeliverError {
    let server = Server::start(Door::Plain, scripts).await;
    let begun = Instant::now();
    let error = mailer(server.port, PLAIN).send(&letter(1)).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let words = error.to_string();
    assert!(words.starts_with(&format!("localhost:{} ", server.port)) && !words.contains('@'), "{words}");
    error
}

macro_rules! script {
    ($($field:ident: $act:expr),*) => { &[(|| Script { $($field: $act,)* ..Script::default() }) as fn() -> Script] };
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_and_its_connection_is_used_again() {
    let server = Server::start(Door::Plain, script!()).await;
    let mailer = mailer(server.port, PLAIN);
    for number in 1..=3 {
        let delivered = mailer.send(&letter(number)).await.unwrap();
        assert_eq!(delivered.refs, [("message-id".to_owned(), letter(number).message_id)]);
        assert!(delivered.words.ends_with("has taken it (250)"), "{}", delivered.words);
    }
    let taken = server.taken();
    assert_eq!((taken.len(), server.connections()), (3, 1));
    assert_eq!((taken[0].from.as_str(), taken[0].to.as_str()), ("MAIL FROM:<bounces@zavod.ru>", "RCPT TO:<anna@zavod.ru>"));
    let mail = MessageParser::default().parse(&taken[0].bytes).unwrap();
    assert_eq!(mail.subject(), Some("Новая заявка: Пётр 1"));
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), "Здравствуйте\n.\n..и всё");
    assert_eq!(mail.body_html(0).as_deref(), Some("<p>Здравствуйте</p>"));
    assert_eq!(mail.reply_to().and_then(|to| to.first()).and_then(|to| to.address()), Some("petr@mail.ru"));
    assert_eq!(mail.from().and_then(|from| from.first()).and_then(|from| from.name()), Some("Завод"));
    assert_eq!(mail.message_id(), Some(letter(1).message_id.as_str()));
    assert_eq!(taken[0].bytes, server.taken()[0].bytes);
}

#[tokio::test]
async fn an_automatic_answer_comes_from_nobody() {
    let server = Server::start(Door::Plain, script!()).await;
    let answer = Letter { kind: LetterKind::AutoReply, envelope_from: None, ..letter(1) };
    mailer(server.port, PLAIN).send(&answer).await.unwrap();
    assert_eq!(server.taken()[0].from, "MAIL FROM:<>");
}

#[tokio::test]
async fn what_a_server_refuses_for_one_recipient_leaves_the_connection_for_others() {
    let server = Server::start(Door::Plain, script!(to: Say("550 5.1.1 <anna@zavod.ru>: no such user"))).await;
    let mailer = mailer(server.port, PLAIN);
    for number in 1..=2 {
        let error = mailer.send(&letter(number)).await.unwrap_err();
        assert!(matches!(error, DeliverError::NoRecipient { .. }), "{error:?}");
        assert!(error.to_string().contains("no such recipient, or that it takes nothing (550 5.1.1)"), "{error}");
    }
    assert_eq!((server.taken().len(), server.connections()), (0, 1));
}

#[tokio::test]
async fn a_refusal_says_what_it_means_for_others() {
    let later = refusal(script!(to: Say("451 4.3.0 try again, anna@zavod.ru"))).await;
    assert!(matches!(&later, DeliverError::Later { words, .. } if words.contains("(451 4.3.0)")), "{later:?}");
    let later = refusal(script!(end: Say("452 4.2.2 mailbox full"))).await;
    assert!(matches!(later, DeliverError::Later { .. }), "{later:?}");
    let refused = refusal(script!(end: Say("554 5.7.1 spam"))).await;
    assert!(matches!(&refused, DeliverError::Refused { words } if words.contains("refuses the mail (554 5.7.1)")), "{refused:?}");
    for scripts in [
        script!(greeting: Say("421 4.3.2 closing")),
        script!(to: Say("421 4.7.0 too many")),
        script!(greeting: Say("554 no service")),
        script!(greeting: Close),
        script!(from: Close),
        script!(from: Say("550 5.7.60 not your address")),
    ] {
        let error = refusal(scripts).await;
        assert!(matches!(error, DeliverError::Unavailable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_mail_that_breaks_the_connection_does_not_stop_the_others() {
    for scripts in [script!(data: Close), script!(end: Close), script!(end: Hang)] {
        let error = refusal(scripts).await;
        assert!(matches!(&error, DeliverError::Later { words, .. } if words.contains("may have arrived")), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_or_never_ends_is_left_in_time() {
    let silent = refusal(script!(greeting: Hang)).await;
    assert!(
        matches!(&silent, DeliverError::Unavailable { words, .. } if words.contains("port of security = \"tls\"")),
        "{silent:?}"
    );
    for scripts in [script!(from: Hang), script!(greeting: Endless), script!(from: Endless), script!(to: Lines)] {
        let error = refusal(scripts).await;
        assert!(matches!(error, DeliverError::Unavailable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_nothing() {
    let server = Server::start(Door::Plain, script!(once: true)).await;
    let mailer = mailer(server.port, PLAIN);
    for number in 1..=3 {
        mailer.send(&letter(number)).await.unwrap();
    }
    assert_eq!((server.taken().len(), server.connections()), (3, 3));
}

#[tokio::test]
async fn after_a_failure_the_next_mail_goes_by_a_new_connection() {
    let server = Server::start(Door::Plain, &[|| Script { end: Hang, ..Script::default() }, Script::default]).await;
    let mailer = mailer(server.port, PLAIN);
    assert!(matches!(mailer.send(&letter(1)).await, Err(DeliverError::Later { .. })));
    mailer.send(&letter(1)).await.unwrap();
    assert_eq!((server.taken().len(), server.connections()), (1, 2));
}

#[tokio::test]
async fn only_so_many_connections_are_made() {
    let server = Server::start(Door::Plain, script!()).await;
    let mailer = mailer(server.port, "security = \"plain\"\nconnections = 2");
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..20 {
        let mailer = mailer.clone();
        sending.spawn(async move { mailer.send(&letter(number)).await.map(|_| ()) });
    }
    assert!(sending.join_all().await.into_iter().all(|sent| sent.is_ok()));
    assert_eq!(server.taken().len(), 20);
    assert!(server.connections() <= 2, "{}", server.connections());
}

#[tokio::test]
async fn tls_and_a_login_by_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("localhost");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let account =
        format!("user = \"leads@zavod.ru\"\npassword = \"geheim\"\nca = {:?}\ntimeout = \"5 s\"", ca.display().to_string());
    for (security, door) in
        [("starttls", Door::StartTls(Arc::clone(&authority.config))), ("tls", Door::Tls(Arc::clone(&authority.config)))]
    {
        let server = Server::start(door, script!()).await;
        let mailer = mailer(server.port, &format!("security = \"{security}\"\n{account}"));
        mailer.send(&letter(1)).await.unwrap();
        assert_eq!(server.taken()[0].login, "AUTH PLAIN AGxlYWRzQHphdm9kLnJ1AGdlaGVpbQ==");
        let said: Mutex<Vec<Finding>> = Mutex::default();
        assert!(mailer.test(&|finding| said.lock().unwrap().push(finding)).await);
        let words: Vec<String> = said.into_inner().unwrap().into_iter().map(|finding| finding.words).collect();
        assert!(words[0].contains("with a certificate that is believed (SHA-256 "), "{words:?}");
        assert_eq!(words[1], "logged in as leads@zavod.ru");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_gets_no_password() {
    let (authority, other) = (Authority::new("localhost"), Authority::new("mail.example.org"));
    let account = "user = \"leads@zavod.ru\"\npassword = \"geheim\"\ntimeout = \"5 s\"";
    for (config, words) in [(authority.config, "is signed by nobody this machine knows"), (other.config, "SHA-256")] {
        for (security, door) in [("starttls", Door::StartTls(Arc::clone(&config))), ("tls", Door::Tls(Arc::clone(&config)))] {
            let server = Server::start(door, script!()).await;
            let mailer = mailer(server.port, &format!("security = \"{security}\"\n{account}"));
            let error = mailer.send(&letter(1)).await.unwrap_err();
            assert!(matches!(&error, DeliverError::Unavailable { words: said, .. } if said.contains(words)), "{error:?}");
            let heard: Mutex<Vec<Finding>> = Mutex::default();
            assert!(!mailer.test(&|finding| heard.lock().unwrap().push(finding)).await);
            assert!(heard.into_inner().unwrap().iter().all(|finding| !finding.ok && finding.words.contains("fingerprint = \"")));
            assert!(server.taken().is_empty());
        }
    }
}

#[tokio::test]
async fn a_wrong_password_says_what_to_do() {
    let authority = Authority::new("localhost");
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let server = Server::start(Door::StartTls(authority.config), script!(login: Say("535 5.7.8 leads@zavod.ru: no"))).await;
    let more =
        format!("user = \"leads@zavod.ru\"\npassword = \"geheim\"\nca = {:?}\ntimeout = \"5 s\"", ca.display().to_string());
    let error = mailer(server.port, &more).send(&letter(1)).await.unwrap_err();
    let DeliverError::Unavailable { words, .. } = error else { panic!("{error:?}") };
    assert!(words.contains("(535 5.7.8)") && words.contains("app password") && !words.contains("geheim"), "{words}");
}

#[tokio::test]
async fn encryption_that_is_missing_or_tampered_with_is_refused() {
    let more = "user = \"leads@zavod.ru\"\npassword = \"geheim\"\ntimeout = \"5 s\"";
    let without = Server::start(Door::Plain, script!()).await;
    let error = mailer(without.port, more).send(&letter(1)).await.unwrap_err();
    assert!(matches!(&error, DeliverError::Unavailable { words, .. } if words.contains("offers no STARTTLS")), "{error:?}");
    let injecting = Server::start(Door::Injecting, script!()).await;
    let error = mailer(injecting.port, more).send(&letter(1)).await.unwrap_err();
    assert!(
        matches!(&error, DeliverError::Unavailable { words, .. } if words.contains("somebody may be in the way")),
        "{error:?}"
    );
}

#[tokio::test]
async fn nobody_at_the_port_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = mailer(port, PLAIN).send(&letter(1)).await.unwrap_err();
    assert!(matches!(&error, DeliverError::Unavailable { words, .. } if words.contains("cannot be reached")), "{error:?}");
}
