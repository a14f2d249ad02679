//! Waiting for the server to speak (RFC 2177).

use std::time::Duration;

use tokio::time::Instant;

use super::said::{Answer, Verdict};
use super::{ImapError, Session, Woken};

/// Servers log out who is silent for 30 minutes.
const MOST: Duration = Duration::from_mins(29);
/// A server that ends an IDLE sooner than this by itself does not wait at all.
const AT_ONCE: Duration = Duration::from_secs(10);

impl Session {
    /// Waits until something changes in the open folder, at most so long (RFC 2177). The time runs whatever the server says
    /// meanwhile. What came since the last look for UIDs counts as a change. A server that refuses (`NO`, `BAD`) is no longer said
    /// to offer IDLE; then this returns at once.
    pub async fn idle(&mut self, most: Duration) -> Result<Woken, ImapError> {
        if std::mem::take(&mut self.news) {
            return Ok(Woken::Changed);
        }
        if !self.offers("IDLE") {
            return Err(ImapError::Server(format!("{} offers no IDLE", self.wire.server())));
        }
        let began = Instant::now();
        let tag = self.send("IDLE").await?;
        // Mail may be announced before the "+".
        let mut over = loop {
            match self.next(&tag).await? {
                Answer::More(_) => break false,
                Answer::Done(..) => break true,
                Answer::Data(_) => {}
            }
        };
        if over {
            self.idle_refused = true;
        }
        while !over && !self.changed {
            match self.next_by(&tag, began + most.min(MOST)).await? {
                None => break,
                Some(Answer::Done(..)) => {
                    over = true;
                    self.idle_refused = began.elapsed() < AT_ONCE;
                }
                Some(Answer::More(_) | Answer::Data(_)) => {}
            }
        }
        if !over {
            self.leave_idle(&tag).await?;
        }
        self.done();
        self.news = false;
        Ok(if self.changed { Woken::Changed } else { Woken::Time })
    }

    async fn leave_idle(&mut self, tag: &str) -> Result<(), ImapError> {
        self.wire.begin();
        self.wire.send("DONE").await?;
        loop {
            match self.next(tag).await? {
                Answer::Done(_, status) if status.verdict == Verdict::Ok => return Ok(()),
                Answer::Done(..) => return Err(self.out_of_step()),
                Answer::More(_) | Answer::Data(_) => {}
            }
        }
    }
}
