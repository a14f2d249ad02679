//! Senders that are ignored.

use leadgate_core::ports::{Act, StoreError};
use leadgate_core::senders::{IgnoredSender, Sender, SenderKind};
use sqlx::SqliteConnection;

use crate::error::store;
use crate::rows::Columns;

/// `false`: it was so before.
pub(crate) async fn ignore(conn: &mut SqliteConnection, sender: &Sender, act: &Act) -> Result<bool, StoreError> {
    let sql = "INSERT INTO ignored_sender (kind, value, at, actor) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let done = sqlx::query(sql)
        .bind(sender.kind.as_str())
        .bind(&sender.value)
        .bind(act.at.as_microsecond())
        .bind(&act.actor)
        .execute(conn)
        .await
        .map_err(store)?;
    Ok(done.rows_affected() == 1)
}

/// The newest first.
pub(crate) async fn list(conn: &mut SqliteConnection) -> Result<Vec<IgnoredSender>, StoreError> {
    let sql = "SELECT kind, value, at, actor FROM ignored_sender ORDER BY at DESC, kind, value";
    let rows = sqlx::query(sql).fetch_all(conn).await.map_err(store)?;
    let view = |row| {
        let row = Columns::of(row, "ignored_sender");
        let sender = Sender { kind: row.parse("kind", SenderKind::parse)?, value: row.text("value")? };
        Ok(IgnoredSender { sender, at: row.time("at")?, actor: row.text("actor")? })
    };
    rows.iter().map(view).collect()
}

/// `false`: it was not ignored.
pub(crate) async fn forget(conn: &mut SqliteConnection, sender: &Sender) -> Result<bool, StoreError> {
    let sql = "DELETE FROM ignored_sender WHERE kind = ?1 AND value = ?2";
    let done = sqlx::query(sql).bind(sender.kind.as_str()).bind(&sender.value).execute(conn).await.map_err(store)?;
    Ok(done.rows_affected() == 1)
}
