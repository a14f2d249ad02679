//! The script for pages: where it is, how long it may be kept, and what it says of a first visit.

use leadgate_core::attribution::Origin;
use leadgate_core::ports::PathToken;

use crate::support::{Call, build, fields, header};

#[test]
fn it_is_served_without_a_token() {
    let push = build("html_form", "").unwrap().0;
    let script = push.script().unwrap();
    let get = || Call::form("").method("GET").untokened();
    let fixed = get().asset(push.as_ref(), script.name).unwrap();
    assert_eq!(header(&fixed, "cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(header(&fixed, "content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(header(&fixed, "access-control-allow-origin"), Some("*"));
    let newest = get().asset(push.as_ref(), "snippet.js").unwrap();
    assert_eq!(newest.body, fixed.body);
    assert_eq!(header(&newest, "cache-control"), Some("public, max-age=300"));
    let tag = header(&newest, "etag").unwrap();
    let known = get().header("if-none-match", &format!("\"x\", {tag}")).asset(push.as_ref(), "snippet.js").unwrap();
    assert_eq!((known.status, known.body.len()), (304, 0));
    for other in ["", "snippet", "snippet.0123456789abcdef.js", "snippet.js/", "../snippet.js", "x/snippet.js"] {
        assert!(get().asset(push.as_ref(), other).is_none(), "{other}");
    }
    assert!(build("tilda", "").unwrap().0.script().is_none());
    assert_eq!(get().token, PathToken::Absent);
    assert_eq!(
        script.tag("https://gate.example", "site"),
        format!(
            "<script src=\"https://gate.example/in/site/{}\" integrity=\"{}\" crossorigin=\"anonymous\" async></script>",
            script.name, script.integrity
        )
    );
}

#[test]
fn what_it_fills_in_is_understood() {
    let push = build("html_form", "allow_origins = [\"https://shop.example\"]").unwrap().0;
    let body = "name=Lea&utm_source=vk&gclid=G1&landing_page=https%3A%2F%2Fshop.example%2Fl&referrer=https%3A%2F%2Fvk.example%2F&\
                page_url=https%3A%2F%2Fshop.example%2Fform&_id=7c9e&_first=at%3D2026-11-01T10%253A00%253A00.000Z%26utm_source%3Dya\
                %26landing_page%3Dhttps%253A%252F%252Fshop.example%252F";
    let submission = Call::form(body).submission(push.as_ref());
    let touch = &submission.draft.touch;
    assert_eq!(fields(&submission.draft), []);
    assert_eq!((touch.get("utm_source"), touch.get("gclid")), (Some("vk"), Some("G1")));
    assert_eq!(touch.landing.as_deref(), Some("https://shop.example/l"));
    assert_eq!(
        (touch.page.as_deref(), touch.referrer.as_deref()),
        (Some("https://shop.example/form"), Some("https://vk.example/"))
    );
    let first = touch.first.as_deref().unwrap();
    assert_eq!((first.at, first.landing.as_deref()), ("2026-11-01T10:00:00Z".parse().ok(), Some("https://shop.example/")));
    assert_eq!((first.values[0].value.as_str(), first.values[0].from), ("ya", Origin::Field));
    assert_eq!(submission.keys[0].value, "7c9e");
    // What a browser remembers says nothing of what was meant.
    let other = Call::form(body.replace("utm_source%3Dya", "utm_source%3Dmail")).submission(push.as_ref());
    assert_eq!(other.content, submission.content);
}
