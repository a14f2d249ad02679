//! The commands people type. Reading goes to the database, changing through the gateway that serves it.

mod api;
pub mod args;
mod backup;
mod copying;
mod deliveries;
mod erasing;
mod gate;
mod init;
mod leads;
mod mail;
mod mapping;
mod nodes;
mod outbox;
mod pulls;
mod replay;
mod send;
mod senders;
mod serve;
mod sources;
mod status;
mod story;
mod telegram;
mod tokens;
mod webhook;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{Cli, Command, Globals};
use self::gate::Gate;
use crate::config::Config;
use crate::print;

/// Runs what was typed. 0: done. 1: not possible, and why is told. 2: it makes no sense.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match clap_command().try_get_matches_from(typed).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(told) => return usage(&told),
    };
    match perform(cli) {
        Ok(code) => code,
        Err(error) => {
            print::note(format!("leadgate: {error:#}").trim_end());
            ExitCode::FAILURE
        }
    }
}

/// The commands with what only the registry knows.
fn clap_command() -> clap::Command {
    let kinds = sources::kinds_told();
    Cli::command().mut_subcommand("source", |source| {
        source.mut_subcommand("new", |new| new.after_help(format!("{kinds}\nExample:\n  leadgate source new tilda --id landing")))
    })
}

/// Help, the version, or what makes no sense. A closed pipe has nobody left to tell.
fn usage(told: &clap::Error) -> ExitCode {
    if told.print().is_err() {
        return ExitCode::FAILURE;
    }
    u8::try_from(told.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn perform(cli: Cli) -> anyhow::Result<ExitCode> {
    let globals = cli.globals;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => {
            // The store answers from threads of its own: its answers must not wait behind every busy connection.
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.enable_all().global_queue_interval(8).build().context("the runtime cannot start")?;
            runtime.block_on(serve::serve(&globals))?;
        }
        Command::Check => return serve::check(&globals),
        Command::Init(init) => init::command(&globals, &init)?,
        Command::Reference => print::out(Config::reference())?,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut clap_command(), "leadgate", &mut text);
            print::bytes(&text)?;
        }
        other => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")?;
            runtime.block_on(ask(&globals, other))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that looks at leads or changes them.
async fn ask(globals: &Globals, command: Command) -> anyhow::Result<()> {
    if let Command::Source(command) = command {
        return sources::command(globals, command).await;
    }
    let gate = Gate::new(globals)?;
    match command {
        Command::Leads { command } => leads::leads(&gate, command).await,
        Command::Contacts { command } => leads::contacts(&gate, command).await,
        Command::Activities(command) => leads::activities(&gate, command).await,
        Command::Reviews(paging) => leads::reviews(&gate, paging).await,
        Command::Submissions { command } => deliveries::submissions(&gate, command).await,
        Command::Quarantine { command } => deliveries::quarantine(&gate, command).await,
        Command::Replay(command) => replay::replay(&gate, command).await,
        Command::Senders { command } => senders::command(&gate, command).await,
        Command::Outbox { command } => outbox::command(&gate, command).await,
        Command::Webhook(command) => webhook::command(&gate, command).await,
        Command::Mail(command) => mail::command(&gate, command).await,
        Command::Alarms { command } => outbox::alarms(&gate, command).await,
        Command::Telegram(command) => telegram::command(&gate, command).await,
        Command::Manager(command) => telegram::manager(&gate, command).await,
        Command::Sources => sources::list(&gate).await,
        Command::Token(command) => tokens::command(&gate, command).await,
        Command::Send(command) => send::command(gate, command).await,
        Command::Status => status::command(&gate).await,
        Command::Nodes => nodes::command(&gate).await,
        Command::Backup(command) => backup::backup(&gate, &command).await,
        Command::Copy(command) => copying::copy(&gate, &command).await,
        Command::Restore(command) => backup::restore(&gate, &command).await,
        Command::Serve
        | Command::Check
        | Command::Init(_)
        | Command::Reference
        | Command::Completions { .. }
        | Command::Source(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_command_is_sound_and_names_the_kinds() {
        let mut command = clap_command();
        command.clone().debug_assert();
        let source = command.find_subcommand_mut("source").and_then(|source| source.find_subcommand_mut("new"));
        let help = source.unwrap().render_help().to_string();
        assert!(help.contains("html_form") && help.contains("tilda"), "{help}");
    }

    #[test]
    fn every_command_is_explained() {
        fn explained(command: &clap::Command) {
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some(), "{} {}", command.get_name(), sub.get_name());
                explained(sub);
            }
        }
        explained(&clap_command());
    }

    #[test]
    fn usage_errors_are_2_and_help_is_0() {
        let code = |typed: &[&str]| clap_command().try_get_matches_from(typed).unwrap_err().exit_code();
        assert_eq!(code(&["leadgate", "--help"]), 0);
        assert_eq!(code(&["leadgate", "leads", "close", "1"]), 2);
    }
}
