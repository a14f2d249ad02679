//! The loop: connect, look, read, wait, look again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Ask, Feed, IntakeError, PullError, PullState};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::mail::Read;
use super::place::{Line, Place};
use super::server::{Door, Server};
use super::status::{About, Status};
use super::{Folder, Memory, fetch};
use crate::imap::{FolderState, ImapError, Woken};
use crate::settings::{After, Settings};

/// Mails of a line that are read before the others have their turn.
pub(super) const SLICE: usize = 512;
/// IDLE that failed so often in a row, before it can have been taken, is left alone for a while: the server says that it can and cannot.
const MOST_IDLE_FAILURES: u32 = 3;
/// So much longer than a server may be silent it has been taken for sure: what fails then is the line.
const IDLE_TAKEN: Duration = Duration::from_secs(30);
/// So long is that while.
const IDLE_AGAIN: Duration = Duration::from_hours(1);
/// A folder that says so often in a row that something changed, and nothing came, is looked at more slowly.
const MOST_IN_VAIN: u32 = 20;

/// Why a connection is given up.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is opened anew after this pause: what broke it is counted in the place, so that this ends.
    Again(Duration),
    /// The server, or the way to it.
    Server(ImapError),
    /// Nothing can be stored.
    Intake(IntakeError),
    /// It will never work as configured; in words.
    Never(String),
}

impl From<ImapError> for Stop {
    fn from(error: ImapError) -> Self {
        Self::Server(error)
    }
}

impl From<IntakeError> for Stop {
    fn from(error: IntakeError) -> Self {
        Self::Intake(error)
    }
}

/// A mailbox while it is watched.
pub(super) struct Watch<'a> {
    pub source: SourceId,
    pub settings: Arc<Settings>,
    pub memory: Memory,
    pub feed: &'a dyn Feed,
    pub read: Read,
    /// As it is committed.
    pub place: Place,
    pub folders: Vec<Folder>,
    pub status: Status,
    pub room: Arc<Semaphore>,
    /// Folders the server would not open although it lists them.
    pub closed: BTreeSet<usize>,
    /// Why the mail that is tried could not be fetched the last time.
    pub failure: String,
    asked: BoxFuture<'a, Ask>,
}

/// A connection, and what is known of the mailbox through it.
pub(super) struct Connected<S> {
    pub server: S,
    /// The open folder.
    pub selected: Option<(usize, FolderState)>,
    /// Folders that can be read, in the order of the configuration.
    pub usable: Vec<usize>,
    /// Folders whose numbering was compared with what is known.
    pub checked: BTreeSet<usize>,
    /// UIDs that are still to be read.
    pub lists: HashMap<(usize, Line), VecDeque<u32>>,
    /// What STATUS said last of a folder that was read to its end then.
    pub seen: BTreeMap<usize, FolderState>,
    /// When the folders that are not waited at are looked at again.
    others_at: Instant,
    /// When everything is looked at, whatever was told meanwhile.
    full_at: Instant,
    in_vain: u32,
}

impl<S> Connected<S> {
    fn new(server: S) -> Self {
        let now = Instant::now();
        Self {
            server,
            selected: None,
            usable: Vec::new(),
            checked: BTreeSet::new(),
            lists: HashMap::new(),
            seen: BTreeMap::new(),
            others_at: now,
            full_at: now,
            in_vain: 0,
        }
    }

    fn is_behind(&self) -> bool {
        self.lists.values().any(|list| !list.is_empty())
    }
}

impl<'a> Watch<'a> {
    /// Begins where the mailbox was left.
    pub(super) async fn begin(
        source: &SourceId,
        settings: &Arc<Settings>,
        memory: Memory,
        feed: &'a dyn Feed,
        read: Read,
    ) -> Result<Self, PullError> {
        let place = Place::read(feed.place().await?).map_err(|error| PullError::Fatal(Box::new(error)))?;
        let watching = &settings.watching;
        let folders = watching.folders.iter().map(|name| (name, false)).chain(watching.sent.iter().map(|name| (name, true)));
        let folders = folders.map(|(name, sent)| Folder { name: Arc::from(name.as_str()), sent }).collect();
        let mut status = Status::default();
        if let Some((state, trouble)) = memory.down.clone() {
            (status.state, status.trouble) = (state, trouble);
        }
        Ok(Self {
            source: source.clone(),
            settings: Arc::clone(settings),
            memory,
            feed,
            read,
            place,
            folders,
            status,
            room: fetch::room(),
            closed: BTreeSet::new(),
            failure: String::new(),
            asked: feed.asked(),
        })
    }

    /// Watches until it stops.
    pub(super) async fn run<D: Door>(&mut self, door: &D) -> PullError {
        loop {
            let stop = match self.connected(door).await {
                Ok(never) => match never {},
                Err(stop) => stop,
            };
            let (state, error) = match stop {
                Stop::Again(pause) => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Stop::Server(error @ ImapError::Refused(_)) => (PullState::Refused, PullError::Auth(Box::new(error))),
                Stop::Server(error) => (PullState::Down, PullError::Transient(Box::new(error))),
                Stop::Intake(error) => (PullState::Down, error.into()),
                Stop::Never(words) => (PullState::Refused, PullError::Fatal(words.into())),
            };
            let words = match &error {
                PullError::Transient(cause) | PullError::Auth(cause) | PullError::Fatal(cause) => cause.to_string(),
            };
            self.memory.down = Some((state, words.clone()));
            (self.status.state, self.status.trouble) = (state, words);
            self.tell();
            return error;
        }
    }

    async fn connected<D: Door>(&mut self, door: &D) -> Result<Infallible, Stop> {
        self.tell();
        let mut c = Connected::new(door.open().await?);
        self.heard();
        self.memory.down = None;
        (self.status.state, self.status.trouble) = (PullState::Reading, String::new());
        match self.settings.connection.warning() {
            Some(words) => self.status.notices.insert(About::Tokens, words),
            None => self.status.notices.remove(&About::Tokens),
        };
        self.find_folders(&mut c).await?;
        loop {
            self.look(&mut c).await?;
            self.take_asks(&mut c).await?;
            self.mark_all(&mut c).await?;
            if self.read_past(&mut c).await? || c.is_behind() {
                continue;
            }
            self.wait(&mut c).await?;
        }
    }

    /// Looks into every folder whose turn it is, the one that is waited at last: it stays open.
    async fn look<S: Server>(&mut self, c: &mut Connected<S>) -> Result<(), Stop> {
        let now = Instant::now();
        let full = now >= c.full_at;
        let others = full || now >= c.others_at;
        if full {
            c.full_at = now + self.settings.watching.idle;
            if c.usable.len() < self.folders.len() && !c.checked.is_empty() {
                self.find_folders(c).await?;
            }
        }
        if others {
            c.others_at = now + self.settings.watching.poll;
        }
        let Some((first, rest)) = c.usable.split_first().map(|(first, rest)| (*first, rest.to_vec())) else { return Ok(()) };
        for folder in rest {
            let list = c.lists.get(&(folder, Line::New)).is_some_and(|list| !list.is_empty());
            if list || (others && (full || self.may_have_new(c, folder).await?)) {
                self.look_into(c, folder).await?;
            }
        }
        self.look_into(c, first).await
    }

    /// Reads what is new in a folder, a slice of it at most.
    async fn look_into<S: Server>(&mut self, c: &mut Connected<S>, folder: usize) -> Result<(), Stop> {
        self.open(c, folder).await?;
        let line = (folder, Line::New);
        if c.lists.get(&line).is_none_or(VecDeque::is_empty) {
            let last = self.place_of(folder).map_or(0, |place| place.last);
            let uids = c.server.uids(last.saturating_add(1), None).await?;
            self.heard();
            // `n:*` brings the last mail even if its UID is below n.
            let list: VecDeque<u32> = uids.into_iter().filter(|uid| *uid > last).collect();
            if !list.is_empty() {
                c.in_vain = 0;
            }
            c.lists.insert(line, list);
        }
        let list = c.lists.entry(line).or_default();
        let slice: Vec<u32> = list.drain(..list.len().min(SLICE)).collect();
        let left = list.len() as u64;
        self.status.behind.insert(folder, left + slice.len() as u64);
        if !slice.is_empty() {
            self.status.state = PullState::Reading;
            self.tell();
            self.read_uids(c, folder, Line::New, &slice).await?;
            self.status.behind.insert(folder, left);
        }
        Ok(())
    }

    /// Whether STATUS tells of something new in a folder that is not open.
    async fn may_have_new<S: Server>(&mut self, c: &mut Connected<S>, folder: usize) -> Result<bool, Stop> {
        let Some(known) = self.place_of(folder).map(|place| (place.uid_validity, place.last)) else { return Ok(true) };
        if c.selected.is_some_and(|(open, _)| open == folder) {
            return Ok(true);
        }
        let state = c.server.status(&self.folders[folder].name).await;
        let state = self.unless_closed(folder, state)?;
        self.heard();
        let before = c.seen.insert(folder, state);
        let same = before.is_some_and(|before| (before.uid_next, before.exists) == (state.uid_next, state.exists));
        Ok((state.uid_validity, state.uid_next) != (known.0, known.1.saturating_add(1))
            && !(same && state.uid_validity == known.0))
    }

    /// What people asked for becomes part of the place.
    async fn take_asks<S>(&mut self, c: &mut Connected<S>) -> Result<(), Stop> {
        while let Some(ask) = (&mut self.asked).now_or_never() {
            self.asked = self.feed.asked();
            let Ask::Backfill { since } = ask;
            let mut place = self.place.clone();
            for folder in &self.folders {
                if let Some(read) = place.folders.get_mut(&*folder.name) {
                    read.backfill(since);
                }
            }
            self.commit(place).await?;
            c.lists.retain(|(_, line), _| *line == Line::New);
            self.feed.answered().await?;
            tracing::info!(source = %self.source, %since, "older mails are read, as was asked");
            self.tell();
        }
        Ok(())
    }

    /// Waits until there may be something to do.
    async fn wait<S: Server>(&mut self, c: &mut Connected<S>) -> Result<(), Stop> {
        // Marking and reading older mails may have opened another one.
        if c.usable.first().copied() != c.selected.map(|(folder, _)| folder) {
            return Ok(());
        }
        self.status.state = PullState::Watching;
        self.tell();
        let now = Instant::now();
        let next = if c.usable.len() > 1 { c.full_at.min(c.others_at) } else { c.full_at };
        let most = next.saturating_duration_since(now).max(Duration::from_secs(1));
        let gave_up = self.memory.idle_again_at.is_some_and(|again| now < again);
        let poll = self.settings.watching.poll;
        if gave_up && c.server.offers("IDLE") {
            let words = format!("the server announces IDLE and fails at it: the mailbox is looked at every {} s", poll.as_secs());
            self.status.notices.insert(About::Idle, words);
        }
        if gave_up || !c.server.offers("IDLE") {
            let pause = most.min(poll);
            tokio::select! {
                biased;
                ask = &mut self.asked => self.asked = std::future::ready(ask).boxed(),
                () = tokio::time::sleep(pause) => {}
            }
            return Ok(());
        }
        let woken = tokio::select! {
            biased;
            // What waits cannot be interrupted within the conversation: the connection is opened anew.
            _ = &mut self.asked => {
                self.asked = self.feed.asked();
                return Err(Stop::Again(Duration::ZERO));
            }
            woken = c.server.idle(most) => woken,
        };
        match woken {
            Ok(woken) => {
                (self.memory.idle_failures, self.memory.idle_again_at) = (0, None);
                self.status.notices.remove(&About::Idle);
                self.heard();
                if woken == Woken::Changed {
                    c.in_vain += 1;
                }
                if c.in_vain > MOST_IN_VAIN {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Err(error) => {
                if now.elapsed() > self.settings.connection.server.timeout + IDLE_TAKEN {
                    (self.memory.idle_failures, self.memory.idle_again_at) = (0, None);
                } else {
                    self.memory.idle_failures += 1;
                }
                if self.memory.idle_failures >= MOST_IDLE_FAILURES {
                    self.memory.idle_again_at = Some(Instant::now() + IDLE_AGAIN);
                }
                Err(error.into())
            }
        }
    }

    // ------------------------------------------------------------------------------------------------- small things

    /// Moves the place by itself.
    pub(super) async fn commit(&mut self, place: Place) -> Result<(), Stop> {
        self.feed.submit(Vec::new(), place.cursor()).await?;
        self.place = place;
        Ok(())
    }

    pub(super) fn place_of(&self, folder: usize) -> Option<&super::place::FolderPlace> {
        self.place.folders.get(&*self.folders[folder].name)
    }

    /// Whether mails of a folder are marked or moved when they are read: what managers sent is left alone.
    pub(super) fn marks(&self, folder: usize) -> bool {
        self.settings.watching.after != After::Nothing && !self.folders[folder].sent
    }

    pub(super) fn heard(&mut self) {
        self.status.heard_at = Some(self.feed.arrival().0);
    }

    pub(super) fn tell(&self) {
        self.feed.report(self.status.report(&self.folders, &self.place));
    }
}
