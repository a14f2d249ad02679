//! Who hears of what.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::job::{JobId, NewJob};
use crate::ids::{EventId, SourceId};

/// Which events: a name, `lead.*`, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every one.
    All,
    /// Those of a subject: what stands before the dot.
    Of(String),
    /// One.
    One(String),
}

impl Pattern {
    /// Reads a pattern; `None`: no event fits it.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |fits: &dyn Fn(&str) -> bool| super::EVENTS.iter().any(|kind| !kind.is_private() && fits(kind.name));
        match text.strip_suffix(".*") {
            _ if text == "*" => Some(Self::All),
            Some(subject) => known(&|name| of(name) == subject).then(|| Self::Of(subject.to_owned())),
            None => known(&|name| name == text).then(|| Self::One(text.to_owned())),
        }
    }

    /// Whether an event is one of them. What is private has to be named.
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Self::All => !super::catalogue::is_private(name),
            Self::Of(subject) => of(name) == subject && !super::catalogue::is_private(name),
            Self::One(one) => one == name,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Of(subject) => write!(f, "{subject}.*"),
            Self::One(name) => f.write_str(name),
        }
    }
}

fn of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// Whom a job of a target is for. Never a customer's address: that is looked up when it is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    /// The target itself: a webhook.
    Target,
    /// A manager of the configuration.
    Manager(String),
    /// Whoever works on the lead when it is delivered; nobody, nothing is.
    Responsible,
    /// An address of the company.
    Address(String),
    /// The customer, at the address of that very delivery: an automatic answer.
    Customer,
    /// The customer: what one of us answered to a notice is passed on.
    Relay,
    /// Whoever of us wrote what it is about.
    Author,
    /// The gateway itself, by the outside road of a source.
    Canary(String),
    /// The customer: what a manager wrote by the gateway.
    Reply,
    /// A chat of the company's own, by the messenger's id.
    Chat(String),
}

impl Recipient {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Self {
        match text {
            "" => Self::Target,
            "responsible" => Self::Responsible,
            "customer" => Self::Customer,
            "relay" => Self::Relay,
            "author" => Self::Author,
            "reply" => Self::Reply,
            _ => match text.split_once(':') {
                Some(("manager", manager)) => Self::Manager(manager.to_owned()),
                Some(("canary", source)) => Self::Canary(source.to_owned()),
                Some(("chat", chat)) => Self::Chat(chat.to_owned()),
                _ => Self::Address(text.to_owned()),
            },
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => Ok(()),
            Self::Manager(manager) => write!(f, "manager:{manager}"),
            Self::Responsible => f.write_str("responsible"),
            Self::Address(address) => f.write_str(address),
            Self::Customer => f.write_str("customer"),
            Self::Relay => f.write_str("relay"),
            Self::Author => f.write_str("author"),
            Self::Canary(source) => write!(f, "canary:{source}"),
            Self::Reply => f.write_str("reply"),
            Self::Chat(chat) => write!(f, "chat:{chat}"),
        }
    }
}

/// One who hears of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// By what: `mail`, `webhook:<id>`.
    pub target: Arc<str>,
    /// Who.
    pub recipient: Recipient,
    /// Of which events.
    pub events: Vec<Pattern>,
    /// Only of what comes from these sources; `None`: of all, and of what comes from none.
    pub sources: Option<BTreeSet<SourceId>>,
    /// What concerns one lead is delivered in the order it happened, one after the other.
    pub ordered: bool,
}

impl Route {
    fn fits(&self, name: &str, source: Option<&SourceId>) -> bool {
        self.events.iter().any(|pattern| pattern.fits(name))
            && self.sources.as_ref().is_none_or(|sources| source.is_some_and(|source| sources.contains(source)))
    }
}

/// Everybody who hears of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Of these; one target tells one recipient of one event once.
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// Whether nobody hears of anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The routes.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// The deliveries an event owes. `data`: as JSON; `lead`: what keeps them in order, where a target asks for it.
    pub fn jobs(&self, event: &Occurred<'_>, jobs: &mut Vec<NewJob>) {
        let before = jobs.len();
        for route in self.0.iter().filter(|route| route.fits(event.name, event.source)) {
            let id = JobId::of(event.id, &route.target, &route.recipient);
            if jobs[before..].iter().any(|job| job.id == id) {
                continue;
            }
            jobs.push(NewJob {
                id,
                target: Arc::clone(&route.target),
                recipient: route.recipient.to_string(),
                event: event.id,
                name: event.name,
                data: event.data.to_owned(),
                lead: event.lead,
                lane: if route.ordered { event.lead } else { None },
                at: event.at,
            });
        }
    }
}

/// An event, as far as routes look at it.
#[derive(Clone, Copy, Debug)]
pub struct Occurred<'e> {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// The source of what it tells.
    pub source: Option<&'e SourceId>,
    /// The lead it concerns.
    pub lead: Option<i64>,
    /// Its data as JSON.
    pub data: &'e str,
}

#[cfg(test)]
mod tests {
    use super::super::event;
    use super::*;

    fn route(target: &str, events: &[&str], sources: Option<&[&str]>) -> Route {
        Route {
            target: target.into(),
            recipient: Recipient::Target,
            events: events.iter().map(|text| Pattern::parse(text).unwrap()).collect(),
            sources: sources.map(|ids| ids.iter().map(|id| SourceId::parse(id).unwrap()).collect()),
            ordered: target.ends_with("ordered"),
        }
    }

    #[test]
    fn events_go_where_they_should_and_once() {
        let routes = Routes::new(vec![
            route("webhook:all", &["*"], None),
            route("webhook:ordered", &["lead.*", "lead.created"], Some(&["site"])),
            route("webhook:all", &["lead.created"], None),
            route("webhook:alarms", &["disk.low"], None),
        ]);
        let site = SourceId::parse("site").unwrap();
        let told = |name, source| {
            let id = EventId(uuid::Uuid::nil());
            let mut jobs = Vec::new();
            routes.jobs(&Occurred { id, name, at: Timestamp::UNIX_EPOCH, source, lead: Some(7), data: "{}" }, &mut jobs);
            jobs.into_iter().map(|job| (job.target.to_string(), job.lane)).collect::<Vec<_>>()
        };
        let both = [("webhook:all".to_owned(), None), ("webhook:ordered".to_owned(), Some(7))];
        assert_eq!(told(event::LEAD_CREATED, Some(&site)), both);
        assert_eq!(told(event::LEAD_CREATED, None), both[..1]);
        assert_eq!(told(event::DISK_LOW, None).len(), 2);
        assert_eq!(told(event::MESSAGE_RECEIVED, Some(&site)), []);
    }

    #[test]
    fn patterns_name_what_there_is() {
        assert_eq!(Pattern::parse("lead.*"), Some(Pattern::Of("lead".into())));
        for text in ["*", "lead.*", "lead.created"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "lead", "lead.", "leads.*", "lead.crated", "*.created", ".*"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_pattern_makes_others_hear_of_what_is_private() {
        for name in [event::MESSAGE_RECEIVED, event::FILE_OFFERED, event::CANARY_DUE, event::DIGEST_DUE] {
            assert_eq!(Pattern::parse(name), None, "{name}");
            assert!(!Pattern::All.fits(name) && !Pattern::Of(of(name).to_owned()).fits(name), "{name}");
            assert!(Pattern::One(name.to_owned()).fits(name), "{name}");
        }
        assert!(Pattern::All.fits(event::MESSAGE_SENT));
    }

    #[test]
    fn recipients_are_read_back() {
        let all = [
            "",
            "manager:anna",
            "responsible",
            "sales@example.com",
            "customer",
            "relay",
            "author",
            "canary:site",
            "reply",
            "chat:-100",
        ];
        for text in all {
            assert_eq!(Recipient::parse(text).to_string(), text);
        }
        assert_eq!(Recipient::parse("canary:site"), Recipient::Canary("site".to_owned()));
        assert_eq!(Recipient::parse("manager:canary:a"), Recipient::Manager("canary:a".to_owned()));
    }
}
