//! What is kept of a person, and removing it. Only for tokens that may do everything.

use std::path::Path;

use axum::response::Response;
use leadgate_core::ids::{ContactId, SubmissionId};
use leadgate_core::text;
use serde::Deserialize;

use super::auth::{Access, Admin};
use super::extract::{Id, Json, Query, ok};
use super::leads::identity;
use crate::erasing::{self, Wanted};
use crate::http::problem::Problem;
use crate::secrets;

/// The longest reason.
const REASON_BYTES: usize = 1000;

pub async fn footprint(Admin(access): Admin, Id(id): Id<ContactId>, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.footprint(id).await?.ok_or_else(|| Problem::missing("contact"))?)
}

pub async fn export(Admin(access): Admin, Id(id): Id<ContactId>, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    let exported = erasing::export(&*access.store, id, access.gateway().clock.now()).await.map_err(|error| failed(&error))?;
    ok(&exported.ok_or_else(|| Problem::missing("contact"))?)
}

/// An erasure to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasing {
    reason: String,
    /// Look through what was kept without a lead, too.
    #[serde(default)]
    search: bool,
    /// Deliveries found there already.
    #[serde(default)]
    also: Vec<SubmissionId>,
    /// Write the database's file anew, whatever its size.
    #[serde(default)]
    rebuild: bool,
}

pub async fn erase(Admin(access): Admin, Id(id): Id<ContactId>, Json(asked): Json<Erasing>) -> Result<Response, Problem> {
    access.unlimited()?;
    let reason = text::present(&asked.reason).ok_or_else(|| Problem::Invalid("`reason`: say why".to_owned()))?;
    let mut also = asked.also;
    if asked.search {
        let contact = access.store.contact(id).await?.ok_or_else(|| Problem::missing("contact"))?;
        let found = erasing::search(&*access.store, &contact.identities, None).await;
        also.extend(found.map_err(|error| failed(&error))?);
    }
    let key = with_data_dir(&access, secrets::erasure_key).await?;
    let wanted = Wanted { contact: id, reason: text::cut(&reason, REASON_BYTES).to_owned(), also, rebuild: asked.rebuild };
    let gateway = access.gateway();
    let act = access.act();
    let done = erasing::erase(&*access.store, &gateway.attachments, &gateway.clock, key, wanted, act).await;
    ok(&done.map_err(|error| failed(&error))??)
}

/// Who was erased; with `identity`, whether this person was.
pub async fn erased(Admin(access): Admin, mut query: Query) -> Result<Response, Problem> {
    access.unlimited()?;
    let asked = identity(&mut query, &access)?;
    query.finish()?;
    let hashes = match asked {
        None => None,
        Some(value) => {
            let known = with_data_dir(&access, secrets::read_erasure_key).await?;
            Some(known.map_or_else(Vec::new, |key| ["phone", "email"].map(|kind| key.hash(kind, &value)).to_vec()))
        }
    };
    ok(&access.store.erased(hashes).await?)
}

/// Reading and writing files blocks.
async fn with_data_dir<T: Send + 'static>(
    access: &Access,
    work: impl FnOnce(&Path) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let data_dir = access.gateway().data_dir.clone();
    let done = tokio::task::spawn_blocking(move || work(&data_dir)).await;
    done.map_err(anyhow::Error::from).and_then(|done| done).map_err(|error| failed(&error))
}

/// By its cause: a database that is away is asked again.
fn failed(error: &anyhow::Error) -> Problem {
    tracing::error!(error = format!("{error:#}"), "what is kept of a person could not be dealt with");
    Problem::Unavailable("this could not be done now; the gateway's log says why. Ask again".to_owned())
}
