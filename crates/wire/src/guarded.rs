//! The HTTP client for services of others: it reaches the public internet, and what an owner has named beside it.
//!
//! A URL may come from a configuration, or from somebody's data; a name may resolve to anything, and to something else a
//! second later. So addresses are judged after they were resolved, for each connection and after each redirect, and the
//! connection goes to the very address that was judged.

mod address;
mod download;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, RETRY_AFTER};
use url::Url;

pub use address::{Allowed, Inner, is_public};
pub use download::Download;
pub use reqwest::Method;

/// Looks names up. The runtime's own way is the server's to give; tests have theirs.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Every address of a host.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// How far one call may go.
#[derive(Clone, Copy, Debug)]
pub struct Caps<'a> {
    /// All of it, redirects included.
    pub time: Duration,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// A body that is longer, breaks off or does not end in time is cut there: the status is what counts. Otherwise there is no
    /// answer then.
    pub cut: bool,
    /// What the answer may be, without parameters: `application/json`; empty: anything.
    pub types: &'a [&'a str],
    /// Hosts it may be redirected to; one that begins with a dot is a domain with everything below it.
    pub redirects: &'a [&'a str],
}

/// Whether a host is one of a list; what begins with a dot is a domain with everything below it.
pub fn is_named(host: &str, list: &[&str]) -> bool {
    // An address has no domain, whatever it ends with.
    let is_name = !host.starts_with('[') && host.parse::<IpAddr>().is_err();
    list.iter().any(|named| match named.strip_prefix('.') {
        Some(domain) => {
            is_name && !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        None => host == *named,
    })
}

/// How many redirects in a row are followed.
const MOST_REDIRECTS: usize = 3;
/// How long a connection may take; a call that has less time is cut off sooner.
const CONNECT: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Headers beside those of HTTP itself. `Authorization` and `Cookie` stay with the first host.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Bytes,
}

/// What came back: whole, unless [`Caps::cut`] allows otherwise.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The type without parameters, in lower case; empty if none was given.
    pub content_type: String,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why a call has no answer. None of them names the URL: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The client could not be made.
    #[error("no HTTP client could be made")]
    Setup(#[source] reqwest::Error),
    /// The URL is none that may be called.
    #[error("{0}")]
    Address(String),
    /// It was to go on to a host that is not on the list, or too often.
    #[error("it was redirected to {0}, where it may not go")]
    Redirect(String),
    /// The answer is longer than was agreed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The answer is of another type.
    #[error("the answer is {0:?}")]
    Type(String),
    /// It took too long.
    #[error("there was no answer in time")]
    TooSlow,
    /// There is no connection, or it broke.
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
}

impl CallError {
    /// What is wrong, in words that say more where there is more to say; nothing of the URL, and no secret.
    pub fn words(&self) -> String {
        let Self::Unreachable(error) = self else { return self.to_string() };
        let mut told = None;
        let mut at = std::error::Error::source(error);
        while let Some(cause) = at {
            // What a TLS library or a resolver says is known by its words alone, whatever wraps it.
            let text = cause.to_string();
            told = if text.contains("certificate") {
                Some("its certificate is not trusted")
            } else if text.starts_with("dns error") {
                Some("its name does not resolve")
            } else {
                cause.downcast_ref::<io::Error>().and_then(|cause| match cause.kind() {
                    io::ErrorKind::ConnectionRefused => Some("the connection was refused"),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Some("the connection broke"),
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("there is no way to it"),
                    _ => None,
                })
            }
            .or(told);
            at = cause.source();
        }
        told.map_or_else(|| self.to_string(), |told| format!("it cannot be reached: {told}"))
    }
}

/// The client. Clones share connections.
#[derive(Clone, Debug)]
pub struct Guarded {
    http: reqwest::Client,
    allowed: Arc<Allowed>,
}

impl Guarded {
    /// A client that looks names up like this, and may reach these services beside the public internet. It uses no proxy:
    /// what a proxy resolves cannot be judged here.
    pub fn new(lookup: Arc<dyn Lookup>, allowed: Allowed) -> Result<Self, CallError> {
        let allowed = Arc::new(allowed);
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(Judge { lookup, allowed: Arc::clone(&allowed) }))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent("Leadgate")
            .no_proxy()
            .build()
            .map_err(CallError::Setup)?;
        Ok(Self { http, allowed })
    }

    /// Makes a call. Anything but GET is redirected only by 307 and 308, which keep it as it is.
    pub async fn call(&self, call: &Call, caps: Caps<'_>) -> Result<Answer, CallError> {
        read(self.follow(call, caps, Manner::AsItIs).await?, caps).await
    }

    /// Makes a call for a file, whose pieces are read one by one. What is posted is sent on by 301, 302 and 303 as browsers do it: to be
    /// got from there. Nothing that was sent along goes to another place, neither a header nor the body.
    pub async fn open(&self, call: &Call, caps: Caps<'_>) -> Result<Download, CallError> {
        let response = self.follow(call, caps, Manner::ForAFile).await?;
        judged_type(&response, caps)?;
        Download::new(response, caps.bytes)
    }

    async fn follow(&self, call: &Call, caps: Caps<'_>, manner: Manner) -> Result<Response, CallError> {
        let until = Instant::now() + caps.time;
        let mut url = self.allowed.judged(&call.url)?;
        let first = url.origin();
        let (mut method, mut body) = (call.method.clone(), call.body.clone());
        for _ in 0..=MOST_REDIRECTS {
            let left = until.saturating_duration_since(Instant::now());
            let mut request = self.http.request(method.clone(), url.clone()).timeout(left).body(body.clone());
            for (name, value) in &call.headers {
                if url.origin() == first || !manner.keeps(name) {
                    request = request.header(name.as_ref(), value);
                }
            }
            let response = request.send().await.map_err(explain)?;
            let next = match onwards(&response, &method, &url, manner) {
                None => return Ok(response),
                Some(Err(why)) => return Err(CallError::Redirect(why)),
                Some(Ok(next)) => next,
            };
            let host = next.host_str().unwrap_or_default();
            if !is_named(host, caps.redirects) {
                return Err(CallError::Redirect(host.to_owned()));
            }
            if manner == Manner::ForAFile {
                if matches!(response.status().as_u16(), 301..=303) {
                    (method, body) = (Method::GET, Bytes::new());
                } else if !body.is_empty() && next.origin() != first {
                    return Err(CallError::Redirect(format!("{host} with all that was sent")));
                }
            }
            url = self.allowed.judged(next.as_str())?;
        }
        Err(CallError::Redirect("one place after the other".to_owned()))
    }

    /// Posts a form, to be answered in JSON.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)], caps: Caps<'_>) -> Result<Answer, CallError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = Call {
            method: Method::POST,
            url: url.to_owned(),
            headers: vec![
                ("content-type".into(), "application/x-www-form-urlencoded".to_owned()),
                ("accept".into(), "application/json".to_owned()),
            ],
            body: Bytes::from(body),
        };
        self.call(&call, caps).await
    }
}

const NOT_PUBLIC: &str = "this address is not the public internet's; name it in server.inner_services to let the gateway call it";

/// Resolves names to what may be called.
struct Judge {
    lookup: Arc<dyn Lookup>,
    allowed: Arc<Allowed>,
}

impl Resolve for Judge {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, allowed) = (Arc::clone(&self.lookup), Arc::clone(&self.allowed));
        Box::pin(async move {
            let host = name.as_str();
            let mut found = lookup.lookup(host).await?;
            found.retain(|address| is_public(*address) || allowed.resolves(host, *address));
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, NOT_PUBLIC).into());
            }
            // The port is the URL's.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// How redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// A call stays the call that it is.
    AsItIs,
    /// Whatever is asked, it is a file that is got.
    ForAFile,
}

impl Manner {
    /// Whether a header stays with the first place.
    fn keeps(self, name: &str) -> bool {
        self == Self::ForAFile || [AUTHORIZATION, COOKIE].iter().any(|known| known.as_str().eq_ignore_ascii_case(name))
    }
}

/// Where an answer sends us on; `Err`: where this call cannot follow.
fn onwards(response: &Response, method: &Method, from: &Url, manner: Manner) -> Option<Result<Url, String>> {
    let (status, same) = (response.status().as_u16(), *method == Method::GET || manner == Manner::ForAFile);
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    match status {
        301..=303 if !same => Some(Err("another method".to_owned())),
        301..=303 | 307 | 308 => Some(from.join(location).map_err(|_| "no URL".to_owned())),
        _ => None,
    }
}

fn header(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The type of an answer, if it is one that was agreed.
fn judged_type(response: &Response, caps: Caps<'_>) -> Result<String, CallError> {
    let told = header(response, CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    let told = told.trim().to_ascii_lowercase();
    if caps.types.is_empty() || caps.types.contains(&told.as_str()) { Ok(told) } else { Err(CallError::Type(told)) }
}

pub(crate) async fn read(mut response: Response, caps: Caps<'_>) -> Result<Answer, CallError> {
    let content_type = judged_type(&response, caps)?;
    let retry_after = header(&response, RETRY_AFTER).map(str::to_owned);
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(piece)) if body.len() + piece.len() <= caps.bytes => body.extend_from_slice(&piece),
            Ok(Some(piece)) if caps.cut => {
                body.extend_from_slice(&piece[..caps.bytes - body.len()]);
                break;
            }
            Ok(Some(_)) => return Err(CallError::TooLong(caps.bytes)),
            Err(_) if caps.cut => break,
            Err(error) => return Err(explain(error)),
        }
    }
    Ok(Answer { status: response.status().as_u16(), content_type, retry_after, body: body.freeze() })
}

pub(crate) fn explain(error: reqwest::Error) -> CallError {
    // The URL may hold a secret.
    let error = error.without_url();
    if is_refusal(&error) {
        CallError::Address(NOT_PUBLIC.to_owned())
    } else if error.is_timeout() {
        CallError::TooSlow
    } else {
        CallError::Unreachable(error)
    }
}

/// Whether a name resolved to nothing that may be called.
fn is_refusal(error: &reqwest::Error) -> bool {
    let mut at = std::error::Error::source(error);
    while let Some(cause) = at {
        if cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied) {
            return true;
        }
        at = cause.source();
    }
    false
}
