//! A guarded client against servers of our own on loopback.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Allowed, Call, CallError, Caps, Download, Guarded, Inner, Lookup, is_named};

/// Answers with one of its lists after the other, as a name server does that means harm; the last list stays.
#[derive(Default)]
struct Names {
    hosts: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = self.hosts.get(host).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(answers[asked.min(answers.len() - 1)].clone())
    }
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn names(hosts: &[(&'static str, &[&[&str]])]) -> Arc<Names> {
    let hosts = hosts.iter().map(|(host, answers)| (*host, answers.iter().map(|list| ips(list)).collect())).collect();
    Arc::new(Names { hosts, asked: AtomicUsize::default() })
}

fn guarded(names: &Arc<Names>, inner: &[String]) -> Guarded {
    let allowed = Allowed::new(inner.iter().map(|text| Inner::parse(text).unwrap()).collect());
    Guarded::new(Arc::clone(names) as Arc<dyn Lookup>, allowed).unwrap()
}

const CAPS: Caps<'static> =
    Caps { time: Duration::from_secs(5), bytes: 1000, cut: false, types: &["application/json"], redirects: &["there.lan"] };

fn call(method: Method, url: &str) -> Call {
    let headers = vec![("authorization".into(), "Bearer s".to_owned()), ("x-note".into(), "n".to_owned())];
    Call { method, url: url.to_owned(), headers, body: Bytes::from_static(b"a=1") }
}

/// A server that gives each connection the next of its answers; what it was sent is kept.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                kept.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                // A client that has read enough hangs up.
                if stream.write_all(answer.replace("PORT", &port.to_string()).as_bytes()).await.is_err() {
                    continue;
                }
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        Self { port, heard }
    }

    fn inner(&self) -> Vec<String> {
        vec![format!("127.0.0.1:{}", self.port)]
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/check?key=hidden", self.port)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn json(body: &str) -> String {
    answer("200 OK", "content-type: application/json; charset=utf-8\r\n", body)
}

#[tokio::test]
async fn an_inner_service_that_was_named_answers() {
    let server = Server::start(vec![json("{\"ok\":true}")]).await;
    let client = guarded(&names(&[]), &server.inner());
    let told = client.call(&call(Method::POST, &server.url()), CAPS).await.unwrap();
    assert_eq!((told.status, told.content_type.as_str(), &told.body[..]), (200, "application/json", &b"{\"ok\":true}"[..]));
    let heard = server.heard();
    assert!(heard[0].starts_with("POST /check?key=hidden HTTP/1.1") && heard[0].ends_with("a=1"), "{heard:?}");
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_called() {
    let client = guarded(&names(&[]), &[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.1.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        for scheme in ["https", "http"] {
            let told = client.call(&call(Method::GET, &format!("{scheme}://{host}/")), CAPS).await;
            assert!(matches!(told, Err(CallError::Address(_))), "{scheme}://{host}: {told:?}");
        }
    }
    for url in
        ["", "x", "file:///etc/passwd", "gopher://8.8.8.8/", "https://user@8.8.8.8/", "https://:x@8.8.8.8/", "http://8.8.8.8/"]
    {
        let told = client.call(&call(Method::GET, url), CAPS).await;
        assert!(matches!(told, Err(CallError::Address(_))), "{url}: {told:?}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let server = Server::start(vec![]).await;
    let inside: &[&[&str]] = &[&["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254"]];
    let client = guarded(&names(&[("evil.example", inside), ("localhost", inside)]), &server.inner());
    for host in ["evil.example", "localhost"] {
        let told = client.call(&call(Method::GET, &format!("https://{host}:{}/", server.port)), CAPS).await;
        assert!(matches!(&told, Err(CallError::Address(why)) if why.contains("inner_services")), "{told:?}");
    }
    assert!(server.heard().is_empty());
}

/// The first answer is fit to be called, the second is not: a second connection is judged anew.
#[tokio::test]
async fn a_name_that_changes_its_mind_is_caught() {
    let server = Server::start(vec![json("{}")]).await;
    let names = names(&[("hook.lan", &[&["127.0.0.1"], &["127.0.0.2"]])]);
    let client = guarded(&names, &["127.0.0.1".to_owned(), format!("x.lan:{}", server.port)]);
    let url = format!("https://hook.lan:{}/", server.port);
    // TLS with a server that has none: what matters is who was called.
    assert!(matches!(client.call(&call(Method::GET, &url), CAPS).await, Err(CallError::Unreachable(_))));
    assert!(matches!(client.call(&call(Method::GET, &url), CAPS).await, Err(CallError::Address(_))));
    assert_eq!((names.asked.load(Ordering::SeqCst), server.heard().len()), (2, 1));
}

#[tokio::test]
async fn a_host_is_called_at_the_port_it_was_named_with() {
    let server = Server::start(vec![json("{}")]).await;
    let names = names(&[("hook.lan", &[&["127.0.0.1"]])]);
    let client = guarded(&names, &[format!("hook.lan:{}", server.port)]);
    let at = |port: u16| call(Method::GET, &format!("http://hook.lan:{port}/"));
    assert!(matches!(client.call(&at(server.port - 1), CAPS).await, Err(CallError::Address(_))));
    assert_eq!(client.call(&at(server.port), CAPS).await.unwrap().status, 200);
}

#[tokio::test]
async fn redirects_go_to_the_list_and_are_judged_again() {
    let to = |status: &str, location: &str| answer(status, &format!("location: {location}\r\n"), "");
    let there = "http://there.lan:PORT/next";
    // (answers, method, what comes of it)
    let server = Server::start(vec![to("307 Temporary Redirect", there), json("{}")]).await;
    let names = names(&[("there.lan", &[&["127.0.0.1"]]), ("other.lan", &[&["127.0.0.1"]])]);
    let inner = |server: &Server| [server.inner(), vec![format!("there.lan:{}", server.port), "other.lan".to_owned()]].concat();
    let client = guarded(&names, &inner(&server));
    assert_eq!(client.call(&call(Method::POST, &server.url()), CAPS).await.unwrap().status, 200);
    let heard = server.heard();
    assert!(heard[0].contains("Bearer s") && heard[0].contains("x-note"), "{heard:?}");
    assert!(!heard[1].contains("Bearer s") && heard[1].contains("x-note") && heard[1].ends_with("a=1"), "{heard:?}");

    for (status, location, method) in [
        ("302 Found", there, Method::POST),
        ("302 Found", "http://other.lan:PORT/", Method::GET),
        ("302 Found", "http://169.254.169.254/latest/meta-data", Method::GET),
        ("308 Permanent Redirect", "//other.lan/", Method::POST),
    ] {
        let server = Server::start(vec![to(status, location), json("{}")]).await;
        let client = guarded(&names, &inner(&server));
        let told = client.call(&call(method, &server.url()), CAPS).await;
        assert!(matches!(told, Err(CallError::Redirect(_))), "{status} {location}: {told:?}");
        assert_eq!(server.heard().len(), 1);
    }

    // On the list, and yet not public, nor named as an inner service.
    let server = Server::start(vec![to("302 Found", there), json("{}")]).await;
    let client = guarded(&names, &server.inner());
    let told = client.call(&call(Method::GET, &server.url()), CAPS).await;
    assert!(matches!(told, Err(CallError::Address(_))), "{told:?}");
    assert_eq!(server.heard().len(), 1);

    let server = Server::start(vec![to("302 Found", there); 6]).await;
    let client = guarded(&names, &inner(&server));
    assert!(matches!(client.call(&call(Method::GET, &server.url()), CAPS).await, Err(CallError::Redirect(_))));
    assert_eq!(server.heard().len(), 4, "a circle is left");
}

#[tokio::test]
async fn answers_are_capped() {
    let page = answer("200 OK", "content-type: text/html\r\n", "<p>");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "400\r\nx".to_owned() + &"x".repeat(1023) + "\r\n"
    );
    let server = Server::start(vec![json(&"x".repeat(1001)), endless, page, json(&"x".repeat(1000)), String::new()]).await;
    let client = guarded(&names(&[]), &server.inner());
    let post = call(Method::POST, &server.url());
    for _ in 0..2 {
        assert!(matches!(client.call(&post, CAPS).await, Err(CallError::TooLong(1000))));
    }
    assert!(matches!(client.call(&post, CAPS).await, Err(CallError::Type(found)) if found == "text/html"));
    assert_eq!(client.call(&post, CAPS).await.unwrap().body.len(), 1000);
    let slow = client.call(&post, Caps { time: Duration::from_millis(200), ..CAPS }).await;
    assert!(matches!(slow, Err(CallError::TooSlow)), "{slow:?}");
}

#[tokio::test]
async fn bodies_are_cut_where_that_is_allowed() {
    let endless =
        format!("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n400\r\n{}\r\n", "x".repeat(1024));
    let stalled = "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nabc".to_owned();
    let server = Server::start(vec![endless, stalled, json("{}")]).await;
    let client = guarded(&names(&[]), &server.inner());
    let post = call(Method::POST, &server.url());
    let caps = Caps { cut: true, types: &[], ..CAPS };
    let told = client.call(&post, caps).await.unwrap();
    assert_eq!((told.status, told.retry_after.as_deref(), told.body.len()), (503, Some("7"), 1000));
    let told = client.call(&post, caps).await.unwrap();
    assert_eq!((told.status, told.retry_after, &told.body[..]), (200, None, &b"abc"[..]));
    assert_eq!(client.call(&post, caps).await.unwrap().body, "{}");
}

#[tokio::test]
async fn errors_do_not_tell_the_url() {
    let server = Server::start(vec![String::new()]).await;
    let inner = server.inner();
    let url = server.url();
    let client = guarded(&names(&[]), &inner);
    let slow = client.call(&call(Method::POST, &url), Caps { time: Duration::from_millis(100), ..CAPS }).await.unwrap_err();
    drop(server);
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let client = guarded(&names(&[]), &[format!("127.0.0.1:{nobody}")]);
    let gone = client.call(&call(Method::POST, &format!("http://127.0.0.1:{nobody}/?key=hidden")), CAPS).await.unwrap_err();
    assert!(matches!(gone, CallError::Unreachable(_)), "{gone:?}");
    assert_eq!(gone.words(), "it cannot be reached: the connection was refused");
    for error in [slow, gone] {
        assert!(!format!("{error:?} {error}").contains("hidden"), "{error:?}");
    }
}

#[tokio::test]
async fn forms_are_posted() {
    let server = Server::start(vec![json("{}")]).await;
    let client = guarded(&names(&[]), &server.inner());
    assert_eq!(client.post_form(&server.url(), &[("a b", "1&2"), ("c", "д")], CAPS).await.unwrap().body, "{}");
    let heard = server.heard().concat();
    assert!(heard.contains("content-type: application/x-www-form-urlencoded\r\n"), "{heard}");
    assert!(heard.contains("accept: application/json\r\n") && heard.ends_with("\r\n\r\na+b=1%262&c=%D0%B4"), "{heard}");
}

#[test]
fn a_dot_names_a_domain() {
    let list = ["api.zadarma.com", ".mango-office.ru", "."];
    for host in ["api.zadarma.com", "mango-office.ru", "files.mango-office.ru", "a.b.mango-office.ru"] {
        assert!(is_named(host, &list), "{host}");
    }
    for host in ["zadarma.com", "x.api.zadarma.com", "evilmango-office.ru", "mango-office.ru.evil.example", "", "x", "a."] {
        assert!(!is_named(host, &list), "{host}");
    }
    assert!(is_named("10.0.0.1", &["10.0.0.1"]) && !is_named("10.0.0.1", &[".0.1", ".1"]) && !is_named("[::1]", &[".1]"]));
}

async fn all(mut opened: Download) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = opened.piece().await? {
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[tokio::test]
async fn a_file_is_read_piece_by_piece() {
    let pieces = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_owned();
    let stalled = "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nabc".to_owned();
    let long = answer("200 OK", "", &"x".repeat(1001));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n400\r\n{}\r\n", "x".repeat(1024));
    let server = Server::start(vec![pieces, stalled, long, endless, answer("404 Not Found", "retry-after: 9\r\n", "")]).await;
    let client = guarded(&names(&[]), &server.inner());
    let get = call(Method::GET, &server.url());
    let caps = Caps { types: &[], ..CAPS };
    assert_eq!(all(client.open(&get, caps).await.unwrap()).await.unwrap(), b"abcde");
    assert!(matches!(all(client.open(&get, caps).await.unwrap()).await, Err(CallError::Unreachable(_))), "half a file is none");
    assert!(matches!(client.open(&get, caps).await, Err(CallError::TooLong(1000))));
    assert!(matches!(all(client.open(&get, caps).await.unwrap()).await, Err(CallError::TooLong(1000))));
    let missing = client.open(&get, caps).await.unwrap();
    assert_eq!((missing.status, missing.retry_after.as_deref()), (404, Some("9")));
}

/// One that is posted for is got where the answer says, and nothing that was sent along goes there.
#[tokio::test]
async fn what_is_sent_for_a_file_stays_with_the_first_place() {
    let to = |status: &str, location: &str| answer(status, &format!("location: {location}\r\n"), "");
    let names = names(&[("files.there.lan", &[&["127.0.0.1"]]), ("other.lan", &[&["127.0.0.1"]])]);
    let caps = Caps { types: &[], redirects: &[".there.lan", "127.0.0.1"], ..CAPS };
    let inner =
        |server: &Server| [server.inner(), vec![format!("files.there.lan:{}", server.port), "other.lan".to_owned()]].concat();

    let server = Server::start(vec![to("302 Found", "http://files.there.lan:PORT/once"), json("{}")]).await;
    let client = guarded(&names, &inner(&server));
    assert_eq!(all(client.open(&call(Method::POST, &server.url()), caps).await.unwrap()).await.unwrap(), b"{}");
    let heard = server.heard();
    assert!(heard[0].starts_with("POST ") && heard[0].contains("Bearer s") && heard[0].ends_with("a=1"), "{heard:?}");
    assert!(heard[1].starts_with("GET /once "), "{heard:?}");
    assert!(!heard[1].contains("Bearer s") && !heard[1].contains("x-note") && heard[1].ends_with("\r\n\r\n"), "{heard:?}");

    // The same place gets it again.
    let server = Server::start(vec![to("307 Temporary Redirect", "/next"), json("{}")]).await;
    let client = guarded(&names, &inner(&server));
    assert_eq!(client.open(&call(Method::POST, &server.url()), caps).await.unwrap().status, 200);
    let heard = server.heard();
    assert!(heard[1].starts_with("POST /next ") && heard[1].contains("Bearer s") && heard[1].ends_with("a=1"), "{heard:?}");

    for (status, location) in [
        ("307 Temporary Redirect", "http://files.there.lan:PORT/"),
        ("302 Found", "http://other.lan:PORT/"),
        ("302 Found", "http://xthere.lan:PORT/"),
    ] {
        let server = Server::start(vec![to(status, location), json("{}")]).await;
        let client = guarded(&names, &inner(&server));
        let told = client.open(&call(Method::POST, &server.url()), caps).await;
        assert!(matches!(told, Err(CallError::Redirect(_))), "{status} {location}: {told:?}");
        assert_eq!(server.heard().len(), 1);
    }
}
