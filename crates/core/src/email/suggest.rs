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
    let mut near = TOP.iter().filter(|top| may_be_near(top, typed) && strsim::osa_distance(top, typed) == 1);
    match (near.next(), near.next()) {
        (Some(meant), None) => Some(meant),
        _ => None,
    }
}

/// Whether a single slip may be between two domains: the text that they begin and that they end with is all of them but one
/// letter, or two swapped ones. Sees nearly all others without a distance to be reckoned.
fn may_be_near(top: &str, typed: &str) -> bool {
    let (top, typed) = (top.as_bytes(), typed.as_bytes());
    let longer = top.len().max(typed.len());
    if top.len().abs_diff(typed.len()) > 1 {
        return false;
    }
    let before = top.iter().zip(typed).take_while(|(a, b)| a == b).count();
    let after = top.iter().rev().zip(typed.iter().rev()).take_while(|(a, b)| a == b).count();
    before + after + 2 >= longer
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn nothing_near_is_passed_over(at in 0..100_usize, place in 0..30_usize, slip in 0..4, letter in "[a-z.]") {
            let top = TOP[at % TOP.len()];
            let mut typed: Vec<char> = top.chars().collect();
            let place = place % (typed.len() - 1);
            match slip {
                0 => typed.insert(place, letter.chars().next().unwrap()),
                1 => typed[place] = letter.chars().next().unwrap(),
                2 => typed.swap(place, place + 1),
                _ => drop(typed.remove(place)),
            }
            let typed: String = typed.into_iter().collect();
            for top in TOP.iter() {
                let near = top.len().abs_diff(typed.len()) <= 1 && strsim::osa_distance(top, &typed) == 1;
                proptest::prop_assert!(!near || may_be_near(top, &typed), "{} {}", top, typed);
            }
        }
    }
}
