//! Who may: bearer tokens by their SHA-256, three scopes, perhaps only for some sources.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Act, Store};
use leadgate_core::views::{Scope, TokenView};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::app::Gateway;
use crate::http::peer::Caller;
use crate::http::problem::Problem;

/// A token taken back elsewhere (by a command on this machine) is refused after this time at the latest.
const TRUST_FOR: Duration = Duration::from_secs(1);
/// The most tokens remembered.
const MOST: usize = 1000;

/// Tokens seen a moment ago, by their hash. Only good ones: an attempt costs its sender a look into the database.
#[derive(Debug, Default)]
pub struct TokenCache(Mutex<HashMap<[u8; 32], Seen>>);

#[derive(Debug)]
struct Seen {
    token: Arc<TokenView>,
    until: Instant,
}

impl TokenCache {
    fn get(&self, hash: &[u8; 32]) -> Option<Arc<TokenView>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|seen| Instant::now() < seen.until).map(|seen| Arc::clone(&seen.token))
    }

    fn put(&self, hash: [u8; 32], token: Arc<TokenView>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(hash, Seen { token, until: Instant::now() + TRUST_FOR });
    }

    /// Forgets everything: a token was taken back.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A call of the API by a token that may.
pub struct Access {
    /// The token.
    pub token: Arc<TokenView>,
    /// The store.
    pub store: Arc<dyn Store>,
    gateway: Arc<Gateway>,
}

impl Access {
    /// A change by this token, now.
    pub fn act(&self) -> Act {
        let (at, event) = self.gateway.clock.stamped();
        let routes = Arc::clone(&self.gateway.live().rules.routes);
        Act { actor: format!("api:{}", self.token.name), at, event: leadgate_core::ids::EventId(event), routes }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Whether the token may see something of this source.
    pub fn sees(&self, source: &SourceId) -> bool {
        self.token.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }

    /// Whether the token is limited to sources.
    pub fn limited(&self) -> bool {
        self.token.sources.is_some()
    }

    /// The sources a list may show, given those asked for. An empty list shows nothing.
    pub fn sources(&self, asked: Option<Vec<SourceId>>) -> Option<Vec<SourceId>> {
        match (&self.token.sources, asked) {
            (None, asked) => asked,
            (Some(own), None) => Some(own.clone()),
            (Some(own), Some(asked)) => Some(asked.into_iter().filter(|source| own.contains(source)).collect()),
        }
    }

    /// For what shows the whole company.
    pub fn unlimited(&self) -> Result<(), Problem> {
        if self.limited() {
            Err(Problem::Forbidden("this token is limited to sources and cannot see everything".to_owned()))
        } else {
            Ok(())
        }
    }

    /// Whether the token has a scope: admin includes write includes read.
    pub fn has(&self, scope: Scope) -> bool {
        self.token.scopes.iter().any(|given| *given >= scope)
    }
}

async fn access(parts: &Parts, gateway: &Arc<Gateway>, scope: Scope) -> Result<Access, Problem> {
    parts.extensions.get::<Caller>().ok_or(Problem::Elsewhere)?.may_show_a_token()?;
    let token =
        parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer).ok_or(Problem::Unauthorized)?;
    let Some(store) = gateway.store().await else {
        return Err(Problem::Unavailable("the database is not open yet".to_owned()));
    };
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let token = if let Some(token) = gateway.tokens.get(&hash) {
        token
    } else {
        let token = Arc::new(store.token(hash).await?.ok_or(Problem::Unauthorized)?);
        gateway.tokens.put(hash, Arc::clone(&token));
        token
    };
    let access = Access { token, store: Arc::clone(store), gateway: Arc::clone(gateway) };
    if access.has(scope) {
        Ok(access)
    } else {
        Err(Problem::Forbidden(format!("this takes the scope `{}`, which the token does not have", scope.as_str())))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident => $scope:expr),+ $(,)?) => {$(
        $(#[$doc])*
        pub struct $name(pub Access);

        impl FromRequestParts<Arc<Gateway>> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
                access(parts, gateway, $scope).await.map(Self)
            }
        }
    )+};
}

scopes! {
    /// May read.
    Read => Scope::Read,
    /// May change leads and contacts.
    Write => Scope::Write,
    /// May do everything.
    Admin => Scope::Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers_are_read() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
    }
}
