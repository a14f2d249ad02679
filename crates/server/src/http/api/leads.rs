//! Leads: listed, shown, changed.

use axum::response::Response;
use http::StatusCode;
use leadgate_core::change::{ChangeError, Close, LeadChange, Stage};
use leadgate_core::ids::{ContactId, LeadId, ManagerId};
use leadgate_core::views::{LeadDetail, LeadFilter, LeadSummary, Page};
use leadgate_core::{email, phone, text};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::auth::{Access, Read, Write};
use super::describe::{Origins, Paging, Since, Version, Whom};
use super::extract::{Id, IfMatch, Json, Query, ok, paged, versioned};
use crate::answers::{OnItsWay, Unanswerable, Via, Ways};
use crate::app::Live;
use crate::http::problem::Problem;

/// The longest note.
const NOTE_BYTES: usize = 64 << 10;

/// Lists leads, newest first.
#[utoipa::path(
    get, path = "/leads", operation_id = "list_leads", tag = "leads", security(("token" = ["read"])),
    params(
        ("stage" = Option<Stage>, Query, description = "In this stage, in any case"),
        ("open" = Option<bool>, Query, description = "Open or closed"),
        ("contact" = Option<ContactId>, Query, description = "Of this contact"),
        ("responsible" = Option<String>, Query, description = "Of this manager; empty: of nobody"),
        ("tests" = Option<bool>, Query, description = "Test leads too"),
        Whom, Origins, Since, Paging,
    ),
    responses((status = 200, description = "A page of leads", body = Page<LeadSummary>)),
)]
pub async fn list(Read(access): Read, mut query: Query) -> Result<Response, Problem> {
    let filter = LeadFilter {
        stage: query.parsed("stage", "a stage: NEW, IN_PROCESS, PROCESSED, CONVERTED or JUNK", Stage::parse)?,
        open: query.flag("open")?,
        sources: access.sources(query.sources()?),
        contact: query.parsed("contact", "a contact's number", |value| value.parse::<ContactId>().ok())?,
        responsible: query.text("responsible")?,
        since: query.since()?,
        identity: identity(&mut query, &access)?,
        tests: query.flag("tests")?.unwrap_or(false),
    };
    let at = query.page()?;
    query.finish()?;
    paged(access.store.leads(filter, at).await)
}

/// Whom to find: `q` as a person types it, or `identity` in its canonical form.
pub fn identity(query: &mut Query, access: &Access) -> Result<Option<String>, Problem> {
    let canonical = query.text("identity")?.filter(|identity| !identity.is_empty());
    let typed = query.text("q")?.filter(|q| !q.trim().is_empty());
    Ok(canonical.or_else(|| typed.map(|typed| canonical_of(&typed, &access.gateway().live()))))
}

/// What a person types to find somebody, as it is kept: a phone by the company's country, an e-mail's key, or a handle.
fn canonical_of(typed: &str, live: &Live) -> String {
    if typed.contains('@')
        && let Some(email) = email::read(typed).emails.into_iter().next()
    {
        return email.key;
    }
    let hints = phone::Hints { configured: Some(live.country), ..phone::Hints::default() };
    match phone::read(typed, &hints).phones.into_iter().next() {
        Some(phone) => phone.key(),
        None => text::clean(typed.trim()).into_owned(),
    }
}

/// Shows a lead with everything on it.
///
/// A token that is limited to sources sees only what came from these.
#[utoipa::path(
    get, path = "/leads/{id}", operation_id = "show_lead", tag = "leads", security(("token" = ["read"])),
    params(("id" = LeadId, Path, description = "The lead's number")),
    responses((status = 200, description = "The lead", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn one(Read(access): Read, Id(id): Id<LeadId>) -> Result<Response, Problem> {
    let lead = visible(&access, id).await?;
    versioned(lead.version, &lead)
}

/// The lead, if it is there for this token; without what came from other sources.
async fn visible(access: &Access, id: LeadId) -> Result<LeadDetail, Problem> {
    let lead = access.store.lead(id).await?.filter(|lead| access.sees(&lead.lead.source));
    lead.map(|lead| narrowed(access, lead)).ok_or_else(|| Problem::missing("lead"))
}

fn narrowed(access: &Access, mut lead: LeadDetail) -> LeadDetail {
    if access.limited() {
        super::contacts::narrow(access, &mut lead.timeline);
        if let Some(person) = &mut lead.person {
            super::contacts::narrow(access, &mut person.timeline);
        }
    }
    lead
}

async fn change(access: &Access, id: LeadId, changes: Vec<LeadChange>, version: Option<i64>) -> Result<Response, Problem> {
    if access.limited() {
        visible(access, id).await?;
    }
    match access.store.change_lead(id, changes, version, access.act()).await? {
        Ok(lead) => {
            let lead = narrowed(access, lead);
            versioned(lead.version, &lead)
        }
        Err(ChangeError::NotPossible(words)) if version.is_some() => Err(Problem::Precondition(words)),
        Err(error) => Err(error.into()),
    }
}

/// What to change: at least one of these. `responsible: null` makes it nobody's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeadPatch)]
#[expect(clippy::option_option, reason = "absent, null and a name are three things")]
pub struct Patch {
    /// An open stage, in any case; final ones are reached by closing.
    #[schema(value_type = Option<Stage>)]
    stage: Option<String>,
    #[serde(default, deserialize_with = "given")]
    /// A manager's id.
    #[schema(min_length = 1)]
    responsible: Option<Option<String>>,
    /// A note for the timeline, at most 64 KB.
    #[schema(min_length = 1)]
    note: Option<String>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a name are three things")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes a lead.
///
/// Everything named is changed together, or nothing.
#[utoipa::path(
    patch, path = "/leads/{id}", operation_id = "change_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number"), Version),
    request_body = Patch,
    responses((status = 200, description = "The lead as it is now", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn patch(
    Write(access): Write,
    Id(id): Id<LeadId>,
    IfMatch(version): IfMatch,
    Json(patch): Json<Patch>,
) -> Result<Response, Problem> {
    let mut changes = Vec::new();
    if let Some(stage) = patch.stage {
        changes.push(LeadChange::Stage(
            Stage::parse(&stage).ok_or_else(|| Problem::Invalid(format!("there is no stage {stage:?}")))?,
        ));
    }
    if let Some(responsible) = patch.responsible {
        let responsible = responsible.map(|name| manager(&access, &name)).transpose()?;
        changes.push(LeadChange::Responsible(responsible));
    }
    if let Some(text) = patch.note {
        changes.push(LeadChange::Note(note_text(&text)?));
    }
    if changes.is_empty() {
        return Err(Problem::Invalid("name what to change: stage, responsible, note".to_owned()));
    }
    change(&access, id, changes, version).await
}

/// A manager's id; one of the configured ones, if any are.
pub fn manager(access: &Access, name: &str) -> Result<ManagerId, Problem> {
    let name = text::present(name).ok_or_else(|| Problem::Invalid("the manager's name is empty".to_owned()))?;
    let managers = &access.gateway().live().managers;
    if managers.is_empty() || managers.contains(&name) {
        return Ok(ManagerId(name));
    }
    Err(Problem::Invalid(format!("there is no manager {name:?}; configured are: {}", managers.join(", "))))
}

fn note_text(typed: &str) -> Result<String, Problem> {
    match text::present(typed) {
        None => Err(Problem::Invalid("the note is empty".to_owned())),
        Some(note) if note.len() > NOTE_BYTES => Err(Problem::Invalid(format!("the note is longer than {NOTE_BYTES} bytes"))),
        Some(note) => Ok(note),
    }
}

/// How a lead ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeadClosing)]
pub struct Closing {
    /// As what.
    r#as: Close,
}

/// Closes a lead.
#[utoipa::path(
    post, path = "/leads/{id}/close", operation_id = "close_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number"), Version),
    request_body = Closing,
    responses((status = 200, description = "The lead as it is now", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn close(
    Write(access): Write,
    Id(id): Id<LeadId>,
    IfMatch(version): IfMatch,
    Json(closing): Json<Closing>,
) -> Result<Response, Problem> {
    change(&access, id, vec![LeadChange::Close(closing.r#as)], version).await
}

/// Opens a closed lead again.
#[utoipa::path(
    post, path = "/leads/{id}/reopen", operation_id = "reopen_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number"), Version),
    responses((status = 200, description = "The lead as it is now", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn reopen(Write(access): Write, Id(id): Id<LeadId>, IfMatch(version): IfMatch) -> Result<Response, Problem> {
    change(&access, id, vec![LeadChange::Reopen], version).await
}

/// Who takes it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// The manager's id.
    #[schema(min_length = 1)]
    pub manager: String,
}

/// Takes a lead: the manager becomes responsible, a new lead goes into work.
#[utoipa::path(
    post, path = "/leads/{id}/take", operation_id = "take_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number"), Version),
    request_body = Taking,
    responses((status = 200, description = "The lead as it is now", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn take(
    Write(access): Write,
    Id(id): Id<LeadId>,
    IfMatch(version): IfMatch,
    Json(taking): Json<Taking>,
) -> Result<Response, Problem> {
    let manager = manager(&access, &taking.manager)?;
    change(&access, id, vec![LeadChange::Take(manager)], version).await
}

/// A note.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// At most 64 KB.
    #[schema(min_length = 1)]
    text: String,
}

/// Writes a note on a lead's timeline.
#[utoipa::path(
    post, path = "/leads/{id}/notes", operation_id = "note_on_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number"), Version),
    request_body = Note,
    responses((status = 200, description = "The lead as it is now", body = LeadDetail, headers(("ETag" = String, description = "The version, for `If-Match`")))),
)]
pub async fn note(
    Write(access): Write,
    Id(id): Id<LeadId>,
    IfMatch(version): IfMatch,
    Json(note): Json<Note>,
) -> Result<Response, Problem> {
    let text = note_text(&note.text)?;
    change(&access, id, vec![LeadChange::Note(text)], version).await
}

/// An answer to a customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeadReply)]
pub struct Replying {
    /// As the customer reads it, at most 64 KB.
    #[schema(min_length = 1)]
    text: String,
    /// By which channel. Left out: by the messenger they wrote by last, else by mail.
    via: Option<Via>,
}

/// Answers the customer of a lead.
///
/// It stands on the timeline at once, as an activity that says how it fares: `sending`, then `delivered` or `failed`.
#[utoipa::path(
    post, path = "/leads/{id}/reply", operation_id = "reply_to_lead", tag = "leads", security(("token" = ["write"])),
    params(("id" = LeadId, Path, description = "The lead's number")),
    request_body = Replying,
    responses((status = 202, description = "It is on its way", body = OnItsWay)),
)]
pub async fn reply(Write(access): Write, Id(id): Id<LeadId>, Json(replying): Json<Replying>) -> Result<Response, Problem> {
    visible(&access, id).await?;
    let live = access.gateway().live();
    let ways = Ways { bots: &live.onward.bots, has_mail: live.onward.mail.is_some(), ours: &live.rules.ours };
    let answer = ways.answer(&*access.store, id, &replying.text, replying.via, access.act()).await;
    let mut response = ok(&answer.map_err(|error| match error {
        Unanswerable::Text(words) => Problem::Invalid(words),
        Unanswerable::Missing(_) => Problem::missing("lead"),
        Unanswerable::NoWay(words) => Problem::Conflict("no-channel", words),
        Unanswerable::Store(error) => error.into(),
    })?)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
