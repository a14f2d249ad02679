//! What is kept of a delivery: its bytes with secrets overwritten.
//!
//! Overwriting keeps lengths and everything else as it was, so that kept bytes decode again to the same fields.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use leadgate_core::attribution::attribution_key;
use leadgate_core::ports::{Part, Request};
use leadgate_core::submission::{Codec, Raw};
use leadgate_core::text;
use sha2::{Digest as _, Sha256};

use crate::body::{self, KeptPart, KeptParts, PARTS, Reading};
use crate::fields::{Kind, classify};
use crate::json::{Json, item_label};
use crate::{cards, charset, pairs};

/// What of a value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hide {
    /// All is kept.
    Nothing,
    /// Nothing is kept.
    All,
    /// These bytes are not.
    Ranges(Vec<Range<usize>>),
}

/// Says what of a field is not kept, by its name's parts and its value.
pub type Rule<'a> = &'a dyn Fn(&[String], &str) -> Hide;

/// The usual rule: passwords, keys, answers to captchas and card fields go whole; a card's number goes out of any text.
pub fn usual(path: &[String], value: &str) -> Hide {
    match classify(path).kind {
        Kind::Secret => Hide::All,
        Kind::Service if is_captcha(path) => Hide::All,
        kind => card_numbers(kind, path, value),
    }
}

/// What captchas put into a form: good for one check by whoever holds it.
const CAPTCHAS: &[&str] = &[
    "g-recaptcha-response",
    "h-captcha-response",
    "cf-turnstile-response",
    "smart-token",
    "frc-captcha-solution",
    "frc-captcha-response",
    "altcha",
    "recaptcha_response",
    "recaptcha_token",
    "recaptcha-token",
    "captcha_token",
];

fn is_captcha(path: &[String]) -> bool {
    path.last().is_some_and(|name| CAPTCHAS.iter().any(|known| known.eq_ignore_ascii_case(name.trim())))
}

/// The card numbers in a field of a known kind.
fn card_numbers(kind: Kind, path: &[String], value: &str) -> Hide {
    if value.len() < 13 {
        return Hide::Nothing;
    }
    let mut cards = cards::find(value);
    if cards.is_empty() || path.last().is_some_and(|name| attribution_key(name).is_some()) {
        return Hide::Nothing;
    }
    if matches!(kind, Kind::Phone | Kind::Messenger) {
        // A phone written without its plus may look like a card of that length; whole cards are longer.
        cards.retain(|card| value[card.clone()].bytes().filter(u8::is_ascii_digit).count() > 15);
    }
    if cards.is_empty() { Hide::Nothing } else { Hide::Ranges(cards) }
}

/// The value of a field of a known kind without card numbers; `None`: the field is a secret.
pub fn value<'a>(kind: Kind, path: &[String], value: &'a str) -> Option<Cow<'a, str>> {
    if kind == Kind::Secret {
        return None;
    }
    match card_numbers(kind, path, value) {
        Hide::Ranges(ranges) => Some(Cow::Owned(starred(value, &ranges))),
        Hide::Nothing | Hide::All => Some(Cow::Borrowed(value)),
    }
}

/// What somebody said or pressed, without card numbers.
pub fn without_cards(text: String) -> String {
    let cards = cards::find(&text);
    if cards.is_empty() { text } else { starred(&text, &cards) }
}

fn starred(value: &str, ranges: &[Range<usize>]) -> String {
    value.char_indices().map(|(at, c)| if ranges.iter().any(|range| range.contains(&at)) { '*' } else { c }).collect()
}

/// What is kept of a request.
pub fn raw(request: &Request<'_>, rule: Rule<'_>, peer_is_the_sender: bool) -> Raw {
    let content_type = request.header("content-type").unwrap_or_default();
    let kept = body(content_type, request.body, request.parts, rule);
    Raw {
        content_type: text::cut(&kept.content_type, 200).to_owned(),
        codec: Codec::Plain,
        body: kept.body,
        sha256: kept.sha256,
        query: query(request.query(), rule),
        peer: if peer_is_the_sender { request.peer } else { None },
        head: String::new(),
    }
}

/// A body as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its type.
    pub content_type: String,
    /// Its bytes.
    pub body: Bytes,
    /// SHA-256 of what was received. A multipart form, whose files went elsewhere, stands for itself by its fields and its
    /// files' hashes.
    pub sha256: [u8; 32],
}

/// Overwrites what a rule hides. Works on what cannot be decoded, too: a cut body, a form that is none.
pub fn body(content_type: &str, bytes: &Bytes, parts: Option<&[Part]>, rule: Rule<'_>) -> Kept {
    if let Some(parts) = parts {
        let kept = keep_parts(parts);
        let sha256 = Sha256::digest(to_json(&kept)).into();
        return Kept { content_type: PARTS.to_owned(), body: hide_parts(kept, rule).into(), sha256 };
    }
    let body = match body::read(content_type, bytes) {
        Reading::Empty => bytes.clone(),
        Reading::Parts(kept) => hide_parts(kept, rule).into(),
        Reading::Json(mut json) => {
            if hide_json(&mut Vec::new(), &mut json, rule) {
                to_json(&json).into()
            } else {
                bytes.clone()
            }
        }
        Reading::Urlencoded => overwrite(bytes, urlencoded(bytes, rule)),
        Reading::Lines(_) | Reading::Unreadable(_) => overwrite(bytes, loose(bytes, rule)),
    };
    Kept { content_type: content_type.to_owned(), body, sha256: Sha256::digest(bytes).into() }
}

/// Overwrites what a rule hides in the query of a URL.
pub fn query(query: &str, rule: Rule<'_>) -> String {
    if query.is_empty() {
        return String::new();
    }
    let hidden = overwrite(&Bytes::copy_from_slice(query.as_bytes()), urlencoded(query.as_bytes(), rule));
    // Whole characters are overwritten by as many bytes of ASCII.
    String::from_utf8_lossy(&hidden).into_owned()
}

fn overwrite(bytes: &Bytes, ranges: Vec<Range<usize>>) -> Bytes {
    if ranges.is_empty() {
        return bytes.clone();
    }
    let mut out = bytes.to_vec();
    for range in ranges {
        if let Some(hidden) = out.get_mut(range) {
            hidden.fill(b'*');
        }
    }
    out.into()
}

/// The bytes of an urlencoded body to overwrite.
fn urlencoded(body: &[u8], rule: Rule<'_>) -> Vec<Range<usize>> {
    let pairs = pairs::cut(body, usize::MAX);
    let mut plain_path = vec![String::new()];
    let mut out = Vec::new();
    for pair in &pairs.list {
        let name = pairs::unescape(&body[pair.name.clone()], pairs.literal);
        let name = charset::with_offsets(&name).0;
        let name = name.trim_start_matches('\u{feff}');
        // A name without brackets is all of its path, and needs no new one.
        let nested = name.contains('[').then(|| body::path(name, body::Limits::default().depth));
        if nested.is_none() {
            plain_path[0].clear();
            plain_path[0].push_str(name);
        }
        let path = nested.as_ref().unwrap_or(&plain_path);
        let value = &body[pair.value.clone()];
        let plain = pairs::unescape(value, pairs.literal);
        let (text, offsets) = charset::with_offsets(&plain);
        match rule(path, &text) {
            Hide::Nothing => {}
            Hide::All => out.push(pair.value.clone()),
            Hide::Ranges(ranges) => {
                let places = pairs::places(value, pairs.literal);
                for at in ranges.into_iter().flat_map(|range| range.start..range.end.min(text.len())) {
                    let byte = offsets.as_ref().map_or(Some(at), |offsets| offsets.get(at).copied());
                    if let Some(place) = byte.and_then(|byte| places.get(byte)) {
                        out.push(pair.value.start + place.start..pair.value.start + place.end);
                    }
                }
            }
        }
    }
    out
}

/// The bytes of anything else to overwrite: lines, pieces between `&`, and JSON's keys and texts, as far as it is JSON.
fn loose(body: &[u8], rule: Rule<'_>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in body.split(|b| *b == b'\n') {
        out.extend(urlencoded(line, rule).into_iter().map(|range| start + range.start..start + range.end));
        start += line.len() + 1;
    }
    let (text, offsets) = charset::with_offsets(body);
    let place = |at: usize| offsets.as_ref().map_or(Some(at), |offsets| offsets.get(at).copied());
    let mut hide = |range: Range<usize>| out.extend(range.filter_map(place).map(|at| at..at + 1));
    for (name, value) in json_like(&text) {
        match rule(&[name], &text[value.clone()]) {
            Hide::Nothing => {}
            Hide::All => hide(value),
            Hide::Ranges(ranges) => ranges.into_iter().for_each(|range| {
                let end = range.end.min(value.len());
                hide(value.start + range.start..value.start + end);
            }),
        }
    }
    cards::find(&text).into_iter().for_each(hide);
    out
}

/// `"key": "text"` and `"key": 123` in something that is not quite JSON; the last text may be cut off.
fn json_like(text: &str) -> Vec<(String, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    let mut key: Option<String> = None;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at + 1);
                if let Some(key) = key.take() {
                    out.push((key, at + 1..end));
                } else {
                    let colon = text.get(end + 1..).map(str::trim_start).is_some_and(|rest| rest.starts_with(':'));
                    key = colon.then(|| text[at + 1..end].to_owned());
                }
                at = end + 1;
            }
            b'0'..=b'9' if key.is_some() => {
                let end = bytes[at..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |length| at + length);
                out.extend(key.take().map(|key| (key, at..end)));
                at = end;
            }
            b'{' | b'[' | b',' | b'}' | b']' => {
                key = None;
                at += 1;
            }
            _ => at += 1,
        }
    }
    out
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Says whether anything was hidden.
fn hide_json(path: &mut Vec<String>, json: &mut Json, rule: Rule<'_>) -> bool {
    match json {
        Json::Object(pairs) => pairs.iter_mut().fold(false, |hidden, (key, value)| {
            path.push(key.clone());
            let here = hide_json(path, value, rule);
            path.pop();
            hidden | here
        }),
        Json::List(items) => items.iter_mut().enumerate().fold(false, |hidden, (at, item)| {
            let labelled = match item {
                Json::Object(pairs) => item_label(pairs).map(|(label, value)| (label.to_owned(), value)),
                _ => None,
            };
            let (part, value) = match (labelled, item) {
                (Some((label, value)), Json::Object(pairs)) => (label, &mut pairs[value].1),
                (_, item) => (at.to_string(), item),
            };
            path.push(part);
            let here = hide_json(path, value, rule);
            path.pop();
            hidden | here
        }),
        Json::Null => false,
        scalar => {
            let Some(text) = scalar.text().map(Cow::into_owned) else { return false };
            let hidden = match rule(path, &text) {
                Hide::Nothing => return false,
                Hide::All => "*".repeat(text.chars().count()),
                Hide::Ranges(ranges) => starred(&text, &ranges),
            };
            *scalar = Json::Text(hidden);
            true
        }
    }
}

fn keep_parts(parts: &[Part]) -> KeptParts {
    let encoding = body::parts_encoding(parts);
    let parts = parts.iter().map(|part| match part {
        Part::Field { name, value } => {
            KeptPart::Field { name: name.clone(), value: charset::decode(value, encoding).into_owned() }
        }
        Part::File(file) => KeptPart::File {
            name: file.field.clone(),
            filename: file.name.clone(),
            content_type: file.content_type.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
        },
        Part::Refused { field, name, why } => {
            KeptPart::Refused { name: field.clone(), filename: name.clone(), refused: why.clone() }
        }
    });
    KeptParts { parts: parts.collect() }
}

fn hide_parts(mut kept: KeptParts, rule: Rule<'_>) -> Vec<u8> {
    for part in &mut kept.parts {
        if let KeptPart::Field { name, value } = part {
            match rule(&body::path(name, body::Limits::default().depth), value) {
                Hide::Nothing => {}
                Hide::All => *value = "*".repeat(value.chars().count()),
                Hide::Ranges(ranges) => *value = starred(value, &ranges),
            }
        }
    }
    to_json(&kept)
}

/// JSON of values whose keys are texts: it has no failing case.
fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a value that always serialises did not");
        b"{}".to_vec()
    })
}

#[cfg(test)]
mod tests;
