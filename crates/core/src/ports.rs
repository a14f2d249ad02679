//! The ports: what connectors, stores and the server know of each other.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::change::{ChangeError, LeadChange};
use crate::ids::{ActivityId, ContactId, EventId, LeadId, MoveId, NodeId, SourceId, SubmissionId};
use crate::keeping::Keeping;
use crate::prepare::Prepared;
use crate::receipt::Receipt;
use crate::replay::{Again, Kept, KeptFilter, Recorded};
use crate::rules::{Rules, SourceRules};
use crate::secret::Secret;
use crate::senders::{IgnoredSender, Sender};
use crate::submission::{Batch, Cursor, CursorMove, FileRef, Submission};
use crate::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, Scope, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};

/// A boxed error at the end of a chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

// ---------------------------------------------------------------------------------------------------------------- push

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
}

/// A question to another service, as a form it takes by POST.
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
    /// Refused; the server answers `Unauthenticated` itself, alike for every source.
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

// ---------------------------------------------------------------------------------------------- pull, answer, deliver

/// Why a pull source stopped.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// It will pass: the supervisor tries again with backoff.
    #[error("for the moment: {0}")]
    Transient(#[source] BoxError),
    /// The account was refused: tried again slowly, and told.
    #[error("refused: {0}")]
    Auth(#[source] BoxError),
    /// It will never work as configured.
    #[error("cannot work: {0}")]
    Fatal(#[source] BoxError),
}

impl From<IntakeError> for PullError {
    fn from(error: IntakeError) -> Self {
        Self::Transient(Box::new(error))
    }
}

/// A pull source's way in: bound to its place, and to the lease under which it is read.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Where the source was left; `None` if it was never read.
    async fn place(&self) -> Result<Option<Cursor>, IntakeError>;
    /// Records deliveries and moves the place in one transaction; returns after the commit. Both are refused with
    /// [`IntakeError::LeaseLost`] if another gateway reads the source by now.
    async fn submit(&self, items: Vec<Submission>, to: Cursor) -> Result<Vec<Receipt>, IntakeError>;
    /// The time a delivery arrives at, and its id: for each delivery anew.
    fn arrival(&self) -> (Timestamp, SubmissionId);
    /// Keeps a file in the attachment store. A [`Part::Refused`] says why it was not kept.
    async fn keep(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<Part, IntakeError>;
    /// Tells how reading goes, for those who look after it. Cheap: it may be called often.
    fn report(&self, report: PullReport);
    /// Waits until somebody asks the source for something. What was asked is told again until it is [`Feed::answered`].
    async fn asked(&self) -> Ask;
    /// What was asked for is done, or under way and part of the place.
    async fn answered(&self) -> Result<(), IntakeError>;
    /// A random number, for pauses that do not meet.
    fn random(&self) -> u64;
}

/// What a person may ask of a source that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// To read what came on this day or later, as far as it was not read.
    Backfill {
        /// The day, by the server's calendar.
        #[schema(value_type = String, format = Date)]
        since: jiff::civil::Date,
    },
}

/// How reading a source goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullReport {
    /// How it is.
    pub state: PullState,
    /// What is wrong and what to do about it; empty if nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// When the other side last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// Its folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderReport>,
}

/// How a source that is read is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// On the way to it.
    #[default]
    Connecting,
    /// Reading what is there.
    Reading,
    /// Everything is read; it is watched.
    Watching,
    /// It cannot be reached.
    Down,
    /// The account is refused, or the section of the configuration cannot work.
    Refused,
}

/// How reading a folder goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderReport {
    /// The folder as people see it.
    pub name: String,
    /// How many items are there that were not read yet, at most.
    pub behind: u64,
    /// What was passed over into quarantine, since the gateway began to read it.
    pub quarantined: u64,
    /// A backfill under way: items read, and items in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<(u64, u64)>,
}

/// What a trial of a source found, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Whether the step went well.
    pub ok: bool,
    /// What was found, or what failed and what to do about it.
    pub words: String,
}

/// We ask a source. Runs until stopped.
#[async_trait]
pub trait Pull: Send + Sync {
    /// Reads until told to stop by dropping the future; submits through `feed` and moves its place there.
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError>;

    /// Tries the source without reading anything into the gateway, telling each finding as it is made.
    async fn try_out(&self, _tell: &(dyn Fn(Finding) + Send + Sync)) {}

    /// What a kept delivery says today; the error is for people.
    fn read_again(&self, _kept: &Kept) -> Result<Submission, String> {
        Err("what this kind of source brought is not read again".to_owned())
    }
}

// -------------------------------------------------------------------------------------------------------------- intake

/// Why intake took nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// Full, or the store cannot be written: nothing was stored, try again.
    #[error("nothing was stored, try again: {0}")]
    Busy(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Closing,
    /// Another gateway reads this source by now: nothing was stored, and nothing will be.
    #[error("another gateway reads this source by now")]
    LeaseLost,
}

/// The one way in.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Records deliveries; returns after the commit.
    async fn submit(&self, items: Vec<Submission>) -> Result<Vec<Receipt>, IntakeError>;
    /// Records deliveries of a pull source and moves its place in the same transaction; returns after the commit.
    async fn advance(&self, items: Vec<Submission>, to: CursorMove) -> Result<Vec<Receipt>, IntakeError>;
    /// A pull source's place.
    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, IntakeError>;
}

// --------------------------------------------------------------------------------------------------------------- store

/// Why a store did nothing. Every variant means: nothing of the call is stored, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses these rows (a constraint, a value): an item is poisoned. Splitting finds it.
    #[error("the database refuses a row: {0}")]
    Rejected(#[source] BoxError),
    /// Another writer was faster: the same call again will see its work.
    #[error("another writer was faster")]
    Conflict,
    /// Cursors were to move under leases that others hold by now: these sources' items must not be stored.
    #[error("the lease of {} was lost", .0.iter().map(SourceId::as_str).collect::<Vec<_>>().join(", "))]
    LeaseLost(Vec<SourceId>),
    /// No connection, a lock, a timeout. The transaction may have been committed if the answer was lost.
    #[error("the database cannot be reached: {0}")]
    Unavailable(#[source] BoxError),
    /// No space left.
    #[error("no space left on the disk of the database")]
    Full,
    /// A row does not make sense.
    #[error("a row of {table} does not make sense: {detail}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// What.
        detail: String,
    },
}

/// A change of rows by a person: who, when, and the id of the event it tells.
#[derive(Clone, Debug)]
pub struct Act {
    /// `cli`, `api:<token name>`.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Drawn by the caller.
    pub event: EventId,
}

/// A token to keep: only its SHA-256.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, unique among those not revoked.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only for these sources.
    pub sources: Option<Vec<SourceId>>,
}

/// Calls that were refused without being kept, counted by the server and written now and then.
#[derive(Clone, Debug)]
pub struct Refusals {
    /// Which source.
    pub source: SourceId,
    /// How many since the last time.
    pub count: u64,
    /// When the last was.
    pub last_at: Timestamp,
    /// Why, in words.
    pub last_why: String,
}

/// What a gateway tells the others of itself, again and again.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Who.
    pub node: NodeId,
    /// The name of its machine.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Where it answers, as a URL.
    pub address: String,
    /// When it was started, by its own clock.
    pub started_at: Timestamp,
}

/// The name of the lease under which a pull source is read.
pub fn source_lease(source: &SourceId) -> String {
    format!("source:{source}")
}

/// What old rows may go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweep {
    /// Now.
    pub now: Timestamp,
    /// Content keys older than this are of no use.
    pub content_keys_before: Timestamp,
    /// Unauthenticated quarantine older than this goes; `None`: none goes. So with the others.
    pub ring_before: Option<Timestamp>,
    /// Spam received before.
    pub spam_before: Option<Timestamp>,
    /// What waits for a person since before, although its sender is known.
    pub quarantine_before: Option<Timestamp>,
    /// Files that came before with deliveries that do not wait: nothing names them any more.
    pub files_before: Option<Timestamp>,
    /// Events told before. The newest stays: by it the next get their numbers.
    pub events_before: Option<Timestamp>,
}

/// That the database was put back from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When it was put back.
    pub at: Timestamp,
    /// When the backup was made.
    pub backup_at: Timestamp,
    /// The version of the gateway that made it.
    pub backup_version: String,
    /// The greatest number of an event in it, 0 if it held none. What follows from events up to this one may have been told
    /// outside after the backup was made: it is held until a person decides.
    pub last_event: i64,
}

/// The store. One method is one transaction is one business fact.
#[async_trait]
pub trait Store: Keeping {
    /// How many batches are worth recording at the same time. One, where there is one writer anyway.
    fn batches_at_once(&self) -> usize {
        1
    }
    /// Records a batch: looks up, plans, writes, moves cursors, commits once. One receipt an item, in order.
    ///
    /// A submission whose id is known is answered with a `repeat` of its newest receipt. After `Unavailable` the batch may
    /// be submitted again as it is.
    async fn record(&self, batch: Batch, rules: std::sync::Arc<Rules>) -> Result<Vec<Receipt>, StoreError>;
    /// What would become of deliveries now. Nothing is written, and new rows have no number yet: a receipt names only what
    /// is there.
    async fn preview(
        &self,
        items: Vec<std::sync::Arc<Prepared>>,
        rules: std::sync::Arc<Rules>,
    ) -> Result<Vec<Receipt>, StoreError>;
    /// A pull source's place.
    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, StoreError>;

    /// Kept submissions that fit, the oldest first, after the one numbered `after`; with their bytes, so at most some dozen
    /// at once.
    async fn kept(&self, filter: KeptFilter, after: Option<i64>, limit: u32) -> Result<Vec<Kept>, StoreError>;
    /// How many kept submissions fit.
    async fn kept_count(&self, filter: KeptFilter) -> Result<u64, StoreError>;
    /// Records kept submissions again, under the numbers they have: looks up, plans and writes as [`Store::record`] does, in one
    /// transaction. One answer an item, in order. `dry`: what it would do; nothing is written.
    async fn record_again(
        &self,
        items: Vec<std::sync::Arc<Again>>,
        rules: std::sync::Arc<Rules>,
        dry: bool,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// Keeps what comes from a sender without a lead from now on. `false`: it was so before.
    async fn ignore_sender(&self, sender: Sender, act: Act) -> Result<bool, StoreError>;
    /// The ignored senders, the newest first.
    async fn ignored_senders(&self) -> Result<Vec<IgnoredSender>, StoreError>;
    /// Takes a sender as any other from now on. `false`: it was not ignored.
    async fn forget_sender(&self, sender: Sender) -> Result<bool, StoreError>;

    /// Leads, newest first.
    async fn leads(&self, filter: LeadFilter, at: PageAt) -> Result<Page<LeadSummary>, StoreError>;
    /// One lead with everything on it.
    async fn lead(&self, id: LeadId) -> Result<Option<LeadDetail>, StoreError>;
    /// Contacts, the newest active first.
    async fn contacts(&self, filter: ContactFilter, at: PageAt) -> Result<Page<ContactSummary>, StoreError>;
    /// One contact with everything on it.
    async fn contact(&self, id: ContactId) -> Result<Option<ContactDetail>, StoreError>;
    /// Submissions, newest first.
    async fn submissions(&self, filter: SubmissionFilter, at: PageAt) -> Result<Page<SubmissionSummary>, StoreError>;
    /// One submission with its bytes.
    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError>;
    /// Pairs that wait for a look, newest first.
    async fn reviews(&self, at: PageAt) -> Result<Page<ReviewView>, StoreError>;
    /// The sources of an activity's lead and contact, for tokens limited to sources. Empty: no such activity.
    async fn activity_source(&self, id: ActivityId) -> Result<Option<Option<SourceId>>, StoreError>;
    /// How every source that ever sent anything, or that mails tell of, is doing.
    async fn health(&self, now: Timestamp) -> Result<Vec<SourceHealth>, StoreError>;
    /// Keeps how reading a source goes.
    async fn note_source(&self, source: &SourceId, report: PullReport, at: Timestamp) -> Result<(), StoreError>;
    /// Keeps what a person asks of a source until it is taken back (`None`): it is done then.
    async fn ask_source(&self, source: &SourceId, ask: Option<Ask>, at: Timestamp) -> Result<(), StoreError>;
    /// What is kept of [`Store::note_source`] and [`Store::ask_source`], by source.
    async fn source_notes(&self) -> Result<Vec<SourceNote>, StoreError>;
    /// Everything on one screen.
    async fn totals(&self) -> Result<Totals, StoreError>;
    /// The id of this installation: a UUID made with the database.
    async fn installation(&self) -> Result<uuid::Uuid, StoreError>;

    /// A person's change of a lead, with history and event. `version`: only if the lead still has it.
    async fn change_lead(
        &self,
        id: LeadId,
        changes: Vec<LeadChange>,
        version: Option<i64>,
        act: Act,
    ) -> Result<Result<LeadDetail, ChangeError>, StoreError>;
    /// A waiting contact is taken by a manager.
    async fn take_contact(
        &self,
        id: ContactId,
        manager: String,
        act: Act,
    ) -> Result<Result<ContactDetail, ChangeError>, StoreError>;
    /// A person says that an address can be reached again. Mails to others who hold it are another matter.
    async fn reachable(&self, id: ContactId, email: String, act: Act) -> Result<Result<ContactDetail, ChangeError>, StoreError>;
    /// Takes an activity off its lead and contact: it gets a contact and a lead of its own, with the values it brought.
    async fn detach(&self, activity: ActivityId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError>;
    /// Puts a detached activity back.
    async fn undo_move(&self, id: MoveId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError>;

    /// Keeps a token's hash. `false`: the name is taken.
    async fn add_token(&self, token: NewToken, at: Timestamp) -> Result<bool, StoreError>;
    /// Every token, newest first.
    async fn tokens(&self) -> Result<Vec<TokenView>, StoreError>;
    /// The token with this hash, unless revoked.
    async fn token(&self, hash: [u8; 32]) -> Result<Option<TokenView>, StoreError>;
    /// Takes a token back. `false`: there is none of that name.
    async fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Takes a lease, or keeps one this gateway holds: nobody else gets it before `lasts` has passed on the database's
    /// clock. Its fencing token, which rises whenever the holder changes; `None` while another holds it.
    async fn lease(&self, name: &str, node: NodeId, lasts: Duration) -> Result<Option<i64>, StoreError>;
    /// Gives a lease back, if this gateway holds it.
    async fn release(&self, name: &str, node: NodeId) -> Result<(), StoreError>;
    /// A gateway lives. Forgets those that were silent for longer than `forget` by the database's clock.
    async fn beat(&self, beat: Beat, forget: Duration) -> Result<(), StoreError>;
    /// A gateway stops: its leases are free.
    async fn leave(&self, node: NodeId) -> Result<(), StoreError>;
    /// The gateways that lived lately, the oldest first, with the leases they hold.
    async fn nodes(&self) -> Result<Vec<NodeView>, StoreError>;

    /// Adds counts of refused calls to the sources' health.
    async fn refused(&self, refusals: Vec<Refusals>) -> Result<(), StoreError>;
    /// Which of these attachments some activity or kept submission names.
    async fn attachments_known(&self, sha256: Vec<String>) -> Result<Vec<String>, StoreError>;
    /// Deletes what is no longer needed; says how many rows. At most 256 rows a call.
    async fn sweep(&self, sweep: Sweep) -> Result<u64, StoreError>;
    /// The last time the database was put back from a backup, if it ever was.
    async fn restored(&self) -> Result<Option<Restored>, StoreError> {
        Ok(None)
    }
    /// Whether the database can be read now.
    async fn ready(&self) -> Result<(), StoreError>;
    /// Finishes what is queued and closes.
    async fn close(&self);
}

// ------------------------------------------------------------------------------------------------------- source kinds

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
    /// [`Script`].
    pub setup: fn(language: &str) -> &'static str,
    /// Builds a source from its keys (without `kind`). All problems at once; unknown keys are refused by name.
    pub build: Build,
}
