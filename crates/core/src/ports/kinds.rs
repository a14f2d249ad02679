//! What kinds of sources there are, and how one is built from a config.

use super::{Pull, Push};
use crate::ids::SourceId;
use crate::rules::SourceRules;
use crate::secret::Secret;

/// What `build` may use beside the source's own config.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The source's id.
    pub source: SourceId,
    /// The company's language, `ru` or `en`.
    pub language: String,
    /// The company's name, for pages.
    pub company: String,
    /// The address under which senders reach the gateway, without a trailing slash.
    pub public_url: String,
    /// The company's country.
    pub country: Option<crate::phone::Country>,
    /// What is the company's own, of `[company]`.
    pub ours: std::sync::Arc<crate::rules::Ours>,
    /// The folder of what the gateway keeps for itself, for its owner alone.
    pub data: std::path::PathBuf,
}

/// Resolves `{ env = ".." }`, `{ file = ".." }` or a literal.
pub trait Secrets {
    /// The secret a config value names; the error is for people.
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String>;
}

/// A source, built.
pub struct Connector {
    /// Its rules for the plan. The server fills in the gateway's country where it is `None`.
    pub rules: SourceRules,
    /// How it runs.
    pub mode: Mode,
}

/// How a source runs.
pub enum Mode {
    /// Senders call us.
    Push(Box<dyn Push>),
    /// We ask.
    Pull(Box<dyn Pull>),
    /// Senders call us, and we see to it that they do.
    Both(Box<dyn Push>, Box<dyn Pull>),
}

impl Mode {
    /// What is called by senders.
    pub fn push(&self) -> Option<&dyn Push> {
        match self {
            Self::Push(push) | Self::Both(push, _) => Some(&**push),
            Self::Pull(_) => None,
        }
    }

    /// What asks.
    pub fn pull(&self) -> Option<&dyn Pull> {
        match self {
            Self::Pull(pull) | Self::Both(_, pull) => Some(&**pull),
            Self::Push(_) => None,
        }
    }
}

/// What is wrong with a source's config: key path within the source, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProblem {
    /// E.g. `allow_origins[0]`; empty for the whole table.
    pub key: String,
    /// What is wrong, and what would be right.
    pub words: String,
}

/// Builds a source from its keys. All problems at once.
pub type Build = fn(config: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>>;

/// A kind of source a config can name. Registered by one line in the server.
pub struct SourceKind {
    /// `kind = "..."`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// A working config section, commented; `{id}` stands for the source's id.
    pub example: &'static str,
    /// Steps to set it up, by language (`ru`, `en`); `{url}` stands for the source's URL, `{script}` for the tag of its
    /// [`Script`](super::Script).
    pub setup: fn(language: &str) -> &'static str,
    /// Builds a source from its keys (without `kind`). All problems at once; unknown keys are refused by name.
    pub build: Build,
}
