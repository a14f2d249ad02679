//! A connection to an IMAP server (RFC 3501, RFC 2177). Every answer is checked: what the protocol's library takes for "nothing
//! there" when a line breaks is an error here. After any error the connection is dropped, never used again.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::settings::Connection;

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

/// A connection that is logged in.
pub struct Session {}

impl Session {
    /// Connects, proves the account, asks what the server can do.
    pub async fn open(connection: &Connection) -> Result<Self, ImapError> {
        let _ = connection;
        todo!()
    }

    /// Whether the server offers IDLE, MOVE ... (upper case); an IDLE that was refused is no more offered.
    pub fn offers(&self, capability: &str) -> bool {
        let _ = capability;
        todo!()
    }

    /// All folders.
    pub async fn folders(&mut self) -> Result<Vec<FolderInfo>, ImapError> {
        todo!()
    }

    /// Opens a folder: for reading only (EXAMINE) unless it is to be changed.
    pub async fn select(&mut self, folder: &str, change: bool) -> Result<FolderState, ImapError> {
        let _ = (folder, change);
        todo!()
    }

    /// Looks at a folder that is not open.
    pub async fn status(&mut self, folder: &str) -> Result<FolderState, ImapError> {
        let _ = folder;
        todo!()
    }

    /// UIDs of the open folder from `from` on, in order; with `since`, those the server got on that day or later.
    pub async fn uids(&mut self, from: u32, since: Option<Date>) -> Result<Vec<u32>, ImapError> {
        let _ = (from, since);
        todo!()
    }

    /// Heads of the mails `from..=to`; what is gone is missing.
    pub async fn heads(&mut self, from: u32, to: u32) -> Result<Vec<Head>, ImapError> {
        let _ = (from, to);
        todo!()
    }

    /// Whole mails (BODY.PEEK[]) by UID, in one round trip; what is gone is missing. Nothing of the mailbox is changed.
    pub async fn fetch(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        let _ = uids;
        todo!()
    }

    /// The first bytes of a mail.
    pub async fn fetch_start(&mut self, uid: u32, bytes: u32) -> Result<Option<Bytes>, ImapError> {
        let _ = (uid, bytes);
        todo!()
    }

    /// The header fields of mails (BODY.PEEK[HEADER]).
    pub async fn fetch_headers(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        let _ = uids;
        todo!()
    }

    /// Waits until something changes in the open folder, at most so long (RFC 2177).
    pub async fn idle(&mut self, most: Duration) -> Result<Woken, ImapError> {
        let _ = most;
        todo!()
    }

    /// Sets a flag or keyword (UID STORE +FLAGS.SILENT).
    pub async fn flag(&mut self, uids: &[u32], flag: &str) -> Result<(), ImapError> {
        let _ = (uids, flag);
        todo!()
    }

    /// Moves mails (RFC 6851; else COPY, `\Deleted` and UID EXPUNGE, which needs UIDPLUS), making the folder if it is missing. What
    /// is gone already is no error.
    pub async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError> {
        let _ = (uids, folder);
        todo!()
    }

    /// Says goodbye; what fails then does not matter.
    pub async fn close(self) {
        todo!()
    }
}
