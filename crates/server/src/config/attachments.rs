//! `[attachments]`: where the files that came with leads are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use leadgate_core::ports::Secrets as _;
use leadgate_core::secret::Secret;
use toml::Value;

use super::layers::absolute;
use super::section::Section;
use crate::secrets::Resolver;

/// The folder within the data folder when none is named.
const OWN: &str = "attachments";
/// The region services that know no regions expect to be named.
const REGION: &str = "us-east-1";

/// Where attachments are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachments {
    /// A folder within the data folder, absolute: for one gateway.
    Own(PathBuf),
    /// A folder that several gateways see, absolute.
    Shared(PathBuf),
    /// A bucket.
    S3(S3),
}

impl Attachments {
    /// The folder within a data folder that is used when nothing else is said.
    pub fn in_data(data_dir: &Path) -> Self {
        Self::Own(data_dir.join(OWN))
    }
}

/// Where they are, for people, without the keys.
impl fmt::Display for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(folder) => folder.display().fmt(f),
            Self::Shared(folder) => write!(f, "{} (shared)", folder.display()),
            Self::S3(s3) => {
                let prefix = if s3.prefix.is_empty() { String::new() } else { format!("/{}", s3.prefix) };
                write!(f, "s3://{}{prefix} at {}", s3.bucket, s3.endpoint.as_deref().unwrap_or("Amazon"))
            }
        }
    }
}

/// A bucket of an S3 service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// What the names in it begin with; empty: nothing.
    pub prefix: String,
    /// The service, without a trailing slash; `None`: Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// Who calls.
    pub access_key: Secret,
    /// The proof.
    pub secret_key: Secret,
}

/// What `url` says, before the other keys are looked at.
enum Place {
    Own(PathBuf),
    Shared(PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// Reads `[attachments]`. `base`: relative paths of shared folders start here.
pub(super) fn attachments(mut section: Section<'_>, resolver: &Resolver, base: &Path, data_dir: &Path) -> Attachments {
    let place = section.parsed("url", |url| place(url, base, data_dir));
    let allow_http = section.flag("allow_http").unwrap_or(false);
    let endpoint = section.parsed("endpoint", |url| endpoint(url, allow_http));
    let region = section.text("region").unwrap_or_else(|| REGION.to_owned());
    let mut secret = |key: &'static str| {
        let value = section.take(key).filter(|value| !matches!(value, Value::String(text) if text.trim().is_empty()))?;
        let resolved = resolver.resolve(&value);
        Some(resolved.map_err(|words| section.problem(key, words)).ok())
    };
    let keys = (secret("access_key"), secret("secret_key"));
    let found = match place {
        Some(Place::Bucket { bucket, prefix }) => {
            for (key, value) in [("access_key", &keys.0), ("secret_key", &keys.1)] {
                if value.is_none() {
                    section.problem(
                        key,
                        "a bucket needs both keys of somebody who may read, write and list it: access_key and secret_key",
                    );
                }
            }
            match (keys.0.flatten(), keys.1.flatten()) {
                (Some(access_key), Some(secret_key)) => {
                    Attachments::S3(S3 { bucket, prefix, endpoint, region, access_key, secret_key })
                }
                // Told above.
                _ => Attachments::in_data(data_dir),
            }
        }
        other => {
            for (key, given) in
                [("endpoint", endpoint.is_some()), ("access_key", keys.0.is_some()), ("secret_key", keys.1.is_some())]
            {
                if given {
                    section.problem(key, "this is for a bucket: write url = \"s3://bucket/prefix\" as well, or remove this key");
                }
            }
            match other {
                Some(Place::Own(path)) => Attachments::Own(path),
                Some(Place::Shared(path)) => Attachments::Shared(path),
                _ => Attachments::in_data(data_dir),
            }
        }
    };
    section.finish();
    found
}

fn place(url: &str, base: &Path, data_dir: &Path) -> Result<Place, String> {
    const FORMS: &str = "write a folder within the data folder (\"attachments\"), a shared folder (\"file:/mnt/shared/leadgate\") or \
                         a bucket (\"s3://bucket/prefix\")";
    if let Some(rest) = url.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = (3..=63).contains(&bucket.len())
            && bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
        if !fits {
            return Err(format!("{bucket:?} is no name of a bucket: it has 3 to 63 small letters, digits, '-' and '.'"));
        }
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| part == "." || part == "..") || prefix.contains("//") || prefix.contains(['?', '#']) {
            return Err(format!(
                "{prefix:?} is no prefix: write plain names with a slash between them, as in \"s3://bucket/leads\""
            ));
        }
        return Ok(Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
    }
    if let Some(path) = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:")) {
        return match path.trim() {
            "" | "/" => Err(format!("{url:?} names no folder of its own: {FORMS}")),
            path => Ok(Place::Shared(absolute(base, Path::new(path)))),
        };
    }
    let path = Path::new(url);
    let plain = !url.contains(':') && path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain { Ok(Place::Own(data_dir.join(path))) } else { Err(format!("{url:?} is no place for attachments: {FORMS}")) }
}

fn endpoint(text: &str, allow_http: bool) -> Result<String, String> {
    let words = |why: &str| format!("{text:?} {why}: write the address of the S3 service, such as \"https://s3.company.ru\"");
    let url = url::Url::parse(text).map_err(|_| words("is no web address"))?;
    let Some(host) = url.host() else { return Err(words("names no host")) };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(words("must have no user, query or fragment"));
    }
    let here = match host {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    };
    match url.scheme() {
        "https" => {}
        "http" if here || allow_http => {}
        "http" => {
            return Err(words(
                "is not encrypted: everybody on the way could read customers' files. If that network is yours alone, add \
                 allow_http = true; else",
            ));
        }
        _ => return Err(words("must begin with https://")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
