//! What an activity would tell that it does not tell now, in lines for people.

use std::collections::BTreeMap;

use leadgate_core::receipt::{Reason, Receipt};
use leadgate_core::replay::{Again, How, Kept};
use leadgate_core::text;
use serde_json::Value;

/// Lines of one submission; more are only counted.
const MOST: usize = 30;
/// The longest value in a line.
const VALUE_BYTES: usize = 120;

/// What is different from what the activity told, and what follows for lead and contact.
pub(super) fn of(kept: &Kept, again: &Again, receipt: &Receipt) -> Vec<String> {
    let (How::Reattach, Some(content)) = (&again.how, &kept.content) else { return Vec::new() };
    let (mut before, mut after) = (flat(content), flat(&again.item.content_json));
    let touch = &again.item.touch_json;
    if !touch.is_empty() {
        before.extend(flat(kept.touch.as_deref().unwrap_or("{}")));
        after.extend(flat(touch));
    }
    let mut lines = Vec::new();
    for (name, value) in &before {
        match after.get(name) {
            None => lines.push(format!("{name}: {value} -> nothing")),
            Some(new) if new != value => lines.push(format!("{name}: {value} -> {new}")),
            Some(_) => {}
        }
    }
    lines.extend(
        after.iter().filter(|(name, _)| !before.contains_key(*name)).map(|(name, value)| format!("{name}: nothing -> {value}")),
    );
    let follows = |reason: &&Reason| {
        matches!(
            reason,
            Reason::NewContact { .. }
                | Reason::Added { .. }
                | Reason::SeemsFrom { .. }
                | Reason::Review { .. }
                | Reason::ClaimLimit { .. }
        )
    };
    lines.extend(receipt.reasons.iter().filter(follows).map(Reason::words));
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// JSON as names and values. A field goes by its own name, a phone or an e-mail by what was typed.
fn flat(json: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    walk("", &value, &mut out);
    out
}

fn walk(name: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let below = |step: &str| if name.is_empty() { step.to_owned() } else { format!("{name}.{step}") };
    match value {
        Value::Null => {}
        Value::Object(object) => object.iter().for_each(|(key, value)| walk(&below(key), value, out)),
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                match named(name, item) {
                    Some((step, text)) => {
                        out.insert(step, text);
                    }
                    None => walk(&below(&(at + 1).to_string()), item, out),
                }
            }
        }
        Value::String(text) => {
            out.insert(name.to_owned(), shown(text));
        }
        scalar => {
            out.insert(name.to_owned(), scalar.to_string());
        }
    }
}

fn named(list: &str, item: &Value) -> Option<(String, String)> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    match list {
        "fields" => Some((format!("field {}", shown(text("name")?)), shown(text("value")?))),
        "values" => {
            let strength = text("strength").unwrap_or("none");
            Some((
                format!("{} {}", text("kind")?, shown(text("typed")?)),
                format!("{} ({strength})", text("value").unwrap_or("no value")),
            ))
        }
        _ => None,
    }
}

fn shown(typed: &str) -> String {
    format!("\"{}\"", text::printable(text::cut(typed, VALUE_BYTES), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_names() {
        let told = flat(
            r#"{"name":"Anna","values":[{"kind":"phone","typed":"8 916","value":"+7916","strength":"strong"}],
                "fields":[{"name":"f1","value":"a\u001b[2Jb"}],"form":{"id":"7"},"consents":[{"given":true}]}"#,
        );
        let told: Vec<String> = told.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            told,
            [
                "consents.1.given=true",
                "field \"f1\"=\"a[2Jb\"",
                "form.id=\"7\"",
                "name=\"Anna\"",
                "phone \"8 916\"=+7916 (strong)"
            ]
        );
    }
}
