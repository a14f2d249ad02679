//! How a command reaches leads: reading, from the database or a gateway; changing, through the gateway that serves it, or
//! directly when none does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::change::{Close, LeadChange};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, ManagerId, MoveId, SourceId, SubmissionId};
use leadgate_core::onward::Routes;
use leadgate_core::ports::{Account, Act, NewToken, Store};
use leadgate_core::secret::Secret;
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, Scope, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::api::{Api, Query, step};
use super::args::Globals;
use crate::answers::{OnItsWay, Via, Ways};
use crate::app::is_local;
use crate::clock::Clock;
use crate::config::{Config, Listen, LoadOptions};
use crate::replay::{self, Asked, Deed, Readers};
use crate::telegram::{self, CampaignLink, Code, Wanted};
use crate::{erasing, secrets, stores};

/// What every command has: the configuration and the way to the leads.
pub(super) struct Gate {
    /// The configuration of this folder.
    pub config: Config,
    /// What was given with the command.
    pub globals: Globals,
    /// The time.
    pub clock: Clock,
}

impl Gate {
    /// Loads the configuration.
    pub fn new(globals: &Globals) -> anyhow::Result<Self> {
        let config = Config::load(LoadOptions::from_process(globals.config.clone()))?;
        Ok(Self { config, globals: globals.clone(), clock: Clock::system() })
    }

    /// The company's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.config.company.time_zone
    }

    /// Whether the answer is for a program.
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// The way to read.
    pub async fn reader(&self) -> anyhow::Result<Reader> {
        if let Some(api) = self.distant()? {
            return Ok(Reader::Api(api));
        }
        if !self.config.database.may_exist() {
            bail!(self.nothing_yet());
        }
        Ok(Reader::Store(stores::open_read_only(&self.config.database).await?))
    }

    /// The way to change.
    pub async fn writer(&self) -> anyhow::Result<Writer> {
        if let Some(api) = self.distant()? {
            return Ok(Writer::Api(api));
        }
        if let Some(api) = self.running().await? {
            return Ok(Writer::Api(api));
        }
        if !self.config.database.may_exist() {
            bail!(self.nothing_yet());
        }
        match stores::open(&self.config.database).await {
            Ok(store) => Ok(Writer::Store(store, Beside { clock: self.clock.clone(), routes: self.config.rules().routes })),
            Err(error) if error.is::<stores::Served>() => Err(anyhow!(
                "a gateway serves this database, but none answers at {}: it may listen elsewhere (name its address with --url), or just be starting",
                own_address(&self.config.server.listen)
            )),
            Err(error) => Err(error),
        }
    }

    /// The gateway of this folder, if it runs.
    pub async fn running(&self) -> anyhow::Result<Option<Api>> {
        if let Some(api) = self.distant()? {
            return Ok(Some(api));
        }
        let url = own_address(&self.config.server.listen);
        if !Api::new(&url, None)?.answers().await {
            return Ok(None);
        }
        let token = self.token()?.with_context(|| {
            format!(
                "a program answers at {url}, but there is no token of it in {}: is it the gateway of another folder? \
                 Name its configuration with --config, or give a token with LEADGATE_TOKEN",
                self.config.data_dir.display()
            )
        })?;
        Api::new(&url, Some(token)).map(Some)
    }

    fn distant(&self) -> anyhow::Result<Option<Api>> {
        let Some(url) = &self.globals.url else { return Ok(None) };
        Api::new(url, self.token()?).map(Some)
    }

    fn token(&self) -> anyhow::Result<Option<Secret>> {
        match &self.globals.token {
            Some(token) => Ok(Some(Secret::new(token.trim()))),
            None => secrets::read_api_token(&self.config.data_dir),
        }
    }

    fn nothing_yet(&self) -> String {
        format!(
            "there are no leads yet: {} does not exist.\nStart the gateway with `leadgate` (it makes the database), then send a test lead \
             with `leadgate send`.\nIf it serves another folder, run this command there or name its configuration with --config.",
            self.config.database
        )
    }

    /// The manager a command means: the one given, or the only one there is.
    pub fn manager(&self, given: Option<&str>) -> anyhow::Result<String> {
        let managers = &self.config.managers;
        let list = || managers.iter().map(|manager| manager.id.0.as_str()).collect::<Vec<_>>().join(", ");
        match (given, managers.as_slice()) {
            (Some(id), []) => Ok(id.to_owned()),
            (Some(id), _) if self.globals.url.is_some() || managers.iter().any(|manager| manager.id.0 == id) => Ok(id.to_owned()),
            (Some(id), _) => bail!("there is no manager {id:?} in the configuration; there are: {}", list()),
            (None, [only]) => Ok(only.id.0.clone()),
            (None, []) => {
                bail!("say who takes it: --manager anna (and list your managers in config/local.toml, as [[managers]])")
            }
            (None, _) => bail!("say who takes it: --manager with one of {}", list()),
        }
    }
}

/// Where this machine's own commands reach the gateway.
fn own_address(listen: &Listen) -> String {
    match listen {
        Listen::Dual { port } => format!("http://127.0.0.1:{port}"),
        Listen::Addresses(addresses) => {
            let best = addresses.iter().find(|address| address.ip().is_loopback()).or_else(|| addresses.first());
            let reachable = best.map(|address| match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
                IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
                _ => *address,
            });
            reachable.map_or_else(|| "http://127.0.0.1:8080".to_owned(), |address| format!("http://{address}"))
        }
    }
}

/// Where a command reads from.
pub(super) enum Reader {
    /// The database itself, without changing it.
    Store(Arc<dyn Store>),
    /// A gateway.
    Api(Api),
}

impl Reader {
    /// Leads, newest first.
    pub async fn leads(&self, filter: LeadFilter, at: PageAt) -> anyhow::Result<Page<LeadSummary>> {
        match self {
            Self::Store(store) => Ok(store.leads(filter, at).await?),
            Self::Api(api) => {
                let query = Query::new("/leads")
                    .with("stage", filter.stage)
                    .with("open", filter.open)
                    .sources(filter.sources.as_deref())
                    .with("contact", filter.contact)
                    .with("responsible", filter.responsible.as_deref())
                    .with("since", filter.since)
                    .with("identity", filter.identity.as_deref())
                    .with("tests", filter.tests.then_some(true));
                api.get(&query.page(&at).path()).await
            }
        }
    }

    /// One lead.
    pub async fn lead(&self, id: LeadId) -> anyhow::Result<Option<LeadDetail>> {
        match self {
            Self::Store(store) => Ok(store.lead(id).await?),
            Self::Api(api) => api.find(&format!("/api/v1/leads/{id}")).await,
        }
    }

    /// Contacts, the most recently active first.
    pub async fn contacts(&self, filter: ContactFilter, at: PageAt) -> anyhow::Result<Page<ContactSummary>> {
        match self {
            Self::Store(store) => Ok(store.contacts(filter, at).await?),
            Self::Api(api) => {
                let query = Query::new("/contacts")
                    .with("waiting", filter.waiting.then_some(true))
                    .with("identity", filter.identity.as_deref())
                    .with("name", filter.name.as_deref())
                    .sources(filter.sources.as_deref());
                api.get(&query.page(&at).path()).await
            }
        }
    }

    /// One contact.
    pub async fn contact(&self, id: ContactId) -> anyhow::Result<Option<ContactDetail>> {
        match self {
            Self::Store(store) => Ok(store.contact(id).await?),
            Self::Api(api) => api.find(&format!("/api/v1/contacts/{id}")).await,
        }
    }

    /// Submissions, newest first.
    pub async fn submissions(&self, filter: SubmissionFilter, at: PageAt) -> anyhow::Result<Page<SubmissionSummary>> {
        match self {
            Self::Store(store) => Ok(store.submissions(filter, at).await?),
            Self::Api(api) => {
                let outcomes = filter.outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>().join(",");
                let query = Query::new("/submissions")
                    .with("outcome", Some(outcomes).filter(|list| !list.is_empty()))
                    .sources(filter.sources.as_deref())
                    .with("since", filter.since);
                api.get(&query.page(&at).path()).await
            }
        }
    }

    /// One submission; its bytes are asked for by [`Self::raw`].
    pub async fn submission(&self, id: SubmissionId) -> anyhow::Result<Option<SubmissionDetail>> {
        match self {
            Self::Store(store) => Ok(store.submission(id).await?),
            Self::Api(api) => api.find(&format!("/api/v1/submissions/{id}")).await,
        }
    }

    /// The kept bytes of a submission, unpacked.
    pub async fn raw(&self, id: SubmissionId) -> anyhow::Result<Option<Vec<u8>>> {
        match self {
            Self::Store(store) => {
                let Some(detail) = store.submission(id).await? else { return Ok(None) };
                unpack(&detail).map(Some)
            }
            Self::Api(api) => api.bytes(&format!("/api/v1/submissions/{id}/raw")).await,
        }
    }

    /// Senders that are ignored.
    pub async fn ignored_senders(&self) -> anyhow::Result<Vec<IgnoredSender>> {
        match self {
            Self::Store(store) => Ok(store.ignored_senders().await?),
            Self::Api(api) => api.get("/api/v1/senders").await,
        }
    }

    /// Campaigns' links.
    pub async fn campaigns(&self, gate: &Gate) -> anyhow::Result<Vec<CampaignLink>> {
        match self {
            Self::Store(store) => {
                let mut links = Vec::new();
                for campaign in store.campaigns().await? {
                    links.push(super::telegram::with_urls(gate, campaign).await);
                }
                Ok(links)
            }
            Self::Api(api) => api.get("/api/v1/campaigns").await,
        }
    }

    /// The accounts that managers have linked.
    pub async fn accounts(&self) -> anyhow::Result<Vec<Account>> {
        match self {
            Self::Store(store) => Ok(store.accounts().await?),
            Self::Api(api) => api.get("/api/v1/managers/accounts").await,
        }
    }

    /// Pairs that wait for a look.
    pub async fn reviews(&self, at: PageAt) -> anyhow::Result<Page<ReviewView>> {
        match self {
            Self::Store(store) => Ok(store.reviews(at).await?),
            Self::Api(api) => api.get(&Query::new("/reviews").page(&at).path()).await,
        }
    }

    /// How the sources are doing.
    pub async fn health(&self, now: Timestamp) -> anyhow::Result<Vec<SourceHealth>> {
        match self {
            Self::Store(store) => Ok(store.health(now).await?),
            Self::Api(_) => bail!("a gateway tells of its sources as a whole"),
        }
    }

    /// What is kept of how sources are read.
    pub async fn source_notes(&self) -> anyhow::Result<Vec<SourceNote>> {
        match self {
            Self::Store(store) => Ok(store.source_notes().await?),
            Self::Api(_) => bail!("a gateway tells of its sources as a whole"),
        }
    }

    /// The gateways that serve the database.
    pub async fn nodes(&self) -> anyhow::Result<Vec<NodeView>> {
        match self {
            Self::Store(store) => Ok(store.nodes().await?),
            Self::Api(api) => api.get("/api/v1/nodes").await,
        }
    }

    /// Every API token.
    pub async fn tokens(&self) -> anyhow::Result<Vec<TokenView>> {
        match self {
            Self::Store(store) => Ok(store.tokens().await?),
            Self::Api(api) => api.get("/api/v1/tokens").await,
        }
    }

    /// Everything on one screen.
    pub async fn totals(&self) -> anyhow::Result<Totals> {
        match self {
            Self::Store(store) => Ok(store.totals().await?),
            Self::Api(api) => api.get("/api/v1/status").await,
        }
    }
}

/// The kept bytes as they were.
pub(super) fn unpack(detail: &SubmissionDetail) -> anyhow::Result<Vec<u8>> {
    if let Some(at) = detail.emptied_at {
        bail!("the bytes of this delivery went at {at}");
    }
    erasing::unpacked(detail.codec, detail.raw.clone())
}

/// How a command changes things.
pub(super) enum Writer {
    /// Through a gateway.
    Api(Api),
    /// In the database, which nobody serves now.
    Store(Arc<dyn Store>, Beside),
}

/// A new token as the API shows it, once.
#[derive(Deserialize)]
struct MadeToken {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

impl Writer {
    /// Changes a lead.
    pub async fn change_lead(&self, id: LeadId, change: LeadChange) -> anyhow::Result<LeadDetail> {
        match self {
            Self::Store(store, beside) => Ok(store.change_lead(id, vec![change], None, beside.act()).await??),
            Self::Api(api) => {
                let path = |verb: &str| format!("/api/v1/leads/{id}/{verb}");
                match change {
                    LeadChange::Close(Close::Junk) => api.post(&path("close"), &json!({ "as": "junk" })).await,
                    LeadChange::Close(Close::Converted) => api.post(&path("close"), &json!({ "as": "converted" })).await,
                    LeadChange::Reopen => api.post(&path("reopen"), &json!({})).await,
                    LeadChange::Take(manager) => api.post(&path("take"), &json!({ "manager": manager })).await,
                    LeadChange::Note(text) => api.post(&path("notes"), &json!({ "text": text })).await,
                    LeadChange::Stage(stage) => api.patch(&format!("/api/v1/leads/{id}"), &json!({ "stage": stage })).await,
                    LeadChange::Responsible(manager) => {
                        api.patch(&format!("/api/v1/leads/{id}"), &json!({ "responsible": manager })).await
                    }
                }
            }
        }
    }

    /// Answers the customer of a lead.
    pub async fn reply(&self, gate: &Gate, id: LeadId, text: &str, via: Option<Via>) -> anyhow::Result<OnItsWay> {
        match self {
            Self::Store(store, beside) => {
                let (rules, onward) = (gate.config.rules(), &gate.config.onward);
                let ways = Ways { bots: &onward.bots, has_mail: onward.mail.is_some(), ours: &rules.ours };
                Ok(ways.answer(&**store, id, text, via, beside.act()).await?)
            }
            Self::Api(api) => api.post(&format!("/api/v1/leads/{id}/reply"), &json!({ "text": text, "via": via })).await,
        }
    }

    /// Makes a campaign's link.
    pub async fn add_campaign(&self, gate: &Gate, wanted: &Wanted) -> anyhow::Result<CampaignLink> {
        match self {
            Self::Store(store, beside) => {
                let made = telegram::make(&**store, &beside.clock, wanted, "cli").await?;
                Ok(super::telegram::with_urls(gate, made.map_err(|words| anyhow!(words))?).await)
            }
            Self::Api(api) => api.post("/api/v1/campaigns", &serde_json::to_value(wanted)?).await,
        }
    }

    /// Takes a campaign's link away. `false`: there is none.
    pub async fn remove_campaign(&self, id: &str) -> anyhow::Result<bool> {
        match self {
            Self::Store(store, _) => Ok(store.remove_campaign(id).await?),
            Self::Api(api) => api.delete(&format!("/api/v1/campaigns/{}", step(id))).await,
        }
    }

    /// Makes a code by which a manager links an account.
    pub async fn manager_code(&self, gate: &Gate, manager: ManagerId) -> anyhow::Result<Code> {
        match self {
            Self::Store(store, beside) => {
                let code = telegram::code(&**store, &beside.clock, manager).await?;
                Ok(super::telegram::with_links(gate, code).await)
            }
            Self::Api(api) => api.post(&format!("/api/v1/managers/{}/code", step(&manager.0)), &json!({})).await,
        }
    }

    /// Takes a manager's accounts away. `false`: there were none.
    pub async fn unlink_manager(&self, manager: &ManagerId) -> anyhow::Result<bool> {
        match self {
            Self::Store(store, _) => Ok(store.unlink(manager).await? > 0),
            Self::Api(api) => api.delete(&format!("/api/v1/managers/{}/accounts", step(&manager.0))).await,
        }
    }

    /// Whether a gateway does at once what follows.
    pub fn is_served(&self) -> bool {
        matches!(self, Self::Api(_))
    }

    /// Takes a waiting contact.
    pub async fn take_contact(&self, id: ContactId, manager: String) -> anyhow::Result<ContactDetail> {
        match self {
            Self::Store(store, beside) => Ok(store.take_contact(id, manager, beside.act()).await??),
            Self::Api(api) => api.post(&format!("/api/v1/contacts/{id}/take"), &json!({ "manager": manager })).await,
        }
    }

    /// An address of a contact can be reached again.
    pub async fn reachable(&self, id: ContactId, email: String) -> anyhow::Result<ContactDetail> {
        match self {
            Self::Store(store, beside) => Ok(store.reachable(id, email, beside.act()).await??),
            Self::Api(api) => api.post(&format!("/api/v1/contacts/{id}/reachable"), &json!({ "email": email })).await,
        }
    }

    /// Takes an activity off its lead and contact.
    pub async fn detach(&self, id: ActivityId) -> anyhow::Result<MoveView> {
        match self {
            Self::Store(store, beside) => Ok(store.detach(id, beside.act()).await??),
            Self::Api(api) => api.post(&format!("/api/v1/activities/{id}/detach"), &json!({})).await,
        }
    }

    /// Puts a detached activity back.
    pub async fn undo(&self, id: MoveId) -> anyhow::Result<MoveView> {
        match self {
            Self::Store(store, beside) => Ok(store.undo_move(id, beside.act()).await??),
            Self::Api(api) => api.post(&format!("/api/v1/moves/{id}/undo"), &json!({})).await,
        }
    }

    /// Reads a batch of what is kept again, and records it.
    pub async fn again(&self, gate: &Gate, asked: &Asked, deed: Deed) -> anyhow::Result<replay::Batch> {
        match self {
            Self::Store(store, beside) => {
                let mut config = Config::load(LoadOptions::from_process(gate.globals.config.clone()))?;
                config.add_tokens(&secrets::SourceTokens::load(&config.data_dir)?);
                Ok(replay::batch(&**store, &Readers::of_config(&config), asked, deed, &beside.act()).await?)
            }
            Self::Api(api) => {
                let path = match deed {
                    Deed::Release => "/api/v1/quarantine/release",
                    Deed::Drop => "/api/v1/quarantine/drop",
                    Deed::Replay | Deed::Reattach => "/api/v1/replay",
                };
                api.post(path, &serde_json::to_value(asked)?).await
            }
        }
    }

    /// Ignores a sender from now on. `false`: it was so before.
    pub async fn ignore_sender(&self, sender: &Sender) -> anyhow::Result<bool> {
        match self {
            Self::Store(store, beside) => Ok(store.ignore_sender(sender.clone(), beside.act()).await?),
            Self::Api(api) => {
                let answer: Value = api.post("/api/v1/senders", &json!({ "sender": sender.value })).await?;
                Ok(answer.get("new").and_then(Value::as_bool).unwrap_or(true))
            }
        }
    }

    /// Ignores a sender no more. `false`: it was not ignored.
    pub async fn forget_sender(&self, sender: &Sender) -> anyhow::Result<bool> {
        match self {
            Self::Store(store, _) => Ok(store.forget_sender(sender.clone()).await?),
            Self::Api(api) => api.delete(&format!("/api/v1/senders/{}", step(&sender.value))).await,
        }
    }

    /// Makes an API token; it is shown once.
    pub async fn add_token(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        sources: Option<Vec<SourceId>>,
    ) -> anyhow::Result<(Secret, TokenView)> {
        match self {
            Self::Store(store, beside) => {
                let (token, now) = (secrets::new_api_token(), beside.clock.now());
                let hash = Sha256::digest(token.expose().as_bytes()).into();
                let new = NewToken { name: name.to_owned(), hash, scopes: scopes.clone(), sources: sources.clone() };
                if !store.add_token(new, now).await? {
                    bail!("there is a token called {name:?} already: choose another name, or revoke that one first");
                }
                Ok((token, TokenView { name: name.to_owned(), scopes, sources, created_at: now, revoked_at: None }))
            }
            Self::Api(api) => {
                let made: MadeToken =
                    api.post("/api/v1/tokens", &json!({ "name": name, "scopes": scopes, "sources": sources })).await?;
                Ok((Secret::new(made.token), made.view))
            }
        }
    }

    /// Revokes an API token. `false`: there is none.
    pub async fn revoke_token(&self, name: &str) -> anyhow::Result<bool> {
        match self {
            Self::Store(..) if is_local(name) => {
                bail!(
                    "{name:?} is the key of this machine's own commands: to change it, delete api-token in the data folder and start the gateway again"
                )
            }
            Self::Store(store, beside) => Ok(store.revoke_token(name, beside.clock.now()).await?),
            Self::Api(api) => api.delete(&format!("/api/v1/tokens/{}", step(name))).await,
        }
    }

    /// Finishes what is queued.
    pub async fn close(&self) {
        if let Self::Store(store, _) = self {
            store.close().await;
        }
    }
}

/// Makes the running gateway read its configuration again.
pub(super) async fn reload(api: &Api) -> anyhow::Result<Value> {
    api.post("/api/v1/admin/reload", &json!({})).await
}

/// What a command needs beside the database.
#[derive(Clone)]
pub(super) struct Beside {
    /// Time and ids.
    pub clock: Clock,
    routes: Arc<Routes>,
}

impl Beside {
    /// A person does something, now.
    pub fn act(&self) -> Act {
        Act { actor: "cli".to_owned(), at: self.clock.now(), event: self.clock.event(), routes: Arc::clone(&self.routes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_reach_the_gateway_of_this_machine() {
        let at = |texts: &[&str]| own_address(&Listen::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect()));
        assert_eq!(own_address(&Listen::Dual { port: 81 }), "http://127.0.0.1:81");
        assert_eq!(at(&["10.0.0.5:80", "127.0.0.1:81"]), "http://127.0.0.1:81");
        assert_eq!(at(&["0.0.0.0:80"]), "http://127.0.0.1:80");
        assert_eq!(at(&["[::]:80"]), "http://[::1]:80");
        assert_eq!(at(&["10.0.0.5:80"]), "http://10.0.0.5:80");
    }
}
