//! `copy`.

use anyhow::bail;

use super::args::Copy;
use super::gate::Gate;
use crate::backup::Progress;
use crate::config::Database;
use crate::copying::{self, Plan};
use crate::print;

/// Runs `copy`.
pub(super) async fn copy(gate: &Gate, command: &Copy) -> anyhow::Result<()> {
    let to = match (&command.to, &gate.config.database) {
        (Some(url), _) => leadgate_core::secret::Secret::new(url.trim()),
        (None, Database::Postgres(url)) => url.clone(),
        (None, Database::Sqlite(_)) => {
            bail!(
                "say where to copy to: --to postgres://<user>@<host>/<database>, or write that URL into [database] of config/local.toml first"
            )
        }
    };
    let from = std::path::absolute(&command.from)?;
    let plan = Plan { from, to, attachments: command.attachments_from.clone() };
    let copied = copying::copy(&gate.config, &plan, &gate.clock, Progress::for_people()).await?;
    if !copied.lost.is_empty() {
        print::note(&format!(
            "{} attachments that leads name were not in the source any more, and are not in the target.",
            copied.lost.len()
        ));
    }
    if gate.json() {
        return Ok(print::json(&copied)?);
    }
    let mut text = print::Text::default();
    let rows: u64 = copied.tables.iter().map(|(_, rows)| rows).sum();
    text.line(if copied.resumed { "Copied, from where it stopped, and compared:" } else { "Copied and compared:" });
    for (name, rows) in copied.tables.iter().filter(|(_, rows)| *rows > 0) {
        text.line(format!("  {name:<20} {rows:>10}"));
    }
    text.line(format!("  {:<20} {rows:>10}, the same on both sides", "rows"));
    text.line(format!("  {:<20} {:>10} put into the attachment store", "files", copied.attachments));
    if matches!(&gate.config.database, Database::Postgres(url) if *url == plan.to) {
        text.line("What next: start the gateway.");
    } else {
        text.line("What next: write the target into [database] url in config/local.toml, then start the gateway.");
    }
    text.line(format!("The source stays as it was: {}", plan.from.display()));
    Ok(print::out(&text.finish())?)
}
