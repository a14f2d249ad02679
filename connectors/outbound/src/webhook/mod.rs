//! Signed webhooks: every event that is asked for, to whoever asks for it.
//!
//! A body is the event as [`leadgate_core::onward::Envelope`] says it, or what a template makes of it for a system that wants
//! another. With a secret it is signed by Standard Webhooks (<https://www.standardwebhooks.com>). What an answer means for what
//! is owed, `answer` says.

mod answer;
mod config;
mod deliver;
mod escape;
mod presets;
mod sample;
mod signature;
mod template;
#[cfg(test)]
mod tests;
mod variables;

pub use config::{Around, EXAMPLE, read};
pub use deliver::{Hook, Webhook};
pub use presets::{Preset, preset, presets};
pub use sample::sample;
