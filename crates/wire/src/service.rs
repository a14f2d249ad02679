//! The HTTP client for one service that an owner names by its address, and reaches by a proxy where one is needed.
//!
//! [`guarded`](crate::guarded) judges where a call goes, because its URLs come from anybody's data. Here the address is the owner's own,
//! and may be in the owner's own network; so nothing is judged, and nothing is called but this address: no redirect is followed.

use std::time::Duration;

use leadgate_core::secret::Secret;
use url::Url;

use crate::guarded::{Answer, CallError, Caps, Download, explain, read};

/// How long a connection may take, with what a proxy adds to it.
const CONNECT: Duration = Duration::from_secs(10);

/// A service. Clones share connections.
#[derive(Clone, Debug)]
pub struct Service {
    http: reqwest::Client,
    base: Url,
}

impl Service {
    /// The service below an address such as `https://api.telegram.org`. A proxy is an `http`, `https`, `socks5` or `socks5h` URL, which may
    /// hold a name and a password; what the environment says of proxies does not count.
    pub fn new(base: &str, proxy: Option<&Secret>) -> Result<Self, CallError> {
        let no_address = || CallError::Address(format!("{base:?} is no address of a service"));
        let base = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(no_address)?;
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Leadgate")
            // The idle ones are dropped before a router on the way forgets them.
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_keepalive(Duration::from_secs(30))
            .no_proxy();
        let client = match proxy {
            Some(proxy) => {
                client.proxy(reqwest::Proxy::all(proxy.expose()).map_err(|error| CallError::Setup(error.without_url()))?)
            }
            None => client,
        };
        Ok(Self { http: client.build().map_err(CallError::Setup)?, base })
    }

    /// Posts JSON to a path below the address, given by its segments, which are escaped. The answer is whole: at most so many bytes.
    pub async fn post_json(&self, path: &[&str], json: Vec<u8>, time: Duration, most: usize) -> Result<Answer, CallError> {
        let request = self.http.post(self.url(path)?).header("content-type", "application/json").timeout(time).body(json);
        let caps = Caps { time, bytes: most, cut: false, types: &[], redirects: &[] };
        read(request.send().await.map_err(explain)?, caps).await
    }

    /// Gets what lies at a path below the address, piece by piece: at most so many bytes, all of it within a time.
    pub async fn get(&self, path: &[&str], time: Duration, most: u64) -> Result<Download, CallError> {
        let response = self.http.get(self.url(path)?).timeout(time).send().await.map_err(explain)?;
        Download::new(response, usize::try_from(most).unwrap_or(usize::MAX))
    }

    fn url(&self, path: &[&str]) -> Result<Url, CallError> {
        let mut url = self.base.clone();
        let no_path = || CallError::Address("nothing lies below this address".to_owned());
        url.path_segments_mut().map_err(|()| no_path())?.pop_if_empty().extend(path);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let service = Service::new("https://api.telegram.org", None).unwrap();
        let url = service.url(&["bot1:a", "getMe"]).unwrap();
        assert_eq!(url.as_str(), "https://api.telegram.org/bot1:a/getMe");
        let below = Service::new("http://telegram:8081/api/", None).unwrap();
        assert_eq!(below.url(&["file", "a b", "../x?y"]).unwrap().as_str(), "http://telegram:8081/api/file/a%20b/..%2Fx%3Fy");
        for wrong in ["", "telegram.org", "ftp://x", "file:///etc"] {
            assert!(matches!(Service::new(wrong, None), Err(CallError::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_told_without_its_password() {
        let error = Service::new("https://api.telegram.org", Some(&Secret::new("http://me:pass word@"))).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("pass word"), "{error:?}");
        assert!(Service::new("https://api.telegram.org", Some(&Secret::new("socks5://me:word@127.0.0.1:1080"))).is_ok());
    }
}
