//! Reading a body within a limit of bytes and of patience.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tokio::time::Instant;

/// After the first grace a sender must be at least this fast, in bytes a second.
const SLOWEST: u64 = 16 << 10;

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The sender is too slow.
    #[error("the body did not come in time")]
    Slow,
    /// There is more of it than may be.
    #[error("the body is larger than {0} bytes")]
    Oversize(u64),
    /// The sender hung up, or sent no HTTP.
    #[error("the body broke off: {0}")]
    BrokenOff(String),
}

/// Reads a body.
pub struct Reader<B> {
    body: B,
    started: Instant,
    grace: Duration,
    read: u64,
}

impl<B> Reader<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::error::Error,
{
    /// Reads `body`; its sender has `grace`, and longer as long as bytes keep coming.
    pub fn new(body: B, grace: Duration) -> Self {
        Self { body, started: Instant::now(), grace, read: 0 }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.read
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self, most: u64) -> Result<Option<Bytes>, ReadError> {
        let deadline = self.started + self.grace + Duration::from_secs(self.read / SLOWEST);
        loop {
            let frame = match tokio::time::timeout_at(deadline, self.body.frame()).await {
                Err(_elapsed) => return Err(ReadError::Slow),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(ReadError::BrokenOff(error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            // Trailers carry nothing for us.
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            self.read += data.len() as u64;
            return if self.read > most { Err(ReadError::Oversize(most)) } else { Ok(Some(data)) };
        }
    }

    /// The whole body. One that is announced too large is not even begun.
    pub async fn whole(&mut self, most: u64) -> Result<Bytes, ReadError> {
        let announced = self.body.size_hint().lower();
        if announced > most {
            return Err(ReadError::Oversize(most));
        }
        let Some(first) = self.next(most).await? else { return Ok(Bytes::new()) };
        // Most bodies are one piece: nothing to copy.
        let Some(second) = self.more(most).await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity((first.len() + second.len()).max(usize::try_from(announced).unwrap_or(0)));
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.more(most).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn more(&mut self, most: u64) -> Result<Option<Bytes>, ReadError> {
        if self.body.is_end_stream() { Ok(None) } else { self.next(most).await }
    }

    /// Reads on and forgets, up to a limit: a browser that still sends does not read our answer.
    pub async fn drain(&mut self, most: u64) {
        let until = self.read.saturating_add(most);
        if self.body.size_hint().lower() > most {
            return;
        }
        while let Ok(Some(_)) = self.more(until).await {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow() -> axum::body::Body {
        let first = futures_util::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"a=")) });
        axum::body::Body::from_stream(futures_util::StreamExt::chain(first, futures_util::stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stops_is_not_waited_for() {
        let started = Instant::now();
        let mut reader = Reader::new(slow(), Duration::from_secs(10));
        assert!(matches!(reader.whole(1000).await, Err(ReadError::Slow)));
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn too_much_is_too_much_announced_or_not() {
        let mut announced = Reader::new(axum::body::Body::from(vec![b'x'; 11]), Duration::from_secs(10));
        assert!(matches!(announced.whole(10).await, Err(ReadError::Oversize(10))));
        assert_eq!(announced.bytes(), 0);
        let pieces = futures_util::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"12345"))));
        let mut streamed = Reader::new(axum::body::Body::from_stream(pieces), Duration::from_secs(10));
        assert!(matches!(streamed.whole(10).await, Err(ReadError::Oversize(10))));
        let mut fits = Reader::new(axum::body::Body::from("hello"), Duration::from_secs(10));
        assert_eq!(fits.whole(10).await.unwrap(), "hello");
    }
}
