//! Mails that real programs wrote, kept beside the project: each is kept, none is lost, none is read twice.

use std::path::{Path, PathBuf};

use leadgate_tests::client::World;
use leadgate_tests::dovecot::{Dovecot, USER};
use leadgate_tests::mail::letter;

use crate::watched::{LONG_AGO, SOURCE, keeps, section, setup, watching};

fn folder() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/mail");
    std::env::var_os("LEADGATE_MAIL_SAMPLES").map_or_else(beside, PathBuf::from)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "eml") {
            found.push(path);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_is_kept_once() -> anyhow::Result<()> {
    let folder = folder();
    if !folder.exists() {
        println!("no samples in {}: nothing to compare with", folder.display());
        return Ok(());
    }
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{} holds no mail", folder.display());
    let server = Dovecot::start().await?;
    let mut lmtp = server.lmtp().await?;
    for file in &files {
        lmtp.deliver("", USER, &std::fs::read(file)?).await?;
    }
    // Every one of them stands before this.
    lmtp.deliver("", USER, letter(1).as_bytes()).await?;
    let there = u64::from(server.imap(USER).await?.folder("INBOX").await?.mails);
    assert_eq!(there, files.len() as u64 + 1);
    let begun = std::time::Instant::now();
    let world = World::new(&setup(&section(&server, LONG_AGO))).await?;
    watching(&world, SOURCE).await?;
    let all = world.all("/submissions").await?;
    let repeats: u64 = all.iter().filter_map(|submission| submission["repeats"].as_u64()).sum();
    let quarantined = world.submissions("quarantined").await?;
    println!("{there} mails in {:?}: {} kept, {repeats} repeats, {} quarantined", begun.elapsed(), all.len(), quarantined.len());
    assert_eq!(all.len() as u64 + repeats, there, "none is lost");
    assert!(quarantined.len() <= 2, "{quarantined:?}");
    // Read anew from the beginning, nothing more is kept.
    world.gateway.cli(&["source", "backfill", SOURCE, "--since", "2000-01-01"]).await?;
    lmtp.deliver("", USER, letter(2).as_bytes()).await?;
    keeps(&world, all.len() as u64 + 1).await?;
    watching(&world, SOURCE).await?;
    assert_eq!(world.all("/submissions").await?.len(), all.len() + 1);
    let log = world.gateway.log()?;
    assert!(!log.contains("panick"), "{log}");
    Ok(())
}
