//! Attachments in a place that several gateways share.

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ports::Store as _;
use leadgate_server::attachments::{Attachments, Old};
use leadgate_server::clock::Clock;
use leadgate_server::config;
use leadgate_store_sqlite::{Options, SqliteStore};
use leadgate_tests::client::{Answer, World, send, until};
use leadgate_tests::gateway::{Gateway, Setup};
use leadgate_tests::s3::S3;
use reqwest::Method;
use reqwest::multipart::{Form, Part};

fn with(section: String) -> Setup {
    Setup { more: section, ..Setup::default() }
}

async fn post(world: &World, phone: &str, file: &[u8]) -> anyhow::Result<Answer> {
    let part = Part::bytes(file.to_vec()).file_name("plan.pdf");
    let form = Form::new().text("name", "Anna").text("phone", phone.to_owned()).part("file", part);
    send(world.web.post(world.gateway.action()).multipart(form)).await
}

/// The file of the newest lead, as the API gives it.
async fn read_back(world: &World) -> anyhow::Result<Vec<u8>> {
    let newest = world.leads().await?[0]["id"].clone();
    let lead = world.get(&format!("/leads/{newest}")).await?;
    let sha256 = lead["timeline"][0]["content"]["files"][0]["sha256"].as_str().unwrap_or_default().to_owned();
    Ok(send(world.api(Method::GET, &format!("/attachments/{sha256}"))).await?.expect(200)?.body)
}

/// Why a gateway with this setup does not start.
async fn refused(setup: &Setup) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("leadgate.toml");
    std::fs::write(&config, setup.text())?;
    let output = leadgate_tests::gateway::run(&config, Some("127.0.0.1:0".parse()?), &["serve"]).await?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_bucket_keeps_files_for_every_gateway() -> anyhow::Result<()> {
    let s3 = S3::new()?;
    let world = World::new(&with(s3.section())).await?;
    let (small, large) = (b"%PDF a plan".to_vec(), vec![b'x'; 9 << 20]);
    post(&world, "+7 916 930-00-01", &small).await?.expect(200)?;
    assert_eq!(read_back(&world).await?, small);
    post(&world, "+7 916 930-00-02", &large).await?.expect(200)?;
    assert!(read_back(&world).await? == large, "in several pieces");
    assert!(!world.gateway.data.join("attachments").exists(), "nothing is kept on this machine");
    assert_eq!(std::fs::read_dir(world.gateway.data.join("incoming"))?.count(), 0);

    let folder = world.folder;
    world.gateway.stop().await?;
    let world = World::in_folder(folder, &Setup::default()).await?;
    assert!(read_back(&world).await? == large, "the marker is known after a restart");
    let other = refused(&with(s3.section())).await?;
    assert!(other.contains("another installation") && other.contains("[attachments] url"), "{other}");
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_stops_the_start_with_cause_and_remedy() -> anyhow::Result<()> {
    let s3 = S3::new()?;
    let wrong_key = S3 { keys: (s3.keys.0.clone(), "wrong".to_owned()), ..s3.clone() };
    let words = refused(&with(wrong_key.section())).await?;
    assert!(words.contains("does not let us in") && words.contains("secret_key"), "{words}");
    assert!(!words.contains(&s3.keys.1), "{words}");
    let stranger = S3 { keys: ("AKIASTRANGER00000000".to_owned(), "wrong".to_owned()), ..s3.clone() };
    let words = refused(&with(stranger.section())).await?;
    assert!(words.contains("does not let us in"), "{words}");
    let no_bucket = S3 { bucket: "leadgate-none-such".to_owned(), ..s3.clone() };
    let words = refused(&with(no_bucket.section())).await?;
    assert!(words.contains("no such bucket") && words.contains("leadgate-none-such"), "{words}");
    let (away, line) = s3.over_a_line().await?;
    line.cut().await;
    let words = refused(&with(away.section())).await?;
    assert!(words.contains("cannot be reached") && words.contains("endpoint"), "{words}");
    Ok(())
}

#[tokio::test]
async fn a_file_is_not_acknowledged_while_the_bucket_is_away() -> anyhow::Result<()> {
    let (s3, line) = S3::new()?.over_a_line().await?;
    let world = World::new(&with(s3.section())).await?;
    post(&world, "+7 916 930-00-11", b"%PDF one").await?.expect(200)?;
    line.cut().await;
    let answer = post(&world, "+7 916 930-00-12", b"%PDF two").await?.expect(503)?;
    assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    assert_eq!(world.leads().await?.len(), 1, "nothing of it is kept");
    world.form(&[("name", "Boris"), ("phone", "+7 916 930-00-13")]).await?.expect(200)?;
    assert_eq!(world.leads().await?.len(), 2, "forms without files are taken");
    Ok(())
}

/// Two gateways' stores in one bucket.
struct Two {
    folder: tempfile::TempDir,
    database: SqliteStore,
    clock: Clock,
    place: config::Attachments,
    stores: [Attachments; 2],
}

impl Two {
    async fn new() -> anyhow::Result<Self> {
        let s3 = S3::new()?;
        let folder = tempfile::tempdir()?;
        let database = SqliteStore::open(&folder.path().join("leadgate.db"), Options::default()).await?;
        let place = config::Attachments::S3(config::S3 {
            bucket: s3.bucket,
            prefix: s3.prefix,
            endpoint: Some(s3.endpoint),
            region: "us-east-1".to_owned(),
            access_key: leadgate_core::secret::Secret::new(s3.keys.0),
            secret_key: leadgate_core::secret::Secret::new(s3.keys.1),
        });
        let stores = [Attachments::open(&place, folder.path())?, Attachments::open(&place, folder.path())?];
        let clock = Clock::manual(Timestamp::UNIX_EPOCH, 7);
        // At the same moment, as after an update of all.
        let [one, two] = &stores;
        let (first, second) = tokio::join!(one.claim(&database, &clock), two.claim(&database, &clock));
        first.and(second)?;
        Ok(Self { folder, database, clock, place, stores })
    }

    async fn keep(&self, at: usize, bytes: &'static [u8]) -> anyhow::Result<String> {
        let mut upload = self.stores[at].begin(&self.clock).await?;
        upload.write(Bytes::from_static(bytes)).await?;
        Ok(upload.finish().await?.sha256)
    }

    async fn bytes(&self, at: usize, sha256: &str) -> anyhow::Result<Option<u64>> {
        Ok(self.stores[at].size(sha256).await?)
    }
}

#[tokio::test]
async fn sweeps_of_several_gateways_take_only_what_is_old_and_unnamed() -> anyhow::Result<()> {
    let two = Two::new().await?;
    let sha256 = two.keep(0, b"hello").await?;
    assert_eq!(two.keep(1, b"hello").await?, sha256, "the same file from the other side");
    assert_eq!(two.bytes(1, &sha256).await?, Some(5));
    for store in &two.stores {
        assert_eq!(store.sweep(&two.database, &two.clock).await?, 0, "nothing is a day old");
    }
    let old = Old { before: Timestamp::MAX, since: None };
    let [one, other] = &two.stores;
    let (first, second) = tokio::join!(one.sweep_old(&two.database, old), other.sweep_old(&two.database, old));
    assert!(first? + second? >= 1);
    assert_eq!(two.bytes(0, &sha256).await?, None);
    assert_eq!(two.keep(1, b"hello").await?, sha256);
    assert_eq!(two.bytes(0, &sha256).await?, Some(5), "it comes again");
    Ok(())
}

#[tokio::test]
async fn a_file_that_comes_while_it_is_swept_stays() -> anyhow::Result<()> {
    let two = Two::new().await?;
    let sha256 = two.keep(0, b"again and again").await?;
    // What lies there now is old, as the sweep of the first gateway sees it; what comes from now on is not. Times are told in
    // whole seconds, so the next one must have begun.
    let kept = Clock::system().now().as_second();
    until("the next second", async || Ok((Clock::system().now().as_second() > kept).then_some(()))).await?;
    let before = Timestamp::from_second(Clock::system().now().as_second())?;
    let old = Old { before, since: None };
    // The second gateway has not asked for the time yet: it takes the file for no young one, and puts it there again.
    let second = Attachments::open(&two.place, two.folder.path())?;
    let sweeping = two.stores[0].sweep_old(&two.database, old);
    let coming = async {
        let mut kept = 0;
        for _ in 0..5 {
            let mut upload = second.begin(&two.clock).await?;
            upload.write(Bytes::from_static(b"again and again")).await?;
            kept = upload.finish().await?.size;
        }
        anyhow::Ok(kept)
    };
    let (swept, kept) = tokio::join!(sweeping, coming);
    swept?;
    assert_eq!(kept?, 15);
    assert!(two.stores[0].size(&sha256).await?.is_some(), "what came meanwhile stays");
    Ok(())
}

#[tokio::test]
async fn a_shared_folder_serves_one_installation() -> anyhow::Result<()> {
    let shared = tempfile::tempdir()?;
    let section = format!("[attachments]\nurl = \"file:{}\"\n", shared.path().display());
    let world = World::new(&with(section.clone())).await?;
    post(&world, "+7 916 930-00-21", b"%PDF shared").await?.expect(200)?;
    assert_eq!(read_back(&world).await?, b"%PDF shared");
    let marker = std::fs::read_to_string(shared.path().join("leadgate-installation"))?;
    let database = SqliteStore::open_read_only(&world.gateway.data.join("leadgate.db")).await?;
    assert!(marker.starts_with(&database.installation().await?.to_string()), "{marker}");
    let words = refused(&with(section)).await?;
    assert!(words.contains("another installation"), "{words}");
    let words = refused(&with("[attachments]\nurl = \"file:/nowhere/leadgate\"\n".to_owned())).await?;
    assert!(words.contains("mount"), "{words}");
    let gateway: Gateway = world.gateway;
    gateway.stop().await?;
    Ok(())
}
