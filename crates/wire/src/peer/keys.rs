//! Reading a server's keys.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use url::Host;

use super::tls::certificates;
use super::{Peer, Ports, Security};
use crate::keys::Keys;

/// What a server is unless its keys say otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Usual<'a> {
    /// Its name, where it is known.
    pub host: Option<&'a str>,
    /// A name to show where none is.
    pub example: &'a str,
    /// How the connection is protected.
    pub security: Security,
    /// The ports of its protocol.
    pub ports: Ports,
}

/// For each step, unless `timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

impl Peer {
    /// The keys it takes.
    pub const KEYS: [&str; 6] = ["host", "port", "security", "ca", "fingerprint", "timeout"];

    /// Takes its keys.
    pub fn take(keys: &mut Keys, usual: &Usual<'_>) -> Self {
        let host = host(keys, usual);
        let choices = [("tls", Security::Tls), ("starttls", Security::StartTls), ("plain", Security::Plain)];
        let security = keys.one_of("security", &choices).unwrap_or(usual.security);
        if security == Security::Plain && !host.is_empty() && !is_here(&host) {
            let words = "with \"plain\" the password is readable on the way, so it is for this machine itself only (host = \"127.0.0.1\"); \
                         write \"tls\" or \"starttls\"";
            keys.problem("security", words);
        }
        let port = keys.number("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
        let (ca, fingerprint) = (ca(keys), fingerprint(keys));
        for (key, there) in [("ca", ca.is_some()), ("fingerprint", fingerprint.is_some())] {
            if there && security == Security::Plain {
                keys.problem(key, "there is no certificate with security = \"plain\"; leave this out");
            }
        }
        let timeout = keys.duration("timeout", Duration::from_secs(1)..=Duration::from_mins(10)).unwrap_or(TIMEOUT);
        let port = port.unwrap_or(usual.ports.of(security));
        Self { host, port, security, ca, fingerprint, timeout, ports: usual.ports }
    }
}

/// A name in ASCII, or an address; empty after a problem.
fn host(keys: &mut Keys, usual: &Usual<'_>) -> String {
    let example = usual.example;
    let Some(text) = keys.text("host") else {
        if usual.host.is_none() {
            keys.problem("host", format!("which server? write host = \"{example}\""));
        }
        return usual.host.unwrap_or_default().to_owned();
    };
    let text = text.trim();
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address.to_string();
    }
    if let Ok(Host::Domain(name)) = Host::parse(text) {
        return name;
    }
    keys.problem("host", format!("{text:?} is no name of a server; write it without a scheme and port, such as \"{example}\""));
    String::new()
}

/// Whether a host is this machine itself, as far as its name tells.
fn is_here(host: &str) -> bool {
    host.parse::<IpAddr>().map_or(host == "localhost", |address| address.to_canonical().is_loopback())
}

fn ca(keys: &mut Keys) -> Option<PathBuf> {
    let path = PathBuf::from(keys.text("ca")?);
    if let Err(why) = certificates(&path) {
        keys.problem("ca", why);
    }
    Some(path)
}

fn fingerprint(keys: &mut Keys) -> Option<[u8; 32]> {
    let text = keys.text("fingerprint")?;
    let bare = text.rsplit_once('=').map_or(text.as_str(), |(_, bare)| bare);
    let digits: String = bare.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
    let read = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if read.is_none() {
        let words = "it must be the SHA-256 of the server's certificate: 64 hexadecimal digits, with or without colons, as \
                     `openssl x509 -noout -fingerprint -sha256` writes them";
        keys.problem("fingerprint", words);
    }
    read
}
