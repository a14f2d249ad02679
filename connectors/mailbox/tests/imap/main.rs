//! A session against servers that do what a test says, good and bad.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod connecting;
mod folders;
mod idle;
mod login;
mod oauth;
mod settings;
mod tls;
