//! Real bodies of forms and site builders, if the folder that holds them is there.

use std::path::PathBuf;

use crate::support::{Call, build};
use bytes::Bytes;
use leadgate_core::ports::{Parsed, Part};
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
            Some("typeform" | "tally" | "jotform" | "webflow" | "google" | "vk" | "meta") => &["webhook"],
            _ => continue,
        };
        // It carries no contact, only the number of one to be asked for.
        if sample["expect"].as_str().unwrap().starts_with("notification") {
            continue;
        }
        let body = std::fs::read(folder.join(file)).unwrap();
        for kind in kinds {
            sent(kind, file, sample, &body);
        }
        seen += 1;
    }
    assert!(seen > 0, "the folder has no sample of these kinds");
}

fn sent(kind: &str, file: &str, sample: &Value, body: &[u8]) {
    let content_type = sample["content_type"].as_str().unwrap();
    for config in configs(kind, file) {
        let (push, _) = build(kind, &config).unwrap();
        let mut call = Call::post(content_type, body.to_vec()).header("origin", "https://shop.example");
        if let Some((_, boundary)) = content_type.split_once("boundary=") {
            (call.parts, call.body) = (Some(parts(boundary, body)), Bytes::new());
        }
        for (name, value) in sample["headers"].as_object().into_iter().flatten() {
            call = call.header(&name.to_lowercase(), value.as_str().unwrap());
        }
        if let Some(query) = sample["query"].as_str() {
            call = call.query(query);
        }
        check(file, sample, call.parse(push.as_ref()).unwrap());
    }
}

/// An expectation without the remark behind it: "Stan Tester (1.3 + 1.6)".
fn plain(expected: &str) -> &str {
    if expected.ends_with(')') { expected.rsplit_once(" (").map_or(expected, |(plain, _)| plain) } else { expected }
}

/// What the source of a sample declares: a webhook nothing, and then its preset.
fn configs(kind: &str, file: &str) -> Vec<String> {
    if kind != "webhook" {
        return vec![if kind == "html_form" { "allow_origins = [\"https://shop.example\"]".to_owned() } else { String::new() }];
    }
    let service = match file.split('_').next().unwrap() {
        "google" if file.starts_with("google_ads") => "google_ads",
        "google" => "google_forms",
        "meta" => "meta_lead",
        service => service,
    };
    let preset = format!("preset = \"{service}\"");
    match file {
        // What a handshake is answered, only the preset knows.
        _ if file.contains("confirmation") => vec![format!("{preset}\nconfirmation = \"a1b2\"")],
        _ => vec![String::new(), preset],
    }
}

/// The fields of a multipart form.
fn parts(boundary: &str, body: &[u8]) -> Vec<Part> {
    let text = String::from_utf8_lossy(body);
    let between = format!("--{boundary}");
    let pieces = text.split(&between);
    let named = pieces.filter_map(|piece| {
        let (head, value) = piece.split_once("\r\n\r\n")?;
        let name = head.split_once("name=\"")?.1.split('"').next()?.to_owned();
        Some(Part::Field { name, value: Bytes::from(value.strip_suffix("\r\n")?.to_owned()) })
    });
    named.collect()
}

fn check(file: &str, sample: &Value, parsed: Parsed) {
    let expect = sample["expect"].as_str().unwrap();
    let mut all = match parsed {
        Parsed::Probe(reply) => {
            assert!(expect == "probe" || expect.starts_with("handshake"), "{file}: {expect}");
            assert_eq!(reply.status, 200, "{file}");
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
        let lower = |text: Option<&str>| text.map(str::to_lowercase);
        assert_eq!(lower(typed(IdentityKind::EMAIL)), lower(want("email")), "{file}");
    }
    for (key, value) in sample["utm"].as_object().unwrap() {
        let value = plain(value.as_str().unwrap());
        let pairs: Vec<(&str, &str)> = if key == "page_url" {
            value.split('&').filter_map(|pair| pair.split_once('=')).collect()
        } else {
            vec![(key, value)]
        };
        for (key, value) in pairs {
            let field = prepared.content.fields.iter().find(|field| field.name == key).map(|field| field.value.as_str());
            assert_eq!(prepared.touch().get(key).or(field), Some(value), "{file} {key}");
        }
    }
    if let Some(key) = want("idempotency") {
        let keys = &prepared.submission.keys;
        let is_named_only = file.starts_with("vk_");
        assert!(
            !keys.is_empty() && is_named_only || keys.iter().any(|known| key.contains(known.value.rsplit(':').next().unwrap())),
            "{file}: {keys:?}"
        );
    }
}
