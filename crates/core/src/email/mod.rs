//! E-mail addresses: the one to write to, the key that identifies a mailbox, and what is known about both.
//!
//! An address is kept as typed for writing to it, and never corrected silently. The key follows what providers document
//! about their own addresses and nothing else; what is only said about them goes into the `loose` key, which never
//! identifies.

mod flags;
mod lists;
mod provider;
mod reading;
mod suggest;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use flags::is_deaf;
pub use reading::read;

/// Version of the canonical form; stored beside values so that a change of rules can be re-run.
pub const VERSION: u16 = 1;

/// One address, as read from a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address to write to: as typed, without blanks and invisible characters.
    pub address: String,
    /// The canonical form, the value of the identity: Unicode NFKC and lower case, the domain in its ASCII form, and the
    /// rules of the provider where they are documented.
    pub key: String,
    /// For finding candidates only: without dots, hyphens, underscores and tags, whoever the provider is.
    pub loose: String,
    /// The domain as typed, in lower case and its ASCII form (`xn--…`).
    pub domain: String,
    /// What the address says about itself.
    pub flags: EmailFlags,
}

impl Email {
    /// "Did you mean": the address with the well-known domain that was probably meant, if there is exactly one within a
    /// single slip of the hand. Only ever shown; the address itself is not touched.
    pub fn suggestion(&self) -> Option<String> {
        let meant = suggest::domain(&self.domain)?;
        let local = self.address.rsplit_once('@')?.0;
        Some(format!("{local}@{meant}"))
    }
}

/// What an address says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each stored and shown by its own name")]
#[serde(default)]
pub struct EmailFlags {
    /// A function of a company (`info@`, `sales@`, `zakaz@`): weak for a person.
    pub role: bool,
    /// Typed to get past a form (`test@test.com`, `…@example.org`): identifies nobody.
    pub placeholder: bool,
    /// A mailbox that is thrown away after use.
    pub disposable: bool,
    /// A provider where anybody can have a mailbox; the domain says nothing about a company.
    pub free_mail: bool,
    /// A sender that reads no answers (`noreply@`).
    pub no_reply: bool,
    /// The last label of the domain is not in the public suffix list.
    pub unknown_tld: bool,
}

/// Why a field gave no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailProblem {
    /// Nothing but blanks.
    Empty,
    /// Longer than SMTP allows, or longer than any field of addresses.
    TooLong,
    /// No `@`.
    NoAt,
    /// The part after the `@` is not the name of a mail domain.
    Domain,
    /// The part before the `@` is not a person's or a company's mailbox, such as a piece of a query string.
    Local,
    /// A number instead of a domain: `user@[192.0.2.1]`.
    IpLiteral,
    /// Control characters or header lines inside: an attempt to add recipients, never an address.
    Control,
}

impl EmailProblem {
    /// The name used in storage and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::NoAt => "no_at",
            Self::Domain => "domain",
            Self::Local => "local",
            Self::IpLiteral => "ip_literal",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for EmailProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the e-mail field is empty",
            Self::TooLong => "the e-mail address is too long",
            Self::NoAt => "there is no @ in the e-mail address",
            Self::Domain => "the part after the @ is not a mail domain",
            Self::Local => "the part before the @ is not a mailbox",
            Self::IpLiteral => "the e-mail address has a number instead of a domain",
            Self::Control => "there are line breaks or control characters in the e-mail address",
        })
    }
}

/// What a field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The addresses, in the order of the text, each key once.
    pub emails: Vec<Email>,
    /// Why there is no address; none if there is one.
    pub problem: Option<EmailProblem>,
}
