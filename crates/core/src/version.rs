//! Versions of the program, as a database asks for them.

/// `1.2.3` as numbers, which compare as versions do; what follows a `-` or `+` plays no part. What is no number stands above
/// everything, so that nonsense is refused.
pub fn parts(text: &str) -> Vec<u64> {
    let plain = text.split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parts("0.10.0") > parts("0.9.9"));
        assert!(parts("1.0.0-rc.1") == parts("1.0.0"));
        assert!(parts("later") > parts("999.0.0"));
    }
}
