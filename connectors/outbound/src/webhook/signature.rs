//! Signatures by Standard Webhooks: HMAC-SHA256 of `<id>.<timestamp>.<body>`.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadgate_core::secret::Secret;
use sha2::Sha256;

/// How a secret begins.
const PREFIX: &str = "whsec_";
/// The fewest bytes of a key, by the specification.
const LEAST: usize = 24;
/// How one is made.
pub(super) const HOW: &str = "make one with: echo \"whsec_$(openssl rand -base64 32)\"";

/// A key that signs.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key>")
    }
}

impl Key {
    /// Reads `whsec_` and at least 24 bytes in Base64. The error says how to make one.
    pub(super) fn read(secret: &Secret) -> Result<Self, String> {
        let text = secret.expose().trim();
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            return Err(format!("it does not begin with {PREFIX}; {HOW}"));
        };
        let bare = encoded.trim_end_matches('=');
        let bytes = BASE64_NOPAD.decode(bare.as_bytes()).map_err(|_| format!("behind {PREFIX} there is no Base64; {HOW}"))?;
        if bytes.len() < LEAST {
            return Err(format!("it has {} bytes, and must have at least {LEAST}; {HOW}", bytes.len()));
        }
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| format!("it is no key; {HOW}"))
    }

    /// One signature: `v1,` and Base64.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mac = self.0.clone().chain_update(id).chain_update(format!(".{timestamp}.")).chain_update(body);
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

/// The value of `webhook-signature`: one signature of each key, in their order.
pub(super) fn signatures(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> String {
    let all: Vec<String> = keys.iter().map(|key| key.sign(id, timestamp, body)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key, String> {
        Key::read(&Secret::new(text))
    }

    /// Computed with: `printf '%s' 'msg_1.1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'abcdefghijklmnopqrstuvwx' -binary | base64`.
    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        let keys = [key("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4").unwrap()];
        let made = signatures(&keys, "msg_1", 1_700_000_000, b"{\"a\":1}");
        assert_eq!(made, "v1,LP8gQOd2Bw/qMCqTP2xzUPesfohP856Qd6Yv7wU0CU0=");
    }

    #[test]
    fn every_key_signs_and_the_first_is_first() {
        let keys =
            [key("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4").unwrap(), key("whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=").unwrap()];
        let both = signatures(&keys, "a", 1, b"x");
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!((first, second), (&*signatures(&keys[..1], "a", 1, b"x"), &*signatures(&keys[1..], "a", 1, b"x")));
        assert_ne!(first, second);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for bad in [
            "",
            "hunter2hunter2hunter2hunter2hunter2",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!!",
            "WHSEC_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4",
        ] {
            let why = key(bad).unwrap_err();
            assert!(why.contains("openssl rand -base64 32"), "{bad}: {why}");
            assert!(!why.contains("hunter2") && !why.contains("c2hvcnQ"), "{why}");
        }
        assert_eq!(format!("{:?}", key("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4").unwrap()), "<key>");
    }
}
