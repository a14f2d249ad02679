//! What becomes of a request: senders' calls go straight to their handler; everything else through the router, with its
//! body read within limits first. Ids, security headers, the access log and the count of requests are here.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tower::ServiceExt as _;

use super::peer::{Caller, Peer, Via};
use super::problem::Problem;
use super::{acts, api, inbound, opened, operation, pages};
use crate::app::Gateway;
use crate::metrics;

/// The most bytes of a body that is no sender's.
pub const API_BODY: usize = 256 << 10;
/// The request's id, given by the caller or made here.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for handlers.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// The caller's id if it is a sensible one, else one of ours.
    pub fn of(headers: &HeaderMap, make: impl FnOnce() -> uuid::Uuid) -> Self {
        let sensible = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            (1..=80).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if let Some(given) = headers.get(&REQUEST_ID).filter(sensible) {
            return Self(given.clone());
        }
        let mut buffer = uuid::Uuid::encode_buffer();
        let text = make().hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

/// The template of the route that answered, for the log and the count.
#[derive(Clone, Debug)]
pub struct Route(pub Arc<str>);

/// Answers requests. Clones share everything.
#[derive(Clone, Debug)]
pub struct Responder {
    gateway: Arc<Gateway>,
    router: Router,
}

/// Counts an open connection while it lives.
pub struct Connected(Arc<Gateway>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.meters.disconnected();
    }
}

impl Responder {
    /// For a gateway.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        let (api, _) = operation::router().nest("/api/v1", api::router()).split_for_parts();
        let router = api
            .merge(pages::router())
            .merge(acts::router())
            .merge(opened::router())
            .merge(api::ui())
            .fallback(async || Problem::NotFound("there is nothing at this path".to_owned()))
            .method_not_allowed_fallback(async || Problem::Method)
            .layer(axum::middleware::from_fn(remember_route))
            .with_state(Arc::clone(&gateway));
        Self { gateway, router }
    }

    /// Counts a connection.
    pub fn connected(&self) -> Connected {
        self.gateway.meters.connected();
        Connected(Arc::clone(&self.gateway))
    }

    /// Answers one request.
    pub async fn respond<B>(&self, peer: Peer, request: Request<B>) -> Response
    where
        B: HttpBody<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if inbound::is_call(request.uri().path()) {
            return inbound::call(&self.gateway, peer, request).await;
        }
        let started = Instant::now();
        let method = request.method().clone();
        let id = RequestId::of(request.headers(), || self.gateway.clock.uuid());
        let mut response = self.routed(peer, request, &id).await;
        let problem = response.extensions_mut().remove::<Arc<Problem>>();
        if let Some(problem) = problem {
            let allow = response.headers_mut().remove(ALLOW);
            let route = response.extensions_mut().remove::<Route>();
            response = problem.respond(id.as_str());
            if let Some(allow) = allow {
                response.headers_mut().insert(ALLOW, allow);
            }
            if let Some(route) = route {
                response.extensions_mut().insert(route);
            }
        }
        secure(response.headers_mut(), &id);
        let route = response.extensions_mut().remove::<Route>().map_or_else(|| Arc::from("other"), |route| route.0);
        let (status, took) = (response.status(), started.elapsed());
        metrics::http(&route, status.as_u16());
        log(&method, &route, status, took, &id);
        response
    }

    async fn routed<B>(&self, peer: Peer, request: Request<B>, id: &RequestId) -> Response
    where
        B: HttpBody<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        use axum::response::IntoResponse as _;
        let live = self.gateway.live();
        let caller = Caller::of(peer, request.headers(), &live.trusted_proxies);
        if caller.via == Via::Undeclared {
            self.gateway.warn_of_undeclared_proxy(peer.address);
        }
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(caller);
        parts.extensions.insert(id.clone());
        let limited = http_body_util::Limited::new(body, API_BODY);
        let body = match tokio::time::timeout(live.body_timeout, limited.collect()).await {
            Err(_elapsed) => return Problem::Slow.into_response(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return Problem::TooLarge(API_BODY).into_response();
            }
            Ok(Err(_)) => return Problem::Bad("the body broke off".to_owned()).into_response(),
            Ok(Ok(body)) => body.to_bytes(),
        };
        match self.router.clone().oneshot(Request::from_parts(parts, Body::from(body))).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Carries the matched route's template from the request to the response.
async fn remember_route(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| Route(path.as_str().into()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// What every answer carries.
pub fn secure(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: browsers would then send `Origin: null` with a form of our own pages. The token in a form's
    // address stays within this origin.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.insert(REQUEST_ID, id.0.clone());
}

/// One line a request: templates and ids, never what was in it.
pub fn log(method: &http::Method, route: &str, status: StatusCode, took: std::time::Duration, id: &RequestId) {
    let (status, millis, id) = (status.as_u16(), took.as_millis(), id.as_str());
    if status >= 500 {
        tracing::warn!(%method, route, status, millis, id, "request");
    } else if route == "/healthz" || route == "/readyz" || route == "/metrics" || route == inbound::ROUTE {
        tracing::debug!(%method, route, status, millis, id, "request");
    } else {
        tracing::info!(%method, route, status, millis, id, "request");
    }
}
