//! An address to write to, with a name.

use std::fmt;

use leadgate_core::email;
use lettre::Address;

use super::clean;

/// The longest name shown beside an address, in characters.
const NAME: usize = 100;

/// An address to write to, with the name to show; the name may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: String,
    address: Address,
}

impl Mailbox {
    /// An address as typed, with a name of anybody's making. `None`: nobody can write there.
    pub fn new(name: &str, address: &str) -> Option<Self> {
        let read = email::read(address).emails;
        let [email] = read.as_slice() else { return None };
        let (local, _) = email.address.rsplit_once('@')?;
        let address = Address::new(local, &email.domain).ok()?;
        Some(Self { name: clean::line(name, NAME), address })
    }

    /// Reads `Leadgate <leads@example.com>` or `leads@example.com`. The error is for people.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text),
        };
        let wrong = || format!("{text:?} is no address; write \"leads@example.com\" or \"Leadgate <leads@example.com>\"");
        if name.contains(['<', '>', '@', '\r', '\n']) {
            return Err(wrong());
        }
        Self::new(name, address).ok_or_else(wrong)
    }

    /// The name to show; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address; its domain in ASCII.
    pub fn email(&self) -> &str {
        self.address.as_ref()
    }

    /// What stands behind the @, in ASCII.
    pub fn domain(&self) -> &str {
        self.address.domain()
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn to_lettre(&self) -> lettre::message::Mailbox {
        let name = (!self.name.is_empty()).then(|| self.name.clone());
        lettre::message::Mailbox::new(name, self.address.clone())
    }

    /// A link that writes there (RFC 6068).
    pub fn href(&self) -> String {
        let hex = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
        let mut href = "mailto:".to_owned();
        for byte in self.address.user().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                href.push(char::from(byte));
            } else {
                href.extend(['%', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        href.push('@');
        href.push_str(self.address.domain());
        href
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { f.write_str(self.email()) } else { write!(f, "{} <{}>", self.name, self.email()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text: &str| Mailbox::read(text).map(|mailbox| (mailbox.name().to_owned(), mailbox.email().to_owned()));
        let pair = |name: &str, email: &str| Ok((name.to_owned(), email.to_owned()));
        assert_eq!(read("Leadgate <leads@zavod.ru>"), pair("Leadgate", "leads@zavod.ru"));
        assert_eq!(read("\"Завод, отдел продаж\" <leads@zavod.ru>"), pair("Завод, отдел продаж", "leads@zavod.ru"));
        assert_eq!(read(" leads@zavod.ru "), pair("", "leads@zavod.ru"));
        assert_eq!(read("leads@завод.рф"), pair("", "leads@xn--80aegj1b.xn--p1ai"));
        for wrong in
            ["", "leads", "Leads leads@zavod.ru <", "a@zavod.ru, b@zavod.ru", "a <b> <c@zavod.ru>", "x\r\nBcc: y <a@zavod.ru>"]
        {
            assert!(read(wrong).unwrap_err().contains("write \"leads@example.com\""), "{wrong:?}");
        }
    }

    #[test]
    fn a_link_holds_an_address_and_nothing_else() {
        let href = |address: &str| Mailbox::new("", address).map(|mailbox| mailbox.href());
        assert_eq!(href("anna.petrova+shop@mail.ru").as_deref(), Some("mailto:anna.petrova%2Bshop@mail.ru"));
        assert_eq!(href("o'brien@mail.ru").as_deref(), Some("mailto:o%27brien@mail.ru"));
        assert_eq!(href("anna@mail.ru?subject=x"), None);
    }
}
