//! Recordings: the API is asked for a link, which works for a while.

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{Fetch, NoFetch};
use leadgate_core::secret::Secret;
use leadgate_core::text;
use leadgate_wire::json::Json;
use md5::{Digest as _, Md5};
use url::form_urlencoded::Serializer;

use super::{Zadarma, sign};
use crate::provider::plain;

/// Where the API is asked; its signature covers the path.
const PATH: &str = "/v1/pbx/record/request/";
/// Seconds a link works.
const LIFETIME: &str = "1800";

/// The question for a link.
pub(super) fn ask(zadarma: &Zadarma, file: &OfferedFile) -> Result<Fetch, NoFetch> {
    let never = || NoFetch::Never("recordings are fetched with the API key: set key and secret".to_owned());
    let (Some(key), Some(secret)) = (&zadarma.key, zadarma.secrets.first()) else { return Err(never()) };
    // In the order of their names, as they are signed.
    let mut query = Serializer::new(String::new());
    let query = query.extend_pairs([("call_id", file.id.as_str()), ("format", "json"), ("lifetime", LIFETIME)]).finish();
    let header = authorization(key, secret, PATH, &query).ok_or_else(never)?;
    Ok(Fetch {
        url: format!("{}{PATH}?{query}", zadarma.api.origin),
        headers: vec![("authorization", header)],
        form: None,
        hosts: vec![zadarma.api.host.clone()],
        asks: true,
    })
}

/// `key:signature` of a call to the API.
pub(super) fn authorization(key: &Secret, secret: &Secret, path: &str, query: &str) -> Option<Secret> {
    let digest = data_encoding::HEXLOWER.encode(&Md5::digest(query.as_bytes()));
    let signature = sign::of(secret, format!("{path}{query}{digest}").as_bytes())?;
    Some(Secret::new(format!("{}:{signature}", key.expose())))
}

/// The link in the API's answer.
pub(super) fn found(zadarma: &Zadarma, answer: &[u8]) -> Result<Fetch, NoFetch> {
    let unreadable = || NoFetch::Later("the API's answer is no JSON".to_owned());
    let answer = std::str::from_utf8(answer).ok().and_then(|text| Json::parse(text).ok()).ok_or_else(unreadable)?;
    let link = answer.get("link").or_else(|| match answer.get("links") {
        Some(Json::List(links)) => links.first(),
        other => other,
    });
    if let Some(link) = link.and_then(Json::text).filter(|link| link.starts_with("https://")) {
        return Ok(Fetch { hosts: zadarma.hosts.clone(), ..plain(link.into_owned()) });
    }
    let said = answer.get("message").and_then(Json::text).unwrap_or_default();
    let words = format!("the API gives no link: {}", text::cut(&text::printable(&said, true), 200));
    let refused = ["authori", "forbidden", "access denied"].iter().any(|word| said.to_ascii_lowercase().contains(word));
    Err(if refused { NoFetch::Never(words) } else { NoFetch::Later(words) })
}
