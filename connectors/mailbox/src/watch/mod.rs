//! The watcher: reads folders from where they were left, submits what it read with the new place, and does on the server
//! what is to be done afterwards.

use async_trait::async_trait;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Feed, Pull, PullError};

use crate::settings::Settings;

/// A mailbox that is watched.
#[derive(Debug)]
pub struct Watcher {
    source: SourceId,
    settings: Settings,
}

impl Watcher {
    /// A mailbox as configured.
    pub fn new(source: SourceId, settings: Settings) -> Self {
        Self { source, settings }
    }
}

#[async_trait]
impl Pull for Watcher {
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError> {
        let _ = (feed, &self.source, &self.settings);
        todo!()
    }
}
