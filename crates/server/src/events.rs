//! docs/events.md is made of the catalogue and of the types that are sent.

use std::collections::VecDeque;
use std::fmt::Write as _;

use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::{EVENTS, Envelope, Subject, event};
use leadgate_core::ports::Parcel;
use leadgate_outbound::webhook::sample;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema as _, ToSchema as _};
use uuid::Uuid;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.md");

const BEGIN: &str = "\
# Events

What the gateway tells others: webhooks (`[webhooks.<id>]`), and by mail managers and the operator (`[[notify]]`, `[operator]`).
`events` of a webhook or a notice takes names of this page, all of a subject (`lead.*`), or every one (`*`).

Only what is fresh is told. What came before the gateway was there (a backfill, a replay, a restored backup) and tests owe nobody
anything. An event is written in the transaction of what it tells, and so is what is owed because of it: whatever stops in the middle, a
receiver gets each event at least once. `webhook-id` is the same at every attempt; whoever has seen it, has seen the event.

This page is made of the code: `UPDATE=1 cargo test -p leadgate the_page_of_events`.
";

const SENT: &str = "
## What is sent

The JSON of a webhook without a template, signed by [Standard Webhooks](https://www.standardwebhooks.com) where a secret is set. Things
are told as they stand when it is sent, which may be later than it happened. What does not exist any more is absent. Fields may be added
at any time; when one goes or changes its meaning, `version` rises.
";

fn heading(subject: Subject) -> (&'static str, &'static str) {
    match subject {
        Subject::Lead => (
            "Leads",
            "`data` holds `lead` and `contact`; `activity`, if something came or was written; `by`, if somebody did it.",
        ),
        Subject::Contact => ("Contacts", "`data` holds `contact`; `activity`, if something came; `by`, if somebody did it."),
        Subject::Submission => ("Deliveries kept aside", "`data` holds `submission`."),
        Subject::Operation => ("The gateway itself", "`data` holds `detail` alone."),
    }
}

/// An event of a subject as it is sent.
fn example(subject: Subject) -> String {
    let name = match subject {
        Subject::Lead => event::LEAD_CREATED,
        Subject::Contact => event::CONTACT_RETURNED,
        Subject::Submission => event::SUBMISSION_QUARANTINED,
        Subject::Operation => event::WEBHOOK_BROKEN,
    };
    let (id, installation) =
        (Uuid::from_u128(0x0192_f0c4_7d31_7a40_8f2a_1c3e_5a7b_9d10), Uuid::from_u128(0x0192_f0c4_0000_7000_8000_0000_0000_0001));
    let now: Timestamp = "2026-11-21T09:15:04.120551Z".parse().unwrap();
    let mut parcel = sample(name, "webhook:crm", id, installation, now).unwrap();
    as_if_true(&mut parcel);
    let envelope = Envelope::of(&parcel.job, &parcel.brief, installation, false);
    serde_json::to_string_pretty(&envelope).unwrap()
}

fn as_if_true(parcel: &mut Parcel) {
    let site = SourceId::parse("site").unwrap();
    let name = || "Анна Петрова".to_owned();
    if let Some(lead) = &mut parcel.brief.lead {
        (lead.title, lead.name, lead.source) = ("Callback".to_owned(), name(), site.clone());
    }
    if let Some(contact) = &mut parcel.brief.contact {
        contact.name = name();
    }
    if let Some(activity) = &mut parcel.brief.activity {
        activity.source = Some(site.clone());
        activity.content.name = Some(name());
        activity.content.message = Some("Please call me back after six.".to_owned());
    }
    if let Some(submission) = &mut parcel.brief.submission {
        (submission.source, submission.reasons) =
            (site.clone(), vec!["the sender proved nothing: the token is wrong".to_owned()]);
    }
    if let Some(detail) = &mut parcel.job.data.detail {
        (detail.source, detail.target, detail.count) = (None, Some("webhook:crm".to_owned()), None);
        detail.words = "answered 503".to_owned();
    }
}

fn page() -> String {
    let mut page = BEGIN.to_owned();
    for subject in [Subject::Lead, Subject::Contact, Subject::Submission, Subject::Operation] {
        let (title, holds) = heading(subject);
        write!(page, "\n## {title}\n\n{holds}\n\n| event | version | told when |\n|---|---|---|\n").unwrap();
        for kind in EVENTS.iter().filter(|kind| kind.subject == subject) {
            writeln!(page, "| `{}` | {} | {} |", kind.name, kind.version, kind.words).unwrap();
        }
        write!(page, "\n```json\n{}\n```\n", example(subject)).unwrap();
    }
    page += SENT;
    page += &types();
    page
}

/// Every type that is sent, the whole first, then what it is made of.
fn types() -> String {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    Envelope::schemas(&mut parts);
    let mut text = String::new();
    let mut named: Vec<String> = Vec::new();
    let mut next = VecDeque::from([("Envelope".to_owned(), serde_json::to_value(Envelope::schema()).unwrap())]);
    while let Some((name, schema)) = next.pop_front() {
        write!(text, "\n### {name}\n\n{}", described(&schema)).unwrap();
        for part in references(&schema) {
            if part != "Envelope" && !named.contains(&part) {
                let schema = parts.iter().find(|(name, _)| *name == part).unwrap_or_else(|| panic!("{part} is no type"));
                next.push_back((part.clone(), serde_json::to_value(&schema.1).unwrap()));
                named.push(part);
            }
        }
    }
    text
}

/// The types a schema names, in order.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(to)) => vec![last(to)],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn last(reference: &str) -> String {
    reference.rsplit('/').next().unwrap().to_owned()
}

fn words(schema: &Value) -> String {
    // What may be null has its words with what else it may be.
    let mut all = [schema].into_iter().chain(schema["oneOf"].as_array().into_iter().flatten());
    all.find_map(|schema| schema["description"].as_str())
        .unwrap_or_default()
        .replace('\n', " ")
        .replace("  ", " ")
        .trim()
        .to_owned()
}

fn described(schema: &Value) -> String {
    let about = Some(words(schema)).filter(|words| !words.is_empty()).map(|words| format!("{words}\n\n")).unwrap_or_default();
    let Some(properties) = schema["properties"].as_object() else { return format!("{about}{}.\n", kind(schema)) };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = format!("{about}| field | what | meaning |\n|---|---|---|\n");
    for (name, property) in properties {
        let absent = if required.contains(&name.as_str()) { "" } else { ", may be absent" };
        writeln!(text, "| `{name}` | {}{absent} | {} |", kind(property), words(property)).unwrap();
    }
    text
}

/// What a value may be.
fn kind(schema: &Value) -> String {
    if let Some(to) = schema["$ref"].as_str() {
        let to = last(to);
        return format!("[{to}](#{})", to.to_lowercase());
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[several].as_array() {
            // Null stands last, however it was written.
            let (nulls, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one["type"] == "null");
            return others.into_iter().chain(nulls).map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::Array(types) => {
            let of = |one: &Value| {
                let mut schema = schema.clone();
                schema["type"] = one.clone();
                kind(&schema)
            };
            types.iter().map(of).collect::<Vec<_>>().join(" or ")
        }
        Value::String(one) => match (one.as_str(), schema["format"].as_str()) {
            ("array", _) if schema["prefixItems"].is_array() => {
                format!("list: {}", schema["prefixItems"].as_array().unwrap().iter().map(kind).collect::<Vec<_>>().join(", "))
            }
            ("array", _) => format!("list of {}", kind(&schema["items"])),
            ("string", Some("date-time")) => "time".to_owned(),
            ("string", Some("uuid")) => "UUID".to_owned(),
            ("object", _) => schema["properties"].as_object().map_or_else(
                || "object".to_owned(),
                |fields| {
                    let field = |(name, value): (&String, &Value)| format!("`{name}`: {}", kind(value));
                    format!("object with {}", fields.iter().map(field).collect::<Vec<_>>().join("; "))
                },
            ),
            (other, _) => other.to_owned(),
        },
        _ => "anything".to_owned(),
    }
}

#[test]
fn the_page_of_events_is_that_of_the_code() {
    let made = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &made).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        made == committed,
        "docs/events.md is not what the code says: look whether the change is meant, then run \
         `UPDATE=1 cargo test -p leadgate the_page_of_events` and commit it"
    );
    for kind in EVENTS {
        assert!(made.contains(&format!("| `{}` |", kind.name)));
    }
}
