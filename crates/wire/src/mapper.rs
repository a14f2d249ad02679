//! What a source declares about the bodies it gets: which place holds what.
//!
//! A mapper knows nothing of leads. It reads targets (`phone`, `utm_source`, whatever its user knows) from the places named for
//! each, the first that holds something; it reads lists of questions and answers; and it hands back everything it did not use, so
//! that nothing is lost.

mod answers;
mod declared;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use leadgate_core::attribution::is_placeholder;

pub use answers::{Answers, Join, Options, Shape};
pub use declared::{pointers, read};

use crate::body::{self, BodyError, Limits};
use crate::fields::Kind;
use crate::json::Json;
use crate::pointer::{Place, Pointer, written};

/// A declared mapping.
#[derive(Clone, Debug, Default)]
pub struct Mapper {
    /// Texts that are JSON themselves.
    pub json: Vec<Pointer>,
    /// What is read from where.
    pub rules: Vec<Rule>,
    /// Lists of questions and answers.
    pub answers: Vec<Answers>,
    /// What is of no use to anybody.
    pub ignore: Vec<Pointer>,
}

/// Where one target is read from.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// What it becomes.
    pub target: String,
    /// The places, the best first.
    pub from: Vec<Pointer>,
    /// What values mean: `1` is `yes`. Compared without case.
    pub values: HashMap<String, String>,
    /// What counts as nothing there, besides the usual placeholders.
    pub absent: Vec<String>,
    /// Taken if no place holds anything.
    pub constant: Option<String>,
    /// Every value of the first place that holds any, not only the first.
    pub all: bool,
}

/// A target's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// What it becomes.
    pub target: String,
    /// The value.
    pub value: String,
    /// The place it stood at; empty for a constant.
    pub path: Vec<String>,
    /// The place as a pointer, or `constant`.
    pub from: String,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question as people see it.
    pub label: String,
    /// What the service says the answer is; `None`: its label and its look tell.
    pub kind: Option<Kind>,
    /// The answer.
    pub value: String,
    /// The place of the answer, as a pointer.
    pub from: String,
}

/// A value nothing asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place.
    pub path: Vec<String>,
    /// The value.
    pub value: String,
}

/// What a mapper made of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// The targets that were found.
    pub picked: Vec<Picked>,
    /// The answers.
    pub answers: Vec<Answer>,
    /// Everything else, in the body's order.
    pub rest: Vec<Leaf>,
    /// Targets without a value, and where they were looked for.
    pub missing: Vec<(String, Vec<String>)>,
}

impl Mapper {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.answers.is_empty()
    }

    /// Reads the texts that are JSON themselves; one that is no JSON stays a text.
    pub fn open(&self, root: &mut Json, limits: &Limits) -> Result<(), BodyError> {
        for pointer in &self.json {
            let found: Vec<(Vec<String>, Json)> = pointer
                .find(root)
                .into_iter()
                .filter_map(|place| match place.value {
                    Json::Text(text) => Some((place.path, Json::parse(text.trim()).ok().filter(Json::is_container)?)),
                    _ => None,
                })
                .collect();
            for (path, inner) in found {
                replace(root, &path, inner);
            }
        }
        if self.json.is_empty() { Ok(()) } else { body::measure(root, limits) }
    }

    /// Reads a body.
    pub fn map(&self, root: &Json) -> Mapped {
        let mut used = Used::default();
        let mut out = Mapped::default();
        for place in self.ignore.iter().flat_map(|pointer| pointer.find(root)) {
            used.all(place.value);
        }
        for rule in &self.rules {
            let found = rule.read(root, &mut used);
            if found.is_empty() && !rule.from.is_empty() {
                out.missing.push((rule.target.clone(), rule.from.iter().map(Pointer::to_string).collect()));
            }
            out.picked.extend(found);
        }
        for answers in &self.answers {
            answers.read(root, &mut used, &mut out.answers);
        }
        rest(root, &mut Vec::new(), &used, &mut out.rest);
        out
    }
}

impl Rule {
    fn read(&self, root: &Json, used: &mut Used) -> Vec<Picked> {
        let mut out = Vec::new();
        for pointer in &self.from {
            for place in pointer.find(root) {
                self.take(place, used, &mut out);
                if !self.all && !out.is_empty() {
                    return out;
                }
            }
            if !out.is_empty() {
                return out;
            }
        }
        let constant = self.constant.iter().map(|value| self.picked(value, Vec::new(), "constant".to_owned()));
        constant.collect()
    }

    fn take(&self, place: Place<'_>, used: &mut Used, out: &mut Vec<Picked>) {
        if self.all
            && let Json::List(items) = place.value
        {
            for (at, item) in items.iter().enumerate() {
                let path = place.path.iter().cloned().chain([at.to_string()]).collect();
                self.take(Place { path, value: item }, used, out);
            }
            return;
        }
        let value = whole(place.value);
        if !self.counts(&value) {
            return;
        }
        used.all(place.value);
        let from = written(&place.path);
        out.push(self.picked(&value, place.path, from));
    }

    fn picked(&self, value: &str, path: Vec<String>, from: String) -> Picked {
        let meant = self.values.get(&value.trim().to_lowercase()).map_or(value, String::as_str);
        Picked { target: self.target.clone(), value: meant.to_owned(), path, from }
    }

    fn counts(&self, value: &str) -> bool {
        let value = value.trim();
        !is_placeholder(value) && !self.absent.iter().any(|absent| absent.trim().to_lowercase() == value.to_lowercase())
    }
}

/// The values that were read, by where they lie in memory.
#[derive(Default)]
struct Used(HashSet<usize>);

impl Used {
    fn all(&mut self, json: &Json) {
        match json {
            Json::Object(pairs) => pairs.iter().for_each(|(_, value)| self.all(value)),
            Json::List(items) => items.iter().for_each(|item| self.all(item)),
            scalar => {
                self.0.insert(std::ptr::from_ref(scalar).addr());
            }
        }
    }

    fn has(&self, json: &Json) -> bool {
        self.0.contains(&std::ptr::from_ref(json).addr())
    }
}

/// A value as one text: the items of a list with commas, the parts of an object with spaces. (`{"first": .., "last": ..}`)
fn whole(json: &Json) -> Cow<'_, str> {
    let joined = |texts: Vec<Cow<'_, str>>, between: &str| {
        let filled: Vec<&str> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        Cow::Owned(filled.join(between))
    };
    match json {
        Json::Object(pairs) => joined(pairs.iter().map(|(_, value)| whole(value)).collect(), " "),
        Json::List(items) => joined(items.iter().map(whole).collect(), ", "),
        scalar => scalar.text().unwrap_or_default(),
    }
}

fn rest(json: &Json, path: &mut Vec<String>, used: &Used, out: &mut Vec<Leaf>) {
    let mut enter = |part: String, value: &Json| {
        path.push(part);
        rest(value, path, used, out);
        path.pop();
    };
    match json {
        Json::Object(pairs) => pairs.iter().for_each(|(key, value)| enter(key.clone(), value)),
        Json::List(items) => items.iter().enumerate().for_each(|(at, item)| enter(at.to_string(), item)),
        scalar => {
            let text = scalar.text().filter(|text| !text.trim().is_empty() && !used.has(scalar));
            out.extend(text.map(|text| Leaf { path: path.clone(), value: text.into_owned() }));
        }
    }
}

fn replace(json: &mut Json, path: &[String], new: Json) {
    let Some((first, below)) = path.split_first() else {
        *json = new;
        return;
    };
    let next = match json {
        Json::Object(pairs) => pairs.iter_mut().find(|(key, _)| key == first).map(|(_, value)| value),
        Json::List(items) => first.parse().ok().and_then(|at: usize| items.get_mut(at)),
        _ => None,
    };
    if let Some(next) = next {
        replace(next, below, new);
    }
}

#[cfg(test)]
mod tests;
