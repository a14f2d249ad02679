//! The ways providers write a time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds since 1970; nothing for 0, which stands for never.
pub(crate) fn seconds(text: &str) -> Option<Timestamp> {
    let whole = text.trim().split('.').next().unwrap_or_default();
    whole.parse().ok().filter(|count| *count > 0).and_then(|count| Timestamp::from_second(count).ok())
}

/// Microseconds since 1970; nothing for 0.
pub(crate) fn microseconds(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok().filter(|count| *count > 0).and_then(|count| Timestamp::from_microsecond(count).ok())
}

/// Since 1970 in whatever unit its size tells: seconds, milliseconds or microseconds.
pub(crate) fn since_1970(text: &str) -> Option<Timestamp> {
    let count: i64 = text.trim().split('.').next()?.parse().ok().filter(|count| *count > 0)?;
    match count {
        ..100_000_000_000 => Timestamp::from_second(count).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(count).ok(),
        _ => Timestamp::from_microsecond(count).ok(),
    }
}

/// ISO 8601 with a zone or an offset.
pub(crate) fn iso(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// RFC 2822: `Sat, 21 Nov 2026 10:00:00 +0000`.
pub(crate) fn rfc2822(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|zoned| zoned.timestamp())
}

/// `2026-11-21 10:00:00`, with or without parts of a second, in a zone.
pub(crate) fn naive(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let civil: DateTime = text.trim().parse().ok()?;
    zone.to_timestamp(civil).ok()
}

/// `20261121T100000Z`, in UTC.
pub(crate) fn compact(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%S", text.trim().trim_end_matches('Z')).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// Any of these; a time without a zone is in the given one.
pub(crate) fn any(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    since_1970(text).or_else(|| iso(text)).or_else(|| compact(text)).or_else(|| naive(text, zone)).or_else(|| rfc2822(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_time() {
        let at = Some("2026-11-21T10:00:00Z".parse().unwrap());
        let moscow = TimeZone::get("Europe/Moscow").unwrap();
        assert_eq!(seconds("1795255200"), at);
        assert_eq!(microseconds("1795255200000000"), at);
        for text in ["1795255200", "1795255200000", "1795255200000000", "1795255200.123"] {
            assert_eq!(since_1970(text), at, "{text}");
        }
        assert_eq!(iso("2026-11-21T13:00:00+03:00"), at);
        assert_eq!(rfc2822("Sat, 21 Nov 2026 10:00:00 +0000"), at);
        assert_eq!(naive("2026-11-21 13:00:00", &moscow), at);
        assert_eq!(naive("2026-11-21 10:00:00.238707", &TimeZone::UTC).map(Timestamp::as_second), at.map(Timestamp::as_second));
        assert_eq!(compact("20261121T100000Z"), at);
        for text in ["0", "", "soon", "-5", "99999999999999999999"] {
            assert_eq!(any(text, &moscow), None, "{text}");
        }
    }
}
