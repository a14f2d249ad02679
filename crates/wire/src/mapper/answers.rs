//! Questions and answers, as form services send them: a list of items, or an object whose keys are the questions.

use std::collections::HashMap;

use leadgate_core::attribution::is_placeholder;

use super::{Answer, Used, whole};
use crate::fields::Kind;
use crate::json::Json;
use crate::pointer::{Place, Pointer, same, written};

/// Where questions and answers stand. Pointers other than [`Self::at`] begin at an item.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Lists of answers, or objects of question and answer.
    pub at: Vec<Pointer>,
    /// The question; the first that is there.
    pub label: Vec<Pointer>,
    /// The answer; the first that is there.
    pub value: Vec<Pointer>,
    /// What belongs to the answer besides: the text of "other".
    pub more: Vec<Pointer>,
    /// The service's own word for what the answer is.
    pub kind: Vec<Pointer>,
    /// What those words mean.
    pub kinds: HashMap<String, Kind>,
    /// Where the question stands, if the answer only refers to it.
    pub join: Option<Join>,
    /// Where the texts of choices stand, if the answer holds only their ids.
    pub options: Option<Options>,
    /// What stands before a question in an object's keys: `q#_`, where `#` is digits.
    pub prefix: Option<String>,
    /// Keys of an object that are no answers.
    pub skip: Vec<String>,
    /// What an answer is that is an object with these keys.
    pub shapes: Vec<Shape>,
}

/// The question of an answer that refers to it.
#[derive(Clone, Debug)]
pub struct Join {
    /// The questions, each of them; from the root.
    pub questions: Vec<Pointer>,
    /// A question's id.
    pub id: Pointer,
    /// The id in the answer.
    pub with: Pointer,
    /// A question's text.
    pub label: Pointer,
}

/// The texts of choices.
#[derive(Clone, Debug)]
pub struct Options {
    /// The choices, each of them; from the item.
    pub at: Pointer,
    /// A choice's id.
    pub id: Pointer,
    /// A choice's text.
    pub text: Pointer,
}

/// An object that is one answer.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Any of these keys makes it that.
    pub has: Vec<String>,
    /// What it is.
    pub is: Kind,
}

impl Answers {
    pub(super) fn read(&self, root: &Json, used: &mut Used, out: &mut Vec<Answer>) {
        let questions = self.questions(root);
        for place in self.at.iter().flat_map(|at| at.find(root)) {
            match place.value {
                Json::List(items) => {
                    for (at, item) in items.iter().enumerate() {
                        let path = place.path.iter().cloned().chain([at.to_string()]).collect();
                        // What is no answer in any known form stays what it is.
                        if self.value.iter().chain(&self.more).any(|value| !value.find(item).is_empty()) {
                            used.all(item);
                        }
                        out.extend(self.item(Place { path, value: item }, &questions));
                    }
                }
                Json::Object(pairs) => {
                    for (key, value) in pairs {
                        // A prefix tells answers from the service's own keys; those stay what they are.
                        let Some(label) = self.question(key) else { continue };
                        let path: Vec<String> = place.path.iter().cloned().chain([key.clone()]).collect();
                        out.extend(self.pair(label, &path, value));
                        used.all(value);
                    }
                }
                _ => {}
            }
        }
    }

    /// Questions by their id.
    fn questions(&self, root: &Json) -> HashMap<String, String> {
        let Some(join) = &self.join else { return HashMap::new() };
        let all = join.questions.iter().flat_map(|pointer| pointer.find(root));
        all.filter_map(|place| Some((join.id.text(place.value)?, join.label.text(place.value)?))).collect()
    }

    fn item(&self, place: Place<'_>, questions: &HashMap<String, String>) -> Option<Answer> {
        let item = place.value;
        let asked = self.join.as_ref().and_then(|join| questions.get(&join.with.text(item)?).cloned());
        let label = asked.or_else(|| self.label.iter().find_map(|label| label.text(item))).unwrap_or_default();
        let said = self.kind.iter().find_map(|kind| kind.text(item));
        let first = self.value.iter().find_map(|pointer| self.said(pointer, item));
        let more = self.more.iter().filter_map(|pointer| self.said(pointer, item));
        let mut said_at: Vec<(String, Vec<String>)> = first.into_iter().chain(more).collect();
        let at = said_at.first_mut().map(|(_, at)| std::mem::take(at))?;
        let value = said_at.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(", ");
        let kind = said.as_deref().and_then(|said| self.named(said)).or_else(|| self.shaped(item, &at));
        let from: Vec<String> = place.path.into_iter().chain(at).collect();
        Some(Answer { label, kind, value, from: written(&from) })
    }

    /// What stands at a place of an item, and where its first value stands.
    fn said(&self, pointer: &Pointer, item: &Json) -> Option<(String, Vec<String>)> {
        let found = pointer.find(item);
        let texts: Vec<String> = found.iter().map(|place| self.chosen(item, place.value)).filter(|text| counts(text)).collect();
        let first = found.into_iter().next()?;
        (!texts.is_empty()).then(|| (texts.join(", "), first.path))
    }

    fn shaped(&self, item: &Json, path: &[String]) -> Option<Kind> {
        let value = path.iter().try_fold(item, |json, key| json.get(key))?;
        self.shape(value)
    }

    fn named(&self, said: &str) -> Option<Kind> {
        self.kinds.iter().find(|(known, _)| same(known, said)).map(|(_, kind)| *kind)
    }

    fn shape(&self, value: &Json) -> Option<Kind> {
        let has = |key: &String| value.get(key).is_some();
        self.shapes.iter().find(|shape| shape.has.iter().any(has)).map(|shape| shape.is)
    }

    /// A value with the texts of its choices instead of their ids.
    fn chosen(&self, item: &Json, value: &Json) -> String {
        let Some(options) = &self.options else { return whole(value).into_owned() };
        let choices = options.at.find(item);
        let text = |id: &str| {
            let choice = choices.iter().find(|choice| options.id.text(choice.value).is_some_and(|known| known == id))?;
            options.text.text(choice.value)
        };
        match value {
            Json::List(items) => {
                let texts: Vec<String> = items.iter().map(|item| whole(item).into_owned()).filter(|text| counts(text)).collect();
                let texts: Vec<String> = texts.iter().map(|id| text(id).unwrap_or_else(|| id.clone())).collect();
                texts.join(", ")
            }
            other => {
                let id = whole(other);
                text(&id).unwrap_or_else(|| id.into_owned())
            }
        }
    }

    /// The question in an object's key; `None`: the key is none.
    fn question<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.skip.iter().any(|skip| same(skip, key)) {
            return None;
        }
        let Some(prefix) = &self.prefix else { return Some(key) };
        let (before, after) = prefix.split_once('#').unwrap_or((prefix, ""));
        let rest = key.strip_prefix(before)?;
        if !prefix.contains('#') {
            return Some(rest);
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 { None } else { rest[digits..].strip_prefix(after) }
    }

    fn pair(&self, label: &str, path: &[String], value: &Json) -> Option<Answer> {
        let text = whole(value).trim().to_owned();
        if !counts(&text) {
            return None;
        }
        let kind = self.named(label).or_else(|| self.shape(value));
        Some(Answer { label: label.to_owned(), kind, value: text, from: written(path) })
    }
}

/// Whether a text is an answer. People do write "none" and "{x}"; what a service writes for nothing is absent.
fn counts(text: &str) -> bool {
    let text = text.trim();
    let braces = text.starts_with("{{") && text.ends_with("}}");
    !text.is_empty() && !(is_placeholder(text) && (braces || ["null", "undefined", "(not set)"].contains(&text)))
}
