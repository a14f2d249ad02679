//! The connector for mailboxes: a watcher over IMAP, and what a mail says.
//!
//! - [`settings`]: what a section of the configuration says.
//! - [`imap`]: a connection to a server, strict where the protocol's library is lenient.
//! - [`watch`]: reads folders, keeps the place, never reads a mail twice.
//! - [`mime`]: bytes to a [`mime::Mail`]. Total: whatever came becomes something.
//! - [`reading`]: a mail to a draft: what it is, who the customer is, what they wrote.

pub mod imap;
pub mod mime;
pub mod reading;
pub mod settings;
pub mod watch;

use leadgate_core::ports::SourceKind;

/// The kinds of source in this crate.
pub const KINDS: &[SourceKind] = &[settings::KIND];
