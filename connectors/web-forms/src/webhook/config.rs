//! The config of a webhook.

use std::collections::HashMap;

use bytes::Bytes;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{BuildProblem, Reply, Secrets};
use leadgate_core::rules::SourceRules;
use leadgate_wire::auth::{self, Auth};
use leadgate_wire::fields::Kind;
use leadgate_wire::json::Json;
use leadgate_wire::pointer::Pointer;
use toml::{Table, Value};

use super::layout::{Condition, Layout, conditions};
use super::presets::{preset, presets};
use crate::config::{Keys, fields, rules, title};
use crate::html_form::FileTypes;

/// Tables of a preset that a section adds to; any other key of a section takes the preset's place.
const ADDED_TO: &[&str] = &["map", "fields", "utm_defaults", "identities", "reply"];

/// Everything a webhook's config says.
pub(super) struct Config {
    pub auth: Auth,
    pub layout: Layout,
    /// What is not mapped is read by names and look.
    pub guess: bool,
    /// Deliveries come by GET, too.
    pub get: bool,
    pub probes: Vec<Probe>,
    pub reply: Answer,
    pub files: FileTypes,
    pub own: HashMap<String, Kind>,
    pub title: Option<String>,
}

/// A fixed answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Answer {
    /// The answer to a delivery.
    pub(super) fn of(&self, id: SubmissionId) -> Reply {
        self.with(self.body.replace("{id}", &id.to_string()))
    }

    fn with(&self, body: String) -> Reply {
        let headers = vec![("content-type", self.content_type.clone()), ("x-content-type-options", "nosniff".to_owned())];
        Reply { status: self.status, headers, body: Bytes::from(body) }
    }
}

/// A call that wants a fixed answer.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    when: Vec<Condition>,
    says: Says,
}

#[derive(Clone, Debug)]
enum Says {
    Text(String),
    Echo(Pointer),
}

/// What is sent back of a call at most, in bytes.
const ECHO: usize = 500;

impl Probe {
    /// The answer, if a call is this one.
    pub(super) fn answer(&self, root: &Json) -> Option<Reply> {
        if !self.when.iter().all(|condition| condition.holds(root) == Some(true)) {
            return None;
        }
        let text = match &self.says {
            Says::Text(text) => text.clone(),
            Says::Echo(at) => leadgate_core::text::cut(&at.text(root)?, ECHO).to_owned(),
        };
        // A browser that is led here shows it as the plain text it is.
        let plain = Answer { status: 200, content_type: "text/plain; charset=utf-8".to_owned(), body: String::new() };
        Some(plain.with(text))
    }
}

/// Reads the config; every problem at once.
pub(super) fn read(table: Table, secrets: &dyn Secrets) -> Result<(Config, SourceRules), Vec<BuildProblem>> {
    let own_auth = table.contains_key("auth");
    let mut keys = Keys::new(with_preset(table)?);
    let rules = rules(&mut keys);
    let usual = keys.secrets("secret", secrets);
    let declared =
        if own_auth || !usual.is_empty() { auth::read(&mut keys, secrets, &usual) } else { keys.value("auth").and(None) };
    if declared.is_none() && !usual.is_empty() {
        keys.problem("secret", "nothing says where the sender puts it: declare that in auth");
    }
    let confirmation = keys.text("confirmation");
    let layout = Layout::read(&mut keys);
    let config = Config {
        auth: declared.unwrap_or_else(Auth::path_token),
        layout,
        guess: keys.yes("guess").unwrap_or(false),
        get: keys.yes("get").unwrap_or(false),
        probes: keys
            .each("probe", |keys| probe(keys, confirmation.as_deref()))
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .collect(),
        reply: keys.within("reply", reply).unwrap_or_else(|| reply(&mut Keys::new(Table::new()))),
        files: FileTypes::usual(),
        own: fields(&mut keys),
        title: title(&mut keys),
    };
    let problems = keys.finish();
    if problems.is_empty() { Ok((config, rules)) } else { Err(problems) }
}

/// The preset's keys under the section's own.
fn with_preset(mut table: Table) -> Result<Table, Vec<BuildProblem>> {
    let Some(value) = table.remove("preset") else { return Ok(table) };
    let name = value.as_str().unwrap_or_default();
    let Some(known) = preset(name) else {
        let known: Vec<&str> = presets().iter().map(|known| known.name).collect();
        let words = format!("there is no preset {value}; there are: {}", known.join(", "));
        return Err(vec![BuildProblem { key: "preset".to_owned(), words }]);
    };
    let mut out = known.table.clone();
    for (key, own) in table {
        match (out.get_mut(&key), own) {
            (Some(Value::Table(known)), Value::Table(own)) if ADDED_TO.contains(&key.as_str()) => known.extend(own),
            (_, own) => {
                out.insert(key, own);
            }
        }
    }
    Ok(out)
}

fn probe(keys: &mut Keys, confirmation: Option<&str>) -> Option<Probe> {
    let when = conditions(keys, "when");
    if when.is_empty() {
        keys.problem("when", "it is missing: which calls get this answer, e.g. { \"/type\" = \"confirmation\" }");
    }
    let echo = keys.parsed("echo").map(Says::Echo);
    let text = keys.text("text").map(|text| Says::Text(text.replace("{confirmation}", confirmation.unwrap_or_default())));
    if echo.is_some() == text.is_some() {
        keys.problem("text", "either text or echo says what is answered");
    }
    Some(Probe { when, says: text.or(echo)? })
}

fn reply(keys: &mut Keys) -> Answer {
    // A failure would be tried again, and a redirect followed, for ever: what was kept is answered as kept.
    let status = keys.number("status", 200..=299).and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let content_type = keys.text("type").unwrap_or_else(|| "text/plain; charset=utf-8".to_owned());
    if !content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        keys.problem("type", "it is no content type; write e.g. \"application/json\"");
    }
    Answer { status, content_type, body: keys.text("body").unwrap_or_else(|| "ok".to_owned()) }
}
