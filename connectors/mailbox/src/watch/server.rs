//! What the watcher asks of a connection: a seam between its rules and the network.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;

use crate::imap::{FolderInfo, FolderState, Head, ImapError, Session, Woken};
use crate::settings::Connection;

/// A mailbox one can connect to.
#[async_trait]
pub(super) trait Door: Send + Sync {
    /// A connection to it.
    type Server: Server;

    /// Connects and proves the account.
    async fn open(&self) -> Result<Self::Server, ImapError>;
}

/// A connection that is logged in; each method as in [`Session`].
#[async_trait]
pub(super) trait Server: Send + Sync + Sized {
    fn offers(&self, capability: &str) -> bool;
    async fn folders(&mut self) -> Result<Vec<FolderInfo>, ImapError>;
    async fn select(&mut self, folder: &str, change: bool) -> Result<FolderState, ImapError>;
    async fn status(&mut self, folder: &str) -> Result<FolderState, ImapError>;
    async fn uids(&mut self, from: u32, since: Option<Date>) -> Result<Vec<u32>, ImapError>;
    async fn heads(&mut self, from: u32, to: u32) -> Result<Vec<Head>, ImapError>;
    async fn fetch(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError>;
    async fn fetch_start(&mut self, uid: u32, bytes: u32) -> Result<Option<Bytes>, ImapError>;
    async fn fetch_headers(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError>;
    async fn idle(&mut self, most: Duration) -> Result<Woken, ImapError>;
    async fn flag(&mut self, uids: &[u32], flag: &str) -> Result<(), ImapError>;
    async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError>;
    async fn close(self);
    fn certificate(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Door for Connection {
    type Server = Session;

    async fn open(&self) -> Result<Session, ImapError> {
        Session::open(self).await
    }
}

#[async_trait]
impl Server for Session {
    fn offers(&self, capability: &str) -> bool {
        Session::offers(self, capability)
    }

    fn certificate(&self) -> Option<String> {
        Session::certificate(self)
    }

    async fn folders(&mut self) -> Result<Vec<FolderInfo>, ImapError> {
        Session::folders(self).await
    }

    async fn select(&mut self, folder: &str, change: bool) -> Result<FolderState, ImapError> {
        Session::select(self, folder, change).await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderState, ImapError> {
        Session::status(self, folder).await
    }

    async fn uids(&mut self, from: u32, since: Option<Date>) -> Result<Vec<u32>, ImapError> {
        Session::uids(self, from, since).await
    }

    async fn heads(&mut self, from: u32, to: u32) -> Result<Vec<Head>, ImapError> {
        Session::heads(self, from, to).await
    }

    async fn fetch(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        Session::fetch(self, uids).await
    }

    async fn fetch_start(&mut self, uid: u32, bytes: u32) -> Result<Option<Bytes>, ImapError> {
        Session::fetch_start(self, uid, bytes).await
    }

    async fn fetch_headers(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        Session::fetch_headers(self, uids).await
    }

    async fn idle(&mut self, most: Duration) -> Result<Woken, ImapError> {
        Session::idle(self, most).await
    }

    async fn flag(&mut self, uids: &[u32], flag: &str) -> Result<(), ImapError> {
        Session::flag(self, uids, flag).await
    }

    async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError> {
        Session::move_to(self, uids, folder).await
    }

    async fn close(self) {
        Session::close(self).await;
    }
}
