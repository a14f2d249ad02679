//! Which pages may use a form.
//!
//! A form posted across sites is stored whether or not the page can read the answer, so the rule is applied to the posting
//! itself; CORS headers only follow it.

use leadgate_core::ports::Request;
use leadgate_core::submission::Hold;
use leadgate_core::text;
use url::{Host, Origin, Url};

/// One entry of `allow_origins` or `allow_next`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// `*`
    Any,
    /// `null`: pages without an origin.
    Null,
    /// `https://shop.example`
    Exactly(Origin),
    /// `shop.example`: by any scheme and port.
    Host(String),
    /// `*.shop.example`: its subdomains.
    Below(String),
}

impl Allowed {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither an origin (\"https://shop.example\") nor a host (\"shop.example\")");
        let trimmed = text.trim().trim_end_matches('/');
        if trimmed == "*" {
            return Ok(Self::Any);
        }
        if trimmed == "null" {
            return Ok(Self::Null);
        }
        if trimmed.contains("://") {
            let url = Url::parse(trimmed).map_err(|_| wrong())?;
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            return if web(&url) && bare { Ok(Self::Exactly(url.origin())) } else { Err(wrong()) };
        }
        let (below, host) = trimmed.strip_prefix("*.").map_or((false, trimmed), |host| (true, host));
        let url = Url::parse(&format!("https://{host}/")).map_err(|_| wrong())?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
            && !host.contains(['/', '@', '*'])
            && (host.starts_with('[') || !host.contains(':'));
        match url.host_str() {
            Some(name) if bare && url.port().is_none() && below => Ok(Self::Below(format!(".{name}"))),
            Some(name) if bare && url.port().is_none() => Ok(Self::Host(name.to_owned())),
            _ => Err(wrong()),
        }
    }

    pub(super) fn covers(&self, url: &Url) -> bool {
        match self {
            Self::Any => true,
            Self::Null => false,
            Self::Exactly(origin) => url.origin() == *origin,
            Self::Host(host) => url.host_str() == Some(host),
            Self::Below(suffix) => url.host_str().is_some_and(|host| host.ends_with(suffix.as_str())),
        }
    }
}

fn web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// The rule of a source.
pub(super) struct Policy {
    written: Vec<String>,
    allowed: Vec<Allowed>,
    required: bool,
    gateway: Option<Url>,
}

/// Where a call says it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A page of this origin.
    Page(Url),
    /// A page without an origin (a file, a sandboxed frame), or nonsense.
    Null,
    /// It says nothing.
    Silent,
}

/// The header that says so: `Origin`, else `Referer`.
pub(super) fn caller(request: &Request<'_>) -> Caller {
    let stated = request.header("origin").map(str::trim).filter(|origin| !origin.is_empty());
    match stated.or_else(|| request.header("referer").map(str::trim).filter(|referer| !referer.is_empty())) {
        None => Caller::Silent,
        Some(text) => Url::parse(text).ok().filter(web).map_or(Caller::Null, Caller::Page),
    }
}

impl Policy {
    pub(super) fn new(written: Vec<String>, allowed: Vec<Allowed>, required: bool, public_url: &str) -> Self {
        Self { written, allowed, required, gateway: Url::parse(public_url).ok().filter(web) }
    }

    /// Whether pages at a URL may use the form.
    pub(super) fn allows(&self, url: &Url, request: &Request<'_>) -> bool {
        self.allowed.iter().any(|allowed| allowed.covers(url)) || is_loopback(url) || self.is_gateway(url, request)
    }

    /// Whether a URL is of this very gateway: by its public address, or by the one the caller reached it under.
    pub(super) fn is_gateway(&self, url: &Url, request: &Request<'_>) -> bool {
        if self.gateway.as_ref().is_some_and(|gateway| gateway.origin() == url.origin()) {
            return true;
        }
        let asked = request.header("host").and_then(|host| Url::parse(&format!("{}://{host}/", url.scheme())).ok());
        asked.is_some_and(|asked| asked.origin() == url.origin())
    }

    /// Whether `allow_origins` names a URL's host itself, not by `*`.
    pub(super) fn names(&self, url: &Url) -> bool {
        self.allowed.iter().any(|allowed| *allowed != Allowed::Any && allowed.covers(url))
    }

    fn any(&self) -> bool {
        self.allowed.contains(&Allowed::Any)
    }

    /// The origin to allow in the CORS headers, if the page may use the form.
    pub(super) fn cors(&self, request: &Request<'_>) -> Option<String> {
        let stated = request.header("origin")?.trim();
        match caller(request) {
            Caller::Page(url) if self.allows(&url, request) => Some(url.origin().ascii_serialization()),
            Caller::Null if stated == "null" && (self.any() || self.allowed.contains(&Allowed::Null)) => Some("null".to_owned()),
            _ => None,
        }
    }

    /// The page the form was on, if it may use it.
    pub(super) fn page(&self, request: &Request<'_>) -> Option<Url> {
        let referer = request.header("referer").and_then(|text| Url::parse(text.trim()).ok()).filter(web)?;
        let plain = referer.username().is_empty() && referer.password().is_none();
        (plain && self.allows(&referer, request)).then_some(referer)
    }

    /// Why a call from elsewhere waits, and the line that would let it in.
    pub(super) fn hold(&self, request: &Request<'_>, source: &str) -> Option<Hold> {
        let hold = |words: String| Some(Hold { code: "origin".to_owned(), words, authenticated: true });
        // Whoever calls, and none of it costs a URL to be read.
        if self.any() {
            return None;
        }
        let section = format!("under [sources.{source}]");
        match caller(request) {
            Caller::Page(url) if self.allows(&url, request) => None,
            Caller::Page(url) => {
                let origin = url.origin().ascii_serialization();
                hold(format!("pages at {origin} may not use this form; to let them, write {} {section}", self.line_with(&origin)))
            }
            Caller::Null if self.allowed.contains(&Allowed::Null) => None,
            Caller::Null => hold(format!(
                "the browser would not say which page this is from (a file, a sandboxed frame, a strict referrer policy); to let such pages in, \
                 write {} {section}",
                self.line_with("null")
            )),
            Caller::Silent if !self.required => None,
            Caller::Silent => hold(format!(
                "it names no page at all, as browsers do: a script sent it; to let scripts in, write require_origin = false {section}"
            )),
        }
    }

    /// The config line that would allow one more.
    fn line_with(&self, origin: &str) -> String {
        let all: Vec<String> = self
            .written
            .iter()
            .map(String::as_str)
            .chain([origin])
            .map(|text| format!("{:?}", text::printable(text, true)))
            .collect();
        format!("allow_origins = [{}]", all.join(", "))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(allowed: &str, url: &str) -> bool {
        Allowed::parse(allowed).unwrap().covers(&Url::parse(url).unwrap())
    }

    #[test]
    fn entries() {
        assert!(covers("https://shop.example", "https://shop.example/a?b"));
        assert!(covers("https://shop.example/", "https://shop.example:443/"));
        assert!(!covers("https://shop.example", "http://shop.example/"));
        assert!(!covers("https://shop.example", "https://shop.example.evil.example/"));
        assert!(covers("shop.example", "http://SHOP.example:8080/"));
        assert!(!covers("shop.example", "https://www.shop.example/"));
        assert!(covers("*.shop.example", "https://www.shop.example/"));
        assert!(!covers("*.shop.example", "https://evilshop.example/"));
        assert!(covers("магазин.рф", "https://xn--80aaag6cwb.xn--p1ai/") || covers("магазин.рф", "https://магазин.рф/"));
        for bad in [
            "",
            "https://",
            "ftp://x.example",
            "https://x.example/path",
            "a b",
            "user@x.example",
            "https://u@x.example",
            "x.example/y",
        ] {
            assert!(Allowed::parse(bad).is_err(), "{bad}");
        }
    }
}
