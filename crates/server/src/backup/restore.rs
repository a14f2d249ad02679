//! `leadgate restore`: puts a backup back.
//!
//! Everything is checked before anything is touched, and made ready beside its place before anything takes that place. The
//! database comes last: until it is there, the restore has not happened. What was there before is moved aside, never deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::keeping::{ErasedView, Keeping as _};
use leadgate_core::ports::{Act, Restored, Store as _};
use leadgate_store_sqlite::{Idle, OpenError, Options, SqliteStore, files_beside};
use tokio::io::AsyncReadExt as _;

use super::make::write_new;
use super::manifest::{DATABASE, Kind, Manifest};
use super::{Progress, readable, sync_folder};
use crate::attachments::Attachments;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::erasing::{self, Wanted};
use crate::secrets;

/// Read at once from a file of a backup.
const PIECE: usize = 1 << 20;

/// A backup that was put back.
#[derive(Debug)]
pub struct Put {
    /// What it holds.
    pub manifest: Manifest,
    /// The note of it in the database.
    pub restored: Restored,
    /// Attachments that were not where they belong and are now.
    pub attachments: u64,
    /// Where what was there before lies now.
    pub aside: Vec<PathBuf>,
    /// People who were erased after the backup was made, and once more just now.
    pub erased_again: u64,
    /// The database that was there cannot tell who was erased.
    pub erased_unknown: bool,
}

/// Puts a backup back to where the configuration says that the gateway keeps its data. `set_aside`: what is there is moved
/// into a folder beside it; otherwise anything there is a refusal.
pub async fn restore(config: &Config, backup: &Path, set_aside: bool, clock: &Clock, progress: Progress) -> anyhow::Result<Put> {
    let database = super::file(config)?;
    let manifest = Manifest::read(backup)?;
    manifest.verify(backup, &progress)?;
    secrets::create_data_dir(&config.data_dir)?;
    let idle = Idle::hold(database).map_err(|error| match error {
        OpenError::Locked(_) => {
            anyhow!("a gateway serves {}: stop it before its data is replaced. Nothing was touched", database.display())
        }
        other => other.into(),
    })?;
    let places = Places::of(config, database, &manifest);
    let there = places.taken()?;
    if !set_aside && !there.is_empty() {
        let list: Vec<String> = there.iter().map(|path| format!("  {}", path.display())).collect();
        bail!(
            "there is data here already:\n{}\nNothing was touched. To replace it, add --set-existing-aside: it is moved into a folder \
             before-restore-... beside it, and not deleted",
            list.join("\n")
        );
    }
    let now = clock.now();
    let known = if database.is_file() { erased_since(database).await } else { Ok(Vec::new()) };
    let staged = Staged::new(config, database, &manifest)?;
    let (restored, attachments, again) =
        staged.fill(config, backup, &manifest, clock, progress, (now, known.as_deref().unwrap_or_default())).await?;
    let aside = set_existing_aside(&there, now)?;
    staged.take_place(config, &places)?;
    drop(idle);
    Ok(Put { manifest, restored, attachments, aside, erased_again: again, erased_unknown: known.is_err() })
}

/// Who was erased, as the database that is replaced knows it.
async fn erased_since(database: &Path) -> anyhow::Result<Vec<ErasedView>> {
    let store = SqliteStore::open_read_only(database).await?;
    let erased = store.erased(None).await;
    store.close().await;
    Ok(erased?)
}

/// Where the configuration keeps what a backup holds.
struct Places {
    database: PathBuf,
    secrets: Vec<PathBuf>,
    /// The attachments, if they lie in a folder of the gateway's own.
    attachments: Option<PathBuf>,
}

impl Places {
    fn of(config: &Config, database: &Path, manifest: &Manifest) -> Self {
        let attachments = match &config.attachments {
            config::Attachments::Own(folder) => Some(folder.clone()),
            config::Attachments::Shared(_) | config::Attachments::S3(_) => None,
        };
        let data = &config.data_dir;
        let mut secrets = vec![secrets::tokens_file(data), secrets::api_token_file(data)];
        // One from before there was such a key leaves the one that is there.
        let key = secrets::erasure_key_file(data);
        if manifest.parts.iter().any(|part| part.kind() == Some(Kind::Secret) && key.ends_with(part.file_name())) {
            secrets.push(key);
        }
        Self { database: database.to_path_buf(), secrets, attachments }
    }

    /// What is there already. The log of a database belongs to it.
    fn taken(&self) -> io::Result<Vec<PathBuf>> {
        let [log, index, _lock] = files_beside(&self.database);
        let mut taken: Vec<PathBuf> =
            [&self.database, &log, &index].into_iter().chain(&self.secrets).filter(|path| path.exists()).cloned().collect();
        if let Some(folder) = &self.attachments
            && folder.is_dir()
            && fs::read_dir(folder)?.next().is_some()
        {
            taken.push(folder.clone());
        }
        Ok(taken)
    }
}

/// Moves what is there into folders beside it; says which.
fn set_existing_aside(there: &[PathBuf], now: Timestamp) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for path in there {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let folder = parent.join(format!("before-restore-{}", now.strftime("%Y%m%dT%H%M%SZ")));
        if !folders.contains(&folder) {
            crate::attachments::private_folder(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            folders.push(folder.clone());
        }
        fs::rename(path, folder.join(name)).with_context(|| format!("{} cannot be moved aside", path.display()))?;
        sync_folder(&folder)?;
        sync_folder(parent)?;
    }
    Ok(folders)
}

/// What is being made ready, each beside the place it will take.
struct Staged {
    database: tempfile::TempDir,
    data: tempfile::TempDir,
}

impl Staged {
    fn new(config: &Config, database: &Path, manifest: &Manifest) -> anyhow::Result<Self> {
        let beside = |folder: &Path| {
            let free = fs4::available_space(folder)?;
            if free < manifest.size() {
                bail!(
                    "there is not enough space in {}: the backup needs {}, and {} is free. Nothing was touched",
                    folder.display(),
                    readable(manifest.size()),
                    readable(free)
                );
            }
            super::unfinished(".restoring-", folder)
        };
        let around = database.parent().context("the database has no folder around it")?;
        Ok(Self { database: beside(around)?, data: beside(&config.data_dir)? })
    }

    fn database(&self) -> PathBuf {
        self.database.path().join(DATABASE)
    }

    fn attachments(&self) -> PathBuf {
        self.data.path().join("attachments")
    }

    /// Makes everything ready; says what the database now notes, and how many attachments were put where they belong,
    /// and how many people were erased once more.
    async fn fill(
        &self,
        config: &Config,
        backup: &Path,
        manifest: &Manifest,
        clock: &Clock,
        progress: Progress,
        (now, erased): (Timestamp, &[ErasedView]),
    ) -> anyhow::Result<(Restored, u64, u64)> {
        for part in &manifest.parts {
            let target = match part.kind() {
                Some(Kind::Database) => self.database(),
                Some(Kind::Secret) => self.data.path().join(part.file_name()),
                Some(Kind::Attachment) | None => continue,
            };
            copy(&Manifest::path(backup, part), &target).with_context(|| format!("{} cannot be copied", part.path))?;
        }
        let store = SqliteStore::open(&self.database(), Options::default()).await?;
        let outcome = async {
            let restored = store.note_restore(now, manifest.made_at, manifest.leadgate.clone()).await?;
            let place = match &config.attachments {
                config::Attachments::Own(_) => config::Attachments::Own(self.attachments()),
                elsewhere => elsewhere.clone(),
            };
            let attachments = Attachments::open(&place, &config.data_dir)?;
            attachments.claim(&store, clock).await?;
            let put = put_missing(&attachments, backup, manifest, clock, progress).await?;
            let again = self.erase_again(config, &store, &attachments, clock, erased).await?;
            anyhow::Ok((restored, put, again))
        }
        .await;
        // Its log goes into the file: that is what takes the place.
        store.close().await;
        outcome
    }

    /// Erases once more whom the backup brings back.
    async fn erase_again(
        &self,
        config: &Config,
        store: &SqliteStore,
        attachments: &Attachments,
        clock: &Clock,
        erased: &[ErasedView],
    ) -> anyhow::Result<u64> {
        let again = store.note_erased(erased.to_vec()).await?;
        if again.is_empty() {
            return Ok(0);
        }
        let staged = secrets::erasure_key_file(self.data.path());
        let key = secrets::erasure_key(if staged.exists() { self.data.path() } else { &config.data_dir })?;
        for contact in &again {
            let reason = "erased before the restore".to_owned();
            let wanted = Wanted { contact: *contact, reason, also: Vec::new(), rebuild: false };
            let act = Act { actor: "restore".to_owned(), at: clock.now(), event: clock.event(), routes: config.rules().routes };
            erasing::erase(store, attachments, clock, key.clone(), wanted, act).await??;
        }
        Ok(again.len() as u64)
    }

    /// The renames. The database is the last: with it the restore has happened.
    fn take_place(self, config: &Config, places: &Places) -> anyhow::Result<()> {
        let moved = |from: &Path, to: &Path| {
            if from.exists() {
                fs::rename(from, to).with_context(|| format!("{} cannot take its place", to.display()))?;
            }
            anyhow::Ok(())
        };
        if let Some(folder) = &places.attachments {
            // An empty folder is in the way of no data.
            if folder.is_dir() {
                fs::remove_dir(folder).with_context(|| format!("{} is not empty by now", folder.display()))?;
            }
            moved(&self.attachments(), folder)?;
        }
        for path in &places.secrets {
            if let Some(name) = path.file_name() {
                moved(&self.data.path().join(name), path)?;
            }
        }
        sync_folder(&config.data_dir)?;
        moved(&self.database(), &places.database)?;
        places.database.parent().map_or(Ok(()), sync_folder)?;
        Ok(())
    }
}

/// Puts every attachment of the backup that is not there to where it belongs; says how many.
async fn put_missing(
    attachments: &Attachments,
    backup: &Path,
    manifest: &Manifest,
    clock: &Clock,
    progress: Progress,
) -> anyhow::Result<u64> {
    let there = attachments.sizes().await?;
    let files: Vec<_> = manifest.parts.iter().filter(|part| part.kind() == Some(Kind::Attachment)).collect();
    let bar = progress.bytes("putting attachments back", files.iter().map(|part| part.size).sum());
    let mut put = 0;
    for part in files {
        if there.get(part.file_name()) != Some(&part.size) {
            let mut file = tokio::fs::File::open(Manifest::path(backup, part)).await?;
            let mut upload = attachments.begin(clock).await?;
            loop {
                let mut piece = Vec::new();
                (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
                if piece.is_empty() {
                    break;
                }
                upload.write(Bytes::from(piece)).await?;
            }
            let kept = upload.finish().await?;
            if kept.sha256 != part.sha256 {
                bail!("{} changed while it was read: is the disk of the backup failing?", part.path);
            }
            put += 1;
        }
        bar.add(part.size);
    }
    Ok(put)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // Small enough for memory but for the database.
    if to.file_name().is_some_and(|name| name == DATABASE) {
        let mut target = super::make::create_private(to)?;
        io::copy(&mut fs::File::open(from)?, &mut target)?;
        return target.sync_all();
    }
    write_new(to, &fs::read(from)?)
}
