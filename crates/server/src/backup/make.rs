//! `leadgate backup`: a copy of a gateway that may be running.
//!
//! The database is copied first, at one moment; then the attachments that this copy names. They never change, so the copy and
//! they fit together, whatever arrives meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use leadgate_core::ports::Store as _;
use leadgate_store_sqlite::{Original, SqliteStore, files_beside};
use uuid::Uuid;

use super::manifest::{Counts, DATABASE, FORMAT, Lost, MANIFEST, Manifest, Part, SECRETS, hash};
use super::{Progress, readable, sync_folder};
use crate::attachments::{Attachments, private_folder};
use crate::clock::Clock;
use crate::config::Config;
use crate::secrets;

/// How often the size of a growing copy is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Names of attachments read at once.
const NAMES: u32 = 1000;

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// Copies a gateway into a new folder: `to` itself, or one named by the time if `to` is a folder already. It appears whole or
/// not at all.
pub async fn make(config: &Config, to: &Path, clock: &Clock, progress: Progress) -> anyhow::Result<Made> {
    let database = super::file(config)?;
    let made_at = clock.now();
    let folder = target(to, made_at)?;
    let parent = folder.parent().context("the backup's folder has none around it")?.to_path_buf();
    let unfinished = super::unfinished(".unfinished-backup-", &parent)?;
    let copying = Copying { config, database, to: unfinished.path(), progress, parts: Vec::new(), lost: Vec::new() };
    let manifest = copying.all(made_at).await.map_err(|error| told_of_space(error, &parent))?;
    // Kept from here on: what is renamed is no longer there to be removed.
    fs::rename(unfinished.keep(), &folder).with_context(|| format!("the backup cannot be named {}", folder.display()))?;
    sync_folder(&parent).with_context(|| format!("{} cannot be written", parent.display()))?;
    Ok(Made { folder, manifest })
}

fn target(to: &Path, made_at: Timestamp) -> anyhow::Result<PathBuf> {
    let to = std::path::absolute(to).with_context(|| format!("{} is no path", to.display()))?;
    if to.is_dir() {
        return Ok(to.join(format!("leadgate-{}", made_at.strftime("%Y%m%dT%H%M%SZ"))));
    }
    if to.exists() {
        bail!("{} exists: a backup is a new folder, or goes into one", to.display());
    }
    match to.parent() {
        Some(parent) if parent.is_dir() => Ok(to),
        _ => bail!("there is no folder for {}: make it first, or name another one", to.display()),
    }
}

fn told_of_space(error: anyhow::Error, parent: &Path) -> anyhow::Error {
    let full = error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    });
    if full { error.context(format!("the disk of {} is full; nothing is left of the backup", parent.display())) } else { error }
}

struct Copying<'a> {
    config: &'a Config,
    database: &'a Path,
    to: &'a Path,
    progress: Progress,
    parts: Vec<Part>,
    lost: Vec<Lost>,
}

impl Copying<'_> {
    async fn all(mut self, made_at: Timestamp) -> anyhow::Result<Manifest> {
        self.database().await?;
        self.secrets()?;
        let copy = self.to.join(DATABASE);
        let store = SqliteStore::open_read_only(&copy).await.context("the copy of the database cannot be read")?;
        let facts = facts(&store).await;
        let names = names(&store).await;
        store.close().await;
        for beside in files_beside(&copy) {
            remove(&beside)?;
        }
        let ((installation, mut counts), names) = (facts?, names?);
        self.part(DATABASE)?;
        counts.attachments = self.attachments(&names).await?;
        let manifest = Manifest {
            format: FORMAT,
            leadgate: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            installation,
            counts,
            parts: self.parts,
            lost: self.lost,
        };
        let text = serde_json::to_vec_pretty(&manifest)?;
        write_new(&self.to.join(MANIFEST), &text).with_context(|| format!("cannot write {MANIFEST}"))?;
        sync_folder(self.to)?;
        Ok(manifest)
    }

    async fn database(&self) -> anyhow::Result<()> {
        let mut original = Original::open(self.database).await?;
        let size = original.size().await?;
        self.room_for(size, "the database")?;
        let target = self.to.join(DATABASE);
        let bar = self.progress.bytes("copying the database", size);
        let mut looks = tokio::time::interval(LOOK);
        let outcome = {
            let copying = original.copy_to(&target);
            tokio::pin!(copying);
            loop {
                tokio::select! {
                    outcome = &mut copying => break outcome,
                    _ = looks.tick() => bar.at(fs::metadata(&target).map_or(0, |found| found.len())),
                }
            }
        };
        bar.finish();
        if let Err(error) = outcome {
            let free = fs4::available_space(self.to)?;
            return Err(anyhow!(error).context(format!(
                "the database could not be copied: it needs {}, and {} is free where the backup goes",
                readable(size),
                readable(free)
            )));
        }
        Ok(original.close().await?)
    }

    /// Says so before a disk is filled for nothing.
    fn room_for(&self, needed: u64, what: &str) -> anyhow::Result<()> {
        let free = fs4::available_space(self.to)?;
        if free < needed {
            bail!(
                "there is not enough space for the backup: {what} needs {}, and {} is free where it goes. Make room, or name \
                 another disk with --to",
                readable(needed),
                readable(free)
            );
        }
        Ok(())
    }

    fn secrets(&mut self) -> anyhow::Result<()> {
        private_folder(&self.to.join(SECRETS))?;
        let data = &self.config.data_dir;
        for path in [secrets::tokens_file(data), secrets::api_token_file(data), secrets::erasure_key_file(data)] {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
            };
            let part = format!("{SECRETS}/{name}");
            write_new(&self.to.join(&part), &bytes).with_context(|| format!("cannot write {part}"))?;
            self.part(&part)?;
        }
        Ok(sync_folder(&self.to.join(SECRETS))?)
    }

    /// Notes a file that is there.
    fn part(&mut self, path: &str) -> anyhow::Result<()> {
        let (size, sha256) = hash(&self.to.join(path), |_| {})?;
        self.parts.push(Part { path: path.to_owned(), size, sha256 });
        Ok(())
    }

    /// Copies what the copied database names; says how many files there are.
    async fn attachments(&mut self, names: &[String]) -> anyhow::Result<u64> {
        if names.is_empty() {
            return Ok(0);
        }
        let store = Attachments::open(&self.config.attachments, &self.config.data_dir)?;
        let sizes = store.sizes().await.with_context(|| format!("{} cannot be listed", store.name()))?;
        let all = names.iter().filter_map(|name| sizes.get(name)).sum();
        let from = Source { store, sizes, linked: fs::metadata(&self.config.data_dir).ok() };
        if !from.can_link(self.to) {
            self.room_for(all, "what customers sent")?;
        }
        let bar = self.progress.bytes("copying attachments", all);
        let mut count = 0;
        for name in names {
            let path = Part::attachment_path(name);
            let target = self.to.join(&path);
            match self.attachment(&from, name, &target).await? {
                Ok(size) => {
                    bar.add(size);
                    count += 1;
                    self.parts.push(Part { path, size, sha256: name.clone() });
                }
                Err(why) => self.lost.extend(self.named_still(name).await?.then(|| Lost { sha256: name.clone(), why })),
            }
        }
        bar.finish();
        sync_tree(&self.to.join(super::manifest::ATTACHMENTS))?;
        Ok(count)
    }

    /// One file; `Ok(Err)`: it is not there, or not what it should be, in words.
    async fn attachment(&self, from: &Source, name: &str, target: &Path) -> anyhow::Result<Result<u64, String>> {
        if !from.sizes.contains_key(name) {
            return Ok(Err("it is not in the attachment store".to_owned()));
        }
        if let Some(folder) = target.parent() {
            private_folder(folder)?;
        }
        // Only in a folder of the gateway's own may the rights of a file be changed.
        if !from.store.is_elsewhere()
            && let Some(path) = from.store.path(name).await?
            && fs::hard_link(&path, target).is_ok()
        {
            // The same file under a second name; it never changes.
            private_file(target)?;
        } else {
            let Some((_, mut bytes)) = from.store.read(name).await? else {
                return Ok(Err("it is not in the attachment store".to_owned()));
            };
            let mut file = create_private(target)?;
            while let Some(piece) = bytes.try_next().await? {
                file.write_all(&piece)?;
            }
            file.sync_all()?;
        }
        let (size, sha256) = hash(target, |_| {})?;
        if sha256 != name {
            fs::remove_file(target)?;
            return Ok(Err("its bytes are not those that were kept: the disk or somebody changed them".to_owned()));
        }
        Ok(Ok(size))
    }

    /// Whether the database itself, as it is by now, names an attachment: what nobody names any more may be gone.
    async fn named_still(&self, name: &str) -> anyhow::Result<bool> {
        let store = SqliteStore::open_read_only(self.database).await?;
        let known = store.attachments_known(vec![name.to_owned()]).await;
        store.close().await;
        Ok(!known?.is_empty())
    }
}

/// Where attachments come from.
struct Source {
    store: Attachments,
    sizes: BTreeMap<String, u64>,
    linked: Option<fs::Metadata>,
}

impl Source {
    /// Whether files need no space of their own, because a link to them will do.
    fn can_link(&self, to: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let here = fs::metadata(to).map(|found| found.dev()).ok();
            !self.store.is_elsewhere() && here.is_some() && self.linked.as_ref().map(fs::Metadata::dev) == here
        }
        #[cfg(not(unix))]
        {
            let _ = (to, &self.linked);
            false
        }
    }
}

async fn facts(store: &SqliteStore) -> anyhow::Result<(Uuid, Counts)> {
    let totals = store.totals().await?;
    let counts = Counts { leads: totals.leads, contacts: totals.contacts, submissions: totals.submissions, attachments: 0 };
    Ok((store.installation().await?, counts))
}

async fn names(store: &SqliteStore) -> anyhow::Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = store.attachment_names(all.last().map_or("", String::as_str), NAMES).await?;
        let last = page.len() < NAMES as usize;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a new file that only this user may read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a new file that only this user may read, durably.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private_file(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes a folder and the folders in it durable.
fn sync_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folder(&entry.path())?;
        }
    }
    sync_folder(folder)
}
