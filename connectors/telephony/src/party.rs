//! Who takes part in a call: a phone, an extension, somebody who hides.

use leadgate_core::call::CallNumber;

/// Words and numbers that stand for a hidden caller. The numbers are such words on a keypad, as Twilio writes them: `+266696687` is
/// ANONYMOUS, `+7378742833` RESTRICTED, `+2562533` BLOCKED, `+8656696` UNKNOWN, `+86282452253` UNAVAILABLE.
const HIDDEN: &[&str] = &[
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "private",
    "blocked",
    "withheld",
    "hidden",
    "no number",
    "asserted-identity-unavailable",
    "+266696687",
    "266696687",
    "+7378742833",
    "7378742833",
    "+2562533",
    "2562533",
    "+8656696",
    "8656696",
    "+86282452253",
    "86282452253",
];

/// Digits an extension has at most.
const EXTENSION: usize = 6;

/// A side of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// A phone.
    Phone(CallNumber),
    /// A telephone of the company: an extension or a name at the PBX.
    Extension(String),
    /// The number is hidden.
    Hidden,
    /// Nothing is said.
    Nobody,
}

/// How a provider writes phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its documentation as E.164, perhaps without the plus.
    International,
    /// As the country does, or any other way.
    National,
}

impl Party {
    /// Reads a side as the provider writes it: `sip:`, `tel:` and parameters are taken off.
    pub fn read(text: &str, form: Form) -> Self {
        let bare = text.trim().trim_matches(|c| matches!(c, '<' | '>' | '"' | '\'')).trim();
        if bare.is_empty() || bare == "-" || bare.eq_ignore_ascii_case("null") {
            return Self::Nobody;
        }
        let (user, is_address) = user_of(bare);
        if HIDDEN.iter().any(|hidden| hidden.eq_ignore_ascii_case(user)) {
            return Self::Hidden;
        }
        let digits = user.bytes().filter(u8::is_ascii_digit).count();
        let is_number = user.bytes().all(|byte| byte.is_ascii_digit() || b"+-() .".contains(&byte)) && digits > 0;
        if !is_number || digits <= EXTENSION {
            return Self::Extension(user.to_owned());
        }
        // A PBX writes anybody's number as an address; the country's form is all that can be said of it.
        let number = match form {
            Form::International if !is_address || user.starts_with('+') => CallNumber::international(user),
            _ => CallNumber::national(user),
        };
        number.map_or(Self::Nobody, Self::Phone)
    }

    /// The phone, if it is one.
    pub fn phone(self) -> Option<CallNumber> {
        match self {
            Self::Phone(number) => Some(number),
            _ => None,
        }
    }

    /// The extension, if it is one.
    pub fn extension(self) -> Option<String> {
        match self {
            Self::Extension(extension) => Some(extension),
            _ => None,
        }
    }

    /// What names a telephone of the company, whatever it looks like.
    pub fn agent(self) -> Option<String> {
        match self {
            Self::Phone(number) => Some(number.typed),
            Self::Extension(extension) => Some(extension),
            Self::Hidden | Self::Nobody => None,
        }
    }
}

/// What stands before the `@` of an address, and whether it is one.
fn user_of(text: &str) -> (&str, bool) {
    let lower = text.get(..5).unwrap_or(text).to_ascii_lowercase();
    let after = |prefix: &str| lower.starts_with(prefix).then(|| &text[prefix.len()..]);
    let sip = after("sips:").or_else(|| after("sip:"));
    let rest = sip.or_else(|| after("tel:")).unwrap_or(text);
    let is_address = sip.is_some() || rest.contains('@');
    let user = rest.split(['@', ';']).next().unwrap_or_default().trim();
    (user, is_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_of_a_call() {
        let read = |text: &str| Party::read(text, Form::International);
        assert_eq!(read("79161234567"), Party::Phone(CallNumber::international("79161234567").unwrap()));
        assert_eq!(read("tel:+79161234567;phone-context=x"), Party::Phone(CallNumber::international("+79161234567").unwrap()));
        assert_eq!(read("sip:89161234567@pbx.example"), Party::Phone(CallNumber::national("89161234567").unwrap()));
        assert_eq!(
            Party::read("8 (916) 123-45-67", Form::National),
            Party::Phone(CallNumber::national("8 (916) 123-45-67").unwrap())
        );
        for extension in ["101", "012345", "sip:101@pbx.example", "sip:ivanov@pbx", "ivanov"] {
            assert!(matches!(read(extension), Party::Extension(_)), "{extension}");
        }
        for hidden in ["anonymous", "Restricted", "+266696687", "sip:anonymous@anonymous.invalid", "UNKNOWN"] {
            assert_eq!(read(hidden), Party::Hidden, "{hidden}");
        }
        for nobody in ["", " ", "-", "null", "<>"] {
            assert_eq!(read(nobody), Party::Nobody, "{nobody}");
        }
    }
}
