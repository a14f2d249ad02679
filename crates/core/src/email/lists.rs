//! The word lists behind the flags. Each is read once and then answers by hash.

use std::{collections::HashSet, sync::LazyLock};

/// Words of a list file: separated by blanks, `#` begins a comment line.
pub(super) fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

static ROLES: LazyLock<HashSet<&str>> = LazyLock::new(|| words(include_str!("../../data/email_roles.txt")).collect());
static PLACEHOLDERS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| words(include_str!("../../data/email_placeholders.txt")).collect());
static FREE: LazyLock<HashSet<&str>> = LazyLock::new(|| words(include_str!("../../data/email_free.txt")).collect());
static DISPOSABLE: LazyLock<HashSet<&str>> = LazyLock::new(|| mailchecker::blacklist().into_iter().collect());

pub(super) fn is_role(local: &str) -> bool {
    ROLES.contains(local)
}

pub(super) fn is_placeholder_word(local: &str) -> bool {
    PLACEHOLDERS.contains(local)
}

pub(super) fn is_free(domain: &str) -> bool {
    FREE.contains(domain)
}

/// Whether the domain, or one it belongs to, is on the list of throw-away mail.
pub(super) fn is_disposable(domain: &str) -> bool {
    /// Aliases that forward to a mailbox for as long as their owner wants: they are as lasting as the mailbox, and
    /// answers arrive.
    const FORWARDERS: [&str; 16] = [
        "duck.com",
        "mozmail.com",
        "relay.firefox.com",
        "privaterelay.appleid.com",
        "icloud.com",
        "simplelogin.com",
        "simplelogin.co",
        "simplelogin.fr",
        "slmail.me",
        "passmail.net",
        "passmail.com",
        "passinbox.com",
        "aleeas.com",
        "anonaddy.com",
        "anonaddy.me",
        "addy.io",
    ];
    let mut rest = domain;
    loop {
        if FORWARDERS.contains(&rest) || is_free(rest) {
            return false;
        }
        if DISPOSABLE.contains(rest) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) if parent.contains('.') => rest = parent,
            _ => return false,
        }
    }
}
