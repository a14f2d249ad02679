//! Looking for mails and getting them. Every list is cut to what was asked: `n:*` always has the last mail in it, and servers
//! tell of other mails whenever they like.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::civil::Date;

use super::said::{Data, Verdict};
use super::{Head, ImapError, Session};

/// Characters of a set of UIDs in one command; servers read lines of 8,192 (RFC 7162).
const SET: usize = 4_000;

impl Session {
    /// UIDs of the open folder from `from` on, in order; with `since`, those the server got on that day or later.
    pub async fn uids(&mut self, from: u32, since: Option<Date>) -> Result<Vec<u32>, ImapError> {
        let from = from.max(1);
        let since = since.map(|day| format!(" SINCE {}", day.strftime("%-d-%b-%Y"))).unwrap_or_default();
        // What comes from here on may be missing in the answer.
        self.news = false;
        let mut found = BTreeSet::new();
        let status = self
            .run(&format!("UID SEARCH UID {from}:*{since}"), "SEARCH", |data| {
                if let Data::Search(uids) = data {
                    found.extend(uids.into_iter().filter(|uid| *uid >= from));
                }
                Ok(())
            })
            .await?;
        status.ok(self.wire.server(), "does not search the folder")?;
        Ok(found.into_iter().collect())
    }

    /// Heads of the mails `from..=to`; what is gone is missing.
    pub async fn heads(&mut self, from: u32, to: u32) -> Result<Vec<Head>, ImapError> {
        let from = from.max(1);
        if from > to {
            return Ok(Vec::new());
        }
        let heads = match self.heads_with(from, to, "UID RFC822.SIZE INTERNALDATE").await {
            // One odd date must not hide the mails beside it.
            Err(ImapError::Unreadable(_)) => self.heads_with(from, to, "UID RFC822.SIZE").await?,
            other => other?,
        };
        let largest = heads.iter().map(|head| head.size).max().unwrap_or_default();
        self.wire.expect(usize::try_from(largest).unwrap_or(usize::MAX));
        Ok(heads)
    }

    async fn heads_with(&mut self, from: u32, to: u32, items: &str) -> Result<Vec<Head>, ImapError> {
        let (mut heads, mut told) = (BTreeMap::new(), BTreeSet::new());
        let status = self
            .run(&format!("UID FETCH {from}:{to} ({items})"), "FETCH", |data| {
                if let Data::Fetch(mail) = data
                    && let Some(uid) = mail.uid.filter(|uid| (from..=to).contains(uid))
                {
                    told.insert(uid);
                    if let Some(size) = mail.size {
                        heads.insert(uid, Head { uid, size, at: mail.at });
                    }
                }
                Ok(())
            })
            .await?;
        status.ok(self.wire.server(), "does not tell of its mails")?;
        match told.iter().find(|uid| !heads.contains_key(uid)) {
            Some(uid) => Err(ImapError::Unreadable(format!("{} gives no size of mail UID {uid}", self.wire.server()))),
            None => Ok(heads.into_values().collect()),
        }
    }

    /// Whole mails (BODY.PEEK[]) by UID, in one round trip; what is gone is missing. Nothing of the mailbox is changed. All are held
    /// in memory: ask [`Session::heads`] for their sizes first. One that cannot be read fails them all: then ask for each alone.
    pub async fn fetch(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        self.contents(uids, "BODY.PEEK[]").await
    }

    /// The first bytes of a mail.
    pub async fn fetch_start(&mut self, uid: u32, bytes: u32) -> Result<Option<Bytes>, ImapError> {
        let found = self.contents(&[uid], &format!("BODY.PEEK[]<0.{bytes}>")).await?;
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        // A server may give more than was asked.
        Ok(found.into_iter().next().map(|(_, content)| content.slice(..content.len().min(most))))
    }

    /// The header fields of mails (`BODY.PEEK[HEADER]`).
    pub async fn fetch_headers(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        self.contents(uids, "BODY.PEEK[HEADER]").await
    }

    async fn contents(&mut self, uids: &[u32], item: &str) -> Result<Vec<(u32, Bytes)>, ImapError> {
        let mut out = Vec::with_capacity(uids.len());
        for (asked, set) in sets(uids) {
            // A mail that was taken away while we asked makes some servers say NO, others NIL. After a NOOP they know it is gone.
            match self.contents_once(&asked, &set, item).await? {
                Contents::All(found) => out.extend(found),
                Contents::Partly(_) => {
                    self.noop().await?;
                    match self.contents_once(&asked, &set, item).await? {
                        Contents::All(found) => out.extend(found),
                        Contents::Partly(why) => return Err(why),
                    }
                }
            }
        }
        Ok(out)
    }

    async fn contents_once(&mut self, asked: &[u32], set: &str, item: &str) -> Result<Contents, ImapError> {
        let (mut found, mut told) = (BTreeMap::new(), BTreeSet::new());
        let status = self
            .run(&format!("UID FETCH {set} (UID {item})"), "FETCH", |data| {
                if let Data::Fetch(mail) = data
                    && let Some(uid) = mail.uid.filter(|uid| asked.binary_search(uid).is_ok())
                {
                    told.insert(uid);
                    if let Some(content) = mail.body {
                        found.insert(uid, content);
                    }
                }
                Ok(())
            })
            .await?;
        let server = self.wire.server();
        let gone = status.verdict == Verdict::No && status.code == "EXPUNGEISSUED";
        if let Err(error) = status.ok(server, "does not give its mails") {
            return if gone { Ok(Contents::Partly(error)) } else { Err(error) };
        }
        Ok(match told.iter().find(|uid| !found.contains_key(uid)) {
            Some(uid) => Contents::Partly(ImapError::Unreadable(format!("{server} gives no content of mail UID {uid}"))),
            None => Contents::All(found),
        })
    }

    /// Lets the server say what changed.
    pub(super) async fn noop(&mut self) -> Result<(), ImapError> {
        self.run("NOOP", "", |_| Ok(())).await?.ok(self.wire.server(), "does not answer in order")?;
        Ok(())
    }
}

enum Contents {
    All(BTreeMap<u32, Bytes>),
    /// Of some mails there was no content, for this reason.
    Partly(ImapError),
}

/// UIDs as sets of ranges, each with the UIDs in it, short enough for a command.
pub(super) fn sets(uids: &[u32]) -> Vec<(Vec<u32>, String)> {
    let sorted: Vec<u32> = uids.iter().copied().filter(|uid| *uid > 0).collect::<BTreeSet<_>>().into_iter().collect();
    let mut out: Vec<(Vec<u32>, String)> = Vec::new();
    for range in sorted.chunk_by(|one, next| one + 1 == *next) {
        let text = match range {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}:{last}"),
            [] => continue,
        };
        match out.last_mut() {
            Some((known, set)) if set.len() + text.len() < SET => {
                known.extend_from_slice(range);
                set.push(',');
                set.push_str(&text);
            }
            _ => out.push((range.to_vec(), text)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_uids() {
        assert_eq!(sets(&[]), []);
        assert_eq!(sets(&[7, 3, 4, 5, 3, 0]), [(vec![3, 4, 5, 7], "3:5,7".to_owned())]);
        assert_eq!(sets(&[u32::MAX, u32::MAX - 1]), [(vec![u32::MAX - 1, u32::MAX], "4294967294:4294967295".to_owned())]);
        let odd: Vec<u32> = (0..5_000).map(|number| number * 2 + 1).collect();
        let cut = sets(&odd);
        assert!(cut.len() > 1 && cut.iter().all(|(_, set)| set.len() <= SET));
        assert_eq!(cut.into_iter().flat_map(|(uids, _)| uids).collect::<Vec<_>>(), odd);
    }
}
