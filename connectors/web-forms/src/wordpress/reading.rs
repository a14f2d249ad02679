//! From decoded fields to fields with a meaning: what each plugin adds is taken off, and what it hides in names is read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use jiff::Timestamp;
use leadgate_core::attribution::Origin;
use leadgate_core::submission::Key;
use leadgate_core::text;
use leadgate_wire::body::{self, Entry, Limits};
use leadgate_wire::fields::{self, Found, Kind, classify};

use super::plugin::{self, Plugin};
use super::{elementor, gravity, names, sender};
use crate::draft::Placed;

/// What a plugin says of the visitor.
#[derive(Default)]
pub(super) struct Visitor {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Visitor {
    /// Takes a field that says something of the visitor; `false`: it does not.
    pub(super) fn take(&mut self, entry: &Entry) -> bool {
        if Self::is_agent(entry) {
            self.set_agent(&entry.value)
        } else {
            Self::is_address(entry) && self.set_address(&entry.value)
        }
    }

    /// Whether a field holds the name of a browser.
    pub(super) fn is_agent(entry: &Entry) -> bool {
        let named = names::moment(entry) == Some(names::Moment::Agent)
            || names::is_one_of(fields::last_part(&entry.path), &["user_agent", "_user_agent", "useragent"]);
        let value = entry.value.trim_start();
        named || ["Mozilla/5.0 ", "Mozilla/4.0 ", "Opera/9"].iter().any(|start| value.starts_with(start))
    }

    /// Whether a field is called an address of the network, and holds one.
    pub(super) fn is_address(entry: &Entry) -> bool {
        entry.value.trim().parse::<IpAddr>().is_ok() && fields::label(&entry.path).split(' ').any(|word| word == "ip")
    }

    /// The first one counts.
    pub(super) fn set_agent(&mut self, agent: &str) -> bool {
        if self.user_agent.is_none() {
            self.user_agent = text::present(agent).map(|agent| text::cut(&agent, 500).to_owned());
        }
        true
    }

    /// The first one counts. `false`: it is no address.
    pub(super) fn set_address(&mut self, address: &str) -> bool {
        let address = address.trim().parse().ok();
        if self.address.is_none() {
            self.address = address;
        }
        address.is_some()
    }
}

/// A delivery, read.
pub(super) struct Reading {
    pub plugin: Option<Plugin>,
    pub said: Vec<Placed>,
    pub visitor: Visitor,
    /// Ids of Elementor's fields whose values are not kept.
    pub secrets: HashSet<String>,
    pub keys: Vec<Key>,
    pub occurred_at: Option<Timestamp>,
}

/// A field that is what its name says.
pub(super) fn placed(entry: Entry, from: Origin) -> Placed {
    let named = classify(&entry.path);
    Placed { entry, from, named }
}

fn renamed(mut one: Placed, name: &str) -> Placed {
    one.entry = Entry { name: name.to_owned(), path: vec![name.to_owned()], value: one.entry.value };
    one.named = classify(&one.entry.path);
    one
}

/// Brackets in the names of flat JSON, as of a form that was decoded on its way: `{"fields[name][value]": "Anna"}`.
pub(super) fn respelled(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        if let Cow::Owned(path) = unfolded(&entry.path) {
            entry.path = path;
        }
    }
    entries
}

/// A name's parts, where it still is one part with brackets in it.
pub(super) fn unfolded(path: &[String]) -> Cow<'_, [String]> {
    match path {
        [name] if name.contains('[') => Cow::Owned(body::path(name, Limits::default().depth)),
        _ => Cow::Borrowed(path),
    }
}

/// Gives the fields of a delivery their meaning.
pub(super) fn read(plugin: Option<Plugin>, entries: Vec<Entry>, own: &HashMap<String, Kind>, site: Option<&str>) -> Reading {
    let mut visitor = Visitor::default();
    let mut secrets = HashSet::new();
    let whole_entry = plugin == Some(Plugin::Gravity) && plugin::is_whole_entry(&entries);
    let entries = linked_files(inline_files(entries));
    let said = if plugin == Some(Plugin::Elementor) && entries.iter().any(|entry| names::elementor_part(entry).is_some()) {
        let (said, hidden) = elementor::advanced(entries, own, &mut visitor);
        secrets = hidden;
        said
    } else {
        entries.into_iter().map(|entry| placed(entry, Origin::Field)).collect()
    };
    let mut said: Vec<Placed> = said.into_iter().map(|one| plainly(one, plugin, own)).collect();
    let (id, form) = ids(plugin, &mut said);
    let made = said.iter().find(|one| whole_entry && one.entry.name == "date_created");
    let occurred_at = made.and_then(|one| gravity::made_at(&one.entry.value));
    said = match plugin {
        Some(Plugin::Elementor) => elementor::simple(said, &mut visitor),
        Some(Plugin::Gravity) => gravity::sort(said, whole_entry),
        Some(Plugin::WpForms) => wpforms(said),
        _ => said,
    };
    said.retain(|one| !names::is_one_of(&one.entry.name, names::OF_THE_MOMENT) && !visitor.take(&one.entry));
    let keys = key(id.as_deref(), form.as_deref(), page_host(&said).as_deref().or(site)).into_iter().collect();
    Reading { plugin, said, visitor, secrets, keys, occurred_at }
}

/// Names as they are meant, unless the owner says what they are.
fn plainly(one: Placed, plugin: Option<Plugin>, own: &HashMap<String, Kind>) -> Placed {
    let entry = &one.entry;
    if own.contains_key(&entry.name.trim().to_lowercase()) {
        return one;
    }
    let first = entry.path.first().map(|first| first.trim()).unwrap_or_default();
    if let Some(rest) = names::without_block(first) {
        let rest = rest.to_owned();
        return saying(renamed(one, &rest));
    }
    if plugin == Some(Plugin::Forminator)
        && let Some(("name", rest)) = names::element(first)
    {
        let part = if rest.is_empty() { fields::last_part(&entry.path[1..]) } else { rest };
        let part = part.trim().to_lowercase();
        if matches!(part.replace('_', "-").as_str(), "first-name" | "middle-name" | "last-name") {
            return renamed(one, &part);
        }
    }
    // Its hidden fields have no names of their own; an address in one is the page's.
    if plugin == Some(Plugin::Forminator)
        && matches!(names::element(first), Some(("hidden", _)))
        && sender::host(&entry.value).is_some()
    {
        let named = Found { kind: Kind::Page, exact: true };
        return Placed { named, ..one };
    }
    if plugin == Some(Plugin::Fluent) && first == "response" && entry.path.len() > 1 {
        let path = entry.path[1..].to_vec();
        let name = path.join("[") + if path.len() > 1 { "]" } else { "" };
        let entry = Entry { name, path, value: one.entry.value };
        return saying(placed(entry, one.from));
    }
    saying(one)
}

/// Takes the meaning of a name that has none.
fn saying(mut one: Placed) -> Placed {
    if one.entry.path.len() == 1 && names::says_nothing(&one.entry.name) {
        one.named = Found { kind: Kind::Other, exact: false };
    }
    one
}

/// The plugin's id of the entry, and of the form. The former is taken out: it says nothing to people.
fn ids(plugin: Option<Plugin>, said: &mut Vec<Placed>) -> (Option<String>, Option<String>) {
    let mut id = None;
    let mut form = None;
    if plugin == Some(Plugin::Fluent) {
        (id, form) = fluent(said);
    }
    let names: &[&str] = match plugin {
        Some(Plugin::Gravity) => &["id", "entry_id"],
        Some(Plugin::ContactForm7) => &[],
        _ => &["entry_id", "entry id", "entryid", "submission_id", "submission id"],
    };
    said.retain(|one| {
        let found = id.is_none() && one.entry.path.len() == 1 && names::is_one_of(&one.entry.name, names);
        if found {
            id = text::present(&one.entry.value);
        }
        !found
    });
    let of_form = said.iter().find(|one| one.named.kind == Kind::FormId).and_then(|one| text::present(&one.entry.value));
    (id, form.or(of_form))
}

/// `__submission`: what Fluent Forms keeps of an entry. Its page, address and form are of use; the rest repeats the fields or
/// guesses a country.
fn fluent(said: &mut Vec<Placed>) -> (Option<String>, Option<String>) {
    let (submission, mut rest): (Vec<Placed>, Vec<Placed>) = std::mem::take(said)
        .into_iter()
        .partition(|one| one.entry.path.first().is_some_and(|first| first.trim() == "__submission"));
    let value = |name: &str| {
        let one = submission.iter().find(|one| matches!(one.entry.path.as_slice(), [_, key] if key == name));
        one.and_then(|one| text::present(&one.entry.value))
    };
    for name in ["form_id", "source_url", "ip"] {
        if let Some(value) = value(name).filter(|_| !rest.iter().any(|one| one.entry.name == name)) {
            rest.push(placed(Entry { name: name.to_owned(), path: vec![name.to_owned()], value }, Origin::Field));
        }
    }
    let ids = (value("id"), value("form_id"));
    *said = rest;
    ids
}

/// Several values of one field stand in one text; a date brings its number of seconds along.
fn wpforms(mut said: Vec<Placed>) -> Vec<Placed> {
    said.retain(|one| !matches!(one.entry.path.as_slice(), [_, last] if last == "unix"));
    for one in &mut said {
        if matches!(one.entry.path.as_slice(), [_, last] if last == "value") {
            one.entry.path.pop();
            one.entry.name.clone_from(&one.entry.path[0]);
        }
        if one.entry.value.contains("||") {
            one.entry.value = one.entry.value.split("||").map(str::trim).collect::<Vec<_>>().join(", ");
        }
    }
    said
}

/// The site by the page the form stood on.
fn page_host(said: &[Placed]) -> Option<String> {
    said.iter().filter(|one| one.named.kind == Kind::Page).find_map(|one| sender::host(&one.entry.value))
}

/// Entries are counted by each site: without the site an id says nothing.
fn key(id: Option<&str>, form: Option<&str>, site: Option<&str>) -> Option<Key> {
    Key::new("entry", &format!("{}:{}:{}", site?, form.unwrap_or_default(), id?))
}

/// A file on the site, `{"name": .., "file_url": .., "file_path": ..}`: its address stands for it.
fn linked_files(entries: Vec<Entry>) -> Vec<Entry> {
    let parent = |entry: &Entry| entry.path.split_last().map(|(_, parent)| parent.to_vec());
    let is_link = |entry: &Entry| entry.path.len() > 1 && entry.path.last().is_some_and(|last| last == "file_url");
    let linked: HashSet<Vec<String>> = entries.iter().filter(|entry| is_link(entry)).filter_map(parent).collect();
    if linked.is_empty() {
        return entries;
    }
    let mut out = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if is_link(&entry) {
            entry.path.truncate(1);
            entry.name.clone_from(&entry.path[0]);
            out.push(entry);
        } else if !parent(&entry).is_some_and(|parent| linked.contains(&parent)) {
            out.push(entry);
        }
    }
    out
}

/// A file inside of the message, `{"filename": .., "content": <base64>}`: its name stands for it.
fn inline_files(entries: Vec<Entry>) -> Vec<Entry> {
    let sizes: HashMap<Vec<String>, usize> = entries
        .iter()
        .filter(|entry| entry.path.len() > 1 && entry.path.last().is_some_and(|last| last == "content"))
        .map(|entry| (entry.path[..entry.path.len() - 1].to_vec(), entry.value.len() / 4 * 3))
        .collect();
    if sizes.is_empty() {
        return entries;
    }
    let size_of = |entry: &Entry| entry.path.split_last().and_then(|(_, parent)| sizes.get(parent));
    let named: HashSet<Vec<String>> = entries
        .iter()
        .filter(|entry| entry.path.last().is_some_and(|last| last == "filename") && size_of(entry).is_some())
        .map(|entry| entry.path[..entry.path.len() - 1].to_vec())
        .collect();
    let with_file = |entry: &Entry| entry.path.split_last().is_some_and(|(_, parent)| named.contains(parent));
    let mut out = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if !with_file(&entry) {
            out.push(entry);
            continue;
        }
        if entry.path.last().is_some_and(|last| last == "filename") {
            let size = size_of(&entry).copied().unwrap_or_default();
            entry.value =
                format!("{} (about {size} bytes, sent inside of the message: let the plugin send a link)", entry.value.trim());
            entry.path.pop();
            entry.name = entry.path.first().cloned().unwrap_or_default();
            out.push(entry);
        }
    }
    out
}
