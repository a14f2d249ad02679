//! Locks on what rows are about, taken before anybody knows whether there is such a row.
//!
//! Two gateways that take deliveries of one person at the same moment would both find nobody and make two. So a batch
//! first takes a lock on every identity, key and external id it looks up, all of them in one order, and only then looks.
//! They are advisory locks of the transaction: they need no rows, end with it, and work through a pooler. The unique
//! indexes stand behind them.

use leadgate_core::plan::Lookup;
use sha2::{Digest as _, Sha256};

/// More locks than this of one batch are one lock on everything: the server's table of locks has some thousand places.
const MOST: usize = 1024;
/// The lock on everything. Who takes single ones shares it.
const EVERYTHING: i64 = 0x6c65_6164_6761_7465;
/// The lock under which the schema changes.
pub(crate) const SCHEMA: i64 = 0x6c65_6164_6761_7466;

/// The locks of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    numbers: Vec<i64>,
}

impl Locks {
    /// What a batch looks up.
    pub(crate) fn of(lookup: &Lookup) -> Self {
        let mut locks = Self::default();
        for (kind, value) in &lookup.identities {
            locks.identity(kind.as_str(), value);
        }
        for key in &lookup.keys {
            locks.add(["key", &key.source, &key.scope, &key.value]);
        }
        for (source, key) in &lookup.external {
            locks.add(["external", source, key, ""]);
        }
        locks
    }

    /// The statement that takes the locks on the calls of a lookup. It goes before all others of a transaction, and of whoever waits for
    /// one of these nobody waits for another.
    pub(crate) fn calls(lookup: &Lookup) -> String {
        let mut locks = Self::default();
        for (source, key) in &lookup.calls {
            locks.add(["call", source, key, ""]);
        }
        locks.numbers.sort_unstable();
        locks.numbers.dedup();
        locks.single()
    }

    /// What submissions that are recorded again look up, and they themselves: two who record one again follow each other.
    pub(crate) fn again(lookup: &Lookup) -> Self {
        let mut locks = Self::of(lookup);
        for submission in &lookup.submissions {
            locks.add(["submission", &submission.to_string(), "", ""]);
        }
        locks
    }

    /// Who may be answered of a source: whoever counts is the only one who does.
    pub(crate) fn answers(source: &str) -> Self {
        let mut locks = Self::default();
        locks.add(["answers", source, "", ""]);
        locks
    }

    /// What a source calls an activity: no batch adds to it.
    pub(crate) fn external(source: &str, key: &str) -> Self {
        let mut locks = Self::default();
        locks.add(["external", source, key, ""]);
        locks
    }

    /// An account that says codes: it says one after the other.
    pub(crate) fn account(kind: &str, value: &str) -> Self {
        let mut locks = Self::default();
        locks.add(["account", kind, value, ""]);
        locks
    }

    /// Adds an identity.
    pub(crate) fn identity(&mut self, kind: &str, value: &str) {
        self.add(["identity", kind, value, ""]);
    }

    fn add(&mut self, parts: [&str; 4]) {
        // The same in every gateway, whatever it was built with.
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let mut number = [0; 8];
        number.copy_from_slice(&hash.finalize()[..8]);
        self.numbers.push(i64::from_le_bytes(number));
    }

    /// The statement that takes them, in order; empty if there are none.
    pub(crate) fn statement(mut self) -> String {
        self.numbers.sort_unstable();
        self.numbers.dedup();
        if self.numbers.is_empty() {
            return String::new();
        }
        if self.numbers.len() > MOST {
            return format!("SELECT pg_advisory_xact_lock({EVERYTHING})");
        }
        format!("SELECT pg_advisory_xact_lock_shared({EVERYTHING}); {}", self.single())
    }

    fn single(&self) -> String {
        let numbers = self.numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!("SELECT count(pg_advisory_xact_lock(n)::text) FROM unnest('{{{numbers}}}'::bigint[]) AS v (n)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_sorted_once_each_and_bounded() {
        let mut locks = Locks::default();
        for value in ["+7916", "+7915", "+7916"] {
            locks.identity("phone", value);
        }
        let statement = locks.statement();
        let (_, numbers) = statement.split_once("'{").unwrap();
        let numbers: Vec<i64> = numbers.split_once("}'").unwrap().0.split(',').map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 2);
        assert!(numbers.is_sorted());
        let mut many = Locks::default();
        (0..2000).for_each(|n| many.identity("phone", &n.to_string()));
        assert_eq!(many.statement(), format!("SELECT pg_advisory_xact_lock({EVERYTHING})"));
        assert_eq!(Locks::default().statement(), "");
    }
}
