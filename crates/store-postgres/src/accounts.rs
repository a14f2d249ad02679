//! Accounts of managers at messengers, and the one-time codes by which they link them.

use jiff::Timestamp;
use leadgate_core::ids::ManagerId;
use leadgate_core::ports::{Account, MOST_TRIES, Redeemed, StoreError, TRIES_COUNT_FOR};
use sqlx::postgres::PgRow;

use crate::apply::micros;
use crate::bulk::text;
use crate::conn::Conn;
use crate::rows::Columns;

/// Keeps a code: one of a manager.
pub(crate) async fn add_code(conn: &mut Conn, hash: &[u8; 32], manager: &ManagerId, until: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM manager_code WHERE manager = $1 OR hash = $2";
    conn.run(sqlx::query(sql).bind(text(&manager.0)).bind(&hash[..])).await?;
    let sql = "INSERT INTO manager_code (hash, manager, until) VALUES ($1, $2, $3)";
    conn.run(sqlx::query(sql).bind(&hash[..]).bind(text(&manager.0)).bind(micros(until))).await.map(|_| ())
}

/// An account says a code. Its lock is taken: its tries follow each other. Of two accounts that say one code the first to take it away
/// has it.
pub(crate) async fn redeem(conn: &mut Conn, hash: &[u8; 32], account: &Account, now: Timestamp) -> Result<Redeemed, StoreError> {
    let (kind, value) = (text(&account.kind), text(&account.value));
    let sql = "SELECT n, since FROM code_try WHERE kind = $1 AND value = $2";
    let tried = conn.optional(sqlx::query(sql).bind(&kind).bind(&value)).await?.map(|row| {
        let row = Columns::of(&row, "code_try");
        Ok::<_, StoreError>((row.count::<u32>("n")?, row.time("since")?))
    });
    let over = |since: Timestamp| since.saturating_add(TRIES_COUNT_FOR).unwrap_or(Timestamp::MAX);
    let (tries, since) = tried.transpose()?.filter(|(_, since)| over(*since) > now).unwrap_or((0, now));
    if tries >= MOST_TRIES {
        return Ok(Redeemed::TooMany(over(since)));
    }
    let sql = "DELETE FROM manager_code WHERE hash = $1 AND until > $2 RETURNING manager";
    if let Some(row) = conn.optional(sqlx::query(sql).bind(&hash[..]).bind(micros(now))).await? {
        let manager = ManagerId(Columns::of(&row, "manager_code").text("manager")?);
        link(conn, &manager, account).await?;
        return Ok(Redeemed::Linked(manager));
    }
    let tries = tries + 1;
    let sql = "INSERT INTO code_try (kind, value, n, since) VALUES ($1, $2, $3, $4)
               ON CONFLICT (kind, value) DO UPDATE SET n = excluded.n, since = excluded.since";
    conn.run(sqlx::query(sql).bind(kind).bind(value).bind(i64::from(tries)).bind(micros(since))).await?;
    let left = MOST_TRIES.saturating_sub(tries);
    Ok(if left == 0 { Redeemed::TooMany(over(since)) } else { Redeemed::Wrong(left) })
}

/// The account is this manager's alone, and their only one at its bot.
async fn link(conn: &mut Conn, manager: &ManagerId, account: &Account) -> Result<(), StoreError> {
    let (kind, value) = (text(&account.kind), text(&account.value));
    conn.run(sqlx::query("DELETE FROM code_try WHERE kind = $1 AND value = $2").bind(&kind).bind(&value)).await?;
    let sql = "DELETE FROM manager_account
               WHERE (kind = $1 AND value = $2 AND (manager <> $3 OR source = $4)) OR (manager = $3 AND source = $4)";
    let statement = sqlx::query(sql).bind(&kind).bind(&value).bind(text(&manager.0)).bind(account.source.as_str());
    conn.run(statement).await?;
    let sql = "INSERT INTO manager_account (source, kind, value, manager, display, chat, linked_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let statement = sqlx::query(sql)
        .bind(account.source.as_str())
        .bind(kind)
        .bind(value)
        .bind(text(&manager.0))
        .bind(text(&account.display))
        .bind(text(&account.chat))
        .bind(micros(account.linked_at));
    conn.run(statement).await.map(|_| ())
}

fn view(row: &PgRow) -> Result<Account, StoreError> {
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
pub(crate) async fn list(conn: &mut Conn) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT source, kind, value, manager, display, chat, linked_at FROM manager_account ORDER BY manager, source";
    conn.all(sqlx::query(sql)).await?.iter().map(view).collect()
}

/// Those of these that are managers'.
pub(crate) async fn of(conn: &mut Conn, values: &[(String, String)]) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT a.source, a.kind, a.value, a.manager, a.display, a.chat, a.linked_at
               FROM (SELECT DISTINCT v.kind, v.value FROM unnest($1::text[], $2::text[]) AS v (kind, value)) v
               JOIN manager_account a ON a.value = v.value AND a.kind = v.kind ORDER BY a.manager, a.source";
    let (kinds, values): (Vec<_>, Vec<_>) = values.iter().map(|(kind, value)| (text(kind), text(value))).unzip();
    conn.all(sqlx::query(sql).bind(kinds).bind(values)).await?.iter().map(view).collect()
}

/// Takes a manager's accounts away, and the code that would bring one back.
pub(crate) async fn unlink(conn: &mut Conn, manager: &ManagerId) -> Result<u64, StoreError> {
    let manager = text(&manager.0);
    conn.run(sqlx::query("DELETE FROM manager_code WHERE manager = $1").bind(&manager)).await?;
    conn.run(sqlx::query("DELETE FROM manager_account WHERE manager = $1").bind(manager)).await
}
