//! Access tokens, against a token endpoint of our own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use leadgate_mailbox::imap::{ImapError, Session};
use leadgate_mailbox::settings::{Connection, Login};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Server, Talk, taken};

/// A token endpoint; what it was asked, form by form.
struct Endpoint {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// Answers question after question with a status and a body; status 0: never.
    async fn start(answer: impl Fn(usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (known, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (known, answer) = (Arc::clone(&known), Arc::clone(&answer));
                tokio::spawn(async move { converse(BufStream::new(stream), &known, answer.as_ref()).await });
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: BufStream<TcpStream>,
    asked: &Mutex<Vec<String>>,
    answer: &(impl Fn(usize) -> (u16, String) + Send + Sync),
) {
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.unwrap_or_default() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return;
        }
        let mut form = vec![0; length];
        stream.read_exact(&mut form).await.unwrap();
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(String::from_utf8(form).unwrap());
            asked.len() - 1
        };
        let (status, body) = answer(number);
        if status == 0 {
            return std::future::pending().await;
        }
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

fn token(name: &str, rest: &str) -> (u16, String) {
    (200, format!("{{\"access_token\":\"{name}\",\"token_type\":\"Bearer\"{rest}}}"))
}

/// A connection to both, without TLS.
fn connection(imap: u16, endpoint: &Endpoint, data: &Path) -> Connection {
    let config = format!(
        "host = \"localhost\"\nport = {imap}\nsecurity = \"plain\"\nuser = \"u\"\noauth = {{ token_url = \"http://localhost:{}/token\", \
         client_id = \"c\", client_secret = \"s3cr3t\", refresh_token = \"r0-given\", scope = \"mail\" }}",
        endpoint.port
    );
    let (connection, problems) = taken(&config, data);
    assert_eq!(problems, Vec::<String>::new());
    connection
}

/// A server that lets in who has one of these tokens, connection by connection; the others it tells why not.
async fn takes(tokens: &'static [(&'static str, bool)]) -> Server {
    Server::start(tokens.len(), move |mut talk: Talk<TcpStream>, number| async move {
        let (token, good) = tokens[number];
        talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hello\r\n").await;
        talk.expect("AUTHENTICATE XOAUTH2").await;
        talk.say("+ \r\n").await;
        assert_eq!(talk.line().await, BASE64.encode(format!("user=u\x01auth=Bearer {token}\x01\x01").as_bytes()));
        if good {
            talk.done("OK [CAPABILITY IMAP4rev1 IDLE] in").await;
        } else {
            talk.say(format!("+ {}\r\n", BASE64.encode(b"{\"status\":\"400\",\"scope\":\"https://mail.google.com/\"}"))).await;
            assert_eq!(talk.line().await, "");
            talk.done("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)").await;
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_again() {
    let endpoint = Endpoint::start(|_| token("a1", ",\"expires_in\":3600")).await;
    let server = takes(&[("a1", true), ("a1", true)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    for _ in 0..2 {
        assert!(Session::open(&connection.clone()).await.unwrap().offers("IDLE"));
    }
    let expected = "client_id=c&grant_type=refresh_token&refresh_token=r0-given&client_secret=s3cr3t&scope=mail";
    assert_eq!(endpoint.asked(), [expected]);
    server.end().await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_runs_out() {
    let endpoint = Endpoint::start(|number| token(["a1", "a2"][number], ",\"expires_in\":\"3600\"")).await;
    let server = takes(&[("a1", true), ("a1", true), ("a2", true)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    Session::open(&connection).await.unwrap();
    for minutes in [54, 2] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_mins(minutes)).await;
        tokio::time::resume();
        Session::open(&connection).await.unwrap();
    }
    assert_eq!(endpoint.asked().len(), 2);
    server.end().await;
}

#[tokio::test]
async fn however_many_ask_the_provider_is_asked_once() {
    let endpoint = Endpoint::start(|_| token("a1", "")).await;
    let server = takes(&[("a1", true); 16]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    let asking: Vec<_> = (0..16)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { Session::open(&connection).await.map(drop) })
        })
        .collect();
    for one in asking {
        one.await.unwrap().unwrap();
    }
    assert_eq!(endpoint.asked().len(), 1);
    server.end().await;
}

#[tokio::test]
async fn a_bad_answer_is_told_to_all_who_waited() {
    let endpoint = Endpoint::start(|_| (400, "{\"error\":\"invalid_grant\"}".to_owned())).await;
    let connection = connection(1, &endpoint, Path::new(""));
    let all = futures_util::future::join_all((0..16).map(|_| Session::open(&connection))).await;
    assert!(all.iter().all(|one| matches!(one, Err(ImapError::Refused(_)))));
    assert_eq!(endpoint.asked().len(), 1);
    // Who comes later asks again.
    assert!(Session::open(&connection).await.is_err());
    assert_eq!(endpoint.asked().len(), 2);
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_renewed_once() {
    let endpoint = Endpoint::start(|number| token(["a1", "a2", "a3"][number], "")).await;
    let server = takes(&[("a1", true), ("a1", false), ("a2", true), ("a2", false), ("a3", false)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    Session::open(&connection).await.unwrap();
    Session::open(&connection).await.unwrap();
    let error = Session::open(&connection).await.err().unwrap();
    let ImapError::Refused(words) = error else { panic!("{error:?}") };
    assert!(words.contains("Invalid credentials") && words.contains("https://mail.google.com/"), "{words}");
    assert_eq!(endpoint.asked().len(), 3);
    server.end().await;
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_not_renewed_at_once() {
    let endpoint = Endpoint::start(|number| token(["a1", "a2"][number], "")).await;
    let server = takes(&[("a1", false), ("a2", true)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    assert!(matches!(Session::open(&connection).await, Err(ImapError::Refused(_))));
    assert_eq!(endpoint.asked().len(), 1);
    Session::open(&connection).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn an_exchanged_refresh_token_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start(|number| {
        let rest = [",\"refresh_token\":\"r1\"", ",\"refresh_token\":\"r1\"", ",\"refresh_token\":\"r2\"", ""][number];
        token("a", &format!("{rest},\"expires_in\":3600"))
    })
    .await;
    let server = takes(&[("a", true); 4]).await;
    // Each is a gateway that was started anew.
    for _ in 0..3 {
        Session::open(&connection(server.port, &endpoint, data.path())).await.unwrap();
    }
    let kept = data.path().join("oauth-mail.json");
    assert!(std::fs::read_to_string(&kept).unwrap().contains("\"r2\""));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A newly configured one counts more.
    let mut new = connection(server.port, &endpoint, data.path());
    if let Login::OAuth(oauth) = &mut new.login {
        oauth.refresh_token = Some(leadgate_core::secret::Secret::new("r9"));
    }
    Session::open(&new).await.unwrap();
    let used: Vec<String> = endpoint
        .asked()
        .iter()
        .filter_map(|form| form.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).map(str::to_owned))
        .collect();
    assert_eq!(used, ["r0-given", "r1", "r1", "r9"]);
    server.end().await;
}

#[tokio::test]
async fn a_kept_refresh_token_that_is_worth_nothing_falls_back_to_the_given_one() {
    let data = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start(|number| match number {
        0 => token("a", ",\"refresh_token\":\"r1\""),
        1 => (400, "{\"error\":\"invalid_grant\"}".to_owned()),
        _ => token("b", ""),
    })
    .await;
    let server = takes(&[("a", true), ("b", true)]).await;
    for _ in 0..2 {
        Session::open(&connection(server.port, &endpoint, data.path())).await.unwrap();
    }
    assert!(endpoint.asked()[1].contains("refresh_token=r1") && endpoint.asked()[2].contains("refresh_token=r0-given"));
    server.end().await;
}

#[tokio::test]
async fn refusals_are_explained() {
    for (status, body, refused, expected) in [
        (
            400,
            "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\"}",
            true,
            "is not good any more",
        ),
        (
            400,
            "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS70008: The refresh token has expired due to inactivity.\\r\\nTrace ID: 1\"}",
            true,
            "AADSTS70008: The refresh token has expired due to inactivity.)",
        ),
        (401, "{\"error\":\"invalid_client\",\"error_description\":\"s3cr3t r0-given\"}", true, "<secret> <secret>"),
        (404, "<html>", true, "is oauth.token_url right?"),
        (200, "{}", true, "is oauth.token_url right?"),
        (400, "{\"error\":\"temporarily_unavailable\"}", false, "now"),
        (503, "busy", false, "answered 503"),
        (429, "{}", false, "answered 429"),
    ] {
        let endpoint = Endpoint::start(move |_| (status, body.to_owned())).await;
        let connection = connection(1, &endpoint, Path::new(""));
        let words = match Session::open(&connection).await.err().unwrap() {
            ImapError::Refused(words) if refused => words,
            ImapError::Network(words) if !refused => words,
            other => panic!("{body}: {other:?}"),
        };
        assert!(words.contains(expected), "{body}: {words}");
        assert!(!words.contains("s3cr3t") && !words.contains("r0-given"), "{words}");
    }
}

#[tokio::test]
async fn a_slow_provider_is_not_waited_for_for_ever() {
    let endpoint = Endpoint::start(|_| (0, String::new())).await;
    let connection = connection(1, &endpoint, Path::new(""));
    let opening = tokio::spawn(async move { Session::open(&connection).await.err() });
    while endpoint.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let error = opening.await.unwrap().unwrap();
    assert!(matches!(&error, ImapError::Network(words) if words.contains("there was no answer in time")), "{error:?}");
}

#[tokio::test]
async fn who_waits_no_more_loses_no_token() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let endpoint = Endpoint::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        token("a1", "")
    })
    .await;
    let server = takes(&[("a1", true)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    {
        let opening = Session::open(&connection);
        tokio::pin!(opening);
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::select! {
                biased;
                _ = &mut opening => panic!("it has its token already"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    Session::open(&connection).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    server.end().await;
}

#[tokio::test]
async fn a_refresh_token_that_runs_out_is_told_of() {
    let endpoint = Endpoint::start(|number| {
        let days = [3, 90][number];
        token(["a1", "a2"][number], &format!(",\"expires_in\":1,\"refresh_token_expires_in\":{}", days * 86_400))
    })
    .await;
    let server = takes(&[("a1", true), ("a2", true)]).await;
    let connection = connection(server.port, &endpoint, Path::new(""));
    Session::open(&connection).await.unwrap();
    let warning = connection.warning().unwrap();
    assert!(warning.contains("runs out in 3 days") && !warning.contains("r0-given"), "{warning}");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    Session::open(&connection).await.unwrap();
    assert_eq!(connection.warning(), None);
    server.end().await;
}

#[tokio::test]
async fn without_a_refresh_token_the_application_asks_for_itself() {
    let endpoint = Endpoint::start(|_| token("a1", "")).await;
    let server = takes(&[("a1", true)]).await;
    let mut connection = connection(server.port, &endpoint, Path::new(""));
    if let Login::OAuth(oauth) = &mut connection.login {
        oauth.refresh_token = None;
    }
    Session::open(&connection).await.unwrap();
    assert_eq!(endpoint.asked(), ["client_id=c&grant_type=client_credentials&client_secret=s3cr3t&scope=mail"]);
    server.end().await;
}

#[tokio::test]
async fn a_server_without_tokens_is_explained() {
    let endpoint = Endpoint::start(|_| token("a1", "")).await;
    let server = Server::once(async |mut talk: Talk<TcpStream>| {
        talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n").await;
        talk.leave().await;
    })
    .await;
    let error = Session::open(&connection(server.port, &endpoint, Path::new(""))).await.err().unwrap();
    assert!(matches!(&error, ImapError::Refused(words) if words.contains("takes no access tokens")), "{error:?}");
    server.end().await;
}
