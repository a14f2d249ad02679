//! TLS by rustls with ring: the system's authorities, more of them from a file, or one certificate by its fingerprint. There is no
//! way to believe anybody.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Io, Peer, PeerError};

impl Peer {
    /// Encrypts a connection. Gives the SHA-256 of the server's certificate, too.
    pub async fn shake(&self, stream: Box<dyn Io>) -> Result<(Box<dyn Io>, [u8; 32]), PeerError> {
        let server = self.name();
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| PeerError::Tls(format!("{:?} is no name a certificate could be for", self.host)))?;
        let provider = Arc::new(ring::default_provider());
        let trust = match self.fingerprint {
            Some(pin) => Trust::Pin(pin),
            None => Trust::Authorities(authorities(self, &provider).await?),
        };
        let verifier = Arc::new(Verifier { trust, provider: Arc::clone(&provider), shown: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| PeerError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        match timeout(self.timeout, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok((Box::new(stream), verifier.shown().fingerprint.unwrap_or_default())),
            Ok(Err(error)) => Err(explain(&error, self, &verifier)),
            Err(_elapsed) => Err(PeerError::Network(format!("{server} did not finish the TLS handshake in time"))),
        }
    }
}

/// Certificates of a PEM file; the error is for people.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("there is no certificate in {}: it has to be a PEM file", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// A fingerprint as `openssl x509 -fingerprint` writes it.
pub fn fingerprint_text(fingerprint: &[u8; 32]) -> String {
    fingerprint.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

async fn authorities(peer: &Peer, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, PeerError> {
    let ca = peer.ca.clone();
    // Read at each connection, so that what the system or the owner renews is believed without a restart.
    let read = tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            for certificate in certificates(&path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{} holds a certificate that cannot be used: {error}", path.display()))?;
            }
        }
        Ok::<_, String>(roots)
    });
    let roots = read.await.map_err(|_| PeerError::Tls("the system's certificates cannot be read".to_owned()))?;
    let roots = roots.map_err(PeerError::Tls)?;
    if roots.is_empty() {
        return Err(PeerError::Tls(
            "this machine knows no certificate authority: install the package ca-certificates, or write ca or fingerprint"
                .to_owned(),
        ));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| PeerError::Tls(error.to_string()))
}

/// Whom to believe.
#[derive(Debug)]
enum Trust {
    Authorities(Arc<WebPkiServerVerifier>),
    /// The certificate with this SHA-256, whoever signed it and whatever name it is for.
    Pin([u8; 32]),
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Shown>,
}

/// What the server showed.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    /// The SHA-256 of its certificate.
    fingerprint: Option<[u8; 32]>,
    /// Whether the certificate is believed; its key is asked for after that.
    believed: bool,
}

impl Verifier {
    fn shown(&self) -> Shown {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen: [u8; 32] = Sha256::digest(end_entity).into();
        let verdict = match &self.trust {
            Trust::Authorities(inner) => inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            Trust::Pin(pin) if *pin == seen => Ok(ServerCertVerified::assertion()),
            Trust::Pin(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        };
        let shown = Shown { fingerprint: Some(seen), believed: verdict.is_ok() };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        verdict
    }

    // That the server holds the certificate's key is always checked.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn explain(error: &io::Error, peer: &Peer, verifier: &Verifier) -> PeerError {
    let server = peer.name();
    let shown = verifier.shown();
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return PeerError::Network(format!("the connection to {server} broke during the TLS handshake: {error}"));
    };
    let words = match inner {
        Error::InvalidCertificate(why) => {
            if shown.believed {
                return PeerError::Tls(format!(
                    "{server} does not have the key of the certificate it shows: somebody may be in the way"
                ));
            }
            let Some(seen) = shown.fingerprint else { return PeerError::Tls(format!("{server}: {why}")) };
            return PeerError::Tls(about_certificate(&server, why, &seen, &verifier.trust));
        }
        Error::InvalidMessage(_) => {
            let usual = peer.ports.starttls;
            format!(
                "{server} does not speak TLS: is it the port of security = \"starttls\" ({usual} usually), or of another service?"
            )
        }
        Error::AlertReceived(_) | Error::PeerIncompatible(_) | Error::NoCertificatesPresented => {
            format!("{server} and this gateway have no way of encryption in common (TLS 1.2 or 1.3 is needed): {inner}")
        }
        other => format!("TLS with {server} failed: {other}"),
    };
    PeerError::Tls(words)
}

fn about_certificate(server: &str, why: &CertificateError, seen: &[u8; 32], trust: &Trust) -> String {
    let seen = fingerprint_text(seen);
    if let Trust::Pin(pin) = trust {
        let pin = fingerprint_text(pin);
        return format!(
            "{server} shows another certificate than the one that is believed: SHA-256 {seen} instead of {pin}. If it was renewed, write \
             fingerprint = \"{seen}\""
        );
    }
    let what = match why {
        // A bad signature: somebody known by this name has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "is signed by nobody this machine knows".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has run out".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet: is this machine's clock right?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is for another name ({why})")
        }
        // webpki's own errors come as text only.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "is that of an authority (CA:TRUE), as self-signed ones often are; no list of authorities helps".to_owned()
        }
        other => format!("cannot be believed ({other})"),
    };
    format!(
        "the certificate of {server} {what}. Its SHA-256 is {seen}. If that is your server's, write fingerprint = \"{seen}\" to believe it \
         alone, or ca = \"authority.pem\" to believe who signed it"
    )
}
