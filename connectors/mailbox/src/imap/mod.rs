//! A connection to an IMAP server (RFC 3501, RFC 2177). Every answer is checked: what looks like "nothing there" because a line
//! broke or a command was refused is an error here. [`Session`] says which errors leave it usable.

mod changes;
mod folders;
mod idle;
mod login;
mod mails;
mod oauth;
mod said;
mod session;
mod wire;

use jiff::Timestamp;
use leadgate_wire::peer::PeerError;

pub(crate) use oauth::Tokens;
pub use session::Session;

/// Why a step failed. In each, words for people, without the password, a token or a mail's content.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ImapError {
    /// No connection, a broken one, or a silent one.
    #[error("{0}")]
    Network(String),
    /// TLS failed: the certificate, the name, the version. Says the fingerprint that was seen, if any.
    #[error("{0}")]
    Tls(String),
    /// The account was refused.
    #[error("{0}")]
    Refused(String),
    /// There is no such folder.
    #[error("there is no folder {0:?}")]
    NoFolder(String),
    /// The server answered NO or BAD.
    #[error("{0}")]
    Server(String),
    /// The server's answer cannot be read: the connection is of no use any more.
    #[error("{0}")]
    Unreadable(String),
}

impl From<PeerError> for ImapError {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Network(words) => Self::Network(words),
            PeerError::Tls(words) => Self::Tls(words),
        }
    }
}

/// A folder, as LIST tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderInfo {
    /// The name people see.
    pub name: String,
    /// `\Sent`, `\Junk`, `\Noselect` ... (RFC 6154).
    pub marks: Vec<String>,
}

/// A folder, as SELECT or STATUS tells. Both numbers are always there, or the call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// Changes when UIDs are dealt anew.
    pub uid_validity: u32,
    /// The UID the next mail gets, or a lower bound of it.
    pub uid_next: u32,
    /// How many mails there are.
    pub exists: u32,
    /// Whether new keywords may be made (`PERMANENTFLAGS \*`); only SELECT knows.
    pub keywords: bool,
}

/// What is known of a mail before it is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its UID.
    pub uid: u32,
    /// Bytes.
    pub size: u32,
    /// When the server got it.
    pub at: Option<Timestamp>,
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something changed in the folder.
    Changed,
    /// The time is over.
    Time,
}
