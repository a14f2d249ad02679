//! The service calls the gateway: the calls are taken here, and it is seen to that they come.
//!
//! A call is believed if its path holds the source's token and a header the webhook's secret, which is compared in constant time. It is
//! answered after the commit; anything but success makes the service call again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use leadgate_core::ports::{
    Feed, Finding, Outcome, Parsed, PathToken, Pull, PullError, PullState, Push, PushLimits, Refusal, Reply, Request,
};
use leadgate_core::replay::Kept;
use leadgate_core::secret::Secret;
use leadgate_core::submission::Submission;
use leadgate_wire::auth::{Auth, Call, Check};
use sha2::Sha256;

use crate::api::{Api, ApiError, WebhookInfo};
use crate::polling::{Status, foreign, learn};
use crate::settings::Settings;
use crate::trial;
use crate::update::Reader;

/// Where the secret stands (<https://core.telegram.org/bots/api#setwebhook>).
pub const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
/// How often it is looked at.
const WATCH: Duration = Duration::from_mins(1);
/// A failure this recent is one of now, in seconds.
const RECENT: i64 = 90;
/// A failure this recent is one of now while updates wait, in seconds.
const RECENT_WAITING: i64 = 15 * 60;

/// A webhook's secret: the same at every gateway and after every start, and of no use without the token.
pub fn secret(settings: &Settings) -> Secret {
    let mac = Hmac::<Sha256>::new_from_slice(settings.token.expose().as_bytes());
    // HMAC takes keys of any length.
    let Ok(mut mac) = mac else { return settings.token.clone() };
    mac.update(b"leadgate telegram webhook 1");
    Secret::new(HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// A bot whose updates are brought.
#[derive(Debug)]
pub struct Webhook {
    auth: Auth,
    reader: Arc<Reader>,
}

impl Webhook {
    /// A bot as configured.
    pub fn new(settings: &Settings, reader: Arc<Reader>) -> Self {
        let header = Check::Header { name: SECRET_HEADER.to_owned(), secrets: vec![secret(settings)] };
        Self { auth: Auth { any: vec![vec![Check::PathToken, header]] }, reader }
    }
}

impl Push for Webhook {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        self.auth
            .check(&Call { request, body: None, now: request.received_at })
            .map_err(|unproven| Refusal::Unauthenticated(unproven.0))?;
        if request.path_token == PathToken::Vouched {
            return Ok(Parsed::Submissions(vec![self.reader.read_kept(request.body, request.received_at, request.id)]));
        }
        Ok(Parsed::Submissions(vec![self.reader.read(request.body, request.received_at, request.id).submission]))
    }

    fn reply(&self, _request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Unreadable(_) | Refusal::Oversize(_)) => {
                Reply::text(200, "ok")
            }
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => Reply::text(401, "the secret is wrong\n"),
            Outcome::Busy => Reply::busy(5),
        }
    }

    fn limits(&self) -> PushLimits {
        PushLimits { body: 1 << 20, files: 0, file: 0, files_total: 0 }
    }
}

/// Sees to it that the service calls.
#[derive(Debug)]
pub struct Registered {
    settings: Arc<Settings>,
    reader: Arc<Reader>,
    status: Status,
    watch: Duration,
}

/// Where the service calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Here, as it should.
    Ours,
    /// Nowhere, or at an address this source had before.
    Free,
    /// Elsewhere.
    Foreign,
}

impl Registered {
    /// A bot as configured.
    pub fn new(settings: Arc<Settings>, reader: Arc<Reader>) -> Self {
        Self { settings, reader, status: Status::default(), watch: WATCH }
    }

    /// Looks more or less often. For tests.
    #[must_use]
    pub fn paced(self, watch: Duration) -> Self {
        Self { watch, ..self }
    }

    async fn see_to_it(&self, feed: &dyn Feed) -> Result<(), PullError> {
        self.status.begin(feed);
        let Some(url) = feed.url() else {
            return Err(self.status.refused(feed, "the gateway has no address at which it can be called".to_owned()));
        };
        let api = Api::new(&self.settings).map_err(|error| self.status.failed(feed, error))?;
        let me = api.get_me().await.map_err(|error| self.status.failed(feed, error))?;
        learn(&self.reader, &me);
        // The secret and what is told of may have changed while the address did not.
        let mut settled = false;
        loop {
            match self.look(&api, &url, &mut settled, feed).await {
                Ok(()) => {}
                Err(Trouble::Pause(pause)) => tokio::time::sleep(pause).await,
                Err(Trouble::End(error)) => return Err(error),
            }
            tokio::time::sleep(self.watch).await;
        }
    }

    /// One look, and what follows from it.
    async fn look(&self, api: &Api, url: &str, settled: &mut bool, feed: &dyn Feed) -> Result<(), Trouble> {
        let info = api.get_webhook_info().await.map_err(|error| self.trouble(error, feed))?;
        let whose = self.whose(&info, url);
        if whose == Whose::Foreign && !self.settings.take_over {
            if !*settled {
                return Err(Trouble::End(self.status.refused(feed, foreign(&info.url))));
            }
            self.status.tell(feed, PullState::Down, &format!("the webhook was taken: {}", foreign(&info.url)));
            return Ok(());
        }
        if whose != Whose::Ours || !*settled {
            api.set_webhook(url, secret(&self.settings).expose()).await.map_err(|error| self.trouble(error, feed))?;
            *settled = true;
            if whose == Whose::Foreign {
                self.status.tell(feed, PullState::Watching, "the webhook had been taken by another program, and was taken back");
                return Ok(());
            }
        }
        match failing(&info, feed.arrival().0).filter(|_| whose == Whose::Ours) {
            Some(words) => self.status.tell(feed, PullState::Down, &words),
            None => self.status.tell(feed, PullState::Watching, ""),
        }
        Ok(())
    }

    fn whose(&self, info: &WebhookInfo, url: &str) -> Whose {
        if info.url == url {
            Whose::Ours
        } else if info.url.is_empty() || self.settings.is_ours(&info.url) || same_source(&info.url, url) {
            Whose::Free
        } else {
            Whose::Foreign
        }
    }

    fn trouble(&self, error: ApiError, feed: &dyn Feed) -> Trouble {
        match error {
            ApiError::TooMany(pause) => {
                self.status.tell(
                    feed,
                    PullState::Down,
                    &format!("Telegram takes no more calls of this bot for {} s", pause.as_secs()),
                );
                Trouble::Pause(pause)
            }
            ApiError::Bad(said) => {
                let words = format!(
                    "Telegram does not take the gateway's address: {said}. It calls https at port 443, 80, 88 or 8443 with a certificate \
                     that is believed; check server.public_url, or use mode = \"polling\""
                );
                Trouble::End(self.status.refused(feed, words))
            }
            error => Trouble::End(self.status.failed(feed, error)),
        }
    }
}

enum Trouble {
    Pause(Duration),
    End(PullError),
}

/// Whether two addresses differ in the source's token alone.
fn same_source(a: &str, b: &str) -> bool {
    let before = |url: &str| url.rsplit_once('/').map(|(before, _)| before.to_owned());
    before(a).is_some() && before(a) == before(b)
}

/// Why calls fail, if they do now: the service tells of the last failure for ever.
fn failing(info: &WebhookInfo, now: Timestamp) -> Option<String> {
    let ago = now.as_second().saturating_sub(info.last_error_date?);
    let waiting = info.pending_update_count;
    let fails = ago < RECENT || (waiting > 0 && ago < RECENT_WAITING);
    let why = info.last_error_message.as_deref().unwrap_or("it does not say why");
    fails.then(|| format!("Telegram cannot call the gateway: {why}; {waiting} updates wait there. Nothing is lost for a day"))
}

#[async_trait]
impl Pull for Registered {
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError> {
        self.see_to_it(feed).await
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
    fn a_failure_of_long_ago_is_none() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let info = |ago: i64, waiting: u64| WebhookInfo {
            last_error_date: Some(1_800_000_000 - ago),
            last_error_message: Some("Wrong response from the webhook: 503".to_owned()),
            pending_update_count: waiting,
            ..WebhookInfo::default()
        };
        assert!(failing(&info(30, 0), now).is_some_and(|words| words.contains("503")));
        assert!(failing(&info(300, 4), now).is_some_and(|words| words.contains("4 updates")));
        assert_eq!(failing(&info(300, 0), now), None);
        assert_eq!(failing(&info(86_400, 4), now), None);
        assert_eq!(failing(&WebhookInfo::default(), now), None);
    }

    #[test]
    fn an_address_with_another_token_is_ours() {
        assert!(same_source("https://a.example/in/bot/one", "https://a.example/in/bot/two"));
        assert!(!same_source("https://a.example/in/bot/one", "https://b.example/in/bot/one"));
        assert!(!same_source("", ""));
    }
}
