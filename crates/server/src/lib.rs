//! The gateway: configuration, HTTP, intake, and the commands people type.
//!
//! The binary is a shell around [`cli::run`]; tests build and run the gateway through the same parts.

mod acme;
mod answers;
pub mod app;
pub mod attachments;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod copying;
pub mod erasing;
#[cfg(test)]
mod events;
pub mod housekeeping;
pub mod http;
pub mod intake;
pub mod metrics;
pub mod nodes;
mod onward;
pub mod outbox;
pub mod outward;
pub mod print;
pub mod pulls;
pub mod replay;
pub mod secrets;
pub mod shutdown;
pub mod sources;
pub mod space;
pub mod stores;
pub mod systemd;
mod telegram;
pub mod tls;
