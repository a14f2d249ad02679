//! The lines of an HTML mail: cells of tables apart, and what is set in bold known. In one pass over the text, however it is nested.

use mail_parser::decoders::html::add_html_token;

use super::lines::{Cell, Line, MOST_CELLS, MOST_LINES};

/// The most bytes that are read.
const MOST_BYTES: usize = 1 << 20;
/// The deepest nesting of tables that is told apart.
const MOST_TABLES: usize = 50;

/// The lines of an HTML text.
pub(super) fn html(source: &str) -> Vec<Line> {
    let mut rest = leadgate_core::text::cut(source, MOST_BYTES);
    let mut page = Page::default();
    while !rest.is_empty() && page.lines.len() < MOST_LINES {
        let Some(at) = rest.find('<') else {
            page.text(rest);
            break;
        };
        page.text(&rest[..at]);
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("<!--") {
            rest = inner.find("-->").map_or("", |end| &inner[end + 3..]);
        } else if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            let end = rest.find('>').unwrap_or(rest.len());
            let tag = &rest[1..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            rest = page.tag(tag, rest);
        } else {
            // A sign of less, written as it is.
            page.text("<");
            rest = &rest[1..];
        }
    }
    page.end_row();
    page.end_line();
    page.lines
}

/// A text being read.
#[derive(Default)]
struct Page {
    lines: Vec<Line>,
    current: Text,
    /// The cells of the row under way, of each table that is open. Empty outside of tables.
    tables: Vec<Row>,
    bold: usize,
    pre: usize,
}

#[derive(Default)]
struct Row {
    cells: Vec<Cell>,
    in_cell: bool,
}

/// A cell or a line under way.
#[derive(Default)]
struct Text {
    written: String,
    strong: usize,
    /// Something plain was written: what is bold below is no beginning.
    loose: bool,
    space: bool,
    link: Option<String>,
}

impl Text {
    fn push(&mut self, piece: &str, bold: bool) {
        if self.space && !self.written.is_empty() && !self.written.ends_with('\n') {
            self.written.push(' ');
        }
        self.space = false;
        self.written.push_str(piece);
        if bold && !self.loose {
            self.strong = self.written.len();
        } else if !bold && piece.chars().any(char::is_alphanumeric) {
            // A colon behind the bold label may be set in plain letters.
            self.loose = true;
        }
    }

    fn take(&mut self) -> Option<Cell> {
        let taken = std::mem::take(self);
        let text = taken.written.trim();
        let skipped = taken.written.len() - taken.written.trim_start().len();
        if text.is_empty() {
            return None;
        }
        let strong = taken.strong.saturating_sub(skipped).min(text.len());
        Some(Cell { strong, text: text.to_owned(), link: taken.link })
    }
}

impl Page {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let decoded = entities(text);
        if self.pre > 0 {
            for (at, line) in decoded.split('\n').enumerate() {
                if at > 0 {
                    self.line_break();
                }
                self.words(line);
            }
        } else {
            self.words(&decoded);
        }
    }

    /// Adds words, any white space between them being one space.
    fn words(&mut self, text: &str) {
        let blank = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}' | '\u{34f}');
        if text.starts_with(blank) {
            self.current.space = true;
        }
        for (at, word) in text.split(blank).filter(|word| !word.is_empty()).enumerate() {
            self.current.space |= at > 0;
            self.current.push(word, self.bold > 0);
        }
        if text.ends_with(blank) {
            self.current.space = true;
        }
    }

    /// Reads a tag; gives back where reading goes on.
    fn tag<'t>(&mut self, tag: &str, rest: &'t str) -> &'t str {
        let closing = tag.starts_with('/');
        let name = tag.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let (name, attributes) = name.split_at(end);
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "style" | "script" | "title" | "template" | "textarea" | "select" if !closing => return skip(rest, &name),
            "br" => self.line_break(),
            "hr" => {
                self.block();
                self.current.push("---", false);
                self.block();
            }
            "b" | "strong" | "label" => self.bold = step(self.bold, closing),
            "dt" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.block();
                self.bold = step(self.bold, closing);
            }
            "pre" => {
                self.block();
                self.pre = step(self.pre, closing);
            }
            "p" | "div" | "li" | "ul" | "ol" | "dl" | "dd" | "section" | "article" | "blockquote" | "center" | "form" => {
                self.block();
            }
            "table" => self.table(closing),
            "tr" => self.end_row(),
            "td" | "th" => self.cell(name == "th", closing),
            "a" if !closing && self.current.link.is_none() => self.current.link = href(attributes),
            _ => {}
        }
        rest
    }

    fn table(&mut self, closing: bool) {
        if self.tables.is_empty() {
            self.end_line();
        }
        self.end_row();
        if closing {
            self.tables.pop();
        } else if self.tables.len() < MOST_TABLES {
            self.tables.push(Row::default());
        }
    }

    fn cell(&mut self, head: bool, closing: bool) {
        let cell = self.current.take();
        let Some(row) = self.tables.last_mut() else {
            // A cell outside of any table: a line of its own.
            self.lines.extend(cell.map(|cell| Line { cells: vec![cell] }));
            return;
        };
        if row.cells.len() < MOST_CELLS {
            row.cells.extend(cell);
        }
        if head {
            self.bold = step(self.bold, closing);
        }
        row.in_cell = !closing;
    }

    /// Ends a row of a table. A row of one cell is a place for lines; so is one whose first cell holds several.
    fn end_row(&mut self) {
        let cell = self.current.take();
        let Some(row) = self.tables.last_mut() else {
            self.lines.extend(cell.map(|cell| Line { cells: vec![cell] }));
            return;
        };
        let mut cells = std::mem::take(&mut row.cells);
        row.in_cell = false;
        cells.extend(cell);
        let apart = cells.len() == 1 || cells.first().is_some_and(|first| first.text.matches('\n').count() > 1);
        if apart {
            self.lines.extend(cells.into_iter().flat_map(several));
        } else if !cells.is_empty() {
            self.lines.push(Line { cells });
        }
    }

    fn in_cell(&self) -> bool {
        self.tables.last().is_some_and(|row| row.in_cell)
    }

    fn line_break(&mut self) {
        if self.in_cell() {
            self.current.space = false;
            // Two in a row are a blank line, more are not.
            if !self.current.written.ends_with("\n\n") && !self.current.written.is_empty() {
                self.current.written.push('\n');
            }
        } else if self.current.written.is_empty() {
            self.blank();
        } else {
            self.end_line();
        }
    }

    /// The border of a block: what follows begins on a line of its own.
    fn block(&mut self) {
        if self.in_cell() {
            self.current.space = false;
            if !self.current.written.ends_with('\n') && !self.current.written.is_empty() {
                self.current.written.push('\n');
            }
        } else {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.lines.extend(self.current.take().map(|cell| Line { cells: vec![cell] }));
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_blank()) {
            self.lines.push(Line::default());
        }
    }
}

fn step(depth: usize, closing: bool) -> usize {
    if closing { depth.saturating_sub(1) } else { depth.saturating_add(1) }
}

/// The lines of a cell that holds several, the bold beginning where it was.
fn several(cell: Cell) -> Vec<Line> {
    if !cell.text.contains('\n') {
        return vec![Line { cells: vec![cell] }];
    }
    let mut left = cell.strong;
    let lines = cell.text.split('\n').map(|text| {
        let strong = left.min(text.len());
        left = left.saturating_sub(text.len() + 1);
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Line::default();
        }
        Line { cells: vec![Cell { strong: strong.min(trimmed.len()), text: trimmed.to_owned(), link: cell.link.clone() }] }
    });
    lines.collect()
}

/// What stands behind an element whose content is no text.
fn skip<'t>(rest: &'t str, name: &str) -> &'t str {
    let mut from = 0;
    while let Some(at) = rest[from..].find("</") {
        let inner = &rest[from + at + 2..];
        if inner.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return inner.find('>').map_or("", |end| &inner[end + 1..]);
        }
        from += at + 2;
    }
    ""
}

/// The web address of a link.
fn href(attributes: &str) -> Option<String> {
    let at = attributes.to_ascii_lowercase().find("href")?;
    let value = attributes.get(at + 4..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    let value = entities(value.trim());
    (value.starts_with("http") && value.len() <= 4000).then_some(value)
}

/// Named and numbered characters as themselves.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.bytes().skip(1).take(31).take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
        if name > 0 && rest.as_bytes().get(name + 1) == Some(&b';') {
            add_html_token(&mut out, &rest.as_bytes()[..name + 2], false);
            rest = &rest[name + 2..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Vec<String> {
        let cell = |cell: &Cell| {
            let (bold, rest) = cell.text.split_at(cell.strong);
            if bold.is_empty() { rest.to_owned() } else { format!("*{bold}*{rest}") }
        };
        html(source).iter().map(|line| line.cells.iter().map(cell).collect::<Vec<_>>().join(" | ")).collect()
    }

    #[test]
    fn lines_and_cells() {
        for (source, lines) in [
            ("<b>Name:</b> Anna&nbsp;B&auml;r<br />Tel: 1", vec!["*Name:* Anna Bär", "Tel: 1"]),
            ("<p><strong>Name</strong></p>\n<p>Anna</p>", vec!["*Name*", "Anna"]),
            ("<b>Name</b>: Anna", vec!["*Name*: Anna"]),
            (
                "<table><tr><td>Имя</td><td>Анна</td></tr><tr><th>Тел</th><td>1<br>2</td></tr></table>",
                vec!["Имя | Анна", "*Тел* | 1\n2"],
            ),
            ("<dl><dt>Name</dt><dd>Anna</dd></dl>", vec!["*Name*", "Anna"]),
            ("<table><tr><td><table><tr><td>A</td><td>B</td></tr></table></td><td>C</td></tr></table>", vec!["A | B", "C"]),
            ("<table><tr><td><b>Name</b><br>Anna</td></tr></table>", vec!["*Name*", "Anna"]),
            ("<style>a{b:c}</style><SCRIPT>x:y</script ><!-- a: b -->1 < 2 &amp; 3", vec!["1 < 2 & 3"]),
            ("a<br><br><br>b<hr>c", vec!["a", "", "b", "---", "c"]),
            ("<pre>a\n b</pre>", vec!["a", "b"]),
            ("<td>a<td>b", vec!["a", "b"]),
            ("</b></b><b>x", vec!["*x*"]),
            ("a &x &; &#1060;&#x444; &nosuch; <", vec!["a &x &; Фф &nosuch; <"]),
        ] {
            assert_eq!(shown(source), lines, "{source}");
        }
    }

    #[test]
    fn links_are_known() {
        let lines = html("Page: <a class=x HREF='https://a.example/?a=1&amp;b=2'>home</a>");
        assert_eq!(lines[0].cells[0].link.as_deref(), Some("https://a.example/?a=1&b=2"));
        assert_eq!(html("<a href=mailto:a@b.example>a</a>")[0].cells[0].link, None);
    }

    #[test]
    fn bombs_are_read_once() {
        for bomb in ["<b>", "<table><tr><td>", "<td>", "<style>", "<!--", "&amp", "</", "<a href=\"", "<br>"] {
            let source = bomb.repeat(1_000_000 / bomb.len());
            assert!(html(&source).len() <= MOST_LINES, "{bomb}");
        }
    }
}
