//! `[server.tls]`: a second door, with a certificate of one's own or from an authority.

use std::path::{Path, PathBuf};

use super::Listen;
use super::check::listen;
use super::layers::absolute;
use super::section::Section;

/// The port when none is given.
const PORT: u16 = 8443;
/// The authority when none is given.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// What comes from an authority lies here, in the data folder.
const FOLDER: &str = "acme";

/// `[server.tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Where it listens.
    pub listen: Listen,
    /// The certificate and those that lead to its authority, PEM, absolute.
    pub certificate: PathBuf,
    /// Its private key, PEM, absolute.
    pub key: PathBuf,
    /// Who renews the two, if the gateway is to see to it.
    pub acme: Option<Acme>,
}

/// `[server.tls.acme]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The names the certificate is for, one at least.
    pub domains: Vec<String>,
    /// Where the authority writes to when something is wrong.
    pub email: Option<String>,
    /// The authority's directory.
    pub directory: String,
    /// Certificates that vouch for the authority's own, PEM, absolute; the machine's if none are given.
    pub ca: Option<PathBuf>,
    /// Where the account, the certificate and its key are kept, absolute.
    pub folder: PathBuf,
}

/// Reads the section; nothing in it means no TLS. The files are read at the start, not here.
pub(super) fn tls(mut section: Section<'_>, base: &Path, data_dir: &Path) -> Option<Tls> {
    let listen = listen(&mut section, PORT);
    let (certificate, key) = (section.text("certificate"), section.text("key"));
    let acme = acme(section.section("acme"), base, data_dir);
    let path = |text: &str| absolute(base, Path::new(text));
    let tls = match (certificate, key, acme) {
        (None, None, None) => None,
        (None, None, Some(acme)) => {
            let (certificate, key) = (acme.folder.join("fullchain.pem"), acme.folder.join("privkey.pem"));
            Some(Tls { listen, certificate, key, acme: Some(acme) })
        }
        (Some(certificate), Some(key), None) => {
            Some(Tls { listen, certificate: path(&certificate), key: path(&key), acme: None })
        }
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            section.problem("acme", "write either domains here or certificate and key in [server.tls]: each names a certificate");
            None
        }
        (Some(_), None, None) => {
            section.problem("key", "a certificate needs its private key: write the path of its file");
            None
        }
        (None, Some(_), None) => {
            section.problem("certificate", "a private key needs its certificate: write the path of its file");
            None
        }
    };
    section.finish();
    tls
}

/// The domains make it an order.
fn acme(mut section: Section<'_>, base: &Path, data_dir: &Path) -> Option<Acme> {
    let domains = section.list("domains", domain);
    let acme = Acme {
        email: section.text("email"),
        directory: section.parsed("directory", directory).unwrap_or_else(|| DIRECTORY.to_owned()),
        ca: section.text("ca").map(|path| absolute(base, Path::new(&path))),
        folder: data_dir.join(FOLDER),
        domains,
    };
    section.finish();
    Some(acme).filter(|acme| !acme.domains.is_empty())
}

fn domain(text: &str) -> Result<String, String> {
    match url::Host::parse(text) {
        Ok(url::Host::Domain(domain)) if domain.contains('.') && !domain.contains('*') => Ok(domain),
        _ => Err(format!("{text:?} is no name the gateway can prove: write one such as \"leads.company.ru\", without *")),
    }
}

fn directory(text: &str) -> Result<String, String> {
    if text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is no directory of an authority: it begins with https://"))
    }
}
