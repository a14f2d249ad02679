//! Erasing a person, and giving out everything that is kept of one: what the API and the commands share.

mod export;
mod needles;

use anyhow::Context as _;
use leadgate_core::change::ChangeError;
use leadgate_core::ids::{ContactId, SubmissionId};
use leadgate_core::keeping::{BODIES, Erased, Erasure, ErasureKey};
use leadgate_core::ports::{Act, Store};
use leadgate_core::submission::Codec;
use leadgate_core::views::IdentityView;
use serde::{Deserialize, Serialize};

pub use self::export::{Export, ExportFile, export};
use self::needles::Needles;
use crate::attachments::Attachments;
use crate::backup::Bar;
use crate::clock::Clock;

/// The most bytes a kept body unpacks to.
const UNPACKED: usize = 64 << 20;
/// A SQLite database up to this size is written anew with every erasure: that takes a fraction of a second.
const SMALL: u64 = 64 << 20;

/// What an erasure did, and what is left for later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// What went from the database.
    #[serde(flatten)]
    pub erased: Erased,
    /// Files that were deleted.
    pub files_deleted: u64,
    /// What goes later by itself or could be done, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whom.
    pub contact: ContactId,
    /// Why.
    pub reason: String,
    /// Deliveries found beside theirs.
    pub also: Vec<SubmissionId>,
    /// Write a large database anew as well.
    pub rebuild: bool,
}

/// Erases a person: from the database, then from the attachment store, then from the free space of files.
pub async fn erase(
    store: &dyn Store,
    attachments: &Attachments,
    clock: &Clock,
    key: ErasureKey,
    wanted: Wanted,
    act: Act,
) -> anyhow::Result<Result<Done, ChangeError>> {
    let Wanted { contact, reason, also, rebuild } = wanted;
    let erased = match store.erase(Erasure { contact, reason, key, also }, act).await? {
        Ok(erased) => erased,
        Err(error) => return Ok(Err(error)),
    };
    let mut left = Vec::new();
    let forgotten = attachments.forget(store, clock, &erased.files).await;
    let files_deleted = match forgotten {
        Ok(deleted) if deleted == erased.files.len() as u64 => deleted,
        Ok(deleted) => {
            left.push(
                "some files may be on their way in once more at this moment: the next sweep looks at them, within a day"
                    .to_owned(),
            );
            deleted
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "files of an erased person go with the next sweep");
            left.push("files could not be deleted now: the next sweep does it, within a day".to_owned());
            0
        }
    };
    let small = store.totals().await.is_ok_and(|totals| totals.database_bytes <= SMALL);
    if let Err(error) = store.scrub(rebuild || small).await {
        tracing::warn!(%error, "what was removed may stand in free space of the database's files");
        left.push(format!("the database's files could not be cleaned up: {error}; the same command again does it"));
    } else if !rebuild && !small {
        left.push(
            "free space within the database's file may hold copies of what was removed until it is used again; with --rebuild the \
             file is written anew, which keeps senders waiting meanwhile"
                .to_owned(),
        );
    }
    Ok(Ok(Done { erased, files_deleted, left }))
}

/// Looks through everything that was kept without a lead for a person's phones, e-mails and other ids.
pub async fn search(store: &dyn Store, identities: &[IdentityView], bar: Option<&Bar>) -> anyhow::Result<Vec<SubmissionId>> {
    let needles = Needles::of(identities);
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let bodies = store.bodies(after).await?;
        let Some(last) = bodies.last() else { break };
        after = last.seq;
        let count = bodies.len();
        for body in bodies {
            if needles.stand_in(&body.query, &unpacked(body.codec, body.raw)?) {
                found.push(body.id);
            }
        }
        if let Some(bar) = bar {
            bar.add(count as u64);
        }
        if count < BODIES as usize {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// The kept bytes as they were.
pub fn unpacked(codec: Codec, raw: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    match codec {
        Codec::Plain => Ok(raw),
        Codec::Zstd => zstd::bulk::decompress(&raw, UNPACKED).context("the kept bytes of a delivery cannot be unpacked"),
    }
}
