//! The databases a gateway can keep its leads in, by the URL of the configuration.

use std::sync::Arc;

use anyhow::Context as _;
use leadgate_core::ports::Store;
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::{OpenError, SqliteStore};

use crate::config::Database;

/// Another gateway serves the file.
#[derive(Debug, thiserror::Error)]
#[error("another leadgate serves this database ({0})")]
pub struct Served(String);

/// Opens a database to serve it; it is made, or its schema brought up to date, if need be.
pub async fn open(database: &Database) -> anyhow::Result<Arc<dyn Store>> {
    match database {
        Database::Sqlite(path) => match SqliteStore::open(path, leadgate_store_sqlite::Options::default()).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(OpenError::Locked(path)) => Err(Served(path).into()),
            Err(error) => Err(error.into()),
        },
        Database::Postgres(url) => {
            let store = PostgresStore::open(url.expose(), leadgate_store_postgres::Options::default()).await?;
            Ok(Arc::new(store))
        }
    }
}

/// Opens a database for reading only, also while a gateway serves it.
pub async fn open_read_only(database: &Database) -> anyhow::Result<Arc<dyn Store>> {
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open_read_only(path).await.with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Arc::new(store))
        }
        Database::Postgres(url) => Ok(Arc::new(PostgresStore::open_read_only(url.expose()).await?)),
    }
}
