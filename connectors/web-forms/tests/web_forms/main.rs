//! The connectors of this crate, by what comes of a call and by their exact answers.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod captcha;
mod hostile;
mod html_form;
mod samples;
mod snippet;
mod support;
mod tilda;
mod webhook;
mod wordpress;
