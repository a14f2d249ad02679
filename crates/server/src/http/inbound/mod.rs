//! Senders' calls: `/in/{source}/{token}[/rest]`, any method, with and without a trailing slash, never redirected.
//!
//! The address is read, the body is read within limits, the connector decodes, intake commits, the connector answers.
//! An unknown source and a wrong token get the same bytes.

mod body;
mod call;
mod held;
mod multipart;
mod who;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use hyper::body::Body as HttpBody;
use leadgate_core::ports::{PathToken, Push, Request as Asked};
use leadgate_core::submission::Submission;

use self::body::Reader;
use self::call::Call;
use super::peer::{Caller, Peer, Via};
use super::respond::{RequestId, log, secure};
use crate::app::{Gateway, compare_with_nothing};

/// The template of senders' addresses.
pub const ROUTE: &str = crate::metrics::INBOUND;

/// A call of a known sender that waits for a person, with its bytes and files.
pub fn held(push: &dyn Push, request: &Asked<'_>, code: &str, words: String) -> Submission {
    held::with_bytes(push, request, code, words, true)
}

/// What is read of a body nobody wants, so that its sender reads our answer.
const DRAIN: u64 = 1 << 20;

/// Whether a path is a sender's.
pub fn is_call(path: &str) -> bool {
    path.starts_with("/in/")
}

/// A sender's address, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address<'a> {
    source: &'a str,
    /// What may be a token.
    token: &'a str,
    /// What stands below the token.
    rest: &'a str,
    /// What stands below the source.
    below: &'a str,
}

impl<'a> Address<'a> {
    fn parse(path: &'a str) -> Self {
        let path = path.strip_prefix("/in/").unwrap_or(path);
        let (source, below) = path.split_once('/').unwrap_or((path, ""));
        let (token, rest) = below.split_once('/').unwrap_or((below, ""));
        Self { source, token, rest, below }
    }
}

/// Answers a sender's call.
pub async fn call<B>(gateway: &Arc<Gateway>, peer: Peer, request: Request<B>) -> Response
where
    B: HttpBody<Data = bytes::Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let started = Instant::now();
    let (received_at, id) = gateway.clock.submission();
    let (head, body) = request.into_parts();
    let request_id = RequestId::of(&head.headers, || id.0);
    let live = gateway.live();
    let address = Address::parse(head.uri.path());
    let body = Reader::new(body, live.body_timeout);
    let mut response = if let Some(source) = live.source(address.source) {
        let valid = source.accepts(address.token);
        let caller = Caller::of(peer, &head.headers, &live.trusted_proxies);
        if caller.via == Via::Undeclared {
            gateway.warn_of_undeclared_proxy(peer.address);
        }
        let (path_token, rest) = if valid { (PathToken::Valid, address.rest) } else { (PathToken::Absent, address.below) };
        let call = Call::new(gateway, &live, source, &head, caller, path_token, rest.trim_end_matches('/'), (received_at, id));
        match call.asset() {
            Some(response) => response,
            None => call.answer(body, started).await,
        }
    } else {
        compare_with_nothing(address.token);
        let mut body = body;
        body.drain(DRAIN).await;
        not_found()
    };
    secure(response.headers_mut(), &request_id);
    let status = response.status();
    gateway.meters.inbound(status.as_u16());
    log(&head.method, ROUTE, status, started.elapsed(), &request_id);
    response
}

/// What an unknown source, a source that takes nothing and a wrong token get.
fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "Not found\n")
}

/// What a call with a valid address and a wrong key or signature gets (RFC 9110, 15.5.2, wants the scheme named).
fn unproven() -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, "The address is right, the key or the signature is not\n");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Secret"));
    response
}

fn text(status: StatusCode, words: &'static str) -> Response {
    let mut response = Response::new(Body::from(words));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address = |path| {
            let Address { source, token, rest, below } = Address::parse(path);
            (source, token, rest, below)
        };
        assert_eq!(address("/in/site"), ("site", "", "", ""));
        assert_eq!(address("/in/site/"), ("site", "", "", ""));
        assert_eq!(address("/in/site/tok"), ("site", "tok", "", "tok"));
        assert_eq!(address("/in/site/tok/"), ("site", "tok", "", "tok/"));
        assert_eq!(address("/in/site/tok/a/b/"), ("site", "tok", "a/b/", "tok/a/b/"));
        assert!(is_call("/in/") && !is_call("/in") && !is_call("/index"));
    }
}
