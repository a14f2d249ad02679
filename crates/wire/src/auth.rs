//! Whether a call comes from the sender it says it comes from.
//!
//! A source declares an any-of list of all-of groups ([`Auth`]): one group whose every [`Check`] holds is enough. Secrets are
//! compared in constant time, and each may be several, so that one can be changed without losing a call. The clock is an
//! argument.

mod declared;
mod signature;

use data_encoding::BASE64;
use ipnet::IpNet;
use jiff::Timestamp;
use leadgate_core::ports::{PathToken, Request};
use leadgate_core::secret::Secret;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

pub use declared::read;
pub use signature::{Algorithm, Encoding, Hmac, Parts, Piece, Stamp, Template, Unit};

use crate::body;
use crate::json::Json;
use crate::pointer::Pointer;

/// What proves a call: any of these groups, of each of which every check must hold. No group: nothing proves it.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// The groups.
    pub any: Vec<Vec<Check>>,
}

/// One check.
#[derive(Clone, Debug)]
pub enum Check {
    /// The path holds a valid token of the source.
    PathToken,
    /// A header is one of the secrets; of `Authorization`, what [`authorization`] finds in it.
    Header {
        /// Its name in lower case.
        name: String,
        /// Any of these.
        secrets: Vec<Secret>,
    },
    /// A field of the URL's query is one of the secrets.
    Query {
        /// Its name.
        name: String,
        /// Any of these.
        secrets: Vec<Secret>,
    },
    /// A field of the body is one of the secrets.
    Field {
        /// Its place.
        at: Pointer,
        /// Any of these.
        secrets: Vec<Secret>,
    },
    /// `Authorization: Basic` with this name, if one is given, and one of the passwords.
    Basic {
        /// The name.
        user: Option<String>,
        /// Any of these.
        passwords: Vec<Secret>,
    },
    /// The sender's address, behind a declared proxy the one it names, is in one of these networks.
    Addresses(Vec<IpNet>),
    /// A signature.
    Hmac(Hmac),
}

/// What a call presents.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The call itself.
    pub request: &'a Request<'a>,
    /// Its body, decoded; `None` if it means nothing.
    pub body: Option<&'a Json>,
    /// Now.
    pub now: Timestamp,
}

/// No group of checks held. Says what failed, in words without secrets; the reason in the group nearest to success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unproven(pub String);

impl Auth {
    /// Only the token in the path: what every address of a source holds.
    pub fn path_token() -> Self {
        Self { any: vec![vec![Check::PathToken]] }
    }

    /// Whether a group holds.
    pub fn check(&self, call: &Call<'_>) -> Result<(), Unproven> {
        if call.request.path_token == PathToken::Vouched {
            return Ok(());
        }
        let mut nearest: Option<(usize, String)> = None;
        for group in &self.any {
            let failed: Vec<String> = group.iter().filter_map(|check| check.holds(call).err()).collect();
            let held = group.len() - failed.len();
            if failed.is_empty() && held > 0 {
                return Ok(());
            }
            if nearest.as_ref().is_none_or(|(known, _)| held > *known) {
                nearest = Some((held, failed.join("; ")));
            }
        }
        Err(Unproven(nearest.map_or_else(|| "nothing is declared that would prove the sender".to_owned(), |(_, why)| why)))
    }

    /// The places in a body that hold a secret: never kept.
    pub fn secret_places(&self) -> impl Iterator<Item = &Pointer> {
        self.any.iter().flatten().filter_map(|check| match check {
            Check::Field { at, .. } => Some(at),
            _ => None,
        })
    }

    /// The fields of a query that hold a secret: never kept.
    pub fn secret_queries(&self) -> impl Iterator<Item = &str> {
        self.any.iter().flatten().filter_map(|check| match check {
            Check::Query { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Check {
    fn holds(&self, call: &Call<'_>) -> Result<(), String> {
        let request = call.request;
        match self {
            Self::PathToken if request.path_token == PathToken::Valid => Ok(()),
            Self::PathToken => Err("the path holds no token of this source".to_owned()),
            Self::Header { name, secrets } => {
                let all = request.headers.iter().filter(|(known, _)| known == name);
                let values =
                    all.filter_map(
                        |(_, value)| {
                            if name == "authorization" { authorization(value) } else { Some(value.trim().to_owned()) }
                        },
                    );
                fits(values, secrets, &format!("the key in the header {name}"))
            }
            Self::Query { name, secrets } => {
                let query = body::query(request.query(), &body::Limits::default()).unwrap_or_default();
                let values = query.into_iter().filter(|entry| entry.name == *name).map(|entry| entry.value);
                fits(values, secrets, &format!("the key {name} in the URL"))
            }
            Self::Field { at, secrets } => {
                let places = call.body.map(|body| at.find(body)).unwrap_or_default();
                let values = places.iter().filter_map(|place| Some(place.value.text()?.into_owned()));
                fits(values, secrets, &format!("the key at {at} in the body"))
            }
            Self::Basic { user, passwords } => basic(request, user.as_deref(), passwords),
            Self::Addresses(networks) => match request.peer {
                Some(peer) if networks.iter().any(|network| network.contains(&peer.to_canonical())) => Ok(()),
                Some(_) => Err("the sender's address is not on the list".to_owned()),
                None => Err("the sender's address is not known: is the proxy before the gateway declared?".to_owned()),
            },
            Self::Hmac(hmac) => hmac.holds(call),
        }
    }
}

/// Compares whatever was presented; how much of it there is, is no secret.
fn fits(values: impl Iterator<Item = String>, secrets: &[Secret], what: &str) -> Result<(), String> {
    let (mut any, mut right) = (false, false);
    for value in values {
        any = true;
        right |= is_one_of(value.trim(), secrets);
    }
    match (any, right) {
        (_, true) => Ok(()),
        (true, false) => Err(format!("{what} is wrong")),
        (false, false) => Err(format!("{what} is missing")),
    }
}

fn basic(request: &Request<'_>, user: Option<&str>, passwords: &[Secret]) -> Result<(), String> {
    let Some((name, password)) = request.header("authorization").and_then(basic_pair) else {
        return Err("there is no name and password (Authorization: Basic)".to_owned());
    };
    let known = user.is_none_or(|user| is_one_of(&name, &[Secret::new(user)]));
    let right = is_one_of(&password, passwords);
    if known & right { Ok(()) } else { Err("the name or the password (Authorization: Basic) is wrong".to_owned()) }
}

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
    basic_pair(header).map(|(_, password)| password)
}

/// The name and the password of `Authorization: Basic`.
fn basic_pair(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
    pair.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests;
