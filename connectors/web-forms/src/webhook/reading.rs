//! From a body's tree to a draft, by a mapping or by names and looks.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::attribution::{Origin, attribution_key};
use leadgate_core::ports::{Explanation, Missing, Supplied};
use leadgate_core::submission::{ContentHash, Draft, FileRef};
use leadgate_core::text;
use leadgate_wire::body::{self, Entry};
use leadgate_wire::fields::{Kind, last_part};
use leadgate_wire::mapper::{Leaf, Mapped, Mapper, Picked};
use leadgate_wire::pointer::written;

use super::config::Config;
use super::layout::FIELD;
use crate::draft::{self, Circumstances, Placed};

/// What was read in a body, each piece with where it came from.
pub(super) struct Reading {
    /// What becomes name, phone, message and the like, with its place.
    said: Vec<(Placed, String)>,
    /// What becomes something else of the draft, or a field under a name of the owner's.
    special: Vec<Picked>,
    /// What is kept as a field.
    rest: Vec<(Placed, String)>,
    missing: Vec<(String, Vec<String>)>,
}

/// When it happened, as far as the body says.
pub(super) struct Said {
    pub draft: Draft,
    pub occurred_at: Option<Timestamp>,
}

impl Reading {
    /// By a mapping.
    pub(super) fn mapped(config: &Config, mapper: &Mapper, document: &body::Document) -> Self {
        let Mapped { picked, answers, rest, missing } = mapper.map(&document.root);
        let from = |path: &[String]| {
            let query = path.first().is_some_and(|first| document.from_query.contains(first));
            if query { Origin::ActionUrl } else { Origin::Field }
        };
        let mut out = Self { said: Vec::new(), special: Vec::new(), rest: Vec::new(), missing };
        for one in picked {
            let kind = Kind::parse(&one.target);
            if kind.is_none() && attribution_key(&one.target).is_none() {
                out.special.push(one);
                continue;
            }
            let own = one.path.iter().rfind(|part| part.parse::<usize>().is_err()).map_or(one.target.as_str(), String::as_str);
            let name = if kind.is_some() { own } else { one.target.as_str() };
            out.said.push((Placed::named(name, one.value, kind, from(&one.path)), one.from));
        }
        for answer in answers {
            let label = if answer.label.trim().is_empty() { "answer" } else { answer.label.trim() };
            out.said.push((Placed::named(label, answer.value, answer.kind, Origin::Field), answer.from));
        }
        for Leaf { path, value } in rest {
            let (place, origin) = (written(&path), from(&path));
            let one = (Placed::new(Entry { name: bracketed(&path), path, value }, origin), place);
            if config.guess { out.said.push(one) } else { out.rest.push(one) }
        }
        out
    }

    /// By names and looks, as a form.
    pub(super) fn guessed(entries: Vec<Entry>, query: Vec<Entry>) -> Self {
        let placed = draft::place(entries, query).into_iter();
        let said = placed.filter(|one| !is_test_marker(&one.entry.name, &one.entry.value)).map(|one| {
            let place = written(&one.entry.path);
            (one, place)
        });
        Self { said: said.collect(), special: Vec::new(), rest: Vec::new(), missing: Vec::new() }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.said.iter().chain(&self.rest).all(|(one, _)| one.entry.value.trim().is_empty()) && self.special.is_empty()
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.said.len() + self.special.len() + self.rest.len()
    }

    /// The hash of what was meant.
    pub(super) fn content(&self, files: &[FileRef], hidden: &dyn Fn(&[String]) -> bool) -> ContentHash {
        let all = self.said.iter().chain(&self.rest).map(|(one, _)| one);
        draft::content_hash(all, files, |entry| hidden(&entry.path))
    }

    /// The draft. What `hidden` names is left out.
    pub(super) fn draft(self, around: &Circumstances<'_>, hidden: &dyn Fn(&[String]) -> bool) -> Said {
        let shown = |(one, _): (Placed, String)| Some(one).filter(|one| !hidden(&one.entry.path));
        let said: Vec<Placed> = self.said.into_iter().filter_map(shown).collect();
        let mut draft = draft::fill(&said.iter().collect::<Vec<_>>(), around);
        let mut occurred_at = None;
        for one in self.special {
            match one.target.as_str() {
                "occurred_at" => occurred_at = occurred_at.or_else(|| moment(&one.value, around.received_at)),
                "address" => draft.address = draft.address.or_else(|| one.value.trim().parse().ok()),
                "user_agent" => draft.user_agent = text::present(text::cut(&one.value, 500)),
                "language" => draft.language = text::present(text::cut(&one.value, 20)),
                target => {
                    let name = target.strip_prefix(FIELD).unwrap_or(target);
                    draft::left_over(&mut draft, [Placed::named(name, one.value, Some(Kind::Other), Origin::Field)]);
                }
            }
        }
        draft::left_over(&mut draft, self.rest.into_iter().filter_map(shown));
        Said { draft, occurred_at }
    }

    /// What became of each piece.
    pub(super) fn explain(self, config: &Config, hidden: &dyn Fn(&[String]) -> bool) -> Explanation {
        let mut out = Explanation::default();
        for (one, from) in self.said {
            let mut field = draft::meaning(&config.own, &one);
            if matches!(field.as_str(), "ignore" | "secret") || hidden(&one.entry.path) {
                continue;
            }
            if field == "field" {
                field = format!("field {}", one.entry.name);
            }
            out.read.push(Supplied { field, value: one.entry.value, from });
        }
        for one in self.special {
            let field = one.target.strip_prefix(FIELD).map_or_else(|| one.target.clone(), |name| format!("field {name}"));
            out.read.push(Supplied { field, value: one.value, from: one.from });
        }
        for (one, from) in self.rest {
            let field = draft::meaning(&config.own, &one);
            if field == "secret" || hidden(&one.entry.path) {
                continue;
            }
            let supplied = Supplied { field, value: one.entry.value, from };
            // A campaign tag is one wherever it stands.
            if attribution_key(last_part(&one.entry.path)).is_some() {
                out.read.push(supplied);
            } else {
                out.unmapped.push(Supplied { field: one.entry.name, ..supplied });
            }
        }
        out.missing = self.missing.into_iter().map(|(field, places)| Missing { field, places }).collect();
        out
    }
}

/// `test`, with a value that only a marker has.
pub(super) fn is_test_marker(name: &str, value: &str) -> bool {
    draft::is_one_of(name, ["test", "_test", "is_test"])
        && matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "1" | "test")
}

/// A path as a form would name it.
fn bracketed(path: &[String]) -> String {
    let mut parts = path.iter();
    let first = parts.next().cloned().unwrap_or_default();
    parts.fold(first, |name, part| format!("{name}[{part}]"))
}

/// RFC 3339, a date and time without a zone (UTC), or seconds or milliseconds since 1970. What lies ahead is not believed.
fn moment(value: &str, received_at: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    let at = if let Ok(count) = value.parse::<i64>() {
        // Seconds reach these digits in the year 5138.
        if count.abs() < 100_000_000_000 { Timestamp::from_second(count) } else { Timestamp::from_millisecond(count) }.ok()?
    } else {
        value.parse::<Timestamp>().ok().or_else(|| {
            let local: jiff::civil::DateTime = value.parse().ok()?;
            local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        })?
    };
    let latest = received_at.checked_add(SignedDuration::from_hours(1)).ok()?;
    (at.as_second() > 0 && at <= latest).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-20T10:00:00+03:00", Some("2026-11-20T07:00:00Z")),
            ("2026-11-20 10:00:00", Some("2026-11-20T10:00:00Z")),
            ("1700000000", Some("2023-11-14T22:13:20Z")),
            ("1700000000000", Some("2023-11-14T22:13:20Z")),
            ("2030-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("-5", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(moment(text, now), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
