//! Bodies that real senders sent, kept beside the project: each gives what a person would read in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::{Setup, TOKEN};
use leadgate_tests::load::Connection;
use serde_json::Value;
use tokio::task::JoinSet;

const TILDA: &str = "tilda-token-0123456789";
const WORDPRESS: &str = "wordpress-token-0123456789";
const HOOK: &str = "hook-token-0123456789";
/// How the names of samples begin, and the preset that reads them.
const HOOKS: &[(&str, &str)] = &[
    ("typeform_", "typeform"),
    ("tally_", "tally"),
    ("jotform_", "jotform"),
    ("webflow_", "webflow"),
    ("google_ads_", "google_ads"),
    ("google_forms_", "google_forms"),
    ("vk_", "vk"),
    ("meta_", "meta_lead"),
];
/// What VK is answered in a handshake.
const CODE: &str = "a1b2c3d4";

/// A sample with what it should give.
struct Sample {
    expected: Value,
    body: Vec<u8>,
}

impl Sample {
    fn text(&self, key: &str) -> &str {
        self.expected[key].as_str().unwrap_or_default()
    }

    fn path(&self) -> String {
        let file = self.text("file");
        if let Some((_, preset)) = HOOKS.iter().find(|(start, _)| file.starts_with(start)) {
            return format!("/in/{preset}/{HOOK}");
        }
        match file.split('_').next() {
            Some("tilda") => format!("/in/tilda/{TILDA}"),
            Some("cf7" | "elementor" | "gravity") => format!("/in/wp/{WORDPRESS}"),
            _ => format!("/in/site/{TOKEN}"),
        }
    }

    /// Whether a connector takes it. A notice of Meta's holds no contact, only the number of one to be asked for.
    fn is_ours(&self) -> bool {
        let kinds = ["html_", "tilda_", "cf7_", "elementor_", "gravity_", "hostile_"];
        let ours = kinds.into_iter().chain(HOOKS.iter().map(|(start, _)| *start));
        ours.into_iter().any(|start| self.text("file").starts_with(start)) && !self.text("expect").starts_with("notification")
    }

    /// What is expected, without the remark behind it: "Stan Tester (1.3 + 1.6)".
    fn plain(&self, key: &str) -> Option<&str> {
        self.expected[key].as_str().map(plain)
    }

    /// The attribution that is expected; what a page's address tells is told as its query.
    fn touch(&self) -> Vec<(&str, &str)> {
        let values = self.expected["utm"].as_object().into_iter().flatten();
        let values = values.map(|(key, value)| (key.as_str(), plain(value.as_str().unwrap_or_default())));
        values
            .flat_map(|(key, value)| match key {
                "page_url" => value.split('&').filter_map(|pair| pair.split_once('=')).collect(),
                _ => vec![(key, value)],
            })
            .collect()
    }
}

fn plain(expected: &str) -> &str {
    if expected.ends_with(')') { expected.rsplit_once(" (").map_or(expected, |(plain, _)| plain) } else { expected }
}

fn folder() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/forms");
    std::env::var_os("LEADGATE_SAMPLES").map_or_else(beside, PathBuf::from)
}

/// The samples of the connectors there are; `None` without the folder.
#[expect(clippy::print_stdout, reason = "a test that compared nothing must say so")]
fn samples() -> anyhow::Result<Option<Vec<Sample>>> {
    let folder = folder();
    let list = folder.join("EXPECTED.json");
    if !list.exists() {
        println!("no samples in {}: nothing to compare with", folder.display());
        return Ok(None);
    }
    let all: Vec<Value> = serde_json::from_slice(&std::fs::read(list)?)?;
    let mut samples = Vec::new();
    for expected in all {
        let name = expected["file"].as_str().context("a sample has a file")?;
        let sample = Sample { body: std::fs::read(folder.join(name))?, expected: expected.clone() };
        samples.extend(Some(sample).filter(Sample::is_ours));
    }
    anyhow::ensure!(!samples.is_empty(), "{} names no sample of ours", folder.display());
    Ok(Some(samples))
}

fn setup() -> Setup {
    let others = format!(
        "[sources.tilda]\nkind = \"tilda\"\ntoken = \"{TILDA}\"\n[sources.wp]\nkind = \"wordpress\"\ntoken = \"{WORDPRESS}\"\n"
    );
    let hook = |preset: &str| {
        let code = if preset == "vk" { format!("confirmation = \"{CODE}\"\n") } else { String::new() };
        format!("[sources.{preset}]\nkind = \"webhook\"\npreset = \"{preset}\"\ntoken = \"{HOOK}\"\n{code}")
    };
    let more = std::iter::once(others).chain(HOOKS.iter().map(|(_, preset)| hook(preset))).collect();
    Setup { more, ..Setup::default() }
}

/// The values of a kind as typed.
fn typed(lead: &Value, kind: &str) -> Vec<String> {
    let values = lead["timeline"][0]["content"]["values"].as_array().cloned().unwrap_or_default();
    values.iter().filter(|value| value["kind"] == kind).filter_map(|value| value["typed"].as_str().map(str::to_owned)).collect()
}

async fn twice(sample: &Sample) -> anyhow::Result<()> {
    let world = World::new(&setup()).await?;
    let name = sample.text("file");
    for _ in 0..2 {
        let mut request = world.web.post(world.gateway.url(&sample.path())).header("content-type", sample.text("content_type"));
        for (header, value) in sample.expected["headers"].as_object().into_iter().flatten() {
            request = request.header(header, value.as_str().unwrap_or_default());
        }
        let answer = send(request.body(sample.body.clone())).await?.expect(200)?;
        if sample.text("expect").starts_with("handshake") {
            assert_eq!(answer.text(), CODE, "{name}");
        }
    }
    if sample.text("expect") == "probe" || sample.text("expect").starts_with("handshake") {
        assert_eq!(world.all("/submissions").await?.len(), 0, "{name} is a try");
        return Ok(());
    }
    let lead = world.only_lead().await.context(name.to_owned())?;
    assert_eq!(lead["activities"], 1, "{name}: the second is a repeat");
    assert_eq!(lead["test"], sample.text("expect").starts_with("test"), "{name}");
    if sample.text("expect").contains("invalid e-mail") {
        let values = lead["timeline"][0]["content"]["values"].to_string();
        assert!(values.contains("invalid") && lead["email"].is_null(), "{name}: {values}");
        return Ok(());
    }
    assert_eq!(lead["name"].as_str().unwrap_or_default(), sample.plain("name").unwrap_or_default(), "{name}");
    for kind in ["phone", "email"] {
        let typed = typed(&lead, kind);
        match sample.plain(kind) {
            Some(expected) => {
                let first = typed.first().map(|typed| typed.to_lowercase());
                assert_eq!(first, Some(expected.to_lowercase()), "{name}: {typed:?}");
            }
            None => assert!(typed.is_empty(), "{name}: {typed:?}"),
        }
    }
    let touch = lead["first_touch"]["values"].as_array().cloned().unwrap_or_default();
    let fields = lead["timeline"][0]["content"]["fields"].as_array().cloned().unwrap_or_default();
    for (key, value) in sample.touch() {
        let field = fields.iter().find(|known| known["name"] == key).map(|known| &known["value"]);
        let found = touch.iter().find(|known| known["key"] == key).map(|known| &known["value"]).or(field);
        assert_eq!(found, Some(&Value::from(value)), "{name}: {key} in {touch:?}");
    }
    let kept = world.all("/submissions").await?;
    assert_eq!((kept.len(), &kept[0]["repeats"]), (1, &Value::from(1)), "{name}: {kept:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sample_twice_is_one_lead_as_a_person_would_read_it() -> anyhow::Result<()> {
    let Some(samples) = samples()? else { return Ok(()) };
    let mut running = JoinSet::new();
    for sample in samples {
        running.spawn(async move { twice(&sample).await });
        if running.len() == 4 {
            running.join_next().await.context("four are running")???;
        }
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sample_cut_anywhere_is_the_gateway_s_fault() -> anyhow::Result<()> {
    let Some(samples) = samples()? else { return Ok(()) };
    let world = World::new(&setup()).await?;
    let mut cuts = Vec::new();
    for sample in samples {
        let sample = Arc::new(sample);
        cuts.extend((0..sample.body.len()).map(|length| (Arc::clone(&sample), length)));
    }
    let (cuts, next) = (Arc::new(cuts), Arc::new(AtomicUsize::new(0)));
    let mut connections = JoinSet::new();
    for _ in 0..8 {
        let (cuts, next, address) = (Arc::clone(&cuts), Arc::clone(&next), world.gateway.address);
        connections.spawn(async move {
            let mut connection = Connection::open(address).await?;
            while let Some((sample, length)) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let status = connection.post_as(&sample.path(), sample.text("content_type"), &sample.body[..*length]).await?;
                anyhow::ensure!(status == 200, "{} cut at {length} was answered {status}", sample.text("file"));
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = connections.join_next().await {
        done??;
    }
    println!("{} cuts", cuts.len());
    let status = world.get("/status").await?;
    assert!(status["submissions"].as_u64().is_some_and(|kept| kept > 0), "{status}");
    let log = world.gateway.log()?;
    assert!(!log.contains("panick"), "{log}");
    Ok(())
}
