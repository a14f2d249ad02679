//! What a configuration says, and what templates make of anything that people may write.

use jiff::Timestamp;
use leadgate_core::call::CallNumber;
use leadgate_core::onward::{EVENTS, Envelope};
use leadgate_core::ports::{Parcel, Secrets};
use leadgate_core::prepare::{IdentityKind, ReadValue};
use leadgate_core::rules::Strength;
use leadgate_core::secret::Secret;
use leadgate_wire::guarded::{Allowed, Inner};
use proptest::prelude::*;
use serde_json::Value as Json;
use toml::{Table, Value};
use uuid::Uuid;

use super::{Around, EXAMPLE, Hook, presets, read, sample};

const SECRET: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";

/// Every variable is there; a file holds what stands in its name.
struct Known;

impl Secrets for Known {
    fn resolve(&self, value: &Value) -> Result<Secret, String> {
        match (value.as_str(), value.get("env").and_then(Value::as_str), value.get("file").and_then(Value::as_str)) {
            (Some(text), ..) => Ok(Secret::new(text)),
            (_, Some("MISSING"), _) => Err("the environment variable MISSING is not set".to_owned()),
            (_, Some(name), _) if name.contains("URL") => Ok(Secret::new("https://chat.example.com/hooks/x")),
            (_, Some(name), _) if name.contains("SECRET") => Ok(Secret::new(SECRET)),
            (_, Some(name), _) => Ok(Secret::new(name)),
            (_, _, Some(text)) => Ok(Secret::new(text)),
            _ => Err("this names no secret".to_owned()),
        }
    }
}

fn around(allowed: &Allowed) -> Around<'_> {
    Around { secrets: &Known, allowed, language: "ru" }
}

fn hook(section: &str) -> Result<Hook, Vec<String>> {
    let allowed = Allowed::new(vec![Inner::parse("inner.lan:8080").unwrap()]);
    let told = read("crm", section.parse().unwrap(), around(&allowed));
    told.map_err(|problems| problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
}

fn template(content_type: &str, template: &str) -> Result<Hook, Vec<String>> {
    let mut section = Table::new();
    for (key, text) in
        [("url", "https://x.example"), ("content_type", content_type), ("template", template), ("events", "lead.created")]
    {
        section.insert(key.to_owned(), Value::String(text.to_owned()));
    }
    hook(&section.to_string())
}

fn parcel(event: &str) -> Parcel {
    let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    sample(event, "webhook:crm", Uuid::from_u128(1), Uuid::from_u128(2), at).unwrap()
}

fn body(hook: &Hook, parcel: &Parcel) -> String {
    let envelope = Envelope::of(&parcel.job, &parcel.brief, parcel.installation, false);
    String::from_utf8(hook.way.body(&envelope).unwrap().unwrap_or_default()).unwrap()
}

/// The section of an example, with what stands there as comments.
fn section(example: &str) -> Table {
    let whole: Table = example.replace("{id}", "crm").parse().unwrap();
    whole["webhooks"]["crm"].as_table().unwrap().clone()
}

#[test]
fn the_example_works_and_its_comments_too() {
    hook(&section(EXAMPLE).to_string()).unwrap();
    let is_key = |line: &str| line.strip_prefix("# ").is_some_and(|rest| rest.split(' ').nth(1) == Some("="));
    let bare: Vec<&str> = EXAMPLE
        .lines()
        .filter(|line| !line.contains("preset ="))
        .map(|line| if is_key(line) { &line[2..] } else { line })
        .collect();
    let keys = section(&bare.join("\n"));
    assert!(keys.len() == 14, "{keys:?}");
    let hook = hook(&keys.to_string()).unwrap();
    assert!(
        hook.is_signed() && hook.in_flight == 8 && hook.timeout.as_secs() == 15 && hook.give_up_after.as_secs() == 3 * 86_400
    );
    assert_eq!(body(&hook, &parcel("lead.created")), r#"{"name": "Test Leadgate", "phone": "+12025550123"}"#);
}

#[test]
fn every_mistake_is_told_at_once() {
    let problems = hook(
        r#"
        url = "http://10.0.0.1/hook"
        secret = ["whsec_c2hvcnQ=", "hunter2"]
        events = ["lead.crated"]
        sources = ["My Site"]
        in_flight = 65
        timeout = "2 min"
        give_up_after = "1 min"
        method = "GET"
        headers = { Host = "x", "webhook-id" = "x", "a b" = "x", ok = "a\nb", auth = "{token}", lost = { env = "MISSING" } }
        reference = "id"
        content_type = "text/csv"
        hook = true
        "#,
    )
    .unwrap_err();
    let starts = [
        "url: this address is not the public internet's",
        "secret: it has 5 bytes",
        "secret: it does not begin with whsec_",
        "events: no event fits \"lead.crated\"",
        "sources: \"My Site\"",
        "in_flight: ",
        "timeout: ",
        "give_up_after: ",
        "method: ",
        "headers.Host: ",
        "headers.webhook-id: ",
        "headers.a b: ",
        "headers.ok: ",
        "headers.lost: the environment variable MISSING",
        "token: it is missing",
        "reference: ",
        "content_type: ",
        "hook: there is no such key",
    ];
    for start in starts {
        assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start}: {problems:#?}");
    }
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    assert!(!problems.concat().contains("hunter2"));
    let told = |section: &str| hook(section).unwrap_err().concat();
    assert!(told("").starts_with("url: it is missing"));
    assert!(told("preset = \"bitrix\"").contains("there are: amocrm, hubspot, slack, mattermost"));
    assert!(told("url = \"https://x.example\"\ntoken = \"t\"").starts_with("token: no header holds it"));
    assert!(told("url = \"http://inner.lan/\"").contains("at another port"));
    assert!(told("url = \"http://x.example/\"").contains("only https://"));
    let usual = hook("url = \"http://inner.lan:8080/\"").unwrap();
    assert_eq!((usual.first_event(), usual.target().as_str(), usual.is_signed()), (Some("lead.created"), "webhook:crm", false));
    assert_eq!(usual.longest(), usual.timeout + std::time::Duration::from_secs(1));
    assert!(read("CRM!", "url = \"https://x.example\"".parse().unwrap(), around(&Allowed::default())).is_err());
}

#[test]
fn a_template_is_tried_before_it_is_needed() {
    let told = |text: &str| template("application/json", text).unwrap_err().concat();
    assert!(told("{\n\"a\": {{ name }").starts_with("template: line 2: syntax error"), "{}", told("{\n\"a\": {{ name }"));
    assert!(told("{\"a\": {{ nmae }}}").contains("it names nmae, which does not exist; there are: type, timestamp"));
    assert!(told("{\"a\": \"{{ name }}\"}").contains("with lead.created: what it makes is no JSON"));
    assert!(told("{{ name | safe }}").contains("unknown filter"));
    assert!(told("{{ name | lower | shout }}").contains("unknown filter"));
    assert!(told("{\"a\": {{ timestamp | local(\"Mars/Base\") }}}").contains("no such time zone"));
    assert!(told("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}1").contains("fuel"));
    assert!(
        told("[{% for a in range(9999) %}\"0123456789012345678901234567890123456789\",{% endfor %}1]")
            .contains("more than 262144 bytes")
    );
    assert!(told("{% include \"/etc/passwd\" %}").contains("line 1"));
    // What is not asked for is not tried.
    let section = "url = \"https://x.example\"\nevents = \"disk.low\"\ntemplate = '{\"n\": {{ lead.number + 1 }}}'";
    assert!(hook(section).unwrap_err().concat().starts_with("template: with disk.low: line 1"));
    hook(&section.replace("disk.low", "lead.created")).unwrap();
    // A file is named relative to the configuration; who reads secrets reads it.
    let file = hook("url = \"https://x.example\"\ntemplate_file = '{\"a\": {{ name }}}'").unwrap();
    assert_eq!(body(&file, &parcel("lead.created")), "{\"a\": \"Test Leadgate\"}");
}

#[test]
fn filters_do_what_they_say() {
    let made = |text: &str| body(&template("application/json", text).unwrap(), &parcel("lead.created"));
    assert_eq!(made("{{ activity.content.order.amount | money }}"), "\"1500.50\"");
    assert_eq!(made("{{ activity.content.order.amount | whole }}"), "1501");
    assert_eq!(made("{{ timestamp | unix }}"), "1795262400");
    assert_eq!(made("{{ timestamp | local(\"Europe/Moscow\") }}"), "\"2026-11-21 15:00\"");
    assert_eq!(made("{{ timestamp | local(\"Europe/Moscow\", \"%d.%m\") }}"), "\"21.11\"");
    assert_eq!(
        made(
            "{{ [phone, nothing.at.all, message | cut(4)] | joined(\" \") }}"
                .replace("nothing.at.all", "lead.nothing.at")
                .as_str()
        ),
        "\"+12025550123 Thi…\""
    );
    assert_eq!(
        made("{{ {\"a\": lead.closed_at, \"b\": [lead.closed_at], \"c\": utm.utm_source} | present }}"),
        "{\"c\":\"test\"}"
    );
    assert_eq!(made("{{ lead.closed_at | unix }}"), "null");
}

#[test]
fn every_preset_works_as_its_example_says() {
    for preset in presets() {
        let hook =
            hook(&section(&preset.example).to_string()).unwrap_or_else(|problems| panic!("{}: {problems:#?}", preset.name));
        for kind in EVENTS {
            let made = body(&hook, &parcel(kind.name));
            if !made.is_empty() {
                serde_json::from_str::<Json>(&made)
                    .unwrap_or_else(|error| panic!("{} {}: {error}: {made}", preset.name, kind.name));
            }
        }
    }
}

fn made_by(preset: &str, parcel: &Parcel) -> Json {
    let preset = super::preset(preset).unwrap();
    let made = body(&hook(&section(&preset.example).to_string()).unwrap(), parcel);
    serde_json::from_str(&made).unwrap_or_else(|error| panic!("{}: {error}: {made}", preset.name))
}

#[test]
fn amocrm_gets_a_deal_with_its_contact() {
    let made = made_by("amocrm", &parcel("lead.created"));
    let deal = &made[0];
    assert_eq!(deal["name"], "Test: please ignore · This is a test of the webhook. Nobody wrote it.");
    assert_eq!((&deal["price"], &deal["created_at"]), (&1501.into(), &1_795_262_400.into()));
    let contact = &deal["_embedded"]["contacts"][0];
    assert_eq!(contact["name"], "Test Leadgate");
    assert_eq!(contact["custom_fields_values"][0]["field_code"], "PHONE");
    assert_eq!(contact["custom_fields_values"][0]["values"][0]["value"], "+12025550123");
    assert_eq!(contact["custom_fields_values"][1]["values"][0]["value"], "test@example.com");
    // Of somebody who told nothing but what they want.
    let mut nobody = parcel("lead.created");
    nobody.brief.contact = None;
    assert_eq!(made_by("amocrm", &nobody)[0]["_embedded"]["contacts"][0].as_object().unwrap().len(), 1);
}

/// Of nobody who is known, what was typed is told.
#[test]
fn what_was_typed_is_told_of_those_who_are_nobody() {
    let mut parcel = parcel("lead.created");
    parcel.brief.contact = None;
    let typed = |kind: IdentityKind, typed: &str, value: Option<&str>| ReadValue {
        kind,
        field: String::new(),
        typed: typed.to_owned(),
        value: value.map(str::to_owned),
        strength: Strength::None,
        flags: vec![],
        note: None,
    };
    parcel.brief.activity.as_mut().unwrap().content.values = vec![
        typed(IdentityKind::PHONE, "call me", None),
        typed(IdentityKind::PHONE, "8 916 123-45-67", Some("+79161234567;ext=2")),
        typed(IdentityKind::EMAIL, "Anna <a@x.example>", Some("a@x.example")),
    ];
    let text = r#"{{ [phone, phones[0].value, phones[0].display, email] | joined("|") }}"#;
    let made = body(&template("text/plain", text).unwrap(), &parcel);
    assert_eq!(made, "+79161234567|+79161234567;ext=2|8 916 123-45-67|a@x.example");
}

#[test]
fn hubspot_knows_people_by_mail_or_by_our_number() {
    let mut parcel = parcel("lead.created");
    let made = made_by("hubspot", &parcel);
    let input = &made["inputs"][0];
    assert_eq!((&input["idProperty"], &input["id"]), (&"email".into(), &"test@example.com".into()));
    assert!(input["properties"].get("leadgate_contact").is_none() && input["properties"]["phone"] == "+12025550123");
    parcel.brief.contact.as_mut().unwrap().identities.truncate(1);
    let made = made_by("hubspot", &parcel);
    let input = &made["inputs"][0];
    assert_eq!((&input["idProperty"], &input["id"]), (&"leadgate_contact".into(), &Uuid::from_u128(1).to_string().into()));
    assert_eq!(input["properties"]["leadgate_contact"], input["id"]);
    parcel.brief.contact = None;
    let hook = hook(&section(&super::preset("hubspot").unwrap().example).to_string()).unwrap();
    assert_eq!(body(&hook, &parcel), "", "nobody to tell from others");
}

#[test]
fn chats_show_links_to_call_and_write() {
    let parcel = parcel("lead.created");
    let slack = made_by("slack", &parcel).to_string();
    for text in [
        "Новая заявка № 1",
        "<tel:+12025550123|+1 202-555-0123>",
        "<mailto:test@example.com|test@example.com>",
        "utm_source=test&amp;",
    ] {
        assert!(slack.contains(text), "{text}: {slack}");
    }
    let mattermost = made_by("mattermost", &parcel);
    let text = mattermost["text"].as_str().unwrap();
    for part in
        ["**Новая заявка № 1**", "[\\+1 202\\-555\\-0123](tel:+12025550123)", "(mailto:test@example.com)", "\n> This is a test"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A lead of somebody who writes this everywhere.
#[test]
fn calls_are_told_with_what_they_were() {
    let of = |event: &str| {
        let text = "{{ [call.state, call.direction, call.outcome, call.number, call.line, call.agent, call.wait_s, call.talk_s, call.missed] | tojson }}";
        let made: Json = serde_json::from_str(&body(&template("application/json", text).unwrap(), &parcel(event))).unwrap();
        made.as_array().unwrap().clone()
    };
    let missed = of("call.missed");
    let number = "+12025550123";
    assert_eq!(missed[..5], ["over", "in", "no_answer", number, "+12025550100"].map(Json::from));
    assert_eq!(missed[6], 35);
    assert_eq!(missed[8], true);
    assert_eq!(of("call.made")[5..], [Json::from("101"), 5.into(), 70.into(), false.into()]);
    let none = template("application/json", "{% if call %}1{% else %}{{ call.words }}{% endif %}").unwrap();
    assert_eq!(body(&none, &parcel("lead.created")), "null");
    for preset in ["slack", "mattermost"] {
        let told = made_by(preset, &parcel("call.missed")).to_string();
        assert!(told.contains("Пропущенный звонок") && told.contains("+12025550100, ожидание 0:35"), "{told}");
    }
}

fn hostile(event: &str, texts: &[String; 6]) -> Parcel {
    let mut parcel = parcel(event);
    let [name, phone, email, message, page, utm] = texts.clone();
    if let Some(lead) = &mut parcel.brief.lead {
        (lead.title, lead.name) = (format!("{name}{message}"), name.clone());
        lead.last_touch.values[0].value.clone_from(&utm);
    }
    if let Some(contact) = &mut parcel.brief.contact {
        contact.name.clone_from(&name);
        contact.identities[0].value = format!("+{phone}");
        contact.identities[0].display = phone;
        contact.identities[1].value.clone_from(&email);
        contact.identities[1].display = email;
    }
    if let Some(activity) = &mut parcel.brief.activity {
        if let Some(told) = activity.content.call.as_mut().and_then(|call| call.summary.as_mut()) {
            (told.agent, told.scheme, told.line) = (Some(name.clone()), Some(message.clone()), CallNumber::national(&name));
        }
        (activity.content.message, activity.content.name) = (Some(message), Some(name));
        activity.touch.page = Some(page);
        activity.touch.values[1].value = utm;
    }
    parcel
}

fn texts_of(json: &Json, out: &mut Vec<String>) {
    match json {
        Json::String(text) => out.push(text.clone()),
        Json::Array(list) => list.iter().for_each(|one| texts_of(one, out)),
        Json::Object(map) => map.values().for_each(|one| texts_of(one, out)),
        _ => {}
    }
}

/// Every mark in these texts is one the template made: a link, to where its scheme says.
fn slack_is_whole(json: &Json) {
    let mut texts = Vec::new();
    texts_of(json, &mut texts);
    for text in texts {
        assert!(text.encode_utf16().count() <= 3000, "{}: too long", text.len());
        for (at, _) in text.match_indices('<') {
            let rest = &text[at + 1..];
            assert!(["tel:", "mailto:", "http:", "https:"].iter().any(|scheme| rest.starts_with(scheme)), "{text}");
            let link = rest.split('>').next().unwrap();
            assert_eq!(link.matches('|').count(), 1, "{text}");
        }
        assert_eq!(text.matches('<').count(), text.matches('>').count(), "{text}");
    }
}

/// Brackets that are not escaped belong to links of the template; nobody is called.
fn mattermost_is_whole(json: &Json) {
    let text = json["text"].as_str().unwrap();
    let mut bare = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else {
            bare.push(c);
        }
    }
    assert!(!bare.contains('`') && !bare.contains("!["), "{text}");
    for part in bare.split('[').skip(1) {
        let (_, to) = part.split_once("](").unwrap_or_else(|| panic!("{text}"));
        assert!(["tel:", "mailto:", "http:", "https:"].iter().any(|scheme| to.starts_with(scheme)), "{text}");
    }
    for word in ["@all", "@channel", "@here"] {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].chars().next_back();
            assert!(before.is_some_and(char::is_alphanumeric), "{word}: {text}");
        }
    }
}

const HOSTILE: &[&str] = &[
    "\"",
    "\\",
    "\n",
    "\r\n",
    "</script>",
    "<!channel>",
    "<@U123>",
    "<http://evil.example|bank>",
    "[bank](http://evil.example)",
    "@channel",
    " @all ",
    "![x](http://evil.example/x.png)",
    "{{ name }}",
    "{% raw %}",
    "&",
    "&lt;",
    "|",
    ">",
    "`",
    "```",
    "*",
    "\u{0}",
    "\u{202e}",
    "🙂",
    "é",
    "%0a",
    "+",
    "=",
    "tel:+1",
    "http://x.example/a|b>c)d(e[f]",
    "x@y.example",
    "a b@c|d>e",
];

fn anything() -> impl Strategy<Value = String> {
    let piece = prop_oneof![proptest::sample::select(HOSTILE).prop_map(str::to_owned), ".{0,12}", "[a-zа-я0-9 ]{0,8}"];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nobody_breaks_out(texts in proptest::array::uniform6(anything()), at in 0..EVENTS.len()) {
        let parcel = hostile(EVENTS[at].name, &texts);
        slack_is_whole(&made_by("slack", &parcel));
        mattermost_is_whole(&made_by("mattermost", &parcel));
        made_by("amocrm", &parcel);
        if parcel.brief.contact.is_some() {
            let made = made_by("hubspot", &parcel);
            prop_assert_eq!(made["inputs"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn what_is_put_in_is_read_back(texts in proptest::array::uniform6(anything())) {
        let parcel = hostile("lead.created", &texts);
        let json = template("application/json", r#"{"n": {{ name }}, "m": {{ "a" ~ message }}}"#).unwrap();
        let json: Json = serde_json::from_str(&body(&json, &parcel)).unwrap();
        let name = if texts[0].is_empty() { Json::from("") } else { Json::from(texts[0].clone()) };
        prop_assert_eq!(&json["m"], &Json::from(format!("a{}", texts[3])));
        prop_assert_eq!(&json["n"], &name);
        let form = template("application/x-www-form-urlencoded", "n={{ name }}&m={{ message }}&j={{ {\"a\": message} | tojson }}").unwrap();
        let form = body(&form, &parcel);
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        prop_assert_eq!(pairs.len(), 3, "{}", form);
        prop_assert_eq!(&pairs[1].1, &texts[3]);
        let inner: Json = serde_json::from_str(&pairs[2].1).unwrap();
        prop_assert_eq!(&inner["a"], &Json::from(texts[3].clone()));
        for open in ["<n>{{ message }}</n>", "<n>{% autoescape false %}{{ message }}{% endautoescape %}</n>"] {
            let markup = template("text/xml", open).unwrap();
            prop_assert_eq!(body(&markup, &parcel).matches('<').count(), 2);
        }
    }
}

#[test]
fn long_texts_are_cut_before_a_service_refuses_them() {
    for long in
        ["<".repeat(50_000), "я".repeat(50_000), "🙂".repeat(20_000), "https://x.example/".to_owned() + &"&".repeat(3_000)]
    {
        let parcel = hostile("lead.created", &std::array::from_fn(|_| long.clone()));
        slack_is_whole(&made_by("slack", &parcel));
        let mattermost = made_by("mattermost", &parcel);
        assert!(mattermost["text"].as_str().unwrap().chars().count() <= 16_383);
        let name = &made_by("amocrm", &parcel)[0]["name"];
        assert!(name.as_str().unwrap().encode_utf16().count() <= 250);
    }
}
