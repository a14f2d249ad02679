//! Leadgate's store on PostgreSQL: many gateways, one database.
//!
//! `record` is the one that must be fast: it locks what a batch is about (`locks`), loads what it touches (`facts`), lets
//! the core decide, draws numbers (`numbers`) and writes everything set-based (`apply`), in five to seven trips to the
//! server, whatever the batch's size. Everything else is small. No row type leaves this crate.
//!
//! Several gateways write at once, under READ COMMITTED. A batch's locks are taken first and in one order, then the
//! contacts it finds, so two batches about one person follow each other and no two wait for each other; the unique indexes
//! stand behind that, and whoever meets one is told `Conflict` and tries again.
//!
//! Nothing here depends on the session, so that a pooler may stand between which deals out connections by transaction:
//! settings are `SET LOCAL`, locks end with the transaction, and statements are prepared under names only where the server
//! itself is at the other end (see `servers`) or the URL says so (`statement-cache-capacity`).

mod accounts;
mod activities;
mod apply;
mod apply_leads;
mod apply_mails;
mod briefs;
mod bulk;
mod calls;
mod carry;
mod changes;
mod chats;
mod conn;
mod contacts;
mod dump;
mod erase;
mod error;
mod facts;
mod jobs;
mod kept;
mod leads;
mod locks;
mod messages;
mod moves;
mod news;
mod nodes;
mod numbers;
mod open;
mod outbox;
mod person;
mod record;
mod rows;
mod senders;
mod servers;
mod sources;
mod submissions;
mod sweep;
mod talks;
mod timers;
mod tokens;
mod url;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::change::{ChangeError, LeadChange};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, MoveId, NodeId, SourceId, SubmissionId};
use leadgate_core::keeping::{Body, Erased, ErasedView, Erasure, Footprint, Keeping, Person, Quota, Thinned, Thinning};
use leadgate_core::plan::Lookup;
use leadgate_core::ports::{Act, Ask, Beat, NewToken, PullReport, Refusals, Restored, Store, StoreError, Sweep};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::replay::{Again, Kept, KeptFilter, Recorded};
use leadgate_core::rules::Rules;
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::submission::{Batch, Cursor};
use leadgate_core::views::{
    ContactDetail, ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, MoveView, NodeView, Page, PageAt,
    ReviewView, SourceHealth, SourceNote, SubmissionDetail, SubmissionFilter, SubmissionSummary, TokenView, Totals,
};

pub use crate::carry::FillError;
use crate::conn::Conn;
pub use crate::dump::Column;
pub use crate::error::OpenError;
use crate::locks::Locks;
use crate::numbers::Next;
use crate::servers::Servers;
pub use crate::url::Target;

/// How often a person's act that met another writer is tried again.
const MOST_TRIES: u32 = 5;

/// A transaction that writes. Each statement sees what was committed when it began: what is looked up after a wait for a lock is
/// what whoever held it left. If its gateway dies or freezes, the server ends it soon, and others get its locks. (`READ WRITE` is what a
/// replica refuses at once.) Everything is looked up by its key, so the way is known: through the indexes, however few rows
/// there were when a statement was planned, which is done once a connection.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '10s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off; \
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// A transaction that looks at what a batch would be looking at, by the same way.
const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; \
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// How a database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a question to the database may take.
    pub read_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { read_limit: Duration::from_secs(2) }
    }
}

/// The store on one PostgreSQL database.
pub struct PostgresStore {
    servers: Servers,
    next: Next,
    /// How a transaction that reads begins.
    read: String,
    read_only: bool,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens a database to serve it: brings its schema up to date. Other gateways may serve it, too.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let target = Target::parse(url).map_err(OpenError::Url)?;
        let mut found = servers::find(&target, false).await?;
        open::migrate(&mut found.conn, &target).await?;
        open::whole(&mut found.conn, &target).await?;
        Ok(Self::new(target, found, &options, false).await)
    }

    /// Opens a database that may be half full.
    async fn open_unfinished(url: &str) -> Result<Self, OpenError> {
        let target = Target::parse(url).map_err(OpenError::Url)?;
        let mut found = servers::find(&target, false).await?;
        open::migrate(&mut found.conn, &target).await?;
        Ok(Self::new(target, found, &Options::default(), false).await)
    }

    /// Opens a database for reading only; a replica will do.
    pub async fn open_read_only(url: &str) -> Result<Self, OpenError> {
        let mut target = Target::parse(url).map_err(OpenError::Url)?;
        target.any = true;
        let mut found = servers::find(&target, true).await?;
        if !open::fits(&mut found.conn, &target).await? {
            return Err(OpenError::Empty(target.to_string()));
        }
        open::up_to_date(&mut found.conn, &target).await?;
        Ok(Self::new(target, found, &Options::default(), true).await)
    }

    async fn new(target: Target, found: servers::Found, options: &Options, read_only: bool) -> Self {
        let servers = Servers::new(target, &found);
        servers::close(found.conn).await;
        let limit = options.read_limit.as_millis();
        let read = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {limit}; \
             SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off"
        );
        Self { servers, next: Next::default(), read, read_only }
    }

    /// Every row of every table as text, by table: for comparing databases.
    pub async fn dump(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let mut conn = self.servers.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let dump = dump::dump(&mut conn).await;
        conn.end(dump).await
    }

    /// The tables and their columns, in order: for comparing schemas.
    pub async fn columns(&self) -> Result<BTreeMap<String, Vec<Column>>, StoreError> {
        let mut conn = self.read().await?;
        let columns = dump::columns(&mut conn).await;
        conn.end(columns).await
    }

    /// A snapshot to read from. What takes longer than the limit is stopped by the server.
    async fn read(&self) -> Result<Conn, StoreError> {
        self.servers.begin(&self.read).await
    }

    async fn write(&self) -> Result<Conn, StoreError> {
        self.write_with(WRITE).await
    }

    /// Begins to write with the locks of a lookup taken. What is kept of calls comes before the rest: it tells whom else to lock.
    async fn locked(&self, lookup: &mut Lookup, locks: fn(&Lookup) -> Locks) -> Result<(Conn, calls::Known), StoreError> {
        if lookup.calls.is_empty() {
            let locks = locks(lookup).statement();
            let head = [WRITE, if locks.is_empty() { "" } else { "; " }, &locks].concat();
            return Ok((self.write_with(&head).await?, calls::Known::new()));
        }
        let mut conn = self.write_with(&[WRITE, "; ", &Locks::calls(lookup)].concat()).await?;
        let known = async {
            let known = calls::load(&mut conn, lookup).await?;
            lookup.add_calls(known.values());
            conn.simple(locks(lookup).statement()).await?;
            Ok(known)
        };
        match known.await {
            Ok(known) => Ok((conn, known)),
            Err(error) => conn.end(Err(error)).await,
        }
    }

    async fn write_with(&self, head: &str) -> Result<Conn, StoreError> {
        if self.read_only {
            return Err(error::unavailable("the database was opened for reading"));
        }
        self.servers.begin(head).await
    }
}

/// Reads in a transaction of its own.
macro_rules! read {
    ($store:ident, $conn:ident => $reading:expr) => {{
        let mut open = $store.read().await?;
        let $conn = &mut open;
        let outcome = $reading.await;
        open.end(outcome).await
    }};
}
pub(crate) use read;

/// Writes in a transaction of its own, and once more if another writer was faster.
macro_rules! write {
    ($store:ident, $conn:ident => $writing:expr) => {{
        let mut tries = 0;
        loop {
            let mut open = $store.write().await?;
            let $conn = &mut open;
            let outcome = $writing.await;
            tries += 1;
            match open.end(outcome).await {
                Err(StoreError::Conflict) if tries < $crate::MOST_TRIES => {}
                ended => break ended,
            }
        }
    }};
}
pub(crate) use write;

/// While the server works on one batch, the gateway plans another. More would only be smaller batches.
const BATCHES_AT_ONCE: usize = 2;

#[async_trait]
impl Store for PostgresStore {
    fn batches_at_once(&self) -> usize {
        BATCHES_AT_ONCE
    }

    async fn record(&self, batch: Batch, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let mut lookup = Lookup::of(&batch.items);
        let (mut conn, calls) = self.locked(&mut lookup, Locks::of).await?;
        let recorded = record::record(&mut conn, &batch, (&lookup, calls), &rules, &self.next).await;
        conn.end(recorded).await
    }

    async fn preview(&self, items: Vec<Arc<Prepared>>, rules: Arc<Rules>) -> Result<Vec<Receipt>, StoreError> {
        let mut conn = self.servers.begin(LOOK).await?;
        let told = record::preview(&mut conn, &items, &rules).await;
        conn.end(told).await
    }

    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, StoreError> {
        read!(self, conn => sources::cursor(conn, source.as_str()))
    }

    async fn kept(&self, filter: KeptFilter, after: Option<i64>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        read!(self, conn => kept::list(conn, &filter, after, limit))
    }

    async fn kept_count(&self, filter: KeptFilter) -> Result<u64, StoreError> {
        read!(self, conn => kept::count(conn, &filter))
    }

    async fn record_again(&self, items: Vec<Arc<Again>>, rules: Arc<Rules>, dry: bool) -> Result<Vec<Recorded>, StoreError> {
        if dry {
            let mut conn = self.servers.begin(LOOK).await?;
            let told = record::preview_again(&mut conn, &items, &rules).await;
            return conn.end(told).await;
        }
        let mut lookup = Lookup::of(items.iter().map(|again| &again.item));
        let (mut conn, calls) = self.locked(&mut lookup, Locks::again).await?;
        let recorded = record::again(&mut conn, &items, (&lookup, calls), &rules, &self.next).await;
        conn.end(recorded).await
    }

    async fn ignore_sender(&self, sender: Sender, act: Act) -> Result<bool, StoreError> {
        write!(self, conn => senders::ignore(conn, &sender, &act))
    }

    async fn ignored_senders(&self) -> Result<Vec<IgnoredSender>, StoreError> {
        read!(self, conn => senders::list(conn))
    }

    async fn forget_sender(&self, sender: Sender) -> Result<bool, StoreError> {
        write!(self, conn => senders::forget(conn, &sender))
    }

    async fn leads(&self, filter: LeadFilter, at: PageAt) -> Result<Page<LeadSummary>, StoreError> {
        read!(self, conn => leads::list(conn, &filter, &at))
    }

    async fn lead(&self, id: LeadId) -> Result<Option<LeadDetail>, StoreError> {
        read!(self, conn => leads::one(conn, id))
    }

    async fn contacts(&self, filter: ContactFilter, at: PageAt) -> Result<Page<ContactSummary>, StoreError> {
        read!(self, conn => contacts::list(conn, &filter, &at))
    }

    async fn contact(&self, id: ContactId) -> Result<Option<ContactDetail>, StoreError> {
        read!(self, conn => contacts::one(conn, id))
    }

    async fn submissions(&self, filter: SubmissionFilter, at: PageAt) -> Result<Page<SubmissionSummary>, StoreError> {
        read!(self, conn => submissions::list(conn, &filter, &at))
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        read!(self, conn => submissions::one(conn, id))
    }

    async fn reviews(&self, at: PageAt) -> Result<Page<ReviewView>, StoreError> {
        read!(self, conn => contacts::reviews(conn, &at))
    }

    async fn activity_source(&self, id: ActivityId) -> Result<Option<Option<SourceId>>, StoreError> {
        read!(self, conn => activities::source(conn, id))
    }

    async fn health(&self, now: Timestamp) -> Result<Vec<SourceHealth>, StoreError> {
        read!(self, conn => sources::health(conn, now))
    }

    async fn note_source(&self, source: &SourceId, report: PullReport, at: Timestamp) -> Result<(), StoreError> {
        write!(self, conn => sources::note(conn, source, &report, at))
    }

    async fn ask_source(&self, source: &SourceId, ask: Option<Ask>, at: Timestamp) -> Result<(), StoreError> {
        write!(self, conn => sources::ask(conn, source, ask.as_ref(), at))
    }

    async fn source_notes(&self) -> Result<Vec<SourceNote>, StoreError> {
        read!(self, conn => sources::notes(conn))
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        read!(self, conn => sources::totals(conn))
    }

    async fn installation(&self) -> Result<uuid::Uuid, StoreError> {
        read!(self, conn => sources::installation(conn))
    }

    async fn restored(&self) -> Result<Option<Restored>, StoreError> {
        read!(self, conn => sources::restored(conn))
    }

    async fn change_lead(
        &self,
        id: LeadId,
        changes: Vec<LeadChange>,
        version: Option<i64>,
        act: Act,
    ) -> Result<Result<LeadDetail, ChangeError>, StoreError> {
        write!(self, conn => changes::lead(conn, id, &changes, version, &act))
    }

    async fn take_contact(
        &self,
        id: ContactId,
        manager: String,
        act: Act,
    ) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        write!(self, conn => changes::take_contact(conn, id, &manager, &act))
    }

    async fn reachable(&self, id: ContactId, email: String, act: Act) -> Result<Result<ContactDetail, ChangeError>, StoreError> {
        write!(self, conn => changes::reachable(conn, id, &email, &act))
    }

    async fn detach(&self, activity: ActivityId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        write!(self, conn => moves::detach(conn, activity, &act))
    }

    async fn undo_move(&self, id: MoveId, act: Act) -> Result<Result<MoveView, ChangeError>, StoreError> {
        write!(self, conn => moves::undo(conn, id, &act))
    }

    async fn add_token(&self, token: NewToken, at: Timestamp) -> Result<bool, StoreError> {
        write!(self, conn => tokens::add(conn, &token, at))
    }

    async fn tokens(&self) -> Result<Vec<TokenView>, StoreError> {
        read!(self, conn => tokens::list(conn))
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<TokenView>, StoreError> {
        read!(self, conn => tokens::find(conn, &hash))
    }

    async fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        write!(self, conn => tokens::revoke(conn, name, at))
    }

    async fn lease(&self, name: &str, node: NodeId, lasts: Duration) -> Result<Option<i64>, StoreError> {
        write!(self, conn => nodes::lease(conn, name, node, lasts))
    }

    async fn release(&self, name: &str, node: NodeId) -> Result<(), StoreError> {
        write!(self, conn => nodes::release(conn, name, node))
    }

    async fn beat(&self, beat: Beat, forget: Duration) -> Result<(), StoreError> {
        write!(self, conn => nodes::beat(conn, &beat, forget))
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        write!(self, conn => async {
            jobs::free(conn, node).await?;
            nodes::leave(conn, node).await
        })
    }

    async fn nodes(&self) -> Result<Vec<NodeView>, StoreError> {
        read!(self, conn => nodes::list(conn))
    }

    async fn refused(&self, refusals: Vec<Refusals>) -> Result<(), StoreError> {
        write!(self, conn => sources::refused(conn, &refusals))
    }

    async fn attachments_known(&self, sha256: Vec<String>) -> Result<Vec<String>, StoreError> {
        read!(self, conn => sweep::attachments_known(conn, &sha256))
    }

    async fn sweep(&self, sweep: Sweep) -> Result<u64, StoreError> {
        write!(self, conn => sweep::sweep(conn, sweep))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.installation().await.map(|_| ())
    }

    async fn close(&self) {
        self.servers.close().await;
    }
}

#[async_trait]
impl Keeping for PostgresStore {
    async fn thin(&self, thinning: Thinning) -> Result<Thinned, StoreError> {
        write!(self, conn => sweep::thin(conn, &thinning))
    }

    async fn beyond(&self, source: &SourceId, quota: Quota) -> Result<Option<i64>, StoreError> {
        let (mut so_far, mut before) = ((0, 0), i64::MAX);
        loop {
            let sizes = read!(self, conn => sweep::sizes(conn, source.as_str(), before))?;
            if let Some(beyond) = quota.beyond(&mut so_far, &sizes) {
                return Ok(Some(beyond));
            }
            match sizes.last() {
                Some((seq, _)) => before = *seq,
                None => return Ok(None),
            }
        }
    }

    async fn footprint(&self, contact: ContactId) -> Result<Option<Footprint>, StoreError> {
        read!(self, conn => erase::footprint(conn, contact))
    }

    async fn person(&self, contact: ContactId) -> Result<Option<Person>, StoreError> {
        read!(self, conn => person::one(conn, contact))
    }

    async fn erase(&self, erasure: Erasure, act: Act) -> Result<Result<Erased, ChangeError>, StoreError> {
        write!(self, conn => erase::erase(conn, &erasure, &act))
    }

    async fn erased(&self, hashes: Option<Vec<[u8; 32]>>) -> Result<Vec<ErasedView>, StoreError> {
        read!(self, conn => erase::list(conn, hashes.as_deref()))
    }

    async fn note_erased(&self, erased: Vec<ErasedView>) -> Result<Vec<ContactId>, StoreError> {
        write!(self, conn => erase::note(conn, &erased))
    }

    async fn bodies(&self, after: i64) -> Result<Vec<Body>, StoreError> {
        read!(self, conn => person::bodies(conn, after))
    }

    /// The server's own vacuum does that, in its own time.
    async fn scrub(&self, _rebuild: bool) -> Result<(), StoreError> {
        Ok(())
    }
}
