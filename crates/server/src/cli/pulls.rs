//! `source test`, `source backfill`, and what `sources` says of those that the gateway asks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{anyhow, bail};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Ask, Finding, FolderReport, PullState};
use serde_json::json;

use super::api::Api;
use super::gate::Gate;
use super::story;
use crate::backup::Progress;
use crate::config::{Source, did_you_mean};
use crate::print;
use crate::sources::{Reading, SourceView};

/// Between two looks at how far a backfill is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Whoever watches hears from the other side more often than this.
const HEARD_WITHIN: SignedDuration = SignedDuration::from_mins(35);

/// Tells how reading a source goes.
pub(super) fn tell(gate: &Gate, reading: &Reading, pair: &mut impl FnMut(&str, &str)) {
    let now = gate.clock.now();
    pair("state", &state(reading, now));
    if !reading.report.words.is_empty() {
        pair("", &reading.report.words);
    }
    pair("last answer", &story::time_or_dash(reading.report.heard_at, gate.zone()));
    for folder in &reading.report.folders {
        pair("folder", &folder_told(folder));
    }
    if let Some(Ask::Backfill { since }) = reading.ask {
        pair("asked for", &format!("what came since {since}; it was not begun yet"));
    }
}

fn state(reading: &Reading, now: Timestamp) -> String {
    let state = match reading.report.state {
        PullState::Connecting => "connecting",
        PullState::Reading => "reading",
        PullState::Watching => "watching: everything is read",
        PullState::Down => "cannot be reached; it is tried again",
        PullState::Refused => "refused; it is tried again now and then, and after each reload",
    };
    let at = reading.reported_at.max(reading.report.heard_at);
    let well = matches!(reading.report.state, PullState::Reading | PullState::Watching);
    if well && at.is_some_and(|at| now.duration_since(at) > HEARD_WITHIN) {
        return format!("{state}, as was told last; since then nobody told anything: does a gateway run?");
    }
    state.to_owned()
}

/// `INBOX: 3 to be read, 40 of 5000 older ones read`.
fn folder_told(folder: &FolderReport) -> String {
    let mut parts = Vec::new();
    if folder.behind > 0 {
        parts.push(format!("{} to be read", folder.behind));
    }
    if let Some((read, all)) = folder.backfill {
        parts.push(format!("{read} of {all} older ones read"));
    }
    if folder.quarantined > 0 {
        parts.push(format!("{} could not be had: see leadgate quarantine", folder.quarantined));
    }
    let told = if parts.is_empty() { "everything is read".to_owned() } else { parts.join(", ") };
    format!("{}: {told}", folder.name)
}

fn find<'a>(gate: &'a Gate, id: &SourceId) -> anyhow::Result<&'a Source> {
    let sources = &gate.config.sources;
    sources.iter().find(|source| source.id == *id).ok_or_else(|| {
        let near = did_you_mean(id.as_str(), sources.iter().map(|source| source.id.as_str()));
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        anyhow!("there is no source {id} in the configuration{near}")
    })
}

/// Runs `source test`.
pub(super) async fn test(gate: &Gate, id: &SourceId) -> anyhow::Result<()> {
    let source = find(gate, id)?;
    let Some(pull) = source.connector.mode.pull() else {
        bail!("{id} is called by its senders: try it with leadgate send --source {id}, or a body with leadgate source try {id}");
    };
    let json = gate.json();
    let findings: Mutex<Vec<Finding>> = Mutex::default();
    pull.try_out(&|finding: Finding| {
        if !json {
            let mark = if finding.ok { "ok  " } else { "FAIL" };
            // Told as it is found: connecting may take a while.
            if let Err(error) = print::line(&format!("{mark}  {}", print::safe(&finding.words))) {
                tracing::debug!(%error, "nobody reads what is found");
            }
        }
        findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    })
    .await;
    let findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    if json {
        print::json(&findings)?;
    }
    match findings.iter().filter(|finding| !finding.ok).count() {
        0 if findings.is_empty() => bail!("this kind of source cannot be tried"),
        0 if !source.enabled => bail!("all is well, but the source is switched off (enabled = false): nothing is read"),
        0 => Ok(()),
        _ => bail!("{id} does not work as it is configured"),
    }
}

/// Runs `source backfill`.
pub(super) async fn backfill(gate: &Gate, id: &SourceId, since: Date) -> anyhow::Result<()> {
    let Some(api) = gate.running().await? else {
        bail!("the gateway is not running: start it, and ask again");
    };
    let asked: Reading = api.post(&format!("/api/v1/sources/{id}/backfill"), &json!({ "since": since })).await?;
    if gate.json() {
        return Ok(print::json(&asked)?);
    }
    if !print::is_terminal() {
        return Ok(print::line(&format!("What came since {since} is read now; leadgate sources shows how far it is."))?);
    }
    tokio::select! {
        outcome = follow(&api, id) => outcome,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            Ok(print::line("It goes on in the background; leadgate sources shows how far it is.")?)
        }
    }
}

/// Shows how far a backfill is until it is done.
async fn follow(api: &Api, id: &SourceId) -> anyhow::Result<()> {
    let mut bar = None;
    let mut told = String::new();
    loop {
        let sources: Vec<SourceView> = api.get("/api/v1/sources").await?;
        let reading = sources.into_iter().find(|source| source.id == *id).and_then(|source| source.reading);
        let reading = reading.ok_or_else(|| anyhow!("there is no source {id} any more"))?;
        if matches!(reading.report.state, PullState::Down | PullState::Refused) && reading.report.words != told {
            told.clone_from(&reading.report.words);
            print::note(&format!("it waits: {}", print::safe(&told)));
        }
        let under_way: Vec<(u64, u64)> = reading.report.folders.iter().filter_map(|folder| folder.backfill).collect();
        let (read, all) = under_way.iter().fold((0, 0), |(read, all), folder| (read + folder.0, all + folder.1));
        if under_way.is_empty() && reading.ask.is_none() {
            drop(bar);
            return Ok(print::line("Everything is read.")?);
        }
        if all > 0 {
            bar.get_or_insert_with(|| (Progress::for_people().things("older ones", all), all)).0.at(read);
        }
        // Another folder begins, or more was found.
        if bar.as_ref().is_some_and(|(_, known)| *known != all) {
            bar = None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use leadgate_core::ports::PullReport;

    use super::*;

    #[test]
    fn folders_tell_what_is_left() {
        let folder = FolderReport { name: "INBOX".to_owned(), ..FolderReport::default() };
        assert_eq!(folder_told(&folder), "INBOX: everything is read");
        let folder = FolderReport { behind: 3, quarantined: 1, backfill: Some((40, 5000)), ..folder };
        assert_eq!(
            folder_told(&folder),
            "INBOX: 3 to be read, 40 of 5000 older ones read, 1 could not be had: see leadgate quarantine"
        );
    }

    #[test]
    fn what_nobody_tells_any_more_is_not_taken_for_well() {
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let report = PullReport { state: PullState::Watching, heard_at: Some(at), ..PullReport::default() };
        let reading = Reading { report, reported_at: Some(at), ..Reading::default() };
        assert_eq!(state(&reading, at + SignedDuration::from_mins(30)), "watching: everything is read");
        assert!(state(&reading, at + SignedDuration::from_mins(40)).contains("does a gateway run?"));
    }
}
