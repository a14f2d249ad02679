//! Whether a source that sends nothing is only having a quiet hour.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// So many expected and none come: with independent senders (Poisson) the chance of that is e^-5, less than 1 %.
pub const SILENT_AT: f64 = 5.0;

/// A form's own delivery and its notification by mail come within this time of each other; then it is missed.
pub const TWINS_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// Missed deliveries are counted for so long.
pub const MISSED_FOR: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Hours in a week: what comes differs by hour and by day.
const WEEK: i64 = 168;
/// Weeks that are looked back upon.
const WEEKS: i64 = 4;
/// Counts of hours are of use for so long.
pub const HOURS_KEPT: SignedDuration = SignedDuration::from_hours(WEEK * (WEEKS + 1));

const HOUR_MICROS: i64 = 3_600_000_000;

/// Awaited deliveries from before this are missed.
pub fn missed_before(now: Timestamp) -> Timestamp {
    forgotten_before(now, TWINS_WITHIN)
}

/// What was kept for so long is of no use any more.
pub fn forgotten_before(now: Timestamp, after: SignedDuration) -> Timestamp {
    now.saturating_sub(after).unwrap_or(Timestamp::MIN)
}

/// How much a source usually brings, by the same hours of the last four weeks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usual {
    /// In this hour of the week.
    pub this_hour: f64,
    /// Between the time it was last heard and now.
    pub since_heard: f64,
}

impl Usual {
    /// Whether so much is missing that it is no accident.
    pub fn is_silent(&self) -> bool {
        self.since_heard >= SILENT_AT
    }
}

/// The hour of a time, counted from 1970.
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(HOUR_MICROS)
}

/// How much usually comes. `counts`: hours (see [`hour_of`]) and what came in each, in order; hours without anything may be
/// missing. `None`: the source is not a week old, or was never heard.
pub fn usual(counts: &[(i64, u64)], heard: Option<Timestamp>, now: Timestamp) -> Option<Usual> {
    let (heard, first) = (heard?, counts.first()?.0);
    let this = hour_of(now);
    if this - first < WEEK {
        return None;
    }
    let mut since_heard = 0.0;
    // What is older than the counts tells nothing more.
    for hour in hour_of(heard).max(this - WEEK * WEEKS)..=this {
        let begin = (hour * HOUR_MICROS).max(heard.as_microsecond());
        let end = ((hour + 1) * HOUR_MICROS).min(now.as_microsecond());
        #[expect(clippy::cast_precision_loss, reason = "less than an hour in microseconds")]
        let share = (end - begin).max(0) as f64 / HOUR_MICROS as f64;
        since_heard += share * average(counts, first, hour);
    }
    Some(Usual { this_hour: average(counts, first, this), since_heard })
}

/// What came in the same hour of the weeks before, on average over those weeks in which there was the source.
fn average(counts: &[(i64, u64)], first: i64, hour: i64) -> f64 {
    let weeks = ((hour - first) / WEEK).clamp(0, WEEKS);
    let known = |week: i64| counts.binary_search_by_key(&(hour - week * WEEK), |count| count.0).map_or(0, |at| counts[at].1);
    let came: u64 = (1..=weeks).map(known).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of deliveries in an hour")]
    let average = if weeks == 0 { 0.0 } else { came as f64 / weeks as f64 };
    average
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600 + minute * 60).unwrap()
    }

    /// Twelve an hour at hours 9 to 17 of each day, for so many weeks.
    fn office(weeks: i64) -> Vec<(i64, u64)> {
        (0..weeks * WEEK).filter(|hour| (9..18).contains(&(hour % 24))).map(|hour| (hour, 12)).collect()
    }

    /// Of so many tenths: in this hour, and since it was heard.
    fn tenths(counts: &[(i64, u64)], heard: Timestamp, now: Timestamp) -> (String, String) {
        let usual = usual(counts, Some(heard), now).unwrap();
        (format!("{:.1}", usual.this_hour), format!("{:.1}", usual.since_heard))
    }

    fn is_silent(counts: &[(i64, u64)], heard: Timestamp, now: Timestamp) -> bool {
        usual(counts, Some(heard), now).unwrap().is_silent()
    }

    #[test]
    fn a_quiet_night_is_no_silence_and_a_quiet_morning_is() {
        let counts = office(4);
        let monday = 4 * WEEK;
        let evening = at(monday - 6, 0);
        assert_eq!(tenths(&counts, evening, at(monday + 8, 59)), ("0.0".into(), "0.0".into()));
        assert_eq!(tenths(&counts, evening, at(monday + 9, 24)), ("12.0".into(), "4.8".into()));
        assert!(!is_silent(&counts, evening, at(monday + 9, 24)));
        assert!(is_silent(&counts, evening, at(monday + 9, 26)));
        assert!(!is_silent(&counts, at(monday + 9, 20), at(monday + 9, 40)), "it was heard meanwhile");
    }

    #[test]
    fn what_is_new_is_not_judged_and_weeks_are_averaged() {
        assert_eq!(usual(&office(1), Some(at(0, 0)), at(WEEK - 1, 0)), None);
        assert_eq!(usual(&[], Some(at(0, 0)), at(WEEK * 9, 0)), None);
        assert_eq!(usual(&office(1), None, at(WEEK + 1, 0)), None);
        let one = tenths(&office(1), at(WEEK + 9, 0), at(WEEK + 10, 30));
        assert_eq!(one, ("12.0".into(), "18.0".into()), "a week is enough");
        let mut counts = office(4);
        counts.retain(|(hour, _)| hour / WEEK != 2);
        let gone = tenths(&counts, at(4 * WEEK + 9, 0), at(4 * WEEK + 10, 0));
        assert_eq!(gone.1, "9.0", "a week of holidays counts as a week");
    }

    #[test]
    fn what_was_silent_for_ages_takes_no_ages_to_judge() {
        let long = tenths(&office(4), at(0, 0), at(WEEK * 5000, 0));
        assert_eq!(long, ("0.0".into(), "0.0".into()), "nobody expects it any more");
    }
}
