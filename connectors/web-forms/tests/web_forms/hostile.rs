//! Whatever is sent, there is an answer and never a panic.

use crate::support::{Call, build};
use leadgate_core::ports::{Outcome, Parsed, Push};
use proptest::prelude::*;

const BODIES: &[(&str, &str)] = &[
    ("application/x-www-form-urlencoded", include_str!("../../fixtures/html_form/callback.urlencoded")),
    ("application/json", include_str!("../../fixtures/html_form/nested.json")),
    ("text/plain", include_str!("../../fixtures/html_form/lines.txt")),
    ("application/x-www-form-urlencoded", include_str!("../../fixtures/tilda/cart_text.urlencoded")),
    ("application/x-www-form-urlencoded", include_str!("../../fixtures/tilda/cart_brackets.urlencoded")),
    ("application/json", include_str!("../../fixtures/tilda/marketplace.json")),
    ("application/json", include_str!("../../fixtures/wordpress/cf7_default.json")),
    ("text/plain", include_str!("../../fixtures/wordpress/cf7_template.txt")),
    ("application/x-www-form-urlencoded", include_str!("../../fixtures/wordpress/elementor_simple.urlencoded")),
    ("application/x-www-form-urlencoded", include_str!("../../fixtures/wordpress/elementor_advanced.urlencoded")),
    ("application/json", include_str!("../../fixtures/wordpress/gravity_entry.json")),
    ("application/json", include_str!("../../fixtures/wordpress/wpforms.json")),
    ("application/json", include_str!("../../fixtures/wordpress/fluent.json")),
    ("application/json", include_str!("../../fixtures/wordpress/forminator.json")),
    ("application/json", include_str!("../../fixtures/wordpress/jetpack.json")),
    ("application/json", include_str!("../../fixtures/webhook/typeform.json")),
    ("text/plain", include_str!("../../fixtures/webhook/tally.json")),
    ("application/json", include_str!("../../fixtures/webhook/google_ads.json")),
    ("application/json", include_str!("../../fixtures/webhook/vk.json")),
];

/// Every kind; of webhooks one that reads what it gets as it looks, one of a preset, and one with a mapping of its own.
const KINDS: [(&str, &str); 6] = [
    ("html_form", ""),
    ("tilda", ""),
    ("wordpress", ""),
    ("webhook", ""),
    ("webhook", "preset = \"roistat\""),
    (
        "webhook",
        "json = \"/a\"\nguess = true\nmap = { name = \"/*/b\", phone = { from = \"/[c=d]/e\", all = true } }\n\
         answers = { at = \"\", label = \"/a\", value = [\"/b\", \"\"], options = { at = \"/o/*\", id = \"/i\", text = \"/t\" } }",
    ),
];

fn all() -> [Box<dyn Push>; 6] {
    KINDS.map(|(kind, config)| build(kind, config).unwrap().0)
}

fn answered(push: &dyn Push, call: &Call) {
    let refusal = call.parse(push).err();
    let outcome = refusal.as_ref().map_or(Outcome::Recorded(&[]), Outcome::Refused);
    let reply = call.reply(push, outcome);
    assert!(reply.status < 500, "{reply:?}");
}

#[test]
fn cut_at_every_byte() {
    let all = all();
    for (content_type, body) in BODIES {
        for length in 0..=body.len() {
            for push in &all {
                answered(push.as_ref(), &Call::post(content_type, body.as_bytes()[..length].to_vec()));
            }
        }
    }
}

#[test]
fn one_byte_changed() {
    let all = all();
    for (content_type, body) in BODIES {
        for at in (0..body.len()).step_by(7) {
            for byte in [0, b'%', b'&', b'"', 0xff] {
                let mut changed = body.as_bytes().to_vec();
                changed[at] = byte;
                answered(all[at % all.len()].as_ref(), &Call::post(content_type, changed));
            }
        }
    }
}

#[test]
fn names_that_mean_something_elsewhere_are_data() {
    let (push, _) = build("html_form", "").unwrap();
    let body = "__proto__%5Badmin%5D=1&constructor%5Bprototype%5D=2&fields%5B__proto__%5D%5Bvalue%5D=3&Name=Lea";
    let draft = Call::form(body).submission(push.as_ref()).draft;
    assert_eq!(draft.name.as_deref(), Some("Lea"));
    assert_eq!(draft.fields.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn anything(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        headers in proptest::collection::vec(("(origin|referer|accept|content-type|accept-language|host|authorization|sec-fetch-mode|user-agent|x-hook-test|x-wpforms-webhook-id)", "[ -~]{0,40}"), 0..6),
        query in "[ -~]{0,60}",
    ) {
        for push in &all() {
            let mut call = Call::post("", body.clone()).query(&query);
            for (name, value) in &headers {
                call = call.header(name, value);
            }
            answered(push.as_ref(), &call);
        }
    }

    #[test]
    fn content_is_what_was_meant(id in "[a-z0-9]{0,20}", shown in 0_u64..2_000_000_000_000, captcha in "[a-zA-Z0-9]{0,30}", message in "[a-zа-я &=%]{1,40}") {
        let (push, _) = build("html_form", "").unwrap();
        let hash = |id: &str, shown: u64, captcha: &str, message: &str| {
            let body = serde_json::json!({ "name": "Lea", "message": message, "_id": id, "_t": shown, "_csrf": captcha, "g-recaptcha-response": captcha, "_next": captcha });
            match Call::post("application/json", body.to_string()).parse(push.as_ref()).unwrap() {
                Parsed::Submissions(all) => all[0].content,
                other => panic!("no submission: {other:?}"),
            }
        };
        let first = hash("a", 1, "b", &message);
        prop_assert_eq!(first, hash(&id, shown, &captcha, &message));
        prop_assert_ne!(first, hash("a", 1, "b", &format!("{message}!")));
    }
}
