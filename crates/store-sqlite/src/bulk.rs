//! Few trips to the connection's thread: statements that write are gathered in a [`Script`], those that read in [`Questions`],
//! and run together. The one place where SQL is put together at run time, from texts of this crate only.
//!
//! A trip costs as much as writing several leads: two threads wake each other for it. And a statement is compiled once for each
//! text, so that texts must recur: inserts have fixed numbers of rows, and rows that are not there are bound as NULL.
//!
//! That a text may hold several statements the driver does for `SQLite` alone. Question marks without a number go on from one to
//! the next.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use leadgate_core::ports::StoreError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Either, Executor as _, SqliteConnection};

use crate::error;

/// Rows of one insert at most.
const MOST_ROWS: usize = 256;

/// An insert into a table.
pub(crate) struct Insert {
    head: &'static str,
    row: &'static str,
    tail: &'static str,
}

impl Insert {
    /// `head` ends before the rows, `row` is one row of question marks and constants, of which the first is never NULL, and `tail`
    /// is what follows the rows.
    pub(crate) const fn new(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self { head, row, tail }
    }

    /// Inserts rows, each bound by `bind`.
    pub(crate) async fn run<R>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[R],
        bind: fn(&R, &mut Values),
    ) -> Result<(), StoreError> {
        let mut script = Script::new(rows.len());
        script.insert(self, rows, bind);
        script.run(conn).await
    }

    /// The statement for `places` rows, of which some may be NULL all through.
    fn write(&self, places: usize, some_empty: bool, sql: &mut String) {
        sql.push_str(self.head);
        sql.push_str(if some_empty { " SELECT * FROM (VALUES " } else { " VALUES " });
        for place in 0..places {
            if place > 0 {
                sql.push(',');
            }
            sql.push_str(self.row);
        }
        sql.push_str(if some_empty { ") WHERE column1 IS NOT NULL " } else { " " });
        sql.push_str(self.tail);
    }

    fn values_a_row(&self) -> usize {
        self.row.matches('?').count()
    }
}

/// Statements that are run in their order, as many of them at once as is sensible.
pub(crate) struct Script {
    /// Rows in an insert, if there are not more.
    places: usize,
    trips: Vec<Trip>,
    /// Nothing is added to the last trip any more.
    full: bool,
}

/// Statements of one trip, with their values.
#[derive(Default)]
struct Trip {
    sql: String,
    values: Values,
}

impl Trip {
    /// Where the next statement is written.
    fn statement(&mut self) -> &mut Self {
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        self
    }

    /// Adds a statement over one JSON parameter.
    fn over(&mut self, sql: &'static str, json: String) {
        let trip = self.statement();
        trip.sql.push_str(sql);
        trip.values.add(json);
    }
}

impl Script {
    /// For a batch of about so many submissions.
    pub(crate) fn new(batch: usize) -> Self {
        Self { places: batch.clamp(1, MOST_ROWS).next_power_of_two(), trips: Vec::new(), full: false }
    }

    /// Inserts rows, each bound by `bind`.
    pub(crate) fn insert<R>(&mut self, insert: &Insert, rows: &[R], bind: fn(&R, &mut Values)) {
        if rows.len() > 2 * self.places {
            // Each by itself: statements of that size are not worth more of them in one text.
            for part in rows.chunks(MOST_ROWS) {
                self.full = true;
                self.rows(insert, part.len().next_power_of_two(), part, bind);
                self.full = true;
            }
        } else if !rows.is_empty() {
            self.rows(insert, if rows.len() > self.places { 2 * self.places } else { self.places }, rows, bind);
        }
    }

    fn rows<R>(&mut self, insert: &Insert, places: usize, rows: &[R], bind: fn(&R, &mut Values)) {
        let empty = places.saturating_sub(rows.len());
        let trip = self.trip().statement();
        insert.write(places, empty > 0, &mut trip.sql);
        trip.values.reserve(places * insert.values_a_row());
        for row in rows {
            bind(row, &mut trip.values);
        }
        for _ in 0..empty * insert.values_a_row() {
            trip.values.add(None::<i64>);
        }
    }

    /// Runs a statement over one JSON parameter, which it names `?` once.
    pub(crate) fn over(&mut self, sql: &'static str, json: String) {
        self.trip().over(sql, json);
    }

    /// What the next statement is added to.
    fn trip(&mut self) -> &mut Trip {
        if self.trips.is_empty() || self.full {
            self.full = false;
            self.trips.push(Trip::default());
        }
        let last = self.trips.len() - 1;
        &mut self.trips[last]
    }

    /// Runs what was gathered. After an error nothing of what stands behind has been run.
    pub(crate) async fn run(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for trip in self.trips {
            // Safe: constant texts of this crate and question marks.
            let statements = sqlx::query_with(AssertSqlSafe(trip.sql), trip.values.finish()?);
            statements.execute(&mut *conn).await.map_err(error::store)?;
        }
        Ok(())
    }
}

/// Statements that read, each over one JSON parameter.
#[derive(Default)]
pub(crate) struct Questions {
    trip: Trip,
    count: usize,
}

/// The number of a question.
#[derive(Clone, Copy)]
pub(crate) struct Question(usize);

/// What was answered.
pub(crate) struct Answers(Vec<Vec<SqliteRow>>);

impl Answers {
    /// The rows of a question; none of one that was not asked.
    pub(crate) fn of(&self, question: Option<Question>) -> &[SqliteRow] {
        question.and_then(|question| self.0.get(question.0)).map_or(&[], Vec::as_slice)
    }
}

impl Questions {
    /// Adds a question, whose statement names its parameter `?` once.
    pub(crate) fn ask(&mut self, sql: &'static str, json: String) -> Question {
        self.trip.over(sql, json);
        self.count += 1;
        Question(self.count - 1)
    }

    /// Asks them all.
    pub(crate) async fn run(self, conn: &mut SqliteConnection) -> Result<Answers, StoreError> {
        let mut answers: Vec<Vec<SqliteRow>> = (0..self.count).map(|_| Vec::new()).collect();
        if self.count == 0 {
            return Ok(Answers(answers));
        }
        // Safe: constant texts of this crate.
        let statements = sqlx::query_with(AssertSqlSafe(self.trip.sql), self.trip.values.finish()?);
        let mut told = conn.fetch_many(statements);
        let mut at = 0;
        while let Some(one) = told.try_next().await.map_err(error::store)? {
            match one {
                Either::Left(_end) => at += 1,
                Either::Right(row) => answers.get_mut(at).map_or((), |rows| rows.push(row)),
            }
        }
        Ok(Answers(answers))
    }
}

/// The values of rows, in order.
#[derive(Default)]
pub(crate) struct Values {
    arguments: SqliteArguments,
    problem: Option<sqlx::error::BoxDynError>,
}

impl Values {
    fn reserve(&mut self, count: usize) {
        self.arguments.reserve(count, 0);
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
