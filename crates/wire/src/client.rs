//! A thin client of a running gateway, for its own command line.

use std::time::Duration;

use leadgate_core::secret::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// How long a gateway may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take; a full gateway lets callers wait 4 s.
const ANSWER: Duration = Duration::from_secs(20);

/// Talks to one gateway. No proxy, no redirects: it is our own.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client could not be made.
    #[error("no HTTP client could be made")]
    Setup(#[source] reqwest::Error),
    /// The address is none.
    #[error("{0:?} is no http address of a gateway")]
    Address(String),
    /// Nobody listens.
    #[error("no gateway answers at {0}: is it running?")]
    NobodyThere(String),
    /// It took too long.
    #[error("the gateway at {0} did not answer in time")]
    TooSlow(String),
    /// The connection broke.
    #[error("the connection to the gateway at {0} broke")]
    Broken(String, #[source] reqwest::Error),
}

impl Client {
    /// A client of the gateway at an address such as `http://127.0.0.1:8080`.
    pub fn new(base_url: &str, token: Option<Secret>) -> Result<Self, ClientError> {
        let base = base_url.trim().trim_end_matches('/').to_owned();
        let http_address = url::Url::parse(&base).is_ok_and(|url| url.scheme() == "http" && url.has_host());
        if !http_address {
            return Err(ClientError::Address(base));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // It speaks plain HTTP: no certificates are read for it.
            .tls_built_in_root_certs(false)
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, base, token })
    }

    /// The gateway's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Reads; `path` begins with a slash.
    pub async fn get(&self, path: &str) -> Result<(u16, Value), ClientError> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, json: &Value) -> Result<(u16, Value), ClientError> {
        self.send(self.request(Method::POST, path).json(json)).await
    }

    /// Changes with JSON.
    pub async fn patch(&self, path: &str, json: &Value) -> Result<(u16, Value), ClientError> {
        self.send(self.request(Method::PATCH, path).json(json)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Result<(u16, Value), ClientError> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Reads bytes as they are.
    pub async fn get_bytes(&self, path: &str) -> Result<(u16, Vec<u8>), ClientError> {
        let answer = self.request(Method::GET, path).header("accept", "*/*").send().await.map_err(|error| self.explain(error))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(|error| self.explain(error))?;
        Ok((status, bytes.to_vec()))
    }

    /// Sends a form as a page would, to a path of the gateway or to a whole URL, without the token.
    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<(u16, Value), ClientError> {
        let url = self.absolute(url);
        let origin = url::Url::parse(&url).map_err(|_| ClientError::Address(url.clone()))?.origin().ascii_serialization();
        self.send(self.http.post(url).header("accept", "application/json").header("origin", origin).form(fields)).await
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.base) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // The token goes to this gateway only, so the path never names another host.
        let request = self.http.request(method, format!("{}{path}", self.base)).header("accept", "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<(u16, Value), ClientError> {
        let answer = request.send().await.map_err(|error| self.explain(error))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| self.explain(error))?;
        // What is no JSON (a page, `ok`) is its text.
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    fn explain(&self, error: reqwest::Error) -> ClientError {
        // The URL may hold a source's token.
        let error = error.without_url();
        if error.is_connect() {
            ClientError::NobodyThere(self.base.clone())
        } else if error.is_timeout() {
            ClientError::TooSlow(self.base.clone())
        } else {
            ClientError::Broken(self.base.clone(), error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(Client::new("http://127.0.0.1:8080/", None).unwrap().base(), "http://127.0.0.1:8080");
        for bad in ["", "127.0.0.1:8080", "https://x", "file:///x"] {
            assert!(matches!(Client::new(bad, None), Err(ClientError::Address(_))), "{bad}");
        }
    }

    #[test]
    fn errors_speak() {
        let error = ClientError::NobodyThere("http://127.0.0.1:8080".to_owned());
        assert_eq!(error.to_string(), "no gateway answers at http://127.0.0.1:8080: is it running?");
    }
}
