//! Backups: a copy of a running gateway, and putting one back.
//!
//! A backup is a folder: `leadgate.db`, `secrets/`, `attachments/` and `manifest.json`, which names every file with its size
//! and hash. It holds everything the gateway keeps in its data folder, and nothing of its configuration.

mod make;
mod manifest;
mod restore;

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

pub use self::make::{Made, make};
pub use self::manifest::{Counts, Lost, Manifest, Part};
pub use self::restore::{Put, restore};
use crate::config::{Attachments, Config, Database};

/// How far a long command is, told on a terminal and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Shown if a person looks.
    pub fn for_people() -> Self {
        Self { shown: std::io::stderr().is_terminal() }
    }

    /// Never shown.
    pub fn hidden() -> Self {
        Self { shown: false }
    }

    /// A bar for work measured in bytes.
    pub fn bytes(self, what: &str, all: u64) -> Bar {
        self.bar(what, all, "{msg:24} {wide_bar} {bytes}/{total_bytes} {eta}")
    }

    /// A bar for work measured in things.
    pub fn things(self, what: &str, all: u64) -> Bar {
        self.bar(what, all, "{msg:24} {wide_bar} {human_pos}/{human_len} {eta}")
    }

    fn bar(self, what: &str, all: u64, template: &str) -> Bar {
        if !self.shown {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(all).with_message(what.to_owned());
        Bar(match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }
}

/// One piece of work. Cleared away when it ends, however it ends.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// So much more is done.
    pub fn add(&self, more: u64) {
        self.0.inc(more);
    }

    /// So much is done in all.
    pub fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// All is done.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Bytes as people read them.
pub fn readable(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Makes a folder's entries durable.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// The file of the database. PostgreSQL has backups of its own.
fn file(config: &Config) -> anyhow::Result<&Path> {
    match &config.database {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(_) => anyhow::bail!(
            "the database is PostgreSQL ({}): back it up and put it back with its own tools (pg_dump, pg_restore, or archiving of \
             its log). Of the attachments {}",
            config.database,
            match &config.attachments {
                Attachments::S3(_) => "keep versions in the bucket",
                Attachments::Own(_) | Attachments::Shared(_) =>
                    "copy the folder after the database: what lies there never changes",
            }
        ),
    }
}

/// Makes a folder for work under way, for its owner only; it goes away unless it is kept.
fn unfinished(prefix: &str, within: &Path) -> anyhow::Result<tempfile::TempDir> {
    use anyhow::Context as _;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(within).with_context(|| format!("nothing can be written to {}", within.display()))
}
