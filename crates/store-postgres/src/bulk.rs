//! Statements over many rows: every column is one array, `unnest` makes rows of them again, and what need not wait for
//! one another goes to the server as one statement. The one place where SQL is put together at run time, from texts of
//! this crate only.

use std::borrow::Cow;
use std::fmt::Write as _;

use leadgate_core::ports::StoreError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe};

use crate::conn::Conn;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number, or nothing.
    Int,
    /// 0 or 1.
    Flag,
    /// A text, or nothing.
    Text,
    /// Bytes.
    Bytes,
}

impl Kind {
    fn array(self) -> &'static str {
        match self {
            Self::Int => "bigint[]",
            Self::Flag => "smallint[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }
}

/// A statement over rows `v`: `head`, the rows with these columns, `tail`, in which `{0}` is the first column as an array.
///
/// A statement that changes rows says `= ANY ({0})` of their key beside joining them: whichever way it is planned, and
/// however few rows the table had then, it goes to those rows alone.
pub(crate) struct Part {
    pub(crate) head: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    pub(crate) tail: &'static str,
}

enum Column<'r> {
    Int(Vec<Option<i64>>),
    Flag(Vec<i16>),
    Text(Vec<Option<Cow<'r, str>>>),
    Bytes(Vec<Cow<'r, [u8]>>),
}

/// The rows of a statement, column by column.
pub(crate) struct Rows<'r> {
    part: &'static Part,
    columns: Vec<Column<'r>>,
    /// Where the next value goes.
    at: usize,
    count: usize,
    /// A value came where another kind was due: a defect, told instead of written.
    astray: bool,
}

impl<'r> Rows<'r> {
    pub(crate) fn of(part: &'static Part) -> Self {
        let column = |(_, kind): &(&str, Kind)| match kind {
            Kind::Int => Column::Int(Vec::new()),
            Kind::Flag => Column::Flag(Vec::new()),
            Kind::Text => Column::Text(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
        };
        Self { part, columns: part.columns.iter().map(column).collect(), at: 0, count: 0, astray: false }
    }

    fn next(&mut self) -> &mut Column<'r> {
        let at = self.at;
        self.at = (at + 1) % self.columns.len();
        self.count += usize::from(at == 0);
        &mut self.columns[at]
    }

    /// Adds a number, or nothing.
    pub(crate) fn int(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        match self.next() {
            Column::Int(values) => values.push(value.into()),
            _ => self.astray = true,
        }
        self
    }

    /// Adds a flag.
    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        match self.next() {
            Column::Flag(values) => values.push(i16::from(value)),
            _ => self.astray = true,
        }
        self
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, value: impl Into<Cow<'r, str>>) -> &mut Self {
        self.maybe_text(Some(value))
    }

    /// Adds a text, or nothing.
    pub(crate) fn maybe_text(&mut self, value: Option<impl Into<Cow<'r, str>>>) -> &mut Self {
        match self.next() {
            Column::Text(values) => values.push(value.map(|value| storable(value.into()))),
            _ => self.astray = true,
        }
        self
    }

    /// Adds a text that is JSON.
    pub(crate) fn json(&mut self, value: impl Into<Cow<'r, str>>) -> &mut Self {
        self.maybe_json(Some(value))
    }

    /// Adds a text that is JSON, or nothing.
    pub(crate) fn maybe_json(&mut self, value: Option<impl Into<Cow<'r, str>>>) -> &mut Self {
        self.maybe_text(value.map(|value| storable_json(value.into())))
    }

    /// Adds bytes.
    pub(crate) fn bytes(&mut self, value: impl Into<Cow<'r, [u8]>>) -> &mut Self {
        match self.next() {
            Column::Bytes(values) => values.push(value.into()),
            _ => self.astray = true,
        }
        self
    }
}

/// A text as PostgreSQL takes it. It has no NUL, which has no place in what a person wrote; most entries remove it anyway.
pub(crate) fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { text }
}

/// [`storable`], for a value of its own.
pub(crate) fn text(text: &str) -> String {
    storable(text.into()).into_owned()
}

/// JSON as PostgreSQL takes it: an escaped NUL would be stored, and stop every later look into the text.
pub(crate) fn storable_json(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains("\\u0000") {
        return text;
    }
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&text) else { return text };
    without_nul(&mut value);
    Cow::Owned(value.to_string())
}

fn without_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) if text.contains('\0') => *text = text.replace('\0', ""),
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nul),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(without_nul),
        _ => {}
    }
}

/// Statements that go to the server together. None of them sees what another one writes; they are run in the order they
/// were added, so that rows everybody writes (counters) can come last and are held for the shortest time.
#[derive(Default)]
pub(crate) struct Together<'r> {
    parts: Vec<Rows<'r>>,
}

impl<'r> Together<'r> {
    /// Adds a statement, unless it has no rows.
    pub(crate) fn add(&mut self, rows: Rows<'r>) {
        if rows.count > 0 {
            self.parts.push(rows);
        }
    }

    /// Runs them all.
    pub(crate) async fn run(self, conn: &mut Conn) -> Result<(), StoreError> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let sql = self.sql();
        let arguments = self.arguments()?;
        // Safe: constant texts of this crate and numbers of parameters.
        conn.run(sqlx::query_with(AssertSqlSafe(sql), arguments)).await.map(|_| ())
    }

    fn sql(&self) -> String {
        let mut number = 0;
        let mut texts = Vec::with_capacity(self.parts.len());
        for rows in &self.parts {
            let mut arrays = String::new();
            for (_, kind) in rows.part.columns {
                number += 1;
                let comma = if arrays.is_empty() { "" } else { ", " };
                // Writing to a text has no failing case.
                write!(arrays, "{comma}${number}::{}", kind.array()).unwrap_or_default();
            }
            let names: Vec<&str> = rows.part.columns.iter().map(|(name, _)| *name).collect();
            let first = arrays.split(", ").next().unwrap_or_default();
            let tail = rows.part.tail.replace("{0}", first);
            texts.push(format!("{} unnest({arrays}) AS v ({}) {tail}", rows.part.head, names.join(", ")));
        }
        if let [only] = texts.as_slice() {
            return only.clone();
        }
        // PostgreSQL runs what nothing else reads from the last to the first.
        let named: Vec<String> = texts.iter().enumerate().rev().map(|(n, text)| format!("w{n} AS ({text})")).collect();
        format!("WITH {} SELECT 1", named.join(", "))
    }

    fn arguments(self) -> Result<PgArguments, StoreError> {
        let mut arguments = PgArguments::default();
        for rows in self.parts {
            if rows.astray || rows.at != 0 {
                return Err(StoreError::Corrupt {
                    table: "a statement",
                    detail: format!("{}: values do not fit", rows.part.head),
                });
            }
            for column in rows.columns {
                let added = match column {
                    Column::Int(values) => arguments.add(values),
                    Column::Flag(values) => arguments.add(values),
                    Column::Text(values) => {
                        let texts: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
                        arguments.add(texts)
                    }
                    Column::Bytes(values) => {
                        let bytes: Vec<&[u8]> = values.iter().map(AsRef::as_ref).collect();
                        arguments.add(bytes)
                    }
                };
                added.map_err(StoreError::Rejected)?;
            }
        }
        Ok(arguments)
    }
}

/// Runs one statement over rows.
pub(crate) async fn run(conn: &mut Conn, rows: Rows<'_>) -> Result<(), StoreError> {
    let mut together = Together::default();
    together.add(rows);
    together.run(conn).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_never_reaches_the_database() {
        assert_eq!(storable("a\0b".into()), "ab");
        assert!(matches!(storable("ab".into()), Cow::Borrowed(_)));
        assert_eq!(storable_json(r#"{"b":["x\u0000y",{"a":"\u0000"}],"a":1}"#.into()), r#"{"b":["xy",{"a":""}],"a":1}"#);
        // A backslash before the `u` that is no escape of it.
        assert_eq!(storable_json(r#"{"a":"\\u0000"}"#.into()), r#"{"a":"\\u0000"}"#);
        assert_eq!(storable_json("no JSON \\u0000".into()), "no JSON \\u0000");
    }

    #[test]
    fn statements_number_their_parameters_on() {
        static A: Part = Part { head: "INSERT INTO a SELECT * FROM", columns: &[("x", Kind::Int), ("y", Kind::Text)], tail: "" };
        static B: Part = Part { head: "UPDATE b SET z = v.z FROM", columns: &[("z", Kind::Flag)], tail: "WHERE z = ANY ({0})" };
        let mut together = Together::default();
        let mut a = Rows::of(&A);
        a.int(1).text("q");
        together.add(a);
        let mut b = Rows::of(&B);
        b.flag(true);
        together.add(b);
        together.add(Rows::of(&B));
        assert_eq!(
            together.sql(),
            "WITH w1 AS (UPDATE b SET z = v.z FROM unnest($3::smallint[]) AS v (z) WHERE z = ANY ($3::smallint[])), \
             w0 AS (INSERT INTO a SELECT * FROM unnest($1::bigint[], $2::text[]) AS v (x, y) ) SELECT 1"
        );
        let mut wrong = Rows::of(&A);
        wrong.text("q").int(1);
        let mut together = Together::default();
        together.add(wrong);
        assert!(together.arguments().is_err());
    }
}
