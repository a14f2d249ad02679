//! The script for a site's pages: `/in/{source}/snippet.{hash}.js`, which never changes, and `/in/{source}/snippet.js`, which is
//! the newest.
//!
//! Pages hold the script's hash, so every version that was ever released is served for ever.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use leadgate_core::ports::{Reply, Request, Script};
use sha2::{Digest as _, Sha384};

/// Every version, the newest first. A released file never changes; a further version is a further file.
const VERSIONS: &[&str] = &[include_str!("../../snippet/1.js")];

/// The most bytes of the newest, before compression.
pub const MOST_BYTES: usize = 4096;

/// A version as it is served.
struct Served {
    name: String,
    integrity: String,
    body: Bytes,
}

static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| {
    let serve = |source: &&str| {
        let body = shorter(source);
        let hash = Sha384::digest(body.as_bytes());
        let name = format!("snippet.{}.js", HEXLOWER.encode(&hash[..8]));
        Served { name, integrity: format!("sha384-{}", BASE64.encode(&hash)), body: body.into() }
    };
    VERSIONS.iter().map(serve).collect()
});

/// The newest version.
pub fn newest() -> Script {
    let served = &SERVED[0];
    Script { name: &served.name, integrity: &served.integrity }
}

/// The script, if it is asked for.
pub(super) fn serve(request: &Request<'_>) -> Option<Reply> {
    let plain = request.rest == "snippet.js";
    let served = SERVED.iter().find(|served| plain || served.name == request.rest)?;
    let keep = if plain { "public, max-age=300" } else { "public, max-age=31536000, immutable" };
    let tag = format!("\"{}\"", served.name);
    let headers = vec![
        ("content-type", "text/javascript; charset=utf-8".to_owned()),
        ("cache-control", keep.to_owned()),
        ("etag", tag.clone()),
        // Pages of any site include it, and check its hash: there is nothing of anybody in it.
        ("access-control-allow-origin", "*".to_owned()),
        ("cross-origin-resource-policy", "cross-origin".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    let known = request.header("if-none-match").is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    Some(if known {
        Reply { status: 304, headers, body: Bytes::new() }
    } else {
        Reply { status: 200, headers, body: served.body.clone() }
    })
}

/// What the names to shorten stand behind.
const NAMES: &str = "// names: ";

/// A script without comments, needless spaces and long names. It knows what `snippet/` holds and no more of the language:
/// comments have lines of their own, statements end with semicolons, texts stand in double quotes.
fn shorter(source: &str) -> String {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let listed = lines.iter().find_map(|line| line.strip_prefix(NAMES)).unwrap_or_default();
    let names: HashMap<&str, String> = listed.split(' ').zip(short_names()).collect();
    let code = lines.into_iter().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut out = String::with_capacity(code.len());
    let mut rest = code.as_str();
    while let Some(c) = rest.chars().next() {
        let length = piece(rest, c, &out);
        let (text, behind) = rest.split_at(length);
        let spaced = rest.len() < code.len() && code[..code.len() - rest.len()].ends_with([' ', '\n']);
        rest = behind;
        if c.is_whitespace() {
            continue;
        }
        if spaced && out.ends_with(is_name) && is_name(c) {
            out.push(' ');
        }
        let property = out.ends_with('.') && !out.ends_with("...");
        let key = out.ends_with(['{', ',']) && behind.starts_with(':');
        match names.get(text).filter(|_| !property && !key) {
            Some(short) => out.push_str(short),
            None => out.push_str(text),
        }
    }
    out.replace(";}", "}")
}

/// How many bytes of a script belong together: a text, a pattern, a name, or one character.
fn piece(rest: &str, first: char, before: &str) -> usize {
    match first {
        '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
        '/' if before.ends_with(['(', ',', '=', ':', '[', '!', '&', '|', '?', '{', '}', ';']) => pattern(rest),
        _ if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

/// The length of a regular expression with its slashes.
fn pattern(rest: &str) -> usize {
    let (mut escaped, mut within) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => within = true,
            ']' => within = false,
            '/' if !within => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

/// `a`, `b` ... `Z`, `_a` ...; without `e`, which the script calls its errors.
fn short_names() -> impl Iterator<Item = String> {
    let letters = || ('a'..='z').chain('A'..='Z').filter(|c| *c != 'e');
    letters().map(String::from).chain(letters().map(|c| format!("_{c}")))
}

#[cfg(test)]
mod tests {
    use leadgate_core::attribution::{KEYS, attribution_key};

    use super::*;

    /// Pages hold these hashes. Before a version is released its hash may change; afterwards only a line may be added.
    #[test]
    fn released_versions_stay_as_they_are() {
        let served: Vec<&str> = SERVED.iter().map(|served| served.name.as_str()).collect();
        assert_eq!(served, ["snippet.b79fde7141ffd3d0.js"]);
    }

    #[test]
    fn the_newest_is_small_and_holds_nothing_of_anybody() {
        let text = std::str::from_utf8(&SERVED[0].body).unwrap();
        assert!(text.len() < MOST_BYTES, "{} bytes", text.len());
        for never in ["document.cookie", "eval(", "innerHTML", "/*", "//"] {
            assert!(!text.contains(never), "{never}");
        }
        assert!(text.starts_with("(()=>{const ") && text.ends_with("})();"), "{text}");
    }

    #[test]
    fn its_names_are_all_in_use_and_no_property_is_one() {
        let source = VERSIONS[0];
        let listed = source.lines().find_map(|line| line.strip_prefix(NAMES)).unwrap();
        let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let words: Vec<&str> = code.split(|c| !is_name(c)).collect();
        for name in listed.split(' ') {
            assert!(words.contains(&name), "{name} is listed and not used");
        }
    }

    /// What it takes from a page's address is what a form understands.
    #[test]
    fn its_tags_are_attribution() {
        let pattern = VERSIONS[0].split("TAGS = /^(").nth(1).unwrap().split(")$/").next().unwrap();
        for tag in pattern.split('|').filter(|tag| !tag.contains(['\\', '[', '?'])) {
            assert!(attribution_key(tag).is_some(), "{tag}");
        }
        let from_cookies = ["_ga", "_ym_uid", "_fbp", "_fbc", "roistat_visit"];
        let patterns = ["yclid", "ysclid", "gbraid", "wbraid"];
        let from_calls = ["dynamic_number"];
        let elsewhere = [&from_cookies[..], &patterns, &from_calls].concat();
        for key in KEYS.iter().filter(|key| !key.starts_with("utm_") && !elsewhere.contains(key)) {
            assert!(pattern.split('|').any(|tag| tag == *key), "{key}");
        }
    }

    #[test]
    fn scripts_become_shorter() {
        let source = "// What it does.\n// names: form name\n(() => {\n  // Why.\n  const form = { name: \"a  // b\", ...form };\n  \
                      if (/[/\"] {2}/.test(form.name)) return name / 2;\n  let x = typeof name;\n})();\n";
        assert_eq!(
            shorter(source),
            "(()=>{const a={name:\"a  // b\",...a};if(/[/\"] {2}/.test(a.name))return b/2;let x=typeof b})();"
        );
    }
}
