//! The connectors for telephony: what PBXs, cloud telephony and call tracking tell of calls.
//!
//! - `provider`: what a provider has to say for itself: how it proves who it is, what an event of it means, what it wants to hear.
//! - `line`: the push source around a provider: bodies, keys, what is kept, answers.
//! - `party`: who takes part in a call: numbers, extensions, hidden callers.
//! - `times`: the ways to write a time.
//! - `settings`: the keys that every kind here has.
//!
//! Everything here is pure: no clock, no network. What events of a call are joined to is decided in the core.

mod asterisk;
mod basic;
pub mod call_webhook;
mod common;
mod cxml;
mod forward;
mod freeswitch;
mod itoolabs;
mod line;
mod mango;
mod onlinepbx;
mod party;
mod plivo;
mod provider;
mod settings;
mod signed;
mod sipuni;
mod telnyx;
mod times;
mod twilio;
mod vonage;
mod zadarma;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod trials;

use leadgate_core::ports::SourceKind;

/// The kinds of source in this crate.
pub const KINDS: &[SourceKind] = &[
    asterisk::KIND,
    call_webhook::KIND,
    freeswitch::KIND,
    itoolabs::KIND,
    mango::KIND,
    onlinepbx::KIND,
    plivo::KIND,
    sipuni::KIND,
    telnyx::KIND,
    twilio::KIND,
    vonage::KIND,
    zadarma::KIND,
];
