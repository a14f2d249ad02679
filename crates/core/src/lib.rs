//! Leadgate's domain and its decisions.
//!
//! This crate is pure: it knows no SQL, no HTTP server or client, no runtime, no vendor and no clock. Bytes become a
//! [`Submission`](submission::Submission) in a connector, a [`Prepared`](prepare::Prepared) before the transaction, and a
//! [`Plan`](plan::Plan) inside it; a store writes what the plan says. Everything else here is the vocabulary of that way.

pub mod attribution;
pub mod call;
pub mod carry;
pub mod change;
pub mod chat;
pub mod email;
pub mod ids;
pub mod keeping;
pub mod language;
pub mod liveness;
pub mod mail;
pub mod name;
pub mod onward;
pub mod page;
pub mod phone;
pub mod plan;
pub mod ports;
pub mod prepare;
pub mod receipt;
pub mod replay;
pub mod rules;
pub mod secret;
pub mod senders;
pub mod submission;
pub mod text;
pub mod version;
pub mod views;
