//! `quarantine release`, `quarantine drop` and `replay`.

use std::io::{BufRead as _, Write as _};

use anyhow::{anyhow, bail};
use jiff::Timestamp;
use leadgate_core::ids::SourceId;

use super::args::{Chosen, Replay, since};
use super::gate::{Gate, Writer};
use super::story;
use crate::backup::Progress;
use crate::print;
use crate::replay::{Asked, Deed, Done, Told};

/// Differences that are shown before a question; all of them go to `--json`.
const SHOWN: usize = 200;

/// Runs `quarantine release`.
pub(super) async fn release(gate: &Gate, chosen: Chosen, instead: Option<SourceId>) -> anyhow::Result<()> {
    let yes = chosen.yes;
    let asked = Asked { r#as: instead, ..asked(gate, chosen)? };
    decide(gate, asked, Deed::Release, yes, "Let everything in that fits?").await
}

/// Runs `quarantine drop`.
pub(super) async fn drop(gate: &Gate, chosen: Chosen) -> anyhow::Result<()> {
    let yes = chosen.yes;
    let asked = asked(gate, chosen)?;
    decide(gate, asked, Deed::Drop, yes, "Drop everything that fits?").await
}

fn asked(gate: &Gate, chosen: Chosen) -> anyhow::Result<Asked> {
    if chosen.ids.is_empty() && chosen.source.is_empty() && chosen.from.is_none() && chosen.to.is_none() && !chosen.all {
        bail!("say which: ids of `leadgate quarantine list`, --source, --from, --to, or --all");
    }
    let (from, to) = (moment(gate, chosen.from)?, moment(gate, chosen.to)?);
    let sources = Some(chosen.source).filter(|sources| !sources.is_empty());
    Ok(Asked { ids: chosen.ids, sources, from, to: to.or_else(|| Some(gate.clock.now())), ..Asked::default() })
}

fn moment(gate: &Gate, text: Option<String>) -> anyhow::Result<Option<Timestamp>> {
    text.map(|text| since(&text, gate.zone(), gate.clock.now())).transpose().map_err(|words| anyhow!(words))
}

async fn decide(gate: &Gate, mut asked: Asked, deed: Deed, yes: bool, question: &str) -> anyhow::Result<()> {
    if asked.ids.is_empty() {
        confirm(gate, yes, question)?;
    } else {
        // Ids stand for themselves, whenever they came.
        asked.to = None;
    }
    let told = run(gate, asked, deed, "deliveries").await?;
    if gate.json() {
        return Ok(print::json(&told)?);
    }
    let mut text = print::Text::default();
    for one in &told {
        text.line(line(gate, one));
    }
    text.line(summary(&told, false));
    Ok(print::out(&text.finish())?)
}

/// Runs `replay`.
pub(super) async fn replay(gate: &Gate, command: Replay) -> anyhow::Result<()> {
    let now = gate.clock.now();
    let (from, to) = (moment(gate, command.from)?, moment(gate, command.to)?);
    let asked = Asked {
        ids: command.ids,
        outcomes: command.outcome,
        sources: Some(command.source).filter(|sources| !sources.is_empty()),
        from,
        // What arrives from now on is read by these rules anyway.
        to: to.or(Some(now)),
        r#as: command.instead,
        reattach: command.reattach,
        ..Asked::default()
    };
    let deed = if command.reattach { Deed::Reattach } else { Deed::Replay };
    if command.reattach || command.dry_run {
        let told = run(gate, Asked { dry: true, ..asked.clone() }, deed, "looking").await?;
        let changing = told.iter().any(|one| one.done == Done::Changed);
        if command.dry_run || !changing {
            return finish(gate, &told, true);
        }
        show_changes(gate, &told)?;
        confirm(gate, command.yes, "Write these differences?")?;
    } else {
        confirm(gate, command.yes, "Read everything that fits again, by the rules of today?")?;
    }
    let told = run(gate, asked, deed, "replaying").await?;
    finish(gate, &told, false)
}

fn finish(gate: &Gate, told: &[Told], dry: bool) -> anyhow::Result<()> {
    if gate.json() {
        return Ok(print::json(&told)?);
    }
    let mut text = print::Text::default();
    for one in told.iter().filter(|one| one.done != Done::Same).take(SHOWN) {
        text.line(line(gate, one));
        for change in &one.changes {
            text.line(format!("    {}", print::safe(change)));
        }
    }
    text.line(summary(told, dry));
    Ok(print::out(&text.finish())?)
}

fn show_changes(gate: &Gate, told: &[Told]) -> anyhow::Result<()> {
    let changed: Vec<&Told> = told.iter().filter(|one| one.done == Done::Changed).collect();
    let mut text = print::Text::default();
    for one in changed.iter().take(SHOWN) {
        text.line(line(gate, one));
        for change in &one.changes {
            text.line(format!("    {}", print::safe(change)));
        }
    }
    if changed.len() > SHOWN {
        text.line(format!("... and {} more: --dry-run --json shows all", changed.len() - SHOWN));
    }
    // With --json only the outcome goes to stdout.
    let text = text.finish();
    if gate.json() {
        print::note(&text);
        return Ok(());
    }
    Ok(print::out(&text)?)
}

fn line(gate: &Gate, told: &Told) -> String {
    let what = match (&told.receipt, &told.why) {
        (_, Some(why)) => format!("left as it is: {why}"),
        (Some(receipt), None) => {
            let before = if told.before == receipt.outcome { String::new() } else { format!("{} -> ", told.before) };
            let lead = receipt.lead.map_or_else(String::new, |id| format!(", lead {id}"));
            let contact = receipt.contact.map_or_else(String::new, |id| format!(", contact {id}"));
            let same = if told.done == Done::Same { " (as before)" } else { "" };
            format!("{before}{}{lead}{contact}{same}", receipt.outcome)
        }
        (None, None) => format!("{} (as before)", told.before),
    };
    let received = story::time(told.received_at, gate.zone());
    format!("{}  {received}  {}  {}", told.id, told.source, print::safe(&what))
}

fn summary(told: &[Told], dry: bool) -> String {
    let count = |done: Done| told.iter().filter(|one| one.done == done).count();
    let changed = if dry { "would change" } else { "changed" };
    match told.len() {
        0 => "Nothing is like that.".to_owned(),
        _ => format!(
            "{} {changed}, {} as before, {} left as they are.",
            count(Done::Changed),
            count(Done::Same),
            count(Done::Left)
        ),
    }
}

/// Batch after batch, oldest first. What was done stays done if it is interrupted.
async fn run(gate: &Gate, mut asked: Asked, deed: Deed, what: &str) -> anyhow::Result<Vec<Told>> {
    let writer = gate.writer().await?;
    let outcome = async {
        let (mut told, mut bar) = (Vec::new(), None);
        loop {
            let batch = writer.again(gate, &asked, deed).await?;
            let bar = bar.get_or_insert_with(|| Progress::for_people().things(what, batch.total.unwrap_or(0)));
            bar.add(batch.items.len() as u64);
            told.extend(batch.items);
            let Some(next) = batch.next else { break };
            asked.after = Some(next);
        }
        if let Some(missing) = told_missing(&asked, &told) {
            print::note(&missing);
        }
        anyhow::Ok(told)
    }
    .await;
    if let Writer::Store(..) = &writer {
        writer.close().await;
    }
    outcome
}

/// Ids that nothing is kept of.
fn told_missing(asked: &Asked, told: &[Told]) -> Option<String> {
    let missing: Vec<String> =
        asked.ids.iter().filter(|id| told.iter().all(|one| one.id != **id)).map(ToString::to_string).collect();
    (!missing.is_empty()).then(|| format!("There is no delivery {}.", missing.join(", ")))
}

/// Asks, unless told not to.
pub(super) fn confirm(gate: &Gate, yes: bool, question: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if gate.json() || !print::can_ask() {
        bail!("this asks before it writes; without a terminal say --yes");
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "д" | "да") {
        return Ok(());
    }
    bail!("nothing was written")
}
