//! Reading a source's keys: every problem at once, unknown keys by name.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use leadgate_core::ports::{BuildProblem, Secrets};
use leadgate_core::secret::Secret;
use toml::{Table, Value};

/// A table being read. What is left in it at the end is unknown.
pub struct Keys {
    table: Table,
    prefix: String,
    known: Vec<&'static str>,
    problems: Vec<BuildProblem>,
}

impl Keys {
    /// Begins to read a table.
    pub fn new(table: Table) -> Self {
        Self { table, prefix: String::new(), known: Vec::new(), problems: Vec::new() }
    }

    /// Notes what is wrong with a key.
    pub fn problem(&mut self, key: &str, words: impl Into<String>) {
        let key = format!("{}{key}", self.prefix);
        self.problems.push(BuildProblem { key: key.trim_end_matches('.').to_owned(), words: words.into() });
    }

    /// How many problems there are so far.
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// Whether a key is there, read or not.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Takes a value of any type.
    pub fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Takes a value of one type; anything else is a problem in the given words.
    fn typed<T>(&mut self, key: &'static str, wanted: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.value(key)?;
        let read = read(&value);
        if read.is_none() {
            self.problem(key, format!("it is {}, but must be {wanted}", type_name(&value)));
        }
        read
    }

    /// Takes a text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Takes a number within bounds, with or without a fraction.
    pub fn fraction(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        #[expect(clippy::cast_precision_loss, reason = "it is about 0 and 1")]
        let number =
            self.typed(key, &wanted, |value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)))?;
        let fitting = range.contains(&number).then_some(number);
        if fitting.is_none() {
            self.problem(key, format!("it is {number}, but must be {wanted}"));
        }
        fitting
    }

    /// Takes true or false.
    pub fn yes(&mut self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// Takes a whole number within a range.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.typed(key, &wanted, Value::as_integer)?;
        let fitting = u64::try_from(number).ok().filter(|number| range.contains(number));
        if fitting.is_none() {
            self.problem(key, format!("it is {number}, but must be {wanted}"));
        }
        fitting
    }

    /// Takes a length of time as people write it, `90 s` or `1 h 30 min`, within bounds.
    pub fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text(key)?;
        let span = text.trim().parse::<Span>().ok().filter(|span| span.get_months() == 0 && span.get_years() == 0);
        let length = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        let fitting = length.and_then(|length| Duration::try_from(length).ok()).filter(|length| range.contains(length));
        if fitting.is_none() {
            let (from, to) = (range.start().as_secs_f64(), range.end().as_secs_f64());
            let wanted = format!("a length of time from {from} s to {to} s, such as \"30 s\", \"5 min\" or \"12 h\"");
            self.problem(key, format!("it is {text:?}, but must be {wanted}"));
        }
        fitting
    }

    /// A list of texts; one text stands for a list of one.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.typed(key, "a list of texts", |value| match value {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        })
    }

    /// Takes a table as it is.
    pub fn table(&mut self, key: &'static str) -> Option<Table> {
        self.typed(key, "a table", |value| value.as_table().cloned())
    }

    /// Takes one of several texts.
    pub fn one_of<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let choice = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if choice.is_none() {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.problem(key, format!("it is {text:?}, but must be one of {}", names.join(", ")));
        }
        choice
    }

    /// Problems with unknown keys added; none: all is well.
    pub fn finish(mut self) -> Vec<BuildProblem> {
        self.known.sort_unstable();
        self.known.dedup();
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for key in unknown {
            let known = self.known.join(", ");
            self.problem(&key, format!("there is no such key here; there are: {known}"));
        }
        self.problems
    }

    /// Takes secrets, each of them a text, `{ env = ".." }` or `{ file = ".." }`; a list while one is being changed.
    pub fn secrets(&mut self, key: &'static str, secrets: &dyn Secrets) -> Vec<Secret> {
        let written = match self.value(key) {
            None => return Vec::new(),
            Some(Value::Array(several)) => several,
            Some(one) => vec![one],
        };
        let mut out = Vec::new();
        for value in &written {
            match secrets.resolve(value) {
                // An empty key would let everybody in.
                Ok(secret) if secret.expose().trim().is_empty() => self.problem(key, "it is empty"),
                Ok(secret) => out.push(secret),
                Err(why) => self.problem(key, why),
            }
        }
        out
    }

    /// Takes one secret that is one line.
    pub fn secret(&mut self, key: &'static str, secrets: &dyn Secrets) -> Option<Secret> {
        let value = self.value(key)?;
        let found = secrets.resolve(&value).and_then(|secret| match secret.expose().trim() {
            "" => Err("it is empty".to_owned()),
            text if text.contains(['\0', '\r', '\n']) => Err("it must be one line".to_owned()),
            _ => Ok(secret),
        });
        found.map_err(|why| self.problem(key, why)).ok()
    }

    /// Takes a text that must read as something; the error of reading is told.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error: T::Err| self.problem(key, error.to_string())).ok()
    }

    /// Takes a list of texts that must read as something; one text stands for a list of one.
    pub fn parsed_list<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, key: &'static str) -> Option<Vec<T>> {
        let texts = self.list(key)?;
        let mut out = Vec::with_capacity(texts.len());
        for text in texts {
            match text.parse::<T>() {
                Ok(read) => out.push(read),
                Err(error) => self.problem(key, error.to_string()),
            }
        }
        Some(out)
    }

    /// Reads a list of tables, each with its own known keys; one table stands for a list of one.
    pub fn each<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Self) -> T) -> Option<Vec<T>> {
        let tables: Vec<Table> = self.typed(key, "a table, or a list of tables", |value| match value {
            Value::Table(one) => Some(vec![one.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_table().cloned()).collect(),
            _ => None,
        })?;
        let several = tables.len() > 1;
        let mut out = Vec::with_capacity(tables.len());
        for (at, table) in tables.into_iter().enumerate() {
            let name = if several { format!("{key}[{at}]") } else { key.to_owned() };
            out.push(self.inner(&name, table, &mut read));
        }
        Some(out)
    }

    /// Reads a table within this one with its own known keys.
    pub fn within<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let table = self.table(key)?;
        Some(self.inner(key, table, read))
    }

    fn inner<T>(&mut self, name: &str, table: Table, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self { table, prefix: format!("{}{name}.", self.prefix), known: Vec::new(), problems: Vec::new() };
        let out = read(&mut inner);
        self.problems.extend(inner.finish());
        out
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list (of other things)",
        Value::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let read = |text: &str| {
            let mut keys = Keys::new(format!("wait = {text}").parse().unwrap());
            let found = keys.duration("wait", Duration::from_secs(1)..=Duration::from_hours(1));
            (found, keys.finish().into_iter().map(|problem| problem.words).collect::<Vec<_>>())
        };
        for (text, seconds) in [("\"90 s\"", 90), ("\"1 min 30 s\"", 90), ("\"1h\"", 3_600), ("\"PT5M\"", 300)] {
            assert_eq!(read(text), (Some(Duration::from_secs(seconds)), Vec::new()), "{text}");
        }
        for text in ["\"\"", "\"90\"", "\"0 s\"", "\"-5 s\"", "\"2 h\"", "\"1 month\"", "90"] {
            let (found, problems) = read(text);
            assert!(found.is_none() && problems.len() == 1, "{text}: {problems:?}");
        }
        assert!(read("\"2 h\"").1[0].contains("from 1 s to 3600 s, such as \"30 s\""));
    }
}
