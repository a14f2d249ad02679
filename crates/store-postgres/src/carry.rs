//! Rows as a list of values, for carrying them from another store, and back.

use async_trait::async_trait;
use leadgate_core::carry::{From, Kind, Row, Shape, TABLES, Table, To, Value};
use leadgate_core::ports::StoreError;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::conn::{Conn, Statement};
use crate::error::{OpenError, corrupt, store};
use crate::{PostgresStore, WRITE, sources};

/// A table that is there while rows are being carried in: it says whose, and keeps gateways from serving half of them. The
/// driver's tables begin like this as well, and are not carried.
pub(crate) const UNFINISHED: &str = "_unfinished_copy";

/// Writing many large rows may take longer than a lead.
const LONG: &str = "; SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = '10min'";

/// Why rows cannot be carried into a database.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is there already.
    #[error(
        "the table {0} of the target holds rows already: make a new database for the copy (createdb), and let no gateway serve it yet"
    )]
    NotEmpty(&'static str),
    /// A copy of somebody else was begun there.
    #[error("the target holds an unfinished copy of another installation ({0}): make a new database for this one")]
    OfAnother(Uuid),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PostgresStore {
    /// Opens a database to carry rows of an installation into: an empty one, or one that holds the beginning of it. Until
    /// [`To::finish`] no gateway serves it. Says whether something is there already.
    pub async fn open_to_fill(url: &str, whose: Uuid) -> Result<(Self, bool), FillError> {
        let store = Self::open_unfinished(url).await?;
        let mut conn = store.servers.begin(WRITE).await?;
        let begun = begin(&mut conn, whose).await;
        // The transaction ends well or not by what the database said; what it found is another matter.
        let begun = conn.end(begun).await?;
        match begun {
            Ok(begun) => Ok((store, begun)),
            Err(error) => {
                leadgate_core::ports::Store::close(&store).await;
                Err(error)
            }
        }
    }

    async fn long_read(&self) -> Result<Conn, StoreError> {
        self.servers.begin(&[self.read.as_str(), LONG].concat()).await
    }
}

/// `Ok(Ok(true))`: something was carried here before.
async fn begin(conn: &mut Conn, whose: Uuid) -> Result<Result<bool, FillError>, StoreError> {
    let sql = format!("SELECT to_regclass('{UNFINISHED}') IS NOT NULL");
    let row = conn.one(sqlx::query(AssertSqlSafe(sql))).await?;
    if row.try_get::<bool, _>(0).map_err(store)? {
        let sql = format!("SELECT installation FROM {UNFINISHED}");
        let row = conn.one(sqlx::query(AssertSqlSafe(sql))).await?;
        let theirs = uuid(&row)?;
        return Ok(if theirs == whose { Ok(true) } else { Err(FillError::OfAnother(theirs)) });
    }
    for table in TABLES {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.name);
        // Safe: a name of the core.
        let row = conn.one(sqlx::query(AssertSqlSafe(sql))).await?;
        if row.try_get::<bool, _>(0).map_err(store)? {
            return Ok(Err(FillError::NotEmpty(table.name)));
        }
    }
    let sql = format!("CREATE TABLE {UNFINISHED} (installation bytea NOT NULL)");
    conn.simple(sql).await?;
    let sql = format!("INSERT INTO {UNFINISHED} (installation) VALUES ($1)");
    conn.run(sqlx::query(AssertSqlSafe(sql)).bind(whose.as_bytes().to_vec())).await?;
    conn.run(sqlx::query("UPDATE installation SET uuid = $1").bind(whose.as_bytes().to_vec())).await?;
    Ok(Ok(false))
}

fn uuid(row: &PgRow) -> Result<Uuid, StoreError> {
    let bytes: Vec<u8> = row.try_get(0).map_err(store)?;
    Uuid::from_slice(&bytes).map_err(|_| corrupt(UNFINISHED, "installation is no UUID"))
}

#[async_trait]
impl From for PostgresStore {
    async fn whose(&self) -> Result<Uuid, StoreError> {
        let mut conn = self.read().await?;
        let found = sources::installation(&mut conn).await;
        conn.end(found).await
    }

    async fn shape(&self, table: Table) -> Result<Shape, StoreError> {
        let columns = self.columns().await?.remove(table.name).unwrap_or_default();
        let columns = columns.into_iter().map(|column| {
            let kind = match column.kind.as_str() {
                "bigint" | "smallint" => Kind::Int,
                "text" => Kind::Text,
                "bytea" => Kind::Bytes,
                other => return Err(corrupt(table.name, format!("{} is {other}", column.name))),
            };
            Ok((column.name, kind))
        });
        Ok(Shape::new(table, columns.collect::<Result<_, StoreError>>()?))
    }

    async fn count(&self, table: Table) -> Result<u64, StoreError> {
        let mut conn = self.long_read().await?;
        // Safe: a name of the core.
        let row = conn.one(sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM \"{}\"", table.name)))).await;
        let row = conn.end(row).await?;
        Ok(row.try_get::<i64, _>(0).map_err(store)?.unsigned_abs())
    }

    async fn rows(&self, shape: &Shape, after: Option<&[Value]>) -> Result<Vec<Row>, StoreError> {
        let (key, name, chunk) = (shape.key_names(), shape.table.name, shape.table.chunk);
        // Flags are narrow here: one kind of number is enough for a reader.
        let columns: Vec<String> = shape
            .columns
            .iter()
            .map(|(name, kind)| if *kind == Kind::Int { format!("\"{name}\"::bigint") } else { format!("\"{name}\"") })
            .collect();
        let columns = columns.join(", ");
        let marks: Vec<String> = (1..=shape.table.key.len()).map(|at| format!("${at}")).collect();
        let after_key = after.map_or_else(String::new, |_| format!("WHERE ({key}) > ({})", marks.join(", ")));
        let sql = format!("SELECT {columns} FROM \"{name}\" {after_key} ORDER BY {key} LIMIT {chunk}");
        let mut statement: Statement<'_> = sqlx::query(AssertSqlSafe(sql));
        for value in after.unwrap_or_default() {
            statement = match value {
                Value::Null => statement.bind(None::<i64>),
                Value::Int(number) => statement.bind(*number),
                Value::Text(text) => statement.bind(text.clone()),
                Value::Bytes(bytes) => statement.bind(bytes.clone()),
            };
        }
        let mut conn = self.long_read().await?;
        let rows = conn.all(statement).await;
        conn.end(rows).await?.iter().map(|row| read(row, shape)).collect()
    }

    async fn next_numbers(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT substr(sequencename::text, 8), coalesce(last_value + 1, 1) FROM pg_sequences
                   WHERE schemaname = current_schema() AND sequencename LIKE 'number\\_%' ORDER BY 1";
        let mut conn = self.read().await?;
        let rows = conn.all(sqlx::query(sql)).await;
        let rows = conn.end(rows).await?;
        rows.iter().map(|row| Ok((row.try_get(0).map_err(store)?, row.try_get(1).map_err(store)?))).collect()
    }
}

fn read(row: &PgRow, shape: &Shape) -> Result<Row, StoreError> {
    let value = |(at, (_, kind)): (usize, &(String, Kind))| {
        let value = match kind {
            Kind::Int => row.try_get::<Option<i64>, _>(at).map_err(store)?.map(Value::Int),
            Kind::Text => row.try_get::<Option<String>, _>(at).map_err(store)?.map(Value::Text),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at).map_err(store)?.map(Value::Bytes),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    shape.columns.iter().enumerate().map(value).collect()
}

#[async_trait]
impl To for PostgresStore {
    async fn greatest(&self, shape: &Shape) -> Result<Option<Vec<Value>>, StoreError> {
        let key: Vec<(String, Kind)> =
            shape.table.key.iter().filter_map(|name| shape.columns.iter().find(|(column, _)| column == name).cloned()).collect();
        let down: Vec<String> = shape.table.key.iter().map(|name| format!("\"{name}\" DESC")).collect();
        let sql = format!("SELECT {} FROM \"{}\" ORDER BY {} LIMIT 1", shape.key_names(), shape.table.name, down.join(", "));
        let mut conn = self.long_read().await?;
        // Safe: names of the core.
        let row = conn.optional(sqlx::query(AssertSqlSafe(sql))).await;
        // Not by `Shape::new`: the key has an order of its own.
        let key = Shape { table: shape.table, columns: key };
        conn.end(row).await?.map(|row| read(&row, &key)).transpose()
    }

    async fn write(&self, shape: &Shape, rows: Vec<Row>) -> Result<(), StoreError> {
        let arrays: Vec<String> = shape
            .columns
            .iter()
            .enumerate()
            .map(|(at, (_, kind))| {
                let kind = match kind {
                    Kind::Int => "bigint",
                    Kind::Text => "text",
                    Kind::Bytes => "bytea",
                };
                format!("${}::{kind}[]", at + 1)
            })
            .collect();
        let sql = format!("INSERT INTO \"{}\" ({}) SELECT * FROM unnest({})", shape.table.name, shape.names(), arrays.join(", "));
        // Safe: names of the core and the schema.
        let mut statement: Statement<'_> = sqlx::query(AssertSqlSafe(sql));
        let mut columns: Vec<Vec<Value>> = shape.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        for ((name, kind), column) in shape.columns.iter().zip(columns) {
            let other = || corrupt(shape.table.name, format!("{name} holds a value of another kind"));
            statement = match kind {
                Kind::Int => {
                    statement.bind(all(column, |value| if let Value::Int(v) = value { Some(v) } else { None }).ok_or_else(other)?)
                }
                Kind::Text => statement
                    .bind(all(column, |value| if let Value::Text(v) = value { Some(v) } else { None }).ok_or_else(other)?),
                Kind::Bytes => statement
                    .bind(all(column, |value| if let Value::Bytes(v) = value { Some(v) } else { None }).ok_or_else(other)?),
            };
        }
        let mut conn = self.servers.begin(&[WRITE, LONG].concat()).await?;
        let written = conn.run(statement).await;
        conn.end(written).await.map(|_| ())
    }

    async fn finish(&self, next: Vec<(String, i64)>) -> Result<(), StoreError> {
        let mut conn = self.servers.begin(&[WRITE, LONG].concat()).await?;
        let finished = finish(&mut conn, next).await;
        conn.end(finished).await
    }
}

/// The values of a column, absent ones as such; `None`: one is of another kind.
fn all<T>(column: Vec<Value>, take: impl Fn(Value) -> Option<T>) -> Option<Vec<Option<T>>> {
    column.into_iter().map(|value| if value == Value::Null { Some(None) } else { take(value).map(Some) }).collect()
}

async fn finish(conn: &mut Conn, next: Vec<(String, i64)>) -> Result<(), StoreError> {
    for (name, next) in next {
        // A sequence that was never drawn from begins with 1.
        let set =
            sqlx::query("SELECT setval(('number_' || $1::text)::regclass, greatest($2 - 1, 1), $2 > 1)").bind(name).bind(next);
        conn.one(set).await?;
    }
    // Numbers the database itself draws.
    for (table, column) in [("event", "seq"), ("job", "seq"), ("api_token", "id"), ("restore", "id")] {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false) FROM {table}"
        );
        conn.one(sqlx::query(AssertSqlSafe(sql))).await?;
    }
    conn.simple(format!("DROP TABLE {UNFINISHED}; ANALYZE")).await
}
