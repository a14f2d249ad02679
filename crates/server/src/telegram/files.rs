//! Fetches the files of messages into the attachment store.

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::DeliverError;
use leadgate_core::submission::FileRef;
use leadgate_telegram::api::{ApiError, File};

use super::{Desk, unsaid};
use crate::onward::files::{self, Fetcher, Pieces};

#[async_trait]
impl Fetcher for Desk {
    const ALIKE: bool = true;

    async fn one(&self, file: &OfferedFile) -> Result<Result<FileRef, String>, DeliverError> {
        match self.download(file).await? {
            Ok(kept) => Ok(Ok(kept)),
            Err(error @ (ApiError::Unauthorized(_) | ApiError::Unavailable(_))) => Err(unsaid(&error)),
            Err(error) if error.may_pass() => Err(unsaid(&error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

impl Pieces for File {
    type Error = ApiError;

    async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        File::piece(self).await
    }
}

impl Desk {
    async fn download(&self, offered: &OfferedFile) -> Result<Result<FileRef, ApiError>, DeliverError> {
        let file = match self.api.download(&offered.id).await {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let kept = files::keep(&self.gateway, file).await?;
        Ok(kept.map(|kept| FileRef {
            sha256: kept.sha256,
            name: offered.name.clone(),
            content_type: offered.content_type.clone(),
            size: kept.size,
            field: offered.unique.clone(),
        }))
    }
}
