//! `telegram` and `manager`: links to bots, and managers' accounts.

use std::collections::BTreeMap;

use anyhow::bail;
use leadgate_core::ids::ManagerId;
use leadgate_telegram::update::LINK;
use serde_json::json;

use super::args::{CampaignLinkOf, ManagerCommand, TelegramCommand};
use super::gate::Gate;
use super::story;
use crate::print;
use crate::telegram::{CampaignLink, Code, Names, Wanted};

/// Runs `telegram`.
pub(super) async fn command(gate: &Gate, command: TelegramCommand) -> anyhow::Result<()> {
    match command {
        TelegramCommand::Link(link) => make(gate, link).await,
        TelegramCommand::Links => list(gate).await,
        TelegramCommand::Unlink { id } => {
            let writer = gate.writer().await?;
            let gone = writer.remove_campaign(&id).await;
            writer.close().await;
            if !gone? {
                bail!("there is no link {}; `leadgate telegram links` shows what there is", print::safe(&id));
            }
            if gate.json() { Ok(print::json(&json!({ "removed": id }))?) } else { Ok(print::line("The link is gone.")?) }
        }
    }
}

fn wanted(link: CampaignLinkOf) -> Wanted {
    let values = [
        ("utm_source", link.utm_source),
        ("utm_medium", link.utm_medium),
        ("utm_campaign", link.utm_campaign),
        ("utm_content", link.utm_content),
        ("utm_term", link.utm_term),
    ];
    let values = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    Wanted { source: link.source, values, page: link.page, note: link.note }
}

async fn make(gate: &Gate, link: CampaignLinkOf) -> anyhow::Result<()> {
    let wanted = wanted(link);
    if gate.globals.url.is_none() {
        has_bots(gate)?;
        if let Some(source) = wanted.source.as_ref().filter(|source| !gate.config.onward.bots.contains_key(*source)) {
            bail!("there is no source of the kind telegram called {source}; `leadgate sources` shows what there is");
        }
    }
    let writer = gate.writer().await?;
    let made = writer.add_campaign(gate, &wanted).await;
    writer.close().await;
    let made = made?;
    if gate.json() {
        return Ok(print::json(&made)?);
    }
    if made.urls.is_empty() {
        print::note("The bot's name is not known now: put it in the place of BOT, or write username into the source.");
        return Ok(print::line(&format!("https://t.me/BOT?start={}", made.campaign.id))?);
    }
    // Alone on stdout, so that it can be piped.
    for url in made.urls.values() {
        print::line(url)?;
    }
    Ok(())
}

async fn list(gate: &Gate) -> anyhow::Result<()> {
    let links = gate.reader().await?.campaigns(gate).await?;
    if gate.json() {
        return Ok(print::json(&links)?);
    }
    if links.is_empty() {
        return Ok(print::line("There are no links yet. `leadgate telegram link --utm-source vk` makes one.")?);
    }
    let rows: Vec<_> = links.iter().map(|link| row(gate, link)).collect();
    Ok(print::out(&print::table(&["id", "comes from", "bot", "note", "made"], &rows, &["made", "bot", "note"]))?)
}

fn row(gate: &Gate, link: &CampaignLink) -> Vec<String> {
    let campaign = &link.campaign;
    let values: Vec<String> = campaign.touch.values.iter().map(|value| format!("{}={}", value.key, value.value)).collect();
    vec![
        campaign.id.clone(),
        print::short(&values.join(" "), 60),
        campaign.source.as_ref().map_or_else(|| "every".to_owned(), ToString::to_string),
        print::short(&campaign.note, 40),
        story::time(campaign.created_at, gate.zone()),
    ]
}

/// Runs `manager`.
pub(super) async fn manager(gate: &Gate, command: ManagerCommand) -> anyhow::Result<()> {
    match command {
        ManagerCommand::Link { manager } => link(gate, &manager).await,
        ManagerCommand::Accounts => accounts(gate).await,
        ManagerCommand::Unlink { manager } => {
            let writer = gate.writer().await?;
            let gone = writer.unlink_manager(&ManagerId(manager.clone())).await;
            writer.close().await;
            let gone = gone?;
            if gate.json() {
                return Ok(print::json(&json!({ "manager": manager, "unlinked": gone }))?);
            }
            let words = if gone { "is told nothing by Telegram any more" } else { "had linked no account" };
            Ok(print::line(&format!("{} {words}.", print::safe(&manager)))?)
        }
    }
}

fn has_bots(gate: &Gate) -> anyhow::Result<()> {
    if gate.config.onward.bots.is_empty() {
        bail!("there is no source of the kind telegram: `leadgate source new telegram` adds one, with every step to set it up");
    }
    Ok(())
}

async fn link(gate: &Gate, manager: &str) -> anyhow::Result<()> {
    if gate.globals.url.is_none() {
        has_bots(gate)?;
    }
    let manager = ManagerId(gate.manager(Some(manager))?);
    let writer = gate.writer().await?;
    let made = writer.manager_code(gate, manager).await;
    writer.close().await;
    let made = made?;
    if gate.json() {
        return Ok(print::json(&made)?);
    }
    print::note(&told(gate, &made));
    match made.urls.values().next() {
        Some(url) => Ok(print::line(url)?),
        None => Ok(print::line(&format!("/start {LINK}{}", made.code))?),
    }
}

fn told(gate: &Gate, made: &Code) -> String {
    let (manager, until) = (print::safe(&made.manager.0), story::time(made.until, gate.zone()));
    let how = if made.urls.is_empty() { "write this to the bot" } else { "open this link, and press Start" };
    format!("Let {manager} {how}. It counts once, until {until}; any code before is void.")
}

async fn accounts(gate: &Gate) -> anyhow::Result<()> {
    let accounts = gate.reader().await?.accounts().await?;
    if gate.json() {
        return Ok(print::json(&accounts)?);
    }
    if accounts.is_empty() {
        return Ok(print::line("Nobody has linked an account. `leadgate manager link <manager>` makes a code for it.")?);
    }
    let row = |account: &leadgate_core::ports::Account| {
        let since = story::time(account.linked_at, gate.zone());
        vec![account.manager.0.clone(), print::short(&account.display, 40), account.source.to_string(), since]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    Ok(print::out(&print::table(&["manager", "account", "bot", "linked"], &rows, &["linked"]))?)
}

/// A link with its addresses, where no gateway tells them.
pub(super) async fn with_urls(gate: &Gate, campaign: leadgate_core::ports::Campaign) -> CampaignLink {
    let bots = &gate.config.onward.bots;
    let urls = Names::default().urls(bots, campaign.source.as_ref(), &campaign.id).await;
    CampaignLink { campaign, urls }
}

/// A code with its links, where no gateway tells them.
pub(super) async fn with_links(gate: &Gate, code: Code) -> Code {
    let payload = format!("{LINK}{}", code.code);
    let urls: BTreeMap<_, _> = Names::default().urls(&gate.config.onward.bots, None, &payload).await;
    Code { urls, ..code }
}
