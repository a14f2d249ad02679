//! The pages the gateway itself shows to people: the demo form, the front door, and what a flood is told. Their words are
//! in [`words`].

mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, VARY,
};
use http::{HeaderMap, StatusCode};

use self::words::{Words, of};
use super::peer::{self, Caller};
use super::problem::Problem;
use crate::app::{Gateway, Live};
use crate::config::Language;

pub const STYLE: &str = include_str!("../../templates/style.css");

/// What the demo form takes from its own address and sends along, hidden.
const ATTRIBUTION: [&str; 9] =
    ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "gclid", "yclid", "fbclid", "_openstat"];
/// The longest value taken from the address.
const VALUE_BYTES: usize = 500;

/// The kind of source the demo page shows.
const FORM_KIND: &str = "html_form";

#[derive(Template)]
#[template(path = "demo.html")]
struct Demo {
    words: &'static Words,
    style: &'static str,
    nonce: String,
    form: Option<Form>,
}

struct Form {
    action: String,
    hidden: Vec<(&'static str, String)>,
    filled: Vec<(&'static str, String)>,
    id: String,
    shown_at: i64,
    snippet: String,
    /// The address and the hash of the script for pages.
    script: Option<(String, &'static str)>,
}

#[derive(Template)]
#[template(path = "snippet.html")]
struct Snippet<'a> {
    words: &'static Words,
    action: &'a str,
    script: Option<(String, &'static str)>,
}

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'a> {
    lang: &'a str,
    title: &'a str,
    text: &'a str,
    style: &'a str,
    nonce: &'a str,
}

/// The pages.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new().route("/", get(front)).route("/demo", get(demo))
}

async fn front(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if caller.is_local() {
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/demo"));
        return Ok(response);
    }
    let words = of(language(&headers, &gateway.live()));
    Ok(plain(words.lang, words.front_title, words.front, StatusCode::OK))
}

async fn demo(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let live = gateway.live();
    let words = of(language(&headers, &live));
    let nonce = gateway.clock.uuid().simple().to_string();
    let form = match live.sources.iter().find(|source| source.kind == FORM_KIND && source.enabled) {
        None => None,
        Some(source) => {
            let action = source.path();
            let hidden: Vec<(&'static str, String)> = attribution(query.as_deref().unwrap_or_default());
            let filled = hidden.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            let base = peer::origin(&caller, &headers, live.public_url.as_deref(), &live.base_url);
            let script = source.push.script().map(|script| (format!("/in/{}/{}", source.id, script.name), script.integrity));
            let there = script.as_ref().map(|(path, integrity)| (format!("{base}{path}"), *integrity));
            let snippet = render(&Snippet { words, action: &(base + &action), script: there })?;
            let (now, id) = gateway.clock.stamped();
            Some(Form { action, hidden, filled, id: id.to_string(), shown_at: now.as_millisecond(), snippet, script })
        }
    };
    let page = render(&Demo { words, style: STYLE, nonce: nonce.clone(), form })?;
    Ok(html(page, &nonce, StatusCode::OK))
}

/// What the address says of where the visitor came from.
fn attribution(query: &str) -> Vec<(&'static str, String)> {
    let given = |wanted: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| leadgate_core::text::cut(&value, VALUE_BYTES).to_owned()).unwrap_or_default()
    };
    ATTRIBUTION.iter().map(|name| (*name, given(name))).collect()
}

/// What an address is told that sends far more than people do.
pub fn flood(language: Language, seconds: u64) -> Response {
    let words = of(language);
    let mut response = plain(words.lang, words.flood_title, words.flood, StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub fn plain(lang: &str, title: &str, text: &str, status: StatusCode) -> Response {
    // The page has no script and nothing of the visitor's in it: the nonce guards nothing here and may be any.
    let nonce = "leadgate";
    match render(&Plain { lang, title, text, style: STYLE, nonce }) {
        Ok(page) => html(page, nonce, status),
        Err(problem) => problem.into_response(),
    }
}

pub fn render(template: &impl Template) -> Result<String, Problem> {
    template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Problem::Internal
    })
}

pub fn html(page: String, nonce: &str, status: StatusCode) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The company's language if it was set; if it was only assumed, the first of ours the browser asks for.
pub fn language(headers: &HeaderMap, live: &Live) -> Language {
    if !live.language_assumed {
        return live.language;
    }
    headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).and_then(asked).unwrap_or(live.language)
}

/// The language with the highest weight among those we speak.
fn asked(header: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in header.split(',') {
        let mut pieces = range.split(';');
        let tag = pieces.next().unwrap_or_default().trim();
        let language = match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "ru" => Language::Ru,
            "en" => Language::En,
            _ => continue,
        };
        let weight = pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if weight > 0.0 && best.is_none_or(|(before, _)| weight > before) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_asked_for_their_language() {
        assert_eq!(asked("de-DE, en;q=0.5, ru;q=0.8"), Some(Language::Ru));
        assert_eq!(asked("en-US,en"), Some(Language::En));
        assert_eq!(asked("de, ru;q=0"), None);
        assert_eq!(asked(""), None);
    }

    #[test]
    fn the_address_fills_the_hidden_fields() {
        let hidden = attribution("UTM_Source=ya%20ndex&utm_source=second&other=1&gclid=%22%3E");
        assert_eq!(hidden[0], ("utm_source", "ya ndex".to_owned()));
        assert_eq!(hidden[5], ("gclid", "\">".to_owned()));
        assert!(hidden[1].1.is_empty());
    }
}
