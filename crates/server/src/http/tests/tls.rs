//! The TLS door: the same gateway behind a certificate that can be exchanged.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

const NAME: &str = "leads.example.org";
const SECTION: &str = "tls = { listen = \"127.0.0.1:0\", certificate = \"fullchain.pem\", key = \"privkey.pem\" }";

/// Puts a new certificate and its key beside the configuration; the certificate.
fn put(folder: &std::path::Path) -> String {
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::create_dir_all(folder.join("config")).unwrap();
    std::fs::write(folder.join("config/fullchain.pem"), &certificate).unwrap();
    std::fs::write(folder.join("config/privkey.pem"), key.serialize_pem()).unwrap();
    certificate
}

/// Shakes hands as somebody who trusts this certificate alone.
async fn connect(rig: &Rig, certificate: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let stream = TcpStream::connect(rig.tls.unwrap()).await.unwrap();
    connector.connect(ServerName::try_from(NAME).unwrap(), stream).await
}

/// Asks, with the key of this machine's commands; the answer's head and body.
async fn ask(stream: &mut TlsStream<TcpStream>, rig: &Rig, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {}\r\n\r\n", rig.key);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if let (Some(length), Some(head)) = (length, text.find("\r\n\r\n"))
            && answer.len() >= head + 4 + length
        {
            return text;
        }
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.unwrap();
        assert!(read > 0, "the connection ended: {text}");
        answer.extend_from_slice(&more[..read]);
    }
}

#[tokio::test]
async fn both_doors_lead_to_the_same_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = put(folder.path());
    let rig = Rig::in_folder(folder, SECTION, "");
    let mut stream = connect(&rig, &certificate).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
    let status = ask(&mut stream, &rig, "/api/v1/status").await;
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    assert!(
        status.contains(&format!("\"certificate\":{{\"names\":[\"{NAME}\"],\"expires_at\":\"2090-01-01T00:00:00Z\"")),
        "{status}"
    );
    let demo = ask(&mut stream, &rig, "/demo").await;
    assert!(demo.contains(&format!("https://{NAME}{}", form_path())), "the snippet's URL is as the visitor sees it");
    let metrics = ask(&mut stream, &rig, "/metrics").await;
    assert!(metrics.contains("leadgate_certificate_days_left "), "{metrics}");
    assert_eq!(rig.get("/status").await["certificate"]["names"][0], NAME);
    // What is no handshake is hung up on, and harms nobody.
    let mut plain = TcpStream::connect(rig.tls.unwrap()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"));
    drop(stream);
    rig.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_drops_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let old = put(folder.path());
    let rig = Rig::in_folder(folder, SECTION, "");
    assert!(rig.gateway.store().await.is_some());
    let mut before = connect(&rig, &old).await.unwrap();
    assert!(ask(&mut before, &rig, "/healthz").await.starts_with("HTTP/1.1 200"));
    let new = put(rig.folder.path());
    let reloaded: Value = rig.call(Method::POST, "/admin/reload", &rig.key).send().await.unwrap().json().await.unwrap();
    assert_eq!(reloaded["restart_needed"], false);
    assert!(connect(&rig, &old).await.is_err(), "the old one is shown to nobody any more");
    let mut after = connect(&rig, &new).await.unwrap();
    assert!(ask(&mut after, &rig, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut before, &rig, "/healthz").await.starts_with("HTTP/1.1 200"), "who was there before stays");
    // A pair that does not fit is refused in words, and the good one stays.
    std::fs::write(rig.folder.path().join("config/privkey.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let refused = rig.call(Method::POST, "/admin/reload", &rig.key).send().await.unwrap();
    assert_eq!(refused.status(), 409);
    let told: Value = refused.json().await.unwrap();
    assert!(told["detail"].as_str().unwrap().contains("is not that of the certificate"), "{told}");
    assert!(connect(&rig, &new).await.is_ok());
    drop((before, after));
    rig.stop().await;
}
