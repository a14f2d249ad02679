//! Senders whose deliveries are kept without a lead.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use leadgate_core::senders::Sender;
use serde::Deserialize;

use super::auth::{Access, Read, Write};
use super::extract::{Id, Json, Query, ok};
use crate::http::problem::Problem;

pub async fn list(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.ignored_senders().await?)
}

/// Whom to ignore: a phone, an e-mail address or a domain, as a person types it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignoring {
    sender: String,
}

pub async fn ignore(Write(access): Write, Json(ignoring): Json<Ignoring>) -> Result<Response, Problem> {
    access.unlimited()?;
    let sender = read(&access, &ignoring.sender)?;
    let new = access.store.ignore_sender(sender.clone(), access.act()).await?;
    let mut response = ok(&serde_json::json!({ "kind": sender.kind, "value": sender.value, "new": new }))?;
    *response.status_mut() = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(response)
}

pub async fn forget(Write(access): Write, Id(typed): Id<String>) -> Result<Response, Problem> {
    access.unlimited()?;
    let sender = read(&access, &typed)?;
    if access.store.forget_sender(sender).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::missing("ignored sender"))
    }
}

fn read(access: &Access, typed: &str) -> Result<Sender, Problem> {
    Sender::read(typed, Some(access.gateway().live().country)).map_err(Problem::Invalid)
}
