//! The two schemas are one: the same tables with the same columns, so that rows can be carried from one store to the other.

use std::collections::BTreeMap;

use leadgate_tests::postgres::Database;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};

use crate::support::{Backend, Db, Place};

/// Name, kind (in SQLite's words), whether it may be absent.
type Columns = Vec<(String, String, bool)>;

/// Kept in another way: PostgreSQL has sequences.
const OTHERWISE: &str = "sequence";

async fn of_sqlite() -> BTreeMap<String, Columns> {
    let db = Db::fresh(Backend::Sqlite).await;
    let Place::Sqlite(path, _) = &db.place else { panic!("a file") };
    let mut conn = SqliteConnectOptions::new().filename(path).read_only(true).connect().await.unwrap();
    let sql = "SELECT t.name AS t, c.name AS c, c.type AS type, c.\"notnull\" = 0 AND c.pk = 0 AS nullable
               FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND substr(t.name, 1, 1) <> '_' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid";
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
        tables.entry(row.get("t")).or_default().push((row.get("c"), row.get("type"), row.get("nullable")));
    }
    tables
}

async fn of_postgres() -> BTreeMap<String, Columns> {
    let database = Database::fresh(false).await.unwrap();
    let store = database.open().await.unwrap();
    let kind = |kind: &str| match kind {
        "bigint" | "smallint" => "INTEGER",
        "bytea" => "BLOB",
        "text" => "TEXT",
        _ => panic!("{kind} is not for rows that go from one store to the other"),
    };
    let tables = store.columns().await.unwrap();
    tables
        .into_iter()
        .map(|(table, columns)| {
            (table, columns.into_iter().map(|column| (column.name, kind(&column.kind).to_owned(), column.nullable)).collect())
        })
        .collect()
}

#[tokio::test]
async fn both_stores_have_the_same_tables_and_columns() {
    let (mut sqlite, postgres) = (of_sqlite().await, of_postgres().await);
    assert!(sqlite.remove(OTHERWISE).is_some() && !postgres.contains_key(OTHERWISE));
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (table, columns) in &sqlite {
        assert_eq!(columns, &postgres[table], "{table}");
    }
}

/// The names in backticks of the lines between a heading's marker and the next blank line after them.
fn named(page: &str, begin: &str, first_only: bool) -> std::collections::BTreeSet<String> {
    let (_, rest) = page.split_once(begin).unwrap();
    let block = rest.trim_start().split("\n\n").next().unwrap();
    let names = |line: &str| -> Vec<String> {
        let names = line.split('`').skip(1).step_by(2).map(ToOwned::to_owned);
        if first_only { names.take(1).collect() } else { names.collect() }
    };
    block.lines().flat_map(names).collect()
}

#[tokio::test]
async fn every_table_is_listed_with_whether_it_can_hold_personal_data() {
    let page = include_str!("../../ARCHITECTURE.md");
    let (can, cannot) = (named(page, "<!-- can hold -->", true), named(page, "<!-- cannot hold -->", false));
    assert!(can.contains("contact") && cannot.contains("compatibility"), "{can:?} {cannot:?}");
    assert_eq!(can.intersection(&cannot).next(), None, "one or the other");
    let listed: Vec<&String> = can.union(&cannot).collect();
    let tables = of_sqlite().await;
    assert_eq!(listed, tables.keys().collect::<Vec<_>>(), "ARCHITECTURE.md lists every table, once");
}
