//! What people can type.

#![expect(clippy::doc_markdown, reason = "these comments are the help text people read on a terminal")]

mod contacts;
mod keeping;
mod outbox;
mod replay;
mod telegram;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, MoveId, SourceId, SubmissionId};
use leadgate_core::receipt::Outcome;
use leadgate_core::views::Scope;

pub use self::contacts::{ContactList, Contacts};
pub use self::keeping::{Backup, Copy, Erase, ErasedList, Export, Restore};
pub use self::outbox::{Alarms, ChosenJobs, MailCommand, Outbox, OutboxList, WebhookCommand};
pub use self::replay::{Chosen, Quarantine, Replay, Senders};
pub use self::telegram::{CampaignLinkOf, ManagerCommand, TelegramCommand};
use crate::answers::Via;

const EXAMPLES: &str = "\
The first minute:
  leadgate                        start the gateway; it prints what to do next
  leadgate init                   five questions about your company
  leadgate send                   send a test lead, the way a form does
  leadgate leads list             what came in
  leadgate leads show 1           one lead, and why it was recognised as it was

Every day:
  leadgate status                 everything on one screen
  leadgate sources                the URLs for your forms, and how each is doing
  leadgate source new tilda       add a source, with every step to set it up
  leadgate quarantine list        what waits for somebody to look at it

Reading looks into the database directly. Changes go through the running gateway, or straight
into the database when none runs here. Add --json for programs: the same JSON as the API gives.";

const LEADS: &str = "\
Examples:
  leadgate leads list --open --since \"7 days\"
  leadgate leads list --find \"+7 916 123-45-67\"
  leadgate leads take 1 --manager anna
  leadgate leads close 1 --as junk";

/// Takes in the leads of a company, recognises who wrote, and loses none.
#[derive(Debug, Parser)]
#[command(name = "leadgate", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What to do; nothing starts the gateway.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What every command takes.
    #[command(flatten)]
    pub globals: Globals,
}

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Globals {
    /// The configuration [default: config/leadgate.toml here, /etc/leadgate/leadgate.toml, or what is built in].
    #[arg(long, global = true, value_name = "FILE", env = "LEADGATE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// Talk to the gateway at this address, such as http://10.0.0.5:8080, instead of the one of this folder.
    #[arg(long, global = true, value_name = "URL", env = "LEADGATE_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// The API token for --url [default: the one in the data folder]. Better in LEADGATE_TOKEN: others on this machine see
    /// what is typed here.
    #[arg(long, global = true, value_name = "TOKEN", env = "LEADGATE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the gateway (the same as no command).
    Serve,
    /// Answer five questions about your company; writes config/local.toml.
    Init(Init),
    /// Check the configuration and tell everything that is wrong with it.
    Check,
    /// Look at leads and work them.
    #[command(visible_alias = "lead", after_help = LEADS)]
    Leads {
        /// What to do; nothing lists them.
        #[command(subcommand)]
        command: Option<Leads>,
    },
    /// Look at the people behind the leads.
    #[command(visible_alias = "contact")]
    Contacts {
        /// What to do; nothing lists them.
        #[command(subcommand)]
        command: Option<Contacts>,
    },
    /// Look at every delivery, as it came and what became of it.
    #[command(visible_alias = "submission")]
    Submissions {
        /// What to do; nothing lists them.
        #[command(subcommand)]
        command: Option<Submissions>,
    },
    /// Look at what waits for a person, and let it in or drop it.
    Quarantine {
        /// What to do; nothing lists it.
        #[command(subcommand)]
        command: Option<Quarantine>,
    },
    /// Read kept deliveries again, by the rules of today.
    Replay(Replay),
    /// Remember senders whose deliveries are kept without a lead.
    #[command(visible_alias = "sender")]
    Senders {
        /// What to do; nothing lists them.
        #[command(subcommand)]
        command: Option<Senders>,
    },
    /// Look at what others are told, and deliver it again or drop it.
    Outbox {
        /// What to do; nothing lists it.
        #[command(subcommand)]
        command: Option<Outbox>,
    },
    /// List the webhooks, and try one.
    #[command(subcommand, visible_alias = "webhooks")]
    Webhook(WebhookCommand),
    /// Try the server that sends mails.
    #[command(subcommand)]
    Mail(MailCommand),
    /// Make links to the Telegram bots for campaigns.
    #[command(subcommand)]
    Telegram(TelegramCommand),
    /// Link the Telegram accounts of managers, by which they are told of leads and take them.
    #[command(subcommand, visible_alias = "managers")]
    Manager(ManagerCommand),
    /// List what is wrong now, and what to do about it.
    Alarms {
        /// What to do; nothing lists them.
        #[command(subcommand)]
        command: Option<Alarms>,
    },
    /// Take an activity off the wrong person, or put it back.
    #[command(subcommand, visible_alias = "activity")]
    Activities(Activities),
    /// List pairs of contacts that may be one person.
    Reviews(Paging),
    /// List the sources: their URLs, when each last heard anything, and what was refused.
    Sources,
    /// Add a source, or change the token in its URL.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Make, list and revoke tokens for the API.
    #[command(subcommand, visible_alias = "tokens")]
    Token(Token),
    /// Send a test lead to the running gateway, the way a form does.
    Send(Send),
    /// Everything on one screen.
    Status,
    /// List the gateways that serve this database, and what each of them holds.
    Nodes,
    /// Copy everything the gateway keeps into a folder, also while it runs.
    Backup(Backup),
    /// Put a backup back, while the gateway is stopped.
    Restore(Restore),
    /// Move a stopped gateway from its file to PostgreSQL.
    Copy(Copy),
    /// Print every key of the configuration with what it means.
    Reference,
    /// Print completions for your shell.
    #[command(after_help = "Example:\n  leadgate completions bash > ~/.local/share/bash-completion/completions/leadgate")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// `init`
#[derive(Args, Debug, Default)]
#[command(after_help = "Without a terminal, or to script it, answer with options; what is missing is assumed:\n  \
    leadgate init --company \"Ромашка\" --country RU --time-zone Europe/Moscow --language ru --public-url https://leads.company.ru")]
pub struct Init {
    /// The company's name, as customers see it.
    #[arg(long, value_name = "NAME")]
    pub company: Option<String>,
    /// The two-letter code of its country.
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// Its time zone, such as Europe/Moscow.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The language of pages and instructions: ru or en.
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// The address under which your site reaches the gateway; empty if there is none yet.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Ask nothing: options, and assumptions for the rest.
    #[arg(long, short)]
    pub yes: bool,
}

/// Rows of a list when nothing is said.
const PAGE: u32 = 50;

impl Default for Paging {
    fn default() -> Self {
        Self { limit: PAGE, after: None }
    }
}

/// Where a list begins and how long it is.
#[derive(Args, Clone, Debug)]
pub struct Paging {
    /// At most so many, 1 to 500.
    #[arg(long, default_value_t = PAGE, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Go on after this mark, printed below a list that has more.
    #[arg(long, value_name = "MARK")]
    pub after: Option<String>,
}

/// `leads`
#[derive(Debug, Subcommand)]
pub enum Leads {
    /// List leads, newest first.
    List(LeadList),
    /// Show one lead: who, what happened, where from, and the reasons.
    Show {
        /// The lead's number.
        id: LeadId,
    },
    /// Close a lead.
    Close {
        /// The lead's number.
        id: LeadId,
        /// How it ended.
        #[arg(long = "as", value_name = "HOW")]
        how: CloseAs,
        /// Not a lead, and remember the sender: what comes from the person's phones and addresses makes no lead any more.
        #[arg(long)]
        ignore_sender: bool,
    },
    /// Open a closed lead again.
    Reopen {
        /// The lead's number.
        id: LeadId,
    },
    /// Make a manager responsible for a lead; a new one goes into work.
    Take {
        /// The lead's number.
        id: LeadId,
        /// The manager's id [default: the only one in the configuration].
        #[arg(long, value_name = "ID")]
        manager: Option<String>,
    },
    /// Write a note on a lead.
    Note {
        /// The lead's number.
        id: LeadId,
        /// What to write.
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Answer the customer: by the bot they wrote to last, else by mail.
    Reply {
        /// The lead's number.
        id: LeadId,
        /// What the customer reads.
        #[arg(required = true)]
        text: Vec<String>,
        /// By this channel.
        #[arg(long, value_enum)]
        via: Option<Via>,
    },
    /// Move an open lead to another stage.
    Stage {
        /// The lead's number.
        id: LeadId,
        /// NEW, IN_PROCESS or PROCESSED.
        #[arg(value_parser = stage)]
        stage: Stage,
    },
}

/// `leads list`
#[derive(Args, Clone, Debug, Default)]
pub struct LeadList {
    /// Only in this stage: NEW, IN_PROCESS, PROCESSED, CONVERTED or JUNK.
    #[arg(long, value_parser = stage)]
    pub stage: Option<Stage>,
    /// Only open ones.
    #[arg(long, conflicts_with = "closed")]
    pub open: bool,
    /// Only closed ones.
    #[arg(long)]
    pub closed: bool,
    /// Only from this source; may be repeated.
    #[arg(long, value_name = "ID")]
    pub source: Vec<SourceId>,
    /// Only of this contact.
    #[arg(long, value_name = "ID")]
    pub contact: Option<ContactId>,
    /// Only of this manager.
    #[arg(long, value_name = "ID", conflicts_with = "unassigned")]
    pub manager: Option<String>,
    /// Only those nobody has taken.
    #[arg(long)]
    pub unassigned: bool,
    /// Only made since: a date (2026-11-21), a time, or how long ago ("7 days").
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only of the person with this phone or e-mail, however it is spelled.
    #[arg(long, value_name = "PHONE|EMAIL")]
    pub find: Option<String>,
    /// Test leads too.
    #[arg(long)]
    pub tests: bool,
    /// Which part of the list.
    #[command(flatten)]
    pub paging: Paging,
}

/// How a lead ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CloseAs {
    /// Not a customer.
    Junk,
    /// A customer.
    Converted,
}

/// `submissions`
#[derive(Debug, Subcommand)]
pub enum Submissions {
    /// List deliveries, newest first.
    List(SubmissionList),
    /// Show one delivery and every receipt it got.
    Show {
        /// The delivery's id.
        id: SubmissionId,
    },
    /// Print the bytes as they are kept.
    Raw {
        /// The delivery's id.
        id: SubmissionId,
    },
}

/// `submissions list`
#[derive(Args, Clone, Debug, Default)]
pub struct SubmissionList {
    /// Only with this outcome: created, attached, returned, amended, repeat, probe, test, noted, spam or quarantined; may be
    /// repeated.
    #[arg(long, value_parser = outcome)]
    pub outcome: Vec<Outcome>,
    /// Only from this source; may be repeated.
    #[arg(long, value_name = "ID")]
    pub source: Vec<SourceId>,
    /// Only received since: a date (2026-11-21), a time, or how long ago ("7 days").
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Which part of the list.
    #[command(flatten)]
    pub paging: Paging,
}

/// `activities`
#[derive(Debug, Subcommand)]
pub enum Activities {
    /// Take an activity off its lead and contact: it gets its own. The numbers stand in `leads show`.
    Detach {
        /// The activity's number.
        id: ActivityId,
    },
    /// Put a detached activity back.
    Undo {
        /// The number of the move, printed by `detach`.
        id: MoveId,
    },
}

/// `source`
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Add a source: writes config/sources.d/ID.toml, prints the URL and every step to set it up.
    New {
        /// Which kind of source.
        kind: String,
        /// Which service, for a webhook: typeform, tally, vk and others; for a call_webhook: uis, binotel, 3cx and others.
        #[arg(long)]
        preset: Option<String>,
        /// Its id, part of the URL [default: the kind, with a number if that is taken].
        #[arg(long)]
        id: Option<SourceId>,
    },
    /// Change the token in a source's URL. The old URL works beside the new one until you finish.
    #[command(after_help = "First:   leadgate source rotate site            prints the new URL; paste it everywhere\n\
                            At last: leadgate source rotate site --finish   the old URL stops working")]
    Rotate {
        /// The source.
        id: SourceId,
        /// Drop the old token: only the new URL works from now on.
        #[arg(long)]
        finish: bool,
    },
    /// Show the last delivery of a source beside what is read in it: what came from where, what nothing asks for, what is missing.
    Map {
        /// The source.
        id: SourceId,
    },
    /// Read a body as a source would, without keeping it: what is read in it, and what would become of it.
    #[command(after_help = "Examples:\n  leadgate source try shop < body.json\n  \
                            leadgate source try shop --file form.txt --content-type application/x-www-form-urlencoded")]
    Try {
        /// The source.
        id: SourceId,
        /// What is read.
        #[command(flatten)]
        body: TryBody,
    },
    /// Try a mailbox or another source that the gateway asks: connect, list what is there, say what would be read and what is
    /// missing. Nothing is read into the gateway, and nothing is changed there.
    Test {
        /// The source.
        id: SourceId,
    },
    /// Read older things of a mailbox or another source that the gateway asks, in the background and without notices. What was
    /// read before is known again.
    #[command(after_help = "Example:\n  leadgate source backfill info --since 2026-01-01")]
    Backfill {
        /// The source.
        id: SourceId,
        /// What came on this day or later.
        #[arg(long, value_name = "DATE")]
        since: jiff::civil::Date,
    },
    /// Forget the URL of a source that is not in the configuration any more. Until then, what still comes to it is kept in
    /// quarantine, and its senders see a success.
    Forget {
        /// The source.
        id: SourceId,
    },
}

/// A body to be read on trial.
#[derive(Debug, clap::Args)]
pub struct TryBody {
    /// The file that holds it [default: the standard input].
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Its content type [default: as it looks].
    #[arg(long)]
    pub content_type: Option<String>,
    /// The query of the URL it would be sent to.
    #[arg(long)]
    pub query: Option<String>,
}

/// `token`
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leadgate token new crm --scope read --scope write --source site")]
pub enum Token {
    /// Make a token and show it, once.
    New {
        /// What it is for, such as `crm`.
        name: String,
        /// What it may do: read, write or admin; write includes read, admin includes both [default: read]. May be repeated.
        #[arg(long, value_parser = scope, value_delimiter = ',')]
        scope: Vec<Scope>,
        /// Only for this source; may be repeated.
        #[arg(long, value_name = "ID")]
        source: Vec<SourceId>,
    },
    /// List tokens; the tokens themselves are not kept.
    List,
    /// Revoke a token: it stops working at once.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// `send`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  leadgate send\n  leadgate send --source site --name \"Анна Петрова\" --phone \"8 916 123 45 67\"\n  \
    leadgate send --real            as if a customer had sent it: it counts and is worked"
)]
pub struct Send {
    /// Through which source [default: the first that is enabled and knows tests].
    #[arg(long, value_name = "ID")]
    pub source: Option<SourceId>,
    /// The name in the form.
    #[arg(long, default_value = "Тест Тестов")]
    pub name: String,
    /// The phone in the form.
    #[arg(long, default_value = "+7 916 123-45-67")]
    pub phone: String,
    /// The e-mail in the form.
    #[arg(long)]
    pub email: Option<String>,
    /// The message in the form.
    #[arg(long)]
    pub message: Option<String>,
    /// Not a test: a lead like any other.
    #[arg(long)]
    pub real: bool,
}

fn stage(text: &str) -> Result<Stage, String> {
    Stage::parse(&text.replace('-', "_")).ok_or_else(|| format!("write one of {}", Stage::ALL.map(Stage::as_str).join(", ")))
}

fn outcome(text: &str) -> Result<Outcome, String> {
    Outcome::parse(&text.to_ascii_lowercase())
        .ok_or_else(|| format!("write one of {}", Outcome::ALL.map(Outcome::as_str).join(", ")))
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| "write read, write or admin".to_owned())
}

/// Reads `--since`: a date or time in the company's zone, or a length of time before now.
pub fn since(text: &str, zone: &jiff::tz::TimeZone, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local =
        text.parse::<jiff::civil::DateTime>().or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)));
    if let Ok(local) = local {
        return local.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    let now = now.to_zoned(zone.clone());
    let back = text.trim_end_matches(" ago").parse::<jiff::Span>().ok().and_then(|span| now.checked_sub(span).ok());
    match back {
        Some(then) if then <= now => Ok(then.timestamp()),
        _ => {
            Err(format!("{text:?} is no time: write a date (2026-11-21), a time (2026-11-21 15:30) or how long ago (\"7 days\")"))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_serve_and_globals_go_anywhere() {
        let cli = Cli::try_parse_from(["leadgate"]).unwrap();
        assert!(cli.command.is_none());
        let cli =
            Cli::try_parse_from(["leadgate", "leads", "list", "--json", "--config", "x.toml", "--stage", "in-process"]).unwrap();
        assert!(cli.globals.json);
        let Some(Command::Leads { command: Some(Leads::List(list)) }) = cli.command else { panic!("{:?}", cli.command) };
        assert_eq!(list.stage, Some(Stage::InProcess));
        assert_eq!(list.paging.limit, 50);
        let cli = Cli::try_parse_from(["leadgate", "leads", "--json"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Leads { command: None })) && cli.globals.json);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            &["leads", "list", "--stage", "x"][..],
            &["leads", "list", "--open", "--closed"],
            &["leads", "list", "--limit", "501"],
            &["leads", "show", "x"],
            &["leads", "close", "1"],
            &["leads", "close", "1", "--as", "lost"],
            &["leads", "note", "1"],
            &["token", "new", "crm", "--scope", "root"],
            &["source", "rotate", "Bad Id"],
        ] {
            let error = Cli::try_parse_from([&["leadgate"], bad].concat()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad:?}");
        }
    }

    #[test]
    fn since_is_a_date_a_time_or_a_while() {
        let zone = jiff::tz::TimeZone::get("Europe/Moscow").unwrap();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-20", "2026-11-19T21:00:00Z"),
            ("2026-11-20 15:30", "2026-11-20T12:30:00Z"),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("7 days", "2026-11-14T12:00:00Z"),
            ("2 hours ago", "2026-11-21T10:00:00Z"),
        ] {
            assert_eq!(since(text, &zone, now), Ok(expected.parse().unwrap()), "{text}");
        }
        assert!(since("yesterday", &zone, now).is_err());
        assert!(since("-7 days", &zone, now).is_err());
    }
}
