//! What people can type about what others are told: `outbox`, `webhook` and `mail`.

use clap::{Args, Subcommand};
use leadgate_core::ids::LeadId;
use leadgate_core::onward::{EVENTS, JobId, JobState};

use super::Paging;

/// `outbox`
#[derive(Debug, Subcommand)]
pub enum Outbox {
    /// List deliveries, newest first.
    List(OutboxList),
    /// Show one delivery: what it tells, how often it was tried, what was answered.
    Show {
        /// The delivery's id.
        id: JobId,
    },
    /// Deliver at once what waits, was given up, is held or was dropped. What was dropped only by its id or --state dropped.
    #[command(after_help = "Examples:\n  leadgate outbox retry 0199a1b2-...                            one, or several ids\n  \
        leadgate outbox retry --state dead --target webhook:crm       all of them that were given up\n  \
        leadgate outbox retry --lead 7")]
    Retry {
        /// Which.
        #[command(flatten)]
        chosen: ChosenJobs,
    },
    /// Give up what waits, is held or was given up: it is not delivered. It stays in the list until its retention ends.
    #[command(
        after_help = "Examples:\n  leadgate outbox drop 0199a1b2-...\n  leadgate outbox drop --state held --target webhook:crm"
    )]
    Drop {
        /// Which.
        #[command(flatten)]
        chosen: ChosenJobs,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// List the targets: whether each takes what it is sent, and what it is owed.
    Targets,
}

/// `alarms`
#[derive(Debug, Subcommand)]
pub enum Alarms {
    /// Take alarms back, because you know that all is well. What is still wrong is an alarm again.
    #[command(after_help = "Example:\n  leadgate alarms clear mail:manager:anna")]
    Clear {
        /// What `leadgate alarms` shows after the name.
        key: String,
    },
}

/// `outbox list`
#[derive(Args, Clone, Debug, Default)]
pub struct OutboxList {
    /// Only in this state: waiting, sending, done, dead, held or dropped; may be repeated.
    #[arg(long, value_parser = state)]
    pub state: Vec<JobState>,
    /// Only of this target: mail, webhook:ID, telegram:SOURCE.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Only of this lead.
    #[arg(long, value_name = "ID")]
    pub lead: Option<LeadId>,
    /// Which part of the list.
    #[command(flatten)]
    pub paging: Paging,
}

/// Deliveries by id, or by what they have in common.
#[derive(Args, Clone, Debug, Default)]
#[group(required = true, multiple = true)]
pub struct ChosenJobs {
    /// The ids of deliveries.
    #[arg(value_name = "ID", conflicts_with_all = ["state", "target", "lead"])]
    pub ids: Vec<JobId>,
    /// Instead of ids: in this state; may be repeated [default: waiting, dead and held].
    #[arg(long, value_parser = state)]
    pub state: Vec<JobState>,
    /// Of this target: mail, webhook:ID, telegram:SOURCE.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Of this lead.
    #[arg(long, value_name = "ID")]
    pub lead: Option<LeadId>,
}

/// `webhook`
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List the webhooks of the configuration: what each is told, and whether it is signed.
    List,
    /// Send a webhook an event that never happened, marked as a test, and say what it answered. The gateway need not run.
    #[command(after_help = "Examples:\n  leadgate webhook test crm\n  leadgate webhook test crm --event contact.returned")]
    Test {
        /// The webhook: `crm` for [webhooks.crm].
        id: String,
        /// Which event; docs/events.md lists them.
        #[arg(long, value_name = "NAME", default_value = "lead.created", value_parser = event)]
        event: String,
    },
}

/// `mail`
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Try the mail server: connect, log in, and with an address send a mail there. The gateway need not run.
    #[command(after_help = "Examples:\n  leadgate mail test\n  leadgate mail test me@company.ru")]
    Test {
        /// Whom to send a mail to.
        #[arg(value_name = "ADDRESS")]
        to: Option<String>,
    },
}

fn state(text: &str) -> Result<JobState, String> {
    JobState::parse(&text.to_ascii_lowercase())
        .ok_or_else(|| format!("write one of {}", JobState::ALL.map(JobState::as_str).join(", ")))
}

fn event(text: &str) -> Result<String, String> {
    if EVENTS.iter().any(|kind| kind.name == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = EVENTS.iter().map(|kind| kind.name).collect();
    Err(format!("write one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn typed(words: &[&str]) -> Result<Outbox, i32> {
        let cli = Cli::try_parse_from([&["leadgate", "outbox"], words].concat()).map_err(|error| error.exit_code())?;
        match cli.command {
            Some(Command::Outbox { command: Some(command) }) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn jobs_are_chosen_by_id_or_by_what_they_have_in_common() {
        let id = "0192f0c4-7d31-7a40-9c1e-5b7d9f1a3c5e";
        let Ok(Outbox::Retry { chosen }) = typed(&["retry", id, id]) else { panic!() };
        assert_eq!(chosen.ids.len(), 2);
        let Ok(Outbox::Drop { chosen, yes }) = typed(&["drop", "--state", "dead", "--state", "HELD", "--target", "mail", "-y"])
        else {
            panic!()
        };
        assert_eq!((chosen.state, chosen.target.as_deref(), yes), (vec![JobState::Dead, JobState::Held], Some("mail"), true));
        let Ok(Outbox::List(list)) = typed(&["list", "--lead", "7", "--limit", "5"]) else { panic!() };
        assert_eq!((list.lead, list.paging.limit), (Some(LeadId(7)), 5));
        for bad in
            [&["retry"][..], &["drop", "--yes"], &["retry", id, "--target", "mail"], &["list", "--state", "x"], &["show", "7"]]
        {
            assert_eq!(typed(bad).map(|_| ()), Err(2), "{bad:?}");
        }
    }

    #[test]
    fn a_test_event_is_one_there_is() {
        assert!(Cli::try_parse_from(["leadgate", "webhook", "test", "crm", "--event", "lead.closed"]).is_ok());
        let error = Cli::try_parse_from(["leadgate", "webhook", "test", "crm", "--event", "lead.crated"]).unwrap_err();
        assert!(error.to_string().contains("lead.created"), "{error}");
        assert!(Cli::try_parse_from(["leadgate", "mail", "test"]).is_ok());
    }
}
