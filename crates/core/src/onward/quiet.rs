//! Hours in which a person is not disturbed.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// From one time of day to another, in somebody's time zone; over midnight if it ends before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Where they are.
    pub zone: TimeZone,
    /// When it begins.
    pub from: Time,
    /// When it ends: the first moment that is not quiet.
    pub to: Time,
}

impl Quiet {
    /// The first moment from this one on at which they may be disturbed. A time that a change of clocks skips is the moment of
    /// the change; of one that comes twice it is the first.
    pub fn free_at(&self, at: Timestamp) -> Timestamp {
        let now = at.to_zoned(self.zone.clone());
        let (time, today) = (now.time(), now.date());
        let over_midnight = self.to <= self.from;
        let quiet = if over_midnight { time >= self.from || time < self.to } else { time >= self.from && time < self.to };
        if !quiet || self.from == self.to {
            return at;
        }
        let day = if over_midnight && time >= self.from { today.checked_add(1.day()) } else { Ok(today) };
        let free = day.and_then(|day| day.to_datetime(self.to).to_zoned(self.zone.clone()));
        // Only at the end of time is there no such moment.
        free.map_or(at, |free| free.timestamp().max(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(zone: &str, from: &str, to: &str, at: &str) -> String {
        let quiet = Quiet { zone: TimeZone::get(zone).unwrap(), from: from.parse().unwrap(), to: to.parse().unwrap() };
        quiet.free_at(at.parse().unwrap()).to_string()
    }

    #[test]
    fn nights_and_naps() {
        let moscow = |at| free("Europe/Moscow", "22:00", "08:00", at);
        assert_eq!(moscow("2026-11-21T18:59:59Z"), "2026-11-21T18:59:59Z");
        assert_eq!(moscow("2026-11-21T19:00:00Z"), "2026-11-22T05:00:00Z");
        assert_eq!(moscow("2026-11-22T04:59:59Z"), "2026-11-22T05:00:00Z");
        assert_eq!(moscow("2026-11-22T05:00:00Z"), "2026-11-22T05:00:00Z");
        let nap = |at| free("Europe/Moscow", "13:00", "14:00", at);
        assert_eq!(nap("2026-11-21T10:30:00Z"), "2026-11-21T11:00:00Z");
        assert_eq!(nap("2026-11-21T11:00:00Z"), "2026-11-21T11:00:00Z");
        assert_eq!(free("UTC", "08:00", "08:00", "2026-11-21T08:00:00Z"), "2026-11-21T08:00:00Z", "no time at all");
    }

    #[test]
    fn clocks_change_at_night() {
        // Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
        assert_eq!(free("Europe/Berlin", "23:00", "07:00", "2026-03-28T23:00:00Z"), "2026-03-29T05:00:00Z");
        assert_eq!(free("Europe/Berlin", "23:00", "07:00", "2026-10-24T22:00:00Z"), "2026-10-25T06:00:00Z");
        assert_eq!(free("Europe/Berlin", "23:00", "02:30", "2026-03-28T23:00:00Z"), "2026-03-29T01:30:00Z", "skipped");
        assert_eq!(free("Europe/Berlin", "23:00", "02:30", "2026-10-24T22:00:00Z"), "2026-10-25T00:30:00Z", "twice");
    }
}
