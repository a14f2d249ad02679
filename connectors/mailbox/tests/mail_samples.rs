//! Mails that real programs sent, kept beside the project: bounces, replies and signatures. Without them these tests pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use leadgate_core::submission::MailClass;
use leadgate_mailbox::mime::{self, Address, Hints, Mail};
use leadgate_mailbox::reading::{cut, cut_mail, failures, judge};
use leadgate_mailbox::settings::Policy;
use serde::Deserialize;

fn samples(folder: &str) -> Option<PathBuf> {
    let given = std::env::var_os("LEADGATE_MAIL_SAMPLES").map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/mail")).join(folder);
    folder.is_dir().then_some(folder)
}

#[expect(clippy::unwrap_used, reason = "it is a part of tests")]
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[expect(clippy::unwrap_used, reason = "it is a part of tests")]
fn read(path: &Path) -> Mail {
    mime::read(&fs::read(path).unwrap(), &Hints::default())
}

/// A text without any blanks.
fn tight(text: &str) -> String {
    text.split_whitespace().collect()
}

#[derive(Deserialize)]
struct Expected {
    failed_recipients: Vec<String>,
    temporary: bool,
}

#[test]
fn bounces() {
    let Some(folder) = samples("flufl-bounce") else { return };
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let (mut classed, mut named, mut flagged, mut missed) = (0, 0, 0, Vec::new());
    for (file, expected) in &expected {
        let mail = read(&folder.join(file));
        let class = judge(&mail, &Policy::default()).class;
        classed += usize::from(class == MailClass::Bounce);
        let told = failures(&mail);
        let lower = |address: &String| address.to_lowercase();
        let wanted: BTreeSet<String> = expected.failed_recipients.iter().map(lower).collect();
        let got: BTreeSet<String> = told.iter().map(|failure| lower(&failure.address)).collect();
        named += usize::from(got == wanted);
        flagged += usize::from(got == wanted && told.iter().all(|failure| failure.permanent != expected.temporary));
        if got != wanted || class != MailClass::Bounce {
            missed.push(format!("{file}: {class:?} {got:?} instead of {wanted:?}"));
        }
    }
    let all = expected.len();
    println!("bounces: {classed} of {all} classed, {named} named, {flagged} with the flag; {missed:#?}");
    assert!(classed * 100 >= all * 95 && named * 100 >= all * 85, "{missed:#?}");
}

#[test]
fn replies() {
    let Some(folder) = samples("talon/standard_replies") else { return };
    let mut missed = Vec::new();
    let files = files(&folder, ".eml");
    for path in files.iter().filter(|path| !name(path).starts_with("reply-quotations")) {
        let cut = cut_mail(&read(path));
        // Those who keep a signature with the reply expect both.
        let kept = fs::read_to_string(path.with_file_name(name(path).replace(".eml", "_reply_text")));
        let whole = format!("{}{}", cut.new, cut.signature);
        if cut.new != "Hello" || kept.is_ok_and(|kept| tight(&kept) != tight(&whole)) {
            missed.push(format!("{}: {cut:?}", name(path)));
        }
    }
    println!("replies: {missed:#?}");
    assert!(missed.len() <= 1, "{missed:#?}");
}

#[test]
fn replies_in_html() {
    let Some(folder) = samples("talon/html_replies") else { return };
    for path in files(&folder, ".html") {
        let html = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let cut = cut_mail(&Mail { text: "whole".to_owned(), html: Some(html), ..Mail::default() });
        let wanted = match name(&path).as_str() {
            "OLK_SRC_BODY_SECTION.html" => "Reply",
            "reply-separated-by-hr.html" => "HithereBob",
            _ => "Hi.Iamfine.Thanks,Alex",
        };
        assert_eq!(tight(&cut.new), wanted, "{}", name(&path));
    }
}

#[test]
fn signatures() {
    let Some(folder) = samples("talon/signature") else { return };
    let (mut equal, mut missed) = (0, Vec::new());
    let files = files(&folder, "_body");
    for path in &files {
        let beside = |kind: &str| fs::read_to_string(path.with_file_name(name(path).replace("_body", kind))).unwrap();
        // How the set marks its lines.
        let plain = |text: String| text.replace("#sig#", "");
        let sender = Address { name: beside("_sender").trim().to_owned(), address: String::new() };
        let text = plain(fs::read_to_string(path).unwrap());
        let cut = cut_mail(&Mail { text, from: vec![sender], ..Mail::default() });
        if tight(&cut.signature) == tight(&plain(beside("_signature"))) {
            equal += 1;
        } else {
            missed.push(format!("{}: {:?}", name(path), cut.signature));
        }
    }
    println!("signatures: {equal} of {}; {missed:#?}", files.len());
    assert!(equal + 1 >= files.len(), "{missed:#?}");
    let message = fs::read_to_string(folder.join("unicode_msg")).unwrap();
    assert!(cut(&message).signature.starts_with("С уважением"), "{:?}", cut(&message));
}

#[test]
fn no_reply_is_cut_to_nothing() {
    for folder in ["php-imap", "django-mailbox", "mail-parser-rs", "flufl-bounce"] {
        let Some(folder) = samples(folder) else { return };
        for path in files(&folder, ".eml") {
            let mail = read(&path);
            let cut = cut_mail(&mail);
            assert!(!cut.new.is_empty() || mail.text.chars().all(|c| !c.is_alphanumeric()), "{}", path.display());
        }
    }
}
