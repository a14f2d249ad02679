//! Reading mails of a line: fetched, read and recorded in a row of steps that go on at the same time.

use leadgate_core::ports::IntakeError;
use leadgate_core::submission::Submission;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::fetch::{self, Broken, Group};
use super::mail::Maker;
use super::place::{Careful, Line, Place};
use super::server::Server;
use super::session::{Connected, Stop, Watch};
use crate::imap::{Head, ImapError};

/// The server's clock and ours may differ by so much.
const SKEW: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// A group that is ready to be recorded.
struct Ready {
    heads: Vec<Head>,
    items: Vec<Submission>,
    upto: u32,
    _room: OwnedSemaphorePermit,
}

impl Watch<'_> {
    /// Reads mails of the open folder by UID, in order, and moves the place past each.
    pub(super) async fn read_uids<S: Server>(
        &mut self,
        c: &mut Connected<S>,
        folder: usize,
        line: Line,
        uids: &[u32],
    ) -> Result<(), Stop> {
        let name = self.folders[folder].name.to_string();
        let careful = self.place.folders.get_mut(&name).and_then(|place| place.careful(line).and_then(|careful| *careful));
        let together = uids.partition_point(|uid| careful.is_some_and(|careful| *uid <= careful.until));
        for uid in &uids[..together] {
            self.read_carefully(c, folder, line, *uid).await?;
        }
        let uids = &uids[together..];
        if uids.is_empty() {
            return Ok(());
        }
        match self.read_together(c, folder, line, uids).await? {
            Ok(()) => {
                self.tell();
                Ok(())
            }
            Err(Broken { from, until, error }) => {
                tracing::warn!(source = %self.source, folder = name, from, until, %error, "mails could not be fetched: they are tried one by one");
                let mut place = self.place.clone();
                if let Some(careful) = place.folders.get_mut(&name).and_then(|place| place.careful(line)) {
                    *careful = Some(Careful { until, uid: from, times: 0 });
                }
                self.commit(place).await?;
                Err(match error {
                    ImapError::Unreadable(_) | ImapError::Server(_) => Stop::Again(std::time::Duration::ZERO),
                    other => Stop::Server(other),
                })
            }
        }
    }

    async fn read_together<S: Server>(
        &mut self,
        c: &mut Connected<S>,
        folder: usize,
        line: Line,
        uids: &[u32],
    ) -> Result<Result<(), Broken>, Stop> {
        let maker = self.maker(folder, line);
        let marks = self.marks(folder);
        let floor = self.place_of(folder).map(|place| place.floor.saturating_sub(SKEW).unwrap_or(place.floor));
        // What was there before the watch began is none of ours, whatever its number is now.
        let ours = line == Line::New || maker.historic;
        let wanted = move |head: &Head| ours || head.at.is_none() || head.at >= floor;
        let (fetched, mut groups) = mpsc::channel::<Group>(1);
        let (made, mut ready) = mpsc::channel::<Ready>(1);
        let room = std::sync::Arc::clone(&self.room);
        let feed = self.feed;
        let fetching = fetch::all(&mut c.server, uids, wanted, self.settings.watching.largest, &room, fetched);
        let making = async move {
            while let Some(Group { mails, upto, room }) = groups.recv().await {
                let heads = mails.iter().map(|got| got.head).collect();
                let mut items = Vec::with_capacity(mails.len());
                for mail in maker.make(mails).await {
                    items.push(maker.submission(mail, feed).await?);
                }
                if made.send(Ready { heads, items, upto, _room: room }).await.is_err() {
                    break;
                }
            }
            Ok::<(), IntakeError>(())
        };
        let recording = async {
            while let Some(group) = ready.recv().await {
                let count = group.heads.len() as u64;
                let place = self.after(folder, line, &group.heads, group.upto, marks);
                feed.submit(group.items, place.cursor()).await?;
                self.place = place;
                self.heard();
                self.count_down(folder, line, count);
                self.tell();
            }
            // Whoever makes the next group learns that nobody takes it.
            drop(ready);
            Ok::<(), IntakeError>(())
        };
        let (fetched, made, recorded) = tokio::join!(fetching, making, recording);
        recorded?;
        made?;
        Ok(fetched)
    }

    /// The place after a group.
    pub(super) fn after(&self, folder: usize, line: Line, heads: &[Head], upto: u32, marks: bool) -> Place {
        let mut place = self.place.clone();
        if let Some(read) = place.folders.get_mut(&*self.folders[folder].name) {
            for head in heads {
                read.saw(line, head);
                if marks {
                    read.todo.add(head.uid);
                }
            }
            read.advance(line, upto, heads.len() as u64);
        }
        place
    }

    pub(super) fn count_down(&mut self, folder: usize, line: Line, count: u64) {
        if line == Line::New {
            let behind = self.status.behind.entry(folder).or_default();
            *behind = behind.saturating_sub(count);
        }
    }

    /// What makes submissions of the open folder's mails.
    pub(super) fn maker(&self, folder: usize, line: Line) -> Maker {
        let place = self.place_of(folder);
        let past = place.and_then(|place| place.past.first());
        Maker {
            source: self.source.clone(),
            settings: std::sync::Arc::clone(&self.settings),
            read: self.read,
            folder: std::sync::Arc::clone(&self.folders[folder].name),
            sent: self.folders[folder].sent,
            uid_validity: place.map_or(0, |place| place.uid_validity),
            dealt: place.map_or(0, |place| place.dealt),
            historic: line == Line::Past && past.is_none_or(|past| past.historic),
        }
    }
}
