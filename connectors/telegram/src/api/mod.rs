//! The Bot API (<https://core.telegram.org/bots/api>): what the bot says and fetches.
//!
//! Requests are written by the types of `teloxide-core`; they are sent and their answers read here. Its own sender sleeps for 10 s inside a call
//! when the service fails, gives up a long poll after 17 s unless it is told otherwise for each client, says of an HTML page only that it is no
//! JSON, and its types lose what is newer than they are, so that no raw update could be kept.
//!
//! The token is a part of every URL. No URL is ever a part of an error, and where the service's own words repeat the token it is overwritten.

mod calls;
mod error;
mod message;
pub mod text;

use std::time::Duration;

use bytes::Bytes;
use leadgate_core::secret::Secret;
use leadgate_wire::guarded::{CallError, Download};
use leadgate_wire::service::Service;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

pub use calls::{ChatInfo, FileInfo, Me, WebhookInfo};
pub use error::ApiError;
pub use message::{Button, Does, Keyboard, Message};

use crate::settings::Settings;

/// How long a call may take.
const TIME: Duration = Duration::from_secs(30);
/// How long a file may take.
const FILE_TIME: Duration = Duration::from_mins(5);
/// Bytes of an answer: a hundred updates of the largest messages are below it.
const ANSWER: usize = 16 << 20;

/// A bot's way to the service. Clones share connections.
#[derive(Clone, Debug)]
pub struct Api {
    service: Service,
    token: Secret,
    largest: u64,
}

/// The envelope of every answer (<https://core.telegram.org/bots/api#making-requests>).
#[derive(Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Value,
}

impl Api {
    /// The way to the service as configured.
    pub fn new(settings: &Settings) -> Result<Self, ApiError> {
        let service = Service::new(&settings.api_url, settings.proxy.as_ref());
        let service = service.map_err(|error| ApiError::Unavailable(error.words()))?;
        Ok(Self { service, token: settings.token.clone(), largest: settings.largest })
    }

    /// Calls a method with its parameters; what it returns, as JSON.
    async fn raw(&self, method: &str, parameters: Vec<u8>, time: Duration) -> Result<Box<RawValue>, ApiError> {
        let bot = format!("bot{}", self.token.expose());
        let answer = self.service.post_json(&[&bot, method], parameters, time, ANSWER).await;
        let answer = answer.map_err(|error| unreachable(&error))?;
        // A text with bytes that are no UTF-8 is better than none.
        let body = String::from_utf8_lossy(&answer.body);
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(&body) else {
            return Err(error::odd(answer.status, &answer.content_type));
        };
        if let (true, Some(result)) = (envelope.ok, envelope.result) {
            return Ok(result.to_owned());
        }
        let code = envelope.error_code.unwrap_or_else(|| i64::from(answer.status));
        let words = self.clean(envelope.description.as_deref().unwrap_or_default());
        Err(error::said(code, words, &envelope.parameters, answer.retry_after.as_deref()))
    }

    async fn call<T: DeserializeOwned>(&self, method: &str, parameters: Vec<u8>) -> Result<T, ApiError> {
        let result = self.raw(method, parameters, TIME).await?;
        serde_json::from_str(result.get()).map_err(|error| ApiError::Unavailable(format!("{method} was answered oddly: {error}")))
    }

    /// Words of the service, without the token, of one line.
    fn clean(&self, words: &str) -> String {
        let hidden = words.replace(self.token.expose(), "<token>");
        leadgate_core::text::cut(&leadgate_core::text::printable(&hidden, true), 300).to_owned()
    }

    /// Fetches a file that was offered. Its pieces are bounded by what is fetched at most, and by time.
    pub async fn download(&self, file_id: &str) -> Result<File, ApiError> {
        let info = self.get_file(file_id).await?;
        let most_mb = self.largest >> 20;
        let too_big = || ApiError::FileTooBig(format!("files of up to {most_mb} MB are fetched"));
        if info.size.is_some_and(|size| size > self.largest) {
            return Err(too_big());
        }
        let Some(path) = info.path else {
            return Err(ApiError::Gone("the service does not hand the file out any more".to_owned()));
        };
        let mut segments = vec!["file".to_owned(), format!("bot{}", self.token.expose())];
        for segment in path.split('/') {
            // A server that runs with --local says where the file lies on its own disk.
            if segment.is_empty() || segment == "." || segment == ".." {
                return Err(ApiError::Bad("the Bot API server hands out no files by HTTP; run it without --local".to_owned()));
            }
            segments.push(segment.to_owned());
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let download = self.service.get(&segments, FILE_TIME, self.largest).await.map_err(|error| match error {
            CallError::TooLong(_) => too_big(),
            other => unreachable(&other),
        })?;
        match download.status {
            200 => Ok(File { download, size: info.size }),
            404 => Err(ApiError::Gone("the service does not hand the file out any more".to_owned())),
            status => Err(error::odd(status, "")),
        }
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct File {
    download: Download,
    /// Bytes, if that was said.
    pub size: Option<u64>,
}

impl File {
    /// The next piece; `None`: that was all.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.download.piece().await.map_err(|error| match error {
            CallError::TooLong(most) => ApiError::FileTooBig(format!("files of up to {} MB are fetched", most >> 20)),
            other => unreachable(&other),
        })
    }
}

fn unreachable(error: &CallError) -> ApiError {
    ApiError::Unavailable(match error {
        CallError::TooSlow => "it did not answer in time".to_owned(),
        other => other.words(),
    })
}

#[cfg(test)]
mod tests;
