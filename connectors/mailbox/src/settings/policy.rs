//! What mails mean, as far as people can say.

use std::sync::Arc;

use leadgate_core::ports::{BuildContext, BuildProblem};
use leadgate_core::rules::Ours;
use leadgate_core::submission::MailClass;

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A lead, or an activity where it belongs.
    Lead,
    /// Kept, noted.
    Note,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Addresses and names in From.
    From,
    /// Addresses in To and Cc.
    To,
    /// The subject.
    Subject,
}

/// One rule: the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All must match: a text that is contained, `*` standing for anything, case ignored.
    pub when: Vec<(Field, String)>,
    /// Then.
    pub action: Action,
}

/// What mails mean.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What is the company's own, this mailbox among it.
    pub ours: Arc<Ours>,
    /// This mailbox's own addresses.
    pub own: Vec<String>,
    /// The host whose Authentication-Results and spam headers are believed (its authserv-id).
    pub trusted_host: Option<String>,
    /// The language of undeclared 8-bit text and of what is guessed: `ru`, `en`, `uk`, `de`, `es` ...
    pub language: String,
    /// What becomes of classes; missing: the default of the class.
    pub classes: Vec<(MailClass, Action)>,
    /// Rules, in order.
    pub rules: Vec<Rule>,
    /// Senders of form notifications beside those that are recognised.
    pub form_senders: Vec<String>,
}

impl Policy {
    /// Takes its keys from a section.
    pub fn take(config: &mut toml::Table, context: &BuildContext, problems: &mut Vec<BuildProblem>) -> Self {
        let _ = (config, context, problems);
        todo!()
    }
}
