//! What people can type about what was kept: `quarantine`, `replay` and `senders`.

use clap::{Args, Subcommand};
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::receipt::Outcome;

use super::Paging;

/// `quarantine`
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// List what waits, newest first, and why.
    List {
        /// Only from this source; may be repeated.
        #[arg(long, value_name = "ID")]
        source: Vec<SourceId>,
        /// Which part of the list.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one delivery in quarantine with its bytes.
    Show {
        /// The delivery's id.
        id: SubmissionId,
    },
    /// Let deliveries in: they are read again and become what they would have become. Spam and notes, too, by their ids.
    #[command(after_help = "Examples:\n  leadgate quarantine release 0199a1b2-...            one, or several ids\n  \
        leadgate quarantine release --source site --yes     everything that waits from a source\n  \
        leadgate quarantine release --source old --as new   read by another source: the old one was renamed or removed")]
    Release {
        /// Which.
        #[command(flatten)]
        chosen: Chosen,
        /// Read by this source instead of the one it came from.
        #[arg(long = "as", value_name = "ID")]
        instead: Option<SourceId>,
    },
    /// Put deliveries aside for good: no leads. They stay, marked with who did it and when, until their retention ends.
    Drop {
        /// Which.
        #[command(flatten)]
        chosen: Chosen,
    },
}

/// Deliveries by id, or by what they have in common.
#[derive(Args, Clone, Debug, Default)]
pub struct Chosen {
    /// The ids of deliveries.
    #[arg(value_name = "ID", conflicts_with_all = ["source", "from", "to"])]
    pub ids: Vec<SubmissionId>,
    /// Instead of ids: from this source; may be repeated.
    #[arg(long, value_name = "ID")]
    pub source: Vec<SourceId>,
    /// Received since: a date (2026-11-21), a time, or how long ago ("7 days").
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Received before, likewise.
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
    /// Everything that waits.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `replay`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "What made no lead (quarantined, spam, noted) goes through the rules of today. What is settled is left alone; with\n\
    --reattach its activity tells from now on what is read today, after you have seen the differences. Nobody is notified.\n\
    Interrupted, or run a second time, it goes on where there is something left to do.\n\n\
    Examples:\n  leadgate replay --source site --from \"7 days\"\n  leadgate replay --outcome quarantined --dry-run\n  \
    leadgate replay --source site --from 2026-11-01 --reattach"
)]
pub struct Replay {
    /// The ids of deliveries; none: all that fit.
    #[arg(value_name = "ID", conflicts_with_all = ["source", "outcome", "from", "to"])]
    pub ids: Vec<SubmissionId>,
    /// Only from this source; may be repeated.
    #[arg(long, value_name = "ID")]
    pub source: Vec<SourceId>,
    /// Only with this outcome; may be repeated [default: quarantined, spam and noted; with --reattach all].
    #[arg(long, value_parser = super::outcome)]
    pub outcome: Vec<Outcome>,
    /// Only received since: a date (2026-11-21), a time, or how long ago ("7 days").
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Only received before, likewise.
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
    /// Read by this source instead of the one it came from: that was renamed or removed.
    #[arg(long = "as", value_name = "ID")]
    pub instead: Option<SourceId>,
    /// Settled ones, too: their activities tell from now on what is read today. Nothing is moved from one person to another.
    #[arg(long)]
    pub reattach: bool,
    /// Only tell what would become of them.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `senders`
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leadgate senders ignore promo@example.org reklama.example +7 916 123-45-67")]
pub enum Senders {
    /// From now on keep what comes from these without a lead: a phone, an e-mail address, or a whole mail domain.
    Ignore {
        /// A phone, an address or a domain.
        #[arg(required = true, value_name = "PHONE|EMAIL|DOMAIN")]
        senders: Vec<String>,
    },
    /// List the ignored senders, the newest first.
    List,
    /// Take a sender as any other from now on. What came meanwhile is kept: `leadgate replay --outcome noted`.
    Forget {
        /// A phone, an address or a domain.
        #[arg(value_name = "PHONE|EMAIL|DOMAIN")]
        sender: String,
    },
}
