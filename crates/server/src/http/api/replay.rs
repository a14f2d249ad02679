//! What was kept, recorded again: released, dropped, replayed. One call is one batch; `next` of the answer goes into `after`
//! of the next call.

use axum::response::Response;

use super::auth::{Access, Admin};
use super::extract::{Json, ok};
use crate::http::problem::Problem;
use crate::replay::{self, Asked, Batch, Deed, Readers};

/// The most ids of one call.
const MOST_IDS: usize = 1000;

/// Lets deliveries in.
///
/// One call is one batch: while the answer has `next`, ask again with it as `after`.
#[utoipa::path(
    post, path = "/quarantine/release", operation_id = "release", tag = "submissions", security(("token" = ["admin"])),
    request_body = Asked,
    responses((status = 200, description = "What became of each", body = Batch)),
)]
pub async fn release(Admin(access): Admin, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    run(&access, asked, Deed::Release).await
}

/// Drops deliveries.
///
/// They are kept as `noted`, with who said so; no replay reads them again. One call is one batch, as with `release`.
#[utoipa::path(
    post, path = "/quarantine/drop", operation_id = "drop", tag = "submissions", security(("token" = ["admin"])),
    request_body = Asked,
    responses((status = 200, description = "What became of each", body = Batch)),
)]
pub async fn drop(Admin(access): Admin, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    run(&access, asked, Deed::Drop).await
}

/// Reads deliveries again by the rules of today.
///
/// Nothing outward follows from it. One call is one batch, as with `release`; with `dry` nothing is changed.
#[utoipa::path(
    post, path = "/replay", operation_id = "replay", tag = "submissions", security(("token" = ["admin"])),
    request_body = Asked,
    responses((status = 200, description = "What became of each", body = Batch)),
)]
pub async fn replay(Admin(access): Admin, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    let deed = if asked.reattach { Deed::Reattach } else { Deed::Replay };
    run(&access, asked, deed).await
}

async fn run(access: &Access, mut asked: Asked, deed: Deed) -> Result<Response, Problem> {
    if asked.reattach && deed != Deed::Reattach {
        return Err(Problem::Invalid("`reattach` belongs to a replay".to_owned()));
    }
    if asked.ids.len() > MOST_IDS {
        return Err(Problem::Invalid(format!("at most {MOST_IDS} ids at once")));
    }
    if let Some(id) = asked.r#as.as_ref().filter(|id| !access.sees(id)) {
        return Err(Problem::Invalid(format!("`as`: there is no source {:?}", id.as_str())));
    }
    asked.sources = access.sources(asked.sources.take().filter(|sources| !sources.is_empty()));
    let live = access.gateway().live();
    ok(&replay::batch(&*access.store, &Readers::of_live(&live), &asked, deed, &access.act()).await?)
}
