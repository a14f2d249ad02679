//! What is wrong with a configuration, in words, all of it at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key path, such as `company.country`; empty when it is about a whole file.
    pub key: String,
    /// The file or the environment variable it stands in; empty if nothing is written anywhere.
    pub place: String,
    /// What is wrong, and what would be right.
    pub words: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "the configuration has a problem:")?,
            n => writeln!(f, "the configuration has {n} problems:")?,
        }
        for problem in &self.0 {
            let heading = match (problem.key.as_str(), problem.place.as_str()) {
                ("", place) => place.to_owned(),
                (key, "") => key.to_owned(),
                (key, place) => format!("{key}  ({place})"),
            };
            write!(f, "\n  {heading}\n")?;
            for line in problem.words.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The nearest of the known words, if it is near enough to have been meant.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&typed, &word.to_lowercase()), word))
        .filter(|(distance, word)| {
            *distance <= 1 + word.chars().count() / 5 || (typed.len() > 3 && word.to_lowercase().starts_with(&typed))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `; did you mean "x"?`, or a list of what there is.
pub(super) fn suggestion(typed: &str, known: &[&str]) -> String {
    match did_you_mean(typed, known.iter().copied()) {
        Some(word) => format!("; did you mean \"{word}\"?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are: {}", known.join(", ")),
    }
}
