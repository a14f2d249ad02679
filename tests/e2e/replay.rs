//! `quarantine`, `replay`, `senders` and `source forget` as people type them, with a gateway and without one.

use anyhow::Context as _;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Setup, run};
use serde_json::Value;

const TOKEN: &str = "token-of-the-shop-0007";
const PATH: &str = "/in/shop/token-of-the-shop-0007";

fn setup() -> Setup {
    let shop = format!(
        "[sources.shop]\nkind = \"html_form\"\ntoken = \"{TOKEN}\"\nmin_fill_ms = 0\nallow_origins = [\"https://shop.example\"]\nfields = {{ f1 = \"ignore\" }}\n"
    );
    Setup { more: shop, ..Setup::default() }
}

async fn post(world: &World, origin: &str, fields: &[(&str, &str)]) -> anyhow::Result<u16> {
    let request = world.web.post(world.gateway.url(PATH)).header("origin", origin).header("accept", "application/json");
    Ok(send(request.form(fields)).await?.status)
}

fn edit(world: &World, from: &str, to: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&world.gateway.config)?;
    anyhow::ensure!(text.contains(from), "{from:?} is not in the configuration");
    Ok(std::fs::write(&world.gateway.config, text.replace(from, to))?)
}

#[tokio::test]
async fn what_waits_is_listed_whole_released_and_dropped() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    assert_eq!(world.gateway.cli(&["quarantine"]).await?.trim(), "The quarantine is empty.");
    for n in 1..=3 {
        post(&world, "https://www.some-quite-long-name-of-a-landing-page.example", &[("phone", &format!("+7 916 930-00-0{n}"))])
            .await?;
    }
    let list = world.gateway.cli(&["quarantine", "list"]).await?;
    let line = "allow_origins = [\"https://shop.example\", \"https://www.some-quite-long-name-of-a-landing-page.example\"]";
    assert!(list.contains(line), "{list}");
    let ids: Vec<String> =
        world.submissions("quarantined").await?.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect();
    let told = world.gateway.cli(&["quarantine", "release", &ids[0], &ids[1]]).await?;
    assert_eq!(told.matches("quarantined -> created, lead").count(), 2, "{told}");
    assert!(told.contains("2 changed, 0 as before, 0 left"), "{told}");
    let again = world.gateway.cli(&["quarantine", "release", &ids[0]]).await?;
    assert!(again.contains("(as before)") && again.contains("0 changed, 1 as before"), "{again}");
    let asks = world.gateway.run(&["quarantine", "drop", "--source", "shop"]).await?;
    assert!(!asks.status.success() && String::from_utf8_lossy(&asks.stderr).contains("--yes"));
    let dropped = world.gateway.cli(&["quarantine", "drop", "--source", "shop", "--yes"]).await?;
    assert!(dropped.contains("quarantined -> noted"), "{dropped}");
    let shown = world.gateway.cli(&["submissions", "show", &ids[2]]).await?;
    assert!(shown.contains("dropped by api:local"), "{shown}");
    let unsaid = world.gateway.run(&["quarantine", "release"]).await?;
    assert!(!unsaid.status.success() && String::from_utf8_lossy(&unsaid.stderr).contains("--all"));
    Ok(())
}

#[tokio::test]
async fn a_replay_works_with_the_gateway_and_without_it() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    post(&world, "https://new.example", &[("name", "Anna"), ("phone", "+7 916 930-00-01")]).await?;
    post(&world, "https://shop.example", &[("name", "Boris"), ("f1", "+7 916 930-00-02")]).await?;
    let told = world.gateway.cli(&["replay", "--yes"]).await?;
    assert!(told.contains("0 changed, 0 as before, 1 left") && told.contains("left as it is"), "{told}");
    edit(&world, "[\"https://shop.example\"]", "[\"shop.example\", \"new.example\"]")?;
    edit(&world, "f1 = \"ignore\"", "f1 = \"phone\"")?;
    world.gateway.signal("HUP").await?;
    until("the rule is in force", || async {
        let told = world.gateway.cli(&["replay", "--dry-run", "--source", "shop"]).await?;
        Ok(told.contains("1 would change").then_some(()))
    })
    .await?;
    assert_eq!(world.leads().await?.len(), 1);
    let told = world.gateway.cli(&["replay", "--from", "7 days", "--yes"]).await?;
    assert!(told.contains("quarantined -> created"), "{told}");
    assert!(world.gateway.cli(&["replay", "--yes"]).await?.contains("Nothing is like that."));
    let World { gateway, .. } = world;
    let config = gateway.config.clone();
    assert!(gateway.stop().await?.success());
    // Nobody serves: straight into the database.
    let cli = async |arguments: &[&str]| -> anyhow::Result<String> {
        let out = run(&config, None, arguments).await?;
        anyhow::ensure!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?)
    };
    let told = cli(&["replay", "--reattach", "--yes"]).await?;
    assert!(told.contains("phone \"+7 916 930-00-02\": nothing -> +79169300002 (strong)") && told.contains("is new"), "{told}");
    assert!(told.contains("1 changed, 1 as before"), "{told}");
    let again: Value = serde_json::from_str(&cli(&["replay", "--reattach", "--yes", "--json"]).await?)?;
    assert!(again.as_array().context("a list")?.iter().all(|one| one["done"] == "same"), "{again}");
    assert!(cli(&["leads", "list", "--find", "+79169300002"]).await?.contains("Boris"));
    Ok(())
}

#[tokio::test]
async fn a_sender_is_ignored_with_its_lead_and_taken_back() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let form = [("name", "Реклама"), ("phone", "+7 916 930-00-01"), ("email", "promo@reklama.example.org")];
    world.form(&form).await?.expect(200)?;
    let told = world.gateway.run(&["leads", "close", "1", "--as", "junk", "--ignore-sender"]).await?;
    assert!(told.status.success() && String::from_utf8_lossy(&told.stderr).contains("phone +79169300001 is ignored"), "{told:?}");
    world.form(&[("phone", "8 916 930 00 01")]).await?.expect(200)?;
    world.gateway.cli(&["senders", "ignore", "spam.example.net", "+7", "916", "930-00-09"]).await?;
    world.form(&[("phone", "8 916 930 00 09")]).await?.expect(200)?;
    assert_eq!(world.submissions("noted").await?.len(), 2);
    let list = world.gateway.cli(&["senders", "list"]).await?;
    for sender in ["+79169300001", "+79169300009", "spam.example.net"] {
        assert!(list.contains(sender), "{list}");
    }
    assert!(world.gateway.cli(&["senders", "forget", "8 916 930 00 09"]).await?.contains("as any other"));
    assert!(world.gateway.cli(&["senders", "forget", "8 916 930 00 09"]).await?.contains("was not ignored"));
    let told = world.gateway.cli(&["replay", "--outcome", "noted", "--yes"]).await?;
    assert!(told.contains("1 changed, 1 as before"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_removed_source_keeps_its_url_until_it_is_forgotten() -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let refused = world.gateway.run(&["source", "forget", "shop"]).await?;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("enabled = false"));
    edit(&world, "[sources.shop]", "[sources.renamed]")?;
    edit(&world, TOKEN, "token-of-the-renamed-0008")?;
    world.gateway.signal("HUP").await?;
    until("the old URL takes into quarantine", || async {
        post(&world, "https://shop.example", &[("phone", "+7 916 930-00-05")]).await?;
        Ok((!world.submissions("quarantined").await?.is_empty()).then_some(()))
    })
    .await?;
    let sources = world.gateway.cli(&["sources"]).await?;
    assert!(sources.contains("shop (removed; what still comes waits in quarantine"), "{sources}");
    let told = world.gateway.cli(&["quarantine", "release", "--source", "shop", "--as", "renamed", "--yes"]).await?;
    assert!(told.contains("quarantined -> "), "{told}");
    assert!(world.gateway.cli(&["source", "forget", "shop"]).await?.contains("unknown from now on"));
    assert_eq!(post(&world, "https://shop.example", &[("phone", "+7 916 930-00-06")]).await?, 404);
    Ok(())
}
