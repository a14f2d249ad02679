//! What every request handler and background task shares.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use leadgate_core::ids::{LeadId, SourceId};
use leadgate_core::ports::{Refusals, Store};
use metrics_exporter_prometheus::PrometheusHandle;

use super::Reload;
use super::live::Live;
use crate::attachments::Attachments;
use crate::clock::Clock;
use crate::http::api::TokenCache;
use crate::intake::{GroupIntake, RulesCell, StoreCell};
use crate::metrics::{self, Meters};
use crate::onward;
use crate::outward::Outward;
use crate::pulls::Desk;
use crate::space::Space;
use crate::telegram::Names;
use crate::tls::{CertificateView, FEW_DAYS, Tls};

/// How long a request waits for the database to open (migrations may run).
const STORE_WAIT: Duration = Duration::from_secs(10);

/// What every request handler and background task shares.
pub struct Gateway {
    /// Time and ids.
    pub clock: Clock,
    /// The one way in.
    pub intake: GroupIntake,
    /// Files.
    pub attachments: Attachments,
    /// Asks other services.
    pub outward: Arc<Outward>,
    /// What is counted on every call.
    pub meters: Meters,
    /// Renders the metrics.
    pub prometheus: Option<PrometheusHandle>,
    /// API tokens seen a moment ago.
    pub tokens: TokenCache,
    /// Calls refused without being kept, until they are written.
    pub refusals: RefusalCounts,
    /// When the process began to serve.
    pub started_at: Timestamp,
    /// Where the database, tokens and attachments lie.
    pub data_dir: PathBuf,
    /// Bytes free there, as last looked at; `u64::MAX` before.
    pub disk_free: AtomicU64,
    /// What is told of the sources that are read here.
    pub desk: Desk,
    /// What is told of the targets that are delivered to.
    pub onward: onward::Desk,
    /// Makes the links of mails; its key is the database's.
    pub(super) signer: tokio::sync::OnceCell<onward::Signer>,
    /// The names of the bots, as they were told.
    pub names: Names,
    /// Whether the clock was set.
    pub watch: onward::Watch,
    /// Whether there is room for files.
    pub space: Arc<Space>,
    pub(super) store: StoreCell,
    pub(super) live: RwLock<Arc<Live>>,
    pub(super) rules: RulesCell,
    pub(super) reload: Reload,
    pub(super) reloading: tokio::sync::Mutex<()>,
    pub(super) proxy_warned: AtomicBool,
    pub(super) reloads: tokio::sync::Notify,
    /// Whether this gateway keeps house for its database.
    pub keeps_house: AtomicBool,
    pub(super) tls: Option<Tls>,
    /// How many days the certificate had left when that was last told.
    pub(super) days_told: AtomicI64,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    /// The configuration in force.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The store; waits a while for it to open.
    pub async fn store(&self) -> Option<&Arc<dyn Store>> {
        match self.store.get() {
            Some(store) => Some(store),
            None => tokio::time::timeout(STORE_WAIT, self.store.wait()).await.ok(),
        }
    }

    /// Makes and reads the links of mails. `None`: the database cannot be asked for the key.
    pub async fn signer(&self) -> Option<&onward::Signer> {
        let make = async || {
            let store = self.store().await.ok_or(())?;
            let mut fresh = [0; 32];
            self.clock.fill(&mut fresh);
            match store.link_key(fresh).await {
                Ok(key) => Ok(onward::Signer::new(key)),
                Err(error) => {
                    tracing::warn!(%error, "links of mails can be neither made nor read");
                    Err(())
                }
            }
        };
        self.signer.get_or_try_init(make).await.ok()
    }

    /// Where a lead is read by one who is told of it. `None`: the gateway has no public address, or the
    /// database cannot be asked for the key.
    pub async fn open_url(&self, lead: LeadId, by: &str, now: Timestamp) -> Option<String> {
        let base = self.live().public_url.clone()?;
        let path = self.signer().await?.open_path(lead, by, now)?;
        Some(format!("{base}{path}"))
    }

    /// The store, if it is open now.
    pub fn store_now(&self) -> Option<&Arc<dyn Store>> {
        self.store.get()
    }

    /// Reads the configuration again and puts its sources, rules, managers and proxies in force. A bad one changes nothing.
    /// Says what now holds, and what only a restart would change.
    pub async fn reload(self: &Arc<Self>) -> anyhow::Result<Reloaded> {
        let _one_at_a_time = self.reloading.lock().await;
        let gateway = Arc::clone(self);
        // Reading files blocks.
        let read = move || {
            let live = (gateway.reload)().and_then(Live::new)?;
            gateway.look_at_certificate()?;
            Ok(live)
        };
        let outcome = tokio::task::spawn_blocking(read).await.context("reading the configuration panicked");
        let live = match outcome.and_then(|live| live) {
            Ok(live) => live,
            Err(error) => {
                metrics::reloaded(false);
                tracing::error!(error = format!("{error:#}"), "the configuration stays as it was");
                return Err(error);
            }
        };
        let reloaded = Reloaded { sources: live.sources.len(), restart_needed: live.fixed != self.live().fixed };
        self.rules.set(Arc::clone(&live.rules));
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        metrics::reloaded(true);
        self.reloads.notify_waiters();
        if reloaded.restart_needed {
            tracing::warn!("addresses, timeouts, limits or paths differ from those in use: they take a restart");
        }
        tracing::info!(sources = reloaded.sources, "the configuration was read again");
        Ok(reloaded)
    }

    /// Waits for the next reload that is taken, from now on.
    pub fn reloaded(&self) -> tokio::sync::futures::Notified<'_> {
        self.reloads.notified()
    }

    /// Puts what is measured rather than counted into the metrics.
    pub fn measure(&self) {
        let free = self.disk_free.load(Ordering::Relaxed);
        let writes = self.intake.writes();
        metrics::gauges(writes.waiting(), (free != u64::MAX).then_some(free), !writes.failing());
        if let Some(certificate) = self.certificate() {
            metrics::certificate(certificate.days_left);
        }
    }

    /// The TLS door's lock, where there is one.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The certificate in force, where there is TLS.
    pub fn certificate(&self) -> Option<CertificateView> {
        self.tls.as_ref().map(|tls| tls.view(self.clock.now()))
    }

    /// Takes a certificate that was renewed, and tells, once a day, of one that soon ends. Blocks.
    pub fn look_at_certificate(&self) -> anyhow::Result<()> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let changed = tls.look_again()?;
        let certificate = tls.view(self.clock.now());
        let days = certificate.days_left;
        if changed {
            tracing::info!(until = %certificate.expires_at, "a new certificate is in force");
        }
        if days < FEW_DAYS && self.days_told.swap(days, Ordering::Relaxed) != days {
            let names = certificate.names.join(", ");
            tracing::warn!(days, names, "the certificate of [server.tls] soon ends or has ended: senders refuse one that has");
        }
        Ok(())
    }

    /// Told once: somebody forwards addresses, and nobody has said who may.
    pub fn warn_of_undeclared_proxy(&self, peer: std::net::IpAddr) {
        if !self.proxy_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "requests from {peer} carry X-Forwarded-For, but no proxy is declared: senders' addresses are unknown, and the \
                 limit per address is OFF for them. If that is your proxy, add to [server] in config/local.toml: \
                 trusted_proxies = [\"{peer}\"]"
            );
        }
    }
}

/// What a reload changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// How many sources there are now.
    pub sources: usize,
    /// Something changed that only a restart puts in force.
    pub restart_needed: bool,
}

/// Refused calls, counted until they are written.
#[derive(Debug, Default)]
pub struct RefusalCounts(Mutex<HashMap<SourceId, Refusals>>);

impl RefusalCounts {
    /// Counts one.
    pub fn add(&self, source: &SourceId, at: Timestamp, why: &str) {
        self.put_back([Refusals { source: source.clone(), count: 1, last_at: at, last_why: why.to_owned() }]);
    }

    /// Says why of one that is kept, and counted with what is kept.
    pub fn explain(&self, source: &SourceId, at: Timestamp, why: &str) {
        self.put_back([Refusals { source: source.clone(), count: 0, last_at: at, last_why: why.to_owned() }]);
    }

    /// Everything counted so far; begins anew.
    pub fn take(&self) -> Vec<Refusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, refusals)| refusals).collect()
    }

    /// Adds counts that could not be written.
    pub fn put_back(&self, refusals: impl IntoIterator<Item = Refusals>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for more in refusals {
            match counts.get_mut(&more.source) {
                None => {
                    counts.insert(more.source.clone(), more);
                }
                Some(known) => {
                    known.count += more.count;
                    if more.last_at >= known.last_at {
                        known.last_at = more.last_at;
                        known.last_why = more.last_why;
                    }
                }
            }
        }
    }
}
