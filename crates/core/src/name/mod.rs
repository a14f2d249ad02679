//! Names of people: kept as typed, compared by what the spellings of one name have in common.
//!
//! A name is a set of tokens, not a first and a last field: forms mix the order, leave parts out and write one name in
//! several scripts. [`fold`] brings spellings together, [`read`] says which words are a name, [`compare`] says whether
//! two names can be one person's.

mod compare;
mod fold;
mod given;
mod key;
mod reading;
#[cfg(test)]
mod tests;
mod words;

pub use compare::{Agreement, compare};
pub use fold::fold;
pub use key::NameKey;
pub use reading::read;

/// Version of the canonical form; stored beside values so that a change of rules can be re-run.
pub const VERSION: u16 = 1;

/// A name as somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName {
    /// What was typed, with single blanks and without invisible characters. Never anything less.
    pub typed: String,
    /// The words that are part of a name, in the order of the text; empty if the text is no name.
    pub tokens: Vec<Token>,
}

impl PersonName {
    /// Whether there is a word that names a person. Initials, titles and suffixes alone name nobody.
    pub fn is_real(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token.tag, Tag::Word | Tag::Patronymic))
    }

    /// The storable form that names are compared by.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.tokens)
    }
}

/// One word of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As typed.
    pub text: String,
    /// The fold key, see [`fold`].
    pub fold: String,
    /// What the word is.
    pub tag: Tag,
}

/// What a word of a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// A given name or a surname.
    Word,
    /// A single letter that stands for a word: `И.`
    Initial,
    /// A name after the father: `Сергеевна`, `Ivanovich`, `кызы`.
    Patronymic,
    /// A form of address, a profession or a particle (`г-н`, `Dr`, `ИП`, `van`): says nothing about who it is.
    Title,
    /// `Jr`, `Sr`, `II`, `младший`: tells people of one name apart.
    Suffix,
}
