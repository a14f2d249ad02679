//! Taking the port, and saying plainly when that fails.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Listen, Tls};

/// Connections the system may hold for us before we take them.
const BACKLOG: i32 = 1024;

/// Listeners, and what had to be done differently, in words.
#[derive(Debug)]
pub struct Bound {
    /// Ready to accept.
    pub listeners: Vec<TcpListener>,
    /// E.g. that there is no IPv6.
    pub note: Option<String>,
}

/// Sockets that somebody else opened for us and keeps open while we restart: systemd, by the protocol of `sd_listen_fds`.
#[derive(Debug, Default)]
pub struct Passed {
    plain: Vec<TcpListener>,
    tls: Vec<TcpListener>,
}

/// What the name of a passed socket must hold to be the TLS door (`FileDescriptorName=` of its unit).
const TLS_NAME: &str = "tls";

impl Passed {
    /// Takes what this process was given. To be called once, before anything else reads the environment.
    pub fn from_env() -> anyhow::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut given = listenfd::ListenFd::from_env();
        let mut passed = Self::default();
        for index in 0..given.len() {
            let name = names.next().unwrap_or_default();
            let listener = given.take_tcp_listener(index).with_context(|| {
                format!("the socket {name:?} passed by the service manager is no TCP socket: ListenStream= of its unit takes a port or an address")
            })?;
            let Some(listener) = listener else { continue };
            listener.set_nonblocking(true).context("a passed socket cannot be used")?;
            if name.contains(TLS_NAME) { passed.tls.push(listener) } else { passed.plain.push(listener) }
        }
        Ok(passed)
    }

    /// The plain door: passed, or opened as configured.
    pub fn plain(&mut self, listen: &Listen) -> anyhow::Result<Bound> {
        or_bind(std::mem::take(&mut self.plain), listen)
    }

    /// The TLS door: passed, or opened as configured; none if there is no certificate.
    pub fn tls(&mut self, tls: Option<&Tls>) -> anyhow::Result<Option<Bound>> {
        let passed = std::mem::take(&mut self.tls);
        match tls {
            Some(tls) => or_bind(passed, &tls.listen).map(Some),
            None if passed.is_empty() => Ok(None),
            None => Err(anyhow!(
                "the service manager passes a socket for TLS, but there is no certificate: name it in [server.tls] of config/local.toml, \
                 or disable leadgate-tls.socket"
            )),
        }
    }
}

fn or_bind(passed: Vec<TcpListener>, listen: &Listen) -> anyhow::Result<Bound> {
    if passed.is_empty() { bind(listen) } else { Ok(Bound { listeners: passed, note: None }) }
}

impl Bound {
    /// Where they listen.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }
}

/// Listens as configured.
pub fn bind(listen: &Listen) -> anyhow::Result<Bound> {
    match listen {
        Listen::Dual { port } => dual(*port),
        Listen::Addresses(addresses) => {
            let listeners = addresses.iter().map(|address| open(*address, false).map_err(|error| words(error, *address)));
            Ok(Bound { listeners: listeners.collect::<anyhow::Result<_>>()?, note: None })
        }
    }
}

/// Every address: one IPv6 socket that takes IPv4 too, or IPv4 alone where the machine has no IPv6.
fn dual(port: u16) -> anyhow::Result<Bound> {
    let six = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    match open(six, true) {
        Ok(listener) => Ok(Bound { listeners: vec![listener], note: None }),
        Err(error) if taken(&error) => Err(words(error, six)),
        Err(error) => {
            let four = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            let listener = open(four, false).map_err(|error| words(error, four))?;
            let note = format!("this machine has no IPv6 ({error}): listening on IPv4 alone");
            Ok(Bound { listeners: vec![listener], note: Some(note) })
        }
    }
}

fn open(address: SocketAddr, both: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!both)?;
    }
    // A restart must not wait for the connections of the run before. (On Windows the option means something else.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn words(error: io::Error, address: SocketAddr) -> anyhow::Error {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "port {port} is taken: another program listens there, perhaps a gateway that runs already (`leadgate status` asks it). \
             Stop that program, or choose another port: listen in [server] of config/local.toml, or LEADGATE__SERVER__LISTEN"
        ),
        io::ErrorKind::PermissionDenied => anyhow!(
            "port {port} may not be opened by this user: ports below 1024 need a privilege (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE). \
             Choose another port (listen in [server] of config/local.toml) and put a proxy in front"
        ),
        io::ErrorKind::AddrNotAvailable => {
            anyhow!("{address} is no address of this machine: see listen in [server] of the configuration")
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_in_words() {
        let first = bind(&Listen::Dual { port: 0 }).unwrap();
        let port = first.listeners[0].local_addr().unwrap().port();
        let error = bind(&Listen::Dual { port }).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is taken")) && error.contains("listen in [server]"), "{error}");
        let loopback = SocketAddr::from(([127, 0, 0, 1], port));
        assert!(bind(&Listen::Addresses(vec![loopback])).is_err());
    }

    #[test]
    fn both_families_are_heard() {
        let bound = bind(&Listen::Dual { port: 0 }).unwrap();
        let port = bound.listeners[0].local_addr().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        if bound.note.is_none() {
            std::net::TcpStream::connect(("::1", port)).unwrap();
        }
    }
}
