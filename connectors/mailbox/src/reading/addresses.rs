//! Addresses: whose they are.

use leadgate_core::email::{self, Email};

use crate::mime::{Address, Mail};
use crate::settings::Policy;

/// The first address of a text, in canonical form.
pub(super) fn key(text: &str) -> Option<Email> {
    email::read(text).emails.into_iter().next()
}

/// Whether an address is the company's own, this mailbox's among them.
pub(super) fn is_ours(email: &Email, policy: &Policy) -> bool {
    policy.ours.email(&email.key, &email.domain)
        || policy.own.iter().any(|own| own.eq_ignore_ascii_case(&email.address) || key(own).is_some_and(|own| own.key == email.key))
}

/// Whether an address as written is the company's own.
pub(super) fn is_our_address(address: &Address, policy: &Policy) -> bool {
    key(&address.address).is_some_and(|email| is_ours(&email, policy))
}

/// Whether nobody reads what is sent to an address.
pub(super) fn takes_no_answers(email: &Email) -> bool {
    let local = email.key.split('@').next().unwrap_or_default();
    email.flags.no_reply || matches!(local, "mailer-daemon" | "postmaster" | "www-data" | "apache" | "nginx" | "bitrix" | "wordpress")
}

/// Whether a mail comes from an address that takes no answers.
pub(super) fn is_no_reply_sender(mail: &Mail) -> bool {
    mail.from.first().and_then(|from| key(&from.address)).is_some_and(|email| takes_no_answers(&email))
}

/// Whether the configuration names the sender as one of forms: a whole address, or a domain.
pub(super) fn is_form_sender(mail: &Mail, policy: &Policy) -> bool {
    let senders = mail.from.iter().chain(&mail.sender);
    senders.filter_map(|sender| key(&sender.address)).any(|email| {
        policy.form_senders.iter().any(|known| match known.trim().trim_start_matches('@') {
            address if address.contains('@') => address.eq_ignore_ascii_case(&email.address),
            domain => domain.eq_ignore_ascii_case(&email.domain),
        })
    })
}
