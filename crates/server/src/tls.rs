//! The certificate of the TLS door: read, checked against its key, and exchanged while connections live on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Serialize;
use tokio_rustls::TlsAcceptor;
use utoipa::ToSchema;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{acme, config};

/// A certificate that is good for fewer days is told of.
pub const FEW_DAYS: i64 = 14;
/// What we speak. The gateway speaks no HTTP/2.
const PROTOCOL: &[u8] = b"http/1.1";
/// What an authority speaks that wants a proof (RFC 8737).
const PROOF: &[u8] = b"acme-tls/1";

/// A certificate as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificateView {
    /// The names it is for.
    pub names: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whole days until then; below zero when it has ended.
    pub days_left: i64,
}

impl CertificateView {
    /// Reads what a file of certificates is good for; its key is not needed.
    pub fn of_file(path: &Path, now: Timestamp) -> anyhow::Result<Self> {
        Ok(Facts::of(&chain(path, &read("certificate", path)?)?[0], path)?.view(now))
    }

    /// In words, for people.
    pub fn words(&self) -> String {
        let (names, until) = (self.names.join(", "), self.expires_at.strftime("%Y-%m-%d"));
        match self.days_left {
            ..0 => format!("{names}: ENDED on {until}; senders refuse it"),
            days => format!("{names}: until {until}, {days} days left"),
        }
    }
}

/// What a certificate says of itself.
#[derive(Clone, Debug)]
struct Facts {
    names: Vec<String>,
    begins_at: Timestamp,
    expires_at: Timestamp,
}

impl Facts {
    fn of(certificate: &CertificateDer<'_>, path: &Path) -> anyhow::Result<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| anyhow!("the certificate {} cannot be understood: {error}", path.display()))?;
        let begins_at = Timestamp::from_second(parsed.validity().not_before.timestamp())?;
        let expires_at = Timestamp::from_second(parsed.validity().not_after.timestamp())?;
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let mut names: Vec<String> = alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            names.push(parsed.subject().to_string());
        }
        Ok(Self { names, begins_at, expires_at })
    }

    fn view(&self, now: Timestamp) -> CertificateView {
        let days_left = (self.expires_at.as_second() - now.as_second()).div_euclid(24 * 60 * 60);
        CertificateView { names: self.names.clone(), expires_at: self.expires_at, days_left }
    }
}

/// A certificate with its key, in force.
#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    facts: Facts,
    /// The two files as they were read, to notice a change.
    files: (Vec<u8>, Vec<u8>),
}

#[derive(Debug)]
struct Current {
    loaded: RwLock<Arc<Loaded>>,
    /// What an authority that wants a proof is shown, by name.
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Current {
    fn get(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == PROOF)) {
            return self.challenges.read().unwrap_or_else(PoisonError::into_inner).get(hello.server_name()?).map(Arc::clone);
        }
        Some(Arc::clone(&self.get().key))
    }
}

/// The TLS door's lock.
pub struct Tls {
    acme: Option<config::Acme>,
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    server: Arc<ServerConfig>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificate and its key. Blocks.
    pub fn load(config: &config::Tls) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = (config.certificate.clone(), config.key.clone());
        if let Some(acme) = &config.acme {
            acme::prepare(acme, &certificate, &key)?;
        }
        let files = (read("certificate", &certificate)?, read("private key", &key)?);
        let loaded = loaded(&certificate, &key, files, &provider)?;
        let current = Arc::new(Current { loaded: RwLock::new(Arc::new(loaded)), challenges: RwLock::default() });
        let resolver = Arc::clone(&current);
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        if config.acme.is_some() {
            server.alpn_protocols.push(PROOF.to_vec());
        }
        Ok(Self { acme: config.acme.clone(), certificate, key, provider, current, server: Arc::new(server) })
    }

    /// What shakes hands.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    /// Looks whether the files have changed and puts a good new pair in force, for handshakes from now on. A bad one changes
    /// nothing. Blocks.
    pub fn look_again(&self) -> anyhow::Result<bool> {
        let files = (read("certificate", &self.certificate)?, read("private key", &self.key)?);
        if self.current.get().files == files {
            return Ok(false);
        }
        let loaded = loaded(&self.certificate, &self.key, files, &self.provider)?;
        *self.current.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(true)
    }

    /// Who renews the certificate, if the gateway sees to it.
    pub fn acme(&self) -> Option<&config::Acme> {
        self.acme.as_ref()
    }

    /// The files of the certificate and of its key.
    pub fn files(&self) -> (PathBuf, PathBuf) {
        (self.certificate.clone(), self.key.clone())
    }

    /// Whether less than a third of the certificate's life is left.
    pub fn is_old(&self, now: Timestamp) -> bool {
        let Facts { begins_at, expires_at, .. } = self.current.get().facts;
        (expires_at.as_second() - now.as_second()) * 3 < expires_at.as_second() - begins_at.as_second()
    }

    /// From now on an authority that asks for a name is shown this proof.
    pub fn challenge(&self, name: String, digest: &[u8]) -> anyhow::Result<()> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(vec![name.clone()])?;
        params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
        let certificate = params.self_signed(&key)?.der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow!("a new key is none: {error}"))?;
        // Not compared with each other: the comparison knows nothing of the extension that makes it a proof.
        let shown = CertifiedKey::new(vec![certificate], self.provider.key_provider.load_private_key(private)?);
        self.current.challenges.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(shown));
        Ok(())
    }

    /// Nothing is to be proven any more.
    pub fn forget_challenges(&self) {
        self.current.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The certificate in force.
    pub fn view(&self, now: Timestamp) -> CertificateView {
        self.current.get().facts.view(now)
    }
}

fn read(what: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!("the {what} {} cannot be read by the gateway's user: see certificate and key in [server.tls]", path.display())
    })
}

/// The certificate itself first, then those that lead to its authority.
fn chain(path: &Path, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("the certificate {} is damaged: {error}", path.display()))?;
    if chain.is_empty() {
        bail!(
            "{} holds no certificate: a file with -----BEGIN CERTIFICATE----- is needed (fullchain.pem of certbot)",
            path.display()
        );
    }
    Ok(chain)
}

fn private_key(path: &Path, pem: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        bail!(
            "the private key {} is locked with a passphrase, which nobody is there to type: unlock it (openssl pkey -in locked.pem -out key.pem)",
            path.display()
        );
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        anyhow!(
            "{} holds no private key: a file with -----BEGIN PRIVATE KEY----- is needed (privkey.pem of certbot)",
            path.display()
        )
    })
}

fn loaded(certificate: &Path, key: &Path, files: (Vec<u8>, Vec<u8>), provider: &CryptoProvider) -> anyhow::Result<Loaded> {
    let chain = chain(certificate, &files.0)?;
    let facts = Facts::of(&chain[0], certificate)?;
    let private = private_key(key, &files.1)?;
    let pair = CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => anyhow!(
            "the private key {} is not that of the certificate {}: both must come from the same order, and the certificate itself \
             must stand first in its file",
            key.display(),
            certificate.display()
        ),
        other => anyhow!("the private key {} cannot be used: {other}", key.display()),
    })?;
    Ok(Loaded { key: Arc::new(pair), facts, files })
}

#[cfg(test)]
mod tests;
