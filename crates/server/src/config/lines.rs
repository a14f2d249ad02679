//! `[[lines]]`: the company's telephone lines, and where whoever calls one comes from.

use leadgate_core::attribution::{Origin, Touch, attribution_key};
use leadgate_core::ids::SourceId;
use leadgate_core::phone::{self, Hints};
use leadgate_core::rules::LineRules;
use toml::{Table, Value};

use super::Company;
use super::section::{Report, Section};

/// A line of the company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its numbers in their canonical form: several where they lead to the same place.
    pub numbers: Vec<String>,
    /// The sources whose calls it concerns; none: all.
    pub sources: Vec<SourceId>,
    /// What is known of whoever calls it.
    pub rules: LineRules,
}

impl Line {
    /// Whether it concerns the calls of a source.
    pub fn is_of(&self, source: &SourceId) -> bool {
        self.sources.is_empty() || self.sources.contains(source)
    }
}

const SECTION: &str = "write each line as a section of its own, headed [[lines]] (two brackets)";

/// Reads every line.
pub(super) fn lines(value: Option<Value>, report: &Report, company: &Company) -> Vec<Line> {
    let items = match value {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            report.problem("lines", SECTION);
            return Vec::new();
        }
    };
    let mut lines: Vec<Line> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("lines[{index}]");
        let Value::Table(table) = item else {
            report.problem(&path, SECTION);
            continue;
        };
        let line = line(Section::new(table, path.clone(), report), company);
        if let Some(twice) = lines.iter().flat_map(|known| &known.numbers).find(|number| line.numbers.contains(number)) {
            report.problem(&path, format!("the number {twice} is another line's, too"));
        }
        lines.push(line);
    }
    lines
}

fn line(mut section: Section<'_>, company: &Company) -> Line {
    let missing = !section.has("number");
    let numbers: Vec<Vec<String>> = section.list("number", |text| number(text, company));
    if missing {
        section.problem("number", "say which line it is: number = \"+7 495 123-45-67\", or a list of several");
    }
    let sources = section.list("sources", |text| SourceId::parse(text).map_err(|error| error.to_string()));
    let from = section.text("source");
    let (title, language) = (section.text("title"), section.parsed("language", language));
    let mut touch = Touch::default();
    for (key, value) in defaults(&mut section) {
        match (attribution_key(&key), value.as_str()) {
            (Some(_), Some(text)) => {
                touch.offer(&key, text, Origin::SourceDefault);
            }
            (None, _) => section
                .problem("utm_defaults", format!("{key:?} is no campaign tag; there are utm_source, utm_medium and the like")),
            (_, None) => section.problem("utm_defaults", format!("{key} must be a text")),
        }
    }
    if let (Some(from), None) = (&from, touch.get("utm_source")) {
        touch.offer("utm_source", from, Origin::SourceDefault);
    }
    section.finish();
    let rules = LineRules { touch, language, title: title.or(from) };
    Line { numbers: numbers.into_iter().flatten().collect(), sources, rules }
}

fn defaults(section: &mut Section<'_>) -> Table {
    match section.take("utm_defaults") {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(_) => {
            section.problem("utm_defaults", "write a table, such as { utm_source = \"billboard\", utm_medium = \"outdoor\" }");
            Table::new()
        }
    }
}

fn number(text: &str, company: &Company) -> Result<Vec<String>, String> {
    let hints = Hints { configured: Some(company.country), ..Hints::default() };
    let phones: Vec<String> = phone::read(text, &hints).phones.iter().map(phone::Phone::key).collect();
    if phones.is_empty() {
        Err(format!("{text:?} is no phone number; write it with its country, such as +7 495 123-45-67"))
    } else {
        Ok(phones)
    }
}

fn language(text: &str) -> Result<String, String> {
    let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    if fits { Ok(text.to_owned()) } else { Err(format!("{text:?} is no language; write its two letters, such as \"ru\"")) }
}
