//! The one place that speaks to the terminal.
//!
//! Whatever a customer wrote loses its control and direction marks before it is shown, and a closed pipe
//! (`leadgate leads list | head -1`) ends the output, not the program.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Row, Table, presets};
use leadgate_core::text::printable;
use serde::Serialize;

/// The width of a terminal that does not say.
const WIDTH: u16 = 120;

/// Writes to stdout. A closed pipe is not an error: nobody wants to read more.
pub fn out(text: &str) -> io::Result<()> {
    tolerate_closed_pipe(io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()))
}

/// Writes a line to stdout.
pub fn line(text: &str) -> io::Result<()> {
    out(&format!("{text}\n"))
}

/// Writes bytes to stdout as they are.
pub fn bytes(bytes: &[u8]) -> io::Result<()> {
    tolerate_closed_pipe(io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush()))
}

/// Writes a value as JSON, indented for a terminal's reader as well as for a program.
pub fn json<T: Serialize>(value: &T) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value).map_err(io::Error::other)?)
}

/// Writes a line to stderr: what is not the answer itself. Where even that is closed, nobody is left to tell.
pub fn note(text: &str) {
    if writeln!(io::stderr().lock(), "{text}").is_err() {
        tracing::debug!("stderr is closed");
    }
}

/// Whether somebody looks at stdout.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a program or a person can answer questions.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn tolerate_closed_pipe(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A text for people, line by line.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// A line; what comes from outside must be [`safe`].
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref().trim_end());
        self.0.push('\n');
    }

    /// A name and its value, both made safe, the values of one indent below each other.
    pub fn pair(&mut self, indent: usize, name: &str, value: &str) {
        self.line(format!("{:indent$}{:<12} {}", "", safe(name), safe(value)));
    }

    /// Lines that are ready.
    pub fn block(&mut self, lines: &str) {
        self.0.push_str(lines);
    }

    /// The whole.
    pub fn finish(self) -> String {
        self.0
    }
}

/// A text from outside on one line, safe to show.
pub fn safe(text: &str) -> String {
    printable(text, true).trim().to_owned()
}

/// A text from outside with its lines, each indented.
pub fn indented(text: &str, indent: &str) -> String {
    let mut lines = Text::default();
    for line in printable(text.trim(), false).lines() {
        lines.line(format!("{indent}{line}"));
    }
    lines.finish()
}

/// A text of one line cut to so many characters, with a sign that it was.
pub fn short(text: &str, most: usize) -> String {
    let text = safe(text);
    if text.chars().count() <= most {
        return text;
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// A table for people: no borders; each row one line, cut to the terminal's width. Where that is narrow, the columns named
/// in `spare` are left out, the first one first, before anything is cut.
pub fn table(head: &[&str], rows: &[Vec<String>], spare: &[&str]) -> String {
    let columns: Vec<usize> = (0..head.len()).collect();
    // In a pipe a cut value would be lost for good.
    let width = if is_terminal() { Table::new().width().unwrap_or(WIDTH) } else { u16::MAX };
    fitted(head, rows, spare, columns, width)
}

fn fitted(head: &[&str], rows: &[Vec<String>], spare: &[&str], mut columns: Vec<usize>, width: u16) -> String {
    let mut spare = spare.iter();
    loop {
        let table = laid(head, rows, &columns, width);
        let needed: u32 = table.column_max_content_widths().into_iter().map(|content| u32::from(content) + 2).sum();
        if needed > u32::from(width)
            && let Some(name) = spare.next()
        {
            columns.retain(|column| head[*column] != *name);
            continue;
        }
        let mut text = Text::default();
        for line in table.lines() {
            text.line(line);
        }
        return text.finish();
    }
}

fn laid(head: &[&str], rows: &[Vec<String>], columns: &[usize], width: u16) -> Table {
    let row = |cells: Vec<Cell>| {
        let mut row = Row::from(cells);
        row.max_height(1);
        row
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_truncation_indicator("…").set_width(width);
    table.set_content_arrangement(if width == u16::MAX { ContentArrangement::Disabled } else { ContentArrangement::Dynamic });
    table.set_header(row(columns.iter().map(|column| Cell::new(head[*column].to_uppercase())).collect()));
    for cells in rows {
        table.add_row(row(columns
            .iter()
            .map(|column| Cell::new(cells.get(*column).map_or_else(String::new, |cell| safe(cell))))
            .collect()));
    }
    // The first column is what other commands take: half an id is none.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_customers_write_cannot_move_the_cursor() {
        let text = table(&["id", "name"], &[vec!["1".into(), "\u{1b}[2J\u{202e}Анна\nПетрова\u{7}".into()]], &[]);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
        assert!(text.contains("[2JАнна Петрова"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn a_table_has_a_head_and_no_trailing_blanks() {
        let text = table(&["id", "stage"], &[vec!["1".into(), "NEW".into()], vec!["20".into(), String::new()]], &[]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("ID") && lines[0].contains("STAGE"));
        assert!(lines.iter().all(|line| line.trim_end() == *line));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_narrow_terminal_loses_spare_columns_first() {
        let (head, rows) =
            (["id", "name", "campaign"], [vec!["1".to_owned(), "Анна Петрова".to_owned(), "a long campaign".to_owned()]]);
        let at = |width| fitted(&head, &rows, &["campaign"], vec![0, 1, 2], width);
        assert!(at(80).contains("a long campaign"));
        assert!(at(20).contains("Анна Петрова") && !at(20).contains("CAMPAIGN"), "{}", at(20));
        assert!(at(12).contains('…') && at(12).lines().count() == 2, "{}", at(12));
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(short("Перезвоните мне", 8), "Перезво…");
        assert_eq!(short("short", 8), "short");
        assert_eq!(indented("a\r\nb\u{1b}[0m", "  "), "  a\n  b[0m\n");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        assert!(tolerate_closed_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(tolerate_closed_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
