//! `backup` and `restore`.

use super::args::{Backup, Restore};
use super::gate::Gate;
use crate::backup::{self, Progress};
use crate::print;

/// Runs `backup`.
pub(super) async fn backup(gate: &Gate, command: &Backup) -> anyhow::Result<()> {
    let made = backup::make(&gate.config, &command.to, &gate.clock, Progress::for_people()).await?;
    let manifest = &made.manifest;
    if !manifest.lost.is_empty() {
        print::note(&format!(
            "{} attachments that leads name could not be copied, because they are missing or damaged; {} lists them, and the rest \
             is whole.",
            manifest.lost.len(),
            made.folder.join("manifest.json").display()
        ));
    }
    if gate.json() {
        return Ok(print::json(&serde_json::json!({
            "folder": made.folder,
            "made_at": manifest.made_at,
            "bytes": manifest.size(),
            "counts": manifest.counts,
            "lost": manifest.lost,
        }))?);
    }
    let mut text = print::Text::default();
    let counts = manifest.counts;
    text.line(format!("The backup is {}", made.folder.display()));
    text.pair(
        2,
        "holds",
        &format!(
            "{} leads, {} contacts, {} deliveries, {} attachments ({})",
            counts.leads,
            counts.contacts,
            counts.submissions,
            counts.attachments,
            backup::readable(manifest.size())
        ),
    );
    text.pair(2, "not in it", "the configuration: keep the folder config as well");
    text.pair(2, "put it back", &format!("leadgate restore --from {}", made.folder.display()));
    Ok(print::out(&text.finish())?)
}

/// Runs `restore`.
pub(super) async fn restore(gate: &Gate, command: &Restore) -> anyhow::Result<()> {
    let progress = Progress::for_people();
    let put = backup::restore(&gate.config, &command.from, command.set_existing_aside, &gate.clock, progress).await?;
    if gate.json() {
        return Ok(print::json(&serde_json::json!({
            "installation": put.manifest.installation,
            "made_at": put.manifest.made_at,
            "counts": put.manifest.counts,
            "attachments_put": put.attachments,
            "set_aside": put.aside,
            "erased_again": put.erased_again,
        }))?);
    }
    let mut text = print::Text::default();
    let counts = put.manifest.counts;
    let zone = gate.zone();
    text.line(format!(
        "Put back as of {}: {} leads, {} contacts, {} deliveries, {} attachments.",
        put.manifest.made_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z"),
        counts.leads,
        counts.contacts,
        counts.submissions,
        counts.attachments
    ));
    for folder in &put.aside {
        text.pair(2, "set aside", &folder.display().to_string());
    }
    if put.erased_again > 0 {
        text.pair(2, "erased again", &format!("{} people who were erased after the backup was made", put.erased_again));
    }
    if put.erased_unknown {
        text.pair(
            2,
            "look at",
            "who was erased since could not be read: leadgate contacts erased --apply FILE does it from a list",
        );
    }
    text.pair(2, "what next", "start the gateway. Leads that came after the backup was made are not in it");
    Ok(print::out(&text.finish())?)
}
