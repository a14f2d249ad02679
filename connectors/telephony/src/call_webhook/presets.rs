//! The providers whose calls come by a declared mapping: a file each in `presets`.

use std::sync::LazyLock;

use leadgate_wire::keys::Keys;
use toml::{Table, Value};

/// A provider's webhook for calls.
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
}

const FILES: &[(&str, &str)] = &[
    ("uis", include_str!("../../presets/uis.toml")),
    ("binotel", include_str!("../../presets/binotel.toml")),
    ("telphin", include_str!("../../presets/telphin.toml")),
    ("callrail", include_str!("../../presets/callrail.toml")),
    ("calltouch", include_str!("../../presets/calltouch.toml")),
    ("ringostat", include_str!("../../presets/ringostat.toml")),
    ("voximplant", include_str!("../../presets/voximplant.toml")),
    ("3cx", include_str!("../../presets/3cx.toml")),
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

/// Reads a file. A mistake in it is told by a test, which builds a source of every preset; here it counts as silence.
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
                assert!(preset.steps[language].as_str().unwrap().contains("{url}"), "{name}: {language}");
            }
            assert!(
                preset.example.contains("[sources.{id}]") && preset.example.contains(&format!("preset = \"{name}\"")),
                "{name}"
            );
        }
    }

    #[test]
    fn every_preset_and_its_example_make_a_source() {
        for preset in presets() {
            let bare = crate::testing::source(&super::super::KIND, &format!("preset = \"{}\"", preset.name));
            assert!(bare.rules.calls.quiet.as_secs() >= 30, "{}", preset.name);
            // Also with every key that the example only names.
            let keys = |text: &str| -> Table {
                let table: Table = text.replace("{id}", "x").parse().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
                let mut keys = table["sources"]["x"].as_table().unwrap().clone();
                assert_eq!(keys.remove("kind").unwrap().as_str(), Some("call_webhook"));
                keys
            };
            let is_key = |line: &str| {
                line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            };
            let whole: Vec<&str> =
                preset.example.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line)).collect();
            for text in
                [preset.example.clone(), whole.join("\n").replace("{ env = ", "\"").replace("\" }", "\"").replace("\"\"", "\"")]
            {
                crate::testing::source(&super::super::KIND, &toml::to_string(&keys(&text)).unwrap());
            }
        }
    }
}
