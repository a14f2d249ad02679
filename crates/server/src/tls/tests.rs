use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::config::Listen;

/// A certificate of its own authority and its key, PEM.
fn made(name: &str, until: (i32, u8, u8)) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write(folder: &TempDir, (certificate, key): &(String, String)) -> config::Tls {
    let tls = config::Tls {
        listen: Listen::Dual { port: 0 },
        certificate: folder.path().join("fullchain.pem"),
        key: folder.path().join("privkey.pem"),
        acme: None,
    };
    std::fs::write(&tls.certificate, certificate).unwrap();
    std::fs::write(&tls.key, key).unwrap();
    tls
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_certificate_says_what_it_is_for_and_how_long() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&folder, &made("leads.example.org", (2027, 1, 10)));
    let view = Tls::load(&config).unwrap().view(at("2027-01-01T12:00:00Z"));
    assert_eq!(view.names, ["leads.example.org"]);
    assert_eq!(view.days_left, 8, "{view:?}");
    assert_eq!(view.words(), "leads.example.org: until 2027-01-10, 8 days left");
    let ended = CertificateView::of_file(&config.certificate, at("2027-01-10T00:00:01Z")).unwrap();
    assert_eq!(ended.days_left, -1);
    assert!(ended.words().contains("ENDED on 2027-01-10"), "{}", ended.words());
}

#[test]
fn what_is_wrong_with_the_files_is_told() {
    let (one, other) = (made("a.example", (2030, 1, 1)), made("b.example", (2030, 1, 1)));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n".to_owned();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let cases = [
        ((one.0.clone(), other.1), "is not that of the certificate"),
        ((one.0.clone(), String::new()), "holds no private key"),
        ((one.0.clone(), locked), "passphrase"),
        ((one.1.clone(), one.1.clone()), "holds no certificate"),
        ((damaged, one.1.clone()), "cannot be understood"),
    ];
    for (files, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", Tls::load(&write(&folder, &files)).unwrap_err());
        assert!(error.contains(words) && error.contains(".pem"), "{words}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let config = write(&folder, &one);
    std::fs::remove_file(&config.key).unwrap();
    let error = format!("{:#}", Tls::load(&config).unwrap_err());
    assert!(error.contains("the private key") && error.contains("cannot be read") && error.contains("[server.tls]"), "{error}");
}

#[test]
fn a_renewed_pair_is_taken_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&folder, &made("leads.example.org", (2027, 1, 10)));
    let (tls, now) = (Tls::load(&config).unwrap(), at("2027-01-01T00:00:00Z"));
    assert!(!tls.look_again().unwrap());
    let renewed = made("leads.example.org", (2027, 4, 10));
    // Half of the new pair is there: the programs that renew write one file after the other.
    std::fs::write(&config.certificate, &renewed.0).unwrap();
    assert!(tls.look_again().is_err());
    assert_eq!(tls.view(now).days_left, 9);
    std::fs::write(&config.key, &renewed.1).unwrap();
    assert!(tls.look_again().unwrap());
    assert_eq!(tls.view(now).days_left, 99);
}
