//! What an address says about itself.

use super::{EmailFlags, lists};

/// The flags of a lower-case local part at a lower-case ASCII domain.
pub(super) fn flags(local: &str, domain: &str) -> EmailFlags {
    let plain = local.split('+').next().unwrap_or_default();
    let free_mail = lists::is_free(domain);
    let no_reply = is_no_reply(plain);
    EmailFlags {
        role: no_reply || is_role(plain),
        placeholder: is_placeholder(plain, domain, free_mail),
        disposable: !free_mail && lists::is_disposable(domain),
        free_mail,
        no_reply,
        unknown_tld: !free_mail && !psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known()),
    }
}

fn is_role(local: &str) -> bool {
    let word = local.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_' || c == '.');
    lists::is_role(local) || (word.len() >= 2 && lists::is_role(word))
}

fn is_no_reply(local: &str) -> bool {
    let word: String = local.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
    ["noreply", "donotreply", "dontreply", "noresponse", "mailerdaemon"].iter().any(|stem| word.starts_with(stem))
        || matches!(word.as_str(), "bounce" | "bounces" | "postmaster" | "devnull" | "unsubscribe")
}

/// Local parts that read no answers.
const DEAF: &[&str] = &[
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "nobody",
    "mailer-daemon",
    "postmaster",
    "majordomo",
    "listserv",
];

/// Whether an address reads no answers: a machine's, or a list's.
pub fn is_deaf(address: &str) -> bool {
    let address = address.trim().to_lowercase();
    let local = address.split('@').next().unwrap_or_default();
    let parts = ["noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon"];
    address.is_empty()
        || DEAF.contains(&local)
        || parts.iter().any(|part| local.starts_with(part))
        || local.starts_with("list-")
        || local.starts_with("owner-")
        || ["-request", "-bounces", "-owner", "-bounce"].iter().any(|end| local.ends_with(end))
}

/// Reserved names of RFC 2606 and what people type into a required field.
fn is_placeholder(local: &str, domain: &str, free_mail: bool) -> bool {
    let (label, rest) = domain.split_once('.').unwrap_or((domain, ""));
    let last = domain.rsplit('.').next().unwrap_or_default();
    let reserved = (label == "example" && matches!(rest, "com" | "org" | "net" | "edu" | "ru"))
        || domain.ends_with(".example.com")
        || matches!(last, "example" | "test" | "invalid" | "localhost" | "local");
    if reserved {
        return true;
    }
    let made_up = matches!(
        label,
        "test"
            | "tests"
            | "testing"
            | "asd"
            | "asdf"
            | "qwe"
            | "qwerty"
            | "aaa"
            | "abc"
            | "xxx"
            | "domain"
            | "yourdomain"
            | "mydomain"
            | "site"
            | "yoursite"
            | "company"
            | "email"
            | "nomail"
            | "none"
            | "fake"
            | "sample"
            | "primer"
            | "domen"
            | "pochta"
            | "123"
            | "foo"
    );
    // The hidden words of large providers are real mailboxes with real owners; only the plainest ones are nobody's.
    let plainest = local.starts_with("test") || local.starts_with("qwerty") || local.starts_with("asdf") || is_repeated(local);
    let is_word = lists::is_placeholder_word(local) || is_repeated(local);
    is_word && (label == local || if free_mail { plainest } else { made_up })
}

/// `aaa`, `1111`.
fn is_repeated(local: &str) -> bool {
    let bytes = local.as_bytes();
    bytes.len() >= 2 && bytes.windows(2).all(|pair| pair[0] == pair[1])
}
