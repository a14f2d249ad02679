//! A mailbox in memory, with everything a real one does to its readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::imap::{FolderInfo, FolderState, Head, ImapError, Woken};
use crate::watch::place::midnight;
use crate::watch::server::{Door, Server};

/// How a mail breaks those who fetch it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poison {
    #[default]
    None,
    /// Its fetch fails so often, then goes well.
    Times(u32),
    /// Whole it cannot be fetched, its beginning can.
    Whole,
    /// Only its header can be fetched.
    Body,
    /// Nothing of it can be fetched, not even its head.
    All,
    /// It is listed, and its fetch yields nothing.
    Empty,
}

#[derive(Clone, Debug)]
pub struct FakeMail {
    pub uid: u32,
    pub at: Timestamp,
    pub raw: Bytes,
    pub size: Option<u32>,
    pub flags: BTreeSet<String>,
    pub poison: Poison,
}

#[derive(Debug)]
pub struct FakeFolder {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub mails: Vec<FakeMail>,
}

#[derive(Debug)]
pub struct World {
    pub folders: BTreeMap<String, FakeFolder>,
    pub idle: bool,
    /// IDLE fails, so long after it was asked for.
    pub idle_breaks: Option<Duration>,
    pub keywords: bool,
    pub refuses: bool,
    pub refuses_marks: bool,
    /// Connections of an older number are dead.
    pub generation: u32,
    pub opened: u32,
    /// Every command, in words.
    pub log: Vec<String>,
    /// So many steps more, then everything stands still for ever: the machine is off.
    pub fuse: Option<u32>,
}

/// The mailbox; clones are the same.
#[derive(Clone)]
pub struct Mailbox {
    pub world: Arc<Mutex<World>>,
    pub changed: Arc<Notify>,
    pub blown: Arc<Notify>,
    begun: Instant,
}

/// When the tests begin.
pub const BEGINNING: &str = "2026-11-20T10:00:00Z";

impl Mailbox {
    pub fn new(folders: &[&str]) -> Self {
        let folder = |name: &&str| {
            let folder = FakeFolder { uid_validity: 7, uid_next: 1, mails: Vec::new() };
            ((*name).to_owned(), folder)
        };
        let world = World {
            folders: folders.iter().map(folder).collect(),
            idle: true,
            idle_breaks: None,
            keywords: true,
            refuses: false,
            refuses_marks: false,
            generation: 0,
            opened: 0,
            log: Vec::new(),
            fuse: None,
        };
        let world = Arc::new(Mutex::new(world));
        Self { world, changed: Arc::default(), blown: Arc::default(), begun: Instant::now() }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn now(&self) -> Timestamp {
        let beginning: Timestamp = BEGINNING.parse().unwrap();
        beginning + SignedDuration::try_from(self.begun.elapsed()).unwrap()
    }

    /// A mail comes; its UID.
    pub fn deliver(&self, folder: &str, raw: &str) -> u32 {
        self.put(
            folder,
            FakeMail {
                uid: 0,
                at: self.now(),
                raw: Bytes::copy_from_slice(raw.as_bytes()),
                size: None,
                flags: BTreeSet::new(),
                poison: Poison::None,
            },
        )
    }

    pub fn put(&self, folder: &str, mut mail: FakeMail) -> u32 {
        let mut world = self.world();
        let folder = world.folders.get_mut(folder).unwrap();
        mail.uid = folder.uid_next;
        folder.uid_next += 1;
        let uid = mail.uid;
        folder.mails.push(mail);
        drop(world);
        self.changed.notify_waiters();
        uid
    }

    pub fn edit(&self, folder: &str, uid: u32, edit: impl FnOnce(&mut FakeMail)) {
        let mut world = self.world();
        edit(world.folders.get_mut(folder).unwrap().mails.iter_mut().find(|mail| mail.uid == uid).unwrap());
    }

    pub fn take(&self, folder: &str, index: usize) -> Option<FakeMail> {
        let mut world = self.world();
        let mails = &mut world.folders.get_mut(folder).unwrap().mails;
        let mail = (index < mails.len()).then(|| mails.remove(index));
        drop(world);
        self.changed.notify_waiters();
        mail
    }

    /// UIDs are dealt anew from 1, under another UIDVALIDITY or the same one.
    pub fn deal_anew(&self, folder: &str, uid_validity: Option<u32>) {
        let mut world = self.world();
        let folder = world.folders.get_mut(folder).unwrap();
        folder.uid_validity = uid_validity.unwrap_or(folder.uid_validity);
        folder.uid_next = 1;
        for mail in &mut folder.mails {
            mail.uid = folder.uid_next;
            folder.uid_next += 1;
        }
        drop(world);
        self.cut();
    }

    /// Every connection breaks.
    pub fn cut(&self) {
        self.world().generation += 1;
        self.changed.notify_waiters();
    }

    pub fn flags(&self, folder: &str) -> Vec<(u32, Vec<String>)> {
        let world = self.world();
        world.folders[folder].mails.iter().map(|mail| (mail.uid, mail.flags.iter().cloned().collect())).collect()
    }

    pub fn count(&self, what: &str) -> usize {
        self.world().log.iter().filter(|line| line.starts_with(what)).count()
    }

    /// A moment in which the machine may be switched off.
    pub async fn moment(&self) {
        let off = {
            let mut world = self.world();
            match &mut world.fuse {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if off {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
    }
}

/// A connection to it.
pub struct FakeServer {
    mailbox: Mailbox,
    generation: u32,
    selected: Option<String>,
    broken: bool,
}

#[async_trait]
impl Door for Mailbox {
    type Server = FakeServer;

    async fn open(&self) -> Result<FakeServer, ImapError> {
        self.moment().await;
        let mut world = self.world();
        world.opened += 1;
        if world.refuses {
            return Err(ImapError::Refused("wrong password".to_owned()));
        }
        Ok(FakeServer { mailbox: self.clone(), generation: world.generation, selected: None, broken: false })
    }
}

impl FakeServer {
    /// Every command begins here; after an error a connection must not be used.
    async fn step(&mut self, command: String) -> Result<(), ImapError> {
        assert!(!self.broken, "{command}: a broken connection was used again");
        self.mailbox.moment().await;
        let mut world = self.mailbox.world();
        world.log.push(command);
        if world.generation != self.generation {
            self.broken = true;
            return Err(ImapError::Network("the connection was cut".to_owned()));
        }
        Ok(())
    }

    fn fail<T>(&mut self, error: ImapError) -> Result<T, ImapError> {
        self.broken = true;
        Err(error)
    }

    fn mails(&self) -> Vec<FakeMail> {
        let world = self.mailbox.world();
        world.folders[self.selected.as_ref().expect("a folder is open")].mails.clone()
    }

    fn state(&mut self, folder: &str) -> Result<FolderState, ImapError> {
        let world = self.mailbox.world();
        let keywords = world.keywords;
        let state = world.folders.get(folder).map(|folder| FolderState {
            uid_validity: folder.uid_validity,
            uid_next: folder.uid_next,
            exists: u32::try_from(folder.mails.len()).unwrap(),
            keywords,
        });
        drop(world);
        match state {
            Some(state) => Ok(state),
            None => self.fail(ImapError::NoFolder(folder.to_owned())),
        }
    }

    fn poison(&mut self, uid: u32, most: Poison) -> Result<(), ImapError> {
        let folder = self.selected.clone().unwrap();
        let mut poison = Poison::None;
        if self.mails().iter().any(|mail| mail.uid == uid) {
            self.mailbox.edit(&folder, uid, |mail| {
                poison = mail.poison;
                if let Poison::Times(times) = mail.poison {
                    mail.poison = if times <= 1 { Poison::None } else { Poison::Times(times - 1) };
                }
            });
        }
        if poison >= most && poison < Poison::Empty {
            return self.fail(ImapError::Unreadable(format!("UID {uid} is odd")));
        }
        Ok(())
    }
}

#[async_trait]
impl Server for FakeServer {
    fn offers(&self, capability: &str) -> bool {
        capability == "IDLE" && self.mailbox.world().idle
    }

    async fn folders(&mut self) -> Result<Vec<FolderInfo>, ImapError> {
        self.step("LIST".to_owned()).await?;
        let world = self.mailbox.world();
        Ok(world.folders.keys().map(|name| FolderInfo { name: name.clone(), marks: Vec::new() }).collect())
    }

    async fn select(&mut self, folder: &str, change: bool) -> Result<FolderState, ImapError> {
        self.step(format!("{} {folder}", if change { "SELECT" } else { "EXAMINE" })).await?;
        let state = self.state(folder)?;
        self.selected = Some(folder.to_owned());
        Ok(state)
    }

    async fn status(&mut self, folder: &str) -> Result<FolderState, ImapError> {
        self.step(format!("STATUS {folder}")).await?;
        self.state(folder)
    }

    async fn uids(&mut self, from: u32, since: Option<Date>) -> Result<Vec<u32>, ImapError> {
        self.step(format!("SEARCH {from}")).await?;
        let fits = |mail: &&FakeMail| mail.uid >= from && since.is_none_or(|since| mail.at >= midnight(since));
        Ok(self.mails().iter().filter(fits).map(|mail| mail.uid).collect())
    }

    async fn heads(&mut self, from: u32, to: u32) -> Result<Vec<Head>, ImapError> {
        self.step(format!("HEADS {from}:{to}")).await?;
        let mails = self.mails();
        let within = mails.iter().filter(|mail| (from..=to).contains(&mail.uid));
        for mail in within.clone() {
            if mail.poison == Poison::All {
                return self.fail(ImapError::Unreadable("a head is odd".to_owned()));
            }
        }
        let size = |mail: &FakeMail| mail.size.unwrap_or(u32::try_from(mail.raw.len()).unwrap());
        Ok(within.map(|mail| Head { uid: mail.uid, size: size(mail), at: Some(mail.at) }).collect())
    }

    async fn fetch(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        self.step(format!("FETCH {uids:?}")).await?;
        for uid in uids {
            self.poison(*uid, Poison::Times(0))?;
        }
        let there = |mail: &&FakeMail| uids.contains(&mail.uid) && mail.poison != Poison::Empty;
        Ok(self.mails().iter().filter(there).map(|mail| (mail.uid, mail.raw.clone())).collect())
    }

    async fn fetch_start(&mut self, uid: u32, bytes: u32) -> Result<Option<Bytes>, ImapError> {
        self.step(format!("FETCH-START {uid} {bytes}")).await?;
        self.poison(uid, Poison::Body)?;
        let mails = self.mails();
        let mail = mails.iter().find(|mail| mail.uid == uid && mail.poison != Poison::Empty);
        Ok(mail.map(|mail| mail.raw.slice(..mail.raw.len().min(bytes as usize))))
    }

    async fn fetch_headers(&mut self, uids: &[u32]) -> Result<Vec<(u32, Bytes)>, ImapError> {
        self.step(format!("FETCH-HEADERS {uids:?}")).await?;
        for uid in uids {
            self.poison(*uid, Poison::All)?;
        }
        let header = |mail: &FakeMail| {
            let text = String::from_utf8(mail.raw.to_vec()).unwrap();
            Bytes::from(format!("{}\n\n", text.split("\n\n").next().unwrap()))
        };
        let there = |mail: &&FakeMail| uids.contains(&mail.uid) && mail.poison != Poison::Empty;
        Ok(self.mails().iter().filter(there).map(|mail| (mail.uid, header(mail))).collect())
    }

    async fn idle(&mut self, most: Duration) -> Result<Woken, ImapError> {
        self.step(format!("IDLE {}", most.as_secs())).await?;
        let breaks = self.mailbox.world().idle_breaks;
        if let Some(after) = breaks {
            tokio::time::sleep(after).await;
            return self.fail(ImapError::Network("no answer to IDLE".to_owned()));
        }
        let mailbox = self.mailbox.clone();
        let woken = tokio::time::timeout(most, mailbox.changed.notified()).await;
        if self.mailbox.world().generation != self.generation {
            return self.fail(ImapError::Network("the connection was cut".to_owned()));
        }
        Ok(if woken.is_ok() { Woken::Changed } else { Woken::Time })
    }

    async fn flag(&mut self, uids: &[u32], flag: &str) -> Result<(), ImapError> {
        self.step(format!("STORE {uids:?} {flag}")).await?;
        if self.mailbox.world().refuses_marks {
            return self.fail(ImapError::Server("NO read-only mailbox".to_owned()));
        }
        let folder = self.selected.clone().unwrap();
        for uid in uids {
            if self.mails().iter().any(|mail| mail.uid == *uid) {
                self.mailbox.edit(&folder, *uid, |mail| {
                    mail.flags.insert(flag.to_owned());
                });
            }
        }
        Ok(())
    }

    async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError> {
        self.step(format!("MOVE {uids:?} {folder}")).await?;
        let from = self.selected.clone().unwrap();
        {
            let mut world = self.mailbox.world();
            let new = FakeFolder { uid_validity: 9, uid_next: 1, mails: Vec::new() };
            world.folders.entry(folder.to_owned()).or_insert(new);
        }
        for uid in uids {
            let index = self.mails().iter().position(|mail| mail.uid == *uid);
            if let Some(mail) = index.and_then(|index| self.mailbox.take(&from, index)) {
                self.mailbox.put(folder, mail);
            }
        }
        Ok(())
    }

    async fn close(self) {}
}
