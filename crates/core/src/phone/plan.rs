//! Numbers of plans that have moved on: what people and messengers still write, and what is dialled today.

use super::library::{self, Valid};

/// Reads digits that begin with a country code, also those of plans that have been renumbered since they were saved.
pub(super) fn international(digits: &str) -> Option<Valid> {
    plus(digits).or_else(|| renumbered(digits))
}

fn plus(digits: &str) -> Option<Valid> {
    plus_parts(&[digits])
}

/// Reads the parts as one number after a plus, without touching the heap.
fn plus_parts(parts: &[&str]) -> Option<Valid> {
    // E.164 allows 15 digits; the library knows plans of up to 17 after the country code.
    const MAX: usize = 20;
    let mut text = [b'+'; MAX + 1];
    let mut len = 1;
    for byte in parts.iter().flat_map(|part| part.bytes()) {
        *text.get_mut(len)? = byte;
        len += 1;
    }
    library::valid(str::from_utf8(&text[..len]).ok()?, None)
}

fn renumbered(digits: &str) -> Option<Valid> {
    // `+007 …` and `+00 7 …`: an international prefix after the plus.
    if let Some(rest) = digits.strip_prefix("00") {
        return plus(rest.trim_start_matches('0'));
    }
    match digits.len() {
        // Mexico dropped the mobile 1 in 2019; WhatsApp ids still carry it.
        13 if digits.starts_with("521") => plus_parts(&["52", &digits[3..]]),
        // Brazil put a 9 before mobile numbers from 2012 to 2016; ids of older accounts lack it.
        12 if digits.starts_with("55") && matches!(digits.as_bytes()[4], b'6'..=b'9') => {
            plus_parts(&[&digits[..4], "9", &digits[4..]])
        }
        // Benin put 01 before all numbers in 2024.
        11 if digits.starts_with("229") => plus_parts(&["22901", &digits[3..]]),
        // A mask had typed +7, and the trunk prefix or the country code was typed again after it.
        12 if digits.starts_with("78") || digits.starts_with("77") => plus_parts(&["7", &digits[2..]]),
        _ => None,
    }
}

/// `8 916 …` and `+8 916 …`: the trunk prefix 8 of Russia and Kazakhstan read as their country code 7.
pub(super) fn trunk_eight(digits: &str) -> Option<Valid> {
    let rest = digits.strip_prefix('8').filter(|rest| rest.len() == 10)?;
    plus_parts(&["7", rest])
}

/// Reads `+CC (0) NSN`: the zero is dialled only inside the country. A few plans have dropped trunk prefixes and kept the
/// zero in the number; there it is tried first.
pub(super) fn with_optional_zero(digits: &str, at: usize) -> Option<Valid> {
    const ZERO_STAYS: [&str; 7] = ["39", "225", "229", "241", "242", "378", "379"];
    let (code, rest) = digits.split_at_checked(at)?;
    let code = code.strip_prefix("00").unwrap_or(code);
    let kept = || plus_parts(&[code, "0", rest]);
    let dropped = || plus_parts(&[code, rest]);
    if ZERO_STAYS.contains(&code) { kept().or_else(dropped) } else { dropped().or_else(kept) }
}
