//! What a section of the configuration says, and the kind it makes.

mod connection;
mod policy;
mod watching;

pub use connection::{Connection, Login, OAuth, Security};
pub use policy::{Action, Field, Policy, Rule};
pub use watching::{After, Start, Watching};

use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Mode, Secrets, SourceKind};
use leadgate_core::rules::SourceRules;

/// `kind = "imap"`.
pub const KIND: SourceKind = SourceKind {
    name: "imap",
    about: "A mailbox, watched over IMAP: every mail becomes a lead or an activity",
    example: "[sources.{id}]\nkind = \"imap\"\nhost = \"imap.example.com\"\nuser = \"info@example.com\"\npassword = { env = \"MAILBOX_PASSWORD\" }\n",
    setup: |_language| "{url}",
    build,
};

/// A mailbox as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where and how to connect.
    pub connection: Connection,
    /// What to read, and what to do with what was read.
    pub watching: Watching,
    /// What mails mean.
    pub policy: Policy,
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of every kind")]
fn build(mut config: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let mut problems = Vec::new();
    let connection = Connection::take(&mut config, secrets, context, &mut problems);
    let watching = Watching::take(&mut config, context, &mut problems);
    let policy = Policy::take(&mut config, context, &mut problems);
    problems.extend(config.keys().map(|key| BuildProblem { key: key.clone(), words: "there is no such key".to_owned() }));
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = Settings { connection, watching, policy };
    let pull = crate::watch::Watcher::new(context.source.clone(), settings);
    Ok(Connector { rules: SourceRules::default(), mode: Mode::Pull(Box::new(pull)) })
}
