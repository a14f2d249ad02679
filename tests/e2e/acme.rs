//! A certificate from an authority: Pebble, the one that ACME's authors test with (Debian: apt-get install pebble).

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use leadgate_tests::client::{World, send, until};
use leadgate_tests::gateway::{Setup, free_port};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tokio::process::{Child, Command};

const NAME: &str = "leads.example.org";

/// Pebble, and a DNS that leads every name here.
struct Authority {
    directory: String,
    _processes: [Child; 2],
}

impl Authority {
    async fn start(folder: &Path, door: u16) -> anyhow::Result<Self> {
        let (port, management, dns, dns_management) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
        std::fs::write(folder.join("pebble.pem"), certificate.pem())?;
        std::fs::write(folder.join("pebble.key"), key.serialize_pem())?;
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("pebble.pem"), "privateKey": folder.join("pebble.key"),
            "httpPort": 1, "tlsPort": door, "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        std::fs::write(folder.join("pebble.json"), config.to_string())?;
        let log = std::fs::File::create(folder.join("pebble.log"))?;
        let start = |program: &str, arguments: &[&str]| {
            Command::new(program)
                .args(arguments)
                .env("PEBBLE_VA_NOSLEEP", "1")
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::from(log.try_clone()?))
                .stderr(Stdio::from(log.try_clone()?))
                .kill_on_drop(true)
                .spawn()
        };
        let dns = format!("127.0.0.1:{dns}");
        let pebble = start("pebble", &["-config", "pebble.json", "-dnsserver", &dns])
            .context("this test needs Pebble: tests/run installs it (Debian: apt-get install pebble)")?;
        let management = format!("127.0.0.1:{dns_management}");
        let names = start(
            "pebble-challtestsrv",
            &["-dns01", &dns, "-http01", "", "-https01", "", "-tlsalpn01", "", "-management", &management, "-defaultIPv6", ""],
        )?;
        until("Pebble listens", async || Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())).await?;
        Ok(Self { directory: format!("https://localhost:{port}/dir"), _processes: [pebble, names] })
    }
}

#[tokio::test]
async fn the_gateway_orders_its_certificate() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let door = free_port()?;
    let authority = Authority::start(folder.path(), door).await?;
    let said = folder.path().join("pebble.log");
    let server = format!(
        "tls = {{ listen = \"127.0.0.1:{door}\", acme = {{ domains = [\"{NAME}\"], email = \"admin@example.org\", directory = \"{}\", ca = \"pebble.pem\" }} }}",
        authority.directory
    );
    let world = World::in_folder(folder, &Setup { server, ..Setup::default() }).await?;
    let ordered = until("a certificate", async || {
        let asked = world.web.get(world.gateway.url("/api/v1/status")).bearer_auth(&world.token);
        let certificate = send(asked).await?.expect(200)?.json()?["certificate"].clone();
        Ok(certificate["days_left"].as_i64().is_some_and(|days| days > 10).then_some(certificate))
    })
    .await
    .with_context(|| {
        format!("{}\n{}", world.gateway.log().unwrap_or_default(), std::fs::read_to_string(said).unwrap_or_default())
    })?;
    assert_eq!(ordered["names"], json!([NAME]));
    // The account and the certificate outlive the process: the next start orders nothing.
    let kept = std::fs::read(world.gateway.data.join("acme/fullchain.pem"))?;
    let World { folder, gateway, .. } = world;
    assert!(gateway.stop().await?.success());
    drop(authority);
    let again = World::in_folder(folder, &Setup::default()).await?;
    let asked = again.web.get(again.gateway.url("/api/v1/status")).bearer_auth(&again.token);
    assert_eq!(send(asked).await?.expect(200)?.json()?["certificate"], ordered);
    assert_eq!(std::fs::read(again.gateway.data.join("acme/fullchain.pem"))?, kept);
    assert!(!again.gateway.log()?.contains("no certificate came"), "{}", again.gateway.log()?);
    Ok(())
}
