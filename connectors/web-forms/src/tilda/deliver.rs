//! From a call of Tilda's to a submission.

use leadgate_core::attribution::Touch;
use leadgate_core::ports::{Parsed, PathToken, Refusal, Reply, Request};
use leadgate_core::submission::{Draft, Field, FormRef, Hold, Key, Order, Purpose, Submission};
use leadgate_core::text;
use leadgate_wire::auth;
use leadgate_wire::body::{self, BodyError, Decoded, Entry, Limits};
use leadgate_wire::fields::{Kind, classify};
use leadgate_wire::redact::{self, Hide};

use super::config::Config;
use super::{cookies, order};
use crate::draft::{self, Circumstances, Placed};

/// Tilda's id of a delivery.
const TRANID: &str = "tranid";
const FORM_ID: &str = "formid";

/// Makes a submission, or tells that Tilda only tries the line.
pub(super) fn deliver(config: &Config, request: &Request<'_>) -> Result<Parsed, Refusal> {
    let limits = Limits::default();
    let content_type = request.header("content-type").unwrap_or_default();
    let query = body::query(request.query(), &limits);
    let decoded = body::decode(content_type, request.body, request.parts, &limits);
    authenticate(config, request, decoded.as_ref().ok(), query.as_deref().unwrap_or_default())?;
    if request.method != "POST" {
        return Ok(Parsed::Probe(Reply::text(200, "ok")));
    }
    let both = decoded.and_then(|decoded| query.map(|query| (decoded, query)));
    match both {
        Ok((decoded, query)) if is_probe(config, &decoded, &query) => Ok(Parsed::Probe(Reply::text(200, "ok"))),
        Ok((decoded, query)) => Ok(Parsed::Submissions(vec![read(config, request, decoded, query)])),
        Err(error) => Ok(Parsed::Submissions(vec![held(config, request, &error)])),
    }
}

/// The path's token, or the key: in a header, `Authorization`, the query or the body.
fn authenticate(config: &Config, request: &Request<'_>, decoded: Option<&Decoded>, query: &[Entry]) -> Result<(), Refusal> {
    if request.path_token != PathToken::Absent {
        return Ok(());
    }
    let named = |name: &str| config.asked_names.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
    let headers = request.headers.iter().filter(|(name, _)| named(name)).map(|(_, value)| value.trim().to_owned());
    let bearer = request.header("authorization").and_then(auth::authorization);
    let fields = query.iter().chain(decoded.into_iter().flat_map(|decoded| &decoded.entries));
    let fields = fields.filter(|entry| named(&entry.name)).map(|entry| entry.value.trim().to_owned());
    // Every presented text is compared: how many there are is no secret, which of them fits is.
    let fits =
        headers.chain(bearer).chain(fields).fold(false, |fits, presented| fits | auth::is_one_of(&presented, &config.keys));
    if fits { Ok(()) } else { Err(Refusal::Unauthenticated("neither the path's token nor the key is right".to_owned())) }
}

fn is_key(config: &Config, entry: &Entry) -> bool {
    is_key_name(config, &entry.path)
}

fn is_key_name(config: &Config, path: &[String]) -> bool {
    matches!(path, [name] if config.key_names.iter().any(|known| known.eq_ignore_ascii_case(name.trim())))
}

/// `test=test`, with or without the key; or nothing at all.
fn is_probe(config: &Config, decoded: &Decoded, query: &[Entry]) -> bool {
    if !decoded.files.is_empty() || !decoded.refused.is_empty() {
        return false;
    }
    let mut said = decoded.entries.iter().filter(|entry| !is_key(config, entry) && !entry.value.trim().is_empty());
    let only = match (said.next(), said.next()) {
        (None, _) => true,
        (Some(entry), None) => is_test(entry),
        _ => false,
    };
    only && query.iter().all(|entry| is_key(config, entry) || is_test(entry) || classify(&entry.path).kind == Kind::Other)
}

fn is_test(entry: &Entry) -> bool {
    draft::same_name(&entry.name, "test") && entry.value.trim().eq_ignore_ascii_case("test")
}

/// What is not kept: the key, other secrets, and cookies that are nobody's business.
fn hide(config: &Config, path: &[String], value: &str) -> Hide {
    if is_key_name(config, path) {
        return Hide::All;
    }
    match path {
        [first] if draft::same_name(first, cookies::FIELD) => Hide::Ranges(cookies::not_kept(value)),
        [first, name, ..] if draft::same_name(first, cookies::FIELD) => {
            if cookies::not_kept(&format!("{name}=")).is_empty() {
                Hide::Nothing
            } else {
                Hide::All
            }
        }
        _ => draft::hide(&config.own, path, value),
    }
}

/// A submission of nothing but its bytes.
fn bare(config: &Config, request: &Request<'_>) -> Submission {
    let raw = redact::raw(request, &|path, value| hide(config, path, value), false);
    let bare = Submission::of_bytes(request.id, request.source.clone(), request.received_at, raw);
    Submission { draft: Draft { title: config.title.clone(), ..Draft::default() }, ..bare }
}

fn held(config: &Config, request: &Request<'_>, error: &BodyError) -> Submission {
    let code = if matches!(error, BodyError::Unreadable(_)) { "unreadable" } else { "oversize" };
    let hold = Hold { code: code.to_owned(), words: format!("the delivery cannot be read: {error}"), authenticated: true };
    Submission { hold: Some(hold), ..bare(config, request) }
}

fn read(config: &Config, request: &Request<'_>, decoded: Decoded, query: Vec<Entry>) -> Submission {
    let order = body::tree(&decoded.entries, order::FIELD).as_ref().and_then(order::read);
    let placed: Vec<Placed> =
        draft::place(decoded.entries, query).into_iter().filter(|one| !is_key(config, &one.entry)).collect();
    let content = draft::content_hash(&placed, &decoded.files, |entry| is_of(entry, cookies::FIELD));
    let (cookie_fields, said): (Vec<Placed>, Vec<Placed>) = placed.into_iter().partition(|one| is_of(&one.entry, cookies::FIELD));
    // What could not be read as an order stays a field.
    let plain: Vec<&Placed> =
        said.iter().filter(|one| !is_own(&one.entry) && (order.is_none() || !is_of(&one.entry, order::FIELD))).collect();
    let around = Circumstances { own: &config.own, received_at: request.received_at, address: None };
    let mut draft = draft::fill(&plain, &around);
    for one in &cookie_fields {
        cookie(&one.entry, &mut draft.touch);
    }
    draft::consent_pages(&mut draft);
    let form_id = draft::first(&said, FORM_ID).map(str::to_owned);
    if let Some(id) = &form_id {
        draft.form.get_or_insert_with(FormRef::default).id = Some(text::clean(text::cut(id, 200)).into_owned());
    }
    let order = order.map(|order| customer_of(order, &mut draft));
    let keys = keys(&said, form_id.as_deref(), order.as_ref());
    with_order(&mut draft, order);
    if config.title.is_some() {
        draft.title.clone_from(&config.title);
    }
    draft::files(&mut draft, decoded.files, decoded.refused);
    let purpose = if said.iter().any(|one| is_test(&one.entry)) { Purpose::Test } else { Purpose::Lead };
    Submission { keys, content, draft, purpose, ..bare(config, request) }
}

/// Whether a field is one, or stands below it.
fn is_of(entry: &Entry, root: &str) -> bool {
    entry.path.first().is_some_and(|first| draft::same_name(first, root))
}

/// Fields that Tilda adds for the receiver.
fn is_own(entry: &Entry) -> bool {
    [TRANID, FORM_ID].iter().any(|name| draft::same_name(name, &entry.name)) || is_test(entry)
}

fn cookie(entry: &Entry, touch: &mut Touch) {
    match entry.path.as_slice() {
        [_, name, ..] if !name.is_empty() => cookies::one(name.trim(), &entry.value, touch),
        _ => cookies::read(&entry.value, touch),
    }
}

/// A delivery is known by Tilda's id; an order without one by the form and the order's number.
fn keys(said: &[Placed], form_id: Option<&str>, order: Option<&Order>) -> Vec<Key> {
    if let Some(tranid) = draft::first(said, TRANID) {
        return Key::new("tranid", tranid).into_iter().collect();
    }
    let id = order.and_then(|order| order.id.as_deref());
    id.and_then(|id| Key::new("order", &format!("{}:{id}", form_id.unwrap_or_default()))).into_iter().collect()
}

/// The receiver of an order is its customer, if nobody else is named.
fn customer_of(order: Order, draft: &mut Draft) -> Order {
    if draft.name.is_none() {
        draft.name = order::detail(&order, "delivery_fio").map(str::to_owned);
    }
    if let Some(address) = order::detail(&order, "delivery_address") {
        draft.fields.push(Field { name: "delivery_address".to_owned(), value: address.to_owned() });
    }
    order
}

/// An order with a number is a lead of its own, and a later posting of it changes it.
fn with_order(draft: &mut Draft, order: Option<Order>) {
    let Some(order) = order else { return };
    if let Some(id) = &order.id {
        draft.own_lead = true;
        draft.external_key = Some(format!("order:{id}"));
        if draft.title.is_none() {
            let form = draft.form.as_ref().and_then(|form| form.name.as_deref()).unwrap_or("№");
            draft.title = Some(format!("{form} {id}"));
        }
    }
    draft.order = Some(order);
}
