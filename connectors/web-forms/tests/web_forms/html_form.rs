//! An HTML form: what comes of a posting, and the exact answers.

use crate::support::{Call, ID, at, build, emails, fields, header, phones, raw, text};
use bytes::Bytes;
use leadgate_core::attribution::Origin;
use leadgate_core::ports::{Outcome, Parsed, Part, Push, Refusal};
use leadgate_core::submission::{FileRef, Purpose, Signal};

const CALLBACK: &str = include_str!("../../fixtures/html_form/callback.urlencoded");

fn form() -> Box<dyn Push> {
    build("html_form", "allow_origins = [\"https://shop.example\"]\nallow_next = [\"thanks.example\"]").unwrap().0
}

#[test]
fn a_form_in_full() {
    let call = Call::form(CALLBACK)
        .header("referer", "https://shop.example/")
        .header("user-agent", "Browser/1")
        .query("utm_source=x&utm_term=doors&campaign=7");
    let submission = call.submission(form().as_ref());
    let draft = &submission.draft;
    assert_eq!(draft.name.as_deref(), Some("Вера Полевая"));
    assert_eq!((phones(draft), emails(draft)), (vec!["+7 (912) 345-67-80"], vec!["vera@polevaya.example.org"]));
    assert_eq!(draft.message.as_deref(), Some("Первая строка\nВторая строка"));
    assert_eq!(fields(draft), [("services", "Монтаж"), ("services", "Доставка"), ("campaign", "7")]);
    assert_eq!(draft.form.as_ref().and_then(|form| form.name.as_deref()), Some("Обратный звонок"));
    let touched: Vec<_> = draft.touch.values.iter().map(|v| (v.key.as_ref(), v.value.as_str(), v.from)).collect();
    assert_eq!(
        touched,
        [
            ("utm_source", "direct", Origin::Field),
            ("utm_term", "doors", Origin::ActionUrl),
            ("utm_medium", "cpc", Origin::PageUrl),
            ("yclid", "5830476381838516223", Origin::PageUrl),
            ("utm_campaign", "spring", Origin::PageUrl)
        ]
    );
    let consent = &draft.consents[0];
    assert_eq!((consent.text.as_str(), consent.given, consent.at), ("Согласна на обработку данных", true, at()));
    assert_eq!(consent.page, draft.touch.page);
    assert_eq!(consent.address, draft.address);
    assert_eq!(draft.user_agent.as_deref(), Some("Browser/1"));
    assert_eq!((submission.keys[0].scope, submission.keys[0].value.as_str()), ("form_id", "r-17"));
    assert_eq!((submission.hold, submission.signals, submission.purpose), (None, vec![], Purpose::Lead));
    assert_eq!(submission.raw.body, CALLBACK.as_bytes());
    assert!(submission.raw.peer.is_some() && submission.raw.query.contains("campaign=7"));
}

#[test]
fn json_with_labels_and_secrets() {
    let submission = Call::post("text/plain", include_str!("../../fixtures/html_form/nested.json"))
        .header("origin", "https://shop.example")
        .submission(form().as_ref());
    let draft = &submission.draft;
    assert_eq!(draft.name.as_deref(), Some("Ольга"));
    assert_eq!(phones(draft), ["8 912 345-67-81"]);
    assert_eq!(fields(draft), [("company[name]", "ООО Лес"), ("items[0][name]", "Дверь"), ("items[0][count]", "2")]);
    assert!(!raw(&submission).contains("hunter2") && raw(&submission).contains("\"password\":\"*******\""));
}

#[test]
fn text_plain_and_old_pages() {
    let lines = include_str!("../../fixtures/html_form/lines.txt").replace("\r\n", "\n").replace('\n', "\r\n");
    let draft = Call::post("text/plain", lines).header("origin", "https://shop.example").submission(form().as_ref()).draft;
    assert_eq!((draft.name.as_deref(), draft.message.as_deref()), (Some("Max Muster"), Some("eins\nzwei")));
    let draft = Call::form("%C8%EC%FF=%C0%ED%ED%E0&%D2%E5%EB=89120000000").submission(form().as_ref()).draft;
    assert_eq!((draft.name.as_deref(), phones(&draft)), (Some("Анна"), vec!["89120000000"]));
}

#[test]
fn who_is_who() {
    let draft = |body: &str| Call::form(body.to_owned()).submission(form().as_ref()).draft;
    let two = draft(
        "email=a@one.example.org&email2=b@two.example.org&phone=111-222-3333&Other phone=111-222-4444&email_confirm=a@one.example.org",
    );
    assert_eq!(emails(&two), ["a@one.example.org", "b@two.example.org"]);
    assert_eq!(phones(&two).len(), 2);
    let shapes = draft("q1=Lea&q2=%2B49+151+12345678&q3=lea@lea.example.org&q4=1214681071&inn=89121234567");
    assert_eq!((phones(&shapes), emails(&shapes)), (vec!["+49 151 12345678"], vec!["lea@lea.example.org"]));
    assert_eq!(fields(&shapes), [("q1", "Lea"), ("q4", "1214681071"), ("inn", "89121234567")]);
    let split = draft("Фамилия=Полевая&Имя=Вера&Отчество=Львовна");
    assert_eq!(split.name.as_deref(), Some("Вера Львовна Полевая"));
    let trap = draft("form[name]=New+Form&form[id]=f1&company_name=Acme&username=anna92&email=x@x.example.org");
    assert_eq!(trap.name, None);
    assert_eq!(trap.form.as_ref().and_then(|form| form.name.as_deref()), Some("New Form"));
    let card = draft("message=4111+1111+1111+1111+thanks&cvv=123&password=x");
    assert_eq!((card.message.as_deref(), fields(&card)), (Some("******************* thanks"), vec![]));
    let odd = draft("Email=%3Fto%3Dv%2540x.example%26bcc%3Ds%2540y.example%26x%3D%40example.com");
    assert_eq!(emails(&odd), ["?to=v%40x.example&bcc=s%40y.example&x=@example.com"]);
}

#[test]
fn own_words_for_own_fields() {
    let (push, _) = build("html_form", "allow_origins = [\"*\"]\ntitle = \"Shop\"\nfields = { F1 = \"phone\", f2 = \"name\", note = \"ignore\", pin = \"secret\" }").unwrap();
    let submission = Call::form("f1=12&f2=Lea&note=x&pin=9876").submission(push.as_ref());
    assert_eq!(
        (submission.draft.name.as_deref(), phones(&submission.draft), fields(&submission.draft)),
        (Some("Lea"), vec!["12"], vec![])
    );
    assert_eq!((submission.draft.title.as_deref(), raw(&submission).as_str()), (Some("Shop"), "f1=12&f2=Lea&note=x&pin=****"));
}

#[test]
fn files() {
    let file = |name: &str, size| {
        Part::File(FileRef {
            sha256: "ab".repeat(32),
            name: name.to_owned(),
            content_type: "application/pdf".to_owned(),
            size,
            field: "plan".to_owned(),
        })
    };
    let mut call = Call::post("multipart/form-data; boundary=x", "").header("origin", "https://shop.example");
    call.parts = Some(vec![
        Part::Field { name: "name".to_owned(), value: Bytes::from_static("Лев".as_bytes()) },
        file("C:\\docs\\план.pdf", 9),
        file("", 0),
        Part::Refused { field: "plan".to_owned(), name: "big.pdf".to_owned(), why: "too large".to_owned() },
    ]);
    let submission = call.submission(form().as_ref());
    assert_eq!(submission.draft.files.len(), 1);
    assert_eq!(submission.draft.files[0].name, "план.pdf");
    assert_eq!(fields(&submission.draft), [("file big.pdf", "not kept: too large")]);
    assert_eq!(submission.raw.content_type, "application/vnd.leadgate.parts+json");
    // The kept form is read again to the same submission.
    let mut again = Call::post(&submission.raw.content_type, submission.raw.body.clone())
        .header("origin", "https://shop.example")
        .submission(form().as_ref());
    again.draft.files[0].name.clone_from(&submission.draft.files[0].name);
    assert_eq!(
        (again.draft.name.clone(), again.draft.files.clone()),
        (submission.draft.name.clone(), submission.draft.files.clone())
    );
    if let Some(Part::Field { name, value }) = call.parts.as_mut().and_then(|parts| parts.first_mut()) {
        "_gotcha".clone_into(name);
        *value = Bytes::from_static(b"x");
    }
    let spam = call.submission(form().as_ref());
    assert!(spam.draft.files.is_empty());
    assert_eq!(spam.signals, [Signal::Honeypot { field: "_gotcha".to_owned() }]);
}

#[test]
fn what_speaks_against_it() {
    let signals = |body: String| Call::form(body).submission(form().as_ref()).signals;
    let shown = at().as_millisecond() - 300;
    assert_eq!(signals(format!("name=x&_t={shown}")), [Signal::TooFast { millis: 300 }]);
    assert_eq!(signals(format!("name=x&_t={}", at().as_millisecond() + 5000)), []);
    assert_eq!(signals("name=x&_t=soon&_honey=+".to_owned()), []);
    assert_eq!(signals(format!("message={}", "http://a.example/ ".repeat(6))), [Signal::Links { count: 6 }]);
    assert_eq!(signals(format!("message={}", "http://www.a.example/ ".repeat(5))), []);
}

#[test]
fn tests_are_marked() {
    let purpose = |body: &str| Call::form(body.to_owned()).submission(form().as_ref()).purpose;
    assert_eq!(purpose("{\"test\":true,\"fields\":{\"name\":\"T\"}}"), Purpose::Test);
    assert_eq!(purpose("test=1&name=T"), Purpose::Test);
    assert_eq!(purpose("test=blood&name=T"), Purpose::Lead);
}

#[test]
fn origins() {
    let hold =
        |config: &str, call: Call| call.submission(build("html_form", config).unwrap().0.as_ref()).hold.map(|hold| hold.words);
    let own = "allow_origins = [\"https://shop.example\"]";
    let bare = || Call::form("name=Lea").without("origin");
    assert_eq!(hold(own, bare().header("origin", "https://shop.example")), None);
    assert_eq!(hold(own, bare().header("origin", "https://gate.example")), None);
    assert_eq!(hold("", bare().header("origin", "http://localhost:3000")), None);
    assert_eq!(hold("", bare().header("origin", "http://[::1]:8080")), None);
    assert_eq!(hold("", bare().header("origin", "http://10.0.0.5:8080").header("host", "10.0.0.5:8080")), None);
    assert_eq!(hold(own, bare().header("referer", "https://shop.example/page?x")), None);
    assert_eq!(
        hold("", bare().header("origin", "https://shop.example")).as_deref(),
        Some(
            "pages at https://shop.example may not use this form; to let them, write allow_origins = [\"https://shop.example\"] under [sources.site]"
        )
    );
    let foreign = hold(own, bare().header("origin", "https://evil.example").header("referer", "https://shop.example/")).unwrap();
    assert!(foreign.contains("allow_origins = [\"https://shop.example\", \"https://evil.example\"]"), "{foreign}");
    assert!(hold(own, bare().header("origin", "null")).unwrap().contains("\"null\"]"));
    assert_eq!(hold("allow_origins = [\"null\"]", bare().header("origin", "null")), None);
    assert!(hold(own, bare()).unwrap().contains("require_origin = false"));
    assert_eq!(hold("require_origin = false", bare()), None);
    for call in [bare(), bare().header("origin", "null"), bare().header("origin", "https://any.example")] {
        assert_eq!(hold("allow_origins = [\"*\"]", call), None);
    }
    let held = bare().submission(form().as_ref()).hold.unwrap();
    assert_eq!((held.code.as_str(), held.authenticated), ("origin", true));
}

#[test]
fn redirects() {
    let location = |next: &str, call: Call| {
        let body = serde_json::json!({ "name": "Lea", "_next": next }).to_string();
        let reply = Call { body: body.into(), ..call }.success(form().as_ref());
        (reply.status == 303).then(|| header(&reply, "location").unwrap().to_owned())
    };
    let page = || Call::form("").header("referer", "https://shop.example/a/b");
    for (next, to) in [
        ("https://shop.example/thanks?x=1", "https://shop.example/thanks?x=1"),
        ("/thanks", "https://shop.example/thanks"),
        ("thanks", "https://shop.example/a/thanks"),
        ("http://thanks.example/", "http://thanks.example/"),
        ("https://gate.example/demo", "https://gate.example/demo"),
        ("https://shop.example/спасибо", "https://shop.example/%D1%81%D0%BF%D0%B0%D1%81%D0%B8%D0%B1%D0%BE"),
    ] {
        assert_eq!(location(next, page()).as_deref(), Some(to), "{next}");
    }
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "https://user@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example.evil.example/",
        "data:text/html,x",
        "https:/\t/evil.example",
        "https:evil.example",
        "ftp://shop.example/",
        "http://",
        "",
        "https://shop.example/a b",
    ] {
        assert_eq!(location(next, page()), None, "{next:?}");
    }
    assert_eq!(location("/thanks", Call::form("").header("origin", "https://evil.example")), None);
    assert_eq!(location("https://evil.example/", Call::form("").header("origin", "https://evil.example")), None);
    let query = Call::form("name=Lea").query("redirect=https%3A%2F%2Fshop.example%2Fok").success(form().as_ref());
    assert_eq!((query.status, header(&query, "location")), (303, Some("https://shop.example/ok")));
}

#[test]
fn answers_to_scripts_and_people() {
    let form = form();
    let json = format!(
        "{{\"ok\":true,\"id\":\"{ID}\",\"message\":\"Мы получили ваше сообщение и скоро ответим.\",\"next\":\"https://shop.example/\"}}"
    );
    for (name, value) in [
        ("accept", "application/json"),
        ("x-requested-with", "XMLHttpRequest"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
    ] {
        let reply = Call::form("name=Lea&_next=https://shop.example/").header(name, value).success(form.as_ref());
        assert_eq!(
            (reply.status, text(&reply), header(&reply, "access-control-allow-origin")),
            (200, json.clone(), Some("https://shop.example"))
        );
    }
    for (language, thanks) in [("ru-RU,ru;q=0.9", "Спасибо!"), ("en-GB", "Thank you!"), ("de", "Спасибо!")] {
        let reply = Call::form("name=Lea")
            .header("accept-language", language)
            .header("referer", "https://shop.example/a?b&c")
            .success(form.as_ref());
        let html = text(&reply);
        assert!(html.contains(thanks) && html.contains(ID) && html.contains("Ромашка &#38; Ко"), "{html}");
        assert!(html.contains("href=\"https://shop.example/a?b&#38;c\""), "{html}");
        assert_eq!(header(&reply, "content-security-policy"), Some("default-src 'none'; style-src 'unsafe-inline'"));
    }
    let english = Call::form("name=Lea&_lang=en").success(form.as_ref());
    assert!(text(&english).contains("<html lang=\"en\">") && !text(&english).contains("<script"));
    let stranger = Call::form("name=Lea")
        .header("origin", "https://evil.example")
        .header("referer", "https://evil.example/")
        .success(form.as_ref());
    assert!(!text(&stranger).contains("evil") && header(&stranger, "access-control-allow-origin").is_none());
}

#[test]
fn alike_whatever_became_of_it() {
    let form = form();
    for call in [Call::form("name=Lea"), Call::form("name=Lea").header("accept", "application/json")] {
        let first = call.success(form.as_ref());
        assert_eq!(call.reply(form.as_ref(), Outcome::Kept(crate::support::id())), first);
        assert_eq!(call.reply(form.as_ref(), Outcome::Refused(&Refusal::Unreadable(String::new()))), first);
    }
}

#[test]
fn refusals() {
    let form = form();
    let busy = Call::form("name=Lea").reply(form.as_ref(), Outcome::Busy);
    assert_eq!((busy.status, header(&busy, "retry-after")), (503, Some("5")));
    let json = Call::form("").header("accept", "application/json").reply(form.as_ref(), Outcome::Busy);
    assert!(text(&json).starts_with("{\"ok\":false,\"error\":\"busy\""));
    let long = Call::form(format!("message={}", "x".repeat(70_000)));
    let refusal = long.parse(form.as_ref()).unwrap_err();
    assert!(matches!(refusal, Refusal::Oversize(_)));
    let reply = long.header("accept-language", "en").reply(form.as_ref(), Outcome::Refused(&refusal));
    assert!(reply.status == 413 && text(&reply).contains("up to 5 files of up to 10 MB each"), "{}", text(&reply));
    assert!(matches!(Call::form("name=Lea").untokened().parse(form.as_ref()), Err(Refusal::Unauthenticated(_))));
    for body in ["", "name=&phone=", "{\"name\":"] {
        let held =
            Call::post("application/json", body).header("origin", "https://shop.example").submission(form.as_ref()).hold.unwrap();
        assert_eq!(held.code, "unreadable", "{body}");
    }
}

#[test]
fn other_methods() {
    let form = form();
    let get = Call::form("").method("GET").header("accept-language", "en").probe(form.as_ref());
    assert!(get.status == 200 && text(&get).contains("This address takes a form&#39;s POST"), "{}", text(&get));
    let head = Call::form("").method("HEAD").probe(form.as_ref());
    assert!(head.status == 200 && head.body.is_empty());
    assert_eq!(Call::form("").method("PUT").probe(form.as_ref()).status, 405);
    let asked = Call::form("").method("OPTIONS").probe(form.as_ref());
    assert_eq!((asked.status, header(&asked, "access-control-allow-origin")), (204, Some("https://shop.example")));
    assert_eq!(header(&asked, "access-control-allow-headers"), Some("Content-Type, Accept, X-Requested-With"));
    assert!(
        header(&asked, "vary").is_some_and(|vary| vary.contains("Origin"))
            && header(&asked, "access-control-allow-credentials").is_none()
    );
    let foreign = Call::form("").method("OPTIONS").header("origin", "https://evil.example").probe(form.as_ref());
    assert_eq!((foreign.status, header(&foreign, "access-control-allow-origin")), (204, None));
}

#[test]
fn config_problems_are_told_together() {
    let Err(problems) = build(
        "html_form",
        "allow_origins = [\"https://a.example\", \"shop/x\"]\nallow_next = [\"*\"]\nlanguage = \"de\"\nmax_files = 1000\nfile_types = [\"pdf\", \"svg\"]\ncolour = 1",
    ) else {
        panic!("no problems")
    };
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["language", "allow_origins[1]", "allow_next[0]", "max_files", "file_types[1]", "colour"]);
}

#[test]
fn examples_are_configs() {
    for kind in leadgate_web_forms::KINDS {
        // As it is, and with every commented key in force.
        for text in [kind.example.to_owned(), uncommented(kind.example)] {
            let text = text
                .replace("{id}", "site")
                .replace("{ env = \"TILDA_KEY\" }", "\"k\"")
                .replace("{ env = \"CAPTCHA_SECRET\" }", "\"k\"");
            let mut table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
            let mut source =
                table.remove("sources").and_then(|s| s.get("site").and_then(toml::Value::as_table).cloned()).unwrap();
            assert_eq!(source.remove("kind").and_then(|k| k.as_str().map(str::to_owned)).as_deref(), Some(kind.name));
            let built = build(kind.name, &source.to_string());
            assert!(built.is_ok(), "{:?}", built.err());
        }
        for language in ["ru", "en", "de"] {
            assert!((kind.setup)(language).contains("{url}"));
        }
    }
}

fn uncommented(example: &str) -> String {
    let assigned = |line: &str| {
        line.strip_prefix("# ").is_some_and(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', ','])))
    };
    example.lines().map(|line| if assigned(line) { &line[2..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn kept_bytes_tell_the_same_again() {
    let first = Call::form(CALLBACK).submission(form().as_ref());
    let Parsed::Submissions(again) = Call::form(first.raw.body.clone()).parse(form().as_ref()).unwrap() else {
        panic!("a probe")
    };
    assert_eq!(again[0].content, first.content);
}
