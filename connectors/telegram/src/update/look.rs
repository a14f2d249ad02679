//! Looking into JSON that may be anything: what is missing or of another type is not there.

use jiff::Timestamp;
use leadgate_core::text;
use serde_json::Value;

static NOTHING: Value = Value::Null;

/// A member; null if there is none.
pub(super) fn at<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&NOTHING)
}

/// A member that is an object.
pub(super) fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|inner| inner.is_object())
}

/// A member that is a whole number: an id.
pub(super) fn id(value: &Value, key: &str) -> Option<i64> {
    at(value, key).as_i64()
}

/// A member that is a text with anything in it, as sent.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    at(value, key).as_str().filter(|text| !text.is_empty())
}

/// A text of one printable line, of at most so many bytes.
pub(super) fn line(value: &Value, key: &str, most: usize) -> Option<String> {
    text(value, key).and_then(|text| one_line(text, most))
}

/// As [`line`], of a text at hand.
pub(super) fn one_line(typed: &str, most: usize) -> Option<String> {
    // Of what is much longer nobody reads the rest.
    let printable = text::printable(text::cut(typed, most.saturating_mul(4)), true);
    text::present(&printable).map(|line| text::cut(&line, most).to_owned())
}

/// Whether a member is `true`.
pub(super) fn yes(value: &Value, key: &str) -> bool {
    at(value, key).as_bool() == Some(true)
}

/// A member that is a list; empty if it is none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    at(value, key).as_array().map_or(&[], Vec::as_slice)
}

/// A member that is a time in seconds since 1970; 0 stands for none.
pub(super) fn time(value: &Value, key: &str) -> Option<Timestamp> {
    id(value, key).filter(|seconds| *seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}
