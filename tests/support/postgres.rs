//! Databases on a PostgreSQL server, one for each case, made as copies of one that has the schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use leadgate_core::ports::Store as _;
use leadgate_store_postgres::{Options, PostgresStore};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::OnceCell;

/// Where the server is; the user must be allowed to make databases.
const SERVER: &str = "TEST_POSTGRES_URL";
/// Where a `PgBouncer` in front of it is.
const POOLER: &str = "TEST_PGBOUNCER_URL";

/// A database of its own. It is left where it is; the next run on the same server removes it.
#[derive(Debug)]
pub struct Database {
    /// Its name on the server.
    pub name: String,
    /// As a store is given it.
    pub url: String,
}

fn given(variable: &str) -> anyhow::Result<String> {
    std::env::var(variable).with_context(|| {
        format!(
            "{variable} is not set: tests/run starts the servers that these tests need, and sets it. Use tests/run, or set it"
        )
    })
}

/// A URL of the server with another database.
fn on(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, String::new()), |(before, query)| (before, format!("?{query}")));
    let slash = before.find("://").and_then(|at| before[at + 3..].find('/').map(|slash| at + 3 + slash)).unwrap_or(before.len());
    format!("{}/{database}{query}", &before[..slash])
}

/// A connection to the server that may make databases.
pub async fn admin() -> anyhow::Result<PgConnection> {
    connect("postgres").await
}

async fn connect(database: &str) -> anyhow::Result<PgConnection> {
    let options: PgConnectOptions = on(&given(SERVER)?, database).parse()?;
    Ok(options.disable_statement_logging().connect().await?)
}

/// Runs statements, whatever they say.
pub async fn execute(conn: &mut PgConnection, sql: impl Into<String> + Send) -> anyhow::Result<()> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await?;
    Ok(())
}

/// A database with the schema in it, made once: copies of it are made faster than the schema.
async fn template() -> anyhow::Result<&'static str> {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let made = TEMPLATE.get_or_try_init(|| async {
        let mut conn = admin().await?;
        let old: Vec<String> = sqlx::query_scalar(
            "SELECT datname::text FROM pg_database d WHERE datname LIKE 'leadgate\\_case\\_%'
             AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = d.datname)",
        )
        .fetch_all(&mut conn)
        .await?;
        for name in old {
            execute(&mut conn, format!("DROP DATABASE IF EXISTS {name}")).await?;
        }
        let name = format!("leadgate_case_{}_template", std::process::id());
        execute(&mut conn, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await?;
        conn.close().await?;
        let store = PostgresStore::open(&on(&given(SERVER)?, &name), Options::default()).await?;
        store.close().await;
        anyhow::Ok(name)
    });
    Ok(made.await?.as_str())
}

impl Database {
    /// A database with the schema and nothing in it. `pooled`: reached through the pooler.
    pub async fn fresh(pooled: bool) -> anyhow::Result<Arc<Self>> {
        let template = template().await?;
        let name = next_name();
        let mut conn = admin().await?;
        loop {
            let made = format!("CREATE DATABASE {name} TEMPLATE {template}");
            match conn.execute(sqlx::raw_sql(AssertSqlSafe(made))).await {
                Ok(_) => break,
                // Nobody is connected to the template, but the server may take a moment to see the last one go.
                Err(error) if error.as_database_error().and_then(DatabaseError::code).as_deref() == Some("55006") => {}
                Err(error) => return Err(error.into()),
            }
        }
        conn.close().await?;
        let url = on(&given(if pooled { POOLER } else { SERVER })?, &name);
        Ok(Arc::new(Self { name, url }))
    }

    /// A database without the schema.
    pub async fn empty() -> anyhow::Result<Arc<Self>> {
        let name = next_name();
        let mut conn = admin().await?;
        execute(&mut conn, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await?;
        conn.close().await?;
        Ok(Arc::new(Self { url: on(&given(SERVER)?, &name), name }))
    }

    /// Opens it to serve it.
    pub async fn open(&self) -> anyhow::Result<PostgresStore> {
        Ok(PostgresStore::open(&self.url, Options::default()).await?)
    }

    /// A connection past every pooler.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        connect(&self.name).await
    }
}

fn next_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("leadgate_case_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
