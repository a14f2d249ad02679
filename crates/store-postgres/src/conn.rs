//! A transaction on a connection of the pool. Every statement runs in one, reading or writing: through a pooler that
//! deals out the server's connections by transaction nothing else is certain to stay on one of them.

use leadgate_core::ports::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::error::store;

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// An open transaction. Dropped without [`Conn::end`], it takes its connection along: what that one was doing is unknown.
pub(crate) struct Conn {
    inner: PoolConnection<Postgres>,
    /// Statements are prepared under a name and kept.
    named: bool,
    /// Whether the connection is in a state that is not known to be fit for another transaction.
    open: bool,
}

impl Conn {
    /// Begins a transaction by `head`: `BEGIN` and what must follow it at once, sent together.
    pub(crate) async fn begin(inner: PoolConnection<Postgres>, named: bool, head: String) -> Result<Self, sqlx::Error> {
        let mut conn = Self { inner, named, open: true };
        // Safe: texts of this crate and numbers.
        conn.inner.execute(sqlx::raw_sql(AssertSqlSafe(head))).await?;
        Ok(conn)
    }

    /// All rows.
    pub(crate) async fn all(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, StoreError> {
        statement.persistent(self.named).fetch_all(&mut *self.inner).await.map_err(store)
    }

    /// The row there is, if any.
    pub(crate) async fn optional(&mut self, statement: Statement<'_>) -> Result<Option<PgRow>, StoreError> {
        statement.persistent(self.named).fetch_optional(&mut *self.inner).await.map_err(store)
    }

    /// The row there must be.
    pub(crate) async fn one(&mut self, statement: Statement<'_>) -> Result<PgRow, StoreError> {
        statement.persistent(self.named).fetch_one(&mut *self.inner).await.map_err(store)
    }

    /// Says how many rows it concerned.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        Ok(statement.persistent(self.named).execute(&mut *self.inner).await.map_err(store)?.rows_affected())
    }

    /// Runs a text of this crate and numbers, if there is any, without looking at what it says.
    pub(crate) async fn simple(&mut self, sql: String) -> Result<(), StoreError> {
        if sql.is_empty() {
            return Ok(());
        }
        // Safe: texts of this crate and numbers.
        self.inner.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(|_| ()).map_err(store)
    }

    /// Ends the transaction: commits what succeeded, takes back what did not.
    pub(crate) async fn end<T>(mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let last = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.inner.execute(last).await;
        self.open = ended.is_err();
        let value = outcome?;
        ended.map_err(store)?;
        Ok(value)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if self.open {
            self.inner.close_on_drop();
        }
    }
}
