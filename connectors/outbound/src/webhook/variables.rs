//! What a template can name: the event as everybody is sent it, and what most templates look for in it.

use leadgate_core::attribution::Touch;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, Direction};
use leadgate_core::language::Language;
use leadgate_core::onward::{Envelope, Told};
use leadgate_core::prepare::{IdentityKind, ReadValue};
use leadgate_core::receipt::IdentityState;
use serde_json::{Map, Value, json};

/// Every name a template may use.
pub(super) const NAMES: &[&str] = &[
    "type",
    "timestamp",
    "id",
    "version",
    "installation",
    "test",
    "lead",
    "contact",
    "activity",
    "submission",
    "by",
    "detail",
    "language",
    "name",
    "phone",
    "phones",
    "email",
    "emails",
    "message",
    "call",
    "page",
    "utm",
];

/// The names and their values; what is not known is not there.
pub(super) fn variables(envelope: &Envelope<'_>, language: &str) -> Result<Value, serde_json::Error> {
    let data = &envelope.data;
    let Value::Object(mut out) = serde_json::to_value(data)? else { return Ok(Value::Null) };
    let phones = known(data, &IdentityKind::PHONE);
    let emails = known(data, &IdentityKind::EMAIL);
    let first = |list: &[Value], key: &str| list.first().and_then(|one| one[key].as_str()).map(str::to_owned);
    let content = data.activity.map(|activity| &activity.content);
    let name = data.contact.map(|contact| contact.name.as_str()).filter(|name| !name.is_empty());
    let name = name.or(data.lead.map(|lead| lead.name.as_str()).filter(|name| !name.is_empty()));
    let touches = touches(data);
    let utm = touches.iter().find(|touch| !touch.values.is_empty());
    let utm: Map<String, Value> =
        utm.iter().flat_map(|touch| &touch.values).map(|value| (value.key.clone().into_owned(), json!(value.value))).collect();
    let more = json!({
        "type": envelope.name,
        "timestamp": envelope.timestamp,
        "test": data.test,
        "language": language,
        "name": name.or_else(|| content?.name.as_deref()),
        "phone": first(&phones, "value").map(|phone| phone.split(';').next().unwrap_or_default().to_owned()),
        "phones": phones,
        "email": first(&emails, "display"),
        "emails": emails,
        "message": content.and_then(|content| content.message.as_deref()),
        "call": content.and_then(|content| content.call.as_deref()).map(|call| told_of(call, language)),
        "page": touches.iter().find_map(|touch| touch.page.as_deref()),
        "utm": utm,
    });
    if let Value::Object(more) = more {
        out.extend(more);
    }
    let mut out = Value::Object(out);
    without_nulls(&mut out);
    Ok(out)
}

/// What a call was, as people see it.
fn told_of(call: &CallFacts, language: &str) -> Value {
    let view = call.view();
    let language = if language == Language::Ru.as_str() { Language::Ru } else { Language::En };
    let number = |number: &Option<CallNumber>| number.as_ref().map(|number| number.typed.clone());
    json!({
        "state": view.state.as_str(),
        "direction": view.direction.map(Direction::as_str),
        "outcome": view.outcome.map(CallOutcome::as_str),
        "missed": view.is_missed(),
        "number": number(&view.number),
        "line": number(&view.line),
        "agent": view.agent,
        "wait_s": view.wait_s,
        "talk_s": view.talk_s,
        "words": view.sentence(language),
    })
}

/// The newest first.
fn touches<'a>(data: &Told<'a>) -> Vec<&'a Touch> {
    let of_lead = data.lead.map(|lead| [&lead.last_touch, &lead.first_touch]);
    data.activity.map(|activity| &activity.touch).into_iter().chain(of_lead.into_iter().flatten()).collect()
}

/// The person's phones or e-mails: what came just now first. Of nobody: what was typed.
fn known(data: &Told<'_>, kind: &IdentityKind) -> Vec<Value> {
    let typed = || data.activity.iter().flat_map(|activity| &activity.content.values).filter(|value| value.kind == *kind);
    let given = |value: &str| typed().any(|typed| typed.value.as_deref() == Some(value));
    let fits = |state| !matches!(state, IdentityState::Historic | IdentityState::Generic);
    let mut held: Vec<_> =
        data.contact.iter().flat_map(|contact| &contact.identities).filter(|one| one.kind == *kind && fits(one.state)).collect();
    held.sort_by_key(|one| !given(&one.value));
    if !held.is_empty() {
        return held.into_iter().map(|one| json!({ "value": one.value, "display": one.display })).collect();
    }
    // What was typed beside an address is not written to.
    let is_address = *kind == IdentityKind::EMAIL;
    let shown = |typed: &ReadValue, value: &str| if is_address { value.to_owned() } else { typed.typed.clone() };
    typed()
        .filter_map(|typed| {
            let value = typed.value.as_deref()?;
            Some(json!({ "value": value, "display": shown(typed, value) }))
        })
        .collect()
}

/// What is not known is left out, so that a template's `if` and a joined text do not meet a word for nothing.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
