//! The languages the gateway speaks to people of the company.

use std::fmt;

use serde::Serialize;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Russian.
    Ru,
    /// English.
    #[default]
    En,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Ru, Self::En];

    /// The code in the configuration and on pages, and the folder of its templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
