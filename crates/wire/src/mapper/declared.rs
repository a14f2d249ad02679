//! A mapping as a source's config declares it.

use std::collections::HashMap;

use toml::{Table, Value};

use super::{Answers, Join, Mapper, Options, Rule, Shape};
use crate::fields::Kind;
use crate::keys::Keys;
use crate::pointer::Pointer;

/// Reads `map`, `answers`, `ignore` and `json`. `known` says of a target's name whether there is such a target; `targets` lists
/// them for people.
pub fn read(keys: &mut Keys, known: &dyn Fn(&str) -> bool, targets: &str) -> Mapper {
    let mut rules = Vec::new();
    for (target, value) in keys.table("map").unwrap_or_default() {
        if !known(&target) {
            keys.problem(&format!("map.{target}"), format!("there is nothing of that name to read; there are: {targets}"));
            continue;
        }
        match rule(&target, &value) {
            Ok(rule) => rules.push(rule),
            Err(why) => keys.problem(&format!("map.{target}"), why),
        }
    }
    Mapper {
        json: pointers(keys, "json"),
        rules,
        answers: keys.each("answers", answers).unwrap_or_default(),
        ignore: pointers(keys, "ignore"),
    }
}

/// Reads a list of places; one text stands for a list of one.
pub fn pointers(keys: &mut Keys, key: &'static str) -> Vec<Pointer> {
    keys.parsed_list(key).unwrap_or_default()
}

/// `"/a"`, `["/a", "/b"]` or `{ from = .., values = .., absent = .., constant = .., all = .. }`.
fn rule(target: &str, value: &Value) -> Result<Rule, String> {
    let mut rule = Rule { target: target.to_owned(), ..Rule::default() };
    match value {
        Value::Table(table) => with_table(&mut rule, table)?,
        places => rule.from = texts(places)?.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(words)?,
    }
    if rule.from.is_empty() && rule.constant.is_none() {
        return Err("it names no place; write e.g. \"/data/phone\"".to_owned());
    }
    Ok(rule)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn with_table(rule: &mut Rule, table: &Table) -> Result<(), String> {
    for (key, value) in table {
        let must = |what: &str| format!("{key} must be {what}");
        match key.as_str() {
            "from" => rule.from = texts(value)?.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(words)?,
            "absent" => rule.absent = texts(value)?,
            "constant" => rule.constant = Some(value.as_str().ok_or_else(|| must("a text"))?.to_owned()),
            "all" => rule.all = value.as_bool().ok_or_else(|| must("true or false"))?,
            "values" => {
                for (known, meant) in value.as_table().ok_or_else(|| must("a table of texts"))? {
                    let meant = meant.as_str().ok_or_else(|| must("a table of texts"))?;
                    rule.values.insert(known.trim().to_lowercase(), meant.to_owned());
                }
            }
            other => return Err(format!("there is no key {other} here; there are: from, values, absent, constant, all")),
        }
    }
    Ok(())
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let list = match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    list.ok_or_else(|| "it must be a text or a list of texts".to_owned())
}

fn answers(keys: &mut Keys) -> Answers {
    let out = Answers {
        at: pointers(keys, "at"),
        label: pointers(keys, "label"),
        value: pointers(keys, "value"),
        more: pointers(keys, "more"),
        kind: pointers(keys, "type"),
        kinds: kinds(keys),
        join: keys.within("join", join).flatten(),
        options: keys.within("options", options).flatten(),
        prefix: keys.text("prefix"),
        skip: keys.list("skip").unwrap_or_default(),
        shapes: keys.each("shapes", shape).unwrap_or_default().into_iter().flatten().collect(),
    };
    if out.at.is_empty() {
        keys.problem("at", "it is missing: where the answers stand, e.g. \"/data/fields\"");
    }
    out
}

fn kinds(keys: &mut Keys) -> HashMap<String, Kind> {
    let mut out = HashMap::new();
    for (name, value) in keys.table("types").unwrap_or_default() {
        if let Some(kind) = value.as_str().and_then(Kind::parse) {
            out.insert(name, kind);
        } else {
            let known: Vec<&str> = Kind::names().collect();
            keys.problem(&format!("types.{name}"), format!("an answer can be one of: {}", known.join(", ")));
        }
    }
    out
}

fn needed(keys: &mut Keys, key: &'static str) -> Option<Pointer> {
    if !keys.has(key) {
        keys.problem(key, "it is missing");
    }
    keys.parsed(key)
}

fn join(keys: &mut Keys) -> Option<Join> {
    let questions = pointers(keys, "questions");
    let (id, with, label) = (needed(keys, "id"), needed(keys, "with"), needed(keys, "label"));
    Some(Join { questions, id: id?, with: with?, label: label? })
}

fn options(keys: &mut Keys) -> Option<Options> {
    let (at, id, text) = (needed(keys, "at"), needed(keys, "id"), needed(keys, "text"));
    Some(Options { at: at?, id: id?, text: text? })
}

fn shape(keys: &mut Keys) -> Option<Shape> {
    let has = keys.list("has").unwrap_or_default();
    let is = keys.text("is").as_deref().and_then(Kind::parse);
    if is.is_none() {
        let known: Vec<&str> = Kind::names().collect();
        keys.problem("is", format!("an answer can be one of: {}", known.join(", ")));
    }
    Some(Shape { has, is: is? })
}
