//! Backups of a running gateway, and putting them back.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::Context as _;
use leadgate_core::ports::Store as _;
use leadgate_store_sqlite::SqliteStore;
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::{Setup, run};
use leadgate_tests::s3::S3;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// Sends the `n`-th person's form, every tenth with a file of its own.
async fn deliver(web: &reqwest::Client, action: &str, n: u32) -> anyhow::Result<bool> {
    let mut form = Form::new()
        .text("name", "Anna")
        .text("phone", format!("+7 916 94{}-{:02}-{:02}", n / 10_000, n / 100 % 100, n % 100))
        .text("utm_source", n.to_string());
    if n.is_multiple_of(10) {
        form = form.part("file", Part::bytes(file(n)).file_name("plan.pdf"));
    }
    Ok(send(web.post(action).multipart(form)).await?.status == 200)
}

fn file(n: u32) -> Vec<u8> {
    format!("%PDF {n}").repeat(1000).into_bytes()
}

/// The configuration of a gateway in another folder with the same sources.
fn elsewhere(setup: &Setup) -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("leadgate.toml");
    std::fs::write(&config, setup.text())?;
    Ok((folder, config))
}

async fn command(config: &Path, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = run(config, None, arguments).await?;
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), told))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// The only entry of a folder.
fn only(folder: &Path) -> anyhow::Result<PathBuf> {
    let names: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(names.len() == 1, "{names:?}");
    names.into_iter().next().context("one")
}

async fn sources_of_leads(world: &World) -> anyhow::Result<BTreeSet<u32>> {
    Ok(world.leads().await?.iter().filter_map(|lead| lead["utm_source"].as_str()?.parse().ok()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_everything_acknowledged_before_it_began() -> anyhow::Result<()> {
    let setup = Setup::default();
    let world = World::new(&setup).await?;
    let key = world.cli_json(&["token", "new", "crm", "--scope", "read"]).await?["token"].as_str().context("a token")?.to_owned();
    let (taken, next, stop) =
        (Arc::new(std::sync::Mutex::new(BTreeSet::new())), Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (web, action) = (world.web.clone(), world.gateway.action());
        let (taken, next, stop) = (Arc::clone(&taken), Arc::clone(&next), Arc::clone(&stop));
        senders.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let n = next.fetch_add(1, Ordering::Relaxed);
                anyhow::ensure!(deliver(&web, &action, n).await?, "{n} was refused");
                taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(n);
            }
            Ok(())
        });
    }
    let now = || taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    leadgate_tests::client::until("some leads", async || Ok((now().len() > 200).then_some(()))).await?;
    let before = now();
    let backups = tempfile::tempdir()?;
    let told = world.cli_json(&["backup", "--to", text(backups.path())]).await?;
    let during = now();
    stop.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    assert!(during.len() > before.len(), "leads were taken meanwhile");
    let backup = only(backups.path())?;
    assert_eq!(told["folder"], text(&backup));
    assert_eq!(told["lost"], serde_json::json!([]));
    let mode = |path: PathBuf| Ok::<_, std::io::Error>(std::fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!(mode(backup.clone())?, 0o700);
    for name in ["leadgate.db", "manifest.json", "secrets/tokens.toml", "secrets/api-token"] {
        if name != "secrets/tokens.toml" || world.gateway.data.join("tokens.toml").exists() {
            assert_eq!(mode(backup.join(name))?, 0o600, "{name}");
        }
    }
    let token = world.token.clone();
    world.gateway.stop().await?;

    let (folder, config) = elsewhere(&setup)?;
    let (done, words) = command(&config, &["restore", "--from", text(&backup)]).await?;
    assert!(done && words.contains("Put back as of"), "{words}");
    let database = SqliteStore::open_read_only(&folder.path().join("data/leadgate.db")).await?;
    let restored = database.restored().await?.context("the restore is noted")?;
    assert_eq!(restored.backup_at.to_string(), told["made_at"].as_str().unwrap_or_default());
    assert!(restored.last_event >= i64::try_from(before.len())?, "{restored:?}");
    database.close().await;

    let world = World::in_folder(folder, &setup).await?;
    assert_eq!(world.token, token, "this machine's key is the same, and it works");
    let leads = sources_of_leads(&world).await?;
    let missing: Vec<u32> = before.difference(&leads).copied().collect();
    assert!(missing.is_empty(), "acknowledged before the backup began, and not in it: {missing:?}");
    let found = send(world.web.get(world.gateway.url("/api/v1/leads")).bearer_auth(key)).await?;
    assert_eq!(found.status, 200, "tokens work: {}", found.text());
    let mut files = 0;
    for lead in world.leads().await? {
        let detail = world.get(&format!("/leads/{}", lead["id"])).await?;
        let Some(sha256) = detail["timeline"][0]["content"]["files"][0]["sha256"].as_str() else { continue };
        let n: u32 = lead["utm_source"].as_str().context("a number")?.parse()?;
        assert_eq!(send(world.api(Method::GET, &format!("/attachments/{sha256}"))).await?.expect(200)?.body, file(n));
        files += 1;
    }
    assert!(files >= 20, "{files}");
    assert!(deliver(&world.web, &world.gateway.action(), 90_001).await?, "and it takes leads");
    Ok(())
}

#[tokio::test]
async fn a_restore_touches_nothing_unless_all_is_well() -> anyhow::Result<()> {
    let setup = Setup::default();
    let world = World::new(&setup).await?;
    for n in [0, 1] {
        assert!(deliver(&world.web, &world.gateway.action(), n).await?);
    }
    let backups = tempfile::tempdir()?;
    let backup = backups.path().join("mine");
    world.gateway.cli(&["backup", "--to", text(&backup)]).await?;
    let again = world.gateway.run(&["backup", "--to", text(&backups.path().join("none/such"))]).await?;
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("make it first"));

    let (done, words) = command(&world.gateway.config, &["restore", "--from", text(&backup)]).await?;
    assert!(!done && words.contains("stop it"), "a gateway serves it: {words}");
    let (folder, config) = elsewhere(&setup)?;
    let (done, words) = command(&config, &["restore", "--from", text(backups.path())]).await?;
    assert!(!done && words.contains("no backup"), "{words}");

    // A damaged part, and one that is gone.
    let manifest: Value = serde_json::from_slice(&std::fs::read(backup.join("manifest.json"))?)?;
    let attachment = manifest["parts"]
        .as_array()
        .context("parts")?
        .iter()
        .find_map(|part| part["path"].as_str().filter(|path| path.starts_with("attachments/")));
    let attachment = backup.join(attachment.context("an attachment")?);
    let bytes = std::fs::read(&attachment)?;
    std::fs::remove_file(&attachment)?;
    let (done, words) = command(&config, &["restore", "--from", text(&backup)]).await?;
    assert!(!done && words.contains("not whole"), "{words}");
    std::fs::write(&attachment, "something else")?;
    let (done, words) = command(&config, &["restore", "--from", text(&backup)]).await?;
    assert!(!done && words.contains("damaged"), "{words}");
    assert!(!folder.path().join("data/leadgate.db").exists(), "nothing was touched");
    std::fs::write(&attachment, &bytes)?;

    // Over data that is there: only when told so, and then it is moved aside.
    world.gateway.stop().await?;
    let own = world.folder.path().join("leadgate.toml");
    let (done, words) = command(&own, &["restore", "--from", text(&backup)]).await?;
    assert!(!done && words.contains("--set-existing-aside") && words.contains("leadgate.db"), "{words}");
    let (done, words) = command(&own, &["restore", "--from", text(&backup), "--set-existing-aside"]).await?;
    assert!(done && words.contains("before-restore-"), "{words}");
    let world = World::in_folder(world.folder, &setup).await?;
    assert_eq!(world.leads().await?.len(), 2);
    let aside = std::fs::read_dir(&world.gateway.data)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| text(path).contains("before-restore-"))
        .context("what was there before")?;
    for name in ["leadgate.db", "api-token", "attachments"] {
        assert!(aside.join(name).exists(), "{name}");
    }
    let leftovers = std::fs::read_dir(&world.gateway.data)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert!(!leftovers.into_iter().any(|name| name.starts_with(".restoring")), "nothing half-made stays");
    Ok(())
}

#[tokio::test]
async fn a_backup_without_space_says_how_much_it_needs() -> anyhow::Result<()> {
    let setup = Setup::default();
    let world = World::new(&setup).await?;
    let small = tempfile::tempdir()?;
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,mode=700", "none"])
        .arg(small.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        // As for the full disk: only root can mount.
        return Ok(());
    }
    let output = world.gateway.run(&["backup", "--to", text(&small.path().join("b"))]).await?;
    let left = std::fs::read_dir(small.path())?.count();
    std::process::Command::new("umount").arg("-l").arg(small.path()).status()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("not enough space") && words.contains("KiB"), "{words}");
    assert_eq!(left, 0, "nothing is left of it");
    Ok(())
}

#[tokio::test]
async fn attachments_of_a_bucket_come_along_and_go_back() -> anyhow::Result<()> {
    let (from, to) = (S3::new()?, S3::new()?);
    let world = World::new(&Setup { more: from.section(), ..Setup::default() }).await?;
    assert!(deliver(&world.web, &world.gateway.action(), 10).await?);
    let backups = tempfile::tempdir()?;
    let told = world.cli_json(&["backup", "--to", text(backups.path())]).await?;
    assert_eq!(told["counts"]["attachments"], 1, "{told}");
    world.gateway.stop().await?;
    let setup = Setup { more: to.section(), ..Setup::default() };
    let (folder, config) = elsewhere(&setup)?;
    let (done, words) = command(&config, &["restore", "--from", text(&only(backups.path())?)]).await?;
    assert!(done, "{words}");
    let world = World::in_folder(folder, &setup).await?;
    let lead = world.only_lead().await?;
    let sha256 = lead["timeline"][0]["content"]["files"][0]["sha256"].as_str().context("a file")?;
    assert_eq!(send(world.api(Method::GET, &format!("/attachments/{sha256}"))).await?.expect(200)?.body, file(10));
    Ok(())
}

#[tokio::test]
async fn a_backup_is_not_put_over_another_installation_s_attachments() -> anyhow::Result<()> {
    let shared = tempfile::tempdir()?;
    let theirs = Setup { more: format!("[attachments]\nurl = \"file:{}\"\n", shared.path().display()), ..Setup::default() };
    let other = World::new(&theirs).await?;
    assert!(deliver(&other.web, &other.gateway.action(), 1).await?);
    other.gateway.stop().await?;
    let world = World::new(&Setup::default()).await?;
    assert!(deliver(&world.web, &world.gateway.action(), 20).await?);
    let backups = tempfile::tempdir()?;
    world.gateway.cli(&["backup", "--to", text(backups.path())]).await?;
    let (folder, config) = elsewhere(&theirs)?;
    let (done, words) = command(&config, &["restore", "--from", text(&only(backups.path())?)]).await?;
    assert!(!done && words.contains("another installation"), "{words}");
    let data = folder.path().join("data");
    assert!(!data.join("leadgate.db").exists() && !data.join("api-token").exists(), "nothing was touched");
    assert_eq!(std::fs::read_dir(shared.path())?.count(), 2, "the marker and the folder of uploads");
    Ok(())
}

#[tokio::test]
async fn a_database_with_tools_of_its_own_is_backed_up_by_them() -> anyhow::Result<()> {
    let (folder, config) = elsewhere(&Setup::default())?;
    let with_server = std::fs::read_to_string(&config)?.replace("sqlite:data/leadgate.db", "postgres://u@localhost/leads");
    std::fs::write(&config, with_server)?;
    for arguments in [["backup", "--to", text(folder.path())], ["restore", "--from", text(folder.path())]] {
        let (done, words) = command(&config, &arguments).await?;
        assert!(!done && words.contains("pg_dump") && words.contains("copy the folder after the database"), "{words}");
    }
    Ok(())
}
