//! Time and randomness: the one place that reads the wall clock and draws random ids. Everything else is given a [`Clock`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::{EventId, SubmissionId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// Tells the time and makes ids.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Manual(Arc<Mutex<Manual>>),
}

struct Manual {
    now: Timestamp,
    random: StdRng,
}

impl Clock {
    /// The real time, and ids nobody can guess.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands still until it is moved, with ids that are the same in every run.
    pub fn manual(now: Timestamp, seed: u64) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new(Manual { now, random: StdRng::seed_from_u64(seed) }))))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => system_time(),
            Kind::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// Moves a manual clock; the system's clock moves by itself.
    pub fn advance(&self, by: SignedDuration) {
        if let Kind::Manual(manual) = &self.0 {
            let mut manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
            manual.now = manual.now.saturating_add(by).unwrap_or(manual.now);
        }
    }

    /// A `UUIDv7` of this moment.
    pub fn uuid(&self) -> Uuid {
        self.stamped().1
    }

    /// This moment and a `UUIDv7` of it.
    pub fn stamped(&self) -> (Timestamp, Uuid) {
        let mut random = [0_u8; 10];
        let now = match &self.0 {
            Kind::System => {
                rand::rng().fill_bytes(&mut random);
                system_time()
            }
            Kind::Manual(manual) => {
                let mut manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
                manual.random.fill_bytes(&mut random);
                manual.now
            }
        };
        // Before 1970 there is no UUIDv7: such a clock is wrong anyway, and an id is still an id.
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        (now, uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Bytes nobody can guess; of a manual clock the same in every run.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Kind::System => rand::rng().fill_bytes(bytes),
            Kind::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).random.fill_bytes(bytes),
        }
    }

    /// A new submission's id, and when it was received.
    pub fn submission(&self) -> (Timestamp, SubmissionId) {
        let (now, id) = self.stamped();
        (now, SubmissionId(id))
    }

    /// A new event's id.
    pub fn event(&self) -> EventId {
        EventId(self.uuid())
    }
}

/// In whole microseconds, as it is kept: what was written and read again is the same moment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_time() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System => "Clock(system)",
            Kind::Manual(_) => "Clock(manual)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_time_and_a_seed_repeats_them() {
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let (one, two) = (Clock::manual(at, 1), Clock::manual(at, 1));
        let (now, id) = one.stamped();
        assert_eq!((now, id), two.stamped());
        assert_eq!(id.get_version_num(), 7);
        assert_ne!(one.uuid(), id);
        one.advance(SignedDuration::from_secs(5));
        assert_eq!(one.now().as_second(), at.as_second() + 5);
        assert!(one.uuid() > id);
    }
}
