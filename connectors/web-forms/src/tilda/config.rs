//! The config of a Tilda webhook.

use std::collections::HashMap;

use leadgate_core::ports::{BuildProblem, Secrets};
use leadgate_core::rules::SourceRules;
use leadgate_core::secret::Secret;
use leadgate_wire::fields::Kind;
use toml::Table;

use crate::config::{Keys, fields, rules, title};

/// The names a key travels under, unless the config gives one.
const USUAL_NAMES: &[&str] = &["token", "key", "api_key", "x-api-key"];

/// Everything a Tilda source's config says.
pub(super) struct Config {
    /// Keys that are taken; two while a key is being changed.
    pub keys: Vec<Secret>,
    /// Names of headers, query fields and body fields that hold the key, in lower case. Never kept, key or no key.
    pub key_names: Vec<String>,
    /// Names under which a key is looked for.
    pub asked_names: Vec<String>,
    pub own: HashMap<String, Kind>,
    pub title: Option<String>,
}

/// Reads the config; every problem at once.
pub(super) fn read(table: Table, secrets: &dyn Secrets) -> Result<(Config, SourceRules), Vec<BuildProblem>> {
    let mut keys = Keys::new(table);
    let rules = rules(&mut keys);
    let own_name = keys.text("key_name").map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let usual = USUAL_NAMES.iter().map(|&name| name.to_owned());
    let asked_names: Vec<String> = own_name.clone().map_or_else(|| usual.clone().collect(), |name| vec![name]);
    let config = Config {
        keys: keys.secrets("key", secrets),
        key_names: usual.chain(own_name).collect(),
        asked_names,
        own: fields(&mut keys),
        title: title(&mut keys),
    };
    let problems = keys.finish();
    if problems.is_empty() { Ok((config, rules)) } else { Err(problems) }
}
