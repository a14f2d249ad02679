//! `serve` and `check`.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::args::Globals;
use crate::app::{App, Passed};
use crate::clock::Clock;
use crate::config::{Config, LoadOptions, Log, LogFormat, Problems};
use crate::{print, shutdown};

/// Runs the gateway until it is told to stop.
pub(super) async fn serve(globals: &Globals) -> anyhow::Result<()> {
    let passed = Passed::from_env()?;
    let config = Config::load(LoadOptions::from_process(globals.config.clone()))?;
    log_to_stderr(&config.log)?;
    let from = globals.config.clone();
    let reload = Box::new(move || Ok(Config::load(LoadOptions::from_process(from.clone()))?));
    let app = App::build_on(passed, config, Clock::system(), reload)?;
    print::line(&app.banner())?;
    let switches = shutdown::signals().context("cannot listen to signals")?;
    app.run(switches).await
}

/// Logs go to stderr: what a person is told at start stays apart from them.
fn log_to_stderr(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).context("log.level")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match log.format {
        LogFormat::Text => lines.with_target(false).with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}

/// Checks the configuration.
pub(super) fn check(globals: &Globals) -> anyhow::Result<ExitCode> {
    match Config::load(LoadOptions::from_process(globals.config.clone())) {
        Ok(config) => {
            if globals.json {
                print::json(&good(&config))?;
            } else {
                print::out(&told(&config))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            if globals.json {
                print::json(&bad(&problems))?;
            } else {
                print::note(problems.to_string().trim_end());
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn good(config: &Config) -> serde_json::Value {
    let sources: Vec<_> = config
        .sources
        .iter()
        .map(|source| serde_json::json!({ "id": source.id, "kind": source.kind.name, "enabled": source.enabled }))
        .collect();
    serde_json::json!({
        "ok": true,
        "files": config.files,
        "database": config.database.to_string(),
        "data_dir": config.data_dir,
        "attachments": config.attachments.to_string(),
        "sources": sources,
        "assumed": config.assumed,
    })
}

fn bad(problems: &Problems) -> serde_json::Value {
    let list: Vec<_> = problems
        .0
        .iter()
        .map(|problem| serde_json::json!({ "key": problem.key, "place": problem.place, "words": problem.words }))
        .collect();
    serde_json::json!({ "ok": false, "problems": list })
}

fn told(config: &Config) -> String {
    let mut text = print::Text::default();
    text.line("The configuration is good.");
    let mut pair = |name: &str, value: &str| text.pair(2, name, value);
    if config.files.is_empty() {
        pair("files", "none: what is built in");
    }
    for (index, file) in config.files.iter().enumerate() {
        pair(if index == 0 { "files" } else { "" }, &file.display().to_string());
    }
    pair("database", &config.database.to_string());
    pair("data", &config.data_dir.display().to_string());
    pair("attachments", &config.attachments.to_string());
    for (index, source) in config.sources.iter().enumerate() {
        let off = if source.enabled { "" } else { ", switched off" };
        pair(if index == 0 { "sources" } else { "" }, &format!("{} ({}{off})", source.id, source.kind.name));
    }
    if config.sources.is_empty() {
        pair("sources", "none: nothing can arrive. `leadgate source new html_form` adds one");
    }
    for (index, assumed) in config.assumed.iter().enumerate() {
        pair(if index == 0 { "assumed" } else { "" }, assumed);
    }
    if config.server.public_url.is_none() {
        pair("note", "no public_url: the URLs of the sources work on this machine only");
    }
    if !config.onward.tells_of_leads() {
        pair("note", "nobody hears of new leads: name who does in [[notify]] (with [mail]) or in [webhooks]");
    }
    if config.loses_answers() {
        pair(
            "note",
            "reply_via = \"gateway\", but no mailbox here reads the address in [mail] from: what managers answer to notices would be \
             lost. Add a mailbox ([sources.ID], kind = \"imap\") that gets its mails, those to from+... too, or name the address in the \
             addresses of the one that does",
        );
    }
    if !config.onward.tells_of_alarms() {
        pair("note", "nobody hears when something goes wrong: write [operator] emails (with [mail])");
    }
    text.finish()
}
