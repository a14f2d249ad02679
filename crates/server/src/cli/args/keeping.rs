//! What people can type to keep what was taken: `backup`, `restore` and `copy`.

use std::path::PathBuf;

use clap::Args;

/// `backup`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The backup is one folder: the database as of one moment, the attachments it names, the tokens, and a manifest.\n\
    It appears whole or not at all. The configuration is not in it.\n\n\
    Example, for every night:\n  leadgate backup --to /var/backups/leadgate"
)]
pub struct Backup {
    /// A new folder; or one that is there, then a folder named by the time is made in it.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}

/// `restore`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The backup is checked before anything is touched. What it does not hold (leads that came after it was made) is\n\
    gone from the gateway; what follows from deliveries of before is not told to others a second time.\n\n\
    Example:\n  leadgate restore --from /var/backups/leadgate/leadgate-20261121T030000Z"
)]
pub struct Restore {
    /// The folder that `leadgate backup` made.
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Move what is there into a folder beside it, instead of refusing.
    #[arg(long)]
    pub set_existing_aside: bool,
}

/// `copy`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Every row is copied, then read again on both sides and compared; a difference is told, and the exit code says so.\n\
    Interrupted, the same command goes on where it stopped. The source is not changed.\n\n\
    Example:\n  createdb leadgate\n  leadgate copy --from sqlite:data/leadgate.db --to postgres://leadgate@db.company.ru/leadgate"
)]
pub struct Copy {
    /// The database of a stopped gateway: `sqlite:FILE`.
    #[arg(long, value_name = "sqlite:FILE", value_parser = crate::copying::source)]
    pub from: PathBuf,
    /// An empty PostgreSQL database (default: `url` of `[database]`). With a password in it better in LEADGATE_COPY_TO: others on
    /// this machine see what is typed here.
    #[arg(long, value_name = "URL", env = "LEADGATE_COPY_TO", hide_env_values = true)]
    pub to: Option<String>,
    /// Where the source's attachments lie (default: the folder `attachments` beside its database). They are put where
    /// `[attachments]` of the configuration says.
    #[arg(long, value_name = "FOLDER")]
    pub attachments_from: Option<PathBuf>,
}
