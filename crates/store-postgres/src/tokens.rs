//! API tokens: only their hashes are kept.

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{NewToken, StoreError};
use leadgate_core::views::{Scope, TokenView};
use sqlx::postgres::PgRow;

use crate::bulk::text;
use crate::conn::Conn;
use crate::error::to_json;
use crate::rows::Columns;

/// `false`: a token that is not revoked has this name.
pub(crate) async fn add(conn: &mut Conn, token: &NewToken, at: Timestamp) -> Result<bool, StoreError> {
    let sql = "INSERT INTO api_token (name, hash, scopes, sources, created_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING";
    let statement = sqlx::query(sql)
        .bind(text(&token.name))
        .bind(&token.hash[..])
        .bind(to_json(&token.scopes)?)
        .bind(token.sources.as_ref().map(to_json).transpose()?)
        .bind(at.as_microsecond());
    Ok(conn.run(statement).await? == 1)
}

fn view(row: &PgRow) -> Result<TokenView, StoreError> {
    let row = Columns::of(row, "api_token");
    let sources = row.get::<Option<&str>>("sources")?.is_some().then(|| row.json::<Vec<SourceId>>("sources")).transpose()?;
    Ok(TokenView {
        name: row.text("name")?,
        scopes: row.json::<Vec<Scope>>("scopes")?,
        sources,
        created_at: row.time("created_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
    })
}

pub(crate) async fn list(conn: &mut Conn) -> Result<Vec<TokenView>, StoreError> {
    let sql = "SELECT name, scopes, sources, created_at, revoked_at FROM api_token ORDER BY id DESC";
    let rows = conn.all(sqlx::query(sql)).await?;
    rows.iter().map(view).collect()
}

/// The token with this hash, unless revoked.
pub(crate) async fn find(conn: &mut Conn, hash: &[u8; 32]) -> Result<Option<TokenView>, StoreError> {
    let sql = "SELECT name, scopes, sources, created_at, revoked_at FROM api_token WHERE hash = $1 AND revoked_at IS NULL";
    let row = conn.optional(sqlx::query(sql).bind(&hash[..])).await?;
    row.as_ref().map(view).transpose()
}

/// `false`: there is none of this name that is not revoked.
pub(crate) async fn revoke(conn: &mut Conn, name: &str, at: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE api_token SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL";
    Ok(conn.run(sqlx::query(sql).bind(text(name)).bind(at.as_microsecond())).await? == 1)
}
