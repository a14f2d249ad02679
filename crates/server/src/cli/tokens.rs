//! `token`: who may use the API.

use anyhow::bail;
use leadgate_core::views::Scope;

use super::args::Token;
use super::gate::Gate;
use super::story;
use crate::print;

/// Runs `token`.
pub(super) async fn command(gate: &Gate, command: Token) -> anyhow::Result<()> {
    match command {
        Token::New { name, scope, source } => new(gate, &name, scope, source).await,
        Token::List => list(gate).await,
        Token::Revoke { name } => {
            let writer = gate.writer().await?;
            let outcome = writer.revoke_token(&name).await;
            writer.close().await;
            if !outcome? {
                bail!("there is no token called {name:?}; `leadgate token list` shows what there is");
            }
            if gate.json() {
                return Ok(print::json(&serde_json::json!({ "revoked": name }))?);
            }
            Ok(print::line(&format!("The token {} no longer works.", print::safe(&name)))?)
        }
    }
}

async fn new(gate: &Gate, name: &str, scopes: Vec<Scope>, sources: Vec<leadgate_core::ids::SourceId>) -> anyhow::Result<()> {
    let name = name.trim();
    if name.is_empty() || name.len() > 60 || name.chars().any(char::is_control) {
        bail!("a token's name has 1 to 60 characters: say what it is for, such as crm");
    }
    for id in &sources {
        if gate.globals.url.is_none() && !gate.config.sources.iter().any(|source| source.id == *id) {
            bail!("there is no source {id}; `leadgate sources` shows what there is");
        }
    }
    let scopes = if scopes.is_empty() { vec![Scope::Read] } else { scopes };
    let writer = gate.writer().await?;
    let outcome = writer.add_token(name, scopes, Some(sources).filter(|sources| !sources.is_empty())).await;
    writer.close().await;
    let (token, view) = outcome?;
    if gate.json() {
        let mut value = serde_json::to_value(&view)?;
        value["token"] = token.expose().into();
        return Ok(print::json(&value)?);
    }
    let scopes: Vec<&str> = view.scopes.iter().map(|scope| scope.as_str()).collect();
    print::note(&format!(
        "The token {} may {}. It is shown this once; only its hash is kept.",
        print::safe(&view.name),
        scopes.join(", ")
    ));
    // Alone on stdout, so that it can be piped into a file.
    Ok(print::line(token.expose())?)
}

async fn list(gate: &Gate) -> anyhow::Result<()> {
    let tokens = gate.reader().await?.tokens().await?;
    if gate.json() {
        return Ok(print::json(&tokens)?);
    }
    if tokens.is_empty() {
        return Ok(print::line("There are no tokens.")?);
    }
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            let sources = token.sources.as_ref().map_or_else(
                || "all".to_owned(),
                |sources| sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            );
            let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
            vec![
                token.name.clone(),
                scopes.join(", "),
                sources,
                story::time(token.created_at, gate.zone()),
                story::time_or_dash(token.revoked_at, gate.zone()),
            ]
        })
        .collect();
    Ok(print::out(&print::table(&["name", "may", "sources", "made", "revoked"], &rows, &[]))?)
}
