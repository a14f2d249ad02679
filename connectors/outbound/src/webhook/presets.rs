//! The systems that are known: a file each in `config/presets/outgoing`.

use std::sync::LazyLock;

use leadgate_wire::keys::Keys;
use toml::{Table, Value};

/// A system that takes webhooks of its own kind.
pub struct Preset {
    /// `preset = "..."`.
    pub name: &'static str,
    /// One line for people.
    pub about: String,
    /// A config section, commented; `{id}` stands for the webhook's id.
    pub example: String,
    /// The keys of a section.
    pub(super) table: Table,
    steps: Table,
}

const FILES: &[(&str, &str)] = &[
    ("amocrm", include_str!("../../../../config/presets/outgoing/amocrm.toml")),
    ("hubspot", include_str!("../../../../config/presets/outgoing/hubspot.toml")),
    ("slack", include_str!("../../../../config/presets/outgoing/slack.toml")),
    ("mattermost", include_str!("../../../../config/presets/outgoing/mattermost.toml")),
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
    /// Steps to set it up, by language; `{id}` stands for the webhook's id.
    pub fn steps(&self, language: &str) -> &str {
        self.steps.get(language).or_else(|| self.steps.get("en")).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads a file. A mistake in it is told by a test, which builds a webhook of every preset; here it counts as silence.
fn read(name: &'static str, text: &str) -> Preset {
    let mut table: Table = text.parse().unwrap_or_default();
    let mut about = Keys::new(match table.remove("preset") {
        Some(Value::Table(about)) => about,
        _ => Table::new(),
    });
    Preset {
        name,
        about: about.text("about").unwrap_or_default(),
        example: about.text("example").unwrap_or_default(),
        steps: about.table("steps").unwrap_or_default(),
        table,
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
            for key in ["about", "example"] {
                assert!(keys.text(key).is_some_and(|text| !text.is_empty()), "{name}: {key}");
            }
            keys.table("steps");
            assert_eq!(keys.finish(), [], "{name}");
            let preset = preset(name).unwrap();
            for language in ["en", "ru"] {
                assert!(preset.steps[language].as_str().unwrap().contains("leadgate webhook test {id}"), "{name}: {language}");
            }
            assert!(
                preset.example.contains("[webhooks.{id}]") && preset.example.contains(&format!("preset = \"{name}\"")),
                "{name}"
            );
        }
    }
}
