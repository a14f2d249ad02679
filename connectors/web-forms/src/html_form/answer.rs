//! The exact answers: alike for everything that was kept, whatever became of it.

use bytes::Bytes;
use leadgate_core::ports::{Reply, Request};
use leadgate_wire::body::{self, Entry};
use serde_json::json;
use url::Url;

use super::config::Config;
use super::language::{Language, pick, weighed};
use super::pages::{Page, Prerendered, texts, too_large};
use super::{LANGUAGE, NEXT, deliver, redirect};

/// How long a full gateway asks to be left alone.
const RETRY_AFTER_S: &str = "5";

/// The answer to a form that was kept, whatever became of it.
pub(super) fn success(config: &Config, request: &Request<'_>) -> Reply {
    let form = Form::of(request);
    let next = form.next.iter().find_map(|wanted| redirect::target(config, request, wanted));
    if wants_json(request) {
        let message = thanks(config, pick(config, request, form.language.as_deref())).text;
        let mut told = json!({ "ok": true, "id": request.id.to_string(), "message": message });
        if let Some(next) = next {
            told["next"] = next.as_str().into();
        }
        return with_cors(config, request, as_json(200, &told));
    }
    let reply = match next {
        Some(url) => see_other(&url),
        None => thank_you(config, request, &form),
    };
    with_cors(config, request, reply)
}

fn see_other(url: &Url) -> Reply {
    Reply {
        status: 303,
        headers: vec![("location", url.as_str().to_owned()), ("cache-control", "no-store".to_owned())],
        body: Bytes::new(),
    }
}

fn thank_you(config: &Config, request: &Request<'_>, form: &Form) -> Reply {
    let language = pick(config, request, form.language.as_deref());
    let (back, reference) = (config.origins.page(request).map(String::from), request.id.to_string());
    match config.thanks.iter().find(|(known, _)| *known == language) {
        Some((_, thanks)) => thanks.reply(200, back.as_deref(), &reference),
        None => Page { back, reference: Some(reference), ..thanks(config, language) }.reply(200),
    }
}

/// The thanks of a source in its languages, all but the visitor's own parts of it.
pub(super) fn prerendered(config: &Config) -> Vec<(Language, Prerendered)> {
    let languages = [Language::Ru, Language::En].into_iter();
    languages.filter_map(|language| Some((language, Prerendered::of(&|| thanks(config, language))?))).collect()
}

fn thanks(config: &Config, language: Language) -> Page<'_> {
    let words = texts(language);
    let text = config.thank_you.as_deref().unwrap_or(words.thanks_text);
    Page { tone: "good", heading: words.thanks, text, ..bare(config, language) }
}

fn blank<'a>(config: &'a Config, request: &Request<'_>, language: Language) -> Page<'a> {
    Page { back: config.origins.page(request).map(String::from), ..bare(config, language) }
}

fn bare(config: &Config, language: Language) -> Page<'_> {
    let words = texts(language);
    Page {
        language: language.tag(),
        tone: "bad",
        heading: "",
        text: "",
        company: config.company.trim(),
        reference: None,
        reference_label: words.reference,
        typed: Vec::new(),
        back: None,
        back_label: words.back,
    }
}

/// Nothing was stored: try again.
pub(super) fn busy(config: &Config, request: &Request<'_>) -> Reply {
    let language = pick(config, request, Form::of(request).language.as_deref());
    let words = texts(language);
    let mut reply = if wants_json(request) {
        as_json(503, &json!({ "ok": false, "error": "busy", "message": words.busy_text }))
    } else {
        Page { tone: "wait", heading: words.busy, text: words.busy_text, ..blank(config, request, language) }.reply(503)
    };
    reply.headers.push(("retry-after", RETRY_AFTER_S.to_owned()));
    with_cors(config, request, reply)
}

/// The captcha was not answered: what was typed is shown again, so that nobody has to remember it.
pub(super) fn unsolved(config: &Config, request: &Request<'_>, typed: Vec<(String, String)>) -> Reply {
    let language = pick(config, request, Form::of(request).language.as_deref());
    let words = texts(language);
    let reply = if wants_json(request) {
        as_json(422, &json!({ "ok": false, "error": "captcha", "message": words.captcha_text }))
    } else {
        Page { heading: words.captcha, text: words.captcha_text, typed, ..blank(config, request, language) }.reply(422)
    };
    with_cors(config, request, reply)
}

/// Over a limit.
pub(super) fn oversize(config: &Config, request: &Request<'_>) -> Reply {
    let language = pick(config, request, None);
    let limits = &config.limits;
    let text = too_large(language, limits.body, limits.files, limits.file, limits.files_total);
    let reply = if wants_json(request) {
        as_json(413, &json!({ "ok": false, "error": "too_large", "message": text }))
    } else {
        Page { heading: texts(language).large, text: &text, ..blank(config, request, language) }.reply(413)
    };
    with_cors(config, request, reply)
}

/// Somebody opened the form's address in a browser.
pub(super) fn visit(config: &Config, request: &Request<'_>) -> Reply {
    let language = pick(config, request, None);
    let words = texts(language);
    Page { tone: "wait", heading: words.form_here, text: words.form_here_text, ..blank(config, request, language) }.reply(200)
}

/// The address is alive.
pub(super) fn head() -> Reply {
    Reply { status: 200, headers: vec![("content-type", "text/html; charset=utf-8".to_owned())], body: Bytes::new() }
}

/// Only a POST means anything here.
pub(super) fn wrong_method() -> Reply {
    let mut reply = Reply::text(405, "this address takes a form's POST\n");
    reply.headers.push(("allow", "POST, GET, HEAD, OPTIONS".to_owned()));
    reply
}

/// A browser asks whether a page may post with a script.
pub(super) fn preflight(config: &Config, request: &Request<'_>) -> Reply {
    let mut headers = vec![("allow", "POST, GET, HEAD, OPTIONS".to_owned())];
    if config.origins.cors(request).is_some() {
        headers.push(("access-control-allow-methods", "POST".to_owned()));
        headers.push(("access-control-allow-headers", "Content-Type, Accept, X-Requested-With".to_owned()));
        headers.push(("access-control-max-age", "86400".to_owned()));
    }
    with_cors(config, request, Reply { status: 204, headers, body: Bytes::new() })
}

/// The page that posted may read the answer, if it may use the form. Never with cookies.
fn with_cors(config: &Config, request: &Request<'_>, mut reply: Reply) -> Reply {
    if let Some(origin) = config.origins.cors(request) {
        reply.headers.push(("access-control-allow-origin", origin));
    }
    reply.headers.push(("vary", "Origin, Accept, Accept-Language".to_owned()));
    reply
}

fn as_json(status: u16, value: &serde_json::Value) -> Reply {
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    Reply { status, headers, body: Bytes::from(value.to_string()) }
}

/// Whether a script waits for the answer, not a person.
fn wants_json(request: &Request<'_>) -> bool {
    let is = |name: &str, value: &str| request.header(name).is_some_and(|header| header.trim().eq_ignore_ascii_case(value));
    is("x-requested-with", "XMLHttpRequest")
        || is("sec-fetch-mode", "cors")
        || is("sec-fetch-dest", "empty")
        || prefers_json(request.header("accept").unwrap_or_default())
}

fn prefers_json(accept: &str) -> bool {
    let best = |wanted: &dyn Fn(&str) -> bool| {
        let mut found: Option<(f32, usize)> = None;
        for (at, (name, quality)) in weighed(accept).enumerate() {
            if wanted(&name.to_ascii_lowercase()) && quality > found.map_or(0.0, |(known, _)| known) {
                found = Some((quality, at));
            }
        }
        found
    };
    let json = best(&|name| name == "application/json" || (name.starts_with("application/") && name.ends_with("+json")));
    let html = best(&|name| name == "text/html" || name == "application/xhtml+xml");
    match (json, html) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some((json, json_at)), Some((html, html_at))) => json > html || (json >= html && json_at < html_at),
    }
}

/// What a form says of the answer it wants.
#[derive(Default)]
struct Form {
    next: Vec<String>,
    language: Option<String>,
}

impl Form {
    fn of(request: &Request<'_>) -> Self {
        if request.parts.is_none() && !may_name_a_control(request.body) && !may_name_a_control(request.query().as_bytes()) {
            return Self::default();
        }
        // What cannot be decoded wants nothing special.
        let Ok((decoded, query)) = deliver::decode(request) else { return Self::default() };
        let all: Vec<&Entry> = decoded.entries.iter().chain(&query).filter(|entry| !entry.value.trim().is_empty()).collect();
        let named =
            |name: &str| all.iter().find(|entry| crate::draft::same_name(&entry.name, name)).map(|entry| entry.value.clone());
        Self { next: NEXT.iter().filter_map(|name| named(name)).collect(), language: named(LANGUAGE) }
    }
}

/// What the names of [`NEXT`] and [`LANGUAGE`] have in them.
const STEMS: [&[u8]; 4] = [b"next", b"redirect", b"after", b"lang"];

/// Whether decoding could bring one of the names to light that a form speaks of its answer with. Most forms have none of
/// them, and need not be decoded again. Letters of a decoded name come from letters of the body, in the same order with
/// nothing between, unless they are written as escapes or the body is UTF-16: then the answer is yes.
fn may_name_a_control(body: &[u8]) -> bool {
    let begins = |at: usize, stem: &[u8]| body[at..].get(..stem.len()).is_some_and(|text| text.eq_ignore_ascii_case(stem));
    let [next, redirect, after, lang] = STEMS;
    matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || body.iter().enumerate().any(|(at, byte)| match byte {
            b'n' | b'N' => begins(at, next),
            b'r' | b'R' => begins(at, redirect),
            b'a' | b'A' => begins(at, after),
            b'l' | b'L' => begins(at, lang),
            b'%' => body::escaped(&body[at..]).is_some_and(|plain| plain.is_ascii_alphabetic() || matches!(plain, b'\\' | b'%')),
            b'\\' => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use leadgate_wire::body::Limits;
    use proptest::prelude::*;

    use super::{LANGUAGE, NEXT, STEMS, body, may_name_a_control, prefers_json};

    #[test]
    fn every_control_has_a_stem() {
        for name in NEXT.iter().chain([&LANGUAGE]) {
            assert!(
                STEMS.iter().any(|stem| name.to_ascii_lowercase().into_bytes().windows(stem.len()).any(|part| part == *stem)),
                "{name}"
            );
            assert!(may_name_a_control(format!("a=1&{}=x", name.to_ascii_uppercase()).as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn no_control_is_overlooked(
            pieces in proptest::collection::vec(
                "_next|_n%65xt|%5Flang|redirect|_redirectTo|_AFTER|\\\\u005flang|%5Cu005f|_le?|[a-z]{1,3}|[=&\"{}:\\[\\]\\\\%+ \n]|%7B%22|%22|Анна",
                0..12,
            ),
            kind in "application/x-www-form-urlencoded(; charset=(gbk|utf-16|iso-2022-jp))?|application/json|text/plain|",
        ) {
            let body = pieces.concat();
            let named = body::decode(&kind, body.as_bytes(), None, &Limits::default()).is_ok_and(|decoded| {
                let control = |name: &str| NEXT.iter().chain([&LANGUAGE]).any(|control| crate::draft::same_name(control, name));
                decoded.entries.iter().any(|entry| control(&entry.name))
            });
            prop_assert!(!named || may_name_a_control(body.as_bytes()), "{}", body);
        }
    }

    #[test]
    fn accept_headers() {
        for json in [
            "application/json",
            "application/json, text/plain, */*",
            "text/html;q=0.5, application/json",
            "application/problem+json",
        ] {
            assert!(prefers_json(json), "{json}");
        }
        for html in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/json",
            "application/json;q=0",
        ] {
            assert!(!prefers_json(html), "{html}");
        }
    }
}
