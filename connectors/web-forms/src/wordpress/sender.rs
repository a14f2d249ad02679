//! Who called: a WordPress names itself and its site to everybody it calls.

use leadgate_core::ports::Request;
use leadgate_core::text;
use leadgate_wire::fields::looks_like_url;
use url::Url;

/// The site in `WordPress/6.1.9; https://site`, where plugins add names of their own before or behind.
pub(super) fn site(request: &Request<'_>) -> Option<String> {
    let agent = request.header("user-agent")?;
    let known = ["WordPress/", "wpforms-webhooks", "Forminator"].iter().any(|name| agent.contains(name));
    let start = agent.find("https://").or_else(|| agent.find("http://"))?;
    let url = agent[start..].split([' ', ';', ')', ',', '"', '\t']).next().unwrap_or_default().trim_end_matches('/');
    (known && looks_like_url(url) && host(url).is_some()).then(|| text::cut(url, 200).to_owned())
}

/// The host of an address, in lower case.
pub(super) fn host(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.host_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn hosts() {
        assert_eq!(host("https://Shop.Example:8443/a?b=1").as_deref(), Some("shop.example"));
        assert_eq!(host("javascript:alert(1)"), None);
        assert_eq!(host("/contact/"), None);
    }
}
