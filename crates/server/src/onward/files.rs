//! Fetches what activities offer into the attachment store: pictures of messages, recordings of calls.

use std::future::Future;

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{DeliverError, Delivered, Fetched, Parcel, Store, StoreError};
use leadgate_core::submission::FileRef;

use crate::app::Gateway;
use crate::attachments::Kept;

/// Fetches files of a service.
#[async_trait]
pub trait Fetcher: Send + Sync {
    /// Whether the other files of an activity would end as one did that cannot be had now.
    const ALIKE: bool;

    /// One file, or why it will never be had.
    async fn one(&self, file: &OfferedFile) -> Result<Result<FileRef, String>, DeliverError>;
}

/// A file on its way.
pub trait Pieces: Send {
    /// Why it breaks off.
    type Error: Send;

    /// The next piece; `None`: that was all.
    fn piece(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Error>> + Send;
}

/// Fetches what an activity offers. What cannot be had is told at the file; what may be had later is tried again, and what was
/// fetched till then is kept.
pub async fn fetch<F: Fetcher>(gateway: &Gateway, parcel: &Parcel, fetcher: &F) -> Result<Delivered, DeliverError> {
    let done = |words: String| Delivered { refs: Vec::new(), words };
    let (Some(id), Some(activity)) = (parcel.job.data.activity, &parcel.brief.activity) else {
        return Ok(done("there is nothing to fetch any more".to_owned()));
    };
    let offered = activity.content.offered.iter().filter(|file| file.problem.is_empty());
    let (mut fetched, mut later) = (Vec::new(), None);
    for file in offered {
        if let Some(words) = gateway.space.refusal() {
            later = Some(DeliverError::Later { words, after: None });
            break;
        }
        match fetcher.one(file).await {
            Ok(end) => fetched.push(Fetched { unique: file.unique.clone(), end }),
            Err(error) => {
                later.get_or_insert(error);
                if F::ALIKE {
                    break;
                }
            }
        }
    }
    let count = fetched.iter().filter(|fetched| fetched.end.is_ok()).count();
    if !fetched.is_empty() {
        let kept = store(gateway).await?.keep_files(id, fetched).await;
        kept.map_err(|error| trouble(&error))?;
    }
    match later {
        Some(error) => Err(error),
        None => Ok(done(format!("{count} fetched"))),
    }
}

/// Puts a file into the attachment store. Nothing stays of one that breaks off.
pub async fn keep<P: Pieces>(gateway: &Gateway, mut file: P) -> Result<Result<Kept, P::Error>, DeliverError> {
    let unkept = |error| DeliverError::Later { words: format!("the file cannot be kept: {error}"), after: None };
    let mut upload = gateway.attachments.begin(&gateway.clock).await.map_err(unkept)?;
    loop {
        match file.piece().await {
            Ok(Some(piece)) => upload.write(piece).await.map_err(unkept)?,
            Ok(None) => break,
            Err(error) => {
                upload.abort().await.map_err(unkept)?;
                return Ok(Err(error));
            }
        }
    }
    upload.finish().await.map(Ok).map_err(unkept)
}

/// The store, once it is open.
pub async fn store(gateway: &Gateway) -> Result<&dyn Store, DeliverError> {
    let closed = || DeliverError::Later { words: "the database is not open".to_owned(), after: None };
    gateway.store().await.map(|store| &**store).ok_or_else(closed)
}

/// What the database has is no target's fault.
pub fn trouble(error: &StoreError) -> DeliverError {
    DeliverError::Later { words: format!("the database cannot be asked: {error}"), after: None }
}
