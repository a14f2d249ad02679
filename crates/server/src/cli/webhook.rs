//! `webhook list` and `webhook test`.

use std::time::Instant;

use anyhow::{anyhow, bail};
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{DeliverError, Delivered};
use leadgate_outbound::webhook::{Hook, Webhook, sample};
use serde::Serialize;
use uuid::Uuid;

use super::args::WebhookCommand;
use super::gate::{Gate, Reader};
use crate::config::did_you_mean;
use crate::outward::Outward;
use crate::print::{self, Text};

/// Runs `webhook`.
pub(super) async fn command(gate: &Gate, command: WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::List => list(gate),
        WebhookCommand::Test { id, event } => test(gate, &id, &event).await,
    }
}

/// A webhook as the list shows it.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    target: String,
    events: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<&'a str>>,
    signed: bool,
    ordered: bool,
}

impl<'a> Told<'a> {
    fn of(hook: &'a Hook) -> Self {
        Self {
            id: &hook.id,
            target: hook.target(),
            events: hook.events.iter().map(ToString::to_string).collect(),
            sources: hook.sources.as_ref().map(|sources| sources.iter().map(SourceId::as_str).collect()),
            signed: hook.is_signed(),
            ordered: hook.ordered,
        }
    }
}

fn list(gate: &Gate) -> anyhow::Result<()> {
    let told: Vec<Told<'_>> = gate.config.onward.webhooks.iter().map(Told::of).collect();
    if gate.json() {
        return Ok(print::json(&told)?);
    }
    if told.is_empty() {
        return Ok(print::line("There is no webhook: set up [webhooks.ID]; `leadgate reference` says how.")?);
    }
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let rows: Vec<_> = told
        .iter()
        .map(|one| {
            let sources = one.sources.as_ref().map_or_else(|| "all".to_owned(), |sources| sources.join(", "));
            vec![one.id.to_owned(), one.events.join(", "), sources, yes(one.signed), yes(one.ordered)]
        })
        .collect();
    print::out(&print::table(&["webhook", "events", "sources", "signed", "in order"], &rows, &["in order", "sources"]))?;
    print::note("How each does: leadgate outbox targets. To try one: leadgate webhook test ID");
    Ok(())
}

/// What a trial came to.
#[derive(Serialize)]
struct Trial<'a> {
    webhook: &'a str,
    event: &'a str,
    id: Uuid,
    signed: bool,
    ok: bool,
    words: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refs: Vec<(String, String)>,
    milliseconds: u128,
    #[serde(skip_serializing_if = "str::is_empty")]
    advice: &'a str,
}

async fn test(gate: &Gate, id: &str, event: &str) -> anyhow::Result<()> {
    let hooks = &gate.config.onward.webhooks;
    let hook = hooks.iter().find(|hook| hook.id == id).ok_or_else(|| {
        let near = did_you_mean(id, hooks.iter().map(|hook| hook.id.as_str()));
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        anyhow!("there is no webhook {} in the configuration{near}", print::safe(id))
    })?;
    let parcel = sample(event, &hook.target(), gate.clock.event().0, installation(gate).await?, gate.clock.now())
        .ok_or_else(|| anyhow!("there is no event {event}"))?;
    let client = Outward::new(gate.config.server.inner_services.clone()).guarded()?;
    if !gate.json() {
        let signed = if hook.is_signed() { "signed" } else { "not signed" };
        let mut text = Text::default();
        text.line(format!("Sending {event}, about nobody and marked as a test (data.test), {signed}."));
        text.pair(2, "webhook-id", &parcel.job.id.to_string());
        print::out(&text.finish())?;
    }
    let begun = Instant::now();
    let outcome = Webhook::new(hook, client).test(&parcel).await;
    let advice = outcome.as_ref().err().map_or("", advice);
    let ok = outcome.is_ok();
    let (words, refs) = match outcome {
        Ok(Delivered { words, refs }) => (words, refs),
        Err(error) => (error.to_string(), Vec::new()),
    };
    let milliseconds = begun.elapsed().as_millis();
    let trial =
        Trial { webhook: id, event, id: parcel.job.id.0, signed: hook.is_signed(), ok, words, refs, milliseconds, advice };
    tell(gate, &trial)?;
    if !ok {
        bail!("{id} did not take it");
    }
    Ok(())
}

fn tell(gate: &Gate, trial: &Trial<'_>) -> anyhow::Result<()> {
    if gate.json() {
        return Ok(print::json(trial)?);
    }
    let mut text = Text::default();
    let mark = if trial.ok { "ok  " } else { "FAIL" };
    text.line(format!("{mark}  {}, in {} ms", print::safe(&trial.words), trial.milliseconds));
    for (scope, value) in &trial.refs {
        text.line(format!("      there it is {} {}", print::safe(scope), print::safe(value)));
    }
    if !trial.advice.is_empty() {
        text.block(&print::indented(trial.advice, "      "));
    }
    Ok(print::out(&text.finish())?)
}

/// What to do when it was not taken.
fn advice(error: &DeliverError) -> &'static str {
    match error {
        DeliverError::Unavailable { .. } => {
            "Look whether the receiver runs and `url` is right; one in your own network must stand in [server] inner_services. What is owed would wait and be tried again."
        }
        DeliverError::Later { .. } | DeliverError::Quiet { .. } => {
            "It answers, but does not take this now: its own log says more. What is owed would wait and be tried again."
        }
        DeliverError::Refused { .. } | DeliverError::NoRecipient { .. } => {
            "It will never take this: look at its own log, at the secret it verifies with, and at the template. What is owed would be given up at once."
        }
        DeliverError::Gone { .. } => {
            "It says that it is not there any more: set `url` to where it is now. What is owed would wait for that."
        }
    }
}

/// The installation that receivers are told, if there is one yet.
async fn installation(gate: &Gate) -> anyhow::Result<Uuid> {
    if gate.globals.url.is_some() || !gate.config.database.may_exist() {
        return Ok(Uuid::nil());
    }
    match gate.reader().await? {
        Reader::Store(store) => Ok(store.installation().await?),
        Reader::Api(_) => Ok(Uuid::nil()),
    }
}
