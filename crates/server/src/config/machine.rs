//! What the machine says about where the company is, for the keys nobody has set.
//!
//! It is only ever an assumption, and always told: `leadgate init` and `[company]` settle it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use leadgate_core::phone::Country;

use super::Language;

/// The country assumed when neither the configuration nor the machine names one.
pub const FALLBACK_COUNTRY: &str = "RU";

/// Zones whose country is told without the machine's own list (minimal images have none).
const ZONES: &[(&str, &str)] = &[
    ("Europe/Moscow", "RU"),
    ("Europe/Kaliningrad", "RU"),
    ("Europe/Samara", "RU"),
    ("Europe/Saratov", "RU"),
    ("Europe/Ulyanovsk", "RU"),
    ("Europe/Astrakhan", "RU"),
    ("Europe/Volgograd", "RU"),
    ("Europe/Kirov", "RU"),
    ("Asia/Yekaterinburg", "RU"),
    ("Asia/Omsk", "RU"),
    ("Asia/Novosibirsk", "RU"),
    ("Asia/Tomsk", "RU"),
    ("Asia/Barnaul", "RU"),
    ("Asia/Krasnoyarsk", "RU"),
    ("Asia/Irkutsk", "RU"),
    ("Asia/Yakutsk", "RU"),
    ("Asia/Vladivostok", "RU"),
    ("Asia/Magadan", "RU"),
    ("Asia/Sakhalin", "RU"),
    ("Asia/Kamchatka", "RU"),
    ("Europe/Minsk", "BY"),
    ("Asia/Almaty", "KZ"),
    ("Asia/Aqtobe", "KZ"),
    ("Asia/Tashkent", "UZ"),
    ("Asia/Bishkek", "KG"),
    ("Asia/Yerevan", "AM"),
    ("Asia/Tbilisi", "GE"),
    ("Europe/Kyiv", "UA"),
    ("Europe/Kiev", "UA"),
    ("Europe/Berlin", "DE"),
    ("Europe/London", "GB"),
    ("Europe/Paris", "FR"),
    ("Europe/Warsaw", "PL"),
    ("America/New_York", "US"),
    ("America/Chicago", "US"),
    ("America/Denver", "US"),
    ("America/Los_Angeles", "US"),
];

/// Countries where a small company's customers read Russian.
const RUSSIAN: &[&str] = &["RU", "BY", "KZ", "KG"];

/// What the machine says.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Its time zone; UTC says nothing about a place.
    pub zone: TimeZone,
    /// Its locale, such as `ru_RU.UTF-8`.
    pub locale: String,
}

impl Machine {
    /// Asks the machine; the locale comes from the environment.
    pub fn ask(env: &BTreeMap<String, String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| env.get(*name)).find(|value| !value.is_empty());
        Self { zone: TimeZone::try_system().unwrap_or(TimeZone::UTC), locale: locale.cloned().unwrap_or_default() }
    }

    /// The country, and what says so, in words.
    pub fn country(&self) -> (Country, String) {
        if let Some((name, country)) = self.zone.iana_name().and_then(|name| Some((name, country_of_zone(name)?))) {
            return (country, format!("from this machine's time zone, {name}"));
        }
        if let Some(country) = self.country_of_locale() {
            return (country, format!("from this machine's locale, {}", self.locale));
        }
        (fallback_country(), "this machine does not say, so the usual one".to_owned())
    }

    /// `en_US` is what most images are made with: like `C`, it says nothing of a place.
    fn country_of_locale(&self) -> Option<Country> {
        let name = self.locale.split(['.', '@']).next().unwrap_or_default();
        match name.split_once(['_', '-'])? {
            ("en", "US") => None,
            (_, region) => Country::parse(region),
        }
    }

    /// The language, and what says so, in words.
    pub fn language(&self, country: Country) -> (Language, String) {
        if self.locale.to_ascii_lowercase().starts_with("ru") {
            (Language::Ru, format!("from this machine's locale, {}", self.locale))
        } else {
            (usual_language(country), format!("usual in {country}"))
        }
    }
}

/// The language most of a country's customers read, among those there are.
pub(crate) fn usual_language(country: Country) -> Language {
    if RUSSIAN.contains(&country.as_str()) { Language::Ru } else { Language::En }
}

#[expect(clippy::expect_used, reason = "the numbering plans are built in, and a test asks for this one")]
fn fallback_country() -> Country {
    Country::parse(FALLBACK_COUNTRY).expect("the fallback country has a numbering plan") // a constant
}

fn country_of_zone(zone: &str) -> Option<Country> {
    let known = ZONES.iter().find(|(name, _)| *name == zone).and_then(|(_, code)| Country::parse(code));
    known.or_else(|| {
        let list = std::fs::read_to_string(Path::new("/usr/share/zoneinfo/zone.tab")).ok()?;
        country_in_list(&list, zone)
    })
}

/// Looks a zone up in the text of the time zone database's `zone.tab`.
fn country_in_list(list: &str, zone: &str) -> Option<Country> {
    list.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut columns = line.split('\t');
        let (code, _, name) = (columns.next()?, columns.next()?, columns.next()?);
        (name == zone).then(|| Country::parse(code)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(zone: &str, locale: &str) -> Machine {
        Machine { zone: TimeZone::get(zone).unwrap(), locale: locale.to_owned() }
    }

    fn assumed(zone: &str, locale: &str) -> (String, Language) {
        let machine = machine(zone, locale);
        let country = machine.country().0;
        (country.to_string(), machine.language(country).0)
    }

    #[test]
    fn the_zone_says_the_country_before_the_locale() {
        assert_eq!(assumed("Asia/Almaty", "de_DE.UTF-8"), ("KZ".to_owned(), Language::Ru));
        assert_eq!(assumed("Europe/Berlin", "C.UTF-8"), ("DE".to_owned(), Language::En));
        assert_eq!(assumed("Europe/Berlin", "ru_RU.UTF-8"), ("DE".to_owned(), Language::Ru));
        assert_eq!(assumed("UTC", "de_AT.UTF-8"), ("AT".to_owned(), Language::En));
    }

    #[test]
    fn a_bare_server_gets_the_documented_country() {
        for locale in ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8"] {
            assert_eq!(assumed("UTC", locale), (FALLBACK_COUNTRY.to_owned(), Language::Ru), "{locale}");
        }
    }

    #[test]
    fn reads_the_list_of_zones() {
        let list = "# comment\nRS\t+4450+02030\tEurope/Belgrade\nRU\t+5545+03735\tEurope/Moscow\tMSK+00\n";
        assert_eq!(country_in_list(list, "Europe/Belgrade"), Country::parse("RS"));
        assert_eq!(country_in_list(list, "Etc/UTC"), None);
    }
}
