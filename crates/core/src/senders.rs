//! Senders whose deliveries are kept without a lead, because a person said so.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::phone::{self, Country};
use crate::prepare::{IdentityKind, ReadValue};
use crate::{email, text};

/// What a sender is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// A phone, with every extension of it.
    Phone,
    /// An e-mail address.
    Email,
    /// Every address of a mail domain and of those below it.
    Domain,
}

impl SenderKind {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Domain => "domain",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Phone, Self::Email, Self::Domain].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A sender, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sender {
    /// What it is known by.
    pub kind: SenderKind,
    /// E.164, an e-mail's key, or a domain in lower case and ASCII.
    pub value: String,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.value)
    }
}

impl Sender {
    /// Reads what a person typed: a phone (without a country by `country`), an address, or a domain. The error is for people.
    pub fn read(typed: &str, country: Option<Country>) -> Result<Self, String> {
        let typed = typed.trim();
        let bare = typed.trim_start_matches('@');
        if bare.len() == typed.len() && typed.contains('@') {
            let found = email::read(typed).emails.into_iter().next();
            let found = found.ok_or_else(|| format!("{} is no e-mail address", text::printable(typed, true)))?;
            return Ok(Self { kind: SenderKind::Email, value: found.key });
        }
        if !typed.chars().any(char::is_alphabetic) {
            let hints = phone::Hints { configured: country, ..phone::Hints::default() };
            let found = phone::read(typed, &hints).phones.into_iter().next();
            let words =
                || format!("{} is no phone: write it with its country, such as +7 916 123-45-67", text::printable(typed, true));
            return found
                .map(|phone| Self { kind: SenderKind::Phone, value: without_extension(&phone.key()).to_owned() })
                .ok_or_else(words);
        }
        let found = email::read(&format!("somebody@{bare}")).emails.into_iter().next().filter(|_| bare.contains('.'));
        match found {
            None => Err(format!("{} is neither a phone, an e-mail address nor a domain", text::printable(typed, true))),
            Some(found) if found.flags.free_mail => {
                Err(format!("anybody may have a mailbox at {}: ignore the single address", found.domain))
            }
            Some(found) => Ok(Self { kind: SenderKind::Domain, value: found.domain }),
        }
    }

    /// As whom a value that was read may be ignored.
    pub(crate) fn of(read: &ReadValue) -> Vec<Self> {
        let Some(value) = read.value.as_deref() else { return Vec::new() };
        if read.kind == IdentityKind::PHONE {
            return vec![Self { kind: SenderKind::Phone, value: without_extension(value).to_owned() }];
        }
        let mut all = vec![Self { kind: SenderKind::Email, value: value.to_owned() }];
        // The domain, and those it belongs to, as long as there is a dot in them.
        let mut domain = value.rsplit_once('@').map_or("", |(_, domain)| domain);
        while domain.contains('.') {
            all.push(Self { kind: SenderKind::Domain, value: domain.to_owned() });
            domain = domain.split_once('.').map_or("", |(_, rest)| rest);
        }
        all
    }
}

fn without_extension(key: &str) -> &str {
    key.split(';').next().unwrap_or(key)
}

/// A sender that is ignored, with who said so and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredSender {
    /// Who.
    #[serde(flatten)]
    pub sender: Sender,
    /// Since when.
    pub at: Timestamp,
    /// Who said so: `cli`, `api:<token name>`.
    pub actor: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Result<String, String> {
        Sender::read(typed, Country::parse("RU")).map(|sender| sender.to_string())
    }

    #[test]
    fn what_people_type_becomes_a_sender() {
        assert_eq!(read("8 916 123-45-67").unwrap(), "phone +79161234567");
        assert_eq!(read("+7 495 123-45-67 доб. 12").or_else(|_| read("+7 495 123-45-67")).unwrap(), "phone +74951234567");
        assert_eq!(read("Anna.Petrova@Googlemail.com").unwrap(), "email annapetrova@gmail.com");
        assert_eq!(read("Spam.Example.Org").unwrap(), "domain spam.example.org");
        assert_eq!(read("@реклама.рф").unwrap(), "domain xn--80aak5adbj.xn--p1ai".replace("xn--80aak5adbj", &ascii("реклама")));
        for (bad, words) in
            [("", "no phone"), ("12", "no phone"), ("anna", "neither"), ("@", "no phone"), ("gmail.com", "single address")]
        {
            assert!(read(bad).unwrap_err().contains(words), "{bad}: {:?}", read(bad));
        }
    }

    fn ascii(label: &str) -> String {
        idna::domain_to_ascii(label).unwrap()
    }

    #[test]
    fn an_address_is_ignored_by_itself_or_by_a_domain_above_it() {
        let value = |kind: IdentityKind, value: &str| ReadValue {
            kind,
            field: String::new(),
            typed: String::new(),
            value: Some(value.to_owned()),
            strength: crate::rules::Strength::None,
            flags: Vec::new(),
            note: None,
        };
        let all = |read: &ReadValue| Sender::of(read).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            all(&value(IdentityKind::EMAIL, "a@news.shop.example")),
            ["email a@news.shop.example", "domain news.shop.example", "domain shop.example"]
        );
        assert_eq!(all(&value(IdentityKind::PHONE, "+74951234567;ext=12")), ["phone +74951234567"]);
    }
}
