//! What an answer means.

use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::ports::DeliverError;
use leadgate_wire::guarded::{Answer, CallError};
use serde_json::Value;

/// The longest that is waited because a target says so: a lead is worth something for minutes, and asking once an hour
/// burdens nobody.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The longest id that is kept, in bytes.
const LONGEST_ID: usize = 200;

/// Whether an answer means that it arrived.
pub(super) fn judged(answer: &Answer, now: Timestamp) -> Result<(), DeliverError> {
    let words = format!("answered {}", answer.status);
    let after = answer.retry_after.as_deref().and_then(|text| wait(text, now));
    match answer.status {
        200..=299 => Ok(()),
        410 => Err(DeliverError::Gone { words }),
        // It is busy with this very thing, or wants it at another time.
        408 | 409 | 423 | 425 => Err(DeliverError::Later { words, after }),
        // Not this delivery is wrong, but the way: a token that ended, an account that is not paid, a URL with a mistake in it.
        // What is owed waits until somebody has put that right.
        401..=405 | 407 | 415 => {
            Err(DeliverError::Unavailable { words: format!("{words}: look at the URL, the token and the method"), after })
        }
        429 | 500.. => Err(DeliverError::Unavailable { words, after }),
        400..=499 => Err(DeliverError::Refused { words }),
        _ => Err(DeliverError::Unavailable { words: format!("{words}, which is no answer to this"), after }),
    }
}

/// Why there is no answer. Another attempt may have one: an address that may not be called is a configuration's to change.
pub(super) fn unanswered(error: &CallError) -> DeliverError {
    let words = match error {
        CallError::Redirect(to) => CallError::Redirect(leadgate_core::text::cut(to, 100).to_owned()).words(),
        other => other.words(),
    };
    DeliverError::Unavailable { words, after: None }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let long = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is very long.
        text.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(long.min(LONGEST_WAIT))
}

/// The ids that an answer tells: what stands at these places (JSON Pointer, RFC 6901), if it is a text or a number.
pub(super) fn ids(body: &[u8], references: &[(String, String)]) -> Vec<(String, String)> {
    if references.is_empty() {
        return Vec::new();
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let id = |pointer: &str| match body.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fits = |id: &String| !id.is_empty() && id.len() <= LONGEST_ID;
    references.iter().filter_map(|(scope, pointer)| Some((scope.clone(), id(pointer).filter(fits)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn told(status: u16, retry_after: Option<&str>) -> Result<(), DeliverError> {
        let answer = Answer {
            status,
            content_type: String::new(),
            retry_after: retry_after.map(str::to_owned),
            body: bytes::Bytes::new(),
        };
        judged(&answer, NOW.parse().unwrap())
    }

    #[test]
    fn every_status_means_something() {
        for status in 100..=599 {
            let wanted = match status {
                200..=299 => "done",
                410 => "gone",
                408 | 409 | 423 | 425 => "later",
                401..=405 | 407 | 415 | 429 | 500..=599 | 100..=199 | 300..=399 => "unavailable",
                _ => "refused",
            };
            let found = match told(status, None) {
                Ok(()) => "done",
                Err(DeliverError::Gone { .. }) => "gone",
                Err(DeliverError::Later { .. }) => "later",
                Err(DeliverError::Unavailable { .. }) => "unavailable",
                Err(DeliverError::Refused { .. } | DeliverError::NoRecipient { .. }) => "refused",
                Err(DeliverError::Quiet { .. }) => "quiet",
            };
            assert_eq!(found, wanted, "{status}");
        }
    }

    #[test]
    fn it_waits_as_long_as_it_is_asked_to_within_reason() {
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("999999", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sat, 21 Nov 2026 12:01:30 GMT", Some(90)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("Sun, 22 Nov 2026 12:00:00 GMT", Some(3600)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            let wanted = seconds.map(Duration::from_secs);
            for status in [429, 503] {
                let words = format!("answered {status}");
                assert_eq!(told(status, Some(text)), Err(DeliverError::Unavailable { words, after: wanted }), "{text}");
            }
        }
    }

    #[test]
    fn ids_are_texts_and_numbers() {
        let references = |pointers: &[&str]| pointers.iter().map(|at| ("s".to_owned(), (*at).to_owned())).collect::<Vec<_>>();
        let body = br#"[{"id": 12345678901234567, "name": "x", "none": null, "list": [1], "long": ""}]"#;
        let found = ids(body, &references(&["/0/id", "/0/name", "/0/none", "/0/list", "/0/long", "/1/id", ""]));
        assert_eq!(found, [("s".to_owned(), "12345678901234567".to_owned()), ("s".to_owned(), "x".to_owned())]);
        assert_eq!(ids(b"<html>", &references(&["/id"])), []);
    }
}
