//! Mails that broke a fetch: one by one, each attempt counted in the place before it is made, so that restarts count.

use std::time::Duration;

use bytes::Bytes;

use super::fetch;
use super::mail::Got;
use super::place::{Careful, Line};
use super::server::Server;
use super::session::{Connected, Stop, Watch};
use crate::imap::ImapError;

/// Attempts to fetch a mail whole.
const WHOLE: u32 = 3;
/// Then its beginning is tried once, of this many bytes.
const BEGINNING: u32 = 64 << 10;
/// Between two attempts, for each that was made.
const PAUSE: Duration = Duration::from_millis(200);

/// What was had of a mail that cannot be fetched whole.
enum Part {
    Beginning(Bytes),
    Header(Bytes),
    Nothing,
}

impl Watch<'_> {
    /// Reads one mail, or passes it over once it has failed often enough.
    pub(super) async fn read_carefully<S: Server>(
        &mut self,
        c: &mut Connected<S>,
        folder: usize,
        line: Line,
        uid: u32,
    ) -> Result<(), Stop> {
        let name = self.folders[folder].name.to_string();
        let mut place = self.place.clone();
        let mut times = 0;
        if let Some(careful) = place.folders.get_mut(&name).and_then(|place| place.careful(line)) {
            let Careful { until, uid: tried, times: before } = careful.unwrap_or(Careful { until: uid, uid, times: 0 });
            times = if tried == uid { before + 1 } else { 1 };
            *careful = Some(Careful { until, uid, times });
        }
        self.commit(place).await?;
        match self.attempt(c, uid, times).await {
            Ok(Some((got, None))) => self.record_one(folder, line, got).await,
            Ok(Some((got, Some(part)))) => self.pass_over(folder, line, got, part).await,
            Ok(None) => {
                tracing::debug!(source = %self.source, folder = name, uid, "a mail was gone when it was asked for");
                if let Some(read) = self.place.folders.get_mut(&name) {
                    read.advance(line, uid, 0);
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(source = %self.source, folder = name, uid, times, %error, "a mail could not be fetched");
                self.failure = error.to_string();
                self.status.trouble = format!("UID {uid} of the folder {name:?} cannot be fetched: {error}");
                self.tell();
                Err(match error {
                    // Its own fault or not: it was counted.
                    ImapError::Unreadable(_) | ImapError::Server(_) | ImapError::Network(_) => Stop::Again(PAUSE * times),
                    other => Stop::Server(other),
                })
            }
        }
    }

    /// One attempt. `None`: the mail is gone.
    async fn attempt<S: Server>(
        &mut self,
        c: &mut Connected<S>,
        uid: u32,
        times: u32,
    ) -> Result<Option<(Got, Option<Part>)>, ImapError> {
        let unknown = |bytes: Bytes| Got { head: fetch::unknown(uid), bytes, cut: true };
        let largest = self.settings.watching.largest;
        if times <= WHOLE {
            let heads = c.server.heads(uid, uid).await?;
            let head = heads.into_iter().find(|head| head.uid == uid).unwrap_or_else(|| fetch::unknown(uid));
            let mails = fetch::fetch(&mut c.server, &[head], largest).await?;
            return Ok(mails.into_iter().next().map(|got| (got, None)));
        }
        if c.server.uids(uid, None).await?.first() != Some(&uid) {
            return Ok(None);
        }
        let part = match times - WHOLE {
            1 => c.server.fetch_start(uid, BEGINNING).await?.map(Part::Beginning),
            2 => c.server.fetch_headers(&[uid]).await?.into_iter().find(|(found, _)| *found == uid).map(|(_, h)| Part::Header(h)),
            _ => Some(Part::Nothing),
        };
        match part {
            Some(part) => {
                let bytes = match &part {
                    Part::Beginning(bytes) | Part::Header(bytes) => bytes.clone(),
                    Part::Nothing => Bytes::new(),
                };
                Ok(Some((unknown(bytes), Some(part))))
            }
            None => Err(ImapError::Unreadable("the server gives nothing of it".to_owned())),
        }
    }

    async fn record_one(&mut self, folder: usize, line: Line, got: Got) -> Result<(), Stop> {
        let maker = self.maker(folder, line);
        let head = got.head;
        let mut items = Vec::with_capacity(1);
        for made in maker.make(vec![got]).await {
            items.push(maker.submission(made, self.feed).await?);
        }
        let place = self.after(folder, line, &[head], head.uid, self.marks(folder));
        self.feed.submit(items, place.cursor()).await?;
        self.place = place;
        self.status.trouble.clear();
        self.failure.clear();
        self.count_down(folder, line, 1);
        self.heard();
        self.tell();
        Ok(())
    }

    /// A mail that cannot be had: a person is told, and reading goes on.
    async fn pass_over(&mut self, folder: usize, line: Line, got: Got, part: Part) -> Result<(), Stop> {
        let maker = self.maker(folder, line);
        let kept = match part {
            Part::Beginning(_) => "its beginning is kept",
            Part::Header(_) => "its header is kept",
            Part::Nothing => "nothing of it could be had",
        };
        let trouble = if self.failure.is_empty() { String::new() } else { format!(" ({})", self.failure) };
        let words = format!(
            "{} could not be fetched in {WHOLE} attempts{trouble}; {kept}. The mail itself is in the mailbox: look there; a \
             backfill tries it again",
            maker.place(&got)
        );
        tracing::error!(source = %self.source, folder = %maker.folder, uid = got.head.uid, "a mail is passed over: it goes to quarantine");
        let item = maker.held(&got, got.bytes.clone(), "unreadable", words, self.feed.arrival());
        let mut place = self.place.clone();
        if let Some(read) = place.folders.get_mut(&*self.folders[folder].name) {
            read.quarantined += 1;
            read.advance(line, got.head.uid, 1);
        }
        self.feed.submit(vec![item], place.cursor()).await?;
        self.place = place;
        self.status.trouble.clear();
        self.failure.clear();
        self.count_down(folder, line, 1);
        self.tell();
        Ok(())
    }
}
