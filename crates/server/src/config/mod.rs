//! The configuration: found, laid over each other, checked as a whole, and then free of anything left to interpret.
//!
//! [`Config::load`] returns either a configuration that works or every problem there is. It reads files and the
//! environment and changes nothing; tokens that the configuration does not name are added by
//! [`Config::add_tokens`].

mod attachments;
mod check;
mod keeping;
mod layers;
mod lines;
mod machine;
mod managers;
mod onward;
mod problems;
mod section;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use leadgate_core::email;
use leadgate_core::ids::{ManagerId, SourceId};
use leadgate_core::onward::{Hours, Quiet};
use leadgate_core::phone::{self, Country, Hints};
use leadgate_core::ports::{Connector, SourceKind};
use leadgate_core::rules::{CallRules, Ours, Rules, SourceRules};
use leadgate_core::secret::Secret;
use leadgate_outbound::mail::ReplyVia;

pub use attachments::{Attachments, S3};
pub use keeping::{Keeping, Lifetime};
pub use leadgate_core::language::Language;
pub use lines::Line;
pub use machine::FALLBACK_COUNTRY;
pub use onward::{AutoReply, CANARY, Canary, MAIL, Notice, Onward, Operator, Road, ToldBy, bot_target, files_target};
pub use problems::{Problem, Problems, did_you_mean};
pub use tls::{Acme, Tls};

use crate::secrets::SourceTokens;

/// What an answer to a question must be, as in the configuration.
pub(crate) mod answers {
    pub(crate) use super::check::{language, public_url, time_zone};
    pub(crate) use super::machine::usual_language;
}

/// A checked configuration.
pub struct Config {
    /// The files it was read from, in the order they were laid over each other. Empty: only what is built in.
    pub files: Vec<PathBuf>,
    /// The folder of the configuration: `local.toml` and `sources.d` lie here.
    pub folder: PathBuf,
    /// The company.
    pub company: Company,
    /// How the gateway is reached.
    pub server: Server,
    /// Where leads are kept.
    pub database: Database,
    /// The folder of tokens and, unless they are kept elsewhere, of attachments, absolute.
    pub data_dir: PathBuf,
    /// Where attachments are kept.
    pub attachments: Attachments,
    /// What is kept for how long.
    pub keeping: Keeping,
    /// How leads are recognised.
    pub leads: Leads,
    /// What is logged.
    pub log: Log,
    /// Who works leads.
    pub managers: Vec<Manager>,
    /// The company's telephone lines.
    pub lines: Vec<Line>,
    /// Where leads come from.
    pub sources: Vec<Source>,
    /// Who hears of what.
    pub onward: Onward,
    /// What was assumed because nobody has set it, in words, one thing each.
    pub assumed: Vec<String>,
}

/// `[company]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// As customers see it.
    pub name: String,
    /// National phone numbers are read as this country's.
    pub country: Country,
    /// Times are shown in this zone.
    pub time_zone: TimeZone,
    /// The language of pages and setup steps.
    pub language: Language,
    /// Its own phones, as written.
    pub phones: Vec<String>,
    /// Its own e-mail addresses, as written.
    pub emails: Vec<String>,
    /// Its own mail domains, lower case, in ASCII.
    pub domains: Vec<String>,
    /// When somebody is there to answer; `None`: nobody said.
    pub hours: Option<Hours>,
}

impl Company {
    /// What is the company's own, with its managers.
    fn ours(&self, managers: &[Manager]) -> Ours {
        let hints = Hints { configured: Some(self.country), ..Hints::default() };
        let phones = self.phones.iter().flat_map(|typed| phone::read(typed, &hints).phones);
        let managers = managers.iter().filter_map(|manager| manager.email.as_ref());
        let emails = self.emails.iter().chain(managers).flat_map(|typed| email::read(typed).emails);
        Ours {
            phones: phones.map(|phone| phone.key()).collect(),
            emails: emails.map(|email| email.key).collect(),
            domains: self.domains.iter().cloned().collect(),
        }
    }
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub listen: Listen,
    /// The address under which senders reach it, without a trailing slash.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What the gateway may call although it is not the public internet's.
    pub inner_services: Vec<leadgate_wire::guarded::Inner>,
    /// How long a sender may take for the head of a request.
    pub header_timeout: Duration,
    /// How long a sender may take for the body.
    pub body_timeout: Duration,
    /// Connections at once.
    pub max_connections: usize,
    /// How long running requests may take after a stop was asked for.
    pub drain: Duration,
    /// How long what one gateway of several does stays its own after it fell silent.
    pub lease: Duration,
    /// A second door with TLS.
    pub tls: Option<Tls>,
}

/// Where the gateway listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Every address of the machine, IPv6 and IPv4; IPv4 alone where there is no IPv6.
    Dual {
        /// The port.
        port: u16,
    },
    /// Only these.
    Addresses(Vec<SocketAddr>),
}

impl Listen {
    /// The port, the first one if there are several.
    pub fn port(&self) -> u16 {
        match self {
            Self::Dual { port } => *port,
            Self::Addresses(addresses) => addresses.first().map_or(0, SocketAddr::port),
        }
    }
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite, absolute.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database; it may hold a password.
    Postgres(Secret),
}

impl Database {
    /// Whether there may be something in it: a file is made by the first start.
    pub fn may_exist(&self) -> bool {
        match self {
            Self::Sqlite(path) => path.is_file(),
            Self::Postgres(_) => true,
        }
    }
}

/// Where it is, for people, without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => match leadgate_store_postgres::Target::parse(url.expose()) {
                Ok(target) => target.fmt(f),
                Err(_) => f.write_str("postgres://"),
            },
        }
    }
}

/// `[leads]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leads {
    /// A lead untouched for longer no longer takes what comes from its contact.
    pub open_for: SignedDuration,
    /// A landline is enough to recognise a contact whose last lead was touched within this time.
    pub landline_within: SignedDuration,
    /// New values a contact may claim a day.
    pub claims_per_day: u32,
    /// A value held by so many different names means nobody.
    pub generic_at: usize,
}

impl Default for Leads {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            open_for: rules.open_for,
            landline_within: rules.landline_within,
            claims_per_day: rules.claims_per_day,
            generic_at: rules.generic_at,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or a filter such as `info,leadgate_server=debug`.
    pub level: String,
    /// Its form.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

impl LogFormat {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// `[[managers]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// The short name used in commands and in the API.
    pub id: ManagerId,
    /// As people know them.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// Where they are, if not where the company is.
    pub time_zone: Option<TimeZone>,
    /// When they are not told anything.
    pub quiet: Option<Quiet>,
    /// When they get their digest.
    pub digest_at: Option<Time>,
    /// What they read, if not the company's language.
    pub language: Option<Language>,
    /// How they are told.
    pub by: ToldBy,
    /// Their extension, or their login at the provider of telephony.
    pub extension: Option<String>,
}

/// `[sources.<id>]`
pub struct Source {
    /// Its id, part of its URL.
    pub id: SourceId,
    /// Its kind.
    pub kind: &'static SourceKind,
    /// What decodes and answers its calls.
    pub connector: Connector,
    /// The tokens its URL may hold, the current one first.
    pub tokens: Vec<Secret>,
    /// Whether it takes anything.
    pub enabled: bool,
}

impl Source {
    /// The path of its URL with the current token; none before a token was made.
    pub fn path(&self) -> Option<String> {
        self.tokens.first().map(|token| format!("/in/{}/{}", self.id, token.expose()))
    }
}

/// Where to look for the configuration.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions<E> {
    /// The file given by the user; else `config/leadgate.toml` here, `/etc/leadgate/leadgate.toml`, or what is built in.
    pub config: Option<PathBuf>,
    /// The environment.
    pub env: E,
}

impl LoadOptions<std::vec::IntoIter<(String, String)>> {
    /// With the environment of this process. Variables that are no UTF-8 are nothing of ours.
    pub fn from_process(config: Option<PathBuf>) -> Self {
        let env: Vec<_> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        Self { config, env: env.into_iter() }
    }
}

impl Config {
    /// Finds, reads and checks the configuration. Either it works, or here is everything that is wrong with it.
    pub fn load<E: Iterator<Item = (String, String)>>(options: LoadOptions<E>) -> Result<Self, Problems> {
        let env: BTreeMap<String, String> = options.env.collect();
        let machine = machine::Machine::ask(&env);
        let current = std::env::current_dir().map_err(|error| {
            Problems(vec![Problem {
                key: String::new(),
                place: "the working directory".to_owned(),
                words: format!("it cannot be read: {error}; name the file with --config"),
            }])
        })?;
        Self::load_on(options.config.as_deref(), &current, env, &machine)
    }

    fn load_on(
        config: Option<&std::path::Path>,
        current: &std::path::Path,
        env: BTreeMap<String, String>,
        machine: &machine::Machine,
    ) -> Result<Self, Problems> {
        check::check(layers::Layers::read(config, current, &env), env, machine)
    }

    /// The rules leads are recognised by.
    pub fn rules(&self) -> Rules {
        let country = self.company.country;
        // What mailboxes get the notifications of looks for them.
        let notified: BTreeSet<&SourceId> = self.sources.iter().flat_map(|source| &source.connector.rules.forms).collect();
        let sources = self.sources.iter().map(|source| {
            let rules = &source.connector.rules;
            let (country, notified) = (rules.country.or(Some(country)), notified.contains(&source.id));
            let lines = self.lines.iter().filter(|line| line.is_of(&source.id));
            let lines = lines.flat_map(|line| line.numbers.iter().map(|number| (number.clone(), line.rules.clone())));
            let calls = CallRules { lines: Arc::new(lines.collect()), ..rules.calls.clone() };
            (source.id.clone(), Arc::new(SourceRules { country, notified, calls, ..rules.clone() }))
        });
        Rules {
            open_for: self.leads.open_for,
            landline_within: self.leads.landline_within,
            claims_per_day: self.leads.claims_per_day,
            generic_at: self.leads.generic_at,
            ours: Arc::new(self.ours()),
            sources: sources.collect(),
            fallback: Arc::new(SourceRules { country: Some(country), ..SourceRules::default() }),
            routes: Arc::new(self.onward.routes()),
        }
    }

    /// What is the company's own: of `[company]`, of the managers, and what its sources are reached by.
    fn ours(&self) -> Ours {
        let mut ours = self.company.ours(&self.managers);
        ours.phones.extend(self.lines.iter().flat_map(|line| line.numbers.iter().cloned()));
        for own in self.sources.iter().map(|source| &source.connector.rules.own) {
            ours.phones.extend(own.phones.iter().cloned());
            ours.emails.extend(own.emails.iter().cloned());
        }
        ours
    }

    /// Whether answers to notices would be lost: they go to the address of `[mail]`, and no mailbox that is read has it.
    pub fn loses_answers(&self) -> bool {
        let Some(mail) = self.onward.mail.as_ref().filter(|mail| mail.reply_via == ReplyVia::Gateway) else { return false };
        let own = email::read(mail.from.email()).emails;
        let reads = |source: &&Source| source.enabled && source.kind.name == "imap";
        let read = self.sources.iter().filter(reads).map(|source| &source.connector.rules.own.emails);
        !read.flatten().any(|key| own.iter().any(|own| own.key == *key))
    }

    /// The address senders are told: `public_url`, or this machine's own.
    pub fn base_url(&self) -> String {
        self.server.public_url.clone().unwrap_or_else(|| check::own_url(&self.server.listen))
    }

    /// Gives the sources without tokens of their own those of the data folder.
    pub fn add_tokens(&mut self, tokens: &SourceTokens) {
        for source in self.sources.iter_mut().filter(|source| source.tokens.is_empty()) {
            source.tokens = tokens.of(&source.id).to_vec();
        }
    }

    /// The sources whose tokens the configuration does not name.
    pub fn without_tokens(&self) -> Vec<SourceId> {
        let called = self.sources.iter().filter(|source| source.connector.mode.push().is_some());
        called.filter(|source| source.tokens.is_empty()).map(|source| source.id.clone()).collect()
    }

    /// Every key with what it means and its default.
    pub fn reference() -> &'static str {
        include_str!("../../../../config/leadgate.reference.toml")
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("files", &self.files)
            .field("company", &self.company)
            .field("server", &self.server)
            .field("database", &self.database)
            .field("data_dir", &self.data_dir)
            .field("attachments", &self.attachments)
            .field("keeping", &self.keeping)
            .field("leads", &self.leads)
            .field("log", &self.log)
            .field("managers", &self.managers)
            .field("sources", &self.sources.iter().map(|source| source.id.as_str()).collect::<Vec<_>>())
            .field("assumed", &self.assumed)
            .finish_non_exhaustive()
    }
}
