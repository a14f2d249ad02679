//! What follows outward: deliveries that are owed, what is due at a time, and what is told when something is wrong.

pub mod alarms;
mod breaker;
mod calls;
pub mod canary;
mod desk;
pub mod files;
pub mod links;
mod mailing;
pub mod managers;
mod recordings;
mod target;
mod timers;
mod worker;

pub use self::alarms::{Watch, look};
pub use self::desk::{Desk, TargetView};
pub use self::links::Signer;
pub use self::target::Target;
pub use self::timers::{Digest, run as run_timers};
pub use self::worker::run;
