//! Any webhook: presets, mappings, ways in, answers.

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ports::{Outcome, Parsed, Part, Push, Refusal};
use leadgate_core::submission::{Draft, Purpose, Submission};

use crate::support::{Call, ID, build, emails, fields, header, phones, raw, text};

const TYPEFORM: &str = include_str!("../../fixtures/webhook/typeform.json");
const TALLY: &str = include_str!("../../fixtures/webhook/tally.json");
const WEBFLOW: &str = include_str!("../../fixtures/webhook/webflow.json");
const GOOGLE_FORMS: &str = include_str!("../../fixtures/webhook/google_forms.json");
const GOOGLE_ADS: &str = include_str!("../../fixtures/webhook/google_ads.json");
const VK: &str = include_str!("../../fixtures/webhook/vk.json");
const JOTFORM_RAW: &str = include_str!("../../fixtures/webhook/jotform_raw.json");
const ROISTAT: &str = include_str!("../../fixtures/webhook/roistat.query");

fn webhook(config: &str) -> Box<dyn Push> {
    build("webhook", config).unwrap_or_else(|problems| panic!("{config}: {problems:?}")).0
}

fn preset(name: &str) -> Box<dyn Push> {
    webhook(&format!("preset = \"{name}\""))
}

fn json(body: &str) -> Call {
    Call::post("application/json", body.to_owned())
}

fn tag<'a>(draft: &'a Draft, key: &str) -> Option<&'a str> {
    draft.touch.get(key)
}

fn key(submission: &Submission) -> Vec<&str> {
    submission.keys.iter().map(|key| key.value.as_str()).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn jotform() -> Call {
    let field = |name: &str, value: &str| Part::Field { name: name.to_owned(), value: Bytes::from(value.to_owned()) };
    let mut call = Call::post("multipart/form-data; boundary=x", "");
    call.parts = Some(vec![
        field("action", ""),
        field("webhookURL", "https://gate.example/in/site/t0k3n"),
        field("formID", "2432"),
        field("formTitle", "Tutors"),
        field("submissionID", "6084"),
        field("rawRequest", JOTFORM_RAW),
        field("pretty", "Name:Ada Byron, Phone:(495) 555-01-46"),
        field("ip", "203.0.113.18"),
    ]);
    call
}

#[test]
fn typeform() {
    let made = json(TYPEFORM).submission(preset("typeform").as_ref());
    let draft = &made.draft;
    assert_eq!(draft.name.as_deref(), Some("Жанна"));
    assert_eq!((phones(draft), emails(draft)), (vec!["+79165550142"], vec!["zhanna@okna.example"]));
    assert_eq!(
        (tag(draft, "utm_source"), tag(draft, "utm_campaign"), tag(draft, "gclid")),
        (Some("yandex"), Some("windows"), None)
    );
    assert_eq!(draft.form.as_ref().and_then(|form| form.name.as_deref()), Some("Windows"));
    let kept = fields(draft);
    assert!(kept.contains(&("Which floors?", "1st, 2nd, cellar")) && kept.contains(&("crm_note", "warm")), "{kept:?}");
    // An answer of a kind nobody knew of stays.
    assert!(kept.iter().any(|(_, value)| *value == "beam"), "{kept:?}");
    assert_eq!((key(&made), made.occurred_at), (vec!["tok-77"], Some(at("2026-11-20T10:01:30Z"))));
}

#[test]
fn tally() {
    let made = json(TALLY).submission(preset("tally").as_ref());
    let draft = &made.draft;
    assert_eq!(draft.name.as_deref(), Some("Глеб Жуков"));
    assert_eq!((phones(draft), emails(draft)), (vec!["+79165550143"], vec![]));
    assert_eq!(fields(draft), [("Что делаем", "Полы, Потолок"), ("План", "https://files.example/plan.pdf")]);
    assert_eq!((key(&made), tag(draft, "utm_source")), (vec!["7a0e"], Some("telegram")));
}

#[test]
fn webflow() {
    let made = json(WEBFLOW).submission(preset("webflow").as_ref());
    let draft = &made.draft;
    assert_eq!((draft.name.as_deref(), draft.message.as_deref()), (Some("Marta Lind"), Some("Call after six")));
    assert_eq!((phones(draft), fields(draft)), (vec!["+46 70 174 06 05"], vec![]));
    let form = draft.form.clone().unwrap();
    assert_eq!((form.id.as_deref(), form.name.as_deref()), (Some("f-9"), Some("Footer form")));
    assert_eq!((key(&made), tag(draft, "utm_medium")), (vec!["wf-1"], Some("cpc")));
}

#[test]
fn google_forms() {
    let made = json(GOOGLE_FORMS).submission(preset("google_forms").as_ref());
    let draft = &made.draft;
    assert_eq!(draft.name.as_deref(), Some("Олег"));
    assert_eq!((phones(draft), emails(draft)), (vec!["8 916 555-01-44"], vec!["oleg@zamer.example"]));
    assert_eq!((fields(draft), key(&made)), (vec![("Комнаты", "Кухня, Зал")], vec!["2_ABa"]));
}

#[test]
fn google_ads() {
    let made = json(GOOGLE_ADS).submission(preset("google_ads").as_ref());
    let draft = &made.draft;
    assert_eq!(draft.name.as_deref(), Some("Ida Holm"));
    assert_eq!((phones(draft), emails(draft)), (vec!["+4670 174 06 06"], vec!["ida@holm.example"]));
    assert_eq!(fields(draft), [("Budget?", "1M"), ("campaign_id", "79165550101")]);
    assert_eq!((key(&made), tag(draft, "gclid"), made.purpose), (vec!["GA-1"], Some("Cj0K"), Purpose::Lead));
    assert!(!raw(&made).contains("k-secret-1") && raw(&made).contains("9007199254740993"), "{}", raw(&made));
    let tested = json(&GOOGLE_ADS.replace("\"is_test\":false", "\"is_test\":true"));
    let push = preset("google_ads");
    assert_eq!(tested.submission(push.as_ref()).purpose, Purpose::Test);
    let reply = tested.success(push.as_ref());
    assert_eq!((reply.status, header(&reply, "content-type"), text(&reply).as_str()), (200, Some("application/json"), "{}"));
}

#[test]
fn vk() {
    let push = webhook("preset = \"vk\"\nconfirmation = \"a1b2\"\nsecret = [\"new\", \"vk-s3cret\"]");
    let made = json(VK).submission(push.as_ref());
    let draft = &made.draft;
    assert_eq!((draft.name.as_deref(), phones(draft)), (Some("Зоя Ким"), vec!["+7 916 555-01-45"]));
    assert!(fields(draft).contains(&("Размеры", "S, M")), "{:?}", fields(draft));
    assert!(key(&made) == ["e-41"] && !raw(&made).contains("vk-s3cret"), "{}", raw(&made));
    assert_eq!(text(&json(VK).success(push.as_ref())), "ok");
    // The handshake carries no secret.
    let reply = json("{\"type\":\"confirmation\",\"group_id\":7}").probe(push.as_ref());
    assert_eq!((reply.status, text(&reply).as_str()), (200, "a1b2"));
    assert_eq!(text(&json(&VK.replace("lead_forms_new", "message_new")).probe(push.as_ref())), "ok");
    for wrong in [VK.replace("vk-s3cret", "vk-s3creT"), VK.replace(",\"secret\":\"vk-s3cret\"", "")] {
        assert!(matches!(json(&wrong).parse(push.as_ref()), Err(Refusal::Unauthenticated(_))), "{wrong}");
    }
    assert!(matches!(json(VK).untokened().parse(push.as_ref()), Err(Refusal::Unauthenticated(_))));
    let stranger = json("{\"type\":\"confirmation\"}").untokened();
    assert!(matches!(stranger.parse(push.as_ref()), Err(Refusal::Unauthenticated(_))), "no code for strangers");
}

#[test]
fn jotform_keeps_no_address_of_ours() {
    let made = jotform().submission(preset("jotform").as_ref());
    let draft = &made.draft;
    assert_eq!((draft.name.as_deref(), phones(draft)), (Some("Ada Byron"), vec!["(495) 555-01-46"]));
    assert_eq!(fields(draft), [("whatDo", "Engines"), ("rawRequest[identityProof][0]", "https://files.example/a.png")]);
    assert_eq!((key(&made), tag(draft, "utm_source")), (vec!["6084"], Some("bing")));
    assert_eq!(draft.address, "203.0.113.18".parse().ok());
    assert!(!raw(&made).contains("t0k3n"), "{}", raw(&made));
    let guessed = jotform().submission(webhook("").as_ref());
    assert!(!raw(&guessed).contains("t0k3n") && !format!("{:?}", guessed.draft).contains("t0k3n"));
}

#[test]
fn roistat_comes_by_get() {
    let push = webhook("preset = \"roistat\"\nsecret = \"5f4dcc3b5aa765d61d8327deb882cf99\"");
    let call = Call::post("", "").method("GET").query(ROISTAT);
    let made = call.submission(push.as_ref());
    let draft = &made.draft;
    assert_eq!((draft.name.as_deref(), phones(draft)), (Some("Ivan"), vec!["79165550147"]));
    assert_eq!((draft.title.as_deref(), draft.message.as_deref()), (Some("Заказ звонка"), Some("Перезвоните")));
    assert_eq!((tag(draft, "roistat_visit"), tag(draft, "utm_source")), (Some("12852"), Some("yandex")));
    assert_eq!((key(&made), made.occurred_at), (vec!["90"], Some(at("2026-11-20T15:00:00Z"))));
    assert!(!made.raw.query.contains("5f4dcc3b"), "{}", made.raw.query);
    assert!(fields(draft).iter().any(|(_, value)| *value == "red"), "{:?}", fields(draft));
    let wrong = call.query(&ROISTAT.replace("5f4d", "5f4e"));
    assert!(matches!(wrong.parse(push.as_ref()), Err(Refusal::Unauthenticated(_))));
}

#[test]
fn what_declares_nothing_recognises_known_services() {
    let push = webhook("");
    for (name, body) in [
        ("typeform", TYPEFORM),
        ("tally", TALLY),
        ("webflow", WEBFLOW),
        ("google_forms", GOOGLE_FORMS),
        ("google_ads", GOOGLE_ADS),
        ("vk", VK),
    ] {
        let (plain, known) = (json(body).submission(push.as_ref()), json(body).submission(preset(name).as_ref()));
        assert_eq!(format!("{:?}", plain.draft), format!("{:?}", known.draft), "{name}");
        assert_eq!((&plain.keys, plain.purpose, raw(&plain)), (&known.keys, known.purpose, raw(&known)), "{name}");
    }
}

#[test]
fn what_nobody_knows_is_read_by_names_and_looks() {
    let push = webhook("");
    let made = json(r#"{"contact":{"name":"Lea","tel":"+49 30 901820"},"x":"lea@klee.example","is_test":true}"#)
        .submission(push.as_ref());
    assert_eq!(made.draft.name.as_deref(), Some("Lea"));
    assert_eq!((phones(&made.draft), emails(&made.draft)), (vec!["+49 30 901820"], vec!["lea@klee.example"]));
    assert_eq!((made.purpose, made.keys.len()), (Purpose::Test, 0));
    let held = json("{\"name\":").submission(push.as_ref()).hold.unwrap();
    assert!(held.authenticated && held.words.contains("cannot be read"), "{held:?}");
}

#[test]
fn a_mapping_of_ones_own() {
    let config = r#"
        key = ["/nothing", "/id"]
        test = { "/env" = ["sandbox", "dev"] }
        only = { "/event" = "lead" }
        reply = { status = 202, type = "application/json", body = '{"id":"{id}"}' }
        hide = "/auth/token"
        fields = { "Extra" = "ignore" }
        [map]
        name = ["/who/full", "/who/short"]
        phone = { from = "/who/phones", all = true }
        message = { from = "/topic", values = { "1" = "Call me" } }
        "field:Budget" = "/money"
        utm_source = { constant = "partner" }
        language = "/lang"
    "#;
    let push = webhook(config);
    let body = r#"{"event":"lead","id":7,"env":"dev","who":{"short":"Lea","phones":["+4930901820","+4930901821"]},"topic":1,"money":"5k",
        "lang":"de","auth":{"token":"hush"},"order":{"number":79161234567},"utm_term":"x"}"#;
    let call = json(body).query("utm_campaign=q&name=Max");
    let made = call.submission(push.as_ref());
    let draft = &made.draft;
    assert_eq!((draft.name.as_deref(), draft.message.as_deref()), (Some("Lea"), Some("Call me")));
    assert_eq!((phones(draft), draft.language.as_deref()), (vec!["+4930901820", "+4930901821"], Some("de")));
    let expected =
        [("Budget", "5k"), ("event", "lead"), ("id", "7"), ("env", "dev"), ("order[number]", "79161234567"), ("name", "Max")];
    assert_eq!(fields(draft), expected);
    assert_eq!(
        (tag(draft, "utm_source"), tag(draft, "utm_term"), tag(draft, "utm_campaign")),
        (Some("partner"), Some("x"), Some("q"))
    );
    assert_eq!((key(&made), made.purpose), (vec!["7"], Purpose::Test));
    assert!(!raw(&made).contains("hush"), "{}", raw(&made));
    let reply = call.success(push.as_ref());
    assert_eq!((reply.status, text(&reply)), (202, format!("{{\"id\":\"{ID}\"}}")));
    assert_eq!(json("{\"event\":\"ping\"}").probe(push.as_ref()).status, 202);
    let guessing = webhook(&format!("guess = true\n{config}"));
    let draft = json(&body.replace("order", "mail\":\"a@b.example\",\"order")).submission(guessing.as_ref()).draft;
    assert_eq!(emails(&draft), ["a@b.example"]);
}

#[test]
fn a_section_goes_before_its_preset() {
    let push = webhook(
        "preset = \"webflow\"\nreply = { body = \"got it\" }\nmap = { form_name = { constant = \"Mine\" } }\nkey = \"/payload/formId\"",
    );
    let made = json(WEBFLOW).submission(push.as_ref());
    let form = made.draft.form.clone().unwrap();
    assert_eq!((form.id.as_deref(), form.name.as_deref(), key(&made)), (Some("f-9"), Some("Mine"), vec!["f-9"]));
    assert_eq!(text(&json(WEBFLOW).success(push.as_ref())), "got it");
}

#[test]
fn signed_deliveries() {
    // Made with: printf '%s' BODY | openssl dgst -sha256 -hmac hush
    let body = r#"{"event_type":"form_response","form_response":{"form_id":"a","token":"t","answers":[]}}"#;
    let push = webhook("preset = \"typeform\"\nsecret = \"hush\"");
    let refused = |call: Call| matches!(call.parse(push.as_ref()), Err(Refusal::Unauthenticated(_)));
    assert!(refused(json(body)), "unsigned");
    assert!(refused(json(body).header("typeform-signature", "sha256=AAAA")), "wrong");
    assert!(refused(json(body).header("typeform-signature", TYPEFORM_SIGNATURE).untokened()), "no token");
    assert!(!refused(json(body).header("typeform-signature", TYPEFORM_SIGNATURE)));
    assert!(refused(json(&body.replace("\"a\"", "\"b\"")).header("typeform-signature", TYPEFORM_SIGNATURE)), "one byte changed");
    assert!(refused(json(body).header("typeform-signature", &TYPEFORM_SIGNATURE.replace("sha256=", "sha1="))), "another scheme");
}

const TYPEFORM_SIGNATURE: &str = "sha256=Her4BdJdYPpduUS+1EQrau60QhgdTAP+gCVfBMwnUD4=";

#[test]
fn tries_and_handshakes() {
    let push = webhook(
        "probe = [{ when = { \"/hub.mode\" = \"subscribe\", \"/hub.verify_token\" = \"v1\" }, echo = \"/hub.challenge\" }]",
    );
    let handshake = |query: &str| Call::post("", "").method("GET").query(query).probe(push.as_ref());
    let reply = handshake("hub.mode=subscribe&hub.challenge=1158&hub.verify_token=v1");
    assert_eq!((text(&reply).as_str(), header(&reply, "content-type")), ("1158", Some("text/plain; charset=utf-8")));
    assert_eq!(header(&reply, "x-content-type-options"), Some("nosniff"));
    assert_eq!(text(&handshake("hub.mode=subscribe&hub.challenge=1158&hub.verify_token=v2")), "ok");
    let tried = [
        Call::post("", "").method("HEAD"),
        Call::post("", "").method("GET").query("a=1"),
        Call::post("", ""),
        json("{}").method("OPTIONS"),
        json("{\"name\":\"Lea\"}").header("x-hook-test", "true"),
    ];
    for call in tried {
        assert_eq!(call.probe(push.as_ref()).status, 200, "{} {}", call.method, call.url);
    }
}

#[test]
fn limits() {
    let push = webhook("");
    let many: Vec<String> = (0..10_000).map(|n| format!("\"f{n}\":{n}")).collect();
    assert!(matches!(json(&format!("{{{}}}", many.join(","))).parse(push.as_ref()), Err(Refusal::Oversize(_))));
    let some = format!("{{{}}}", many[..600].join(","));
    assert!(matches!(json(&some).parse(push.as_ref()), Err(Refusal::Oversize(_))));
    let mapped = webhook("map = { name = \"/f1\" }");
    assert!(
        matches!(json(&some).parse(mapped.as_ref()), Err(Refusal::Oversize(_))),
        "what is kept of a mapping has a limit, too"
    );
    assert!(json(&"[".repeat(100_000)).submission(push.as_ref()).hold.is_some());
    let bomb = format!("{{\"event_type\":\"form_response\",\"form_response\":{}1{}}}", "{\"a\":".repeat(120), "}".repeat(120));
    assert!(matches!(json(&bomb).parse(preset("typeform").as_ref()), Ok(Parsed::Submissions(_))));
    let reply = json("{}").reply(push.as_ref(), Outcome::Refused(&Refusal::Oversize("x".to_owned())));
    assert_eq!(reply.status, 200, "a service is not told to try again what will not fit the next time either");
    assert_eq!(json("{}").reply(push.as_ref(), Outcome::Busy).status, 503);
}

#[test]
fn an_explanation_names_every_place() {
    let call = json(WEBFLOW);
    let told = call.explain(preset("webflow").as_ref()).unwrap();
    let read: Vec<_> = told.read.iter().map(|one| (one.field.as_str(), one.from.as_str())).collect();
    for expected in [
        ("name", "/payload/data/Full Name"),
        ("phone", "/payload/data/Phone"),
        ("form_name", "/payload/name"),
        ("utm_medium", "/payload/data/utm_medium"),
    ] {
        assert!(read.contains(&expected), "{expected:?} is not in {read:?}");
    }
    assert_eq!(told.unmapped, []);
    assert!(
        told.missing.iter().any(|missing| missing.field == "page" && missing.places.contains(&"/payload/pageUrl".to_owned()))
    );
    let secret = json(VK).explain(webhook("preset = \"vk\"\nsecret = \"vk-s3cret\"").as_ref()).unwrap();
    assert!(!format!("{secret:?}").contains("vk-s3cret"));
    let guessed = json("{\"x\":{\"tel\":\"+4930901820\"},\"colour\":\"red\"}").explain(webhook("").as_ref()).unwrap();
    let read: Vec<_> = guessed.read.iter().map(|one| (one.field.as_str(), one.from.as_str())).collect();
    assert_eq!(read, [("phone", "/x/tel"), ("field colour", "/colour")]);
}

#[test]
fn what_is_configured_wrongly_is_told_all_at_once() {
    let problems = |config: &str| -> Vec<String> {
        let problems = build("webhook", config).err().unwrap_or_default();
        problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect()
    };
    let all = problems(
        "secret = \"x\"\nreply = { status = 302 }\nprobe = [{ text = \"a\", echo = \"/b\" }]\nonly = { type = \"x\" }\ntest = { \"/a\" = [] }\n\
         map = { mobile = \"/a\" }\nmapp = 1",
    );
    for expected in [
        "secret: nothing says where the sender puts it",
        "reply.status: it is 302",
        "probe.when: it is missing",
        "probe.text: either text or echo",
        "only.type: \"type\" is no place",
        "test./a: it must be a text",
        "map.mobile: there is nothing of that name to read; there are:",
        "mapp: there is no such key here",
    ] {
        assert!(all.iter().any(|problem| problem.starts_with(expected)), "{expected} is not in {all:#?}");
    }
    assert!(
        problems("preset = \"typform\"")[0].starts_with("preset: there is no preset \"typform\"; there are: typeform, tally")
    );
}

#[test]
fn every_preset_builds_with_and_without_its_secret() {
    for known in leadgate_web_forms::webhook::presets() {
        let section: toml::Table = known.example.replace("{id}", "x").parse().unwrap();
        let mut table = section["sources"]["x"].as_table().unwrap().clone();
        table.remove("kind");
        build("webhook", &table.to_string()).unwrap_or_else(|problems| panic!("{}: {problems:?}", known.name));
        if known.name != "jotform" {
            table.insert("secret".to_owned(), "s".into());
            build("webhook", &table.to_string()).unwrap_or_else(|problems| panic!("{}: {problems:?}", known.name));
        }
    }
}
