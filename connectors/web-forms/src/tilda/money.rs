//! Amounts of money as texts, exactly: no floating point.

/// Minor units (kopecks, cents) of a decimal text such as `1390`, `1 390,50` or `1,390.00`.
pub(super) fn minor_units(text: &str) -> Option<i64> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '\u{2019}')).collect();
    let (negative, digits) = match compact.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, compact.as_str()),
    };
    let (whole, fraction) = split(digits)?;
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = match fraction.trim_end_matches('0') {
        "" => 0,
        one if one.len() == 1 => one.parse::<i64>().ok()? * 10,
        two if two.len() == 2 => two.parse().ok()?,
        _ => return None,
    };
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let units = whole.checked_mul(100)?.checked_add(fraction)?;
    Some(if negative { -units } else { units })
}

/// The digits before and behind the decimal mark.
fn split(text: &str) -> Option<(String, &str)> {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let decimal = match (text.rfind('.'), text.rfind(',')) {
        (None, None) => None,
        // Both: the last one is the decimal mark.
        (Some(dot), Some(comma)) => Some(dot.max(comma)),
        // Commas before three digits group thousands.
        (None, Some(comma)) => (text.len() - comma != 4 && text.matches(',').count() == 1).then_some(comma),
        (Some(dot), None) => (text.matches('.').count() == 1).then_some(dot),
    };
    let (whole, fraction) = decimal.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    let mut groups = whole.split(['.', ',']);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let grouped =
        rest.iter().all(|group| group.len() == 3 && digits(group)) && (rest.is_empty() || (1..=3).contains(&first.len()));
    (digits(first) && digits(fraction) && grouped).then(|| (first.to_owned() + &rest.concat(), fraction))
}

/// An amount as many times, if the count is a whole number.
pub(super) fn times(units: i64, quantity: &str) -> Option<i64> {
    units.checked_mul(quantity.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact() {
        for (text, units) in [
            ("1390", 139_000),
            ("1390.5", 139_050),
            ("1390,50", 139_050),
            ("1 390", 139_000),
            ("1\u{a0}390,05", 139_005),
            ("1,390.00", 139_000),
            ("1.390,00", 139_000),
            ("1,390", 139_000),
            ("1,234,567", 123_456_700),
            ("0.10", 10),
            (".5", 50),
            ("-5", -500),
            ("10.500", 1050),
            ("0", 0),
            ("90071992547409.93", 9_007_199_254_740_993),
        ] {
            assert_eq!(minor_units(text), Some(units), "{text}");
        }
        for text in ["", ".", "abc", "1.005", "12e3", "1..2", "99999999999999999999", "1,23,4", "--1", "100 руб"] {
            assert_eq!(minor_units(text), None, "{text}");
        }
        assert_eq!(times(100, "3"), Some(300));
        assert_eq!(times(100, "1.5"), None);
    }
}
