//! The signature of a notification: it covers two or three fields, which ones depends on the event, and neither the event nor what came of
//! the call.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadgate_core::secret::Secret;
use leadgate_wire::auth::is_one_of;
use sha1::Sha1;

use crate::common::agreed;
use crate::provider::{Incoming, Proof, Unproven};

/// The fields that are signed, in their order.
type Signed = &'static [&'static str];

const CALL: Signed = &["caller_id", "called_did", "call_start"];
const ANSWER: Signed = &["caller_id", "destination", "call_start"];
const OUT: Signed = &["internal", "destination", "call_start"];
const RECORD: Signed = &["pbx_call_id", "call_id_with_rec"];
const RESULT: Signed = &["result"];

/// What is signed of an event; of one that nobody here knows, it may be any of these.
fn signed(event: &str) -> &'static [Signed] {
    match event {
        "NOTIFY_START" | "NOTIFY_IVR" | "NOTIFY_INTERNAL" | "NOTIFY_END" => &[CALL],
        "NOTIFY_ANSWER" => &[ANSWER],
        "NOTIFY_OUT_START" | "NOTIFY_OUT_END" => &[OUT],
        "NOTIFY_RECORD" => &[RECORD],
        "SMS" | "NUMBER_LOOKUP" | "CALL_TRACKING" | "SPEECH_RECOGNITION" => &[RESULT],
        _ => &[CALL, ANSWER, OUT, RECORD, RESULT],
    }
}

/// Whether one of the secrets made the header's signature.
pub(super) fn check(incoming: &Incoming<'_>, secrets: &[Secret]) -> Result<Proof, Unproven> {
    let event = incoming.text("event").unwrap_or_default();
    let ways = signed(event);
    let names = || ways.iter().map(|fields| fields.join("+")).collect::<Vec<_>>().join(" or ");
    let unproven = |why: &str| Unproven { why: why.to_owned(), signed: names() };
    let header = incoming.request.header("signature").map(str::trim).filter(|header| !header.is_empty());
    let header = header.ok_or_else(|| unproven("there is no signature: are API keys made in the account?"))?;
    for fields in ways {
        let mut text = String::new();
        for name in *fields {
            text.push_str(agreed(incoming, name)?);
        }
        let made: Vec<Secret> = secrets.iter().filter_map(|secret| of(secret, text.as_bytes())).map(Secret::new).collect();
        if !text.is_empty() && is_one_of(header, &made) {
            return Ok(Proof::Part);
        }
    }
    Err(unproven("the signature is wrong: is the secret that of this account?"))
}

/// A text's signature: Base64 of the HMAC's hexadecimal digits, not of its bytes.
pub(super) fn of(secret: &Secret, text: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(text);
    Some(BASE64.encode(HEXLOWER.encode(&mac.finalize().into_bytes()).as_bytes()))
}
