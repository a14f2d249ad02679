//! A mail as lines of cells, whatever it was written in.

use std::borrow::Cow;

/// The most lines that are looked at. A form with more fields is none, and a longer message is read from the whole text.
pub(super) const MOST_LINES: usize = 3000;

/// A line: one cell, or a row of a table. Blank lines have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub cells: Vec<Cell>,
}

/// A piece of text that stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Trimmed; within a row of a table it may hold line breaks.
    pub text: String,
    /// How many bytes of it, from the beginning, are set in bold.
    pub strong: usize,
    /// The first web address it links to.
    pub link: Option<String>,
}

impl Cell {
    /// Whether all of it is set in bold.
    pub(super) fn is_strong(&self) -> bool {
        self.strong > 0 && self.strong >= self.text.len()
    }
}

impl Line {
    pub(super) fn is_blank(&self) -> bool {
        self.cells.is_empty()
    }

    /// The whole line, cells apart by a space.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self.cells.as_slice() {
            [one] => Cow::Borrowed(&one.text),
            cells => Cow::Owned(cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// The lines of a plain text. Cells are divided by tabs or by bars (`| a | b |`).
pub(super) fn plain(text: &str) -> Vec<Line> {
    text.lines().take(MOST_LINES).map(line).collect()
}

fn line(text: &str) -> Line {
    let trimmed = text.trim();
    let barred = trimmed.len() > 2 && trimmed.starts_with('|') && trimmed.ends_with('|');
    let inner = if barred { trimmed.trim_matches('|') } else { trimmed };
    let cells = inner.split(if barred { '|' } else { '\t' }).filter_map(cell);
    Line { cells: cells.take(MOST_CELLS).collect() }
}

/// The most cells of a row.
pub(super) const MOST_CELLS: usize = 40;

fn cell(text: &str) -> Option<Cell> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}');
    if text.is_empty() {
        return None;
    }
    Some(decorated(text).unwrap_or_else(|| Cell { text: text.to_owned(), ..Cell::default() }))
}

/// `*Name:* Anna`, `**Name**`, `--- Name ---`, `=== Name ===`: what plain text has instead of bold letters.
fn decorated(text: &str) -> Option<Cell> {
    let sign = text.chars().next().filter(|c| matches!(c, '*' | '-' | '=' | '_' | '~'))?;
    let run = text.chars().take_while(|c| *c == sign).count();
    let rest = &text[run..];
    if matches!(sign, '-' | '=' | '~') && run < 2 || run > 60 || rest.is_empty() || run == 1 && rest.starts_with(' ') {
        return None;
    }
    let close: String = std::iter::repeat_n(sign, if matches!(sign, '*' | '_') { run } else { 2 }).collect();
    let at = rest.find(close.as_str())?;
    let inner = rest[..at].trim();
    let after = rest[at..].trim_start_matches(sign);
    if inner.is_empty() || (!matches!(sign, '*' | '_') && !after.trim().is_empty()) {
        return None;
    }
    let mut whole = inner.to_owned();
    let strong = whole.len();
    whole.push_str(after.trim_end());
    Some(Cell { text: whole, strong, link: None })
}

/// Whether a line only divides what stands above from what stands below.
pub(super) fn is_rule(text: &str) -> bool {
    text.len() >= 2 && text.chars().all(|c| matches!(c, '-' | '=' | '_' | '*' | '~' | '–' | '—' | '─' | '━' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_have_cells_and_bold_beginnings() {
        for (text, cells) in [
            ("Name:\tAnna", vec![("Name:", 0), ("Anna", 0)]),
            ("| Имя | Анна |", vec![("Имя", 0), ("Анна", 0)]),
            ("*Name:* Anna", vec![("Name: Anna", 5)]),
            ("**Имя**: Анна", vec![("Имя: Анна", 6)]),
            ("--- Name ---", vec![("Name", 4)]),
            ("===== Телефон =====", vec![("Телефон", 14)]),
            ("* one of a list", vec![("* one of a list", 0)]),
            ("-- ", vec![("--", 0)]),
            ("-------", vec![("-------", 0)]),
            ("- Anna", vec![("- Anna", 0)]),
            ("2 * 3 * 4", vec![("2 * 3 * 4", 0)]),
            ("\u{feff} \t", vec![]),
        ] {
            let line = line(text);
            let got: Vec<_> = line.cells.iter().map(|cell| (cell.text.as_str(), cell.strong)).collect();
            assert_eq!(got, cells, "{text:?}");
        }
    }

    #[test]
    fn rules() {
        assert!(is_rule("--") && is_rule("*******") && is_rule("_____") && is_rule("— — —"));
        assert!(!is_rule("-") && !is_rule("-- a") && !is_rule(""));
    }
}
