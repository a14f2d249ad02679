//! Rows as a list of values, for carrying them to another store.

use async_trait::async_trait;
use leadgate_core::carry::{From, Kind, Row, Shape, Table, Value};
use leadgate_core::ports::StoreError;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{corrupt, store};
use crate::sources;

#[async_trait]
impl From for SqliteStore {
    async fn whose(&self) -> Result<Uuid, StoreError> {
        sources::installation(&mut *self.read().await?).await
    }

    async fn shape(&self, table: Table) -> Result<Shape, StoreError> {
        let found = sqlx::query("SELECT name, type FROM pragma_table_info(?1)").bind(table.name);
        let found = found.fetch_all(&mut *self.read().await?).await.map_err(store)?;
        let columns = found.iter().map(|row| {
            let (name, kind): (String, &str) = (row.try_get(0).map_err(store)?, row.try_get(1).map_err(store)?);
            let kind = match kind {
                "INTEGER" => Kind::Int,
                "TEXT" => Kind::Text,
                "BLOB" => Kind::Bytes,
                other => return Err(corrupt(table.name, format!("{name} is {other}"))),
            };
            Ok((name, kind))
        });
        Ok(Shape::new(table, columns.collect::<Result<_, StoreError>>()?))
    }

    async fn count(&self, table: Table) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM \"{}\"", table.name);
        // Safe: a name of the core.
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *self.read().await?).await.map_err(store)?;
        Ok(count.unsigned_abs())
    }

    async fn rows(&self, shape: &Shape, after: Option<&[Value]>) -> Result<Vec<Row>, StoreError> {
        let (names, key, name, chunk) = (shape.names(), shape.key_names(), shape.table.name, shape.table.chunk);
        let marks = vec!["?"; shape.table.key.len()].join(", ");
        let after_key = after.map_or_else(String::new, |_| format!("WHERE ({key}) > ({marks})"));
        let sql = format!("SELECT {names} FROM \"{name}\" {after_key} ORDER BY {key} LIMIT {chunk}");
        // Safe: names of the core and the schema, and numbers.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in after.unwrap_or_default() {
            query = match value {
                Value::Null => query.bind(None::<i64>),
                Value::Int(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.clone()),
                Value::Bytes(bytes) => query.bind(bytes.clone()),
            };
        }
        let rows = query.fetch_all(&mut *self.read().await?).await.map_err(store)?;
        rows.iter().map(|row| read(row, shape)).collect()
    }

    async fn next_numbers(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query("SELECT name, next FROM sequence ORDER BY name").fetch_all(&mut *self.read().await?).await;
        rows.map_err(store)?.iter().map(|row| Ok((row.try_get(0).map_err(store)?, row.try_get(1).map_err(store)?))).collect()
    }
}

fn read(row: &SqliteRow, shape: &Shape) -> Result<Row, StoreError> {
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
