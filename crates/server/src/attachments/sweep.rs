//! Files nobody names any more.
//!
//! Ages are told by the store's own clock. Only a name that is a day old is ever deleted, and from the moment a file comes
//! until a delivery naming it is committed there pass seconds: so whatever several gateways take in and sweep at once, what
//! a delivery names stays. Of several equal files one stays, the same for everybody who looks.

use std::path::Path as FsPath;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ports::Store;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};

use super::{Attachments, INCOMING, KEPT, Kind, Object, modified};
use crate::clock::Clock;

/// What nothing names after this time is swept.
const ORPHAN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// After a restore, files that lay there before stay so long: the database that was put back does not know the newest of
/// them, and somebody may still want to look at them.
const SPARED_AFTER_RESTORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How many names are looked up at once.
const LOOK_UP: usize = 256;

/// What may go if nothing names it.
#[derive(Clone, Copy, Debug)]
pub struct Old {
    /// Put there before this, by the store's clock.
    pub before: Timestamp,
    /// But not before this.
    pub since: Option<Timestamp>,
}

impl Old {
    fn is(self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at < self.before && self.since.is_none_or(|since| at >= since))
    }
}

impl Attachments {
    /// Deletes what nothing names and is older than a day; says how many files. Refuses when the store is no longer ours.
    pub async fn sweep(&self, store: &dyn Store, clock: &Clock) -> anyhow::Result<u64> {
        self.still_ours(store).await?;
        let now = self.ask_time(clock).await?;
        let restored = store.restored().await?.map(|restored| restored.at);
        let since = restored.filter(|at| now.duration_since(*at) < SPARED_AFTER_RESTORE);
        self.sweep_old(store, Old { before: now.saturating_sub(ORPHAN_AFTER)?, since }).await
    }

    /// Deletes what nothing names and is old in this sense; says how many files.
    pub async fn sweep_old(&self, store: &dyn Store, old: Old) -> anyhow::Result<u64> {
        let mut swept = match &self.0.kind {
            Kind::Folder { root, .. } => {
                let incoming = root.join(INCOMING);
                tokio::task::spawn_blocking(move || sweep_unfinished(&incoming, old)).await??
            }
            Kind::Bucket { .. } => 0,
        };
        let (mut batch, mut files): (Vec<Equal>, _) = (Vec::new(), self.list());
        while let Some(Object { sha256, meta }) = files.try_next().await? {
            if !old.is(modified(&meta)) {
                continue;
            }
            match batch.last_mut() {
                Some(equal) if equal.sha256.is_some() && equal.sha256 == sha256 => equal.places.push(meta.location),
                _ => {
                    if batch.len() == LOOK_UP {
                        swept += self.sweep_some(store, std::mem::take(&mut batch)).await?;
                    }
                    batch.push(Equal { sha256, places: vec![meta.location] });
                }
            }
        }
        Ok(swept + self.sweep_some(store, batch).await?)
    }

    async fn sweep_some(&self, store: &dyn Store, batch: Vec<Equal>) -> anyhow::Result<u64> {
        let names: Vec<String> = batch.iter().filter_map(|equal| equal.sha256.clone()).collect();
        let known = if names.is_empty() { Vec::new() } else { store.attachments_known(names).await? };
        let mut swept = 0;
        for Equal { sha256, mut places } in batch {
            places.sort();
            let named = sha256.is_some_and(|sha256| known.contains(&sha256));
            for place in places.into_iter().skip(usize::from(named)) {
                match self.0.objects.delete(&place).await {
                    Ok(()) => swept += 1,
                    // Another gateway was faster.
                    Err(Error::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
                self.remove_empty_folder(&place);
            }
        }
        Ok(swept)
    }

    /// Folders of a hash go with its last file. Only these: whoever is about to put a file there makes the folder again, but
    /// the one for uploads must not go under somebody's hands.
    pub(super) fn remove_empty_folder(&self, place: &Path) {
        let Kind::Folder { root, .. } = &self.0.kind else { return };
        let parts: Vec<String> = place.parts().map(|part| part.as_ref().to_owned()).collect();
        if let [KEPT, folder, sha256, _] = parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
            && let Err(error) = std::fs::remove_dir(root.join(KEPT).join(folder).join(sha256))
            && error.kind() != std::io::ErrorKind::DirectoryNotEmpty
        {
            tracing::debug!(%error, "an empty folder stays");
        }
    }
}

/// Old files of one content.
struct Equal {
    sha256: Option<String>,
    places: Vec<Path>,
}

/// Uploads a crash cut off. The store does not list what it has not finished, so the folder itself is looked at.
fn sweep_unfinished(incoming: &FsPath, old: Old) -> anyhow::Result<u64> {
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
        if old.is(Some(written)) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => swept += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(swept)
}
