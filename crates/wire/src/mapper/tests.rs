use proptest::prelude::*;

use super::*;
use crate::keys::Keys;

fn declared(text: &str) -> (Mapper, Vec<String>) {
    let mut keys = Keys::new(text.parse().unwrap());
    let mapper = read(&mut keys, &|target| ["name", "phone", "email", "utm_source", "page"].contains(&target), "name, phone");
    (mapper, keys.finish().into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
}

fn mapped(config: &str, json: &str) -> Mapped {
    let (mapper, problems) = declared(config);
    assert_eq!(problems, Vec::<String>::new(), "{config}");
    let mut root = Json::parse(json).unwrap();
    mapper.open(&mut root, &Limits::default()).unwrap();
    mapper.map(&root)
}

fn picked(mapped: &Mapped) -> Vec<(&str, &str, &str)> {
    mapped.picked.iter().map(|one| (one.target.as_str(), one.value.as_str(), one.from.as_str())).collect()
}

fn answered(mapped: &Mapped) -> Vec<(&str, Option<Kind>, &str)> {
    mapped.answers.iter().map(|one| (one.label.as_str(), one.kind, one.value.as_str())).collect()
}

fn left(mapped: &Mapped) -> Vec<String> {
    mapped.rest.iter().map(|leaf| format!("{}={}", written(&leaf.path), leaf.value)).collect()
}

#[test]
fn the_first_place_that_holds_something() {
    let config = r#"
        ignore = ["/noise"]
        [map]
        name = ["/who/full", "/who/first"]
        phone = { from = "/phones", all = true }
        email = { from = "/mail", absent = ["-"] }
        utm_source = { from = "/src", values = { "1" = "yandex" }, constant = "site" }
        page = { constant = "https://a.example" }
    "#;
    let json = r#"{"who":{"full":"(not set)","first":"Lea"},"phones":["1",null,"2"],"mail":" - ","src":1,"noise":{"x":1},"more":[{"a":true}]}"#;
    let out = mapped(config, json);
    assert_eq!(
        picked(&out),
        [
            ("name", "Lea", "/who/first"),
            ("page", "https://a.example", "constant"),
            ("phone", "1", "/phones/0"),
            ("phone", "2", "/phones/2"),
            ("utm_source", "yandex", "/src"),
        ]
    );
    assert_eq!(out.missing, [("email".to_owned(), vec!["/mail".to_owned()])]);
    assert_eq!(left(&out), ["/who/full=(not set)", "/mail= - ", "/more/0/a=true"]);
    assert_eq!(
        picked(&mapped(config, r#"{"src":"other"}"#)),
        [("page", "https://a.example", "constant"), ("utm_source", "other", "/src")]
    );
    assert_eq!(picked(&mapped(config, "{}"))[1], ("utm_source", "site", "constant"));
}

#[test]
fn answers_that_refer_to_questions_and_choices() {
    let config = r#"
        [[answers]]
        at = "/answers"
        label = "/ref"
        value = ["/text", "/picked"]
        type = "/type"
        types = { mail = "email" }
        join = { questions = ["/questions/*", "/questions/*/inner/*"], id = "/id", with = "/q", label = "/title" }
        options = { at = "/options/*", id = "/id", text = "/label" }
    "#;
    let json = r#"{"questions":[{"id":1,"title":"Your mail"},{"id":2,"title":"Group","inner":[{"id":"3","title":"Colours"}]}],
        "answers":[{"q":1,"type":"MAIL","text":"a@b.example"},{"q":"3","picked":["x","y","z"],"options":[{"id":"x","label":"Red"},{"id":"y","label":"Blue"}]},
        {"q":9,"ref":"size","text":"XL"},{"q":1,"text":null},7],"id":5}"#;
    let out = mapped(config, json);
    assert_eq!(
        answered(&out),
        [("Your mail", Some(Kind::Email), "a@b.example"), ("Colours", None, "Red, Blue, z"), ("size", None, "XL")]
    );
    assert_eq!(out.answers[1].from, "/answers/1/picked");
    let kept: Vec<String> = left(&out).into_iter().filter(|leaf| !leaf.starts_with("/questions")).collect();
    assert_eq!(kept, ["/answers/4=7", "/id=5"], "what is no answer stays");
}

#[test]
fn answers_in_a_field_that_holds_json() {
    let config = r#"
        json = "/raw"
        [answers]
        at = "/raw"
        prefix = 'q#_'
        shapes = [{ has = ["first", "last"], is = "name" }, { has = ["area"], is = "phone" }]
    "#;
    let json = r#"{"raw":"{\"q3_student\":{\"first\":\"Lea\",\"last\":\"Klee\"},\"q10_number\":{\"area\":\"495\",\"phone\":\"1234567\"},\"q4_empty\":{\"a\":\"\"},\"slug\":\"x\",\"q_5\":1,\"qx_a\":2}"}"#;
    let out = mapped(config, json);
    assert_eq!(answered(&out), [("student", Some(Kind::Name), "Lea Klee"), ("number", Some(Kind::Phone), "495 1234567")]);
    assert_eq!(left(&out), ["/raw/slug=x", "/raw/q_5=1", "/raw/qx_a=2"]);
    let broken = mapped(config, r#"{"raw":"{\"q3_student\":"}"#);
    assert_eq!(left(&broken), ["/raw={\"q3_student\":"]);
}

#[test]
fn what_is_declared_wrongly_is_told_all_at_once() {
    let (_, problems) = declared(
        "json = 1\nignore = \"x\"\nanswers = [{ types = { a = \"b\" }, shapes = { has = \"x\" } }, { at = \"/a\", join = { id = \"/a\" } }]\n\
         [map]\nnam = \"/a\"\nname = \"a\"\nphone = { form = \"/a\" }\nemail = { from = [] }",
    );
    for expected in [
        "map.nam: there is nothing of that name to read; there are: name, phone",
        "map.name: \"a\" is no place in a body",
        "map.phone: there is no key form here",
        "map.email: it names no place",
        "json: it is a whole number",
        "ignore: \"x\" is no place",
        "answers[0].at: it is missing",
        "answers[0].types.a: an answer can be one of",
        "answers[0].shapes.is: an answer can be one of",
        "answers[1].join.with: it is missing",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} is not in {problems:#?}");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(values in proptest::collection::vec("[a-z]{1,8}", 1..20)) {
        let config = "ignore = \"/never\"\n[map]\nname = \"/l/2\"\nphone = { from = \"/l/*\", all = true }";
        let json = Json::Object(vec![("l".to_owned(), Json::List(values.iter().cloned().map(Json::Text).collect()))]);
        let (mapper, _) = declared(config);
        let out = mapper.map(&json);
        for value in values.iter().filter(|value| !is_placeholder(value)) {
            prop_assert!(out.picked.iter().any(|one| one.value == *value) || out.rest.iter().any(|leaf| leaf.value == *value));
        }
    }
}
