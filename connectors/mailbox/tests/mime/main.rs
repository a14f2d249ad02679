//! Bytes to a mail: mails of our own, mails of other projects where they are at hand, and whatever bytes there can be.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod fixtures;
mod hostile;
mod kept;
mod samples;
mod support;
