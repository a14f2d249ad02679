//! Which gateways serve the database, and the leases they hold: by the database's clock, so that theirs may differ.

use std::collections::HashMap;
use std::time::Duration;

use leadgate_core::ids::NodeId;
use leadgate_core::ports::{Beat, StoreError};
use leadgate_core::views::{LeaseView, NodeView};
use sqlx::Row as _;

use crate::conn::Conn;
use crate::error::store;
use crate::rows::Columns;

/// The database's clock in microseconds; it goes on within a transaction.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}
pub(crate) use now;

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Takes or keeps a lease: its fencing token, or nothing while another holds it.
pub(crate) async fn lease(conn: &mut Conn, name: &str, node: NodeId, lasts: Duration) -> Result<Option<i64>, StoreError> {
    let sql = concat!(
        "INSERT INTO lease AS l (name, holder, until, fence) VALUES ($1, $2, ",
        now!(),
        " + $3, 1)
         ON CONFLICT (name) DO UPDATE SET fence = l.fence + (l.holder IS DISTINCT FROM excluded.holder)::int,
                                          holder = excluded.holder, until = excluded.until
         WHERE l.holder IS NULL OR l.holder = excluded.holder OR l.until <= ",
        now!(),
        " RETURNING fence"
    );
    let asked = sqlx::query(sql).bind(name).bind(node.0.as_bytes().to_vec()).bind(micros(lasts));
    conn.optional(asked).await?.map(|row| row.try_get(0).map_err(store)).transpose()
}

/// Gives a lease back.
pub(crate) async fn release(conn: &mut Conn, name: &str, node: NodeId) -> Result<(), StoreError> {
    let sql = "UPDATE lease SET holder = NULL WHERE name = $1 AND holder = $2";
    conn.run(sqlx::query(sql).bind(name).bind(node.0.as_bytes().to_vec())).await.map(|_| ())
}

/// Writes that a gateway lives, and forgets those that do not.
pub(crate) async fn beat(conn: &mut Conn, beat: &Beat, forget: Duration) -> Result<(), StoreError> {
    // Gateways forget the same ones at the same moment: in one order, and none waits for another.
    let sql = concat!(
        "DELETE FROM node WHERE id IN (SELECT id FROM node WHERE seen_at < ",
        now!(),
        " - $1 ORDER BY id FOR UPDATE SKIP LOCKED)"
    );
    conn.run(sqlx::query(sql).bind(micros(forget))).await?;
    let sql = concat!(
        "INSERT INTO node (id, name, version, address, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, ",
        now!(),
        ") ON CONFLICT (id) DO UPDATE SET address = excluded.address, seen_at = excluded.seen_at"
    );
    let node = sqlx::query(sql).bind(beat.node.0.as_bytes().to_vec()).bind(&beat.name).bind(&beat.version).bind(&beat.address);
    conn.run(node.bind(beat.started_at.as_microsecond())).await.map(|_| ())
}

/// A gateway stops.
pub(crate) async fn leave(conn: &mut Conn, node: NodeId) -> Result<(), StoreError> {
    for sql in ["UPDATE lease SET holder = NULL WHERE holder = $1", "DELETE FROM node WHERE id = $1"] {
        conn.run(sqlx::query(sql).bind(node.0.as_bytes().to_vec())).await?;
    }
    Ok(())
}

/// The gateways and what they hold.
pub(crate) async fn list(conn: &mut Conn) -> Result<Vec<NodeView>, StoreError> {
    let sql = concat!(
        "SELECT name, holder, until, (until <= ",
        now!(),
        ")::int::bigint AS expired, fence FROM lease WHERE holder IS NOT NULL ORDER BY name"
    );
    let mut leases: HashMap<NodeId, Vec<LeaseView>> = HashMap::new();
    for row in &conn.all(sqlx::query(sql)).await? {
        let row = Columns::of(row, "lease");
        let lease = LeaseView {
            name: row.text("name")?,
            until: row.time("until")?,
            expired: row.int("expired")? != 0,
            fence: row.int("fence")?,
        };
        leases.entry(NodeId(row.uuid("holder")?)).or_default().push(lease);
    }
    let sql = concat!(
        "SELECT id, name, version, address, started_at, seen_at, greatest((",
        now!(),
        " - seen_at) / 1000000, 0) AS quiet_s FROM node ORDER BY started_at, id"
    );
    let rows = conn.all(sqlx::query(sql)).await?;
    let node = |row| {
        let row = Columns::of(row, "node");
        let id = NodeId(row.uuid("id")?);
        Ok(NodeView {
            id,
            name: row.text("name")?,
            version: row.text("version")?,
            address: row.text("address")?,
            started_at: row.time("started_at")?,
            seen_at: row.time("seen_at")?,
            quiet_s: row.count("quiet_s")?,
            leases: leases.remove(&id).unwrap_or_default(),
        })
    };
    rows.iter().map(node).collect()
}
