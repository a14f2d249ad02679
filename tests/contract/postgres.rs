//! Databases on a PostgreSQL server, one for each case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use leadgate_store_postgres::{Options, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::OnceCell;

/// Where the server is; the user must be allowed to make databases.
const SERVER: &str = "TEST_POSTGRES_URL";
/// Where a PgBouncer in front of it is.
const POOLER: &str = "TEST_PGBOUNCER_URL";

/// A database that is there as long as this value.
pub(crate) struct Database {
    name: String,
    /// As a store is given it.
    pub(crate) url: String,
}

fn given(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: tests/run starts the servers that this needs and sets it. Run tests/run, or set {variable}"
        )
    })
}

/// A URL of the server with another database.
fn on(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, String::new()), |(before, query)| (before, format!("?{query}")));
    let slash = before.find("://").and_then(|at| before[at + 3..].find('/').map(|slash| at + 3 + slash)).unwrap_or(before.len());
    format!("{}/{database}{query}", &before[..slash])
}

pub(crate) async fn admin() -> PgConnection {
    let options: PgConnectOptions = on(&given(SERVER), "postgres").parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}

pub(crate) async fn execute(conn: &mut PgConnection, sql: impl Into<String>) {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await.unwrap();
}

/// A database with the schema in it, made once: copies of it are made faster than the schema.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let mut conn = admin().await;
            let old: Vec<String> = sqlx::query_scalar(
                "SELECT datname::text FROM pg_database d WHERE datname LIKE 'leadgate\\_case\\_%'
                 AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = d.datname)",
            )
            .fetch_all(&mut conn)
            .await
            .unwrap();
            for name in old {
                execute(&mut conn, format!("DROP DATABASE IF EXISTS {name}")).await;
            }
            let name = format!("leadgate_case_{}_template", std::process::id());
            execute(&mut conn, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await;
            conn.close().await.unwrap();
            let store = PostgresStore::open(&on(&given(SERVER), &name), Options::default()).await.unwrap();
            leadgate_core::ports::Store::close(&store).await;
            name
        })
        .await
}

impl Database {
    pub(crate) async fn fresh(pooled: bool) -> Arc<Self> {
        let template = template().await;
        let name = next_name();
        let mut conn = admin().await;
        // Nobody is connected to the template; the server may take a moment to see the last one go.
        loop {
            let made = format!("CREATE DATABASE {name} TEMPLATE {template}");
            match conn.execute(sqlx::raw_sql(AssertSqlSafe(made))).await {
                Ok(_) => break,
                Err(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some("55006") => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        conn.close().await.unwrap();
        let url = on(&given(if pooled { POOLER } else { SERVER }), &name);
        Arc::new(Self { name, url })
    }

    /// Without the schema.
    pub(crate) async fn empty() -> Arc<Self> {
        let name = next_name();
        let mut conn = admin().await;
        execute(&mut conn, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await;
        conn.close().await.unwrap();
        Arc::new(Self { url: on(&given(SERVER), &name), name })
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url, Options::default()).await.unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A connection past every pooler.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options: PgConnectOptions = on(&given(SERVER), &self.name).parse().unwrap();
        options.disable_statement_logging().connect().await.unwrap()
    }
}

fn next_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("leadgate_case_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
