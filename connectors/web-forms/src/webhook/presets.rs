//! The services that are known: a file each in `config/presets`.

use std::sync::LazyLock;

use leadgate_wire::json::Json;
use leadgate_wire::keys::Keys;
use leadgate_wire::pointer::Pointer;
use toml::{Table, Value};

use super::layout::{Condition, Layout, conditions};

/// A service's webhook.
pub struct Preset {
    /// `preset = "..."`.
    pub name: &'static str,
    /// One line for people.
    pub about: String,
    /// A config section, commented; `{id}` stands for the source's id.
    pub example: String,
    /// The keys of a section.
    pub(super) table: Table,
    steps: Table,
    layout: Layout,
    /// What tells its bodies from others.
    signs: Vec<Condition>,
}

const FILES: &[(&str, &str)] = &[
    ("typeform", include_str!("../../../../config/presets/typeform.toml")),
    ("tally", include_str!("../../../../config/presets/tally.toml")),
    ("jotform", include_str!("../../../../config/presets/jotform.toml")),
    ("webflow", include_str!("../../../../config/presets/webflow.toml")),
    ("google_forms", include_str!("../../../../config/presets/google_forms.toml")),
    ("google_ads", include_str!("../../../../config/presets/google_ads.toml")),
    ("vk", include_str!("../../../../config/presets/vk.toml")),
    ("meta_lead", include_str!("../../../../config/presets/meta_lead.toml")),
    ("roistat", include_str!("../../../../config/presets/roistat.toml")),
];

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| FILES.iter().map(|(name, text)| read(name, text)).collect());

/// Every preset.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// The preset of a name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Steps to set it up, by language; `{url}` stands for the source's URL.
    pub fn steps(&self, language: &str) -> &str {
        self.steps.get(language).or_else(|| self.steps.get("en")).and_then(Value::as_str).unwrap_or_default()
    }
}

/// How a known service lays out its bodies, if this is one of them.
pub(super) fn recognised(root: &Json) -> Option<&'static Layout> {
    let is =
        |preset: &&Preset| !preset.signs.is_empty() && preset.signs.iter().all(|condition| condition.holds(root) == Some(true));
    presets().iter().find(is).map(|preset| &preset.layout)
}

/// What any service hides.
pub(super) fn hidden() -> impl Iterator<Item = &'static Pointer> {
    presets().iter().flat_map(|preset| &preset.layout.hide)
}

/// Reads a file. A mistake in it is told by a test, which builds a source of every preset; here it counts as silence.
fn read(name: &'static str, text: &str) -> Preset {
    let mut table: Table = text.parse().unwrap_or_default();
    let mut about = Keys::new(match table.remove("preset") {
        Some(Value::Table(about)) => about,
        _ => Table::new(),
    });
    let layout = Layout::read(&mut Keys::new(table.clone()));
    Preset {
        name,
        about: about.text("about").unwrap_or_default(),
        example: about.text("example").unwrap_or_default(),
        steps: about.table("steps").unwrap_or_default(),
        signs: conditions(&mut about, "signs"),
        table,
        layout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_whole() {
        for (name, text) in FILES {
            let table: Table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut keys = Keys::new(table["preset"].as_table().unwrap().clone());
            assert!(!conditions(&mut keys, "signs").is_empty(), "{name}");
            for key in ["about", "example"] {
                assert!(keys.text(key).is_some_and(|text| !text.is_empty()), "{name}: {key}");
            }
            keys.table("steps");
            assert_eq!(keys.finish(), [], "{name}");
            let preset = preset(name).unwrap();
            for language in ["en", "ru"] {
                assert!(preset.steps[language].as_str().unwrap().contains("{url}"), "{name}: {language}");
            }
            assert!(
                preset.example.contains("[sources.{id}]") && preset.example.contains(&format!("preset = \"{name}\"")),
                "{name}"
            );
        }
    }

    #[test]
    fn no_body_is_of_two_services() {
        for preset in presets() {
            let same = presets().iter().filter(|other| format!("{:?}", other.signs) == format!("{:?}", preset.signs));
            assert_eq!(same.count(), 1, "{}", preset.name);
        }
    }
}
