//! The greeting and the login.

use data_encoding::BASE64;
use leadgate_mailbox::imap::{ImapError, Session};
use tokio::net::TcpStream;

use crate::support::{Server, Talk, plain, with};

/// Opens a session to a server that says this.
async fn open<F: Future<Output = ()> + Send + 'static>(
    login: &str,
    serve: impl FnOnce(Talk<TcpStream>) -> F + Send + 'static,
) -> Result<Session, ImapError> {
    let server = Server::once(serve).await;
    let opened = Session::open(&with(server.port, &format!("security = \"plain\"\n{login}"))).await;
    server.end().await;
    opened
}

const USER: &str = "user = \"u\"\npassword = \"p\"";

fn words(opened: Result<Session, ImapError>) -> String {
    match opened.err().unwrap() {
        ImapError::Refused(words) => format!("refused: {words}"),
        ImapError::Network(words) => format!("network: {words}"),
        other => format!("other: {other}"),
    }
}

#[tokio::test]
async fn capabilities_come_in_many_ways() {
    // With the greeting, alone, with the login; those of before the login are forgotten.
    let session = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* OK hello\r\n").await;
        talk.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGIN-REFERRALS\r\n").await;
        talk.answer("LOGIN \"u\" \"p\"", "* CAPABILITY imap4rev1 idle\r\n").await;
    });
    assert!(session.await.unwrap().offers("IDLE"));
    let session = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1 IDLE] hello\r\n").await;
        talk.answer("LOGIN \"u\" \"p\"", "").await;
        talk.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 MOVE\r\n").await;
    });
    let session = session.await.unwrap();
    assert!(session.offers("MOVE") && !session.offers("IDLE"));
}

#[tokio::test]
async fn greetings() {
    let preauth = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* PREAUTH [CAPABILITY IMAP4rev1 IDLE] welcome back\r\n").await;
    });
    assert!(preauth.await.unwrap().offers("IDLE"));
    let bye = open(USER, async |mut talk: Talk<TcpStream>| talk.say("* BYE too many connections\r\n").await);
    assert!(words(bye.await).ends_with("does not let us in now: too many connections"));
    let other = open(USER, async |mut talk: Talk<TcpStream>| talk.say("220 smtp.example.com ESMTP\r\n").await);
    assert!(words(other.await).ends_with("is no IMAP server"));
    let gone = open(USER, async |talk: Talk<TcpStream>| drop(talk));
    assert!(words(gone.await).starts_with("network: localhost:"));
}

#[tokio::test]
async fn a_server_that_waits_for_tls_is_guessed() {
    let server = Server::once(async |mut talk: Talk<TcpStream>| talk.leave().await).await;
    let connection = plain(server.port);
    tokio::time::pause();
    let words = words(Session::open(&connection).await);
    assert!(words.contains("does not greet") && words.contains("security = \"tls\""), "{words}");
    server.end().await;
}

#[tokio::test]
async fn passwords_go_as_the_server_takes_them() {
    // Quoted.
    open("user = 'u\"x'\npassword = 'a\\b\"c'", async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
        talk.expect("LOGIN \"u\\\"x\" \"a\\\\b\\\"c\"").await;
        talk.done("OK [CAPABILITY IMAP4rev1] in").await;
    })
    .await
    .unwrap();
    // AUTHENTICATE where it is offered, and for what LOGIN cannot say; LOGINDISABLED forbids LOGIN only.
    for (password, capabilities) in [("p", "AUTH=PLAIN LOGINDISABLED"), ("пароль", "")] {
        open(&format!("user = \"u\"\npassword = \"{password}\""), async move |mut talk: Talk<TcpStream>| {
            talk.say(format!("* OK [CAPABILITY IMAP4rev1 {capabilities}] hello\r\n")).await;
            talk.expect("AUTHENTICATE PLAIN").await;
            talk.say("+ \r\n").await;
            assert_eq!(talk.line().await, BASE64.encode(format!("\0u\0{password}").as_bytes()));
            talk.done("OK [CAPABILITY IMAP4rev1] in").await;
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_server_without_passwords_is_explained() {
    let disabled = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n").await;
        talk.leave().await;
    });
    let words = words(disabled.await);
    assert!(words.starts_with("refused: ") && words.ends_with("(LOGINDISABLED); write security = \"starttls\""), "{words}");
}

#[tokio::test]
async fn a_refused_account_is_told_from_trouble() {
    for (answer, expected) in [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials", "refused"),
        ("NO [AUTHENTICATIONFAILED] please try again", "refused"),
        ("NO [AUTHORIZATIONFAILED] no such account", "refused"),
        ("NO [EXPIRED] Password expired", "refused"),
        ("NO [PRIVACYREQUIRED] Use TLS", "refused"),
        ("NO LOGIN failed.", "refused"),
        ("NO [ALERT] Application-specific password required", "refused"),
        ("BAD Command Argument Error. 12", "refused"),
        ("NO [UNAVAILABLE] Temporary authentication failure", "network"),
        ("NO [INUSE] Mailbox is locked", "network"),
        ("NO [LIMIT] slow down", "network"),
        ("NO [ALERT] Too many simultaneous connections", "network"),
        ("NO Server Unavailable. 15", "network"),
    ] {
        let opened = open(USER, async move |mut talk: Talk<TcpStream>| {
            talk.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
            talk.expect("LOGIN \"u\" \"p\"").await;
            talk.done(answer).await;
        });
        let words = words(opened.await);
        assert!(words.starts_with(expected), "{answer}: {words}");
        assert!(words.contains(answer.split_once(' ').unwrap().1.trim_end_matches('.')), "{answer}: {words}");
    }
    let bye = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
        talk.expect("LOGIN \"u\" \"p\"").await;
        talk.say("* BYE going down\r\n").await;
    });
    assert!(words(bye.await).starts_with("network"));
}

#[tokio::test]
async fn no_error_repeats_the_password() {
    let opened = open("user = \"u\"\npassword = \"s3cr3t-word\"", async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
        talk.expect("LOGIN \"u\" \"s3cr3t-word\"").await;
        talk.done("NO s3cr3t-word is wrong").await;
    });
    let words = words(opened.await);
    assert!(words.contains("<secret> is wrong") && !words.contains("s3cr3t"), "{words}");
}

#[tokio::test]
async fn an_endless_challenge_ends() {
    let opened = open(USER, async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n").await;
        talk.expect("AUTHENTICATE PLAIN").await;
        talk.say("+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n").await;
        talk.leave().await;
    });
    assert!(words(opened.await).starts_with("other: "));
}
