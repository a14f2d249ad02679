//! `submissions` and `quarantine`: what came, as it came, and what became of it.

use anyhow::{anyhow, bail};
use leadgate_core::ids::SubmissionId;
use leadgate_core::receipt::Outcome;
use leadgate_core::views::{SubmissionDetail, SubmissionFilter};

use super::args::{Paging, Quarantine, SubmissionList, Submissions, since};
use super::gate::{Gate, unpack};
use super::leads::{at, more};
use super::{replay, story};
use crate::print::{self, Text};

/// Bytes of a body shown on a screen; `submissions raw` gives all.
const SHOWN: usize = 4096;

/// Runs `submissions`.
pub(super) async fn submissions(gate: &Gate, command: Option<Submissions>) -> anyhow::Result<()> {
    match command.unwrap_or_else(|| Submissions::List(SubmissionList::default())) {
        Submissions::List(list) => {
            let now = gate.clock.now();
            let filter = SubmissionFilter {
                outcomes: list.outcome,
                sources: Some(list.source).filter(|sources| !sources.is_empty()),
                since: list.since.map(|text| since(&text, gate.zone(), now)).transpose().map_err(|words| anyhow!(words))?,
            };
            self::list(gate, filter, list.paging, "Nothing has come yet, or nothing is like that.").await
        }
        Submissions::Show { id } => show(gate, id, false).await,
        Submissions::Raw { id } => raw(gate, id).await,
    }
}

/// Runs `quarantine`.
pub(super) async fn quarantine(gate: &Gate, command: Option<Quarantine>) -> anyhow::Result<()> {
    match command.unwrap_or_else(|| Quarantine::List { source: Vec::new(), paging: Paging::default() }) {
        Quarantine::List { source, paging } => {
            let sources = Some(source).filter(|sources| !sources.is_empty());
            let filter = SubmissionFilter { outcomes: vec![Outcome::Quarantined], sources, since: None };
            waiting(gate, filter, paging).await
        }
        Quarantine::Show { id } => show(gate, id, true).await,
        Quarantine::Release { chosen, instead } => replay::release(gate, chosen, instead).await,
        Quarantine::Drop { chosen } => replay::drop(gate, chosen).await,
    }
}

async fn list(gate: &Gate, filter: SubmissionFilter, paging: Paging, nothing: &str) -> anyhow::Result<()> {
    let page = gate.reader().await?.submissions(filter, at(paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        return Ok(print::line(nothing)?);
    }
    let number = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|item| {
            vec![
                item.id.to_string(),
                story::time(item.received_at, gate.zone()),
                item.source.to_string(),
                item.outcome.to_string(),
                number(item.lead.map(|id| id.to_string())),
                number(item.contact.map(|id| id.to_string())),
                item.repeats.to_string(),
                print::short(item.reasons.first().map_or("", String::as_str), 80),
            ]
        })
        .collect();
    let head = ["id", "received", "source", "outcome", "lead", "contact", "repeats", "first reason"];
    print::out(&print::table(&head, &rows, &["repeats", "contact", "lead"]))?;
    more(page.next.as_deref());
    Ok(())
}

/// What waits, each with all of its reasons: the line that would let it in stands there.
async fn waiting(gate: &Gate, filter: SubmissionFilter, paging: Paging) -> anyhow::Result<()> {
    let page = gate.reader().await?.submissions(filter, at(paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        return Ok(print::line("The quarantine is empty.")?);
    }
    let mut text = Text::default();
    for item in &page.items {
        text.line(format!("{}  {}  {}", item.id, story::time(item.received_at, gate.zone()), item.source));
        for reason in &item.reasons {
            text.block(&print::indented(reason, "    "));
        }
    }
    text.line("\nTo let them in: leadgate quarantine release ID, or put right what holds them and `leadgate replay`. No leads: leadgate quarantine drop ID.");
    print::out(&text.finish())?;
    more(page.next.as_deref());
    Ok(())
}

async fn show(gate: &Gate, id: SubmissionId, bytes: bool) -> anyhow::Result<()> {
    let reader = gate.reader().await?;
    let Some(detail) = reader.submission(id).await? else {
        bail!("there is no delivery {id}; `leadgate submissions list` shows what there is")
    };
    if gate.json() {
        return Ok(print::json(&detail)?);
    }
    let mut text = Text::default();
    tell(gate, &detail, &mut text);
    if bytes {
        let raw = match unpack(&detail) {
            // A distant gateway sends the bytes apart from the rest.
            Ok(raw) if raw.is_empty() && detail.submission.size > 0 => reader.raw(id).await?.unwrap_or_default(),
            other => other?,
        };
        text.line("\nAs it came");
        let shown = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN)]);
        text.block(&print::indented(&shown, "  "));
        if raw.len() > SHOWN {
            text.line(format!("  ... {} in all: leadgate submissions raw {id}", story::size(raw.len() as u64)));
        }
    } else {
        text.line(format!("\nIts bytes as they are kept: leadgate submissions raw {id}"));
    }
    Ok(print::out(&text.finish())?)
}

fn tell(gate: &Gate, detail: &SubmissionDetail, text: &mut Text) {
    let submission = &detail.submission;
    text.line(format!("Delivery {}", submission.id));
    let mut pair = |name: &str, value: &str| text.pair(2, name, value);
    pair("received", &format!("{} from {}", story::time(submission.received_at, gate.zone()), submission.source));
    pair("outcome", submission.outcome.as_str());
    if let Some(lead) = submission.lead {
        pair("lead", &lead.to_string());
    }
    if let Some(contact) = submission.contact {
        pair("contact", &contact.to_string());
    }
    if submission.repeats > 0 {
        pair("came again", &format!("{} times", submission.repeats));
    }
    pair("proved", if detail.authenticated { "the sender proved who they are" } else { "the sender proved nothing" });
    pair("content", &format!("{}, {}", submission.content_type, story::size(submission.size)));
    if !detail.query.is_empty() {
        pair("query", &detail.query);
    }
    if let Some(peer) = &detail.peer {
        pair("address", peer);
    }
    pair("sha256", &detail.sha256);
    for (number, receipt) in detail.receipts.iter().enumerate() {
        text.line(format!("\nReceipt {}: {}", number + 1, receipt.outcome));
        for reason in &receipt.reasons {
            text.line(format!("  - {}", print::safe(&reason.words())));
        }
    }
}

async fn raw(gate: &Gate, id: SubmissionId) -> anyhow::Result<()> {
    let Some(raw) = gate.reader().await?.raw(id).await? else {
        bail!("there is no delivery {id}; `leadgate submissions list` shows what there is")
    };
    // A terminal obeys what it is shown; a file or a pipe gets every byte.
    if print::is_terminal() {
        return Ok(print::out(&print::indented(&String::from_utf8_lossy(&raw), ""))?);
    }
    Ok(print::bytes(&raw)?)
}
