//! The visitor's cookies, which Tilda sends along if asked to. Some of them tell where the visitor came from; the others are
//! nobody's business: session cookies of the shop are among them.

use std::ops::Range;

use leadgate_core::attribution::{Origin, Touch, attribution_key, percent_decode};
use leadgate_core::text;

/// The field they come in.
pub(super) const FIELD: &str = "COOKIES";
/// Tilda's own cookie with the campaign tags of the last visit from a campaign.
const TAGS: &str = "TILDAUTM";
/// The page seen before.
const PREVIOUS: &str = "previousUrl";

/// A cookie within the text.
struct Cookie<'a> {
    name: &'a str,
    value: &'a str,
    place: Range<usize>,
}

fn cookies(text: &str) -> impl Iterator<Item = Cookie<'_>> {
    let mut rest = Some(0);
    std::iter::from_fn(move || {
        let start = rest?;
        // `|||amp;` within the tags is no end of a cookie.
        let end = text[start..].match_indices(';').map(|(at, _)| start + at).find(|end| !text[start..*end].ends_with("|amp"));
        rest = end.map(|end| end + 1);
        let place = start..end.unwrap_or(text.len());
        let piece = &text[place.clone()];
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some(Cookie { name: name.trim(), value: value.trim(), place })
    })
}

fn is_kept(name: &str) -> bool {
    name == TAGS || name == PREVIOUS || attribution_key(name).is_some()
}

/// The bytes of the text that are not kept.
pub(super) fn not_kept(text: &str) -> Vec<Range<usize>> {
    cookies(text).filter(|cookie| !is_kept(cookie.name) && !cookie.place.is_empty()).map(|cookie| cookie.place).collect()
}

/// Adds what the cookies tell.
pub(super) fn read(text: &str, touch: &mut Touch) {
    for cookie in cookies(text) {
        one(cookie.name, cookie.value, touch);
    }
}

/// Adds what one cookie tells.
pub(super) fn one(name: &str, value: &str, touch: &mut Touch) {
    if name == TAGS {
        tags(value, touch);
    } else if name == PREVIOUS {
        previous(value, touch);
    } else if attribution_key(name).is_some() {
        touch.offer(name, &decoded(value), Origin::Cookie);
    }
}

/// `utm_source=a|||utm_medium=b`, encoded once or twice, with what old scripts left in it.
fn tags(value: &str, touch: &mut Touch) {
    for pair in decoded(value).split("||") {
        let pair = pair.trim_matches('|').trim();
        let pair = pair.strip_prefix("amp;").unwrap_or(pair);
        // The script cut the address at `&`, not at `#`.
        let pair = pair.split('#').next().unwrap_or_default();
        if let Some((key, value)) = pair.split_once('=') {
            touch.offer(key, &decoded(value), Origin::Cookie);
        }
    }
}

fn previous(value: &str, touch: &mut Touch) {
    let Some(url) = text::present(&decoded(value)) else { return };
    let url = text::cut(&url, 2000).to_owned();
    touch.offer_url(&url, Origin::Cookie);
    let place = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    // Tilda counts a click on "add to cart" as a page; nobody can open it.
    let made_up = place.split_once('/').is_some_and(|(_, path)| path.starts_with("tilda/"));
    let slot = if made_up || touch.page.is_some() { &mut touch.referrer } else { &mut touch.page };
    if slot.is_none() {
        *slot = Some(url);
    }
}

/// Undoes escapes while there are some; browsers and Tilda each encode once.
fn decoded(value: &str) -> String {
    let mut text = value.to_owned();
    for _ in 0..3 {
        let escaped = text.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit());
        if !escaped {
            break;
        }
        text = percent_decode(&text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_in_all_their_forms() {
        for cookie in [
            "TILDAUTM=utm_source%3Dvk%7C%7C%7Cutm_medium%3Dsocial%7C%7C%7C",
            "TILDAUTM=utm_source%253Dvk%257C%257C%257Cutm_medium%253Dsocial",
            "a=b; TILDAUTM=utm_source=vk|||amp;utm_medium=social#top|||",
            "TILDAUTM=utm_source%3Dvk%7C%7Cutm_medium%3Dsocial; x",
        ] {
            let mut touch = Touch::default();
            read(cookie, &mut touch);
            assert_eq!((touch.get("utm_source"), touch.get("utm_medium")), (Some("vk"), Some("social")), "{cookie}");
        }
    }

    #[test]
    fn other_cookies_are_not_kept() {
        let text = "PHPSESSID=abc; _ga=GA1.2.3.4; x=1;previousUrl=a.example%2Fb; ";
        let hidden: Vec<&str> = not_kept(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(hidden, ["PHPSESSID=abc", " x=1", " "]);
        let mut touch = Touch::default();
        read(text, &mut touch);
        assert_eq!(touch.get("_ga"), Some("GA1.2.3.4"));
        assert_eq!(touch.page.as_deref(), Some("a.example/b"));
    }

    #[test]
    fn made_up_pages_are_only_referrers() {
        let mut touch = Touch::default();
        read("previousUrl=shop.example%252Ftilda%252Fcart%252Fadd%252F1-2", &mut touch);
        assert_eq!((touch.page.as_deref(), touch.referrer.as_deref()), (None, Some("shop.example/tilda/cart/add/1-2")));
    }
}
