//! How the sources and the whole are doing.

use std::borrow::Cow;

use axum::response::Response;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::views::{Scope, Totals};
use serde::Serialize;
use uuid::Uuid;

use super::auth::{Access, Read};
use super::extract::{Query, ok};
use crate::app::Live;
use crate::config::Keeping;
use crate::http::operation::Readiness;
use crate::http::problem::Problem;
use crate::sources::SourceView;

async fn views(access: &Access, live: &Live) -> Result<Vec<SourceView>, Problem> {
    let mut health = access.store.health().await?;
    let with_url = access.has(Scope::Admin);
    let seen = live.sources.iter().chain(&live.removed).filter(|source| access.sees(&source.id));
    let mut health = |id: &SourceId| health.iter().position(|health| health.source == *id).map(|at| health.swap_remove(at));
    let mut views: Vec<SourceView> = seen
        .map(|source| SourceView {
            id: source.id.clone(),
            kind: Cow::Borrowed(source.kind),
            enabled: source.enabled,
            url: with_url.then(|| format!("{}{}", live.base_url, source.path())),
            script: source.push.script().map(|script| script.tag(&live.base_url, source.id.as_str())),
            tokens: source.tokens(),
            health: health(&source.id),
        })
        .collect();
    views.extend(live.pulls.iter().filter(|pull| access.sees(&pull.id)).map(|pull| SourceView {
        id: pull.id.clone(),
        kind: Cow::Borrowed(pull.kind),
        enabled: pull.enabled,
        url: None,
        script: None,
        tokens: 0,
        health: health(&pull.id),
    }));
    Ok(views)
}

pub async fn list(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    let live = access.gateway().live();
    ok(&views(&access, &live).await?)
}

pub async fn nodes(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.nodes().await?)
}

/// Everything on one screen.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    node: Uuid,
    company: String,
    country: String,
    time_zone: String,
    language: &'static str,
    started_at: Timestamp,
    now: Timestamp,
    uptime_seconds: i64,
    ready: Readiness,
    waiting: usize,
    #[serde(flatten)]
    totals: Totals,
    keeping: Keeping,
    space_low: bool,
    sources: Vec<SourceView>,
}

pub async fn status(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    let gateway = access.gateway();
    let (live, now) = (gateway.live(), gateway.clock.now());
    ok(&Status {
        version: env!("CARGO_PKG_VERSION"),
        node: access.store.installation().await?,
        company: live.company.clone(),
        country: live.country.to_string(),
        time_zone: live.time_zone.iana_name().unwrap_or("local").to_owned(),
        language: live.language.as_str(),
        started_at: gateway.started_at,
        now,
        uptime_seconds: now.as_second() - gateway.started_at.as_second(),
        ready: Readiness::of(gateway).await,
        waiting: gateway.intake.writes().waiting(),
        totals: access.store.totals().await?,
        keeping: live.keeping.clone(),
        space_low: gateway.space.is_low(),
        sources: views(&access, &live).await?,
    })
}
