//! Tokens, and reading the configuration again.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::NewToken;
use leadgate_core::text;
use leadgate_core::views::{Scope, TokenView};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::auth::Admin;
use super::extract::{Id, Json, Query, ok};
use crate::app::{Reloaded, is_local};
use crate::http::problem::Problem;
use crate::secrets::new_api_token;

/// The longest name of a token.
const NAME_BYTES: usize = 60;

/// Lists the tokens; the tokens themselves were shown once.
#[utoipa::path(
    get, path = "/tokens", operation_id = "list_tokens", tag = "tokens", security(("token" = ["admin"])),
    responses((status = 200, description = "Every token", body = Vec<TokenView>)),
)]
pub async fn tokens(Admin(access): Admin, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.tokens().await?)
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedToken)]
pub struct Wanted {
    /// 1 to 60 bytes of letters, digits, spaces, `-`, `_` and `.`; no token may have had it.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    /// What it may do; `read` if left out.
    #[serde(default = "read_only")]
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// Only for these sources; left out: for all.
    sources: Option<Vec<SourceId>>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct MadeToken {
    /// Its name.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// Only for these sources; `null`: for all.
    sources: Option<Vec<SourceId>>,
    /// When it was made.
    created_at: Timestamp,
    /// The token itself. Nobody can show it again.
    token: String,
}

fn read_only() -> Vec<Scope> {
    vec![Scope::Read]
}

/// Makes a token. It is shown this once.
#[utoipa::path(
    post, path = "/tokens", operation_id = "add_token", tag = "tokens", security(("token" = ["admin"])),
    request_body = Wanted,
    responses((status = 201, description = "The token", body = MadeToken)),
)]
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
    let Wanted { scopes, sources, .. } = wanted;
    let mut response = ok(&MadeToken { name, scopes, sources, created_at: now, token: secret.expose().to_owned() })?;
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

/// Takes a token back.
#[utoipa::path(
    delete, path = "/tokens/{name}", operation_id = "revoke_token", tag = "tokens", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "The token's name")),
    responses((status = 204, description = "It is good for nothing any more")),
)]
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

/// Reads the configuration again, as SIGHUP does.
///
/// A configuration with problems changes nothing.
#[utoipa::path(
    post, path = "/admin/reload", operation_id = "reload", tag = "operation", security(("token" = ["admin"])),
    responses((status = 200, description = "What now holds", body = Reloaded)),
)]
pub async fn reload(Admin(access): Admin) -> Result<Response, Problem> {
    access.unlimited()?;
    match access.gateway().reload().await {
        Ok(reloaded) => ok(&reloaded),
        Err(error) => Err(Problem::Conflict("bad-configuration", format!("the configuration stays as it was: {error:#}"))),
    }
}
