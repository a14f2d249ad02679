//! The connector for Telegram bots: what people write to one, how its updates come, and how it speaks.
//!
//! - [`settings`]: what a section of the configuration says.
//! - [`update`]: an update's JSON to a submission, and to [`update::Said`] for whoever acts on it. Pure.
//! - [`polling`]: asks for updates; the place moves in the transaction of what was read.
//! - [`webhook`]: takes calls, and sees to it that they come.
//! - [`api`]: what the bot says and fetches, with errors a caller can tell apart.
//! - [`dialogue`]: what the bot says by itself. Pure.
//! - [`notice`]: a lead as a message with buttons. Pure.

pub mod api;
pub mod dialogue;
pub mod notice;
pub mod polling;
pub mod settings;
pub mod update;
pub mod webhook;

mod trial;

use leadgate_core::ports::SourceKind;

/// The kinds of source in this crate.
pub const KINDS: &[SourceKind] = &[settings::KIND];
