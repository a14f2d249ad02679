//! Twilio's signature: over the address as Twilio knows it, and over the fields of a form or the hash of another body.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::{BASE64, HEXLOWER};
use leadgate_core::secret::Secret;

use crate::provider::{Incoming, Proof, Unproven};
use crate::signed;

/// The secrets that sign.
pub(super) struct Keys {
    /// Of the account.
    pub tokens: Vec<Secret>,
    /// Of other accounts, by their ids.
    pub accounts: BTreeMap<String, Vec<Secret>>,
    /// Keys that are made for signatures alone.
    pub shared: Vec<Secret>,
}

type Mac = fn(&Secret, &[u8]) -> Option<Vec<u8>>;

impl Keys {
    pub(super) fn verify(&self, incoming: &Incoming<'_>) -> Result<Proof, Unproven> {
        let request = incoming.request;
        let headers = ["x-twilio-signature", "x-signalwire-signature"];
        let Some(given) = headers.iter().find_map(|name| request.header(name)).map(str::trim) else {
            return Err(Unproven::new("there is no signature (X-Twilio-Signature)"));
        };
        let (mac, secrets) = self.chosen(incoming)?;
        if secrets.is_empty() {
            return Err(Unproven::new("the call is signed by a shared key, and the source has no shared_key"));
        }
        let parameters = parameters(incoming)?;
        let mut holds = false;
        for url in addresses(request.url) {
            let mut message = url.clone();
            for (name, value) in &parameters {
                message.push_str(name);
                message.push_str(value);
            }
            for secret in secrets {
                holds |= mac(secret, message.as_bytes()).is_some_and(|made| signed::same(&BASE64.encode(&made), given));
                // SignalWire signs what is no form like this: in hex, with the body as it is.
                let whole = [url.as_bytes(), request.body].concat();
                let hex = request.parts.is_none() && request.header("x-signalwire-signature").is_some();
                holds |= hex && mac(secret, &whole).is_some_and(|made| signed::same(&HEXLOWER.encode(&made), given));
            }
        }
        if holds {
            return Ok(Proof::Whole);
        }
        let why = "the signature does not fit: auth_token is another account's, or the provider calls another address than the \
                   gateway's public_url says"
            .to_owned();
        Err(Unproven { why, signed: signed::shown(request, &incoming.query, &incoming.body) })
    }

    /// With what the call is signed, by its own words, and with which of our secrets.
    fn chosen(&self, incoming: &Incoming<'_>) -> Result<(Mac, &[Secret]), Unproven> {
        let Some(settings) = incoming.request.header("x-twilio-webhooks-signature-settings") else {
            let account = incoming.text("AccountSid").and_then(|account| self.accounts.get(account));
            return Ok((signed::hmac_sha1, account.map_or(self.tokens.as_slice(), Vec::as_slice)));
        };
        let pairs = settings.split(',').filter_map(|pair| pair.split_once('='));
        let mut algorithms =
            pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("algorithm")).map(|(_, value)| value.trim());
        match (algorithms.next(), algorithms.next()) {
            (Some("HMAC_SHA256"), None) => Ok((signed::hmac_sha256, &self.shared)),
            _ => Err(Unproven::new("the call is signed in a way that is not known here (X-Twilio-Webhooks-Signature-Settings)")),
        }
    }
}

/// What is signed besides the address: each value of a form once; nothing where the address holds the body's hash.
fn parameters<'a>(incoming: &'a Incoming<'_>) -> Result<BTreeSet<(&'a str, &'a str)>, Unproven> {
    let request = incoming.request;
    let hash = incoming.query.iter().find(|entry| entry.name == "bodySHA256");
    let Some(hash) = hash else {
        return Ok(incoming.body.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect());
    };
    let whole = request.parts.is_none() && signed::same(&signed::sha256_hex(request.body), &hash.value.to_ascii_lowercase());
    if whole { Ok(BTreeSet::new()) } else { Err(Unproven::new("the body is another one than was signed (bodySHA256)")) }
}

/// The address, with and without its port: what is signed is not always what was called.
fn addresses(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    let named = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let mut other = format!("{scheme}://");
    match (named, scheme) {
        (Some(at), _) => other.push_str(&host[..at]),
        (None, "https") => other.extend([host, ":443"]),
        (None, "http") => other.extend([host, ":80"]),
        (None, _) => return all,
    }
    other.push_str(behind);
    all.push(other);
    all
}
