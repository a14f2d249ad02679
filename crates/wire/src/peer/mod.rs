//! A mail server: where it is, how the conversation with it is protected, and whom it is believed to be.

mod dial;
mod keys;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

pub use keys::Usual;
pub use tls::fingerprint_text;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// STARTTLS.
    StartTls,
    /// Nothing: for this machine itself only.
    Plain,
}

/// The ports that a protocol's servers usually have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// With TLS from the first byte.
    pub tls: u16,
    /// With STARTTLS.
    pub starttls: u16,
    /// Without encryption.
    pub plain: u16,
}

impl Ports {
    /// The one that a server with this protection usually has.
    pub fn of(self, security: Security) -> u16 {
        match security {
            Security::Tls => self.tls,
            Security::StartTls => self.starttls,
            Security::Plain => self.plain,
        }
    }
}

/// A server.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// A PEM file of certificate authorities to believe beside the system's.
    pub ca: Option<PathBuf>,
    /// The SHA-256 of the server's certificate: it alone is believed.
    pub fingerprint: Option<[u8; 32]>,
    /// For each step of the conversation.
    pub timeout: Duration,
    /// The ports of its protocol, for what people are told.
    pub ports: Ports,
}

/// Why there is no connection. The words name the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No connection, a broken one, or a silent one.
    #[error("{0}")]
    Network(String),
    /// TLS failed: the certificate, the name, the version. Says the fingerprint that was seen, if any.
    #[error("{0}")]
    Tls(String),
}

/// A connection of any kind: plain, or TLS over one.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}
