//! Which addresses are the public internet, and what an owner lets the gateway reach beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use super::{CallError, NOT_PUBLIC};

/// IPv4 networks that are not globally reachable (IANA's special-purpose registry), multicast and reserved ones, and the
/// one public address under which a cloud keeps its metadata (Azure's).
const SPECIAL: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Whether an address is the public internet's. Addresses that wrap another one (mapped, NAT64) are judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4_is_public(v4),
        IpAddr::V6(v6) => v6_is_public(v6),
    }
}

fn v4_is_public(address: Ipv4Addr) -> bool {
    !SPECIAL.iter().any(|(network, length)| Ipv4Net::new(*network, *length).is_ok_and(|net| net.contains(&address)))
}

fn v6_is_public(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IPv4-mapped, and NAT64 by its well-known prefix (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4_is_public(embedded(high, low)),
        // Special purposes below 2001::/23 (Teredo, ORCHID, benchmarks), documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; everything else is local, multicast, or assigned to nobody.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// A service an owner lets the gateway reach although it is not the public internet's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inner {
    /// A host's name, at this port only, if one is written.
    Host(String, Option<u16>),
    /// An address, at this port only.
    Socket(IpAddr, u16),
    /// Every address of a network, at any port.
    Network(IpNet),
}

impl Inner {
    /// Reads `captcha.lan`, `captcha.lan:8080`, `10.0.0.7:8080`, `[fd00::7]:8080`, `10.0.0.7` or `10.0.0.0/24`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
            return Ok(Self::Socket(socket.ip(), socket.port()));
        }
        let wrong = || {
            format!("{text:?} is no host (\"captcha.lan:8080\"), no address (\"10.0.0.7:8080\") and no network (\"10.0.0.0/24\")")
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        match Host::parse(host) {
            Ok(Host::Domain(name)) if name.contains(|c: char| c.is_ascii_alphabetic()) => Ok(Self::Host(name, port)),
            _ => Err(wrong()),
        }
    }
}

/// All that an owner lets the gateway reach beside the public internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Inner>);

impl Allowed {
    /// These services.
    pub fn new(services: Vec<Inner>) -> Self {
        Self(services)
    }

    /// The host and port of this URL alone, wherever it is: for a URL that an owner wrote to have it called. Nothing, if it is none.
    pub fn host_of(url: &str) -> Self {
        let parsed = Url::parse(url).ok();
        let inner = parsed.as_ref().and_then(|url| {
            let port = url.port_or_known_default()?;
            Some(match url.host()? {
                Host::Domain(name) => Inner::Host(name.to_owned(), Some(port)),
                Host::Ipv4(ip) => Inner::Socket(ip.into(), port),
                Host::Ipv6(ip) => Inner::Socket(ip.into(), port),
            })
        });
        Self(inner.into_iter().collect())
    }

    /// A URL that may be called, as far as its text tells: what a name resolves to is judged when it is called.
    pub fn judged(&self, text: &str) -> Result<Url, CallError> {
        let refuse = |why: &str| Err(CallError::Address(why.to_owned()));
        let Ok(url) = Url::parse(text) else { return refuse("it is no URL") };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("a URL with a name and password in it is not called");
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return refuse("the URL names no host") };
        // The parser has made one of every spelling of an address: decimal, octal, hexadecimal, short.
        let inner = match host {
            Host::Ipv4(ip) => self.covers(ip.into(), port),
            Host::Ipv6(ip) => self.covers(ip.into(), port),
            Host::Domain(name) => match self.names(name, port) {
                Some(false) => return refuse("this inner service may be called at another port only"),
                named => named.is_some(),
            },
        };
        let public = match host {
            Host::Ipv4(ip) => is_public(ip.into()),
            Host::Ipv6(ip) => is_public(ip.into()),
            Host::Domain(_) => true,
        };
        match url.scheme() {
            "https" | "http" if !public && !inner => refuse(NOT_PUBLIC),
            "https" => Ok(url),
            "http" if inner => Ok(url),
            _ => refuse("only https:// is called"),
        }
    }

    /// Whether a host is named. `Some(false)`: named, but for other ports.
    pub(super) fn names(&self, host: &str, port: u16) -> Option<bool> {
        let mut found = None;
        for inner in &self.0 {
            if let Inner::Host(name, allowed) = inner
                && name == host
            {
                found = Some(found == Some(true) || allowed.is_none_or(|allowed| allowed == port));
            }
        }
        found
    }

    /// Whether an address may be called at a port.
    pub(super) fn covers(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|inner| match inner {
            Inner::Host(..) => false,
            Inner::Socket(ip, allowed) => *ip == address && *allowed == port,
            Inner::Network(network) => network.contains(&address),
        })
    }

    /// Whether what a name resolves to may be called: the host itself is named, or a network holds the address.
    pub(super) fn resolves(&self, host: &str, address: IpAddr) -> bool {
        self.0.iter().any(|inner| match inner {
            Inner::Host(name, _) => name == host,
            Inner::Socket(..) => false,
            Inner::Network(network) => network.contains(&address),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a02:6b8::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn the_host_of_a_url() {
        let of = |url: &str| Allowed::host_of(url).0;
        assert_eq!(of("https://auth.lan/token"), [Inner::Host("auth.lan".to_owned(), Some(443))]);
        assert_eq!(of("http://10.0.0.7:8080/token"), [Inner::Socket("10.0.0.7".parse().unwrap(), 8080)]);
        assert_eq!(of("https://[fd00::7]/"), [Inner::Socket("fd00::7".parse().unwrap(), 443)]);
        assert_eq!(of("no url"), []);
        let allowed = Allowed::host_of("http://auth.lan:8080/token");
        assert_eq!(
            (allowed.names("auth.lan", 8080), allowed.names("auth.lan", 80), allowed.names("other.lan", 8080)),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn inner_services() {
        let allowed = |list: &[&str]| Allowed::new(list.iter().map(|text| Inner::parse(text).unwrap()).collect());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let some = allowed(&["captcha.lan:8080", "Hook.LAN", "10.0.0.0/24", "127.0.0.1:9000", "[fd00::7]:81", "192.168.1.5"]);
        assert_eq!(some.names("captcha.lan", 8080), Some(true));
        assert_eq!(some.names("captcha.lan", 80), Some(false));
        assert_eq!(some.names("hook.lan", 1), Some(true));
        assert_eq!(some.names("other.lan", 80), None);
        assert!(some.covers(ip("10.0.0.9"), 1) && !some.covers(ip("10.0.1.9"), 1));
        assert!(some.covers(ip("127.0.0.1"), 9000) && !some.covers(ip("127.0.0.1"), 9001));
        assert!(some.covers(ip("fd00::7"), 81) && some.covers(ip("192.168.1.5"), 443));
        assert!(some.resolves("captcha.lan", ip("10.9.9.9")) && some.resolves("x.example", ip("10.0.0.1")));
        assert!(!some.resolves("x.example", ip("127.0.0.1")), "an address at one port is no network");
        for bad in ["", "a b", "http://x", "x:y", "10.0.0.0/33", "1.2.3", "x/y"] {
            assert!(Inner::parse(bad).is_err(), "{bad}");
        }
    }
}
