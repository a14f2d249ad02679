//! Who calls: the address behind declared proxies, and how the sender saw our URL. What an undeclared proxy says is not
//! believed.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HOST};
use ipnet::IpNet;

use super::problem::Problem;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether it came by the TLS door.
    pub tls: bool,
}

/// Who is at the other end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The other end of the connection.
    pub socket: IpAddr,
    /// The sender's address, if it is known.
    pub client: Option<IpAddr>,
    /// What stands between.
    pub via: Via,
    /// Whether the sender spoke TLS, with us or by a declared proxy's word.
    pub tls: bool,
}

/// What stands between us and the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Nothing we know of.
    Direct,
    /// A declared proxy.
    Proxy,
    /// A neighbour that forwards, and that nobody has declared.
    Undeclared,
}

impl Caller {
    /// Reads the other end and, if it is a declared proxy, its headers.
    pub fn of(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let Peer { address: socket, tls: encrypted } = peer;
        let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
        if is_trusted(socket) {
            let tls = last(headers, X_FORWARDED_PROTO).map_or(encrypted, |scheme| scheme.eq_ignore_ascii_case("https"));
            return Self { socket, client: forwarded_client(headers, socket, is_trusted), via: Via::Proxy, tls };
        }
        let forwards = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
        if forwards && is_near(socket) {
            return Self { socket, client: None, via: Via::Undeclared, tls: encrypted };
        }
        Self { socket, client: Some(socket), via: Via::Direct, tls: encrypted }
    }

    /// Whether what needs no token may be told to operators: on this machine itself, or behind a declared proxy.
    pub fn is_operator(&self) -> bool {
        match self.via {
            Via::Direct => self.socket.is_loopback(),
            Via::Proxy => true,
            Via::Undeclared => false,
        }
    }

    /// Refuses whose token would cross a network unencrypted.
    pub fn may_show_a_token(&self) -> Result<(), Problem> {
        if self.is_operator() || (self.via == Via::Direct && self.tls) { Ok(()) } else { Err(Problem::Elsewhere) }
    }

    /// Refuses who is no operator.
    pub fn may_operate(&self) -> Result<(), Problem> {
        if self.is_operator() { Ok(()) } else { Err(Problem::Elsewhere) }
    }

    /// Whether the sender sits at this very machine.
    pub fn is_local(&self) -> bool {
        self.client.is_some_and(|client| client.is_loopback())
    }
}

/// The rightmost address that is no declared proxy: what stands left of it, the sender may have written himself.
fn forwarded_client(headers: &HeaderMap, socket: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut chain: Vec<Option<IpAddr>> = list(headers, X_FORWARDED_FOR).map(parse_address).collect();
    if chain.is_empty() {
        chain = list(headers, FORWARDED.as_str()).filter_map(forwarded_for).map(parse_address).collect();
    }
    let mut leftmost = Some(socket);
    for address in chain.into_iter().rev() {
        match address {
            Some(address) if is_trusted(address) => leftmost = Some(address),
            // A sender, or something that hides it ("unknown").
            other => return other,
        }
    }
    leftmost
}

/// The elements of a list header, over all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    list(headers, name).last()
}

/// `for=` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1`, `[2001:db8::1]:5678`.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// Loopback, link-local and private networks: where proxies of one's own stand.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The start of our URL as the sender saw it: scheme and host.
pub fn origin(caller: &Caller, headers: &HeaderMap, public_url: Option<&str>, base_url: &str) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    match host {
        Some(host) => {
            let scheme = if caller.tls { "https://" } else { "http://" };
            let mut origin = String::with_capacity(scheme.len() + host.len());
            origin.push_str(scheme);
            origin.push_str(host);
            origin
        }
        None => base_url.to_owned(),
    }
}

/// A name or address, with or without a port; nothing that could end an attribute or a header.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(socket: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> Caller {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        Caller::of(Peer { address: socket.parse().unwrap(), tls: false }, &map, &trusted)
    }

    #[test]
    fn only_declared_proxies_are_believed() {
        type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a [&'a str], Option<&'a str>, Via);
        let xff = ("x-forwarded-for", "198.51.100.1, 203.0.113.9");
        let cases: [Case<'_>; 11] = [
            ("203.0.113.5", &[], &[], Some("203.0.113.5"), Via::Direct),
            // A stranger may write what he likes.
            ("203.0.113.5", &[xff], &[], Some("203.0.113.5"), Via::Direct),
            ("127.0.0.1", &[], &[], Some("127.0.0.1"), Via::Direct),
            ("127.0.0.1", &[xff], &[], None, Via::Undeclared),
            ("10.1.2.3", &[("forwarded", "for=198.51.100.1")], &[], None, Via::Undeclared),
            // The sender wrote the left one himself.
            ("127.0.0.1", &[xff], &["127.0.0.1/32"], Some("203.0.113.9"), Via::Proxy),
            ("127.0.0.1", &[xff], &["127.0.0.0/8", "203.0.113.0/24"], Some("198.51.100.1"), Via::Proxy),
            ("127.0.0.1", &[("x-forwarded-for", "unknown")], &["127.0.0.1/32"], None, Via::Proxy),
            ("127.0.0.1", &[], &["127.0.0.1/32"], Some("127.0.0.1"), Via::Proxy),
            (
                "127.0.0.1",
                &[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https")],
                &["127.0.0.1/32"],
                Some("2001:db8::7"),
                Via::Proxy,
            ),
            (
                "127.0.0.1",
                &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9:99")],
                &["127.0.0.1/32"],
                Some("203.0.113.9"),
                Via::Proxy,
            ),
        ];
        for (socket, headers, trusted, client, via) in cases {
            let found = caller(socket, headers, trusted);
            assert_eq!((found.client, found.via), (client.map(|c| c.parse().unwrap()), via), "{socket} {headers:?} {trusted:?}");
        }
    }

    #[test]
    fn operators_sit_here_or_behind_a_declared_proxy() {
        assert!(caller("127.0.0.1", &[], &[]).is_operator());
        assert!(caller("::1", &[], &[]).is_operator());
        assert!(!caller("192.168.1.7", &[], &[]).is_operator());
        // A proxy on this machine that nobody declared would open the API to the world.
        assert!(!caller("127.0.0.1", &[("x-forwarded-for", "203.0.113.9")], &[]).is_operator());
        assert!(caller("10.0.0.2", &[("x-forwarded-for", "203.0.113.9")], &["10.0.0.0/8"]).is_operator());
    }

    #[test]
    fn a_token_crosses_no_network_in_the_open() {
        let far = Peer { address: [203, 0, 113, 9].into(), tls: false };
        let allowed = |peer, headers: &HeaderMap| Caller::of(peer, headers, &[]).may_show_a_token().is_ok();
        let none = HeaderMap::new();
        assert!(!allowed(far, &none));
        assert!(allowed(Peer { tls: true, ..far }, &none));
        assert!(Caller::of(Peer { tls: true, ..far }, &none, &[]).may_operate().is_err(), "the metrics take no token");
        // A proxy nobody declared may have taken the request in the open.
        let mut forwarded = HeaderMap::new();
        forwarded.insert(X_FORWARDED_FOR, "203.0.113.9".parse().unwrap());
        assert!(!allowed(Peer { address: [10, 0, 0, 2].into(), tls: true }, &forwarded));
    }

    #[test]
    fn the_url_is_as_the_sender_saw_it() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "leads.example.org:8080".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let proxy: Vec<IpNet> = vec!["127.0.0.1/32".parse().unwrap()];
        let near = Peer { address: [127, 0, 0, 1].into(), tls: false };
        let (declared, direct) = (Caller::of(near, &headers, &proxy), Caller::of(near, &headers, &[]));
        let encrypted = Caller::of(Peer { tls: true, ..near }, &headers, &[]);
        assert_eq!(origin(&encrypted, &headers, None, "x"), "https://leads.example.org:8080");
        assert_eq!(origin(&declared, &headers, None, "x"), "https://leads.example.org:8080");
        assert_eq!(origin(&direct, &headers, None, "x"), "http://leads.example.org:8080");
        assert_eq!(origin(&direct, &headers, Some("https://l.example"), "x"), "https://l.example");
        headers.insert(HOST, "a\"><b".parse().unwrap());
        assert_eq!(origin(&direct, &headers, None, "http://here:1"), "http://here:1");
    }
}
