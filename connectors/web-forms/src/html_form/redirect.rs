//! Where a visitor goes after sending: only to where the form's owner would send him.

use leadgate_core::ports::Request;
use url::Url;

use super::config::Config;
use super::origin::{Caller, caller};

/// The URL to send the visitor to, if it is one the owner allows. Relative ones are meant from the page.
pub(super) fn target(config: &Config, request: &Request<'_>, wanted: &str) -> Option<Url> {
    let wanted = wanted.trim_matches(' ');
    // Browsers drop control characters and take backslashes for slashes, so that what was checked is not where they go.
    if wanted.is_empty() || wanted.len() > 2000 || wanted.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    if wanted.starts_with("//") {
        return None;
    }
    let from = from(config, request);
    let url = match Url::parse(wanted) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => from.as_ref()?.join(wanted).ok()?,
        Err(_) => return None,
    };
    let plain =
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none();
    let own = from.is_some_and(|from| from.origin() == url.origin());
    let allowed = own
        || config.next.iter().any(|next| next.covers(&url))
        || config.origins.names(&url)
        || config.origins.is_gateway(&url, request);
    (plain && allowed).then_some(url)
}

/// The page, or at least the origin, the visitor comes from, if it may use the form.
fn from(config: &Config, request: &Request<'_>) -> Option<Url> {
    match caller(request) {
        Caller::Page(url) if config.origins.allows(&url, request) => {
            let page = config.origins.page(request).filter(|page| page.origin() == url.origin());
            Some(page.unwrap_or(url))
        }
        _ => None,
    }
}
