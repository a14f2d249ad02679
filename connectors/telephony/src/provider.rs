//! What a provider has to say for itself.

use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::attribution::Touch;
use leadgate_core::call::{CallFacts, CallNumber};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{Challenge, Explanation, Fetch, Known, NoFetch, Refusal, Reply, Request};
use leadgate_core::submission::Field;
use leadgate_wire::body::{Entry, Limits};

/// Fields of a call.
const FIELDS: usize = 500;

/// A call of a provider, its body decoded.
pub(crate) struct Incoming<'a> {
    /// The call itself.
    pub request: &'a Request<'a>,
    /// The fields of the body in order, doubles kept; nested JSON with brackets, as PHP does.
    pub body: Vec<Entry>,
    /// The fields of the URL's query.
    pub query: Vec<Entry>,
}

impl Incoming<'_> {
    /// The first value of a field by its exact name, in the body, else in the query; blank ones and placeholders count as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        let all = self.body.iter().chain(&self.query);
        let found = all.filter(|entry| entry.name == name).map(|entry| entry.value.trim());
        found.into_iter().find(|value| is_said(value))
    }

    /// The first of several names that holds something.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A number of seconds.
    pub fn seconds(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }
}

/// Whether a provider's value says anything: an unfilled variable arrives literally, as `[EntityId]` or `{{name}}`.
pub(crate) fn is_said(value: &str) -> bool {
    let unfilled = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    !value.is_empty() && value != "-" && value != "null" && !unfilled("[", "]") && !unfilled("{{", "}}") && !unfilled("<", ">")
}

/// How a call proved who sent it, beside the token in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By nothing more, or by a signature over everything.
    Whole,
    /// By a signature over a part of it.
    Part,
    /// By a signature that is right, whose time is not: with what is wrong, in words.
    Expired(String),
}

/// A call proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unproven {
    /// Why, in words: for the log.
    pub why: String,
    /// What was signed, by our account, without values that are anybody's business; empty if there is nothing to say.
    pub signed: String,
}

impl Unproven {
    /// Without anything that was signed.
    pub fn new(why: &str) -> Self {
        Self { why: why.to_owned(), signed: String::new() }
    }
}

/// What a provider tells with a call.
pub(crate) enum Heard {
    /// Events, mostly one.
    Events(Vec<Event>),
    /// It tries the line, or wants a fixed answer: nothing is stored.
    Probe(Reply),
    /// It asks who calls, while it rings.
    Who {
        /// The number that calls; `None` if it is hidden.
        number: Option<CallNumber>,
        /// How long it waits; `None`: it does not, and is answered when all is recorded.
        within: Option<Duration>,
        /// What the question tells besides.
        tells: Vec<Event>,
    },
}

/// Something a provider tells of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// What it tells; `None`: an event that nobody here knows: it is kept.
    pub call: Option<CallFacts>,
    /// The provider's own id of this event, the same when it is sent again; `None`: its fields stand for it.
    pub id: Option<String>,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// Its times are those of a call that may be long over: they say nothing of the provider's clock.
    pub is_later: bool,
    /// What the customer is called, where the provider knows them (not a caller id's name).
    pub name: Option<String>,
    /// The customer's e-mail, where the provider knows it.
    pub email: Option<String>,
    /// Where they came from.
    pub touch: Touch,
    /// Ids of the visitor at analytics and trackers: `(kind, value)`, e.g. `ym_client_id`.
    pub handles: Vec<(String, String)>,
    /// What else is worth showing.
    pub fields: Vec<Field>,
    /// Recordings: `id` is a link or the provider's id, `unique` stays the same when it is offered again.
    pub recordings: Vec<OfferedFile>,
    /// What people wrote of it: a manager's note, tags.
    pub message: Option<String>,
}

impl Event {
    /// Of a call.
    pub fn of(call: CallFacts) -> Self {
        Self { call: Some(call), ..Self::default() }
    }

    /// A recording behind a link.
    pub fn with_link(mut self, link: Option<&str>) -> Self {
        self.recordings.extend(link.and_then(recording));
        self
    }
}

/// A recording behind a link. Its query may change (a signature that ends), the rest stands for it.
pub(crate) fn recording(link: &str) -> Option<OfferedFile> {
    let url = url::Url::parse(link.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    let name = url.path_segments().and_then(|mut parts| parts.next_back().map(str::to_owned)).filter(|name| !name.is_empty());
    let unique = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    Some(OfferedFile {
        id: url.to_string(),
        unique,
        name: name.unwrap_or_else(|| "recording".to_owned()),
        kind: RECORDING.to_owned(),
        ..OfferedFile::default()
    })
}

/// A recording that is asked for by the provider's id of it.
pub(crate) fn recording_by_id(id: &str) -> Option<OfferedFile> {
    let id = id.trim();
    (!id.is_empty()).then(|| OfferedFile {
        id: id.to_owned(),
        unique: id.to_owned(),
        name: "recording".to_owned(),
        kind: RECORDING.to_owned(),
        ..OfferedFile::default()
    })
}

/// What an offered file is.
pub(crate) const RECORDING: &str = "recording";

/// A provider of telephony. Pure.
pub(crate) trait Provider: Send + Sync {
    /// Whether the call is the provider's, beside the token in its path, which was right. Not asked for what is read again.
    fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven>;

    /// What it tells.
    fn hear(&self, incoming: &Incoming<'_>) -> Result<Heard, Refusal>;

    /// What is read of a body at most.
    fn limits(&self) -> Limits {
        Limits { fields: FIELDS, ..Limits::default() }
    }

    /// Whether the path has to hold a token of the source; otherwise [`Provider::verify`] alone says who may send.
    fn needs_token(&self) -> bool {
        true
    }

    /// What a declared mapping makes of a call, piece by piece; nothing is checked.
    fn explain(&self, _request: &Request<'_>) -> Option<Explanation> {
        None
    }

    /// What the provider wants to hear of something that is stored.
    fn thanks(&self, _request: &Request<'_>) -> Reply {
        Reply::text(200, "")
    }

    /// What the provider is told if a call proves nothing.
    fn refuses(&self) -> Reply {
        Reply::text(403, "forbidden\n")
    }

    /// What the provider is told where nothing could be stored.
    fn busy(&self, _request: &Request<'_>) -> Reply {
        Reply::busy(5)
    }

    /// The answer to who calls.
    fn known(&self, request: &Request<'_>, _known: Option<&Known>) -> Reply {
        self.thanks(request)
    }

    /// What else it is asked to do with a call from somebody who is known, see [`Push::routes`](leadgate_core::ports::Push::routes).
    fn routes(&self, _incoming: &Incoming<'_>, _known: &Known) -> Option<Challenge> {
        None
    }

    /// Whether a field holds a secret, and is not kept.
    fn is_secret(&self, _path: &[String]) -> bool {
        false
    }

    /// Whether a field changes when the same event is sent again: a recording's signed link, a count of tries.
    fn is_fleeting(&self, _path: &[String]) -> bool {
        false
    }

    /// The headers that [`Provider::hear`] reads. Never one that holds a secret.
    fn reads_headers(&self) -> &'static [&'static str] {
        &[]
    }

    /// The address below which recordings lie, where the configuration names one.
    fn recordings_at(&self) -> Option<&str> {
        None
    }

    /// How a recording is fetched; by default from its link, without any proof, within the configured hosts.
    fn fetch(&self, file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        let own = self.recordings_at().and_then(|base| url::Url::parse(base).ok());
        let hosts = own.iter().filter_map(|url| url.host_str().map(str::to_owned)).collect();
        Ok(Fetch { hosts, ..plain(file.id.clone()) })
    }
}

/// A file that lies behind a link.
pub(crate) fn plain(url: String) -> Fetch {
    Fetch { url, headers: Vec::new(), form: None, hosts: Vec::new(), asks: false }
}
