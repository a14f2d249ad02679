//! How the sources and the whole are doing.

use std::borrow::Cow;

use axum::response::Response;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::views::{NodeView, Scope, Totals};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Access, Read};
use super::extract::{Query, ok};
use crate::app::Live;
use crate::config::Keeping;
use crate::http::operation::Readiness;
use crate::http::problem::Problem;
use crate::sources::SourceView;
use crate::tls::CertificateView;

async fn views(access: &Access, live: &Live) -> Result<Vec<SourceView>, Problem> {
    let mut health = access.store.health(access.gateway().clock.now()).await?;
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

/// Lists the sources and how they are doing.
///
/// Their URLs are shown to the scope `admin` only.
#[utoipa::path(
    get, path = "/sources", operation_id = "list_sources", tag = "sources", security(("token" = ["read"])),
    responses((status = 200, description = "Every source", body = Vec<SourceView>)),
)]
pub async fn list(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    let live = access.gateway().live();
    ok(&views(&access, &live).await?)
}

/// Lists the gateways of this database.
#[utoipa::path(
    get, path = "/nodes", operation_id = "list_nodes", tag = "operation", security(("token" = ["read"])),
    responses((status = 200, description = "Every gateway", body = Vec<NodeView>)),
)]
pub async fn nodes(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.nodes().await?)
}

/// Everything on one screen.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// Of the program.
    version: &'static str,
    /// The installation.
    node: Uuid,
    /// As customers see it.
    company: String,
    /// ISO 3166, two letters.
    country: String,
    /// IANA's name, or `local`.
    time_zone: String,
    /// `ru` or `en`.
    language: &'static str,
    /// When the gateway was started.
    started_at: Timestamp,
    /// Its clock.
    now: Timestamp,
    /// How long it runs.
    uptime_seconds: i64,
    /// Whether leads can be taken now.
    ready: Readiness,
    /// Submissions that wait for their commit.
    waiting: usize,
    /// The certificate of the TLS door; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateView>,
    #[serde(flatten)]
    totals: Totals,
    /// What is kept, for how long.
    keeping: Keeping,
    /// Whether files are refused because little space is free.
    space_low: bool,
    /// The sources.
    sources: Vec<SourceView>,
}

/// Everything on one screen.
#[utoipa::path(
    get, path = "/status", operation_id = "status", tag = "operation", security(("token" = ["read"])),
    responses((status = 200, description = "How it is doing", body = Status)),
)]
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
        certificate: gateway.certificate(),
        totals: access.store.totals().await?,
        keeping: live.keeping.clone(),
        space_low: gateway.space.is_low(),
        sources: views(&access, &live).await?,
    })
}
