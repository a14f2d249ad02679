//! Tilda's webhook, as Tilda's servers call it.

use anyhow::Context as _;
use leadgate_tests::client::{Answer, World, send};
use leadgate_tests::gateway::Setup;
use reqwest::Method;
use serde_json::json;

const TOKEN: &str = "tilda-token-0123456789";
const KEY: &str = "tilda-key-9876543210";

fn setup() -> Setup {
    Setup { more: format!("[sources.tilda]\nkind = \"tilda\"\ntoken = \"{TOKEN}\"\nkey = \"{KEY}\"\n"), ..Setup::default() }
}

/// The path that holds the token.
fn path() -> String {
    format!("/in/tilda/{TOKEN}")
}

async fn post(world: &World, path: &str, body: &str) -> anyhow::Result<Answer> {
    let request = world.web.post(world.gateway.url(path)).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(body.to_owned())).await
}

fn is_ok(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!(answer.header("content-type").starts_with("text/plain"), "{:?}", answer.headers);
}

#[tokio::test]
async fn it_tries_the_line_and_nothing_is_kept() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    is_ok(&post(&world, &path(), "test=test").await?);
    is_ok(&post(&world, &format!("{}/", path()), "test=test").await?);
    is_ok(&post(&world, "/in/tilda", &format!("test=test&key={KEY}")).await?);
    for method in [Method::GET, Method::HEAD] {
        let answer = send(world.web.request(method, world.gateway.url(&path()))).await?;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(world.all("/submissions").await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn the_key_opens_wherever_tilda_puts_it_and_is_never_kept() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let body = |n: u32| format!("Name=Anna&Phone=%2B7+916+600-00-0{n}&tranid=1:{n}&formid=form1");
    is_ok(&post(&world, &path(), &body(1)).await?);
    is_ok(&post(&world, &format!("/in/tilda?token={KEY}"), &body(2)).await?);
    is_ok(&post(&world, "/in/tilda/", &format!("{}&api_key={KEY}", body(3))).await?);
    let url = world.gateway.url("/in/tilda");
    let typed = "application/x-www-form-urlencoded";
    is_ok(&send(world.web.post(&url).header("x-api-key", KEY).header("content-type", typed).body(body(4))).await?);
    is_ok(&send(world.web.post(&url).bearer_auth(KEY).header("content-type", typed).body(body(5))).await?);
    let json = json!({ "Name": "Anna", "Phone": "+7 916 600-00-06", "tranid": "1:6", "key": KEY });
    is_ok(&send(world.web.post(&url).json(&json)).await?);
    assert_eq!(world.leads().await?.len(), 6);

    // The wrong one looks like an unknown source, and is kept for the day it was mistyped.
    let wrong = post(&world, "/in/tilda", &format!("{}&key=wrong", body(7))).await?;
    let unknown = post(&world, "/in/nobody", &body(7)).await?;
    assert_eq!((wrong.status, wrong.comparable()), (404, unknown.comparable()));
    let ring = world.submissions("quarantined").await?;
    assert_eq!(ring.len(), 1, "{ring:?}");
    assert!(ring[0]["reasons"].to_string().contains("key is right"), "{}", ring[0]);

    for one in world.all("/submissions").await? {
        let detail = world.get(&format!("/submissions/{}", one["id"].as_str().context("an id")?)).await?;
        let raw = world.raw(&one["id"]).await?;
        assert!(!raw.contains(KEY) && !detail.to_string().contains(KEY), "the key is kept:\n{raw}\n{detail}");
        assert!(!raw.contains("wrong"), "so is what was tried: {raw}");
    }
    for lead in world.leads().await? {
        let lead = world.get(&format!("/leads/{}", lead["id"])).await?;
        assert!(!lead.to_string().contains(KEY), "{lead}");
    }
    assert!(!world.gateway.log()?.contains(KEY));
    Ok(())
}

#[tokio::test]
async fn what_comes_again_is_one_lead() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let body = "Name=%D0%90%D0%BD%D0%BD%D0%B0&Phone=%2B7+%28999%29+111-22-33&Checkbox=yes&tranid=467251:8442970&formid=form1&formname=Callback\
                &COOKIES=TILDAUTM%3Dutm_source%253Dvk%257C%257C%257Cutm_medium%253Dsocial%257C%257C%257C%3B+PHPSESSID%3Dtopsecretsession%3B+_ym_uid%3D1525430883";
    for _ in 0..3 {
        is_ok(&post(&world, &path(), body).await?);
    }
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 1);
    assert_eq!(lead["name"], "Анна");
    let touch = lead["first_touch"].to_string();
    for told in ["vk", "social", "1525430883", "cookie"] {
        assert!(touch.contains(told), "{touch}");
    }
    assert_eq!(lead["timeline"][0]["content"]["consents"][0]["given"], true, "{lead}");
    assert!(lead["timeline"][0]["content"]["address"].is_null(), "Tilda's address is not the customer's");
    let raw = world.raw(&lead["timeline"][0]["submission"]).await?;
    assert!(raw.contains("_ym_uid") && !raw.contains("topsecretsession"), "cookies that are nobody's business: {raw}");
    assert!(!lead.to_string().contains("topsecretsession"), "{lead}");
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_paid_later_amends_its_activity() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let order = |paid: &str| {
        format!(
            "Name=Boris&Phone=%2B79166000010&formid=form2&formname=Cart&payment%5Bsys%5D=none&payment%5Bsystranid%5D={paid}\
             &payment%5Borderid%5D=1214681071&payment%5Bamount%5D=5800.50&payment%5Bproducts%5D%5B0%5D%5Bname%5D=Minipresso\
             &payment%5Bproducts%5D%5B0%5D%5Bquantity%5D=2&payment%5Bproducts%5D%5B0%5D%5Bamount%5D=5800.50"
        )
    };
    is_ok(&post(&world, &path(), &order("0")).await?);
    is_ok(&post(&world, &path(), &order("0")).await?);
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 1);
    let kept = &lead["timeline"][0]["content"]["order"];
    assert_eq!((&kept["id"], &kept["amount"], &kept["paid"]), (&json!("1214681071"), &json!(580_050), &json!(false)), "{kept}");
    assert_eq!(kept["lines"][0]["name"], "Minipresso");
    is_ok(&post(&world, &path(), &order("77")).await?);
    let lead = world.only_lead().await?;
    assert_eq!((&lead["activities"], &lead["timeline"][0]["revisions"]), (&json!(1), &json!(1)), "{lead}");
    assert_eq!(lead["timeline"][0]["content"]["order"]["paid"], true, "{lead}");
    // Another order of the same person is a lead of its own.
    is_ok(&post(&world, &path(), &order("0").replace("1214681071", "1214681072")).await?);
    let leads = world.leads().await?;
    assert_eq!(leads.len(), 2);
    assert_eq!(leads[0]["contact"], leads[1]["contact"]);
    Ok(())
}
