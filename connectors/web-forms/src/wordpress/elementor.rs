//! Elementor's two ways of sending a form: labels as names, or every field with its type, title and values.

use std::collections::{HashMap, HashSet};

use leadgate_core::attribution::{Origin, attribution_key};
use leadgate_wire::body::Entry;
use leadgate_wire::fields::{Found, Kind, classify};

use super::names::{self, Moment};
use super::reading::{Visitor, placed};
use crate::draft::Placed;

/// A field in the advanced form.
#[derive(Default)]
struct Field {
    kind: String,
    title: String,
    value: String,
    raw: Vec<String>,
}

/// Takes the advanced form apart: its fields in order, then what else was sent. What the plugin says of the moment goes to
/// the visitor. The names of fields that hold secrets are returned, too: their values are not kept.
pub(super) fn advanced(
    entries: Vec<Entry>,
    own: &HashMap<String, Kind>,
    visitor: &mut Visitor,
) -> (Vec<Placed>, HashSet<String>) {
    let mut fields: Vec<(String, Field)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut others = Vec::new();
    for entry in entries {
        if let Some((id, part)) = names::elementor_part(&entry) {
            let at = *places.entry(id.to_owned()).or_insert_with(|| {
                fields.push((id.to_owned(), Field::default()));
                fields.len() - 1
            });
            let field = &mut fields[at].1;
            match part {
                "type" => field.kind = entry.value,
                "title" => field.title = entry.value,
                "value" => field.value = entry.value,
                "raw_value" => field.raw.push(entry.value),
                _ => {}
            }
        } else if let Some((key, part)) = meta(&entry) {
            if part == "value" {
                let name = key.to_owned();
                others.extend(of_the_moment(&name, entry.value, visitor));
            }
        } else {
            others.push(placed(entry, Origin::Field));
        }
    }
    let mut secrets = HashSet::new();
    let mut said = Vec::with_capacity(fields.len() + others.len());
    for (id, field) in fields {
        let one = field.placed(&id, own);
        if one.named.kind == Kind::Secret {
            secrets.insert(id);
        }
        said.push(one);
    }
    said.append(&mut others);
    (said, secrets)
}

fn meta(entry: &Entry) -> Option<(&str, &str)> {
    match entry.path.as_slice() {
        [root, key, part] if root.trim() == "meta" => Some((key, part)),
        _ => None,
    }
}

/// What `meta[<key>]` says, if it is not for the visitor or for nobody.
fn of_the_moment(key: &str, value: String, visitor: &mut Visitor) -> Option<Placed> {
    match key {
        "date" | "time" | "credit" => None,
        "user_agent" if visitor.set_agent(&value) => None,
        "remote_ip" if visitor.set_address(&value) => None,
        _ => Some(placed(Entry { name: key.to_owned(), path: vec![key.to_owned()], value }, Origin::Field)),
    }
}

impl Field {
    /// What the field is: by what the owner says, then its type, its title and its id.
    fn placed(self, id: &str, own: &HashMap<String, Kind>) -> Placed {
        let title = self.title.trim();
        let name = if title.is_empty() || own.contains_key(&id.trim().to_lowercase()) || attribution_key(id).is_some() {
            id
        } else {
            title
        };
        let by = |text: &str| if text.is_empty() { None } else { Some(classify(&[text.to_owned()])) };
        let by_words = || {
            let found = by(title).filter(|found| found.kind != Kind::Other).or_else(|| by(id));
            found.unwrap_or(Found { kind: Kind::Other, exact: false })
        };
        let sure = |kind| Found { kind, exact: true };
        let named = match self.kind.as_str() {
            "email" => sure(Kind::Email),
            "tel" => sure(Kind::Phone),
            "password" => sure(Kind::Secret),
            "acceptance" => sure(Kind::Consent),
            "textarea" => match by_words() {
                found if found.kind == Kind::Secret => found,
                found => Found { kind: Kind::Message, exact: found.kind == Kind::Message && found.exact },
            },
            "upload" | "date" | "time" | "number" | "url" => Found { kind: Kind::Other, exact: false },
            _ => by_words(),
        };
        let value = if self.value.trim().is_empty() { self.raw.join(", ") } else { self.value };
        Placed { entry: Entry { name: name.to_owned(), path: vec![name.to_owned()], value }, from: Origin::Field, named }
    }
}

/// Takes what the plugin says of the moment out of the simple form: a block behind the fields, under translated titles.
pub(super) fn simple(mut said: Vec<Placed>, visitor: &mut Visitor) -> Vec<Placed> {
    let of_form = |one: &Placed| names::is_one_of(&one.entry.name, &["form_id", "form_name"]);
    let end = said.iter().rposition(|one| !of_form(one)).map_or(0, |at| at + 1);
    let of_moment = |one: &Placed| {
        one.named.kind == Kind::Page
            || names::moment(&one.entry).is_some()
            || Visitor::is_agent(&one.entry)
            || Visitor::is_address(&one.entry)
    };
    let start = said[..end].iter().rposition(|one| !of_moment(one)).map_or(0, |at| at + 1);
    // Only with something no visitor types is it the plugin's block; a form may ask for a day and an hour itself.
    let block = said[start..end].iter().any(|one| {
        Visitor::is_agent(&one.entry) || Visitor::is_address(&one.entry) || names::moment(&one.entry) == Some(Moment::Credit)
    });
    if block {
        let mut at = 0;
        said.retain(|one| {
            let inside = (start..end).contains(&at);
            at += 1;
            !inside || !matches!(names::moment(&one.entry), Some(Moment::Day | Moment::Hour | Moment::Credit))
        });
    }
    said.retain(|one| !visitor.take(&one.entry));
    said
}
