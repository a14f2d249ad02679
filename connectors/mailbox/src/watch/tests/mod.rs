//! The watcher over a mailbox in memory, on a clock of its own.

mod arriving;
mod chaos;
mod fake;
mod feed;
mod kept;
mod older;
mod trial;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use leadgate_core::ports::{PullError, PullState};
use leadgate_core::submission::{ActivityKind, Draft, Purpose};
use leadgate_wire::peer::{Peer, Ports, Security};

use self::fake::Mailbox;
use self::feed::{Database, MemoryFeed};
use super::Watcher;
use crate::mime::{Attachment, Mail};
use crate::reading::{Reading, Where};
use crate::settings::{Connection, Login, Policy, Settings, Watching};

/// A mail of few words. Without an id it has none.
pub fn mail(title: &str, id: Option<&str>) -> String {
    let id = id.map_or_else(String::new, |id| format!("Message-ID: <{id}>\n"));
    format!("From: a@b.example\n{id}Date: Fri, 20 Nov 2026 10:00:00 +0000\nSubject: {title}\n\nThe text of {title}\n")
}

/// Reads the mails of these tests, and panics at some.
fn read(raw: &[u8], _kept: bool, at: Where<'_>, _policy: &Policy) -> (Mail, Reading) {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    assert!(!text.contains("PANIC"), "a reader fails");
    let (header, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let field = |name: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(": ").trim_matches(['<', '>']).to_owned())
    };
    let attachments = field("File").map(|name| {
        let start = text.len() - body.len();
        Attachment {
            name,
            content_type: "application/pdf".to_owned(),
            bytes: bytes::Bytes::copy_from_slice(body.as_bytes()),
            inline: false,
            file: None,
            stays: false,
            place: start..text.len(),
        }
    });
    let mail = Mail {
        message_id: field("Message-ID"),
        date: field("Date").map(|_| fake::BEGINNING.parse().unwrap()),
        text: body.to_owned(),
        attachments: attachments.into_iter().collect(),
        ..Mail::default()
    };
    let draft = Draft {
        activity: ActivityKind::Email,
        title: field("Subject"),
        outgoing: at.sent,
        message: Some(format!("{} {:?}", at.folder, at.truncated)),
        ..Draft::default()
    };
    (mail, Reading { draft, purpose: Purpose::Lead, signals: Vec::new() })
}

/// Settings of a mailbox of these tests.
fn settings(watching: Watching) -> Settings {
    let connection = Connection {
        server: Peer {
            host: "imap.example.com".to_owned(),
            port: 993,
            security: Security::Tls,
            ca: None,
            fingerprint: None,
            timeout: Duration::from_mins(1),
            ports: Ports { tls: 993, starttls: 143, plain: 143 },
        },
        user: "info@example.com".to_owned(),
        login: Login::Password(leadgate_core::secret::Secret::new("secret")),
    };
    Settings { connection, watching, policy: Policy::default() }
}

/// A gateway that reads a mailbox, and everything around it.
#[derive(Clone)]
struct Stage {
    mailbox: Mailbox,
    database: Database,
    settings: Arc<Settings>,
}

impl Stage {
    fn new(folders: &[&str], watching: Watching) -> Self {
        Self { mailbox: Mailbox::new(folders), database: Database::default(), settings: Arc::new(settings(watching)) }
    }

    fn inbox() -> Self {
        Self::new(&["INBOX"], Watching::default())
    }

    fn feed(&self) -> MemoryFeed {
        let fence = self.database.ledger().fence;
        MemoryFeed { database: self.database.clone(), mailbox: self.mailbox.clone(), fence }
    }

    /// Reads once, until it stops.
    async fn once(&self, watcher: &Watcher, feed: &MemoryFeed) -> PullError {
        watcher.watch(&self.mailbox, feed, read).await.unwrap_err()
    }

    /// Reads for ever, as the supervisor does, begun anew when the machine was off.
    async fn read(&self) {
        loop {
            let work = async {
                let watcher = Watcher::new("info".parse().unwrap(), Settings::clone(&self.settings));
                let mut feed = self.feed();
                loop {
                    let error = self.once(&watcher, &feed).await;
                    assert!(!matches!(error, PullError::Fatal(_)), "{error}");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    // Whoever lost the lease is told so, and another reads.
                    feed = self.feed();
                }
            };
            tokio::select! {
                () = work => {}
                () = self.mailbox.blown.notified() => self.mailbox.world().fuse = None,
            }
        }
    }

    /// Does something while the mailbox is read.
    async fn while_reading<T>(&self, something: impl Future<Output = T>) -> T {
        tokio::select! {
            () = self.read() => unreachable!(),
            done = something => done,
        }
    }

    /// Everything that is there is read.
    fn is_quiet(&self) -> bool {
        if self.database.last_report().state != PullState::Watching {
            return false;
        }
        let ledger = self.database.ledger();
        let Some(cursor) = &ledger.cursor else { return false };
        let place = super::place::Place::read(Some(cursor.clone())).unwrap();
        let world = self.mailbox.world();
        let names = self.settings.watching.folders.iter().chain(&self.settings.watching.sent);
        ledger.ask.is_none()
            && names.clone().all(|name| {
                let Some(folder) = world.folders.get(name) else { return true };
                let read = place.folders.get(name);
                let last = folder.mails.last().map_or(0, |mail| mail.uid);
                read.is_some_and(|read| {
                    read.uid_validity == folder.uid_validity && read.last >= last && read.past.is_empty() && read.todo.is_empty()
                })
            })
    }

    /// Waits until everything that is there is read; says how long that took.
    async fn quiet(&self) -> Duration {
        let begun = tokio::time::Instant::now();
        while !self.is_quiet() {
            let last = self.database.last_report();
            assert!(begun.elapsed() < Duration::from_hours(1), "{last:?} {:?}", self.database.ledger().cursor);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    }
}
