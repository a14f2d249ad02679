//! Every row as text: for comparing two databases, in tests and by hand.

use std::collections::BTreeMap;

use leadgate_core::ports::StoreError;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::store;

/// Tables by name, each with its rows as SQL literals, sorted.
pub(crate) async fn dump(conn: &mut SqliteConnection) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *conn).await.map_err(store)?;
    let mut dump = BTreeMap::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?1) ORDER BY cid")
            .bind(&table)
            .fetch_all(&mut *conn)
            .await
            .map_err(store)?;
        let quoted: Vec<String> = columns.iter().map(|column| format!("'{column}=' || quote(\"{column}\")")).collect();
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(quoted.join(" || ' ' || ")).push(" FROM \"").push(&table).push("\" ORDER BY 1");
        let rows: Vec<String> = query.build_query_scalar().fetch_all(&mut *conn).await.map_err(store)?;
        dump.insert(table, rows);
    }
    Ok(dump)
}
