//! `[keeping]`: what is kept for how long, how much of it, and how much space must stay free.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::SourceId;
use leadgate_core::keeping::Quota;
use serde::Serialize;
use toml::Value;
use utoipa::ToSchema;

use super::section::{Section, duration};

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until somebody removes it.
    Forever,
    /// This long after it came.
    For(SignedDuration),
}

impl Lifetime {
    /// What came before this goes now.
    pub fn before(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Forever => None,
            Self::For(length) => now.saturating_sub(length).ok(),
        }
    }

    /// As people write it.
    pub fn words(self) -> String {
        const DAY: i64 = 24 * 3600;
        match self {
            Self::Forever => "forever".to_owned(),
            Self::For(length) if length.as_secs() % DAY == 0 && length.as_secs() > DAY => {
                format!("{} days", length.as_secs() / DAY)
            }
            Self::For(length) => format!("{length:#}"),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("forever") { Ok(Self::Forever) } else { duration(text).map(Self::For) }
    }
}

impl Serialize for Lifetime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words())
    }
}

const fn days(days: i64) -> Lifetime {
    Lifetime::For(SignedDuration::from_hours(24 * days))
}

/// `[keeping]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Keeping {
    /// The bytes of settled deliveries; their rows and receipts stay.
    #[schema(value_type = String)]
    pub raw: Lifetime,
    /// Files that came with them.
    #[schema(value_type = String)]
    pub files: Lifetime,
    /// Spam, with its rows.
    #[schema(value_type = String)]
    pub spam: Lifetime,
    /// What nobody vouches for, with its rows.
    #[schema(value_type = String)]
    pub rejected: Lifetime,
    /// What waits for a person although its sender is known, with its rows.
    #[schema(value_type = String)]
    pub quarantine: Lifetime,
    /// Events.
    #[schema(value_type = String)]
    pub events: Lifetime,
    /// Deliveries outward that ended.
    #[schema(value_type = String)]
    pub outbox: Lifetime,
    /// How much each source may keep.
    pub quota: Quota,
    /// Where a source differs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub quotas: BTreeMap<SourceId, Quota>,
    /// Below so many free bytes no files are taken; 0: they always are.
    pub free_space: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            raw: Lifetime::Forever,
            files: Lifetime::Forever,
            spam: days(90),
            rejected: days(7),
            quarantine: Lifetime::Forever,
            events: days(365),
            outbox: days(30),
            quota: Quota::default(),
            quotas: BTreeMap::new(),
            free_space: 1 << 30,
        }
    }
}

impl Keeping {
    /// How much a source may keep.
    pub fn quota_of(&self, source: &SourceId) -> Quota {
        self.quotas.get(source).copied().unwrap_or(self.quota)
    }

    /// Every class with its lifetime, in words.
    pub fn classes(&self) -> [(&'static str, Lifetime); 7] {
        [
            ("deliveries as they came", self.raw),
            ("files", self.files),
            ("spam", self.spam),
            ("from unknown senders", self.rejected),
            ("in quarantine", self.quarantine),
            ("events", self.events),
            ("deliveries outward that ended", self.outbox),
        ]
    }
}

/// Reads `[keeping]`.
pub(super) fn keeping(mut section: Section<'_>) -> Keeping {
    let default = Keeping::default();
    let mut lifetime = |key: &'static str, default: Lifetime| section.parsed(key, Lifetime::parse).unwrap_or(default);
    let (raw, files) = (lifetime("raw", default.raw), lifetime("files", default.files));
    let (spam, rejected) = (lifetime("spam", default.spam), lifetime("rejected", default.rejected));
    let outbox = lifetime("outbox", default.outbox);
    let (quarantine, events) = (lifetime("quarantine", default.quarantine), lifetime("events", default.events));
    let quota = Quota {
        bytes: section.parsed("source_bytes", size),
        count: section.whole("source_count", 0, u32::MAX).filter(|count| *count > 0).map(u64::from),
    };
    let keeping = Keeping {
        raw,
        files,
        spam,
        rejected,
        quarantine,
        events,
        outbox,
        quota,
        quotas: quotas(&mut section),
        free_space: section.parsed("free_space", size).unwrap_or(default.free_space),
    };
    section.finish();
    keeping
}

fn quotas(section: &mut Section<'_>) -> BTreeMap<SourceId, Quota> {
    const FORM: &str = "write what this source may keep: { bytes = \"5 GB\", count = 100000 }, either or both";
    let mut quotas = BTreeMap::new();
    for (id, value) in section.section("quotas").entries() {
        let key = format!("quotas.{id}");
        let Ok(source) = SourceId::parse(&id) else {
            section.problem(&key, format!("{id:?} is no source's id"));
            continue;
        };
        let Value::Table(table) = value else {
            section.problem(&key, FORM);
            continue;
        };
        let mut quota = Quota::default();
        for (name, value) in table {
            match (name.as_str(), value) {
                ("bytes", Value::String(text)) => match size(&text) {
                    Ok(bytes) => quota.bytes = Some(bytes),
                    Err(words) => section.problem(&key, words),
                },
                ("count", Value::Integer(count)) if count > 0 => quota.count = Some(count.unsigned_abs()),
                _ => section.problem(&key, FORM),
            }
        }
        quotas.insert(source, quota);
    }
    quotas
}

/// A size as people write it: `500 MB`, `1.5 GB`; a kilobyte has 1024 bytes.
fn size(text: &str) -> Result<u64, String> {
    let words = || format!("{text:?} is no size: write a number and its unit, such as \"500 MB\" or \"5 GB\"");
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" if number == "0" => 0,
        "b" | "bytes" => 0,
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" => 30,
        "tb" | "tib" => 40,
        _ => return Err(words()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| words())?;
    let tenth: u64 = match part {
        "" => 0,
        one if one.len() == 1 => one.parse().map_err(|_| words())?,
        _ => return Err(words()),
    };
    let bytes = |number: u64| number.checked_mul(1 << shift);
    bytes(whole).and_then(|whole| whole.checked_add(bytes(tenth)? / 10)).ok_or_else(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("0", 0), ("500 MB", 500 << 20), ("1.5GB", (1 << 30) + (1 << 29)), ("7 bytes", 7)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "5", "GB", "-1 GB", "1.25 GB", "99999999999 TB", "5 apples"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lifetimes_are_told_as_they_are_written() {
        for text in ["forever", "90 days", "7 days"] {
            assert_eq!(Lifetime::parse(text).unwrap().words(), text);
        }
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(Lifetime::Forever.before(now), None);
        assert_eq!(days(7).before(now), Some("2026-11-14T10:00:00Z".parse().unwrap()));
        assert!(Lifetime::parse("3 months").unwrap_err().contains("days"));
    }
}
