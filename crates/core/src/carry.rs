//! Carrying rows from one store to another: what a table is to somebody who knows nothing of what it means.
//!
//! Both stores keep the same tables with the same columns, so a row is a list of values. Tables are read and written in the
//! order of their keys: what is the greatest key on the other side is how far a carrying came.

use async_trait::async_trait;
use uuid::Uuid;

use crate::ports::StoreError;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row: a value for each column of its table.
pub type Row = Vec<Value>;

/// What a column holds, absent values aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Int,
    /// Texts.
    Text,
    /// Bytes.
    Bytes,
}

/// A table that is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of its primary key, in order.
    pub key: &'static [&'static str],
    /// Rows read and written at once: fewer where they are large.
    pub chunk: u32,
}

/// Every table that is carried, parents before children.
pub const TABLES: &[Table] = &[
    table("contact", &["id"]),
    table("identity", &["contact", "kind", "value"]),
    table("review", &["id"]),
    table("lead", &["id"]),
    table("lead_history", &["lead", "n"]),
    table("activity", &["id"]),
    table("activity_revision", &["activity", "n"]),
    table("activity_ref", &["scope", "value"]),
    table("activity_move", &["id"]),
    Table { name: "submission", key: &["seq"], chunk: 50 },
    table("receipt", &["submission", "n"]),
    table("submission_repeat", &["id"]),
    table("submission_about", &["submission", "n"]),
    table("awaited_twin", &["submission"]),
    table("submission_key", &["source", "scope", "value"]),
    table("attachment", &["sha256", "submission"]),
    table("event", &["seq"]),
    table("job", &["seq"]),
    table("job_ref", &["job", "scope", "value"]),
    table("timer", &["kind", "key"]),
    table("alarm", &["name", "key"]),
    table("answered", &["address"]),
    table("source_health", &["source"]),
    table("source_count", &["source", "outcome"]),
    table("source_hour", &["source", "hour"]),
    table("source_note", &["source"]),
    table("cursor", &["source"]),
    table("api_token", &["id"]),
    table("restore", &["id"]),
    table("ignored_sender", &["kind", "value"]),
    table("campaign", &["id"]),
    table("manager_account", &["source", "kind", "value"]),
    table("manager_code", &["hash"]),
    table("code_try", &["kind", "value"]),
    table("chat", &["source", "chat"]),
    table("topic", &["source", "chat", "lead"]),
    table("call", &["source", "key"]),
    table("erased", &["uuid"]),
    table("erased_identity", &["hash", "erased"]),
];

/// Tables that are not carried: every database has its own, or they are set by themselves.
pub const NOT_CARRIED: &[&str] = &["compatibility", "installation", "sequence", "node", "lease", "link_key"];

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, chunk: 1000 }
}

/// A table as a database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Which table.
    pub table: Table,
    /// Its columns, in order of their names.
    pub columns: Vec<(String, Kind)>,
}

impl Shape {
    /// Puts the columns in the one order both sides agree on.
    pub fn new(table: Table, mut columns: Vec<(String, Kind)>) -> Self {
        columns.sort_by(|one, other| one.0.cmp(&other.0));
        Self { table, columns }
    }

    /// The key of a row.
    pub fn key_of(&self, row: &[Value]) -> Vec<Value> {
        let at = |name: &&str| self.columns.iter().position(|(column, _)| column == name).and_then(|at| row.get(at));
        self.table.key.iter().filter_map(at).cloned().collect()
    }

    /// The names of the columns for a statement, quoted and separated by commas.
    pub fn names(&self) -> String {
        quoted(self.columns.iter().map(|(name, _)| name.as_str()))
    }

    /// The names of the key's columns, likewise.
    pub fn key_names(&self) -> String {
        quoted(self.table.key.iter().copied())
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Where rows are carried from. Nobody serves it meanwhile.
#[async_trait]
pub trait From: Send + Sync {
    /// Whose it is.
    async fn whose(&self) -> Result<Uuid, StoreError>;
    /// A table as this database has it.
    async fn shape(&self, table: Table) -> Result<Shape, StoreError>;
    /// How many rows a table has.
    async fn count(&self, table: Table) -> Result<u64, StoreError>;
    /// The next rows after a key, in the order of keys, as many as a chunk of the table; fewer: these were the last.
    async fn rows(&self, shape: &Shape, after: Option<&[Value]>) -> Result<Vec<Row>, StoreError>;
    /// The next number of each kind that is drawn: `contact`, `lead`, `activity`, `submission`, `review`, `move`.
    async fn next_numbers(&self) -> Result<Vec<(String, i64)>, StoreError>;
}

/// Where rows are carried to.
#[async_trait]
pub trait To: From {
    /// The greatest key there is in a table.
    async fn greatest(&self, shape: &Shape) -> Result<Option<Vec<Value>>, StoreError>;
    /// Writes rows, all or none.
    async fn write(&self, shape: &Shape, rows: Vec<Row>) -> Result<(), StoreError>;
    /// The last step: new rows get numbers beyond those carried, and the database may be served.
    async fn finish(&self, next: Vec<(String, i64)>) -> Result<(), StoreError>;
}
