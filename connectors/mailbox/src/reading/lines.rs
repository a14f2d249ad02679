//! Lines of a text as the readers of this folder look at them, never at more of one than its beginning.

use std::borrow::Cow;

/// No label, no attribution and no closing of a letter is longer, bytes.
const LOOKED_AT: usize = 400;

/// The beginning of a line without the blanks around it, its no-break spaces made spaces and invisible marks left out.
pub(super) fn flat(line: &str) -> Cow<'_, str> {
    let line = leadgate_core::text::cut(line.trim(), LOOKED_AT);
    if line.is_ascii() {
        return Cow::Borrowed(line);
    }
    let visible =
        line.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}'));
    let flat: String = visible.map(|c| if matches!(c, '\u{a0}' | '\u{202f}') { ' ' } else { c }).collect();
    Cow::Owned(flat.trim().to_owned())
}

/// [`flat`], in lower case.
pub(super) fn lower(line: &str) -> String {
    flat(line).to_lowercase()
}

/// Nothing is to be seen in it.
pub(super) fn is_blank(line: &str) -> bool {
    line.chars().all(|c| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
}

/// A line across: nothing but dashes, underscores or the like.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 5 && line.chars().all(|c| matches!(c, '-' | '_' | '=' | '*' | '\u{2014}' | '\u{2500}'))
}

/// Marked as quoted: `>` at its beginning.
pub(super) fn is_prefixed(line: &str) -> bool {
    line.trim_start_matches([' ', '\t', '\u{a0}']).starts_with('>')
}

/// Lines as one text: blanks at their ends and around it left out, several empty lines made one.
pub(super) fn tidy<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut empty = 0_usize;
    for line in lines {
        if is_blank(line) {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line.trim_end());
    }
    out
}

/// A word's letters and digits, without what stands around them.
pub(super) fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Whether a text begins with a phrase and the phrase ends where a word ends.
pub(super) fn begins(text: &str, phrase: &str) -> bool {
    text.strip_prefix(phrase).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}
