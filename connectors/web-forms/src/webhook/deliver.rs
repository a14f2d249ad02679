//! From a call to a submission.

use leadgate_core::ports::{Explanation, Parsed, PathToken, Refusal, Request};
use leadgate_core::submission::{Draft, Hold, Purpose, Submission};
use leadgate_wire::auth::Call;
use leadgate_wire::body::{self, BodyError, Document, Limits, Shape};
use leadgate_wire::json::Json;
use leadgate_wire::pointer::Pointer;
use leadgate_wire::redact::{self, Hide};

use super::config::Config;
use super::layout::Layout;
use super::presets;
use super::reading::{Reading, Said, is_test_marker};
use crate::draft::{self, Circumstances};

/// What is read of a service's body: it describes its whole form along with the answers.
const LIMITS: Limits = Limits { fields: 4000, depth: 7, value: 64 * 1024 };

/// A call, decoded as far as it can be.
struct Decoded<'a> {
    document: Document,
    /// The layout of a known service, if the source declares none.
    known: Option<&'a Layout>,
}

/// Makes a submission, or answers a call that only tries the line.
pub(super) fn deliver(config: &Config, request: &Request<'_>) -> Result<Parsed, Refusal> {
    let decoded = decode(config, request);
    let root = decoded.as_ref().ok().map(|decoded| &decoded.document.root);
    if request.path_token != PathToken::Absent
        && let Some(reply) = root.and_then(|root| config.probes.iter().find_map(|probe| probe.answer(root)))
    {
        return Ok(Parsed::Probe(reply));
    }
    let call = Call { request, body: root, now: request.received_at };
    config.auth.check(&call).map_err(|unproven| Refusal::Unauthenticated(unproven.0))?;
    if is_a_try(config, request) {
        return Ok(Parsed::Probe(config.reply.of(request.id)));
    }
    match decoded {
        Ok(decoded) if is_nothing(config, &decoded) => Ok(Parsed::Probe(config.reply.of(request.id))),
        Ok(decoded) => read(config, request, decoded).map(|submission| Parsed::Submissions(vec![submission])),
        Err(BodyError::Unreadable(why)) => Ok(Parsed::Submissions(vec![unreadable(config, request, &why)])),
        Err(error) => Err(Refusal::Oversize(error.to_string())),
    }
}

/// What became of each piece of a body; nothing is checked.
pub(super) fn explain(config: &Config, request: &Request<'_>) -> Option<Explanation> {
    let decoded = decode(config, request).ok()?;
    let hidden = hidden_places(config, decoded.known);
    let mut explanation = reading(config, request, &decoded).ok()?.explain(config, &hidden);
    for supplied in explanation.read.iter_mut().chain(&mut explanation.unmapped) {
        if let Hide::Ranges(_) = redact::usual(&[], &supplied.value) {
            "***".clone_into(&mut supplied.value);
        }
    }
    Some(explanation)
}

fn decode<'a>(config: &'a Config, request: &Request<'_>) -> Result<Decoded<'a>, BodyError> {
    let content_type = request.header("content-type").unwrap_or_default();
    let mut document = body::document(content_type, request.body, request.parts, request.query(), &LIMITS)?;
    let own = &config.layout.mapper;
    let known = if own.is_empty() { presets::recognised(&document.root) } else { None };
    known.map_or(own, |layout| &layout.mapper).open(&mut document.root, &LIMITS)?;
    Ok(Decoded { document, known })
}

fn reading(config: &Config, request: &Request<'_>, decoded: &Decoded<'_>) -> Result<Reading, BodyError> {
    let mapper = decoded.known.map_or(&config.layout.mapper, |layout| &layout.mapper);
    let limits = Limits::default();
    let reading = if mapper.is_empty() {
        let content_type = request.header("content-type").unwrap_or_default();
        let body = body::decode(content_type, request.body, request.parts, &limits)?;
        Reading::guessed(body.entries, body::query(request.query(), &limits)?)
    } else {
        Reading::mapped(config, mapper, &decoded.document)
    };
    if reading.len() > limits.fields { Err(BodyError::TooManyFields(limits.fields)) } else { Ok(reading) }
}

/// A call that brings nothing: somebody, or a service, looks whether anybody is there.
fn is_a_try(config: &Config, request: &Request<'_>) -> bool {
    let brings = match request.method {
        "POST" | "PUT" | "PATCH" => true,
        "GET" => config.get,
        _ => false,
    };
    !brings || request.header("x-hook-test").is_some_and(|test| test.trim().eq_ignore_ascii_case("true"))
}

/// An empty call, or one of a type that is not taken.
fn is_nothing(config: &Config, decoded: &Decoded<'_>) -> bool {
    let document = &decoded.document;
    let empty = document.shape == Shape::Empty && matches!(&document.root, Json::Object(pairs) if pairs.is_empty());
    let taken = |layout: &Layout| layout.takes(&document.root);
    empty || !taken(&config.layout) || !decoded.known.is_none_or(taken)
}

/// The places whose values are not kept: the secrets by which senders are known, and what the source or its service hides.
fn hidden_places<'a>(config: &'a Config, known: Option<&'a Layout>) -> impl Fn(&[String]) -> bool + 'a {
    let mut places: Vec<&'a Pointer> = config.layout.hide.iter().chain(config.auth.secret_places()).collect();
    match known {
        Some(layout) => places.extend(&layout.hide),
        // What a known service hides may stand in a body of it that was cut off and is not recognised.
        None if config.layout.mapper.is_empty() => presets::hidden().for_each(|place| places.push(place)),
        None => {}
    }
    move |path| {
        let asked = |name: &String| config.auth.secret_queries().any(|query| draft::same_name(query, name));
        places.iter().any(|place| place.covers(path)) || matches!(path, [name] if asked(name))
    }
}

/// A submission of nothing but its bytes.
fn bare(config: &Config, request: &Request<'_>, known: Option<&Layout>) -> Submission {
    let hidden = hidden_places(config, known);
    let own_path = own_path(request);
    let hide = |path: &[String], value: &str| match (hidden(path), own_path) {
        (true, _) => Hide::All,
        // Some services write the address they call into the body; it holds the source's token.
        (false, Some(own)) if value.contains(own) => {
            Hide::Ranges(value.match_indices(own).map(|(at, _)| at..at + own.len()).collect())
        }
        (false, _) => draft::hide(&config.own, path, value),
    };
    let raw = redact::raw(request, &hide, false);
    let bare = Submission::of_bytes(request.id, request.source.clone(), request.received_at, raw);
    Submission { draft: Draft { title: config.title.clone(), ..Draft::default() }, ..bare }
}

/// The part of our URL that holds the source's token.
fn own_path<'a>(request: &Request<'a>) -> Option<&'a str> {
    let path = request.url.split(['?', '#']).next()?;
    let (_, own) = path.split_once("/in/")?;
    own.contains('/').then_some(own)
}

fn unreadable(config: &Config, request: &Request<'_>, why: &str) -> Submission {
    let words = format!("the delivery cannot be read: {why}");
    let hold = Hold { code: "unreadable".to_owned(), words, authenticated: true };
    Submission { hold: Some(hold), ..bare(config, request, None) }
}

fn read(config: &Config, request: &Request<'_>, decoded: Decoded<'_>) -> Result<Submission, Refusal> {
    let reading = reading(config, request, &decoded).map_err(|error| Refusal::Oversize(error.to_string()))?;
    let Decoded { document, known } = decoded;
    if reading.is_empty() && document.files.is_empty() && document.refused.is_empty() {
        return Ok(unreadable(config, request, "none of its fields holds anything"));
    }
    let own_path = own_path(request);
    let hidden_places = hidden_places(config, known);
    let content = reading.content(&document.files, &hidden_places);
    let around = Circumstances { own: &config.own, received_at: request.received_at, address: None };
    let Said { mut draft, occurred_at } = reading.draft(&around, &hidden_places);
    if let Some(own) = own_path {
        draft.fields.retain(|field| !field.value.contains(own));
    }
    draft::consent_pages(&mut draft);
    if config.title.is_some() {
        draft.title.clone_from(&config.title);
    }
    let layouts = || std::iter::once(&config.layout).chain(known);
    let unsaid = known.is_none() && config.layout.test.is_empty();
    let test = (unsaid && is_marked(&document.root)) || layouts().any(|layout| layout.is_test(&document.root));
    let keys = layouts().map(|layout| layout.keys(&document.root)).find(|keys| !keys.is_empty()).unwrap_or_default();
    draft::files(&mut draft, document.files, document.refused);
    let purpose = if test { Purpose::Test } else { Purpose::Lead };
    Ok(Submission { keys, content, draft, occurred_at, purpose, ..bare(config, request, known) })
}

/// Whether a body is marked as a test in the usual way.
fn is_marked(root: &Json) -> bool {
    let Json::Object(pairs) = root else { return false };
    pairs.iter().any(|(key, value)| value.text().is_some_and(|value| is_test_marker(key, &value)))
}
