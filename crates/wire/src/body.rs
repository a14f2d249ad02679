//! A body, decoded by its content: senders say `text/plain` and send JSON, or say JSON and send a form.

mod document;

use std::borrow::Cow;

use bytes::Bytes;
use leadgate_core::ports::Part;
use leadgate_core::submission::FileRef;
use serde::Deserialize;

use crate::json::{Json, item_label};
pub use crate::pairs::escaped;
use crate::{charset, pairs, repair};
pub(crate) use document::measure;
pub use document::{Document, document};

/// The content type under which a multipart form is kept: its fields and the hashes of its files as JSON.
pub const PARTS: &str = "application/vnd.leadgate.parts+json";

/// What is read from one body at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields.
    pub fields: usize,
    /// Levels of brackets in a name; what is deeper stays as written.
    pub depth: usize,
    /// Bytes of a value.
    pub value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fields: 500, depth: 7, value: 64 * 1024 }
    }
}

/// How a body was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing in it.
    Empty,
    /// `a=1&b=2`.
    Urlencoded,
    /// A multipart form.
    Multipart,
    /// JSON, whatever its header said.
    Json,
    /// `a=1` on a line of its own.
    Lines,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name as sent; nested JSON is written with brackets, as PHP does.
    pub name: String,
    /// Its name, taken apart at the brackets. An empty part is `[]`.
    pub path: Vec<String>,
    /// Its value as typed.
    pub value: String,
}

/// A file that the server did not keep.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct RefusedFile {
    /// The form's field.
    pub field: String,
    /// The file's name.
    pub name: String,
    /// Why, in words.
    pub why: String,
}

/// A decoded body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How it was written.
    pub shape: Shape,
    /// Its fields, in order, doubles kept.
    pub entries: Vec<Entry>,
    /// Its files.
    pub files: Vec<FileRef>,
    /// Files that were not kept.
    pub refused: Vec<RefusedFile>,
}

/// Why a body was not decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It means nothing.
    #[error("{0}")]
    Unreadable(String),
    /// More fields than are read.
    #[error("more than {0} fields")]
    TooManyFields(usize),
    /// A value longer than is read.
    #[error("the field {name:?} is longer than {limit} bytes")]
    ValueTooLong {
        /// Which.
        name: String,
        /// The limit.
        limit: usize,
    },
}

/// A multipart form as it is kept.
#[derive(Deserialize, serde::Serialize)]
pub(crate) struct KeptParts {
    pub parts: Vec<KeptPart>,
}

/// A part as it is kept.
#[derive(Deserialize, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum KeptPart {
    File {
        name: String,
        filename: String,
        #[serde(rename = "type")]
        content_type: String,
        size: u64,
        sha256: String,
    },
    Refused {
        name: String,
        filename: String,
        refused: String,
    },
    Field {
        name: String,
        value: String,
    },
}

/// What a body is, before anything is made of it.
pub(crate) enum Reading {
    Empty,
    Json(Json),
    Parts(KeptParts),
    Urlencoded,
    Lines(String),
    Unreadable(String),
}

/// Decodes a body. `parts` holds a multipart form, if it is one. Total: whatever was sent, this returns.
pub fn decode(content_type: &str, body: &[u8], parts: Option<&[Part]>, limits: &Limits) -> Result<Decoded, BodyError> {
    let mut reader = Reader { limits: *limits, entries: Vec::new() };
    if let Some(parts) = parts {
        let (files, refused) = reader.parts(parts)?;
        return Ok(Decoded { shape: Shape::Multipart, entries: reader.entries, files, refused });
    }
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    let shape = match read(content_type, body) {
        Reading::Empty => Shape::Empty,
        Reading::Json(json) => {
            reader.json(&mut Vec::new(), &json)?;
            Shape::Json
        }
        Reading::Parts(kept) => {
            (files, refused) = reader.kept(kept)?;
            Shape::Multipart
        }
        Reading::Urlencoded => {
            reader.urlencoded(body, charset::content_type(content_type).1)?;
            Shape::Urlencoded
        }
        Reading::Lines(text) => {
            for (name, value) in lines(&text) {
                reader.push(name, value)?;
            }
            Shape::Lines
        }
        Reading::Unreadable(why) => return Err(BodyError::Unreadable(why)),
    };
    Ok(Decoded { shape, entries: reader.entries, files, refused })
}

/// JSON that a template broke by putting texts into it as they were typed, made whole; `None`: it is none, or is broken in a way
/// that leaves more than one reading. For bodies that [`decode`] calls unreadable.
pub fn mended(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let text = charset::decode_whole(body, charset::content_type(content_type).1);
    let json = repair::object(text.trim())?;
    serde_json::to_vec(&json).ok()
}

/// The encoding of a multipart form's values; its names are texts already.
pub(crate) fn parts_encoding(parts: &[Part]) -> &'static encoding_rs::Encoding {
    let fields = parts.iter().filter_map(|part| match part {
        Part::Field { name, value } => Some((name.as_str(), Bytes::as_ref(value))),
        Part::File(_) | Part::Refused { .. } => None,
    });
    let own = fields.clone().find(|(name, _)| *name == "_charset_").and_then(|(_, value)| std::str::from_utf8(value).ok());
    charset::choose(own.filter(|own| !own.trim().is_empty()), fields.map(|(_, value)| value))
}

/// Decodes the query of a URL.
pub fn query(query: &str, limits: &Limits) -> Result<Vec<Entry>, BodyError> {
    let mut reader = Reader { limits: *limits, entries: Vec::new() };
    reader.urlencoded(query.as_bytes(), None)?;
    Ok(reader.entries)
}

/// Everything below a name as a tree: `payment[products][0][name]=..` as well as `{"payment":{"products":[..]}}`.
pub fn tree(entries: &[Entry], root: &str) -> Option<Json> {
    let below: Vec<(&[String], &str)> = entries
        .iter()
        .filter(|entry| entry.path.first().is_some_and(|first| first.trim().eq_ignore_ascii_case(root)))
        .map(|entry| (&entry.path[1..], entry.value.as_str()))
        .collect();
    (!below.is_empty()).then(|| branch(&below))
}

type Group<'a> = (Cow<'a, str>, Vec<(&'a [String], &'a str)>);

fn branch(below: &[(&[String], &str)]) -> Json {
    if let [(path, value)] = below
        && path.is_empty()
    {
        return Json::Text((*value).to_owned());
    }
    // Groups by the next part of the path, in order of first appearance; every `[]` is an item of its own.
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (count, (path, value)) in below.iter().enumerate() {
        let (key, rest): (Cow<'_, str>, &[String]) = match path.split_first() {
            Some((key, rest)) if !key.is_empty() => (Cow::Borrowed(key.as_str()), rest),
            Some((_, rest)) => (Cow::Owned(count.to_string()), rest),
            None => (Cow::Borrowed(""), &[]),
        };
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, items)) if !rest.is_empty() => items.push((rest, value)),
            _ => groups.push((key, vec![(rest, value)])),
        }
    }
    if groups.iter().all(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())) {
        return Json::List(groups.iter().map(|(_, items)| branch(items)).collect());
    }
    Json::Object(groups.iter().map(|(key, items)| (key.clone().into_owned(), branch(items))).collect())
}

/// Says what a body is.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Reading {
    let (essence, label) = charset::content_type(content_type);
    if essence == PARTS {
        return serde_json::from_slice(body).map_or_else(|e| Reading::Unreadable(format!("kept parts: {e}")), Reading::Parts);
    }
    let trimmed = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if trimmed.is_empty() {
        return Reading::Empty;
    }
    let says_json = essence == "application/json" || essence == "text/json" || essence.ends_with("+json");
    let wide = matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    if says_json || wide || matches!(trimmed[0], b'{' | b'[' | b'"') {
        match json(&charset::decode_whole(body, label)) {
            Ok(json) => return Reading::Json(json),
            Err(error) if says_json && !form_like(trimmed) => return Reading::Unreadable(format!("it is no JSON: {error}")),
            Err(error) if !form_like(trimmed) => return Reading::Unreadable(format!("it begins like JSON, but {error}")),
            Err(_) => {}
        }
    }
    if trimmed[0] == b'%'
        && let Some(json) = json_in_a_name(trimmed, label)
    {
        return Reading::Json(json);
    }
    if essence.starts_with("multipart/") {
        return Reading::Unreadable("it says it is a multipart form, but has no parts".to_owned());
    }
    if (essence == "application/x-www-form-urlencoded" && trimmed.contains(&b'=')) || form_like(trimmed) {
        return Reading::Urlencoded;
    }
    let text = charset::decode_whole(body, label);
    if lines(&text).is_empty() { Reading::Unreadable("it has no fields".to_owned()) } else { Reading::Lines(text.into_owned()) }
}

/// An object or a list; also one inside of a JSON string.
fn json(text: &str) -> Result<Json, String> {
    match Json::parse(text.trim()) {
        Ok(json) if json.is_container() => Ok(json),
        Ok(Json::Text(inner)) => match Json::parse(inner.trim()) {
            Ok(json) if json.is_container() => Ok(json),
            _ => Err("it is a text, not an object".to_owned()),
        },
        Ok(_) => Err("it is neither an object nor a list".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// JSON posted as a form: the whole text is the name of the only field.
fn json_in_a_name(body: &[u8], label: Option<&str>) -> Option<Json> {
    let plain = pairs::unescape(body, false);
    let text = charset::decode_whole(&plain, label);
    let text = text.trim().trim_end_matches('=');
    if text.starts_with(['{', '[']) { json(text).ok() } else { None }
}

/// Whether a body of no or another declared type reads like `a=1&b=2`.
fn form_like(body: &[u8]) -> bool {
    if body.contains(&b'\n') || !body.contains(&b'=') || matches!(body[0], b'{' | b'[' | b'"' | b'<' | b'=') {
        return false;
    }
    let mut pieces = body.split(|b| *b == b'&');
    let several = body.contains(&b'&');
    (several || !body.contains(&b' ')) && pieces.all(|piece| piece.is_empty() || piece.contains(&b'='))
}

/// `name=value` on lines; a line without a name goes on with the value before.
pub(crate) fn lines(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        let named = line.split_once('=').filter(|(name, _)| {
            !name.trim().is_empty()
                && name.chars().count() <= 80
                && !name.contains(['?', '<', '{', '"', ';'])
                && !name.contains("://")
        });
        match (named, out.last_mut()) {
            (Some((name, value)), _) => out.push((name.trim().to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            (None, None) => {}
        }
    }
    for (_, value) in &mut out {
        value.truncate(value.trim_end().len());
    }
    out
}

/// A name's parts: `a[b][]` is `a`, `b` and an empty one. What is no such name is one part.
pub fn path(name: &str, depth: usize) -> Vec<String> {
    let Some((first, mut rest)) = name.split_once('[') else { return vec![name.to_owned()] };
    if first.trim().is_empty() {
        return vec![name.to_owned()];
    }
    let mut parts = vec![first.to_owned()];
    while parts.len() < depth.saturating_sub(1).max(1) {
        let Some((part, after)) = rest.split_once(']') else { return vec![name.to_owned()] };
        parts.push(part.to_owned());
        match after.strip_prefix('[') {
            Some(more) => rest = more,
            // Anything behind the last bracket belongs to nobody; the name is kept whole in `Entry::name`.
            None => return parts,
        }
    }
    parts.push(rest.strip_suffix(']').unwrap_or(rest).to_owned());
    parts
}

fn bracketed(path: &[String]) -> String {
    let mut parts = path.iter();
    let mut name = parts.next().cloned().unwrap_or_default();
    for part in parts {
        name.push('[');
        name.push_str(part);
        name.push(']');
    }
    name
}

struct Reader {
    limits: Limits,
    entries: Vec<Entry>,
}

impl Reader {
    fn admit(&self, name: &str, length: usize) -> Result<(), BodyError> {
        if self.entries.len() >= self.limits.fields {
            return Err(BodyError::TooManyFields(self.limits.fields));
        }
        if length > self.limits.value || name.len() > self.limits.value {
            let name = leadgate_core::text::cut(name, 100).to_owned();
            return Err(BodyError::ValueTooLong { name, limit: self.limits.value });
        }
        Ok(())
    }

    fn push(&mut self, name: String, value: String) -> Result<(), BodyError> {
        self.admit(&name, value.len())?;
        let path = path(&name, self.limits.depth);
        self.entries.push(Entry { name, path, value });
        Ok(())
    }

    fn urlencoded(&mut self, body: &[u8], label: Option<&str>) -> Result<(), BodyError> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        let pairs = pairs::cut(body, self.limits.fields);
        if pairs.list.len() > self.limits.fields {
            return Err(BodyError::TooManyFields(self.limits.fields));
        }
        let text = |range: &std::ops::Range<usize>| pairs::unescape(&body[range.clone()], pairs.literal);
        let plain: Vec<_> = pairs.list.iter().map(|pair| (text(&pair.name), text(&pair.value))).collect();
        let own = plain.iter().find(|(name, _)| **name == *b"_charset_").and_then(|(_, value)| std::str::from_utf8(value).ok());
        let own = own.filter(|own| !own.trim().is_empty());
        // All are in one encoding.
        let encoding = charset::choose(own.or(label), plain.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]));
        self.entries.reserve(plain.len());
        for (name, value) in plain {
            self.admit("", value.len().min(name.len()))?;
            self.push(charset::into_text(name, encoding), charset::into_text(value, encoding))?;
        }
        Ok(())
    }

    fn parts(&mut self, parts: &[Part]) -> Result<(Vec<FileRef>, Vec<RefusedFile>), BodyError> {
        let encoding = parts_encoding(parts);
        let (mut files, mut refused) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                // An empty file input: a nameless part of no bytes.
                Part::File(file) if file.size == 0 && file.name.trim().is_empty() => {}
                Part::File(file) => files.push(file.clone()),
                Part::Refused { field, name, why } => {
                    refused.push(RefusedFile { field: field.clone(), name: name.clone(), why: why.clone() });
                }
                Part::Field { name, value } => {
                    self.admit(name, value.len())?;
                    self.push(name.clone(), charset::decode(value, encoding).into_owned())?;
                }
            }
        }
        Ok((files, refused))
    }

    fn kept(&mut self, kept: KeptParts) -> Result<(Vec<FileRef>, Vec<RefusedFile>), BodyError> {
        let (mut files, mut refused) = (Vec::new(), Vec::new());
        for part in kept.parts {
            match part {
                KeptPart::Field { name, value } => self.push(name, value)?,
                KeptPart::File { name: field, filename, content_type, size, sha256 } => {
                    files.push(FileRef { sha256, name: filename, content_type, size, field });
                }
                KeptPart::Refused { name: field, filename, refused: why } => {
                    refused.push(RefusedFile { field, name: filename, why });
                }
            }
        }
        Ok((files, refused))
    }

    fn json(&mut self, path: &mut Vec<String>, json: &Json) -> Result<(), BodyError> {
        match json {
            Json::Object(pairs) => {
                for (key, value) in pairs {
                    path.push(key.clone());
                    self.json(path, value)?;
                    path.pop();
                }
            }
            Json::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.item(path, at, item)?;
                }
            }
            scalar => {
                if let Some(value) = scalar.text() {
                    let name = bracketed(path);
                    self.admit(&name, value.len())?;
                    self.entries.push(Entry { name, path: path.clone(), value: value.into_owned() });
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, path: &mut Vec<String>, at: usize, item: &Json) -> Result<(), BodyError> {
        let (part, value) = match item {
            Json::Object(pairs) => match item_label(pairs) {
                Some((label, value)) => (label.to_owned(), &pairs[value].1),
                None => (at.to_string(), item),
            },
            Json::List(_) => (at.to_string(), item),
            _ if path.is_empty() => (at.to_string(), item),
            scalar => (String::new(), scalar),
        };
        path.push(part);
        self.json(path, value)?;
        path.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
