//! The architecture, held: which crate may know which. Read from `cargo metadata`, so that a new dependency cannot slip in.

#![expect(clippy::expect_used, reason = "a failed expectation is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Who may depend on whom inside the workspace (besides dev-dependencies).
const ARROWS: &[(&str, &[&str])] = &[
    ("leadgate-core", &[]),
    ("leadgate-wire", &["leadgate-core"]),
    ("leadgate-store-postgres", &["leadgate-core"]),
    ("leadgate-store-sqlite", &["leadgate-core"]),
    ("leadgate-mailbox", &["leadgate-core", "leadgate-wire"]),
    ("leadgate-outbound", &["leadgate-core", "leadgate-wire"]),
    ("leadgate-telegram", &["leadgate-core", "leadgate-wire"]),
    ("leadgate-telephony", &["leadgate-core", "leadgate-wire"]),
    ("leadgate-web-forms", &["leadgate-core", "leadgate-wire"]),
    (
        "leadgate",
        &[
            "leadgate-core",
            "leadgate-wire",
            "leadgate-store-postgres",
            "leadgate-store-sqlite",
            "leadgate-mailbox",
            "leadgate-outbound",
            "leadgate-telegram",
            "leadgate-telephony",
            "leadgate-web-forms",
        ],
    ),
    (
        "leadgate-tests",
        &["leadgate-core", "leadgate-wire", "leadgate-store-postgres", "leadgate-store-sqlite", "leadgate-web-forms", "leadgate"],
    ),
];

/// Foreign crates only some may use; tests may use more.
const ONLY: &[(&str, &[&str])] = &[
    ("sqlx", &["leadgate-store-postgres", "leadgate-store-sqlite", "leadgate-tests"]),
    ("axum", &["leadgate", "leadgate-tests"]),
    ("hyper", &["leadgate", "leadgate-tests"]),
    ("reqwest", &["leadgate-wire", "leadgate-tests"]),
    ("hyper-rustls", &["leadgate"]),
    ("object_store", &["leadgate"]),
    ("indicatif", &["leadgate"]),
    ("async-imap", &["leadgate-tests"]),
    ("imap-proto", &["leadgate-mailbox"]),
    ("mail-parser", &["leadgate-mailbox"]),
    ("tokio-rustls", &["leadgate", "leadgate-wire", "leadgate-tests"]),
    ("lettre", &["leadgate-outbound"]),
    ("teloxide-core", &["leadgate-telegram"]),
    ("utoipa-axum", &["leadgate"]),
    ("minijinja", &["leadgate-outbound"]),
    (
        "tokio",
        &[
            "leadgate",
            "leadgate-wire",
            "leadgate-mailbox",
            "leadgate-outbound",
            "leadgate-telegram",
            "leadgate-store-postgres",
            "leadgate-store-sqlite",
            "leadgate-tests",
        ],
    ),
    ("rlibphonenumber", &["leadgate-core"]),
    ("phonenumber", &["leadgate-core"]),
];

/// What the domain may use at all: nothing that does I/O.
const CORE: &[&str] = &[
    "any_ascii",
    "async-trait",
    "bytes",
    "hmac",
    "idna",
    "jiff",
    "mailchecker",
    "psl",
    "rlibphonenumber",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "toml",
    "tracing",
    "unicode-normalization",
    // Only its derive: what a view looks like in JSON, said where the view is.
    "utoipa",
    "uuid",
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata runs");
    metadata
        .packages
        .iter()
        .map(|package| {
            let of = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
            (package.name.to_string(), of.map(|d| d.name.clone()).collect())
        })
        .collect()
}

#[test]
fn arrows_point_inwards() {
    let all = dependencies();
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>().len(), ARROWS.len(), "a crate is missing in ARROWS: {all:?}");
    for (name, allowed) in ARROWS {
        let inside: Vec<&String> = all[*name].iter().filter(|d| all.contains_key(*d)).collect();
        for dependency in inside {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not know {dependency}");
        }
    }
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    for (name, dependencies) in dependencies() {
        for (foreign, users) in ONLY {
            assert!(
                !dependencies.contains(*foreign) || users.contains(&name.as_str()),
                "{name} must not use {foreign}: only {users:?} may"
            );
        }
    }
}

#[test]
fn the_domain_is_pure() {
    for dependency in &dependencies()["leadgate-core"] {
        assert!(CORE.contains(&dependency.as_str()), "core must not use {dependency}: is it pure, and needed?");
    }
}

#[test]
fn versions_stand_in_one_table() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for member in [
        "crates/core",
        "crates/wire",
        "crates/store-postgres",
        "crates/store-sqlite",
        "crates/server",
        "connectors/web-forms",
        "tests",
    ] {
        let text = std::fs::read_to_string(format!("{root}/{member}/Cargo.toml")).expect("a member's manifest");
        let manifest: toml::Table = toml::from_str(&text).expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for (name, dependency) in dependencies {
                let inherited = dependency.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited && dependency.get("version").is_none(), "{member}: {name} names a version of its own");
            }
        }
    }
}
