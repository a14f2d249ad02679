//! Contacts, what happened with them, and taking apart what was put together wrongly.

use axum::response::Response;
use leadgate_core::ids::{ActivityId, ContactId, MoveId};
use leadgate_core::views::{
    ActivityView, ContactDetail, ContactFilter, ContactSummary, LeadFilter, MoveView, Page, PageAt, ReviewView,
};
use leadgate_core::{email, name};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::{Access, Read, Write};
use super::describe::{Origins, Paging, Whom};
use super::extract::{Id, Json, Query, ok, paged};
use super::leads::{Taking, identity, manager};
use crate::http::problem::Problem;

/// Lists contacts, the most recently active first.
#[utoipa::path(
    get, path = "/contacts", operation_id = "list_contacts", tag = "contacts", security(("token" = ["read"])),
    params(
        ("waiting" = Option<bool>, Query, description = "Only those who came back without an open lead and wait to be taken"),
        ("name" = Option<String>, Query, description = "The beginning of a word of the name"),
        Whom, Origins, Paging,
    ),
    responses((status = 200, description = "A page of contacts", body = Page<ContactSummary>)),
)]
pub async fn list(Read(access): Read, mut query: Query) -> Result<Response, Problem> {
    let filter = ContactFilter {
        waiting: query.flag("waiting")?.unwrap_or(false),
        identity: identity(&mut query, &access)?,
        name: query.text("name")?.map(|typed| name::fold(&typed)).filter(|folded| !folded.is_empty()),
        sources: access.sources(query.sources()?),
    };
    let at = query.page()?;
    query.finish()?;
    paged(access.store.contacts(filter, at).await)
}

/// Shows a contact with everything on it.
#[utoipa::path(
    get, path = "/contacts/{id}", operation_id = "show_contact", tag = "contacts", security(("token" = ["read"])),
    params(("id" = ContactId, Path, description = "The contact's number")),
    responses((status = 200, description = "The contact", body = ContactDetail)),
)]
pub async fn one(Read(access): Read, Id(id): Id<ContactId>) -> Result<Response, Problem> {
    ok(&visible(&access, id).await?)
}

/// The contact, if it is there for this token: something of it came from one of the token's sources.
async fn visible(access: &Access, id: ContactId) -> Result<ContactDetail, Problem> {
    let mut contact = access.store.contact(id).await?.ok_or_else(|| Problem::missing("contact"))?;
    if !access.limited() {
        return Ok(contact);
    }
    let own = LeadFilter { contact: Some(id), sources: access.sources(None), tests: true, ..LeadFilter::default() };
    let leads = access.store.leads(own, PageAt { after: None, limit: 500 }).await?.items;
    narrow(access, &mut contact.timeline);
    if leads.is_empty() && !contact.timeline.iter().any(|activity| activity.source.is_some()) {
        return Err(Problem::missing("contact"));
    }
    contact.lead_ids.retain(|id| leads.iter().any(|lead| lead.id == *id));
    Ok(contact)
}

/// Leaves out what came from sources the token does not see.
pub fn narrow(access: &Access, timeline: &mut Vec<ActivityView>) {
    timeline.retain(|activity| activity.source.as_ref().is_none_or(|source| access.sees(source)));
}

/// Takes a contact that came back and waits.
#[utoipa::path(
    post, path = "/contacts/{id}/take", operation_id = "take_contact", tag = "contacts", security(("token" = ["write"])),
    params(("id" = ContactId, Path, description = "The contact's number")),
    request_body = Taking,
    responses((status = 200, description = "The contact as it is now", body = ContactDetail)),
)]
pub async fn take(Write(access): Write, Id(id): Id<ContactId>, Json(taking): Json<Taking>) -> Result<Response, Problem> {
    if access.limited() {
        visible(&access, id).await?;
    }
    let manager = manager(&access, &taking.manager)?;
    let mut contact = access.store.take_contact(id, manager.0, access.act()).await??;
    if access.limited() {
        contact = visible(&access, contact.contact.id).await?;
    }
    ok(&contact)
}

/// An address of a contact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The address, in any spelling.
    #[schema(min_length = 1)]
    email: String,
}

/// Says that an address can be reached again, to which mails came back.
///
/// A mail that comes from the address says so by itself.
#[utoipa::path(
    post, path = "/contacts/{id}/reachable", operation_id = "reachable", tag = "contacts", security(("token" = ["write"])),
    params(("id" = ContactId, Path, description = "The contact's number")),
    request_body = Address,
    responses((status = 200, description = "The contact as it is now", body = ContactDetail)),
)]
pub async fn reachable(Write(access): Write, Id(id): Id<ContactId>, Json(address): Json<Address>) -> Result<Response, Problem> {
    if access.limited() {
        visible(&access, id).await?;
    }
    let email = email::read(&address.email).emails.into_iter().next().map_or(address.email, |email| email.key);
    let mut contact = access.store.reachable(id, email, access.act()).await??;
    if access.limited() {
        contact = visible(&access, contact.contact.id).await?;
    }
    ok(&contact)
}

/// Gives an activity a contact and a lead of its own: it was somebody else after all.
#[utoipa::path(
    post, path = "/activities/{id}/detach", operation_id = "detach_activity", tag = "contacts", security(("token" = ["write"])),
    params(("id" = ActivityId, Path, description = "The activity's number")),
    responses((status = 200, description = "What was moved", body = MoveView)),
)]
pub async fn detach(Write(access): Write, Id(id): Id<ActivityId>) -> Result<Response, Problem> {
    let source = access.store.activity_source(id).await?.ok_or_else(|| Problem::missing("activity"))?;
    if access.limited() && !source.is_some_and(|source| access.sees(&source)) {
        return Err(Problem::missing("activity"));
    }
    ok(&access.store.detach(id, access.act()).await??)
}

/// Takes a move back.
#[utoipa::path(
    post, path = "/moves/{id}/undo", operation_id = "undo_move", tag = "contacts", security(("token" = ["write"])),
    params(("id" = MoveId, Path, description = "The move's number")),
    responses((status = 200, description = "The move, undone", body = MoveView)),
)]
pub async fn undo(Write(access): Write, Id(id): Id<MoveId>) -> Result<Response, Problem> {
    access.unlimited()?;
    ok(&access.store.undo_move(id, access.act()).await??)
}

/// Lists pairs of contacts that may be one person.
#[utoipa::path(
    get, path = "/reviews", operation_id = "list_reviews", tag = "contacts", security(("token" = ["read"])),
    params(Paging),
    responses((status = 200, description = "A page of pairs", body = Page<ReviewView>)),
)]
pub async fn reviews(Read(access): Read, mut query: Query) -> Result<Response, Problem> {
    access.unlimited()?;
    let at = query.page()?;
    query.finish()?;
    paged(access.store.reviews(at).await)
}
