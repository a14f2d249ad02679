//! The pool of connections, and finding the server that can be written to, at the start and after a failover.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use leadgate_core::ports::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::conn::Conn;
use crate::error::{self, OpenError, code, store};
use crate::url::{Server, Target};

/// How long a transaction waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(4);
/// How long a server that can be written to is looked for.
const FAILOVER: Duration = Duration::from_secs(3);
/// How long to wait before looking again.
const STEP: Duration = Duration::from_millis(100);
/// The oldest server: `server_version_num`.
const OLDEST: i32 = 130_000;
/// A setting of this name reaches a server only where nothing stands between.
const MARK: &str = "leadgate.direct";

/// A server that was found.
pub(crate) struct Found {
    pub(crate) conn: PgConnection,
    options: PgConnectOptions,
    server: usize,
    /// Whether a pooler stands between, which deals out the server's connections as it likes.
    pooled: bool,
}

/// The way to the database.
pub(crate) struct Servers {
    target: Target,
    pool: PgPool,
    /// Which of the target's servers the pool connects to.
    at: AtomicUsize,
    named: AtomicBool,
    finding: tokio::sync::Mutex<()>,
}

impl Servers {
    /// The pool on a server that was found.
    pub(crate) fn new(target: Target, found: &Found) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(target.connections)
            .min_connections(0)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(Some(Duration::from_mins(5)))
            // A dead connection shows when the transaction begins, see `begin`; asking each time would be a trip in vain.
            .test_before_acquire(false)
            .connect_lazy_with(found.options.clone());
        let named = AtomicBool::new(named(&target, found));
        Self { target, pool, at: AtomicUsize::new(found.server), named, finding: tokio::sync::Mutex::new(()) }
    }

    /// Begins a transaction by `head` (see [`Conn::begin`]). Connections that died meanwhile are passed over, and if none can
    /// be made, the server is looked for again.
    pub(crate) async fn begin(&self, head: &str) -> Result<Conn, StoreError> {
        let mut looked = false;
        // At worst every connection that lay idle is dead.
        let mut dead = 0;
        loop {
            let conn = match self.pool.acquire().await {
                Ok(conn) => conn,
                Err(sqlx::Error::PoolClosed) => return Err(error::unavailable("the store is closed")),
                Err(error) if looked => return Err(store(error)),
                Err(error) => {
                    looked = true;
                    self.look_until_found().await.map_err(|_| store(error))?;
                    continue;
                }
            };
            let error = match Conn::begin(conn, self.named.load(Ordering::Relaxed), head.to_owned()).await {
                Ok(conn) => return Ok(conn),
                Err(error) => error,
            };
            dead += 1;
            match code(&error).as_deref() {
                // A replica: it was the primary when its connections were made.
                Some("0A000" | "25006") if !looked => {
                    looked = true;
                    self.look_until_found().await.map_err(|_| store(error))?;
                }
                Some("0A000" | "25006") if dead <= 2 * self.target.connections => {}
                // Where there is a choice, the one at hand is not waited for.
                _ if is_broken(&error) && !looked && self.target.servers.len() > 1 => {
                    looked = true;
                    self.look_until_found().await.map_err(|_| store(error))?;
                }
                _ if is_broken(&error) && dead <= 2 * self.target.connections => {}
                _ => return Err(store(error)),
            }
        }
    }

    /// A failover takes its time.
    async fn look_until_found(&self) -> Result<(), OpenError> {
        let end = Instant::now() + FAILOVER;
        loop {
            match self.look_again().await {
                Err(_) if Instant::now() + STEP < end => tokio::time::sleep(STEP).await,
                looked => return looked,
            }
        }
    }

    /// After a failure that a failover may have caused: looks where the database can be written to now. Dead connections are
    /// found out when they are used.
    async fn look_again(&self) -> Result<(), OpenError> {
        let _finding = self.finding.lock().await;
        let found = find(&self.target, false).await?;
        let before = self.at.swap(found.server, Ordering::Relaxed);
        self.named.store(named(&self.target, &found), Ordering::Relaxed);
        self.pool.set_connect_options(found.options);
        if before != found.server {
            tracing::warn!(
                server = self.target.servers[found.server].name,
                "the database is written on another server from now on"
            );
        }
        close(found.conn).await;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn named(target: &Target, found: &Found) -> bool {
    target.named.unwrap_or(!found.pooled)
}

/// Whether the connection itself is gone, so that another one may do.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        // The server is going down or was just restarted, or a pooler lost it.
        _ => code(error).is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
    }
}

/// Ends a connection that is no longer needed.
pub(crate) async fn close(conn: PgConnection) {
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "a connection did not close");
    }
}

/// The first server that can be written to; `reading`: otherwise the first one that answers.
pub(crate) async fn find(target: &Target, reading: bool) -> Result<Found, OpenError> {
    let mut replica = None;
    let mut failed = None;
    for (number, server) in target.servers.iter().enumerate() {
        match try_one(target, number, server).await {
            Ok((found, false)) => return Ok(found),
            Ok((found, true)) => replica = replica.or(Some(found)),
            // What another server says does not change that one does not let the user in.
            Err(error) => failed = failed.filter(|first| !matches!(first, OpenError::Unreachable { .. })).or(Some(error)),
        }
    }
    match (replica, failed) {
        (Some(found), _) if reading || target.any => Ok(found),
        (_, Some(error)) => Err(error),
        (_, None) => Err(OpenError::OnlyReplicas { servers: target.names() }),
    }
}

/// Connects. Says also whether the server is a replica.
async fn try_one(target: &Target, number: usize, server: &Server) -> Result<(Found, bool), OpenError> {
    let marked = server.options.clone().options([(MARK, "1")]);
    let (mut conn, options, refused) = match connect(target, &marked).await {
        // This is how poolers speak of what they do not pass on.
        Err(error) if code(&error).as_deref() == Some("08P01") && error.to_string().contains("startup parameter") => {
            let conn = connect(target, &server.options).await.map_err(|error| refusal(target, server, error))?;
            (conn, server.options.clone(), true)
        }
        other => (other.map_err(|error| refusal(target, server, error))?, marked, false),
    };
    let sql = "SELECT pg_is_in_recovery()::text AS replica, coalesce(current_setting('leadgate.direct', true), '') AS mark,
                      current_setting('server_version_num') AS number, current_setting('server_version') AS version,
                      current_setting('server_encoding') AS encoding,
                      (current_setting('fsync') = 'off' OR current_setting('synchronous_commit') = 'off')::text AS careless";
    let asked = match conn.fetch_one(sqlx::raw_sql(sql)).await {
        Ok(row) => ["replica", "mark", "number", "version", "encoding", "careless"].map(|name| row.try_get::<String, _>(name)),
        Err(error) => return Err(refusal(target, server, error)),
    };
    let [Ok(replica), Ok(mark), Ok(number_of_version), Ok(version), Ok(encoding), Ok(careless)] = asked else {
        return Err(OpenError::Database {
            database: target.to_string(),
            source: sqlx::Error::Protocol("an odd answer".to_owned()),
        });
    };
    if number_of_version.parse::<i32>().is_ok_and(|number| number < OLDEST) {
        return Err(OpenError::TooOld { server: server.name.clone(), version });
    }
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { database: target.to_string(), encoding });
    }
    if careless == "true" {
        tracing::warn!(
            server = server.name,
            "this server answers before its disk has the rows (fsync or synchronous_commit is off): a crash may lose leads"
        );
    }
    let pooled = refused || mark != "1";
    Ok((Found { conn, options, server: number, pooled }, replica == "true"))
}

async fn connect(target: &Target, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(target.connect, options.connect()).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Why a server could not be used, for people.
fn refusal(target: &Target, server: &Server, source: sqlx::Error) -> OpenError {
    let (name, user) = (server.name.clone(), target.user.clone());
    match &source {
        // This is how a certificate comes back that is not good.
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => OpenError::Tls { servers: name, source },
        sqlx::Error::Io(_) => OpenError::Unreachable { servers: name, source },
        sqlx::Error::Tls(_) => OpenError::Tls { servers: name, source },
        _ => match code(&source).as_deref() {
            Some(code) if code.starts_with("28") => OpenError::Denied { server: name, user, source },
            Some("3D000") => OpenError::Missing { server: name, database: target.database.clone(), user },
            Some("57P03") => OpenError::Unreachable { servers: name, source },
            Some("42501") => OpenError::Rights { database: target.to_string(), user, source: Box::new(source) },
            _ => OpenError::Database { database: target.to_string(), source },
        },
    }
}
