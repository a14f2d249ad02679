//! Every row as text: for comparing two databases, in tests and by hand.

use std::collections::BTreeMap;

use leadgate_core::ports::StoreError;
use sqlx::AssertSqlSafe;

use crate::conn::Conn;
use crate::rows::Columns;

/// The tables of this schema and their columns with types, in order.
pub(crate) async fn columns(conn: &mut Conn) -> Result<BTreeMap<String, Vec<Column>>, StoreError> {
    let sql =
        "SELECT table_name::text AS t, column_name::text AS c, data_type::text AS type, is_nullable::text = 'YES' AS nullable
               FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_%' ORDER BY table_name, ordinal_position";
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in &conn.all(sqlx::query(sql)).await? {
        let row = Columns::of(row, "information_schema.columns");
        let column = Column { name: row.text("c")?, kind: row.text("type")?, nullable: row.get("nullable")? };
        tables.entry(row.text("t")?).or_default().push(column);
    }
    Ok(tables)
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database calls it.
    pub kind: String,
    /// Whether it may be absent.
    pub nullable: bool,
}

/// Tables by name, each with its rows as SQL literals, sorted; and the sequences, as SQLite keeps them in a table.
pub(crate) async fn dump(conn: &mut Conn) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut dump = BTreeMap::new();
    for (table, columns) in columns(conn).await? {
        let literals: Vec<String> = columns.iter().map(literal).collect();
        let sql = format!("SELECT {} AS row FROM \"{table}\" ORDER BY 1", literals.join(" || ' ' || "));
        // Safe: names of the catalogue.
        let rows = conn.all(sqlx::query(AssertSqlSafe(sql))).await?;
        let rows = rows.iter().map(|row| Columns::of(row, "a dump").text("row")).collect::<Result<_, _>>()?;
        dump.insert(table, rows);
    }
    let sql = "SELECT 'name=''' || substr(sequencename, 8) || ''' next=' || coalesce(last_value + 1, 1) AS row
               FROM pg_sequences WHERE schemaname = current_schema() AND sequencename LIKE 'number\\_%' ORDER BY 1";
    let rows = conn.all(sqlx::query(sql)).await?;
    let rows = rows.iter().map(|row| Columns::of(row, "a sequence").text("row")).collect::<Result<_, _>>()?;
    dump.insert("sequence".to_owned(), rows);
    Ok(dump)
}

fn literal(column: &Column) -> String {
    let name = &column.name;
    let value = match column.kind.as_str() {
        "text" => format!("'''' || replace(\"{name}\", '''', '''''') || ''''"),
        "bytea" => format!("'X''' || upper(encode(\"{name}\", 'hex')) || ''''"),
        _ => format!("\"{name}\"::text"),
    };
    format!("'{name}=' || coalesce({value}, 'NULL')")
}
