//! Senders whose deliveries are kept without a lead.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use leadgate_core::senders::{IgnoredSender, Sender};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Access, Read, Write};
use super::extract::{Id, Json, Query, ok};
use crate::http::problem::Problem;

/// Lists the senders that are ignored, the newest first.
#[utoipa::path(
    get, path = "/senders", operation_id = "list_ignored_senders", tag = "submissions", security(("token" = ["read"])),
    responses((status = 200, description = "The senders", body = Vec<IgnoredSender>)),
)]
pub async fn list(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.ignored_senders().await?)
}

/// Whom the gateway ignores now.
#[derive(Serialize, ToSchema)]
pub struct Ignored {
    #[serde(flatten)]
    sender: Sender,
    /// Whether it was not ignored before.
    new: bool,
}

/// Whom to ignore: a phone, an e-mail address or a domain, as a person types it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ignoring {
    /// As a person types it.
    sender: String,
}

/// Ignores a sender: what comes from it later is kept without a lead.
#[utoipa::path(
    post, path = "/senders", operation_id = "ignore_sender", tag = "submissions", security(("token" = ["write"])),
    request_body = Ignoring,
    responses(
        (status = 200, description = "It was ignored before", body = Ignored),
        (status = 201, description = "It is ignored from now on", body = Ignored),
    ),
)]
pub async fn ignore(Write(access): Write, Json(ignoring): Json<Ignoring>) -> Result<Response, Problem> {
    access.unlimited()?;
    let sender = read(&ignoring.sender, &access).map_err(Problem::Invalid)?;
    let new = access.store.ignore_sender(sender.clone(), access.act()).await?;
    let mut response = ok(&Ignored { sender, new })?;
    *response.status_mut() = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(response)
}

/// No longer ignores a sender.
#[utoipa::path(
    delete, path = "/senders/{sender}", operation_id = "forget_sender", tag = "submissions", security(("token" = ["write"])),
    params(("sender" = String, Path, description = "The phone, address or domain")),
    responses((status = 204, description = "It is ignored no longer")),
)]
pub async fn forget(Write(access): Write, Id(typed): Id<String>) -> Result<Response, Problem> {
    access.unlimited()?;
    let sender = read(&typed, &access).map_err(Problem::Bad)?;
    if access.store.forget_sender(sender).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::missing("ignored sender"))
    }
}

fn read(typed: &str, access: &Access) -> Result<Sender, String> {
    Sender::read(typed, Some(access.gateway().live().country))
}
