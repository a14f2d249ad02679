//! The store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Ask, BoxError, Calls, PullReport, Talks};
use crate::change::{ChangeError, LeadChange};
use crate::ids::{ActivityId, ContactId, EventId, LeadId, MoveId, NodeId, SourceId, SubmissionId};
use crate::keeping::Keeping;
use crate::onward::{Outbox, Routes};
use crate::prepare::Prepared;
use crate::receipt::Receipt;
use crate::replay::{Again, Kept, KeptFilter, Recorded};
use crate::rules::Rules;
use crate::senders::{IgnoredSender, Sender};
use crate::submission::{Batch, Cursor};
use crate::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, Scope, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};

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
    /// Who hears of it.
    pub routes: Arc<Routes>,
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
    /// Deliveries that ended before.
    pub jobs_before: Option<Timestamp>,
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
pub trait Store: Calls + Keeping + Outbox + Talks {
    /// How many batches are worth recording at the same time. One, where there is one writer anyway.
    fn batches_at_once(&self) -> usize {
        1
    }
    /// Records a batch: looks up, plans, writes, moves cursors, commits once. One receipt an item, in order.
    ///
    /// A submission whose id is known is answered with a `repeat` of its newest receipt. After `Unavailable` the batch may
    /// be submitted again as it is.
    async fn record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError>;
    /// What would become of deliveries now. Nothing is written, and new rows have no number yet: a receipt names only what
    /// is there.
    async fn preview(&self, items: Vec<Arc<Prepared>>, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError>;
    /// A pull source's place.
    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, StoreError>;

    /// Kept submissions that fit, the oldest first, after the one numbered `after`; with their bytes, so at most some dozen
    /// at once.
    async fn kept(&self, filter: KeptFilter, after: Option<i64>, limit: u32) -> Result<Vec<Kept>, StoreError>;
    /// How many kept submissions fit.
    async fn kept_count(&self, filter: KeptFilter) -> Result<u64, StoreError>;
    /// Records kept submissions again, under the numbers they have: looks up, plans and writes as [`Store::record`] does, in one
    /// transaction. One answer an item, in order. `dry`: what it would do; nothing is written.
    async fn record_again(&self, items: Vec<Arc<Again>>, rules: Arc<Rules>, dry: bool) -> Result<Vec<Recorded>, StoreError>;

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
