//! Webhooks against receivers of our own, over sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod delivering;
mod receiver;
mod signed;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use leadgate_core::ports::{DeliverError, Parcel, Secrets};
use leadgate_core::secret::Secret;
use leadgate_outbound::webhook::{Around, Webhook, read, sample};
use leadgate_wire::guarded::{Allowed, Guarded, Inner, Lookup};
use toml::Value;
use uuid::Uuid;

/// Keys of 24 and of 32 bytes.
const OLD: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";
const NEW: &str = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";

/// A name server that knows one host, which is not where it should be.
struct Names;

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "inside.example" => Ok(vec!["10.0.0.1".parse().unwrap(), "169.254.169.254".parse().unwrap()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "no text".to_owned())
    }
}

/// A webhook to this URL, which may be on this machine, with further keys of its section.
fn webhook(url: &str, keys: &str, timeout: Duration) -> Webhook {
    let allowed = Allowed::new(vec![Inner::parse("127.0.0.1").unwrap()]);
    let section = format!("url = \"{url}\"\n{keys}").parse().unwrap();
    let mut hook = read("crm", section, Around { secrets: &Plain, allowed: &allowed, language: "en" }).unwrap();
    hook.timeout = timeout;
    Webhook::new(&hook, Guarded::new(Arc::new(Names), allowed).unwrap())
}

/// Long enough for whatever is answered at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// For what is never answered.
const HASTE: Duration = Duration::from_millis(400);

fn parcel_at(event: &str, now: Timestamp) -> Parcel {
    sample(event, "webhook:crm", Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001), Uuid::from_u128(2), now).unwrap()
}

fn parcel(event: &str) -> Parcel {
    parcel_at(event, "2026-11-21T12:00:00Z".parse().unwrap())
}

/// The name of what became of it, and the words; they never tell the secret in the URL.
fn end<T: std::fmt::Debug>(told: Result<T, DeliverError>) -> (&'static str, String, Option<u64>) {
    assert!(!format!("{told:?}").contains("hidden"), "{told:?}");
    match told {
        Ok(_) => ("done", String::new(), None),
        Err(DeliverError::Unavailable { words, after }) => ("unavailable", words, after.map(|after| after.as_secs())),
        Err(DeliverError::Later { words, after }) => ("later", words, after.map(|after| after.as_secs())),
        Err(DeliverError::Refused { words } | DeliverError::NoRecipient { words }) => ("refused", words, None),
        Err(DeliverError::Gone { words }) => ("gone", words, None),
        Err(DeliverError::Quiet { .. }) => panic!("a webhook is never disturbed"),
    }
}
