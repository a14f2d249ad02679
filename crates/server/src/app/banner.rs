//! What a person reads at the start: where to send, where to look, what was assumed, what to do next.

use std::net::SocketAddr;

use super::gateway::Gateway;
use super::live::Live;
use crate::config::Database;
use crate::secrets;

/// The words.
pub fn banner(
    gateway: &Gateway,
    (addresses, tls): (&[SocketAddr], &[SocketAddr]),
    note: Option<&str>,
    database: &Database,
) -> String {
    let live = gateway.live();
    let local = local_url(addresses).unwrap_or_else(|| live.base_url.clone());
    let mut out = Lines(String::new());
    out.line(&format!("Leadgate {} is up at {local}", env!("CARGO_PKG_VERSION")));
    if let Some(note) = note {
        out.pair("note", note);
    }
    out.line("");
    out.sources(&live, &local);
    if let Some((address, certificate)) = tls.first().zip(gateway.certificate()) {
        out.pair("TLS", &format!("port {}: {}", address.port(), certificate.words()));
    }
    out.pair("demo page", &format!("{local}/demo"));
    out.line("");
    let zone = live.time_zone.iana_name().unwrap_or("this machine's");
    out.pair("company", &format!("{}, {}, {zone}, {}", live.company, live.country, live.language));
    for (at, words) in live.assumed.iter().enumerate() {
        out.pair(if at == 0 { "assumed" } else { "" }, words);
    }
    if live.files.is_empty() {
        out.pair("config", "what is built in");
    }
    for (at, file) in live.files.iter().enumerate() {
        out.pair(if at == 0 { "config" } else { "" }, &file.display().to_string());
    }
    out.pair("database", &database.to_string());
    if gateway.attachments.is_elsewhere() {
        out.pair("attachments", gateway.attachments.name());
    }
    out.pair("API token", &secrets::api_token_file(&gateway.data_dir).display().to_string());
    out.line("");
    out.line("What next:");
    out.line(&format!("  1. open {local}/demo and send the form"));
    out.line("  2. leadgate leads show 1     what became of it, and why");
    if live.assumed.is_empty() {
        out.line("  3. leadgate sources          the URLs for your forms");
    } else {
        out.line("  3. leadgate init             five questions: company, country, time zone, language, public URL");
    }
    out.line("Ctrl-C stops it.");
    out.0
}

struct Lines(String);

impl Lines {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:<12} {value}"));
    }

    fn sources(&mut self, live: &Live, local: &str) {
        let base = live.public_url.as_deref().unwrap_or(local);
        for source in live.sources.iter().filter(|source| source.enabled) {
            self.pair(source.id.as_str(), &format!("{base}{}   ({})", source.path(), source.kind));
        }
        if !live.sources.iter().any(|source| source.enabled) {
            self.pair("sources", "none: `leadgate source new html_form` adds one");
        }
    }
}

/// Where a browser on this machine reaches us.
fn local_url(addresses: &[SocketAddr]) -> Option<String> {
    let best = addresses.iter().find(|a| a.ip().is_unspecified() || a.ip().is_loopback()).or(addresses.first())?;
    Some(match best.ip() {
        ip if ip.is_unspecified() => format!("http://127.0.0.1:{}", best.port()),
        _ => format!("http://{best}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_an_address_it_can_open() {
        assert_eq!(local_url(&["[::]:8080".parse().unwrap()]).unwrap(), "http://127.0.0.1:8080");
        assert_eq!(local_url(&["10.0.0.5:80".parse().unwrap()]).unwrap(), "http://10.0.0.5:80");
        assert_eq!(local_url(&[]), None);
    }
}
