//! Captchas: what is asked, what the services' documented answers mean, and what visitors see.

use leadgate_core::ports::{Challenge, Outcome, Parsed, Push, Told};
use leadgate_core::submission::{Hold, Purpose, Signal};

use crate::support::{Call, build, fields, header, raw, text};

fn form(captcha: &str) -> Box<dyn Push> {
    build("html_form", &format!("allow_origins = [\"https://shop.example\"]\ncaptcha = {{ {captcha} }}")).unwrap().0
}

fn kind(name: &str) -> Box<dyn Push> {
    form(&format!("kind = \"{name}\", secret = \"server key\""))
}

fn asked(call: &Call, push: &dyn Push) -> Challenge {
    match call.parse(push).unwrap() {
        Parsed::Ask(challenge) => challenge,
        other => panic!("nothing was asked: {other:?}"),
    }
}

fn signals(push: &dyn Push, field: &str, status: u16, answer: &str) -> Vec<Signal> {
    let call = Call::form(format!("name=Lea&{field}=token"));
    asked(&call, push);
    call.told(push, &Told::Answer(status, answer.to_owned().into())).signals
}

/// Kind, field, and the form that goes out for an answer of `a b&c`.
const SERVICES: &[(&str, &str, &str, &str)] = &[
    (
        "turnstile",
        "cf-turnstile-response",
        "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        "secret=server+key&response=a+b%26c",
    ),
    ("hcaptcha", "h-captcha-response", "https://api.hcaptcha.com/siteverify", "secret=server+key&response=a+b%26c"),
    (
        "recaptcha",
        "g-recaptcha-response",
        "https://www.google.com/recaptcha/api/siteverify",
        "secret=server+key&response=a+b%26c",
    ),
    ("smartcaptcha", "smart-token", "https://smartcaptcha.cloud.yandex.ru/validate", "secret=server+key&token=a+b%26c"),
];

#[test]
fn the_service_is_asked_and_the_answer_is_not_kept() {
    for (name, field, url, out) in SERVICES {
        let push = kind(name);
        let call = Call::form(format!("name=Lea&phone=%2B79161234567&{field}=a+b%26c"));
        let challenge = asked(&call, push.as_ref());
        assert_eq!((challenge.url.as_str(), challenge.form.expose(), challenge.time.as_secs()), (*url, *out, 2), "{name}");
        assert!(!format!("{challenge:?}").contains("server"), "{challenge:?}");
        let submission = call.told(push.as_ref(), &Told::NotAsked);
        assert_eq!((fields(&submission.draft), submission.signals.len()), (vec![], 0));
        assert!(raw(&submission).ends_with(&format!("{field}=*******")), "{}", raw(&submission));
        // With another answer it is the same form.
        let again = Call::form(format!("name=Lea&phone=%2B79161234567&{field}=other"));
        assert_eq!(again.told(push.as_ref(), &Told::NotAsked).content, submission.content);
    }
}

#[test]
fn an_answer_in_a_field_and_at_a_place_of_ones_own() {
    let push = form("kind = \"recaptcha\", secret = \"s\", field = \"proof\", url = \"http://captcha.lan:81/verify\"");
    let call = Call::form("name=Lea&Proof=token&g-recaptcha-response=x");
    let challenge = asked(&call, push.as_ref());
    assert_eq!((challenge.url.as_str(), challenge.form.expose()), ("http://captcha.lan:81/verify", "secret=s&response=token"));
    let submission = call.told(push.as_ref(), &Told::NotAsked);
    assert_eq!(raw(&submission), "name=Lea&Proof=*****&g-recaptcha-response=*");
    assert_eq!(fields(&submission.draft), []);
}

#[test]
fn solved_is_solved() {
    for (name, field, answer) in [
        (
            "turnstile",
            "cf-turnstile-response",
            r#"{"success":true,"challenge_ts":"2026-11-21T08:59:00.000Z","hostname":"shop.example","error-codes":[],"action":"lead","cdata":""}"#,
        ),
        (
            "hcaptcha",
            "h-captcha-response",
            r#"{"success":true,"challenge_ts":"2026-11-21T08:59:00Z","hostname":"shop.example","credit":false,"score":0.0}"#,
        ),
        (
            "recaptcha",
            "g-recaptcha-response",
            r#"{"success":true,"challenge_ts":"2026-11-21T08:59:00Z","hostname":"shop.example"}"#,
        ),
        (
            "recaptcha",
            "g-recaptcha-response",
            r#"{"success":true,"score":0.5,"action":"lead","challenge_ts":"2026-11-21T08:59:00Z","hostname":"shop.example"}"#,
        ),
        ("smartcaptcha", "smart-token", r#"{"status":"ok","message":"","host":"shop.example"}"#),
        ("smartcaptcha", "smart-token", r#"{"status":"ok","message":"","host":""}"#),
    ] {
        assert_eq!(signals(kind(name).as_ref(), field, 200, answer), [], "{name} {answer}");
    }
}

#[test]
fn failed_is_evidence() {
    let failed = |why: &str| vec![Signal::Captcha { detail: why.to_owned() }];
    for (name, field, answer, why) in [
        (
            "turnstile",
            "cf-turnstile-response",
            r#"{"success":false,"error-codes":["invalid-input-response"]}"#,
            "invalid-input-response",
        ),
        (
            "turnstile",
            "cf-turnstile-response",
            r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#,
            "timeout-or-duplicate",
        ),
        (
            "hcaptcha",
            "h-captcha-response",
            r#"{"success":false,"error-codes":["already-seen-response","x"]}"#,
            "already-seen-response, x",
        ),
        ("recaptcha", "g-recaptcha-response", r#"{"success":false}"#, "no reason given"),
        ("recaptcha", "g-recaptcha-response", r#"{"success":true,"score":0.3}"#, "the score is 0.3, below 0.5"),
        (
            "smartcaptcha",
            "smart-token",
            r#"{"status":"failed","message":"Invalid or expired Token."}"#,
            "Invalid or expired Token.",
        ),
        ("smartcaptcha", "smart-token", r#"{"status":"failed","message":""}"#, "no reason given"),
    ] {
        let found = signals(kind(name).as_ref(), field, 200, answer);
        assert_eq!(found, failed(why), "{name} {answer}");
        assert!(found[0].is_evidence());
    }
    let strict = form("kind = \"recaptcha\", secret = \"s\", min_score = 0.9");
    assert_eq!(signals(strict.as_ref(), "g-recaptcha-response", 200, r#"{"success":true,"score":0.7}"#).len(), 1);
}

#[test]
fn what_says_nothing_of_the_visitor_only_flags() {
    let (field, push) = ("cf-turnstile-response", kind("turnstile"));
    for (status, answer) in [
        (200, r#"{"success":false,"error-codes":["invalid-input-secret"]}"#),
        (400, r#"{"success":false,"error-codes":["bad-request"]}"#),
        (200, r#"{"success":false,"error-codes":["internal-error"]}"#),
        (200, r#"{"success":"yes"}"#),
        (200, "{}"),
        (200, "[]"),
        (200, ""),
        (200, "<html>"),
        (503, r#"{"success":true}"#),
        (502, "Bad gateway"),
    ] {
        let found = signals(push.as_ref(), field, status, answer);
        assert!(matches!(found.as_slice(), [Signal::Unverified { .. }]), "{status} {answer}: {found:?}");
        assert!(!found[0].is_evidence());
    }
    for (status, answer) in [
        (500, ""),
        (403, r#"{"status":"failed","message":"Authentication failed. Secret has not provided."}"#),
        (200, r#"{"status":"failed","message":"Authentication failed. Secret has not provided."}"#),
        (200, r#"{"status":"maybe"}"#),
        (200, "null"),
    ] {
        let found = signals(kind("smartcaptcha").as_ref(), "smart-token", status, answer);
        assert!(matches!(found.as_slice(), [Signal::Unverified { .. }]), "{status} {answer}: {found:?}");
    }
    let call = Call::form("name=Lea&cf-turnstile-response=x");
    let found = call.told(push.as_ref(), &Told::Nothing("there was no answer in time".to_owned())).signals;
    assert_eq!(found, [Signal::Unverified { detail: "there was no answer in time".to_owned() }]);
}

#[test]
fn a_form_without_an_answer_is_sent_again() {
    let push = kind("turnstile");
    let body = "name=%3Cb%3ELea&message=line+1%0D%0Aline+2&password=hunter2&utm_source=x&_id=1&cf-turnstile-response=+";
    for body in [body.to_owned(), body.replace("&cf-turnstile-response=+", "")] {
        let Parsed::Again(reply, why) = Call::form(body).header("accept-language", "en").parse(push.as_ref()).unwrap() else {
            panic!("it was taken")
        };
        let page = text(&reply);
        assert_eq!(reply.status, 422);
        assert!(page.contains("not a robot") && page.contains("&#60;b&#62;Lea") && page.contains("line 1"), "{page}");
        for never in ["<b>", "hunter2", "utm_source"] {
            assert!(!page.contains(never), "{never}: {page}");
        }
        assert!(why.contains("cf-turnstile-response") && !why.contains("Lea"), "{why}");
    }
    let Parsed::Again(reply, _) = Call::form("name=Lea").header("accept", "application/json").parse(push.as_ref()).unwrap()
    else {
        panic!("it was taken")
    };
    assert!(reply.status == 422 && text(&reply).starts_with("{\"ok\":false,\"error\":\"captcha\""), "{}", text(&reply));
    assert_eq!(header(&reply, "access-control-allow-origin"), Some("https://shop.example"));

    let lenient = form("kind = \"turnstile\", secret = \"s\", required = false");
    let taken = Call::form("name=Lea").submission(lenient.as_ref());
    assert!(matches!(taken.signals.as_slice(), [Signal::Captcha { .. }]), "{:?}", taken.signals);
    let long = Call::form(format!("name=Lea&cf-turnstile-response={}", "x".repeat(20_000))).submission(push.as_ref());
    assert!(matches!(long.signals.as_slice(), [Signal::Captcha { .. }]), "{:?}", long.signals);
}

#[test]
fn nobody_is_asked_about_what_counts_nowhere() {
    let push = kind("turnstile");
    let test = Call::form("name=Lea&test=1").submission(push.as_ref());
    assert_eq!((test.purpose, test.signals.len()), (Purpose::Test, 0));
    let foreign =
        Call::form("name=Lea&cf-turnstile-response=x").header("origin", "https://evil.example").submission(push.as_ref());
    assert!(matches!(&foreign.hold, Some(Hold { code, .. }) if code == "origin"), "{:?}", foreign.hold);
    let success = Call::form("name=Lea").reply(push.as_ref(), Outcome::Kept(crate::support::id()));
    assert_eq!(success.status, 200);
}

#[test]
fn what_is_wrong_in_the_config() {
    let problems = |captcha: &str| -> Vec<String> {
        let config = format!("captcha = {captcha}");
        build("html_form", &config).err().into_iter().flatten().map(|p| format!("{}: {}", p.key, p.words)).collect()
    };
    assert_eq!(problems("{ kind = \"hcaptcha\", secret = \"s\" }"), Vec::<String>::new());
    assert_eq!(problems("{ kind = \"recaptcha\", secret = \"s\", min_score = 1 }"), Vec::<String>::new());
    for (captcha, expected) in [
        ("{}", vec!["captcha.kind: say", "captcha.secret: the server's key"]),
        ("\"turnstile\"", vec!["captcha: it is a text, but must be a table"]),
        ("{ kind = \"x\", secret = \"\" }", vec!["captcha.kind: it is \"x\", but must be one of", "captcha.secret: it is empty"]),
        (
            "{ kind = \"turnstile\", secret = \"s\", min_score = 0.5, key = 1 }",
            vec!["captcha.min_score: only reCAPTCHA", "captcha.key: there is no such key here"],
        ),
        (
            "{ kind = \"recaptcha\", secret = 1, min_score = 2, url = \"x\" }",
            vec![
                "captcha.secret: ",
                "captcha.min_score: it is 2, but must be a number from 0 to 1",
                "captcha.url: \"x\" is no URL",
            ],
        ),
    ] {
        let found = problems(captcha);
        assert_eq!(found.len(), expected.len(), "{captcha}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{captcha}: {found}");
        }
    }
}
