//! How reading goes, as it is told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadgate_core::ports::{FolderReport, PullReport, PullState};

use super::Folder;
use super::place::Place;

/// What is worth telling beside what went wrong, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// A folder that cannot be read.
    Folder(usize),
    /// A folder whose mails were dealt new UIDs.
    Numbering(usize),
    /// A folder whose mails cannot be marked or moved.
    Marking(usize),
    /// IDLE does not work.
    Idle,
    /// The account's tokens run out.
    Tokens,
}

/// How reading goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub state: PullState,
    pub heard_at: Option<Timestamp>,
    /// What went wrong last.
    pub trouble: String,
    pub notices: BTreeMap<About, String>,
    /// UIDs that are known of and not yet read, by folder.
    pub behind: BTreeMap<usize, u64>,
}

impl Status {
    /// The report.
    pub(super) fn report(&self, folders: &[Folder], place: &Place) -> PullReport {
        let words = Some(&self.trouble).filter(|trouble| !trouble.is_empty()).into_iter().chain(self.notices.values());
        let folders = folders.iter().enumerate().filter(|(index, _)| !self.notices.contains_key(&About::Folder(*index)));
        let folders = folders.map(|(index, folder)| {
            let read = place.folders.get(&*folder.name);
            FolderReport {
                name: folder.name.to_string(),
                behind: self.behind.get(&index).copied().unwrap_or(0),
                quarantined: read.map_or(0, |read| read.quarantined),
                backfill: read.and_then(|read| read.past.first()).map(|past| (past.read, past.of.max(past.read))),
            }
        });
        PullReport {
            state: self.state,
            words: words.map(String::as_str).collect::<Vec<_>>().join("; "),
            heard_at: self.heard_at,
            folders: folders.collect(),
        }
    }
}
