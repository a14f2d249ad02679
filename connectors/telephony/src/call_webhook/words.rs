//! The words of PBXs and call trackers: what happened, which way, how it ended.

use leadgate_core::call::{CallOutcome, Direction};

/// What a call of a provider tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A call began.
    Started,
    /// A telephone rings.
    Ringing,
    /// Somebody answered.
    Answered,
    /// A leg ended: of a group, of a transfer.
    LegEnded,
    /// The call ended.
    Finished,
    /// The call ended, and nobody had answered.
    Missed,
    /// There is a recording.
    RecordingReady,
    /// A telephone asks who calls.
    ContactLookup,
    /// Something was added to a call that is over.
    Updated,
    /// The line is tried.
    Ping,
    /// Nothing that is known here.
    Unknown,
}

/// Their names in a mapping.
pub(crate) const KINDS: &[(&str, EventKind)] = &[
    ("started", EventKind::Started),
    ("ringing", EventKind::Ringing),
    ("answered", EventKind::Answered),
    ("leg_ended", EventKind::LegEnded),
    ("finished", EventKind::Finished),
    ("missed", EventKind::Missed),
    ("recording_ready", EventKind::RecordingReady),
    ("contact_lookup", EventKind::ContactLookup),
    ("updated", EventKind::Updated),
    ("ping", EventKind::Ping),
    ("unknown", EventKind::Unknown),
];

/// The names of directions in a mapping.
pub(crate) const DIRECTIONS: &[(&str, Direction)] =
    &[("in", Direction::In), ("out", Direction::Out), ("internal", Direction::Internal)];

/// The names of outcomes in a mapping, as the API has them.
pub(crate) const OUTCOMES: &[(&str, CallOutcome)] = &[
    ("answered", CallOutcome::Answered),
    ("voicemail", CallOutcome::Voicemail),
    ("no_answer", CallOutcome::NoAnswer),
    ("busy", CallOutcome::Busy),
    ("declined", CallOutcome::Declined),
    ("cancelled", CallOutcome::Cancelled),
    ("unreachable", CallOutcome::Unreachable),
    ("blocked", CallOutcome::Blocked),
    ("no_funds", CallOutcome::NoFunds),
    ("bad_number", CallOutcome::BadNumber),
    ("failed", CallOutcome::Failed),
];

/// What PBXs say where a mapping gives no words of its own: Asterisk's dispositions and those that were copied from it.
const USUAL_OUTCOMES: &[(&str, CallOutcome)] = &[
    ("answer", CallOutcome::Answered),
    ("success", CallOutcome::Answered),
    ("completed", CallOutcome::Answered),
    ("noanswer", CallOutcome::NoAnswer),
    ("missed", CallOutcome::NoAnswer),
    ("timeout", CallOutcome::NoAnswer),
    ("cancel", CallOutcome::Cancelled),
    ("canceled", CallOutcome::Cancelled),
    ("rejected", CallOutcome::Declined),
    ("dontcall", CallOutcome::Declined),
    ("torture", CallOutcome::Declined),
    ("congestion", CallOutcome::Unreachable),
    ("chanunavail", CallOutcome::Unreachable),
    ("unavailable", CallOutcome::Unreachable),
    ("invalidargs", CallOutcome::Failed),
    ("error", CallOutcome::Failed),
    ("vm", CallOutcome::Voicemail),
];

const USUAL_DIRECTIONS: &[(&str, Direction)] = &[
    ("inbound", Direction::In),
    ("incoming", Direction::In),
    ("outbound", Direction::Out),
    ("outgoing", Direction::Out),
    ("local", Direction::Internal),
];

/// Reads what happened; a word that nobody here knows is unknown.
pub(crate) fn kind(word: &str) -> EventKind {
    found(word, KINDS).unwrap_or(EventKind::Unknown)
}

/// Reads which way a call goes.
pub(crate) fn direction(word: &str) -> Option<Direction> {
    found(word, DIRECTIONS).or_else(|| found(word, USUAL_DIRECTIONS))
}

/// Reads how a call ended.
pub(crate) fn outcome(word: &str) -> Option<CallOutcome> {
    found(word, OUTCOMES).or_else(|| found(word, USUAL_OUTCOMES))
}

/// Whether a value says yes.
pub(crate) fn is_yes(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "y" | "on")
}

fn found<T: Copy>(word: &str, known: &[(&str, T)]) -> Option<T> {
    let plain =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase() };
    let word = plain(word);
    known.iter().find(|(name, _)| plain(name) == word).map(|(_, meant)| *meant)
}

/// What a length of time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

/// Seconds of a length of time: a number in a unit, with or without a fraction, or `1:02:03`.
pub(crate) fn seconds(text: &str, unit: Unit) -> Option<u32> {
    let text = text.trim();
    if text.contains(':') {
        let mut parts = text.split(':').map(|part| part.split('.').next().unwrap_or_default().parse::<u32>().ok());
        return parts.try_fold(0u32, |sum, part| sum.checked_mul(60)?.checked_add(part?));
    }
    let whole = text.split(['.', ',']).next().unwrap_or_default();
    let count: u64 = whole.parse().ok()?;
    let count = match unit {
        Unit::Seconds => count,
        Unit::Milliseconds => count / 1_000,
        Unit::Microseconds => count / 1_000_000,
    };
    u32::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_however_they_are_written() {
        assert_eq!(outcome("NO ANSWER"), Some(CallOutcome::NoAnswer));
        assert_eq!(outcome("ANSWERED"), Some(CallOutcome::Answered));
        assert_eq!(outcome("ChanUnavail"), Some(CallOutcome::Unreachable));
        assert_eq!(outcome("purple"), None);
        assert_eq!(outcome(""), None);
        assert_eq!(direction("INBOUND"), Some(Direction::In));
        assert_eq!(kind("Leg_Ended"), EventKind::LegEnded);
        assert_eq!(kind("x"), EventKind::Unknown);
    }

    #[test]
    fn lengths_of_time() {
        for (text, unit, expected) in [
            ("62", Unit::Seconds, Some(62)),
            ("62.9", Unit::Seconds, Some(62)),
            ("62900", Unit::Milliseconds, Some(62)),
            ("62900000", Unit::Microseconds, Some(62)),
            ("1:02", Unit::Seconds, Some(62)),
            ("00:01:02.5", Unit::Milliseconds, Some(62)),
            ("", Unit::Seconds, None),
            ("-5", Unit::Seconds, None),
            ("99999999999", Unit::Seconds, None),
            ("1:x", Unit::Seconds, None),
            ("9999999:99:99", Unit::Seconds, None),
        ] {
            assert_eq!(seconds(text, unit), expected, "{text}");
        }
    }
}
