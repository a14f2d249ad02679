//! A mail to a draft: what it is, who the customer is, what they wrote. Pure.

mod addresses;
mod author;
mod form;
mod forwarded;
mod found;
mod notification;
mod subject;

use leadgate_core::submission::{Draft, Failure, MailClass, Purpose, Signal};

use crate::mime::Mail;
use crate::settings::Policy;

pub use forwarded::forwarded;
pub use notification::notification;

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

/// What it is.
pub fn judge(mail: &Mail, policy: &Policy) -> Verdict {
    let _ = (mail, policy);
    todo!()
}

/// Addresses that could not be reached, as a bounce tells.
pub fn failures(mail: &Mail) -> Vec<Failure> {
    let _ = mail;
    todo!()
}

/// What the trusted host says.
pub fn authenticity(mail: &Mail, policy: &Policy) -> Authenticity {
    let _ = (mail, policy);
    todo!()
}

/// Cuts quotes and signature off a plain text.
pub fn cut(text: &str) -> Cut {
    let _ = text;
    todo!()
}

/// Everything together.
pub fn read(mail: &Mail, at: Where<'_>, policy: &Policy) -> Reading {
    let _ = (mail, at, policy);
    todo!()
}
