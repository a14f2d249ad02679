//! Who hears of what: `[operator]`, `[[managers]]`, `[[notify]]`, `[webhooks]`, `[mail]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use leadgate_core::email;
use leadgate_core::ids::{ManagerId, SourceId};
use leadgate_core::onward::{EVENTS, Pattern, Quiet, Recipient, Route, Routes, Subject, event};
use leadgate_outbound::mail::ReplyVia;
use leadgate_outbound::{mail, webhook};
use leadgate_telegram::settings::Settings as Bot;
use leadgate_wire::guarded::Allowed;
use leadgate_wire::keys::Keys;
use toml::Value;

use super::layers::join;
use super::problems::suggestion;
use super::section::{Report, Section};
use super::{Company, Manager, Source};
use crate::onward::Digest;
use crate::secrets::Resolver;

/// The target of mails.
pub const MAIL: &str = "mail";
/// The target of canaries by forms.
pub const CANARY: &str = "canary";

/// Who hears of what, and by what.
#[derive(Debug, Default)]
pub struct Onward {
    /// `[mail]`
    pub mail: Option<mail::Settings>,
    /// `[webhooks.<id>]`
    pub webhooks: Vec<webhook::Hook>,
    /// `[operator]`
    pub operator: Operator,
    /// `[[notify]]`
    pub notices: Vec<Notice>,
    /// `auto_reply` of sources.
    pub auto_replies: BTreeMap<SourceId, AutoReply>,
    /// `canary` of sources.
    pub canaries: BTreeMap<SourceId, Canary>,
    /// Sources that are bots.
    pub bots: BTreeMap<SourceId, Arc<Bot>>,
    /// Sources whose recordings are fetched.
    pub recordings: BTreeSet<SourceId>,
    /// How managers are told.
    pub told_by: BTreeMap<ManagerId, ToldBy>,
}

/// `notify_by` of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldBy {
    /// By mail, where they have an address.
    pub mail: bool,
    /// By a bot, where they have linked an account.
    pub telegram: bool,
}

impl ToldBy {
    /// By everything there is.
    pub const ALL: Self = Self { mail: true, telegram: true };
}

/// `[operator]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Their addresses.
    pub emails: Vec<String>,
    /// When they get their digest; `None`: never.
    pub digest_at: Option<Time>,
}

/// `[[notify]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Of which events.
    pub events: Vec<Pattern>,
    /// From which sources; `None`: all.
    pub sources: Option<BTreeSet<SourceId>>,
    /// Who.
    pub to: Vec<Recipient>,
    /// Chats of bots.
    pub chats: Vec<(SourceId, String)>,
    /// The operator, too.
    pub operator: bool,
}

/// `auto_reply` of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoReply {
    /// Its subject, instead of the template's.
    pub subject: Option<String>,
    /// Its text, instead of the template's.
    pub text: Option<String>,
    /// So many at most in an hour.
    pub per_hour: u32,
}

/// `canary` of a source: the gateway sends itself something by it, and expects it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// How often.
    pub every: SignedDuration,
    /// How it goes.
    pub road: Road,
}

/// How a canary goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Road {
    /// As a visitor's form, by the address that senders use.
    Form,
    /// As a mail to this address of the mailbox.
    Mailbox(String),
}

impl Road {
    /// By which target.
    pub fn target(&self) -> &'static str {
        match self {
            Self::Form => CANARY,
            Self::Mailbox(_) => MAIL,
        }
    }

    /// In what time it should be back. A mail may wait on its way; a form is tried again in this time, see the breaker's pauses.
    pub fn within(&self) -> SignedDuration {
        match self {
            Self::Form => SignedDuration::from_mins(10),
            Self::Mailbox(_) => SignedDuration::from_mins(15),
        }
    }
}

/// What sources have beside their own keys.
#[derive(Debug, Default)]
pub(super) struct OfSources {
    /// `auto_reply`
    pub auto_replies: BTreeMap<SourceId, AutoReply>,
    /// `canary`
    pub canaries: BTreeMap<SourceId, Canary>,
    /// Those of the kind `telegram`.
    pub bots: BTreeMap<SourceId, Arc<Bot>>,
    /// Those whose recordings are fetched.
    pub recordings: BTreeSet<SourceId>,
}

/// The target of a bot: notices, answers, and what is to be done because of its updates.
pub fn bot_target(source: &SourceId) -> String {
    format!("telegram:{source}")
}

/// The target that fetches what a source's deliveries offer: the files of a bot's messages, the recordings of calls.
pub fn files_target(source: &SourceId) -> String {
    format!("files:{source}")
}

/// Stands for the addresses of `[operator]`.
const OPERATOR: &str = "operator";
/// Automatic answers of a source in an hour, unless it says otherwise.
const PER_HOUR: u32 = 60;
/// What people are told of, unless it says otherwise.
const NOTICED: [&str; 8] = [
    event::LEAD_CREATED,
    event::CONTACT_RETURNED,
    event::LEAD_ATTACHED,
    event::LEAD_WAITING,
    event::CONTACT_WAITING,
    event::MESSAGE_FAILED,
    event::CALL_MISSED,
    event::CALL_UNRETURNED,
];
/// What is answered automatically.
const ANSWERED: [&str; 3] = [event::LEAD_CREATED, event::LEAD_ATTACHED, event::CONTACT_RETURNED];

impl Onward {
    /// The company's own chats of a bot: its group, and those that `[[notify]]` names.
    pub fn chats(&self, source: &SourceId) -> BTreeSet<i64> {
        let staff = self.bots.get(source).and_then(|bot| bot.staff_chat);
        let told = self.notices.iter().flat_map(|notice| &notice.chats).filter(|(of, _)| of == source);
        told.filter_map(|(_, chat)| chat.parse().ok()).chain(staff).collect()
    }

    /// Whether anybody hears of what goes wrong.
    pub fn tells_of_alarms(&self) -> bool {
        let alarms = |events: &[Pattern]| events.iter().any(|pattern| pattern.fits(event::SOURCE_FAILED));
        let by_mail = !self.operator.emails.is_empty() || self.notices.iter().any(|notice| alarms(&notice.events));
        let by_bot = self.notices.iter().any(|notice| !notice.chats.is_empty() && alarms(&notice.events));
        by_bot || (self.mail.is_some() && by_mail) || self.webhooks.iter().any(|hook| alarms(&hook.events))
    }

    /// Whether anybody hears of leads.
    pub fn tells_of_leads(&self) -> bool {
        let leads = |events: &[Pattern]| events.iter().any(|pattern| pattern.fits(event::LEAD_CREATED));
        self.notices.iter().any(|notice| leads(&notice.events)) || self.webhooks.iter().any(|hook| leads(&hook.events))
    }

    /// Who hears of what, as the plan sees it.
    pub fn routes(&self) -> Routes {
        let mut routes = Vec::new();
        for hook in &self.webhooks {
            routes.push(hook.route());
        }
        if let Some(mail) = &self.mail {
            routes.extend(self.mails());
            if mail.reply_via == ReplyVia::Gateway {
                let events = vec![Pattern::One(event::MAIL_SENT.to_owned())];
                let (target, recipient) = (MAIL.into(), Recipient::Relay);
                routes.push(Route { target, recipient, events, sources: None, ordered: false });
            }
        }
        for source in self.bots.keys() {
            routes.extend(self.bot(source));
        }
        routes.extend(self.recordings.iter().map(|source| own(source, files_target(source), event::FILE_OFFERED)));
        Routes::new(routes)
    }

    /// What is owed to a bot.
    fn bot(&self, source: &SourceId) -> Vec<Route> {
        let mut routes = vec![
            own(source, bot_target(source), event::MESSAGE_RECEIVED),
            own(source, files_target(source), event::FILE_OFFERED),
        ];
        for notice in &self.notices {
            let people = notice.to.iter().filter(|to| self.is_told_by(to, |by| by.telegram)).cloned();
            let chats = notice.chats.iter().filter(|(of, _)| of == source).map(|(_, chat)| Recipient::Chat(chat.clone()));
            for recipient in people.chain(chats) {
                let (events, sources) = (notice.events.clone(), notice.sources.clone());
                routes.push(Route { target: bot_target(source).into(), recipient, events, sources, ordered: false });
            }
        }
        routes
    }

    /// Whether somebody of a notice may be told in a way. Who works on a lead is not known before it is delivered.
    fn is_told_by(&self, to: &Recipient, way: impl Fn(&ToldBy) -> bool) -> bool {
        match to {
            Recipient::Manager(id) => way(self.told_by.get(&ManagerId(id.clone())).unwrap_or(&ToldBy::ALL)),
            Recipient::Responsible => true,
            // An address is a mail's.
            _ => way(&ToldBy { mail: true, telegram: false }),
        }
    }

    fn mails(&self) -> Vec<Route> {
        let route = |recipient: &Recipient, events: Vec<Pattern>, sources: Option<BTreeSet<SourceId>>| Route {
            target: MAIL.into(),
            recipient: recipient.clone(),
            events,
            sources,
            ordered: false,
        };
        let named = |names: &[&str]| names.iter().map(|name| Pattern::One((*name).to_owned())).collect::<Vec<_>>();
        let mut routes = Vec::new();
        let operator: Vec<Recipient> = self.operator.emails.iter().cloned().map(Recipient::Address).collect();
        let alarms = EVENTS.iter().filter(|kind| kind.subject == Subject::Operation && !kind.is_private());
        let alarms = named(&alarms.map(|kind| kind.name).collect::<Vec<_>>());
        routes.extend(operator.iter().map(|to| route(to, alarms.clone(), None)));
        for notice in &self.notices {
            let of_operator = if notice.operator { operator.as_slice() } else { &[] };
            for to in notice.to.iter().chain(of_operator).filter(|to| self.is_told_by(to, |by| by.mail)) {
                routes.push(route(to, notice.events.clone(), notice.sources.clone()));
            }
        }
        for source in self.auto_replies.keys() {
            routes.push(route(&Recipient::Customer, named(&ANSWERED), Some(BTreeSet::from([source.clone()]))));
        }
        routes
    }

    /// Who gets a digest when.
    pub fn digests(&self, managers: &[Manager], zone: &TimeZone) -> Vec<Digest> {
        if self.mail.is_none() {
            return Vec::new();
        }
        let operator = self.operator.digest_at.into_iter().flat_map(|at| {
            let digest = move |email: &String| Digest { to: Recipient::Address(email.clone()), at, zone: zone.clone() };
            self.operator.emails.iter().map(digest)
        });
        let managers = managers.iter().filter(|manager| manager.email.is_some()).filter_map(|manager| {
            let zone = manager.time_zone.clone().unwrap_or_else(|| zone.clone());
            Some(Digest { to: Recipient::Manager(manager.id.0.clone()), at: manager.digest_at?, zone })
        });
        operator.chain(managers).collect()
    }
}

/// What a source's own target is owed.
fn own(source: &SourceId, target: String, name: &str) -> Route {
    Route {
        target: target.into(),
        recipient: Recipient::Target,
        events: vec![Pattern::One(name.to_owned())],
        sources: Some(BTreeSet::from([source.clone()])),
        // A dialogue goes on in the order in which it was written.
        ordered: name == event::MESSAGE_RECEIVED,
    }
}

/// One who is told.
enum To {
    Operator,
    Person(Recipient),
    Chat(SourceId, String),
}

/// Reads everything of it. `sources`: what there is, for what names them.
pub(super) struct Reading<'a> {
    pub report: &'a Report,
    pub resolver: &'a Resolver,
    pub company: &'a Company,
    pub managers: &'a [Manager],
    pub sources: &'a [SourceId],
    pub bots: &'a BTreeMap<SourceId, Arc<Bot>>,
    pub allowed: Allowed,
}

impl Reading<'_> {
    /// `[operator]`
    pub fn operator(mut section: Section<'_>) -> Operator {
        let emails = section.list("emails", address);
        let digest_at = match section.text("digest_at").as_deref() {
            None => Some(jiff::civil::time(8, 0, 0, 0)),
            Some("never") => None,
            Some(text) => time(text).map_err(|words| section.problem("digest_at", words)).ok(),
        };
        section.finish();
        Operator { emails, digest_at }
    }

    /// `[[notify]]`
    pub fn notices(&self, value: Option<Value>, has_mail: bool) -> Vec<Notice> {
        const FORM: &str = "write each as a section of its own, headed [[notify]] (two brackets)";
        let items = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.report.problem("notify", FORM);
                return Vec::new();
            }
        };
        if !has_mail && self.bots.is_empty() && !items.is_empty() {
            self.report
                .problem("notify", "there is no [mail] to tell anybody by: set up [mail] with the server that sends mails");
        }
        let mut notices = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("notify[{index}]");
            let Value::Table(table) = item else {
                self.report.problem(&path, FORM);
                continue;
            };
            notices.push(self.notice(Section::new(table, path, self.report), has_mail));
        }
        notices
    }

    fn notice(&self, mut section: Section<'_>, has_mail: bool) -> Notice {
        let mut events = section.list("events", pattern);
        if events.is_empty() {
            events = NOTICED.iter().map(|name| Pattern::One((*name).to_owned())).collect();
        }
        let named = section.has("sources");
        let sources: BTreeSet<SourceId> = section.list("sources", |text| self.source(text)).into_iter().collect();
        let missing = !section.has("to");
        let (mut operator, mut people, mut chats) = (false, Vec::new(), Vec::new());
        for one in section.list("to", |text| self.to(text, has_mail)) {
            match one {
                To::Operator => operator = true,
                To::Person(person) => people.push(person),
                To::Chat(source, chat) => chats.push((source, chat)),
            }
        }
        if missing {
            section.problem(
                "to",
                "say who is told: managers' ids, \"responsible\", \"operator\", addresses or \"telegram:<source>\", such as to = [\"anna\"]",
            );
        }
        section.finish();
        Notice { events, sources: named.then_some(sources), to: people, chats, operator }
    }

    fn to(&self, text: &str, has_mail: bool) -> Result<To, String> {
        if let Some(chat) = text.strip_prefix("telegram:") {
            return self.chat(chat);
        }
        if !has_mail && (text == OPERATOR || text.contains('@')) {
            return Err(format!("{text:?}: there is no [mail] to tell them by; a chat is named \"telegram:<source>\""));
        }
        if text == OPERATOR { Ok(To::Operator) } else { self.recipient(text, has_mail).map(To::Person) }
    }

    /// `<source>`: its staff chat; `<source>:<chat id>`: that one.
    fn chat(&self, text: &str) -> Result<To, String> {
        let (name, chat) = text.split_once(':').map_or((text, None), |(name, chat)| (name, Some(chat)));
        let names: Vec<&str> = self.bots.keys().map(SourceId::as_str).collect();
        let Some((source, bot)) = self.bots.iter().find(|(source, _)| source.as_str() == name) else {
            return Err(format!("there is no source of the kind telegram called {name:?}{}", suggestion(name, &names)));
        };
        let chat = match chat {
            None => bot.staff_chat.ok_or_else(|| {
                format!("{source} has no staff_chat: add one to [sources.{source}], or write \"telegram:{source}:<chat id>\"")
            })?,
            Some(chat) => chat.trim().parse::<i64>().map_err(|_| format!("{chat:?} is no chat's id, such as -1001234567890"))?,
        };
        Ok(To::Chat(source.clone(), chat.to_string()))
    }

    fn source(&self, text: &str) -> Result<SourceId, String> {
        let names: Vec<&str> = self.sources.iter().map(SourceId::as_str).collect();
        let known = self.sources.iter().find(|source| source.as_str() == text);
        known.cloned().ok_or_else(|| format!("there is no source called {text:?}{}", suggestion(text, &names)))
    }

    fn recipient(&self, text: &str, has_mail: bool) -> Result<Recipient, String> {
        match text {
            "responsible" => return Ok(Recipient::Responsible),
            _ if text.contains('@') => return address(text).map(Recipient::Address),
            _ => {}
        }
        match self.managers.iter().find(|manager| manager.id.0 == text) {
            Some(Manager { email: None, .. }) if self.bots.is_empty() => {
                Err(format!("the manager {text} has no email: add one to their [[managers]]"))
            }
            Some(Manager { email: None, by: ToldBy { telegram: false, .. }, .. }) => {
                Err(format!("the manager {text} has no email, and is not told by telegram: see their notify_by"))
            }
            Some(Manager { by: ToldBy { telegram: false, .. }, .. }) if !has_mail => {
                Err(format!("the manager {text} is told by mail alone, and there is no [mail]: see their notify_by"))
            }
            Some(manager) => Ok(Recipient::Manager(manager.id.0.clone())),
            None => {
                let ids: Vec<&str> = self.managers.iter().map(|manager| manager.id.0.as_str()).collect();
                Err(format!(
                    "there is no manager called {text:?}{}; others are named by their address, or \"responsible\", \"operator\"",
                    suggestion(text, &ids)
                ))
            }
        }
    }

    /// `[webhooks.<id>]`
    pub fn webhooks(&self, section: Section<'_>) -> Vec<webhook::Hook> {
        let mut hooks = Vec::new();
        for (id, value) in section.entries() {
            let path = join("webhooks", &id);
            // The same names as of sources: they stand in commands and metrics.
            if let Err(error) = SourceId::parse(&id) {
                self.report.problem(&path, error.to_string().replace("source id", "name of a webhook"));
                continue;
            }
            let Value::Table(table) = value else {
                self.report.problem(&path, format!("a webhook is a section: write [{path}] and its keys below"));
                continue;
            };
            let table = Section::new(table, path.clone(), self.report).rest();
            let around =
                webhook::Around { secrets: self.resolver, allowed: &self.allowed, language: self.company.language.as_str() };
            match webhook::read(&id, table, around) {
                Ok(hook) => {
                    for source in hook.sources.iter().flatten().filter(|source| !self.sources.contains(source)) {
                        let words = self.source(source.as_str()).err().unwrap_or_default();
                        self.report.problem(&join(&path, "sources"), words);
                    }
                    hooks.push(hook);
                }
                Err(problems) => {
                    for problem in problems {
                        self.report.problem(&join(&path, &problem.key), problem.words);
                    }
                }
            }
        }
        hooks
    }

    /// `[mail]`; an absent or empty section: no mails.
    pub fn mail(&self, section: Section<'_>) -> Option<mail::Settings> {
        let table = section.rest();
        if table.is_empty() {
            return None;
        }
        let mut keys = Keys::new(table);
        let settings = mail::read(&mut keys, self.resolver);
        let problems = keys.finish();
        for problem in &problems {
            self.report.problem(&join("mail", &problem.key), problem.words.clone());
        }
        settings.filter(|_| problems.is_empty())
    }
}

/// `auto_reply = true`, or `{ subject = "..", text = "..", per_hour = 60 }`.
pub(super) fn auto_reply(section: &mut Section<'_>) -> Option<AutoReply> {
    match section.take("auto_reply")? {
        Value::Boolean(yes) => yes.then(|| AutoReply { per_hour: PER_HOUR, ..AutoReply::default() }),
        Value::Table(table) => {
            let mut inner = section.within("auto_reply", table);
            let reply = AutoReply {
                subject: inner.text("subject"),
                text: inner.text("text"),
                per_hour: inner.whole("per_hour", 1, 100_000).unwrap_or(PER_HOUR),
            };
            inner.finish();
            Some(reply)
        }
        _ => {
            section.problem("auto_reply", "write true, or { subject = \"..\", text = \"..\", per_hour = 60 }");
            None
        }
    }
}

/// `canary = "1 h"`
pub(super) fn canary_every(section: &mut Section<'_>) -> Option<SignedDuration> {
    let every = section.duration("canary")?;
    if every < SignedDuration::from_mins(5) || every > SignedDuration::from_hours(24 * 7) {
        section.problem("canary", "from \"5 min\" to \"7 days\" is possible; \"1 h\" does for a form, \"6 h\" for a mailbox");
        return None;
    }
    Some(every)
}

/// How a source's canary goes. `reachable`: it is known by what address senders reach the gateway.
pub(super) fn canary_road(source: &Source, reachable: bool) -> Result<Road, String> {
    match source.kind.name {
        "html_form" if reachable => Ok(Road::Form),
        "html_form" => Err("the address that senders use is not known: set [server] public_url".to_owned()),
        // Of several any will do; the same every time.
        "imap" => source
            .connector
            .rules
            .own
            .emails
            .iter()
            .min()
            .cloned()
            .map(Road::Mailbox)
            .ok_or_else(|| "the address of this mailbox is not known: name it in addresses".to_owned()),
        other => Err(format!("only forms of your own (html_form) and mailboxes (imap) can have one, not {other}")),
    }
}

/// Reads which events.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).ok_or_else(|| {
        let names: Vec<&str> = EVENTS.iter().map(|kind| kind.name).collect();
        format!(
            "no event fits {text:?}{}: write a name such as \"lead.created\", \"lead.*\", or \"*\"; docs/events.md lists them",
            suggestion(text, &names)
        )
    })
}

fn address(text: &str) -> Result<String, String> {
    let reading = email::read(text);
    match (reading.problem, reading.emails.as_slice()) {
        (None, [one]) => Ok(one.address.clone()),
        (Some(problem), _) => Err(format!("{text:?}: {problem}")),
        (None, _) => Err(format!("{text:?}: write one address")),
    }
}

/// Reads a time of day.
pub(super) fn time(text: &str) -> Result<Time, String> {
    let words = || format!("{text:?} is no time of day: write it as \"08:00\"");
    let (hour, minute) = text.split_once(':').ok_or_else(words)?;
    let (hour, minute) = (hour.parse().map_err(|_| words())?, minute.parse().map_err(|_| words())?);
    Time::new(hour, minute, 0, 0).map_err(|_| words())
}

/// Reads `22:00-08:00`: from when until when.
pub(super) fn hours(text: &str) -> Result<(Time, Time), String> {
    let (from, to) =
        text.split_once(['-', '–']).ok_or_else(|| format!("{text:?}: write from when until when, as \"22:00-08:00\""))?;
    Ok((time(from.trim())?, time(to.trim())?))
}

/// Reads a way to tell a manager.
pub(super) fn way(text: &str) -> Result<bool, String> {
    match text {
        "mail" => Ok(false),
        "telegram" => Ok(true),
        _ => Err(format!("{text:?}: write \"mail\", \"telegram\", or both")),
    }
}

/// The hours in which a manager is not told anything.
pub(super) fn quiet(hours: Option<(Time, Time)>, zone: &TimeZone) -> Option<Quiet> {
    hours.map(|(from, to)| Quiet { zone: zone.clone(), from, to })
}
