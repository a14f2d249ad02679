//! What people can type about messengers: `telegram` and `manager`.

use clap::{Args, Subcommand};
use leadgate_core::ids::SourceId;

/// `telegram`
#[derive(Debug, Subcommand)]
pub enum TelegramCommand {
    /// Make a link for a campaign: whoever follows it to a bot has come from there.
    #[command(
        after_help = "Example:\n  leadgate telegram link --utm-source vk --utm-campaign autumn --note \"the post of October\""
    )]
    Link(CampaignLinkOf),
    /// List the links of campaigns, the newest first.
    Links,
    /// Take a link away: whoever follows it later comes from nowhere that is known.
    Unlink {
        /// What the link carries.
        id: String,
    },
}

/// `telegram link`
#[derive(Args, Clone, Debug, Default)]
pub struct CampaignLinkOf {
    /// Where people come from: a site, a paper.
    #[arg(long, value_name = "TEXT")]
    pub utm_source: Option<String>,
    /// How: cpc, post, qr.
    #[arg(long, value_name = "TEXT")]
    pub utm_medium: Option<String>,
    /// The campaign.
    #[arg(long, value_name = "TEXT")]
    pub utm_campaign: Option<String>,
    /// Which of its adverts.
    #[arg(long, value_name = "TEXT")]
    pub utm_content: Option<String>,
    /// The words that were looked for.
    #[arg(long, value_name = "TEXT")]
    pub utm_term: Option<String>,
    /// The page on which the link stands.
    #[arg(long, value_name = "URL")]
    pub page: Option<String>,
    /// What you call it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// For this bot only.
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<SourceId>,
}

/// `manager`
#[derive(Debug, Subcommand)]
pub enum ManagerCommand {
    /// Make a code by which a manager links a Telegram account: once, within 15 minutes.
    Link {
        /// The manager's id.
        manager: String,
    },
    /// List the accounts that managers have linked.
    Accounts,
    /// Take a manager's accounts away: nothing is told there any more.
    Unlink {
        /// The manager's id.
        manager: String,
    },
}
