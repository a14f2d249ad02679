//! The keys that every kind of source has.

use std::time::Duration;

use jiff::SignedDuration;
use leadgate_core::attribution::{Origin, attribution_key};
use leadgate_core::phone::Country;
use leadgate_core::rules::{IdentityOverrides, KnownContact, LeadPer, SourceRules, Strength};

use crate::keys::Keys;

/// The keys every kind of source has.
pub fn rules(keys: &mut Keys) -> SourceRules {
    let mut rules = SourceRules::default();
    if let Some(country) = keys.text("country") {
        rules.country = Country::parse(&country);
        if rules.country.is_none() {
            keys.problem("country", format!("{country:?} is no country; write its two letters, e.g. \"RU\""));
        }
    }
    let known = [("attach", KnownContact::Attach), ("repeat_lead", KnownContact::RepeatLead), ("reopen", KnownContact::Reopen)];
    rules.known_contact = keys.one_of("known_contact", &known).unwrap_or_default();
    if let Some(days) = keys.number("reopen_days", 1..=3650) {
        rules.reopen_within = hours(days * 24);
    }
    let most = Duration::from_hours(24 * 30);
    let within = keys.duration("take_within", Duration::from_mins(1)..=most);
    rules.take_within = within.and_then(|within| SignedDuration::try_from(within).ok());
    rules.lead_per = keys.one_of("lead_per", &[("person", LeadPer::Person), ("delivery", LeadPer::Delivery)]).unwrap_or_default();
    if let Some(seconds) = keys.number("repeat_window_s", 0..=86_400) {
        rules.repeat_window = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(300));
    }
    let worth = [("strong", Strength::Strong), ("weak", Strength::Weak), ("none", Strength::None)];
    rules.identities = keys
        .within("identities", |keys| IdentityOverrides {
            phone: keys.one_of("phone", &worth),
            email: keys.one_of("email", &worth),
        })
        .unwrap_or_default();
    for (key, value) in keys.table("utm_defaults").unwrap_or_default() {
        match (attribution_key(&key), value.as_str()) {
            (Some(_), Some(text)) => {
                rules.touch.offer(&key, text, Origin::SourceDefault);
            }
            (None, _) => keys
                .problem(&format!("utm_defaults.{key}"), "it is no campaign tag; there are utm_source, utm_medium and the like"),
            (_, None) => keys.problem(&format!("utm_defaults.{key}"), "it must be a text"),
        }
    }
    rules
}

fn hours(hours: u64) -> SignedDuration {
    SignedDuration::from_hours(i64::try_from(hours).unwrap_or(24 * 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (SourceRules, Vec<String>) {
        let mut keys = Keys::new(text.parse().unwrap());
        let rules = rules(&mut keys);
        (rules, keys.finish().into_iter().map(|p| format!("{}: {}", p.key, p.words)).collect())
    }

    #[test]
    fn common_keys() {
        let (rules, problems) = read(
            "country = \"RU\"\nknown_contact = \"reopen\"\nreopen_days = 10\nlead_per = \"delivery\"\nrepeat_window_s = 60\n\
             identities = { phone = \"none\" }\nutm_defaults = { utm_source = \"site\" }",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(rules.country.map(|c| c.as_str().to_owned()).as_deref(), Some("RU"));
        assert_eq!(rules.reopen_within, SignedDuration::from_hours(240));
        assert_eq!(rules.identities.phone, Some(Strength::None));
        assert_eq!(rules.touch.get("utm_source"), Some("site"));
    }

    #[test]
    fn all_problems_at_once() {
        let (_, problems) = read(
            "country = \"Narnia\"\nknown_contact = 1\nreopen_days = 0\nlead_per = \"x\"\nidentities = { phone = \"great\", fax = 1 }\n\
             utm_defaults = { name = \"x\", utm_source = 1 }\nwhat = 1",
        );
        let keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(
            keys,
            [
                "country",
                "known_contact",
                "reopen_days",
                "lead_per",
                "identities.phone",
                "identities.fax",
                "utm_defaults.name",
                "utm_defaults.utm_source",
                "what"
            ]
        );
        assert!(problems.iter().any(|p| p == "known_contact: it is a whole number, but must be a text"), "{problems:?}");
        assert!(
            problems.iter().any(|p| p.starts_with("identities.fax: there is no such key here; there are: email, phone")),
            "{problems:?}"
        );
    }
}
