//! From a plugin's call to a submission.

use std::collections::HashSet;

use leadgate_core::attribution::attribution_key;
use leadgate_core::ports::{Parsed, PathToken, Refusal, Reply, Request};
use leadgate_core::submission::{Draft, Field, Hold, Submission};
use leadgate_core::text;
use leadgate_wire::auth;
use leadgate_wire::body::{self, BodyError, Decoded, Entry, Limits, Shape};
use leadgate_wire::fields::{Kind, classify, looks_like_email, looks_like_phone};
use leadgate_wire::redact::{self, Hide};

use super::config::Config;
use super::plugin::{self, Plugin};
use super::reading::{self, Reading, placed};
use super::{BODY, sender};
use crate::draft::{self, Circumstances, Placed};

/// Fields of one delivery. Elementor sends six for each of the form's.
const FIELDS: usize = 3000;
/// Bytes of a value that are read; a file inside of the message may be longer.
const VALUE: usize = 64 * 1024;

/// Makes a submission, or tells that the plugin only tries the line.
pub(super) fn deliver(config: &Config, request: &Request<'_>) -> Result<Parsed, Refusal> {
    if request.path_token == PathToken::Absent {
        return Err(Refusal::Unauthenticated("the path holds no token of this source".to_owned()));
    }
    let tried = || Ok(Parsed::Probe(Reply::text(200, "ok")));
    if matches!(request.method, "HEAD" | "OPTIONS") || plugin::is_hook_test(request) {
        return tried();
    }
    if request.method == "GET" && request.query().is_empty() && request.body.is_empty() {
        return tried();
    }
    signed(config, request)?;
    match decode(request) {
        Ok(Call { entries, files, query }) if says_nothing(&entries, &files, &query) => tried(),
        Ok(call) => Ok(Parsed::Submissions(vec![read(config, request, call)])),
        Err(error) => Ok(Parsed::Submissions(vec![held(config, request, &error)])),
    }
}

/// Checks the signature of `WPForms`, where its secret is known. It signs the bytes of JSON; of a form it signs something else
/// than what it sends, so that nobody can check it.
fn signed(config: &Config, request: &Request<'_>) -> Result<(), Refusal> {
    let Some(signature) = &config.signature else { return Ok(()) };
    // What is read again was checked when it came.
    if request.path_token != PathToken::Valid {
        return Ok(());
    }
    let call = auth::Call { request, body: None, now: request.received_at };
    signature.check(&call).map_err(|why| {
        Refusal::Unauthenticated(format!("{why}; WPForms signs what can be checked only with Request Format JSON"))
    })
}

/// What was sent: fields, and what the address said beside them.
struct Call {
    entries: Vec<Entry>,
    files: Decoded,
    query: Vec<Entry>,
}

fn decode(request: &Request<'_>) -> Result<Call, BodyError> {
    let limits = Limits { fields: FIELDS, value: usize::try_from(BODY).unwrap_or(usize::MAX), ..Limits::default() };
    let content_type = request.header("content-type").unwrap_or_default();
    let mut decoded = match body::decode(content_type, request.body, request.parts, &limits) {
        Err(BodyError::Unreadable(why)) => match body::mended(content_type, request.body) {
            Some(whole) => body::decode("application/json", &whole, None, &limits)?,
            None => return Err(BodyError::Unreadable(why)),
        },
        decoded => decoded?,
    };
    let mut query = body::query(request.query(), &limits)?;
    let mut entries = std::mem::take(&mut decoded.entries);
    if decoded.shape == Shape::Empty {
        // A delivery by GET is all in the address.
        entries = std::mem::take(&mut query);
    }
    let entries = reading::respelled(entries);
    if let Some(long) = entries.iter().find(|entry| entry.value.len() > VALUE && !is_file(&entry.path, &entry.value)) {
        return Err(BodyError::ValueTooLong { name: text::cut(&long.name, 100).to_owned(), limit: VALUE });
    }
    Ok(Call { entries, files: decoded, query })
}

/// The content of a file inside of the message.
fn is_file(path: &[String], value: &str) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r');
    path.len() > 1 && path.last().is_some_and(|last| last == "content") && value.bytes().all(base64)
}

/// Nothing at all, or an address that somebody opened to look: a delivery by GET has at least two fields, or a contact.
fn says_nothing(entries: &[Entry], decoded: &Decoded, query: &[Entry]) -> bool {
    if decoded.shape != Shape::Empty {
        return entries.is_empty() && decoded.files.is_empty() && decoded.refused.is_empty();
    }
    debug_assert!(query.is_empty(), "without a body the query holds the fields");
    let said = |entry: &&Entry| {
        !entry.value.trim().is_empty()
            && attribution_key(&entry.name).is_none()
            && !matches!(classify(&entry.path).kind, Kind::Service | Kind::Secret | Kind::Page | Kind::Referrer)
    };
    let contact = |entry: &Entry| {
        matches!(classify(&entry.path).kind, Kind::Name | Kind::Phone | Kind::Email | Kind::Message)
            || looks_like_email(&entry.value)
            || looks_like_phone(&entry.value)
    };
    let mut fields = entries.iter().filter(said);
    match (fields.next(), fields.next()) {
        (None, _) => true,
        (Some(one), None) => !contact(one),
        _ => false,
    }
}

/// A submission of nothing but its bytes.
fn bare(config: &Config, request: &Request<'_>, secrets: &HashSet<String>) -> Submission {
    let hide = |path: &[String], value: &str| {
        let path = &*reading::unfolded(path);
        let in_secret = matches!(path, [_, id, ..] if secrets.contains(id.as_str()));
        if in_secret || (value.len() > VALUE && is_file(path, value)) { Hide::All } else { draft::hide(&config.own, path, value) }
    };
    let raw = redact::raw(request, &hide, false);
    let bare = Submission::of_bytes(request.id, request.source.clone(), request.received_at, raw);
    Submission { draft: Draft { title: config.title.clone(), ..Draft::default() }, ..bare }
}

fn held(config: &Config, request: &Request<'_>, error: &BodyError) -> Submission {
    let code = if matches!(error, BodyError::Unreadable(_)) { "unreadable" } else { "oversize" };
    let mut submission = bare(config, request, &HashSet::new());
    submission.hold = Some(hold(code, format!("the delivery cannot be read: {error}")));
    show_sender(&mut submission.draft, None, sender::site(request));
    submission
}

fn hold(code: &str, words: String) -> Hold {
    Hold { code: code.to_owned(), words, authenticated: true }
}

fn read(config: &Config, request: &Request<'_>, call: Call) -> Submission {
    let plugin = plugin::sniff(request, &call.entries);
    let nothing = call.entries.iter().all(|entry| entry.value.trim().is_empty())
        && call.files.files.is_empty()
        && call.files.refused.is_empty();
    let site = sender::site(request);
    let site_host = site.as_deref().and_then(sender::host);
    let Reading { plugin, mut said, visitor, secrets, keys, occurred_at } =
        reading::read(plugin, call.entries, &config.own, site_host.as_deref());
    said.extend(defaults(call.query, &said));
    let content = draft::content_hash(&said, &call.files.files, |_| false);
    let around = Circumstances { own: &config.own, received_at: request.received_at, address: visitor.address };
    let mut draft = draft::fill(&said.iter().collect::<Vec<_>>(), &around);
    draft::consent_pages(&mut draft);
    draft::files(&mut draft, call.files.files, call.files.refused);
    if config.title.is_some() {
        draft.title.clone_from(&config.title);
    }
    draft.address = visitor.address;
    draft.user_agent = visitor.user_agent;
    show_sender(&mut draft, plugin, site);
    let bare = bare(config, request, &secrets);
    Submission {
        keys,
        content,
        draft,
        occurred_at: occurred_at.filter(|at| *at <= request.received_at),
        hold: nothing.then(|| hold("unreadable", "no field of the form was filled in".to_owned())),
        ..bare
    }
}

/// What the address says beside a body that does not say it.
fn defaults(query: Vec<Entry>, said: &[Placed]) -> Vec<Placed> {
    let missing = |given: &Entry| {
        !said.iter().any(|one| draft::same_name(&one.entry.name, &given.name) && !one.entry.value.trim().is_empty())
    };
    query.into_iter().filter(missing).map(|entry| placed(entry, leadgate_core::attribution::Origin::ActionUrl)).collect()
}

/// The site and the plugin, for people who have several.
fn show_sender(draft: &mut Draft, plugin: Option<Plugin>, site: Option<String>) {
    let plugin = plugin.map(|plugin| plugin.as_str().to_owned());
    for (name, value) in [("WordPress site", site), ("WordPress plugin", plugin)] {
        draft.fields.extend(value.map(|value| Field { name: name.to_owned(), value }));
    }
}
