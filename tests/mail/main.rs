//! Mailboxes on a real mail server: Dovecot, whose processes are killed, frozen and started anew while the gateway reads.
//!
//! `LEADGATE_MAIL_SAMPLES` names a folder of mails to read beside those that the tests write.

#![expect(clippy::print_stdout, reason = "a run tells its seed, and what it measured")]

mod answered;
mod kills;
mod samples;
mod second_opinion;
mod server;
mod trouble;
mod watched;
mod watching;
