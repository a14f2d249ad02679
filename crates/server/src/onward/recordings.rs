//! Fetches the recordings of calls into the attachment store, where their source says so.
//!
//! Where a recording lies is told by somebody else's data: only the guarded client goes there, within the hosts that the source names, and
//! only what begins as sound is kept.

mod sound;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{Deliver, DeliverError, Delivered, Fetch, NoFetch, Parcel};
use leadgate_core::submission::FileRef;
use leadgate_core::text;
use leadgate_wire::guarded::{Call, CallError, Caps, Download, Guarded, Method, is_named};
use url::Url;

use self::sound::{HEAD, Sound};
use super::Target;
use super::files::{self, Fetcher, Pieces};
use crate::app::{Gateway, Live, LiveSource};
use crate::config::files_target;

/// Bytes of a recording.
const FILE_BYTES: usize = 100 << 20;
/// A recording is on its way for so long at most.
const FILE_TIME: Duration = Duration::from_mins(5);
/// Bytes of an answer that says where a recording is.
const ANSWER_BYTES: usize = 64 << 10;
/// It comes within this time.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// So many answers may lead to a recording.
const MOST_ANSWERS: usize = 3;
/// All recordings of a call that are fetched at once take so long at most; what is left is next.
const LONGEST: Duration = Duration::from_mins(6);
/// What is about to end has this long.
const SLACK: Duration = Duration::from_secs(5);
/// Calls whose recordings are fetched at once.
const AT_ONCE: usize = 4;
/// Nobody is asked again sooner. Some providers lock out who asks in vain too often.
const PAUSE: Duration = Duration::from_mins(1);
/// What is not there, or is no recording, may still become one for so long.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);
/// A service's own trouble is waited for.
const TROUBLED: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Later than that; so it is told at the file.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(24 * 8);

/// The targets that fetch recordings. Where there is no client, what they are owed waits.
pub(super) fn targets(gateway: &Arc<Gateway>, live: &Live) -> Vec<Target> {
    let fetching = live.sources.iter().filter_map(|source| Some((source, source.push.fetches()?)));
    let mut fetching = fetching.peekable();
    if fetching.peek().is_none() {
        return Vec::new();
    }
    let client = match gateway.outward.guarded() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "recordings cannot be fetched");
            return Vec::new();
        }
    };
    let target = |(source, delay): (&Arc<LiveSource>, Duration)| Target {
        name: files_target(&source.id),
        deliver: Arc::new(Recordings { gateway: Arc::clone(gateway), client: client.clone(), source: Arc::clone(source), delay }),
        ordered: false,
        at_once: AT_ONCE,
        longest: LONGEST + SLACK,
        give_up_after: GIVEN_UP,
    };
    fetching.map(target).collect()
}

/// Fetches the recordings of a source.
struct Recordings {
    gateway: Arc<Gateway>,
    client: Guarded,
    source: Arc<LiveSource>,
    /// Providers offer recordings before they have them.
    delay: Duration,
}

#[async_trait]
impl Deliver for Recordings {
    async fn deliver(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let due = parcel.job.at.saturating_add(self.delay).unwrap_or(Timestamp::MAX);
        let early = Duration::try_from(due.duration_since(parcel.now)).unwrap_or_default();
        if !early.is_zero() {
            return Err(DeliverError::Later { words: "it may not be there yet".to_owned(), after: Some(early) });
        }
        let age = parcel.now.duration_since(parcel.job.since);
        let round = Round { of: self, age, until: Instant::now() + LONGEST };
        files::fetch(&self.gateway, parcel, &round).await
    }
}

/// An attempt at all recordings of a call.
struct Round<'a> {
    of: &'a Recordings,
    /// For how long it has been tried.
    age: SignedDuration,
    until: Instant,
}

/// Why there is no recording.
#[derive(Debug)]
enum Failure {
    /// It is not there yet, or not as it should be: a person may put that right.
    NotYet(String),
    /// The service is in trouble, and says perhaps when it is not any more.
    Trouble(String, Option<Duration>),
    /// There will be none.
    Never(String),
}

impl From<NoFetch> for Failure {
    fn from(reason: NoFetch) -> Self {
        match reason {
            NoFetch::Later(words) => Self::NotYet(words),
            NoFetch::Never(words) => Self::Never(words),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooLong(most) if most == FILE_BYTES => Self::Never(format!("it is larger than {} MB", FILE_BYTES >> 20)),
            CallError::Redirect(to) => Self::NotYet(CallError::Redirect(text::cut(&to, 100).to_owned()).words()),
            CallError::Address(_) | CallError::TooLong(_) | CallError::Type(_) => Self::NotYet(error.words()),
            CallError::TooSlow | CallError::Unreachable(_) | CallError::Setup(_) => Self::Trouble(error.words(), None),
        }
    }
}

#[async_trait]
impl Fetcher for Round<'_> {
    const ALIKE: bool = false;

    async fn one(&self, file: &OfferedFile) -> Result<Result<FileRef, String>, DeliverError> {
        let failure = match self.find(file).await {
            Ok(fetch) => match self.download(file, &fetch).await? {
                Ok(kept) => return Ok(Ok(kept)),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        let (words, after, waits) = match failure {
            Failure::Never(words) => return Ok(Err(words)),
            Failure::NotYet(words) => (words, None, YOUNG),
            Failure::Trouble(words, after) => (words, after, TROUBLED),
        };
        if self.age < waits {
            return Err(DeliverError::Later { words, after: Some(after.unwrap_or_default().max(PAUSE)) });
        }
        Ok(Err(format!("not fetched in {} hours: {words}", waits.as_hours())))
    }
}

impl Round<'_> {
    /// Where a recording lies: the service is asked as often as the connector wants to.
    async fn find(&self, file: &OfferedFile) -> Result<Fetch, Failure> {
        let push = &self.of.source.push;
        let mut fetch = push.fetch(file, None)?;
        for _ in 0..MOST_ANSWERS {
            if !fetch.asks {
                break;
            }
            let answer = self.ask(&fetch).await?;
            fetch = push.fetch(file, Some(&answer))?;
        }
        if fetch.asks {
            return Err(Failure::NotYet("the service does not say where it is, however often it is asked".to_owned()));
        }
        if let Some(host) = stray(file, &fetch) {
            return Err(Failure::NotYet(format!("it lies at {host}, which is no host of its source: see recording_hosts")));
        }
        Ok(fetch)
    }

    async fn ask(&self, fetch: &Fetch) -> Result<Vec<u8>, Failure> {
        let mut download = self.open(fetch, ANSWER_TIME, ANSWER_BYTES).await?;
        let mut answer = Vec::new();
        while let Some(piece) = download.piece().await? {
            answer.extend_from_slice(&piece);
        }
        Ok(answer)
    }

    async fn download(&self, file: &OfferedFile, fetch: &Fetch) -> Result<Result<FileRef, Failure>, DeliverError> {
        let (sound, kept) = match self.begin(fetch).await {
            Ok((sound, sounding)) => (sound, files::keep(&self.of.gateway, sounding).await?),
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(kept.map_err(Failure::from).map(|kept| FileRef {
            sha256: kept.sha256,
            name: sound.named(&file.name),
            content_type: sound.content_type().to_owned(),
            size: kept.size,
            field: file.unique.clone(),
        }))
    }

    /// Begins to get a recording, as far as to know that it is one.
    async fn begin(&self, fetch: &Fetch) -> Result<(Sound, Sounding), Failure> {
        let mut download = self.open(fetch, FILE_TIME, FILE_BYTES).await?;
        let mut head = BytesMut::new();
        while head.len() < HEAD
            && let Some(piece) = download.piece().await?
        {
            head.extend_from_slice(&piece);
        }
        match Sound::of(&head) {
            Some(sound) => Ok((sound, Sounding { head: Some(head.freeze()), download })),
            None => Err(Failure::NotYet(format!("{} came, which is no recording", sound::otherwise(&head)))),
        }
    }

    /// Asks for something, and is answered with it.
    async fn open(&self, fetch: &Fetch, time: Duration, bytes: usize) -> Result<Download, Failure> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Trouble("there was no time left for it".to_owned(), None));
        }
        let own = Url::parse(&fetch.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let hosts: Vec<String> = fetch.hosts.iter().map(|host| host.to_ascii_lowercase()).chain(own).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let caps = Caps { time: time.min(left), bytes, cut: false, types: &[], redirects: &hosts };
        let call = call(fetch);
        let opened = self.of.client.open(&call, caps);
        // A name server that does not answer is not within the client's own time.
        let download = match tokio::time::timeout(caps.time, opened).await {
            Ok(opened) => opened?,
            Err(_elapsed) => return Err(CallError::TooSlow.into()),
        };
        let words = format!("answered {}", download.status);
        match download.status {
            200..=299 => Ok(download),
            408 | 425 | 429 | 500.. => Err(Failure::Trouble(words, download.retry_after.as_deref().and_then(seconds))),
            _ => Err(Failure::NotYet(words)),
        }
    }
}

fn call(fetch: &Fetch) -> Call {
    let headers = fetch.headers.iter().map(|(name, value)| ((*name).into(), value.expose().to_owned()));
    let mut headers: Vec<_> = headers.collect();
    let (method, body) = match &fetch.form {
        None => (Method::GET, Bytes::new()),
        Some(form) => {
            headers.push(("content-type".into(), "application/x-www-form-urlencoded".to_owned()));
            (Method::POST, Bytes::copy_from_slice(form.expose().as_bytes()))
        }
    };
    Call { method, url: fetch.url.clone(), headers, body }
}

/// The host of a link that came with a delivery, if it is none of those where this source's recordings lie. An address that the connector
/// makes itself, or was told by its service, is its own affair.
fn stray(file: &OfferedFile, fetch: &Fetch) -> Option<String> {
    let host = |url: &str| Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let told = host(&file.id).filter(|told| host(&fetch.url).as_ref() == Some(told))?;
    let hosts: Vec<String> = fetch.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    (!is_named(&told, &hosts)).then_some(told)
}

/// `Retry-After` in seconds; a date is left to our own pauses.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A recording on its way, of which the beginning was looked at.
struct Sounding {
    head: Option<Bytes>,
    download: Download,
}

impl Pieces for Sounding {
    type Error = CallError;

    async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        match self.head.take() {
            Some(head) => Ok(Some(head)),
            None => self.download.piece().await,
        }
    }
}
