//! Signatures, as others check them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use leadgate_core::ports::Deliver as _;
use serde_json::json;

use super::receiver::{Heard, Receiver, says};
use super::{NEW, OLD, PATIENCE, parcel_at, webhook};

/// Whether the library `standardwebhooks` of `PyPI` finds each of these genuine.
fn checked(checks: &[(&str, &Heard)]) -> Vec<bool> {
    let python = std::env::var("TEST_PYTHON")
        .expect("TEST_PYTHON names a Python that has the package standardwebhooks; tests/run makes one");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/standard_webhooks.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
    let mut stdin = child.stdin.take().unwrap();
    for (secret, heard) in checks {
        let header = |name: &str| heard.header(name).unwrap_or_default();
        let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| (name, header(name)));
        let headers: serde_json::Map<_, _> = headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        writeln!(stdin, "{}", json!({ "secret": secret, "headers": headers, "body": heard.body })).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed; its words are above");
    let lines: Vec<bool> = String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "genuine").collect();
    assert_eq!(lines.len(), checks.len());
    lines
}

#[expect(clippy::disallowed_methods, reason = "the library compares with the time it is")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::test]
async fn others_find_them_genuine_also_while_secrets_change() {
    let receiver = Receiver::start(vec![says("200 OK", "", ""); 8]).await;
    let sections = [
        format!("secret = \"{OLD}\""),
        format!("secret = [\"{NEW}\", \"{OLD}\"]"),
        format!("secret = \"{NEW}\""),
        format!("secret = \"{NEW}\"\ntemplate = '{{\"name\": {{{{ \"Анна 🙂\" ~ name }}}}}}'"),
    ];
    for section in &sections {
        let mut parcel = parcel_at("lead.created", now());
        parcel.brief.contact.as_mut().unwrap().name = "Анна \"Ё\" 🙂\n".to_owned();
        webhook(&receiver.url(), section, PATIENCE).deliver(&parcel).await.unwrap();
    }
    let late = parcel_at("lead.created", now() - jiff::SignedDuration::from_mins(30));
    webhook(&receiver.url(), &sections[0], PATIENCE).deliver(&late).await.unwrap();
    let heard = receiver.heard();
    let [old, both, new, template, late] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(both.header("webhook-signature").unwrap().split(' ').count(), 2);
    let changed = Heard { body: both.body.replace("lead.created", "lead.closed"), ..both.clone() };
    let checks = [
        (OLD, old, true),
        (NEW, old, false),
        (OLD, both, true),
        (NEW, both, true),
        (OLD, new, false),
        (NEW, new, true),
        (NEW, template, true),
        (NEW, &changed, false),
        (OLD, late, false),
    ];
    let found = checked(&checks.map(|(secret, heard, _)| (secret, heard)));
    assert_eq!(found, checks.map(|(.., genuine)| genuine));
}
