//! What a crash, a failing disk, a lost database and a farewell may cost: nothing that was acknowledged, and nothing twice.
//!
//! `LEADGATE_LONG=1` kills 500 times instead of 30; `LEADGATE_SEED` repeats a run.

#![expect(clippy::print_stdout, reason = "a run tells its seed, and a test what it could not try")]

mod drain;
mod flaky;
mod kill;
mod onward;
mod outage;
mod restart;
mod senders;
mod several;
mod telegram;
