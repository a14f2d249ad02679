//! A sender calls us.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::call::CallNumber;
use crate::chat::OfferedFile;
use crate::ids::{ContactId, LeadId, ManagerId, SourceId, SubmissionId};
use crate::receipt::Receipt;
use crate::secret::Secret;
use crate::submission::{FileRef, Submission};

/// A sender's call, as a connector sees it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Given when the call arrived; the submission gets it. (A connector that makes several derives the further ones.)
    pub id: SubmissionId,
    /// Which source.
    pub source: &'a SourceId,
    /// `GET`, `POST`, `HEAD`, `OPTIONS` ...
    pub method: &'a str,
    /// The URL as the sender saw it (by `public_url`), with its query.
    pub url: &'a str,
    /// Lower-case names; values that are no UTF-8 are left out.
    pub headers: &'a [(String, String)],
    /// The body; empty when `parts` holds a multipart form.
    pub body: &'a Bytes,
    /// A multipart form, its files already streamed to the attachment store.
    pub parts: Option<&'a [Part]>,
    /// The sender's address, behind a declared proxy the one it names. `None` if unknown.
    pub peer: Option<IpAddr>,
    /// When the call arrived.
    pub received_at: Timestamp,
    /// Whether the path held a valid token of the source.
    pub path_token: PathToken,
    /// The path below the token, without a leading slash.
    pub rest: &'a str,
}

impl Request<'_> {
    /// A header's first value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The query of the URL, undecoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default())
    }
}

/// What the path said of who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathToken {
    /// A token of this source.
    Valid,
    /// Something else: the connector may find another proof, or refuses.
    Absent,
    /// It is read again: who sent it was settled when it came, or a person vouches for it. Nothing is checked, for what would be
    /// checked was not kept.
    Vouched,
}

/// A part of a multipart form.
#[derive(Clone, Debug)]
pub enum Part {
    /// A field.
    Field {
        /// Its name.
        name: String,
        /// Its bytes.
        value: Bytes,
    },
    /// A file in the attachment store.
    File(FileRef),
    /// A file that was not kept, and why, in words.
    Refused {
        /// The form's field.
        field: String,
        /// The file's name.
        name: String,
        /// Why: too large, a refused type ...
        why: String,
    },
}

/// What a connector made of a call.
#[derive(Debug)]
pub enum Parsed {
    /// Deliveries to record.
    Submissions(Vec<Submission>),
    /// The sender only tries the line, or wants a fixed answer: nothing is stored.
    Probe(Reply),
    /// Only another service can tell what this is worth: the server asks it and calls [`Push::told`].
    Ask(Challenge),
    /// The sender has to do something first and send again: nothing is stored, the call counts as refused. With the words
    /// for the gateway's owner.
    Again(Reply, String),
    /// A telephone asks who calls, while it rings: the server looks it up and calls [`Push::known`].
    Who(Who),
}

/// A question who calls.
#[derive(Clone, Debug)]
pub struct Who {
    /// The number that calls; `None` if it is hidden.
    pub number: Option<CallNumber>,
    /// How long the telephone waits: then whoever calls is unknown. `None`: no telephone waits for the answer, so that what the
    /// question tells is recorded before it, as with any delivery.
    pub within: Option<Duration>,
    /// What the question tells besides, to be recorded: that it rings.
    pub tells: Vec<Submission>,
}

/// Somebody who calls and is known: by an identity that nobody else holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub contact: ContactId,
    /// What they are called; empty if that is not known.
    pub name: String,
    /// Their open lead.
    pub lead: Option<LeadId>,
    /// Who works with them.
    pub responsible: Option<ManagerId>,
    /// That manager's extension, or login at the provider, if the configuration names it.
    pub extension: Option<String>,
}

/// How a file that a delivery offers is fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where from.
    pub url: String,
    /// What is sent along: names in lower case. Nothing of it goes to another host.
    pub headers: Vec<(&'static str, Secret)>,
    /// A urlencoded form that is posted; `None`: it is asked for by GET.
    pub form: Option<Secret>,
    /// Where the file may lie, after redirects too: hosts, and domains that begin with a dot. Empty: only the host of `url`.
    pub hosts: Vec<String>,
    /// The answer is not the file, but says where it is: [`Push::fetch`] is called with it.
    pub asks: bool,
}

/// Why a file is not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFetch {
    /// It is not there yet, or the service is busy: later.
    Later(String),
    /// Never, in words.
    Never(String),
}

/// A question or a command to another service, as a form it takes by POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Where to.
    pub url: String,
    /// The form, urlencoded. It holds a secret.
    pub form: Secret,
    /// How long there is to wait.
    pub time: Duration,
}

/// What became of a [`Challenge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The service answered: the status and the body.
    Answer(u16, Bytes),
    /// It did not, and why, in words.
    Nothing(String),
    /// It was not asked: the delivery is an old one that is read again.
    NotAsked,
}

/// Why a connector made nothing of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No valid token or key. Answered as an unknown source is; the bytes go to the ring of what nobody vouches for.
    Unauthenticated(String),
    /// The sender knows the address, and the signature is wrong. Answered in the provider's own form, see [`Push::refuses`].
    Unproven {
        /// Why, in words: for the log.
        why: String,
        /// What was signed, without values that are anybody's business: for whoever sets the source up.
        signed: String,
    },
    /// The sender is known, the body is not understood. Kept in quarantine, answered as success.
    Unreadable(String),
    /// The sender is known, the body is over a limit. The head is kept in quarantine.
    Oversize(String),
}

/// What became of a call, for the answer.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Committed.
    Recorded(&'a [Receipt]),
    /// Kept in quarantine (held, or unreadable): to a sender this is success.
    Kept(SubmissionId),
    /// Refused; the server answers `Unauthenticated` and `Unproven` itself.
    Refused(&'a Refusal),
    /// Nothing was stored, try again.
    Busy,
}

/// The exact answer to a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A short plain text.
    pub fn text(status: u16, body: &'static str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    /// Nothing was stored: to a program that may try again after so many seconds.
    pub fn busy(after_s: u32) -> Self {
        let mut reply = Self::text(503, "busy, try again\n");
        reply.headers.push(("retry-after", after_s.to_string()));
        reply
    }
}

/// A script for the pages that use a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name below `/in/{source}/`, which changes with its content.
    pub name: &'static str,
    /// Its hash as browsers check it.
    pub integrity: &'static str,
}

impl Script {
    /// The tag for a page; `base` is the gateway's address without a trailing slash.
    pub fn tag(&self, base: &str, source: &str) -> String {
        let Self { name, integrity } = self;
        format!("<script src=\"{base}/in/{source}/{name}\" integrity=\"{integrity}\" crossorigin=\"anonymous\" async></script>")
    }
}

/// What a push source takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushLimits {
    /// Bytes of a body that is not multipart.
    pub body: u64,
    /// Files in one form.
    pub files: usize,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files of a form.
    pub files_total: u64,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self { body: 1 << 20, files: 5, file: 10 << 20, files_total: 25 << 20 }
    }
}

/// A sender calls us. Pure: no clock, no network, no database. A success reply needs no more than the submission's id.
pub trait Push: Send + Sync {
    /// Decodes a call.
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal>;

    /// The sender's exact bytes, status, language and redirect.
    fn reply(&self, request: &Request<'_>, outcome: Outcome<'_>) -> Reply;

    /// Decodes a call for which it answered [`Parsed::Ask`], knowing what the service said. A further question is not asked.
    fn told(&self, _request: &Request<'_>, _told: &Told) -> Result<Parsed, Refusal> {
        Err(Refusal::Unreadable("the connector asked a question and takes no answer".to_owned()))
    }

    /// Answers a question for which it answered [`Parsed::Who`]. `None`: nobody is known by that number, or it took too long.
    fn known(&self, _request: &Request<'_>, _known: Option<&Known>) -> Reply {
        Reply::text(200, "")
    }

    /// What else the provider is asked to do with a call from somebody who is known, where that needs a call of our own: to put it
    /// through to whoever works with them. It is told while [`Push::known`] is answered; what it says to that changes nothing.
    fn routes(&self, _request: &Request<'_>, _known: &Known) -> Option<Challenge> {
        None
    }

    /// How the provider is told that a call proves nothing, where it has a form of its own for that.
    fn refuses(&self, _request: &Request<'_>) -> Option<Reply> {
        None
    }

    /// For how long a file that a delivery of this source offers is left alone before it is fetched: providers offer recordings
    /// before they have them. `None`: it is not fetched, the link is kept.
    fn fetches(&self) -> Option<Duration> {
        None
    }

    /// How a file is fetched. `answer`: what the service said, if it was asked where the file is.
    fn fetch(&self, _file: &OfferedFile, _answer: Option<&[u8]>) -> Result<Fetch, NoFetch> {
        Err(NoFetch::Never("this source fetches nothing".to_owned()))
    }

    /// What anybody may read below the source's address, without a token: `rest` holds the path. Nothing is counted.
    fn asset(&self, _request: &Request<'_>) -> Option<Reply> {
        None
    }

    /// The script that pages include, if there is one for this kind.
    fn script(&self) -> Option<Script> {
        None
    }

    /// What it takes.
    fn limits(&self) -> PushLimits {
        PushLimits::default()
    }

    /// Whether files named like this may be kept; `Err` says why not, in words.
    fn file_allowed(&self, _name: &str, _content_type: &str) -> Result<(), String> {
        Ok(())
    }

    /// Whether a field, by its place in a body or a query, holds a secret of this source under a name that does not say so: it is not
    /// kept, not even of what is refused.
    fn is_secret(&self, _path: &[String]) -> bool {
        false
    }

    /// The headers, in lower case, that [`Push::parse`] reads besides `content-type`: they are kept, so that what was kept can be
    /// read again. Never one that holds a secret.
    fn reads_headers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Requests a minute from one address before a delivery gets the `Rate` signal; `None`: no limit (servers, not people, call).
    fn per_address(&self) -> Option<u32> {
        None
    }

    /// What a declared mapping makes of a call, piece by piece; nothing is checked. `None`: the source has no mapping, or the
    /// body means nothing.
    fn explain(&self, _request: &Request<'_>) -> Option<Explanation> {
        None
    }
}

/// What a mapping makes of a call, for people who set it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was read.
    pub read: Vec<Supplied>,
    /// What nothing asks for: kept as fields.
    pub unmapped: Vec<Supplied>,
    /// What the mapping asks for and the body does not have.
    pub missing: Vec<Missing>,
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Supplied {
    /// What it becomes: `phone`, `utm_source`, `field Budget`.
    pub field: String,
    /// As typed.
    pub value: String,
    /// Its place in the body, as a pointer; `constant` for what the mapping itself says.
    pub from: String,
}

/// Something a mapping asks for in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What it would become.
    pub field: String,
    /// The places that were looked at.
    pub places: Vec<String>,
}
