//! How the sources and the whole are doing.

use std::borrow::Cow;

use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::AlarmView;
use leadgate_core::ports::Ask;
use leadgate_core::views::{NodeView, Scope, SourceNote, Totals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Access, Read, Write};
use super::extract::{Id, Json, Query, ok};
use crate::app::Live;
use crate::config::Keeping;
use crate::http::operation::Readiness;
use crate::http::problem::Problem;
use crate::outbox::OutboxTarget;
use crate::pulls::Told;
use crate::sources::{Reading, SourceView};
use crate::tls::CertificateView;

async fn views(access: &Access, live: &Live) -> Result<Vec<SourceView>, Problem> {
    let mut health = access.store.health(access.gateway().clock.now()).await?;
    let notes = access.store.source_notes().await?;
    let with_url = access.has(Scope::Admin);
    let seen = live.sources.iter().chain(&live.removed).filter(|source| access.sees(&source.id));
    let mut health = |id: &SourceId| health.iter().position(|health| health.source == *id).map(|at| health.swap_remove(at));
    let mut views: Vec<SourceView> = seen
        .map(|source| SourceView {
            id: source.id.clone(),
            kind: Cow::Borrowed(source.kind),
            enabled: source.enabled,
            is_asked: false,
            url: with_url.then(|| format!("{}{}", live.base_url, source.path())),
            script: source.push.script().map(|script| script.tag(&live.base_url, source.id.as_str())),
            tokens: source.tokens(),
            health: health(&source.id),
            reading: None,
        })
        .collect();
    views.extend(live.pulls.iter().filter(|pull| access.sees(&pull.id)).map(|pull| SourceView {
        id: pull.id.clone(),
        kind: Cow::Borrowed(pull.kind),
        enabled: pull.enabled,
        is_asked: true,
        url: None,
        script: None,
        tokens: 0,
        health: health(&pull.id),
        reading: reading(access, &pull.id, &notes),
    }));
    Ok(views)
}

/// How reading a source goes: what this gateway knows itself is newer than what is kept.
fn reading(access: &Access, id: &SourceId, notes: &[SourceNote]) -> Option<Reading> {
    let kept = Reading::of(id, notes);
    let Some(Told { report, at }) = access.gateway().desk.told(id) else { return kept };
    Some(Reading { report, reported_at: Some(at), ..kept.unwrap_or_default() })
}

/// What is to be read of a source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Backfilling)]
pub struct Wanted {
    /// What came on this day or later, by the calendar of the source's own server.
    #[schema(value_type = String, format = Date)]
    since: Date,
}

/// Reads older things of a source that the gateway asks.
///
/// They are read in the background, beside what is new, and nothing outward follows from them. What was read before is known
/// again. `reading.ask` stands until it is begun; from then on `reading.folders` tell how far it is.
#[utoipa::path(
    post, path = "/sources/{id}/backfill", operation_id = "backfill_source", tag = "sources", security(("token" = ["write"])),
    params(("id" = String, Path, description = "The source")),
    request_body = Wanted,
    responses((status = 200, description = "What is known of it now", body = Reading)),
)]
pub async fn backfill(Write(access): Write, Id(id): Id<SourceId>, Json(wanted): Json<Wanted>) -> Result<Response, Problem> {
    let live = access.gateway().live();
    let pull = live.pulls.iter().find(|pull| pull.id == id && access.sees(&id));
    let Some(pull) = pull else {
        let words = if live.source(id.as_str()).is_some() && access.sees(&id) {
            format!("{id} is called by its senders: there is nothing to read")
        } else {
            format!("there is no source {id}")
        };
        return Err(Problem::NotFound(words));
    };
    if !pull.enabled {
        return Err(Problem::Conflict(
            "switched-off",
            format!("the source {id} is switched off (enabled = false): switch it on first"),
        ));
    }
    let now = access.gateway().clock.now();
    access.store.ask_source(&id, Some(Ask::Backfill { since: wanted.since }), now).await?;
    access.gateway().desk.ask();
    tracing::info!(source = %id, since = %wanted.since, by = access.act().actor, "older things are asked for");
    let notes = access.store.source_notes().await?;
    ok(&reading(&access, &id, &notes).unwrap_or_default())
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
    /// Who is delivered to, and what each is owed.
    outbox: Vec<OutboxTarget>,
    /// What is wrong now, the oldest first.
    alarms: Vec<AlarmView>,
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
        outbox: super::outbox::all_targets(&access).await?,
        alarms: access.store.alarms().await?,
    })
}
