//! A body as one tree, for those who name places in it.

use leadgate_core::ports::Part;
use leadgate_core::submission::FileRef;

use super::{BodyError, Entry, Limits, Reading, RefusedFile, Shape, branch, decode, query, read};
use crate::json::Json;

/// A body as a tree. JSON is itself; the fields of a form stand under their names, taken apart at the brackets; a field of the
/// query that the body does not have stands beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// How it was written.
    pub shape: Shape,
    /// The tree.
    pub root: Json,
    /// The keys at the top that the query gave.
    pub from_query: Vec<String>,
    /// Its files.
    pub files: Vec<FileRef>,
    /// Files that were not kept.
    pub refused: Vec<RefusedFile>,
}

/// Decodes a body and the query of its URL. Total, as [`decode`] is.
pub fn document(
    content_type: &str,
    body: &[u8],
    parts: Option<&[Part]>,
    url_query: &str,
    limits: &Limits,
) -> Result<Document, BodyError> {
    let mut document = match read(content_type, body) {
        Reading::Json(root) if parts.is_none() => {
            Document { shape: Shape::Json, root, from_query: Vec::new(), files: Vec::new(), refused: Vec::new() }
        }
        _ => {
            let decoded = decode(content_type, body, parts, limits)?;
            let root = Json::Object(tree(&decoded.entries));
            Document { shape: decoded.shape, root, from_query: Vec::new(), files: decoded.files, refused: decoded.refused }
        }
    };
    if !url_query.is_empty()
        && let Json::Object(pairs) = &mut document.root
    {
        for (key, value) in tree(&query(url_query, limits)?) {
            if !pairs.iter().any(|(known, _)| *known == key) {
                document.from_query.push(key.clone());
                pairs.push((key, value));
            }
        }
    }
    measure(&document.root, limits)?;
    Ok(document)
}

/// Fields under the first parts of their names. A name that stands there twice is a key that stands there twice.
fn tree(entries: &[Entry]) -> Vec<(String, Json)> {
    type Below<'a> = Vec<(&'a [String], &'a str)>;
    let mut groups: Vec<(&str, Below<'_>)> = Vec::new();
    for entry in entries {
        let Some((first, rest)) = entry.path.split_first() else { continue };
        match groups.iter_mut().find(|(known, _)| known == first) {
            Some((_, below)) if !rest.is_empty() => below.push((rest, &entry.value)),
            _ => groups.push((first, vec![(rest, &entry.value)])),
        }
    }
    groups.into_iter().map(|(key, below)| (key.to_owned(), branch(&below))).collect()
}

/// Refuses a tree with more values, or longer ones, than are read.
pub(crate) fn measure(root: &Json, limits: &Limits) -> Result<(), BodyError> {
    let mut left = limits.fields;
    count(root, "", &mut left, limits)
}

fn count(json: &Json, name: &str, left: &mut usize, limits: &Limits) -> Result<(), BodyError> {
    match json {
        Json::Object(pairs) => pairs.iter().try_for_each(|(key, value)| count(value, key, left, limits)),
        Json::List(items) => items.iter().try_for_each(|item| count(item, name, left, limits)),
        Json::Null => Ok(()),
        scalar => {
            let length = if let Json::Text(text) = scalar { text.len() } else { 0 };
            if length > limits.value || name.len() > limits.value {
                let name = leadgate_core::text::cut(name, 100).to_owned();
                return Err(BodyError::ValueTooLong { name, limit: limits.value });
            }
            *left = left.checked_sub(1).ok_or(BodyError::TooManyFields(limits.fields))?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(content_type: &str, body: &str, query: &str) -> String {
        let document = document(content_type, body.as_bytes(), None, query, &Limits::default()).unwrap();
        serde_json::to_string(&document.root).unwrap()
    }

    #[test]
    fn every_shape_is_a_tree() {
        for (content_type, body, query, expected) in [
            ("application/json", r#"{"a":{"b":[1,"x"]}}"#, "", r#"{"a":{"b":[1,"x"]}}"#),
            ("text/plain", r#"[{"a":1}]"#, "b=2", r#"[{"a":1}]"#),
            ("", "a[b][]=1&a[b][]=2&c=3&c=4", "", r#"{"a":{"b":["1","2"]},"c":"3","c":"4"}"#),
            ("", "1=x&1.3=y", "", r#"{"1":"x","1.3":"y"}"#),
            ("", "", "name=Lea&hub.mode=subscribe", r#"{"name":"Lea","hub.mode":"subscribe"}"#),
            ("", "name=Lea", "name=Max&utm_source=x", r#"{"name":"Lea","utm_source":"x"}"#),
            ("text/plain", "name=Lea\nmessage=one\ntwo", "", r#"{"name":"Lea","message":"one\ntwo"}"#),
            ("application/x-www-form-urlencoded; charset=windows-1251", "name=%C0%ED%ED%E0", "", r#"{"name":"Анна"}"#),
        ] {
            assert_eq!(root(content_type, body, query), expected, "{body}");
        }
    }

    #[test]
    fn limits_hold_for_trees() {
        let read = |body: String| document("application/json", body.as_bytes(), None, "", &Limits::default()).unwrap_err();
        assert_eq!(read(format!("[{}0]", "0,".repeat(500))), BodyError::TooManyFields(500));
        let long = format!("{{\"a\":{{\"text\":\"{}\"}}}}", "x".repeat(65_537));
        assert_eq!(read(long), BodyError::ValueTooLong { name: "text".to_owned(), limit: 65_536 });
        assert!(matches!(read("[".repeat(200_000)), BodyError::Unreadable(_)));
    }
}
