//! From a posted form to a submission.

use leadgate_core::attribution::{FirstTouch, Origin, attribution_key};
use leadgate_core::ports::{Refusal, Request};
use leadgate_core::secret::Secret;
use leadgate_core::submission::{Draft, Hold, Key, Purpose, Signal, Submission};
use leadgate_core::text;
use leadgate_wire::body::{self, BodyError, Decoded, Entry, Limits, Shape};
use leadgate_wire::fields::Kind;
use leadgate_wire::redact::{self, Hide};

use super::config::Config;
use super::{LANGUAGE, NEXT, RENDERING, SHOWN_AT};
use crate::draft::{self, Circumstances, FIRST_VISIT, Placed};

/// More links than people write in an enquiry.
const MANY_LINKS: u32 = 5;
/// The most values shown again to who must send a form once more.
const MOST_SHOWN: usize = 100;

/// What a form posted, decoded but for its redirect.
pub(super) fn decode(request: &Request<'_>) -> Result<(Decoded, Vec<Entry>), BodyError> {
    let limits = Limits::default();
    let content_type = request.header("content-type").unwrap_or_default();
    let decoded = body::decode(content_type, request.body, request.parts, &limits)?;
    Ok((decoded, body::query(request.query(), &limits)?))
}

/// A form, read.
pub(super) struct Delivery {
    pub submission: Submission,
    /// The captcha's answer, if the source has one and the form brought an answer.
    pub answer: Option<Secret>,
    /// What people typed: names and values, in the form's order, for a page that shows them again.
    pub typed: Vec<(String, String)>,
}

/// Makes the submission. A body over a limit is refused; one that means nothing is kept for a person to look at.
pub(super) fn deliver(config: &Config, request: &Request<'_>) -> Result<Delivery, Refusal> {
    let alone = |submission| Delivery { submission, answer: None, typed: Vec::new() };
    match decode(request) {
        Ok((decoded, query)) => Ok(read(config, request, decoded, query)),
        Err(BodyError::Unreadable(why)) => Ok(alone(unreadable(config, request, &why))),
        Err(error) => Err(Refusal::Oversize(error.to_string())),
    }
}

fn read(config: &Config, request: &Request<'_>, decoded: Decoded, query: Vec<Entry>) -> Delivery {
    let Decoded { shape, entries, files, refused } = decoded;
    if shape == Shape::Empty && query.iter().all(|entry| entry.value.trim().is_empty()) {
        let submission = unreadable(config, request, "the form was empty");
        return Delivery { submission, answer: None, typed: Vec::new() };
    }
    let placed = draft::place(entries, query);
    let honeypot = honeypot(config, &placed);
    let meant: Vec<&Placed> = placed.iter().filter(|one| !is_control(config, &one.entry)).collect();
    let around = Circumstances { own: &config.own, received_at: request.received_at, address: request.peer };
    let mut said = draft::fill(&meant, &around);
    let nothing = placed.iter().all(|one| one.entry.value.trim().is_empty()) && files.is_empty() && refused.is_empty();
    let content = draft::content_hash(&placed, &files, |entry| is_per_request(config, &entry.name));
    draft::files(&mut said, files, refused);
    let mut signals = Vec::new();
    if let Some(field) = honeypot {
        signals.push(Signal::Honeypot { field });
        said.files.clear();
    }
    signals.extend(too_fast(config, request, &placed));
    signals.extend(links(&said));
    circumstances(config, request, &placed, &mut said);
    let (answer, typed) = match &config.captcha {
        Some(captcha) => (captcha.answer(&placed), shown(config, &meant)),
        None => (None, Vec::new()),
    };
    let submission = Submission {
        keys: draft::first(&placed, RENDERING).and_then(|id| Key::new("form_id", id)).into_iter().collect(),
        content,
        draft: said,
        signals,
        hold: hold(config, request, nothing),
        purpose: if is_test(&placed) { Purpose::Test } else { Purpose::Lead },
        ..bare(config, request)
    };
    Delivery { submission, answer, typed }
}

/// What people typed, without what they did not and what is not kept.
fn shown(config: &Config, meant: &[&Placed]) -> Vec<(String, String)> {
    let typed = meant.iter().filter(|one| {
        one.from == Origin::Field
            && !matches!(one.named.kind, Kind::Service | Kind::Page | Kind::Landing | Kind::Referrer)
            && draft::hide(&config.own, &one.entry.path, &one.entry.value) == Hide::Nothing
            && attribution_key(&one.entry.name).is_none()
    });
    let pairs = typed.map(|one| (one.entry.name.trim().to_owned(), one.entry.value.trim().to_owned()));
    pairs.filter(|(_, value)| !value.is_empty()).take(MOST_SHOWN).collect()
}

fn hold(config: &Config, request: &Request<'_>, nothing: bool) -> Option<Hold> {
    config.origins.hold(request, &config.source).or_else(|| {
        nothing.then(|| Hold {
            code: "unreadable".to_owned(),
            words: "no field of the form was filled in".to_owned(),
            authenticated: true,
        })
    })
}

/// A submission of nothing but its bytes.
fn bare(config: &Config, request: &Request<'_>) -> Submission {
    let hide = |path: &[String], value: &str| match &config.captcha {
        Some(captcha) if path.last().is_some_and(|name| captcha.is_field(name)) => Hide::All,
        _ => draft::hide(&config.own, path, value),
    };
    Submission::of_bytes(request.id, request.source.clone(), request.received_at, redact::raw(request, &hide, true))
}

fn unreadable(config: &Config, request: &Request<'_>, why: &str) -> Submission {
    let mut submission = bare(config, request);
    let hold = Hold { code: "unreadable".to_owned(), words: format!("the form cannot be read: {why}"), authenticated: true };
    submission.hold = config.origins.hold(request, &config.source).or(Some(hold));
    submission.draft.title.clone_from(&config.title);
    circumstances(config, request, &[], &mut submission.draft);
    submission
}

/// What the request itself tells: the page, the browser, the address.
fn circumstances(config: &Config, request: &Request<'_>, placed: &[Placed], draft: &mut Draft) {
    draft.touch.first = draft::first(placed, FIRST_VISIT).and_then(FirstTouch::parse).map(Box::new);
    if let Some(referer) = request.header("referer").and_then(text::present)
        && !same_place(&referer, request.url)
    {
        draft.touch.offer_url(&referer, Origin::Referrer);
        if draft.touch.page.is_none() {
            draft.touch.page = Some(text::cut(&referer, 2000).to_owned());
        }
    }
    draft::consent_pages(draft);
    if config.title.is_some() {
        draft.title.clone_from(&config.title);
    }
    draft.address = request.peer;
    draft.user_agent = request.header("user-agent").and_then(text::present).map(|agent| text::cut(&agent, 500).to_owned());
    draft.language = draft::first(placed, LANGUAGE).map(|language| text::cut(language, 20).to_owned());
}

/// Whether two URLs differ in their query at most.
fn same_place(a: &str, b: &str) -> bool {
    let place = |url: &str| -> String {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_lowercase()
    };
    place(a) == place(b)
}

/// Names that are new in every rendering or request, and say nothing of what was meant.
fn is_per_request(config: &Config, name: &str) -> bool {
    draft::is_one_of(name, [RENDERING, SHOWN_AT, LANGUAGE, FIRST_VISIT].into_iter().chain(NEXT.iter().copied()))
        || config.captcha.as_ref().is_some_and(|captcha| captcha.is_field(name))
}

fn is_control(config: &Config, entry: &Entry) -> bool {
    is_per_request(config, &entry.name) || is_honeypot(config, &entry.name) || is_test_marker(entry)
}

/// `test` with a value that only a marker has; a field of that name with an answer in it is a field.
fn is_test_marker(entry: &Entry) -> bool {
    let named = matches!(entry.path.as_slice(), [name] if draft::is_one_of(name, ["test", "_test", "is_test"]));
    named && matches!(entry.value.trim().to_ascii_lowercase().as_str(), "true" | "1" | "test")
}

fn is_test(placed: &[Placed]) -> bool {
    placed.iter().any(|one| one.from == Origin::Field && is_test_marker(&one.entry))
}

fn is_honeypot(config: &Config, name: &str) -> bool {
    draft::is_one_of(name, config.honeypots.iter().map(String::as_str))
}

fn honeypot(config: &Config, placed: &[Placed]) -> Option<String> {
    placed
        .iter()
        .filter(|one| !one.entry.value.trim().is_empty())
        .find(|one| is_honeypot(config, &one.entry.name))
        .map(|one| text::cut(one.entry.name.trim(), 100).to_owned())
}

fn too_fast(config: &Config, request: &Request<'_>, placed: &[Placed]) -> Option<Signal> {
    let shown: i64 = draft::first(placed, SHOWN_AT)?.parse().ok()?;
    // A visitor's clock that is ahead of ours tells nothing.
    let millis = u64::try_from(request.received_at.as_millisecond().checked_sub(shown)?).ok()?;
    (millis < config.min_fill_ms).then_some(Signal::TooFast { millis })
}

fn links(draft: &Draft) -> Option<Signal> {
    let message = draft.message.as_deref()?;
    // Every link counted has one of these, in whatever case.
    if !message.contains([':', '.']) {
        return None;
    }
    let message = message.to_lowercase();
    let schemes = message.matches("http://").count() + message.matches("https://").count();
    let bare = message.match_indices("www.").filter(|(at, _)| !message[..*at].ends_with("://")).count();
    let count = u32::try_from(schemes + bare).unwrap_or(u32::MAX);
    (count > MANY_LINKS).then_some(Signal::Links { count })
}
