//! Files of somebody who was erased: they go at once where that is safe, else with the next sweep.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::SignedDuration;
use leadgate_core::ports::Store;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _};
use tokio::sync::OwnedRwLockReadGuard;

use super::{AttachmentError, Attachments, Kind, YOUNG, former_place, modified, place};
use crate::clock::Clock;

/// How long deliveries that bring files are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// In a place that other gateways use, too, one of them may count on a younger file.
const NO_LONGER_COUNTED_ON: SignedDuration = YOUNG.saturating_add(SignedDuration::from_hours(1));

impl Attachments {
    /// Held by whoever takes files in, from before they come until what names them is committed: meanwhile nothing is
    /// forgotten.
    pub async fn taking_in(&self) -> OwnedRwLockReadGuard<()> {
        std::sync::Arc::clone(&self.0.taking_in).read_owned().await
    }

    /// Deletes files that nothing names any more, by their hashes; says how many went. Those somebody may be naming anew at
    /// this moment are left to the sweep.
    pub async fn forget(&self, store: &dyn Store, clock: &Clock, names: &[String]) -> anyhow::Result<u64> {
        self.forget_within(PATIENCE, store, clock, names).await
    }

    /// As [`Self::forget`]; `patience`: how long deliveries that bring files are waited for.
    pub(super) async fn forget_within(
        &self,
        patience: Duration,
        store: &dyn Store,
        clock: &Clock,
        names: &[String],
    ) -> anyhow::Result<u64> {
        if names.is_empty() {
            return Ok(0);
        }
        self.still_ours(store).await?;
        let now = self.ask_time(clock).await?;
        let Ok(_nobody_takes_in) = tokio::time::timeout(patience, self.0.taking_in.write()).await else { return Ok(0) };
        let named = store.attachments_known(names.to_vec()).await?;
        let mut gone = 0;
        for name in names.iter().filter(|name| !named.contains(name)) {
            let files = self.all_of(name).await?;
            let old = |file: &ObjectMeta| modified(file).is_some_and(|at| now.duration_since(at) > NO_LONGER_COUNTED_ON);
            if self.is_elsewhere() && !files.iter().all(old) {
                continue;
            }
            for file in files {
                match self.0.objects.delete(&file.location).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(AttachmentError::from(error).into()),
                }
                self.remove_empty_folder(&file.location);
            }
            gone += 1;
        }
        Ok(gone)
    }

    /// Every file of a hash.
    async fn all_of(&self, sha256: &str) -> Result<Vec<ObjectMeta>, AttachmentError> {
        let mut all: Vec<ObjectMeta> = self.0.objects.list(Some(&place(sha256))).try_collect().await?;
        if matches!(self.0.kind, Kind::Folder { .. }) {
            match self.0.objects.head(&former_place(sha256)).await {
                Ok(found) => all.push(found),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }
}
