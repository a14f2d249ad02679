//! Where a mailbox is and how one gets in.

use std::time::Duration;

use leadgate_core::ports::{BuildContext, BuildProblem, Secrets};
use leadgate_core::secret::Secret;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 993).
    #[default]
    Tls,
    /// STARTTLS (port 143).
    StartTls,
    /// Nothing: for this machine itself only.
    Plain,
}

/// How the account proves itself.
#[derive(Clone, Debug)]
pub enum Login {
    /// `password`.
    Password(Secret),
    /// `oauth`: XOAUTH2 with an access token that is refreshed.
    OAuth(OAuth),
}

/// How access tokens are had.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; public clients have none.
    pub client_secret: Option<Secret>,
    /// The refresh token; without one, the client's own credentials are used.
    pub refresh_token: Option<Secret>,
    /// The scope asked for.
    pub scope: Option<String>,
}

/// Where a mailbox is and how one gets in.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// A PEM file of certificate authorities to believe beside the system's.
    pub ca: Option<std::path::PathBuf>,
    /// The SHA-256 of the server's certificate: it alone is believed.
    pub fingerprint: Option<[u8; 32]>,
    /// The account.
    pub user: String,
    /// Its proof.
    pub login: Login,
    /// For each step of the conversation.
    pub timeout: Duration,
}

impl Connection {
    /// Takes its keys from a section.
    pub fn take(
        config: &mut toml::Table,
        secrets: &dyn Secrets,
        context: &BuildContext,
        problems: &mut Vec<BuildProblem>,
    ) -> Self {
        let _ = (config, secrets, context, problems);
        todo!()
    }
}
