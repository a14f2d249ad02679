//! What people can type to keep what was taken: `backup`, `restore` and `copy`.

use std::path::PathBuf;

use clap::Args;
use leadgate_core::ids::ContactId;

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

/// `contacts export`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  leadgate contacts export 5 --to ~/request-of-anna")]
pub struct Export {
    /// The contact's number.
    pub id: ContactId,
    /// A new folder: it gets `contact-5.json` and the files as they were sent. Without it the JSON is printed, without files.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
}

/// `contacts erase`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "What goes: name, phones, e-mails, messages, files, deliveries as they came, where they came from. What stays: how many leads\n\
    there were and what became of them, without what they said; and hashes by which `contacts erased --find` tells that this person was\n\
    erased, when, by whom and why. Backups made before still hold everything.\n\n\
    Example:\n  leadgate contacts erase 5 --reason \"asked for it on 21 Nov\" --search"
)]
pub struct Erase {
    /// The contact's number.
    pub id: ContactId,
    /// Why.
    #[arg(long, value_name = "WORDS")]
    pub reason: String,
    /// Look for their phones and e-mails in quarantine, spam and whatever was kept without a lead, too; what holds one goes.
    #[arg(long)]
    pub search: bool,
    /// Write the database's file anew, however large it is: nothing is left in its free space. Senders wait meanwhile.
    #[arg(long)]
    pub rebuild: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `contacts erased`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Was this person erased?\n  leadgate contacts erased --find \"+7 916 123-45-67\"\n\n\
    After a database was put back by other means than `leadgate restore`, erase once more whom it brought back:\n  \
    leadgate contacts erased --json > erased.json        before\n  leadgate contacts erased --apply erased.json         after")]
pub struct ErasedList {
    /// Only the person with this phone or e-mail, however it is spelled.
    #[arg(long, value_name = "PHONE|EMAIL", conflicts_with = "apply")]
    pub find: Option<String>,
    /// Erase everybody of such a list who is there, while no gateway runs here.
    #[arg(long, value_name = "FILE")]
    pub apply: Option<PathBuf>,
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
