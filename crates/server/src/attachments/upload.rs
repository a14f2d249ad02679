//! A file on its way in.

use std::io::SeekFrom;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload, WriteMultipart};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::{AttachmentError, Attachments, Kind, place, unfinished};
use crate::clock::Clock;

/// Written to disk in pieces of this size.
const PIECE: usize = 256 << 10;
/// Put into a bucket in pieces of this size; what is not larger goes in one.
const PART: usize = 8 << 20;
/// Pieces of one file on their way to a bucket at once.
const PARTS_AT_ONCE: usize = 2;

/// A file on its way in. Dropped before [`Upload::finish`], it leaves nothing that is ever seen.
pub struct Upload {
    store: Attachments,
    id: Uuid,
    way: Way,
    hash: Sha256,
    size: u64,
}

enum Way {
    /// Into the folder itself, under a name of its own.
    Folder(WriteMultipart),
    /// Into a file without a name on this machine's disk, which ends with the process.
    Spool(File),
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
    /// Begins a file.
    pub async fn begin(&self, clock: &Clock) -> Result<Upload, AttachmentError> {
        let id = clock.uuid();
        let way = match &self.0.kind {
            Kind::Folder { .. } => {
                let upload = self.0.objects.put_multipart(&unfinished(id)).await?;
                Way::Folder(WriteMultipart::new_with_chunk_size(upload, PIECE))
            }
            Kind::Bucket { spool, .. } => {
                let spool = spool.clone();
                let file =
                    tokio::task::spawn_blocking(move || tempfile::tempfile_in(spool)).await.map_err(std::io::Error::other)??;
                Way::Spool(File::from_std(file))
            }
        };
        Ok(Upload { store: self.clone(), id, way, hash: Sha256::new(), size: 0 })
    }
}

impl Upload {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes; waits while the disk is behind.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), AttachmentError> {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        match &mut self.way {
            Way::Folder(writer) => {
                writer.wait_for_capacity(1).await?;
                writer.put(bytes);
            }
            Way::Spool(file) => file.write_all(&bytes).await?,
        }
        Ok(())
    }

    /// Makes it durable under its hash: when this returns, it is on the disk or the bucket's service has said that it is.
    /// Nothing half-written is ever seen under a hash.
    pub async fn finish(self) -> Result<Kept, AttachmentError> {
        let Self { store, id, way, hash, size } = self;
        let sha256 = data_encoding::HEXLOWER.encode(&hash.finalize());
        let known = store.came_lately(&sha256).await?;
        let target = place(&sha256).join(id.to_string());
        match way {
            Way::Folder(writer) if known => writer.abort().await?,
            Way::Folder(writer) => {
                writer.finish().await?;
                store.0.objects.rename(&unfinished(id), &target).await?;
            }
            Way::Spool(_) if known => {}
            Way::Spool(file) => put(&store, file, size, &target).await?,
        }
        Ok(Kept { sha256, size })
    }

    /// Throws it away.
    pub async fn abort(self) -> Result<(), AttachmentError> {
        match self.way {
            Way::Folder(writer) => Ok(writer.abort().await?),
            Way::Spool(_) => Ok(()),
        }
    }
}

/// Puts a gathered file into a bucket. Neither way shows the file before it is whole.
async fn put(store: &Attachments, mut file: File, size: u64, target: &Path) -> Result<(), AttachmentError> {
    let _room = match &store.0.kind {
        Kind::Bucket { puts, .. } => puts.acquire().await.ok(),
        Kind::Folder { .. } => None,
    };
    file.flush().await?;
    file.seek(SeekFrom::Start(0)).await?;
    if size <= PART as u64 {
        store.0.objects.put(target, PutPayload::from_bytes(read_piece(&mut file).await?)).await?;
        return Ok(());
    }
    let upload = store.0.objects.put_multipart(target).await?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
    match send(&mut writer, &mut file).await {
        // Aborts by itself when it cannot be finished.
        Ok(()) => writer.finish().await.map(|_| ()).map_err(AttachmentError::from),
        Err(error) => {
            if let Err(also) = writer.abort().await {
                tracing::warn!(error = %also, "pieces of a file stay in the bucket until its rules for unfinished uploads remove them");
            }
            Err(error)
        }
    }
}

async fn send(writer: &mut WriteMultipart, file: &mut File) -> Result<(), AttachmentError> {
    loop {
        let piece = read_piece(file).await?;
        if piece.is_empty() {
            return Ok(());
        }
        writer.wait_for_capacity(PARTS_AT_ONCE).await?;
        writer.put(piece);
    }
}

async fn read_piece(file: &mut File) -> std::io::Result<Bytes> {
    let mut piece = Vec::new();
    file.take(PART as u64).read_to_end(&mut piece).await?;
    Ok(piece.into())
}
