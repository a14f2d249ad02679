//! JSON Web Tokens: those Vonage sends with its webhooks, and ours with which recordings are asked for.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jiff::Timestamp;
use leadgate_core::secret::Secret;
use leadgate_wire::json::Json;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use crate::signed;

/// What a webhook's token says, its signature checked.
#[derive(Debug)]
pub(super) struct Claims(Json);

impl Claims {
    /// Reads a token that one of the secrets signed. `Err` says what is wrong.
    pub fn read(token: &str, secrets: &[Secret]) -> Result<Self, &'static str> {
        let mut parts = token.trim().split('.');
        let (Some(head), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err("the token is none");
        };
        // Which algorithm it is, is ours to say: a token that names another one is refused, whatever signs it.
        let algorithm = decoded(head).and_then(|head| head.get("alg")?.text().map(std::borrow::Cow::into_owned));
        if algorithm.as_deref() != Some("HS256") {
            return Err("the token is not signed by HS256");
        }
        let message = format!("{head}.{body}");
        let mut holds = false;
        for secret in secrets {
            let made = signed::hmac_sha256(secret, message.as_bytes());
            holds |= made.is_some_and(|made| signed::same(&BASE64URL_NOPAD.encode(&made), signature));
        }
        if !holds {
            return Err("the token's signature does not fit: signature_secret is another account's");
        }
        decoded(body).filter(Json::is_container).map(Self).ok_or("the token says nothing")
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.text().map(std::borrow::Cow::into_owned)
    }

    pub fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        text.split('.').next()?.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
    }
}

fn decoded(part: &str) -> Option<Json> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    Json::parse(std::str::from_utf8(&bytes).ok()?).ok()
}

/// An application at Vonage, and the key it signs with.
pub(super) struct Application {
    id: String,
    key: RsaKeyPair,
}

impl Application {
    /// Reads the private key as Vonage gives it. `Err` says what is wrong.
    pub fn read(id: String, pem: &str) -> Result<Self, String> {
        let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(body.as_bytes()).map_err(|_no_base64| "it is no private key in PEM form".to_owned())?;
        let key = RsaKeyPair::from_pkcs8(&der).or_else(|_other_form| RsaKeyPair::from_der(&der));
        let key = key.map_err(|why| format!("it is no RSA private key of at least 2048 bits ({why})"))?;
        Ok(Self { id, key })
    }

    /// A token for a time, which is good for a day: as long as a recording is tried to be fetched.
    pub fn token(&self, at: Timestamp, what: &str) -> Option<Secret> {
        let issued = at.as_second();
        let claims = serde_json::json!({
            "application_id": self.id,
            "iat": issued,
            "exp": issued.saturating_add(DAY),
            "jti": signed::sha256_hex(format!("{}:{issued}:{what}", self.id).as_bytes()),
        });
        let encoded = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
        let message = format!("{}.{}", encoded(r#"{"alg":"RS256","typ":"JWT"}"#), encoded(&claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("Bearer {message}.{}", BASE64URL_NOPAD.encode(&signature))))
    }
}

/// The longest that Vonage takes a token.
const DAY: i64 = 24 * 60 * 60;
