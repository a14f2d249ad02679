//! The config of a WordPress site.

use std::collections::HashMap;

use leadgate_core::ports::{BuildProblem, Secrets};
use leadgate_core::rules::SourceRules;
use leadgate_wire::fields::Kind;
use toml::Table;

use crate::config::{Keys, fields, rules, title};

/// Everything a WordPress source's config says.
pub(super) struct Config {
    pub own: HashMap<String, Kind>,
    pub title: Option<String>,
}

/// Reads the config; every problem at once.
pub(super) fn read(table: Table, _secrets: &dyn Secrets) -> Result<(Config, SourceRules), Vec<BuildProblem>> {
    let mut keys = Keys::new(table);
    let rules = rules(&mut keys);
    let config = Config { own: fields(&mut keys), title: title(&mut keys) };
    let problems = keys.finish();
    if problems.is_empty() { Ok((config, rules)) } else { Err(problems) }
}
