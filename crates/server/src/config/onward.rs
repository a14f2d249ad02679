//! Who hears of what: `[operator]`, `[[managers]]`, `[[notify]]`, `[webhooks]`, `[mail]`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use leadgate_core::email;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{EVENTS, Pattern, Quiet, Recipient, Route, Routes, Subject, event};
use leadgate_outbound::mail::ReplyVia;
use leadgate_outbound::{mail, webhook};
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
}

/// Stands for the addresses of `[operator]`.
const OPERATOR: &str = "operator";
/// Automatic answers of a source in an hour, unless it says otherwise.
const PER_HOUR: u32 = 60;
/// What people are told of, unless it says otherwise.
const NOTICED: [&str; 5] =
    [event::LEAD_CREATED, event::CONTACT_RETURNED, event::LEAD_ATTACHED, event::LEAD_WAITING, event::CONTACT_WAITING];
/// What is answered automatically.
const ANSWERED: [&str; 3] = [event::LEAD_CREATED, event::LEAD_ATTACHED, event::CONTACT_RETURNED];

impl Onward {
    /// Whether anybody hears of what goes wrong.
    pub fn tells_of_alarms(&self) -> bool {
        let alarms = |events: &[Pattern]| events.iter().any(|pattern| pattern.fits(event::SOURCE_FAILED));
        let by_mail = !self.operator.emails.is_empty() || self.notices.iter().any(|notice| alarms(&notice.events));
        (self.mail.is_some() && by_mail) || self.webhooks.iter().any(|hook| alarms(&hook.events))
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
        Routes::new(routes)
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
            for to in notice.to.iter().chain(of_operator) {
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

/// Reads everything of it. `sources`: what there is, for what names them.
pub(super) struct Reading<'a> {
    pub report: &'a Report,
    pub resolver: &'a Resolver,
    pub company: &'a Company,
    pub managers: &'a [Manager],
    pub sources: &'a [SourceId],
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
        if !has_mail && !items.is_empty() {
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
            notices.push(self.notice(Section::new(table, path, self.report)));
        }
        notices
    }

    fn notice(&self, mut section: Section<'_>) -> Notice {
        let mut events = section.list("events", pattern);
        if events.is_empty() {
            events = NOTICED.iter().map(|name| Pattern::One((*name).to_owned())).collect();
        }
        let named = section.has("sources");
        let sources: BTreeSet<SourceId> = section.list("sources", |text| self.source(text)).into_iter().collect();
        let missing = !section.has("to");
        let to = section.list("to", |text| if text == OPERATOR { Ok(None) } else { self.recipient(text).map(Some) });
        let operator = to.contains(&None);
        let to: Vec<Recipient> = to.into_iter().flatten().collect();
        if missing {
            section.problem(
                "to",
                "say who is told: managers' ids, \"responsible\", \"operator\" or addresses, such as to = [\"anna\"]",
            );
        }
        section.finish();
        Notice { events, sources: named.then_some(sources), to, operator }
    }

    fn source(&self, text: &str) -> Result<SourceId, String> {
        let names: Vec<&str> = self.sources.iter().map(SourceId::as_str).collect();
        let known = self.sources.iter().find(|source| source.as_str() == text);
        known.cloned().ok_or_else(|| format!("there is no source called {text:?}{}", suggestion(text, &names)))
    }

    fn recipient(&self, text: &str) -> Result<Recipient, String> {
        match text {
            "responsible" => return Ok(Recipient::Responsible),
            _ if text.contains('@') => return address(text).map(Recipient::Address),
            _ => {}
        }
        match self.managers.iter().find(|manager| manager.id.0 == text) {
            Some(Manager { email: None, .. }) => Err(format!("the manager {text} has no email: add one to their [[managers]]")),
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

/// The hours in which a manager is not told anything.
pub(super) fn quiet(hours: Option<(Time, Time)>, zone: &TimeZone) -> Option<Quiet> {
    hours.map(|(from, to)| Quiet { zone: zone.clone(), from, to })
}
