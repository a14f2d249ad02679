//! Access tokens (OAuth 2, RFC 6749): asked for once by however many ask, renewed before they run out. A refresh token that the
//! provider exchanges for another is kept in the gateway's data folder.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use leadgate_core::secret::Secret;
use leadgate_wire::guarded::{Allowed, Answer, CallError, Caps, Guarded, Lookup};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::{ImapError, said};
use crate::settings::OAuth;

/// A token is renewed so long before it runs out.
const EARLY: Duration = Duration::from_mins(5);
/// How long a token is good if the provider does not say (what most of them give).
const USUAL: Duration = Duration::from_hours(1);
/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER: usize = 64 << 10;
/// A refresh token that runs out sooner than this is told of.
const WARN: Duration = Duration::from_hours(14 * 24);

/// The tokens of one account.
pub struct Tokens {
    state: Arc<Mutex<State>>,
    /// How often the provider was asked.
    asked: AtomicU64,
    /// Where a refresh token that replaced the configured one is kept.
    kept: Option<PathBuf>,
    client: OnceLock<Guarded>,
    warning: std::sync::Mutex<Option<String>>,
}

#[derive(Default)]
struct State {
    access: Option<Access>,
    /// The refresh token that replaced the configured one.
    rotated: Option<Secret>,
    read: bool,
    /// How the last question ended, if it failed.
    failed: Option<ImapError>,
}

struct Access {
    token: Secret,
    until: Instant,
}

/// What is kept of a refresh token.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The SHA-256 of the configured token it descends from: a newly configured one counts more.
    of: String,
    refresh_token: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(crate) fn new(kept: Option<PathBuf>) -> Self {
        Self {
            state: Arc::default(),
            asked: AtomicU64::new(0),
            kept,
            client: OnceLock::new(),
            warning: std::sync::Mutex::default(),
        }
    }

    /// What people should know before it is too late.
    pub(crate) fn warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn warn(&self, words: Option<String>) {
        if let Some(words) = &words {
            tracing::warn!("{words}");
        }
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}

impl OAuth {
    /// An access token, and whether it was asked for just now; never the one that was `refused`.
    pub(crate) async fn access(&self, refused: Option<&Secret>) -> Result<(Secret, bool), ImapError> {
        let asked = self.tokens.asked.load(Ordering::Acquire);
        let state = Arc::clone(&self.tokens.state).lock_owned().await;
        let good = state.access.as_ref().filter(|access| access.until > Instant::now() && refused != Some(&access.token));
        if let Some(access) = good {
            return Ok((access.token.clone(), false));
        }
        // Who waited while another asked has the other's answer, also a bad one.
        if self.tokens.asked.load(Ordering::Acquire) != asked
            && let Some(error) = &state.failed
        {
            return Err(error.clone());
        }
        // On a task of its own: a refresh token that was exchanged must not be lost because nobody waits any more.
        let oauth = self.clone();
        match tokio::spawn(async move { oauth.renew(state).await }).await {
            Ok(Ok(token)) => Ok((token, true)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ImapError::Network("asking for an access token was cut off".to_owned())),
        }
    }

    /// Forgets a token that is good for nothing.
    pub(crate) async fn forget(&self, token: &Secret) {
        let mut state = self.tokens.state.lock().await;
        if state.access.as_ref().is_some_and(|access| access.token == *token) {
            state.access = None;
        }
    }

    async fn renew(&self, mut state: OwnedMutexGuard<State>) -> Result<Secret, ImapError> {
        self.tokens.asked.fetch_add(1, Ordering::AcqRel);
        state.access = None;
        if !state.read {
            state.rotated = self.read_kept().await;
            state.read = true;
        }
        let asked = match self.ask(state.rotated.as_ref().or(self.refresh_token.as_ref())).await {
            // What the provider gave in exchange is worth nothing any more; what the owner gave may be.
            Err(ImapError::Refused(_)) if state.rotated.is_some() => {
                let given = self.ask(self.refresh_token.as_ref()).await;
                if given.is_ok() {
                    state.rotated = None;
                }
                given
            }
            other => other,
        };
        match asked {
            Ok(given) => {
                let lifetime = given.lifetime;
                // A lifetime that is shorter than the margin is halved instead.
                let good = lifetime.saturating_sub(EARLY).max(lifetime / 2);
                state.access = Some(Access { token: given.access.clone(), until: Instant::now() + good });
                state.failed = None;
                self.settle(&mut state, given.refresh, given.refresh_lifetime).await;
                Ok(given.access)
            }
            Err(error) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Keeps what came with an access token.
    async fn settle(&self, state: &mut State, refresh: Option<Secret>, lifetime: Option<Duration>) {
        let mut warning = lifetime.filter(|left| *left < WARN).map(|left| {
            let days = left.as_secs() / 86_400;
            format!("the refresh token runs out in {days} days, and mail is read no more then: get a new one and write it in oauth.refresh_token")
        });
        if let Some(refresh) = refresh.filter(|new| self.refresh_token.is_some() && state.rotated.as_ref() != Some(new)) {
            if self.refresh_token.as_ref() == Some(&refresh) && state.rotated.is_none() {
                return self.tokens.warn(warning);
            }
            if let Err(error) = self.keep(&refresh).await {
                warning =
                    Some(format!("the provider's new refresh token cannot be kept, and is lost with the next start: {error}"));
            }
            state.rotated = Some(refresh);
        }
        self.tokens.warn(warning);
    }

    async fn ask(&self, refresh: Option<&Secret>) -> Result<Given, ImapError> {
        let mut form = vec![("client_id", self.client_id.as_str())];
        match refresh {
            Some(token) => form.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]),
            None => form.push(("grant_type", "client_credentials")),
        }
        form.extend(self.client_secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let caps = Caps { time: PATIENCE, bytes: ANSWER, cut: false, types: &[], redirects: &[] };
        let asked = async { self.client()?.post_form(&self.token_url, &form, caps).await };
        // A name server that does not answer is not within the client's own time.
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => self.understand(&answer, refresh),
            Ok(Err(error)) => Err(ImapError::Network(format!("no access token from {}: {error}", self.provider()))),
            Err(_elapsed) => Err(ImapError::Network(format!("no access token from {}: {}", self.provider(), CallError::TooSlow))),
        }
    }

    fn client(&self) -> Result<&Guarded, CallError> {
        if let Some(client) = self.tokens.client.get() {
            return Ok(client);
        }
        // The owner wrote the URL, so it may be anywhere.
        let client = Guarded::new(Arc::new(System), Allowed::host_of(&self.token_url))?;
        Ok(self.tokens.client.get_or_init(|| client))
    }

    /// The provider's host, for people.
    fn provider(&self) -> String {
        let url = url::Url::parse(&self.token_url).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "the provider".to_owned())
    }

    fn understand(&self, answer: &Answer, refresh: Option<&Secret>) -> Result<Given, ImapError> {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |key: &str| json.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let (200, Some(token)) = (answer.status, text("access_token")) {
            return Ok(Given {
                access: Secret::new(token),
                lifetime: seconds(&json["expires_in"]).unwrap_or(USUAL),
                refresh: text("refresh_token").map(Secret::new),
                refresh_lifetime: seconds(&json["refresh_token_expires_in"]),
            });
        }
        let provider = self.provider();
        let Some(error) = text("error") else {
            let words = format!("{provider} answered {} and no access token; is oauth.token_url right?", answer.status);
            return Err(if answer.status == 429 || answer.status >= 500 {
                ImapError::Network(words)
            } else {
                ImapError::Refused(words)
            });
        };
        // Of Microsoft's several lines the first says it all, with its AADSTS number.
        let described = text("error_description").and_then(|text| text.lines().next()).map(|line| format!(": {line}"));
        let mut why = said::words(&format!("{error}{}", described.unwrap_or_default()));
        for secret in [refresh, self.client_secret.as_ref()].into_iter().flatten() {
            why = why.replace(secret.expose(), "<secret>");
        }
        if answer.status >= 500 || matches!(error, "temporarily_unavailable" | "server_error" | "slow_down") {
            return Err(ImapError::Network(format!("{provider} gives no access token now ({why})")));
        }
        Err(ImapError::Refused(format!("{provider} gives no access token ({why}){}", hint(error, &provider))))
    }

    async fn read_kept(&self) -> Option<Secret> {
        let (path, given) = (self.tokens.kept.as_ref()?, self.refresh_token.as_ref()?);
        let kept: Kept = serde_json::from_slice(&tokio::fs::read(path).await.ok()?).ok()?;
        (kept.of == digest(given)).then(|| Secret::new(kept.refresh_token))
    }

    /// Keeps a refresh token, for the gateway's owner alone: whole, or not at all.
    async fn keep(&self, refresh: &Secret) -> io::Result<()> {
        let (Some(path), Some(given)) = (&self.tokens.kept, &self.refresh_token) else { return Ok(()) };
        let kept = serde_json::to_vec(&Kept { of: digest(given), refresh_token: refresh.expose().to_owned() })?;
        let new = path.with_extension("json.new");
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&new).await?;
        file.write_all(&kept).await?;
        file.sync_all().await?;
        tokio::fs::rename(&new, path).await
    }
}

/// What a provider gave.
struct Given {
    access: Secret,
    lifetime: Duration,
    refresh: Option<Secret>,
    refresh_lifetime: Option<Duration>,
}

fn hint(error: &str, provider: &str) -> &'static str {
    let google = ["google.com", "googleapis.com"].iter().any(|known| provider.ends_with(known));
    match error {
        "invalid_grant" if google => {
            ": the refresh token is not good any more. Google ends those of an application in testing after 7 days (publish it), and \
             all when the password changes or access is taken back; get a new one and write it in oauth.refresh_token"
        }
        "invalid_grant" => {
            ": the refresh token is not good any more: it ran out or was taken back; get a new one and write it in oauth.refresh_token"
        }
        "invalid_client" | "unauthorized_client" => {
            ": are oauth.client_id and oauth.client_secret right, and has the secret run out?"
        }
        "invalid_scope" => ": is oauth.scope right?",
        _ => "",
    }
}

/// A number of seconds; some write it as a text.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // No longer than the clock reaches.
    Some(Duration::from_secs(number.min(10 * 365 * 86_400)))
}

fn digest(secret: &Secret) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.expose().as_bytes()))
}

/// Names as this machine knows them.
struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}
