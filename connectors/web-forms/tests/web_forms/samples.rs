//! Real bodies of forms and site builders, if the folder that holds them is there.

use std::path::PathBuf;

use crate::support::{Call, build};
use leadgate_core::ports::Parsed;
use leadgate_core::prepare::{IdentityKind, Prepared};
use leadgate_core::rules::Rules;
use leadgate_core::submission::Purpose;
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("LEADGATE_SAMPLES").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/forms");
    Some(named.unwrap_or_else(beside)).filter(|folder| folder.join("EXPECTED.json").exists())
}

#[test]
fn samples() {
    let Some(folder) = folder() else {
        println!("no folder of samples: set LEADGATE_SAMPLES");
        return;
    };
    let expected: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("EXPECTED.json")).unwrap()).unwrap();
    let mut seen = 0;
    for sample in &expected {
        let file = sample["file"].as_str().unwrap();
        let kinds: &[&str] = match file.split('_').next() {
            Some("tilda") => &["tilda"],
            Some("html") => &["html_form"],
            Some("cf7" | "elementor" | "gravity") => &["wordpress"],
            Some("hostile") => &["html_form", "wordpress"],
            _ => continue,
        };
        let body = std::fs::read(folder.join(file)).unwrap();
        for kind in kinds {
            sent(kind, file, sample, &body);
        }
        seen += 1;
    }
    assert!(seen > 0, "the folder has no sample of these kinds");
}

fn sent(kind: &str, file: &str, sample: &Value, body: &[u8]) {
    let config = if kind == "html_form" { "allow_origins = [\"https://shop.example\"]" } else { "" };
    let (push, _) = build(kind, config).unwrap();
    let mut call = Call::post(sample["content_type"].as_str().unwrap(), body.to_vec()).header("origin", "https://shop.example");
    for (name, value) in sample["headers"].as_object().into_iter().flatten() {
        call = call.header(&name.to_lowercase(), value.as_str().unwrap());
    }
    if let Some(query) = sample["query"].as_str() {
        call = call.query(query);
    }
    check(file, sample, call.parse(push.as_ref()).unwrap());
}

/// An expectation without the remark behind it: "Stan Tester (1.3 + 1.6)".
fn plain(expected: &str) -> &str {
    if expected.ends_with(')') { expected.rsplit_once(" (").map_or(expected, |(plain, _)| plain) } else { expected }
}

fn check(file: &str, sample: &Value, parsed: Parsed) {
    let expect = sample["expect"].as_str().unwrap();
    let mut all = match parsed {
        Parsed::Probe(reply) => {
            assert_eq!((expect, reply.status), ("probe", 200), "{file}");
            return;
        }
        Parsed::Submissions(all) => all,
        other => panic!("{file}: {other:?}"),
    };
    assert_ne!(expect, "probe", "{file}");
    let submission = all.remove(0);
    assert_eq!(submission.hold, None, "{file}");
    assert_eq!(submission.purpose == Purpose::Test, expect.starts_with("test"), "{file}");
    let prepared = Prepared::new(submission, &Rules::default());
    let want = |key: &str| sample[key].as_str().map(plain);
    assert_eq!(prepared.content.name.as_deref(), want("name"), "{file}");
    let typed =
        |kind: IdentityKind| prepared.content.values.iter().find(|value| value.kind == kind).map(|value| value.typed.as_str());
    assert_eq!(typed(IdentityKind::PHONE), want("phone"), "{file}");
    if file.starts_with("hostile_02") {
        assert!(prepared.identities.is_empty(), "{file}: {:?}", prepared.identities);
    } else {
        assert_eq!(typed(IdentityKind::EMAIL), want("email"), "{file}");
    }
    for (key, value) in sample["utm"].as_object().unwrap() {
        let value = plain(value.as_str().unwrap());
        let pairs: Vec<(&str, &str)> = if key == "page_url" {
            value.split('&').filter_map(|pair| pair.split_once('=')).collect()
        } else {
            vec![(key, value)]
        };
        for (key, value) in pairs {
            assert_eq!(prepared.touch().get(key), Some(value), "{file} {key}");
        }
    }
    if let Some(key) = want("idempotency") {
        let keys = &prepared.submission.keys;
        assert!(keys.iter().any(|known| key.contains(known.value.rsplit(':').next().unwrap())), "{file}: {keys:?}");
    }
}
