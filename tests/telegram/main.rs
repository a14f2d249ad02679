//! The connector for Telegram bots against a Bot API of our own, and the whole gateway against somebody else's.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod api;
mod counterpart;
mod feed;
mod polling;
mod webhook;

use std::sync::Arc;

use leadgate_core::ports::{BuildContext, Secrets};
use leadgate_core::secret::Secret;
use leadgate_telegram::settings::{self, Settings};
use leadgate_tests::telegram::{TOKEN, Telegram};

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

/// A source that reads the fake's bot.
fn settings(telegram: &Telegram, more: &str) -> Arc<Settings> {
    let section = format!("token = \"{TOKEN}\"\napi_url = \"{}\"\n{more}", telegram.url());
    let context = BuildContext {
        source: "bot".parse().unwrap(),
        language: "en".to_owned(),
        company: String::new(),
        public_url: "https://leads.example".to_owned(),
        country: None,
        ours: Arc::default(),
        data: std::path::PathBuf::new(),
    };
    Arc::new(settings::read(section.parse().unwrap(), &Plain, &context).unwrap())
}
