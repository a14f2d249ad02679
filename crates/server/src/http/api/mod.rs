//! The JSON API under `/api/v1`: bearer tokens, one screen of code an endpoint, `application/problem+json` for everything
//! that is no success.

mod admin;
mod auth;
mod contacts;
mod erasing;
mod extract;
mod files;
mod leads;
mod replay;
mod senders;
mod sources;
mod submissions;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

pub use auth::TokenCache;

use super::problem::Problem;
use crate::app::Gateway;

/// The routes below `/api/v1`.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/leads", get(leads::list))
        .route("/leads/{id}", get(leads::one).patch(leads::patch))
        .route("/leads/{id}/close", post(leads::close))
        .route("/leads/{id}/reopen", post(leads::reopen))
        .route("/leads/{id}/take", post(leads::take))
        .route("/leads/{id}/notes", post(leads::note))
        .route("/contacts", get(contacts::list))
        .route("/contacts/{id}", get(contacts::one))
        .route("/contacts/{id}/take", post(contacts::take))
        .route("/contacts/{id}/footprint", get(erasing::footprint))
        .route("/contacts/{id}/export", get(erasing::export))
        .route("/contacts/{id}/erase", post(erasing::erase))
        .route("/erased", get(erasing::erased))
        .route("/activities/{id}/detach", post(contacts::detach))
        .route("/moves/{id}/undo", post(contacts::undo))
        .route("/reviews", get(contacts::reviews))
        .route("/submissions", get(submissions::list))
        .route("/submissions/{id}", get(submissions::one))
        .route("/submissions/{id}/raw", get(submissions::raw))
        .route("/quarantine", get(submissions::quarantine))
        .route("/quarantine/release", post(replay::release))
        .route("/quarantine/drop", post(replay::drop))
        .route("/replay", post(replay::replay))
        .route("/senders", get(senders::list).post(senders::ignore))
        .route("/senders/{sender}", delete(senders::forget))
        .route("/attachments/{sha256}", get(files::attachment))
        .route("/sources", get(sources::list))
        .route("/nodes", get(sources::nodes))
        .route("/status", get(sources::status))
        .route("/tokens", get(admin::tokens).post(admin::add_token))
        .route("/tokens/{name}", delete(admin::revoke_token))
        .route("/admin/reload", post(admin::reload))
        .fallback(async || Problem::NotFound("the API has nothing at this path".to_owned()))
        // Bodies come here whole, read within their limit already.
        .layer(DefaultBodyLimit::disable())
}
