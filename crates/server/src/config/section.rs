//! Reads one section of the configuration, remembering which keys it knows, so that everything wrong is told at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use toml::{Table, Value};

use super::layers::{Place, join};
use super::problems::{Problem, suggestion};

/// Collects problems and knows where each value was written.
pub(super) struct Report {
    places: BTreeMap<String, Place>,
    problems: RefCell<Vec<Problem>>,
}

impl Report {
    pub fn new(places: BTreeMap<String, Place>, problems: Vec<Problem>) -> Self {
        Self { places, problems: RefCell::new(problems) }
    }

    /// Notes a problem at a key path.
    pub fn problem(&self, path: &str, words: impl Into<String>) {
        let place = self.place(path).map_or_else(String::new, ToString::to_string);
        self.problems.borrow_mut().push(Problem { key: path.to_owned(), place, words: words.into() });
    }

    /// Where a key, or the nearest table around it, was written.
    pub fn place(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(place);
            }
            path = path.rsplit_once(['.', '['])?.0;
        }
    }

    fn is_variable(&self, path: &str) -> bool {
        matches!(self.places.get(path), Some(Place::Variable(_)))
    }

    /// Whether something is wrong at or below a key path.
    pub fn has_problem(&self, path: &str) -> bool {
        let below = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.problems.borrow().iter().any(|problem| below(&problem.key))
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A table being read. Each getter takes its key out; [`Section::finish`] tells what nobody asked for.
pub(super) struct Section<'a> {
    table: Table,
    path: String,
    known: Vec<&'static str>,
    report: &'a Report,
}

impl<'a> Section<'a> {
    pub fn new(table: Table, path: impl Into<String>, report: &'a Report) -> Self {
        Self { table, path: path.into(), known: Vec::new(), report }
    }

    /// The key path of a key in here.
    pub fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Notes a problem with a key in here.
    pub fn problem(&self, key: &str, words: impl Into<String>) {
        self.report.problem(&self.path(key), words);
    }

    /// The value of a key, taken out.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Whether a key is there and not yet taken.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A table within this one; an absent one is empty.
    pub fn section(&mut self, key: &'static str) -> Section<'a> {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.problem(
                    key,
                    format!("this is a section: write [{}] and its keys below, not {}", self.path(key), what(&other)),
                );
                Table::new()
            }
        };
        Section::new(table, self.path(key), self.report)
    }

    /// A table of a key that was taken out, to read.
    pub fn within(&self, key: &str, table: Table) -> Section<'a> {
        Section::new(table, self.path(key), self.report)
    }

    /// A text. Blank is as good as absent.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            other => {
                self.problem(key, format!("a text in quotes is needed here, not {}", what(&other)));
                None
            }
        }
    }

    /// A text that means something.
    pub fn parsed<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|words| self.problem(key, words)).ok()
    }

    /// A list of texts, each of which means something. One text alone is a list of one; a variable may hold commas.
    pub fn list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::String(text)) if self.report.is_variable(&self.path(key)) => match as_toml(&text) {
                Some(Value::Array(items)) => items,
                _ => text.split(',').map(|item| Value::String(item.to_owned())).collect(),
            },
            Some(Value::String(text)) => vec![Value::String(text)],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.problem(key, format!("a list of texts is needed here, such as [\"a\", \"b\"], not {}", what(&other)));
                return Vec::new();
            }
        };
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let outcome = match item {
                Value::String(text) if text.trim().is_empty() => continue,
                Value::String(text) => parse(text.trim()),
                other => Err(format!("a text in quotes is needed here, not {}", what(other))),
            };
            match outcome {
                Ok(value) => parsed.push(value),
                Err(words) => self.problem(&format!("{key}[{index}]"), words),
            }
        }
        parsed
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &'static str, least: u32, most: u32) -> Option<u32> {
        let value = self.take(key)?;
        let number = match self.told(key, value) {
            Value::Integer(number) => u32::try_from(number).ok(),
            other => {
                self.problem(key, format!("a whole number is needed here, not {}", what(&other)));
                return None;
            }
        };
        let within = number.filter(|number| (least..=most).contains(number));
        if within.is_none() {
            self.problem(key, format!("the number must be from {least} to {most}"));
        }
        within
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        match self.told(key, value) {
            Value::Boolean(flag) => Some(flag),
            other => {
                self.problem(key, format!("true or false is needed here, without quotes, not {}", what(&other)));
                None
            }
        }
    }

    /// A length of time with its unit, longer than nothing.
    pub fn duration(&mut self, key: &'static str) -> Option<SignedDuration> {
        match self.take(key)? {
            Value::String(text) => duration(&text).map_err(|words| self.problem(key, words)).ok(),
            other => {
                self.problem(
                    key,
                    format!(
                        "a time with its unit is needed here, such as \"30 s\", \"5 min\" or \"90 days\", not {}",
                        what(&other)
                    ),
                );
                None
            }
        }
    }

    /// A variable is always text: what it says, where another type is needed.
    fn told(&self, key: &str, value: Value) -> Value {
        match value {
            Value::String(text) if self.report.is_variable(&self.path(key)) => {
                as_toml(text.trim()).unwrap_or(Value::String(text))
            }
            other => other,
        }
    }

    /// What is left, for somebody else to read; variables become what they say.
    pub fn rest(mut self) -> Table {
        let table = std::mem::take(&mut self.table);
        self.retold(table, "")
    }

    fn retold(&self, table: Table, below: &str) -> Table {
        table
            .into_iter()
            .map(|(key, value)| {
                let path = join(below, &key);
                let value = match value {
                    Value::Table(inner) => Value::Table(self.retold(inner, &path)),
                    other => self.told(&path, other),
                };
                (key, value)
            })
            .collect()
    }

    /// Every entry of a section whose keys are names.
    pub fn entries(mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.table).into_iter().collect()
    }

    /// Tells of every key that nobody asked for.
    pub fn finish(self) {
        for key in self.table.keys() {
            let path = self.path(key);
            self.report.problem(&path, format!("there is no key \"{key}\" here{}", suggestion(key, &self.known)));
        }
    }
}

fn as_toml(text: &str) -> Option<Value> {
    format!("x = {text}").parse::<Table>().ok()?.remove("x")
}

fn what(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(flag) => format!("{flag}"),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}

/// A length of time as people write it: `90 days`, `30s`, `1 h 30 min`.
pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    let hint = "write a number and its unit, such as \"30 s\", \"5 min\", \"12 h\" or \"90 days\"";
    let span: Span = text.trim().parse().map_err(|_| format!("{text:?} is no length of time: {hint}"))?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(format!("{text:?}: months and years differ in length; {hint}"));
    }
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| format!("{text:?} is too long; {hint}"))?;
    if length <= SignedDuration::ZERO {
        return Err(format!("{text:?} must be longer than nothing; {hint}"));
    }
    Ok(length)
}
