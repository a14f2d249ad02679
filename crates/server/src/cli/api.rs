//! The gateway's API as a command uses it.

use anyhow::{Context as _, anyhow, bail};
use leadgate_core::ids::SourceId;
use leadgate_core::secret::Secret;
use leadgate_core::views::PageAt;
use leadgate_wire::client::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::print::safe;

/// A gateway that can be asked.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
}

impl Api {
    /// The gateway at an address.
    pub fn new(url: &str, token: Option<Secret>) -> anyhow::Result<Self> {
        if url.trim().starts_with("https://") {
            bail!(
                "--url takes an http address only: reach a distant gateway through a tunnel (ssh -L 8080:127.0.0.1:8080 host) and use http://127.0.0.1:8080"
            );
        }
        Ok(Self { client: Client::new(url, token)? })
    }

    /// Its address.
    pub fn base(&self) -> &str {
        self.client.base()
    }

    /// Whether a gateway answers there.
    pub async fn answers(&self) -> bool {
        matches!(self.client.get("/healthz").await, Ok((200..=299, _)))
    }

    /// Reads something that is there.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, value) = self.client.get(path).await?;
        self.read(status, value)
    }

    /// Reads something that may not be there.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        match self.client.get(path).await? {
            (404, _) => Ok(None),
            (status, value) => self.read(status, value).map(Some),
        }
    }

    /// Reads bytes.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.client.get_bytes(path).await? {
            (404, _) => Ok(None),
            (200..=299, bytes) => Ok(Some(bytes)),
            (status, bytes) => {
                let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                Err(self.refused(status, &value))
            }
        }
    }

    /// Does something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, json: &Value) -> anyhow::Result<T> {
        let (status, value) = self.client.post(path, json).await?;
        self.read(status, value)
    }

    /// Changes something.
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, json: &Value) -> anyhow::Result<T> {
        let (status, value) = self.client.patch(path, json).await?;
        self.read(status, value)
    }

    /// Deletes something; `false`: there was none.
    pub async fn delete(&self, path: &str) -> anyhow::Result<bool> {
        match self.client.delete(path).await? {
            (200..=299, _) => Ok(true),
            (404, _) => Ok(false),
            (status, value) => Err(self.refused(status, &value)),
        }
    }

    /// Sends a form as a page would.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(u16, Value)> {
        Ok(self.client.post_form(path, fields).await?)
    }

    fn read<T: DeserializeOwned>(&self, status: u16, value: Value) -> anyhow::Result<T> {
        if !(200..=299).contains(&status) {
            return Err(self.refused(status, &value));
        }
        serde_json::from_value(value)
            .with_context(|| format!("the program at {} does not answer as a gateway of this version does", self.base()))
    }

    /// Why the gateway refused, in its own words.
    fn refused(&self, status: u16, value: &Value) -> anyhow::Error {
        let words = value.get("detail").or_else(|| value.get("title")).and_then(Value::as_str);
        match (status, words) {
            (401, _) => anyhow!("the gateway at {} does not know this token: give one with LEADGATE_TOKEN", self.base()),
            (_, Some(words)) => anyhow!("{}", safe(words)),
            (404, None) => anyhow!("the program at {} has no such page: is it a gateway?", self.base()),
            (_, None) => anyhow!("the gateway at {} answered {status} without a reason; its log says more", self.base()),
        }
    }
}

/// A path of the API with what stands behind the question mark.
pub(super) struct Query {
    path: String,
    pairs: Serializer<'static, String>,
    any: bool,
}

impl Query {
    /// Begins with a path below `/api/v1`.
    pub fn new(path: &str) -> Self {
        Self { path: format!("/api/v1{path}"), pairs: Serializer::new(String::new()), any: false }
    }

    /// Adds a pair if there is a value.
    pub fn with(mut self, key: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.pairs.append_pair(key, &value.to_string());
            self.any = true;
        }
        self
    }

    /// Adds the sources, with commas.
    pub fn sources(self, sources: Option<&[SourceId]>) -> Self {
        let list = sources.map(|sources| sources.iter().map(SourceId::as_str).collect::<Vec<_>>().join(","));
        self.with("source", list)
    }

    /// Adds the page.
    pub fn page(self, at: &PageAt) -> Self {
        self.with("limit", Some(at.limit)).with("after", at.after.as_deref())
    }

    /// The whole.
    pub fn path(mut self) -> String {
        if self.any { format!("{}?{}", self.path, self.pairs.finish()) } else { self.path }
    }
}

/// A name as one step of a path.
pub(super) fn step(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let sources = [SourceId::parse("a").unwrap(), SourceId::parse("b").unwrap()];
        let path =
            Query::new("/leads").with("identity", Some("+7916")).with("stage", None::<&str>).sources(Some(&sources)).path();
        assert_eq!(path, "/api/v1/leads?identity=%2B7916&source=a%2Cb");
        assert_eq!(Query::new("/leads").path(), "/api/v1/leads");
        assert_eq!(step("my token/1"), "my%20token%2F1");
    }

    #[test]
    fn refusals_are_the_gateway_s_words_without_tricks() {
        let api = Api::new("http://127.0.0.1:1", None).unwrap();
        let told = api.refused(409, &serde_json::json!({ "detail": "closed\u{1b}[2J already", "title": "x" })).to_string();
        assert_eq!(told, "closed[2J already");
        assert!(api.refused(401, &Value::Null).to_string().contains("LEADGATE_TOKEN"));
        assert!(api.refused(500, &Value::String("<html>".into())).to_string().contains("500"));
        assert!(Api::new("https://x", None).unwrap_err().to_string().contains("ssh"));
    }
}
