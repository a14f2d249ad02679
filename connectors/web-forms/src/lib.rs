//! Connectors for forms: a site's own HTML form, Tilda, the form plugins of WordPress, and anything
//! that can post.

mod config;
mod draft;
pub mod html_form;
mod names;
pub mod tilda;
pub mod webhook;
pub mod wordpress;

use leadgate_core::ports::SourceKind;

/// The kinds of source in this crate.
pub const KINDS: &[SourceKind] = &[html_form::KIND, tilda::KIND, wordpress::KIND, webhook::KIND];
