//! From the layers' table to a [`Config`]: every section read, every value understood, every problem told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use leadgate_core::email;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::Hours;
use leadgate_core::phone::{self, Country, Hints};
use leadgate_core::ports::{BuildContext, Mode, Secrets as _};
use leadgate_core::rules::Ours;
use leadgate_core::secret::Secret;
use leadgate_telegram::settings::{self as telegram, Settings as Bot};
use leadgate_wire::guarded::{Allowed, Inner};
use toml::{Table, Value};

use super::attachments::attachments;
use super::keeping::keeping;
use super::layers::{Layers, absolute, join};
use super::lines::lines;
use super::machine::Machine;
use super::managers::managers;
use super::onward::{self, Canary, OfSources, Onward, Road};
use super::problems::suggestion;
use super::section::{Report, Section};
use super::tls::tls;
use super::{Company, Config, Database, Language, Leads, Listen, Log, LogFormat, Manager, Problems, Server, Source};
use crate::secrets::Resolver;
use crate::sources;

/// The port when none is given.
const PORT: u16 = 8080;

/// Reads and checks everything.
pub(super) fn check(layers: Layers, env: BTreeMap<String, String>, machine: &Machine) -> Result<Config, Problems> {
    let Layers { table, places, files, base, problems } = layers;
    let report = Report::new(places, problems);
    let mut root = Section::new(table, "", &report);
    let mut assumed = Vec::new();
    let company = company(root.section("company"), machine, &mut assumed);
    let (server, data_dir) = server(root.section("server"), &base);
    let resolver = Resolver::new(env, base.clone());
    let database = database(root.section("database"), &base, &resolver);
    let keeping = keeping(root.section("keeping"));
    let leads = leads(root.section("leads"));
    let log = log(root.section("log"));
    let managers = managers(root.take("managers"), &report, &company);
    let lines = lines(root.take("lines"), &report, &company);
    let attachments = attachments(root.section("attachments"), &resolver, &base, &data_dir);
    let public_url = server.public_url.clone().unwrap_or_else(|| own_url(&server.listen));
    let ours = Arc::new(company.ours(&managers));
    let around =
        Around { report: &report, resolver: &resolver, company: &company, public_url: &public_url, ours, data_dir: &data_dir };
    let (sources, of_sources) = configured_sources(root.section("sources"), &around, server.public_url.is_some());
    let onward = onward(&mut root, &around, (&managers, &sources), of_sources, &server.inner_services);
    root.finish();
    let problems = report.into_problems();
    if problems.is_empty() {
        Ok(Config {
            files,
            folder: base,
            company,
            server,
            database,
            data_dir,
            attachments,
            keeping,
            leads,
            log,
            managers,
            lines,
            sources,
            onward,
            assumed,
        })
    } else {
        Err(Problems(problems))
    }
}

/// What a source is built with.
struct Around<'a> {
    report: &'a Report,
    resolver: &'a Resolver,
    company: &'a Company,
    public_url: &'a str,
    ours: Arc<Ours>,
    data_dir: &'a Path,
}

impl Around<'_> {
    fn context(&self, source: SourceId) -> BuildContext {
        BuildContext {
            source,
            language: self.company.language.as_str().to_owned(),
            company: self.company.name.clone(),
            public_url: self.public_url.to_owned(),
            country: Some(self.company.country),
            ours: Arc::clone(&self.ours),
            data: self.data_dir.to_path_buf(),
        }
    }
}

/// The address of this machine's own browser.
pub(super) fn own_url(listen: &Listen) -> String {
    match listen {
        Listen::Addresses(addresses) => match addresses.first() {
            Some(address) if !address.ip().is_unspecified() => format!("http://{address}"),
            _ => format!("http://127.0.0.1:{}", listen.port()),
        },
        Listen::Dual { port } => format!("http://127.0.0.1:{port}"),
    }
}

fn company(mut section: Section<'_>, machine: &Machine, assumed: &mut Vec<String>) -> Company {
    let country = section.parsed("country", |text| text.parse::<Country>().map_err(|error| error.to_string()));
    let country = country.unwrap_or_else(|| {
        let (country, why) = machine.country();
        assumed.push(format!("country {country} ({why})"));
        country
    });
    let time_zone = section.parsed("time_zone", time_zone).unwrap_or_else(|| {
        let name = machine.zone.iana_name().unwrap_or("as set on this machine");
        assumed.push(format!("time zone {name} (this machine's)"));
        machine.zone.clone()
    });
    let language = section.parsed("language", language);
    let language = language.unwrap_or_else(|| {
        let (language, why) = machine.language(country);
        assumed.push(format!("language {language} ({why})"));
        language
    });
    let name = section.text("name").unwrap_or_else(|| {
        let name = match language {
            Language::Ru => "Ваша компания",
            Language::En => "Your company",
        };
        assumed.push(format!("company name \"{name}\" (none is set)"));
        name.to_owned()
    });
    let hints = Hints { configured: Some(country), ..Hints::default() };
    let company = Company {
        name,
        country,
        language,
        phones: section.list("phones", |text| own_phone(text, &hints)),
        emails: section.list("emails", own_email),
        domains: section.list("domains", domain),
        hours: section.parsed("hours", |text| Hours::parse(text, &time_zone)),
        time_zone,
    };
    section.finish();
    company
}

/// Reads a time zone's name.
pub(crate) fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        // People write the city alone.
        let city = names
            .iter()
            .find(|name| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&text.replace(' ', "_"))));
        let near = city.map(String::as_str).or_else(|| super::did_you_mean(text, names.iter().map(String::as_str)));
        match near {
            Some(name) => format!("{text:?} is no time zone; did you mean \"{name}\"?"),
            None => format!("{text:?} is no time zone: write its name, such as \"Europe/Moscow\" or \"Asia/Almaty\""),
        }
    })
}

/// Reads a language.
pub(crate) fn language(text: &str) -> Result<Language, String> {
    match text.to_ascii_lowercase().as_str() {
        "ru" => Ok(Language::Ru),
        "en" => Ok(Language::En),
        _ => Err(format!("{text:?} is no language of this version: write \"ru\" or \"en\"")),
    }
}

fn own_phone(text: &str, hints: &Hints) -> Result<String, String> {
    let reading = phone::read(text, hints);
    match reading.problem {
        None if !reading.phones.is_empty() => Ok(text.to_owned()),
        Some(problem) => {
            Err(format!("{text:?}: {problem}; write it with a plus and the country's code, such as \"+7 495 123-45-67\""))
        }
        None => Err(format!("{text:?} could be a number of several countries: write it with a plus and the country's code")),
    }
}

pub(super) fn own_email(text: &str) -> Result<String, String> {
    match email::read(text).problem {
        None => Ok(text.to_owned()),
        Some(problem) => Err(format!("{text:?}: {problem}")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    let words = || format!("{text:?} is no domain: write it as it stands behind the @, such as \"company.ru\"");
    if text.contains(['@', '/', ':', ' ']) || !text.contains('.') {
        return Err(words());
    }
    match url::Host::parse(text) {
        Ok(url::Host::Domain(domain)) => Ok(domain),
        _ => Err(words()),
    }
}

fn server(mut section: Section<'_>, base: &Path) -> (Server, PathBuf) {
    let listen = listen(&mut section, PORT);
    let data_dir = section.text("data_dir").unwrap_or_else(|| "../data".to_owned());
    let data_dir = absolute(base, Path::new(&data_dir));
    let seconds = |length: SignedDuration| length.unsigned_abs();
    let server = Server {
        listen,
        public_url: section.parsed("public_url", public_url),
        trusted_proxies: section.list("trusted_proxies", proxies).into_iter().flatten().collect(),
        inner_services: section.list("inner_services", Inner::parse),
        header_timeout: section.duration("header_timeout").map_or(Duration::from_secs(10), seconds),
        body_timeout: section.duration("body_timeout").map_or(Duration::from_secs(30), seconds),
        max_connections: section.whole("max_connections", 1, 1_000_000).map_or(4096, |number| number as usize),
        drain: section.duration("drain").map_or(Duration::from_secs(8), seconds),
        lease: lease(&mut section),
        tls: tls(section.section("tls"), base, &data_dir),
    };
    section.finish();
    (server, data_dir)
}

/// A second at least: it is renewed three times within it, over a network.
fn lease(section: &mut Section<'_>) -> Duration {
    let lease = section.duration("lease").map_or(Duration::from_secs(15), SignedDuration::unsigned_abs);
    if lease < Duration::from_secs(1) {
        section.problem("lease", "at least \"1 s\" is needed: a lease is renewed three times within it");
    }
    lease
}

/// `listen`, a port or addresses.
pub(super) fn listen(section: &mut Section<'_>, port: u16) -> Listen {
    let default = Listen::Dual { port };
    match section.take("listen") {
        None => default,
        Some(Value::Integer(port)) => u16::try_from(port).map_or_else(
            |_| {
                section.problem("listen", "a port is a number from 0 to 65535");
                default
            },
            |port| Listen::Dual { port },
        ),
        Some(Value::String(text)) => listen_texts(section, text.split(',').map(|part| (String::from("listen"), part)), default),
        Some(Value::Array(items)) => {
            let mut texts = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                match item {
                    Value::String(text) => texts.push((format!("listen[{index}]"), text.as_str())),
                    _ => section.problem(&format!("listen[{index}]"), LISTEN),
                }
            }
            listen_texts(section, texts.into_iter(), default)
        }
        Some(_) => {
            section.problem("listen", LISTEN);
            default
        }
    }
}

const LISTEN: &str =
    "write a port for every address of this machine (8080), or addresses with ports (\"127.0.0.1:8080\", \"[::1]:8080\")";

fn listen_texts<'t>(section: &Section<'_>, texts: impl Iterator<Item = (String, &'t str)>, default: Listen) -> Listen {
    let mut addresses = Vec::new();
    let mut every = None;
    for (key, text) in texts.map(|(key, text)| (key, text.trim())).filter(|(_, text)| !text.is_empty()) {
        if let Ok(port) = text.parse::<u16>() {
            every = Some(port);
        } else if let Ok(address) = text.parse::<SocketAddr>() {
            addresses.push(address);
        } else if let Some(Ok(port)) = text.strip_prefix("localhost:").map(str::parse::<u16>) {
            addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        } else {
            section.problem(&key, format!("{text:?} is no address to listen on: {LISTEN}"));
        }
    }
    match (every, addresses.is_empty()) {
        (None, true) => default,
        (Some(port), true) => Listen::Dual { port },
        (None, false) => Listen::Addresses(addresses),
        (Some(port), false) => {
            section.problem("listen", format!("the port {port} alone already means every address: write either it or addresses"));
            default
        }
    }
}

/// Reads the address under which senders reach the gateway.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let words = |why: &str| format!("{text:?} {why}: write the address senders use, such as \"https://leads.company.ru\"");
    let url = url::Url::parse(text).map_err(|_| words("is no web address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(words("must begin with https:// (or http://)"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(words("must have no user, query or fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn proxies(text: &str) -> Result<Vec<IpNet>, String> {
    let named: &[&str] = match text {
        "loopback" => &["127.0.0.0/8", "::1/128"],
        "private" => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
        _ => &[],
    };
    if !named.is_empty() {
        return Ok(named.iter().filter_map(|net| net.parse().ok()).collect());
    }
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| vec![net]).map_err(|_| {
        format!("{text:?} is no address of a proxy: write one (\"127.0.0.1\"), a network (\"10.0.0.0/8\"), \"loopback\" or \"private\"")
    })
}

/// `url = ".."`, `{ env = ".." }` or `{ file = ".." }`: it may hold a password.
fn database(mut section: Section<'_>, base: &Path, resolver: &Resolver) -> Database {
    let file = |path: &str| Database::Sqlite(absolute(base, Path::new(path)));
    let mut database = file("../data/leadgate.db");
    // Blank is as good as absent.
    let url = section.take("url").filter(|url| !matches!(url, Value::String(text) if text.trim().is_empty()));
    match url.map(|url| resolver.resolve(&url)) {
        None => {}
        Some(Err(words)) => section.problem("url", words),
        Some(Ok(url)) if is_postgres(url.expose()) => match leadgate_store_postgres::Target::parse(url.expose()) {
            Ok(_) => database = Database::Postgres(url),
            Err(words) => section.problem("url", words),
        },
        Some(Ok(url)) => match database_path(url.expose()) {
            Ok(path) => database = file(&path),
            Err(words) => section.problem("url", words),
        },
    }
    section.finish();
    database
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn database_path(url: &str) -> Result<String, String> {
    const FORMS: &str =
        "write \"sqlite:<file>\", such as \"sqlite:../data/leadgate.db\", or \"postgres://<user>@<host>/<database>\"";
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).map(str::trim);
    match path {
        Some(":memory:") => {
            Err("leads must outlive the process: write a file, such as \"sqlite:../data/leadgate.db\"".to_owned())
        }
        Some(path) if !path.is_empty() && !path.contains('?') => Ok(path.to_owned()),
        // The text is not shown: it may hold a password.
        _ => Err(match url.split_once("://") {
            Some((scheme, _)) => format!("{scheme:?} is no kind of database: {FORMS}"),
            None => format!("this is no database: {FORMS}"),
        }),
    }
}

fn leads(mut section: Section<'_>) -> Leads {
    let default = Leads::default();
    let leads = Leads {
        open_for: section.duration("open_for").unwrap_or(default.open_for),
        landline_within: section.duration("landline_within").unwrap_or(default.landline_within),
        claims_per_day: section.whole("claims_per_day", 0, 10_000).unwrap_or(default.claims_per_day),
        generic_at: section.whole("generic_at", 2, 1000).map_or(default.generic_at, |number| number as usize),
    };
    section.finish();
    leads
}

fn log(mut section: Section<'_>) -> Log {
    let level = section.parsed("level", |text| match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{text:?} is no level: write error, warn, info, debug or trace")),
    });
    let format = section.parsed("format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is no format: write \"text\" (for people) or \"json\" (for programs)")),
    });
    section.finish();
    Log { level: level.unwrap_or_else(|| "info".to_owned()), format: format.unwrap_or(LogFormat::Text) }
}

/// `reachable`: see [`onward::canary_road`].
fn configured_sources<'a>(section: Section<'a>, around: &Around<'a>, reachable: bool) -> (Vec<Source>, OfSources) {
    let report = around.report;
    let (mut sources, mut of_sources) = (Vec::new(), OfSources::default());
    for (id, value) in section.entries() {
        let path = join("sources", &id);
        let id = match SourceId::parse(&id) {
            Ok(id) => id,
            Err(error) => {
                report.problem(&path, error.to_string());
                continue;
            }
        };
        let Value::Table(table) = value else {
            report.problem(&path, format!("a source is a section: write [{path}] and its keys below"));
            continue;
        };
        let mut section = Section::new(table, path.clone(), report);
        if let Some(reply) = onward::auto_reply(&mut section) {
            of_sources.auto_replies.insert(id.clone(), reply);
        }
        let every = onward::canary_every(&mut section);
        let Some((source, bot)) = source(id, section, around) else { continue };
        if let Some(bot) = bot {
            of_sources.bots.insert(source.id.clone(), Arc::new(bot));
        }
        match every.map(|every| (every, onward::canary_road(&source, reachable))) {
            None => {}
            Some((every, Ok(road))) => {
                of_sources.canaries.insert(source.id.clone(), Canary { every, road });
            }
            Some((_, Err(words))) => report.problem(&join(&path, "canary"), words),
        }
        if let Mode::Push(push) | Mode::Both(push, _) = &source.connector.mode
            && push.fetches().is_some()
        {
            of_sources.recordings.insert(source.id.clone());
        }
        sources.push(source);
    }
    (sources, of_sources)
}

/// Who hears of what.
fn onward<'a>(
    root: &mut Section<'a>,
    around: &Around<'a>,
    (managers, sources): (&[Manager], &[Source]),
    OfSources { auto_replies, canaries, bots, recordings }: OfSources,
    inner_services: &[Inner],
) -> Onward {
    let sources: Vec<SourceId> = sources.iter().map(|source| source.id.clone()).collect();
    let Around { report, resolver, company, .. } = around;
    let allowed = Allowed::new(inner_services.to_vec());
    let reading = onward::Reading { report, resolver, company, managers, sources: &sources, bots: &bots, allowed };
    let mail = reading.mail(root.section("mail"));
    let has_mail = mail.is_some() || report.has_problem("mail");
    let onward = Onward {
        operator: onward::Reading::operator(root.section("operator")),
        notices: reading.notices(root.take("notify"), has_mail),
        webhooks: reading.webhooks(root.section("webhooks")),
        mail,
        auto_replies,
        canaries,
        told_by: managers.iter().map(|manager| (manager.id.clone(), manager.by)).collect(),
        bots,
        recordings,
    };
    if !has_mail {
        for source in onward.canaries.iter().filter(|(_, canary)| canary.road != Road::Form).map(|(source, _)| source) {
            let path = format!("sources.{source}.canary");
            report.problem(&path, "there is no [mail] to send it by: set up [mail] with the server that sends mails");
        }
        for source in onward.auto_replies.keys() {
            let path = format!("sources.{source}.auto_reply");
            report.problem(&path, "there is no [mail] to answer by: set up [mail] with the server that sends mails");
        }
    }
    onward
}

/// The source, and what the gateway says by it where it is a bot.
fn source(id: SourceId, mut section: Section<'_>, around: &Around<'_>) -> Option<(Source, Option<Bot>)> {
    let path = section.path("");
    let missing = !section.has("kind");
    let kinds: Vec<&str> = sources::kinds().map(|kind| kind.name).collect();
    let kind = section.parsed("kind", |name| {
        sources::kind(name).ok_or_else(|| format!("there is no kind of source called {name:?}{}", suggestion(name, &kinds)))
    });
    if missing {
        section.problem("kind", format!("say what kind of source this is: kind = \"...\", one of {}", kinds.join(", ")));
    }
    let enabled = section.flag("enabled").unwrap_or(true);
    let is_bot = kind.is_some_and(|kind| kind.name == telegram::KIND.name);
    // The token of a bot is another matter: that of its URL is always made by the gateway.
    let tokens = if is_bot { Vec::new() } else { tokens(&mut section, around.resolver) };
    let rest: Table = section.rest();
    let kind = kind?;
    let context = around.context(id.clone());
    let bot = if is_bot { telegram::read(rest.clone(), around.resolver, &context).ok() } else { None };
    match (kind.build)(rest, around.resolver, &context) {
        Ok(connector) => Some((Source { id, kind, connector, tokens, enabled }, bot)),
        Err(problems) => {
            for problem in problems {
                around.report.problem(&join(&path, &problem.key), problem.words);
            }
            None
        }
    }
}

/// `token = ".."` or `tokens = [".."]`, each a literal, `{ env = ".." }` or `{ file = ".." }`.
fn tokens(section: &mut Section<'_>, resolver: &Resolver) -> Vec<Secret> {
    let mut tokens = Vec::new();
    let mut add = |section: &Section<'_>, key: &str, value: &Value| match resolver.resolve(value).and_then(source_token) {
        Ok(token) => tokens.push(token),
        Err(words) => section.problem(key, words),
    };
    let one = section.take("token");
    let several = section.take("tokens");
    if one.is_some() && several.is_some() {
        section.problem("tokens", "write either token (one) or tokens (several, while an old one still works)");
    }
    if let Some(value) = &one {
        add(section, "token", value);
    }
    match &several {
        None => {}
        Some(Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                add(section, &format!("tokens[{index}]"), value);
            }
        }
        Some(value) => add(section, "tokens", value),
    }
    tokens
}

/// A token stands in a URL, and it is all that keeps strangers out.
fn source_token(token: Secret) -> Result<Secret, String> {
    let text = token.expose();
    if !(16..=200).contains(&text.len()) {
        return Err("a token has 16 to 200 characters; leave the key out and the gateway makes a good one".to_owned());
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~')) {
        return Err("a token stands in a URL: use Latin letters, digits, '-', '_', '.' and '~' only".to_owned());
    }
    Ok(token)
}
