//! A full disk: senders are told to come again, nothing acknowledged is lost, and space alone is the repair.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::Setup;

/// A small file system of its own, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// `None`: this machine does not let us mount.
    #[expect(clippy::print_stdout, reason = "a test that tried nothing must say so")]
    fn new(at: &Path) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir(at)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"]).arg(at).output()?;
        if mounted.status.success() {
            return Ok(Some(Self(at.to_path_buf())));
        }
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        let refused = ["permission denied", "must be superuser", "not permitted", "only root"];
        anyhow::ensure!(refused.iter().any(|words| why.to_ascii_lowercase().contains(words)), "mount failed: {why}");
        println!("this user may not mount a file system, so a full disk was not tried: {why}");
        Ok(None)
    }

    /// Writes until nothing fits any more.
    fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path)?;
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Mount {
    #[expect(clippy::print_stderr, reason = "nobody else can be told here")]
    fn drop(&mut self) {
        if let Err(error) = Command::new("umount").arg("-l").arg(&self.0).status() {
            eprintln!("{} stays mounted: {error}", self.0.display());
        }
    }
}

/// Sends the `n`-th person's form; says whether it was taken.
async fn sent(world: &World, n: u32) -> anyhow::Result<bool> {
    let (phone, id) = (format!("+7 916 910-{:02}-{:02}", n / 100, n % 100), n.to_string());
    let answer = world.form(&[("name", "Анна"), ("phone", &phone), ("utm_source", &id), ("_id", &id)]).await?;
    match answer.status {
        200 => Ok(true),
        503 => {
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
            assert!(answer.text().contains("not sent"), "the page says so: {}", answer.text());
            Ok(false)
        }
        status => anyhow::bail!("{status}: {}", answer.text()),
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_heals_by_space_alone() -> anyhow::Result<()> {
    let outer = tempfile::tempdir()?;
    let Some(disk) = Mount::new(&outer.path().join("disk"))? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    std::os::unix::fs::symlink(&disk.0, folder.path().join("data"))?;
    let world = World::in_folder(folder, &Setup::default()).await?;
    let mut taken = BTreeSet::new();
    for n in 0..5 {
        assert!(sent(&world, n).await?, "there is space");
        taken.insert(n);
    }
    let filler = disk.fill()?;
    let mut refused = 0;
    for n in 5..400 {
        if sent(&world, n).await? {
            taken.insert(n);
        } else {
            refused += 1;
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "a full disk takes no leads for ever; taken: {taken:?}");
    let ready = leadgate_tests::client::send(world.web.get(world.gateway.url("/readyz"))).await?.expect(503)?.json()?;
    assert_eq!(ready["checks"]["database_readable"], true, "what is there can still be read: {ready}");
    assert_eq!(world.leads().await?.len(), taken.len(), "all that was taken, and no more");

    std::fs::remove_file(filler)?;
    let healed = until("the gateway takes leads again", async || Ok(sent(&world, 1000).await?.then_some(())));
    healed.await?;
    taken.insert(1000);
    for n in 5..60 {
        assert!(sent(&world, n).await?, "what was refused is taken now, what was taken is known");
        taken.insert(n);
    }
    let found: Vec<u32> = world.leads().await?.iter().filter_map(|lead| lead["utm_source"].as_str()?.parse().ok()).collect();
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), taken);
    assert_eq!(found.len(), taken.len(), "none is there twice");
    Ok(())
}
