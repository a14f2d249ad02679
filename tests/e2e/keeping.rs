//! What is kept no longer, people who are forgotten, and files that find no room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use leadgate_store_sqlite::SqliteStore;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Gateway, Setup, run};
use leadgate_tests::postgres::Database;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// What the person leaves everywhere.
const MARK: &str = "zqmarkqz";
/// Their phone, as digits that no other number has.
const DIGITS: &str = "9169876501";
const TILDA: &str = "tilda-token-0123456789";

fn setup(database: Option<&Database>) -> Setup {
    let more = format!("[sources.tilda]\nkind = \"tilda\"\ntoken = \"{TILDA}\"\n");
    let plain = Setup { more, ..Setup::default() };
    match database {
        Some(database) => Setup { database: database.url.clone(), ..plain },
        None => plain,
    }
}

/// The person writes by every channel, in every field; somebody else writes, too.
async fn plant(world: &World) -> anyhow::Result<()> {
    let email = format!("{MARK}@firma-mail.ru");
    let form = |name: &str| {
        Form::new()
            .text("name", name.to_owned())
            .text("phone", "+7 (916) 987-65-01")
            .text("email", email.clone())
            .text("message", format!("{MARK} пишет"))
            .text("city", MARK)
            .text(MARK, "a field's name")
            .text("utm_source", MARK)
            .text("page", format!("https://shop.example/{MARK}?utm_campaign={MARK}"))
            .text("form_name", MARK)
            .text("_id", MARK)
            .text("consent", format!("yes, {MARK}"))
    };
    let action = format!("{}?utm_medium={MARK}&q={MARK}", world.gateway.action());
    let bytes = format!("%PDF {MARK}").repeat(2000).into_bytes();
    let part = Part::bytes(bytes).file_name(format!("{MARK}.pdf")).mime_str("application/pdf")?;
    let refused = Part::bytes(b"MZ".to_vec()).file_name(format!("{MARK}.exe"));
    let request = world.web.post(&action).header("user-agent", MARK).header("referer", format!("https://shop.example/{MARK}"));
    send(request.multipart(form("Zqmarkqz Петров").part("file", part).part("other", refused))).await?.expect(200)?;
    // The same form once more with other content, and a long body, which is kept packed.
    send(world.web.post(&action).multipart(form("Zqmarkqz Петров").text("long", MARK.repeat(500)))).await?.expect(200)?;
    let cookies = format!("_ga={MARK}; TILDAUTM=utm_source%3D{MARK}%7C%7C%7Cutm_term%3D{MARK}%7C%7C%7C");
    let tilda = [
        ("Name", "Zqmarkqz"),
        ("Phone", "89169876501"),
        ("Email", email.as_str()),
        ("Comment", MARK),
        ("COOKIES", cookies.as_str()),
        ("formname", MARK),
        ("formid", MARK),
        ("tranid", "1:zqmarkqz"),
        ("own_field", MARK),
    ];
    let url = world.gateway.url(&format!("/in/tilda/{TILDA}"));
    send(world.web.post(&url).form(&tilda)).await?.expect(200)?;
    // What nobody can read, from a known sender and from a stranger.
    let broken = format!("{{\"phone\": \"+7 916 987-65-01\", \"x\": {MARK}");
    let unreadable = world.web.post(world.gateway.action()).header("content-type", "application/json").body(broken);
    send(unreadable).await?;
    let stranger = world.gateway.url("/in/site/not-the-token");
    send(world.web.post(stranger).form(&[("email", email.as_str()), ("x", MARK)])).await?.expect(404)?;
    world.form(&[("name", "Вера"), ("phone", "+7 916 555-00-77"), ("message", "another")]).await?.expect(200)?;
    Ok(())
}

/// Whether bytes hold what the person left, as text, in hex (as blobs are dumped), or as digits.
fn holds_mark(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let hex = leadgate_core::submission::hex(MARK.as_bytes());
    [MARK, &hex, DIGITS, "916 987-65-01", "9876501"].iter().any(|mark| text.contains(mark))
}

/// Every file below a folder that holds it.
fn files_with_mark(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if holds_mark(path.to_string_lossy().as_bytes()) || holds_mark(&std::fs::read(&path)?) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Every row of every table that holds it.
async fn rows_with_mark(world: &World, database: Option<&Database>) -> anyhow::Result<Vec<String>> {
    let dump: BTreeMap<String, Vec<String>> = match database {
        Some(database) => database.open().await?.dump().await?,
        None => SqliteStore::open_read_only(&world.gateway.data.join("leadgate.db")).await?.dump().await?,
    };
    assert!(dump.len() > 15, "{:?}", dump.keys());
    let rows = dump.into_iter().flat_map(|(table, rows)| rows.into_iter().map(move |row| format!("{table}: {row}")));
    Ok(rows.filter(|row| holds_mark(row.as_bytes())).collect())
}

async fn a_marked_person_is_forgotten(database: Option<&Database>) -> anyhow::Result<()> {
    let world = World::new(&setup(database)).await?;
    plant(&world).await?;
    let before = rows_with_mark(&world, database).await?;
    let tables: std::collections::BTreeSet<&str> = before.iter().filter_map(|row| row.split(':').next()).collect();
    for table in ["contact", "identity", "lead", "activity", "submission", "receipt", "submission_key"] {
        assert!(tables.contains(table), "{table} is not among {tables:?}");
    }
    assert!(files_with_mark(&world.gateway.data)?.iter().any(|path| path.to_string_lossy().contains("attachments")));
    let contact = world.only_marked().await?;

    let export = world.path().join("export");
    world.gateway.cli(&["contacts", "export", &contact, "--to", &export.to_string_lossy()]).await?;
    let document: Value = serde_json::from_slice(&std::fs::read(export.join(format!("contact-{contact}.json")))?)?;
    assert_eq!(document["format"], 1);
    assert_eq!(document["submissions"].as_array().map(Vec::len), Some(3), "{document}");
    assert!(document["submissions"][2]["text"].as_str().is_some_and(|text| text.contains("tranid")), "{document}");
    assert_eq!(document["files"][0]["name"], format!("{MARK}.pdf"));
    assert_eq!(std::fs::read_dir(&export)?.count(), 2, "the document and the file");
    std::fs::remove_dir_all(&export)?;
    let by_api = world.get(&format!("/contacts/{contact}/export")).await?;
    assert_eq!(by_api["activities"], document["activities"]);

    let alone = world.gateway.run(&["contacts", "erase", &contact, "--reason", "asked for it"]).await?;
    assert!(!alone.status.success(), "nobody is asked, so nothing is erased");
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--yes"));
    assert_eq!(rows_with_mark(&world, database).await?.len(), before.len());
    let told = world.gateway.cli(&["contacts", "erase", &contact, "--reason", "asked for it", "--search", "--yes"]).await?;
    assert!(told.contains("1 files, and 2 deliveries without a lead"), "{told}");

    assert_eq!(rows_with_mark(&world, database).await?, Vec::<String>::new());
    assert_eq!(files_with_mark(world.path())?, Vec::<PathBuf>::new(), "no file holds it: database, log, attachments");
    assert!(!holds_mark(world.gateway.log()?.as_bytes()));

    let listed = world.cli_json(&["contacts", "erased", "--find", "8 916 987 65 01"]).await?;
    assert_eq!((&listed[0]["reason"], listed.as_array().map(Vec::len)), (&json!("asked for it"), Some(1)), "{listed}");
    let nobody = world.gateway.cli(&["contacts", "erased", "--find", "+7 916 555-00-77"]).await?;
    assert!(nobody.contains("Nobody"), "{nobody}");
    let again = world.api_erase(&contact).await?;
    assert_eq!((&again["submissions"], &again["identities"]), (&json!(0), &json!(0)), "{again}");
    let shown = world.get(&format!("/contacts/{contact}")).await?;
    assert!(shown["erased_at"].is_string() && shown["name"] == "", "{shown}");
    let vera = world.all("/leads?q=%2B7%20916%20555-00-77").await?;
    assert_eq!((vera.len(), &vera[0]["name"]), (1, &json!("Вера")), "{vera:?}");

    // Who may not do everything may not do this.
    let key = world.gateway.cli(&["token", "new", "crm", "--scope", "write"]).await?.trim().to_owned();
    for (method, path) in [(Method::GET, "export"), (Method::GET, "footprint"), (Method::POST, "erase")] {
        let request = world.web.request(method, world.gateway.url(&format!("/api/v1/contacts/{contact}/{path}")));
        send(request.bearer_auth(&key).json(&json!({ "reason": "x" }))).await?.expect(403)?;
    }
    let missing = world.api(Method::POST, "/contacts/99/erase").json(&json!({ "reason": "x" }));
    send(missing).await?.expect(404)?;
    let why = world.api(Method::POST, &format!("/contacts/{contact}/erase")).json(&json!({ "reason": " " }));
    send(why).await?.expect(422)?;
    Ok(())
}

/// What this file's tests ask again and again.
trait Asks {
    async fn only_marked(&self) -> anyhow::Result<String>;
    async fn api_erase(&self, contact: &str) -> anyhow::Result<Value>;
}

impl Asks for World {
    /// The number of the one contact with the person's phone.
    async fn only_marked(&self) -> anyhow::Result<String> {
        let found = self.all(&format!("/contacts?identity=%2B7{DIGITS}")).await?;
        anyhow::ensure!(found.len() == 1, "{found:?}");
        Ok(found[0]["id"].to_string())
    }

    async fn api_erase(&self, contact: &str) -> anyhow::Result<Value> {
        let request = self.api(Method::POST, &format!("/contacts/{contact}/erase")).json(&json!({ "reason": "again" }));
        send(request).await?.expect(200)?.json()
    }
}

#[tokio::test]
async fn a_marked_person_is_found_nowhere_after_erasure_on_sqlite() -> anyhow::Result<()> {
    a_marked_person_is_forgotten(None).await
}

#[tokio::test]
async fn a_marked_person_is_found_nowhere_after_erasure_on_postgres() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    a_marked_person_is_forgotten(Some(&database)).await
}

#[tokio::test]
async fn a_restore_does_not_bring_an_erased_person_back() -> anyhow::Result<()> {
    let world = World::new(&setup(None)).await?;
    plant(&world).await?;
    let contact = world.only_marked().await?;
    let backup = world.path().join("backup");
    let to = backup.to_string_lossy().into_owned();
    // The key is made with the first erasure, here of somebody else.
    let vera = world.all("/contacts?q=%2B7%20916%20555-00-77").await?[0]["id"].to_string();
    world.gateway.cli(&["contacts", "erase", &vera, "--reason", "first", "--yes"]).await?;
    world.gateway.cli(&["backup", "--to", &to]).await?;
    assert!(backup.join("secrets/erasure-key").is_file());
    world.gateway.cli(&["contacts", "erase", &contact, "--reason", "after the backup", "--yes"]).await?;
    let World { folder, gateway, .. } = world;
    let config = gateway.config.clone();
    gateway.stop().await?;
    let restored = run(&config, None, &["restore", "--from", &to, "--set-existing-aside", "--json"]).await?;
    let told: Value = serde_json::from_slice(&restored.stdout).with_context(|| format!("{restored:?}"))?;
    assert_eq!(told["erased_again"], 1, "{told}");
    let world = World::in_folder(folder, &setup(None)).await?;
    let shown = world.get(&format!("/contacts/{contact}")).await?;
    assert!(shown["erased_at"].is_string() && shown["name"] == "", "{shown}");
    let listed = world.cli_json(&["contacts", "erased"]).await?;
    let reasons: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|row| row["reason"].as_str()).collect();
    assert!(reasons.contains(&"after the backup") && reasons.contains(&"first"), "{listed}");
    Ok(())
}

/// Starts a gateway again with another configuration.
async fn again_with(world: World, setup: &Setup) -> anyhow::Result<World> {
    let World { folder, gateway, .. } = world;
    let config = gateway.config.clone();
    gateway.stop().await?;
    std::fs::write(config, setup.text())?;
    World::in_folder(folder, setup).await
}

#[tokio::test]
async fn what_is_old_goes_and_its_receipts_stay() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    world.form(&[("name", "Anna"), ("phone", "+7 916 930-00-01")]).await?.expect(200)?;
    let held = world.web.post(world.gateway.action()).header("content-type", "application/json").body("{broken");
    send(held).await?;
    let status = world.get("/status").await?;
    assert_eq!((&status["keeping"]["raw"], &status["keeping"]["spam"]), (&json!("forever"), &json!("90 days")), "{status}");
    let text = world.gateway.cli(&["status"]).await?;
    assert!(text.contains("spam 90 days: what came before") && text.contains("files forever"), "{text}");
    let setup = Setup { more: "[keeping]\nraw = \"1 ms\"\nevents = \"1 ms\"\n".to_owned(), ..Setup::default() };
    let world = again_with(world, &setup).await?;
    let id = world.submissions("created").await?[0]["id"].as_str().context("an id")?.to_owned();
    let emptied = until("its bytes are gone", async || {
        Ok(Some(world.get(&format!("/submissions/{id}")).await?).filter(|found| found["emptied_at"].is_string()))
    });
    let emptied = emptied.await?;
    assert!(emptied["receipts"][0]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{emptied}");
    assert!(emptied["size"].as_u64().is_some_and(|size| size > 0), "{emptied}");
    let raw = send(world.api(Method::GET, &format!("/submissions/{id}/raw"))).await?.expect(404)?;
    assert!(raw.text().contains("went at"), "{}", raw.text());
    let waiting = world.submissions("quarantined").await?;
    assert_eq!(world.raw(&waiting[0]["id"]).await?, "{broken", "what waits for a person stays");
    assert_eq!(world.only_lead().await?["name"], "Anna");
    Ok(())
}

async fn post_file(world: &World, phone: &str) -> anyhow::Result<()> {
    let part = Part::bytes(b"%PDF plan".to_vec()).file_name("plan.pdf");
    let form = Form::new().text("name", "Anna").text("phone", phone.to_owned()).part("file", part);
    send(world.web.post(world.gateway.action()).multipart(form)).await?.expect(200)?;
    Ok(())
}

/// The content of the newest lead's newest activity.
async fn newest(world: &World) -> anyhow::Result<Value> {
    let id = world.leads().await?[0]["id"].clone();
    Ok(world.get(&format!("/leads/{id}")).await?["timeline"][0]["content"].clone())
}

async fn space_low(gateway: &Gateway, web: &reqwest::Client, expected: &str) -> anyhow::Result<()> {
    let line = format!("leadgate_space_low {expected}");
    until(&line, async || {
        let metrics = send(web.get(gateway.url("/metrics"))).await?.expect(200)?.text();
        Ok(metrics.lines().any(|found| found == line).then_some(()))
    })
    .await
}

#[tokio::test]
async fn without_room_files_are_refused_and_leads_go_on() -> anyhow::Result<()> {
    // More than any disk has.
    let full = Setup { more: "[keeping]\nfree_space = \"900000 TB\"\n".to_owned(), ..Setup::default() };
    let world = World::new(&full).await?;
    space_low(&world.gateway, &world.web, "1").await?;
    post_file(&world, "+7 916 930-00-01").await?;
    let content = newest(&world).await?;
    assert!(content["files"].is_null(), "{content}");
    let told = content["fields"].as_array().and_then(|fields| fields.iter().find(|field| field["name"] == "file plan.pdf"));
    let told = told.and_then(|field| field["value"].as_str()).unwrap_or_default();
    assert!(told.starts_with("not kept: the disk"), "the lead says which and why: {content}");
    assert_eq!(world.get("/status").await?["space_low"], true);

    std::fs::write(&world.gateway.config, Setup { more: "[keeping]\nfree_space = \"0\"\n".to_owned(), ..full }.text())?;
    world.gateway.signal("HUP").await?;
    space_low(&world.gateway, &world.web, "0").await?;
    post_file(&world, "+7 916 930-00-02").await?;
    assert_eq!(newest(&world).await?["files"][0]["name"], "plan.pdf");
    let log = world.gateway.log()?;
    assert_eq!(log.matches("too little space is free").count(), 1, "told once: {log}");
    Ok(())
}
