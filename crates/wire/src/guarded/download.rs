//! An answer whose body is read piece by piece.

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use super::{CallError, explain, header};

/// What is on its way.
#[derive(Debug)]
pub struct Download {
    /// The status.
    pub status: u16,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    response: Response,
    left: usize,
    most: usize,
}

impl Download {
    /// At most so many bytes: one that says beforehand that it is longer is not begun.
    pub(crate) fn new(response: Response, most: usize) -> Result<Self, CallError> {
        let longest = u64::try_from(most).unwrap_or(u64::MAX);
        if response.content_length().is_some_and(|length| length > longest) {
            return Err(CallError::TooLong(most));
        }
        let (status, retry_after) = (response.status().as_u16(), header(&response, RETRY_AFTER).map(str::to_owned));
        Ok(Self { status, retry_after, response, left: most, most })
    }

    /// The next piece; `None`: that was all. What is longer than was agreed, breaks off or takes too long ends in an error.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        let piece = self.response.chunk().await.map_err(explain)?;
        if let Some(piece) = &piece {
            self.left = self.left.checked_sub(piece.len()).ok_or(CallError::TooLong(self.most))?;
        }
        Ok(piece)
    }
}
