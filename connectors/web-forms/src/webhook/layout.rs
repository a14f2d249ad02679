//! How a service lays out its bodies.

use std::collections::BTreeSet;

use leadgate_core::attribution::attribution_key;
use leadgate_core::submission::Key;
use leadgate_wire::fields::Kind;
use leadgate_wire::json::Json;
use leadgate_wire::keys::Keys;
use leadgate_wire::mapper::{self, Mapper};
use leadgate_wire::pointer::Pointer;
use toml::Value;

/// What can be read besides the kinds of field and the campaign tags.
pub(super) const MORE_TARGETS: &[&str] = &["occurred_at", "address", "user_agent", "language"];

/// Begins the name of a target that becomes a field of that name: `field:Budget`.
pub(super) const FIELD: &str = "field:";

/// Everything about a body that a source or a preset declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub mapper: Mapper,
    /// The first of these is the key of a delivery.
    pub key: Vec<Pointer>,
    /// A delivery where one of these holds something else is none.
    pub only: Vec<Condition>,
    /// A delivery where one of these holds is a test.
    pub test: Vec<Condition>,
    /// Never kept.
    pub hide: Vec<Pointer>,
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
    /// Reads its keys.
    pub(super) fn read(keys: &mut Keys) -> Self {
        Self {
            mapper: mapper::read(keys, &is_target, &targets()),
            key: mapper::pointers(keys, "key"),
            only: conditions(keys, "only"),
            test: conditions(keys, "test"),
            hide: mapper::pointers(keys, "hide"),
        }
    }

    /// The key of a delivery.
    pub(super) fn keys(&self, root: &Json) -> Vec<Key> {
        let first = self.key.iter().find_map(|key| key.text(root));
        first.and_then(|value| Key::new("delivery", &value)).into_iter().collect()
    }

    /// Whether it is of a type that is taken.
    pub(super) fn takes(&self, root: &Json) -> bool {
        self.only.iter().all(|condition| condition.holds(root) != Some(false))
    }

    /// Whether it is marked as a test.
    pub(super) fn is_test(&self, root: &Json) -> bool {
        self.test.iter().any(|condition| condition.holds(root) == Some(true))
    }
}

fn is_target(name: &str) -> bool {
    Kind::parse(name).is_some_and(|kind| !matches!(kind, Kind::Service | Kind::Secret | Kind::Other))
        || attribution_key(name).is_some()
        || MORE_TARGETS.contains(&name)
        || name.strip_prefix(FIELD).is_some_and(|name| !name.trim().is_empty())
}

fn targets() -> String {
    let kinds: BTreeSet<&str> = Kind::names().filter(|name| is_target(name)).chain(MORE_TARGETS.iter().copied()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    format!("{}, campaign tags such as utm_source and gclid, and \"field:Any name\"", kinds.join(", "))
}

/// `{ "/place" = ["text", ..] }`; a text stands for a list of one, and true or a number for its text.
pub(super) fn conditions(keys: &mut Keys, key: &'static str) -> Vec<Condition> {
    let mut out = Vec::new();
    for (place, value) in keys.table(key).unwrap_or_default() {
        let items = if let Value::Array(items) = &value { items.clone() } else { vec![value] };
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        match (place.parse(), texts) {
            (Ok(at), Some(texts)) if !texts.is_empty() => out.push(Condition { at, texts }),
            (Err(error), _) => keys.problem(&format!("{key}.{place}"), error.to_string()),
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
