//! Places in a decoded body: `/data/fields/[label=Email]/value`.
//!
//! Written as JSON Pointer (RFC 6901), with two steps more: `*` is every item of a list or value of an object, and
//! `[key=value]` is every item whose key has that value; the key may itself be a path (`[field/type=email]`). A key is found
//! whatever its case and the spaces around it, because services and people write labels as they please. In a list a number
//! is an item's place, beginning with 0.

use std::fmt;
use std::str::FromStr;

use crate::json::Json;

/// More matches than anybody maps; a list of a million items is no form.
const MOST: usize = 1000;

/// A place, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Every,
    Where { at: Vec<Step>, is: String },
}

/// Why a text is no pointer, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PointerError(String);

/// Something a pointer led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Place<'a> {
    /// The keys and numbers that lead there.
    pub path: Vec<String>,
    /// What stands there.
    pub value: &'a Json,
}

impl Pointer {
    /// Everything a pointer leads to, in the body's order.
    pub fn find<'a>(&self, root: &'a Json) -> Vec<Place<'a>> {
        let mut out = Vec::new();
        walk(&self.steps, root, &mut Vec::new(), &mut out);
        out
    }

    /// The first scalar there as text, if it is not empty.
    pub fn text(&self, root: &Json) -> Option<String> {
        self.find(root)
            .into_iter()
            .find_map(|place| place.value.text().map(std::borrow::Cow::into_owned).filter(|text| !text.trim().is_empty()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it leads to a path or above it. Where it chooses among items, everything under a key of its last name counts:
    /// rather too much is hidden than too little.
    pub fn covers(&self, path: &[String]) -> bool {
        let keys = self.steps.iter().map(|step| if let Step::Key(key) = step { Some(key) } else { None });
        if keys.clone().all(|key| key.is_some()) {
            return self.steps.len() <= path.len() && keys.flatten().zip(path).all(|(key, part)| same(key, part));
        }
        keys.flatten().next_back().is_some_and(|key| path.iter().any(|part| same(part, key)))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(PointerError(format!("{text:?} is no place in a body: it begins with a slash, e.g. \"/data/email\"")));
        }
        Ok(Self { text: text.to_owned(), steps: steps(text)? })
    }
}

fn steps(text: &str) -> Result<Vec<Step>, PointerError> {
    let Some(mut rest) = text.strip_prefix('/') else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    loop {
        let (step, after) = if rest.starts_with('[') { condition(rest)? } else { key(rest) };
        out.push(step);
        match after {
            None => return Ok(out),
            Some(after) => rest = after,
        }
    }
}

fn key(text: &str) -> (Step, Option<&str>) {
    let (key, after) = text.split_once('/').map_or((text, None), |(key, after)| (key, Some(after)));
    let step = if key == "*" { Step::Every } else { Step::Key(key.replace("~1", "/").replace("~0", "~")) };
    (step, after)
}

/// `[key=value]`, and what stands behind its slash.
fn condition(text: &str) -> Result<(Step, Option<&str>), PointerError> {
    let wrong =
        || PointerError(format!("{text:?} cannot be read: a choice of items is written [key=value], e.g. \"[type=email]\""));
    // The value may hold brackets; its end is the one before a slash or the end.
    let (inside, after) = match text.find("]/") {
        Some(end) => (&text[1..end], Some(&text[end + 2..])),
        None => (text[1..].strip_suffix(']').ok_or_else(wrong)?, None),
    };
    let (at, is) = inside.split_once('=').ok_or_else(wrong)?;
    if at.trim().is_empty() {
        return Err(wrong());
    }
    Ok((Step::Where { at: steps(&format!("/{}", at.trim()))?, is: is.trim().to_owned() }, after))
}

fn walk<'a>(steps: &[Step], json: &'a Json, path: &mut Vec<String>, out: &mut Vec<Place<'a>>) {
    let Some((step, rest)) = steps.split_first() else {
        if out.len() < MOST {
            out.push(Place { path: path.clone(), value: json });
        }
        return;
    };
    let mut enter = |part: String, json: &'a Json| {
        path.push(part);
        walk(rest, json, path, out);
        path.pop();
    };
    match (step, json) {
        (Step::Key(key), Json::Object(pairs)) => {
            let exact = pairs.iter().any(|(known, _)| known == key);
            let fits = |known: &str| if exact { known == key } else { same(known, key) };
            pairs.iter().filter(|(known, _)| fits(known)).for_each(|(known, value)| enter(known.clone(), value));
        }
        (Step::Key(key), Json::List(items)) => {
            if let Some((at, item)) = key.parse().ok().and_then(|at: usize| Some((at, items.get(at)?))) {
                enter(at.to_string(), item);
            }
        }
        (Step::Every, Json::Object(pairs)) => pairs.iter().for_each(|(key, value)| enter(key.clone(), value)),
        (Step::Every, Json::List(items)) => items.iter().enumerate().for_each(|(at, item)| enter(at.to_string(), item)),
        (Step::Where { at, is }, Json::List(items)) => {
            let fits = |(_, item): &(usize, &'a Json)| holds(at, is, item);
            items.iter().enumerate().filter(fits).for_each(|(at, item)| enter(at.to_string(), item));
        }
        (Step::Where { at, is }, Json::Object(pairs)) => {
            pairs.iter().filter(|(_, item)| holds(at, is, item)).for_each(|(key, item)| enter(key.clone(), item));
        }
        _ => {}
    }
}

fn holds(at: &[Step], is: &str, item: &Json) -> bool {
    let mut found = Vec::new();
    walk(at, item, &mut Vec::new(), &mut found);
    found.iter().any(|place| place.value.text().is_some_and(|text| same(&text, is)))
}

/// Whether two keys or labels are one, whatever their case and the spaces around them.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a == b || a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// A path as a pointer would be written.
pub fn written(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut text, part| {
        text.push('/');
        text.push_str(&part.replace('~', "~0").replace('/', "~1"));
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(pointer: &str, json: &str) -> Vec<(String, String)> {
        let json = Json::parse(json).unwrap();
        let places = pointer.parse::<Pointer>().unwrap().find(&json);
        places.iter().map(|place| (written(&place.path), serde_json::to_string(place.value).unwrap())).collect()
    }

    #[test]
    fn keys_items_and_choices() {
        let json = r#"{"a":{"First Name ":"Ann","x/y":1},"l":[{"f":{"t":"email"},"v":"a@b.c"},{"f":{"t":"text"},"v":"x]/y"},7]}"#;
        for (pointer, path, value) in [
            ("/a/First Name ", "/a/First Name ", "\"Ann\""),
            ("/A/first name", "/a/First Name ", "\"Ann\""),
            ("/a/x~1y", "/a/x~1y", "1"),
            ("/l/2", "/l/2", "7"),
            ("/l/[f/t=EMAIL]/v", "/l/0/v", "\"a@b.c\""),
            ("/l/[v=x]/y]/f/t", "", ""),
        ] {
            let expected: Vec<(String, String)> =
                if path.is_empty() { Vec::new() } else { vec![(path.to_owned(), value.to_owned())] };
            assert_eq!(found(pointer, json), expected, "{pointer}");
        }
        assert_eq!(found("/l/*/v", json).len(), 2);
        assert_eq!(found("", "1"), [(String::new(), "1".to_owned())]);
        assert_eq!(found("/l/3", json), []);
        assert_eq!(found("/a/nothing/at/all", json), []);
    }

    #[test]
    fn a_key_that_stands_there_twice_is_found_twice() {
        assert_eq!(found("/a", r#"{"a":1,"A":2,"a":3}"#), [("/a".to_owned(), "1".to_owned()), ("/a".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn what_is_hidden_below_a_place() {
        let covers = |pointer: &str, path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            pointer.parse::<Pointer>().unwrap().covers(&path)
        };
        assert!(covers("/secret", &["Secret"]) && covers("/a/b", &["a", "b", "c"]));
        assert!(!covers("/a/b", &["a"]) && !covers("/secret", &["data", "secret"]));
        assert!(covers("/list/[k=x]/value", &["list", "0", "value"]) && !covers("/list/*/value", &["list", "0", "other"]));
    }

    #[test]
    fn what_is_no_pointer_says_so() {
        for bad in ["data", "/a/[b", "/a/[b]", "/a/[=x]/c"] {
            let error = bad.parse::<Pointer>().unwrap_err().to_string();
            assert!(error.contains("e.g."), "{bad}: {error}");
        }
    }

    #[test]
    fn no_more_places_than_anybody_maps() {
        let many = format!("[{}0]", "1,".repeat(5000));
        assert_eq!(found("/*", &many).len(), MOST);
    }

    proptest! {
        #[test]
        fn a_written_path_leads_back(parts in proptest::collection::vec("[a-zA-Z0-9~/= ]{1,6}", 1..6)) {
            let inner = parts.iter().rev().fold(Json::Text("x".to_owned()), |json, part| Json::Object(vec![(part.clone(), json)]));
            let pointer: Pointer = written(&parts).parse().unwrap();
            prop_assert_eq!(pointer.text(&inner), Some("x".to_owned()));
        }
    }
}
