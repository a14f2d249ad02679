//! Few trips to the connection's thread: statements that write are gathered in a [`Script`], those that read in [`Questions`],
//! and run together. The one place where SQL is put together at run time, from texts of this crate only.
//!
//! A trip costs about as much as writing a lead: two threads wake each other for it. And a statement is compiled once for each
//! text, so that texts must recur: there are few numbers of rows, and rows that are not there are bound as NULL.
//!
//! That a text may hold several statements the driver does for `SQLite` alone. Question marks without a number go on from one to
//! the next.

use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use leadgate_core::ports::StoreError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Either, Executor as _, SqliteConnection};

use crate::error;

/// Rows of one statement at most, where the batch is not larger.
const MOST_ROWS: usize = 256;
/// From this size on every batch has the same text: one for each mixture of rows would take the memory of hundreds.
pub(crate) const LARGE: usize = 8;

/// A statement over rows of values.
pub(crate) struct Statement {
    head: &'static str,
    row: &'static str,
    tail: &'static str,
    inserts: bool,
}

impl Statement {
    /// Inserts rows. `head` ends before them, `row` is one row of question marks and constants, of which the first is never NULL,
    /// and `tail` is what follows the rows.
    pub(crate) const fn insert(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self { head, row, tail, inserts: true }
    }

    /// Does anything else with rows: `WITH name (columns) AS`, one row, and what is done with them. Rows that are NULL all through
    /// must mean nothing.
    pub(crate) const fn with(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self { head, row, tail, inserts: false }
    }

    /// The text for `places` rows, of which some may be NULL all through.
    fn write(&self, places: usize, some_empty: bool, sql: &mut String) {
        let (before, behind) = match (self.inserts, some_empty) {
            (true, false) => (" VALUES ", " "),
            (true, true) => (" SELECT * FROM (VALUES ", ") WHERE column1 IS NOT NULL "),
            (false, _) => (" MATERIALIZED (VALUES ", ") "),
        };
        sql.push_str(self.head);
        sql.push_str(before);
        for place in 0..places {
            if place > 0 {
                sql.push(',');
            }
            sql.push_str(self.row);
        }
        sql.push_str(behind);
        sql.push_str(self.tail);
    }

    fn values_a_row(&self) -> usize {
        self.row.matches('?').count()
    }
}

/// How many rows a statement of a batch has room for: the size of the batch or twice that, in powers of two.
#[derive(Clone, Copy)]
struct Places(usize);

impl Places {
    fn of(batch: usize) -> Self {
        Self(batch.clamp(1, MOST_ROWS).next_power_of_two())
    }

    /// None where there are so many rows that they are cut.
    fn for_rows(self, rows: usize) -> Option<usize> {
        [self.0, 2 * self.0].into_iter().find(|places| rows <= *places)
    }
}

/// Statements of one trip, with their values.
#[derive(Default)]
struct Trip {
    sql: String,
    values: Values,
    statements: usize,
}

impl Trip {
    fn begin(&mut self) {
        if self.statements > 0 {
            self.sql.push_str(";\n");
        }
        self.statements += 1;
    }

    /// Adds a statement over rows.
    fn rows<R>(&mut self, statement: &Statement, places: usize, rows: &[R], bind: impl Fn(&R, &mut Values)) {
        self.rows_and_room(statement, places, places > rows.len(), rows, bind);
    }

    /// As [`Trip::rows`]; with `room` the text is that for fewer rows than places.
    fn rows_and_room<R>(&mut self, statement: &Statement, places: usize, room: bool, rows: &[R], bind: impl Fn(&R, &mut Values)) {
        self.begin();
        let empty = places.saturating_sub(rows.len());
        statement.write(places, room, &mut self.sql);
        self.values.reserve(places * statement.values_a_row());
        for row in rows {
            bind(row, &mut self.values);
        }
        for _ in 0..empty * statement.values_a_row() {
            self.values.add(None::<i64>);
        }
    }

    /// Adds a statement with values of its own, each named `?` once.
    fn say(&mut self, sql: &'static str, bind: impl FnOnce(&mut Values)) {
        self.begin();
        self.sql.push_str(sql);
        bind(&mut self.values);
    }
}

/// Statements that are run in their order, as many of them at once as is sensible.
pub(crate) struct Script {
    places: Places,
    trips: Vec<Trip>,
    /// Nothing is added to the last trip any more.
    full: bool,
}

impl Script {
    /// For a batch of about so many submissions.
    pub(crate) fn new(batch: usize) -> Self {
        Self { places: Places::of(batch), trips: Vec::new(), full: false }
    }

    /// Adds a statement over rows, each bound by `bind`; nothing where there are none.
    pub(crate) fn add<R>(&mut self, statement: &Statement, rows: &[R], bind: fn(&R, &mut Values)) {
        if rows.is_empty() {
            return;
        }
        if let Some(places) = self.places.for_rows(rows.len()) {
            return self.trip().rows(statement, places, rows, bind);
        }
        // Each by itself: statements of that size are not worth more of them in one text.
        for part in rows.chunks(MOST_ROWS) {
            self.full = true;
            self.trip().rows(statement, part.len().next_power_of_two(), part, bind);
        }
        self.full = true;
    }

    /// Adds a statement that many batches have: to large ones also without rows, so that all of a size have one text. `each`: how
    /// many rows a submission has, usually.
    pub(crate) fn usual<R>(&mut self, statement: &Statement, each: usize, rows: &[R], bind: fn(&R, &mut Values)) {
        let places = each * self.places.0;
        if self.places.0 < LARGE || rows.len() > places {
            return self.add(statement, rows, bind);
        }
        self.trip().rows_and_room(statement, places, true, rows, bind);
    }

    /// Adds a statement over one JSON parameter, which it names `?` once.
    pub(crate) fn over(&mut self, sql: &'static str, json: String) {
        self.say(sql, |values| {
            values.add(json);
        });
    }

    /// Adds a statement with values of its own, each named `?` once.
    pub(crate) fn say(&mut self, sql: &'static str, bind: impl FnOnce(&mut Values)) {
        self.trip().say(sql, bind);
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

/// Statements that read.
pub(crate) struct Questions {
    places: Places,
    trip: Trip,
}

/// The numbers of the statements that ask one question; none, where there is nothing to ask.
pub(crate) struct Question(Range<usize>);

/// What was answered, by statement.
pub(crate) struct Answers(Vec<Vec<SqliteRow>>);

impl Answers {
    /// The rows of a question.
    pub(crate) fn of(&self, question: &Question) -> impl Iterator<Item = &SqliteRow> {
        self.0.get(question.0.clone()).into_iter().flatten().flatten()
    }
}

impl Questions {
    /// For a batch of about so many submissions.
    pub(crate) fn new(batch: usize) -> Self {
        Self { places: Places::of(batch), trip: Trip::default() }
    }

    /// Says something before the questions, such as `BEGIN`.
    pub(crate) fn say(&mut self, sql: &'static str) {
        self.trip.say(sql, |_none| {});
    }

    /// Adds a question over rows, each bound by `bind`, which is also given its number.
    pub(crate) fn ask<R>(&mut self, statement: &Statement, rows: &[R], bind: fn(usize, &R, &mut Values)) -> Question {
        let begin = self.trip.statements;
        let part = self.places.for_rows(rows.len()).unwrap_or(MOST_ROWS);
        for (number, rows) in rows.chunks(part).enumerate() {
            let numbered: Vec<(usize, &R)> = rows.iter().enumerate().map(|(n, row)| (number * part + n, row)).collect();
            self.trip.rows(statement, part, &numbered, |(n, row), values| bind(*n, row, values));
        }
        Question(begin..self.trip.statements)
    }

    /// Asks them all.
    pub(crate) async fn run(self, conn: &mut SqliteConnection) -> Result<Answers, StoreError> {
        let mut answers: Vec<Vec<SqliteRow>> = (0..self.trip.statements).map(|_| Vec::new()).collect();
        if answers.is_empty() {
            return Ok(Answers(answers));
        }
        // Safe: constant texts of this crate and question marks.
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

    /// Adds a small number.
    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.add(i64::try_from(number).unwrap_or(i64::MAX))
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

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Row as _};

    use super::*;

    static PAIR: Statement =
        Statement::insert("INSERT INTO pair (id, word)", "(?, ?)", "ON CONFLICT (id) DO UPDATE SET word = excluded.word");
    static CHANGE: Statement = Statement::with(
        "WITH v (id, word) AS",
        "(?, ?)",
        "UPDATE pair SET word = pair.word || v.word FROM v WHERE pair.id = v.id",
    );
    static WHICH: Statement =
        Statement::with("WITH v (n, id) AS", "(?, ?)", "SELECT v.n AS n, p.word AS word FROM v JOIN pair p ON p.id = v.id");

    fn bind((id, word): &(i64, &str), values: &mut Values) {
        values.add(*id).text(word);
    }

    async fn open() -> SqliteConnection {
        let mut conn = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        sqlx::raw_sql("CREATE TABLE pair (id INTEGER PRIMARY KEY, word TEXT NOT NULL)").execute(&mut conn).await.unwrap();
        conn
    }

    async fn count(conn: &mut SqliteConnection, word: &'static str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pair WHERE word = ?1").bind(word).fetch_one(conn).await.unwrap()
    }

    #[tokio::test]
    async fn rows_are_written_once_each_however_many_there_are() {
        for batch in [1, 3, 100, 256, 5_000] {
            for rows in [0_i64, 1, 2, 3, 7, 128, 200, 256, 257, 512, 513, 1_300] {
                let mut conn = open().await;
                let new: Vec<(i64, &str)> = (1..=rows).map(|id| (id, "a")).collect();
                let mut script = Script::new(batch);
                script.add(&PAIR, &new, bind);
                script.usual(&CHANGE, 1, &new, |(id, _), values| {
                    values.add(*id).text("b");
                });
                script.usual(&CHANGE, 2, &new, |(id, _), values| {
                    values.add(*id).text("c");
                });
                script.run(&mut conn).await.unwrap();
                assert_eq!(count(&mut conn, "abc").await, rows, "a batch of {batch}");
            }
        }
    }

    #[test]
    fn large_batches_of_a_size_have_one_text() {
        let text = |rows: i64| {
            let rows: Vec<(i64, &str)> = (1..=rows).map(|id| (id, "a")).collect();
            let mut script = Script::new(100);
            script.usual(&PAIR, 1, &rows, bind);
            script.usual(&CHANGE, 2, &rows, bind);
            assert_eq!(script.trips.len(), 1);
            script.trips.remove(0).sql
        };
        for rows in [1, 64, 127, 128] {
            assert!(text(rows) == text(0), "{rows} rows");
        }
    }

    #[tokio::test]
    async fn statements_run_in_their_order_and_end_at_the_first_error() {
        let mut conn = open().await;
        let mut script = Script::new(2);
        script.add(&PAIR, &[(1, "a"), (2, "a"), (3, "a")], bind);
        script.over("UPDATE pair SET word = 'b' WHERE id IN (SELECT value FROM json_each(?))", "[2]".to_owned());
        script.add(&PAIR, &[(3, "c")], bind);
        script.run(&mut conn).await.unwrap();
        for word in ["a", "b", "c"] {
            assert_eq!(count(&mut conn, word).await, 1, "{word}");
        }

        let mut script = Script::new(2);
        script.add(&PAIR, &[(4, "d")], bind);
        script.over("INSERT INTO pair (id, word) SELECT value, NULL FROM json_each(?)", "[5]".to_owned());
        script.add(&PAIR, &[(6, "d")], bind);
        let refused = script.run(&mut conn).await.unwrap_err();
        assert!(matches!(refused, StoreError::Rejected(_)), "{refused}");
        assert_eq!(count(&mut conn, "d").await, 1, "what stands before it; the transaction takes that back");
    }

    #[tokio::test]
    async fn every_question_gets_its_own_answers() {
        let mut conn = open().await;
        let known: Vec<(i64, &str)> = (1..=700).map(|id| (id, if id % 2 == 0 { "even" } else { "odd" })).collect();
        let mut script = Script::new(known.len());
        script.add(&PAIR, &known, bind);
        script.run(&mut conn).await.unwrap();
        let ids = |ids: &[i64]| ids.to_vec();
        let many: Vec<i64> = (1..=700).rev().collect();
        let mut asking = Questions::new(4);
        let number = |n: usize, id: &i64, values: &mut Values| {
            values.number(n).add(*id);
        };
        let none = asking.ask(&WHICH, &ids(&[]), number);
        let some = asking.ask(&WHICH, &ids(&[8, 9_999, 5]), number);
        let all = asking.ask(&WHICH, &many, number);
        let last = asking.ask(&WHICH, &ids(&[3]), number);
        let answers = asking.run(&mut conn).await.unwrap();
        let told = |question: &Question| -> Vec<(i64, String)> {
            answers.of(question).map(|row| (row.get("n"), row.get("word"))).collect()
        };
        assert!(told(&none).is_empty());
        assert_eq!(told(&some), [(0, "even".to_owned()), (2, "odd".to_owned())]);
        assert_eq!(told(&last), [(0, "odd".to_owned())]);
        let mut all = told(&all);
        all.sort_unstable();
        assert!(all.iter().map(|(n, _)| *n).eq(0..700), "each number once, on from one statement to the next");
        for (n, word) in all {
            let id = many[usize::try_from(n).unwrap()];
            assert_eq!(word, if id % 2 == 0 { "even" } else { "odd" });
        }
    }

    #[tokio::test]
    async fn who_asks_nothing_is_answered_nothing() {
        let mut conn = open().await;
        let mut asking = Questions::new(0);
        let question = asking.ask(&WHICH, &[], |_, id: &i64, values| {
            values.add(*id);
        });
        assert_eq!(asking.run(&mut conn).await.unwrap().of(&question).count(), 0);
    }
}
