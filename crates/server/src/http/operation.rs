//! What operators watch: whether the process is up, whether it can take leads, and how much of everything there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::peer::Caller;
use super::problem::Problem;
use crate::app::Gateway;
use crate::housekeeping::DISK_FLOOR;

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// Whether leads can be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response {
    let readiness = Readiness::of(&gateway).await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if readiness.is_ready() { "ready" } else { "not ready" };
    (status, Json(serde_json::json!({ "status": word, "checks": readiness }))).into_response()
}

async fn metrics(State(gateway): State<Arc<Gateway>>, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    if !caller.is_operator() {
        return Err(Problem::Elsewhere);
    }
    let Some(prometheus) = &gateway.prometheus else {
        return Err(Problem::Unavailable("metrics are off: see the log of the start".to_owned()));
    };
    gateway.measure();
    let mut response = prometheus.render().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}
