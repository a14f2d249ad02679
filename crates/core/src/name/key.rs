//! The storable form of a name.

use std::fmt;

use super::{Tag, Token, fold};

/// Folded tokens in a compact, storable form: words separated by blanks, `i.` for an initial, `~ivanovič` for a
/// patronymic, `^jr` for a suffix. Titles are left out. Empty for what is no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct NameKey(String);

/// The most tokens kept; a text with more words is no name.
pub(super) const MAX_TOKENS: usize = 8;

impl NameKey {
    /// The text to store; [`parse`](Self::parse) reads it back.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a stored text. Total: whatever is not a key of this form is folded as if it were a name's words.
    pub fn parse(text: &str) -> Self {
        let mut key = Self::default();
        for part in text.split_whitespace().take(MAX_TOKENS) {
            let (tag, word) = match part.strip_prefix('^') {
                Some(suffix) => (Tag::Suffix, suffix.chars().filter(char::is_ascii_lowercase).collect()),
                None => match part.strip_prefix('~') {
                    Some(patronymic) => (Tag::Patronymic, fold(patronymic)),
                    None => (if part.ends_with('.') { Tag::Initial } else { Tag::Word }, fold(part)),
                },
            };
            key.push(tag, &word);
        }
        key
    }

    /// Whether there is nothing to compare.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(tokens: &[Token]) -> Self {
        let mut key = Self::default();
        for token in tokens.iter().take(MAX_TOKENS) {
            key.push(token.tag, &token.fold);
        }
        key
    }

    fn push(&mut self, tag: Tag, word: &str) {
        if word.is_empty() || tag == Tag::Title {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        match tag {
            Tag::Initial => {
                self.0.extend(word.chars().next());
                self.0.push('.');
            }
            Tag::Patronymic => {
                self.0.push('~');
                self.0.push_str(word);
            }
            Tag::Suffix => {
                self.0.push('^');
                self.0.push_str(word);
            }
            Tag::Word | Tag::Title => self.0.push_str(word),
        }
    }

    /// The tokens with what they are.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Tag, &str)> {
        self.0.split_ascii_whitespace().map(|part| match part.as_bytes()[0] {
            b'~' => (Tag::Patronymic, &part[1..]),
            b'^' => (Tag::Suffix, &part[1..]),
            _ => part.strip_suffix('.').map_or((Tag::Word, part), |initial| (Tag::Initial, initial)),
        })
    }
}

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for NameKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::parse(text))
    }
}
