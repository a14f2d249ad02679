//! Campaigns' links, and the accounts by which managers are told and act.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use leadgate_core::ids::ManagerId;
use leadgate_core::ports::{Account, Campaign};

use super::auth::{Access, Admin, Read, Write};
use super::extract::{Id, Json, Query, ok};
use super::leads::manager;
use crate::http::problem::Problem;
use crate::telegram::{CampaignLink, Code, Wanted, code, make};

async fn view(access: &Access, campaign: Campaign) -> CampaignLink {
    let gateway = access.gateway();
    let urls = gateway.names.urls(&gateway.live().onward.bots, campaign.source.as_ref(), &campaign.id).await;
    CampaignLink { campaign, urls }
}

/// Lists campaigns' links, the newest first; at most 1,000.
#[utoipa::path(
    get, path = "/campaigns", operation_id = "list_campaigns", tag = "messengers", security(("token" = ["read"])),
    responses((status = 200, description = "The links", body = Vec<CampaignLink>)),
)]
pub async fn list(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    let mut links = Vec::new();
    for campaign in access.store.campaigns().await? {
        links.push(view(&access, campaign).await);
    }
    ok(&links)
}

/// Makes a campaign's link: whoever follows it to a bot has come from there.
#[utoipa::path(
    post, path = "/campaigns", operation_id = "add_campaign", tag = "messengers", security(("token" = ["write"])),
    request_body = Wanted,
    responses((status = 201, description = "The link", body = CampaignLink)),
)]
pub async fn add(Write(access): Write, Json(wanted): Json<Wanted>) -> Result<Response, Problem> {
    access.unlimited()?;
    let bots = &access.gateway().live().onward.bots;
    if let Some(source) = wanted.source.as_ref().filter(|source| !bots.contains_key(*source)) {
        return Err(Problem::Invalid(format!("there is no source of the kind telegram called {:?}", source.as_str())));
    }
    let actor = access.act().actor;
    let campaign = make(&*access.store, &access.gateway().clock, &wanted, &actor).await?.map_err(Problem::Invalid)?;
    let mut response = ok(&view(&access, campaign).await)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Takes a campaign's link away: whoever follows it later comes from nowhere that is known.
#[utoipa::path(
    delete, path = "/campaigns/{id}", operation_id = "remove_campaign", tag = "messengers", security(("token" = ["write"])),
    params(("id" = String, Path, description = "What the link carries")),
    responses((status = 204, description = "It is gone")),
)]
pub async fn remove(Write(access): Write, Id(id): Id<String>) -> Result<Response, Problem> {
    access.unlimited()?;
    if access.store.remove_campaign(&id).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::missing("campaign"))
    }
}

/// Lists the accounts that managers have linked.
#[utoipa::path(
    get, path = "/managers/accounts", operation_id = "list_manager_accounts", tag = "messengers", security(("token" = ["read"])),
    responses((status = 200, description = "The accounts", body = Vec<Account>)),
)]
pub async fn accounts(Read(access): Read, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    access.unlimited()?;
    ok(&access.store.accounts().await?)
}

/// Makes a code by which a manager links an account: once, within 15 minutes. Any code they had before is void.
#[utoipa::path(
    post, path = "/managers/{id}/code", operation_id = "make_manager_code", tag = "messengers", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The manager's id")),
    responses((status = 201, description = "The code, told once", body = Code)),
)]
pub async fn link(Admin(access): Admin, Id(name): Id<String>) -> Result<Response, Problem> {
    let (manager, gateway) = (manager(&access, &name)?, access.gateway());
    let mut code = code(&*access.store, &gateway.clock, manager).await?;
    let payload = format!("{}{}", leadgate_telegram::update::LINK, code.code);
    code.urls = gateway.names.urls(&gateway.live().onward.bots, None, &payload).await;
    let mut response = ok(&code)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Takes a manager's accounts away: nothing is told there any more, and their buttons do nothing.
#[utoipa::path(
    delete, path = "/managers/{id}/accounts", operation_id = "unlink_manager", tag = "messengers", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The manager's id")),
    responses((status = 204, description = "They are gone")),
)]
pub async fn unlink(Admin(access): Admin, Id(name): Id<String>) -> Result<Response, Problem> {
    match access.store.unlink(&ManagerId(name)).await? {
        0 => Err(Problem::missing("linked account")),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}
