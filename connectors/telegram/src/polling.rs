//! Asks for updates, submits them with the new place in one transaction, and only then asks for the next: what was asked for with a higher
//! `offset` is forgotten by the service.
//!
//! - An update that comes again all the same (the answer to a commit was lost, the service counts anew) is known by its key.
//! - Ids begin anew at random after a week without updates (<https://core.telegram.org/bots/api#update>). So after some quiet days no offset is
//!   sent: the service then tells what nobody has confirmed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ports::{Feed, Finding, Pull, PullError, PullReport, PullState};
use leadgate_core::replay::Kept;
use leadgate_core::submission::{Cursor, Submission};
use serde_json::json;

use crate::api::{Api, ApiError, Me};
use crate::settings::Settings;
use crate::trial;
use crate::update::Reader;

/// How long the service waits for the first update before it says that there is none.
const WAIT: Duration = Duration::from_secs(50);
/// The pause after another program had the bot: both are thrown out in turn.
const CONFLICT: Duration = Duration::from_secs(30);
/// After so long without updates ids may begin anew at any moment.
const QUIET: SignedDuration = SignedDuration::from_hours(6 * 24);
/// Updates of a batch that was full: there are more.
const FULL: usize = 100;

/// A bot whose updates are asked for.
#[derive(Debug)]
pub struct Polling {
    settings: Arc<Settings>,
    reader: Arc<Reader>,
    status: Status,
    wait: Duration,
    conflict: Duration,
}

/// How it goes, as it is told; what is wrong is told until it works again.
#[derive(Debug, Default)]
pub(crate) struct Status {
    trouble: Mutex<Option<(PullState, String)>>,
    heard_at: Mutex<Option<Timestamp>>,
}

impl Status {
    /// Trouble, or that it is over.
    pub(crate) fn tell(&self, feed: &dyn Feed, state: PullState, words: &str) {
        let well = matches!(state, PullState::Reading | PullState::Watching);
        if well {
            *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed.arrival().0);
        }
        let trouble = (!well && !words.is_empty()).then(|| (state, words.to_owned()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.report(feed, state, words.to_owned());
    }

    /// It begins: trouble that stood still stands.
    pub(crate) fn begin(&self, feed: &dyn Feed) {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (state, words) = trouble.unwrap_or((PullState::Connecting, String::new()));
        self.report(feed, state, words);
    }

    fn report(&self, feed: &dyn Feed, state: PullState, words: String) {
        let heard_at = *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        feed.report(PullReport { state, words, heard_at, folders: Vec::new() });
    }

    /// What an error means for reading: it is told, and ends it.
    pub(crate) fn failed(&self, feed: &dyn Feed, error: ApiError) -> PullError {
        let refused = matches!(error, ApiError::Unauthorized(_));
        self.tell(feed, if refused { PullState::Refused } else { PullState::Down }, &error.to_string());
        if refused { PullError::Auth(Box::new(error)) } else { PullError::Transient(Box::new(error)) }
    }

    /// It cannot work as things are: that is told, and ends it.
    pub(crate) fn refused(&self, feed: &dyn Feed, words: String) -> PullError {
        self.tell(feed, PullState::Refused, &words);
        PullError::Fatal(words.into())
    }
}

/// Where reading was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    bot: i64,
    last: i64,
    /// When the last update came.
    at: Timestamp,
}

impl Place {
    fn of(cursor: Option<Cursor>, bot: i64) -> Option<Self> {
        let cursor = cursor?.0;
        let number = |key: &str| cursor.get(key).and_then(serde_json::Value::as_i64);
        let at = number("at").and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        // Another bot counts by itself.
        Some(Self { bot, last: number("last")?, at }).filter(|_| number("bot") == Some(bot))
    }

    fn cursor(self) -> Cursor {
        Cursor(json!({ "bot": self.bot, "last": self.last, "at": self.at.as_second() }))
    }

    /// The first update that was not read.
    fn offset(self, now: Timestamp) -> Option<i64> {
        (now.duration_since(self.at) < QUIET).then(|| self.last.saturating_add(1))
    }
}

impl Polling {
    /// A bot as configured.
    pub fn new(settings: Arc<Settings>, reader: Arc<Reader>) -> Self {
        Self { settings, reader, status: Status::default(), wait: WAIT, conflict: CONFLICT }
    }

    /// Waits otherwise: for updates, and after another program had the bot. For tests.
    #[must_use]
    pub fn paced(self, wait: Duration, conflict: Duration) -> Self {
        Self { wait, conflict, ..self }
    }

    async fn read(&self, feed: &dyn Feed) -> Result<(), PullError> {
        self.status.begin(feed);
        let api = Api::new(&self.settings).map_err(|error| self.status.failed(feed, error))?;
        let me = api.get_me().await.map_err(|error| self.status.failed(feed, error))?;
        learn(&self.reader, &me);
        self.free_of_webhooks(&api, feed).await?;
        let mut place = Place::of(feed.place().await?, me.id);
        // Nobody waits for a webhook's updates: they come at once or not at all.
        let mut wait = Duration::ZERO;
        loop {
            let offset = place.and_then(|place| place.offset(feed.arrival().0));
            match api.get_updates(offset, wait).await {
                Ok(updates) => {
                    wait = self.wait;
                    let state = if updates.len() >= FULL { PullState::Reading } else { PullState::Watching };
                    if let Some(to) = self.submit(&updates, me.id, feed).await? {
                        place = Some(to);
                    } else if !updates.is_empty() {
                        return Err(self.status.failed(feed, ApiError::Unavailable("its updates have no ids".to_owned())));
                    }
                    self.status.tell(feed, state, "");
                }
                Err(ApiError::Conflict(said)) => {
                    self.conflict(&api, &said, feed).await?;
                    wait = Duration::ZERO;
                }
                Err(ApiError::TooMany(pause)) => {
                    let words = format!("Telegram takes no more calls of this bot for {} s", pause.as_secs());
                    self.status.tell(feed, PullState::Down, &words);
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(self.status.failed(feed, error)),
            }
        }
    }

    /// Records updates and the place after them in one transaction.
    async fn submit(
        &self,
        updates: &[Box<serde_json::value::RawValue>],
        bot: i64,
        feed: &dyn Feed,
    ) -> Result<Option<Place>, PullError> {
        let mut items: Vec<Submission> = Vec::with_capacity(updates.len());
        let mut last: Option<i64> = None;
        let mut now = Timestamp::UNIX_EPOCH;
        for raw in updates {
            let (received_at, id) = feed.arrival();
            let read = self.reader.read(&Bytes::copy_from_slice(raw.get().as_bytes()), received_at, id);
            now = received_at;
            last = last.max(read.id);
            items.push(read.submission);
        }
        let Some(last) = last else { return Ok(None) };
        let place = Place { bot, last, at: now };
        feed.submit(items, place.cursor()).await?;
        Ok(Some(place))
    }

    /// Nothing can be asked for while a webhook is set. One of ours is taken away; another's is not, unless the configuration says so.
    async fn free_of_webhooks(&self, api: &Api, feed: &dyn Feed) -> Result<(), PullError> {
        let info = api.get_webhook_info().await.map_err(|error| self.status.failed(feed, error))?;
        if info.url.is_empty() {
            return Ok(());
        }
        if !self.settings.take_over && !self.settings.is_ours(&info.url) {
            return Err(self.status.refused(feed, foreign(&info.url)));
        }
        api.delete_webhook().await.map_err(|error| self.status.failed(feed, error))
    }

    async fn conflict(&self, api: &Api, said: &str, feed: &dyn Feed) -> Result<(), PullError> {
        self.free_of_webhooks(api, feed).await?;
        let words = format!(
            "another program reads this bot's updates ({said}); both get only a part of them. Stop it, or revoke its token at @BotFather"
        );
        self.status.tell(feed, PullState::Down, &words);
        tokio::time::sleep(self.conflict).await;
        Ok(())
    }
}

/// What is said of a webhook that is another program's. Its path may be a secret.
pub(crate) fn foreign(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "?".to_owned());
    let host = leadgate_core::text::cut(&host, 200).to_owned();
    format!(
        "another program has this bot: its updates go to {host} by webhook. Take them away there, or write take_over = true to have the gateway \
         replace that"
    )
}

/// What the service says of the bot that reading needs.
pub(crate) fn learn(reader: &Reader, me: &Me) {
    if let Some(username) = &me.username {
        reader.learn(username);
    }
}

#[async_trait]
impl Pull for Polling {
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError> {
        self.read(feed).await
    }

    async fn try_out(&self, tell: &(dyn Fn(Finding) + Send + Sync)) {
        trial::try_out(&self.settings, tell).await;
    }

    fn read_again(&self, kept: &Kept) -> Result<Submission, String> {
        self.reader.read_again(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_of_one_bot_and_ends_with_a_quiet_week() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let place = Place { bot: 7, last: 41, at: now };
        assert_eq!(Place::of(Some(place.cursor()), 7), Some(place));
        assert_eq!(Place::of(Some(place.cursor()), 8), None);
        assert_eq!(Place::of(None, 7), None);
        assert_eq!(place.offset(now), Some(42));
        assert_eq!(place.offset(now + SignedDuration::from_hours(5 * 24)), Some(42));
        assert_eq!(place.offset(now + SignedDuration::from_hours(7 * 24)), None);
        // As a place without a time was written.
        assert_eq!(Place::of(Some(Cursor(json!({"bot": 7, "last": 41}))), 7).and_then(|place| place.offset(now)), None);
    }

    #[test]
    fn another_programs_webhook_is_told_by_its_host() {
        let words = foreign("https://bot.example/secret-path?token=1");
        assert!(words.contains("bot.example") && words.contains("take_over") && !words.contains("secret-path"), "{words}");
    }
}
