//! What Leadgate's connectors share.
//!
//! [`body`] turns whatever a sender posts into an ordered list of fields, by content rather than by what its header says;
//! [`mod@pointer`] names places in it, and [`mapper`] reads what a source declares from them; [`fields`] knows what forms call a name,
//! a phone or a consent; [`mod@draft`] makes a draft of them; [`redact`] overwrites secrets in what is kept; [`auth`] tells a source's own sender from others; [`keys`]
//! reads a source's config, [`mod@rules`] the keys that every kind has; [`client`] talks to a running gateway, [`guarded`] to services of
//! others, [`service`] to one that the owner names, [`peer`] to mail servers.

pub mod auth;
pub mod body;
mod cards;
mod charset;
pub mod client;
pub mod draft;
pub mod fields;
pub mod guarded;
pub mod json;
pub mod keys;
pub mod mapper;
mod pairs;
pub mod peer;
pub mod pointer;
pub mod redact;
mod repair;
pub mod rules;
pub mod service;
mod words;
