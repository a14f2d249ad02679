//! The config of a webhook: `[webhooks.<id>]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{EVENTS, Envelope, Pattern};
use leadgate_core::ports::{BuildProblem, Secrets};
use leadgate_core::secret::Secret;
use leadgate_wire::guarded::{Allowed, Method};
use leadgate_wire::keys::Keys;
use toml::{Table, Value};
use uuid::Uuid;

use super::deliver::{Hook, Way, target};
use super::presets::{preset, presets};
use super::sample::sample;
use super::signature::{HOW, Key};
use super::template::{Content, Fault, Template};

/// A config section, commented; `{id}` stands for the webhook's id.
pub const EXAMPLE: &str = r#"
[webhooks.{id}]
# Where to: https://, or http:// for what server.inner_services names. A secret, if who knows it may post.
url = "https://crm.example.com/hooks/leadgate"
# Signs every delivery (Standard Webhooks). Make one with: echo "whsec_$(openssl rand -base64 32)"
# A list while it is being changed: all of them sign, the first one first.
secret = { env = "CRM_WEBHOOK_SECRET" }    # or { file = "..." }
# Which events: names, "lead.*", "*". docs/events.md lists them.
# events = ["lead.*", "contact.*"]
# Only of what comes from these sources.
# sources = ["site"]
# What concerns one lead goes in the order it happened; while a delivery fails, later ones of that lead wait.
# ordered = false
# Deliveries under way at once.
# in_flight = 8
# How long one attempt may take, and for how long attempts are made.
# timeout = "15 s"
# give_up_after = "3 days"
# What a system of its own kind wants: amocrm, hubspot, slack, mattermost; a template (docs/webhooks.md), its type, its method.
# preset = "slack"
# template = '{"name": {{ name }}, "phone": {{ phone }}}'    # or template_file = "crm.json"
# content_type = "application/json"
# method = "POST"
# headers = { Authorization = "Bearer {token}" }
# token = { env = "CRM_TOKEN" }
# Where the answer tells the id that a lead has there (JSON Pointer); it is kept with the delivery.
# reference = { lead = "/data/id" }
"#;

/// What is asked for if nothing is said.
const EVENTS_USUALLY: &[&str] = &["lead.*", "contact.*"];
/// Tables of a preset that a section adds to; any other key of a section takes the preset's place.
const ADDED_TO: &[&str] = &["headers"];
/// Headers that are the gateway's own, or the connection's.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Where a header's value holds the token.
const TOKEN: &str = "{token}";

/// What a section is read with.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Resolves what is secret, and reads `template_file` (relative to the configuration).
    pub secrets: &'a dyn Secrets,
    /// What may be called beside the public internet.
    pub allowed: &'a Allowed,
    /// The company's language, `ru` or `en`: what templates know as `language`.
    pub language: &'a str,
}

/// Reads a section; every problem at once, those of a template included.
pub fn read(id: &str, table: Table, around: Around<'_>) -> Result<Hook, Vec<BuildProblem>> {
    let mut keys = Keys::new(with_preset(table)?);
    if let Err(wrong) = SourceId::parse(id) {
        keys.problem("", wrong.to_string().replace("source id", "id of a webhook"));
    }
    let url = url(&mut keys, around);
    let signing = signing(&mut keys, around.secrets);
    let (events, sources) = (events(&mut keys), sources(&mut keys));
    let ordered = keys.yes("ordered").unwrap_or(false);
    let in_flight = keys.number("in_flight", 1..=64).and_then(|number| u32::try_from(number).ok()).unwrap_or(8);
    let timeout = keys.duration("timeout", Duration::from_secs(1)..=Duration::from_mins(1)).unwrap_or(Duration::from_secs(15));
    let days = |days: u64| Duration::from_hours(24 * days);
    let give_up_after = keys.duration("give_up_after", Duration::from_mins(10)..=days(30)).unwrap_or(days(3));
    let methods = [("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH")];
    let method = match keys.one_of("method", &methods) {
        Some("PUT") => Method::PUT,
        Some("PATCH") => Method::PATCH,
        _ => Method::POST,
    };
    let headers = headers(&mut keys, around.secrets);
    let references = references(&mut keys, id);
    let written = if keys.has("template") { "template" } else { "template_file" };
    let (content_type, template) = body(&mut keys, around);
    let way =
        Way { url: url.unwrap_or_else(|| Secret::new("")), method, content_type, headers, keys: signing, template, references };
    let hook = Hook { id: id.to_owned(), events, sources, ordered, in_flight, timeout, give_up_after, way: Arc::new(way) };
    if let Some(template) = &hook.way.template
        && let Err((event, fault)) = tried(&hook, template)
    {
        keys.problem(written, format!("with {event}: {}", fault.whole));
    }
    let problems = keys.finish();
    if problems.is_empty() { Ok(hook) } else { Err(problems) }
}

/// The preset's keys under the section's own.
fn with_preset(mut table: Table) -> Result<Table, Vec<BuildProblem>> {
    let Some(value) = table.remove("preset") else { return Ok(table) };
    let name = value.as_str().unwrap_or_default();
    let Some(known) = preset(name) else {
        let known: Vec<&str> = presets().iter().map(|known| known.name).collect();
        let words = format!("there is no preset {value}; there are: {}", known.join(", "));
        return Err(vec![BuildProblem { key: "preset".to_owned(), words }]);
    };
    let mut out = known.table.clone();
    if table.contains_key("template_file") {
        out.remove("template");
    }
    for (key, own) in table {
        match (out.get_mut(&key), own) {
            (Some(Value::Table(known)), Value::Table(own)) if ADDED_TO.contains(&key.as_str()) => {
                known.retain(|name, _| !own.keys().any(|own| own.eq_ignore_ascii_case(name)));
                known.extend(own);
            }
            (_, own) => {
                out.insert(key, own);
            }
        }
    }
    Ok(out)
}

/// One secret, where there must not be several.
fn one(keys: &mut Keys, key: &'static str, secrets: &dyn Secrets) -> Option<Secret> {
    let mut found = keys.secrets(key, secrets);
    if found.len() > 1 {
        keys.problem(key, "there can be one only");
    }
    found.pop()
}

fn url(keys: &mut Keys, around: Around<'_>) -> Option<Secret> {
    if !keys.has("url") {
        keys.problem("url", "it is missing: where the deliveries go, e.g. url = \"https://crm.example.com/hooks/leadgate\"");
    }
    let url = one(keys, "url", around.secrets)?;
    if let Err(why) = around.allowed.judged(url.expose()) {
        keys.problem("url", why.to_string());
    }
    Some(url)
}

fn signing(keys: &mut Keys, secrets: &dyn Secrets) -> Vec<Key> {
    let (written, before) = (keys.has("secret"), keys.problems());
    let mut out = Vec::new();
    let found = keys.secrets("secret", secrets);
    if written && found.is_empty() && keys.problems() == before {
        keys.problem("secret", format!("the list is empty: leave the key out to sign nothing; {HOW}"));
    }
    for secret in found {
        match Key::read(&secret) {
            Ok(key) => out.push(key),
            Err(why) => keys.problem("secret", why),
        }
    }
    out
}

fn events(keys: &mut Keys) -> Vec<Pattern> {
    let texts = keys.list("events").unwrap_or_else(|| EVENTS_USUALLY.iter().map(|text| (*text).to_owned()).collect());
    if texts.is_empty() {
        keys.problem("events", "the list is empty: nothing would ever go there");
    }
    let mut out = Vec::new();
    for text in texts {
        if let Some(pattern) = Pattern::parse(&text) {
            out.push(pattern);
        } else {
            let known: Vec<&str> = EVENTS.iter().map(|kind| kind.name).collect();
            let words = format!("no event fits {text:?}; there are \"*\", \"lead.*\" and the like, {}", known.join(", "));
            keys.problem("events", words);
        }
    }
    out
}

fn sources(keys: &mut Keys) -> Option<BTreeSet<SourceId>> {
    let texts = keys.list("sources")?;
    if texts.is_empty() {
        keys.problem("sources", "the list is empty: leave the key out to mean all");
    }
    let mut out = BTreeSet::new();
    for text in texts {
        match SourceId::parse(&text) {
            Ok(source) => drop(out.insert(source)),
            Err(wrong) => keys.problem("sources", wrong.to_string()),
        }
    }
    Some(out)
}

fn headers(keys: &mut Keys, secrets: &dyn Secrets) -> Vec<(String, Secret)> {
    let token = one(keys, "token", secrets);
    let mut out: BTreeMap<String, Secret> = BTreeMap::new();
    let mut uses_token = false;
    for (name, value) in keys.table("headers").unwrap_or_default() {
        let at = format!("headers.{name}");
        let lower = name.to_ascii_lowercase();
        let fits = !lower.is_empty() && lower.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !fits {
            keys.problem(&at, "it is no name of a header");
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("webhook-") {
            keys.problem(&at, "this header is the gateway's own");
        }
        let value = match secrets.resolve(&value) {
            Ok(value) => value,
            Err(why) => {
                keys.problem(&at, why);
                continue;
            }
        };
        let mut text = value.expose().to_owned();
        if text.contains(TOKEN) {
            uses_token = true;
            match &token {
                Some(token) => text = text.replace(TOKEN, token.expose()),
                None => keys.problem("token", format!("it is missing: {at} holds it, e.g. token = {{ env = \"TOKEN\" }}")),
            }
        }
        // Line breaks would begin a header of their own.
        if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            keys.problem(&at, "a header holds printable ASCII only, and no line breaks");
        }
        if out.insert(lower, Secret::new(text)).is_some() {
            keys.problem(&at, "it is there twice");
        }
    }
    if token.is_some() && !uses_token {
        keys.problem("token", format!("no header holds it; write e.g. headers = {{ Authorization = \"Bearer {TOKEN}\" }}"));
    }
    out.into_iter().collect()
}

/// What an id is called (`webhook:<id>:<name>`), and where it stands. One place alone is called `id`.
fn references(keys: &mut Keys, id: &str) -> Vec<(String, String)> {
    let written = match keys.value("reference") {
        None => return Vec::new(),
        Some(Value::Table(table)) => table,
        Some(one) => Table::from_iter([("id".to_owned(), one)]),
    };
    let mut out = Vec::new();
    for (name, at) in written {
        match at.as_str() {
            Some(pointer) if pointer.starts_with('/') => out.push((format!("{}:{name}", target(id)), pointer.to_owned())),
            _ => keys.problem("reference", format!("{at} is no place in an answer: write a JSON Pointer, e.g. \"/data/id\"")),
        }
    }
    out
}

/// What is sent: of which type, and made by what.
fn body(keys: &mut Keys, around: Around<'_>) -> (String, Option<Template>) {
    const JSON: &str = "application/json";
    let content_type = keys.text("content_type");
    let inline = keys.text("template");
    let file = keys.text("template_file");
    if inline.is_some() && file.is_some() {
        keys.problem("template_file", "there is a template already: one of both");
    }
    let key = if inline.is_some() { "template" } else { "template_file" };
    let source = inline.or_else(|| {
        let named = Value::Table(Table::from_iter([("file".to_owned(), Value::String(file?))]));
        around.secrets.resolve(&named).map_err(|why| keys.problem("template_file", why)).ok().map(|text| text.expose().to_owned())
    });
    let Some(source) = source else {
        if content_type.as_deref().is_some_and(|found| found != JSON) {
            keys.problem("content_type", format!("without a template it is {JSON}: leave the key out"));
        }
        return (JSON.to_owned(), None);
    };
    let content_type = content_type.unwrap_or_else(|| JSON.to_owned());
    if !content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        keys.problem("content_type", "it is no content type; write e.g. \"application/json\"");
    }
    let Some(content) = Content::of(&content_type) else {
        keys.problem(
            "content_type",
            "a template makes JSON, XML, HTML, text/plain, text/markdown or application/x-www-form-urlencoded",
        );
        return (content_type, None);
    };
    let template = Template::read(source, content, around.language);
    let template = template.map_err(|fault| keys.problem(key, fault.whole)).ok();
    (content_type, template)
}

/// Makes the body of everything it may be asked for.
fn tried(hook: &Hook, template: &Template) -> Result<(), (&'static str, Fault)> {
    for kind in EVENTS.iter().filter(|kind| hook.events.iter().any(|pattern| pattern.fits(kind.name))) {
        if let Some(parcel) = sample(kind.name, &hook.target(), Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH) {
            let envelope = Envelope::of(&parcel.job, &parcel.brief, parcel.installation, true);
            template.render(&envelope).map_err(|fault| (kind.name, fault))?;
        }
    }
    Ok(())
}
