//! Card numbers in a text.

use std::ops::Range;

/// Where payment card numbers stand in a text: 13 to 19 digits of a card's first digit that pass the Luhn check, together or
/// in groups as cards print them. Behind `+`, `=` or a letter stand phone numbers and ids.
pub(crate) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    if bytes.iter().filter(|b| b.is_ascii_digit()).count() < 13 {
        return found;
    }
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = run(bytes, at);
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let lonely = !before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=' | b'_' | b'.' | b'%' | b'/'));
        if lonely && let Some(card) = card(bytes, &run) {
            at = card.end;
            found.push(card);
        } else {
            // Past the first group only: a card may follow a shorter number.
            at = run.first().map_or(at + 1, |group| group.end);
        }
    }
    found
}

/// The groups of digits from `start`, each one space or hyphen from the next; at most 19 digits and one more.
fn run(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut at, mut digits) = (start, 0);
    while at < bytes.len() && digits <= 19 {
        let end = bytes[at..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |length| at + length);
        if end == at {
            break;
        }
        digits += end - at;
        groups.push(at..end);
        if !bytes.get(end).is_some_and(|b| matches!(b, b' ' | b'-')) {
            break;
        }
        at = end + 1;
    }
    groups
}

fn card(bytes: &[u8], groups: &[Range<usize>]) -> Option<Range<usize>> {
    let first = groups.first()?;
    if !(b'2'..=b'6').contains(&bytes[first.start]) {
        return None;
    }
    if first.len() >= 13 {
        return (first.len() <= 19 && luhn(&bytes[first.clone()]) && ends(bytes, first.end)).then(|| first.clone());
    }
    // 4-4-4-4, with up to three more; 4-6-5 and 4-6-4.
    [5, 4, 3].into_iter().find_map(|count| {
        let groups = groups.get(..count)?;
        let lengths: Vec<usize> = groups.iter().map(ExactSizeIterator::len).collect();
        let card_like = match lengths.as_slice() {
            [4, 4, 4, last] => (1..=4).contains(last),
            [4, 4, 4, 4, last] => (1..=3).contains(last),
            [4, 6, last] => (4..=5).contains(last),
            _ => false,
        };
        let whole = first.start..groups.last()?.end;
        let digits: Vec<u8> = bytes[whole.clone()].iter().copied().filter(u8::is_ascii_digit).collect();
        (card_like && luhn(&digits) && ends(bytes, whole.end)).then_some(whole)
    })
}

fn ends(bytes: &[u8], end: usize) -> bool {
    !bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = if at % 2 == 1 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn finds_cards() {
        assert_eq!(found("карта 4111 1111 1111 1111, спасибо"), ["4111 1111 1111 1111"]);
        assert_eq!(found("4242424242424242"), ["4242424242424242"]);
        assert_eq!(found("amex 3782-822463-10005."), ["3782-822463-10005"]);
        assert_eq!(found("5 5555555555554444"), ["5555555555554444"]);
        assert_eq!(found("2200 0000 0000 0004 12/29"), ["2200 0000 0000 0004"]);
    }

    #[test]
    fn leaves_phones_and_ids() {
        for text in [
            "+49 151 1234 5678 9012",
            "8 916 123-45-67, 8 916 123-45-68",
            "yclid=4242424242424242",
            "GA1.2.4242424242424242",
            "152543088332406566",
            "4111 1111 1111 1112",
            "4242424242424242x",
            "",
        ] {
            assert!(find(text).is_empty(), "{text}");
        }
    }
}
