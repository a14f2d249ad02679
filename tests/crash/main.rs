//! What a crash, a failing disk and a farewell may cost: nothing that was acknowledged, and nothing twice.

mod drain;
mod flaky;
mod kill;
mod senders;
