//! WordPress's form plugins: what comes of a call of each, and the exact answers.

use crate::support::{Call, build, emails, fields, header, id, phones, raw};
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadgate_core::attribution::Origin;
use leadgate_core::ports::{Outcome, Parsed, Part, Push, Refusal, Reply};
use leadgate_core::submission::{Draft, FileRef, Submission};
use sha2::Sha256;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json; charset=UTF-8";
const AGENT: &str = "WordPress/6.1.9; https://Shop.example/blog/";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/wordpress/", $name))
    };
}

fn wordpress(config: &str) -> Box<dyn Push> {
    build("wordpress", config).unwrap().0
}

/// A call as a WordPress makes it: its Referer is our own address.
fn call(content_type: &str, body: impl Into<bytes::Bytes>) -> Call {
    Call::post(content_type, body).header("user-agent", AGENT).header("referer", crate::support::URL)
}

fn sent(content_type: &str, body: &str) -> Submission {
    call(content_type, body.to_owned()).submission(wordpress("").as_ref())
}

fn keys(submission: &Submission) -> Vec<(&str, &str)> {
    submission.keys.iter().map(|key| (key.scope, key.value.as_str())).collect()
}

fn field<'a>(draft: &'a Draft, name: &str) -> Option<&'a str> {
    fields(draft).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn who(draft: &Draft) -> (Option<&str>, Vec<&str>, Vec<&str>) {
    (draft.name.as_deref(), phones(draft), emails(draft))
}

#[test]
fn contact_form_7() {
    let submission = sent(JSON, fixture!("cf7_default.json"));
    let draft = &submission.draft;
    assert_eq!(who(draft), (Some("Ольга Лесная"), vec!["+7 (921) 555-11-22"], vec!["olga@lesnaya.example.org"]));
    assert_eq!((draft.message.as_deref(), draft.title.as_deref()), (Some("Добрый день!\nНужен расчёт."), Some("Баня 6 на 4")));
    assert_eq!(
        (draft.address.map(|a| a.to_string()).as_deref(), draft.user_agent.as_deref()),
        (Some("203.0.113.20"), Some("Mozilla/5.0 (X11; Linux x86_64)"))
    );
    assert_eq!(
        fields(draft),
        [
            ("_post_title", "Заявка"),
            ("menu-3", "Баня"),
            ("topics", "Кровля"),
            ("topics", "Печь"),
            ("text-318", "красный"),
            ("your-file", "https://dacha.example/wp-content/uploads/cf7/plan.pdf"),
            ("WordPress site", "https://Shop.example/blog"),
            ("WordPress plugin", "Contact Form 7"),
        ]
    );
    assert_eq!((draft.consents.len(), draft.consents[0].address), (1, draft.address));
    let touched: Vec<_> = draft.touch.values.iter().map(|v| (v.key.as_ref(), v.value.as_str(), v.from)).collect();
    assert_eq!(
        touched,
        [
            ("utm_campaign", "leto", Origin::Field),
            ("utm_source", "vk", Origin::PageUrl),
            ("utm_medium", "cpc", Origin::PageUrl),
            ("yclid", "77", Origin::PageUrl)
        ]
    );
    assert_eq!(draft.touch.page.as_deref(), Some("https://dacha.example/zayavka/?utm_source=vk&utm_medium=cpc&yclid=77"));
    assert_eq!((draft.touch.referrer.as_deref(), keys(&submission), submission.raw.peer), (None, vec![], None));
}

#[test]
fn a_template_of_contact_form_7_with_quotes_and_line_breaks_in_a_text() {
    let draft = sent("text/plain; charset=UTF-8", fixture!("cf7_template.txt")).draft;
    assert_eq!(who(&draft), (Some("Ольга \"Оля\" Лесная"), vec!["+7 (921) 555-11-22"], vec![]));
    assert_eq!(draft.message.as_deref(), Some("строка 1\nстрока 2, C:\\План"));
    assert_eq!((field(&draft, "topics"), draft.fields.len()), (Some("Кровля"), 3));
    // Two readings: a person decides.
    let held = sent("text/plain", "{\"name\":\"Anna\\\",\"phone\":\"+7 916 000-00-01\",\"msg\":\"x\"}");
    assert_eq!(held.hold.map(|hold| hold.code).as_deref(), Some("unreadable"));
    assert_eq!(field(&held.draft, "WordPress site"), Some("https://Shop.example/blog"));
}

#[test]
fn contact_form_7_by_get() {
    let push = wordpress("");
    let get = |query: &str| call("application/json", "").method("GET").query(query);
    let draft = get(fixture!("cf7_get.query")).submission(push.as_ref()).draft;
    assert_eq!(who(&draft), (Some("Ольга Лесная"), vec!["+7 (921) 555-11-22"], vec![]));
    assert_eq!((draft.touch.get("utm_source"), draft.touch.values[0].from), (Some("vk"), Origin::Field));
    assert_eq!(field(&draft, "topics[1]"), Some("Печь"));
    for looked in ["", "utm_source=vk", "x=1", "token=abc&key=def", "page=https://a.example/"] {
        assert_eq!(get(looked).probe(push.as_ref()), Reply::text(200, "ok"), "{looked}");
    }
    assert_eq!(phones(&get("tel=+7 916 000-00-01").submission(push.as_ref()).draft), ["+7 916 000-00-01"]);
}

#[test]
fn files_inside_of_a_message() {
    let one = r#"{"your-name":"Lea","your-file":{"filename":"a.txt","content":"aGVsbG8K"}}"#;
    let draft = sent(JSON, one).draft;
    assert!(field(&draft, "your-file").is_some_and(|value| value.starts_with("a.txt (about 6 bytes")), "{:?}", draft.fields);
    assert!(!format!("{draft:?}").contains("aGVsbG8K"));
    let large = "QUFB".repeat(200_000);
    let body = format!(
        "{{\"your-name\":\"Lea\",\"your-file\":[{{\"filename\":\"b.jpg\",\"content\":\"{large}\"}},{{\"filename\":\"c.jpg\",\"content\":\"{large}\"}}]}}"
    );
    let submission = sent(JSON, &body);
    assert_eq!((submission.hold.is_none(), submission.draft.name.as_deref()), (true, Some("Lea")));
    assert!(!raw(&submission).contains("QUFB") && raw(&submission).contains("b.jpg"));
    // Any other value of that length is nobody's.
    let long = format!("{{\"your-name\":\"{}\"}}", "я".repeat(40_000));
    assert_eq!(sent(JSON, &long).hold.map(|hold| hold.code).as_deref(), Some("oversize"));
}

#[test]
fn elementor_with_labels_as_names() {
    let submission = sent(FORM, fixture!("elementor_simple.urlencoded"));
    let draft = &submission.draft;
    assert_eq!(who(draft), (Some("Пётр Речной"), vec!["+7 (912) 333-44-55"], vec!["petr@rechnoy.example.org"]));
    assert_eq!(draft.message.as_deref(), Some("две\nстроки"));
    // The visitor's own day stays, the plugin's day and hour go.
    assert_eq!(
        fields(draft),
        [
            ("Тип лодки", "Катер, Яхта"),
            ("Дата", "12.12.2026"),
            ("WordPress site", "https://Shop.example/blog"),
            ("WordPress plugin", "Elementor")
        ]
    );
    assert_eq!(draft.address.map(|a| a.to_string()).as_deref(), Some("203.0.113.21"));
    assert_eq!(draft.user_agent.as_deref(), Some("Mozilla/5.0 (Windows NT 10.0)"));
    assert_eq!(draft.touch.page.as_deref(), Some("https://lodka.example/?utm_source=ya&utm_medium=cpc&gclid=G7"));
    assert_eq!((draft.touch.get("utm_medium"), draft.touch.get("gclid")), (Some("cpc"), Some("G7")));
    let form = draft.form.as_ref().unwrap();
    assert_eq!((form.id.as_deref(), form.name.as_deref()), (Some("5f0c1d2"), Some("Новая форма")));
    // A minute later it is still the same form.
    let later = fixture!("elementor_simple.urlencoded").replace("10%3A16&URL", "10%3A17&URL");
    assert_eq!(sent(FORM, &later).content, submission.content);
}

#[test]
fn elementor_with_advanced_data() {
    let submission = sent(FORM, fixture!("elementor_advanced.urlencoded"));
    let draft = &submission.draft;
    assert_eq!(who(draft), (Some("Пётр Речной"), vec!["+7 (912) 333-44-55"], vec!["petr@rechnoy.example.org"]));
    assert_eq!(draft.message.as_deref(), Some("две\nстроки"));
    assert_eq!(
        fields(draft),
        [
            ("Лодки", "Катер, Яхта"),
            ("Ваш сайт", "https://rechnoy.example.org/"),
            ("WordPress site", "https://Shop.example/blog"),
            ("WordPress plugin", "Elementor")
        ]
    );
    assert_eq!(draft.touch.get("utm_campaign"), Some("zima"));
    assert_eq!(draft.touch.page.as_deref(), Some("https://lodka.example/?utm_source=ya&utm_medium=cpc&gclid=G7"));
    assert_eq!((draft.consents.len(), draft.consents[0].field.as_str()), (1, "Согласен на обработку"));
    assert_eq!(draft.form.as_ref().and_then(|form| form.name.as_deref()), Some("Новая форма"));
    assert!(!raw(&submission).contains("sesam") && !format!("{draft:?}").contains("sesam"), "{}", raw(&submission));
    // The same, decoded by somebody on its way.
    let flat: serde_json::Map<String, serde_json::Value> = fixture!("elementor_advanced.urlencoded")
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| {
            let plain = leadgate_core::attribution::percent_decode;
            (plain(name), plain(value).into())
        })
        .collect();
    let decoded = sent(JSON, &serde_json::Value::Object(flat).to_string());
    assert_eq!(who(&decoded.draft), who(draft));
    assert!(!raw(&decoded).contains("sesam"));
    // What the owner says of a field's id counts most.
    let own =
        call(FORM, fixture!("elementor_advanced.urlencoded")).submission(wordpress("fields = { field_8 = \"page\" }").as_ref());
    assert_eq!(own.draft.touch.page.as_deref(), Some("https://rechnoy.example.org/"));
}

#[test]
fn gravity_by_numbers() {
    for (content_type, body) in [(JSON, fixture!("gravity_entry.json")), (FORM, fixture!("gravity_form.urlencoded"))] {
        let submission = sent(content_type, body);
        let draft = &submission.draft;
        assert_eq!(who(draft), (Some("Jana Feld"), vec!["030 1234567"], vec!["jana@feld.example.org"]), "{content_type}");
        assert_eq!(draft.message.as_deref(), Some("eins\nzwei"));
        assert_eq!(keys(&submission), [("entry", "hof.example:3:812")]);
        assert_eq!(submission.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T07:15:04Z"));
        assert_eq!(draft.address.map(|a| a.to_string()).as_deref(), Some("203.0.113.22"));
        assert_eq!((draft.touch.get("utm_source"), draft.touch.get("gclid")), (Some("google"), Some("G8")));
        let names: Vec<&str> = fields(draft).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["2.2", "5.1", "5.3", "5.5", "5.6", "12.1", "WordPress site", "WordPress plugin"]);
    }
    let mapped = call(
        JSON,
        r#"{"id":"5","form_id":"1","source_url":"https://a.example/","1":"Jana","1.3":"x","4":"555","7":"y@z.example.org"}"#,
    )
    .submission(wordpress("fields = { 1 = \"name\", \"1.3\" = \"ignore\", 4 = \"phone\" }").as_ref());
    assert_eq!(who(&mapped.draft), (Some("Jana"), vec!["555"], vec!["y@z.example.org"]));
}

#[test]
fn gravity_by_numbers_and_labels_says_nothing_twice() {
    let submission = sent(JSON, fixture!("gravity_selected.json"));
    assert_eq!(who(&submission.draft), (Some("Jana Feld"), vec!["0171 1234567"], vec!["jana@feld.example.org"]));
    assert_eq!(field(&submission.draft, "Status"), Some("Stammkundin"));
    assert_eq!(submission.draft.fields.len(), 3);
    // The site by the caller's name; without either nobody knows whose number it is.
    assert_eq!(keys(&submission), [("entry", "shop.example:3:812")]);
    let nameless = call(JSON, fixture!("gravity_selected.json")).without("user-agent").submission(wordpress("").as_ref());
    assert_eq!(keys(&nameless), []);
}

#[test]
fn wpforms() {
    let push = wordpress("");
    let call =
        call(JSON, fixture!("wpforms.json")).header("user-agent", "wpforms-webhooks/1.4").header("x-wpforms-webhook-id", "wh_1");
    let submission = call.submission(push.as_ref());
    let draft = &submission.draft;
    assert_eq!(who(draft), (Some("Ana Rios"), vec!["+351 912 345 678"], vec!["ana@rios.example.org"]));
    assert_eq!(fields(draft), [("Interesses", "Casa, Jardim"), ("Quando", "2026-12-01 10:00"), ("WordPress plugin", "WPForms")]);
    assert_eq!((draft.message.as_deref(), draft.touch.get("utm_source")), (Some("Olá"), Some("ig")));
    assert_eq!(keys(&submission), [("entry", "casa.example:7:44")]);
}

#[test]
fn what_wpforms_signed() {
    let push = wordpress("wpforms_secret = [\"new\", \"old\"]");
    let now = crate::support::at().as_second();
    let body = fixture!("wpforms.json");
    let sign = |secret: &str, at: i64, body: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.{body}").as_bytes());
        format!("t={at},v={}", leadgate_core::submission::hex(&mac.finalize().into_bytes()))
    };
    let signed = |body: &str, signature: &str| call(JSON, body.to_owned()).header("x-wpforms-webhook-signature", signature);
    for good in [sign("new", now, body), sign("old", now - 290, body), sign("new", now + 100, body)] {
        assert_eq!(keys(&signed(body, &good).submission(push.as_ref())).len(), 1, "{good}");
    }
    let right = sign("new", now, body);
    let (stamp, value) = right.split_once(',').unwrap();
    for wrong in [
        sign("newer", now, body),
        sign("new", now - 400, body),
        sign("new", now, &body.replace("Ana", "Eva")),
        sign("new", now, ""),
        value.to_owned(),
        stamp.to_owned(),
        right.replace(&format!("t={now}"), &format!("t={}", now + 1)),
        format!("sha256={value}"),
        String::new(),
    ] {
        assert!(matches!(signed(body, &wrong).parse(push.as_ref()), Err(Refusal::Unauthenticated(_))), "{wrong}");
    }
    assert!(call(JSON, body).parse(push.as_ref()).is_err() && call(FORM, "Name=Ana").parse(push.as_ref()).is_err());
    assert!(signed(body, &right).untokened().parse(push.as_ref()).is_err(), "the path's token is needed as well");
    assert_eq!(call("", "").method("GET").probe(push.as_ref()).status, 200);
    assert!(build("wordpress", "wpforms_secret = \"\"").is_err());
}

#[test]
fn fluent_forms() {
    let submission = sent(JSON, fixture!("fluent.json"));
    let draft = &submission.draft;
    assert_eq!(who(draft), (Some("Luc Moulin"), vec!["+33612345678"], vec!["luc@moulin.example.org"]));
    assert_eq!((draft.message.as_deref(), draft.consents.len(), draft.country.as_deref()), (Some("Bonjour"), 1, None));
    assert_eq!(
        fields(draft),
        [
            ("input_text", "bleu"),
            ("checkbox", "un"),
            ("checkbox", "deux"),
            ("WordPress site", "https://Shop.example/blog"),
            ("WordPress plugin", "Fluent Forms")
        ]
    );
    assert_eq!(keys(&submission), [("entry", "moulin.example:3:951")]);
    assert_eq!((draft.touch.get("fbclid"), draft.address.map(|a| a.to_string()).as_deref()), (Some("F1"), Some("203.0.113.23")));
}

#[test]
fn forminator() {
    let push = wordpress("");
    let agent = "WordPress/6.5; https://campo.example ForminatorWebhook/1.0";
    let call = call(JSON, fixture!("forminator.json")).header("user-agent", agent);
    let draft = call.submission(push.as_ref()).draft;
    assert_eq!(who(&draft), (Some("Iván Prado"), vec!["+34 612 345 678"], vec!["ivan@prado.example.org"]));
    assert_eq!((draft.message.as_deref(), draft.consents.len(), draft.touch.get("utm_source")), (Some("Hola"), 1, Some("news")));
    assert_eq!(
        fields(&draft),
        [
            ("text-1", "verde"),
            ("url-1", "https://prado.example.org"),
            ("checkbox-1", "uno"),
            ("checkbox-1", "dos"),
            ("upload-1", "https://campo.example/plano.pdf"),
            ("hidden-1", "x"),
            ("WordPress site", "https://campo.example"),
            ("WordPress plugin", "Forminator")
        ]
    );
    assert_eq!(draft.form.as_ref().and_then(|form| form.name.as_deref()), Some("Formulario"));
    let hidden = fixture!("forminator.json").replace(r#""hidden-1": "x""#, r#""hidden-1": "https://campo.example/a?gclid=G9""#);
    let touch = Call { body: hidden.into(), ..call.clone() }.submission(push.as_ref()).draft.touch;
    assert_eq!((touch.page.as_deref(), touch.get("gclid")), (Some("https://campo.example/a?gclid=G9"), Some("G9")));
    // When the address is saved, labels come in place of values.
    let tried = call.header("x-hook-test", "TRUE");
    assert_eq!(tried.probe(push.as_ref()), Reply::text(200, "ok"));
}

#[test]
fn jetpack_forms() {
    let push = wordpress("");
    let agent = "WordPress/6.9 | Jetpack/15.3; https://west.example";
    for call in
        [call(JSON, fixture!("jetpack.json")).header("user-agent", agent), call(JSON, fixture!("jetpack.json")).method("PUT")]
    {
        let draft = call.submission(push.as_ref()).draft;
        assert_eq!(who(&draft), (Some("Nadia West"), vec!["+44 7911 123456"], vec!["nadia@west.example.org"]));
        assert_eq!((draft.message.as_deref(), field(&draft, "WordPress plugin")), (Some("Hello"), Some("Jetpack Forms")));
        assert_eq!(field(&draft, "options"), Some("a"));
    }
}

#[test]
fn labels_in_seven_languages() {
    for (name, phone, email, message) in [
        ("Ваше имя *", "Номер телефона", "Эл. почта", "Сообщение"),
        ("Your Name (required)", "Mobile number", "E-mail ", "Message"),
        ("Ваше імʼя", "Номер телефону", "Електронна пошта", "Повідомлення"),
        ("Ihr Name (Pflichtfeld)", "Handynummer", "E-Mail-Adresse", "Ihre Nachricht"),
        ("Nombre completo", "Número de teléfono", "Correo electrónico", "Mensaje"),
        ("Seu nome (obrigatório)", "Telemóvel", "Endereço de e-mail", "Sua mensagem"),
        ("Nom et prénom", "Numéro de téléphone", "Adresse e-mail (obligatoire)", "Votre message"),
        ("No Label name", "No Label tel", "No Label email", "No Label message"),
        ("name-1", "phone_1", "email-1", "textarea-1"),
    ] {
        let body =
            serde_json::json!({ name: "Lea Zorn", phone: "+49 171 1234567", email: "lea@zorn.example.org", message: "Hallo" });
        let draft = sent(JSON, &body.to_string()).draft;
        assert_eq!(who(&draft), (Some("Lea Zorn"), vec!["+49 171 1234567"], vec!["lea@zorn.example.org"]), "{name}");
        assert_eq!(draft.message.as_deref(), Some("Hallo"), "{message}");
    }
}

#[test]
fn pages_under_translated_titles() {
    for title in [
        "Page URL",
        "URL страницы",
        "Seiten-URL",
        "URL de la página",
        "URL da página",
        "URL de la page",
        "URL сторінки",
        "_url",
        "source_url",
    ] {
        let body = serde_json::json!({ "Name": "Lea", title: "https://a.example/?utm_source=x" });
        let draft = sent(JSON, &body.to_string()).draft;
        assert_eq!(
            (draft.touch.page.as_deref(), draft.touch.get("utm_source")),
            (Some("https://a.example/?utm_source=x"), Some("x")),
            "{title}"
        );
    }
}

#[test]
fn what_software_adds_for_itself_is_dropped() {
    let body = "_wpcf7=5&_wpcf7_version=5.7&_wpcf7_posted_data_hash=a&_wpnonce=b&g-recaptcha-response=c&h-captcha-response=d&cf-turnstile-response=e&\
                _wp_http_referer=%2Fcontact%2F%3Futm_source%3Dno&ak_js=1&form_name=New+Form&your-name=Lea";
    let submission = sent(FORM, body);
    assert_eq!(fields(&submission.draft).len(), 2);
    assert_eq!((submission.draft.name.as_deref(), submission.draft.touch.get("utm_source")), (Some("Lea"), None));
    let other = sent(FORM, &body.replace("=c&", "=zz&").replace("hash=a", "hash=q"));
    assert_eq!(other.content, submission.content);
    // The form's name is nobody's.
    assert_eq!(sent(FORM, "form_name=New+Form&form_id=1&Phone=%2B79160000001").draft.name, None);
}

#[test]
fn parts_of_a_multipart_form() {
    let mut call = call("multipart/form-data; boundary=x", "");
    let file = FileRef {
        sha256: "ab".repeat(32),
        name: "plan.pdf".to_owned(),
        content_type: String::new(),
        size: 3,
        field: "your-file".to_owned(),
    };
    call.parts = Some(vec![Part::Field { name: "your-name".to_owned(), value: "Lea".into() }, Part::File(file)]);
    let draft = call.submission(wordpress("").as_ref()).draft;
    assert_eq!((draft.name.as_deref(), draft.files.len()), (Some("Lea"), 1));
}

#[test]
fn answers() {
    let push = wordpress("");
    let ok = Reply::text(200, "ok");
    let one = call(JSON, fixture!("jetpack.json"));
    assert_eq!((one.success(push.as_ref()), ok.body.as_ref()), (ok.clone(), b"ok".as_slice()));
    assert_eq!(one.reply(push.as_ref(), Outcome::Kept(id())), ok);
    for refusal in [Refusal::Unreadable(String::new()), Refusal::Oversize(String::new())] {
        assert_eq!(one.reply(push.as_ref(), Outcome::Refused(&refusal)), ok);
    }
    let busy = one.reply(push.as_ref(), Outcome::Busy);
    assert_eq!((busy.status, header(&busy, "retry-after")), (503, Some("60")));
    assert!(matches!(one.clone().untokened().parse(push.as_ref()), Err(Refusal::Unauthenticated(_))));
    for method in ["HEAD", "OPTIONS", "GET"] {
        assert_eq!(call("", "").method(method).probe(push.as_ref()), ok, "{method}");
    }
    for empty in ["", "{}", "[]", " "] {
        assert_eq!(call(JSON, empty.to_owned()).probe(push.as_ref()), ok, "{empty:?}");
    }
    let blank = sent(JSON, r#"{"your-name":"","your-email":" "}"#);
    assert_eq!(blank.hold.map(|hold| hold.code).as_deref(), Some("unreadable"));
    let nonsense = sent(JSON, r#"{"your-name":"Lea","password":"hunter2""#);
    assert_eq!(nonsense.hold.as_ref().map(|hold| hold.code.as_str()), Some("unreadable"));
    assert!(!raw(&nonsense).contains("hunter2"));
    for wrong in ["fields = { a = \"fax\" }", "token_name = \"x\"", "title = 1"] {
        assert!(build("wordpress", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn ten_thousand_fields_and_bombs_wait_for_a_person() {
    let many = (0..10_000).map(|n| format!("fields[f{n}][value]=1")).collect::<Vec<_>>().join("&");
    assert_eq!(sent(FORM, &many).hold.map(|hold| hold.code).as_deref(), Some("oversize"));
    for bomb in ["{\"a\":".repeat(50_000), "[".repeat(200_000), format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000))] {
        assert_eq!(sent(JSON, &bomb).hold.map(|hold| hold.code).as_deref(), Some("unreadable"));
    }
    let deep = format!("fields{}=1&your-name=Lea", "[a]".repeat(5000));
    assert_eq!(sent(FORM, &deep).draft.name.as_deref(), Some("Lea"));
}

#[test]
fn scripts_and_line_breaks_are_data() {
    let push = wordpress("");
    let evil = "\"><script>alert(1)</script>\r\nSet-Cookie: a=b\r\n\r\n";
    let body = serde_json::json!({
        "your-name": evil, "your-phone": evil, "your-email": evil, "your-message": evil, "your-subject": evil, "_url": evil,
        "utm_source": evil, "form_name": evil, "form_id": evil, "client_ip": evil, "_user_agent": evil, evil: evil, "agree": evil,
    });
    let call = call(JSON, body.to_string());
    let submission = call.submission(push.as_ref());
    let draft = &submission.draft;
    assert_eq!((draft.name.as_deref(), draft.address), (Some("\"><script>alert(1)</script>\nSet-Cookie: a=b"), None));
    // Names of fields are one line; what is no address is no page.
    assert!(draft.fields.iter().all(|field| !field.name.contains(['\r', '\n'])), "{:?}", draft.fields);
    assert_eq!((draft.touch.page.as_deref(), submission.hold.is_none()), (None, true));
    assert_eq!(call.success(push.as_ref()), Reply::text(200, "ok"));
}

#[test]
fn a_caller_s_name_is_only_a_name() {
    for (agent, site) in [
        ("WordPress/6.1.9; https://a.example", Some("https://a.example")),
        ("WordPress/6.1.9; http://a.example:8080/b/", Some("http://a.example:8080/b")),
        ("WordPress/6.1.9; javascript:alert(1)", None),
        ("WordPress/6.1.9; https://<script>alert(1)</script>", None),
        ("Mozilla/5.0 (compatible; Bot; +https://bot.example)", None),
        ("WordPress/6.1.9", None),
        ("WordPress/6.1.9; https://", None),
        ("https://", None),
    ] {
        let draft = call(FORM, "your-name=Lea").header("user-agent", agent).submission(wordpress("").as_ref()).draft;
        assert_eq!(field(&draft, "WordPress site"), site, "{agent}");
        assert_eq!((draft.user_agent, draft.touch.page, draft.touch.referrer), (None, None, None));
    }
}

#[test]
fn repeats_are_the_same_and_corrections_are_not() {
    for (content_type, body) in
        [(FORM, fixture!("elementor_advanced.urlencoded")), (JSON, fixture!("fluent.json")), (JSON, fixture!("forminator.json"))]
    {
        let first = sent(content_type, body);
        assert_eq!(
            first.content,
            call(content_type, body).header("user-agent", "other").submission(wordpress("").as_ref()).content
        );
        assert_ne!(first.content, sent(content_type, &body.replacen("example.org", "example.net", 9)).content);
    }
    assert!(matches!(call(JSON, "{}").parse(wordpress("").as_ref()), Ok(Parsed::Probe(_))));
}
