//! Accounts of managers at messengers, and the one-time codes by which they link them.

use jiff::Timestamp;
use leadgate_core::ids::ManagerId;
use leadgate_core::ports::{Account, MOST_TRIES, Redeemed, StoreError, TRIES_COUNT_FOR};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::{store, to_json};
use crate::rows::Columns;

/// Keeps a code: one of a manager.
pub(crate) async fn add_code(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    manager: &ManagerId,
    until: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM manager_code WHERE manager = ?1 OR hash = ?2";
    sqlx::query(sql).bind(&manager.0).bind(&hash[..]).execute(&mut *conn).await.map_err(store)?;
    let sql = "INSERT INTO manager_code (hash, manager, until) VALUES (?1, ?2, ?3)";
    let statement = sqlx::query(sql).bind(&hash[..]).bind(&manager.0).bind(until.as_microsecond());
    statement.execute(conn).await.map(|_| ()).map_err(store)
}

/// An account says a code.
pub(crate) async fn redeem(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    account: &Account,
    now: Timestamp,
) -> Result<Redeemed, StoreError> {
    let sql = "SELECT n, since FROM code_try WHERE kind = ?1 AND value = ?2";
    let tried = sqlx::query(sql).bind(&account.kind).bind(&account.value).fetch_optional(&mut *conn).await.map_err(store)?;
    let tried = tried.map(|row| {
        let row = Columns::of(&row, "code_try");
        Ok::<_, StoreError>((row.count::<u32>("n")?, row.time("since")?))
    });
    let over = |since: Timestamp| since.saturating_add(TRIES_COUNT_FOR).unwrap_or(Timestamp::MAX);
    let (tries, since) = tried.transpose()?.filter(|(_, since)| over(*since) > now).unwrap_or((0, now));
    if tries >= MOST_TRIES {
        return Ok(Redeemed::TooMany(over(since)));
    }
    let sql = "DELETE FROM manager_code WHERE hash = ?1 AND until > ?2 RETURNING manager";
    let found = sqlx::query_scalar(sql).bind(&hash[..]).bind(now.as_microsecond()).fetch_optional(&mut *conn).await;
    if let Some(manager) = found.map_err(store)?.map(ManagerId) {
        link(conn, &manager, account).await?;
        return Ok(Redeemed::Linked(manager));
    }
    let tries = tries + 1;
    let sql = "INSERT INTO code_try (kind, value, n, since) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (kind, value) DO UPDATE SET n = excluded.n, since = excluded.since";
    let statement = sqlx::query(sql).bind(&account.kind).bind(&account.value).bind(tries).bind(since.as_microsecond());
    statement.execute(conn).await.map_err(store)?;
    let left = MOST_TRIES.saturating_sub(tries);
    Ok(if left == 0 { Redeemed::TooMany(over(since)) } else { Redeemed::Wrong(left) })
}

/// The account is this manager's alone, and their only one at its bot.
async fn link(conn: &mut SqliteConnection, manager: &ManagerId, account: &Account) -> Result<(), StoreError> {
    let sql = "DELETE FROM code_try WHERE kind = ?1 AND value = ?2";
    sqlx::query(sql).bind(&account.kind).bind(&account.value).execute(&mut *conn).await.map_err(store)?;
    let sql = "DELETE FROM manager_account
               WHERE (kind = ?1 AND value = ?2 AND (manager <> ?3 OR source = ?4)) OR (manager = ?3 AND source = ?4)";
    let statement = sqlx::query(sql).bind(&account.kind).bind(&account.value).bind(&manager.0).bind(account.source.as_str());
    statement.execute(&mut *conn).await.map_err(store)?;
    let sql = "INSERT INTO manager_account (source, kind, value, manager, display, chat, linked_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    sqlx::query(sql)
        .bind(account.source.as_str())
        .bind(&account.kind)
        .bind(&account.value)
        .bind(&manager.0)
        .bind(&account.display)
        .bind(&account.chat)
        .bind(account.linked_at.as_microsecond())
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(store)
}

fn view(row: &SqliteRow) -> Result<Account, StoreError> {
    let row = Columns::of(row, "manager_account");
    Ok(Account {
        manager: ManagerId(row.text("manager")?),
        kind: row.text("kind")?,
        value: row.text("value")?,
        display: row.text("display")?,
        source: row.source("source")?,
        chat: row.text("chat")?,
        linked_at: row.time("linked_at")?,
    })
}

/// All of them, by manager.
pub(crate) async fn list(conn: &mut SqliteConnection) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT source, kind, value, manager, display, chat, linked_at FROM manager_account ORDER BY manager, source";
    sqlx::query(sql).fetch_all(conn).await.map_err(store)?.iter().map(view).collect()
}

/// Those of these that are managers'.
pub(crate) async fn of(conn: &mut SqliteConnection, values: &[(String, String)]) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT a.source, a.kind, a.value, a.manager, a.display, a.chat, a.linked_at
               FROM (SELECT DISTINCT value ->> 0 AS kind, value ->> 1 AS value FROM json_each(?1)) v
               CROSS JOIN manager_account a ON a.value = v.value AND a.kind = v.kind ORDER BY a.manager, a.source";
    sqlx::query(sql).bind(to_json(values)?).fetch_all(conn).await.map_err(store)?.iter().map(view).collect()
}

/// Takes a manager's accounts away, and the code that would bring one back.
pub(crate) async fn unlink(conn: &mut SqliteConnection, manager: &ManagerId) -> Result<u64, StoreError> {
    let sql = "DELETE FROM manager_code WHERE manager = ?1";
    sqlx::query(sql).bind(&manager.0).execute(&mut *conn).await.map_err(store)?;
    let sql = "DELETE FROM manager_account WHERE manager = ?1";
    Ok(sqlx::query(sql).bind(&manager.0).execute(conn).await.map_err(store)?.rows_affected())
}
