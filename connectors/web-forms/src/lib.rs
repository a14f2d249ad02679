//! Connectors for forms: a site's own HTML form, Tilda, the form plugins of WordPress, and anything
//! that can post.

mod config;
pub mod html_form;
pub mod tilda;
pub mod webhook;
pub mod wordpress;

use leadgate_core::ports::SourceKind;
use leadgate_wire::draft;

/// The kinds of source in this crate.
pub const KINDS: &[SourceKind] = &[html_form::KIND, tilda::KIND, wordpress::KIND, webhook::KIND];
