//! The text of a page as it grows: what stands between two pieces of text is decided when the second comes.

/// Lists and quotes are not marked deeper than this.
const DEEPEST_QUOTE: usize = 8;
/// Tables within tables beyond this are one.
const DEEPEST_TABLE: usize = 64;

/// A table that is open.
#[derive(Default)]
struct Table {
    /// The row has text.
    begun: bool,
    /// A cell of the row held a table of its own.
    divided: bool,
}

/// Text with what is still to be written before its next letter.
pub(super) struct Page {
    text: String,
    most: usize,
    /// Line ends to come: 1 ends the line, 2 leaves an empty one.
    lines: u8,
    space: bool,
    /// A cell begins: the number of tables that were open then.
    tab: Option<usize>,
    tables: Vec<Table>,
    quotes: usize,
    /// The least quotes that were open since the last letter: an empty line between belongs to both sides.
    quotes_between: usize,
    /// The mark of a list's item was written, and no text behind it.
    marked: bool,
}

impl Page {
    pub(super) fn new(most: usize) -> Self {
        // The first table stands for rows outside of any.
        let tables = vec![Table::default()];
        Self { text: String::new(), most, lines: 0, space: false, tab: None, tables, quotes: 0, quotes_between: 0, marked: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= self.most
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// What was written since the text was so long.
    pub(super) fn since(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or_default()
    }

    pub(super) fn finish(mut self) -> String {
        self.text.truncate(self.text.floor_char_boundary(self.most));
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    /// Text; white space counts only if it is preformatted.
    pub(super) fn write(&mut self, text: &str, preformatted: bool) {
        for letter in text.chars() {
            if self.is_full() {
                return;
            }
            match letter {
                '\n' if preformatted => self.line_end(),
                ' ' | '\t' if preformatted && self.lines == 0 && self.tab.is_none() => self.text.push(letter),
                '\t' | ' ' if preformatted => {
                    self.pending();
                    self.text.push(letter);
                }
                letter if letter.is_whitespace() => self.space = true,
                // Invisible letters with which the hidden lines are filled up.
                '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{ad}' | '\u{34f}' | '\u{2060}' => {}
                letter if letter.is_control() => {}
                letter => {
                    self.pending();
                    self.text.push(letter);
                    self.marked = false;
                }
            }
        }
    }

    /// Text right behind the last letter, whatever is to come.
    pub(super) fn append(&mut self, text: &str) {
        if !self.is_full() {
            self.text.push_str(text);
        }
    }

    /// The mark of a list's item.
    pub(super) fn mark(&mut self, mark: &str) {
        if self.is_full() || self.marked {
            return;
        }
        self.pending();
        self.text.push_str(mark);
        self.marked = true;
    }

    /// A block begins or ends.
    pub(super) fn block(&mut self, lines: u8) {
        if self.tab.is_none() && !self.marked {
            self.lines = self.lines.max(lines);
        }
        self.space = false;
    }

    pub(super) fn line_break(&mut self) {
        if self.tab.is_none() {
            self.lines = (self.lines + 1).min(2);
        }
        self.space = false;
    }

    /// A line's end of preformatted text: as many as there are.
    fn line_end(&mut self) {
        self.lines = (self.lines + 1).min(3);
    }

    pub(super) fn rule(&mut self) {
        self.block(1);
        if !self.text.is_empty() && !self.is_full() {
            self.pending();
            self.text.push_str("---");
        }
        self.block(1);
    }

    pub(super) fn quote(&mut self, opens: bool) {
        self.tab = None;
        self.marked = false;
        self.block(1);
        self.quotes = if opens { self.quotes + 1 } else { self.quotes.saturating_sub(1) };
        self.quotes_between = self.quotes_between.min(self.quotes);
    }

    pub(super) fn open_table(&mut self) {
        self.block(1);
        if self.tables.len() < DEEPEST_TABLE {
            self.tables.push(Table::default());
        }
    }

    pub(super) fn close_table(&mut self) {
        self.end_row();
        if self.tables.len() > 1 {
            self.tables.pop();
            if let Some(outer) = self.tables.last_mut() {
                outer.divided = outer.begun;
            }
        }
    }

    /// A row begins or ends.
    pub(super) fn row(&mut self) {
        self.end_row();
        if let Some(table) = self.tables.last_mut() {
            *table = Table::default();
        }
    }

    fn end_row(&mut self) {
        // A cell of this row stayed empty; one of a row outside may still be filled from here.
        if self.tab.is_some_and(|depth| depth >= self.tables.len()) {
            self.tab = None;
        }
        self.block(1);
    }

    pub(super) fn cell(&mut self) {
        let depth = self.tables.len();
        match self.tables.last() {
            Some(Table { begun: true, divided: false }) => {
                self.tab = Some(depth);
                self.lines = 0;
            }
            _ => self.block(1),
        }
        self.space = false;
    }

    /// Writes what stands between the last letter and the next.
    fn pending(&mut self) {
        if self.text.is_empty() {
            self.prefix(self.quotes);
        } else if self.lines > 0 {
            for _ in 1..self.lines {
                self.text.push('\n');
                self.prefix(self.quotes_between);
                self.text.truncate(self.text.trim_end_matches(' ').len());
            }
            self.text.push('\n');
            self.prefix(self.quotes);
        } else if self.tab.is_some() {
            self.text.push('\t');
        } else if self.space && !self.marked && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
        (self.lines, self.space, self.tab) = (0, false, None);
        self.quotes_between = self.quotes;
        for table in &mut self.tables {
            table.begun = true;
        }
    }

    fn prefix(&mut self, quotes: usize) {
        for _ in 0..quotes.min(DEEPEST_QUOTE) {
            self.text.push_str("> ");
        }
    }
}
