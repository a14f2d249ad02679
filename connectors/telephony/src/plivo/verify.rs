//! Plivo's signature, version 3: over the address, the query and the fields of a form, and a number that is used once.

use data_encoding::BASE64;
use leadgate_core::secret::Secret;
use leadgate_wire::body::Entry;

use crate::provider::{Incoming, Proof, Unproven};
use crate::signed;

/// Whether any of the tokens signed the call.
pub(super) fn verify(incoming: &Incoming<'_>, tokens: &[Secret]) -> Result<Proof, Unproven> {
    let request = incoming.request;
    // A subaccount's calls are signed by the main account as well.
    let headers = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];
    let given: Vec<&str> = headers.iter().filter_map(|name| request.header(name)).flat_map(|list| list.split(',')).collect();
    let nonce = ["x-plivo-signature-v3-nonce", "x-plivo-signature-ma-v3-nonce"].iter().find_map(|name| request.header(name));
    let (false, Some(nonce)) = (given.is_empty(), nonce) else {
        return Err(Unproven::new("there is no signature (X-Plivo-Signature-V3 and X-Plivo-Signature-V3-Nonce)"));
    };
    let message = format!("{}.{}", message(incoming), nonce.trim());
    let mut holds = false;
    for token in tokens {
        let Some(made) = signed::hmac_sha256(token, message.as_bytes()) else { continue };
        let made = BASE64.encode(&made);
        for signature in &given {
            holds |= signed::same(&made, signature.trim());
        }
    }
    if holds {
        return Ok(Proof::Whole);
    }
    let why = "the signature does not fit: auth_token is another account's, or Plivo calls another address than the gateway's \
               public_url says"
        .to_owned();
    Err(Unproven { why, signed: signed::shown(request, &incoming.query, &incoming.body) })
}

/// What is signed before the number that is used once.
pub(super) fn message(incoming: &Incoming<'_>) -> String {
    let mut out = signed::before_query(incoming.request.url).to_owned();
    if incoming.request.method.eq_ignore_ascii_case("GET") {
        let all: Vec<&Entry> = incoming.query.iter().chain(&incoming.body).collect();
        let query = pairs(all, "=", "&");
        if !query.is_empty() {
            out.push('?');
            out.push_str(&query);
        }
        return out;
    }
    let query = pairs(incoming.query.iter().collect(), "=", "&");
    let fields = pairs(incoming.body.iter().collect(), "", "");
    if !query.is_empty() || !fields.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    if !query.is_empty() && !fields.is_empty() {
        out.push('.');
    }
    out.push_str(&fields);
    out
}

/// Fields in the order of their names, and of the values under one name.
fn pairs(mut entries: Vec<&Entry>, between: &str, and: &str) -> String {
    entries.sort_by(|one, other| (&one.name, &one.value).cmp(&(&other.name, &other.value)));
    let pair = |entry: &&Entry| format!("{}{between}{}", entry.name, entry.value);
    entries.iter().map(pair).collect::<Vec<_>>().join(and)
}
