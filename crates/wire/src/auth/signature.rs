//! Signatures: HMAC over the raw body, or over a text it is part of.

use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hmac::{KeyInit as _, Mac as _};
use jiff::SignedDuration;
use leadgate_core::secret::Secret;
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::Call;
use crate::body;
use crate::pointer::Pointer;

/// A signature: where it stands, and what it was made of.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// The hash.
    pub algorithm: Algorithm,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// Where it stands.
    pub at: Piece,
    /// What stands before it there, such as `sha256=`.
    pub prefix: String,
    /// The names of its parts, where it is written like `t=1700000000,v=ab12..`.
    pub parts: Option<Parts>,
    /// What is signed.
    pub signed: Template,
    /// When it was signed, if it says so.
    pub stamp: Option<Stamp>,
    /// Any of these made it.
    pub secrets: Vec<Secret>,
}

/// The hash in an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, which some telephony services still use; as an HMAC it is not broken.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// How a signature's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hex in either case.
    Hex,
    /// Base64 with padding.
    Base64,
    /// Base64 of the hex text.
    Base64Hex,
}

/// The names in a signature that is a list, such as `t=..,v=..`. Every value under `signature` is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The name of the time.
    pub timestamp: String,
    /// The name of the signature itself.
    pub signature: String,
}

/// The time of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Where it stands; `None`: in the signature's own list.
    pub at: Option<Piece>,
    /// What it counts since 1970.
    pub unit: Unit,
    /// How far it may be from now, before or after.
    pub tolerance: SignedDuration,
}

/// What a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// A piece of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A header, by its lower-case name.
    Header(String),
    /// A field of the URL's query.
    Query(String),
    /// A field of the body.
    Field(Pointer),
}

impl Piece {
    fn read(&self, call: &Call<'_>) -> Option<String> {
        match self {
            Self::Header(name) => call.request.header(name).map(str::to_owned),
            Self::Query(name) => {
                let query = body::query(call.request.query(), &body::Limits::default()).unwrap_or_default();
                query.into_iter().find(|entry| entry.name == *name).map(|entry| entry.value)
            }
            Self::Field(at) => at.text(call.body?),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Header(name) => format!("the header {name}"),
            Self::Query(name) => format!("the field {name} of the URL"),
            Self::Field(at) => format!("the field {at} of the body"),
        }
    }
}

/// What is signed: texts, and between them the raw body, the time as it was sent, the method, the URL or a header:
/// `{timestamp}.{body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Fill>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fill {
    Text(String),
    Body,
    Timestamp,
    Method,
    Url,
    Header(String),
}

impl Template {
    /// The raw body and nothing else.
    pub fn body() -> Self {
        Self(vec![Fill::Body])
    }

    /// The time as it was sent, a dot and the raw body.
    pub fn stamped() -> Self {
        Self(vec![Fill::Timestamp, Fill::Text(".".to_owned()), Fill::Body])
    }

    /// Whether the time is part of it: a time that is not signed proves nothing.
    pub fn has_timestamp(&self) -> bool {
        self.0.contains(&Fill::Timestamp)
    }

    fn has_body(&self) -> bool {
        self.0.contains(&Fill::Body)
    }

    fn bytes(&self, call: &Call<'_>, timestamp: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(call.request.body.len() + 64);
        for fill in &self.0 {
            match fill {
                Fill::Text(text) => out.extend_from_slice(text.as_bytes()),
                Fill::Body => out.extend_from_slice(call.request.body),
                Fill::Timestamp => out.extend_from_slice(timestamp.as_bytes()),
                Fill::Method => out.extend_from_slice(call.request.method.as_bytes()),
                Fill::Url => out.extend_from_slice(call.request.url.as_bytes()),
                Fill::Header(name) => out.extend_from_slice(call.request.header(name).unwrap_or_default().as_bytes()),
            }
        }
        out
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fills = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or_else(|| format!("{text:?} has a brace that is not closed"))?;
            if !before.is_empty() {
                fills.push(Fill::Text(before.to_owned()));
            }
            fills.push(match name.trim() {
                "body" => Fill::Body,
                "timestamp" => Fill::Timestamp,
                "method" => Fill::Method,
                "url" => Fill::Url,
                other => match other.strip_prefix("header:") {
                    Some(header) => Fill::Header(header.trim().to_ascii_lowercase()),
                    None => {
                        return Err(format!(
                            "{{{other}}} is nothing that is signed; there are {{body}}, {{timestamp}}, {{method}}, {{url}}, {{header:name}}"
                        ));
                    }
                },
            });
            rest = behind;
        }
        if !rest.is_empty() {
            fills.push(Fill::Text(rest.to_owned()));
        }
        Ok(Self(fills))
    }
}

impl Hmac {
    /// A hex HMAC-SHA256 of the raw body in a header; the usual case, to be changed where a sender differs.
    pub fn of_body(header: &str, secrets: Vec<Secret>) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            at: Piece::Header(header.to_ascii_lowercase()),
            prefix: String::new(),
            parts: None,
            signed: Template::body(),
            stamp: None,
            secrets,
        }
    }

    pub(super) fn holds(&self, call: &Call<'_>) -> Result<(), String> {
        let what = self.at.words();
        if self.signed.has_body() && call.request.parts.is_some() {
            return Err("a multipart form cannot be checked against a signature".to_owned());
        }
        let presented = self.at.read(call).filter(|text| !text.trim().is_empty());
        let presented = presented.ok_or_else(|| format!("{what} holds no signature"))?;
        let presented = presented.trim();
        let (listed, signatures) = match &self.parts {
            None => (None, vec![presented]),
            Some(parts) => (named(presented, &parts.timestamp).next(), named(presented, &parts.signature).collect()),
        };
        let timestamp = match &self.stamp {
            None => String::new(),
            Some(stamp) => stamp.read(call, listed)?,
        };
        let message = self.signed.bytes(call, &timestamp);
        let right = signatures.iter().take(8).fold(Choice::from(0), |right, signature| right | self.made(signature, &message));
        if right.into() { Ok(()) } else { Err(format!("the signature in {what} is wrong")) }
    }

    /// Whether one of the secrets made a signature.
    fn made(&self, signature: &str, message: &[u8]) -> Choice {
        let bytes = signature.trim().strip_prefix(self.prefix.as_str()).and_then(|text| self.decoded(text));
        let Some(bytes) = bytes else { return Choice::from(0) };
        self.secrets.iter().fold(Choice::from(0), |right, secret| {
            let mac = self.algorithm.mac(secret, message);
            right | mac.map_or(Choice::from(0), |mac| mac.as_slice().ct_eq(&bytes))
        })
    }

    fn decoded(&self, text: &str) -> Option<Vec<u8>> {
        let text = text.trim().as_bytes();
        match self.encoding {
            Encoding::Hex => HEXLOWER_PERMISSIVE.decode(text).ok(),
            Encoding::Base64 => BASE64.decode(text).ok(),
            Encoding::Base64Hex => HEXLOWER_PERMISSIVE.decode(&BASE64.decode(text).ok()?).ok(),
        }
    }
}

impl Stamp {
    /// The time as it was sent, if it is near enough to now.
    fn read(&self, call: &Call<'_>, listed: Option<&str>) -> Result<String, String> {
        let sent = match &self.at {
            None => listed.map(str::to_owned),
            Some(at) => at.read(call),
        };
        let sent = sent.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let sent = sent.ok_or_else(|| "the signature has no time".to_owned())?;
        let count: i64 = sent.parse().map_err(|_not_a_number| "the time of the signature is no number".to_owned())?;
        let millis = match self.unit {
            Unit::Seconds => count.saturating_mul(1000),
            Unit::Milliseconds => count,
        };
        let off = millis.abs_diff(call.now.as_millisecond());
        let allowed = self.tolerance.as_millis().unsigned_abs();
        if u128::from(off) > allowed {
            return Err(format!("the signature was made {} s away from now; {} s are allowed", off / 1000, allowed / 1000));
        }
        Ok(sent)
    }
}

impl Algorithm {
    fn mac(self, secret: &Secret, message: &[u8]) -> Option<Vec<u8>> {
        let key = secret.expose().as_bytes();
        Some(match self {
            Self::Sha1 => hmac::Hmac::<Sha1>::new_from_slice(key).ok()?.chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha256 => {
                hmac::Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(message).finalize().into_bytes().to_vec()
            }
        })
    }
}

/// The values of a name in `t=1,v=2,v=3`.
fn named<'a>(list: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    list.split(',').filter_map(move |pair| {
        let (known, value) = pair.split_once('=')?;
        (known.trim() == name).then(|| value.trim())
    })
}
