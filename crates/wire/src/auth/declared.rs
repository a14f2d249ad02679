//! Checks as a source's config declares them.

use jiff::SignedDuration;
use leadgate_core::ports::Secrets;
use leadgate_core::secret::Secret;

use super::{Algorithm, Auth, Check, Encoding, Hmac, Parts, Piece, Stamp, Template, Unit};
use crate::keys::Keys;

/// How far a signature's time may be from now, unless the config says otherwise. Services sign when they send.
const TOLERANCE_S: u64 = 300;

/// Reads `auth`: a table, or a list of tables any of which is enough, each with one or several of `path`, `header`, `query`,
/// `field`, `basic`, `addresses` and `hmac`, all of which must hold. A check that names no secret of its own takes the
/// source's.
pub fn read(keys: &mut Keys, secrets: &dyn Secrets, usual: &[Secret]) -> Option<Auth> {
    let any = keys.each("auth", |group| {
        let checks = checks(group, &Resolver { secrets, usual });
        if checks.is_empty() {
            group.problem("", "a way in needs one check at least: path, header, query, field, basic, addresses or hmac");
        }
        checks
    })?;
    if any.is_empty() {
        keys.problem("auth", "the list is empty: nobody could ever send anything");
    }
    Some(Auth { any })
}

struct Resolver<'a> {
    secrets: &'a dyn Secrets,
    usual: &'a [Secret],
}

impl Resolver<'_> {
    fn take(&self, keys: &mut Keys, key: &'static str) -> Vec<Secret> {
        let (declared, own) = (keys.has(key), keys.secrets(key, self.secrets));
        if declared {
            return own;
        }
        if self.usual.is_empty() {
            keys.problem(key, "there is no secret to compare with; write { env = \"NAME\" } or { file = \"path\" }");
        }
        self.usual.to_vec()
    }
}

fn checks(group: &mut Keys, secrets: &Resolver<'_>) -> Vec<Check> {
    let mut out = Vec::new();
    if group.yes("path") == Some(true) {
        out.push(Check::PathToken);
    }
    let headers = group.each("header", |keys| {
        let name = needed(keys, "name");
        Check::Header { name: name.to_ascii_lowercase(), secrets: secrets.take(keys, "secret") }
    });
    let queries = group.each("query", |keys| Check::Query { name: needed(keys, "name"), secrets: secrets.take(keys, "secret") });
    let fields = group.each("field", |keys| {
        if !keys.has("at") {
            keys.problem("at", "it is missing: where in the body the secret stands, e.g. \"/secret\"");
        }
        keys.parsed("at").map(|at| Check::Field { at, secrets: secrets.take(keys, "secret") })
    });
    let basics = group.each("basic", |keys| Check::Basic { user: keys.text("user"), passwords: secrets.take(keys, "secret") });
    out.extend(headers.into_iter().chain(queries).chain(basics).flatten());
    out.extend(fields.into_iter().flatten().flatten());
    if let Some(networks) = addresses(group) {
        out.push(Check::Addresses(networks));
    }
    out.extend(group.each("hmac", |keys| hmac(keys, secrets)).into_iter().flatten().flatten().map(Check::Hmac));
    out
}

fn needed(keys: &mut Keys, key: &'static str) -> String {
    let text = keys.text(key).map(|text| text.trim().to_owned()).unwrap_or_default();
    if text.is_empty() {
        keys.problem(key, "it is missing");
    }
    text
}

/// Networks (`10.0.0.0/8`) and single addresses.
fn addresses(group: &mut Keys) -> Option<Vec<ipnet::IpNet>> {
    let texts = group.list("addresses")?;
    let mut out = Vec::new();
    for text in texts {
        let single = text.trim().parse::<std::net::IpAddr>().map(ipnet::IpNet::from).ok();
        match single.or_else(|| text.trim().parse().ok()) {
            Some(network) => out.push(network),
            None => group.problem("addresses", format!("{text:?} is neither an address nor a network such as \"10.0.0.0/8\"")),
        }
    }
    if out.is_empty() {
        group.problem("addresses", "the list is empty: nobody's address would be on it");
    }
    Some(out)
}

fn hmac(keys: &mut Keys, secrets: &Resolver<'_>) -> Option<Hmac> {
    let at = piece(keys, "header", "query", "field");
    if at.is_none() {
        keys.problem("header", "one of header, query and field says where the signature stands");
    }
    let algorithm = keys.one_of("algorithm", &[("sha256", Algorithm::Sha256), ("sha1", Algorithm::Sha1)]);
    let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64), ("base64_hex", Encoding::Base64Hex)];
    let encoding = keys.one_of("encoding", &encodings);
    let prefix = keys.text("prefix").unwrap_or_default();
    let parts = keys.within("parts", |keys| Parts { timestamp: needed(keys, "timestamp"), signature: needed(keys, "signature") });
    let signed = keys.parsed("signed").unwrap_or_else(Template::body);
    let stamp = stamp(keys, parts.is_some(), &signed);
    let secrets = secrets.take(keys, "secret");
    Some(Hmac {
        algorithm: algorithm.unwrap_or(Algorithm::Sha256),
        encoding: encoding.unwrap_or(Encoding::Hex),
        at: at?,
        prefix,
        parts,
        signed,
        stamp,
        secrets,
    })
}

/// The one of three keys that says where something stands.
fn piece(keys: &mut Keys, header: &'static str, query: &'static str, field: &'static str) -> Option<Piece> {
    let mut found = [
        keys.text(header).map(|name| Piece::Header(name.trim().to_ascii_lowercase())),
        keys.text(query).map(Piece::Query),
        keys.parsed(field).map(Piece::Field),
    ]
    .into_iter()
    .flatten();
    let first = found.next();
    if found.next().is_some() {
        keys.problem(header, "only one of the places can be where it stands");
    }
    first
}

fn stamp(keys: &mut Keys, listed: bool, signed: &Template) -> Option<Stamp> {
    let at = piece(keys, "timestamp_header", "timestamp_query", "timestamp_field");
    let unit = keys.one_of("timestamp_unit", &[("s", Unit::Seconds), ("ms", Unit::Milliseconds)]);
    let tolerance = keys.number("tolerance_s", 1..=86_400).unwrap_or(TOLERANCE_S);
    if at.is_none() && !listed {
        if signed.has_timestamp() {
            keys.problem("timestamp_header", "{timestamp} is signed, but nothing says where it stands");
        }
        return None;
    }
    if !signed.has_timestamp() {
        keys.problem("signed", "a time that is not signed proves nothing; write e.g. \"{timestamp}.{body}\"");
    }
    let tolerance = SignedDuration::from_secs(i64::try_from(tolerance).unwrap_or(300));
    Some(Stamp { at, unit: unit.unwrap_or(Unit::Seconds), tolerance })
}
