//! The JSON API under `/api/v1`: bearer tokens, one screen of code an endpoint, `application/problem+json` for everything
//! that is no success. A route's description stands at its handler; [`describe`] makes the document of them.

mod admin;
mod auth;
mod contacts;
pub mod describe;
mod erasing;
mod extract;
mod files;
mod leads;
mod outbox;
mod replay;
mod senders;
mod sources;
mod submissions;
mod telegram;
mod ui;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::TokenCache;
pub use ui::router as ui;

use super::problem::Problem;
use crate::app::Gateway;

/// The routes below `/api/v1`, with their descriptions. A route is added by `routes!` only: `route` would leave it out of the
/// document.
pub fn router() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(leads::list))
        .routes(routes!(leads::one, leads::patch))
        .routes(routes!(leads::close))
        .routes(routes!(leads::reopen))
        .routes(routes!(leads::take))
        .routes(routes!(leads::note))
        .routes(routes!(leads::reply))
        .routes(routes!(contacts::list))
        .routes(routes!(contacts::one))
        .routes(routes!(contacts::take))
        .routes(routes!(contacts::reachable))
        .routes(routes!(erasing::footprint))
        .routes(routes!(erasing::export))
        .routes(routes!(erasing::erase))
        .routes(routes!(erasing::erased))
        .routes(routes!(contacts::detach))
        .routes(routes!(contacts::undo))
        .routes(routes!(contacts::reviews))
        .routes(routes!(submissions::list))
        .routes(routes!(submissions::one))
        .routes(routes!(submissions::raw))
        .routes(routes!(submissions::quarantine))
        .routes(routes!(replay::release))
        .routes(routes!(replay::drop))
        .routes(routes!(replay::replay))
        .routes(routes!(senders::list, senders::ignore))
        .routes(routes!(senders::forget))
        .routes(routes!(files::attachment))
        .routes(routes!(telegram::list, telegram::add))
        .routes(routes!(telegram::remove))
        .routes(routes!(telegram::accounts))
        .routes(routes!(telegram::link))
        .routes(routes!(telegram::unlink))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::targets))
        .routes(routes!(outbox::retry))
        .routes(routes!(outbox::drop))
        .routes(routes!(outbox::one))
        .routes(routes!(outbox::alarms))
        .routes(routes!(outbox::clear_alarms))
        .routes(routes!(sources::list))
        .routes(routes!(sources::backfill))
        .routes(routes!(sources::nodes))
        .routes(routes!(sources::status))
        .routes(routes!(admin::tokens, admin::add_token))
        .routes(routes!(admin::revoke_token))
        .routes(routes!(admin::reload))
        .fallback(async || Problem::NotFound("the API has nothing at this path".to_owned()))
        // Bodies come here whole, read within their limit already.
        .layer(DefaultBodyLimit::disable())
}
