//! Moving a gateway from its file to PostgreSQL.

use std::path::Path;

use anyhow::Context as _;
use leadgate_core::carry::{From as _, NOT_CARRIED, TABLES, To as _, Value};
use leadgate_core::ports::Store as _;
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::{Options, SqliteStore};
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::{Setup, run};
use leadgate_tests::postgres::Database;
use leadgate_tests::s3::S3;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

/// A stopped gateway that has seen something of everything. Its folder.
async fn lived() -> anyhow::Result<tempfile::TempDir> {
    let world = World::new(&Setup::default()).await?;
    for n in 0..40 {
        let phone = format!("+7 916 950-00-{:02}", n % 12);
        let mut form = Form::new().text("name", "Анна").text("phone", phone).text("_id", n.to_string());
        if n % 8 == 0 {
            form = form.part("file", Part::bytes(format!("%PDF {n}").into_bytes()).file_name("план.pdf"));
        }
        send(world.web.post(world.gateway.action()).multipart(form)).await?.expect(200)?;
    }
    world.form(&[("name", "again"), ("phone", "+79169500000"), ("_id", "0")]).await?.expect(200)?;
    send(world.web.post(world.gateway.url("/in/site/wrong")).body("a=b")).await?.expect(404)?;
    send(world.web.post(world.gateway.action()).header("content-type", "application/json").body("{\"a\": "))
        .await?
        .expect(200)?;
    for command in [
        &["leads", "take", "1", "--manager", "anna"][..],
        &["leads", "note", "1", "she called"],
        &["leads", "close", "2", "--as", "junk"],
        &["activities", "detach", "13"],
        &["token", "new", "crm"],
    ] {
        world.gateway.cli(command).await?;
    }
    world.gateway.stop().await?;
    Ok(world.folder)
}

async fn copy(folder: &Path, url: &str) -> anyhow::Result<(bool, String)> {
    let from = format!("sqlite:{}", folder.join("data/leadgate.db").display());
    let output = run(&folder.join("leadgate.toml"), None, &["copy", "--from", &from, "--to", url]).await?;
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), told))
}

/// Every row of every table, on both sides.
async fn same(folder: &Path, url: &str) -> anyhow::Result<()> {
    let (source, target) =
        (SqliteStore::open_read_only(&folder.join("data/leadgate.db")).await?, PostgresStore::open_read_only(url).await?);
    let (here, there) = (source.dump().await?, target.dump().await?);
    source.close().await;
    target.close().await;
    // Who held what on the old database means nothing on the new one.
    for (table, rows) in here.iter().filter(|(table, _)| !["node", "lease"].contains(&table.as_str())) {
        assert_eq!(Some(rows), there.get(table), "{table}");
    }
    Ok(())
}

/// Points the gateway of a folder to PostgreSQL, and its attachments elsewhere.
fn serve_from(folder: &Path, url: &str, section: &str) -> anyhow::Result<()> {
    let path = folder.join("leadgate.toml");
    let text = std::fs::read_to_string(&path)?.replace("sqlite:data/leadgate.db", url);
    std::fs::write(path, format!("{text}\n{section}"))?;
    Ok(())
}

#[tokio::test]
async fn a_gateway_moves_to_postgres_with_everything() -> anyhow::Result<()> {
    let folder = lived().await?;
    let (target, s3) = (Database::empty().await?, S3::new()?);
    serve_from(folder.path(), "sqlite:data/leadgate.db", &s3.section())?;
    let (done, told) = copy(folder.path(), &target.url).await?;
    assert!(done && told.contains("the same on both sides"), "{told}");
    same(folder.path(), &target.url).await?;
    let (again, told) = copy(folder.path(), &target.url).await?;
    assert!(!again && told.contains("holds rows already"), "{told}");

    serve_from(folder.path(), &target.url, "")?;
    let world = World::in_folder(folder, &Setup::default()).await?;
    let lead = world.get("/leads/1").await?;
    assert_eq!(lead["responsible"], "anna");
    let sha256 = lead["timeline"]
        .as_array()
        .context("a timeline")?
        .iter()
        .find_map(|activity| activity["content"]["files"][0]["sha256"].as_str())
        .context("a file")?;
    let file = send(world.api(Method::GET, &format!("/attachments/{sha256}"))).await?.expect(200)?;
    assert!(file.body.starts_with(b"%PDF"), "from the bucket");
    let greatest = |leads: &[serde_json::Value]| leads.iter().filter_map(|lead| lead["id"].as_i64()).max();
    let before = greatest(&world.leads().await?);
    world.form(&[("name", "new"), ("phone", "+7 916 959-99-99")]).await?.expect(200)?;
    assert!(greatest(&world.leads().await?) > before, "numbers go on");
    world.form(&[("name", "again"), ("phone", "+79169500000"), ("_id", "0")]).await?.expect(200)?;
    assert_eq!(world.post("/moves/1/undo", &json!({})).await?.status, 200, "what was done can be undone");
    Ok(())
}

#[tokio::test]
async fn an_interrupted_copy_goes_on() -> anyhow::Result<()> {
    let folder = lived().await?;
    let target = Database::empty().await?;
    // As a copy that was killed in the midst of the first table leaves it.
    let source = SqliteStore::open(&folder.path().join("data/leadgate.db"), Options::default()).await?;
    let (half, begun) = PostgresStore::open_to_fill(&target.url, source.installation().await?).await?;
    assert!(!begun);
    let shape = source.shape(TABLES[0]).await?;
    let mut rows = source.rows(&shape, None).await?;
    rows.truncate(rows.len() / 2);
    half.write(&shape, rows).await?;
    half.close().await;
    let (refused, told) = copy(folder.path(), &target.url).await?;
    assert!(!refused && told.contains("stop it"), "somebody serves the source: {told}");
    source.close().await;

    let config = folder.path().join("leadgate.toml");
    let text = std::fs::read_to_string(&config)?;
    serve_from(folder.path(), &target.url, "")?;
    let output = run(&config, Some("127.0.0.1:0".parse()?), &["serve"]).await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("unfinished copy"), "no gateway serves half of it: {told}");
    std::fs::write(&config, text)?;

    let (done, told) = copy(folder.path(), &target.url).await?;
    assert!(done && told.contains("from where it stopped"), "{told}");
    same(folder.path(), &target.url).await
}

#[tokio::test]
async fn a_difference_is_told_and_nothing_is_served() -> anyhow::Result<()> {
    let folder = lived().await?;
    let target = Database::empty().await?;
    let source = SqliteStore::open(&folder.path().join("data/leadgate.db"), Options::default()).await?;
    let (half, _) = PostgresStore::open_to_fill(&target.url, source.installation().await?).await?;
    let shape = source.shape(TABLES[0]).await?;
    let mut rows = source.rows(&shape, None).await?;
    let name = shape.columns.iter().position(|(name, _)| name == "name").context("a column")?;
    rows[0][name] = Value::Text("somebody else".to_owned());
    half.write(&shape, rows).await?;
    half.close().await;
    source.close().await;
    let (done, told) = copy(folder.path(), &target.url).await?;
    assert!(!done && told.contains("contact:") && told.contains("not the same"), "{told}");
    let (other, words) = (lived().await?, "another installation");
    let (done, told) = copy(other.path(), &target.url).await?;
    assert!(!done && told.contains(words), "{told}");
    Ok(())
}

#[tokio::test]
async fn every_table_is_carried_or_named_as_one_that_is_not() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(&folder.path().join("leadgate.db"), Options::default()).await?;
    for table in store.dump().await?.keys() {
        let carried = TABLES.iter().any(|known| known.name == table);
        assert!(carried != NOT_CARRIED.contains(&table.as_str()), "{table}: add it to leadgate_core::carry::TABLES");
    }
    store.close().await;
    Ok(())
}
