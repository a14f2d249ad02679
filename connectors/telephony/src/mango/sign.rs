//! The signature of a notification: it covers the code of the PBX and the JSON as it was sent.

use data_encoding::HEXLOWER;
use leadgate_core::secret::Secret;
use leadgate_wire::auth::is_one_of;
use sha2::{Digest as _, Sha256};

use crate::common::agreed;
use crate::provider::{Incoming, Proof, Unproven};

/// Whether the code is ours and the signature was made with one of the salts.
pub(super) fn check(incoming: &Incoming<'_>, keys: &[Secret], salts: &[Secret]) -> Result<Proof, Unproven> {
    let (key, json, sign) = (agreed(incoming, "vpbx_api_key")?, agreed(incoming, "json")?, agreed(incoming, "sign")?);
    let unproven = |why: &str| Unproven { why: why.to_owned(), signed: "vpbx_api_key+json+salt".to_owned() };
    if key.is_empty() || sign.is_empty() {
        return Err(unproven("vpbx_api_key or sign is missing"));
    }
    let known = is_one_of(key, keys);
    let made: Vec<Secret> = salts.iter().map(|salt| Secret::new(of(key, json, salt))).collect();
    let right = is_one_of(&sign.trim().to_ascii_lowercase(), &made);
    match (known, right) {
        (true, true) => Ok(Proof::Whole),
        (false, _) => Err(unproven("vpbx_api_key is that of another PBX")),
        (true, false) => Err(unproven("the signature is wrong: is the salt the key to make signatures of this PBX?")),
    }
}

/// What signs a JSON.
pub(super) fn of(key: &str, json: &str, salt: &Secret) -> String {
    let digest = Sha256::new().chain_update(key).chain_update(json).chain_update(salt.expose()).finalize();
    HEXLOWER.encode(&digest)
}
