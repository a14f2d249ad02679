//! Comparing secrets.

use data_encoding::BASE64;
use leadgate_core::secret::Secret;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Whether a text is one of the secrets. Takes the same time whichever it is, and however much of it is right; while a
/// secret is being changed, the old and the new one are both in the list.
pub fn is_one_of(presented: &str, secrets: &[Secret]) -> bool {
    // Digests are of one length, so nothing is told about the length of a secret either.
    let presented = Sha256::digest(presented.as_bytes());
    let known = secrets.iter().fold(Choice::from(0), |known, secret| {
        known | presented.as_slice().ct_eq(Sha256::digest(secret.expose().as_bytes()).as_slice())
    });
    known.into()
}

/// What an `Authorization` header presents: the token of `Bearer`, the password of `Basic`, or a bare token.
pub fn authorization(header: &str) -> Option<String> {
    let header = header.trim();
    let Some((scheme, rest)) = header.split_once(char::is_whitespace) else {
        return (!header.is_empty()).then(|| header.to_owned());
    };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
        return (!rest.is_empty()).then(|| rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(BASE64.decode(rest.as_bytes()).ok()?).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_of_two_secrets() {
        let secrets = [Secret::new("old"), Secret::new("new")];
        assert!(is_one_of("old", &secrets) && is_one_of("new", &secrets));
        assert!(!is_one_of("", &secrets) && !is_one_of("olds", &secrets) && !is_one_of("old", &[]));
    }

    #[test]
    fn authorization_headers() {
        assert_eq!(authorization("Bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(authorization("basic dXNlcjpwYTpzcw==").as_deref(), Some("pa:ss"));
        assert_eq!(authorization("abc").as_deref(), Some("abc"));
        assert_eq!(authorization("Digest x=y"), None);
        assert_eq!(authorization("Basic %%%"), None);
        assert_eq!(authorization(" "), None);
    }
}
