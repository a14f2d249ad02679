//! Applied migrations never change: databases out there have them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

use leadgate_core::submission::hex;
use sha2::{Digest as _, Sha256};

/// Every migration with its SHA-256, as `sha256sum` writes them.
fn frozen(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("checksums")).unwrap();
    text.lines()
        .map(|line| {
            let (sum, name) = line.split_once("  ").unwrap();
            (name.to_owned(), sum.to_owned())
        })
        .collect()
}

#[test]
fn every_migration_is_the_one_that_was_frozen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut found = BTreeMap::new();
    for dialect in ["sqlite", "postgres"] {
        for entry in std::fs::read_dir(folder.join(dialect)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let sum = hex(&Sha256::digest(std::fs::read(folder.join(dialect).join(&name)).unwrap()));
            found.insert(format!("{dialect}/{name}"), sum);
        }
    }
    assert_eq!(
        found,
        frozen(&folder),
        "migrations/checksums tells otherwise: a migration that was applied never changes; write a new one (migrations/README.md)"
    );
}

#[test]
fn both_dialects_have_the_same_migrations() {
    let frozen = frozen(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations"));
    let of = |dialect: &str| -> Vec<&str> { frozen.keys().filter_map(|name| name.strip_prefix(dialect)).collect() };
    assert_eq!(of("sqlite/"), of("postgres/"));
}
