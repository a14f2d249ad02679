//! Sending: a few connections that are used again, and an end to every wait.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadgate_core::ports::{DeliverError, Delivered, Finding};
use leadgate_core::submission::Reference;
use leadgate_wire::peer::{Security, fingerprint_text};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Failure;
use super::letter::Letter;
use super::settings::Settings;
use super::talk::{Envelope, Progress, Talk};

/// A connection that was not used for longer is not used again: servers close them after some minutes (RFC 5321, section 4.5.3.2).
const IDLE: Duration = Duration::from_mins(1);
/// A connection that was used within this time is taken to be there still.
const FRESH: Duration = Duration::from_secs(2);

/// Sends mails. Clones share its connections.
#[derive(Clone)]
pub struct Mailer {
    settings: Arc<Settings>,
    idle: Arc<Mutex<Vec<Talk>>>,
    at_once: Arc<Semaphore>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("server", &self.settings.server.name()).finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer that connects when there is something to send.
    pub fn new(settings: Arc<Settings>) -> Self {
        let at_once = Arc::new(Semaphore::new(settings.connections));
        Self { settings, idle: Arc::default(), at_once }
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes one attempt. It ends within twice `timeout`: once for a free connection, once for the conversation. The letter's
    /// Message-ID is among what is given back.
    pub async fn send(&self, letter: &Letter) -> Result<Delivered, DeliverError> {
        let unfit = |error: super::letter::LetterError| DeliverError::Refused { words: error.to_string() };
        let bytes = letter.to_bytes().map_err(unfit)?;
        let envelope = Envelope {
            from: letter.envelope_from.as_ref().map(|from| from.address().clone()),
            to: letter.to.address().clone(),
            bytes: &bytes,
        };
        let limit = self.settings.server.timeout;
        let server = self.settings.server.name();
        let Ok(Ok(_turn)) = timeout(limit, self.at_once.acquire()).await else {
            return Err(DeliverError::Later { words: format!("every connection to {server} is busy"), after: None });
        };
        let progress = Progress::new();
        // A conversation that is given up is dropped in the middle, and its connection with it.
        match timeout_at(Instant::now() + limit, self.converse(&envelope, &progress)).await {
            Ok(Ok(code)) => {
                let refs = vec![(Reference::MESSAGE_ID.to_owned(), letter.message_id.clone())];
                Ok(Delivered { refs, words: format!("{server} has taken it ({code})") })
            }
            Ok(Err(failure)) => Err(failure.verdict(&server)),
            Err(_elapsed) => Err(Failure::Slow { step: progress.now(), seconds: limit.as_secs() }.verdict(&server)),
        }
    }

    /// Connects, logs in and takes leave, telling each finding as it is made. Sends nothing.
    pub async fn test(&self, tell: &(dyn Fn(Finding) + Send + Sync)) -> bool {
        let peer = &self.settings.server;
        let (limit, server, progress) = (peer.timeout, peer.name(), Progress::new());
        let failure = match timeout(limit, Talk::open(&self.settings, &progress)).await {
            Ok(Ok(talk)) => {
                let how = match (peer.security, peer.fingerprint) {
                    (Security::Tls, None) => "by TLS, with a certificate that is believed",
                    (Security::Tls, Some(_)) => "by TLS, with the certificate that is named",
                    (Security::StartTls, None) => "by STARTTLS, with a certificate that is believed",
                    (Security::StartTls, Some(_)) => "by STARTTLS, with the certificate that is named",
                    (Security::Plain, _) => "without encryption",
                };
                let shown = talk.certificate.as_ref().map(|seen| format!(" (SHA-256 {})", fingerprint_text(seen)));
                tell(Finding { ok: true, words: format!("connected to {server} {how}{}", shown.unwrap_or_default()) });
                let words = match &self.settings.login {
                    Some((user, _)) => format!("logged in as {user}"),
                    None => "no login: there is no user in [mail]".to_owned(),
                };
                tell(Finding { ok: true, words });
                // It is told already; a server that says nothing to QUIT does no harm.
                drop(timeout(FRESH, talk.quit()).await);
                return true;
            }
            Ok(Err(failure)) => failure,
            Err(_elapsed) => Failure::Slow { step: progress.now(), seconds: limit.as_secs() },
        };
        tell(Finding { ok: false, words: failure.verdict(&server).to_string() });
        false
    }

    async fn converse(&self, envelope: &Envelope<'_>, progress: &Progress) -> Result<String, Failure> {
        if let Some(mut talk) = self.waiting().await {
            match talk.send(envelope, progress).await {
                // The server closed it while it waited. Nothing was said yet, so nothing is said twice.
                Err(failure) if failure.is_stale() => {}
                Err(failure) => {
                    if talk.recovers(&failure).await {
                        self.keep(talk);
                    }
                    return Err(failure);
                }
                Ok(code) => {
                    self.keep(talk);
                    return Ok(code);
                }
            }
        }
        let mut talk = Talk::open(&self.settings, progress).await?;
        let sent = talk.send(envelope, progress).await;
        let usable = match &sent {
            Ok(_) => true,
            Err(failure) => talk.recovers(failure).await,
        };
        if usable {
            self.keep(talk);
        }
        sent
    }

    /// A connection that waits and still listens.
    async fn waiting(&self) -> Option<Talk> {
        loop {
            let mut talk = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let rest = talk.since.elapsed();
            if rest < FRESH {
                return Some(talk);
            }
            if rest < IDLE && timeout(FRESH, talk.listens()).await == Ok(true) {
                return Some(talk);
            }
        }
    }

    fn keep(&self, mut talk: Talk) {
        talk.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|talk| talk.since.elapsed() < IDLE);
        idle.push(talk);
    }
}
