//! Files that came with forms: hashed on their way in, kept under their SHA-256, never served as anything but a download.
//!
//! They lie in a folder, or in a place that several gateways share: a folder on a network disk, or a bucket. What is kept
//! has a name of its own below its hash, `kept/<2 letters>/<sha256>/<uuid>`, and never changes. So nothing a sweep deletes
//! can be what another gateway takes in at that moment: a file that comes again gets a new name, and only names that are a
//! day old are ever swept. A file that came within hours is not put there again.

mod bucket;
mod forget;
mod marker;
mod sweep;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::BTreeMap;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

pub use self::sweep::Old;
pub use self::upload::{Kept, Upload};
use crate::clock::Clock;
use crate::config;

/// Where kept files lie.
const KEPT: &str = "kept";
/// Where unfinished uploads lie.
const INCOMING: &str = "incoming";
/// What came within this time is not put there once more. Far below [`sweep::ORPHAN_AFTER`]: it stays until a delivery that
/// names it is committed.
const YOUNG: SignedDuration = SignedDuration::from_hours(8);
/// Files on their way to a bucket at once; each takes some megabytes of memory meanwhile.
const PUTS: usize = 16;

/// Why a file could not be kept or read. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// The store itself.
    #[error("the attachment store failed: {0}")]
    Store(#[from] object_store::Error),
    /// The disk of this machine, where files wait for their way into a bucket.
    #[error("a file could not be kept on its way to the attachment store: {0}")]
    Disk(#[from] std::io::Error),
}

/// The attachment store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Attachments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Arc<dyn ObjectStore>,
    kind: Kind,
    /// As people know it.
    name: String,
    /// What the store's own clock said, and when that was.
    time: Mutex<Option<(Timestamp, Instant)>>,
    /// Shared by whoever takes files in; alone holds it who deletes what may come again.
    taking_in: Arc<tokio::sync::RwLock<()>>,
}

#[derive(Debug)]
enum Kind {
    /// Files are written below `incoming` and renamed.
    Folder { root: PathBuf, shared: bool },
    /// Files are gathered on this machine's disk and put whole: a bucket knows no renaming.
    Bucket { spool: PathBuf, puts: Semaphore },
}

/// A kept file as the store lists it.
struct Object {
    /// `None`: an upload nobody finished.
    sha256: Option<String>,
    meta: ObjectMeta,
}

impl Attachments {
    /// Opens the store; looks at folders, and asks nobody over a network. A folder of the gateway's own is made if it is not
    /// there, for its owner only; a shared one must be there.
    pub fn open(place: &config::Attachments, data_dir: &FsPath) -> anyhow::Result<Self> {
        match place {
            config::Attachments::Own(folder) => {
                private_folder(folder)
                    .with_context(|| format!("the folder {} for attachments cannot be made", folder.display()))?;
                Self::folder(folder, false)
            }
            config::Attachments::Shared(folder) => {
                if !folder.is_dir() {
                    anyhow::bail!(
                        "the shared folder {} for attachments is not there: if it lies on a network disk, mount that; if it is \
                         new, make it (mkdir -m 700), readable and writable for the user of every gateway",
                        folder.display()
                    );
                }
                Self::folder(folder, true)
            }
            config::Attachments::S3(s3) => {
                let spool = data_dir.join(INCOMING);
                private_folder(&spool).with_context(|| format!("the folder {} cannot be made", spool.display()))?;
                let name = bucket::name(s3);
                let objects = bucket::open(s3).with_context(|| format!("{name} for attachments cannot be used"))?;
                Ok(Self::new(objects, Kind::Bucket { spool, puts: Semaphore::new(PUTS) }, name))
            }
        }
    }

    fn folder(folder: &FsPath, shared: bool) -> anyhow::Result<Self> {
        let name = format!("the folder {}", folder.display());
        let disk = LocalFileSystem::new_with_prefix(folder).with_context(|| format!("{name} for attachments cannot be used"))?;
        Ok(Self::new(Arc::new(disk.with_fsync(true)), Kind::Folder { root: folder.to_path_buf(), shared }, name))
    }

    fn new(objects: Arc<dyn ObjectStore>, kind: Kind, name: String) -> Self {
        Self(Arc::new(Inner { objects, kind, name, time: Mutex::default(), taking_in: Arc::default() }))
    }

    /// As people know it: `the folder /srv/data/attachments`, `the bucket leads at https://s3.company.ru`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether they lie outside the data folder.
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self.0.kind, Kind::Folder { shared: false, .. })
    }

    /// A file's size and bytes; `None` if there is none of that name.
    pub async fn read(
        &self,
        sha256: &str,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>, AttachmentError> {
        if !is_name(sha256) {
            return Ok(None);
        }
        // A sweep may take one of several equal files away between the look and the reading.
        for _ in 0..2 {
            let Some(object) = self.find(sha256).await? else { return Ok(None) };
            match self.0.objects.get(&object.location).await {
                Ok(found) => return Ok(Some((found.meta.size, found.into_stream()))),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// A file's size; `None` if there is none of that name.
    pub async fn size(&self, sha256: &str) -> Result<Option<u64>, AttachmentError> {
        Ok(self.find(sha256).await?.map(|object| object.size))
    }

    /// Every file there is by its name, with its size.
    pub async fn sizes(&self) -> Result<BTreeMap<String, u64>, AttachmentError> {
        let (mut sizes, mut files) = (BTreeMap::new(), self.list());
        while let Some(file) = files.try_next().await? {
            sizes.extend(file.sha256.map(|sha256| (sha256, file.meta.size)));
        }
        Ok(sizes)
    }

    /// Where a file lies on a disk of this machine; `None`: it is not there, or lies elsewhere.
    pub async fn path(&self, sha256: &str) -> Result<Option<PathBuf>, AttachmentError> {
        let Kind::Folder { root, .. } = &self.0.kind else { return Ok(None) };
        Ok(self.find(sha256).await?.map(|object| root.join(object.location.as_ref())))
    }

    /// One of the equal files of a hash, the youngest.
    async fn find(&self, sha256: &str) -> Result<Option<ObjectMeta>, AttachmentError> {
        let all: Vec<ObjectMeta> = self.0.objects.list(Some(&place(sha256))).try_collect().await?;
        if let Some(found) = all.into_iter().max_by_key(|object| object.last_modified) {
            return Ok(Some(found));
        }
        if matches!(self.0.kind, Kind::Bucket { .. }) {
            // There were no buckets in that time.
            return Ok(None);
        }
        match self.0.objects.head(&former_place(sha256)).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a file is there for certain, and came so lately that no sweep takes it before those who name it now are
    /// committed.
    async fn came_lately(&self, sha256: &str) -> Result<bool, AttachmentError> {
        let Some(now) = self.time_now() else { return Ok(false) };
        let Some(found) = self.find(sha256).await? else { return Ok(false) };
        if modified(&found).is_none_or(|at| now.duration_since(at) >= YOUNG) {
            return Ok(false);
        }
        if let Kind::Folder { root, .. } = &self.0.kind {
            // Who put it there may not have come to this yet.
            let (root, path) = (root.clone(), root.join(found.location.as_ref()));
            let synced = tokio::task::spawn_blocking(move || sync_folders(&root, &path));
            synced.await.map_err(std::io::Error::other)??;
        }
        Ok(true)
    }

    /// What the store's clock says, as last asked.
    fn time_now(&self) -> Option<Timestamp> {
        let (at, asked) = (*self.0.time.lock().unwrap_or_else(PoisonError::into_inner))?;
        at.checked_add(SignedDuration::try_from(asked.elapsed()).ok()?).ok()
    }

    /// Asks the store's own clock: ages are told by it, whatever the clocks of the gateways say.
    async fn ask_time(&self, clock: &Clock) -> Result<Timestamp, AttachmentError> {
        let probe = unfinished(clock.uuid());
        self.0.objects.put(&probe, PutPayload::default()).await?;
        let found = self.0.objects.head(&probe).await?;
        self.0.objects.delete(&probe).await?;
        let now = modified(&found).ok_or_else(|| object_store::Error::Generic {
            store: "attachments",
            source: "the store's clock tells no time".into(),
        })?;
        *self.0.time.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        Ok(now)
    }

    /// Everything there is of ours.
    fn list(&self) -> BoxStream<'static, object_store::Result<Object>> {
        let ours = |meta: ObjectMeta| {
            let object = sort(meta);
            async move { Ok(object) }
        };
        Box::pin(self.0.objects.list(None).try_filter_map(ours))
    }
}

/// Makes the entries durable that lead from a folder to a file in it. (Its bytes are, since before it had its name.)
fn sync_folders(root: &FsPath, path: &FsPath) -> std::io::Result<()> {
    for folder in path.ancestors().skip(1) {
        std::fs::File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// What a name in the store means; `None`: nothing of ours, or the marker.
fn sort(meta: ObjectMeta) -> Option<Object> {
    let parts: Vec<String> = meta.location.parts().map(|part| part.as_ref().to_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let sha256 = match parts.as_slice() {
        [KEPT, _, sha256, _] if is_name(sha256) => Some((*sha256).to_owned()),
        [folder, sha256] if is_name(sha256) && sha256.starts_with(folder) => Some((*sha256).to_owned()),
        [INCOMING, _] => None,
        _ => return None,
    };
    Some(Object { sha256, meta })
}

fn modified(meta: &ObjectMeta) -> Option<Timestamp> {
    Timestamp::from_second(meta.last_modified.timestamp()).ok()
}

/// Two letters of a folder keep folders small.
fn place(sha256: &str) -> Path {
    Path::from_iter([KEPT, sha256.get(..2).unwrap_or_default(), sha256])
}

/// Where a file of a hash lay before each had a name of its own.
fn former_place(sha256: &str) -> Path {
    Path::from_iter([sha256.get(..2).unwrap_or_default(), sha256])
}

fn unfinished(id: Uuid) -> Path {
    Path::from_iter([INCOMING, id.to_string().as_str()])
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
