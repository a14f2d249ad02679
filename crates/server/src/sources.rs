//! The kinds of sources a configuration can name, and how a source is shown. A connector registers its kinds by one line
//! here.

use std::borrow::Cow;
use std::sync::OnceLock;

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Ask, Mode, PullReport, Push, Script, SourceKind};
use leadgate_core::secret::Secret;
use leadgate_core::views::{SourceHealth, SourceNote};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Source;

/// What every connector brings.
const CONNECTORS: &[&[SourceKind]] =
    &[leadgate_web_forms::KINDS, leadgate_mailbox::KINDS, leadgate_telegram::KINDS, leadgate_telephony::KINDS];

/// Kinds that a program of one's own adds to the shipped ones.
static MORE: OnceLock<&'static [SourceKind]> = OnceLock::new();

/// Adds kinds of a program of one's own, before anything else is done. Only the first call counts.
pub fn add_kinds(kinds: &'static [SourceKind]) {
    MORE.get_or_init(|| kinds);
}

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static SourceKind> {
    let more = MORE.get().copied().unwrap_or_default();
    CONNECTORS.iter().copied().chain([more]).flatten()
}

/// A service that a kind knows how to read.
#[derive(Clone, Copy)]
pub enum Preset {
    /// Of `webhook`.
    Form(&'static leadgate_web_forms::webhook::Preset),
    /// Of `call_webhook`.
    Call(&'static leadgate_telephony::call_webhook::Preset),
}

impl Preset {
    /// The kind it is of.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Form(_) => leadgate_web_forms::webhook::KIND.name,
            Self::Call(_) => leadgate_telephony::call_webhook::KIND.name,
        }
    }

    /// `preset = "..."`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Form(preset) => preset.name,
            Self::Call(preset) => preset.name,
        }
    }

    /// One line for people.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Form(preset) => &preset.about,
            Self::Call(preset) => &preset.about,
        }
    }

    /// A section of the configuration; `{id}` stands for the source's id.
    pub fn example(&self) -> &'static str {
        match self {
            Self::Form(preset) => &preset.example,
            Self::Call(preset) => &preset.example,
        }
    }

    /// Steps to set it up; `{url}` stands for the source's URL.
    pub fn steps(&self, language: &str) -> &'static str {
        match self {
            Self::Form(preset) => preset.steps(language),
            Self::Call(preset) => preset.steps(language),
        }
    }
}

/// Every preset of every kind that has some.
pub fn presets() -> impl Iterator<Item = Preset> {
    let forms = leadgate_web_forms::webhook::presets().iter().map(Preset::Form);
    forms.chain(leadgate_telephony::call_webhook::presets().iter().map(Preset::Call))
}

/// Stands for the kind of a source that is not in the configuration any more.
pub const REMOVED: &str = "removed";

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static SourceKind> {
    kinds().find(|kind| kind.name == name)
}

/// A source as the API and the commands show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    /// Its id.
    pub id: SourceId,
    /// Its kind.
    pub kind: Cow<'static, str>,
    /// Whether it makes leads. If not, what comes to it waits for a person.
    pub enabled: bool,
    /// The gateway asks it: it has no URL. Otherwise its senders call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_asked: bool,
    /// Its full URL with the current token. Absent for those who may not see it, and before a token was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The tag of the script for pages that use it, if its kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// How many tokens it has; two while senders move to a new URL.
    pub tokens: usize,
    /// How it is doing; absent before it sent anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<SourceHealth>,
    /// How reading it goes, if the gateway asks it; absent before it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// How reading a source goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// As whoever reads it told last.
    #[serde(flatten)]
    pub report: PullReport,
    /// When that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// What a person asked for and was not begun yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// When that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

impl From<SourceNote> for Reading {
    fn from(note: SourceNote) -> Self {
        let SourceNote { report, reported_at, ask, asked_at, .. } = note;
        Self { report: report.unwrap_or_default(), reported_at, ask, asked_at }
    }
}

impl Reading {
    /// Of one source among notes of all.
    pub fn of(source: &SourceId, notes: &[SourceNote]) -> Option<Self> {
        notes.iter().find(|note| note.source == *source).cloned().map(Self::from)
    }
}

impl SourceView {
    /// A source below the address `base`.
    pub fn of(source: &Source, base: &str, health: Option<SourceHealth>, reading: Option<Reading>) -> Self {
        Self {
            id: source.id.clone(),
            kind: Cow::Borrowed(source.kind.name),
            enabled: source.enabled,
            is_asked: source.connector.mode.push().is_none(),
            url: source.path().map(|path| format!("{base}{path}")),
            script: script_of(&source.connector.mode).map(|script| script.tag(base, source.id.as_str())),
            tokens: source.tokens.len(),
            health,
            reading,
        }
    }

    /// A source that is not in the configuration any more.
    pub fn removed(id: &SourceId, tokens: &[Secret], base: &str, health: Option<SourceHealth>) -> Self {
        Self {
            id: id.clone(),
            kind: Cow::Borrowed(REMOVED),
            enabled: false,
            is_asked: false,
            url: tokens.first().map(|token| format!("{base}/in/{id}/{}", token.expose())),
            script: None,
            tokens: tokens.len(),
            health,
            reading: None,
        }
    }
}

/// The script that pages may include, if there is one.
pub fn script_of(mode: &Mode) -> Option<Script> {
    mode.push().and_then(Push::script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_complete_and_their_names_are_unique() {
        let mut names: Vec<_> = kinds().map(|kind| kind.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for kind in kinds() {
            assert!(kind.example.contains("[sources.{id}]"), "{}: the example is a section", kind.name);
            assert!(kind.example.contains(&format!("kind = \"{}\"", kind.name)), "{}", kind.name);
            for language in ["ru", "en"] {
                // A sender is told the URL; what is asked can be tried.
                let named = ["{url}", "leadgate source test {id}"].iter().any(|named| (kind.setup)(language).contains(named));
                assert!(named, "{}: the steps in {language} name the URL, or how to try it", kind.name);
            }
            assert!(!kind.about.is_empty());
        }
    }

    #[test]
    fn every_kind_and_preset_has_its_page_in_both_languages() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources");
        let presets = presets().map(|preset| preset.name());
        let missing: Vec<String> = kinds()
            .map(|kind| kind.name)
            .chain(presets)
            .flat_map(|name| [format!("{name}.md"), format!("{name}.ru.md")])
            .filter(|page| !std::path::Path::new(folder).join(page).is_file())
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "pages missing in docs/sources");
    }
}
