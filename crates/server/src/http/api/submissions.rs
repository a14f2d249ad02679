//! What arrived, as it arrived.

use axum::response::Response;
use leadgate_core::ids::SubmissionId;
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::Codec;
use leadgate_core::views::{SubmissionDetail, SubmissionFilter};

use super::auth::{Access, Admin, Read};
use super::extract::{Id, Query, ok, paged};
use super::files::download;
use crate::http::problem::Problem;

/// The most bytes a kept body may unpack to.
const UNPACKED: usize = 64 << 20;

pub async fn list(Read(access): Read, mut query: Query) -> Result<Response, Problem> {
    let outcomes = query
        .all("outcome")
        .iter()
        .flat_map(|list| list.split(','))
        .filter(|o| !o.is_empty())
        .map(outcome)
        .collect::<Result<_, _>>()?;
    listed(&access, query, outcomes).await
}

pub async fn quarantine(Read(access): Read, query: Query) -> Result<Response, Problem> {
    listed(&access, query, vec![Outcome::Quarantined]).await
}

async fn listed(access: &Access, mut query: Query, outcomes: Vec<Outcome>) -> Result<Response, Problem> {
    let filter = SubmissionFilter { outcomes, sources: access.sources(query.sources()?), since: query.since()? };
    let at = query.page()?;
    query.finish()?;
    paged(access.store.submissions(filter, at).await)
}

fn outcome(text: &str) -> Result<Outcome, Problem> {
    Outcome::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        Problem::Bad(format!("`outcome`: {text:?} is none of {}", known.join(", ")))
    })
}

pub async fn one(Read(access): Read, Id(id): Id<SubmissionId>) -> Result<Response, Problem> {
    ok(&visible(&access, id).await?)
}

async fn visible(access: &Access, id: SubmissionId) -> Result<SubmissionDetail, Problem> {
    let found = access.store.submission(id).await?;
    found.filter(|found| access.sees(&found.submission.source)).ok_or_else(|| Problem::missing("submission"))
}

pub async fn raw(Admin(access): Admin, Id(id): Id<SubmissionId>) -> Result<Response, Problem> {
    let kept = visible(&access, id).await?;
    if let Some(at) = kept.emptied_at {
        return Err(Problem::NotFound(format!("the bytes of this delivery went at {at}")));
    }
    let bytes = match kept.codec {
        Codec::Plain => kept.raw,
        Codec::Zstd => zstd::bulk::decompress(&kept.raw, UNPACKED).map_err(|error| {
            tracing::error!(submission = %id, %error, "kept bytes cannot be unpacked");
            Problem::Internal
        })?,
    };
    Ok(download(bytes.into(), None, &format!("{id}.raw")))
}
