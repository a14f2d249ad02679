//! A target of the configuration, ready to be delivered to.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::onward;
use leadgate_core::ports::Deliver;

/// A target.
#[derive(Clone)]
pub struct Target {
    /// Its name: `mail`, `webhook:<id>`.
    pub name: String,
    /// Delivers there.
    pub deliver: Arc<dyn Deliver>,
    /// One delivery of a lead after the other.
    pub ordered: bool,
    /// Deliveries under way at most.
    pub at_once: usize,
    /// One delivery takes so long at most.
    pub longest: std::time::Duration,
    /// What could not be delivered for so long is given up.
    pub give_up_after: SignedDuration,
}

impl Target {
    /// Jobs whose time is counted from before this are given up.
    pub fn dead_before(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.give_up_after).unwrap_or(Timestamp::MIN)
    }

    /// As the store knows it.
    pub fn for_store(&self, now: Timestamp) -> onward::Target {
        onward::Target { name: self.name.clone(), dead_before: self.dead_before(now) }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}
