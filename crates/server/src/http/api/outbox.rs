//! What is owed outward, and what is wrong.

use std::collections::BTreeSet;

use axum::response::Response;
use leadgate_core::ids::LeadId;
use leadgate_core::onward::{AlarmView, JobDetail, JobFilter, JobId, JobState, JobView};
use leadgate_core::ports::StoreError;
use leadgate_core::views::Page;

use super::auth::{Access, Read, Write};
use super::describe::Paging;
use super::extract::{Id, Json, Query, ok, paged};
use crate::http::problem::Problem;
use crate::outbox::{self, AlarmChoice, Asked, Changed, Deed, OutboxTarget};

/// Lists the deliveries that are owed or were, newest first.
///
/// Each is one event for one receiver. What is done is listed until its retention ends.
#[utoipa::path(
    get, path = "/outbox", operation_id = "list_outbox", tag = "outbox", security(("token" = ["read"])),
    params(
        ("state" = Option<Vec<JobState>>, Query, description = "In one of these states; several, also with commas"),
        ("target" = Option<String>, Query, description = "Of this target: `mail`, `webhook:<id>`, `telegram:<source>`"),
        ("lead" = Option<LeadId>, Query, description = "Of this lead"),
        Paging,
    ),
    responses((status = 200, description = "A page of deliveries", body = Page<JobView>)),
)]
pub async fn list(Read(access): Read, mut query: Query) -> Result<Response, Problem> {
    access.unlimited()?;
    let filter = JobFilter {
        states: query.all("state").iter().flat_map(|list| list.split(',')).map(state).collect::<Result<_, _>>()?,
        target: query.text("target")?,
        id: None,
        lead: query.parsed("lead", "a lead's number", |value| value.parse::<LeadId>().ok())?,
    };
    let at = query.page()?;
    query.finish()?;
    paged(access.store.jobs(filter, at).await)
}

fn state(text: &str) -> Result<JobState, Problem> {
    JobState::parse(text).ok_or_else(|| {
        let known = JobState::ALL.map(JobState::as_str).join(", ");
        Problem::Bad(format!("`state`: {text:?} is none of {known}"))
    })
}

/// Shows one delivery, with what it is called where it went.
#[utoipa::path(
    get, path = "/outbox/{id}", operation_id = "show_outbox", tag = "outbox", security(("token" = ["read"])),
    params(("id" = JobId, Path, description = "The delivery's id: the `webhook-id` a receiver gets")),
    responses((status = 200, description = "The delivery", body = JobDetail)),
)]
pub async fn one(Read(access): Read, Id(id): Id<JobId>) -> Result<Response, Problem> {
    access.unlimited()?;
    ok(&access.store.job(id).await?.ok_or_else(|| Problem::missing("delivery"))?)
}

/// Delivers at once what waits, was given up, is held or was dropped.
///
/// Its time begins anew, and a target that is left alone for a while because it failed is asked at once. `ids`, or what the
/// deliveries have in common; never everything. Without `states`, what was dropped stays dropped.
#[utoipa::path(
    post, path = "/outbox/retry", operation_id = "retry_outbox", tag = "outbox", security(("token" = ["write"])),
    request_body = Asked,
    responses((status = 200, description = "How many are due now", body = Changed)),
)]
pub async fn retry(Write(access): Write, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    let done = change(&access, &asked, Deed::Retry).await?;
    let concerned = concerned(&access, &asked).await?;
    access.gateway().onward.ask_again(concerned);
    ok(&done)
}

/// Gives up what waits, is held or was given up: it is not delivered.
///
/// `ids`, or what the deliveries have in common; never everything. They stay in the list, as dropped, until their retention ends.
#[utoipa::path(
    post, path = "/outbox/drop", operation_id = "drop_outbox", tag = "outbox", security(("token" = ["write"])),
    request_body = Asked,
    responses((status = 200, description = "How many were dropped", body = Changed)),
)]
pub async fn drop(Write(access): Write, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    ok(&change(&access, &asked, Deed::Drop).await?)
}

async fn change(access: &Access, asked: &Asked, deed: Deed) -> Result<Changed, Problem> {
    access.unlimited()?;
    if let Some(problem) = asked.problem(deed) {
        return Err(Problem::Invalid(problem));
    }
    let done = outbox::change(&*access.store, asked, deed, access.gateway().clock.now()).await?;
    tracing::info!(?deed, count = done.count, by = access.act().actor, "a person changed what is owed");
    Ok(done)
}

/// The targets that what was asked for goes to: all of them, where it names none.
async fn concerned(access: &Access, asked: &Asked) -> Result<BTreeSet<String>, StoreError> {
    if let Some(target) = &asked.target {
        return Ok(BTreeSet::from([target.clone()]));
    }
    let mut targets = BTreeSet::new();
    for id in &asked.ids {
        targets.extend(access.store.job(*id).await?.map(|detail| detail.job.target));
    }
    if asked.ids.is_empty() {
        targets.extend(access.gateway().onward.targets().into_iter().map(|view| view.target));
    }
    Ok(targets)
}

/// Lists the targets: how each does, and what it is owed.
#[utoipa::path(
    get, path = "/outbox/targets", operation_id = "list_outbox_targets", tag = "outbox", security(("token" = ["read"])),
    responses((status = 200, description = "Every target", body = Vec<OutboxTarget>)),
)]
pub async fn targets(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&all_targets(&access).await?)
}

/// Every target, as this gateway sees it.
pub async fn all_targets(access: &Access) -> Result<Vec<OutboxTarget>, StoreError> {
    Ok(outbox::targets(access.gateway().onward.targets(), access.store.job_counts().await?))
}

/// Lists what is wrong now, the oldest first.
///
/// An alarm stands until what it tells of is over.
#[utoipa::path(
    get, path = "/alarms", operation_id = "list_alarms", tag = "operation", security(("token" = ["read"])),
    responses((status = 200, description = "Every alarm that stands", body = Vec<AlarmView>)),
)]
pub async fn alarms(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.alarms().await?)
}

/// Takes alarms back, because a person knows that all is well.
///
/// Nobody is told. What the gateway still finds wrong is an alarm again.
#[utoipa::path(
    post, path = "/alarms/clear", operation_id = "clear_alarms", tag = "operation", security(("token" = ["write"])),
    request_body = AlarmChoice,
    responses((status = 200, description = "How many there were", body = Changed)),
)]
pub async fn clear_alarms(Write(access): Write, Json(choice): Json<AlarmChoice>) -> Result<Response, Problem> {
    access.unlimited()?;
    let done = outbox::clear_alarms(&*access.store, &choice).await?;
    tracing::info!(key = choice.key, count = done.count, by = access.act().actor, "a person took alarms back");
    ok(&done)
}
