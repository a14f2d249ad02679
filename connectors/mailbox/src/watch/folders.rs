//! Which folders there are, and whether what is known of one still fits.

use std::time::Duration;

use leadgate_core::ports::PullState;

use super::place::{FolderPlace, Line, midnight};
use super::server::Server;
use super::session::{Connected, Stop, Watch};
use super::status::About;
use crate::imap::{FolderInfo, FolderState, ImapError};
use crate::settings::Start;

impl Watch<'_> {
    /// Finds the configured folders among those that are there.
    pub(super) async fn find_folders<S: Server>(&mut self, c: &mut Connected<S>) -> Result<(), Stop> {
        let there = c.server.folders().await?;
        self.heard();
        c.usable.clear();
        for (index, folder) in self.folders.iter().enumerate() {
            let trouble = if self.closed.contains(&index) {
                Some(format!("the server does not open the folder {:?}", folder.name))
            } else {
                missing(&folder.name, &there)
            };
            match trouble {
                None => {
                    c.usable.push(index);
                    self.status.notices.remove(&About::Folder(index));
                }
                Some(words) => {
                    self.status.notices.insert(About::Folder(index), words);
                }
            }
        }
        if c.usable.is_empty() {
            let words: Vec<&str> = self.status.notices.values().map(String::as_str).collect();
            let words = words.join("; ");
            self.status.notices.clear();
            return Err(Stop::Never(words));
        }
        // The connection may have changed under way: nothing is open any more as far as anybody knows.
        c.selected = None;
        Ok(())
    }

    /// A folder the server lists and does not open is left alone until the mailbox is begun anew.
    pub(super) fn unless_closed<T>(&mut self, folder: usize, outcome: Result<T, ImapError>) -> Result<T, Stop> {
        outcome.map_err(|error| match error {
            ImapError::NoFolder(_) if self.closed.insert(folder) => Stop::Again(Duration::ZERO),
            other => Stop::Server(other),
        })
    }

    /// Opens a folder and compares its numbering with what is known.
    pub(super) async fn open<S: Server>(&mut self, c: &mut Connected<S>, folder: usize) -> Result<(), Stop> {
        if c.selected.is_some_and(|(open, _)| open == folder) {
            return Ok(());
        }
        c.selected = None;
        let opened = c.server.select(&self.folders[folder].name, self.marks(folder)).await;
        let state = self.unless_closed(folder, opened)?;
        self.heard();
        self.settle(c, folder, state).await?;
        c.selected = Some((folder, state));
        Ok(())
    }

    async fn settle<S: Server>(&mut self, c: &mut Connected<S>, folder: usize, state: FolderState) -> Result<(), Stop> {
        let name = self.folders[folder].name.to_string();
        let now = self.feed.arrival().0;
        let mut place = self.place.clone();
        let known = place.folders.get(&name).cloned();
        let renumbered = match &known {
            None => false,
            Some(known) if known.uid_validity != state.uid_validity => true,
            Some(known) => self.is_dealt_anew(c, folder, known, state).await?,
        };
        let read = place.folders.entry(name.clone()).or_insert_with(|| FolderPlace::begin(&state, now));
        if renumbered {
            read.renumber(&state);
            let since = read.past.first().map(|past| past.since.to_string()).unwrap_or_default();
            tracing::warn!(source = %self.source, folder = name, since, "the server deals UIDs anew: mails are compared with what is known");
            let words = format!(
                "the server gave the mails of {name:?} new numbers (a mailbox that was moved or put back from a copy): those since \
                 {since} are compared with what is known"
            );
            self.status.notices.insert(About::Numbering(folder), words);
        }
        if let Start::Since(day) = self.settings.watching.start
            && midnight(day) < read.floor
        {
            read.backfill(day);
        }
        c.checked.insert(folder);
        if place != self.place {
            c.lists.retain(|(of, _), _| *of != folder);
            self.commit(place).await?;
        }
        Ok(())
    }

    /// Whether a folder was dealt new UIDs although its UIDVALIDITY is the same: a mailbox was emptied or put back from a copy by a
    /// server that does not care. The last mail that was read tells.
    async fn is_dealt_anew<S: Server>(
        &mut self,
        c: &mut Connected<S>,
        folder: usize,
        known: &FolderPlace,
        state: FolderState,
    ) -> Result<bool, Stop> {
        let fewer = state.uid_next <= known.last;
        let Some(anchor) = known.anchor else { return Ok(fewer) };
        if !fewer && c.checked.contains(&folder) {
            return Ok(false);
        }
        let heads = match c.server.heads(anchor.uid, anchor.uid).await {
            Ok(heads) => heads,
            Err(error @ ImapError::Network(_)) => return Err(error.into()),
            Err(_) => {
                // It shall not be asked for for ever.
                let mut place = self.place.clone();
                if let Some(read) = place.folders.get_mut(&*self.folders[folder].name) {
                    read.anchor = None;
                }
                self.commit(place).await?;
                return Err(Stop::Again(Duration::ZERO));
            }
        };
        // Some servers correct a mail's size once it was fetched; when they got it never changes.
        let other = |head: &crate::imap::Head| match (head.at, anchor.at) {
            (Some(at), Some(known)) => at != known,
            _ => head.size != anchor.size,
        };
        Ok(heads.iter().find(|head| head.uid == anchor.uid).map_or(fewer, other))
    }

    /// Reads a slice of older mails, if there are some.
    pub(super) async fn read_past<S: Server>(&mut self, c: &mut Connected<S>) -> Result<bool, Stop> {
        let past_of = |watch: &Self, folder: usize| watch.place_of(folder).and_then(|place| place.past.first().cloned());
        let Some(folder) = c.usable.iter().copied().find(|folder| past_of(self, *folder).is_some()) else { return Ok(false) };
        self.open(c, folder).await?;
        let line = (folder, Line::Past);
        if !c.lists.contains_key(&line) {
            let Some(past) = past_of(self, folder) else { return Ok(true) };
            let uids = c.server.uids(past.last.saturating_add(1), Some(past.since)).await?;
            let list: std::collections::VecDeque<u32> =
                uids.into_iter().filter(|uid| *uid > past.last && *uid <= past.until).collect();
            let name = &*self.folders[folder].name;
            if let Some(past) = self.place.folders.get_mut(name).and_then(|place| place.past.first_mut()) {
                past.of = past.read + list.len() as u64;
            }
            c.lists.insert(line, list);
        }
        self.status.state = PullState::Reading;
        let list = c.lists.entry(line).or_default();
        let slice: Vec<u32> = list.drain(..list.len().min(super::session::SLICE)).collect();
        let left = list.len();
        self.tell();
        if !slice.is_empty() {
            self.read_uids(c, folder, Line::Past, &slice).await?;
        }
        if left == 0 {
            c.lists.remove(&line);
            let mut place = self.place.clone();
            let done = place.folders.get_mut(&*self.folders[folder].name).and_then(FolderPlace::past_done);
            self.commit(place).await?;
            if let Some(done) = done {
                let (source, folder, since) = (&self.source, &*self.folders[folder].name, done.since);
                tracing::info!(%source, folder, %since, mails = done.read, historic = done.historic, "older mails are read");
            }
        }
        Ok(true)
    }
}

/// Why a folder cannot be read, if it cannot.
fn missing(name: &str, there: &[FolderInfo]) -> Option<String> {
    let is = |folder: &&FolderInfo| folder.name == name || (is_inbox(name) && is_inbox(&folder.name));
    match there.iter().find(is) {
        // Some servers do not list it.
        None if is_inbox(name) => None,
        None => {
            let names: Vec<String> = there.iter().take(30).map(|folder| format!("{:?}", folder.name)).collect();
            Some(format!("there is no folder {name:?}; there are: {}", names.join(", ")))
        }
        Some(folder) if folder.marks.iter().any(|mark| is_no_folder(mark)) => {
            Some(format!("the folder {name:?} holds only other folders, no mails"))
        }
        Some(_) => None,
    }
}

fn is_no_folder(mark: &str) -> bool {
    let mark = mark.trim_start_matches('\\');
    mark.eq_ignore_ascii_case("noselect") || mark.eq_ignore_ascii_case("nonexistent")
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("inbox")
}
