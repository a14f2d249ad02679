//! Files that came with forms: streamed to disk while they are hashed, kept once under their SHA-256, never served as
//! anything but a download.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ports::Store;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use sha2::{Digest as _, Sha256};
use tokio::sync::RwLock;

use crate::clock::Clock;

/// Where unfinished uploads lie.
const INCOMING: &str = "incoming";
/// Written to disk in pieces of this size.
const PIECE: usize = 256 << 10;
/// What nothing names after this time is swept.
const ORPHAN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How many names are looked up at once.
const LOOK_UP: usize = 256;

/// Why a file could not be kept or read. Nothing was stored.
#[derive(Debug, thiserror::Error)]
#[error("the attachment store failed: {0}")]
pub struct AttachmentError(#[from] object_store::Error);

/// The attachment store on the local disk.
#[derive(Clone, Debug)]
pub struct Attachments {
    disk: Arc<LocalFileSystem>,
    incoming: PathBuf,
    /// Held for reading while a file takes its place, for writing while orphans go: a file that arrives again in that very
    /// moment is not swept.
    places: Arc<RwLock<()>>,
}

/// A file on its way in.
pub struct Upload {
    store: Attachments,
    temporary: Path,
    writer: WriteMultipart,
    hash: Sha256,
    size: u64,
}

/// A file that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256, hex: its name.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Attachments {
    /// Opens the folder, made if it is not there, for its owner only.
    pub fn open(folder: &FsPath) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        private_folder(folder).with_context(|| format!("the folder {} for attachments cannot be made", folder.display()))?;
        let disk = LocalFileSystem::new_with_prefix(folder)
            .with_context(|| format!("the folder {} for attachments cannot be used", folder.display()))?
            .with_fsync(true);
        Ok(Self { disk: Arc::new(disk), incoming: folder.join(INCOMING), places: Arc::default() })
    }

    /// Begins a file.
    pub async fn begin(&self, clock: &Clock) -> Result<Upload, AttachmentError> {
        let temporary = Path::from_iter([INCOMING, clock.uuid().to_string().as_str()]);
        let upload = self.disk.put_multipart(&temporary).await?;
        let writer = WriteMultipart::new_with_chunk_size(upload, PIECE);
        Ok(Upload { store: self.clone(), temporary, writer, hash: Sha256::new(), size: 0 })
    }

    /// A file's size and bytes; `None` if there is none of that name.
    pub async fn read(
        &self,
        sha256: &str,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>, AttachmentError> {
        if !is_name(sha256) {
            return Ok(None);
        }
        match self.disk.get(&place(sha256)).await {
            Ok(found) => Ok(Some((found.meta.size, found.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what nothing names and is older than a day; says how many files.
    pub async fn sweep(&self, store: &dyn Store, now: Timestamp) -> anyhow::Result<u64> {
        let before = now.saturating_sub(ORPHAN_AFTER)?;
        let incoming = self.incoming.clone();
        let mut swept = tokio::task::spawn_blocking(move || sweep_unfinished(&incoming, before)).await??;
        let mut old = Vec::new();
        let mut files = self.disk.list(None);
        while let Some(file) = files.try_next().await? {
            if file.last_modified.timestamp() >= before.as_second() {
                continue;
            }
            old.push(file.location);
            if old.len() == LOOK_UP {
                swept += self.sweep_some(store, std::mem::take(&mut old), before).await?;
            }
        }
        Ok(swept + self.sweep_some(store, old, before).await?)
    }

    async fn sweep_some(&self, store: &dyn Store, old: Vec<Path>, before: Timestamp) -> anyhow::Result<u64> {
        let names: Vec<String> =
            old.iter().filter_map(|path| path.filename()).filter(|name| is_name(name)).map(str::to_owned).collect();
        let known = if names.is_empty() { Vec::new() } else { store.attachments_known(names).await? };
        let mut swept = 0;
        for path in old {
            if path.filename().is_some_and(|name| known.iter().any(|known| known == name)) {
                continue;
            }
            let _nobody_arrives = self.places.write().await;
            match self.disk.head(&path).await {
                Ok(meta) if meta.last_modified.timestamp() < before.as_second() => {
                    self.disk.delete(&path).await?;
                    swept += 1;
                }
                // It came again just now, or is gone already.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(swept)
    }
}

impl Upload {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes; waits while the disk is behind.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), AttachmentError> {
        self.writer.wait_for_capacity(1).await?;
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        self.writer.put(bytes);
        Ok(())
    }

    /// Makes it durable under its hash. A file that is there already is replaced by the same bytes, and so is young again.
    pub async fn finish(self) -> Result<Kept, AttachmentError> {
        let sha256 = data_encoding::HEXLOWER.encode(&self.hash.finalize());
        self.writer.finish().await?;
        let _not_swept = self.store.places.read().await;
        self.store.disk.rename(&self.temporary, &place(&sha256)).await?;
        Ok(Kept { sha256, size: self.size })
    }

    /// Throws it away.
    pub async fn abort(self) -> Result<(), AttachmentError> {
        Ok(self.writer.abort().await?)
    }
}

/// Uploads a crash cut off. The store does not list what it has not finished, so the folder itself is looked at.
fn sweep_unfinished(incoming: &FsPath, before: Timestamp) -> anyhow::Result<u64> {
    let entries = match std::fs::read_dir(incoming) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let written = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => Timestamp::try_from(metadata.modified()?)?,
            // A folder is none of ours.
            Ok(_) => continue,
            // Finished meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if written < before {
            std::fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Two letters of a folder keep folders small.
fn place(sha256: &str) -> Path {
    Path::from_iter([&sha256[..2], sha256])
}

/// Whether a text is a SHA-256 in lower-case hex.
pub fn is_name(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a folder that only its owner can enter.
pub fn private_folder(folder: &FsPath) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Where attachments lie within the data folder.
pub fn folder(data_dir: &FsPath) -> PathBuf {
    data_dir.join("attachments")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keep(store: &Attachments, clock: &Clock, pieces: &[&'static [u8]]) -> Kept {
        let mut upload = store.begin(clock).await.unwrap();
        for piece in pieces {
            upload.write(Bytes::from_static(piece)).await.unwrap();
        }
        upload.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_kept_once_under_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let (store, clock) = (Attachments::open(folder.path()).unwrap(), Clock::manual(Timestamp::UNIX_EPOCH, 1));
        let one = keep(&store, &clock, &[b"he", b"llo"]).await;
        let two = keep(&store, &clock, &[b"hello"]).await;
        assert_eq!(one, two);
        assert_eq!(one.sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        let (size, bytes) = store.read(&one.sha256).await.unwrap().unwrap();
        let bytes: Vec<Bytes> = bytes.try_collect().await.unwrap();
        assert_eq!((size, bytes.concat().as_slice()), (5, b"hello".as_slice()));
        assert!(store.read("../../etc/passwd").await.unwrap().is_none());
        assert!(store.read(&"0".repeat(64)).await.unwrap().is_none());
    }

    #[test]
    fn uploads_a_crash_cut_off_go_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = folder.path().join("0191#1");
        std::fs::write(&unfinished, b"half").unwrap();
        let written = Timestamp::try_from(std::fs::metadata(&unfinished).unwrap().modified().unwrap()).unwrap();
        assert_eq!(sweep_unfinished(folder.path(), written).unwrap(), 0);
        assert_eq!(sweep_unfinished(folder.path(), written + SignedDuration::from_secs(1)).unwrap(), 1);
        assert!(!unfinished.exists());
        assert_eq!(sweep_unfinished(&folder.path().join("none"), written).unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_thrown_away_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, clock) = (Attachments::open(folder.path()).unwrap(), Clock::manual(Timestamp::UNIX_EPOCH, 1));
        let mut upload = store.begin(&clock).await.unwrap();
        upload.write(Bytes::from_static(b"half")).await.unwrap();
        upload.abort().await.unwrap();
        let files: Vec<_> = store.disk.list(None).try_collect().await.unwrap();
        assert!(files.is_empty());
    }
}
