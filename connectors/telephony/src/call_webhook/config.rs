//! The config of a webhook for calls.

use leadgate_core::ports::{BuildProblem, Reply, Request, Secrets};
use leadgate_wire::auth::{self, Auth};
use leadgate_wire::json::Json;
use leadgate_wire::keys::Keys;
use leadgate_wire::pointer::Pointer;
use toml::{Table, Value};

use super::answers::{Answer, Lookup};
use super::layout::{Condition, Layout, TARGETS, conditions};
use super::presets::{preset, presets};
use super::words::{EventKind, KINDS, Unit};
use crate::party::Form;

/// Tables of a preset that a section adds to; any other key of a section takes the preset's place.
const ADDED_TO: &[&str] = &["map", "utm_defaults", "identities", "reply", "lookup"];

/// Everything a webhook's config says, besides what every kind here has.
pub(super) struct Config {
    pub auth: Auth,
    pub layout: Layout,
    /// Calls come by GET, too.
    pub get: bool,
    pub probes: Vec<Probe>,
    pub reply: Answer,
    pub lookup: Lookup,
    /// With these events a call is over.
    pub finals: Vec<EventKind>,
    /// What lengths of time count.
    pub unit: Unit,
    /// How numbers are written.
    pub form: Form,
    /// Where a recording lies, by its id.
    pub recording_url: Option<String>,
    /// What stands for a call that has no id.
    pub id_of: Vec<String>,
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
const ECHO: usize = 200;

impl Probe {
    /// The answer, if a call is this one.
    pub(super) fn answer(&self, root: &Json, request: &Request<'_>) -> Option<Reply> {
        if !self.when.iter().all(|condition| condition.holds(root) == Some(true)) {
            return None;
        }
        let text = match &self.says {
            Says::Text(text) => text.clone(),
            Says::Echo(at) => at.text(root)?.chars().filter(|c| is_plain(*c)).take(ECHO).collect(),
        };
        Some(Answer::plain(text).of(request.id))
    }
}

/// A browser that is led here is shown nothing it could take for a page.
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '<' | '>' | '&' | '"' | '\'' | '`')
}

/// The preset's keys under the section's own. Says also whether the section declares a way in of its own.
pub(super) fn with_preset(mut table: Table) -> Result<(Table, bool), Vec<BuildProblem>> {
    let own_auth = table.contains_key("auth");
    let Some(value) = table.remove("preset") else { return Ok((table, own_auth)) };
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
    Ok((out, own_auth))
}

impl Config {
    /// Reads the keys of the kind.
    pub(super) fn read(keys: &mut Keys, secrets: &dyn Secrets, own_auth: bool) -> Self {
        let usual = keys.secrets("secret", secrets);
        // A preset's check needs the secret; without one the address alone protects the source.
        let declared =
            if own_auth || !usual.is_empty() { auth::read(keys, secrets, &usual) } else { keys.value("auth").and(None) };
        if declared.is_none() && !usual.is_empty() {
            keys.problem("secret", "nothing says where the sender puts it: declare that in auth");
        }
        let confirmation = keys.text("confirmation");
        let probes = keys.each("probe", |keys| probe(keys, confirmation.as_deref())).unwrap_or_default();
        let units = [("s", Unit::Seconds), ("ms", Unit::Milliseconds), ("us", Unit::Microseconds)];
        let forms = [("international", Form::International), ("national", Form::National)];
        Self {
            auth: declared.unwrap_or_else(Auth::path_token),
            layout: Layout::read(keys),
            get: keys.yes("get").unwrap_or(false),
            probes: probes.into_iter().flatten().collect(),
            reply: keys.within("reply", Answer::read).unwrap_or_default(),
            lookup: keys.within("lookup", Lookup::read).unwrap_or_default(),
            finals: finals(keys),
            unit: keys.one_of("unit", &units).unwrap_or_default(),
            form: keys.one_of("numbers", &forms).unwrap_or(Form::National),
            recording_url: recording_url(keys),
            id_of: id_of(keys),
        }
    }
}

fn finals(keys: &mut Keys) -> Vec<EventKind> {
    let Some(names) = keys.list("final") else { return vec![EventKind::Finished, EventKind::Missed] };
    let mut out = Vec::new();
    for name in names {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        match found.map(|(_, kind)| *kind) {
            Some(kind @ (EventKind::Finished | EventKind::Missed | EventKind::LegEnded | EventKind::Updated)) => out.push(kind),
            _ => keys.problem("final", format!("{name:?} is none of: finished, missed, leg_ended, updated")),
        }
    }
    out
}

fn recording_url(keys: &mut Keys) -> Option<String> {
    let url = keys.text("recording_url")?;
    let fits = url.starts_with("https://") && url.contains("{recording_id}");
    if !fits {
        keys.problem(
            "recording_url",
            "write the link with the id in braces, e.g. \"https://records.example.com/{recording_id}.mp3\"",
        );
    }
    fits.then_some(url)
}

fn id_of(keys: &mut Keys) -> Vec<String> {
    let names = keys.list("call_id_of").unwrap_or_default();
    for name in &names {
        if !TARGETS.contains(&name.as_str()) {
            keys.problem("call_id_of", format!("{name:?} is nothing that is read; there are: {}", TARGETS.join(", ")));
        }
    }
    names
}

fn probe(keys: &mut Keys, confirmation: Option<&str>) -> Option<Probe> {
    let when = conditions(keys, "when");
    if when.is_empty() {
        keys.problem("when", "it is missing: which calls get this answer, e.g. { \"/echo\" = \"*\" }");
    }
    let echo = keys.parsed("echo").map(Says::Echo);
    let text = keys.text("text").map(|text| Says::Text(text.replace("{confirmation}", confirmation.unwrap_or_default())));
    if echo.is_some() == text.is_some() {
        keys.problem("text", "either text or echo says what is answered");
    }
    Some(Probe { when, says: text.or(echo)? })
}
