//! What a configuration means to running code: sources that can be called, and the rest a reload may change.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::onward::Hours;
use leadgate_core::phone::Country;
use leadgate_core::ports::{Mode, Pull, Push};
use leadgate_core::rules::Rules;
use leadgate_core::secret::Secret;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::removed::Removed;
use crate::config::{Config, Database, Keeping, Language, Manager, Onward, Server};
use crate::metrics::SourceMeters;
use crate::onward::Digest;
use crate::secrets::SourceTokens;
use crate::sources::REMOVED;

/// What nobody vouches for is kept this often a minute and source; more is only counted.
const RING_A_MINUTE: u64 = 30;
/// Who calls is looked up this often a minute and source: more than telephones ring, and too slow to try numbers out.
const LOOKUPS_A_MINUTE: u64 = 300;
/// An address over its limit by this factor is turned away.
const FLOOD_FACTOR: u32 = 10;

/// The configuration in force.
#[derive(Debug)]
pub struct Live {
    /// The company's name.
    pub company: String,
    /// Reads phone numbers in searches.
    pub country: Country,
    /// Times are shown in this zone.
    pub time_zone: jiff::tz::TimeZone,
    /// When somebody is there to answer customers; `None`: nobody said.
    pub hours: Option<Hours>,
    /// The language of pages when the browser names none we speak.
    pub language: Language,
    /// Nobody has set that language.
    pub language_assumed: bool,
    /// The address senders are told, if one is configured.
    pub public_url: Option<String>,
    /// `public_url`, or this machine's own address.
    pub base_url: String,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a sender may take for the body.
    pub body_timeout: Duration,
    /// The ids of managers; empty: any name will do.
    pub managers: Vec<String>,
    /// The rules of the plan.
    pub rules: Arc<Rules>,
    /// What is kept for how long.
    pub keeping: Keeping,
    /// Sources in the order of the configuration.
    pub sources: Vec<Arc<LiveSource>>,
    /// Sources the gateway asks, in the order of the configuration.
    pub pulls: Vec<Arc<LivePull>>,
    /// Who hears of what, and by what.
    pub onward: Onward,
    /// Who works leads.
    pub people: Vec<Manager>,
    /// Digests.
    pub digests: Vec<Digest>,
    by_id: HashMap<SourceId, usize>,
    /// Sources that are not in the configuration any more, whose URLs still take deliveries into quarantine.
    pub removed: Vec<Arc<LiveSource>>,
    /// The files it was read from.
    pub files: Vec<std::path::PathBuf>,
    /// What was assumed, in words.
    pub assumed: Vec<String>,
    /// What only a restart changes, to tell when a reload would need one.
    pub fixed: String,
}

/// A source the gateway asks.
pub struct LivePull {
    /// Its id.
    pub id: SourceId,
    /// Its kind's name.
    pub kind: &'static str,
    /// Whether it is read.
    pub enabled: bool,
    /// Its connector.
    pub pull: Box<dyn Pull>,
    /// What it counts.
    pub meters: SourceMeters,
}

impl std::fmt::Debug for LivePull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LivePull").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A source that can be called.
pub struct LiveSource {
    /// Its id.
    pub id: SourceId,
    /// Its kind's name.
    pub kind: &'static str,
    /// Whether it makes leads. If not, what it brings waits for a person.
    pub enabled: bool,
    /// Its connector.
    pub push: Box<dyn Push>,
    /// What it counts.
    pub meters: SourceMeters,
    /// How much one address may send.
    pub limit: Option<AddressLimit>,
    tokens: Vec<Secret>,
    hashes: Vec<[u8; 32]>,
    ring: AMinute,
    lookups: AMinute,
}

impl std::fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSource").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Live {
    /// Whether anything should come from a source: it is there and switched on.
    pub fn expects(&self, id: &SourceId) -> bool {
        self.sources.iter().any(|source| source.id == *id && source.enabled)
            || self.pulls.iter().any(|pull| pull.id == *id && pull.enabled)
    }

    /// Makes a configuration live. Tokens nobody has configured are made and kept in the data folder.
    pub fn new(mut config: Config) -> anyhow::Result<Self> {
        let missing = config.without_tokens();
        let written = config.sources.iter().filter(|source| !source.tokens.is_empty());
        let written: Vec<_> = written.map(|source| (source.id.clone(), source.tokens.clone())).collect();
        let tokens = SourceTokens::load_or_create(&config.data_dir, &missing, &written)?;
        config.add_tokens(&tokens);
        let removed: Vec<_> = tokens.others(&config.sources.iter().map(|source| &source.id).collect::<Vec<_>>());
        let rules = Arc::new(config.rules());
        let base_url = config.base_url();
        let fixed = fixed(&config);
        let digests = config.onward.digests(&config.managers, &config.company.time_zone);
        let (mut sources, mut pulls) = (Vec::new(), Vec::new());
        for source in config.sources {
            let (id, kind, enabled) = (source.id, source.kind.name, source.enabled);
            let (push, pull) = match source.connector.mode {
                Mode::Push(push) => (Some(push), None),
                Mode::Pull(pull) => (None, Some(pull)),
                Mode::Both(push, pull) => (Some(push), Some(pull)),
            };
            if let Some(pull) = pull {
                let (id, meters) = (id.clone(), SourceMeters::new(&id));
                pulls.push(Arc::new(LivePull { id, kind, enabled, pull, meters }));
            }
            if let Some(push) = push {
                sources.push(Arc::new(LiveSource::new(id, kind, enabled, push, source.tokens)));
            }
        }
        Ok(Self {
            company: config.company.name,
            country: config.company.country,
            time_zone: config.company.time_zone,
            hours: config.company.hours,
            language: config.company.language,
            language_assumed: config.assumed.iter().any(|words| words.starts_with("language ")),
            public_url: config.server.public_url,
            base_url,
            trusted_proxies: config.server.trusted_proxies,
            body_timeout: config.server.body_timeout,
            managers: config.managers.iter().map(|manager| manager.id.0.clone()).collect(),
            rules,
            keeping: config.keeping,
            by_id: sources.iter().enumerate().map(|(at, source)| (source.id.clone(), at)).collect(),
            sources,
            pulls,
            onward: config.onward,
            people: config.managers,
            digests,
            removed: removed
                .into_iter()
                .map(|(id, tokens)| Arc::new(LiveSource::new(id, REMOVED, false, Box::new(Removed), tokens)))
                .collect(),
            files: config.files,
            assumed: config.assumed,
            fixed,
        })
    }

    /// A source that can be called: also one that is switched off, or not in the configuration any more.
    pub fn source(&self, id: &str) -> Option<&Arc<LiveSource>> {
        // The ids are few; a hash of the id beats making a `SourceId` to look it up with.
        let found = if self.sources.len() <= 8 {
            self.sources.iter().find(|source| source.id.as_str() == id)
        } else {
            SourceId::parse(id).ok().and_then(|id| self.by_id.get(&id)).and_then(|at| self.sources.get(*at))
        };
        found.or_else(|| self.removed.iter().find(|source| source.id.as_str() == id))
    }
}

fn fixed(config: &Config) -> String {
    let data_dir = config.data_dir.display();
    // Compared, never shown: the URL may hold a password.
    let database = match &config.database {
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres(url) => url.expose().to_owned(),
    };
    let Server { listen, header_timeout, max_connections, drain, lease, tls, inner_services, .. } = &config.server;
    let attachments = &config.attachments;
    format!(
        "{listen:?} {header_timeout:?} {max_connections} {drain:?} {lease:?} {tls:?} {inner_services:?} {database} {data_dir} {attachments:?}"
    )
}

impl LiveSource {
    /// A source of a connector, with the tokens of its URL.
    pub fn new(id: SourceId, kind: &'static str, enabled: bool, push: Box<dyn Push>, tokens: Vec<Secret>) -> Self {
        Self {
            meters: SourceMeters::new(&id),
            limit: push.per_address().and_then(NonZeroU32::new).map(AddressLimit::new),
            id,
            kind,
            enabled,
            push,
            hashes: tokens.iter().map(|token| hash(token.expose())).collect(),
            tokens,
            ring: AMinute::default(),
            lookups: AMinute::default(),
        }
    }

    /// Whether a text is one of its tokens. Hashes are compared, all of them and in constant time.
    pub fn accepts(&self, token: &str) -> bool {
        let given = hash(token);
        self.hashes.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&given)).into()
    }

    /// The path of its URL, with the current token.
    pub fn path(&self) -> String {
        format!("/in/{}/{}", self.id, self.tokens.first().map_or("", Secret::expose))
    }

    /// How many tokens it has: two while senders move to a new URL.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is room for one more of what nobody vouches for.
    pub fn ring_has_room(&self, now: Timestamp) -> bool {
        self.ring.take(now, RING_A_MINUTE)
    }

    /// Whether who calls may be looked up once more.
    pub fn may_look_up(&self, now: Timestamp) -> bool {
        self.lookups.take(now, LOOKUPS_A_MINUTE)
    }
}

/// Spends the time of a comparison where there is nothing to compare with.
pub fn compare_with_nothing(token: &str) {
    let nothing: bool = hash(token).ct_eq(&[0; 32]).into();
    std::hint::black_box(nothing);
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Counts within the running minute, packed into one word: the minute above, the count below.
#[derive(Debug, Default)]
struct AMinute(AtomicU64);

impl AMinute {
    fn take(&self, now: Timestamp, most: u64) -> bool {
        let minute = (now.as_second().unsigned_abs() / 60) & 0xffff_ffff;
        let next = |word: u64| match word >> 32 == minute {
            true if word & 0xffff_ffff >= most => None,
            true => Some(word + 1),
            false => Some(minute << 32 | 1),
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// How much one address may send: over the first limit a delivery is suspect, over the second it is turned away.
pub struct AddressLimit {
    people: DefaultKeyedRateLimiter<IpAddr>,
    flood: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

/// What a limit says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As people send.
    Usual,
    /// More than an office sends.
    Suspect,
    /// A flood: come back after so many seconds.
    Flood(u64),
}

impl AddressLimit {
    fn new(a_minute: NonZeroU32) -> Self {
        let flood = a_minute.saturating_mul(NonZeroU32::MIN.saturating_add(FLOOD_FACTOR - 1));
        Self {
            people: RateLimiter::dashmap(Quota::per_minute(a_minute).allow_burst(a_minute)),
            flood: RateLimiter::dashmap(Quota::per_minute(flood).allow_burst(flood)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a call from an address.
    pub fn check(&self, address: IpAddr) -> Pace {
        let address = network(address);
        if let Err(until) = self.flood.check_key(&address) {
            return Pace::Flood(until.wait_time_from(self.clock.now()).as_secs().max(1));
        }
        match self.people.check_key(&address) {
            Ok(()) => Pace::Usual,
            Err(_) => Pace::Suspect,
        }
    }

    /// Forgets addresses that have been quiet.
    pub fn prune(&self) {
        for limiter in [&self.people, &self.flood] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// One household has a /64 of IPv6 to itself: its addresses are one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_takes_so_many_a_minute() {
        let ring = AMinute::default();
        let now: Timestamp = "2026-11-21T10:00:30Z".parse().unwrap();
        assert_eq!((0..100).filter(|_| ring.take(now, RING_A_MINUTE)).count(), 30);
        assert!(ring.take("2026-11-21T10:01:00Z".parse().unwrap(), RING_A_MINUTE));
    }

    #[test]
    fn an_address_is_suspect_before_it_is_turned_away() {
        let limit = AddressLimit::new(NonZeroU32::new(5).unwrap());
        let (one, other) = (IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2]));
        let paces: Vec<Pace> = (0..60).map(|_| limit.check(one)).collect();
        assert!(paces[..5].iter().all(|pace| *pace == Pace::Usual));
        assert!(paces[10..50].iter().all(|pace| *pace == Pace::Suspect));
        assert!(matches!(paces[59], Pace::Flood(seconds) if seconds >= 1));
        assert_eq!(limit.check(other), Pace::Usual);
    }

    #[test]
    fn a_v6_household_is_one_address() {
        let (a, b): (IpAddr, IpAddr) = ("2001:db8:1:2::7".parse().unwrap(), "2001:db8:1:2:ffff::1".parse().unwrap());
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network("2001:db8:1:3::7".parse().unwrap()));
    }
}
