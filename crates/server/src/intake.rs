//! The one way in: submissions are prepared in their sender's task, wait in a queue bounded in items and bytes, and are
//! committed in groups. Knows the store's port and nothing of HTTP.

mod commit;
mod complete;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Intake, IntakeError, Store};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::rules::Rules;
use leadgate_core::submission::{Codec, Cursor, CursorMove, Hold, Purpose, Raw, Submission};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SetOnce, mpsc, oneshot};

pub use commit::Committer;
pub(crate) use complete::complete;

/// The store, once it is open.
pub type StoreCell = Arc<SetOnce<Arc<dyn Store>>>;

/// Bounds of the queue and of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Submissions that may wait.
    pub items: usize,
    /// Bytes that may wait.
    pub bytes: usize,
    /// How long a sender waits for room.
    pub wait: Duration,
    /// Submissions of one commit, about.
    pub batch_items: usize,
    /// Bytes of one commit, about.
    pub batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { items: 10_000, bytes: 64 << 20, wait: Duration::from_secs(4), batch_items: 128, batch_bytes: 8 << 20 }
    }
}

/// Bodies above this are packed.
const PACK_ABOVE: usize = 1024;
/// The level that is fast enough to be free beside the commit.
const PACK_LEVEL: i32 = 1;
/// What an item weighs beside its texts.
const ITEM_OVERHEAD: usize = 1024;
/// Bytes are counted in these, so that a semaphore's permits suffice.
const BYTES_A_PERMIT: usize = 1024;

/// The rules in force; a reload puts others in their place.
#[derive(Clone, Debug, Default)]
pub struct RulesCell(Arc<RwLock<Arc<Rules>>>);

impl RulesCell {
    /// Begins with these.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self(Arc::new(RwLock::new(rules)))
    }

    /// The rules in force.
    pub fn get(&self) -> Arc<Rules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in force.
    pub fn set(&self, rules: Arc<Rules>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}

/// How the last writes went, for `/readyz`.
#[derive(Debug, Default)]
pub struct Writes {
    failing: AtomicBool,
    waiting: AtomicUsize,
    committed: Notify,
}

impl Writes {
    /// A write was committed.
    pub fn succeeded(&self) {
        self.committed.notify_one();
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the database can be written again");
        }
    }

    /// A write failed although nothing was wrong with it.
    pub fn failed(&self, why: &str) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(why, "the database cannot be written: senders are asked to try again");
        }
    }

    /// Whether the last write failed.
    pub fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Waits for a commit; one that was made since the last time is enough.
    pub async fn committed(&self) {
        self.committed.notified().await;
    }

    /// How many submissions wait for their commit.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// What one `submit` handed over: answered exactly once.
struct Group {
    items: Vec<Arc<Prepared>>,
    /// A pull source's place that moves with the last item.
    to: Option<CursorMove>,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<Receipt>, IntakeError>>,
    room: Room,
}

/// Holds the queue's room until the group is answered.
struct Room {
    _items: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    count: usize,
    writes: Arc<Writes>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.writes.waiting.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Group {
    fn answer(self, answer: Result<Vec<Receipt>, IntakeError>) {
        drop(self.room);
        if self.answer.send(answer).is_err() {
            // The sender hung up while it waited. What was committed stays; it will be a repeat.
            tracing::debug!("nobody waits for a receipt any more");
        }
    }
}

/// The [`Intake`] that groups commits.
pub struct GroupIntake {
    queue: mpsc::Sender<Group>,
    items: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    limits: Limits,
    rules: RulesCell,
    store: StoreCell,
    writes: Arc<Writes>,
}

impl std::fmt::Debug for GroupIntake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupIntake").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

/// An intake and the loop that commits for it.
pub fn intake(limits: Limits, rules: RulesCell, store: StoreCell) -> (GroupIntake, Committer) {
    let (queue, waiting) = mpsc::channel(limits.items);
    let writes = Arc::new(Writes::default());
    let intake = GroupIntake {
        queue,
        items: Arc::new(Semaphore::new(limits.items)),
        bytes: Arc::new(Semaphore::new(limits.bytes / BYTES_A_PERMIT)),
        limits,
        rules: rules.clone(),
        store,
        writes: Arc::clone(&writes),
    };
    (intake, Committer::new(waiting, limits, rules, writes))
}

impl GroupIntake {
    /// How the last writes went.
    pub fn writes(&self) -> &Arc<Writes> {
        &self.writes
    }

    /// Prepares a group, waits for room and for its commit.
    async fn queue(&self, mut items: Vec<Submission>, to: Option<CursorMove>) -> Result<Vec<Receipt>, IntakeError> {
        if complete::is_needed(&items) {
            let store = self.store.get().ok_or_else(not_open)?;
            complete(&mut items, &**store).await.map_err(|error| IntakeError::Busy(error.to_string()))?;
        }
        let rules = self.rules.get();
        let items: Vec<Arc<Prepared>> = items.into_iter().map(|item| Arc::new(prepare(item, &rules))).collect();
        let bytes = items.iter().map(|item| weight(item)).sum();
        let room = self.room(items.len(), bytes).await?;
        let (answer, answered) = oneshot::channel();
        self.queue.send(Group { items, to, bytes, answer, room }).await.map_err(|_closed| IntakeError::Closing)?;
        answered.await.unwrap_or(Err(IntakeError::Closing))
    }

    async fn room(&self, items: usize, bytes: usize) -> Result<Room, IntakeError> {
        let items_needed = permits(items, self.limits.items);
        let bytes_needed = permits(bytes.div_ceil(BYTES_A_PERMIT), self.limits.bytes / BYTES_A_PERMIT);
        let taking = async {
            let items = Arc::clone(&self.items).acquire_many_owned(items_needed).await;
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes_needed).await;
            items.and_then(|items| bytes.map(|bytes| (items, bytes)))
        };
        // A timeout polls what it guards first: where there is room no timer is set.
        match tokio::time::timeout(self.limits.wait, taking).await {
            Ok(Ok((items_permit, bytes_permit))) => {
                self.writes.waiting.fetch_add(items, Ordering::Relaxed);
                Ok(Room { _items: items_permit, _bytes: bytes_permit, count: items, writes: Arc::clone(&self.writes) })
            }
            Ok(Err(_closed)) => Err(IntakeError::Closing),
            Err(_elapsed) => Err(IntakeError::Busy("too many submissions wait".to_owned())),
        }
    }
}

fn not_open() -> IntakeError {
    IntakeError::Busy("the database is not open yet".to_owned())
}

/// A submit larger than the whole queue takes all of it rather than waiting for ever.
fn permits(wanted: usize, most: usize) -> u32 {
    u32::try_from(wanted.min(most)).unwrap_or(u32::MAX)
}

#[async_trait]
impl Intake for GroupIntake {
    async fn submit(&self, items: Vec<Submission>) -> Result<Vec<Receipt>, IntakeError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        self.queue(items, None).await
    }

    async fn advance(&self, items: Vec<Submission>, to: CursorMove) -> Result<Vec<Receipt>, IntakeError> {
        self.queue(items, Some(to)).await
    }

    async fn cursor(&self, source: &SourceId) -> Result<Option<Cursor>, IntakeError> {
        let store = self.store.get().ok_or_else(not_open)?;
        store.cursor(source).await.map_err(|error| IntakeError::Busy(error.to_string()))
    }
}

fn weight(item: &Prepared) -> usize {
    let raw = &item.submission.raw;
    ITEM_OVERHEAD + raw.body.len() + raw.query.len() + 2 * item.content_json.len() + item.touch_json.len()
}

/// Makes an item ready. A panic on somebody's text costs that item its reading, never its bytes or its neighbours.
fn prepare(mut item: Submission, rules: &Rules) -> Prepared {
    pack(&mut item.raw);
    let spare = Spare::of(&item);
    catch_unwind(AssertUnwindSafe(|| Prepared::new(item, rules))).unwrap_or_else(|_panic| {
        tracing::error!(submission = %spare.0.id, source = %spare.0.source, "a submission could not be read: it goes to quarantine");
        Prepared::new(spare.poisoned("the gateway failed on its content"), rules)
    })
}

/// Packs large bodies.
fn pack(raw: &mut Raw) {
    thread_local! {
        /// Making a compressor costs more than using it.
        static PACKER: std::cell::RefCell<Option<zstd::bulk::Compressor<'static>>> =
            std::cell::RefCell::new(zstd::bulk::Compressor::new(PACK_LEVEL).ok());
    }
    if raw.codec != Codec::Plain || raw.body.len() <= PACK_ABOVE {
        return;
    }
    let packed = PACKER.with_borrow_mut(|packer| packer.as_mut().and_then(|packer| packer.compress(&raw.body).ok()));
    // Unpacked is as good as packed, only larger: a failure here is no reason to lose the bytes.
    if let Some(packed) = packed.filter(|packed| packed.len() < raw.body.len()) {
        raw.body = Bytes::from(packed);
        raw.codec = Codec::Zstd;
    }
}

/// What must survive of a submission that turns out to be poisoned.
struct Spare(Submission);

impl Spare {
    fn of(item: &Submission) -> Self {
        Self(Submission {
            historic: item.historic,
            hold: item.hold.clone(),
            purpose: Purpose::Note,
            ..Submission::of_bytes(item.id, item.source.clone(), item.received_at, item.raw.clone())
        })
    }

    /// The bytes alone, for a person to look at.
    fn poisoned(mut self, why: &str) -> Submission {
        let authenticated = self.0.hold.as_ref().is_none_or(|hold| hold.authenticated);
        let words = format!("{why}; the bytes are kept and can be replayed");
        self.0.hold = Some(Hold { code: "poisoned".to_owned(), words, authenticated });
        self.0.raw.content_type = leadgate_core::text::clean(&self.0.raw.content_type).into_owned();
        self.0.raw.query = leadgate_core::text::clean(&self.0.raw.query).into_owned();
        self.0
    }
}
