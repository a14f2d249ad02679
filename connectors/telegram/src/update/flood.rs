//! Somebody writes more than a person can: what comes beyond that is kept in one activity, and answered no more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Messages of a chat within [`WITHIN`] that are activities of their own.
const MOST: usize = 20;
/// How long a message counts.
const WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// Messages that are put into one activity; then another is begun.
const GATHERED: u32 = 200;
/// Chats that are remembered before those are forgotten that are quiet.
const CHATS: usize = 10_000;

/// What was heard lately, by chat.
#[derive(Debug, Default)]
pub(super) struct Flood {
    chats: Mutex<HashMap<i64, Lately>>,
}

#[derive(Debug, Default)]
struct Lately {
    times: VecDeque<Timestamp>,
    album: Option<String>,
    /// The first message that was too much, and how many have been gathered below it.
    over: Option<(i64, u32)>,
}

impl Flood {
    /// Counts a message. If it is one too many: the message under which it is gathered. An album counts once.
    pub(super) fn over(&self, chat: i64, message: i64, album: Option<&str>, now: Timestamp) -> Option<i64> {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= CHATS && !chats.contains_key(&chat) {
            chats.retain(|_, lately| lately.times.back().is_some_and(|last| is_near(*last, now)));
        }
        if chats.len() >= CHATS && !chats.contains_key(&chat) {
            // So many at once are no flood of one chat.
            return None;
        }
        let lately = chats.entry(chat).or_default();
        while lately.times.front().is_some_and(|first| !is_near(*first, now)) {
            lately.times.pop_front();
        }
        let goes_on = album.is_some() && lately.album.as_deref() == album;
        lately.album = album.map(str::to_owned);
        if !goes_on {
            lately.times.push_back(now);
        }
        if lately.times.len() <= MOST {
            lately.over = None;
            return None;
        }
        // Enough to know that it goes on.
        lately.times.truncate(MOST + 1);
        if let Some(last) = lately.times.back_mut() {
            *last = now;
        }
        let (first, count) = lately.over.filter(|(_, count)| *count < GATHERED).unwrap_or((message, 0));
        lately.over = Some((first, count + 1));
        Some(first)
    }
}

fn is_near(then: Timestamp, now: Timestamp) -> bool {
    now.duration_since(then).abs() < WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn the_twenty_first_within_ten_seconds_is_too_many() {
        let flood = Flood::default();
        for message in 1..=20 {
            assert_eq!(flood.over(7, message, None, at(message * 100)), None, "{message}");
        }
        assert_eq!(flood.over(7, 21, None, at(2_100)), Some(21));
        assert_eq!(flood.over(7, 22, None, at(2_200)), Some(21));
        assert_eq!(flood.over(8, 23, None, at(2_200)), None, "another chat is another");
        assert_eq!(flood.over(7, 24, None, at(13_000)), None, "after a while it is quiet again");
    }

    #[test]
    fn slow_writers_are_never_too_many() {
        let flood = Flood::default();
        assert!((0..200).all(|n| flood.over(7, n, None, at(n * 600)).is_none()));
    }

    #[test]
    fn an_album_counts_once() {
        let flood = Flood::default();
        let over = (0..100).filter_map(|n| flood.over(7, n, Some(if n < 50 { "a" } else { "b" }), at(n)));
        assert_eq!(over.count(), 0);
    }

    #[test]
    fn a_flood_without_end_begins_further_activities() {
        let flood = Flood::default();
        let firsts: std::collections::BTreeSet<i64> = (0..1_000).filter_map(|n| flood.over(7, n, None, at(n))).collect();
        assert_eq!(firsts.into_iter().collect::<Vec<_>>(), [20, 220, 420, 620, 820]);
        assert_eq!(flood.chats.lock().unwrap()[&7].times.len(), 21);
    }
}
