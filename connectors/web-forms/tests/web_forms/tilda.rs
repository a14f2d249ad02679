//! Tilda's webhook: what comes of a call, and the exact answers.

use crate::support::{Call, build, emails, fields, phones, raw};
use leadgate_core::attribution::Origin;
use leadgate_core::ports::{Outcome, Push, Refusal, Reply};
use leadgate_core::submission::{Purpose, Submission};

const CART: &str = include_str!("../../fixtures/tilda/cart_text.urlencoded");
const BRACKETS: &str = include_str!("../../fixtures/tilda/cart_brackets.urlencoded");
const MARKETPLACE: &str = include_str!("../../fixtures/tilda/marketplace.json");
const FORM: &str = "application/x-www-form-urlencoded";

fn tilda(config: &str) -> Box<dyn Push> {
    build("tilda", config).unwrap().0
}

fn sent(body: &str) -> Submission {
    Call::post(FORM, body.to_owned()).header("referer", "https://tilda.example/").submission(tilda("").as_ref())
}

fn keys(submission: &Submission) -> Vec<(&str, &str)> {
    submission.keys.iter().map(|key| (key.scope, key.value.as_str())).collect()
}

#[test]
fn trying_the_line() {
    let ok = Reply::text(200, "ok");
    for body in ["test=test", "test=test&key=abc", "", "{}", "token=abc"] {
        assert_eq!(Call::post(FORM, body).probe(tilda("").as_ref()), ok, "{body}");
    }
    for method in ["GET", "HEAD"] {
        assert_eq!(Call::post("", "").method(method).probe(tilda("").as_ref()), ok);
    }
    assert_eq!(sent("test=test&Name=Lea&tranid=1:2").purpose, Purpose::Test);
}

#[test]
fn a_cart_in_one_text() {
    let submission = sent(CART);
    let draft = &submission.draft;
    assert_eq!((draft.name.as_deref(), phones(draft)), (Some("Глеб Лесной"), vec!["+7 912 345-67-82"]));
    let order = draft.order.as_ref().unwrap();
    assert_eq!((order.id.as_deref(), order.amount, order.paid), (Some("5001"), Some(217_050), true));
    let lines: Vec<_> = order.lines.iter().map(|line| (line.name.as_str(), line.quantity.as_deref(), line.amount)).collect();
    assert_eq!(lines, [("Кружка (цвет: синий)", Some("2"), Some(78_000)), ("Поднос", None, Some(139_050))]);
    let details: Vec<_> = order.details.iter().map(|detail| detail.name.as_str()).collect();
    assert_eq!(details, ["sys", "systranid", "promocode", "delivery_address"]);
    assert_eq!(keys(&submission), [("tranid", "77:88")]);
    assert_eq!(
        (draft.external_key.as_deref(), draft.own_lead, draft.title.as_deref()),
        (Some("order:5001"), true, Some("Корзина 5001"))
    );
    assert_eq!(draft.form.as_ref().and_then(|form| form.id.as_deref()), Some("form55"));
    assert_eq!(fields(draft), [("delivery_address", "Пермь, Лесная 1")]);
    let touched: Vec<_> = draft.touch.values.iter().map(|v| (v.key.as_ref(), v.value.as_str(), v.from)).collect();
    assert_eq!(
        touched,
        [
            ("utm_source", "vk", Origin::Cookie),
            ("utm_campaign", "leto", Origin::Cookie),
            ("_ym_uid", "1690000000123456789", Origin::Cookie),
            ("_ga", "GA1.2.11.22", Origin::Cookie)
        ]
    );
    // Tilda's server called, not the customer.
    assert_eq!((draft.touch.page.as_deref(), draft.address, submission.raw.peer), (Some("shop.example/catalog"), None, None));
    for secret in ["s3cr3t", "k-e-y", "PHPSESSID", "cart%3Dabc"] {
        assert!(!raw(&submission).contains(secret), "{secret}");
    }
    assert_eq!(submission.raw.body.len(), CART.len());
    assert!(raw(&submission).contains("_ym_uid"));
}

#[test]
fn a_cart_in_brackets() {
    let submission = sent(BRACKETS);
    let order = submission.draft.order.as_ref().unwrap();
    assert_eq!((order.amount, order.paid, order.lines.len()), (Some(78_000), false, 1));
    let line = &order.lines[0];
    assert_eq!(
        (line.name.as_str(), line.quantity.as_deref(), line.amount, line.sku.as_deref()),
        ("Кружка (Цвет: синий)", Some("2"), Some(78_000), Some("K-1"))
    );
    assert_eq!(keys(&submission), [("order", "form55:5002")]);
    assert_eq!(
        (submission.draft.name.as_deref(), emails(&submission.draft)),
        (Some("Глеб Лесной"), vec!["gleb@lesnoy.example.org"])
    );
    assert_eq!(fields(&submission.draft), []);
}

#[test]
fn the_marketplace_with_its_key_in_the_body() {
    let config = "key = \"k-e-y\"\nkey_name = \"X-Shop-Key\"";
    let call = Call::post("application/json", MARKETPLACE).untokened();
    let submission = call.submission(tilda(config).as_ref());
    assert_eq!(submission.draft.name.as_deref(), Some("Яна Речная"));
    assert_eq!(submission.draft.order.as_ref().unwrap().lines[0].amount, Some(10_000));
    assert_eq!((keys(&submission), fields(&submission.draft)), (vec![("tranid", "9:10")], vec![]));
    assert!(!raw(&submission).contains("k-e-y"));
}

#[test]
fn a_body_somebody_decoded_before() {
    let submission = sent(include_str!("../../fixtures/tilda/decoded.txt").trim_end());
    let draft = &submission.draft;
    assert_eq!((draft.name.as_deref(), phones(draft)), (Some("Анна & Пётр"), vec!["+7 (912) 345-67-84"]));
    assert_eq!(draft.order.as_ref().unwrap().lines[0].name, "Чай & мёд (сорт: a=b)");
    assert_eq!(draft.touch.get("utm_source"), Some("vk"));
    assert_eq!(draft.form.as_ref().and_then(|form| form.name.as_deref()), Some("Заявка"));
}

#[test]
fn ways_to_bring_a_key() {
    let push = tilda("key = [\"new\", \"old\"]");
    let bare = || Call::post(FORM, "Name=Lea&tranid=1:2").untokened();
    for call in [
        bare().header("x-api-key", "new"),
        bare().header("token", "old"),
        bare().header("authorization", "Bearer new"),
        bare().query("token=old"),
        Call::post(FORM, "Name=Lea&tranid=1:2&API_KEY=new").untokened(),
    ] {
        let submission = call.submission(push.as_ref());
        assert_eq!(submission.draft.name.as_deref(), Some("Lea"));
        assert!(
            fields(&submission.draft).is_empty() && !submission.raw.query.contains("old") && !raw(&submission).contains("new")
        );
    }
    for call in [bare(), bare().header("x-api-key", "wrong"), bare().query("token="), bare().header("x-other", "new")] {
        assert!(matches!(call.parse(push.as_ref()), Err(Refusal::Unauthenticated(_))));
    }
    // Without a configured key none is right; with the path's token none is needed.
    assert!(bare().header("x-api-key", "").parse(tilda("").as_ref()).is_err());
    assert!(Call::post(FORM, "Name=Lea").header("x-api-key", "wrong").parse(push.as_ref()).is_ok());
    assert!(bare().header("x-mine", "k").parse(tilda("key = \"k\"\nkey_name = \"X-Mine\"").as_ref()).is_ok());
    assert!(build("tilda", "key = \"\"").is_err() && build("tilda", "keys = \"a\"").is_err());
}

#[test]
fn forms_are_sorted_as_everywhere() {
    let submission = sent(
        "Ваше имя 2=Лев&Телефон_2=8 912 000-00-00&Checkbox=yes&Input=синий&Comments=ну&formname=Проба&tranid=5:6&COOKIES=a%3Db",
    );
    let draft = &submission.draft;
    assert_eq!(
        (draft.name.as_deref(), draft.message.as_deref(), fields(draft)),
        (Some("Лев"), Some("ну"), vec![("Input", "синий")])
    );
    assert_eq!(
        (draft.consents.len(), draft.consents[0].field.as_str(), draft.own_lead, draft.title.as_deref()),
        (1, "Checkbox", false, None)
    );
    let hidden = sent("Name=Lea&utm_source=field&COOKIES=TILDAUTM%3Dutm_source%253Dcookie%257C%257C%257Cutm_medium%253Dm");
    assert_eq!((hidden.draft.touch.get("utm_source"), hidden.draft.touch.get("utm_medium")), (Some("field"), Some("m")));
    let broken = sent("Name=Lea&payment=soon");
    assert_eq!((broken.draft.order, broken.draft.fields[0].value.as_str()), (None, "soon"));
}

#[test]
fn repeats_have_one_content_and_payment_changes_it() {
    assert_eq!(sent(CART).content, sent(&CART.replace("s3cr3t", "other")).content);
    assert_ne!(sent(BRACKETS).content, sent(&BRACKETS.replace("systranid%5D=0", "systranid%5D=71")).content);
    assert!(sent(&BRACKETS.replace("systranid%5D=0", "systranid%5D=71")).draft.order.unwrap().paid);
}

#[test]
fn answers() {
    let push = tilda("");
    let ok = Reply::text(200, "ok");
    let call = Call::post(FORM, CART);
    assert_eq!(call.success(push.as_ref()), ok);
    assert_eq!(ok.body.as_ref(), b"ok");
    for refusal in [Refusal::Unreadable(String::new()), Refusal::Oversize(String::new())] {
        assert_eq!(call.reply(push.as_ref(), Outcome::Refused(&refusal)), ok);
    }
    let busy = call.reply(push.as_ref(), Outcome::Busy);
    assert_eq!((busy.status, crate::support::header(&busy, "retry-after")), (503, Some("60")));
    let unreadable = Call::post("application/json", "{\"Name\":\"Lea\",\"password\":\"hunter2\"").submission(push.as_ref());
    assert_eq!(unreadable.hold.as_ref().map(|hold| hold.code.as_str()), Some("unreadable"));
    assert!(!raw(&unreadable).contains("hunter2"));
    let many = (0..600).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(Call::post(FORM, many).submission(push.as_ref()).hold.map(|hold| hold.code).as_deref(), Some("oversize"));
}
