//! The place a mailbox was read to: what is kept as the source's cursor, in the transaction of the mails it covers.
//!
//! JSON, with a version; unknown keys of the same version are refused, so that an older program does not read on from a place it does
//! not understand. A folder:
//!
//! | key | what |
//! |---|---|
//! | `uid_validity` | the numbering its UIDs belong to |
//! | `dealt` | how often UIDs were dealt anew under that same number, which no server should do |
//! | `last` | every UID up to this one is read, passed over with a trace, or belongs to `past` |
//! | `floor` | what the server got before is not asked for: the first reading began here |
//! | `newest` | when the server got the newest mail that was read |
//! | `anchor` | the last mail read, as the server described it: by it a mailbox put back from a copy is noticed |
//! | `careful` | UIDs that are read one by one, because reading them together failed |
//! | `past` | stretches of older mails that are still to be read: a backfill, a numbering that changed |
//! | `todo` | UIDs of mails that are committed and not yet marked or moved |
//! | `quarantined` | how many mails were passed over |

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use leadgate_core::submission::Cursor;
use serde::{Deserialize, Serialize};

use crate::imap::{FolderState, Head};

/// The version of the JSON.
const VERSION: u32 = 1;
/// After a numbering changed, mails are looked at from this long before the newest that was read.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);
/// UIDs that are remembered as not yet marked, in ranges.
const MOST_TODO: usize = 2_000;

/// Where a mailbox was read to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    version: u32,
    #[serde(default)]
    pub(super) folders: BTreeMap<String, FolderPlace>,
}

/// Where a folder was read to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FolderPlace {
    pub(super) uid_validity: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) dealt: u32,
    pub(super) last: u32,
    pub(super) floor: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) anchor: Option<Anchor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) careful: Option<Careful>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) past: Vec<Past>,
    #[serde(default, skip_serializing_if = "Todo::is_empty")]
    pub(super) todo: Todo,
    #[serde(default)]
    pub(super) quarantined: u64,
}

/// A mail as the server described it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anchor {
    pub(super) uid: u32,
    pub(super) size: u32,
    pub(super) at: Option<Timestamp>,
}

/// UIDs up to `until` are read one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Careful {
    pub(super) until: u32,
    /// The one that is being tried.
    pub(super) uid: u32,
    /// How often it was begun.
    pub(super) times: u32,
}

/// A stretch of older mails: UIDs after `last` up to `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Past {
    /// Those the server got on this day or later.
    pub(super) since: Date,
    pub(super) last: u32,
    pub(super) until: u32,
    /// A backfill. If not, the numbering changed: what is not known is new.
    pub(super) historic: bool,
    #[serde(default)]
    pub(super) read: u64,
    #[serde(default)]
    pub(super) of: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) careful: Option<Careful>,
}

/// UIDs of mails that are to be marked or moved, as ranges in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Todo {
    uids: Vec<(u32, u32)>,
    /// How often that failed.
    #[serde(default)]
    pub(super) times: u32,
}

/// Which UIDs of a folder are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// What comes.
    New,
    /// The first stretch of older mails.
    Past,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a place cannot be read on from.
#[derive(Debug, thiserror::Error)]
#[error(
    "the place this mailbox was read to cannot be understood ({0}): it was written by another version of the gateway. Run that \
     version, or a newer one"
)]
pub(super) struct Unknown(String);

impl Default for Place {
    fn default() -> Self {
        Self { version: VERSION, folders: BTreeMap::new() }
    }
}

impl Place {
    /// Reads a kept place; none is the beginning.
    pub(super) fn read(cursor: Option<Cursor>) -> Result<Self, Unknown> {
        let Some(Cursor(json)) = cursor else { return Ok(Self::default()) };
        let version = json.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(VERSION)) {
            return Err(Unknown(format!("version {}", version.map_or_else(|| "none".to_owned(), |version| version.to_string()))));
        }
        serde_json::from_value(json).map_err(|error| Unknown(error.to_string()))
    }

    /// As it is kept.
    pub(super) fn cursor(&self) -> Cursor {
        // Numbers, texts and lists: there is nothing in it that JSON cannot hold.
        Cursor(serde_json::to_value(self).unwrap_or_default())
    }
}

impl FolderPlace {
    /// A folder that is read from now on.
    pub(super) fn begin(state: &FolderState, now: Timestamp) -> Self {
        Self {
            uid_validity: state.uid_validity,
            dealt: 0,
            last: state.uid_next.saturating_sub(1),
            floor: now,
            newest: None,
            anchor: None,
            careful: None,
            past: Vec::new(),
            todo: Todo::default(),
            quarantined: 0,
        }
    }

    /// Older mails are to be read, too. `false`: they are being read already.
    pub(super) fn backfill(&mut self, since: Date) -> bool {
        self.floor = self.floor.min(midnight(since));
        if let Some(under_way) = self.past.iter_mut().find(|past| past.historic) {
            if under_way.since <= since {
                return false;
            }
            // What was read is known again by its keys.
            *under_way = Past { since, until: under_way.until, ..historic() };
            return true;
        }
        self.past.push(Past { since, until: self.last, ..historic() });
        true
    }

    /// The server deals UIDs anew: what it holds since shortly before the newest mail is read again, and known again by its keys.
    pub(super) fn renumber(&mut self, state: &FolderState) {
        self.dealt = if self.uid_validity == state.uid_validity { self.dealt.saturating_add(1) } else { 0 };
        self.uid_validity = state.uid_validity;
        let from = self.newest.map_or(self.floor, |newest| newest - LOOK_BACK).max(self.floor);
        // SEARCH SINCE goes by the server's own days.
        let mut since = day(from).saturating_sub(1.day());
        let until = state.uid_next.saturating_sub(1);
        // One that is under way has not seen everything yet.
        since = self.past.iter().filter(|past| !past.historic).map(|past| past.since).fold(since, Date::min);
        self.past.retain(|past| past.historic);
        for past in &mut self.past {
            *past = Past { since: past.since, until, ..historic() };
        }
        self.past.insert(0, Past { since, until, historic: false, ..historic() });
        (self.last, self.anchor, self.careful, self.todo) = (until, None, None, Todo::default());
    }

    /// A line is read up to `uid`, so many mails of it.
    pub(super) fn advance(&mut self, line: Line, uid: u32, mails: u64) {
        let careful = match line {
            Line::New => {
                self.last = self.last.max(uid);
                &mut self.careful
            }
            Line::Past => {
                let Some(past) = self.past.first_mut() else { return };
                past.last = past.last.max(uid);
                past.read += mails;
                &mut past.careful
            }
        };
        careful.take_if(|careful| uid >= careful.until);
    }

    /// The stretch that is being read is read.
    pub(super) fn past_done(&mut self) -> Option<Past> {
        (!self.past.is_empty()).then(|| self.past.remove(0))
    }

    /// How carefully a line is read.
    pub(super) fn careful(&mut self, line: Line) -> Option<&mut Option<Careful>> {
        match line {
            Line::New => Some(&mut self.careful),
            Line::Past => self.past.first_mut().map(|past| &mut past.careful),
        }
    }

    /// A mail was read.
    pub(super) fn saw(&mut self, line: Line, head: &Head) {
        self.newest = self.newest.max(head.at);
        if line == Line::New {
            self.anchor = Some(Anchor { uid: head.uid, size: head.size, at: head.at });
        }
    }
}

fn historic() -> Past {
    Past { since: Date::ZERO, last: 0, until: 0, historic: true, read: 0, of: 0, careful: None }
}

impl Todo {
    pub(super) fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }

    /// A mail is to be marked. So many at once that the list is full are more than any server is late: the oldest go.
    pub(super) fn add(&mut self, uid: u32) {
        match self.uids.last_mut() {
            Some((_, last)) if *last == uid.saturating_sub(1) && uid > 0 => *last = uid,
            _ => self.uids.push((uid, uid)),
        }
        if self.uids.len() > MOST_TODO {
            self.uids.remove(0);
        }
    }

    /// At most so many of them.
    pub(super) fn some(&self, most: usize) -> Vec<u32> {
        self.uids.iter().flat_map(|(from, to)| *from..=*to).take(most).collect()
    }

    /// The first so many are done.
    pub(super) fn done(&mut self, mut count: usize) {
        while count > 0 && !self.uids.is_empty() {
            let (from, to) = self.uids[0];
            let here = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).saturating_add(1);
            if here <= count {
                self.uids.remove(0);
                count -= here;
            } else {
                self.uids[0].0 = from.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                count = 0;
            }
        }
        self.times = 0;
    }
}

/// The day a moment lies in, by UTC.
pub(super) fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// When a day begins, by UTC.
pub(super) fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(uid_validity: u32, uid_next: u32) -> FolderState {
        FolderState { uid_validity, uid_next, exists: 0, keywords: true }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn begun() -> FolderPlace {
        FolderPlace::begin(&state(7, 101), at("2026-11-20T10:00:00Z"))
    }

    #[test]
    fn what_was_kept_is_read_as_it_was() {
        let mut place = Place::default();
        let mut folder = begun();
        folder.backfill(date("2026-01-01"));
        folder.careful = Some(Careful { until: 120, uid: 111, times: 2 });
        folder.todo.add(5);
        folder.saw(Line::New, &Head { uid: 101, size: 10, at: Some(at("2026-11-20T11:00:00Z")) });
        place.folders.insert("Заявки".to_owned(), folder);
        assert_eq!(Place::read(Some(place.cursor())).unwrap(), place);
        assert_eq!(Place::read(None).unwrap(), Place::default());
    }

    #[test]
    fn a_place_of_another_version_is_refused() {
        for json in [serde_json::json!({"version": 2}), serde_json::json!({}), serde_json::json!({"version": 1, "new": 1})] {
            let error = Place::read(Some(Cursor(json))).unwrap_err().to_string();
            assert!(error.contains("another version of the gateway"), "{error}");
        }
    }

    #[test]
    fn a_backfill_covers_what_a_later_one_asks() {
        let mut folder = begun();
        assert!(folder.backfill(date("2026-05-01")));
        assert_eq!(folder.floor, at("2026-05-01T00:00:00Z"));
        folder.advance(Line::Past, 40, 40);
        assert!(!folder.backfill(date("2026-06-01")), "that is under way");
        assert_eq!(folder.past[0].last, 40);
        assert!(folder.backfill(date("2026-01-01")));
        assert_eq!((folder.past.len(), folder.past[0].last, folder.past[0].until), (1, 0, 100));
    }

    #[test]
    fn a_new_numbering_is_looked_through_from_before_the_newest_mail() {
        let mut folder = begun();
        folder.floor = at("2026-01-01T00:00:00Z");
        folder.newest = Some(at("2026-11-20T10:00:00Z"));
        folder.backfill(date("2026-02-01"));
        folder.advance(Line::Past, 40, 40);
        folder.renumber(&state(8, 51));
        assert_eq!((folder.uid_validity, folder.dealt, folder.last), (8, 0, 50));
        let told: Vec<_> = folder.past.iter().map(|past| (past.since, past.last, past.until, past.historic)).collect();
        assert_eq!(told, [(date("2026-11-17"), 0, 50, false), (date("2026-02-01"), 0, 50, true)]);
        // Again, before all that was read: nothing gets lost between.
        folder.newest = Some(at("2026-11-24T10:00:00Z"));
        folder.renumber(&state(8, 21));
        assert_eq!((folder.dealt, folder.past[0].since, folder.past[0].until), (1, date("2026-11-17"), 20));
        assert_eq!(folder.past.len(), 2);
    }

    #[test]
    fn a_new_numbering_of_a_folder_nothing_was_read_of_is_looked_through_from_its_beginning() {
        let mut folder = begun();
        folder.renumber(&state(8, 51));
        assert_eq!(folder.past[0].since, date("2026-11-19"));
    }

    #[test]
    fn reading_on_ends_the_careful_stretch() {
        let mut folder = begun();
        folder.careful = Some(Careful { until: 105, uid: 103, times: 1 });
        folder.advance(Line::New, 104, 1);
        assert!(folder.careful.is_some());
        folder.advance(Line::New, 105, 1);
        assert_eq!((folder.careful, folder.last), (None, 105));
        folder.advance(Line::New, 90, 1);
        assert_eq!(folder.last, 105, "a place never goes back");
    }

    #[test]
    fn what_is_to_be_done_is_a_short_list() {
        let mut todo = Todo::default();
        for uid in [1, 2, 3, 7, 9, 10] {
            todo.add(uid);
        }
        assert_eq!(todo.uids, [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(todo.some(4), [1, 2, 3, 7]);
        todo.done(2);
        assert_eq!(todo.some(10), [3, 7, 9, 10]);
        todo.done(10);
        assert!(todo.is_empty());
        for uid in (0..10_000).step_by(2) {
            todo.add(uid);
        }
        assert_eq!(todo.uids.len(), MOST_TODO);
        assert_eq!(todo.some(1), [6_000]);
    }
}
