//! Fetches the files of messages into the attachment store.

use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{DeliverError, Delivered, Fetched, Parcel};
use leadgate_core::submission::FileRef;
use leadgate_telegram::api::ApiError;

use super::{Desk, done, trouble, unsaid};

impl Desk {
    /// Fetches what an activity offers. What cannot be had is told at the file; what may be had later is tried again, and what was
    /// fetched till then is kept.
    pub(super) async fn fetch(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let (Some(id), Some(activity)) = (parcel.job.data.activity, &parcel.brief.activity) else {
            return Ok(done("there is nothing to fetch any more"));
        };
        let offered = activity.content.offered.iter().filter(|file| file.problem.is_empty());
        let (mut fetched, mut later) = (Vec::new(), None);
        for file in offered {
            match self.one(file).await {
                Ok(end) => fetched.push(Fetched { unique: file.unique.clone(), end }),
                // The others would end so, too.
                Err(error) => {
                    later = Some(error);
                    break;
                }
            }
        }
        let count = fetched.iter().filter(|fetched| fetched.end.is_ok()).count();
        if !fetched.is_empty() {
            let kept = self.store().await?.keep_files(id, fetched).await;
            kept.map_err(|error| trouble(&error))?;
        }
        match later {
            Some(error) => Err(error),
            None => Ok(done(&format!("{count} fetched"))),
        }
    }

    /// One file, or why it will never be had.
    async fn one(&self, file: &OfferedFile) -> Result<Result<FileRef, String>, DeliverError> {
        if let Some(words) = self.gateway.space.refusal() {
            return Err(DeliverError::Later { words, after: None });
        }
        match self.download(file).await? {
            Ok(kept) => Ok(Ok(kept)),
            Err(error @ (ApiError::Unauthorized(_) | ApiError::Unavailable(_))) => Err(unsaid(&error)),
            Err(error) if error.may_pass() => Err(unsaid(&error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn download(&self, offered: &OfferedFile) -> Result<Result<FileRef, ApiError>, DeliverError> {
        let unkept = |error| DeliverError::Later { words: format!("the file cannot be kept: {error}"), after: None };
        let mut file = match self.api.download(&offered.id).await {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let mut upload = self.gateway.attachments.begin(&self.gateway.clock).await.map_err(unkept)?;
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
        let kept = upload.finish().await.map_err(unkept)?;
        Ok(Ok(FileRef {
            sha256: kept.sha256,
            name: offered.name.clone(),
            content_type: offered.content_type.clone(),
            size: kept.size,
            field: offered.unique.clone(),
        }))
    }
}
