//! What operators watch: whether the process is up, whether it can take leads, and how much of everything there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::peer::Caller;
use super::problem::{Problem, Told};
use crate::app::Gateway;
use crate::housekeeping::DISK_FLOOR;

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "operation",
    responses((status = 200, description = "It runs", body = String, content_type = "text/plain")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether leads can be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The database is open and answers.
    pub database_readable: bool,
    /// The last write was committed.
    pub database_writable: bool,
    /// There is space left.
    pub disk_space: bool,
}

impl Readiness {
    /// Looks.
    pub async fn of(gateway: &Gateway) -> Self {
        let database_readable = match gateway.store_now() {
            Some(store) => store.ready().await.is_ok(),
            None => false,
        };
        Self {
            database_readable,
            database_writable: !gateway.intake.writes().failing(),
            disk_space: gateway.disk_free.load(Ordering::Relaxed) >= DISK_FLOOR,
        }
    }

    /// All is well.
    pub fn is_ready(self) -> bool {
        self.database_readable && self.database_writable && self.disk_space
    }
}

/// Whether leads can be taken now, and what each look found.
#[derive(Serialize, ToSchema)]
struct Checks {
    /// `ready` or `not ready`.
    #[schema(value_type = String)]
    status: &'static str,
    /// What was looked at.
    checks: Readiness,
}

/// Whether leads can be taken now.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "operation",
    responses(
        (status = 200, description = "They can", body = Checks),
        (status = 503, description = "They cannot", body = Checks),
    ),
)]
async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response {
    let readiness = Readiness::of(&gateway).await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if readiness.is_ready() { "ready" } else { "not ready" };
    (status, Json(Checks { status: word, checks: readiness })).into_response()
}

/// How much of everything there is, for Prometheus.
///
/// Answers on this machine and through a declared proxy.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operation",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        (status = 403, description = "Not from there", body = Told, content_type = "application/problem+json"),
        (status = 503, description = "They are off", body = Told, content_type = "application/problem+json"),
    ),
)]
async fn metrics(State(gateway): State<Arc<Gateway>>, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    caller.may_operate()?;
    let Some(prometheus) = &gateway.prometheus else {
        return Err(Problem::Unavailable("metrics are off: see the log of the start".to_owned()));
    };
    gateway.measure();
    let mut response = prometheus.render().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}
