//! What the gateway knows of its targets now, for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A target as the API and the commands show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// Its name: `mail`, `webhook:<id>`, `telegram:<source>`.
    pub target: String,
    /// Since when it takes nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When it is asked again, if it is left alone now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_again_at: Option<Timestamp>,
    /// What it said last, or why it could not be asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

/// How the targets do.
#[derive(Debug, Default)]
pub struct Desk {
    targets: Mutex<BTreeMap<String, TargetView>>,
    again: Mutex<Vec<String>>,
    asked: tokio::sync::Notify,
}

impl Desk {
    /// Tells how a target does.
    pub fn tell(&self, view: TargetView) {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(view.target.clone(), view);
    }

    /// Forgets those that are not in the configuration any more.
    pub fn keep(&self, configured: impl Fn(&str) -> bool) {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| configured(name));
    }

    /// How the targets do.
    pub fn targets(&self) -> Vec<TargetView> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A person wants targets to be asked at once, whatever they said before.
    pub fn ask_again(&self, targets: impl IntoIterator<Item = String>) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).extend(targets);
        self.asked.notify_one();
    }

    /// The targets that a person wants to be asked at once.
    pub fn to_ask(&self) -> Vec<String> {
        std::mem::take(&mut *self.again.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a person wants something.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}
