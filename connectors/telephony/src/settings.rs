//! The keys that every kind here has.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Mode, Secrets};
use leadgate_core::rules::{HiddenCallers, LeadOn, SourceRules};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use toml::Table;
use url::Url;

use crate::line::Line;
use crate::provider::Provider;

/// What a section of the configuration says, whatever its provider.
pub(crate) struct Settings {
    /// Where times without a zone are meant.
    pub zone: TimeZone,
    /// A line that names these enquiries in lists.
    pub title: Option<String>,
    /// After this time recordings are fetched; `None`: their links are kept.
    pub recordings: Option<Duration>,
    /// Where recordings may lie besides the provider's own hosts.
    pub hosts: Vec<String>,
}

/// What providers differ in.
pub(crate) struct Usual {
    /// Where times without a zone are meant, unless the configuration says otherwise.
    pub zone: &'static str,
    /// How long a recording takes to be there.
    pub recording_after: Duration,
    /// After this time without news a call is over, if nothing else says so. People talk without any news, so where a final event
    /// tells the end this is only for ends that got lost.
    pub quiet: SignedDuration,
}

impl Default for Usual {
    fn default() -> Self {
        Self { zone: "UTC", recording_after: Duration::from_secs(10), quiet: SignedDuration::from_hours(2) }
    }
}

/// Reads a section: the keys of every source, of every kind here, and what the provider adds.
pub(crate) fn build<P: Provider + 'static>(
    table: Table,
    secrets: &dyn Secrets,
    _context: &BuildContext,
    usual: &Usual,
    read: impl FnOnce(&mut Keys, &dyn Secrets, &mut SourceRules, &Settings) -> Option<P>,
) -> Result<Connector, Vec<BuildProblem>> {
    let mut keys = Keys::new(table);
    let mut rules = leadgate_wire::rules::rules(&mut keys);
    let settings = settings(&mut keys, &mut rules, usual);
    let provider = read(&mut keys, secrets, &mut rules, &settings);
    if settings.recordings.is_some() && settings.hosts.is_empty() && provider.as_ref().is_some_and(lies_anywhere) {
        let words = "nothing says where recordings may lie: write e.g. recording_hosts = [\"records.example.com\"]";
        keys.problem("recording_hosts", words);
    }
    let problems = keys.finish();
    match provider.filter(|_| problems.is_empty()) {
        Some(provider) => Ok(Connector { rules, mode: Mode::Push(Box::new(Line { provider, settings })) }),
        None => Err(problems),
    }
}

/// Whether a provider has no hosts of its own: then nothing is fetched but from hosts that the configuration names.
fn lies_anywhere<P: Provider>(provider: &P) -> bool {
    provider.fetch(&OfferedFile::default(), None).is_ok_and(|fetch| fetch.hosts.is_empty())
}

fn settings(keys: &mut Keys, rules: &mut SourceRules, usual: &Usual) -> Settings {
    let calls = &mut rules.calls;
    let moments = [("ring", LeadOn::Ring), ("finish", LeadOn::Finish), ("missed", LeadOn::Missed)];
    calls.lead_on = keys.one_of("lead_on", &moments).unwrap_or_default();
    calls.hidden =
        keys.one_of("hidden_callers", &[("lead", HiddenCallers::Lead), ("note", HiddenCallers::Note)]).unwrap_or_default();
    calls.quiet = usual.quiet;
    if let Some(quiet) = keys.duration("quiet", Duration::from_secs(5)..=Duration::from_hours(4)) {
        calls.quiet = SignedDuration::try_from(quiet).unwrap_or(usual.quiet);
    }
    if keys.yes("call_back").unwrap_or(true) {
        let within = keys.duration("call_back_within", Duration::from_mins(1)..=Duration::from_hours(24 * 7));
        if let Some(within) = within.and_then(|within| SignedDuration::try_from(within).ok()) {
            calls.call_back_within = Some(within);
        }
    } else {
        calls.call_back_within = None;
        if keys.duration("call_back_within", Duration::ZERO..=Duration::MAX).is_some() {
            keys.problem("call_back_within", "nobody is reminded with call_back = false: leave one of the two out");
        }
    }
    let zone = keys.text("time_zone").unwrap_or_else(|| usual.zone.to_owned());
    let zone = TimeZone::get(zone.trim()).unwrap_or_else(|_unknown| {
        keys.problem("time_zone", format!("{zone:?} is no time zone; write e.g. \"Europe/Moscow\""));
        TimeZone::UTC
    });
    let fetched = keys.one_of("recordings", &[("link", false), ("fetch", true)]).unwrap_or(false);
    let after = keys.duration("recording_after", Duration::ZERO..=Duration::from_hours(24)).unwrap_or(usual.recording_after);
    Settings {
        zone,
        title: keys.text("title").as_deref().and_then(leadgate_core::text::present),
        recordings: fetched.then_some(after),
        hosts: keys.list("recording_hosts").unwrap_or_default(),
    }
}

/// Where a provider's API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    /// The scheme, the host and the port, as in `https://app.mango-office.ru`.
    pub origin: String,
    pub host: String,
}

/// `api_url`: where the provider is called, if that is not where it usually is.
pub(crate) fn api(keys: &mut Keys, usual: &str) -> Api {
    let read = |typed: &str| {
        let url = Url::parse(typed.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let origin = url.origin().ascii_serialization();
        // Nothing but the address: a path, a query or a password would be left out unseen.
        (url.as_str() == format!("{origin}/")).then(|| Api { origin, host: url.host_str().unwrap_or_default().to_owned() })
    };
    let typed = keys.text("api_url").unwrap_or_else(|| usual.to_owned());
    read(&typed).unwrap_or_else(|| {
        keys.problem("api_url", format!("{typed:?} is not the address of a service; write e.g. {usual:?}"));
        Api { origin: usual.to_owned(), host: String::new() }
    })
}

/// A secret that has to be there: a list while it is being changed.
pub(crate) fn needed(keys: &mut Keys, key: &'static str, secrets: &dyn Secrets, what: &str) -> Vec<Secret> {
    let declared = keys.has(key);
    let found = keys.secrets(key, secrets);
    if !declared {
        keys.problem(key, format!("{what} is missing; write {{ env = \"NAME\" }} or {{ file = \"path\" }}"));
    }
    found
}

/// What the example of every kind here says of the keys they all have.
macro_rules! usual_keys {
    () => {
        r#"# When a call becomes a lead: "ring", "finish" (when it is over) or "missed" (only if nobody answered).
# lead_on = "finish"
# Callers who hide their number: "lead" (a lead without a phone) or "note".
# hidden_callers = "lead"
# Whoever was missed should be called back within this time, or it is told again; call_back = false: nobody is reminded.
# call_back_within = "15 min"
# After this time without news a call is taken for over, if its end never came: longer than people talk.
# quiet = "2 h"
# Recordings: "link" keeps where they are, "fetch" brings them into the attachments, from the provider's hosts and these.
# recordings = "link"
# recording_after = "10 s"
# recording_hosts = [".example.com"]
# A line that names these enquiries in lists.
# title = "Calls"
# Reads phone numbers written without a country.
# country = "RU"
# Where times without a zone are meant.
# time_zone = "Europe/Moscow"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# take_within = "15 min"
# utm_defaults = { utm_medium = "call" }
"#
    };
}
pub(crate) use usual_keys;
