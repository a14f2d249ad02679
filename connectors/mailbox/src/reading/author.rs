//! Who wrote a mail: From, or who stands behind a relay, a list, or a form.

use leadgate_core::email::Email;
use leadgate_core::text;

use super::addresses;
use crate::mime::{Address, Mail};
use crate::settings::Policy;

/// Who wrote a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Author {
    /// Their name, if there is a real one.
    pub name: Option<String>,
    /// Where to write to them; `None`: nowhere.
    pub address: Option<String>,
    /// The header field that says so.
    pub field: &'static str,
    /// The mail came from that very address.
    pub own_channel: bool,
    /// They are of the company.
    pub ours: bool,
}

/// Who wrote a mail. Reply-To is the author's only where From is nobody's or our own: a relay, a form, a list, an address that takes
/// no answers.
pub(super) fn author(mail: &Mail, policy: &Policy) -> Author {
    let Some(from) = mail.from.first() else { return Author::default() };
    let key = addresses::key(&from.address);
    let ours = key.as_ref().is_some_and(|email| addresses::is_our_email(email, policy));
    let mute = key.as_ref().is_none_or(addresses::takes_no_answers);
    let relayed = via(&from.name).is_some() || mail.header("x-original-from").or(mail.header("x-original-sender")).is_some();
    if ours || mute || relayed || addresses::is_form_sender(mail, policy) {
        if let Some(other) = behind(mail, policy, ours || relayed) {
            return other;
        }
        if mute {
            return Author { field: "From", ..Author::default() };
        }
    }
    Author { name: name(from), address: key.map(|email| email.address), field: "From", own_channel: !relayed, ours }
}

/// Who stands behind From.
fn behind(mail: &Mail, policy: &Policy, rewritten: bool) -> Option<Author> {
    // Lists that send in their own name leave the author here.
    let original = ["x-original-from", "x-original-sender"].into_iter().filter(|_| rewritten);
    let original = original.filter_map(|field| Some((field_name(field), written(mail.header(field)?))));
    let answers = mail.reply_to.iter().map(|address| ("Reply-To", address.clone()));
    let (field, address, email) = original.chain(answers).find_map(|(field, address)| {
        let email = addresses::key(&address.address).filter(|email| is_somebody(email, policy))?;
        Some((field, address, email))
    })?;
    // The list keeps the author's name in its own From.
    let kept = || mail.from.first().and_then(|from| via(&from.name)).map(str::to_owned);
    Some(Author { name: name(&address).or_else(kept), address: Some(email.address), field, own_channel: false, ours: false })
}

fn field_name(header: &str) -> &'static str {
    if header == "x-original-from" { "X-Original-From" } else { "X-Original-Sender" }
}

fn is_somebody(email: &Email, policy: &Policy) -> bool {
    !addresses::takes_no_answers(email) && !addresses::is_our_email(email, policy)
}

/// An address as a header writes it: `Anna <anna@example.com>`.
fn written(text: &str) -> Address {
    match text.rsplit_once('<') {
        Some((name, address)) => {
            Address { name: name.trim().to_owned(), address: address.split('>').next().unwrap_or_default().trim().to_owned() }
        }
        None => Address { name: String::new(), address: text.trim().to_owned() },
    }
}

/// The name in front of "via", as lists and relays write it: `'Anna' via Sales`.
fn via(name: &str) -> Option<&str> {
    [" via ", " через ", " über ", " a través de ", " mittels "]
        .iter()
        .find_map(|word| name.rsplit_once(word))
        .map(|(before, _)| unquoted(before))
        .filter(|before| !before.is_empty())
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches(|c: char| c.is_whitespace() || "\"'«»„“”‘’`".contains(c))
}

/// A person's name beside an address; an address and its local part are none.
pub(super) fn name(address: &Address) -> Option<String> {
    let shown = unquoted(via(&address.name).unwrap_or(&address.name));
    let local = address.address.split('@').next().unwrap_or_default();
    let none = shown == local || shown.contains('@') || !shown.chars().any(char::is_alphabetic);
    if none { None } else { text::present(text::cut(shown, 300)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leadgate_core::rules::Ours;

    use super::*;

    fn policy() -> Policy {
        let ours = Ours { domains: ["okna.example".to_owned()].into(), ..Ours::default() };
        Policy {
            ours: Arc::new(ours),
            own: vec!["okna@mail.example".to_owned()],
            form_senders: vec!["robot@site.example".to_owned(), "@forms.example".to_owned()],
            ..Policy::default()
        }
    }

    fn mail(from: &str, reply_to: &str) -> Mail {
        let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![written(text)] };
        Mail { from: list(from), reply_to: list(reply_to), ..Mail::default() }
    }

    #[test]
    fn from_or_reply_to() {
        for (from, reply_to, address, name, field) in [
            ("Anna Bell <anna@bell.example>", "", "anna@bell.example", "Anna Bell", "From"),
            // A person may want answers elsewhere, and is who they are.
            ("Anna Bell <anna@bell.example>", "office@bell.example", "anna@bell.example", "Anna Bell", "From"),
            ("Shop <noreply@shop.example>", "Anna <anna@bell.example>", "anna@bell.example", "Anna", "Reply-To"),
            ("Site <info@okna.example>", "anna@bell.example", "anna@bell.example", "", "Reply-To"),
            ("Site <okna@mail.example>", "anna@bell.example", "anna@bell.example", "", "Reply-To"),
            ("Site <robot@site.example>", "anna@bell.example", "anna@bell.example", "", "Reply-To"),
            ("Site <any@forms.example>", "anna@bell.example", "anna@bell.example", "", "Reply-To"),
            // Nobody at all: an Elementor form without an e-mail field.
            ("Site <noreply@shop.example>", "noreply@shop.example", "", "", "From"),
            ("Site <noreply@shop.example>", "info@okna.example", "", "", "From"),
            ("", "anna@bell.example", "", "", ""),
            ("Bell <>", "", "", "", "From"),
        ] {
            let found = author(&mail(from, reply_to), &policy());
            assert_eq!(found.address.as_deref().unwrap_or_default(), address, "{from}, {reply_to}");
            assert_eq!(found.name.as_deref().unwrap_or_default(), name, "{from}, {reply_to}");
            assert_eq!(found.field, field, "{from}, {reply_to}");
            assert_eq!(found.own_channel, field == "From" && !address.is_empty(), "{from}, {reply_to}");
        }
    }

    #[test]
    fn ours_are_ours() {
        let found = author(&mail("Oleg <oleg@okna.example>", "sales@okna.example"), &policy());
        assert!(found.ours);
        assert_eq!(found.address.as_deref(), Some("oleg@okna.example"));
    }

    #[test]
    fn lists_leave_the_author_somewhere() {
        let group = "'Anna Bell' via Sales <sales@okna.example>";
        let with = |header: &str, value: &str| {
            let mut mail = mail(group, "sales@okna.example");
            mail.headers.push((header.to_owned(), value.to_owned()));
            author(&mail, &policy())
        };
        let found = with("x-original-from", "Anna Bell <anna@bell.example>");
        assert_eq!((found.name.as_deref(), found.address.as_deref()), (Some("Anna Bell"), Some("anna@bell.example")));
        assert!(!found.own_channel);
        let found = with("x-original-sender", "anna@bell.example");
        assert_eq!((found.name.as_deref(), found.address.as_deref()), (Some("Anna Bell"), Some("anna@bell.example")));
        // A header anybody can write says nothing against an address that is somebody's own.
        let mut direct = mail("Eve <eve@evil.example>", "");
        direct.headers.push(("x-original-from".to_owned(), "info@okna.example".to_owned()));
        assert_eq!(author(&direct, &policy()).address.as_deref(), Some("eve@evil.example"));
    }

    #[test]
    fn names_are_names() {
        for (shown, address, expected) in [
            ("anna.bell", "anna.bell@bell.example", None),
            ("Anna", "anna@bell.example", Some("Anna")),
            ("anna@bell.example", "anna@bell.example", None),
            ("\"Анна Белова\"", "a@b.example", Some("Анна Белова")),
            ("Анна через Авито", "a@b.example", Some("Анна")),
            ("12345", "a@b.example", None),
            ("", "a@b.example", None),
        ] {
            let address = Address { name: shown.to_owned(), address: address.to_owned() };
            assert_eq!(name(&address).as_deref(), expected, "{shown}");
        }
    }
}
