//! Addresses: whose they are.

use leadgate_core::email::{self, Email};

use crate::mime::{Address, Mail};
use crate::settings::Policy;

/// The first address of a text, in canonical form.
pub(super) fn key(text: &str) -> Option<Email> {
    email::read(text).emails.into_iter().next()
}

/// Whether an address is the company's own, this mailbox's among them.
pub(super) fn is_our_email(email: &Email, policy: &Policy) -> bool {
    policy.ours.email(&email.key, &email.domain) || policy.is_ours(&email.address)
}

/// Whether an address as written is the company's own.
pub(super) fn is_ours(address: &Address, policy: &Policy) -> bool {
    key(&address.address).is_some_and(|email| is_our_email(&email, policy))
}

/// Whether nobody reads what is sent to an address: of machines and of web servers.
pub(super) fn takes_no_answers(email: &Email) -> bool {
    let local = email.key.split('@').next().unwrap_or_default();
    email.flags.no_reply
        || matches!(local, "mailer-daemon" | "postmaster" | "www-data" | "apache" | "nginx" | "bitrix" | "wordpress")
}

/// Whether a mail comes from an address that takes no answers.
pub(super) fn is_no_reply_sender(mail: &Mail) -> bool {
    mail.from.first().and_then(|from| key(&from.address)).is_some_and(|email| takes_no_answers(&email))
}

/// Whether the configuration names the sender as one of forms.
pub(super) fn is_form_sender(mail: &Mail, policy: &Policy) -> bool {
    mail.from.iter().chain(&mail.sender).any(|sender| policy.is_form_sender(&sender.address))
}
