//! A bucket of an S3 service, over the HTTP and TLS that the gateway has anyway.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use rustls::{ClientConfig, RootCertStore};

use crate::config::S3;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the service may take to begin its answer, a piece of 8 MB being on its way meanwhile; and to go on with it.
const ANSWER: Duration = Duration::from_secs(30);
/// Tries beside the first, and until when they may begin: a sender waits for this.
const RETRIES: usize = 3;
const RETRY_FOR: Duration = Duration::from_secs(10);
/// Connections kept for the next file.
const IDLE: usize = 16;

/// As people know it.
pub(super) fn name(s3: &S3) -> String {
    let endpoint = s3.endpoint.clone().unwrap_or_else(|| format!("Amazon S3, {}", s3.region));
    match s3.prefix.as_str() {
        "" => format!("the bucket {} at {endpoint}", s3.bucket),
        prefix => format!("the bucket {} ({prefix}) at {endpoint}", s3.bucket),
    }
}

/// Makes the store; asks nobody.
pub(super) fn open(s3: &S3) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        ..BackoffConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_access_key_id(s3.access_key.expose())
        .with_secret_access_key(s3.secret_key.expose())
        // Whether http is allowed was decided with the configuration.
        .with_allow_http(true)
        .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_FOR })
        .with_http_connector(Hyper { encrypted: s3.endpoint.as_deref().is_none_or(|endpoint| endpoint.starts_with("https:")) });
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let bucket = builder.build()?;
    Ok(match s3.prefix.as_str() {
        "" => Arc::new(bucket),
        prefix => Arc::new(PrefixStore::new(bucket, Path::parse(prefix)?)),
    })
}

#[derive(Debug)]
struct Hyper {
    /// Otherwise this machine need not know any certificates.
    encrypted: bool,
}

impl HttpConnector for Hyper {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed = |words: String| object_store::Error::Generic { store: "S3", source: words.into() };
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let provider = rustls::crypto::ring::default_provider();
        let https = if self.encrypted {
            HttpsConnectorBuilder::new().with_provider_and_native_roots(provider).map_err(|error| {
                failed(format!("this machine has no certificates to trust (Debian: apt-get install ca-certificates): {error}"))
            })?
        } else {
            let tls = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
            let tls = tls.map_err(|error| failed(error.to_string()))?.with_root_certificates(RootCertStore::empty());
            HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth())
        };
        let connector = https.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(IDLE)
            .build(connector);
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(Client<HttpsConnector<Tcp>, HttpRequestBody>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = match tokio::time::timeout(ANSWER, self.0.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() => return Err(HttpError::new(HttpErrorKind::Connect, error)),
            Ok(Err(error)) => return Err(HttpError::new(kind(error.source()), error)),
            Err(elapsed) => return Err(HttpError::new(HttpErrorKind::Timeout, elapsed)),
        };
        let (parts, body) = answer.into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(StreamBody::new(Box::pin(frames(body))))))
    }
}

/// A body that may come slowly, and must not stand still.
fn frames(body: Incoming) -> impl Stream<Item = Result<Frame<Bytes>, HttpError>> {
    futures_util::stream::unfold(body, |mut body| async {
        let frame = match tokio::time::timeout(ANSWER, body.frame()).await {
            Ok(frame) => frame?.map_err(|error| HttpError::new(kind(Some(&error)), error)),
            Err(elapsed) => Err(HttpError::new(HttpErrorKind::Timeout, elapsed)),
        };
        Some((frame, body))
    })
}

/// Whether the same request again may go better.
fn kind(error: Option<&(dyn std::error::Error + 'static)>) -> HttpErrorKind {
    let mut next = error;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_closed() || error.is_incomplete_message() || error.is_canceled() {
                return HttpErrorKind::Request;
            }
            if error.is_timeout() {
                return HttpErrorKind::Timeout;
            }
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind as Io;
            match error.kind() {
                Io::TimedOut => return HttpErrorKind::Timeout,
                Io::ConnectionAborted | Io::ConnectionReset | Io::BrokenPipe | Io::UnexpectedEof => {
                    return HttpErrorKind::Interrupted;
                }
                _ => {}
            }
        }
        next = error.source();
    }
    HttpErrorKind::Unknown
}
