//! A certificate from an authority, by ACME (RFC 8555): ordered when a third of the one at hand is left, proven at the TLS door itself
//! (TLS-ALPN-01, RFC 8737), and kept as the files that the door reads.

use std::io::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, HttpClient, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

use crate::app::Gateway;
use crate::config::Acme;
use crate::tls::Tls;

/// How often the certificate is looked at.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// After a failure the authority is asked again after this time, and after twice as long each time. Authorities count failures.
const AGAIN_AFTER: Duration = Duration::from_mins(5);
/// The longest time between two attempts.
const AGAIN_AT_MOST: Duration = Duration::from_hours(6);
/// How long the authority may take for an answer, and for its decision.
const PATIENCE: Duration = Duration::from_mins(1);
/// The account with the authority: its key and number.
const ACCOUNT: &str = "account.json";

/// Makes sure that the door has a certificate to begin with: one of our own, which nobody trusts, until the authority's has come.
/// Blocks.
pub fn prepare(acme: &Acme, certificate: &Path, key: &Path) -> anyhow::Result<()> {
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    crate::secrets::create_data_dir(&acme.folder)?;
    let own = KeyPair::generate()?;
    let mut params = CertificateParams::new(acme.domains.clone()).context("domains of acme in [server.tls]")?;
    // Long over: so it is replaced at once.
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2000, 1, 2);
    write(key, &own.serialize_pem())?;
    write(certificate, &params.self_signed(&own)?.pem())
}

/// Renews the certificate whenever it is time, until told to stop.
pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let Some((tls, acme)) = gateway.tls().and_then(|tls| Some((tls, tls.acme()?))) else { return };
    let mut again = AGAIN_AFTER;
    loop {
        let mut wait = LOOK_EVERY;
        if tls.is_old(gateway.clock.now()) {
            let ordered = tokio::select! {
                ordered = order(acme, tls) => ordered,
                () = stop.cancelled() => return,
            };
            tls.forget_challenges();
            match ordered {
                Ok(()) => again = AGAIN_AFTER,
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "no certificate came from the authority; it is asked again in {} min",
                        again.as_secs() / 60
                    );
                    wait = again;
                    again = (again * 2).min(AGAIN_AT_MOST);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One order, from the account to the files.
async fn order(acme: &Acme, tls: &Tls) -> anyhow::Result<()> {
    let account = account(acme).await?;
    let names: Vec<Identifier> = acme.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await.context("the order was refused")?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or_else(|| anyhow!("the authority does not offer tls-alpn-01, the one way of proof the gateway knows"))?;
        let name = challenge.identifier().to_string();
        tls.challenge(name, challenge.key_authorization().digest().as_ref())?;
        challenge.set_ready().await?;
    }
    let patience = RetryPolicy::default().timeout(PATIENCE);
    let status = order.poll_ready(&patience).await?;
    if status != OrderStatus::Ready {
        return Err(anyhow!("the authority could not verify {}: {}", acme.domains.join(", "), why(&mut order).await));
    }
    let key = order.finalize().await?;
    let certificate = order.poll_certificate(&patience).await?;
    let (certificate_file, key_file) = tls.files();
    tokio::task::spawn_blocking(move || write(&key_file, &key).and_then(|()| write(&certificate_file, &certificate))).await??;
    tls.look_again()?;
    tracing::info!(domains = acme.domains.join(", "), "a certificate came from the authority");
    Ok(())
}

/// What the authority says of the proofs that failed.
async fn why(order: &mut Order) -> String {
    let mut said = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        said.extend(state.challenges.iter().filter_map(|challenge| challenge.error.as_ref()).map(ToString::to_string));
    }
    if said.is_empty() { "it gives no reason".to_owned() } else { said.join("; ") }
}

async fn account(acme: &Acme) -> anyhow::Result<Account> {
    let file = acme.folder.join(ACCOUNT);
    let builder = Account::builder_with_http(Box::new(client(acme)?));
    match std::fs::read(&file) {
        Ok(kept) => {
            let credentials: AccountCredentials = serde_json::from_slice(&kept)
                .with_context(|| format!("{} is damaged: delete it to make a new account", file.display()))?;
            Ok(builder.from_credentials(credentials).await.context("the authority cannot be asked")?)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let contact = acme.email.iter().map(|email| format!("mailto:{email}")).collect::<Vec<_>>();
            let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
            let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
            let (account, credentials) =
                builder.create(&new, acme.directory.clone(), None).await.context("the authority made no account")?;
            write(&file, &serde_json::to_string(&credentials)?)?;
            Ok(account)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Writes a file that only the gateway may read, whole or not at all.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let context = || format!("{} cannot be written", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).map_err(|error| error.error).with_context(context)?;
    Ok(())
}

/// Asks the authority over verified TLS only.
struct Asker(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

fn client(acme: &Acme) -> anyhow::Result<Asker> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let connector = match &acme.ca {
        None => HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .context("this machine has no certificates to trust (Debian: apt-get install ca-certificates)")?,
        Some(ca) => {
            let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
            HttpsConnectorBuilder::new().with_tls_config(tls.with_root_certificates(roots(ca)?).with_no_client_auth())
        }
    };
    Ok(Asker(Client::builder(TokioExecutor::new()).build(connector.https_only().enable_http1().build())))
}

fn roots(ca: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(|| format!("ca {} cannot be read", ca.display()))? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

impl HttpClient for Asker {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let asked = tokio::time::timeout(PATIENCE, self.0.request(request));
        Box::pin(async move {
            match asked.await {
                Ok(Ok(answer)) => Ok(BytesResponse::from(answer)),
                Ok(Err(error)) => Err(instant_acme::Error::Other(Box::new(error))),
                Err(elapsed) => Err(instant_acme::Error::Other(Box::new(elapsed))),
            }
        })
    }
}
