//! What several providers have in common.

use bytes::Bytes;
use leadgate_core::attribution::Origin;
use leadgate_core::call::CallNumber;
use leadgate_core::ports::Reply;
use leadgate_core::submission::Field;
use leadgate_core::text;
use leadgate_wire::json::Json;

use crate::party::{Form, Party};
use crate::provider::{Event, Incoming, Unproven, is_said};

/// Bytes of a field that is shown.
const SHOWN: usize = 1000;
/// Fields that are shown.
const MOST_SHOWN: usize = 40;
/// Values of a nested text that are looked at.
const MOST_VALUES: usize = 300;

/// An answer in JSON.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
}

/// Reads a side of a call of a provider that writes digits of any form: `79161234567`, and `89161234567` or `9161234567`, too.
pub(crate) fn side(typed: &str) -> Party {
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let national = digits.len() <= 10 || (digits.len() == 11 && digits.starts_with('8'));
    let form = if national && !typed.contains('+') { Form::National } else { Form::International };
    Party::read(typed, form)
}

/// The phone of a side, if it is one.
pub(crate) fn phone(typed: Option<&str>) -> Option<CallNumber> {
    typed.map(side).and_then(Party::phone)
}

/// The exact value of a field that a signature covers, `""` where there is none. What stands there twice could be signed by one value and
/// read by another.
pub(crate) fn agreed<'a>(incoming: &'a Incoming<'_>, name: &str) -> Result<&'a str, Unproven> {
    let all = incoming.body.iter().chain(&incoming.query);
    let mut values = all.filter(|entry| entry.name == name).map(|entry| entry.value.as_str());
    let first = values.next().unwrap_or_default();
    if values.any(|other| other != first) {
        return Err(Unproven::new(&format!("the signed field {name} stands there twice, with different values")));
    }
    Ok(first)
}

/// Whether nothing is said at all: somebody opened the address, or saved it in a cabinet that tries it.
pub(crate) fn is_empty(incoming: &Incoming<'_>) -> bool {
    incoming.body.is_empty() && incoming.query.is_empty()
}

/// Shows a value, if it says anything.
pub(crate) fn show(event: &mut Event, name: &str, value: &str) {
    let value = value.trim();
    if is_said(value) && event.fields.len() < MOST_SHOWN {
        event.fields.push(Field { name: text::cut(name, SHOWN).to_owned(), value: text::cut(value, SHOWN).to_owned() });
    }
}

/// Adds what nobody else has read: where the caller came from, ids of the visitor, anything worth showing.
pub(crate) fn rest<'a>(event: &mut Event, entries: impl IntoIterator<Item = (&'a str, &'a str)>, read: &[&str]) {
    for (name, value) in entries {
        if !read.iter().any(|known| known.eq_ignore_ascii_case(name)) && !trace(event, name, value) {
            show(event, name, value);
        }
    }
}

/// The fields of a call as pairs.
pub(crate) fn pairs<'a>(incoming: &'a Incoming<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    incoming.body.iter().chain(&incoming.query).map(|entry| (entry.name.as_str(), entry.value.as_str()))
}

/// Ids of a visitor, as trackers call them.
const HANDLES: &[(&str, &str)] = &[
    ("ga_id", "ga_client_id"),
    ("ga_cid", "ga_client_id"),
    ("ga_client_id", "ga_client_id"),
    ("gaclientid", "ga_client_id"),
    ("metrika_id", "ym_client_id"),
    ("metrika_client_id", "ym_client_id"),
    ("ya_cid", "ym_client_id"),
    ("ym_uid", "ym_client_id"),
    ("ym_client_id", "ym_client_id"),
];

/// Reads a value that tells where somebody came from. Says whether it does.
pub(crate) fn trace(event: &mut Event, name: &str, value: &str) -> bool {
    let value = value.trim();
    let last = name.trim_end_matches(']').rsplit(['[', '.']).next().unwrap_or(name).to_ascii_lowercase();
    // The first visit's tags are not this one's.
    if name.to_ascii_lowercase().contains("first") {
        return false;
    }
    if let Some((_, kind)) = HANDLES.iter().find(|(known, _)| *known == last) {
        if is_said(value) && event.handles.len() < MOST_SHOWN {
            event.handles.push(((*kind).to_owned(), text::cut(value, 200).to_owned()));
        }
        return true;
    }
    let address = || is_said(value).then(|| text::cut(value, 2000).to_owned());
    match last.as_str() {
        "url" | "page" | "page_url" | "landing" | "landing_page" if value.contains("://") => {
            event.touch.offer_url(value, Origin::PageUrl);
            event.touch.landing = event.touch.landing.take().or_else(address);
            true
        }
        "referrer" | "referer" if value.contains("://") => {
            event.touch.referrer = event.touch.referrer.take().or_else(address);
            true
        }
        "source" | "medium" | "campaign" | "content" | "term" if name.to_ascii_lowercase().contains("utm") => {
            event.touch.offer(&format!("utm_{last}"), value, Origin::Field)
        }
        _ => event.touch.offer(&last, value, Origin::Field),
    }
}

/// The scalars of a tree under their names, nested ones with brackets.
pub(crate) fn leaves(json: &Json) -> Vec<(String, String)> {
    let mut out = Vec::new();
    gather(json, "", &mut out);
    out
}

fn gather(json: &Json, name: &str, out: &mut Vec<(String, String)>) {
    if out.len() >= MOST_VALUES {
        return;
    }
    match json {
        Json::Object(pairs) => {
            for (key, value) in pairs {
                let below = if name.is_empty() { key.clone() } else { format!("{name}[{key}]") };
                gather(value, &below, out);
            }
        }
        Json::List(items) => items.iter().for_each(|item| gather(item, &format!("{name}[]"), out)),
        scalar => {
            if let Some(value) = scalar.text() {
                out.push((name.to_owned(), value.into_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_form() {
        for (typed, international) in
            [("79161234567", true), ("+79161234567", true), ("89161234567", false), ("9161234567", false), ("998901234567", true)]
        {
            assert_eq!(phone(Some(typed)).unwrap().provider_format, international, "{typed}");
        }
        assert_eq!(phone(Some("101")), None);
        assert_eq!(phone(None), None);
    }

    #[test]
    fn where_somebody_came_from() {
        let mut event = Event::default();
        let tree = Json::parse(
            r#"{"utm":{"source":"yandex"},"utm_term":"окна","first_utm":{"source":"vk"},"url":"https://a.example/?yclid=7",
                "metrika_id":"123","referrer":"https://b.example/","note":"x","empty":""}"#,
        )
        .unwrap();
        let leaves = leaves(&tree);
        rest(&mut event, leaves.iter().map(|(name, value)| (name.as_str(), value.as_str())), &[]);
        for (key, value) in [("utm_source", "yandex"), ("utm_term", "окна"), ("yclid", "7")] {
            assert_eq!(event.touch.get(key), Some(value));
        }
        assert_eq!(event.touch.landing.as_deref(), Some("https://a.example/?yclid=7"));
        assert_eq!(event.touch.referrer.as_deref(), Some("https://b.example/"));
        assert_eq!(event.handles, [("ym_client_id".to_owned(), "123".to_owned())]);
        let shown: Vec<_> = event.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(shown, ["first_utm[source]", "note"]);
    }
}
