//! The gateway as a whole: built (the port is taken, nothing runs yet), then run until it is told to stop.

mod banner;
mod bind;
mod gateway;
mod live;
mod removed;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use leadgate_core::ports::{NewToken, Store};
use leadgate_core::secret::Secret;
use leadgate_core::views::Scope;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SetOnce};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bind::Bound;
pub use self::bind::Passed;
pub use gateway::{Gateway, RefusalCounts, Reloaded};
pub use live::{AddressLimit, Live, LivePull, LiveSource, Pace, compare_with_nothing};

use crate::attachments::Attachments;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::http::api::TokenCache;
use crate::http::{self, Door, Limits};
use crate::intake::{self, Committer, RulesCell, StoreCell};
use crate::metrics::{self, Meters};
use crate::nodes::Node;
use crate::outward::Outward;
use crate::shutdown::Shutdown;
use crate::space::Space;
use crate::tls::Tls;
use crate::{acme, housekeeping, onward, pulls, secrets, stores, systemd};

/// Reads the configuration again.
pub type Reload = Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

/// The name of the token of this machine's own commands.
pub const LOCAL_TOKEN: &str = "local";

/// Whether a token is one of a machine's own commands. Gateways that share a database have one each, `local-` and eight digits.
pub fn is_local(name: &str) -> bool {
    let machine = name.strip_prefix(LOCAL_TOKEN).and_then(|rest| rest.strip_prefix('-'));
    name == LOCAL_TOKEN || machine.is_some_and(|hex| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What this machine's token is called: in a database for several gateways none may take another's away.
fn local_name(database: &Database, hash: &[u8; 32]) -> String {
    match database {
        Database::Sqlite(_) => LOCAL_TOKEN.to_owned(),
        Database::Postgres(_) => format!("{LOCAL_TOKEN}-{}", leadgate_core::submission::hex(&hash[..4])),
    }
}

/// After a hard stop, or after the drain, what waits for its commit gets this long.
const LAST_COMMITS: Duration = Duration::from_secs(5);

/// A gateway that holds its port and does not run yet.
pub struct App {
    gateway: Arc<Gateway>,
    committer: Committer,
    doors: Vec<(std::net::TcpListener, Option<TlsAcceptor>)>,
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    note: Option<String>,
    api_token: Secret,
    database: Database,
    limits: Limits,
    drain: Duration,
    lease: Duration,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl App {
    /// Takes the port, then makes everything that must be there before the first request. The database is opened by
    /// [`App::run`]: while migrations run, requests wait.
    pub fn build(config: Config, clock: Clock, reload: Reload) -> anyhow::Result<Self> {
        Self::build_on(Passed::default(), config, clock, reload)
    }

    /// As [`App::build`], on sockets that were passed to the process, where there are some.
    pub fn build_on(mut passed: Passed, config: Config, clock: Clock, reload: Reload) -> anyhow::Result<Self> {
        let tls = config.server.tls.as_ref().map(Tls::load).transpose()?;
        let bound = passed.plain(&config.server.listen)?;
        let encrypted = passed.tls(config.server.tls.as_ref())?;
        let addresses = bound.addresses()?;
        let tls_addresses = encrypted.as_ref().map(Bound::addresses).transpose()?.unwrap_or_default();
        let note = bound.note.or_else(|| encrypted.as_ref()?.note.clone());
        let mut doors: Vec<_> = bound.listeners.into_iter().map(|listener| (listener, None)).collect();
        for listener in encrypted.map(|bound| bound.listeners).unwrap_or_default() {
            doors.push((listener, tls.as_ref().map(Tls::acceptor)));
        }
        let prometheus = metrics::install();
        secrets::create_data_dir(&config.data_dir)?;
        let api_token = secrets::api_token(&config.data_dir)?;
        let attachments = Attachments::open(&config.attachments, &config.data_dir)?;
        let limits = Limits { connections: config.server.max_connections, header_timeout: config.server.header_timeout };
        let (drain, lease) = (config.server.drain, config.server.lease);
        let (data_dir, database) = (config.data_dir.clone(), config.database.clone());
        let space = Arc::new(Space::new(&config, housekeeping::disk_free));
        let outward = Arc::new(Outward::new(config.server.inner_services.clone()));
        let live = Live::new(config)?;
        let rules = RulesCell::new(Arc::clone(&live.rules));
        let store: StoreCell = Arc::new(SetOnce::new());
        let (intake, committer) = intake::intake(intake::Limits::default(), rules.clone(), Arc::clone(&store));
        let gateway = Gateway {
            started_at: clock.now(),
            clock,
            intake,
            attachments,
            outward,
            meters: Meters::default(),
            prometheus,
            tokens: TokenCache::default(),
            refusals: RefusalCounts::default(),
            desk: pulls::Desk::default(),
            onward: onward::Desk::default(),
            watch: onward::Watch::default(),
            names: crate::telegram::Names::default(),
            signer: tokio::sync::OnceCell::new(),
            data_dir,
            disk_free: AtomicU64::new(u64::MAX),
            space,
            store,
            live: RwLock::new(Arc::new(live)),
            rules,
            reload,
            reloading: tokio::sync::Mutex::new(()),
            proxy_warned: AtomicBool::new(false),
            reloads: tokio::sync::Notify::new(),
            keeps_house: AtomicBool::new(false),
            tls,
            days_told: AtomicI64::new(i64::MAX),
        };
        Ok(Self {
            gateway: Arc::new(gateway),
            committer,
            doors,
            addresses,
            tls_addresses,
            note,
            api_token,
            database,
            limits,
            drain,
            lease,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens for TLS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// What every request handler shares.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// What a person should know at the start.
    pub fn banner(&self) -> String {
        banner::banner(&self.gateway, (&self.addresses, &self.tls_addresses), self.note.as_deref(), &self.database)
    }

    /// Serves until told to stop; then finishes what is under way within `server.drain`, or stops at once when told twice.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { gateway, committer, doors, addresses, tls_addresses, note, api_token, database, limits, drain, lease } = self;
        if let Some(note) = note {
            tracing::warn!("{note}");
        }
        let connections = TaskTracker::new();
        let responder = http::responder(Arc::clone(&gateway));
        let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        for (listener, tls) in doors {
            let listener = TcpListener::from_std(listener).context("the listening socket cannot be used")?;
            let (room, tasks) = (Arc::clone(&room), connections.clone());
            connections.spawn(http::serve(Door { listener, tls }, responder.clone(), limits, room, tasks, shutdown.clone()));
        }
        tracing::info!(?addresses, ?tls_addresses, "listening");
        // Senders that came early wait for this.
        let opened = tokio::select! {
            opened = open(&database, &gateway, &api_token) => opened,
            () = shutdown.soft().cancelled() => Err(anyhow::anyhow!("stopped before the database was open")),
        };
        let outcome = match opened {
            Ok(store) => {
                let node = Node::new(&gateway.clock, gateway.live().base_url.clone(), Arc::clone(&store), lease);
                serve(&gateway, committer, node, store, &connections, &shutdown, drain).await;
                Ok(())
            }
            Err(error) => {
                shutdown.stop_hard();
                connections.close();
                connections.wait().await;
                Err(error)
            }
        };
        tracing::info!("stopped");
        outcome
    }
}

/// Runs with an open store, until the stop and through it.
async fn serve(
    gateway: &Arc<Gateway>,
    committer: Committer,
    node: Node,
    store: Arc<dyn Store>,
    connections: &TaskTracker,
    shutdown: &Shutdown,
    drain: Duration,
) {
    let (last_commit, keep_house, leave) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let workers = TaskTracker::new();
    workers.spawn(committer.run(Arc::clone(&store), last_commit.clone()));
    let housekeeper = workers.spawn(housekeeping::run(Arc::clone(gateway), Arc::clone(&store), keep_house.clone()));
    let readers = TaskTracker::new();
    readers.spawn(pulls::run(Arc::clone(gateway), node.clone(), shutdown.soft().clone()));
    readers.spawn(housekeeping::hold(Arc::clone(gateway), node.clone(), keep_house.clone()));
    readers.spawn(onward::run(Arc::clone(gateway), node.id(), Arc::clone(&store), shutdown.soft().clone()));
    readers.spawn(onward::run_timers(Arc::clone(gateway), Arc::clone(&store), shutdown.soft().clone()));
    readers.spawn(acme::run(Arc::clone(gateway), shutdown.soft().clone()));
    let alive = workers.spawn(node.live(leave.clone()));
    // Only now: whoever waits for the store finds its committer at work.
    if gateway.store.set(Arc::clone(&store)).is_err() {
        tracing::error!("the store was opened twice");
    }
    systemd::ready();
    loop {
        tokio::select! {
            () = shutdown.soft().cancelled() => break,
            () = shutdown.reload_asked() => {
                // Told in the log by the reload itself, taken or not.
                if let Err(error) = gateway.reload().await {
                    tracing::debug!(error = format!("{error:#}"), "a reload on a signal was refused");
                }
            }
        }
    }
    systemd::stopping();
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = tokio::time::sleep(drain) => {
            tracing::warn!(open = connections.len(), "some requests did not finish in time");
            shutdown.stop_hard();
        }
        () = shutdown.hard().cancelled() => {}
    }
    keep_house.cancel();
    readers.close();
    if tokio::time::timeout(LAST_COMMITS, readers.wait()).await.is_err() {
        tracing::warn!("reading sources did not stop in time");
    }
    leave.cancel();
    last_commit.cancel();
    workers.close();
    if tokio::time::timeout(LAST_COMMITS, async {
        workers.wait().await;
        connections.wait().await;
    })
    .await
    .is_err()
    {
        tracing::warn!("some work was given up; nothing of it was acknowledged");
    }
    housekeeper.abort();
    alive.abort();
    store.close().await;
}

/// Opens the database and makes sure this machine's own commands are let in.
async fn open(database: &Database, gateway: &Gateway, api_token: &Secret) -> anyhow::Result<Arc<dyn Store>> {
    let hash: [u8; 32] = Sha256::digest(api_token.expose().as_bytes()).into();
    let (name, database) = (local_name(database, &hash), database.clone());
    if matches!(database, Database::Postgres(_)) && !gateway.attachments.is_elsewhere() {
        tracing::warn!(
            "attachments are kept on this machine alone: should further gateways use this database, give them all one place, \
             [attachments] url"
        );
    }
    // On a thread of its own: migrations of a large database would hold up the requests that wait for them.
    let runtime = tokio::runtime::Handle::current();
    let opening = tokio::task::spawn_blocking(move || runtime.block_on(stores::open(&database)));
    let store = opening.await.context("opening the database panicked")??;
    if let Err(error) = ready_to_serve(&*store, gateway, &name, hash).await {
        store.close().await;
        return Err(error);
    }
    Ok(store)
}

/// What must hold before the first lead is taken: the attachments are ours, and this machine's own commands are let in.
async fn ready_to_serve(store: &dyn Store, gateway: &Gateway, name: &str, hash: [u8; 32]) -> anyhow::Result<()> {
    gateway.attachments.claim(store, &gateway.clock).await?;
    if store.token(hash).await?.is_none() {
        let now = gateway.clock.now();
        // The file was deleted or restored: the token of before is no longer good.
        store.revoke_token(name, now).await?;
        let token = NewToken { name: name.to_owned(), hash, scopes: vec![Scope::Admin], sources: None };
        if !store.add_token(token, now).await? {
            tracing::warn!("the key in the data folder could not be registered: this machine's own commands will not be let in");
        }
    }
    Ok(())
}
