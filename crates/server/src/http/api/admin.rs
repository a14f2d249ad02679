//! Tokens, and reading the configuration again.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::NewToken;
use leadgate_core::text;
use leadgate_core::views::Scope;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::auth::Admin;
use super::extract::{Id, Json, Query, ok};
use crate::app::is_local;
use crate::http::problem::Problem;
use crate::secrets::new_api_token;

/// The longest name of a token.
const NAME_BYTES: usize = 60;

pub async fn tokens(Admin(access): Admin, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.tokens().await?)
}

/// A token to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    name: String,
    #[serde(default = "read_only")]
    scopes: Vec<Scope>,
    sources: Option<Vec<SourceId>>,
}

fn read_only() -> Vec<Scope> {
    vec![Scope::Read]
}

pub async fn add_token(Admin(access): Admin, Json(wanted): Json<Wanted>) -> Result<Response, Problem> {
    access.unlimited()?;
    let name = name(&wanted.name)?;
    if wanted.scopes.is_empty() {
        return Err(Problem::Invalid("name at least one of the scopes read, write, admin".to_owned()));
    }
    let live = access.gateway().live();
    if let Some(unknown) = wanted.sources.iter().flatten().find(|id| !live.sources.iter().any(|source| source.id == **id)) {
        return Err(Problem::Invalid(format!("there is no source {:?}", unknown.as_str())));
    }
    let secret = new_api_token();
    let token = NewToken {
        name: name.clone(),
        hash: Sha256::digest(secret.expose().as_bytes()).into(),
        scopes: wanted.scopes.clone(),
        sources: wanted.sources.clone(),
    };
    let now = access.gateway().clock.now();
    if !access.store.add_token(token, now).await? {
        return Err(Problem::Conflict("name-taken", format!("there is a token named {name:?} already")));
    }
    let shown = serde_json::json!({
        "name": name, "scopes": wanted.scopes, "sources": wanted.sources, "created_at": now, "token": secret.expose(),
    });
    let mut response = ok(&shown)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn name(typed: &str) -> Result<String, Problem> {
    let fits = |name: &String| {
        name.len() <= NAME_BYTES && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
    };
    text::present(typed)
        .filter(fits)
        .ok_or_else(|| Problem::Invalid("a token's name is 1 to 60 letters, digits, spaces, '-', '_' and '.'".to_owned()))
}

pub async fn revoke_token(Admin(access): Admin, Id(name): Id<String>) -> Result<Response, Problem> {
    access.unlimited()?;
    if is_local(&name) {
        let words = format!("{name:?} is the key of this machine's own commands: delete data/api-token and restart to change it");
        return Err(Problem::Conflict("own-token", words));
    }
    let revoked = access.store.revoke_token(&name, access.gateway().clock.now()).await?;
    access.gateway().tokens.clear();
    if revoked { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Problem::missing("token")) }
}

pub async fn reload(Admin(access): Admin) -> Result<Response, Problem> {
    access.unlimited()?;
    match access.gateway().reload().await {
        Ok(reloaded) => ok(&reloaded),
        Err(error) => Err(Problem::Conflict("bad-configuration", format!("the configuration stays as it was: {error:#}"))),
    }
}
