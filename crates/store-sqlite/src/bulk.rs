//! Inserts of many rows by few statements: multi-row `VALUES` in fixed sizes, so that a handful of prepared statements
//! covers every batch. The one place where SQL is put together at run time, from texts of this crate only.

use std::sync::{Arc, OnceLock};

use leadgate_core::ports::StoreError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};

use crate::error;

/// Rows by one statement, greatest first. Every statement is a trip to the connection's thread and back, which costs as
/// much as several rows; so a full batch takes one, and any other few.
const SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// An insert into a table.
pub(crate) struct Insert {
    head: &'static str,
    row: &'static str,
    tail: &'static str,
    statements: [OnceLock<Arc<str>>; SIZES.len()],
}

impl Insert {
    /// `head` ends before `VALUES`, `row` is one row of question marks and constants, `tail` is what follows the rows.
    pub(crate) const fn new(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self { head, row, tail, statements: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Inserts rows, each bound by `bind`.
    pub(crate) async fn run<R: Sync>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[R],
        bind: fn(&R, &mut Values),
    ) -> Result<(), StoreError> {
        let mut rest = rows;
        let values_a_row = self.row.matches('?').count();
        for (slot, size) in SIZES.into_iter().enumerate() {
            while rest.len() >= size {
                let (now, later) = rest.split_at(size);
                let mut values = Values::with_capacity(size * values_a_row);
                for row in now {
                    bind(row, &mut values);
                }
                let statement = Arc::clone(self.statements[slot].get_or_init(|| self.statement(size)));
                // Safe: constant texts of this crate and question marks.
                sqlx::query_with(AssertSqlSafe(statement), values.finish()?).execute(&mut *conn).await.map_err(error::store)?;
                rest = later;
            }
        }
        Ok(())
    }

    fn statement(&self, rows: usize) -> Arc<str> {
        let text = [self.head, " VALUES ", &vec![self.row; rows].join(","), " ", self.tail].concat();
        text.into()
    }
}

/// The values of rows, in order.
pub(crate) struct Values {
    arguments: SqliteArguments,
    problem: Option<sqlx::error::BoxDynError>,
}

impl Values {
    fn with_capacity(count: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(count, 0);
        Self { arguments, problem: None }
    }

    /// Adds a value.
    pub(crate) fn add<'t, T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(problem) = self.arguments.add(value) {
            self.problem.get_or_insert(problem);
        }
        self
    }

    /// Adds a text. Shared, because the driver would wrap an owned one into a second allocation.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.add(Arc::<str>::from(text))
    }

    /// Adds a text, or nothing.
    pub(crate) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        self.add(text.map(Arc::<str>::from))
    }

    fn finish(self) -> Result<SqliteArguments, StoreError> {
        match self.problem {
            None => Ok(self.arguments),
            Some(problem) => Err(StoreError::Rejected(problem)),
        }
    }
}
