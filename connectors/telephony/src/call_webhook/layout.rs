//! How a PBX lays out its calls.

use std::str::FromStr as _;

use leadgate_core::attribution::attribution_key;
use leadgate_wire::body::Limits;
use leadgate_wire::json::Json;
use leadgate_wire::keys::Keys;
use leadgate_wire::mapper::{self, Mapper, Rule};
use leadgate_wire::pointer::Pointer;
use toml::Value;

use super::words::{DIRECTIONS, KINDS, OUTCOMES};

/// What is read of a body; a PBX tells what it knows about the customer, too.
pub(super) const LIMITS: Limits = Limits { fields: 2000, depth: 7, value: 64 * 1024 };

/// What can be read besides campaign tags, handles and fields under names of the owner's.
pub(super) const TARGETS: &[&str] = &[
    "call_id",
    "leg_id",
    "event",
    "event_id",
    "direction",
    "internal",
    "number",
    "caller",
    "callee",
    "line",
    "agent",
    "agent_in",
    "agent_out",
    "rang",
    "scheme",
    "started_at",
    "answered_at",
    "ended_at",
    "at",
    "wait",
    "talk",
    "total",
    "outcome",
    "voicemail",
    "recording",
    "recording_id",
    "name",
    "email",
    "message",
    "page",
    "landing",
    "referrer",
];

/// Begins the name of a target that becomes a field of that name: `field:Budget`.
pub(super) const FIELD: &str = "field:";
/// Begins the name of a target that is an id of the visitor elsewhere: `handle:ym_client_id`.
pub(super) const HANDLE: &str = "handle:";
/// Where the path below the token stands.
pub(super) const PATH: &str = "_path";

/// Everything about a body that a source or a preset declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub mapper: Mapper,
    /// A call where one of these holds something else is none.
    pub only: Vec<Condition>,
    /// Never kept.
    pub hide: Vec<Pointer>,
    /// Changes when the same event is sent again.
    pub fleeting: Vec<Pointer>,
}

/// A place that holds one of some texts.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    at: Pointer,
    texts: Vec<String>,
}

impl Condition {
    /// What the place holds is one of the texts; `*` is any. `None`: it holds nothing.
    pub(super) fn holds(&self, root: &Json) -> Option<bool> {
        let found = self.at.text(root)?;
        Some(self.texts.iter().any(|text| text == "*" || text.trim().eq_ignore_ascii_case(found.trim())))
    }
}

impl Layout {
    /// Reads its keys. Without a mapping everything is read under the names of the targets.
    pub(super) fn read(keys: &mut Keys) -> Self {
        let mut mapper = mapper::read(keys, &is_target, &targets());
        if mapper.rules.is_empty() {
            mapper.rules = TARGETS.iter().filter_map(|target| native(target)).collect();
        }
        for rule in &mapper.rules {
            check(keys, rule);
        }
        Self {
            mapper,
            only: conditions(keys, "only"),
            hide: mapper::pointers(keys, "hide"),
            fleeting: mapper::pointers(keys, "fleeting"),
        }
    }

    /// Whether it is of a type that is taken.
    pub(super) fn takes(&self, root: &Json) -> bool {
        self.only.iter().all(|condition| condition.holds(root) != Some(false))
    }
}

fn native(target: &str) -> Option<Rule> {
    let at = Pointer::from_str(&format!("/{target}")).ok()?;
    // There may be several recordings; and a sender that has one event does not name it.
    let constant = (target == "event").then(|| "finished".to_owned());
    Some(Rule { target: target.to_owned(), from: vec![at], all: target == "recording", constant, ..Rule::default() })
}

fn is_target(name: &str) -> bool {
    let named = |prefix: &str| name.strip_prefix(prefix).is_some_and(|name| !name.trim().is_empty());
    TARGETS.contains(&name) || attribution_key(name).is_some() || named(FIELD) || named(HANDLE)
}

fn targets() -> String {
    format!(
        "{}, campaign tags such as utm_source and gclid, \"handle:ym_client_id\" and the like, and \"field:Any name\"",
        TARGETS.join(", ")
    )
}

/// Words that a mapping gives for values have to be known ones.
fn check(keys: &mut Keys, rule: &Rule) {
    let known: Vec<&str> = match rule.target.as_str() {
        "event" => KINDS.iter().map(|(name, _)| *name).collect(),
        "direction" => DIRECTIONS.iter().map(|(name, _)| *name).collect(),
        "outcome" => OUTCOMES.iter().map(|(name, _)| *name).collect(),
        _ => return,
    };
    for word in rule.values.values().chain(&rule.constant) {
        if !known.contains(&word.as_str()) {
            keys.problem(&format!("map.{}", rule.target), format!("{word:?} is none of: {}", known.join(", ")));
        }
    }
}

/// `{ "/place" = ["text", ..] }`; a text stands for a list of one, and true or a number for its text.
pub(super) fn conditions(keys: &mut Keys, key: &'static str) -> Vec<Condition> {
    let mut out = Vec::new();
    for (place, value) in keys.table(key).unwrap_or_default() {
        let items = if let Value::Array(items) = &value { items.clone() } else { vec![value] };
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        match (place.parse(), texts) {
            (Ok(at), Some(texts)) if !texts.is_empty() => out.push(Condition { at, texts }),
            (Err(error), _) => keys.problem(&format!("{key}.{place}"), format!("{error}")),
            (Ok(_), _) => keys.problem(&format!("{key}.{place}"), "it must be a text or a list of texts"),
        }
    }
    out
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Boolean(yes) => Some(yes.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}
