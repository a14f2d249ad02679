//! Phones: from what people type to E.164, an extension, a kind and a confidence.
//!
//! The numbering plans come from `rlibphonenumber`, a port of Google's libphonenumber; this module is the layer that
//! no libphonenumber has: odd spaces and digits, several numbers in one field, trailing words, numbers without a plus,
//! trunk prefixes without a country, migrated plans, links and ids of messengers, spreadsheets' floats.
//!
//! It reads one field and decides nothing: whose number it is, and whether it may attach, is decided elsewhere from
//! [`PhoneKind`], [`Phone::confidence`] and [`Phone::unusable`].

mod clean;
mod country;
mod digits;
mod library;
mod link;
mod pattern;
mod plan;
mod reading;
mod resolve;
mod scan;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use country::{Country, UnknownCountry};
pub use library::panics;
pub use reading::read;

/// Version of the canonical form; stored beside values so that a change of rules can be re-run.
pub const VERSION: u16 = 1;

/// What a number is used for, by the numbering plan of its country.
///
/// Numbers of plans that do not tell mobile from fixed line (the US, Canada, Mexico and others) count as mobile: there
/// most numbers are, and they identify people as well as mobiles do elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    /// A mobile, or a number of a plan that does not tell mobiles apart.
    Mobile,
    /// A landline, often shared by a household or an office.
    FixedLine,
    /// Free for the caller, such as 8 800 in Russia.
    TollFree,
    /// The caller pays a part.
    SharedCost,
    /// The caller pays extra.
    Premium,
    /// One number of a company for all its places ("universal access number").
    Uan,
    /// Internet telephony.
    Voip,
    /// A pager.
    Pager,
    /// A number that follows a person from line to line.
    Personal,
    /// Access to a voice mailbox.
    Voicemail,
    /// The plan does not say.
    Unknown,
}

impl PhoneKind {
    /// The name used in storage, in the API and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::FixedLine => "fixed_line",
            Self::TollFree => "toll_free",
            Self::SharedCost => "shared_cost",
            Self::Premium => "premium",
            Self::Uan => "uan",
            Self::Voip => "voip",
            Self::Pager => "pager",
            Self::Personal => "personal",
            Self::Voicemail => "voicemail",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for PhoneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One valid number, as read from a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// ITU-T E.164 with a leading plus: `+79161234567`.
    pub e164: String,
    /// The digits to dial after the call is answered.
    pub extension: Option<String>,
    /// What the number is used for.
    pub kind: PhoneKind,
    /// How sure the country is. 3: typed with `+` or an international prefix, or read with an explicit country.
    /// 2: a national form read with a configured country, or a documented digits-only form. 1: a guess, never an
    /// identity.
    pub confidence: u8,
    /// The country of the plan; none for numbers of no country (`+800`, `+883`).
    pub country: Option<Country>,
    /// An odd pattern, such as a run of digits or a number reserved for films. It is shown, and still matches.
    pub looks_test: bool,
    /// The subscriber digits are all the same: nobody's number, never an identity.
    pub unusable: bool,
}

impl Phone {
    /// The value of the identity: `+79161234567`, or `+74951234567;ext=12`. The same number with another extension is
    /// another person.
    pub fn key(&self) -> String {
        match &self.extension {
            None => self.e164.clone(),
            Some(extension) => format!("{};ext={extension}", self.e164),
        }
    }

    /// A weaker form for finding candidates, never unique: without the extension, and without the mobile `9` that
    /// Argentine numbers have when called from abroad (`+54 9 11 …` and `+54 11 …` are one line).
    pub fn loose_key(&self) -> String {
        match self.e164.strip_prefix("+549") {
            Some(rest) if rest.len() == 10 => format!("+54{rest}"),
            _ => self.e164.clone(),
        }
    }

    /// The number as people of its country write it for foreigners: `+7 916 123-45-67`.
    pub fn international(&self) -> String {
        let number = library::international(&self.e164).unwrap_or_else(|| self.e164.clone());
        match &self.extension {
            None => number,
            Some(extension) => format!("{number} ext. {extension}"),
        }
    }
}

/// What is known about a field before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// The country that the sender named in a field of its own: gives confidence 3.
    pub explicit: Option<Country>,
    /// The default country of the source or of the gateway: gives confidence 2.
    pub configured: Option<Country>,
    /// The provider documents digits-only E.164 without the plus: gives confidence 2.
    pub provider_format: bool,
    /// The text is prose in which a number happens to stand: never confidence 3.
    pub free_text: bool,
}

impl Hints {
    /// The country in which national forms are read.
    fn home(self) -> Option<Country> {
        self.explicit.or(self.configured)
    }
}

/// Why a field gave no phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneProblem {
    /// Nothing but blanks.
    Empty,
    /// Longer than any field that holds phones.
    TooLong,
    /// No digits that could be a number.
    NoNumber,
    /// Digits that no numbering plan knows, or that need a country which is not known.
    Invalid,
    /// Too few digits.
    TooShort,
    /// Digits are missing or hidden: leftovers of an input mask, asterisks, a rounded float.
    Masked,
    /// A SIP address, a short number, a group chat, or a caller who hides the number.
    NotAPhone,
}

impl PhoneProblem {
    /// The name used in storage and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::NoNumber => "no_number",
            Self::Invalid => "invalid",
            Self::TooShort => "too_short",
            Self::Masked => "masked",
            Self::NotAPhone => "not_a_phone",
        }
    }
}

impl fmt::Display for PhoneProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the phone field is empty",
            Self::TooLong => "the text is too long for a phone field",
            Self::NoNumber => "there is no phone number in the text",
            Self::Invalid => "no country has such a phone number, or it is a local form and the country is not known",
            Self::TooShort => "the phone number has too few digits",
            Self::Masked => "digits of the phone number are missing or hidden",
            Self::NotAPhone => "this is a short number, a hidden caller or an internet address, not a phone number",
        })
    }
}

/// What a field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The numbers, in the order of the text, each once.
    pub phones: Vec<Phone>,
    /// Other readings of the same digits, all of confidence 1: kept for people, never matched.
    pub alternatives: Vec<Phone>,
    /// Why there is no phone; none if there is one.
    pub problem: Option<PhoneProblem>,
}
