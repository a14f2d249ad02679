//! When a target may be asked: not again at once after it failed, and only by one delivery until it takes something.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// So many failures in a row, and the target is left alone for a while.
const FAILURES: u32 = 3;
/// The first pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// The longest that a target may ask to be left alone.
const LONGEST_ASKED: Duration = Duration::from_hours(6);
/// A target that takes nothing for so long is told of.
const TOLD_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// How often a delivery that failed is tried again: after each of these, the last for ever after.
const AGAIN: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
];

/// How long to wait after a failed attempt, the first being number 1. `random`: any number; it moves the pause by a fifth, so that
/// what failed together does not come back together.
pub fn pause_after(attempt: i64, asked: Option<Duration>, random: u64) -> SignedDuration {
    let at = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX).min(AGAIN.len() - 1);
    let pause = jittered(AGAIN[at], random).max(asked.unwrap_or_default().min(LONGEST_ASKED));
    SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)
}

/// Between four and six fifths of it.
fn jittered(pause: Duration, random: u64) -> Duration {
    pause.mul_f64(0.8 + 0.4 * f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX))
}

/// The state of one target.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    failures: u32,
    pauses: u32,
    failing_since: Option<Timestamp>,
    paused_until: Option<Timestamp>,
    gone: bool,
    words: String,
}

impl Breaker {
    /// How many deliveries may be under way, of so many at most.
    pub fn allows(&self, most: usize, now: Timestamp) -> usize {
        if self.gone || self.paused_until.is_some_and(|until| now < until) {
            0
        } else if self.failures >= FAILURES {
            1
        } else {
            most
        }
    }

    /// It took something. Whether it was said to be broken is the alarm's to know.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It took nothing. `asked`: for how long it wants to be left alone.
    pub fn failed(&mut self, now: Timestamp, asked: Option<Duration>, words: &str, random: u64) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        words.clone_into(&mut self.words);
        let already = self.paused_until.is_some_and(|until| now < until);
        let asked = asked.map(|asked| asked.min(LONGEST_ASKED));
        let own = (self.failures >= FAILURES && !already).then(|| {
            let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(16)).min(LONGEST_PAUSE);
            self.pauses = self.pauses.saturating_add(1);
            jittered(pause, random)
        });
        if let Some(pause) = own.max(asked) {
            let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
            self.paused_until = self.paused_until.max(Some(until));
        }
    }

    /// It is not there any more: nothing is asked of it until somebody looks.
    pub fn gone(&mut self, now: Timestamp, words: &str) {
        self.gone = true;
        self.failing_since.get_or_insert(now);
        words.clone_into(&mut self.words);
    }

    /// Since when it takes nothing, and why, once that is worth telling.
    pub fn broken(&self, now: Timestamp) -> Option<(Timestamp, &str)> {
        let since = self.failing_since?;
        let told = self.gone || (self.failures >= FAILURES && now.duration_since(since) >= TOLD_AFTER);
        told.then_some((since, self.words.as_str()))
    }

    /// Whether nothing is known against it.
    pub fn is_well(&self) -> bool {
        self.failing_since.is_none()
    }

    /// Since when it takes nothing, and what it said last.
    pub fn trouble(&self) -> Option<(Timestamp, String)> {
        self.failing_since.map(|since| (since, self.words.clone()))
    }

    /// When it may be asked again, if it may not now and will by itself.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until && !self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    const MIDDLE: u64 = u64::MAX / 2;

    #[test]
    fn a_few_failures_are_nothing_and_then_one_at_a_time() {
        let mut breaker = Breaker::default();
        for second in 0..2 {
            breaker.failed(at(second), None, "500", MIDDLE);
            assert_eq!(breaker.allows(8, at(second)), 8);
        }
        // The rest of what was under way fails with it, and makes it no worse.
        for _ in 0..60 {
            breaker.failed(at(2), None, "500", MIDDLE);
        }
        assert_eq!((breaker.allows(8, at(2)), breaker.allows(8, at(8))), (0, 1));
        breaker.failed(at(8), None, "500", MIDDLE);
        assert_eq!((breaker.allows(8, at(17)), breaker.allows(8, at(19))), (0, 1), "twice as long");
        breaker.succeeded();
        assert_eq!(breaker.allows(8, at(19)), 8);
    }

    #[test]
    fn pauses_end_and_are_bounded() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for _ in 0..40 {
            breaker.failed(now, None, "no", u64::MAX);
            if let Some(until) = breaker.opens_at(now) {
                assert!(until.duration_since(now) <= SignedDuration::from_mins(6));
                now = until;
            }
        }
        breaker.failed(now, Some(Duration::from_hours(1000)), "429", 0);
        assert_eq!(breaker.opens_at(now).unwrap().duration_since(now), SignedDuration::from_hours(6));
    }

    #[test]
    fn it_is_told_of_after_a_minute_or_at_once_when_it_is_gone() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|second| breaker.failed(at(second), None, "no answer", MIDDLE));
        assert_eq!(breaker.broken(at(59)), None);
        assert_eq!(breaker.broken(at(60)), Some((at(0), "no answer")));
        let mut gone = Breaker::default();
        gone.gone(at(5), "410");
        assert_eq!((gone.broken(at(5)), gone.allows(8, at(1_000_000)), gone.opens_at(at(6))), (Some((at(5), "410")), 0, None));
    }

    #[test]
    fn one_that_asks_is_left_alone_at_the_first_time() {
        let mut breaker = Breaker::default();
        breaker.failed(at(0), Some(Duration::from_mins(2)), "429", MIDDLE);
        assert_eq!((breaker.allows(8, at(119)), breaker.allows(8, at(120))), (0, 8));
    }

    #[test]
    fn deliveries_are_tried_ever_more_seldom() {
        assert_eq!(pause_after(1, None, 0).as_secs(), 4);
        assert_eq!(pause_after(4, None, u64::MAX), SignedDuration::from_mins(12));
        assert_eq!(pause_after(i64::MAX, None, 0), SignedDuration::from_mins(96));
        assert_eq!(pause_after(1, Some(Duration::from_secs(90)), 0).as_secs(), 90);
    }
}
