//! The database's URL: one server or several, and how safely they are reached.
//!
//! `postgres://user:password@first:5432,second:5432/leads?sslmode=verify-full`. Several hosts are tried in order until one
//! can be written to. A server on another machine is reached by TLS with a verified certificate, unless the URL says
//! otherwise by name. No message here or further on shows a password.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The port of PostgreSQL.
const PORT: u16 = 5432;
/// How long a server may take to answer, unless the URL says.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections of one gateway, unless the URL says.
const CONNECTIONS: u32 = 8;

/// A URL, read.
#[derive(Clone)]
pub struct Target {
    pub(crate) servers: Vec<Server>,
    pub(crate) user: String,
    pub(crate) database: String,
    /// Any server will do, also one that cannot be written to.
    pub(crate) any: bool,
    /// Whether statements are prepared under names; unless said, what stands between decides.
    pub(crate) named: Option<bool>,
    pub(crate) connect: Duration,
    pub(crate) connections: u32,
}

/// One server.
#[derive(Clone)]
pub(crate) struct Server {
    /// Host and port, for people.
    pub(crate) name: String,
    pub(crate) options: PgConnectOptions,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "postgres://{}@{}/{}", self.user, self.names(), self.database)
    }
}

/// What the URL says beside its hosts.
#[derive(Default)]
struct Settings {
    hosts: Vec<String>,
    ports: Vec<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    ssl: Option<PgSslMode>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    name: Option<String>,
    any: bool,
    named: Option<bool>,
    connect: Option<Duration>,
    connections: Option<u32>,
}

impl Target {
    /// Reads a URL. The error is for people and shows nothing secret.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or("it begins with postgres://")?;
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        let mut settings = Settings {
            user: (!user.is_empty()).then(|| decoded(user, "the user")).transpose()?,
            password: password.map(|password| decoded(password, "the password")).transpose()?,
            database: (!path.is_empty()).then(|| decoded(path, "the database's name")).transpose()?,
            ..Settings::default()
        };
        for host in hosts.split(',').filter(|host| !host.is_empty()) {
            let (host, port) = host_and_port(host)?;
            settings.hosts.push(decoded(host, "a host")?);
            settings.ports.push(port.to_owned());
        }
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            settings.set(&key, &value)?;
        }
        settings.finish()
    }

    /// The servers, for people.
    pub fn names(&self) -> String {
        self.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(",")
    }
}

fn decoded(text: &str, what: &str) -> Result<String, String> {
    let bad = || format!("{what} is not written as in a URL (write %40 for @, %2F for /, %25 for %)");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = text.get(at + 1..at + 3).ok_or_else(bad)?;
            out.push(u8::from_str_radix(hex, 16).map_err(|_| bad())?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).map_err(|_| bad())
}

fn host_and_port(text: &str) -> Result<(&str, &str), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("an IPv6 address stands in brackets: [::1]:5432")?;
        return Ok((host, port.strip_prefix(':').unwrap_or_default()));
    }
    Ok(text.split_once(':').unwrap_or((text, "")))
}

impl Settings {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        match key {
            "host" => self.hosts = value.split(',').map(ToOwned::to_owned).collect(),
            "port" => self.ports = value.split(',').map(ToOwned::to_owned).collect(),
            "user" => self.user = text(),
            "password" => self.password = text(),
            "dbname" => self.database = text(),
            "sslmode" | "ssl-mode" => self.ssl = Some(ssl_mode(value)?),
            "sslrootcert" | "ssl-root-cert" => self.root = text().filter(|file| file != "system"),
            "sslcert" | "ssl-cert" => self.certificate = text(),
            "sslkey" | "ssl-key" => self.key = text(),
            "application_name" => self.name = text(),
            "target_session_attrs" => {
                self.any = match value {
                    "read-write" | "primary" => false,
                    "any" | "prefer-standby" => true,
                    _ => return Err("target_session_attrs is read-write or any".to_owned()),
                }
            }
            "statement-cache-capacity" | "statement_cache_capacity" => {
                let capacity: usize = value.parse().map_err(|_| format!("{key} is a number; 0 behind a pooler"))?;
                self.named = Some(capacity > 0);
            }
            "connect_timeout" => {
                let seconds: u64 = value.parse().map_err(|_| "connect_timeout is a number of seconds")?;
                self.connect = Some(Duration::from_secs(seconds.max(1)));
            }
            "max_connections" => {
                let most = value.parse().ok().filter(|most| (2..=500).contains(most));
                self.connections = Some(most.ok_or("max_connections is a number from 2 to 500")?);
            }
            _ => return Err(format!("nothing is called {key:?} there")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Target, String> {
        let hosts = if self.hosts.is_empty() { vec!["localhost".to_owned()] } else { self.hosts.clone() };
        let mut servers = Vec::with_capacity(hosts.len());
        for (n, host) in hosts.iter().enumerate() {
            // As in libpq: one port for all, or one for each.
            let port = self.ports.get(n).or_else(|| self.ports.first().filter(|_| self.ports.len() == 1));
            let port = match port.map(String::as_str) {
                None | Some("") => PORT,
                Some(port) => port.parse().map_err(|_| format!("the port of {host} is no number from 1 to 65535"))?,
            };
            servers.push(self.server(host, port)?);
        }
        let options = &servers[0].options;
        let user = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&user).to_owned();
        Ok(Target {
            user,
            database,
            any: self.any,
            named: self.named,
            connect: self.connect.unwrap_or(CONNECT),
            connections: self.connections.unwrap_or(CONNECTIONS),
            servers,
        })
    }

    fn server(&self, host: &str, port: u16) -> Result<Server, String> {
        // Read by the driver first, without the password, because so it looks into the user's password file.
        let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let host_part = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { escaped(host) };
        let user = self.user.as_ref().map(|user| format!("{}@", escaped(user))).unwrap_or_default();
        let database = self.database.as_deref().map(escaped).unwrap_or_default();
        let plain = format!("postgres://{user}{host_part}:{port}/{database}");
        let options = PgConnectOptions::from_str(&plain).map_err(|_| format!("{host} is no host"))?;
        // The driver keeps the brackets of an address, and looks them up as a name.
        let mut options = if host.starts_with('/') { options } else { options.host(host) };
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        let name = if host.starts_with('/') { format!("{host} (port {port})") } else { format!("{host}:{port}") };
        options = options.ssl_mode(self.safety(host)?);
        if let Some(file) = &self.root {
            options = options.ssl_root_cert(file);
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        let options = options
            .application_name(self.name.as_deref().unwrap_or("leadgate"))
            // Not asked for by anything here, and refused by poolers.
            .extra_float_digits(None)
            .statement_cache_capacity(100)
            .disable_statement_logging();
        Ok(Server { name, options })
    }

    /// How a server is reached. On another machine only by verified TLS, or by what the URL names.
    fn safety(&self, host: &str) -> Result<PgSslMode, String> {
        match (is_local(host), self.ssl) {
            (true, None) => Ok(PgSslMode::Disable),
            (false, None) => Ok(PgSslMode::VerifyFull),
            (false, Some(PgSslMode::Prefer | PgSslMode::Allow)) => Err(format!(
                "sslmode=prefer protects nothing on the way to {host}: leave sslmode out for verified TLS, or write sslmode=disable where the network itself is safe"
            )),
            (_, Some(mode)) => Ok(mode),
        }
    }
}

fn is_local(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn ssl_mode(text: &str) -> Result<PgSslMode, String> {
    PgSslMode::from_str(text).map_err(|_| "sslmode is verify-full, verify-ca, require or disable".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> PgConnectOptions {
        Target::parse(url).unwrap().servers[0].options.clone()
    }

    #[test]
    fn one_server() {
        let target = Target::parse("postgres://anna:p%40ss@db.example.org:6000/leads").unwrap();
        assert_eq!(target.to_string(), "postgres://anna@db.example.org:6000/leads");
        let options = &target.servers[0].options;
        assert_eq!((options.get_host(), options.get_port(), options.get_username()), ("db.example.org", 6000, "anna"));
        assert_eq!(options.get_database(), Some("leads"));
        assert_eq!((target.any, target.named, target.connections), (false, None, CONNECTIONS));
        assert!(!format!("{target:?} {target}").contains("p@ss"));
    }

    #[test]
    fn several_servers_in_order() {
        let target =
            Target::parse("postgresql://u@a,b:6000,[::1]:7000/x?target_session_attrs=read-write&sslmode=disable").unwrap();
        assert_eq!(target.names(), "a:5432,b:6000,::1:7000");
        assert_eq!(target.servers[2].options.get_host(), "::1");
        let listed = Target::parse("postgres:///x?host=a,b&port=1,2&user=u&sslmode=disable").unwrap();
        assert_eq!(listed.to_string(), "postgres://u@a:1,b:2/x");
        assert!(Target::parse("postgres://u@a/x?target_session_attrs=any").unwrap().any);
    }

    #[test]
    fn sockets() {
        let target = Target::parse("postgres://u@%2Fvar%2Frun%2Fpostgresql/x").unwrap();
        assert_eq!(target.servers[0].options.get_socket().unwrap().to_str(), Some("/var/run/postgresql"));
        assert!(matches!(target.servers[0].options.get_ssl_mode(), PgSslMode::Disable));
        let by_name = Target::parse("postgres://u@/x?host=/tmp&port=6000").unwrap();
        assert_eq!(by_name.names(), "/tmp (port 6000)");
    }

    #[test]
    fn another_machine_is_reached_by_verified_tls_unless_the_url_says_otherwise() {
        let mode = |url: &str| options(url).get_ssl_mode();
        assert!(matches!(mode("postgres://u@db/x"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://u@10.0.0.5/x"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://u@localhost/x"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@127.0.0.9/x"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@[::1]/x"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@db/x?sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@db/x?sslmode=require"), PgSslMode::Require));
        assert!(matches!(mode("postgres://u@localhost/x?sslmode=verify-ca"), PgSslMode::VerifyCa));
        for mode in ["prefer", "allow"] {
            let refused = Target::parse(&format!("postgres://u@db/x?sslmode={mode}")).unwrap_err();
            assert!(refused.contains("protects nothing"), "{refused}");
        }
        // One of several on another machine is enough.
        let mixed = Target::parse("postgres://u@localhost,db/x").unwrap();
        assert!(matches!(mixed.servers[1].options.get_ssl_mode(), PgSslMode::VerifyFull));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, words) in [
            ("mysql://u:geheim@h/x", "begins with postgres://"),
            ("postgres://u:geheim%zz@h/x", "the password"),
            ("postgres://u:geheim@h:port/x", "port of h"),
            ("postgres://u:geheim@h/x?sslmode=maybe", "sslmode"),
            ("postgres://u:geheim@h/x?cache=1", "nothing is called \"cache\""),
            ("postgres://u:geheim@[::1/x", "brackets"),
            ("postgres://u:geheim@h/x?target_session_attrs=later", "target_session_attrs"),
            ("postgres://u:geheim@h/x?max_connections=1", "from 2 to 500"),
            ("postgres://u:geheim@h/x?statement-cache-capacity=x", "behind a pooler"),
        ] {
            let refused = Target::parse(url).unwrap_err();
            assert!(refused.contains(words) && !refused.contains("geheim"), "{refused}");
        }
    }

    #[test]
    fn statements_are_named_as_told() {
        let named = |query: &str| Target::parse(&format!("postgres://u@localhost/x{query}")).unwrap().named;
        assert_eq!(named(""), None);
        assert_eq!(named("?statement-cache-capacity=0"), Some(false));
        assert_eq!(named("?statement_cache_capacity=100"), Some(true));
    }
}
