//! Signatures that clouds of telephony make, and the addresses they sign.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadgate_core::ports::{PathToken, Request};
use leadgate_core::secret::Secret;
use leadgate_wire::body::Entry;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// HMAC-SHA1.
pub(crate) fn hmac_sha1(key: &Secret, message: &[u8]) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha1>::new_from_slice(key.expose().trim().as_bytes()).ok()?;
    Some(mac.chain_update(message).finalize().into_bytes().to_vec())
}

/// HMAC-SHA256.
pub(crate) fn hmac_sha256(key: &Secret, message: &[u8]) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose().trim().as_bytes()).ok()?;
    Some(mac.chain_update(message).finalize().into_bytes().to_vec())
}

/// SHA-256 as lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Whether two texts are the same, in a time that does not tell how far they are.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The address of a source, with its token, without what stands below it and without a query: as the sender wrote it.
pub(crate) fn base<'a>(request: &Request<'a>) -> &'a str {
    let path = before_query(request.url).trim_end_matches('/');
    path.strip_suffix(request.rest).unwrap_or(path).trim_end_matches('/')
}

/// An address of a source, below its token.
pub(crate) fn below(request: &Request<'_>, path: &str) -> String {
    format!("{}/{path}", base(request))
}

/// A URL up to its query.
pub(crate) fn before_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What was signed, for whoever sets a source up: the address without its token, and the names of the parameters.
pub(crate) fn shown(request: &Request<'_>, query: &[Entry], parameters: &[Entry]) -> String {
    let path = before_query(request.url);
    let base = base(request);
    let behind = path.get(base.len()..).unwrap_or_default();
    let before = match request.path_token {
        PathToken::Valid | PathToken::Vouched => base.rfind('/').map_or(base, |slash| &base[..=slash]),
        PathToken::Absent => base,
    };
    let token = if before.len() < base.len() { "…" } else { "" };
    let mut out = format!("{before}{token}{behind}");
    for (n, entry) in query.iter().enumerate() {
        out.push(if n == 0 { '?' } else { '&' });
        out.push_str(&entry.name);
        out.push_str("=…");
    }
    for (n, entry) in parameters.iter().enumerate() {
        out.push_str(if n == 0 { " with " } else { ", " });
        out.push_str(&entry.name);
    }
    leadgate_core::text::clean(leadgate_core::text::cut(&out, MOST_SHOWN)).into_owned()
}

/// Bytes of what is shown.
const MOST_SHOWN: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_token_and_no_value() {
        let source = leadgate_core::ids::SourceId::parse("calls").unwrap();
        let body = bytes::Bytes::new();
        let at = |url: &'static str, rest: &'static str| {
            let request = Request {
                id: leadgate_core::ids::SubmissionId(uuid::Uuid::nil()),
                source: &source,
                method: "POST",
                url,
                headers: &[],
                body: &body,
                parts: None,
                peer: None,
                received_at: crate::testing::noon(),
                path_token: PathToken::Valid,
                rest,
            };
            let entry = |name: &str| Entry { name: name.to_owned(), path: vec![name.to_owned()], value: "secret".to_owned() };
            (shown(&request, &[entry("a")], &[entry("From"), entry("To")]), below(&request, "voice/dial"))
        };
        let dial = "https://gw.example.com/in/calls/TOKEN/voice/dial".to_owned();
        for (url, rest, shown) in [
            ("https://gw.example.com/in/calls/TOKEN?a=secret", "", "https://gw.example.com/in/calls/…?a=… with From, To"),
            ("https://gw.example.com/in/calls/TOKEN/?a=1", "", "https://gw.example.com/in/calls/…/?a=… with From, To"),
            (
                "https://gw.example.com/in/calls/TOKEN/voice/?a=1",
                "voice",
                "https://gw.example.com/in/calls/…/voice/?a=… with From, To",
            ),
            (
                "https://gw.example.com/in/calls/TOKEN/voice/dial",
                "voice/dial",
                "https://gw.example.com/in/calls/…/voice/dial?a=… with From, To",
            ),
        ] {
            assert_eq!(at(url, rest), (shown.to_owned(), dial.clone()), "{url}");
        }
    }
}
