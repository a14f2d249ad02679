//! Several gateways on one PostgreSQL database.

use leadgate_tests::client::{World, until};
use leadgate_tests::gateway::Setup;
use leadgate_tests::postgres::{Database, admin, execute};

const PHONE: &str = "+7 916 123-45-67";

async fn two(database: &Database) -> anyhow::Result<(World, World)> {
    let setup = Setup { database: database.url.clone(), ..Setup::default() };
    // Both make the schema, or find it made.
    Ok(tokio::try_join!(World::new(&setup), World::new(&setup))?)
}

#[tokio::test]
async fn two_gateways_have_one_person_in_common() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let (one, other) = two(&database).await?;
    one.form(&[("name", "Анна"), ("phone", PHONE)]).await?.expect(200)?;
    other.form(&[("name", "Анна"), ("phone", "8 916 123 45 67"), ("message", "again")]).await?.expect(200)?;
    for gateway in [&one, &other] {
        let lead = gateway.only_lead().await?;
        assert_eq!(lead["activities"], 2, "{lead}");
    }
    // What a person does on one is seen on the other.
    one.gateway.cli(&["leads", "close", "1", "--as", "converted"]).await?;
    let shown = other.gateway.cli(&["leads", "show", "1"]).await?;
    assert!(shown.contains("CONVERTED") && shown.contains("Анна"), "{shown}");
    let status = other.gateway.cli(&["status"]).await?;
    assert!(status.contains(&database.name), "{status}");
    Ok(())
}

#[tokio::test]
async fn commands_work_while_no_gateway_runs() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let setup = Setup { database: database.url.clone(), ..Setup::default() };
    let world = World::new(&setup).await?;
    world.form(&[("name", "Анна"), ("phone", PHONE)]).await?.expect(200)?;
    let config = world.gateway.config.clone();
    let folder = world.folder;
    world.gateway.stop().await?;
    let run = async |arguments: &[&str]| -> anyhow::Result<String> {
        let output = leadgate_tests::gateway::run(&config, None, arguments).await?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    assert!(run(&["leads", "list"]).await?.contains("Анна"));
    run(&["leads", "close", "1", "--as", "junk"]).await?;
    assert!(run(&["leads", "show", "1"]).await?.contains("JUNK"));
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn a_gateway_goes_on_after_the_database_was_away() -> anyhow::Result<()> {
    let database = Database::fresh(false).await?;
    let setup = Setup { database: database.url.clone(), ..Setup::default() };
    let world = World::new(&setup).await?;
    world.form(&[("name", "Анна"), ("phone", PHONE)]).await?.expect(200)?;
    for n in 0..5 {
        let drop_all = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database.name);
        execute(&mut admin().await?, drop_all).await?;
        let phone = format!("+7 916 123-45-{n:02}");
        world.form(&[("name", "Анна"), ("phone", phone.as_str())]).await?.expect(200)?;
    }
    assert_eq!(world.leads().await?.len(), 6);
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_cannot_open_its_database_says_why_and_shows_no_password() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("leadgate.toml");
    std::fs::write(
        &config,
        "[server]\ndata_dir = \"data\"\n[database]\nurl = \"postgres://u:geheim@127.0.0.1:1/x?connect_timeout=1\"\n",
    )?;
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], leadgate_tests::gateway::free_port()?));
    let output = leadgate_tests::gateway::run(&config, Some(listen), &["serve"]).await?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success());
    assert!(said.contains("no PostgreSQL answers at 127.0.0.1:1") && !said.contains("geheim"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_gateways_of_a_database_are_listed_with_what_they_hold() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let (one, other) = two(&database).await?;
    let listed = until("both are listed, and one keeps house", async || {
        let nodes = one.gateway.cli(&["nodes"]).await?;
        Ok(Some(nodes).filter(|nodes| nodes.matches("alive").count() == 2 && nodes.matches("housekeeping").count() == 1))
    })
    .await?;
    for gateway in [&one.gateway, &other.gateway] {
        assert!(listed.contains(&format!(":{}", gateway.address.port())), "{listed}");
    }
    // Who stops gives back what it holds; the other takes it at its next look.
    one.gateway.stop().await?;
    until("the other keeps house", async || {
        let nodes = other.gateway.cli(&["nodes", "--json"]).await?;
        let nodes: serde_json::Value = serde_json::from_str(&nodes)?;
        Ok((nodes.as_array().is_some_and(|all| all.len() == 1) && nodes[0]["leases"][0]["name"] == "housekeeping").then_some(()))
    })
    .await
}
