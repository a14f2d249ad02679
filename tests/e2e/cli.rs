//! The commands of people: what they print, what they refuse, with and without a running gateway.

use std::path::Path;
use std::process::Output;

use anyhow::Context as _;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Setup, run};
use serde_json::{Value, json};

/// What a command told on both ways out.
fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn deliver(world: &World, n: u32, name: &str) -> anyhow::Result<()> {
    let (phone, id) = (format!("+7 916 920-00-{n:02}"), n.to_string());
    world.form(&[("name", name), ("phone", &phone), ("_id", &id)]).await?.expect(200)?;
    Ok(())
}

/// What a command wrote is safe to show on a terminal: line ends are the only control characters, and nothing turns the text.
fn is_safe(text: &str) -> bool {
    !text.chars().any(|c| {
        (c.is_control() && c != '\n') || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[tokio::test]
async fn programs_get_json_and_people_tables_that_do_not_obey_senders() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let hostile = "Anna\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.exe\u{9b}31m";
    deliver(&world, 1, hostile).await?;
    let fields = [
        ("name", "Boris"),
        ("phone", "+7 916 920-00-02"),
        ("message", "a\u{1b}[31m\rb\u{2066}c"),
        ("field\u{1b}[1m", "\u{1b}c"),
        ("utm_source", "\u{1b}[5m"),
    ];
    world.form(&fields).await?.expect(200)?;
    send(world.web.post(world.gateway.action()).header("content-type", "application/json").body("{\"a\u{1b}[2J\": \u{202e}"))
        .await?
        .expect(200)?;
    let held = world.submissions("quarantined").await?[0]["id"].as_str().context("an id")?.to_owned();

    let commands: [&[&str]; 15] = [
        &["leads", "list"],
        &["leads", "list", "--tests", "--open", "--find", "8 916 920-00-02"],
        &["leads", "show", "1"],
        &["leads", "show", "2"],
        &["contacts", "list"],
        &["contacts", "show", "1"],
        &["submissions", "list"],
        &["submissions", "show", &held],
        &["quarantine", "list"],
        &["quarantine", "show", &held],
        &["reviews"],
        &["sources"],
        &["status"],
        &["token", "list"],
        &["check"],
    ];
    for command in commands {
        let text = world.gateway.cli(command).await?;
        assert!(!text.trim().is_empty() && is_safe(&text), "{command:?}: {text:?}");
        let value = world.cli_json(command).await?;
        assert!(value.is_object() || value.is_array(), "{command:?}: {value}");
    }
    let shown = world.gateway.cli(&["leads", "show", "1"]).await?;
    assert!(shown.contains("Anna") && shown.contains("gpj.exe"), "{shown}");
    let found = world.cli_json(&["leads", "list", "--find", "89169200002"]).await?;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    Ok(())
}

#[tokio::test]
async fn everything_works_through_a_running_gateway_as_well() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    deliver(&world, 1, "Anna").await?;
    let away = tempfile::tempdir()?;
    let config = away.path().join("leadgate.toml");
    std::fs::write(&config, "[company]\ncountry = \"RU\"\n[sources.site]\nkind = \"html_form\"\n")?;
    let url = world.gateway.url("");
    let id = world.submissions("created").await?[0]["id"].as_str().context("an id")?.to_owned();
    let commands: [&[&str]; 13] = [
        &["leads", "list", "--find", "8 916 920-00-01", "--stage", "NEW", "--unassigned", "--source", "site"],
        &["leads", "list", "--source", "site", "--source", "other"],
        &["leads", "show", "1"],
        &["leads", "note", "1", "called"],
        &["contacts", "list", "--find", "+79169200001"],
        &["contacts", "show", "1"],
        &["submissions", "list", "--outcome", "created", "--outcome", "spam"],
        &["submissions", "show", &id],
        &["submissions", "raw", &id],
        &["quarantine", "list"],
        &["reviews"],
        &["status"],
        &["token", "list"],
    ];
    let mut failed = Vec::new();
    for command in commands {
        let output = run(&config, None, &[command, &["--url", &url, "--token", &world.token]].concat()).await?;
        if !output.status.success() {
            failed.push(format!("{command:?}: {}", told(&output)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

#[tokio::test]
async fn changes_are_made_with_and_without_a_running_gateway() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    deliver(&world, 1, "Anna").await?;
    let here = |command: &'static [&'static str]| world.gateway.cli(command);
    here(&["leads", "take", "1", "--manager", "anna"]).await?;
    here(&["leads", "note", "1", "she", "called", "back"]).await?;
    here(&["leads", "stage", "1", "processed"]).await?;
    let key = here(&["token", "new", "crm", "--scope", "read"]).await?.trim().to_owned();
    let ask = async || send(world.web.get(world.gateway.url("/api/v1/leads")).bearer_auth(&key)).await;
    ask().await?.expect(200)?;
    here(&["token", "revoke", "crm"]).await?;
    ask().await?.expect(401)?;
    let refused = world.gateway.run(&["leads", "show", "77"]).await?;
    assert_eq!((refused.status.code(), told(&refused).contains("77")), (Some(1), true), "{}", told(&refused));
    assert_eq!(world.gateway.run(&["leads", "close", "1"]).await?.status.code(), Some(2), "what makes no sense is 2");

    let World { folder, gateway, .. } = world;
    let config = gateway.config.clone();
    let nobody = Some(gateway.address);
    assert!(gateway.stop().await?.success());
    let alone = async |command: &[&str]| {
        let output = run(&config, nobody, command).await?;
        anyhow::ensure!(output.status.success(), "{command:?}: {}", told(&output));
        anyhow::Ok(told(&output))
    };
    alone(&["leads", "close", "1", "--as", "junk"]).await?;
    alone(&["leads", "reopen", "1"]).await?;
    alone(&["token", "new", "later"]).await?;
    let shown = alone(&["leads", "show", "1"]).await?;
    for expected in ["she called back", "PROCESSED", "JUNK", "IN_PROCESS", "anna works on it", "cli"] {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    assert!(alone(&["status"]).await?.contains("not running"));
    let sent = run(&config, nobody, &["send"]).await?;
    assert!(!sent.status.success() && told(&sent).contains("not running"), "{}", told(&sent));
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn everything_wrong_with_a_configuration_is_told_at_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("leadgate.toml");
    std::fs::write(
        &config,
        "[company]\ncountry = \"XX\"\ntime_zone = \"Moscow\"\nlanguage = \"fr\"\nphones = [\"12\"]\n[server]\nlisten = \"nowhere\"\nlisen = 1\n\
         public_url = \"ftp://x\"\n[database]\nurl = \"mysql://x\"\n[leads]\nopen_for = \"long\"\n\
         [sources.site]\nkind = \"html_form\"\ntoken = \"short\"\nmin_fill_ms = \"x\"\nallow_next = [\"*\"]\ncolour = 1\n[sources.shop]\nkind = \"tilde\"\n",
    )?;
    let keys = [
        "company.country",
        "company.time_zone",
        "company.language",
        "company.phones",
        "server.listen",
        "server.lisen",
        "server.public_url",
        "database.url",
        "leads.open_for",
        "sources.site.token",
        "sources.site.min_fill_ms",
        "sources.site.allow_next[0]",
        "sources.site.colour",
        "sources.shop.kind",
    ];
    let output = run(&config, None, &["check"]).await?;
    assert_eq!(output.status.code(), Some(1));
    let text = told(&output);
    for key in keys.iter().chain(&["Europe/Moscow", "tilda", "leadgate.toml"]) {
        assert!(text.contains(key), "{key} is not told:\n{text}");
    }
    let output = run(&config, None, &["check", "--json"]).await?;
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(value["ok"], false);
    let listed: Vec<_> =
        value["problems"].as_array().context("problems")?.iter().filter_map(|problem| problem["key"].as_str()).collect();
    for key in keys {
        assert!(listed.iter().any(|known| known.starts_with(key)), "{key}: {listed:?}");
    }
    let output = run(&config, None, &["serve"]).await?;
    assert!(!output.status.success() && told(&output).contains("company.country"), "{}", told(&output));
    assert!(!folder.path().join("../data").join("api-token").exists());
    let output = run(&folder.path().join("none.toml"), None, &["check"]).await?;
    assert!(output.status.code() == Some(1) && told(&output).contains("there is no such file"), "{}", told(&output));
    Ok(())
}

#[tokio::test]
async fn sources_are_added_and_their_addresses_changed_while_it_runs() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let added = world.cli_json(&["source", "new", "tilda"]).await?;
    let url = added["url"].as_str().context("a URL")?.to_owned();
    assert_eq!(added["live"], true, "{added}");
    assert!(url.starts_with(&world.gateway.url("/in/tilda/")), "{url}");
    let post = async |url: &str, n: u32| {
        let body = format!("Name=Anna&Phone=%2B791692001{n:02}&tranid=1:{n}");
        send(world.web.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)).await
    };
    assert_eq!(post(&url, 1).await?.expect(200)?.text(), "ok");
    let steps = world.gateway.cli(&["source", "new", "tilda", "--id", "landing"]).await?;
    assert!(steps.contains("/in/landing/") && steps.contains("Webhook") && steps.contains("1."), "{steps}");
    let listed = world.gateway.cli(&["sources"]).await?;
    assert!(listed.contains(&url) && listed.contains("/in/landing/"), "{listed}");
    assert!(
        !told(&world.gateway.run(&["source", "new", "tilda", "--id", "landing"]).await?).contains("/in/landing/"),
        "an id is used once"
    );
    assert!(told(&world.gateway.run(&["source", "new", "tild"]).await?).contains("tilda"), "a kind nearly right is suggested");

    let rotated = world.cli_json(&["source", "rotate", "tilda"]).await?;
    let new = rotated["url"].as_str().context("a URL")?.to_owned();
    assert_ne!(new, url);
    post(&url, 2).await?.expect(200)?;
    post(&new, 3).await?.expect(200)?;
    world.gateway.cli(&["source", "rotate", "tilda", "--finish"]).await?;
    post(&url, 4).await?.expect(404)?;
    post(&new, 5).await?.expect(200)?;
    assert_eq!(world.leads().await?.len(), 4);
    let configured = world.gateway.run(&["source", "rotate", "site"]).await?;
    assert!(!configured.status.success() && told(&configured).contains("written in the configuration"), "{}", told(&configured));
    Ok(())
}

#[tokio::test]
async fn a_changed_configuration_is_read_on_a_signal_and_a_bad_one_is_not() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let folder = world.path().join("sources.d");
    std::fs::create_dir(&folder)?;
    let url = world.gateway.url("/in/shop/shop-token-0123456789");
    let post = async || send(world.web.post(&url).form(&[("name", "Anna"), ("phone", "+7 916 920-01-50")])).await;
    assert_eq!(post().await?.status, 404);
    let file = folder.join("shop.toml");
    let good = "[sources.shop]\nkind = \"html_form\"\ntoken = \"shop-token-0123456789\"\nrequire_origin = false\n";
    std::fs::write(&file, good)?;
    world.gateway.signal("HUP").await?;
    let taken = until("the new source", async || Ok(Some(post().await?.status).filter(|status| *status == 200)));
    taken.await?;
    std::fs::write(&file, format!("{good}colour = 1\n"))?;
    world.gateway.signal("HUP").await?;
    let told = until("the log tells", async || Ok(world.gateway.log().ok().filter(|log| log.contains("stays as it was"))));
    assert!(told.await?.contains("sources.shop.colour"), "with what is wrong");
    assert_eq!(post().await?.status, 200, "the one that was good is in force");
    std::fs::remove_file(&file)?;
    world.gateway.signal("HUP").await?;
    let gone = until("the source is gone", async || {
        assert_eq!(post().await?.status, 200, "its senders see a success");
        Ok(world.submissions("quarantined").await?.into_iter().next())
    });
    assert_eq!(gone.await?["source"], "shop");
    assert_eq!(world.leads().await?.len(), 1, "what it brought stays");
    Ok(())
}

#[tokio::test]
async fn a_test_lead_is_sent_through_the_front_door() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let text = world.gateway.cli(&["send", "--name", "Проба", "--email", "proba@mail.ru"]).await?;
    assert!(text.contains("test lead") && text.contains("leads show 1"), "{text}");
    let lead = world.only_lead().await?;
    assert_eq!((&lead["test"], &lead["name"]), (&json!(true), &json!("Проба")), "{lead}");
    let real = world.cli_json(&["send", "--real", "--phone", "8 916 920-01-99"]).await?;
    assert_eq!(real["outcome"], "created", "{real}");
    assert_eq!(world.get("/leads").await?["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

/// The shipped configuration in a folder.
fn shipped(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let config = folder.join("config/leadgate.toml");
    std::fs::create_dir_all(folder.join("config"))?;
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/leadgate.toml"), &config)?;
    Ok(config)
}

#[tokio::test]
async fn init_answers_for_itself_without_a_terminal() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = shipped(folder.path())?;
    let arguments = [
        "init",
        "--company",
        "Ромашка",
        "--country",
        "kz",
        "--time-zone",
        "Asia/Almaty",
        "--language",
        "ru",
        "--public-url",
        "https://leads.romashka.kz",
    ];
    let output = run(&config, None, &arguments).await?;
    assert!(output.status.success(), "{}", told(&output));
    let local: toml::Table = std::fs::read_to_string(folder.path().join("config/local.toml"))?.parse()?;
    let company = &local["company"];
    assert_eq!((company["name"].as_str(), company["country"].as_str()), (Some("Ромашка"), Some("KZ")), "{local}");
    let checked = run(&config, None, &["check", "--json"]).await?;
    let value: Value = serde_json::from_slice(&checked.stdout)?;
    assert_eq!((&value["ok"], &value["assumed"]), (&json!(true), &json!([])), "{value}");
    assert_eq!(local["server"]["public_url"].as_str(), Some("https://leads.romashka.kz"), "{local}");
    let wrong = run(&config, None, &["init", "--country", "Russia"]).await?;
    assert!(!wrong.status.success() && told(&wrong).contains("--country"), "{}", told(&wrong));
    Ok(())
}

#[tokio::test]
async fn what_is_taken_is_told_plainly() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    let elsewhere = Some(std::net::SocketAddr::from(([127, 0, 0, 1], leadgate_tests::gateway::free_port()?)));
    let second = run(&world.gateway.config, elsewhere, &["serve"]).await?;
    assert!(!second.status.success());
    let words = told(&second);
    assert!(words.contains("leadgate.db") && (words.contains("another") || words.contains("already")), "{words}");
    let folder = tempfile::tempdir()?;
    let config = shipped(folder.path())?;
    let other = run(&config, Some(world.gateway.address), &["serve"]).await?;
    assert!(!other.status.success());
    let words = told(&other);
    assert!(
        words.contains(&format!("port {} is taken", world.gateway.address.port())) && words.contains("LEADGATE__SERVER__LISTEN"),
        "{words}"
    );
    assert!(!words.contains("panicked"), "{words}");
    // The one that runs is none the worse.
    deliver(&world, 1, "Anna").await?;
    assert_eq!(world.leads().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn shells_get_completions_and_a_new_folder_gets_words() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = shipped(folder.path())?;
    let output = run(&config, None, &["completions", "bash"]).await?;
    assert!(output.status.success() && told(&output).contains("complete -F"), "{}", told(&output));
    let output = run(&config, None, &["leads", "list"]).await?;
    assert!(!output.status.success() && told(&output).contains("there are no leads yet"), "{}", told(&output));
    let output = run(&config, None, &["status"]).await?;
    assert!(output.status.success() && told(&output).contains("not running"), "{}", told(&output));
    let output = run(&config, None, &["reference"]).await?;
    assert!(output.status.success() && told(&output).contains("[company]"), "{}", told(&output));
    assert!(!folder.path().join("data/leadgate.db").exists(), "looking makes nothing");
    Ok(())
}
