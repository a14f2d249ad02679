//! Questions to other services, by the guarded client.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::ports::{Challenge, Told};
use leadgate_wire::guarded::{Allowed, Call, CallError, Caps, Guarded, Inner, Lookup};
use tokio::sync::Semaphore;

/// Questions under way at once. A flood of forms with made-up answers costs no more than these.
const AT_ONCE: usize = 128;
/// The longest answer to a question that is read.
const ANSWER_BYTES: usize = 64 << 10;

/// Asks. Made with the gateway; its certificates are read with the first question.
pub struct Outward {
    allowed: Allowed,
    client: OnceLock<Guarded>,
    room: Semaphore,
}

impl std::fmt::Debug for Outward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outward")
    }
}

impl Outward {
    /// May reach these services beside the public internet.
    pub fn new(inner: Vec<Inner>) -> Self {
        Self { allowed: Allowed::new(inner), client: OnceLock::new(), room: Semaphore::new(AT_ONCE) }
    }

    /// Asks; never longer than the question gives it.
    pub async fn ask(&self, challenge: &Challenge) -> Told {
        // Nobody waits for room: the visitor waits for us.
        let Ok(_room) = self.room.try_acquire() else { return Told::Nothing("too many are being checked at once".to_owned()) };
        let call = Call {
            method: http::Method::POST,
            url: challenge.url.clone(),
            headers: vec![
                ("content-type".into(), "application/x-www-form-urlencoded".to_owned()),
                ("accept".into(), "application/json".to_owned()),
            ],
            body: Bytes::copy_from_slice(challenge.form.expose().as_bytes()),
        };
        let caps = Caps { time: challenge.time, bytes: ANSWER_BYTES, cut: false, types: &[], redirects: &[] };
        let asked = async { self.client()?.call(&call, caps).await };
        // A name server that does not answer is not within the client's own time.
        match tokio::time::timeout(challenge.time, asked).await {
            Ok(Ok(answer)) => Told::Answer(answer.status, answer.body),
            Ok(Err(error)) => Told::Nothing(error.to_string()),
            Err(_elapsed) => Told::Nothing(CallError::TooSlow.to_string()),
        }
    }

    /// The client itself; clones share connections.
    pub fn guarded(&self) -> Result<Guarded, CallError> {
        self.client().cloned()
    }

    fn client(&self) -> Result<&Guarded, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Guarded::new(Arc::new(System), self.allowed.clone())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Names as this machine knows them.
struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}
