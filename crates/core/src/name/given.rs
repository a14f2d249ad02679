//! Given names with their short forms: which names a word can stand for.

use std::{collections::HashMap, sync::LazyLock};

use super::fold;

/// The names that a word can stand for, as line numbers of the tables. A short form may stand for several.
type Names = Vec<u16>;

static GIVEN: LazyLock<HashMap<String, Names>> = LazyLock::new(|| {
    let mut given: HashMap<String, Names> = HashMap::new();
    let tables = [include_str!("../../data/names_ru.txt"), include_str!("../../data/names_en.txt")];
    let lines = tables.iter().flat_map(|table| table.lines()).filter(|line| !line.starts_with('#'));
    for (name, line) in (0_u16..).zip(lines) {
        for form in line.split([':', ' ']).filter(|form| !form.is_empty()) {
            let names = given.entry(fold(form)).or_default();
            // Lines come in ascending order, so a list stays sorted.
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
    }
    given
});

/// What a folded word can stand for; none if it is in no table.
pub(super) fn names(folded: &str) -> Option<&'static [u16]> {
    GIVEN.get(folded).map(Vec::as_slice)
}

/// Whether a folded word is a given name or a form of one.
pub(super) fn is_given(folded: &str) -> bool {
    GIVEN.contains_key(folded)
}

/// Whether two lists have a name in common.
pub(super) fn share(a: &[u16], b: &[u16]) -> bool {
    a.iter().any(|name| b.binary_search(name).is_ok())
}
