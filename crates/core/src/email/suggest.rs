//! "Did you mean": mistyped domains of well-known providers.

use std::{collections::HashMap, sync::LazyLock};

use super::lists::{self, words};

static TOP: LazyLock<Vec<&str>> = LazyLock::new(|| words(include_str!("../../data/email_top.txt")).collect());

/// Pairs of a mistyped domain and the one meant.
static TYPOS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let mut words = words(include_str!("../../data/email_typos.txt"));
    std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect()
});

/// The well-known domain that was meant by a mistyped one.
///
/// One insertion, deletion, substitution or swap of neighbours away from exactly one well-known domain; two such domains
/// give none, because a wrong guess is worse than none. A domain where people have mailboxes is never mistyped.
pub(super) fn domain(typed: &str) -> Option<&'static str> {
    if let Some(meant) = TYPOS.get(typed) {
        return Some(meant);
    }
    if lists::is_free(typed) {
        return None;
    }
    let mut near = TOP.iter().filter(|top| top.len().abs_diff(typed.len()) <= 1 && strsim::osa_distance(top, typed) == 1);
    match (near.next(), near.next()) {
        (Some(meant), None) => Some(meant),
        _ => None,
    }
}
