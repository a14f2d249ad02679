//! A session against servers that do what a test says, good and bad.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod idle;
