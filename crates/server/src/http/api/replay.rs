//! What was kept, recorded again: released, dropped, replayed. One call is one batch; `next` of the answer goes into `after`
//! of the next call.

use axum::response::Response;

use super::auth::{Access, Admin};
use super::extract::{Json, ok};
use crate::http::problem::Problem;
use crate::replay::{self, Asked, Deed, Readers};

/// The most ids of one call.
const MOST_IDS: usize = 1000;

pub async fn release(Admin(access): Admin, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    run(&access, asked, Deed::Release).await
}

pub async fn drop(Admin(access): Admin, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    run(&access, asked, Deed::Drop).await
}

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
