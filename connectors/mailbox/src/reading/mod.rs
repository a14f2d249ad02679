//! A mail to a draft: what it is, who the customer is, what they wrote. Pure.

mod addresses;
mod authenticity;
mod author;
mod bounce;
mod draft;
mod form;
mod forwarded;
mod found;
mod html;
mod language;
mod lines;
mod notification;
mod quote;
mod signature;
mod subject;
#[cfg(test)]
mod tests;
mod thread;
mod verdict;

pub use authenticity::authenticity;
pub use bounce::failures;
pub use draft::read;
pub use forwarded::forwarded;
pub use notification::notification;
pub use quote::{cut, cut_mail};
pub use thread::{known_as, refers_to};
pub use verdict::judge;

use leadgate_core::submission::{Draft, MailClass, Purpose, Signal};

/// What a mail is, and apart from that, whether a machine may answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is.
    pub class: MailClass,
    /// Whether a machine may answer.
    pub may_answer: bool,
    /// Why, in words.
    pub why: Vec<String>,
}

/// What the trusted host says of where a mail came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authenticity {
    /// From failed DMARC.
    pub spoofed: bool,
    /// From passed DMARC (or an aligned DKIM or SPF).
    pub passed: bool,
    /// The host's spam filter speaks against it, in words.
    pub spam: Option<String>,
}

/// A text, cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// What its author wrote; never empty where the whole is not.
    pub new: String,
    /// Their signature.
    pub signature: String,
    /// What they quoted.
    pub quoted: String,
}

/// What a form's notification says, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// Labels and values in order.
    pub pairs: Vec<(String, String)>,
    /// What recognised it, in words.
    pub by: String,
}

/// A mail forwarded by a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Who wrote the mail inside.
    pub from: crate::mime::Address,
    /// Its subject.
    pub subject: Option<String>,
    /// Its text.
    pub text: String,
    /// What the person who forwarded it wrote above.
    pub above: String,
}

/// Where a mail was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Where<'a> {
    /// The folder, as people see it.
    pub folder: &'a str,
    /// It is a folder of what managers sent.
    pub sent: bool,
    /// The size of the whole mail, if only its beginning was read.
    pub truncated: Option<u64>,
}

/// Everything the plan needs to know of a mail.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What the customer said. `files` is filled in by the watcher.
    pub draft: Draft,
    /// A lead or a note.
    pub purpose: Purpose,
    /// What speaks against it.
    pub signals: Vec<Signal>,
}
